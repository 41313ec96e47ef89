"""Payments: what is owed, was paid and is owed back for a booking. The caller has locked the booking.

A booking has at most one payment that is open or paid. Others of it are past: superseded at a window, or on their way
back. A second charge of one payment is a row of its own that was never `paid`, so the same duty gives it back.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from shouhao.booking.model import Booking
from shouhao.booking.payment import WINDOW
from shouhao.booking.tables import payments
from shouhao.kernel.ids import new_id

_LIVE = payments.c.state.in_(["open", "paid"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is owed or was paid for one booking."""

    id: str
    booking_id: str
    extra_of: str | None  #: the payment of which this is a second charge
    amount_cents: int
    state: str  #: open, superseded, paid, refund_due, refunded
    gateway: str
    gateway_ref: str | None

    @property
    def asked_as(self) -> str:
        """The id under which the gateway knows it."""
        return self.extra_of or self.id


_FIELDS = tuple(Payment.__dataclass_fields__)


def find_payment(connection: Connection, payment_id: str) -> Payment | None:
    """A payment by its id."""
    row = connection.execute(select(payments).where(payments.c.id == payment_id)).one_or_none()
    return None if row is None else _payment(row)


def live_payment(connection: Connection, booking_id: str) -> Payment | None:
    """The one payment of a booking that is open or paid."""
    row = connection.execute(select(payments).where(payments.c.booking_id == booking_id, _LIVE)).one_or_none()
    return None if row is None else _payment(row)


def open_payment(connection: Connection, *, booking: Booking, gateway: str, now_us: int) -> Payment:
    """The one open payment of a locked booking, made when there is none yet."""
    found = live_payment(connection, booking.id)
    if found is not None:
        return found
    made = Payment(
        id=new_id("pm"),
        booking_id=booking.id,
        extra_of=None,
        amount_cents=booking.fee_cents,
        state="open",
        gateway=gateway,
        gateway_ref=None,
    )
    _insert(connection, made, created_at_us=now_us)
    return made


def supersede_open(connection: Connection, booking_id: str) -> None:
    """What was asked of a gateway is paid in another way; money that still comes for it is owed back."""
    connection.execute(
        update(payments)
        .where(payments.c.booking_id == booking_id, payments.c.state == "open")
        .values(state="superseded")
    )


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


def find_extra_charge(connection: Connection, payment: Payment, *, gateway_ref: str) -> Payment | None:
    """The second charge of a payment that has this reference, if it was recorded."""
    row = connection.execute(
        select(payments).where(payments.c.extra_of == payment.id, payments.c.gateway_ref == gateway_ref)
    ).one_or_none()
    return None if row is None else _payment(row)


def owe_extra_charge(
    connection: Connection, payment: Payment, *, gateway_ref: str, payer_id: str | None, paid_at_us: int, now_us: int
) -> Payment:
    """Record that a payment was charged once more, which is owed back."""
    made = Payment(
        id=new_id("pm"),
        booking_id=payment.booking_id,
        extra_of=payment.id,
        amount_cents=payment.amount_cents,
        state="refund_due",
        gateway=payment.gateway,
        gateway_ref=gateway_ref,
    )
    _insert(
        connection,
        made,
        payer_id=payer_id,
        created_at_us=now_us,
        paid_at_us=paid_at_us,
        refund_next_at_us=now_us,
    )
    return made


def owe_refund(connection: Connection, booking_id: str, *, now_us: int) -> bool:
    """Owe back what was paid for a booking; whether there was anything."""
    changed = connection.execute(
        update(payments)
        .where(payments.c.booking_id == booking_id, payments.c.state == "paid")
        .values(state="refund_due", refund_next_at_us=now_us)
    )
    return changed.rowcount == 1


def due_refunds(connection: Connection, *, gateway: str, now_us: int, limit: int) -> list[tuple[Payment, int]]:
    """Refunds to ask this gateway for now, with how often that was tried; each gateway gives back what it took."""
    rows = connection.execute(
        select(payments)
        .where(
            payments.c.state == "refund_due",
            payments.c.refund_next_at_us <= now_us,
            payments.c.gateway == gateway,
        )
        .order_by(payments.c.refund_next_at_us)
        .limit(limit)
    )
    return [(_payment(row), row.refund_attempts) for row in rows]


def due_at_window(connection: Connection, booking_id: str) -> Payment | None:
    """What was taken at the window for a booking and waits there to be given back."""
    row = connection.execute(
        select(payments).where(
            payments.c.booking_id == booking_id, payments.c.state == "refund_due", payments.c.gateway == WINDOW
        )
    ).one_or_none()
    return None if row is None else _payment(row)


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


def _insert(connection: Connection, payment: Payment, **more: Any) -> None:
    connection.execute(insert(payments).values(**{name: getattr(payment, name) for name in _FIELDS}, **more))


def _payment(row: Row[Any]) -> Payment:
    return Payment(**{name: getattr(row, name) for name in _FIELDS})
