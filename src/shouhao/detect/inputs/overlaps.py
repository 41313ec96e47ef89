"""Overlaps: lines that stand in two files because one log was kept twice are counted once.

A rotated log and its compressed copy, two exports whose ends overlap, one server's log and the merged log of all: their
common lines are one request each. Two equal lines in one file are two requests, and so are equal lines of two servers
that served the same client in the same second: those files are not one log, and nothing is taken away.

Files are one log when, of the lines in the time that both cover, nearly all of one stand in the other, over more than
one second; or when one file ends with just the lines that the other begins with. Of a line that stands n times in one
and m times in the other, the greater number is kept. What is left out is compared byte by byte, not by hash alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.lines import Int64s
from shouhao.detect.inputs.log_times import DatedLog
from shouhao.kernel.clock import SECOND_US

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEARLY_ALL = 0.9
_LONG_RUN = 8  #: lines; fewer that end one file and begin the next in one second may be a burst that rotation cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What two files have in common."""

    first: int  #: number of the source
    second: int
    lines: int
    one_log: bool  #: and are therefore counted once
    from_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class _Window:
    """The lines of one log that lie in a time that another log covers too; columns in the order of the file."""

    log: int  #: index among the logs
    hashes: Any  #: uint64
    at_us: Int64s
    starts: Int64s
    ends: Int64s
    places: Int64s  #: which line of the log each is


def find_overlaps(
    connection: "DuckDBPyConnection", logs: Sequence[DatedLog]
) -> tuple[list[Overlap], Mapping[int, Int64s]]:
    """The overlaps, and for each log's number which of its lines are counted in another (sorted)."""
    logs = sorted(logs, key=lambda log: (log.file.packed, log.number))  # what need not be unpacked is cited
    spans = [_span(log) for log in logs]
    pairs = [
        (a, b)
        for a, b in combinations(range(len(logs)), 2)
        if spans[a] and spans[b] and max(spans[a][0], spans[b][0]) <= min(spans[a][1], spans[b][1])
    ]
    if not pairs:
        return [], {}
    shared: dict[int, list[tuple[int, int]]] = {}
    for a, b in pairs:
        span = (max(spans[a][0], spans[b][0]), min(spans[a][1], spans[b][1]))
        for log in (a, b):
            shared.setdefault(log, []).append(span)
    windows = {log: _window(connection, logs[log], log, times) for log, times in sorted(shared.items())}
    runs = _Runs(list(windows.values()))
    found: list[Overlap] = []
    for a, b in pairs:
        overlap = _compare(runs, windows[a], windows[b], spans[a], spans[b], logs)
        if overlap is not None:
            found.append(overlap)
    linked = [(one.first, one.second) for one in found if one.one_log]
    dropped = _dropped(runs, windows, linked, logs) if linked else {}
    numbered = [
        Overlap(
            first=logs[one.first].number,
            second=logs[one.second].number,
            lines=one.lines,
            one_log=one.one_log,
            from_us=one.from_us,
            until_us=one.until_us,
        )
        for one in found
    ]
    return numbered, {logs[n].number: places for n, places in dropped.items()}


def _span(log: DatedLog) -> tuple[int, ...]:
    """From when until when; nothing for a log without lines."""
    found = [(int(part.at_us.min()), int(part.at_us.max())) for part in log.ranges if len(part.at_us)]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else ()


def _window(connection: "DuckDBPyConnection", log: DatedLog, index: int, times: Sequence[tuple[int, int]]) -> _Window:
    """The lines of a log in any of some times, hashed."""
    columns: list[tuple[Any, ...]] = []
    count = 0
    for part in log.ranges:
        inside = np.zeros(len(part.at_us), np.bool_)
        for low, high in times:
            inside |= (part.at_us >= low) & (part.at_us <= high)
        if inside.any():
            chosen = part if inside.all() else part.only(inside)
            lines = chosen.lines
            places = np.flatnonzero(inside) + count
            columns.append((_hashes(connection, lines.texts()), chosen.at_us, lines.starts, lines.ends, places))
        count += len(part.at_us)
    return _Window(index, *(np.concatenate(column) for column in zip(*columns, strict=True)))


