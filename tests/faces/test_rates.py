"""Rates: every pair is counted, intervals hold the truth as often as they say, and what cannot be told is not told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.made_people import made, made_compared
from shouhao.faces import pairs
from shouhao.faces.identification import search_apart, search_curve, search_points, search_rates
from shouhao.faces.intervals import share, students_factor, wilson
from shouhao.faces.pairs import THRESHOLDS_COS, count_pairs, genuine_hits, impostor_pairs, step_at
from shouhao.faces.rates import (
    FMRS,
    RESOLVED_BY,
    compare_all,
    curve_of,
    finest_threshold,
    histogram_of,
    points_at,
    rates_at,
    threshold_at,
    typical_genuine,
)

SEED = 20261125


def plain_counts(embeddings, subjects, threshold):
    """Genuine and impostor pairs at or above, one by one."""
    found = [0, 0]
    for a in range(len(subjects)):
        for b in range(a + 1, len(subjects)):
            alike = float(embeddings[a] @ embeddings[b])
            found[int(subjects[a] != subjects[b])] += alike >= threshold
    return found


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.sampled_from([-1.0, -0.2, 0.0, 0.3, 0.7]))
def test_every_pair_is_counted_once(seed, block, threshold):
    embeddings, subjects = made(7, np.random.default_rng(seed))
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr(pairs, "_BLOCK", block)
        counts = count_pairs(embeddings, subjects)
        close = impostor_pairs(embeddings, subjects, at_least_cos=threshold)
        trials, hits = genuine_hits(embeddings, subjects, thresholds_cos=[threshold])
    step = step_at(threshold)
    genuine, impostor = plain_counts(embeddings, subjects, threshold)
    assert (counts.genuine[step], counts.impostor[step]) == (genuine, impostor)
    assert counts.genuine_pairs + counts.impostor_pairs == len(subjects) * (len(subjects) - 1) // 2
    assert len(close) == impostor
    assert len({*zip(np.minimum(close.first, close.second), np.maximum(close.first, close.second))}) == impostor  # noqa: B905
    assert (trials.sum(), hits.sum()) == (counts.genuine_pairs, genuine)


def test_the_numbers_and_the_order_of_people_do_not_matter():
    embeddings, subjects = made(40, np.random.default_rng(SEED))
    shuffled = np.random.default_rng(1).permutation(len(subjects))
    one = points_at(compare_all(embeddings, subjects), [0.1])
    other = points_at(compare_all(embeddings[shuffled], (subjects * 7 + 1000)[shuffled]), [0.1])
    assert one == other


@given(st.integers(0, 2**32 - 1))
def test_a_higher_threshold_never_matches_more(seed):
    compared = made_compared(30, seed)
    curve = curve_of(compared)
    assert list(curve.threshold_cos) == sorted(curve.threshold_cos)
    assert list(curve.fmr) == sorted(curve.fmr, reverse=True)
    assert list(curve.fnmr) == sorted(curve.fnmr)
    searched = search_curve(search_apart(compared, list_size=10, seed=1, draws=5))
    assert list(searched.fpir) == sorted(searched.fpir, reverse=True)
    assert list(searched.fnir) == sorted(searched.fnir)


def test_a_threshold_is_stated_only_where_thirty_pairs_reach_it():
    compared = made_compared(200, SEED)
    points = points_at(compared)
    assert [point.fmr_asked for point in points] == list(FMRS)
    for point in points:
        assert point.resolved == (point.fmr_asked >= compared.smallest_fmr)
        if point.resolved:
            assert RESOLVED_BY <= point.fmr.hits <= point.fmr_asked * point.fmr.trials
            assert point.fmr.low < point.fmr.rate < point.fmr.high
        else:
            assert (point.threshold_cos, point.fmr, point.tmr) == (None, None, None)
    assert {point.resolved for point in points} == {True, False}


def test_the_finest_threshold_is_the_last_that_thirty_pairs_reach():
    compared = made_compared(60, SEED)
    finest = finest_threshold(compared)
    assert compared.counts.impostor[step_at(finest)] >= RESOLVED_BY
    assert compared.counts.impostor[step_at(finest) + 1] < RESOLVED_BY
    assert threshold_at(compared, compared.smallest_fmr * 0.9) is None


def test_with_hardly_any_pairs_nothing_is_resolved_and_nothing_breaks():
    compared = compare_all(np.eye(4, dtype=np.float32), np.array([1, 2, 2, 3]))
    assert finest_threshold(compared) is None
    assert not any(point.resolved for point in points_at(compared))
    (point,) = rates_at(compared, [0.9])
    assert (point.fmr.hits, point.fmr.method, point.tmr.rate) == (0, "rule_of_3", 0.0)


def test_where_nobody_matched_in_error_the_rule_of_three_says_what_may_still_be():
    nobody = np.zeros(300, dtype=np.int64)
    found = share(nobody, nobody + 1, total_hits=0, total_trials=300)
    assert (found.rate, found.low, found.high, found.method) == (0.0, 0.0, 0.01, "rule_of_3")
    dependent = share(nobody, nobody + 10, total_hits=0, total_trials=3000)
    assert dependent.high == 0.01  # ten trials of a person may be worth one
    everybody = share(nobody + 1, nobody + 1, total_hits=300, total_trials=300)
    assert (everybody.low, everybody.high) == (0.99, 1.0)


def test_trials_of_one_person_are_not_worth_as_many_of_different_people():
    independent = share(np.array([1, 0] * 200), np.ones(400, dtype=np.int64), total_hits=200, total_trials=400)
    clustered = share(np.array([10, 0] * 20), np.full(40, 10), total_hits=200, total_trials=400)
    assert independent.design_effect == pytest.approx(1, abs=0.01)
    assert clustered.design_effect == pytest.approx(10, rel=0.05)
    assert clustered.high - clustered.low > 2.5 * (independent.high - independent.low)


@given(st.integers(1, 40), st.data())
def test_an_interval_holds_its_rate_and_stays_within_0_and_1(people, data):
    trials = np.array(data.draw(st.lists(st.integers(1, 9), min_size=people, max_size=people)))
    hits = np.array([data.draw(st.integers(0, int(n))) for n in trials])
    found = share(hits, trials, total_hits=int(hits.sum()), total_trials=int(trials.sum()))
    assert 0 <= found.low <= found.rate + 1e-12
    assert found.rate - 1e-12 <= found.high <= 1


def test_known_values_of_the_interval():
    # Newcombe, Statistics in Medicine 17 (1998): Wilson's interval of 81 in 263.
    low, high = wilson(81 / 263, 263, people=10**9)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    # Tables of Student's t, 97.5 %.
    assert [round(students_factor(n), 2) for n in (4, 9, 30)] == [2.77, 2.26, 2.04]


def truth(kind):
    """Shares of genuine and impostor pairs by threshold, from far more people than are measured."""
    many = [made_compared(1000, SEED + n, kind=kind).counts for n in range(2)]
    genuine, impostor = (
        sum(getattr(one, name) / getattr(one, name)[0] for one in many) / 2 for name in ("genuine", "impostor")
    )
    return genuine, impostor


@pytest.mark.parametrize("kind", ["plain", "groups", "wolves"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(kind):
    """95 % are stated; over these seeds each kind lies between 91 and 100 %, on the wide side where pairs hardly
    depend on each other."""
    genuine, impostor = truth(kind)
    step = int(np.argmax(impostor <= 1e-2))
    held = []
    for n in range(100):
        (point,) = rates_at(made_compared(60, n, kind=kind), [float(THRESHOLDS_COS[step])])
        held.append(
            (point.fmr.low <= impostor[step] <= point.fmr.high, point.tmr.low <= genuine[step] <= point.tmr.high)
        )
    of_fmr, of_tmr = np.mean(held, axis=0)
    assert of_fmr >= 0.9
    assert 0.9 <= of_tmr <= 0.995


@pytest.mark.parametrize("kind", ["groups", "wolves"])
def test_intervals_of_searches_hold_the_truth_too(kind):
    many = search_apart(made_compared(1000, SEED, kind=kind), list_size=30, seed=1, draws=40)
    threshold = float(THRESHOLDS_COS[step_at(float(np.quantile(many.stranger_top_cos, 0.95)))])
    true = search_rates(many, threshold)
    held = []
    for n in range(50):
        found = search_rates(search_apart(made_compared(60, n, kind=kind), list_size=30, seed=n, draws=10), threshold)
        held.append(
            (found.fpir.low <= true.fpir.rate <= found.fpir.high, found.fnir.low <= true.fnir.rate <= found.fnir.high)
        )
    assert np.mean(held, axis=0).min() >= 0.88


def test_searching_a_list_raises_as_many_as_its_comparisons_let_expect():
    compared = made_compared(300, SEED, kind="plain")
    searched = search_apart(compared, list_size=100, seed=3)
    (point,) = search_points(searched, [0.1])
    alone = compared.counts.impostor[step_at(point.threshold_cos)] / compared.counts.impostor_pairs
    assert point.fpir.rate <= 100 * alone
    assert point.fpir.rate == pytest.approx(1 - (1 - alone) ** 100, rel=0.1)


def test_nobody_on_the_list_is_searched_as_a_stranger():
    compared = made_compared(50, SEED)
    searched = search_apart(compared, list_size=1000, seed=3, draws=4)
    assert searched.list_size == 25
    assert (searched.stranger != searched.stranger_top).all()
    each = compared.photos_each
    assert set(searched.listed.tolist()) <= set(np.flatnonzero(each > 1).tolist())


def test_the_same_seed_gives_the_same_draws_and_another_gives_others():
    compared = made_compared(50, SEED)
    one, same, other = (search_apart(compared, list_size=20, seed=seed, draws=3) for seed in (1, 1, 2))
    assert np.array_equal(one.stranger_photo, same.stranger_photo)
    assert not np.array_equal(one.stranger_photo, other.stranger_photo)


def test_many_draws_of_the_same_few_people_resolve_no_smaller_rate():
    compared = made_compared(60, SEED)
    points = search_points(search_apart(compared, list_size=30, seed=1, draws=200), [1e-1, 1e-3])
    assert points[0].threshold_cos is not None
    assert points[1].threshold_cos is None


def test_the_histogram_holds_every_pair():
    compared = made_compared(50, SEED)
    histogram = histogram_of(compared)
    assert sum(histogram.genuine) == pytest.approx(1)
    assert sum(histogram.impostor) == pytest.approx(1)
    assert len(histogram.edges_cos) == len(histogram.genuine) + 1


def test_half_of_the_pairs_of_one_person_are_as_alike_as_is_typical():
    compared = made_compared(80, SEED)
    (point,) = rates_at(compared, [typical_genuine(compared)])
    assert point.tmr.rate == pytest.approx(0.5, abs=0.02)
