"""Communities: groups that share little pair by pair, but densely; without chance.

The constant Potts model keeps a group where its pairs share at least `density` on the average. Unlike modularity it has
no part of the graph look at the rest of it, so a group is the same whoever else is in the data. Nodes are moved in the
order of their numbers, ties go to the lowest, and rounds go on over what the last one made until nothing moves.
Source: Traag, Van Dooren and Nesterov, Narrow scope for resolution-limit-free community detection (2011).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

_ROUNDS = 50


def communities(shared: Sequence[tuple[int, int, int]], *, start: Sequence[int], density_milli: int) -> list[int]:
    """A label for each node; nodes that start together stay together.

    Args:
        shared: two nodes and what they share, in thousandths, each pair once.
        start: for each node, the label of what is one already.
        density_milli: least average over the pairs of a community.
    """
    labels = _renumbered(start)
    while (count := max(labels) + 1) > 1:
        near, sizes = _joined(shared, labels, count)
        moved = _moved(near, sizes, density_milli)
        again = _renumbered([moved[label] for label in labels])
        if max(again) + 1 == count:
            return again
        labels = again
    return labels


def _renumbered(labels: Sequence[int]) -> list[int]:
    """Labels by the order in which they first appear, so that they say nothing else."""
    number: dict[int, int] = {}
    return [number.setdefault(int(label), len(number)) for label in labels]


def _joined(
    shared: Iterable[tuple[int, int, int]], labels: Sequence[int], count: int
) -> tuple[list[dict[int, int]], list[int]]:
    """What each two labels share, and how many nodes each has."""
    near: list[dict[int, int]] = [defaultdict(int) for _ in range(count)]
    for one, other, milli in shared:
        a, b = labels[one], labels[other]
        if a != b:
            near[a][b] += milli
            near[b][a] += milli
    sizes = [0] * count
    for label in labels:
        sizes[label] += 1
    return near, sizes


def _moved(shared: Sequence[dict[int, int]], sizes: Sequence[int], density_milli: int) -> list[int]:
    community = list(range(len(sizes)))
    size = list(sizes)
    for _ in range(_ROUNDS):
        moved = False
        for node, near in enumerate(shared):
            to: dict[int, int] = defaultdict(int)
            for other, value in near.items():
                to[community[other]] += value
            here = community[node]
            size[here] -= sizes[node]
            best, gain = here, to.get(here, 0) - density_milli * sizes[node] * size[here]
            for there in sorted(to):
                would = to[there] - density_milli * sizes[node] * size[there]
                if would > gain:
                    best, gain = there, would
            size[best] += sizes[node]
            community[node] = best
            moved = moved or best != here
        if not moved:
            break
    return community
