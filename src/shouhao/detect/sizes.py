"""Sizes: how large is usual, and how rare is larger.

People's totals spread over orders of magnitude, so all is told on a logarithmic scale, and the tail above the usual is
taken to fall like a power, as totals on the web do; a bell curve would call the merely diligent impossible.
The tail is drawn through the upper quarter and the upper tenth of the population alone: whoever stands above has no
voice in it, so that up to a tenth of the subjects may be scripts without hiding each other.

Many subjects are looked at, and the rarest of them is always rare. That is paid for where weights are added: the base
rate is that of one subject, so a weight is of one subject too. How many windows and tables were tried for it is paid
for by whoever asks (`looks`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LEAST_SUBJECTS = 50  #: with fewer, nothing is known of an upper tenth
_LEAST_SPREAD = math.log(1.5)  # from upper quarter to upper tenth: another day's people are never so much alike
_STEP = math.log(0.25 / 0.10)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualSize:
    """What a population's totals look like."""

    median: int
    upper_quarter: int  #: a quarter of the subjects have more
    upper_tenth: int
    subjects: int

    def tail(self, size: float, *, looks: int = 1) -> float:
        """The chance that one of them has at least this much in at least one of so many looks.

        >>> round(UsualSize(median=10, upper_quarter=16, upper_tenth=25, subjects=900).tail(2_500), 7)
        7.8e-06
        """
        upper = max(1, self.upper_tenth)
        if size <= upper:
            return 1.0
        spread = max(_LEAST_SPREAD, math.log(upper / max(1, self.upper_quarter)))
        return min(1.0, looks * 0.10 * math.exp(-_STEP / spread * math.log(size / upper)))


def usual_size(counts: Iterable[tuple[int, int]], *, least_subjects: int = LEAST_SUBJECTS) -> UsualSize | None:
    """From how many subjects have which total; None when too few are known. The order of the pairs changes nothing."""
    ordered = sorted((size, subjects) for size, subjects in counts if subjects > 0)
    total = sum(subjects for _, subjects in ordered)
    if total < least_subjects:
        return None
    return UsualSize(
        median=_at(ordered, (total + 1) // 2),
        upper_quarter=_at(ordered, (3 * total + 3) // 4),
        upper_tenth=_at(ordered, (9 * total + 9) // 10),
        subjects=total,
    )


def usual_by_kind(rows: Iterable[Mapping[str, Any]]) -> dict[str, UsualSize]:
    """The same by kind of subject, from rows of kind, size, subjects; kinds of which too few are known are left out."""
    sizes: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        sizes.setdefault(row["kind"], []).append((row["size"], row["subjects"]))
    known = {kind: usual_size(counts) for kind, counts in sizes.items()}
    return {kind: one for kind, one in known.items() if one is not None}


def _at(ordered: list[tuple[int, int]], rank: int) -> int:
    passed = 0
    for size, subjects in ordered:
        passed += subjects
        if passed >= rank:
            return size
    return ordered[-1][0]
