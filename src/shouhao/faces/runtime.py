"""Runtime: a net is an ONNX file that takes pictures and answers numbers, whatever computes it.

OpenVINO on the processor by default, ONNX Runtime where a graphics card was asked for and is there. Pictures go in as
they are, bytes in the order blue, green, red: order, mean and scale are put in front of the net here, so that OpenVINO
does it inside its own graph. What the numbers mean is left to detect.py, embed.py and liveness.py.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from shouhao.faces.model import ModelRefused

Device = Literal["cpu", "gpu"]
Pictures = NDArray[np.uint8]  #: (n, height, width, 3), blue green red
Outputs = list[NDArray[np.float32]]  #: in the order of the file

#: Of ONNX Runtime, the better one first. Without any of them it would be slower than OpenVINO.
_GPU_PROVIDERS = ("CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider")
#: Compiled shapes that one net keeps; detect.py brings pictures to 16 sizes and one for its second look.
_SHAPES_KEPT = 24

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """What a net wants to see in place of bytes 0 to 255 in the order blue, green, red."""

    channels: Literal["rgb", "bgr"] = "bgr"
    mean: float = 0.0  #: subtracted first
    scale: float = 1.0  #: divided by then


class Net(Protocol):
    """A model that takes pictures. Not for several threads at once: it uses the threads that it was given."""

    device: Device  #: where it really runs

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order.

        Batches are taken as the net gets to them, so that making one and reading the outputs of another go on while
        it computes. Each shape is compiled when it is first seen, a few tenths of a second.
        """
        ...


def open_net(path: Path, takes: Takes, *, device: Device = "cpu", threads: int = 2) -> Net:
    """The net of an ONNX file.

    Args:
        device: with "gpu" and no graphics card for ONNX Runtime it runs on the processor, with a warning.
        threads: how many batches are computed at once, one core each.

    Raises:
        ModelRefused: the file is no net that takes pictures.
    """
    if device == "gpu":
        providers = _gpu_providers()
        if providers:
            return OnnxRuntimeNet(path, takes, threads=threads, providers=providers)
        _log.warning("face_gpu_absent", file=path.name)
    return OpenVINONet(path, takes, threads=threads)


class OpenVINONet:
    """A net on the processor. One request a core: nets as small as ours gain nothing from two cores on one picture."""

    device: Device = "cpu"

    def __init__(self, path: Path, takes: Takes, *, threads: int) -> None:
        """Read the file; nothing is compiled yet."""
        import openvino  # type: ignore[import-untyped]  # noqa: PLC0415 - takes half a second, and not every command needs it

        self._path, self._takes, self._threads = path, takes, threads
        self._core = openvino.Core()
        self._compiled: OrderedDict[tuple[int, ...], _Requests] = OrderedDict()
        self._read()

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order; as many are under way as there are threads, and one waits."""
        running: deque[tuple[_Requests, Any, Pictures]] = deque()
        try:
            for batch in batches:
                if len(running) > self._threads:
                    yield _finished(running.popleft())
                pixels = np.ascontiguousarray(batch)
                requests = self._requests(pixels.shape)
                request = requests.take()
                running.append((requests, request, pixels))  # the pixels live as long as the request reads them
                request.start_async({0: pixels}, share_inputs=True)
            while running:
                yield _finished(running.popleft())
        finally:
            for requests, request, _ in running:  # the caller went away
                request.wait()
                requests.free.append(request)

    def _read(self) -> Any:
        """The model, its one input a picture.

        Raises:
            ModelRefused: OpenVINO cannot read it, or it takes something else.
        """
        try:
            model = self._core.read_model(self._path)
        except RuntimeError as error:
            raise _refused(self._path, "OpenVINO 无法读取", "OpenVINO cannot read it") from error
        if len(model.inputs) != 1 or model.input().partial_shape.rank.to_string() != "4":
            raise _refused(self._path, "输入不是图片", "it does not take pictures")
        return model

    def _requests(self, shape: tuple[int, ...]) -> "_Requests":
        if shape not in self._compiled:
            self._compiled[shape] = self._compile(shape)
            if len(self._compiled) > _SHAPES_KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(shape)
        return self._compiled[shape]

    def _compile(self, shape: tuple[int, ...]) -> "_Requests":
        from openvino import Layout, Type  # noqa: PLC0415 - as above
        from openvino.preprocess import (  # type: ignore[import-untyped]  # noqa: PLC0415
            ColorFormat,
            PrePostProcessor,
        )

        count, height, width, depth = shape
        model = self._read()
        try:
            model.reshape([count, depth, height, width])
            before = PrePostProcessor(model)
            picture = before.input()
            picture.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.BGR)
            picture.model().set_layout(Layout("NCHW"))
            steps = picture.preprocess().convert_element_type(Type.f32)
            if self._takes.channels == "rgb":
                steps.convert_color(ColorFormat.RGB)
            if self._takes.mean:
                steps.mean(self._takes.mean)
            if self._takes.scale != 1:
                steps.scale(self._takes.scale)
            compiled = self._core.compile_model(before.build(), "CPU", self._properties())
        except RuntimeError as error:
            zh, en = f"不接受 {width}×{height} 的图片", f"it does not take pictures of {width} x {height}"
            raise _refused(self._path, zh, en) from error
        return _Requests(compiled=compiled, free=[])

    def _properties(self) -> dict[str, Any]:
        """How to compile; half precision, the default of newer processors, would make vectors differ by machine."""
        return {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": self._threads,
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": "f32",
        }


class OnnxRuntimeNet:
    """A net in ONNX Runtime. It takes pictures only of the size that its file fixes, where that fixes one."""

    def __init__(
        self, path: Path, takes: Takes, *, threads: int, providers: tuple[str, ...] = ("CPUExecutionProvider",)
    ) -> None:
        """Read the file and make it ready."""
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

        self.device: Device = "cpu" if providers == ("CPUExecutionProvider",) else "gpu"
        self._takes = takes
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=list(providers))
        except Exception as error:  # its errors share no class of their own
            raise _refused(path, "ONNX Runtime 无法读取", "ONNX Runtime cannot read it") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:  # noqa: PLR2004 - count, channels, height, width
            raise _refused(path, "输入不是图片", "it does not take pictures")
        self._input = inputs[0].name

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order, one batch at a time."""
        for batch in batches:
            ordered = batch[..., ::-1] if self._takes.channels == "rgb" else batch
            levels = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32)
            yield list(self._session.run(None, {self._input: (levels - self._takes.mean) / self._takes.scale}))


@dataclass(slots=True, kw_only=True)
class _Requests:
    """The requests of one compiled shape."""

    compiled: Any
    free: list[Any]

    def take(self) -> Any:
        return self.free.pop() if self.free else self.compiled.create_infer_request()


def _finished(running: tuple[_Requests, Any, Pictures]) -> Outputs:
    """Copies of the outputs: the request is used again at once."""
    requests, request, _ = running
    request.wait()
    outputs = [np.array(tensor.data, np.float32) for tensor in request.output_tensors]
    requests.free.append(request)
    return outputs


def _gpu_providers() -> tuple[str, ...]:
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        return ()
    return tuple(name for name in _GPU_PROVIDERS if name in onnxruntime.get_available_providers())


def _refused(path: Path, zh: str, en: str) -> ModelRefused:
    return ModelRefused(file=path.name, why_zh=zh, why_en=en)
