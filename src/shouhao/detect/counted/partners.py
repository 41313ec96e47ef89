"""Partners: what hand-overs say of those who hand over to each other, in pairs and in circles; for rules/hand_over.py.

A pair is found by its preparations (preparations.py). A circle is found by who takes: as many hand-overs as are needed
to join its members say nothing, for by them it was found; each further one went to a member again, and whether
strangers' slots go to these takers as often is in the data.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shouhao.detect.counted.preparations import Prepared, by_pair
from shouhao.detect.counted.retakes import Retake, suspicion
from shouhao.detect.model import Says, Subject, Suspicion
from shouhao.detect.odds import binomial_tail, together, weight_of
from shouhao.kernel.clock import MINUTE_US

PREPARED = "hand_over.prepared"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerPolicy:
    """From when on two, or a circle, are no strangers."""

    least_weight: float = 2.0  #: seven to one; less happens, and rings pool it
    most: float = 6.0
    takes: int = 2  #: people for whom a taker prepared: who buys for oneself does so once
    once_most: float = 3.0  #: for whoever did so once: the buyer, or who works for the seller; a lead
    inside_times: int = 2  #: beyond what joins the circle
    least_inside_weight: float = 3.0


def prepared_hand_overs(each: Sequence[Prepared], policy: PartnerPolicy | None = None) -> Iterator[Suspicion]:
    """Who gives slots back to those who are ready for them, then who is ready for them again and again."""
    policy = policy or PartnerPolicy()
    pairs = by_pair(each)
    gives: dict[Subject, list[Prepared]] = defaultdict(list)
    takes: dict[Subject, list[Prepared]] = defaultdict(list)
    for one in each:
        gives[one.retake.seller].append(one)
        takes[one.retake.taker].append(one)
    for seller, of in _in_order(gives):
        takers = {taker for giver, taker in pairs if giver == seller}
        yield from _told(seller, of, takers, policy, most=policy.most)
    for taker, of in _in_order(takes):
        givers = {giver for giver, other in pairs if other == taker}
        ready = {one.retake.taker_patient for one in of if one.lead_us is not None and one.retake.seller in givers}
        yield from _told(
            taker, of, givers, policy, most=policy.most if len(ready) >= policy.takes else policy.once_most
        )


def _told(
    who: Subject, of: Sequence[Prepared], others: set[Subject], policy: PartnerPolicy, *, most: float
) -> Iterator[Suspicion]:
    ready = [one for one in of if one.lead_us is not None and {one.retake.seller, one.retake.taker} & others]
    weight = weight_of(together(one.p for one in of), most=most)
    if not ready or weight < policy.least_weight:
        return
    leads = sorted(one.lead_us or 0 for one in ready)
    lead_min = leads[len(leads) // 2] / MINUTE_US
    yield suspicion(
        who,
        PREPARED,
        Says(
            zh=f"经手转手的 {len(of)} 个号中有 {len(ready)} 个，接手账号在退号之前（中位数 {lead_min:.0f} 分钟）"
            f"就已绑定好新的就诊人，陌生人无从预知",
            en=f"For {len(ready)} of {len(of)} slots that changed hands, the taking account had bound the next patient "
            f"{lead_min:.0f} min (median) before the slot came back, which strangers cannot foresee",
        ),
        figures=(len(ready), len(of) - sum(min(1.0, 1 - one.p) for one in of), 1),
        weight=weight,
        of=[one.retake for one in ready],
        members=tuple(sorted(others, key=_key)),
    )


def circles(
    every: Sequence[Retake], ring_of: Mapping[Subject, str], *, takers: int, policy: PartnerPolicy | None = None
) -> Iterator[Suspicion]:
    """Rings whose slots go round among their own, beyond the hand-overs by which they hang together.

    Args:
        takers: accounts that book at all; any of them might have taken what came back.
    """
    policy = policy or PartnerPolicy()
    given: dict[str, list[Retake]] = defaultdict(list)
    elsewhere: Counter[str] = Counter()
    sizes = Counter(ring_of.values())
    for one in every:
        if one.seller in ring_of:
            given[ring_of[one.seller]].append(one)
        if one.taker in ring_of and ring_of.get(one.seller) != ring_of[one.taker]:
            elsewhere[ring_of[one.taker]] += 1
    for ring, of in sorted(given.items()):
        stayed = [one for one in of if ring_of.get(one.taker) == ring]
        needed = _joining(stayed)
        rate = max((elsewhere[ring] + 0.5) / (len(every) - len(of) + 1), sizes[ring] / max(1, takers))
        again = len(stayed) - needed
        p = binomial_tail(n=len(of) - needed, k=again, p=min(1.0, rate))
        weight = weight_of(p, most=policy.most)
        if again < policy.inside_times or weight < policy.least_inside_weight:
            continue
        expected = (len(of) - needed) * min(1.0, rate)
        yield suspicion(
            Subject(kind="ring", id=ring),
            "hand_over.inside",
            Says(
                zh=f"团伙退出的 {len(of)} 个号中有 {len(stayed)} 个由自己人取得；除去据以认定关联的 {needed} 个，"
                f"偶然应为 {expected:.2f} 个",
                en=f"{len(stayed)} of {len(of)} slots that the ring gave back were taken by its own; beyond the "
                f"{needed} that join it, chance would give {expected:.2f}",
            ),
            figures=(again, expected, policy.inside_times),
            weight=weight,
            of=stayed,
            members=tuple(sorted({s for one in stayed for s in (one.seller, one.taker)}, key=_key)),
        )


def _joining(stayed: Iterable[Retake]) -> int:
    """How many of them are needed to join those whom they join."""
    parent: dict[Subject, Subject] = {}
    needed = 0
    for one in stayed:
        a, b = _root(parent, one.seller), _root(parent, one.taker)
        if a != b:
            parent[max(a, b, key=_key)] = min(a, b, key=_key)
            needed += 1
    return needed


def _root(parent: dict[Subject, Subject], one: Subject) -> Subject:
    while parent.setdefault(one, one) != one:
        one = parent[one]
    return one


def _in_order(by: Mapping[Subject, list[Prepared]]) -> list[tuple[Subject, list[Prepared]]]:
    return sorted(by.items(), key=lambda item: _key(item[0]))


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.id
