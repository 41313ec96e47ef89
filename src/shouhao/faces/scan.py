"""Scan: one search over the rows of a moment, roughly first and then in full.

All rows are looked at through their int8 copies, each with a bound of its similarity; those that can still belong to
the answer are computed anew from their float32 vectors. Where many are left, a float32 pass over them comes first. Many
probes at once are scanned in float32 from the start: there the processor and not the memory is the limit.

What bounds are true is argued in quantised.py, which rows may be dropped in wanted.py; who holds off changes in
search.py.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.quantised import Floats, Quantised, estimates, float_width, quantise, similarities, widths
from shouhao.faces.rows import Part, Rows
from shouhao.faces.wanted import Wanted

PROBES_AT_ONCE = 64
_MANY_PROBES = 16  # from here on a float32 matrix product beats int8 dot products, one by one
_STEP_ROWS = 32_768  # more would leave one thread idle while a slow one ends, fewer would be Python's time
_FLOAT_STEP_ROWS = 4096  # times 64 probes
_WORTH_SHARING_ROWS = 8192  # half a millisecond; waking a thread takes a tenth
_FLOAT_FIRST = 256  # more rows than these are thinned out in float32 before they are computed exactly
_CONTIGUOUS_SHARE = 4  # from this fraction of all rows on, picking them out costs more than reading them all

Ints = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matches:
    """What one probe found, best first; of equally alike rows the smaller label first."""

    labels: Ints  #: (n,)
    similarities_cos: Floats  #: (n,)
    list_numbers: NDArray[np.int32]  #: (n,)
    rescored: int  #: how many rows were looked at in full; the cost of the answer, not part of it

    def __len__(self) -> int:
        return len(self.labels)


class Team:
    """The thread that searches and those that help it."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="faces-search")

    def share(self, work: Callable[[], list[T]], *, at_most: int) -> list[T]:
        """Do the same work here and in the helpers that are free; it must itself see to what each takes."""
        helpers = [self._pool.submit(work) for _ in range(min(self.threads, at_most) - 1)]
        try:
            done = work()
        finally:  # nobody may read on when this search is over
            busy = [helper for helper in helpers if not helper.cancel()]
            for helper in busy:
                helper.exception()  # waits, and leaves raising to what follows
        for helper in busy:
            done += helper.result()
        return done

    def close(self) -> None:
        """Let the helpers go."""
        self._pool.shutdown()


def answers(rows: Rows, probes: Floats, wanted: Wanted, team: Team) -> list[Matches]:
    """The answer to each probe (n, dims), of unit length."""
    by: _Estimates
    if len(probes) < _MANY_PROBES:
        by, chunks = _ByInt8(probes), rows.chunks(_step_rows(len(rows), team.threads))
        feed = iter(chunks)  # shared: taking the next of a list's iterator is one step under the interpreter's lock
        likely = team.share(lambda: _scan(feed, by, wanted, wanted.floors(len(probes))), at_most=len(chunks))
    else:  # the matrix product has threads of its own
        by, chunks = _ByFloat(probes), rows.chunks(_FLOAT_STEP_ROWS)
        likely = _scan(chunks, by, wanted, wanted.floors(len(probes)))
    return [_settled(rows, probes[n], wanted, found) for n, found in enumerate(_by_probe(likely, by, len(probes)))]


