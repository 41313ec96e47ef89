"""Weekly templates as JSON: departments, doctors, and the sessions that repeat each week, with a calendar by hand.

From it the sessions of any range of days are generated on China's working-day calendar. Described in
docs/reference/import.md.
"""

from collections.abc import Mapping
from datetime import date

import msgspec

from shouhao.booking.calendar import CalendarTable, SessionTemplate, generate_sessions
from shouhao.booking.schedule import Department, Doctor, SchedulePlan
from shouhao.kernel.errors import InvalidInput


class Weekly(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds."""

    departments: tuple[Department, ...] = ()
    doctors: tuple[Doctor, ...] = ()
    templates: tuple[SessionTemplate, ...] = ()
    calendar: CalendarTable = CalendarTable()
    makeup_weekdays: Mapping[date, int] = {}  #: a make-up working day, and the weekday (0 is Monday) it runs like


_decode = msgspec.json.Decoder(Weekly).decode


def read_weekly(data: bytes) -> Weekly:
    """Read a file.

    Raises:
        InvalidInput: not JSON, or a field that breaks its rule; named by its path.
    """
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        rule, _, at = str(error).partition(" - at `$")
        field = at.rstrip("`").lstrip(".") or "file"
        raise InvalidInput(field, zh=f"不符合格式说明({rule})", en=rule) from None


def plan_weekly(weekly: Weekly, first_day: date, last_day: date) -> SchedulePlan:
    """The sessions of these days, both included.

    Raises:
        CalendarYearUnknown: a day lies in a year that neither the file nor the calendar package knows.
        InvalidInput: the range is empty or over a year, or a template breaks a rule.
    """
    sessions = generate_sessions(
        weekly.templates,
        first_day,
        last_day,
        table=weekly.calendar,
        makeup_weekdays=weekly.makeup_weekdays,
    )
    return SchedulePlan(departments=weekly.departments, doctors=weekly.doctors, sessions=tuple(sessions))
