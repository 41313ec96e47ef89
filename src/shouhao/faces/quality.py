"""Quality: how fit a face is for comparing, from its pixels and landmarks alone.

The score says which share of the likeness of two good pictures is left when this is one of them, as far as its worst
fault costs: faults of one cause (a face that is small is also soft) are not counted twice. The curves were fitted to
what shrinking, blurring, cutting and turning cost people of LFW who were then left out of every figure that is told
(docs/decisions/0015-how-a-face-becomes-a-vector.md). Whether a problem refuses an enrolment is decided in pipeline.py,
how much a frame of a passage counts in passages.py.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import ARCFACE_PX, ARCFACE_TEMPLATE_PX, Levels, Transforms, cut, inverse, moved, similarity
from shouhao.faces.model import Detection, Quality

#: A mean head at its five landmarks: x to the right, y down, z away from the camera, the eyes 1 apart. In the plane it
#: is the mean of 900 frontal faces as YuNet sees them; the nose stands out by 0.48 (30 of 63 mm), the mouth by 0.08.
_HEAD: NDArray[np.float64] = np.array(
    [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.55, -0.48], [-0.42, 1.0, -0.08], [0.42, 1.0, -0.08]]
)
_FLAT = 1e-6  #: of their spread: an area of the points below which they show no turn
_TO_CAMERA: NDArray[np.float64] = np.linalg.pinv((_HEAD - _HEAD.mean(0)).T).T
#: Points spread over what a net makes use of in that face; the rest of the chip is background.
_COMPARED_PX: NDArray[np.float64] = np.stack(
    np.meshgrid(np.linspace(11, 101, 19), np.linspace(11, 107, 19)), -1
).reshape(-1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """What a face must keep."""

    eye_distance_at_least_px: float
    sharpness_at_least: float
    yaw_at_most_deg: float
    pitch_at_most_deg: float
    inside_at_least: float
    detector_score_at_least: float


#: A photograph that others are held against for months: every limit where its curve has lost at most a tenth.
ENROLMENT = QualityRules(
    eye_distance_at_least_px=20,
    sharpness_at_least=30,
    yaw_at_most_deg=30,
    pitch_at_most_deg=25,
    inside_at_least=0.8,
    detector_score_at_least=0.88,
)
#: One frame of a passage: better than nothing. Below, more than half is lost, and strangers gain nothing by it either.
CAPTURE = QualityRules(
    eye_distance_at_least_px=9,
    sharpness_at_least=10,
    yaw_at_most_deg=55,
    pitch_at_most_deg=40,
    inside_at_least=0.6,
    detector_score_at_least=0.7,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Which way a head looks. Good to some ten degrees: heads differ, and beyond 50 the far eye is guessed."""

    yaw_deg: float  #: positive: turned to the subject's own left
    pitch_deg: float  #: positive: looking up
    roll_deg: float  #: positive: clockwise in the picture


def pose_of(landmarks_px: NDArray[np.floating]) -> Pose:
    """The turn of a mean head that lies nearest to five landmarks (5, 2), seen from afar."""
    points = landmarks_px.astype(np.float64)
    (a, b, c), (d, e, f) = (_TO_CAMERA @ (points - points.mean(0))).T.tolist()
    # Two rows of a turn, scaled and a little bent. The nearest true ones are they, times the inverse square root of
    # their products with each other, which has a closed form.
    p, q, r = a * a + b * b + c * c, a * d + b * e + c * f, d * d + e * e + f * f
    area = math.sqrt(max(p * r - q * q, 0.0))
    if not math.isfinite(area) or area <= _FLAT * (p + r):  # the points stand on one line
        return Pose(yaw_deg=90.0, pitch_deg=0.0, roll_deg=0.0)
    size = area * math.sqrt(p + r + 2 * area)
    u, v, w = (r + area) / size, -q / size, (p + area) / size
    (a, b, c), (d, e, f) = (u * a + v * d, u * b + v * e, u * c + v * f), (v * a + w * d, v * b + w * e, v * c + w * f)
    away_x, away_y, away_z = b * f - c * e, c * d - a * f, a * e - b * d
    return Pose(
        yaw_deg=math.degrees(math.atan2(away_x, away_z)),
        pitch_deg=-math.degrees(math.asin(max(-1.0, min(1.0, away_y)))),
        roll_deg=math.degrees(math.atan2(-b, e)),
    )