def _hashes(connection: "DuckDBPyConnection", texts: pa.Array) -> Any:
    numbers = np.arange(len(texts), dtype=np.int32)
    connection.register("shouhao_window", pa.table({"line": texts, "number": numbers}))
    answer = connection.sql("SELECT number, hash(line) AS hash FROM shouhao_window").to_arrow_table()
    connection.unregister("shouhao_window")
    hashes = np.empty(len(texts), np.uint64)
    hashes[answer["number"].to_numpy()] = answer["hash"].to_numpy()
    return hashes


class _Runs:
    """Lines of all windows sorted by hash, then by log and place; a run is one content in one log."""

    def __init__(self, windows: Sequence[_Window]) -> None:
        hashes = np.concatenate([window.hashes for window in windows])
        logs = np.concatenate([np.full(len(window.hashes), window.log, np.int32) for window in windows])
        at = np.concatenate([np.arange(len(window.hashes)) for window in windows])
        order = np.argsort(hashes, kind="stable")  # which keeps logs and places in order
        self.hashes, self.logs, self.at = hashes[order], logs[order], at[order]
        new_hash = np.append(True, self.hashes[1:] != self.hashes[:-1]) if len(order) else np.empty(0, np.bool_)
        new_run = new_hash.copy()
        new_run[1:] |= self.logs[1:] != self.logs[:-1]
        self.first = np.flatnonzero(new_run)  #: of each run, where it begins
        self.count = np.diff(np.append(self.first, len(order)))
        self.log = self.logs[self.first]
        self.group = np.cumsum(new_hash)[self.first]  #: of each run, which content it is

    def common(self, a: int, b: int) -> tuple[Int64s, Int64s]:
        """Runs of one log and of another that have the same content."""
        of_a, of_b = np.flatnonzero(self.log == a), np.flatnonzero(self.log == b)
        _, in_a, in_b = np.intersect1d(self.group[of_a], self.group[of_b], assume_unique=True, return_indices=True)
        return of_a[in_a], of_b[in_b]


def _compare(
    runs: _Runs,
    a: _Window,
    b: _Window,
    span_a: tuple[int, ...],
    span_b: tuple[int, ...],
    logs: Sequence[DatedLog],
) -> Overlap | None:
    """What two logs have in common; None if nothing."""
    in_a, in_b = runs.common(a.log, b.log)
    if not len(in_a):
        return None
    common = int(np.minimum(runs.count[in_a], runs.count[in_b]).sum())
    times = a.at_us[runs.at[runs.first[in_a]]]
    low, high = max(span_a[0], span_b[0]), min(span_a[1], span_b[1])
    inside = [w.hashes[(w.at_us >= low) & (w.at_us <= high)] for w in (a, b)]
    copied = np.array_equal(a.hashes, b.hashes) and all(len(w.hashes) == logs[w.log].hit_count() for w in (a, b))
    over_seconds = times.max() // SECOND_US > times.min() // SECOND_US
    nearly_all = common >= NEARLY_ALL * min(len(inside[0]), len(inside[1]))
    one_log = copied or (len(in_a) > 1 and ((over_seconds and nearly_all) or _edges_meet(a, b) or _edges_meet(b, a)))
    return Overlap(
        first=a.log,
        second=b.log,
        lines=common,
        one_log=bool(one_log),
        from_us=int(times.min()),
        until_us=int(times.max()),
    )


def _edges_meet(a: _Window, b: _Window) -> bool:
    """Whether the first log ends with the lines that the second begins with, too many to be chance."""
    starts = np.flatnonzero(a.hashes == b.hashes[0])
    for start in starts[-1000:].tolist():
        length = len(a.hashes) - start
        if length > len(b.hashes) or not (a.hashes[start:] == b.hashes[:length]).all():
            continue
        seconds = a.at_us[start:] // SECOND_US
        if length >= _LONG_RUN or length == len(b.hashes) or seconds.min() < seconds.max():
            return len(np.unique(b.hashes[:length])) > 1
    return False


