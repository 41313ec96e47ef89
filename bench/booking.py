"""Bookings: durable, with identity, limits, event and answer, against the plain way on the same database."""

import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from bench.harness import Figure
from bench.hospital import Hospital, build
from bench.servers import PostgreSQL, postgresql
from shouhao.booking.decide import HoldTimes
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.model import BookRequest, DeskRequest
from shouhao.flows.desk import BookingDesk
from shouhao.flows.once import DONE
from shouhao.kernel.clock import SystemClock
from shouhao.kernel.errors import Refused
from shouhao.kernel.memory import settle
from shouhao.store.answers import Answer, once
from shouhao.store.engine import open_database
from shouhao.store.invariants import check
from shouhao.store.migrate import upgrade
from shouhao.wiring import INVARIANTS

BOOKINGS = 60_000
SLOTS_EACH = 50
SESSIONS_A_DAY = 120  #: sixty doctors, morning and afternoon
IN_FLIGHT = 2_048
FLOOR_S = 8
CONNECTIONS = 16

#: One booking, one transaction: claim the first free slot, write the booking and its event. No identity, no limits,
#: no idempotency: the floor does less than what is measured against it.
PGBENCH = r"""
\set session random(0, {sessions} - 1)
\set patient random(0, {patients} - 1)
BEGIN;
UPDATE slots SET state = 'taken', booking_id = 'bk_' || gen_random_uuid()
  WHERE id = (SELECT id FROM slots WHERE session_id = 'se_' || lpad(to_hex(:session::int), 26, '0') AND state = 'free'
              ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING id AS slot_id, booking_id AS booking_id \gset
INSERT INTO bookings (id, slot_id, session_id, department_id, day, patient_id, channel, state, live, fee_cents,
                      starts_at_us, created_at_us, hold_expires_at_us, ended_at_us)
  VALUES (:booking_id, :slot_id, 'se_' || lpad(to_hex(:session::int), 26, '0'), 'd1', '2027-01-01',
          'pa_' || gen_random_uuid(), 'web', 'held', true, 5000,
          1800000000000000, 1800000000000000, 1800000900000000, 0);
INSERT INTO events (at_us, kind, channel, patient_id, session_id, slot_id)
  VALUES (1800000000000000, 'booked', 'web', 'pa', 'se', :slot_id);
COMMIT;
"""


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures, with a PostgreSQL server that runs as long as they are measured."""
    from bench.over_http import http_figures  # noqa: PLC0415 - it needs the server package

    with postgresql() as server:
        yield [
            _on_postgresql(server, "postgresql", lambda: plain_postgresql(server), "pgbench, 16 connections"),
            _on_postgresql(server, "postgresql_loop", lambda: plain_threads(server), "psycopg, 16 connections"),
            _on_sqlite(),
            *http_figures(server),
        ]


def _on_postgresql(server: PostgreSQL, name: str, floor: Callable[[], float], floor_is: str) -> Figure:
    def measure() -> float:
        database = server.new_database()
        try:
            return book_all(server.url(database), lanes=2)
        finally:
            server.drop(database)

    return Figure(
        name=name,
        unit="bookings/s, durable, in process",
        measure=measure,
        floor=floor,
        floor_is=f"{floor_is}, one transaction a booking",
        reach=5.0,
        notes={},
    )


def _on_sqlite() -> Figure:
    def measure() -> float:
        with folder() as place:
            return book_all(f"sqlite:///{place / 'bench.sqlite3'}", lanes=1)

    return Figure(
        name="sqlite",
        unit="bookings/s, durable, in process",
        measure=measure,
        floor=plain_sqlite,
        floor_is="sqlite3, one transaction a booking",
        reach=4.0,
        notes={},
    )


class _Counter:
    """Takes every answer and lets the next request go."""

    def __init__(self) -> None:
        self.room = threading.Semaphore(IN_FLIGHT)
        self.wrong: list[Any] = []

    def deliver(self, answers: Sequence[tuple[Any, Any]]) -> None:
        """Count a batch."""
        self.wrong += [said for _, said in answers if not isinstance(said, Answer) or said.status != DONE]
        self.room.release(len(answers))


def book_all(url: str, *, lanes: int) -> float:
    """Book every slot of a fresh hospital through the desk; bookings a second, after checking the data."""
    upgrade(url)
    db = open_database(url)
    made = build(db, sessions=BOOKINGS // SLOTS_EACH, slots_each=SLOTS_EACH, patients=BOOKINGS)
    counter = _Counter()
    settings = DeskSettings(lanes=lanes, queue_max=IN_FLIGHT)
    desk: Desk[DeskRequest, Answer | Refused] = Desk(BookingDesk(db, SystemClock(), HoldTimes()).decide, settings)
    desk.deliver_with(counter.deliver)
    requests = [_request(made, n) for n in range(BOOKINGS)]
    settle()  # as the servers do
    started = time.perf_counter()
    desk.start()
    for request in requests:
        counter.room.acquire()
        desk.submit(request, _NOBODY, lane_key=request.session_id)
    desk.stop()
    took_s = time.perf_counter() - started
    _verify(db, counter)
    db.close()
    return BOOKINGS / took_s


class _Nobody:
    def set_result(self, _result: object, /) -> None: ...

    def set_exception(self, _exception: BaseException, /) -> None: ...


_NOBODY = _Nobody()


def _request(made: Hospital, n: int) -> BookRequest:
    account = made.account(n)
    return BookRequest(
        patient_id=made.patient(n),
        session_id=made.session(_session_of(n, made.sessions)),
        channel="web",
        account_id=account,
        sign_in_id=f"si_{n:026x}",
        ip="10.0.0.1",
        once=once(caller=account, route="bench", key=str(n), body=b"{}"),
    )


def _session_of(n: int, sessions: int) -> int:
    """Mornings one after the other: the sessions of one day are released together and wanted all at once."""
    day, k = divmod(n, SESSIONS_A_DAY * SLOTS_EACH)
    return (day * SESSIONS_A_DAY + k * 7919 % SESSIONS_A_DAY) % sessions


def _verify(db: Any, counter: _Counter) -> None:
    with db.read() as connection:
        live = connection.execute(text("SELECT count(*) FROM bookings WHERE live")).scalar()
        broken = check(connection, INVARIANTS)
    if counter.wrong or live != BOOKINGS or broken:
        raise SystemExit(f"not a valid run: {live} live, {len(counter.wrong)} refused, {broken}")


def plain_postgresql(server: PostgreSQL) -> float:
    """Transactions a second of pgbench, one booking each, on the same tables."""
    name = server.new_database()
    try:
        upgrade(server.url(name))
        db = open_database(server.url(name))
        build(db, sessions=BOOKINGS // SLOTS_EACH, slots_each=SLOTS_EACH * 2, patients=1000)
        db.close()
        with folder() as place:
            script = place / "book.sql"
            script.write_text(PGBENCH.format(sessions=BOOKINGS // SLOTS_EACH, patients=1000))
            said = server.run(
                "pgbench",
                "-n",
                "-c",
                str(CONNECTIONS),
                "-j",
                "2",
                "-M",
                "prepared",
                "-T",
                str(FLOOR_S),
                "-f",
                str(script),
                name,
            )
        return float(said.split("tps = ")[1].split()[0])
    finally:
        server.drop(name)


def plain_threads(server: PostgreSQL) -> float:
    """Bookings a second of a Python program that does the same as the script above, a thread a connection."""
    name = server.new_database()
    try:
        upgrade(server.url(name))
        db = open_database(server.url(name))
        made = build(db, sessions=BOOKINGS // SLOTS_EACH, slots_each=SLOTS_EACH, patients=1000)
        db.close()
        done = [0] * CONNECTIONS
        address = server.url(name).replace("postgresql+psycopg", "postgresql")
        ends = time.monotonic() + FLOOR_S
        threads = [
            threading.Thread(target=_loop, args=(address, made, done, which, ends)) for which in range(CONNECTIONS)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.perf_counter() - started)
    finally:
        server.drop(name)


def _loop(address: str, made: Hospital, done: list[int], which: int, ends: float) -> None:
    with psycopg.connect(address) as connection:
        while time.monotonic() < ends:
            number = done[which] * CONNECTIONS + which
            session, booking = made.session(number % made.sessions), f"bk_{number:026x}"
            with connection.transaction():
                row = connection.execute(
                    "UPDATE slots SET state = 'taken', booking_id = %s WHERE id = (SELECT id FROM slots"
                    " WHERE session_id = %s AND state = 'free' ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)"
                    " RETURNING id",
                    (booking, session),
                ).fetchone()
                if row is None:
                    return
                connection.execute(
                    "INSERT INTO bookings (id, slot_id, session_id, department_id, day, patient_id, channel, state,"
                    " live, fee_cents, starts_at_us, created_at_us, hold_expires_at_us, ended_at_us)"
                    " VALUES (%s, %s, %s, 'd1', '2027-01-01', %s, 'web', 'held', true,"
                    " 5000, 1800000000000000, 1800000000000000, 1800000900000000, 0)",
                    (booking, row[0], session, f"pa_{number * 7919 % 1_000_003:026x}"),
                )
                connection.execute(
                    "INSERT INTO events (at_us, kind, channel, patient_id, session_id, slot_id)"
                    " VALUES (1800000000000000, 'booked', 'web', 'pa', %s, %s)",
                    (session, row[0]),
                )
            done[which] += 1


def plain_sqlite() -> float:
    """Bookings a second with one commit each, on the same tables and the same synchronisation."""
    with folder() as place:
        url = f"sqlite:///{place / 'floor.sqlite3'}"
        upgrade(url)
        db = open_database(url)
        made = build(db, sessions=200, slots_each=SLOTS_EACH * 4, patients=1000)
        db.close()
        connection = sqlite3.connect(place / "floor.sqlite3", isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        done, started = 0, time.perf_counter()
        while (took_s := time.perf_counter() - started) < FLOOR_S / 2 and done < 200 * SLOTS_EACH * 4:
            _book_plainly(connection, made, done)
            done += 1
        connection.close()
        return done / took_s


def _book_plainly(connection: sqlite3.Connection, made: Hospital, n: int) -> None:
    session, booking = made.session(n % made.sessions), f"bk_{n:026x}"
    connection.execute("BEGIN IMMEDIATE")
    (slot,) = connection.execute(
        "SELECT id FROM slots WHERE session_id = ? AND state = 'free' ORDER BY number LIMIT 1", (session,)
    ).fetchone()
    connection.execute("UPDATE slots SET state = 'taken', booking_id = ? WHERE id = ?", (booking, slot))
    connection.execute(
        "INSERT INTO bookings (id, slot_id, session_id, department_id, day, patient_id, channel, state, live,"
        " fee_cents, starts_at_us, created_at_us, hold_expires_at_us, ended_at_us)"
        " VALUES (?, ?, ?, 'd1', '2027-01-01', ?, 'web', 'held', 1,"
        " 5000, 1800000000000000, 1800000000000000, 1800000900000000, 0)",
        (booking, slot, session, f"pa_{n * 7919 % 100_003:026x}"),
    )
    connection.execute(
        "INSERT INTO events (at_us, kind, channel, patient_id, session_id, slot_id)"
        " VALUES (1800000000000000, 'booked', 'web', 'pa', ?, ?)",
        (session, slot),
    )
    connection.execute("COMMIT")


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run."""
    made = Path(tempfile.mkdtemp(prefix="shouhao-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
