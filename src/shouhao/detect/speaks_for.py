"""Speaks for: who has a good reason to look odd.

Families share phones, a care home books for its residents and an escort agency for its customers, hundreds sit behind
one Wi-Fi, kiosks and windows serve everybody, probes knock every minute, and a browser may be set to reload. Each takes
off what it explains and nothing else (families.py): a family does not explain a script. The patterns ask for what an
honest one has beside its size, so that small numbers alone clear nobody: people who come, and who are seen again.
"""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.exculpation import counted_for
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.kernel.clock import HOUR_US, SECOND_US

Row = Mapping[str, Any]
_SUMMED = ("booked", "patients", "returned", "decided", "checked_in", "passing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is recognised, and how much it takes off at most; all in log-odds, negative."""

    family: float = -3.0  #: of small groups that share and come to their appointments, twenty to one are families
    family_accounts: int = 5
    family_patients: int = 6
    care_home: float = -4.0  #: many who are known, of whom nearly all come: fifty to one
    escort_agency: float = -3.0  #: many strangers who come; a seller who never returns anything looks alike
    many_patients: int = 8
    shared_network: float = -4.0
    network_heads: int = 15  #: behind one address; an office, a ward, a carrier's gateway
    network_most_share: float = 0.2  #: of all that is done there; whoever does more is not hidden by the others
    kiosk: float = -6.0  #: its own device, by its own channel
    staff_window: float = -6.0
    probe: float = -5.0
    probe_hits: int = 100
    probe_hours: int = 6  #: on end, around the clock
    auto_refresh: float = -2.0  #: an extension reloads a page; so does a script that has just been started
    refresh_from_us: int = 2 * SECOND_US  #: no extension is set to less
    refresh_posts: int = 3  #: whoever sends more did not only look
    new_phone: float = -2.0
    they_come: float = -1.5
    came_share: float = 0.75
    returned_share: float = 0.25
    least_decided: int = 3  #: visits, to know whether somebody comes


class SpeaksFor:
    """What speaks for people: see the file. Like a detector, but it accuses nobody.

    Args:
        about: the subjects that are suspected; of anybody else nothing has to be said.
    """

    code: ClassVar[str] = "speaks_for"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, policy: Policy | None = None, *, about: Collection[Subject] | None = None) -> None:
        self.policy = policy or Policy()
        self._about = None if about is None else frozenset(about)

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Visits, shared devices, the house's own, networks, probes and refreshes; whatever the columns allow."""
        return counted_for(tables, self._about)

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """What speaks for whom."""
        asked = _Everybody() if self._about is None else self._about
        rows = {name: table.to_pylist() for name, table in counted.items()}
        accounts = {row["account_id"]: row for row in rows.get("accounts", ())}
        on_device = _on_devices(rows.get("device_accounts", ()))
        yield from _households(accounts, on_device, rows, asked, self.policy)
        yield from _come(accounts, asked, self.policy)
        yield from _new_phones(rows.get("device_accounts", ()), self.policy)
        yield from _of_the_house(rows.get("house", ()), self.policy)
        yield from _shared_networks(rows.get("networks", ()), self.policy)
        yield from _probes(rows.get("probes", ()), self.policy)
        yield from _refreshes(rows.get("refreshes", ()), self.policy)

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """Whether the people for whom a ring books are known and come: then it may be a care home, or a large family.

        An agency acts through an account of its own; many accounts that book for strangers are none.
        """
        of: dict[str, list[Row]] = defaultdict(list)
        for row in counted["accounts"].to_pylist() if "accounts" in counted else ():
            ring = ring_of.get(Subject(kind="account", id=row["account_id"]))
            if ring is not None:
                of[ring].append(row)
        for ring, rows in sorted(of.items()):
            said = _one_household(Subject(kind="ring", id=ring), rows, self.policy)
            yield from (one for one in said if one.code != "speaks_for.escort_agency")


class _Everybody:
    """Contains whoever is asked about."""

    def __contains__(self, _: object) -> bool:
        return True


def _on_devices(rows: Iterable[Row]) -> dict[str, list[str]]:
    on: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["accounts"] > 1:
            on[row["device_id"]].append(row["account_id"])
    return {device: sorted(accounts) for device, accounts in sorted(on.items())}


