"""Spool: what a camera sent is on disk before it is answered, sealed, and gone as soon as it was worked off.

Each writer (the receiver, each process that pulls streams) has a folder of its own; one reader takes them all in the
order of arrival. Pictures of people who match nobody pass through here, so nothing lies open and nothing stays
(invariant 6): each segment is sealed under a random key, and the key is overwritten before the segment is removed.
How far was read is not kept here but in the database, by whoever works the arrivals off; the bytes are spool_format's.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import Unavailable
from shouhao.store.durable import sync_folder
from shouhao.store.sealed_keys import erase_key, make_key
from shouhao.store.vault import Sealer
from shouhao.watch.model import Arrival
from shouhao.watch.spool_format import (
    FRAME_MAX,
    HEADER,
    Place,
    Torn,
    end_of,
    frame_of,
    key_context,
    key_path,
    sealed_at,
    segment_path,
    segments_in,
    size_of,
)

_log = structlog.get_logger()

_MIB = 1024 * 1024
_LOCK = "writer.lock"  #: held while somebody writes; holds the greatest number ever used


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How large a writer's spool may become, and how long a segment is written to."""

    bytes_max: int = 4096 * _MIB  #: of all segments of one writer
    free_bytes_min: int = 256 * _MIB  #: left to the database, which stops harder on a full disk
    segment_bytes: int = 32 * _MIB
    segment_s: float = 10.0  #: then a new one is begun, so that what was worked off can go


@dataclass(slots=True)
class _Waiting:
    """What one caller wants written, and what came of it."""

    arrivals: Sequence[Arrival]
    done: bool = False
    refused: Unavailable | None = None


@dataclass(slots=True)
class _Segment:
    number: int
    handle: int
    sealer: Sealer
    size: int
    opened_at_us: int
    folder: Path = field(repr=False)


