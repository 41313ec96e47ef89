"""Pay: a held slot becomes a booked one when the gateway says, signed, that the money is there, or staff took it.

Bookings that were made together are paid in one step: one order, one amount, one notice; what is given back is given
back for each.

A notice may come twice, after the hold is over, for a slot that is gone, or about a second charge. Money that no longer
buys a slot is owed back in the same transaction; the worker gives it back until the gateway has taken note. What was
taken at the window is given back there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from shouhao.booking.decide import HoldTimes
from shouhao.booking.model import Booking, BookingUnknown, HoldExpired, WrongState
from shouhao.booking.payment import (
    WINDOW,
    NothingToRefund,
    NoticeRefused,
    PaymentGateway,
    PaymentNotice,
    window_ref,
)
from shouhao.booking.store import lifecycle, parties, payments
from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.kernel.events import Event, EventKind
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.engine import Database

_PAYING_S = 300  #: how long a slot at least waits once payment has begun, within the cap
_REFUND_RETRY_LONGEST_US = 60 * MINUTE_US

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDue:
    """What the patient still has to do."""

    payment_id: str  #: the order that the gateway is asked for
    booking_id: str
    booking_ids: tuple[str, ...]  #: what is paid in this step: the booking, and those made with it
    amount_cents: int
    expires_at_us: int


def begin_payment(
    connection: Connection, *, booking_id: str, owner: str, gateway: str, hold: HoldTimes, now_us: int
) -> PaymentDue:
    """Open the payment of a held slot and let it wait a little longer, never past the cap.

    Slots that were got together are paid together, and wait as long as each other. Asking again gives the same order,
    unless one of them is gone. Where to pay is asked of the gateway afterwards, outside the unit of work
    (`PaymentGateway.pay_url`).

    Args:
        owner: the account that asks.
        gateway: name of the gateway that will take the money.
    Raises:
        BookingUnknown: no such booking of this account, or one that was made with it is not.
        WrongState: it is not waiting for money.
        HoldExpired: the time to pay is over.
    """
    unpaid = _unpaid(_owned(connection, booking_id, owner=owner), booking_id, now_us=now_us)
    expires_at_us = min(_held_until_us(booking, now_us=now_us) for booking in unpaid)
    cap_us = max(min(booking.created_at_us for booking in unpaid) + hold.cap_s * SECOND_US, expires_at_us)
    until_us = min(max(expires_at_us, now_us + _PAYING_S * SECOND_US), cap_us)
    for booking in unpaid:
        if until_us > _held_until_us(booking, now_us=now_us):
            lifecycle.extend_hold(connection, booking.id, until_us=until_us)
    order = payments.open_order(connection, bookings=unpaid, gateway=gateway, now_us=now_us)
    return PaymentDue(
        payment_id=order.id,
        booking_id=booking_id,
        booking_ids=order.booking_ids,
        amount_cents=order.amount_cents,
        expires_at_us=until_us,
    )


def pay_at_window(
    connection: Connection, *, booking_id: str, staff_id: str, receipt: str | None = None, now_us: int
) -> lifecycle.Placed:
    """Staff took the fee of a held slot, or of an extra slot, which is booked before it is paid.

    The fees of held slots that were got together are taken together, for one receipt. What was asked of the online
    gateway meanwhile is superseded: money that still comes that way is owed back.

    Args:
        receipt: number of the receipt that was given, if any.
    Raises:
        BookingUnknown: no such booking.
        WrongState: it is not waiting for money.
        HoldExpired: the time to pay is over.
        InvalidInput: the receipt's number cannot be one.
    """
    ref = window_ref(staff_id=staff_id, receipt=receipt)
    together = _locked_together(connection, booking_id)
    booking = together[booking_id].booking
    if booking.state not in {"booked", "checked_in"}:
        due = _unpaid(together, booking_id, now_us=now_us)
    elif booking.fee_cents == 0 or payments.live_payment(connection, booking_id) is not None:
        raise WrongState("booking_id", state=booking.state)
    else:
        due = [booking]
    payments.supersede_open(connection, [each.id for each in due])
    order = payments.open_order(connection, bookings=due, gateway=WINDOW, now_us=now_us)
    happened = []
    for payment in order.payments:
        payments.mark_paid(connection, payment.id, gateway_ref=ref, payer_id=None, paid_at_us=now_us, state="paid")
        placed = together[payment.booking_id]
        happened.append(_event("paid", placed, now_us, staff_id=staff_id, payment_id=payment.id, state="paid"))
    if booking.state == "held":
        lifecycle.set_state(connection, [each.id for each in due], "booked")
    event_log.append(connection, happened)
    return lifecycle.find_booking(connection, booking_id)


def refund_at_window(connection: Connection, *, booking_id: str, staff_id: str, now_us: int) -> lifecycle.Placed:
    """Staff gave back by hand what was taken by hand.

    Raises:
        BookingUnknown: no such booking.
        NothingToRefund: nothing of it waits at the window, or it was given back before.
    """
    placed = _locked(connection, [booking_id])[booking_id]
    payment = payments.due_at_window(connection, booking_id)
    if payment is None:
        raise NothingToRefund("booking_id")
    payments.mark_refunded(connection, payment.id, now_us=now_us)
    event_log.append(connection, [_event("refunded", placed, now_us, staff_id=staff_id, payment_id=payment.id)])
    return placed


def take_notice(connection: Connection, notice: PaymentNotice, *, now_us: int) -> str:
    """Act on a checked notice; the order's state after it. A second one changes nothing.

    Only another reference for an order that has its money is news: the patient was really charged once more, and that
    is owed back.

    Raises:
        NoticeRefused: it is about no order that a gateway was asked for, or another amount.
    """
    order = payments.find_order(connection, notice.payment_id)
    if order is None or order.gateway == WINDOW:
        raise NoticeRefused("payment_id")
    placed = _locked(connection, order.booking_ids)
    order = payments.find_order(connection, notice.payment_id)
    if order is None or notice.amount_cents != order.amount_cents:
        raise NoticeRefused("amount_cents")
    if order.awaits_money:
        return _settle(connection, order, placed, notice, now_us=now_us)
    _take_again(connection, order, placed, notice, now_us=now_us)
    return order.state


def _settle(
    connection: Connection,
    order: payments.Order,
    placed: Mapping[str, lifecycle.Placed],
    notice: PaymentNotice,
    *,
    now_us: int,
) -> str:
    """Spend one charge on all of an order's payments, each by the state of its own booking; the order's state then."""
    happened, bought = [], []
    for payment in order.payments:
        where = placed[payment.booking_id]
        # The slot is the patient's until the expiry takes it away, so money a second late still buys it.
        buys = payment.state == "open" and where.booking.state == "held"
        state = "paid" if buys else "refund_due"
        payments.mark_paid(
            connection,
            payment.id,
            gateway_ref=notice.gateway_ref,
            payer_id=notice.payer_id,
            paid_at_us=notice.paid_at_us,
            state=state,
        )
        if buys:
            bought.append(payment.booking_id)
        happened.append(_event("paid", where, now_us, payer_id=notice.payer_id, payment_id=payment.id, state=state))
    if bought:
        lifecycle.set_state(connection, bought, "booked")
    event_log.append(connection, happened)
    return "paid" if bought else "refund_due"


def _take_again(
    connection: Connection,
    order: payments.Order,
    placed: Mapping[str, lifecycle.Placed],
    notice: PaymentNotice,
    *,
    now_us: int,
) -> None:
    """A notice about an order that has its money: the same charge told again, or one charge too many."""
    ref = notice.gateway_ref
    if ref == order.gateway_ref or payments.find_extra_charge(connection, order, gateway_ref=ref) is not None:
        return
    extra = payments.owe_extra_charge(
        connection, order, gateway_ref=ref, payer_id=notice.payer_id, paid_at_us=notice.paid_at_us, now_us=now_us
    )
    _log.warning("charged_twice", payment_id=order.id, extra_payment_id=extra.id)
    happened = _event(
        "paid",
        placed[extra.booking_id],
        now_us,
        payer_id=notice.payer_id,
        payment_id=extra.id,
        extra_of=order.id,
        state=extra.state,
    )
    event_log.append(connection, [happened])


def refund_due(db: Database, gateway: PaymentGateway, *, now_us: int, limit: int = 50) -> int:
    """Ask the gateway for the refunds that are due; how many went through.

    The gateway is asked between two units of work. Dying in between asks it again, which it takes as the same.
    """
    with db.read() as connection:
        due = payments.due_refunds(connection, gateway=gateway.name, now_us=now_us, limit=limit)
    done = 0
    for payment, attempts in due:
        try:
            gateway.refund(
                payment_id=payment.asked_as,
                gateway_ref=payment.gateway_ref or "",
                amount_cents=payment.amount_cents,
                refund_id=payment.id,
            )
        except (Unavailable, Refused) as error:
            # A gateway that says no is asked again too, and people see it in the log; nobody else waits behind it.
            _log.warning("refund_postponed", payment_id=payment.id, attempts=attempts + 1, error=error.code)
            wait_us = min(2**attempts * 10 * SECOND_US, _REFUND_RETRY_LONGEST_US)
            with db.write() as connection:
                payments.postpone_refund(connection, payment.id, next_at_us=now_us + wait_us)
            continue
        with db.write() as connection:
            if payments.mark_refunded(connection, payment.id, now_us=now_us):
                placed = lifecycle.find_booking(connection, payment.booking_id)
                event_log.append(connection, [_event("refunded", placed, now_us, payment_id=payment.id)])
                done += 1
    return done


def _owned(connection: Connection, booking_id: str, *, owner: str) -> dict[str, lifecycle.Placed]:
    """A booking and those made with it, locked, if all are this account's."""
    if lifecycle.find_booking(connection, booking_id).booking.account_id != owner:
        raise BookingUnknown("booking_id")
    together = _locked_together(connection, booking_id)
    if any(placed.booking.account_id != owner for placed in together.values()):
        raise BookingUnknown("booking_id")
    return together


