"""Mixed release: parts add up, are spread evenly over the numbers, and join the others in time."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.release.mixed import fits, merges_at_us, parts_of, parts_that_fit, split, too_small
from shouhao.booking.release.policy import PARTS, MixedRules, ReleasePolicy, Share, release_from
from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.kernel.errors import InvalidInput

STARTS = 1_800_000_000_000_000
NAMED = [part for part in PARTS if part != "public"]


def mixed(**parts):
    """A mixed policy, as a hospital writes its parts."""
    return release_from({"kind": "mixed", "mixed": {"parts": parts}})


def sizes(capacity, **parts):
    return parts_of(mixed(**parts), capacity)


def ids(count):
    return [f"S1-{n:03d}" for n in range(1, count + 1)]


def test_a_release_that_goes_one_way_has_one_part():
    assert parts_of(ReleasePolicy(kind="first_come"), 8) == {"public": 8}
    assert parts_of(ReleasePolicy(kind="draw"), 8) == {"draw": 8}
    assert parts_of(ReleasePolicy(kind="draw"), 0) == {}


def test_what_no_part_takes_is_public():
    assert sizes(20, draw=6, window=2) == {"draw": 6, "public": 12, "window": 2}
    assert sizes(20, draw="50%", window=2, phone="10%") == {"draw": 10, "public": 6, "window": 2, "phone": 2}
    assert sizes(4, draw="100%") == {"draw": 4}


def test_shares_are_rounded_by_largest_remainder():
    assert sizes(10, draw="33%", window="33%", phone="34%") == {"draw": 3, "window": 3, "phone": 4}
    assert sizes(10, draw="25%", window="25%", phone="50%") == {"draw": 3, "window": 2, "phone": 5}
    assert sizes(3, draw="10%", window="10%") == {"public": 3}
    assert sizes(8, window="10%") == {"public": 7, "window": 1}
    assert sizes(1, draw="50%") == {"draw": 1}
    assert sizes(1, draw="49%") == {"public": 1}


def test_parts_that_exceed_the_session_are_refused():
    for capacity, parts in [(3, {"draw": 2, "window": 2}), (4, {"draw": "50%", "window": 3}), (0, {"phone": 1})]:
        with pytest.raises(InvalidInput) as caught:
            sizes(capacity, **parts)
        assert caught.value.field == "mixed.parts"
        assert str(capacity) in caught.value.says("zh")
        assert str(capacity) in caught.value.says("en")


def test_parts_that_fill_the_session_to_the_last_slot_are_taken():
    assert sizes(4, draw="50%", window=2) == {"draw": 2, "window": 2}
    assert sizes(4, draw=2, window=2) == {"draw": 2, "window": 2}
    assert sizes(11, draw="50%", window=5) == {"draw": 6, "window": 5}
    assert sizes(0, draw="50%") == {}


shares = st.integers(1, 40).map(lambda n: Share(count=n)) | st.integers(1, 25).map(lambda n: Share(percent=n))
mixes = st.dictionaries(st.sampled_from(NAMED), shares, min_size=1).map(
    lambda parts: ReleasePolicy(kind="mixed", mixed=MixedRules(parts=parts))
)


@given(mixes, st.integers(0, 200))
def test_parts_are_as_large_as_written_and_add_up(policy, capacity):
    parts = policy.mixed.parts
    exact = sum(
        Fraction(s.count) if s.count is not None else Fraction(s.percent * capacity, 100) for s in parts.values()
    )
    assert too_small(policy, capacity) == (exact > capacity)
    if exact > capacity:
        with pytest.raises(InvalidInput):
            parts_of(policy, capacity)
        return
    found = parts_of(policy, capacity)
    assert sum(found.values()) == capacity
    assert all(size > 0 for size in found.values())
    for part, share in parts.items():
        if share.count is not None:
            assert found[part] == share.count
        else:
            assert abs(found.get(part, 0) - Fraction(share.percent * capacity, 100)) < 1
    assert abs(found.get("public", 0) - (capacity - exact)) < len(parts)


@given(mixes, st.integers(0, 60))
def test_a_session_too_small_for_its_parts_opens_all_the_same(policy, capacity):
    found = parts_that_fit(policy, capacity)
    assert sum(found.values()) == capacity
    assert all(size > 0 for size in found.values())
    if not too_small(policy, capacity):
        assert found == parts_of(policy, capacity)
    else:
        assert "public" not in found


def test_parts_of_a_small_session_shrink_in_proportion():
    assert parts_that_fit(mixed(draw=12, window=4), 8) == {"draw": 6, "window": 2}
    assert parts_that_fit(mixed(draw=5, window="50%"), 4) == {"draw": 3, "window": 1}
    assert parts_that_fit(mixed(draw=5), 0) == {}


@given(mixes, st.integers(0, 60))
def test_the_order_in_which_parts_are_written_changes_nothing(policy, capacity):
    turned = MixedRules(parts=dict(reversed(policy.mixed.parts.items())))
    other = ReleasePolicy(kind="mixed", mixed=turned)
    assert parts_that_fit(policy, capacity) == parts_that_fit(other, capacity)


@given(mixes, st.lists(st.integers(0, 120)))
def test_a_policy_fits_when_it_fits_every_session(policy, capacities):
    tight = [capacity for capacity in capacities if too_small(policy, capacity)]
    if not tight:
        fits(policy, capacities)
        return
    with pytest.raises(InvalidInput) as caught:
        fits(policy, iter(capacities))
    assert caught.value.field == "mixed.parts"
    assert f" {min(tight)} slots" in caught.value.says("en")


@st.composite
def part_sizes(draw):
    return {part: draw(st.integers(0, 25)) for part in draw(st.permutations(PARTS))[: draw(st.integers(1, 5))]}


@given(part_sizes())
def test_every_prefix_of_the_numbers_holds_each_parts_share(parts):
    slots = ids(sum(parts.values()))
    found = split(slots, parts)
    assert list(found) == slots
    sized = {part: size for part, size in parts.items() if size}
    bound = 1 - Fraction(1, 2 * len(sized) - 2) if len(sized) > 1 else Fraction(0)
    so_far = dict.fromkeys(sized, 0)
    for k, slot in enumerate(slots, start=1):
        so_far[found[slot]] += 1
        for part, size in sized.items():
            assert abs(so_far[part] - Fraction(k * size, len(slots))) <= bound
    assert so_far == sized


def test_a_part_is_neither_all_early_nor_all_late():
    found = split(ids(12), {"window": 3, "public": 9})
    assert [n for n, part in enumerate(found.values(), start=1) if part == "window"] == [3, 7, 11]


@given(part_sizes())
def test_a_session_is_always_split_alike(parts):
    slots = ids(sum(parts.values()))
    assert split(slots, parts) == split(slots, dict(reversed(parts.items())))


def test_nothing_is_split_into_nothing():
    assert split([], {}) == {}


@pytest.mark.parametrize("parts", [{"draw": 3}, {"draw": 5}, {}])
def test_parts_are_as_many_as_the_slots(parts):
    with pytest.raises(ValueError, match="4 slots"):
        split(ids(4), parts)


def test_what_a_part_did_not_use_joins_the_others_in_time():
    policy = mixed(window=1, phone=1, referral=1)
    merges = {part: merges_at_us(part, session_starts_at_us=STARTS, policy=policy) for part in PARTS}
    assert merges == {
        "draw": None,
        "public": None,
        "window": STARTS - HOUR_US,
        "phone": STARTS - DAY_US,
        "referral": STARTS - 2 * DAY_US,
    }
