"""Access register (留痕): who looked at what, why and on whose authority, written before it is shown.

`look` commits its row in a unit of work of its own: when the caller then fails to read, a look too many stands on
record, and never one too few. Rows are only added; the database refuses every change of one. Looks are counted for each
person over a rolling day and month, and warned of far below what the law calls serious for staff; a look at a canary, a
made-up record that nobody has reason to open, is an alarm. Nobody is told that they were warned of.
Source: Regulation on public security video systems, art. 16 (3); 2017 interpretation on personal information, art. 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import structlog
from sqlalchemy import Connection

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.staff import register_store as store
from shouhao.staff.model import Operator
from shouhao.staff.texts import checked_reason, checked_short
from shouhao.staff.training import require_training
from shouhao.store import event_log
from shouhao.store.engine import Database

DataClass = Literal["face", "trail", "health", "identity", "case", "other"]
DATA_CLASSES: tuple[DataClass, ...] = get_args(DataClass)
NEEDS_TRAINING: frozenset[DataClass] = frozenset({"face", "trail"})

Counter = Literal["trail", "health", "other"]
Span = Literal["day", "month"]
SPANS_US: Mapping[Span, int] = {"day": DAY_US, "month": 30 * DAY_US}

_RECORDS_MAX = 1_000_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarnAt:
    """How many records one person may look at before others are told."""

    day: int
    month: int
    law: int  #: what the law calls serious for whoever has them through their work


#: Half of the law's number a month at most, and so little a day that a fast copy is seen on its first day.
WARN_AT: Mapping[Counter, WarnAt] = {
    "trail": WarnAt(day=5, month=12, law=25),
    "health": WarnAt(day=50, month=120, law=250),
    "other": WarnAt(day=300, month=1200, law=2500),
}
#: Which counter a class is counted in.
COUNTED_AS: Mapping[DataClass, Counter] = {
    "trail": "trail",
    "health": "health",
    "face": "other",
    "identity": "other",
    "case": "other",
    "other": "other",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One row of the register."""

    id: str
    at_us: int
    operator_id: str
    unit: str | None
    data_class: DataClass
    what: str
    reason: str
    authority: str
    records: int
    canary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many records one person looked at in a rolling span, against what is warned of."""

    operator_id: str
    counter: Counter
    day: int
    month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyLooks:
    """Somebody looked at more than is usual."""

    at_us: int
    operator_id: str
    counter: Counter
    span: Span
    records: int
    warn_at: int


def look(
    db: Database,
    operator: Operator,
    *,
    data_class: DataClass,
    what: str,
    reason: str,
    authority: str,
    records: int = 1,
    now_us: int,
) -> str:
    """Write that this operator is about to look; the row is committed when it returns. Returns the row's id.

    Call it outside any unit of work, before the data is read.

    Args:
        what: ids of what is looked at, such as `alarm al_0193...`; never a name or a number of a person.
        reason: in the operator's words.
        authority: on whose: the number of a document, an approval's id, or the duty that the role has.
        records: how many records this look shows.
    Raises:
        InvalidInput: no reason, no authority, or nothing that is looked at.
        NotTrained: a face or a trail, without a training that is still good.
        Unavailable: the row could not be written, so nothing may be shown.
    """
    if not 1 <= records <= _RECORDS_MAX:
        raise InvalidInput("records", zh=f"须为 1 到 {_RECORDS_MAX}", en=f"must be 1 to {_RECORDS_MAX}")
    seen = Look(
        id=new_id("lk"),
        at_us=now_us,
        operator_id=operator.id,
        unit=operator.unit,
        data_class=data_class,
        what=checked_short(what, field="what"),
        reason=checked_reason(reason),
        authority=checked_short(authority, field="authority"),
        records=records,
        canary=False,
    )
    with db.write() as connection:
        store.take_turn(connection, operator.id)
        if data_class in NEEDS_TRAINING:
            require_training(connection, operator.id, now_us=now_us)
        canary = store.holds_canary(connection, seen.what)
        store.add(connection, seen, canary=canary)
        event_log.append(connection, [_event(seen, "record_looked_at", {"records": records})])
        if canary:
            event_log.append(connection, [_event(seen, "canary_opened", {})])
        warned = _warn(connection, seen)
    if canary:  # after the commit: an alarm that stands on a row that is there
        _log.error("canary_opened", look_id=seen.id, operator_id=operator.id, data_class=data_class)
    for warning in warned:
        _log.warning("many_looks", operator_id=operator.id, counter=warning.counter, span=warning.span)
    return seen.id


def search(
    connection: Connection,
    *,
    operator_id: str | None = None,
    data_class: DataClass | None = None,
    what: str | None = None,
    from_us: int | None = None,
    until_us: int | None = None,
    before_id: str | None = None,
    limit: int = 200,
) -> list[Look]:
    """Rows, newest first. Looking at them is a look too: the caller writes it down first.

    Args:
        what: an id that stands in it.
        from_us: the first instant that counts.
        until_us: the first that does not.
        before_id: go on from this row.
    """
    rows = store.search(
        connection,
        operator_id=operator_id,
        data_class=data_class,
        what=what,
        from_us=from_us,
        until_us=until_us,
        before_id=before_id,
        limit=limit,
    )
    return [
        Look(
            id=row.id,
            at_us=row.at_us,
            operator_id=row.operator_id,
            unit=row.unit,
            data_class=row.data_class,
            what=row.what,
            reason=row.reason,
            authority=row.authority,
            records=row.records,
            canary=row.canary,
        )
        for row in rows
    ]


def counts(connection: Connection, *, now_us: int, operator_id: str | None = None) -> list[Count]:
    """What each person looked at in the last day and month, most first."""
    found: dict[tuple[str, Counter], dict[Span, int]] = {}
    for span, span_us in SPANS_US.items():
        for row in store.sums(connection, since_us=now_us - span_us, operator_id=operator_id):
            key = (row.operator_id, COUNTED_AS[row.data_class])
            spans = found.setdefault(key, {"day": 0, "month": 0})
            spans[span] += int(row.records)
    told = [Count(operator_id=who, counter=counter, **spans) for (who, counter), spans in found.items()]
    return sorted(told, key=lambda c: (-c.month / WARN_AT[c.counter].month, c.operator_id))


def warnings(connection: Connection, *, since_us: int, limit: int = 500) -> list[ManyLooks]:
    """Warnings, newest first."""
    return [
        ManyLooks(
            at_us=row.at_us,
            operator_id=row.operator_id,
            counter=row.counter,
            span=row.span,
            records=row.records,
            warn_at=row.warn_at,
        )
        for row in store.warnings(connection, since_us=since_us, limit=limit)
    ]


def mark_canary(connection: Connection, record_id: str, *, operator: Operator, now_us: int) -> bool:
    """Make a record one that nobody has reason to open; False when it was one before."""
    marked = store.mark(connection, _canary_id(record_id), operator_id=operator.id, now_us=now_us)
    if marked:
        _append_canary(connection, record_id, "canary_marked", operator, now_us)
    return marked


def unmark_canary(connection: Connection, record_id: str, *, operator: Operator, now_us: int) -> bool:
    """Make it an ordinary record again; False when it was none."""
    unmarked = store.unmark(connection, record_id)
    if unmarked:
        _append_canary(connection, record_id, "canary_unmarked", operator, now_us)
    return unmarked


def canary_ids(connection: Connection) -> Sequence[tuple[str, str, int]]:
    """Every canary: its id, who marked it, when."""
    return store.canary_ids(connection)


def _warn(connection: Connection, seen: Look) -> list[ManyLooks]:
    """Tell of this person where a counter has passed its mark; again only when it has doubled, or the span is over."""
    counter = COUNTED_AS[seen.data_class]
    classes = [name for name, counted in COUNTED_AS.items() if counted == counter]
    told = []
    for span, span_us in SPANS_US.items():
        since_us = seen.at_us - span_us
        warn_at: int = getattr(WARN_AT[counter], span)
        records = store.total(connection, seen.operator_id, classes=classes, since_us=since_us)
        before = store.last_warned(connection, seen.operator_id, counter=counter, span=span, since_us=since_us)
        if records < max(warn_at, 2 * before):
            continue
        warning = ManyLooks(
            at_us=seen.at_us,
            operator_id=seen.operator_id,
            counter=counter,
            span=span,
            records=records,
            warn_at=warn_at,
        )
        store.add_warning(connection, warning)
        more = {"counter": counter, "span": span, "records": records, "warn_at": warn_at}
        event_log.append(connection, [_event(seen, "looks_warned", more)])
        told.append(warning)
    return told


def _canary_id(record_id: str) -> str:
    if not store.ID.fullmatch(record_id):
        raise InvalidInput("record_id", zh="不是记录编号", en="is not the id of a record")
    return record_id


def _event(
    seen: Look, kind: Literal["record_looked_at", "canary_opened", "looks_warned"], more: Mapping[str, Any]
) -> Event:
    told = {"look_id": seen.id, "data_class": seen.data_class, "what": seen.what, **more}
    return Event(at_us=seen.at_us, kind=kind, staff_id=seen.operator_id, detail=told)


def _append_canary(connection: Connection, record_id: str, change: str, operator: Operator, now_us: int) -> None:
    told = {"operator_id": operator.id, "change": change, "record_id": record_id}
    event_log.append(connection, [Event(at_us=now_us, kind="staff_changed", staff_id=operator.id, detail=told)])
