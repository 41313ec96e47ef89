"""Ring drawing: accounts, devices, payers and so on in different shapes, ties by strength, bridges dashed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.report.chart import drawing, label_at
from shouhao.detect.report.markup import element, text
from shouhao.detect.report.model import Ring, RingEdge, RingNode
from shouhao.detect.report.ring_layout import laid_out
from shouhao.detect.report.saying import both, kind, say, words
from shouhao.kernel.markup import Markup

MOST_DRAWN = 90  #: nodes; with more nobody sees anything
_SIDE, _MARGIN, _SIZE = 440, 22, 6.5
_NUMBERED_UP_TO = 60  # with more the numbers hide the lines; the list under the drawing has them all
_ACROSS = 1.35  # as wide as high

#: Corners of the shape of each kind, as turns from the top; none is a circle.
_CORNERS: Mapping[str, tuple[int, float]] = {
    "device": (4, 0.125),
    "payer": (4, 0.0),
    "phone": (3, 0.0),
    "ip": (6, 0.0),
    "prefix": (6, 0.0),
    "patient": (5, 0.0),
    "face": (3, 0.5),
    "frame": (3, 0.5),
    "session_token": (8, 0.0625),
    "staff": (5, 0.5),
}
#: Letter of a kind's numbers.
_LETTERS: Mapping[str, str] = {
    "account": "A",
    "device": "D",
    "payer": "P",
    "phone": "T",
    "ip": "N",
    "prefix": "N",
    "patient": "J",
    "face": "F",
    "frame": "F",
    "staff": "S",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """A node with the number it has in the drawing."""

    number: str
    node: RingNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A ring as it is drawn: all of it, or its best tied part."""

    nodes: tuple[Numbered, ...]  #: by kind and id
    edges: tuple[RingEdge, ...]  #: between numbers of these nodes
    svg: Markup


def drawn(ring: Ring) -> Drawn:
    """Draw a ring; the order in which its nodes and ties are given changes nothing."""
    order = _by_ties(ring)[:MOST_DRAWN]
    order.sort(key=lambda n: (ring.nodes[n].kind, ring.nodes[n].id))
    place = {n: at for at, n in enumerate(order)}
    edges = sorted(
        (
            RingEdge(a=place[edge.a], b=place[edge.b], weight=edge.weight, bridge=edge.bridge)
            for edge in ring.edges
            if edge.a in place and edge.b in place
        ),
        key=lambda edge: (edge.a, edge.b, edge.weight, edge.bridge),
    )
    nodes = _numbered([ring.nodes[n] for n in order])
    return Drawn(nodes=nodes, edges=tuple(edges), svg=_svg(nodes, edges))


def key_of(shown: Drawn) -> Markup:
    """The key of a drawing: the kinds in it with their shapes and names, and the bridges."""
    found = sorted({one.node.kind for one in shown.nodes}, key=lambda name: (_LETTERS.get(name, "X"), name))
    told = [element("span", _sample(name), both(kind(name)), class_="shape-key") for name in found]
    if any(edge.bridge for edge in shown.edges):
        dash = element("line", x1="0", y1="5", x2="30", y2="5", stroke_width="2", class_="bridge")
        dashed = element("svg", dash, viewBox="0 0 30 10", aria_hidden="true", class_="dash")
        told.append(element("span", dashed, say("rings.bridge"), class_="shape-key"))
    return element("p", *told, class_="shapes")


def _sample(kind_name: str) -> Markup:
    shape = _shape(kind_name, 9, 9, 7.0)
    return element("svg", shape, viewBox="0 0 18 18", aria_hidden="true", class_="shape")


def _svg(nodes: Sequence[Numbered], edges: Sequence[RingEdge]) -> Markup:
    tied = _ties(len(nodes), edges)
    middle_first = sorted(range(len(nodes)), key=lambda n: (-tied[n], n))
    turn = {n: at for at, n in enumerate(middle_first)}
    moved = [RingEdge(a=turn[e.a], b=turn[e.b], weight=e.weight) for e in edges]
    places = laid_out(len(nodes), moved)
    width = _SIDE * _ACROSS
    at = [
        (
            _MARGIN + places[turn[n]][0] * (width - 2 * _MARGIN),
            _MARGIN + places[turn[n]][1] * (_SIDE - 2 * _MARGIN),
        )
        for n in range(len(nodes))
    ]
    most = max((edge.weight for edge in edges), default=1.0) or 1.0
    lines = [_tie(at[edge.a], at[edge.b], edge, most) for edge in edges]
    size = _SIZE if len(nodes) > _NUMBERED_UP_TO // 2 else _SIZE * 1.25
    shapes = [_shape(one.node.kind, *at[n], size, title=one) for n, one in enumerate(nodes)]
    shown = range(len(nodes)) if len(nodes) <= _NUMBERED_UP_TO else [n for n in middle_first if tied[n] > 1][:20]
    labels = [label_at(at[n][0], at[n][1] + size + 11, text(nodes[n].number)) for n in shown]
    return drawing(
        *lines, *shapes, *labels, width=round(width), height=_SIDE + 10, says=words("rings"), class_="ring-drawing"
    )


def _tie(a: tuple[float, float], b: tuple[float, float], edge: RingEdge, most: float) -> Markup:
    ends = {"x1": a[0], "y1": a[1], "x2": b[0], "y2": b[1]}
    return element(
        "line",
        **{name: f"{value:.1f}" for name, value in ends.items()},
        stroke_width=f"{0.8 + 1.8 * max(0.0, edge.weight) / most:.1f}",
        class_="bridge" if edge.bridge else "tie",
    )


def _shape(kind_name: str, x: float, y: float, size: float, *, title: Numbered | None = None) -> Markup:
    told = [element("title", text(f"{title.number} {title.node.id}", most=120))] if title else []
    known = kind_name if kind_name in _LETTERS else "other"
    if kind_name not in _CORNERS:
        return element("circle", *told, cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{size * 0.9:.1f}", class_=f"node-{known}")
    corners, turned = _CORNERS[kind_name]
    points = []
    for n in range(corners):
        angle = 2 * math.pi * (n / corners + turned)
        points.append(f"{x + size * 1.1 * math.sin(angle):.1f},{y - size * 1.1 * math.cos(angle):.1f}")
    return element("polygon", *told, points=" ".join(points), class_=f"node-{known}")


def _numbered(nodes: Sequence[RingNode]) -> tuple[Numbered, ...]:
    counts: dict[str, int] = {}
    numbered = []
    for node in nodes:
        letter = _LETTERS.get(node.kind, "X")
        counts[letter] = counts.get(letter, 0) + 1
        numbered.append(Numbered(number=f"{letter}{counts[letter]}", node=node))
    return tuple(numbered)


def _by_ties(ring: Ring) -> list[int]:
    """Numbers of the nodes, the best tied first: by number of ties, then by their strength."""
    weights: list[list[float]] = [[] for _ in ring.nodes]
    for edge in ring.edges:
        weights[edge.a].append(edge.weight)
        weights[edge.b].append(edge.weight)
    strength = [math.fsum(of) for of in weights]

    def rank(n: int) -> tuple[int, float, str, str]:
        return -len(weights[n]), -strength[n], ring.nodes[n].kind, ring.nodes[n].id

    return sorted(range(len(ring.nodes)), key=rank)


def _ties(count: int, edges: Sequence[RingEdge]) -> list[int]:
    tied = [0] * count
    for edge in edges:
        tied[edge.a] += 1
        tied[edge.b] += 1
    return tied
