"""Where a returned slot goes, row by row, and how a rest is cut into steps."""

from datetime import datetime
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.release.policy import ReturnRules, WaitlistRules
from shouhao.booking.returns import REST_STEP_S, Way, opens_now, rest_step_of, rest_steps, way_of
from shouhao.booking.waitlist import WHYS
from shouhao.kernel.clock import DAY_US, HOSPITAL_ZONE, HOUR_US, SECOND_US, to_us

STARTS = to_us(datetime(2026, 11, 23, 14, 0, tzinfo=HOSPITAL_ZONE))
DAY = "2026-11-23"
DAYS_BEFORE = STARTS - 3 * DAY_US
SAME_MORNING = STARTS - 5 * HOUR_US
CARE_ENDS = STARTS - HOUR_US
WAITLIST_CLOSES = STARTS - HOUR_US // 2
RULES = ReturnRules()


def way(*, now_us=DAYS_BEFORE, **changes):
    asked = {
        "on_site": False,
        "extra": False,
        "anyone_ranked": False,
        "anyone_unranked": False,
        "now_us": now_us,
        "session_starts_at_us": STARTS,
        "session_day": DAY,
        "rules": RULES,
        "waitlist_rules": WaitlistRules(),
    }
    return way_of(**(asked | changes))


# Where it goes


def test_an_extra_slot_is_withdrawn_whoever_waits():
    assert way(extra=True, anyone_ranked=True, anyone_unranked=True, on_site=True) == ("withdrawn", "extra")


def test_a_returned_slot_goes_to_those_who_wait():
    assert way(anyone_ranked=True) == ("waitlist", "returned")
    assert way(anyone_ranked=True, anyone_unranked=True) == ("waitlist", "returned")


def test_a_slot_returned_on_site_goes_to_those_who_wait_as_well():
    assert way(on_site=True, anyone_ranked=True) == ("waitlist", "returned_on_site")
    assert way(on_site=True, anyone_unranked=True) == ("kept", "returned_on_site")


def test_those_who_wait_are_served_on_the_same_day_until_the_waitlist_closes():
    assert way(anyone_ranked=True, now_us=WAITLIST_CLOSES - 1) == ("waitlist", "returned")
    assert way(anyone_ranked=True, now_us=WAITLIST_CLOSES) == ("window", "session_near")


def test_a_slot_is_kept_for_those_whose_order_is_not_drawn_yet():
    assert way(anyone_unranked=True) == ("kept", "returned")
    assert way(anyone_unranked=True, now_us=WAITLIST_CLOSES) == ("window", "session_near")


def test_those_who_wait_are_served_though_the_waitlist_was_switched_off_since():
    assert way(anyone_ranked=True, waitlist_rules=WaitlistRules(open=False)) == ("waitlist", "returned")


def test_a_slot_returned_on_site_never_goes_back_online():
    assert way(on_site=True) == ("window", "returned_on_site")
    assert way(on_site=True, now_us=SAME_MORNING) == ("window", "returned_on_site")
    assert way(on_site=True, anyone_ranked=True, now_us=WAITLIST_CLOSES) == ("window", "returned_on_site")


def test_a_same_day_return_is_for_the_care_pool():
    assert way(now_us=SAME_MORNING) == ("care", "nobody_waits")
    assert way(now_us=CARE_ENDS - 1) == ("care", "nobody_waits")


def test_the_care_pool_ends_an_hour_before_the_session():
    assert way(now_us=CARE_ENDS) == ("window", "session_near")


def test_a_closed_waitlist_leaves_the_slot_to_the_care_pool():
    early = WaitlistRules(closes_before_s=6 * 3600)
    assert way(now_us=SAME_MORNING, anyone_ranked=True, waitlist_rules=early) == ("care", "session_near")


def test_without_a_care_pool_a_same_day_return_goes_to_the_window():
    assert way(now_us=SAME_MORNING, rules=ReturnRules(care_pool=False)) == ("window", "session_near")


def test_the_same_day_is_the_hospitals():
    midnight = STARTS - 14 * HOUR_US
    assert way(now_us=midnight) == ("care", "nobody_waits")
    assert way(now_us=midnight - 1) == ("rest", "nobody_waits")


def test_a_slot_that_nobody_waits_for_rests():
    assert way() == ("rest", "nobody_waits")


def test_a_rest_that_could_last_too_long_goes_to_the_window():
    long = ReturnRules(rest_most_s=24 * 3600)
    last = CARE_ENDS - 24 * HOUR_US
    assert way(now_us=last, rules=long) == ("rest", "nobody_waits")
    assert way(now_us=last + 1, rules=long) == ("window", "session_near")


