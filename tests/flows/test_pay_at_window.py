"""Money that staff take and give back by hand: for the same slots, with the same ends, never through a gateway."""

import pytest

from hospital import (
    GATEWAY,
    HOLD,
    NOW_US,
    add_department,
    add_person,
    add_session,
    assert_sound,
    booked,
    booking_state,
    deliver,
    dump,
    events,
    notice_for,
    paid,
    payment_state,
    rows,
)
from shouhao.booking.model import BookingUnknown, HoldExpired, WrongState
from shouhao.booking.payment import NothingToRefund, NoticeRefused, PaymentNotice
from shouhao.booking.tables import payments
from shouhao.flows.extra_slot import request_extra_slot
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import begin_payment, pay_at_window, refund_at_window, refund_due, take_notice
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import InvalidInput

HOLD_US = HOLD.hold_s * SECOND_US
WINDOW = Caller(channel="window", staff_id="st-1")


class Watched:
    """The gateway, and what it was asked to give back."""

    name = GATEWAY.name

    def __init__(self):
        self.refunded, self._known = [], set()

    def refund(self, *, payment_id, gateway_ref, amount_cents, refund_id):
        assert refund_id not in self._known
        self._known.add(refund_id)
        self.refunded.append((payment_id, gateway_ref, amount_cents))


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db)
    yield db
    assert_sound(db)


def take_fee(db, booking_id, *, receipt=None, staff_id="st-1", now_us=NOW_US):
    with db.write() as connection:
        return pay_at_window(connection, booking_id=booking_id, staff_id=staff_id, receipt=receipt, now_us=now_us)


def give_fee_back(db, booking_id, *, now_us=NOW_US):
    with db.write() as connection:
        return refund_at_window(connection, booking_id=booking_id, staff_id="st-2", now_us=now_us)


def return_slot(db, booking_id, caller=WINDOW):
    with db.write() as connection:
        give_back(connection, booking_id=booking_id, caller=caller, now_us=NOW_US)


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error):
        act()
    assert dump(db) == before


@pytest.mark.parametrize(("receipt", "ref"), [(None, "window:st-1"), ("A-1024", "window:A-1024")])
def test_a_fee_taken_at_the_window_books_a_held_slot(house, receipt, ref):
    booking_id = booked(house, add_person(house), "S1", channel="window")
    assert take_fee(house, booking_id, receipt=receipt).booking.state == "booked"
    (payment,) = rows(house, payments)
    assert (payment["state"], payment["gateway"], payment["gateway_ref"]) == ("paid", "window", ref)
    assert (payment["amount_cents"], payment["paid_at_us"]) == (5000, NOW_US)
    (event,) = events(house, "paid")
    assert (event["channel"], event["staff_id"]) == ("window", "st-1")
    assert expire_holds(house, now_us=NOW_US + HOLD_US + 1) == 0


def test_a_fee_is_taken_once_and_in_time(house):
    booking_id, late_id = (booked(house, add_person(house), "S1", channel="window") for _ in range(2))
    take_fee(house, booking_id)
    refused(house, WrongState, lambda: take_fee(house, booking_id))
    refused(house, BookingUnknown, lambda: take_fee(house, "bk_nobody"))
    refused(house, InvalidInput, lambda: take_fee(house, late_id, receipt="张三 13900139000"))
    refused(house, HoldExpired, lambda: take_fee(house, late_id, now_us=NOW_US + HOLD_US))
    expire_holds(house, now_us=NOW_US + HOLD_US)
    refused(house, HoldExpired, lambda: take_fee(house, late_id))
    online_id = paid(house, add_person(house), "S1")
    refused(house, WrongState, lambda: take_fee(house, online_id))
    return_slot(house, booking_id)
    refused(house, WrongState, lambda: take_fee(house, booking_id))


def test_a_fee_of_nought_is_never_taken(house):
    add_session(house, "FREE", half="pm", fee_cents=0)
    booking_id = booked(house, add_person(house), "FREE", channel="window")
    refused(house, WrongState, lambda: take_fee(house, booking_id))


def test_a_booking_without_an_account_is_paid_at_the_window_alone(house):
    person = add_person(house)
    booking_id = booked(house, person, "S1", channel="window")

    def begin(owner):
        with house.write() as connection:
            begin_payment(
                connection, booking_id=booking_id, owner=owner, gateway=GATEWAY.name, hold=HOLD, now_us=NOW_US
            )

    for owner in (person.account_id, ""):
        refused(house, BookingUnknown, lambda owner=owner: begin(owner))


def test_what_was_taken_by_hand_is_given_back_by_hand(house):
    person = add_person(house)
    booking_id = booked(house, person, "S1")  # with an account, which may return it from home
    take_fee(house, booking_id)
    refused(house, NothingToRefund, lambda: give_fee_back(house, booking_id))
    return_slot(house, booking_id, Caller(channel="app", account_id=person.account_id))
    assert payment_state(house, booking_id) == "refund_due"
    gateway = Watched()
    assert refund_due(house, gateway, now_us=NOW_US + HOLD_US) == 0
    assert gateway.refunded == []
    give_fee_back(house, booking_id)
    assert payment_state(house, booking_id) == "refunded"
    (event,) = events(house, "refunded")
    assert (event["channel"], event["staff_id"]) == ("window", "st-2")
    refused(house, NothingToRefund, lambda: give_fee_back(house, booking_id))


def test_what_a_gateway_took_is_not_given_out_at_the_window(house):
    booking_id = paid(house, add_person(house), "S1")
    return_slot(house, booking_id)
    refused(house, NothingToRefund, lambda: give_fee_back(house, booking_id))
    gateway = Watched()
    assert refund_due(house, gateway, now_us=NOW_US) == 1
    assert len(gateway.refunded) == 1


def test_money_that_comes_online_after_the_window_took_the_fee_goes_back_online(house):
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    take_fee(house, booking_id)
    assert booking_state(house, booking_id) == "booked"
    for _ in range(2):
        assert deliver(house, notice) == "refund_due"
    gateway = Watched()
    assert [refund_due(house, gateway, now_us=NOW_US) for _ in range(2)] == [1, 0]
    (given_back,) = gateway.refunded
    asked = GATEWAY.read_notice(*notice)
    assert given_back == (asked.payment_id, asked.gateway_ref, 5000)
    assert booking_state(house, booking_id) == "booked"
    assert [p["gateway"] for p in rows(house, payments, state="paid")] == ["window"]


def test_a_gateway_says_nothing_about_money_taken_by_hand(house):
    booking_id = booked(house, add_person(house), "S1", channel="window")
    take_fee(house, booking_id)
    notice = PaymentNotice(
        payment_id=rows(house, payments)[0]["id"],
        gateway_ref="x",
        amount_cents=5000,
        paid_at_us=NOW_US,
        payer_id=None,
    )

    def tell():
        with house.write() as connection:
            take_notice(connection, notice, now_us=NOW_US)

    refused(house, NoticeRefused, tell)


def test_an_extra_slot_is_paid_at_the_window_and_its_fee_is_given_back_there(house):
    person = add_person(house)
    with house.write() as connection:
        outcome = request_extra_slot(
            connection,
            session_id="S1",
            patient_id=person.patient_id,
            reason="复诊换药",
            staff_id="st-1",
            doctor_id="D1",
            now_us=NOW_US,
        )
    booking_id = outcome.booking.id
    assert take_fee(house, booking_id).booking.state == "booked"
    refused(house, WrongState, lambda: take_fee(house, booking_id))
    return_slot(house, booking_id)
    give_fee_back(house, booking_id)
    assert payment_state(house, booking_id) == "refunded"
