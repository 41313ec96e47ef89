"""Dispatch: which guards are on duty, who is nearest, and that one guard has one task at a time.

The machine orders the guards by the way they have; a person chooses. Storing is in store/dispatches.py, the steps of an
alarm are in alarm.py, walking times come from the register of cameras.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shouhao.kernel.errors import Refused
from shouhao.watch.ways import Way

#: recalled: the centre took the task back, by sending another guard or by rejecting the alarm.
DispatchState = Literal["sent", "accepted", "arrived", "done", "declined", "recalled"]

WalkingTimes = Mapping[tuple[str, str], tuple[float, float]]  #: camera pair: shortest and usual seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Where a guard says to be, since when."""

    guard_id: str
    place_id: str
    since_us: int
    busy: bool  #: sent to an alarm, or at one


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """One guard's task at one alarm."""

    id: str
    alarm_id: str
    guard_id: str
    sent_by: str
    state: DispatchState
    sent_at_us: int
    ended_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A guard who could go, and how far it is."""

    guard_id: str
    place_id: str
    since_us: int
    busy: bool
    walking_s: float | None  #: usual; None: nobody wrote down how long that takes


class GuardBusy(Refused):
    """The guard has a task already."""

    code = "watch.guard_busy"
    zh = "该保安员正在处置另一起报警"
    en = "This guard is at another alarm"


class GuardOffDuty(Refused):
    """The guard has not checked in at a place."""

    code = "watch.guard_off_duty"
    zh = "该保安员未签到上岗"
    en = "This guard is not on duty"


def nearest(
    posts: Sequence[Post], *, to_place: str, cameras_at: Mapping[str, Collection[str]], walking: WalkingTimes
) -> list[Candidate]:
    """All guards on duty, the free and near first; those whose way nobody knows come after those whose way is known.

    Args:
        cameras_at: ids of the cameras at each place; ways are known between cameras.
    """
    found = [
        Candidate(
            guard_id=post.guard_id,
            place_id=post.place_id,
            since_us=post.since_us,
            busy=post.busy,
            walking_s=place_walk_s(post.place_id, to_place, cameras_at=cameras_at, walking=walking),
        )
        for post in posts
    ]
    return sorted(found, key=lambda c: (c.busy, c.walking_s is None, c.walking_s or 0.0, c.guard_id))


def place_walk_s(
    from_place: str, to_place: str, *, cameras_at: Mapping[str, Collection[str]], walking: WalkingTimes
) -> float | None:
    """Usual seconds from one place to another: the shortest between their cameras; None where no way is known."""
    if from_place == to_place:
        return 0.0
    ways = [
        walking[a, b][1]
        for a in cameras_at.get(from_place, ())
        for b in cameras_at.get(to_place, ())
        if (a, b) in walking
    ]
    return min(ways, default=None)


def route(ways: Sequence[Way], *, starts: Collection[str], ends: Collection[str]) -> list[str]:
    """The cameras that a guard passes from one place to another, by the usual times; empty where no way is known."""
    leads: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for way in ways:
        leads[way.from_id].append((way.to_id, way.usual_s))
    came: dict[str, str] = {}
    waiting: list[tuple[float, str, str]] = [(0.0, start, "") for start in sorted(starts)]
    while waiting:
        far_s, at, before = heapq.heappop(waiting)
        if at in came:
            continue
        came[at] = before
        if at in ends:
            return _back(came, at)
        for to, takes_s in leads[at]:
            if to not in came:
                heapq.heappush(waiting, (far_s + takes_s, to, at))
    return []


def _back(came: Mapping[str, str], end: str) -> list[str]:
    passed: list[str] = []
    at = end
    while at:
        passed.append(at)
        at = came[at]
    return passed[::-1]
