"""What happens to a booking after it is made: found, returned, checked in, expired, missed; its money is payments.py.

Each function works under the caller's unit of work. `lock_booking` takes the locks in the house's order: the
patient was locked by the flow, then session, then booking and slot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, insert, select, update

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
    session_ends_at_us: int
    doctor_id: str | None


def _placed() -> Select[Any]:
    return (
        select(
            *(bookings.c[name] for name in _FIELDS),
            slots.c.number,
            slots.c.ends_at_us.label("slot_ends_at_us"),
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
    live = state in {"held", "booked", "checked_in"}
    connection.execute(
        update(bookings).where(bookings.c.id.in_(booking_ids)).values(state=state, live=live, ended_at_us=ended_at_us)
    )


def free_slots(connection: Connection, booking_ids: Sequence[str], *, to_state: str = "free") -> None:
    """Let go of the slots these bookings held.

    An extra slot was added for one patient: whatever the others become, it is withdrawn. Were it free, a friend of
    somebody inside could return it to the public at a moment that only the buyer knows.
    """
    after = case((slots.c.extra, "withdrawn"), else_=to_state)
    connection.execute(update(slots).where(slots.c.booking_id.in_(booking_ids)).values(state=after, booking_id=None))


def extend_hold(connection: Connection, booking_id: str, *, until_us: int) -> None:
    """Let a held slot wait longer for its payment."""
    connection.execute(update(bookings).where(bookings.c.id == booking_id).values(hold_expires_at_us=until_us))


def due_holds(connection: Connection, *, now_us: int, limit: int) -> list[tuple[str, str]]:
    """Booking and patient ids whose time to pay is over, oldest first."""
    rows = connection.execute(
        select(bookings.c.id, bookings.c.patient_id)
        .where(bookings.c.state == "held", bookings.c.hold_expires_at_us <= now_us)
        .order_by(bookings.c.hold_expires_at_us)
        .limit(limit)
    )
    return [(row.id, row.patient_id) for row in rows]


def lock_bookings(connection: Connection, ids: Sequence[str], *, state: BookingState) -> list[Placed]:
    """Those of these bookings that are in this state now and until the unit of work ends, with their sessions.

    The caller has locked their patients.
    """
    in_sessions = select(bookings.c.session_id).where(bookings.c.id.in_(ids))
    connection.execute(
        select(sessions.c.id)
        .where(sessions.c.id.in_(in_sessions))
        .order_by(sessions.c.id)
        .with_for_update(key_share=True)
    ).all()
    still = bookings.c.id.in_(ids) & (bookings.c.state == state)
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
    """Booking and patient ids of a session that are held or booked and not checked in."""
    rows = connection.execute(
        select(bookings.c.id, bookings.c.patient_id)
        .join(slots, slots.c.booking_id == bookings.c.id)
        .where(slots.c.session_id == session_id, bookings.c.state.in_(["held", "booked"]))
        .order_by(bookings.c.id)
    )
    return [(row.id, row.patient_id) for row in rows]


def count_marks(connection: Connection, patient_id: str, reason: str, *, since_us: int) -> int:
    """How often this happened since then."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(restrictions)
            .where(
                restrictions.c.patient_id == patient_id,
                restrictions.c.reason == reason,
                restrictions.c.starts_at_us >= since_us,
            )
        ).scalar_one()
    )


def restrict(
    connection: Connection, patient_id: str, penalties: Sequence[Penalty], *, booking_id: str, now_us: int
) -> None:
    """Write penalties down."""
    if penalties:
        connection.execute(
            insert(restrictions),
            [
                {
                    "id": new_id("rs"),
                    "patient_id": patient_id,
                    "reason": p.reason,
                    "department_id": p.department_id,
                    "booking_id": booking_id,
                    "starts_at_us": now_us,
                    "ends_at_us": p.ends_at_us,
                }
                for p in penalties
            ],
        )
