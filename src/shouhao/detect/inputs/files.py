"""Files: plain ones are mapped, compressed ones unpacked beside and mapped, each hashed as it lies there.

Whatever reads them sees one run of bytes, whose offsets are those that findings cite: for a plain file, of the file
itself, so that `dd` cuts a line out; for a compressed one, of what `gzip -dc` or `zstd -dc` gives. A file that breaks
off is read up to there. Nothing is held in memory: a map is the system's to drop, and what is unpacked lies in a file
without a name that vanishes with the process.

A plain file must not be shortened while it is read (logrotate's `copytruncate` does that): analyse copies, not the log
that nginx writes to.
"""

import hashlib
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from shouhao.detect.inputs.problems import Problems
from shouhao.detect.model import Source
from shouhao.kernel.errors import InvalidInput, Unavailable

LINE_LIMIT_BYTES = 1 << 20  #: a longer line is put aside
Kind = Literal["access_log", "events"]
Text = mmap.mmap | bytes

_PIECE_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_ZSTD_READ_BYTES = 1 << 11  #: four bytes can unpack to a block of 128 KiB, and nothing else bounds what one call gives
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_NOT_READ = {
    b"PK\x03\x04": "zip / xlsx",
    b"\xd0\xcf\x11\xe0": "xls",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_MAGIC_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Where unpacking ended before its time."""

    at: int  #: byte after decompression
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that is open for reading."""

    name: str  #: as much of its path as tells it from the others
    path: Path
    kind: Kind
    size_bytes: int
    packed: bool  #: its bytes have to be unpacked before anybody can cut a line out
    text: Text
    stopped: Stopped | None
    hashing: Future[str]
    read_from: int = 0  #: bytes before are known from an earlier run; a line begins here
    lines_before: int = 0  #: lines in those bytes

    def source(self, number: int) -> Source:
        """What findings say of it; waits until it is hashed."""
        return Source(
            number=number, name=self.name, sha256=self.hashing.result(), size_bytes=self.size_bytes, kind=self.kind
        )


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


def open_files(
    paths: Sequence[tuple[Path, Kind]],
    *,
    problems: Problems,
    spool: Path | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
    threads: int = 2,
) -> list[InputFile]:
    """Open files, in the order of their names, whatever the order they are given in.

    Args:
        spool: folder for what is unpacked; None for the system's own.
        line_limit: of a longer line no more than this, and a little, is unpacked.
    Raises:
        InvalidInput: there is no such file, or it is of a kind that is not read.
        Unavailable: there is no room to unpack.
    """
    once: dict[str, tuple[Path, Kind]] = {}
    for path, kind in paths:
        real = os.path.realpath(path)
        if real in once:
            problems.add("given_twice", path.name)
        once.setdefault(real, (path, kind))
    given = list(once.values())
    named = sorted(zip(short_names([path for path, _ in given]), given, strict=True))
    opening = partial(_open, spool=spool, line_limit=line_limit)
    hashing = ThreadPoolExecutor(1, "hash")
    try:
        with ThreadPoolExecutor(max(1, threads), "unpack") as pool:
            opened = list(pool.map(lambda one: opening(one[0], *one[1], hashing=hashing), named))
    except (InvalidInput, Unavailable):
        hashing.shutdown(wait=False, cancel_futures=True)
        raise
    hashing.shutdown(wait=False)
    for file, garbage in opened:
        if file.stopped is not None:
            stop = file.stopped
            problems.add("stopped", file.name, byte=stop.at, at=stop.at, why=f"{stop.zh} {stop.en}")
        if garbage:
            problems.add("after_the_end", file.name, byte=len(file.text), bytes=garbage)
        if not len(file.text) and file.stopped is None:
            problems.add("empty_file", file.name)
    return [file for file, _ in opened]


def short_names(paths: Sequence[Path]) -> list[str]:
    """For each path the shortest end of it that no other path has.

    >>> short_names([Path("/a/access.log"), Path("/b/access.log"), Path("/a/x.csv")])
    ['a/access.log', 'b/access.log', 'x.csv']
    """
    parts = [Path(os.path.abspath(path)).parts for path in paths]  # noqa: PTH100 - resolve() would follow links
    names = []
    for own in parts:
        count = 1
        while count < len(own) and sum(other[-count:] == own[-count:] for other in parts) > 1:
            count += 1
        names.append("/".join(own[-count:]))
    return names


def _open(
    name: str, path: Path, kind: Kind, *, spool: Path | None, line_limit: int, hashing: ThreadPoolExecutor
) -> tuple[InputFile, int]:
    """The file, and how many bytes behind its compressed data were not understood."""
    try:
        with path.open("rb") as file:
            magic = file.read(_MAGIC_BYTES)
            _refuse_others(name, magic, kind)
            file.seek(0)
            size = os.fstat(file.fileno()).st_size
            if not magic.startswith((_GZIP, _ZSTD)):
                text, stopped, garbage = _mapped(file, size), None, 0
                size = len(text)
            else:
                text, stopped, garbage = _unpacked(file, magic, spool, line_limit)
            opened = InputFile(
                name=name,
                path=path,
                kind=kind,
                size_bytes=size,
                packed=magic.startswith((_GZIP, _ZSTD)),
                text=text,
                stopped=stopped,
                hashing=hashing.submit(_hash_of, path, size),
            )
            return opened, garbage
    except OSError as error:
        raise InvalidInput(
            kind, zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
        ) from None


def _refuse_others(name: str, magic: bytes, kind: Kind) -> None:
    for start, what in _NOT_READ.items():
        if magic.startswith(start):
            raise InvalidInput(
                kind,
                zh=f"{name} 是 {what} 文件，请先转换为文本（UTF-8 或 GB18030）、gzip 或 zstd",
                en=f"{name} is {what}; give text (UTF-8 or GB18030), gzip or zstd",
            )


def _mapped(file: BinaryIO, size: int) -> Text:
    if not size:  # empty, or a pipe: those cannot be mapped
        return file.read()
    return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)


