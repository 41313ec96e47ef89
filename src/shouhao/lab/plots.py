"""Plots: curves as SVG inside the page. Words stand in the page around them, so any browser's fonts will do."""

import io
import re
from collections.abc import Sequence
from typing import Any

INK, SOFT, GRID = "#22313a", "#6b7a83", "#dfe5e8"
GRANTED, REFUSED, HOT = "#0f766e", "#c3ced3", "#b45309"

_WIDTH_IN, _HEIGHT_IN = 5.2, 2.7
_SIZE_PT = 10
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_FIXED_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*"')


def sell_out_curves(sold: Sequence[dict[str, Any]], *, until_s: float) -> str:
    """Share of each session's slots that were given, over the seconds after the release."""
    figure, axes = _figure()
    for session in sorted(sold, key=lambda s: bool(s["hot"])):
        given = [t for t in session["given_s"][: session["capacity"]] if t <= until_s]
        shares = [100 * (n + 1) / session["capacity"] for n in range(len(given))]
        axes.step(
            [0, *given, until_s],
            [0, *shares, shares[-1] if shares else 0],
            where="post",
            color=HOT if session["hot"] else GRANTED,
            alpha=0.9 if session["hot"] else 0.45,
            linewidth=1.6,
        )
    axes.set_xlim(0, until_s)
    axes.set_ylim(0, 104)
    axes.yaxis.set_major_formatter("{x:.0f}%")
    axes.xaxis.set_major_formatter("{x:g} s")
    return _svg(figure)


def answers_over_time(throughput: dict[str, Any]) -> str:
    """Answers a second around the release, granted below refused."""
    figure, axes = _figure()
    per_second = 1000 / throughput["bin_ms"]
    starts, width = throughput["starts_s"], throughput["bin_ms"] / 1000
    granted = [n * per_second for n in throughput["granted"]]
    refused = [n * per_second for n in throughput["refused"]]
    axes.bar(starts, granted, width=width, align="edge", color=GRANTED)
    axes.bar(starts, refused, width=width, align="edge", bottom=granted, color=REFUSED)
    axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_xlim(starts[0], starts[-1] + width)
    axes.yaxis.set_major_formatter("{x:,.0f}/s")
    axes.xaxis.set_major_formatter("{x:g} s")
    return _svg(figure)


def _figure() -> tuple[Any, Any]:
    # Imported here: it costs half a second that no other command should pay, and it looks for its fonts.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=SOFT, length=0, labelsize=_SIZE_PT, labelfontfamily="DejaVu Sans")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
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
