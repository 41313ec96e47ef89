"""Hand-over: A gives a slot back and B has it before anybody else could, because both work for one seller.

What it looks for: gaps too short for strangers (retakes.py), slots given back by the clock (agreed_times.py), the same
two again and again, or a few among each other (closed_circles.py), takers who share a device, a payer or a patient with
the giver even if minutes pass, who are ready before (preparations.py) or bind somebody new for each slot
(bound_to_take.py), and takers who are first at everybody's returned slots. A waitlist hands slots on in the same second
lawfully: what was offered and accepted is cleared, and so is what a person booked at a window, by phone or at a kiosk
(returned_slots.py). Slots that wander between the patients of one account are for swapped_patients.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar, TypeVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.agreed_times import by_the_clock
from shouhao.detect.counted.bound_to_take import bound_to_take
from shouhao.detect.counted.closed_circles import closed_circles
from shouhao.detect.counted.partners import circles, prepared_hand_overs
from shouhao.detect.counted.preparations import known_before, prepared, ready
from shouhao.detect.counted.retakes import Judged, Retake, StrangerPolicy, judged, retakes_of, snatchers, suspicion
from shouhao.detect.counted.returned_slots import looks, relations, retakes, retook
from shouhao.detect.discoveries import beyond_chance
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables
from shouhao.detect.odds import binomial_tail, together, usual, weight_of
from shouhao.detect.spans import span
from shouhao.kernel.clock import SECOND_US

T = TypeVar("T")

_SCALPING = "OAT-005 Scalping"
_KINDS_ZH = {
    "device": "设备",
    "payer": "付款人",
    "phone": "手机号",
    "patient": "就诊人",
    "session_token": "登录会话",
    "ip": "网络地址",
    "face": "人脸",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on a hand-over is worth saying, and how much it may weigh."""

    strangers: StrangerPolicy = field(default_factory=StrangerPolicy)
    least_p: float = 0.0035  #: of one gap: a friend agrees on one slot, so that a single one is never said
    least_weight: float = 3.0  #: twenty to one; less happens to honest people every day, and rings pool it
    honest: float = 0.15  #: of all who are named for two quick ones or more, at most this share is so by chance
    named_p: float = 0.05  #: and nobody for what happens to one giver in twenty
    named: float = 3.0  #: a lead, no more
    trade: int = 3  #: givers; fewer are friends who agreed twice
    most: float = 6.0  #: 400 to 1: whatever the figures, the data may be wrong in a way nobody thought of
    least_people: int = 30  #: to know what is usual
    pair_times: int = 3  #: a couple that swaps does it once, perhaps twice
    related_patients: int = 3  #: a family gives a slot to one of its own, perhaps to two
    snatch_times: int = 3  #: whoever buys takes one slot, perhaps two: the buyer is not the seller


