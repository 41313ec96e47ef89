"""Engine: how a database is opened, and the unit of work over it.

SQLite runs with a write-ahead log and full synchronisation: a commit that was answered survives a power cut.
It has one writer at a time; within a process writers take turns at a lock instead of polling the file.
PostgreSQL writes at READ COMMITTED; what must not race takes row locks in the order patients, sessions, slots. It reads
on one snapshot (REPEATABLE READ, READ ONLY), as SQLite's write-ahead log does by itself.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shouhao.kernel.errors import Unavailable
from shouhao.store.turns import Turns

_WRITE = "shouhao_write"
_SQLITE_BUSY_MS = 10_000
_CONNECT_TIMEOUT_S = 5
#: Waits are bounded, so that a stuck client costs others seconds and not the morning. Batches look rows up by key;
#: the default price of a random page is a spinning disk's and would have the planner read whole tables instead.
_POSTGRESQL_OPTIONS = (
    "-c lock_timeout=5s -c statement_timeout=15s -c idle_in_transaction_session_timeout=30s "
    "-c random_page_cost=1.1 -c jit=off"
)
#: Writers find rows by their keys whatever the statistics say. A morning's rush fills tables faster than PostgreSQL
#: counts them; a plan made for a table that was empty an hour ago would read all of it for each batch.
_BY_KEY = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}


class Database:
    """One database: `read()` and `write()` are units of work.

    A unit commits when its block ends and rolls back when the block raises; nothing inside calls commit.
    """

    def __init__(self, engine: Engine, writing: Engine | None = None) -> None:
        """Take the engines; on PostgreSQL writers have connections of their own."""
        self.engine = engine
        self._writing = writing or engine
        self.dialect = engine.dialect.name  #: "sqlite" or "postgresql"
        self._turns = Turns() if self.dialect == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent look that changes nothing.

        Raises:
            Unavailable: the database does not answer.
        """
        with _translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self, *, ahead: bool = False) -> Iterator[Connection]:
        """A unit of work: all of it is durable when the block ends, or none of it. A block opens no second one.

        Args:
            ahead: on SQLite, take the next turn before other writers of this process; for work that serves many.
        Raises:
            Unavailable: the database does not answer, or another writer holds it too long.
        """
        if self._turns is None:
            with _translated(), self._writing.begin() as connection:
                yield connection
            return
        with self._turns.turn(ahead=ahead), _translated(), self.engine.connect() as opened:
            connection = opened.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Give all connections back to the database."""
        self.engine.dispose()
        self._writing.dispose()


def open_database(url: str, *, pool_size: int = 8) -> Database:
    """Open a database by URL: `sqlite:///path` or `postgresql+psycopg://...`.

    Raises:
        ValueError: another kind of database.
    """
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return Database(_sqlite(url, parsed.database, pool_size))
    if kind == "postgresql":
        # Both travel with each BEGIN: a look on one snapshot costs no round trip more, and cannot write by mistake.
        reading = _postgresql(parsed, "", pool_size, isolation_level="REPEATABLE READ")
        return Database(reading.execution_options(postgresql_readonly=True), _postgresql(parsed, _BY_KEY, pool_size))
    raise ValueError(f"not a database this system runs on: {kind}")


def _postgresql(url: URL, options: str, pool_size: int, **more: Any) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        pool_timeout=_CONNECT_TIMEOUT_S,
        hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "options": _POSTGRESQL_OPTIONS + options},
        **more,
    )


def _sqlite(url: str, path: str | None, pool_size: int) -> Engine:
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=_CONNECT_TIMEOUT_S,
        hide_parameters=True,  # an error's text must not quote a patient
        connect_args={"timeout": _SQLITE_BUSY_MS / 1000, "check_same_thread": False, "cached_statements": 512},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, by us
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {_SQLITE_BUSY_MS}",
            "cache_size = -65536",
            "temp_store = MEMORY",
            "wal_autocheckpoint = 16000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer says so at once: a read that turns into a write can fail with a stale snapshot.
        writes = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _translated() -> Iterator[None]:
    """A database that is away or held too long is `Unavailable`; every other error is a bug and passes."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("database") from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_away(error):
            raise Unavailable("database") from error
        raise


def _is_away(error: DBAPIError) -> bool:
    """Whether the database is away, full or busy. SQLite also calls a mistake in our SQL "operational"."""
    if not isinstance(error, OperationalError):
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        return error.orig.sqlite_errorcode & 0xFF in _SQLITE_AWAY
    return True


def dialect_of(connection: Connection) -> str:
    """`sqlite` or `postgresql`."""
    name: Any = connection.dialect.name
    return str(name)
