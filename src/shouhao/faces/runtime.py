"""Runtime: a net is an ONNX file that takes pictures and answers numbers, whatever computes it.

OpenVINO on the processor by default, ONNX Runtime where a graphics card was asked for and works. Pictures go in as
they are, bytes in the order blue, green, red: order, mean and scale are put in front of the net here, so that OpenVINO
does it inside its own graph. What the numbers mean is left to detect.py, embed.py and liveness.py.
"""

import io
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import chain
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
_GPU_PROVIDERS: dict[str, dict[str, str]] = {
    # TF32 keeps 10 bits of 23: vectors would differ by machine. The default search takes twice as long to the first
    # answer and finds nothing faster.
    "CUDAExecutionProvider": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    "ROCMExecutionProvider": {},
    "DmlExecutionProvider": {},
}
_ON_PROCESSOR = "CPUExecutionProvider"
_WHY_AT_MOST = 500
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

    @property
    def device(self) -> Device:
        """Where it really runs."""
        ...

    @property
    def batches(self) -> tuple[int, ...]:
        """How many pictures at once it is fastest with, the most first, 1 last. Others cost another compilation."""
        ...

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order.

        Batches are taken as the net gets to them, so that making one and reading the outputs of another go on while
        it computes. Each shape is compiled when it is first seen, a few tenths of a second.
        """
        ...


def open_net(path: Path, takes: Takes, *, device: Device = "cpu", threads: int = 2) -> Net:
    """The net of an ONNX file.

    Args:
        device: with "gpu" it runs on a graphics card; where ONNX Runtime finds none or cannot use it, and from the
            moment on which it fails, on the processor, with a warning.
        threads: how many batches are computed at once, one core each.

    Raises:
        ModelRefused: the file is no net that takes pictures.
    """
    card = _on_card(path, takes, threads) if device == "gpu" else None
    if card is None:
        return OpenVINONet(path, takes, threads=threads)
    return CardNet(card, lambda: OpenVINONet(path, takes, threads=threads), file=path.name)


class OpenVINONet:
    """A net on the processor. One request a core: nets as small as ours gain nothing from two cores on one picture."""

    device: Device = "cpu"
    batches = (4, 1)  #: more gain nothing; fewer would cost a twentieth

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
    """A net in ONNX Runtime. Where its file fixes a size or a number of pictures, it takes no other."""

    def __init__(self, path: Path, takes: Takes, *, threads: int, provider: str = _ON_PROCESSOR) -> None:
        """Read the file and make it ready.

        Raises:
            ModelRefused: ONNX Runtime cannot read it there, or it takes something else.
        """
        self._path, self._takes, self._threads, self._provider = path, takes, threads, provider
        try:
            self._first = self._opened()
        except Exception as error:  # its errors share no class of their own
            raise _refused(path, "ONNX Runtime 无法读取", "ONNX Runtime cannot read it") from error
        inputs = self._first.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4:  # noqa: PLR2004 - count, channels, height, width
            raise _refused(path, "输入不是图片", "it does not take pictures")
        self._input = inputs[0].name
        # A provider whose libraries are missing is left out without an error.
        self.device: Device = "cpu" if self._first.get_providers()[0] == _ON_PROCESSOR else "gpu"
        self._sessions: dict[tuple[int, ...], Any] = {}
        self.batches = (1,) if inputs[0].shape[0] == 1 else (64, 8, 1)

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order, one batch at a time."""
        return map(self.answer, batches)

    def answer(self, batch: Pictures) -> Outputs:
        """The outputs of one batch."""
        ordered = batch[..., ::-1] if self._takes.channels == "rgb" else batch
        levels = np.ascontiguousarray(ordered.transpose(0, 3, 1, 2), np.float32)
        if self._takes.mean:
            levels -= self._takes.mean
        if self._takes.scale != 1:
            levels /= self._takes.scale
        return list(self._session(levels.shape).run(None, {self._input: levels}))

    def _session(self, shape: tuple[int, ...]) -> Any:
        """On a card each shape has one: CUDA's provider plans every layer anew when the shape changes, for a second."""
        if self.device == "cpu":
            return self._first
        if shape not in self._sessions:
            self._sessions[shape] = self._opened() if self._sessions else self._first
        return self._sessions[shape]

    def _opened(self) -> Any:
        import onnxruntime  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        where = [(self._provider, _GPU_PROVIDERS.get(self._provider, {}))]
        # Its own fallback prints to standard output, and is slower than OpenVINO.
        return onnxruntime.InferenceSession(self._path, options, providers=where, enable_fallback=0)


class CardNet:
    """A net on a graphics card, as long as that answers: the batch that fails, and all after it, the processor does.

    Nobody at a gate waits because another program took the card's memory. Vectors are the same to float32's last bits.
    """

    def __init__(self, card: OnnxRuntimeNet, processor: Callable[[], Net], *, file: str) -> None:
        """Take the net on the card, and what opens the same net on the processor."""
        self._card: OnnxRuntimeNet | None = card
        self._net: Net = card
        self._processor, self._file = processor, file

    @property
    def device(self) -> Device:
        """Where it runs now."""
        return self._net.device

    @property
    def batches(self) -> tuple[int, ...]:
        """As of the net that runs now."""
        return self._net.batches

    def run(self, batches: Iterable[Pictures]) -> Iterator[Outputs]:
        """The outputs of each batch, in order.

        Raises:
            ModelRefused: the processor cannot do it either.
        """
        waiting = iter(batches)
        while self._card is not None and (batch := next(waiting, None)) is not None:
            try:
                outputs = self._card.answer(batch)
            except Exception as error:  # noqa: BLE001 - as above
                _log.warning("face_gpu_failed", file=self._file, why=_why(error))
                self._net, self._card = self._processor(), None  # whoever needs its memory may have it
                waiting = chain([batch], waiting)
            else:
                yield outputs
        yield from self._net.run(waiting)


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


def _on_card(path: Path, takes: Takes, threads: int) -> OnnxRuntimeNet | None:
    """The net on a graphics card, or None, with a warning that says why."""
    provider = _gpu_provider()
    if provider is None:
        _log.warning("face_gpu_absent", file=path.name, why="no ONNX Runtime for graphics cards is installed")
        return None
    said = _libraries_loaded()
    try:
        net = OnnxRuntimeNet(path, takes, threads=threads, provider=provider)
    except ModelRefused as error:
        _log.warning("face_gpu_absent", file=path.name, provider=provider, why=_why(error.__cause__ or error))
        return None
    if net.device == "cpu":
        _log.warning("face_gpu_absent", file=path.name, provider=provider, why=said or "libraries are missing")
        return None
    _log.info("face_gpu_used", file=path.name, provider=provider)
    return net


def _gpu_provider() -> str | None:
    """The best one that ONNX Runtime was built with; whether there is a card is not said."""
    try:
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return next((name for name in _GPU_PROVIDERS if name in onnxruntime.get_available_providers()), None)


def _libraries_loaded() -> str:
    """CUDA and cuDNN from packages beside ONNX Runtime, which does not look there by itself; what failed is told."""
    import onnxruntime  # noqa: PLC0415 - as above

    with redirect_stdout(io.StringIO()) as said:  # it prints
        onnxruntime.preload_dlls()
    return said.getvalue().strip()[:_WHY_AT_MOST]


def _why(error: BaseException) -> str:
    """Its class, and the end of what it says: the beginning names source files."""
    return f"{type(error).__name__}: {str(error).strip()[-_WHY_AT_MOST:]}"


def _refused(path: Path, zh: str, en: str) -> ModelRefused:
    return ModelRefused(file=path.name, why_zh=zh, why_en=en)
