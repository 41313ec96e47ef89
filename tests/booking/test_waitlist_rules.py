"""The waitlist's rules: when it closes, how long an offer stands, who is given what, and what one who waits is told."""

from datetime import datetime
from fractions import Fraction
from itertools import combinations
from math import comb, isclose
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.booking.release.policy import WaitlistRules
from shouhao.booking.waitlist import (
    MOVES,
    WHYS,
    AlreadyWaiting,
    Candidate,
    Given,
    MoveWay,
    MoveWhy,
    NotWaiting,
    SeenMove,
    TooManyWaits,
    WaitlistClosed,
    WaitlistNotOpen,
    at_least,
    batch_closes_at_us,
    explain,
    hand_on,
    is_near,
    joins_until_us,
    odds,
    offer_expires_at_us,
    waitlist_closes_at_us,
)
from shouhao.kernel.clock import DAY_US, HOSPITAL_ZONE, HOUR_US, MINUTE_US, SECOND_US, from_us, to_us

RULES = WaitlistRules()


def at(day, hour, minute=0):
    return to_us(datetime(2026, 11, day, hour, minute, tzinfo=HOSPITAL_ZONE))


STARTS = at(23, 8)  # a Monday morning
CLOSES = at(23, 7, 30)


def expires(now_us, *, starts_us=STARTS, **changes):
    return offer_expires_at_us(now_us=now_us, session_starts_at_us=starts_us, rules=WaitlistRules(**changes))


def closes_batch(opened_at_us):
    return batch_closes_at_us(opened_at_us=opened_at_us, session_starts_at_us=STARTS, rules=RULES)


# Times


def test_nobody_is_waited_for_in_the_last_half_hour():
    assert waitlist_closes_at_us(session_starts_at_us=STARTS, rules=RULES) == CLOSES


def test_a_batch_is_drawn_half_an_hour_after_it_opened():
    assert closes_batch(at(20, 9)) == at(20, 9, 30)


def test_the_last_batch_is_drawn_while_an_offer_can_still_stand():
    last = CLOSES - RULES.offer_near_s * SECOND_US
    assert joins_until_us(session_starts_at_us=STARTS, rules=RULES) == last
    assert closes_batch(at(23, 7, 10)) == last
    assert closes_batch(at(23, 6, 50)) == last
    assert closes_batch(at(23, 6, 49)) == at(23, 7, 19)


def test_near_begins_four_hours_before_the_session():
    assert not is_near(now_us=at(23, 4) - 1, session_starts_at_us=STARTS, rules=RULES)
    assert is_near(now_us=at(23, 4), session_starts_at_us=STARTS, rules=RULES)


def test_an_offer_stands_for_half_an_hour_by_day():
    assert expires(at(20, 10)) == at(20, 10, 30)


def test_an_offer_stands_for_ten_minutes_near_the_session():
    assert expires(at(23, 14), starts_us=at(23, 15)) == at(23, 14, 10)


def test_no_offer_is_shorter_than_a_minute_whatever_the_policy_says():
    assert expires(at(20, 10), offer_s=5) == at(20, 10, 1)
    assert expires(CLOSES - 20 * SECOND_US, offer_near_s=5) == CLOSES


def test_an_offer_of_the_evening_waits_for_the_morning():
    assert expires(at(20, 21, 50)) == at(21, 7, 20)


def test_an_offer_made_in_the_night_begins_to_count_in_the_morning():
    assert expires(at(20, 23)) == expires(at(21, 3)) == expires(at(21, 6, 59)) == at(21, 7, 30)


def test_an_offer_that_ends_as_the_night_begins_is_not_stretched():
    assert expires(at(20, 21, 30)) == at(20, 22)
    assert expires(at(20, 21, 30) + 1) == at(21, 7) + 1


def test_quiet_hours_within_one_day_count_as_well():
    assert expires(at(20, 12, 45), quiet_from_min=13 * 60, quiet_to_min=14 * 60) == at(20, 14, 15)
    assert expires(at(20, 15), quiet_from_min=13 * 60, quiet_to_min=14 * 60) == at(20, 15, 30)


def test_a_long_offer_stands_still_in_every_night():
    assert expires(at(10, 12), offer_s=30 * 3600) == at(12, 12)  # 10 h, 15 h and 5 h awake


def test_no_quiet_hours_when_they_begin_and_end_together():
    assert expires(at(20, 23), quiet_from_min=0, quiet_to_min=0) == at(20, 23, 30)


