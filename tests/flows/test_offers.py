"""An offer from the moment it is made to the slot that is booked, or goes on to the next."""

import pytest

from flows.drawing import (
    AFTER,
    OPENS,
    enter_now,
    entry,
    give,
    join,
    look,
    offers,
    open_draw,
    ranked,
    released,
    seconds,
    slot,
    sold_out,
    take,
    the_draw,
    waiting,
    ways,
)
from hospital import (
    DAY,
    HOLD,
    NOW_US,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    book_now,
    booked,
    booking_state,
    code,
    events,
    minutes,
    pay,
    rows,
    set_limits,
)
from shouhao.booking.store import waits as wait_store
from shouhao.booking.tables import bookings, restrictions
from shouhao.flows.attend import close_ended_sessions
from shouhao.flows.give_back import Caller
from shouhao.flows.offers import accept
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us

STARTS = start_of_day_us(DAY) + 13 * HOUR_US  #: of a session in the afternoon


def offer_to(db, *people, now_us=NOW_US, **how):
    """Somebody returns a slot, and the first of these people is offered it; the offer and when it was made."""
    ((seller, booking_id),) = sold_out(db, **how)
    for person in people:
        now_us = ranked(db, person, now_us=now_us)
    give(db, booking_id, now_us=now_us, person=seller)
    (offer,) = offers(db)
    return offer, now_us


def marks(db, reason="unpaid_hold"):
    return [row["patient_id"] for row in rows(db, restrictions, reason=reason)]


def test_an_offer_that_is_accepted_is_held_until_it_is_paid(db):
    person = add_person(db)
    offer, now_us = offer_to(db, person)
    (placed,) = take(db, person, offer["id"], now_us=now_us + 7)
    assert (placed.booking.state, placed.booking.hold_expires_at_us) == ("held", now_us + 7 + seconds(900))
    assert [w["state"] for w in waiting(db)] == ["served"]
    pay(db, offer["id"], now_us=now_us + 8)
    assert booking_state(db, offer["id"]) == "booked"
    assert slot(db, "S1-001")["booking_id"] == offer["id"]
    assert len(events(db, "accepted")) == 1
    assert_sound(db)


def test_one_that_costs_nothing_is_booked_by_accepting_it(db):
    seller, person = add_people(db, 2)
    released(db, seats=1, fee_cents=0)
    booking_id = booked(db, seller, "S1")
    now_us = ranked(db, person, now_us=NOW_US)
    give(db, booking_id, now_us=now_us, person=seller)
    (offer,) = offers(db)
    take(db, person, offer["id"], now_us=now_us + 1)
    assert booking_state(db, offer["id"]) == "booked"
    assert_sound(db)


def test_one_that_is_accepted_and_not_paid_goes_to_the_next(db):
    first, second = add_people(db, 2)
    offer, now_us = offer_to(db, first, second)
    take(db, first, offer["id"], now_us=now_us + 1)
    look(db, now_us + 1 + seconds(900))
    (next_one,) = offers(db)
    assert next_one["patient_id"] == second.patient_id
    assert ways(db, "S1-001")[-1] == ("offered", "hold_expired")
    assert marks(db) == [first.patient_id]
    assert [w["state"] for w in waiting(db)] == ["served", "offered"]
    assert_sound(db)


def test_one_that_nobody_answers_goes_on_and_costs_who_waited_nothing(db):
    first, second = add_people(db, 2)
    offer, _ = offer_to(db, first, second)
    look(db, offer["hold_expires_at_us"] - 1)
    assert [o["id"] for o in offers(db)] == [offer["id"]]
    look(db, offer["hold_expires_at_us"])
    (next_one,) = offers(db)
    assert next_one["patient_id"] == second.patient_id
    assert [w["state"] for w in waiting(db)] == ["lapsed", "offered"]
    assert marks(db) == []
    assert_sound(db)


def test_winning_a_draw_and_not_answering_is_counted(db):
    draw = open_draw(db, seats=1)
    person = add_person(db)
    enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, AFTER)
    look(db, AFTER + seconds(1800))
    assert marks(db) == [person.patient_id]
    assert slot(db, "S1-001")["reserved_for"] == "rest"
    assert_sound(db)


@pytest.mark.parametrize("channel", ["app", "window"])
def test_declining_costs_nothing_and_serves_the_next(db, channel):
    first, second = add_people(db, 2)
    offer, now_us = offer_to(db, first, second)
    answer = give(db, offer["id"], now_us=now_us + 1, channel=channel, person=first if channel == "app" else None)
    assert code(answer) == "done"
    (next_one,) = offers(db)
    assert next_one["patient_id"] == second.patient_id
    assert rows(db, restrictions, patient_id=first.patient_id) == []
    assert [w["state"] for w in waiting(db)] == ["left", "offered"]
    assert_sound(db)


def test_who_let_an_offer_go_may_join_again_behind_the_others(db):
    first, second = add_people(db, 2)
    offer, now_us = offer_to(db, first, second)
    give(db, offer["id"], now_us=now_us + 1, person=first)
    join(db, first, now_us=now_us + 2)
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    assert [w["state"] for w in waiting(db)] == ["left", "lapsed", "offered"]
    assert waiting(db)[-1]["account_id"] == first.account_id
    assert_sound(db)


