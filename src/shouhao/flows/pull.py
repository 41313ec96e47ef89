"""Pull: streams of cameras in processes of their own, watched over; their best shots go into the spool.

Once a second: is the law's switch on, which cameras are live, does each process live, which alarms want a clip. A
process that hangs or ends is started again after a pause that grows; a camera that made it hang is pulled alone from
then on, so that it takes nobody else with it. With the switch off nothing is pulled, nor when nobody can tell for a
minute whether it is on. Reading and looking stand in pull_group.py.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlalchemy import Connection

from shouhao.compliance.store import standing
from shouhao.flows.clips import ClipKeeper
from shouhao.flows.pull_line import PullLine
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.kernel.ids import new_id
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.cameras import SEALED_STREAM, Camera
from shouhao.watch.model import Arrival
from shouhao.watch.pulling import ClipCut, PulledCamera, PullOrder, Said, Shots
from shouhao.watch.shots import SOURCE, arrival_of
from shouhao.watch.store.cameras import list_cameras, note_heard

_TICK_S = 1.0
_HEALTH_EVERY_S = 10.0
_PAUSES_S = (0.0, 1.0, 2.0, 5.0, 15.0, 60.0)  #: before a process is started again
_GOOD_AFTER_S = 120.0
_OWN_BYTES = 1024 * 1024 * 1024  #: of a process that pulls nothing yet, with room
_UNKNOWN_MOST_S = 60.0  #: without a database to ask about the switch; what was on goes on for so long
_WAITING_MOST = 512  #: arrivals that the spool did not take yet; then the oldest are lost, and counted

_log = structlog.get_logger()


class AppendsArrivals(Protocol):
    """The spool, as far as this needs it."""

    def append(self, arrivals: Sequence[Arrival]) -> None:
        """Durable when it returns.

        Raises:
            Unavailable: the disk is full.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSettings:
    """How streams are pulled."""

    models_dir: str
    pack: str
    folder: str  #: in which files and folders lie that stand in for a camera
    frames_a_s: float = 5.0
    detect_px: int = 960
    silent_s: float = 10.0  #: after which a reader itself begins anew
    stall_s: float = 20.0  #: after which its process is killed
    memory_a_camera_bytes: int = 0  #: beside what its process takes for itself; nought: no limit
    log_level: str = "INFO"
    log_format: str = "json"


@dataclass(slots=True, kw_only=True, eq=False)
class _Group:
    """Cameras of one process."""

    cameras: tuple[PulledCamera, ...]
    line: PullLine | None = None
    restarts: int = 0
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """How pulling goes, for whoever asks."""

    on: bool
    cameras: int
    reading: int
    processes: int
    shots: int
    lost: int  #: arrivals that the spool could not take in time


def watchlist_is_on(connection: Connection, now_us: int) -> bool:
    """How the law's switch of the watchlist stands; without it no camera's picture is looked at."""
    return standing(connection, "watchlist", now_us=now_us).on


