"""Killed at any point, nothing that was confirmed is lost and nothing is done twice.

A process books while sessions open and holds run out. It is killed with SIGKILL over and over, started again, and
asked again, with the same keys, for whatever it did not answer.
"""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from queue import Queue

import msgspec
import pytest

from hospital import (
    NOW_US,
    add_department,
    add_people,
    add_session,
    assert_sound,
    booking_of,
    events,
    put,
    rows,
)
from shouhao.booking.tables import bookings, sessions
from shouhao.store.answers import Answer, answers
from shouhao.store.engine import open_database

SCRIPT = Path(__file__).parent / "desk_process.py"
SOON_S = 60.0
KILLS = 6
PEOPLE = 420


class Process:
    """The program under test, with the answers it has written so far."""

    def __init__(self, url, *, offset_us, hold_s=1):
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT), url, str(offset_us), str(hold_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            bufsize=1,
        )
        self.answers: Queue[dict | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self.answers.get(timeout=SOON_S) == {"ready": True}

    def _read(self):
        for line in self._process.stdout:
            if line.endswith("\n"):  # else it was killed in the middle of a line, and that answer did not arrive
                self.answers.put(json.loads(line))
        self.answers.put(None)

    def ask(self, requests):
        """Write requests until all are written or the process is dead."""
        with contextlib.suppress(OSError, ValueError):
            for request in requests:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()

    def kill(self):
        self._process.kill()
        return self._gone()

    def finish(self):
        self._process.stdin.close()
        rest = self._gone()
        assert self._process.returncode == 0
        return rest

    def _gone(self):
        self._process.wait(SOON_S)
        self._reader.join(SOON_S)
        rest = []
        while (answer := self.answers.get(timeout=SOON_S)) is not None:
            rest.append(answer)
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        return rest


def request_for(n, person, session_id):
    return {"n": n, "patient_id": person.patient_id, "account_id": person.account_id, "session_id": session_id}


def note(answered, answer):
    """Keep an answer; a second one to the same key must be the same."""
    if "error" in answer:
        return
    said = (answer["status"], answer["body"])
    assert answered.setdefault(answer["n"], said) == said


@pytest.fixture
def opened(db_url):
    db = open_database(db_url)
    yield db, db_url
    db.close()


def test_killed_at_any_point_nothing_is_lost_and_nothing_is_done_twice(opened):
    db, url = opened
    chance = random.Random(20260309)  # noqa: S311 - repeatable on purpose
    offset_us = NOW_US - time.time_ns() // 1000
    add_department(db)
    open_ids = [add_session(db, f"S{n}", seats=12) for n in range(12)]
    planned = [
        add_session(db, f"P{n}", seats=5, state="planned", half="pm", release_at_us=NOW_US + 60_000 * n)
        for n in range(60)
    ]
    people = add_people(db, PEOPLE)
    requests = {n: request_for(n, p, chance.choice(open_ids + planned[:6])) for n, p in enumerate(people)}
    answered: dict[int, tuple[int, str]] = {}

    for _ in range(KILLS):
        process = Process(url, offset_us=offset_us)
        waiting = [request for n, request in requests.items() if n not in answered]
        chance.shuffle(waiting)
        writer = threading.Thread(target=process.ask, args=(waiting,))
        writer.start()
        for _ in range(min(chance.randrange(1, 60), len(waiting))):
            answer = process.answers.get(timeout=SOON_S)
            note(answered, answer)
        for answer in process.kill():
            note(answered, answer)
        writer.join(SOON_S)
    confirmed = dict(answered)

    process = Process(url, offset_us=offset_us)
    process.ask(requests.values())  # the answered ones too: they must hear the same again
    for answer in process.finish():
        note(answered, answer)
    process = Process(url, offset_us=offset_us + 3_600_000_000)  # an hour later everything is due
    process.finish()

    assert 0 < len(confirmed) < PEOPLE
    assert sorted(answered) == sorted(requests)
    check_bookings(db, answered)
    check_duties(db, planned)
    assert_sound(db)


def check_bookings(db, answered):
    """Each key that was granted is one booking, each booking one key's."""
    granted = [msgspec.json.decode(body)["id"] for status, body in answered.values() if status == 0]
    stored = [row["id"] for row in rows(db, bookings)]
    assert sorted(granted) == sorted(stored)
    assert len(set(granted)) == len(granted) > 0
    recorded = Counter(msgspec.json.decode(event["detail"])["booking_id"] for event in events(db, "booked"))
    assert recorded == Counter(granted)
    refusals = sum(status == 1 for status, _ in answered.values())
    assert (len(events(db, "refused")), len(rows(db, answers))) == (refusals, len(answered))
    kept = [Answer(status=row["status"], body=row["body"]) for row in rows(db, answers)]
    assert sorted(booking_of(answer) for answer in kept if answer.status == 0) == sorted(granted)


def check_duties(db, planned):
    """Each session opened once, each hold ran out once."""
    assert Counter(event["session_id"] for event in events(db, "released")) == Counter(planned)
    assert {row["state"] for row in rows(db, sessions)} == {"released"}
    ended = Counter(msgspec.json.decode(event["detail"])["booking_id"] for event in events(db, "expired"))
    assert ended == Counter(row["id"] for row in rows(db, bookings))
    assert {row["state"] for row in rows(db, bookings)} == {"expired"}


def test_two_processes_on_one_database_give_each_slot_once(postgresql_url):
    db = open_database(postgresql_url)
    offset_us = NOW_US - time.time_ns() // 1000
    add_department(db)
    ids = [add_session(db, f"S{n}", seats=5, fee_cents=0) for n in range(4)]
    people = add_people(db, 150)
    shared = [request_for(n, p, ids[n % 4]) for n, p in enumerate(people)]
    processes = [Process(postgresql_url, offset_us=offset_us, hold_s=900) for _ in range(2)]
    writers = [
        threading.Thread(target=process.ask, args=(shared if n == 0 else shared[::-1],))
        for n, process in enumerate(processes)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(SOON_S)
    answered: dict[int, tuple[int, str]] = {}
    for process in processes:
        for answer in process.finish():
            assert "error" not in answer
            note(answered, answer)
    assert len(answered) == 150
    granted = [body for status, body in answered.values() if status == 0]
    assert len(granted) == len(rows(db, bookings)) == 20
    assert len({msgspec.json.decode(body)["slot_id"] for body in granted}) == 20
    assert_sound(db)
    db.close()


def test_a_database_that_was_never_written_by_the_process_stays_as_it_was(sqlite_url):
    db = open_database(sqlite_url)
    add_department(db)
    put(db, answers, {"key": "k", "body_hash": "h", "status": 0, "body": "{}", "at_us": NOW_US})
    Process(sqlite_url, offset_us=NOW_US - time.time_ns() // 1000).kill()
    assert len(rows(db, answers)) == 1
    assert_sound(db)
    db.close()
