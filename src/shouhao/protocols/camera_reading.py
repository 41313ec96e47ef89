"""What a reader of any camera's protocol gathers: shots, and what was not understood, both bounded.

A reader never raises for what a camera sent: each part that cannot be read is named with its place, the rest is kept.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from shouhao.protocols.pictures import NotAPicture, area_px, checked_picture, picture_of_base64
from shouhao.watch.model import NotUnderstood, Reading, Shot

#: Faces of one message; five times the crowd that any capture camera tells apart in one picture.
SHOTS_MOST = 1000
_PROBLEMS_MOST = 200
_ID_LONGEST = 64
_SCENE_SMALLEST_PX = 640 * 480  #: a single picture of unknown kind that is as large is one of the place
_SCENE_TIMES = 4  #: of two pictures of unknown kind, the larger is the scene when it has so many times the pixels


@dataclass(slots=True)
class Gathering:
    """Collects while a message is read."""

    shots: list[Shot] = field(default_factory=list)
    problems: list[NotUnderstood] = field(default_factory=list)
    full: bool = False  #: and that was said

    def add(self, shot: Shot, where: str) -> None:
        """Keep a shot; those beyond the bound are named, once."""
        if len(self.shots) < SHOTS_MOST:
            self.shots.append(shot)
        elif not self.full:
            self.full = True
            self.problem(where, f"一条消息超过 {SHOTS_MOST} 张人脸", f"more than {SHOTS_MOST} faces in one message")

    def problem(self, where: str, zh: str, en: str) -> None:
        """Name what could not be read; of very many only the first."""
        if len(self.problems) < _PROBLEMS_MOST:
            self.problems.append(NotUnderstood(where=where[:200], why_zh=zh, why_en=en))

    def base64(self, text: str, where: str) -> bytes | None:
        """The picture in a text, or None and its problem."""
        try:
            return picture_of_base64(text)
        except NotAPicture as fault:
            self.problem(where, fault.zh, fault.en)
            return None

    def picture(self, data: bytes, where: str) -> bytes | None:
        """The bytes where they are a picture, or None and their problem."""
        try:
            return checked_picture(data)
        except NotAPicture as fault:
            self.problem(where, fault.zh, fault.en)
            return None

    def reading(self) -> Reading:
        """What was gathered."""
        return Reading(shots=tuple(self.shots), not_understood=tuple(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Which of a face's pictures is which."""

    crop: bytes | None = None
    scene: bytes | None = None
    exchanged: bool = False  #: the device had named them the other way round


def roles(*, crops: list[bytes], scenes: list[bytes], others: list[bytes]) -> Roles:
    """Settle crop and scene by what the device called them, and by their size where that cannot be.

    Several pictures of one kind: the largest crop, the largest scene.
    """
    crop = max(crops, key=area_px, default=None)
    scene = max(scenes, key=area_px, default=None)
    if crop is not None and scene is not None:
        if area_px(crop) > area_px(scene):
            return Roles(crop=scene, scene=crop, exchanged=True)
        return Roles(crop=crop, scene=scene)
    known = crops or scenes
    if len(known) + len(others) == 1:
        if crop is not None or scene is not None:
            return Roles(crop=crop, scene=scene)
        return _alone(others[0])
    return _by_size([*known, *others])


def _alone(picture: bytes) -> Roles:
    return Roles(scene=picture) if area_px(picture) >= _SCENE_SMALLEST_PX else Roles(crop=picture)


def _by_size(pictures: list[bytes]) -> Roles:
    """Several pictures, of which no two kinds are known."""
    if not pictures:
        return Roles()
    by_area = sorted(pictures, key=area_px)
    smallest, largest = by_area[0], by_area[-1]
    if area_px(largest) >= _SCENE_TIMES * area_px(smallest):
        return Roles(crop=smallest, scene=largest)
    return Roles(crop=largest)


def shot_ref(identifier: str, *, unique: bool, picture: bytes) -> str:
    """A shot's id: the device's own where it can be trusted to be one, otherwise joined with the picture's hash.

    Devices that call every face "11111" exist; taking that for a repetition would drop everybody after the first. What
    is sent twice is the same under either id.
    """
    if unique and 0 < len(identifier) <= _ID_LONGEST:
        return identifier
    digest = hashlib.sha256(picture).hexdigest()[:24]
    return f"{identifier[:32]}:{digest}" if identifier else digest


def hints(found: Mapping[str, object]) -> dict[str, str | float]:
    """What may be handed on of a device's own opinion: short texts and finite numbers."""
    kept: dict[str, str | float] = {}
    for name, value in found.items():
        if isinstance(value, int | float) and abs(value) < 1e15:  # noqa: PLR2004 - NaN compares false
            kept[name] = float(value)
        elif isinstance(value, str) and value.strip():
            kept[name] = value.strip()[:_ID_LONGEST]
    return kept
