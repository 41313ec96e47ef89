"""Live: the same engine, led along an event log by the time of its events.

Events are taken in the order of the log until the watermark passes the next moment of the schedule; then the detectors
look at what lies before that moment, exactly as they would look at an export of it. The fast ones, which count what one
account or address does, look at the hospital's day every minute; all of them together look at everything that is kept,
every half hour. Minutes are those of the events, and a moment has passed after one certain event, so that a replay in
pieces of any size, or a process that was killed and started again, says the same in the same lines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import structlog

from shouhao.detect.live.source import LiveSource, Rows
from shouhao.detect.live.store import LiveStore, Progress
from shouhao.detect.live.versions import Look, Pace, lines_of
from shouhao.detect.live.watermark import NEVER_US, EventTime, Int64s, Marks, ahead_of, first_crossing, mark, tick_of
from shouhao.detect.model import Detector, Tables
from shouhao.detect.prepared import Prepared
from shouhao.detect.rules.bursts import Bursts
from shouhao.detect.rules.hammering import Hammering
from shouhao.detect.run import Analysis, analyze, tables_of
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, Clock, iso

FAST: tuple[type[Detector], ...] = (Bursts, Hammering)
_AT_ONCE = 20_000
_EAST_US = 8 * HOUR_US  #: a day is the hospital's

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When detectors look, by the time of events."""

    fast_us: int = MINUTE_US
    full_us: int = 30 * MINUTE_US
    allowed: EventTime = field(default_factory=EventTime)


Report = Callable[[Tables, Analysis, Progress], None]


class Follower:
    """Follows one log into one store."""

    def __init__(
        self,
        source: LiveSource,
        store: LiveStore,
        schedule: Schedule,
        *,
        clock: Clock | None,
        aside: Mapping[int, str] | None = None,
        report: Report | None = None,
    ) -> None:
        """Take where events come from and where they go.

        Args:
            clock: tells when events come; None to read again what came long ago.
            aside: for that, what was put aside when it came, by number.
            report: called after each look of all detectors.
        """
        self._source, self._store, self._schedule = source, store, schedule
        self._clock, self._aside, self._report = clock, aside or {}, report
        self._waiting: Rows = ()
        self._prepared = Prepared(store.connection)

    def step(self) -> bool:
        """Do one piece of work; whether there was any."""
        progress = self._store.progress
        for pace in _PACES:
            if self._due(progress, pace):
                self._look(pace)
                return True
        if not self._waiting:
            self._waiting = self._source.following(progress.after_seq, _AT_ONCE)
        if not self._waiting:
            return False
        self._take()
        return True

    def _due(self, progress: Progress, pace: Pace) -> bool:
        looked_us = progress.looked_us(pace)
        watermark_us = progress.newest_us - self._schedule.allowed.lateness_us
        return looked_us != NEVER_US and watermark_us >= looked_us + self._pace_us(pace)

    def _pace_us(self, pace: Pace) -> int:
        return self._schedule.fast_us if pace == "fast" else self._schedule.full_us

    def _take(self) -> None:
        """Take what waits, up to the event by which a moment of the schedule passes."""
        rows, progress, allowed = self._waiting, self._store.progress, self._schedule.allowed
        at_us = np.array([row[1] for row in rows], np.int64)
        marks = mark(at_us, ahead=self._ahead(rows, at_us), newest_us=progress.newest_us, allowed=allowed)
        progress = self._begun(progress, marks)
        crossings = [
            first_crossing(marks.watermark_us, progress.looked_us(pace), self._pace_us(pace))
            for pace in _PACES
            if progress.looked_us(pace) != NEVER_US
        ]
        count = 1 + min((n for n in crossings if n is not None), default=len(rows) - 1)
        marks = marks.first(count)
        self._store.take(rows[:count], marks, self._after(progress, rows[count - 1][0], at_us[:count], marks))
        self._waiting = rows[count:]

    def _ahead(self, rows: Rows, at_us: Int64s) -> Any:
        if self._clock is not None:
            return ahead_of(at_us, self._clock.now_us(), self._schedule.allowed)
        return np.array([self._aside.get(row[0]) == "time_ahead" for row in rows], np.bool_)

    def _begun(self, progress: Progress, marks: Marks) -> Progress:
        """The schedule begins at the first event that counts."""
        seen = marks.watermark_us[marks.watermark_us != NEVER_US]
        if progress.fast_us != NEVER_US or not len(seen):
            return progress
        first_us = int(seen[0])
        return replace(
            progress,
            fast_us=tick_of(first_us, self._schedule.fast_us),
            full_us=tick_of(first_us, self._schedule.full_us),
        )

    def _after(self, progress: Progress, seq: int, at_us: Int64s, marks: Marks) -> Progress:
        newest_us = int(marks.watermark_us[-1])
        late_us = at_us[marks.late]
        return replace(
            progress,
            after_seq=seq,
            newest_us=progress.newest_us if newest_us == NEVER_US else newest_us + self._schedule.allowed.lateness_us,
            fast_stale=progress.fast_stale or self._counted_in("fast", progress.fast_us, late_us),
            full_stale=progress.full_stale or self._counted_in("full", progress.full_us, late_us),
            taken=progress.taken + int((~marks.aside).sum()),
            late=progress.late + len(late_us),
            aside=progress.aside + int(marks.aside.sum()),
        )

    def _counted_in(self, pace: Pace, looked_us: int, late_us: Int64s) -> bool:
        """Whether events would have counted in the last look of a pace."""
        return bool(((late_us >= self._from_us(pace, looked_us)) & (late_us < looked_us)).any())

    def _from_us(self, pace: Pace, until_us: int) -> int:
        """From when on a look sees events: the fast ones see the hospital's day."""
        if pace == "fast":
            return (until_us - 1 + _EAST_US) // DAY_US * DAY_US - _EAST_US
        return until_us - self._schedule.allowed.keep_us

    def _look(self, pace: Pace) -> None:
        """Correct what was said at the last moment, if late events have changed it; then look as of the next."""
        progress = self._store.progress
        if progress.stale(pace):
            self._say(pace, progress.looked_us(pace), corrects=True)
        until_us = tick_of(progress.newest_us - self._schedule.allowed.lateness_us, self._pace_us(pace))
        self._say(pace, until_us, corrects=False)
        if pace == "full":
            self._store.forget(until_us - self._schedule.allowed.keep_us)

    def _say(self, pace: Pace, until_us: int, *, corrects: bool) -> None:
        from_us = self._from_us(pace, until_us)
        self._store.show(from_us, until_us)
        fast = pace == "fast"
        tables = tables_of(self._store.connection, releases=not fast)
        analysis = (
            analyze(tables, (), detectors=FAST, relations=False, counting=self._prepared)
            if fast
            else analyze(tables, ())
        )
        window = iso(from_us)[:10] if fast else "kept"
        look = Look(pace=pace, as_of=iso(until_us), window=window, corrects=corrects)
        lines, told = lines_of(self._store.told(pace), analysis.findings, look)
        after = self._store.say(pace, lines, told, self._store.progress.looking(pace, until_us))
        counts = {"taken": after.taken, "late": after.late, "aside": after.aside, "lines": len(lines)}
        _log.info("live_look", pace=pace, as_of=look.as_of, corrects=corrects, **counts)
        if self._report is not None and not fast:
            self._report(tables, analysis, after)


_PACES: tuple[Pace, ...] = ("fast", "full")
