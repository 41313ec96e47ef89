"""Receiver: what every route of cameras stands on: who is there, what is held, where arrivals go, what is counted.

The order is always the same: who is it, may it come in, how much does it hold, is the body whole, is it on disk, and
only then the answer. Nothing is analysed here.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from shouhao.kernel.errors import Unavailable
from shouhao.protocols.gat1400_digest import DigestGate, read_credentials
from shouhao.watch.model import Arrival, Source
from shouhao.web.asgi import Scope, Send
from shouhao.web.internal.bodies import BodyLimits, InFlight
from shouhao.web.internal.heard import Hearing
from shouhao.web.internal.inbox import Append, Inbox
from shouhao.web.internal.known import Known, KnownCameras
from shouhao.web.internal.online import Attempts, Device, Online
from shouhao.wiring import System

_REALM = "shouhao"
_TELL_S = 60.0
_DEVICE_DIGITS = 20
_TEXT_LONGEST = 200
_SHARE_OF_ONE = 2  #: messages of full size that one device may have under way

_log = structlog.get_logger()


@dataclass(slots=True)
class Receiver:
    """One process's receiver of cameras."""

    system: System
    known: KnownCameras
    gate: DigestGate
    inbox: Inbox
    hearing: Hearing
    in_flight: InFlight
    online: Online = field(default_factory=Online)
    attempts: Attempts = field(default_factory=Attempts)
    counts: Counter[str] = field(default_factory=Counter)

    def now_us(self) -> int:
        """By the system's clock."""
        return self.system.clock.now_us()

    async def authenticated(self, scope: Scope, device_id: str, *, source: Source) -> Device | None:
        """The device behind a request, if it may come in: it registered from here, or shows its password now.

        Raises:
            Unavailable: whether it may is not known.
        """
        known = await self.known.find(device_id)
        if known is None or known.camera.source != source:
            self.online.forget(device_id)
            return None
        address, now_us = address_of(scope), self.now_us()
        if header(scope, b"authorization"):
            return self._with_digest(scope, known, address)
        device = self.online.find(device_id, address=address, now_us=now_us)
        return device if device is not None and (device.proven or not known.camera.digest_required) else None

    def admit(self, known: Known, *, address: str, proven: bool) -> Device:
        """Let a device in, from this address."""
        camera = known.camera
        device = Device(
            device_id=camera.device_id,
            camera_id=camera.id,
            address=address,
            proven=proven,
            heard_at_us=self.now_us(),
        )
        self.online.register(device)
        return device

    def _with_digest(self, scope: Scope, known: Known, address: str) -> Device | None:
        verdict = self.check_digest(scope, known, address)
        if verdict != "right":
            return None
        return self.online.find(
            known.camera.device_id, address=address, now_us=self.now_us()
        ) or self.admit(known, address=address, proven=True)  # fmt: skip

    def check_digest(self, scope: Scope, known: Known | None, address: str) -> str:
        """What the request's Authorization is worth: none, wrong, stale or right."""
        told = header(scope, b"authorization")
        if not told:
            return "none"
        now_us = self.now_us()
        credentials = read_credentials(told)
        if credentials is None or not self.attempts.may_try(address, now_us=now_us):
            return "wrong"
        verdict = self.gate.check(
            credentials,
            password=None if known is None else known.password,
            method=scope["method"],
            path=raw_path(scope),
            query=scope.get("query_string", b"").decode("latin-1"),
            now_us=now_us,
        )
        if verdict == "wrong":
            self.attempts.was_wrong(address, now_us=now_us)
        return verdict

    async def keep(
        self, arrival: Arrival, *, camera_id: str, device_times_us: tuple[int, ...] = (), captures: int = 1
    ) -> None:
        """Put an arrival on disk, unless the law does not let us have it: then nothing of it is kept.

        Args:
            captures: in it; nought where it is something else.
        Raises:
            Unavailable: it cannot be kept now, or it is not known whether it may be.
        """
        if captures:
            at_us = arrival.arrived_at_us
            self.hearing.note(camera_id, "capture", at_us=at_us, device_times_us=device_times_us, count=captures)
        known = await self.known.find(arrival.device_id)
        if known is None or known.camera.state != "live" or not self.known.watchlist_on():
            self.counts["dropped"] += 1
            return
        try:
            await self.inbox.put(arrival)
        except Unavailable:
            self.counts["busy"] += 1
            raise
        self.counts["kept"] += 1

    async def keep_counting(self) -> None:
        """Say what was counted, once a minute, until cancelled."""
        while True:
            await asyncio.sleep(_TELL_S)
            online = self.online.forget_silent(now_us=self.now_us())
            counted, self.counts = self.counts, Counter()
            _log.info("cameras_received", online=online, in_flight_bytes=self.in_flight.held, **counted)


def open_receiver(system: System, append: Append) -> Receiver:
    """A receiver that keeps what arrives by `append`; inside the event loop that serves."""
    settings = system.settings
    limits = BodyLimits(
        body_bytes=settings.camera_body_bytes,
        in_flight_bytes=max(settings.camera_in_flight_bytes, settings.camera_body_bytes),
        per_device_bytes=_SHARE_OF_ONE * settings.camera_body_bytes,
        body_s=settings.camera_body_s,
    )
    return Receiver(
        system=system,
        known=KnownCameras(system),
        gate=DigestGate(realm=_REALM, algorithm=settings.camera_digest),
        inbox=Inbox(append),
        hearing=Hearing(system.db),
        in_flight=InFlight(limits),
    )


def header(scope: Scope, name: bytes) -> str:
    """The last header of a name; an empty text where there is none."""
    found = b""
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return found.decode("latin-1")


def content_type(scope: Scope) -> str:
    """What the body is said to be."""
    return header(scope, b"content-type")[:_TEXT_LONGEST]


def address_of(scope: Scope) -> str:
    """Where the request came from."""
    client = scope.get("client")
    return client[0] if client else ""


def raw_path(scope: Scope) -> str:
    """The path as the device wrote it, which is what it signed."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")


def device_in_header(scope: Scope) -> str:
    """The device that a request names: by User-Identify, or as the user of its digest."""
    named = header(scope, b"user-identify").strip()
    if not named:
        credentials = read_credentials(header(scope, b"authorization"))
        named = "" if credentials is None else credentials.username
    return named if is_device_id(named) else ""


def is_device_id(text: str) -> bool:
    """Twenty digits."""
    return len(text) == _DEVICE_DIGITS and text.isascii() and text.isdigit()


async def say(send: Send, status: int, body: bytes, *, kind: str, headers: Mapping[str, str] | None = None) -> None:
    """Send an answer."""
    lines = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
