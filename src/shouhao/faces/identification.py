"""Identification: how often a list finds who is on it, and raises who is not (1:N), by keeping people apart.

Half of the people at most are put on a list, with one photograph each; their other photographs must be found, and the
photographs of everybody else must not. The same is done again and again with other people on the list, from a seed.
What is counted is the plain rule of the watchlist: a similarity at or above the threshold, whatever its rank.

Source: ISO/IEC 19795-1:2021 for false negative and false positive identification rate (FNIR, FPIR) of an open set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.intervals import Share, share
from shouhao.faces.pairs import STEPS, THRESHOLDS_COS, step_at, step_of
from shouhao.faces.rates import RESOLVED_BY, Compared

FPIRS = (1e-1, 1e-2, 1e-3)
DRAWS = 50
_BLOCK = 2048
_CURVE_POINTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPoint:
    """A threshold and what was counted at it; or that the data cannot tell."""

    fpir_asked: float | None  #: None: the threshold was asked for
    threshold_cos: float | None  #: None: fewer than `RESOLVED_BY` photographs of strangers reach any such threshold
    fpir: Share | None
    fnir: Share | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCurve:
    """Rates by threshold."""

    threshold_cos: tuple[float, ...]
    fpir: tuple[float, ...]
    fnir: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """Every search of every draw."""

    list_size: int  #: people on the list, one photograph each
    draws: int
    people: int
    stranger_photo: NDArray[np.int64]  #: (m,) whose search it was: a row of the embeddings
    stranger: NDArray[np.int64]  #: (m,) and a person who is not on the list
    stranger_top_cos: NDArray[np.float32]  #: (m,) the most alike of the list
    stranger_top: NDArray[np.int64]  #: (m,) and whose photograph that was
    listed: NDArray[np.int64]  #: (k,) whose search it was: a person on the list
    listed_cos: NDArray[np.float32]  #: (k,) how alike their photograph on the list is


def search_apart(compared: Compared, *, list_size: int, seed: int, draws: int = DRAWS) -> Searched:
    """Put people on a list and search it, many times.

    O(draws x photographs x list) time; the searches of all draws are kept, 24 bytes each.

    Args:
        list_size: how many people a list should have; half of those there are at most.
        seed: the same seed and photographs give the same draws.
    """
    size = max(1, min(list_size, compared.people // 2))
    rows_of = np.split(np.argsort(compared.subjects, kind="stable"), np.cumsum(compared.photos_each)[:-1])
    parts = [_one_draw(compared, rows_of, size, np.random.default_rng([seed, n])) for n in range(draws)]
    photo, top_cos, top, listed, listed_cos = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Searched(
        list_size=size,
        draws=draws,
        people=compared.people,
        stranger_photo=photo,
        stranger=compared.subjects[photo],
        stranger_top_cos=top_cos,
        stranger_top=top,
        listed=listed,
        listed_cos=listed_cos,
    )


def search_points(searched: Searched, fpirs: Sequence[float] = FPIRS) -> tuple[SearchPoint, ...]:
    """A threshold for each false positive rate that the data can tell, with both rates."""
    reached = _at_or_above(searched.stranger_top_cos)
    found = []
    for fpir in fpirs:
        step = int(np.argmax(reached <= fpir * len(searched.stranger)))
        threshold = float(THRESHOLDS_COS[step])
        point = search_rates(searched, threshold)
        told = _photographs_at(searched, threshold) >= RESOLVED_BY
        found.append(
            SearchPoint(
                fpir_asked=fpir,
                threshold_cos=threshold if told else None,
                fpir=point.fpir if told else None,
                fnir=point.fnir if told else None,
            )
        )
    return tuple(found)


def search_rates(searched: Searched, threshold_cos: float) -> SearchPoint:
    """Both rates at one threshold, however few searches reach it."""
    raised = step_of(searched.stranger_top_cos) >= step_at(threshold_cos)
    missed = step_of(searched.listed_cos) < step_at(threshold_cos)
    people = searched.people
    # A false alarm is the doing of two people: who passed, and who is on the list.
    by_both = [np.bincount(who[raised], minlength=people) for who in (searched.stranger, searched.stranger_top)]
    fpir = share(
        (by_both[0] + by_both[1]).astype(np.int64),
        np.bincount(searched.stranger, minlength=people).astype(np.int64),
        total_hits=int(raised.sum()),
        total_trials=len(raised),
        design_effect=float(searched.draws),
    )
    fnir = None
    if len(searched.listed):
        fnir = share(
            np.bincount(searched.listed[missed], minlength=people).astype(np.int64),
            np.bincount(searched.listed, minlength=people).astype(np.int64),
            total_hits=int(missed.sum()),
            total_trials=len(missed),
        )
    return SearchPoint(fpir_asked=None, threshold_cos=threshold_cos, fpir=fpir, fnir=fnir)


def search_curve(searched: Searched) -> SearchCurve:
    """The whole trade-off, at thresholds spread evenly over where it changes."""
    if not len(searched.listed):
        return SearchCurve(threshold_cos=(), fpir=(), fnir=())
    fpir = _at_or_above(searched.stranger_top_cos) / len(searched.stranger)
    fnir = 1 - _at_or_above(searched.listed_cos) / len(searched.listed)
    changing = np.flatnonzero((np.diff(fpir, prepend=1) != 0) | (np.diff(fnir, prepend=0) != 0))
    if not len(changing):
        return SearchCurve(threshold_cos=(), fpir=(), fnir=())
    steps = np.unique(np.linspace(changing[0] - 1, changing[-1], _CURVE_POINTS).astype(np.int64).clip(0))
    return SearchCurve(
        threshold_cos=tuple(THRESHOLDS_COS[steps].tolist()),
        fpir=tuple(fpir[steps].tolist()),
        fnir=tuple(fnir[steps].tolist()),
    )


_Draw = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def _one_draw(compared: Compared, rows_of: list[NDArray[np.int64]], size: int, chance: np.random.Generator) -> _Draw:
    """Rows of strangers, their most alike similarity and whose; listed people searched, and their similarity."""
    on_list = np.sort(chance.permutation(compared.people)[:size])
    reference = np.array([chance.choice(rows_of[person]) for person in on_list])
    is_listed = np.zeros(compared.people, dtype=bool)
    is_listed[on_list] = True
    is_reference = np.zeros(len(compared.subjects), dtype=bool)
    is_reference[reference] = True
    strangers = np.flatnonzero(~is_listed[compared.subjects])
    own = np.flatnonzero(is_listed[compared.subjects] & ~is_reference)
    gallery = compared.embeddings[reference]
    top_cos, top = np.empty(len(strangers), dtype=np.float32), np.empty(len(strangers), dtype=np.int64)
    for start in range(0, len(strangers), _BLOCK):
        part = slice(start, start + _BLOCK)
        similarities = compared.embeddings[strangers[part]] @ gallery.T
        best = similarities.argmax(axis=1)
        top[part], top_cos[part] = on_list[best], np.take_along_axis(similarities, best[:, None], axis=1)[:, 0]
    place = np.zeros(compared.people, dtype=np.int64)
    place[on_list] = np.arange(size)
    listed = compared.subjects[own]
    listed_cos = np.einsum("nd,nd->n", compared.embeddings[own], gallery[place[listed]]).astype(np.float32)
    return strangers, top_cos, top, listed, listed_cos


def _at_or_above(similarities_cos: NDArray[np.float32]) -> NDArray[np.int64]:
    counted = np.bincount(step_of(similarities_cos), minlength=2 * STEPS + 1).astype(np.int64)
    return np.cumsum(counted[::-1])[::-1]


def _photographs_at(searched: Searched, threshold_cos: float) -> int:
    """Different photographs of strangers that reached the threshold in some draw: many draws are not many people."""
    reached = step_of(searched.stranger_top_cos) >= step_at(threshold_cos)
    return len(np.unique(searched.stranger_photo[reached]))
