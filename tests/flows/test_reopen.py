"""What was kept for somebody goes on when its time is over; nothing dies unused, nothing opens early or twice."""

from datetime import timedelta

import pytest

from flows.drawing import (
    enter_now,
    entry,
    field_of,
    give,
    join,
    look,
    offers,
    ranked,
    released,
    seconds,
    set_release,
    slot,
    sold_out,
    the_draw,
    waiting,
    ways,
)
from hospital import (
    DAY,
    NOW_US,
    add_people,
    add_person,
    ask,
    assert_sound,
    book_now,
    booked,
    code,
    dump,
    events,
    minutes,
    rows,
)
from shouhao.booking.draw_tables import slot_rests
from shouhao.booking.tables import sessions, slots
from shouhao.flows.reopen import hand_kept_on, open_rested, revisit_due
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.kernel.randomness import SeededRandomness, SystemRandomness

STARTS = start_of_day_us(DAY) + 13 * HOUR_US  #: of a session in the afternoon


def resting(db, *, seats=1, **how):
    """A sold-out session whose slots were all returned, each a second after the one before; since when."""
    for n, (seller, booking_id) in enumerate(sold_out(db, seats=seats, **how)):
        give(db, booking_id, now_us=NOW_US + seconds(n), person=seller)
    assert {row["reserved_for"] for row in rows(db, slots)} == {"rest"}
    return NOW_US


class Never:
    """Chance that says no as long as it may."""

    def below(self, limit):
        return limit - 1

    def token(self, size_bytes):
        return bytes(size_bytes)


class Always(Never):
    """Chance that says yes whenever it is asked."""

    def below(self, limit):  # noqa: ARG002 - the shape of the port
        return 0


def test_a_resting_slot_opens_between_one_and_two_hours_and_not_at_one_moment(sqlite_db):
    db = sqlite_db
    since_us = resting(db, seats=40)
    opened = {}
    for at_s in range(0, 7300, 15):
        open_rested(db, SeededRandomness(at_s), now_us=since_us + seconds(at_s))
        for row in rows(db, slots, state="free"):
            opened.setdefault(row["id"], at_s)
    assert len(opened) == 40
    assert min(opened.values()) >= 3600
    assert max(opened.values()) <= 7200 + 40
    assert len(set(opened.values())) > 15
    assert rows(db, slot_rests) == []
    assert_sound(db)


@pytest.mark.parametrize("chance", [Always(), SystemRandomness()])
def test_nothing_opens_in_the_first_hour_whatever_chance_says(db, chance):
    since_us = resting(db)
    for at_s in (1, 1800, 3599, 3600):
        look(db, since_us + seconds(at_s), randomness=chance)
        assert slot(db, "S1-001")["reserved_for"] == "rest"


def test_everything_opens_within_two_hours_whatever_chance_says(db):
    since_us = resting(db)
    for at_s in range(3600, 7200, 15):
        open_rested(db, Never(), now_us=since_us + seconds(at_s))
    assert slot(db, "S1-001")["state"] == "free"
    assert ways(db, "S1-001") == [("rest", "nobody_waits"), ("public", "rest_over")]
    (answer,) = book_now(db, ask(add_person(db), "S1"), now_us=since_us + seconds(7200))
    assert code(answer) == "done"
    assert_sound(db)


def test_a_worker_that_was_away_opens_it_at_its_first_look(db):
    since_us = resting(db)
    look(db, since_us + DAY_US, randomness=Never())
    assert slot(db, "S1-001")["state"] == "free"


def test_a_second_look_at_the_same_moment_asks_chance_no_second_time(db):
    since_us = resting(db)
    at_us = since_us + seconds(3600 + 20 * 15)
    open_rested(db, Never(), now_us=at_us)
    before = dump(db)
    for _ in range(50):
        assert open_rested(db, Always(), now_us=at_us) == 0
    assert dump(db) == before


def test_who_joins_while_it_rests_is_offered_it_and_nobody_else(db):
    since_us = resting(db)
    person = add_person(db)
    join(db, person, now_us=since_us + minutes(10))
    look(db, the_draw(db, "waitlist")["closes_at_us"], randomness=Always())
    (offer,) = offers(db)
    assert offer["patient_id"] == person.patient_id
    assert ways(db, "S1-001") == [("rest", "nobody_waits"), ("offered", "batch_drawn")]
    assert rows(db, slot_rests) == []
    assert_sound(db)


def test_who_joined_and_is_not_drawn_yet_is_not_overtaken_by_the_public(db):
    since_us = resting(db)
    person = add_person(db)
    join(db, person, now_us=since_us + minutes(59))
    look(db, since_us + minutes(65), randomness=Always())
    assert slot(db, "S1-001")["reserved_for"] == "waitlist"
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    (offer,) = offers(db)
    assert offer["patient_id"] == person.patient_id
    assert_sound(db)


