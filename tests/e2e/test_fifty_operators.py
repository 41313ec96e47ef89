"""Fifty operators watch five alarms a second: each hears of each once and in order, also the one whose line was cut.

The alarms come from the capture worker, the operators have signed in, one of them sees the wall in a real browser. How
fast it is belongs to `shouhao bench alarms`.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select

from e2e.cut_line import CutLine
from e2e.looking import CHROMIUM, DESK, REQUIRED, chromium, reader
from e2e.staff_browser import console_of, cookie
from flows.capturing import NOW_US, Watching
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.kernel.clock import SECOND_US
from shouhao.watch.store.alarm_tables import alarm_feed
from shouhao.wiring.faces import gallery_setup
from shouhao.wiring.watch import still_folder
from web.browser import Browser, signed_in
from web.served import Hospital, served

if CHROMIUM is None and not REQUIRED:
    pytest.skip("no Chromium on this machine", allow_module_level=True)

CLIENTS = 49  #: and the browser
PEOPLE = 10
ALARMS = PEOPLE * 3
EVERY_S = 0.2
CUT_AT, MENDED_AT = 8, 16
SOON_S = 20.0  #: on a machine that does much else; what is usual is measured elsewhere


@dataclass
class Heard:
    """One message about an alarm."""

    what: str
    alarm_id: str
    version: int
    seq: int
    at_s: float


@dataclass
class Client:
    """An operator's stream, which comes back by itself as a browser's does."""

    browser: Browser
    base: str
    heard: list[Heard] = field(default_factory=list)
    last_id: str = ""
    streams: int = 0  #: that were opened
    beats: int = 0

    async def listen(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self._one_stream()
            await asyncio.sleep(0.1)

    async def _one_stream(self) -> None:
        host, _, port = self.base.removeprefix("http://").partition(":")
        reading, writing = await asyncio.open_connection(host, int(port), limit=1 << 20)
        try:
            again = f"last-event-id: {self.last_id}\r\n" if self.last_id else ""
            writing.write(
                f"GET /api/v1/staff/alarms/stream HTTP/1.1\r\nhost: {host}:{port}\r\n"
                f"cookie: {self.browser.cookie}\r\nsec-fetch-site: same-origin\r\n{again}\r\n".encode()
            )
            status = await reading.readline()
            if not status:
                return
            assert b" 200 " in status, status
            self.streams += 1
            message: dict[str, str] = {}
            while line := await reading.readline():
                name, colon, value = line.decode().rstrip("\r\n").partition(": ")
                if colon:
                    message[name] = value
                elif not name:
                    self._take(message)
                    message = {}
        finally:
            writing.close()

    def _take(self, message: dict[str, str]) -> None:
        self.last_id = message.get("id", self.last_id)
        if message.get("event") == "beat":
            self.beats += 1
        elif message.get("event") == "alarm":
            told = json.loads(message["data"])
            alarm = told["alarm"]
            seen = Heard(told["what"], alarm["alarm_id"], alarm["version"], int(message["id"]), time.monotonic())
            self.heard.append(seen)

    def of(self, what: str) -> list[str]:
        return [one.alarm_id for one in tuple(self.heard) if one.what == what]

    def acknowledged(self) -> set[str]:
        return {one.alarm_id for one in tuple(self.heard) if one.version == 2}

    def heard_at(self, alarm_id: str) -> float:
        return next(one.at_s for one in self.heard if one.alarm_id == alarm_id)


@contextlib.contextmanager
def listening(clients: list[Client]) -> Iterator[None]:
    """All of them listen, on one thread, until the block ends."""
    loop = asyncio.new_event_loop()
    failed: list[BaseException] = []

    async def all_of_them() -> None:
        await asyncio.gather(*(one.listen() for one in clients))

    def go() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failed.append(error)
        finally:
            loop.close()

    task = loop.create_task(all_of_them())
    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # it has failed, and its loop is closed
            loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=20)
    assert failed == []
    assert not thread.is_alive()


def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(sqlite_url, tmp_path) as running:
        running.clock.advance(seconds=(NOW_US - running.clock.now_us()) / SECOND_US)
        yield running


@pytest.fixture
def watching(hospital: Hospital, tmp_path: Path) -> Iterator[Watching]:
    """The capture worker of this hospital, with some listed people."""
    system = hospital.system
    made = Watching(system.db, tmp_path, clock=hospital.clock)
    for one in (made.worker, made.gallery):
        one.close()
    # Its pictures lie where the console looks for them.
    made.stills = still_folder(system.settings, system.vault)
    setup = replace(made.setup, keys=gallery_setup(system, "watchlist", {}).keys)
    made.gallery = WatchlistGallery(setup, lock_required=False, now_us=NOW_US)
    made.worker = made.new_worker()
    for number in range(PEOPLE):
        made.list_person(f"we_{number}", (10 + 10 * number, 0, 0))
    yield made
    made.close()


def walk_past(watching: Watching, number: int) -> float:
    """A listed person before a camera, where they were not yet; when the alarm was committed."""
    device = f"3101010000119{number // PEOPLE:07d}"
    watching.clock.advance(seconds=EVERY_S)
    watching.pushes((10 + 10 * (number % PEOPLE), 1, 0), device=device)
    assert watching.worker.look() == 1
    return time.monotonic()


class Hands:
    """Operators who press when they have heard: two at once for each alarm, others each time."""

    def __init__(self, clients: list[Client], pool: ThreadPoolExecutor) -> None:
        self._clients = clients
        self._pool = pool
        self._pressed: list[list[Future[int]]] = []

    def press(self) -> None:
        """For each alarm of which both have heard, and nobody has pressed yet."""
        for number in range(len(self._pressed), ALARMS):
            pair = [self._clients[number], self._clients[number - 7]]
            heard = [one.of("raised")[number : number + 1] for one in pair]
            if heard[0] != heard[1] or not heard[0]:
                return
            self._pressed.append([self._pool.submit(self._step, one, heard[0][0]) for one in pair])

    def answers(self) -> list[list[int]]:
        """The status of each answer, by alarm."""
        return [sorted(one.result(SOON_S) for one in pair) for pair in self._pressed]

    def _step(self, client: Client, alarm_id: str) -> int:
        said = client.browser.post(f"/alarms/{alarm_id}/steps", json={"step": "acknowledged", "version": 1})
        return said.status_code


def test_fifty_operators_hear_of_each_alarm_once_and_in_order(hospital: Hospital, watching: Watching) -> None:
    base = console_of(hospital)
    line = CutLine(base)
    browsers = [signed_in(hospital, f"op{number}", "monitoring")[0] for number in range(CLIENTS)]
    cut, *steady = clients = [Client(one, base if number else line.base) for number, one in enumerate(browsers)]
    committed: list[float] = []
    with (
        contextlib.closing(line),
        chromium() as browser,
        reader(browser, base, "fifty-operators", size=DESK) as wall,
        ThreadPoolExecutor(4) as pool,
        listening(clients),
    ):
        wall.page.context.add_cookies([cookie(hospital, "monitoring")])
        wall.go("/wall")
        wall.page.wait_for_selector(".live.live")
        until(lambda: all(one.beats for one in clients))
        hands, begun = Hands(steady, pool), time.monotonic()
        for number in range(ALARMS):
            if number == CUT_AT:
                line.cut()
            if number == MENDED_AT:
                line.mend()
            time.sleep(max(0.0, begun + number * EVERY_S - time.monotonic()))  # the pace is what is tried
            committed.append(walk_past(watching, number))
            hands.press()
        until(lambda: all(len(one.of("raised")) >= ALARMS for one in steady))
        hands.press()
        assert hands.answers() == [[200, 409]] * ALARMS, "of two who press at once one hears that it has changed"
        until(lambda: all(len(one.acknowledged()) >= ALARMS for one in clients))
        shown = "count => document.querySelectorAll('.alarm-row .state-acknowledged').length === count"
        wall.page.wait_for_function(shown, arg=ALARMS)
        assert wall.page.locator(".alarm-row").count() == ALARMS
        assert wall.page.locator(".live.live").count() == 1
        wall.look("thirty-alarms")
    raised, stepped = told(hospital, "raised"), told(hospital, "step")
    assert len(raised) == len(stepped) == ALARMS
    for one in steady:
        assert one.streams == 1, "nobody is dropped"
        assert (one.of("raised"), one.of("step")) == (raised, stepped)
        assert len(one.heard) == 2 * ALARMS
        assert [heard.seq for heard in one.heard] == sorted({heard.seq for heard in one.heard})
    assert cut.streams == 2
    missed = [one for one in raised if one not in cut.of("raised")]
    assert missed
    assert set(missed) <= set(cut.of("snapshot"))
    assert cut.of("raised") == [one for one in raised if one not in missed]
    assert cut.acknowledged() == set(raised), "and it knows how each stands"
    waits = [one.heard_at(alarm_id) - at_s for one in steady for alarm_id, at_s in zip(raised, committed, strict=True)]
    assert max(waits) < SOON_S


def told(hospital: Hospital, what: str) -> list[str]:
    """The alarms of which this was told, in order."""
    with hospital.system.db.read() as connection:
        wanted = select(alarm_feed.c.alarm_id).where(alarm_feed.c.what == what).order_by(alarm_feed.c.seq)
        return list(connection.execute(wanted).scalars())
