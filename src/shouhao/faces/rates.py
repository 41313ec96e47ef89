"""Rates: how often two photographs of one person match, and of two people, for every threshold (1:1).

Over all pairs, with intervals that know that one person stands in many of them. A threshold is stated only where the
data hold enough pairs to know it; lower rates are a matter for tail.py, which says that it extrapolates.

Source: ISO/IEC 19795-1:2021 for false match rate (FMR), false non-match rate (FNMR), true match rate (TMR, 1 - FNMR)
and the detection error trade-off (DET).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.intervals import Share, share
from shouhao.faces.pairs import (
    STEPS,
    THRESHOLDS_COS,
    PairCounts,
    Pairs,
    count_pairs,
    genuine_hits,
    impostor_pairs,
    numbered,
)

FMRS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  #: the rates that a table of thresholds is asked for
RESOLVED_BY = 30  #: impostor pairs at or above; with fewer, a threshold is a matter of a few people (rule of 30)
KEPT_FMR = 1e-2  #: the most alike pairs, this share of all, are looked at one by one; the others are counted
_BAR_STEPS = 200  #: of a histogram: 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """A threshold and what was counted at it; or that the data cannot tell."""

    fmr_asked: float | None  #: None: the threshold was asked for
    threshold_cos: float | None  #: None: fewer than `RESOLVED_BY` impostor pairs lie there
    fmr: Share | None
    tmr: Share | None

    @property
    def resolved(self) -> bool:
        """Whether a threshold could be stated."""
        return self.threshold_cos is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Rates by threshold, as plots want them: where either of them changes."""

    threshold_cos: tuple[float, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Shares of pairs by similarity."""

    edges_cos: tuple[float, ...]  #: (n + 1,)
    genuine: tuple[float, ...]  #: (n,) adds up to 1
    impostor: tuple[float, ...]  #: (n,) likewise


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """All photographs of a set, compared with each other: what rates are counted from."""

    embeddings: NDArray[np.float32]  #: (n, dims), length 1
    subjects: NDArray[np.int64]  #: (n,) people counted from 0
    people: int
    counts: PairCounts
    close: Pairs  #: the most alike impostor pairs: a share `KEPT_FMR` of them, or enough for one threshold

    @property
    def photos_each(self) -> NDArray[np.int64]:
        """(people,) photographs of each person."""
        return np.bincount(self.subjects, minlength=self.people).astype(np.int64)

    @property
    def smallest_fmr(self) -> float:
        """The smallest false match rate that these pairs can tell; above 1: none."""
        return RESOLVED_BY / max(self.counts.impostor_pairs, 1)


def compare_all(embeddings: NDArray[np.float32], subjects: NDArray[np.int64]) -> Compared:
    """Compare every photograph with every other one.

    Args:
        embeddings: (n, dims), length 1; up to some 20,000.
        subjects: (n,) a number for each person, whatever it is.
    """
    number, people = numbered(subjects)
    counts = count_pairs(embeddings, number)
    kept_fmr = max(KEPT_FMR, 2 * RESOLVED_BY / max(counts.impostor_pairs, 1))
    floor_cos = float(THRESHOLDS_COS[_step_at_fmr(counts, kept_fmr)])
    close = impostor_pairs(embeddings, number, at_least_cos=floor_cos)
    return Compared(embeddings=embeddings, subjects=number, people=people, counts=counts, close=close)


def threshold_at(compared: Compared, fmr: float) -> float | None:
    """The least threshold that so few impostor pairs reach, or None where fewer than `RESOLVED_BY` reach it."""
    step = _step_at_fmr(compared.counts, fmr)
    return float(THRESHOLDS_COS[step]) if compared.counts.impostor[step] >= RESOLVED_BY else None


def finest_threshold(compared: Compared) -> float | None:
    """The largest threshold that `RESOLVED_BY` impostor pairs reach; None where there are not so many pairs."""
    step = int(np.searchsorted(-compared.counts.impostor, -RESOLVED_BY, side="right")) - 1
    return float(THRESHOLDS_COS[step]) if step >= 0 else None


def typical_genuine(compared: Compared) -> float:
    """The similarity that half of the pairs of one person reach; 1 where there are none."""
    genuine = compared.counts.genuine
    return (
        float(THRESHOLDS_COS[np.flatnonzero(2 * genuine >= max(compared.counts.genuine_pairs, 1))[-1]])
        if genuine[0]
        else 1.0
    )


def points_at(compared: Compared, fmrs: Sequence[float] = FMRS) -> tuple[OperatingPoint, ...]:
    """A threshold for each rate, where the data can tell it, with both rates and their intervals.

    The intervals are those of the rates at this threshold; that the threshold was chosen on the same photographs is
    not in them.
    """
    stated = {fmr: threshold_at(compared, fmr) for fmr in fmrs}
    counted = iter(rates_at(compared, [cos for cos in stated.values() if cos is not None]))
    unknown = OperatingPoint(fmr_asked=None, threshold_cos=None, fmr=None, tmr=None)
    found = [(fmr, next(counted) if cos is not None else unknown) for fmr, cos in stated.items()]
    return tuple(
        OperatingPoint(fmr_asked=fmr, threshold_cos=point.threshold_cos, fmr=point.fmr, tmr=point.tmr)
        for fmr, point in found
    )


def rates_at(compared: Compared, thresholds_cos: Sequence[float]) -> list[OperatingPoint]:
    """Both rates at thresholds of one's own, however few pairs reach them.

    Args:
        thresholds_cos: none below the least similarity in `Compared.close`.
    """
    wanted = list(thresholds_cos)
    trials, hits = genuine_hits(compared.embeddings, compared.subjects, thresholds_cos=wanted)
    return [
        OperatingPoint(
            fmr_asked=None,
            threshold_cos=threshold,
            fmr=false_matches(compared, threshold),
            tmr=_true_matches(trials, hits[:, n]),
        )
        for n, threshold in enumerate(wanted)
    ]


def false_matches(compared: Compared, threshold_cos: float) -> Share:
    """The false match rate at a threshold, with its interval. Where nobody reached it, by the rule of 3.

    The rule of 3 asks how many independent pairs were looked at: as many as at the least similarity that is resolved.
    """
    found = _counted_false_matches(compared, threshold_cos)
    if found.hits:
        return found
    resolved = finest_threshold(compared)
    effect = 1.0 if resolved is None else _counted_false_matches(compared, resolved).design_effect
    return _counted_false_matches(compared, threshold_cos, design_effect=effect)


def curve_of(compared: Compared) -> Curve:
    """The whole trade-off."""
    counts = compared.counts
    if not counts.genuine_pairs or not counts.impostor_pairs:
        return Curve(threshold_cos=(), fmr=(), fnmr=())
    fmr = counts.impostor / counts.impostor_pairs
    fnmr = 1 - counts.genuine / counts.genuine_pairs
    changes = np.flatnonzero((np.diff(fmr, prepend=-1) != 0) | (np.diff(fnmr, prepend=-1) != 0))
    if len(changes) > _CURVE_POINTS:  # evenly along both axes, so that neither end is lost
        changes = _thinned(changes, fmr, fnmr)
    return Curve(
        threshold_cos=tuple(THRESHOLDS_COS[changes].tolist()),
        fmr=tuple(fmr[changes].tolist()),
        fnmr=tuple(fnmr[changes].tolist()),
    )


def histogram_of(compared: Compared) -> Histogram:
    """How alike pairs of one person and of two people are."""
    counts, edges = compared.counts, np.arange(0, 2 * STEPS + 1, _BAR_STEPS)
    shares = []
    for reached in (counts.genuine, counts.impostor):
        above = np.append(reached[edges[:-1]], 0)
        shares.append(tuple((-np.diff(above) / max(int(reached[0]), 1)).tolist()))
    return Histogram(edges_cos=tuple(THRESHOLDS_COS[edges].tolist()), genuine=shares[0], impostor=shares[1])


_CURVE_POINTS = 600


def _step_at_fmr(counts: PairCounts, fmr: float) -> int:
    allowed = fmr * counts.impostor_pairs
    return int(np.argmax(counts.impostor <= allowed)) if counts.impostor[-1] <= allowed else 2 * STEPS


def _counted_false_matches(compared: Compared, threshold_cos: float, *, design_effect: float | None = None) -> Share:
    reached, each = compared.close.at_least(threshold_cos), compared.photos_each
    hits = sum(
        np.bincount(compared.subjects[rows], minlength=compared.people) for rows in (reached.first, reached.second)
    )
    return share(
        np.asarray(hits, dtype=np.int64),
        each * (each.sum() - each),
        total_hits=len(reached),
        total_trials=compared.counts.impostor_pairs,
        design_effect=design_effect,
    )


def _true_matches(trials: NDArray[np.int64], hits: NDArray[np.int64]) -> Share | None:
    total = int(trials.sum())
    return share(hits, trials, total_hits=int(hits.sum()), total_trials=total) if total else None


def _thinned(places: NDArray[np.int64], fmr: NDArray[np.float64], fnmr: NDArray[np.float64]) -> NDArray[np.int64]:
    with np.errstate(divide="ignore"):
        along = np.stack([np.log10(fmr[places]), np.log10(fnmr[places])])
    along[~np.isfinite(along)] = -9
    way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(along)).sum(axis=0))])
    kept = np.searchsorted(way, np.linspace(0, way[-1], _CURVE_POINTS))
    return places[np.unique(np.clip(kept, 0, len(places) - 1))]
