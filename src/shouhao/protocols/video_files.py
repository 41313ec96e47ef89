"""Video files: recordings and folders of pictures, as people hand them in or as cameras lay them down.

A file is what its first bytes say, whatever it is called: FFmpeg is told which of a few formats to expect and never
looks for itself, for some of those it knows (playlists, lists of parts, descriptions) name other files and hosts to
open. It is handed bytes, not a path, and not more of them than there were when the file was opened. Links are not
followed.
"""

import io
import os
import re
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shouhao.faces.images import read_picture
from shouhao.faces.model import PictureRefused
from shouhao.kernel.clock import HOSPITAL_ZONE, SECOND_US, to_us
from shouhao.kernel.errors import InvalidInput
from shouhao.protocols.video import StreamSettings, check_size
from shouhao.watch.video import Began, Broken, Frame, Pace, Span, VideoBroken

_HEAD_BYTES = 400
_TS_PACKET = 188
_SYNC = 0x47
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM")
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_H264_FIRST = {1, 5, 6, 7, 9}
_HEVC_FIRST = {32, 33, 34, 35, 39}
_STEPS_SHORT, _SHARE_SHORT = 5, 0.02  #: pictures, or share, that a file may be shorter than it says: rounding
_RATE = 25  #: pictures a second, of a recording that does not say
_FILES_MAX = 10_000
_MOMENT = re.compile(r"(?<!\d)(20\d{2})[-_.]?(\d{2})[-_.]?(\d{2})[-_ T.]?(\d{2})[-_.:]?(\d{2})[-_.:]?(\d{2})(?!\d)")

Kind = Literal["mov", "matroska", "avi", "mpegts", "mpeg", "flv", "h264", "hevc", "dhav", "picture"]


def kind_of(head: bytes) -> Kind | None:
    """What a file is by its first bytes; None: nothing that is read here.

    >>> kind_of(bytes.fromhex("0000002066747970") + b"isom")
    'mov'
    >>> kind_of(b"#EXTM3U") is None
    True
    """
    if head[4:8] in _MP4_BOXES:
        return "mov"
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    starts: tuple[tuple[bytes, Kind], ...] = (
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"\x00\x00\x01\xba", "mpeg"),
        (b"FLV", "flv"),
        (b"DHAV", "dhav"),
    )
    for start, kind in starts:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > _TS_PACKET and head[0] == _SYNC == head[_TS_PACKET]:
        return "mpegts"
    return _raw_kind(head)


def _raw_kind(head: bytes) -> Kind | None:
    """Annex B without a container, as some recorders write it."""
    for start in (b"\x00\x00\x00\x01", b"\x00\x00\x01"):
        if head.startswith(start) and len(head) > len(start):
            first = head[len(start)]
            if first & 0x80:
                return None
            if first >> 1 & 0x3F in _HEVC_FIRST and not first & 1:
                return "hevc"
            return "h264" if first & 0x1F in _H264_FIRST else None
    return None


def began_of(path: Path, *, creation_time: str | None, duration_s: float, given_us: int | None = None) -> Began:
    """When a recording began: as somebody says, as its name says, as it says itself, or by when it was last written.

    >>> from pathlib import Path
    >>> began_of(Path("ch01_20190218095000.mp4"), creation_time=None, duration_s=0).known_from
    'name'
    """
    if given_us is not None:
        return Began(at_us=given_us, known_from="given")
    found = _MOMENT.search(path.name)
    if found is not None:
        try:
            year, month, day, hour, minute, second = (int(part) for part in found.groups())
            named = datetime(year, month, day, hour, minute, second, tzinfo=HOSPITAL_ZONE)
            return Began(at_us=to_us(named), known_from="name")
        except ValueError:
            pass  # digits that are no moment
    if creation_time:
        try:
            said = datetime.fromisoformat(creation_time)
            if said.tzinfo is not None and said.year > 2000:  # noqa: PLR2004 - 1904 and 1970 stand for "not set"
                return Began(at_us=to_us(said), known_from="metadata")
        except ValueError:
            pass
    written_us = path.stat().st_mtime_ns // 1000
    return Began(at_us=written_us - round(duration_s * SECOND_US), known_from="file")


