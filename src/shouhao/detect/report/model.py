"""Report: everything the page shows, as plain values. Whoever fills it has done all reading and counting before.

The page is made of these values and nothing else: no clock, no file, no table. Text in them may come from an attacker
(ids, user agents, file names, log lines); it is kept here as it is, and made visible where the page is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from shouhao.detect.model import Level, Says, TableName

Compression = Literal["none", "gzip", "zstd"]

VERSION = 1  #: of a report as a file holds it; a change that older readers would misread makes it one more


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """One input file, and what was got out of it."""

    name: str  #: as findings cite it; whoever checks has the file under this name
    sha256: str  #: of the file as it lies there
    size_bytes: int
    kind: Literal["access_log", "events"]
    rows: int  #: lines or events understood
    set_aside: int  #: lines not understood
    first_at_us: int | None = None
    last_at_us: int | None = None
    whole: bool = True  #: False where reading stopped before the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that was wrong in a file: the first of its kind there, and how many there were."""

    file: str
    line: int | None  #: from 1
    byte: int | None  #: where it begins, after decompression
    says: Says
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """How many of one kind were looked at."""

    kind: str  #: account, device, ip, patient, staff, session, ...
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Abstained:
    """A detector that said nothing because the data cannot tell."""

    code: str
    missing: tuple[str, ...]  #: columns, as "events.device_id"; empty when the data are too few


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Totals."""

    hits: int
    events: int
    duplicates: int  #: lines and events that stand in two files, counted once
    late: int = 0  #: events that came after their time had been closed, and were set in order
    looked_at: tuple[LookedAt, ...] = ()
    abstained: tuple[Abstained, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The time that both the logs and the events cover; what needs both was looked for there alone."""

    first_at_us: int
    last_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How far one source's clock is ahead of the other's, estimated from acts that both recorded."""

    source: str
    against: str
    ahead_us: int  #: median; negative when behind
    low_us: int  #: the middle half lies between low and high
    high_us: int
    pairs: int  #: acts seen in both


@dataclass(frozen=True, slots=True, kw_only=True)
class RingNode:
    """A member of a ring, or what ties its members together."""

    kind: str  #: account, device, payer, phone, ip, prefix, face, frame, patient, staff, ...
    id: str
    shared_by: int | None = None  #: accounts that have used it, in all the data; None for a member


@dataclass(frozen=True, slots=True, kw_only=True)
class RingEdge:
    """A tie between two nodes."""

    a: int  #: the member, by number in `Ring.nodes`
    b: int  #: what it shares
    weight: float
    bridge: bool = False  #: without what is shared here the ring would fall apart
    n: int = 1  #: how often it was used
    first_at_us: int = 0
    last_at_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """A ring as it is drawn."""

    finding_id: str
    nodes: tuple[RingNode, ...]
    edges: tuple[RingEdge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How fast the next release of the same doctor and weekday will be sold out."""

    releases: int  #: it was learnt from
    low_s: float  #: until all are taken; four of five times it lies between low and high
    middle_s: float
    high_s: float
    next_at_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HotSession:
    """A session whose slots were gone at once."""

    session_id: str
    doctor_id: str | None
    department_id: str | None
    released_at_us: int
    slots: int  #: that were booked after the release at all
    half_s: float  #: until half of these were gone
    most_s: float  #: until nine tenths of these were gone
    last_s: float
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SellOutCurve:
    """When the slots of a session were first taken."""

    session_id: str
    taken_s: tuple[float, ...]  #: since the release, ascending; one a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A histogram of a subject against the others."""

    edges: tuple[int, ...]  #: microseconds, or hours of the day; one more than there are bins
    subject: tuple[int, ...]  #: how many in each bin
    others: tuple[int, ...]
    people: int  #: how many others


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a subject acts, against the others of its kind; None where too little is known."""

    gaps: Compared | None = None  #: between consecutive requests
    reactions: Compared | None = None  #: from the release to the first try at a session
    hours: Compared | None = None  #: of the day


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Requests by minute of the day, all days together."""

    of: TableName
    by_minute: tuple[int, ...]  #: 1,440 counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A stretch of a file that a reason cites, with its first lines."""

    file: str
    byte_start: int
    byte_end: int
    compression: Compression
    lines: tuple[str, ...]  #: decoded and otherwise as they stand in the file
    cut_short: bool  #: the stretch has more than is shown
    encoding: str = "utf-8"
    trouble: Says | None = None  #: why it could not be read again


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingExcerpts:
    """Excerpts of one finding: a tuple for each reason, and for each thing that speaks for it."""

    reasons: tuple[tuple[Excerpt, ...], ...] = ()
    speaks_for: tuple[tuple[Excerpt, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The page's content."""

    sources: tuple[SourceRead, ...]  #: in the order of their numbers
    problems: tuple[Problem, ...]  #: in the order of file and line
    counts: Counts
    overlap: Overlap | None  #: None when there are only logs, only events, or no common time
    skew: tuple[Skew, ...]
    findings: tuple[Mapping[str, Any], ...]  #: as in findings.jsonl, sorted by score
    rings: tuple[Ring, ...]
    hot_sessions: tuple[HotSession, ...]  #: hottest first
    curves: tuple[SellOutCurve, ...]
    rhythms: Mapping[str, Rhythm]  #: by finding_id
    excerpts: Mapping[str, FindingExcerpts]  #: by finding_id
    command: tuple[str, ...]  #: as it was given, word by word
    made_at: str  #: ISO 8601, in the hospital's zone
    detector_versions: Mapping[str, int]
    activity: Activity | None = None
    level_from: Mapping[Level, float] = field(default_factory=dict)  #: score from which a level is reached
    version: int = VERSION
