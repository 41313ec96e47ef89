"""Alarm feed: what changed, in the order in which it can be read. The reader's side; alarms.py writes it.

Numbers are given when a transaction writes and are seen when it commits, so a smaller number can appear after a greater
one. `Follower` reads on from the last number below which nothing can be missing, and passes each number on once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from shouhao.kernel.clock import SECOND_US
from shouhao.store.invariants import Invariant
from shouhao.watch.store.alarm_tables import alarm_feed

LONGEST_WRITE_US = 20 * SECOND_US  #: no unit of work is under way for longer (store/engine.py bounds statements)
_MOST = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the feed."""

    seq: int
    alarm_id: str
    what: str  #: raised, seen, step, escalated


class Follower:
    """Passes each change on once, however the numbers come up. One reader's; it is not shared between threads."""

    def __init__(self, floor: int) -> None:
        """Begin after this number."""
        self.floor = floor  #: everything up to here was passed on, or never was
        self._passed: dict[int, int] = {}  # number: when it was passed on
        self._now_us = 0

    def take(self, found: Sequence[Change], *, now_us: int) -> list[Change]:
        """What of these is new, in order.

        Args:
            found: all changes above `floor` that can be read now.
        """
        new = [change for change in found if change.seq > self.floor and change.seq not in self._passed]
        self._passed.update((change.seq, now_us) for change in new)
        for seq in sorted(self._passed):
            # A gap that stays longer than any transaction lives is a number that was rolled back.
            if seq != self.floor + 1 and now_us - self._passed[seq] < LONGEST_WRITE_US:
                break
            self.floor = seq
            del self._passed[seq]
        return new


def changes_after(connection: Connection, seq: int) -> list[Change]:
    """Changes above this number, in order; 2,000 at most."""
    wanted = select(alarm_feed.c.seq, alarm_feed.c.alarm_id, alarm_feed.c.what).where(alarm_feed.c.seq > seq)
    rows = connection.execute(wanted.order_by(alarm_feed.c.seq).limit(_MOST))
    return [Change(seq=row.seq, alarm_id=row.alarm_id, what=row.what) for row in rows]


def newest_seq(connection: Connection) -> int:
    """The greatest number that can be read now."""
    return int(connection.execute(select(func.coalesce(func.max(alarm_feed.c.seq), 0))).scalar_one())


INVARIANTS = (
    Invariant(
        code="watch.dispatch_without_confirmation",
        zh="每次派警之前都有人确认了报警",
        en="before every dispatch a person confirmed the alarm",
        sql="""
            SELECT d.id FROM dispatches d
            WHERE NOT EXISTS (
                SELECT 1 FROM alarm_steps s
                WHERE s.alarm_id = d.alarm_id AND s.step = 'confirmed' AND s.actor_id IS NOT NULL)
            """,
    ),
    Invariant(
        code="watch.alarm_differs_from_its_steps",
        zh="报警状态与其最后一步一致",
        en="an alarm stands where its last step left it",
        sql="""
            SELECT a.id FROM alarms a
            LEFT JOIN alarm_steps s ON s.alarm_id = a.id AND s.version = a.version
            WHERE s.state IS NULL OR s.state <> a.state
               OR (SELECT count(*) FROM alarm_steps n WHERE n.alarm_id = a.id) <> a.version
            """,
    ),
)
