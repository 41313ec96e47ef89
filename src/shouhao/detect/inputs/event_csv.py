"""Event CSV: records of a CSV file as columns of text, each with the bytes it stands in.

Comma, semicolon, tab or bar; UTF-8 with or without a mark, GB18030, or both in one file; a field in quotation marks may
hold line ends. Stretches that are written by the book are read by Arrow; the rest record by record, where each that is
broken is put aside with its line, its byte and the rule. Cells are text whatever they hold: `=cmd|...` is data. An
empty one is null.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.files import InputFile
from shouhao.detect.inputs.lines import Int64s, decode, line_end
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput

RECORD_LIMIT_BYTES = 1 << 20
_TITLES = 9  #: lines that may stand above the headings
_RECORD_LINES = 200  #: a record over more lines is a quotation mark that was not closed
_STRETCH_BYTES = 1 << 20
_PIECE_ROWS = 122_880  #: a row group of DuckDB, which spends its time on joining smaller pieces
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = b",;\t|"
_QUOTE, _EQUALS, _NEWLINE, _RETURN = 34, 61, 10, 13
_BLANKS = np.zeros(256, np.bool_)  #: bytes that a blank may begin or end with: those beyond ASCII take several
_BLANKS[[ord(" "), ord("\t"), *range(0x80, 0x100)]] = True


@dataclass(slots=True, kw_only=True)
class CsvRecords:
    """Records of one file."""

    headings: tuple[str, ...]
    columns: list[list[pa.Array]]  #: of each heading, in pieces
    lines: list[Int64s] = field(default_factory=list)  #: in the same pieces
    starts: list[Int64s] = field(default_factory=list)
    ends: list[Int64s] = field(default_factory=list)
    blank_at_edge: set[int] = field(default_factory=set)  #: columns in which a cell may begin or end with a blank
    _small: int = 0  #: the last pieces, too small as they are
    _small_rows: int = 0

    def add(self, columns: Sequence[pa.Array], lines: Int64s, starts: Int64s, ends: Int64s) -> None:
        """One more piece."""
        self.blank_at_edge |= {n for n, column in enumerate(columns) if _blank_at_edge(column)}
        for into, column in zip(self.columns, columns, strict=True):
            into.append(column)
        self.lines.append(lines)
        self.starts.append(starts)
        self.ends.append(ends)
        self._small, self._small_rows = self._small + 1, self._small_rows + len(lines)
        if self._small_rows >= _PIECE_ROWS:
            self._join()

    def _join(self) -> None:
        """Make one of the pieces that are too small."""
        if self._small > 1:
            for column in self.columns:
                column[-self._small :] = [pa.concat_arrays(column[-self._small :])]
            for places in (self.lines, self.starts, self.ends):
                places[-self._small :] = [np.concatenate(places[-self._small :])]
        self._small = self._small_rows = 0


class _UnclosedError(Exception):
    """A record that does not end."""


def read_csv(
    file: InputFile, problems: Problems, *, is_heading: Callable[[Sequence[str]], bool] | None = None, threads: int = 2
) -> CsvRecords:
    """Read a file.

    Args:
        is_heading: tells headings from a title above them; without it, or where it finds none, the first record is it.
        threads: that take stretches apart while the next ones are being cut.
    Raises:
        InvalidInput: it has no heading.
    """
    at = 3 if file.text[:3] == _BOM else 0
    line = 1
    if file.text[at : at + 4].lower() == b"sep=":  # how Excel is told the delimiter
        at, line = (file.text.find(b"\n", at) + 1) or len(file.text), 2
    walk, headings = _behind_headings(file, problems, is_heading or (lambda _: True), at=at, line=line)
    found = CsvRecords(headings=tuple(headings), columns=[[] for _ in headings])
    with ThreadPoolExecutor(max(1, threads), "csv") as pool:
        while walk.at < len(file.text):
            walk.stretches(found, pool, ahead=2 * max(1, threads))
            if walk.at < len(file.text):
                walk.one_by_one(found)
    return found


def _behind_headings(
    file: InputFile, problems: Problems, is_heading: Callable[[Sequence[str]], bool], *, at: int, line: int
) -> "tuple[_Walk, list[str]]":
    """The way from behind the headings on, and those; titles above them are passed over and told."""
    first: tuple[_Walk, list[str]] | None = None
    gb18030 = False
    for title in range(_TITLES + 1):
        told = Problems() if title else problems  # whether it is a title is not known yet
        walk = _Walk(file, told, _delimiter(file, at), at=at, line=line, gb18030=gb18030)
        record = next(walk.records(), None)
        if record is None:
            break
        headings = [_bare(cell).strip() for cell in record.cells]
        while headings and not headings[-1]:
            headings.pop()
        walk.behind_headings(problems)
        first = first or (walk, headings)
        if is_heading(headings):
            if title:
                problems.add("title_above", file.name, line=record.line, byte=record.start, lines=title)
            return walk, headings
        at, line, gb18030 = walk.at, walk.line, walk.gb18030
    if first is None:
        raise InvalidInput("events", zh=f"{file.name} 没有表头", en=f"{file.name} has no headings")
    return first


def _delimiter(file: InputFile, at: int) -> str:
    """The one that the headings are set apart by."""
    end = line_end(file.text, at)
    heading = file.text[at : min(end if end >= 0 else len(file.text), at + RECORD_LIMIT_BYTES)]
    if b"\r" in heading.rstrip(b"\r"):
        raise InvalidInput(
            "events", zh=f"{file.name} 的换行符只有 CR，请另存为 CSV", en=f"{file.name} has CR alone as its line ends"
        )
    return max((chr(d) for d in _DELIMITERS), key=lambda d: heading.count(d.encode()))


@dataclass(frozen=True, slots=True)
class _Record:
    """One record: its cells, and where it stands."""

    cells: list[str]
    line: int
    start: int
    end: int  #: the line end left out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Records that follow each other, before they are taken apart."""

    whole: bytes
    one_line: bool  #: no record goes over several lines
    lines: Int64s
    starts: Int64s
    ends: Int64s
    next_at: int
    next_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """A stretch that was taken apart."""

    columns: list[pa.Array]
    gb18030: Sequence[int]  #: records, by number, that were not UTF-8


