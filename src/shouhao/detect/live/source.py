"""Live source: the platform's event log, followed by its growing number without missing an event.

SQLite has one writer, so numbers become visible in their order. On PostgreSQL a transaction may take number 5, another
take 6 and commit first: whoever has read 6 and goes on from there never sees 5. So reading stops before a number that
is missing until every transaction that was under way when it was missed has ended; then it was rolled back and never
comes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, text

from shouhao.store import event_log
from shouhao.store.engine import Database, dialect_of

Rows = Sequence[Sequence[Any]]  #: `seq`, then the fields of `Event`

_SETTLES_S = 1.0  #: a number is taken a moment before its transaction can be seen


class LiveSource(Protocol):
    """Where events come from, in an order that is always the same."""

    def following(self, after_seq: int, most: int) -> Rows:
        """The next events, as far as nothing before them can still come."""
        ...


@dataclass(frozen=True, slots=True)
class _Watched:
    """Numbers that were missing below `until_seq`."""

    until_seq: int
    next_transaction: int
    seen_s: float


class EventLogSource:
    """The event log of a database."""

    def __init__(self, db: Database, *, until_seq: int | None = None) -> None:
        """Follow a log; up to a number, to read again what somebody has read."""
        self._db = db
        self._until_seq = until_seq
        self._settled_seq = 0  #: what is missing up to here never comes
        self._watched: _Watched | None = None

    def following(self, after_seq: int, most: int) -> Rows:
        """The next events, as far as nothing before them can still come.

        Raises:
            Unavailable: the database does not answer.
        """
        with self._db.read() as connection:
            rows = event_log.read_raw(connection, after_seq=after_seq, until_seq=self._until_seq, most=most)
            if not rows or dialect_of(connection) != "postgresql":
                return rows
            return rows[: self._whole(connection, after_seq, rows)]

    def _whole(self, connection: Connection, after_seq: int, rows: Rows) -> int:
        """How many of the rows have nothing missing before them."""
        if self._missing(after_seq, rows) == len(rows):
            return len(rows)
        oldest, following = self._transactions(connection)
        now_s = time.monotonic()
        watched = self._watched
        if watched and oldest >= watched.next_transaction and now_s - watched.seen_s >= _SETTLES_S:
            self._settled_seq, self._watched = watched.until_seq, None
        if self._watched is None:
            self._watched = _Watched(rows[-1][0], following, now_s)
        return self._missing(after_seq, rows)

    def _missing(self, after_seq: int, rows: Rows) -> int:
        """Where the first number is missing that may still come."""
        expected = after_seq + 1
        for n, row in enumerate(rows):
            if row[0] != expected and row[0] > self._settled_seq:
                return n
            expected = row[0] + 1
        return len(rows)

    @staticmethod
    def _transactions(connection: Connection) -> tuple[int, int]:
        """The oldest transaction that is under way in this snapshot, and the one that would come next."""
        query = (
            "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"
        )
        oldest, following = connection.execute(text(query)).one()
        return int(oldest), int(following)
