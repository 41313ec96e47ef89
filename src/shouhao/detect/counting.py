"""Counting: what the rules count, as expressions that any engine behind Ibis can run.

An operation is a request that somebody meant: pictures, styles and scripts come along with a page and are left out.
`per_minute` brings a table down to one row a visitor and minute. Many rules start from it, so a run does well to make
tables of it once and to hand them on in `Tables.per_minute` and `Tables.events_per_minute`. Sums over whole
minutes can only rule out what is too little; what is left is then counted to the microsecond.
"""

from collections.abc import Mapping
from types import MappingProxyType

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table

from shouhao.detect.identifiers import in_house
from shouhao.detect.model import OPERATION, STATIC_PATH, SubjectKind, Tables
from shouhao.kernel.clock import MINUTE_US

#: Whom rows are counted for, and by which column.
WHO: Mapping[SubjectKind, str] = MappingProxyType(
    {"account": "account_id", "device": "device_id", "session": "session_token", "ip": "ip"}
)
#: Kinds of events that somebody did, at that moment, through a client.
OPERATIONS = (
    "account_registered",
    "accepted",
    "booked",
    "cancelled",
    "draw_entered",
    "face_checked",
    "logged_in",
    "patient_bound",
    "patient_edited",
    "patient_registered",
    "patient_unbound",
    "photo_submitted",
    "refused",
    "searched",
    "viewed",
    "waitlisted",
    "waitlist_left",
)
HEADS: tuple[SubjectKind, ...] = ("session", "device", "account")  #: who may be behind an address, the nearest first
FLEETING = 2  #: an identity with no more rows than this may have been made up for them


def kinds_in(tables: Tables, name: str) -> tuple[SubjectKind, ...]:
    """For whom rows of a table can be counted."""
    return tuple(kind for kind, column in WHO.items() if f"{name}.{column}" in tables.has)


def is_operation(hits: Table) -> BooleanValue:
    """Whether a request is one that somebody meant; one whose path is unknown is."""
    if OPERATION in hits.columns:
        return hits[OPERATION]
    path = hits.path
    fetched = path.contains(".") & path.re_search(STATIC_PATH)
    return ~fetched.fill_null(False)  # noqa: FBT003 - Ibis


def endpoint_of(path: StringValue) -> StringValue:
    """A path without its query, which a script changes with every request."""
    mark = path.find("?")
    return ibis.ifelse(mark >= 0, path.left(mark), path)


def minute_of(at_us: IntegerValue) -> IntegerValue:
    """Number of the minute since 1970."""
    return at_us // MINUTE_US


def head_of(rows: Table) -> StringValue:
    """Who is behind an address, as far as a row says; null when it does not."""
    return ibis.coalesce(*(rows[WHO[kind]] for kind in HEADS))


def operations_of(tables: Tables, name: str) -> Table:
    """The rows of a table that are operations; of events only those that came from outside the house."""
    if name == "hits":
        return tables.hits.filter(is_operation(tables.hits))
    events = tables.events
    return events.filter(events.kind.isin(OPERATIONS) & ~in_house(events))


def per_minute(tables: Tables, name: str) -> Table:
    """A table by visitor, browser and minute: the columns of WHO, user_agent, minute, operations (at least one)."""
    known = tables.per_minute if name == "hits" else tables.events_per_minute
    if known is not None:
        return known
    rows = operations_of(tables, name)
    columns = (*WHO.values(), "user_agent")
    keys = {column: rows[column] for column in columns if f"{name}.{column}" in tables.has}
    rows = rows.select(**keys, minute=minute_of(rows.at_us))
    counted = rows.group_by(*keys, "minute").agg(operations=rows.count())
    missing = {column: ibis.null("string") for column in columns if column not in keys}
    whole = counted.mutate(**missing) if missing else counted
    return whole.select(*columns, "minute", "operations")


def minutes_of(tables: Tables, name: str, kind: SubjectKind) -> Table:
    """Operations of each subject by minute: kind, id, minute, operations."""
    every = per_minute(tables, name)
    rows = every.select("minute", "operations", id=every[WHO[kind]])
    rows = rows.filter(rows.id.notnull())
    sums = rows.group_by("id", "minute").agg(operations=rows.operations.sum().cast("int64"))
    return sums.mutate(kind=ibis.literal(kind))


def lasting(tables: Tables, name: str) -> Table | None:
    """Who comes again behind an address and is counted as such: id, head. The rest is held against the address."""
    if not any(f"{name}.{WHO[kind]}" in tables.has for kind in HEADS):
        return None
    every = per_minute(tables, name)
    rows = every.select("operations", id=every.ip, head=head_of(every))
    rows = rows.filter(rows.id.notnull() & rows["head"].notnull())
    sums = rows.group_by("id", "head").agg(n=rows.operations.sum())
    return sums.filter(sums.n > FLEETING).select("id", "head")


def unnamed(rows: Table, tables: Tables, name: str) -> Table:
    """The rows that are held against their address, given rows with an id, the address, and their head."""
    known = lasting(tables, name)
    return (rows if known is None else rows.anti_join(known, ["id", "head"])).drop("head")


def united(parts: list[Table]) -> Table:
    """All rows of tables that have the same columns."""
    return parts[0] if len(parts) == 1 else ibis.union(*parts)