class _Walk:
    """A way through the file from the front to the back; `at` is always where a record begins."""

    def __init__(
        self, file: InputFile, problems: Problems, delimiter: str, *, at: int, line: int, gb18030: bool
    ) -> None:
        self.at = at
        self.gb18030 = gb18030  #: a heading is, so that the file is: that need not be told of each line
        self._at_headings = True
        self._file, self._problems, self._delimiter = file, problems, delimiter
        self.line = line  #: of the record that begins at `at`, counted from 1

    def behind_headings(self, problems: Problems) -> None:
        """From now on, whom what is wrong is told to."""
        self._problems, self._at_headings = problems, False

    def stretches(self, found: CsvRecords, pool: ThreadPoolExecutor, *, ahead: int) -> None:
        """Read as far as it is written by the book, about a mebibyte at a time; several are taken apart at once.

        What lies behind a stretch that turns out to be otherwise is forgotten, as if nobody had looked ahead.
        """
        waiting: deque[tuple[_Stretch, Future[_Parsed | None]]] = deque()
        at, line = self.at, self.line
        while True:
            while len(waiting) < ahead and at < len(self._file.text):
                cut = self._cut(at, line)
                if cut is None:
                    break
                waiting.append((cut, pool.submit(_parse, cut, self._delimiter, found.headings)))
                at, line = cut.next_at, cut.next_line
            if not waiting:
                return
            cut, parsed = waiting.popleft()
            read = parsed.result()
            if read is None or len(read.columns[0]) != len(cut.starts):
                for _, other in waiting:
                    other.cancel()
                return
            for n in read.gb18030:
                self._tell("gb18030", int(cut.lines[n]), int(cut.starts[n]))
            found.add(read.columns, cut.lines, cut.starts, cut.ends)
            self.at, self.line = cut.next_at, cut.next_line

    def _cut(self, at: int, line: int) -> "_Stretch | None":
        """About a mebibyte of whole records; None where quotation marks stand otherwise, or no record ends."""
        raw = self._file.text[at : at + _STRETCH_BYTES]
        if at + len(raw) == len(self._file.text) and self._file.stopped is None and not raw.endswith(b"\n"):
            raw += b"\n"
        ends = _record_ends(raw, self._delimiter)
        if ends is None or not len(ends):
            return None
        whole = raw[: int(ends[-1]) + 1]
        data = np.frombuffer(whole, np.uint8)
        breaks = np.flatnonzero(data == _NEWLINE)
        starts = np.append(0, ends[:-1] + 1)
        return _Stretch(
            whole=whole,
            one_line=len(breaks) == len(ends),
            lines=line + np.searchsorted(breaks, starts),
            starts=starts + at,
            ends=ends - ((data[np.maximum(ends - 1, 0)] == _RETURN) & (ends > starts)) + at,
            next_at=min(at + len(whole), len(self._file.text)),
            next_line=line + len(breaks),
        )

    def one_by_one(self, found: CsvRecords) -> None:
        """Read about a mebibyte record by record."""
        until = self.at + _STRETCH_BYTES
        good: list[_Record] = []
        for record in self.records():
            cells = self._fitting(record, len(found.headings))
            if cells is not None:
                good.append(_Record([_bare(cell) for cell in cells], record.line, record.start, record.end))
            if self.at >= until:
                break
        if good:
            by_column = zip(*(one.cells for one in good), strict=True)
            columns = [pa.array([cell or None for cell in column], pa.string()) for column in by_column]
            places = np.array([(one.line, one.start, one.end) for one in good], np.int64)
            found.add(columns, places[:, 0], places[:, 1], places[:, 2])

    def _fitting(self, record: _Record, wanted: int) -> list[str] | None:
        cells = record.cells
        while len(cells) > wanted and not cells[-1].strip():
            cells.pop()  # spreadsheets write empty cells to the right
        if len(cells) == wanted:
            return cells
        rule = "too_few_columns" if len(cells) < wanted else "too_many_columns"
        self._tell(rule, record.line, record.start, found=len(cells), wanted=wanted)
        return None

    def records(self) -> Iterator[_Record]:
        """One record after the other, `at` behind it; what does not end is put aside by its first line."""
        while self.at < len(self._file.text):
            begun_at, begun_line = self.at, self.line
            source = _Lines(self._file, self.at)
            try:
                cells = next(csv.reader(source, delimiter=self._delimiter))
            except (_UnclosedError, csv.Error):
                cells = None
            if cells is None or source.asked_beyond:
                self._put_aside(begun_at, begun_line)
                continue
            self.at, self.line = source.at, begun_line + source.count
            if source.broken:
                self._tell(source.broken, begun_line, begun_at)
            if source.cut:
                self._tell("cut_line", begun_line, begun_at)
            elif any(cells):
                end = len(self._file.text[begun_at : source.at].rstrip(b"\r\n")) + begun_at
                yield _Record(cells, begun_line, begun_at, end)

    def _put_aside(self, start: int, line: int) -> None:
        """The line that begins at a byte, and nothing behind it."""
        end = line_end(self._file.text, start)
        self.at, self.line = (end + 1) if end >= 0 else len(self._file.text), line + 1
        size = self.at - start
        if size > RECORD_LIMIT_BYTES:
            self._tell("line_too_long", line, start, bytes=size, limit=RECORD_LIMIT_BYTES)
        else:
            self._tell("unclosed_quote", line, start)

    def _tell(self, rule: str, line: int, byte: int, **data: int) -> None:
        if rule == "gb18030" and self.gb18030:
            return
        if rule == "gb18030" and self._at_headings:
            self.gb18030, rule = True, "gb18030_file"
        self._problems.add(rule, self._file.name, line=line, byte=byte, **data)


