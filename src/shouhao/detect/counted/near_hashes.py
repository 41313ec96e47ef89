"""Near hashes: which perceptual hashes show the same picture, found without comparing each with each.

A hash of b * 16 bits is cut into b bands of 16 bits. Two that differ in fewer than b bits agree in at least one whole
band, so every pair within b - 1 bits is found by looking at those that share a band, and none is missed: within 3 of 64
bits, 15 of 256. Pictures that have nothing to tell (a covered lens, a white wall) are nearly all of one bit and count
for nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

_Numbers = npt.NDArray[np.int64]
_Pairs = tuple[_Numbers, _Numbers]

_BAND_BITS = 16
_LEAST_SET_SHARE = 0.15  # of the bits, and of the unset ones: less, and the picture is empty
_MOST_IN_BAND = 2_000  # a band that so many share is a constant of the hashing program; then only equal ones are joined
_NO_DIGIT = 255
_VALUES = np.full(256, _NO_DIGIT, np.uint8)  # of the characters of hex text
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _VALUES[list(_digits)] = range(16)


def clusters(hashes: Iterable[str]) -> dict[str, str]:
    """For each hash that can be used, the least hash among those of the same picture.

    Args:
        hashes: hex text; of those of one length, near ones are joined.
    """
    usable = {text for text in hashes if tells_something(text)}
    near = near_others(usable)
    return {text: near.get(text, text) for text in sorted(usable)}


def near_others(hashes: Iterable[str]) -> dict[str, str]:
    """The same of those alone that are near another one: nearly all pictures are like no other."""
    by_length: dict[int, list[str]] = defaultdict(list)
    for text in sorted(set(hashes)):
        if text.isascii():
            by_length[len(text)].append(text)
    found: dict[str, str] = {}
    for length, alike in sorted(by_length.items()):
        bands, rest = divmod(4 * length, _BAND_BITS)
        if not rest and bands > 1:
            found |= _joined(alike, _near_pairs(alike, bands))
    return found


def tells_something(text: str) -> bool:
    """Whether it is hex and neither nearly empty nor nearly full.

    >>> tells_something("0000000000000000"), tells_something("c3a1f00d7e5b9924"), tells_something("no hash")
    (False, True, False)
    """
    try:
        number = int(text, 16)
    except ValueError:
        return False
    bits = 4 * len(text)
    return _LEAST_SET_SHARE * bits <= number.bit_count() <= (1 - _LEAST_SET_SHARE) * bits


def _joined(alike: list[str], pairs: _Pairs) -> dict[str, str]:
    """Each text of a pair, and the least of those that pairs lead to from it.

    Args:
        alike: in order.
    """
    one, other = pairs
    graph = sparse.coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(len(alike), len(alike)))
    count, part = csgraph.connected_components(graph, directed=False)
    least = np.full(count, len(alike))
    np.minimum.at(least, part, np.arange(len(alike)))
    return {alike[n]: alike[least[part[n]]] for n in np.unique(np.concatenate(pairs)).tolist()}


def _near_pairs(alike: list[str], bands: int) -> _Pairs:
    """Neighbours in each band that differ in fewer bits than there are bands; enough of them to join all."""
    digits = _VALUES[np.frombuffer("".join(alike).encode("ascii"), np.uint8)].reshape(len(alike), 4 * bands)
    whole = digits[:, 0::2] << 4 | digits[:, 1::2]
    set_bits, bits = np.bitwise_count(whole).sum(axis=1), _BAND_BITS * bands
    told = (set_bits >= _LEAST_SET_SHARE * bits) & (set_bits <= (1 - _LEAST_SET_SHARE) * bits)
    usable = np.flatnonzero(told & (digits != _NO_DIGIT).all(axis=1))
    words = np.ascontiguousarray(whole[usable]).view(np.uint16)
    found: list[_Pairs] = []
    for band in range(bands):
        order = np.argsort(words[:, band], kind="stable")  # of so small numbers without a comparison
        found += _within_band(order, words[order, band], words, bands)
    nobody = np.empty(0, np.int64)
    one, other = (np.concatenate(side) for side in zip((nobody, nobody), *found, strict=True))
    return usable[one], usable[other]


def _within_band(order: _Numbers, sorted_band: np.ndarray, words: np.ndarray, bands: int) -> Iterator[_Pairs]:
    """Pairs that share a band and differ in fewer bits than there are bands: neighbours, next neighbours, and so on."""
    sizes = np.diff(np.flatnonzero(np.r_[True, sorted_band[1:] != sorted_band[:-1], True]))
    usable = np.repeat(sizes <= _MOST_IN_BAND, sizes)
    for step in range(1, min(int(sizes.max(initial=0)), _MOST_IN_BAND)):
        same = np.flatnonzero((sorted_band[step:] == sorted_band[:-step]) & usable[step:])
        if not len(same):
            break
        one, other = order[same], order[same + step]
        near = np.bitwise_count(words[one] ^ words[other]).sum(axis=1) < bands
        yield one[near], other[near]
