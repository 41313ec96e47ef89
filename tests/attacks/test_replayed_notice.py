"""Attack: a genuine payment notice is sent again, to pay for another booking or to be refunded twice."""

import msgspec
import pytest

from flows.drawing import join, look, offers
from hospital import (
    GATEWAY,
    NOW_US,
    add_department,
    add_people,
    add_session,
    assert_sound,
    booked,
    booking_state,
    deliver,
    dump,
    minutes,
    notice_for,
    payment_state,
)
from shouhao.booking.payment import NoticeRefused
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import refund_due


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db)
    yield db
    assert_sound(db)


def test_a_notice_sent_a_hundred_times_pays_once(house):
    person, other = add_people(house, 2)
    booking_id, unpaid_id = booked(house, person, "S1"), booked(house, other, "S1")
    notice = notice_for(house, booking_id)
    deliver(house, notice)
    before = dump(house)
    for n in range(100):
        assert deliver(house, notice, now_us=NOW_US + minutes(n)) == "paid"
    assert dump(house) == before
    assert booking_state(house, unpaid_id) == "held"


def test_a_notice_does_not_bring_a_returned_slot_back_or_a_second_refund(house):
    (person,) = add_people(house, 1)
    booking_id = booked(house, person, "S1")
    notice = notice_for(house, booking_id)
    deliver(house, notice)
    with house.write() as connection:
        caller = Caller(channel="app", account_id=person.account_id)
        give_back(connection, booking_id=booking_id, caller=caller, now_us=NOW_US + 1)
    for expected in ("refund_due", "refunded"):
        before = dump(house)
        assert deliver(house, notice, now_us=NOW_US + 2) == expected
        assert dump(house) == before
        refund_due(house, GATEWAY, now_us=NOW_US + 2)
    assert booking_state(house, booking_id) == "returned"


def test_a_notice_for_an_expired_hold_never_takes_the_slot_from_its_next_holder(house):
    add_session(house, "ONE", seats=1, half="pm")
    late, next_one = add_people(house, 2)
    late_id = booked(house, late, "ONE")
    notice = notice_for(house, late_id)
    join(house, next_one, session_id="ONE", now_us=NOW_US)
    now_us = NOW_US + minutes(31)
    expire_holds(house, now_us=now_us - minutes(10))
    look(house, now_us)  # the waitlist's order is drawn
    (offer,) = offers(house)
    for _ in range(3):
        assert deliver(house, notice, now_us=now_us) == "refund_due"
    assert (booking_state(house, late_id), booking_state(house, offer["id"])) == ("expired", "offered")
    assert offer["patient_id"] == next_one.patient_id
    assert payment_state(house, late_id) == "refund_due"


def test_a_genuine_signature_does_not_fit_another_payment(house):
    paying, cheating = add_people(house, 2)
    body, signature = notice_for(house, booked(house, paying, "S1"))
    other_body, _ = notice_for(house, booked(house, cheating, "S1"))
    before = dump(house)
    said = msgspec.json.decode(body) | {"payment_id": msgspec.json.decode(other_body)["payment_id"]}
    for swapped in (other_body, msgspec.json.encode(said), body + b" ", b" " + body):
        with pytest.raises(NoticeRefused):
            deliver(house, (swapped, signature))
    assert dump(house) == before
