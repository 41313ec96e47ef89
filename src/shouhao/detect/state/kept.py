"""State: what was read on earlier nights, in one DuckDB file that is attached beside the working tables.

It keeps rows as they were read, file by file, and never what was concluded: which line stands in two logs, whose
account a line is of and what findings say depends on all files together and is worked out anew on each run. So nothing
that is found depends on the night on which a file came, and a run that was killed leaves whole files or none.

Its tables have other names than the working ones, whoever drops `hits` must not meet these.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shouhao.detect.attached import attach
from shouhao.detect.inputs.files import Kind
from shouhao.detect.model import HIT_COLUMNS
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE_NAME = "state.duckdb"
VERSION = 1
HITS = tuple(column for column in HIT_COLUMNS if column != "source")  #: columns of `kept.read_hits` beyond `file`
EVENTS = ("event_id", *Event._fields, "byte_start", "byte_end")  #: columns of `kept.read_events` beyond `file`

_TYPES = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE"}
_EVENT_TYPES = dict.fromkeys(("at_us", "released_at_us", "byte_start", "byte_end"), "BIGINT") | {"latency_ms": "DOUBLE"}
_TABLES = (
    "CREATE TABLE IF NOT EXISTS kept.about (version INTEGER, newest_us BIGINT)",
    """CREATE TABLE IF NOT EXISTS kept.files (
        file INTEGER, path VARCHAR, kind VARCHAR, sha256 VARCHAR, size_bytes BIGINT, packed BOOLEAN,
        known_bytes BIGINT, known_lines BIGINT, known_sha256 VARCHAR, row_count BIGINT, fills VARCHAR[])""",
    f"""CREATE TABLE IF NOT EXISTS kept.read_hits (
        file INTEGER, {", ".join(f"{column} {_TYPES[HIT_COLUMNS[column]]}" for column in HITS)})""",
    "CREATE TABLE IF NOT EXISTS kept.read_lines (file INTEGER, byte_start BIGINT, at_us BIGINT, digest BLOB)",
    f"""CREATE TABLE IF NOT EXISTS kept.read_events (
        file INTEGER, {", ".join(f"{column} {_EVENT_TYPES.get(column, 'VARCHAR')}" for column in EVENTS)})""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of which rows are kept."""

    file: int  #: its number in the state, by the order in which files came
    path: Path  #: absolute; under which it was given last
    kind: Kind
    sha256: str  #: of the file as it lay there when it was last read
    size_bytes: int
    packed: bool
    known_bytes: int  #: of the unpacked text, up to a line end; what comes behind them is read when the file has grown
    known_lines: int
    known_sha256: str  #: of these bytes
    row_count: int  #: ever read of it
    fills: tuple[str, ...]  #: columns of `hits` that its format says anything about


@contextmanager
def attached(connection: "DuckDBPyConnection", folder: Path) -> Iterator[None]:
    """The state of a folder as the database `kept`, made when it is not there.

    Raises:
        Unavailable: another run holds it.
        InvalidInput: what lies there is not a state of this version.
    """
    path = folder / FILE_NAME
    refusal = InvalidInput("state", zh=f"{path} 不是状态文件", en=f"{path} is no state file")
    attach(connection, path, "kept", refusal=refusal)
    try:
        for table in _TABLES:
            connection.execute(table)
        _check_version(connection)
        yield
    finally:
        connection.execute("DETACH kept")


def _check_version(connection: "DuckDBPyConnection") -> None:
    found = connection.execute("SELECT version FROM kept.about").fetchall()
    if not found:
        connection.execute("INSERT INTO kept.about VALUES (?, NULL)", [VERSION])
    elif found != [(VERSION,)]:
        raise InvalidInput(
            "state",
            zh="状态由其他版本写成，请换一个空目录重新读入全部文件",
            en="the state is of another version; give an empty folder and read all files anew",
        )


def kept_files(connection: "DuckDBPyConnection") -> list[KeptFile]:
    """All files, in the order in which they came."""
    found = connection.execute("SELECT * FROM kept.files ORDER BY file").fetchall()
    names = [column[0] for column in connection.description or ()]
    return [_kept(dict(zip(names, row, strict=True))) for row in found]


def _kept(row: dict[str, Any]) -> KeptFile:
    return KeptFile(**{**row, "path": Path(row["path"]), "fills": tuple(row["fills"])})


def put_file(connection: "DuckDBPyConnection", kept: KeptFile) -> None:
    """Write what is known of a file, over what was known before."""
    values = [getattr(kept, name) for name in KeptFile.__slots__]
    values = [str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for v in values]
    connection.execute("DELETE FROM kept.files WHERE file = ?", [kept.file])
    places = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO kept.files ({', '.join(KeptFile.__slots__)}) VALUES ({places})", values)


def forget(connection: "DuckDBPyConnection", *, keep_us: int, until_us: int) -> int:
    """Drop rows that are older than `keep_us` before the newest row; how many.

    Rows dated after `until_us` do not count as the newest: one wrong clock must not empty the state.
    """
    newest = _one(
        connection,
        f"""SELECT max(at_us) FROM (SELECT newest_us AS at_us FROM kept.about
        UNION ALL SELECT max(at_us) FROM kept.read_hits WHERE at_us <= {until_us}
        UNION ALL SELECT max(at_us) FROM kept.read_events WHERE at_us <= {until_us})""",
    )
    if newest is None:
        return 0
    dropped = 0
    connection.execute("BEGIN")
    connection.execute("UPDATE kept.about SET newest_us = ?", [newest])
    for table in ("hits", "lines", "events"):
        count = _one(connection, f"SELECT count(*) FROM kept.read_{table} WHERE at_us < {newest - keep_us}")
        if count:
            connection.execute(f"DELETE FROM kept.read_{table} WHERE at_us < {newest - keep_us}")
            dropped += 0 if table == "lines" else int(count)
    connection.execute("COMMIT")
    return dropped


def rows_left(connection: "DuckDBPyConnection", kept: Sequence[KeptFile]) -> dict[int, int]:
    """How many rows of each file are still kept."""
    found = dict.fromkeys((one.file for one in kept), 0)
    for table in ("hits", "events"):
        found |= dict(connection.execute(f"SELECT file, count(*) FROM kept.read_{table} GROUP BY file").fetchall())
    return found


def _one(connection: "DuckDBPyConnection", query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
