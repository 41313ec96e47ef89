"""Alignment as geometry: a known similarity comes back exactly, and nothing is lost on landmarks that show nothing."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shouhao.faces.align import (
    ARCFACE_PX,
    ARCFACE_TEMPLATE_PX,
    PLAIN,
    Levels,
    View,
    aligned,
    cut,
    inverse,
    moved,
    similarity,
    views_of,
)
from shouhao.faces.images import read_picture

points = arrays(np.float64, (5, 2), elements=st.floats(-2000, 2000, width=32))
turns_rad = st.floats(-math.pi, math.pi)
scales = st.floats(0.01, 100)
shifts_px = arrays(np.float64, (2,), elements=st.floats(-5000, 5000, width=32))


def transform(turn_rad, scale, shift_px):
    """(2, 3)"""
    cos, sin = scale * math.cos(turn_rad), scale * math.sin(turn_rad)
    return np.array([[cos, -sin, shift_px[0]], [sin, cos, shift_px[1]]])


def spread(some):
    """The largest distance from their middle, px."""
    return float(np.linalg.norm(some - some.mean(0), axis=1).max())


@pytest.fixture(scope="module")
def picture(faces_dir):
    """A photograph, 250 x 250."""
    return read_picture(next(iter(sorted((faces_dir / "lfw-dev").glob("*/*.jpg")))).read_bytes())


@given(points, turns_rad, scales, shifts_px)
def test_a_known_similarity_is_recovered_exactly(source, turn_rad, scale, shift_px):
    assume(spread(source) > 1)
    known = transform(turn_rad, scale, shift_px)
    found = similarity(source, moved(source, known))
    assert np.allclose(found[:, :2], known[:, :2], atol=1e-7 * scale)
    assert np.allclose(moved(source, found), moved(source, known), atol=1e-6 * max(scale, 1))


@given(points, turns_rad, scales, shifts_px)
def test_clean_points_give_what_opencv_gives(source, turn_rad, scale, shift_px):
    assume(spread(source) > 10)
    target = moved(source, transform(turn_rad, scale, shift_px))
    theirs, inliers = cv2.estimateAffinePartial2D(source, target, method=cv2.LMEDS)
    assume(theirs is not None and inliers.all())
    # OpenCV refines from a sample of points until nothing moves by much; what it does to the points is what counts.
    assert np.allclose(moved(source, similarity(source, target)), moved(source, theirs), atol=1e-3 * max(scale, 1))


@given(arrays(np.float64, (5, 2), elements=st.floats(-6, 6, width=32)), turns_rad, st.floats(0.2, 5), shifts_px)
def test_no_other_similarity_lies_nearer_to_the_template(noise, turn_rad, scale, shift_px):
    source = moved(ARCFACE_TEMPLATE_PX + noise, transform(turn_rad, scale, shift_px))
    found = similarity(source, ARCFACE_TEMPLATE_PX)
    best = np.square(moved(source, found) - ARCFACE_TEMPLATE_PX).sum()
    for a, b, x, y in np.vstack([np.eye(4), -np.eye(4)]) * 1e-3:
        nudge = np.array([[1 + a, -b, x], [b, 1 + a, y]])
        nudged = moved(moved(source, found), nudge)
        assert np.square(nudged - ARCFACE_TEMPLATE_PX).sum() >= best - 1e-9 * (1 + best)


@given(points)
def test_a_mirrored_face_is_turned_and_never_mirrored_back(source):
    found = similarity(source * [-1, 1], source)
    assert np.linalg.det(found[:, :2]) >= 0


@given(points, turns_rad, scales, shifts_px)
def test_the_way_back_leads_back(some, turn_rad, scale, shift_px):
    there = transform(turn_rad, scale, shift_px)
    assert np.allclose(moved(moved(some, there), inverse(there)), some, atol=1e-5 * max(1, 1 / scale))


@given(st.integers(1, 6), points, turns_rad)
def test_many_at_once_are_each_what_they_are_alone(count, some, turn_rad):
    assume(spread(some) > 1)
    sources = np.stack([moved(some, transform(turn_rad + n, 1 + n, (n, -n))) for n in range(count)])
    together = similarity(sources, ARCFACE_TEMPLATE_PX)
    for source, one in zip(sources, together, strict=True):
        assert np.allclose(similarity(source, ARCFACE_TEMPLATE_PX), one, rtol=1e-9, atol=1e-9)


@given(shifts_px)
def test_landmarks_all_at_one_place_give_numbers_and_a_black_chip(place_px):
    source = np.tile(place_px, (5, 1))
    found = similarity(source, ARCFACE_TEMPLATE_PX)
    assert np.isfinite(found).all()
    chip = cut(Levels(np.full((60, 80, 3), 200, np.uint8)), found[None], ARCFACE_PX)
    assert chip.shape == (1, ARCFACE_PX, ARCFACE_PX, 3)


@given(shifts_px, turns_rad, arrays(np.float64, (5,), elements=st.floats(-300, 300, width=32)))
def test_landmarks_on_one_line_give_numbers(place_px, turn_rad, along_px):
    source = place_px + along_px[:, None] * [math.cos(turn_rad), math.sin(turn_rad)]
    found = similarity(source, ARCFACE_TEMPLATE_PX)
    assert np.isfinite(found).all()
    assert cut(Levels(np.zeros((60, 80, 3), np.uint8)), found[None], ARCFACE_PX).shape[0] == 1


def test_the_identity_cuts_out_the_picture_itself(picture):
    whole = cut(Levels(picture), np.eye(2, 3)[None], 250)
    assert np.array_equal(whole[0], picture)
    shifted = np.array([[[1.0, 0, -30], [0, 1, -50]]])
    assert np.array_equal(cut(Levels(picture), shifted, 100)[0], picture[50:150, 30:130])


def test_what_lies_beyond_the_picture_is_black(picture):
    chip = cut(Levels(picture), np.array([[[1.0, 0, 40], [0, 1, 20]]]), 112)[0]
    assert not chip[:20].any()
    assert not chip[:, :40].any()
    assert np.array_equal(chip[20:, 40:], picture[:92, :72])


def test_what_is_shrunk_by_much_is_averaged_and_stays_where_it_is():
    chance = np.random.default_rng(1)
    fine = chance.integers(0, 256, (1024, 1024, 3), np.uint8)
    small = cut(Levels(fine), np.array([[[1 / 8, 0, 0], [0, 1 / 8, 0]]]), 128)[0]
    # A warp that read four pixels of noise for each would keep its spread; the mean of 64 has an eighth of it.
    assert small.std() < fine.std() / 4
    blob = np.zeros((1024, 1024, 3), np.float32)
    cv2.circle(blob, (640, 320), 60, (255, 255, 255), -1)
    # Middles of pixels, as cv2 counts them: what was at x stands at (x + 0.5) / 8 - 0.5.
    there = np.array([[[1 / 8, 0, -7 / 16], [0, 1 / 8, -7 / 16]]])
    seen = cut(Levels(blob.astype(np.uint8)), there, 128)[0, :, :, 0].astype(float)
    y, x = np.indices(seen.shape)
    expected = moved(np.array([[640.0, 320.0]]), there[0])[0]
    assert (seen * x).sum() / seen.sum() == pytest.approx(expected[0], abs=0.1)
    assert (seen * y).sum() / seen.sum() == pytest.approx(expected[1], abs=0.1)


def test_landmarks_stand_in_the_chip_where_the_template_has_them():
    landmarks_px = moved(ARCFACE_TEMPLATE_PX, transform(0.4, 1.5, (150, 60)))
    for n, (x, y) in enumerate(landmarks_px):
        one = np.zeros((400, 400, 3), np.uint8)
        cv2.circle(one, (round(x), round(y)), 4, (255, 255, 255), -1)
        chip = aligned(Levels(one), landmarks_px[None], ARCFACE_TEMPLATE_PX, ARCFACE_PX)[0, :, :, 0].astype(float)
        down, right = np.indices(chip.shape)
        middle = np.array([(chip * right).sum(), (chip * down).sum()]) / chip.sum()
        assert np.abs(middle - ARCFACE_TEMPLATE_PX[n]).max() < 0.6  # the dot was set on whole pixels


def test_a_mirrored_view_is_the_mirror_image(picture):
    landmarks_px = moved(ARCFACE_TEMPLATE_PX, transform(0.1, 1.2, (50, 45)))[None]
    close, mirrored = View(scale=1.04, down=-0.02), View(scale=1.04, down=-0.02, mirrored=True)
    views = views_of(Levels(picture), landmarks_px, ARCFACE_TEMPLATE_PX, ARCFACE_PX, [close, mirrored, PLAIN])
    assert views.shape == (1, 3, ARCFACE_PX, ARCFACE_PX, 3)
    assert np.array_equal(views[0, 1], views[0, 0][:, ::-1])
    assert not np.array_equal(views[0, 1], views[0, 0])
    assert np.array_equal(views[:, 2], aligned(Levels(picture), landmarks_px, ARCFACE_TEMPLATE_PX, ARCFACE_PX))


def test_a_closer_view_shows_the_face_larger_and_a_lower_one_lower():
    middle = ARCFACE_TEMPLATE_PX.mean(0)
    close = View(scale=1.1).template_px(ARCFACE_TEMPLATE_PX.astype(np.float32), ARCFACE_PX)
    assert spread(close) == pytest.approx(1.1 * spread(ARCFACE_TEMPLATE_PX), rel=1e-6)
    lower = View(down=0.05).template_px(ARCFACE_TEMPLATE_PX.astype(np.float32), ARCFACE_PX)
    assert np.allclose(lower.mean(0) - middle, [0, 0.05 * ARCFACE_PX], atol=1e-4)


def test_a_picture_of_one_pixel_is_cut_as_well():
    one = np.full((1, 1, 3), 77, np.uint8)
    for scale in (1e-6, 0.01, 1, 100):
        chip = cut(Levels(one), np.array([[[scale, 0, 5.0], [0, scale, 5.0]]]), 16)
        assert chip.shape == (1, 16, 16, 3)
        assert set(np.unique(chip)) <= set(range(78))
