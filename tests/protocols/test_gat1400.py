"""GA/T 1400: every way in which a device was seen to write, and what becomes of what cannot be read."""

import base64
import json
from typing import Any

import pytest

from protocols.camera_messages import (
    CROP,
    DEVICE,
    FACE_ID,
    SCENE,
    SHOT_AT_US,
    SOURCE,
    arrival,
    face,
    faces,
    image,
    named,
    picture,
    text,
)
from shouhao.protocols.gat1400 import read_gat1400
from shouhao.protocols.pictures import PICTURE_MAX_BYTES

SHAPES: dict[str, Any] = {
    "as the standard says": faces(face()),
    "a single object for the list": {"FaceListObject": {"FaceObject": face()}},
    "a list of wrapped faces": {"FaceList": [{"FaceObject": face()}]},
    "a list without FaceObject": {"FaceListObject": [face()]},
    "the face for the list": {"FaceListObject": face()},
    "names in another case": {"faceListObject": {"faceObject": [face()]}},
    "wrapped twice": {"FaceListObject": {"FaceObject": {"FaceObject": [face()]}}},
    "nothing around it": face(),
    "a list and nothing around it": [face()],
    "in a notification": {
        "SubscribeNotificationListObject": {
            "SubscribeNotificationObject": [{"NotificationID": "1", "FaceObjectList": {"FaceObject": [face()]}}]
        }
    },
    "in a notification that is one object": {
        "SubscribeNotificationListObject": {
            "SubscribeNotificationObject": {"NotificationID": "1", "FaceObjectList": {"FaceObject": face()}}
        }
    },
    "in an image": {
        "ImageListObject": {"Image": [{"ImageInfo": {"ImageID": SOURCE}, "FaceList": {"FaceObject": [face()]}}]}
    },
    "in an image, as a list": {"ImageListObject": [{"ImageInfo": {}, "FaceList": [{"FaceObject": face()}]}]},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_face_is_found_however_it_is_wrapped(shape: Any) -> None:
    reading = read_gat1400(arrival(shape))
    (shot,) = reading.shots
    assert (shot.ref, shot.shot_at_us, shot.crop, shot.scene) == (FACE_ID, SHOT_AT_US, CROP, SCENE)
    assert shot.box_xyxy_px == (163.0, 126.0, 334.0, 297.0)
    assert reading.not_understood == ()


PICTURES: dict[str, Any] = {
    "numbers for types": {"SubImageInfoObject": [image(14, SCENE), image(11, CROP)]},
    "the crop first": {"SubImageInfoObject": [image("11", CROP), image("14", SCENE)]},
    "a list without its name": [image("14", SCENE), image("11", CROP)],
    "wrong MIME": {"SubImageInfoObject": [image("14", SCENE, FileFormat="Png"), image("11", CROP, FileFormat="Mp4")]},
    "lines": {"SubImageInfoObject": [image("14", text(SCENE)[:76] + "\r\n" + text(SCENE)[76:]), image("11", CROP)]},
    "the letters of URLs": {
        "SubImageInfoObject": [image("14", base64.urlsafe_b64encode(SCENE).decode().rstrip("=")), image("11", CROP)]
    },
    "data before it": {"SubImageInfoObject": [image("14", "data:image/jpeg;base64," + text(SCENE)), image("11", CROP)]},
    "both called crops": {"SubImageInfoObject": [image("11", SCENE), image("11", CROP)]},
    "of no known type": {"SubImageInfoObject": [image("100", SCENE), image("100", CROP)]},
    "without types": {"SubImageInfoObject": [{"Data": text(CROP)}, {"Data": text(SCENE)}]},
    "called otherwise": {"SubImageObject": [image("14", SCENE), image("11", CROP)]},
}


@pytest.mark.parametrize("pictures", PICTURES.values(), ids=PICTURES)
def test_crop_and_scene_are_told_apart_whatever_they_are_called(pictures: Any) -> None:
    reading = read_gat1400(arrival(faces(face(SubImageList=pictures))))
    (shot,) = reading.shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)
    assert reading.not_understood == ()


