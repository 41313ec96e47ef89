"""Pay: a held slot becomes a booked one when the gateway says, signed, that the money is there, or staff took it.

A notice may come twice, after the hold is over, for a slot that is gone, or about a second charge. Money that no longer
buys a slot is owed back in the same transaction; the worker gives it back until the gateway has taken note. What was
taken at the window is given back there.
"""

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
from shouhao.booking.store import lifecycle, payments
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

    payment_id: str
    booking_id: str
    amount_cents: int
    expires_at_us: int


def begin_payment(
    connection: Connection, *, booking_id: str, owner: str, gateway: str, hold: HoldTimes, now_us: int
) -> PaymentDue:
    """Open the payment of a held slot and let it wait a little longer, never past the cap.

    Where to pay is asked of the gateway afterwards, outside the unit of work (`PaymentGateway.pay_url`).

    Args:
        owner: the account that asks.
        gateway: name of the gateway that will take the money.
    Raises:
        BookingUnknown: no such booking of this account.
        WrongState: it is not waiting for money.
        HoldExpired: the time to pay is over.
    """
    booking = _owned(connection, booking_id, owner=owner)
    expires_at_us = _held_until_us(booking, now_us=now_us)
    cap_us = max(booking.created_at_us + hold.cap_s * SECOND_US, expires_at_us)
    until_us = min(max(expires_at_us, now_us + _PAYING_S * SECOND_US), cap_us)
    if until_us > expires_at_us:
        lifecycle.extend_hold(connection, booking_id, until_us=until_us)
    payment = payments.open_payment(connection, booking=booking, gateway=gateway, now_us=now_us)
    return PaymentDue(
        payment_id=payment.id,
        booking_id=booking_id,
        amount_cents=payment.amount_cents,
        expires_at_us=until_us,
    )


def pay_at_window(
    connection: Connection, *, booking_id: str, staff_id: str, receipt: str | None = None, now_us: int
) -> lifecycle.Placed:
    """Staff took the fee of a held slot, or of an extra slot, which is booked before it is paid.

    What was asked of the online gateway meanwhile is superseded: money that still comes that way is owed back.

    Args:
        receipt: number of the receipt that was given, if any.
    Raises:
        BookingUnknown: no such booking.
        WrongState: it is not waiting for money.
        HoldExpired: the time to pay is over.
        InvalidInput: the receipt's number cannot be one.
    """
    ref = window_ref(staff_id=staff_id, receipt=receipt)
    placed = _locked(connection, booking_id)
    booking = placed.booking
    if booking.state not in {"booked", "checked_in"}:
        _held_until_us(booking, now_us=now_us)
    elif booking.fee_cents == 0 or payments.live_payment(connection, booking_id) is not None:
        raise WrongState("booking_id", state=booking.state)
    payments.supersede_open(connection, booking_id)
    payment = payments.open_payment(connection, booking=booking, gateway=WINDOW, now_us=now_us)
    payments.mark_paid(connection, payment.id, gateway_ref=ref, payer_id=None, paid_at_us=now_us, state="paid")
    if booking.state == "held":
        lifecycle.set_state(connection, [booking_id], "booked")
    happened = _event("paid", placed, now_us, staff_id=staff_id, payment_id=payment.id, state="paid")
    event_log.append(connection, [happened])
    return lifecycle.find_booking(connection, booking_id)


def refund_at_window(connection: Connection, *, booking_id: str, staff_id: str, now_us: int) -> lifecycle.Placed:
    """Staff gave back by hand what was taken by hand.

    Raises:
        BookingUnknown: no such booking.
        NothingToRefund: nothing of it waits at the window, or it was given back before.
    """
    placed = _locked(connection, booking_id)
    payment = payments.due_at_window(connection, booking_id)
    if payment is None:
        raise NothingToRefund("booking_id")
    payments.mark_refunded(connection, payment.id, now_us=now_us)
    event_log.append(connection, [_event("refunded", placed, now_us, staff_id=staff_id, payment_id=payment.id)])
    return placed


def take_notice(connection: Connection, notice: PaymentNotice, *, now_us: int) -> str:
    """Act on a checked notice; the payment's state after it. A second one changes nothing.

    Only another reference for a payment that is over is news: the patient was really charged once more, and that is
    owed back.

    Raises:
        NoticeRefused: it is about no payment that a gateway was asked for, or another amount.
    """
    payment = payments.find_payment(connection, notice.payment_id)
    if payment is None or payment.gateway == WINDOW or payment.extra_of is not None:
        raise NoticeRefused("payment_id")
    placed = _locked(connection, payment.booking_id)
    payment = payments.find_payment(connection, notice.payment_id)
    if payment is None or notice.amount_cents != payment.amount_cents:
        raise NoticeRefused("amount_cents")
    if payment.state not in {"open", "superseded"}:
        _take_again(connection, payment, placed, notice, now_us=now_us)
        return payment.state
    booking = placed.booking
    # The slot is the patient's until the expiry takes it away, so money a second late still buys it.
    state = "paid" if payment.state == "open" and booking.state == "held" else "refund_due"
    payments.mark_paid(
        connection,
        payment.id,
        gateway_ref=notice.gateway_ref,
        payer_id=notice.payer_id,
        paid_at_us=notice.paid_at_us,
        state=state,
    )
    if state == "paid":
        lifecycle.set_state(connection, [booking.id], "booked")
    happened = _event("paid", placed, now_us, payer_id=notice.payer_id, payment_id=payment.id, state=state)
    event_log.append(connection, [happened])
    return state


def _take_again(
    connection: Connection, payment: payments.Payment, placed: lifecycle.Placed, notice: PaymentNotice, *, now_us: int
) -> None:
    """A notice about a payment that has its money: the same charge told again, or one charge too many."""
    ref = notice.gateway_ref
    if ref == payment.gateway_ref or payments.find_extra_charge(connection, payment, gateway_ref=ref) is not None:
        return
    extra = payments.owe_extra_charge(
        connection, payment, gateway_ref=ref, payer_id=notice.payer_id, paid_at_us=notice.paid_at_us, now_us=now_us
    )
    _log.warning("charged_twice", payment_id=payment.id, extra_payment_id=extra.id)
    happened = _event(
        "paid", placed, now_us, payer_id=notice.payer_id, payment_id=extra.id, extra_of=payment.id, state=extra.state
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
                payment_id=payment.asked_as, gateway_ref=payment.gateway_ref or "", amount_cents=payment.amount_cents
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


def _owned(connection: Connection, booking_id: str, *, owner: str) -> Booking:
    if lifecycle.find_booking(connection, booking_id).booking.account_id != owner:
        raise BookingUnknown("booking_id")
    return _locked(connection, booking_id).booking


def _locked(connection: Connection, booking_id: str) -> lifecycle.Placed:
    lock_patients(connection, [lifecycle.find_booking(connection, booking_id).booking.patient_id])
    return lifecycle.lock_booking(connection, booking_id)


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
