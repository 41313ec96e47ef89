"""Retakes: a slot came back and somebody else took it. How unlikely is it that this was a stranger?

Two models of strangers. The first is what other strangers needed: the gaps of comparable returned slots whose giver and
taker did this once (in few data: once or twice) and share nothing, without the pair that is judged. Slots given back by
the clock are left out as well: a gang would be measured by itself, and strangers do so as seldom whether they go fast
or not. The second is how many others tried: where looks and tries are recorded, strangers come at random at the rate of
those minutes, and somebody comes within g seconds with the chance 1 - exp(-rate g). The second does not suffer when
half of the returned slots are a gang's own; the first does not suffer when looks are not recorded. What a pair means is
decided in rules/hand_over.py.
"""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shouhao.detect.model import Says, Subject, Suspicion, Wanted
from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US

OWASP = "OAT-021 Denial of Inventory"
_QUICK_SHARE = 0.05
_DIRECT = ("device", "session_token")  # compared between the return and the booking themselves
_AS_COUNTED = (
    "slot_id",
    "session_id",
    "seller_patient",
    "taker_patient",
    "returned_at_us",
    "taken_at_us",
    "gap_us",
    "released_at_us",
    "hot_bucket",
    "tries_minute",
    "tries_half_hour",
    "accounts_tried",
    "on_time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerPolicy:
    """What counts as a stranger, and when a model is believed."""

    one_off: int = 2  #: an honest person gives back, or happens to take, one or two such slots in these data
    enough_once: int = 100  #: of slots that both handed over but once; then a gang's hide less well among strangers
    snatch_us: int = 10 * SECOND_US  #: nobody who only looks by chance is this fast again and again
    snatch_sellers: int = 3  #: who is fast with this many unrelated givers' slots is fast with everybody's
    least_comparable: int = 30  #: gaps; with fewer a chance of 0.03 could not be told
    least_as_short: int = 10  #: of them; below these all strangers say how many are shorter still
    least_looks_per_booking: float = 0.5  #: fewer looks than that on record means that looks are not recorded
    model_fails_p: float = 0.01
    model_fails_share: float = 1 / 3  #: of the strangers' own gaps; then looks went unrecorded after all
    model_idle_share: float = 0.1  #: and as many, where half are expected, beat an even chance, or slots rest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Retake:
    """One slot that came back and was taken by another account, or by the same one for another of its patients."""

    slot_id: str
    session_id: str | None
    seller: Subject
    taker: Subject
    seller_patient: str | None
    taker_patient: str | None
    returned_at_us: int
    taken_at_us: int
    gap_us: int  #: from the moment it was there for everybody
    released_at_us: int | None
    event_ids: tuple[str, str]  #: of the return and of the booking
    hot_bucket: int = -1  #: how fast the session went, -1 unknown
    tries_minute: int = 0  #: at that session in the busiest of the three minutes around
    tries_half_hour: int = 0
    accounts_tried: int = 0  #: at that session in all
    on_time: bool | None = None  #: given back just after a full or half hour; None where that says nothing
    related: tuple[str, ...] = ()  #: kinds of identifiers that both have used

    @property
    def comparable(self) -> tuple[int, int]:
        """Returned slots with the same are comparable: how hot the session is, and how soon after its release."""
        if self.released_at_us is None:
            return self.hot_bucket, -1
        since_us = self.taken_at_us - self.released_at_us
        return self.hot_bucket, 0 if since_us < 10 * MINUTE_US else 1 if since_us < 2 * HOUR_US else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A retake with the chance that a stranger is that fast."""

    retake: Retake
    p: float
    usual_gap_us: int  #: of strangers, the median
    quick_gap_us: int  #: that one stranger in twenty beats


def retakes_of(counted: pa.Table, relations: pa.Table | None = None) -> list[Retake]:
    """Counted rows as retakes, in order of time."""
    shared: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in [] if relations is None else relations.to_pylist():
        shared[(row["seller_account"], row["taker_account"])].add(row["kind"])
    made = [_retake(row, shared) for row in counted.to_pylist()]
    return sorted((one for one in made if one is not None), key=lambda r: (r.taken_at_us, r.slot_id, r.event_ids))


def suspicion(
    subject: Subject,
    code: str,
    says: Says,
    *,
    figures: tuple[float, float, float],
    weight: float,
    of: Sequence[Retake],
    members: tuple[Subject, ...] = (),
    owasp: str = OWASP,
    cohort: str | None = None,
) -> Suspicion:
    """A suspicion that rests on retakes.

    Args:
        figures: measured, expected, threshold.
    """
    measured, expected, threshold = figures
    return Suspicion(
        subject=subject,
        code=code,
        says=says,
        measured=float(measured),
        expected=float(expected),
        threshold=float(threshold),
        weight=weight,
        first_at_us=min(one.returned_at_us for one in of),
        last_at_us=max(one.taken_at_us for one in of),
        wanted=(Wanted(table="events", event_ids=tuple(sorted({e for one in of for e in one.event_ids}))),),
        owasp=owasp,
        members=members,
        cohort=cohort,
    )


def _retake(row: Mapping[str, Any], shared: Mapping[tuple[str, str], set[str]]) -> Retake | None:
    seller, taker = _who(row, "seller"), _who(row, "taker")
    if seller is None or taker is None:
        return None
    direct = {kind for kind in _DIRECT if row[f"same_{kind}"]}
    return Retake(
        seller=seller,
        taker=taker,
        event_ids=(row["return_event"], row["take_event"]),
        related=tuple(sorted(direct | shared.get((seller.id, taker.id), set()))),
        **{name: row[name] for name in _AS_COUNTED if name in row},
    )


def _who(row: Mapping[str, Any], role: str) -> Subject | None:
    """The account; the patient where no account is known."""
    if row[f"{role}_account"] is not None:
        return Subject(kind="account", id=row[f"{role}_account"])
    if row[f"{role}_patient"] is not None:
        return Subject(kind="patient", id=row[f"{role}_patient"])
    return None


def snatchers(retakes: Sequence[Retake], policy: StrangerPolicy) -> frozenset[Subject]:
    """Takers who are fast with everybody's slots: they explain a short gap, and the giver is not to blame for it."""
    sellers: dict[Subject, set[Subject]] = defaultdict(set)
    for one in retakes:
        if not one.related and one.gap_us <= policy.snatch_us:
            sellers[one.taker].add(one.seller)
    return frozenset(taker for taker, of in sellers.items() if len(of) >= policy.snatch_sellers)


def judged(
    retakes: Sequence[Retake],
    *,
    looks_per_booking: float,
    policy: StrangerPolicy,
    partners: Collection[tuple[str, str]] = frozenset(),
) -> list[Judged]:
    """Each retake with its chance, in the order given; those of which too little is known are left out.

    Args:
        looks_per_booking: events viewed and searched by event booked, in all.
        partners: retakes, by their events, of whom it is known that they are no strangers', to compare with.
    """
    chance = [one for one in retakes if not one.related and one.event_ids not in partners and not one.on_time]
    strangers = _strangers(retakes, chance, policy)
    by_demand = _demand_is_believed(strangers, looks_per_booking, policy)
    gaps = _Gaps(strangers)
    found = []
    for one in retakes:
        one_judged = _by_demand(one, _rate(one)) if by_demand else gaps.judged(one, policy)
        if one_judged is not None:
            found.append(one_judged)
    return found


def _strangers(every: Sequence[Retake], chance: Sequence[Retake], policy: StrangerPolicy) -> list[Retake]:
    """Of those that may be chance, whose giver and taker did it once, where these are enough, or once or twice."""
    gives = Counter(one.seller for one in every)
    takes = Counter(one.taker for one in every)
    times = {one.event_ids: max(gives[one.seller], takes[one.taker]) for one in chance}
    once = [one for one in chance if times[one.event_ids] == 1]
    return (
        once if len(once) >= policy.enough_once else [one for one in chance if times[one.event_ids] <= policy.one_off]
    )


def _rate(one: Retake) -> float:
    """How many come in a microsecond around that moment, at most.

    In half an hour one more is thought of than was seen: nobody seen means few, not that nothing is known. The minute
    counts for when many come at once; it is the busiest of three, and so one in it is none.
    """
    return max((one.tries_minute - 1) / MINUTE_US, (one.tries_half_hour + 1) / (30 * MINUTE_US))


def _by_demand(one: Retake, rate: float) -> Judged:
    """The chance that somebody who came at random came within the gap."""
    p = -math.expm1(-rate * max(one.gap_us, 1))
    usual_us, quick_us = (round(-math.log1p(-share) / rate) for share in (0.5, _QUICK_SHARE))
    return Judged(retake=one, p=p, usual_gap_us=usual_us, quick_gap_us=quick_us)


def _demand_is_believed(strangers: Sequence[Retake], looks_per_booking: float, policy: StrangerPolicy) -> bool:
    """Whether looks are recorded and the model fits most strangers.

    A rate that misses looks accuses everybody. Where the hospital lets returned slots rest before it shows them, nobody
    comes at that rate, and it would excuse everybody.
    """
    if looks_per_booking < policy.least_looks_per_booking:
        return False
    chances = [_by_demand(one, _rate(one)).p for one in strangers]
    failed, even = (sum(p < least for p in chances) for least in (policy.model_fails_p, 0.5))
    fits = failed <= policy.model_fails_share * len(chances) and even >= policy.model_idle_share * len(chances)
    return len(chances) >= policy.least_comparable and fits


class _Gaps:
    """Sorted gaps of strangers, by class and coarser."""

    def __init__(self, strangers: Sequence[Retake]) -> None:
        self._sorted: dict[tuple[int, int] | int | None, list[int]] = defaultdict(list)
        self._of: dict[Subject, list[Retake]] = defaultdict(list)
        for one in strangers:
            for key in _keys(one):
                self._sorted[key].append(one.gap_us)
            self._of[one.seller].append(one)
            self._of[one.taker].append(one)
        for gaps in self._sorted.values():
            gaps.sort()

    def judged(self, one: Retake, policy: StrangerPolicy) -> Judged | None:
        """The chance of a gap at most as long among comparable strangers, the pair left out.

        Among few, hardly any is as short; then the few say how many are short at all, and all strangers how many of
        the short ones are as short.
        """
        own = {mine.event_ids: mine for who in (one.seller, one.taker) for mine in self._of.get(who, ())}
        for key in _keys(one):
            gaps = self._sorted.get(key, [])
            left_out = [mine.gap_us for mine in own.values() if key in _keys(mine)]
            rest = len(gaps) - len(left_out)
            if rest >= policy.least_comparable:
                short_us = max(one.gap_us, gaps[policy.least_as_short - 1])
                p = (1 + _as_short(gaps, short_us, left_out)) / (1 + rest)
                every, all_own = self._sorted[None], [mine.gap_us for mine in own.values()]
                of_short = 1 + _as_short(every, one.gap_us, all_own)
                return Judged(
                    retake=one,
                    p=p * of_short / (1 + _as_short(every, short_us, all_own)),
                    usual_gap_us=gaps[len(gaps) // 2],
                    quick_gap_us=gaps[int(len(gaps) * _QUICK_SHARE)],
                )
        return None


def _as_short(gaps: Sequence[int], gap_us: int, left_out: Iterable[int]) -> int:
    """How many of sorted gaps are at most as long, those left out not counted."""
    return bisect_right(gaps, gap_us) - sum(gap <= gap_us for gap in left_out)


def _keys(one: Retake) -> tuple[tuple[int, int] | int | None, ...]:
    return one.comparable, one.comparable[1], None
