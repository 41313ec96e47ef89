"""Draw: arrival gains nothing, chance is equal, people who go together are not torn apart."""

import hashlib
import hmac
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.release.draw import (
    DuplicateEntry,
    Entry,
    PackedIds,
    _settle_ties,
    allocate,
    rank,
    rank_ids,
)

SEED = bytes(range(32))
TARGETS = ("A", "B", "C")


def single(n, *wishes):
    return Entry(id=f"de_{n}", people=(f"t{n}",), wishes=wishes or ("A",))


def seeds(count):
    return [hashlib.sha256(b"seed %d" % n).digest() for n in range(count)]


@st.composite
def draws(draw):
    """Entries of one to three people with one to three wishes, and seats."""
    entries = []
    for n in range(draw(st.integers(0, 12))):
        people = tuple(f"t{n}-{m}" for m in range(draw(st.integers(1, 3))))
        wishes = tuple(draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True)))
        entries.append(Entry(id=f"de_{n:03}", people=people, wishes=wishes))
    seats = {target: draw(st.integers(0, 5)) for target in TARGETS}
    return entries, seats, draw(st.binary(min_size=32, max_size=32))


def held(entries, seats, seed):
    return allocate(rank(entries, seed=seed), seats)


def plain_order(ids, seed):
    return sorted(range(len(ids)), key=lambda n: (hmac.digest(seed, ids[n], "sha256"), ids[n]))


@given(st.lists(st.binary(max_size=80), unique=True, max_size=60), st.binary(max_size=100))
def test_the_fast_order_is_the_plain_one(ids, seed):
    assert rank_ids(ids, seed=seed).tolist() == plain_order(ids, seed)


def test_packed_ids_are_ranked_alike_over_many_chunks():
    ids = [f"de_{n:011x}{n * 7:015x}".encode() for n in range(150_000)]
    packed = PackedIds(data=b"".join(ids), width=len(ids[0]))
    assert len(packed) == len(ids)
    assert rank_ids(packed, seed=SEED).tolist() == plain_order(ids, SEED)


@given(st.lists(st.integers(0, 3), max_size=40))
def test_equal_beginnings_of_hashes_are_settled_by_the_rest(beginnings):
    keys = np.array(beginnings, dtype=np.uint64)
    rest = [hashlib.sha256(b"%d" % n).digest() for n in range(len(beginnings))]
    order = np.argsort(keys)
    _settle_ties(order, keys, lambda n: (rest[n], b"", n))
    assert order.tolist() == sorted(range(len(beginnings)), key=lambda n: (beginnings[n], rest[n]))


def test_nobody_in_a_draw_is_no_mistake():
    assert rank([], seed=SEED) == []
    assert allocate([], {"A": 3}).order == ()


@given(draws(), st.randoms(use_true_random=False))
def test_arriving_first_gains_nothing(made, chance):
    entries, seats, seed = made
    arrived = list(entries)
    chance.shuffle(arrived)
    assert held(arrived, seats, seed) == held(entries, seats, seed)


@given(draws())
def test_all_or_nothing_and_no_target_over_its_seats(made):
    entries, seats, seed = made
    by_id = {entry.id: entry for entry in entries}
    result = held(entries, seats, seed)
    assert sorted(result.order) == sorted(by_id)
    assert len({win.entry_id for win in result.wins}) == len(result.wins)
    given_out = Counter()
    for win in result.wins:
        assert win.target in by_id[win.entry_id].wishes
        given_out[win.target] += len(by_id[win.entry_id].people)
    assert all(given_out[target] <= seats[target] for target in given_out)


@given(draws())
def test_nobody_could_have_had_a_better_wish_at_their_rank(made):
    entries, seats, seed = made
    by_id = {entry.id: entry for entry in entries}
    result = held(entries, seats, seed)
    won = {win.entry_id: win.target for win in result.wins}
    left = dict(seats)
    for entry_id in result.order:
        entry = by_id[entry_id]
        better = entry.wishes[: entry.wishes.index(won[entry_id])] if entry_id in won else entry.wishes
        assert all(left[wish] < len(entry.people) for wish in better)
        if entry_id in won:
            left[won[entry_id]] -= len(entry.people)


