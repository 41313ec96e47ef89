"""Frames: the faces of a camera's pictures, found cheaply, and looked at closely only where there are some.

Most pictures of a corridor show nobody. So the whole picture is seen small, and each face that is found there is looked
at again in the full picture, for its landmarks and its quality. Nothing is embedded here: whoever pulls streams has
neither a gallery nor a key. Which faces are one person's is left to whoever tracks.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import Levels
from shouhao.faces.model import Detection, ModelRefused, Pixels, Quality
from shouhao.faces.packs import Pack, model_path
from shouhao.faces.quality import assess
from shouhao.faces.runtime import Net, Takes, open_net
from shouhao.faces.second_look import look_again
from shouhao.faces.yunet import picked, read

_STRIDE_PX = 32  #: the coarsest of YuNet's grids: a side must be a multiple of it
_MOST_PLACES = 2_000


class FrameFaces:
    """YuNet over the frames of a group of cameras. Not for several threads at once."""

    def __init__(self, net: Net, *, score_at_least: float, longest_px: int, file: str = "YuNet") -> None:
        """Take a net that is YuNet.

        Args:
            score_at_least: doubtful faces too, for they prolong a track.
            longest_px: what the longer side of a picture is brought to. A face is found from about 10 such pixels
                between the eyes on.

        Raises:
            ModelRefused: the net is another one.
        """
        if longest_px % _STRIDE_PX or longest_px <= 0:
            raise ValueError(f"longest_px is a multiple of {_STRIDE_PX}")
        self._net, self._score_at_least, self._longest_px, self._file = net, score_at_least, longest_px, file
        self.find(np.zeros((64, 64, 3), np.uint8))

    def find(self, picture: Pixels) -> Detection:
        """The faces of a picture with YuNet's own boxes and landmarks, in pixels of that picture."""
        canvas, ratio = _place(picture, self._longest_px)
        (outputs,) = self._net.run([canvas[None]])
        said = read(outputs, (1, *canvas.shape), file=self._file)
        return picked(said, score_at_least=self._score_at_least, most=_MOST_PLACES, ratio=ratio)

    def look(self, picture: Pixels, found: Detection, faces: Sequence[int]) -> list[Quality]:
        """The quality of some of the faces that were found; their landmarks in `found` are made better."""
        if not len(faces):
            return []
        chosen = list(faces)
        some = Detection(
            boxes_xyxy_px=found.boxes_xyxy_px[chosen],
            landmarks_px=found.landmarks_px[chosen],
            scores=found.scores[chosen],
        )
        look_again(self._net, [picture], [some], file=self._file)
        found.landmarks_px[chosen] = some.landmarks_px
        return assess(Levels(picture), some)


def open_frame_faces(pack: Pack, *, models_dir: Path, longest_px: int, score_at_least: float = 0.4) -> FrameFaces:
    """The detector of a pack, on one core.

    Raises:
        ModelMissing: its file is not on this machine.
        ModelRefused: its file is another one, or the pack finds faces otherwise.
    """
    file = pack.detector.file
    if pack.detector.kind != "yunet" or file is None:
        zh, en = "该模型包不能用于视频流，请改用含 YuNet 的模型包", "streams need a pack whose detector is YuNet"
        raise ModelRefused(file=pack.name, why_zh=zh, why_en=en)
    net = open_net(model_path(file, models_dir), Takes(), device="cpu", threads=1)
    return FrameFaces(net, score_at_least=score_at_least, longest_px=longest_px, file=file.name)


def _smaller(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Halved as often as possible, then the rest: a third of the time of one step, and nothing is passed over."""
    while picture.shape[1] >= 2 * size[0] and picture.shape[0] >= 2 * size[1]:
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _place(picture: Pixels, longest_px: int) -> tuple[Pixels, NDArray[np.float64]]:
    """A picture at the net's size, never enlarged, and what a pixel of it is in the picture."""
    height, width = picture.shape[:2]
    shrink = min(1.0, longest_px / max(height, width))
    inner = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    seen = picture if shrink == 1 else _smaller(picture, inner)
    sides = [-(-side // _STRIDE_PX) * _STRIDE_PX for side in inner]
    canvas = np.zeros((sides[1], sides[0], 3), np.uint8)
    canvas[: inner[1], : inner[0]] = seen
    return canvas, np.array([width / inner[0], height / inner[1]])
