"""Slots that were got together are paid in one step: one order, one amount; each is given back by itself."""

import threading
import time
from functools import partial

import pytest
from sqlalchemy import text, update

from hospital import (
    GATEWAY,
    HOLD,
    NOW_US,
    Person,
    add_department,
    add_people,
    add_person,
    add_session,
    assert_sound,
    bind,
    booked,
    booking_state,
    deliver,
    dump,
    events,
    minutes,
    notice_for,
    rows,
)
from shouhao.booking.model import BookingUnknown, HoldExpired, WrongState
from shouhao.booking.payment import NothingToRefund, NoticeRefused, PaymentNotice
from shouhao.booking.store import lifecycle
from shouhao.booking.tables import bookings, payments, slots
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import begin_payment, pay_at_window, refund_at_window, refund_due, take_notice
from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.store.engine import open_database

HOLD_US = HOLD.hold_s * SECOND_US
WINDOW = Caller(channel="window", staff_id="st-1")


class Watched:
    """The gateway, and what it was asked to give back: once for each refund, whatever was asked twice."""

    name = GATEWAY.name

    def __init__(self):
        self.given_back = {}

    def refund(self, *, payment_id, gateway_ref, amount_cents, refund_id):
        self.given_back[refund_id] = (payment_id, gateway_ref, amount_cents)


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db, fee_cents=5000)
    add_session(db, "S2", half="pm", fee_cents=3000)
    yield db
    assert_sound(db)


def children(db, count=2):
    """Patients of one account."""
    people = add_people(db, count)
    account_id = people[0].account_id
    bind(db, [(account_id, p.patient_id) for p in people[1:]], bound_at_us=NOW_US - 30 * DAY_US)
    return [Person(patient_id=p.patient_id, account_id=account_id) for p in people]


def together(db, *sessions, channel="app"):
    """One account's held slots that were got together, one a session named, each for another child."""
    family = children(db, len(sessions))
    ids = [booked(db, child, session, channel=channel) for child, session in zip(family, sessions, strict=True)]
    with db.write() as connection:
        connection.execute(update(bookings).where(bookings.c.id.in_(ids)).values(party_id=f"py_{ids[0]}"))
    return family[0].account_id, ids


def begin(db, owner, booking_id, *, now_us=NOW_US):
    with db.write() as connection:
        return begin_payment(
            connection, booking_id=booking_id, owner=owner, gateway=GATEWAY.name, hold=HOLD, now_us=now_us
        )


def let_one_go(db, booking_id, *, now_us=NOW_US):
    """One of them alone stops waiting for money, as when its session is over before those of the others."""
    with db.write() as connection:
        lifecycle.set_state(connection, [booking_id], "expired", ended_at_us=now_us)
        connection.execute(
            update(slots).where(slots.c.booking_id == booking_id).values(state="withdrawn", booking_id=None)
        )


def set_state(db, booking_id, **values):
    with db.write() as connection:
        connection.execute(update(bookings).where(bookings.c.id == booking_id).values(**values))


def take_fee(db, booking_id, *, receipt=None):
    with db.write() as connection:
        return pay_at_window(connection, booking_id=booking_id, staff_id="st-1", receipt=receipt, now_us=NOW_US)


def return_slot(db, booking_id):
    with db.write() as connection:
        give_back(connection, booking_id=booking_id, caller=WINDOW, now_us=NOW_US)


def charge(db, due, *, ref="c1", **changed):
    """A notice, signed as far as the flow can tell."""
    said = {"payment_id": due.payment_id, "amount_cents": due.amount_cents} | changed
    notice = PaymentNotice(gateway_ref=ref, paid_at_us=NOW_US, payer_id="py-1", **said)
    with db.write() as connection:
        return take_notice(connection, notice, now_us=NOW_US)


def given_back(db):
    """What the gateway gives back when it is asked until nothing is due."""
    gateway = Watched()
    asked = [refund_due(db, gateway, now_us=NOW_US + minutes(60)) for _ in range(2)]
    assert asked == [len(gateway.given_back), 0]
    return sorted(gateway.given_back.values())


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error):
        act()
    assert dump(db) == before


def states(db, ids):
    return [booking_state(db, booking_id) for booking_id in ids]


def by_state(db, state):
    return sorted(payment["booking_id"] for payment in rows(db, payments, state=state))


# Paying


