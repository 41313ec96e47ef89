"""Tail: how alike strangers can be beyond what was counted, by a fitted curve that says that it is one.

A budget of one false alarm a day asks for rates that no folder of photographs can show. Above a high similarity the
excess follows a generalised Pareto curve, whatever the model (Pickands, Balkema and de Haan); it is fitted to the most
alike impostor pairs by probability-weighted moments. What it cannot foresee: twins, siblings, and one person under two
names, who form a second population. So the fit is tried on people it was not made from, held against what was seen
beyond it, and never stated without `extrapolated`.

Source: Hosking and Wallis, Technometrics 29 (1987), for the moments; Coles, An Introduction to Statistical Modeling of
Extreme Values (2001), chapter 4, for the method.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.pairs import Pairs
from shouhao.faces.rates import RESOLVED_BY, Compared, false_matches

REFITS = 1000  #: of the parametric bootstrap
FURTHEST = 1000  #: how many times rarer than what the pairs can tell; beyond, no fit is worth stating
_SHARE, _SHARE_MOST = 1e-3, 5e-3  #: of the impostor pairs that the curve is fitted to
_EXCEEDANCES = 100  #: at least, to fit three numbers to
_STRAIGHT = 1e-9  #: a shape this near 0 is an exponential
_ROUNDS = 20  #: splits into people to fit on and people to look at
_EXPECTED = (30.0, 10.0, 3.0)  #: false matches that the fit foretells among the others
_WITHIN = 3.0  #: times more or fewer than foretold, in the middle of the rounds, before the fit is said to fail
_SURPRISE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The fitted curve: share of impostor pairs at or above a similarity."""

    start_cos: float
    start_fmr: float  #: share of impostor pairs above the start
    shape: float  #: negative: there is a highest similarity
    scale_cos: float
    exceedances: int
    effective_exceedances: float  #: independent ones that would tell as much, as people stand in many pairs

    def fmr(self, threshold_cos: float) -> float:
        """The share of impostor pairs at or above; thresholds below the start are not the curve's to tell."""
        return float(_fmr(threshold_cos, *self._numbers))

    def threshold_cos(self, fmr: float) -> float:
        """The similarity that so small a share reaches."""
        return float(_threshold(fmr, *self._numbers))

    @property
    def _numbers(self) -> tuple[NDArray[np.float64], ...]:
        return tuple(np.asarray(x) for x in (self.start_cos, self.start_fmr, self.shape, self.scale_cos))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """The curve as it might have come out with other people: one fit a row."""

    start_cos: float
    start_fmr: NDArray[np.float64]  #: (REFITS,)
    shape: NDArray[np.float64]
    scale_cos: NDArray[np.float64]

    def threshold_interval(self, fmr: float) -> tuple[float, float]:
        """Between which similarities the threshold for a rate lies, 95 %."""
        return _middle(_threshold(fmr, np.asarray(self.start_cos), self.start_fmr, self.shape, self.scale_cos))

    def fmr_interval(self, threshold_cos: float) -> tuple[float, float]:
        """Between which rates that at a threshold lies, 95 %."""
        return _middle(_fmr(threshold_cos, np.asarray(self.start_cos), self.start_fmr, self.shape, self.scale_cos))


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """What a fit on some of the people foretold about the others, and what was counted there."""

    fitted_share: float  #: of the people
    rounds: int
    beyond: float  #: how many times rarer than what the fitted pairs could tell by counting
    fmr: float
    expected: float  #: false matches among the others
    observed: float  #: median over the rounds
    observed_low: float  #: the least and the most over the rounds
    observed_high: float
    holds: bool  #: the median is within a factor of three of what was expected, or chance alone explains how few


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """Pairs of two people beyond a fitted threshold: more of them than the curve foretold, or not."""

    threshold_cos: float
    expected: float
    observed: int
    contradicts: bool  #: so many would come up by chance less than once in a hundred times


def fit_tail(compared: Compared, *, share: float | None = None) -> Tail | None:
    """Fit the curve to the most alike impostor pairs; None where there are too few of them.

    Args:
        share: of all impostor pairs; without it a thousandth, or as many as are needed.
    """
    total = compared.counts.impostor_pairs
    tail = _fit(compared.close.similarity_cos, total, share)
    if tail is None:
        return None
    effect = false_matches(compared, tail.start_cos).design_effect
    return Tail(
        start_cos=tail.start_cos,
        start_fmr=tail.start_fmr,
        shape=tail.shape,
        scale_cos=tail.scale_cos,
        exceedances=tail.exceedances,
        effective_exceedances=tail.exceedances / effect,
    )


def refit(tail: Tail, *, seed: int, count: int = REFITS) -> Refits:
    """Draw as many excesses from the curve as the data are worth, and fit again: the parametric bootstrap.

    Drawing the effective number, not that of all pairs, is what lets the interval know about people in many pairs.
    """
    chance = np.random.default_rng([seed, 0x7A11])
    worth = max(tail.effective_exceedances, 10.0)
    shapes, scales = np.empty(count), np.empty(count)
    sizes = np.maximum(chance.poisson(worth, size=count), 10)
    for n, size in enumerate(sizes):
        excess = _excess(chance.random(size), tail.shape, tail.scale_cos)
        shapes[n], scales[n] = _moments(excess)
    return Refits(start_cos=tail.start_cos, start_fmr=tail.start_fmr * sizes / worth, shape=shapes, scale_cos=scales)


