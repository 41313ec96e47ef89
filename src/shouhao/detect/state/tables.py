"""State tables: `hits` and `events` are made of all that is kept, as one run over all the files would have made them.

Which lines of two logs are the same, whose account a line is of, and which of two events with one id counts, are
questions to all files together; so they are asked here, on each run, and never answered for good. Two lines are the
same when their digests are: overlaps.py is handed logs whose every line is the digest of the one that was read.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.accounts import KEYS
from shouhao.detect.inputs.cut_reading import operation
from shouhao.detect.inputs.files import InputFile
from shouhao.detect.inputs.lines import Int64s, cut, ranges
from shouhao.detect.inputs.log_times import DatedLines, DatedLog
from shouhao.detect.inputs.overlaps import Overlap, find_overlaps
from shouhao.detect.inputs.sql import as_dictionaries, drop_relation, uncompressed
from shouhao.detect.model import HIT_COLUMNS, OPERATION
from shouhao.detect.state.kept import KeptFile
from shouhao.kernel.events import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NUMBERS, _LEFT_OUT = "shouhao_numbers", "shouhao_left_out"


def make_events(connection: "DuckDBPyConnection", numbers: Mapping[int, int], *, until_us: int | None) -> int:
    """Make `events`, each once; how many rows were the same event again.

    Args:
        numbers: of the files in the state, their numbers as sources; rows of no other file are taken.
        until_us: rows that are dated after it are left aside.
    """
    _register_numbers(connection, numbers)
    columns = ", ".join(("event_id", *Event._fields))
    within = "true" if until_us is None else f"at_us <= {until_us}"
    drop_relation(connection, "events")
    with uncompressed(connection):
        connection.execute(
            f"""CREATE TABLE main.events AS
            SELECT {columns}, CASE WHEN byte_start IS NULL THEN NULL ELSE number END AS source, byte_start, byte_end
            FROM kept.read_events JOIN {_NUMBERS} USING (file) WHERE {within}
            QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY at_us, number) = 1
            ORDER BY at_us, number, byte_start, event_id"""
        )
    return _count(connection, f"kept.read_events JOIN {_NUMBERS} USING (file) WHERE {within}") - _count(
        connection, "main.events"
    )


def make_hits(
    connection: "DuckDBPyConnection", kept: Sequence[KeptFile], numbers: Mapping[int, int], *, until_us: int | None
) -> tuple[list[Overlap], int]:
    """Make `hits`, over `events`; what the logs have in common, and how many lines that leaves out."""
    _register_numbers(connection, numbers)
    overlaps, left_out = find_overlaps(connection, _logs(connection, kept, numbers))
    _register_left_out(connection, {number: places for number, places in left_out.items() if len(places)}, numbers)
    joins, accounts = "", []
    for key in KEYS:
        joins += f""" LEFT JOIN (SELECT {key}, min(account_id) AS of_{key} FROM main.events
            WHERE {key} IS NOT NULL AND account_id IS NOT NULL
            GROUP BY {key} HAVING min(account_id) = max(account_id)) by_{key} ON by_{key}.{key} = h.{key}"""
        accounts.append(f"of_{key}")
    made = {"source": "number", "account_id": f"coalesce(h.account_id, {', '.join(accounts)})"}
    columns = ", ".join(f"{made.get(column, f'h.{column}')} AS {column}" for column in HIT_COLUMNS)
    columns += f", {operation('h.path')} AS {OPERATION}"
    within = "" if until_us is None else f"WHERE h.at_us <= {until_us}"
    drop_relation(connection, "hits")
    with as_dictionaries(connection):
        connection.execute(
            f"""CREATE TABLE main.hits AS SELECT {columns} FROM kept.read_hits h JOIN {_NUMBERS} n ON n.file = h.file
            ANTI JOIN {_LEFT_OUT} l ON l.file = h.file AND l.byte_start = h.byte_start {joins} {within}
            ORDER BY source, byte_start"""
        )
    return overlaps, sum(len(places) for places in left_out.values())


def _register_numbers(connection: "DuckDBPyConnection", numbers: Mapping[int, int]) -> None:
    table = {"file": pa.array(list(numbers), pa.int32()), "number": pa.array(list(numbers.values()), pa.int32())}
    connection.register(_NUMBERS, pa.table(table))


def _register_left_out(
    connection: "DuckDBPyConnection", left_out: Mapping[int, Int64s], numbers: Mapping[int, int]
) -> None:
    """The lines that are counted in another log: file, byte_start."""
    file_of = {number: file for file, number in numbers.items()}
    files, starts = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
    for number, places in left_out.items():
        found: Any = connection.execute(
            "SELECT byte_start FROM kept.read_lines WHERE file = ? ORDER BY byte_start", [file_of[number]]
        ).fetchnumpy()
        starts.append(np.asarray(found["byte_start"])[places])
        files.append(np.full(len(places), file_of[number], np.int32))
    connection.register(_LEFT_OUT, pa.table({"file": np.concatenate(files), "byte_start": np.concatenate(starts)}))


def _logs(connection: "DuckDBPyConnection", kept: Sequence[KeptFile], numbers: Mapping[int, int]) -> list[DatedLog]:
    """Those logs whose times meet another's, each line its digest."""
    spans: dict[int, tuple[int, int]] = {
        file: (low, high)
        for file, low, high in connection.execute(
            "SELECT file, min(at_us), max(at_us) FROM kept.read_lines GROUP BY file"
        ).fetchall()
        if file in numbers
    }
    met = [
        file
        for file, (low, high) in spans.items()
        if any(other != file and max(low, a) <= min(high, b) for other, (a, b) in spans.items())
    ]
    by_file = {one.file: one for one in kept}
    return [_log(connection, by_file[file], numbers[file]) for file in sorted(met, key=lambda one: numbers[one])]


def _log(connection: "DuckDBPyConnection", kept: KeptFile, number: int) -> DatedLog:
    found = connection.execute(
        "SELECT at_us, hex(digest) AS digest FROM kept.read_lines WHERE file = ? ORDER BY byte_start", [kept.file]
    ).to_arrow_table()
    digests = found["digest"].to_pylist()
    hashing: Future[str] = Future()
    hashing.set_result(kept.sha256)
    text = "".join(f"{digest}\n" for digest in digests).encode("ascii")
    file = InputFile(
        name="",
        path=Path(),
        kind="access_log",
        size_bytes=len(text),
        packed=kept.packed,
        text=text,
        stopped=None,
        hashing=hashing,
    )
    at_us, parts, count = found["at_us"].to_numpy(), [], 0
    for begin, end in ranges(file):
        lines = cut(file, begin, end)
        none = np.empty(0, np.int64)
        parts.append(
            DatedLines(
                lines=lines,
                at_us=at_us[count : count + len(lines)],
                way=np.zeros(len(lines), np.int32),
                unfit=(none.astype(np.int32), none),
            )
        )
        count += len(lines)
    return DatedLog(number=number, file=file, ranges=tuple(parts), line_count=count)


def _count(connection: "DuckDBPyConnection", what: str) -> int:
    row: Any = connection.execute(f"SELECT count(*) FROM {what}").fetchone()
    return int(row[0])
