"""Attack: accept an offer twice, too late, after declining it, or in somebody else's name.

An offer is its own person's or nobody's: there is no code in it that could be passed on or sold.
"""

import pytest
from sqlalchemy import update

from flows.drawing import (
    enter_now,
    entry,
    field_of,
    give,
    look,
    nothing_moves,
    offers,
    ranked,
    said,
    seconds,
    sold_out,
    take,
    the_draw,
    waiting,
)
from hospital import (
    HOLD,
    NOW_US,
    Person,
    add_people,
    add_person,
    assert_sound,
    bind,
    booking_state,
    code,
    events,
    pay,
    rows,
)
from shouhao.booking.model import ReturnRequest
from shouhao.booking.tables import bookings
from shouhao.flows.give_back import Caller, return_slots
from shouhao.flows.offers import accept
from shouhao.kernel.clock import DAY_US
from shouhao.patients.tables import bindings
from shouhao.store import answers

LONG_AGO = NOW_US - 30 * DAY_US


@pytest.fixture
def offered(db):
    """An offer of the waitlist: the one it was made to, its booking's row, and when it was made."""
    ((seller, booking_id),) = sold_out(db)
    person = add_person(db)
    drawn_us = ranked(db, person, now_us=NOW_US)
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    return person, offer, drawn_us


def offered_to_two(db):
    """One offer to a parent and a child together."""
    holders = sold_out(db, seats=2)
    parent, child = add_people(db, 2)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    enter_now(db, entry(parent, child, session_id="S1"), now_us=NOW_US)
    drawn_us = the_draw(db, "waitlist")["closes_at_us"]
    look(db, drawn_us)
    give_all(db, holders, drawn_us)
    made = offers(db)
    assert {o["party_id"] for o in made} == {made[0]["party_id"]}
    assert len(made) == 2
    return parent, child, made, drawn_us


def give_all(db, holders, now_us):
    asked = [ReturnRequest(booking_id=i, channel="app", account_id=p.account_id) for p, i in holders]
    with db.write() as connection:
        return_slots(connection, asked, now_us=now_us)


def test_an_acceptance_sent_again_changes_nothing(db, offered):
    person, offer, now_us = offered
    take(db, person, offer["id"], now_us=now_us + 1)
    (held,) = rows(db, bookings, id=offer["id"])
    for later_us in (now_us + 2, now_us + seconds(600)):
        nothing_moves(db, lambda at=later_us: take(db, person, offer["id"], now_us=at), "booking.wrong_state")
    assert rows(db, bookings, id=offer["id"]) == [held]  # no second acceptance lengthens the time to pay
    pay(db, offer["id"], now_us=now_us + 3)
    nothing_moves(db, lambda: take(db, person, offer["id"], now_us=now_us + 4), "booking.wrong_state")
    assert len(events(db, "accepted")) == 1


def test_another_account_accepts_nothing(db, offered):
    person, offer, now_us = offered
    stranger = add_person(db)
    (no,) = nothing_moves(db, lambda: take(db, stranger, offer["id"], now_us=now_us + 1), "booking.unknown")
    assert field_of(no) == "booking_id"
    nothing_moves(db, lambda: take(db, stranger, "bk_nothing", now_us=now_us + 1), "booking.unknown")
    bind(db, [(stranger.account_id, person.patient_id)], bound_at_us=now_us)  # a buyer who was bound after the offer
    nothing_moves(db, lambda: take(db, stranger, offer["id"], now_us=now_us + 1), "booking.unknown")
    (no,) = nothing_moves(db, lambda: [give(db, offer["id"], now_us=now_us + 1, person=stranger)], "booking.unknown")
    assert field_of(no) == "booking_id"


def test_nobody_without_an_account_accepts_by_keeping_silent(db, offered):
    _, offer, now_us = offered

    def act():
        with db.write() as connection:
            accept(connection, booking_id=offer["id"], caller=Caller(channel="kiosk"), hold=HOLD, now_us=now_us + 1)

    nothing_moves(db, act, "booking.unknown")


def test_an_account_that_is_no_longer_bound_accepts_nothing(db, offered):
    person, offer, now_us = offered
    with db.write() as connection:
        connection.execute(
            update(bindings).where(bindings.c.patient_id == person.patient_id).values(unbound_at_us=now_us + 1)
        )
    nothing_moves(db, lambda: take(db, person, offer["id"], now_us=now_us + 2), "booking.unknown")


