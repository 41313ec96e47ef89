"""`shouhao models bench`: how many faces a second a pack manages on this machine, step by step."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import typer

from shouhao.cli.face_pack import engine_for
from shouhao.cli.opening import read_settings
from shouhao.faces.images import read_picture
from shouhao.faces.model import PictureRefused, Pixels
from shouhao.faces.search import ExactIndex

if TYPE_CHECKING:
    from shouhao.faces.pipeline import FaceEngine

_SIDE_PX = 640
_PICTURES = 16
_CHIPS = 64
_LISTED = 100_000
_RUNS = 5
_LONG_S = 2.0


def bench(
    context: typer.Context,
    pack: Annotated[
        str | None,
        typer.Option("--pack", help="模型包；不填则用设置 face_pack Pack; without it, the setting face_pack"),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures", help="照片目录，用于测整条流程 Photographs, for the whole way", exists=True, file_okay=False
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON 输出 JSON output")] = False,
) -> None:
    """测量模型包在本机的速度：检测、提取、检索、整条流程。 Measure a pack: detect, embed, search, the whole way."""
    settings = read_settings(context.obj)
    engine, chosen = engine_for(settings, pack)
    found = {"pack": chosen.id, "threads": settings.face_threads, **_steps(engine)}
    if pictures is not None:
        found |= _whole_way(engine, pictures)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    typer.echo(f"{found['pack']}，{found['threads']} 线程 threads")
    for name, words in _WORDS.items():
        if name in found:
            typer.echo(f"  {words}: {found[name]:,.1f}")


_WORDS = {
    "detect_pictures_per_s": "检测，张/秒，640×640，无人脸 pictures without a face a second",
    "embed_faces_per_s": "提取，张/秒 aligned faces a second",
    "search_ms": "检索 10 万个特征，毫秒 one search of 100,000 vectors, ms",
    "faces_per_s": "整条流程，张/秒 faces a second, the whole way",
}


def _steps(engine: "FaceEngine") -> dict[str, Any]:
    """Each step alone. Noise has no face in it, so that detecting is all there is to do."""
    chance = np.random.default_rng(1)
    empty = [chance.integers(0, 256, (_SIDE_PX, _SIDE_PX, 3), np.uint8) for _ in range(_PICTURES)]
    chips = chance.integers(0, 256, (_CHIPS, engine.chip_px, engine.chip_px, 3), np.uint8)
    vectors = chance.standard_normal((_LISTED, engine.dims), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = ExactIndex(engine.dims)
    index.add(vectors)
    try:
        search_s = _seconds(lambda: index.nearest(vectors[:1], 1))
    finally:
        index.close()
    return {
        "detect_pictures_per_s": _PICTURES / _seconds(lambda: engine.faces(empty)),
        "embed_faces_per_s": _CHIPS / _seconds(lambda: engine.embed_aligned(chips)),
        "search_ms": 1000 * search_s,
    }


def _whole_way(engine: "FaceEngine", folder: Path) -> dict[str, Any]:
    shown: list[Pixels] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and len(shown) < _PICTURES:
            try:
                shown.append(read_picture(path.read_bytes()))
            except PictureRefused as refusal:
                typer.echo(f"{path.name}: {refusal.says('zh')} {refusal.says('en')}", err=True)
    faces = sum(len(found) for found in engine.faces(shown))
    return {"pictures": len(shown), "faces": faces, "faces_per_s": faces / _seconds(lambda: engine.faces(shown))}


def _seconds(work: Callable[[], object]) -> float:
    """The median of a few runs after one that does not count; what takes seconds is run once, and that counts."""
    first = _once(work)
    return first if first > _LONG_S else statistics.median(_once(work) for _ in range(_RUNS))


def _once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
