"""Pictures: what becomes of each kind that a camera, a phone or an attacker may send."""

import struct
import threading
import warnings
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shouhao.faces import images
from shouhao.faces.images import PictureLimits, read_picture
from shouhao.faces.model import PictureRefused

WIDTH, HEIGHT = 48, 32
LOSSY = 12  #: grey levels that JPEG may be off in the middle of a flat field


def saved(picture: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    written = BytesIO()
    picture.save(written, kind, **how)
    return written.getvalue()


def quarters(mode: str = "RGB") -> Image.Image:
    """Red, green, blue and white quarters, so that a turned or swapped picture is seen."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:] = (255, 0, 0), (0, 255, 0)
    pixels[16:, :24], pixels[16:, 24:] = (0, 0, 255), (255, 255, 255)
    return Image.fromarray(pixels).convert(mode)


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Red green blue in the middle of each quarter, row by row."""
    height, width = pixels.shape[:2]
    return [
        tuple(int(level) for level in pixels[y, x, ::-1])
        for y in (height // 4, height * 3 // 4)
        for x in (width // 4, width * 3 // 4)
    ]


def png(width: int, height: int, *, depth: int, colour: int, raw: bytes, more: bytes = b"") -> bytes:
    """A PNG by hand, for what Pillow does not write."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def why(data: bytes, **limits: int) -> str:
    with pytest.raises(PictureRefused) as refused:
        read_picture(data, limits=PictureLimits(**limits))
    assert "{" not in refused.value.says("zh") + refused.value.says("en")
    return str(refused.value.data["reason"])


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize(
    ("kind", "how"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 98})]
)
def test_every_kind_comes_out_blue_green_red_and_contiguous(kind: str, how: dict[str, Any]) -> None:
    pixels = read_picture(saved(quarters(), kind, **how))
    assert (pixels.shape, pixels.dtype, pixels.flags.c_contiguous) == ((HEIGHT, WIDTH, 3), np.uint8, True)
    assert np.abs(np.array(corners(pixels)) - np.array([RED, GREEN, BLUE, WHITE])).max() <= LOSSY


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_grey_palette_and_one_bit_pictures_become_colour(mode: str, kind: str) -> None:
    if kind == "BMP" and mode == "LA":
        mode = "L"  # there is no such BMP
    picture = quarters(mode)
    lossless = {"lossless": True} if kind == "WEBP" else {}
    expected = np.asarray(picture.convert("RGB"))[:, :, ::-1]
    assert np.array_equal(read_picture(saved(picture, kind, **lossless)), expected)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_lies_on_white(kind: str) -> None:
    half = quarters("RGBA")
    half.putalpha(Image.fromarray(np.tile(np.array([0, 128], np.uint8), (HEIGHT, WIDTH // 2))))
    pixels = read_picture(saved(half, kind, lossless=True, exact=True))
    assert (pixels[:, ::2] == 255).all()
    assert tuple(pixels[0, 1]) == (127, 127, 255)  # red, half of it


def test_transparency_of_palettes_grey_and_named_colours_is_seen() -> None:
    palette = quarters("P")
    index = palette.getpixel((0, 0))
    assert tuple(read_picture(saved(palette, transparency=index))[0, 0]) == (255, 255, 255)
    assert tuple(read_picture(saved(quarters("RGB"), transparency=RED))[0, 0]) == (255, 255, 255)
    black = Image.new("L", (16, 16), 0)
    assert (read_picture(saved(black, transparency=0)) == 255).all()
    assert (read_picture(saved(black.convert("1"), transparency=0)) == 255).all()


def test_sixteen_bits_of_grey_are_scaled_and_not_cut() -> None:
    deep = np.tile(np.array([0, 128, 129, 257, 32_768, 65_535 - 129, 65_535, 1000], np.uint16), (16, 2))
    pixels = read_picture(png(16, 16, depth=16, colour=0, raw=rows(deep)))
    assert pixels[0, :8, 0].tolist() == [0, 0, 1, 1, 128, 254, 255, 4]
    assert (pixels[..., 0] == pixels[..., 1]).all()
    seen_through = png(16, 16, depth=16, colour=0, raw=rows(deep), more=chunk(b"tRNS", struct.pack(">H", 1000)))
    assert read_picture(seen_through)[0, 7].tolist() == [255, 255, 255]


def rows(deep: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bits_of_colour_are_scaled_to_the_nearest_level_but_one(colour: int, channels: int) -> None:
    deep = np.full((16, 16, channels), 65_535, np.uint16)
    deep[..., 0] = np.linspace(0, 65_535, 256).reshape(16, 16)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    pixels = read_picture(png(16, 16, depth=16, colour=colour, raw=raw))
    assert np.abs(pixels[..., 2].reshape(-1).astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L"])
def test_a_jpeg_in_other_colours_comes_out_in_these(mode: str) -> None:
    found = np.array(corners(read_picture(saved(quarters(mode), "JPEG", quality=98))))
    expected = np.array(corners(np.asarray(quarters(mode).convert("RGB"))[:, :, ::-1]))
    assert np.abs(found - expected).max() <= LOSSY


TURNED = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],
    3: [WHITE, BLUE, GREEN, RED],
    4: [BLUE, WHITE, RED, GREEN],
    5: [RED, BLUE, GREEN, WHITE],
    6: [BLUE, RED, WHITE, GREEN],
    7: [WHITE, GREEN, BLUE, RED],
    8: [GREEN, WHITE, RED, BLUE],
}


@pytest.mark.parametrize("orientation", [*TURNED, 0, 9, 60_000])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_a_picture_is_turned_as_its_exif_says(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_picture(saved(quarters(), kind, exif=exif, lossless=True, quality=98))
    found = np.array(corners(pixels))
    assert np.abs(found - np.array(TURNED.get(orientation, TURNED[1]))).max() <= LOSSY
    assert pixels.flags.c_contiguous
    assert pixels.shape[0] == (WIDTH if orientation in {5, 6, 7, 8} else HEIGHT)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, GREEN, BLUE)]
    moving = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=10, lossless=True)
    assert read_picture(moving)[10, 10].tolist() == [0, 0, 255]


def test_of_a_jpeg_with_a_second_picture_the_first_is_taken() -> None:
    both = saved(Image.new("RGB", (32, 32), RED), "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32))])
    assert read_picture(both)[16, 16, 2] > 240


def test_nothing_but_pixels_comes_out() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a ward and a name"
    data = saved(quarters(), "JPEG", exif=exif, comment=b"a comment")
    assert b"a ward and a name" in data
    pixels = read_picture(data)
    assert type(pixels) is np.ndarray
    assert pixels.base is None or type(pixels.base) is np.ndarray


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\0", "kind"),
        (b"\0" * 4096, "kind"),
        ("一份病历".encode(), "kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'/>", "kind"),
        (b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>", "kind"),
        (saved(quarters("P"), "GIF"), "kind"),
        (saved(quarters(), "TIFF"), "kind"),
        (saved(quarters(), "PPM"), "kind"),
        (saved(quarters(), "ICO"), "kind"),
        (saved(quarters(), "PDF"), "kind"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
        (b"BM", "damaged"),
    ],
)
def test_what_is_no_such_picture_is_refused(data: bytes, reason: str) -> None:
    assert why(data) == reason


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "JPEG"])
@pytest.mark.parametrize("part", [0.9, 0.5, 0.1])
def test_a_picture_cut_short_is_refused(kind: str, part: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    assert why(data[: int(len(data) * part)]) == "damaged"


def test_a_png_with_damaged_pixels_is_refused() -> None:
    data = bytearray(saved(quarters()))
    data[data.index(b"IDAT") + 12] ^= 0xFF
    assert why(bytes(data)) == "damaged"


def test_the_name_of_a_file_counts_for_nothing() -> None:
    """A GIF that is called PNG, and the other way round: only bytes are given, and only bytes decide."""
    assert why(b"GIF89a" + saved(quarters())) == "kind"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(15, 400), (400, 15), (1, 1)])
def test_a_picture_below_sixteen_pixels_is_refused(kind: str, size: tuple[int, int]) -> None:
    assert why(saved(Image.new("RGB", size), kind)) == "small"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_the_limits_are_the_last_that_is_taken(kind: str) -> None:
    data = saved(Image.new("RGB", (100, 50)), kind)
    exact = PictureLimits(bytes_max=len(data), pixels_max=5000, side_max_px=100)
    assert read_picture(data, limits=exact).shape == (50, 100, 3)
    assert why(data, bytes_max=len(data) - 1) == "heavy"
    assert why(data, pixels_max=4999) == "large"
    assert why(data, side_max_px=99) == "large"


def test_a_jpeg_of_very_many_scans_is_refused_before_each_is_walked() -> None:
    data = saved(quarters(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert read_picture(data).shape == (HEIGHT, WIDTH, 3)
    assert why(data[:-2] + data[last:-2] * 200 + data[-2:]) == "costly"


def test_a_run_length_bmp_is_refused() -> None:
    data = bytearray(saved(quarters("P"), "BMP"))
    data[30:34] = struct.pack("<I", 1)
    assert why(bytes(data)) == "costly"


def test_what_pillow_only_warns_of_is_refused() -> None:
    """An animation control of no frames makes Pillow guess; behind the pixels it does so while they load."""
    no_frames = chunk(b"acTL", struct.pack(">II", 0, 0))
    data = saved(quarters())
    pixels, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in production, where nothing is an error
        for at in (pixels, end):
            assert why(data[:at] + no_frames + data[at:]) == "damaged"


def test_many_threads_read_at_once_and_leave_the_warnings_as_they_were() -> None:
    good, bad = saved(quarters(), "JPEG"), saved(quarters())[:-40]
    before = list(warnings.filters)
    seen: list[str] = []

    def read() -> None:
        for _ in range(20):
            seen.append(str(read_picture(good).shape))
            seen.append(why(bad))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), set(seen)) == (160, {f"({HEIGHT}, {WIDTH}, 3)", "damaged"})
    assert list(warnings.filters) == before


def test_one_reading_at_a_time_holds_the_warnings_of_the_process() -> None:
    """Or the second to leave would put back what the first had set, and every later warning would be an error."""
    entered = threading.Event()

    def enter() -> None:
        with images._warnings_refuse():
            entered.set()

    with images._warnings_refuse():
        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.1)
    waiting.join()
    assert entered.is_set()
