"""Detect: where the faces of a picture are, and where their eyes, noses and mouths.

YuNet sees the whole picture, brought to a size that it takes. Its landmarks then err enough to cost more comparisons
than any other step does; so each face found is looked at again, upright and at the size at which the net sees best, as
it is and mirrored (docs/decisions/0015-how-a-face-becomes-a-vector.md).
Whether a face is good enough for anything is left to quality.py.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import ARCFACE_PX, ARCFACE_TEMPLATE_PX, MIRRORED_ORDER, Levels, cut, inverse, moved, similarity
from shouhao.faces.model import Detection, ModelRefused, Pixels
from shouhao.faces.runtime import Net, Outputs, Pictures

_STRIDES = (8, 16, 32)
_NUMBERS = (1, 1, 4, 10)  #: of an anchor: that it is a face, that it is a thing, box, landmarks; each for three strides
_OVERLAP_AT_MOST = 0.3
_MOST_ANCHORS = 5_000

#: The second look: a square of this side, the face upright in its middle.
_LOOK_PX = 128
#: What the ArcFace template, made for 112 pixels, is brought to: eyes 25 pixels apart.
_FACE_PX = 80
_LOOK_TEMPLATE_PX = (ARCFACE_TEMPLATE_PX - ARCFACE_PX / 2) * (_FACE_PX / ARCFACE_PX) + _LOOK_PX / 2
_LOOKS_AT_ONCE = 4  #: faces in one batch, each twice
_SEEN_AGAIN = 0.5  #: score from which a second look is believed
_NEAR_MIDDLE = 0.3  #: of `_FACE_PX`: what lies farther off is a neighbour
_SAME_FACE = 0.5  #: overlap with the best anchor from which another one speaks of the same face


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What YuNet says at every place of its three grids, for a batch of pictures of one size."""

    scores: NDArray[np.float32]  #: (n, anchors)
    box_numbers: NDArray[np.float32]  #: (n, anchors, 4), see `_boxes`
    point_numbers: NDArray[np.float32]  #: (n, anchors, 10), see `_landmarks`
    places: NDArray[np.float32]  #: (anchors, 3) x, y and stride, px


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """A picture brought to the net's size, and what its pixels are in the picture."""

    canvas: Pictures  #: (1, height, width, 3)
    ratio: NDArray[np.float64]  #: (2,) x, y: pixels of the picture for each of the canvas


