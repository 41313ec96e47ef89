"""Waitlist: slots are returned and offered to the next who waits, both in one transaction."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from sqlalchemy import text

from bench.booking import folder
from bench.harness import Figure
from bench.hospital import Hospital, build
from bench.servers import PostgreSQL, postgresql
from shouhao.booking import tables as booking
from shouhao.booking.decide import HoldTimes
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.draw_tables import wait_members, waits
from shouhao.booking.model import DeskRequest, ReturnRequest
from shouhao.booking.release.policy import DEFAULT
from shouhao.booking.store.release_policies import policy_text
from shouhao.flows.desk import BookingDesk
from shouhao.flows.once import DONE
from shouhao.kernel.clock import DAY_US, SystemClock
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.kernel.memory import settle
from shouhao.store import batch, event_log
from shouhao.store.answers import Answer, once
from shouhao.store.engine import Database, open_database
from shouhao.store.invariants import check
from shouhao.store.migrate import upgrade
from shouhao.wiring import INVARIANTS

SESSIONS, SEATS, WAITING = 200, 50, 100  #: a department's week: full, and twice as many wait for each session
RETURNS_EACH = 40
IN_FLIGHT = 1024
CONNECTIONS = 16
FLOOR_S = 6
_CHUNK = 20_000


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures, with a PostgreSQL server that runs as long as they are measured."""
    with postgresql() as server:
        yield [
            Figure(
                name="postgresql",
                unit="returns/s, each offered on in its transaction, durable",
                measure=lambda: _on(server),
                floor=lambda: _plain(server),
                floor_is=f"psycopg, {CONNECTIONS} connections, one transaction a return",
                reach=1.0,
                notes={},
            ),
            Figure(
                name="sqlite",
                unit="returns/s, each offered on in its transaction, durable",
                measure=_on_sqlite,
                floor=lambda: 1000.0,
                floor_is="the 1,000 a second that are asked for",
                reach=1.0,
                notes={},
            ),
        ]


def _on(server: PostgreSQL) -> float:
    name = server.new_database()
    try:
        return return_all(server.url(name), lanes=2)
    finally:
        server.drop(name)


def _on_sqlite() -> float:
    with folder() as place:
        return return_all(f"sqlite:///{place / 'bench.sqlite3'}", lanes=1)


class _Counter:
    """Takes every answer and lets the next request go."""

    def __init__(self) -> None:
        self.room = threading.Semaphore(IN_FLIGHT)
        self.wrong: list[Any] = []

    def deliver(self, answers: Sequence[tuple[Any, Any]]) -> None:
        """Count a batch."""
        self.wrong += [said for _, said in answers if not isinstance(said, Answer) or said.status != DONE]
        self.room.release(len(answers))


class _Nobody:
    def set_result(self, _result: object, /) -> None: ...

    def set_exception(self, _exception: BaseException, /) -> None: ...


def return_all(url: str, *, lanes: int) -> float:
    """Return booked slots through the desk; returns a second, after checking that each was offered on."""
    upgrade(url)
    db = open_database(url)
    made = _fill(db)
    counter = _Counter()
    desk: Desk[DeskRequest, Answer | Refused] = Desk(
        BookingDesk(db, SystemClock(), HoldTimes()).decide, DeskSettings(lanes=lanes, queue_max=IN_FLIGHT)
    )
    desk.deliver_with(counter.deliver)
    requests = [_request(made, n) for n in range(SESSIONS * RETURNS_EACH)]
    settle()
    nobody: Any = _Nobody()
    started = time.perf_counter()
    desk.start()
    for request, lane_key in requests:
        counter.room.acquire()
        desk.submit(request, nobody, lane_key=lane_key)
    desk.stop()
    took_s = time.perf_counter() - started
    with db.read() as connection:
        offered = connection.execute(text("SELECT count(*) FROM bookings WHERE state = 'offered'")).scalar()
        kept = connection.execute(text("SELECT count(*) FROM slots WHERE state IN ('free', 'reserved')")).scalar()
        broken = check(connection, INVARIANTS)
    db.close()
    if counter.wrong or offered != len(requests) or kept or broken:
        raise SystemExit(f"not a valid run: {offered} offered, {kept} kept, {counter.wrong[:3]} refused, {broken}")
    return len(requests) / took_s


def _request(made: Hospital, n: int) -> tuple[ReturnRequest, str]:
    """The n-th return: spread over the sessions, as a morning's are."""
    session, seat = n % SESSIONS, n // SESSIONS
    holder = session * SEATS + seat
    account = made.account(holder)
    asked = ReturnRequest(
        booking_id=_booking(holder),
        channel="web",
        account_id=account,
        sign_in_id=f"si_{holder:026x}",
        ip="10.0.0.1",
        once=once(caller=account, route="bench", key=str(n), body=b""),
    )
    return asked, made.session(session)


def _booking(holder: int) -> str:
    return f"bk_{holder:026x}"


