"""Leaving a waitlist: only while one waits, for all who wait together, and no slot is left behind."""

import pytest

from flows.drawing import enter_now, entry, give, look, nothing_moves, ranked, seconds, sold_out, waiting, ways
from hospital import NOW_US, add_people, add_person, assert_sound, bind, events, rows
from shouhao.booking.store import lifecycle
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.waits import SlotState
from shouhao.booking.tables import slots
from shouhao.flows.give_back import Caller
from shouhao.flows.leave import leave


def leave_now(db, wait_id, *, account_id=None, staff_id=None, now_us):
    with db.write() as connection:
        caller = Caller(channel="app", account_id=account_id, staff_id=staff_id)
        return leave(connection, wait_id=wait_id, caller=caller, now_us=now_us)


def keep(db, slot):
    """Its booking ended, and it is kept, as when whoever waits was busy in another unit of work."""
    with db.write() as connection:
        lifecycle.set_state(connection, [slot["booking_id"]], "returned", ended_at_us=NOW_US + 1)
        wait_store.set_slots(connection, [SlotState(id=slot["id"], state="reserved", reserved_for="waitlist")])


def test_a_place_is_left_by_its_own_account_or_by_staff(db):
    sold_out(db)
    people = add_people(db, 2)
    at = ranked(db, *people, now_us=NOW_US + seconds(60))
    stranger = add_person(db)
    first, second = waiting(db)
    for account_id in (None, stranger.account_id, second["account_id"]):
        nothing_moves(
            db, lambda who=account_id: leave_now(db, first["id"], account_id=who, now_us=at), "booking.not_waiting"
        )
    nothing_moves(db, lambda: leave_now(db, "wt_nothing", staff_id="st", now_us=at), "booking.not_waiting")
    leave_now(db, first["id"], account_id=first["account_id"], now_us=at)
    leave_now(db, second["id"], staff_id="st", now_us=at)
    assert [(w["state"], w["ended_at_us"]) for w in waiting(db)] == [("left", at)] * 2
    assert [e["staff_id"] for e in events(db, "waitlist_left")] == [None, "st"]
    assert_sound(db)


def test_who_is_offered_a_slot_declines_it_and_does_not_leave(db):
    ((holder, booking_id),) = sold_out(db)
    (person,) = add_people(db, 1)
    at = ranked(db, person, now_us=NOW_US + seconds(60))
    give(db, booking_id, person=holder, now_us=at)
    (wait,) = waiting(db, state="offered")
    nothing_moves(db, lambda: leave_now(db, wait["id"], account_id=person.account_id, now_us=at), "booking.not_waiting")


@pytest.mark.parametrize("others", [0, 1])
def test_what_was_kept_for_the_last_who_waits_goes_on_when_they_leave(db, others):
    sold_out(db, seats=2)
    people = add_people(db, 1 + others)
    at = ranked(db, *people, now_us=NOW_US + seconds(60))
    wait = waiting(db)[0]
    (slot, *_) = rows(db, slots, session_id="S1")
    keep(db, slot)
    leave_now(db, wait["id"], account_id=wait["account_id"], now_us=at)
    (after,) = rows(db, slots, id=slot["id"])
    assert after["reserved_for"] == ("waitlist" if others else "rest")
    assert ways(db, slot["id"])[-1:] == ([] if others else [("rest", "nobody_waits")])


def test_a_family_leaves_together(db):
    sold_out(db)
    parent, child = add_people(db, 2)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=NOW_US - seconds(10**6))
    at = NOW_US + seconds(60)
    enter_now(db, entry(parent, child, session_id="S1"), now_us=at)
    look(db, at + seconds(1800))
    (wait,) = waiting(db)
    leave_now(db, wait["id"], account_id=parent.account_id, now_us=at + seconds(1801))
    assert sorted(e["patient_id"] for e in events(db, "waitlist_left")) == sorted([parent.patient_id, child.patient_id])
    with db.read() as connection:
        assert wait_store.live_members(connection, [parent.patient_id, child.patient_id]) == set()
