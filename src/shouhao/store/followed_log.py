"""Followed log: whoever follows the event log is given each event once, however its number comes up.

A number is given when a unit of work writes and is seen when it commits, so on PostgreSQL a smaller one can come up
after a greater. What is missing is asked for again until nobody can be under way who has it. So events do not come in
the order of their numbers: this is for counting, not for telling a story.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection

from shouhao.kernel.clock import MINUTE_US
from shouhao.store import event_log

_LONGEST_US = MINUTE_US  #: no unit of work is under way for longer (engine.py bounds its statements)
_AT_ONCE = 5000
_SEQ, _AT = 0, 1  #: the first columns of a row


class FollowedLog:
    """How far one reader has come, and what may still come up behind it; not shared between threads."""

    def __init__(self, *, after_seq: int) -> None:
        """Begin after this number."""
        self._seq = after_seq
        self._missing: dict[int, int] = {}  # number: when it was missed

    def new(self, connection: Connection, *, now_us: int) -> Iterator[Sequence[Any]]:
        """Rows as `event_log.read_raw` has them that were not given before."""
        for row in event_log.read_these(connection, list(self._missing)):
            del self._missing[row[_SEQ]]
            yield row
        self._missing = {seq: at_us for seq, at_us in self._missing.items() if now_us - at_us < _LONGEST_US}
        while rows := event_log.read_raw(connection, after_seq=self._seq, most=_AT_ONCE):
            for row in rows:
                if now_us - row[_AT] < _LONGEST_US:  # before an older one nothing comes any more
                    self._missing.update(dict.fromkeys(range(self._seq + 1, row[_SEQ]), now_us))
                self._seq = row[_SEQ]
                yield row