def _fill(db: Database) -> Hospital:
    """A hospital whose sessions are full of paid bookings, with people who wait for each."""
    holders, waiters = SESSIONS * SEATS, SESSIONS * WAITING
    made = build(db, sessions=SESSIONS, slots_each=SEATS, patients=holders + waiters)
    now_us = SystemClock().now_us()
    with db.write() as connection:
        connection.execute(
            text("UPDATE sessions SET release_policy = :policy, day = :day"),
            {"policy": policy_text(DEFAULT), "day": "2027-01-08"},
        )
        slots = connection.execute(
            text("SELECT id, session_id, starts_at_us FROM slots ORDER BY session_id, number")
        ).all()
    bookings = [
        {
            "id": _booking(n),
            "slot_id": slot.id,
            "session_id": slot.session_id,
            "department_id": "d1",
            "day": "2027-01-08",
            "patient_id": made.patient(n),
            "account_id": made.account(n),
            "channel": "web",
            "state": "booked",
            "live": True,
            "fee_cents": 5000,
            "starts_at_us": slot.starts_at_us,
            "created_at_us": now_us,
            "ended_at_us": 0,
        }
        for n, slot in enumerate(slots)
    ]
    _put(db, booking.bookings, bookings)
    payments = [
        {
            "id": f"pm_{n:026x}",
            "booking_id": _booking(n),
            "amount_cents": 5000,
            "state": "paid",
            "gateway": "reference",
            "gateway_ref": f"rg_{n}",
            "created_at_us": now_us,
            "paid_at_us": now_us,
            "refund_attempts": 0,
        }
        for n in range(holders)
    ]
    _put(db, booking.payments, payments)
    with db.write() as connection:
        connection.execute(
            text(
                "UPDATE slots SET state = 'taken',"
                " booking_id = (SELECT b.id FROM bookings b WHERE b.slot_id = slots.id)"
            )
        )
        event_log.append(
            connection,
            [Event(at_us=now_us, kind="booked", patient_id=b["patient_id"], slot_id=b["slot_id"]) for b in bookings],
        )
    _wait(db, made, holders, now_us)
    if db.dialect == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))
    return made


def _wait(db: Database, made: Hospital, holders: int, now_us: int) -> None:
    rows, members = [], []
    for n in range(SESSIONS * WAITING):
        session_id, place = made.session(n % SESSIONS), n // SESSIONS + 1
        person, account = made.patient(holders + n), made.account(holders + n)
        wait_id = f"wt_{n:026x}"
        rows.append(
            {
                "id": wait_id,
                "session_id": session_id,
                "draw_id": "dw",
                "entry_id": f"en_{n:026x}",
                "account_id": account,
                "channel": "web",
                "people": msgspec.json.encode([person]).decode(),
                "size": 1,
                "drawn_at_us": now_us - DAY_US,
                "place": place,
                "state": "waiting",
                "since_us": now_us - DAY_US,
                "ended_at_us": 0,
            }
        )
        members.append({"wait_id": wait_id, "session_id": session_id, "patient_id": person, "ended_at_us": 0})
    _put(db, waits, rows)
    _put(db, wait_members, members)


def _put(db: Database, table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        with db.write() as connection:
            batch.insert(connection, table, tuple(rows[0]), rows[start : start + _CHUNK])


def _plain(server: PostgreSQL) -> float:
    """The plain way: one transaction a return that gives the slot to the first who waits; no rules, no identity."""
    name = server.new_database()
    try:
        upgrade(server.url(name))
        db = open_database(server.url(name))
        _fill(db)
        db.close()
        done = [0] * CONNECTIONS
        address = server.url(name).replace("postgresql+psycopg", "postgresql")
        ends = time.monotonic() + FLOOR_S
        threads = [threading.Thread(target=_loop, args=(address, done, n, ends)) for n in range(CONNECTIONS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.perf_counter() - started)
    finally:
        server.drop(name)


def _loop(address: str, done: list[int], which: int, ends: float) -> None:
    with contextlib.closing(psycopg.connect(address)) as connection:
        for n in range(which, SESSIONS * RETURNS_EACH, CONNECTIONS):
            if time.monotonic() > ends:
                return
            session, seat = n % SESSIONS, n // SESSIONS
            old = _booking(session * SEATS + seat)
            with connection.transaction():
                row = connection.execute(
                    "UPDATE bookings SET state = 'returned', live = false, ended_at_us = 1 WHERE id = %s"
                    " RETURNING slot_id, session_id",
                    (old,),
                ).fetchone()
                if row is None:
                    return
                connection.execute(
                    "UPDATE payments SET state = 'refund_due', refund_next_at_us = 1 WHERE booking_id = %s", (old,)
                )
                wait = connection.execute(
                    "SELECT id, people FROM waits WHERE session_id = %s AND state = 'waiting'"
                    " ORDER BY drawn_at_us, place LIMIT 1 FOR UPDATE SKIP LOCKED",
                    (row[1],),
                ).fetchone()
                if wait is None:
                    return
                new = f"bn_{n:026x}"
                connection.execute("UPDATE waits SET state = 'offered' WHERE id = %s", (wait[0],))
                connection.execute(
                    "INSERT INTO bookings (id, slot_id, session_id, department_id, day, patient_id, channel, state,"
                    " live, fee_cents, starts_at_us, created_at_us, hold_expires_at_us, ended_at_us, wait_id)"
                    " VALUES (%s, %s, %s, 'd1', '2027-01-08', %s, 'web', 'offered', true, 5000, 1, 1, 2, 0, %s)",
                    (new, row[0], row[1], wait[1], wait[0]),
                )
                connection.execute("UPDATE slots SET booking_id = %s WHERE id = %s", (new, row[0]))
                connection.execute(
                    "INSERT INTO events (at_us, kind, channel, slot_id) VALUES (1, 'cancelled', 'web', %s),"
                    " (1, 'offered', 'web', %s)",
                    (row[0], row[0]),
                )
            done[which] += 1
