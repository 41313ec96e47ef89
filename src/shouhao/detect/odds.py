"""Odds: from counts to what they weigh.

Most questions here have one shape: of n things that one subject did, k are of a kind; how surprising is that among
people like these? People differ from each other, so a plain binomial would accuse the merely unreliable. The usual rate
is a beta distribution with the population's own spread, and the answer is the tail of the beta-binomial.

A small p is not yet a large weight. The most that a p can say for the other side is 1 / (-e p ln p) to one, and that is
what it weighs here.
Source: Sellke, Bayarri and Berger, Calibration of p values for testing precise null hypotheses (2001).
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

_LEAST_SPREAD = 0.01  # people are never all alike, however few of them are known
_MOST_SPREAD = 0.5
_FIRST_SPREAD = 0.02
_LEFT_OUT_P = 0.003  # whoever is this unusual is not among the usual ones
_ROUNDS = 12
_LEAST_P = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """How often a thing happens to people like these, and how much they differ in it."""

    mean: float
    spread: float  #: 0 when all are alike, 1 when it happens to a person always or never
    people: int  #: how many it was learnt from

    def tail(self, *, n: int, k: int) -> float:
        """The chance that it happens to one of them at least k times of n.

        >>> round(Usual(mean=0.1, spread=0.05, people=500).tail(n=5, k=5), 6)
        0.000154
        """
        if k <= 0:
            return 1.0
        a, b = self.mean * (1 - self.spread) / self.spread, (1 - self.mean) * (1 - self.spread) / self.spread
        j = np.arange(k, n + 1, dtype=np.float64)
        chosen = special.gammaln(n + 1) - special.gammaln(j + 1) - special.gammaln(n - j + 1)
        each = np.exp(chosen + special.betaln(j + a, n - j + b) - special.betaln(a, b))
        return min(1.0, max(_LEAST_P, math.fsum(each.tolist())))


def usual(counts: Iterable[tuple[int, int]], *, least_people: int) -> Usual | None:
    """The usual rate among people who did n things of which k were of the kind; None when too few are known.

    It starts from people who are nearly alike and takes in, round by round, whoever is not too unusual among those
    taken in before: a gang that always does it stays out, and does not set the measure by which it is judged. It
    depends on the counts alone, not on their order.
    """
    cells = Counter((n, k) for n, k in counts if n > 0)
    if sum(cells.values()) < least_people:
        return None
    found = Usual(mean=_fitted(cells).mean, spread=_FIRST_SPREAD, people=0)
    for _ in range(_ROUNDS):
        kept = Counter({c: people for c, people in cells.items() if found.tail(n=c[0], k=c[1]) >= _LEFT_OUT_P})
        again = _fitted(kept)
        if again == found or not kept:
            break
        found = again
    return found


def weights_of(counts: Iterable[tuple[int, int]], found: Usual, *, most: float) -> dict[tuple[int, int], float]:
    """What it weighs that it happened k times of n, for each n and k that occur."""
    return {(n, k): weight_of(found.tail(n=n, k=k), most=most) for n, k in sorted(set(counts))}


def weight_of(p: float, *, most: float) -> float:
    """What a p weighs at most, as log-odds; 0 when it says nothing.

    >>> round(weight_of(0.001, most=6.0), 2), weight_of(0.5, most=6.0), weight_of(1e-30, most=6.0)
    (3.98, 0.0, 6.0)
    """
    if p >= 1 / math.e:
        return 0.0
    p = max(p, _LEAST_P)
    return min(most, -1 - math.log(p) - math.log(-math.log(p)))


def together(chances: Iterable[float]) -> float:
    """The chance that independent things are, together, at least this unlikely (Fisher's method)."""
    each = sorted(chances)
    if not each:
        return 1.0
    surprise = math.fsum(-math.log(max(p, _LEAST_P)) for p in each)
    return max(_LEAST_P, float(special.gammaincc(len(each), surprise)))


def binomial_tail(*, n: int, k: int, p: float) -> float:
    """The chance of at least k of n where each has the chance p."""
    if k <= 0:
        return 1.0
    return max(_LEAST_P, float(special.betainc(k, n - k + 1, p)))


def poisson_tail(*, k: int, mean: float) -> float:
    """The chance of at least k where `mean` are expected."""
    if k <= 0:
        return 1.0
    return max(_LEAST_P, float(special.gammainc(k, mean)))


def _fitted(cells: Counter[tuple[int, int]]) -> Usual:
    """By moments, from whole numbers, so that the order of the people cannot change a bit of it."""
    people = sum(cells.values())
    n_sum = sum(n * c for (n, _), c in cells.items())
    k_sum = sum(k * c for (_, k), c in cells.items())
    mean = (k_sum + 0.5) / (n_sum + 1)
    kk = sum(k * k * c for (_, k), c in cells.items())
    nk = sum(n * k * c for (n, k), c in cells.items())
    nn = sum(n * n * c for (n, _), c in cells.items())
    pairs = nn - n_sum
    spread = _MOST_SPREAD
    if pairs > 0:
        seen = (kk - 2 * mean * nk + mean * mean * nn) / (mean * (1 - mean))
        spread = (seen - n_sum) / pairs
    return Usual(mean=mean, spread=min(_MOST_SPREAD, max(_LEAST_SPREAD, spread)), people=people)


def rarity(elsewhere: int, everybody: int) -> float:
    """The log-odds against being among those of whom the data hold that many, without the one who is asked about.

    What is common in these data says nothing, however odd it looks: a fingerprint that half of the phones share, a
    hospital whose patients all pay through one purse.
    """
    return math.log((everybody + 1) / (elsewhere + 1))
