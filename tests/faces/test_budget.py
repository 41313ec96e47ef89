"""Budget: from false alarms a day to a threshold that was counted, or fitted and labelled so, or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.made_people import made, made_compared
from shouhao.faces import tail as tails
from shouhao.faces.budget import Budget, decide
from shouhao.faces.calibrate import PEOPLE_LEAST, WITH_TWO_LEAST, TooFewPeople, calibrate
from shouhao.faces.pairs import THRESHOLDS_COS, step_at
from shouhao.faces.rates import compare_all, threshold_at
from shouhao.faces.tail import Tail, fit_tail, held_out, refit, surprise_at
from shouhao.kernel.errors import InvalidInput

SEED = 20261125


def a_budget(alarms=1.0, passages=20_000, size=2_100):
    return Budget(false_alarms_a_day=alarms, passages_a_day=passages, list_size=size)


def test_the_arithmetic_of_the_how_to():
    assert a_budget(60).fpir == pytest.approx(0.003)
    assert a_budget(1).fpir == pytest.approx(5e-5)
    assert a_budget(1, size=283).fmr == pytest.approx(1.8e-7, rel=0.02)
    assert a_budget(1, size=2_100).fmr == pytest.approx(2.4e-8, rel=0.02)
    assert a_budget(1, size=100_000).fmr == pytest.approx(5e-10)
    assert a_budget().false_alarms(a_budget().fmr) == pytest.approx(1)
    assert a_budget().false_alarms(1) == 20_000


def test_the_photographs_that_are_needed_hold_thirty_false_matches():
    budget = a_budget()
    pairs = budget.photographs_needed * (budget.photographs_needed - 1) / 2
    assert pairs * budget.fmr == pytest.approx(30, rel=1e-3)


@pytest.mark.parametrize(
    ("alarms", "passages", "size", "field"),
    [
        (0, 100, 1, "false_alarms_a_day"),
        (101, 100, 1, "false_alarms_a_day"),
        (1, 100, 0, "list_size"),
        (float("nan"), 100, 1, "false_alarms_a_day"),
    ],
)
def test_a_budget_that_means_nothing_is_refused_by_name(alarms, passages, size, field):
    with pytest.raises(InvalidInput) as caught:
        a_budget(alarms, passages, size)
    assert caught.value.field == field


def test_a_budget_that_can_be_counted_is_kept_by_counting():
    compared = made_compared(300, SEED)
    budget = a_budget(100, 1000, 50)
    chosen = decide(compared, budget, seed=1).chosen
    assert chosen.threshold_cos == threshold_at(compared, budget.fmr)
    assert not chosen.extrapolated
    assert chosen.alarms.low < chosen.alarms.expected <= 100 < chosen.alarms.high
    assert chosen.threshold_low_cos < chosen.threshold_cos < chosen.threshold_high_cos


def test_a_budget_beyond_counting_is_fitted_and_says_so():
    compared = made_compared(300, SEED)
    budget = a_budget(1, 1000, 50)
    assert budget.fmr < compared.smallest_fmr
    decision = decide(compared, budget, seed=1)
    chosen = decision.chosen
    assert chosen.extrapolated
    assert chosen.alarms.extrapolated
    assert chosen.threshold_low_cos < chosen.threshold_cos < chosen.threshold_high_cos
    assert chosen.alarms.expected == pytest.approx(1, rel=0.02)
    assert decision.held_out
    assert all(level.holds for level in decision.held_out)
    assert not decision.surprise.contradicts


def test_what_is_achievable_is_said_beside_an_extrapolation():
    compared = made_compared(300, SEED)
    found = decide(compared, a_budget(1, 1000, 50), seed=1).achievable
    assert found.fmr.hits >= 30
    assert not found.alarms.extrapolated
    assert found.alarms.expected == pytest.approx(1000 * 50 * found.fmr.rate)
    assert a_budget(1, 1000, found.largest_list).fmr >= found.fmr.rate > a_budget(1, 1000, found.largest_list + 1).fmr


@pytest.mark.parametrize(
    ("people", "alarms", "why"),
    [(40, 1.0, "too_few_photographs"), (300, 1e-6, "too_far_beyond")],
)
def test_a_threshold_that_nothing_speaks_for_is_not_stated(people, alarms, why):
    decision = decide(made_compared(people, SEED), a_budget(alarms, 10_000, 1000), seed=1)
    assert (decision.chosen, decision.why_not) == (None, why)


def test_a_fit_that_fails_on_other_people_gives_no_threshold(monkeypatch):
    straight = tails._moments
    monkeypatch.setattr(tails, "_moments", lambda excess: (straight(excess)[0] - 1.0, straight(excess)[1]))
    decision = decide(made_compared(300, SEED), a_budget(1, 1000, 50), seed=1)
    assert (decision.chosen, decision.why_not) == (None, "fit_failed")
    assert not all(level.holds for level in decision.held_out)


def test_alarms_fall_with_the_threshold_and_counting_meets_the_fit():
    curve = decide(made_compared(300, SEED), a_budget(1, 1000, 50), seed=1).curve
    at = [point.threshold_cos for point in curve]
    assert at == sorted(at)
    for extrapolated in (False, True):
        part = [point.expected for point in curve if point.extrapolated is extrapolated]
        assert part == sorted(part, reverse=True)
        assert len(part) > 10
    last = [point for point in curve if not point.extrapolated][-1]
    first = next(point for point in curve if point.extrapolated)
    assert first.threshold_cos == last.threshold_cos
    assert last.low <= first.expected <= last.high


@given(st.floats(-0.4, 0.4), st.floats(0.01, 0.1), st.floats(-8, -3.5))
def test_threshold_and_rate_of_a_curve_undo_each_other(shape, scale, exponent):
    curve = Tail(
        start_cos=0.3, start_fmr=1e-3, shape=shape, scale_cos=scale, exceedances=500, effective_exceedances=500.0
    )
    threshold = curve.threshold_cos(10**exponent)
    if -1 < threshold < 1:
        assert curve.fmr(threshold) == pytest.approx(10**exponent, rel=1e-6)


@pytest.mark.parametrize("shape", [-0.25, 0.0, 0.2])
def test_the_shape_of_a_known_curve_is_found(shape):
    excess = tails._excess(np.random.default_rng(SEED).random(200_000), shape, 0.04)
    found, scale = tails._moments(excess)
    assert found == pytest.approx(shape, abs=0.02)
    assert scale == pytest.approx(0.04, rel=0.03)


@pytest.mark.parametrize("kind", ["plain", "groups", "wolves"])
def test_an_extrapolated_interval_holds_the_true_threshold(kind):
    """Ten times beyond counting; the truth is counted among far more people of the same kind."""
    counts = [made_compared(1500, SEED + n, kind=kind).counts for n in range(2)]
    impostor = sum(one.impostor for one in counts) / sum(one.impostor_pairs for one in counts)
    held = []
    for n in range(40):
        compared = made_compared(220, n, kind=kind)
        fmr = compared.smallest_fmr / 10
        true = float(THRESHOLDS_COS[int(np.argmax(impostor <= fmr))])
        low, high = refit(fit_tail(compared), seed=n, count=200).threshold_interval(fmr)
        held.append(low <= true <= high)
    assert np.mean(held) >= 0.9


def test_the_fit_is_tried_on_people_it_was_not_made_from():
    compared = made_compared(400, SEED)
    half, quarter = (held_out(compared, seed=1, fitted_share=part) for part in (0.5, 0.25))
    assert [level.expected for level in half] == [30, 10, 3]
    assert all(level.holds for level in half)
    assert half[2].beyond == pytest.approx(10, rel=0.3)
    assert all(level.beyond > other.beyond for level, other in zip(quarter, half, strict=True))
    assert held_out(compared, seed=1) == half


def test_one_person_under_two_names_contradicts_the_curve():
    embeddings, subjects = made(300, np.random.default_rng(SEED), least=2)
    twice = np.flatnonzero(subjects == 7)
    again = np.concatenate([embeddings, embeddings[twice]])
    compared = compare_all(again, np.concatenate([subjects, np.full(len(twice), 9999)]))
    curve = fit_tail(compared)
    found = surprise_at(compared, curve, curve.threshold_cos(compared.smallest_fmr / 100))
    assert found.contradicts
    assert found.observed >= len(twice) > 1 > found.expected


@pytest.mark.parametrize("seed", [1, 2])
def test_a_calibration_repeats_to_the_last_digit(seed):
    embeddings, subjects = made(60, np.random.default_rng(SEED))
    one, again = (calibrate(embeddings, subjects, budget=a_budget(), seed=seed) for _ in range(2))
    assert one == again


def test_too_few_people_are_refused_with_how_many_it_takes():
    embeddings, subjects = made(PEOPLE_LEAST, np.random.default_rng(SEED), least=2)
    calibrate(embeddings, subjects, budget=a_budget(), seed=1)
    with pytest.raises(TooFewPeople) as caught:
        calibrate(embeddings[subjects > 0], subjects[subjects > 0], budget=a_budget(), seed=1)
    assert caught.value.data["people"] == PEOPLE_LEAST - 1
    assert str(PEOPLE_LEAST) in caught.value.says("zh")
    alone = np.arange(40)
    with pytest.raises(TooFewPeople) as caught:
        calibrate(made(40, np.random.default_rng(1), most=1)[0], alone, budget=a_budget(), seed=1)
    assert (caught.value.data["with_two"], caught.value.data["with_two_least"]) == (0, WITH_TWO_LEAST)


def test_the_threshold_of_four_decimals_is_exactly_what_was_counted():
    compared = made_compared(200, SEED)
    chosen = decide(compared, a_budget(200, 1000, 20), seed=1).chosen
    assert round(chosen.threshold_cos, 4) == chosen.threshold_cos
    assert chosen.counted.fmr.hits == compared.counts.impostor[step_at(chosen.threshold_cos)]
