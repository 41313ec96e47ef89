"""Snipers: at the release before anybody can be, always at the same moment, or without ever having looked.

Reactions are measured against the crowd of the same releases, not against a fixed human time (reactions.py): a quick
hand is one of the people it is compared with, and so is the script. Somebody in the crowd is always first, so once
counts little; what counts is again and again, and as quick people are quick each time, the second time surprises less
than the first. How many were looked at is paid for (Benjamini and Hochberg 1995, controlling the false discovery rate:
of those who are named, few are there by chance). Who was tapping before the release is left out: one of the taps
lands right after it by chance. Who comes again and again and is each time among the quickest is held against those who
came once or twice, among whom sellers are rare: no single time has to be impossible for a hand.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from statistics import median_low
from typing import Any, ClassVar, NamedTuple

import ibis
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr.types import Table

from shouhao.detect.counted.browsing import LOOKS_BACK_US, unlooked
from shouhao.detect.counted.reactions import (
    Crowd,
    attempts,
    crowd_counts,
    crowds,
    kinds_of_attempts,
    once_counts,
    worth_a_look,
)
from shouhao.detect.counting import WHO, kinds_in, united
from shouhao.detect.discoveries import beyond_chance
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import Usual, usual, weight_of
from shouhao.kernel.clock import MINUTE_US, SECOND_US

OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is no hand, and how much that may weigh."""

    likeness: float = 0.3  #: of one person's reactions to each other, as against those of others: the quick stay quick
    releases: int = 3  #: from which on a pattern is one
    honest: float = 0.05  #: of all who are named for one pattern, at most this share is honest by chance
    most: float = 5.0  #: 150 to 1: there are autoclickers, and lucky clocks
    least_once: float = 1.6  #: five out of six at that moment are no people
    most_once: float = 2.5  #: 12 to 1: somebody may press a button at the very moment
    most_always: float = 4.0  #: 55 to 1: some have practised
    least_seldom: int = 100  #: who came once or twice to releases that are alike, to know how quick people are
    close: float = 0.03  #: of a reaction, and at least 20 ms: the same moment again
    close_us: int = 20_000
    most_same: float = 3.0  #: 20 to 1
    least_people: int = 30  #: of whom it is known how they usually do
    usual_unlooked: float = 0.5  #: where half of all bookings come without a look, looks are not in the data
    most_unlooked: float = 3.0  #: 20 to 1: some know their doctor and come through a link
    least_weight: float = 1.0  #: nearly three to one; less is not worth a sentence