@dataclass(slots=True, kw_only=True, eq=False)
class Puller:
    """Watches over the processes that pull."""

    db: Database
    clock: Clock
    vault: Vault
    spool: AppendsArrivals
    clips: ClipKeeper
    command: Sequence[str]
    settings: PullSettings
    only_group: str | None = None
    is_on: Callable[[Connection, int], bool] = watchlist_is_on
    lost: int = 0
    shots: int = 0
    _groups: dict[str, _Group] = field(default_factory=dict)
    _devices: dict[str, str] = field(default_factory=dict)
    _alone: set[str] = field(default_factory=set)
    _waiting: deque[Arrival] = field(default_factory=deque)
    _cut: deque[ClipCut] = field(default_factory=deque)
    _something: threading.Condition = field(default_factory=threading.Condition)
    _heard_us: dict[str, int] = field(default_factory=dict)
    _whys: dict[str, str | None] = field(default_factory=dict)
    _health_s: float = 0.0
    _was_on: bool | None = None
    _known_s: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Pull until told to stop."""
        spooling = threading.Thread(target=self._spool_on, args=(stop,), name="pull-spool", daemon=True)
        spooling.start()
        try:
            while not stop.is_set():
                try:
                    self.tick()
                except Unavailable as error:
                    _log.warning("pull_waits", what=error.what)
                    if time.monotonic() - self._known_s > _UNKNOWN_MOST_S:
                        self.end()
                stop.wait(_TICK_S)
        finally:
            self.end()
            with self._something:
                self._something.notify_all()
            spooling.join(10)

    def tick(self) -> None:
        """Look after everything once.

        Raises:
            Unavailable: the database does not answer.
        """
        now_us = self.clock.now_us()
        wanted = self._wanted(now_us)
        for name in [name for name, group in self._groups.items() if wanted.get(name) != group.cameras]:
            self._stop_group(self._groups.pop(name))
        for name, cameras in wanted.items():
            group = self._groups.setdefault(name, _Group(cameras=cameras))
            self._look_after(group)
        lines = {one.camera_id: group.line for group in self._groups.values() for one in group.cameras if group.line}
        self._note_health(lines, now_us)
        reading = [camera_id for camera_id in lines if self._whys.get(camera_id, "opening") is None]
        self.clips.ask(reading, lambda want: lines[want.camera_id].want_clip(want), now_us=now_us)
        while self._cut:
            self.clips.keep(self._cut.popleft(), now_us=now_us)

    def end(self) -> None:
        """End all processes."""
        for group in self._groups.values():
            self._stop_group(group)
        self._groups.clear()

    def state(self) -> PullState:
        """How pulling goes."""
        return PullState(
            on=bool(self._was_on),
            cameras=sum(len(group.cameras) for group in self._groups.values()),
            reading=sum(why is None for why in self._whys.values()),
            processes=sum(group.line is not None for group in self._groups.values()),
            shots=self.shots,
            lost=self.lost,
        )

    def _wanted(self, now_us: int) -> Mapping[str, tuple[PulledCamera, ...]]:
        """The cameras to pull, by process; none while the law's switch is off."""
        with self.db.read() as connection:
            on = self.is_on(connection, now_us)
            cameras = [one for one in list_cameras(connection) if on and self._is_ours(one)]
        self._known_s = time.monotonic()
        if on is not self._was_on:
            _log.info("pulling_begins" if on else "pulling_stops_by_law")
            self._was_on = on
        if not on:
            return {}
        self._devices = {one.id: one.device_id for one in cameras}
        groups: dict[str, list[PulledCamera]] = {}
        for camera in cameras:
            address = self._address(camera)
            if address:
                name = f"alone:{camera.id}" if camera.id in self._alone else f"group:{camera.group_id}"
                groups.setdefault(name, []).append(PulledCamera(camera_id=camera.id, address=address))
        return {name: tuple(some) for name, some in groups.items()}

    def _is_ours(self, camera: Camera) -> bool:
        mine = self.only_group is None or camera.group_id == self.only_group
        return mine and camera.source == SOURCE and camera.state == "live" and camera.sealed_stream is not None

    def _address(self, camera: Camera) -> str | None:
        try:
            return self.vault.open(camera.sealed_stream or "", purpose=SEALED_STREAM)
        except Tampered:
            if self._whys.get(camera.id) != "tampered":
                _log.error("stream_address_tampered", camera_id=camera.id)
            self._whys[camera.id] = "tampered"
            return None

    def _look_after(self, group: _Group) -> None:
        """Start a process that is not there, kill one that hangs."""
        line = group.line
        if line is not None:
            trouble = line.trouble(stall_s=self.settings.stall_s)
            if trouble is None:
                if line.age_s > _GOOD_AFTER_S:
                    group.restarts = 0
                return
            why, hanging = trouble
            _log.warning("pull_process_restarted", pid=line.pid, why=why, cameras=len(group.cameras), hanging=hanging)
            if len(group.cameras) > 1:
                self._alone.update(hanging)
            line.end(kill=True)
            group.line = None
            pause_s = _PAUSES_S[min(group.restarts, len(_PAUSES_S) - 1)]
            group.restarts, group.not_before_s = group.restarts + 1, time.monotonic() + pause_s
        if time.monotonic() >= group.not_before_s:
            group.line = PullLine(self.command, self._order(group.cameras), self._said)

    def _order(self, cameras: Sequence[PulledCamera]) -> PullOrder:
        settings = self.settings
        return PullOrder(
            cameras=list(cameras),
            folder=settings.folder,
            models_dir=settings.models_dir,
            pack=settings.pack,
            frames_a_s=settings.frames_a_s,
            detect_px=settings.detect_px,
            silent_s=settings.silent_s,
            run=new_id("r").removeprefix("r_")[:18],
            memory_max_bytes=_memory_max_bytes(settings, len(cameras)),
            log_level=settings.log_level,
            log_format=settings.log_format,
        )

    def _stop_group(self, group: _Group) -> None:
        if group.line is not None:
            group.line.end()
            group.line = None
        for one in group.cameras:
            self._whys.pop(one.camera_id, None)

    def _said(self, said: Said) -> None:
        """On a line's thread: put away what it handed over."""
        if isinstance(said, ClipCut):
            self._cut.append(said)
        elif isinstance(said, Shots):
            device_id = self._devices.get(said.camera_id)
            if device_id is None:
                return  # a process that is being ended says something of a camera that is gone
            arrival = arrival_of(said.shots, device_id=device_id, arrived_at_us=self.clock.now_us())
            with self._something:
                self.shots += len(said.shots)
                self._waiting.append(arrival)
                while len(self._waiting) > _WAITING_MOST:
                    self._waiting.popleft()
                    self.lost += 1
                self._something.notify()

    def _spool_on(self, stop: threading.Event) -> None:
        """Hand to the spool what waits; a full disk is tried again, with what waits meanwhile bounded."""
        while True:
            with self._something:
                while not self._waiting and not stop.is_set():
                    self._something.wait(_TICK_S)
                some = list(self._waiting)
                self._waiting.clear()
            if not some:
                return
            try:
                self.spool.append(some)
            except Unavailable as error:
                with self._something:
                    self._waiting.extendleft(reversed(some))
                if stop.wait(min(error.retry_after_s, _TICK_S)):
                    _log.error("shots_lost", arrivals=len(some))
                    return

    def _note_health(self, lines: Mapping[str, PullLine], now_us: int) -> None:
        """Tell what was heard, all at once and not every second; say when a stream is lost or back."""
        heard = {}
        for camera_id, line in lines.items():
            pulse = line.pulses.get(camera_id)
            why = "opening" if pulse is None else pulse.why
            if pulse is not None and why != self._whys.get(camera_id, "opening") and why != "opening":
                _log.info("stream_lost" if why else "stream_read", camera_id=camera_id, why=why)
            self._whys[camera_id] = why
            if (
                pulse is not None
                and pulse.heard_at_us is not None
                and pulse.heard_at_us > self._heard_us.get(camera_id, 0)
            ):
                heard[camera_id] = min(pulse.heard_at_us, now_us)
        if not heard or time.monotonic() - self._health_s < _HEALTH_EVERY_S:
            return
        self._health_s = time.monotonic()
        with self.db.write() as connection:
            for camera_id, at_us in sorted(heard.items()):
                note_heard(connection, camera_id, at_us=at_us, what="stream")
        self._heard_us |= heard


def _memory_max_bytes(settings: PullSettings, cameras: int) -> int:
    """What a process may take: models and libraries, and each stream's decoder, ring and shots."""
    return 0 if not settings.memory_a_camera_bytes else _OWN_BYTES + cameras * settings.memory_a_camera_bytes
