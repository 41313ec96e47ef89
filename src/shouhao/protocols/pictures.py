"""Pictures in messages of cameras: base64 as cameras write it, what the bytes are, and their size from the header.

Nothing is decoded here: a picture is told from what is none, and the large one of two from the small one. Turning
bytes of strangers into pixels is left to `faces.images`, with its limits.
"""

import binascii
import re
import struct
from collections.abc import Iterator

#: Above what any capture camera sends (a 4K JPEG is 4 MB at most), below what a reader of pictures takes.
PICTURE_MAX_BYTES = 10 * 1024 * 1024

_WRAPPING = b" \t\r\n\\"  #: of lines, also where a camera escaped its line ends twice; the letters then fail the check
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_DATA_URI = re.compile(r"data:[^,]{0,100},")
_GROUP = 4  #: letters of base64 that belong together
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  #: markers without a length
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_HEADER_BYTES = 256 * 1024  #: a JPEG's frame stands after EXIF and colour profiles, which are smaller than this


class NotAPicture(ValueError):  # noqa: N818 - the fault is the sender's, and no error of ours
    """The bytes are not a picture that anything here reads; `zh` and `en` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


def picture_of_base64(text: str) -> bytes:
    """The picture in a text: wrapped, without padding, with the letters of URLs or with `data:` before it.

    Raises:
        NotAPicture: it is too long, not base64, or not a picture.
    """
    if len(text) > PICTURE_MAX_BYTES * 3 // 2:
        raise _too_heavy()
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # of which binascii's own error is one
        data = _loosely_of_base64(text)
    return checked_picture(data)


def checked_picture(data: bytes) -> bytes:
    """The same bytes, if they are a picture by their first bytes; its declared format is not asked.

    Raises:
        NotAPicture: they are none, or too many.
    """
    if not data:
        raise NotAPicture("图片为空", "the picture is empty")
    if len(data) > PICTURE_MAX_BYTES:
        raise _too_heavy()
    if not _looks_like_a_picture(data):
        raise NotAPicture("不是 JPEG、PNG、WebP 或 BMP 图片", "it is neither JPEG, PNG, WebP nor BMP")
    return data


def _loosely_of_base64(text: str) -> bytes:
    if text.startswith("data:"):
        text = _DATA_URI.sub("", text, count=1)
    try:
        letters = text.encode("ascii").translate(_TO_STANDARD, _WRAPPING).rstrip(b"=")
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % _GROUP), strict_mode=True)
    except ValueError:
        raise NotAPicture("图片的 base64 编码已损坏", "the picture's base64 is broken") from None


def size_px(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says, unchecked; None where it cannot be found."""
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data[:_HEADER_BYTES])
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", data, 16)
        elif data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
        else:
            return None
    except struct.error:
        return None
    return abs(width), abs(height)


def area_px(data: bytes) -> int:
    """How many pixels the header claims; where it claims none, a guess from the number of bytes."""
    size = size_px(data)
    return len(data) if size is None else size[0] * size[1]


def _looks_like_a_picture(data: bytes) -> bool:
    return (
        data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM"))
        or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
    )  # fmt: skip


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    for marker, at in _jpeg_segments(data):
        if marker in _JPEG_FRAMES:
            if len(data) < at + 7:
                return None
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
    return None


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers and where their length stands, up to the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - every marker begins with it
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - padding before a marker
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        elif marker in {_JPEG_SCAN, _JPEG_END}:
            return
        else:
            yield marker, at + 2
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))


def _too_heavy() -> NotAPicture:
    most = PICTURE_MAX_BYTES // (1024 * 1024)
    return NotAPicture(f"图片超过 {most} MB", f"the picture is larger than {most} MB")
