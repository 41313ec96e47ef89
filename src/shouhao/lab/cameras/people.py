"""People who walk past: photographs out of a folder (one folder a person), or made-up pictures where there is none.

Each photograph becomes what a camera would send: the face for itself, and a picture of the place with it. They are
made before anybody walks, so that making them takes nothing from what is measured.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from shouhao.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from PIL.Image import Image

_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_SCENE_PX = (1920, 1080)
_CROP_MOST_PX = 400
_FACE_SHARE = (0.25, 0.2, 0.75, 0.85)  #: where the face is in a photograph that was cut around it
_PLACES = 4  #: that are told apart; making the grain takes longer than all the rest
_LISTED_SHARE = 0.1  #: of the people of a folder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """One photograph, as a camera sends it."""

    crop: str  #: base64
    crop_size_px: tuple[int, int]
    scene: str  #: base64
    scene_size_px: tuple[int, int]
    box_xyxy_px: tuple[int, int, int, int]  #: of the face in the scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who walks past, and which photographs of theirs do."""

    name: str  #: of the folder
    listed: bool
    enrolled: Path | None  #: the photograph kept back for the watchlist; of a listed person
    looks: tuple[Look, ...]


def people_in(
    folder: Path, *, seed: int, most: int = 80, looks_most: int = 3, listed: Sequence[str] | None = None
) -> list[Person]:
    """People of a folder; a tenth of those with two photographs is listed, and the first of theirs never walks.

    Args:
        most: people, chosen by the seed.
        listed: who is, by the names of their folders; without it a tenth, chosen by the seed.
    Raises:
        InvalidInput: there are no photographs.
    """
    rng = Random(seed)  # noqa: S311 - a simulation is repeated by its seed
    photos = {one.name: _photos(one) for one in sorted(folder.iterdir()) if one.is_dir()}
    named = [name for name, found in photos.items() if found]
    if not named:
        raise InvalidInput("faces", zh="目录中没有照片（每人一个子目录）", en="no photographs (one folder a person)")
    several = [name for name in named if len(photos[name]) > 1]
    chosen = set(listed or rng.sample(several, max(1, round(len(several) * _LISTED_SHARE))) if several else ())
    walking = sorted(chosen & set(named)) + rng.sample(
        [name for name in named if name not in chosen], len(named) - len(chosen & set(named))
    )
    return [
        _person(name, photos[name], listed=name in chosen, looks_most=looks_most, rng=rng) for name in walking[:most]
    ]


def made_up(*, seed: int, count: int = 24) -> list[Person]:
    """Pictures that no detector takes for a face, for trying the line."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only who simulates draws

    rng = Random(seed)  # noqa: S311 - as above
    people = []
    for number in range(count):
        shade = tuple(rng.randrange(60, 230) for _ in range(3))
        picture = Image.new("RGB", (250, 250), shade)
        draw = ImageDraw.Draw(picture)
        draw.ellipse((70, 50, 180, 210), fill=tuple(255 - part for part in shade))
        for x in (100, 150):
            draw.ellipse((x - 9, 110, x + 9, 124), fill=shade)
        look = _look(picture, rng)
        people.append(Person(name=f"made-up-{number}", listed=number % 10 == 0, enrolled=None, looks=(look,)))
    return people


def _person(name: str, photos: list[Path], *, listed: bool, looks_most: int, rng: Random) -> Person:
    from PIL import Image  # noqa: PLC0415 - as above

    walking = photos[1:] if listed and len(photos) > 1 else photos
    looks = []
    for path in walking[:looks_most]:
        with Image.open(path) as picture:
            looks.append(_look(picture.convert("RGB"), rng))
    return Person(name=name, listed=listed, enrolled=photos[0] if listed else None, looks=tuple(looks))


def _photos(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)


def _look(picture: "Image", rng: Random) -> Look:
    picture.thumbnail((_CROP_MOST_PX, _CROP_MOST_PX))
    place = _place(rng.randrange(_PLACES)).copy()
    left = rng.randrange(0, _SCENE_PX[0] - picture.width)
    top = rng.randrange(0, _SCENE_PX[1] - picture.height)
    place.paste(picture, (left, top))
    x1, y1, x2, y2 = _FACE_SHARE
    box = (
        left + round(x1 * picture.width),
        top + round(y1 * picture.height),
        left + round(x2 * picture.width),
        top + round(y2 * picture.height),
    )
    return Look(
        crop=_jpeg(picture, 90),
        crop_size_px=picture.size,
        scene=_jpeg(place, 60),
        scene_size_px=place.size,
        box_xyxy_px=box,
    )


@cache
def _place(number: int) -> "Image":
    """A wall, with as much grain as makes a picture as heavy as a camera's."""
    from PIL import Image  # noqa: PLC0415 - as above

    return Image.effect_noise(_SCENE_PX, 12).convert("RGB").point(lambda level: min(255, level // 2 + 60 + 5 * number))


def _jpeg(picture: "Image", quality: int) -> str:
    written = BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return base64.b64encode(written.getvalue()).decode()
