"""Ring layout: where the nodes of a ring stand, the same for the same ring on every machine.

Nodes push each other away and ties pull them together, from a fixed start and for a fixed number of steps. Only sums in
a fixed order and operations that IEEE 754 rounds exactly are used: a last bit that differs would move whole drawings.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from shouhao.detect.report.model import RingEdge

_STEPS = 300
_TURN = 2.399963  # the golden angle, radians: no two nodes begin on one ray
_FIRST_MOVE, _LEAST_DISTANCE = 0.12, 1e-3
_TO_MIDDLE = 0.35
_EVEN = 6  # digits, so that sine and cosine of another library begin at the same place


def laid_out(count: int, edges: Sequence[RingEdge]) -> list[tuple[float, float]]:
    """Places in the unit square.

    Args:
        count: of nodes; they begin in this order from the middle outwards, so put the best tied first.
    Source: Fruchterman and Reingold, Graph drawing by force-directed placement (1991).
    """
    if count == 0:
        return []
    at = np.array([_first_place(n, count) for n in range(count)])
    pull = np.zeros((count, count, 1))
    for edge in edges:
        pull[edge.a, edge.b, 0] = pull[edge.b, edge.a, 0] = 1.0
    wanted = 0.8 / math.sqrt(count)
    for step in range(_STEPS):
        apart = at[None, :, :] - at[:, None, :]  # (other, node, xy), so that the sum over others goes in their order
        squared = np.maximum(apart[:, :, :1] * apart[:, :, :1] + apart[:, :, 1:] * apart[:, :, 1:], _LEAST_DISTANCE**2)
        push = wanted * wanted / squared
        force = np.add.reduce(apart * (push - pull * np.sqrt(squared) / wanted), axis=0) - _TO_MIDDLE * at
        length = np.maximum(np.sqrt(force[:, :1] * force[:, :1] + force[:, 1:] * force[:, 1:]), 1e-12)
        most = _FIRST_MOVE * (1 - step / _STEPS)
        at = at + force / length * np.minimum(length, most)
    return _in_square(at)


def _first_place(n: int, count: int) -> tuple[float, float]:
    radius = math.sqrt((n + 0.5) / count)
    return round(radius * math.cos(n * _TURN), _EVEN), round(radius * math.sin(n * _TURN), _EVEN)


def _in_square(at: npt.NDArray[np.float64]) -> list[tuple[float, float]]:
    """As large as the square allows, in proportion and centred."""
    low, high = at.min(axis=0), at.max(axis=0)
    side = max(float((high - low).max()), 1e-9)
    middle = (low + high) / 2
    return [(float(x), float(y)) for x, y in (at - middle) / side + 0.5]