def test_one_order_pays_two_children(house):
    _, ids = together(house, "S1", "S2")
    notice = notice_for(house, ids[1])
    assert GATEWAY.read_notice(*notice).amount_cents == 8000
    assert deliver(house, notice) == "paid"
    assert states(house, ids) == ["booked", "booked"]
    assert sorted(p["amount_cents"] for p in rows(house, payments, state="paid")) == [3000, 5000]
    assert len({(p["order_id"], p["gateway_ref"]) for p in rows(house, payments)}) == 1
    assert {e["patient_id"] for e in events(house, "paid")} == {b["patient_id"] for b in rows(house, bookings)}
    assert expire_holds(house, now_us=NOW_US + DAY_US) == 0


def test_a_second_notice_about_an_order_changes_nothing(house):
    _, ids = together(house, "S1", "S1")
    notice = notice_for(house, ids[0])
    deliver(house, notice)
    before = dump(house)
    assert deliver(house, notice, now_us=NOW_US + minutes(5)) == "paid"
    assert dump(house) == before


def test_an_order_is_paid_by_its_whole_sum_under_its_own_name_alone(house):
    owner, ids = together(house, "S1", "S2")
    due = begin(house, owner, ids[0])
    for amount in (5000, 3000, 0, 7999, 8001):
        refused(house, NoticeRefused, partial(charge, house, due, amount_cents=amount))
    for payment in rows(house, payments):
        for amount in (8000, payment["amount_cents"]):
            said = {"payment_id": payment["id"], "amount_cents": amount}
            refused(house, NoticeRefused, partial(charge, house, due, **said))
    assert states(house, ids) == ["held", "held"]


def test_whichever_of_them_is_asked_about_the_order_is_the_same(house):
    owner, ids = together(house, "S1", "S2", "S1")
    due = begin(house, owner, ids[0])
    assert (due.booking_ids, due.amount_cents) == (tuple(sorted(ids)), 13000)
    before = dump(house)
    for booking_id in ids:
        again = begin(house, owner, booking_id)
        assert (again.payment_id, again.booking_ids, again.amount_cents) == (
            due.payment_id,
            due.booking_ids,
            due.amount_cents,
        )
    assert dump(house) == before


def test_they_wait_as_long_as_each_other_once_payment_has_begun(house):
    owner, ids = together(house, "S1", "S1")
    due = begin(house, owner, ids[0], now_us=NOW_US + HOLD_US - SECOND_US)
    assert due.expires_at_us > NOW_US + HOLD_US
    assert {b["hold_expires_at_us"] for b in rows(house, bookings)} == {due.expires_at_us}
    assert expire_holds(house, now_us=due.expires_at_us - 1) == 0


def test_a_slot_beside_them_is_paid_by_itself(house):
    owner, ids = together(house, "S1", "S1")
    alone = booked(house, add_person(house), "S1")
    begin(house, owner, ids[0])
    notice = notice_for(house, alone)
    assert GATEWAY.read_notice(*notice).amount_cents == 5000
    deliver(house, notice)
    assert states(house, [*ids, alone]) == ["held", "held", "booked"]


# Who, and what, is refused


def test_who_does_not_own_all_of_them_cannot_begin_to_pay(house):
    owner, ids = together(house, "S1", "S1")
    stranger = add_person(house).account_id
    for whose in (stranger, ""):
        refused(house, BookingUnknown, partial(begin, house, whose, ids[0]))
    set_state(house, ids[1], account_id=stranger)
    for whose, booking_id in ((owner, ids[0]), (stranger, ids[1]), (owner, ids[1])):
        refused(house, BookingUnknown, partial(begin, house, whose, booking_id))


def test_an_offer_among_them_is_accepted_before_anything_is_paid(house):
    owner, ids = together(house, "S1", "S1")
    set_state(house, ids[1], state="offered")
    for booking_id in ids:
        refused(house, WrongState, partial(begin, house, owner, booking_id))
        refused(house, WrongState, partial(take_fee, house, booking_id))


def test_none_is_paid_when_the_time_of_one_is_over(house):
    owner, ids = together(house, "S1", "S1")
    set_state(house, ids[1], hold_expires_at_us=NOW_US)
    for booking_id in ids:
        refused(house, HoldExpired, partial(begin, house, owner, booking_id))
        refused(house, HoldExpired, partial(take_fee, house, booking_id))


# Money that buys nothing, or not all


