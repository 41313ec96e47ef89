"""What happens to a booking after it is made, on both databases; each duty is run twice and acts once."""

import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from hospital import (
    DAY,
    GATEWAY,
    HOLD,
    NOW_US,
    add_department,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    book_now,
    booked,
    booking_state,
    code,
    deliver,
    dump,
    events,
    minutes,
    notice_for,
    paid,
    pay,
    payment_state,
    rows,
    set_limits,
)
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import BookingUnknown, HoldExpired, SessionClosed, TooLateToReturn, WrongState
from shouhao.booking.payment import NoticeRefused, PaymentNotice
from shouhao.booking.tables import bookings, payments, restrictions, sessions, slots
from shouhao.flows.attend import CheckInElsewhere, NotToday, check_in, close_ended_sessions
from shouhao.flows.book import book
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import begin_payment, refund_due, take_notice
from shouhao.flows.release import release_due
from shouhao.flows.work import Worker, WorkSettings, duties, release_duties
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US, ManualClock, start_of_day_us
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.kernel.randomness import SystemRandomness
from shouhao.store.engine import open_database
from shouhao.wiring import INVARIANTS

HOLD_US = HOLD.hold_s * SECOND_US
OPENS_US = start_of_day_us(DAY) + 8 * HOUR_US
ENDS_US = start_of_day_us(DAY) + 12 * HOUR_US
KIOSK = Caller(channel="kiosk")


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db, "S1", seats=3)
    yield db
    assert_sound(db)


def return_slot(db, person, booking_id, *, now_us=NOW_US):
    with db.write() as connection:
        caller = Caller(channel="app", account_id=person.account_id)
        return give_back(connection, booking_id=booking_id, caller=caller, now_us=now_us)


def arrive(db, booking_id, *, caller=KIOSK, now_us=OPENS_US):
    with db.write() as connection:
        return check_in(connection, booking_id=booking_id, caller=caller, now_us=now_us)


def begin(db, person, booking_id, *, now_us=NOW_US):
    with db.write() as connection:
        return begin_payment(
            connection, booking_id=booking_id, owner=person.account_id, gateway=GATEWAY.name, hold=HOLD, now_us=now_us
        )


def everything(db, settings):
    """What the worker of a hospital does."""
    keys = DrawKeys(b"s" * 32, b"r" * 32)
    return [
        *release_duties(db, keys, SystemRandomness()),
        *duties(db, gateway=GATEWAY, invariants=INVARIANTS, settings=settings),
    ]


def hold_ends_us(db, booking_id):
    return rows(db, bookings, id=booking_id)[0]["hold_expires_at_us"]


# Paying


def test_a_notice_books_and_a_second_one_changes_nothing(house):
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    assert deliver(house, notice) == "paid"
    assert booking_state(house, booking_id) == "booked"
    before = dump(house)
    assert deliver(house, notice, now_us=NOW_US + DAY_US) == "paid"
    assert dump(house) == before
    (event,) = events(house, "paid")
    assert event["payer_id"] == "py-1"


def test_a_notice_after_the_expiry_is_owed_back_and_given_back_once(house):
    person = add_person(house)
    booking_id = booked(house, person, "S1")
    notice = notice_for(house, booking_id)
    late_us = NOW_US + HOLD_US + 1
    assert expire_holds(house, now_us=late_us) == 1
    assert deliver(house, notice, now_us=late_us) == "refund_due"
    assert booking_state(house, booking_id) == "expired"
    assert [refund_due(house, GATEWAY, now_us=late_us) for _ in range(2)] == [1, 0]
    assert payment_state(house, booking_id) == "refunded"
    assert deliver(house, notice, now_us=late_us) == "refunded"
    assert len(events(house, "refunded")) == 1


def test_money_a_second_late_still_buys_a_slot_that_nobody_took_away(house):
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    assert deliver(house, notice, now_us=NOW_US + HOLD_US + SECOND_US) == "paid"
    assert expire_holds(house, now_us=NOW_US + DAY_US) == 0


