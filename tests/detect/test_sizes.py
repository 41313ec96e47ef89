"""Sizes: what is usual, and how rare is more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.detect.sizes import LEAST_SUBJECTS, UsualSize, usual_by_kind, usual_size

COUNTS = st.dictionaries(st.integers(1, 100_000), st.integers(1, 500), min_size=1, max_size=40)


def test_nothing_is_usual_among_too_few():
    assert usual_size([(3, LEAST_SUBJECTS - 1)]) is None
    assert usual_size([(3, LEAST_SUBJECTS)]) == UsualSize(median=3, upper_quarter=3, upper_tenth=3, subjects=50)


def test_ranks_are_those_of_the_subjects_and_not_of_the_sizes():
    usual = usual_size((size, 1) for size in range(1, 101))
    assert usual == UsualSize(median=50, upper_quarter=75, upper_tenth=90, subjects=100)


@pytest.mark.parametrize("largest", [2_000, 10**9])
def test_a_tenth_of_scripts_do_not_change_what_is_usual(largest):
    people = [(n, 9) for n in range(1, 101)]
    scripts = [(largest, 90)]
    usual = usual_size([*people, *scripts])
    assert usual is not None
    assert usual.upper_tenth <= 100
    assert usual.tail(largest) < 0.01


@given(COUNTS, st.integers(1, 10**9))
def test_more_is_never_less_rare_and_a_chance_is_a_chance(counts, size):
    usual = usual_size([*counts.items(), (1, LEAST_SUBJECTS)])
    assert usual is not None
    assert 0 < usual.tail(size) <= 1
    assert usual.tail(size + 1) <= usual.tail(size)
    assert usual.tail(size) <= usual.tail(size, looks=3) <= 3.000001 * usual.tail(size)


def test_up_to_the_upper_tenth_nobody_is_rare():
    usual = UsualSize(median=10, upper_quarter=16, upper_tenth=25, subjects=900)
    assert usual.tail(25) == 1.0
    assert usual.tail(26) < 0.2


def test_people_who_are_all_alike_make_nobody_impossible():
    alike = UsualSize(median=10, upper_quarter=10, upper_tenth=10, subjects=900)
    assert alike.tail(15) == pytest.approx(0.04)  # half as much again falls by as much as from quarter to tenth


def test_kinds_are_kept_apart_and_too_small_ones_left_out():
    rows = [{"kind": kind, "size": 7, "subjects": n} for kind, n in (("ip", 40), ("ip", 10), ("account", 49))]
    assert set(usual_by_kind(rows)) == {"ip"}