def _dropped(
    runs: _Runs, windows: Mapping[int, _Window], linked: Sequence[tuple[int, int]], logs: Sequence[DatedLog]
) -> Mapping[int, Int64s]:
    """Of each log, the lines that one before it has as often, among those that are one log."""
    family = _families(linked, len(logs))
    dropped: dict[int, list[Int64s]] = {}
    for first in sorted(set(family.values())):
        members = [log for log, root in sorted(family.items()) if root == first]
        own, other = _twins(runs, np.flatnonzero(np.isin(runs.log, members)))
        for log in members:
            for holder in members:
                mine = (runs.logs[own] == log) & (runs.logs[other] == holder)
                if mine.any():
                    pairs = windows[log], runs.at[own[mine]], windows[holder], runs.at[other[mine]]
                    at = _truly_equal(logs, *pairs)
                    dropped.setdefault(log, []).append(windows[log].places[at])
    return {log: np.sort(np.concatenate(places)) for log, places in sorted(dropped.items())}


def _twins(runs: _Runs, chosen: Int64s) -> tuple[Int64s, Int64s]:
    """Lines that a log before has as often, and the lines that they are there; both as places in the sorted order.

    Args:
        chosen: runs of the logs in question, as they are sorted.
    """
    group, count = runs.group[chosen], runs.count[chosen]
    lift = (group - group[0]) * (int(count.max()) + 1)  # so that the greatest so far starts anew with each content
    most = np.maximum.accumulate(count + lift) - lift
    before = np.where(np.append(False, group[1:] == group[:-1]), np.append(0, most[:-1]), 0)
    raised = np.maximum.accumulate(np.where(count > before, np.arange(len(chosen)), 0))
    holder = np.append(0, raised[:-1])  # the run in which the greatest so far was reached
    many = np.minimum(before, count)
    within = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
    return (
        np.repeat(runs.first[chosen], many) + within,
        np.repeat(runs.first[chosen[holder]], many) + within,
    )


def _truly_equal(logs: Sequence[DatedLog], a: _Window, in_a: Int64s, b: _Window, in_b: Int64s) -> Int64s:
    """Of pairs of lines that look alike, those of the first log whose bytes are those of the second; sorted."""
    order = np.argsort(in_a)
    in_a, in_b = in_a[order], in_b[order]
    a_data, b_data = (np.frombuffer(logs[w.log].file.text, np.uint8) for w in (a, b))
    a_starts, b_starts, a_ends, b_ends = a.starts[in_a], b.starts[in_b], a.ends[in_a], b.ends[in_b]
    equal = (a_ends - a_starts) == (b_ends - b_starts)
    apart = (np.diff(in_a) != 1) | (np.diff(in_b) != 1) | (np.diff(a_starts) != np.diff(b_starts))
    edges = [0, *(np.flatnonzero(apart) + 1).tolist(), len(in_a)]
    for first, last in pairwise(edges):  # lines that follow each other in both, at once
        whole = slice(int(a_starts[first]), int(a_ends[last - 1])), slice(int(b_starts[first]), int(b_ends[last - 1]))
        if equal[first:last].all() and np.array_equal(a_data[whole[0]], b_data[whole[1]]):
            continue
        for n in range(first, last):
            mine, theirs = a_data[a_starts[n] : a_ends[n]], b_data[b_starts[n] : b_ends[n]]
            equal[n] = equal[n] and np.array_equal(mine, theirs)
    return np.asarray(in_a[equal])


def _families(linked: Sequence[tuple[int, int]], count: int) -> Mapping[int, int]:
    """For each log that is linked, the first of those it is linked with, directly or through others."""
    root = list(range(count))

    def find(n: int) -> int:
        while root[n] != n:
            n = root[n]
        return n

    for a, b in sorted(linked):
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return {n: find(n) for pair in linked for n in pair}
