"""Two at once: one unit of work stays open while somebody else begins, and ends when they wait or are done."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, text

from shouhao.store.engine import Database

Said = TypeVar("Said")

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def meanwhile(
    db: Database,
    first: Callable[[Connection], object],
    second: Callable[[], Said],
    *,
    then: Callable[[Connection], object] = lambda _: None,
) -> Said:
    """What comes of the second, who begins before the first commits; what it raises is raised here.

    Args:
        first: acts in a unit of work that stays open until the second waits for it, or is done without.
        then: what the first does before it commits.
    """
    with ThreadPoolExecutor(1) as pool:
        with db.write() as connection:
            first(connection)
            other = pool.submit(second)
            _wait_for(db, other)
            then(connection)
        return other.result(10)


def before_its_end(db: Database, first: Callable[[Database], object], second: Callable[[], Said]) -> Said:
    """The same, where the first opens its unit of work by itself: it has done everything but commit."""
    held = _Held(db)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first, held)
        assert held.reached.wait(10)
        other = pool.submit(second)
        _wait_for(db, other)
        held.go.set()
        one.result(10)
        return other.result(10)


class _Held(Database):
    """The same database, whose first unit of work commits when it is told."""

    def __init__(self, db: Database) -> None:
        super().__init__(db.engine, db._writing)
        self.reached, self.go = threading.Event(), threading.Event()

    @contextmanager
    def write(self, *, ahead: bool = False) -> Iterator[Connection]:
        with super().write(ahead=ahead) as connection:
            yield connection
            self.reached.set()
            self.go.wait(10)


def _wait_for(db: Database, other: Future[Said]) -> None:
    ends = time.monotonic() + 5
    while not other.done():
        with db.read() as connection:  # what is seen of others stands still within a unit of work
            if connection.scalar(_WAITING):
                return
        if time.monotonic() > ends:
            raise TimeoutError("it neither waits nor is done")
        time.sleep(0.005)
