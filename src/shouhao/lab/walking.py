"""Walking: people cross a made-up corridor before a camera, and it is known who is where in which picture.

Photographs are cut to a head, scaled and pasted on a drawn corridor; H.264 comes from FFmpeg (PyAV). It looks like no
hospital, but a detector, a tracker and an embedder find in it what they find in a corridor, and what they should have
found is known. The pictures are the caller's; none are kept in the repository.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from shouhao.faces.images import read_picture
from shouhao.faces.model import PictureRefused

Pixels = NDArray[np.uint8]

_HEAD = 0.56  #: of a photograph's width that head and shoulders take, as in LFW
_LANES = (0.3, 0.45, 0.6)  #: heights in the picture that people walk at
_DOOR = 0.6
_SCENE_SEED = 20_190_218


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walker:
    """One person's walk through the picture."""

    key: str  #: who it is, in the truth
    photo: Pixels  #: (height, width, 3) blue green red, the face in its middle
    from_s: float
    lasts_s: float
    from_xy: tuple[float, float]  #: of the face's middle, 0 to 1 of the picture
    to_xy: tuple[float, float]
    from_px: float  #: width of the head in the picture, at the beginning
    to_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Who is where in one picture."""

    key: str
    at_s: float
    middle_px: tuple[float, float]
    head_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One encoded picture, as Annex B (ITU-T H.264), in the order of decoding."""

    data: bytes
    presented_s: float
    key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a camera encodes."""

    width: int = 1920
    height: int = 1080
    frames_a_s: int = 25
    keyframe_every_s: float = 2.0
    b_frames: int = 0
    noise: float = 2.0  #: deviation of the sensor's noise, grey levels: without it decoding is cheaper than it is
    preset: Literal["ultrafast", "veryfast"] = "veryfast"


def readable(people: Sequence[tuple[str, Sequence[Path]]]) -> list[tuple[str, Pixels]]:
    """Of each person the first photograph that can be read."""
    found = []
    for key, files in people:
        for file in files:
            try:
                found.append((key, read_picture(file.read_bytes())))
            except (PictureRefused, OSError):
                continue
            break
    return found


def procession(photos: Sequence[tuple[str, Pixels]], *, lasts_s: float = 4.0, every_s: float = 2.0) -> list[Walker]:
    """People who come one after the other, from afar to near, in three lanes."""
    return [
        Walker(
            key=key,
            photo=photo,
            from_s=n * every_s,
            lasts_s=lasts_s,
            from_xy=(0.1 if n % 2 else 0.9, _LANES[n % 3] - 0.1),
            to_xy=(0.9 if n % 2 else 0.1, _LANES[n % 3]),
            from_px=70.0,
            to_px=150.0,
        )
        for n, (key, photo) in enumerate(photos)
    ]


def pictures(walkers: Sequence[Walker], *, seconds: float, encoding: Encoding) -> Iterator[tuple[Pixels, list[Truth]]]:
    """The pictures of a camera, and who is in each; the same for the same people."""
    scene = corridor(encoding.width, encoding.height)
    chance = np.random.default_rng(_SCENE_SEED)
    heads = {id(one): _head(one.photo) for one in walkers}
    noises = [chance.normal(0, encoding.noise, scene.shape).astype(np.int8) for _ in range(3)]
    for n in range(round(seconds * encoding.frames_a_s)):
        at_s = n / encoding.frames_a_s
        picture, truth = scene.copy(), []
        for one in walkers:
            done = (at_s - one.from_s) / one.lasts_s
            if 0 <= done < 1:
                truth.append(_paste(picture, heads[id(one)], one, done, at_s))
        if encoding.noise:
            noise = np.roll(noises[n % len(noises)], int(chance.integers(encoding.width)), 1)
            picture = np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)
        yield picture, truth


def encode(walkers: Sequence[Walker], *, seconds: float, encoding: Encoding) -> tuple[list[Unit], list[Truth]]:
    """The pictures as a camera would send them."""
    import av  # noqa: PLC0415 - loads FFmpeg

    truth: list[Truth] = []
    units: list[Unit] = []
    with av.open(BytesIO(), "w", format="h264") as out:
        stream = _video_track(out, encoding)
        for picture, seen in pictures(walkers, seconds=seconds, encoding=encoding):
            truth += seen
            frame = av.VideoFrame.from_ndarray(picture, "bgr24")
            units += [_unit(packet) for packet in stream.encode(frame)]
        units += [_unit(packet) for packet in stream.encode()]
    return units, truth


def write_recording(
    file: IO[bytes], walkers: Sequence[Walker], *, seconds: float, encoding: Encoding, kind: str = "mp4"
) -> list[Truth]:
    """A recording as a hospital hands one in.

    Args:
        kind: FFmpeg's name of the format: mp4, matroska, mpegts.
    """
    import av  # noqa: PLC0415 - as above

    truth: list[Truth] = []
    options = {"movflags": "+faststart"} if kind == "mp4" else {}
    with av.open(file, "w", format=kind, options=options) as out:
        stream = _video_track(out, encoding)
        for picture, seen in pictures(walkers, seconds=seconds, encoding=encoding):
            truth += seen
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        out.mux(stream.encode())
    return truth


def corridor(width: int, height: int) -> Pixels:
    """A corridor in perspective, with doors and a floor: something for a codec to work on, and no face in it."""
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    depth = np.maximum(np.abs(x), np.abs(y))
    grey = 90 + 90 * depth
    grey += np.where(np.abs(y) > np.abs(x), 12 * np.sign(np.sin(9 / np.maximum(depth, 0.08))), 0)
    grey += np.where(np.abs(x) >= np.abs(y), 18 * (np.sin(14 / np.maximum(np.abs(x), 0.08)) > _DOOR), 0)
    tint = np.array([0.96, 1.0, 0.98], np.float32)
    return np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)


def _video_track(out: Any, encoding: Encoding) -> Any:
    stream = out.add_stream("libx264", rate=encoding.frames_a_s)
    stream.width, stream.height, stream.pix_fmt = encoding.width, encoding.height, "yuv420p"
    group = max(1, round(encoding.keyframe_every_s * encoding.frames_a_s))
    stream.options = {
        "preset": encoding.preset,
        "g": str(group),
        "keyint_min": str(group),
        "sc_threshold": "0",
        "bf": str(encoding.b_frames),
        "threads": "1",
        "x264-params": "repeat-headers=1",
    }
    return stream


def _unit(packet: Any) -> Unit:
    return Unit(
        data=bytes(packet),
        presented_s=float(packet.pts * packet.time_base),
        key=packet.is_keyframe,
    )


def _head(photo: Pixels) -> tuple[Pixels, NDArray[np.float32]]:
    """The middle of a photograph and how much of each pixel is seen: an oval with a soft edge."""
    height, width = photo.shape[:2]
    side = round(min(height, width) * 0.9)
    top, left = (height - side) // 2, (width - side) // 2
    head = np.ascontiguousarray(photo[top : top + side, left : left + side])
    x, y = np.meshgrid(np.linspace(-1, 1, side), np.linspace(-1, 1, side))
    seen = np.clip((1 - np.sqrt((x / 0.92) ** 2 + (y / 0.98) ** 2)) / 0.12, 0, 1)
    return head, seen.astype(np.float32)[..., None]


def _paste(picture: Pixels, head: tuple[Pixels, NDArray[np.float32]], one: Walker, done: float, at_s: float) -> Truth:
    height, width = picture.shape[:2]
    head_px = one.from_px + (one.to_px - one.from_px) * done
    side = max(8, round(head_px / _HEAD))
    pixels = cv2.resize(head[0], (side, side), interpolation=cv2.INTER_AREA)
    seen = cv2.resize(head[1], (side, side), interpolation=cv2.INTER_AREA)[..., None]
    middle_x = width * (one.from_xy[0] + (one.to_xy[0] - one.from_xy[0]) * done)
    middle_y = height * (one.from_xy[1] + (one.to_xy[1] - one.from_xy[1]) * done)
    left, top = round(middle_x - side / 2), round(middle_y - side / 2)
    from_x, from_y = max(0, left), max(0, top)
    to_x, to_y = min(width, left + side), min(height, top + side)
    if from_x < to_x and from_y < to_y:
        there = picture[from_y:to_y, from_x:to_x]
        cut = (slice(from_y - top, to_y - top), slice(from_x - left, to_x - left))
        there[:] = (pixels[cut] * seen[cut] + there * (1 - seen[cut])).astype(np.uint8)
    return Truth(key=one.key, at_s=at_s, middle_px=(middle_x, middle_y), head_px=head_px)
