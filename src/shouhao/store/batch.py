"""Batches: many rows travel to the database in one statement, as one JSON value.

Each database has its own function that turns JSON into rows; that function is the one difference between the two,
and it stands here. Everything around it is the same SQL.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
from sqlalchemy import Column, Connection, Table, TextClause, text
from sqlalchemy.types import BigInteger, Boolean, Integer

SQLType = Literal["text", "bigint", "boolean", "double precision"]

_BY_KEY = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true)"
)

_encode = msgspec.json.Encoder().encode


def encode(rows: Sequence[Any]) -> str:
    """Rows as the JSON text that `records` reads. A missing key is NULL."""
    return _encode(rows).decode()


def records(dialect: str, bind: str, columns: Mapping[str, SQLType], alias: str) -> str:
    """The SQL of a table `alias` with these columns, read from the bound JSON text `:bind`.

    Args:
        dialect: `sqlite` or `postgresql`.
        bind: name of the bound value, a JSON array of objects.
    """
    if dialect == "postgresql":
        types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        return f"json_to_recordset(CAST(:{bind} AS json)) AS {alias}({types})"
    picked = ", ".join(f"value ->> '{name}' AS {name}" for name in columns)
    return f"(SELECT {picked} FROM json_each(:{bind})) AS {alias}"


def values(dialect: str, bind: str) -> str:
    """The SQL of a subquery that gives each text in the bound JSON array `:bind`, for `IN (...)`.

    The database takes it as one value however many there are, so a statement is parsed once.
    """
    if dialect == "postgresql":
        return f"(SELECT json_array_elements_text(CAST(:{bind} AS json)))"
    return f"(SELECT value FROM json_each(:{bind}))"


def insert(connection: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert all rows, each a mapping in which a missing column is NULL; other columns keep their defaults.

    PostgreSQL takes them as one JSON value; SQLite runs in this process, where stepping one prepared statement
    through the rows is faster than taking JSON apart.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(_insert_json(table, columns), {"rows": encode(rows)})
    else:
        connection.exec_driver_sql(_insert_rows(table, columns), [tuple(map(row.get, columns)) for row in rows])


def insert_structs(connection: Connection, table: Table, rows: Sequence[msgspec.Struct]) -> None:
    """Insert structs whose fields are named like the table's columns; the way for hot tables."""
    if not rows:
        return
    columns = rows[0].__struct_fields__
    if connection.dialect.name == "postgresql":
        connection.execute(_insert_json(table, columns), {"rows": encode(rows)})
    else:
        connection.exec_driver_sql(_insert_rows(table, columns), [msgspec.structs.astuple(row) for row in rows])


@lru_cache(maxsize=256)
def _insert_json(table: Table, columns: tuple[str, ...]) -> TextClause:
    names = ", ".join(columns)
    source = records("postgresql", "rows", {name: _sql_type(table.c[name]) for name in columns}, "r")
    return text(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {source}")


@lru_cache(maxsize=256)
def _insert_rows(table: Table, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _sql_type(column: Column[Any]) -> SQLType:
    if isinstance(column.type, Boolean):
        return "boolean"
    if isinstance(column.type, BigInteger | Integer):
        return "bigint"
    return "text" if column.type.python_type is str else "double precision"


def limit(dialect: str, *, column: str, bind: str) -> str:
    """The SQL that limits a subquery to `column` of the row it is looked up for.

    SQLite limits by a bound value only: there `bind` is the largest of the column, and some rows come for nothing.
    """
    return f"LIMIT {column}" if dialect == "postgresql" else f"LIMIT :{bind}"


def look_up_by_key(connection: Connection) -> None:
    """For the rest of this unit of work, find rows by their keys whatever the statistics say.

    A morning's rush fills tables faster than PostgreSQL counts them; a plan made for a table that was empty an hour
    ago would read all of it for each batch. SQLite looks up by key anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_BY_KEY)


def locked(dialect: str, *, of: str) -> str:
    """The SQL that keeps the rows of `of` still until the unit of work ends, waiting in the order they are read.

    SQLite has one writer, who locks everything from the start; there it is nothing.
    """
    return f" FOR NO KEY UPDATE OF {of}" if dialect == "postgresql" else ""
