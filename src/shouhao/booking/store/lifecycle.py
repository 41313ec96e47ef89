"""What happens to a booking after it is made: found, returned, checked in, expired, missed; its money is payments.py.

Each function works under the caller's unit of work. `lock_booking` takes the locks in the house's order: the
patient was locked by the flow, then session, then booking and slot.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from shouhao.booking.limits import Penalty
from shouhao.booking.model import Booking, BookingState, BookingUnknown
from shouhao.booking.tables import bookings, restrictions, sessions, slots
from shouhao.kernel.ids import new_id

_FIELDS = Booking.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A booking with the place it is for."""

    booking: Booking
    number: int
    ends_at_us: int
    extra: bool
    session_ends_at_us: int
    doctor_id: str | None


def _placed() -> Select[Any]:
    return (
        select(
            *(bookings.c[name] for name in _FIELDS),
            slots.c.number,
            slots.c.ends_at_us.label("slot_ends_at_us"),
            slots.c.extra,
            sessions.c.ends_at_us.label("session_ends_at_us"),
            sessions.c.doctor_id,
        )
        .join(slots, slots.c.id == bookings.c.slot_id)
        .join(sessions, sessions.c.id == bookings.c.session_id)
    )


def _read(row: Row[Any]) -> Placed:
    return Placed(
        booking=Booking(**{name: getattr(row, name) for name in _FIELDS}),
        number=row.number,
        ends_at_us=row.slot_ends_at_us,
        extra=row.extra,
        session_ends_at_us=row.session_ends_at_us,
        doctor_id=row.doctor_id,
    )


def find_booking(connection: Connection, booking_id: str) -> Placed:
    """A booking as it stands.

    Raises:
        BookingUnknown: there is none with this id.
    """
    row = connection.execute(_placed().where(bookings.c.id == booking_id)).one_or_none()
    if row is None:
        raise BookingUnknown("booking_id")
    return _read(row)


def lock_booking(connection: Connection, booking_id: str) -> Placed:
    """A booking as it stands now and until the unit of work ends, with its session.

    Raises:
        BookingUnknown: there is none with this id.
    """
    session_id = find_booking(connection, booking_id).booking.session_id
    connection.execute(select(sessions.c.id).where(sessions.c.id == session_id).with_for_update(key_share=True)).all()
    connection.execute(select(bookings.c.id).where(bookings.c.id == booking_id).with_for_update()).all()
    return find_booking(connection, booking_id)


def bookings_of(
    connection: Connection, patient_ids: Iterable[str], *, account_id: str | None, limit: int
) -> list[Placed]:
    """What these patients booked, newest first; all of it that is live, and what this account ended."""
    query = _placed().where(bookings.c.patient_id.in_(list(patient_ids)))
    if account_id is not None:
        query = query.where((bookings.c.account_id == account_id) | bookings.c.live)
    rows = connection.execute(query.order_by(bookings.c.created_at_us.desc(), bookings.c.id.desc()).limit(limit))
    return [_read(row) for row in rows]


def set_state(connection: Connection, booking_ids: Sequence[str], state: BookingState, *, ended_at_us: int = 0) -> None:
    """Move locked bookings to a state; one that is not live has an end."""
    live = state in {"offered", "held", "booked", "checked_in"}
    connection.execute(
        update(bookings).where(bookings.c.id.in_(booking_ids)).values(state=state, live=live, ended_at_us=ended_at_us)
    )


def withdraw_slots(connection: Connection, booking_ids: Sequence[str]) -> None:
    """The slots that these bookings held are given out no more: their session is over."""
    connection.execute(
        update(slots)
        .where(slots.c.booking_id.in_(booking_ids))
        .values(state="withdrawn", reserved_for=None, booking_id=None)
    )


def extend_hold(connection: Connection, booking_id: str, *, until_us: int) -> None:
    """Let a held slot wait longer for its payment."""
    connection.execute(update(bookings).where(bookings.c.id == booking_id).values(hold_expires_at_us=until_us))


def hold_until(connection: Connection, booking_ids: Sequence[str], *, created_at_us: int, until_us: int) -> None:
    """Accepted offers wait for their payment as if they had been booked at that moment."""
    connection.execute(
        update(bookings)
        .where(bookings.c.id.in_(booking_ids))
        .values(created_at_us=created_at_us, hold_expires_at_us=until_us)
    )