class YuNetDetector:
    """YuNet with a second look at each face. Not for several threads at once."""

    def __init__(
        self, net: Net, *, score_at_least: float, longest_px: int = 640, second_look: bool = True, file: str = "YuNet"
    ) -> None:
        """Take a net that is YuNet.

        Args:
            longest_px: what the longer side of larger pictures is brought to, a multiple of 128. Faces with less than
                about 10 pixels between the eyes are not found; 1280 finds those half as large, at four times the work.
            second_look: without it landmarks are YuNet's own.
            file: whose it is, for what people are told.

        Raises:
            ModelRefused: the net is another one.
        """
        if longest_px % 128 or longest_px <= 0:
            raise ValueError("longest_px is a multiple of 128")
        self._net, self._score_at_least, self._longest_px = net, score_at_least, longest_px
        self._second_look, self._file = second_look, file
        (outputs,) = net.run([np.zeros((1, _LOOK_PX, _LOOK_PX, 3), np.uint8)])
        self._said(outputs, (1, _LOOK_PX, _LOOK_PX, 3))

    def detect(self, pictures: Sequence[Pixels]) -> list[Detection]:
        """The faces of each picture, in pixels of that picture, whatever its size."""
        found = self._found(pictures, self._longest_px)
        # A face that fills the picture is larger than any that YuNet was trained with; at half the size it is not.
        smallest_px = self._longest_px // 4
        missed = [n for n, one in enumerate(found) if not len(one) and max(pictures[n].shape[:2]) > smallest_px]
        for n, one in zip(missed, self._found([pictures[n] for n in missed], self._longest_px // 2), strict=True):
            found[n] = one
        if self._second_look:
            self._look_again(pictures, found)
        return found

    def _found(self, pictures: Sequence[Pixels], longest_px: int) -> list[Detection]:
        placed: list[_Placed] = []

        def canvases() -> Iterator[Pictures]:
            for picture in pictures:
                placed.append(_place(picture, longest_px, self._longest_px // 4))
                yield placed[-1].canvas

        return [self._picked(outputs, placed[n]) for n, outputs in enumerate(self._net.run(canvases()))]

    def _picked(self, outputs: Outputs, placed: _Placed) -> Detection:
        """The faces that one canvas shows, the largest score first, each once."""
        said = self._said(outputs, placed.canvas.shape)
        scores = said.scores[0]
        likely = np.flatnonzero(scores >= self._score_at_least)
        likely = likely[np.argsort(-scores[likely], kind="stable")][:_MOST_ANCHORS]
        boxes = _boxes(said.box_numbers[0, likely], said.places[likely])
        kept = _one_each(boxes)
        faces = likely[kept]
        landmarks = _landmarks(said.point_numbers[0, faces], said.places[faces])
        return Detection(
            boxes_xyxy_px=(boxes[kept].reshape(-1, 2, 2) * placed.ratio).reshape(-1, 4).astype(np.float32),
            landmarks_px=(landmarks * placed.ratio).astype(np.float32),
            scores=scores[faces],
        )

    def _said(self, outputs: Outputs, shape: tuple[int, ...]) -> _Said:
        """The outputs put together.

        Raises:
            ModelRefused: they are not YuNet's.
        """
        count, height, width = shape[:3]
        anchors = [(height // stride) * (width // stride) for stride in _STRIDES]
        if [out.size for out in outputs] != [count * there * numbers for numbers in _NUMBERS for there in anchors]:
            raise ModelRefused(file=self._file, why_zh="不是 YuNet 检测模型", why_en="it is not YuNet")
        kinds = [
            np.concatenate([out.reshape(count, -1, numbers) for out in outputs[kind * 3 : kind * 3 + 3]], 1)
            for kind, numbers in enumerate(_NUMBERS)
        ]
        face, thing = (np.clip(kind[..., 0], 0, 1) for kind in kinds[:2])
        return _Said(
            scores=np.sqrt(face * thing),
            box_numbers=kinds[2],
            point_numbers=kinds[3],
            places=_places(height, width),
        )

    def _look_again(self, pictures: Sequence[Pixels], found: list[Detection]) -> None:
        """Better landmarks in place of those found, wherever the second look sees the face at all."""
        faces = [(n, face) for n, one in enumerate(found) for face in range(len(one))]
        batches = [faces[start : start + _LOOKS_AT_ONCE] for start in range(0, len(faces), _LOOKS_AT_ONCE)]
        levels = [Levels(picture) for picture in pictures]
        ways_back: list[NDArray[np.float64]] = []

        def looks() -> Iterator[Pictures]:
            for batch in batches:
                there = similarity(np.stack([found[n].landmarks_px[face] for n, face in batch]), _LOOK_TEMPLATE_PX)
                ways_back.append(there)
                crops = np.concatenate([cut(levels[n], there[k : k + 1], _LOOK_PX) for k, (n, _) in enumerate(batch)])
                yield np.concatenate([crops, crops[:, :, ::-1]])

        for batch, outputs in zip(batches, self._net.run(looks()), strict=True):
            count = len(batch)
            points, sure = _middle_faces(self._said(outputs, (2 * count, _LOOK_PX, _LOOK_PX)))
            points[count:, :, 0] = _LOOK_PX - 1 - points[count:, :, 0]
            points[count:] = points[count:, MIRRORED_ORDER]
            sure = sure[:count] & sure[count:]
            there = np.where(sure[:, None, None], ways_back.pop(0), np.eye(2, 3))
            in_picture = moved((points[:count] + points[count:]) / 2, inverse(there))
            for k, (n, face) in enumerate(batch):
                if sure[k]:
                    found[n].landmarks_px[face] = in_picture[k]


def _place(picture: Pixels, longest_px: int, step_px: int) -> _Placed:
    """A picture at the net's size: never enlarged, its aspect kept, black where it does not reach.

    Sides are rounded up to a quarter of the longest, so that there are 16 sizes, each compiled once.
    """
    height, width = picture.shape[:2]
    shrink = min(1.0, longest_px / max(height, width))
    inner = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    seen = picture if shrink == 1 else cv2.resize(picture, inner, interpolation=cv2.INTER_AREA)
    sides = [-(-side // step_px) * step_px for side in inner]
    if sides == list(inner):
        canvas = np.asarray(seen, np.uint8)
    else:
        canvas = np.zeros((sides[1], sides[0], 3), np.uint8)
        canvas[: inner[1], : inner[0]] = seen
    return _Placed(canvas=canvas[None], ratio=np.array([width / inner[0], height / inner[1]]))


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


def _boxes(numbers: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 4) xyxy in px: middle and the logarithms of the sides, counted in strides from the place.

    Source: OpenCV, modules/objdetect/src/face_detect.cpp, for this and for score and landmarks.
    """
    stride = places[:, 2:]
    middle, half = places[:, :2] + numbers[..., :2] * stride, np.exp(numbers[..., 2:]) * (stride / 2)
    return np.concatenate([middle - half, middle + half], -1)


def _landmarks(numbers: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 5, 2) in px: counted in strides from the place."""
    points = numbers.reshape(*numbers.shape[:-1], 5, 2)
    return np.asarray(places[:, None, :2] + points * places[:, None, 2:], np.float32)


def _one_each(boxes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Places of the boxes that overlap no better one, the best first.

    Args:
        boxes: (n, 4) xyxy, the best first.
    """
    kept, left = [], np.arange(len(boxes))
    while len(left):
        kept.append(left[0])
        left = left[1:][_overlap(boxes[left[0]], boxes[left[1:]]) <= _OVERLAP_AT_MOST]
    return np.array(kept, np.int64)


def _overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union."""
    sides = np.maximum(np.minimum(box[..., 2:], others[..., 2:]) - np.maximum(box[..., :2], others[..., :2]), 0)
    shared = sides[..., 0] * sides[..., 1]
    return np.asarray(shared / np.maximum(_area(box) + _area(others) - shared, 1e-9), np.float32)


def _area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), np.float32)


def _middle_faces(said: _Said) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Landmarks (n, 5, 2) of the face in the middle of each crop, and whether there is one.

    Every anchor that speaks of it has a say, by its score: their mean errs less than the best one alone.
    """
    boxes = _boxes(said.box_numbers, said.places)
    away = (boxes[..., :2] + boxes[..., 2:]) / 2 - _LOOK_PX / 2
    near = (away * away).sum(-1) < (_NEAR_MIDDLE * _FACE_PX) ** 2
    scores = np.where(near, said.scores, 0)
    best, rows = scores.argmax(1), np.arange(len(scores))
    same = _overlap(boxes[rows, best][:, None], boxes) > _SAME_FACE
    weights = np.where(same, said.scores.astype(np.float64) ** 4, 0)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    # The mean of landmarks is the landmarks of the mean, place and stride with it.
    strides = weights * said.places[:, 2]
    points = (strides[:, None] @ said.point_numbers)[:, 0].reshape(-1, 5, 2) + (weights @ said.places[:, :2])[:, None]
    return np.asarray(points, np.float64), np.asarray(scores[rows, best] >= _SEEN_AGAIN)
