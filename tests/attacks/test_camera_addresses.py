"""Addresses in a device's message (StoragePath, ReceiveAddr, TargetImageURI, XML entities) are never gone to."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.camera_messages import CROP, SOURCE, arrival, face, faces, image
from shouhao.wiring.watch import camera_readers
from web.cameras_served import Served, cameras_served


class Trap:
    """Listens, and remembers whoever comes."""

    def __init__(self) -> None:
        self.came: list[object] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        while True:
            try:
                caller, who = self.socket.accept()
            except OSError:
                return
            self.came.append(who)
            caller.close()

    def close(self) -> None:
        # shutdown wakes whoever accepts; close alone does not everywhere
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(timeout=10)


@pytest.fixture
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.close()


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with cameras_served(sqlite_url, tmp_path) as running:
        yield running


def test_no_address_of_a_message_is_gone_to(cameras: Served, trap: Trap) -> None:
    device = cameras.device()
    device.register()
    pictures = [image("14", "", StoragePath=trap.url), image("11", "", StoragePath=f"file:///etc/passwd#{trap.url}")]
    told = face(SubImageList={"SubImageInfoObject": pictures})
    subscription = {"SubscribeID": "s", "ReceiveAddr": trap.url, "ResourceURI": trap.url}
    posts = [
        ("/VIID/Faces", faces(told)),
        ("/VIID/Images", {"ImageListObject": {"Image": {"ImageInfo": {"ImageID": SOURCE, "StoragePath": trap.url}}}}),
        ("/VIID/Subscribes", {"SubscribeListObject": {"SubscribeObject": [subscription]}}),
        ("/VIID/Dispositions", {"DispositionListObject": {"DispositionObject": [{"TargetImageURI": trap.url}]}}),
    ]
    for path, body in posts:
        assert device.post(path, body).status_code == 200
    for kept in cameras.spooled():
        reading = camera_readers()[kept.source](kept)
        assert reading.shots == ()
        assert reading.not_understood
    assert trap.came == []


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "{url}/x">]><r>&x;</r>',
        '<!DOCTYPE r SYSTEM "{url}/x.dtd"><r/>',
        '<!DOCTYPE r [<!ENTITY % x SYSTEM "{url}/x"> %x;]><r/>',
        '<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}/x"/></r>',
        '<Message><SimpleItem Name="ImageUri" Value="{url}/x"/></Message>',
    ],
)
def test_no_address_of_xml_is_gone_to(document: str, trap: Trap) -> None:
    body = document.format(url=trap.url).encode()
    for source in ("onvif", "isapi"):
        reading = camera_readers()[source](arrival(body, source=source, content_type="application/xml"))  # type: ignore[index]
        assert reading.shots == ()
        assert reading.not_understood
    assert trap.came == []


def test_pictures_beside_an_address_are_read_as_ever(trap: Trap) -> None:
    told = face(SubImageList={"SubImageInfoObject": [image("11", CROP, StoragePath=trap.url)]})
    reading = camera_readers()["gat1400"](arrival(faces(told)))
    assert [shot.crop for shot in reading.shots] == [CROP]
    assert trap.came == []