def test_a_slot_waits_longer_once_payment_has_begun_and_never_past_the_cap(house):
    person = add_person(house)
    booking_id = booked(house, person, "S1")
    begin(house, person, booking_id, now_us=NOW_US)
    assert hold_ends_us(house, booking_id) == NOW_US + HOLD_US
    now_us = NOW_US
    while now_us < hold_ends_us(house, booking_id):
        due = begin(house, person, booking_id, now_us=now_us)
        assert due.expires_at_us == hold_ends_us(house, booking_id) <= NOW_US + HOLD.cap_s * SECOND_US
        now_us += minutes(1)
    assert hold_ends_us(house, booking_id) == NOW_US + HOLD.cap_s * SECOND_US
    with pytest.raises(HoldExpired):
        begin(house, person, booking_id, now_us=now_us)
    assert len(rows(house, payments)) == 1


def test_another_account_cannot_begin_to_pay(house):
    person, other = add_people(house, 2)
    booking_id = booked(house, person, "S1")
    with pytest.raises(BookingUnknown):
        begin(house, other, booking_id)
    pay(house, booking_id)
    with pytest.raises(WrongState):
        begin(house, person, booking_id)


def test_a_notice_over_another_amount_is_refused(house):
    booking_id = booked(house, add_person(house), "S1")
    notice_for(house, booking_id)
    (payment,) = rows(house, payments)
    for payment_id, amount in ((payment["id"], 4999), ("pm_other", 5000)):
        notice = PaymentNotice(
            payment_id=payment_id, gateway_ref="r", amount_cents=amount, paid_at_us=NOW_US, payer_id=None
        )
        before = dump(house)
        with pytest.raises(NoticeRefused), house.write() as connection:
            take_notice(connection, notice, now_us=NOW_US)
        assert dump(house) == before


class FailingGateway:
    """A gateway that fails for some payments and takes note of what it refunded."""

    name = GATEWAY.name

    def __init__(self, *failing, error):
        self.failing, self.error, self.refunded, self.known = set(failing), error, [], set()

    def refund(self, *, payment_id, gateway_ref, amount_cents, refund_id):
        if payment_id in self.failing:
            raise self.error
        assert refund_id not in self.known
        self.known.add(refund_id)
        self.refunded.append((payment_id, gateway_ref, amount_cents))


@pytest.mark.parametrize("error", [Unavailable("gateway"), Refused()])
def test_a_refund_that_fails_is_asked_again_and_keeps_nobody_waiting(house, error):
    people = add_people(house, 2)
    ids = [paid(house, p, "S1") for p in people]
    for person, booking_id in zip(people, ids, strict=True):
        return_slot(house, person, booking_id)
    first, second = (rows(house, payments, booking_id=i)[0]["id"] for i in ids)
    gateway = FailingGateway(first, error=error)
    assert refund_due(house, gateway, now_us=NOW_US) == 1
    assert [payment_id for payment_id, _, _ in gateway.refunded] == [second]
    assert refund_due(house, gateway, now_us=NOW_US + 9 * SECOND_US) == 0
    gateway.failing.clear()
    assert refund_due(house, gateway, now_us=NOW_US + 10 * SECOND_US) == 1
    assert {amount for _, _, amount in gateway.refunded} == {5000}
    assert len(gateway.refunded) == 2


# Holds


def test_an_unpaid_hold_is_let_go_at_its_time_once(house):
    person, next_one = add_people(house, 2)
    booking_id = booked(house, person, "S1", slot_id="S1-002")
    assert expire_holds(house, now_us=NOW_US + HOLD_US - 1) == 0
    assert [expire_holds(house, now_us=NOW_US + HOLD_US) for _ in range(2)] == [1, 0]
    assert (booking_state(house, booking_id), len(events(house, "expired"))) == ("expired", 1)
    (answer,) = book_now(house, ask(next_one, "S1", slot_id="S1-002"), now_us=NOW_US + HOLD_US)
    assert code(answer) == "booking.slot_taken"  # it rests: nobody can lie in wait for it
    assert rows(house, slots, id="S1-002")[0]["reserved_for"] == "rest"


def test_more_holds_than_one_round_takes_are_let_go_over_rounds(house):
    add_session(house, "BIG", seats=30, half="pm")
    book_now(house, *(ask(p, "BIG") for p in add_people(house, 30)))
    assert [expire_holds(house, now_us=NOW_US + HOLD_US, limit=12) for _ in range(4)] == [12, 12, 6, 0]


# Returning