def due_holds(connection: Connection, *, now_us: int, limit: int) -> list[str]:
    """Bookings whose time to accept or to pay is over, oldest first, with everybody they were made together with."""
    due: list[str] = []
    parties: set[str] = set()
    for state in ("held", "offered"):  # each has an index of its own
        rows = connection.execute(
            select(bookings.c.id, bookings.c.party_id)
            .where(bookings.c.state == state, bookings.c.hold_expires_at_us <= now_us)
            .order_by(bookings.c.hold_expires_at_us)
            .limit(limit)
        )
        for row in rows:
            due.append(row.id)
            if row.party_id is not None:
                parties.add(row.party_id)
    return sorted({*due, *unsettled_of_parties(connection, parties)})


def unsettled_of_parties(connection: Connection, party_ids: Iterable[str]) -> list[str]:
    """The bookings of these parties that are not paid for yet: they live or die together."""
    ids = list(party_ids)
    if not ids:
        return []
    together = bookings.c.party_id.in_(ids) & bookings.c.state.in_(["offered", "held"])
    return list(connection.execute(select(bookings.c.id).where(together)).scalars())


def find_bookings(connection: Connection, ids: Iterable[str]) -> dict[str, Placed]:
    """Bookings as they stand, those that exist."""
    rows = connection.execute(_placed().where(bookings.c.id.in_(list(ids))))
    return {row.id: _read(row) for row in rows}


def lock_bookings(connection: Connection, ids: Sequence[str], *, states: Sequence[BookingState]) -> list[Placed]:
    """Those of these bookings that are in such a state now and until the unit of work ends, with their sessions.

    The caller has locked their patients.
    """
    in_sessions = select(bookings.c.session_id).where(bookings.c.id.in_(ids))
    connection.execute(
        select(sessions.c.id)
        .where(sessions.c.id.in_(in_sessions))
        .order_by(sessions.c.id)
        .with_for_update(key_share=True)
    ).all()
    still = bookings.c.id.in_(ids) & bookings.c.state.in_(states)
    connection.execute(select(bookings.c.id).where(still).order_by(bookings.c.id).with_for_update()).all()
    return [_read(row) for row in connection.execute(_placed().where(still).order_by(bookings.c.id))]


def ended_sessions(connection: Connection, *, ended_before_us: int, limit: int) -> list[str]:
    """Ids of released sessions that were over by then."""
    rows = connection.execute(
        select(sessions.c.id)
        .where(sessions.c.state == "released", sessions.c.ends_at_us <= ended_before_us)
        .order_by(sessions.c.ends_at_us, sessions.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


def unattended_in(connection: Connection, session_id: str) -> list[tuple[str, str]]:
    """Booking and patient ids of a session that are offered, held or booked and not checked in."""
    rows = connection.execute(
        select(bookings.c.id, bookings.c.patient_id)
        .join(slots, slots.c.booking_id == bookings.c.id)
        .where(slots.c.session_id == session_id, bookings.c.state.in_(["offered", "held", "booked"]))
        .order_by(bookings.c.id)
    )
    return [(row.id, row.patient_id) for row in rows]


def count_marks(connection: Connection, patient_ids: Iterable[str], reason: str, *, since_us: int) -> Counter[str]:
    """How often this happened to each of them since then."""
    rows = connection.execute(
        select(restrictions.c.patient_id, func.count())
        .where(
            restrictions.c.patient_id.in_(list(patient_ids)),
            restrictions.c.reason == reason,
            restrictions.c.starts_at_us >= since_us,
        )
        .group_by(restrictions.c.patient_id)
    )
    return Counter({row[0]: row[1] for row in rows})


def restrict(connection: Connection, given: Sequence[tuple[Booking, Penalty]], *, now_us: int) -> None:
    """Write penalties down, each with the booking it is for."""
    if given:
        connection.execute(
            insert(restrictions),
            [
                {
                    "id": new_id("rs"),
                    "patient_id": booking.patient_id,
                    "reason": p.reason,
                    "department_id": p.department_id,
                    "booking_id": booking.id,
                    "starts_at_us": now_us,
                    "ends_at_us": p.ends_at_us,
                }
                for booking, p in given
            ],
        )
