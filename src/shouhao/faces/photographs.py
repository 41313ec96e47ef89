"""Photographs: files in, the face that each is about out, in the same order; a file that cannot be used says why.

For measuring and for embedding whole lists. Enrolment is stricter (one face, good quality) and stands in enrolment.py.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from shouhao.faces.images import PictureLimits, read_picture
from shouhao.faces.model import Face, NoFace, PictureRefused, Pixels
from shouhao.kernel.errors import Refused

AT_ONCE = 16  #: pictures held in memory together


class FindsFaces(Protocol):
    """An engine, as far as this needs it."""

    def faces(self, pictures: list[Pixels]) -> list[list[Face]]:
        """The faces of each picture."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photograph:
    """One file and what was found in it."""

    path: Path
    sha256: str | None  #: of its bytes; None: it could not be read
    face: Face | None
    faces: int  #: how many there were
    refusal: Refused | None  #: why there is no face to use


def people_in(folder: Path) -> list[tuple[str, list[Path]]]:
    """People and their files, one folder a person, in the order of their names; hidden ones are left out."""
    return [
        (person.name, sorted(file for file in person.iterdir() if file.is_file() and not file.name.startswith(".")))
        for person in sorted(folder.iterdir())
        if person.is_dir() and not person.name.startswith(".")
    ]


def look_at(paths: Iterable[Path], engine: FindsFaces, *, at_once: int = AT_ONCE) -> Iterator[Photograph]:
    """Read files, find the face that each is about, and go on whatever is wrong with one of them."""
    for some in _batches(paths, at_once):
        read = [_read(path) for path in some]
        pictures = [pixels for _, pixels in read if not isinstance(pixels, Refused)]
        found = iter(engine.faces(pictures)) if pictures else iter(())
        for path, (sha256, pixels) in zip(some, read, strict=True):
            if isinstance(pixels, Refused):
                yield Photograph(path=path, sha256=sha256, face=None, faces=0, refusal=pixels)
                continue
            faces = next(found)
            height, width = pixels.shape[:2]
            yield Photograph(
                path=path,
                sha256=sha256,
                face=main_face(faces, width=width, height=height),
                faces=len(faces),
                refusal=None if faces else NoFace(),
            )


def main_face(faces: Sequence[Face], *, width: int, height: int) -> Face | None:
    """The face that a photograph is about: a large one near the middle, when there are several.

    Its area less twice the squared distance of its middle from the picture's: a passer-by at the edge loses to the
    person in the middle, and a small face behind a shoulder to the large one.
    """
    middle = np.array([width, height]) / 2

    def weight(face: Face) -> float:
        left, top, right, bottom = face.box_xyxy_px.astype(float)
        away = np.array([left + right, top + bottom]) / 2 - middle
        return float((right - left) * (bottom - top) - 2 * (away @ away))

    return max(faces, key=weight, default=None)


def _batches(paths: Iterable[Path], count: int) -> Iterator[list[Path]]:
    rest = iter(paths)
    while some := list(islice(rest, count)):
        yield some


def _read(path: Path) -> tuple[str | None, Pixels | Refused]:
    try:
        if not path.is_file():  # nor a pipe, which might never end
            return None, _unreadable()
        with path.open("rb") as file:
            written = file.read(PictureLimits().bytes_max + 1)
    except (OSError, ValueError):
        return None, _unreadable()
    try:
        return hashlib.sha256(written).hexdigest(), read_picture(written)
    except PictureRefused as refusal:
        # A new one: that which was raised holds on to the frames, and so to the bytes, of every bad file of a run.
        return hashlib.sha256(written).hexdigest(), PictureRefused(**refusal.data)


def _unreadable() -> PictureRefused:
    return PictureRefused(reason="unreadable", why_zh="文件不存在或无法读取", why_en="it cannot be read")
