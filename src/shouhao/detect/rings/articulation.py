"""Articulation: which identifiers alone hold members together."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

I = TypeVar("I", bound=Hashable)  # noqa: E741 - an identifier


def articulations(members_of: Mapping[I, Sequence[str]]) -> frozenset[I]:
    """The identifiers without which some of their members would no longer hang together (Tarjan, without recursion).

    >>> sorted(articulations({"phone": ["a", "b"], "purse": ["b", "c"], "child": ["b", "c"]}))
    ['phone']
    """
    near: dict[tuple[bool, Hashable], list[tuple[bool, Hashable]]] = {}
    for identifier, members in members_of.items():
        near[(True, identifier)] = [(False, member) for member in members]
        for member in members:
            near.setdefault((False, member), []).append((True, identifier))
    found: set[Hashable] = set()
    order: dict[tuple[bool, Hashable], int] = {}
    low: dict[tuple[bool, Hashable], int] = {}
    for root in near:
        if root not in order:
            found |= _from(root, near, order, low)
    return frozenset(one for one in members_of if one in found)


def _from(
    root: tuple[bool, Hashable],
    near: Mapping[tuple[bool, Hashable], Sequence[tuple[bool, Hashable]]],
    order: dict[tuple[bool, Hashable], int],
    low: dict[tuple[bool, Hashable], int],
) -> set[Hashable]:
    found: set[Hashable] = set()
    order[root] = low[root] = len(order)
    branches = 0
    stack = [(root, root, iter(near[root]))]
    while stack:
        node, parent, rest = stack[-1]
        child = next(rest, None)
        if child is None:
            stack.pop()
            if stack:
                above = stack[-1][0]
                low[above] = min(low[above], low[node])
                if above == root:
                    branches += 1
                elif above[0] and low[node] >= order[above]:
                    found.add(above[1])
        elif child not in order:
            order[child] = low[child] = len(order)
            stack.append((child, node, iter(near[child])))
        elif child != parent:
            low[node] = min(low[node], order[child])
    if root[0] and branches > 1:
        found.add(root[1])
    return found
