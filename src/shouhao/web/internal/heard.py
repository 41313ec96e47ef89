"""Heard: signs of life of cameras and what their clocks say, gathered and told to the register every few seconds.

A capture tells the device's clock against ours: the smallest delays are those of its freshest captures, and a flush of
old ones is dropped by the median. What cannot be told now is told with the next; what is lost with the process is
heard again in a minute.
"""

import asyncio
from dataclasses import dataclass, field
from statistics import median

import structlog
from sqlalchemy.exc import SQLAlchemyError

from shouhao.kernel.errors import Unavailable
from shouhao.store.engine import Database
from shouhao.watch.cameras import HeardKind
from shouhao.watch.store.cameras import note_heard

_EVERY_S = 3.0
_OFFSETS_MOST = 64

_log = structlog.get_logger()


@dataclass(slots=True)
class _Heard:
    at_us: int = 0
    count: int = 0
    offsets_us: list[int] = field(default_factory=list)


class Hearing:
    """Gathers until it is told. Noting belongs to the event loop, telling to a thread of its own."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._heard: dict[tuple[str, HeardKind], _Heard] = {}

    def note(
        self, camera_id: str, what: HeardKind, *, at_us: int, device_times_us: tuple[int, ...] = (), count: int = 1
    ) -> None:
        """Something was heard of a camera, and what its clock said in it."""
        heard = self._heard.setdefault((camera_id, what), _Heard())
        heard.at_us = max(heard.at_us, at_us)
        heard.count += count
        if device_times_us and len(heard.offsets_us) < _OFFSETS_MOST:
            heard.offsets_us.append(max(device_times_us) - at_us)  # of several, the freshest says most

    async def keep_telling(self) -> None:
        """Tell again and again, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what was gathered."""
        heard, self._heard = self._heard, {}
        if not heard:
            return
        try:
            await asyncio.to_thread(self._write, heard)
        except (SQLAlchemyError, Unavailable) as error:
            _log.warning("heard_not_told", error=type(error).__name__)
            for key, older in heard.items():
                newer = self._heard.setdefault(key, _Heard())
                newer.at_us, newer.count = max(newer.at_us, older.at_us), newer.count + older.count
                newer.offsets_us = [*older.offsets_us, *newer.offsets_us][:_OFFSETS_MOST]

    def _write(self, heard: dict[tuple[str, HeardKind], _Heard]) -> None:
        with self._db.write() as connection:
            for (camera_id, what), one in sorted(heard.items()):
                offset = round(median(one.offsets_us)) if one.offsets_us else None
                note_heard(connection, camera_id, at_us=one.at_us, what=what, clock_offset_us=offset, count=one.count)
