"""What the desk reads and writes for one batch: a handful of statements however many requests it has.

Locks are taken in one order everywhere: patients (by the flow, first), sessions, slots. Sessions stay locked
until the commit, so that two processes never hand out the same number.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, TextClause, text

from shouhao.booking.decide import BatchView, Granted
from shouhao.booking.model import (
    ASSISTED_CHANNELS,
    Booking,
    BookRequest,
    FreeSlot,
    LiveBooking,
    OpenSession,
    Restriction,
)
from shouhao.booking.tables import bookings
from shouhao.store import batch


class SlotMoved(Exception):  # noqa: N818 - not an error: the batch is decided again
    """A slot changed hands although it was locked against that; the batch is undone."""


def look(connection: Connection, requests: Sequence[BookRequest], *, now_us: int) -> BatchView:
    """Everything that deciding this batch depends on, with its sessions locked."""
    sessions = lock_sessions(connection, {r.session_id for r in requests})
    wanted = Counter(r.session_id for r in requests if r.session_id in sessions)
    named = [r.slot_id for r in requests if r.slot_id is not None]
    held, restrictions = against(connection, {r.patient_id for r in requests}, now_us=now_us)
    keeping = {r.session_id for r in requests if r.pool is not None or r.channel in ASSISTED_CHANNELS}
    return BatchView(
        sessions=sessions,
        reserved=_reserved(connection, keeping & set(sessions)) if keeping else {},
        free=_free(connection, wanted, spare=len(named)),
        named=_named(connection, named) if named else {},
        held=held,
        restrictions=restrictions,
    )


def lock_sessions(connection: Connection, ids: Iterable[str]) -> dict[str, OpenSession]:
    """The sessions that exist among these, locked in the order of their ids."""
    found = batch.rows(connection, _sql(connection.dialect.name).sessions, {"ids": batch.encode(sorted(ids))})
    return {row[0]: open_session(row) for row in found}


def open_session(row: Sequence[Any]) -> OpenSession:
    """A session from its columns, in the order of the statement below."""
    return OpenSession(
        id=row[0],
        department_id=row[1],
        doctor_id=row[2],
        day=row[3],
        state=row[4],
        fee_cents=row[5],
        ends_at_us=row[6],
        released_at_us=row[7],
        hot=bool(row[8]),
    )


def take_slots(connection: Connection, granted: Sequence[Granted]) -> None:
    """Let the slots' rows name the bookings they are granted to.

    Raises:
        SlotMoved: a slot was not free any more; nothing may be committed.
    """
    sql = _sql(connection.dialect.name)
    _take(connection, sql.take, [g.booking for g in granted if g.slot.reserved_for is None])
    take_kept(connection, [g.booking for g in granted if g.slot.reserved_for is not None])


def take_kept(connection: Connection, made: Sequence[Booking]) -> None:
    """The same for slots that were kept for somebody, or not released yet.

    Raises:
        SlotMoved: as above.
    """
    _take(connection, _sql(connection.dialect.name).take_reserved, made)


def _take(connection: Connection, statement: TextClause, made: Sequence[Booking]) -> None:
    if not made:
        return
    pairs = [{"id": booking.id, "slot_id": booking.slot_id} for booking in made]
    if batch.run(connection, statement, {"rows": batch.encode(pairs)}) != len(made):
        raise SlotMoved


def add_bookings(connection: Connection, granted: Sequence[Granted]) -> None:
    """Write the bookings down."""
    insert_bookings(connection, [g.booking for g in granted])


def insert_bookings(connection: Connection, made: Sequence[Booking]) -> None:
    """Write bookings down."""
    batch.insert_structs(connection, bookings, made)


def held_by(connection: Connection, patient_id: str) -> list[LiveBooking]:
    """What one locked person holds."""
    held, _ = against(connection, [patient_id], now_us=0)
    return held.get(patient_id, [])


def restrictions_of(connection: Connection, patient_id: str, *, now_us: int) -> list[Restriction]:
    """What keeps one person from booking now."""
    _, restrictions = against(connection, [patient_id], now_us=now_us)
    return restrictions.get(patient_id, [])


def _free(connection: Connection, wanted: Counter[str], *, spare: int) -> dict[str, list[FreeSlot]]:
    if not wanted:
        return {}
    rows = [{"session_id": session, "wanted": count + spare} for session, count in wanted.items()]
    look_for: dict[str, object] = {"wanted": batch.encode(rows)}
    if connection.dialect.name == "sqlite":
        look_for["most"] = max(wanted.values()) + spare
    free: dict[str, list[FreeSlot]] = defaultdict(list)
    for row in batch.rows(connection, _sql(connection.dialect.name).free, look_for):
        free[row[1]].append(_free_slot(row))
    return free


def _reserved(connection: Connection, session_ids: set[str]) -> dict[tuple[str, str], list[FreeSlot]]:
    found: dict[tuple[str, str], list[FreeSlot]] = defaultdict(list)
    ids = {"ids": batch.encode(sorted(session_ids))}
    for row in batch.rows(connection, _sql(connection.dialect.name).reserved, ids):
        slot = FreeSlot(
            id=row[0], session_id=row[1], number=row[2], starts_at_us=row[3], ends_at_us=row[4], reserved_for=row[5]
        )
        found[slot.session_id, row[5]].append(slot)
    return found


def _named(connection: Connection, ids: Sequence[str]) -> dict[str, FreeSlot]:
    found = batch.rows(connection, _sql(connection.dialect.name).named, {"ids": batch.encode(ids)})
    return {row[0]: _free_slot(row) for row in found}


def _free_slot(row: Any) -> FreeSlot:
    return FreeSlot(id=row[0], session_id=row[1], number=row[2], starts_at_us=row[3], ends_at_us=row[4])


def against(
    connection: Connection, patients: Iterable[str], *, now_us: int
) -> tuple[dict[str, list[LiveBooking]], dict[str, list[Restriction]]]:
    """What these people hold, and what keeps them from booking; in one statement, told apart by the session."""
    held: dict[str, list[LiveBooking]] = {}
    restrictions: dict[str, list[Restriction]] = {}
    asked = {"ids": batch.encode(list(patients)), "now_us": now_us}
    for patient_id, session_id, department_id, day, word, ends_at_us in batch.rows(
        connection, _sql(connection.dialect.name).against, asked
    ):
        if session_id is None:
            restrictions.setdefault(patient_id, []).append(Restriction(word, department_id, ends_at_us))
        else:
            booking = LiveBooking(session_id, department_id, day, attended=word == "checked_in")
            held.setdefault(patient_id, []).append(booking)
    return held, restrictions


class _Statements:
    """The batch's statements, worded once for one kind of database."""

    def __init__(self, dialect: str) -> None:
        ids = batch.values(dialect, "ids")
        wanted = batch.records(dialect, "wanted", {"session_id": "text", "wanted": "bigint"}, "w")
        rows = batch.records(dialect, "rows", {"id": "text", "slot_id": "text"}, "r")
        self.sessions = text(
            f"""
            SELECT s.id, s.department_id, s.doctor_id, s.day, s.state, s.fee_cents, s.ends_at_us, s.released_at_us,
                   s.hot
            FROM sessions s WHERE s.id IN {ids} ORDER BY s.id
            """
            + batch.locked(dialect, of="s")
        )
        first_free = batch.first_of(
            dialect,
            "slots",
            "s",
            where="f.session_id = w.session_id AND f.state = 'free'",
            order="f.number",
            column="w.wanted",
            bind="most",
        )
        self.free = text(
            f"""
            SELECT s.id, s.session_id, s.number, s.starts_at_us, s.ends_at_us
            FROM {wanted} {first_free} ORDER BY s.session_id, s.number
            """
        )
        self.named = text(
            f"""
            SELECT id, session_id, number, starts_at_us, ends_at_us
            FROM slots WHERE id IN {ids} AND state = 'free'
            """
        )
        self.reserved = text(
            f"""
            SELECT id, session_id, number, starts_at_us, ends_at_us, reserved_for
            FROM slots WHERE session_id IN {ids} AND reserved_for IN ('window', 'phone', 'referral', 'care')
            ORDER BY session_id, number
            """
        )
        self.against = text(
            f"""
            SELECT patient_id, session_id, department_id, day, state, 0 FROM bookings
            WHERE live AND patient_id IN {ids}
            UNION ALL
            SELECT patient_id, NULL, department_id, NULL, reason, ends_at_us FROM restrictions
            WHERE patient_id IN {ids} AND ends_at_us > :now_us
            """
        )
        self.take = text(
            f"""
            UPDATE slots SET state = 'taken', booking_id = r.id
            FROM {rows} WHERE slots.id = r.slot_id AND slots.state = 'free'
            """
        )
        self.take_reserved = text(
            f"""
            UPDATE slots SET state = 'taken', booking_id = r.id, reserved_for = NULL
            FROM {rows} WHERE slots.id = r.slot_id AND slots.state IN ('reserved', 'planned')
            """
        )


@lru_cache(maxsize=2)
def _sql(dialect: str) -> _Statements:
    return _Statements(dialect)
