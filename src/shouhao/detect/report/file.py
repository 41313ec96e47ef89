"""Report file: `report.json`, the page's content for programs, written last: a folder that holds it is complete.

A reader believes nothing that stands in it: its size, each type and each reference between its parts are checked, and
what is wrong is named by its place. Findings stay as the bytes they are, to be held against findings.jsonl.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from shouhao.detect.report.model import VERSION, Report
from shouhao.kernel.errors import InvalidInput

NAME = "report.json"
MOST_BYTES = 1 << 29
_LEAST_US, _MOST_US = -(1 << 62), 1 << 62
_MOST_LETTERS = 120  # of a place in the file that a refusal repeats
_AT = re.compile(r" - at (?:`key` in )?`\$\.?(?P<place>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>\w+)`")

T = TypeVar("T")


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A report as its file holds it."""

    report: Report  #: without its findings
    findings: tuple[msgspec.Raw, ...]  #: each as a line of findings.jsonl holds it


#: The report's fields, but for findings: their bytes as they stand.
_Stored = msgspec.defstruct(
    "_Stored",
    [
        (one.name, tuple[msgspec.Raw, ...] if one.name == "findings" else one.type)
        for one in fields(Report)
        if one.name != "version"
    ],
    frozen=True,
)


class _Form(msgspec.Struct, frozen=True):
    version: int = 0


def write_report_file(report: Report, out: Path) -> Path:
    """Write `report.json` into a folder, where it appears when it is whole and on disk; its path."""
    try:
        raw = msgspec.json.encode(report)
    except UnicodeEncodeError:  # bytes of a log, or of a file's name, that belong to no character
        raw = msgspec.json.encode(_writable(msgspec.to_builtins(report)))
    path, part = out / NAME, out / f"{NAME}.part"
    try:
        with part.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def read_report_file(path: Path) -> Read:
    """Read and check a report.

    Raises:
        InvalidInput: it is not there, too large, cut off, of another version, or breaks a rule; the field is named.
    """
    return report_from(read_plain(path, most_bytes=MOST_BYTES))


def report_from(raw: bytes) -> Read:
    """A report from the bytes of its file; as `read_report_file`."""
    version = _decoded(raw, _Form).version
    if version != VERSION:
        raise InvalidInput(f"{NAME}:version", zh=f"须为 {VERSION}", en=f"must be {VERSION}")
    stored = _decoded(raw, _Stored)
    values = {name: getattr(stored, name) for name in stored.__struct_fields__}
    findings: tuple[msgspec.Raw, ...] = values.pop("findings")
    report = Report(**values, findings=())
    for place in _broken(report):
        raise InvalidInput(f"{NAME}:{place}", zh="超出范围", en="is out of range")
    return Read(report=report, findings=findings)


def read_plain(path: Path, *, most_bytes: int) -> bytes:
    """The bytes of a plain file; never of a link, a pipe or a device that somebody put in its place.

    Raises:
        InvalidInput: there is none, it is no plain file, or it is larger than that.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        raise InvalidInput(path.name, zh="没有这个文件，或不能读取", en="is not there, or cannot be read") from None
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise InvalidInput(path.name, zh="不是普通文件", en="is no plain file")
    with os.fdopen(number, "rb") as file:
        raw = file.read(most_bytes + 1)
    if len(raw) > most_bytes:
        raise InvalidInput(path.name, zh=f"超过 {most_bytes >> 20} MiB", en=f"is larger than {most_bytes >> 20} MiB")
    return raw


def place_of(error: msgspec.DecodeError) -> str:
    """Where in a JSON text a rule was broken, as far as that is known."""
    at, missing = _AT.search(str(error)), _MISSING.search(str(error))
    parts = ("" if at is None else at["place"], "" if missing is None else missing["field"])
    return ".".join(part for part in parts if part)[:_MOST_LETTERS]


def _decoded(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        place = place_of(error) if isinstance(error, msgspec.DecodeError) else ""
        raise InvalidInput(
            f"{NAME}:{place}" if place else NAME,
            zh="不是完整的分析报告" if not place else "类型不符",
            en="is not a whole report" if not place else "is of the wrong type",
        ) from None


def _broken(report: Report) -> Iterator[str]:
    """Places of what no report can hold: edges to nowhere, instants that no database holds, bytes before a file."""
    for n, ring in enumerate(report.rings):
        for m, edge in enumerate(ring.edges):
            if not (0 <= edge.a < len(ring.nodes) and 0 <= edge.b < len(ring.nodes)):
                yield f"rings[{n}].edges[{m}]"
    for name, value in _numbers(report, ""):
        if not _LEAST_US <= value <= _MOST_US:
            yield name


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Each whole number in a value, with its place."""
    if isinstance(value, int):
        yield name, value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _numbers(getattr(value, one.name), f"{name}.{one.name}" if name else one.name)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _numbers(one, f"{name}[{key[:40]}]")
    elif isinstance(value, (tuple, list)):
        for n, one in enumerate(value):
            yield from _numbers(one, f"{name}[{n}]")


def _writable(value: Any) -> Any:
    r"""The same with bytes that belong to no character written as `\xNN`, for JSON has no place for them."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_writable(key): _writable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(one) for one in value]
    return value
