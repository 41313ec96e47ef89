"""Schedule: what a hospital plans to offer, before it is stored: departments, doctors, sessions, numbered slots.

Every way in (CSV, FHIR, calendar templates, console) ends in a `SchedulePlan` and keeps the rules written here.
Reading files is left to `protocols/`, storing to `booking/store/inventory.py`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args

from shouhao.kernel.clock import HOSPITAL_ZONE, MINUTE_US, day_of, from_us, start_of_day_us, to_us
from shouhao.kernel.errors import InvalidInput

Half = Literal["am", "pm", "evening"]
Kind = Literal["general", "expert", "special", "antenatal"]
Source = Literal["csv", "fhir", "calendar", "console"]
HALVES: tuple[Half, ...] = get_args(Half)
KINDS: tuple[Kind, ...] = get_args(Kind)

MAX_CAPACITY = 2000
MAX_FEE_CENTS = 100_000 * 100
MAX_NAME_LENGTH = 80
SEGMENT_MINUTES = range(5, 241)

#: From and until which minute of the day a session of that half may run; halves overlap, as lunches do.
HALF_MINUTES: dict[Half, tuple[int, int]] = {
    "am": (5 * 60, 13 * 60 + 30),
    "pm": (11 * 60 + 30, 19 * 60),
    "evening": (16 * 60 + 30, 24 * 60),
}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in what was imported, so that a person finds it again."""

    line: int | None = None  #: line of the file, from 1
    byte: int | None = None  #: offset at which the row or resource starts
    element: str | None = None  #: path of the element, e.g. `entry[3].resource`


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A field of one row that does not keep its rule; the row was left out, the others were not."""

    place: Place
    field: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why and where reading a file ended early; what stood before is kept."""

    place: Place  #: `byte` is where reading stopped
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A department 科室."""

    id: str
    name_zh: str
    name_en: str = ""  #: empty: not known to the source; a known name is then kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """A doctor, under the department that employs them."""

    id: str
    department_id: str
    name_zh: str
    name_en: str = ""
    title_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSlot:
    """One numbered place (号序) and the time segment (分时段) in which its patient should come."""

    number: int  #: from 1, in the order of the segments
    starts_at_us: int
    ends_at_us: int
    withheld: bool = False  #: the source gave it away already: it keeps its number and cannot be booked here


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSession:
    """One half-day of a doctor, or of a clinic without a named doctor."""

    id: str
    department_id: str
    doctor_id: str | None
    day: date
    half: Half
    kind: Kind
    starts_at_us: int
    ends_at_us: int
    fee_cents: int
    capacity: int
    release_at_us: int
    hot: bool = False
    source: Source
    slots: tuple[PlannedSlot, ...] = ()  #: as many as `capacity`; `cut_segments` makes them
    place: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlan:
    """What one import brings."""

    departments: tuple[Department, ...] = ()
    doctors: tuple[Doctor, ...] = ()
    sessions: tuple[PlannedSession, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRule:
    """When a session's slots open: so many days before, at a time of the hospital's clock."""

    days_before: int
    at: time

    def release_at_us(self, day: date) -> int:
        """The moment at which a session of that day opens."""
        opens_on = day - timedelta(days=self.days_before)
        return to_us(datetime.combine(opens_on, self.at, tzinfo=HOSPITAL_ZONE))


def session_id_of(department_id: str, doctor_id: str | None, *, day: date, half: Half, kind: Kind) -> str:
    """The id of a session, from what it is: the same session from any source has the same id.

    >>> session_id_of("OBS", "D1", day=date(2026, 11, 23), half="am", kind="expert")
    'se_803fa45adc0686cf1acd0f07a3'
    """
    what = "\0".join((department_id, doctor_id or "", day.isoformat(), half, kind))
    return f"se_{hashlib.blake2b(what.encode(), digest_size=13).hexdigest()}"


def cut_segments(session: PlannedSession, segment_minutes: int | None) -> tuple[PlannedSlot, ...]:
    """Spread the session's numbered slots evenly over time segments.

    Numbers grow with time. The last segment may be shorter than the others; with fewer slots than segments some
    segments stay empty.

    Args:
        segment_minutes: length of a segment, 5..240; None gives every slot the whole session.
    Raises:
        InvalidInput: the segment length breaks its rule, or the session's times or capacity do.
    """
    if not 1 <= session.capacity <= MAX_CAPACITY:
        raise _capacity_rule()
    if session.starts_at_us >= session.ends_at_us:
        raise _span_rule()
    if segment_minutes is None:
        length_us = session.ends_at_us - session.starts_at_us
    elif segment_minutes in SEGMENT_MINUTES:
        length_us = segment_minutes * MINUTE_US
    else:
        raise InvalidInput("segment_minutes", zh="须为 5 到 240 分钟的整数", en="whole minutes from 5 to 240")
    segments = -(-(session.ends_at_us - session.starts_at_us) // length_us)
    slots = []
    for index in range(session.capacity):
        starts_at_us = session.starts_at_us + index * segments // session.capacity * length_us
        ends_at_us = min(starts_at_us + length_us, session.ends_at_us)
        slots.append(PlannedSlot(number=index + 1, starts_at_us=starts_at_us, ends_at_us=ends_at_us))
    return tuple(slots)


def check_id(field_name: str, value: str) -> str:
    """An id as other systems give it: 1 to 64 of ASCII letters, digits and `._:-`, a letter or digit first.

    Raises:
        InvalidInput: it is not such an id.
    """
    if not _ID.fullmatch(value):
        raise InvalidInput(
            field_name,
            zh="须为 1 到 64 个字母、数字或 . _ : -,以字母或数字开头",
            en="1 to 64 letters, digits or . _ : -, a letter or digit first",
        )
    return value


def check_name(field_name: str, value: str, *, required: bool = True) -> str:
    """A name that people read: 1 to 80 characters without control or invisible ones.

    Raises:
        InvalidInput: it is empty though required, too long, or holds characters that nobody sees.
    """
    if required and not value:
        raise InvalidInput(field_name, zh="不能为空", en="must not be empty")
    if len(value) > MAX_NAME_LENGTH or any(unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} for c in value):
        raise InvalidInput(
            field_name, zh="最多 80 个字符，不含控制字符", en="at most 80 characters, none of them control characters"
        )
    return value


def broken_rules(session: PlannedSession, *, now_us: int | None) -> list[InvalidInput]:
    """Every rule that a session with its slots breaks; an empty list means that it may be stored.

    Args:
        now_us: None leaves out the rule that its day is not over.
    """
    return list(_broken_rules(session, now_us))


def _broken_rules(session: PlannedSession, now_us: int | None) -> Iterator[InvalidInput]:
    if not 1 <= session.capacity <= MAX_CAPACITY:
        yield _capacity_rule()
    if not 0 <= session.fee_cents <= MAX_FEE_CENTS:
        yield InvalidInput("fee", zh="须在 0 到 100000 元之间", en="from 0 to 100000 yuan")
    if now_us is not None and session.day < day_of(now_us):
        yield InvalidInput("day", zh="不能早于今天", en="must not be in the past")
    if session.starts_at_us >= session.ends_at_us:
        yield _span_rule()
    else:
        yield from _outside_half(session)
    if session.release_at_us >= session.starts_at_us:
        yield InvalidInput("release_at", zh="放号时间须早于开诊时间", en="must be before the session starts")
    if len(session.slots) != session.capacity:
        yield InvalidInput("slots", zh="号数须等于限号数", en="there must be as many slots as the capacity")
    elif not _in_order(session):
        yield InvalidInput(
            "slots", zh="号序须从 1 递增且时段在出诊时间内", en="numbers must grow from 1, segments stay in the session"
        )


def _outside_half(session: PlannedSession) -> Iterator[InvalidInput]:
    first, last = HALF_MINUTES[session.half]
    midnight_us = start_of_day_us(session.day)
    hours = f"{first // 60:02d}:{first % 60:02d}-{last // 60:02d}:{last % 60:02d}"
    for name, at_us in (("start", session.starts_at_us), ("end", session.ends_at_us)):
        if not midnight_us + first * MINUTE_US <= at_us <= midnight_us + last * MINUTE_US:
            yield InvalidInput(
                name, zh=f"{session.half} 须在当日 {hours} 之内", en=f"{session.half} lies within {hours} of its day"
            )


def _in_order(session: PlannedSession) -> bool:
    before = session.starts_at_us
    for expected, slot in enumerate(session.slots, start=1):
        if slot.number != expected or not before <= slot.starts_at_us < slot.ends_at_us <= session.ends_at_us:
            return False
        before = slot.starts_at_us
    return True


def _capacity_rule() -> InvalidInput:
    return InvalidInput(
        "capacity", zh=f"须为 1 到 {MAX_CAPACITY} 的整数", en=f"a whole number from 1 to {MAX_CAPACITY}"
    )


def _span_rule() -> InvalidInput:
    return InvalidInput("end", zh="结束时间须晚于开始时间", en="must be later than the start")


def half_of(starts_at_us: int) -> Half:
    """The half of the day that a start time belongs to: before 12:00, before 17:00, or later."""
    moment = from_us(starts_at_us)
    noon, five = 12, 17
    return "am" if moment.hour < noon else "pm" if moment.hour < five else "evening"


def bad_rows(broken: Sequence[InvalidInput], place: Place) -> list[BadRow]:
    """Broken rules as lines of a report."""
    return [
        BadRow(place=place, field=rule.field or "", zh=str(rule.data["rule_zh"]), en=str(rule.data["rule_en"]))
        for rule in broken
    ]
