"""Plots: curves as SVG inside the page. Words stand in the page around them, so any browser's fonts will do."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

INK, SOFT, GRID = "#22313a", "#6b7a83", "#dfe5e8"
GRANTED, REFUSED, HOT = "#0f766e", "#c3ced3", "#b45309"
BOUGHT = "#e0a458"
LETTERS = "ABCDEFGH"  #: how a regime is called in a plot; its name stands in the page

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


def chance_by_arrival(by_arrival: Mapping[str, Sequence[float | None]]) -> str:
    """What part of those who came got a slot, by tenths in the order of arrival; draws, and first come."""
    figure, axes = _figure()
    most = 0.0
    for name, color in (("first_come", HOT), ("draw", GRANTED)):
        shares = [None if share is None else 100 * share for share in by_arrival[name]]
        most = max([most, *(share for share in shares if share is not None)])
        axes.plot(range(1, len(shares) + 1), shares, color=color, linewidth=1.8, marker="o", markersize=3.5)
    axes.set_xticks(range(1, 11))
    axes.set_ylim(0, max(most * 1.1, 1))
    axes.yaxis.set_major_formatter("{x:.0f}%")
    return _svg(figure)


def found_by_kind(gangs: Sequence[Mapping[str, Any]]) -> str:
    """Accounts of each gang by the level at which they were found; the numbers below are the table's."""
    figure, axes = _figure()
    places = range(1, len(gangs) + 1)
    strong = [one["at_least"]["strong"] for one in gangs]
    leads = [one["at_least"]["lead"] - one["at_least"]["strong"] for one in gangs]
    missed = [one["of_kind"] - one["at_least"]["lead"] for one in gangs]
    below = [0] * len(gangs)
    for heights, color in ((strong, GRANTED), (leads, BOUGHT), (missed, REFUSED)):
        axes.bar(places, heights, bottom=below, width=0.66, color=color)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_xticks(list(places))
    axes.yaxis.get_major_locator().set_params(integer=True)
    return _svg(figure)


def passers_by(walked: Sequence[Mapping[str, Any]], alarms: Sequence[Mapping[str, Any]]) -> str:
    """Who walked past which camera when; each alarm from the moment it was raised to its end, one step a mark."""
    figure, axes = _figure()
    cameras = sorted({one["camera"] for one in (*walked, *alarms)}) or [0]
    for listed, color, size in ((False, REFUSED, 30), (True, HOT, 44)):
        some = [one for one in walked if one["listed"] is listed]
        axes.scatter([one["at_s"] for one in some], [one["camera"] for one in some], color=color, s=size, zorder=3)
    for alarm in alarms:
        at_s, line = [step["at_s"] for step in alarm["steps"]], alarm["camera"] + 0.32
        axes.plot(at_s, [line] * len(at_s), color=GRANTED, linewidth=1.6)
        axes.scatter(at_s, [line] * len(at_s), color=GRANTED, s=14, zorder=3)
        axes.plot([at_s[0], at_s[0]], [alarm["camera"], line], color=GRANTED, linewidth=1.6)
    axes.set_yticks(cameras, [str(camera + 1) for camera in cameras])
    axes.set_ylim(-0.5, cameras[-1] + 0.7)
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.grid(axis="y", visible=False)
    return _svg(figure)


def shares_at_first(policies: Sequence[dict[str, Any]], *, fair_share: float) -> str:
    """Share of the slots that patients and the gang got at first under each regime; dashed: the gang's fair share."""
    figure, axes = _figure()
    for group, color, shift in (("honest_share_first", GRANTED, -0.2), ("gang_share_first", HOT, 0.2)):
        axes.bar(
            [n + shift for n in range(len(policies))],
            [100 * (p[group]["mean"] or 0) for p in policies],
            yerr=[100 * (p[group]["sd"] or 0) for p in policies],
            width=0.36,
            color=color,
            error_kw={"ecolor": SOFT, "elinewidth": 1, "capsize": 2},
        )
    axes.axhline(100 * fair_share, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    return _svg(_by_letter(figure, axes, len(policies)))


def held_in_the_end(policies: Sequence[dict[str, Any]]) -> str:
    """Who holds the slots in the end under each regime: patients by themselves, buyers, the gang, nobody."""
    figure, axes = _figure()
    below = [0.0] * len(policies)
    parts = (("held_by_patients", GRANTED), ("held_by_buyers", BOUGHT), ("held_by_gang", HOT))
    for name, color in parts:
        shares = [100 * (p[name]["mean"] or 0) for p in policies]
        axes.bar(range(len(policies)), shares, bottom=below, width=0.5, color=color)
        below = [low + share for low, share in zip(below, shares, strict=True)]
    rest = [max(0.0, 100 - low) for low in below]
    axes.bar(range(len(policies)), rest, bottom=below, width=0.5, color=REFUSED)
    return _svg(_by_letter(figure, axes, len(policies)))


def resales_that_reached(policies: Sequence[dict[str, Any]]) -> str:
    """Share of the sales after which the buyer really had the slot, with its number above each bar."""
    figure, axes = _figure()
    shares = [100 * (p["sales_reached"]["mean"] or 0) for p in policies]
    bars = axes.bar(range(len(policies)), shares, width=0.5, color=HOT)
    axes.bar_label(bars, fmt="{:.0f}%", padding=3, color=INK, fontsize=_SIZE_PT, fontfamily="DejaVu Sans")
    return _svg(_by_letter(figure, axes, len(policies)))


def chance_by_speed(policies: Sequence[dict[str, Any]]) -> str:
    """A patient's chance to get a slot by themselves, by tenths of patients, the fastest first; a line a regime."""
    figure, axes = _figure()
    most = 0.0
    for n, policy in enumerate(policies):
        chances = [100 * (tenth["mean"] or 0) for tenth in policy["by_speed"]]
        most = max(most, *chances)
        axes.plot(
            range(1, len(chances) + 1),
            chances,
            color=_LINES[n % len(_LINES)][0],
            linestyle=_LINES[n % len(_LINES)][1],
            linewidth=1.8,
            marker="o",
            markersize=3,
        )
    axes.set_xticks(range(1, len(policies[0]["by_speed"]) + 1))
    axes.set_ylim(0, most * 1.1 + 1)
    axes.yaxis.set_major_formatter("{x:.0f}%")
    return _svg(figure)


#: Color and dashes of each regime's line; the page's keys are the same.
_LINES: tuple[tuple[str, Any], ...] = (
    (HOT, "solid"),
    (BOUGHT, "solid"),
    (SOFT, (0, (3, 2))),
    (GRANTED, "solid"),
)


def _by_letter(figure: Any, axes: Any, count: int) -> Any:
    axes.set_xticks(range(count), list(LETTERS[:count]))
    axes.set_xlim(-0.6, count - 0.4)
    axes.set_ylim(0, 104)
    axes.yaxis.set_major_formatter("{x:.0f}%")
    return figure


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
