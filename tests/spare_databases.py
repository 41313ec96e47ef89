"""Databases of one PostgreSQL server that tests take, empty, and give back; an emptied one costs a tenth of a new one.

A test that changed what the database is made of, and not only what is in it, gets its database thrown away.
"""

import uuid
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

_TEMPLATE = "shouhao_template"
_KEPT = frozenset({"alembic_version"})
_SMALL_BYTES = 100_000  #: up to this rows are deleted, which is quicker than giving the table new files

#: Everything that a migration could have made.
_MADE_OF = """
    SELECT md5(string_agg(one, '|' ORDER BY one)) FROM (
        SELECT concat('constraint ', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS one
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT concat('column ', relname, attname, atttypid, attnotnull, pg_get_expr(adbin, adrelid))
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND relkind <> 'i'
        UNION ALL SELECT concat('trigger ', tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid))
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT concat('index ', indexdef) FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT concat('function ', proname, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    ) AS every"""
_OTHERS_OUT = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_AT_THEIR_START = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL"""


class SpareDatabases:
    """Databases that nobody uses now."""

    def __init__(self, server: str) -> None:
        """Take the URL of a server with a migrated template; `{name}` stands for the database."""
        self._server = server
        self._spare: list[str] = []
        with self._connected(_TEMPLATE) as connection:
            self._made_of = connection.execute(_MADE_OF).fetchone()
            found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = sorted(name for (name,) in found if name not in _KEPT)
        self._with_rows = " UNION ALL ".join(
            f"SELECT '{name}', pg_relation_size('{name}') WHERE EXISTS (SELECT FROM {name})" for name in tables
        )

    def take(self) -> str:
        """An empty, migrated database."""
        if self._spare:
            return self._spare.pop()
        name = f"t{uuid.uuid4().hex}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY FILE_COPY")
        return name

    def give_back(self, name: str) -> None:
        """Empty it for the next, or throw it away."""
        with self._connected(name) as connection:
            connection.execute(_OTHERS_OUT)
            if connection.execute(_MADE_OF).fetchone() == self._made_of:
                self._empty(connection)
                self._spare.append(name)
                return
        with self._connected("postgres") as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _empty(self, connection: Any) -> None:
        filled = connection.execute(self._with_rows).fetchall()
        connection.execute("SET session_replication_role = replica")  # nothing is checked and no row is kept back
        done = [f"DELETE FROM {name}" if size <= _SMALL_BYTES else f"TRUNCATE {name} CASCADE" for name, size in filled]
        if done:
            connection.execute("; ".join(done))
        connection.execute(_AT_THEIR_START)

    @contextmanager
    def _connected(self, name: str) -> Any:
        url = make_url(self._server.format(name=name))
        with psycopg.connect(
            host=str(url.query["host"]), user=url.username, dbname=name, autocommit=True
        ) as connection:
            yield connection
