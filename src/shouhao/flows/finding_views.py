"""Finding views: what people are shown of runs and findings. Values only; masked ones hold no whole id."""

from collections.abc import Mapping
from dataclasses import dataclass

from shouhao.detect.model import Level, Says, SubjectKind
from shouhao.detect.report.model import Compression, Rhythm
from shouhao.detect.store.findings import State
from shouhao.detect.store.judgements import Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One analysis."""

    run_id: str
    name: str
    live: bool
    taken_at: int
    from_at: int | None
    to_at: int | None
    findings: Mapping[Level, int]  #: by level
    rings: int
    hits: int
    events: int
    agree: bool  #: False: the folder's two files told different findings


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectView:
    """Whom or what a finding is about."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A finding in a list."""

    finding_id: str
    run_id: str
    subject: SubjectView
    level: Level
    score: float
    first_at: int
    last_at: int
    members: int
    headline: Says
    reasons: tuple[str, ...]  #: codes
    speaks_for: int
    state: State
    seen_before: int  #: on how many earlier nights
    stands: bool  #: False: a live run finds it no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How many findings of a run have a reason."""

    count: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsView:
    """A page of findings of one run, and what there is to choose from."""

    runs: tuple[RunView, ...]
    findings: tuple[FindingView, ...]
    next: str | None
    levels: Mapping[Level, int]
    reasons: Mapping[str, Facet]
    level_from: Mapping[Level, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """A reason with its figures."""

    code: str
    name: Says
    says: Says
    measured: float | None
    expected: float | None
    threshold: float | None
    weight: float
    evidence: int  #: rows it rests on


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeaksView:
    """Something that speaks for the subject, or was taken off because reasons overlap."""

    code: str
    name: Says
    says: Says
    weight: float
    evidence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    """Somebody named beside the subject, with the finding about them in the same run."""

    kind: str
    id: str
    finding_id: str | None
    state: State | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A member of a ring, or what ties members together."""

    n: int
    kind: str
    label: str
    shared_by: int | None
    finding_id: str | None
    state: State | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeView:
    """A tie."""

    a: int
    b: int
    kind: str
    weight: float
    bridge: bool
    n: int
    first_at: int | None
    last_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RingView:
    """A ring to walk."""

    nodes: tuple[NodeView, ...]
    edges: tuple[EdgeView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedView:
    """What somebody made of it."""

    at: int
    operator_name: str | None
    judgement: Judgement
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierView:
    """The same subject on an earlier night."""

    finding_id: str
    run_id: str
    name: str
    level: Level
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """A stretch of a file that a reason cites."""

    file: str
    byte_start: int
    byte_end: int
    compression: Compression
    lines: tuple[str, ...]
    cut_short: bool
    trouble: Says | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinesView:
    """Raw lines: stretches for each reason, and for each thing that speaks for the subject, in their order."""

    reasons: tuple[tuple[BlockView, ...], ...]
    speaks_for: tuple[tuple[BlockView, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDetail:
    """One finding, with everything that is known of it."""

    finding_id: str
    run_id: str
    subject: SubjectView
    level: Level
    score: float
    first_at: int
    last_at: int
    headline: Says
    base: float  #: where the score started
    reasons: tuple[ReasonView, ...]
    speaks_for: tuple[SpeaksView, ...]
    state: State
    seen_before: int
    stands: bool
    members: tuple[MemberView, ...]
    ring_id: str | None  #: the finding of the ring that the subject is a member of
    ring: RingView | None
    rhythm: Rhythm | None
    judgements: tuple[JudgedView, ...]
    earlier: tuple[EarlierView, ...]
    detector_versions: Mapping[str, int]
    input_sha256: Mapping[str, str]
    level_from: Mapping[Level, float]
    lines: LinesView | None = None  #: for whoever has looked on record
