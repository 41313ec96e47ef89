"""Near hashes: which perceptual hashes show the same picture, found without comparing each with each.

A hash of b * 16 bits is cut into b bands of 16 bits. Two that differ in fewer than b bits agree in at least one whole
band, so every pair within b - 1 bits is found by looking at those that share a band, and none is missed: within 3 of 64
bits, 15 of 256. Pictures that have nothing to tell (a covered lens, a white wall) are nearly all of one bit and count
for nothing.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

_BAND_BITS = 16
_LEAST_SET_SHARE = 0.15  # of the bits, and of the unset ones: less, and the picture is empty
_MOST_IN_BAND = 2_000  # a band that so many share is a constant of the hashing program; then only equal ones are joined


def clusters(hashes: Iterable[str]) -> dict[str, str]:
    """For each hash that can be used, the least hash among those of the same picture.

    Args:
        hashes: hex text; of those of one length, near ones are joined.
    """
    usable = sorted({text for text in hashes if tells_something(text)})
    parent: dict[str, str] = {}  # of those alone that are near another: nearly all pictures are like no other
    by_length: dict[int, list[str]] = defaultdict(list)
    for text in usable:
        by_length[len(text)].append(text)
    for _, alike in sorted(by_length.items()):
        for left, right in _near_pairs(alike):
            parent.setdefault(left, left)
            parent.setdefault(right, right)
            a, b = _root(parent, left), _root(parent, right)
            parent[max(a, b)] = min(a, b)
    return {text: _root(parent, text) if text in parent else text for text in usable}


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


def _root(parent: dict[str, str], text: str) -> str:
    while parent[text] != text:
        parent[text] = parent[parent[text]]
        text = parent[text]
    return text


def _near_pairs(alike: list[str]) -> list[tuple[str, str]]:
    """Neighbours in each band that differ in fewer bits than there are bands; enough of them to join all."""
    bands, rest = divmod(4 * len(alike[0]), _BAND_BITS)
    if rest or bands < 2:  # noqa: PLR2004 - two halves
        return []
    words = np.array([list(bytes.fromhex(text)) for text in alike], dtype=np.uint8)
    as_bands = words.reshape(len(alike), bands, 2).astype(np.uint32)
    values = as_bands[:, :, 0] << 8 | as_bands[:, :, 1]
    found: list[tuple[str, str]] = []
    for band in range(bands):
        order = np.argsort(values[:, band], kind="stable")
        found += [(alike[a], alike[b]) for a, b in _within_band(order, values[order, band], words, bands)]
    return found


def _within_band(order: np.ndarray, sorted_band: np.ndarray, words: np.ndarray, bands: int) -> list[tuple[int, int]]:
    """Pairs that share a band and differ in fewer bits than there are bands: neighbours, next neighbours, and so on."""
    sizes = np.diff(np.flatnonzero(np.r_[True, sorted_band[1:] != sorted_band[:-1], True]))
    usable = np.repeat(sizes <= _MOST_IN_BAND, sizes)
    pairs: list[tuple[int, int]] = []
    for step in range(1, min(int(sizes.max()), _MOST_IN_BAND)):
        same = np.flatnonzero((sorted_band[step:] == sorted_band[:-step]) & usable[step:])
        if not len(same):
            break
        one, other = order[same], order[same + step]
        differing = np.bitwise_count(words[one] ^ words[other]).sum(axis=1)
        near = differing < bands
        pairs += zip(one[near].tolist(), other[near].tolist(), strict=True)
    return pairs