class HandOver:
    """One returns, the other takes: see the file."""

    code: ClassVar[str] = "hand_over"
    version: ClassVar[int] = 4
    needs: ClassVar[frozenset[str]] = frozenset({"events.kind", "events.slot_id"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Every retake that nobody explains, what the two share, how many looked, and who was bound before."""
        found = {"retakes": retakes(tables), "relations": relations(tables), "looks": looks(tables)}
        if {"events.account_id", "events.patient_id"} <= tables.has:
            found |= known_before(tables.events, retook(tables))
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, by account."""
        policy = self.policy
        every, each, fast_with_all = self._known(counted)
        by_seller: dict[Subject, list[Judged]] = defaultdict(list)
        for one in each:
            if one.retake.taker not in fast_with_all:
                by_seller[one.retake.seller].append(one)
        yield from _gaps(by_seller, policy)
        yield from _snatches(each, policy)
        yield from _pairs(every, policy)
        yield from _related(every, policy)
        yield from by_the_clock(every)
        yield from closed_circles([one for one in every if one.taker not in fast_with_all])
        if "bound" in counted:
            yield from prepared_hand_overs(prepared(each, every, counted))
            yield from bound_to_take(every, counted)

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """The gaps of whole rings, and whether their slots stay inside; a member alone may have given back but one."""
        policy = self.policy
        every, each, fast_with_all = self._known(counted)
        by_ring: dict[Subject, list[Judged]] = defaultdict(list)
        for one in each:
            ring = ring_of.get(one.retake.seller)
            if ring is not None and (one.retake.taker not in fast_with_all or one.retake.taker in ring_of):
                by_ring[Subject(kind="ring", id=ring)].append(one)
        yield from _gaps(by_ring, policy)
        (seen,) = counted["looks"].to_pylist()
        yield from circles(every, ring_of, takers=seen["takers"] or 0)

    def _known(self, counted: Mapping[str, pa.Table]) -> tuple[list[Retake], list[Judged], frozenset[Subject]]:
        """Every retake, those whose gaps can be judged, and who is fast at everybody's."""
        strangers = self.policy.strangers
        every = retakes_of(counted["retakes"], counted["relations"])
        (seen,) = counted["looks"].to_pylist()
        per_booking = (seen["looks"] or 0) / max(1, seen["booked"] or 0)
        partners = ready(every, counted) if "bound" in counted else frozenset()
        each = judged(every, looks_per_booking=per_booking, policy=strangers, partners=partners)
        return every, each, snatchers(every, strangers)


def _gaps(by_seller: Mapping[Subject, list[Judged]], policy: Policy) -> Iterator[Suspicion]:
    """Whose returned slots go too fast, whoever takes them; each of its gaps counts, the long ones for it.

    Where many give back like that it is a trade, and whoever did so twice is worth a look though it proves little.

    Args:
        by_seller: of an account, or of a ring with all its members' slots.
    """
    p = {seller: together(max(policy.least_p, one.p) for one in known) for seller, known in by_seller.items()}
    several = {seller for seller, known in by_seller.items() if len(known) > 1 and seller.kind == "account"}
    limit = min(policy.named_p, beyond_chance((p[seller] for seller in several), rate=policy.honest))
    alike = {seller for seller in several if p[seller] <= limit}
    for seller, known in _in_order(by_seller):
        weight = weight_of(p[seller], most=policy.most)
        if seller in alike and len(alike) >= policy.trade:
            weight = max(weight, policy.named)
        if weight < policy.least_weight:
            continue
        quick = sum(one.retake.gap_us <= one.quick_gap_us for one in known)
        gap_us, usual_us, quick_us = _medians_us(known)
        gap, usual = span(round(gap_us)), span(round(usual_us))
        yield suspicion(
            seller,
            "hand_over.gaps",
            Says(
                zh=f"退出且被他人取走的 {len(known)} 个号中，{quick} 个快得陌生人做不到；"
                f"间隔中位数 {gap.zh}，陌生人通常 {usual.zh}",
                en=f"Of {len(known)} slots it gave back and another took, {quick} went faster than strangers can take "
                f"them; median gap {gap.en}, of strangers {usual.en}",
            ),
            figures=(gap_us / SECOND_US, usual_us / SECOND_US, quick_us / SECOND_US),
            weight=weight,
            of=[one.retake for one in known],
            members=_sellers(known) if seller.kind == "ring" else (),
        )


def _medians_us(known: Sequence[Judged]) -> tuple[float, float, float]:
    """Of retakes: how long the slots were free, how long strangers leave them, and what strangers do not undercut."""
    return (
        median(one.retake.gap_us for one in known),
        median(one.usual_gap_us for one in known),
        median(one.quick_gap_us for one in known),
    )


def _sellers(known: Iterable[Judged]) -> tuple[Subject, ...]:
    return tuple(sorted({one.retake.seller for one in known}, key=lambda s: (s.kind, s.id)))


def _snatches(each: Iterable[Judged], policy: Policy) -> Iterator[Suspicion]:
    """Who is first at slots that different people gave back: it watches for them with a script."""
    by_taker: dict[Subject, list[Judged]] = defaultdict(list)
    for one in each:
        by_taker[one.retake.taker].append(one)
    for taker, known in _in_order(by_taker):
        sellers = {one.retake.seller for one in known}
        if len(sellers) < policy.snatch_times:
            continue
        weight = weight_of(together(max(policy.least_p, one.p) for one in known), most=policy.most)
        if weight < policy.least_weight:
            continue
        gap_us, usual_us, quick_us = _medians_us(known)
        gap, usual = span(round(gap_us)), span(round(usual_us))
        yield suspicion(
            taker,
            "hand_over.snatches",
            Says(
                zh=f"抢到 {len(sellers)} 个不同账号退出的号，间隔中位数 {gap.zh}，他人通常 {usual.zh}",
                en=f"Took slots that {len(sellers)} different people gave back, after {gap.en} in the median; "
                f"others need {usual.en}",
            ),
            figures=(gap_us / SECOND_US, usual_us / SECOND_US, quick_us / SECOND_US),
            weight=weight,
            of=[one.retake for one in known],
            owasp=_SCALPING,
        )


def _pairs(every: Sequence[Retake], policy: Policy) -> Iterator[Suspicion]:
    """The same two again and again, against the chance that just this one is first of all who tried there."""
    pairs: dict[tuple[Subject, Subject], list[Retake]] = defaultdict(list)
    gives: dict[Subject, int] = defaultdict(int)
    takes: dict[Subject, int] = defaultdict(int)
    for one in every:
        pairs[(one.seller, one.taker)].append(one)
        gives[one.seller] += 1
        takes[one.taker] += 1
    for (seller, taker), of in sorted(pairs.items(), key=lambda item: [(s.kind, s.id) for s in item[0]]):
        if len(of) < policy.pair_times:
            continue
        elsewhere = (takes[taker] - len(of) + 0.5) / (len(every) - gives[seller] + 1)
        there = 1 / (1 + median(one.accounts_tried for one in of))
        # Somebody had to be the first one, so the first time is no coincidence yet.
        p = binomial_tail(n=gives[seller] - 1, k=len(of) - 1, p=max(elsewhere, there))
        weight = weight_of(p, most=policy.most)
        if weight < policy.least_weight:
            continue
        expected = gives[seller] * max(elsewhere, there)
        for who, other in ((seller, taker), (taker, seller)):
            yield suspicion(
                who,
                "hand_over.pair",
                Says(
                    zh=f"同一对账号之间转手 {len(of)} 次，偶然应为 {expected:.2f} 次",
                    en=f"The same two accounts handed over {len(of)} slots; chance would give {expected:.2f}",
                ),
                figures=(len(of), expected, policy.pair_times),
                weight=weight,
                of=of,
                members=(other,),
            )


def _related(every: Sequence[Retake], policy: Policy) -> Iterator[Suspicion]:
    """Whose returned slots go to people it shares something with, however long that takes."""
    by_seller: dict[Subject, list[Retake]] = defaultdict(list)
    for one in every:
        by_seller[one.seller].append(one)
    related = {seller: [one for one in of if one.related] for seller, of in by_seller.items()}
    rate = usual(((len(of), len(related[s])) for s, of in by_seller.items()), least_people=policy.least_people)
    if rate is None:
        return
    for seller, of in _in_order(related):
        receivers = {one.taker_patient or one.taker.id for one in of}
        if len(receivers) < policy.related_patients:
            continue
        n = len(by_seller[seller])
        weight = weight_of(rate.tail(n=n, k=len(of)), most=policy.most)
        if weight < policy.least_weight:
            continue
        kinds = sorted({kind for one in of for kind in one.related})
        yield suspicion(
            seller,
            "hand_over.related",
            Says(
                zh=f"退出的 {n} 个号中有 {len(of)} 个归于与其共用{'、'.join(_KINDS_ZH[k] for k in kinds)}的账号，"
                f"涉及 {len(receivers)} 名就诊人",
                en=f"{len(of)} of {n} slots it gave back went to accounts with which it shares {', '.join(kinds)}, "
                f"for {len(receivers)} patients",
            ),
            figures=(len(of), n * rate.mean, policy.related_patients),
            weight=weight,
            of=of,
            members=tuple(sorted({one.taker for one in of}, key=lambda s: (s.kind, s.id))),
        )


def _in_order(by: Mapping[Subject, T]) -> list[tuple[Subject, T]]:
    return sorted(by.items(), key=lambda item: (item[0].kind, item[0].id))
