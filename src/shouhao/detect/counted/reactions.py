"""Reactions: how soon after a release people ask, and how few of them can have been faster than that.

Scripts stand among the people they are compared with, so the fastest of a crowd cannot simply be called normal. What
helps is the shape: the moments at which people come have one hump. Nobody hears the bell before it rings, a few are
quick, most need a second or two, then fewer come. On the way up to the hump there are never more people at an earlier
moment than at a later one. Wherever few or none came, fewer than that came before; what stands before such a dip is not
people. The bound needs no fixed human time: where the page is slow, all of it moves.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import ibis
import numpy as np
from ibis.expr.types import Table
from scipy import special

from shouhao.detect.counting import WHO, united
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import SubjectKind, Tables
from shouhao.kernel.clock import SECOND_US

RUSH_US = 10 * SECOND_US  #: who comes later did not wait for the release
EARLY_US = 10 * SECOND_US  #: who has asked so soon before it was already tapping, and did not react to it
BIN_US = 20_000
_DOUBT = 1e-4  # that a bound is too low by chance
_WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256)
_LEAST_CROWD = 200  # at one release, for it to be a crowd of its own
_ALIKE = 1.5  # medians that differ by less are of one crowd; by more, the page was slower or the clock was off


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Those who came soon after one release, or after several that were alike."""

    people: int
    median_us: int
    step_us: int  #: how fine the clocks of the export are, at best
    upto: tuple[int, ...]  #: how many asked before step number n
    bound: tuple[float, ...]  #: at most so many people asked within step number n; infinite where nothing is known

    def chance(self, reaction_us: int) -> float:
        """That a person asks so soon, at most; people are taken to be at least half of the crowd."""
        n = reaction_us // self.step_us
        return 1.0 if n >= len(self.bound) else min(1.0, 2 * self.bound[n] * (n + 1) / max(1, self.people))

    def as_quick(self, reaction_us: int) -> float:
        """Of the crowd as it stands, whoever is in it: the share that asked as soon."""
        n = min(reaction_us // self.step_us, len(self.upto) - 2)
        return min(1.0, (1 + self.upto[n + 1]) / (1 + self.people))

    def honest_share(self, reaction_us: int) -> float:
        """Of those who asked at that moment, or up to half as soon, at most this share are people."""
        n = reaction_us // self.step_us
        if n >= len(self.bound):
            return 1.0
        since = (n + 1) // 2
        return min(1.0, self.bound[n] * (n + 1 - since) / max(1, self.upto[n + 1] - self.upto[since]))


def kinds_of_attempts(tables: Tables) -> tuple[SubjectKind, ...]:
    """For whom attempts are counted: sessions only where nothing lasts longer."""
    kinds: tuple[SubjectKind, ...] = ("account", "device")
    known = tuple(kind for kind in kinds if f"events.{WHO[kind]}" in tables.has)
    return known or (("session",) if "events.session_token" in tables.has else ())


def attempts(tables: Tables, kinds: Sequence[SubjectKind]) -> Table:
    """The first attempt of each subject within the rush after each release: kind, id, released_at_us, reaction_us.

    Instants that are whole seconds are told apart (`whole`): they may be up to a second early.
    """
    return united([_attempts(tables, kind) for kind in kinds])


def crowd_counts(every: Table, kind: SubjectKind) -> Table:
    """How many came when: released_at_us, whole, bin, n."""
    rows = every.filter(every.kind == kind)
    rows = rows.mutate(bin=rows.reaction_us // BIN_US)
    return rows.group_by("released_at_us", "whole", "bin").agg(n=rows.count())


def once_counts(every: Table, kind: SubjectKind, *, releases: int) -> Table:
    """The same of those alone who came to fewer releases than that: people, for sellers come again and again."""
    rows = every.filter(every.kind == kind)
    seldom = rows.group_by("id").agg(releases=rows.count())
    return crowd_counts(rows.semi_join(seldom.filter(seldom.releases < releases), "id"), kind)


def worth_a_look(every: Table, *, releases: int) -> Table:
    """The attempts of whoever was there at several releases, or within a second of one."""
    sums = every.group_by("kind", "id").agg(releases=every.count(), first_us=every.reaction_us.min())
    some = sums.filter((sums.releases >= releases) | (sums.first_us <= SECOND_US))
    return every.semi_join(some, ["kind", "id"])


def crowds(counts: Iterable[Mapping[str, int]]) -> tuple[dict[int, Crowd], bool]:
    """The crowd of each release, and whether the export knows whole seconds only.

    Releases at which people took about the same time are one crowd. In a mixed export, attempts at whole seconds are
    left out, here and by whoever asks.
    """
    rows = sorted(counts, key=lambda row: (row["released_at_us"], row["bin"], row["whole"]))
    exact = sum(row["n"] for row in rows if not row["whole"])
    by_second = exact * 10 < sum(row["n"] for row in rows)
    used = [row for row in rows if by_second or not row["whole"]]
    step = max(1, gcd(*(row["bin"] for row in used))) if used else 1
    at: dict[int, list[Mapping[str, int]]] = {}
    for row in used:
        at.setdefault(row["released_at_us"], []).append(row)
    alone = {release: crowd_of(_bins(of), step=step) for release, of in at.items()}
    overall_us = crowd_of(_bins(used), step=step).median_us
    apart = {
        release
        for release, crowd in alone.items()
        if crowd.people >= _LEAST_CROWD and not overall_us <= crowd.median_us * _ALIKE <= overall_us * _ALIKE**2
    }
    rest = [row for release, of in at.items() if release not in apart for row in of]
    shared = crowd_of(_bins(rest), step=step)
    return {release: alone[release] if release in apart else shared for release in at}, by_second


def crowd_of(bins: Mapping[int, int], *, step: int = 1) -> Crowd:
    """The crowd that a histogram of reactions shows.

    Args:
        bins: how many by number of the bin of 20 ms.
        step: of the bins that can be occupied at all, every so many-th one.
    """
    size = RUSH_US // BIN_US // step
    counts = np.zeros(size, dtype=np.int64)
    for number, n in bins.items():
        if number // step < size:
            counts[number // step] += n
    upto = np.concatenate(([0], np.cumsum(counts)))
    people = int(upto[-1])
    half = int(np.searchsorted(upto, (people + 1) // 2)) if people else 0  # steps up to the median, it included
    bound = np.full(size + 1, np.inf)
    for width in _WIDTHS:
        starts = np.arange(0, max(0, half - width + 1))
        inside = upto[starts + width] - upto[starts]
        at_most = special.gammaincinv(inside + 1.0, 1 - _DOUBT) / width
        bound[starts] = np.minimum(bound[starts], at_most)
    # What holds for a stretch holds for all that is earlier: the least of all stretches that begin later.
    later = np.minimum.accumulate(bound[::-1])[::-1][1:]
    return Crowd(
        people=people,
        median_us=half * step * BIN_US,
        step_us=step * BIN_US,
        upto=tuple(int(n) for n in upto),
        bound=tuple(float(n) for n in later),
    )


def _bins(rows: Iterable[Mapping[str, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row in rows:
        found[row["bin"]] = found.get(row["bin"], 0) + row["n"]
    return found


def _attempts(tables: Tables, kind: SubjectKind) -> Table:
    events = tables.events.filter(tables.events.kind.isin(("booked", "refused")) & ~in_house(tables.events))
    rows = events.select("released_at_us", "at_us", id=events[WHO[kind]], after_us=events.at_us - events.released_at_us)
    rows = rows.filter(rows.id.notnull() & (rows.after_us >= -EARLY_US) & (rows.after_us < RUSH_US))
    late = rows.after_us >= 0
    firsts = rows.group_by("id", "released_at_us").agg(
        reaction_us=rows.after_us.min(where=late), early=(~late).sum().cast("int64")
    )
    firsts = firsts.filter(firsts.reaction_us.notnull() & (firsts.early == 0))
    whole = (firsts.released_at_us + firsts.reaction_us) % SECOND_US == 0
    return firsts.select("id", "released_at_us", "reaction_us", kind=ibis.literal(kind), whole=whole.cast("int64"))
