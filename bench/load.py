"""Load: many kept-alive HTTP connections from one process, each with one request under way.

A bare protocol on uvloop: a client library would be slower than the server that is measured.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(slots=True)
class Outcome:
    """What came of a load."""

    took_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)  #: by request, in the order of the requests
    bodies: list[bytes] = field(default_factory=list)
    done_at_s: list[float] = field(default_factory=list)  #: since the start, by request

    def rate(self) -> float:
        """Answers a second."""
        return len(self.statuses) / self.took_s

    def percentile_ms(self, share: float) -> float:
        """Latency that this share of the answers kept to."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._buffer = b""
        self._number = -1
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(_LENGTH) + len(_LENGTH)
        stop = head.find(b"\r", at)
        body_end = end + len(_HEAD_END) + int(head[at : stop if stop > 0 else len(head)])
        if len(self._buffer) < body_end:
            return
        now = time.perf_counter()
        self._load.took(self._number, now, now - self._sent_at, int(head[9:12]), self._buffer[end + 4 : body_end])
        self._buffer = self._buffer[body_end:]
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self._number, exc)

    def _next(self) -> None:
        number = self._load.give()
        transport = self._transport
        if transport is None:
            return
        self._number = number
        if number < 0:
            transport.close()
            return
        self._sent_at = time.perf_counter()
        transport.write(self._load.requests[number])


class _Load:
    def __init__(self, requests: Sequence[bytes], finished: "asyncio.Future[None]") -> None:
        self.requests = requests
        self.outcome = Outcome(
            latencies_s=[0.0] * len(requests),
            statuses=[0] * len(requests),
            bodies=[b""] * len(requests),
            done_at_s=[0.0] * len(requests),
        )
        self.started = time.perf_counter()
        self._finished = finished
        self._given = 0
        self._taken = 0

    def give(self) -> int:
        """Number of the next request, -1 when there is none left."""
        if self._given == len(self.requests):
            return -1
        self._given += 1
        return self._given - 1

    def took(self, number: int, now: float, latency_s: float, status: int, body: bytes) -> None:
        """An answer came."""
        outcome = self.outcome
        outcome.latencies_s[number] = latency_s
        outcome.statuses[number] = status
        outcome.bodies[number] = body
        outcome.done_at_s[number] = now - self.started
        self._taken += 1
        if self._taken == len(self.requests):
            outcome.took_s = now - self.started
            self._finished.set_result(None)

    def lost(self, number: int, error: Exception | None) -> None:
        """A connection ended; before its answer came, that is a failure of the run."""
        if number >= 0 and self.outcome.statuses[number] == 0 and not self._finished.done():
            self._finished.set_exception(error or ConnectionResetError(f"no answer to request {number}"))


def send(port: int, requests: Sequence[bytes], *, connections: int) -> Outcome:
    """Send all requests over so many connections; returns when the last answer is there."""

    async def go() -> Outcome:
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        load = _Load(requests, finished)
        for _ in range(min(connections, len(requests))):
            await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
        await finished
        return load.outcome

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


def post(path: str, headers: dict[str, str], body: bytes) -> bytes:
    """The bytes of a request."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"content-length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
