"""Faces: the whole way from a picture to a vector, embedding alone, and exact search.

The models and photographs are those of SHOUHAO_MODELS and of `shared/` beside the checkout; without them search alone
is measured, and that is said.

SHOUHAO_FACE_DEVICE and SHOUHAO_FACE_THREADS say where and on how many cores, as for the system itself; what ours is
held against always runs on the processor.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.faces_search import search_figures
from bench.harness import Figure
from shouhao.faces.align import ARCFACE_TEMPLATE_PX
from shouhao.faces.images import read_picture
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.faces.runtime import Device

ROOT = Path(__file__).resolve().parent.parent
PACK = "arcface-onnx"
THREADS = int(os.environ.get("SHOUHAO_FACE_THREADS", "2"))
DEVICE: Device = "gpu" if os.environ.get("SHOUHAO_FACE_DEVICE") == "gpu" else "cpu"
PICTURES = 32
CHIPS = 512


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures that this machine has the data for."""
    models = (ROOT / os.environ.get("SHOUHAO_MODELS", "../shared/models")).resolve()
    photographs = ROOT / "../shared/faces/lfw-dev"
    if (models / "mobilefacenet.onnx").is_file() and photographs.is_dir():
        yield [*_engine_figures(models, photographs), *search_figures()]
    else:
        print("no models or photographs here: search alone is measured")
        yield search_figures()


def _engine_figures(models: Path, photographs: Path) -> list[Figure]:
    engine = open_engine(load_pack(PACK, models_dir=models), models_dir=models, device=DEVICE, threads=THREADS)
    pictures = _pictures(photographs)
    chips = np.random.default_rng(1).integers(0, 256, (CHIPS, 112, 112, 3), np.uint8)
    plain, raw = _plain(models), _throughput(models, chips)

    def usual() -> float:
        return PICTURES / _seconds(lambda: [plain(picture) for picture in pictures])

    return [
        Figure(
            name="faces",
            unit="faces/s, one in each 640 x 640 frame: found twice, aligned, embedded in the view whose turn it is",
            measure=lambda: PICTURES / _seconds(lambda: engine.faces(pictures, in_turns=True)),
            floor=usual,
            floor_is="OpenCV's YuNet, then ONNX Runtime, one after the other",
            reach=1.0,
            notes={},
        ),
        Figure(
            name="photographs",
            unit="faces/s, as above, but embedded in both views, as a photograph that stands alone is",
            measure=lambda: PICTURES / _seconds(lambda: engine.faces(pictures)),
            floor=usual,
            floor_is="OpenCV's YuNet, then ONNX Runtime, one view, one after the other",
            reach=1.0,
            notes={},
        ),
        Figure(
            name="embed",
            unit="faces/s, aligned, one view",
            measure=lambda: CHIPS / _seconds(lambda: engine.embed_aligned(chips)),
            floor=lambda: CHIPS / _seconds(raw),
            floor_is="OpenVINO's own asynchronous loop over the same net, float32 tensors made beforehand",
            reach=0.9,
            notes={},
        ),
    ]


def _pictures(photographs: Path) -> list[NDArray[np.uint8]]:
    """Photographs of one person each, in the middle of 640 x 640."""
    shown = []
    for file in sorted(photographs.glob("*/*_0001.jpg"))[:PICTURES]:
        canvas = np.full((640, 640, 3), 96, np.uint8)
        picture = read_picture(file.read_bytes())
        height, width = picture.shape[:2]
        top, left = (640 - height) // 2, (640 - width) // 2
        canvas[top : top + height, left : left + width] = picture
        shown.append(canvas)
    return shown


def _plain(models: Path) -> Callable[[NDArray[np.uint8]], object]:
    """The usual way: OpenCV finds and aligns, ONNX Runtime embeds."""
    import cv2  # noqa: PLC0415 - the floor's alone
    import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415

    found = cv2.FaceDetectorYN.create(str(models / "face_detection_yunet_2023mar.onnx"), "", (640, 640), 0.6)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    net = onnxruntime.InferenceSession(models / "mobilefacenet.onnx", options)

    def one(picture: NDArray[np.uint8]) -> object:
        _, faces = found.detect(picture)
        best = max(faces, key=lambda face: face[14])
        turn, _ = cv2.estimateAffinePartial2D(best[4:14].reshape(5, 2), ARCFACE_TEMPLATE_PX, method=cv2.LMEDS)
        chip = cv2.warpAffine(picture, turn, (112, 112))
        return net.run(None, {"data": chip[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32)})

    return one


def _throughput(models: Path, chips: NDArray[np.uint8]) -> Callable[[], None]:
    """As OpenVINO's benchmark does it: requests under way on every core, tensors ready beforehand."""
    import openvino  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    core = openvino.Core()
    model = core.read_model(models / "mobilefacenet.onnx")
    model.reshape([4, 3, 112, 112])
    properties = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": THREADS, "INFERENCE_NUM_THREADS": THREADS}
    compiled = core.compile_model(model, "CPU", {**properties, "INFERENCE_PRECISION_HINT": "f32"})
    batches = [
        np.ascontiguousarray(chips[start : start + 4, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        for start in range(0, len(chips), 4)
    ]

    def loop() -> None:
        queue: Any = openvino.AsyncInferQueue(compiled, THREADS)
        for batch in batches:
            queue.start_async({0: batch}, share_inputs=True)
        queue.wait_all()

    return loop


def _seconds(work: Callable[[], object]) -> float:
    work()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
