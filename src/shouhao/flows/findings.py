"""Findings: a night of `shouhao analyze` is taken in, once, and kept sealed for people to judge.

Files are read, checked and sealed before anything is written, so that a unit of work only writes. The same folder taken
in twice, or by two processes at once, is one run: whoever comes second finds it there. Of a live run, whose file grows,
each taking in adds what was said since. Following folders is finding_duty.py's, showing finding_listing.py's, judging
finding_judging.py's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from shouhao.detect.found_lines import Found, Line
from shouhao.detect.night import Files, Night, night_of, read_files
from shouhao.detect.sealing import Body, Card, FindingSeals
from shouhao.detect.store import findings as store
from shouhao.detect.store.findings import BodyRow, FindingRow, Kept, MemberRow, ReasonRow
from shouhao.detect.store.judgements import states_of
from shouhao.detect.store.runs import Run, begin_run, known_key, lock_run, set_run
from shouhao.flows.finding_masks import headline
from shouhao.kernel.clock import DAY_US, to_us
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.vault import Vault

SPEAKS = "speaks_for."  #: how the codes begin of what speaks for somebody, beside the terms of the sum
_NAME_MAX = 100
_MILLI = 1000
_KEEP_US = 180 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What taking in a folder came to."""

    run_id: str
    findings: int  #: that the run has now and that stand
    rings: int  #: among them
    new: int  #: that were not there before
    again: bool  #: the run was there before
    agree: bool  #: False: the folder's two files tell different findings; the run keeps the hashes of both
    erased: bool  #: the run was kept for its time and is not taken in again


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is there of a run already."""

    run: Run | None
    versions: Mapping[str, int]  #: of its findings, where it is a live one


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A folder, read, checked and sealed; nothing of it is written yet."""

    run: Run
    kept: Kept
    gone: Mapping[str, int]  #: findings that a live run finds no more, and as of which version


def take_in(connection: Connection, vault: Vault, folder: Path, *, name: str | None, now_us: int) -> Taken:
    """Take in what `shouhao analyze` wrote into a folder.

    Args:
        name: what people call the run; without it, the folder's own name.
    Raises:
        InvalidInput: the analysis is not finished, or a file is not what it should be; nothing of it is kept.
    """
    name = checked_name(name, folder)
    files = read_files(folder)
    known = known_of(connection, files)
    if is_done(files, known.run):
        return taken_before(known.run)
    return put(connection, prepare(vault, files, known, name=name, now_us=now_us), now_us=now_us)


def checked_name(name: str | None, folder: Path) -> str:
    """What people call a run.

    Raises:
        InvalidInput: the name says nothing, is too long, or holds what cannot be seen.
    """
    given = folder.resolve().name if name is None else name.strip()
    if not given or len(given) > _NAME_MAX or not given.isprintable():
        raise InvalidInput("name", zh=f"须为 1 至 {_NAME_MAX} 个可见字符", en=f"must be 1 to {_NAME_MAX} letters")
    return given


def known_of(connection: Connection, files: Files) -> Known:
    """What is there of the run that these files tell of."""
    run = known_key(connection, files.key)
    return Known(run=run, versions={} if run is None or not files.live else store.versions_of(connection, run.id))


def is_done(files: Files, run: Run | None) -> bool:
    """Whether there is nothing in these files that is not there already."""
    if run is None:
        return False
    return run.erased_at_us is not None or not files.live or files.sha256s == (run.findings_sha256, run.report_sha256)


def prepare(vault: Vault, files: Files, known: Known, *, name: str, now_us: int, keep_us: int = _KEEP_US) -> Prepared:
    """Check and seal what is new in the files; as `take_in`, and without a database.

    Args:
        keep_us: how long findings are kept: of a live run, older ones that were erased are not taken in again.

    Rings and rhythms of a live run come with report.json, later than its lines: with each new one, the findings that it
    tells of are sealed anew.
    """
    night = night_of(files)
    run = _run(night, known.run, name=name, now_us=now_us)
    said = [one for one in night.lines if one.head.version > known.versions.get(one.head.finding_id, -1)]
    if night.live:
        since_us = now_us - keep_us
        said = [one for one in said if one.found is None or to_us(one.found.last_at) >= since_us]
    fresh = {one.head.finding_id: one for one in said if one.head.stands or one.head.finding_id not in known.versions}
    if known.run is not None and known.run.report_sha256 != night.report_sha256:
        told = {*night.rings, *night.rhythms} & {*known.versions}
        fresh |= {n: one for one in night.lines if one.head.stands and (n := one.head.finding_id) in told}
    gone = {one.head.finding_id: one.head.version for one in said if not one.head.stands}
    return Prepared(run=run, kept=_sealed(FindingSeals(vault), fresh.values(), night, run.id, now_us=now_us), gone=gone)


def put(connection: Connection, prepared: Prepared, *, now_us: int) -> Taken:
    """Keep what was prepared, unless another process was first."""
    run = prepared.run
    if begin_run(connection, run):
        kept = _with_states(connection, prepared.kept)
        store.add_findings(connection, kept)
        _tell(connection, run, new=len(kept.findings), now_us=now_us)
        return _taken(run, new=len(kept.findings), again=False)
    known = lock_run(connection, run.key)
    if known is None or known.erased_at_us is not None or not run.live:
        return taken_before(known)
    return _go_on(connection, prepared, known, now_us=now_us)


