"""Excerpts: the first lines of the places that a reason cites, read back from the files themselves.

What the page shows is thus what lies in the file, and not what was made of it on the way. Offsets count in the unpacked
stream, so each file is gone through once, forwards. Little is read: a few lines a reason, cut where they are long.
"""

import gzip
import zlib
from codecs import getincrementaldecoder
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import IO, Any

from shouhao.detect.model import Says
from shouhao.detect.report.model import Compression, Excerpt, FindingExcerpts
from shouhao.detect.report.saying import words

MOST_LINES = 3  #: of one reason
_MOST_BYTES = 2_048  # of one stretch
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x50, 0x60)  # first byte of a frame of zstd that carries no data, as pzstd writes one
_SKIPPABLE_REST = b"\x2a\x4d\x18"
_ENCODINGS = ("utf-8", "gb18030")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A file that is open already, as its bytes before packing."""

    text: bytes | mmap
    compression: Compression  #: of the file as it lies there


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    file: str
    byte_start: int
    byte_end: int


def read_excerpts(
    findings: Iterable[Mapping[str, Any]], files: Mapping[str, Path | Unpacked], *, lines: int = MOST_LINES
) -> dict[str, FindingExcerpts]:
    """The excerpts of findings, by finding_id.

    Args:
        findings: those that stand in full on the page.
        files: the files that they cite, or where they lie, by the name under which they are cited.
        lines: at most, of one reason.
    """
    told = list(findings)
    parts = ("reasons", "speaks_for")
    chosen = {
        (n, part): [_chosen(reason.get("evidence", ()), lines) for reason in finding.get(part, ())]
        for n, finding in enumerate(told)
        for part in parts
    }
    wanted = sorted({one for reasons in chosen.values() for of in reasons for one in of}, key=_by_place)
    read = _read(wanted, files)
    return {
        finding["finding_id"]: FindingExcerpts(
            **{part: tuple(_within(of, read, lines) for of in chosen[(n, part)]) for part in parts}
        )
        for n, finding in enumerate(told)
    }


def _chosen(evidence: Iterable[Mapping[str, Any]], lines: int) -> list[_Stretch]:
    places = [one for one in evidence if "file" in one][:lines]
    return [_Stretch(file=p["file"], byte_start=p["byte_start"], byte_end=p["byte_end"]) for p in places]


def _within(chosen: Sequence[_Stretch], read: Mapping[_Stretch, Excerpt], lines: int) -> tuple[Excerpt, ...]:
    """The excerpts of one reason, as many as fit into the lines it may have."""
    kept, left = [], lines
    for stretch in chosen:
        excerpt = read[stretch]
        if left <= 0:
            break
        shown = excerpt.lines[:left]
        left -= max(1, len(shown))
        kept.append(replace(excerpt, lines=shown, cut_short=excerpt.cut_short or len(shown) < len(excerpt.lines)))
    return tuple(kept)


def _read(wanted: Sequence[_Stretch], files: Mapping[str, Path | Unpacked]) -> dict[_Stretch, Excerpt]:
    """Excerpts of stretches in the order of their files and bytes."""
    by_file: dict[str, list[_Stretch]] = defaultdict(list)
    for stretch in wanted:
        by_file[stretch.file].append(stretch)
    return {s: e for file, of in by_file.items() for s, e in zip(of, _of_file(files.get(file), of), strict=True)}


def _of_file(path: Path | Unpacked | None, stretches: Sequence[_Stretch]) -> list[Excerpt]:
    if isinstance(path, Unpacked):
        return [_of_text(path, stretch) for stretch in stretches]
    if path is None or not path.is_file():
        return [_excerpt(stretch, b"", "none", words("trouble.missing")) for stretch in stretches]
    found = []
    compression = compression_of(path)
    with path.open("rb") as file:
        stream = _Forwards(_unpacked(file, compression))
        for stretch in stretches:
            try:
                raw = stream.read(stretch.byte_start, min(_MOST_BYTES, stretch.byte_end - stretch.byte_start))
                trouble = None if raw else words("trouble.short")
            except _broken():
                raw, trouble = b"", words("trouble.broken")
            found.append(_excerpt(stretch, raw, compression, trouble))
    return found


def _of_text(file: Unpacked, stretch: _Stretch) -> Excerpt:
    raw = bytes(file.text[stretch.byte_start : min(stretch.byte_end, stretch.byte_start + _MOST_BYTES)])
    return _excerpt(stretch, raw, file.compression, None if raw else words("trouble.short"))


class _Forwards:
    """Reads stretches that may overlap, in the order of their beginnings, from a stream without a way back."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._start, self._last = 0, b""

    def read(self, start: int, count: int) -> bytes:
        behind = self._last[start - self._start :]
        if not behind:
            self._stream.seek(start)
        if len(behind) < count:
            behind += self._stream.read(count - len(behind))
        self._start, self._last = start, behind
        return behind[:count]


def compression_of(path: Path) -> Compression:
    """How a file is packed, from its first bytes; its name may say anything."""
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(_GZIP):
        return "gzip"
    if start == _ZSTD or (start[1:] == _SKIPPABLE_REST and start[0] in _SKIPPABLE):
        return "zstd"
    return "none"


def _unpacked(file: IO[bytes], compression: Compression) -> Any:
    """The stream as it is before packing; it can be wound forwards."""
    if compression == "gzip":
        return gzip.GzipFile(fileobj=file)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - wanted for packed logs alone

        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
    return file


def _broken() -> tuple[type[Exception], ...]:
    import zstandard  # noqa: PLC0415 - as above

    return (EOFError, OSError, zlib.error, zstandard.ZstdError)


def _excerpt(stretch: _Stretch, raw: bytes, compression: Compression, trouble: Says | None) -> Excerpt:
    whole = len(raw) == stretch.byte_end - stretch.byte_start
    encoding, content = _decoded(raw, whole=whole)
    lines = [line.removesuffix("\r") for line in content.split("\n")] if content else []
    return Excerpt(
        file=stretch.file,
        byte_start=stretch.byte_start,
        byte_end=stretch.byte_end,
        compression=compression,
        lines=tuple(lines[:MOST_LINES]),
        cut_short=trouble is None and (not whole or len(lines) > MOST_LINES),
        encoding=encoding,
        trouble=trouble,
    )


def _decoded(raw: bytes, *, whole: bool) -> tuple[str, str]:
    """The encoding and the text; bytes that fit no encoding stay, one by one, as what they are."""
    for encoding in _ENCODINGS:
        try:
            return encoding, getincrementaldecoder(encoding)().decode(raw, final=whole)
        except UnicodeDecodeError:
            continue
    return _ENCODINGS[0], raw.decode(errors="surrogateescape")


def _by_place(stretch: _Stretch) -> tuple[str, int, int]:
    return stretch.file, stretch.byte_start, stretch.byte_end
