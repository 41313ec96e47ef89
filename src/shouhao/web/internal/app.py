"""The cameras' app: an own port, to be reached from their network alone. Pure ASGI throughout."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import structlog

from shouhao.kernel.errors import Unavailable
from shouhao.protocols.gat1400_write import CONTENT_TYPE, OTHER_ERROR, answer_list
from shouhao.web.asgi import App, Receive, Scope, Send
from shouhao.web.internal.bodies import Listening
from shouhao.web.internal.inbox import Append
from shouhao.web.internal.known import stopped
from shouhao.web.internal.pushes import logged_path, push
from shouhao.web.internal.receiver import Receiver, open_receiver, say
from shouhao.web.internal.viid import viid
from shouhao.web.proxies import Proxies, behind
from shouhao.wiring import System
from shouhao.wiring.watch import open_spool

WRITER = "receiver"  #: of the spool

_JSON = "application/json; charset=utf-8"

_log = structlog.get_logger()


def internal_app(system: System, *, append: Append | None = None) -> App:
    """The ASGI app of cameras.

    Args:
        append: keeps arrivals; without it, a spool that is opened when the server starts.
    """
    settings = system.settings
    served = _Served(system, append)
    return behind(served, Proxies(trusted=settings.trusted_proxies, header=settings.proxy_header))


class _Served:
    """The app, from the server's start to its end."""

    def __init__(self, system: System, append: Append | None) -> None:
        self._system = system
        self._append = append
        self._receiver: Receiver | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the whole life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._receiver is not None:
            await self._serve(self._receiver, scope, Listening(receive), send)

    async def _serve(self, receiver: Receiver, scope: Scope, receive: Listening, send: Send) -> None:
        begun = False

        async def note(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        path = scope["path"].lower()
        try:
            if path.startswith("/viid/"):
                await viid(receiver, scope, receive, note)
            elif path.startswith(("/isapi/", "/onvif/")):
                await push(receiver, scope, receive, note)
            else:
                await _health(receiver, path, note)
        except Exception as error:  # noqa: BLE001 - a bug is logged in full and told in one word
            shown = logged_path(scope)
            _log.error("camera_request_failed", path=shown, error=type(error).__name__, exc_info=True)
            if not begun:
                body = answer_list(shown, code=OTHER_ERROR, identifiers=(), now_us=receiver.now_us())
                await say(send, 500, body, kind=CONTENT_TYPE, headers={"connection": "close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
            except Unavailable as error:
                await send({"type": "lifespan.startup.failed", "message": error.what})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._receiver = None
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, stack: AsyncExitStack) -> None:
        append = self._append
        if append is None:
            spool = await asyncio.to_thread(open_spool, self._system, WRITER)
            stack.callback(spool.close)
            append = spool.append
        receiver = open_receiver(self._system, append)
        await receiver.known.begin()
        stack.push_async_callback(receiver.hearing.tell)
        stack.push_async_callback(receiver.inbox.drained)
        for forever in (receiver.known.keep_current(), receiver.hearing.keep_telling(), receiver.keep_counting()):
            stack.push_async_callback(stopped, asyncio.create_task(forever))
        self._receiver = receiver


async def _health(receiver: Receiver, path: str, send: Send) -> None:
    if path == "/healthz":
        await say(send, 200, b'{"state":"alive"}', kind=_JSON)
    elif path == "/readyz":
        try:
            receiver.known.watchlist_on()
        except Unavailable:
            await say(send, 503, b'{"state":"waiting"}', kind=_JSON)
        else:
            await say(send, 200, b'{"state":"ready"}', kind=_JSON)
    else:
        await say(send, 404, b'{"error":{"code":"not_found"}}', kind=_JSON)
