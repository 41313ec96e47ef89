"""Farms: more accounts than people, on one phone, on one purse, or around one patient.

A family shares a phone, and grown-up children pay for their parents; so it begins where families end, and it weighs
nothing where these data are full of the like, because then the identifier is broken and not the people. Patients who
are bound one by one, each just before a booking, pass through the account that sells to them. Sharing alone is never
more than a lead: a care home shares as well (speaks_for.py), and what convicts is what the accounts do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.sought import sought
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import Says, Speaks, Subject, SubjectKind, Suspicion, Tables, Wanted
from shouhao.detect.odds import rarity
from shouhao.detect.rings.links import links
from shouhao.kernel.clock import DAY_US, HOUR_US

_OWASP = "OAT-019 Account Creation"
_DAY_SHIFT_US = 8 * HOUR_US  # the hospital's zone, so that its days are whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One kind of thing that accounts share, and where sharing ends to be a family's."""

    kind: SubjectKind
    column: str
    from_accounts: int
    most_members: int  #: with more it is public
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where farms begin, and how much one may weigh."""

    shared: tuple[Shared, ...] = (
        # Two parents, two grandparents and a grown-up child on one phone are five.
        Shared(kind="device", column="device_id", from_accounts=6, most_members=300, zh="设备", en="device"),
        # One child pays for both parents and for siblings; the purse of an agency is a lead at most.
        Shared(kind="payer", column="payer_id", from_accounts=6, most_members=300, zh="付款人", en="payer"),
        # A child has two parents and four grandparents, and seldom are all of them bound to it.
        Shared(kind="patient", column="patient_id", from_accounts=7, most_members=300, zh="就诊人", en="patient"),
    )
    first_weight: float = 3.0  #: one account more than any family: twenty to one
    per_doubling: float = 1.0  #: sizes of such groups fall off like a power
    most: float = 5.0  #: sharing is seen, its reason is not
    least_weight: float = 3.0
    least_accounts: int = 100  #: in the data, to know what is common
    #: Of all accounts: what one in fifty uses is public, as an insurer that pays for its members or a terminal; a gang
    #: so large beside the whole hospital is found by what it does.
    public_share: float = 0.02
    public_from: int = 30  #: accounts; in a small export a gang may well be one in fifty
    agents_per_account: float = 0.5  #: a phone has few browsers; as many as accounts means that ids collide
    agents_always: int = 4  #: one phone may well have: WeChat, a browser, and both after an update
    bound_within_us: int = DAY_US  #: a patient is bound, and booked for within a day: a customer, or a new family
    passing_days: int = 4  #: a family is bound in one evening or two; customers come one by one


class Farms:
    """More accounts than people: see the file."""

    code: ClassVar[str] = "farms"
    version: ClassVar[int] = 2
    needs: ClassVar[frozenset[str]] = frozenset({"events.account_id"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """How many accounts share how many things, the members of the large groups, and patients passing through."""
        counted: dict[str, Table] = {}
        for shared in self.policy.shared:
            if f"events.{shared.column}" in tables.has:
                groups, members, sizes = _shared(tables, shared)
                counted |= {f"{shared.kind}_groups": groups, f"{shared.kind}_members": members}
                counted[f"{shared.kind}_sizes"] = sizes
        days = _passing_days(tables, self.policy)
        counted["passing"] = days.filter(days.days >= self.policy.passing_days)
        counted["passing_sizes"] = days.group_by("days").agg(accounts=days.count())
        booked = tables.events.filter(tables.events.kind == "booked")
        counted["booking"] = booked.agg(accounts=booked.account_id.nunique())
        return counted

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions: first of the things that are shared, then of those who share them."""
        for shared in self.policy.shared:
            if f"{shared.kind}_groups" in counted:
                yield from _judged(counted, shared, self.policy)
        yield from _passing(counted, self.policy)


def _shared(tables: Tables, shared: Shared) -> tuple[Table, Table, Table]:
    """Groups beyond a family with what speaks for ids that collide, their members, and how many groups of each size."""
    used = links(tables, kinds=(shared.kind,))  # type: ignore[arg-type]
    used = used.filter(used.member_kind == "account")
    groups = used.group_by("value").agg(
        accounts=used.count(), n=used.n.sum(), first_at_us=used.first_at_us.min(), last_at_us=used.last_at_us.max()
    )
    large = groups.filter(groups.accounts >= shared.from_accounts)
    named = tables.events.filter(tables.events[shared.column].notnull())
    agents = named.group_by(value=named[shared.column]).agg(agents=named.user_agent.nunique())
    told = large.left_join(agents, "value").select(*large.columns, agents=ibis._.agents.fill_null(0))
    few = large.filter(large.accounts <= shared.most_members).select("value")
    members = used.join(few, "value").select("value", "member", "first_at_us", "last_at_us")
    return told, members, _sizes(groups)


def _sizes(groups: Table) -> Table:
    return groups.group_by("accounts").agg(groups=groups.count())


