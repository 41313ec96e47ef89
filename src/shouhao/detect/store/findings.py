"""Findings' store: rows in the clear for lists, sealed cards and bodies beside them, and whose findings there are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Connection, Select, delete, select, update

from shouhao.detect.model import Level, SubjectKind
from shouhao.detect.store.tables import (
    finding_bodies,
    finding_judgements,
    finding_members,
    finding_reasons,
    finding_runs,
    findings,
)
from shouhao.store.batch import insert_structs, pieces
from shouhao.store.invariants import Invariant

State = Literal["open", "upheld", "dismissed", "watched"]

INVARIANTS = (
    Invariant(
        code="detect.finding_state_without_judgement",
        zh="检测发现的状态就是最后一次人工判断",
        en="the state of a finding is what a person judged last",
        sql="""
            SELECT f.finding_id FROM findings f
            WHERE f.state <> COALESCE(
                (SELECT j.judgement FROM finding_judgements j WHERE j.finding_id = f.finding_id
                 ORDER BY j.at_us DESC, j.id DESC LIMIT 1), 'open')
            """,
    ),
)


class FindingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as lists know it."""

    run_id: str
    finding_id: str
    subject_kind: SubjectKind
    subject_hash: str
    level: Level
    score_milli: int
    first_at_us: int
    last_at_us: int
    members: int
    speaks_for: int
    state: State
    version: int
    stands: bool
    said_at_us: int
    card: str


class BodyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a finding."""

    run_id: str
    finding_id: str
    sealed: str


class ReasonRow(msgspec.Struct, frozen=True, kw_only=True):
    """A finding has a reason of a code."""

    run_id: str
    code: str
    finding_id: str


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ring has a member."""

    run_id: str
    member_hash: str
    finding_id: str


