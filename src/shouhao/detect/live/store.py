"""Live store: events that were followed, how far, and what was said of them, in one DuckDB file.

Events and the place up to which they were read are written in one transaction, and so are the lines that were said and
the length of the file that they were written to. A process that dies at any point goes on as if it had not: what stands
in the file beyond the length that was noted is said again, byte for byte.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from shouhao.detect.attached import attach
from shouhao.detect.live.source import Rows
from shouhao.detect.live.versions import Line, Pace, Told
from shouhao.detect.live.watermark import NEVER_US, Marks
from shouhao.detect.model import HIT_COLUMNS
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE_NAME = "live.duckdb"
FINDINGS = "findings.jsonl"

_INSTANTS = ("at_us", "released_at_us")
_ARROW = {name: pa.int64() if name in _INSTANTS else pa.string() for name in Event._fields} | {
    "latency_ms": pa.float64()
}
_SQL = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "float64": "DOUBLE", "double": "DOUBLE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far events were followed."""

    after_seq: int = 0  #: the last event that was taken
    newest_us: int = NEVER_US  #: the latest time of any that was not put aside
    fast_us: int = NEVER_US  #: as of when the fast detectors looked last
    full_us: int = NEVER_US  #: as of when all of them did
    fast_stale: bool = False  #: events have come since that would have counted then
    full_stale: bool = False
    taken: int = 0
    late: int = 0
    aside: int = 0
    findings_bytes: int = 0  #: of the file of findings, that were noted

    def looked_us(self, pace: Pace) -> int:
        """As of when a pace looked last."""
        return self.fast_us if pace == "fast" else self.full_us

    def stale(self, pace: Pace) -> bool:
        """Whether events have come since that would have counted then."""
        return self.fast_stale if pace == "fast" else self.full_stale

    def looking(self, pace: Pace, as_of_us: int) -> "Progress":
        """After a look of a pace."""
        if pace == "fast":
            return replace(self, fast_us=as_of_us, fast_stale=False)
        return replace(self, full_us=as_of_us, full_stale=False)


_PROGRESS = {one.name: "BOOLEAN" if one.type in {bool, "bool"} else "BIGINT" for one in fields(Progress)}
_TABLES = (
    f"CREATE TABLE IF NOT EXISTS live.progress ({', '.join(f'{name} {kind}' for name, kind in _PROGRESS.items())})",
    "CREATE TABLE IF NOT EXISTS live.read_events (seq BIGINT, "
    + ", ".join(f"{name} {_SQL[str(kind)]}" for name, kind in _ARROW.items())
    + ")",
    "CREATE TABLE IF NOT EXISTS live.aside (seq BIGINT, at_us BIGINT, reason VARCHAR)",
    """CREATE TABLE IF NOT EXISTS live.told (
        pace VARCHAR, finding_id VARCHAR, version INTEGER, said VARCHAR, found VARCHAR, time_window VARCHAR)""",
)


