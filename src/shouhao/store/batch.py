"""Batches: many rows travel to the database in one statement, as one JSON value.

Each database has its own function that turns JSON into rows; that function is the one difference between the two,
and it stands here. Everything around it is the same SQL.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Column, Connection, Table, TextClause, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import BigInteger, Boolean, Integer

Row = TypeVar("Row")
SQLType = Literal["text", "bigint", "boolean", "double precision"]

MOST_ROWS = 5_000  #: of one statement

_CURSOR = "shouhao_cursor"
_DIALECTS: Mapping[str, Any] = {"postgresql": postgresql.psycopg.dialect, "sqlite": sqlite.dialect}

_encode = msgspec.json.Encoder().encode


def pieces(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """As many rows as one statement should have, one piece after the other."""
    for start in range(0, len(rows), MOST_ROWS):
        yield rows[start : start + MOST_ROWS]


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


def rows(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> list[Any]:
    """What a statement of the hot path returns.

    It goes through one cursor that each database connection keeps. SQLAlchemy makes a cursor, a context and a result
    for each statement, which is half of what a small batch costs.
    """
    cursor, _ = _run(connection, statement, values)
    return list(cursor.fetchall())


def run(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> int:
    """How many rows a statement of the hot path touched; as `rows`."""
    _, count = _run(connection, statement, values)
    return count


@contextmanager
def together(connection: Connection) -> Iterator[None]:
    """Send the statements of the block without waiting for each; what they return and touch is not known in it.

    PostgreSQL then answers once instead of once a statement (its pipeline mode); SQLite runs in this process anyway.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with _wrapped(connection, "statements sent together"), driver.pipeline():
        yield


def _run(connection: Connection, statement: TextClause, values: Mapping[str, Any]) -> tuple[Any, int]:
    sql, order = _worded(statement, connection.dialect.name)
    given: Any = values if order is None else tuple(values[name] for name in order)
    cursor = _cursor(connection)
    with _wrapped(connection, sql):
        cursor.execute(sql, given)
    return cursor, cursor.rowcount


def _cursor(connection: Connection) -> Any:
    info = connection.info
    if _CURSOR not in info:
        info[_CURSOR] = connection.connection.cursor()
    return info[_CURSOR]


@contextmanager
def _wrapped(connection: Connection, sql: str) -> Iterator[None]:
    """Errors of the driver as SQLAlchemy's, as if it had run the statement; without the values, which name people."""
    dialect = connection.dialect
    dbapi: Any = dialect.loaded_dbapi
    try:
        yield
    except dbapi.Error as error:
        away = dialect.is_disconnect(error, None, None)
        if away:
            connection.info.pop(_CURSOR, None)
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql, None, error, dbapi.Error, hide_parameters=True, connection_invalidated=away, dialect=dialect
        ) from error


@lru_cache(maxsize=256)
def _worded(statement: TextClause, dialect: str) -> tuple[str, tuple[str, ...] | None]:
    """The statement as its driver wants it, and the order of its values where they have no names."""
    made = _DIALECTS[dialect]()
    compiled: Any = statement.compile(dialect=made)
    return str(compiled), tuple(compiled.positiontup) if compiled.positional else None


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


def insert_structs(connection: Connection, table: Table, given: Sequence[msgspec.Struct]) -> None:
    """Insert structs whose fields are named like the table's columns; the way for hot tables.

    Very many go in pieces, so that no statement runs into the time that one may take.
    """
    if not given:
        return
    if len(given) > MOST_ROWS:
        for piece in pieces(given):
            insert_structs(connection, table, piece)
        return
    columns = given[0].__struct_fields__
    if connection.dialect.name == "postgresql":
        run(connection, _insert_json(table, columns), {"rows": encode(given)})
        return
    sql = _insert_rows(table, columns)
    with _wrapped(connection, sql):
        _cursor(connection).executemany(sql, [msgspec.structs.astuple(row) for row in given])


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


def first_of(dialect: str, table: str, alias: str, *, where: str, order: str, column: str, bind: str) -> str:
    """The SQL that joins, to each row before it, the first rows of `table` that satisfy `where`.

    How many is in `column` of the row before. SQLite knows no lateral join and limits by a bound value only: there
    `bind` is the largest of the column, and some rows come for nothing.
    """
    if dialect == "postgresql":
        found = f"SELECT f.* FROM {table} f WHERE {where} ORDER BY {order} LIMIT {column}"
        return f"JOIN LATERAL ({found}) {alias} ON true"
    found = f"SELECT f.id FROM {table} f WHERE {where} ORDER BY {order} LIMIT :{bind}"
    return f"JOIN {table} {alias} ON {alias}.id IN ({found})"


def locked(dialect: str, *, of: str, skip: bool = False) -> str:
    """The SQL that keeps the rows of `of` still until the unit of work ends, waiting in the order they are read.

    SQLite has one writer, who locks everything from the start; there it is nothing.

    Args:
        skip: leave out rows that another unit of work holds, instead of waiting for it.
    """
    return f" FOR NO KEY UPDATE OF {of}{' SKIP LOCKED' if skip else ''}" if dialect == "postgresql" else ""
