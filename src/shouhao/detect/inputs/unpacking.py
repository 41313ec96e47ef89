"""Unpacking: what is in a gzip or zstd file, laid into a file without a name that vanishes with the process."""

import mmap
import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shouhao.kernel.errors import Unavailable

Text = mmap.mmap | bytes
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
PIECE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_ZSTD_READ_BYTES = 1 << 11  #: four bytes can unpack to a block of 128 KiB, and nothing else bounds what one call gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Where unpacking ended before its time."""

    at: int  #: byte after decompression
    zh: str
    en: str


class _DamagedError(Exception):
    """Compressed data that do not go on."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


class _GarbageError(Exception):
    """Something behind the compressed data."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


class _Spool:
    """What is unpacked, at its own offsets; of a line that is far too long the rest is a hole that takes no room."""

    def __init__(self, file: BinaryIO, line_limit: int) -> None:
        self._file, self._limit = file, line_limit
        self._open_line = 0  #: bytes since the last line end
        self.size = 0

    def take(self, piece: bytes) -> None:
        """Keep the next piece."""
        last = piece.rfind(b"\n")
        if last < 0 and self._open_line > self._limit:
            self._file.seek(len(piece), os.SEEK_CUR)
        else:
            self._file.write(piece)
        self._open_line = self._open_line + len(piece) if last < 0 else len(piece) - last - 1
        self.size += len(piece)


def unpacked(file: BinaryIO, magic: bytes, folder: Path | None, line_limit: int) -> tuple[Text, Stopped | None, int]:
    """What is in a compressed file, where it broke off, and how many bytes behind it were not understood.

    Raises:
        Unavailable: there is no room to unpack.
    """
    pieces = _gzip_pieces(file) if magic.startswith(GZIP) else _zstd_pieces(file)
    stopped, garbage = None, 0
    with tempfile.TemporaryFile(dir=folder) as room:
        spool = _Spool(room, line_limit)
        try:
            for piece in pieces:
                spool.take(piece)
        except _DamagedError as error:
            stopped = Stopped(at=spool.size, zh=error.zh, en=error.en)
        except _GarbageError as error:
            garbage = error.count
        except OSError as error:
            raise Unavailable(f"room to unpack ({error.strerror})") from None
        room.truncate(spool.size)
        room.flush()
        text: Text = mmap.mmap(room.fileno(), spool.size, access=mmap.ACCESS_READ) if spool.size else b""
    return text, stopped, garbage


def _gzip_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Unpack member after member, at most 1 MiB at a time."""
    member, data, first, begun = zlib.decompressobj(31), b"", True, False
    full = False  #: the last piece was as large as may be, so that there may be more without further data
    while True:
        if not (data or full):
            data = file.read(_READ_BYTES)
            if not data and begun:
                raise _DamagedError("gzip 被截断", "gzip is cut off")
            if not data:
                return
        if not (first or begun):
            data = data.lstrip(b"\0")  # tapes and some tools pad with zeros
            if not data:
                continue
            if data[0] != GZIP[0]:
                raise _GarbageError(len(data) + os.fstat(file.fileno()).st_size - file.tell())
        before = member.copy()
        try:
            piece = member.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            yield from _up_to_the_damage(before, data)
            raise _DamagedError("gzip 数据损坏", f"gzip is damaged ({error})") from None
        yield piece
        data, begun, full = member.unconsumed_tail, True, len(piece) == PIECE_BYTES
        if member.eof:
            data, member, first, begun, full = member.unused_data, zlib.decompressobj(31), False, False, False


def _up_to_the_damage(member: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """What can be had of data in which something is wrong, byte by byte."""
    try:
        for n in range(len(data)):
            yield member.decompress(data[n : n + 1])
    except zlib.error:
        return


def _zstd_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Unpack frame after frame."""
    import zstandard  # noqa: PLC0415 - wanted for such files alone

    frame, begun, data = zstandard.ZstdDecompressor().decompressobj(), False, b""
    while True:
        data = data or file.read(_ZSTD_READ_BYTES)
        if not data:
            if begun:
                raise _DamagedError("zstd 被截断", "zstd is cut off")
            return
        try:
            piece = frame.decompress(data)
        except zstandard.ZstdError as error:
            if "too much memory" in str(error):
                raise _DamagedError(
                    "zstd 的窗口超过 128 MiB（--long），请解压后再给出",
                    "its window is over 128 MiB (--long); unpack it first",
                ) from None
            raise _DamagedError("zstd 数据损坏", f"zstd is damaged ({error})") from None
        yield piece
        data, begun = b"", True
        if frame.eof:
            data, frame, begun = frame.unused_data, zstandard.ZstdDecompressor().decompressobj(), False
