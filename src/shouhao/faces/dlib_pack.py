"""dlib pack: a detector and an embedder whose models come from the Python package index, for trying out.

The frontal HOG detector with its 68 landmarks, reduced to the five of this house, and the ResNet that was trained to
keep one person's pictures within 0.6 of each other. It sees near-frontal faces above some 40 pixels, takes about a
tenth of a second a face, and finds far fewer people than the other packs (docs/decisions/0017-model-packs.md).

What it leaves to others: aligning faces and judging their quality, which is the same for every pack.
"""

import math
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import Detection, ModelRefused, Pixels
from shouhao.faces.packs import DetectorSpec, EmbedderSpec, PackagedFile, PackageMissing, packaged_path

#: The detector was trained on faces of 80 pixels; doubling the picture finds those from 40, at four times the work.
_SMALL_PICTURE_PX = 1_000_000
#: The longest side that is searched as it is: beyond it a face to be compared is large enough in half the picture.
_SLOPE = 8  # of scores over distances
_LONGEST_PX = 2_000

#: Points of the 68: both corners of each eye (the subject's right one first), tip of the nose, corners of the mouth.
_EYE_CORNERS = ((36, 39), (42, 45))
_NOSE, _MOUTH_CORNERS = 30, (48, 54)

_CHIP_PX, _PADDING = 150, 0.25
#: dlib's mean face at our five landmarks, the face being 1 wide; eyes are the means of their corners.
#: Source: dlib/image_transforms/interpolation.h, get_face_chip_details, mean_face_shape_x and _y.
_MEAN_FACE: NDArray[np.float64] = np.array(
    [
        ((0.121737 + 0.334606) / 2, (0.216423 + 0.231733) / 2),
        ((0.645647 + 0.858516) / 2, (0.231733 + 0.216423) / 2),
        (0.490127, 0.515625),
        (0.254149, 0.780233),
        (0.726104, 0.780233),
    ]
)
#: dlib fits its mean face to the picture, we fit the picture to the template, and a fit by least squares shrinks what
#: it moves: over 300 faces of LFW our chips showed 3.5 per cent too much without this.
_UNSHRUNK = 1.035


def template_px() -> NDArray[np.float32]:
    """(5, 2) where the landmarks stand in a chip so that it shows what dlib's own `get_face_chip` shows.

    That one fits eyes, nose and upper lip of the 68 points with its mean face, a quarter of the face's width around it.
    The corners of the two chips lie 3.9 of 150 pixels apart in the mean over 300 faces of LFW, and the embeddings of
    both have a mean cosine of 0.997, where those of two pictures of one person have 0.95.
    """
    chip = (_MEAN_FACE + _PADDING) / (1 + 2 * _PADDING) * _CHIP_PX
    middle = chip.mean(axis=0)
    return np.asarray(middle + (chip - middle) * _UNSHRUNK, np.float32)


