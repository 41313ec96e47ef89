"""What the desk reads and writes for a batch of entries, into draws and onto waitlists.

Locks: the people (by the flow, first), the sessions of waitlists, the draws. A draw stays locked until the commit, so
that none enters while it is being sealed.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, TextClause, delete, insert, select, text, update

from shouhao.booking.draw_tables import draw_entries, draw_members, draw_targets, draws
from shouhao.booking.entering import Entered, EntryView, OpenDraw, Standing
from shouhao.booking.model import EntryRequest, OpenSession
from shouhao.booking.release.policy import InForce
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store.release_policies import policies_of_sessions, policy_of_text, policy_text
from shouhao.booking.tables import sessions
from shouhao.booking.waitlist import batch_closes_at_us, joins_until_us
from shouhao.kernel.ids import new_id
from shouhao.store import batch

_SALT_BYTES = 16
_encode = msgspec.json.Encoder().encode


class _EntryRow(msgspec.Struct):
    id: str
    draw_id: str
    account_id: str | None
    channel: str
    people: str
    wishes: str
    state: str
    entered_at_us: int


class _MemberRow(msgspec.Struct):
    draw_id: str
    patient_id: str
    entry_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An entry as it is stored."""

    id: str
    draw_id: str
    account_id: str | None
    channel: str
    people: tuple[str, ...]
    wishes: tuple[str, ...]
    state: str
    left_out: str | None
    place: int | None
    session_id: str | None
    entered_at_us: int


def look(
    connection: Connection, requests: Sequence[EntryRequest], twins: Mapping[str, set[str]], *, now_us: int
) -> EntryView:
    """Everything that deciding these entries depends on, with sessions and draws locked.

    A session that may be waited for and has no open batch is given one in the view; it is written down with the first
    entry that is taken (`write_entries`).
    """
    people = {person for r in requests for person in r.patient_ids}
    asked = {r.session_id for r in requests if r.session_id is not None}
    locked = desk_store.lock_sessions(connection, asked)
    starts, rules = _starts_and_policies(connection, locked)
    batch_of = _open_batches(connection, locked, now_us=now_us)
    named = {r.draw_id for r in requests if r.draw_id is not None}
    open_draws = lock_draws(connection, named | set(batch_of.values()))
    fresh = _fresh_batches(locked, starts, rules, batch_of, now_us=now_us)
    open_draws.update({draw.id: draw for draw, _ in fresh.values()})
    batch_of.update({session_id: draw.id for session_id, (draw, _) in fresh.items()})
    everyone = people | {twin for others in twins.values() for twin in others}
    held, restrictions = desk_store.against(connection, people, now_us=now_us)
    return EntryView(
        draws=open_draws,
        batch_of=batch_of,
        fresh={draw.id: ruled_by for draw, ruled_by in fresh.values()},
        sessions=locked,
        starts_at_us=starts,
        waitlists={session_id: found.policy.waitlist for session_id, found in rules.items()},
        free=_free(connection, locked),
        standing=_standing(connection, set(open_draws), everyone),
        twins=twins,
        waiting=_waiting(connection, everyone, set(batch_of.values())) if asked else {},
        joined=_joined(connection, everyone, set(batch_of.values())) if asked else {},
        held=held,
        restrictions=restrictions,
    )


def lock_draws(connection: Connection, ids: Iterable[str]) -> dict[str, OpenDraw]:
    """The draws that exist among these, locked in the order of their ids, with their sessions."""
    wanted = sorted(ids)
    if not wanted:
        return {}
    found = batch.rows(connection, _sql(connection.dialect.name).draws, {"ids": batch.encode(wanted)})
    targets = _targets(connection, wanted)
    return {
        row[0]: OpenDraw(
            id=row[0],
            kind=row[1],
            state=row[2],
            opens_at_us=row[3],
            closes_at_us=row[4],
            salt=row[5],
            rules=policy_of_text(row[6]).policy.draw,
            department_id=row[7],
            targets=targets.get(row[0], {}),
        )
        for row in found
    }


def write_entries(
    connection: Connection,
    entered: Sequence[tuple[EntryRequest, Entered]],
    fresh: Mapping[str, InForce],
    *,
    now_us: int,
) -> None:
    """Write entries down, and the batches that they are the first of. Who left and comes again has their old row.

    Args:
        fresh: `EntryView.fresh`.
    """
    for draw in {e.draw.id: e.draw for _, e in entered if e.draw.id in fresh}.values():
        _insert_draw(connection, draw, fresh[draw.id], seats=dict.fromkeys(draw.targets, 0))
    latest = {e.id: (r, e) for r, e in entered}  # in one batch the last wishes count
    known = [e.id for _, e in latest.values()]
    if not known:
        return
    connection.execute(delete(draw_entries).where(draw_entries.c.id.in_(known)))
    connection.execute(delete(draw_members).where(draw_members.c.entry_id.in_(known)))
    batch.insert_structs(
        connection,
        draw_entries,
        [
            _EntryRow(
                id=e.id,
                draw_id=e.draw.id,
                account_id=r.account_id,
                channel=r.channel,
                people=_encode(e.people).decode(),
                wishes=_encode(e.wishes).decode(),
                state="entered",
                entered_at_us=now_us,
            )
            for r, e in latest.values()
        ],
    )
    members = [_MemberRow(e.draw.id, person, e.id) for _, e in latest.values() for person in e.people]
    batch.insert_structs(connection, draw_members, members)


