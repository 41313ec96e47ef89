"""ISAPI: parts in any order, keyed on pId; a recorder's own comparison as a hint; heartbeats."""

import json
from itertools import permutations
from typing import Any

import pytest

from protocols.camera_messages import CROP, SCENE, SHOT_AT_US, arrival, multipart, named, picture
from shouhao.protocols.isapi import is_heartbeat, read_isapi
from shouhao.watch.model import Reading

KIND = "multipart/form-data; boundary=boundary"
TIME = "2020-05-10T20:04:08+08:00"
OTHER = picture(190, 200)


def captured(*face_more: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    faces = [
        {"faceId": n + 1, "pId": f"face{n}", "faceRect": {"x": 0.25, "y": 0.5, "width": 0.1, "height": 0.2}} | more
        for n, more in enumerate(face_more or ({},))
    ]
    return {
        "ipAddress": "10.0.0.9",
        "channelID": 3,
        "dateTime": TIME,
        "eventType": "faceCapture",
        "eventState": "active",
        "faceCapture": [{"targetAttrs": {"faceTime": TIME, "pId": "scene0"}, "faces": faces}],
    } | envelope


def compared(*candidates: dict[str, Any], **face: Any) -> dict[str, Any]:
    one = {
        "faceId": 4,
        "pId": "face0",
        "score": {"value": 87},
        "identify": [{"relationId": 1, "maxsimilarity": 0.97, "candidate": list(candidates)}],
    } | face
    return {
        "dateTime": TIME,
        "eventType": "alarmResult",
        "eventState": "active",
        "alarmResult": [{"errorCode": 1, "targetAttrs": {"faceTime": TIME, "pId": "scene0"}, "faces": [one]}],
    }


def read(*parts: tuple[str, str, bytes], content_type: str = KIND, **more: Any) -> Reading:
    return read_isapi(
        arrival(multipart(*parts, **more), source="isapi", path="/isapi/events", content_type=content_type)
    )


def as_json(value: Any, name: str = "faceCapture") -> tuple[str, str, bytes]:
    return name, "application/json", json.dumps(value).encode()


FACE = ("faceImage|face0", "image/jpeg", CROP)
BACKGROUND = ("backgroundImage|scene0", "image/jpeg", SCENE)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_pictures_find_their_face_in_any_order(order: tuple[int, ...]) -> None:
    parts = (as_json(captured()), FACE, BACKGROUND)
    reading = read(*(parts[n] for n in order))
    (shot,) = reading.shots
    assert (shot.crop, shot.scene, shot.shot_at_us) == (CROP, SCENE, SHOT_AT_US)
    assert shot.box_xyxy_px == pytest.approx((320, 360, 448, 504))
    assert shot.said["channel"] == 3.0
    assert shot.track is None  # faceId is a number within the message for some models
    assert reading.not_understood == ()


def test_each_face_gets_its_own_picture_by_pid() -> None:
    parts = (("faceImage|face1", "image/jpeg", OTHER), FACE, BACKGROUND, as_json(captured({}, {})))
    first, second = read(*parts).shots
    assert (first.crop, second.crop) == (CROP, OTHER)
    assert first.ref != second.ref


@pytest.mark.parametrize(
    ("end", "content_type"),
    [
        ("\r\n", KIND),
        ("\n", KIND),
        ("\r\n", 'Multipart/Form-Data; Boundary="boundary"'),
        ("\r\n", "multipart/form-data"),
        ("\r\n", "multipart/form-data; boundary=another"),
        ("\r\n", "application/octet-stream"),
    ],
)
def test_parts_are_told_apart_however_the_device_writes_them(end: str, content_type: str) -> None:
    (shot,) = read(as_json(captured()), FACE, BACKGROUND, end=end, content_type=content_type).shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)


def test_wrong_kinds_of_parts_are_seen_through() -> None:
    parts = (
        ("faceCapture", "text/plain", json.dumps(captured()).encode()),
        ("faceImage|face0", "application/octet-stream", CROP),
        ("backgroundImage|scene0", "", SCENE),
    )
    (shot,) = read(*parts).shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)


def test_without_pids_the_only_picture_of_a_name_is_taken() -> None:
    told = captured({"pId": None})
    told["faceCapture"][0]["targetAttrs"]["pId"] = None
    parts = (as_json(told), ("faceImage", "image/jpeg", CROP), ("backgroundImage", "image/jpeg", SCENE))
    (shot,) = read(*parts).shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)


def test_without_pids_two_faces_are_not_guessed_at() -> None:
    told = captured({"pId": None}, {"pId": None})
    parts = (as_json(told), ("faceImage", "image/jpeg", CROP), ("faceImage", "image/jpeg", OTHER), BACKGROUND)
    assert [shot.crop for shot in read(*parts).shots] == [None, None]  # the engine looks in the scene


