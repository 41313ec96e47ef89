"""Crews: of accounts that work in one way, which keep the same days, the same haste and the same hours.

Several gangs may work in one way. Whoever works for one boss is at releases on the days on which the boss works, and
stays away on the others; slots go over as fast, and at such hours, as that gang has settled on. So units (accounts that
other ties have made one) are taken to be of a mixture of crews. A day is one on which a crew works, at one rate for all
crews and days, or one on which it does not; slots go over in a mix of haste and hours that crews may have in common.
How full a day was for everybody is allowed for, and days before an account was made say nothing.

One crew is parted in two where that explains more than it costs to say so (Schwarz), so that accounts which merely
happened to stay away are not parted. There is no chance in it: parts begin with who was absent on a day or was faster
than the others, and of parts that gain as much the first is taken.
Source: Schwarz, Estimating the dimension of a model (1978); Dempster, Laird and Rubin, EM (1977).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from scipy import special

from shouhao.kernel.clock import MINUTE_US, SECOND_US

_GAPS_US = (10 * SECOND_US, MINUTE_US, 5 * MINUTE_US, 20 * MINUTE_US)
_NIGHT_HOURS = 6  # the first of the day, in which hardly anybody looks
_TRIED, _SETTLED = 2, 60  # rounds: to see which parts are worth it, and to the end
_BEST = 5  # parts, of those that were tried
_MOST_CREWS = 24
_LAST_DAYS, _PAIRED_DAYS = 28, 10  # that are looked at, and any two of them: gangs change their habits


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewPolicy:
    """What a crew is held to be like."""

    off: float = 0.2  #: of days on which somebody works, a crew does not: one in a working week
    stray: float = 0.03  #: on a day off an account is at a release all the same
    first_rate: float = 0.7  #: of a crew's accounts that are there on a day of work; learnt from the data then
    most_rate: float = 0.95
    mix: float = 0.5  #: of haste and hours nothing is known beforehand (Jeffreys)
    least_gain: float = 1.0  #: by which a part must explain more than it costs, as log-odds


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """When one account worked, as far as the data say."""

    days: frozenset[int]  #: on which it was at a release
    made_on: int | None = None  #: the day, where the data have it
    gaps_us: tuple[int, ...] = ()  #: of slots that it gave back, until another of those asked about had them
    hours: tuple[int, ...] = ()  #: at which it gave those back


@dataclass(frozen=True, slots=True, eq=False)
class _Habits:
    """What is known of units, float64 (units, ...)."""

    came: np.ndarray  #: how many of the unit were at a release, by day
    stayed: np.ndarray  #: how many could have been
    gaps: np.ndarray  #: slots by haste
    parts: np.ndarray  #: slots by night and by day
    full: np.ndarray  #: by day, against the fullest


@dataclass(frozen=True, slots=True, eq=False)
class _Mixture:
    """Crews, each with a set of days and a mix that it may share, and how far each unit is of each."""

    share: np.ndarray  #: float64 (units, crews)
    days_of: tuple[int, ...]  #: number of each crew's set of days
    mix_of: tuple[int, ...]  #: number of each crew's mix
    rate: float
    worth: float = -math.inf  #: how well they explain the units, less what they cost, as log-odds


def crews(
    units: Sequence[Sequence[Worked]], *, crowd: Mapping[int, int], policy: CrewPolicy | None = None
) -> list[int]:
    """A label for each unit; units that are one crew have the same.

    Args:
        crowd: how many accounts were at releases, by day.
    """
    policy = policy or CrewPolicy()
    if not units:
        return []
    habits = _habits(units, crowd)
    one = _Mixture(np.ones((len(units), 1)), (0,), (0,), policy.first_rate)
    best = _settled(habits, one, policy, _SETTLED)
    for parts in (_by_haste, _by_days):  # crews that part by days may share a mix, so the mixes come first
        while len(best.days_of) < _MOST_CREWS:
            tried = [_settled(habits, part, policy, _TRIED) for part in parts(habits, best)]
            if not tried:
                break
            tried.sort(key=_worth, reverse=True)
            part = max((_settled(habits, one, policy, _SETTLED) for one in tried[:_BEST]), key=_worth)
            if part.worth < best.worth + policy.least_gain:
                break
            best = part
    return [int(label) for label in np.round(best.share, 6).argmax(axis=1)]


def _habits(units: Sequence[Sequence[Worked]], crowd: Mapping[int, int]) -> _Habits:
    days = sorted(crowd)[-_LAST_DAYS:]
    came, stayed = np.zeros((len(units), len(days))), np.zeros((len(units), len(days)))
    gaps, parts = np.zeros((len(units), len(_GAPS_US) + 1)), np.zeros((len(units), 2))
    for n, unit in enumerate(units):
        for one in unit:
            if one.days:  # who is never at a release stays away from none
                there = np.array([day in one.days for day in days])
                known = np.array([one.made_on is None or one.made_on < day for day in days])
                came[n] += there
                stayed[n] += known & ~there
            for gap_us in one.gaps_us:
                gaps[n, sum(gap_us >= edge for edge in _GAPS_US)] += 1
            for hour in one.hours:
                parts[n, int(hour >= _NIGHT_HOURS)] += 1
    fullest = max((crowd[day] for day in days), default=1)
    return _Habits(came, stayed, gaps, parts, np.array([crowd[day] / fullest for day in days], dtype=np.float64))


def _worth(mixture: _Mixture) -> float:
    return round(mixture.worth, 3)


def _by_haste(habits: _Habits, mixture: _Mixture) -> Iterator[_Mixture]:
    """One crew parted in two with mixes of their own: who is faster than so, who gives back at night."""
    for crew in range(len(mixture.mix_of)):
        new = (*mixture.days_of, mixture.days_of[crew]), (*mixture.mix_of, max(mixture.mix_of) + 1)
        for counts in (habits.gaps, habits.parts):
            most = counts.sum(axis=1)
            for edge in range(1, counts.shape[1]):
                goes = np.divide(counts[:, :edge].sum(axis=1), most, out=np.full(len(most), 0.5), where=most > 0)
                yield _with_part(mixture, crew, goes, *new)


def _by_days(habits: _Habits, mixture: _Mixture) -> Iterator[_Mixture]:
    """One crew parted in two with days of their own: who was absent on one day, or on two."""
    for crew in range(len(mixture.days_of)):
        new = (*mixture.days_of, max(mixture.days_of) + 1), (*mixture.mix_of, mixture.mix_of[crew])
        days = habits.came.shape[1]
        for first, second in combinations_with_replacement(range(max(0, days - _PAIRED_DAYS), days), 2):
            came = habits.came[:, first] + habits.came[:, second]
            known = came + habits.stayed[:, first] + habits.stayed[:, second] > 0
            yield _with_part(mixture, crew, np.where(known, np.where(came > 0, 0.05, 0.95), 0.5), *new)


def _with_part(
    mixture: _Mixture, crew: int, goes: np.ndarray, days_of: tuple[int, ...], mix_of: tuple[int, ...]
) -> _Mixture:
    own = mixture.share[:, crew]
    share = np.column_stack([mixture.share, own * goes])
    share[:, crew] = own * (1 - goes)
    return _Mixture(share, days_of, mix_of, mixture.rate)


def _settled(habits: _Habits, mixture: _Mixture, policy: CrewPolicy, rounds: int) -> _Mixture:
    """The mixture after so many rounds, or when it no longer gains."""
    for _ in range(rounds):
        before, mixture = mixture, _round(habits, mixture, policy)
        if mixture.worth < before.worth + 1e-4:
            break
    return mixture


def _round(habits: _Habits, mixture: _Mixture, policy: CrewPolicy) -> _Mixture:
    """What the crews are like, given who is of which; then who is of which, given what they are like."""
    count, known = mixture.share.shape[0], len(mixture.days_of)
    rates = np.minimum(policy.most_rate, mixture.rate * habits.full)
    on = habits.came * np.log(rates) + habits.stayed * np.log1p(-rates)
    off = habits.came * math.log(policy.stray) + habits.stayed * math.log1p(-policy.stray)
    by_days, cost, came, expected = [], 0.5 * (known - 1) * math.log(count), 0.0, 0.0
    for number in range(max(mixture.days_of) + 1):
        of = _of(mixture, mixture.days_of, number)
        gain = (of * (on - off)).sum(axis=0) + math.log1p(-policy.off) - math.log(policy.off)
        works = gain > 0
        by_days.append(np.where(works, on, off).sum(axis=1))
        cost -= float(np.where(works, math.log1p(-policy.off), math.log(policy.off)).sum())
        came += float((of * habits.came)[:, works].sum())
        expected += float((of * (habits.came + habits.stayed) * habits.full)[:, works].sum())
    by_mix = []
    for number in range(max(mixture.mix_of) + 1):
        of = _of(mixture, mixture.mix_of, number)
        by_mix.append(sum(_mix(of, counts, policy) for counts in (habits.gaps, habits.parts)))
    for counts in (habits.gaps, habits.parts):
        used = int((counts.sum(axis=0) > 0).sum())
        cost += 0.5 * len(by_mix) * max(0, used - 1) * math.log(max(1.0, float(counts.sum())))
    seats = np.log((mixture.share.sum(axis=0) + policy.mix) / (count + known * policy.mix))
    each = np.column_stack([seats[n] + by_days[mixture.days_of[n]] + by_mix[mixture.mix_of[n]] for n in range(known)])
    whole = special.logsumexp(each, axis=1)
    rate = min(policy.most_rate, max(2 * policy.stray, came / expected)) if expected else mixture.rate
    return _Mixture(np.exp(each - whole[:, None]), mixture.days_of, mixture.mix_of, rate, float(whole.sum()) - cost)


def _of(mixture: _Mixture, numbers: Sequence[int], number: int) -> np.ndarray:
    """How far each unit is of the crews with that number, float64 (units, 1)."""
    crews_of = [n for n, of in enumerate(numbers) if of == number]
    return np.asarray(mixture.share[:, crews_of].sum(axis=1, keepdims=True), dtype=np.float64)


def _mix(of: np.ndarray, counts: np.ndarray, policy: CrewPolicy) -> np.ndarray:
    """How likely each unit's counts are in the mix of those units."""
    mix = (of * counts).sum(axis=0) + policy.mix
    return np.asarray((counts * np.log(mix / mix.sum())).sum(axis=1), dtype=np.float64)
