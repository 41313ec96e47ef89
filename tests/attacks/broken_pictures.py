"""A corpus of broken pictures, and what becomes of them: run as a program, so that its memory is its own.

The same seed makes the same corpus. What is found goes to standard output as JSON.
"""

import json
import random
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from shouhao.faces.images import PictureLimits, read_picture
from shouhao.faces.model import PictureRefused

LIMITS = PictureLimits(pixels_max=4_000_000)
_ABSURD = (0, 1, 15, 16, 255, 1999, 2000, 2001, 16_383, 29_999, 32_768, 65_500, 65_535)
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


def seeds(rng: np.random.Generator) -> list[bytes]:
    """Sound pictures of every kind and mode, smooth and noisy."""
    level = np.linspace(0, 255, 96)
    smooth = np.stack([np.add.outer(level, level) / 2, np.tile(level, (96, 1)), np.tile(level, (96, 1)).T], -1)
    noisy = np.clip(smooth + rng.normal(0, 25, smooth.shape), 0, 255).astype(np.uint8)
    colour = Image.fromarray(noisy)
    clear = colour.convert("RGBA")
    clear.putalpha(colour.convert("L"))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a ward"
    more = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(180)]}
    how: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (colour, "JPEG", {"exif": exif, "quality": 90}),
        (colour, "JPEG", {"progressive": True, "subsampling": 0}),
        (colour.convert("L"), "JPEG", {"restart_marker_blocks": 4}),
        (colour.convert("CMYK"), "JPEG", {"icc_profile": b"\0" * 300}),
        (colour, "MPO", more),
        (colour, "PNG", {"exif": exif}),
        (colour.convert("P"), "PNG", {"transparency": 3}),
        (colour.convert("1"), "PNG", {}),
        (clear, "PNG", {"icc_profile": b"\0" * 300}),
        (Image.fromarray(noisy[..., 0].astype(np.uint16) * 257), "PNG", {}),
        (colour, "PNG", {**more, "duration": 20}),
        (colour, "WEBP", {"exif": exif}),
        (colour, "WEBP", {"lossless": True}),
        (clear, "WEBP", {"quality": 60}),
        (clear, "WEBP", {**more, "duration": 20}),
        (colour, "BMP", {}),
        (colour.convert("P"), "BMP", {}),
        (colour.convert("1"), "BMP", {}),
        (clear, "BMP", {}),
    ]
    return [_saved(picture, kind, settings) for picture, kind, settings in how]


def _saved(picture: Image.Image, kind: str, settings: dict[str, Any]) -> bytes:
    written = BytesIO()
    picture.save(written, kind, **settings)
    return written.getvalue()


