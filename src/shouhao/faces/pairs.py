"""Pairs: every photograph of a set held against every other one, in blocks, so that memory stays small.

Nothing is sampled. Counts are kept by ten-thousandths of similarity: a threshold of four decimals is then exactly what
was counted, and a table of them can be repeated. What the counts mean is left to rates.py, budget.py and too_close.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS = 10_000  #: thresholds a unit of similarity
THRESHOLDS_COS = np.arange(-STEPS, STEPS + 1) / STEPS  #: (20001,) float64, ascending
_BLOCK = 1024  #: photographs a side: 4 MB of similarities


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairCounts:
    """How many pairs are as alike as each of `THRESHOLDS_COS`, or more."""

    genuine: NDArray[np.int64]  #: (20001,) pairs of one person at or above
    impostor: NDArray[np.int64]  #: (20001,) pairs of two people at or above

    @property
    def genuine_pairs(self) -> int:
        """All pairs of one person."""
        return int(self.genuine[0])

    @property
    def impostor_pairs(self) -> int:
        """All pairs of two people."""
        return int(self.impostor[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Pairs of photographs, as rows of the embeddings."""

    first: NDArray[np.int64]  #: (n,)
    second: NDArray[np.int64]  #: (n,)
    similarity_cos: NDArray[np.float32]  #: (n,)

    def __len__(self) -> int:
        return len(self.similarity_cos)

    def at_least(self, threshold_cos: float) -> "Pairs":
        """Those of them that are at least so alike."""
        return self.where(step_of(self.similarity_cos) >= step_at(threshold_cos))

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> "Pairs":
        """Some of them, by mask or by number."""
        return Pairs(first=self.first[kept], second=self.second[kept], similarity_cos=self.similarity_cos[kept])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Block:
    rows: NDArray[np.int64]  #: (r,)
    columns: NDArray[np.int64]  #: (c,)
    similarities_cos: NDArray[np.float32]  #: (r, c)
    impostor: NDArray[np.bool_] | None  #: (r, c) pairs of two people, each once; None: all of them
    genuine: NDArray[np.bool_] | None  #: (r, c) pairs of one person, each once; None: none of them


def step_of(similarities_cos: NDArray[np.float32]) -> NDArray[np.int32]:
    """The place in `THRESHOLDS_COS` of the largest threshold that each similarity reaches."""
    steps: NDArray[np.int32] = np.floor((similarities_cos + np.float32(1)) * np.float32(STEPS)).astype(np.int32)
    np.clip(steps, 0, 2 * STEPS, out=steps)
    return steps


def step_at(threshold_cos: float) -> int:
    """The place in `THRESHOLDS_COS` of the least threshold that is not below this one.

    >>> float(THRESHOLDS_COS[step_at(0.36271)])
    0.3628
    """
    exact = (threshold_cos + 1) * STEPS
    return min(max(int(np.ceil(exact - 1e-6)), 0), 2 * STEPS)


def count_pairs(embeddings: NDArray[np.float32], subjects: NDArray[np.int64]) -> PairCounts:
    """Count all pairs by similarity, those of one person and those of two apart.

    O(n squared) time, some MB a block: 20,000 photographs are 200 million pairs.

    Args:
        embeddings: (n, dims), length 1.
        subjects: (n,) a number for each person, whatever it is.
    """
    genuine, impostor = (np.zeros(2 * STEPS + 1, dtype=np.int64) for _ in range(2))
    for block in _blocks(embeddings, subjects):
        steps = step_of(block.similarities_cos)
        impostor += _counted(steps.ravel() if block.impostor is None else steps[block.impostor])
        if block.genuine is not None:
            genuine += _counted(steps[block.genuine])
    return PairCounts(genuine=_at_or_above(genuine), impostor=_at_or_above(impostor))


