"""Photos: what is taken in for a person to look at. Only its kind and size are checked; nothing decodes it here."""

from typing import Literal

from shouhao.kernel.errors import InvalidInput

PHOTO_MAX_BYTES = 5 * 1024 * 1024
_PHOTO_MIN_BYTES = 64
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"

MediaType = Literal["image/jpeg", "image/png"]


def media_type(field: str, photo: bytes) -> MediaType:
    """What the bytes say they are, whatever the file was called.

    Raises:
        InvalidInput: neither JPEG nor PNG, too large, or empty.
    """
    if len(photo) > PHOTO_MAX_BYTES:
        raise InvalidInput(field, zh="照片不能超过 5 MB", en="a photo has at most 5 MB")
    if len(photo) >= _PHOTO_MIN_BYTES:
        if photo.startswith(_PNG):
            return "image/png"
        if photo.startswith(_JPEG):
            return "image/jpeg"
    raise InvalidInput(field, zh="照片应为 JPEG 或 PNG 格式", en="a photo is a JPEG or a PNG")
