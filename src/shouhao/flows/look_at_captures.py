"""Look at captures: from what cameras sent to faces that can be compared, nothing kept and nothing decided.

A picture of the face is tried first. Where none is found in it, as in one that is cut too tightly, the picture of the
place is opened at the face's box. Everything here has been made by whoever could send it: pictures are bounded before
they are decoded, and what cannot be used is named without stopping the rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
import structlog

from shouhao.faces.images import PictureLimits, read_picture
from shouhao.faces.model import Face, PictureRefused, Pixels
from shouhao.faces.photographs import main_face
from shouhao.faces.quality import CAPTURE, problems_of
from shouhao.watch.cameras import Camera
from shouhao.watch.model import Arrival, Reader, Shot, Source
from shouhao.watch.passages import Passages, PassageShot, key_of
from shouhao.watch.shot_times import ShotTime, TimeRules, shot_time
from shouhao.watch.spool_reader import Spooled
from shouhao.watch.store.captures import Trouble

_log = structlog.get_logger()

PICTURES_AT_ONCE = 8  #: decoded and looked at together
#: 4K cameras make 8.3 megapixels. A larger picture would cost a second in which nobody else is looked at.
CAPTURE_LIMITS = PictureLimits(bytes_max=8 * 1024 * 1024, pixels_max=16_000_000, side_max_px=16_000)
_MARGIN = 0.6  #: of a face's box, that is cut out around it: detectors need to see hair and chin
_JPEG_QUALITY = 92


class LooksForFaces(Protocol):
    """An engine, as far as this needs it."""

    pack_id: str

    def faces(self, pictures: Sequence[Pixels], *, in_turns: bool = False) -> list[list[Face]]:
        """The faces of each picture, in both views or, `in_turns`, in one."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Seen:
    """A face with the pictures that it was seen in; they are dropped as soon as a better shot is there."""

    face: Face
    crop: bytes | None
    scene: bytes | None

    def drop_pictures(self) -> None:
        """Keep the face alone."""
        self.crop = self.scene = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """One shot, looked at."""

    item: Spooled
    camera: Camera
    key: bytes  #: by which it is known again
    arrived_at_us: int
    late: bool
    shot: PassageShot | None  #: with `Seen`; None: there is no face in it that could be compared


