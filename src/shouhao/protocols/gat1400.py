"""GA/T 1400: faces out of what a device posted, whichever way its maker read the standard.

Taken are faces under /VIID/Faces, in /VIID/Images, persons with a picture of their face, and either inside a
subscription's notification. Lists may be single objects, wrapped once more, or called differently; a picture's place
is settled by size where its type is wrong; a picture that is only named by an address is never fetched. Fields that
makers use for something else are handed on as hints and decide nothing. Names and document numbers that a device may
send are not read at all.

What it leaves to others: answering (web/internal), digest (gat1400_digest.py), pixels and comparing (flows/capture.py).
Source: GA/T 1400.4; the variants were seen in devices and in code for them.
"""

import re
from typing import Any

from shouhao.protocols.camera_reading import Gathering, Roles, hints, roles, shot_ref
from shouhao.protocols.device_times import time_in_id_us, time_us
from shouhao.protocols.gat1400_json import Fields, Unreadable, as_list, read_json
from shouhao.watch.model import Arrival, Reading, Shot

_FACES = frozenset({"facelistobject", "facelist", "faceobjectlist", "faceobject"})
_PERSONS = frozenset({"personlistobject", "personlist", "personobjectlist", "personobject"})
_IMAGES = frozenset({"imagelistobject", "imagelist", "image", "imageobject"})
_NOTICES = frozenset(
    {"subscribenotificationlistobject", "subscribenotificationlist", "subscribenotificationobject"},
)
_CONTAINERS = _FACES | _PERSONS | _IMAGES | _NOTICES
#: What the standard carries besides, and no camera of ours is asked for.
_NOT_FOR_US = re.compile(
    r"(motorvehicle|nonmotorvehicle|thing|scene|disposition|dispositionnotification|ape|aps|tollgate|lane|case|"
    r"videoslice|videolabel|file|videosliceinfo|subscribe)\w*",
)
_DEPTH_MOST = 12
_ITEM = frozenset({"faceobject", "personobject", "image", "imageobject"})

_CROP_TYPE, _SCENE_TYPE = "11", "14"
_PERSON_TYPES = frozenset({"8", "10"})
_SUB_LISTS = ("subimagelist", "subimagelistobject", "subimages")
_SUB_ITEMS = ("subimageinfoobject", "subimageobject", "subimageinfo", "subimagelistobject")
_ID_DIGITS = 48
_DATA_PATH = re.compile(r"/VIID/(?:Images|Faces|Persons)/([0-9A-Za-z_-]{1,64})/Data/?", re.IGNORECASE)
_IS_BASE64 = re.compile(rb"[A-Za-z0-9+/=_\-\s]{64}")

#: The device's own opinion of a face: kept as hints. Names and documents of people are not in this list.
_HINTS = (
    *("infokind", "gendercode", "ageuplimit", "agelowerlimit", "ethiccode", "attitude", "emotion", "glassstyle"),
    *("similaritydegree", "m_dsimilaritydegree", "mustachestyle", "mustachestype", "lipstyle", "lipstype"),
    *("wrinklepouch", "capstyle", "respiratorcolor", "skincolor", "facestyle", "accompanynumber", "isdriver"),
    *("isforeigner", "issuspectedterrorist", "iscriminalinvolved", "isdetainees", "isvictim", "issuspiciousperson"),
    *("position", "tabid", "relatedtype", "trackid", "score", "quality"),
)
_SHARES = 100.0


def read_gat1400(arrival: Arrival) -> Reading:
    """The faces in what a device sent; never raises for what stands in it."""
    found = Gathering()
    named = _DATA_PATH.fullmatch(arrival.path)
    if named is not None:
        _read_data(arrival, named[1], found)
        return found.reading()
    try:
        value = read_json(arrival.body, arrival.content_type)
    except Unreadable as fault:
        found.problem("$", fault.zh, fault.en)
        return found.reading()
    before = len(found.problems)
    held = _walk(value, "", found, sender=arrival.device_id, depth=0) or _read_bare(value, arrival, found)
    if not held and len(found.problems) == before:
        found.problem("$", "没有人脸列表", "there is no list of faces")
    return found.reading()


def _walk(value: Any, where: str, found: Gathering, *, sender: str, depth: int) -> bool:
    """Go down through lists and wrappings to the faces; whether anything that holds some stood there."""
    if depth > _DEPTH_MOST:
        found.problem(where, "嵌套过深", "nested too deeply")
        return True
    if isinstance(value, list):
        held = [
            _walk(item, f"{where}[{number}]", found, sender=sender, depth=depth + 1)
            for number, item in enumerate(value)
        ]
        return any(held)
    if not isinstance(value, dict):
        return False
    held_any = False
    for name, inner in value.items():
        key = name.casefold()
        place = f"{where}.{name}"[:200].lstrip(".")
        if key in _CONTAINERS:
            held_any = True
            _go_into(key, inner, place, found, sender=sender, depth=depth)
        elif isinstance(inner, dict | list) and inner and _NOT_FOR_US.fullmatch(key) and key != "subimagelist":
            found.problem(place, "不是人脸，本系统不处理", "no faces; nothing here works on it")
    return held_any


