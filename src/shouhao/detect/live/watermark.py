"""Watermark: up to when events are taken to be complete, told from the events alone.

It is the latest time seen of a source less the lateness that is allowed, and so depends on which events came in which
order, never on a clock that runs beside them: whoever reads the same events again, in pieces of any size, gets the same
watermark after each of them. What comes later than it is late: it is kept, counted, and corrects what was said. What
lies in the future of its own arrival would carry the watermark away with it, and what is older than all that is kept
can change nothing any more; both are put aside with their reason.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from shouhao.kernel.clock import DAY_US, MINUTE_US

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Reason = Literal["time_ahead", "too_old"]

NEVER_US = -(1 << 62)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTime:
    """What is allowed."""

    lateness_us: int = 2 * MINUTE_US  #: events of one moment are expected to come within it
    ahead_us: int = 5 * MINUTE_US  #: a clock may be so far ahead of the one that events arrive by
    keep_us: int = 30 * DAY_US  #: what is older than this before the watermark is forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the watermark says of some events, in their order."""

    watermark_us: Int64s  #: after each; `NEVER_US` before there is any
    late: Bools
    ahead: Bools  #: put aside: "time_ahead"
    too_old: Bools  #: put aside: "too_old"

    @property
    def aside(self) -> Bools:
        """Those that are put aside."""
        return self.ahead | self.too_old

    def first(self, count: int) -> "Marks":
        """Of the first so many events."""
        return Marks(
            watermark_us=self.watermark_us[:count],
            late=self.late[:count],
            ahead=self.ahead[:count],
            too_old=self.too_old[:count],
        )

    def reason(self, n: int) -> Reason:
        """Why one of them was put aside."""
        return "time_ahead" if self.ahead[n] else "too_old"


def ahead_of(at_us: Int64s, arrived_us: int, allowed: EventTime) -> Bools:
    """Which events lie in the future of their own arrival."""
    return np.asarray(at_us > arrived_us + allowed.ahead_us)


def mark(at_us: Int64s, *, ahead: Bools, newest_us: int, allowed: EventTime) -> Marks:
    """Hold events against the watermark, one after the other.

    Args:
        at_us: when they happened, in the order in which they came.
        ahead: which of them lie in the future of their own arrival.
        newest_us: the latest time seen before, of those not put aside; `NEVER_US` when there is none.
    """
    seen = np.maximum.accumulate(np.append(np.int64(newest_us), np.where(ahead, np.int64(NEVER_US), at_us)))
    watermark = np.where(seen == NEVER_US, NEVER_US, seen - allowed.lateness_us)
    before = watermark[:-1]
    late = ~ahead & (at_us < before)
    too_old = late & (at_us < before - allowed.keep_us)
    return Marks(watermark_us=watermark[1:], late=late & ~too_old, ahead=ahead, too_old=too_old)


def tick_of(watermark_us: int, pace_us: int) -> int:
    """The last moment of a schedule that has passed: a whole number of paces since 1970.

    >>> tick_of(125, 60)
    120
    """
    return watermark_us // pace_us * pace_us


def first_crossing(watermark_us: Int64s, tick_us: int, pace_us: int) -> int | None:
    """Which event is the first by which the watermark passes the next moment of a schedule; None when none does.

    Args:
        tick_us: the last moment that has passed.
    """
    passed = watermark_us >= tick_us + pace_us
    return int(np.argmax(passed)) if passed.any() else None