def assess(levels: Levels, detection: Detection) -> list[Quality]:
    """The quality of each face of one picture, with what keeps it from being enrolled.

    Measured on the ArcFace template, eyes 35 pixels apart, whatever the pack uses.
    """
    transforms = similarity(detection.landmarks_px, ARCFACE_TEMPLATE_PX)
    sizeless = np.hypot(*(detection.landmarks_px[:, 1] - detection.landmarks_px[:, 0]).T) < 1
    transforms[sizeless] = [[1, 0, 0], [0, 1, 0]]
    sharpness = [_sharpness(chip) for chip in cut(levels, transforms, ARCFACE_PX)]
    return [
        _quality(landmarks_px, sharp, inside, score)
        for landmarks_px, sharp, inside, score in zip(
            detection.landmarks_px, sharpness, _inside(levels, transforms), detection.scores.tolist(), strict=True
        )
    ]


def problems_of(quality: Quality, rules: QualityRules) -> tuple[str, ...]:
    """Codes of `QUALITY_WORDS`: the rules that a face breaks."""
    broken = {
        "small": quality.eye_distance_px < rules.eye_distance_at_least_px,
        "blurred": quality.sharpness < rules.sharpness_at_least,
        "turned": abs(quality.yaw_deg) > rules.yaw_at_most_deg or abs(quality.pitch_deg) > rules.pitch_at_most_deg,
        "cut": quality.inside < rules.inside_at_least,
        "uncertain": quality.detector_score < rules.detector_score_at_least,
    }
    return tuple(code for code, is_broken in broken.items() if is_broken)


def _sharpness(chip: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian over the inner part of an aligned face, in grey levels squared."""
    grey = cv2.cvtColor(chip[16:104, 20:92], cv2.COLOR_BGR2GRAY)
    deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))[1]
    return float(deviation[0, 0]) ** 2


def _inside(levels: Levels, transforms: Transforms) -> list[float]:
    """Share of each face that lies in the picture. A detector's box would not tell: it shrinks to what is seen."""
    points = moved(_COMPARED_PX, inverse(transforms))
    seen = (points >= 0) & (points < (levels.width, levels.height))
    return [float(share) for share in seen.all(-1).mean(-1)]


def _quality(landmarks_px: NDArray[np.float32], sharpness: float, inside: float, detector_score: float) -> Quality:
    eye_distance_px = float(math.dist(*landmarks_px[:2].tolist()))
    pose = pose_of(landmarks_px)
    quality = Quality(
        score=_score(eye_distance_px, sharpness, pose, inside, detector_score),
        eye_distance_px=eye_distance_px,
        sharpness=sharpness,
        yaw_deg=pose.yaw_deg,
        pitch_deg=pose.pitch_deg,
        roll_deg=pose.roll_deg,
        inside=inside,
        detector_score=detector_score,
    )
    return replace(quality, problems=problems_of(quality, ENROLMENT))


def _score(eye_distance_px: float, sharpness: float, pose: Pose, inside: float, detector_score: float) -> float:
    """What is left after the worst fault; each curve is the share of likeness that was left in the measurements.

    >>> front = Pose(yaw_deg=0, pitch_deg=0, roll_deg=0)
    >>> [round(_score(eyes_px, 200, front, 1, 0.93), 2) for eyes_px in (9, 12, 15, 18, 23)]
    [0.63, 0.82, 0.92, 0.96, 0.99]
    """
    return min(
        1 - math.exp(-max(0.0, eye_distance_px - 5) / 4.05),
        _falling(10.2, max(sharpness, 1e-9), power=2.4),
        _falling(abs(pose.yaw_deg), 60, power=4),
        _falling(abs(pose.pitch_deg), 45, power=4),
        _falling(1 - inside, 0.43, power=4),
        _falling(max(0.0, 0.93 - detector_score), 0.1, power=2),
    )


def _falling(fault: float, half: float, *, power: float) -> float:
    """1 without the fault, a half where it reaches `half`, then towards 0."""
    return float(1 / (1 + (fault / half) ** power))
