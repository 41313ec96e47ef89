"""Plots of the report: what is in them and how it is scaled; how it is drawn stands in chart.py."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shouhao.detect.model import Says
from shouhao.detect.report import figures
from shouhao.detect.report.chart import (
    Axis,
    across,
    box,
    drawing,
    grid,
    in_both,
    label_at,
    path,
    rule,
    stairs,
    tenfold_marks,
    time_marks,
    up,
    whole_marks,
)
from shouhao.detect.report.markup import text
from shouhao.detect.report.model import Activity, Compared, SellOutCurve
from shouhao.detect.report.saying import words
from shouhao.detect.report.terms import terms_of
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.markup import Markup

LINES = 6  #: curves that can be told apart by color and dashes
_HOURS = 24
_ROW_PX, _LABEL_PX, _VALUE_PX, _BARS_PX = 24, 104, 52, 200
_WATERFALL_PX = _LABEL_PX + _VALUE_PX + _BARS_PX
_MOST_BARS = 14


def sell_out(curves: Sequence[SellOutCurve]) -> Markup:
    """Share of each session's slots that are gone, over the seconds since the release."""
    fastest_s = min(max(curve.taken_s[0], 0.05) for curve in curves)
    slowest_s = max(curve.taken_s[-1] for curve in curves)
    x = across(fastest_s * 0.5 * SECOND_US, max(slowest_s, fastest_s * 4) * 1.2 * SECOND_US, log=True)
    y = up(1.03)
    lines = []
    for n, curve in enumerate(curves):
        points = [(x.px(x.low), y.px(0))]
        for taken, at_s in enumerate(curve.taken_s):
            points += [(x.px(at_s * SECOND_US), points[-1][1])] * (
                taken == 0 or points[-1][0] != x.px(at_s * SECOND_US)
            )
            points.append((x.px(at_s * SECOND_US), y.px((taken + 1) / len(curve.taken_s))))
        points.append((x.px(x.high), y.px(1)))
        lines.append(path(points, class_=f"outline line-{n % LINES}"))
    marks = grid(x, y, x_marks=time_marks(x.low, x.high), y_marks=[(s / 4, f"{25 * s}%") for s in range(5)])
    return drawing(marks, *lines, says=words("hot.curves"))


def compared(histogram: Compared, says: Says, *, hours: bool = False) -> Markup:
    """A subject's histogram as an outline over the area of the others', both as shares."""
    own, others = _shares(histogram.subject), _shares(histogram.others)
    first, last = _seen(own, others)
    if hours:
        edges: list[float] = [float(edge) for edge in histogram.edges]
        x = across(0, _HOURS)
        x_marks = [(float(hour), f"{hour}:00") for hour in range(0, _HOURS + 1, 6)]
    else:
        edges = _log_edges(histogram.edges)[first : last + 2]
        own, others = own[first : last + 1], others[first : last + 1]
        x = across(edges[0], edges[-1], log=True)
        x_marks = time_marks(edges[0], edges[-1])
    y = up(max(*own, *others) * 1.08)
    marks = grid(x, y, x_marks=x_marks, y_marks=[(share, f"{100 * share:g}%") for share in whole_marks(y.high)])
    areas = (stairs(x, y, edges, others, "others", fill=True), stairs(x, y, edges, own, "own", fill=False))
    return drawing(marks, *areas, says=says)


def by_minute(activity: Activity, says: Says) -> Markup:
    """Requests over the minutes of the day."""
    x, y = across(0, len(activity.by_minute)), up(max(10, *activity.by_minute) * 1.3, log=True)
    marks = grid(
        x,
        y,
        x_marks=[(float(60 * hour), f"{hour}:00") for hour in range(0, _HOURS + 1, 4)],
        y_marks=[(n, figures.figure(n)) for n in tenfold_marks(y.high)],
    )
    minutes = [float(n) for n in range(len(activity.by_minute) + 1)]
    return drawing(marks, stairs(x, y, minutes, activity.by_minute, "others", fill=True), says=says)


def waterfall(finding: Mapping[str, Any]) -> Markup:
    """From the start to the score, bar by bar: where each begins the one before has ended."""
    steps = _steps(finding)
    score = float(finding["score"])
    reached = [0.0]
    for _, weight in steps:
        reached.append(reached[-1] + weight)
    low, high = min(*reached, score, 0.0), max(*reached, score, 0.0)
    x = Axis(low=low, high=high if high > low else low + 1, start_px=_LABEL_PX + _VALUE_PX, end_px=_WATERFALL_PX - 4)
    parts = [rule(x.px(0), 2, x.px(0), _ROW_PX * (len(steps) + 1) + 4, "axis")]
    for n, (name, weight) in enumerate(steps):
        start, end = reached[n], reached[n + 1]
        color = "up" if weight >= 0 else "down"
        parts += _bar(n, name, figures.weight(weight), x.px(min(start, end)), x.px(max(start, end)), color)
        parts.append(rule(x.px(end), _ROW_PX * n + 6, x.px(end), _ROW_PX * (n + 1) + 20, "grid"))
    total = (words("waterfall.sum"), figures.weight(score), x.px(min(0.0, score)), x.px(max(0.0, score)), "sum")
    parts += _bar(len(steps), *total)
    height = _ROW_PX * (len(steps) + 1) + 8
    return drawing(*parts, width=_WATERFALL_PX, height=height, says=words("waterfall"), class_="waterfall")


def _steps(finding: Mapping[str, Any]) -> list[tuple[Says, float]]:
    """Names and weights of the bars; what is too much to draw is one bar, and whatever is left over another."""
    terms = terms_of(finding)
    steps: list[tuple[Says, float]] = []
    if terms.base is not None:
        steps.append((words("waterfall.start"), float(terms.base["weight"])))
    for key, told in (
        ("waterfall.reason", terms.reasons),
        ("waterfall.allowance", terms.allowances),
        ("waterfall.speaks", tuple(one for _, one in terms.speaks_for)),
    ):
        weights = [float(one["weight"]) for one in told]
        steps += [(words(key, number=n + 1), weight) for n, weight in enumerate(weights[:_MOST_BARS])]
        if weights[_MOST_BARS:]:
            others = weights[_MOST_BARS:]
            steps.append((words("waterfall.other", count=len(others)), math.fsum(others)))
    return [*steps, (words("waterfall.rest"), terms.rest)] if terms.rest else steps


def _bar(row: int, name: Says, value: str, start: float, end: float, color: str) -> list[Markup]:
    top = _ROW_PX * row + 4
    return [
        label_at(0, top + 14, in_both(name), anchor="start", class_=color),
        label_at(_LABEL_PX + _VALUE_PX - 8, top + 14, text(value), anchor="end", class_=color),
        box(start, top + 2, end - start, _ROW_PX - 8, color),
    ]


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _seen(own: Sequence[float], others: Sequence[float]) -> tuple[int, int]:
    """The first and the last bin in which anything is to be seen."""
    seen = [n for n in range(len(own)) if own[n] > 0 or others[n] >= 0.0005]  # noqa: PLR2004 - less than a pixel
    return (seen[0], seen[-1]) if seen else (0, len(own) - 1)


def _log_edges(edges: Sequence[int]) -> list[float]:
    """Edges for a logarithmic axis, on which the first bin, from zero, is as wide as the second."""
    return [edges[1] ** 2 / edges[2] if edges[0] == 0 else float(edges[0]), *(float(edge) for edge in edges[1:])]
