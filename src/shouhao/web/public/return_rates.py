"""Return rates: how many of a department's bookings came back lately, counted now and then for all who ask."""

import threading
from datetime import timedelta

from shouhao.booking.store.standings_of_waits import returned_shares
from shouhao.kernel.clock import MINUTE_US, day_of
from shouhao.store.engine import Database

_DAYS = 30
_GOOD_FOR_US = 10 * MINUTE_US


class ReturnRates:
    """Counts all bookings of the last days at once, and remembers that for a while: the count reads all of them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._counted_at_us: int | None = None
        self._shares: dict[str, tuple[int, int]] = {}

    def of(self, department_id: str, *, now_us: int) -> tuple[int, int]:
        """How many bookings of the last 30 days came back, and how many there were."""
        with self._lock:
            counted = self._counted_at_us
            if counted is None or not 0 <= now_us - counted < _GOOD_FOR_US:
                today = day_of(now_us)
                first, last = (today - timedelta(days=days) for days in (_DAYS, 1))
                with self._db.read() as connection:
                    self._shares = returned_shares(connection, first_day=first.isoformat(), last_day=last.isoformat())
                self._counted_at_us = now_us
            return self._shares.get(department_id, (0, 0))
