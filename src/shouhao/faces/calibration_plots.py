"""Plots of a calibration, as SVG inside its page. Words stand in the page around them, so any font will do."""

import io
import re
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Literal

INK, SOFT, GRID = "#22313a", "#6b7a83", "#dfe5e8"
GENUINE, IMPOSTOR, FITTED = "#0f766e", "#b45309", "#b42318"

_WIDTH_IN, _HEIGHT_IN, _SIZE_PT = 5.2, 3.0, 10
_PROBITS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_FIXED_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*"')
_NORMAL = NormalDist()
_FEWEST = 5  #: points of a curve


def trade_off(
    curve: Mapping[str, Sequence[float]], *, false: str, missed: str, resolved_from: float, points: Sequence[Any]
) -> str:
    """Missed against false, both on normal-deviate axes; dashed where the data cannot tell. Empty: too few to draw.

    Args:
        curve: with the sequences that `false` and `missed` name.
        resolved_from: the smallest false rate that the data tell.
        points: (false share, missed share) with their intervals, as marks.
    """
    told = [(x, y) for x, y in zip(curve[false], curve[missed], strict=True) if 0 < x < 1 and 0 < y < 1]
    if len(told) < _FEWEST:
        return ""
    figure, axes = _figure(grid="both")
    for solid in (True, False):
        part = [(_deviate(x), _deviate(y)) for x, y in told if (x >= resolved_from) is solid]
        axes.plot(*zip(*part, strict=True) if part else ((), ()), color=GENUINE, linewidth=1.8, linestyle=_line(solid))
    for x, y in points:
        axes.plot(
            [_deviate(x["rate"])] * 2, [_deviate(y["low"]), _deviate(y["high"])], color=INK, linewidth=1, alpha=0.7
        )
        axes.plot(
            [_deviate(x["low"]), _deviate(x["high"])], [_deviate(y["rate"])] * 2, color=INK, linewidth=1, alpha=0.7
        )
        axes.plot([_deviate(x["rate"])], [_deviate(y["rate"])], color=INK, marker="o", markersize=4)
    across, up = ([pair[n] for pair in told] for n in (0, 1))
    _probability_axis(axes.xaxis, across)
    _probability_axis(axes.yaxis, up)
    return _svg(figure)


def similarities(histogram: Mapping[str, Sequence[float]], *, threshold_cos: float | None) -> str:
    """How alike pairs of one person and of two people are; the chosen threshold dashed."""
    figure, axes = _figure()
    edges = histogram["edges_cos"]
    for name, color in (("impostor", IMPOSTOR), ("genuine", GENUINE)):
        axes.stairs([100 * share for share in histogram[name]], edges, color=color, fill=True, alpha=0.55)
    if threshold_cos is not None:
        axes.axvline(threshold_cos, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    seen = [n for n in range(len(edges) - 1) if histogram["impostor"][n] + histogram["genuine"][n] > 0]
    axes.set_xlim(edges[seen[0]] - 0.02, edges[seen[-1] + 1] + 0.02)
    axes.yaxis.set_major_formatter("{x:g}%")
    return _svg(figure)


def alarms_a_day(curve: Sequence[Mapping[str, Any]], *, allowed: float, threshold_cos: float | None) -> str:
    """False alarms a day by threshold with their interval: counted in one colour, fitted in another."""
    figure, axes = _figure(grid="both")
    most = max((point["high"] for point in curve), default=allowed)
    least = min(allowed, *(point["expected"] for point in curve if point["expected"] > 0)) / 10
    for extrapolated, color in ((False, GENUINE), (True, FITTED)):
        part = [point for point in curve if point["extrapolated"] is extrapolated]
        at = [point["threshold_cos"] for point in part]
        low, high = ([max(point[end], least) for point in part] for end in ("low", "high"))
        axes.fill_between(at, low, high, color=color, alpha=0.18, linewidth=0)
        axes.plot(
            at,
            [max(point["expected"], least) for point in part],
            color=color,
            linewidth=1.8,
            linestyle=_line(not extrapolated),
        )
    axes.axhline(allowed, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    if threshold_cos is not None:
        axes.axvline(threshold_cos, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_ylim(least, max(most, allowed) * 2)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}" if y >= 1 else f"{y:g}".replace("e-0", "e-"))
    return _svg(figure)


def _deviate(probability: float) -> float:
    return _NORMAL.inv_cdf(min(max(probability, 1e-9), 1 - 1e-9))


def _probability_axis(axis: Any, told: Sequence[float]) -> None:
    low, high = min(told, default=1e-4), max(told, default=0.5)
    shown = [p for p in _PROBITS if low / 3 <= p <= min(0.995, high * 1.5)] or [low, high]
    axis.set_ticks([_deviate(p) for p in shown], [_percent(p) for p in shown])
    axis.axes.set(**{f"{axis.axis_name}lim": (_deviate(low) - 0.15, _deviate(high) + 0.15)})


def _percent(share: float) -> str:
    return f"{100 * share:g}%" if share >= 1e-3 else f"{share:.0e}".replace("e-0", "e-")  # noqa: PLR2004 - 0.1 %


def _line(solid: bool) -> Any:
    return "solid" if solid else (0, (4, 2))


def _figure(*, grid: Literal["both", "y"] = "y") -> tuple[Any, Any]:
    # Imported here: it costs half a second that no other command should pay, and it looks for its fonts.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=SOFT, length=0, labelsize=_SIZE_PT, labelfontfamily="DejaVu Sans")
    axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any) -> str:
    """The figure as an element of the page: no prologue, no metadata, as wide as it is given room."""
    from matplotlib import rc_context  # noqa: PLC0415 - as above

    written = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "shouhao"}):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    svg = _METADATA.sub("", _PROLOGUE.sub("", written.getvalue(), count=1))
    svg = _FIXED_SIZE.sub(lambda found: found[1] or "", svg, count=2)
    return svg.replace("DejaVu Sans", "inherit").replace("<svg", '<svg role="img" aria-hidden="true"', 1)