def impostor_pairs(
    embeddings: NDArray[np.float32], subjects: NDArray[np.int64], *, at_least_cos: float, most: int | None = None
) -> Pairs:
    """The pairs of two people that are at least so alike; in no order.

    Args:
        most: keep only so many, the most alike, so that a threshold that is far too low does not fill the memory.
    """
    kept = Pairs(first=_NO_ROWS, second=_NO_ROWS, similarity_cos=np.zeros(0, dtype=np.float32))
    waiting: list[Pairs] = []
    for block in _blocks(embeddings, subjects):
        reached = step_of(block.similarities_cos) >= step_at(at_least_cos)
        if block.impostor is not None:
            reached &= block.impostor
        down, across = np.nonzero(reached)
        waiting.append(
            Pairs(
                first=block.rows[down],
                second=block.columns[across],
                similarity_cos=block.similarities_cos[down, across],
            )
        )
        if most is not None:
            kept, waiting = _most_alike([kept, *waiting], most), []
    return _joined([kept, *waiting])


def genuine_hits(
    embeddings: NDArray[np.float32], subjects: NDArray[np.int64], *, thresholds_cos: list[float]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each person's pairs of photographs, and how many of them reach each threshold.

    Returns:
        (people,) pairs and (people, thresholds) of them at or above; people in the order of their numbers.
    """
    number, people = numbered(subjects)
    places = [step_at(threshold) for threshold in thresholds_cos]
    trials = np.zeros(people, dtype=np.int64)
    hits = np.zeros((people, len(places)), dtype=np.int64)
    for block in _blocks(embeddings, subjects, genuine_alone=True):
        if block.genuine is None:
            continue
        down, across = np.nonzero(block.genuine)
        whose = number[block.rows[down]]
        steps = step_of(block.similarities_cos[down, across])
        trials += np.bincount(whose, minlength=people)
        for n, place in enumerate(places):
            hits[:, n] += np.bincount(whose[steps >= place], minlength=people)
    return trials, hits


def numbered(subjects: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """People counted from 0 in the order of their numbers, and how many there are."""
    known, number = np.unique(subjects, return_inverse=True)
    return number.astype(np.int64).reshape(-1), len(known)


_NO_ROWS = np.zeros(0, dtype=np.int64)


def _blocks(
    embeddings: NDArray[np.float32], subjects: NDArray[np.int64], *, genuine_alone: bool = False
) -> Iterator[_Block]:
    """Every pair of rows once. People are put side by side, so that few blocks hold pairs of one person."""
    order = np.argsort(subjects, kind="stable")
    vectors, whose = np.ascontiguousarray(embeddings[order], dtype=np.float32), subjects[order]
    for top in range(0, len(order), _BLOCK):
        rows = slice(top, top + _BLOCK)
        for left in range(top, len(order), _BLOCK):
            columns = slice(left, left + _BLOCK)
            mixed = left == top or bool(whose[rows][-1] == whose[left])
            if genuine_alone and not mixed:
                break  # people stand side by side: no block further right holds one of these
            impostor = genuine = None
            if mixed:
                once = _places(rows, len(order))[:, None] < _places(columns, len(order))
                same = whose[rows][:, None] == whose[columns]
                impostor, genuine = once & ~same, once & same
            yield _Block(
                rows=order[rows],
                columns=order[columns],
                similarities_cos=vectors[rows] @ vectors[columns].T,
                impostor=impostor,
                genuine=genuine,
            )


def _places(part: slice, count: int) -> NDArray[np.int64]:
    """The places that a slice covers."""
    return np.arange(*part.indices(count))


def _counted(steps: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.bincount(steps, minlength=2 * STEPS + 1).astype(np.int64)


def _at_or_above(counted: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(counted[::-1])[::-1]


def _joined(parts: list[Pairs]) -> Pairs:
    return Pairs(
        first=np.concatenate([part.first for part in parts]),
        second=np.concatenate([part.second for part in parts]),
        similarity_cos=np.concatenate([part.similarity_cos for part in parts]),
    )


def _most_alike(parts: list[Pairs], most: int) -> Pairs:
    joined = _joined(parts)
    if len(joined) <= most:
        return joined
    return joined.where(np.argpartition(-joined.similarity_cos, most - 1)[:most])