def _flip_bits(data: bytes, _: bytes, rng: random.Random) -> bytes:
    broken = bytearray(data)
    reach = rng.choice((64, 512, len(data)))  # headers are small and decide most
    for _ in range(rng.choice((1, 3, 40))):
        broken[rng.randrange(min(reach, len(data)))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _cut(data: bytes, _: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _take_out(data: bytes, _: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 200) :]


def _overwrite(data: bytes, _: bytes, rng: random.Random) -> bytes:
    at, length = rng.randrange(len(data)), rng.randrange(1, 64)
    filler = rng.choice((b"\0", b"\xff", None))
    return data[:at] + (rng.randbytes(length) if filler is None else filler * length) + data[at + length :]


def _claim_a_size(data: bytes, _: bytes, rng: random.Random) -> bytes:
    """Another width and height in the header, with its check sum put right where there is one."""
    broken, width, height = bytearray(data), rng.choice(_ABSURD), rng.choice(_ABSURD)
    if data.startswith(_PNG):
        broken[16:24] = struct.pack(">II", width, height)
        broken[29:33] = struct.pack(">I", zlib.crc32(broken[12:29]))
    elif data.startswith(_JPEG):
        frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        broken[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    elif data.startswith(b"BM"):
        broken[18:26] = struct.pack("<ii", width, rng.choice((height, -height, 2**31 - 1, -(2**31))))
    elif data[12:16] == b"VP8X":
        broken[24:30] = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
    elif data[12:16] == b"VP8L":
        broken[21:25] = struct.pack("<I", (width & 0x3FFF) | (height & 0x3FFF) << 14)
    else:
        broken[26:30] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    return bytes(broken)


def _shuffle_chunks(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Chunks twice, gone, out of order, or of another file: each of them whole."""
    head, chunks = _chunks(data)
    chunks += [rng.choice(_chunks(other)[1] or [b""])] if rng.random() < 0.3 else []
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(chunks))
        match rng.randrange(4):
            case 0:
                chunks.insert(rng.randrange(len(chunks) + 1), chunks[at])
            case 1:
                chunks[at : at + 1] = chunks[at : at + 1] * rng.choice((2, 50, 300))
            case 2 if len(chunks) > 1:
                del chunks[at]
            case _:
                chunks.append(chunks.pop(at))
    return head + b"".join(chunks)


def _chunks(data: bytes) -> tuple[bytes, list[bytes]]:
    """What a file begins with, and its chunks; of a BMP, its rows."""
    if data.startswith(_PNG):
        return data[:8], list(_each(data, 8, lambda at: 12 + int.from_bytes(data[at : at + 4], "big")))
    if data.startswith(b"RIFF"):
        return data[:12], list(
            _each(data, 12, lambda at: 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1) // 2 * 2)
        )
    if data.startswith(_JPEG):
        scan = data.find(b"\xff\xda")
        segments = list(_each(data[:scan], 2, lambda at: 2 + int.from_bytes(data[at + 2 : at + 4], "big")))
        return data[:2], [*segments, data[scan:]]
    return data[:54], list(_each(data, 54, lambda _: 288))


def _each(data: bytes, at: int, length: Callable[[int], int]) -> Iterator[bytes]:
    while at < len(data):
        yield data[at : at + length(at)]
        at += length(at)


_BREAKS = (_flip_bits, _cut, _splice, _take_out, _overwrite, _claim_a_size, _shuffle_chunks)


def corpus(count: int, seed: int) -> Iterator[bytes]:
    """So many broken pictures; one in three is broken twice."""
    rng = random.Random(seed)  # noqa: S311 - the same corpus each time is the point
    sound = seeds(np.random.default_rng(seed))
    for number in range(count):
        data = sound[number % len(sound)]
        for _ in range(rng.choice((1, 1, 2))):
            data = rng.choice(_BREAKS)(data, rng.choice(sound), rng) or b"\0"
        yield data


def bombs() -> dict[str, bytes]:
    """Headers that claim what no machine holds, each followed by next to nothing."""
    grey = Image.new("L", (32, 32))
    jpeg, bmp, png = (bytearray(_saved(grey, kind, {})) for kind in ("JPEG", "BMP", "PNG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", 65_500, 65_500)
    bmp[18:26] = struct.pack("<ii", 2**30, 2**30)
    made = {"jpeg": bytes(jpeg), "bmp": bytes(bmp)}
    for name, size in {"png": (2**31 - 1, 2**31 - 1), "png just above": (10_000, 5_001)}.items():
        png[16:24] = struct.pack(">II", *size)
        png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
        made[name] = bytes(png)
    canvas = {"webp": 16_000, "webp wider": 2**24 - 1, "webp just above": 7_072}
    for name, side in canvas.items():
        head = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + (side - 1).to_bytes(3, "little") * 2
        made[name] = b"RIFF" + struct.pack("<I", 4 + len(head)) + b"WEBP" + head + b"\0" * 40
    made["webp lossless"] = b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + b"\xff" * 9
    made["webp lossy"] = b"RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + b"\0" * 10
    return made


def what_becomes_of(data: bytes, limits: PictureLimits) -> str:
    """`picture`, `refused REASON`, or what went wrong."""
    try:
        pixels = read_picture(data, limits=limits)
    except PictureRefused as refused:
        return f"refused {refused.data['reason']}"
    except BaseException as error:  # noqa: BLE001 - this is what must not happen, and is counted
        return f"escaped {type(error).__name__}"
    height, width, channels = pixels.shape
    sound = (
        pixels.dtype == np.uint8
        and pixels.flags.c_contiguous
        and channels == 3
        and min(height, width) >= limits.side_min_px
        and height * width <= limits.pixels_max
    )
    return "picture" if sound else "not a picture"


def _memory_mib(name: str) -> float:
    """VmHWM: the most that ever lay in memory; VmPeak: the most that was ever asked for."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def main(count: int, seed: int) -> None:
    """Read them all and say what became of them."""
    for data in seeds(np.random.default_rng(seed)):
        read_picture(data)
    asked, made = _memory_mib("VmPeak"), bombs()
    became_of_bombs = {name: what_becomes_of(data, PictureLimits()) for name, data in made.items()}
    bombs_asked_mib = _memory_mib("VmPeak") - asked
    lay = _memory_mib("VmHWM")
    became = Counter(what_becomes_of(data, LIMITS) for data in corpus(count, seed))
    found = {
        "became": became,
        "bombs": became_of_bombs,
        "bombs_asked_mib": bombs_asked_mib,
        "grown_mib": _memory_mib("VmHWM") - lay,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
