"""Cells: lines cut at their quotation marks, without copying them.

Most of what a log says, it says again and again: the same requests, browsers, statuses, seconds. Cut into cells, each
kept once for a range of the file, a line's fields are found by looking at a few thousand texts in place of every line.
Only lines are cut here that have just the quotation marks of their format and whose bytes are clean; others are read
whole.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.lines import Bools, Bytes, Int32s, Lines, places_of

_QUOTATION_MARK = 34
_INLINE_BYTES = 12  #: an Arrow view holds so short a text itself
_WORDS = _INLINE_BYTES // 4
_FIRST_BYTES = np.array(  # by word and length: masks that leave so many of twelve bytes
    [[(1 << 8 * min(max(n - 4 * word, 0), 4)) - 1 for n in range(_INLINE_BYTES + 1)] for word in range(_WORDS)],
    np.uint32,
).view(np.int32)


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of a line."""

    cell: int  #: the text before, between or behind the quotation marks, from 0
    part: slice  #: of its bytes
    literal: bytes | None = None  #: all that it may hold, where that is known


def cut_cells(
    lines: Lines, marks: int, cuts: Sequence[Cut], *, asked: Collection[int]
) -> tuple[Bools, Mapping[int, pa.Array]]:
    """Which lines have so many quotation marks and hold all pieces.

    Args:
        asked: numbers of the pieces that are wanted of those lines, as Arrow sees texts.
    """
    data = np.frombuffer(lines.buffers[0], np.uint8) if lines.buffers else np.empty(0, np.uint8)
    lengths, offsets = lines.views[:, 0], lines.views[:, 3]
    chosen = (lengths > _INLINE_BYTES) & (lines.views[:, 2] == 0)
    found = places_of(data, _QUOTATION_MARK).astype(np.int32)
    if chosen.all() and len(found) == len(lines) * marks:
        at = found.reshape(len(lines), marks)
        if not ((at[:, 0] >= offsets) & (at[:, -1] < offsets + lengths)).all():
            at, chosen = _marks_of(found, offsets, lengths, chosen, marks)
    else:
        at, chosen = _marks_of(found, offsets, lengths, chosen, marks)
    first, last = offsets[chosen], (offsets + lengths)[chosen]
    edges = [first - 1, *(at[:, n] for n in range(marks)), last]
    fits = np.ones(len(first), np.bool_)
    places: dict[int, tuple[Int32s, Int32s]] = {}
    for n, cut in enumerate(cuts):
        if n not in asked and cut.literal is None:
            continue
        start, end, within = _place(edges[cut.cell] + 1, edges[cut.cell + 1], cut.part)
        fits &= within if cut.literal is None else within & _holds(data, start, end, cut.literal)
        places[n] = start, end
    if not fits.all():
        chosen[np.flatnonzero(chosen)[~fits]] = False
        places = {n: (start[fits], end[fits]) for n, (start, end) in places.items()}
    views = np.empty((len(asked), int(np.count_nonzero(chosen)), 4), np.int32)  # at once: pages come cheaper so
    for into, n in zip(views, asked, strict=True):
        _point(into, data, *places[n])
    texts = [[None, pa.py_buffer(of), *lines.buffers[:1]] for of in views]
    return chosen, {
        n: pa.Array.from_buffers(pa.string_view(), len(of), buffers)
        for n, of, buffers in zip(asked, views, texts, strict=True)
    }


def _marks_of(found: Int32s, offsets: Int32s, lengths: Int32s, chosen: Bools, marks: int) -> tuple[Int32s, Bools]:
    """The quotation marks of lines that have so many, and which lines those are."""
    first = np.searchsorted(found, offsets)
    chosen = chosen & (np.searchsorted(found, offsets + lengths) - first == marks)
    return found[first[chosen, None] + np.arange(marks)], chosen


def _place(begin: Int32s, end: Int32s, part: slice) -> tuple[Int32s, Int32s, Bools]:
    """Where a piece begins and ends, and whether its cell is long enough for it."""
    edges = [
        default if n is None else begin + n if n >= 0 else end + n
        for n, default in ((part.start, begin), (part.stop, end))
    ]
    return edges[0], edges[1], (edges[0] >= begin) & (edges[0] <= edges[1]) & (edges[1] <= end)


def _holds(data: Bytes, starts: Int32s, ends: Int32s, literal: bytes) -> Bools:
    """Whether pieces are just this text."""
    same: Bools = ends - starts == len(literal)
    for n, byte in enumerate(literal):
        same &= data[np.minimum(starts + n, len(data) - 1)] == byte
    return same


def _point(views: Int32s, data: Bytes, starts: Int32s, ends: Int32s) -> None:
    """Write Arrow's string views: length, first four bytes, buffer, offset; or length and the text, if short."""
    lengths = ends - starts
    views[:, 0], views[:, 2], views[:, 3] = lengths, 0, starts
    words = np.ndarray((max(len(data) - 3, 0),), "<i4", data, strides=(1,))
    last = len(words) - 1
    views[:, 1] = words[np.minimum(starts, last)]
    short = np.flatnonzero(lengths <= _INLINE_BYTES)
    if len(short):
        rows: Any = slice(None) if len(short) == len(starts) else short
        at, sizes = starts[rows], lengths[rows]
        for n in range(_WORDS):
            views[rows, 1 + n] = words[np.minimum(at + 4 * n, last)] & _FIRST_BYTES[n][sizes]
        for n in short[at > last - 4 * (_WORDS - 1)].tolist():  # the last bytes of all: nothing behind to read along
            text = bytes(data[starts[n] : ends[n]]).ljust(_INLINE_BYTES, b"\0")
            views[n, 1:] = np.frombuffer(text, "<i4")