def test_a_slot_that_rests_is_nothing_free_so_it_can_be_waited_for_but_a_free_one_cannot(db):
    since_us = resting(db)
    look(db, since_us + HOUR_US + minutes(1), randomness=Always())
    (no,) = enter_now(db, entry(add_person(db), session_id="S1"), now_us=since_us + 2 * HOUR_US)
    assert code(no) == "booking.waitlist_not_open"
    assert field_of(no) == "session_id"


def test_the_waitlist_ends_half_an_hour_before_the_session(db):
    sold_out(db, half="pm")
    first, second = add_people(db, 2)
    ranked(db, first, now_us=NOW_US)
    join(db, second, now_us=STARTS - minutes(41))
    (no,) = enter_now(db, entry(add_person(db), session_id="S1"), now_us=STARTS - minutes(40))
    assert code(no) == "booking.waitlist_closed"
    look(db, STARTS - minutes(40))
    assert [w["state"] for w in waiting(db)] == ["waiting", "waiting"]
    look(db, STARTS - minutes(30) - 1)
    assert [w["state"] for w in waiting(db)] == ["waiting", "waiting"]
    look(db, STARTS - minutes(30))
    assert [w["state"] for w in waiting(db)] == ["ended", "ended"]
    assert_sound(db)


def test_what_is_still_kept_when_the_waitlist_ends_goes_to_the_window(db):
    ((seller, booking_id),) = sold_out(db, half="pm")
    join(db, add_person(db), now_us=STARTS - minutes(45))
    give(db, booking_id, now_us=STARTS - minutes(44), person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "waitlist"
    revisit_due(db, now_us=STARTS - minutes(60))
    revisit_due(db, now_us=STARTS - minutes(30))  # and nobody drew the batch meanwhile
    assert slot(db, "S1-001")["reserved_for"] == "window"
    look(db, STARTS - minutes(29))
    assert offers(db) == []
    assert [w["state"] for w in waiting(db)] == ["ended"]
    assert_sound(db)


def test_a_batch_that_is_drawn_too_late_gives_no_places_that_live(db):
    sold_out(db, half="pm")
    join(db, *add_people(db, 3), now_us=STARTS - minutes(45))
    look(db, STARTS - minutes(10))
    assert [w["state"] for w in waiting(db)] == ["ended"] * 3
    assert_sound(db)


def test_looks_that_find_nothing_due_change_nothing(db):
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"window": 1, "phone": 1}}})
    released(db, seats=4, half="pm")
    person = add_person(db)
    give(db, booked(db, person, "S1"), now_us=NOW_US + 1, person=person)
    look(db, NOW_US + 2)
    before = dump(db)
    for later in (3, 4, minutes(30)):
        look(db, NOW_US + later, randomness=Always())
    assert dump(db) == before


def test_one_look_of_a_worker_that_was_away_for_days_does_what_many_would_have(db):
    set_release(
        db, {"kind": "mixed", "mixed": {"parts": {"window": 1, "phone": 1, "referral": 1}}}, now_us=NOW_US - DAY_US
    )
    released(db, seats=4, half="pm")
    look(db, STARTS - minutes(20), randomness=Never())
    assert [row["state"] for row in rows(db, slots)] == ["free"] * 4
    assert rows(db, sessions)[0]["revisit_at_us"] is None
    before = dump(db)
    look(db, STARTS - minutes(19), randomness=Never())
    assert dump(db) == before
    assert_sound(db)


def test_kept_slots_are_handed_on_once_the_order_is_there(db):
    """The order was drawn while the slot was kept for it; if that look had died half way, the next one goes on."""
    ((seller, booking_id),) = sold_out(db)
    person = add_person(db)
    drawn_us = ranked(db, person, now_us=NOW_US)
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    give(db, offer["id"], now_us=drawn_us + 1, person=person)
    assert hand_kept_on(db, now_us=drawn_us + 2) == 0
    assert slot(db, "S1-001")["reserved_for"] == "rest"


def test_each_way_of_a_slot_is_an_event(db):
    since_us = resting(db)
    look(db, since_us + 2 * HOUR_US, randomness=Never())
    assert [e["slot_id"] for e in events(db, "slot_moved")] == ["S1-001", "S1-001"]


def test_a_slot_that_rests_is_public_no_later_than_the_evening_before(db):
    """What could not open before the last hour of its session is not let rest at all."""
    ((seller, booking_id),) = sold_out(db, half="am", day=DAY + timedelta(days=1))
    late_us = start_of_day_us(DAY) + 23 * HOUR_US
    give(db, booking_id, now_us=late_us, person=seller)
    look(db, late_us + 2 * HOUR_US, randomness=Never())
    assert slot(db, "S1-001")["state"] == "free"
    assert_sound(db)
