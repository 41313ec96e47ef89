"""Run: the whole path from two tables to findings with their places.

Each detector counts and judges; what was said of accounts joins with what they share into rings; weights add up; the
rows behind each claim are found. What comes out depends on the tables and the detectors alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import ibis
import pyarrow as pa

from shouhao.detect import evidence
from shouhao.detect.counted.releases import with_releases
from shouhao.detect.counting import per_minute, united
from shouhao.detect.inputs.sql import as_dictionaries, drop_relation
from shouhao.detect.model import TABLES, Detector, Source, Speaks, Subject, Suspicion, Tables
from shouhao.detect.rings.bonds import bonds
from shouhao.detect.rings.company import company
from shouhao.detect.rings.joining import Ring, Rings, belongs, patients_of, with_patients
from shouhao.detect.rings.methods import same_method, works_alike
from shouhao.detect.rings.workdays import crowd_of, workdays, worked_of
from shouhao.detect.rules import DETECTORS
from shouhao.detect.scoring import Finding, ScoringPolicy, findings
from shouhao.detect.speaks_for import SpeaksFor

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@runtime_checkable
class JudgesRings(Protocol):
    """A detector that has something to say of whole rings as well, whose members may do little each."""

    def judge_rings(
        self, counted: Mapping[str, pa.Table], ring_of: Mapping[Subject, str]
    ) -> Iterable[Suspicion | Speaks]:
        """What its counts mean for rings: their ids by member."""
        ...


_WITHOUT_RELEASES = frozenset({"events.kind", "events.session_id", "events.account_id"})
#: What a detector counts in some tables, by name.
Counting = Callable[[Detector, Tables], Mapping[str, pa.Table]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was found."""

    findings: tuple[Mapping[str, Any], ...]  #: as lines of findings.jsonl, the highest score first
    rings: tuple[Ring, ...]  #: those that a finding is about
    abstained: Mapping[str, tuple[str, ...]]  #: by detector, the columns that it lacked
    detector_versions: Mapping[str, int]


def tables_of(connection: "DuckDBPyConnection", *, releases: bool = True) -> Tables:
    """The relations `hits` and `events` of a connection, as detectors count in them.

    Args:
        releases: as for `tables_in`.
    """
    backend = ibis.duckdb.from_connection(connection)

    def keep(name: str, rows: ibis.Table) -> ibis.Table:
        drop_relation(connection, name)  # a live run looks again and again
        with as_dictionaries(connection):
            return backend.create_table(name, rows)

    return tables_in(backend.table("hits"), backend.table("events"), keep=keep, releases=releases)


def tables_in(
    hits: ibis.Table, events: ibis.Table, *, keep: Callable[[str, ibis.Table], ibis.Table], releases: bool = True
) -> Tables:
    """Two tables of any engine, as detectors count in them.

    Args:
        keep: makes a table of that name from an expression that several detectors start from.
        releases: where nothing says when slots were released, look for the crowds that came.
    """
    has = _has(hits, events)
    if releases and has >= _WITHOUT_RELEASES and "events.released_at_us" not in has:
        events = keep("events_with_releases", with_releases(events))
        has = _has(hits, events)
    tables = Tables(hits=hits, events=events, has=has)
    made = {name: keep(f"{name}_per_minute", per_minute(tables, name)) for name in TABLES if f"{name}.at_us" in has}
    return replace(tables, per_minute=made.get("hits"), events_per_minute=made.get("events"))


