"""Paces: one kind of browser that comes from everywhere and is steadier than people can be together.

People who do not know of each other make some minutes full and others empty: the difference between one minute and the
next is as large as chance makes it, whatever they do by day and by night (Poisson), and larger where one click makes
several requests. A script that hands its requests to a list of proxies, or a rack of phones that ask at one interval,
is steadier, also when it adds some chance to each pause. It is the sum that gives it away, so nothing is asked of any
single address.
Source: von Neumann, Distribution of the ratio of the mean square successive difference to the variance (1941).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counting import per_minute
from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import Says, Subject, Suspicion, TableName, Tables, Wanted
from shouhao.detect.odds import weight_of
from shouhao.kernel.clock import MINUTE_US

OWASP = "OAT-005 Scalping"


@dataclass(frozen=True, slots=True, kw_only=True)
class PacePolicy:
    """From when on many addresses are one script, and how much that may weigh."""

    addresses: int = 20  #: fewer may be one office
    networks: int = 10  #: screens in the hospital's halls refresh at one interval, from one network
    most_of_one: float = 0.2  #: of the requests, by the busiest address: more is one script at one place
    minutes: int = 15  #: pairs of neighbouring minutes
    a_minute: float = 4.0  #: requests; with fewer, empty minutes say little
    steadiness: float = 0.5  #: of what chance makes: half of the requests may be other people's
    chance: float = 0.01  #: that any kind of browser in the data looks like this by chance alone
    most: float = 2.5  #: 12 to 1: services that watch whether a site is up are built in the same way


def counted_paces(tables: Tables, name: str, policy: PacePolicy) -> dict[str, Table]:
    """Kinds of browsers that are steadier than chance, each with its addresses and how many kinds were looked at."""
    every = per_minute(tables, name)
    rows = every.select("user_agent", "ip", "minute", "operations")
    rows = rows.filter(rows.user_agent.notnull() & rows.ip.notnull())
    spread = _spread(rows, policy)
    steady = _steady(rows.semi_join(spread, "user_agent"), policy)
    told = steady.join(spread.mutate(looked_at=spread.count().over(ibis.window())), ["user_agent"])
    of_address = rows.semi_join(steady, "user_agent").group_by("user_agent", "ip").agg(n=rows.operations.sum())
    place = ibis.row_number().over(group_by=of_address.user_agent, order_by=[ibis.desc(of_address.n), of_address.ip])
    busiest = of_address.mutate(place=place)
    return {
        f"paces_{name}": told.join(busiest.filter(busiest.place < _MEMBERS).select("user_agent", "ip"), ["user_agent"])
    }


def judged_paces(counted: Mapping[str, pa.Table], name: TableName, policy: PacePolicy) -> Iterator[Suspicion]:
    """One suspicion a kind of browser; the chance is corrected for how many kinds there are."""
    if f"paces_{name}" not in counted:
        return
    each: dict[str, list[Mapping[str, Any]]] = {}
    for row in counted[f"paces_{name}"].to_pylist():
        each.setdefault(row["user_agent"], []).append(row)
    for _, rows in sorted(each.items()):
        told = rows[0]
        p = chance_of(pairs=told["pairs"], differences=told["differences"], requests=told["requests"])
        if p * told["looked_at"] <= policy.chance:
            yield _suspicion(told, name, p, sorted(row["ip"] for row in rows), policy)


def chance_of(*, pairs: int, differences: int, requests: int) -> float:
    """How likely people are to be at least as steady.

    Args:
        pairs: of neighbouring minutes.
        differences: between the minutes of each pair, squared, summed.
        requests: in both minutes of each pair, summed.

    >>> chance_of(pairs=60, differences=60 * 40, requests=60 * 40) > 0.4
    True
    >>> chance_of(pairs=60, differences=60 * 2, requests=60 * 40) < 1e-18
    True
    """
    from scipy import special  # noqa: PLC0415 - heavy, and wanted here alone

    # Neighbouring pairs share a minute, so that so many of them tell no more than two thirds would.
    freedom = 2 * pairs / 3
    return float(special.gammainc(freedom / 2, freedom * differences / max(1, requests) / 2))


def _spread(rows: Table, policy: PacePolicy) -> Table:
    """Kinds of browsers that come from many places: user_agent, addresses, networks, operations, top."""
    of_address = rows.group_by("user_agent", "ip").agg(n=rows.operations.sum().cast("int64"))
    many = of_address.group_by("user_agent").agg(
        addresses=of_address.count(), operations=of_address.n.sum().cast("int64"), top=of_address.n.max()
    )
    many = many.filter(
        (many.addresses >= policy.addresses)
        & (many.operations >= policy.minutes * policy.a_minute)
        & (many.top <= many.operations * policy.most_of_one)
    )
    placed = of_address.semi_join(many, "user_agent")
    networks = placed.group_by("user_agent").agg(networks=prefix_of(placed.ip).nunique().cast("int64"))
    wide = networks.filter(networks.networks >= policy.networks)
    return many.join(wide, ["user_agent"]).select("user_agent", "addresses", "networks", "operations", "top")


def _steady(rows: Table, policy: PacePolicy) -> Table:
    """The steady ones: user_agent, pairs, differences, requests, first_minute, last_minute.

    The first and the last minute of a run are cut off by its start and end, and left out.
    """
    minutes = rows.group_by("user_agent", "minute").agg(n=rows.operations.sum().cast("int64"))
    alike = {"group_by": minutes.user_agent, "order_by": minutes.minute}
    beside = minutes.mutate(
        before=minutes.n.lag().over(**alike),
        first=minutes.minute.lag(2).over(**alike),
        last=minutes.minute.lead().over(**alike),
    )
    inside = beside.filter((beside.minute - beside["first"] == 2) & (beside["last"] - beside.minute == 1))  # noqa: PLR2004
    step = inside.n - inside.before
    sums = inside.group_by("user_agent").agg(
        pairs=inside.count(),
        differences=(step * step).sum().cast("int64"),
        requests=(inside.n + inside.before).sum().cast("int64"),
        first_minute=inside.minute.min() - 1,
        last_minute=inside.minute.max(),
    )
    return sums.filter(
        (sums.pairs >= policy.minutes)
        & (sums.requests >= sums.pairs * (2 * policy.a_minute))
        & (sums.differences <= sums.requests * policy.steadiness)
    )


_MEMBERS = 200  # addresses that are listed, the busiest


def _suspicion(
    row: Mapping[str, Any], name: TableName, p: float, addresses: Iterable[str], policy: PacePolicy
) -> Suspicion:
    steadiness = row["differences"] / max(1, row["requests"])
    a_minute = row["requests"] / (2 * row["pairs"])
    from_us, until_us = row["first_minute"] * MINUTE_US, (row["last_minute"] + 1) * MINUTE_US - 1
    digest = sha256(row["user_agent"].encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return Suspicion(
        subject=Subject(kind="ring", id=f"pace-{digest}"),
        code="rotation.one_pace",
        says=Says(
            zh=f"同一种浏览器从 {row['networks']} 个网段的 {row['addresses']} 个地址访问，"
            f"合计每分钟 {a_minute:.1f} 次；相邻分钟之差的平方仅为互不相识者的 {steadiness:.0%}，"
            "像同一个程序在轮换地址",
            en=f"One kind of browser on {row['addresses']} addresses of {row['networks']} networks makes "
            f"{a_minute:.1f} requests a minute together; from minute to minute it differs by only {steadiness:.0%} "
            f"(squared) of what people who do not know each other would: one program that changes addresses",
        ),
        measured=round(steadiness, 4),
        expected=1.0,
        threshold=policy.steadiness,
        weight=round(weight_of(p, most=policy.most), 3),
        first_at_us=from_us,
        last_at_us=until_us,
        wanted=(Wanted(table=name, where={"user_agent": row["user_agent"]}, from_us=from_us, until_us=until_us),),
        owasp=OWASP,
        members=tuple(Subject(kind="ip", id=address) for address in addresses),
    )