def _households(
    accounts: Mapping[str, Row],
    on_device: Mapping[str, Sequence[str]],
    rows: Mapping[str, Sequence[Row]],
    asked: Container[Subject],
    policy: Policy,
) -> Iterator[Speaks]:
    """Families, care homes and agencies: on one account, on one device, around one patient."""
    for account, row in sorted(accounts.items()):
        subject = Subject(kind="account", id=account)
        if subject in asked:
            yield from _one_household(subject, [row], policy)
    groups = [("device", device, on) for device, on in on_device.items()]
    around: dict[str, list[str]] = defaultdict(list)
    for row in rows.get("patient_accounts", ()):
        around[row["patient_id"]].append(row["account_id"])
    groups += [("patient", patient, sorted(of)) for patient, of in sorted(around.items())]
    for kind, name, of in groups:
        known = [accounts[one] for one in of if one in accounts]
        subjects = [Subject(kind=kind, id=name), *(Subject(kind="account", id=one) for one in of)]  # type: ignore[arg-type]
        for subject in subjects:
            if subject in asked:
                yield from _one_household(subject, known, policy, count=len(of))


def _one_household(
    subject: Subject, rows: Sequence[Row], policy: Policy, *, count: int | None = None
) -> Iterator[Speaks]:
    total = {name: sum(row[name] for row in rows) for name in _SUMMED}
    accounts = len(rows) if count is None else count
    if total["decided"] < policy.least_decided or total["patients"] + accounts <= 2:  # noqa: PLR2004 - one of each
        return
    came, returned = total["checked_in"] / total["decided"], total["returned"] / total["booked"]
    if came < policy.came_share or returned > policy.returned_share:
        return
    known = 2 * total["passing"] <= total["patients"]
    people = total["patients"]
    if accounts <= policy.family_accounts and total["patients"] <= policy.family_patients and known:
        yield Speaks(
            subject=subject,
            code="speaks_for.family",
            says=Says(
                zh=f"像一个家庭：{accounts} 个账号、{people} 名就诊人，多次出现，按约到诊",
                en=f"Like a family: {accounts} accounts and {people} patients, seen again and again, who come",
            ),
            weight=policy.family,
        )
    elif total["patients"] >= policy.many_patients and known:
        yield Speaks(
            subject=subject,
            code="speaks_for.care_home",
            says=Says(
                zh=f"像养老或照护机构：{people} 名就诊人此前已知，{came:.0%} 按约到诊，很少退号",
                en=f"Like a care home: {people} patients who were known before; {came:.0%} come, little is returned",
            ),
            weight=policy.care_home,
        )
    elif total["patients"] >= policy.many_patients:
        yield Speaks(
            subject=subject,
            code="speaks_for.escort_agency",
            says=Says(
                zh=f"像陪诊机构：{people} 名就诊人，{came:.0%} 按约到诊，很少退号",
                en=f"Like an escort agency: {people} patients; {came:.0%} come, little is returned",
            ),
            weight=policy.escort_agency,
        )


def _come(accounts: Mapping[str, Row], asked: Container[Subject], policy: Policy) -> Iterator[Speaks]:
    for account, row in sorted(accounts.items()):
        subject = Subject(kind="account", id=account)
        if subject not in asked:
            continue
        decided, came = row["decided"], row["checked_in"] - row["somebody_else"]
        if decided >= policy.least_decided and came >= 0.9 * decided and row["returned"] <= 0.1 * row["booked"]:
            yield Speaks(
                subject=subject,
                code="speaks_for.they_come",
                says=Says(
                    zh=f"{decided} 次应到诊，{came} 次由本人到诊，几乎不退号",
                    en=f"Of {decided} visits that were due the person booked came to {came}; hardly anything returned",
                ),
                weight=policy.they_come,
            )


