"""Desk: what is decided for the requests that come in a rush: bookings, entries into draws and waitlists, returns.

Each kind of a batch is one transaction. What keeps one request from being written is its own answer and nobody else's.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from shouhao.booking.decide import HoldTimes
from shouhao.booking.model import DeskRequest, EntryRequest, ReturnRequest
from shouhao.booking.store.desk import SlotMoved
from shouhao.flows.book import book
from shouhao.flows.enter import enter
from shouhao.flows.give_back import return_slots
from shouhao.flows.once import DONE
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.store.answers import Answer
from shouhao.store.engine import Database

_log = structlog.get_logger()

Said = Answer | Refused | Exception


class BookingDesk:
    """The decision that `booking.desk.Desk` is given."""

    def __init__(self, db: Database, clock: Clock, hold: HoldTimes) -> None:
        self._db = db
        self._clock = clock
        self._hold = hold

    def decide(self, requests: Sequence[DeskRequest]) -> Sequence[Said]:
        """Answer a batch durably; in the order it was asked.

        Raises:
            Unavailable: the database does not answer; nothing was done, or the answer is kept under its key.
        """
        kinds: dict[type[Any], list[int]] = defaultdict(list)
        for n, request in enumerate(requests):
            kinds[type(request)].append(n)
        if len(kinds) == 1:
            return self._kind(requests)
        said: dict[int, Said] = {}
        for numbers in kinds.values():
            said.update(zip(numbers, self._part([requests[n] for n in numbers]), strict=True))
        return [said[n] for n in range(len(requests))]

    def _kind(self, requests: Sequence[DeskRequest]) -> Sequence[Said]:
        """Requests of one kind."""
        try:
            started_us = self._clock.now_us()
            try:
                said = self._act(requests, started_us)
            except (IntegrityError, SlotMoved):
                # Somebody outside this batch used one of its keys or slots a moment ago; looked at again, it is seen.
                said = self._act(requests, started_us)
        except (IntegrityError, DataError, SlotMoved) as error:
            # Whatever still cannot be written is one request's, and must not cost the others their answers.
            if len(requests) == 1:
                _log.error("request_not_written", error=type(error).__name__, exc_info=True)
                return [error]
            half = len(requests) // 2
            return [*self._part(requests[:half]), *self._part(requests[half:])]
        _log.info(
            "batch_decided",
            what=type(requests[0]).__name__ if requests else None,
            requests=len(requests),
            granted=sum(isinstance(a, Answer) and a.status == DONE for a in said),
            took_ms=(self._clock.now_us() - started_us) / 1000,
        )
        return said

    def _part(self, requests: Sequence[DeskRequest]) -> Sequence[Said]:
        try:
            return self._kind(requests)
        except Unavailable as error:  # the other part may have its answers
            return [error] * len(requests)

    def _act(self, requests: Sequence[Any], now_us: int) -> list[Answer | Refused]:
        act: Callable[[Connection], list[Answer | Refused]]
        if requests and isinstance(requests[0], EntryRequest):
            act = lambda connection: enter(connection, requests, now_us=now_us)  # noqa: E731 - one line each
        elif requests and isinstance(requests[0], ReturnRequest):
            act = lambda connection: return_slots(connection, requests, now_us=now_us)  # noqa: E731
        else:
            act = lambda connection: book(connection, requests, hold=self._hold, now_us=now_us)  # noqa: E731
        with self._db.write(ahead=True) as connection:
            return act(connection)
