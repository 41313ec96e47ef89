"""A device that is none of ours, or that says another's name, leaves nothing on disk and learns nothing."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from protocols.camera_messages import CROP, face, faces, image
from shouhao.kernel.clock import ManualClock, SystemClock
from shouhao.lab.cameras.install import device_ids
from web.cameras_served import DEVICES, Served, cameras_served, statuses

SHOT = faces(face(SubImageList={"SubImageInfoObject": [image("11", CROP)]}))


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with cameras_served(sqlite_url, tmp_path) as running:
        yield running


@pytest.fixture
def behind_proxy(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    """Addresses can be told apart: the test stands for the hospital's own proxy."""
    with cameras_served(sqlite_url, tmp_path, trusted_proxies=(ip_network("127.0.0.0/8"),)) as running:
        yield running


def test_without_registering_nothing_is_taken(cameras: Served) -> None:
    said = cameras.device().faces(SHOT)
    assert (said.status_code, statuses(said)) == (401, [("", "4")])
    assert cameras.spooled() == []


@pytest.mark.parametrize("name", [None, "", "1", DEVICES[0] + "0", "' OR 1=1 --", "../" * 7, "\xff" * 20])
def test_a_name_that_is_none_is_a_stranger(cameras: Served, name: str | None) -> None:
    device = cameras.device()
    said = device.faces(SHOT, headers={"User-Identify": name and name.encode("latin-1")})
    assert said.status_code == 401
    assert cameras.spooled() == []


def test_an_unknown_device_and_a_wrong_password_are_answered_alike(cameras: Served) -> None:
    known, unknown = cameras.device(password="guess"), cameras.device(password="guess")
    unknown.device_id = device_ids(9)[8]
    unknown.auth = httpx.DigestAuth(unknown.device_id, "guess")
    answers = [known.register(), unknown.register()]
    shapes = [
        (
            said.status_code,
            sorted(said.headers),
            said.text.replace(known.device_id, "D").replace(unknown.device_id, "D")[:90],
        )
        for said in answers
    ]
    assert shapes[0] == shapes[1]
    assert answers[0].status_code == 401
    assert cameras.spooled() == []


def test_the_register_of_one_device_does_not_let_another_in(cameras: Served) -> None:
    device = cameras.device(0)
    assert device.register().status_code == 200
    assert cameras.device(1).faces(SHOT).status_code == 401
    assert cameras.spooled() == []


def test_a_register_for_another_device_than_the_header_names_is_refused(cameras: Served) -> None:
    device = cameras.device(0)
    said = device.post("/VIID/System/Register", {"RegisterObject": {"DeviceID": DEVICES[1]}}, auth=device.auth)
    assert said.status_code == 401
    device.register()
    said = device.post("/VIID/System/UnRegister", {"UnRegisterObject": {"DeviceID": DEVICES[1]}})
    assert said.status_code == 401


def test_the_name_of_a_registered_device_is_worth_nothing_from_another_address(behind_proxy: Served) -> None:
    device = behind_proxy.device()
    there, elsewhere = {"X-Forwarded-For": "10.0.0.2"}, {"X-Forwarded-For": "10.0.0.66"}
    assert device.register(headers=there).status_code == 200
    assert device.faces(SHOT, headers=elsewhere).status_code == 401
    assert device.keepalive(headers=elsewhere).status_code == 401
    assert device.faces(SHOT, headers=there).status_code == 200
    assert len(behind_proxy.spooled()) == 1


def test_a_header_about_the_address_is_not_believed_from_a_device(cameras: Served) -> None:
    device = cameras.device()
    assert device.register(headers={"X-Forwarded-For": "10.0.0.2"}).status_code == 200
    assert device.faces(SHOT, headers={"X-Forwarded-For": "10.0.0.66"}).status_code == 200  # it is one address


def test_passwords_cannot_be_guessed_quickly(sqlite_url: str, tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now_us())
    with cameras_served(sqlite_url, tmp_path, clock=clock) as cameras:
        device = cameras.device()
        for number in range(20):
            guess = cameras.device(password=f"guess {number}")
            assert guess.register().status_code == 401
        assert device.register().status_code == 401  # right, and not looked at for the rest of the minute
        clock.advance(seconds=60)
        assert device.register().status_code == 200


def test_a_device_cannot_read_or_cancel_what_another_asked_for(cameras: Served) -> None:
    said = cameras.device(1).ask("GET", "/VIID/Subscribes")
    assert said.status_code == 401
    said = cameras.device(1).post(
        "/VIID/Subscribes", {"SubscribeListObject": {"SubscribeObject": {"SubscribeID": "1"}}}
    )
    assert said.status_code == 401


def test_pushes_without_a_key_are_strangers(cameras: Served) -> None:
    for path in (
        "/isapi/events",
        f"/isapi/events/{DEVICES[0]}",
        f"/isapi/events/{DEVICES[0]}/{'0' * 36}",
        "/onvif/events",
    ):
        assert httpx.post(cameras.base + path, content=b"{}").status_code == 401
    assert httpx.post(f"{cameras.base}/isapi/events/../../etc/passwd").status_code == 404
    assert cameras.spooled() == []
