"""Looks: that somebody searched or viewed the offer is written a moment later, many at once.

A look changes nothing, so it need not be durable before the answer leaves, and a page view must never wait for the
disk while thousands look. When too many wait, looks are dropped and counted; bookings never pass here.
"""

from collections.abc import Sequence

import structlog

from shouhao.booking.desk import Desk, DeskSettings
from shouhao.kernel.errors import Unavailable
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import Database

_SETTINGS = DeskSettings(batch_max=1000, gather_ms=50.0, queue_max=20_000, lanes=1)
_log = structlog.get_logger()


class _NobodyWaits:
    """Where the answer to a look goes."""

    def set_result(self, result: None, /) -> None:
        """It is written."""

    def set_exception(self, exception: BaseException, /) -> None:
        """It is lost; the desk has logged why."""


class Looks:
    """Writes looks down in batches of their own."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._desk: Desk[Event, None] = Desk(self._write, _SETTINGS)

    def start(self) -> None:
        """Take looks from now on."""
        self._desk.start()

    def stop(self) -> None:
        """Write what waits, and take no more."""
        self._desk.stop()

    def note(self, look: Event) -> None:
        """Write this down soon."""
        try:
            self._desk.submit(look, _NobodyWaits(), lane_key="")
        except Unavailable:
            _log.warning("look_not_recorded", kind=look.kind)

    def _write(self, looks: Sequence[Event]) -> Sequence[None]:
        with self._db.write() as connection:
            event_log.append(connection, looks)
        return [None] * len(looks)