class Spool:
    """One writer's spool. Any number of threads may append; those who wait together share one write to the disk."""

    def __init__(
        self,
        folder: Path,
        writer: str,
        *,
        sealer: Sealer,
        now_us: Callable[[], int],
        limits: SpoolLimits | None = None,
    ) -> None:
        """Take the writer's folder, and cut off what a crash left half-written.

        Args:
            folder: of all writers.
            writer: name of this one, a file name.
            sealer: seals the keys of the segments.
            now_us: the clock, for the numbers and the age of segments.
        Raises:
            Unavailable: another process writes under this name, or the disk is full.
        """
        if not writer or not writer.replace("-", "").replace("_", "").isalnum():
            raise ValueError("a writer's name has letters, digits, - and _")
        self.writer = writer
        self._folder = folder / writer
        self._sealer, self._now_us, self._limits = sealer, now_us, limits or SpoolLimits()
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._waiting: list[_Waiting] = []
        self._segment: _Segment | None = None
        with _full_disk():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._owned = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._owned)
            raise Unavailable("spool writer") from error
        self._size = self._recover()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, arrivals: Sequence[Arrival]) -> None:
        """Write these, in their order, after all that were appended before; they are durable when this returns.

        Raises:
            Unavailable: `spool`: the disk or the spool is full; none of these was kept.
        """
        if not arrivals:
            return
        mine = _Waiting(arrivals)
        with self._lock:
            self._waiting.append(mine)
        with self._writing:  # whoever comes first writes for all who wait by then
            if not mine.done:
                with self._lock:
                    together, self._waiting = self._waiting, []
                self._write(together)
        if mine.refused is not None:
            raise mine.refused

    def close(self) -> None:
        """Stop writing; what was appended stays for the reader."""
        with self._writing:
            self._leave_segment()
            if self._owned >= 0:
                os.close(self._owned)
                self._owned = -1

    def _write(self, together: Sequence[_Waiting]) -> None:
        try:
            self._write_all([arrival for one in together for arrival in one.arrivals])
        except (OSError, Unavailable) as error:
            self._leave_segment()  # its end is not sure any more, and a reader may have seen what was taken back
            _log.error("spool_refuses", writer=self.writer, error=type(error).__name__, code=getattr(error, "errno", 0))
            for one in together:
                one.refused = Unavailable("spool", retry_after_s=5.0)
        finally:
            for one in together:
                one.done = True

    def _write_all(self, arrivals: Sequence[Arrival]) -> None:
        if any(size_of(arrival) > FRAME_MAX for arrival in arrivals):
            raise Unavailable("spool")  # a receiver bounds bodies far below this
        self._make_room(sum(size_of(arrival) for arrival in arrivals))
        with self._standing() as segment:
            frames, offset = [], segment.size
            for arrival in arrivals:
                frame = frame_of(arrival, segment.sealer, Place(segment.number, offset))
                frames.append(frame)
                offset += len(frame)
            try:
                _write_fully(segment.handle, b"".join(frames))
                os.fdatasync(segment.handle)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(segment.handle, segment.size)
                    os.fdatasync(segment.handle)
                raise
            self._size += offset - segment.size
            segment.size = offset

    def _make_room(self, more: int) -> None:
        """Refuse what would make the spool or the disk too full; the reader removes segments meanwhile."""
        if self._size + more > self._limits.bytes_max:
            self._size = _bytes_in(self._folder)
            if self._size + more > self._limits.bytes_max:
                raise Unavailable("spool")
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize - more < self._limits.free_bytes_min:
            raise Unavailable("spool")

    @contextmanager
    def _standing(self) -> Iterator[_Segment]:
        """The segment to write to, held so that the reader does not remove it meanwhile."""
        while True:
            segment = self._segment
            if segment is None or self._is_done(segment):
                self._leave_segment()
                segment = self._segment = self._begin_segment()
            fcntl.flock(segment.handle, fcntl.LOCK_EX)
            try:
                if os.fstat(segment.handle).st_nlink == 0:  # worked off and removed while nobody wrote
                    self._leave_segment()
                    continue
                yield segment
            finally:
                if self._segment is segment:
                    fcntl.flock(segment.handle, fcntl.LOCK_UN)
            return

    def _is_done(self, segment: _Segment) -> bool:
        old = self._now_us() - segment.opened_at_us >= self._limits.segment_s * SECOND_US
        return segment.size >= self._limits.segment_bytes or (old and segment.size > len(HEADER))

    def _begin_segment(self) -> _Segment:
        now_us = self._now_us()
        number = max(now_us, self._greatest_used() + 1)
        os.pwrite(self._owned, b"%020d" % number, 0)
        os.fdatasync(self._owned)
        # The key first: a segment without a key would be one whose arrivals are lost.
        sealer = make_key(key_path(self._folder, number), self._sealer, context=key_context(self.writer, number))
        path = segment_path(self._folder, number)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            _write_fully(handle, HEADER)
            os.fsync(handle)
            sync_folder(self._folder)
        except OSError:
            os.close(handle)
            path.unlink(missing_ok=True)
            erase_key(key_path(self._folder, number))
            raise
        return _Segment(number, handle, sealer, len(HEADER), now_us, self._folder)

    def _leave_segment(self) -> None:
        if self._segment is not None:
            os.close(self._segment.handle)  # gives its lock back too
            self._segment = None

    def _greatest_used(self) -> int:
        noted = os.pread(self._owned, 20, 0)
        return max([int(noted) if noted.isdigit() else 0, *segments_in(self._folder)])

    def _recover(self) -> int:
        """Cut the torn tail of the last segment, drop keys that seal nothing; the bytes that stand."""
        numbers = segments_in(self._folder)
        for path in self._folder.glob("*.key"):
            if path.stem.isdecimal() and int(path.stem) not in numbers:
                erase_key(path)
        if numbers:
            _cut_tail(segment_path(self._folder, numbers[-1]), self.writer)
        return _bytes_in(self._folder)


def _cut_tail(path: Path, writer: str) -> None:
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        size, end = os.fstat(file.fileno()).st_size, len(HEADER)
        with suppress(Torn):
            while end < size:
                end = end_of(sealed_at(file.fileno(), end), end)
        if end < size:
            _log.warning("spool_tail_cut", writer=writer, segment=path.stem, cut_bytes=size - end)
            file.truncate(end)
            os.fsync(file.fileno())


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.glob("*.seg"):
        with suppress(FileNotFoundError):  # the reader removes them meanwhile
            total += path.stat().st_size
    return total


def _write_fully(handle: int, written: bytes) -> None:
    left = memoryview(written)
    while left:
        left = left[os.write(handle, left) :]


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable("spool") from error
