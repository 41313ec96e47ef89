"""Capture: from what cameras sent to sightings of people on the watchlist, and from those to alarms.

The worker reads the spool, looks for faces, puts them into passages, and holds each passage against the list as soon
as a shot of it is in. What came of the arrivals and how far they were read is one transaction: after a crash all of
them have their effect, in order, once. The arrivals of passages that were still open are then read again without
effect, so that later shots are fused with those before the crash.

Faces that matched nobody end here: nothing is written of them but a number of the day, and their memory is overwritten
when their passage closes (invariant 6). While the switch is off, arrivals are not even opened. How a face is found is
in look_at_captures.py, what is written in keep_captures.py.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import structlog
from sqlalchemy import Connection

from shouhao.compliance.store import standing
from shouhao.faces import store as face_store
from shouhao.flows.keep_captures import Gathered, keep
from shouhao.flows.look_at_captures import LookedAt, LooksForFaces, look_at
from shouhao.flows.match_passages import PassageMatcher, SearchesWatchlist, wipe
from shouhao.kernel.clock import SECOND_US, Clock
from shouhao.kernel.errors import NotFound, Refused, Tampered, Unavailable
from shouhao.store.engine import Database
from shouhao.store.vault import Sealer
from shouhao.watch.cameras import Camera
from shouhao.watch.model import Reader, Source
from shouhao.watch.passages import Passage, PassageRules
from shouhao.watch.shot_times import TimeRules
from shouhao.watch.spool_format import Place
from shouhao.watch.spool_reader import Position, Spooled, SpoolReader
from shouhao.watch.store import captures
from shouhao.watch.store.cameras import list_cameras
from shouhao.watch.store.captures import Trouble
from shouhao.watch.store.lists import shadow_band
from shouhao.watch.store.stills import StillFolder, forget_unfrozen

_log = structlog.get_logger()

_MARGIN_US = SECOND_US  #: an arrival may reach its spool so long after its time was taken


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """How the worker goes about it."""

    batch_most: int = 16  #: arrivals looked at together
    poll_s: float = 0.02  #: between two looks into an empty spool
    keep_every_s: float = 1.0  #: counts and positions are written so often; a sighting at once
    refresh_every_s: float = 3.0  #: switch, cameras, and the list where the event log tells of a change
    refresh_whole_every_s: float = 60.0  #: the list, whatever is told: 100,000 ids are read for it
    hurries_from: int = 4  #: arrivals that wait, from which on faces are seen in one view
    retry_s: float = 0.5  #: after a failure
    times: TimeRules = field(default_factory=TimeRules)
    passages: PassageRules = field(default_factory=lambda: PassageRules(same_cos=1.0))  #: likeness is the lists'


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedList:
    """Everybody on the watchlist in memory, and what finds faces to hold against them."""

    gallery: SearchesWatchlist
    engines: Mapping[str, LooksForFaces]  #: by pack id
    pack: str  #: that is looked with while the gallery has none
    close: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureParts:
    """What the worker works with."""

    db: Database
    clock: Clock
    spool_folder: Path
    spool_sealer: Sealer
    readers: Mapping[Source, Reader]
    stills: StillFolder
    open_list: Callable[[], OpenedList]  #: called when the switch is on, and again after it was off
    is_on: Callable[[Connection, int], bool] = lambda connection, now_us: (
        standing(connection, "watchlist", now_us=now_us).on
    )
    #: Told of each passage that matched nobody, when it has closed; it keeps no reference to what it is given.
    unmatched: Callable[[Camera, Passage], None] | None = None


@dataclass(slots=True, kw_only=True)
class _Known:
    """What is read anew every few seconds."""

    on: bool = False
    cameras: dict[str, Camera] = field(default_factory=dict)  #: by device
    engine: LooksForFaces | None = None
    bands_cos: dict[str, float] = field(default_factory=dict)  #: by list, how far below its threshold is counted


class CaptureWorker:
    """Works off the spool until it is told to stop. One at a time."""

    def __init__(self, parts: CaptureParts, settings: CaptureSettings | None = None) -> None:
        self._parts, self._settings = parts, settings or CaptureSettings()
        self._matcher = PassageMatcher(self._settings.passages)
        self._list: OpenedList | None = None
        self._known = _Known()
        self._gathered = Gathered()
        self._reader: SpoolReader | None = None
        self._reached: dict[str, Position] = {}  #: as committed
        self._done: dict[str, Place] = {}  #: as read
        self._waiting: list[Spooled] = []  #: read, and not looked at yet
        self._behind = False  #: what is gathered could not be written yet
        self._again = True  #: what is read had its effect before this process began
        self._gallery_seq = 0  #: of the event log, up to which its changes are in memory
        self._next_refresh_us = self._next_whole_us = self._next_keep_us = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Work on a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, write it, and stop."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            pause_s = self._settings.retry_s
            try:
                pause_s = 0.0 if self.look() else self._settings.poll_s
            except Unavailable as error:
                _log.warning("captures_wait", what=error.what)
                pause_s = error.retry_after_s
            except Exception:  # noqa: BLE001 - the spool keeps what was not worked off, and the next look begins there
                _log.exception("captures_failed")
            self._stopping.wait(pause_s)
        self.close()

    def close(self) -> None:
        """Write what is gathered, and forget all faces; passages that are open are found again at the next start."""
        with suppress(Unavailable):
            if self._reader is not None:
                self._keep()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._matcher.drop_all()
        self._close_list()

    def look(self) -> int:
        """Work off some of what is there; how many arrivals.

        Raises:
            Unavailable: the database or the engine is away, or another worker reads; the same is tried again.
        """
        now_us = self._parts.clock.now_us()
        if self._reader is None:
            self._begin(now_us)
        if now_us >= self._next_refresh_us:
            self._refresh(now_us)
        if not self._known.on:
            return self._pass_by(now_us)
        if self._behind:
            self._keep()
        reader = self._opened()
        items = self._waiting or reader.read(most=self._settings.batch_most)
        self._waiting = items
        if items:
            self._work_off(items)
            self._waiting = []
        elif self._again:
            self._catch_up()
        else:
            self._matcher.sweep(now_us - _MARGIN_US, self._gathered)
        if self._gathered.raises or now_us >= self._next_keep_us:
            self._keep()
        return len(items)

    def _begin(self, now_us: int) -> None:
        # Locked first: another worker may have moved the positions until then.
        reader = SpoolReader(self._parts.spool_folder, self._parts.spool_sealer)
        try:
            with self._parts.db.read() as connection:
                self._reached = captures.positions(connection)
                self._matcher.swept_to_us = captures.swept_to_us(connection)
                forget_unfrozen(connection, self._parts.stills, now_us=now_us)
        except BaseException:
            reader.close()
            raise
        reader.positions = self._reached
        self._done = {writer: position.done for writer, position in self._reached.items()}
        self._again = bool(self._reached)
        self._reader = reader

    def _opened(self) -> SpoolReader:
        if self._reader is None:
            raise Unavailable("spool")
        return self._reader

    def _refresh(self, now_us: int) -> None:
        """See what others changed: the switch, cameras, the list and its thresholds."""
        parts = self._parts
        with parts.db.read() as connection:
            on = parts.is_on(connection, now_us)
        if on != self._known.on:
            _log.info("watch_switched", on=on)
        if not on:
            self._known = _Known()
            self._close_list()
        else:
            self._see(self._opened_list(), now_us)
        self._next_refresh_us = now_us + round(self._settings.refresh_every_s * SECOND_US)

    def _see(self, listed: OpenedList, now_us: int) -> None:
        with self._parts.db.read() as connection:
            changed, self._gallery_seq = captures.gallery_changed(connection, after_seq=self._gallery_seq)
        if changed or now_us >= self._next_whole_us:
            try:
                listed.gallery.refresh()
            except Tampered:
                _log.error("watchlist_tampered")  # an alarm; what is in memory is still the list
            self._next_whole_us = now_us + round(self._settings.refresh_whole_every_s * SECOND_US)
        with self._parts.db.read() as connection:
            packs = face_store.packs_in_use(connection, "watchlist").values()
            pack = next((use.pack for use in packs if use.state == "live"), listed.pack)
            thresholds = face_store.thresholds_for(connection, "watchlist", pack)
            known = _Known(
                on=True,
                cameras={camera.device_id: camera for camera in list_cameras(connection)},
                engine=listed.engines[pack],
                bands_cos={list_id: _band(connection, list_id) for list_id in thresholds},
            )
        if self._known.engine is not None and self._known.engine is not known.engine:
            self._matcher.end_all(self._gathered)
        self._known, self._matcher.bands_cos = known, known.bands_cos
        if thresholds:
            passages = self._matcher.passages
            passages.rules = replace(passages.rules, same_cos=min(thresholds.values()))

    def _opened_list(self) -> OpenedList:
        """The list, opened when the switch has been turned on."""
        if self._list is None:
            try:
                self._list = self._parts.open_list()
            except Refused as refusal:  # models are missing, or are others
                _log.error("watch_cannot_begin", refusal=refusal.code, **refusal.data)
                raise Unavailable("face models", retry_after_s=5.0) from refusal
            self._matcher.gallery = self._list.gallery
            self._next_whole_us = 0
            _log.info("watch_list_opened", pack=self._list.pack)
        return self._list

    def _close_list(self) -> None:
        """Take the list out of memory."""
        self._matcher.gallery = None
        if self._list is not None:
            listed, self._list = self._list, None
            listed.close()

    def _pass_by(self, now_us: int) -> int:
        """Let go of everything unread: nothing is compared while the switch is off."""
        self._gathered.raises.clear()
        while self._gathered.closed:
            wipe(self._gathered.closed.pop())
        self._matcher.drop_all()
        items = self._waiting + self._opened().read(most=1_000, unread=True)
        self._waiting, self._again = [], False
        self._note_read(items)
        if items or now_us >= self._next_keep_us:
            self._keep()
        return len(items)

    def _work_off(self, items: Sequence[Spooled]) -> None:
        again = [item for item in items if item.again]
        new = [item for item in items if not item.again]
        if again:
            without_effect = Gathered()
            self._matcher.take(self._look_at(again), without_effect)
            for passage in without_effect.closed:
                wipe(passage)
        if new and self._again:
            self._catch_up()
        if new:
            self._matcher.take(self._look_at(new), self._gathered)
        self._note_read(items)

    def _look_at(self, items: Sequence[Spooled]) -> LookedAt:
        """Look at these; when that fails, at each alone, so that one that cannot be looked at stops no other."""
        try:
            return self._look_at_all(items)
        except Exception as error:  # noqa: BLE001 - whatever a decoder or a runtime raises
            _log.error("capture_batch_failed", error=type(error).__name__)
        together = LookedAt()
        for item in items:
            try:
                one = self._look_at_all([item])
            except Exception as error:  # noqa: BLE001 - as above
                self._check_engine()
                _log.error("capture_failed", writer=item.writer, error=type(error).__name__)
                if item.arrival is not None:
                    told = Trouble(
                        device_id=item.arrival.device_id,
                        source=item.arrival.source,
                        place="body",
                        why_zh="处理时出错",
                        why_en="looking at it failed",
                    )
                    together.troubles.append((item, told))
                continue
            together.shots += one.shots
            together.repeated += one.repeated
            together.troubles += one.troubles
        return together

    def _look_at_all(self, items: Sequence[Spooled]) -> LookedAt:
        return look_at(
            items,
            cameras=self._known.cameras,
            readers=self._parts.readers,
            engine=self._engine(),
            passages=self._matcher.passages,
            times=self._settings.times,
            hurried=len(items) >= self._settings.hurries_from,
        )

    def _engine(self) -> LooksForFaces:
        if self._known.engine is None:
            raise Unavailable("face engine")
        return self._known.engine

    def _check_engine(self) -> None:
        """Tell an arrival that breaks the engine from an engine that is broken: then the spool waits."""
        try:
            self._engine().faces([np.zeros((64, 64, 3), np.uint8)])
        except Exception as error:
            raise Unavailable("face engine", retry_after_s=5.0) from error

    def _catch_up(self) -> None:
        """What had its effect before was read again: close what was closed then, without effect."""
        self._again = False
        for passage in self._matcher.passages.close(now_us=self._matcher.swept_to_us):
            wipe(passage)

    def _note_read(self, items: Sequence[Spooled]) -> None:
        for item in items:
            self._done[item.writer] = max(item.end, self._done.get(item.writer, item.end))

    def _positions(self) -> dict[str, Position]:
        starts = self._matcher.starts()
        return {
            writer: Position(done=done, kept=min(done, starts.get(writer, done))) for writer, done in self._done.items()
        }

    def _keep(self) -> None:
        """Write what is gathered; until that is done nothing more is read."""
        now_us = self._parts.clock.now_us()
        self._behind = True
        reached, gathered = self._positions(), self._gathered
        if reached != self._reached or gathered != Gathered():
            with self._parts.db.write() as connection:
                kept = keep(
                    connection,
                    gathered,
                    self._parts.stills,
                    reached=reached,
                    swept_to_us=self._matcher.swept_to_us,
                    now_us=now_us,
                )
            self._reached, self._gathered = reached, Gathered()
            kept.settle()
            for alarm_id, new in kept.alarms:
                if new:
                    _log.info("alarm_raised", alarm_id=alarm_id)
            self._let_go(gathered.closed)
        self._behind = False
        self._next_keep_us = now_us + round(self._settings.keep_every_s * SECOND_US)
        self._opened().erase_done(self._reached, now_us=now_us)

    def _let_go(self, passages: Sequence[Passage]) -> None:
        """Tell whoever counts without identity of those who matched nobody, and overwrite their faces."""
        cameras = {camera.id: camera for camera in self._known.cameras.values()}
        for passage in passages:
            camera = cameras.get(passage.camera_id)
            if self._parts.unmatched is not None and camera is not None and not passage.matched:
                try:
                    self._parts.unmatched(camera, passage)
                except Exception as error:  # noqa: BLE001 - counting must not stop the watch
                    _log.error("unmatched_hook_failed", error=type(error).__name__)
            wipe(passage)


def _band(connection: Connection, list_id: str) -> float:
    try:
        return shadow_band(connection, list_id)
    except NotFound:
        return 0.0  # a threshold that was set by hand, without a list