def _hash_of(path: Path, size: int) -> str:
    """The hash of as many bytes as were there when the file was opened.

    Read and not mapped: mapped pages would count as the process's memory.
    """
    digest, room, left = hashlib.sha256(), bytearray(_PIECE_BYTES), size
    with path.open("rb", buffering=0) as file:
        while left and (count := file.readinto(memoryview(room)[: min(left, len(room))])):
            digest.update(memoryview(room)[:count])
            left -= count
    return digest.hexdigest()


def forget(text: Text, begin: int, end: int) -> None:
    """Give back the memory of a stretch of a map; it is read again when it is wanted again."""
    first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
    if isinstance(text, mmap.mmap) and end > first:
        text.madvise(mmap.MADV_DONTNEED, first, end - first)


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


def _unpacked(file: BinaryIO, magic: bytes, folder: Path | None, line_limit: int) -> tuple[Text, Stopped | None, int]:
    pieces = _gzip_pieces(file) if magic.startswith(_GZIP) else _zstd_pieces(file)
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
            if data[0] != _GZIP[0]:
                raise _GarbageError(len(data) + os.fstat(file.fileno()).st_size - file.tell())
        before = member.copy()
        try:
            piece = member.decompress(data, _PIECE_BYTES)
        except zlib.error as error:
            yield from _up_to_the_damage(before, data)
            raise _DamagedError("gzip 数据损坏", f"gzip is damaged ({error})") from None
        yield piece
        data, begun, full = member.unconsumed_tail, True, len(piece) == _PIECE_BYTES
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
            raise _DamagedError("zstd 数据损坏", f"zstd is damaged ({error})") from None
        yield piece
        data, begun = b"", True
        if frame.eof:
            data, frame, begun = frame.unused_data, zstandard.ZstdDecompressor().decompressobj(), False
