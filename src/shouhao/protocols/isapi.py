"""ISAPI: faces out of what a Hikvision camera or recorder pushes.

The message says which picture is which by `pId`; parts come in any order and are told apart by their kind, never by
their place. A recorder's own comparison (alarmResult) is handed on as hints and decides nothing: of its candidates the
most alike is taken, and its similarity is kept as it was sent, for some models count to 1 and others to 100. Names and
document numbers that it sends along are not read.

Source: messages of DeepinView cameras and recorders as seen in public receivers; the maker's ISAPI guide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError

from shouhao.protocols.bounded_xml import TooMuchXML, elements
from shouhao.protocols.camera_reading import Gathering, Roles, hints, roles, shot_ref
from shouhao.protocols.device_times import time_us
from shouhao.protocols.gat1400_json import Fields, Unreadable, as_list, read_json
from shouhao.protocols.multipart import NotMultipart, Part, parts_of
from shouhao.protocols.pictures import size_px
from shouhao.watch.model import Arrival, Reading, Shot

_CAPTURE, _COMPARED = "facecapture", "alarmresult"
_FACES_MOST = 1000
_CANDIDATES_MOST = 100
_LARGEST_SHARE = 1.0
_FACE_HINTS = ("faceid", "stayduration", "facescore", "glass", "mask", "smile", "hat", "beard", "faceexpression")


@dataclass(slots=True)
class _Message:
    """One message, taken apart."""

    values: list[tuple[str, Any]] = field(default_factory=list)  #: place and JSON of each part that is some
    pictures: dict[str, tuple[str, bytes]] = field(default_factory=dict)  #: by every name that a part has
    in_order: list[tuple[str, bytes, str]] = field(default_factory=list)  #: place, picture, name
    xml: list[tuple[str, bytes]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  #: places of pictures that belong to a face


def read_isapi(arrival: Arrival) -> Reading:
    """The faces in what a device pushed; never raises for what stands in it."""
    found = Gathering()
    message = _taken_apart(arrival, found)
    for place, value in message.values:
        _read_value(value, place, message, found)
    for place, data in message.xml:
        _read_xml(data, place, found)
    if not message.values and not message.xml and not found.problems:
        found.problem("$", "没有 JSON 或 XML 部分", "there is neither a JSON nor an XML part")
    return found.reading()


def is_heartbeat(body: bytes, content_type: str) -> bool:
    """Whether a short message says only that the device lives: an event that is inactive, and no picture."""
    message = _taken_apart(
        Arrival(source="isapi", device_id="", proven=False, content_type=content_type, body=body, arrived_at_us=0),
        Gathering(),
    )
    if message.in_order:
        return False
    states = [Fields(value).text("eventstate").lower() for _, value in message.values if isinstance(value, dict)]
    for _, data in message.xml:
        try:
            states += [text.strip().lower() for name, text in elements(data) if name == "eventState"]
        except (ParseError, DefusedXmlException, TooMuchXML):
            return False
    return bool(states) and all(state == "inactive" for state in states)


def _taken_apart(arrival: Arrival, found: Gathering) -> _Message:
    message = _Message()
    body, kind = arrival.body, arrival.content_type
    if "multipart" not in kind.lower() and body.lstrip()[:2] != b"--":
        single = Part(
            number=0, kind=kind.partition(";")[0].strip().lower(), name="", filename="", content_id="", data=body
        )
        _sort(single, "$", kind, message, found)
        return message
    try:
        for part in parts_of(body, kind):
            _sort(part, f"part[{part.number}]", kind, message, found)
    except NotMultipart as fault:
        found.problem("$", fault.zh, fault.en)
    return message


def _sort(part: Part, place: str, content_type: str, message: _Message, found: Gathering) -> None:
    """By kind, or by the first bytes where the kind is missing or wrong."""
    data = part.data.strip() if part.kind.startswith(("application", "text")) or not part.kind else part.data
    if data[:1] in {b"{", b"["} or part.kind.endswith("json"):
        try:
            message.values.append((place, read_json(data, content_type)))
        except Unreadable as fault:
            found.problem(place, fault.zh, fault.en)
    elif data[:1] == b"<" or part.kind.endswith("xml"):
        message.xml.append((place, data))
    elif data:
        picture = found.picture(part.data, place)
        if picture is not None:
            for name in {part.content_id, part.filename, part.filename.rpartition(".")[0], part.name} - {""}:
                message.pictures.setdefault(name.lower(), (place, picture))
            message.in_order.append((place, picture, f"{part.name} {part.filename}".lower()))


def _read_value(value: Any, place: str, message: _Message, found: Gathering) -> None:
    if not isinstance(value, dict):
        found.problem(place, "不是对象", "it is no object")
        return
    envelope = Fields(value)
    event = envelope.text("eventtype").lower()
    if envelope.text("eventstate").lower() == "inactive":
        return  # a heartbeat
    lists = [(spelt, lower, inner) for lower, spelt, inner in envelope.items() if lower in {_CAPTURE, _COMPARED}]
    if not lists:
        if event:
            found.problem(f"{place}.eventType", "不是人脸事件", "no event of faces")
        else:
            found.problem(place, "没有人脸列表", "there is no list of faces")
        return
    for spelt, _, inner in lists:
        for number, item in enumerate(as_list(inner)):
            where = f"{place}.{spelt}[{number}]"
            if isinstance(item, dict):
                _read_target(Fields(item), envelope, where, message, found)
            else:
                found.problem(where, "不是对象", "it is no object")


def _read_target(target: Fields, envelope: Fields, where: str, message: _Message, found: Gathering) -> None:
    """One picture of a place with its faces."""
    about = target.first("targetattrs")
    attributes = Fields(about) if isinstance(about, dict) else Fields({})
    scene = _picture(attributes, message, named=("backgroundimage", "background"))
    faces = [face for face in as_list(target.first("faces", "face")) if isinstance(face, dict)]
    if not faces:
        found.problem(f"{where}.faces", "没有人脸", "there are no faces")
    for number, face in enumerate(faces[:_FACES_MOST]):
        place = f"{where}.faces[{number}]"
        _read_face(Fields(face), attributes, envelope, place, message, found, scene=scene, alone=len(faces) == 1)


def _read_face(
    face: Fields,
    attributes: Fields,
    envelope: Fields,
    where: str,
    message: _Message,
    found: Gathering,
    *,
    scene: bytes | None,
    alone: bool,
) -> None:
    crop = _picture(face, message, named=("faceimage", "facepicture") if alone else ())
    if crop is None and scene is None:
        _no_picture(face, where, found)
        return
    settled = roles(crops=[crop] if crop else [], scenes=[scene] if scene else [], others=[])
    at_us = _time(attributes, envelope, where, found)
    identifier = face.text("pid", "contentid", most=64)
    picture = settled.crop or settled.scene or b""
    shot = Shot(
        ref=shot_ref(f"{identifier or face.text('faceid', most=20)}.{at_us or ''}", unique=False, picture=picture),
        shot_at_us=at_us,
        crop=settled.crop,
        scene=settled.scene,
        box_xyxy_px=_box(face, settled),
        quality=_quality(face),
        said=_said(face, envelope, settled),
    )
    found.add(shot, where)


def _picture(told: Fields, message: _Message, *, named: tuple[str, ...]) -> bytes | None:
    """The picture that a pId names; where it names none that came, the only one that is called so."""
    for name in (told.text("pid"), told.text("contentid")):
        held = message.pictures.get(name.lower()) if name else None
        if held is not None:
            message.used.add(held[0])
            return held[1]
    called = [
        (place, picture)
        for place, picture, name in message.in_order
        if place not in message.used and any(one in name for one in named)
    ]
    if len(called) != 1:
        return None
    message.used.add(called[0][0])
    return called[0][1]


def _no_picture(face: Fields, where: str, found: Gathering) -> None:
    if face.first("url", "facepicurl", "faceurl", "picurl") is not None:
        found.problem(where, "只有图片地址，不会去下载", "only an address of the picture; never fetched")
    else:
        found.problem(where, "没有对应的图片", "there is no picture for it")


def _time(attributes: Fields, envelope: Fields, where: str, found: Gathering) -> int | None:
    said = (attributes.first("facetime", "capturetime"), envelope.first("datetime"))
    for value in said:
        at_us = time_us(value)
        if at_us is not None:
            return at_us
    if any(value is not None for value in said):
        found.problem(where, "时间无法识别", "the time cannot be read")
    return None


def _box(face: Fields, settled: Roles) -> tuple[float, float, float, float] | None:
    """The face's rectangle in the scene; it is told in shares of the picture, or in thousandths by some."""
    told = face.first("facerect", "facepicrect", "rect")
    size = None if settled.scene is None else size_px(settled.scene)
    if not isinstance(told, dict) or size is None:
        return None
    rect = Fields(told)
    left, top = rect.number("x"), rect.number("y")
    width, height = rect.number("width", "w"), rect.number("height", "h")
    if left is None or top is None or width is None or height is None or width <= 0 or height <= 0:
        return None
    whole = _LARGEST_SHARE if max(left, top, width, height) <= _LARGEST_SHARE else 1000.0
    box = (
        left / whole * size[0],
        top / whole * size[1],
        (left + width) / whole * size[0],
        (top + height) / whole * size[1],
    )
    inside = box[0] >= 0 and box[1] >= 0 and box[2] <= size[0] * 1.01 and box[3] <= size[1] * 1.01
    return box if inside else None


