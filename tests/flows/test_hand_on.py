"""Where a slot goes in the very transaction that lets it go, on both databases."""

import threading

import pytest

from flows.drawing import (
    enter_now,
    entry,
    give,
    join,
    look,
    offers,
    ranked,
    set_release,
    slot,
    sold_out,
    take,
    the_draw,
    wait_for_a_lock,
    waiting,
    ways,
)
from hospital import (
    DAY,
    NOW_US,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    bind,
    book_now,
    booked,
    code,
    events,
    minutes,
    rows,
    set_limits,
)
from shouhao.booking.draw_tables import slot_moves, slot_rests
from shouhao.booking.model import ReturnRequest
from shouhao.flows.extra_slot import request_extra_slot
from shouhao.flows.give_back import Caller, expire_holds, give_back, return_slots
from shouhao.flows.reopen import hand_kept_on
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.patients.store import lock_patients
from shouhao.store.engine import open_database

MORNING = start_of_day_us(DAY) + 8 * HOUR_US  #: of the day of the sessions
STARTS = start_of_day_us(DAY) + 13 * HOUR_US  #: of a session in the afternoon


def test_what_nobody_waits_for_rests_and_is_not_public(db):
    ((seller, booking_id),) = sold_out(db)
    give(db, booking_id, now_us=NOW_US + 1, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "rest"
    assert len(rows(db, slot_rests)) == 1
    assert ways(db, "S1-001") == [("rest", "nobody_waits")]
    (answer,) = book_now(db, ask(add_person(db), "S1"), now_us=NOW_US + 1)
    assert code(answer) == "booking.sold_out"
    assert_sound(db)


@pytest.mark.parametrize("channel", ["window", "kiosk"])
def test_what_is_returned_in_the_house_stays_there(db, channel):
    ((_, booking_id),) = sold_out(db)
    give(db, booking_id, now_us=NOW_US + 1, channel=channel)
    assert slot(db, "S1-001")["reserved_for"] == "window"
    person = add_person(db)
    online, here = book_now(db, ask(person, "S1"), ask(person, "S1", channel="window"), now_us=NOW_US + 2)
    assert (code(online), code(here)) == ("booking.sold_out", "done")
    assert_sound(db)


def test_those_who_wait_come_first_in_the_same_transaction(db):
    ((seller, booking_id),) = sold_out(db)
    people = add_people(db, 3)
    drawn_us = ranked(db, *people, now_us=NOW_US)
    first = waiting(db)[0]
    with db.write() as connection:
        me = Caller(channel="app", account_id=seller.account_id)
        give_back(connection, booking_id=booking_id, caller=me, now_us=drawn_us + 5)
    (offer,) = offers(db)
    assert (offer["wait_id"], offer["created_at_us"]) == (first["id"], drawn_us + 5)
    assert (offer["slot_id"], slot(db, "S1-001")["booking_id"]) == ("S1-001", offer["id"])
    (move,) = rows(db, slot_moves)
    assert (move["way"], move["why"], move["at_us"]) == ("offered", "returned", drawn_us + 5)
    assert len(events(db, "offered")) == 1
    assert_sound(db)


@pytest.mark.parametrize("channel", ["window", "kiosk"])
def test_those_who_wait_come_before_the_window_too_and_the_slot_goes_home_after_them(db, channel):
    ((_, booking_id),) = sold_out(db)
    lapses, declines, leaves_unpaid = people = add_people(db, 3)
    for n, person in enumerate(people):
        drawn_us = ranked(db, person, now_us=NOW_US + n * minutes(30))
    give(db, booking_id, now_us=drawn_us, channel=channel)
    (offer,) = offers(db, patient_id=lapses.patient_id)
    look(db, offer["hold_expires_at_us"])
    (offer,) = offers(db, patient_id=declines.patient_id)
    give(db, offer["id"], now_us=offer["created_at_us"] + 1, person=declines)
    (offer,) = offers(db, patient_id=leaves_unpaid.patient_id)
    take(db, leaves_unpaid, offer["id"], now_us=offer["created_at_us"] + 1)
    look(db, offer["created_at_us"] + minutes(16))
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert [way for way, _ in ways(db, "S1-001")] == ["offered", "offered", "offered", "window"]
    assert_sound(db)


def test_what_was_declined_in_the_house_stays_there_too_whoever_was_offered_it_next(db):
    ((seller, booking_id),) = sold_out(db)
    first, second = add_people(db, 2)
    ranked(db, first, now_us=NOW_US)
    drawn_us = ranked(db, second, now_us=NOW_US + minutes(30))
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db, patient_id=first.patient_id)
    give(db, offer["id"], now_us=drawn_us + 1, channel="window")
    (offer,) = offers(db, patient_id=second.patient_id)
    look(db, offer["hold_expires_at_us"])
    assert slot(db, "S1-001")["reserved_for"] == "window"


