"""Tables: rows as dicts become the two tables that detectors count in, typed as the inputs type them."""

from collections.abc import Iterable, Mapping, Sequence
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
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET threads = {threads}")
    placed = [
        {"source": 0, "byte_start": n * _LINE_BYTES, "byte_end": n * _LINE_BYTES + _LINE_BYTES - 1, **row}
        for n, row in enumerate(hits)
    ]
    named = [{"event_id": f"e{n:07}", **row} for n, row in enumerate(events)]
    made = {"hits": _typed(placed, HIT_COLUMNS, shuffled), "events": _typed(named, EVENT_COLUMNS, shuffled)}
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


def without(whole: Tables, column: str) -> Tables:
    """The same tables with one column emptied, as "hits.ip"."""
    name, _, field = column.partition(".")
    emptied = {field: ibis.null({**HIT_COLUMNS, **EVENT_COLUMNS}[field])}
    return replace(
        whole,
        hits=whole.hits.mutate(**emptied) if name == "hits" else whole.hits,
        events=whole.events.mutate(**emptied) if name == "events" else whole.events,
        has=whole.has - {column},
    )


def rows_of(table: Any) -> list[dict[str, Any]]:
    """An expression's rows."""
    rows: list[dict[str, Any]] = table.to_pyarrow().to_pylist()
    return rows


def _typed(rows: Sequence[Row], columns: Mapping[str, str], shuffled: int | None) -> pa.Table:
    unknown = sorted({name for row in rows for name in row} - set(columns))
    if unknown:
        raise ValueError(f"no such columns: {unknown}")
    made = {name: pa.array([row.get(name) for row in rows], type=_ARROW[kind]) for name, kind in columns.items()}
    table = pa.table(made)
    if shuffled is None:
        return table
    return table.take(pa.array(np.random.default_rng(shuffled).permutation(len(table))))