def held_out(compared: Compared, *, seed: int, fitted_share: float = 0.5, rounds: int = _ROUNDS) -> list[HeldOut]:
    """Fit on some of the people, count among the others; empty where there are too few people for it."""
    chance = np.random.default_rng([seed, 0x0FF])
    levels = [_foretold(compared, fitted_share, chance) for _ in range(rounds)]
    if any(not level for level in levels):
        return []
    found = []
    for n, expected in enumerate(_EXPECTED):
        fmr, beyond, observed = (np.array(column) for column in zip(*(level[n] for level in levels), strict=True))
        found.append(
            HeldOut(
                fitted_share=fitted_share,
                rounds=rounds,
                fmr=float(np.median(fmr)),
                beyond=float(np.median(beyond)),
                expected=expected,
                observed=float(np.median(observed)),
                observed_low=float(observed.min()),
                observed_high=float(observed.max()),
                holds=_came_true(expected, float(np.median(observed))),
            )
        )
    return found


def surprise_at(compared: Compared, tail: Tail, threshold_cos: float) -> Surprise:
    """How many pairs of two people lie beyond a fitted threshold, against how many should."""
    expected = tail.fmr(threshold_cos) * compared.counts.impostor_pairs
    observed = len(compared.close.at_least(threshold_cos))
    return Surprise(
        threshold_cos=threshold_cos,
        expected=expected,
        observed=observed,
        contradicts=observed > 0 and _at_least(observed, expected) < _SURPRISE,
    )


def _foretold(compared: Compared, fitted_share: float, chance: np.random.Generator) -> list[tuple[float, float, int]]:
    """For each of `_EXPECTED`: the rate it is among the others, how far beyond counting, and how many there were."""
    fitted_on = np.zeros(compared.people, dtype=bool)
    fitted_on[chance.permutation(compared.people)[: round(fitted_share * compared.people)]] = True
    fitted, pairs = _pairs_among(compared, fitted_on), _pairs_among(compared, ~fitted_on)
    tail = _fit(_among(compared, fitted_on).similarity_cos, fitted, None)
    if tail is None or not pairs:
        return []
    others = _among(compared, ~fitted_on)
    return [
        (expected / pairs, RESOLVED_BY * pairs / (fitted * expected), len(others.at_least(threshold)))
        for expected in _EXPECTED
        for threshold in [tail.threshold_cos(expected / pairs)]
    ]


def _fit(similarities_cos: NDArray[np.float32], total: int, share: float | None) -> Tail | None:
    share = max(_SHARE, _EXCEEDANCES / max(total, 1)) if share is None else share
    count = round(share * total)
    if share > _SHARE_MOST or count < _EXCEEDANCES or count >= len(similarities_cos):
        return None
    highest = np.partition(similarities_cos, -count - 1)[-count - 1 :].astype(np.float64)
    shape, scale = _moments(highest[1:] - highest[0])
    return Tail(
        start_cos=float(highest[0]),
        start_fmr=count / total,
        shape=shape,
        scale_cos=scale,
        exceedances=count,
        effective_exceedances=float(count),
    )


def _moments(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale by probability-weighted moments."""
    ordered, count = np.sort(excess), len(excess)
    mean = ordered.mean()
    weighted = (ordered * (count - np.arange(1, count + 1)) / (count - 1)).mean()
    return float(2 - mean / (mean - 2 * weighted)), float(2 * mean * weighted / (mean - 2 * weighted))


def _excess(uniform: NDArray[np.float64], shape: float, scale: float) -> NDArray[np.float64]:
    if abs(shape) < _STRAIGHT:
        return -scale * np.log(uniform)
    return scale / shape * (uniform**-shape - 1)


def _threshold(
    fmr: float,
    start: NDArray[np.float64],
    above: NDArray[np.float64],
    shape: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    bent = np.where(np.abs(shape) < _STRAIGHT, _STRAIGHT, shape)
    return np.asarray(np.clip(start + scale / bent * ((fmr / above) ** -bent - 1), -1.0, 1.0))


def _fmr(
    threshold: float,
    start: NDArray[np.float64],
    above: NDArray[np.float64],
    shape: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> NDArray[np.float64]:
    bent = np.where(np.abs(shape) < _STRAIGHT, _STRAIGHT, shape)
    inside = np.maximum(1 + bent * (threshold - start) / scale, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(inside > 0, above * inside ** (-1 / bent), 0.0))


def _middle(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _among(compared: Compared, chosen: NDArray[np.bool_]) -> Pairs:
    close = compared.close
    return close.where(chosen[compared.subjects[close.first]] & chosen[compared.subjects[close.second]])


def _pairs_among(compared: Compared, chosen: NDArray[np.bool_]) -> int:
    each = compared.photos_each[chosen]
    return int((each.sum() ** 2 - np.square(each).sum()) // 2)


def _came_true(expected: float, observed: float) -> bool:
    enough = observed >= expected / _WITHIN or 1 - _at_least(int(observed) + 1, expected) >= _SURPRISE
    return enough and observed <= expected * _WITHIN


def _at_least(count: int, expected: float) -> float:
    """How likely it is that so many or more come up where so many are expected, if each comes by itself."""
    if expected <= 0:
        return 0.0
    fewer = (math.exp(n * math.log(expected) - expected - math.lgamma(n + 1)) for n in range(count))
    return max(0.0, 1.0 - math.fsum(fewer))