def files_in(given: Path) -> list[Path]:
    """The file itself, or the files of a folder in the order of their names; hidden ones and links are passed over.

    Raises:
        InvalidInput: there is no such file or folder, or there are too many files.
    """
    if given.is_symlink() or not (given.is_file() or given.is_dir()):
        raise InvalidInput("recording", zh="不是普通文件或目录", en="is no plain file or folder")
    if given.is_file():
        return [given]
    found = sorted(
        file for file in given.iterdir() if file.is_file() and not file.is_symlink() and not file.name.startswith(".")
    )
    if len(found) > _FILES_MAX:
        raise InvalidInput("recording", zh=f"超过 {_FILES_MAX} 个文件", en=f"holds more than {_FILES_MAX} files")
    return found


class FileSource:
    """The pictures of one file: a recording from its beginning, or a single picture."""

    def __init__(
        self, path: Path, *, settings: StreamSettings, began_us: int | None = None, span: Span | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            began_us: when the recording began, where that is known better than the file knows it.
            span: pictures outside it are passed over, by the file's index where it has one.
        """
        self._path, self._settings, self._given_us, self._span = path, settings, began_us, span
        self._closed = False
        self.began: Began | None = None  #: known once `frames` has begun
        self.duration_s = 0.0  #: as the file says
        self.position_s = 0.0  #: of the last picture that was read
        self.corrupt = 0  #: packets that could not be decoded
        self.pictures = 0  #: that could

    def close(self) -> None:
        """Stop at the next picture."""
        self._closed = True

    def frames(self) -> Iterator[Frame]:
        """The pictures that are to be looked at.

        Raises:
            VideoBroken: `ended` when it is over; otherwise why it could not be read on, at which time and byte.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            raise VideoBroken("refused") from None
        with _Bounded(handle) as file:
            kind = kind_of(file.head)
            if kind is None:
                raise VideoBroken("no_video", byte=0)
            if kind == "picture":
                yield self._picture(file)
                raise VideoBroken("ended")
            yield from self._recording(file, kind)

    def _picture(self, file: "_Bounded") -> Frame:
        self.began = began_of(self._path, creation_time=None, duration_s=0, given_us=self._given_us)
        try:
            pixels = read_picture(file.read(20_000_001))
        except PictureRefused:
            raise VideoBroken("corrupt", byte=0) from None
        return Frame(pixels=pixels, at_us=self.began.at_us)

    def _recording(self, file: "_Bounded", kind: Kind) -> Iterator[Frame]:
        import av  # noqa: PLC0415 - loads FFmpeg, which few commands need

        limit: Any = {"max_pixels": str(self._settings.pixels_max)}
        options = {"protocol_whitelist": "", "enable_drefs": "0", "fflags": "+discardcorrupt"}
        options |= {"probesize": "5000000", "analyzeduration": "5000000"}
        try:
            container = av.open(file, format=kind, container_options=options, stream_options=[limit] * 8)
        except (av.error.FFmpegError, OSError, ValueError, MemoryError):
            raise VideoBroken("corrupt", byte=file.farthest) from None
        with container:
            if not container.streams.video:
                raise VideoBroken("no_video", byte=file.farthest)
            yield from self._read(av, container, file)

    def _read(self, av: Any, container: Any, file: "_Bounded") -> Iterator[Frame]:
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:  # nothing here decodes it
            raise VideoBroken("no_video", byte=file.farthest)
        check_size(context.width, context.height, self._settings.pixels_max)
        context.thread_count = 1
        context.options = {"max_pixels": str(self._settings.pixels_max)}
        self.duration_s = (container.duration or 0) / 1e6
        self.began = began_of(
            self._path,
            creation_time=container.metadata.get("creation_time"),
            duration_s=self.duration_s,
            given_us=self._given_us,
        )
        self._go_to(av, container, stream)
        pace, times = Pace(frames_a_s=self._settings.frames_a_s), _Times(stream)
        try:
            for packet in container.demux(stream):
                if self._closed:
                    raise VideoBroken("ended", position_s=self.position_s, byte=file.farthest)
                if packet.size:
                    self.position_s = max(self.position_s, times.of_packet(packet))
                    if not pace.takes(key=packet.is_keyframe, at_us=self._at_us(), lag_us=0):
                        continue
                context.skip_frame = "NONKEY" if pace.keys_only else "DEFAULT"
                for picture in self._decoded(av, context, packet):
                    position_s = times.of_picture(picture, otherwise_s=self.position_s)
                    at_us = self.began.at_us + round(position_s * SECOND_US)
                    if self._span is not None and at_us > self._span.until_us:
                        raise VideoBroken("ended", position_s=self.position_s, byte=file.farthest)
                    if (self._span is None or at_us >= self._span.from_us) and pace.wants(at_us):
                        yield Frame(pixels=picture.to_ndarray(format="bgr24"), at_us=at_us, position_s=position_s)
        except (av.error.FFmpegError, OSError):
            raise VideoBroken("corrupt", position_s=self.position_s, byte=file.farthest) from None
        raise VideoBroken(self._end_of(stream, times), position_s=self.position_s, byte=file.farthest)

    def _end_of(self, stream: Any, times: "_Times") -> Broken:
        """What the end of the packets means: a file may be shorter than it says, or hold nothing that can be shown."""
        if not self.pictures:
            return "corrupt" if self.corrupt or self.position_s else "truncated"
        lasts_s = float(stream.duration * stream.time_base) if stream.duration else self.duration_s
        short_by_s = lasts_s - self.position_s
        return "truncated" if short_by_s > max(_STEPS_SHORT * times.step_s, _SHARE_SHORT * lasts_s) else "ended"

    def _go_to(self, av: Any, container: Any, stream: Any) -> None:
        """The key frame before the span, as far as the file's index knows of one; without, reading begins at its start.

        Raises:
            VideoBroken: `outside`.
        """
        if self._span is None or self.began is None:
            return
        from_s = (self._span.from_us - self.began.at_us) / SECOND_US
        if self._span.until_us < self.began.at_us or (self.duration_s and from_s > self.duration_s):
            raise VideoBroken("outside")
        if from_s > 1 and self.duration_s:
            try:
                container.seek(
                    round((from_s - 1) / stream.time_base) + (stream.start_time or 0), stream=stream, backward=True
                )
            except (av.error.FFmpegError, OSError):
                container.seek(0)

    def _decoded(self, av: Any, context: Any, packet: Any) -> list[Any]:
        try:
            pictures = context.decode(packet)
        except (av.error.FFmpegError, ValueError):
            self.corrupt += 1
            return []
        sound = [picture for picture in pictures if not picture.is_corrupt]
        self.corrupt += len(pictures) - len(sound)
        for picture in sound:
            check_size(picture.width, picture.height, self._settings.pixels_max)
        self.pictures += len(sound)
        return sound

    def _at_us(self) -> int:
        return round(self.position_s * SECOND_US)


class _Times:
    """Seconds from the beginning of a recording; where it has no times of its own, by counting."""

    def __init__(self, stream: Any) -> None:
        self._tick_s = float(stream.time_base)
        self.step_s = 1 / float(stream.average_rate or stream.guessed_rate or _RATE)
        self._first: int | None = stream.start_time
        self._count = 0

    def of_packet(self, packet: Any) -> float:
        stamp = packet.pts if packet.pts is not None else packet.dts
        self._count += 1
        if stamp is None:
            return (self._count - 1) * self.step_s
        self._first = stamp if self._first is None else min(self._first, stamp)
        return float(stamp - self._first) * self._tick_s

    def of_picture(self, picture: Any, *, otherwise_s: float) -> float:
        if picture.pts is None or self._first is None:
            return otherwise_s
        return max(0.0, float(picture.pts - self._first) * self._tick_s)


class _Bounded(io.RawIOBase):
    """A plain file, and no more of it than there was when it was opened: one that grows has an end all the same."""

    def __init__(self, handle: int) -> None:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device has no end
            os.close(handle)
            raise VideoBroken("refused")
        self._file = os.fdopen(handle, "rb", buffering=256 * 1024)
        self._size = found.st_size
        self.farthest = 0  #: byte up to which anything was read
        self.head = self._file.read(_HEAD_BYTES)
        self._file.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        left = self._size - self._file.tell()
        data = self._file.read(max(0, left if size < 0 else min(size, left)))
        self.farthest = max(self.farthest, self._file.tell())
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            return self._file.seek(max(0, self._size + offset))
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