def test_what_was_once_returned_in_the_house_never_rests_again(db):
    ((_, booking_id),) = sold_out(db)
    give(db, booking_id, now_us=NOW_US + 1, channel="window")
    person = add_person(db)
    again = booked(db, person, "S1", channel="window", now_us=NOW_US + 2)
    give(db, again, now_us=NOW_US + 3)  # staff return it, with an app's caller
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert_sound(db)


def test_on_its_own_day_it_is_for_people_in_need_and_then_for_the_window(db):
    ((seller, booking_id),) = sold_out(db, half="pm")
    give(db, booking_id, now_us=MORNING, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "care"
    look(db, STARTS - minutes(60) - 1)
    assert slot(db, "S1-001")["reserved_for"] == "care"
    look(db, STARTS - minutes(60))
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert ways(db, "S1-001") == [("care", "nobody_waits"), ("window", "care_over")]
    assert_sound(db)


def test_in_the_last_hour_it_is_for_the_window(db):
    ((seller, booking_id),) = sold_out(db, half="pm")
    give(db, booking_id, now_us=STARTS - minutes(59), person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "window"


def test_a_hospital_without_a_care_pool_sends_it_to_the_window(db):
    set_release(db, {"returns": {"care_pool": False}})
    ((seller, booking_id),) = sold_out(db, half="pm")
    give(db, booking_id, now_us=MORNING, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "window"


@pytest.mark.parametrize(("rest_most_h", "way"), [(7, "rest"), (8, "window")])
def test_a_rest_that_would_end_in_the_last_hour_is_not_begun(db, rest_most_h, way):
    set_release(db, {"returns": {"rest_most_s": rest_most_h * 3600}})
    ((seller, booking_id),) = sold_out(db)  # at eight in the morning
    give(db, booking_id, now_us=start_of_day_us(DAY) - minutes(1), person=seller)
    assert slot(db, "S1-001")["reserved_for"] == way


def test_it_is_kept_for_those_whose_order_is_not_drawn_yet(db):
    ((seller, booking_id),) = sold_out(db)
    people = add_people(db, 3)
    join(db, *people, now_us=NOW_US)
    give(db, booking_id, now_us=NOW_US + 1, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "waitlist"
    (latecomer,) = add_people(db, 1)
    join(db, latecomer, now_us=NOW_US + minutes(29))  # as good as those who came before the return
    look(db, the_draw(db, "waitlist")["closes_at_us"] - 1)
    assert offers(db) == []
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    (offer,) = offers(db)
    assert offer["wait_id"] == waiting(db)[0]["id"]
    assert ways(db, "S1-001") == [("kept", "returned"), ("offered", "batch_drawn")]
    assert_sound(db)


def test_it_is_kept_for_the_next_batch_when_nobody_of_the_first_may_have_it(db):
    ((seller, booking_id),) = sold_out(db)
    over, other = add_people(db, 2)
    drawn_us = ranked(db, over, now_us=NOW_US)
    add_session(db, "S2", half="pm", seats=1)
    booked(db, over, "S2", now_us=drawn_us)
    join(db, other, now_us=drawn_us)
    give(db, booking_id, now_us=drawn_us + 1, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "waitlist"
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    (offer,) = offers(db)
    assert offer["patient_id"] == other.patient_id
    assert_sound(db)


def test_what_was_kept_in_vain_goes_its_way_when_the_batch_is_drawn(db):
    ((_, booking_id),) = sold_out(db)
    over = add_person(db)
    join(db, over, now_us=NOW_US)
    add_session(db, "S2", half="pm", seats=1)
    booked(db, over, "S2", now_us=NOW_US)
    give(db, booking_id, now_us=NOW_US + 1, channel="window")
    assert slot(db, "S1-001")["reserved_for"] == "waitlist"
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert_sound(db)


def test_near_the_session_nobody_is_waited_for(db):
    ((seller, booking_id),) = sold_out(db, half="pm")
    ranked(db, add_person(db), now_us=NOW_US)
    give(db, booking_id, now_us=STARTS - minutes(30), person=seller)
    assert offers(db) == []
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert ways(db, "S1-001") == [("window", "session_near")]


def test_several_that_come_back_together_go_to_several_in_their_order(db):
    holders = sold_out(db, seats=3)
    drawn_us = ranked(db, *add_people(db, 5), now_us=NOW_US)
    order = [w["id"] for w in waiting(db)]
    asked = [ReturnRequest(booking_id=i, channel="app", account_id=p.account_id) for p, i in holders]
    with db.write() as connection:
        return_slots(connection, asked, now_us=drawn_us)
    assert [o["wait_id"] for o in sorted(offers(db), key=lambda o: o["slot_id"])] == order[:3]
    assert_sound(db)


def test_a_family_waits_until_there_is_a_slot_for_each(db):
    (one, first), (two, second) = sold_out(db, seats=2)
    parent, child = add_people(db, 2)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=NOW_US - 30 * DAY_US)
    enter_now(db, entry(parent, child, session_id="S1"), now_us=NOW_US)
    drawn_us = the_draw(db, "waitlist")["closes_at_us"]
    look(db, drawn_us)
    give(db, first, now_us=drawn_us, person=one)
    assert offers(db) == []
    asked = [ReturnRequest(booking_id=second, channel="app", account_id=two.account_id)]
    with db.write() as connection:
        return_slots(connection, asked, now_us=drawn_us + 1)
    assert offers(db) == []  # one rests, one came back: they were never two at one moment
    assert [w["state"] for w in waiting(db)] == ["waiting"]
    assert_sound(db)


def test_who_has_a_slot_of_the_session_by_another_way_waits_no_more(db):
    ((seller, booking_id),) = sold_out(db)
    served, behind = add_people(db, 2)
    ranked(db, served, now_us=NOW_US)
    drawn_us = ranked(db, behind, now_us=NOW_US + minutes(30))
    assert extra_slot(db, served, now_us=drawn_us) is not None
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    assert offer["patient_id"] == behind.patient_id
    assert [w["state"] for w in waiting(db)] == ["ended", "offered"]


def extra_slot(db, person, *, now_us):
    with db.write() as connection:
        return request_extra_slot(
            connection,
            session_id="S1",
            patient_id=person.patient_id,
            reason="复诊换药",
            staff_id="st-doctor",
            doctor_id="D1",
            now_us=now_us,
        ).booking


def test_an_extra_slot_is_its_patients_alone_and_is_handed_to_nobody(db):
    sold_out(db)
    drawn_us = ranked(db, add_person(db), now_us=NOW_US)
    booking = extra_slot(db, add_person(db), now_us=drawn_us)
    give(db, booking.id, now_us=drawn_us + 1)
    assert slot(db, booking.slot_id)["state"] == "withdrawn"
    assert offers(db) == []
    assert_sound(db)


def test_a_hold_that_runs_out_goes_to_those_who_wait(db):
    set_release(db, {"waitlist": {"batch_s": 600}})
    ((seller, first),) = sold_out(db)
    give(db, first, now_us=NOW_US, channel="window")
    booked(db, add_person(db), "S1", channel="window", now_us=NOW_US)
    person = add_person(db)
    join(db, person, now_us=NOW_US)
    look(db, NOW_US + minutes(10))
    assert expire_holds(db, now_us=NOW_US + minutes(15)) == 1
    (offer,) = offers(db)
    assert offer["patient_id"] == person.patient_id
    assert ways(db, "S1-001")[-1] == ("offered", "hold_expired")
    assert seller.patient_id != person.patient_id


@pytest.mark.parametrize(
    ("at", "stands_until"),
    [
        ("12:00", "12:30"),
        ("21:45", "07:15 next"),
        ("22:00", "07:30 next"),
        ("23:30", "07:30 next"),
        ("03:00", "07:30"),
        ("06:59", "07:30"),
        ("07:00", "07:30"),
    ],
)
def test_an_offer_of_the_night_waits_for_the_morning(db, at, stands_until):
    ((seller, booking_id),) = sold_out(db)
    ranked(db, add_person(db), now_us=NOW_US)
    saturday_us = start_of_day_us(DAY) - 2 * DAY_US
    give(db, booking_id, now_us=saturday_us + clock(at), person=seller)
    (offer,) = offers(db)
    day_us = DAY_US if stands_until.endswith("next") else 0
    assert offer["hold_expires_at_us"] == saturday_us + day_us + clock(stands_until[:5])


def clock(at):
    hours, mins = at.split(":")
    return int(hours) * HOUR_US + minutes(int(mins))


def test_near_the_session_an_offer_is_short_and_never_outlasts_the_waitlist(db):
    ((seller, booking_id), (other, other_id)) = sold_out(db, seats=2, half="pm")
    ranked(db, *add_people(db, 2), now_us=NOW_US)
    give(db, booking_id, now_us=STARTS - 3 * HOUR_US, person=seller)
    (offer,) = offers(db)
    assert offer["hold_expires_at_us"] == STARTS - 3 * HOUR_US + minutes(10)
    give(db, other_id, now_us=STARTS - minutes(34), person=other)
    assert {o["hold_expires_at_us"] for o in offers(db)} == {
        STARTS - 3 * HOUR_US + minutes(10),
        STARTS - minutes(30),
    }


def test_a_person_whom_somebody_holds_is_not_passed_over_but_waited_for(postgresql_url):
    """A slot comes back while its next person is busy: it is kept, and the worker hands it on in the right order."""
    db, other = open_database(postgresql_url), open_database(postgresql_url)
    ((seller, booking_id),) = sold_out(db)
    first, second = add_people(db, 2)
    ranked(db, first, now_us=NOW_US)
    drawn_us = ranked(db, second, now_us=NOW_US + minutes(30))
    with other.write() as connection:
        lock_patients(connection, [first.patient_id])
        give(db, booking_id, now_us=drawn_us, person=seller)
        assert slot(db, "S1-001")["reserved_for"] == "waitlist"
        assert offers(db) == []
        worker = threading.Thread(target=lambda: hand_kept_on(db, now_us=drawn_us + 1))
        worker.start()
        wait_for_a_lock(db)
    worker.join()
    (offer,) = offers(db)
    assert offer["patient_id"] == first.patient_id
    assert [way for way, _ in ways(db, "S1-001")] == ["kept", "offered"]
    assert hand_kept_on(db, now_us=drawn_us + 2) == 0
    assert_sound(db)
    for each in (db, other):
        each.close()


def test_a_person_who_is_busy_further_down_holds_up_nobody_before_them(postgresql_url):
    db, other = open_database(postgresql_url), open_database(postgresql_url)
    ((seller, booking_id),) = sold_out(db)
    first, second = add_people(db, 2)
    ranked(db, first, now_us=NOW_US)
    drawn_us = ranked(db, second, now_us=NOW_US + minutes(30))
    with other.write() as connection:
        lock_patients(connection, [second.patient_id])
        give(db, booking_id, now_us=drawn_us, person=seller)
        (offer,) = offers(db)
    assert offer["patient_id"] == first.patient_id
    for each in (db, other):
        each.close()


def test_who_returns_is_not_taken_for_busy(postgresql_url):
    """Somebody's return is decided together with the return of the slot that they wait for."""
    db = open_database(postgresql_url)
    set_limits(db, cooling_after_return_s=0)
    ((seller, waited_for),) = sold_out(db)
    add_session(db, "S2", half="pm", seats=1)
    person = add_person(db)
    drawn_us = ranked(db, person, now_us=NOW_US)
    mine = booked(db, person, "S2", now_us=drawn_us)
    asked = [
        ReturnRequest(booking_id=mine, channel="app", account_id=person.account_id),
        ReturnRequest(booking_id=waited_for, channel="app", account_id=seller.account_id),
    ]
    with db.write() as connection:
        assert [code(a) for a in return_slots(connection, asked, now_us=drawn_us)] == ["done", "done"]
    (offer,) = offers(db)
    assert (offer["patient_id"], offer["session_id"]) == (person.patient_id, "S1")
    assert_sound(db)
    db.close()
