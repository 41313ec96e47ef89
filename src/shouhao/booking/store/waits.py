"""Waitlists and the ways of slots in the database: who is next, what was offered, where a returned slot went.

The caller holds the sessions; whoever is offered a slot is locked before that is written.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from sqlalchemy import Connection, delete, select, text, update

from shouhao.booking.draw_tables import slot_moves, slot_rests, wait_members, waits
from shouhao.booking.model import FreeSlot
from shouhao.booking.release.policy import InForce
from shouhao.booking.store.release_policies import policy_of_text
from shouhao.booking.tables import sessions, slots
from shouhao.kernel.ids import new_ids
from shouhao.store import batch


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A place on a waitlist; its fields are the columns of its row."""

    id: str
    session_id: str
    draw_id: str
    entry_id: str
    account_id: str | None
    channel: str
    people: str  #: JSON: patient ids
    size: int
    drawn_at_us: int
    place: int
    state: str
    since_us: int
    ended_at_us: int = 0

    def names(self) -> tuple[str, ...]:
        """The people who wait together."""
        return tuple(msgspec.json.decode(self.people))


class _MemberRow(msgspec.Struct):
    wait_id: str
    session_id: str
    patient_id: str
    ended_at_us: int


class Move(msgspec.Struct, kw_only=True):
    """One step on the way of a slot."""

    id: str = ""
    slot_id: str
    session_id: str
    at_us: int
    way: str
    why: str
    wait_id: str | None = None
    booking_id: str | None = None


class SlotState(msgspec.Struct, frozen=True, kw_only=True):
    """What a slot becomes."""

    id: str
    state: str
    reserved_for: str | None = None
    booking_id: str | None = None


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that is public again at an unpredictable moment; its fields are the columns of its row."""

    slot_id: str
    session_id: str
    since_us: int
    looked_step: int
    next_look_us: int
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A session, as the way of its slots depends on it."""

    id: str
    department_id: str
    doctor_id: str | None
    day: str
    state: str
    fee_cents: int
    starts_at_us: int
    ends_at_us: int
    ruled_by: InForce
    policy_text: str | None
    revisit_at_us: int | None


def places(connection: Connection, session_ids: Iterable[str]) -> dict[str, Place]:
    """These sessions with what they were released under."""
    rows = connection.execute(select(sessions).where(sessions.c.id.in_(list(session_ids))))
    read: dict[str | None, InForce] = {}
    found = {}
    for row in rows:
        ruled_by = read.get(row.release_policy) or policy_of_text(row.release_policy)
        read[row.release_policy] = ruled_by
        found[row.id] = Place(
            id=row.id,
            department_id=row.department_id,
            doctor_id=row.doctor_id,
            day=row.day,
            state=row.state,
            fee_cents=row.fee_cents,
            starts_at_us=row.starts_at_us,
            ends_at_us=row.ends_at_us,
            ruled_by=ruled_by,
            policy_text=row.release_policy,
            revisit_at_us=row.revisit_at_us,
        )
    return found


def next_waits(connection: Connection, wanted: Mapping[str, int]) -> dict[str, list[Wait]]:
    """The first so many who wait for each session, in their order."""
    rows = [{"session_id": session_id, "wanted": count} for session_id, count in wanted.items()]
    look_for: dict[str, object] = {"wanted": batch.encode(rows)}
    if connection.dialect.name == "sqlite":
        look_for["most"] = max(wanted.values())
    found: dict[str, list[Wait]] = defaultdict(list)
    for row in batch.rows(connection, _sql(connection.dialect.name).next_waits, look_for):
        found[row[1]].append(Wait(**dict(zip(Wait.__struct_fields__, row, strict=True))))
    return {session_id: of[: wanted[session_id]] for session_id, of in found.items()}