def _read_bare(value: Any, arrival: Arrival, found: Gathering) -> bool:
    """Faces without anything around them, where the path says that they are some."""
    bare = [(place, item) for place, item in _numbered(value, "$") if item.first("faceid", *_SUB_LISTS) is not None]
    for place, item in bare:
        _read_face(item, place, found, sender=arrival.device_id)
    return bool(bare)


def _go_into(key: str, value: Any, where: str, found: Gathering, *, sender: str, depth: int) -> None:
    if key in _ITEM:
        items = as_list(value)
    elif isinstance(value, list):
        items = value
    elif isinstance(value, dict) and not _wraps(value):
        items = [value] if value else []  # the object itself where its list should be
    else:
        if not _walk(value, where, found, sender=sender, depth=depth + 1) and value not in (None, ""):
            found.problem(where, "不是列表", "it is no list")
        return
    for number, item in enumerate(items):
        place = f"{where}[{number}]" if isinstance(value, list) else where
        if isinstance(item, dict):
            _read_item(key, item, place, found, sender=sender, depth=depth)
        else:
            found.problem(place, "不是对象", "it is no object")


def _read_item(key: str, item: dict[str, Any], where: str, found: Gathering, *, sender: str, depth: int) -> None:
    if key in _IMAGES and not ("image" in _names(item) or "imageobject" in _names(item)):
        _read_image(item, where, found, sender=sender, depth=depth)
    elif _wraps(item) or key in _NOTICES:
        _walk(item, where, found, sender=sender, depth=depth + 1)
    elif key in _FACES:
        _read_face(Fields(item), where, found, sender=sender)
    else:
        _read_person(Fields(item), where, found, sender=sender)


def _wraps(value: dict[str, Any]) -> bool:
    return not _names(value).isdisjoint(_CONTAINERS)


def _names(value: dict[str, Any]) -> set[str]:
    return {name.casefold() for name in value}


def _read_face(face: Fields, where: str, found: Gathering, *, sender: str, scene: bytes | None = None) -> None:
    pictures, scene_time = _pictures(face, where, found)
    settled = roles(crops=pictures["crop"], scenes=pictures["scene"], others=pictures["other"])
    if settled.scene is None and scene is not None:
        settled = Roles(crop=settled.crop, scene=scene)
    _add(face, settled, where, found, sender=sender, ids=("faceid",), scene_time=scene_time, box=True)


def _read_person(person: Fields, where: str, found: Gathering, *, sender: str) -> None:
    """A person's picture of the face, or else of the body: the engine finds the face in it."""
    pictures, scene_time = _pictures(person, where, found, body_is_crop=True)
    settled = roles(crops=pictures["crop"], scenes=pictures["scene"], others=pictures["other"])
    _add(person, settled, where, found, sender=sender, ids=("personid",), scene_time=scene_time, box=False)


def _read_image(image: dict[str, Any], where: str, found: Gathering, *, sender: str, depth: int) -> None:
    """A picture of a place, with the faces in it where the device lists them, else for itself."""
    fields = Fields(image)
    info = fields.first("imageinfo", "imageinfoobject")
    told = Fields(info) if isinstance(info, dict) else fields
    data = fields.first("data") or told.first("data")
    scene = found.base64(data, f"{where}.Data") if isinstance(data, str) else None
    before = len(found.shots)
    listed = False
    for name, spelt, value in fields.items():
        if name in _FACES:
            listed = True
            for number, face in enumerate(_unwrapped(value)):
                _read_face(Fields(face), f"{where}.{spelt}[{number}]", found, sender=sender, scene=scene)
        elif name in _PERSONS:
            listed = True
            _go_into(name, value, f"{where}.{spelt}", found, sender=sender, depth=depth + 1)
    if len(found.shots) > before or listed:
        return
    if scene is None:
        _without_picture(told, where, found)
        return
    settled = roles(crops=[], scenes=[], others=[scene])
    _add(told, settled, where, found, sender=sender, ids=("imageid",), scene_time=None, box=False)


def _unwrapped(value: Any, depth: int = 0) -> list[dict[str, Any]]:
    """The faces in a list that may be wrapped."""
    if depth > _DEPTH_MOST:
        return []
    faces: list[dict[str, Any]] = []
    for item in as_list(value):
        if not isinstance(item, dict):
            continue
        inner = [value for name, value in item.items() if name.casefold() in _FACES]
        faces += [face for part in inner for face in _unwrapped(part, depth + 1)] if inner else [item]
    return faces


def _read_data(arrival: Arrival, image_id: str, found: Gathering) -> None:
    """A picture that was posted for itself, as bytes or as base64: `/VIID/Images/{id}/Data`."""
    body = arrival.body
    is_text = _IS_BASE64.match(body) is not None
    picture = found.base64(body.decode("latin-1"), "$") if is_text else found.picture(body, "$")
    if picture is None:
        return
    settled = roles(crops=[], scenes=[], others=[picture])
    ref = shot_ref(image_id, unique=False, picture=picture)
    shot = Shot(ref=ref, shot_at_us=time_in_id_us(image_id), crop=settled.crop, scene=settled.scene)
    found.add(shot, "$")