def analyze(
    tables: Tables,
    sources: Sequence[Source],
    *,
    detectors: Sequence[type[Detector]] = DETECTORS,
    policy: ScoringPolicy | None = None,
    relations: bool = True,
    counting: Counting | None = None,
    policies: Mapping[str, Any] | None = None,
) -> Analysis:
    """Everything that the detectors say of these tables, scored and led back to its rows.

    Args:
        relations: whether who hangs together with whom is asked as well.
        counting: runs what a detector counts; None for the plain way.
        policies: other policies than a detector's own, by its code.
    """
    count = counting or counted
    given = policies or {}
    said: list[Suspicion | Speaks] = []
    abstained = {}
    kept: list[tuple[JudgesRings, Mapping[str, pa.Table]]] = []
    for kind in detectors:
        missing = tuple(sorted(kind.needs - tables.has))
        if missing:
            abstained[kind.code] = missing
            continue
        detector = kind(given[kind.code]) if kind.code in given else kind()
        seen = count(detector, tables)
        said += detector.judge(seen)
        if isinstance(detector, JudgesRings):
            kept.append((detector, seen))
    found_rings = _rings(tables, said) if relations else ()
    ring_of = belongs(found_rings)
    for judge, of in kept:
        said += judge.judge_rings(of, ring_of)
    everybody = _everybody(tables)
    told_together = _told_together(tables, found_rings, said, everybody) if relations else []
    said += [*company(found_rings, said, everybody=everybody), *told_together]
    speaks = SpeaksFor(about={one.subject for one in said})
    if any(isinstance(one, Suspicion) for one in said):
        spoken = counted(speaks, tables)
        said += [*speaks.judge(spoken), *speaks.judge_rings(spoken, ring_of)]
    versions = {kind.code: kind.version for kind in detectors} | {speaks.code: speaks.version}
    found = findings(
        said,
        detector_versions=versions,
        input_sha256={source.name: source.sha256 for source in sources},
        policy=policy,
    )
    named = {finding.subject.id for finding in found if finding.subject.kind == "ring"}
    return Analysis(
        findings=tuple(_placed(tables, sources, found)),
        rings=tuple(ring for ring in found_rings if ring.id in named),
        abstained=abstained,
        detector_versions=versions,
    )


def counted(detector: Detector, tables: Tables) -> Mapping[str, pa.Table]:
    """What a detector counts, run."""
    return {name: table.to_pyarrow() for name, table in detector.count(tables).items()}


def _rings(tables: Tables, said: Iterable[Suspicion | Speaks]) -> tuple[Ring, ...]:
    """Who hangs together, by what accounts share and by slots that they hand each other."""
    if "events.account_id" not in tables.has:
        return ()
    rings = Rings()
    rings.add(bonds(tables, list(said), everybody=_everybody(tables)))
    found = rings.found()
    return with_patients(found, patients_of(tables, found).to_pyarrow()) if found else ()


def _told_together(
    tables: Tables, rings: Sequence[Ring], said: Sequence[Suspicion | Speaks], everybody: int
) -> list[Suspicion]:
    """Who works in one way, by the days and hours they keep."""
    asked = works_alike(rings, said)
    if not asked:
        return []
    found = {name: table.to_pyarrow() for name, table in workdays(tables, asked).items()}
    worked, crowd = worked_of(found["deeds"]), crowd_of(found["crowd"])
    return list(same_method(rings, said, everybody=everybody, worked=worked, crowd=crowd))


def _everybody(tables: Tables) -> int:
    """How many accounts there are."""
    if "events.account_id" not in tables.has:
        return 0
    return int(tables.events.account_id.nunique().to_pyarrow().as_py())


def _placed(tables: Tables, sources: Sequence[Source], found: Sequence[Finding]) -> Iterable[dict[str, Any]]:
    """Findings with the places of the rows that they rest on; all are looked up together."""
    asked = [finding.wanted() for finding in found]
    places = iter(evidence.find(tables, [wanted for of in asked for wanted in of]))
    by_number = {source.number: source for source in sources}
    for finding, of in zip(found, asked, strict=True):
        rests_on = [next(places) for _ in of]
        line = finding.as_dict([evidence.cite(one.rows, by_number) for one in rests_on])
        for told, one in zip((*line["reasons"], *line["speaks_for"]), rests_on, strict=True):
            told["evidence_total"] = one.total
        yield line


def _has(hits: ibis.Table, events: ibis.Table) -> frozenset[str]:
    return frozenset(
        f"{name}.{column}" for name, table in (("hits", hits), ("events", events)) for column in _known(table)
    )


def _known(table: ibis.Table) -> list[str]:
    """The columns that carry anything; the first value found of each is enough."""
    first = [table.filter(table[name].notnull()).limit(1).select(column=ibis.literal(name)) for name in table.columns]
    found = set(united(first).to_pyarrow()["column"].to_pylist())
    return [name for name in table.columns if name in found]