class _Lines:
    """Lines for `csv.reader`, which asks for as many as the next record has."""

    def __init__(self, file: InputFile, at: int) -> None:
        self._file, self._first = file, at
        self.at, self.count = at, 0
        self.broken: str | None = None  #: the rule that the encoding breaks
        self.asked_beyond = False  #: a quotation mark was open at the end of the file
        self.cut = False  #: the file breaks off in the last line

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self.at >= len(self._file.text):
            self.asked_beyond = self.count > 0
            raise StopIteration
        end = line_end(self._file.text, self.at) + 1
        self.cut = not end and self._file.stopped is not None
        end = end or len(self._file.text)
        if end - self._first > RECORD_LIMIT_BYTES or self.count > _RECORD_LINES:
            raise _UnclosedError
        text, rule = decode(self._file.text[self.at : end].replace(b"\0", b""))
        self.broken = self.broken or rule
        self.at, self.count = end, self.count + 1
        return text


def _record_ends(raw: bytes, delimiter: str) -> Int64s | None:
    """Where records end; None if quotation marks stand where the book does not have them."""
    data = np.frombuffer(raw, np.uint8)
    ends: Int64s = np.flatnonzero(data == _NEWLINE)
    marks = np.flatnonzero(data == _QUOTE)
    if not len(marks):
        return ends
    before = np.searchsorted(marks, ends)
    ends = ends[before % 2 == 0]
    if not len(ends):
        return ends
    marks = marks[marks < ends[-1]]
    bounds = np.zeros(256, np.bool_)
    bounds[[ord(delimiter), _NEWLINE, _RETURN]] = True
    opens, closes = marks[0::2], marks[1::2]
    again = np.append(False, closes[:-1] + 1 == opens[1:])  # "" inside a field closes and opens
    starts_field = (opens == 0) | bounds[data[np.maximum(opens - 1, 0)]] | again
    ends_field = bounds[data[closes + 1]] | np.append(again[1:], False)
    return ends if starts_field.all() and ends_field.all() else None


