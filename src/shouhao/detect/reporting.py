"""Reporting: an analysis and what was read become the values that the page shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from shouhao.detect.inputs.files import InputFile
from shouhao.detect.inputs.problems import Group
from shouhao.detect.inputs.read import Inputs
from shouhao.detect.model import Says, Tables
from shouhao.detect.report import data
from shouhao.detect.report.excerpts import Unpacked, compression_of, read_excerpts
from shouhao.detect.report.model import (
    Abstained,
    Counts,
    Forecast,
    HotSession,
    Overlap,
    Problem,
    Report,
    Skew,
    SourceRead,
)
from shouhao.detect.rules.hot_slots import foretold, weekday_of
from shouhao.detect.run import Analysis
from shouhao.detect.scoring import ScoringPolicy

_TOLD = 300  # findings whose rhythm and raw lines are kept; the page tells fewer of them in full
_CURVES = 6


def report_of(inputs: Inputs, tables: Tables, analysis: Analysis, *, command: Sequence[str], made_at: str) -> Report:
    """The whole page's content.

    Args:
        made_at: ISO 8601, in the hospital's zone.
    """
    shown = analysis.findings[:_TOLD]
    rings = {ring.id: ring for ring in analysis.rings}
    hot = _with_forecasts(data.hot_sessions(tables), tables)
    policy = ScoringPolicy()
    return Report(
        sources=_sources(inputs, tables),
        problems=tuple(map(_problem, inputs.problems.groups)),
        counts=Counts(
            hits=inputs.hits.hit_count,
            events=inputs.events.event_count,
            duplicates=inputs.hits.counted_once + inputs.events.duplicates,
            looked_at=data.looked_at(tables),
            abstained=tuple(Abstained(code=code, missing=of) for code, of in sorted(analysis.abstained.items())),
        ),
        overlap=_overlap(tables),
        skew=tuple(
            Skew(
                source=inputs.sources[one.source].name,
                against="events",
                ahead_us=one.offset_us,
                low_us=one.offset_us - one.spread_us,
                high_us=one.offset_us + one.spread_us,
                pairs=one.matched,
            )
            for one in inputs.skews
        ),
        findings=analysis.findings,
        rings=tuple(
            data.ring_nodes(rings[one["subject"]["id"]], finding_id=one["finding_id"])
            for one in analysis.findings
            if one["subject"]["kind"] == "ring" and one["subject"]["id"] in rings
        ),
        hot_sessions=hot,
        curves=data.sell_out_curves(tables, [one.session_id for one in hot[:_CURVES]]),
        rhythms=data.rhythms(tables, {one["finding_id"]: data.subjects_of(one) for one in shown}),
        excerpts=read_excerpts(shown, {file.name: _text(file) for file in inputs.files if len(file.text)}),
        command=tuple(command),
        made_at=made_at,
        detector_versions=analysis.detector_versions,
        activity=data.activity(tables),
        level_from={"lead": policy.lead_from, "strong": policy.strong_from, "certain-pattern": policy.certain_from},
    )


def _sources(inputs: Inputs, tables: Tables) -> tuple[SourceRead, ...]:
    spans = _spans(tables)
    return tuple(
        SourceRead(
            name=source.name,
            sha256=source.sha256,
            size_bytes=source.size_bytes,
            kind=source.kind,
            rows=spans.get(source.number, {}).get("n", 0),
            set_aside=inputs.problems.lines_lost(source.name),
            first_at_us=spans.get(source.number, {}).get("first"),
            last_at_us=spans.get(source.number, {}).get("last"),
            whole=inputs.files[source.number].stopped is None,
        )
        for source in inputs.sources
    )


def _spans(tables: Tables) -> dict[int, Mapping[str, Any]]:
    """Rows and times of each source."""
    found: dict[int, Mapping[str, Any]] = {}
    for table in (tables.hits, tables.events):
        spans = table.group_by("source").agg(n=table.count(), first=table.at_us.min(), last=table.at_us.max())
        found |= {row["source"]: row for row in spans.to_pyarrow().to_pylist() if row["source"] is not None}
    return found


def _with_forecasts(hot: Sequence[HotSession], tables: Tables) -> tuple[HotSession, ...]:
    """Each session with what to expect when slots of its doctor are released on that weekday again."""
    if not hot:
        return ()
    known = {(one.doctor_id, one.weekday): one for one in foretold(tables)}
    told = []
    for session in hot:
        one = known.get((session.doctor_id or "", weekday_of(session.released_at_us)))
        given = (
            None
            if one is None
            else Forecast(releases=one.releases, low_s=one.least_s, middle_s=one.expected_s, high_s=one.most_s)
        )
        told.append(replace(session, forecast=given))
    return tuple(told)


def _overlap(tables: Tables) -> Overlap | None:
    """The time that logs and events both cover."""
    spans = [
        table.agg(first=table.at_us.min(), last=table.at_us.max()).to_pyarrow().to_pylist()[0]
        for table in (tables.hits, tables.events)
    ]
    if any(span["first"] is None for span in spans):
        return None
    first, last = max(span["first"] for span in spans), min(span["last"] for span in spans)
    return Overlap(first_at_us=first, last_at_us=last) if first < last else None


def _problem(group: Group) -> Problem:
    one = group.first
    return Problem(file=one.file, line=one.line, byte=one.byte, says=Says(zh=one.zh, en=one.en), count=group.count)


def _text(file: InputFile) -> Unpacked:
    return Unpacked(text=file.text, compression=compression_of(file.path))
