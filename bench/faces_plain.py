"""Faces, plain: the usual pipeline around the same net, which ours is held against.

OpenCV's YuNet at the picture's own size, its five landmarks brought to the ArcFace template by least squares, the net
once, and the mean of what it says about several pictures. No second look, no second view, no quality.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import ARCFACE_PX, ARCFACE_TEMPLATE_PX, similarity
from shouhao.faces.model import Face, Pixels, Quality
from shouhao.faces.runtime import Takes, open_net

_SCORE_AT_LEAST, _OVERLAP_AT_MOST, _MOST = 0.6, 0.3, 5000
#: Nothing is judged: every face counts as any other.
_UNJUDGED = Quality(
    score=1.0, eye_distance_px=0, sharpness=0, yaw_deg=0, pitch_deg=0, roll_deg=0, inside=1, detector_score=1
)


class PlainPipeline:
    """As much of an engine as reading photographs asks for."""

    def __init__(self, models: Path, *, threads: int) -> None:
        """Open YuNet in OpenCV and the net in OpenVINO, whose vectors are those of ONNX Runtime."""
        yunet = str(models / "face_detection_yunet_2023mar.onnx")
        self._detector = cv2.FaceDetectorYN.create(yunet, "", (320, 320), _SCORE_AT_LEAST, _OVERLAP_AT_MOST, _MOST)
        self._net = open_net(models / "mobilefacenet.onnx", Takes(channels="rgb"), threads=threads)

    def faces(self, pictures: Sequence[Pixels]) -> list[list[Face]]:
        """The faces of each picture."""
        return [self._faces(picture) for picture in pictures]

    def _faces(self, picture: Pixels) -> list[Face]:
        height, width = picture.shape[:2]
        self._detector.setInputSize((width, height))
        _, rows = self._detector.detect(picture)
        if rows is None:
            return []
        landmarks_px = np.asarray(rows[:, 4:14].reshape(-1, 5, 2), np.float32)
        chips = [
            cv2.warpAffine(picture, turn, (ARCFACE_PX, ARCFACE_PX))
            for turn in similarity(landmarks_px, ARCFACE_TEMPLATE_PX)
        ]
        vectors = np.concatenate([out for (out,) in self._net.run(np.asarray(chip, np.uint8)[None] for chip in chips)])
        return [
            Face(
                box_xyxy_px=np.array([row[0], row[1], row[0] + row[2], row[1] + row[3]], np.float32),
                landmarks_px=points,
                quality=_UNJUDGED,
                embedding=vector / np.linalg.norm(vector),
                pack="plain",
            )
            for row, points, vector in zip(rows, landmarks_px, vectors, strict=True)
        ]


def plain_mean(faces: Sequence[Face]) -> NDArray[np.float32] | None:
    """What several pictures of one person are fused to, of length 1; None without any face."""
    if not faces:
        return None
    mean = np.mean([face.embedding for face in faces], axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