class DlibDetector:
    """HOG and 68 landmarks. Not for several threads at once."""

    def __init__(self, spec: DetectorSpec) -> None:
        """Load both models, a second and 100 MB.

        Raises:
            PackageMissing: dlib or the package with its models is not installed.
            ModelRefused: the model is not the one that the manifest names.
        """
        dlib = _dlib(spec.packaged)
        self._score_at_least = spec.score_at_least
        self._find = dlib.get_frontal_face_detector()
        self._landmarks = _loaded(dlib.shape_predictor, spec.packaged)

    def detect(self, pictures: list[Pixels]) -> list[Detection]:
        """The faces of each picture, in pixels of that picture; small pictures are doubled once, large ones halved."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Pixels) -> Detection:
        height, width = picture.shape[:2]
        shrink = min(1.0, _LONGEST_PX / max(height, width))
        seen = picture
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            seen = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        rgb = np.ascontiguousarray(seen[:, :, ::-1])
        doubled = 1 if seen.shape[0] * seen.shape[1] <= _SMALL_PICTURE_PX else 0
        found, raw, _ = self._find.run(rgb, doubled, _raw_of(self._score_at_least))
        scale = np.array([width / seen.shape[1], height / seen.shape[0]])
        boxes = np.array([(r.left(), r.top(), r.right() + 1, r.bottom() + 1) for r in found], float).reshape(-1, 2, 2)
        points = np.array([_five(self._landmarks(rgb, box)) for box in found], float).reshape(-1, 5, 2)
        order = np.argsort(-np.array(raw, float), kind="stable")
        return Detection(
            boxes_xyxy_px=(boxes * scale).reshape(-1, 4).astype(np.float32)[order],
            landmarks_px=(points * scale).astype(np.float32)[order],
            scores=_scores(np.array(raw, float))[order],
        )


class DlibEmbedder:
    """dlib's ResNet. Not for several threads at once.

    Its vectors were trained for distances: two of one person lie within about 0.6, and their lengths differ (1.42 with
    a deviation of 0.07 over LFW). Brought to length 1 they compare by cosine like those of every other pack, and what
    their lengths told is lost. That costs nothing: on 400 pictures of LFW (197 genuine, 78,409 impostor pairs) cosine
    and distance had a TMR of 0.98 and 0.98 at FMR 1e-2, 0.92 and 0.93 at 1e-3, 0.83 and 0.72 at 1e-4. All vectors
    share a large part, so that strangers have a mean cosine of 0.84 and thresholds lie between 0.91 and 0.94:
    similarities of this pack look high beside those of others, and mean less.
    """

    def __init__(self, spec: EmbedderSpec) -> None:
        """Load the net, 22 MB.

        Raises:
            PackageMissing: dlib or the package with its models is not installed.
            ModelRefused: the model is not the one that the manifest names.
        """
        self.dims = spec.dims
        self.chip_px = spec.chip_px
        self.template_px = spec.template_px
        self._net = _loaded(_dlib(spec.packaged).face_recognition_model_v1, spec.packaged)

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dims) of aligned faces (n, chip_px, chip_px, 3), blue green red."""
        if not len(chips):
            return np.empty((0, self.dims), np.float32)
        rgb = [np.ascontiguousarray(chip[:, :, ::-1]) for chip in chips]
        vectors: NDArray[np.float64] = np.array(self._net.compute_face_descriptor(rgb), np.float64)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _dlib(packaged: tuple[PackagedFile, ...]) -> ModuleType:
    try:
        import dlib  # noqa: PLC0415 - an extra, and 50 MB
    except ImportError as error:
        raise PackageMissing(pack=_whose(packaged), package="dlib-bin", file="dlib") from error
    return dlib  # type: ignore[no-any-return]


def _whose(packaged: tuple[PackagedFile, ...]) -> str:
    return packaged[0].pack if packaged else "dlib"


def _loaded(model: Any, packaged: tuple[PackagedFile, ...]) -> Any:
    """A model of dlib from the one file that its part of the manifest names."""
    file = packaged[0]
    path = packaged_path(file)
    try:
        return model(str(path))
    except RuntimeError as error:
        raise ModelRefused(file=file.name, why_zh="dlib 无法读取", why_en="dlib cannot read it") from error


def _five(shape: Any) -> list[tuple[float, float]]:
    """Our landmarks out of the 68; the subject's right side comes first in both."""
    at = [(part.x, part.y) for part in shape.parts()]
    eyes = [((at[a][0] + at[b][0]) / 2, (at[a][1] + at[b][1]) / 2) for a, b in _EYE_CORNERS]
    return [*eyes, at[_NOSE], *(at[corner] for corner in _MOUTH_CORNERS)]


def _scores(raw: NDArray[np.float64]) -> NDArray[np.float32]:
    """Distances from the detector's margin, 0 being its own limit, as 0 to 1.

    The slope makes the limits of quality.py, set on scores of YuNet, mean about the same here: of 70 faces of LFW two
    stay below 0.88, with YuNet one.
    """
    return (1 / (1 + np.exp(-_SLOPE * raw))).astype(np.float32)


def _raw_of(score: float) -> float:
    """The distance that has this score; below 0.12 everything would pass for a face."""
    bounded = min(max(score, 0.12), 0.999)
    return math.log(bounded / (1 - bounded)) / _SLOPE
