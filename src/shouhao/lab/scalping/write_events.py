"""Write events: the event table in the columns of kernel/events.py, as CSV, JSON Lines and Parquet of one content.

Instants are ISO 8601 text with the hospital's offset, as `shouhao events export` writes them; in Parquet they are
timestamps. `detail` is a JSON object in JSON Lines and JSON text elsewhere.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from shouhao.kernel.clock import HOUR_US
from shouhao.kernel.events import EVENT_KINDS, EXPORT_COLUMNS
from shouhao.lab.scalping.options import Form
from shouhao.lab.scalping.record import NONE, Client, Row
from shouhao.lab.scalping.world import World
from shouhao.lab.scalping.write_logs import Written

Numbers = npt.NDArray[np.int64]
Tables = Iterator[Any]

_PIECE = 100_000
_OFFSET_US = 8 * HOUR_US  # Asia/Shanghai has had no other since 1991
_INSTANTS = ("at", "released_at")
_TENTHS = 10


def write_events(world: World, events: Numbers, out: Path) -> list[Written]:
    """Write the events in each form that the options name; every file holds all of them."""
    written: list[Written] = []
    for form in world.options.forms:
        path = out / f"events.{form}"
        _WRITERS[form](_tables(world, events), path)
        written.append(Written(path=path, rows=len(events), format=form))
    return written


def _tables(world: World, events: Numbers) -> Tables:
    """The table in pieces, instants as text."""
    texts = _texts(world)
    clients = np.array([(texts.channel_number(c.channel), *c[1:]) for c in world.record.clients], dtype=np.int64)
    for start in range(0, max(1, len(events)), _PIECE):
        yield _table(events[start : start + _PIECE], start, clients, texts)


class _Texts:
    """Every text that a number stands for, with a null at the end for -1."""

    def __init__(self, world: World) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and wanted here alone

        record, hospital = world.record, world.hospital
        self.channels = ["app", "wechat", "web", "kiosk", "window", "phone"]
        self._sessions = hospital.sessions
        self.doctor_of = np.array([*(s.doctor.number for s in hospital.sessions), NONE], dtype=np.int64)
        lists = {
            "kind": list(EVENT_KINDS),
            "channel": self.channels,
            "account": [account.id for account in world.accounts],
            "patient": record.patients.texts,
            "payer": record.payers.texts,
            "device": record.devices.texts,
            "token": record.tokens.texts,
            "ip": record.ips.texts,
            "agent": record.agents.texts,
            "department": hospital.department_ids,
            "doctor": hospital.doctor_ids,
            "session": hospital.session_ids,
            "slot": hospital.slot_ids,
            "staff": hospital.staff_ids,
            "picture": record.pictures.texts,
            "detail": record.details.texts,
        }
        self._arrays = {name: pa.array([*texts, None], type=pa.string()) for name, texts in lists.items()}

    def channel_number(self, channel: str | None) -> int:
        """Machines tell no events, so theirs is none."""
        return self.channels.index(channel) if channel in self.channels else NONE

    def of(self, name: str, values: Numbers) -> Any:
        """The texts of some numbers."""
        array = self._arrays[name]
        return array.take(np.where(values == NONE, len(array) - 1, values))


def _texts(world: World) -> _Texts:
    return _Texts(world)


def _table(rows: Numbers, start: int, clients: Numbers, texts: _Texts) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as above

    row = dict(zip(Row._fields, rows.T, strict=True))
    client = dict(zip(Client._fields, clients[row["client"]].T, strict=True))
    latency = row["latency"] / float(_TENTHS)
    columns = {
        "event_id": pa.array([f"ev_{start + n + 1:012d}" for n in range(len(rows))], type=pa.string()),
        "at": _iso(row["at_us"]),
        "kind": texts.of("kind", row["kind"]),
        "channel": texts.of("channel", client["channel"]),
        "account_id": texts.of("account", client["account"]),
        "patient_id": texts.of("patient", row["patient"]),
        "payer_id": texts.of("payer", row["payer"]),
        "device_id": texts.of("device", client["device"]),
        "session_token": texts.of("token", client["token"]),
        "ip": texts.of("ip", client["ip"]),
        "user_agent": texts.of("agent", client["agent"]),
        "department_id": texts.of("department", row["department"]),
        "doctor_id": texts.of("doctor", texts.doctor_of[row["session"]]),
        "session_id": texts.of("session", row["session"]),
        "slot_id": texts.of("slot", row["slot"]),
        "released_at": _iso(row["released_us"]),
        "staff_id": texts.of("staff", row["staff"]),
        "latency_ms": pa.array(latency, mask=row["latency"] == NONE),
        "face_hash": texts.of("picture", row["face"]),
        "frame_hash": texts.of("picture", row["frame"]),
        "detail": texts.of("detail", row["detail"]),
    }
    return pa.table({name: columns[name] for name in EXPORT_COLUMNS})


def _iso(at_us: Numbers) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - as above

    local = (at_us + _OFFSET_US).astype("datetime64[us]")
    text = np.char.add(np.datetime_as_string(local, unit="us"), "+08:00") if len(at_us) else np.array([], dtype="U1")
    return pa.array(text.astype(object), mask=at_us == NONE, type=pa.string())


def _csv(tables: Tables, path: Path) -> None:
    from pyarrow import csv  # noqa: PLC0415 - as above

    writer = None
    with path.open("wb") as file:
        for table in tables:
            if writer is None:
                options = csv.WriteOptions(quoting_style="needed")
                writer = csv.CSVWriter(file, table.schema, write_options=options)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _jsonl(tables: Tables, path: Path) -> None:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for table in tables:
            rows = table.to_pylist()
            for row in rows:
                if row["detail"] is not None:
                    row["detail"] = msgspec.Raw(row["detail"].encode())
            file.write(encoder.encode_lines(rows))


def _parquet(tables: Tables, path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import parquet  # noqa: PLC0415 - as above

    moment = pa.timestamp("us", tz="Asia/Shanghai")
    writer = None
    for table in tables:
        schema = pa.schema([(n, moment if n in _INSTANTS else table.schema.field(n).type) for n in table.column_names])
        timed = [
            table[n].cast(pa.timestamp("us", tz="UTC")) if n in _INSTANTS else table[n] for n in table.column_names
        ]
        if writer is None:
            writer = parquet.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(pa.table([c.cast(f.type) for c, f in zip(timed, schema, strict=True)], schema=schema))
    if writer is not None:
        writer.close()


_WRITERS: dict[Form, Callable[[Tables, Path], None]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
