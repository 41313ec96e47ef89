"""Made-up days for tests: written once a process, read as rows, as SQL or as log lines."""

import atexit
import gzip
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from shouhao.kernel.clock import to_us
from shouhao.lab.scalping.generate import Generated, generate
from shouhao.lab.scalping.options import Options

# Written apart from the generator, after nginx's own documentation.
COMBINED = re.compile(
    rb'(?P<ip>[0-9a-f.:]+) - - \[(?P<time>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0800)\] "(?P<request>[^"]*)" '
    rb'(?P<status>\d{3}) (?P<bytes>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)
EXTENDED = re.compile(
    rb"(?P<ip>[0-9a-f.:]+) \[(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00)\] (?P<msec>\d{10}\.\d{3}) "
    rb'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+) (?P<took>\d+\.\d{3}) "(?P<agent>[^"]*)" '
    rb"device=(?P<device>\S+) session=(?P<session>\S+)"
)


@dataclass(frozen=True)
class Days:
    """What one call of the generator wrote."""

    out: Path
    made: Generated

    @property
    def labels(self) -> dict[str, Any]:
        return self.made.found

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Events as JSON Lines has them, with `at_us` and `released_us` beside."""
        rows = msgspec.json.Decoder().decode_lines((self.out / "inputs" / "events.jsonl").read_bytes())
        for row in rows:
            row["at_us"] = _us(row["at"])
            row["released_us"] = None if row["released_at"] is None else _us(row["released_at"])
        return rows

    @cached_property
    def sql(self) -> duckdb.DuckDBPyConnection:
        """Tables `events`, `accounts` (of the labels), `gate` (the log with cookies) and `portal` (the other one)."""
        connection = duckdb.connect()
        connection.execute("set threads = 2")
        connection.execute("set TimeZone = 'Asia/Shanghai'")
        connection.execute(
            f'create table events as select *, epoch_us("at") as at_us, epoch_us(released_at) as released_us '
            f"from '{self.out}/inputs/events.parquet'"
        )
        connection.execute("create table accounts (id text, side text, kind text, traits text[])")
        connection.executemany(
            "insert into accounts values (?, ?, ?, ?)",
            [
                (one, label["side"], label["kind"], label.get("traits", []))
                for one, label in self.labels["accounts"].items()
            ],
        )
        connection.execute(
            "create table gate (ip text, second double, request text, status int, device text, session text)"
        )
        connection.execute("create table portal (ip text, second double, request text, agent text)")
        self._load(connection)
        return connection

    def _load(self, connection: duckdb.DuckDBPyConnection) -> None:
        gate = [EXTENDED.fullmatch(line) for line in self.lines("api")]
        connection.register("gate_text", _table(gate, ("ip", "msec", "request", "status", "device", "session")))
        connection.execute(
            "insert into gate select ip, msec::double, request, status::int, device, session from gate_text"
        )
        portal = [COMBINED.fullmatch(line) for line in self.lines("portal")]
        connection.register("portal_text", _table(portal, ("ip", "time", "request", "agent")))
        connection.execute(
            "insert into portal select ip, epoch(strptime(time, '%d/%b/%Y:%H:%M:%S %z')), request, agent "
            "from portal_text"
        )

    def lines(self, server: str) -> list[bytes]:
        """All lines of a server, the oldest first."""
        files = [one.path for one in self.made.logs if one.path.name.startswith(server)]
        return [line for path in files for line in content(path).splitlines()]


def _table(lines: list[Any], fields: tuple[str, ...]) -> pa.Table:
    return pa.table({name: [line[name].decode() for line in lines] for name in fields})


def content(path: Path) -> bytes:
    """A file as it was before it was packed."""
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw


@lru_cache(maxsize=4)
def days(**options: Any) -> Days:
    """The days that some options make."""
    out = Path(tempfile.mkdtemp(prefix="shouhao-days-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    return Days(out, generate(Options(**options), out))


@lru_cache(maxsize=1 << 20)
def _us(text: str) -> int:
    from datetime import datetime  # noqa: PLC0415

    return to_us(datetime.fromisoformat(text))
