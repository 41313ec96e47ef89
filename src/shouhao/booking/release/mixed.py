"""Mixed: parts of one session go different ways: by draw, to everyone, to the window, by phone, to referrals.

How large each part is, which numbers it gets, and when what it did not use joins the others. Pure; a session that is
released one way only has one part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction

from shouhao.booking.release import draw, first_come
from shouhao.booking.release.policy import PARTS, Part, ReleaseKind, ReleasePolicy, Share
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import InvalidInput

_PERCENT = 100

#: Kinds under which a session goes one way as a whole.
_WHOLE: Mapping[ReleaseKind, Callable[[int], dict[Part, int]]] = {"first_come": first_come.parts, "draw": draw.parts}


def parts_of(policy: ReleasePolicy, capacity: int) -> dict[Part, int]:
    """How many slots of a session go to each part; parts that get none are left out.

    Counts are kept as given. Shares are rounded by largest remainder, together with the public part that is what they
    leave, so that none is more than one slot from its exact size and all fit whenever their exact sizes do.

    Args:
        capacity: slots that are released; extra and withheld ones are not among them.
    Raises:
        InvalidInput: the parts exceed the session.
    """
    if policy.kind != "mixed":
        return _without_none(_WHOLE[policy.kind](capacity))
    if too_small(policy, capacity):
        raise InvalidInput(
            "mixed.parts",
            zh=f"各部分之和超过限号数为 {capacity} 的排班",
            en=f"the parts exceed a session of {capacity} slots",
        )
    counts, percents = _given(policy.mixed.parts)
    rounded = _largest_remainder({**percents, "public": _PERCENT - sum(percents.values())}, capacity)
    sizes = {**counts, **{part: rounded[part] for part in percents}}
    return _without_none({**sizes, "public": capacity - sum(sizes.values())})


def too_small(policy: ReleasePolicy, capacity: int) -> bool:
    """Whether the parts, before any rounding, exceed a session of so many slots."""
    if policy.kind != "mixed":
        return False
    counts, percents = _given(policy.mixed.parts)
    return sum(counts.values()) * _PERCENT + sum(percents.values()) * capacity > capacity * _PERCENT


def parts_that_fit(policy: ReleasePolicy, capacity: int) -> dict[Part, int]:
    """As `parts_of`; parts that exceed the session share it in proportion to their sizes, and nothing is public.

    A policy is checked when it is set; a session that is planned later may be smaller, and must open all the same.
    """
    if not too_small(policy, capacity):
        return parts_of(policy, capacity)
    counts, percents = _given(policy.mixed.parts)
    wanted = {part: counts.get(part, 0) * _PERCENT + percents.get(part, 0) * capacity for part in PARTS}
    return _without_none(_largest_remainder(wanted, capacity))


def fits(policy: ReleasePolicy, capacities: Iterable[int]) -> None:
    """Check a policy against the sessions it would rule.

    Raises:
        InvalidInput: the parts exceed a session; names the smallest.
    """
    smallest = min(capacities, default=None)  # parts that fit it fit every larger one
    if smallest is not None:
        parts_of(policy, smallest)


def split(slot_ids: Sequence[str], parts: Mapping[Part, int]) -> dict[str, Part]:
    """Spread each part evenly over the numbers, so that none has only the early or only the late ones.

    Among the first k numbers, a part of c slots in n has its exact share k*c/n, give or take at most 1 - 1/(2p - 2) for
    p parts, which no method can better. Nothing is drawn: the same session is always split alike.

    Args:
        slot_ids: in the order of their numbers.
        parts: as many slots as there are ids, as `parts_of` gives them.
    Raises:
        ValueError: there are more or fewer.
    Source: R. Tijdeman, The chairman assignment problem, Discrete Mathematics 32 (1980).
    """
    sizes = {part: parts[part] for part in PARTS if parts.get(part, 0) > 0}
    total = sum(sizes.values())
    if total != len(slot_ids):
        raise ValueError(f"{total} places in the parts, {len(slot_ids)} slots")
    given = dict.fromkeys(sizes, 0)
    least = Fraction(1, 2 * len(sizes) - 2) if len(sizes) > 1 else Fraction(0)
    found: dict[str, Part] = {}
    for k, slot_id in enumerate(slot_ids, start=1):
        due: dict[Part, Fraction] = {}
        for part, size in sizes.items():
            owed = Fraction(k * size, total) - given[part]
            if owed >= least:  # of those that may have one already, the one whose share would be exceeded soonest
                due[part] = (1 - least - owed) / size
        part = min(due, key=due.__getitem__)
        given[part] += 1
        found[slot_id] = part
    return found


def merges_at_us(part: Part, *, session_starts_at_us: int, policy: ReleasePolicy) -> int | None:
    """When what a part did not use joins the others; a moment before the release means at once.

    None for the draw, whose left-over joins when it is drawn, and for the public part, which the others join.
    """
    if part in {"draw", "public"}:
        return None
    return session_starts_at_us - policy.mixed.merge_before_s[part] * SECOND_US


def _given(parts: Mapping[Part, Share]) -> tuple[dict[Part, int], dict[Part, int]]:
    """The counts and the percents of a policy, each in the order of `PARTS` whatever order they were written in."""
    shares = [(part, parts[part]) for part in PARTS if part in parts]
    counts = {part: share.count for part, share in shares if share.count is not None}
    percents = {part: share.percent or 0 for part, share in shares if share.count is None}
    return counts, percents


def _largest_remainder(weights: Mapping[Part, int], places: int) -> dict[Part, int]:
    """Places in proportion to the weights; of equal remainders the part named first is served first."""
    total = sum(weights.values())
    sizes = {part: places * weight // total for part, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda part: -(places * weights[part] % total))
    for part in by_remainder[: places - sum(sizes.values())]:
        sizes[part] += 1
    return sizes


def _without_none(sizes: Mapping[Part, int]) -> dict[Part, int]:
    return {part: sizes[part] for part in PARTS if sizes.get(part, 0) > 0}
