"""Closed circles: a few accounts among whom returned slots go round, minutes later and never the same two in a row.

Whoever gives back does not choose who takes. If all who gave and took had been brought together by chance, as often as
each of them did, hardly any slot would have gone from one of a few to another of them. The few were looked for, so that
all the ways of choosing so many are paid for. Who took one slot, or gave one, closes no circle; whoever takes for one
and the same patient again has taken one slot; and a circle whose takers take for their own, once or twice, is one of
friends.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.counted.retakes import Retake, suspicion
from shouhao.detect.model import Says, Subject, Suspicion
from shouhao.detect.odds import binomial_tail, poisson_tail, weight_of

CIRCLE = "hand_over.circle"


@dataclass(frozen=True, slots=True, kw_only=True)
class CirclePolicy:
    """When slots go round in a circle."""

    least: int = 4  #: members; fewer are a pair and its friend
    own_patients: int = 2  #: for whom each taker may take in the middle; more are customers
    least_weight: float = 3.0
    most: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Accounts, and the slots that went from one of them to another."""

    members: tuple[Subject, ...]
    inside: tuple[Retake, ...]
    expected: float  #: of these, by chance
    p: float


def closed_circles(every: Sequence[Retake], policy: CirclePolicy | None = None) -> Iterator[Suspicion]:
    """Each member of a circle, as far as its own slots stayed inside."""
    policy = policy or CirclePolicy()
    once = _once(every)
    gave, took = Counter(one.seller for one in once), Counter(one.taker for one in once)
    for circle in circles_of(once, policy):
        among = frozenset(circle.members)
        of_all = weight_of(circle.p, most=policy.most)
        if of_all < policy.least_weight:
            continue
        share = max(sum(gave[one] for one in among), sum(took[one] for one in among)) / len(once)
        name = f"slots {circle.members[0].id}"
        for member in circle.members:
            mine = [one for one in circle.inside if member in (one.seller, one.taker)]
            n = gave[member] + took[member]
            p = binomial_tail(n=n - 1, k=len(mine) - 1, p=share)  # the first of them brought it here
            weight = min(of_all, weight_of(p, most=policy.most))
            if weight > 0:
                yield _told(member, mine, n, share, weight, among, name)


def circles_of(once: Sequence[Retake], policy: CirclePolicy) -> list[Circle]:
    """Circles of which it is known how unlikely they are."""
    gave, took = Counter(one.seller for one in once), Counter(one.taker for one in once)
    several = {who for who in {*gave, *took} if who.kind == "account" and gave[who] + took[who] > 1}
    found = []
    for members in _cores([one for one in once if {one.seller, one.taker} <= several]):
        among = frozenset(members)
        inside = tuple(one for one in once if {one.seller, one.taker} <= among)
        takers = {one.taker for one in inside}
        if len(members) < policy.least or len(inside) <= policy.own_patients * len(takers):
            continue
        expected = sum(gave[one] for one in among) * sum(took[one] for one in among) / len(once)
        ways = math.lgamma(len(several) + 1) - math.lgamma(len(members) + 1)
        ways -= math.lgamma(len(several) - len(members) + 1)
        p = math.exp(min(0.0, math.log(poisson_tail(k=len(inside), mean=expected)) + ways))
        found.append(Circle(members=members, inside=inside, expected=expected, p=p))
    return found


def _once(every: Iterable[Retake]) -> list[Retake]:
    """Without those by which a taker took for the same patient again, and those between relatives."""
    found: dict[tuple[Subject, str | None], Retake] = {}
    for one in every:
        if not one.related:
            found.setdefault((one.taker, one.taker_patient or one.slot_id), one)
    return list(found.values())


def _cores(edges: Iterable[Retake]) -> list[tuple[Subject, ...]]:
    """What hangs together where everybody has two slots or more with the others."""
    left = list(edges)
    while True:
        ends = Counter(who for one in left for who in (one.seller, one.taker))
        kept = [one for one in left if min(ends[one.seller], ends[one.taker]) > 1]
        if len(kept) == len(left):
            return _parts(kept)
        left = kept


def _parts(edges: Iterable[Retake]) -> list[tuple[Subject, ...]]:
    near: dict[Subject, set[Subject]] = defaultdict(set)
    for one in edges:
        near[one.seller].add(one.taker)
        near[one.taker].add(one.seller)
    found, seen = [], set[Subject]()
    for first in sorted(near, key=_key):
        if first not in seen:
            part = _reached(first, near)
            seen |= part
            found.append(tuple(sorted(part, key=_key)))
    return found


def _reached(first: Subject, near: Mapping[Subject, set[Subject]]) -> set[Subject]:
    reached, open_ = {first}, [first]
    while open_:
        new = near[open_.pop()] - reached
        reached |= new
        open_ += new
    return reached


def _told(
    member: Subject,
    mine: Sequence[Retake],
    n: int,
    share: float,
    weight: float,
    among: frozenset[Subject],
    name: str,
) -> Suspicion:
    return suspicion(
        member,
        CIRCLE,
        Says(
            zh=f"退出后被他人取走、或取自他人退出的 {n} 个号中，{len(mine)} 个在 {len(among)} 个账号之间流转，"
            f"偶然应为 {n * share:.2f} 个",
            en=f"Of {n} slots that it gave to others or took from them, {len(mine)} went round among {len(among)} "
            f"accounts; chance would give {n * share:.2f}",
        ),
        figures=(len(mine), n * share, 1),
        weight=weight,
        of=mine,
        members=tuple(sorted(among - {member}, key=_key)),
        cohort=name,
    )


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.id
