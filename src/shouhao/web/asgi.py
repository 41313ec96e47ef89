"""ASGI: the few pieces between a server and our routes. Pure ASGI, so that nothing is buffered twice."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog

from shouhao.web.caller import hear
from shouhao.web.errors import BodyIncomplete, BodyTooLarge, internal, refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = structlog.get_logger()

_DROPPED_LONGEST = 16 * 1024 * 1024  #: what is read on of a body that is too long

_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """The whole body.

    What is too long is read on and dropped for a while: a caller who is cut off while sending hears no answer.

    Raises:
        BodyTooLarge: it is longer than `limit` bytes.
        BodyIncomplete: the caller hung up before its end.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body") or message["type"] != "http.request":
        body = await _read_on(message, receive, limit=limit)
    if len(body) > limit:
        raise BodyTooLarge(limit=limit)
    return body


async def _read_on(message: Message, receive: Receive, *, limit: int) -> bytes:
    chunks: list[bytes] = []
    length = 0
    while True:
        if message["type"] != "http.request":
            raise BodyIncomplete
        chunk = message.get("body", b"")
        length += len(chunk)
        if length <= limit:
            chunks.append(chunk)
        if not message.get("more_body") or length > limit + _DROPPED_LONGEST:
            break
        message = await receive()
    if length > limit:
        raise BodyTooLarge(limit=limit)
    return b"".join(chunks)


async def answer(
    send: Send, status: int, body: bytes, *, request_id: str, headers: Mapping[str, str] | None = None
) -> None:
    """Send a JSON answer."""
    lines = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *_SAFE_HEADERS,
    ]
    if headers:
        lines += [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


class Edge:
    """Around every route but the hot ones: a bounded body, a request id, one log line, no stack trace to strangers.

    The body is read here, whole and bounded, so that a route never sees more than its limit.
    """

    def __init__(self, app: App, *, limit: int, limits: Mapping[str, int] | None = None) -> None:
        """Wrap an app.

        Args:
            limit: largest body in bytes.
            limits: other limits, by the end of the path.
        """
        self._app = app
        self._limit = limit
        self._limits = dict(limits or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        heard = hear(scope["headers"])
        scope["state"] = {**scope.get("state", {}), "heard": heard}
        started = time.perf_counter()
        status = 500
        begun = False

        async def note(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                begun = True
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", heard.request_id.encode()),
                    *_SAFE_HEADERS,
                ]
            await send(message)

        try:
            body = await read_body(receive, limit=self._limit_of(scope["path"]))
            await self._app(scope, _once(body, receive), note)
        except (BodyTooLarge, BodyIncomplete) as error:
            status, content = refused(error, language=heard.language, request_id=heard.request_id)
            await answer(send, status, content, request_id=heard.request_id, headers={"connection": "close"})
        except Exception as error:  # noqa: BLE001 - a bug is logged in full and told in one word
            _log.error("request_failed", request_id=heard.request_id, error=type(error).__name__, exc_info=True)
            if not begun:
                status, content = internal(language=heard.language, request_id=heard.request_id)
                await answer(send, status, content, request_id=heard.request_id)
        finally:
            took_ms = round((time.perf_counter() - started) * 1000, 1)
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                took_ms=took_ms,
                request_id=heard.request_id,
            )

    def _limit_of(self, path: str) -> int:
        return next((limit for end, limit in self._limits.items() if path.endswith(end)), self._limit)


def either(api: App, pages: App, *, api_paths: tuple[str, ...]) -> App:
    """Serve paths that begin so by the API, and everything else by the pages that ask it."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        to_api = scope["type"] != "http" or scope["path"].startswith(api_paths)
        await (api if to_api else pages)(scope, receive, send)

    return serve


def _once(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever the server says next."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
