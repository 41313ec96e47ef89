"""Who comes too often: passers-by who matched nobody are counted without identity; leads are checked before a look.

The capture worker tells of each passage that matched nobody. While the switch is off, nothing of it is even copied.
While it is on, its face is turned by the window's secret, compared with those of the last days, and kept sealed under
the key of its day; that key dies when the day leaves the window. A group on more days than the rules allow becomes a
lead. The worker holds it against staff who gave a photograph and against consenting patients who had an appointment on
those days, and only what is left waits for people, two of whom must open it (frequent_leads.py).

What cannot be left out is said in docs/concepts/law.md: staff without a photograph, patients without a consented one,
people who accompany a patient, and everybody whose work brings them to the windows.
"""

import queue
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from shouhao.compliance.records import MOST_WINDOW_DAYS, ImpactAssessment
from shouhao.compliance.store import newest_records, standing
from shouhao.faces.model import Embedding
from shouhao.faces.passages import best_shots, fuse
from shouhao.kernel.clock import SECOND_US, Clock, day_of
from shouhao.kernel.errors import Unavailable
from shouhao.kernel.ids import new_id
from shouhao.kernel.randomness import Randomness
from shouhao.store.engine import Database
from shouhao.watch.cameras import Camera
from shouhao.watch.frequent import ZONES, Counted, FrequentRules, Visits, turn, turning
from shouhao.watch.passages import Passage
from shouhao.watch.store import frequent as store
from shouhao.watch.store.frequent import Salt, Seen, WindowKeys

_log = structlog.get_logger()

_SECRET_BYTES = 32
_STILL_MOST_BYTES = 512 * 1024
_IDLE_S = 10.0  #: without a passage, until the switch is looked at anyway


class SaltChanged(Exception):  # noqa: N818 - no error: what is in memory is read anew
    """The window's salt is another one than the counter has in memory."""


