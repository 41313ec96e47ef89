"""No bytes of any camera make a reader raise, and whatever is not taken is named."""

import json
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.camera_messages import CROP, FACE_ID, arrival, face, faces, image, multipart, text
from shouhao.protocols.gat1400_write import device_in, told_by
from shouhao.protocols.isapi import is_heartbeat
from shouhao.protocols.pictures import NotAPicture, picture_of_base64, size_px
from shouhao.watch.model import Reading, Source
from shouhao.wiring.watch import camera_readers

READERS = camera_readers()
NAMES = st.sampled_from(
    [
        *(
            "FaceListObject",
            "FaceObject",
            "FaceList",
            "FaceID",
            "ShotTime",
            "SubImageList",
            "SubImageInfoObject",
            "Data",
        ),
        *(
            "Type",
            "StoragePath",
            "ImageListObject",
            "Image",
            "ImageInfo",
            "PersonListObject",
            "PersonObject",
            "LeftTopX",
        ),
        *("SubscribeNotificationListObject", "SubscribeNotificationObject", "FaceObjectList", "RelatedList"),
        *(
            "faceCapture",
            "alarmResult",
            "faces",
            "targetAttrs",
            "pId",
            "faceTime",
            "identify",
            "candidate",
            "similarity",
        ),
        *(
            "faceRect",
            "x",
            "y",
            "width",
            "height",
            "score",
            "value",
            "eventType",
            "eventState",
            "dateTime",
            "maxsimilarity",
        ),
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["14", "11", "20200510200408", text(CROP), text(CROP)[:50], "http://10.0.0.1/", "inactive", FACE_ID]
    ),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=5)),
    max_leaves=30,
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/VIID+JSON;charset=GBK",
        "multipart/form-data; boundary=b",
        "",
        "text/xml",
        "é\0;=\"'",
    ]
)
PATHS = st.sampled_from(["/VIID/Faces", "/VIID/Images/1/Data", "/VIID/Persons", "", "/isapi/events"])


def sane(reading: Reading) -> None:
    for shot in reading.shots:
        assert shot.crop or shot.scene
        assert 0 < len(shot.ref) <= 64
        assert all(isinstance(value, str | float) for value in shot.said.values())
        assert shot.quality is None or 0 <= shot.quality <= 1
        if shot.box_xyxy_px is not None:
            left, top, right, bottom = shot.box_xyxy_px
            assert 0 <= left < right
            assert 0 <= top < bottom
    for problem in reading.not_understood:
        assert problem.where
        assert problem.why_zh
        assert problem.why_en


def test_every_source_has_its_reader() -> None:
    assert set(READERS) == set(get_args(Source))


@pytest.mark.parametrize("source", ["gat1400", "isapi", "onvif", "shots"])
@given(body=st.binary(max_size=400), kind=KINDS, path=PATHS)
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_a_reader_raise(source: Any, body: bytes, kind: str, path: str) -> None:
    sane(READERS[source](arrival(body, source=source, path=path, content_type=kind)))


@pytest.mark.parametrize("source", ["gat1400", "isapi"])
@given(value=VALUES, kind=KINDS)
@settings(max_examples=200, deadline=None)
def test_no_json_makes_a_reader_raise(source: Any, value: Any, kind: str) -> None:
    body = json.dumps(value).encode()
    sane(READERS[source](arrival(body, source=source, content_type=kind)))


@given(value=VALUES)
@settings(max_examples=100, deadline=None)
def test_no_json_in_a_part_makes_a_reader_raise(value: Any) -> None:
    told = {"faceCapture": value, "alarmResult": [value], "dateTime": value}
    parts = (("faceCapture", "application/json", json.dumps(told).encode()), ("faceImage|p", "image/jpeg", CROP))
    body = multipart(*parts)
    sane(READERS["isapi"](arrival(body, source="isapi", content_type="multipart/form-data; boundary=boundary")))


@given(
    pieces=st.lists(
        st.sampled_from(
            [
                b"<a>",
                b"</a>",
                b"<Frame UtcTime='x'>",
                b"</Frame>",
                b"<Object>",
                b"</Object>",
                b"<Image>",
                b"</Image>",
                b"<HumanFace/>",
                b"&lt;",
                b"&x;",
                b"\xff",
                b"<![CDATA[",
                b"]]>",
                b"<!--",
            ]
        ),
        max_size=14,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_xml_makes_a_reader_raise(pieces: list[bytes]) -> None:
    sane(READERS["onvif"](arrival(b"".join(pieces), source="onvif", content_type="application/xml")))


@given(cut=st.integers(0, 400), change=st.binary(min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_a_good_message_that_was_damaged_makes_no_reader_raise(cut: int, change: bytes) -> None:
    body = json.dumps(faces(face(SubImageList={"SubImageInfoObject": [image("11", CROP)]}))).encode()
    damaged = body[:cut] + change + body[cut + 1 :]
    sane(READERS["gat1400"](arrival(damaged)))
    sane(READERS["gat1400"](arrival(body[:cut])))


@given(body=st.one_of(st.binary(max_size=300), VALUES.map(lambda value: json.dumps(value).encode())), kind=KINDS)
@settings(max_examples=200, deadline=None)
def test_no_body_makes_what_the_receiver_looks_at_raise(body: bytes, kind: str) -> None:
    told = told_by(body, kind)
    assert all(len(identifier) <= 64 for identifier in told.ids)
    device_in(body, kind, within="RegisterObject")
    is_heartbeat(body, kind)


@given(data=st.binary(max_size=300))
def test_no_header_makes_the_size_raise(data: bytes) -> None:
    for start in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b""):
        size_px(start + data)


@given(letters=st.text(max_size=200))
def test_no_text_makes_reading_base64_raise_anything_else(letters: str) -> None:
    with suppress(NotAPicture):
        picture_of_base64(letters)


def test_the_size_of_a_picture_is_what_its_header_says() -> None:
    assert size_px(CROP) == (200, 220)
