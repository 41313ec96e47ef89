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
_NONE = {"hits": 0, "events": 0}


def tables(
    *,
    hits: Iterable[Row] = (),
    events: Iterable[Row] = (),
    shuffled: int | None = None,
    threads: int = 1,
) -> Tables:
    """Tables over a database in memory.

    A hit without a place is given one by its number among the rows, an event without an id one likewise; so a row keeps
    what it is when the order changes.

    Args:
        shuffled: seed of another order of the rows.
        threads: that the database may use. With so few rows a second one takes half as much again and is no sooner.
    """
    return tables_of(typed(hits, events), shuffled=shuffled, threads=threads)


def typed(hits: Iterable[Row], events: Iterable[Row], *, after: Mapping[str, int] = _NONE) -> dict[str, pa.Table]:
    """The rows of both tables, as `tables` places and names them.

    Args:
        after: how many rows of each table these are to follow.
    """
    hits, events = list(hits), list(events)
    starts = [n * _LINE_BYTES for n in range(after["hits"], after["hits"] + len(hits))]
    places = {
        "source": [0] * len(hits),
        "byte_start": starts,
        "byte_end": [start + _LINE_BYTES - 1 for start in starts],
    }
    names = {"event_id": [f"e{n:07}" for n in range(after["events"], after["events"] + len(events))]}
    return {"hits": _typed(hits, HIT_COLUMNS, places), "events": _typed(events, EVENT_COLUMNS, names)}


def tables_of(rows: Mapping[str, pa.Table], *, shuffled: int | None = None, threads: int = 1) -> Tables:
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


def _typed(
    rows: Sequence[Row], columns: Mapping[str, str], given: Mapping[str, Sequence[int] | Sequence[str]]
) -> pa.Table:
    """The rows as columns; what a row does not say of itself is as it is given."""
    said = set().union(*rows)
    if unknown := sorted(said - set(columns)):
        raise ValueError(f"no such columns: {unknown}")
    made: dict[str, pa.Array] = {}
    for name, kind in columns.items():
        if name in given:
            values = [row.get(name, one) for row, one in zip(rows, given[name], strict=True)]
        else:
            values = [row.get(name) for row in rows] if name in said else [None] * len(rows)
        made[name] = pa.array(values, type=_ARROW[kind])
    return pa.table(made)


def _shuffled(table: pa.Table, shuffled: int | None) -> pa.Table:
    if shuffled is None:
        return table
    return table.take(pa.array(np.random.default_rng(shuffled).permutation(len(table))))
