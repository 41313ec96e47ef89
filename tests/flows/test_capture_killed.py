"""The worker is killed again and again over a full spool: every arrival has its effect, in order, once."""

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

from sqlalchemy import func, select

from flows.capturing import DOOR, HALL, LISTED, Watching
from shouhao.kernel.clock import SECOND_US, SystemClock
from shouhao.store.event_log import events
from shouhao.watch.store.alarm_tables import sightings
from shouhao.watch.store.capture_tables import traffic

PEOPLE = 80  #: strangers, two shots each
_WORKER = """
    import sys
    from pathlib import Path
    from flows.capturing import Watching
    from shouhao.flows.capture import CaptureSettings
    from shouhao.kernel.clock import SystemClock
    from shouhao.store.engine import open_database

    watching = Watching(
        open_database(sys.argv[1]), Path(sys.argv[2]), clock=SystemClock(), furnished=True, writer=sys.argv[3],
        settings=CaptureSettings(keep_every_s=0.02, batch_most=4),
    )
    print("begun", flush=True)
    idle = 0
    while idle < 3:
        idle = 0 if watching.worker.look() else idle + 1
        print("looked", flush=True)
    watching.close()
    print("done", flush=True)
"""


def child(db_url, folder, number):
    tests = str(Path(__file__).resolve().parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_WORKER), db_url, str(folder), f"restarted-{number}"],
        env={**os.environ, "PYTHONPATH": tests},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_after_kills_at_any_time_everything_was_worked_off_in_order_and_once(db, db_url, tmp_path):
    watching = Watching(db, tmp_path, clock=SystemClock())
    watching.list_person("we_1", LISTED)
    at_us = watching.clock.now_us()
    for n in range(PEOPLE):
        colour = (30 + n % 200, n, 0)
        for turn in (0, 1):
            when = at_us + n * 20 * SECOND_US + turn * SECOND_US
            shot = watching.shot((*colour[:2], turn), at_us=when)
            watching.spool.append([watching.arrival(shot, device=(DOOR, HALL)[n % 2], arrived_at_us=when)])
        if n % 20 == 10:
            watching.spool.append([watching.arrival(watching.shot((*LISTED[:2], n), at_us=when), arrived_at_us=when)])
    watching.spool.close()
    chance = random.Random(7)  # noqa: S311 - a test that can be repeated
    for number in range(100):
        process = child(db_url, tmp_path, number)
        assert process.stdout.readline().strip() == "begun"
        if number < 5:
            for _ in range(chance.randint(0, 8)):
                process.stdout.readline()
            process.kill()  # somewhere in the next look
        if "done" in process.communicate(timeout=60)[0]:
            break
    with db.read() as connection:
        totals = connection.execute(select(func.sum(traffic.c.shots), func.sum(traffic.c.passages))).one()
        seen = connection.execute(select(sightings.c.seen_at_us).order_by(sightings.c.passage_id)).scalars().all()
        told = connection.execute(select(events.c.at_us).where(events.c.kind == "sighted").order_by(events.c.seq)).all()
    assert totals == (PEOPLE * 2 + 4, PEOPLE + 4)
    assert len(seen) == len(told) == 4
    assert [one.at_us for one in told] == sorted(one.at_us for one in told)
    assert number > 1
