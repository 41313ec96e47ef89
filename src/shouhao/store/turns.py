"""Turns: SQLite has one writer, so the writers of a process queue here, first come first served.

A plain lock gives itself to whoever is quickest: under a rush a writer can starve, and the booking desk, one of whose
turns serves hundreds of people, waits behind single payments. The desk may go ahead of them.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is fair, except to those who may go ahead."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._busy = False
        self._queue: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, *, ahead: bool = False) -> Iterator[None]:
        """Wait for a turn and keep it within the block.

        Args:
            ahead: stand at the head of the queue.
        """
        self._take(ahead=ahead)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, *, ahead: bool) -> None:
        with self._guard:
            if not self._busy:
                self._busy = True
                return
            mine = threading.Lock()
            mine.acquire()
            if ahead:
                self._queue.appendleft(mine)
            else:
                self._queue.append(mine)
        mine.acquire()  # released by whoever had the turn before

    def _pass_on(self) -> None:
        with self._guard:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._busy = False
