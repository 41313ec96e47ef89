"""Customers: at one release after the other for somebody new, whom the account had not known the day before.

Whoever sells in advance must bind the buyer before the release, and the next buyer before the next one. People who are
at a release are there for themselves or for their family, whom they bound long ago; a newcomer binds a family in an
evening or two. How often honest people come for somebody fresh is learnt from the data, and how many were looked at is
paid for, but only of those who came often enough to be named. A village doctor, or a legal escort, binds as many for
slots that anybody can have, and is left out; what else speaks for one is heard (speaks_for.py). It is one cause only.
Source: Tarone, A modified Bonferroni method for discrete data (1990).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.fresh_patients import elsewhere, let_go, rushes
from shouhao.detect.discoveries import beyond_chance
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import Usual, rarity, weight_of

_OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is no family, and how much it may weigh."""

    calm_fresh_days: int = 2  #: with as many fresh ones for slots that nobody sells, it is a habit and no trade
    fresh_days: int = 2  #: a newcomer, or an aunt who asked, is once
    least_people: int = 100  #: who were at releases on one day, to know what is usual
    keener: float = 2.0  #: times as often as for slots that anybody can have somebody fresh is helped to a sought one
    spread: float = 0.05  #: people differ: some have large families, some a neighbour who asks
    honest: float = 0.15  #: of all who are named, at most this share is honest by chance: it is a lead, no more
    most: float = 6.0  #: 400 to 1
    least_weight: float = 2.0  #: seven to one; rings pool it
    #: Of those who are named, at most `honest` are so by chance. That is more than one in fifty-five, and so a lead.
    named: float = 3.0
    let_go: int = 2  #: patients who were tried for and unbound afterwards; an uncle who asked once is one
    let_go_per_doubling: float = 0.5
    let_go_most: float = 4.0


class Customers:
    """Somebody new for each release: see the file."""

    code: ClassVar[str] = "customers"
    version: ClassVar[int] = 3
    needs: ClassVar[frozenset[str]] = frozenset(
        {"events.kind", "events.account_id", "events.patient_id", "events.released_at_us"}
    )

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """How many accounts came how often for whom, and those who came for several fresh ones."""
        every, calm = rushes(tables.events), elsewhere(tables.events)
        habit = (every.calm_fresh_days >= self.policy.calm_fresh_days) & (every.calm_fresh >= every.fresh)
        every = every.filter(~habit)
        return {
            "calm": calm.filter(calm.days == 1).group_by("fresh_days").agg(accounts=ibis._.count()),
            "sizes": every.group_by("days", "fresh_days").agg(accounts=every.count()),
            "found": every.filter(every.fresh_days >= self.policy.fresh_days),
            "let_go": let_go(tables.events),
        }

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, by account."""
        policy = self.policy
        sizes = counted["sizes"].to_pylist()
        rate = _usual(sizes, counted["calm"].to_pylist(), policy)
        if rate is None:
            return
        cells = {(_days(row), row["fresh_days"]) for row in sizes}
        tails = {(days, fresh): rate.tail(n=days, k=fresh) for days, fresh in sorted(cells)}
        asked = [row for row in sizes if _days(row) >= policy.fresh_days]  # who came once can never be named (Tarone)
        every = (tails[(_days(row), row["fresh_days"])] for row in asked for _ in range(row["accounts"]))
        limit = beyond_chance(every, rate=policy.honest)
        for row in sorted(counted["found"].to_pylist(), key=lambda one: one["account_id"]):
            p = tails[(_days(row), row["fresh_days"])]
            weight = weight_of(p, most=policy.most)
            if p <= limit and weight >= policy.least_weight:
                yield _told(row, rate, max(weight, policy.named), policy)
        yield from _let_go(counted["let_go"], people=sum(row["accounts"] for row in sizes), policy=policy)


def _let_go(table: pa.Table, *, people: int, policy: Policy) -> Iterator[Suspicion]:
    """Who unbinds one after another those for whom it has just stood at a release: there is room for so many only.

    It weighs no more than it is rare in these data.
    """
    rows = sorted(table.to_pylist(), key=lambda row: row["account_id"])
    for row in rows:
        n = row["patients"]
        if n < policy.let_go:
            continue
        alike = sum(other["patients"] >= n for other in rows) - 1
        grown = policy.named + policy.let_go_per_doubling * log2(n / policy.let_go)
        weight = min(policy.let_go_most, grown, rarity(alike, people))
        if weight < policy.least_weight:
            continue
        yield Suspicion(
            subject=Subject(kind="account", id=row["account_id"]),
            code="customers.let_go",
            says=Says(
                zh=f"先后为 {n} 名就诊人抢号，几天内又将其解绑；{people} 个抢过号的账号中另有 {alike} 个如此",
                en=f"Stood at releases for {n} people and unbound them within days; of {people} accounts that were at "
                f"releases, {alike} others did so",
            ),
            measured=float(n),
            expected=sum(other["patients"] for other in rows) / max(1, people),
            threshold=float(policy.let_go),
            weight=weight,
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(
                Wanted(
                    table="events",
                    where={"account_id": row["account_id"], "kind": ("booked", "refused", "patient_unbound")},
                    from_us=row["first_at_us"],
                    until_us=row["last_at_us"],
                ),
            ),
            owasp=_OWASP,
        )


def _usual(sizes: Iterable[Mapping[str, Any]], calm: Iterable[Mapping[str, Any]], policy: Policy) -> Usual | None:
    """How often people come to a release for somebody fresh; None when too few are known.

    Those who came on one day alone are asked, and those who were at none. Sellers are among the first, the more so
    where only what was won is on record; none are among the others, who sell nothing that everybody can have.
    """
    rates = []
    for of, times in (([row for row in sizes if _days(row) == 1], 1.0), (list(calm), policy.keener)):
        people = sum(row["accounts"] for row in of)
        if people >= policy.least_people:
            fresh = sum(row["accounts"] for row in of if row["fresh_days"])
            rates.append((times * (fresh + 0.5) / (people + 1), people))
    if not rates:
        return None
    mean, people = min(rates)
    return Usual(mean=min(0.5, mean), spread=policy.spread, people=people)


def _days(row: Mapping[str, Any]) -> int:
    """Two whom one binds on two evenings for one release are two days of work."""
    return int(max(row["days"], row["fresh_days"]))


def _told(row: Mapping[str, Any], rate: Usual, weight: float, policy: Policy) -> Suspicion:
    account, days, fresh = row["account_id"], _days(row), row["fresh_days"]
    return Suspicion(
        subject=Subject(kind="account", id=account),
        code="customers.one_after_another",
        says=Says(
            zh=f"有放号抢号的 {days} 天中，{fresh} 次是为前一两天才绑定的就诊人，先后 {row['fresh']} 人；"
            f"常人每天仅 {rate.mean:.1%}",
            en=f"On {days} days with a release it came to, it came {fresh} times for people bound a day or so before, "
            f"{row['fresh']} people in all; with others it is {rate.mean:.1%} of days",
        ),
        measured=float(fresh),
        expected=days * rate.mean,
        threshold=float(policy.fresh_days),
        weight=weight,
        first_at_us=row["first_at_us"],
        last_at_us=row["last_at_us"],
        wanted=(
            Wanted(
                table="events",
                where={"account_id": account, "kind": ("patient_bound", "booked", "refused")},
                from_us=row["first_at_us"],
                until_us=row["last_at_us"],
            ),
        ),
        owasp=_OWASP,
    )
