"""Faces, listed: how often a list finds the people who are on it, when they pass with up to three pictures.

People are drawn from those with a photograph more than is enrolled; where there are not enough, others fill the list,
whom nothing has to find. Everybody else passes as a stranger. All draws together give the threshold that one stranger's
passage in a thousand reaches. The draws are the same for every pipeline.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.identification import Searched, SearchPoint, search_rates
from shouhao.faces.model import Face
from shouhao.faces.pairs import STEPS, THRESHOLDS_COS, step_of

FRAMES = 3
DRAWS = 50
SEED = 1
FPIR = 1e-3

Fuse = Callable[[Sequence[Face]], NDArray[np.float32] | None]
Enrol = Callable[[Sequence[Face]], Sequence[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What one pipeline made of all photographs."""

    faces: Sequence[Face | None]  #: of each photograph the one it is about; None: not found
    views: Sequence[tuple[Face | None, ...]]  #: the same, as a frame of a passage whose turn is each of the views
    dims: int
    fuse: Fuse  #: the frames of a passage; None: nothing that could be compared
    enrol: Enrol  #: what is kept of a person's photographs on the list

    def vectors(self) -> NDArray[np.float32]:
        """(n, dims) one for each photograph; nothing, and like nobody, where no face was found."""
        kept = np.zeros((len(self.faces), self.dims), np.float32)
        for row, face in zip(kept, self.faces, strict=True):
            if face is not None:
                row[:] = face.embedding
        return kept

    def part(self, rows: NDArray[np.int64]) -> "Seen":
        """The same of some photographs."""
        return replace(self, faces=[self.faces[row] for row in rows], views=[self.views[row] for row in rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a list found at the threshold of the false positive rate that was asked for."""

    list_size: int
    all: SearchPoint  #: passages of one to three frames
    full: SearchPoint  #: those of three frames alone
    strangers: int  #: different people whose passages reached the threshold


def search_lists(
    seen: Seen, subjects: NDArray[np.int64], *, list_size: int, enrolled: int, draws: int = DRAWS
) -> Found:
    """Put people on a list and let everybody pass, many times.

    Args:
        subjects: (n,) people counted from 0, of each photograph.
        list_size: how many people a list should have; half of those there are at most.
        enrolled: photographs of each of them on the list.
    """
    rows_of = [np.flatnonzero(subjects == person) for person in range(int(subjects.max()) + 1)]
    size = min(list_size, len(rows_of) // 2)
    parts = [_one_draw(seen, rows_of, size, enrolled, np.random.default_rng([SEED, n])) for n in range(draws)]
    stranger, top_cos, top, listed, listed_cos, frames = (np.concatenate(some) for some in zip(*parts, strict=True))
    searched = Searched(
        list_size=size,
        draws=draws,
        people=len(rows_of),
        stranger_photo=stranger,
        stranger=stranger,
        stranger_top_cos=top_cos,
        stranger_top=top,
        listed=listed,
        listed_cos=listed_cos,
    )
    threshold_cos = _threshold(top_cos, FPIR)
    full = frames == FRAMES
    return Found(
        list_size=size,
        all=search_rates(searched, threshold_cos),
        full=search_rates(replace(searched, listed=listed[full], listed_cos=listed_cos[full]), threshold_cos),
        strangers=len(np.unique(stranger[top_cos >= threshold_cos])),
    )


_Draw = tuple[
    NDArray[np.int64],
    NDArray[np.float32],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float32],
    NDArray[np.int64],
]


def _one_draw(
    seen: Seen, rows_of: Sequence[NDArray[np.int64]], size: int, enrolled: int, chance: np.random.Generator
) -> _Draw:
    """Strangers, their most alike similarity and whose; listed people, how alike they are, and of how many frames."""
    shuffled = [chance.permutation(rows) for rows in rows_of]
    order = chance.permutation(len(rows_of))
    spare = np.array([len(shuffled[person]) > enrolled for person in order])
    on_list = np.concatenate([order[spare], order[~spare]])[:size]
    owners, kept = [], []
    for person in on_list:
        for vector in seen.enrol(_there(seen.faces[row] for row in shuffled[person][:enrolled])):
            owners.append(int(person))
            kept.append(vector)
    gallery, owner = np.stack(kept), np.array(owners, np.int64)
    strangers = np.setdiff1d(order, on_list)
    passing = _probes(seen, [shuffled[person][:FRAMES] for person in strangers]) @ gallery.T
    best = passing.argmax(1)
    listed = np.array([person for person in on_list if len(shuffled[person]) > enrolled], np.int64)
    frames = [shuffled[person][enrolled : enrolled + FRAMES] for person in listed]
    own = np.where(owner == listed[:, None], _probes(seen, frames) @ gallery.T, -1).max(1)
    return (
        strangers,
        passing[np.arange(len(best)), best],
        owner[best],
        listed,
        own.astype(np.float32),
        np.array([len(some) for some in frames], np.int64),
    )


def _probes(seen: Seen, passages: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
    """(n, dims) what each passage asks about; nothing, and like nobody, where there is nothing to compare."""
    probes = np.zeros((len(passages), seen.dims), np.float32)
    for probe, rows in zip(probes, passages, strict=True):
        fused = seen.fuse(_there(_frames(seen, rows)))
        if fused is not None:
            probe[:] = fused
    return probes


def _frames(seen: Seen, rows: NDArray[np.int64]) -> list[Face | None]:
    """Frames take turns in their views; a passage of one frame is seen in all of them."""
    if len(rows) == 1:
        return [seen.faces[rows[0]]]
    return [seen.views[row][n % len(seen.views[row])] for n, row in enumerate(rows)]


def _there(faces: Iterable[Face | None]) -> list[Face]:
    return [face for face in faces if face is not None]


def _threshold(top_cos: NDArray[np.float32], rate: float) -> float:
    """The least threshold that no more than this share of the strangers' passages reaches."""
    counted = np.bincount(step_of(top_cos), minlength=2 * STEPS + 1)
    reached = np.cumsum(counted[::-1])[::-1]
    return float(THRESHOLDS_COS[int(np.argmax(reached <= rate * len(top_cos)))])
