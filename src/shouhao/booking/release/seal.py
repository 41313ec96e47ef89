"""Seal: what fixes a draw before its seed is known, and how the seed is made.

Entries stand in a Merkle tree whose root is published when the window closes. The hospital commits to a secret before
the window opens; witnesses commit too, and reveal after the close; a public beacon adds a number that nobody could
know. All of it goes into the seed, so whoever lacks one part of it cannot try entry lists until one suits.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from shouhao.booking.release.draw import Entry
from shouhao.kernel.clock import SECOND_US

HOSPITAL: Final = "hospital"  #: who commits to the secret; no witness may have this name

TrustLevel = Literal["sealed", "witnessed", "public"]

_COMMITMENT = b"shouhao draw commitment 1"
_SEED = b"shouhao draw seed 1"
_ENTRY = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """A part of the seed that does not come from the hospital."""

    kind: Literal["witness", "beacon"]
    who: str  #: the witness, or the name of the beacon
    round: int | None = None  #: of a beacon
    value: bytes
    commitment: str | None = None  #: hex; a witness gives it before the window closes


def leaf(entry: Entry) -> bytes:
    """An entry as it stands in the tree and, byte for byte, in the published file.

    >>> leaf(Entry(id="en_1", people=("t1",), wishes=("S1", "S2")))
    b'{"id":"en_1","people":["t1"],"wishes":["S1","S2"]}'
    """
    return _ENTRY.encode({"id": entry.id, "people": entry.people, "wishes": entry.wishes}).encode()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over all leaves, 32 bytes.

    Source: RFC 6962 section 2.1. A leaf and a node are hashed with different first bytes, so neither passes for the
    other.
    """
    level = [_leaf_hash(one) for one in leaves]
    while len(level) > 1:
        level = _next(level)
    return level[0] if level else hashlib.sha256(b"").digest()


def merkle_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The whole tree, from the hashes of the leaves up to the root: what many proofs are read from."""
    levels = [[_leaf_hash(one) for one in leaves]]
    while len(levels[-1]) > 1:
        levels.append(_next(levels[-1]))
    return levels


def proof_in(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """What, with the leaf at `index`, gives the root: one hash a level.

    Source: RFC 6962 section 2.1.1.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(levels[0]):
        raise IndexError(index)
    proof = []
    for level in levels[:-1]:
        if index ^ 1 < len(level):
            proof.append(level[index ^ 1])
        index //= 2
    return proof


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """One proof, as `proof_in`.

    Raises:
        IndexError: there is no such leaf.
    """
    return proof_in(merkle_levels(leaves), index)


def verify_inclusion(one: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf stands at `index` of a tree of `size` leaves with this root.

    Source: RFC 9162 section 2.1.3.2, the way of checking that RFC 6962 leaves out.
    """
    if not 0 <= index < size:
        return False
    node, at, last = _leaf_hash(one), index, size - 1
    for other in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = _node_hash(other, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node_hash(node, other)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def commitment(draw_id: str, secret: bytes, *, who: str = HOSPITAL) -> str:
    """What is published now so that `secret` cannot be another one later: hex SHA-256.

    Binds the draw and the one who commits: a commitment cannot be copied from another draw or another witness.

    Args:
        secret: of 16 bytes and more of chance; a guessable one could be read from its commitment.
    """
    return _bound(_COMMITMENT, draw_id.encode(), who.encode(), secret).hex()


def final_seed(*, draw_id: str, root: bytes, secret: bytes, contributions: Sequence[Contribution]) -> bytes:
    """The seed of the ranking, 32 bytes: everything that was fixed or revealed, in one hash.

    The order in which contributions came in does not count, or it could be chosen.
    """
    parts = [draw_id.encode(), root, secret]
    for one in sorted(contributions, key=contribution_order):
        number = b"" if one.round is None else str(one.round).encode()
        parts += [one.kind.encode(), one.who.encode(), number, one.value]
    return _bound(_SEED, *parts)


def contribution_order(one: Contribution) -> tuple[str, str]:
    """By what contributions are sorted; a draw has one of each kind and name."""
    return one.kind, one.who


def trust_of(contributions: Sequence[Contribution]) -> TrustLevel:
    """Whom one must trust, read from who took part.

    A witness without a commitment could have waited for the secret before choosing, and counts for nothing.
    """
    if any(one.kind == "beacon" for one in contributions):
        return "public"
    if any(one.kind == "witness" and one.commitment is not None for one in contributions):
        return "witnessed"
    return "sealed"


def beacon_round(*, sealed_at_us: int, after_s: int, genesis_s: int, period_s: int) -> int:
    """The first round that is published at least `after_s` after the entries were sealed.

    The rule names one round, so that nobody chooses among several.

    Args:
        genesis_s: Unix time of round 1.

    >>> beacon_round(sealed_at_us=1_000_000_000, after_s=10, genesis_s=1000, period_s=30)
    2
    """
    wait_us = sealed_at_us + (after_s - genesis_s) * SECOND_US
    return max(0, -(-wait_us // (period_s * SECOND_US))) + 1


def _bound(domain: bytes, *parts: bytes) -> bytes:
    """SHA-256 over parts that each carry their length: no two lists of parts give the same bytes."""
    joined = hashlib.sha256()
    for part in (domain, *parts):
        joined.update(len(part).to_bytes(8, "big"))
        joined.update(part)
    return joined.digest()


def _leaf_hash(one: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + one).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _next(level: Sequence[bytes]) -> list[bytes]:
    """The level above. A last node without a neighbour goes up as it is: RFC 6962's split at a power of two."""
    pairs = [_node_hash(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
    return [*pairs, level[-1]] if len(level) % 2 else pairs