def _add(
    told: Fields,
    settled: Roles,
    where: str,
    found: Gathering,
    *,
    sender: str,
    ids: tuple[str, ...],
    scene_time: int | None,
    box: bool,
) -> None:
    picture = settled.crop or settled.scene
    if picture is None:
        _without_picture(told, where, found)
        return
    identifier = told.text(*ids, "faceid", "imageid", "id")
    unique = len(identifier) == _ID_DIGITS and identifier.isdigit()
    shot = Shot(
        ref=shot_ref(identifier, unique=unique, picture=picture),
        shot_at_us=_shot_at(told, identifier, where, found, scene_time=scene_time),
        crop=settled.crop,
        scene=settled.scene,
        box_xyxy_px=_box(told) if box and settled.scene is not None else None,
        quality=_quality(told),
        said=_said(told, settled, sender=sender),
    )
    found.add(shot, where)


def _pictures(
    told: Fields, where: str, found: Gathering, *, body_is_crop: bool = False
) -> tuple[dict[str, list[bytes]], int | None]:
    """The pictures of an object by what the device calls them, and when the scene was taken."""
    kinds: dict[str, list[bytes]] = {"crop": [], "scene": [], "other": []}
    scene_time = None
    for place, item in _sub_images(told, where):
        data = item.first("data")
        if not isinstance(data, str):
            _address_only(item, place, found)
            continue
        picture = found.base64(data, f"{place}.Data")
        if picture is None:
            continue
        kind = item.text("type").lstrip("0")
        if kind == _CROP_TYPE:
            kinds["crop"].append(picture)
        elif kind == _SCENE_TYPE:
            kinds["scene"].append(picture)
            scene_time = scene_time or time_us(item.first("shottime"))
        elif not (kind in _PERSON_TYPES and body_is_crop and kinds["crop"]):
            kinds["other"].append(picture)
    return kinds, scene_time


def _sub_images(told: Fields, where: str) -> list[tuple[str, Fields]]:
    items: list[tuple[str, Fields]] = []
    for name, spelt, value in told.items():
        if name not in _SUB_LISTS:
            continue
        for place, entry in _numbered(value, f"{where}.{spelt}"):
            inner = next(((own, listed) for lower, own, listed in entry.items() if lower in _SUB_ITEMS), None)
            items += [(place, entry)] if inner is None else _numbered(inner[1], f"{place}.{inner[0]}")
    return items


def _numbered(value: Any, where: str) -> list[tuple[str, Fields]]:
    """The objects of a list, or one object for itself, each with its place."""
    if isinstance(value, dict):
        return [(where, Fields(value))]
    return [(f"{where}[{n}]", Fields(item)) for n, item in enumerate(as_list(value)) if isinstance(item, dict)]


def _address_only(item: Fields, where: str, found: Gathering) -> None:
    """A picture that is only named: fetching it would let a device point us at any machine of the hospital."""
    if item.first("storagepath", "url") is not None:
        found.problem(
            f"{where}.StoragePath", "只有图片地址，不会去下载", "only an address of the picture; never fetched"
        )
    else:
        found.problem(f"{where}.Data", "没有图片数据", "there is no picture data")


def _without_picture(told: Fields, where: str, found: Gathering) -> None:
    named = told.first("storagepath", *_SUB_LISTS) is not None
    if not named or not any(problem.where.startswith(where) for problem in found.problems):
        found.problem(where, "没有可用的图片", "there is no usable picture")


def _shot_at(told: Fields, identifier: str, where: str, found: Gathering, *, scene_time: int | None) -> int | None:
    said = [(name, told.first(name)) for name in ("shottime", "faceappeartime", "personappeartime", "locationmarktime")]
    for _, value in said:
        at_us = time_us(value)
        if at_us is not None:
            return at_us
    wrong = next((name for name, value in said if value is not None), None)
    if wrong is not None:
        found.problem(f"{where}.{told.spelt(wrong)}", "时间无法识别", "the time cannot be read")
    return scene_time or time_in_id_us(identifier) or time_in_id_us(told.text("sourceid"))


def _box(told: Fields) -> tuple[float, float, float, float] | None:
    left, top = told.number("lefttopx"), told.number("lefttopy")
    right, bottom = told.number("rightbtmx"), told.number("rightbtmy")
    if left is None or top is None or right is None or bottom is None:
        return None
    return (left, top, right, bottom) if 0 <= left < right and 0 <= top < bottom else None


def _quality(told: Fields) -> float | None:
    value = told.number("facequality", "qualityscore")
    if value is None or not 0 <= value <= _SHARES:
        return None
    return value if value <= 1 else value / _SHARES


def _said(told: Fields, settled: Roles, *, sender: str) -> dict[str, str | float]:
    said = hints({name: told.first(name) for name in _HINTS})
    device = told.text("deviceid", most=32)
    if device and device != sender:
        said["device_id"] = device  # a platform passes on what its cameras saw
    if settled.exchanged:
        said["types_exchanged"] = 1.0
    return said