def still_waiting(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these places in which somebody waits and is offered nothing."""
    found = batch.rows(connection, _sql(connection.dialect.name).still_waiting, {"ids": batch.encode(ids)})
    return {row[0] for row in found}


def anyone_waits(connection: Connection, session_ids: Iterable[str]) -> tuple[set[str], set[str]]:
    """Sessions for which somebody's order is drawn, and those for which somebody has joined and it is not.

    Those who entered a draw that is not made yet have joined: whoever loses it waits.
    """
    ids = {"ids": batch.encode(sorted(session_ids))}
    ranked: set[str] = set()
    unranked: set[str] = set()
    for session_id, word in batch.rows(connection, _sql(connection.dialect.name).anyone, ids):
        (ranked if word == "ranked" else unranked).add(session_id)
    return ranked, unranked


def insert_waits(connection: Connection, made: Sequence[Wait]) -> None:
    """Put people on waitlists."""
    batch.insert_structs(connection, waits, made)
    members = [_MemberRow(w.id, w.session_id, person, w.ended_at_us) for w in made for person in w.names()]
    batch.insert_structs(connection, wait_members, members)


def end_waits(connection: Connection, ids: Sequence[str], state: str, *, now_us: int) -> None:
    """End places on waitlists: served, lapsed, left or ended."""
    if not ids:
        return
    connection.execute(update(waits).where(waits.c.id.in_(ids)).values(state=state, ended_at_us=now_us))
    connection.execute(update(wait_members).where(wait_members.c.wait_id.in_(ids)).values(ended_at_us=now_us))


def mark_offered(connection: Connection, ids: Sequence[str]) -> None:
    """These people were offered a slot."""
    if ids:
        connection.execute(update(waits).where(waits.c.id.in_(ids)).values(state="offered"))


def find_waits(connection: Connection, ids: Sequence[str]) -> dict[str, Wait]:
    """Places by their ids."""
    rows = connection.execute(select(*(waits.c[f] for f in Wait.__struct_fields__)).where(waits.c.id.in_(list(ids))))
    return {row["id"]: Wait(**row) for row in rows.mappings()}


def live_waits_of_entry(connection: Connection, entry_id: str) -> list[Wait]:
    """The places that one entry still has, on several waitlists."""
    rows = connection.execute(
        select(*(waits.c[f] for f in Wait.__struct_fields__)).where(
            waits.c.entry_id == entry_id, waits.c.ended_at_us == 0
        )
    )
    return [Wait(**row) for row in rows.mappings()]


def waits_of(connection: Connection, patient_ids: Iterable[str], *, limit: int) -> list[Wait]:
    """The places of these people, live ones first, then the latest."""
    mine = select(wait_members.c.wait_id).where(wait_members.c.patient_id.in_(list(patient_ids)))
    rows = connection.execute(
        select(*(waits.c[f] for f in Wait.__struct_fields__))
        .where(waits.c.id.in_(mine))
        .order_by(waits.c.ended_at_us != 0, waits.c.since_us.desc(), waits.c.id)
        .limit(limit)
    )
    return [Wait(**row) for row in rows.mappings()]


def live_members(connection: Connection, patient_ids: Iterable[str]) -> set[tuple[str, str]]:
    """Who of these people waits for which session."""
    ids = {"ids": batch.encode(sorted(patient_ids))}
    return {(row[0], row[1]) for row in batch.rows(connection, _sql(connection.dialect.name).members, ids)}


def live_in_session(connection: Connection, session_id: str) -> list[Wait]:
    """Everybody whose place lives, in their order."""
    rows = connection.execute(
        select(*(waits.c[f] for f in Wait.__struct_fields__))
        .where(waits.c.session_id == session_id, waits.c.ended_at_us == 0)
        .order_by(waits.c.drawn_at_us, waits.c.place)
    )
    return [Wait(**row) for row in rows.mappings()]


def set_slots(connection: Connection, become: Sequence[SlotState]) -> None:
    """Write what slots become; whoever holds their session decides that."""
    if become:
        batch.run(connection, _sql(connection.dialect.name).set_slots, {"rows": batch.encode(become)})


def slots_by_id(connection: Connection, ids: Iterable[str]) -> dict[str, FreeSlot]:
    """Slots by their ids, whatever their state."""
    return {
        row[0]: FreeSlot(
            id=row[0], session_id=row[1], number=row[2], starts_at_us=row[3], ends_at_us=row[4], reserved_for=row[5]
        )
        for row in batch.rows(connection, _sql(connection.dialect.name).slots, {"ids": batch.encode(sorted(ids))})
    }


def reserved_in(connection: Connection, session_id: str, *reserved_for: str) -> list[str]:
    """Ids of the slots of a session that are kept for one of these."""
    rows = connection.execute(
        select(slots.c.id)
        .where(slots.c.session_id == session_id, slots.c.reserved_for.in_(reserved_for))
        .order_by(slots.c.number)
    )
    return [row.id for row in rows]


def free_in(connection: Connection, session_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Slot and session ids of what anybody may book in these sessions."""
    rows = connection.execute(
        select(slots.c.id, slots.c.session_id)
        .where(slots.c.session_id.in_(list(session_ids)), slots.c.state == "free")
        .order_by(slots.c.session_id, slots.c.number)
    )
    return [(row.id, row.session_id) for row in rows]


def sessions_with_kept(connection: Connection, *, limit: int) -> list[str]:
    """Sessions in which a slot is kept for a waitlist on which somebody's order is drawn."""
    rows = connection.execute(
        select(slots.c.session_id)
        .where(
            slots.c.reserved_for == "waitlist",
            select(waits.c.id).where(waits.c.session_id == slots.c.session_id, waits.c.state == "waiting").exists(),
        )
        .distinct()
        .limit(limit)
    )
    return [row.session_id for row in rows]


def add_moves(connection: Connection, moves: Sequence[Move]) -> None:
    """Write down where slots went."""
    for move, move_id in zip(moves, new_ids("mv", len(moves)), strict=True):
        move.id = move_id
    batch.insert_structs(connection, slot_moves, moves)


def moved_in(connection: Connection, session_id: str) -> set[str]:
    """The slots of a session that somebody ever let go."""
    return set(connection.execute(select(slot_moves.c.slot_id).where(slot_moves.c.session_id == session_id)).scalars())


def returned_on_site(connection: Connection, slot_ids: Iterable[str]) -> set[str]:
    """Those of these slots that somebody ever returned in the house."""
    ids = {"ids": batch.encode(sorted(slot_ids))}
    return {row[0] for row in batch.rows(connection, _sql(connection.dialect.name).on_site, ids)}


def moves_of(connection: Connection, session_id: str, *, since_us: int, limit: int) -> list[Move]:
    """The latest ways of a session's slots since then, oldest first."""
    rows = connection.execute(
        select(*(slot_moves.c[f] for f in Move.__struct_fields__))
        .where(slot_moves.c.session_id == session_id, slot_moves.c.at_us >= since_us)
        .order_by(slot_moves.c.at_us.desc(), slot_moves.c.id.desc())
        .limit(limit)
    )
    return [Move(**row) for row in rows.mappings()][::-1]


def rest(connection: Connection, rests: Sequence[Rest]) -> None:
    """Let slots rest."""
    batch.insert_structs(connection, slot_rests, rests)


def due_rests(connection: Connection, *, now_us: int, limit: int) -> list[Rest]:
    """Resting slots for which chance is to be asked, in the order of their sessions."""
    rows = connection.execute(
        select(*(slot_rests.c[f] for f in Rest.__struct_fields__))
        .where(slot_rests.c.next_look_us <= now_us)
        .order_by(slot_rests.c.next_look_us, slot_rests.c.slot_id)
        .limit(limit)
    )
    return [Rest(**row) for row in rows.mappings()]


def resting_in(connection: Connection, session_id: str) -> list[str]:
    """Ids of the slots of a session that rest."""
    return list(connection.execute(select(slot_rests.c.slot_id).where(slot_rests.c.session_id == session_id)).scalars())


def lock_rests(connection: Connection, slot_ids: Iterable[str]) -> list[Rest]:
    """Those of these slots that still rest, kept still until the unit of work ends."""
    rows = connection.execute(
        select(*(slot_rests.c[f] for f in Rest.__struct_fields__))
        .where(slot_rests.c.slot_id.in_(list(slot_ids)))
        .order_by(slot_rests.c.slot_id)
        .with_for_update()
    )
    return [Rest(**row) for row in rows.mappings()]


def look_again(connection: Connection, rests: Sequence[Rest]) -> None:
    """Chance was asked for these; write down how far, and when next."""
    if rests:
        batch.run(connection, _sql(connection.dialect.name).look_again, {"rows": batch.encode(rests)})


def end_rests(connection: Connection, slot_ids: Sequence[str]) -> None:
    """These slots rest no more."""
    if slot_ids:
        connection.execute(delete(slot_rests).where(slot_rests.c.slot_id.in_(list(slot_ids))))


def due_revisits(connection: Connection, *, now_us: int, limit: int) -> list[str]:
    """Sessions whose reserved slots are to be looked at again."""
    rows = connection.execute(
        select(sessions.c.id)
        .where(sessions.c.revisit_at_us.is_not(None), sessions.c.revisit_at_us <= now_us)
        .order_by(sessions.c.revisit_at_us, sessions.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


def revisit(connection: Connection, session_id: str, *, at_us: int | None) -> None:
    """Look at a session's reserved slots again then."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(revisit_at_us=at_us))


class _Statements:
    """The statements of batches, worded once for one kind of database."""

    def __init__(self, dialect: str) -> None:
        ids = batch.values(dialect, "ids")
        wanted = batch.records(dialect, "wanted", {"session_id": "text", "wanted": "bigint"}, "q")
        first = batch.first_of(
            dialect,
            "waits",
            "w",
            where="f.session_id = q.session_id AND f.state = 'waiting'",
            order="f.drawn_at_us, f.place",
            column="q.wanted",
            bind="most",
        )
        columns = ", ".join(f"w.{name}" for name in Wait.__struct_fields__)
        self.next_waits = text(
            f"SELECT {columns} FROM {wanted} {first} ORDER BY w.session_id, w.drawn_at_us, w.place, w.id"
        )
        self.still_waiting = text(f"SELECT id FROM waits WHERE state = 'waiting' AND id IN {ids}")
        self.anyone = text(
            f"""
            SELECT s.id, 'ranked' FROM sessions s WHERE s.id IN {ids}
              AND EXISTS (SELECT 1 FROM waits w WHERE w.session_id = s.id AND w.state = 'waiting')
            UNION ALL
            SELECT t.session_id, 'unranked' FROM draw_targets t JOIN draws d ON d.id = t.draw_id
            WHERE t.session_id IN {ids} AND d.state IN ('open', 'sealed')
              AND EXISTS (SELECT 1 FROM draw_entries e WHERE e.draw_id = d.id AND e.state = 'entered')
            """
        )
        self.on_site = text(
            f"SELECT DISTINCT slot_id FROM slot_moves WHERE why = 'returned_on_site' AND slot_id IN {ids}"
        )
        looked = batch.records(
            dialect, "rows", {"slot_id": "text", "looked_step": "bigint", "next_look_us": "bigint"}, "r"
        )
        self.look_again = text(
            f"""
            UPDATE slot_rests SET looked_step = r.looked_step, next_look_us = r.next_look_us
            FROM {looked} WHERE slot_rests.slot_id = r.slot_id
            """
        )
        self.members = text(
            f"SELECT patient_id, session_id FROM wait_members WHERE ended_at_us = 0 AND patient_id IN {ids}"
        )
        rows = batch.records(
            dialect, "rows", {"id": "text", "state": "text", "reserved_for": "text", "booking_id": "text"}, "r"
        )
        self.set_slots = text(
            f"""
            UPDATE slots SET state = r.state, reserved_for = r.reserved_for, booking_id = r.booking_id
            FROM {rows} WHERE slots.id = r.id
            """
        )
        self.slots = text(
            f"""
            SELECT id, session_id, number, starts_at_us, ends_at_us, reserved_for FROM slots WHERE id IN {ids}
            ORDER BY session_id, number
            """
        )


@lru_cache(maxsize=2)
def _sql(dialect: str) -> _Statements:
    return _Statements(dialect)
