"""Compliance's store: records that are only added, switches, and the newest facts.

`require_on` is what every function behind a switch asks first, in its own unit of work. It reads the truth of this
moment: a switch whose needs are not met is off at once, before the duty comes round that writes it down.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from shouhao.compliance.facts import Facts, Gathered, facts_after
from shouhao.compliance.model import NeedCode, Standing, Switch, SwitchNotReady, SwitchOff, why_off
from shouhao.compliance.records import (
    PoliceFiling,
    Record,
    RecordKind,
    Retention,
    check_kind,
    packed_body,
    read_body,
    stored_body,
)
from shouhao.compliance.switches import standing_of
from shouhao.compliance.tables import facts, records, switches
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.invariants import Invariant

_NOW = "now"

INVARIANTS = (
    Invariant(
        code="law.switch_on_without_approval",
        zh="启用的法律开关都经双人批准",
        en="every switch that is on was approved by a second person",
        sql="SELECT switch FROM law_switches WHERE turned_on AND approval_id IS NULL",
    ),
)


def standing(connection: Connection, switch: Switch, *, now_us: int) -> Standing:
    """How a switch stands, and what it lacks."""
    row = connection.execute(select(switches).where(switches.c.switch == switch)).one_or_none()
    return standing_of(
        switch,
        newest_records(connection, switch),
        find_facts(connection),
        turned_on=row is not None and row.turned_on,
        now_us=now_us,
        since_us=None if row is None else row.since_us,
        why="" if row is None else row.why,
    )


def require_on(connection: Connection, switch: Switch, *, now_us: int) -> None:
    """Let a function go on when its switch is on.

    Raises:
        SwitchOff: with what is missing, and its articles.
    """
    found = standing(connection, switch, now_us=now_us)
    if not found.on:
        raise SwitchOff(found)


def turn_on(
    connection: Connection, switch: Switch, *, staff_id: str | None, approval_id: str, why: str, now_us: int
) -> Standing:
    """Turn a switch on, as two people decided; the caller has used their approval in this unit of work.

    Raises:
        SwitchNotReady: something that it needs is missing.
    """
    found = standing(connection, switch, now_us=now_us)
    if found.missing:
        raise SwitchNotReady(found)
    _set(connection, switch, turned_on=True, staff_id=staff_id, approval_id=approval_id, why=why, now_us=now_us)
    return standing(connection, switch, now_us=now_us)


def turn_off(connection: Connection, switch: Switch, *, staff_id: str | None, why: str, now_us: int) -> Standing:
    """Turn a switch off: one person may, at once and at any time."""
    found = standing(connection, switch, now_us=now_us)
    if found.turned_on:
        _set(connection, switch, turned_on=False, staff_id=staff_id, approval_id=None, why=why, now_us=now_us)
    return standing(connection, switch, now_us=now_us)


def turn_off_lapsed(connection: Connection, switch: Switch, *, now_us: int) -> Standing | None:
    """Turn off a switch of which a need has lapsed; how it stood then, or None. People turn it on again."""
    found = standing(connection, switch, now_us=now_us)
    if not found.turned_on or found.on:
        return None
    why, _ = why_off(found.missing)
    needs = [one.need for one in found.missing]
    _set(connection, switch, turned_on=False, staff_id=None, approval_id=None, why=why, now_us=now_us, lapsed=needs)
    return found


def add_record(
    connection: Connection,
    kind: str,
    body: Mapping[str, Any],
    *,
    switch: Switch | None,
    staff_id: str | None,
    now_us: int,
) -> Record:
    """Add a record; it is the newest of its kind from now on.

    Raises:
        InvalidInput: the kind, or what it is told for, or its body cannot be.
    """
    known = check_kind(kind, switch)
    read = read_body(known, body, now_us=now_us)
    record = Record(id=new_id("law"), kind=known, switch=switch, body=read, staff_id=staff_id, at_us=now_us)
    packed = packed_body(read)
    connection.execute(
        insert(records).values(id=record.id, kind=known, switch=switch, body=packed, staff_id=staff_id, at_us=now_us)
    )
    detail = {"record_id": record.id, "kind": known, "switch": switch}
    document = getattr(read, "document_sha256", None)
    if document is not None:
        detail["document_sha256"] = document
    told = Event(at_us=now_us, kind="switch_record_added", staff_id=staff_id, detail=detail)
    event_log.append(connection, [told])
    return record


def newest_records(connection: Connection, switch: Switch) -> dict[RecordKind, Record]:
    """The newest record of each kind that counts for a switch: its own, and the hospital's."""
    of = (records.c.switch == switch) | records.c.switch.is_(None)
    newest = select(func.max(records.c.seq)).where(of).group_by(records.c.kind)
    rows = connection.execute(select(records).where(records.c.seq.in_(newest)))
    return {record.kind: record for record in map(_record, rows)}


def all_records(connection: Connection) -> list[Record]:
    """Every record ever handed in, the newest first."""
    return [_record(row) for row in connection.execute(select(records).order_by(records.c.seq.desc()))]


def police_filing(connection: Connection) -> PoliceFiling | None:
    """What the police were last told."""
    body = _newest_of_hospital(connection, "police_filing")
    return body if isinstance(body, PoliceFiling) else None


def retention_days(connection: Connection) -> int | None:
    """How long pictures are kept; None: nobody has said."""
    body = _newest_of_hospital(connection, "retention")
    return body.days if isinstance(body, Retention) else None


def find_facts(connection: Connection) -> Facts | None:
    """What was last counted; None: nothing yet."""
    body = connection.scalar(select(facts.c.body).where(facts.c.id == _NOW))
    return None if body is None else msgspec.json.decode(body, type=Facts)


def put_facts(connection: Connection, gathered: Gathered) -> Facts:
    """Keep what was counted now, and since when it is so."""
    new = facts_after(find_facts(connection), gathered, police_filing(connection))
    values = {"body": msgspec.json.encode(new).decode(), "at_us": new.at_us}
    if connection.execute(update(facts).where(facts.c.id == _NOW).values(**values)).rowcount == 0:
        connection.execute(insert(facts).values(id=_NOW, **values))
    return new


def _newest_of_hospital(connection: Connection, kind: RecordKind) -> object:
    query = select(records).where(records.c.kind == kind, records.c.switch.is_(None))
    row = connection.execute(query.order_by(records.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else _record(row).body


def _record(row: Any) -> Record:
    return Record(
        id=row.id,
        kind=row.kind,
        switch=row.switch,
        body=stored_body(row.kind, row.body),
        staff_id=row.staff_id,
        at_us=row.at_us,
    )


def _set(
    connection: Connection,
    switch: Switch,
    *,
    turned_on: bool,
    staff_id: str | None,
    approval_id: str | None,
    why: str,
    now_us: int,
    lapsed: Sequence[NeedCode] = (),
) -> None:
    values = {
        "turned_on": turned_on,
        "staff_id": staff_id,
        "approval_id": approval_id,
        "why": why,
        "since_us": now_us,
    }
    if connection.execute(update(switches).where(switches.c.switch == switch).values(**values)).rowcount == 0:
        connection.execute(insert(switches).values(switch=switch, **values))
    detail: dict[str, Any] = {"switch": switch, "on": turned_on, "why": why}
    if approval_id is not None:
        detail["approval_id"] = approval_id
    if lapsed:
        detail["lapsed"] = list(lapsed)
    event_log.append(connection, [Event(at_us=now_us, kind="switch_changed", staff_id=staff_id, detail=detail)])
