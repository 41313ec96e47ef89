"""Hammering: so many operations in a day that the subject lies far outside the population.

Looked at are accounts, devices, sessions, addresses, their networks of 256 (/24, /48 for IPv6) and, where a table is
given, whoever runs the network (AS number). What belongs to a session, device or account that comes again is counted
there alone; only the rest is held against an address or a network, divided by the browsers it shows: a hospital's Wi-Fi
or a carrier's gateway is busy because many people are behind it. A network is named only if no single address or
network in it explains the most of it. Short peaks are for bursts.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import IntegerValue, Table

from shouhao.detect.counting import WHO, head_of, kinds_in, minutes_of, per_minute, united, unnamed
from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import TABLES, Says, Speaks, Subject, Suspicion, TableName, Tables, Wanted
from shouhao.detect.odds import weight_of
from shouhao.detect.sizes import UsualSize, usual_by_kind
from shouhao.detect.strongest import strongest
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US

OWASP = "OAT-005 Scalping"
_EAST_US = 8 * HOUR_US  # a day is the hospital's: China has had one zone and no summer time since 1991
_KINDS: Mapping[str, tuple[str, str]] = {
    "account": ("账号", "accounts"),
    "device": ("设备", "devices"),
    "session": ("会话", "sessions"),
    "ip": ("地址", "addresses"),
}
_CODES: Mapping[str, str] = {
    **dict.fromkeys(("account", "device", "session"), "hammering.total"),
    "ip": "hammering.address",
    "prefix": "hammering.network",
    "asn": "hammering.operator",
}
_SHARED = ("prefix", "asn")
_KEYS = ("kind", "id", "day", "n", "total", "first_us", "last_us")
_ADDRESSES = 200  # of a network are cited, the busiest


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is too much, and how much it may weigh."""

    floor: int = 2_000  #: operations in a day; three page views a minute for eleven hours
    alone: float = 2.0  #: where no population is known: 7 to 1, as a rule of thumb
    least_weight: float = 1.0  #: nearly three to one; less is not worth a sentence
    most: float = 5.0  #: 150 to 1: a broken client that asks without end hammers too
    #: Browsers that look alike may be many people, and a network is no person: 55 to 1, 12 to 1, 4 to 1.
    most_of: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"ip": 4.0, "prefix": 2.5, "asn": 1.5})
    )
    one_explains: float = 0.8  #: of what a network did: then the address is named, and the network is not


class Hammering:
    """Totals far outside the population: see the file."""

    code: ClassVar[str] = "hammering"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """The busiest day of everybody above the floor, and of the whole population."""
        found: dict[str, Table] = {}
        for name in TABLES:
            kinds = kinds_in(tables, name)
            if not kinds:
                continue
            days = united([_by_day(minutes_of(tables, name, kind)) for kind in kinds])
            busiest = days.group_by("kind", "id").agg(size=days.n.max())
            found[f"usual_{name}"] = busiest.group_by("kind", "size").agg(subjects=busiest.count())
            found[f"named_{name}"] = _above(days.filter(days.kind != "ip"), self.policy.floor)
            if "ip" in kinds:
                found |= _of_networks(tables, name, self.policy.floor)
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """One suspicion a subject, of the table that tells more."""
        yield from strongest(one for name in TABLES for one in self._judged(counted, name))

    def _judged(self, counted: Mapping[str, pa.Table], name: TableName) -> Iterator[Suspicion | None]:
        if f"usual_{name}" not in counted:
            return
        looks = sum(key.startswith("usual") for key in counted)
        usual = usual_by_kind(counted[f"usual_{name}"].to_pylist())
        addresses = _addresses(counted.get(f"addresses_{name}"))
        for about in ("named", "unnamed"):
            if f"{about}_{name}" in counted:
                for row in counted[f"{about}_{name}"].to_pylist():
                    yield _suspicion(row, usual, looks, _wanted(row, name, addresses), self.policy)


