"""Fleets: many phones that are one purchase, and accounts that were made one after the other.

A fleet stands behind few addresses with one model, ids from one series and one first minute in the morning. Any one of
the three happens honestly (a company buys its staff the same phone), so two of them are asked for, each measured
against how common the model, the series and the minute are elsewhere. Accounts are created in series when one phone or
one address makes new ones minute after minute while hardly anybody else is there; the lobby's Wi-Fi on the day the
hospital's own people help newcomers has others on it.

What else the accounts of a series have in common, their hours and how quick they are, is serial.py's.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log2
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.reactions import attempts, crowd_counts
from shouhao.detect.counted.registrations import series_of
from shouhao.detect.counting import per_minute, united
from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import Says, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.odds import Usual, binomial_tail, poisson_tail, weight_of
from shouhao.detect.serial import SerialPolicy, odd_hours, of_rings, quick_together
from shouhao.kernel.clock import MINUTE_US

_OWASP = "OAT-019 Account Creation"
_LOCAL_MINUTES, _DAY_MINUTES = 8 * 60, 24 * 60  # the hospital's zone, so that its days are whole
_GROUP = ["prefix", "user_agent"]
_SIGNS = {
    "model": ("同一机型", "one model"),
    "series": ("编号连续", "ids of one series"),
    "start": ("同时开始活动", "one start"),
}
_PLACES = {
    "device": ("同一设备", "device"),
    "ip": ("同一网络地址", "address"),
    "prefix": ("同一网段", "network"),
    "browser": ("同一浏览器或应用版本", "build of a browser or app"),
}
_NO_SUBJECT = "browser"  #: many have it who have nothing to do with it
_SEEN_BY = ("device_id", "ip", "user_agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on phones are a fleet and accounts a series."""

    least_devices: int = 8  #: behind one /24 or /48, of one model; a household has not so many
    most_members: int = 400  #: with more it is a carrier's gateway and a common phone
    id_tail: int = 4  #: characters that count in a series: ten thousand pieces
    model_spread: float = 0.05  #: neighbours buy alike, companies buy at once
    each_least: float = 2.0  #: of each of the three; seven to one
    signs: int = 2  #: of the three
    least_everybody: int = 100  #: devices in the data
    series_least: int = 6  #: accounts; a family that starts on one evening has fewer grown-ups
    series_gap_us: int = 10 * MINUTE_US  #: between one and the next; a form, a code by SMS and a name take minutes
    series_waves: float = 5.0  #: newcomers come at so much more than the mean rate by day and after a notice
    series_first_weight: float = 3.0  #: one account more than any family: twenty to one
    series_per_doubling: float = 1.0
    series_meet: float = 0.5  #: of the time may be somebody's series, in a wave; with more, two meet by chance
    visits_share: float = 0.25  #: of a series' accounts, seen where another was made, for both to be of one hand
    visits_least: int = 3  #: accounts; colleagues who are at two offices are one or two
    serial: SerialPolicy = field(default_factory=SerialPolicy)
    most: float = 5.0
    least_weight: float = 3.0


class Fleets:
    """Phones of one purchase, accounts of one evening: see the file."""

    code: ClassVar[str] = "fleets"
    version: ClassVar[int] = 4
    needs: ClassVar[frozenset[str]] = frozenset()  # either half speaks alone

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """Groups of phones and how common their signs are elsewhere; runs of new accounts at one place."""
        counted = dict(series_of(tables, gap_us=self.policy.series_gap_us, least=self.policy.series_least))
        if {"events.kind", "events.released_at_us"} <= tables.has:
            every = attempts(tables, ("account",))
            serial = counted["series_accounts"]
            tries = every.semi_join(serial, every.id == serial.account_id)
            counted |= {"tries": tries, "crowd": crowd_counts(every.anti_join(tries, "id"), "account")}
        sources = [name for name in ("events", "hits") if {f"{name}.{c}" for c in _SEEN_BY} <= tables.has]
        if sources:
            counted |= _groups(_mornings(tables, sources), self.policy)
        return counted

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """Suspicions: fleets, then series."""
        if "groups" in counted:
            yield from _fleets(counted, self.policy)
        yield from _series(counted, self.policy)

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """What the accounts of a series have in common, said of the ring that they are."""
        yield from of_rings(_series(counted, self.policy), ring_of, self.policy.serial)


