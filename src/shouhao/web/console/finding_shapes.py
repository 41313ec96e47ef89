"""Finding shapes: runs, findings and all that is known of one, as the console's pages are given them."""

from typing import Literal

from pydantic import ConfigDict

from shouhao.detect.model import Level, SubjectKind
from shouhao.detect.report.model import Compression
from shouhao.detect.store.findings import State
from shouhao.detect.store.judgements import Judgement
from shouhao.web.fields import Body, Instant, LongText, ShortText, Shown


class _Shape(Shown):
    """Read off a value of the flows that has the same fields."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class TextShown(_Shape):
    """A sentence in both languages."""

    zh: str
    en: str


class RunShown(_Shape):
    """One analysis."""

    run_id: str
    name: str
    live: bool
    taken_at: Instant
    from_at: Instant | None
    to_at: Instant | None
    findings: dict[Level, int]
    rings: int
    hits: int
    events: int
    agree: bool


class SubjectShown(_Shape):
    """Whom or what a finding is about."""

    kind: SubjectKind
    id: str


class FindingShown(_Shape):
    """A finding in a list; its id masked."""

    finding_id: str
    run_id: str
    subject: SubjectShown
    level: Level
    score: float
    first_at: Instant
    last_at: Instant
    members: int
    headline: TextShown
    reasons: list[str]
    speaks_for: int
    state: State
    seen_before: int
    stands: bool


class FacetShown(_Shape):
    """How many findings have a reason."""

    count: int
    zh: str
    en: str


class FindingList(_Shape):
    """A page of findings of one run, and what there is to choose from."""

    runs: list[RunShown]
    findings: list[FindingShown]
    next: str | None
    levels: dict[Level, int]
    reasons: dict[str, FacetShown]
    level_from: dict[Level, float]


class ReasonShown(_Shape):
    """A reason with its figures."""

    code: str
    name: TextShown
    says: TextShown
    measured: float | None
    expected: float | None
    threshold: float | None
    weight: float
    evidence: int


class SpeaksShown(_Shape):
    """Something that speaks for the subject, or was taken off because reasons overlap."""

    code: str
    name: TextShown
    says: TextShown
    weight: float
    evidence: int


class MemberShown(_Shape):
    """Somebody named beside the subject."""

    kind: SubjectKind
    id: str
    finding_id: str | None
    state: State | None


class NodeShown(_Shape):
    """A member of a ring, or what ties members together."""

    n: int
    kind: str
    label: str
    shared_by: int | None
    finding_id: str | None
    state: State | None


class EdgeShown(_Shape):
    """A tie between two nodes, by their numbers."""

    a: int
    b: int
    kind: str
    weight: float
    bridge: bool
    n: int
    first_at: Instant | None
    last_at: Instant | None


class RingShown(_Shape):
    """A ring to walk."""

    nodes: list[NodeShown]
    edges: list[EdgeShown]


class ComparedShown(_Shape):
    """A histogram of a subject against the others; edges in microseconds, or hours of the day."""

    edges: list[int]
    subject: list[int]
    others: list[int]
    people: int


class RhythmShown(_Shape):
    """When a subject acts."""

    gaps: ComparedShown | None
    reactions: ComparedShown | None
    hours: ComparedShown | None


class JudgedShown(_Shape):
    """What somebody made of it."""

    at: Instant
    operator_name: str | None
    judgement: Judgement
    reason: str


class EarlierShown(_Shape):
    """The same subject on an earlier night."""

    finding_id: str
    run_id: str
    name: str
    level: Level
    state: State


class BlockShown(_Shape):
    """A stretch of a file that a reason cites; its lines as they stand there."""

    file: str
    byte_start: int
    byte_end: int
    compression: Compression
    lines: list[str]
    cut_short: bool
    trouble: TextShown | None


class LinesShown(_Shape):
    """Raw lines: stretches for each reason, and for each thing that speaks for the subject, in their order."""

    reasons: list[list[BlockShown]]
    speaks_for: list[list[BlockShown]]


class FindingDetailShown(_Shape):
    """Everything about one finding, its ids masked."""

    finding_id: str
    run_id: str
    subject: SubjectShown
    level: Level
    score: float
    first_at: Instant
    last_at: Instant
    headline: TextShown
    base: float
    reasons: list[ReasonShown]
    speaks_for: list[SpeaksShown]
    state: State
    seen_before: int
    stands: bool
    members: list[MemberShown]
    ring_id: str | None
    ring: RingShown | None
    rhythm: RhythmShown | None
    judgements: list[JudgedShown]
    earlier: list[EarlierShown]
    detector_versions: dict[str, int]
    input_sha256: dict[str, str]
    level_from: dict[Level, float]


class FindingWhole(FindingDetailShown):
    """The same with nothing masked, and the raw lines; the look is on record."""

    lines: LinesShown


class LookBody(Body):
    """Why somebody looks, and on whose authority; without it, the role's duty."""

    reason: LongText
    authority: ShortText | None = None


class JudgementBody(Body):
    """What a person makes of a finding, and why."""

    judgement: Literal["upheld", "dismissed", "watched"]
    reason: LongText


class JudgedAnswer(Shown):
    """What it stands at now."""

    state: State
