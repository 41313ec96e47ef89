"""Following the event log: what is said live is what a replay says, and what a run over the same events finds."""

import json
import random
import threading
import time

import duckdb
import pyarrow as pa
import pytest

from detect.tables import EVENT_COLUMNS
from shouhao.detect.live.follow import FAST, Follower, Schedule
from shouhao.detect.live.source import EventLogSource
from shouhao.detect.live.store import FINDINGS, open_store
from shouhao.detect.live.watermark import EventTime
from shouhao.detect.rules import DETECTORS
from shouhao.detect.run import analyze, tables_of
from shouhao.kernel.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US, ManualClock, iso
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import open_database

EIGHT_US = 1_795_564_800_000_000  #: 2026-11-25 08:00 at the hospital
ALLOWED = EventTime(keep_us=3 * DAY_US)
SCHEDULE = Schedule(fast_us=20 * MINUTE_US, full_us=40 * MINUTE_US, allowed=ALLOWED)
FAST_ALONE = Schedule(fast_us=20 * MINUTE_US, full_us=30 * DAY_US, allowed=ALLOWED)


def at(minutes):
    return EIGHT_US + round(minutes * MINUTE_US)


def viewed(at_us, account):
    who = {"account_id": account, "device_id": f"d-{account}", "session_token": f"s-{account}", "ip": f"ip-{account}"}
    return Event(at_us=at_us, kind="viewed", channel="app", user_agent="Mozilla/5.0", **who)