def test_types_that_were_exchanged_are_settled_by_size() -> None:
    given = {"SubImageInfoObject": [image("11", SCENE), image("14", CROP)]}
    (shot,) = read_gat1400(arrival(faces(face(SubImageList=given)))).shots
    assert (shot.crop, shot.scene) == (CROP, SCENE)
    assert shot.said["types_exchanged"] == 1.0


def test_the_list_of_pictures_may_be_called_an_object() -> None:
    told = face(SubImageList=None, SubImageListObject=[image("11", CROP)])
    (shot,) = read_gat1400(arrival(faces(told))).shots
    assert (shot.crop, shot.scene) == (CROP, None)
    assert shot.box_xyxy_px is None  # there is no scene that it could be in


TIMES = {
    "20200510200408": SHOT_AT_US,
    20200510200408: SHOT_AT_US,
    "20200510200408123": SHOT_AT_US + 123_000,
    "20200510200408.5": SHOT_AT_US + 500_000,
    "2020-05-10 20:04:08": SHOT_AT_US,
    "2020/5/10 20:04:08.250": SHOT_AT_US + 250_000,
    "2020-05-10T20:04:08+08:00": SHOT_AT_US,
    "2020-05-10T12:04:08.000Z": SHOT_AT_US,
    1589112248: SHOT_AT_US,
    "1589112248000": SHOT_AT_US,
    1589112248000.0: SHOT_AT_US,
}


@pytest.mark.parametrize(("said", "at_us"), TIMES.items())
def test_times_are_read_in_every_form(said: Any, at_us: int) -> None:
    (shot,) = read_gat1400(arrival(faces(face(ShotTime=said)))).shots
    assert shot.shot_at_us == at_us


@pytest.mark.parametrize(
    "said", ['"nonsense"', '"20209910200408"', '"19700101000000"', "-1", "true", "[]", '"٢٠٢٠٠٥١٠"', "1e300", "9" * 30]
)
def test_a_time_that_cannot_be_is_named_and_taken_from_the_id(said: str) -> None:
    body = json.dumps(faces(face(ShotTime="@"))).replace('"@"', said)
    reading = read_gat1400(arrival(body.encode()))
    assert [shot.shot_at_us for shot in reading.shots] == [SHOT_AT_US]  # the id holds it too
    assert named(reading) == [("FaceListObject.FaceObject[0].ShotTime", "the time cannot be read")]


@pytest.mark.parametrize("said", ["9" * 5000, "1e999", "NaN", "-Infinity"])
def test_numbers_beyond_all_measure_do_no_harm(said: str) -> None:
    body = json.dumps(faces(face(ShotTime="@", LeftTopX="@"))).replace('"@"', said)
    reading = read_gat1400(arrival(body.encode()))
    assert reading.not_understood
    assert [shot.box_xyxy_px for shot in reading.shots] in ([None], [])


def test_without_any_time_the_shot_has_none() -> None:
    (shot,) = read_gat1400(arrival(faces(face(FaceID="1", SourceID=None, ShotTime=None)))).shots
    assert shot.shot_at_us is None


def test_later_times_stand_in_for_a_missing_one() -> None:
    (shot,) = read_gat1400(arrival(faces(face(ShotTime="", FaceAppearTime="20200510200409")))).shots
    assert shot.shot_at_us == SHOT_AT_US + 1_000_000


def test_a_short_id_that_every_face_has_does_not_make_them_one() -> None:
    first = face(FaceID="11111")
    second = face(FaceID="11111", SubImageList={"SubImageInfoObject": [image("11", picture(180, 180))]})
    one, other = read_gat1400(arrival(faces(first, second))).shots
    again = read_gat1400(arrival(faces(first))).shots[0]
    assert one.ref != other.ref
    assert one.ref == again.ref
    assert one.ref.startswith("11111:")


def test_a_picture_that_is_only_named_is_named_and_never_fetched() -> None:
    given = {"SubImageInfoObject": [image("14", "", StoragePath="http://10.0.0.1/admin"), image("11", CROP)]}
    reading = read_gat1400(arrival(faces(face(SubImageList=given))))
    assert [shot.crop for shot in reading.shots] == [CROP]
    assert named(reading) == [
        (
            "FaceListObject.FaceObject[0].SubImageList.SubImageInfoObject[0].StoragePath",
            "only an address of the picture; never fetched",
        )
    ]