def test_no_offer_outlasts_the_waitlist_even_by_night():
    assert expires(at(23, 7, 25)) == CLOSES
    assert expires(at(23, 4, 30), starts_us=at(23, 7, 15)) == at(23, 6, 45)  # the night would last until seven


def test_an_offer_made_too_late_ends_at_once_and_not_before_it_began():
    assert expires(CLOSES) == CLOSES
    assert expires(CLOSES + MINUTE_US) == CLOSES + MINUTE_US


rules = st.builds(
    WaitlistRules,
    offer_s=st.integers(1, 2 * 86_400),
    offer_near_s=st.integers(1, 86_400),
    near_before_s=st.integers(0, 7 * 86_400),
    quiet_from_min=st.integers(0, 1439),
    quiet_to_min=st.integers(0, 1439),
    closes_before_s=st.integers(0, 86_400),
)


def is_quiet(at_us, rules):
    moment = from_us(at_us)
    minute, first, last = moment.hour * 60 + moment.minute, rules.quiet_from_min, rules.quiet_to_min
    return first <= minute < last if first <= last else minute >= first or minute < last


@given(rules, st.integers(-10 * DAY_US, 12 * DAY_US))
def test_an_offer_has_a_minute_or_what_is_left_and_never_outlasts_the_waitlist(rules, before_us):
    now_us = STARTS - before_us
    closes_us = waitlist_closes_at_us(session_starts_at_us=STARTS, rules=rules)
    ends_us = offer_expires_at_us(now_us=now_us, session_starts_at_us=STARTS, rules=rules)
    left_us = max(0, closes_us - now_us)
    assert now_us + min(60 * SECOND_US, left_us) <= ends_us <= now_us + left_us


@given(rules, st.integers(0, 20 * 24 * 60))
def test_an_offer_has_its_whole_time_awake_unless_the_waitlist_closes(rules, before_min):
    now_us = STARTS - before_min * MINUTE_US
    ends_us = offer_expires_at_us(now_us=now_us, session_starts_at_us=STARTS, rules=rules)
    if ends_us >= waitlist_closes_at_us(session_starts_at_us=STARTS, rules=rules):
        return
    assert not is_quiet(ends_us - 1, rules)
    near = is_near(now_us=now_us, session_starts_at_us=STARTS, rules=rules)
    stands_us = max(60, rules.offer_near_s if near else rules.offer_s) * SECOND_US
    whole_min, rest_us = divmod(ends_us - now_us, MINUTE_US)
    awake = sum(not is_quiet(now_us + minute * MINUTE_US, rules) for minute in range(whole_min))
    assert awake * MINUTE_US + rest_us == stands_us


# Handing on


def candidate(wait_id, size=1, *, entitled=True):
    people = tuple(f"{wait_id}-{n}" for n in range(size))
    return Candidate(wait_id=wait_id, people=people, entitled=entitled, why_not=None if entitled else "booking.x")


def test_slots_are_handed_on_in_the_waiting_order():
    given_to, rest = hand_on(["A", "B"], [candidate("w1"), candidate("w2"), candidate("w3")])
    assert given_to == [Given(wait_id="w1", slots=("A",)), Given(wait_id="w2", slots=("B",))]
    assert rest == []


def test_who_may_not_book_now_is_passed_over():
    given_to, rest = hand_on(["A"], [candidate("w1", entitled=False), candidate("w2")])
    assert ([g.wait_id for g in given_to], rest) == (["w2"], [])


def test_a_family_gets_all_its_slots_or_none():
    given_to, rest = hand_on(["A", "B"], [candidate("w1", 3), candidate("w2", 2), candidate("w3")])
    assert (given_to, rest) == ([Given(wait_id="w2", slots=("A", "B"))], [])


def test_what_nobody_can_take_is_left():
    assert hand_on(["A", "B"], [candidate("w1", 3), candidate("w2", entitled=False)]) == ([], ["A", "B"])
    assert hand_on(["A"], []) == ([], ["A"])
    assert hand_on([], [candidate("w1")]) == ([], [])


candidates = st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12).map(
    lambda drawn: [candidate(f"w{n}", size, entitled=entitled) for n, (size, entitled) in enumerate(drawn)]
)


@given(st.integers(0, 12), candidates)
def test_no_slot_dies_while_somebody_entitled_fits(seats, waiting):
    given_to, rest = hand_on([f"s{n}" for n in range(seats)], waiting)
    served = {g.wait_id for g in given_to}
    assert not [c for c in waiting if c.entitled and c.wait_id not in served and len(c.people) <= len(rest)]


