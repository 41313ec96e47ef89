"""Pull group: the cameras that one process pulls, each read by a thread of its own, looked at by one.

Reading and decoding leave Python's lock alone; finding faces has the one core that is left. A camera's newest picture
waits in one place: when there is not time for all, older pictures are left out and counted, and none waits behind them.
A stream that breaks is opened again after a pause that doubles. What this process says, it says through `say`.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from shouhao.flows.watch_stream import FindsInFrames, StreamWatch
from shouhao.watch.pulling import CameraPulse, ClipCut, PulledCamera, Pulse, Said, Shots, WantClip
from shouhao.watch.video import Frame, Source, VideoBroken

_PULSE_S = 1.0
_PAUSE_S, _PAUSE_MOST_S = 1.0, 30.0
_GOOD_AFTER_S = 60.0  #: of reading, after which a pause begins small again

_log = structlog.get_logger()


class LiveSource(Source, Protocol):
    """A source that may also be asked for a clip."""

    decoded: int
    corrupt: int

    def want_clip(self, clip: WantClip) -> None:
        """Cut it when its end has passed, and hand it to whoever opened this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a source is opened with."""

    camera: PulledCamera
    on_packet: Callable[[int], None]  #: told when each packet came
    on_clip: Callable[[ClipCut], None]


OpenSource = Callable[[Opening], LiveSource]


@dataclass(slots=True, kw_only=True, eq=False)
class _Reading:
    """One camera's reading."""

    camera: PulledCamera
    watch: StreamWatch
    alive_at_s: float
    source: LiveSource | None = None
    thread: threading.Thread | None = None
    newest: Frame | None = None
    heard_at_us: int | None = None
    why: str | None = "opening"
    broke: bool = False
    looked: int = 0
    left_out: int = 0
    decoded: int = 0
    corrupt: int = 0
    wanted: list[WantClip] = field(default_factory=list)


class PullGroup:
    """Reads, looks and says, from `start` to `stop`."""

    def __init__(
        self,
        cameras: Sequence[PulledCamera],
        faces: FindsInFrames,
        open_source: OpenSource,
        say: Callable[[Said], None],
        *,
        run: str,
    ) -> None:
        """Set up.

        Args:
            say: for several threads.
            run: see `StreamWatch`.
        """
        self._open_source, self._say_it = open_source, say
        self._readings: Mapping[str, _Reading] = {
            one.camera_id: _Reading(
                camera=one, watch=StreamWatch(one.camera_id, faces, run=run), alive_at_s=time.monotonic()
            )
            for one in cameras
        }
        self._lock = threading.Lock()
        self._something = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin reading."""
        for reading in self._readings.values():
            reading.thread = threading.Thread(target=self._read, args=(reading,), name="pull-read", daemon=True)
            reading.thread.start()
        for target, name in ((self._look, "pull-look"), (self._pulse, "pull-pulse")):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, wait_s: float = 3.0) -> None:
        """End; a reader that hangs is left behind, for the process ends with it."""
        self._stop.set()
        with self._something:
            self._something.notify_all()
        for reading in self._readings.values():
            if reading.source is not None:
                reading.source.close()
        until = time.monotonic() + wait_s
        for thread in [*self._threads, *(reading.thread for reading in self._readings.values())]:
            if thread is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def want_clip(self, want: WantClip) -> None:
        """Ask for a part of a camera's stream; what is not being read has none."""
        reading = self._readings.get(want.camera_id)
        source = None if reading is None else reading.source
        if source is None:
            self._say(ClipCut(id=want.id, camera_id=want.camera_id, mp4=None))
        else:
            source.want_clip(want)

    def _read(self, reading: _Reading) -> None:
        """Open, read, and open again, until the group stops."""
        pause_s = _PAUSE_S
        while not self._stop.is_set():
            began_s = reading.alive_at_s = time.monotonic()
            why = self._read_once(reading)
            if time.monotonic() - began_s > _GOOD_AFTER_S:
                pause_s = _PAUSE_S
            with self._something:
                reading.why, reading.broke = why, True
                self._something.notify_all()
            _log.info("stream_broke", camera_id=reading.camera.camera_id, why=why, pause_s=pause_s)
            waits_until_s = time.monotonic() + pause_s
            while not self._stop.is_set() and time.monotonic() < waits_until_s:
                reading.alive_at_s = time.monotonic()
                self._stop.wait(min(1.0, pause_s))
            pause_s = min(_PAUSE_MOST_S, pause_s * 2)

    def _read_once(self, reading: _Reading) -> str:
        def on_packet(at_us: int) -> None:
            reading.alive_at_s, reading.heard_at_us, reading.why = time.monotonic(), at_us, None

        try:
            source = self._open_source(Opening(camera=reading.camera, on_packet=on_packet, on_clip=self._say))
        except ValueError:
            return "address"
        reading.source = source
        try:
            for frame in source.frames():
                reading.decoded, reading.corrupt = source.decoded, source.corrupt
                with self._something:
                    reading.left_out += reading.newest is not None
                    reading.newest = frame
                    self._something.notify()
        except VideoBroken as broken:
            return broken.why
        except Exception as error:  # noqa: BLE001 - a decoder's surprise about one stream must not end the others
            _log.error("stream_reader_failed", camera_id=reading.camera.camera_id, error=type(error).__name__)
            return "failed"
        finally:
            reading.source = None
            source.close()
        return "ended"

    def _look(self) -> None:
        """Look at the newest pictures, camera after camera."""
        while not self._stop.is_set():
            with self._something:
                while not self._stop.is_set() and not any(one.newest or one.broke for one in self._readings.values()):
                    self._something.wait()
                due = [(one, one.newest, one.broke) for one in self._readings.values() if one.newest or one.broke]
                for one, _, _ in due:
                    one.newest, one.broke = None, False
            for one, frame, broke in due:
                self._look_at(one, frame, broke=broke)

    def _look_at(self, reading: _Reading, frame: Frame | None, *, broke: bool) -> None:
        shots = []
        try:
            if frame is not None:
                shots += reading.watch.look(frame)
                reading.looked += 1
            if broke:
                shots += reading.watch.end()
        except Exception as error:  # noqa: BLE001 - one picture that nobody foresaw must not end the others
            _log.error("picture_failed", camera_id=reading.camera.camera_id, error=type(error).__name__)
        if shots:
            self._say(Shots(camera_id=reading.camera.camera_id, shots=shots))

    def _pulse(self) -> None:
        while not self._stop.wait(_PULSE_S):
            now_s = time.monotonic()
            self._say(Pulse(cameras=[_pulse_of(one, now_s) for one in self._readings.values()]))

    def _say(self, said: Said) -> None:
        with suppress(OSError, ValueError):  # whoever listened is gone, and the end of the pipe ends this process
            self._say_it(said)


def _pulse_of(reading: _Reading, now_s: float) -> CameraPulse:
    return CameraPulse(
        camera_id=reading.camera.camera_id,
        alive_ago_s=round(now_s - reading.alive_at_s, 3),
        heard_at_us=reading.heard_at_us,
        why=reading.why,
        looked=reading.looked,
        left_out=reading.left_out,
        decoded=reading.decoded,
        corrupt=reading.corrupt,
        shots=reading.watch.sent,
    )
