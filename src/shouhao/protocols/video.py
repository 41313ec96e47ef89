"""Video: a camera's RTSP stream, from the moment it is opened until it breaks, with the last seconds of it in memory.

FFmpeg reads it (PyAV), over TCP, the picture alone: what people say is neither decoded nor kept. Only packets that are
needed are decoded, on one core, and only pictures that are looked at are turned into pixels. Whoever reads runs in a
process of its own that holds no key (pull_process.py): decoders of hostile bytes have been broken before, and time-outs
of FFmpeg and PyAV do not always hold, so that the last word has a watchdog outside (flows/pull.py). Files are read in
video_files.py.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.pulling import ClipCut, WantClip
from shouhao.watch.video import Broken, Frame, Pace, PresentationClock, VideoBroken

_CORRUPT_IN_A_ROW = 200  #: packets without one picture, after which a stream is begun anew
_SCHEMES = ("rtsp://", "rtsps://")
_MP4_TIME = (1, 90_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How a stream is read."""

    frames_a_s: float = 5.0  #: that are looked at
    silent_s: float = 10.0  #: nothing for so long, and the stream is begun anew; the watchdog outside waits longer
    no_keyframe_s: float = 20.0
    pixels_max: int = 4096 * 3072  #: of a picture: a header may claim any size
    ring_s: float = 25.0  #: kept in memory for clips; more by what the key frame before it takes
    ring_bytes_max: int = 48 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    pts: int | None
    dts: int | None
    key: bool
    at_us: int


@dataclass(slots=True, kw_only=True)
class _Ring:
    """The last packets, always from a key frame on."""

    keep_us: int
    bytes_max: int
    _packets: deque[_Kept] = field(default_factory=deque)
    _keys_at_us: deque[int] = field(default_factory=deque)
    _bytes: int = 0

    def add(self, packet: _Kept) -> None:
        """Take one in and let go of what is too old or too much, whole groups of pictures at a time."""
        if not packet.key and not self._packets:
            return
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if packet.key:
            self._keys_at_us.append(packet.at_us)
        while len(self._keys_at_us) > 1 and (
            self._keys_at_us[1] <= packet.at_us - self.keep_us or self._bytes > self.bytes_max
        ):
            self._drop_first()
        if self._bytes > self.bytes_max:  # one group of pictures alone: nothing until the next key frame
            self._packets.clear()
            self._keys_at_us.clear()
            self._bytes = 0

    def between(self, from_us: int, to_us: int) -> list[_Kept]:
        """The packets of this time, begun at the key frame that their first picture rests on."""
        packets = list(self._packets)
        starts = [n for n, one in enumerate(packets) if one.key and one.at_us <= from_us]
        first = starts[-1] if starts else 0
        return [one for one in packets[first:] if one.at_us <= to_us]

    def _drop_first(self) -> None:
        self._keys_at_us.popleft()
        self._bytes -= len(self._packets.popleft().data)
        while self._packets and not self._packets[0].key:
            self._bytes -= len(self._packets.popleft().data)