def test_a_returned_slot_rests_and_its_money_is_owed_back(house):
    person, next_one = add_people(house, 2)
    booking_id = paid(house, person, "S1", slot_id="S1-001")
    assert return_slot(house, person, booking_id).booking.state == "returned"
    assert payment_state(house, booking_id) == "refund_due"
    (answer,) = book_now(house, ask(next_one, "S1", slot_id="S1-001"))
    assert code(answer) == "booking.slot_taken"
    assert rows(house, slots, id="S1-001")[0]["reserved_for"] == "rest"
    with pytest.raises(WrongState):
        return_slot(house, person, booking_id)
    assert len(events(house, "cancelled")) == 1


def test_a_return_of_somebody_elses_booking_is_answered_as_if_there_were_none(house):
    person, other = add_people(house, 2)
    booking_id = booked(house, person, "S1")
    for wrong, target in ((other, booking_id), (person, "bk_none")):
        with pytest.raises(BookingUnknown):
            return_slot(house, wrong, target)
    assert booking_state(house, booking_id) == "held"


def test_a_slot_whose_time_has_begun_is_not_returned(house):
    person = add_person(house)
    booking_id = paid(house, person, "S1", slot_id="S1-001")
    with pytest.raises(TooLateToReturn):
        return_slot(house, person, booking_id, now_us=OPENS_US)
    return_slot(house, person, booking_id, now_us=OPENS_US - 1)


def test_returning_cools_the_person_in_that_department_and_it_lapses(house):
    person = add_person(house)
    return_slot(house, person, paid(house, person, "S1"))
    again = ask(person, "S1")
    ends_us = NOW_US + 600 * SECOND_US
    assert [code(a) for a in book_now(house, again, now_us=ends_us - 1)] == ["booking.restricted"]
    assert [code(a) for a in book_now(house, again, now_us=ends_us)] == ["done"]


def test_the_third_late_return_blocks_and_the_block_lapses(house):
    set_limits(house, cooling_after_return_s=0)
    person = add_person(house)
    for late_us in range(OPENS_US - 3, OPENS_US):
        (answer,) = book_now(house, ask(person, "S1"), now_us=late_us)
        assert code(answer) == "done"
        return_slot(house, person, rows(house, bookings, state="held")[0]["id"], now_us=late_us)
    add_session(house, "LATER", day=DAY + timedelta(days=40))
    ends_us = OPENS_US - 1 + 30 * DAY_US
    assert [code(a) for a in book_now(house, ask(person, "LATER"), now_us=ends_us - 1)] == ["booking.restricted"]
    assert [code(a) for a in book_now(house, ask(person, "LATER"), now_us=ends_us)] == ["done"]


def test_late_returns_outside_the_window_do_not_count(house):
    set_limits(house, cooling_after_return_s=0, late_return_window_days=1)
    person = add_person(house)
    for n in range(4):
        day = DAY + timedelta(days=2 * n)
        add_session(house, f"L{n}", day=day)
        now_us = start_of_day_us(day) + 7 * HOUR_US
        return_slot(house, person, booked(house, person, f"L{n}", now_us=now_us), now_us=now_us)
    assert [r["ends_at_us"] - r["starts_at_us"] for r in rows(house, restrictions)] == [0, 0, 0, 0]


# Coming, and not coming


def test_check_in_is_possible_on_site_alone(house):
    booking_id = paid(house, add_person(house), "S1")
    for channel in ("app", "web", "wechat", "phone", "platform:x"):
        with pytest.raises(CheckInElsewhere):
            arrive(house, booking_id, caller=Caller(channel=channel, staff_id="st"))
    assert arrive(house, booking_id, caller=Caller(channel="window", staff_id="st")).booking.state == "checked_in"


def test_check_in_is_possible_on_the_day_alone_and_twice_is_no_error(house):
    person = add_person(house)
    booking_id = paid(house, person, "S1")
    for now_us in (start_of_day_us(DAY) - 1, start_of_day_us(DAY) + DAY_US):
        with pytest.raises(NotToday):
            arrive(house, booking_id, now_us=now_us)
    with pytest.raises(SessionClosed):
        arrive(house, booking_id, now_us=ENDS_US)
    arrive(house, booking_id, now_us=start_of_day_us(DAY))
    before = dump(house)
    assert arrive(house, booking_id).booking.state == "checked_in"
    assert dump(house) == before
    with pytest.raises(WrongState):
        return_slot(house, person, booking_id)


def test_who_has_not_paid_cannot_check_in(house):
    booking_id = booked(house, add_person(house), "S1", now_us=OPENS_US)
    with pytest.raises(WrongState):
        arrive(house, booking_id)