def _day_of(minute: IntegerValue) -> IntegerValue:
    return (minute + _EAST_US // MINUTE_US) // (DAY_US // MINUTE_US)


def _by_day(minutes: Table) -> Table:
    """What each subject did on each day: kind, id, day, n, first_us, last_us."""
    rows = minutes.select("kind", "id", "operations", "minute", day=_day_of(minutes.minute))
    return rows.group_by("kind", "id", "day").agg(
        n=rows.operations.sum().cast("int64"),
        first_us=rows.minute.min() * MINUTE_US,
        last_us=(rows.minute.max() + 1) * MINUTE_US - 1,
    )


def _above(days: Table, floor: int) -> Table:
    """The busiest day of each subject that reaches the floor on it, the first of several: _KEYS."""
    days = days.semi_join(days.filter(days.n >= floor), ["kind", "id"])
    alike = [days.kind, days.id]
    told = days.mutate(
        place=ibis.row_number().over(group_by=alike, order_by=[ibis.desc(days.n), days.day]),
        total=days.n.sum().over(group_by=alike).cast("int64"),
    )
    return told.filter((told.place == 0) & (told.n >= floor)).select(*_KEYS)


def _of_networks(tables: Tables, name: str, floor: int) -> dict[str, Table]:
    """The same for addresses and networks, and what they are made of.

    `unnamed`: _KEYS, addresses, top, browsers, where `top` is how much of `n` the busiest address of a network did, or
    the busiest network of an operator. `addresses`: kind, id, address, n of the busiest addresses.
    """
    every = per_minute(tables, name)
    rows = every.select("minute", "operations", "user_agent", id=every.ip, head=head_of(every))
    rows = unnamed(rows.filter(rows.id.notnull()), tables, name).mutate(kind=ibis.literal("ip"))
    groups = _groups(tables, _by_day(rows))
    above = _above(
        groups.group_by("kind", "id", "day").agg(
            n=groups.n.sum().cast("int64"), first_us=groups.first_us.min(), last_us=groups.last_us.max()
        ),
        floor,
    )
    inside = groups.select("kind", "id", "part", "address", "day", m=groups.n).join(above, ["kind", "id", "day"])
    parts = inside.group_by(*_KEYS, "part").agg(m=inside.m.sum(), addresses=inside.count())
    made_of = parts.group_by(*_KEYS).agg(top=parts.m.max().cast("int64"), addresses=parts.addresses.sum().cast("int64"))
    seen = rows.select("user_agent", day=_day_of(rows.minute), address=rows.id).join(
        inside.select("kind", "address", "day", subject=inside.id), ["address", "day"]
    )
    browsers = seen.group_by("kind", "subject").agg(browsers=seen.user_agent.nunique())
    joined = made_of.join(browsers.rename(id="subject"), ["kind", "id"])
    place = ibis.row_number().over(group_by=[inside.kind, inside.id], order_by=[ibis.desc(inside.m), inside.address])
    busiest = inside.filter(inside.kind != "ip").mutate(place=place)
    return {
        f"unnamed_{name}": joined.select(*_KEYS, "top", "addresses", "browsers"),
        f"addresses_{name}": busiest.filter(busiest.place < _ADDRESSES).select("kind", "id", "address", "place"),
    }


def _groups(tables: Tables, of_address: Table) -> Table:
    """What each address did, for itself, for its network and for whoever runs that: kind, id, part, address, day, n."""
    placed = of_address.drop("kind").mutate(prefix=prefix_of(of_address.id))
    columns = ["day", "n", "first_us", "last_us"]
    parts = [
        placed.select(*columns, address="id", kind=ibis.literal("ip"), id=placed.id, part=placed.id),
        placed.select(*columns, address="id", kind=ibis.literal("prefix"), id=placed.prefix, part=placed.id),
    ]
    if tables.networks is not None:
        known = placed.rename(address="id").join(tables.networks, ["prefix"])
        operator = ibis.literal("AS") + known.asn.cast("string")
        parts.append(known.select(*columns, "address", kind=ibis.literal("asn"), id=operator, part="prefix"))
    order = ["kind", "id", "part", "address", *columns]
    every = united([part.select(*order) for part in parts])
    return every.filter(every.id != "")


def _addresses(table: pa.Table | None) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    rows = [] if table is None else table.to_pylist()
    for row in sorted(rows, key=lambda row: (row["kind"], row["id"], row["place"])):
        found.setdefault((row["kind"], row["id"]), []).append(row["address"])
    return {key: tuple(addresses) for key, addresses in found.items()}


def _suspicion(
    row: Mapping[str, Any],
    usual: Mapping[str, UsualSize],
    looks: int,
    wanted: Wanted,
    policy: Policy,
) -> Suspicion | None:
    kind = row["kind"]
    measured = row["n"] / max(1, row.get("browsers", 1))
    if kind in {"prefix", "asn"} and row["top"] >= policy.one_explains * row["n"]:
        return None
    most = policy.most_of.get(kind, policy.most)
    like = usual.get("ip" if "browsers" in row else kind)
    weight = min(policy.alone, most) if like is None else weight_of(like.tail(measured, looks=looks), most=most)
    if measured < policy.floor or weight < policy.least_weight:
        return None
    return Suspicion(
        subject=Subject(kind="prefix" if kind == "asn" else kind, id=row["id"]),
        code=_CODES[kind],
        says=_says(row, like),
        measured=round(measured, 1),
        expected=float(like.median) if like else 0.0,
        threshold=float(policy.floor),
        weight=round(weight, 3),
        first_at_us=row["first_us"],
        last_at_us=row["last_us"],
        wanted=(wanted,),
        owasp=OWASP,
    )


def _wanted(row: Mapping[str, Any], name: TableName, addresses: Mapping[Any, tuple[str, ...]]) -> Wanted:
    where = {"ip": addresses[row["kind"], row["id"]]} if row["kind"] in _SHARED else {WHO[row["kind"]]: row["id"]}
    return Wanted(table=name, where=where, from_us=row["first_us"], until_us=row["last_us"])


def _says(row: Mapping[str, Any], like: UsualSize | None) -> Says:
    zh = f"一天内操作 {row['n']} 次，全部日志共 {row['total']} 次（图片、样式、脚本文件不计）"
    en = f"{row['n']} operations in one day, {row['total']} in all (pictures, styles and scripts left out)"
    if "browsers" in row:
        zh += f"，均不属于任何可辨认的会话、设备或账号，来自 {row['addresses']} 个地址、{row['browsers']} 种浏览器"
        en += (
            f", of no session, device or account that can be told, from {row['addresses']} addresses and "
            f"{row['browsers']} kinds of browsers"
        )
    if like is not None:
        kind_zh, kind_en = _KINDS["ip" if "browsers" in row else row["kind"]]
        zh += f"；{like.subjects} 个{kind_zh}最忙一天的中位数为 {like.median} 次"
        en += f"; of {like.subjects} {kind_en}, the busiest day has {like.median} in the median"
    return Says(zh=zh, en=en)
