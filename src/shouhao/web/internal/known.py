"""Known cameras, and whether the law lets us take captures: what the database says, a moment old, without asking it.

Captures come in faster than anybody registers cameras, so both are read once every two seconds. When they cannot be
read for a while nothing is known any more, and captures are asked to come again: a switch that cannot be read is not
taken to be on, nor the captures to be unwanted.
"""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shouhao.compliance.store import standing
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.watch.cameras import SEALED_PASSWORD, Camera
from shouhao.watch.store.cameras import list_cameras
from shouhao.wiring import System

_EVERY_S = 2.0
_GOOD_S = 30.0  #: so long what was read last is believed
_ASK_AGAIN_S = 0.5  #: a device that nobody knows makes us look at most as often
_KEY_BYTES = 18

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One camera, with its password open in memory."""

    camera: Camera
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    by_device: Mapping[str, Known]
    watchlist_on: bool
    read_at_s: float  #: monotonic: a clock that is set back must not make old news fresh


class KnownCameras:
    """Keeps the register at hand while the receiver serves."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._page = _Page(by_device={}, watchlist_on=False, read_at_s=-_GOOD_S)
        self._opened: dict[str, str | None] = {}
        self._push_key = system.vault.derive("camera-push", 32)
        self._looking = asyncio.Lock()
        self._tried_at_s = -_EVERY_S

    async def begin(self) -> None:
        """Read for the first time; where that fails, nothing is known until `keep_current` has read."""
        await self._look()

    async def keep_current(self) -> None:
        """Read again and again, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._look()

    async def find(self, device_id: str) -> Known | None:
        """The camera of a device id, as it was a moment ago; one that is new is looked up at once.

        Raises:
            Unavailable: the database has not answered for a while.
        """
        found = self._page.by_device.get(device_id)
        if found is None and device_id:
            await self._look(least_s=_ASK_AGAIN_S)
        return self._current().by_device.get(device_id)

    def watchlist_on(self) -> bool:
        """Whether captures may be compared at all.

        Raises:
            Unavailable: it is not known.
        """
        return self._current().watchlist_on

    def push_key(self, known: Known) -> str:
        """What stands in the address that a device is told to push to, where it can prove itself in no other way.

        It ends with the camera's password: who changes that must configure the device anew.
        """
        return push_key(self._push_key, known.camera.device_id, known.password)

    def _current(self) -> _Page:
        page = self._page
        if time.monotonic() - page.read_at_s > _GOOD_S:
            raise Unavailable("cameras", retry_after_s=5.0)
        return page

    async def _look(self, *, least_s: float = 0.0) -> None:
        async with self._looking:
            if time.monotonic() - self._tried_at_s < least_s:
                return
            self._tried_at_s = time.monotonic()
            try:
                self._page = await asyncio.to_thread(self._read)
            except (SQLAlchemyError, Unavailable) as error:
                _log.warning("cameras_not_read", error=type(error).__name__)

    def _read(self) -> _Page:
        read_at_s, now_us = time.monotonic(), self._system.clock.now_us()
        with self._system.db.read() as connection:
            listed = list_cameras(connection)
            on = standing(connection, "watchlist", now_us=now_us).on
        known = {
            camera.device_id: Known(camera=camera, password=self._password(camera))
            for camera in listed
            if camera.state != "off"
        }
        return _Page(by_device=known, watchlist_on=on, read_at_s=read_at_s)

    def _password(self, camera: Camera) -> str | None:
        sealed = camera.sealed_password
        if sealed is None:
            return None
        if sealed not in self._opened:
            self._opened[sealed] = None  # what does not open lets nobody in
            try:
                self._opened[sealed] = self._system.vault.open(sealed, purpose=SEALED_PASSWORD)
            except Tampered:  # told, and the camera stays outside
                _log.error("camera_password_tampered", camera_id=camera.id)
        return self._opened[sealed]


def push_key(key: bytes, device_id: str, password: str | None) -> str:
    """The part of an address that only one device is told."""
    told = f"{device_id}\0{password or ''}".encode()
    return hmac.new(key, told, hashlib.sha256).hexdigest()[: 2 * _KEY_BYTES]


def same_key(given: str, right: str) -> bool:
    """Whether a key is the right one, in the time that any takes; an empty right one is never the same."""
    return hmac.compare_digest(given.encode(), right.encode()) and bool(right)


async def stopped(task: "asyncio.Task[None]") -> None:
    """Cancel a task of ours and wait until it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
