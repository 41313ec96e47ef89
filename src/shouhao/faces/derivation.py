"""Derivation: the threshold that a budget of false alarms asks for, from what is known of a pack. Pure.

Two sources: the hospital's own calibration (calibration.json: every counted rate, and the fitted tail with its test on
people it was not made from), or the few points that a pack's manifest states. The first wins where there is one. Beyond
what was counted a threshold is marked as extrapolated; beyond a thousand times that nothing is claimed at all: the
strictest threshold that is known is taken, and the budget is said not to be reached.

What it leaves to others: measuring (calibrate.py), and when to derive anew (flows/watch_thresholds.py).
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from shouhao.faces.budget import Budget
from shouhao.faces.packs import Pack
from shouhao.faces.rates import RESOLVED_BY
from shouhao.faces.tail import FURTHEST, Tail
from shouhao.kernel.errors import InvalidInput

Basis = Literal["calibration", "manifest"]
#: no_curve: there is nothing to extrapolate with; fit_failed: the tail did not hold on other people; too_far_beyond:
#: rarer than a thousandth of what was counted.
Unreached = Literal["no_curve", "fit_failed", "too_far_beyond"]

#: code: what a person is told, Chinese and English.
UNREACHED_WORDS: Mapping[Unreached, tuple[str, str]] = {
    "no_curve": (
        "实测数据不足以外推，取已知最严阈值",
        "what was measured allows no extrapolation; the strictest known threshold is taken",
    ),
    "fit_failed": (
        "尾部拟合未通过检验，取实测最严阈值",
        "the fitted tail did not hold on other people; the strictest counted threshold is taken",
    ),
    "too_far_beyond": (
        "所需误匹配率低于可数的千分之一，任何阈值都无依据；取已知最严阈值",
        "the rate needed is below a thousandth of what was counted; the strictest known threshold is taken",
    ),
}

_FITTED_ON_HALF = 0.5  #: the test that decides (budget.py)
_POINTS_MOST = 5_000
_Share = Annotated[float, Meta(ge=0, le=1)]
_Cosine = Annotated[float, Meta(ge=-1, le=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPoint:
    """A threshold and the rates that were counted at it."""

    threshold_cos: float
    fmr: float
    tmr: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a pack, from one source."""

    pack: str  #: id
    basis: Basis
    source: str  #: hash of the photographs, or where the manifest's points were measured
    points: tuple[KnownPoint, ...]  #: by threshold, ascending; false match rates only fall
    smallest_fmr: float  #: that was counted with enough pairs
    tail: Tail | None = None
    tail_holds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """The threshold for a budget, and what it means."""

    threshold_cos: float
    fmr_needed: float
    fmr: float  #: to expect at the threshold
    false_alarms_a_day: float  #: likewise
    tmr: float | None  #: counted nearest to it
    reached: bool  #: whether the budget is kept
    extrapolated: bool
    why_not: Unreached | None


def known_from_calibration(report: Mapping[str, Any]) -> Known:
    """What a calibration.json says of its pack.

    Raises:
        InvalidInput: it is no result of `shouhao faces calibrate`, or counted nothing.
    """
    try:
        read = msgspec.convert(report, type=_Report)
    except msgspec.ValidationError as error:
        raise _no_calibration(str(error)) from None
    curve, decision = read.measured.curve, read.measured.decision
    if not 0 < len(curve.threshold_cos) == len(curve.fmr) == len(curve.fnmr) <= _POINTS_MOST:
        raise _no_calibration("measured.curve")
    points = tuple(
        KnownPoint(threshold_cos=cos, fmr=fmr, tmr=1 - fnmr)
        for cos, fmr, fnmr in zip(curve.threshold_cos, curve.fmr, curve.fnmr, strict=True)
    )
    if any(a.threshold_cos >= b.threshold_cos or a.fmr < b.fmr for a, b in pairwise(points)):
        raise _no_calibration("measured.curve")
    smallest = RESOLVED_BY / max(read.measured.impostor_pairs, 1)
    deciding = [level.holds for level in decision.held_out if level.fitted_share == _FITTED_ON_HALF]
    tail = None if decision.tail is None else Tail(**msgspec.structs.asdict(decision.tail))
    if all(point.fmr < smallest for point in points):
        raise _no_calibration("measured.impostor_pairs")
    return Known(
        pack=read.pack.id,
        basis="calibration",
        source=read.data.files_sha256,
        points=points,
        smallest_fmr=smallest,
        tail=tail,
        tail_holds=bool(deciding) and all(deciding),
    )


def known_from_manifest(pack: Pack) -> Known | None:
    """What a pack's manifest says of itself; None where it states no measured rate."""
    stated = sorted(pack.thresholds, key=lambda one: one.similarity_cos)
    falling = [one for n, one in enumerate(stated) if one.fmr > 0 and all(one.fmr < prior.fmr for prior in stated[:n])]
    if not falling:
        return None
    return Known(
        pack=pack.id,
        basis="manifest",
        source="; ".join(dict.fromkeys(one.measured_on for one in falling)),
        points=tuple(KnownPoint(threshold_cos=one.similarity_cos, fmr=one.fmr, tmr=one.tmr) for one in falling),
        smallest_fmr=falling[-1].fmr,
    )


