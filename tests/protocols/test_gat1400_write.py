"""What a platform answers, and what it can tell of a message while the device waits."""

import json
from typing import Any

import pytest

from protocols.camera_messages import DEVICE, FACE_ID, SHOT_AT_US, SOURCE, face, faces
from shouhao.protocols.gat1400_write import answer_list, answer_one, answer_time, device_in, told_by


def test_each_object_gets_its_own_status() -> None:
    told = json.loads(answer_list("/VIID/Faces", code=0, identifiers=["a", "b"], now_us=SHOT_AT_US))
    listed = told["ResponseStatusListObject"]["ResponseStatusObject"]
    assert [one["Id"] for one in listed] == ["a", "b"]
    assert listed[0] == {
        "RequestURL": "/VIID/Faces",
        "StatusCode": 0,
        "StatusString": "OK",
        "Id": "a",
        "LocalTime": "20200510200408",
    }


def test_a_message_without_ids_gets_one_status() -> None:
    told = json.loads(answer_list("/VIID/Faces", code=0, identifiers=(), now_us=SHOT_AT_US))
    assert len(told["ResponseStatusListObject"]["ResponseStatusObject"]) == 1


def test_register_is_answered_with_one_status_whose_code_is_text() -> None:
    told = json.loads(answer_one("/VIID/System/Register", code=0, identifier=DEVICE, now_us=SHOT_AT_US))
    assert told["ResponseStatusObject"]["StatusCode"] == "0"


def test_the_time_is_the_hospitals() -> None:
    told = json.loads(answer_time("31010600001180000001", now_us=SHOT_AT_US))["SystemTimeObject"]
    assert (told["LocalTime"], told["TimeZone"]) == ("20200510200408", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (faces(face(), face(FaceID="short")), (FACE_ID, "short")),
        ({"FaceListObject": {"FaceObject": face()}}, (FACE_ID,)),
        ({"FaceList": [{"FaceObject": face()}]}, (FACE_ID,)),
        ({"PersonListObject": {"PersonObject": [{"PersonID": "p1"}]}}, ("p1",)),
        ({"ImageListObject": {"Image": [{"ImageInfo": {"ImageID": SOURCE}}]}}, (SOURCE,)),
        (
            {
                "SubscribeNotificationListObject": {
                    "SubscribeNotificationObject": [
                        {"NotificationID": "n1", "FaceObjectList": {"FaceObject": [face()]}}
                    ]
                }
            },
            ("n1",),
        ),
        ({"DispositionListObject": {"DispositionObject": [{"DispositionID": "d1"}]}}, ("d1",)),
        (faces(face(FaceID="<script>")), ("",)),
        (faces(face(FaceID=7)), ("7",)),
        ({}, ()),
        ([], ()),
    ],
)
def test_ids_are_told_whatever_is_posted(body: Any, ids: tuple[str, ...]) -> None:
    assert told_by(json.dumps(body).encode()).ids == ids


def test_the_device_s_time_is_told_without_reading_pictures() -> None:
    assert told_by(json.dumps(faces(face())).encode()).times_us == (SHOT_AT_US,)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"FaceListObject":' + b"[" * 100_000])
def test_what_cannot_be_read_tells_nothing(body: bytes) -> None:
    assert told_by(body).ids == ()


@pytest.mark.parametrize(
    "body",
    [
        {"RegisterObject": {"DeviceID": DEVICE}},
        {"registerobject": {"DeviceId": DEVICE}},
        {"DeviceID": DEVICE},
        {"RegisterObject": {"DeviceID": int(DEVICE)}},
    ],
)
def test_the_device_of_a_register_is_found(body: Any) -> None:
    assert device_in(json.dumps(body).encode(), "", within="RegisterObject") == (DEVICE, None)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"RegisterObject":{"DeviceID":["a"]}}', b'{"RegisterObject":5}'])
def test_a_register_without_a_device_names_none(body: bytes) -> None:
    assert device_in(body, "", within="RegisterObject")[0] == ""
