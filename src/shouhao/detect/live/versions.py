"""Live versions: what is found again and again becomes lines that are only ever added, each a version of a finding.

A finding of last minute that is simply the same is not said again. One that has changed in what it means is said anew
as its next version, with what changed; one that late events have changed is said anew as a correction, however little
it is; one that is no longer found is said not to stand. No line is ever altered or taken back in silence. Values only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Pace = Literal["fast", "full"]
Line = Mapping[str, Any]

_SCORE_STEP = 0.5  #: in log-odds; a smaller move of the score alone is no news
_PLAIN = ("level", "score", "first_at", "last_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of one finding."""

    version: int  #: of the last line
    said: Line  #: the finding as it was in the last line
    found: Line | None  #: as it was when it was last looked for; None when it was not found
    window: str  #: in which it was looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at what is there."""

    pace: Pace
    as_of: str  #: ISO 8601: events before it counted
    window: str  #: a name of the stretch of time; what was found in another one is left as it was said
    corrects: bool  #: the same look as before, with late events


def lines_of(told: Mapping[str, Told], found: Sequence[Line], look: Look) -> tuple[list[Line], dict[str, Told]]:
    """The lines that one look adds, and what is known after it, of the findings that it touched.

    Args:
        told: by finding_id.
        found: as lines of findings.jsonl, each id once.
    """
    lines: list[Line] = []
    after: dict[str, Told] = {}
    for finding in found:
        name = finding["finding_id"]
        before = told.get(name)
        again = before if before and before.window == look.window else None
        if before is None:
            lines.append(_line(finding, look, 1, ()))
            after[name] = Told(version=1, said=finding, found=finding, window=look.window)
        elif _is_news(before, again, finding, look):
            changed = tuple(changes(before.said, finding, stood=again is None or again.found is not None))
            lines.append(_line(finding, look, before.version + 1, changed))
            after[name] = Told(version=before.version + 1, said=finding, found=finding, window=look.window)
        else:
            after[name] = replace(before, found=finding, window=look.window)
    gone = {name for name, one in told.items() if one.window == look.window and one.found is not None}
    for name in sorted(gone - {finding["finding_id"] for finding in found}):
        before = told[name]
        lines.append(_gone(before, look))
        after[name] = replace(before, version=before.version + 1, found=None)
    return lines, after


def _is_news(before: Told, again: Told | None, finding: Line, look: Look) -> bool:
    if again is None or again.found is None:
        return True
    if look.corrects:
        return dict(again.found) != dict(finding)
    said = before.said
    return _meaning(said) != _meaning(finding) or abs(float(said["score"]) - float(finding["score"])) >= _SCORE_STEP


def _meaning(finding: Line) -> Any:
    return (
        finding["level"],
        finding["members"],
        sorted(_codes(finding, "reasons")),
        sorted(_codes(finding, "speaks_for")),
    )


def changes(said: Line, finding: Line, *, stood: bool = True) -> Iterator[dict[str, Any]]:
    """What differs between two versions of one finding."""
    if not stood:
        yield {"what": "stands", "from": False, "to": True}
    for name in _PLAIN:
        if said[name] != finding[name]:
            yield {"what": name, "from": said[name], "to": finding[name]}
    yield from _added_and_removed("member", [_id(m) for m in said["members"]], [_id(m) for m in finding["members"]])
    for part, what in (("reasons", "reason"), ("speaks_for", "speaks_for")):
        before, now = _by_code(said, part), _by_code(finding, part)
        yield from _added_and_removed(what, before, now)
        for code in sorted(set(before) & set(now)):
            if before[code] != now[code]:
                yield {"what": what, "code": code, "from": _figures(before[code]), "to": _figures(now[code])}


def _added_and_removed(what: str, before: Iterable[str], now: Iterable[str]) -> Iterator[dict[str, Any]]:
    for one in sorted(set(now) - set(before)):
        yield {"what": f"{what}_added", "code": one}
    for one in sorted(set(before) - set(now)):
        yield {"what": f"{what}_removed", "code": one}


def _codes(finding: Line, part: str) -> list[str]:
    return [one["code"] for one in finding[part]]


def _by_code(finding: Line, part: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in finding[part]:
        found.setdefault(one["code"], []).append(one)
    return found


def _figures(reasons: Sequence[Line]) -> list[dict[str, Any]]:
    names = ("measured", "expected", "threshold", "weight")
    return [{**{name: one[name] for name in names if name in one}, "evidence": len(one["evidence"])} for one in reasons]


def _id(subject: Line) -> str:
    return f"{subject['kind']}:{subject['id']}"


def _line(finding: Line, look: Look, version: int, changed: Sequence[Line]) -> Line:
    return {**finding, **_about(look, version, stands=True), "changed": list(changed)}


def _gone(before: Told, look: Look) -> Line:
    about = {name: before.said[name] for name in ("finding_id", "subject")}
    changed = [{"what": "stands", "from": True, "to": False}]
    return {**about, **_about(look, before.version + 1, stands=False), "changed": changed}


def _about(look: Look, version: int, *, stands: bool) -> Line:
    return {
        "version": version,
        "stands": stands,
        "pace": look.pace,
        "as_of": look.as_of,
        "corrects": look.corrects,
    }
