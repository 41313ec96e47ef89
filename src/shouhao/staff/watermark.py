"""Watermark: who looks and when, over the whole picture, so that a photograph of the screen says whose screen it was.

It hinders and it names; it does not prevent. Somebody who paints over a face loses the face, and somebody who crops
still has a piece of the mark: it repeats in rows on the slant, dark with a light rim, so that it stands out anywhere.
"""

import io
import math
from typing import TYPE_CHECKING

from shouhao.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from PIL import Image

_TEXT_MAX = 120
_SIDE_MAX_PX = 4096
_PIXELS_MAX = 40_000_000
_SIDE_LEAST_PX = 160  #: a smaller picture is enlarged until its mark can be read
_SLANT_DEG = 30.0
_OPACITY = 0.42
_JPEG_QUALITY = 88


class PictureUnreadable(InvalidInput):
    """What should be shown is no picture that can be marked, so it is not shown."""

    code = "staff.picture_unreadable"

    def __init__(self) -> None:
        super().__init__("picture", zh="无法加水印，不予显示", en="cannot be marked, so it is not shown")


def watermarked(picture: bytes, *, text: str) -> bytes:
    """The picture as JPEG with the text over all of it; nothing of its metadata goes along.

    Args:
        picture: JPEG, PNG, WebP or BMP.
        text: printable ASCII, such as `op_0193... 2026-03-02 09:50:00+08:00`; at most 120 characters.
    Raises:
        ValueError: a text that cannot be drawn.
        PictureUnreadable: it is no picture, or larger than can be shown.
    """
    if not text or len(text) > _TEXT_MAX or not (text.isascii() and text.isprintable()):
        raise ValueError("the mark is 1 to 120 printable ASCII characters")
    from PIL import Image  # noqa: PLC0415 - servers that show no picture need not wait for it

    upright = _upright(picture)
    longest = max(upright.size)
    scale = min(1.0, _SIDE_MAX_PX / longest) if longest >= _SIDE_LEAST_PX else _SIDE_LEAST_PX / longest
    if scale != 1.0:
        size = (max(1, round(upright.width * scale)), max(1, round(upright.height * scale)))
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    mark = _mark(upright.size, text)
    upright.paste(mark, (0, 0), mark)
    written = io.BytesIO()
    upright.save(written, "JPEG", quality=_JPEG_QUALITY)
    return written.getvalue()


def _upright(picture: bytes) -> "Image.Image":
    """The pixels, the way they are meant to be seen; the size is looked at before anything is decoded."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - as above

    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG", "PNG", "WEBP", "BMP")) as opened:
            if 0 < opened.width * opened.height <= _PIXELS_MAX:
                return ImageOps.exif_transpose(opened).convert("RGB")
    except Exception as error:  # whatever a broken picture makes a decoder say, it is not shown
        raise PictureUnreadable from error
    raise PictureUnreadable


def _mark(size: tuple[int, int], text: str) -> "Image.Image":
    """Rows of the text on the slant, transparent elsewhere."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - as above

    shorter = min(size)
    font_px = max(11, min(40, shorter // 14))
    font = ImageFont.load_default(size=font_px)
    rim_px = max(1, font_px // 9)
    side = math.ceil(math.hypot(*size)) + 2 * font_px
    alpha = round(255 * _OPACITY)
    line_px = round(font_px * 3.2)
    wide = math.ceil(font.getlength(text + "   "))
    line = Image.new("RGBA", (wide, line_px), (0, 0, 0, 0))
    ImageDraw.Draw(line).text(
        (rim_px, rim_px),
        text,
        font=font,
        fill=(0, 0, 0, alpha),
        stroke_width=rim_px,
        stroke_fill=(255, 255, 255, alpha),
    )
    sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    for row, top in enumerate(range(0, side, line_px)):
        for left in range(-(row % 3) * wide // 3, side, wide):
            sheet.paste(line, (left, top))
    turned = sheet.rotate(_SLANT_DEG, resample=Image.Resampling.BILINEAR)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return turned.crop((left, top, left + size[0], top + size[1]))
