"""Draw file: a draw as it is published, and the checks by which anyone repeats it.

It holds all that the result depends on and nothing that leads to a person: no patient, account or device, and no time
of entry. `tools/verify_draw.py` does the same with the standard library alone.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shouhao.booking.release.draw import Allocation, DuplicateEntry, Entry, allocate, rank
from shouhao.booking.release.draw_form import (
    FORMAT,
    RULE,
    TRUST,
    VERSION,
    DrawKind,
    Published,
    published,
    read_terms,
    rule_round,
)
from shouhao.booking.release.seal import (
    Contribution,
    commitment,
    contribution_order,
    final_seed,
    leaf,
    merkle_root,
    trust_of,
)
from shouhao.kernel.errors import InvalidInput, Tampered

_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DIGITS = 16  #: of the longest whole number that is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing a file must keep."""

    code: str
    zh: str
    en: str
    holds: bool


def draw_terms(
    *,
    draw_id: str,
    kind: DrawKind,
    title: str,
    policy: Mapping[str, Any],
    policy_scope: str,
    policy_version: int,
    opened_at: str,
    closed_at: str,
    sealed_at: str,
    targets: Sequence[Mapping[str, Any]],
    left_out: Sequence[Mapping[str, str]],
    commitment: str,
    receipt_key: str | None,
) -> dict[str, Any]:
    """What stands besides the entries when they are sealed: the first leaf of the tree.

    Sealed with the entries, so that seats, policy or the time of sealing cannot be chosen once the seed is known.

    Args:
        opened_at: as `kernel.clock.iso` writes it, like the other two.
        targets: `{"id", "seats", "label"}`; no seats means that only the order counts.
        left_out: `{"id", "reason"}` of entries that were taken and may not take part.
        commitment: hex, of the hospital's secret.
        receipt_key: the public key that receipts of this draw are checked with.
    Raises:
        InvalidInput: names the field that could not be published.
    """
    terms = {
        "id": draw_id,
        "kind": kind,
        "title": title,
        "policy": {"rules": policy, "scope": policy_scope, "version": policy_version},
        "opened_at": opened_at,
        "closed_at": closed_at,
        "sealed_at": sealed_at,
        "targets": sorted(({**one} for one in targets), key=lambda one: str(one.get("id"))),
        "left_out": sorted(({**one} for one in left_out), key=lambda one: str(one.get("id"))),
        "commitment": commitment,
        "receipt_key": receipt_key,
    }
    read_terms(terms)
    return terms


def sealed_leaves(terms: Mapping[str, Any], entries: Sequence[Entry]) -> list[bytes]:
    """Leaves of the draw's tree: the terms, then the entries by id. Entry n of the sorted list is leaf n + 1."""
    return [canonical(terms), *[leaf(entry) for entry in sorted(entries, key=_by_id)]]


def sealed_root(terms: Mapping[str, Any], entries: Sequence[Entry]) -> bytes:
    """The root that is published when the entries are sealed."""
    return merkle_root(sealed_leaves(terms, entries))


def draw_file(
    *,
    entries: Sequence[Entry],
    secret: bytes,
    contributions: Sequence[Contribution] = (),
    root: bytes | None = None,
    **terms: Any,
) -> dict[str, Any]:
    """Hold the draw and put everything into the published form.

    Args:
        entries: those that take part, in any order.
        root: what was published at the seal, where it was; what is drawn now must be what was sealed then.
        terms: the arguments of `draw_terms`.
    Raises:
        Tampered: entries or terms are not what was sealed, or a revealed value is not what was committed to.
        DuplicateEntry: a person stands in two entries.
        InvalidInput: something could not be published.
    """
    draw = draw_terms(**terms)
    draw_id = draw["id"]
    given = sorted(contributions, key=contribution_order)
    entries = sorted(entries, key=_by_id)
    sealed = sealed_root(draw, entries)
    if root is not None and root != sealed:
        raise Tampered(f"draw {draw_id}: entries or terms are not what was sealed")
    seed = final_seed(draw_id=draw_id, root=sealed, secret=secret, contributions=given)
    result = allocate(rank(entries, seed=seed), {target["id"]: target["seats"] for target in draw["targets"]})
    level = trust_of(given)
    file = {
        "format": FORMAT,
        "version": VERSION,
        "draw": draw,
        "entries": [{"id": one.id, "people": list(one.people), "wishes": list(one.wishes)} for one in entries],
        "root": sealed.hex(),
        "secret": secret.hex(),
        "contributions": [_written(one) for one in given],
        "seed": seed.hex(),
        "rule": RULE,
        "trust": {"level": level, **TRUST[level]},
        "order": list(result.order),
        "wins": [{"id": win.entry_id, "target": win.target} for win in result.wins],
    }
    _refuse_what_would_not_verify(published(file))
    return file


def canonical(file: Mapping[str, Any]) -> bytes:
    """The bytes that are published: sorted keys, UTF-8, no spaces. Their SHA-256 is the same wherever it is taken."""
    return _CANONICAL.encode(file).encode()


