"""Draw: every entry of the window has the same chance, and the order is anyone's to repeat.

Arrival carries no weight, so a faster client gains nothing. Who may enter is decided elsewhere; where the seed comes
from is in `seal.py`, what is published in `draw_file.py`. Pure: entries and a seed in, an order and places out.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.booking.release.policy import Part
from shouhao.kernel.errors import Refused

_CHUNK = 65_536  #: ids hashed between two looks at numpy; bounds what lives as Python objects
_BLOCK = 64  #: bytes of one SHA-256 block


class DuplicateEntry(Refused):
    """A person stands in two entries of one draw, or twice in one."""

    code = "booking.duplicate_entry"
    zh = "同一人在同一次抽签中只能登记一次"
    en = "A person may stand in one entry of a draw only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one person, or people who go together, ask of one draw."""

    id: str  #: opaque, ASCII, issued before the seed exists
    people: tuple[str, ...]  #: one ticket a person: the same within one draw, another in the next
    wishes: tuple[str, ...]  #: target ids, best first


@dataclass(frozen=True, slots=True, kw_only=True)
class Win:
    """All people of the entry get a place there."""

    entry_id: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Who got what, and in which order everyone stands."""

    wins: tuple[Win, ...]  #: in rank order
    order: tuple[str, ...]  #: all entry ids in rank order; those who won nothing wait in this order


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedIds:
    """Ids of one width, end to end: 29 bytes an id where objects take 64 and more."""

    data: bytes
    width: int  #: bytes of each id

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self.data) // self.width

    def part(self, start: int, stop: int) -> list[bytes]:
        """The ids from `start` up to `stop`, as they would stand in a list."""
        data, width = self.data, self.width
        return [data[at : at + width] for at in range(start * width, min(stop * width, len(data)), width)]


def parts(capacity: int) -> dict[Part, int]:
    """Every slot of a session goes by draw.

    >>> parts(8)
    {'draw': 8}
    """
    return {"draw": capacity}


def rank_ids(ids: Sequence[bytes] | PackedIds, *, seed: bytes) -> NDArray[np.int64]:
    """Positions of the ids in the order of HMAC-SHA-256(seed, id), ties by the id itself.

    Eight of the 32 bytes are kept for each id and sorted as numbers; where they are equal the whole hash decides, so
    the order is the same as `sorted(ids, key=lambda id: (hmac.digest(seed, id, "sha256"), id))`.

    Returns:
        int64 (n,): `ids[order[0]]` is first. 24 bytes an id at the highest.
    Source: RFC 2104 for HMAC; docs/decisions/0011-draw.md for why not RFC 3797's own method.
    """
    digest = _keyed(seed)
    keys = np.empty(len(ids), dtype=np.uint64)
    for start in range(0, len(ids), _CHUNK):
        keys[start : start + _CHUNK] = np.frombuffer(digest(_part(ids, start, start + _CHUNK)), dtype=">u8")[::4]
    order = np.argsort(keys)

    def exact(n: int) -> tuple[bytes, bytes, int]:
        (one,) = _part(ids, n, n + 1)
        return digest([one]), one, n

    _settle_ties(order, keys, exact)
    return order


def rank(entries: Sequence[Entry], *, seed: bytes) -> list[Entry]:
    """Order the entries by a keyed hash of their id; the first places win, the rest wait in this order.

    Depends on the seed and the set of entries alone: anyone who holds the published seed can repeat it.

    Args:
        seed: 32 bytes, fixed after the last entry was sealed.
    Raises:
        DuplicateEntry: a person stands in two entries.
    """
    _check_apart(entries)
    ids = [entry.id.encode("ascii") for entry in entries]
    return [entries[n] for n in rank_ids(ids, seed=seed).tolist()]


def allocate(ranked: Sequence[Entry], seats: Mapping[str, int]) -> Allocation:
    """In rank order, each entry gets its best wish that still has a place for everyone in it, or nothing.

    All or nothing: siblings are not torn apart, and a smaller entry further down may take what was too little.
    Naming a wish costs nothing, because nobody with a lower rank is served first: honest wishes are the best wishes.

    Args:
        seats: places by target id; a wish that is not among them has none.
    """
    left = {target: count for target, count in seats.items() if count > 0}
    wins: list[Win] = []
    for entry in ranked:
        if not left:
            break
        size = len(entry.people)
        for wish in entry.wishes:
            places = left.get(wish, 0)
            if places >= size:
                wins.append(Win(entry_id=entry.id, target=wish))
                left[wish] = places - size
                if places == size:
                    del left[wish]
                break
    return Allocation(wins=tuple(wins), order=tuple([entry.id for entry in ranked]))


def _keyed(seed: bytes) -> Callable[[Sequence[bytes]], bytes]:
    """HMAC-SHA-256 under one key, for many messages: less than half the time of `hmac.digest`.

    That one hashes its padded key for every message; here the two hashes that begin with it are copied.

    Returns:
        A function from messages to their hashes, end to end.
    """
    key = (seed if len(seed) <= _BLOCK else hashlib.sha256(seed).digest()).ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key)).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key)).copy

    def digest(messages: Sequence[bytes]) -> bytes:
        hashes = []
        for one in messages:
            within, around = inner(), outer()
            within.update(one)
            around.update(within.digest())
            hashes.append(around.digest())
        return b"".join(hashes)

    return digest


def _part(ids: Sequence[bytes] | PackedIds, start: int, stop: int) -> Sequence[bytes]:
    return ids.part(start, stop) if isinstance(ids, PackedIds) else ids[start:stop]


def _settle_ties(
    order: NDArray[np.int64], keys: NDArray[np.uint64], exact: Callable[[int], tuple[bytes, bytes, int]]
) -> None:
    """Put runs of equal keys in the order of `exact`, in place."""
    ordered = keys[order]
    tied = np.flatnonzero(ordered[1:] == ordered[:-1])
    if not tied.size:
        return
    for run in np.split(tied, np.flatnonzero(np.diff(tied) > 1) + 1):
        first, after = int(run[0]), int(run[-1]) + 2
        order[first:after] = sorted(order[first:after].tolist(), key=exact)


def _check_apart(entries: Sequence[Entry]) -> None:
    tickets = [ticket for entry in entries for ticket in entry.people]
    if len(set(tickets)) == len(tickets) and len({entry.id for entry in entries}) == len(entries):
        return
    seen: dict[str, str] = {}
    for entry in entries:
        for ticket in entry.people:
            if ticket in seen:
                raise DuplicateEntry("people", entry_ids=[seen[ticket], entry.id])
            seen[ticket] = entry.id
    raise DuplicateEntry("id")
