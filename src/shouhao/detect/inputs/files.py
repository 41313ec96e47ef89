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
import stat
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.unpacking import GZIP, PIECE_BYTES, ZSTD, Stopped, Text, unpacked
from shouhao.detect.model import Source
from shouhao.kernel.errors import InvalidInput, Unavailable

LINE_LIMIT_BYTES = 1 << 20  #: a longer line is put aside
Kind = Literal["access_log", "events"]

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
_TAR, _TAR_AT = b"ustar", 257
_MAGIC_BYTES = _TAR_AT + len(_TAR)


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
            if once[real][1] != kind:
                raise InvalidInput(
                    kind, zh=f"{path} 既作日志又作事件给出", en=f"{path} is given both as a log and as events"
                )
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
            problems.add("stopped", file.name, byte=stop.at, at=stop.at, why_zh=stop.zh, why_en=stop.en)
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
        _refuse_pipes(path, kind)
        with path.open("rb") as file:
            magic = file.read(_MAGIC_BYTES)
            _refuse_others(name, magic, kind)
            file.seek(0)
            size = os.fstat(file.fileno()).st_size
            if not magic.startswith((GZIP, ZSTD)):
                text, stopped, garbage = _mapped(file, size), None, 0
                size = len(text)
            else:
                text, stopped, garbage = unpacked(file, magic, spool, line_limit)
                _refuse_others(name, text[:_MAGIC_BYTES], kind, packed=True)
            opened = InputFile(
                name=name,
                path=path,
                kind=kind,
                size_bytes=size,
                packed=magic.startswith((GZIP, ZSTD)),
                text=text,
                stopped=stopped,
                hashing=hashing.submit(_hash_of, path, size),
            )
            return opened, garbage
    except OSError as error:
        raise InvalidInput(
            kind, zh=f"无法读取 {path}：{error.strerror}", en=f"cannot read {path}: {error.strerror}"
        ) from None


def _refuse_pipes(path: Path, kind: Kind) -> None:
    """Findings cite bytes, and those of a pipe nobody can look at again."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidInput(
            kind,
            zh=f"{path} 不是普通文件（管道、设备或目录），请先存成文件：依据要能从文件中再取出",
            en=f"{path} is no plain file (a pipe, a device or a folder); make it one first: findings cite its bytes",
        )


def _refuse_others(name: str, magic: bytes, kind: Kind, *, packed: bool = False) -> None:
    if magic[_TAR_AT:] == _TAR or (packed and magic.startswith((GZIP, ZSTD))):
        raise InvalidInput(
            kind,
            zh=f"{name} 是打包文件（tar，或压缩了两次），请先解开成单个的日志",
            en=f"{name} is an archive (tar, or packed twice); unpack it to single logs first",
        )
    for start, what in _NOT_READ.items():
        if magic.startswith(start):
            raise InvalidInput(
                kind,
                zh=f"{name} 是 {what} 文件，请先转换为文本（UTF-8 或 GB18030）、gzip 或 zstd",
                en=f"{name} is {what}; give text (UTF-8 or GB18030), gzip or zstd",
            )


def _mapped(file: BinaryIO, size: int) -> Text:
    if not size:  # that cannot be mapped
        return file.read()
    return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)


def _hash_of(path: Path, size: int) -> str:
    """The hash of as many bytes as were there when the file was opened.

    Read and not mapped: mapped pages would count as the process's memory.
    """
    digest, room, left = hashlib.sha256(), bytearray(PIECE_BYTES), size
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
