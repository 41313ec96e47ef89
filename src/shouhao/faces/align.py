"""Align: a face cut out and turned so that its landmarks stand where a net was trained to see them.

A similarity transform (turn, scale, shift) by least squares over the five landmarks, never a reflection. Which points
stand where is the pack's template; where the landmarks come from is left to detect.py.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import Pixels

Points = NDArray[np.float64]  #: (..., 2) x, y in px
Transforms = NDArray[np.float64]  #: (..., 2, 3), from pixels of the picture to pixels of the chip

#: Where the landmarks stand in a face aligned to 112 x 112, as nets of the ArcFace kind were trained with it.
ARCFACE_PX = 112
ARCFACE_TEMPLATE_PX: Points = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
#: Landmarks after a mirror: the subject's right eye is taken for the left one.
MIRRORED_ORDER = [1, 0, 2, 4, 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One way of cutting a face out: the template, changed a little."""

    scale: float = 1.0  #: above 1 the face is larger in the chip
    down: float = 0.0  #: share of the chip's side by which the face stands lower
    mirrored: bool = False

    def template_px(self, template_px: NDArray[np.float32], chip_px: int) -> Points:
        """(5, 2) where the landmarks stand in this view's chip, before it is mirrored."""
        middle = chip_px / 2
        changed: Points = (template_px.astype(np.float64) - middle) * self.scale + middle
        changed[:, 1] += self.down * chip_px
        return changed


PLAIN = View()


def similarity(source_px: NDArray[np.floating], target_px: NDArray[np.floating]) -> Transforms:
    """The turn, scale and shift that bring points nearest to a target, in the sense of least squares.

    Args:
        source_px: (..., k, 2), k at least 2 and not all at one place.
        target_px: (k, 2) or (..., k, 2).

    Returns:
        (..., 2, 3) float64. Points all at one place are brought to the target's middle without size.

    Source: Umeyama 1991, in the plane, where the rotation has a closed form and no reflection can come out.
    """
    source, target = source_px.astype(np.float64), target_px.astype(np.float64)
    source_middle, target_middle = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - source_middle, target - target_middle
    size = np.maximum((a * a).sum((-2, -1)), np.finfo(np.float64).tiny)
    along = (a * b).sum((-2, -1)) / size
    across = (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).sum(-1) / size
    turn = np.stack([np.stack([along, -across], -1), np.stack([across, along], -1)], -2)
    shift = target_middle[..., 0, :] - (turn @ np.swapaxes(source_middle, -1, -2))[..., 0]
    return np.concatenate([turn, shift[..., None]], -1)


def moved(points_px: NDArray[np.floating], transforms: Transforms) -> Points:
    """Points (..., k, 2) through transforms (..., 2, 3)."""
    turned: Points = points_px @ np.swapaxes(transforms[..., :2], -1, -2)
    return turned + transforms[..., None, :, 2]


def inverse(transforms: Transforms) -> Transforms:
    """The way back."""
    turn = np.linalg.inv(transforms[..., :2])
    return np.concatenate([turn, -turn @ transforms[..., 2:]], -1)


def turn_rad(transforms: Transforms) -> Points:
    """How far transforms (..., 2, 3) turn, (...,), clockwise in a picture whose y points down."""
    return np.asarray(np.arctan2(transforms[..., 1, 0], transforms[..., 0, 0]))


class Levels:
    """A picture and its halves, quarters and so on, each made when it is first asked for.

    A warp reads four pixels for each that it writes, so what is shrunk to less than half is averaged before.
    """

    __slots__ = ("_levels", "height", "width")

    def __init__(self, picture: Pixels) -> None:
        """Take the whole picture, as large as it came: a small copy would lose what a chip could show."""
        self.height, self.width = picture.shape[:2]
        self._levels = [picture]

    def nearest(self, scale: float) -> tuple[Pixels, int]:
        """The smallest level that is not enlarged by this scale, and how many pixels of the picture one of it is."""
        level = 0
        while scale * 2 ** (level + 1) <= 1 and min(self._levels[level].shape[:2]) > 1:
            level += 1
            if level == len(self._levels):
                self._levels.append(_halved(self._levels[-1]))
        return self._levels[level], 2**level


def aligned(
    levels: Levels, landmarks_px: NDArray[np.floating], template_px: NDArray[np.floating], chip_px: int
) -> NDArray[np.uint8]:
    """The faces of one picture as chips (n, chip_px, chip_px, 3); black where they reach beyond it.

    Args:
        landmarks_px: (n, 5, 2).
        template_px: (5, 2) in the chip.
    """
    return cut(levels, similarity(landmarks_px.reshape(-1, 5, 2), template_px), chip_px)


def views_of(
    levels: Levels,
    landmarks_px: NDArray[np.floating],
    template_px: NDArray[np.float32],
    chip_px: int,
    views: Iterable[View],
) -> NDArray[np.uint8]:
    """Chips (n, views, chip_px, chip_px, 3) of the faces of one picture, one for each view."""
    chips = []
    for view in views:
        chip = aligned(levels, landmarks_px, view.template_px(template_px, chip_px), chip_px)
        chips.append(chip[:, :, ::-1] if view.mirrored else chip)
    return np.stack(chips, 1)


def cut(levels: Levels, transforms: Transforms, side_px: int) -> NDArray[np.uint8]:
    """What transforms (n, 2, 3) bring into a square, (n, side_px, side_px, 3)."""
    chips = np.zeros((len(transforms), side_px, side_px, 3), np.uint8)
    for chip, transform in zip(chips, transforms, strict=True):
        scale = math.hypot(transform[0, 0], transform[1, 0])
        if not math.isfinite(scale) or scale <= 0:
            continue  # landmarks all at one place: nothing to show
        pixels, times = levels.nearest(scale)
        by = transform if times == 1 else _from_level(transform, times)
        cv2.warpAffine(pixels, by, (side_px, side_px), dst=chip, flags=cv2.INTER_LINEAR)
    return chips


def _halved(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    even = picture[: size[1] * 2, : size[0] * 2]  # an odd last row has no partner, and pixels stay exact pairs
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)


def _from_level(transform: Transforms, times: int) -> Transforms:
    """A transform of the picture as one of its level: pixels are counted from the middle of the first."""
    shift = transform[:, 2] + transform[:, :2].sum(1) * (times - 1) / 2
    return np.column_stack([transform[:, :2] * times, shift])
