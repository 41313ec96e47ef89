"""Shots: how our own pulling process hands on the best shots of a stream, and the reader that takes them back.

Written by us and read by us, and yet read as if anybody had written it: the spool it comes from lies on a disk.
"""

import msgspec

from shouhao.watch.model import Arrival, NotUnderstood, Reading, Shot, Source

SOURCE: Source = "shots"
CONTENT_TYPE = "application/msgpack"
SHOTS_MAX = 64  #: of one arrival
PICTURE_BYTES_MAX = 8 * 1024 * 1024


class WrittenShot(msgspec.Struct, frozen=True, kw_only=True):
    """One best shot of one passage."""

    ref: str
    at_us: int  #: by our clock: when it was taken
    crop: bytes  #: JPEG, the face with a margin
    scene: bytes | None = None  #: JPEG
    box_xyxy_px: tuple[float, float, float, float] | None = None  #: of the face in the scene
    track: str
    quality: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[WrittenShot]).decode


def arrival_of(shots: list[WrittenShot], *, device_id: str, arrived_at_us: int) -> Arrival:
    """What the spool keeps. Nobody has to prove who they are: the process that pulled is ours."""
    return Arrival(
        source=SOURCE,
        device_id=device_id,
        proven=True,
        content_type=CONTENT_TYPE,
        body=_encode(shots),
        arrived_at_us=arrived_at_us,
    )


def read_shots(arrival: Arrival) -> Reading:
    """The shots of an arrival; a `Reader`. What cannot be used is named, the rest is kept."""
    try:
        written = _decode(arrival.body)
    except (msgspec.MsgspecError, ValueError):  # a text that is no UTF-8 is a ValueError
        return Reading(not_understood=[_not("body", "不是本系统写入的抓拍", "these are no shots of this system")])
    shots, left_out = [], []
    for n, one in enumerate(written):
        why = _problem(one, n)
        if why is None:
            shots.append(_shot(one))
        else:
            left_out.append(_not(f"shots[{n}]", *why))
    return Reading(shots=shots, not_understood=left_out)


def _problem(one: WrittenShot, n: int) -> tuple[str, str] | None:
    if n >= SHOTS_MAX:
        return f"超过 {SHOTS_MAX} 张", f"there are more than {SHOTS_MAX}"
    if not one.crop or len(one.crop) > PICTURE_BYTES_MAX or len(one.scene or b"") > PICTURE_BYTES_MAX:
        return "图片为空或过大", "a picture is empty or too large"
    if not one.ref or not 0 <= one.quality <= 1 or one.at_us < 0:
        return "字段不符合规则", "a field breaks its rule"
    return None


def _shot(one: WrittenShot) -> Shot:
    return Shot(
        ref=one.ref,
        shot_at_us=one.at_us,
        crop=one.crop,
        scene=one.scene,
        box_xyxy_px=one.box_xyxy_px,
        track=one.track or None,
        quality=one.quality,
    )


def _not(where: str, zh: str, en: str) -> NotUnderstood:
    return NotUnderstood(where=where, why_zh=zh, why_en=en)
