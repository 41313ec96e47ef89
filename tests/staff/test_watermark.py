"""The mark over a picture: everywhere, legible on dark and light, still there after JPEG; no metadata goes along."""

import io

import numpy as np
import pytest
from PIL import Image

from shouhao.staff.watermark import PictureUnreadable, watermarked

TEXT = "op_0193a5c2b7e0123456789abcde 2026-03-02 09:50:00+08:00"


def picture(color, size=(320, 240), form="PNG", **more):
    written = io.BytesIO()
    Image.new("RGB", size, color).save(written, form, **more)
    return written.getvalue()


def pixels(data, quality=None):
    opened = Image.open(io.BytesIO(data))
    if quality is not None:
        again = io.BytesIO()
        opened.save(again, "JPEG", quality=quality)
        opened = Image.open(again)
    return np.asarray(opened.convert("L"), dtype=float)


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
@pytest.mark.parametrize("size", [(160, 160), (640, 480), (1920, 1080)])
def test_every_part_of_any_ground_is_marked_and_still_is_after_jpeg(level, size):
    marked = pixels(watermarked(picture((level,) * 3, size), text=TEXT), quality=70)
    assert marked.shape == (size[1], size[0])
    parts = 3
    for row in np.array_split(marked, parts, axis=0):
        for part in np.array_split(row, parts, axis=1):
            assert part.max() - part.min() > 60
            assert 0.02 < (np.abs(part - level) > 25).mean() < 0.6


def test_two_readers_leave_two_marks():
    plain = picture((120, 120, 120))
    one, two = (pixels(watermarked(plain, text=text)) for text in (TEXT, TEXT.replace("0193", "0777")))
    assert np.abs(one - two).max() > 60


def test_a_small_picture_is_enlarged_until_its_mark_can_be_read():
    assert pixels(watermarked(picture((9, 9, 9), (40, 30)), text=TEXT)).shape == (120, 160)
    assert max(pixels(watermarked(picture((9, 9, 9), (6000, 100)), text=TEXT)).shape) == 4096


def test_nothing_of_the_metadata_goes_along():
    exif = Image.Exif()
    exif[0x010E] = "secret description"
    marked = watermarked(picture((9, 9, 9), form="JPEG", exif=exif), text=TEXT)
    assert b"secret" not in marked
    assert len(Image.open(io.BytesIO(marked)).getexif()) == 0


@pytest.mark.parametrize(
    "data", [b"", b"x", b"GIF89a" + b"0" * 100, picture((1, 2, 3))[:60], b"\xff\xd8\xff" + b"0" * 50]
)
def test_what_cannot_be_marked_is_not_shown(data):
    with pytest.raises(PictureUnreadable):
        watermarked(data, text=TEXT)


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded():
    with pytest.raises(PictureUnreadable):
        watermarked(picture(0, (20_000, 2_001)), text=TEXT)


@pytest.mark.parametrize("text", ["", "x" * 121, "张三", "a\nb"])
def test_the_mark_is_printable_ascii(text):
    with pytest.raises(ValueError, match="ASCII"):
        watermarked(picture((1, 2, 3)), text=text)