@dataclass(slots=True, kw_only=True)
class LookedAt:
    """What a batch of arrivals came to."""

    shots: list[Looked] = field(default_factory=list)  #: in the order of arrival
    repeated: list[tuple[Spooled, Camera]] = field(default_factory=list)  #: of each shot that was here before
    troubles: list[tuple[Spooled, Trouble]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Open:
    """A shot whose face is looked for."""

    item: Spooled
    camera: Camera
    shot: Shot
    key: bytes
    arrived_at_us: int
    time: ShotTime


def look_at(
    items: Sequence[Spooled],
    *,
    cameras: Mapping[str, Camera],
    readers: Mapping[Source, Reader],
    engine: LooksForFaces,
    passages: Passages,
    times: TimeRules,
    hurried: bool = False,
) -> LookedAt:
    """Read arrivals, drop what was here before, and find the face of each shot.

    Args:
        cameras: by the device's own id.
        passages: knows the shots that were here before.
        hurried: see each face in one view, which takes a third less: an alarm that is late is none. Several shots of
            a passage make up for it, since they are seen in views that take turns.
    """
    looked = LookedAt()
    waiting: list[_Open] = []
    here: set[tuple[str, bytes]] = set()  # shots of this batch
    for item in items:
        waiting += _shots_of(item, looked, cameras=cameras, readers=readers, passages=passages, times=times, here=here)
        while len(waiting) >= PICTURES_AT_ONCE:
            _find_faces(waiting[:PICTURES_AT_ONCE], engine, looked, hurried=hurried)
            del waiting[:PICTURES_AT_ONCE]
    _find_faces(waiting, engine, looked, hurried=hurried)
    return looked


def _shots_of(
    item: Spooled,
    looked: LookedAt,
    *,
    cameras: Mapping[str, Camera],
    readers: Mapping[Source, Reader],
    passages: Passages,
    times: TimeRules,
    here: set[tuple[str, bytes]],
) -> Iterator[_Open]:
    """The shots of one arrival that were not here before."""
    arrival = item.arrival
    if arrival is None:
        return
    camera, reader = cameras.get(arrival.device_id), readers.get(arrival.source)
    if camera is None or camera.state != "live":
        _trouble(looked, item, arrival, None, "device", "没有登记或未启用的设备", "no live camera of this id")
        return
    if reader is None:
        _trouble(looked, item, arrival, camera, "source", "没有该协议的解析", "nothing here reads this protocol")
        return
    try:
        reading = reader(arrival)
    except Exception as error:  # noqa: BLE001 - a reader's bug must not stop all cameras; the arrival is named
        _log.error("capture_reader_failed", source=arrival.source, camera_id=camera.id, error=type(error).__name__)
        _trouble(looked, item, arrival, camera, "body", "解析程序出错", "the program that reads it failed")
        return
    for one in reading.not_understood:
        _trouble(looked, item, arrival, camera, one.where, one.why_zh, one.why_en)
    for shot in reading.shots:
        key = key_of(shot.ref, shot.crop if shot.crop is not None else shot.scene)
        if passages.is_known(camera.id, key) or (camera.id, key) in here:
            looked.repeated.append((item, camera))
            continue
        here.add((camera.id, key))
        time = shot_time(
            shot.shot_at_us, arrived_at_us=arrival.arrived_at_us, clock_offset_us=camera.clock_offset_us, rules=times
        )
        if not time.believed:
            zh, en = "设备时间不可信，按到达时间计", "its time cannot be; the time of arrival was taken"
            _trouble(looked, item, arrival, camera, "ShotTime", zh, en)
        yield _Open(item=item, camera=camera, shot=shot, key=key, arrived_at_us=arrival.arrived_at_us, time=time)


def _find_faces(some: Sequence[_Open], engine: LooksForFaces, looked: LookedAt, *, hurried: bool) -> None:
    """Look for the face of each shot, in the picture of the face and then in that of the place."""
    crops = {
        n: pixels for n, one in enumerate(some) if (pixels := _pixels(one, one.shot.crop, "crop", looked)) is not None
    }
    faces = dict(_seen(some, crops, engine, hurried=hurried))
    for n, one in enumerate(some):
        if n in faces or one.shot.scene is None:
            continue
        pixels = _pixels(one, one.shot.scene, "scene", looked)
        if pixels is None:
            continue
        for _, seen in _seen(some, {n: _around(pixels, one.shot.box_xyxy_px)}, engine, hurried=hurried):
            faces[n] = seen
        pixels.fill(0)
    for n, one in enumerate(some):
        looked.shots.append(_looked(one, faces.get(n)))


def _seen(
    some: Sequence[_Open], pictures: Mapping[int, Pixels], engine: LooksForFaces, *, hurried: bool
) -> Iterator[tuple[int, Seen]]:
    """The face that each picture is about, where it could be compared. The pictures are overwritten."""
    if not pictures:
        return
    for (n, pixels), found in zip(
        pictures.items(), engine.faces(list(pictures.values()), in_turns=hurried), strict=True
    ):
        height, width = pixels.shape[:2]
        face = main_face(found, width=width, height=height)
        if face is not None and not problems_of(face.quality, CAPTURE):
            shot = some[n].shot
            crop = _jpeg(_around(pixels, face.box_xyxy_px.tolist())) if shot.crop is None else shot.crop
            yield n, Seen(face=face, crop=crop, scene=shot.scene)
        pixels.fill(0)


def _looked(one: _Open, seen: Seen | None) -> Looked:
    shot = None
    if seen is not None:
        shot = PassageShot(
            key=one.key,
            track=one.shot.track,
            at_us=one.time.at_us,
            arrived_at_us=one.arrived_at_us,
            vector=seen.face.embedding,
            quality=seen.face.quality.score,
            late=one.time.late,
            what=seen,
        )
    return Looked(
        item=one.item, camera=one.camera, key=one.key, arrived_at_us=one.arrived_at_us, late=one.time.late, shot=shot
    )


def _pixels(one: _Open, data: bytes | None, what: str, looked: LookedAt) -> Pixels | None:
    if data is None:
        return None
    try:
        return read_picture(data, limits=CAPTURE_LIMITS)
    except PictureRefused as refusal:
        if one.item.arrival is not None:
            why = (refusal.data["why_zh"], refusal.data["why_en"])
            _trouble(looked, one.item, one.item.arrival, one.camera, what, *why)
        return None


def _around(scene: Pixels, box_xyxy_px: Sequence[float] | None) -> Pixels:
    """The part of a scene around a face, or all of it where no box can be used."""
    height, width = scene.shape[:2]
    if box_xyxy_px is not None and all(np.isfinite(box_xyxy_px)):
        left, top, right, bottom = box_xyxy_px
        margin = _MARGIN * max(right - left, bottom - top)
        x0, x1 = (round(min(max(x, 0), width)) for x in (left - margin, right + margin))
        y0, y1 = (round(min(max(y, 0), height)) for y in (top - margin, bottom + margin))
        if min(x1 - x0, y1 - y0) >= CAPTURE_LIMITS.side_min_px and left < right and top < bottom:
            return np.ascontiguousarray(scene[y0:y1, x0:x1])
    return scene


def _jpeg(pixels: Pixels) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()


def _trouble(
    looked: LookedAt, item: Spooled, arrival: Arrival, camera: Camera | None, place: str, zh: str, en: str
) -> None:
    trouble = Trouble(
        device_id=arrival.device_id,
        source=arrival.source,
        place=place,
        why_zh=zh,
        why_en=en,
        camera_id=None if camera is None else camera.id,
    )
    looked.troubles.append((item, trouble))
