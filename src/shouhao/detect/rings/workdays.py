"""Workdays: when given accounts were at releases and gave slots back, and how many others were there; counted only."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import pairwise

import ibis
import pyarrow as pa
from ibis.expr.types import IntegerValue, Table

from shouhao.detect.counted.fresh_patients import EARLY_US, RUSH_US
from shouhao.detect.identifiers import in_house
from shouhao.detect.model import Tables
from shouhao.detect.rings.crews import Worked
from shouhao.kernel.clock import DAY_US, HOUR_US

_SHIFT_US = 8 * HOUR_US  # the hospital's zone, so that its days are whole
_KINDS = ("booked", "refused", "cancelled", "account_registered")


def workdays(tables: Tables, accounts: Collection[str]) -> Mapping[str, Table]:
    """`deeds`: what the accounts did, account_id, kind, slot_id, at_us, rushed; `crowd`: day, accounts at releases."""
    events = tables.events
    outside = events.filter(~in_house(events) & events.account_id.notnull() & events.kind.isin(_KINDS))
    after_us = outside.at_us - outside.released_at_us
    rushed = outside.kind.isin(("booked", "refused")) & (after_us >= -EARLY_US) & (after_us <= RUSH_US)
    rows = outside.select("account_id", "kind", "slot_id", "at_us", rushed=rushed.fill_null(False))  # noqa: FBT003 - Ibis
    named = ibis.memtable(pa.table({"account_id": pa.array(sorted(accounts), pa.string())}))
    there = rows.filter(rows.rushed)
    return {
        "deeds": rows.semi_join(named, "account_id"),
        "crowd": there.group_by(day=_day(there.at_us)).agg(accounts=there.account_id.nunique()),
    }


def worked_of(deeds: pa.Table) -> dict[str, Worked]:
    """When each of the accounts worked. A slot counts as given on where another of them has it next."""
    days: dict[str, set[int]] = defaultdict(set)
    made: dict[str, int] = {}
    at_slot: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for row in deeds.to_pylist():
        account, kind, at_us = row["account_id"], row["kind"], row["at_us"]
        if row["rushed"]:
            days[account].add((at_us + _SHIFT_US) // DAY_US)
        if kind == "account_registered":
            made[account] = min((at_us + _SHIFT_US) // DAY_US, made.get(account, (at_us + _SHIFT_US) // DAY_US))
        if kind in {"booked", "cancelled"} and row["slot_id"] is not None:
            at_slot[row["slot_id"]].append((at_us, kind, account))
    gaps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for of in at_slot.values():
        of.sort()
        for (gave_us, gave, giver), (took_us, took, taker) in pairwise(of):
            if gave == "cancelled" and took == "booked" and giver != taker:
                gaps[giver].append((took_us - gave_us, (gave_us + _SHIFT_US) % DAY_US // HOUR_US))
    return {
        account: Worked(
            days=frozenset(days.get(account, ())),
            made_on=made.get(account),
            gaps_us=tuple(gap_us for gap_us, _ in sorted(gaps.get(account, ()))),
            hours=tuple(hour for _, hour in sorted(gaps.get(account, ()))),
        )
        for account in sorted({*days, *made, *gaps})
    }


def crowd_of(counted: pa.Table) -> dict[int, int]:
    """How many accounts were at releases, by day."""
    return {row["day"]: row["accounts"] for row in counted.to_pylist()}


def _day(at_us: IntegerValue) -> IntegerValue:
    return (at_us + _SHIFT_US) // DAY_US
