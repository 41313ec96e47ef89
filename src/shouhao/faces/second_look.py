"""Second look: better landmarks of faces that were found, by YuNet at the size and turn at which it sees best.

Its landmarks in a whole picture err enough to cost more comparisons than any other step does. So each face is looked at
again, upright, as it is and mirrored, and once more as long as it does not come out upright
(docs/decisions/0015-how-a-face-becomes-a-vector.md).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import (
    ARCFACE_PX,
    ARCFACE_TEMPLATE_PX,
    MIRRORED_ORDER,
    Levels,
    Transforms,
    cut,
    inverse,
    moved,
    similarity,
    turn_rad,
)
from shouhao.faces.model import Detection, Pixels
from shouhao.faces.runtime import Net, Pictures
from shouhao.faces.yunet import Said, boxes_of, overlap, read

#: A square of this side, the face upright in its middle.
LOOK_PX = 128
#: What the ArcFace template, made for 112 pixels, is brought to: eyes 25 pixels apart.
_FACE_PX = 80
_TEMPLATE_PX = (ARCFACE_TEMPLATE_PX - ARCFACE_PX / 2) * (_FACE_PX / ARCFACE_PX) + LOOK_PX / 2
_LOOKS_AT_ONCE = 4  #: faces in one batch, each twice
_SEEN_AGAIN = 0.5  #: score from which a second look is believed
_NEAR_MIDDLE = 0.3  #: of `_FACE_PX`: what lies farther off is a neighbour
#: YuNet draws the landmarks of a tilted face about half as tilted as they are. What a look still sees of the tilt is
#: turned away twice over, and looked at again until the face stands upright within this angle.
_UPRIGHT_RAD = math.radians(1.5)
_LOOKS = 3
_SAME_FACE = 0.5  #: overlap with the best anchor from which another one speaks of the same face


class _Look(NamedTuple):
    """One face to be looked at: which picture, which face of it, and how far to turn it beyond upright."""

    picture: int
    face: int
    turn_rad: float


def look_again(net: Net, pictures: Sequence[Pixels], found: Sequence[Detection], *, file: str) -> None:
    """Put better landmarks in place of those found, wherever the face is seen again at all.

    Args:
        net: YuNet, read from `file`.
        found: the faces of each picture.
    """
    levels = [Levels(picture) for picture in pictures]
    looks = [_Look(n, face, 0.0) for n, one in enumerate(found) for face in range(len(one))]
    for _ in range(_LOOKS):
        looks = _looked(net, levels, found, looks, file)


def _looked(
    net: Net, levels: Sequence[Levels], found: Sequence[Detection], looks: Sequence[_Look], file: str
) -> list[_Look]:
    """Look once at each, and say which are worth another look: those that did not come out upright."""
    batches = [looks[start : start + _LOOKS_AT_ONCE] for start in range(0, len(looks), _LOOKS_AT_ONCE)]
    ways_back: list[Transforms] = []

    def crops() -> Iterator[Pictures]:
        for batch in batches:
            points = np.stack([found[look.picture].landmarks_px[look.face] for look in batch])
            there = _turned(similarity(points, _TEMPLATE_PX), np.array([look.turn_rad for look in batch]))
            ways_back.append(there)
            seen = [cut(levels[look.picture], there[k : k + 1], LOOK_PX) for k, look in enumerate(batch)]
            crop = np.concatenate(seen)
            yield np.concatenate([crop, crop[:, :, ::-1]])

    again = []
    for batch, outputs in zip(batches, net.run(crops()), strict=True):
        count = len(batch)
        points, sure = _middle_faces(read(outputs, (2 * count, LOOK_PX, LOOK_PX), file=file))
        points[count:, :, 0] = LOOK_PX - 1 - points[count:, :, 0]
        points[count:] = points[count:, MIRRORED_ORDER]
        sure = sure[:count] & sure[count:]
        points = (points[:count] + points[count:]) / 2
        rolls_rad = turn_rad(similarity(points, _TEMPLATE_PX))
        there = np.where(sure[:, None, None], ways_back.pop(0), np.eye(2, 3))
        in_picture = moved(points, inverse(there))
        for k, look in enumerate(batch):
            if sure[k]:
                found[look.picture].landmarks_px[look.face] = in_picture[k]
                if abs(rolls_rad[k]) > _UPRIGHT_RAD:
                    again.append(_Look(look.picture, look.face, float(rolls_rad[k])))
    return again


def _turned(transforms: Transforms, by_rad: NDArray[np.float64]) -> Transforms:
    """Transforms (n, 2, 3) into the square of a look, turned farther around its middle."""
    cos, sin = np.cos(by_rad), np.sin(by_rad)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    turned: Transforms = turn @ transforms
    turned[:, :, 2] += LOOK_PX / 2 * (1 - turn.sum(2))
    return turned


def _middle_faces(said: Said) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Landmarks (n, 5, 2) of the face in the middle of each crop, and whether there is one.

    Every anchor that speaks of it has a say, by its score: their mean errs less than the best one alone.
    """
    boxes = boxes_of(said.box_numbers, said.places)
    away = (boxes[..., :2] + boxes[..., 2:]) / 2 - LOOK_PX / 2
    near = (away * away).sum(-1) < (_NEAR_MIDDLE * _FACE_PX) ** 2
    scores = np.where(near, said.scores, 0)
    best, rows = scores.argmax(1), np.arange(len(scores))
    same = overlap(boxes[rows, best][:, None], boxes) > _SAME_FACE
    weights = np.where(same, said.scores.astype(np.float64) ** 4, 0)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    # The mean of landmarks is the landmarks of the mean, place and stride with it.
    strides = weights * said.places[:, 2]
    points = (strides[:, None] @ said.point_numbers)[:, 0].reshape(-1, 5, 2) + (weights @ said.places[:, :2])[:, None]
    return np.asarray(points, np.float64), np.asarray(scores[rows, best] >= _SEEN_AGAIN)
