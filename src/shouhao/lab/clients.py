"""Clients: one patient's HTTP/1.1 connection, kept alive, light enough that thousands fit in one process.

A general HTTP library would spend more time on a request than the server does, and the figures would be its own. This
speaks just enough of the protocol, with the parser that the server itself uses.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httptools
import msgspec

_FIRST_REFUSAL = 400


class HungUp(Exception):  # noqa: N818 - not an error of ours: the other side went away, so ask again
    """The connection ended before the answer had come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes

    def json(self) -> Any:
        """The body as JSON, or None when it is empty.

        Raises:
            msgspec.DecodeError: it is not JSON.
        """
        return msgspec.json.decode(self.body) if self.body else None

    def code(self) -> str:
        """The refusal's code, or an empty text when it is none."""
        if self.status < _FIRST_REFUSAL:
            return ""
        try:
            return str(self.json()["error"]["code"])
        except (msgspec.DecodeError, KeyError, TypeError):
            return f"http_{self.status}"


class Connection(asyncio.Protocol):
    """One TCP connection; requests follow each other on it."""

    def __init__(self, host: str, port: int) -> None:
        self._host = f"{host}:{port}"
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_s: float = 30.0,
    ) -> Reply:
        """Send one request and wait for its answer.

        Raises:
            HungUp: the connection ended first.
            TimeoutError: nothing came in time; the connection is closed.
        """
        self.send(method, path, headers=headers, body=body)
        waiting = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        try:
            async with asyncio.timeout(timeout_s):
                reply: Reply = await waiting
                return reply
        except TimeoutError:
            self.close()
            raise
        finally:
            self._waiting = None

    def send(self, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a request without waiting.

        Raises:
            HungUp: the connection has ended.
        """
        if self._transport is None or self._transport.is_closing():
            raise HungUp
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        if body:
            lines.append("Content-Type: application/json")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join([*lines, "", ""]).encode() + body)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own does not derive from it

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(HungUp())
        del exc

    # What the parser calls

    def on_message_begin(self) -> None:
        """An answer begins."""
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header came."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        """Some of the body came."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        reply = Reply(status=self._parser.get_status_code(), headers=self._headers, body=b"".join(self._body))
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(reply)
        if self._headers.get("connection", "").lower() == "close":
            self.close()


async def connect(host: str, port: int, *, timeout_s: float = 10.0) -> Connection:
    """Open a connection.

    Raises:
        OSError: nobody listens, or too slowly.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, connection = await loop.create_connection(lambda: Connection(host, port), host, port)
    return connection