def test_a_session_closes_once_and_names_who_did_not_come(house):
    came, missed = add_people(house, 2)
    arrive(house, paid(house, came, "S1"))
    missed_id = paid(house, missed, "S1")
    assert close_ended_sessions(house, now_us=ENDS_US - 1) == 0
    assert [close_ended_sessions(house, now_us=ENDS_US) for _ in range(2)] == [1, 0]
    assert rows(house, sessions, id="S1")[0]["state"] == "closed"
    assert booking_state(house, missed_id) == "no_show"
    assert [e["patient_id"] for e in events(house, "no_show")] == [missed.patient_id]
    assert sorted(s["state"] for s in rows(house, slots)) == ["free", "taken", "withdrawn"]


def test_a_hold_ends_with_its_session_and_late_money_is_owed_back(house):
    booking_id = booked(house, add_person(house), "S1", now_us=ENDS_US - minutes(1))
    notice = notice_for(house, booking_id, now_us=ENDS_US - minutes(1))
    assert close_ended_sessions(house, now_us=ENDS_US) == 0
    assert rows(house, sessions, id="S1")[0]["state"] == "closed"
    assert (booking_state(house, booking_id), len(events(house, "expired"))) == ("expired", 1)
    assert deliver(house, notice, now_us=ENDS_US) == "refund_due"
    assert events(house, "no_show") == []


def test_the_third_missed_visit_blocks_and_the_block_lapses(house):
    person = add_person(house)
    for n in range(3):
        day = DAY + timedelta(days=7 * n)
        add_session(house, f"W{n}", day=day)
        now_us = start_of_day_us(day)
        paid(house, person, f"W{n}", now_us=now_us)
        assert close_ended_sessions(house, now_us=now_us + 13 * HOUR_US) == 1
    blocked_us = start_of_day_us(DAY) + 14 * DAY_US + 13 * HOUR_US
    add_session(house, "LATER", day=DAY + timedelta(days=120))
    ends_us = blocked_us + 90 * DAY_US
    assert [code(a) for a in book_now(house, ask(person, "LATER"), now_us=ends_us - 1)] == ["booking.restricted"]
    assert [code(a) for a in book_now(house, ask(person, "LATER"), now_us=ends_us)] == ["done"]


def test_a_grace_gives_the_late_ones_their_time(house):
    set_limits(house, no_show_grace_s=3600)
    paid(house, add_person(house), "S1")
    assert close_ended_sessions(house, now_us=ENDS_US + HOUR_US - 1) == 0
    assert close_ended_sessions(house, now_us=ENDS_US + HOUR_US) == 1


# Release, and the worker


def test_a_session_opens_at_its_time_once(house):
    add_session(house, "PLAN", state="planned", release_at_us=NOW_US, half="pm")
    assert release_due(house, now_us=NOW_US - 1) == 0
    assert [release_due(house, now_us=NOW_US) for _ in range(2)] == [1, 0]
    assert {s["state"] for s in rows(house, slots, session_id="PLAN")} == {"free"}
    assert [e["session_id"] for e in events(house, "released")] == ["PLAN"]


def test_release_leaves_withdrawn_slots_withdrawn(house):
    add_session(house, "PLAN", state="planned", release_at_us=NOW_US, half="pm")
    with house.write() as connection:
        connection.execute(update(slots).where(slots.c.id == "PLAN-002").values(state="withdrawn"))
    release_due(house, now_us=NOW_US)
    assert rows(house, slots, id="PLAN-002")[0]["state"] == "withdrawn"


