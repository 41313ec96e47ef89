"""Records: what people hand in so that a switch may be on. A record is never changed; a newer one takes its place.

Each kind has its own fields, which are checked here. The document that people signed stays in the hospital's files;
here stand its SHA-256 and what the checks need of it. Records are kept for good: the law asks for three years at least
(PIPL 56, Face Measures 9), and nothing in this system deletes one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from shouhao.compliance.model import Switch
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.kernel.errors import InvalidInput

RecordKind = Literal[
    "necessity_memo", "impact_assessment", "police_filing", "face_filing", "retention", "equal_way", "incident"
]
RECORD_KINDS: tuple[RecordKind, ...] = get_args(RecordKind)

#: Kinds that are told for one switch; the others are told for the hospital.
OF_A_SWITCH: frozenset[RecordKind] = frozenset({"necessity_memo", "impact_assessment", "equal_way"})
KEPT_US = 3 * 366 * DAY_US  #: at least; they are kept for good
MOST_WINDOW_DAYS = 7  #: of frequent visitors
_LARGEST_BODY = 256 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")

Text = Annotated[str, Meta(min_length=2, max_length=4000)]
Line = Annotated[str, Meta(min_length=1, max_length=200)]


class Alternative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A milder way to the same end, and why it does not reach it."""

    what: Line
    why_not: Text


class NecessityMemo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """必要性说明: why public security needs this here (PIPL 26, Face Measures 4)."""

    purpose: Text
    method: Text
    necessary_because: Text
    rejected: Annotated[tuple[Alternative, ...], Meta(min_length=1, max_length=50)]
    signed_by: Line
    signed_on: date
    document_sha256: str


class ImpactAssessment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """个人信息保护影响评估, in the four parts of Face Measures 9, and the state of things that it looked at."""

    purpose: Text
    method: Text
    lawful: Text  #: purpose and method are lawful, legitimate, necessary
    impact: Text  #: on people's rights, and whether what softens it works
    risks: Text  #: of leak, tampering, loss, destruction, illegal obtaining, sale or use, and their harm
    measures: Text  #: are lawful, effective, and fit the risk
    camera_ids: Annotated[tuple[Line, ...], Meta(max_length=5000)]
    list_size: Annotated[int, Meta(ge=0, le=10_000_000)]  #: people on the watchlist
    window_days: Annotated[int, Meta(ge=0, le=MOST_WINDOW_DAYS)] = 0  #: of frequent visitors; nought: none is allowed
    signed_by: Line
    signed_on: date
    document_sha256: str


class FiledCamera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A camera as the police were told of it."""

    id: Line
    place: Annotated[str, Meta(max_length=400)]
    kind: Annotated[str, Meta(max_length=200)] = ""


class PoliceFiling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """备案 with the county's police, within 30 days of going live (Video Regulation 14)."""

    filed_on: date
    office: Line
    reference: Line
    cameras: Annotated[tuple[FiledCamera, ...], Meta(max_length=5000)]
    retention_days: Literal[30, 90]
    document_sha256: str


class FaceFiling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """备案 with the province's network authority, within 30 working days of 100,000 stored faces (Face Measures 15)."""

    filed_on: date
    reference: Line
    stored_faces: Annotated[int, Meta(ge=0)]
    document_sha256: str


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long pictures are kept: 30 days (Video Regulation 17), or 90 at a key target (Counter-Terrorism Law 32)."""

    days: Literal[30, 90]
    key_target: bool  #: 防范恐怖袭击重点目标
    why: Text


class EqualWay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people who show no face are served as well and as fast (Face Measures 10)."""

    way: Text
    where: Text
    answers_for_it: Line


class Incident(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A major security incident: the assessment is made anew after it (Face Measures 9)."""

    what: Text
    happened_on: date


Body = NecessityMemo | ImpactAssessment | PoliceFiling | FaceFiling | Retention | EqualWay | Incident
_BODIES: Mapping[RecordKind, type[Body]] = {
    "necessity_memo": NecessityMemo,
    "impact_assessment": ImpactAssessment,
    "police_filing": PoliceFiling,
    "face_filing": FaceFiling,
    "retention": Retention,
    "equal_way": EqualWay,
    "incident": Incident,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, as it was handed in."""

    id: str
    kind: RecordKind
    switch: Switch | None  #: None: it is the hospital's
    body: Body
    staff_id: str | None  #: who handed it in; None: from the command line
    at_us: int


def check_kind(kind: str, switch: str | None) -> RecordKind:
    """The kind, when it exists and is told for what it is given for.

    Raises:
        InvalidInput: neither.
    """
    found = next((one for one in RECORD_KINDS if one == kind), None)
    if found is None:
        listed = ", ".join(RECORD_KINDS)
        raise InvalidInput("kind", zh=f"只能是 {listed}", en=f"one of {listed}")
    if (found in OF_A_SWITCH) != (switch is not None):
        if switch is None:
            raise InvalidInput("switch", zh="须指明为哪一项功能", en="say for which switch")
        raise InvalidInput(
            "switch", zh="该记录属于全院，不分功能", en="this record is the hospital's, for no one switch"
        )
    return found


def read_body(kind: RecordKind, body: Mapping[str, Any], *, now_us: int) -> Body:
    """The body of a record, as its kind has it.

    Raises:
        InvalidInput: with the field and the rule that it breaks.
    """
    try:
        packed = msgspec.json.encode(body)
        if len(packed) > _LARGEST_BODY:
            raise InvalidInput("body", zh="内容过大", en="too large")
        read = msgspec.json.decode(packed, type=_BODIES[kind])
    except (msgspec.ValidationError, TypeError, ValueError, RecursionError) as error:
        said = str(error).encode("utf-8", "replace").decode()[:300]
        raise InvalidInput("body", zh=f"不符合该记录的格式：{said}", en=f"not as this record is: {said}") from None
    document = getattr(read, "document_sha256", None)
    if document is not None and not _SHA256.fullmatch(document):
        raise InvalidInput("document_sha256", zh="须为 64 位小写十六进制", en="64 lower-case hexadecimal digits")
    for field in ("signed_on", "filed_on", "happened_on"):
        on = getattr(read, field, None)
        if on is not None and on > day_of(now_us):
            raise InvalidInput(field, zh="不能晚于今天", en="not after today")
    if isinstance(read, Retention) and read.key_target and read.days != 90:  # noqa: PLR2004 - the law's number
        zh, en = "重点目标须保存 90 日（反恐怖主义法第32条）", "90 at a key target (Counter-Terrorism Law 32)"
        raise InvalidInput("days", zh=zh, en=en)
    return read


def body_type(kind: RecordKind) -> type[Body]:
    """What a record of this kind holds."""
    return _BODIES[kind]


def stored_body(kind: RecordKind, packed: str) -> Body:
    """A body as it was stored."""
    return msgspec.json.decode(packed, type=_BODIES[kind])


def packed_body(body: Body) -> str:
    """A body as it is stored."""
    return msgspec.json.encode(body).decode()
