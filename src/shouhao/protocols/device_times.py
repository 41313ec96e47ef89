"""Times as cameras write them, turned into microseconds; a time that cannot have been is none.

GA/T 1400 says yyyyMMddHHmmss in the hospital's zone. Seen besides: milliseconds behind it, dashes or slashes and
colons, ISO 8601 with an offset, and seconds or milliseconds since 1970. Whether a device's clock is right is not asked
here.
"""

import re
from datetime import datetime, timedelta

from shouhao.kernel.clock import HOSPITAL_ZONE, to_us

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.?(\d{0,6})")
_SPELT = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})[T ]+(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?\s*"
    r"(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_UNIX_US = {10: 1_000_000, 13: 1_000, 16: 1}
_LONGEST = 64


def time_us(value: object) -> int | None:
    """Microseconds since 1970-01-01 UTC, or None where it says no time between 2000 and 2100.

    >>> time_us("20200510200408") == time_us("2020-05-10T20:04:08+08:00") == time_us(1589112248)
    True
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        value = int(value) if abs(value) < 1e18 else 0  # noqa: PLR2004 - more digits than any form below
    try:
        text = str(value).strip()
    except ValueError:  # a number of thousands of digits
        return None
    return _read(text) if len(text) <= _LONGEST and text.isascii() else None


def time_in_id_us(identifier: str) -> int | None:
    """The time that stands in an id of GA/T 1400: 20 digits of the device, two of a kind, then yyyyMMddHHmmss."""
    if len(identifier) < 36 or not identifier.isascii() or not identifier.isdigit():  # noqa: PLR2004 - 20 + 2 + 14
        return None
    return time_us(identifier[22:36])


def _read(text: str) -> int | None:
    if text.isdigit() and len(text) in _UNIX_US:
        return _plausible(int(text) * _UNIX_US[len(text)])
    for form in (_COMPACT, _SPELT):
        found = form.fullmatch(text)
        if found is not None:
            parts = found.groups()
            return _of_parts([int(part) for part in parts[:6]], parts[6] or "", parts[7] if form is _SPELT else None)
    return None


def _of_parts(whole: list[int], fraction: str, offset: str | None) -> int | None:
    year, month, day, hour, minute, second = whole
    if not _FIRST_YEAR <= year < _LAST_YEAR:
        return None
    try:
        # A leap second is the next one; 24:00 and other nonsense is refused by datetime itself.
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=HOSPITAL_ZONE)
        if offset is not None:
            zone = datetime.strptime("+0000" if offset in "Zz" else offset.replace(":", ""), "%z").tzinfo
            moment = moment.replace(tzinfo=zone)
    except ValueError:
        return None
    moment += timedelta(seconds=1 if second == 60 else 0)  # noqa: PLR2004 - a leap second
    return None if second > 60 else to_us(moment) + int(fraction[:6].ljust(6, "0"))  # noqa: PLR2004 - as above


def _plausible(at_us: int) -> int | None:
    first = to_us(datetime(_FIRST_YEAR, 1, 1, tzinfo=HOSPITAL_ZONE))
    last = to_us(datetime(_LAST_YEAR, 1, 1, tzinfo=HOSPITAL_ZONE))
    return at_us if first <= at_us < last else None
