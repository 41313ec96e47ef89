"""Attendance: who came against who was booked.

A seller books for customers: it gives much back, others come than were booked, its patients are seen once and never
again. Each is held against what is usual among all accounts, whose own differences are learnt from the data: in a
hospital where everybody cancels, cancelling says nothing. A complaint counts against whoever had the slot before the
one who complains, for the buyer is who was cheated.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.visits import counted_visits
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import Usual, usual, weight_of, weights_of

_OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One question: of so many, how many were of the kind?"""

    pattern: str
    of: str  #: column of n
    kind: str  #: column of k
    least: int  #: of the kind, to be more than bad luck
    most: float  #: what it may weigh
    evidence: tuple[str, ...]  #: kinds of events
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked, and from when on the answer is worth saying."""

    shares: tuple[Share, ...] = (
        # Somebody else under one's name is what a sold slot looks like at the desk; a wrong card is rare.
        Share(
            pattern="somebody_else",
            of="checked_in",
            kind="somebody_else",
            least=2,
            most=6.0,
            evidence=("booked", "checked_in"),
            zh="到诊的 {n} 次中，有 {k} 次来的不是所预约的人",
            en="At {k} of {n} visits somebody else came than was booked",
        ),
        # Illness explains three in a row; unsold stock is more.
        Share(
            pattern="no_shows",
            of="decided",
            kind="missed",
            least=4,
            most=4.0,
            evidence=("booked", "no_show"),
            zh="{n} 次预约中有 {k} 次爽约",
            en="{k} of {n} appointments were missed",
        ),
        # Plans change, for one or two appointments; stock that finds no buyer goes back in time.
        Share(
            pattern="given_back",
            of="booked",
            kind="returned",
            least=4,
            most=4.0,
            evidence=("booked", "cancelled", "expired"),
            zh="{n} 个预约中退回了 {k} 个",
            en="{k} of {n} bookings were given back",
        ),
        # Families come back; customers do not. A short export shows everybody once, and then this says nothing.
        Share(
            pattern="never_seen_again",
            of="patients",
            kind="passing",
            least=8,
            most=4.0,
            evidence=("booked",),
            zh="所预约的 {n} 名就诊人中，有 {k} 名此前此后再未出现",
            en="{k} of the {n} patients it booked for were never seen before or after",
        ),
    )
    least_people: int = 100  #: to know what is usual
    least_weight: float = 3.0  #: twenty to one; less happens to honest people every day
    complaint_weight: float = 2.0  #: one complaint: seven to one, for people also complain out of anger
    complaint_per_doubling: float = 1.5
    complaint_most: float = 5.0
    complaints: int = 2  #: a single one is heard by people, not by a rule


class Attendance:
    """Who came: see the file."""

    code: ClassVar[str] = "attendance"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"events.kind", "events.account_id", "events.slot_id"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """What became of each account's bookings, and whom complaints are about."""
        return counted_visits(tables.events)

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, question by question."""
        accounts = sorted(counted["accounts"].to_pylist(), key=lambda row: row["account_id"])
        for share in self.policy.shares:
            yield from _unusual(accounts, share, self.policy)
        yield from _complained(counted["complaints"], self.policy)

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """The same questions about whole rings, whose members may do little each."""
        accounts = sorted(counted["accounts"].to_pylist(), key=lambda row: row["account_id"])
        members: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in accounts:
            ring = ring_of.get(Subject(kind="account", id=row["account_id"]))
            if ring is not None:
                members[ring].append(row)
        for share in self.policy.shares:
            rate = _usual_rate(accounts, share, self.policy)
            for ring, rows in sorted(members.items()):
                n, k = sum(row[share.of] for row in rows), sum(row[share.kind] for row in rows)
                if rate is not None and k >= share.least:
                    weight = weight_of(rate.tail(n=n, k=k), most=share.most)
                    if weight >= self.policy.least_weight:
                        yield _told(Subject(kind="ring", id=ring), rows, share, rate, weight)


def _usual_rate(accounts: Sequence[Mapping[str, Any]], share: Share, policy: Policy) -> Usual | None:
    return usual(((row[share.of], row[share.kind]) for row in accounts), least_people=policy.least_people)


def _unusual(accounts: Sequence[Mapping[str, Any]], share: Share, policy: Policy) -> Iterator[Suspicion]:
    rate = _usual_rate(accounts, share, policy)
    if rate is None:
        return
    asked = [row for row in accounts if row[share.kind] >= share.least]
    weights = weights_of(((row[share.of], row[share.kind]) for row in asked), rate, most=share.most)
    for row in asked:
        weight = weights[(row[share.of], row[share.kind])]
        if weight >= policy.least_weight:
            yield _told(Subject(kind="account", id=row["account_id"]), [row], share, rate, weight)


def _told(subject: Subject, rows: Sequence[Mapping[str, Any]], share: Share, rate: Usual, weight: float) -> Suspicion:
    n, k = sum(row[share.of] for row in rows), sum(row[share.kind] for row in rows)
    accounts = tuple(row["account_id"] for row in rows)
    did = tuple(Subject(kind="account", id=row["account_id"]) for row in rows if row[share.kind])
    return Suspicion(
        subject=subject,
        code=f"attendance.{share.pattern}",
        says=Says(zh=share.zh.format(n=n, k=k), en=share.en.format(n=n, k=k)),
        measured=float(k),
        expected=n * rate.mean,
        threshold=float(share.least),
        weight=weight,
        first_at_us=min(row["first_at_us"] for row in rows),
        last_at_us=max(row["last_at_us"] for row in rows),
        wanted=(Wanted(table="events", where={"account_id": accounts, "kind": share.evidence}),),
        owasp=_OWASP,
        members=did if subject.kind == "ring" else (),
    )


def _complained(complaints: pa.Table, policy: Policy) -> Iterator[Suspicion]:
    about: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in complaints.to_pylist():
        about[row["account_id"]].append(row)
    for account, rows in sorted(about.items()):
        if len(rows) < policy.complaints:
            continue
        grown = policy.complaint_weight + policy.complaint_per_doubling * log2(len(rows))
        yield Suspicion(
            subject=Subject(kind="account", id=account),
            code="attendance.complained",
            says=Says(
                zh=f"有 {len(rows)} 起投诉或医生反馈指向其转出的号",
                en=f"{len(rows)} complaints or doctors' notes point to slots that came from it",
            ),
            measured=float(len(rows)),
            expected=0.0,
            threshold=float(policy.complaints),
            weight=min(policy.complaint_most, grown),
            first_at_us=min(row["complaint_at_us"] for row in rows),
            last_at_us=max(row["complaint_at_us"] for row in rows),
            wanted=(Wanted(table="events", event_ids=tuple(sorted(row["complaint_event"] for row in rows))),),
            owasp=_OWASP,
        )