def _mornings(tables: Tables, sources: Sequence[str]) -> Table:
    """Each phone's first minute on each day behind each /24 or /48: prefix, user_agent, device_id, account_id, day."""
    columns = ["account_id", *_SEEN_BY]
    minutes = united([per_minute(tables, name).select(*columns, "minute") for name in sources])
    minutes = minutes.filter(minutes.device_id.notnull() & minutes.ip.notnull() & minutes.user_agent.notnull())
    local = minutes.minute + _LOCAL_MINUTES
    minutes = minutes.mutate(day=local - local % _DAY_MINUTES)
    first = minutes.group_by(*columns, "day").agg(start=minutes.minute.min(), end=minutes.minute.max())
    first = first.mutate(
        prefix=prefix_of(first.ip), first_at_us=first.start * MINUTE_US, last_at_us=(first.end + 1) * MINUTE_US - 1
    )
    return first.filter(first.prefix != "")


def _groups(mornings: Table, policy: Policy) -> dict[str, Table]:
    placed = mornings.mutate(
        series=mornings.device_id.left(ibis.greatest(mornings.device_id.length() - policy.id_tail, 1)),
    )
    groups = placed.group_by(*_GROUP).agg(
        devices=placed.device_id.nunique(),
        first_at_us=placed.first_at_us.min(),
        last_at_us=placed.last_at_us.max(),
    )
    groups = groups.filter((groups.devices >= policy.least_devices) & (groups.devices <= policy.most_members))
    within = placed.join(groups.select(*_GROUP), _GROUP)
    common = [
        ("near", "prefix", "devices_near"),
        ("of_model", "user_agent", "devices_of_model"),
        ("of_series", "series", "devices_of_series"),
    ]
    counts = {name: placed.group_by(key).agg(placed.device_id.nunique().name(column)) for name, key, column in common}
    alike = within.group_by(*_GROUP, "series").agg(devices_alike=within.device_id.nunique())
    # A phone that changes its address in the morning is seen twice; it wakes up once.
    woken = placed.group_by("device_id", "day").agg(start=placed.start.min())
    started = within.join(woken, ["device_id", "day", "start"])
    together = started.group_by(*_GROUP, "day", "start").agg(devices_together=started.device_id.nunique())
    that_day = within.group_by(*_GROUP, "day").agg(devices_that_day=within.device_id.nunique())
    everywhere = woken.group_by("day", "start").agg(started=woken.count())
    whole_day = woken.group_by("day").agg(awake=woken.count())
    together = together.filter(together.devices_together >= policy.least_devices // 2)
    members = within.group_by(*_GROUP, "device_id", "account_id").agg(
        first_at_us=within.first_at_us.min(), last_at_us=within.last_at_us.max()
    )
    return {
        "groups": groups.join(counts["near"], "prefix").join(counts["of_model"], "user_agent"),
        "alike": alike.filter(alike.devices_alike >= policy.least_devices // 2).join(counts["of_series"], "series"),
        "together": together.join(that_day, [*_GROUP, "day"]).join(everywhere, ["day", "start"]).join(whole_day, "day"),
        "members": members,
        "everybody": placed.agg(devices=placed.device_id.nunique()),
    }


def _fleets(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    (everybody,) = counted["everybody"].to_pylist()
    if everybody["devices"] < policy.least_everybody:
        return
    alike, together, members = (_by_group(counted[name]) for name in ("alike", "together", "members"))
    for row in sorted(counted["groups"].to_pylist(), key=_group_of):
        group = _group_of(row)
        count = everybody["devices"]
        signs = {
            "model": _model_weight(row, count, policy),
            "series": max((_series_weight(a, row, count, policy) for a in alike.get(group, ())), default=0.0),
            "start": max((_start_weight(t, policy) for t in together.get(group, ())), default=0.0),
        }
        seen = sorted(name for name, weight in signs.items() if weight >= policy.each_least)
        weight = min(policy.most, sum(signs[name] for name in seen))
        if len(seen) >= policy.signs and weight >= policy.least_weight:
            longest = max(alike.get(group, ()), key=lambda a: (a["devices_alike"], a["series"]), default=None)
            series = longest["series"] if longest is not None and "series" in seen else None
            yield from _fleet(row, members.get(group, []), seen, weight, count, policy, series=series)


def _group_of(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["prefix"], row["user_agent"]


def _by_group(table: pa.Table) -> dict[tuple[str, str], list[dict[str, Any]]]:
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        by.setdefault(_group_of(row), []).append(row)
    return by


def _model_weight(row: Mapping[str, Any], everybody: int, policy: Policy) -> float:
    """How much rarer the model is elsewhere than behind this prefix."""
    elsewhere = (row["devices_of_model"] - row["devices"] + 0.5) / (everybody - row["devices_near"] + 1)
    usual = Usual(mean=min(0.999, elsewhere), spread=policy.model_spread, people=everybody)
    return weight_of(usual.tail(n=row["devices_near"], k=row["devices"]), most=policy.most)


def _series_weight(one: Mapping[str, Any], row: Mapping[str, Any], everybody: int, policy: Policy) -> float:
    """How much rarer ids of this series are elsewhere."""
    elsewhere = (one["devices_of_series"] - one["devices_alike"] + 0.5) / (everybody - row["devices"] + 1)
    p = binomial_tail(n=row["devices"], k=one["devices_alike"], p=min(0.999, elsewhere))
    return weight_of(min(1.0, p * row["devices"]), most=policy.most)  # any of them could have set the series


def _start_weight(one: Mapping[str, Any], policy: Policy) -> float:
    """How much rarer it is elsewhere to wake up in this minute."""
    others, awake = one["started"] - one["devices_together"], one["awake"] - one["devices_that_day"]
    p = binomial_tail(n=one["devices_that_day"], k=one["devices_together"], p=min(0.999, (others + 1) / (awake + 2)))
    return weight_of(min(1.0, p * one["devices_that_day"]), most=policy.most)  # any of them could have set the minute


def _fleet(
    row: Mapping[str, Any],
    members: Sequence[Mapping[str, Any]],
    seen: Sequence[str],
    weight: float,
    everybody: int,
    policy: Policy,
    *,
    series: str | None,
) -> Iterator[Suspicion]:
    devices = tuple(Subject(kind="device", id=d) for d in sorted({m["device_id"] for m in members}))
    # One model with ids of one series was bought at once, wherever it is plugged in.
    bought = f"{row['user_agent']} {series}" if series is not None else row["prefix"]
    zh = "、".join(_SIGNS[name][0] for name in seen)
    en = ", ".join(_SIGNS[name][1] for name in seen)
    where = {"device_id": tuple(one.id for one in devices), "user_agent": row["user_agent"]}
    of_prefix = Suspicion(
        subject=Subject(kind="prefix", id=row["prefix"]),
        code="fleets.one_purchase",
        says=Says(
            zh=f"同一网段后有 {row['devices']} 台设备：{zh}",
            en=f"{row['devices']} devices behind one network prefix: {en}",
        ),
        measured=float(row["devices"]),
        expected=row["devices_near"] * row["devices_of_model"] / everybody,
        threshold=float(policy.least_devices),
        weight=weight,
        first_at_us=row["first_at_us"],
        last_at_us=row["last_at_us"],
        wanted=(Wanted(table="events", where=where),),
        owasp=_OWASP,
        members=devices,
    )
    yield of_prefix
    spans: dict[Subject, list[Mapping[str, Any]]] = {}
    for member in members:
        spans.setdefault(Subject(kind="device", id=member["device_id"]), []).append(member)
        if member["account_id"] is not None:
            spans.setdefault(Subject(kind="account", id=member["account_id"]), []).append(member)
    for subject, rows in sorted(spans.items(), key=lambda item: (item[0].kind, item[0].id)):
        column = f"{subject.kind}_id"
        yield replace(
            of_prefix,
            subject=subject,
            first_at_us=min(r["first_at_us"] for r in rows),
            last_at_us=max(r["last_at_us"] for r in rows),
            wanted=(Wanted(table="events", where={column: subject.id, "user_agent": row["user_agent"]}),),
            members=(of_prefix.subject,),
            cohort=f"purchase {bought}" if subject.kind == "account" else None,
        )


def _series(counted: Mapping[str, pa.Table], policy: Policy) -> Iterator[Suspicion]:
    (everybody,) = counted["registered"].to_pylist()
    if everybody["registered"] < policy.least_everybody:
        return
    rows = sorted(counted["series"].to_pylist(), key=lambda r: (r["place_kind"], r["place"], r["first_at_us"]))
    accounts: dict[tuple[str, str, int], list[str]] = {}
    for row in counted["series_accounts"].to_pylist():
        accounts.setdefault((row["place_kind"], row["place"], row["run"]), []).append(row["account_id"])
    best: dict[str, Suspicion] = {}
    met: dict[tuple[str, str], set[str]] = {}
    for row in counted["series_met"].to_pylist():
        met.setdefault((row["place_kind"], row["place"]), set()).add(row["account_id"])
    hand_of = _hands(rows, everybody, accounts, met, policy)
    for row in rows:
        expected = _expected_in_series(row, everybody, policy)
        weight = min(
            policy.series_first_weight + policy.series_per_doubling * log2(row["accounts"] / policy.series_least),
            # The first of a series is no coincidence yet.
            weight_of(poisson_tail(k=row["accounts"] - 1, mean=expected), most=policy.most),
        )
        if weight < policy.least_weight or row["active"] > 2 * row["accounts"]:
            continue
        made = sorted(accounts[(row["place_kind"], row["place"], row["run"])])
        of_place = _one_series(row, made, expected, weight, policy)
        known = row["place_kind"] != _NO_SUBJECT
        if known:
            yield of_place
        for account in made:
            where = {"account_id": account, "kind": "account_registered"}
            one = replace(
                of_place,
                subject=Subject(kind="account", id=account),
                wanted=(Wanted(table="events", where=where),),
                members=(of_place.subject,) if known else (),
                cohort=f"series {hand_of[row['place_kind'], row['place'], row['run']]}",
            )
            if account not in best or one.weight > best[account].weight:
                best[account] = one
    yield from (best[account] for account in sorted(best))
    yield from odd_hours(best, counted["made_alone"].to_pylist(), policy.serial, least=policy.series_least)
    if "tries" in counted:
        yield from quick_together(best, counted["tries"], counted["crowd"], policy.serial)


def _hands(
    rows: Sequence[Mapping[str, Any]],
    everybody: Mapping[str, Any],
    accounts: Mapping[tuple[str, str, int], Sequence[str]],
    met: Mapping[tuple[str, str], Collection[str]],
    policy: Policy,
) -> dict[tuple[str, str, int], str]:
    """Which series one hand has made: those of one place, of accounts that go to each other's places, or of one time.

    A box of SIM cards goes out by several networks in turn, on the night on which it makes accounts and later. Where
    accounts are seen at the places of other series, that tells who belongs together; where they are not, one time does,
    unless series are so many that two meet by chance.

    Args:
        met: series accounts that were ever at each place.
    """
    span_us = max(1, everybody["until_us"] - everybody["from_us"])
    placed_rows = [row for row in rows if row["place_kind"] != _NO_SUBJECT]  # the others are of the same waves
    busy_us = sum(row["last_at_us"] - row["first_at_us"] + policy.series_gap_us for row in placed_rows)
    by_time = policy.series_waves * busy_us <= policy.series_meet * span_us
    runs = sorted(rows, key=lambda r: (r["first_at_us"], r["place_kind"], r["place"]))
    made = [frozenset(accounts[_run_of(row)]) for row in runs]
    there = [
        made[n] if row["place_kind"] == _NO_SUBJECT else frozenset(met.get((row["place_kind"], row["place"]), ()))
        for n, row in enumerate(runs)
    ]

    def visits(n: int, k: int) -> bool:
        return len(made[n] & there[k]) >= max(policy.visits_least, policy.visits_share * len(made[n]))

    pairs = [(k, n) for n in range(len(runs)) for k in range(n)]
    tied = {pair for pair in pairs if visits(*pair) or visits(*reversed(pair))}
    placed = {n for pair in tied if not made[pair[0]] & made[pair[1]] for n in pair if not _one_place(runs, *pair)}
    hand = list(range(len(runs)))
    for k, n in pairs:
        at_once = by_time and runs[n]["first_at_us"] <= runs[k]["last_at_us"] and not placed & {k, n}
        if at_once or (k, n) in tied or _one_place(runs, k, n):
            hand = [min(hand[k], hand[n]) if known in {hand[k], hand[n]} else known for known in hand]
    return {_run_of(row): f"{runs[hand[n]]['place_kind']} {runs[hand[n]]['place']}" for n, row in enumerate(runs)}


def _run_of(row: Mapping[str, Any]) -> tuple[str, str, int]:
    return row["place_kind"], row["place"], row["run"]


def _one_place(runs: Sequence[Mapping[str, Any]], k: int, n: int) -> bool:
    return (runs[k]["place_kind"], runs[k]["place"]) == (runs[n]["place_kind"], runs[n]["place"])


def _expected_in_series(row: Mapping[str, Any], everybody: Mapping[str, Any], policy: Policy) -> float:
    """How many new accounts a place of that size would see in that time."""
    share = min(1.0, (row["accounts_there"] - row["accounts"] + 1) / everybody["active"])
    span_us = max(1, everybody["until_us"] - everybody["from_us"])
    window_us = row["last_at_us"] - row["first_at_us"] + policy.series_gap_us
    return float(policy.series_waves * everybody["registered"] * share * min(1.0, window_us / span_us))


def _one_series(
    row: Mapping[str, Any], made: Sequence[str], expected: float, weight: float, policy: Policy
) -> Suspicion:
    minutes = (row["last_at_us"] - row["first_at_us"]) / MINUTE_US
    zh, en = _PLACES[row["place_kind"]]
    where = {"account_id": tuple(made), "kind": "account_registered"}
    return Suspicion(
        subject=Subject(kind=row["place_kind"], id=row["place"]),
        code="fleets.created_in_series",
        says=Says(
            zh=f"{zh}在 {minutes:.0f} 分钟内接连注册 {row['accounts']} 个账号，同时只有 {row['active']} 个账号在用",
            en=f"{row['accounts']} accounts were created one after the other in {minutes:.0f} minutes at one {en}, "
            f"where {row['active']} accounts were active",
        ),
        measured=float(row["accounts"]),
        expected=expected,
        threshold=float(policy.series_least),
        weight=weight,
        first_at_us=row["first_at_us"],
        last_at_us=row["last_at_us"],
        wanted=(Wanted(table="events", where=where),),
        owasp=_OWASP,
        members=tuple(Subject(kind="account", id=account) for account in made),
    )
