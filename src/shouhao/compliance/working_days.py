"""Working days: the law's deadlines, counted on the State Council's calendar with its make-up days.

A year that the calendar does not know yet is counted as if each of its days were a working day: the deadline is then
too early and never too late.
"""

from datetime import date, timedelta

import chinese_calendar


def working_days_after(day: date, count: int) -> date:
    """The last day of a deadline of so many working days that begins the day after.

    >>> working_days_after(date(2025, 9, 30), 1)  # 1 to 8 October are holidays
    datetime.date(2025, 10, 9)
    """
    while count:
        day += timedelta(days=1)
        count -= _works(day)
    return day


def _works(day: date) -> bool:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return True
