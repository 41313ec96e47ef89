from datetime import date
from typing import Any

import msgspec
import pytest

from shouhao.booking.calendar import CalendarYearUnknown
from shouhao.flows.import_schedule import import_plan
from shouhao.kernel.clock import start_of_day_us
from shouhao.kernel.errors import InvalidInput
from shouhao.protocols.weekly_json import plan_weekly, read_weekly
from shouhao.store.engine import Database

MONDAY = date(2026, 11, 23)


def weekly(**more: Any) -> bytes:
    template = {
        "department_id": "OBS",
        "doctor_id": "D1",
        "weekday": 0,
        "half": "am",
        "kind": "expert",
        "capacity": 20,
        "fee_cents": 5000,
        "starts": "08:00:00",
        "ends": "12:00:00",
        "release": {"days_before": 7, "at": "07:00:00"},
        "segment_minutes": 30,
    }
    return msgspec.json.encode(
        {
            "departments": [{"id": "OBS", "name_zh": "产科", "name_en": "Obstetrics"}],
            "doctors": [{"id": "D1", "department_id": "OBS", "name_zh": "甲", "name_en": "A", "title_zh": "主任医师"}],
            "templates": [template],
            **more,
        }
    )


def test_a_month_of_mondays_without_the_holidays() -> None:
    plan = plan_weekly(read_weekly(weekly()), date(2026, 9, 28), date(2026, 10, 31))
    assert [s.day.isoformat() for s in plan.sessions] == ["2026-09-28", "2026-10-12", "2026-10-19", "2026-10-26"]


def test_a_makeup_day_runs_like_the_weekday_it_stands_for() -> None:
    plan = plan_weekly(read_weekly(weekly(makeup_weekdays={"2026-10-10": 0})), date(2026, 10, 8), date(2026, 10, 12))
    assert [s.day.isoformat() for s in plan.sessions] == ["2026-10-10", "2026-10-12"]


def test_a_year_that_nobody_knows_is_refused_until_it_is_given_by_hand() -> None:
    days = date(2031, 1, 6), date(2031, 1, 12)
    with pytest.raises(CalendarYearUnknown):
        plan_weekly(read_weekly(weekly()), *days)
    given = read_weekly(weekly(calendar={"years": [2031], "rest": ["2031-01-01"]}))
    assert len(plan_weekly(given, *days).sessions) == 1


def test_generating_and_importing_twice_changes_nothing(db: Database) -> None:
    plan = plan_weekly(read_weekly(weekly()), MONDAY, date(2026, 12, 20))
    now_us = start_of_day_us(date(2026, 11, 1))
    with db.write() as connection:
        first = import_plan(connection, plan, staff_id=None, source="calendar", now_us=now_us)
    with db.write() as connection:
        again = import_plan(connection, plan, staff_id=None, source="calendar", now_us=now_us)
    assert first.counts()["added"] == 4
    assert again.counts()["added"] == 0


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"{", "file"),
        (b'{"templates": [{"weekday": "x"}]}', "templates[0].weekday"),
        (b'{"templets": []}', "file"),
        (b"\xff\xfe", "file"),
    ],
)
def test_what_is_not_such_a_file_is_named(data: bytes, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_weekly(data)
    assert refused.value.field == field
