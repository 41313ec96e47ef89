"""Odds: the tails are tails, the usual is learnt in spite of those who are looked for, weights keep within bounds."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from shouhao.detect.counted.near_hashes import clusters, tells_something
from shouhao.detect.odds import Usual, binomial_tail, poisson_tail, rarity, together, usual, weight_of

chances = st.floats(1e-12, 1.0)


def people(count, *, a, b, seed=1):
    """So many, each with a rate of their own, of whom most did it once or twice."""
    chance = random.Random(seed)  # noqa: S311 - a seeded crowd
    made = []
    for _ in range(count):
        rate, n = chance.betavariate(a, b), chance.choice([1, 1, 1, 2, 3, 5])
        made.append((n, sum(chance.random() < rate for _ in range(n))))
    return made


@given(st.integers(1, 60), st.floats(0.001, 0.999), st.floats(0.01, 0.5))
def test_a_tail_is_a_chance_that_falls(n, mean, spread):
    found = Usual(mean=mean, spread=spread, people=100)
    tails = [found.tail(n=n, k=k) for k in range(n + 1)]
    assert tails[0] == 1
    assert all(0 < p <= 1 for p in tails)
    assert all(a >= b - 1e-12 for a, b in pairwise(tails))


@given(st.integers(1, 40), st.integers(0, 40), st.floats(0.01, 0.99))
def test_the_plain_tails_are_those_of_the_textbook(n, k, p):
    k = min(k, n)
    assert binomial_tail(n=n, k=k, p=p) == pytest.approx(max(1e-300, stats.binom.sf(k - 1, n, p)), rel=1e-9)
    assert poisson_tail(k=k, mean=n * p) == pytest.approx(max(1e-300, stats.poisson.sf(k - 1, n * p)), rel=1e-9)


def test_the_spread_of_people_is_found_again():
    found = usual(people(20_000, a=1.5, b=12), least_people=100)
    assert found.mean == pytest.approx(1.5 / 13.5, rel=0.05)
    assert found.spread == pytest.approx(1 / 14.5, rel=0.2)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
def test_a_gang_does_not_set_the_measure_by_which_it_is_judged(share):
    honest = people(20_000, a=1.5, b=12)
    found = usual([*honest, *[(5, 5)] * round(share * len(honest))], least_people=100)
    assert found.tail(n=5, k=5) < 0.001


def test_few_honest_people_are_as_unusual_as_they_should_be():
    everybody = people(20_000, a=1.5, b=12)
    found = usual(everybody, least_people=100)
    assert sum(found.tail(n=n, k=k) < 0.001 for n, k in everybody) / len(everybody) < 0.0015


def test_of_too_few_people_nothing_is_usual():
    assert usual([(3, 1)] * 99, least_people=100) is None
    assert usual([(0, 0)] * 500, least_people=100) is None


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=40, max_size=80), st.randoms())
def test_what_is_usual_does_not_depend_on_the_order_of_people(counts, chance):
    counts = [(n, min(n, k)) for n, k in counts]
    shuffled = list(counts)
    chance.shuffle(shuffled)
    assert usual(shuffled, least_people=30) == usual(counts, least_people=30)


@given(chances, st.floats(0.5, 12))
def test_a_weight_is_never_negative_and_never_more_than_it_may_be(p, most):
    assert 0 <= weight_of(p, most=most) <= most


@given(chances, chances)
def test_less_likely_weighs_more(p, q):
    assert weight_of(min(p, q), most=50) >= weight_of(max(p, q), most=50) - 1e-9


@given(st.lists(chances, min_size=1, max_size=8))
def test_what_is_unlikely_together_does_not_depend_on_order(each):
    assert together(each) == together(each[::-1])
    assert 0 < together(each) <= 1


def test_one_chance_alone_is_itself():
    assert together([0.01]) == pytest.approx(0.01)
    assert together([]) == 1


def test_what_everybody_has_says_nothing():
    assert rarity(1_000, 1_000) == 0
    assert rarity(0, 999) == pytest.approx(math.log(1000))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 3))
def test_near_pictures_are_one_and_nothing_else_is(numbers, bits):
    texts = sorted({f"{number:016x}" for number in numbers})
    found = clusters(texts)
    usable = [text for text in texts if tells_something(text)]
    assert set(found) == set(usable)
    for one in usable:
        for other in usable:
            if (int(one, 16) ^ int(other, 16)).bit_count() <= bits:
                assert found[one] == found[other]


@given(st.integers(0, 2**256 - 1), st.sets(st.integers(0, 255), min_size=1, max_size=15))
def test_long_hashes_within_fifteen_bits_are_the_same_picture(number, flipped):
    other = number
    for bit in flipped:
        other ^= 1 << bit
    texts = [f"{number:064x}", f"{other:064x}"]
    if all(map(tells_something, texts)):
        assert len(set(clusters(texts).values())) == 1


def test_hashes_of_two_lengths_and_other_words_do_not_meet():
    found = clusters(["c3a1f00d7e5b9924", "c3a1f00d7e5b9924c3a1f00d7e5b9924", "not a hash", "", "0" * 16])
    assert len(found) == 2
    assert len(set(found.values())) == 2
