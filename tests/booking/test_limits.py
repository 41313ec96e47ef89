"""Limits: what a person may hold, what returning late and not coming costs, and that both lapse."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.limits import (
    LimitsPolicy,
    after_no_show,
    after_return,
    limits_from,
    marks_since_us,
    over_limit,
    restricted,
    week_of,
)
from shouhao.booking.model import LimitReached, LiveBooking, Restricted, Restriction
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.kernel.errors import InvalidInput

NOW = 1_800_000_000_000_000
MONDAY, TUESDAY, SUNDAY, NEXT_MONDAY = "2026-03-09", "2026-03-10", "2026-03-15", "2026-03-16"
POLICY = LimitsPolicy()


def held(*days, department="OBS", attended=False):
    return [LiveBooking(f"{department}-{n}", department, day, attended) for n, day in enumerate(days)]


def over(bookings, *, department="PED", day=MONDAY, **limits):
    return over_limit(bookings, department_id=department, day=day, policy=LimitsPolicy(**limits))


def test_nobody_is_over_a_limit_with_nothing():
    assert over([]) is None


def test_one_a_department_and_day():
    assert isinstance(over(held(MONDAY), department="OBS"), LimitReached)
    assert over(held(MONDAY), department="PED") is None
    assert over(held(TUESDAY), department="OBS") is None


def test_three_a_day_over_all_departments():
    three = [*held(MONDAY, department="A"), *held(MONDAY, department="B"), *held(MONDAY, department="C")]
    assert over(three[:2]) is None
    refusal = over(three)
    assert isinstance(refusal, LimitReached)
    assert (refusal.data["limit"], refusal.says("en")) == (3, "Booking limit reached: at most 3 bookings a day")


def test_five_a_week_that_runs_from_monday_to_sunday():
    five = held(MONDAY, MONDAY, TUESDAY, TUESDAY, SUNDAY)
    assert over(five[:4], day=SUNDAY) is None
    assert over(five, day="2026-03-12").data["limit"] == 5
    assert over(five, day=NEXT_MONDAY) is None


def test_eight_in_all():
    days = [f"2026-0{month}-01" for month in range(1, 9)]
    assert over(held(*days[:7]), day=MONDAY) is None
    assert over(held(*days), day=MONDAY).data["limit"] == 8


def test_a_visit_that_was_attended_is_no_open_booking():
    days = [f"2026-0{month}-01" for month in range(1, 9)]
    assert over(held(*days, attended=True), day=MONDAY) is None
    assert over(held(MONDAY, attended=True), department="OBS").data["limit"] == 1


def test_iso_weeks_hold_at_the_turn_of_the_year():
    assert week_of("2026-12-31") == week_of("2027-01-03") != week_of("2027-01-04")


def test_a_cooling_time_holds_in_its_department_alone_and_lapses():
    cooling = [Restriction("cooling", "OBS", NOW + SECOND_US)]
    assert isinstance(restricted(cooling, department_id="OBS", now_us=NOW), Restricted)
    assert restricted(cooling, department_id="PED", now_us=NOW) is None
    assert restricted(cooling, department_id="OBS", now_us=NOW + SECOND_US) is None


def test_a_block_holds_everywhere():
    block = [Restriction("no_show", None, NOW + DAY_US)]
    refusal = restricted(block, department_id="PED", now_us=NOW)
    assert refusal.data["reason"] == "no_show"
    assert "{" not in refusal.says("zh") + refusal.says("en")


def test_an_early_return_cools_and_leaves_no_mark():
    penalties = after_return(starts_at_us=NOW + 5 * HOUR_US, department_id="OBS", marks=99, policy=POLICY, now_us=NOW)
    assert [(p.reason, p.department_id, p.ends_at_us) for p in penalties] == [("cooling", "OBS", NOW + 600 * SECOND_US)]


@pytest.mark.parametrize(("marks", "days"), [(0, 0), (1, 0), (2, 30), (3, 30)])
def test_late_returns_are_counted_before_they_block(marks, days):
    penalties = after_return(
        starts_at_us=NOW + 4 * HOUR_US - 1, department_id="OBS", marks=marks, policy=POLICY, now_us=NOW
    )
    assert (penalties[1].reason, penalties[1].department_id) == ("late_return", None)
    assert penalties[1].ends_at_us == NOW + days * DAY_US


@pytest.mark.parametrize(("marks", "days"), [(0, 0), (1, 0), (2, 90), (3, 90)])
def test_missed_visits_are_counted_before_they_block(marks, days):
    assert after_no_show(marks=marks, policy=POLICY, now_us=NOW).ends_at_us == NOW + days * DAY_US


def test_nought_switches_a_penalty_off():
    off = LimitsPolicy(cooling_after_return_s=0, late_return_before_s=0, no_shows_counted=0, late_returns_counted=0)
    assert after_return(starts_at_us=NOW, department_id="OBS", marks=99, policy=off, now_us=NOW) == []
    assert after_no_show(marks=99, policy=off, now_us=NOW).ends_at_us == NOW


def test_marks_count_within_their_own_window():
    assert marks_since_us("no_show", policy=POLICY, now_us=NOW) == NOW - 365 * DAY_US
    assert marks_since_us("late_return", policy=POLICY, now_us=NOW) == NOW - 90 * DAY_US


@pytest.mark.parametrize("name", [f.name for f in fields(LimitsPolicy)])
@pytest.mark.parametrize("value", [-1, True, "3", 1.5, None, 10**9])
def test_a_number_that_cannot_be_meant_is_refused_by_its_name(name, value):
    with pytest.raises(InvalidInput) as caught:
        limits_from({name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", [f.name for f in fields(LimitsPolicy) if f.name.startswith("live_")])
def test_a_limit_of_nought_would_close_the_hospital_and_is_refused(name):
    with pytest.raises(InvalidInput):
        limits_from({name: 0})


def test_a_misspelt_rule_is_refused():
    with pytest.raises(InvalidInput) as caught:
        limits_from({"live_per_persn": 3})
    assert caught.value.field == "live_per_persn"


bookings = st.builds(
    LiveBooking,
    st.text("ab", min_size=1),
    st.sampled_from(["OBS", "PED"]),
    st.dates().map(lambda day: day.replace(year=2026, month=3, day=min(day.day, 28)).isoformat()),
    st.booleans(),
)


@given(st.lists(bookings, max_size=12), st.sampled_from(["OBS", "PED"]), bookings)
def test_more_held_never_helps(some, department, one_more):
    day = one_more.day
    if over(some, department=department, day=day) is not None:
        assert over([*some, one_more], department=department, day=day) is not None


@given(st.lists(bookings, max_size=12), st.sampled_from(["OBS", "PED"]), st.randoms(use_true_random=False))
def test_the_order_of_what_is_held_does_not_matter(some, department, chance):
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert (over(some, department=department) is None) == (over(shuffled, department=department) is None)
