"""Limits: how much one person may hold, and what returning late or not coming costs. A policy is versioned data.

The counts are per person (one ID number), never per account or device: those can be bought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Any

from shouhao.booking.model import LimitReached, LiveBooking, Restricted, Restriction
from shouhao.kernel.clock import DAY_US, SECOND_US, from_us
from shouhao.kernel.errors import InvalidInput, Refused

KIND = "booking_limits"
_HIGHEST = 100_000_000

_REASONS = {
    "no_show": ("多次爽约", "repeated no-shows"),
    "late_return": ("多次临近就诊退号", "repeated late returns"),
    "unpaid_hold": ("多次占号不付", "repeatedly holding slots without paying"),
    "cooling": ("退号后的冷静期", "the cooling time after a return"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsPolicy:
    """The limits in force. Every number can be set; nought switches a penalty or cooling off."""

    live_per_person: int = 8  #: live bookings a person may hold in all; a visit that was attended holds nothing
    live_per_department_day: int = 1
    live_per_day: int = 3
    live_per_week: int = 5  #: weeks run Monday to Sunday
    cooling_after_return_s: int = 600  #: in the department of the returned slot
    late_return_before_s: int = 4 * 3600  #: a return this close to the time segment counts as late
    late_returns_counted: int = 3  #: this many late returns ...
    late_return_window_days: int = 90  #: ... within this time ...
    late_return_block_days: int = 30  #: ... cost this long; then it lapses
    unpaid_holds_counted: int = (
        3  #: holds that ran out unpaid: holding and letting go is how slots are kept from others
    )
    unpaid_hold_window_days: int = 7
    unpaid_hold_block_days: int = 2
    no_shows_counted: int = 3
    no_show_window_days: int = 365
    no_show_block_days: int = 90
    no_show_grace_s: int = 0  #: after the session's end

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant.

        Raises:
            InvalidInput: names the field.
        """
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _HIGHEST:
                raise InvalidInput(f.name, zh="应为非负整数", en="must be a whole number, nought or more")
            if f.name.startswith("live_") and value == 0:
                raise InvalidInput(f.name, zh="应至少为 1", en="must be at least 1")


def limits_from(body: Mapping[str, Any]) -> LimitsPolicy:
    """Typed policy from its stored body.

    Raises:
        InvalidInput: an unknown field, or a number that cannot be meant.
    """
    known = {f.name for f in fields(LimitsPolicy)}
    for name in body:
        if name not in known:
            raise InvalidInput(str(name), zh="未知的策略项", en="is not part of this policy")
    return LimitsPolicy(**dict(body))


def over_limit(held: Sequence[LiveBooking], *, department_id: str, day: str, policy: LimitsPolicy) -> Refused | None:
    """Why one more booking would be too many for this person, or None."""
    if not held:
        return None
    if sum(not b.attended for b in held) >= policy.live_per_person:
        return _limit(policy.live_per_person, "每人未就诊预约", "open bookings a person")
    same_day = [b for b in held if b.day == day]
    if same_day:
        if len(same_day) >= policy.live_per_day:
            return _limit(policy.live_per_day, "同一天", "bookings a day")
        if sum(b.department_id == department_id for b in same_day) >= policy.live_per_department_day:
            return _limit(policy.live_per_department_day, "同一科室同一天", "bookings a department and day")
    week = week_of(day)
    if sum(week_of(b.day) == week for b in held) >= policy.live_per_week:
        return _limit(policy.live_per_week, "同一周", "bookings a week")
    return None


def restricted(restrictions: Sequence[Restriction], *, department_id: str, now_us: int) -> Refused | None:
    """Why this person may not book in this department now, or None; what has lapsed does not count."""
    for r in restrictions:
        if r.ends_at_us > now_us and r.department_id in {None, department_id}:
            zh, en = _REASONS[r.reason]
            until = from_us(r.ends_at_us).strftime("%Y-%m-%d %H:%M")
            return Restricted("patient_id", reason_zh=zh, reason_en=en, reason=r.reason, until=until)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """A restriction to write. One that ends as it starts is a mark that only counts."""

    reason: str
    department_id: str | None
    ends_at_us: int


def after_return(
    *, starts_at_us: int, department_id: str, marks: int, policy: LimitsPolicy, now_us: int
) -> list[Penalty]:
    """What a return brings: a cooling time, and when late a mark or a block.

    Args:
        marks: earlier late returns within the policy's window.
    """
    penalties = []
    if policy.cooling_after_return_s:
        ends = now_us + policy.cooling_after_return_s * SECOND_US
        penalties.append(Penalty(reason="cooling", department_id=department_id, ends_at_us=ends))
    if starts_at_us - now_us < policy.late_return_before_s * SECOND_US:
        blocked = policy.late_returns_counted and marks + 1 >= policy.late_returns_counted
        days = policy.late_return_block_days if blocked else 0
        penalties.append(Penalty(reason="late_return", department_id=None, ends_at_us=now_us + days * DAY_US))
    return penalties


def after_unpaid_hold(*, marks: int, policy: LimitsPolicy, now_us: int) -> Penalty:
    """What letting a hold run out brings: a mark, or a block once there are enough of them."""
    blocked = policy.unpaid_holds_counted and marks + 1 >= policy.unpaid_holds_counted
    days = policy.unpaid_hold_block_days if blocked else 0
    return Penalty(reason="unpaid_hold", department_id=None, ends_at_us=now_us + days * DAY_US)


def after_no_show(*, marks: int, policy: LimitsPolicy, now_us: int) -> Penalty:
    """What not coming brings: a mark, or a block once there are enough of them."""
    blocked = policy.no_shows_counted and marks + 1 >= policy.no_shows_counted
    days = policy.no_show_block_days if blocked else 0
    return Penalty(reason="no_show", department_id=None, ends_at_us=now_us + days * DAY_US)


def marks_since_us(reason: str, *, policy: LimitsPolicy, now_us: int) -> int:
    """From when on earlier marks count."""
    days = {
        "no_show": policy.no_show_window_days,
        "late_return": policy.late_return_window_days,
        "unpaid_hold": policy.unpaid_hold_window_days,
    }[reason]
    return now_us - days * DAY_US


@lru_cache(maxsize=4096)
def week_of(day: str) -> tuple[int, int]:
    """ISO year and week of a day.

    >>> week_of("2026-12-31") == week_of("2027-01-03")
    True
    """
    year, week, _ = date.fromisoformat(day).isocalendar()
    return year, week


def _limit(limit: int, zh: str, en: str) -> LimitReached:
    return LimitReached("patient_id", limit=limit, scope_zh=zh, scope_en=en)
