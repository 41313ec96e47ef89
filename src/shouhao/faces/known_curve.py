"""Known curve: what is known of a pack at each threshold, for a list's plots. Pure.

Counted points stand as they are. Beyond them stand only thresholds that `derive` itself would answer with and mark as
extrapolated, so a plot never shows more than a threshold may rest on.
"""

from dataclasses import dataclass

from shouhao.faces.budget import Budget
from shouhao.faces.derivation import Known, KnownPoint, derive
from shouhao.faces.tail import FURTHEST

POINTS_MOST = 160  #: counted ones; more than this no screen tells apart
_STEPS_BEYOND = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One threshold, and what is to be expected at it."""

    threshold_cos: float
    fmr: float
    fnmr: float | None  #: None: not counted there
    false_alarms_a_day: float
    extrapolated: bool


def known_curve(known: Known, budget: Budget) -> tuple[CurvePoint, ...]:
    """The curve of a pack, by threshold, with the false alarms that a list of this size and traffic would see."""
    counted = _thinned([point for point in known.points if point.fmr >= known.smallest_fmr])
    curve = [
        CurvePoint(
            threshold_cos=point.threshold_cos,
            fmr=point.fmr,
            fnmr=None if point.tmr is None else 1 - point.tmr,
            false_alarms_a_day=budget.false_alarms(point.fmr),
            extrapolated=False,
        )
        for point in counted
    ]
    for step in range(1, _STEPS_BEYOND + 1):
        # One comparison a day, so that the rate that is asked for is the rate itself.
        asked = max(known.smallest_fmr * FURTHEST ** (-step / _STEPS_BEYOND), known.smallest_fmr / FURTHEST)
        found = derive(known, Budget(false_alarms_a_day=asked, passages_a_day=1, list_size=1))
        if found.reached and found.extrapolated and found.threshold_cos > curve[-1].threshold_cos:
            curve.append(
                CurvePoint(
                    threshold_cos=found.threshold_cos,
                    fmr=found.fmr,
                    fnmr=None if found.tmr is None else 1 - found.tmr,
                    false_alarms_a_day=budget.false_alarms(found.fmr),
                    extrapolated=True,
                )
            )
    return tuple(curve)


def _thinned(points: list[KnownPoint]) -> list[KnownPoint]:
    """Every so many-th point, and always the strictest."""
    every = -(-len(points) // POINTS_MOST) or 1
    return points[:-1][::every] + points[-1:]
