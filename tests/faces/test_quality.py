"""Each measure of quality moves with its own fault and with no other, and the limits are kept at their very value."""

import math
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.faces.align import ARCFACE_TEMPLATE_PX, Levels, moved
from shouhao.faces.images import read_picture
from shouhao.faces.model import QUALITY_WORDS, Detection, Quality
from shouhao.faces.quality import CAPTURE, ENROLMENT, assess, pose_of, problems_of

SHARP = Quality(
    score=1.0,
    eye_distance_px=60,
    sharpness=300,
    yaw_deg=0,
    pitch_deg=0,
    roll_deg=0,
    inside=1.0,
    detector_score=0.93,
)
#: What each limit is about: the measure, the name of the limit, and the value just beyond it.
LIMITS = [
    ("small", "eye_distance_px", "eye_distance_at_least_px", -1),
    ("blurred", "sharpness", "sharpness_at_least", -1),
    ("turned", "yaw_deg", "yaw_at_most_deg", 1),
    ("turned", "pitch_deg", "pitch_at_most_deg", 1),
    ("cut", "inside", "inside_at_least", -1),
    ("uncertain", "detector_score", "detector_score_at_least", -1),
]
#: A head in the plane and how far its points stand out: eyes, nose, mouth, the eyes 1 apart.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.55, -0.48], [-0.42, 1, -0.08], [0.42, 1, -0.08]])
#: Five landmarks as they stand in a frontal photograph of 250 pixels.
FRONT = moved(ARCFACE_TEMPLATE_PX, np.array([[1.2, 0, 58], [0, 1.2, 40]])).astype(np.float32)


@pytest.fixture(scope="module")
def picture(faces_dir):
    """A sharp photograph, 250 x 250, whose face stands about where `FRONT` says."""
    folder = sorted((faces_dir / "lfw-dev").iterdir())[5]
    return read_picture(next(iter(sorted(folder.iterdir()))).read_bytes())


def judged(picture, landmarks_px=FRONT, score=0.93):
    points = np.asarray(landmarks_px, np.float32)[None]
    boxes = np.concatenate([points[0].min(0), points[0].max(0)])[None]
    (quality,) = assess(
        Levels(picture), Detection(boxes_xyxy_px=boxes, landmarks_px=points, scores=np.array([score], np.float32))
    )
    return quality