def _passing_days(tables: Tables, policy: Policy) -> Table:
    """On how many days each account bound a patient and booked for them within the day: account_id, days, patients.

    Where releases are known, only what is sought counts: village doctors and companions bind somebody every day, too,
    and book what anybody can have.
    """
    events = tables.events
    outside = events.filter(~in_house(events) & events.account_id.notnull() & events.patient_id.notnull())
    bound = outside.filter(outside.kind == "patient_bound")
    bound = bound.select("account_id", "patient_id", bound_at_us=bound.at_us)
    booked = outside.filter(outside.kind == "booked")
    if "events.released_at_us" in tables.has:
        booked = booked.semi_join(sought(events), "session_id")
    booked = booked.select("account_id", "patient_id", booked_at_us=booked.at_us)
    met = bound.join(booked, ["account_id", "patient_id"])
    within = met.booked_at_us - met.bound_at_us
    met = met.filter((within >= 0) & (within <= policy.bound_within_us))
    local_us = met.bound_at_us + _DAY_SHIFT_US
    met = met.mutate(day=local_us - local_us % DAY_US)
    return met.group_by("account_id").agg(
        days=met.day.nunique(),
        patients=met.patient_id.nunique(),
        first_at_us=met.bound_at_us.min(),
        last_at_us=met.booked_at_us.max(),
    )


def _elsewhere(sizes: pa.Table, at_least: int) -> tuple[int, int]:
    """How many accounts stand in groups at least as large as that, and how many there are."""
    rows = [(row["accounts"], row["groups"]) for row in sizes.to_pylist()]
    return sum(a * g for a, g in rows if a >= at_least), sum(a * g for a, g in rows)


def _weight(size: int, first: int, elsewhere: int, everybody: int, policy: Policy) -> float:
    """What a group of that size weighs: more the larger it is, and no more than its rarity in these data allows."""
    grown = policy.first_weight + policy.per_doubling * log2(size / first)
    return min(policy.most, grown, rarity(elsewhere, everybody))


def _judged(counted: Mapping[str, pa.Table], shared: Shared, policy: Policy) -> Iterator[Suspicion]:
    sizes = counted[f"{shared.kind}_sizes"]
    members: dict[str, list[dict[str, Any]]] = {}
    rows = counted[f"{shared.kind}_members"].to_pylist()
    for row in sorted(rows, key=lambda r: (r["value"], r["member"])):
        members.setdefault(row["value"], []).append(row)
    for row in sorted(counted[f"{shared.kind}_groups"].to_pylist(), key=lambda r: r["value"]):
        size = row["accounts"]
        every, everybody = _elsewhere(sizes, size)
        public = size > max(policy.public_from, policy.public_share * everybody) or size > shared.most_members
        if everybody < policy.least_accounts or public or _collides(row, policy, shared):
            continue
        weight = _weight(size, shared.from_accounts, every - size, everybody, policy)
        if weight >= policy.least_weight:
            yield from _told(row, members.get(row["value"], []), shared, weight, everybody / max(1, _groups(sizes)))


def _collides(row: Mapping[str, Any], policy: Policy, shared: Shared) -> bool:
    """Whether this is many phones whose ids fell together: as many browsers as people."""
    many = max(policy.agents_always, policy.agents_per_account * row["accounts"])
    return shared.kind == "device" and row["agents"] > many


def _groups(sizes: pa.Table) -> int:
    return sum(row["groups"] for row in sizes.to_pylist())


def _told(
    row: Mapping[str, Any], members: Sequence[Mapping[str, Any]], shared: Shared, weight: float, usual_accounts: float
) -> Iterator[Suspicion]:
    thing = Subject(kind=shared.kind, id=row["value"])
    accounts = tuple(Subject(kind="account", id=m["member"]) for m in members)
    says = Says(
        zh=f"{row['accounts']} 个账号共用同一个{shared.zh}，超出一个家庭",
        en=f"{row['accounts']} accounts share one {shared.en}, more than a family has",
    )
    where = {shared.column: row["value"]}
    of_thing = Suspicion(
        subject=thing,
        code=f"farms.shared_{shared.kind}",
        says=says,
        measured=float(row["accounts"]),
        expected=usual_accounts,
        threshold=float(shared.from_accounts),
        weight=weight,
        first_at_us=row["first_at_us"],
        last_at_us=row["last_at_us"],
        wanted=(Wanted(table="events", where=where),),
        owasp=_OWASP,
        members=accounts,
    )
    yield of_thing
    for account, member in zip(accounts, members, strict=True):
        yield replace(
            of_thing,
            subject=account,
            first_at_us=member["first_at_us"],
            last_at_us=member["last_at_us"],
            wanted=(Wanted(table="events", where={**where, "account_id": account.id}),),
            members=(thing,),
        )


def _passing(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    sizes = counted["passing_sizes"].to_pylist()
    (booking,) = counted["booking"].to_pylist()
    everybody = booking["accounts"]
    for row in sorted(counted["passing"].to_pylist(), key=lambda r: r["account_id"]):
        if everybody < policy.least_accounts:
            return
        others = sum(one["accounts"] for one in sizes if one["days"] >= row["days"]) - 1
        weight = _weight(row["days"], policy.passing_days, others, everybody, policy)
        if weight < policy.least_weight:
            continue
        kinds = ("patient_bound", "booked")
        yield Suspicion(
            subject=Subject(kind="account", id=row["account_id"]),
            code="farms.passing_patients",
            says=Says(
                zh=f"在 {row['days']} 个不同的日子里，先绑定就诊人、一天之内即为其预约，共 {row['patients']} 人",
                en=f"On {row['days']} different days it bound a patient and booked for them within the day, "
                f"{row['patients']} patients in all",
            ),
            measured=float(row["days"]),
            expected=sum(one["accounts"] * one["days"] for one in sizes) / everybody,
            threshold=float(policy.passing_days),
            weight=weight,
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(
                Wanted(
                    table="events",
                    where={"account_id": row["account_id"], "kind": kinds},
                    from_us=row["first_at_us"],
                    until_us=row["last_at_us"],
                ),
            ),
            owasp="OAT-005 Scalping",
        )
