"""A graphics card: nobody claims one that is not there, one that fails is done without, its vectors are the same."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
from structlog.testing import capture_logs

from shouhao.faces.embed import OnnxEmbedder
from shouhao.faces.images import read_picture
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.faces.runtime import CardNet, OnnxRuntimeNet, OpenVINONet, Takes, open_net

TAKES = Takes(channels="rgb")
NET = "mobilefacenet.onnx"
HAS_CARD = "CUDAExecutionProvider" in onnxruntime.get_available_providers() and (
    subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0
    if shutil.which("nvidia-smi")
    else False
)
#: Skipped even where nothing else may be: no machine that builds this has one.
on_a_card = pytest.mark.skipif(not HAS_CARD, reason="no NVIDIA card, or no onnxruntime-gpu, on this machine")

OPENED = """
import sys
from pathlib import Path
import structlog
from shouhao.faces.runtime import Takes, open_net
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
net = open_net(Path(sys.argv[1]), Takes(), device="gpu")
print(type(net).__name__, net.device)
"""


@pytest.fixture(scope="module")
def path(models_dir):
    return models_dir / NET


@pytest.fixture(scope="module")
def spec(models_dir):
    return load_pack("arcface-onnx", models_dir=models_dir).embedder


@pytest.fixture(scope="module")
def chips():
    return np.random.default_rng(5).integers(0, 256, (14, 112, 112, 3), np.uint8)


def test_without_a_card_the_processor_is_used_and_it_is_said(path):
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    said = subprocess.run(
        [sys.executable, "-c", OPENED, path], env=hidden, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.split() == ["OpenVINONet", "cpu"]  # and nothing else: commands print JSON there
    assert "face_gpu_absent" in said.stderr
    assert "why=" in said.stderr


class CardThatBreaks(OnnxRuntimeNet):
    """It answers so many batches, then fails as a full card does."""

    def __init__(self, path, *, after):
        super().__init__(path, TAKES, threads=1)
        self.left = after

    def answer(self, batch):
        if not self.left:
            raise RuntimeError("CUDA failure 2: out of memory")
        self.left -= 1
        return super().answer(batch)


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_a_card_fails_at_the_processor_does(path, chips, after):
    opened = []

    def processor():
        opened.append(OpenVINONet(path, TAKES, threads=1))
        return opened[-1]

    net = CardNet(CardThatBreaks(path, after=after), processor, file=path.name)
    batches = chips[:12].reshape(3, 4, 112, 112, 3)
    expected = np.concatenate([out for (out,) in OpenVINONet(path, TAKES, threads=1).run(batches)])
    with capture_logs() as logs:
        first, again = (np.concatenate([out for (out,) in net.run(iter(batches))]) for _ in range(2))
    assert np.abs(first - expected).max() < 1e-3 * np.abs(expected).max()
    assert np.abs(again - expected).max() < 1e-3 * np.abs(expected).max()
    assert [(one["event"], one["file"]) for one in logs] == [("face_gpu_failed", NET)]
    assert "out of memory" in logs[0]["why"]
    assert (net.device, net.batches, len(opened)) == ("cpu", OpenVINONet.batches, 1)


def test_a_file_that_fixes_one_picture_gets_one_at_a_time(path, spec, chips, tmp_path):
    """As SFace of the default pack does; OpenVINO changes the file's mind, ONNX Runtime cannot."""
    one = tmp_path / "one.onnx"
    free, fixed = b"\x0a\x03\x12\x01n", b"\x0a\x03\x08\x81\x00"  # a dimension: called n; of the value 1, in two bytes
    content = path.read_bytes()
    assert free in content
    one.write_bytes(content.replace(free, fixed))
    net = OnnxRuntimeNet(one, TAKES, threads=1)
    assert net.batches == (1,)
    alike = OnnxEmbedder(net, spec).embed(chips) * OnnxEmbedder(open_net(path, TAKES), spec).embed(chips)
    assert alike.sum(1).min() > 0.99999


def test_chips_are_given_in_sizes_that_the_net_likes(path, spec, chips):
    net = OnnxRuntimeNet(path, TAKES, threads=1)
    seen = []
    answer = net.answer
    net.answer = lambda batch: seen.append(len(batch)) or answer(batch)
    embedder = OnnxEmbedder(net, spec)
    seen.clear()
    embedder.embed(chips)
    assert seen == [8, 1, 1, 1, 1, 1, 1]


@on_a_card
def test_a_card_is_quick_whichever_thread_asks_and_for_how_many(path, spec, chips):
    """CUDA's provider plans a net for each size, and again whenever the size changes, if it is let."""
    net = open_net(path, TAKES, device="gpu")
    embedder = OnnxEmbedder(net, spec)
    embedder.embed(chips)

    def asked():
        started = time.perf_counter()
        embedder.embed(chips)  # a batch of eight, then single ones
        return time.perf_counter() - started

    took_s = []
    for _ in range(10):
        with ThreadPoolExecutor(1) as new:
            took_s.append(new.submit(asked).result())
    assert (net.device, sorted(took_s)[5] < 0.1) == ("gpu", True)


@on_a_card
def test_on_a_card_vectors_are_those_of_the_processor(models_dir, faces_dir):
    pack = load_pack("arcface-onnx", models_dir=models_dir)
    with capture_logs() as logs:
        card = open_engine(pack, models_dir=models_dir, device="gpu")
    assert {one["event"] for one in logs} == {"face_gpu_used"}
    files = sorted((faces_dir / "lfw-dev").glob("*/*_0001.jpg"))[:100]
    pictures = [read_picture(file.read_bytes()) for file in files]
    with capture_logs() as logs:
        on_card = [face for found in card.faces(pictures) for face in found]
    assert logs == []  # it did not fail meanwhile
    on_processor = [face for found in open_engine(pack, models_dir=models_dir).faces(pictures) for face in found]
    assert len(on_card) == len(on_processor) > 90
    for one, other in zip(on_card, on_processor, strict=True):
        assert np.array_equal(one.box_xyxy_px, other.box_xyxy_px)
        assert np.abs(one.embedding - other.embedding).max() < 1e-5
    assert (
        abs(
            card.live_score(pictures[0], on_card[0])
            - open_engine(pack, models_dir=models_dir).live_score(pictures[0], on_processor[0])
        )
        < 1e-4
    )