def find_entry(connection: Connection, entry_id: str) -> Known | None:
    """An entry by its id."""
    row = connection.execute(select(draw_entries).where(draw_entries.c.id == entry_id)).one_or_none()
    return None if row is None else known_entry(row)


def entries_of(connection: Connection, patient_ids: Iterable[str], *, limit: int) -> list[Known]:
    """The entries in which these people stand, newest first."""
    mine = select(draw_members.c.entry_id).where(draw_members.c.patient_id.in_(list(patient_ids)))
    query = select(draw_entries).where(draw_entries.c.id.in_(mine))
    rows = connection.execute(query.order_by(draw_entries.c.entered_at_us.desc(), draw_entries.c.id).limit(limit))
    return [known_entry(row) for row in rows]


def withdraw_entry(connection: Connection, entry: Known) -> None:
    """Take an entry out of its locked, open draw; the row stays, its people may enter again."""
    connection.execute(update(draw_entries).where(draw_entries.c.id == entry.id).values(state="withdrawn"))
    connection.execute(delete(draw_members).where(draw_members.c.entry_id == entry.id))


def known_entry(row: Any) -> Known:
    """An entry from its row."""
    return Known(
        id=row.id,
        draw_id=row.draw_id,
        account_id=row.account_id,
        channel=row.channel,
        people=tuple(msgspec.json.decode(row.people)),
        wishes=tuple(msgspec.json.decode(row.wishes)),
        state=row.state,
        left_out=row.left_out,
        place=row.place,
        session_id=row.session_id,
        entered_at_us=row.entered_at_us,
    )


def new_draw(
    connection: Connection,
    *,
    kind: str,
    department_id: str,
    ruled_by: InForce,
    opens_at_us: int,
    closes_at_us: int,
    seats: Mapping[str, int],
    hot: bool,
) -> str:
    """Open a draw over locked sessions and return its id; its commitment is published by whoever has the key."""
    draw = OpenDraw(
        id=new_id("dw"),
        kind=kind,
        state="open",
        opens_at_us=opens_at_us,
        closes_at_us=closes_at_us,
        salt=secrets.token_hex(_SALT_BYTES),
        rules=ruled_by.policy.draw,
        department_id=department_id,
        targets={},
        hot=hot,
    )
    _insert_draw(connection, draw, ruled_by, seats=seats)
    return draw.id


def _insert_draw(connection: Connection, draw: OpenDraw, ruled_by: InForce, *, seats: Mapping[str, int]) -> None:
    connection.execute(
        insert(draws).values(
            id=draw.id,
            kind=draw.kind,
            department_id=draw.department_id,
            scope=ruled_by.scope,
            policy_version=ruled_by.version,
            policy=policy_text(ruled_by),
            state=draw.state,
            opens_at_us=draw.opens_at_us,
            closes_at_us=draw.closes_at_us,
            salt=draw.salt,
            hot=draw.hot,
        )
    )
    rows = [{"draw_id": draw.id, "session_id": session_id, "seats": n} for session_id, n in sorted(seats.items())]
    batch.insert(connection, draw_targets, ("draw_id", "session_id", "seats"), rows)


def _starts_and_policies(
    connection: Connection, locked: Mapping[str, OpenSession]
) -> tuple[dict[str, int], dict[str, InForce]]:
    if not locked:
        return {}, {}
    rows = connection.execute(select(sessions.c.id, sessions.c.starts_at_us).where(sessions.c.id.in_(list(locked))))
    return {row.id: row.starts_at_us for row in rows}, policies_of_sessions(connection, list(locked))


def _open_batches(connection: Connection, locked: Mapping[str, OpenSession], *, now_us: int) -> dict[str, str]:
    """The open batch of each of these locked sessions that has one."""
    if not locked:
        return {}
    rows = connection.execute(
        select(draw_targets.c.session_id, draws.c.id)
        .join(draws, draws.c.id == draw_targets.c.draw_id)
        .where(
            draw_targets.c.session_id.in_(list(locked)),
            draws.c.kind == "waitlist",
            draws.c.state == "open",
            draws.c.closes_at_us > now_us,
        )
    )
    return {row.session_id: row.id for row in rows}


def _fresh_batches(
    locked: Mapping[str, OpenSession],
    starts: Mapping[str, int],
    rules: Mapping[str, InForce],
    batch_of: Mapping[str, str],
    *,
    now_us: int,
) -> dict[str, tuple[OpenDraw, InForce]]:
    """A batch that opens now for each session that has none and may be waited for; nothing of it is written yet."""
    found = {}
    for session_id, session in sorted(locked.items()):
        ruled_by = rules[session_id]
        waitlist, starts_at_us = ruled_by.policy.waitlist, starts[session_id]
        late = now_us >= joins_until_us(session_starts_at_us=starts_at_us, rules=waitlist)
        if session_id in batch_of or session.state != "released" or not waitlist.open or late:
            continue
        closes_at_us = batch_closes_at_us(opened_at_us=now_us, session_starts_at_us=starts_at_us, rules=waitlist)
        draw = OpenDraw(
            id=new_id("dw"),
            kind="waitlist",
            state="open",
            opens_at_us=now_us,
            closes_at_us=closes_at_us,
            salt=secrets.token_hex(_SALT_BYTES),
            rules=ruled_by.policy.draw,
            department_id=session.department_id,
            targets={session_id: session},
            hot=session.hot,
        )
        found[session_id] = (draw, ruled_by)
    return found


