"""Rows: vectors with their labels and lists, in blocks of locked memory without holes.

New rows are written behind the last one, where no reader looks, since readers hold the `Rows` of a moment. A row that
goes is replaced by the last one, and zeroed. Who may read while which of this happens is decided in search.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.locked import LockedMemory
from shouhao.faces.quantised import Floats, Quantised, quantise

LEAST_ROWS = 1024  #: smaller blocks would cost more for each row than they save


class Block:
    """Room for a number of rows; the first `used` of them are taken, the rest is zero."""

    def __init__(self, capacity: int, dims: int, *, lock_required: bool) -> None:
        sizes = (capacity * dims * 4, capacity * dims, *(capacity * size for size in (4, 4, 8, 4)))
        self.memory = LockedMemory(LockedMemory.bytes_for(*sizes), required=lock_required)
        self.capacity = capacity
        self.used = 0
        self.widest_residual = np.float32(0)  # that any row had here; never lowered
        self.vectors = self.memory.array((capacity, dims), np.float32)
        self.quantised = Quantised(
            values=self.memory.array((capacity, dims), np.int8),
            scales=self.memory.array((capacity,), np.float32),
            residuals=self.memory.array((capacity,), np.float32),
        )
        self.labels = self.memory.array((capacity,), np.int64)
        self.list_numbers = self.memory.array((capacity,), np.int32)

    def part(self, start: int, stop: int) -> "Part":
        """Some rows."""
        return Part(block=self, start=start, stop=stop)

    def append(self, new: "NewRows") -> None:
        """Write rows behind the last one."""
        rows = slice(self.used, self.used + len(new))
        self.vectors[rows] = new.vectors
        self.labels[rows] = new.labels
        self.list_numbers[rows] = new.list_numbers
        quantised = self.part(rows.start, rows.stop).quantised
        quantise(self.vectors[rows], quantised)
        self.widest_residual = max(self.widest_residual, quantised.residuals.max(initial=0))
        self.used = rows.stop

    def take_over(self, others: Sequence["Block"]) -> None:
        """Copy all rows of other blocks behind the last one; they stay as they are."""
        for other in others:
            rows = slice(self.used, self.used + other.used)
            for source, target in zip(other._arrays(), self._arrays(), strict=True):  # noqa: SLF001 - another of this
                target[rows] = source[: other.used]
            self.widest_residual = max(self.widest_residual, other.widest_residual)
            self.used = rows.stop

    def cut(self, used: int) -> None:
        """Leave nothing of the rows from `used` on."""
        for array in self._arrays():
            array[used:] = 0
        self.used = used

    def move(self, row: int, into: "Block", at: int) -> None:
        """Copy a row over another one, and zero it."""
        for source, target in zip(self._arrays(), into._arrays(), strict=True):  # noqa: SLF001 - another of this class
            target[at] = source[row]
        into.widest_residual = max(into.widest_residual, self.widest_residual)
        self.zero(row)

    def zero(self, row: int) -> None:
        """Leave nothing of a row."""
        for array in self._arrays():
            array[row] = 0

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        small = self.quantised
        return (self.vectors, small.values, small.scales, small.residuals, self.labels, self.list_numbers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a block, one after the other."""

    block: Block
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def vectors(self) -> Floats:
        """(rows, dims), a view."""
        return self.block.vectors[self.start : self.stop]

    @property
    def quantised(self) -> Quantised:
        """Views."""
        rows, small = slice(self.start, self.stop), self.block.quantised
        return Quantised(values=small.values[rows], scales=small.scales[rows], residuals=small.residuals[rows])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewRows:
    """Rows to be stored."""

    vectors: Floats  #: (n, dims)
    labels: NDArray[np.int64]  #: (n,)
    list_numbers: NDArray[np.int32]  #: (n,)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> "NewRows":
        return NewRows(vectors=self.vectors[rows], labels=self.labels[rows], list_numbers=self.list_numbers[rows])


class Rows:
    """The rows of a moment, each known by its place: its number when those of all blocks are counted through.

    Args:
        lists: one more than the highest list number among them, or a larger number.
    """

    def __init__(self, blocks: Sequence[Block], *, lists: int) -> None:
        self.lists = lists
        self._parts = [block.part(0, block.used) for block in blocks if block.used]
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def chunks(self, most: int) -> list[tuple[int, Part]]:
        """All rows in parts of at most so many, each with the place of its first row."""
        return [
            (int(start) + row, part.block.part(row, min(row + most, part.stop)))
            for start, part in zip(self._starts, self._parts, strict=False)
            for row in range(0, part.stop, most)
        ]

    def labels(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Labels of rows, by ascending place."""
        return np.concatenate([block.labels[rows] for block, rows in self._by_block(places)] or [np.empty(0, np.int64)])

    def list_numbers(self, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """List numbers of rows, by ascending place."""
        found = [block.list_numbers[rows] for block, rows in self._by_block(places)]
        return np.concatenate(found or [np.empty(0, np.int32)])

    def vectors(self, places: NDArray[np.int64]) -> Iterator[Floats]:
        """Vectors of rows, by ascending place, some at a time; a copy, which is zeroed when the next is asked for."""
        for block, rows in self._by_block(places):
            for start in range(0, len(rows), LEAST_ROWS):
                some = block.vectors[rows[start : start + LEAST_ROWS]]
                try:
                    yield some
                finally:
                    some.fill(0)

    def _by_block(self, places: NDArray[np.int64]) -> Iterator[tuple[Block, NDArray[np.int64]]]:
        edges = np.searchsorted(places, self._starts)
        for n, part in enumerate(self._parts):
            if edges[n] < edges[n + 1]:
                yield part.block, places[edges[n] : edges[n + 1]] - self._starts[n]
