"""Insiders: staff who add slots or look at patients out of pattern.

Staff are held against their colleagues: of the same department where enough of them add slots, of the house
otherwise. A night shift works at night, a chronic patient is fitted in every week by the same doctor and comes; what
is out of pattern is one who adds at hours when the others do not, for people who do not come, paid for by the same
purse or held by one account, for members of a ring, or for people whom somebody's account has only just bound. Those
accounts are leads as well; so is one that has just bound whom a colleague fits in whose extra slots stay empty: two
things that have nothing to do with each other, and of which one at least hardly ever happens in these data; and so is
one that holds extra slots of such a colleague for several people, where hardly any account does with other staff.
Looks without need are looks at a patient of whom nothing else is known for a week around.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.extra_slots import extras, looks_without_need, newly_bound
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import Usual, rarity, usual, weight_of
from shouhao.kernel.clock import DAY_US

_OWASP = "OAT-021 Denial of Inventory"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a member of staff is out of pattern."""

    opens_hour: int = 7  #: local; from then on somebody is at the desk
    closes_hour: int = 19
    least_colleagues: int = 5  #: who do the same; with fewer there is no pattern to be out of
    least_near: int = 30  #: extra slots that colleagues of the department added; with fewer the house is asked
    least: int = 5  #: extra slots, or patients looked at, of the kind
    purse_patients: int = 3  #: paid for by one purse or account: a family needs an extra slot for one, perhaps two
    new_within_us: int = 14 * DAY_US  #: a patient who was bound so shortly before is new to the account
    recipients: int = 3  #: accounts that bound them; one or two are somebody's relatives
    recipient_most: float = 3.0  #: 20 to 1: a lead; the staff member may have added theirs in good faith
    holder_most: float = 4.0  #: 55 to 1: a lead as well; it is several times, and still another's deed
    need_within_us: int = 7 * DAY_US  #: somebody was here, or is about to come
    most: float = 6.0
    least_weight: float = 3.0  #: twenty to one


class Insiders:
    """Staff out of pattern: see the file."""

    code: ClassVar[str] = "insiders"
    version: ClassVar[int] = 3
    needs: ClassVar[frozenset[str]] = frozenset({"events.kind", "events.staff_id"})

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Extra slots with what became of them, and how many looks each member of staff took without need."""
        hours = (self.policy.opens_hour, self.policy.closes_hour)
        added = extras(tables.events, hours=hours)
        return {
            "extras": added,
            "new": newly_bound(tables.events, added.view(), within_us=self.policy.new_within_us),
            "looks": looks_without_need(tables.events, within_us=self.policy.need_within_us),
        }

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions, by staff."""
        rows = _sorted(counted["extras"])
        few = _of_few(rows, self.policy)
        unattended: list[Suspicion] = []
        for_few: list[Suspicion] = []
        for pattern, kind in (
            ("off_hours", lambda row: bool(row["off_hours"])),
            ("nobody_came", lambda row: bool(row["decided"] and not row["came"])),
            ("one_purse", lambda row: any((row["staff_id"], whose) in few for whose in _whose(row))),
        ):
            said = list(_out_of_pattern(rows, pattern, kind, self.policy))
            yield from said
            unattended += said if pattern == "nobody_came" else []
            for_few += said if pattern == "one_purse" else []
        bound_by = {row["event_id"]: row["bound_by"] for row in counted["new"].to_pylist()}
        favouring = list(_for_new(rows, bound_by, self.policy))
        yield from favouring
        yield from _recipients(rows, bound_by, favouring, unattended, self.policy)
        yield from _holders(rows, few, for_few, self.policy)
        yield from _lookers(counted["looks"], self.policy)

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """Staff whose extra slots go to members of rings, by patient, account or payer.

        A ring most of whose accounts had slots of that very member of staff is known by them, and says nothing new.
        """
        rows = _sorted(counted["extras"])
        known = _known_by(rows, counted["new"].to_pylist(), ring_of)

        def in_ring(row: Row) -> bool:
            who = [Subject(kind="patient", id=row["patient_id"])]
            who += [Subject(kind="account", id=row["account_id"])] if row["account_id"] else []
            who += [Subject(kind="payer", id=row["payer_id"])] if row["payer_id"] else []
            return any(one in ring_of and (row["staff_id"], ring_of[one]) not in known for one in who)

        yield from _out_of_pattern(rows, "in_rings", in_ring, self.policy)


