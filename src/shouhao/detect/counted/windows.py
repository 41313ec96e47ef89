"""Windows: the most that happened to a subject within any stretch of time of a given length.

A stretch may begin anywhere, so it is not whole minutes that are counted: somebody who does sixty things at the end of
one minute and sixty at the start of the next has done 120 in a minute. A stretch of 60 s is [t - 60 s, t), t left out.
Whole minutes only rule out: a stretch that is as long as a bucket lies in two neighbouring ones, and of these one holds
at least half of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
from ibis.expr.types import IntegerValue, Table

from shouhao.kernel.clock import MINUTE_US

HOUR = 60  # minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """So many within so long is too much."""

    operations: int
    minutes: int  #: so that an hour has a whole number of them; sums of hours and minutes can then rule out

    def __post_init__(self) -> None:
        if self.minutes < 1 or HOUR % self.minutes:
            raise ValueError(f"an hour is not a whole number of windows of {self.minutes} minutes")

    @property
    def length_us(self) -> int:
        """How long it is."""
        return self.minutes * MINUTE_US


def usual_fill(minutes: Table) -> Table:
    """How many subjects did how much in their fullest minute and hour: kind, of (minutes), size, subjects.

    Args:
        minutes: kind, id, minute, operations.
    """
    hours = _by_hour(minutes)
    most = hours.group_by("kind", "id").agg(n=hours.n.max(), most=hours.most.max())
    each = most.mutate(of=ibis.array([1, HOUR]).unnest())
    sizes = each.select("kind", of=each.of.cast("int64"), size=ibis.ifelse(each.of == 1, each.most, each.n))
    return sizes.group_by("kind", "of", "size").agg(subjects=sizes.count())


def to_look_at(minutes: Table, windows: Sequence[Window]) -> Table:
    """Where a window may be too full: kind, id, from_minute, until_minute, the last one included."""
    hours = _by_hour(minutes)
    least = min(window.operations for window in windows)
    busy = hours.filter(hours.n * 2 >= least)
    rows = minutes.mutate(hour=minutes.minute // HOUR).semi_join(busy, ["kind", "id", "hour"])
    each = rows.mutate(window=ibis.array(list(range(len(windows)))).unnest())
    long = each.select("kind", "id", "window", "operations", bucket=each.minute // _of(windows, each.window, "minutes"))
    sums = long.group_by("kind", "id", "window", "bucket").agg(n=long.operations.sum().cast("int64"))
    full = sums.filter(sums.n * 2 >= _of(windows, sums.window, "operations"))
    length = _of(windows, full.window, "minutes")
    return full.select(
        "kind", "id", from_minute=(full.bucket - 1) * length, until_minute=(full.bucket + 2) * length - 1
    )


def peaks(rows: Table, windows: Sequence[Window]) -> Table:
    """The fullest stretch of each subject that is too full: kind, id, window, peak, until_us, first_us, last_us.

    `until_us` is the last instant of the first such stretch, `first_us` and `last_us` are the instants at which the
    limit was reached first and last, and `window` is the number of the window.

    Args:
        rows: kind, id, at_us; all rows of what is to look at.
    """
    at_once = rows.group_by("kind", "id", "at_us").agg(n=rows.count())
    counted = at_once.mutate(**{f"w{n}": _within(at_once, window) for n, window in enumerate(windows)})
    each = counted.mutate(window=ibis.array(list(range(len(windows)))).unnest())
    size = ibis.cases(*((each.window == n, each[f"w{n}"]) for n in range(len(windows))), else_=0)
    long = each.select("kind", "id", "at_us", window=each.window.cast("int64"), n=size)
    full = long.filter(long.n >= _of(windows, long.window, "operations"))
    most = full.mutate(peak=full.n.max().over(group_by=[full.kind, full.id, full.window]))
    return most.group_by("kind", "id", "window").agg(
        peak=most.peak.max().cast("int64"),
        until_us=most.at_us.min(where=most.n == most.peak),
        first_us=most.at_us.min(),
        last_us=most.at_us.max(),
    )


def _by_hour(minutes: Table) -> Table:
    """What each subject did in each hour, and in the fullest minute of it: kind, id, hour, n, most."""
    rows = minutes.mutate(hour=minutes.minute // HOUR)
    return rows.group_by("kind", "id", "hour").agg(
        n=rows.operations.sum().cast("int64"), most=rows.operations.max().cast("int64")
    )


def _within(at_once: Table, window: Window) -> ibis.Value:
    alike = [at_once.kind, at_once.id]
    frame = ibis.range_window(preceding=window.length_us - 1, following=0, group_by=alike, order_by=at_once.at_us)
    return at_once.n.sum().over(frame).cast("int64")


def _of(windows: Sequence[Window], number: IntegerValue, field: str) -> IntegerValue:
    choices = [(number == n, ibis.literal(getattr(window, field), type="int64")) for n, window in enumerate(windows)]
    return ibis.cases(*choices, else_=ibis.literal(1, type="int64"))