def _quality(face: Fields) -> float | None:
    value = _score(face)
    if value is None or not 0 <= value <= 100:  # noqa: PLR2004 - of a hundred
        return None
    return value if value <= 1 else value / 100


def _score(face: Fields) -> float | None:
    score = face.first("score")
    return Fields(score).number("value") if isinstance(score, dict) else face.number("score", "facescore")


def _said(face: Fields, envelope: Fields, settled: Roles) -> dict[str, str | float]:
    found: dict[str, object] = {name: face.first(name) for name in _FACE_HINTS}
    found |= {
        "channel": envelope.first("channelid", "dynchannelid"),
        "retransmitted": envelope.first("isdataretransmission"),
        "types_exchanged": True if settled.exchanged else None,
    }
    identified = [Fields(one) for one in as_list(face.first("identify")) if isinstance(one, dict)]
    greatest = max((value for one in identified if (value := one.number("maxsimilarity")) is not None), default=None)
    found["max_similarity_raw"] = greatest
    best = _most_alike(identified)
    if best is not None:
        found |= {
            "similarity_raw": best.number("similarity"),
            "library": best.text("fdlibname", most=64),
            "library_threshold_raw": best.number("fdlibthreshold"),
            "person_raw": best.text("human_id", "blacklist_id", most=64),
        }
    return hints(found)


def _most_alike(identified: list[Fields]) -> Fields | None:
    """The candidate with the greatest similarity; they do not come in that order."""
    candidates = [
        Fields(one)
        for each in identified
        for one in as_list(each.first("candidate", "candidates"))[:_CANDIDATES_MOST]
        if isinstance(one, dict)
    ]
    known = [
        (value, number) for number, one in enumerate(candidates) if (value := one.number("similarity")) is not None
    ]
    return candidates[max(known)[1]] if known else None


def _read_xml(data: bytes, place: str, found: Gathering) -> None:
    """Older models and other events come as XML; none that is known carries a face's picture by name."""
    try:
        said: Mapping[str, str] = dict(elements(data))
    except (ParseError, DefusedXmlException, TooMuchXML, UnicodeError, ValueError, LookupError):
        found.problem(place, "不是可接受的 XML", "no XML that can be taken")
        return
    if said.get("eventState", "").strip().lower() == "inactive":
        return
    found.problem(f"{place}.eventType", "不是人脸事件", "no event of faces")