def test_the_most_alike_candidate_is_a_hint_and_not_the_first() -> None:
    names = {"reserve_field": {"name": "张三", "certificateNumber": "110105198506010019"}}
    told = compared(
        {"human_id": "h1", "similarity": 0.71, "FDLibName": "a", "FDLibThreshold": 70} | names,
        {"human_id": "h2", "similarity": 0.97, "FDLibName": "b", "FDLibThreshold": 70} | names,
    )
    (shot,) = read(as_json(told, "alarmResult"), FACE, BACKGROUND).shots
    assert shot.said["similarity_raw"] == 0.97
    assert (shot.said["person_raw"], shot.said["library"]) == ("h2", "b")
    assert shot.said["library_threshold_raw"] == 70.0
    assert shot.quality == pytest.approx(0.87)
    assert "张三" not in repr(shot.said)
    assert "110105" not in repr(shot.said)


@pytest.mark.parametrize("similarity", [0.87, 87.0, "87"])
def test_both_scales_of_similarity_are_kept_as_they_came(similarity: Any) -> None:
    told = compared({"human_id": "h", "similarity": similarity}, {"human_id": "i"})
    (shot,) = read(as_json(told), FACE).shots
    assert shot.said["similarity_raw"] == float(similarity)
    assert shot.said["max_similarity_raw"] == 0.97


def test_the_library_s_picture_is_not_taken_for_the_face() -> None:
    parts = (("faceLibImage|lib0", "image/jpeg", OTHER), as_json(compared(), "alarmResult"), FACE, BACKGROUND)
    (shot,) = read(*parts).shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)


def test_what_is_sent_again_is_the_same_shot() -> None:
    first = read(as_json(captured()), FACE, BACKGROUND).shots[0]
    again = read(as_json(captured(isDataRetransmission=True)), FACE, BACKGROUND).shots[0]
    assert first.ref == again.ref
    assert again.said["retransmitted"] == 1.0


def test_a_picture_that_is_only_named_is_never_fetched() -> None:
    told = captured({"pId": None, "URL": "http://10.0.0.9/picture"})
    told["faceCapture"][0]["targetAttrs"] = {"bkgUrl": "http://10.0.0.9/scene"}
    reading = read(as_json(told))
    assert reading.shots == ()
    assert named(reading) == [("part[0].faceCapture[0].faces[0]", "only an address of the picture; never fetched")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (json.dumps({"eventType": "videoloss", "eventState": "inactive"}).encode(), "application/json"),
        (
            b'<EventNotificationAlert xmlns="urn:x"><eventState>inactive</eventState></EventNotificationAlert>',
            "application/xml",
        ),
        (multipart(("MoveDetection.xml", "application/xml", b"<E><eventState>inactive</eventState></E>")), KIND),
    ],
)
def test_an_inactive_event_is_a_heartbeat(body: bytes, content_type: str) -> None:
    assert is_heartbeat(body, content_type)
    reading = read_isapi(arrival(body, source="isapi", content_type=content_type))
    assert (reading.shots, reading.not_understood) == ((), ())


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (multipart(as_json(captured()), FACE), KIND),
        (multipart(as_json({"eventState": "inactive"}), FACE), KIND),
        (b"", ""),
        (b"{}", "application/json"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><E><eventState>inactive</eventState></E>', "application/xml"),
    ],
)
def test_everything_else_is_none(body: bytes, content_type: str) -> None:
    assert not is_heartbeat(body, content_type)


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"", KIND, "not multipart, or without its boundary"),
        (multipart(FACE), KIND, "there is neither a JSON nor an XML part"),
        (multipart(as_json({"eventType": "VMD", "eventState": "active"})), KIND, "no event of faces"),
        (multipart(as_json([])), KIND, "it is no object"),
        (multipart(("a", "application/json", b"{")), KIND, "not valid JSON (line 1 column 2)"),
        (multipart(("a", "application/xml", b"<a><a>")), KIND, "no XML that can be taken"),
        (multipart(("a", "image/jpeg", b"nothing")), KIND, "it is neither JPEG, PNG, WebP nor BMP"),
        (multipart(as_json(captured())), KIND, "there is no picture for it"),
        (multipart(*[("a", "text/plain", b"")] * 5000), KIND, "more than 4096 parts"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, content_type: str, why: str) -> None:
    reading = read_isapi(arrival(body, source="isapi", content_type=content_type))
    assert reading.shots == ()
    assert why in [reason for _, reason in named(reading)]
