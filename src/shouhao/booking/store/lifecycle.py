"""What happens to a booking after it is made: found, paid, returned, checked in, expired, missed.

Each function works under the caller's unit of work. `lock_booking` takes the locks in the house's order: the
patient was locked by the flow, then session, then booking and slot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from shouhao.booking.limits import Penalty
from shouhao.booking.model import Booking, BookingState, BookingUnknown
from shouhao.booking.tables import bookings, payments, restrictions, sessions, slots
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is owed or was paid for one booking."""

    id: str
    booking_id: str
    amount_cents: int
    state: str
    gateway: str
    gateway_ref: str | None


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


def set_state(
    connection: Connection, booking_ids: Sequence[str], state: BookingState, *, ended_at_us: int = 0
) -> None:
    """Move locked bookings to a state; one that is not live has an end."""
    live = state in {"held", "booked", "checked_in"}
    connection.execute(
        update(bookings).where(bookings.c.id.in_(booking_ids)).values(state=state, live=live, ended_at_us=ended_at_us)
    )


def free_slots(connection: Connection, booking_ids: Sequence[str], *, to_state: str = "free") -> None:
    """Let go of the slots these bookings held."""
    connection.execute(update(slots).where(slots.c.booking_id.in_(booking_ids)).values(state=to_state, booking_id=None))


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


def find_payment(
    connection: Connection, *, booking_id: str | None = None, payment_id: str | None = None
) -> Payment | None:
    """The payment of a booking, or by its own id."""
    wanted = payments.c.booking_id == booking_id if booking_id is not None else payments.c.id == payment_id
    row = connection.execute(select(payments).where(wanted)).one_or_none()
    if row is None:
        return None
    return Payment(**{name: getattr(row, name) for name in Payment.__dataclass_fields__})


def open_payment(connection: Connection, *, booking: Booking, gateway: str, now_us: int) -> Payment:
    """The one payment of a locked booking, made when there is none yet."""
    found = find_payment(connection, booking_id=booking.id)
    if found is not None:
        return found
    made = Payment(
        id=new_id("pm"),
        booking_id=booking.id,
        amount_cents=booking.fee_cents,
        state="open",
        gateway=gateway,
        gateway_ref=None,
    )
    connection.execute(
        insert(payments).values(
            id=made.id,
            booking_id=made.booking_id,
            amount_cents=made.amount_cents,
            state=made.state,
            gateway=made.gateway,
            created_at_us=now_us,
        )
    )
    return made


def mark_paid(
    connection: Connection, payment_id: str, *, gateway_ref: str, payer_id: str | None, paid_at_us: int, state: str
) -> None:
    """Record money received; `state` is `paid`, or `refund_due` when the slot is gone."""
    connection.execute(
        update(payments)
        .where(payments.c.id == payment_id)
        .values(
            state=state,
            gateway_ref=gateway_ref,
            payer_id=payer_id,
            paid_at_us=paid_at_us,
            refund_next_at_us=paid_at_us if state == "refund_due" else None,
        )
    )


def owe_refund(connection: Connection, booking_id: str, *, now_us: int) -> bool:
    """Owe back what was paid for a booking; whether there was anything."""
    changed = connection.execute(
        update(payments)
        .where(payments.c.booking_id == booking_id, payments.c.state == "paid")
        .values(state="refund_due", refund_next_at_us=now_us)
    )
    return changed.rowcount == 1


def due_refunds(connection: Connection, *, now_us: int, limit: int) -> list[tuple[Payment, int]]:
    """Refunds to ask the gateway for now, with how often that was tried."""
    rows = connection.execute(
        select(payments)
        .where(payments.c.state == "refund_due", payments.c.refund_next_at_us <= now_us)
        .order_by(payments.c.refund_next_at_us)
        .limit(limit)
    )
    return [
        (Payment(**{name: getattr(row, name) for name in Payment.__dataclass_fields__}), row.refund_attempts)
        for row in rows
    ]


def mark_refunded(connection: Connection, payment_id: str, *, now_us: int) -> bool:
    """The money went back; whether this was news."""
    changed = connection.execute(
        update(payments)
        .where(payments.c.id == payment_id, payments.c.state == "refund_due")
        .values(state="refunded", refunded_at_us=now_us, refund_next_at_us=None)
    )
    return changed.rowcount == 1


def postpone_refund(connection: Connection, payment_id: str, *, next_at_us: int) -> None:
    """The gateway was away; ask again later."""
    connection.execute(
        update(payments)
        .where(payments.c.id == payment_id)
        .values(refund_attempts=payments.c.refund_attempts + 1, refund_next_at_us=next_at_us)
    )


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
