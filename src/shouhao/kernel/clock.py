"""Time: instants are whole microseconds since 1970-01-01 UTC, days are dates of the hospital's own zone.

One integer reads the same in SQLite, PostgreSQL, JSON and Python and compares without a time zone
(docs/decisions/0003-time-as-integers.md). Rooms take `now_us` as an argument; a `Clock` lives at the edges.
"""

import time
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

HOSPITAL_ZONE = ZoneInfo("Asia/Shanghai")
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the edges ask what time it is."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000


class ManualClock:
    """A clock that moves only when told to: for tests and for a day in virtual time."""

    def __init__(self, now_us: int) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return self._now_us

    def advance(self, *, seconds: float) -> None:
        """Move forward.

        Raises:
            ValueError: time does not run backwards.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._now_us += round(seconds * SECOND_US)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC of a moment with a zone.

    Raises:
        ValueError: the moment has no zone, so it is not known when it was.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(at_us: int) -> datetime:
    """The moment in the hospital's zone."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(HOSPITAL_ZONE)


@lru_cache(maxsize=8192)
def iso(at_us: int) -> str:
    """ISO 8601 with microseconds and the hospital's offset, as in exports and on pages.

    >>> iso(0)
    '1970-01-01T08:00:00.000000+08:00'
    """
    return from_us(at_us).isoformat(timespec="microseconds")


def day_of(at_us: int) -> date:
    """The hospital's calendar day of a moment."""
    return from_us(at_us).date()


def start_of_day_us(day: date) -> int:
    """Midnight at the hospital, as microseconds since 1970-01-01 UTC."""
    return to_us(datetime(day.year, day.month, day.day, tzinfo=HOSPITAL_ZONE))


def years_between(birth: date, on: date) -> int:
    """Completed years of age (周岁) on a day; a child of 29 February has its birthday on 1 March.

    >>> years_between(date(2010, 5, 2), date(2026, 5, 1))
    15
    """
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
