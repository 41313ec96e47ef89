"""Server: the apps under uvicorn in one event loop, the worker beside them, and a clean end.

On SIGTERM or SIGINT: no new connection is taken, what was asked is answered, the desk decides what waits, the worker
ends its unit of work, the database is closed.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Collection, Iterator
from typing import Literal

import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shouhao.kernel.memory import settle
from shouhao.web.asgi import App
from shouhao.web.console.app import console_app
from shouhao.web.internal.app import internal_app
from shouhao.web.internal.bounded_http import ConnectionLimits, bounded_http
from shouhao.web.live_alarms import LiveAlarms
from shouhao.web.public.app import public_app
from shouhao.web.shared_desk import SharedDesk
from shouhao.wiring import System

ROLES = frozenset({"public", "internal", "console", "worker"})

_KEEP_ALIVE_S = 75
_LONGEST_GOODBYE_S = 30
_BACKLOG = 4096

_log = structlog.get_logger()


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it: two of them share a process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def serve(system: System, roles: Collection[str], *, on_listening: Callable[[], None] | None = None) -> None:
    """Run these roles until the process is told to stop, then close the system.

    Args:
        roles: some of public, internal, console, worker.
        on_listening: called once connections are taken.
    Raises:
        ValueError: a role that does not exist, or none.
        OSError: an address cannot be listened on.
    """
    unknown = set(roles) - ROLES
    if unknown or not roles:
        raise ValueError(f"roles are some of {sorted(ROLES)}, not {sorted(roles)}")
    import uvloop  # noqa: PLC0415 - there is none on Windows, where only tests of other parts run

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signalled(system, roles, on_listening))
    finally:
        system.close()


async def run(
    system: System, roles: Collection[str], *, stop: asyncio.Event, on_listening: Callable[[], None] | None = None
) -> None:
    """Run these roles in this event loop until `stop` is set.

    Raises:
        OSError: an address cannot be listened on.
        RuntimeError: an app did not start.
    """
    desk, live = SharedDesk(system.desk), LiveAlarms(system.db, system.clock)
    with contextlib.ExitStack() as sockets:
        servers = [
            (_server(app, http), sockets.enter_context(_listen(host, port)))
            for app, host, port, http in _apps(system, roles, desk, live)
        ]
        running = [asyncio.create_task(server.serve([listener])) for server, listener in servers]
        if "worker" in roles:
            system.worker.start()
            system.list_worker.start()
        _log.info("serving", roles=sorted(roles))
        if on_listening is not None:
            on_listening()
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            live.end()  # a server waits for its last answer, and these have no end of their own
            for server, _ in servers:
                server.should_exit = True
            ended = await asyncio.gather(*running, return_exceptions=True)
            if "worker" in roles:
                await asyncio.to_thread(system.worker.stop)
                await asyncio.to_thread(system.list_worker.stop)
            _log.info("stopped", roles=sorted(roles))
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
        if not all(server.started for server, _ in servers):
            raise RuntimeError("a server did not start; the log says why")


_HTTP = Literal["httptools"] | type[HttpToolsProtocol]


def _apps(
    system: System, roles: Collection[str], desk: SharedDesk, live: LiveAlarms
) -> Iterator[tuple[App, str, int, _HTTP]]:
    settings = system.settings
    if "public" in roles:
        yield public_app(system, desk=desk), settings.public_host, settings.public_port, "httptools"
    if "console" in roles:
        yield console_app(system, desk=desk, live=live), settings.console_host, settings.console_port, "httptools"
    if "internal" in roles:
        limits = ConnectionLimits(connections=settings.camera_connections)
        yield internal_app(system), settings.internal_host, settings.internal_port, bounded_http(limits)


def _server(app: App, http: _HTTP) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who is believed about an address is the channel's business, not a header's
            limit_concurrency=None,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_LONGEST_GOODBYE_S,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Connections inherit it. asyncio alone would not set it on these, and a second answer would wait 40 ms for an ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


async def _until_signalled(system: System, roles: Collection[str], on_listening: Callable[[], None] | None) -> None:
    settle()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(system, roles, stop=stop, on_listening=on_listening)
