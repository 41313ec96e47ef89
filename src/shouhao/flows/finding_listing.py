"""Finding listing: runs and findings as people may see them who have given no reason: ids masked, no raw line."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection

from shouhao.detect.found_lines import BASE_RATE, Found, FoundReason
from shouhao.detect.model import Says
from shouhao.detect.report.model import Excerpt, FindingExcerpts, Ring
from shouhao.detect.report.reason_names import name_of
from shouhao.detect.sealing import Body, FindingSeals
from shouhao.detect.store import findings as store
from shouhao.detect.store.findings import FindingRow, Known, Wanted
from shouhao.detect.store.judgements import judgements_of
from shouhao.detect.store.runs import Run, find_run, list_runs
from shouhao.flows.finding_masks import masked, shown, without_ids
from shouhao.flows.finding_views import (
    BlockView,
    EarlierView,
    EdgeView,
    Facet,
    FindingDetail,
    FindingsView,
    FindingView,
    JudgedView,
    LinesView,
    MemberView,
    NodeView,
    ReasonView,
    RingView,
    RunView,
    SpeaksView,
    SubjectView,
)
from shouhao.kernel.errors import InvalidInput, NotFound, Tampered
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.store import list_operators
from shouhao.store.vault import Vault

READERS: tuple[Role, ...] = ("security", "outpatient_office", "it", "police_liaison", "auditor")
MOST = 200  #: findings of one page
_MILLI = 1000
_MOST_EARLIER = 50
_NO_EXCERPTS = FindingExcerpts()


def findings_of_run(
    connection: Connection,
    vault: Vault,
    operator: Operator,
    *,
    run_id: str | None = None,
    wanted: Wanted,
    after: str | None = None,
    most: int = 50,
) -> FindingsView:
    """A page of findings of a run, of the newest night unless one is named.

    Args:
        after: as `next` of the page before.
    Raises:
        RoleMissing: another role.
        NotFound: there is no such run, or its findings are erased.
        InvalidInput: `after` is none that was given.
    """
    require(operator, *READERS)
    runs = list_runs(connection)
    run = _chosen(runs, run_id)
    if run is None:
        return FindingsView(runs=(), findings=(), next=None, levels={}, reasons={}, level_from={})
    rows = store.list_findings(connection, run.id, wanted, after=_cursor(after), most=most + 1)
    page = rows[:most]
    return FindingsView(
        runs=tuple(_run(one) for one in runs),
        findings=tuple(_rows(connection, vault, page, runs)),
        next=f"{page[-1].score_milli}_{page[-1].finding_id}" if len(rows) > most else None,
        levels=run.levels,
        reasons={code: _facet(code, count) for code, count in run.reasons.items()},
        level_from=run.level_from,
    )


def finding_masked(
    connection: Connection, vault: Vault, operator: Operator, finding_id: str, *, run_id: str | None = None
) -> FindingDetail:
    """A finding with every id masked.

    Raises:
        RoleMissing: another role.
        NotFound: there is none of this id.
        Tampered: what is sealed is not what was sealed.
    """
    require(operator, *READERS)
    return detail_of(connection, vault, find(connection, finding_id, run_id=run_id), whole=False)


def find(connection: Connection, finding_id: str, *, run_id: str | None = None) -> FindingRow:
    """The row of a finding.

    Raises:
        NotFound: there is none of this id.
    """
    row = store.find_finding(connection, finding_id, run_id=run_id)
    if row is None:
        raise NotFound("finding", "finding_id")
    return row


def detail_of(connection: Connection, vault: Vault, row: FindingRow, *, whole: bool) -> FindingDetail:
    """Everything about a finding.

    Args:
        whole: ids and raw lines as they are; the look is on record.
    """
    seals = FindingSeals(vault)
    run, sealed = find_run(connection, row.run_id), store.find_body(connection, row.run_id, row.finding_id)
    if run is None or sealed is None:
        raise Tampered(f"finding {row.finding_id} has lost its run or its body")
    body = seals.open_body(sealed, row.finding_id)
    found = body.found
    told = _Told(found, body.ring, whole=whole)
    about = _about(connection, seals, row.run_id, found, body.ring)
    told_of = [one for one in found.speaks_for if one.code != BASE_RATE]
    earlier = _earlier(connection, row, list_runs(connection))
    ring = found.subject.kind == "ring"
    return FindingDetail(
        finding_id=row.finding_id,
        run_id=row.run_id,
        subject=SubjectView(kind=found.subject.kind, id=told.id(found.subject.kind, found.subject.id)),
        level=found.level,
        score=found.score,
        first_at=row.first_at_us,
        last_at=row.last_at_us,
        headline=told.says(max(found.reasons, key=lambda one: one.weight).says) if found.reasons else _nothing(),
        base=found.base,
        reasons=tuple(_reason(one, told) for one in found.reasons),
        speaks_for=tuple(_speaks(one, told) for one in told_of),
        state=row.state,
        seen_before=len({one.run_id for one in earlier}),
        stands=row.stands,
        members=tuple(_member(one.kind, one.id, told, about) for one in found.members),
        ring_id=None if ring else store.ring_of(connection, row.run_id, row.subject_hash),
        ring=None if body.ring is None else _ring(body.ring, told, about),
        rhythm=body.rhythm,
        judgements=_judgements(connection, vault, row.finding_id),
        earlier=tuple(earlier[:_MOST_EARLIER]),
        detector_versions=found.detector_versions,
        input_sha256=found.input_sha256,
        level_from=run.level_from,
        lines=_lines(body, found) if whole else None,
    )


class _Told:
    """How ids and sentences of one finding are told: whole, or masked."""

    def __init__(self, found: Found, ring: Ring | None, *, whole: bool) -> None:
        self._whole = whole
        self._names = _everybody(found, ring)

    def id(self, kind: str, subject_id: str) -> str:
        return subject_id if self._whole else masked(kind, subject_id)

    def says(self, says: Says) -> Says:
        return Says(zh=shown(says.zh), en=shown(says.en)) if self._whole else without_ids(says, self._names)


def _chosen(runs: Sequence[Run], run_id: str | None) -> Run | None:
    if run_id is None:
        return runs[0] if runs else None
    for run in runs:
        if run.id == run_id:
            return run
    raise NotFound("run", "run_id")


def _cursor(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    score, _, name = after.partition("_")
    digits = score.removeprefix("-")
    if not (name and digits.isascii() and digits.isdigit() and len(digits) <= 9):  # noqa: PLR2004 - fits a column
        raise InvalidInput("after", zh="不是上一页给出的位置", en="is no place that the page before gave")
    return int(score), name


def _rows(connection: Connection, vault: Vault, rows: Sequence[FindingRow], runs: Sequence[Run]) -> list[FindingView]:
    if not rows:
        return []
    seals, orders = FindingSeals(vault), {run.id: run.order for run in runs}
    codes = store.codes_of(connection, rows[0].run_id, [row.finding_id for row in rows])
    known = store.of_subjects(connection, {row.subject_hash for row in rows})
    views = []
    for row in rows:
        card = seals.open_card(row.card, row.finding_id)
        before = _before(row, known.get(row.subject_hash, ()), orders)
        views.append(
            FindingView(
                finding_id=row.finding_id,
                run_id=row.run_id,
                subject=SubjectView(kind=row.subject_kind, id=masked(row.subject_kind, card.subject_id)),
                level=row.level,
                score=row.score_milli / _MILLI,
                first_at=row.first_at_us,
                last_at=row.last_at_us,
                members=row.members,
                headline=Says(zh=card.zh, en=card.en),
                reasons=tuple(codes.get(row.finding_id, ())),
                speaks_for=row.speaks_for,
                state=row.state,
                seen_before=len({one.run_id for one in before}),
                stands=row.stands,
            )
        )
    return views


def _before(row: FindingRow, known: Collection[Known], orders: Mapping[str, tuple[int, str]]) -> list[Known]:
    """Findings about the same subject on earlier nights, the newest first; not the same one of files read anew."""
    mine = orders[row.run_id]
    others = [
        one for one in known if one.run_id in orders and one.finding_id != row.finding_id and orders[one.run_id] < mine
    ]
    return sorted(others, key=lambda one: orders[one.run_id], reverse=True)


def _earlier(connection: Connection, row: FindingRow, runs: Sequence[Run]) -> list[EarlierView]:
    names = {run.id: run.name for run in runs}
    known = store.of_subjects(connection, {row.subject_hash}).get(row.subject_hash, ())
    return [
        EarlierView(
            finding_id=one.finding_id, run_id=one.run_id, name=names[one.run_id], level=one.level, state=one.state
        )
        for one in _before(row, known, {run.id: run.order for run in runs})
    ]


def _everybody(found: Found, ring: Ring | None) -> set[tuple[str, str]]:
    """Kind and id of all that a finding names."""
    named: set[tuple[str, str]] = {(one.kind, one.id) for one in (found.subject, *found.members)}
    return named | {(node.kind, node.id) for node in (ring.nodes if ring else ())}


def _about(
    connection: Connection, seals: FindingSeals, run_id: str, found: Found, ring: Ring | None
) -> dict[tuple[str, str], Known]:
    """The findings of the same run about members and nodes, by kind and id."""
    hashes = {seals.subject_hash(kind, one): (kind, one) for kind, one in _everybody(found, ring)}
    known = store.of_run(connection, run_id, hashes)
    return {hashes[key]: one for key, one in known.items()}


def _member(kind: str, subject_id: str, told: _Told, about: Mapping[tuple[str, str], Known]) -> MemberView:
    known = about.get((kind, subject_id))
    return MemberView(
        kind=kind,
        id=told.id(kind, subject_id),
        finding_id=None if known is None else known.finding_id,
        state=None if known is None else known.state,
    )


def _ring(ring: Ring, told: _Told, about: Mapping[tuple[str, str], Known]) -> RingView:
    nodes = []
    for n, node in enumerate(ring.nodes):
        known = about.get((node.kind, node.id))
        nodes.append(
            NodeView(
                n=n,
                kind=node.kind,
                label=told.id(node.kind, node.id),
                shared_by=node.shared_by,
                finding_id=None if known is None else known.finding_id,
                state=None if known is None else known.state,
            )
        )
    edges = [
        EdgeView(
            a=edge.a,
            b=edge.b,
            kind=ring.nodes[edge.b].kind,
            weight=edge.weight,
            bridge=edge.bridge,
            n=edge.n,
            first_at=edge.first_at_us or None,
            last_at=edge.last_at_us or None,
        )
        for edge in ring.edges
    ]
    return RingView(nodes=tuple(nodes), edges=tuple(edges))


def _reason(one: FoundReason, told: _Told) -> ReasonView:
    return ReasonView(
        code=one.code,
        name=name_of(one.code),
        says=told.says(one.says),
        measured=one.measured,
        expected=one.expected,
        threshold=one.threshold,
        weight=one.weight,
        evidence=one.rows,
    )


def _speaks(one: FoundReason, told: _Told) -> SpeaksView:
    return SpeaksView(
        code=one.code, name=name_of(one.code), says=told.says(one.says), weight=one.weight, evidence=one.rows
    )


def _lines(body: Body, found: Found) -> LinesView:
    excerpts = body.excerpts or _NO_EXCERPTS
    told_of = [n for n, one in enumerate(found.speaks_for) if one.code != BASE_RATE]
    return LinesView(
        reasons=tuple(_blocks(excerpts.reasons, n) for n in range(len(found.reasons))),
        speaks_for=tuple(_blocks(excerpts.speaks_for, n) for n in told_of),
    )


def _blocks(excerpts: Sequence[tuple[Excerpt, ...]], n: int) -> tuple[BlockView, ...]:
    return tuple(
        BlockView(
            file=one.file,
            byte_start=one.byte_start,
            byte_end=one.byte_end,
            compression=one.compression,
            lines=one.lines,
            cut_short=one.cut_short,
            trouble=one.trouble,
        )
        for one in (excerpts[n] if n < len(excerpts) else ())
    )


def _judgements(connection: Connection, vault: Vault, finding_id: str) -> tuple[JudgedView, ...]:
    judged = judgements_of(connection, vault, finding_id)
    names = {one.id: one.name for one in list_operators(connection)} if judged else {}
    return tuple(
        JudgedView(at=one.at_us, operator_name=names.get(one.operator_id), judgement=one.judgement, reason=one.reason)
        for one in judged
    )


def _run(run: Run) -> RunView:
    return RunView(
        run_id=run.id,
        name=run.name,
        live=run.live,
        taken_at=run.taken_at_us,
        from_at=run.from_at_us,
        to_at=run.to_at_us,
        findings=run.levels,
        rings=run.rings,
        hits=run.hits,
        events=run.events,
        agree=run.agree,
    )


def _facet(code: str, count: int) -> Facet:
    name = name_of(code)
    return Facet(count=count, zh=name.zh, en=name.en)


def _nothing() -> Says:
    return Says(zh="没有写明理由", en="No reason is given")
