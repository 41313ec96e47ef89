"""Who comes in the morning, what they want, and when: planned from a seed, on any day of the year."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shouhao.kernel.clock import day_of, to_us
from shouhao.lab.crowd import Habits, plan_wishes, wanted_sessions
from shouhao.lab.hospital import demonstration_hospital
from shouhao.lab.morning import MorningSettings

NOW = to_us(datetime(2026, 11, 22, 1, 0, tzinfo=UTC))


def test_the_same_seed_plans_the_same_morning_and_another_seed_another():
    wanted = _wanted()
    assert plan_wishes(50, wanted, seed=1) == plan_wishes(50, wanted, seed=1)
    assert plan_wishes(50, wanted, seed=1) != plan_wishes(50, wanted, seed=2)


def test_about_six_hundred_slots_of_twenty_sessions_that_are_not_released_yet():
    wanted = _wanted()
    assert len({s.id for s in wanted}) == 20
    assert 550 <= sum(s.capacity for s in wanted) <= 650
    assert all(s.release_at_us > NOW for s in wanted)


@pytest.mark.parametrize("start", ["2026-01-01", "2026-02-10", "2026-06-12", "2026-09-25", "2027-12-24"])
def test_there_is_a_morning_on_any_day_of_the_year_holidays_too(start):
    now_us = to_us(datetime.fromisoformat(start).replace(tzinfo=UTC))
    plan = demonstration_hospital(seed=MorningSettings().seed, now_us=now_us)
    found = wanted_sessions(plan.sessions, from_day=day_of(now_us) + timedelta(days=9))
    assert found
    assert len({s.id for s in found}) == len(found)
    released = [s for s in plan.sessions if s.release_at_us <= now_us and s.kind != "antenatal"]
    assert {s.hot for s in released} == {True, False}


def test_wishes_follow_the_habits_they_are_given():
    nobody = replace(Habits(), early=0, in_first_second=1, twice=0, repeats=0, hangs_up=0, second_choice=0, pays=1)
    for wish in plan_wishes(200, _wanted(), seed=3, habits=nobody):
        assert 0 <= wish.arrives_s < 1
        assert not any((wish.twice, wish.repeats, wish.hangs_up))
        assert (len(wish.choices), wish.after) == (1, "pays")


def test_a_wish_for_a_draw_stays_within_it_and_comes_while_its_window_is_open():
    wanted = _wanted()
    drawn = {s.id: s.department_id for s in wanted if s.kind == "expert"}
    wishes = plan_wishes(400, wanted, seed=5, drawn=drawn)
    entering = [wish for wish in wishes if wish.choices[0] in drawn]
    assert len(entering) > 200, "what goes by draw is what more people want than there is"
    assert {len(wish.choices) for wish in entering} == {1, 2}
    for wish in wishes:
        assert len({drawn.get(session_id) for session_id in wish.choices}) == 1
        assert Habits().enters_s[0] <= wish.enters_s <= Habits().enters_s[1] < 0


def _wanted():
    plan = demonstration_hospital(seed=1, now_us=NOW)
    return wanted_sessions(plan.sessions, from_day=day_of(NOW) + timedelta(days=9))
