"""Made findings: small folders by hand, as `shouhao analyze` writes them, where a whole night would be too much."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shouhao.detect.report.file import write_report_file
from shouhao.detect.report.model import (
    Counts,
    Excerpt,
    FindingExcerpts,
    Report,
    Ring,
    RingEdge,
    RingNode,
    SourceRead,
)

Line = dict[str, Any]

ACCOUNT, OTHER, RING_ID = "acct-9f3b7712", "acct-1c55e0aa", "ring-2481b024fe82ebe2"
RAW = '203.0.113.9 [2026-03-02T08:00:00+08:00] "POST /api/bookings" 200 device=dev-aa17 account=acct-9f3b7712'


def reason(code: str, weight: float = 4.0, **more: Any) -> Line:
    """One reason with its figures."""
    return {
        "code": code,
        "says": {"zh": "快得不像手动操作", "en": "Faster than a hand"},
        "measured": 0.06,
        "expected": 0.9,
        "threshold": 0.1,
        "weight": weight,
        "evidence": [{"file": "access.log", "byte_start": 0, "byte_end": 90}],
        "evidence_total": 12,
        **more,
    }


def spoken(code: str, weight: float) -> Line:
    """Something that speaks for somebody."""
    says = {"zh": "像一个家庭", "en": "Like a family"}
    return {"code": code, "says": says, "weight": weight, "evidence": [], "evidence_total": 0}


def line(finding_id: str = "f-1", kind: str = "account", of: str = ACCOUNT, **more: Any) -> Line:
    """One line of findings.jsonl."""
    return {
        "finding_id": finding_id,
        "subject": {"kind": kind, "id": of},
        "members": [],
        "score": 3.5,
        "level": "strong",
        "first_at": "2026-03-02T08:00:00.000000+08:00",
        "last_at": "2026-03-02T09:30:00.000000+08:00",
        "reasons": [reason("snipers.reaction"), reason("hand_over.pair", 2.0)],
        "speaks_for": [spoken("scoring.base_rate", -6.9), spoken("speaks_for.family", -1.0)],
        "detector_versions": {"snipers": 3},
        "input_sha256": {"access.log": "ab" * 32},
        **more,
    }


def ring_line(finding_id: str = "f-ring", members: Sequence[str] = (ACCOUNT, OTHER), **more: Any) -> Line:
    """A ring of accounts."""
    told = {"members": [{"kind": "account", "id": one} for one in members], "level": "certain-pattern", "score": 9.25}
    return line(finding_id, "ring", RING_ID, **{**told, **more})


def live_line(finding_id: str, version: int, *, stands: bool = True, **more: Any) -> Line:
    """A line of a live run."""
    said = {"version": version, "stands": stands, "pace": "full", "as_of": "x", "corrects": False, "changed": []}
    whole = line(finding_id, **more)
    if stands:
        return {**whole, **said}
    return {"finding_id": finding_id, "subject": whole["subject"], **said}


def report_of(lines: Iterable[Line], **more: Any) -> Report:
    """A report that tells these findings, with a ring and raw lines where there is a ring's finding."""
    told = tuple(lines)
    rings = tuple(_ring(one) for one in told if one["subject"]["kind"] == "ring" and one.get("stands", True))
    block = Excerpt(
        file="access.log", byte_start=0, byte_end=90, compression="none", lines=(RAW,), cut_short=False, trouble=None
    )
    excerpts = FindingExcerpts(reasons=((block,), (block,)), speaks_for=((), (block,)))
    source = SourceRead(
        name="access.log",
        sha256="ab" * 32,
        size_bytes=9_000,
        kind="access_log",
        rows=80,
        set_aside=0,
        first_at_us=1_772_409_600_000_000,
        last_at_us=1_772_416_800_000_000,
    )
    values: dict[str, Any] = {
        "sources": (source,),
        "problems": (),
        "counts": Counts(hits=80, events=7, duplicates=0),
        "overlap": None,
        "skew": (),
        "findings": told,
        "rings": rings,
        "hot_sessions": (),
        "curves": (),
        "rhythms": {},
        "excerpts": {one["finding_id"]: excerpts for one in told},
        "command": ("shouhao", "analyze"),
        "made_at": "2026-03-03T02:00:00+08:00",
        "detector_versions": {"snipers": 3},
        "level_from": {"lead": -4.0, "strong": 3.0, "certain-pattern": 6.0},
    }
    return Report(**{**values, **more})


def _ring(one: Line) -> Ring:
    nodes = [RingNode(kind=member["kind"], id=member["id"]) for member in one["members"]]
    edges = [RingEdge(a=n, b=len(nodes), weight=2.0, bridge=True, n=3, first_at_us=1) for n in range(len(nodes))]
    nodes.append(RingNode(kind="device", id="dev-aa1700f3", shared_by=len(edges)))
    return Ring(finding_id=one["finding_id"], nodes=tuple(nodes), edges=tuple(edges))


def write(folder: Path, lines: Iterable[Line], **more: Any) -> Path:
    """A whole folder of a run; the folder."""
    told = list(lines)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "findings.jsonl").write_bytes(msgspec.json.Encoder().encode_lines(told))
    write_report_file(report_of(told, **more), folder)
    return folder


def add(folder: Path, lines: Iterable[Line]) -> Path:
    """Lines that a live run has said since; the folder."""
    with (folder / "findings.jsonl").open("ab") as file:
        file.write(msgspec.json.Encoder().encode_lines(list(lines)))
    return folder


def night(folder: Path, **more: Any) -> Path:
    """A ring of two, a finding of each of them, and a lead."""
    lines = [
        ring_line(),
        line("f-1"),
        line("f-2", of=OTHER, score=-1.5, level="lead"),
        line("f-3", "ip", "203.0.113.9", score=-3.0, level="lead", reasons=[reason("hammering.address")]),
    ]
    return write(folder, lines, **more)
