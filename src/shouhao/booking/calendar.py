"""Calendar: which days a hospital's clinics work, with 调休, and the sessions that weekly templates give.

The State Council publishes each year's holidays and make-up working days late in the year before; the
`chinesecalendar` package carries them. A year that it does not know is never guessed: it is refused until somebody
gives the days by hand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

import chinese_calendar

from shouhao.booking.schedule import (
    Half,
    Kind,
    PlannedSession,
    ReleaseRule,
    broken_rules,
    cut_segments,
    session_id_of,
)
from shouhao.kernel.clock import HOSPITAL_ZONE, to_us
from shouhao.kernel.errors import InvalidInput, Refused

DayKind = Literal["workday", "weekend", "holiday", "makeup"]

MAX_DAYS = 366
_SATURDAY = 5
_DAYS_OF_WEEK = 7


class CalendarYearUnknown(Refused):
    """Nobody has said yet which days of that year are holidays."""

    code = "booking.calendar_year_unknown"
    zh = "{year} 年的节假日与调休安排未知，请在节假日表中录入"
    en = "The holidays and make-up working days of {year} are not known; give them in the calendar table"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTable:
    """Days given by hand; they win over the package's.

    Attributes:
        years: years that the two sets describe completely, apart from plain weekends.
        rest: days off, for any year: public holidays, or the hospital's own.
        work: working days that would be weekends or holidays.
    """

    years: frozenset[int] = frozenset()
    rest: frozenset[date] = frozenset()
    work: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTemplate:
    """A session that repeats each week."""

    department_id: str
    doctor_id: str | None = None
    weekday: int  #: 0 is Monday, 6 is Sunday
    half: Half
    kind: Kind
    capacity: int
    fee_cents: int
    starts: time  #: on the hospital's clock
    ends: time
    release: ReleaseRule
    segment_minutes: int | None = None
    hot: bool = False
    works_on_makeup_days: bool = False  #: also on a make-up working day that falls on this template's weekday


def day_kind(day: date, table: CalendarTable | None = None) -> DayKind:
    """What kind of day it is; a weekend within a holiday is a holiday.

    Raises:
        CalendarYearUnknown: neither the table nor the package knows that year.
    """
    given = table or CalendarTable()
    weekend = day.weekday() >= _SATURDAY
    if day in given.rest:
        return "holiday"
    if day in given.work:
        return "makeup" if weekend else "workday"
    if day.year in given.years:
        return "weekend" if weekend else "workday"
    try:
        rests, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError as error:
        raise CalendarYearUnknown("day", year=day.year) from error
    if rests:
        return "holiday" if name else "weekend"
    return "makeup" if weekend else "workday"


def generate_sessions(
    templates: Sequence[SessionTemplate],
    first_day: date,
    last_day: date,
    *,
    table: CalendarTable | None = None,
    makeup_weekdays: Mapping[date, int] | None = None,
) -> list[PlannedSession]:
    """The sessions of all templates from the first to the last day, both included, ordered by day.

    Holidays have none, plain weekends have those of their weekday. A make-up working day that `makeup_weekdays` names
    runs like that weekday; one it does not name has only the templates of its own weekday that say
    `works_on_makeup_days`. The ids come from what the sessions are, so generating twice gives the same.

    Args:
        makeup_weekdays: for a make-up working day, the weekday (0 is Monday) whose templates it takes.
    Raises:
        CalendarYearUnknown: a day lies in a year that nobody knows.
        InvalidInput: the range is empty or over a year, or a template breaks a rule; its field names the template.
    """
    if not first_day <= last_day < first_day + timedelta(days=MAX_DAYS):
        raise InvalidInput(
            "last_day",
            zh=f"须不早于开始日期且不超过 {MAX_DAYS} 天",
            en=f"from the first day on, at most {MAX_DAYS} days",
        )
    _check(templates, makeup_weekdays or {})
    sessions: list[PlannedSession] = []
    seen: dict[str, int] = {}
    for offset in range((last_day - first_day).days + 1):
        day = first_day + timedelta(days=offset)
        for index in _at_work(templates, day, table, makeup_weekdays or {}):
            session = _session(templates[index], day, index)
            if session.id in seen:
                raise _at(
                    index, InvalidInput("half", zh="与另一模板重复", en=f"the same as template {seen[session.id]}")
                )
            seen[session.id] = index
            sessions.append(session)
    return sessions


def _check(templates: Sequence[SessionTemplate], makeup_weekdays: Mapping[date, int]) -> None:
    rule = {"zh": "须为 0(周一)到 6(周日)", "en": "from 0 (Monday) to 6 (Sunday)"}
    for index, template in enumerate(templates):
        if not 0 <= template.weekday < _DAYS_OF_WEEK:
            raise _at(index, InvalidInput("weekday", **rule))
        if template.release.days_before < 0:
            raise _at(index, InvalidInput("release", zh="提前天数不能为负", en="days before must not be negative"))
    for weekday in makeup_weekdays.values():
        if not 0 <= weekday < _DAYS_OF_WEEK:
            raise InvalidInput("makeup_weekdays", **rule)


def _at_work(
    templates: Sequence[SessionTemplate],
    day: date,
    table: CalendarTable | None,
    makeup_weekdays: Mapping[date, int],
) -> Iterator[int]:
    kind = day_kind(day, table)
    if kind == "holiday":
        return
    weekday = makeup_weekdays.get(day, day.weekday()) if kind == "makeup" else day.weekday()
    for index, template in enumerate(templates):
        if template.weekday == weekday and (
            kind != "makeup" or day in makeup_weekdays or template.works_on_makeup_days
        ):
            yield index


def _session(template: SessionTemplate, day: date, index: int) -> PlannedSession:
    try:
        session = PlannedSession(
            id=session_id_of(
                template.department_id, template.doctor_id, day=day, half=template.half, kind=template.kind
            ),
            department_id=template.department_id,
            doctor_id=template.doctor_id,
            day=day,
            half=template.half,
            kind=template.kind,
            starts_at_us=to_us(datetime.combine(day, template.starts, tzinfo=HOSPITAL_ZONE)),
            ends_at_us=to_us(datetime.combine(day, template.ends, tzinfo=HOSPITAL_ZONE)),
            fee_cents=template.fee_cents,
            capacity=template.capacity,
            release_at_us=template.release.release_at_us(day),
            hot=template.hot,
            source="calendar",
        )
        session = replace(session, slots=cut_segments(session, template.segment_minutes))
    except InvalidInput as rule:
        raise _at(index, rule) from rule
    for broken in broken_rules(session, now_us=None):
        raise _at(index, broken)
    return session


def _at(index: int, rule: InvalidInput) -> InvalidInput:
    return InvalidInput(f"templates[{index}].{rule.field}", zh=str(rule.data["rule_zh"]), en=str(rule.data["rule_en"]))
