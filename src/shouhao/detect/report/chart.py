"""Chart: axes and marks as SVG in the page. Colors are classes of report.css.

A report holds some two hundred small plots; matplotlib takes 0.3 s and 10 kB for each, this a millisecond and 2 kB.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from shouhao.detect.model import Says
from shouhao.detect.report.markup import element, joined, text
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from shouhao.kernel.markup import Markup

WIDTH, HEIGHT = 400, 216  #: px of the drawing; the page scales it
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 18, 10, 26
_MILLI_US = 1_000

#: Lengths of time that are marked on a logarithmic axis, and how; and more of them for a short axis.
_TIME_MARKS = (
    (_MILLI_US, "1 ms"),
    (10 * _MILLI_US, "10 ms"),
    (100 * _MILLI_US, "0.1 s"),
    (SECOND_US, "1 s"),
    (10 * SECOND_US, "10 s"),
    (MINUTE_US, "1 min"),
    (10 * MINUTE_US, "10 min"),
    (HOUR_US, "1 h"),
    (6 * HOUR_US, "6 h"),
    (DAY_US, "1 d"),
    (7 * DAY_US, "7 d"),
)
_MORE_TIME_MARKS = (
    *((n * _MILLI_US, f"{n} ms") for n in (2, 5, 20, 50)),
    *((n * 100 * _MILLI_US, f"0.{n} s") for n in (2, 5)),
    *((n * SECOND_US, f"{n} s") for n in (2, 5, 20, 30)),
    *((n * MINUTE_US, f"{n} min") for n in (2, 5, 20, 30)),
    *((n * HOUR_US, f"{n} h") for n in (2, 12)),
)
_FEW_MARKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """From values to pixels."""

    low: float
    high: float
    start_px: float
    end_px: float
    log: bool = False

    def px(self, value: float) -> float:
        """Where a value stands; values beyond the ends stand at the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return round(self.start_px + (at - low) / (high - low) * (self.end_px - self.start_px), 1)


def across(low: float, high: float, *, log: bool = False) -> Axis:
    """The horizontal axis of a plot."""
    return Axis(low=low, high=high, start_px=_LEFT, end_px=WIDTH - _RIGHT, log=log)


def up(high: float, *, log: bool = False) -> Axis:
    """The vertical axis of a plot, from zero; a logarithmic one from one half, so that a single one shows."""
    return Axis(low=0.5 if log else 0, high=high, start_px=HEIGHT - _BOTTOM, end_px=_TOP, log=log)


def drawing(*marks: Markup, width: int = WIDTH, height: int = HEIGHT, says: Says, class_: str = "") -> Markup:
    """Marks as a picture with a name for those who cannot see it."""
    return element(
        "svg",
        *marks,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=f"{says.zh} {says.en}",
        **({"class_": class_} if class_ else {}),
    )


def grid(x: Axis, y: Axis, *, x_marks: Iterable[tuple[float, str]], y_marks: Iterable[tuple[float, str]]) -> Markup:
    """The lines and labels of both axes."""
    parts = []
    for value, label in y_marks:
        at = y.px(value)
        parts.append(_line(x.start_px, at, x.end_px, at, "grid"))
        parts.append(label_at(x.start_px - 6, at + 4, text(label), anchor="end"))
    for value, label in x_marks:
        parts.append(_line(x.px(value), y.start_px, x.px(value), y.start_px + 4, "axis"))
        parts.append(label_at(x.px(value), y.start_px + 18, text(label)))
    parts.append(_line(x.start_px, y.start_px, x.end_px, y.start_px, "axis"))
    return joined(parts)


def label_at(
    x: float, y: float, content: Markup, *, anchor: Literal["start", "middle", "end"] = "middle", class_: str = ""
) -> Markup:
    """A label; `content` may hold both languages, as tspans."""
    given = {"class_": class_} if class_ else {}
    return element("text", content, x=_px(x), y=_px(y), text_anchor=anchor, **given)


def in_both(says: Says) -> Markup:
    """A label's content in both languages."""
    return joined(element("tspan", text(said), lang=lang) for lang, said in (("zh", says.zh), ("en", says.en)))


def stairs(x: Axis, y: Axis, edges: Sequence[float], heights: Sequence[float], class_: str, *, fill: bool) -> Markup:
    """A histogram as an outline, or as an area."""
    points = [(x.px(edges[0]), y.px(0))]
    for n, height in enumerate(heights):
        points += [(x.px(edges[n]), y.px(height)), (x.px(edges[n + 1]), y.px(height))]
    points.append((x.px(edges[-1]), y.px(0)))
    return path(points, class_=f"{class_} {'area' if fill else 'outline'}")


def path(points: Sequence[tuple[float, float]], *, class_: str) -> Markup:
    """A line through points, those on a straight stretch left out."""
    kept: list[tuple[float, float]] = []
    for point in points:
        if len(kept) >= 2 and _in_line(kept[-2], kept[-1], point):  # noqa: PLR2004 - a stretch has two ends
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    steps = " ".join(f"{'L' if n else 'M'}{_px(px)} {_px(py)}" for n, (px, py) in enumerate(kept))
    return element("path", d=steps, class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """A filled rectangle."""
    return element("rect", x=_px(x), y=_px(y), width=_px(max(width, 0.5)), height=_px(height), class_=class_)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return _line(x1, y1, x2, y2, class_)


def time_marks(low_us: float, high_us: float, *, most: int = 7) -> list[tuple[float, str]]:
    """Lengths of time to mark on a logarithmic axis.

    >>> [label for _, label in time_marks(30_000, 800_000)]
    ['50 ms', '0.1 s', '0.2 s', '0.5 s']
    """
    within = [(float(us), label) for us, label in _TIME_MARKS if low_us <= us <= high_us]
    if len(within) < _FEW_MARKS:
        every = sorted((*_TIME_MARKS, *_MORE_TIME_MARKS))
        within = [(float(us), label) for us, label in every if low_us <= us <= high_us]
    step = -(-len(within) // most) or 1
    return within[::step]


def whole_marks(high: float, *, most: int = 5) -> list[float]:
    """Round numbers from zero to `high`.

    >>> whole_marks(0.33), whole_marks(1234)
    ([0.0, 0.1, 0.2, 0.3], [0.0, 500.0, 1000.0])
    """
    if high <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(high / most))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power) if high / s <= most)
    return [round(n * step, 10) for n in range(int(high / step + 1e-9) + 1)]


def tenfold_marks(high: float) -> list[float]:
    """Powers of ten up to `high`."""
    return [10.0**power for power in range(int(math.log10(max(high, 1))) + 1)]


def _in_line(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (a[0] == b[0] == c[0]) or (a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) >= 0)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=_px(x1), y1=_px(y1), x2=_px(x2), y2=_px(y2), class_=class_)


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
