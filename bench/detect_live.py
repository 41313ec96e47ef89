"""Live: events that are in the platform's log already are followed, on one thread, with the fast detectors on time.

They lie at 20,000 a second. The fast detectors look once a minute, which is once in 1.2 million of them; where there
are fewer, they look once in all of them. The floor reads the same rows from the same log and does nothing with them.
"""

import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Figure
from shouhao.detect.live.follow import Follower, Schedule
from shouhao.detect.live.source import EventLogSource
from shouhao.detect.live.store import open_store
from shouhao.kernel.clock import DAY_US, MINUTE_US
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import Database, open_database
from shouhao.store.migrate import upgrade

A_SECOND = 20_000
ACCOUNTS = 60_000
_START_US = 1_795_564_800_000_000
_AT_ONCE = 20_000


@contextmanager
def live_figures(events: int) -> Iterator[Sequence[Figure]]:
    """Events a second that are followed on one thread."""
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'shouhao.sqlite3'}"
        upgrade(url)
        db = open_database(url)
        _write(db, events)
        notes: dict[str, list[float]] = {"seconds": [], "cpu_seconds": [], "events_per_cpu_second": []}

        def measure() -> float:
            started, cpu = time.perf_counter(), time.process_time()
            with tempfile.TemporaryDirectory(dir=folder) as out, open_store(Path(out), threads=1) as store:
                fast_us = min(MINUTE_US, events * MINUTE_US // (60 * A_SECOND))
                follower = Follower(EventLogSource(db), store, Schedule(fast_us=fast_us, full_us=DAY_US), clock=None)
                while follower.step():
                    pass
            took, cpu = time.perf_counter() - started, time.process_time() - cpu
            notes["seconds"].append(took)
            notes["cpu_seconds"].append(cpu)
            notes["events_per_cpu_second"].append(events / cpu)
            return events / took

        yield [
            Figure(
                name="live",
                unit="events/s on one thread, bursts and hammering included",
                measure=measure,
                floor=lambda: _read(db, events),
                floor_is="reading the same rows from the log",
                reach=0.2,
                notes=notes,
            )
        ]
        db.close()


def _write(db: Database, events: int) -> None:
    chance = random.Random(1)  # noqa: S311 - the same rush each time
    step_us = 1_000_000 // A_SECOND
    for start in range(0, events, _AT_ONCE):
        told = [_event(_START_US + n * step_us, chance.randrange(ACCOUNTS)) for n in range(start, start + _AT_ONCE)]
        with db.write() as connection:
            event_log.append(connection, told)
    # What ends the minutes: without something later, nobody knows that they are over.
    with db.write() as connection:
        event_log.append(connection, [_event(_START_US + events * step_us + 3 * MINUTE_US, 0)])


def _event(at_us: int, account: int) -> Event:
    return Event(
        at_us=at_us,
        kind="viewed",
        channel="app",
        account_id=f"ac_{account:08}",
        device_id=f"dv_{account:08}",
        session_token=f"st_{account:08}",
        ip=f"10.{account % 200}.{account // 200 % 250}.{account % 7}",
        user_agent=f"Mozilla/5.0 (Linux; Android 13; M{account % 300}) MicroMessenger/8.0.{account % 50}",
        doctor_id=f"dr{account % 40}",
        session_id=f"se{account % 40}",
    )


def _read(db: Database, events: int) -> float:
    started, after_seq = time.perf_counter(), 0
    with db.read() as connection:
        while rows := event_log.read_raw(connection, after_seq=after_seq, most=_AT_ONCE):
            after_seq = rows[-1][0]
    return events / (time.perf_counter() - started)