_SAYS = {
    "off_hours": ("加号 {n} 个，其中 {k} 个在非工作时间", "{k} of {n} extra slots were added outside working hours"),
    "nobody_came": ("加号中应到诊的 {n} 个有 {k} 个无人到诊", "Of {n} extra slots that were due, nobody came to {k}"),
    "one_purse": (
        "加号 {n} 个，其中 {k} 个由同一账号或付款人为多人取得",
        "{k} of {n} extra slots were had by one purse or account for several people",
    ),
    "for_new": (
        "加号 {n} 个，其中 {k} 个给了刚被账号绑定的就诊人",
        "{k} of {n} extra slots went to people whom an account had only just bound",
    ),
    "in_rings": ("加号 {n} 个，其中 {k} 个给了团伙成员", "{k} of {n} extra slots went to members of rings"),
}


def _sorted(extras_of: pa.Table) -> list[Row]:
    return sorted(extras_of.to_pylist(), key=lambda r: (r["staff_id"], r["at_us"], r["event_id"]))


#: The member of staff, and an account or purse by its column.
Few = tuple[str, tuple[str, str]]


def _whose(row: Row) -> list[tuple[str, str]]:
    """Who pays, and on whose account it is: a purse may be new each time where the account is not."""
    return [(name, row[name]) for name in ("payer_id", "account_id") if row[name] is not None]


def _people(rows: Sequence[Row]) -> dict[Few, set[str]]:
    """For whom each purse and each account had extra slots of each member of staff."""
    found: dict[Few, set[str]] = defaultdict(set)
    for row in rows:
        if row["patient_id"] is not None:
            for whose in _whose(row):
                found[(row["staff_id"], whose)].add(row["patient_id"])
    return found


def _of_few(rows: Sequence[Row], policy: Policy) -> dict[Few, set[str]]:
    return {key: of for key, of in _people(rows).items() if len(of) >= policy.purse_patients}


def _out_of_pattern(
    rows: Sequence[Row], pattern: str, kind: Callable[[Row], bool], policy: Policy
) -> Iterator[Suspicion]:
    asked = [row for row in rows if row["decided"]] if pattern == "nobody_came" else rows
    by_staff: dict[str, list[Row]] = defaultdict(list)
    for row in asked:
        by_staff[row["staff_id"]].append(row)
    counts = {staff: (len(of), sum(map(kind, of))) for staff, of in by_staff.items()}
    home = {staff: _home(of) for staff, of in by_staff.items()}
    for staff, of in sorted(by_staff.items()):
        n, k = counts[staff]
        if k < policy.least:
            continue
        near = [count for other, count in counts.items() if other != staff and home[other] == home[staff]]
        everybody = [count for other, count in counts.items() if other != staff]
        if pattern != "off_hours":  # a shift that two may share
            near, everybody = _but_one(near), _but_one(everybody)
        if sum(of_one for of_one, _ in near) < policy.least_near:
            near = []
        rate = usual(near, least_people=policy.least_colleagues) or usual(
            everybody, least_people=policy.least_colleagues
        )
        if rate is None:
            continue
        weight = weight_of(rate.tail(n=n, k=k), most=policy.most)
        if weight >= policy.least_weight:
            yield _told(staff, [row for row in of if kind(row)], pattern, n, rate, weight, policy)


