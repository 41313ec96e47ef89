"""What was listened to on the line cannot be sent again."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from protocols.camera_messages import CROP, face, faces, image
from web.cameras_served import Served, cameras_served

SHOT = faces(face(SubImageList={"SubImageInfoObject": [image("11", CROP)]}))


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    with cameras_served(sqlite_url, tmp_path, trusted_proxies=(ip_network("127.0.0.0/8"),)) as running:
        yield running


def listened(said: httpx.Response) -> dict[str, str]:
    """What somebody on the line heard, sent on from their own address."""
    return {"Authorization": said.request.headers["authorization"], "X-Forwarded-For": "10.0.0.66"}


def test_a_replayed_register_lets_nobody_in(cameras: Served) -> None:
    device = cameras.device()
    at_home = {"X-Forwarded-For": "10.0.0.2"}
    first = device.register(headers=at_home)
    assert first.status_code == 200
    again = device.register(auth=None, headers=listened(first))
    assert again.status_code == 401
    assert "stale=true" in again.headers["www-authenticate"]
    assert device.faces(SHOT, headers={"X-Forwarded-For": "10.0.0.66"}).status_code == 401
    assert device.faces(SHOT, headers=at_home).status_code == 200  # and the device itself is not put out
    assert len(cameras.spooled()) == 1


def test_an_answer_for_one_request_is_worth_nothing_for_another(cameras: Served) -> None:
    device = cameras.device()
    heard = listened(device.register(headers={"X-Forwarded-For": "10.0.0.2"}))
    assert device.faces(SHOT, headers=heard).status_code == 401
    assert device.post("/VIID/System/UnRegister", {}, headers=heard).status_code == 401
    assert cameras.spooled() == []


def test_a_post_that_showed_its_password_cannot_be_sent_again(cameras: Served) -> None:
    device = cameras.device()
    said = device.faces(SHOT, auth=device.auth, headers={"X-Forwarded-For": "10.0.0.2"})
    assert said.status_code == 200
    assert device.faces(SHOT, headers=listened(said)).status_code == 401
    assert len(cameras.spooled()) == 1


def test_an_answer_to_a_challenge_of_before_the_restart_is_worth_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with cameras_served(sqlite_url, tmp_path) as cameras:
        heard = listened(cameras.device().register())
    with cameras_served(sqlite_url, tmp_path) as again:
        assert again.device().register(auth=None, headers=heard).status_code == 401
