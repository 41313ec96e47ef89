"""Bounded HTTP: no caller holds a connection by saying little, slowly, or by saying too much before anything is asked.

uvicorn bounds what stands between requests, and neither how long a request's head may take nor how long it may be. A
slow-loris opens many connections and sends a letter now and then on each; here a head is whole in time and in size or
the connection ends, and nobody has more connections than their share. Bodies are bounded where they are read.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one server and one address may hold open."""

    connections: int = 1024
    per_address: int = 256  #: a gateway stands for many cameras
    head_s: float = 10.0  #: from the first moment, or from the last answer's end, to the end of the next head
    head_bytes: int = 32 * 1024


def bounded_http(limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """The protocol for uvicorn's `http` setting."""
    return type("BoundedHTTP", (_Bounded,), {"limits": limits})


class _Bounded(HttpToolsProtocol):
    """uvicorn's protocol with a clock on each head."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head_bytes = 0
        self._in_head = True
        self._too_slow: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take the connection, unless there are too many."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        same = sum(1 for other in self.connections if isinstance(other, _Bounded) and other.is_from(address))
        if len(self.connections) > self.limits.connections or same > self.limits.per_address:
            _log.warning("connection_refused", open=len(self.connections), same_address=same)
            transport.abort()
            return
        self._wait_for_head()

    def is_from(self, address: str) -> bool:
        """Whether this connection came from an address."""
        return self.client is not None and self.client[0] == address

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._head_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; bytes outside of a request count towards the next head, blank lines too."""
        if self._in_head:
            self._wait_for_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.limits.head_bytes and not self.transport.is_closing():
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_whole()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """The next head may come."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._in_head = True

    def _wait_for_head(self) -> None:
        if self._too_slow is None:
            self._too_slow = self.loop.call_later(self.limits.head_s, self._end)

    def _head_is_whole(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._too_slow is not None:
            self._too_slow.cancel()
            self._too_slow = None

    def _end(self) -> None:
        self._too_slow = None
        if not self.transport.is_closing():
            self.transport.abort()
