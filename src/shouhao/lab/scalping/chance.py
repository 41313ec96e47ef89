"""Chance: named streams of one seed, so that a new kind of scalper does not move the honest people's dice."""

import math
import random
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from shouhao.kernel.clock import SECOND_US

_HASH_BITS = 256


def dice(seed: int, name: str) -> random.Random:
    """A stream for single throws: quick one by one."""
    return random.Random(f"{name} {seed}")  # noqa: S311 - repeatable on purpose


def numbers(seed: int, name: str) -> np.random.Generator:
    """A stream for whole arrays."""
    return np.random.default_rng([seed, *name.encode()])


def around(rng: random.Random, median: float, spread: float) -> float:
    """Log-normal: a positive quantity with a heavy upper tail."""
    return median * math.exp(rng.gauss(0.0, spread))


def soon(rng: random.Random, seconds: float) -> int:
    """About that many seconds, as microseconds: nobody, honest or not, takes exactly as long twice."""
    return max(1, round(seconds * math.exp(rng.gauss(0.0, 0.4)) * SECOND_US))


def poisson(rng: random.Random, mean: float) -> int:
    """How often something happens that happens `mean` times on average."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


class Weighted:
    """Draws from a fixed choice with unequal odds."""

    def __init__(self, weights: Sequence[float]) -> None:
        self._sums = list(accumulate(weights))
        self._all = range(len(weights))

    def draw(self, rng: random.Random) -> int:
        """A number below the count of weights."""
        return rng.choices(self._all, cum_weights=self._sums)[0]


def zipf(count: int, steepness: float = 1.0) -> Weighted:
    """The first far more often than the last."""
    return Weighted([1 / (n + 2) ** steepness for n in range(count)])


class Ids:
    """Opaque ids: a letter for the sort of thing, then chance alone, so that they tell nothing of who made them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def new(self, sort: str) -> str:
        """One more."""
        return f"{sort}{self._rng.getrandbits(64):016x}"


def picture(rng: random.Random) -> int:
    """A perceptual hash of a picture unlike any other: 256 bits, about half of them different from the next."""
    return rng.getrandbits(_HASH_BITS)


def blurred(rng: random.Random, bits: int, most: int) -> int:
    """The hash of nearly the same picture: up to `most` bits turned."""
    for _ in range(rng.randint(0, most)):
        bits ^= 1 << rng.randrange(_HASH_BITS)
    return bits


def hexadecimal(bits: int) -> str:
    """A picture's hash as it stands in an export."""
    return f"{bits:064x}"