def morning(*, until=45, seed=1):
    """Sixty people who look around, and one who asks three times a second from the twelfth minute on."""
    chance = random.Random(seed)  # noqa: S311 - the same morning each time
    told = [viewed(at(chance.uniform(3, until)), f"a{n}") for n in range(60) for _ in range(12)]
    told += [viewed(at(12) + n * SECOND_US // 3, "script") for n in range(400)]
    return sorted(told, key=lambda event: event.at_us)


def disordered(events, *, seed=2):
    """The same events as they come: a few seconds out of order, some minutes late, one dated next week."""
    chance = random.Random(seed)  # noqa: S311 - as above
    arrivals = [(event.at_us + chance.uniform(0, 5 * SECOND_US), event) for event in events]
    slow = [n for n, (_, event) in enumerate(arrivals) if event.account_id == "script" and n % 5 == 0]
    for n in slow:
        arrivals[n] = (arrivals[n][0] + 15 * MINUTE_US, arrivals[n][1])
    arrivals.append((at(20), viewed(at(20) + 7 * DAY_US, "next-week")))
    arrivals.append((at(25), viewed(at(25) - 20 * DAY_US, "long-ago")))
    return [event for _, event in sorted(arrivals, key=lambda one: (one[0], one[1].at_us))]


def write(db, events):
    with db.write() as connection:
        event_log.append(connection, events)


def roll_back(db):
    """Take a number of the log and never write it."""
    with db.write() as connection:
        event_log.append(connection, [viewed(at(0), "rolled-back")])
        raise ZeroDivisionError


class Pieces:
    """The log in pieces of changing size."""

    def __init__(self, source, seed):
        self.source, self.chance = source, random.Random(seed)  # noqa: S311 - as above

    def following(self, after_seq, most):
        return self.source.following(after_seq, min(most, self.chance.choice((1, 7, 40, 300))))


def follow(db, folder, *, clock=None, aside=None, pieces=None, restarts=0, schedule=SCHEDULE):
    """Follow what is there into a folder, dying a few times on the way; the lines that were said and the progress."""
    source = EventLogSource(db) if pieces is None else Pieces(EventLogSource(db), pieces)
    for life in range(restarts + 1):
        with open_store(folder) as store:
            follower = Follower(source, store, schedule, clock=clock, aside=aside)
            steps = 0
            while follower.step() and (life == restarts or steps < 9):
                steps += 1
            progress, put_aside = store.progress, store.put_aside()
        if life < restarts:
            with (folder / FINDINGS).open("ab") as file:
                file.write(b'{"torn')  # as a death between writing and noting leaves it
    path = folder / FINDINGS
    return path.read_bytes() if path.exists() else b"", progress, put_aside


def lines_in(text):
    return [json.loads(line) for line in text.splitlines()]


def found_in(events, detectors, **how):
    """What one run over events finds."""
    rows = [{"event_id": f"ev_{n:012d}", **event._asdict(), "detail": None} for n, event in events]
    with duckdb.connect() as connection:
        kinds = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64(), "float64": pa.float64()}
        table = pa.table({c: pa.array([r.get(c) for r in rows], kinds[k]) for c, k in EVENT_COLUMNS.items()})
        connection.register("given", table)
        connection.execute("CREATE TABLE events AS SELECT * FROM given")
        connection.execute("CREATE TABLE hits AS SELECT NULL::BIGINT AS at_us, NULL::VARCHAR AS ip LIMIT 0")
        return analyze(tables_of(connection), (), detectors=detectors, **how).findings


def test_live_says_what_a_replay_says_whatever_the_pieces_and_however_often_it_dies(db, tmp_path):
    write(db, disordered(morning()))
    live, progress, aside = follow(db, tmp_path / "live", clock=ManualClock(at(60)), pieces=3, restarts=3)
    replay, again, _ = follow(db, tmp_path / "replay", aside=aside)
    assert live == replay
    assert (progress.taken, progress.late, progress.aside) == (again.taken, again.late, again.aside)
    assert sorted(aside.values()) == ["time_ahead", "too_old"]
    assert progress.late >= 70
    said = lines_in(live)
    assert {line["subject"]["id"] for line in said} >= {"script"}
    assert any(line["corrects"] for line in said)


def test_what_stands_at_the_watermark_is_what_one_run_over_the_events_before_it_finds(sqlite_db, tmp_path):
    events = disordered(morning())
    write(sqlite_db, events)
    _, progress, aside = follow(sqlite_db, tmp_path, clock=ManualClock(at(60)))
    kept = [(n, event) for n, event in enumerate(events, 1) if n not in aside]
    for pace, detectors, from_us, until_us in (
        ("fast", FAST, EIGHT_US - 8 * HOUR_US, progress.fast_us),
        ("full", DETECTORS, 0, progress.full_us),
    ):
        before = [(n, event) for n, event in kept if from_us <= event.at_us < until_us]
        found = found_in(before, detectors, relations=pace == "full")
        with open_store(tmp_path) as store:
            told = store.told(pace)
        assert found
        assert {name: one.found for name, one in told.items() if one.found} == {
            one["finding_id"]: json.loads(json.dumps(one)) for one in found
        }


def test_a_late_event_is_said_as_a_correction_with_what_it_changed(sqlite_db, tmp_path):
    events = morning()
    late = [event for event in events if event.account_id == "script"][:60]
    early = [event for event in events if event not in late]
    write(sqlite_db, early)
    first, _, _ = follow(sqlite_db, tmp_path, schedule=FAST_ALONE)
    write(sqlite_db, [*late, *(viewed(at(64 + n), "a1") for n in range(3))])
    whole, progress, _ = follow(sqlite_db, tmp_path, schedule=FAST_ALONE)
    assert whole.startswith(first)
    assert progress.late == 60
    added = lines_in(whole[len(first) :])
    corrections = [line for line in added if line["corrects"]]
    assert corrections
    for line in corrections:
        before = [one for one in lines_in(first) if one["finding_id"] == line["finding_id"]][-1]
        assert line["version"] == before["version"] + 1
        assert line["changed"]


def test_idle_time_and_one_wrong_clock_say_nothing(sqlite_db, tmp_path):
    write(sqlite_db, [viewed(at(n / 10), "a1") for n in range(5)])
    said, before, _ = follow(sqlite_db, tmp_path, clock=ManualClock(at(1)))
    write(sqlite_db, [viewed(at(600), "a2")])
    again, after, aside = follow(sqlite_db, tmp_path, clock=ManualClock(at(2)))
    assert said == again == b""
    assert after.newest_us == before.newest_us
    assert list(aside.values()) == ["time_ahead"]


def test_an_event_whose_transaction_commits_late_is_not_passed_over(postgresql_url, tmp_path):
    db = open_database(postgresql_url)
    entered, leave = threading.Event(), threading.Event()

    def slow():
        with db.write() as connection:
            event_log.append(connection, [viewed(at(0), "slow")])
            entered.set()
            leave.wait(20)

    writer = threading.Thread(target=slow)
    writer.start()
    assert entered.wait(20)
    try:
        with pytest.raises(ZeroDivisionError):
            roll_back(db)
        write(db, [viewed(at(1), "quick")])
        source = EventLogSource(db)
        assert list(source.following(0, 10)) == []
    finally:
        leave.set()
        writer.join()
    found, until = [], time.monotonic() + 20
    while len(found) < 2 and time.monotonic() < until:
        found = [row[4] for row in source.following(0, 10)]
        time.sleep(0.05)
    assert found == ["slow", "quick"]
    db.close()


def test_a_day_that_has_passed_is_left_as_it_was_said(sqlite_db, tmp_path):
    write(sqlite_db, [*morning(), viewed(at(50) + DAY_US, "a1"), viewed(at(53) + DAY_US, "a1")])
    said, progress, _ = follow(sqlite_db, tmp_path, schedule=FAST_ALONE)
    assert iso(progress.fast_us)[:10] == "2026-11-26"
    assert lines_in(said)
    assert all(line["stands"] for line in lines_in(said))
