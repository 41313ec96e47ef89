"""Discoveries: of many who were looked at, who is named, so that of those named few are there by chance alone."""

from collections.abc import Iterable


def beyond_chance(chances: Iterable[float], *, rate: float) -> float:
    """Up to which chance a subject may be named; -1 when none may.

    Bonferroni asks that nobody at all be named by chance and so misses a gang; this asks that of those who are named at
    most a share of `rate` is. The chances may depend on each other as those of one crowd do (positively).
    Source: Benjamini and Hochberg, Controlling the false discovery rate (1995).

    Args:
        chances: of everybody who was looked at, named or not.

    >>> beyond_chance([0.001, 0.002, 0.2, 0.9], rate=0.05)
    0.002
    >>> beyond_chance([0.04] + [0.5] * 99, rate=0.05)
    -1.0
    """
    ordered = sorted(chances)
    named = [p for n, p in enumerate(ordered, start=1) if p * len(ordered) <= rate * n]
    return max(named, default=-1.0)