def test_two_workers_at_once_do_each_thing_once(db_url):
    databases = [open_database(db_url) for _ in range(2)]
    db = databases[0]
    add_department(db)
    for n in range(30):
        day = DAY + timedelta(days=n)
        add_session(db, f"PLAN{n}", state="planned", release_at_us=NOW_US, day=day)
    add_session(db, "NOW", seats=40)
    people = add_people(db, 60)
    book_now(db, *(ask(p, "NOW") for p in people[:40]))
    for n, person in enumerate(people[40:]):
        paid(db, person, add_session(db, f"TODAY{n}", half="pm", seats=1, day=DAY - timedelta(days=2)))
    started = threading.Barrier(4)
    now_us = start_of_day_us(DAY) - DAY_US

    def work(which):
        started.wait()
        settings = WorkSettings()
        todo = everything(which, settings)
        Worker(which, ManualClock(now_us), settings, todo).look()

    threads = [threading.Thread(target=work, args=(databases[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e["session_id"] for e in events(db, "released")) == sorted(f"PLAN{n}" for n in range(30))
    assert len(events(db, "expired")) == len({e["patient_id"] for e in events(db, "expired")}) == 40
    assert len(events(db, "no_show")) == len({e["patient_id"] for e in events(db, "no_show")}) == 20
    reasons = Counter(row["reason"] for row in rows(db, restrictions))
    assert reasons == {"no_show": 20, "unpaid_hold": 40}
    assert_sound(db)
    for each in databases:
        each.close()


def test_a_worker_that_looks_again_changes_nothing(house):
    person = add_person(house)
    booked(house, person, "S1")
    returned = add_person(house)
    return_slot(house, returned, paid(house, returned, "S1"))
    add_session(house, "PLAN", state="planned", release_at_us=NOW_US, half="pm")
    clock = ManualClock(ENDS_US + HOUR_US)
    settings = WorkSettings()

    def look():
        todo = everything(house, settings)
        return Worker(house, clock, settings, todo).look()

    first = look()
    assert (first["release"], first["expire"], first["refund"], first["invariants"]) == (1, 1, 1, 0)
    before = dump(house)
    assert set(look().values()) == {0}
    assert dump(house) == before


def until_somebody_waits(db):
    """Until a transaction of this database waits for another one's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 4
    while True:
        with db.read() as connection:
            if connection.execute(text(waiting)).scalar_one():
                return
        assert time.monotonic() < deadline


@pytest.fixture
def on_postgresql(postgresql_url):
    db = open_database(postgresql_url)
    add_department(db)
    yield db
    assert_sound(db)
    db.close()


def test_a_booking_made_in_the_moment_its_session_closes_is_not_left_behind(on_postgresql):
    db = on_postgresql
    add_session(db, "S1", fee_cents=0)
    person = add_person(db)
    missed = []
    closer = threading.Thread(target=lambda: missed.append(close_ended_sessions(db, now_us=ENDS_US)))
    with db.write() as connection:  # begun a moment before the end, committed after it
        book(connection, [ask(person, "S1")], hold=HOLD, now_us=ENDS_US - 1)
        closer.start()
        until_somebody_waits(db)
    closer.join()
    missed.append(close_ended_sessions(db, now_us=ENDS_US))
    assert sum(missed) == 1
    assert [row["state"] for row in rows(db, bookings)] == ["no_show"]
    assert rows(db, sessions)[0]["state"] == "closed"


def test_money_that_comes_in_the_moment_a_session_closes_is_booked_or_owed_back(on_postgresql):
    db = on_postgresql
    add_session(db, "S1")
    booking_id = booked(db, add_person(db), "S1", now_us=ENDS_US - minutes(1))
    notice = GATEWAY.read_notice(*notice_for(db, booking_id, now_us=ENDS_US - minutes(1)))
    closer = threading.Thread(target=close_ended_sessions, args=(db,), kwargs={"now_us": ENDS_US})
    with db.write() as connection:
        assert take_notice(connection, notice, now_us=ENDS_US) == "paid"
        closer.start()
        until_somebody_waits(db)
    closer.join()
    close_ended_sessions(db, now_us=ENDS_US)
    assert booking_state(db, booking_id) == "no_show"
    assert rows(db, sessions)[0]["state"] == "closed"


# Holding without paying


def test_holds_that_run_out_again_and_again_bring_a_block_that_lapses(house):
    set_limits(house, unpaid_holds_counted=3, unpaid_hold_window_days=7, unpaid_hold_block_days=2)
    person, now_us = add_person(house), NOW_US
    for _ in range(3):
        booked(house, person, "S1", now_us=now_us)
        now_us += HOUR_US
        assert expire_holds(house, now_us=now_us) == 1
    assert code(book_now(house, ask(person, "S1"), now_us=now_us)[0]) == "booking.restricted"
    lapsed_us = now_us + 2 * DAY_US
    add_session(house, "S2", half="pm")  # what ran out rests
    assert code(book_now(house, ask(person, "S2"), now_us=lapsed_us)[0]) == "done"


def test_one_hold_that_runs_out_costs_nothing(house):
    person = add_person(house)
    booked(house, person, "S1")
    expire_holds(house, now_us=NOW_US + HOUR_US)
    assert code(book_now(house, ask(person, "S1"), now_us=NOW_US + HOUR_US)[0]) == "done"
