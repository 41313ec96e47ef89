"""Tables: rows as dicts become the two tables that detectors count in, typed as the inputs type them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from shouhao.detect.model import EVENT_PLACES, HIT_COLUMNS, Tables
from shouhao.kernel.events import Event

Row = Mapping[str, Any]

_ARROW = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64()}
_EVENT_TYPES = {"at_us": "int64", "released_at_us": "int64", "latency_ms": "float64"}
#: Columns of `events` in order, with their types.
EVENT_COLUMNS: Mapping[str, str] = {
    "event_id": "string",
    **{name: _EVENT_TYPES.get(name, "string") for name in Event._fields},
    **EVENT_PLACES,
}
_LINE_BYTES = 100


def tables(
    *,
    hits: Iterable[Row] = (),
    events: Iterable[Row] = (),
    shuffled: int | None = None,
    threads: int = 2,
) -> Tables:
    """Tables over a database in memory.

    A hit without a place is given one by its number among the rows, an event without an id one likewise; so a row keeps
    what it is when the order changes.

    Args:
        shuffled: seed of another order of the rows.
        threads: that the database may use.
    """
    return tables_of(typed(hits, events), shuffled=shuffled, threads=threads)


def typed(hits: Iterable[Row], events: Iterable[Row]) -> dict[str, pa.Table]:
    """The rows of both tables, as `tables` places and names them."""
    placed = [
        {"source": 0, "byte_start": n * _LINE_BYTES, "byte_end": n * _LINE_BYTES + _LINE_BYTES - 1, **row}
        for n, row in enumerate(hits)
    ]
    named = [{"event_id": f"e{n:07}", **row} for n, row in enumerate(events)]
    return {"hits": _typed(placed, HIT_COLUMNS), "events": _typed(named, EVENT_COLUMNS)}


def tables_of(rows: Mapping[str, pa.Table], *, shuffled: int | None = None, threads: int = 2) -> Tables:
    """As `tables`, over rows that are typed already."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET threads = {threads}")
    made = {name: _shuffled(table, shuffled) for name, table in rows.items()}
    has = frozenset(
        f"{name}.{column}"
        for name, table in made.items()
        for column in table.column_names
        if table[column].null_count < len(table)
    )
    for name, table in made.items():
        connection.con.register(f"{name}_given", table)
        connection.raw_sql(f"CREATE TABLE {name} AS SELECT * FROM {name}_given")
        connection.con.unregister(f"{name}_given")
    return Tables(hits=connection.table("hits"), events=connection.table("events"), has=has)


@contextmanager
def without(whole: Tables, column: str) -> Iterator[Tables]:
    """The same tables while one of their columns, as "hits.ip", is empty."""
    name, _, field = column.partition(".")
    connection = whole.hits.get_backend()
    connection.raw_sql(f"ALTER TABLE {name} RENAME TO {name}_whole")
    emptied = f"SELECT * REPLACE (nullif({field}, {field}) AS {field}) FROM {name}_whole"
    connection.raw_sql(f"CREATE TABLE {name} AS {emptied}")
    try:
        yield replace(whole, has=whole.has - {column})
    finally:
        connection.raw_sql(f"DROP TABLE {name}")
        connection.raw_sql(f"ALTER TABLE {name}_whole RENAME TO {name}")


def rows_of(table: Any) -> list[dict[str, Any]]:
    """An expression's rows."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def _typed(rows: Sequence[Row], columns: Mapping[str, str]) -> pa.Table:
    unknown = sorted({name for row in rows for name in row} - set(columns))
    if unknown:
        raise ValueError(f"no such columns: {unknown}")
    made = {name: pa.array([row.get(name) for row in rows], type=_ARROW[kind]) for name, kind in columns.items()}
    return pa.table(made)


def _shuffled(table: pa.Table, shuffled: int | None) -> pa.Table:
    if shuffled is None:
        return table
    return table.take(pa.array(np.random.default_rng(shuffled).permutation(len(table))))
