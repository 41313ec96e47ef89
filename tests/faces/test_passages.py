"""Fusing the frames of one passage: better frames weigh more, the order of frames does not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.faces.model import Face, PackMixed, Quality
from shouhao.faces.passages import FRAMES_AT_MOST, best_shots, fuse, probe_of

DIMS = 128
PACK = "made@1"
scores = st.lists(st.floats(0.01, 1), min_size=1, max_size=12)


def frame(score, embedding, pack=PACK):
    quality = Quality(
        score=score, eye_distance_px=40, sharpness=99, yaw_deg=0, pitch_deg=0, roll_deg=0, inside=1, detector_score=0.9
    )
    return Face(
        box_xyxy_px=np.zeros(4, np.float32),
        landmarks_px=np.zeros((5, 2), np.float32),
        quality=quality,
        embedding=embedding,
        pack=pack,
    )


def unit(numbers):
    return np.asarray(numbers / np.linalg.norm(numbers), np.float32)


def frames(scores, *, seed=1, noise=1.0):
    """Frames of one person: a direction of their own and, in each, noise of this length."""
    chance = np.random.default_rng(seed)
    person = unit(chance.standard_normal(DIMS))
    return [frame(score, unit(person + noise * unit(chance.standard_normal(DIMS)))) for score in scores]


@given(scores, st.integers(0, 99))
def test_a_probe_has_length_one_and_says_how_it_came_about(some, seed):
    faces = frames(some, seed=seed)
    probe = probe_of(faces, "watchlist")
    assert float(np.linalg.norm(probe.embedding)) == pytest.approx(1, abs=1e-5)
    assert (probe.purpose, probe.pack, probe.quality) == ("watchlist", PACK, max(some))
    assert 1 <= probe.frames <= min(len(some), FRAMES_AT_MOST)


@given(scores, st.randoms(use_true_random=False))
def test_the_order_in_which_frames_come_does_not_matter(some, chance):
    faces = frames(some)
    shuffled = faces[:]
    chance.shuffle(shuffled)
    # Frames of one score stay in the order in which they came: which of them is the ninth may then differ.
    if len(set(some)) == len(some):
        assert np.array_equal(probe_of(faces, "consented").embedding, probe_of(shuffled, "consented").embedding)
    elif len(some) <= FRAMES_AT_MOST:
        assert np.allclose(fuse(faces), fuse(shuffled), atol=1e-6)


@given(st.floats(0, 1))
def test_one_frame_asks_as_itself(score):
    (one,) = frames([score])
    assert np.allclose(fuse([one]), one.embedding, atol=1e-7)
    probe = probe_of([one], "watchlist")
    assert np.allclose(probe.embedding, one.embedding, atol=1e-7)
    assert (probe.frames, probe.quality) == (1, score)


@given(st.floats(0.01, 1), st.integers(1, 8))
def test_a_frame_that_comes_again_and_again_says_nothing_new(score, times):
    (one,) = frames([score])
    assert np.allclose(fuse([one] * times), one.embedding, atol=1e-6)


def test_a_poor_frame_weighs_less_the_poorer_it_is():
    good, poor = np.eye(DIMS, dtype=np.float32)[:2]
    pulled = [float(fuse([frame(0.9, good), frame(score, poor)]) @ poor) for score in (0.9, 0.7, 0.5, 0.2, 0.0)]
    assert pulled == sorted(pulled, reverse=True)
    assert pulled[0] == pytest.approx(2**-0.5, abs=1e-6)  # as good as the other: half way between them
    assert pulled[-1] == 0
    assert pulled[2] < 0.5 * pulled[0]


def test_frames_fused_are_nearer_to_the_person_than_each_of_them_is():
    chance = np.random.default_rng(7)
    person = unit(chance.standard_normal(DIMS))
    faces = [frame(0.9, unit(person + unit(chance.standard_normal(DIMS)))) for _ in range(5)]
    each = [float(face.embedding @ person) for face in faces]
    assert float(fuse(faces) @ person) > max(each) + 0.1


def test_a_frame_of_another_quality_saves_a_passage_from_a_bad_one():
    chance = np.random.default_rng(8)
    person, stranger = unit(chance.standard_normal(DIMS)), unit(chance.standard_normal(DIMS))
    passage = [frame(0.9, person), frame(0.3, stranger)]
    assert float(probe_of(passage, "watchlist").embedding @ person) == pytest.approx(1, abs=1e-6)
    assert probe_of(passage, "watchlist").frames == 1


@given(scores)
def test_best_shots_are_the_best_and_the_best_comes_first(some):
    chosen = [face.quality.score for face in best_shots(frames(some))]
    ranked = sorted(some, reverse=True)
    assert chosen == ranked[: len(chosen)]
    assert len(chosen) <= FRAMES_AT_MOST
    # What is left out is one too many, or worth less than half of the best.
    assert all(score < ranked[0] / 2 for score in ranked[len(chosen) : FRAMES_AT_MOST])
    assert all(score >= ranked[0] / 2 for score in chosen)


def test_no_more_shots_are_chosen_than_are_asked_for():
    faces = frames([0.9, 0.8, 0.95, 0.85])
    assert [face.quality.score for face in best_shots(faces, at_most=2)] == [0.95, 0.9]
    assert best_shots([]) == []


def test_equal_shots_stay_in_their_order():
    faces = frames([0.8, 0.8, 0.8])
    assert [id(face) for face in best_shots(faces)] == [id(face) for face in faces]


def test_frames_without_any_quality_count_alike():
    faces = frames([0.0, 0.0])
    assert np.allclose(fuse(faces), unit(faces[0].embedding + faces[1].embedding), atol=1e-6)


def test_frames_that_contradict_each_other_give_one_of_them_and_no_nonsense():
    (one,) = frames([0.9])
    against = replace(one, embedding=-one.embedding)
    assert np.array_equal(fuse([one, against]), one.embedding)


def test_frames_of_two_packs_are_never_fused():
    one, other = frames([0.9, 0.9])
    with pytest.raises(PackMixed):
        fuse([one, replace(other, pack="other@1")])
    with pytest.raises(PackMixed):
        probe_of([one, replace(other, pack="other@1")], "watchlist")
