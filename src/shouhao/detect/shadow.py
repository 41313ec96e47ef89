"""Shadow: what a new rule, or another threshold of a rule, would have done on data that are past.

The same rows are judged twice, without what is on trial and with it, and nobody is accused by the second judgement. A
score is the log-odds that its subject is a scalper's, so 1 / (1 + e^score) is the chance that it is not; summed over
the subjects of a level, that is how many false accusations to expect. It is as good as the weights are: whoever knows
what became of some of these subjects should look at them.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shouhao.detect.model import LEVELS, Detector, Level, Source, Tables
from shouhao.detect.rules import DETECTORS
from shouhao.detect.run import Analysis, analyze, counted
from shouhao.kernel.errors import InvalidInput

_WRITTEN = re.compile(r"(?P<code>[a-z_]+)(\.(?P<field>[a-z_]+)=(?P<value>[-+.0-9eE]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A rule on trial, or a field of its policy with another value."""

    code: str
    field: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the trial would have done at one level and those above it."""

    level: Level
    before: int  #: subjects without what is on trial
    after: int
    expected_false_before: float  #: of them, by their own scores
    expected_false_after: float
    new: tuple[Mapping[str, str], ...]  #: subjects that only the trial brings there
    gone: tuple[Mapping[str, str], ...]  #: subjects that it takes away


def parse_trial(written: str) -> Trial:
    """A trial as it is given on a command line: `snipers`, or `bursts.most=4`.

    Raises:
        InvalidInput: there is no such rule, or no such number in its policy.
    """
    said = _WRITTEN.fullmatch(written)
    kinds = {kind.code: kind for kind in DETECTORS}
    if said is None or said["code"] not in kinds:
        raise _refused(
            f"应为规则名或 规则.参数=数值；规则有 {', '.join(kinds)}",
            f"is RULE or RULE.FIELD=NUMBER of {', '.join(kinds)}",
        )
    if said["field"] is None:
        return Trial(code=said["code"])
    policy = _policy_of(kinds[said["code"]])
    numbers = [one.name for one in dataclasses.fields(policy) if _is_number(getattr(policy, one.name))]
    try:
        value = float(said["value"])
    except ValueError:
        value = math.nan
    if said["field"] not in numbers or not math.isfinite(value):
        raise _refused(
            f"{said['code']} 的数值参数有 {', '.join(numbers)}", f"numbers of {said['code']}: {', '.join(numbers)}"
        )
    return Trial(code=said["code"], field=said["field"], value=value)


def try_out(tables: Tables, sources: Sequence[Source], trials: Sequence[Trial]) -> tuple[Analysis, tuple[Change, ...]]:
    """Judge without and with what is on trial: what stands, and what would change at each level."""
    seen: dict[tuple[str, str], Mapping[str, pa.Table]] = {}

    def once(detector: Detector, over: Tables) -> Mapping[str, pa.Table]:
        key = (detector.code, repr(detector.policy))
        if key not in seen:
            seen[key] = counted(detector, over)
        return seen[key]

    new = {trial.code for trial in trials if trial.field is None}
    without = tuple(kind for kind in DETECTORS if kind.code not in new)
    before = analyze(tables, sources, detectors=without, counting=once)
    after = analyze(tables, sources, policies=_policies(trials), counting=once)
    return before, tuple(_change(level, before, after) for level in LEVELS)


def _policies(trials: Sequence[Trial]) -> dict[str, Any]:
    kinds = {kind.code: kind for kind in DETECTORS}
    policies: dict[str, Any] = {}
    for trial in trials:
        if trial.field is not None and trial.value is not None:
            policy = policies.get(trial.code) or _policy_of(kinds[trial.code])
            whole = isinstance(getattr(policy, trial.field), int)
            value = round(trial.value) if whole else trial.value
            policies[trial.code] = dataclasses.replace(policy, **{trial.field: value})
    return policies


def _policy_of(kind: type[Detector]) -> Any:
    """The policy that a rule has by itself."""
    return kind().policy


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _change(level: Level, before: Analysis, after: Analysis) -> Change:
    was, is_now = _at_least(level, before), _at_least(level, after)
    return Change(
        level=level,
        before=len(was),
        after=len(is_now),
        expected_false_before=_expected_false(was),
        expected_false_after=_expected_false(is_now),
        new=_named(is_now.keys() - was.keys()),
        gone=_named(was.keys() - is_now.keys()),
    )


def _at_least(level: Level, analysis: Analysis) -> dict[tuple[str, str], float]:
    """Scores by subject of the findings at a level or above."""
    counts = LEVELS[LEVELS.index(level) :]
    return {
        (one["subject"]["kind"], one["subject"]["id"]): one["score"]
        for one in analysis.findings
        if one["level"] in counts
    }


def _expected_false(scores: Mapping[tuple[str, str], float]) -> float:
    return round(math.fsum(1 / (1 + math.exp(score)) for score in scores.values()), 4)


def _named(subjects: set[tuple[str, str]]) -> tuple[Mapping[str, str], ...]:
    return tuple({"kind": kind, "id": of} for kind, of in sorted(subjects))


def _refused(zh: str, en: str) -> InvalidInput:
    return InvalidInput("shadow", zh=zh, en=en)
