"""Small messages that would become large ones, and large ones that are nothing: bounded, answered, named."""

import base64
import json
import resource
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from protocols.camera_messages import CROP, SOURCE, arrival, face, faces, image, named
from shouhao.wiring.watch import camera_readers
from web.cameras_served import Served, cameras_served, statuses

MIB = 1024 * 1024
SMALL = {"SubImageInfoObject": [image("11", CROP)]}


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with cameras_served(sqlite_url, tmp_path) as running:
        yield running


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_gzip_bomb_is_met_before_it_has_grown(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    bomb = _bomb(2048)
    before = peak_bytes()
    said = device.faces(bomb, headers={"Content-Encoding": "gzip"})
    assert said.status_code == 413
    assert peak_bytes() - before < 400 * MIB
    assert cameras.spooled() == []
    assert device.faces(faces(face(SubImageList=SMALL))).status_code == 200


def _bomb(mib: int) -> bytes:
    """So many MiB of nothing, compressed piece by piece."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(MIB)) for _ in range(mib)] + [packer.flush()])


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_beyond_the_bound_is_refused(cameras: Served, chunked: bool) -> None:
    device = cameras.device()
    device.register()
    body = bytes(49 * MIB)
    content: Any = (body[at : at + MIB] for at in range(0, len(body), MIB)) if chunked else body
    try:
        said = device.client.post("/VIID/Faces", content=content, headers={"User-Identify": device.device_id})
    except httpx.TransportError:
        pass  # it was cut off while it was sending
    else:
        assert said.status_code == 413
    assert cameras.spooled() == []
    assert device.keepalive().status_code == 200


def test_a_picture_of_20_mb_is_named_and_the_rest_of_the_post_is_kept(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    huge = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(20 * MIB)).decode()
    heavy = face(FaceID=f"{SOURCE}0600002", SubImageList={"SubImageInfoObject": [image("14", huge), image("11", CROP)]})
    said = device.faces(faces(face(SubImageList=SMALL), heavy))
    assert said.status_code == 200
    assert len(statuses(said)) == 2
    (kept,) = cameras.spooled()
    reading = camera_readers()["gat1400"](kept)
    assert [shot.crop for shot in reading.shots] == [CROP, CROP]
    assert [why for _, why in named(reading)] == ["the picture is larger than 10 MB"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MIB,
        b'{"FaceListObject":' * 100_000,
        b'{"FaceListObject":{"FaceObject":[' + b"[]," * MIB + b"[]]}}",
        b'{"FaceListObject":{"FaceObject":[' + b"{}," * 90_000 + b"{}]}}",
        b'{"a":' + b"9" * MIB + b"}",
        b'{"' + b"a" * MIB + b'":1}',
        b"\x00" * MIB,
    ],
    ids=["deep list", "deep object", "many lists", "many objects", "a long number", "a long name", "noughts"],
)
def test_json_that_is_built_to_hurt_is_answered_kept_and_named(cameras: Served, body: bytes) -> None:
    device = cameras.device()
    device.register()
    before = peak_bytes()
    assert device.faces(body).status_code == 200
    (kept,) = cameras.spooled()
    reading = camera_readers()["gat1400"](kept)
    assert reading.shots == ()
    assert 0 < len(reading.not_understood) <= 200
    assert peak_bytes() - before < 300 * MIB


BILLION = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><lolz>&j;</lolz>"
)


@pytest.mark.parametrize("source", ["onvif", "isapi"])
@pytest.mark.parametrize(
    "document",
    [
        BILLION,
        "<a>" * 200_000,
        "<r>" + "<a/>" * 1_000_000 + "</r>",
        "<a " + "b='c' " * 10_000 + "/>",
        "<r>" + "x" * (33 * MIB),
    ],
    ids=["billion laughs", "deep", "many", "attributes", "long"],
)
def test_xml_that_is_built_to_hurt_is_named(source: Any, document: str) -> None:
    before = peak_bytes()
    reading = camera_readers()[source](arrival(document.encode(), source=source, content_type="application/xml"))
    assert reading.shots == ()
    assert reading.not_understood
    assert peak_bytes() - before < 300 * MIB


def test_a_thousand_and_more_faces_are_bounded_and_that_is_said() -> None:
    each = {"FaceID": "1", "SubImageList": SMALL}
    body = json.dumps(faces(*[each] * 1200)).encode()
    reading = camera_readers()["gat1400"](arrival(body))
    assert len(reading.shots) == 1000
    assert named(reading) == [("FaceListObject.FaceObject[1000]", "more than 1000 faces in one message")]