asked = st.fixed_dictionaries(
    {
        "on_site": st.booleans(),
        "extra": st.booleans(),
        "anyone_ranked": st.booleans(),
        "anyone_unranked": st.booleans(),
        "now_us": st.integers(STARTS - 10 * DAY_US, STARTS + DAY_US),
        "rules": st.builds(
            ReturnRules,
            rest_most_s=st.integers(3601, 2 * 86_400),
            care_pool=st.booleans(),
            care_until_s=st.integers(0, 86_400),
        ),
        "waitlist_rules": st.builds(WaitlistRules, closes_before_s=st.integers(0, 7 * 86_400)),
    }
)


@given(asked)
def test_no_return_is_public_at_once_and_none_on_site_goes_back_online(asked):
    went, why = way(**asked)
    assert went in set(get_args(Way)) - {"public"}
    assert why in WHYS
    if asked["on_site"]:
        assert went in {"withdrawn", "waitlist", "kept", "window"}


@given(asked)
def test_who_waits_comes_before_every_pool(asked):
    went, _ = way(**asked)
    waits = asked["anyone_ranked"] or asked["anyone_unranked"]
    open_until_us = STARTS - asked["waitlist_rules"].closes_before_s * SECOND_US
    assert (went in {"waitlist", "kept"}) == (waits and not asked["extra"] and asked["now_us"] < open_until_us)
    assert went != "kept" or not asked["anyone_ranked"]


@given(asked)
def test_a_rest_is_over_before_the_window_needs_the_slot(asked):
    went, _ = way(**asked)
    if went == "rest":
        rules = asked["rules"]
        assert asked["now_us"] + (rules.rest_most_s + rules.care_until_s) * SECOND_US <= STARTS


# How long it rests


class Fixed:
    """A source of chance that says what it is told and remembers out of how many."""

    def __init__(self, number):
        self.number, self.limits = number, []

    def token(self, size_bytes):
        raise NotImplementedError

    def below(self, limit):
        self.limits.append(limit)
        return self.number % limit


def chance(looked_step, step, rules):
    """The exact chance that a look opens the slot: every number the source could give is tried."""
    asked = Fixed(0)
    opens = opens_now(looked_step=looked_step, step=step, rules=rules, randomness=asked)
    if not asked.limits:
        return Fraction(int(opens))
    (limit,) = asked.limits
    said = [opens_now(looked_step=looked_step, step=step, rules=rules, randomness=Fixed(n)) for n in range(limit)]
    return Fraction(sum(said), limit)


def test_a_rest_leaves_the_worker_one_step_to_come():
    rules = ReturnRules(rest_least_s=600, rest_most_s=900)
    assert (REST_STEP_S, rest_steps(rules)) == (15, 19)
    assert rules.rest_least_s + (rest_steps(rules) + 1) * REST_STEP_S == rules.rest_most_s
    assert rest_steps(ReturnRules(rest_least_s=600, rest_most_s=929)) == 20


@pytest.mark.parametrize("longer_s", [1, 15, 30, 44])
def test_the_shortest_rest_has_one_step(longer_s):
    assert rest_steps(ReturnRules(rest_least_s=600, rest_most_s=600 + longer_s)) == 1


def test_steps_are_counted_from_the_least_time():
    since_us = STARTS - DAY_US
    least_us = since_us + RULES.rest_least_s * SECOND_US

    def step(now_us):
        return rest_step_of(since_us=since_us, now_us=now_us, rules=RULES)

    assert [step(least_us - 1), step(least_us), step(least_us + 15 * SECOND_US - 1)] == [-1, 0, 0]
    assert [step(least_us + 15 * SECOND_US), step(since_us)] == [1, -240]


@pytest.mark.parametrize("step", [-240, -1, 0])
def test_no_slot_opens_before_the_first_step_is_over(step):
    assert chance(0, step, RULES) == 0


@pytest.mark.parametrize("looked_step", [0, 238, 239, 500])
def test_a_slot_opens_for_sure_at_the_last_step(looked_step):
    assert chance(looked_step, 239, RULES) == chance(looked_step, 10_000, RULES) == 1


def test_a_step_is_not_asked_twice():
    assert chance(7, 7, RULES) == chance(7, 5, RULES) == 0


def test_chance_is_asked_for_the_steps_since_the_last_look():
    assert chance(0, 1, RULES) == Fraction(1, 239)
    assert chance(100, 103, RULES) == Fraction(3, 139)
    assert chance(-3, 1, RULES) == Fraction(1, 239)


@given(st.integers(61, 1200), st.data())
def test_however_rarely_one_looks_the_moment_is_uniform(longer_s, data):
    rules = ReturnRules(rest_least_s=600, rest_most_s=600 + longer_s)
    steps = rest_steps(rules)
    looks = sorted(data.draw(st.sets(st.integers(1, steps), max_size=8)) | {steps})
    closed, looked = Fraction(1), 0
    for step in looks:
        closed *= 1 - chance(looked, step, rules)
        assert closed == Fraction(steps - step, steps)
        looked = step
