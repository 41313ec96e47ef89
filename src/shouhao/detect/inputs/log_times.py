"""Log times: each line of an access log is tried against the format and dated, by several threads over one file.

What is known afterwards of a line is its place, its time and the way in which it is read, and its columns where it was
cut into pieces; the fields of others stay in the mapped file until somebody asks.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.cut_reading import CutWay, read_cut
from shouhao.detect.inputs.files import InputFile, forget
from shouhao.detect.inputs.hit_reading import HitReading
from shouhao.detect.inputs.lines import Bools, Int32s, Int64s, Lines, cut, ranges
from shouhao.detect.inputs.problems import KEPT, Problems, stands_for
from shouhao.detect.inputs.sql import EARLIEST_US, LATEST_US
from shouhao.kernel.clock import MINUTE_US, SECOND_US, iso

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BACKWARDS_US = 5 * SECOND_US  #: workers of a server that buffer their lines may write them so late
AHEAD_US = 5 * MINUTE_US
_NEVER_US = -(1 << 63) + 1
_COMMENT = ord("#")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedLines:
    """Lines of one range that have the form, and when they were written."""

    lines: Lines
    at_us: Int64s
    way: Int32s  #: which way of the reading fits, by its number
    unfit: tuple[Int32s, Int64s]  #: of the lines that fit no way: which of the range, and where
    columns: Mapping[int, pa.RecordBatch] = field(default_factory=dict)  #: by way, of lines that were cut, in order

    def only(self, chosen: Bools) -> "DatedLines":
        """Some of the lines."""
        return DatedLines(
            lines=self.lines.only(chosen),
            at_us=self.at_us[chosen],
            way=self.way[chosen],
            unfit=self.unfit,
            columns={n: batch.filter(pa.array(chosen[self.way == n])) for n, batch in self.columns.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedLog:
    """One access log."""

    number: int
    file: InputFile
    ranges: tuple[DatedLines, ...]  #: in order
    line_count: int

    def hit_count(self) -> int:
        """How many of its lines have the form."""
        return sum(len(part.lines) for part in self.ranges)


def date_logs(
    connection: "DuckDBPyConnection",
    numbered: Sequence[tuple[int, InputFile]],
    reading: HitReading,
    *,
    problems: Problems,
    now_us: int | None,
    line_limit: int,
    threads: int,
) -> list[DatedLog]:
    """Date the lines of logs, in the order of the logs.

    Args:
        now_us: a line that is dated more than five minutes after it lies in the future; None to leave that out.
    """
    asked = [(file, begin, end) for _, file in numbered for begin, end in ranges(file)]
    cursors: dict[int, DuckDBPyConnection] = {}  # one a thread

    def date(one: tuple[InputFile, int, int]) -> DatedLines:
        thread = threading.get_ident()
        if thread not in cursors:
            cursors[thread] = connection.cursor()
        file, begin, end = one
        dated = _date(cursors[thread], cut(file, begin, end, limit=line_limit), reading)
        if sum(len(of) for of in dated.columns.values()) == len(dated.lines):
            forget(file.text, begin, end)  # all is known of these lines
        return dated

    try:
        with ThreadPoolExecutor(max(1, threads), "date") as pool:
            dated = pool.map(date, asked)
            return [_log(number, file, dated, problems=problems, now_us=now_us) for number, file in numbered]
    finally:
        for cursor in cursors.values():
            cursor.close()


def _log(
    number: int, file: InputFile, dated: Iterator[DatedLines], *, problems: Problems, now_us: int | None
) -> DatedLog:
    """Take a log's ranges from those of all, and tell what was wrong in it."""
    count, last_us = file.lines_before, _NEVER_US
    parts = []
    for _ in ranges(file):
        part = next(dated)
        _tell(problems, file, part, first_line=count + 1, last_us=last_us, now_us=now_us)
        count += part.lines.count
        last_us = int(part.at_us[-1]) if len(part.at_us) else last_us
        parts.append(part)
    return DatedLog(number=number, file=file, ranges=tuple(parts), line_count=count - file.lines_before)


