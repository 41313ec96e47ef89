"""Detect: where the faces of a picture are, and where their eyes, noses and mouths.

YuNet sees the whole picture, brought to a size that it takes, and then each face found again (second_look.py).
Whether a face is good enough for anything is left to quality.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import Detection, Pixels
from shouhao.faces.runtime import Net, Outputs, Pictures
from shouhao.faces.second_look import LOOK_PX, look_again
from shouhao.faces.yunet import picked, read

_MOST_PLACES = 5_000


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
        (outputs,) = net.run([np.zeros((1, LOOK_PX, LOOK_PX, 3), np.uint8)])
        read(outputs, (1, LOOK_PX, LOOK_PX, 3), file=file)

    def detect(self, pictures: Sequence[Pixels]) -> list[Detection]:
        """The faces of each picture, in pixels of that picture, whatever its size."""
        found = self._found(pictures, self._longest_px)
        # A face that fills the picture is larger than any that YuNet was trained with; at half the size it is not.
        smallest_px = self._longest_px // 4
        missed = [n for n, one in enumerate(found) if not len(one) and max(pictures[n].shape[:2]) > smallest_px]
        for n, one in zip(missed, self._found([pictures[n] for n in missed], self._longest_px // 2), strict=True):
            found[n] = one
        if self._second_look:
            look_again(self._net, pictures, found, file=self._file)
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
        said = read(outputs, placed.canvas.shape, file=self._file)
        return picked(said, score_at_least=self._score_at_least, most=_MOST_PLACES, ratio=placed.ratio)


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
