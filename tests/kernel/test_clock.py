"""Time: whole microseconds, the hospital's own days, and a clock that never runs backwards."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import (
    DAY_US,
    HOSPITAL_ZONE,
    HOUR_US,
    ManualClock,
    SystemClock,
    day_of,
    from_us,
    iso,
    start_of_day_us,
    to_us,
    years_between,
)

moments = st.datetimes(datetime(1970, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given


@given(moments)
def test_a_moment_is_kept_to_the_microsecond(moment):
    assert from_us(to_us(moment)) == moment
    assert datetime.fromisoformat(iso(to_us(moment))) == moment


@given(moments, st.integers(-14, 14))
def test_the_zone_a_moment_is_written_in_does_not_matter(moment, hours):
    assert to_us(moment.astimezone(timezone(timedelta(hours=hours)))) == to_us(moment)


@given(moments, moments)
def test_text_sorts_as_time_does(one, other):
    assert (iso(to_us(one)) < iso(to_us(other))) == (one < other)


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        to_us(datetime(2026, 3, 9))  # noqa: DTZ001 - that is the point


@given(st.dates(date(1992, 1, 1), date(2199, 1, 1)))
def test_a_day_begins_at_the_hospitals_midnight(day):
    start_us = start_of_day_us(day)
    assert day_of(start_us) == day
    assert day_of(start_us - 1) == day - timedelta(days=1)
    assert start_of_day_us(day + timedelta(days=1)) - start_us == DAY_US
    assert from_us(start_us).tzinfo == HOSPITAL_ZONE


def test_eight_hours_lie_between_the_hospitals_midnight_and_greenwich():
    assert start_of_day_us(date(2026, 3, 9)) == to_us(datetime(2026, 3, 9, tzinfo=UTC)) - 8 * HOUR_US


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2010, 5, 2), date(2026, 5, 1), 15),
        (date(2010, 5, 2), date(2026, 5, 2), 16),
        (date(2026, 5, 2), date(2026, 5, 2), 0),
    ],
)
def test_age_is_counted_in_completed_years(birth, on, years):
    assert years_between(birth, on) == years


def test_a_manual_clock_moves_when_told_and_never_back():
    clock = ManualClock(5)
    assert clock.now_us() == clock.now_us() == 5
    clock.advance(seconds=1.5)
    clock.advance(seconds=0)
    assert clock.now_us() == 1_500_005
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(seconds=-0.1)
    assert clock.now_us() == 1_500_005


def test_the_system_clock_is_the_machines():
    before, said, after = datetime.now(UTC), SystemClock().now_us(), datetime.now(UTC)
    assert to_us(before) <= said <= to_us(after)
