"""Crowd: who wants what, arrives when and behaves how. Pure: the same seed gives the same morning."""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from shouhao.booking.schedule import PlannedSession
from shouhao.kernel.randomness import SeededRandomness

After = Literal["pays", "returns", "leaves"]

#: Which sessions are wanted: how many that are hot, and how many of which size.
_MIX: tuple[tuple[bool, int, int], ...] = ((True, 8, 4), (False, 24, 4), (False, 40, 12))
_HOT_PULL = 6  # a slot of a hot session draws as many people as this many others
_NO_ADULTS = {"PED"}
_PARTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one visitor does this morning."""

    choices: tuple[str, ...]  #: sessions, the dearest first; the next one is asked for when one is sold out
    arrives_s: float  #: after the release; negative: before it
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


def plan_wishes(count: int, wanted: Sequence[PlannedSession], *, seed: int, habits: Habits | None = None) -> list[Wish]:
    """A wish for each of that many visitors."""
    chance = SeededRandomness(seed)
    pull = list(itertools.accumulate(s.capacity * (_HOT_PULL if s.hot else 1) for s in wanted))
    return [_wish(chance, wanted, pull, habits or Habits()) for _ in range(count)]


def _wish(chance: SeededRandomness, wanted: Sequence[PlannedSession], pull: Sequence[int], habits: Habits) -> Wish:
    first = _pick(chance, wanted, pull)
    choices = [first]
    if _part(chance) < habits.second_choice and len(wanted) > 1:
        choices.append(_other(chance, wanted, pull, first))
    fate = _part(chance)
    return Wish(
        choices=tuple(choices),
        arrives_s=_arrival(chance, habits),
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


def _pick(chance: SeededRandomness, wanted: Sequence[PlannedSession], pull: Sequence[int]) -> str:
    return wanted[bisect.bisect_right(pull, chance.below(pull[-1]))].id


def _other(chance: SeededRandomness, wanted: Sequence[PlannedSession], pull: Sequence[int], first: str) -> str:
    while (other := _pick(chance, wanted, pull)) == first:
        pass
    return other


def _part(chance: SeededRandomness) -> float:
    return chance.below(_PARTS) / _PARTS
