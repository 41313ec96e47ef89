"""ONVIF: hints of faces; a shot only where a picture came along, and no XML that explodes."""

import pytest

from protocols.camera_messages import CROP, SHOT_AT_US, arrival, multipart, named, text
from shouhao.protocols.onvif import read_onvif
from shouhao.watch.model import Reading

TIME = "2020-05-10T12:04:08.000Z"
SPACES = 'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:fc="http://www.onvif.org/ver20/analytics/humanface"'


def metadata(inside: str) -> str:
    within = f"<tt:VideoAnalytics>{inside}</tt:VideoAnalytics>"
    return f'<?xml version="1.0"?><tt:MetadataStream {SPACES}>{within}</tt:MetadataStream>'


def seen(image: str = text(CROP), object_id: str = "12") -> str:
    return (
        f'<tt:Frame UtcTime="{TIME}"><tt:Object ObjectId="{object_id}"><tt:Appearance>'
        '<tt:Shape><tt:BoundingBox left="-0.5" top="0.5" right="0.0" bottom="0.0"/></tt:Shape>'
        '<tt:Class><tt:Type Likelihood="0.9">Human</tt:Type></tt:Class>'
        f"<tt:HumanFace><fc:Age/></tt:HumanFace><tt:Image>{image}</tt:Image></tt:Appearance></tt:Object></tt:Frame>"
    )


def event(topic: str = "tns1:RuleEngine/Recognition/Face", items: str = "", image: str = text(CROP)) -> str:
    picture = f'<tt:ElementItem Name="Image"><tt:Image>{image}</tt:Image></tt:ElementItem>' if image else ""
    return (
        f'<wsnt:NotificationMessage xmlns:wsnt="urn:w" {SPACES}><wsnt:Topic>{topic}</wsnt:Topic><wsnt:Message>'
        f'<tt:Message UtcTime="{TIME}"><tt:Source><tt:SimpleItem Name="Rule" Value="r"/></tt:Source>'
        f'<tt:Data><tt:SimpleItem Name="Likelihood" Value="0.83"/><tt:SimpleItem Name="EnrollmentID" Value="e7"/>'
        f'<tt:SimpleItem Name="Label" Value="张三"/>{items}{picture}</tt:Data></tt:Message></wsnt:Message>'
        "</wsnt:NotificationMessage>"
    )


def read(document: str | bytes, content_type: str = "application/xml") -> Reading:
    body = document.encode() if isinstance(document, str) else document
    return read_onvif(arrival(body, source="onvif", path="/onvif/events", content_type=content_type))


def test_a_face_in_metadata_with_its_picture_is_a_shot_with_its_track() -> None:
    reading = read(metadata(seen() + seen(object_id="13")))
    assert [(shot.crop, shot.scene, shot.shot_at_us, shot.track) for shot in reading.shots] == [
        (CROP, None, SHOT_AT_US, "12"),
        (CROP, None, SHOT_AT_US, "13"),
    ]
    assert reading.shots[0].said["likelihood"] == 0.9


def test_an_event_of_recognition_is_a_shot_with_hints_and_without_a_name() -> None:
    (shot,) = read(event()).shots
    assert (shot.crop, shot.shot_at_us, shot.track) == (CROP, SHOT_AT_US, None)
    assert shot.said["likelihood"] == 0.83
    assert shot.said["enrollment_id"] == "e7"
    assert "张三" not in repr(shot.said)


def test_parts_of_a_multipart_body_are_read() -> None:
    body = multipart(("event", "application/xml", event().encode()))
    assert len(read(body, "multipart/mixed; boundary=boundary").shots) == 1


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (
            event(items='<tt:SimpleItem Name="ImageUri" Value="http://10.0.0.1/x"/>', image=""),
            "only an address of the picture; never fetched",
        ),
        (event(image=""), "there is no picture"),
        (event(topic="tns1:VideoSource/MotionAlarm"), "no event of faces"),
        (event(image="***"), "the picture's base64 is broken"),
        (metadata("<tt:Frame/>"), "there are no faces"),
        ("", "no XML that can be taken"),
        ("<a>", "no XML that can be taken"),
        ("<a>" * 100 + "</a>" * 100, "no XML that can be taken"),
        ("<r>" + "<a/>" * 60_000 + "</r>", "no XML that can be taken"),
        ('<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', "no XML that can be taken"),
        ('<!DOCTYPE r SYSTEM "http://10.0.0.1/x.dtd"><r/>', "no XML that can be taken"),
        ('<?xml version="1.0" encoding="klingon"?><r/>', "no XML that can be taken"),
    ],
)
def test_what_is_no_picture_of_a_face_says_why(document: str, why: str) -> None:
    reading = read(document)
    assert reading.shots == ()
    assert [reason for _, reason in named(reading)] == [why]
