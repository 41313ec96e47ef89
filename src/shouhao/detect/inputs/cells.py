"""Cells: lines cut at their quotation marks, without copying them.

Most of what a log says, it says again and again: the same requests, browsers, statuses, seconds. Cut into cells, each
kept once for a range of the file, a line's fields are found by looking at a few thousand texts in place of every line.
Only lines are cut here that have just the quotation marks of their format and whose bytes are clean; others are read
whole.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.lines import INLINE_BYTES, Bools, Bytes, Int32s, Lines, places_of, point

_QUOTATION_MARK = 34


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
    chosen = (lengths > INLINE_BYTES) & (lines.views[:, 2] == 0)
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
        point(into, data, *places[n])
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