@given(st.integers(0, 12), candidates)
def test_every_slot_goes_to_one_place_and_every_person_gets_one(seats, waiting):
    slots = [f"s{n}" for n in range(seats)]
    given_to, rest = hand_on(slots, waiting)
    assert sorted([slot for g in given_to for slot in g.slots] + rest) == sorted(slots)
    sizes = {c.wait_id: len(c.people) for c in waiting if c.entitled}
    assert all(len(g.slots) == sizes[g.wait_id] for g in given_to)
    places = [c.wait_id for c in waiting]
    assert [g.wait_id for g in given_to] == sorted((g.wait_id for g in given_to), key=places.index)


@given(st.integers(0, 12), candidates)
def test_those_behind_take_nothing_from_those_before(seats, waiting):
    slots = [f"s{n}" for n in range(seats)]
    whole, _ = hand_on(slots, waiting)
    for cut in range(len(waiting)):
        shorter, _ = hand_on(slots, waiting[:cut])
        assert whole[: len(shorter)] == shorter


# Odds


def chance(k, n, p):
    """The tail, counted out in fractions."""
    return sum((comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(max(0, k), n + 1)), Fraction(0))


@given(st.integers(-2, 16), st.integers(0, 14), st.fractions(0, 1, max_denominator=50))
def test_the_tail_is_the_one_counted_out_in_fractions(k, n, p):
    assert isclose(at_least(k, n=n, p=float(p)), chance(k, n, p), rel_tol=1e-9, abs_tol=1e-12)


def test_the_tail_is_the_one_of_all_outcomes_of_three_returns():
    share = Fraction(1, 5)
    outcomes = [returned for size in range(4) for returned in combinations(range(3), size)]
    told = sum(share ** len(back) * (1 - share) ** (3 - len(back)) for back in outcomes if len(back) >= 2)
    assert isclose(at_least(2, n=3, p=0.2), told)


@settings(deadline=None)  # counting it out in whole numbers takes its time
@given(st.integers(0, 2001), st.fractions(0, 1, max_denominator=1000))
def test_two_thousand_bookings_lose_no_digits(k, p):
    assert isclose(at_least(k, n=2000, p=float(p)), _chance_of_2000(k, p), rel_tol=1e-8, abs_tol=1e-11)


def _chance_of_2000(k, p):
    """The same in whole numbers: the share of p.denominator ** 2000 outcomes."""
    a, b = p.numerator, p.denominator - p.numerator
    if k <= 0:
        return 1.0
    below, ways = 0, 1
    for i in range(min(k, 2001)):
        below += ways * a**i * b ** (2000 - i)
        ways = ways * (2000 - i) // (i + 1)
    return float(1 - Fraction(below, p.denominator**2000))


def test_a_chance_of_one_in_a_million_million_keeps_its_digits():
    assert isclose(at_least(2, n=2000, p=1e-9), _chance_of_2000(2, Fraction(1, 10**9)), rel_tol=1e-8)
    assert 0 < at_least(300, n=2000, p=0.05) < 1e-50


@given(st.integers(0, 2000), st.floats(0, 1), st.integers(0, 2000))
def test_a_chance_is_a_chance_and_falls_with_each_person_ahead(n, p, k):
    assert 0.0 <= at_least(k + 1, n=n, p=p) <= at_least(k, n=n, p=p) + 1e-9 <= 1.0 + 1e-9


def say_odds(**changes):
    known = {
        "people_ahead": 1,
        "people": 1,
        "live_bookings": 20,
        "returned": 10,
        "booked": 100,
        "remaining_share": 1.0,
    }
    return odds(**(known | changes))


def test_the_odds_are_those_of_enough_returns_for_those_ahead_and_for_us():
    told = say_odds()
    assert (told.ahead, told.needed, told.rate, told.based_on) == (1, 2, 0.1, 100)
    assert isclose(told.chance, float(chance(2, 20, Fraction(1, 10))))
    assert say_odds(people_ahead=2, people=2).needed == 4


def test_half_the_time_leaves_half_the_returns():
    assert isclose(say_odds(remaining_share=0.5).chance, float(chance(2, 20, Fraction(1, 20))))
    assert say_odds(remaining_share=0.0).chance == say_odds(remaining_share=-0.2).chance == 0.0
    assert say_odds(remaining_share=1.7).chance == say_odds().chance


