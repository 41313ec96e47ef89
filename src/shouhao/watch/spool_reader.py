"""Spool reader: the arrivals of all writers in the order in which they came, from where the last reader stopped.

Two places are kept for each writer, both by the caller in the transaction that holds what came of the arrivals: up to
`done` everything had its effect, and from `kept` on it is read again after a crash, to know the passages that were
still open. What lies before `kept` is erased: the key first, then the bytes. One reader at a time.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec
import structlog

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import Tampered, Unavailable
from shouhao.store.durable import sync_folder
from shouhao.store.sealed_keys import erase_key, find_key
from shouhao.store.vault import Sealer
from shouhao.watch.model import Arrival
from shouhao.watch.spool_format import (
    HEADER,
    Place,
    Torn,
    arrival_of,
    end_of,
    key_context,
    key_path,
    next_whole,
    sealed_at,
    segment_path,
    segments_in,
)

_log = structlog.get_logger()

START = Place(0, 0)
_LOCK = "reader.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far one writer's spool was worked off."""

    done: Place = START
    kept: Place = START  #: not beyond `done`


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """One arrival and where it stands."""

    writer: str
    start: Place
    end: Place
    again: bool  #: it had its effect before the last crash
    arrival: Arrival | None  #: None: damaged, or not opened


@dataclass(slots=True)
class _Cursor:
    """Where reading one writer's spool stands."""

    writer: str
    folder: Path
    done: Place
    place: Place
    handle: int | None = None
    sealer: Sealer | None = None
    head: Spooled | None = None  #: was read and not handed out yet


class SpoolReader:
    """Reads what writers append, and erases what was worked off."""

    def __init__(self, folder: Path, sealer: Sealer, positions: Mapping[str, Position] | None = None) -> None:
        """Take the spools of all writers.

        Args:
            folder: of all writers.
            sealer: of the segments' keys.
            positions: by writer, as they were stored; they may be set until the first read.
        Raises:
            Unavailable: another process reads them.
        """
        self.positions: Mapping[str, Position] = positions or {}
        self._folder, self._sealer = folder, sealer
        self._cursors: dict[str, _Cursor] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._owned = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._owned, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._owned)
            raise Unavailable("spool reader") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for cursor in self._cursors.values():
            _leave(cursor)
        self._cursors.clear()
        if self._owned >= 0:
            os.close(self._owned)
            self._owned = -1

    def read(self, *, most: int = 64, bytes_most: int = 64 * 1024 * 1024, unread: bool = False) -> list[Spooled]:
        """The next arrivals, the earliest first; none: there are no more now.

        Args:
            bytes_most: of their bodies; one arrival is handed out however large.
            unread: do not open them: they are told only so that it is known how far was read.
        """
        self._find_writers()
        found: list[Spooled] = []
        size = 0
        while len(found) < most and size < bytes_most:
            heads = [(cursor, head) for cursor in self._cursors.values() if (head := self._head(cursor, unread))]
            if not heads:
                break
            cursor, head = min(heads, key=_came)
            cursor.head, cursor.place = None, head.end
            found.append(head)
            size += 0 if head.arrival is None else len(head.arrival.body)
        return found

    def erase_done(self, positions: Mapping[str, Position], *, now_us: int, segment_s: float = 10.0) -> int:
        """Erase the segments that nobody will read again; how many.

        Args:
            positions: as they were committed.
            segment_s: the segment being written to goes only when it is that old, or each arrival would make a key.
        """
        erased = 0
        for writer, position in positions.items():
            folder = self._folder / writer
            numbers = segments_in(folder)
            for number in numbers:
                if number > position.kept.segment:
                    break
                is_last = number == numbers[-1]
                if is_last and now_us - number < segment_s * SECOND_US:
                    break
                end = None if number < position.kept.segment else position.kept.offset
                erased += _erase_segment(folder, number, end=end)
        return erased

    def _find_writers(self) -> None:
        for folder in sorted(self._folder.iterdir()):
            if folder.name not in self._cursors and folder.is_dir():
                position = self.positions.get(folder.name, Position())
                self._cursors[folder.name] = _Cursor(folder.name, folder, position.done, position.kept)

    def _head(self, cursor: _Cursor, unread: bool) -> Spooled | None:
        """The next arrival of one writer, if there is one."""
        while cursor.head is None:
            if cursor.handle is None and not self._open_next(cursor):
                return None
            handle = cursor.handle
            if handle is None:
                continue
            try:
                sealed = sealed_at(handle, cursor.place.offset)
            except Torn:
                if not self._pass_by(cursor, handle):
                    return None
                continue
            end = Place(cursor.place.segment, end_of(sealed, cursor.place.offset))
            cursor.head = _spooled(cursor, end, None if unread else _opened(cursor, sealed))
        return cursor.head

    def _open_next(self, cursor: _Cursor) -> bool:
        """Open the segment where the cursor stands, or the next one."""
        for number in segments_in(cursor.folder):
            if number < cursor.place.segment:
                continue
            if number > cursor.place.segment:
                cursor.place = Place(number, len(HEADER))
            try:
                cursor.handle = os.open(segment_path(cursor.folder, number), os.O_RDONLY)
            except FileNotFoundError:
                continue
            cursor.place = Place(number, max(cursor.place.offset, len(HEADER)))
            cursor.sealer = self._key_of(cursor)
            return True
        return False

    def _key_of(self, cursor: _Cursor) -> Sealer | None:
        number = cursor.place.segment
        try:
            sealer = find_key(key_path(cursor.folder, number), self._sealer, context=key_context(cursor.writer, number))
        except Tampered:
            _log.error("spool_tampered", writer=cursor.writer, segment=number, what="key")
            return None
        if sealer is None and Place(number, os.fstat(cursor.handle or 0).st_size) > cursor.done:
            _log.error("spool_key_missing", writer=cursor.writer, segment=number)
        return sealer

    def _pass_by(self, cursor: _Cursor, handle: int) -> bool:
        """Go on where no whole frame stands: behind damage, or to the next segment. False: it may still be written."""
        newer = [number for number in segments_in(cursor.folder) if number > cursor.place.segment]
        if not newer:
            if os.fstat(handle).st_nlink == 0:
                _leave(cursor)
            return False
        # It was left by its writer, but perhaps only after we looked.
        with suppress(Torn):
            sealed_at(handle, cursor.place.offset)
            return True
        size = os.fstat(handle).st_size
        if cursor.place.offset < size:
            end = next_whole(handle, cursor.place.offset, size)
            _log.error(
                "spool_damaged",
                writer=cursor.writer,
                segment=cursor.place.segment,
                offset=cursor.place.offset,
                lost_bytes=end - cursor.place.offset,
            )
            cursor.head = _spooled(cursor, Place(cursor.place.segment, end), None)
            return True
        _leave(cursor)
        cursor.place = Place(newer[0], len(HEADER))
        return True


