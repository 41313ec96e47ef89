"""Detection: what detectors see, say and are told. Values only.

A detector counts with Ibis expressions over the two tables and judges the small tables that come out; it never reads a
file, a clock or chance. What it says is a `Suspicion` about one subject: one reason with what was measured, what would
be expected, from where on it counts, and how much it weighs. Weights are log-odds (natural logarithm), so that reasons
which do not depend on each other add up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:  # they take seconds, and whoever reads what was found needs neither
    import pyarrow as pa
    from ibis.expr.types import Table

SubjectKind = Literal["account", "device", "ip", "prefix", "staff", "ring", "patient", "payer", "session"]
TableName = Literal["events", "hits"]
TABLES: tuple[TableName, ...] = ("events", "hits")
Level = Literal["lead", "strong", "certain-pattern"]
LEVELS: tuple[Level, ...] = ("lead", "strong", "certain-pattern")

#: Columns of `hits`, one row a log line that was understood. Null where the log does not say.
HIT_COLUMNS: Mapping[str, str] = {
    "source": "int32",  # number of the file, see `Source`
    "byte_start": "int64",  # of the line in its file, after decompression
    "byte_end": "int64",  # one past its last byte, the line end left out
    "at_us": "int64",
    "ip": "string",
    "method": "string",
    "path": "string",  # with query
    "status": "int32",
    "bytes": "int64",
    "user_agent": "string",
    "device_id": "string",
    "session_token": "string",
    "account_id": "string",
    "latency_ms": "float64",
}
#: Beside them where logs were read into `hits`: whether somebody meant the request, told once of each distinct path.
OPERATION = "operation"
#: What comes along with a page: pictures, styles, scripts.
STATIC_PATH = (
    r"(?i)\.(css|js|mjs|map|png|jpe?g|gif|webp|avif|ico|svg|woff2?|ttf|otf|eot|mp[34]|webm|wxss|wasm|txt|xml)(\?|$)"
)
#: Columns of `events` beyond those of kernel/events.py (`at_us` and `released_at_us` for the instants, `detail` as JSON
#: text). Both are null for events that the platform hands over itself.
EVENT_PLACES: Mapping[str, str] = {"source": "int32", "byte_start": "int64", "byte_end": "int64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input file."""

    number: int  #: in the order of name and hash, so that the order on the command line changes nothing
    name: str
    sha256: str  #: of the file as it lies there
    size_bytes: int
    kind: Literal["access_log", "events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom or what a finding is about."""

    kind: SubjectKind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows a reason rests on; evidence.py finds their places."""

    table: TableName
    where: Mapping[str, Any] = field(default_factory=dict)  #: column: value, or a tuple of values
    from_us: int | None = None
    until_us: int | None = None  #: inclusive
    event_ids: tuple[str, ...] = ()  #: these alone, where a detector knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """One sentence in both languages; it never names a person, only pseudonyms and figures."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """One reason of one detector about one subject."""

    subject: Subject
    code: str  #: stable, `detector.pattern`
    says: Says
    measured: float
    expected: float  #: of an honest subject in these data
    threshold: float
    weight: float  #: log-odds; negative speaks for the subject
    first_at_us: int
    last_at_us: int
    wanted: tuple[Wanted, ...]
    owasp: str | None = None  #: name of the automated threat, where one fits
    cohort: str | None = None  #: names the group, where the rule has found several at once
    members: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaks:
    """Something that speaks for a subject: a family, a shared Wi-Fi, a care home."""

    subject: Subject
    code: str
    says: Says
    weight: float  #: log-odds, negative
    wanted: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What detectors count in. A column that no input has is there and null; `has` tells which carry anything."""

    hits: "Table"
    events: "Table"
    has: frozenset[str]  #: "hits.ip", "events.device_id", ...: columns with at least one value
    per_minute: "Table | None" = None  #: of hits, where counting.py has made it once for all rules
    events_per_minute: "Table | None" = None  #: of events, likewise
    networks: "Table | None" = None  #: prefix (as identifiers.py writes it), asn (int64), name: who runs which network


class Detector(Protocol):
    """One rule, in one file of rules/, listed in rules/__init__.py.

    It must pass tests/detect/detector_checks.py: it finds its seeded pattern, abstains on small samples, explains
    itself, survives missing columns, and says the same in any order of rows.
    """

    code: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[frozenset[str]]  #: columns without any of which it abstains
    policy: Any  #: its thresholds and weights, a frozen dataclass of its own

    def __init__(self, policy: Any = None) -> None:
        """Judge by this policy, or by the rule's own."""
        ...

    def count(self, tables: Tables) -> "Mapping[str, Table]":
        """The heavy counting: a few expressions whose results are small. Nothing is run here."""
        ...

    def judge(self, counted: "Mapping[str, pa.Table]") -> Iterable[Suspicion | Speaks]:
        """What the counts mean. Pure, and in an order that depends on the counts alone."""
        ...
