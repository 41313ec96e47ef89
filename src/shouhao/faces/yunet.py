"""YuNet: what the net says of pictures, read into scores, boxes and landmarks.

At every place of three grids it says how sure it is of a face and of a thing, and gives a box and five landmarks. Which
places are believed is left to detect.py and second_look.py.

Source: OpenCV, modules/objdetect/src/face_detect.cpp.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import Detection, ModelRefused
from shouhao.faces.runtime import Outputs

_STRIDES = (8, 16, 32)
_OVERLAP_AT_MOST = 0.3
_NUMBERS = (1, 1, 4, 10)  #: of a place: that it is a face, that it is a thing, box, landmarks; each for three strides


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What YuNet says at every place of its three grids, for a batch of pictures of one size."""

    scores: NDArray[np.float32]  #: (n, anchors)
    box_numbers: NDArray[np.float32]  #: (n, anchors, 4), see `boxes_of`
    point_numbers: NDArray[np.float32]  #: (n, anchors, 10), see `landmarks_of`
    places: NDArray[np.float32]  #: (anchors, 3) x, y and stride, px


def read(outputs: Outputs, shape: tuple[int, ...], *, file: str) -> Said:
    """The outputs for pictures (n, height, width, ...) put together.

    Raises:
        ModelRefused: they are not YuNet's; it names the file.
    """
    count, height, width = shape[:3]
    anchors = [(height // stride) * (width // stride) for stride in _STRIDES]
    if [out.size for out in outputs] != [count * there * numbers for numbers in _NUMBERS for there in anchors]:
        raise ModelRefused(file=file, why_zh="不是 YuNet 检测模型", why_en="it is not YuNet")
    kinds = [
        np.concatenate([out.reshape(count, -1, numbers) for out in outputs[kind * 3 : kind * 3 + 3]], 1)
        for kind, numbers in enumerate(_NUMBERS)
    ]
    face, thing = (np.clip(kind[..., 0], 0, 1) for kind in kinds[:2])
    return Said(
        scores=np.sqrt(face * thing),
        box_numbers=kinds[2],
        point_numbers=kinds[3],
        places=_places(height, width),
    )


def picked(said: Said, *, score_at_least: float, most: int, ratio: NDArray[np.float64]) -> Detection:
    """The faces of the first picture of an answer, the largest score first, each once.

    Args:
        most: places that are looked at.
        ratio: pixels of the picture for each of the canvas; (2,) x, y.
    """
    scores = said.scores[0]
    likely = np.flatnonzero(scores >= score_at_least)
    likely = likely[np.argsort(-scores[likely], kind="stable")][:most]
    boxes = boxes_of(said.box_numbers[0, likely], said.places[likely])
    kept = one_each(boxes)
    faces = likely[kept]
    landmarks = landmarks_of(said.point_numbers[0, faces], said.places[faces])
    return Detection(
        boxes_xyxy_px=(boxes[kept].reshape(-1, 2, 2) * ratio).reshape(-1, 4).astype(np.float32),
        landmarks_px=(landmarks * ratio).astype(np.float32),
        scores=scores[faces],
    )


@functools.lru_cache(maxsize=32)
def _places(height: int, width: int) -> NDArray[np.float32]:
    """(anchors, 3) x, y and stride in px of every place of the three grids."""
    grids = []
    for stride in _STRIDES:
        y, x = np.divmod(np.arange((height // stride) * (width // stride)), width // stride)
        grids.append(np.stack([x * stride, y * stride, np.full_like(x, stride)], -1))
    places = np.concatenate(grids).astype(np.float32)
    places.flags.writeable = False
    return places


def boxes_of(numbers: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 4) xyxy in px: middle and the logarithms of the sides, counted in strides from the place.

    Source: OpenCV, modules/objdetect/src/face_detect.cpp, for this and for score and landmarks.
    """
    stride = places[:, 2:]
    middle, half = places[:, :2] + numbers[..., :2] * stride, np.exp(numbers[..., 2:]) * (stride / 2)
    return np.concatenate([middle - half, middle + half], -1)


def landmarks_of(numbers: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 5, 2) in px: counted in strides from the place."""
    points = numbers.reshape(*numbers.shape[:-1], 5, 2)
    return np.asarray(places[:, None, :2] + points * places[:, None, 2:], np.float32)


def one_each(boxes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the boxes that overlap no better one, the best first.

    Args:
        boxes: (n, 4) xyxy, the best first.
    """
    kept, left = [], np.arange(len(boxes))
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap(boxes[left[0]], boxes[left[1:]]) <= _OVERLAP_AT_MOST]
    return np.array(kept, np.int64)


def overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union."""
    sides = np.maximum(np.minimum(box[..., 2:], others[..., 2:]) - np.maximum(box[..., :2], others[..., :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    return np.asarray(shared / np.maximum(_area(box) + _area(others) - shared, 1e-9), np.float32)


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), np.float32)
