"""Verify a published draw with the standard library alone (Python 3.8 or newer): python -I verify_draw.py FILE.

Makes anew what follows from the rest of the file and compares. Exit status: 0 it verifies, 1 not, 2 wrong usage.
"""

# fmt: off
import hashlib, hmac, json, re, sys  # noqa: E401, I001 - few lines, so that it is read
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

_NAME, _HEX = (re.compile(form).fullmatch for form in ("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", "(?:[0-9a-f]{2}){16,128}"))
_DRAW = {"id", "kind", "title", "policy", "opened_at", "closed_at", "sealed_at", "targets", "left_out", "commitment"}
_ENTRY, _GIVEN = {"id", "people", "wishes"}, {"kind", "who", "round", "value", "commitment"}
_WORDS = {  # SHA-256 of the words that explain the rule and each level of trust
    "rule": "26b5e23652243ef287498ab57ca7fa25445ea425a842ca09cf074d93b84c1d2c",
    "sealed": "698f542fa1ed9b5c310fb6c8d860cea3870f801855a741adf3a59a8c40b15057",
    "witnessed": "a68c356b71bf83627a18a33fe1b621b536543617c1e30fce0820f6f0f1fbce9f",
    "public": "24b5d94bb813bc2f0a8687d081f3248b903de858e3cd0b23a9a4eb7772f0597c",
}
def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
def _bound(*parts: bytes) -> bytes:
    return _sha(*[len(part).to_bytes(8, "big") + part for part in parts])
def _commitment(draw: Any, who: str, secret: str) -> str:
    return _bound(b"shouhao draw commitment 1", draw["id"].encode(), who.encode(), bytes.fromhex(secret)).hex()
def _root(leaves: Any) -> bytes:
    level = [_sha(b"\x00", leaf) for leaf in leaves]
    while len(level) > 1:
        level = [_sha(b"\x01", *level[n : n + 2]) if level[n + 1 :] else level[n] for n in range(0, len(level), 2)]
    return level[0]
def _round(sealed_at: str, rules: Any) -> Any:
    sealed = datetime.fromisoformat(sealed_at) - datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017
    wait_us = sealed // timedelta(microseconds=1) + (rules["beacon_after_s"] - rules["beacon_genesis_s"]) * 1_000_000
    return max(0, -(-wait_us // (rules["beacon_period_s"] * 1_000_000))) + 1

def _sound(file: Any) -> bool:
    """Whether what was given keeps the rules: one entry a person, known wishes, values that were committed to."""
    draw, entries, given = file["draw"], file["entries"], file["contributions"]
    ids, people = [one["id"] for one in entries], [ticket for one in entries for ticket in one["people"]]
    targets, left_out = [one["id"] for one in draw["targets"]], {one["id"] for one in draw["left_out"]}
    rules, names = draw["policy"]["rules"].get("draw"), [(one["kind"], one["who"]) for one in given]
    witnesses = [one for one in given if one["kind"] == "witness" and one["round"] is None]
    beacons = [(one["kind"], one["who"], one["round"], one["commitment"]) for one in given if one not in witnesses]
    values = [("hospital", file["secret"])] + [(one["who"], one["value"]) for one in witnesses]
    level = "public" if beacons else "witnessed" if witnesses else "sealed"
    kinds = [_DRAW] + [_ENTRY] * len(entries) + [_GIVEN] * len(given)
    return (
        [{*draw} - {"receipt_key"}, *map(set, entries + given)] == kinds
        and all(list_ == sorted(set(list_)) for list_ in (ids, targets, names))
        and (len(people), left_out.isdisjoint(ids)) == (len(set(people)), True)
        and all(map(_NAME, ids + people + targets))
        and all(type(one["seats"]) is int and one["seats"] >= 0 for one in draw["targets"])
        and all(one["people"] and len(one["wishes"]) == len({*one["wishes"]} & {*targets}) > 0 for one in entries)
        and all(map(_HEX, [file["secret"]] + [one["value"] for one in given]))
        and [_commitment(draw, *one) for one in values] == [one["commitment"] for one in [draw, *witnesses]]
        and not (beacons and beacons != [("beacon", rules["beacon"], _round(draw["sealed_at"], rules), None)])
        and (file["trust"]["level"], any(who == "hospital" for _, who in names)) == (level, False)
        and [_sha(_canonical(file[words])).hex() for words in ("rule", "trust")] == [_WORDS["rule"], _WORDS[level]]
    )

def _anew(file: Any) -> bytes:
    """The file as it must be, given its terms, entries, secret and contributions."""
    draw, entries = file["draw"], file["entries"]
    root = _root([_canonical(one) for one in [draw, *entries]])
    parts = [draw["id"].encode(), root, bytes.fromhex(file["secret"])]
    for one in file["contributions"]:
        words = (one["kind"], one["who"], "" if one["round"] is None else str(one["round"]))
        parts += [*map(str.encode, words), bytes.fromhex(one["value"])]
    seed = _bound(b"shouhao draw seed 1", *parts)
    ranked = sorted(entries, key=lambda one: (hmac.new(seed, one["id"].encode(), "sha256").digest(), one["id"]))
    left, wins = {one["id"]: one["seats"] for one in draw["targets"]}, []
    for entry in ranked:
        wish = next((wish for wish in entry["wishes"] if left[wish] >= len(entry["people"])), None)
        if wish is not None:
            left[wish] -= len(entry["people"])
            wins.append({"id": entry["id"], "target": wish})
    made = {"order": [one["id"] for one in ranked], "root": root.hex(), "seed": seed.hex(), "wins": wins}
    kept = {name: file[name] for name in ("draw", "entries", "secret", "contributions", "rule", "trust")}
    return _canonical({"format": "shouhao-draw", "version": 1, **kept, **made})

def main(words: Any) -> int:
    """Verify the one file named."""
    if len(words) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        raw = Path(words[0]).read_bytes()
        file = json.loads(raw.decode())
        holds = _sound(file) and _anew(file) == raw
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        holds = False
    print(f"verifies; SHA-256 {_sha(raw).hex()}" if holds else "does not verify")
    return 0 if holds else 1

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