class Excludes:
    """Who is left out before anybody looks; this one knows nobody, so that nothing is left out unseen."""

    def staff(self, pack: str) -> Iterable[Embedding]:  # noqa: ARG002 - the shape of the port
        """Faces of staff who gave a photograph of themselves."""
        return ()

    def patients_on(self, day: date) -> Sequence[str]:  # noqa: ARG002 - as above
        """Patients who had an appointment on that day."""
        return ()

    def is_patient(self, patient_id: str, faces: Sequence[Embedding], *, pack: str) -> bool:  # noqa: ARG002 - as above
        """Whether one of these faces is this patient's, who consented to a template; nobody else's is looked at."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequentParts:
    """What counting works with."""

    db: Database
    clock: Clock
    randomness: Randomness
    keys: WindowKeys
    rules: FrequentRules = field(default_factory=FrequentRules)
    excludes: Excludes = field(default_factory=Excludes)
    refresh_every_s: float = 3.0


def window_days(connection: Connection, *, now_us: int) -> int:
    """Over how many days visits may be counted now: what the assessment allows; nought while the switch is off."""
    if not standing(connection, "frequent_visitors", now_us=now_us).on:
        return 0
    record = newest_records(connection, "frequent_visitors").get("impact_assessment")
    allowed = record.body.window_days if record is not None and isinstance(record.body, ImpactAssessment) else 0
    return min(allowed, MOST_WINDOW_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Passed:
    """What is taken of a passage, to be counted; its face is overwritten then."""

    camera_id: str
    face: Embedding
    pack: str
    at_us: int
    crop: bytes | None


class FrequentCounter:
    """Counts passages that matched nobody; one process does, the one that looks at captures.

    Args:
        waiting_most: so many may wait for a thread of its own, and whoever comes then is not counted: comparing with a
            hundred thousand visits takes a twentieth of a second, and no alarm waits for that. Nought: count at once.
    """

    def __init__(self, parts: FrequentParts, *, waiting_most: int = 0) -> None:
        self._parts = parts
        self._lock = threading.Lock()  #: around everything below
        self._days = 0  #: of the window; nought while the switch is off
        self._next_look_us = 0
        self._salt: Salt | None = None
        self._matrix: NDArray[np.float64] | None = None
        self._visits: Visits | None = None
        self._lead_of: dict[str, str] = {}  #: by visit
        self._on = False  #: as it was seen last, for whoever must not wait for the lock
        self._next_ask_us = 0
        self._waiting: queue.Queue[_Passed | None] | None = queue.Queue(waiting_most) if waiting_most else None
        self._thread: threading.Thread | None = None

    def unmatched(self, camera: Camera, passage: Passage) -> None:
        """Count a passage; nothing that is given is kept, and nothing is copied while the switch is off."""
        if camera.zone not in ZONES or passage.best.quality < self._parts.rules.least_quality or not self._is_on():
            return
        faces = [shot.what.face for shot in passage.shots]
        passed = _Passed(
            camera_id=camera.id,
            face=np.array(fuse(best_shots(faces)), np.float32),  # a copy: the worker overwrites its own
            pack=faces[0].pack,
            at_us=passage.best.at_us,
            crop=passage.best.what.crop,
        )
        if self._waiting is None:
            self._take(passed)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="frequent", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(passed)
        except queue.Full:
            passed.face.fill(0)
            _log.warning("frequent_visit_not_counted", waiting=self._waiting.maxsize)

    def wait(self) -> None:
        """Until all that waits is counted."""
        if self._waiting is not None:
            self._waiting.join()

    def _is_on(self) -> bool:
        now_us = self._parts.clock.now_us()
        if now_us >= self._next_ask_us:
            with self._parts.db.read() as connection:
                self._on = window_days(connection, now_us=now_us) > 0
            self._next_ask_us = now_us + round(self._parts.refresh_every_s * SECOND_US)
            if not self._on and self._visits is not None:
                self._let_go()
        return self._on

    def _let_go(self) -> None:
        """Leave nothing in memory, on the thread that works with it."""
        if self._waiting is None:
            with self._lock:
                self._forget()
            return
        with suppress(queue.Full):  # then it is tried again at the next look
            self._waiting.put_nowait(None)

    def _run(self) -> None:
        waiting = self._waiting
        while waiting is not None:
            try:
                passed = waiting.get(timeout=_IDLE_S)
            except queue.Empty:
                self._see_to_switch()
                continue
            try:
                if passed is not None:
                    self._take(passed)
                else:
                    with self._lock:
                        self._forget()
            except Exception as error:  # noqa: BLE001 - one that cannot be counted must not end the counting
                _log.error("frequent_visit_failed", error=type(error).__name__)
            finally:
                waiting.task_done()

    def _see_to_switch(self) -> None:
        """Nobody passes: the switch may have gone off, or days have left the window, and memory must follow."""
        with self._lock, suppress(Unavailable):
            self._look_at_switch(self._parts.clock.now_us())

    def _take(self, passed: _Passed) -> None:
        now_us = self._parts.clock.now_us()
        with self._lock:
            try:
                self._look_at_switch(now_us)
                today, day = day_of(now_us).toordinal(), day_of(passed.at_us).toordinal()
                if not today - self._days < day <= today:
                    return  # off by now, or it came so late that its day is over
                try:
                    self._count(passed, day=day, now_us=now_us)
                except SaltChanged:
                    self._forget()
                    self._count(passed, day=day, now_us=now_us)
            except BaseException:
                self._forget()  # memory must not be ahead of what is stored
                raise
            finally:
                passed.face.fill(0)

    def _look_at_switch(self, now_us: int) -> None:
        if now_us < self._next_look_us:
            return
        with self._parts.db.read() as connection:
            self._days = window_days(connection, now_us=now_us)
            live = set(store.live_days(connection))
            salt = store.find_salt(connection, self._parts.keys)
        if self._days == 0 or self._salt is None or salt is None or salt.id != self._salt.id:
            self._forget()
        elif self._visits is not None:
            self._visits.drop(set(self._visits.days()) - live)
        self._next_look_us = now_us + round(self._parts.refresh_every_s * SECOND_US)

    def _count(self, passed: _Passed, *, day: int, now_us: int) -> None:
        visits, salt, matrix = self._window(passed.pack, len(passed.face), now_us)
        turned = turn(matrix, passed.face)
        counted = visits.count(new_id("fv"), turned, day=day, at_us=passed.at_us)
        if counted.visit is None:
            return
        vector = store.packed_vector(turned)
        seen = Seen(at_us=passed.at_us, camera_id=passed.camera_id, near=counted.near, vector=vector)
        with self._parts.db.write() as connection:
            self._check_salt(connection, salt)
            sealer = store.open_day(connection, self._parts.keys, day, now_us=now_us)
            store.add_visit(connection, sealer, counted.visit, seen=seen, salt_id=salt.id)
            if counted.is_lead(self._parts.rules):
                self._lead(connection, counted, crop=passed.crop, day=day, now_us=now_us)

    def _lead(self, connection: Connection, counted: Counted, *, crop: bytes | None, day: int, now_us: int) -> None:
        """Raise a lead, or add to the one that is there; a picture of each day on which it is one."""
        keys, ids = self._parts.keys, [visit.id for visit in counted.group]
        known = {self._lead_of[visit_id] for visit_id in ids if visit_id in self._lead_of}
        there = [lead for lead in store.find_leads(connection, known) if keys.find(store.day_key(lead.day)) is not None]
        if there:
            lead = there[0]
            lead_id = lead.id
            sealer = keys.make(store.day_key(lead.day))
            store.extend_lead(connection, sealer, lead_id, visit_ids=ids, days_seen=counted.days, now_us=now_us)
        else:
            sealer = store.open_day(connection, keys, day, now_us=now_us)
            lead_id = store.raise_lead(
                connection, sealer, day=day, visit_ids=ids, days_seen=counted.days, now_us=now_us
            )
        for visit_id in ids:
            self._lead_of[visit_id] = lead_id
        if crop is not None and len(crop) <= _STILL_MOST_BYTES and (not there or there[0].state != "dismissed"):
            sealer = store.open_day(connection, keys, day, now_us=now_us)
            store.add_still(connection, sealer, lead_id, day=day, picture=bytes(crop))

    def _check_salt(self, connection: Connection, salt: Salt) -> None:
        current = store.find_salt(connection, self._parts.keys, lock=True)
        if current is None or current.id != salt.id:
            raise SaltChanged

    def _window(self, pack: str, dims: int, now_us: int) -> tuple[Visits, Salt, NDArray[np.float64]]:
        """The window in memory, read when it is needed; faces of another pack are another window."""
        if self._visits is None or self._salt is None or self._matrix is None or self._salt.pack != pack:
            self._forget()
            salt = self._open_salt(pack, dims, now_us)
            self._salt, self._matrix = salt, turning(salt.secret, dims)
            self._visits = Visits(self._parts.rules, dims=dims)
            with self._parts.db.read() as connection:
                for visit, seen in store.read_visits(connection, self._parts.keys, salt_id=salt.id):
                    self._visits.restore(visit, store.vector_of(seen), seen.near)
                for lead in store.list_leads(connection, "checking", "waiting", "opened", "dismissed"):
                    for visit_id in store.visits_of_lead(connection, self._parts.keys, lead.id):
                        self._lead_of[visit_id] = lead.id
        return self._visits, self._salt, self._matrix

    def _open_salt(self, pack: str, dims: int, now_us: int) -> Salt:
        keys = self._parts.keys
        with self._parts.db.write() as connection:
            salt = store.find_salt(connection, keys, lock=True)
            if salt is not None and (salt.pack, salt.dims) == (pack, dims):
                return salt
            store.purge_all(connection, keys, now_us=now_us)
            salt = new_salt(self._parts.randomness, pack, dims, now_us)
            store.put_salt(connection, keys, salt)
        return salt

    def _forget(self) -> None:
        if self._visits is not None:
            self._visits.drop_all()
        self._visits = self._salt = self._matrix = None
        self._lead_of = {}


def new_salt(randomness: Randomness, pack: str, dims: int, now_us: int) -> Salt:
    """A secret that nobody knew before."""
    secret = randomness.token(_SECRET_BYTES)
    return Salt(id=new_id("fs"), pack=pack, dims=dims, secret=secret, made_at_us=now_us)
