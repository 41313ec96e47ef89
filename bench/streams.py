"""Streams: how many 1080p streams one core pulls at five pictures a second, and where its time goes.

A corridor with sensor noise, 25 pictures a second, H.264 in groups of two seconds, decoded and looked at on one core by
what `serve pull` runs; processor seconds are counted, so that neighbours on the machine do not. Embedding is the
capture worker's and is timed apart on the shots that came out. The floor decodes the same stream and does nothing else.
"""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import Figure
from shouhao.faces.frames import FrameFaces, open_frame_faces
from shouhao.faces.images import read_picture
from shouhao.faces.model import Detection, Quality
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import FaceEngine, open_engine
from shouhao.flows.watch_stream import StreamWatch
from shouhao.lab.walking import Encoding, Walker, procession, write_recording
from shouhao.protocols.video import StreamSettings
from shouhao.protocols.video_files import FileSource
from shouhao.watch.shots import WrittenShot
from shouhao.watch.video import Pace, VideoBroken

ROOT = Path(__file__).resolve().parent.parent
PACK = "arcface-onnx"
SECONDS = 12
RATE = 5.0
SEARCH_RATE = 4.0
DETECT_PX = (640, 960)


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures that this machine has models and photographs for."""
    models = (ROOT / os.environ.get("SHOUHAO_MODELS", "../shared/models")).resolve()
    photographs = ROOT / "../shared/faces/lfw-dev"
    if not (models / "mobilefacenet.onnx").is_file() or not photographs.is_dir():
        print("no models or photographs here: streams are not measured")
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as folder:
        busy, empty = Path(folder) / "busy.mp4", Path(folder) / "empty.mp4"
        _record(busy, _people(photographs))
        _record(empty, [])
        pack = load_pack(PACK, models_dir=models)
        engine = open_engine(pack, models_dir=models, threads=1)
        yield [
            _figure(name, file, open_frame_faces(pack, models_dir=models, longest_px=px), px, engine)
            for px in DETECT_PX
            for name, file in ((f"busy_{px}", busy), (f"empty_{px}", empty))
        ] + [_search(busy, open_frame_faces(pack, models_dir=models, longest_px=DETECT_PX[-1]), engine)]


def _people(photographs: Path) -> list[Walker]:
    files = sorted(photographs.glob("*/*_0001.jpg"))[: SECONDS // 2]
    return procession([(file.parent.name, read_picture(file.read_bytes())) for file in files])


def _record(file: Path, people: list[Walker]) -> None:
    with file.open("wb") as out:
        write_recording(out, people, seconds=SECONDS, encoding=Encoding())


@dataclass(slots=True)
class _Timed:
    """A detector whose processor seconds are counted."""

    faces: FrameFaces
    spent_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def find(self, picture: NDArray[np.uint8]) -> Detection:
        began_s = time.process_time()
        found = self.faces.find(picture)
        self.spent_s["find"] += time.process_time() - began_s
        return found

    def look(self, picture: NDArray[np.uint8], found: Detection, faces: Sequence[int]) -> list[Quality]:
        began_s = time.process_time()
        qualities = self.faces.look(picture, found, faces)
        self.spent_s["look"] += time.process_time() - began_s
        return qualities


def _figure(name: str, file: Path, faces: FrameFaces, detect_px: int, engine: FaceEngine) -> Figure:
    notes: dict[str, list[float]] = defaultdict(list)

    def measure() -> float:
        timed = _Timed(faces)
        watch = StreamWatch("bench", timed, run="r")
        shots: list[WrittenShot] = []
        began_s = time.process_time()
        looked_s = 0.0
        for frame in _frames(file):
            from_s = time.process_time()
            shots += watch.look(frame)
            looked_s += time.process_time() - from_s
        shots += watch.end()
        whole_s = time.process_time() - began_s
        found_s = timed.spent_s["find"] + timed.spent_s["look"]
        embed_s = _seconds(lambda: _embed(engine, shots)) if shots else 0.0
        for note, spent_s in (
            ("decode, ms a second of video", whole_s - looked_s),
            ("find faces, ms a second of video", timed.spent_s["find"]),
            ("look closely, ms a second of video", timed.spent_s["look"]),
            ("follow and cut out, ms a second of video", looked_s - found_s),
            ("embed, ms a second of video (another process)", embed_s),
        ):
            notes[note].append(spent_s / SECONDS * 1000)
        notes["shots a second of video"].append(len(shots) / SECONDS)
        return SECONDS / whole_s

    return Figure(
        name=name,
        unit=f"1080p streams a core, 25/s decoded, 5/s looked at, faces found at {detect_px} px",
        measure=measure,
        floor=lambda: SECONDS / _seconds(lambda: _decode(file)),
        floor_is="PyAV decoding the same stream on one core, nothing looked at",
        reach=0.3,
        notes=notes,
        decimals=1,
    )


def _search(file: Path, faces: FrameFaces, engine: FaceEngine) -> Figure:
    """What `shouhao watch search` does with a recording, but for the comparing, which is nothing beside it."""

    def whole() -> None:
        watch = StreamWatch("bench", faces, run="r")
        for frame in _frames(file, SEARCH_RATE):
            _embed(engine, watch.look(frame))
        _embed(engine, watch.end())

    return Figure(
        name="search",
        unit="s of a busy 1080p recording searched in a second of a core, 4/s looked at, every passage embedded",
        measure=lambda: SECONDS / _seconds(whole),
        floor=lambda: SECONDS / _seconds(lambda: _decode(file)),
        floor_is="PyAV decoding the same recording on one core, nothing looked at",
        reach=0.2,
        notes={},
        decimals=1,
    )


def _frames(file: Path, rate: float = RATE) -> Iterator[Any]:
    try:
        yield from FileSource(file, settings=StreamSettings(frames_a_s=rate)).frames()
    except VideoBroken as broken:
        if broken.why != "ended":
            raise


def _decode(file: Path) -> None:
    import av  # noqa: PLC0415 - the floor's

    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        pace = Pace(frames_a_s=RATE)
        for picture in container.decode(stream):
            pace.wants(round((picture.time or 0.0) * 1e6))


def _embed(engine: FaceEngine, shots: Sequence[WrittenShot]) -> None:
    for shot in shots:
        engine.faces([read_picture(shot.crop)], in_turns=True)


def _seconds(act: Callable[[], object]) -> float:
    began_s = time.process_time()
    act()
    return time.process_time() - began_s