def test_nothing_is_said_from_fewer_than_thirty_bookings():
    told = say_odds(booked=29)
    assert (told.chance, told.rate, told.based_on) == (None, None, 29)
    assert "no chance is estimated" in told.words.en
    assert "不作估计" in told.words.zh
    assert say_odds(booked=30).chance is not None


def test_no_more_can_come_back_than_is_booked():
    assert say_odds(live_bookings=1, returned=100).chance == 0.0
    assert say_odds(live_bookings=2, returned=100).chance == 1.0
    assert say_odds(returned=400).rate == 1.0


def test_the_words_of_the_odds_say_whence_they_come_and_promise_nothing():
    told = say_odds(people_ahead=0, people=1).words
    assert told.en.startswith("Nobody is before you. It takes 1 returned slot ")
    assert "Of 100 past bookings of the department about 10% came back" in told.en
    assert "about 88%" in told.says("en")
    assert "约 88%；这是估计，不是承诺" in told.says("zh")
    assert say_odds(people_ahead=3).words.en.startswith("3 people are before you.")
    assert say_odds().words.en.startswith("1 person is before you.")


def test_no_chance_reads_as_never_or_as_certain():
    assert "your chance is less than 1%" in say_odds(people_ahead=19).words.en
    assert "可能性不到 1%" in say_odds(people_ahead=19).words.zh
    assert "your chance is more than 99%" in say_odds(live_bookings=500).words.en
    assert "可能性超过 99%" in say_odds(live_bookings=500).words.zh


# Words


def test_every_way_and_every_reason_has_words_in_both_languages():
    assert set(MOVES) == set(get_args(MoveWay))
    assert set(WHYS) == set(get_args(MoveWhy))
    for words in [*MOVES.values(), *WHYS.values()]:
        assert words.en.isascii()
        assert not words.zh.isascii()
    assert len({words.zh for words in MOVES.values()}) == len({words.en for words in MOVES.values()}) == len(MOVES)
    assert len({words.zh for words in WHYS.values()}) == len({words.en for words in WHYS.values()}) == len(WHYS)


def test_one_who_waits_is_told_what_became_of_each_slot():
    moves = [
        SeenMove(way="offered", why="returned", to="before"),
        SeenMove(way="offered", why="offer_lapsed", to="you"),
        SeenMove(way="window", why="session_near"),
    ]
    assert [words.en for words in explain(moves)] == [
        "A slot was returned; it was offered to somebody before you",
        "An offered slot was not accepted in time; it was offered to you",
        "The session is near; it went to the window at the hospital",
    ]
    assert explain(moves)[1].zh == "发出的候补号超时未确认，该号已发给您"


def test_one_who_was_passed_over_is_told_why_that_can_be():
    words = explain([SeenMove(way="offered", why="returned", to="behind")])[0]
    assert "behind you: there were too few slots for all who wait with you" in words.en
    assert "或您当时不符合预约条件" in words.zh


def test_an_offer_to_nobody_in_particular_has_words_too():
    assert explain([SeenMove(way="offered", why="returned")])[0].en.endswith(MOVES["offered"].en)
    assert explain([]) == []


@pytest.mark.parametrize(
    ("refusal", "zh", "en"),
    [
        (WaitlistNotOpen("session_id", why="slots_are_free"), "还有余号", "slots are still free"),
        (WaitlistNotOpen("session_id", why="no_waitlist"), "不设候补", "this session has none"),
        (WaitlistNotOpen("session_id"), "现在不能加入候补", "The waitlist cannot be joined now"),
        (WaitlistClosed("session_id"), "候补已截止", "its waitlist is closed"),
        (AlreadyWaiting("session_id"), "已在本排班候补中", "already waits"),
        (TooManyWaits("session_id", limit=5), "最多候补 5 个", "at most 5 sessions"),
        (NotWaiting("wait_id"), "没有这个候补", "no such place"),
    ],
)
def test_a_refusal_says_which_rule_it_is(refusal, zh, en):
    assert zh in refusal.says("zh")
    assert en in refusal.says("en")
    assert "{" not in refusal.says("zh") + refusal.says("en")


def test_the_hour_of_the_examples_is_the_hospitals():
    assert (from_us(STARTS).isoformat(), STARTS - CLOSES) == ("2026-11-23T08:00:00+08:00", HOUR_US // 2)
