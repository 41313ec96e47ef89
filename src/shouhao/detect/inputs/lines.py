"""Lines: the text of a file cut at its line ends, without copying it.

A range of bytes yields the lines that start in it, whatever the other ranges yield, so that many threads cut one file.
A line is an Arrow string view: sixteen bytes that point into the mapped file. Only what is not clean UTF-8 is copied,
decoded. What cannot be a line is put aside with its place: too long, or cut off by a file that breaks off.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, forget
from shouhao.detect.inputs.unpacking import Text

RANGE_BYTES = 32 << 20

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_STEP_BYTES = 1 << 20  #: fits the processor's cache
_NEWLINE, _RETURN, _NUL = 10, 13, 0
INLINE_BYTES = 12  #: an Arrow view holds so short a text itself
_WORDS = INLINE_BYTES // 4
_FIRST_BYTES = np.array(  # by word and length: masks that leave so many of twelve bytes
    [[(1 << 8 * min(max(n - 4 * word, 0), 4)) - 1 for n in range(INLINE_BYTES + 1)] for word in range(_WORDS)],
    np.uint32,
).view(np.int32)
_BOM = codecs.BOM_UTF8
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Something about one line, on the way to becoming a `Problem`."""

    rule: str
    index: int  #: of the line in its range, from 0
    byte: int
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines that start in one range of a file."""

    views: Int32s  #: (n, 4), Arrow's string views
    buffers: tuple[Any, ...]  #: what they point into
    starts: Int64s  #: in the file
    ends: Int64s  #: one past the last byte, line end left out
    indexes: Int32s  #: which line of the range each is, those put aside counted as well
    count: int  #: of all lines that start in the range
    wrong: tuple[Wrong, ...] = ()

    def __len__(self) -> int:
        """How many lines can be read."""
        return len(self.starts)

    def texts(self) -> pa.Array:
        """The lines as Arrow sees them."""
        buffers = [None, pa.py_buffer(self.views), *self.buffers]
        return pa.Array.from_buffers(pa.string_view(), len(self), buffers)

    def only(self, chosen: Bools | Int64s) -> "Lines":
        """Some of the lines; nothing is copied but their sixteen bytes."""
        return Lines(
            views=np.ascontiguousarray(self.views[chosen]),
            buffers=self.buffers,
            starts=self.starts[chosen],
            ends=self.ends[chosen],
            indexes=self.indexes[chosen],
            count=self.count,
            wrong=self.wrong,
        )


def ranges(file: InputFile, size: int = RANGE_BYTES) -> list[tuple[int, int]]:
    """The ranges of what is to be read of a file, in order."""
    return [(start, min(start + size, len(file.text))) for start in range(file.read_from, len(file.text), size)]


def cut(file: InputFile, begin: int, end: int, *, limit: int = LINE_LIMIT_BYTES) -> Lines:
    """The lines that start in a range.

    Args:
        limit: bytes; a longer line is put aside.
    """
    text = file.text
    data = np.frombuffer(text, np.uint8)
    starts = _starts(data, begin, end)
    if not len(starts):
        forget(text, begin, end)
        return _no_lines()
    if begin == 0 and text[: len(_BOM)] == _BOM:
        starts[0] = len(_BOM)
    last_end = line_end(text, int(starts[-1]))
    ends = np.append(starts[1:] - 1, last_end if last_end >= 0 else len(text))
    count, wrong = len(starts), list[Wrong]()
    if text.find(b"\r", int(starts[0]), min(int(ends[-1]), end)) >= 0 or _is(data, int(ends[-1]) - 1, _RETURN):
        ends = ends - ((data[np.maximum(ends - 1, starts)] == _RETURN) & (ends > starts))
    keep = _not_too_long(text, data, starts, ends, limit, wrong)
    if last_end < 0 and file.stopped is not None and keep[-1] and ends[-1] > starts[-1]:
        keep[-1] = False
        wrong.append(Wrong(rule="cut_line", index=count - 1, byte=int(starts[-1])))
    keep &= ends > starts
    indexes = np.flatnonzero(keep)
    starts, ends = starts[indexes], ends[indexes]
    texts = _rewritten(text, data, starts, ends, indexes, wrong)
    kept = ends > starts
    if not kept.all():  # nothing but NUL bytes
        texts = {int(np.count_nonzero(kept[:n])): one for n, one in texts.items()}
        starts, ends, indexes = starts[kept], ends[kept], indexes[kept]
    views, buffers = _views(text, data, starts, ends, texts)
    return Lines(
        views=views,
        buffers=buffers,
        starts=starts,
        ends=ends,
        indexes=indexes.astype(np.int32),
        count=count,
        wrong=tuple(sorted(wrong, key=lambda w: (w.index, w.rule))),
    )


def _no_lines() -> Lines:
    none = np.empty(0, np.int64)
    return Lines(
        views=np.empty((0, 4), np.int32), buffers=(), starts=none, ends=none, indexes=none.astype(np.int32), count=0
    )


def _starts(data: Bytes, begin: int, end: int) -> Int64s:
    """Where lines start: at the beginning of the file and behind each line end."""
    first = max(begin - 1, 0)
    behind = places_of(data[first : max(end - 1, first)], _NEWLINE) + (first + 1)
    return np.append(np.zeros(1, np.int64), behind) if begin == 0 and end else behind


def places_of(data: Bytes, byte: int) -> Int64s:
    """Where a byte stands."""
    steps = range(0, len(data), _STEP_BYTES)
    found = [np.flatnonzero(data[step : step + _STEP_BYTES] == byte) + step for step in steps]
    return np.concatenate(found) if found else np.empty(0, np.int64)


def line_end(text: Text, start: int) -> int:
    """Where the line ends; -1 if nowhere. Of a line of gigabytes no more than a stretch is in memory."""
    for step in range(start, len(text), RANGE_BYTES):
        end = min(step + RANGE_BYTES, len(text))
        found = text.find(b"\n", step, end)
        if found >= 0:
            return found
        if step > start:
            forget(text, step, end)
    return -1


def _is(data: Bytes, at: int, byte: int) -> bool:
    return at >= 0 and bool(data[at] == byte)


def _not_too_long(text: Text, data: Bytes, starts: Int64s, ends: Int64s, limit: int, wrong: list[Wrong]) -> Bools:
    """Which lines are short enough; `starts` moves behind NUL bytes, with which a log emptied in use begins."""
    keep = np.ones(len(starts), np.bool_)
    for n in np.flatnonzero(ends - starts > limit).tolist():
        start, end = int(starts[n]), int(ends[n])
        text_start = _after_nuls(data, start, end)
        forget(text, start, text_start)
        if end - text_start <= limit:
            wrong.append(Wrong(rule="nul_bytes", index=n, byte=start))
            starts[n] = text_start
        else:
            keep[n] = False
            told = {"bytes": end - start, "limit": limit}
            wrong.append(Wrong(rule="line_too_long", index=n, byte=start, data=told))
    return keep


def _after_nuls(data: Bytes, start: int, end: int) -> int:
    for step in range(start, end, _STEP_BYTES):
        part = data[step : min(step + _STEP_BYTES, end)]
        if part.any():
            return step + int(np.argmax(part != _NUL))
    return end


def _rewritten(
    text: Text, data: Bytes, starts: Int64s, ends: Int64s, indexes: Int64s, wrong: list[Wrong]
) -> dict[int, bytes]:
    """The lines whose bytes are not clean UTF-8, as clean UTF-8; `starts` moves as above."""
    if not len(starts):
        return {}
    begin, end = int(starts[0]), int(ends[-1])
    texts: dict[int, bytes] = {}
    if text.find(b"\0", begin, end) >= 0:
        for n in _lines_where(data, starts, ends, lambda part: part == _NUL):
            wrong.append(Wrong(rule="nul_bytes", index=int(indexes[n]), byte=int(starts[n])))
            starts[n] = _after_nuls(data, int(starts[n]), int(ends[n]))
            raw = text[starts[n] : ends[n]]
            if b"\0" in raw:
                texts[n] = raw.replace(b"\0", _REPLACEMENT.encode())
    if not _all_utf8(text, data, begin, end):
        for n in _lines_where(data, starts, ends, lambda part: part >= 0x80):  # noqa: PLR2004 - beyond ASCII
            decoded, rule = decode(texts.get(n, text[starts[n] : ends[n]]))
            if rule is not None:
                wrong.append(Wrong(rule=rule, index=int(indexes[n]), byte=int(starts[n])))
                texts[n] = decoded.encode()
    return texts


def decode(raw: bytes) -> tuple[str, str | None]:
    """Text of bytes in UTF-8, else in GB18030, else with replacements; and the rule that tells so.

    >>> decode("挂号".encode("gb18030"))
    ('挂号', 'gb18030')
    """
    try:
        return raw.decode(), None
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode("gb18030"), "gb18030"
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), "not_text"


def _all_utf8(text: Text, data: Bytes, begin: int, end: int) -> bool:
    if not any((part >= 0x80).any() for _, part in _parts(data, begin, end)):  # noqa: PLR2004 - beyond ASCII
        return True
    try:
        codecs.utf_8_decode(memoryview(text)[begin:end], "strict", True)  # noqa: FBT003 - its third is `final`
    except UnicodeDecodeError:
        return False
    return True


def _parts(data: Bytes, begin: int, end: int) -> Iterator[tuple[int, Bytes]]:
    for step in range(begin, end, _STEP_BYTES):
        yield step, data[step : min(step + _STEP_BYTES, end)]


def _lines_where(data: Bytes, starts: Int64s, ends: Int64s, test: Any) -> list[int]:
    """Which lines hold a byte that passes the test."""
    found: list[Int64s] = []
    for step, part in _parts(data, int(starts[0]), int(ends[-1])):
        at = np.flatnonzero(test(part)) + step
        line = np.searchsorted(starts, at, "right") - 1
        found.append(np.unique(line[at < ends[line]]))
    lines: list[int] = np.unique(np.concatenate(found)).tolist() if found else []
    return lines


def _views(
    text: Text, data: Bytes, starts: Int64s, ends: Int64s, texts: dict[int, bytes]
) -> tuple[Int32s, tuple[Any, ...]]:
    """The lines as views, and what those point into."""
    views = np.empty((len(starts), 4), np.int32)
    if not len(starts):
        return views, ()
    base, end = int(starts[0]), int(ends[-1])
    point(views, data[base:end], (starts - base).astype(np.int32), (ends - base).astype(np.int32))
    buffers = [pa.py_buffer(memoryview(text)[base:end])]
    if texts:
        buffers.append(pa.py_buffer(_place_texts(views, texts)))
    return views, tuple(buffers)


def point(views: Int32s, data: Bytes, starts: Int32s, ends: Int32s) -> None:
    """Write Arrow's string views: length, first four bytes, buffer, offset; or length and the text, if short."""
    if len(data) < INLINE_BYTES:
        data = np.append(data, np.zeros(INLINE_BYTES, np.uint8))
    lengths = ends - starts
    views[:, 0], views[:, 2], views[:, 3] = lengths, 0, starts
    words = np.ndarray((len(data) - 3,), "<i4", data, strides=(1,))
    last = len(words) - 1
    views[:, 1] = words[np.minimum(starts, last)]
    short = np.flatnonzero(lengths <= INLINE_BYTES)
    rows: Any = slice(None) if len(short) == len(starts) else short
    at, sizes = starts[rows], lengths[rows]
    for n in range(_WORDS if len(short) else 0):
        views[rows, 1 + n] = words[np.minimum(at + 4 * n, last)] & _FIRST_BYTES[n][sizes]
    for n in short[at > last - 4 * (_WORDS - 1)].tolist() if len(short) else ():  # the last: nothing behind to read
        text = bytes(data[starts[n] : ends[n]]).ljust(INLINE_BYTES, b"\0")
        views[n, 1:] = np.frombuffer(text, "<i4")


def _place_texts(views: Int32s, texts: dict[int, bytes]) -> bytes:
    """Point the views of rewritten lines at their new text."""
    parts, offset = [], 0
    for n, one in sorted(texts.items()):
        padded = one[:INLINE_BYTES].ljust(INLINE_BYTES, b"\0")
        views[n] = (len(one), *np.frombuffer(padded, "<i4"))
        if len(one) > INLINE_BYTES:
            views[n, 2:] = (1, offset)
            parts.append(one)
            offset += len(one)
    return b"".join(parts)