class Snipers:
    """Before anybody can be: see the file."""

    code: ClassVar[str] = "snipers"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"events.kind"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """First attempts at each release, when everybody came, and bookings without a look."""
        found: dict[str, Table] = {}
        kinds = kinds_of_attempts(tables)
        if kinds and "events.released_at_us" in tables.has:
            every = attempts(tables, kinds)
            found["crowd"] = crowd_counts(every, kinds[0])
            found["seldom"] = once_counts(every, kinds[0], releases=self.policy.releases)
            found["attempts"] = worth_a_look(every, releases=self.policy.releases)
        parts = [
            part for kind in kinds_in(tables, "events") if kind != "ip" and (part := unlooked(tables, kind)) is not None
        ]
        if parts:
            found["unlooked"] = _looks(united(parts), self.policy)
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions by pattern, then by subject."""
        if "crowd" in counted:
            of, by_second = crowds(counted["crowd"].to_pylist())
            tried = counted["attempts"]
            each = _by_subject(tried if by_second else tried.filter(pc.equal(tried["whole"], 0)))
            found = list(_faster(each, of, self.policy))
            yield from found
            people, _ = crowds(counted["seldom"].to_pylist())
            known = {one.subject for one in found}
            rest = {subject: tried for subject, tried in each.items() if subject not in known}
            yield from _always_quick(rest, of, people, self.policy)
            if not by_second:
                yield from _same_moment(each, self.policy)
        if "unlooked" in counted:
            yield from _unlooked(counted["unlooked"].to_pylist(), self.policy)


def _looks(every: Table, policy: Policy) -> Table:
    """Who books without a look, and with no id how many do so how often; both in one, as they rest on one count."""
    looks = every.group_by("kind", "bookings", "unlooked").agg(people=every.count())
    nobody = {"id": ibis.null("string"), "first_us": ibis.null("int64"), "last_us": ibis.null("int64")}
    columns = ("kind", "bookings", "unlooked", "people", *nobody)
    some = every.filter(every.unlooked >= policy.releases).mutate(people=ibis.literal(1, "int64"))
    return united([looks.mutate(**nobody).select(*columns), some.select(*columns)])


class _Attempt(NamedTuple):
    released_at_us: int
    reaction_us: int


Attempts = dict[Subject, list[_Attempt]]


def _by_subject(tried: pa.Table) -> Attempts:
    """Attempts by subject, each in the order of time."""
    rows = tried.sort_by([(column, "ascending") for column in ("kind", "id", "released_at_us")])
    columns = (rows[column].to_pylist() for column in ("kind", "id", "released_at_us", "reaction_us"))
    by_subject = groupby(zip(*columns, strict=True), key=itemgetter(0, 1))
    return {Subject(kind=kind, id=who): [_Attempt(*row[2:]) for row in of] for (kind, who), of in by_subject}


def _faster(each: Attempts, of: Mapping[int, Crowd], policy: Policy) -> Iterator[Suspicion]:
    """Who was there before anybody can be, most times; or once, at a moment at which hardly anybody was a person."""
    p = {subject: _quick(tried, of, policy) for subject, tried in each.items() if len(tried) >= policy.releases}
    limit = beyond_chance(p.values(), rate=policy.honest)
    for subject, tried in each.items():
        p_of = p.get(subject, 1.0)
        weight = weight_of(p_of, most=policy.most) if p_of <= limit else 0.0
        best = min(tried, key=lambda one: (of[one.released_at_us].honest_share(one.reaction_us), one.released_at_us))
        once = -math.log(max(1e-9, of[best.released_at_us].honest_share(best.reaction_us)))
        if weight >= max(policy.least_weight, min(once, policy.most_once)):
            yield _reaction(subject, tried, of, weight, policy)
        elif once >= policy.least_once:
            yield _reaction(subject, [best], of, min(once, policy.most_once), policy)


def _quick(tried: Sequence[_Attempt], of: Mapping[int, Crowd], policy: Policy) -> float:
    """The chance that a person is so quick at half of the releases or more."""
    return _at_most((of[one.released_at_us].chance(one.reaction_us) for one in tried), policy)


def _always_quick(
    each: Attempts, of: Mapping[int, Crowd], people: Mapping[int, Crowd], policy: Policy
) -> Iterator[Suspicion]:
    """Who is among the quickest most times, held against those who came seldom."""
    known = {release: crowd for release, crowd in people.items() if crowd.people >= policy.least_seldom}
    p: dict[Subject, float] = {}
    for subject, tried in each.items():
        judged = [one for one in tried if one.released_at_us in known]
        if len(judged) >= policy.releases:
            p[subject] = _at_most([known[one.released_at_us].as_quick(one.reaction_us) for one in judged], policy)
    limit = beyond_chance(p.values(), rate=policy.honest)
    for subject, chance in p.items():
        weight = weight_of(chance, most=policy.most_always)
        if chance <= limit and weight >= policy.least_weight:
            yield replace(_reaction(subject, each[subject], of, weight, policy), code="snipers.always_quick")


def _at_most(chances: Iterable[float], policy: Policy) -> float:
    """The chance of being so quick at half of them or more; the choice of how many is paid for."""
    ordered = sorted(chances)
    choices = range((len(ordered) + 1) // 2, len(ordered) + 1)
    return min(1.0, *(len(choices) * _again(ordered[n - 1], n, len(ordered), policy) for n in choices))


def _again(chance: float, times: int, releases: int, policy: Policy) -> float:
    """That somebody is so quick at least so many times, if the quick stay quick."""
    return _tail(min(1 - 1e-9, max(1e-12, chance)), policy.likeness, releases, times)


@lru_cache(maxsize=1 << 16)  # a crowd has a few hundred steps, and tens of thousands of people stand on them
def _tail(mean: float, spread: float, n: int, k: int) -> float:
    return Usual(mean=mean, spread=spread, people=0).tail(n=n, k=k)


def _reaction(
    subject: Subject, tried: Sequence[_Attempt], of: Mapping[int, Crowd], weight: float, policy: Policy
) -> Suspicion:
    usual_us = median_low(of[one.released_at_us].median_us for one in tried)
    mine_us = median_low(one.reaction_us for one in tried)
    at_most = median_low(of[one.released_at_us].chance(one.reaction_us) for one in tried)
    count = len(tried)
    return Suspicion(
        subject=subject,
        code="snipers.reaction" if count >= policy.releases else "snipers.reaction_once",
        says=Says(
            zh=f"{count} 次放号后的首次请求，反应时间中位数 {mine_us / SECOND_US:.3f} 秒；"
            f"同批人群为 {usual_us / SECOND_US:.2f} 秒，其中最多 {at_most:.2%} 的人能如此之快",
            en=f"First request after {count} releases, median reaction {mine_us / SECOND_US:.3f} s; "
            f"of the same crowd {usual_us / SECOND_US:.2f} s, and at most {at_most:.2%} of people are so quick",
        ),
        measured=round(mine_us / SECOND_US, 4),
        expected=round(usual_us / SECOND_US, 4),
        threshold=round(usual_us / SECOND_US, 4),
        weight=round(weight, 3),
        first_at_us=tried[0].released_at_us + tried[0].reaction_us,
        last_at_us=tried[-1].released_at_us + tried[-1].reaction_us,
        wanted=_wanted(subject, tried),
        owasp=OWASP,
    )


def _same_moment(each: Attempts, policy: Policy) -> Iterator[Suspicion]:
    """Whose reactions are more alike than people's are, each compared with their own median."""
    several = {subject: tried for subject, tried in each.items() if len(tried) >= policy.releases}
    near = {subject: _near(tried, policy) for subject, tried in several.items()}
    for kind in sorted({subject.kind for subject in several}):
        of_kind = [subject for subject in several if subject.kind == kind]
        known = usual(((len(several[s]) - 1, near[s]) for s in of_kind), least_people=policy.least_people)
        if known is None:
            continue
        p = {s: known.tail(n=len(several[s]) - 1, k=near[s]) for s in of_kind}
        limit = beyond_chance(p.values(), rate=policy.honest)
        for subject in of_kind:
            weight = weight_of(p[subject], most=policy.most_same)
            if p[subject] <= limit and weight >= policy.least_weight and len(several[subject]) > policy.releases:
                yield _same(subject, several[subject], near[subject], known, weight, policy)


