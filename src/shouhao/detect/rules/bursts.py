"""Bursts: more operations in a minute than a hand can do, or not as many a minute but for much longer.

Counted per account, device, session and address, over every stretch of time and not over the minutes of the clock. An
address is shared by honest people: what carries a session, device or account is counted there, and only the rest is
held against the address, divided by the browsers it shows. How many operations a page makes depends on the hospital's
pages, so the limit is the policy's but what it weighs comes from the population: where busy pages make everybody exceed
it, it says nothing. Who stays just below every limit is not found here; hammering.py counts totals.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.counted.windows import HOUR, Window, peaks, to_look_at, usual_fill
from shouhao.detect.counting import (
    WHO,
    head_of,
    kinds_in,
    minute_of,
    minutes_of,
    operations_of,
    per_minute,
    united,
    unnamed,
)
from shouhao.detect.model import TABLES, Says, Speaks, Subject, SubjectKind, Suspicion, TableName, Tables, Wanted
from shouhao.detect.odds import weight_of
from shouhao.detect.sizes import UsualSize, usual_by_kind
from shouhao.detect.strongest import strongest
from shouhao.kernel.clock import MINUTE_US

OWASP = "OAT-005 Scalping"
KINDS_ZH: Mapping[str, str] = {"account": "账号", "device": "设备", "session": "会话", "ip": "地址"}
KINDS_EN: Mapping[str, str] = {"account": "accounts", "device": "devices", "session": "sessions", "ip": "addresses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """From when on it is too much, and how much it may weigh."""

    #: The first one holds for addresses as well; totals of addresses are for hammering.py.
    windows: tuple[Window, ...] = (
        Window(operations=100, minutes=1),  # two taps a second do not last for a minute
        Window(operations=500, minutes=10),  # whoever knows of the first limit and stays below it
        Window(operations=2_400, minutes=60),  # and of the second: three in five seconds, for an hour
    )
    alone: float = 3.0  #: where no population is known: in 20 of 21 such cases it is a script, as a rule of thumb
    least_weight: float = 1.0  #: nearly three to one; less is not worth a sentence
    most: float = 5.0  #: 150 to 1: broken clients that retry without end exist as well
    most_of_address: float = 3.0  #: 20 to 1: browsers that look alike may be many people


_CODES = {1: "bursts.in_a_minute", 10: "bursts.in_ten_minutes", 60: "bursts.in_an_hour"}
_ABOUT = ("named", "addresses")


class Bursts:
    """Too many operations in too short a time: see the file."""

    code: ClassVar[str] = "bursts"
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()

    def count(self, tables: Tables) -> Mapping[str, Table]:
        """The fullest stretch of everybody above a limit, and the fullest buckets of the whole population."""
        found: dict[str, Table] = {}
        windows = self.policy.windows
        for name in TABLES:
            kinds = kinds_in(tables, name)
            named = tuple(kind for kind in kinds if kind != "ip")
            if named:
                minutes = united([minutes_of(tables, name, kind) for kind in named])
                rows = united([_rows(tables, name, kind) for kind in named])
                look_at = _within(minutes, to_look_at(minutes, windows))
                found[f"peaks_named_{name}"] = peaks(_looked_at(rows, look_at), windows)
                found[f"usual_named_{name}"] = usual_fill(minutes)
            if "ip" in kinds:
                minutes = minutes_of(tables, name, "ip")
                look_at = _within(minutes, to_look_at(minutes, windows[:1]))
                rows = unnamed(_looked_at(_rows(tables, name, "ip"), look_at), tables, name)
                found[f"peaks_addresses_{name}"] = peaks(rows, windows[:1])
                found[f"usual_addresses_{name}"] = usual_fill(minutes)
                found[f"browsers_{name}"] = _browsers(tables, name, look_at)
        return found

    def judge(self, counted: Mapping[str, pa.Table]) -> Iterable[Suspicion | Speaks]:
        """One suspicion a subject, of its most telling window."""
        looks = len(self.policy.windows) * len({key.rpartition("_")[2] for key in counted})
        yield from strongest(
            _suspicion(peak, name, usual.get((peak["kind"], peak["window"] > 0)), looks, self.policy)
            for name in TABLES
            for usual in (_usual(counted, name),)
            for peak in _peaks(counted, name)
        )


def _rows(tables: Tables, name: str, kind: SubjectKind) -> Table:
    """What is counted for a subject: kind, id, minute, at_us, head."""
    every = operations_of(tables, name)
    return every.select(
        "at_us", kind=ibis.literal(kind), id=every[WHO[kind]], minute=minute_of(every.at_us), head=head_of(every)
    )


def _browsers(tables: Tables, name: str, look_at: Table) -> Table:
    """How many kinds of browsers an address shows, by minute, where that matters: id, minute, browsers."""
    every = per_minute(tables, name)
    rows = every.select("user_agent", "minute", kind=ibis.literal("ip"), id=every.ip, head=head_of(every))
    rows = unnamed(_looked_at(rows, look_at), tables, name)
    return rows.group_by("id", "minute").agg(browsers=rows.user_agent.nunique().cast("int64"))


def _within(minutes: Table, where: Table) -> Table:
    """The minutes that lie in the stretches, one by one: millions of rows are then found by equality alone."""
    within = [minutes.minute >= where.from_minute, minutes.minute <= where.until_minute]
    found = minutes.semi_join(where, [minutes.kind == where.kind, minutes.id == where.id, *within])
    return found.select("kind", "id", "minute")


def _looked_at(rows: Table, minutes: Table) -> Table:
    return rows.semi_join(minutes, ["kind", "id", "minute"])


def _peaks(counted: Mapping[str, pa.Table], name: str) -> Iterator[dict[str, Any]]:
    """The peaks in order, each with how many kinds of browsers it shows; 1 where that says nothing."""
    tables = [counted[key] for about in _ABOUT if (key := f"peaks_{about}_{name}") in counted]
    seen = {}
    if f"browsers_{name}" in counted:
        seen = {(row["id"], row["minute"]): row["browsers"] for row in counted[f"browsers_{name}"].to_pylist()}
    found = [row for table in tables for row in table.to_pylist()]
    for peak in sorted(found, key=lambda row: (row["kind"], row["id"], row["window"])):
        last = peak["until_us"] // MINUTE_US
        browsers = [seen.get((peak["id"], minute), 0) for minute in (last - 1, last) if peak["kind"] == "ip"]
        yield {**peak, "browsers": max(1, *browsers, 1)}


def _usual(counted: Mapping[str, pa.Table], name: str) -> dict[tuple[str, bool], UsualSize]:
    """By kind of subject, and whether it is of hours or of minutes."""
    rows = [row for a in _ABOUT if (key := f"usual_{a}_{name}") in counted for row in counted[key].to_pylist()]
    return {
        (kind, hours): usual
        for hours in (False, True)
        for kind, usual in usual_by_kind(row for row in rows if (row["of"] == HOUR) == hours).items()
    }


def _suspicion(
    peak: Mapping[str, Any], name: TableName, usual: UsualSize | None, looks: int, policy: Policy
) -> Suspicion | None:
    window = policy.windows[peak["window"]]
    shared = peak["kind"] == "ip"
    measured = peak["peak"] / peak["browsers"]
    most = policy.most_of_address if shared else policy.most
    weight = min(policy.alone, most) if usual is None else weight_of(usual.tail(measured, looks=looks), most=most)
    if measured < window.operations or weight < policy.least_weight:
        return None
    return Suspicion(
        subject=Subject(kind=peak["kind"], id=peak["id"]),
        code=_CODES.get(window.minutes, "bursts.in_a_while"),
        says=_says(peak, window, usual, shared=shared),
        measured=round(measured, 1),
        expected=float(usual.median) if usual else 0.0,
        threshold=float(window.operations),
        weight=round(weight, 3),
        first_at_us=peak["first_us"],
        last_at_us=peak["last_us"],
        wanted=(
            Wanted(
                table=name,
                where={WHO[peak["kind"]]: peak["id"]},
                from_us=peak["until_us"] - window.length_us + 1,
                until_us=peak["until_us"],
            ),
        ),
        owasp=OWASP,
    )


def _says(peak: Mapping[str, Any], window: Window, usual: UsualSize | None, *, shared: bool) -> Says:
    zh = f"{window.minutes} 分钟内操作 {peak['peak']} 次（图片、样式、脚本文件不计）"
    en = f"{peak['peak']} operations within {window.minutes} min (pictures, styles and scripts left out)"
    if shared:
        zh += f"，均不属于任何可辨认的会话、设备或账号，浏览器种类 {peak['browsers']}"
        en += f", of no session, device or account that can be told, by {peak['browsers']} kinds of browsers"
    zh += f"；上限 {window.operations} 次"
    en += f"; the limit is {window.operations}"
    if usual is not None:
        zh += f"。{usual.subjects} 个{KINDS_ZH[peak['kind']]}的中位数为 {usual.median} 次"
        en += f". The median of {usual.subjects} {KINDS_EN[peak['kind']]} is {usual.median}"
    return Says(zh=zh, en=en)