@given(draws(), st.data())
def test_one_who_won_nothing_changes_nobody_elses_result(made, data):
    entries, seats, seed = made
    result = held(entries, seats, seed)
    losers = sorted(set(result.order) - {win.entry_id for win in result.wins})
    if not losers:
        return
    gone = data.draw(st.sampled_from(losers))
    without = held([entry for entry in entries if entry.id != gone], seats, seed)
    assert without.wins == result.wins
    assert without.order == tuple(one for one in result.order if one != gone)


@given(draws(), st.data())
def test_telling_false_wishes_never_gets_a_better_one(made, data):
    entries, seats, seed = made
    if not entries:
        return
    honest = data.draw(st.sampled_from(entries))
    false = tuple(data.draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True)))
    liar = Entry(id=honest.id, people=honest.people, wishes=false)
    told = held([liar if entry is honest else entry for entry in entries], seats, seed)

    def worth(result):
        target = next((win.target for win in result.wins if win.entry_id == honest.id), None)
        return honest.wishes.index(target) if target in honest.wishes else len(honest.wishes)

    assert worth(held(entries, seats, seed)) <= worth(told)


def test_a_family_that_no_longer_fits_lets_a_single_by_and_waits_first():
    family = Entry(id="family", people=("a", "b"), wishes=("A",))
    result = allocate([single(1), family, single(2), single(3)], {"A": 2})
    assert [win.entry_id for win in result.wins] == ["de_1", "de_2"]
    assert result.order == ("de_1", "family", "de_2", "de_3")


def test_with_no_seats_only_the_order_counts():
    entries = [single(n) for n in range(20)]
    result = held(entries, {"A": 0}, SEED)
    assert result.wins == ()
    assert result.order == tuple(entry.id for entry in rank(entries, seed=SEED))


@pytest.mark.parametrize(
    "entries",
    [
        [single(1), Entry(id="de_2", people=("t1",), wishes=("A",))],
        [single(1), Entry(id="de_2", people=("t2", "t1"), wishes=("A",))],
        [Entry(id="de_1", people=("t1", "t1"), wishes=("A",))],
        [single(1), Entry(id="de_1", people=("t2",), wishes=("A",))],
    ],
    ids=["two entries", "alone and in a family", "twice in one", "one id for two"],
)
def test_a_person_stands_in_one_entry_only(entries):
    with pytest.raises(DuplicateEntry):
        rank(entries, seed=SEED)


def test_a_duplicate_names_the_entries_and_not_the_ticket():
    with pytest.raises(DuplicateEntry) as caught:
        rank([single(1), Entry(id="de_2", people=("t1",), wishes=("A",))], seed=SEED)
    assert caught.value.data == {"entry_ids": ["de_1", "de_2"]}


def test_chance_is_equal():
    """Chi-square at 99.9 % over fixed seeds, so that it holds or fails alike on every run."""
    entries, seats, rounds = [single(n) for n in range(20)], {"A": 5}, 4_000
    wins = Counter(win.entry_id for seed in seeds(rounds) for win in held(entries, seats, seed).wins)
    expected = rounds * 5 / 20
    # Places are drawn without putting back, so the sum comes to 15 on average where chi-square comes to 19.
    statistic = sum((wins[entry.id] - expected) ** 2 / expected for entry in entries) * 19 / 15
    assert 4.9 < statistic < 43.8  # 19 degrees of freedom, 0.05 % on either side


def test_every_place_in_the_order_is_equally_likely():
    entries, rounds = [single(n) for n in range(8)], 4_000
    places = Counter((entry.id, n) for seed in seeds(rounds) for n, entry in enumerate(rank(entries, seed=seed)))
    expected = rounds / 8
    # Rows and columns both add up, so the sum comes to 56 on average where chi-square comes to 49.
    statistic = sum((places[one.id, n] - expected) ** 2 / expected for one in entries for n in range(8)) * 49 / 56
    assert 22.0 < statistic < 87.0  # 49 degrees of freedom, 0.05 % on either side
