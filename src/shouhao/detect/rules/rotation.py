"""Rotation: one session, account or device that comes through ever new networks.

People roam: from Wi-Fi to mobile data and back, with IPv4 and IPv6 at once, and a carrier may change their address
every hour. What they do not do is take up network after network within an hour, as a script behind a list of proxies.
Networks (/24, /48) are counted, not addresses, and how many a subject newly takes up within any hour: one that it had
less than an hour before is not new. The reverse, many addresses
that work as one, is seen by the pace they keep together (paces.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.paces import PacePolicy, counted_paces, judged_paces
from shouhao.detect.counted.windows import HOUR, Window, peaks
from shouhao.detect.counting import WHO, kinds_in, operations_of, per_minute, united
from shouhao.detect.identifiers import prefix_of
from shouhao.detect.model import TABLES, Says, Speaks, Subject, SubjectKind, Suspicion, TableName, Tables, Wanted
from shouhao.detect.odds import weight_of
from shouhao.detect.sizes import UsualSize, usual_by_kind
from shouhao.detect.strongest import strongest
from shouhao.kernel.clock import HOUR_US

OWASP = "OAT-005 Scalping"
_KINDS: Mapping[str, tuple[str, str]] = {
    "account": ("账号", "accounts"),
    "device": ("设备", "devices"),
    "session": ("会话", "sessions"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is too much, and how much it may weigh."""

    networks: int = 8  #: within an hour; home, office, two carriers, each with IPv4 and IPv6
    paces: PacePolicy = field(default_factory=PacePolicy)
    alone: float = 3.0  #: where no population is known: 20 to 1, as a rule of thumb
    least_weight: float = 1.0  #: nearly three to one; less is not worth a sentence
    most: float = 5.0  #: 150 to 1: there are people who hide behind such services for reasons of their own


class Rotation:
    """Ever new networks: see the file."""

    code: ClassVar[str] = "rotation"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """How many networks each subject newly took up within an hour, and how many all others had in one."""
        found: dict[str, Table] = {}
        window = Window(operations=self.policy.networks, minutes=HOUR)
        for name in TABLES:
            if {f"{name}.ip", f"{name}.user_agent"} <= tables.has:
                found |= counted_paces(tables, name, self.policy.paces)
            kinds = [kind for kind in kinds_in(tables, name) if kind != "ip"]
            if not kinds or f"{name}.ip" not in tables.has:
                continue
            hours = united([_networks_by_hour(tables, name, kind) for kind in kinds])
            most = hours.group_by("kind", "id").agg(size=hours.networks.max())
            found[f"usual_{name}"] = most.group_by("kind", "size").agg(subjects=most.count())
            many = most.filter(most["size"] * 2 >= window.operations)
            rows = united([_rows(tables, name, kind) for kind in kinds]).semi_join(many, ["kind", "id"])
            found[f"peaks_{name}"] = peaks(_arrivals(rows, window), [window])
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """One suspicion a subject, of the table that tells more; then what keeps one pace."""
        looks = sum(key.startswith("usual") for key in counted)
        yield from strongest(
            _suspicion(peak, name, usual.get(peak["kind"]), looks, self.policy)
            for name in TABLES
            if f"usual_{name}" in counted
            for usual in (usual_by_kind(counted[f"usual_{name}"].to_pylist()),)
            for peak in counted[f"peaks_{name}"].to_pylist()
        )
        yield from strongest(one for name in TABLES for one in judged_paces(counted, name, self.policy.paces))


def _networks_by_hour(tables: Tables, name: str, kind: SubjectKind) -> Table:
    """How many networks a subject had in each hour: kind, id, hour, networks."""
    every = per_minute(tables, name)
    rows = every.select("ip", id=every[WHO[kind]], hour=every.minute // HOUR)
    rows = rows.filter(rows.id.notnull() & rows.ip.notnull()).distinct()
    placed = rows.mutate(prefix=prefix_of(rows.ip))
    placed = placed.filter(placed.prefix != "")
    hours = placed.group_by("id", "hour").agg(networks=placed.prefix.nunique().cast("int64"))
    return hours.mutate(kind=ibis.literal(kind))


def _rows(tables: Tables, name: str, kind: SubjectKind) -> Table:
    every = operations_of(tables, name)
    rows = every.select("at_us", "ip", kind=ibis.literal(kind), id=every[WHO[kind]])
    return rows.filter(rows.id.notnull() & rows.ip.notnull())


def _arrivals(rows: Table, window: Window) -> Table:
    """When a subject took up a network that it had not had for as long as the window: kind, id, at_us."""
    placed = rows.mutate(prefix=prefix_of(rows.ip))
    placed = placed.filter(placed.prefix != "")
    alike = [placed.kind, placed.id, placed.prefix]
    before = placed.mutate(before_us=placed.at_us.lag().over(group_by=alike, order_by=placed.at_us))
    new = before.filter(before.before_us.isnull() | (before.at_us - before.before_us >= window.length_us))
    return new.select("kind", "id", "at_us")


def _suspicion(
    peak: Mapping[str, Any], name: TableName, usual: UsualSize | None, looks: int, policy: Policy
) -> Suspicion | None:
    weight = policy.alone if usual is None else weight_of(usual.tail(peak["peak"], looks=looks), most=policy.most)
    if weight < policy.least_weight:
        return None
    zh = f"一小时内先后换用 {peak['peak']} 个此前一小时未用过的网段（/24、/48）；上限 {policy.networks}"
    en = (
        f"Took up {peak['peak']} networks (/24, /48) within one hour that it had not used for an hour; "
        f"the limit is {policy.networks}"
    )
    if usual is not None:
        kind_zh, kind_en = _KINDS[peak["kind"]]
        zh += f"。{usual.subjects} 个{kind_zh}中九成一小时内不超过 {usual.upper_tenth} 个"
        en += f". Nine tenths of {usual.subjects} {kind_en} have at most {usual.upper_tenth} in an hour"
    return Suspicion(
        subject=Subject(kind=peak["kind"], id=peak["id"]),
        code="rotation.networks",
        says=Says(zh=zh, en=en),
        measured=float(peak["peak"]),
        expected=float(usual.median) if usual else 1.0,
        threshold=float(policy.networks),
        weight=round(weight, 3),
        first_at_us=peak["first_us"],
        last_at_us=peak["last_us"],
        wanted=(
            Wanted(
                table=name,
                where={WHO[peak["kind"]]: peak["id"]},
                from_us=peak["until_us"] - HOUR_US + 1,
                until_us=peak["until_us"],
            ),
        ),
        owasp=OWASP,
    )
