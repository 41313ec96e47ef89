"""`shouhao analyze --live`: follows the platform's own event log and says what it finds, until it is told to stop."""

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from shouhao.cli.analyze_pages import command, write_pages
from shouhao.cli.opening import opened, read_settings
from shouhao.kernel.clock import DAY_US, MINUTE_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from shouhao.detect.live.follow import Schedule
    from shouhao.detect.live.store import Progress
    from shouhao.detect.model import Tables
    from shouhao.detect.run import Analysis

_PAUSE_S = 1.0  #: between two looks into a log that has nothing new
_AWAY_S = 5.0  #: before a database that is away is asked again

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How the log is followed."""

    out: Path
    replay: Path | None  #: the folder of a live run that is done again, up to where it was
    lateness_s: int
    every_min: int
    keep_days: int


def follow(settings_file: Path | None, options: LiveOptions) -> dict[str, Any]:
    """Follow until told to stop, or do again what a live run did; how far that is.

    Raises:
        InvalidInput: the folder to replay is the one to write to, or holds no live run.
    """
    from shouhao.detect.live.follow import Follower  # noqa: PLC0415 - takes seconds, and other commands would wait for it
    from shouhao.detect.live.source import EventLogSource  # noqa: PLC0415
    from shouhao.detect.live.store import open_store  # noqa: PLC0415

    until_seq, aside = (None, None) if options.replay is None else _done_before(options.replay, options.out)
    with (
        _told_to_stop() as stop,
        opened(read_settings(settings_file)) as system,
        open_store(options.out) as store,
    ):
        follower = Follower(
            EventLogSource(system.db, until_seq=until_seq),
            store,
            _schedule(options),
            clock=None if options.replay else system.clock,
            aside=aside,
            report=lambda tables, analysis, after: _write_report(options.out, tables, analysis, after),
        )
        while not stop.is_set():
            pause_s = _PAUSE_S
            try:
                if follower.step():
                    continue
            except Unavailable as error:
                _log.warning("live_database_away", what=error.what)
                pause_s = _AWAY_S
            if options.replay is not None and store.progress.after_seq >= (until_seq or 0):
                break
            stop.wait(pause_s)
        return _summary(store.progress, options.out)


def _schedule(options: LiveOptions) -> "Schedule":
    from shouhao.detect.live.follow import Schedule  # noqa: PLC0415 - as above
    from shouhao.detect.live.watermark import EventTime  # noqa: PLC0415

    allowed = EventTime(lateness_us=options.lateness_s * SECOND_US, keep_us=options.keep_days * DAY_US)
    return Schedule(full_us=options.every_min * MINUTE_US, allowed=allowed)


def _done_before(replay: Path, out: Path) -> tuple[int, dict[int, str]]:
    """How far a live run has come, and what it put aside."""
    from shouhao.detect.live.store import FILE_NAME, open_store  # noqa: PLC0415 - as above

    if replay.resolve() == out.resolve() or not (replay / FILE_NAME).is_file():
        raise InvalidInput(
            "replay",
            zh="应为另一次实时分析的输出目录",
            en="must be the folder of a live run, and another one than --out",
        )
    with open_store(replay) as store:
        return store.progress.after_seq, store.put_aside()


def _write_report(out: Path, tables: "Tables", analysis: "Analysis", after: "Progress") -> None:
    """The page and the rings, as of the last look of all detectors."""
    from shouhao.detect.inputs.access_logs import Hits  # noqa: PLC0415 - as above
    from shouhao.detect.inputs.events import Events  # noqa: PLC0415
    from shouhao.detect.inputs.problems import Problems  # noqa: PLC0415
    from shouhao.detect.inputs.read import Inputs  # noqa: PLC0415

    none: frozenset[tuple[str, str]] = frozenset()
    hits = Hits(
        line_count=0, hit_count=0, counted_once=0, overlaps=(), accounts_joined=0, fills=frozenset(), mapped=none
    )
    events = Events(row_count=after.taken, event_count=after.taken, duplicates=0, mapped=none)
    inputs = Inputs(sources=(), problems=Problems(), hits=hits, events=events, skews=(), files=())
    write_pages(inputs, tables, analysis, out)


def _summary(progress: "Progress", out: Path) -> dict[str, Any]:
    return {
        "events": progress.taken,
        "late": progress.late,
        "aside": progress.aside,
        "after_seq": progress.after_seq,
        "findings": str(out / "findings.jsonl"),
        "command": shlex.join(command()),
    }


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the piece of work in hand is finished first."""
    stop = threading.Event()
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
