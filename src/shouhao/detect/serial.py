"""Serial: what accounts that were made in series have in common beyond their making, said of all as one.

A company that signs its people up does so when others sign up, and its people are at releases as soon as anybody. So
it is asked whether a series was made at a time of the day at which hardly anybody makes an account, and whether its
accounts, few tries though each has, are together quicker at releases than people are. Each is said of all as one: it
makes nobody a suspect for a deed of their own (rings/cohorts.py), and a ring has it once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from shouhao.detect.counted.reactions import crowds
from shouhao.detect.counted.registrations import made_at
from shouhao.detect.model import Says, Subject, Suspicion, Wanted
from shouhao.detect.odds import Usual, weight_of
from shouhao.kernel.clock import HOUR_US

Row = Mapping[str, Any]
ODD_HOURS = "fleets.odd_hours"
QUICK_TOGETHER = "fleets.quick_together"


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPolicy:
    """When the hours, or the quickness, of a series are out of the ordinary."""

    margin_us: int = HOUR_US  #: around a series, for the time of the day at which others are made
    least_alone: int = 100  #: accounts made in no series, to know when people make theirs
    hours_least: float = 1.0  #: nearly three to one; less is not worth a sentence
    hours_most: float = 3.0  #: 20 to 1: one evening's doing, however many are made in it; and there are night shifts
    least_crowd: int = 100  #: people at a release, to know how quick they are
    quick: float = 0.25  #: of the crowd: whoever is among the quickest quarter
    alike: float = 0.05  #: colleagues have one network and like phones, and are more alike than strangers
    least_tried: int = 5  #: accounts of a series that came to releases
    quick_least: float = 2.0
    quick_most: float = 4.0  #: 55 to 1
    ring_share: float = 0.5  #: of a ring's accounts, for it to be said of the ring


def odd_hours(
    series: Mapping[str, Suspicion], made_alone: Iterable[Row], policy: SerialPolicy, *, least: float
) -> Iterator[Suspicion]:
    """Accounts whose series was made when hardly anybody else makes an account.

    Args:
        series: what is said of the series of each account.
        made_alone: ten_minutes, accounts: when accounts in no series were made.
        least: accounts of a series.
    """
    times = {row["ten_minutes"]: row["accounts"] for row in made_alone}
    everybody = sum(times.values())
    if everybody < policy.least_alone:
        return
    for _, one in sorted(series.items()):
        around = made_at(one.first_at_us - policy.margin_us, one.last_at_us + policy.margin_us)
        then = sum(times.get(n, 0) for n in around)
        weight = weight_of((then + 1) / (everybody + 1), most=policy.hours_most)
        if weight >= policy.hours_least:
            yield replace(
                one,
                code=ODD_HOURS,
                says=Says(
                    zh=f"成批注册的时段少有人注册：单独注册的 {everybody} 个账号中，"
                    f"只有 {then} 个在一天中的这一时段注册",
                    en=f"The series was made when hardly anybody makes an account: of {everybody} that were made "
                    f"alone, {then} were made at that time of the day",
                ),
                expected=one.measured * then / everybody,
                threshold=float(least),
                weight=weight,
                cohort=None,
            )


def quick_together(
    series: Mapping[str, Suspicion], tries: pa.Table, crowd: pa.Table, policy: SerialPolicy
) -> Iterator[Suspicion]:
    """Accounts of one hand's series that are, taken together, quicker at releases than others there.

    Of each account the first time counts, so that nobody counts more for coming often.

    Args:
        series: what is said of the series of each account.
        tries: attempts of accounts in series, as reactions.py counts them.
        crowd: when everybody else came, likewise.
    """
    of, by_second = crowds(crowd.to_pylist())
    first: dict[str, Row] = {}
    for row in sorted(tries.to_pylist(), key=lambda row: (row["id"], row["released_at_us"])):
        here = of.get(row["released_at_us"])
        exact = by_second or not row["whole"]
        if row["id"] in series and exact and here is not None and here.people >= policy.least_crowd:
            first.setdefault(row["id"], {**row, "as_quick": here.as_quick(row["reaction_us"])})
    hands: dict[str | None, list[str]] = defaultdict(list)
    for account in sorted(first):
        hands[series[account].cohort].append(account)
    usual = Usual(mean=policy.quick, spread=policy.alike, people=0)
    for accounts in hands.values():
        quick = [account for account in accounts if first[account]["as_quick"] <= policy.quick]
        weight = weight_of(usual.tail(n=len(accounts), k=len(quick)), most=policy.quick_most)
        if len(accounts) >= policy.least_tried and weight >= policy.quick_least:
            yield from (
                _quick(series[account], first[account], len(accounts), len(quick), weight, policy) for account in quick
            )


def _quick(one: Suspicion, row: Row, tried: int, quick: int, weight: float, policy: SerialPolicy) -> Suspicion:
    at_us = row["released_at_us"] + row["reaction_us"]
    where = {"account_id": row["id"], "released_at_us": row["released_at_us"], "kind": ("booked", "refused")}
    return replace(
        one,
        code=QUICK_TOGETHER,
        says=Says(
            zh=f"同批注册的账号中有 {tried} 个在放号时抢过号，首次出手时 {quick} 个属于最快的 {policy.quick:.0%}",
            en=f"Of {tried} accounts of its series that came to releases, {quick} were among the quickest "
            f"{policy.quick:.0%} at their first",
        ),
        measured=float(quick),
        expected=tried * policy.quick,
        threshold=float(policy.least_tried),
        weight=weight,
        first_at_us=at_us,
        last_at_us=at_us,
        wanted=(Wanted(table="events", where=where, from_us=at_us, until_us=at_us),),
        owasp="OAT-005 Scalping",
        cohort=None,
    )


def of_rings(said: Iterable[Suspicion], ring_of: Mapping[Subject, str], policy: SerialPolicy) -> Iterator[Suspicion]:
    """The same, once, of rings most of whose accounts have it."""
    sizes = Counter(ring for one, ring in ring_of.items() if one.kind == "account")
    of: dict[tuple[str, str], list[Suspicion]] = defaultdict(list)
    for one in said:
        if one.code in {ODD_HOURS, QUICK_TOGETHER} and one.subject in ring_of:
            of[(ring_of[one.subject], one.code)].append(one)
    for (ring, _), those in sorted(of.items()):
        if len(those) >= policy.ring_share * sizes[ring]:
            yield _of_ring(ring, sorted(those, key=lambda one: (one.weight, one.subject.id)))


def _of_ring(ring: str, those: Sequence[Suspicion]) -> Suspicion:
    """As it is said of the account of which it weighs least."""
    return replace(
        those[0],
        subject=Subject(kind="ring", id=ring),
        first_at_us=min(one.first_at_us for one in those),
        last_at_us=max(one.last_at_us for one in those),
        wanted=tuple(wanted for one in those for wanted in one.wanted),
        members=tuple(one.subject for one in those),
    )
