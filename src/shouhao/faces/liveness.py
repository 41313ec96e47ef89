"""Liveness: how sure two small nets are that a face stood before the camera, and was no print and no screen.

Passive: one picture, nothing to do for the patient. Weak alone, and only meant for pictures that this system took
itself: a photograph of a photograph is what it looks for. What follows from a low score is left to the caller.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.model import ModelRefused, Pixels
from shouhao.faces.packs import LivenessSpec, model_path
from shouhao.faces.runtime import Device, Net, Takes, open_net

_SIDE_PX = 80
_CLASSES = 3  #: print, live, screen
_LIVE = 1


class Liveness:
    """The nets of a pack, whose scores are averaged."""

    def __init__(self, nets: Sequence[tuple[LivenessSpec, Net]]) -> None:
        """Take the nets, one at least."""
        self._nets = tuple(nets)

    def live_score(self, picture: Pixels, box_xyxy_px: NDArray[np.floating]) -> float:
        """0 to 1, how sure the nets are that this face is live.

        Args:
            picture: the whole one: what is around the face tells as much as the face.

        Raises:
            ModelRefused: a net does not answer as MiniFASNet does.
        """
        return float(np.mean([self._one(spec, net, picture, box_xyxy_px) for spec, net in self._nets]))

    def _one(self, spec: LivenessSpec, net: Net, picture: Pixels, box_xyxy_px: NDArray[np.floating]) -> float:
        (outputs,) = net.run([crop(picture, box_xyxy_px, spec.crop_scale)[None]])
        if len(outputs) != 1 or outputs[0].shape != (1, _CLASSES):
            raise ModelRefused(file=spec.file.name, why_zh="不是 MiniFASNet 模型", why_en="it is not MiniFASNet")
        levels = outputs[0][0].astype(np.float64)
        shares = np.exp(levels - levels.max())
        return float(shares[_LIVE] / shares.sum())


def open_liveness(
    specs: Sequence[LivenessSpec], *, models_dir: Path, device: Device = "cpu", threads: int = 2
) -> Liveness:
    """Liveness with the nets of a pack.

    Raises:
        ModelMissing, ModelRefused: a file is not there, or another one, or no net.
    """
    paths = [model_path(spec.file, models_dir) for spec in specs]
    nets = [open_net(path, Takes(), device=device, threads=threads) for path in paths]
    return Liveness(list(zip(specs, nets, strict=True)))


def crop(picture: Pixels, box_xyxy_px: NDArray[np.floating], scale: float) -> Pixels:
    """What a net sees: the box enlarged about its middle, pushed back into the picture, brought to 80 x 80.

    Where the picture is too small for the scale, the scale gives way and the box keeps its ratio.

    Source: minivision-ai/Silent-Face-Anti-Spoofing, src/generate_patches.py, whose rounding is kept: the nets were
    trained with it.
    """
    height, width = picture.shape[:2]
    left, top = int(box_xyxy_px[0]), int(box_xyxy_px[1])
    across = max(1, int(box_xyxy_px[2] - box_xyxy_px[0]))
    down = max(1, int(box_xyxy_px[3] - box_xyxy_px[1]))
    fits = min(scale, (height - 1) / down, (width - 1) / across)
    x_from, x_to = _pushed_in(left + across / 2, across * fits, width)
    y_from, y_to = _pushed_in(top + down / 2, down * fits, height)
    part = picture[y_from : y_to + 1, x_from : x_to + 1]
    return np.asarray(cv2.resize(part, (_SIDE_PX, _SIDE_PX)), np.uint8)


def _pushed_in(middle: float, length: float, side: int) -> tuple[int, int]:
    """First and last pixel of a stretch of this length, moved as little as brings it into the picture."""
    first, last = middle - length / 2, middle + length / 2
    if first < 0:
        first, last = 0.0, last - first
    if last > side - 1:
        first, last = first - (last - side + 1), side - 1.0
    return max(0, int(first)), min(side - 1, int(last))
