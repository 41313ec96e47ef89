"""Event log: each change of state writes its event here in the same transaction. Rows are only ever added."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Float, Select, Table, Text, func, select

from shouhao.kernel.clock import iso
from shouhao.kernel.events import EXPORT_COLUMNS, Event
from shouhao.store import batch
from shouhao.store.schema import Identifier, Serial, metadata

_INSTANTS = {"at_us", "released_at_us"}
_COLUMNS = Event._fields


def _column(name: str) -> Column[Any]:
    if name in _INSTANTS:
        return Column(name, BigInteger, nullable=name != "at_us")
    if name == "latency_ms":
        return Column(name, Float, nullable=True)
    if name == "detail":
        return Column(name, Text, nullable=True)
    return Column(name, Identifier, nullable=name != "kind")


events = Table(
    "events",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    *(_column(name) for name in _COLUMNS),
)


class _Row(msgspec.Struct, omit_defaults=True):
    """A row as it travels: what is null is left out. The fields are `Event`'s, in its order."""

    at_us: int
    kind: str
    channel: str | None = None
    account_id: str | None = None
    patient_id: str | None = None
    payer_id: str | None = None
    device_id: str | None = None
    session_token: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    department_id: str | None = None
    doctor_id: str | None = None
    session_id: str | None = None
    slot_id: str | None = None
    released_at_us: int | None = None
    staff_id: str | None = None
    latency_ms: float | None = None
    face_hash: str | None = None
    frame_hash: str | None = None
    detail: str | None = None


_encode = msgspec.json.Encoder().encode


def append(connection: Connection, happened: Sequence[Event]) -> None:
    """Write events, in their order."""
    batch.insert_structs(connection, events, [_row(event) for event in happened])


def _row(event: Event) -> _Row:
    detail = event.detail
    return _Row(*event[:-1], _encode(detail).decode() if detail else None)


def read(
    connection: Connection, *, after_seq: int = 0, until_seq: int | None = None, chunk: int = 5000
) -> Iterator[list[dict[str, Any]]]:
    """Exported rows (`EXPORT_COLUMNS`) in the order they were written, `chunk` at a time.

    Instants are ISO 8601 text with the hospital's offset; `detail` is a JSON object or None.
    """
    while True:
        query = select(events).where(events.c.seq > after_seq).order_by(events.c.seq).limit(chunk)
        if until_seq is not None:
            query = query.where(events.c.seq <= until_seq)
        found = connection.execute(query).mappings().all()
        if not found:
            return
        yield [_exported(dict(row)) for row in found]
        after_seq = found[-1]["seq"]


def read_raw(
    connection: Connection, *, after_seq: int = 0, until_seq: int | None = None, most: int = 5000
) -> Sequence[Sequence[Any]]:
    """Rows as they are stored, `seq` and then `Event`'s fields, in the order of `seq`: for whoever follows the log."""
    query = _raw().where(events.c.seq > after_seq)
    if until_seq is not None:
        query = query.where(events.c.seq <= until_seq)
    return connection.execute(query.order_by(events.c.seq).limit(most)).all()


def read_these(connection: Connection, seqs: Sequence[int]) -> Sequence[Sequence[Any]]:
    """Those of these rows that are there, as `read_raw` has them."""
    return [row for piece in batch.pieces(seqs) for row in connection.execute(_raw().where(events.c.seq.in_(piece)))]


def seq_before(connection: Connection, at_us: int) -> int:
    """The last number whose event, and nearly every one before it, happened before a moment; nought: there is none.

    Found by halving, since numbers grow with time but for a few that overlapped; instants have no index of their own.
    """
    low = 0
    high = connection.execute(select(func.max(events.c.seq))).scalar() or 0
    while low < high:
        middle = (low + high + 1) // 2
        found = connection.execute(
            select(events.c.seq, events.c.at_us).where(events.c.seq <= middle).order_by(events.c.seq.desc()).limit(1)
        ).one_or_none()
        if found is None or found.at_us < at_us:
            low = middle
        else:
            high = found.seq - 1
    return low


def _raw() -> Select[Any]:
    return select(*(events.c[name] for name in ("seq", *_COLUMNS)))


def _exported(row: dict[str, Any]) -> dict[str, Any]:
    released_at_us = row["released_at_us"]
    row["event_id"] = f"ev_{row['seq']:012d}"
    row["at"] = iso(row["at_us"])
    row["released_at"] = None if released_at_us is None else iso(released_at_us)
    row["detail"] = None if row["detail"] is None else msgspec.json.decode(row["detail"])
    return {name: row[name] for name in EXPORT_COLUMNS}
