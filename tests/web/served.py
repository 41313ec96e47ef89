"""A hospital that is served: real uvicorn on free ports, a real database, codes that land in an outbox."""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from stdnum.cn import ric

from shouhao.booking.schedule import (
    Department,
    Doctor,
    Half,
    PlannedSession,
    SchedulePlan,
    cut_segments,
    session_id_of,
)
from shouhao.flows.import_schedule import import_plan
from shouhao.flows.release import release_due
from shouhao.gate.channels import create_channel
from shouhao.gate.phone_codes import PhoneCodes
from shouhao.kernel.clock import HOUR_US, ManualClock, start_of_day_us, to_us
from shouhao.kernel.ids import new_id
from shouhao.lab.running_server import reserved_port
from shouhao.settings import Settings
from shouhao.staff.model import ALONE, ROLES
from shouhao.staff.passwords import Passwords
from shouhao.staff.store import create_operator
from shouhao.store import event_log
from shouhao.store.invariants import check
from shouhao.store.schema import metadata
from shouhao.web.server import run
from shouhao.wiring import INVARIANTS, System, assemble, staff_sign_ins

NOW_US = to_us(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))  # 09:00 at the hospital
TODAY, TOMORROW = date(2026, 3, 2), date(2026, 3, 3)
FEE_CENTS = 5000
#: What a refused request may leave behind: its answer, its event, its code.
_TRACES = {"answers", "events", "phone_codes"}


def resident_id(order: int = 1, born: date = date(1985, 6, 1)) -> str:
    body = f"110105{born:%Y%m%d}{order:03d}"
    return body + ric.calc_check_digit(body + "0")


def person(order: int = 1, name: str = "张三", **more: Any) -> dict[str, Any]:
    document = {"kind": "resident_id", "number": resident_id(order)}
    return {"name": name, "document": document, "phone": "13900139000", "relation": "other", **more}


_RESERVED_MOST = 64
_RESERVED: deque[ExitStack] = deque()


@dataclass
class Outbox:
    """Takes codes instead of a phone."""

    codes: dict[str, str] = field(default_factory=dict)

    def send(self, phone_e164: str, code: str, language: str) -> None:  # noqa: ARG002 - the shape of the port
        self.codes[phone_e164] = code


@dataclass
class Hospital:
    system: System
    clock: ManualClock
    outbox: Outbox
    public: str
    console: str
    channel_keys: dict[str, str]
    operator_keys: dict[str, str]
    session: str = ""
    session_today: str = ""

    def channel(self, name: str = "web") -> "Caller":
        return Caller(self.public, {"X-Channel-Key": f"{name}.{self.channel_keys[name]}"})

    def member(self, phone: str = "13800138000", channel: str = "web") -> "Caller":
        caller = self.channel(channel)
        assert caller.post("/sign-in/codes", json={"phone": phone}).status_code == 202
        said = caller.post(
            "/sign-in", json={"phone": phone, "code": self.outbox.codes[f"+86{phone}"], "device_id": "dev1"}
        )
        assert said.status_code == 200, said.text
        return Caller(self.public, {**caller.headers, "Authorization": f"Bearer {said.json()['token']}"})

    def staff(self, role: str) -> "Caller":
        return Caller(self.console, {"Authorization": f"Bearer {self.operator_keys[role]}"})

    def patient_of(self, member: "Caller", order: int = 1, name: str = "张三") -> str:
        said = member.post("/patients", json=person(order, name))
        assert said.status_code == 201, said.text
        return str(said.json()["patient_id"])

    def booking_of(self, member: "Caller", patient_id: str, session_id: str | None = None) -> dict[str, Any]:
        asked = {"patient_id": patient_id, "session_id": session_id or self.session}
        said = member.post("/bookings", json=asked)
        assert said.status_code == 201, said.text
        return dict(said.json())

    def events(self, kind: str) -> list[dict[str, Any]]:
        with self.system.db.read() as connection:
            return [row for rows in event_log.read(connection) for row in rows if row["kind"] == kind]

    def state(self) -> dict[str, list[Any]]:
        """Everything that is stored, traces of requests apart."""
        with self.system.db.read() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in metadata.sorted_tables
                if table.name not in _TRACES
            }

    def assert_sound(self) -> None:
        with self.system.db.read() as connection:
            assert check(connection, INVARIANTS) == []


