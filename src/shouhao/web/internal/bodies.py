"""Bodies of cameras: whole, in time, and within what this process may hold at once.

A camera's body is forty times a patient's, so what all of them hold together is counted, and each has its share: one
that stalls or lies about its length takes nothing from the others. Compressed bodies are bounded by what they become.
"""

import asyncio
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shouhao.kernel.errors import Refused, Unavailable
from shouhao.web.asgi import Message, Receive
from shouhao.web.caller import Headers
from shouhao.web.errors import BodyIncomplete, BodyTooLarge

_DROPPED_MOST = 4 * 1024 * 1024  #: of a body that nobody wants: a device that is cut off while sending hears no answer
_DROPPED_S = 5.0
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 47}  #: zlib's way to say which header is expected
_CHUNK = 64 * 1024


class BodyTooSlow(Refused):
    """The body did not come in time."""

    code = "web.body_too_slow"
    zh = "请求体在 {limit_s} 秒内未传完"
    en = "The body did not arrive within {limit_s} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """What bodies may hold."""

    body_bytes: int
    in_flight_bytes: int  #: of all bodies that were begun and are not yet on disk
    per_device_bytes: int
    body_s: float


@dataclass(slots=True)
class InFlight:
    """Counts what is held, by whom."""

    limits: BodyLimits
    held: int = 0
    by_device: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def share(self, device: str) -> Iterator["Share"]:
        """One request's share; given back at the end, whatever happens."""
        share = Share(self, device)
        try:
            yield share
        finally:
            self.held -= share.held
            self.by_device[device] -= share.held
            if self.by_device[device] <= 0:
                del self.by_device[device]


@dataclass(slots=True)
class Share:
    """What one request holds."""

    of: InFlight
    device: str
    held: int = 0

    def take(self, count: int) -> None:
        """Hold more bytes.

        Raises:
            Unavailable: `bodies`: this device, or all together, would hold too many.
        """
        limits = self.of.limits
        if (
            self.of.held + count > limits.in_flight_bytes
            or self.of.by_device[self.device] + count > limits.per_device_bytes
        ):
            raise Unavailable("bodies", retry_after_s=2.0)
        self.of.held += count
        self.of.by_device[self.device] += count
        self.held += count


async def read_camera_body(receive: Receive, headers: Headers, share: Share) -> bytes:
    """The body, unpacked; as it came where its compression is unknown or broken, for whoever reads it to say so.

    Raises:
        BodyTooLarge, BodyTooSlow, BodyIncomplete: it cannot be taken.
        Unavailable: too much is held already.
    """
    limits = share.of.limits
    said = dict(headers)
    declared = said.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise BodyTooLarge(limit=limits.body_bytes)
    try:
        async with asyncio.timeout(limits.body_s):
            body = await _whole(receive, share)
    except TimeoutError:
        raise BodyTooSlow(limit_s=limits.body_s) from None
    packed = said.get(b"content-encoding", b"").strip().lower()
    if packed not in _WINDOWS:
        return body
    unpacked = await asyncio.to_thread(_unpacked, body, _WINDOWS[packed], limits.body_bytes)
    share.take(0 if unpacked is body else len(unpacked))
    return unpacked


class Listening:
    """A receive that knows whether the body has ended: waiting for more of one that has would last until hanging up."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._receive()
        self.ended = message["type"] != "http.request" or not message.get("more_body")
        return message


async def drop_body(receive: Listening) -> None:
    """Read on for a while and keep nothing, so that the refusal is heard."""
    dropped = 0
    try:
        async with asyncio.timeout(_DROPPED_S):
            while not receive.ended and dropped < _DROPPED_MOST:
                message = await receive()
                dropped += len(message.get("body", b""))
    except TimeoutError:
        return


async def _whole(receive: Receive, share: Share) -> bytes:
    limit = share.of.limits.body_bytes
    body = bytearray()  # not a list of chunks: a byte at a time would hold forty times its length
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BodyIncomplete
        chunk: bytes = message.get("body", b"")
        if len(body) + len(chunk) > limit:
            raise BodyTooLarge(limit=limit)
        share.take(len(chunk))
        body += chunk
        if not message.get("more_body"):
            return bytes(body)


def _unpacked(body: bytes, window: int, limit: int) -> bytes:
    """What the body becomes, in steps, so that a small bomb is met before it has grown."""
    unpacker = zlib.decompressobj(window)
    unpacked = bytearray()
    rest = body
    try:
        while rest and not unpacker.eof:
            unpacked += unpacker.decompress(rest, _CHUNK)
            rest = unpacker.unconsumed_tail
            if len(unpacked) > limit:
                raise BodyTooLarge(limit=limit)
    except zlib.error:
        return body
    return bytes(unpacked) if unpacker.eof else body
