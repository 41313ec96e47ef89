"""Ways: how long people walk from one camera to the next, and so where somebody can be at all.

A hospital gives the times between neighbours, the shortest that a hurried person needs and what is usual. All other
pairs follow as shortest ways over these. A direct time that is much longer than a way round is a mistake of the one
who wrote it down, and is refused: a trail would call a short cut impossible.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shouhao.kernel.errors import InvalidInput, Refused

TOLERANCE = 0.1  #: a way round may be shorter than the direct one by this share of it ...
TOLERANCE_S = 5.0  #: ... or by so much, whichever is more: people measure with a watch
LONGEST_S = 3600.0
MOST_WAYS = 20_000
_MISTAKES_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From one camera to a neighbour, in this direction."""

    from_id: str
    to_id: str
    shortest_s: float  #: nobody is quicker, running aside
    usual_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """A direct way that is longer than a way round."""

    way: Way
    round_s: float


class ShorterWayRound(Refused):
    """Some direct ways are longer than a way round over other cameras."""

    code = "watch.shorter_way_round"
    zh = "以下直达时间比绕行还长，请核对：{listed}"
    en = "These direct times are longer than a way round: {listed}"

    def __init__(self, detours: Sequence[Detour]) -> None:
        self.detours = tuple(detours)
        listed = ", ".join(
            f"{d.way.from_id} → {d.way.to_id} {d.way.shortest_s:g} s > {d.round_s:g} s"
            for d in self.detours[:_MISTAKES_TOLD]
        )
        super().__init__(listed=listed, count=len(detours))


def check_way(way: Way) -> Way:
    """The same way, when it can be.

    Raises:
        InvalidInput: it leads nowhere, or a time is not one that somebody walks.
    """
    if way.from_id == way.to_id:
        raise InvalidInput("to", zh="不能是同一台摄像机", en="must be another camera")
    for field, value in (("shortest_s", way.shortest_s), ("usual_s", way.usual_s)):
        if not (math.isfinite(value) and 0 < value <= LONGEST_S):
            raise InvalidInput(field, zh=f"须大于 0 且不超过 {LONGEST_S:g} 秒", en=f"above 0, at most {LONGEST_S:g} s")
    if way.usual_s < way.shortest_s:
        raise InvalidInput("usual_s", zh="不能小于最短时间", en="must not be below shortest_s")
    return way


def both_ways(ways: Iterable[Way]) -> list[Way]:
    """Each way, and its reverse where that is not given: most ways are as long back as there."""
    given = {(way.from_id, way.to_id): way for way in ways}
    for way in list(given.values()):
        back = (way.to_id, way.from_id)
        if back not in given:
            given[back] = Way(from_id=back[0], to_id=back[1], shortest_s=way.shortest_s, usual_s=way.usual_s)
    return list(given.values())


def check_ways(ways: Sequence[Way]) -> None:
    """All ways together.

    Raises:
        InvalidInput: there are too many, or one breaks a rule.
        ShorterWayRound: a direct way is longer than a way round by more than the tolerance.
    """
    if len(ways) > MOST_WAYS:
        raise InvalidInput("ways", zh=f"不超过 {MOST_WAYS} 条", en=f"at most {MOST_WAYS}")
    for way in ways:
        check_way(way)
    detours = detours_of(ways)
    if detours:
        raise ShorterWayRound(detours)


def detours_of(ways: Sequence[Way]) -> list[Detour]:
    """The direct ways that are longer than a way round by more than the tolerance, the worst first."""
    shortest = walking_s(ways)
    found = []
    for way in ways:
        round_s = shortest[way.from_id, way.to_id][0]
        if way.shortest_s - round_s > max(TOLERANCE_S, TOLERANCE * way.shortest_s):
            found.append(Detour(way=way, round_s=round_s))
    return sorted(found, key=lambda d: d.round_s - d.way.shortest_s)


class Walking(Mapping[tuple[str, str], tuple[float, float]]):
    """The shortest and the usual seconds between each two cameras that some way joins; a camera and itself are not in.

    Two numbers a pair, however many cameras there are: 700 take 8 MB. Takes n² log n to make, a hundredth of a second
    for a hundred cameras.
    """

    def __init__(self, ways: Sequence[Way]) -> None:
        # Costs a tenth of a second to import, and only trails and the register ask.
        from scipy.sparse import csr_array  # noqa: PLC0415
        from scipy.sparse.csgraph import dijkstra  # noqa: PLC0415

        names = sorted({name for way in ways for name in (way.from_id, way.to_id)})
        self._at = {name: index for index, name in enumerate(names)}
        rows, columns = [self._at[way.from_id] for way in ways], [self._at[way.to_id] for way in ways]
        shape = (len(names), len(names))
        self._shortest_s, self._usual_s = (
            dijkstra(csr_array(([getattr(way, field) for way in ways], (rows, columns)), shape=shape))
            for field in ("shortest_s", "usual_s")
        )

    def __getitem__(self, pair: tuple[str, str]) -> tuple[float, float]:
        one, other = self._at[pair[0]], self._at[pair[1]]
        seconds = float(self._shortest_s[one, other]), float(self._usual_s[one, other])
        if one == other or not math.isfinite(seconds[0]):
            raise KeyError(pair)
        return seconds

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (
            (one, other)
            for one, i in self._at.items()
            for other, j in self._at.items()
            if i != j and math.isfinite(self._shortest_s[i, j])
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def walking_s(ways: Sequence[Way]) -> Mapping[tuple[str, str], tuple[float, float]]:
    """The shortest and the usual seconds between each two cameras that some way joins."""
    return Walking(ways) if ways else {}