class RTSPStream:
    """One camera's stream. `frames` belongs to one thread; `want_clip` may be called from any."""

    def __init__(
        self,
        address: str,
        *,
        settings: StreamSettings,
        now_us: Callable[[], int],
        on_packet: Callable[[int], None] | None = None,
        on_clip: Callable[[ClipCut], None] | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            address: rtsp:// or rtsps://, with user and password where the camera asks for them; never logged.
            on_packet: told the time of each packet that arrived, as the sign of life that a watchdog waits for.
            on_clip: handed each clip that was wanted.

        Raises:
            ValueError: another kind of address. FFmpeg would open files and other hosts just as well.
        """
        if not address.startswith(_SCHEMES):
            raise ValueError("a stream's address begins with rtsp:// or rtsps://")
        self._address, self._settings, self._now_us = address, settings, now_us
        self._on_packet, self._on_clip = on_packet or (lambda _: None), on_clip or (lambda _: None)
        self._lock = threading.Lock()
        self._clips: list[WantClip] = []
        self._closed = False
        self.decoded = 0  #: pictures
        self.corrupt = 0  #: packets that could not be decoded
        self.skipped = 0  #: packets left out because reading had fallen behind

    def want_clip(self, clip: WantClip) -> None:
        """Ask for a part of the stream; it is handed over once its end has passed, or the stream breaks."""
        with self._lock:
            self._clips.append(clip)

    def close(self) -> None:
        """Stop at the next packet."""
        self._closed = True

    def frames(self) -> Iterator[Frame]:
        """The pictures that are to be looked at, as they come.

        Raises:
            VideoBroken: the stream ended, for whatever reason; opening it again is the caller's business.
        """
        import av  # noqa: PLC0415 - loads FFmpeg, which no other process needs

        container = self._open(av)
        try:
            yield from self._read(av, container)
        finally:
            container.close()

    def _open(self, av: Any) -> Any:
        silent_s = self._settings.silent_s
        options = {
            "rtsp_transport": "tcp",
            "allowed_media_types": "video",
            "timeout": str(round(silent_s * 1e6)),  # of each socket, in microseconds
            "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,crypto",  # a description cannot send us elsewhere
            "fflags": "+discardcorrupt",
            "analyzeduration": "2000000",
            "fpsprobesize": "0",  # or the first second is spent on counting pictures
            "probesize": "2000000",
            "max_delay": "500000",
        }
        began_us = self._now_us()
        try:
            return av.open(self._address, options=options, timeout=(silent_s, silent_s))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # Its text holds the address, password and all, and so does not travel on. A time-out often comes out of
            # FFmpeg as some other error.
            waited = self._now_us() - began_us >= silent_s * SECOND_US
            raise VideoBroken("silent" if waited else _why(av, error, "refused")) from None

    def _read(self, av: Any, container: Any) -> Iterator[Frame]:
        if not container.streams.video:
            raise VideoBroken("no_video")
        stream = container.streams.video[0]
        decoder = _Decoder(av, stream, self._settings)
        ring = _Ring(keep_us=round(self._settings.ring_s * SECOND_US), bytes_max=self._settings.ring_bytes_max)
        try:
            yield from self._packets(av, container, stream, decoder, ring)
        finally:
            self._cut(av, stream, ring, all_of_them=True)

    def _packets(self, av: Any, container: Any, stream: Any, decoder: "_Decoder", ring: _Ring) -> Iterator[Frame]:
        clock, pace = PresentationClock(), Pace(frames_a_s=self._settings.frames_a_s)
        key_at_us, tick_us = self._now_us(), SECOND_US * stream.time_base
        times: dict[int, int] = {}  #: presentation time to ours, of packets whose pictures are still to come
        packets = container.demux(stream)
        while not self._closed:
            packet = _next(av, packets)
            arrived_at_us = self._now_us()
            if not packet.size:
                raise VideoBroken("ended")
            self._on_packet(arrived_at_us)
            stamp = packet.pts if packet.pts is not None else packet.dts
            at_us = clock.at_us(None if stamp is None else round(stamp * tick_us), arrived_at_us=arrived_at_us)
            ring.add(_Kept(bytes(packet), packet.pts, packet.dts, packet.is_keyframe, at_us))
            self._cut(av, stream, ring)
            if packet.is_keyframe:
                key_at_us = arrived_at_us
            elif arrived_at_us - key_at_us > self._settings.no_keyframe_s * SECOND_US and not decoder.begun:
                raise VideoBroken("no_keyframe")
            if not pace.takes(key=packet.is_keyframe, at_us=at_us, lag_us=clock.lag_us):
                self.skipped = pace.skipped
                continue
            if packet.pts is not None:
                times[packet.pts] = at_us
            for picture in decoder.pictures(packet, keys_only=pace.keys_only):
                self.decoded += 1
                taken_at_us = at_us if picture.pts is None else times.pop(picture.pts, at_us)
                if pace.wants(taken_at_us):
                    yield Frame(pixels=_pixels(picture), at_us=taken_at_us, arrived_at_us=arrived_at_us)
            self.corrupt = decoder.corrupt
            if len(times) > 256:  # noqa: PLR2004 - no codec holds back so many; their pictures never came
                times.clear()

    def _cut(self, av: Any, stream: Any, ring: _Ring, *, all_of_them: bool = False) -> None:
        """Hand over the clips whose end has passed."""
        with self._lock:
            if not self._clips:
                return
            now_us = self._now_us()
            due = [clip for clip in self._clips if all_of_them or now_us >= clip.to_us]
            self._clips = [clip for clip in self._clips if clip not in due]
        for clip in due:
            kept = ring.between(clip.from_us, clip.to_us)
            try:
                mp4 = _remuxed(av, stream, kept) if kept else None
            except av.error.FFmpegError:  # a stream that no MP4 can hold
                mp4 = None
            if mp4 is None:
                self._on_clip(ClipCut(id=clip.id, camera_id=clip.camera_id, mp4=None))
            else:
                self._on_clip(
                    ClipCut(id=clip.id, camera_id=clip.camera_id, mp4=mp4, from_us=kept[0].at_us, to_us=kept[-1].at_us)
                )


class _Decoder:
    """FFmpeg's decoder of one stream: one core, no picture that claims the memory of the machine."""

    def __init__(self, av: Any, stream: Any, settings: StreamSettings) -> None:
        self._av, self._context = av, stream.codec_context
        self._pixels_max = settings.pixels_max
        self.begun, self.corrupt, self._in_a_row = False, 0, 0
        check_size(self._context.width, self._context.height, settings.pixels_max)
        self._context.thread_count = 1  # frame threads hold pictures back, and each camera has its turn
        self._context.options = {"max_pixels": str(settings.pixels_max)}

    def pictures(self, packet: Any, *, keys_only: bool) -> Iterator[Any]:
        """The pictures that a packet completes.

        Raises:
            VideoBroken: nothing of use has come for long.
        """
        self._context.skip_frame = "NONKEY" if keys_only else "DEFAULT"
        try:
            pictures = [] if packet.is_corrupt else self._context.decode(packet)
        except (self._av.error.FFmpegError, ValueError):
            pictures = []
            self.corrupt += 1
        sound = [picture for picture in pictures if not picture.is_corrupt]
        self._in_a_row = 0 if sound or keys_only else self._in_a_row + 1
        if self._in_a_row > _CORRUPT_IN_A_ROW:
            raise VideoBroken("corrupt" if self.corrupt else "no_keyframe")
        for picture in sound:
            check_size(picture.width, picture.height, self._pixels_max)  # it may change with any key frame
            self.begun = True
            yield picture


def check_size(width: int, height: int, pixels_max: int) -> None:
    """Refuse a picture that claims too much.

    Raises:
        VideoBroken: `too_large`.
    """
    if width * height > pixels_max:
        raise VideoBroken("too_large")


def _next(av: Any, packets: Iterator[Any]) -> Any:
    try:
        return next(packets)
    except StopIteration:
        raise VideoBroken("ended") from None
    except av.error.ExitError:  # PyAV's own time-out
        raise VideoBroken("silent") from None
    except (av.error.FFmpegError, OSError) as error:
        raise VideoBroken(_why(av, error, "corrupt")) from None


def _why(av: Any, error: BaseException, otherwise: Broken) -> Broken:
    if isinstance(error, av.error.EOFError):
        return "ended"
    if isinstance(error, av.error.TimeoutError | TimeoutError):
        return "silent"
    return otherwise


def _pixels(picture: Any) -> Any:
    """Blue green red. Full size: scaling in FFmpeg took longer than this and OpenCV's scaling together."""
    return picture.to_ndarray(format="bgr24")


def _remuxed(av: Any, stream: Any, kept: list[_Kept]) -> bytes:
    """These packets as MP4, as they came: nothing is encoded anew, so that a clip is what the camera said."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as out:
        track = out.add_stream_from_template(stream)
        first = next((one.dts if one.dts is not None else one.pts for one in kept), None) or 0
        last = -1
        for one in kept:
            packet = av.Packet(one.data)
            stamp = one.dts if one.dts is not None else one.pts
            dts = max(last + 1, (stamp if stamp is not None else last + 1 + first) - first)
            packet.dts, packet.pts = dts, max(dts, (one.pts if one.pts is not None else dts + first) - first)
            packet.time_base, packet.is_keyframe, packet.stream = stream.time_base, one.key, track
            last = dts
            out.mux(packet)
    return file.getvalue()