def _parse(cut: _Stretch, delimiter: str, headings: Sequence[str]) -> _Parsed | None:
    """Columns of text; None if Arrow does not find the records alike, or the text is not clean."""
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - wanted for such files alone

    if b"\0" in cut.whole or _otherwise(cut.whole):
        return None
    decoded = _decoded(cut, delimiter)
    if decoded is None:
        return None
    raw, gb18030 = decoded
    try:
        names = [f"c{n}" for n in range(len(headings))]
        table = arrow_csv.read_csv(
            pa.BufferReader(raw),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=4 * _STRETCH_BYTES),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=not cut.one_line, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return _Parsed(columns=[column.combine_chunks() for column in table.columns], gb18030=gb18030)


def _decoded(cut: _Stretch, delimiter: str) -> tuple[bytes, Sequence[int]] | None:
    """A stretch in UTF-8, and the records that were not; line by line, as files of two encodings want it."""
    try:
        cut.whole.decode()
    except UnicodeDecodeError:
        pass
    else:
        return cut.whole, ()
    if delimiter == "|":  # may be the second byte of a character
        return None
    lines = [decode(line) for line in cut.whole.split(b"\n")]
    rules = {rule for _, rule in lines}
    if not rules <= {None, "gb18030"}:
        return None
    first = int(cut.lines[0])
    changed = [first + n for n, (_, rule) in enumerate(lines) if rule is not None]
    records = np.unique(np.searchsorted(cut.lines, changed, "right") - 1)
    return "\n".join(text for text, _ in lines).encode(), records.tolist()


def _otherwise(raw: bytes) -> bool:
    """Whether a cell may be written `="0012"`, or a line is empty."""
    data = np.frombuffer(raw, np.uint8)
    breaks = np.flatnonzero(data == _NEWLINE)
    near = breaks[1:][np.diff(breaks) <= 2]  # noqa: PLR2004 - one byte between them
    marked = np.flatnonzero(data[:-1] == _EQUALS)
    empty = (data[near - 1] == _NEWLINE) | (data[near - 1] == _RETURN)
    return bool(empty.any() or (data[marked + 1] == _QUOTE).any())


def _blank_at_edge(column: pa.Array) -> bool:
    """Whether a text may begin or end with a blank."""
    _, offsets, data = column.buffers()
    if data is None:
        return False
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    starts, ends = ends[:-1], ends[1:]
    filled = ends > starts
    text = np.frombuffer(data, np.uint8)
    return bool(_BLANKS[text[starts[filled]]].any() or _BLANKS[text[ends[filled] - 1]].any())


def _bare(cell: str) -> str:
    """A cell without what keeps a spreadsheet from taking it for a number.

    >>> _bare('="0012"')
    '0012'
    """
    return cell[2:-1] if len(cell) > 2 and cell.startswith('="') and cell.endswith('"') else cell  # noqa: PLR2004
