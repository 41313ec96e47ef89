"""Pictures from outside: bytes that anybody may have made, turned into pixels or refused, and nothing in between.

A picture is what its first bytes say, whatever it was called, and only one decoder is ever tried on it. Its size is
taken from the header and held against the limits before anything is decoded, so that a few bytes cannot claim the
memory of the machine. What comes out is a fresh array: no EXIF, no place, no thumbnail, no second frame.

What it leaves to others: whether there is a face (detect.py), and how many pictures are read at once (the caller).
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL import WebPImagePlugin as _WebPImagePlugin  # noqa: F401 - or Pillow imports every format it has to find it

from shouhao.faces.model import PictureRefused, Pixels

_Kind = Literal["JPEG", "PNG", "WEBP", "BMP"]
_WHITE = 255
_STRIP_PX = 1 << 20  #: pixels converted at a time, which bounds what stands beside picture and result
_JPEG_SCAN = b"\xff\xda"  #: cannot stand inside a scan, where 0xff is followed by a zero or a restart marker
_BMP_RUN_LENGTH = (1, 2)
_VP8L_MARK = 0x2F
_GREY_16 = ("I;16", "I;16L", "I;16B", "I")

#: EXIF orientation: how the decoded rows are brought upright: left and right exchanged first, then turned.
_UPRIGHT = {
    2: (True, None),
    3: (False, cv2.ROTATE_180),
    4: (True, cv2.ROTATE_180),
    5: (True, cv2.ROTATE_90_COUNTERCLOCKWISE),
    6: (False, cv2.ROTATE_90_CLOCKWISE),
    7: (True, cv2.ROTATE_90_CLOCKWISE),
    8: (False, cv2.ROTATE_90_COUNTERCLOCKWISE),
}

_LOCK = threading.Lock()  #: filters of warnings belong to the whole process


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """How large a picture may be. Reading it takes up to 12 bytes a pixel, of a WebP 18."""

    bytes_max: int = 20_000_000
    pixels_max: int = 50_000_000
    side_min_px: int = 16
    side_max_px: int = 30_000  #: OpenCV's warps end below 32,767
    scans_max: int = 100  #: of one JPEG: cameras write 10, and each costs a pass over all the pixels


_LIMITS = PictureLimits()


def read_picture(data: bytes, *, limits: PictureLimits = _LIMITS) -> Pixels:
    """The pixels of a JPEG, PNG, WebP or BMP picture, upright, transparent parts white, 16 bit brought down to 8.

    Of several frames the first is taken. A damaged JPEG whose header, scans and end are whole cannot be told from a
    sound one: it comes out with grey or shifted blocks, and the quality of its face is measured like any other.

    Args:
        data: the whole file.
        limits: what is not even decoded.

    Returns:
        uint8 (height, width, 3), blue green red, contiguous.

    Raises:
        PictureRefused: with the reason as data: `empty`, `heavy`, `kind`, `large`, `small`, `costly` or `damaged`.
    """
    kind = _kind_of(data, limits)
    try:
        return _decode(data, kind, limits)
    except PictureRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(limits) from error
    except Exception as error:  # decoders of hostile bytes raise whatever they stumble over
        raise _refusal("damaged", "已损坏或不完整", "it is damaged or incomplete") from error


def _refusal(reason: str, zh: str, en: str) -> PictureRefused:
    return PictureRefused(reason=reason, why_zh=zh, why_en=en)


def _kind_of(data: bytes, limits: PictureLimits) -> _Kind:
    """What the bytes say they are, and what can be refused on sight."""
    if not data:
        raise _refusal("empty", "文件为空", "the file is empty")
    if len(data) > limits.bytes_max:
        most = f"{limits.bytes_max / 1_000_000:g} MB"
        raise _refusal("heavy", f"文件超过 {most}", f"the file is larger than {most}")
    if data.startswith(b"\xff\xd8\xff"):
        if data.count(_JPEG_SCAN) > limits.scans_max:
            raise _refusal("costly", "扫描次数过多", "it has too many scans")
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        _check_size(*_webp_canvas(data), limits)
        return "WEBP"
    if data.startswith(b"BM"):
        if int.from_bytes(data[30:34], "little") in _BMP_RUN_LENGTH and data[14:15] != b"\x0c":
            raise _refusal("costly", "不支持压缩的 BMP", "compressed BMP is not taken")  # Pillow decodes it in Python
        return "BMP"
    raise _refusal("kind", "不是 JPEG、PNG、WebP 或 BMP 格式", "it is neither JPEG, PNG, WebP nor BMP")


def _webp_canvas(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP, before its decoder exists: it takes 8 bytes a pixel when it is made.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    head = data[12:30].ljust(18, b"\0")
    if head.startswith(b"VP8X"):
        return int.from_bytes(head[12:15], "little") + 1, int.from_bytes(head[15:18], "little") + 1
    if head.startswith(b"VP8L") and head[8] == _VP8L_MARK:
        bits = int.from_bytes(head[9:13], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if head.startswith(b"VP8 ") and head[11:14] == b"\x9d\x01\x2a":
        return int.from_bytes(head[14:16], "little") & 0x3FFF, int.from_bytes(head[16:18], "little") & 0x3FFF
    raise _refusal("damaged", "已损坏或不完整", "it is damaged or incomplete")


def _check_size(width: int, height: int, limits: PictureLimits) -> None:
    if min(width, height) < limits.side_min_px:
        least = limits.side_min_px
        raise _refusal("small", f"边长不足 {least} 像素", f"its sides are below {least} pixels")
    if max(width, height) > limits.side_max_px or width * height > limits.pixels_max:
        raise _too_large(limits)


def _too_large(limits: PictureLimits) -> PictureRefused:
    most, side = f"{limits.pixels_max / 1_000_000:g}", limits.side_max_px
    zh = f"超过 {most} 百万像素，或边长超过 {side} 像素"
    return _refusal("large", zh, f"it has more than {most} megapixels, or a side above {side} pixels")


@contextmanager
def _warnings_refuse() -> Iterator[None]:
    """Pillow warns where it guesses; a guess about a hostile file is a refusal. One at a time: filters are global."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _decode(data: bytes, kind: _Kind, limits: PictureLimits) -> Pixels:
    with _warnings_refuse():
        picture = Image.open(BytesIO(data), formats=(kind,))
    with picture:
        _check_size(*picture.size, limits)
        # Only the control chunk of an animated PNG may stand behind the pixels and be warned about while they load.
        guard: AbstractContextManager[None] = _warnings_refuse() if b"acTL" in data else nullcontext()
        with guard:
            picture.load()
        with _warnings_refuse():
            orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        pixels = _bgr(picture)
    mirrored, turn = _UPRIGHT.get(orientation, (False, None))
    upright = cv2.flip(pixels, 1) if mirrored else pixels
    return cast("Pixels", upright if turn is None else cv2.rotate(upright, turn))


def _bgr(picture: Image.Image) -> Pixels:
    """Blue green red, strip by strip: at no time does a second whole picture stand in memory."""
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PX // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = _bgr_of(picture.crop((0, top, width, bottom)))
    return pixels


def _bgr_of(strip: Image.Image) -> NDArray[np.uint8]:
    """One strip, whatever it was stored as: grey, palette, one bit, CMYK, 16 bit, transparent."""
    if strip.mode in _GREY_16:
        deep = np.asarray(strip).astype(np.uint32)
        grey = ((deep + 128) // 257).astype(np.uint8)  # 65,535 is 255 times 257
        grey[deep == strip.info.get("transparency", -1)] = _WHITE
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" not in strip.info and strip.mode not in {"LA", "PA", "RGBA"}:
        packed = strip.convert("RGB").tobytes("raw", "BGR")
        return np.frombuffer(packed, np.uint8).reshape(strip.height, strip.width, 3)
    seen = np.asarray(strip.convert("RGBA")).astype(np.uint16)
    colour, opaque = seen[:, :, 2::-1], seen[:, :, 3:]
    on_white = (colour * opaque + _WHITE * (_WHITE - opaque) + _WHITE // 2) // _WHITE
    return on_white.astype(np.uint8)
