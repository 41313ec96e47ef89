"""Wanted: which rows can still belong to the answer, from bounds of their similarities alone.

A row may be dropped only if no similarity within its bounds would put it into the answer; that keeps the answer that of
a full scan, ties included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GROUPS = 512


class Wanted(Protocol):
    """What a search asks for."""

    @property
    def most(self) -> int | None:
        """How many rows the answer has at most."""
        ...

    def floors(self, probes: int) -> Floats:
        """What a scan starts with and `cut` raises: (probes, any), its own for each thread."""
        ...

    def cut(self, about: Floats, widest: Floats, floors: Floats) -> Floats:
        """What the upper bound of a row must reach, (probes, 1), having seen estimates (probes, rows).

        Args:
            widest: (probes, 1) how far any of the estimates may be off.
        """
        ...

    def left(self, lower: Floats, upper: Floats, list_numbers: Callable[[], NDArray[np.int32]]) -> Mask:
        """Which of the rows that came through (rows,) can still belong to the answer.

        Args:
            list_numbers: finds the list number of each of these rows.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """The `count` most alike rows."""

    count: int

    @property
    def most(self) -> int:
        """So many."""
        return self.count

    def floors(self, probes: int) -> Floats:
        """The best lower bounds so far, of as many different rows: none."""
        return np.full((probes, self.count), -np.inf, np.float32)

    def cut(self, about: Floats, widest: Floats, floors: Floats) -> Floats:
        """The smallest of the best lower bounds: so many rows are at least that alike."""
        if self.count == 1:
            np.maximum(floors, about.max(axis=1, keepdims=True) - widest, out=floors)
            return floors
        best = np.concatenate([floors, self._high(about) - widest], axis=1)
        best.partition(best.shape[1] - self.count, axis=1)
        floors[:] = best[:, -self.count :]
        smallest: Floats = floors.min(axis=1, keepdims=True)
        return smallest

    def left(self, lower: Floats, upper: Floats, list_numbers: Callable[[], NDArray[np.int32]]) -> Mask:  # noqa: ARG002 - as asked
        """The rows that may be as alike as the last of the best."""
        if len(lower) <= self.count:
            return np.ones(len(lower), np.bool_)
        floor = np.partition(lower, len(lower) - self.count)[-self.count]
        return np.asarray(upper >= floor)

    def _high(self, about: Floats) -> Floats:
        """High estimates of different rows: the highest of each group of rows, a few rows at the end left out.

        Sorting out the best of all rows would take longer than scanning them.
        """
        probes, rows = about.shape
        groups = max(_GROUPS, 8 * self.count)
        if rows < 2 * groups:
            return about
        high: Floats = about[:, : rows // groups * groups].reshape(probes, -1, groups).max(axis=1)
        return high


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtLeast:
    """Every row that is as alike as its list asks for."""

    thresholds_cos: Floats  #: by list number; infinite: none of that list
    most: None = None

    @classmethod
    def of(cls, thresholds_cos: NDArray[np.floating] | float, *, lists: int) -> "AtLeast":
        """The thresholds of so many lists, or one for all of them."""
        thresholds = np.asarray(thresholds_cos, np.float32)
        if np.isnan(thresholds).any():
            raise ValueError("a threshold is a number")
        if not thresholds.ndim:
            return cls(thresholds_cos=np.full(lists, thresholds))
        if len(thresholds) < lists:
            raise ValueError(f"{len(thresholds)} thresholds for {lists} lists")
        return cls(thresholds_cos=thresholds)

    def floors(self, probes: int) -> Floats:
        """The lowest threshold, which never rises."""
        return np.full((probes, 1), self.thresholds_cos.min(initial=np.float32(np.inf)), np.float32)

    def cut(self, about: Floats, widest: Floats, floors: Floats) -> Floats:  # noqa: ARG002 - what was seen changes nothing
        """The lowest threshold of any list."""
        return floors

    def left(self, lower: Floats, upper: Floats, list_numbers: Callable[[], NDArray[np.int32]]) -> Mask:  # noqa: ARG002 - as asked
        """The rows that may reach the threshold of their own list."""
        return np.asarray(upper >= self.thresholds_cos[list_numbers()])