def _go_on(connection: Connection, prepared: Prepared, known: Run, *, now_us: int) -> Taken:
    """Add to a live run what was said since; somebody else may have added some of it meanwhile."""
    run = replace(prepared.run, id=known.id, name=known.name, taken_at_us=known.taken_at_us)
    versions = store.versions_of(connection, run.id)
    kept = _of_run(prepared.kept, run.id, {n for n, v in _versions(prepared.kept).items() if v >= versions.get(n, 0)})
    store.put_findings(connection, _with_states(connection, kept))
    store.lay_down(
        connection, run.id, {n: v for n, v in prepared.gone.items() if v > versions.get(n, 0)}, now_us=now_us
    )
    set_run(connection, run)
    new = sum(one.finding_id not in versions for one in kept.findings)
    if new:
        _tell(connection, run, new=new, now_us=now_us)
    return _taken(run, new=new, again=True)


def _run(night: Night, known: Run | None, *, name: str, now_us: int) -> Run:
    levels, reasons, rings = night.counted()
    from_us, to_us_ = night.span_us
    return Run(
        id=new_id("fr") if known is None else known.id,
        key=night.key,
        live=night.live,
        name=name if known is None else known.name,
        taken_at_us=now_us if known is None else known.taken_at_us,
        changed_at_us=now_us,
        from_at_us=from_us,
        to_at_us=to_us_,
        certain=levels["certain-pattern"],
        strong=levels["strong"],
        leads=levels["lead"],
        rings=rings,
        hits=night.report.counts.hits,
        events=night.report.counts.events,
        reasons=reasons,
        level_from=night.report.level_from,
        findings_sha256=night.findings_sha256,
        report_sha256=night.report_sha256,
        agree=night.agree,
    )


def _sealed(seals: FindingSeals, lines: Iterable[Line], night: Night, run_id: str, *, now_us: int) -> Kept:
    rows: list[FindingRow] = []
    bodies: list[BodyRow] = []
    reasons: list[ReasonRow] = []
    members: list[MemberRow] = []
    for line in lines:
        found = line.found
        if found is None:
            continue  # it was found and lost again before anybody looked
        name = found.finding_id
        body = Body(
            line=msgspec.Raw(line.raw),
            ring=night.rings.get(name),
            rhythm=night.rhythms.get(name),
            excerpts=night.excerpts.get(name),
        )
        rows.append(_row(seals, line, found, run_id, now_us=now_us))
        bodies.append(BodyRow(run_id=run_id, finding_id=name, sealed=seals.seal_body(body, name)))
        codes = sorted({reason.code for reason in found.reasons})
        reasons += [ReasonRow(run_id=run_id, code=code, finding_id=name) for code in codes]
        if found.subject.kind == "ring":
            hashes = sorted({seals.subject_hash(member.kind, member.id) for member in found.members})
            members += [MemberRow(run_id=run_id, member_hash=one, finding_id=name) for one in hashes]
    return Kept(findings=rows, bodies=bodies, reasons=reasons, members=members)


def _row(seals: FindingSeals, line: Line, found: Found, run_id: str, *, now_us: int) -> FindingRow:
    said = headline(found)
    card = Card(found.subject.id, said.zh, said.en)
    return FindingRow(
        run_id=run_id,
        finding_id=found.finding_id,
        subject_kind=found.subject.kind,
        subject_hash=seals.subject_hash(found.subject.kind, found.subject.id),
        level=found.level,
        score_milli=round(found.score * _MILLI),
        first_at_us=to_us(found.first_at),
        last_at_us=to_us(found.last_at),
        members=len(found.members),
        speaks_for=sum(one.code.startswith(SPEAKS) for one in found.speaks_for),
        state="open",
        version=line.head.version,
        stands=line.head.stands,
        said_at_us=now_us,
        card=seals.seal_card(card, found.finding_id),
    )


def _with_states(connection: Connection, kept: Kept) -> Kept:
    """The same with what people judged of these findings when another run over the same files told of them."""
    names = [one.finding_id for one in kept.findings]
    store.lock_findings(connection, names)
    states = states_of(connection, names)
    if not states:
        return kept
    rows = [
        msgspec.structs.replace(one, state=states[one.finding_id]) if one.finding_id in states else one
        for one in kept.findings
    ]
    return replace(kept, findings=rows)


def _versions(kept: Kept) -> dict[str, int]:
    return {one.finding_id: one.version for one in kept.findings}


def _of_run(kept: Kept, run_id: str, names: set[str]) -> Kept:
    """Some findings, as those of a run."""

    def mine(rows: Iterable[store.Row]) -> list[store.Row]:
        return [msgspec.structs.replace(one, run_id=run_id) for one in rows if one.finding_id in names]

    return Kept(
        findings=mine(kept.findings), bodies=mine(kept.bodies), reasons=mine(kept.reasons), members=mine(kept.members)
    )


def _tell(connection: Connection, run: Run, *, new: int, now_us: int) -> None:
    told: dict[str, object] = {"run_id": run.id, "new": new, "rings": run.rings, "live": run.live, "agree": run.agree}
    told |= {"findings_sha256": run.findings_sha256, "report_sha256": run.report_sha256, "levels": run.levels}
    event_log.append(connection, [Event(at_us=now_us, kind="findings_taken", detail=told)])


def _taken(run: Run, *, new: int, again: bool) -> Taken:
    return Taken(
        run_id=run.id,
        findings=sum(run.levels.values()),
        rings=run.rings,
        new=new,
        again=again,
        agree=run.agree,
        erased=run.erased_at_us is not None,
    )


def taken_before(run: Run | None) -> Taken:
    """What there is of a run that was taken in before."""
    if run is None:
        raise InvalidInput("folder", zh="同一批发现正由另一进程收入", en="another process is taking it in")
    return _taken(run, new=0, again=True)
