"""Intervals: how far a counted error rate may be off, given that one person takes part in many comparisons.

Comparisons of one person are not independent: somebody who resembles many makes many false matches at once. So the
spread is measured by leaving out one person after the other (the jackknife), which for pairs of people takes both of
them into account, needs no chance, and errs on the wide side (Efron and Stein 1981). The interval is Wilson's, for as
many independent trials as that spread is worth (the way of Korn and Graubard 1998), so it stays within 0 and 1.

Source: ISO/IEC 19795-1:2021, clause on uncertainty, for people as the unit of sampling and for the rule of 3.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_RULE_OF_THREE = 3.0  #: -ln(1 - 0.95): what may still be expected where nothing was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A rate as it was counted, with its 95 % interval."""

    hits: int
    trials: int
    rate: float
    low: float
    high: float
    people: int  #: who took part in at least one trial
    effective_trials: float  #: independent trials that would tell as much
    method: Literal["jackknife_wilson", "rule_of_3"]

    @property
    def design_effect(self) -> float:
        """How many of these trials tell as much as one independent trial."""
        return self.trials / self.effective_trials


def share(
    hits: NDArray[np.int64],
    trials: NDArray[np.int64],
    *,
    total_hits: int,
    total_trials: int,
    design_effect: float | None = None,
) -> Share:
    """A rate with its interval, from what each person took part in.

    Args:
        hits: (people,) those in which this person took part, in either place.
        trials: (people,) likewise.
        total_hits: each counted once, however many people took part in it.
        total_trials: likewise, at least 1.
        design_effect: what to assume where there were no hits, or nothing else; without it, that all trials of a
            person tell no more than one.
    """
    taking_part = trials > 0
    people = int(taking_part.sum())
    rate = total_hits / total_trials
    if total_hits in {0, total_trials}:
        effective = total_trials / design_effect if design_effect else min(float(people), float(total_trials))
        width = min(1.0, _RULE_OF_THREE / effective)
        low, high = (0.0, width) if total_hits == 0 else (1.0 - width, 1.0)
        method: Literal["jackknife_wilson", "rule_of_3"] = "rule_of_3"
    else:
        independent = rate * (1 - rate) / total_trials
        spread = max(_left_out(hits[taking_part], trials[taking_part], total_hits, total_trials), independent)
        effective = max(rate * (1 - rate) / spread, 1.0)
        low, high = wilson(rate, effective, people=people)
        method = "jackknife_wilson"
    return Share(
        hits=total_hits,
        trials=total_trials,
        rate=rate,
        low=low,
        high=high,
        people=people,
        effective_trials=effective,
        method=method,
    )


def wilson(rate: float, trials: float, *, people: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate over so many independent trials, with Student's factor for few people.

    >>> [round(bound, 4) for bound in wilson(0.5, 100, people=10**9)]
    [0.4038, 0.5962]
    """
    z = students_factor(max(people - 1, 2))
    middle = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * (rate * (1 - rate) / trials + z * z / (4 * trials * trials)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def students_factor(freedom: int) -> float:
    """The 97.5 % point of Student's t.

    Source: Abramowitz and Stegun, 26.7.5, to the third term; within 1 % from three degrees of freedom on.

    >>> round(students_factor(10), 2), round(students_factor(100), 3)
    (2.23, 1.984)
    """
    z, v = _Z, float(freedom)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def _left_out(hits: NDArray[np.int64], trials: NDArray[np.int64], total_hits: int, total_trials: int) -> float:
    """Variance of a rate by the jackknife over people; infinite when one of them is all there is."""
    others = total_trials - trials
    count = len(trials)
    if count < 2 or not (others > 0).all():  # noqa: PLR2004 - nobody can be left out of one
        return float("inf")
    without = (total_hits - hits) / others
    return float((count - 1) / count * np.square(without - without.mean()).sum())
