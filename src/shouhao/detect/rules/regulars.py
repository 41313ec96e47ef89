"""Regulars: at releases on most days, quicker there than people are, and never content with an ordinary slot.

Whoever sells by hand and hides what is sold must still be where the slots are: at ordinary speed most tries are lost,
so it takes many. People who lose take another doctor, come again once or twice, or give up, and those who come often
are no quicker than others. Each of the three is common, so they are asked one after the other: among those who come
often and book nothing else, who comes most often and presses soonest? How often is usual is learnt from the slower half
of them, how soon from those who come as seldom as is asked at all: among both, sellers are few. Whoever always comes
for one department is ill, and is left out, and so is whoever taps from before the release on.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, fsum, log
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.regulars import regulars
from shouhao.detect.discoveries import beyond_chance
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import together, weight_of
from shouhao.kernel.clock import SECOND_US

_OWASP = "OAT-005 Scalping"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is no patient, and what that may weigh."""

    least_days: int = 3  #: at releases; with fewer neither quickness nor persistence shows
    least_people: int = 20  #: who came on just so many days, and who are slow, to know what is usual
    departments: int = 2  #: one illness has one department
    honest: float = 0.5  #: of all who are named, at most this share is so by chance: it is a lead, no more
    named: float = 3.0  #: one in two is far more than one in fifty-five, and so a lead
    most: float = 5.0  #: 150 to one: some people are quick, and long for several doctors


@dataclass(frozen=True, slots=True, kw_only=True)
class _Regular:
    """One who comes often and books nothing else."""

    row: Row
    p: float  #: that one of these comes as often and presses as soon
    after_us: float  #: typical, of the presses that were not early


class Regulars:
    """Often, quick, and for nothing else: see the file."""

    code: ClassVar[str] = "regulars"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset(
        {"events.kind", "events.account_id", "events.released_at_us", "events.department_id"}
    )

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """On how many days accounts were at releases, and of those of many days how they went about it."""
        return regulars(tables.events, least_days=self.policy.least_days)

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, by account."""
        policy = self.policy
        quickness = _quickness(counted["presses"], policy)
        usual = sorted(mean for n, mean in quickness.values() if n == policy.least_days)
        alone = [
            (row, quickness[row["account_id"]][1])
            for row in sorted(counted["often"].to_pylist(), key=lambda row: row["account_id"])
            if row["account_id"] in quickness and not row["elsewhere"] and row["departments"] >= policy.departments
        ]
        slower = Counter(row["days"] for row, mean in alone if usual and mean > usual[len(usual) // 2])
        slow = sum(slower.values())
        if min(len(usual), slow) < policy.least_people:
            return
        of_all = 2 * slow / sum(row["accounts"] for row in counted["sizes"].to_pylist())
        known = []
        for row, mean in alone:
            persistent = (1 + sum(n for days, n in slower.items() if days >= row["days"])) / (1 + slow)
            quick = (1 + bisect_right(usual, mean)) / (1 + len(usual))
            known.append(_Regular(row=row, p=together((persistent, quick)), after_us=exp(mean)))
        limit = beyond_chance((one.p for one in known), rate=policy.honest)
        for one in known:
            if one.p <= limit:
                weight = max(policy.named, weight_of(of_all * one.p, most=policy.most))
                yield _told(one, weight, exp(usual[len(usual) // 2]), policy)


def _quickness(presses: pa.Table, policy: Policy) -> dict[str, tuple[int, float]]:
    """Of how many releases, and the mean logarithm of how soon each account pressed there; early ones left out.

    Whoever taps from before the release on is in at once without being quick.
    """
    of: dict[str, list[float]] = defaultdict(list)
    for row in presses.to_pylist():
        if row["after_us"] > 0:
            of[row["account_id"]].append(log(row["after_us"]))
    return {
        account: (len(each), fsum(each) / len(each)) for account, each in of.items() if len(each) >= policy.least_days
    }


def _told(one: _Regular, weight: float, usual_us: float, policy: Policy) -> Suspicion:
    account, days, departments = one.row["account_id"], one.row["days"], one.row["departments"]
    after_s, usual_s = one.after_us / SECOND_US, usual_us / SECOND_US
    return Suspicion(
        subject=Subject(kind="account", id=account),
        code="regulars.every_release",
        says=Says(
            zh=f"在 {days} 天的放号时刻抢 {departments} 个科室的号，放号后约 {after_s:.2f} 秒出手"
            f"（常人 {usual_s:.2f} 秒），其余时间从未预约",
            en=f"At releases of {departments} departments on {days} days, pressed about {after_s:.2f} s after them "
            f"(usual: {usual_s:.2f} s), and never booked at any other time",
        ),
        measured=float(days),
        expected=float(policy.least_days),
        threshold=float(policy.least_days),
        weight=weight,
        first_at_us=one.row["first_at_us"],
        last_at_us=one.row["last_at_us"],
        wanted=(
            Wanted(
                table="events",
                where={"account_id": account, "kind": ("booked", "refused")},
                from_us=one.row["first_at_us"],
                until_us=one.row["last_at_us"],
            ),
        ),
        owasp=_OWASP,
    )
