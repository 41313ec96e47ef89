"""Exact search of face vectors: the answer is always that of a full scan, at a quarter of its reading.

**Exact** means this. The similarity of a row and a probe is their dot product of float32 values, summed in float64 in a
fixed order and rounded once to float32 (`quantised.similarities`); a threshold is rounded to float32 too; a row is in
the answer when its similarity is at or above the threshold of its list, or among the k highest; the answer is ordered
by similarity, and by label where that is equal. Nothing else enters: not the order of rows, the number of threads, the
kind of processor, or what else is asked at the same time.

How that is found without a full scan stands in scan.py.

Readers and the writer. Any number of threads may search while one adds: new rows are written where no reader looks, and
counted in at once at the end. Removing waits until the searches under way are done and holds up new ones meanwhile,
because a row half zeroed is a face that nobody has; so does an addition for a moment when it has moved small blocks
into a larger one and lets them go. Writers take turns. A search sees all of an addition or a removal, or nothing of it.

Which person a label stands for is left to the gallery.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.quantised import MOST_DIMS, SQUARE_WITHIN, Floats
from shouhao.faces.rows import LEAST_ROWS, Block, NewRows, Rows
from shouhao.faces.scan import PROBES_AT_ONCE, Matches, Team, answers
from shouhao.faces.wanted import AtLeast, Nearest, Wanted
from shouhao.kernel.errors import Refused

_ROOM_SHARE = 32  # a new block has room for this fraction of the rows: 3 % of the memory at most lies idle
_MOVED_ROWS = 32_768  # blocks are moved together up to this size, or to
_MOVED_SHARE = 4  # this fraction of all rows: moving takes that much more memory while it lasts


class VectorRefused(Refused):
    """This is not a face vector that the index takes."""

    code = "faces.vector_refused"
    zh = "特征向量无效：{why_zh}"
    en = "This face vector cannot be used: {why_en}"


class ExactIndex:
    """Unit vectors in locked memory, each with a label and the number of its list.

    Args:
        dims: 1 to 4096.
        lock_required: refuse memory that may be swapped out.
        threads: how many scan for one search.
    """

    def __init__(self, dims: int, *, lock_required: bool = False, threads: int = 2) -> None:
        if not 1 <= dims <= MOST_DIMS:
            raise ValueError(f"dims must be 1 to {MOST_DIMS}, not {dims}")
        self.dims = dims
        self._lock_required = lock_required
        self._blocks: list[Block] = []
        self._next_label = 0
        self._rows = Rows([], lists=0)  # what readers see
        self._one_writer = threading.Lock()
        self._gate = _Gate()
        self._pid = os.getpid()
        self._closed = False
        self._team = Team(threads)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def locked(self) -> bool:
        """Whether all of it is kept in RAM; an empty index is."""
        return all(block.memory.locked for block in self._blocks)

    @property
    def memory_bytes(self) -> int:
        """What the vectors, their int8 copies and their labels take, room included."""
        return sum(block.memory.size_bytes for block in self._blocks)

    def add(
        self,
        vectors: Floats,
        *,
        labels: NDArray[np.int64] | None = None,
        list_numbers: NDArray[np.int32] | int = 0,
    ) -> NDArray[np.int64]:
        """Store vectors (n, dims) and return their labels (n,); all are found from then on, or none is stored.

        Args:
            labels: (n,), at least 0 and never in use; None: the next ones that were never used.
            list_numbers: (n,) or one for all, at least 0.
        Raises:
            VectorRefused: not (n, dims), not finite, or not of length 1.
            Unavailable: there is no memory, or it cannot be locked and must be.
        """
        vectors = self._checked(vectors)
        numbers = np.broadcast_to(np.asarray(list_numbers, np.int32), (len(vectors),))
        if numbers.min(initial=0) < 0:
            raise ValueError("a list number is at least 0")
        with self._one_writer:
            self._check_open()
            given = self._labels_for(len(vectors), labels)
            self._store(NewRows(vectors=vectors, labels=given, list_numbers=numbers))
            self._next_label = max(self._next_label, int(given.max(initial=-1)) + 1)
        return given

    def remove(self, labels: Iterable[int]) -> int:
        """Zero the rows with these labels at once, both copies, and say how many there were; the room is used again."""
        gone = np.unique(np.fromiter(labels, np.int64))
        with self._one_writer:
            self._check_open()
            holes = [
                (block, int(row))
                for block in self._blocks
                for row in np.flatnonzero(np.isin(block.labels[: block.used], gone))
            ]
            if not holes:
                return 0
            with self._gate.writing():
                for block, row in reversed(holes):  # from the last on: no hole is filled with a row that goes too
                    self._remove_row(block, row)
                self._rows = Rows(self._blocks, lists=self._rows.lists)
        return len(holes)

    def _remove_row(self, block: Block, row: int) -> None:
        last = self._blocks[-1]
        last.used -= 1
        if last is block and last.used == row:
            last.zero(row)
        else:
            last.move(last.used, block, row)
        if not last.used:
            self._blocks.pop().memory.close()

    def nearest(self, probes: Floats, count: int) -> list[Matches]:
        """The `count` most alike rows of each probe (n, dims), or fewer when there are fewer.

        Raises:
            VectorRefused: not (n, dims), not finite, or not of length 1.
        """
        if count < 1:
            raise ValueError("count must be at least 1")
        return self._search(probes, lambda rows: Nearest(count=min(count, max(1, len(rows)))))

    def at_least(self, probes: Floats, thresholds_cos: NDArray[np.floating] | float) -> list[Matches]:
        """Every row that is as alike to a probe (n, dims) as the row's list asks for.

        Args:
            thresholds_cos: by list number, `inf` where nothing of that list is wanted; or one for every list.
        Raises:
            VectorRefused: not (n, dims), not finite, or not of length 1.
        """
        return self._search(probes, lambda rows: AtLeast.of(thresholds_cos, lists=rows.lists))

    def close(self) -> None:
        """Zero everything and give the memory back, when the searches under way are done."""
        with self._one_writer, self._gate.writing():
            self._closed = True
            while self._blocks:
                self._blocks.pop().memory.close()
            self._rows = Rows([], lists=self._rows.lists)
        self._team.close()

    def _checked(self, vectors: Floats) -> Floats:
        vectors = np.ascontiguousarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dims:  # noqa: PLR2004 - rows and dims
            raise VectorRefused(
                why_zh=f"应为 (n, {self.dims})，收到 {vectors.shape}",
                why_en=f"(n, {self.dims}) was due, not {vectors.shape}",
            )
        squares = np.einsum("ij,ij->i", vectors, vectors)
        if not (np.abs(squares - 1) <= SQUARE_WITHIN).all():  # false for NaN too
            raise VectorRefused(why_zh="长度不是 1 或含有非数值", why_en="its length is not 1, or it is not finite")
        return vectors

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("this index is closed")
        if os.getpid() != self._pid:
            raise RuntimeError("the index does not reach into a forked process: its memory is all zeros there")

    def _labels_for(self, count: int, labels: NDArray[np.int64] | None) -> NDArray[np.int64]:
        if labels is None:
            return np.arange(self._next_label, self._next_label + count, dtype=np.int64)
        given = np.array(labels, np.int64)
        if given.shape != (count,):
            raise ValueError(f"{given.shape} labels for {count} vectors")
        if given.min(initial=0) < 0 or len(np.unique(given)) != count:
            raise ValueError("labels are at least 0 and differ")
        if any(np.isin(block.labels[: block.used], given).any() for block in self._blocks):
            raise ValueError("a label is in use")
        return given

    def _store(self, new: NewRows) -> None:
        """Write the rows into what room the last block has and the rest into a new one, then let them be seen."""
        last = self._blocks[-1] if self._blocks else None
        filled = last.used if last else 0
        fits = min(len(new), last.capacity - filled) if last else 0
        small, more = self._room_for(len(new) - fits)
        try:
            if last:
                last.append(new[:fits])
            if more:
                more.take_over(small)
                more.append(new[fits:])
        except BaseException:
            if last:
                last.cut(filled)
            raise
        if more:
            self._blocks = [*self._blocks[: len(self._blocks) - len(small)], more]
        self._rows = Rows(self._blocks, lists=max(self._rows.lists, int(new.list_numbers.max(initial=-1)) + 1))
        if small:
            with self._gate.writing():
                for block in small:
                    block.memory.close()

    def _room_for(self, rows: int) -> tuple[list[Block], Block | None]:
        """A new block for so many rows, and those whose rows are to move into it as well; none for none."""
        if not rows:
            return [], None
        room = max(rows, len(self) // _ROOM_SHARE, LEAST_ROWS)
        small = self._blocks_to_move(room)
        capacity = room + sum(block.capacity for block in small)
        return small, Block(capacity, self.dims, lock_required=self._lock_required)

    def _blocks_to_move(self, room: int) -> list[Block]:
        """The last blocks as long as they are no larger than what they would move into, so that blocks stay few."""
        most, first = max(len(self) // _MOVED_SHARE, _MOVED_ROWS), len(self._blocks)
        while first and self._blocks[first - 1].capacity <= min(room, most - room):
            first -= 1
            room += self._blocks[first].capacity
        return self._blocks[first:]

    def _search(self, probes: Floats, wanted_of: Callable[[Rows], Wanted]) -> list[Matches]:
        """Search for what is wanted of the rows of this moment."""
        probes = self._checked(probes)
        with self._gate.reading():
            self._check_open()
            rows = self._rows
            wanted = wanted_of(rows)
            return [
                one
                for start in range(0, len(probes), PROBES_AT_ONCE)
                for one in answers(rows, probes[start : start + PROBES_AT_ONCE], wanted, self._team)
            ]


class _Gate:
    """Many may read, or one may change; who wants to change goes before those who come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._writer = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._writer)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """For one at a time, which the caller sees to."""
        with self._changed:
            self._writer = True
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._readers)
            yield
        finally:
            with self._changed:
                self._writer = False
                self._changed.notify_all()
