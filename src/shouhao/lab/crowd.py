"""Crowd: who wants what, arrives when and behaves how. Pure: the same seed gives the same morning."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from shouhao.booking.schedule import PlannedSession
from shouhao.kernel.randomness import SeededRandomness

After = Literal["pays", "returns", "leaves"]

#: Which sessions are wanted: how many that are hot, and how many of which size.
_MIX: tuple[tuple[bool, int, int], ...] = ((True, 8, 4), (False, 24, 4), (False, 40, 12))
_HOT_PULL = 6  # a slot that is hot, or goes by draw, is wanted by as many people as this many others
_NO_ADULTS = {"PED"}
_PARTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one visitor does this morning."""

    choices: tuple[str, ...]  #: sessions, the dearest first: ranked in one draw, or the next when one is sold out
    arrives_s: float  #: after the release; negative: before it
    enters_s: float  #: after the release, so negative: when they enter a draw
    twice: bool  #: asks again at once for what was just given, with a new key
    repeats: bool  #: sends the same request again with the same key
    hangs_up: bool  #: drops the line before the first answer and asks again with the same key
    after: After  #: what is done with a slot
    thinks_s: float  #: before that
    waits: bool  #: joins the waitlist of the first choice when everything is sold out


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How common each behaviour is, in parts of one."""

    early: float = 0.05
    in_first_second: float = 0.65
    twice: float = 0.06
    repeats: float = 0.06
    hangs_up: float = 0.03
    second_choice: float = 0.6
    pays: float = 0.68
    returns: float = 0.10
    waits: float = 0.25
    early_s: float = 1.5  #: how long before the release the earliest come
    tail_s: float = 6.0  #: how long after it the last come
    enters_s: tuple[float, float] = (-9.0, -1.5)  #: between which moments of the window people enter a draw


def wanted_sessions(planned: Sequence[PlannedSession], *, from_day: date) -> list[PlannedSession]:
    """Twenty sessions that are not released yet: a few hot ones and many others, about six hundred slots.

    A hospital without enough of one kind gives fewer.
    """
    found: list[PlannedSession] = []
    for hot, capacity, count in _MIX:
        fitting = [
            s
            for s in planned
            if s.day >= from_day
            and s.hot == hot
            and s.capacity == capacity
            and s.kind != "antenatal"
            and s.department_id not in _NO_ADULTS
        ]
        found += sorted(fitting, key=lambda s: (s.day, s.id))[:: max(1, len(fitting) // count)][:count]
    return found


def plan_wishes(
    count: int,
    wanted: Sequence[PlannedSession],
    *,
    seed: int,
    habits: Habits | None = None,
    drawn: Mapping[str, str] | None = None,
) -> list[Wish]:
    """A wish for each of that many visitors.

    Args:
        drawn: sessions that go by draw, each with what it shares its draw with others by; a wish stays within one draw.
    """
    chance, ways = SeededRandomness(seed), drawn or {}
    pull = [s.capacity * (_HOT_PULL if s.hot or s.id in ways else 1) for s in wanted]
    everything = _Choice(wanted, pull)
    alike = {
        way: _Choice(*zip(*((s, p) for s, p in zip(wanted, pull, strict=True) if ways.get(s.id) == way), strict=True))
        for way in {ways.get(s.id) for s in wanted}
    }
    return [_wish(chance, everything, alike, ways, habits or Habits()) for _ in range(count)]


class _Choice:
    """Sessions, and how many people each of them draws."""

    def __init__(self, sessions: Sequence[PlannedSession], pull: Sequence[int]) -> None:
        self.ids = [s.id for s in sessions]
        self._pull = list(itertools.accumulate(pull))

    def pick(self, chance: SeededRandomness) -> str:
        return self.ids[bisect.bisect_right(self._pull, chance.below(self._pull[-1]))]

    def pick_other(self, chance: SeededRandomness, first: str) -> str:
        while (other := self.pick(chance)) == first:
            pass
        return other


def _wish(
    chance: SeededRandomness,
    everything: _Choice,
    alike: Mapping[str | None, _Choice],
    ways: Mapping[str, str],
    habits: Habits,
) -> Wish:
    first = everything.pick(chance)
    choices, others = [first], alike[ways.get(first)]
    if _part(chance) < habits.second_choice and len(others.ids) > 1:
        choices.append(others.pick_other(chance, first))
    fate = _part(chance)
    early_s, late_s = habits.enters_s
    return Wish(
        choices=tuple(choices),
        arrives_s=_arrival(chance, habits),
        enters_s=early_s + (late_s - early_s) * _part(chance),
        twice=_part(chance) < habits.twice,
        repeats=_part(chance) < habits.repeats,
        hangs_up=_part(chance) < habits.hangs_up,
        after="pays" if fate < habits.pays else "returns" if fate < habits.pays + habits.returns else "leaves",
        thinks_s=0.2 + 1.3 * _part(chance),
        waits=_part(chance) < habits.waits,
    )


def _arrival(chance: SeededRandomness, habits: Habits) -> float:
    kind, where = _part(chance), _part(chance)
    if kind < habits.early:
        return -habits.early_s * where
    return where if kind < habits.early + habits.in_first_second else where * habits.tail_s


def _part(chance: SeededRandomness) -> float:
    return chance.below(_PARTS) / _PARTS
