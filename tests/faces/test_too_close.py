"""Too close: people listed twice and photographs under a wrong name are found, and nobody else is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.made_people import made
from shouhao.faces.budget import Budget
from shouhao.faces.calibrate import calibrate
from shouhao.faces.too_close import likelier_others, too_close

SEED = 20261125


def people(count=80, **given):
    return made(count, np.random.default_rng(SEED), **given)


def test_one_person_under_two_names_is_named_first():
    embeddings, subjects = people(least=2)
    twice = np.flatnonzero(subjects == 5)
    again = np.concatenate([embeddings, embeddings[twice]])
    numbers = np.concatenate([subjects, np.full(len(twice), 500)])
    found = too_close(again, numbers, threshold_cos=0.9)
    assert (found[0].first_subject, found[0].second_subject) == (5, 500)
    assert found[0].similarity_cos == pytest.approx(1, abs=1e-6)
    assert again[found[0].first_row] == pytest.approx(again[found[0].second_row])
    assert found[0].pairs >= len(twice)


def test_each_pair_of_people_is_named_once_by_its_most_alike_photographs():
    embeddings, subjects = people()
    found = too_close(embeddings, subjects, threshold_cos=0.5)
    assert len(found) > 3
    assert len({(one.first_subject, one.second_subject) for one in found}) == len(found)
    assert [one.similarity_cos for one in found] == sorted((one.similarity_cos for one in found), reverse=True)
    for one in found:
        between = embeddings[subjects == one.first_subject] @ embeddings[subjects == one.second_subject].T
        assert one.similarity_cos == pytest.approx(float(between.max()), abs=1e-5)
        assert one.pairs == int((between >= 0.5).sum())
        assert one.first_subject < one.second_subject


@given(st.floats(0.2, 0.9))
def test_a_higher_threshold_names_fewer_and_no_others(threshold):
    embeddings, subjects = people(40)
    fewer, more = (
        {(one.first_row, one.second_row) for one in too_close(embeddings, subjects, threshold_cos=cos)}
        for cos in (threshold, threshold - 0.1)
    )
    assert fewer <= more


def test_no_more_are_named_than_a_person_can_look_at():
    embeddings, subjects = people()
    every = too_close(embeddings, subjects, threshold_cos=-1.0, most=20)
    assert 0 < len(every) <= 20
    assert every[0].similarity_cos == too_close(embeddings, subjects, threshold_cos=0.5)[0].similarity_cos


def test_a_photograph_under_a_wrong_name_is_named_with_whom_it_shows():
    embeddings, subjects = made(60, np.random.default_rng(SEED), kind="plain", least=3)
    same = (subjects[:, None] == subjects) & ~np.eye(len(subjects), dtype=bool)
    wrong = int(np.where(same, embeddings @ embeddings.T, -1).max(axis=1).argmax())  # a good photograph, so to say
    whose = int(subjects[wrong])
    numbers = subjects.copy()
    numbers[wrong] = (whose + 1) % 60
    found = likelier_others(embeddings, numbers, threshold_cos=0.3)
    (one,) = [one for one in found if one.row == wrong]
    assert (one.subject, one.other_subject) == ((whose + 1) % 60, whose)
    assert one.other_cos > one.own_cos


def test_a_person_of_one_photograph_is_never_said_to_be_mislabelled():
    embeddings, subjects = people(most=1)
    assert likelier_others(embeddings, subjects, threshold_cos=-1.0) == ()


def test_a_calibration_names_the_person_who_stands_in_twice_even_in_a_small_folder():
    embeddings, subjects = people(12, least=2)
    twice = np.flatnonzero(subjects == 3)[:2]
    found = calibrate(
        np.concatenate([embeddings, embeddings[twice]]),
        np.concatenate([subjects, [77, 77]]),
        budget=Budget(false_alarms_a_day=1, passages_a_day=20_000, list_size=2_100),
        seed=1,
    )
    assert found.decision.why_not == "too_few_photographs"
    assert (found.too_close[0].first_subject, found.too_close[0].second_subject) == (3, 77)
