"""Budget: from the false alarms that an operator can bear in a day to a threshold.

The arithmetic is short. Allowed alarms / passages = the FPIR that is needed; that / list = the FMR that is needed for
one comparison, as if matches came independently of each other. If they do not, the error is on the safe side: each
passage meets the whole list, so FMR x list is the number of false matches to expect from it, however people resemble
each other, and FPIR is that or less. identification.py measures how much less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shouhao.faces.intervals import Share
from shouhao.faces.pairs import STEPS, THRESHOLDS_COS, step_at
from shouhao.faces.rates import (
    KEPT_FMR,
    RESOLVED_BY,
    Compared,
    OperatingPoint,
    false_matches,
    finest_threshold,
    rates_at,
    threshold_at,
)
from shouhao.faces.tail import FURTHEST, HeldOut, Refits, Surprise, Tail, fit_tail, held_out, refit, surprise_at
from shouhao.kernel.errors import InvalidInput

_LADDER = 40  #: thresholds of the curve of alarms
#: Of the people, on whom the fit is tried before it is used. The first decides; the second looks ten times further with
#: a quarter of the pairs, and is shown.
_FITTED_SHARES = (0.5, 0.25)

Unreachable = Literal["too_few_photographs", "too_far_beyond", "fit_failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an operator sets."""

    false_alarms_a_day: float
    passages_a_day: int
    list_size: int  #: photographs on the list: a person with three counts three times

    def __post_init__(self) -> None:
        """Refuse what no threshold could be derived from."""
        if not 0 < self.false_alarms_a_day <= self.passages_a_day:
            raise InvalidInput(
                "false_alarms_a_day",
                zh="应大于 0，且不超过每日通行人次",
                en="must be above 0 and not above the passages a day",
            )
        if self.list_size < 1:
            raise InvalidInput("list_size", zh="应至少为 1", en="must be at least 1")

    @property
    def fpir(self) -> float:
        """The share of passages that may raise an alarm.

        >>> Budget(false_alarms_a_day=60, passages_a_day=20_000, list_size=2100).fpir
        0.003
        """
        return self.false_alarms_a_day / self.passages_a_day

    @property
    def fmr(self) -> float:
        """The share of comparisons that may match.

        >>> f"{Budget(false_alarms_a_day=1, passages_a_day=20_000, list_size=2100).fmr:.1e}"
        '2.4e-08'
        """
        return self.fpir / self.list_size

    def false_alarms(self, fmr: float) -> float:
        """False alarms a day to expect at a rate; never more than there are passages."""
        return min(float(self.passages_a_day), self.passages_a_day * self.list_size * fmr)

    @property
    def photographs_needed(self) -> int:
        """About how many photographs, of different people, it takes to count this rate instead of fitting it."""
        return math.ceil(math.sqrt(2 * RESOLVED_BY / self.fmr))


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmsAt:
    """False alarms a day at a threshold."""

    threshold_cos: float
    expected: float
    low: float
    high: float
    extrapolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The threshold that keeps a budget."""

    threshold_cos: float
    threshold_low_cos: float  #: 95 %: where it might lie with other people in the folder
    threshold_high_cos: float  #: likewise; a cautious operator takes this one
    extrapolated: bool
    alarms: AlarmsAt
    counted: OperatingPoint  #: both rates as they were counted at the threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Achievable:
    """The smallest rate that was counted, and what it means for this traffic and list."""

    threshold_cos: float
    fmr: Share
    tmr: Share | None
    alarms: AlarmsAt
    largest_list: int  #: with which the budget is kept at this threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of a budget."""

    fpir_needed: float
    fmr_needed: float
    photographs_needed: int
    chosen: Chosen | None
    why_not: Unreachable | None  #: when nothing was chosen
    achievable: Achievable | None  #: by counting alone
    tail: Tail | None
    held_out: tuple[HeldOut, ...]
    surprise: Surprise | None  #: at the chosen threshold, when it is extrapolated
    curve: tuple[AlarmsAt, ...]  #: by threshold, ascending


def decide(compared: Compared, budget: Budget, *, seed: int) -> Decision:
    """The threshold that keeps a budget: counted where the pairs can tell it, or fitted and labelled so.

    Args:
        seed: of the splits and the parametric bootstrap behind a fitted threshold.
    """
    tail = fit_tail(compared)
    tried = [held_out(compared, seed=seed, fitted_share=part) for part in _FITTED_SHARES] if tail else []
    checked = tuple(level for levels in tried for level in levels)
    refits = refit(tail, seed=seed) if tail else None
    counted = threshold_at(compared, min(budget.fmr, KEPT_FMR))
    why_not = None if counted is not None else _why_not(compared, budget, tail, checked)
    chosen = None
    if counted is not None:
        chosen = _counted(compared, budget, counted)
    elif why_not is None and tail is not None and refits is not None:
        chosen = _fitted(compared, budget, tail, refits)
    extrapolated = chosen is not None and chosen.extrapolated
    return Decision(
        fpir_needed=budget.fpir,
        fmr_needed=budget.fmr,
        photographs_needed=budget.photographs_needed,
        chosen=chosen,
        why_not=why_not,
        achievable=_achievable(compared, budget),
        tail=tail,
        held_out=checked,
        surprise=surprise_at(compared, tail, chosen.threshold_cos) if chosen and tail and extrapolated else None,
        curve=tuple(_curve(compared, budget, tail, refits, until_cos=chosen.threshold_high_cos if chosen else None)),
    )