def looking(*, yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, size_px=60.0):
    """Landmarks of a head turned by these angles, seen from afar; y points down and z away from the camera."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    across = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]])
    tilt = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    return (HEAD @ (tilt @ nod @ across).T)[:, :2] * size_px + 125


def test_a_blurred_face_is_less_sharp_and_worth_less(picture):
    seen = [judged(cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture) for sigma in (0, 1, 2, 4, 8)]
    sharpness = [one.sharpness for one in seen]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[0] > 10 * sharpness[-1]
    assert "blurred" not in seen[0].problems
    assert "blurred" in seen[-1].problems
    assert seen[-1].score < 0.5 < seen[0].score
    assert len({(one.eye_distance_px, one.yaw_deg, one.inside, one.detector_score) for one in seen}) == 1


def test_a_smaller_face_has_its_eyes_closer_and_is_worth_less(picture):
    seen = []
    for share in (1.0, 0.5, 0.25, 0.15):
        small = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        seen.append(judged(small, FRONT * share))
        assert seen[-1].eye_distance_px == pytest.approx(seen[0].eye_distance_px * share, rel=1e-3)
        assert seen[-1].yaw_deg == pytest.approx(seen[0].yaw_deg, abs=0.01)
        assert seen[-1].inside == pytest.approx(seen[0].inside, abs=0.03)
    scores = [one.score for one in seen]
    assert scores == sorted(scores, reverse=True)
    assert "small" not in seen[0].problems
    assert "small" in seen[-1].problems


def test_a_face_cut_by_the_edge_has_less_inside_and_is_worth_less(picture):
    seen = [judged(picture[:, cut:], FRONT - [cut, 0]) for cut in (0, 90, 110, 130)]
    inside = [one.inside for one in seen]
    assert inside[0] == 1
    assert inside == sorted(inside, reverse=True)
    assert 0.3 < inside[-1] < 0.7
    assert ["cut" in one.problems for one in seen] == [one.inside < ENROLMENT.inside_at_least for one in seen]
    assert seen[-1].score < 0.8 * seen[0].score
    other_side = judged(picture[:, : 250 - 110])  # the face stands in the middle
    assert other_side.inside == pytest.approx(seen[2].inside, abs=0.1)


def test_a_face_outside_the_picture_is_worth_nothing(picture):
    away = judged(picture, FRONT + 5000)
    assert away.inside == 0
    assert away.score < 0.05
    assert {"cut", "blurred"} <= set(away.problems)


def test_a_less_certain_face_is_worth_less(picture):
    seen = [judged(picture, score=score) for score in (0.95, 0.9, 0.8, 0.7)]
    scores = [one.score for one in seen]
    assert scores == sorted(scores, reverse=True)
    assert [one.detector_score for one in seen] == pytest.approx([0.95, 0.9, 0.8, 0.7])
    assert "uncertain" in seen[-1].problems


@pytest.mark.parametrize("yaw_deg", [-45, -20, 0, 20, 45])
@pytest.mark.parametrize("pitch_deg", [-30, 0, 30])
@pytest.mark.parametrize("roll_deg", [-170, -40, 0, 25, 90])
def test_the_pose_of_the_mean_head_is_found_whichever_way_it_looks(yaw_deg, pitch_deg, roll_deg):
    found = pose_of(looking(yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg))
    assert found.yaw_deg == pytest.approx(yaw_deg, abs=0.5)
    assert found.pitch_deg == pytest.approx(pitch_deg, abs=0.5)
    assert found.roll_deg == pytest.approx(roll_deg, abs=0.5)


def test_the_signs_of_a_pose_are_those_of_the_subject():
    front = looking()
    to_own_left = front + np.array([[0, 0], [0, 0], [12, 0], [0, 0], [0, 0]])  # the nose goes right in the picture
    assert pose_of(to_own_left).yaw_deg > 5
    up = front + np.array([[0, 0], [0, 0], [0, -10], [0, 0], [0, 0]])
    assert pose_of(up).pitch_deg > 5
    clockwise = moved(front, np.array([[math.cos(0.3), -math.sin(0.3), 0], [math.sin(0.3), math.cos(0.3), 0]]))
    assert pose_of(clockwise).roll_deg == pytest.approx(math.degrees(0.3), abs=0.5)


@given(
    st.floats(-40, 40),
    st.floats(-25, 25),
    st.floats(-60, 60),
    st.floats(0.05, 50),
    st.floats(-3000, 3000),
)
def test_a_pose_depends_on_neither_place_nor_size(yaw_deg, pitch_deg, roll_deg, scale, shift_px):
    head = looking(yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
    one, other = pose_of(head), pose_of(head * scale + shift_px)
    assert (one.yaw_deg, one.pitch_deg, one.roll_deg) == pytest.approx(
        (other.yaw_deg, other.pitch_deg, other.roll_deg), abs=1e-3
    )


@pytest.mark.parametrize(
    "landmarks_px",
    [
        np.zeros((5, 2)),
        np.full((5, 2), 77.0),
        np.linspace(0, 100, 5)[:, None] * [1.0, 2.0],
        np.linspace(0, 100, 5)[:, None] * [1.0, 0.0],
    ],
)
def test_landmarks_that_show_no_head_are_a_turned_one(picture, landmarks_px):
    pose = pose_of(landmarks_px)
    assert (pose.yaw_deg, pose.pitch_deg) == (90, 0)
    judgement = judged(picture, landmarks_px)
    numbers = [getattr(judgement, field.name) for field in fields(judgement) if field.name != "problems"]
    assert np.isfinite(numbers).all()
    assert "turned" in judgement.problems
    assert judgement.score < 0.2


def test_turning_away_is_worth_less_and_either_way_alike(picture):
    scores = []
    for yaw_deg in (0, 20, 40, 60, 80):
        left, right = (judged(picture, looking(yaw_deg=sign * yaw_deg)) for sign in (-1, 1))
        assert abs(left.yaw_deg) == pytest.approx(abs(right.yaw_deg), abs=0.5)
        scores.append(min(left.score, right.score))
        assert ("turned" in left.problems) == (abs(left.yaw_deg) > ENROLMENT.yaw_at_most_deg)
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.3


def test_several_faces_of_one_picture_are_judged_each_by_itself(picture):
    both = np.stack([FRONT, FRONT * 0.3]).astype(np.float32)
    boxes = np.zeros((2, 4), np.float32)
    found = Detection(boxes_xyxy_px=boxes, landmarks_px=both, scores=np.array([0.9, 0.75], np.float32))
    first, second = assess(Levels(picture), found)
    assert first == judged(picture, both[0], 0.9)
    assert second == judged(picture, both[1], 0.75)
    assert (
        assess(Levels(picture), Detection(boxes_xyxy_px=boxes[:0], landmarks_px=both[:0], scores=found.scores[:0]))
        == []
    )


@pytest.mark.parametrize("rules", [CAPTURE, ENROLMENT], ids=["capture", "enrolment"])
@pytest.mark.parametrize(("code", "measure", "limit", "worse"), LIMITS)
def test_a_limit_is_kept_at_its_value_and_broken_beyond_it(rules, code, measure, limit, worse):
    at = float(getattr(rules, limit))
    signs = (1, -1) if code == "turned" else (1,)
    for sign in signs:
        assert problems_of(replace(SHARP, **{measure: sign * at}), rules) == ()
        beyond = sign * math.nextafter(at, math.inf * worse)
        assert problems_of(replace(SHARP, **{measure: beyond}), rules) == (code,)
    assert code in QUALITY_WORDS


def test_tilting_a_head_breaks_no_rule():
    assert problems_of(replace(SHARP, roll_deg=170), ENROLMENT) == ()


def test_several_faults_are_all_named():
    bad = replace(SHARP, eye_distance_px=1, sharpness=0, yaw_deg=90, inside=0, detector_score=0)
    assert problems_of(bad, CAPTURE) == ("small", "blurred", "turned", "cut", "uncertain")


@pytest.mark.parametrize(("code", "measure", "limit", "worse"), LIMITS)
def test_what_may_be_enrolled_may_be_compared(code, measure, limit, worse):
    strict, lax = float(getattr(ENROLMENT, limit)), float(getattr(CAPTURE, limit))
    assert (lax - strict) * worse > 0, (code, measure)


def test_a_photograph_of_a_person_may_be_enrolled(picture):
    quality = judged(picture)
    assert quality.problems == ()
    assert quality.score > 0.9
