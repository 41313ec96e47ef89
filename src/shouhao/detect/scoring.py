"""Scoring: reasons and what speaks against them become findings, in log-odds whose every term can be read.

A finding starts at the base rate: of a thousand accounts one is a scalper's. Reasons of one cause (families.py) count
the strongest in full, the others by half, and together no more than a cap, for they see the same thing. What speaks
for a subject takes off what it explains, and no more. Whatever is taken off stands among what speaks for the subject,
so that the terms of a finding add up to its score to the last thousandth.

A level asks for the score and for independent causes: one cause alone is a lead, however large; people decide the rest.
An address, a network or a device that is found convicts nobody behind it: only rings list accounts.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from shouhao.detect.families import explains, family_of
from shouhao.detect.model import Level, Says, Speaks, Subject, SubjectKind, Suspicion, Wanted
from shouhao.kernel.clock import iso

_MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringPolicy:
    """Base rates, caps and levels, all in log-odds."""

    #: How many of a kind are a scalper's before anything is known: ln(1/999) is -6.9, one in a thousand.
    base: Mapping[SubjectKind, float] = field(
        default_factory=lambda: MappingProxyType(
            {
                "account": -6.9,
                "device": -6.9,
                "ip": -6.9,
                "prefix": -6.9,
                "session": -6.9,
                "payer": -6.9,
                "patient": -7.6,  # a patient is who is sold to, seldom who sells
                "staff": -6.9,
                "ring": -4.6,  # of groups that share much, one in a hundred is no family
            }
        )
    )
    cap: float = 6.0  #: of one cause: 400 to 1; alone it never makes guilt likelier than not
    others_share: float = 0.5  #: of what further reasons of the same cause add
    #: Reasons that no honest life and no fault of a phone brings about. They are not capped and need no second cause.
    impossible: frozenset[str] = frozenset({"face_batches.same_frame"})
    counts_from: float = 2.0  #: what is left of a cause, for it to count as one: seven to one
    lead_from: float = -4.0  #: one in fifty-five: worth a look
    strong_from: float = 3.0  #: twenty to one; of a thousand honest accounts and one guilty, far less than one is here
    strong_causes: int = 2
    certain_from: float = 6.0  #: four hundred to one
    certain_causes: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason with the weight with which it was counted."""

    suspicion: Suspicion
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenFor:
    """Something that speaks for the subject, with what it took off; negative or nothing."""

    code: str
    says: Says
    weight: float
    wanted: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One subject with everything that was said about it."""

    id: str
    subject: Subject
    members: tuple[Subject, ...]
    score: float
    level: Level
    first_at_us: int
    last_at_us: int
    reasons: tuple[Reason, ...]
    speaks_for: tuple[SpokenFor, ...]
    detector_versions: Mapping[str, int]
    input_sha256: Mapping[str, str]

    def wanted(self) -> list[tuple[Wanted, ...]]:
        """Which rows each reason rests on, then each thing that speaks for the subject."""
        return [*(one.suspicion.wanted for one in self.reasons), *(one.wanted for one in self.speaks_for)]

    def as_dict(self, evidence: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
        """The finding as a line of findings.jsonl holds it.

        Args:
            evidence: for each of `wanted()`, in order, the places of its rows.
        """
        of_reasons, of_speaks = evidence[: len(self.reasons)], evidence[len(self.reasons) :]
        return {
            "finding_id": self.id,
            "subject": _told(self.subject),
            "members": [_told(one) for one in self.members],
            "score": self.score,
            "level": self.level,
            "first_at": iso(self.first_at_us),
            "last_at": iso(self.last_at_us),
            "reasons": [_reason(one, list(ev)) for one, ev in zip(self.reasons, of_reasons, strict=True)],
            "speaks_for": [
                {"code": one.code, "says": _says(one.says), "weight": one.weight, "evidence": list(ev)}
                for one, ev in zip(self.speaks_for, of_speaks, strict=True)
            ],
            "detector_versions": dict(sorted(self.detector_versions.items())),
            "input_sha256": dict(sorted(self.input_sha256.items())),
        }


def findings(
    said: Iterable[Suspicion | Speaks],
    *,
    detector_versions: Mapping[str, int],
    input_sha256: Mapping[str, str],
    policy: ScoringPolicy | None = None,
) -> list[Finding]:
    """All that is said, by subject; those worth a look, the highest score first.

    It depends on what is said alone, not on the order in which it was said.

    Args:
        detector_versions: version by code of each detector that was run.
        input_sha256: hash by name of each input file.
    """
    policy = policy or ScoringPolicy()
    suspicions: dict[Subject, list[Suspicion]] = defaultdict(list)
    speaks: dict[Subject, list[Speaks]] = defaultdict(list)
    for one in said:
        if isinstance(one, Suspicion):
            suspicions[one.subject].append(one)
        else:
            speaks[one.subject].append(one)
    found = []
    for subject in sorted(suspicions, key=_key):
        one_found = _finding(
            subject, suspicions[subject], speaks.get(subject, []), policy, detector_versions, input_sha256
        )
        if one_found.score >= policy.lead_from:
            found.append(one_found)
    return sorted(found, key=lambda f: (-f.score, _key(f.subject)))


def _finding(
    subject: Subject,
    suspicions: Sequence[Suspicion],
    speaks: Sequence[Speaks],
    policy: ScoringPolicy,
    detector_versions: Mapping[str, int],
    input_sha256: Mapping[str, str],
) -> Finding:
    reasons = sorted(
        (Reason(suspicion=one, weight=_milli(one.weight) / _MILLI) for one in suspicions),
        key=lambda r: (-r.weight, r.suspicion.code, r.suspicion.first_at_us, repr(r.suspicion)),
    )
    left, overlaps = _by_cause(reasons, policy)
    told = [_base_rate(subject.kind, policy), *overlaps, *_taken_off(speaks, left)]
    milli = sum(_milli(one.weight) for one in reasons) + sum(_milli(one.weight) for one in told)
    causes = sorted(family for family, weight in left.items() if weight >= _milli(policy.counts_from))
    codes = {one.suspicion.code for one in reasons if family_of(one.suspicion.code) in causes}
    return Finding(
        id=_id_of(subject, detector_versions, input_sha256),
        subject=subject,
        members=_members(subject, suspicions),
        score=milli / _MILLI,
        level=_level(milli, len(causes), bool(codes & policy.impossible), policy),
        first_at_us=min(one.first_at_us for one in suspicions),
        last_at_us=max(one.last_at_us for one in suspicions),
        reasons=tuple(reasons),
        speaks_for=tuple(told),
        detector_versions=detector_versions,
        input_sha256=input_sha256,
    )


def _by_cause(reasons: Sequence[Reason], policy: ScoringPolicy) -> tuple[dict[str, int], list[SpokenFor]]:
    """What each cause counts, in thousandths, and what was taken off because its reasons see the same thing."""
    by_cause: dict[str, list[Reason]] = defaultdict(list)
    for one in reasons:
        by_cause[family_of(one.suspicion.code)].append(one)
    left, overlaps = {}, []
    for cause, of in sorted(by_cause.items()):
        weights = sorted((_milli(one.weight) for one in of), reverse=True)
        impossible = [_milli(one.weight) for one in of if one.suspicion.code in policy.impossible]
        cap = max([_milli(policy.cap), *impossible])
        left[cause] = min(cap, weights[0] + round(policy.others_share * sum(weights[1:])))
        over = sum(weights) - left[cause]
        if over > 0:
            says = Says(
                zh=f"同一成因（{cause}）的 {len(of)} 条理由相互重叠，不重复计算",
                en=f"{len(of)} reasons of one cause ({cause}) see the same thing and are not counted twice",
            )
            overlaps.append(SpokenFor(code=f"scoring.overlap_{cause}", says=says, weight=-over / _MILLI))
    return left, overlaps


def _taken_off(speaks: Sequence[Speaks], left: dict[str, int]) -> list[SpokenFor]:
    """What each thing takes off the causes that it explains; `left` is what remains of them."""
    told: list[SpokenFor] = []
    for one in sorted(speaks, key=lambda s: (s.weight, s.code, repr(s))):
        if any(one.code == before.code for before in told):
            continue  # a family on a phone and around a child is one family
        took = 0
        for cause in sorted(left):
            if explains(one.code, cause):
                off = min(left[cause], max(0, -_milli(one.weight)))
                left[cause] -= off
                took += off
        told.append(SpokenFor(code=one.code, says=one.says, weight=-took / _MILLI, wanted=one.wanted))
    return told


def _base_rate(kind: SubjectKind, policy: ScoringPolicy) -> SpokenFor:
    base = policy.base[kind]
    return SpokenFor(
        code="scoring.base_rate",
        says=Says(
            zh="绝大多数同类对象与号贩无关，评分由此起算",
            en="Nearly all of its kind have nothing to do with scalping; the score starts there",
        ),
        weight=_milli(base) / _MILLI,
    )


def _level(milli: int, causes: int, impossible: bool, policy: ScoringPolicy) -> Level:
    if milli >= _milli(policy.certain_from) and causes + impossible >= policy.certain_causes:
        return "certain-pattern"
    if milli >= _milli(policy.strong_from) and causes + impossible >= policy.strong_causes:
        return "strong"
    return "lead"


def _members(subject: Subject, suspicions: Sequence[Suspicion]) -> tuple[Subject, ...]:
    """Everybody named beside the subject; accounts are members of rings alone.

    Whoever stands among the members is accused with the subject: a buyer, a guest of a Wi-Fi or the owner of a phone
    that was sold on must not be.
    """
    named = {member for one in suspicions for member in one.members if member != subject}
    if subject.kind != "ring":
        named = {member for member in named if member.kind != "account"}
    if subject.kind in {"ip", "prefix"}:
        named = {member for member in named if member.kind not in {"patient", "payer"}}
    return tuple(sorted(named, key=_key))


def _id_of(subject: Subject, versions: Mapping[str, int], hashes: Mapping[str, str]) -> str:
    """Of the subject, of the detectors and of the bytes of the inputs, whatever the files are called."""
    parts = [subject.kind, subject.id]
    parts += [f"{code}={version}" for code, version in sorted(versions.items())]
    parts += sorted(hashes.values())
    return "f-" + hashlib.sha256("\x00".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:24]


def _milli(weight: float) -> int:
    """Thousandths, so that sums are exact and do not depend on any order."""
    return round(weight * _MILLI)


def _key(subject: Subject) -> tuple[str, str]:
    return subject.kind, subject.id


def _told(subject: Subject) -> dict[str, str]:
    return {"kind": subject.kind, "id": subject.id}


def _says(says: Says) -> dict[str, str]:
    return {"zh": says.zh, "en": says.en}


def _reason(reason: Reason, evidence: list[Mapping[str, Any]]) -> dict[str, Any]:
    one = reason.suspicion
    told: dict[str, Any] = {
        "code": one.code,
        "says": _says(one.says),
        "measured": one.measured,
        "expected": one.expected,
        "threshold": one.threshold,
        "weight": reason.weight,
        "evidence": evidence,
    }
    return told if one.owasp is None else {**told, "owasp": one.owasp}
