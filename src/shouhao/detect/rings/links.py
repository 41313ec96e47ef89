"""Links: what accounts and patients have used, counted: devices, payers, phones, addresses, faces.

Whoever is served at a window, by phone or at a kiosk uses the hospital's own device and address; those rows say nothing
about who belongs to whom and are left out. Who belongs to whom is decided in rings.py and in the rules.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

import ibis
from ibis.expr.types import StringValue, Table

from shouhao.detect.counting import per_minute
from shouhao.detect.identifiers import HUB_FROM, IdentifierKind, in_house, prefix_of
from shouhao.detect.model import Tables
from shouhao.kernel.clock import MINUTE_US

_COLUMNS: Mapping[IdentifierKind, str] = MappingProxyType(
    {
        "device": "device_id",
        "payer": "payer_id",
        "patient": "patient_id",
        "session_token": "session_token",
        "face": "face_hash",
        "frame": "frame_hash",
        "ip": "ip",
    }
)
_PATIENT_KINDS: tuple[IdentifierKind, ...] = ("payer", "patient", "face", "frame")
_PHONE = r'"phone(?:_id|_hash)?"\s*:\s*"([^"]+)"'


def links(tables: Tables, *, kinds: Collection[IdentifierKind] = tuple(HUB_FROM)) -> Table:
    """Which account or patient used what: member_kind, member, kind, value, n, first_at_us, last_at_us."""
    outside = tables.events.filter(~in_house(tables.events))
    values: dict[IdentifierKind, StringValue] = {
        kind: outside[column] for kind, column in _COLUMNS.items() if f"events.{column}" in tables.has
    }
    if "events.ip" in tables.has:
        values["prefix"] = prefix_of(outside.ip)
    if "events.detail" in tables.has:
        values["phone"] = outside.detail.re_extract(_PHONE, 1)
    values = {kind: value for kind, value in values.items() if kind in kinds}
    parts = [_grouped(outside, "account", kind, value) for kind, value in values.items()]
    parts += [_grouped(outside, "patient", kind, values[kind]) for kind in _PATIENT_KINDS if kind in values]
    parts += _of_hits(tables, kinds)
    if not parts:
        parts = [_grouped(outside, "account", "device", outside.device_id)]  # all null: no rows, the same columns
    together = ibis.union(*parts) if len(parts) > 1 else parts[0]
    return together.group_by("member_kind", "member", "kind", "value").agg(
        n=together.n.sum().cast("int64"),
        first_at_us=together.first_at_us.min(),
        last_at_us=together.last_at_us.max(),
    )


def shared_links(tables: Tables, *, most: Mapping[IdentifierKind, int] = HUB_FROM) -> Table:
    """The links of identifiers that several members have used, but not more of them than `most`."""
    every = links(tables, kinds=tuple(most))
    degrees = every.group_by("kind", "value").agg(members=every.count())
    limit = ibis.cases(*((degrees.kind == kind, count) for kind, count in sorted(most.items())), else_=0)
    shared = degrees.filter((degrees.members >= 2) & (degrees.members <= limit))  # noqa: PLR2004 - shared
    return every.join(shared, ["kind", "value"])


def _grouped(rows: Table, member_kind: str, kind: str, value: StringValue) -> Table:
    member = rows[f"{member_kind}_id"]
    named = rows.select(member=member, value=value, at_us=rows.at_us)
    named = named.filter(named.member.notnull() & named.value.notnull() & (named.value != ""))
    grouped = named.group_by("member", "value").agg(
        n=named.count(), first_at_us=named.at_us.min(), last_at_us=named.at_us.max()
    )
    return grouped.select(
        "member",
        "value",
        "n",
        "first_at_us",
        "last_at_us",
        member_kind=ibis.literal(member_kind),
        kind=ibis.literal(kind),
    )


def _of_hits(tables: Tables, kinds: Collection[IdentifierKind]) -> list[Table]:
    """Links of the log; counted by the minute, so their first and last moments are those of whole minutes."""
    if "hits.account_id" not in tables.has:
        return []
    columns: tuple[tuple[IdentifierKind, str], ...] = (
        ("device", "device_id"),
        ("session_token", "session_token"),
        ("ip", "ip"),
    )
    known = [(kind, column) for kind, column in columns if f"hits.{column}" in tables.has and kind in kinds]
    minutes = per_minute(tables, "hits") if known else tables.hits
    return [_of_minutes(minutes, kind, column) for kind, column in known]


def _of_minutes(minutes: Table, kind: str, column: str) -> Table:
    named = minutes.filter(minutes.account_id.notnull() & minutes[column].notnull())
    grouped = named.group_by(member=named.account_id, value=named[column]).agg(
        n=named.operations.sum().cast("int64"), first=named.minute.min(), last=named.minute.max()
    )
    return grouped.select(
        "member",
        "value",
        "n",
        first_at_us=grouped["first"] * MINUTE_US,
        last_at_us=(grouped["last"] + 1) * MINUTE_US - 1,
        member_kind=ibis.literal("account"),
        kind=ibis.literal(kind),
    )
