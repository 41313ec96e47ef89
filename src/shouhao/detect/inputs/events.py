"""Events: rows of text become the table `events`, typed, each event once, in the order in which they stand.

What cannot be told is not guessed: a row without a readable time is put aside, an id whose digits a spreadsheet has
destroyed is emptied (many patients would share it), a time without a zone is taken for Asia/Shanghai and said so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shouhao.detect.inputs.event_kinds import kind_of, kinds_found, own_kinds
from shouhao.detect.inputs.event_problems import (
    AGAIN,
    IDS,
    READ,
    SHARED,
    name_the_nameless,
    number_of,
    tell,
    tell_duplicates,
)
from shouhao.detect.inputs.event_rows import rows_of_each
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files
from shouhao.detect.inputs.log_times import AHEAD_US
from shouhao.detect.inputs.mapping import Names, names_of
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.sql import (
    AS_EXPORTED,
    EARLIEST_US,
    EXCEL_SERIAL,
    LATEST_US,
    drop_relation,
    finite,
    instant_us,
    is_missing,
    literal,
    name,
    uncompressed,
)
from shouhao.detect.model import Source
from shouhao.kernel.events import EVENT_KINDS, Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INSTANTS = ("_at", "_released_at")
_DIGITS_LOST = r"\d(?:\.\d+)?[eE]\+\d+"  #: what a spreadsheet makes of a long number
_NUMBERS = {"at_us": "BIGINT", "released_at_us": "BIGINT", "latency_ms": "DOUBLE"}
#: The columns of `events` and their types,
_KEPT = {column: _NUMBERS.get(column, "VARCHAR") for column in ("event_id", *Event._fields)} | {
    "source": "INTEGER",
    "byte_start": "BIGINT",
    "byte_end": "BIGINT",
}
#: and what is known of a row until then: its file and line, and what it says where that could not be read.
_BESIDE = {"number": "INTEGER", "row_number": "BIGINT"} | {
    f"{column}_said": "VARCHAR" for column in ("at", "kind", "released_at", "latency_ms", *SHARED)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What was read of events."""

    row_count: int  #: rows that could be taken apart
    event_count: int  #: rows of `events`
    duplicates: int
    mapped: frozenset[tuple[str, str]]  #: columns and headings of the mapping that a file has


def read_events(
    connection: "DuckDBPyConnection",
    paths: Sequence[Path],
    *,
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    problems: Problems | None = None,
) -> list[Source]:
    """Make `events` of files alone; `read.read_inputs` reads them together with access logs.

    Raises:
        InvalidInput: a file cannot be read.
    """
    problems = Problems() if problems is None else problems
    files = open_files([(path, "events") for path in paths], problems=problems)
    numbered = list(enumerate(files))
    load_events(connection, numbered, mapping=names_of(mapping), problems=problems)
    return [file.source(number) for number, file in numbered]


def load_events(
    connection: "DuckDBPyConnection",
    numbered: Sequence[tuple[int, InputFile]],
    *,
    mapping: Names | None = None,
    problems: Problems,
    now_us: int | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
) -> Events:
    """Make `events` of files that are open, over any `events` that is there.

    Args:
        now_us: an event that is dated more than five minutes after it lies in the future; None to leave that out.
    """
    names = {number: file.name for number, file in numbered}
    kinds = ", ".join(f"{column} {kind}" for column, kind in (_KEPT | _BESIDE).items())
    connection.execute(f"CREATE OR REPLACE TABLE {READ} ({kinds})")
    mapped: set[tuple[str, str]] = set()
    with uncompressed(connection):
        files = rows_of_each(connection, numbered, mapping=mapping or {}, problems=problems, line_limit=line_limit)
        own = own_kinds(mapping or {})
        for number, rows, known in files:
            connection.execute(f"INSERT INTO {READ} {_typed(number, rows, now_us, own)}")
            mapped |= known | kinds_found(connection, rows, own)
        tell(connection, problems, names, now_us)
        name_the_nameless(connection, problems, names)
        duplicates = tell_duplicates(connection, problems, names)
        read = number_of(connection, READ)
        _keep(connection)
    connection.execute(f"DROP TABLE {AGAIN}")
    return Events(
        row_count=read, event_count=number_of(connection, "events"), duplicates=duplicates, mapped=frozenset(mapped)
    )


def _keep(connection: "DuckDBPyConnection") -> None:
    """Leave of what was read the columns of `events`, and the rows that can be told, each event once."""
    connection.execute(f"DELETE FROM {READ} WHERE at_us IS NULL OR kind IS NULL")
    connection.execute(
        f"DELETE FROM {READ} r USING {AGAIN} a WHERE a.number = r.number AND a.row_number = r.row_number"
    )
    for column in _BESIDE:
        connection.execute(f"ALTER TABLE {READ} DROP COLUMN {column}")
    drop_relation(connection, "events")
    connection.execute(f"ALTER TABLE {READ} RENAME TO events")


def _typed(number: int, rows: str, now_us: int | None, own: Mapping[str, tuple[str, str]]) -> str:
    """All columns with their types, null where a value cannot be read; and what was said there.

    Args:
        own: as `event_kinds.own_kinds` makes it.
    """
    known = ", ".join(literal(kind) for kind in EVENT_KINDS)
    latest_us = LATEST_US if now_us is None else min(LATEST_US, now_us + AHEAD_US)
    at_us, released_at_us = (f"CASE WHEN {c} BETWEEN {EARLIEST_US} AND {LATEST_US} THEN {c} END" for c in _INSTANTS)
    latency_ms = finite("replace(latency_ms, ',', '')")
    made = {
        "number": str(number),
        "at_us": at_us,
        "at_said": f"""CASE WHEN "at" LIKE '{AS_EXPORTED}' AND _at BETWEEN {EARLIEST_US} AND {latest_us}
            THEN NULL ELSE "at" END""",
        "released_at_us": released_at_us,
        "released_at_said": f"CASE WHEN {released_at_us} IS NULL THEN released_at END",
        "kind": "_kind",
        "kind_said": f"CASE WHEN _kind IN ({known}) THEN NULL ELSE kind END",
        "latency_ms": latency_ms,
        "latency_ms_said": f"CASE WHEN {latency_ms} IS NULL THEN latency_ms END",
        "source": f"CASE WHEN byte_start IS NOT NULL THEN {number} END",
    }
    said = dict[str, str]()
    for column in SHARED:  # nearly no id holds a plus, and to ask for one costs far less than the expression
        lost = f"contains({column}, '+') AND regexp_full_match({column}, {literal(_DIGITS_LOST)})"
        empty = f"({is_missing(column)})" + (f" OR ({lost})" if column in IDS else "")
        said[f"{column}_said"] = f"CASE WHEN {empty} THEN {column} END"
        made[column] = f"CASE WHEN {column}_said IS NULL THEN {column} END"
    not_ids = ", ".join(f"{sql} AS {column}" for column, sql in said.items())
    columns = ", ".join(f"{made.get(column, column)} AS {column}" for column in _KEPT | _BESIDE)
    return f"""SELECT {columns} FROM (
        SELECT *, {_instant("at")} AS _at, {_instant("released_at")} AS _released_at,
            {kind_of("kind", own)} AS _kind, {not_ids}
        FROM ({rows}))"""


def _instant(column: str) -> str:
    """A number that a spreadsheet made of a date is none; where there is a colon, it made none."""
    text = name(column)
    plain = f"contains({text}, ':') OR NOT regexp_full_match({text}, {literal(EXCEL_SERIAL)})"
    return f"CASE WHEN {plain} THEN {instant_us(text)} END"
