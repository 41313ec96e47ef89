"""Which days clinics work: holidays, 调休, and years that nobody knows."""

from datetime import date, time, timedelta

import pytest

from shouhao.booking.calendar import (
    CalendarTable,
    CalendarYearUnknown,
    SessionTemplate,
    day_kind,
    generate_sessions,
)
from shouhao.booking.schedule import ReleaseRule, broken_rules
from shouhao.kernel.clock import from_us
from shouhao.kernel.errors import InvalidInput

MONDAY, SATURDAY, SUNDAY = 0, 5, 6


def _template(weekday=MONDAY, **changes):
    return SessionTemplate(
        **{
            "department_id": "OBS",
            "doctor_id": "D1",
            "weekday": weekday,
            "half": "am",
            "kind": "expert",
            "capacity": 8,
            "fee_cents": 10_000,
            "starts": time(8, 0),
            "ends": time(12, 0),
            "release": ReleaseRule(days_before=7, at=time(7, 30)),
        }
        | changes
    )


def _week():
    return [_template(weekday) for weekday in range(7)]


def _days(templates, first, last, **options):
    return [session.day for session in generate_sessions(templates, first, last, **options)]


def test_the_national_day_of_2026_rests_a_week_and_makes_up_two_days():
    assert [day_kind(date(2026, 10, day)) for day in range(1, 8)] == ["holiday"] * 7
    assert day_kind(date(2026, 9, 20)) == "makeup"  # a Sunday
    assert day_kind(date(2026, 10, 10)) == "makeup"  # a Saturday
    assert day_kind(date(2026, 10, 8)) == "workday"
    assert day_kind(date(2026, 10, 11)) == "weekend"


def test_the_spring_festival_of_2026_rests_nine_days_and_makes_up_two():
    assert [day_kind(date(2026, 2, day)) for day in range(15, 24)] == ["holiday"] * 9
    assert day_kind(date(2026, 2, 14)) == "makeup"
    assert day_kind(date(2026, 2, 28)) == "makeup"
    assert day_kind(date(2026, 2, 24)) == "workday"


def test_clinics_skip_the_holiday_and_a_makeup_day_that_nobody_configured():
    days = _days(_week(), date(2026, 9, 28), date(2026, 10, 12))
    assert days == [
        date(2026, 9, 28),
        date(2026, 9, 29),
        date(2026, 9, 30),
        date(2026, 10, 8),
        date(2026, 10, 9),
        date(2026, 10, 11),
        date(2026, 10, 12),
    ]


def test_a_template_may_say_that_it_works_on_makeup_days():
    saturday = _template(SATURDAY, works_on_makeup_days=True)
    assert _days([saturday], date(2026, 10, 3), date(2026, 10, 10)) == [date(2026, 10, 10)]


def test_a_makeup_day_runs_like_the_weekday_it_stands_for():
    wednesday = _template(2, doctor_id="D2")
    sunday = _template(SUNDAY, doctor_id="D3")
    sessions = generate_sessions(
        [wednesday, sunday], date(2026, 9, 20), date(2026, 9, 20), makeup_weekdays={date(2026, 9, 20): 2}
    )
    assert [(session.day, session.doctor_id) for session in sessions] == [(date(2026, 9, 20), "D2")]


def test_a_weekday_configured_for_an_ordinary_day_changes_nothing():
    days = _days([_template(MONDAY)], date(2026, 11, 24), date(2026, 11, 24), makeup_weekdays={date(2026, 11, 24): 0})
    assert days == []


def test_a_year_that_nobody_knows_is_refused():
    with pytest.raises(CalendarYearUnknown) as caught:
        generate_sessions(_week(), date(2039, 1, 3), date(2039, 1, 4))
    assert caught.value.data["year"] == 2039
    assert "2039" in caught.value.says("zh")
    assert "2039" in caught.value.says("en")


def test_a_table_given_by_hand_makes_a_year_known():
    table = CalendarTable(
        years=frozenset({2039}), rest=frozenset({date(2039, 1, 3)}), work=frozenset({date(2039, 1, 8)})
    )
    assert [day_kind(date(2039, 1, day), table) for day in (3, 4, 8, 9)] == ["holiday", "workday", "makeup", "weekend"]


def test_a_table_wins_over_the_package():
    table = CalendarTable(rest=frozenset({date(2026, 11, 23)}), work=frozenset({date(2026, 10, 1)}))
    assert day_kind(date(2026, 11, 23), table) == "holiday"
    assert day_kind(date(2026, 10, 1), table) == "workday"
    assert day_kind(date(2026, 10, 2), table) == "holiday"


def test_generating_twice_gives_the_same_and_overlapping_ranges_agree():
    first = generate_sessions(_week(), date(2026, 11, 23), date(2026, 12, 6))
    assert generate_sessions(_week(), date(2026, 11, 23), date(2026, 12, 6)) == first
    later = generate_sessions(_week(), date(2026, 11, 30), date(2026, 12, 6))
    assert {session.id for session in later} < {session.id for session in first}


def test_a_session_opens_days_before_at_the_hospitals_clock():
    (session,) = generate_sessions([_template()], date(2026, 11, 23), date(2026, 11, 23))
    assert from_us(session.release_at_us).isoformat() == "2026-11-16T07:30:00+08:00"
    assert from_us(session.starts_at_us).isoformat() == "2026-11-23T08:00:00+08:00"
    assert session.source == "calendar"
    assert broken_rules(session, now_us=None) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weekday": 7}, "weekday"),
        ({"capacity": 0}, "capacity"),
        ({"ends": time(8, 0)}, "end"),
        ({"ends": time(15, 0)}, "end"),
        ({"fee_cents": -1}, "fee"),
        ({"segment_minutes": 1}, "segment_minutes"),
        ({"release": ReleaseRule(days_before=-1, at=time(7, 0))}, "release"),
        ({"release": ReleaseRule(days_before=0, at=time(9, 0))}, "release_at"),
    ],
)
def test_a_broken_template_is_named_with_its_field(changes, field):
    with pytest.raises(InvalidInput) as caught:
        generate_sessions(
            [_template(), _template(**({"doctor_id": "D2"} | changes))], date(2026, 11, 23), date(2026, 11, 29)
        )
    assert caught.value.field == f"templates[1].{field}"


def test_two_templates_for_the_same_session_are_refused():
    with pytest.raises(InvalidInput) as caught:
        generate_sessions([_template(), _template()], date(2026, 11, 23), date(2026, 11, 23))
    assert caught.value.field == "templates[1].half"


def test_a_range_is_not_empty_and_not_over_a_year():
    for last in (date(2026, 11, 22), date(2026, 11, 23) + timedelta(days=366)):
        with pytest.raises(InvalidInput) as caught:
            generate_sessions(_week(), date(2026, 11, 23), last)
        assert caught.value.field == "last_day"