def _locked_together(connection: Connection, booking_id: str) -> dict[str, lifecycle.Placed]:
    asked = lifecycle.find_booking(connection, booking_id).booking
    return _locked(connection, parties.party_of(connection, asked))


def _locked(connection: Connection, booking_ids: Sequence[str]) -> dict[str, lifecycle.Placed]:
    lock_patients(connection, parties.patients_of(connection, booking_ids))
    return {placed.booking.id: placed for placed in parties.lock_all(connection, booking_ids)}


def _unpaid(together: Mapping[str, lifecycle.Placed], booking_id: str, *, now_us: int) -> list[Booking]:
    """The held slots that are paid in one step with this one; an offer among them is to be accepted first."""
    _held_until_us(together[booking_id].booking, now_us=now_us)
    due = [placed.booking for placed in together.values() if placed.booking.state in {"offered", "held"}]
    for booking in due:
        _held_until_us(booking, now_us=now_us)
    return due


def _held_until_us(booking: Booking, *, now_us: int) -> int:
    """Until when a slot waits for its money, if it does."""
    if booking.state == "expired":
        raise HoldExpired("booking_id")
    if booking.state != "held" or booking.hold_expires_at_us is None:
        raise WrongState("booking_id", state=booking.state)
    if now_us >= booking.hold_expires_at_us:
        raise HoldExpired("booking_id")
    return booking.hold_expires_at_us


def _event(
    kind: EventKind,
    placed: lifecycle.Placed,
    now_us: int,
    *,
    payer_id: str | None = None,
    staff_id: str | None = None,
    **detail: str,
) -> Event:
    booking = placed.booking
    return Event(
        at_us=now_us,
        kind=kind,
        channel=booking.channel if staff_id is None else WINDOW,
        account_id=booking.account_id,
        patient_id=booking.patient_id,
        payer_id=payer_id,
        department_id=booking.department_id,
        doctor_id=placed.doctor_id,
        session_id=booking.session_id,
        slot_id=booking.slot_id,
        staff_id=staff_id,
        detail={"booking_id": booking.id, **detail},
    )
