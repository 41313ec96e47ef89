"""Alarms live: how long after its commit an alarm is on 50 consoles, with the real server in a process of its own.

The capture worker is another process in production, so this one commits the alarms and the server finds them. Five a
second, as an evening that goes wrong; each client reads the stream as a browser does. A run counts only when every
client heard of every alarm, once. The floor is the same with one client: what the poll, the disk and this machine cost.
All consoles hear of an alarm in the same look at the feed, so the p99 is that of alarms: it takes a hundred of them.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.harness import Figure
from bench.ready import wait_until_ready
from shouhao.kernel.clock import SECOND_US, SystemClock
from shouhao.kernel.randomness import SystemRandomness
from shouhao.lab.running_server import reserved_port
from shouhao.staff.store import create_operator
from shouhao.store.engine import Database, open_database
from shouhao.store.migrate import upgrade
from shouhao.watch.model import Sighting
from shouhao.watch.store.alarms import raise_or_extend

CLIENTS = 50
ALARMS = 100
EVERY_S = 0.2
_WAIT_S = 30.0


@dataclass
class _Watcher:
    """One console: when it first heard of each alarm."""

    heard: dict[str, float] = field(default_factory=dict)
    ready: asyncio.Event = field(default_factory=asyncio.Event)


@contextmanager
def figures() -> Iterator[list[Figure]]:
    """The one figure, and what it is held against."""
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as folder, _server(Path(folder)) as (db, port, key):
        notes: dict[str, list[float]] = {"p50_ms": [], "max_ms": [], "one_client_p99_ms": []}

        def measure() -> float:
            waits = asyncio.run(_watch(db, port, key, clients=CLIENTS))
            notes["p50_ms"].append(statistics.median(waits))
            notes["max_ms"].append(max(waits))
            return _p99(waits)

        def floor() -> float:
            found = _p99(asyncio.run(_watch(db, port, key, clients=1)))
            notes["one_client_p99_ms"].append(found)
            return found

        yield [
            Figure(
                name="alarms",
                unit=f"ms p99 from commit to {CLIENTS} consoles",
                measure=measure,
                floor=floor,
                floor_is="the same with one console; 1,000 ms is the reach",
                reach=2.0,
                notes=notes,
                decimals=1,
            )
        ]


async def _watch(db: Database, port: int, key: str, *, clients: int) -> list[float]:
    """Milliseconds from each alarm's commit to each client, all of them."""
    watchers = [_Watcher() for _ in range(clients)]
    reading = [asyncio.create_task(_read(one, port, key)) for one in watchers]
    try:
        await asyncio.wait_for(asyncio.gather(*(one.ready.wait() for one in watchers)), _WAIT_S)
        committed: dict[str, float] = {}
        chance = random.Random(1)  # noqa: S311 - when alarms come is no secret
        for number in range(ALARMS):
            alarm_id, at = await asyncio.to_thread(_raise, db, number)
            committed[alarm_id] = at
            await asyncio.sleep(chance.uniform(0.5, 1.5) * EVERY_S)  # in no step with the server's poll
        until = time.perf_counter() + _WAIT_S
        while any(committed.keys() - one.heard.keys() for one in watchers):
            if time.perf_counter() > until or any(task.done() for task in reading):
                raise SystemExit("not a valid run: a console did not hear of every alarm")
            await asyncio.sleep(0.05)
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    return [(one.heard[alarm_id] - at) * 1000 for one in watchers for alarm_id, at in committed.items()]


async def _read(watcher: _Watcher, port: int, key: str) -> None:
    """One stream, read as it comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = f"GET /api/v1/staff/alarms/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        event = b""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                event = line[7:].strip()
                if event == b"beat":
                    watcher.ready.set()
            elif line.startswith(b"data: ") and event == b"alarm":
                message = json.loads(line[6:])
                alarm_id = message["alarm"]["alarm_id"]
                if message["what"] != "snapshot":
                    if alarm_id in watcher.heard:
                        raise SystemExit("not a valid run: a console heard of an alarm twice")
                    watcher.heard[alarm_id] = time.perf_counter()
    finally:
        writer.close()


def _raise(db: Database, number: int) -> tuple[str, float]:
    """Raise an alarm; its id, and when it was committed."""
    now_us = SystemClock().now_us()
    seen = Sighting(
        passage_id=f"ps_{now_us}_{number}",
        camera_id="cam",
        place_id="door",
        entry_id=f"we_{now_us}_{number}",
        list_id="own",
        photo_id="ph",
        seen_at_us=now_us - SECOND_US,
        arrived_at_us=now_us,
        similarity_cos=0.6,
        threshold_cos=0.45,
        quality=0.8,
        frames=3,
        pack="sface",
        crop_id=None,
        scene_id=None,
    )
    with db.write() as connection:
        alarm_id = raise_or_extend(connection, seen, now_us=now_us).alarm_id
    return alarm_id, time.perf_counter()


@contextmanager
def _server(folder: Path) -> Iterator[tuple[Database, int, str]]:
    """The real console on an embedded database; the database, the port and the key of somebody who watches."""
    url = f"sqlite:///{folder / 'shouhao.sqlite3'}"
    upgrade(url)
    db = open_database(url)
    with db.write() as connection:
        now_us = SystemClock().now_us()
        _, key = create_operator(
            connection, "bench", roles=frozenset({"monitoring"}), now_us=now_us, randomness=SystemRandomness()
        )
    with reserved_port() as port:
        process = subprocess.Popen(
            [sys.executable, "-m", "shouhao.cli.main", "serve", "console", "--port", str(port)],
            env={**os.environ, "SHOUHAO_DATABASE_URL": url, "SHOUHAO_DATA_DIR": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(port, process)
            yield db, port, key
        finally:
            process.terminate()
            process.wait(timeout=60)
            db.close()


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(0.99 * (len(waits) - 1))]