def test_with_one_wish_accepted_the_others_are_wished_no_more(db):
    draw = open_draw(db, seats=1, session_ids=("S1", "S2"))
    people = add_people(db, 3)
    by_id = {p.patient_id: p for p in people}
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1", "S2"]) for p in people), now_us=OPENS)
    look(db, AFTER)
    won = {o["session_id"]: o for o in offers(db)}
    assert set(won) == {"S1", "S2"}
    give(db, won["S1"]["id"], now_us=AFTER + 1, person=by_id[won["S1"]["patient_id"]])
    (offer,) = offers(db, session_id="S1")
    take(db, by_id[offer["patient_id"]], offer["id"], now_us=AFTER + 2)
    assert sorted((w["session_id"], w["state"]) for w in waiting(db)) == [("S1", "served"), ("S2", "ended")]
    assert_sound(db)


def test_a_wish_that_ends_as_its_slot_comes_back_is_offered_nothing(postgresql_db, monkeypatch):
    db = postgresql_db
    draw = open_draw(db, seats=1, session_ids=("S1", "S2"))
    people = add_people(db, 3)
    by_id = {p.patient_id: p for p in people}
    set_limits(db, live_per_department_day=3)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1", "S2"]) for p in people), now_us=OPENS)
    look(db, AFTER)
    won = {o["session_id"]: o for o in offers(db)}
    give(db, won["S1"]["id"], now_us=AFTER + 1, person=by_id[won["S1"]["patient_id"]])
    (offer,) = offers(db, session_id="S1")
    next_waits = wait_store.next_waits

    def next_waits_and_then_she_accepts(connection, wanted):
        monkeypatch.undo()
        found = next_waits(connection, wanted)
        take(db, by_id[offer["patient_id"]], offer["id"], now_us=AFTER + 2)
        return found

    monkeypatch.setattr(wait_store, "next_waits", next_waits_and_then_she_accepts)
    give(db, won["S2"]["id"], now_us=AFTER + 2, person=by_id[won["S2"]["patient_id"]])
    assert sorted((w["session_id"], w["state"]) for w in waiting(db)) == [("S1", "served"), ("S2", "ended")]
    assert offers(db) == []
    assert_sound(db)


def test_an_offer_counts_as_a_booking_while_it_stands(db):
    person = add_person(db)
    offer, now_us = offer_to(db, person)
    add_session(db, "S2", half="pm")
    (no,) = book_now(db, ask(person, "S2"), now_us=now_us + 1)
    assert code(no) == "booking.limit_reached"
    give(db, offer["id"], now_us=now_us + 2, person=person)
    (answer,) = book_now(db, ask(person, "S2"), now_us=now_us + 3)
    assert code(answer) == "done"


def test_an_offer_cannot_be_paid_before_it_is_accepted(db):
    person = add_person(db)
    offer, now_us = offer_to(db, person)
    with pytest.raises(Exception, match="booking") as caught:
        pay(db, offer["id"], now_us=now_us + 1)
    assert code(caught.value) == "booking.wrong_state"
    assert booking_state(db, offer["id"]) == "offered"


def test_who_joined_at_the_window_accepts_at_the_window(db):
    ((seller, booking_id),) = sold_out(db)
    person = add_person(db)
    enter_now(db, entry(person, session_id="S1", account_id=None, channel="window", staff_id="st"), now_us=NOW_US)
    now_us = the_draw(db, "waitlist")["closes_at_us"]
    look(db, now_us)
    give(db, booking_id, now_us=now_us, person=seller)
    (offer,) = offers(db)
    assert (offer["account_id"], offer["channel"]) == (None, "window")
    with db.write() as connection:
        staff = Caller(channel="window", staff_id="st")
        (placed,) = accept(connection, booking_id=offer["id"], caller=staff, hold=HOLD, now_us=now_us + 1)
    assert placed.booking.state == "held"
    assert_sound(db)


def test_an_offer_ends_with_the_waitlist_and_the_slot_goes_to_the_window(db):
    person = add_person(db)
    ((seller, booking_id),) = sold_out(db, half="pm")
    ranked(db, person, now_us=NOW_US)
    give(db, booking_id, now_us=STARTS - minutes(33), person=seller)
    (offer,) = offers(db)
    assert offer["hold_expires_at_us"] == STARTS - minutes(30)
    look(db, STARTS - minutes(30))
    assert offers(db) == []
    assert slot(db, "S1-001")["reserved_for"] == "window"
    assert [w["state"] for w in waiting(db)] == ["lapsed"]
    assert_sound(db)


def test_an_offer_of_a_draw_does_not_outlast_its_session(db):
    draw = open_draw(db, seats=1, body={"kind": "draw", "draw": {"confirm_s": 7 * 86_400}})
    enter_now(db, entry(add_person(db), draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, AFTER)
    (offer,) = offers(db)
    assert offer["hold_expires_at_us"] == start_of_day_us(DAY) + 8 * HOUR_US


def test_an_offer_that_is_open_when_its_session_is_over_is_nobodys_no_show(db):
    draw = open_draw(db, seats=1, body={"kind": "draw", "draw": {"confirm_s": 7 * 86_400}})
    enter_now(db, entry(add_person(db), draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, AFTER)
    (offer,) = offers(db)
    close_ended_sessions(db, now_us=NOW_US + 4 * DAY_US)  # no worker had looked for days
    assert booking_state(db, offer["id"]) == "expired"
    assert marks(db, "no_show") == []
    assert slot(db, "S1-001")["state"] == "withdrawn"
    assert rows(db, bookings, state="offered") == []
    assert_sound(db)