def test_what_was_paid_for_one_of_two_goes_back_once_as_a_part_of_the_order(house):
    _, ids = together(house, "S1", "S2")
    notice = notice_for(house, ids[0])
    deliver(house, notice)
    return_slot(house, ids[1])
    said = GATEWAY.read_notice(*notice)
    assert given_back(house) == [(said.payment_id, said.gateway_ref, 3000)]
    assert states(house, ids) == ["booked", "returned"]
    before = dump(house)
    assert deliver(house, notice) == "paid"
    assert dump(house) == before
    return_slot(house, ids[0])
    assert given_back(house) == [(said.payment_id, said.gateway_ref, 5000)]
    assert deliver(house, notice) == "refunded"
    assert len(events(house, "refunded")) == 2


def test_two_refunds_of_one_charge_are_two_refunds_to_the_gateway(house):
    _, ids = together(house, "S1", "S1")
    notice = notice_for(house, ids[0])
    deliver(house, notice)
    for booking_id in ids:
        return_slot(house, booking_id)
    said = GATEWAY.read_notice(*notice)
    assert given_back(house) == [(said.payment_id, said.gateway_ref, 5000)] * 2


def test_money_for_an_order_that_expired_is_owed_back_whole(house):
    _, ids = together(house, "S1", "S2")
    notice = notice_for(house, ids[0])
    late_us = NOW_US + HOLD_US + minutes(10)
    assert expire_holds(house, now_us=late_us) == 2
    for _ in range(2):
        assert deliver(house, notice, now_us=late_us) == "refund_due"
    assert states(house, ids) == ["expired", "expired"]
    assert [amount for _, _, amount in given_back(house)] == [3000, 5000]
    assert by_state(house, "refunded") == sorted(ids)


def test_money_buys_what_is_still_held_and_the_rest_is_owed_back(house):
    _, ids = together(house, "S1", "S2")
    notice = notice_for(house, ids[0])
    let_one_go(house, ids[1])
    for _ in range(2):
        assert deliver(house, notice) == "paid"
    assert states(house, ids) == ["booked", "expired"]
    assert [amount for _, _, amount in given_back(house)] == [3000]


def test_an_order_is_made_anew_when_one_of_them_is_gone_and_money_for_the_old_one_goes_back(house):
    owner, ids = together(house, "S1", "S2", "S1")
    old = begin(house, owner, ids[0])
    let_one_go(house, ids[1])
    new = begin(house, owner, ids[0])
    assert new.payment_id != old.payment_id
    assert (new.booking_ids, new.amount_cents) == (tuple(sorted([ids[0], ids[2]])), 10000)
    assert (by_state(house, "open"), by_state(house, "superseded")) == (sorted([ids[0], ids[2]]), sorted(ids))
    assert charge(house, old, ref="old") == "refund_due"
    assert states(house, ids) == ["held", "expired", "held"]
    assert_sound(house)
    assert charge(house, new, ref="new") == "paid"
    assert states(house, ids) == ["booked", "expired", "booked"]
    assert given_back(house) == sorted((old.payment_id, "old", amount) for amount in (5000, 3000, 5000))


def test_the_last_of_them_is_an_order_of_its_own(house):
    owner, ids = together(house, "S1", "S2")
    old = begin(house, owner, ids[0])
    let_one_go(house, ids[1])
    new = begin(house, owner, ids[0])
    assert (new.booking_ids, new.amount_cents) == ((ids[0],), 5000)
    assert begin(house, owner, ids[0]).payment_id == new.payment_id
    assert charge(house, new, ref="new") == "paid"
    assert charge(house, old, ref="old") == "refund_due"
    assert given_back(house) == [(old.payment_id, "old", 3000), (old.payment_id, "old", 5000)]
    assert booking_state(house, ids[0]) == "booked"


def test_an_order_that_is_charged_twice_owes_its_whole_sum_back_once(house):
    owner, ids = together(house, "S1", "S2")
    due = begin(house, owner, ids[0])
    for ref in ("c1", "c2", "c2", "c1"):
        assert charge(house, due, ref=ref) == "paid"
    refused(house, NoticeRefused, partial(charge, house, due, ref="c3", amount_cents=5000))
    assert states(house, ids) == ["booked", "booked"]
    assert given_back(house) == [(due.payment_id, "c2", 8000)]
    (extra,) = rows(house, payments, state="refunded")
    refused(house, NoticeRefused, partial(charge, house, due, ref="c4", payment_id=extra["id"]))


# At the window


