"""The desk in a process of its own: each request is answered once, also when that process is killed."""

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hospital import HOLD, Person, add_department, add_people, add_session, ask, assert_sound, booking_of, code, rows
from shouhao.booking.desk import DeskSettings
from shouhao.booking.desk_apart import DeskApart, Order
from shouhao.booking.model import BookRequest, DeskFull
from shouhao.booking.tables import bookings
from shouhao.kernel.clock import SystemClock, day_of
from shouhao.kernel.errors import Unavailable
from shouhao.store.answers import Answer
from shouhao.store.engine import Database
from shouhao.web.shared_desk import SharedDesk

COMMAND = (sys.executable, "-m", "shouhao.desk_process")


@asynccontextmanager
async def opened(url: str, *, command: tuple[str, ...] = COMMAND, **settings: float) -> AsyncIterator[DeskApart]:
    order = Order(database_url=url, hold_s=HOLD.hold_s, hold_cap_s=HOLD.cap_s, log_level="WARNING", log_format="json")
    desk = DeskApart(command, order, DeskSettings(**settings))  # type: ignore[arg-type]
    await desk.open()
    try:
        yield desk
    finally:
        await desk.close()


def a_session(db: Database, *, seats: int) -> str:
    """The process lives by the machine's clock, so the session is still to come."""
    add_department(db)
    return add_session(db, seats=seats, day=day_of(SystemClock().now_us()) + timedelta(days=3))


def put(desk: DeskApart, request: BookRequest) -> "asyncio.Future[Answer]":
    reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    desk.submit(request, reply, lane_key=request.session_id)
    return reply


def test_each_request_is_answered_once_and_durably(db: Database, db_url: str) -> None:
    session = a_session(db, seats=30)
    people = add_people(db, 50)

    async def go() -> list[Answer]:
        async with opened(db_url, batch_max=16) as desk:
            return await asyncio.gather(*(put(desk, ask(person, session)) for person in people))

    answers = asyncio.run(go())
    granted = [booking_of(a) for a in answers if a.status == 0]
    assert len(granted) == len(set(granted)) == 30
    assert {code(a) for a in answers if a.status} == {"booking.sold_out"}
    assert {row["id"] for row in rows(db, bookings)} == set(granted)
    assert_sound(db)


def test_requests_may_come_from_any_thread(sqlite_db: Database, sqlite_url: str) -> None:
    session = a_session(sqlite_db, seats=10)
    people = add_people(sqlite_db, 10)

    async def go() -> list[Answer]:
        async with opened(sqlite_url) as desk:
            replies: list[asyncio.Future[Answer]] = [asyncio.get_running_loop().create_future() for _ in people]
            for person, reply in zip(people, replies, strict=True):
                await asyncio.to_thread(desk.submit, ask(person, session), reply, lane_key=session)
            return await asyncio.gather(*replies)

    assert all(answer.status == 0 for answer in asyncio.run(go()))


def test_a_killed_process_is_replaced_and_a_retry_hears_what_became_of_it(db: Database, db_url: str) -> None:
    session = a_session(db, seats=200)
    people = add_people(db, 200)
    asked = [ask(person, session, key=f"k{n}") for n, person in enumerate(people)]

    async def go() -> list[Answer]:
        async with opened(db_url, batch_max=8) as desk:
            replies = [put(desk, request) for request in asked]
            await replies[20]
            assert desk._process is not None
            os.kill(desk._process.pid, signal.SIGKILL)
            first = await asyncio.gather(*replies, return_exceptions=True)
            lost = [n for n, said in enumerate(first) if isinstance(said, Unavailable)]
            assert lost
            assert len(lost) <= 16, "only what the process had is lost; what waited was decided by the next one"
            again = await asyncio.gather(*(put(desk, asked[n]) for n in lost))
            for n, said in zip(lost, again, strict=True):
                first[n] = said
            return [said for said in first if isinstance(said, Answer)]

    answers = asyncio.run(go())
    assert len({booking_of(a) for a in answers}) == 200
    assert len(rows(db, bookings)) == 200
    assert_sound(db)


def test_two_apps_that_open_it_at_once_share_one_process(sqlite_db: Database, sqlite_url: str, tmp_path: Path) -> None:
    session = a_session(sqlite_db, seats=2)
    people = add_people(sqlite_db, 2)
    started = tmp_path / "started"
    order = Order(database_url=sqlite_url, hold_s=60, hold_cap_s=60, log_level="WARNING", log_format="json")
    counting = ("sh", "-c", f"echo one >> {started}; exec {shlex.join(COMMAND)}")

    async def go() -> list[Answer]:
        desk = DeskApart(counting, order, DeskSettings())
        shared = SharedDesk(desk)

        async def app(person: Person) -> Answer:
            async with shared.open():
                return await put(desk, ask(person, session))

        return await asyncio.gather(*map(app, people))

    answers = asyncio.run(go())
    assert started.read_text() == "one\n"
    assert len({booking_of(answer) for answer in answers}) == 2


def test_a_full_queue_refuses_at_once(sqlite_db: Database, sqlite_url: str) -> None:
    session = a_session(sqlite_db, seats=10)
    people = add_people(sqlite_db, 5)

    async def go() -> None:
        async with opened(sqlite_url, queue_max=4, lanes=1) as desk:
            replies = [put(desk, ask(person, session)) for person in people[:4]]
            with pytest.raises(DeskFull):
                put(desk, ask(people[4], session))
            await asyncio.gather(*replies)

    asyncio.run(go())


def test_closing_answers_what_waits_and_refuses_what_comes_later(sqlite_db: Database, sqlite_url: str) -> None:
    session = a_session(sqlite_db, seats=40)
    people = add_people(sqlite_db, 41)

    async def go() -> list[Answer]:
        async with opened(sqlite_url, batch_max=4) as desk:
            replies = [put(desk, ask(person, session)) for person in people[:40]]
        with pytest.raises(DeskFull):
            put(desk, ask(people[40], session))
        assert all(reply.done() for reply in replies)
        return [reply.result() for reply in replies]

    assert all(answer.status == 0 for answer in asyncio.run(go()))


def test_a_process_that_never_starts_lets_nobody_wait_for_ever(sqlite_db: Database, sqlite_url: str) -> None:
    session = a_session(sqlite_db, seats=1)
    person = add_people(sqlite_db, 1)[0]

    async def go() -> None:
        async with opened(sqlite_url, command=(sys.executable, "-c", "raise SystemExit(3)")) as desk:
            with pytest.raises(Unavailable):
                await asyncio.wait_for(put(desk, ask(person, session)), timeout=20)

    asyncio.run(go())


def test_closing_while_the_process_is_away_ends(sqlite_db: Database, sqlite_url: str) -> None:
    session = a_session(sqlite_db, seats=1)
    person = add_people(sqlite_db, 1)[0]

    async def go() -> None:
        async with opened(sqlite_url) as desk:
            assert (await put(desk, ask(person, session))).status == 0
            assert desk._process is not None
            os.kill(desk._process.pid, signal.SIGKILL)

    asyncio.run(asyncio.wait_for(go(), timeout=30))
