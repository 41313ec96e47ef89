"""Embed: an aligned face becomes a vector of length 1, whose cosine with another says how alike two faces are.

How the face was cut out is left to align.py, what a cosine is worth to calibrate.py.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shouhao.faces.align import View
from shouhao.faces.model import ModelRefused
from shouhao.faces.packs import EmbedderSpec
from shouhao.faces.runtime import Net

_LENGTH_AT_LEAST = 1e-6

#: The aligned face as nets of the ArcFace kind see it best from YuNet's landmarks, and a wider, mirrored one. Two views
#: that differ err less alike than a view and its own mirror image (decision 0015 has the figures).
CLOSE = View(scale=1.04, down=-2 / 112)
WIDE_MIRRORED = View(scale=0.97, down=-1 / 112, mirrored=True)


class OnnxEmbedder:
    """Any net of the ArcFace kind: a chip in, one vector out. Not for several threads at once."""

    def __init__(self, net: Net, spec: EmbedderSpec) -> None:
        """Take a net, and see that it answers as the manifest says.

        Raises:
            ModelRefused: it does not.
        """
        self._net, self._file = net, spec.file.name if spec.file is not None else "ONNX"
        self.dims, self.chip_px, self.template_px = spec.dims, spec.chip_px, spec.template_px
        self.embed(np.zeros((1, self.chip_px, self.chip_px, 3), np.uint8))

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit vectors (n, dims) of aligned faces (n, chip_px, chip_px, 3), blue green red."""
        vectors = [np.empty((0, self.dims), np.float32)]
        for outputs in self._net.run(_batches(chips, self._net.batches)):
            if len(outputs) != 1 or outputs[0].shape[1:] != (self.dims,):
                zh, en = f"输出不是 {self.dims} 维向量", f"it does not answer with vectors of {self.dims}"
                raise ModelRefused(file=self._file, why_zh=zh, why_en=en)
            vectors.append(outputs[0])
        return units(np.concatenate(vectors))


def units(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., dims) brought to length 1; one without any length stays as it is and is like nothing."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _LENGTH_AT_LEAST), np.float32)


def _batches(chips: NDArray[np.uint8], sizes: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    """Batches as large as they come, of these sizes alone: so a net is compiled for no other shapes."""
    start = 0
    for size in sizes:
        while len(chips) - start >= size:
            yield chips[start : start + size]
            start += size