def _near(tried: Sequence[_Attempt], policy: Policy) -> int:
    """How many reactions are close to the median one, itself left out."""
    middle_us = median_low(one.reaction_us for one in tried)
    within_us = max(policy.close_us, middle_us * policy.close)
    return sum(abs(one.reaction_us - middle_us) <= within_us for one in tried) - 1


def _same(
    subject: Subject, tried: Sequence[_Attempt], close: int, known: Usual, weight: float, policy: Policy
) -> Suspicion:
    middle_us = median_low(one.reaction_us for one in tried)
    return Suspicion(
        subject=subject,
        code="snipers.same_moment",
        says=Says(
            zh=f"{len(tried)} 次放号中有 {close + 1} 次都在放号后 {middle_us / SECOND_US:.3f} 秒左右请求；"
            f"常人仅 {known.mean:.0%} 的请求如此接近自己的习惯",
            en=f"At {close + 1} of {len(tried)} releases it asked {middle_us / SECOND_US:.3f} s after the release; "
            f"people are so close to their own habit in {known.mean:.0%} of cases",
        ),
        measured=round(close / (len(tried) - 1), 4),
        expected=round(known.mean, 4),
        threshold=round(max(policy.close_us / SECOND_US, middle_us * policy.close / SECOND_US), 4),
        weight=round(weight, 3),
        first_at_us=tried[0].released_at_us + tried[0].reaction_us,
        last_at_us=tried[-1].released_at_us + tried[-1].reaction_us,
        wanted=_wanted(subject, tried),
        owasp=OWASP,
    )


def _unlooked(rows: Sequence[Mapping[str, Any]], policy: Policy) -> Iterator[Suspicion]:
    """Who books without ever having looked, where people look first."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        if row["id"] is None:
            counts.setdefault(row["kind"], []).extend([(row["bookings"], row["unlooked"])] * row["people"])
    known = {kind: usual(each, least_people=policy.least_people) for kind, each in counts.items()}
    limits = {
        kind: beyond_chance((of.tail(n=n, k=k) for n, k in counts[kind]), rate=policy.honest)
        for kind, of in known.items()
        if of is not None
    }
    named = [row for row in rows if row["id"] is not None]
    for row in sorted(named, key=lambda row: (row["kind"], row["id"])):
        of = known[row["kind"]]
        if of is None or of.mean > policy.usual_unlooked:
            continue
        p = of.tail(n=row["bookings"], k=row["unlooked"])
        weight = weight_of(p, most=policy.most_unlooked)
        if p > limits[row["kind"]] or weight < policy.least_weight:
            continue
        yield Suspicion(
            subject=Subject(kind=row["kind"], id=row["id"]),
            code="snipers.no_browsing",
            says=Says(
                zh=f"{row['bookings']} 次预约中有 {row['unlooked']} 次在此前 {LOOKS_BACK_US // MINUTE_US} 分钟内"
                f"未看过任何页面；常人为 {of.mean:.0%}",
                en=f"{row['unlooked']} of {row['bookings']} bookings came without a look at anything in the "
                f"{LOOKS_BACK_US // MINUTE_US} min before; with people it is {of.mean:.0%}",
            ),
            measured=round(row["unlooked"] / row["bookings"], 4),
            expected=round(of.mean, 4),
            threshold=float(policy.releases),
            weight=round(weight, 3),
            first_at_us=row["first_us"],
            last_at_us=row["last_us"],
            wanted=(
                Wanted(
                    table="events",
                    where={WHO[row["kind"]]: row["id"], "kind": "booked"},
                    from_us=row["first_us"],
                    until_us=row["last_us"],
                ),
            ),
            owasp=OWASP,
        )


def _wanted(subject: Subject, tried: Sequence[_Attempt]) -> tuple[Wanted, ...]:
    column = WHO[subject.kind]
    return tuple(
        Wanted(
            table="events",
            where={column: subject.id, "released_at_us": one.released_at_us, "kind": ("booked", "refused")},
            from_us=one.released_at_us + one.reaction_us,
            until_us=one.released_at_us + one.reaction_us,
        )
        for one in tried
    )
