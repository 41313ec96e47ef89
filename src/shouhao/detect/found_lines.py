"""Found lines: findings.jsonl read back, for whoever keeps what was found. Pure.

A batch writes each finding once. A live run adds a line whenever a finding has changed or is found no more, and the
last line of each counts. Nothing that stands there is believed: each line is held against its form, and a wrong one is
named by its number.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from shouhao.detect.model import Level, Says, SubjectKind
from shouhao.detect.report.file import place_of
from shouhao.kernel.errors import InvalidInput

NAME = "findings.jsonl"
MOST_BYTES = 1 << 29
MOST_LINE_BYTES = 16 << 20
MOST_FINDINGS = 200_000
BASE_RATE = "scoring.base_rate"
_MOST_SCORE = 100_000.0
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

Code = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,40}\.[a-z0-9_]{1,60}$")]
Moment = Annotated[datetime, Meta(tz=True)]
T = TypeVar("T")


class FoundSubject(Struct, frozen=True, kw_only=True):
    """Whom or what a finding is about, or names beside it."""

    kind: SubjectKind
    id: Annotated[str, Meta(min_length=1, max_length=4096)]


class FoundReason(Struct, frozen=True, kw_only=True):
    """A reason, or something that speaks for the subject, which has no figures."""

    code: Code
    says: Says
    weight: float
    measured: float | None = None
    expected: float | None = None
    threshold: float | None = None
    evidence: tuple[Raw, ...] = ()
    evidence_total: int | None = None

    @property
    def rows(self) -> int:
        """How many rows it rests on."""
        return len(self.evidence) if self.evidence_total is None else max(0, self.evidence_total)


class Found(Struct, frozen=True, kw_only=True):
    """One finding as its line tells it."""

    finding_id: str
    subject: FoundSubject
    members: tuple[FoundSubject, ...]
    score: float
    level: Level
    first_at: Moment
    last_at: Moment
    reasons: tuple[FoundReason, ...]
    speaks_for: tuple[FoundReason, ...]
    detector_versions: dict[str, int]
    input_sha256: dict[str, str]
    version: int = 0

    @property
    def base(self) -> float:
        """Where the score started."""
        return sum(one.weight for one in self.speaks_for if one.code == BASE_RATE)


class Head(Struct, frozen=True, kw_only=True):
    """What every line of a live run has; one that is found no more has nothing else."""

    finding_id: str
    version: int = 0
    stands: bool = True


class Line(Struct, frozen=True, kw_only=True):
    """The last that was said of one finding."""

    head: Head
    raw: bytes  #: the last line that tells the finding itself; empty where there is none
    found: Found | None


_HEAD, _FOUND = msgspec.json.Decoder(Head), msgspec.json.Decoder(Found)


def read_lines(raw: bytes, *, live: bool) -> tuple[Line, ...]:
    """Findings in the order in which they were first said.

    Raises:
        InvalidInput: a line is broken, too long, or says a finding anew; its number is named.
    """
    said: dict[str, Line] = {}
    for number, text in _numbered(raw, live=live):
        head = _decoded(_HEAD, text, number)
        before = said.get(head.finding_id)
        if before is not None and (not live or head.version <= before.head.version):
            raise _wrong(number, "finding_id", "发现编号重复", "tells a finding again")
        if head.stands:
            said[head.finding_id] = Line(head=head, raw=text, found=found_of(text, number))
        elif live:
            kept = before or Line(head=head, raw=b"", found=None)
            said[head.finding_id] = Line(head=head, raw=kept.raw, found=kept.found)
        else:
            raise _wrong(number, "stands", "不是实时分析的结果", "is of no live run")
        if len(said) > MOST_FINDINGS:
            raise _wrong(number, "", f"发现超过 {MOST_FINDINGS} 条", f"is beyond {MOST_FINDINGS} findings")
    return tuple(said.values())


def is_live(raw: bytes) -> bool:
    """Whether lines are those of a live run."""
    first = raw.partition(b"\n")[0]
    return bool(first) and len(first) <= MOST_LINE_BYTES and _decoded(_HEAD, first, 1).version > 0


def found_of(text: bytes, number: int = 1) -> Found:
    """One line, checked.

    Raises:
        InvalidInput: it breaks a rule.
    """
    found = _decoded(_FOUND, text, number)
    if not _ID.fullmatch(found.finding_id):
        raise _wrong(number, "finding_id", "不是发现编号", "is no id of a finding")
    figures = (found.score, *(one.weight for one in (*found.reasons, *found.speaks_for)))
    if not all(math.isfinite(one) and abs(one) <= _MOST_SCORE for one in figures):
        raise _wrong(number, "score", "超出范围", "is out of range")
    if not all(_FIRST_YEAR < one.year < _LAST_YEAR for one in (found.first_at, found.last_at)):
        raise _wrong(number, "first_at", "超出范围", "is out of range")
    if not 0 <= found.version < 1 << 31:
        raise _wrong(number, "version", "超出范围", "is out of range")
    return found


def _numbered(raw: bytes, *, live: bool) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers. A live run may be in the middle of its last one; a batch may not."""
    whole, _, rest = raw.rpartition(b"\n")
    if rest and not live:
        raise _wrong(whole.count(b"\n") + 2 if whole else 1, "", "没有写完", "is cut off")
    lines = whole.split(b"\n") if whole else []
    for number, text in enumerate(lines, 1):
        if len(text) > MOST_LINE_BYTES:
            most = MOST_LINE_BYTES >> 20
            raise _wrong(number, "", f"超过 {most} MiB", f"is longer than {most} MiB")
        yield number, text


def _decoded(decoder: msgspec.json.Decoder[T], text: bytes, number: int) -> T:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _wrong(number, place_of(error), "不符合格式", "is not of the form") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise _wrong(number, "", "不是 JSON", "is no JSON") from None


def _wrong(number: int, place: str, zh: str, en: str) -> InvalidInput:
    return InvalidInput(f"{NAME}:{number}{f':{place}' if place else ''}", zh=zh, en=en)