def test_the_microsecond_at_which_it_ends_is_too_late(db, offered):
    person, offer, _ = offered
    ends_us = offer["hold_expires_at_us"]
    (no,) = nothing_moves(db, lambda: take(db, person, offer["id"], now_us=ends_us), "booking.offer_expired")
    assert field_of(no) == "booking_id"
    take(db, person, offer["id"], now_us=ends_us - 1)
    assert booking_state(db, offer["id"]) == "held"


def test_once_the_worker_has_seen_the_end_a_clock_that_steps_back_brings_nothing_back(db, offered):
    person, offer, now_us = offered
    look(db, offer["hold_expires_at_us"])
    assert booking_state(db, offer["id"]) == "expired"
    nothing_moves(db, lambda: take(db, person, offer["id"], now_us=now_us + 1), "booking.offer_expired")


def test_declined_is_declined(db, offered):
    person, offer, now_us = offered
    assert code(give(db, offer["id"], now_us=now_us + 1, person=person)) == "done"
    nothing_moves(db, lambda: take(db, person, offer["id"], now_us=now_us + 2), "booking.wrong_state")
    assert code(give(db, offer["id"], now_us=now_us + 3, person=person)) == "booking.wrong_state"
    assert [w["state"] for w in waiting(db)] == ["left"]


def test_an_old_offer_takes_nothing_from_the_one_who_has_the_slot_now(db):
    ((seller, booking_id),) = sold_out(db)
    first, second = add_people(db, 2)
    ranked(db, first, now_us=NOW_US)
    drawn_us = ranked(db, second, now_us=NOW_US + seconds(1800))
    give(db, booking_id, now_us=drawn_us, person=seller)
    (old,) = offers(db)
    look(db, old["hold_expires_at_us"])
    (new,) = offers(db)
    assert (old["patient_id"], new["patient_id"]) == (first.patient_id, second.patient_id)
    assert new["slot_id"] == old["slot_id"]
    late_us = new["created_at_us"] + 1
    nothing_moves(db, lambda: take(db, first, old["id"], now_us=late_us), "booking.offer_expired")
    nothing_moves(db, lambda: take(db, first, new["id"], now_us=late_us), "booking.unknown")
    take(db, second, new["id"], now_us=late_us)
    assert_sound(db)


def test_a_party_is_accepted_once_for_all(db):
    parent, child, made, now_us = offered_to_two(db)
    taken = take(db, parent, made[0]["id"], now_us=now_us + 1)
    assert {p.booking.id for p in taken} == {o["id"] for o in made}
    assert {row["state"] for row in rows(db, bookings, party_id=made[0]["party_id"])} == {"held"}
    for offer in made:
        nothing_moves(db, lambda at=offer["id"]: take(db, parent, at, now_us=now_us + 2), "booking.wrong_state")
    assert len(events(db, "accepted")) == 2
    assert_sound(db)
    by_child = Person(patient_id=child.patient_id, account_id=child.account_id)
    nothing_moves(db, lambda: take(db, by_child, made[1]["id"], now_us=now_us + 3), "booking.unknown")


def test_a_party_is_declined_and_lapses_as_one(db):
    parent, _, made, now_us = offered_to_two(db)
    assert code(give(db, made[1]["id"], now_us=now_us + 1, person=parent)) == "done"
    assert {row["state"] for row in rows(db, bookings, party_id=made[0]["party_id"])} == {"returned"}
    for offer in made:
        nothing_moves(db, lambda at=offer["id"]: take(db, parent, at, now_us=now_us + 2), "booking.wrong_state")


def test_the_same_return_under_one_key_declines_once(db, offered):
    person, offer, now_us = offered
    once = answers.once(caller="c", route="return", key="k", body=b"decline")
    asked = ReturnRequest(booking_id=offer["id"], channel="app", account_id=person.account_id, once=once)

    def decline(*requests, at_us):
        with db.write() as connection:
            return return_slots(connection, list(requests), now_us=at_us)

    first, twin = decline(asked, asked, at_us=now_us + 1)
    assert code(first) == "done"
    assert twin == first
    (again,) = nothing_moves(db, lambda: decline(asked, at_us=now_us + 2), "done")
    assert said(again) == said(first)
    assert len(events(db, "cancelled")) == 2  # the seller's return, and one decline
