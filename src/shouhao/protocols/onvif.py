"""ONVIF Profile M: hints of faces in metadata and in events; a shot only where a picture came with it.

Neither a list of people nor a scale of similarity is defined there, so what such a camera says of whom it saw is a
hint, and a label, which may be somebody's name, is not read. Addresses of pictures are never fetched.
Source: ONVIF Analytics Service and Metadata Stream; topic tns1:RuleEngine/Recognition/Face.
"""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError

from shouhao.protocols.bounded_xml import TooMuchXML, local, tree
from shouhao.protocols.camera_reading import Gathering, hints, shot_ref
from shouhao.protocols.device_times import time_us
from shouhao.protocols.multipart import NotMultipart, parts_of
from shouhao.protocols.pictures import size_px
from shouhao.watch.model import Arrival, Reading, Shot

_FACE_TOPIC = re.compile(r"(?:^|[:/])RuleEngine/Recognition/Face(?:$|[\s/])")
_HINTS = {"Likelihood": "likelihood", "EnrollmentID": "enrollment_id", "ObjectId": "object_id"}
_ADDRESSES = frozenset({"ImageUri", "RefImageUri"})
_OBJECTS_MOST = 1000


def read_onvif(arrival: Arrival) -> Reading:
    """The faces in a piece of metadata or in an event; never raises for what stands in it."""
    found = Gathering()
    for place, data in _documents(arrival, found):
        try:
            root = tree(data)
        except (ParseError, DefusedXmlException, TooMuchXML, UnicodeError, ValueError, LookupError):
            found.problem(place, "不是可接受的 XML", "no XML that can be taken")
            continue
        before = len(found.shots) + len(found.problems)
        for where, frame in _named(root, "Frame", place):
            _read_frame(frame, where, found)
        for where, message in _named(root, "NotificationMessage", place):
            _read_event(message, where, found)
        if before == len(found.shots) + len(found.problems):
            found.problem(place, "没有人脸", "there are no faces")
    return found.reading()


def _documents(arrival: Arrival, found: Gathering) -> Iterator[tuple[str, bytes]]:
    if "multipart" not in arrival.content_type.lower():
        yield "$", arrival.body.strip()
        return
    try:
        for part in parts_of(arrival.body, arrival.content_type):
            if part.kind.endswith("xml") or part.data.lstrip()[:1] == b"<":
                yield f"part[{part.number}]", part.data.strip()
    except NotMultipart as fault:
        found.problem("$", fault.zh, fault.en)


def _read_frame(frame: Element, where: str, found: Gathering) -> None:
    """Objects of one frame that are faces of people."""
    at_us = time_us(frame.get("UtcTime", ""))
    for place, thing in _named(frame, "Object", where):
        if not any(local(inner.tag) in {"HumanFace", "Face"} or _says_face(inner) for inner in thing.iter()):
            continue
        said: dict[str, object] = {"object_id": thing.get("ObjectId")}
        for inner in thing.iter():
            if local(inner.tag) == "Type" and inner.get("Likelihood"):
                said["likelihood"] = _number(inner.get("Likelihood", ""))
        _add(thing, place, found, at_us=at_us, said=said, track=thing.get("ObjectId"))


def _read_event(message: Element, where: str, found: Gathering) -> None:
    topic = next((inner.text or "" for inner in message.iter() if local(inner.tag) == "Topic"), "")
    if not _FACE_TOPIC.search(topic.strip()):
        found.problem(f"{where}.Topic", "不是人脸事件", "no event of faces")
        return
    times = (time_us(inner.get("UtcTime")) for inner in message.iter() if inner.get("UtcTime"))
    said: dict[str, object] = {}
    address = False
    for inner in message.iter():
        name = inner.get("Name", "")
        if local(inner.tag) == "SimpleItem" and name in _HINTS:
            value = inner.get("Value", "")
            said[_HINTS[name]] = _number(value) if name == "Likelihood" else value
        address = address or (name in _ADDRESSES and bool(inner.get("Value")))
    _add(message, where, found, at_us=next(times, None), said=said, track=None, address=address)


def _add(
    thing: Element,
    where: str,
    found: Gathering,
    *,
    at_us: int | None,
    said: dict[str, object],
    track: str | None,
    address: bool = False,
) -> None:
    text = next((inner.text for inner in thing.iter() if local(inner.tag) == "Image" and inner.text), None)
    if text is None:
        if address or any(local(inner.tag) in _ADDRESSES for inner in thing.iter()):
            found.problem(where, "只有图片地址，不会去下载", "only an address of the picture; never fetched")
        else:
            found.problem(where, "没有图片", "there is no picture")
        return
    picture = found.base64(text.strip(), f"{where}.Image")
    if picture is None:
        return
    ref = shot_ref(f"{track or ''}.{at_us or ''}", unique=False, picture=picture)
    size = size_px(picture)
    told = hints(said | {"width_px": size[0] if size else None})
    found.add(Shot(ref=ref, shot_at_us=at_us, crop=picture, scene=None, track=track, said=told), where)


def _says_face(element: Element) -> bool:
    return local(element.tag) == "Type" and (element.text or "").strip() in {"Face", "HumanFace"}


def _named(root: Element, name: str, where: str) -> Iterator[tuple[str, Element]]:
    number = 0
    for element in root.iter():
        if local(element.tag) == name:
            yield f"{where}.{name}[{number}]", element
            number += 1
            if number == _OBJECTS_MOST:
                return


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