def _but_one(counts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without the one who does it most beyond the rest: two of one mind would hide each other."""
    share = sum(k for _, k in counts) / max(1, sum(n for n, _ in counts))
    ordered = sorted(counts, key=lambda count: (count[1] - share * count[0], count))
    return ordered[:-1]


def _for_new(rows: Sequence[Row], bound_by: Mapping[str, str], policy: Policy) -> Iterator[Suspicion]:
    """Staff who add for people just bound, by several accounts."""
    for one in _out_of_pattern(rows, "for_new", lambda row: row["event_id"] in bound_by, policy):
        accounts = {bound_by[event] for wanted in one.wanted for event in wanted.event_ids}
        if len(accounts) >= policy.recipients:
            yield one


def _known_by(rows: Sequence[Row], new: Iterable[Row], ring_of: Mapping[Subject, str]) -> frozenset[tuple[str, str]]:
    """Staff and the rings most of whose accounts had slots of theirs."""
    sizes = Counter(ring for one, ring in ring_of.items() if one.kind == "account")
    bound_by = {row["event_id"]: row["bound_by"] for row in new}
    had = {(row["staff_id"], account) for row in rows for account in (row["account_id"], bound_by.get(row["event_id"]))}
    subjects = [(staff, Subject(kind="account", id=account)) for staff, account in had if account is not None]
    theirs = Counter((staff, ring_of[account]) for staff, account in subjects if account in ring_of)
    return frozenset(key for key, count in theirs.items() if 2 * count > sizes[key[1]])


_RECIPIENT_SAYS = {
    "insiders.for_new": (
        "所绑定就诊人取得 {k} 个加号，均由同一名工作人员为多个账号的新绑就诊人添加",
        "{k} extra slots went to patients it had just bound; the member of staff does so for several accounts",
    ),
    "insiders.nobody_came": (
        "所绑定就诊人取得 {k} 个加号，由一名所加号多无人到诊的工作人员添加",
        "{k} extra slots went to patients it had just bound; hardly anybody comes to those of that member of staff",
    ),
}


def _recipients(
    rows: Sequence[Row],
    bound_by: Mapping[str, str],
    favouring: Sequence[Suspicion],
    unattended: Sequence[Suspicion],
    policy: Policy,
) -> Iterator[Suspicion]:
    """Accounts that had just bound whom one of those added for; it weighs no more than it is rare with other staff."""
    of_staff = {one.subject.id: one for one in (*unattended, *favouring)}
    elsewhere = [row for row in rows if row["staff_id"] not in of_staff]
    rare = rarity(sum(row["event_id"] in bound_by for row in elsewhere), len(elsewhere))
    slots: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["staff_id"] in of_staff and row["event_id"] in bound_by:
            slots[(row["staff_id"], bound_by[row["event_id"]])].append(row)
    for (staff, account), of in sorted(slots.items()):
        one = of_staff[staff]
        weight = min(policy.recipient_most, one.weight, rare)
        if weight < policy.least_weight:
            continue
        zh, en = _RECIPIENT_SAYS[one.code]
        yield replace(
            _of_account(one, account, of),
            code="insiders.recipient",
            says=Says(zh=zh.format(k=len(of)), en=en.format(k=len(of))),
            measured=float(len(of)),
            expected=0.0,
            threshold=1.0,
            weight=weight,
        )


def _holders(
    rows: Sequence[Row], few: Mapping[Few, set[str]], for_few: Sequence[Suspicion], policy: Policy
) -> Iterator[Suspicion]:
    """Accounts that hold extra slots for several people; it weighs no more than it is rare with other staff."""
    of_staff = {one.subject.id: one for one in for_few}
    elsewhere = [
        len(of) for (staff, (name, _)), of in _people(rows).items() if name == "account_id" and staff not in of_staff
    ]
    for (staff, (name, account)), people in sorted(few.items()):
        if name != "account_id" or staff not in of_staff:
            continue
        one = of_staff[staff]
        alike = sum(n >= len(people) for n in elsewhere)
        weight = min(policy.holder_most, one.weight, rarity(alike, len(elsewhere)))
        if weight < policy.least_weight:
            continue
        of = [row for row in rows if (row["staff_id"], row["account_id"]) == (staff, account)]
        yield replace(
            _of_account(one, account, of),
            code="insiders.holder",
            says=Says(
                zh=f"同一名工作人员所加的号中，它持有 {len(of)} 个，分属 {len(people)} 名就诊人；"
                f"与其他工作人员之间，{len(elsewhere)} 个账号中有 {alike} 个如此",
                en=f"It holds {len(of)} extra slots of one member of staff, for {len(people)} patients; with other "
                f"staff {alike} of {len(elsewhere)} accounts do",
            ),
            measured=float(len(people)),
            expected=sum(elsewhere) / max(1, len(elsewhere)),
            threshold=float(policy.purse_patients),
            weight=weight,
        )


def _of_account(one: Suspicion, account: str, of: Sequence[Row]) -> Suspicion:
    """What is said of staff, turned to an account that they gave slots; those are one hand's."""
    return replace(
        one,
        subject=Subject(kind="account", id=account),
        first_at_us=min(row["at_us"] for row in of),
        last_at_us=max(row["at_us"] for row in of),
        wanted=(Wanted(table="events", event_ids=tuple(row["event_id"] for row in of)),),
        members=(one.subject,),
        cohort=f"staff {one.subject.id}",
    )


def _home(rows: Sequence[Row]) -> str:
    """The department for which somebody adds most."""
    count = Counter(row["department_id"] or "" for row in rows)
    return min(count, key=lambda name: (-count[name], name))


def _told(staff: str, of: Sequence[Row], pattern: str, n: int, rate: Usual, weight: float, policy: Policy) -> Suspicion:
    zh, en = _SAYS[pattern]
    people = sorted({row["patient_id"] for row in of if row["patient_id"]})
    return Suspicion(
        subject=Subject(kind="staff", id=staff),
        code=f"insiders.{pattern}",
        says=Says(zh=zh.format(n=n, k=len(of)), en=en.format(n=n, k=len(of))),
        measured=float(len(of)),
        expected=n * rate.mean,
        threshold=float(policy.least),
        weight=weight,
        first_at_us=min(row["at_us"] for row in of),
        last_at_us=max(row["at_us"] for row in of),
        wanted=(Wanted(table="events", event_ids=tuple(sorted(row["event_id"] for row in of))),),
        owasp=_OWASP,
        members=tuple(Subject(kind="patient", id=one) for one in people),
    )


def _lookers(looks: pa.Table, policy: Policy) -> Iterator[Suspicion]:
    rows = sorted(looks.to_pylist(), key=lambda row: row["staff_id"])
    for row in rows:
        if row["needless"] < policy.least:
            continue
        others = [(one["looked"], one["needless"]) for one in rows if one is not row]
        rate = usual(others, least_people=policy.least_colleagues)
        if rate is None:
            continue
        weight = weight_of(rate.tail(n=row["looked"], k=row["needless"]), most=policy.most)
        if weight < policy.least_weight:
            continue
        yield Suspicion(
            subject=Subject(kind="staff", id=row["staff_id"]),
            code="insiders.looks_without_need",
            says=Says(
                zh=f"查看 {row['looked']} 名就诊人，其中 {row['needless']} 名前后一周内没有任何就诊事项",
                en=f"Looked at {row['looked']} patients, of whom {row['needless']} had nothing to do here for a week",
            ),
            measured=float(row["needless"]),
            expected=row["looked"] * rate.mean,
            threshold=float(policy.least),
            weight=weight,
            first_at_us=row["first_at_us"],
            last_at_us=row["last_at_us"],
            wanted=(Wanted(table="events", where={"staff_id": row["staff_id"], "kind": "viewed"}),),
        )