def _targets(connection: Connection, draw_ids: Sequence[str]) -> dict[str, dict[str, OpenSession]]:
    found: dict[str, dict[str, OpenSession]] = defaultdict(dict)
    for row in batch.rows(connection, _sql(connection.dialect.name).targets, {"ids": batch.encode(draw_ids)}):
        found[row[0]][row[1]] = desk_store.open_session(row[1:])
    return found


def _free(connection: Connection, locked: Mapping[str, OpenSession]) -> dict[str, int]:
    if not locked:
        return {}
    ids = {"ids": batch.encode(list(locked))}
    return dict(batch.rows(connection, _sql(connection.dialect.name).free, ids))


def _standing(connection: Connection, draw_ids: set[str], people: set[str]) -> dict[tuple[str, str], Standing]:
    if not draw_ids or not people:
        return {}
    asked = {"ids": batch.encode(sorted(people)), "draws": batch.encode(sorted(draw_ids))}
    return {
        (draw_id, patient_id): Standing(id=entry_id, people=tuple(msgspec.json.decode(named)), account_id=account_id)
        for draw_id, patient_id, entry_id, named, account_id in batch.rows(
            connection, _sql(connection.dialect.name).standing, asked
        )
    }


def _waiting(connection: Connection, people: set[str], open_batches: set[str]) -> dict[str, set[str]]:
    """Sessions for which these people have a place, or stand in a batch that takes no more entries."""
    found = _sessions_by_person(connection, _sql(connection.dialect.name).waiting, people)
    for person, draw_id, session_id in _batches_of(connection, people):
        if draw_id not in open_batches:
            found[person].add(session_id)
    return found


def _joined(connection: Connection, people: set[str], open_batches: set[str]) -> dict[str, set[str]]:
    """Sessions whose open batch these people have joined."""
    found: dict[str, set[str]] = defaultdict(set)
    for person, draw_id, session_id in _batches_of(connection, people):
        if draw_id in open_batches:
            found[person].add(session_id)
    return found


def _batches_of(connection: Connection, people: set[str]) -> list[tuple[str, str, str]]:
    ids = {"ids": batch.encode(sorted(people))}
    return [(row[0], row[1], row[2]) for row in batch.rows(connection, _sql(connection.dialect.name).batches, ids)]


def _sessions_by_person(connection: Connection, statement: TextClause, people: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for patient_id, session_id in batch.rows(connection, statement, {"ids": batch.encode(sorted(people))}):
        found[patient_id].add(session_id)
    return found


class _Statements:
    """The batch's statements, worded once for one kind of database."""

    def __init__(self, dialect: str) -> None:
        ids, which = batch.values(dialect, "ids"), batch.values(dialect, "draws")
        self.draws = text(
            f"""
            SELECT d.id, d.kind, d.state, d.opens_at_us, d.closes_at_us, d.salt, d.policy, d.department_id
            FROM draws d WHERE d.id IN {ids} ORDER BY d.id
            """
            + batch.locked(dialect, of="d")
        )
        self.targets = text(
            f"""
            SELECT t.draw_id, s.id, s.department_id, s.doctor_id, s.day, s.state, s.fee_cents, s.ends_at_us,
                   s.released_at_us, s.hot
            FROM draw_targets t JOIN sessions s ON s.id = t.session_id WHERE t.draw_id IN {ids}
            """
        )
        self.free = text(
            f"""
            SELECT session_id, count(*) FROM slots
            WHERE session_id IN {ids} AND (state = 'free' OR reserved_for = 'draw') GROUP BY session_id
            """
        )
        self.standing = text(
            f"""
            SELECT m.draw_id, m.patient_id, e.id, e.people, e.account_id
            FROM draw_members m JOIN draw_entries e ON e.id = m.entry_id
            WHERE m.patient_id IN {ids} AND m.draw_id IN {which}
            """
        )
        self.batches = text(
            f"""
            SELECT m.patient_id, d.id, t.session_id FROM draw_members m
            JOIN draws d ON d.id = m.draw_id AND d.kind = 'waitlist' AND d.state IN ('open', 'sealed')
            JOIN draw_targets t ON t.draw_id = d.id
            WHERE m.patient_id IN {ids}
            """
        )
        self.waiting = text(
            f"""
            SELECT w.patient_id, w.session_id FROM wait_members w WHERE w.patient_id IN {ids} AND w.ended_at_us = 0
            """
        )


@lru_cache(maxsize=2)
def _sql(dialect: str) -> _Statements:
    return _Statements(dialect)