def derive(known: Known, budget: Budget) -> Derived:
    """The least threshold that keeps a budget, or the strictest that is known."""
    needed = budget.fmr
    if needed >= known.smallest_fmr:
        found, extrapolated, why = _counted(known, needed), False, None
    else:
        found, why = _beyond(known, needed)
        extrapolated = found[0] > _finest(known).threshold_cos
    threshold, fmr = found
    return Derived(
        threshold_cos=threshold,
        fmr_needed=needed,
        fmr=fmr,
        false_alarms_a_day=budget.false_alarms(fmr),
        tmr=_tmr_near(known, threshold),
        reached=why is None,
        extrapolated=extrapolated,
        why_not=why,
    )


def packed(known: Known) -> dict[str, Any]:
    """As it is kept, for JSON."""
    built: dict[str, Any] = msgspec.to_builtins(known)
    return built


def unpacked(written: Mapping[str, Any]) -> Known:
    """As it was kept."""
    return msgspec.convert(written, type=Known)


def _counted(known: Known, needed: float) -> tuple[float, float]:
    """Where the rate is counted: the first counted threshold that keeps it, or between two stated ones.

    The line between two points of a manifest is straight in the logarithm of the rate. Below the first point nothing is
    claimed, so the first point is the least that is ever answered.
    """
    n = bisect.bisect_left([-point.fmr for point in known.points], -needed)
    after = known.points[min(n, len(known.points) - 1)]
    if known.basis == "calibration" or n == 0 or after.fmr == needed:
        return after.threshold_cos, after.fmr
    before = known.points[n - 1]
    part = math.log(before.fmr / needed) / math.log(before.fmr / after.fmr)
    return _up(before.threshold_cos + part * (after.threshold_cos - before.threshold_cos)), needed


def _beyond(known: Known, needed: float) -> tuple[tuple[float, float], Unreached | None]:
    """Beyond what was counted: by the fitted tail, or along the steepest line that the manifest shows."""
    finest = _finest(known)
    furthest = known.smallest_fmr / FURTHEST
    asked = max(needed, furthest)
    why: Unreached | None = "too_far_beyond" if needed < furthest else None
    if known.basis == "calibration":
        if known.tail is None:
            return (finest.threshold_cos, finest.fmr), "no_curve"
        if not known.tail_holds:
            return (finest.threshold_cos, finest.fmr), "fit_failed"
        threshold = max(_up(known.tail.threshold_cos(asked)), finest.threshold_cos)
        # Near the end of a bounded tail the next step may lie where the curve foretells nothing at all.
        return (threshold, max(known.tail.fmr(threshold), asked / 2)), why
    steepest = _steepest_cos(known.points)
    if steepest is None:
        return (finest.threshold_cos, finest.fmr), "no_curve"
    threshold = finest.threshold_cos + steepest * math.log10(finest.fmr / asked)
    if threshold >= 1:
        return (1.0, finest.fmr), "too_far_beyond"
    return (_up(threshold), asked), why


def _steepest_cos(points: Sequence[KnownPoint]) -> float | None:
    """The most likeness that any tenfold rarer rate cost: never less is taken for granted further out."""
    costs = [(b.threshold_cos - a.threshold_cos) / math.log10(a.fmr / b.fmr) for a, b in pairwise(points)]
    return max(costs) if costs else None


def _finest(known: Known) -> KnownPoint:
    """The strictest threshold at which enough pairs were counted."""
    return [point for point in known.points if point.fmr >= known.smallest_fmr][-1]


def _tmr_near(known: Known, threshold_cos: float) -> float | None:
    """The true match rate counted at the nearest stricter threshold; None beyond the last."""
    n = bisect.bisect_left([point.threshold_cos for point in known.points], threshold_cos)
    return known.points[n].tmr if n < len(known.points) else None


def _up(similarity_cos: float) -> float:
    """Four decimals, never below."""
    return min(1.0, math.ceil(similarity_cos * 10_000 - 1e-9) / 10_000)


def _no_calibration(what: str) -> InvalidInput:
    return InvalidInput(
        "calibration",
        zh=f"不是 shouhao faces calibrate 的可用结果（{what}）",
        en=f"is no usable result of shouhao faces calibrate ({what})",
    )


class _Curve(Struct):
    threshold_cos: tuple[_Cosine, ...]
    fmr: tuple[_Share, ...]
    fnmr: tuple[_Share, ...]


class _Tail(Struct):
    start_cos: _Cosine
    start_fmr: Annotated[float, Meta(gt=0, le=1)]
    shape: Annotated[float, Meta(ge=-10, le=10)]
    scale_cos: Annotated[float, Meta(gt=0, le=10)]
    exceedances: Annotated[int, Meta(ge=1)]
    effective_exceedances: Annotated[float, Meta(gt=0)]


class _HeldOut(Struct):
    fitted_share: _Share
    holds: bool


class _Decision(Struct):
    tail: _Tail | None
    held_out: tuple[_HeldOut, ...]


class _Measured(Struct):
    impostor_pairs: Annotated[int, Meta(ge=1)]
    curve: _Curve
    decision: _Decision


class _PackNamed(Struct):
    id: Annotated[str, Meta(min_length=1, max_length=100)]


class _Data(Struct):
    files_sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Report(Struct):
    format: Literal["shouhao.calibration/1"]
    made_at: Annotated[str, Meta(max_length=40)]
    pack: _PackNamed
    data: _Data
    measured: _Measured