Row = TypeVar("Row", FindingRow, BodyRow, ReasonRow, MemberRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Everything that is kept of some findings."""

    findings: Sequence[FindingRow]
    bodies: Sequence[BodyRow]
    reasons: Sequence[ReasonRow]
    members: Sequence[MemberRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which findings of a run a list shows."""

    level: Level | None = None
    kind: SubjectKind | None = None
    state: State | None = None
    reason: str | None = None  #: code


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Another finding about a subject."""

    run_id: str
    finding_id: str
    level: Level
    state: State


def put_findings(connection: Connection, kept: Kept) -> None:
    """Keep findings; those of a run that are there already are replaced."""
    by_run: dict[str, list[str]] = {}
    for one in kept.findings:
        by_run.setdefault(one.run_id, []).append(one.finding_id)
    for run_id, ids in by_run.items():
        for piece in pieces(ids):
            for table in (finding_bodies, finding_reasons, finding_members, findings):
                mine = table.c.run_id == run_id, table.c.finding_id.in_(piece)
                connection.execute(delete(table).where(*mine))
    add_findings(connection, kept)


def add_findings(connection: Connection, kept: Kept) -> None:
    """Keep the findings of a run that has none yet."""
    insert_structs(connection, findings, kept.findings)
    insert_structs(connection, finding_bodies, kept.bodies)
    insert_structs(connection, finding_reasons, kept.reasons)
    insert_structs(connection, finding_members, kept.members)


def lay_down(connection: Connection, run_id: str, versions: Mapping[str, int], *, now_us: int) -> None:
    """Write down that findings of a live run are found no more, as of these versions."""
    for finding_id, version in versions.items():
        mine = findings.c.run_id == run_id, findings.c.finding_id == finding_id
        connection.execute(update(findings).where(*mine).values(stands=False, version=version, said_at_us=now_us))


def versions_of(connection: Connection, run_id: str) -> dict[str, int]:
    """The version of each finding of a run."""
    found = select(findings.c.finding_id, findings.c.version).where(findings.c.run_id == run_id)
    return {row.finding_id: row.version for row in connection.execute(found)}


def list_findings(
    connection: Connection, run_id: str, wanted: Wanted, *, after: tuple[int, str] | None = None, most: int
) -> list[FindingRow]:
    """Findings of a run, the highest score first; those that are found no more only where somebody judged them.

    Args:
        after: score in thousandths and id of the finding to go on from.
    """
    found = _rows().where(findings.c.run_id == run_id, findings.c.stands | (findings.c.state != "open"))
    for column, value in (("level", wanted.level), ("subject_kind", wanted.kind), ("state", wanted.state)):
        if value is not None:
            found = found.where(findings.c[column] == value)
    if wanted.reason is not None:
        having = select(finding_reasons.c.finding_id).where(
            finding_reasons.c.run_id == run_id, finding_reasons.c.code == wanted.reason
        )
        found = found.where(findings.c.finding_id.in_(having))
    if after is not None:
        score, name = after
        found = found.where(
            (findings.c.score_milli < score) | ((findings.c.score_milli == score) & (findings.c.finding_id < name))
        )
    ordered = found.order_by(findings.c.score_milli.desc(), findings.c.finding_id.desc()).limit(most)
    return [_finding(row) for row in connection.execute(ordered)]


def find_finding(connection: Connection, finding_id: str, *, run_id: str | None = None) -> FindingRow | None:
    """A finding; where several runs over the same files found it, as the newest of them did."""
    found = _rows().where(findings.c.finding_id == finding_id)
    if run_id is not None:
        found = found.where(findings.c.run_id == run_id)
    row = connection.execute(found.order_by(findings.c.run_id.desc()).limit(1)).one_or_none()
    return None if row is None else _finding(row)


def find_body(connection: Connection, run_id: str, finding_id: str) -> str | None:
    """What is sealed of a finding."""
    mine = finding_bodies.c.run_id == run_id, finding_bodies.c.finding_id == finding_id
    return connection.execute(select(finding_bodies.c.sealed).where(*mine)).scalar_one_or_none()


def codes_of(connection: Connection, run_id: str, finding_ids: Collection[str]) -> dict[str, list[str]]:
    """The codes of the reasons of some findings."""
    told: dict[str, list[str]] = {}
    mine = finding_reasons.c.run_id == run_id, finding_reasons.c.finding_id.in_(list(finding_ids))
    found = select(finding_reasons.c.finding_id, finding_reasons.c.code).where(*mine).order_by(finding_reasons.c.code)
    for row in connection.execute(found):
        told.setdefault(row.finding_id, []).append(row.code)
    return told


def of_subjects(connection: Connection, subject_hashes: Collection[str]) -> dict[str, list[Known]]:
    """Every finding about some subjects, of all runs, by subject."""
    told: dict[str, list[Known]] = {}
    for piece in pieces(sorted(subject_hashes)):
        found = _known().where(findings.c.subject_hash.in_(piece))
        for row in connection.execute(found):
            told.setdefault(row.subject_hash, []).append(_known_of(row))
    return told


def of_run(connection: Connection, run_id: str, subject_hashes: Iterable[str]) -> dict[str, Known]:
    """The findings of a run about some subjects, by subject."""
    told: dict[str, Known] = {}
    for piece in pieces(sorted(set(subject_hashes))):
        found = _known().where(findings.c.run_id == run_id, findings.c.subject_hash.in_(piece))
        told |= {row.subject_hash: _known_of(row) for row in connection.execute(found)}
    return told


def ring_of(connection: Connection, run_id: str, member_hash: str) -> str | None:
    """The finding of the ring that somebody is a member of; of several, the one of the highest score."""
    mine = finding_members.c.run_id == run_id, finding_members.c.member_hash == member_hash
    joined = finding_members.join(
        findings,
        (findings.c.run_id == finding_members.c.run_id) & (findings.c.finding_id == finding_members.c.finding_id),
    )
    best = select(findings.c.finding_id).select_from(joined).where(*mine)
    return connection.execute(best.order_by(findings.c.score_milli.desc()).limit(1)).scalar_one_or_none()


def lock_findings(connection: Connection, finding_ids: Collection[str]) -> None:
    """Hold findings until the unit of work ends, in every run that has them: who judges them waits."""
    for piece in pieces(sorted(finding_ids)):
        held = select(findings.c.run_id).where(findings.c.finding_id.in_(piece))
        connection.execute(held.order_by(findings.c.finding_id, findings.c.run_id).with_for_update()).all()


def set_state(connection: Connection, finding_id: str, state: State) -> None:
    """Write down what a person judged, in every run that has this finding."""
    connection.execute(update(findings).where(findings.c.finding_id == finding_id).values(state=state))


def erase_said_before(connection: Connection, before_us: int, *, now_us: int, most: int = 2_000) -> int:
    """Erase findings of which nothing was heard since, with what was judged of them; how many. Not all at once."""
    old = select(findings.c.run_id, findings.c.finding_id).where(findings.c.said_at_us < before_us).limit(most)
    by_run: dict[str, list[str]] = {}
    for row in connection.execute(old):
        by_run.setdefault(row.run_id, []).append(row.finding_id)
    for run_id, ids in by_run.items():
        for table in (finding_bodies, finding_reasons, finding_members, findings):
            connection.execute(delete(table).where(table.c.run_id == run_id, table.c.finding_id.in_(ids)))
    gone = sorted({name for ids in by_run.values() for name in ids})
    if gone:
        left = select(findings.c.finding_id).where(findings.c.finding_id.in_(gone))
        connection.execute(
            delete(finding_judgements).where(
                finding_judgements.c.finding_id.in_(gone), finding_judgements.c.finding_id.not_in(left)
            )
        )
    empty = ~select(findings.c.run_id).where(findings.c.run_id == finding_runs.c.id).exists()
    over = finding_runs.c.changed_at_us < before_us, finding_runs.c.erased_at_us.is_(None), empty
    connection.execute(update(finding_runs).where(*over).values(erased_at_us=now_us, name="", reasons="{}"))
    return sum(map(len, by_run.values()))


def _rows() -> Select[Any]:
    return select(*(findings.c[name] for name in FindingRow.__struct_fields__))


def _finding(row: Any) -> FindingRow:
    return FindingRow(**row._asdict())


def _known() -> Select[Any]:
    return select(*(findings.c[name] for name in ("subject_hash", "run_id", "finding_id", "level", "state")))


def _known_of(row: Any) -> Known:
    return Known(run_id=row.run_id, finding_id=row.finding_id, level=row.level, state=row.state)
