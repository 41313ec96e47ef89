"""Terms: what a finding's score is the sum of, told apart as a reader needs them.

scoring.py keeps the base rate, and what it took off so that nothing counts twice, among what speaks for the subject,
for they lower the score. To a reader they say nothing about this subject, and must not look as if they did.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BASE_RATE, _OWN = "scoring.base_rate", "scoring."
_LEAST_REST = 0.005  # half of the last digit that is shown

Term = Mapping[str, Any]  #: a reason, or something that speaks for the subject, as findings.jsonl has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The parts of a score."""

    base: Term | None
    reasons: tuple[Term, ...]
    allowances: tuple[Term, ...]  #: what was taken off because reasons overlap
    speaks_for: tuple[tuple[int, Term], ...]  #: with its number in the finding, by which its excerpts are found
    rest: float  #: of the score, told by none of them


def terms_of(finding: Mapping[str, Any]) -> Terms:
    """The terms of a finding."""
    reasons, told = tuple(finding["reasons"]), list(enumerate(finding["speaks_for"]))
    known = [float(one["weight"]) for one in reasons] + [float(one["weight"]) for _, one in told]
    rest = math.fsum([float(finding["score"]), *(-weight for weight in known)])
    return Terms(
        base=next((one for _, one in told if one["code"] == _BASE_RATE), None),
        reasons=reasons,
        allowances=tuple(one for _, one in told if one["code"].startswith(_OWN) and one["code"] != _BASE_RATE),
        speaks_for=tuple((n, one) for n, one in told if not one["code"].startswith(_OWN)),
        rest=0.0 if abs(rest) < _LEAST_REST else rest,
    )
