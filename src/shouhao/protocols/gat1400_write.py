"""GA/T 1400: what a platform answers, and what it can tell of a message without reading its pictures.

A device waits for the answer, so only ids and times are looked at here; the message itself is read by another process
(gat1400.py). An answer says for each object whether it was taken.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shouhao.kernel.clock import from_us
from shouhao.protocols.device_times import time_us
from shouhao.protocols.gat1400_json import Fields, Unreadable, as_list, read_json

CONTENT_TYPE = "application/VIID+JSON;charset=UTF-8"

StatusCode = Literal[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
OK: StatusCode = 0
OTHER_ERROR: StatusCode = 1
BUSY: StatusCode = 2
INVALID_OPERATION: StatusCode = 4
BAD_JSON: StatusCode = 7
BAD_CONTENT: StatusCode = 8

_SAYS: dict[int, str] = {
    0: "OK",
    1: "Other error",
    2: "Device busy",
    3: "Device error",
    4: "Invalid operation",
    5: "Invalid XML format",
    6: "Invalid XML content",
    7: "Invalid JSON format",
    8: "Invalid JSON content",
    9: "Rebooting",
}
_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_IDS_MOST = 1000
_DEPTH_MOST = 6
_LISTS = frozenset(
    {"facelistobject", "facelist", "faceobjectlist", "personlistobject", "personlist", "imagelistobject", "imagelist"}
    | {"subscribenotificationlistobject", "dispositionlistobject", "dispositionnotificationlistobject"}
    | {"motorvehiclelistobject", "nonmotorvehiclelistobject", "subscribelistobject"},
)
_ITEMS = frozenset(
    {"faceobject", "personobject", "image", "subscribenotificationobject", "dispositionobject", "subscribeobject"}
    | {"dispositionnotificationobject", "motorvehicleobject", "nonmotorvehicleobject", "imageinfo"},
)
_ID_NAMES = ("faceid", "personid", "notificationid", "dispositionid", "subscribeid", "imageid", "motorvehicleid")
_TIMES = ("shottime", "faceappeartime", "triggertime")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a message says before it is read."""

    ids: tuple[str, ...] = ()
    times_us: tuple[int, ...] = ()  #: by the device's clock, of its objects


class _Face(msgspec.Struct):
    id: str = msgspec.field(name="FaceID", default="")
    shot_time: str | int = msgspec.field(name="ShotTime", default="")


class _Faces(msgspec.Struct):
    faces: list[_Face] = msgspec.field(name="FaceObject")


class _Message(msgspec.Struct):
    faces: _Faces = msgspec.field(name="FaceListObject")


_decode_usual = msgspec.json.Decoder(_Message).decode


def told_by(body: bytes, content_type: str = "") -> Told:
    """Ids and times of the objects in a message; none where it cannot be read."""
    try:
        usual = _decode_usual(body).faces.faces[:_IDS_MOST]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return _loosely(body, content_type)
    times = (time_us(face.shot_time) for face in usual)
    return Told(
        ids=tuple(_plain(face.id) for face in usual),
        times_us=tuple(at_us for at_us in times if at_us is not None),
    )


def status_object(url: str, *, code: StatusCode, identifier: str, now_us: int) -> dict[str, Any]:
    """One ResponseStatusObject."""
    return {
        "RequestURL": url,
        "StatusCode": code,
        "StatusString": _SAYS[code],
        "Id": identifier,
        "LocalTime": local_time(now_us),
    }


def answer_one(url: str, *, code: StatusCode, identifier: str, now_us: int) -> bytes:
    """The answer to Register, UnRegister and Keepalive; the code is text there, as in the devices' own traces."""
    told = status_object(url, code=code, identifier=identifier, now_us=now_us) | {"StatusCode": str(code)}
    return _encode({"ResponseStatusObject": told})


def answer_list(url: str, *, code: StatusCode, identifiers: Sequence[str], now_us: int) -> bytes:
    """The answer to objects: one status each, and one without an id where none could be told apart."""
    listed = [status_object(url, code=code, identifier=one, now_us=now_us) for one in identifiers or [""]]
    return _encode({"ResponseStatusListObject": {"ResponseStatusObject": listed}})


def answer_time(server_id: str, *, now_us: int) -> bytes:
    """The answer to GET /VIID/System/Time; TimeMode 1 is network time."""
    told = {"VIIDServerID": server_id, "TimeMode": "1", "LocalTime": local_time(now_us), "TimeZone": "Asia/Shanghai"}
    return _encode({"SystemTimeObject": told})


def local_time(at_us: int) -> str:
    """A time as the standard writes it.

    >>> local_time(1589112248000000)
    '20200510200408'
    """
    return from_us(at_us).strftime("%Y%m%d%H%M%S")


def device_in(body: bytes, content_type: str, *, within: str) -> tuple[str, int | None]:
    """The DeviceID in a Register, UnRegister or Keepalive, and the time of its clock where it tells one."""
    try:
        value = read_json(body, content_type)
    except Unreadable:
        return "", None
    if not isinstance(value, dict):
        return "", None
    inner = Fields(value).first(within.casefold())
    told = Fields(inner if isinstance(inner, dict) else value)
    return _plain(told.text("deviceid", "id")), time_us(told.first("localtime", "currenttime", "time"))


def _loosely(body: bytes, content_type: str) -> Told:
    try:
        value = read_json(body, content_type)
    except Unreadable:
        return Told()
    found: list[Fields] = []
    _gather(value, found, 0)
    times = (time_us(item.first(*_TIMES)) for item in found)
    return Told(
        ids=tuple(_plain(item.text(*_ID_NAMES)) for item in found),
        times_us=tuple(at_us for at_us in times if at_us is not None),
    )


def _gather(value: Any, found: list[Fields], depth: int) -> None:
    if depth > _DEPTH_MOST or len(found) >= _IDS_MOST:
        return
    for item in as_list(value):
        if not isinstance(item, dict):
            continue
        inner = [part for name, part in item.items() if name.casefold() in _LISTS | _ITEMS]
        own = Fields(item).first(*_ID_NAMES) is not None
        if own:
            found.append(Fields(item))
        for part in inner if not own else ():
            _gather(part, found, depth + 1)


def _plain(identifier: str) -> str:
    """An id that may be written back and logged; anything else is an empty text."""
    return identifier if _ID.fullmatch(identifier) else ""