class LiveStore:
    """The store of one folder; made by `open_store`."""

    def __init__(self, connection: "DuckDBPyConnection", folder: Path) -> None:
        """Take a connection to which the file is attached as `live`."""
        self.connection = connection
        self._findings = folder / FINDINGS
        for table in _TABLES:
            connection.execute(table)
        columns = ", ".join(f"NULL::{_SQL[kind]} AS {name}" for name, kind in HIT_COLUMNS.items())
        connection.execute(f"CREATE TABLE main.hits AS SELECT {columns} LIMIT 0")
        self.progress = self._progress()
        self._cut_findings()

    def take(self, rows: Rows, marks: Marks, after: Progress) -> None:
        """Keep events, all but those put aside, together with how far that is."""
        columns = list(zip(*rows, strict=True))
        table = pa.table(
            {
                "seq": pa.array(columns[0], pa.int64()),
                **{n: pa.array(c, k) for (n, k), c in zip(_ARROW.items(), columns[1:], strict=True)},
            }
        )
        aside = np.flatnonzero(marks.aside)
        if len(aside):
            table = table.filter(pa.array(~marks.aside))
        self.connection.register("shouhao_taken", table)
        with self._transaction():
            self.connection.execute("INSERT INTO live.read_events SELECT * FROM shouhao_taken")
            for n in aside.tolist():
                seq, at_us = rows[n][0], rows[n][1]
                self.connection.execute("INSERT INTO live.aside VALUES (?, ?, ?)", [seq, at_us, marks.reason(n)])
            self._put(after)
        self.connection.unregister("shouhao_taken")

    def show(self, from_us: int, until_us: int) -> None:
        """Let `events` be those of a stretch of time, the end left out."""
        names = ", ".join(Event._fields)
        self.connection.execute(
            f"""CREATE OR REPLACE VIEW main.events AS
            SELECT printf('ev_%012d', seq) AS event_id, {names}, NULL::INTEGER AS source,
                NULL::BIGINT AS byte_start, NULL::BIGINT AS byte_end
            FROM live.read_events WHERE at_us >= {from_us} AND at_us < {until_us}"""
        )

    def told(self, pace: Pace) -> dict[str, Told]:
        """What is known of the findings of a pace."""
        found = self.connection.execute(
            "SELECT finding_id, version, said, found, time_window FROM live.told WHERE pace = ?", [pace]
        ).fetchall()
        return {
            name: Told(version=version, said=json.loads(said), found=found and json.loads(found), window=window)
            for name, version, said, found, window in found
        }

    def say(self, pace: Pace, lines: Sequence[Line], told: Mapping[str, Told], after: Progress) -> Progress:
        """Add lines to the file of findings, and note that they are said; how far that is."""
        text = msgspec.json.Encoder().encode_lines(lines) if lines else b""
        size = self.progress.findings_bytes
        if text:
            with self._findings.open("ab") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
        noted = replace(after, findings_bytes=size)
        self.connection.register("shouhao_told", _told_table(pace, told))
        with self._transaction():
            for statement in _TELL:
                self.connection.execute(statement)
            self._put(noted)
        self.connection.unregister("shouhao_told")
        return noted

    def forget(self, before_us: int) -> None:
        """Drop events that no look will see any more."""
        self.connection.execute(f"DELETE FROM live.read_events WHERE at_us < {before_us}")

    def put_aside(self) -> dict[int, str]:
        """The reasons of events that were put aside, by `seq`."""
        return dict(self.connection.execute("SELECT seq, reason FROM live.aside ORDER BY seq").fetchall())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _put(self, progress: Progress) -> None:
        values = asdict(progress)
        self.connection.execute("DELETE FROM live.progress")
        places = ", ".join("?" for _ in values)
        self.connection.execute(
            f"INSERT INTO live.progress ({', '.join(values)}) VALUES ({places})", list(values.values())
        )
        self.progress = progress

    def _progress(self) -> Progress:
        row = self.connection.execute(f"SELECT {', '.join(_PROGRESS)} FROM live.progress").fetchone()
        return Progress() if row is None else Progress(**dict(zip(_PROGRESS, row, strict=True)))

    def _cut_findings(self) -> None:
        """Take off what was written to the file and not noted; what somebody took away is not missed."""
        size = self._findings.stat().st_size if self._findings.exists() else 0
        if size > self.progress.findings_bytes:
            os.truncate(self._findings, self.progress.findings_bytes)
        elif size < self.progress.findings_bytes:
            with self._transaction():
                self._put(replace(self.progress, findings_bytes=size))


@contextmanager
def open_store(folder: Path, *, threads: int = 2) -> Iterator[LiveStore]:
    """The store of a folder, made when it is not there.

    Raises:
        Unavailable: another process follows into this folder.
        InvalidInput: what lies there is no such store.
    """
    import duckdb  # noqa: PLC0415 - takes a second, and other commands would wait for it

    path = folder / FILE_NAME
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {threads}")
        refusal = InvalidInput("out", zh=f"{path} 不是实时分析的文件", en=f"{path} is no live store")
        attach(connection, path, "live", refusal=refusal)
        yield LiveStore(connection, folder)


_TELL = (
    """DELETE FROM live.told USING shouhao_told now
    WHERE told.pace = now.pace AND told.finding_id = now.finding_id""",
    "INSERT INTO live.told SELECT * FROM shouhao_told",
)


def _told_table(pace: Pace, told: Mapping[str, Told]) -> pa.Table:
    """What is known of findings, as rows of `live.told`."""
    known = sorted(told.items())
    columns: dict[str, list[Any]] = {
        "pace": [pace for _ in known],
        "finding_id": [name for name, _ in known],
        "version": [one.version for _, one in known],
        "said": [_json(one.said) for _, one in known],
        "found": [None if one.found is None else _json(one.found) for _, one in known],
        "time_window": [one.window for _, one in known],
    }
    kinds = {"version": pa.int32()}
    return pa.table({name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()})


def _json(line: Line) -> str:
    return msgspec.json.encode(line).decode()
