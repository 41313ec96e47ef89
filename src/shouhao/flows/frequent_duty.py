"""The duty beside the counting: what has left the window is forgotten, and leads are checked before anybody looks.

The worker does both, whether or not captures are looked at, so that nothing outlives its day because a process stands
still. Counting itself is in frequent.py.
"""

from collections.abc import Generator, Iterator, Sequence
from datetime import date

import numpy as np
import structlog
from numpy.typing import NDArray

from shouhao.faces.model import Embedding
from shouhao.flows.frequent import FrequentParts, new_salt, window_days
from shouhao.kernel.clock import DAY_US, SECOND_US, day_of, from_us
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.watch.frequent import Vector, turn, turn_back, turning
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import Salt, Seen

_log = structlog.get_logger()

_CHECKS_AT_ONCE = 50  #: each takes some milliseconds
_CHECK_EVERY_S = 60.0
_NIGHT = range(2, 5)  #: hours in which nobody books


class FrequentDuty:
    """What the worker does for it: forgets what has left the window, and checks leads a little at a time.

    Checking one lead may take thousands of comparisons, and releases wait for the same worker; so it goes on where it
    ended at its next turn. After a restart it begins anew.
    """

    def __init__(self, parts: FrequentParts) -> None:
        self._parts = parts
        self._checking: Iterator[int] | None = None
        self._next_check_us = 0

    def __call__(self, now_us: int) -> int:
        """Do some of what is due; how much."""
        done = frequent_due(self._parts, now_us=now_us)
        with self._parts.db.read() as connection:
            days = window_days(connection, now_us=now_us)
        if days == 0:
            self._checking = None
            return done
        if self._checking is None and now_us < self._next_check_us:
            return done
        checking = self._checking or _check_leads(self._parts, now_us=now_us)
        self._checking = checking
        for _ in range(_CHECKS_AT_ONCE):
            found = next(checking, None)
            if found is None:
                self._checking = None
                self._next_check_us = now_us + round(_CHECK_EVERY_S * SECOND_US)
                break
            done += found
        return done


def frequent_due(parts: FrequentParts, *, now_us: int) -> int:
    """Forget what has left the window, or everything when the switch is off; how much was done."""
    with parts.db.read() as connection:
        days = window_days(connection, now_us=now_us)
        anything = bool(store.live_days(connection)) or bool(parts.keys.names())
    if not anything:
        return 0
    first = day_of(now_us).toordinal() - days + 1
    with parts.db.write() as connection:
        if days == 0:
            return len(store.purge_all(connection, parts.keys, now_us=now_us))
        gone = store.purge(connection, parts.keys, before_day=first, now_us=now_us)
    return len(gone) + _turn_anew(parts, days=days, now_us=now_us)


def _turn_anew(parts: FrequentParts, *, days: int, now_us: int) -> int:
    """Give the window another secret when the old one is as old as the window, and erase the old one."""
    with parts.db.write() as connection:
        old = store.find_salt(connection, parts.keys, lock=True)
        if old is None or not _is_over(old, days=days, now_us=now_us):
            store.erase_salts(connection, parts.keys)
            return 0
        new = new_salt(parts.randomness, old.pack, old.dims, now_us)
        before, after = turning(old.secret, old.dims), turning(new.secret, old.dims)
        turned = [
            (visit, _turned(seen, before, after))
            for visit, seen in store.read_visits(connection, parts.keys, salt_id=old.id)
        ]
        store.put_salt(connection, parts.keys, new)
        store.reseal_visits(connection, parts.keys, turned, salt_id=new.id)
    with parts.db.read() as connection:  # after the commit: until then the old one opens what is there
        store.erase_salts(connection, parts.keys)
    return 1


def _turned(seen: Seen, before: NDArray[np.float64], after: NDArray[np.float64]) -> Seen:
    face = turn_back(before, store.vector_of(seen)[None])[0]
    vector = store.packed_vector(turn(after, face))
    return Seen(at_us=seen.at_us, camera_id=seen.camera_id, near=seen.near, vector=vector)


def _is_over(salt: Salt, *, days: int, now_us: int) -> bool:
    """It is as old as the window; or it will be before the next night, and this is one: turning takes a while."""
    age_us = now_us - salt.made_at_us
    at_night = from_us(now_us).hour in _NIGHT
    return age_us >= days * DAY_US or (at_night and age_us >= max((days - 1) * DAY_US, DAY_US // 2))


def _check_leads(parts: FrequentParts, *, now_us: int) -> Iterator[int]:
    """Leave out whom the hospital knows to belong there; a lead that cannot be checked waits, and nobody sees it.

    Yields:
        After each comparison nought, and one for each lead that was decided.
    """
    with parts.db.read() as connection:
        to_check = store.list_leads(connection, "checking")
    for lead in to_check:
        try:
            left_out = yield from _is_left_out(parts, lead.id)
            state: store.LeadState = "dismissed" if left_out else "waiting"
            with parts.db.write() as connection:
                store.set_lead(connection, lead.id, state, after={"checking"}, now_us=now_us)
        except (Refused, Unavailable) as error:
            _log.warning("frequent_lead_not_checked", lead_id=lead.id, error=type(error).__name__)
            continue
        yield 1


def _is_left_out(parts: FrequentParts, lead_id: str) -> Generator[int, None, bool]:
    with parts.db.read() as connection:
        salt = store.find_salt(connection, parts.keys)
        ids = store.visits_of_lead(connection, parts.keys, lead_id)
        found = store.find_visits(connection, parts.keys, ids)
    if salt is None or not found:
        return True  # nothing of it opens any more
    faces = turn_back(turning(salt.secret, salt.dims), np.stack([store.vector_of(seen) for _, seen in found]))
    for known in parts.excludes.staff(salt.pack):
        if float((faces @ known).max()) >= parts.rules.same_cos:
            return True
        yield 0
    left = 0
    for day, seen in _by_day([visit.day for visit, _ in found], faces).items():
        patients = parts.excludes.patients_on(date.fromordinal(day))
        for patient_id in patients:
            if parts.excludes.is_patient(patient_id, seen, pack=salt.pack):
                break
            yield 0
        else:
            left += 1
    return left <= parts.rules.days_more_than


def _by_day(days: Sequence[int], faces: Vector) -> dict[int, list[Embedding]]:
    grouped: dict[int, list[Embedding]] = {}
    for day, face in zip(days, faces, strict=True):
        grouped.setdefault(day, []).append(face)
    return grouped
