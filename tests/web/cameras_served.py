"""A hospital whose cameras are served: real uvicorn, a real database, a real spool, and devices that speak for real."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx

from shouhao.kernel.clock import ManualClock
from shouhao.lab.cameras.install import camera_ids, device_ids, install, turn_on_for_trial
from shouhao.settings import Settings
from shouhao.store import event_log
from shouhao.watch.cameras import Camera
from shouhao.watch.model import Arrival
from shouhao.watch.spool_reader import SpoolReader
from shouhao.watch.store.cameras import find_camera, put_camera
from shouhao.web.internal.app import internal_app
from shouhao.web.internal.bounded_http import ConnectionLimits, bounded_http
from shouhao.web.internal.inbox import Append
from shouhao.web.server import _listen, _server, run
from shouhao.wiring import System, assemble
from web.served import free_port, on_a_thread

COUNT = 3
DEVICES = device_ids(COUNT)
JSON_KIND = "application/VIID+JSON;charset=UTF-8"


@dataclass
class Served:
    system: System
    base: str
    password: str
    lines: ExitStack = field(default_factory=ExitStack)

    @property
    def port(self) -> int:
        return self.system.settings.internal_port

    def device(self, number: int = 0, *, password: str | None = None) -> "Caller":
        caller = Caller(self.base, DEVICES[number], self.password if password is None else password)
        return self.lines.enter_context(caller)

    def spooled(self) -> list[Arrival]:
        """Everything on disk, in its order."""
        sealer = self.system.vault.sealer("spool")
        with SpoolReader(self.system.settings.spool_dir, sealer) as reader:
            return [one.arrival for one in reader.read(most=10_000) if one.arrival is not None]

    def camera(self, number: int = 0) -> Camera:
        with self.system.db.read() as connection:
            found = find_camera(connection, camera_ids(COUNT)[number])
        assert found is not None
        return found

    def change(self, number: int = 0, **changed: Any) -> None:
        """Change a camera in the register; the receiver sees it within two seconds."""
        camera = replace(self.camera(number), **changed)
        with self.system.db.write() as connection:
            put_camera(connection, camera, staff_id=None, now_us=self.system.clock.now_us())

    def events(self, kind: str) -> list[dict[str, Any]]:
        with self.system.db.read() as connection:
            return [row for rows in event_log.read(connection) for row in rows if row["kind"] == kind]


class Caller:
    """A device that says exactly what a test wants."""

    def __init__(self, base: str, device_id: str, password: str) -> None:
        self.base = base
        self.device_id = device_id
        self.auth = httpx.DigestAuth(device_id, password)
        self.client = httpx.Client(base_url=base, timeout=20, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def ask(self, method: str, path: str, body: Any = None, *, kind: str = JSON_KIND, **more: Any) -> httpx.Response:
        headers = {"Content-Type": kind, "User-Identify": self.device_id, **(more.pop("headers", None) or {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.client.request(method, path, content=content, headers=headers, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.ask("POST", path, body, **more)

    def register(self, **more: Any) -> httpx.Response:
        body = {"RegisterObject": {"DeviceID": self.device_id}}
        return self.post("/VIID/System/Register", body, **({"auth": self.auth} | more))

    def keepalive(self, **more: Any) -> httpx.Response:
        return self.post("/VIID/System/Keepalive", {"KeepaliveObject": {"DeviceID": self.device_id}}, **more)

    def faces(self, body: Any, **more: Any) -> httpx.Response:
        return self.post("/VIID/Faces", body, **more)


def statuses(said: httpx.Response) -> list[tuple[str, str]]:
    """(Id, StatusCode) of each object of an answer."""
    told = said.json()
    listed = told.get("ResponseStatusListObject", told)["ResponseStatusObject"]
    return [(one["Id"], str(one["StatusCode"])) for one in (listed if isinstance(listed, list) else [listed])]


@contextmanager
def cameras_served(
    db_url: str,
    folder: Path,
    *,
    law: bool = True,
    clock: ManualClock | None = None,
    append: Append | None = None,
    limits: ConnectionLimits | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """The receiver of a hospital with three cameras, live, with digest.

    `append` stands in for the spool; with it, `limits` are those of connections.
    """
    port = free_port()
    chosen = Settings(database_url=db_url, data_dir=folder / "data", internal_port=port, **settings)
    system = assemble(chosen, **({} if clock is None else {"clock": clock}))
    try:
        password = install(system, COUNT)
        if law:
            turn_on_for_trial(system, camera_ids(COUNT))
        with _serving(system, append, limits or ConnectionLimits()), ExitStack() as lines:
            yield Served(system, f"http://127.0.0.1:{port}", password, lines)
    finally:
        system.close()


def _serving(system: System, append: Append | None, limits: ConnectionLimits) -> AbstractContextManager[None]:
    """The real server on a thread, until the block ends."""
    if append is None:
        return on_a_thread(lambda stop, tell: run(system, {"internal"}, stop=stop, on_listening=tell))
    return on_a_thread(lambda stop, tell: _alone(system, append, limits, stop, tell))


async def _alone(
    system: System, append: Append, limits: ConnectionLimits, stop: asyncio.Event, tell: Callable[[], None]
) -> None:
    settings = system.settings
    with _listen(settings.internal_host, settings.internal_port) as listener:
        server = _server(internal_app(system, append=append), bounded_http(limits))
        serving = asyncio.create_task(server.serve([listener]))
        tell()
        await stop.wait()
        server.should_exit = True
        await serving