def _step_rows(rows: int, threads: int) -> int:
    """How many rows to take at a time, so that all threads have as much to do."""
    steps = max(1, -(-rows // _STEP_ROWS))
    if rows >= _WORTH_SHARING_ROWS:
        steps = -(-steps // threads) * threads
    return max(1, -(-rows // steps))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Likely:
    """Those rows of a part that can still belong to the answer of some probe."""

    place: int  #: of the part's first row
    part: Part
    at: Ints  #: (n,) number of the probe * rows of the part + number of the row
    about: Floats  #: (n,) estimates


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """Rows that can still belong to the answer of one probe, by ascending place, with bounds of their similarity."""

    places: Ints  #: (n,) as `Rows` counts
    lower: Floats  #: (n,)
    upper: Floats  #: (n,)

    def __getitem__(self, which: NDArray[np.bool_] | Ints) -> "_Found":
        return _Found(places=self.places[which], lower=self.lower[which], upper=self.upper[which])


class _Estimates(Protocol):
    """A rough look at rows."""

    def about(self, part: Part) -> Floats:
        """Estimates of similarities (probes, rows)."""
        ...

    def widest(self, part: Part) -> Floats:
        """How far the worst of them may be off, (probes, 1)."""
        ...

    def widths(self, part: Part, probes: Ints, rows: Ints) -> Floats:
        """How far some of them may be off, given by numbers of probe and row."""
        ...


class _ByInt8:
    """Estimates from the quantised copies."""

    def __init__(self, probes: Floats) -> None:
        self._probes = Quantised.empty(*probes.shape)
        quantise(probes, self._probes)
        self._residuals = self._probes.residuals[:, None]

    def about(self, part: Part) -> Floats:
        return estimates(self._probes, part.quantised)

    def widest(self, part: Part) -> Floats:
        return widths(self._residuals, part.block.widest_residual)

    def widths(self, part: Part, probes: Ints, rows: Ints) -> Floats:
        return widths(self._probes.residuals[probes], part.quantised.residuals[rows])


class _ByFloat:
    """Estimates from the vectors themselves."""

    def __init__(self, probes: Floats) -> None:
        self._probes = probes
        self._width = np.full((len(probes), 1), float_width(probes.shape[1]), np.float32)

    def about(self, part: Part) -> Floats:
        about: Floats = np.matmul(self._probes, part.vectors.T)
        return about

    def widest(self, part: Part) -> Floats:  # noqa: ARG002 - the same everywhere
        return self._width

    def widths(self, part: Part, probes: Ints, rows: Ints) -> Floats:  # noqa: ARG002 - likewise
        width: Floats = self._width[probes, 0]
        return width


def _scan(chunks: Iterable[tuple[int, Part]], by: _Estimates, wanted: Wanted, floors: Floats) -> list[_Likely]:
    """What is left of the rows after a rough look at all of them.

    The scan sweeps everything else from the cache, Python too, so that each step here costs more than it seems to: what
    can wait until the end does.
    """
    likely = []
    for place, part in chunks:
        about, widest = by.about(part), by.widest(part)
        at = np.flatnonzero(about >= wanted.cut(about, widest, floors) - widest)
        if len(at):
            likely.append(_Likely(place=place, part=part, at=at, about=about.ravel()[at]))
    return likely


def _by_probe(likely: list[_Likely], by: _Estimates, count: int) -> list[_Found]:
    """The rows that are left for each probe, with bounds of their own."""
    probes, places = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    about, width = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for some in sorted(likely, key=lambda some: some.place):
        probe, row = np.divmod(some.at, len(some.part))
        probes.append(probe)
        places.append(row + some.place)
        about.append(some.about)
        width.append(by.widths(some.part, probe, row))
    joined, off = np.concatenate(about), np.concatenate(width)
    found = _Found(places=np.concatenate(places), lower=joined - off, upper=joined + off)
    if count == 1:
        return [found]
    asked = np.concatenate(probes)
    return [found[asked == probe] for probe in range(count)]


def _settled(rows: Rows, probe: Floats, wanted: Wanted, found: _Found) -> Matches:
    """Compute what is left exactly, and order it."""
    found = found[wanted.left(found.lower, found.upper, lambda: rows.list_numbers(found.places))]
    rescored = len(found.places)
    if rescored > _FLOAT_FIRST:
        thinned = _by_float(rows, probe, found.places)
        found = thinned[wanted.left(thinned.lower, thinned.upper, lambda: rows.list_numbers(thinned.places))]
    places = found.places
    none = np.empty(0, np.float32)
    exact = np.concatenate([none, *(similarities(vectors, probe) for vectors in rows.vectors(places))])
    labels, list_numbers = rows.labels(places), rows.list_numbers(places)
    order = np.lexsort((labels, -exact))
    order = order[wanted.left(exact, exact, lambda: list_numbers)[order]][: wanted.most]
    return Matches(
        labels=labels[order], similarities_cos=exact[order], list_numbers=list_numbers[order], rescored=rescored
    )


def _by_float(rows: Rows, probe: Floats, places: Ints) -> _Found:
    """Bounds from float32 dot products: of these rows, or of all when these are many."""
    if len(places) * _CONTIGUOUS_SHARE > len(rows):
        places = np.arange(len(rows))
        about = np.concatenate([part.vectors @ probe for _, part in rows.chunks(len(rows))])
    else:
        about = np.concatenate([vectors @ probe for vectors in rows.vectors(places)])
    width = float_width(len(probe))
    return _Found(places=places, lower=about - width, upper=about + width)