def _why_not(compared: Compared, budget: Budget, tail: Tail | None, checked: Sequence[HeldOut]) -> Unreachable | None:
    """Why no fitted threshold is stated, or None when one may be."""
    if tail is None:
        return "too_few_photographs"
    if budget.fmr < compared.smallest_fmr / FURTHEST:
        return "too_far_beyond"
    deciding = [level for level in checked if level.fitted_share == _FITTED_SHARES[0]]
    if not deciding:
        return "too_few_photographs"
    return None if all(level.holds for level in deciding) else "fit_failed"


def _counted(compared: Compared, budget: Budget, threshold_cos: float) -> Chosen:
    (point,) = rates_at(compared, [threshold_cos])
    return Chosen(
        threshold_cos=threshold_cos,
        threshold_low_cos=_where_interval(compared, budget.fmr, threshold_cos, upper=False),
        threshold_high_cos=_where_interval(compared, budget.fmr, threshold_cos, upper=True),
        extrapolated=False,
        alarms=_alarms_counted(compared, budget, threshold_cos),
        counted=point,
    )


def _fitted(compared: Compared, budget: Budget, tail: Tail, refits: Refits) -> Chosen:
    threshold = _up(tail.threshold_cos(budget.fmr))
    low, high = refits.threshold_interval(budget.fmr)
    (point,) = rates_at(compared, [threshold])
    return Chosen(
        threshold_cos=threshold,
        threshold_low_cos=min(_up(low), threshold),
        threshold_high_cos=max(_up(high), threshold),
        extrapolated=True,
        alarms=_alarms_fitted(budget, tail, refits, threshold),
        counted=point,
    )


def _achievable(compared: Compared, budget: Budget) -> Achievable | None:
    threshold = finest_threshold(compared)
    if threshold is None:
        return None
    (point,) = rates_at(compared, [threshold])
    fmr = false_matches(compared, threshold)
    return Achievable(
        threshold_cos=threshold,
        fmr=fmr,
        tmr=point.tmr,
        alarms=_alarms_counted(compared, budget, threshold),
        largest_list=int(budget.fpir / fmr.rate),
    )


def _curve(
    compared: Compared, budget: Budget, tail: Tail | None, refits: Refits | None, *, until_cos: float | None
) -> list[AlarmsAt]:
    """Alarms by threshold: counted as far as the pairs go, fitted from there on, where there is a fit."""
    finest = finest_threshold(compared)
    if finest is None:
        return []
    least = min(float(compared.close.similarity_cos.min()), finest)
    points = [_alarms_counted(compared, budget, _up(cos)) for cos in np.linspace(least, finest, _LADDER // 2)]
    if tail is not None and refits is not None:
        last = max(until_cos or 0.0, tail.threshold_cos(compared.smallest_fmr / FURTHEST**0.5))
        beyond = np.linspace(finest, max(last, finest), _LADDER // 2 + 1)
        points += [_alarms_fitted(budget, tail, refits, _up(cos)) for cos in beyond]
    return points


def _alarms_counted(compared: Compared, budget: Budget, threshold_cos: float) -> AlarmsAt:
    fmr = false_matches(compared, threshold_cos)
    return AlarmsAt(
        threshold_cos=threshold_cos,
        expected=budget.false_alarms(fmr.rate),
        low=budget.false_alarms(fmr.low),
        high=budget.false_alarms(fmr.high),
        extrapolated=False,
    )


def _alarms_fitted(budget: Budget, tail: Tail, refits: Refits, threshold_cos: float) -> AlarmsAt:
    low, high = refits.fmr_interval(threshold_cos)
    return AlarmsAt(
        threshold_cos=threshold_cos,
        expected=budget.false_alarms(tail.fmr(threshold_cos)),
        low=budget.false_alarms(low),
        high=budget.false_alarms(high),
        extrapolated=True,
    )


def _where_interval(compared: Compared, fmr: float, threshold_cos: float, *, upper: bool) -> float:
    """The threshold at which one end of the rate's interval, not the rate itself, is what was asked for."""
    steps = [step_at(float(compared.close.similarity_cos.min())), step_at(threshold_cos), 2 * STEPS]
    low, high = steps[1:] if upper else steps[:2]
    while low < high:
        middle = (low + high) // 2
        rate = false_matches(compared, float(THRESHOLDS_COS[middle]))
        low, high = (low, middle) if (rate.high if upper else rate.low) <= fmr else (middle + 1, high)
    return float(THRESHOLDS_COS[low])


def _up(similarity_cos: float) -> float:
    """The next threshold of four decimals that is not below."""
    return float(THRESHOLDS_COS[step_at(similarity_cos)])
