"""Attack: a limit is reached in one channel, so another channel, account or door is tried."""

import itertools
from datetime import timedelta

import msgspec
import pytest

from hospital import (
    DAY,
    NOW_US,
    add_department,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    bind,
    book_now,
    booked,
    code,
    dump,
    minutes,
)
from shouhao.flows.extra_slot import request_extra_slot
from shouhao.flows.give_back import Caller, give_back
from shouhao.kernel.errors import Refused

ACCOUNT_CHANNELS = ("app", "wechat", "web", "platform:x", "platform:y")
CHANNELS = (*ACCOUNT_CHANNELS, "window", "phone", "kiosk")
KEPT = {"events", "answers"}


@pytest.fixture
def house(db):
    add_department(db)
    add_department(db, "PED", doctor_ids=["D2"])
    add_session(db, "S1")
    add_session(db, "S2", half="pm")
    yield db
    assert_sound(db)


def everywhere(house, person, session_id, *, now_us=NOW_US):
    """The answers of every channel, each asked for real."""
    return {code(book_now(house, ask(person, session_id, channel=c), now_us=now_us)[0]) for c in CHANNELS}


@pytest.mark.parametrize("first", CHANNELS)
def test_what_was_booked_in_one_channel_counts_in_every_other(house, first):
    person = add_person(house)
    booked(house, person, "S1", channel=first)
    before = dump(house, without=KEPT)
    assert everywhere(house, person, "S1") == {"booking.already_booked"}
    assert everywhere(house, person, "S2") == {"booking.limit_reached"}
    assert dump(house, without=KEPT) == before


def test_other_accounts_of_the_same_person_share_its_limits(house):
    person, *others = add_people(house, 6)
    bind(house, [(o.account_id, person.patient_id) for o in others], bound_at_us=NOW_US - minutes(10_000))
    booked(house, person, "S1")
    before = dump(house, without=KEPT)
    for other, channel in itertools.product(others, ACCOUNT_CHANNELS):
        request = msgspec.structs.replace(ask(person, "S2", channel=channel), account_id=other.account_id)
        assert [code(answer) for answer in book_now(house, request)] == ["booking.limit_reached"]
    assert dump(house, without=KEPT) == before


def test_all_channels_in_one_batch_are_one_person(house):
    person = add_person(house)
    said = book_now(house, *(ask(person, s, channel=c) for c in CHANNELS for s in ("S1", "S2")))
    assert sum(code(answer) == "done" for answer in said) == 1


def test_the_week_is_counted_over_all_channels(house):
    person = add_person(house)
    for n in range(5):
        add_session(house, f"W{n}", day=DAY + timedelta(days=n), half="evening")
        booked(house, person, f"W{n}", channel=CHANNELS[n])
    add_session(house, "W5", day=DAY + timedelta(days=5))
    before = dump(house, without=KEPT)
    assert everywhere(house, person, "W5") == {"booking.limit_reached"}
    assert dump(house, without=KEPT) == before


def test_a_cooling_time_is_not_passed_by_at_another_door(house):
    person = add_person(house)
    booking_id = booked(house, person, "S1")
    with house.write() as connection:
        caller = Caller(channel="app", account_id=person.account_id)
        give_back(connection, booking_id=booking_id, caller=caller, now_us=NOW_US)
    before = dump(house, without=KEPT)
    assert everywhere(house, person, "S2", now_us=NOW_US + 1) == {"booking.restricted"}
    assert dump(house, without=KEPT) == before


def test_an_extra_slot_is_no_way_round_a_limit(house):
    person = add_person(house)
    booked(house, person, "S1", channel="platform:x")
    before = dump(house)
    for session_id in ("S1", "S2"):
        with pytest.raises(Refused), house.write() as connection:
            request_extra_slot(
                connection,
                session_id=session_id,
                patient_id=person.patient_id,
                reason="病情需要",
                staff_id="st",
                doctor_id="D1",
                now_us=NOW_US,
            )
    assert dump(house) == before
