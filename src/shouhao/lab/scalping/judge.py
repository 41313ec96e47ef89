"""Judge: findings held against the labels. It reads findings alone, so it can judge any tool that writes them.

An account is accused by a finding whose subject it is or among whose members it stands, at that finding's level. What
counts as found for a scalper counts as accused for an honest account: there is one measure for both.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

LEVELS: tuple[str, ...] = ("lead", "strong", "certain-pattern")
STRONG = LEVELS.index("strong")
RING_LEAST = 5
RING_FOUND_AT = 0.5  #: Jaccard, of accounts

_CONFIDENCE = 0.95
_TEN_THOUSAND = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of how many."""

    count: int
    of: int

    @property
    def part(self) -> float | None:
        """As a part of one."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAccusations:
    """Honest accounts accused at strong or above."""

    accounts: Share
    per_10_000: float | None
    low_per_10_000: float  #: of a 95 % interval
    high_per_10_000: float
    by_kind: Mapping[str, Share]
    by_trait: Mapping[str, Share]
    who: tuple[str, ...]
    devices: int  #: honest devices that are themselves the subject, at strong or above
    ips: int  #: honest addresses, likewise; machines without malice included
    shared: int  #: devices and addresses that honest people share with a gang, likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class RingJudged:
    """One true gang, and the ring that fits it best."""

    gang: str
    kind: str
    accounts: int
    found: bool
    jaccard: float
    precision: float  #: part of the ring's accounts that are the gang's
    recall: float  #: part of the gang's accounts that are in the ring
    finding_id: str | None
    level: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the findings are worth."""

    honest: FalseAccusations
    found: Mapping[str, Share]  #: scalper accounts, at each level or above
    found_by_kind: Mapping[str, Mapping[str, Share]]
    found_traceable: Mapping[str, Share]  #: those alone whose trade leaves anything
    rings: tuple[RingJudged, ...]
    missed: Mapping[str, tuple[str, ...]]  #: by gang: accounts that are not accused at strong or above
    unknown: int  #: accounts in findings that no label knows

    def as_json(self) -> dict[str, Any]:
        """For a file or a report."""
        return asdict(self)


def judge(
    findings: Iterable[Mapping[str, Any]],
    labels: Mapping[str, Any],
    *,
    through: Collection[str] | None = None,
    ring_found_at: float = RING_FOUND_AT,
) -> Judged:
    """Measure findings against labels.

    Args:
        findings: in the shape of findings.jsonl.
        labels: as labels.json holds them.
        through: kinds of subjects whose members count as accused; None: all.
        ring_found_at: least Jaccard of a gang and a ring to call it found.
    """
    known = list(findings)
    accused = _accused(known, through)
    accounts: Mapping[str, Mapping[str, Any]] = labels["accounts"]
    gang_accounts = {one: label for one, label in accounts.items() if label["side"] == "gang"}
    traceable = {one: label for one, label in gang_accounts.items() if label["traces"]}
    kinds = sorted({label["kind"] for label in gang_accounts.values()})
    return Judged(
        honest=_false(known, accused, labels),
        found=_by_level(accused, gang_accounts),
        found_by_kind={
            kind: _by_level(accused, [one for one, label in gang_accounts.items() if label["kind"] == kind])
            for kind in kinds
        },
        found_traceable=_by_level(accused, traceable),
        rings=tuple(_rings(known, labels["gangs"], ring_found_at)),
        missed=_missed(accused, labels["gangs"]),
        unknown=sum(1 for one in accused if one not in accounts),
    )


def read_findings(path: Path) -> list[dict[str, Any]]:
    """The findings of a findings.jsonl."""
    found: list[dict[str, Any]] = msgspec.json.Decoder().decode_lines(path.read_bytes())
    return found


def read_labels(path: Path) -> dict[str, Any]:
    """A labels.json."""
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return found


def interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a part of one, exact for rare things (Clopper and Pearson 1934).

    >>> [round(edge, 6) for edge in interval(0, 10_000)]
    [0.0, 0.000369]
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - heavy, and wanted here alone

    if of == 0:
        return 0.0, 1.0
    tail = (1 - _CONFIDENCE) / 2
    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, tail))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1 - tail))
    return low, high