def test_a_window_takes_the_fees_of_all_of_them_for_one_receipt(house):
    _, ids = together(house, "S1", "S2", channel="window")
    assert take_fee(house, ids[1], receipt="A-7").booking.id == ids[1]
    assert states(house, ids) == ["booked", "booked"]
    assert {p["gateway_ref"] for p in rows(house, payments)} == {"window:A-7"}
    assert sorted(p["amount_cents"] for p in rows(house, payments, state="paid")) == [3000, 5000]
    paid = events(house, "paid")
    assert sorted(e["slot_id"] for e in paid) == sorted(b["slot_id"] for b in rows(house, bookings))
    assert {(e["channel"], e["staff_id"]) for e in paid} == {("window", "st-1")}
    for booking_id in ids:
        refused(house, WrongState, partial(take_fee, house, booking_id))


def test_what_the_window_took_for_both_it_gives_back_for_each(house):
    _, ids = together(house, "S1", "S2", channel="window")
    take_fee(house, ids[0])
    return_slot(house, ids[1])

    def give_fee_back(booking_id):
        with house.write() as connection:
            refund_at_window(connection, booking_id=booking_id, staff_id="st-2", now_us=NOW_US)

    refused(house, NothingToRefund, lambda: give_fee_back(ids[0]))
    give_fee_back(ids[1])
    refused(house, NothingToRefund, lambda: give_fee_back(ids[1]))
    assert (by_state(house, "paid"), by_state(house, "refunded")) == ([ids[0]], [ids[1]])
    assert given_back(house) == []


def test_money_for_an_order_that_the_window_took_meanwhile_goes_back_whole(house):
    owner, ids = together(house, "S1", "S2")
    due = begin(house, owner, ids[0])
    take_fee(house, ids[1])
    (window_order,) = {p["order_id"] for p in rows(house, payments, gateway="window")}
    refused(house, NoticeRefused, partial(charge, house, due, payment_id=window_order))
    assert charge(house, due) == "refund_due"
    assert states(house, ids) == ["booked", "booked"]
    assert given_back(house) == [(due.payment_id, "c1", 3000), (due.payment_id, "c1", 5000)]
    assert by_state(house, "paid") == sorted(ids)


# At the same moment


def at_once(*acts):
    """Do all of this at the same moment; what each said, or why not."""
    said, gate = [None] * len(acts), threading.Barrier(len(acts))

    def do(number, act):
        gate.wait()
        try:
            said[number] = act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            said[number] = error

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


@pytest.mark.parametrize("_", range(5))
def test_two_who_begin_to_pay_at_the_same_moment_get_one_order(house, _):
    owner, ids = together(house, "S1", "S2")
    said = at_once(*(partial(begin, house, owner, booking_id) for booking_id in ids * 2))
    (order,) = {(due.payment_id, due.booking_ids, due.amount_cents) for due in said}
    assert order[1:] == (tuple(sorted(ids)), 8000)
    assert by_state(house, "open") == sorted(ids)
    assert len(rows(house, payments)) == 2


def test_a_charge_and_the_window_at_the_same_moment_pay_once(house):
    owner, ids = together(house, "S1", "S2")
    due = begin(house, owner, ids[0])
    said = at_once(partial(charge, house, due), partial(take_fee, house, ids[1]))
    assert states(house, ids) == ["booked", "booked"]
    assert by_state(house, "paid") == sorted(ids)
    if said[0] == "paid":
        assert isinstance(said[1], WrongState)
        assert given_back(house) == []
    else:
        assert said[0] == "refund_due"
        assert sum(amount for _, _, amount in given_back(house)) == 8000


@pytest.fixture
def on_postgresql(postgresql_url):
    db = open_database(postgresql_url)
    add_department(db)
    add_session(db, fee_cents=5000)
    yield db
    assert_sound(db)
    db.close()


def until_somebody_waits(db):
    """Until a transaction of this database waits for another one's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 4
    while True:
        with db.read() as connection:
            if connection.execute(text(waiting)).scalar_one():
                return
        assert time.monotonic() < deadline


def test_who_begins_to_pay_while_the_money_comes_waits_and_hears_that_it_came(on_postgresql):
    db = on_postgresql
    owner, ids = together(db, "S1", "S1")
    notice = GATEWAY.read_notice(*notice_for(db, ids[0]))
    heard = []
    late = threading.Thread(target=lambda: heard.extend(at_once(partial(begin, db, owner, ids[1]))))
    with db.write() as connection:
        assert take_notice(connection, notice, now_us=NOW_US) == "paid"
        late.start()
        until_somebody_waits(db)
    late.join()
    assert [type(said) for said in heard] == [WrongState]
    assert states(db, ids) == ["booked", "booked"]
    assert len(rows(db, payments)) == 2