def read(raw: bytes) -> dict[str, Any]:
    """A published file from its bytes.

    Only the canonical bytes are read: otherwise two files with different hashes would both verify, and a name given
    twice would show one reader something else than another.

    Raises:
        InvalidInput: not UTF-8, not JSON, nested too deeply, not an object, or not in canonical form.
    """
    try:
        file = json.loads(raw.decode(), parse_int=_whole, parse_float=_no_number, parse_constant=_no_number)
        again = canonical(file) if isinstance(file, dict) else b""
    except (ValueError, RecursionError):
        raise InvalidInput("file", zh="不是抽签文件（JSON）", en="is no draw file (JSON)") from None
    if again != raw:
        raise InvalidInput(
            "file", zh="不是规范形式，已被改动或重新排版", en="is not in canonical form: changed, or written anew"
        )
    return dict(file)


def verify(file: Mapping[str, Any]) -> list[Check]:
    """Repeat the draw from the file alone. Never raises: what cannot be read is a check that does not hold."""
    try:
        known = published(file)
    except InvalidInput as bad:
        return [Check(code="form", zh=f"格式不符：{bad.says('zh')}", en=f"Form: {bad.says('en')}", holds=False)]
    result, level = _repeated(known), trust_of(known.contributions)
    holds = {
        "form": True,
        "entries": _entries_hold(known),
        "root": sealed_root(file["draw"], known.entries) == known.root,
        "commitment": _commitment_holds(known),
        "witnesses": _witnesses_hold(known),
        "beacon": _beacon_holds(known),
        "seed": known.seed
        == final_seed(draw_id=known.draw_id, root=known.root, secret=known.secret, contributions=known.contributions),
        "order": result is not None and result.order == known.order,
        "wins": result is not None and tuple((win.entry_id, win.target) for win in result.wins) == known.wins,
        "words": file["rule"] == RULE and file["trust"] == {"level": level, **TRUST[level]},
    }
    return [Check(code=code, zh=zh, en=en, holds=holds[code]) for code, (zh, en) in _CHECKS.items()]


_CHECKS: Mapping[str, tuple[str, str]] = {
    "form": ("格式与字段正确", "Every field has its form"),
    "entries": ("名单有序，一人一份，志愿都在号源之内", "Entries are sorted, one a person, wishes known"),
    "root": ("名单与规则的默克尔根相符", "The Merkle root is that of the terms and entries"),
    "commitment": ("医院公开的秘密与事先的承诺相符", "The hospital revealed the secret it had committed to"),
    "witnesses": ("见证方的数值与事先的承诺相符", "Witnesses revealed the values they had committed to"),
    "beacon": ("信标轮次是规则所定的那一轮", "The beacon's round is the one the rule names"),
    "seed": ("种子由上述各项算出", "The seed follows from all of these"),
    "order": ("排列顺序由种子算出", "The order follows from the seed"),
    "wins": ("中签结果由顺序与号源数算出", "Who won follows from the order and the seats"),
    "words": ("规则与可信程度的说明属实", "Rule and trust level are stated as they are"),
}


def _entries_hold(known: Published) -> bool:
    ids = [entry.id for entry in known.entries]
    tickets = [ticket for entry in known.entries for ticket in entry.people]
    return (
        ids == sorted(set(ids))
        and len(set(tickets)) == len(tickets)
        and all(wish in known.seats for entry in known.entries for wish in entry.wishes)
        and not set(known.left_out) & set(ids)
    )


def _commitment_holds(known: Published) -> bool:
    return commitment(known.draw_id, known.secret) == known.commitment


def _witnesses_hold(known: Published) -> bool:
    names = [contribution_order(one) for one in known.contributions]
    return names == sorted(set(names)) and all(
        one.commitment == commitment(known.draw_id, one.value, who=one.who)
        for one in known.contributions
        if one.kind == "witness"
    )


def _beacon_holds(known: Published) -> bool:
    beacons = [(one.who, one.round) for one in known.contributions if one.kind == "beacon"]
    return not beacons or beacons == [(known.beacon_rules.get("beacon"), rule_round(known))]


def _repeated(known: Published) -> Allocation | None:
    try:
        return allocate(rank(known.entries, seed=known.seed), known.seats)
    except DuplicateEntry:
        return None


def _refuse_what_would_not_verify(known: Published) -> None:
    """What the caller gave must hold before it is published; what was computed here holds by its making."""
    if not _entries_hold(known):
        raise InvalidInput(
            "entries",
            zh="编号重复、志愿不在号源之内，或已被排除",
            en="has an id twice, an unknown wish, or one left out",
        )
    if not _commitment_holds(known) or not _witnesses_hold(known):
        raise Tampered(f"draw {known.draw_id}: a revealed value is not what was committed to")
    if not _beacon_holds(known):
        raise InvalidInput(
            "contributions", zh="不是规则所定的信标轮次", en="is not the beacon's round that the rule names"
        )


def _written(one: Contribution) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "who": one.who,
        "round": one.round,
        "value": one.value.hex(),
        "commitment": one.commitment,
    }


def _by_id(entry: Entry) -> str:
    return entry.id


def _whole(digits: str) -> int:
    """A whole number that every reader reads alike; a longer one would also cost time that grows with its square."""
    if len(digits.lstrip("-")) > _DIGITS:
        raise ValueError("too long")
    return int(digits)


def _no_number(_: str) -> float:
    raise ValueError("only whole numbers stand in a draw file")