def _accused(findings: Iterable[Mapping[str, Any]], through: Collection[str] | None) -> dict[str, int]:
    """The highest level at which each account is accused."""
    accused: dict[str, int] = {}
    for finding in findings:
        level = LEVELS.index(finding["level"])
        for one in _accounts_of(finding, through):
            accused[one] = max(level, accused.get(one, 0))
    return accused


def _accounts_of(finding: Mapping[str, Any], through: Collection[str] | None = None) -> set[str]:
    subject = finding["subject"]
    named = {subject["id"]} if subject["kind"] == "account" else set()
    if through is None or subject["kind"] in through:
        named |= {member["id"] for member in finding.get("members") or () if member["kind"] == "account"}
    return named


def _by_level(accused: Mapping[str, int], accounts: Collection[str]) -> dict[str, Share]:
    levels = [accused[one] for one in accounts if one in accused]
    return {
        name: Share(count=sum(1 for level in levels if level >= n), of=len(accounts)) for n, name in enumerate(LEVELS)
    }


def _false(
    findings: Iterable[Mapping[str, Any]], accused: Mapping[str, int], labels: Mapping[str, Any]
) -> FalseAccusations:
    honest = {one: label for one, label in labels["accounts"].items() if label["side"] == "honest"}
    who = sorted(one for one in honest if accused.get(one, -1) >= STRONG)
    low, high = interval(len(who), len(honest))
    subjects = Counter(_side(finding, labels) for finding in findings if LEVELS.index(finding["level"]) >= STRONG)
    return FalseAccusations(
        accounts=Share(count=len(who), of=len(honest)),
        per_10_000=len(who) / len(honest) * _TEN_THOUSAND if honest else None,
        low_per_10_000=low * _TEN_THOUSAND,
        high_per_10_000=high * _TEN_THOUSAND,
        by_kind=_shares(who, {one: [label["kind"]] for one, label in honest.items()}),
        by_trait=_shares(who, {one: label.get("traits", []) for one, label in honest.items()}),
        who=tuple(who),
        devices=subjects["device", "honest"],
        ips=subjects["ip", "honest"],
        shared=subjects["device", "mixed"] + subjects["ip", "mixed"],
    )


def _side(finding: Mapping[str, Any], labels: Mapping[str, Any]) -> tuple[str, str]:
    """What a finding's subject is, and on which side."""
    kind, one = finding["subject"]["kind"], finding["subject"]["id"]
    return kind, labels.get(f"{kind}s", {}).get(one, {}).get("side", "unknown")


def _shares(who: Iterable[str], properties: Mapping[str, Iterable[str]]) -> dict[str, Share]:
    """For each property that an accused one has: how many of those who have it are accused."""
    of = Counter(one for each in properties.values() for one in each)
    hit = Counter(one for account in who for one in properties[account])
    return {name: Share(count=hit[name], of=of[name]) for name in sorted(hit)}


def _rings(
    findings: Iterable[Mapping[str, Any]], gangs: Mapping[str, Mapping[str, Any]], found_at: float
) -> Iterable[RingJudged]:
    rings = [(finding, _accounts_of(finding)) for finding in findings if finding["subject"]["kind"] == "ring"]
    for gang_id in sorted(gangs):
        truth = set(gangs[gang_id]["accounts"])
        if len(truth) < RING_LEAST:
            continue
        best: Mapping[str, Any] | None = None
        jaccard, overlap, size = 0.0, 0, 0
        for finding, members in rings:
            common = len(truth & members)
            fits = common / len(truth | members)
            if fits > jaccard:
                best, jaccard, overlap, size = finding, fits, common, len(members)
        yield RingJudged(
            gang=gang_id,
            kind=gangs[gang_id]["kind"],
            accounts=len(truth),
            found=jaccard >= found_at,
            jaccard=jaccard,
            precision=overlap / size if size else 0.0,
            recall=overlap / len(truth),
            finding_id=None if best is None else best["finding_id"],
            level=None if best is None else best["level"],
        )


def _missed(accused: Mapping[str, int], gangs: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    missed = {
        gang_id: tuple(sorted(one for one in gang["accounts"] if accused.get(one, -1) < STRONG))
        for gang_id, gang in sorted(gangs.items())
    }
    return {gang_id: accounts for gang_id, accounts in missed.items() if accounts}