def test_what_is_broken_is_named_by_its_place_and_the_rest_is_kept() -> None:
    given = {"SubImageInfoObject": [image("14", "*not base64*"), image("11", CROP)]}
    reading = read_gat1400(arrival(faces(face(), face(SubImageList=given), 7, face(SubImageList=None))))  # type: ignore[arg-type]
    assert [shot.scene for shot in reading.shots] == [SCENE, None]
    assert named(reading) == [
        ("FaceListObject.FaceObject[1].SubImageList.SubImageInfoObject[0].Data", "the picture's base64 is broken"),
        ("FaceListObject.FaceObject[2]", "it is no object"),
        ("FaceListObject.FaceObject[3]", "there is no usable picture"),
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (text(b"\xff\xd8\xff" + bytes(PICTURE_MAX_BYTES)), "the picture is larger than 10 MB"),
        (text(b"<html>"), "it is neither JPEG, PNG, WebP nor BMP"),
        (" ", "the picture is empty"),
    ],
)
def test_what_is_no_picture_is_named(data: str, why: str) -> None:
    given = {"SubImageInfoObject": [image("14", data), image("11", CROP)]}
    reading = read_gat1400(arrival(faces(face(SubImageList=given))))
    assert [shot.crop for shot in reading.shots] == [CROP]
    assert [reason for _, reason in named(reading)] == [why]


def test_two_hundred_faces_of_one_post_are_all_kept() -> None:
    each = [face(FaceID=f"{SOURCE}06{number:05d}") for number in range(200)]
    reading = read_gat1400(arrival(faces(*each)))
    assert len({shot.ref for shot in reading.shots}) == 200
    assert reading.not_understood == ()


def test_fields_that_are_abused_or_misspelt_are_hints() -> None:
    told = face(
        AgeLowerLimit=87, IsDriver="1734", m_dSimilaritydegree="0.93", MustacheStype="2", LipStype=1, WrinklePouch="x"
    )
    (shot,) = read_gat1400(arrival(faces(told))).shots
    assert shot.said == {
        "agelowerlimit": 87.0,
        "isdriver": "1734",
        "m_dsimilaritydegree": "0.93",
        "mustachestype": "2",
        "lipstype": 1.0,
        "wrinklepouch": "x",
    }


def test_names_and_documents_that_a_device_sends_are_not_read() -> None:
    (shot,) = read_gat1400(arrival(faces(face(Name="张三", IDNumber="110105198506010019", IDType="111")))).shots
    assert "张三" not in repr(shot.said)
    assert "110105" not in repr(shot.said)


def test_whose_camera_it_was_is_said_where_a_platform_passes_it_on() -> None:
    (shot,) = read_gat1400(arrival(faces(face(DeviceID="31010600001190000099")))).shots
    assert shot.said["device_id"] == "31010600001190000099"


LETTERS = {
    "GBK without saying so": (lambda body: body.encode("gb18030"), "application/json"),
    "GBK that is declared": (lambda body: body.encode("gb18030"), "application/VIID+json;charset=GBK"),
    "a mark before it": (lambda body: b"\xef\xbb\xbf" + body.encode(), "application/json"),
    "UTF-16": (lambda body: body.encode("utf-16"), "application/json"),
    "utf8 in short": (lambda body: body.encode(), "application/VIID+JSON;charset=utf8"),
    "a charset that is none": (lambda body: body.encode(), "application/json; charset=klingon"),
    "a line end inside a text": (lambda body: body.replace("门口", "门\n口").encode(), "text/plain"),
    "no type": (lambda body: body.encode(), ""),
}


@pytest.mark.parametrize(("write", "kind"), LETTERS.values(), ids=LETTERS)
def test_letters_are_read_as_they_came(write: Any, kind: str) -> None:
    body = json.dumps({**faces(face()), "Title": "门口抓拍"}, ensure_ascii=False)
    reading = read_gat1400(arrival(write(body), content_type=kind))
    assert [shot.ref for shot in reading.shots] == [FACE_ID]
    assert reading.not_understood == ()


