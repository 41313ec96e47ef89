"""Ids: a short prefix that says what a thing is, then time and chance in hexadecimal.

Ids sort by the millisecond of their making, so an index grows at its end; the 60 bits after it keep processes
apart without any exchange between them. An id is a name, never a secret: every look is authorised.
"""

import secrets
import threading
import time

_RANDOM_BITS = 60
_MASK = (1 << _RANDOM_BITS) - 1


class _Sequence:
    """The last millisecond and number used, so that ids of one process never repeat."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_ms = 0
        self._number = 0

    def take(self, count: int) -> tuple[int, int]:
        """The millisecond and the first of `count` numbers in it."""
        with self._lock:
            at_ms = time.time_ns() // 1_000_000
            if at_ms > self._at_ms:
                self._at_ms = at_ms
                self._number = secrets.randbits(_RANDOM_BITS)
            first = self._number
            self._number = (self._number + count) & _MASK
            return self._at_ms, first


_sequence = _Sequence()


def new_id(prefix: str) -> str:
    """A new id such as `bk_0193a5c2b7e0123456789abcde`: prefix, 11 digits of time in ms, 15 of chance."""
    at_ms, number = _sequence.take(1)
    return f"{prefix}_{at_ms:011x}{number:015x}"


def new_ids(prefix: str, count: int) -> list[str]:
    """`count` new ids at once: one look at the clock for a whole batch."""
    at_ms, first = _sequence.take(count)
    start = f"{prefix}_{at_ms:011x}"
    return [f"{start}{(first + n) & _MASK:015x}" for n in range(count)]