def _came(headed: tuple[_Cursor, Spooled]) -> tuple[int, str]:
    """Order of arrival; what could not be opened has none and is passed first."""
    cursor, head = headed
    return (0 if head.arrival is None else head.arrival.arrived_at_us, cursor.writer)


def _spooled(cursor: _Cursor, end: Place, arrival: Arrival | None) -> Spooled:
    return Spooled(writer=cursor.writer, start=cursor.place, end=end, again=end <= cursor.done, arrival=arrival)


def _opened(cursor: _Cursor, sealed: bytes) -> Arrival | None:
    if cursor.sealer is None:
        return None
    try:
        return arrival_of(sealed, cursor.sealer, cursor.place)
    except (Tampered, msgspec.MsgspecError):
        _log.error(
            "spool_tampered",
            writer=cursor.writer,
            segment=cursor.place.segment,
            offset=cursor.place.offset,
            what="arrival",
        )
        return None


def _leave(cursor: _Cursor) -> None:
    if cursor.handle is not None:
        os.close(cursor.handle)
    cursor.handle = cursor.sealer = None


def _erase_segment(folder: Path, number: int, *, end: int | None) -> bool:
    """Erase one segment, its key first, unless somebody writes to it now or wrote behind `end`."""
    path = segment_path(folder, number)
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if end is not None and os.fstat(file.fileno()).st_size > end:
                return False
            erase_key(key_path(folder, number))
            path.unlink()
            sync_folder(folder)
    except FileNotFoundError:
        return False
    return True


def writers_in(folder: Path) -> Iterator[str]:
    """The names of all who ever wrote here."""
    if folder.is_dir():
        yield from sorted(one.name for one in folder.iterdir() if one.is_dir())
