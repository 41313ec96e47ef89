"""Crews come apart by the days they keep and by how they hand over, and nobody comes apart by chance."""

import random
from collections.abc import Iterable, Sequence

import pytest

from shouhao.detect.rings.crews import Worked, crews
from shouhao.kernel.clock import MINUTE_US, SECOND_US

DAYS = range(8)
CROWD = dict.fromkeys(DAYS, 1_000)


def crew(count: int, *, off: Iterable[int] = (), rate: float = 0.75, seed: int = 1) -> list[list[Worked]]:
    """Accounts that are at releases on most days on which their crew works."""
    chance = random.Random(seed)  # noqa: S311 - made-up people
    days = [day for day in DAYS if day not in set(off)]
    return [[Worked(days=frozenset(day for day in days if chance.random() < rate))] for _ in range(count)]


def handing(count: int, *, gap_us: int, hour: int, slots: int = 2) -> list[list[Worked]]:
    """Pairs that hand slots over in such a time at such an hour, and are at releases every day."""
    giver = Worked(days=frozenset(DAYS), gaps_us=(gap_us,) * slots, hours=(hour,) * slots)
    return [[giver, Worked(days=frozenset())] for _ in range(count)]


def parts(units: Sequence[Sequence[Worked]], crowd: dict[int, int] = CROWD) -> list[int]:
    """Labels by the order in which they first appear."""
    number: dict[int, int] = {}
    return [number.setdefault(label, len(number)) for label in crews(units, crowd=crowd)]


def alike(found: Sequence[int], *sizes: int) -> float:
    """Part of the units that stand with most of their own and apart from the others."""
    ends = [sum(sizes[: n + 1]) for n in range(len(sizes))]
    blocks = [found[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    most = [max(set(block), key=block.count) for block in blocks]
    assert len(set(most)) == len(most)
    return sum(block.count(one) for block, one in zip(blocks, most, strict=True)) / len(found)


def test_crews_that_take_other_days_off_come_apart() -> None:
    units = crew(14) + crew(14, off=(1, 4), seed=2) + crew(14, off=(0, 3, 5), seed=3)
    assert alike(parts(units), 14, 14, 14) > 0.9


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("rate", [0.4, 0.75])
def test_who_merely_happened_to_stay_away_is_of_the_same_crew(seed: int, rate: float) -> None:
    assert set(parts(crew(40, seed=seed, rate=rate))) == {0}


def test_a_day_that_was_thin_for_everybody_parts_nobody() -> None:
    full, thin = crew(30, seed=4), crew(30, seed=4)
    for n, unit in enumerate(thin):
        if n % 3:
            unit[0] = Worked(days=unit[0].days - {2, 5})
    assert set(parts(thin, CROWD | {2: 330, 5: 330})) == {0}
    assert set(parts(thin)) == {0, 1}
    assert set(parts(full)) == {0}


def test_days_before_an_account_was_made_say_nothing() -> None:
    old, young = crew(16, seed=5), crew(16, off=range(4), seed=6)
    assert set(parts(old + young)) == {0, 1}
    made = [[Worked(days=unit[0].days, made_on=3)] for unit in young]
    assert set(parts(old + made)) == {0}


def test_seconds_and_minutes_come_apart_and_so_do_night_and_day() -> None:
    quick, slow = (handing(9, gap_us=gap_us, hour=15) for gap_us in (2 * SECOND_US, 7 * MINUTE_US))
    night = handing(9, gap_us=7 * MINUTE_US, hour=2)
    assert parts(quick + slow) == [0] * 9 + [1] * 9
    assert parts(slow + night) == [0] * 9 + [1] * 9
    assert set(parts(slow + slow)) == {0}


def test_crews_that_hand_over_alike_come_apart_by_their_days() -> None:
    units = handing(8, gap_us=2 * SECOND_US, hour=15)
    away = [[Worked(days=a.days - {2, 3}, gaps_us=a.gaps_us, hours=a.hours), b] for a, b in units]
    assert parts(units + away) == [0] * 8 + [1] * 8


def test_the_order_changes_nothing_and_nothing_known_parts_nobody() -> None:
    units = crew(10) + crew(10, off=(1, 4), seed=2)
    order = list(range(20))
    random.Random(3).shuffle(order)  # noqa: S311 - an order
    straight, mixed = parts(units), crews([units[n] for n in order], crowd=CROWD)
    again = dict(zip(order, mixed, strict=True))
    assert len({(straight[n], again[n]) for n in order}) == 2
    assert crews([], crowd=CROWD) == []
    assert crews([[Worked(days=frozenset())]] * 3, crowd={}) == [0, 0, 0]
