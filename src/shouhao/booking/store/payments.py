"""Payments: what is owed, was paid and is owed back for a booking. The caller has locked the booking.

A booking has at most one payment that is open or paid. Others of it are past: superseded, or on their way back. What is
paid in one step is one order: a payment alone, or one for each booking of a party. Its payments are asked for, paid and
superseded together, and given back each by itself. A second charge of an order is a row of its own that was never
`paid`, so the same duty gives it back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from shouhao.booking.model import Booking
from shouhao.booking.payment import WINDOW
from shouhao.booking.tables import payments
from shouhao.kernel.ids import new_id

_LIVE = payments.c.state.in_(["open", "paid"])
_WEIGHT = ("paid", "refund_due", "refunded", "open", "superseded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is owed or was paid for one booking."""

    id: str
    booking_id: str
    extra_of: str | None  #: the order of which this is a second charge
    amount_cents: int
    state: str  #: open, superseded, paid, refund_due, refunded
    gateway: str
    gateway_ref: str | None
    order_id: str | None = None  #: the order in which others are paid with it

    @property
    def asked_as(self) -> str:
        """The id under which the gateway knows it."""
        return self.extra_of or self.order_id or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a gateway was asked for in one step."""

    id: str
    payments: tuple[Payment, ...]  #: never none; in the order of their bookings

    @property
    def booking_ids(self) -> tuple[str, ...]:
        """The bookings it pays."""
        return tuple(payment.booking_id for payment in self.payments)

    @property
    def amount_cents(self) -> int:
        """What they cost together."""
        return sum(payment.amount_cents for payment in self.payments)

    @property
    def state(self) -> str:
        """How it stands: paid as long as one of its payments is kept."""
        return min((payment.state for payment in self.payments), key=_WEIGHT.index)

    @property
    def awaits_money(self) -> bool:
        """Whether no charge of it is known yet; one charge settles all of its payments."""
        return self.state in {"open", "superseded"}

    @property
    def gateway(self) -> str:
        """Who was asked."""
        return self.payments[0].gateway

    @property
    def gateway_ref(self) -> str | None:
        """The charge that settled it."""
        return self.payments[0].gateway_ref


_FIELDS = tuple(Payment.__dataclass_fields__)


def find_order(connection: Connection, order_id: str) -> Order | None:
    """An order by the id that the gateway knows."""
    alone = (payments.c.id == order_id) & payments.c.order_id.is_(None)
    rows = connection.execute(
        select(payments)
        .where((payments.c.order_id == order_id) | alone, payments.c.extra_of.is_(None))
        .order_by(payments.c.booking_id)
    )
    found = tuple(_payment(row) for row in rows)
    return Order(id=order_id, payments=found) if found else None


def live_payment(connection: Connection, booking_id: str) -> Payment | None:
    """The one payment of a booking that is open or paid."""
    row = connection.execute(select(payments).where(payments.c.booking_id == booking_id, _LIVE)).one_or_none()
    return None if row is None else _payment(row)


def open_order(connection: Connection, *, bookings: Iterable[Booking], gateway: str, now_us: int) -> Order:
    """The open order that pays just these locked bookings, made when there is none yet.

    Another open order of any of them is superseded: what it asks for has changed.
    """
    wanted = {booking.id: booking for booking in sorted(bookings, key=lambda booking: booking.id)}
    found = connection.execute(select(payments).where(payments.c.booking_id.in_(wanted), _LIVE))
    known = {payment.asked_as for payment in map(_payment, found)}
    if len(known) == 1:
        order = find_order(connection, known.pop())
        if order is not None and order.booking_ids == tuple(wanted):
            return order
    supersede_open(connection, list(wanted))
    return _make_order(connection, list(wanted.values()), gateway=gateway, now_us=now_us)


def supersede_open(connection: Connection, booking_ids: Sequence[str]) -> None:
    """What was asked of a gateway is paid in another way; money that still comes for it is owed back.

    An order is one charge, so it is superseded whole, with what it asks for other bookings.
    """
    theirs = payments.c.booking_id.in_(booking_ids) & (payments.c.state == "open")
    orders = select(payments.c.order_id).where(theirs, payments.c.order_id.is_not(None))
    connection.execute(
        update(payments)
        .where(payments.c.state == "open", payments.c.booking_id.in_(booking_ids) | payments.c.order_id.in_(orders))
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


def find_extra_charge(connection: Connection, order: Order, *, gateway_ref: str) -> Payment | None:
    """The second charge of an order that has this reference, if it was recorded."""
    row = connection.execute(
        select(payments).where(payments.c.extra_of == order.id, payments.c.gateway_ref == gateway_ref)
    ).one_or_none()
    return None if row is None else _payment(row)


def owe_extra_charge(
    connection: Connection, order: Order, *, gateway_ref: str, payer_id: str | None, paid_at_us: int, now_us: int
) -> Payment:
    """Record that an order was charged once more, all of which is owed back."""
    made = Payment(
        id=new_id("pm"),
        booking_id=order.payments[0].booking_id,
        extra_of=order.id,
        amount_cents=order.amount_cents,
        state="refund_due",
        gateway=order.gateway,
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


def owe_refunds(connection: Connection, booking_ids: Sequence[str], *, now_us: int) -> set[str]:
    """Owe back what was paid for these bookings; those for which there was anything."""
    changed = connection.execute(
        update(payments)
        .where(payments.c.booking_id.in_(booking_ids), payments.c.state == "paid")
        .values(state="refund_due", refund_next_at_us=now_us)
        .returning(payments.c.booking_id)
    )
    return set(changed.scalars())


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


def all_due_at_window(connection: Connection, *, limit: int) -> list[Payment]:
    """What waits at the window to be given back, longest first."""
    rows = connection.execute(
        select(payments)
        .where(payments.c.state == "refund_due", payments.c.gateway == WINDOW)
        .order_by(payments.c.refund_next_at_us, payments.c.id)
        .limit(limit)
    )
    return [_payment(row) for row in rows]


def payments_of(connection: Connection, booking_ids: Iterable[str]) -> dict[str, list[Payment]]:
    """Every payment of these bookings, past ones too, in the order they were made."""
    rows = connection.execute(
        select(payments)
        .where(payments.c.booking_id.in_(list(booking_ids)))
        .order_by(payments.c.created_at_us, payments.c.id)
    )
    found: dict[str, list[Payment]] = {}
    for payment in map(_payment, rows):
        found.setdefault(payment.booking_id, []).append(payment)
    return found


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


def _make_order(connection: Connection, bookings: Sequence[Booking], *, gateway: str, now_us: int) -> Order:
    together = new_id("po") if len(bookings) > 1 else None
    made = tuple(
        Payment(
            id=new_id("pm"),
            booking_id=booking.id,
            extra_of=None,
            amount_cents=booking.fee_cents,
            state="open",
            gateway=gateway,
            gateway_ref=None,
            order_id=together,
        )
        for booking in bookings
    )
    for payment in made:
        _insert(connection, payment, created_at_us=now_us)
    return Order(id=together or made[0].id, payments=made)


def _insert(connection: Connection, payment: Payment, **more: Any) -> None:
    connection.execute(insert(payments).values(**{name: getattr(payment, name) for name in _FIELDS}, **more))


def _payment(row: Row[Any]) -> Payment:
    return Payment(**{name: getattr(row, name) for name in _FIELDS})