class Caller:
    """A client with its keys; each write gets an idempotency key of its own unless one is given."""

    def __init__(self, base: str, headers: dict[str, Any]) -> None:
        self.base = base
        self.headers = headers

    def ask(self, method: str, path: str, *, key: str | None = "", headers: Any = None, **rest: Any) -> httpx.Response:
        sent = {**self.headers, **(headers or {})}
        if key is not None and method != "GET":
            sent.setdefault("Idempotency-Key", key or new_id("ik"))
        return httpx.request(method, self.base + path, headers=sent, timeout=20, **rest)

    def get(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("POST", path, **rest)

    def patch(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("PATCH", path, **rest)

    def delete(self, path: str, **rest: Any) -> httpx.Response:
        return self.ask("DELETE", path, **rest)


def error_of(said: httpx.Response) -> dict[str, Any]:
    """The error, which has the one shape."""
    body = said.json()
    assert set(body) == {"error"}, said.text
    assert set(body["error"]) == {"code", "message", "field", "request_id"}, said.text
    assert body["error"]["request_id"] == said.headers["x-request-id"]
    assert said.headers["content-type"].startswith("application/json")
    return dict(body["error"])


def free_port() -> int:
    """A port that stays reserved while the next 64 are asked for: long enough for a server to listen on it."""
    if len(_RESERVED) == _RESERVED_MOST:
        _RESERVED.popleft().close()
    _RESERVED.append(ExitStack())
    return _RESERVED[-1].enter_context(reserved_port())


def settings_for(db_url: str, folder: Path) -> Settings:
    return Settings(
        database_url=db_url,
        data_dir=folder,
        public_port=free_port(),
        console_port=free_port(),
        internal_port=free_port(),
        desk_gather_ms=0.5,
    )


@contextmanager
def served(db_url: str, folder: Path) -> Iterator[Hospital]:
    """A hospital with two sessions, all channels and one operator a role."""
    settings = settings_for(db_url, folder)
    clock, outbox = ManualClock(NOW_US), Outbox()
    system = assemble(settings, clock=clock)
    codes = PhoneCodes(system.db, system.vault, outbox, settings=settings.phone_codes(), randomness=system.randomness)
    cheap = Passwords(rounds=1, memory_kib=8, lanes=1)  # what a real one costs is for tests/staff
    staff = staff_sign_ins(settings, system.db, system.vault, passwords=cheap)
    system = replace(system, phone_codes=codes, staff=staff)
    hospital = Hospital(
        system=system,
        clock=clock,
        outbox=outbox,
        public=f"http://127.0.0.1:{settings.public_port}/api/v1",
        console=f"http://127.0.0.1:{settings.console_port}/api/v1/staff",
        channel_keys={},
        operator_keys={},
    )
    try:
        _furnish(hospital)
        with on_a_thread(lambda stop, tell: run(system, {"public", "console"}, stop=stop, on_listening=tell)):
            yield hospital
    finally:
        system.close()


def _furnish(hospital: Hospital) -> None:
    system = hospital.system
    tomorrow, today = planned(TOMORROW, "am", (8, 12)), planned(TODAY, "pm", (14, 17))
    plan = SchedulePlan(
        departments=(Department(id="CARD", name_zh="心血管内科", name_en="Cardiology"),),
        doctors=(Doctor(id="D1", department_id="CARD", name_zh="李医生", title_zh="主任医师"),),
        sessions=(tomorrow, today),
    )
    with system.db.write() as connection:
        assert import_plan(connection, plan, staff_id=None, source="console", now_us=NOW_US).refused == ()
        for name in ("web", "app", "kiosk"):
            hospital.channel_keys[name] = create_channel(connection, name, now_us=NOW_US, randomness=system.randomness)
        for role in ROLES:
            _, key = create_operator(
                connection, role, roles=frozenset({role}), now_us=NOW_US, randomness=system.randomness
            )
            hospital.operator_keys[role] = key
        for name, roles in (("doctor", {"approver"}), ("all", set(ROLES) - ALONE - {"auditor"})):
            _, hospital.operator_keys[name] = create_operator(
                connection,
                name,
                roles=frozenset(roles),
                doctor_id="D1",
                now_us=NOW_US,
                randomness=system.randomness,
            )
    assert release_due(system.db, now_us=NOW_US) == 2
    hospital.session, hospital.session_today = tomorrow.id, today.id


def planned(day: date, half: Half, hours: tuple[int, int], capacity: int = 6) -> PlannedSession:
    midnight = start_of_day_us(day)
    session = PlannedSession(
        id=session_id_of("CARD", "D1", day=day, half=half, kind="general"),
        department_id="CARD",
        doctor_id="D1",
        day=day,
        half=half,
        kind="general",
        starts_at_us=midnight + hours[0] * HOUR_US,
        ends_at_us=midnight + hours[1] * HOUR_US,
        fee_cents=FEE_CENTS,
        capacity=capacity,
        release_at_us=NOW_US - HOUR_US,
        source="console",
    )
    return replace(session, slots=cut_segments(session, 30))


@contextmanager
def on_a_thread(serve: Callable[[asyncio.Event, Callable[[], None]], Awaitable[None]]) -> Iterator[None]:
    """What serves until its event is set, on a thread from when it says that it listens until the block ends."""
    listening = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    failed: list[BaseException] = []

    def go() -> None:
        try:
            loop.run_until_complete(serve(stop, listening.set))
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failed.append(error)
        finally:
            listening.set()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        assert listening.wait(timeout=20)
        assert failed == []
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=40)
        assert not thread.is_alive()
        for error in failed:
            raise error