def _date(cursor: "DuckDBPyConnection", lines: Lines, reading: HitReading) -> DatedLines:
    at_us = np.full(len(lines), _NEVER_US, np.int64)
    way = np.zeros(len(lines), np.int32)
    columns = {}
    left = np.arange(len(lines))
    for number, how in enumerate(reading.ways):
        if not len(left):
            break
        tried = lines if len(left) == len(lines) else lines.only(left)
        if isinstance(how, CutWay):
            cut = read_cut(cursor, tried, how)
            if cut is not None:
                fit = left[cut.fits]
                at_us[fit], way[fit], columns[number] = cut.at_us, number, cut.columns
                left = left[~cut.fits]
            continue
        sql = f"CASE WHEN {how.form} THEN {how.at_us} END"
        found = _ask(cursor, tried.texts(), f"coalesce({sql}, {_NEVER_US})")
        found[(found < EARLIEST_US) | (found > LATEST_US)] = _NEVER_US
        at_us[left], way[left] = found, number
        left = left[found == _NEVER_US]
    if reading.comments:
        told = left[lines.views[left, 1] & 0xFF == _COMMENT]
        at_us[told], left = _NEVER_US, np.setdiff1d(left, told)
    unfit = (lines.indexes[left], lines.starts[left])
    whole = DatedLines(lines=lines, at_us=at_us, way=way, unfit=unfit, columns=columns)
    readable = at_us != _NEVER_US
    return whole if readable.all() else whole.only(readable)


def _ask(cursor: "DuckDBPyConnection", texts: pa.Array, sql: str) -> Any:
    """An integer for each text, in order."""
    numbers = np.arange(len(texts), dtype=np.int32)
    cursor.register("shouhao_range", pa.table({"line": texts, "number": numbers}))
    answer = cursor.sql(f"SELECT number, {sql} AS found FROM shouhao_range").to_arrow_table()
    cursor.unregister("shouhao_range")
    found = np.empty(len(texts), np.int64)
    found[answer["number"].to_numpy()] = answer["found"].to_numpy()
    return found


def _tell(
    problems: Problems, file: InputFile, part: DatedLines, *, first_line: int, last_us: int, now_us: int | None
) -> None:
    lines, at_us = part.lines, part.at_us
    for wrong in lines.wrong:
        problems.add(wrong.rule, file.name, line=first_line + wrong.index, byte=wrong.byte, **wrong.data)
    indexes, starts = part.unfit
    _add_all(problems, "not_the_form", file, first_line + indexes, starts)
    if not len(at_us):
        return
    steps = np.diff(at_us, prepend=last_us if last_us != _NEVER_US else at_us[0])
    for n in np.flatnonzero(steps < -BACKWARDS_US).tolist():
        back_s = -int(steps[n]) // SECOND_US
        line = first_line + int(lines.indexes[n])
        problems.add("time_backwards", file.name, line=line, byte=int(lines.starts[n]), seconds=back_s)
    if now_us is not None:
        ahead = np.flatnonzero(at_us > now_us + AHEAD_US)
        told = [iso(at) for at in at_us[ahead[:KEPT]].tolist()]
        _add_all(problems, "time_ahead", file, first_line + lines.indexes[ahead], lines.starts[ahead], at=told)


def _add_all(
    problems: Problems, rule: str, file: InputFile, numbers: Int32s, starts: Int64s, **data: Sequence[str]
) -> None:
    """Many lines with one rule; beyond the first thousand they are counted alone."""
    for n in range(min(len(starts), KEPT)):
        told = {key: values[n] for key, values in data.items()}
        count = stands_for(n, len(starts))
        problems.add(rule, file.name, line=int(numbers[n]), byte=int(starts[n]), count=count, **told)