def test_a_person_with_a_picture_of_the_face_is_a_shot() -> None:
    given = {"SubImageInfoObject": [image("10", picture(120, 300)), image("11", CROP), image("14", SCENE)]}
    told = {"PersonID": f"{SOURCE}0100001", "ShotTime": "20200510200408", "SubImageList": given}
    (shot,) = read_gat1400(arrival({"PersonListObject": {"PersonObject": [told]}}, path="/VIID/Persons")).shots
    assert (shot.crop, shot.scene, shot.box_xyxy_px) == (CROP, SCENE, None)


def test_the_faces_of_an_image_are_in_its_scene() -> None:
    bare = face(SubImageList=None)
    body = {"ImageListObject": {"Image": [{"ImageInfo": {"ImageID": SOURCE}, "FaceList": [bare], "Data": text(SCENE)}]}}
    (shot,) = read_gat1400(arrival(body, path="/VIID/Images")).shots
    assert (shot.crop, shot.scene) == (None, SCENE)
    assert shot.box_xyxy_px is not None


def test_an_image_without_faces_is_looked_at_whole() -> None:
    body = {
        "ImageListObject": {
            "Image": {"ImageInfo": {"ImageID": SOURCE, "ShotTime": "20200510200408"}, "Data": text(SCENE)}
        }
    }
    (shot,) = read_gat1400(arrival(body, path="/VIID/Images")).shots
    assert (shot.crop, shot.scene, shot.shot_at_us) == (None, SCENE, SHOT_AT_US)


@pytest.mark.parametrize("body", [SCENE, text(SCENE).encode()], ids=["bytes", "base64"])
def test_a_picture_that_is_posted_for_itself_takes_its_time_from_its_id(body: bytes) -> None:
    path = f"/VIID/Images/{SOURCE}/Data"
    (shot,) = read_gat1400(arrival(body, path=path, content_type="application/octet-stream")).shots
    assert (shot.scene, shot.shot_at_us) == (SCENE, SHOT_AT_US)
    assert shot.ref.startswith(DEVICE)


@pytest.mark.parametrize(
    "body",
    [
        {"DispositionListObject": {"DispositionObject": [{"DispositionID": "1"}]}},
        {"MotorVehicleListObject": {"MotorVehicleObject": [{"PlateNo": "x"}]}},
        {"DispositionNotificationListObject": {"DispositionNotificationObject": {"NotificationID": "1"}}},
    ],
)
def test_what_is_not_for_us_is_named_as_that(body: Any) -> None:
    reading = read_gat1400(arrival(body))
    assert reading.shots == ()
    assert [why for _, why in named(reading)] == ["no faces; nothing here works on it"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is empty"),
        (b"{", "not valid JSON (line 1 column 2)"),
        (b"<xml/>", "not valid JSON (line 1 column 1)"),
        (b"null", "there is no list of faces"),
        (b"[" * 200_000, "nested too deeply, or a number too long"),
        (b'{"a":' * 100_000, "nested too deeply, or a number too long"),
        (b"[" + b"[]," * 400_000 + b"0]", "more than 300000 values"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(body: bytes, why: str) -> None:
    reading = read_gat1400(arrival(body))
    assert reading.shots == ()
    assert [reason for _, reason in named(reading)] == [why]


def test_faces_that_are_wrapped_without_end_are_left_at_some_depth() -> None:
    body: Any = face()
    for _ in range(60):
        body = {"FaceObject": body}
    reading = read_gat1400(arrival(body))
    assert reading.shots == ()
    assert [why for _, why in named(reading)] == ["nested too deeply"]


@pytest.mark.parametrize("body", [{"FaceListObject": {"FaceObject": []}}, {"FaceListObject": {}}])
def test_a_list_of_nobody_is_no_fault(body: Any) -> None:
    reading = read_gat1400(arrival(body))
    assert (reading.shots, reading.not_understood) == ((), ())