def _new_phones(rows: Iterable[Row], policy: Policy) -> Iterator[Speaks]:
    """One phone after the other, never two at a time."""
    of: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if 1 < row["devices"] <= 3:  # noqa: PLR2004 - two changes in one export is much
            of[row["account_id"]].append(row)
    for account, used in sorted(of.items()):
        ordered = sorted(used, key=lambda row: (row["first_at_us"], row["last_at_us"], row["device_id"]))
        apart = all(a["last_at_us"] < b["first_at_us"] for a, b in pairwise(ordered))
        if len(ordered) > 1 and apart:
            yield Speaks(
                subject=Subject(kind="account", id=account),
                code="speaks_for.new_phone",
                says=Says(
                    zh=f"先后用过 {len(ordered)} 部设备，从不同时使用，像是换了手机",
                    en=f"Used {len(ordered)} devices one after the other and never two at a time, as after a new phone",
                ),
                weight=policy.new_phone,
            )


def _of_the_house(rows: Iterable[Row], policy: Policy) -> Iterator[Speaks]:
    for row in sorted(rows, key=lambda one: (one["kind"], one["id"])):
        kiosk = row["kiosk"] * 2 > row["inside"]
        says = (
            Says(
                zh=f"院内自助机：{row['n']} 条记录中 {row['kiosk']} 条来自自助机渠道",
                en=f"A kiosk of the house: {row['kiosk']} of its {row['n']} rows came by that channel",
            )
            if kiosk
            else Says(
                zh=f"窗口或电话坐席：{row['n']} 条记录中 {row['inside']} 条由工作人员办理",
                en=f"A window or phone line: {row['inside']} of its {row['n']} rows were done by staff",
            )
        )
        yield Speaks(
            subject=Subject(kind=row["kind"], id=row["id"]),
            code="speaks_for.kiosk" if kiosk else "speaks_for.staff_window",
            says=says,
            weight=policy.kiosk if kiosk else policy.staff_window,
        )


def _shared_networks(rows: Iterable[Row], policy: Policy) -> Iterator[Speaks]:
    for row in sorted(rows, key=lambda one: (one["kind"], one["id"])):
        if row["heads"] < policy.network_heads or row["most"] > policy.network_most_share * row["n"]:
            continue
        yield Speaks(
            subject=Subject(kind=row["kind"], id=row["id"]),
            code="speaks_for.shared_network",
            says=Says(
                zh=f"共享网络：{row['heads']} 个访问者，用得最多的一个只占 {row['most'] / row['n']:.0%}",
                en=f"A shared network: {row['heads']} visitors, the busiest of whom did {row['most'] / row['n']:.0%}",
            ),
            weight=policy.shared_network,
            wanted=(Wanted(table="events", where={"ip": row["id"]}),) if row["kind"] == "ip" else (),
        )


def _probes(rows: Iterable[Row], policy: Policy) -> Iterator[Speaks]:
    for row in sorted(rows, key=lambda one: one["ip"]):
        span_us = row["last_at_us"] - row["first_at_us"]
        around_the_clock = row["hours"] * HOUR_US >= 0.9 * span_us >= 0.9 * policy.probe_hours * HOUR_US
        if row["n"] < policy.probe_hits or not around_the_clock:
            continue
        yield Speaks(
            subject=Subject(kind="ip", id=row["ip"]),
            code="speaks_for.monitoring_probe",
            says=Says(
                zh=f"像监控探测：{row['n']} 次请求只访问一个地址，昼夜不停，从不登录",
                en=f"Like a monitoring probe: {row['n']} requests for one thing, around the clock, never signed in",
            ),
            weight=policy.probe,
            wanted=(Wanted(table="hits", where={"ip": row["ip"]}),),
        )


def _refreshes(rows: Iterable[Row], policy: Policy) -> Iterator[Speaks]:
    for row in sorted(rows, key=lambda one: (one["kind"], one["id"], -one["n"])):
        period_us = (row["last_at_us"] - row["first_at_us"]) / max(1, row["n"] - 1)
        if period_us < policy.refresh_from_us or row["posts"] > policy.refresh_posts:
            continue
        yield Speaks(
            subject=Subject(kind=row["kind"], id=row["id"]),
            code="speaks_for.auto_refresh",
            says=Says(
                zh=f"像浏览器自动刷新：{row['total']} 次请求中 {row['n']} 次是同一页面，"
                f"平均每 {period_us / SECOND_US:.0f} 秒一次",
                en=f"Like a page that reloads itself: {row['n']} of {row['total']} requests are for one page, "
                f"every {period_us / SECOND_US:.0f} s on the average",
            ),
            weight=policy.auto_refresh,
        )
