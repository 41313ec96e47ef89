"""The cameras' port over a real socket: register, keep alive, post, and what is on disk when it is answered."""

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from protocols.camera_messages import CROP, FACE_ID, SCENE, SOURCE, face, faces, image, multipart, text
from shouhao.kernel.clock import ManualClock, SystemClock
from shouhao.kernel.errors import Unavailable
from shouhao.lab.cameras.install import device_ids
from shouhao.protocols.gat1400 import read_gat1400
from shouhao.watch.model import Arrival
from shouhao.watch.store.camera_tables import health
from shouhao.watch.store.cameras import put_camera, set_state
from shouhao.watch.store.subscriptions import list_subscriptions
from shouhao.web.internal.known import push_key
from web.cameras_served import DEVICES, Served, cameras_served, statuses

SMALL = {"SubImageInfoObject": [image("11", CROP)]}
WITHIN_S = 15.0


@pytest.fixture
def served(db_url: str, tmp_path: Path) -> Iterator[Served]:
    """On each kind of database."""
    with cameras_served(db_url, tmp_path) as running:
        yield running


@pytest.fixture
def cameras(sqlite_url: str, tmp_path: Path) -> Iterator[Served]:
    """Where the kind does not matter."""
    with cameras_served(sqlite_url, tmp_path) as running:
        yield running


def until(true: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    ends = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < ends
        threading.Event().wait(0.05)


def small(**more: Any) -> dict[str, Any]:
    return faces(face(SubImageList=SMALL, **more))


def test_a_device_registers_keeps_alive_posts_and_goes(served: Served) -> None:
    device = served.device()
    said = device.register()
    assert said.status_code == 200
    assert statuses(said) == [(device.device_id, "0")]
    assert said.headers["content-type"] == "application/VIID+JSON;charset=UTF-8"
    assert "rspauth=" in said.headers["authentication-info"]
    assert device.keepalive().status_code == 200
    body = json.dumps(faces(face(), face(FaceID=f"{SOURCE}0600002"))).encode()
    said = device.faces(body)
    assert said.status_code == 200
    assert statuses(said) == [(FACE_ID, "0"), (f"{SOURCE}0600002", "0")]
    (arrival,) = served.spooled()
    assert (arrival.body, arrival.device_id, arrival.proven) == (body, device.device_id, True)
    assert (arrival.source, arrival.path) == ("gat1400", "/VIID/Faces")
    assert arrival.arrived_at_us <= SystemClock().now_us()
    assert [shot.scene for shot in read_gat1400(arrival).shots] == [SCENE, SCENE]
    unregister = {"UnRegisterObject": {"DeviceID": device.device_id}}
    assert device.post("/VIID/System/UnRegister", unregister).status_code == 200
    assert device.keepalive().status_code == 401


def test_the_first_register_is_challenged_as_the_standard_says(cameras: Served) -> None:
    said = cameras.device().register(auth=None)
    assert said.status_code == 401
    assert said.headers["www-authenticate"].startswith('Digest realm="shouhao", nonce="')
    assert 'qop="auth"' in said.headers["www-authenticate"]
    assert statuses(said) == [(DEVICES[0], "4")]


def test_the_time_is_told_to_anybody(cameras: Served) -> None:
    said = httpx.get(f"{cameras.base}/VIID/System/Time")
    told = said.json()["SystemTimeObject"]
    assert (said.status_code, told["TimeZone"]) == (200, "Asia/Shanghai")
    assert len(told["LocalTime"]) == 14


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/VIID/Faces", small()),
        ("/viid/faces/", small()),
        ("/VIID/Persons", {"PersonListObject": {"PersonObject": [{"PersonID": "p1"}]}}),
        ("/VIID/Images", {"ImageListObject": {"Image": [{"ImageInfo": {"ImageID": SOURCE}, "Data": text(SCENE)}]}}),
        (f"/VIID/Images/{SOURCE}/Data", SCENE),
        (
            "/VIID/SubscribeNotifications",
            {"SubscribeNotificationListObject": {"SubscribeNotificationObject": [{"NotificationID": "n1"}]}},
        ),
        ("/VIID/Dispositions", {"DispositionListObject": {"DispositionObject": [{"DispositionID": "d1"}]}}),
        (
            "/VIID/DispositionNotifications",
            {"DispositionNotificationListObject": {"DispositionNotificationObject": [{"NotificationID": "x1"}]}},
        ),
        ("/VIID/Faces", b"this is no JSON"),
    ],
)
def test_what_is_posted_is_on_disk_when_it_is_answered(cameras: Served, path: str, body: Any) -> None:
    device = cameras.device()
    device.register()
    for method in ("POST", "PUT"):
        said = device.ask(method, path, body)
        assert said.status_code == 200, said.text
        assert {code for _, code in statuses(said)} == {"0"}
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert [arrival.body for arrival in cameras.spooled()] == [sent, sent]


def test_what_was_posted_can_neither_be_asked_for_nor_deleted(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    device.faces(small())
    assert device.ask("GET", "/VIID/Faces?RecordStartNo=1").json() == {"FaceListObject": {"FaceObject": []}}
    assert device.ask("GET", f"/VIID/Faces/{FACE_ID}").status_code == 404
    said = device.ask("DELETE", f"/VIID/Faces?IDList={FACE_ID},b")
    assert statuses(said) == [(FACE_ID, "0"), ("b", "0")]
    assert len(cameras.spooled()) == 1


def test_paths_that_are_none_and_methods_that_are_not_served_are_told(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    assert statuses(device.post("/VIID/MotorVehicles", {}))[0][1] == "4"
    assert device.post("/VIID/MotorVehicles", {}).status_code == 404
    assert device.ask("PATCH", "/VIID/Faces", {}).status_code == 405
    assert httpx.get(f"{cameras.base}/").status_code == 404
    assert httpx.get(f"{cameras.base}/api/v1/openapi.json").status_code == 404
    assert httpx.get(f"{cameras.base}/healthz").json() == {"state": "alive"}
    assert httpx.get(f"{cameras.base}/readyz").json() == {"state": "ready"}


@pytest.mark.parametrize("wrapping", [gzip.compress, zlib.compress])
def test_a_compressed_body_is_unpacked(cameras: Served, wrapping: Callable[[bytes], bytes]) -> None:
    device = cameras.device()
    device.register()
    body = json.dumps(small()).encode()
    name = "gzip" if wrapping is gzip.compress else "deflate"
    said = device.faces(wrapping(body), headers={"Content-Encoding": name})
    assert statuses(said) == [(FACE_ID, "0")]
    assert [arrival.body for arrival in cameras.spooled()] == [body]


@pytest.mark.parametrize(
    "packed", [b"\x1f\x8b nothing", gzip.compress(b"x" * 1000, mtime=0)[:-9]], ids=["no gzip", "cut short"]
)
def test_what_cannot_be_unpacked_is_kept_as_it_came(cameras: Served, packed: bytes) -> None:
    device = cameras.device()
    device.register()
    assert device.faces(packed, headers={"Content-Encoding": "gzip"}).status_code == 200
    assert [arrival.body for arrival in cameras.spooled()] == [packed]


def test_a_body_in_chunks_is_whole(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    body = json.dumps(small()).encode()
    said = device.client.post(
        "/VIID/Faces",
        content=iter([body[:1000], body[1000:1001], body[1001:]]),
        headers={"User-Identify": device.device_id},
    )
    assert said.status_code == 200
    assert [arrival.body for arrival in cameras.spooled()] == [body]


def test_a_device_that_registered_only_once_comes_in_by_showing_its_password(cameras: Served) -> None:
    device = cameras.device()
    assert device.faces(small()).status_code == 401
    assert device.faces(small(), auth=device.auth).status_code == 200
    assert device.faces(small()).status_code == 200
    assert len(cameras.spooled()) == 2


def test_a_camera_that_needs_no_digest_registers_by_its_name_and_is_not_proven(cameras: Served) -> None:
    cameras.change(1, digest_required=False)
    device = cameras.device(1)
    until(lambda: device.register(auth=None).status_code == 200)
    assert device.faces(small()).status_code == 200
    assert [arrival.proven for arrival in cameras.spooled()] == [False]


def test_a_camera_that_is_asked_for_digest_again_is_out_until_it_shows_its_password(cameras: Served) -> None:
    cameras.change(1, digest_required=False)
    device = cameras.device(1)
    until(lambda: device.register(auth=None).status_code == 200)
    cameras.change(1, digest_required=True)
    until(lambda: device.keepalive().status_code == 401)
    assert device.register().status_code == 200


def test_a_new_camera_may_register_at_once(cameras: Served) -> None:
    stranger = cameras.device()
    stranger.device_id = device_ids(9)[8]
    stranger.auth = httpx.DigestAuth(stranger.device_id, cameras.password)
    assert stranger.register().status_code == 401
    camera = cameras.camera(0)
    fresh = {"id": "new", "device_id": stranger.device_id, "name": "大厅 9"}
    with cameras.system.db.write() as connection:
        put_camera(connection, replace(camera, **fresh), staff_id=None, now_us=camera.live_since_us or 0)
    until(lambda: stranger.register().status_code == 200)


def test_captures_of_a_planned_camera_are_answered_and_not_kept(cameras: Served) -> None:
    cameras.change(2, angle_deg=12.0)  # it looks elsewhere, so it is planned again
    device = cameras.device(2)
    assert device.register().status_code == 200

    def dropped() -> bool:
        before = len(cameras.spooled())
        assert statuses(device.faces(small())) == [(FACE_ID, "0")]
        return len(cameras.spooled()) == before

    until(dropped)


def test_a_camera_that_was_taken_out_of_service_is_a_stranger(cameras: Served) -> None:
    device = cameras.device()
    device.register()
    with cameras.system.db.write() as connection:
        set_state(connection, cameras.camera().id, "off", staff_id=None, now_us=cameras.system.clock.now_us())
    until(lambda: device.faces(small()).status_code == 401)
    assert device.register().status_code == 401


def test_while_the_law_is_not_met_captures_are_answered_and_nothing_is_written(sqlite_url: str, tmp_path: Path) -> None:
    with cameras_served(sqlite_url, tmp_path, law=False) as cameras:
        device = cameras.device()
        assert device.register().status_code == 200
        said = device.faces(faces(face()))
        assert (said.status_code, statuses(said)) == (200, [(FACE_ID, "0")])
        assert cameras.spooled() == []
    needle = CROP[200:260]
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or needle not in path.read_bytes()


def test_signs_of_life_and_the_clock_are_told_to_the_register(served: Served) -> None:
    device = served.device()
    device.register()
    device.keepalive()
    now = SystemClock().now_us()
    ahead = str((now + 90_000_000) // 1000)  # ninety seconds fast, in milliseconds since 1970
    for _ in range(3):
        assert device.faces(small(ShotTime=ahead)).status_code == 200
    camera = served.camera()

    def told() -> bool:
        with served.system.db.read() as connection:
            row = connection.execute(select(health).where(health.c.camera_id == camera.id)).one()
        return row.captured_at_us is not None and row.kept_alive_at_us is not None and row.registered_at_us is not None

    until(told)
    until(lambda: 85_000_000 < served.camera().clock_offset_us < 95_000_000)


def test_after_a_restart_devices_register_anew_and_nothing_is_lost(sqlite_url: str, tmp_path: Path) -> None:
    with cameras_served(sqlite_url, tmp_path) as cameras:
        device = cameras.device()
        device.register()
        device.faces(small())
    with cameras_served(sqlite_url, tmp_path) as again:
        device = again.device()
        assert device.faces(small()).status_code == 401
        assert device.register().status_code == 200
        assert device.faces(small()).status_code == 200
        assert len(again.spooled()) == 2


def test_a_device_that_was_not_heard_for_three_keepalives_registers_anew(sqlite_url: str, tmp_path: Path) -> None:
    clock = ManualClock(SystemClock().now_us())
    with cameras_served(sqlite_url, tmp_path, clock=clock) as cameras:
        device = cameras.device()
        device.register()
        clock.advance(seconds=200)
        assert device.keepalive().status_code == 200
        clock.advance(seconds=271)
        assert device.keepalive().status_code == 401


def test_subscriptions_are_kept_and_told_back_to_who_asked(served: Served) -> None:
    device, other = served.device(0), served.device(1)
    device.register()
    other.register()
    asked = {
        "SubscribeID": "s1",
        "Title": "faces",
        "SubscribeDetail": "12",
        "ResourceURI": DEVICES[0],
        "ReceiveAddr": "http://10.0.0.1/VIID/SubscribeNotifications",
        "BeginTime": "20200510200408",
        "OperateType": 0,
    }
    said = device.post("/VIID/Subscribes", {"SubscribeListObject": {"SubscribeObject": [asked]}})
    assert (said.status_code, statuses(said)) == (200, [("s1", "0")])
    listed = device.ask("GET", "/VIID/Subscribes").json()["SubscribeListObject"]["SubscribeObject"]
    assert [(one["SubscribeID"], one["SubscribeStatus"]) for one in listed] == [("s1", 0)]
    assert other.ask("GET", "/VIID/Subscribes").json()["SubscribeListObject"]["SubscribeObject"] == []
    other.ask("DELETE", "/VIID/Subscribes?IDList=s1")
    device.ask("DELETE", "/VIID/Subscribes?IDList=s1")
    with served.system.db.read() as connection:
        ((device_id, kept),) = list_subscriptions(connection)
    assert (device_id, kept.state) == (device.device_id, "cancelled")
    changes = [event["detail"]["change"] for event in served.events("camera_changed")]
    assert [one for one in changes if one.startswith("subscription")] == [
        "subscription_asked",
        "subscription_cancelled",
    ]
    assert device.post("/VIID/Subscribes", {"SubscribeListObject": {}}).status_code == 400


def test_isapi_pushes_are_kept_by_digest_or_by_the_key_in_the_address(sqlite_url: str, tmp_path: Path) -> None:
    with cameras_served(sqlite_url, tmp_path) as cameras:
        cameras.change(1, source="isapi")
        device = cameras.device(1)
        kind = "multipart/form-data; boundary=boundary"
        body = multipart(("faceCapture", "application/json", b'{"eventType":"faceCapture"}'), ("f", "image/jpeg", CROP))
        until(lambda: device.post("/isapi/events", body, kind=kind, auth=device.auth).status_code == 200)
        key = push_key(cameras.system.vault.derive("camera-push", 32), device.device_id, cameras.password)
        bare = {"User-Identify": None}
        assert device.post(f"/isapi/events/{device.device_id}/{key}", body, kind=kind, headers=bare).status_code == 200
        wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
        assert device.post(f"/isapi/events/{device.device_id}/{wrong}", body, kind=kind).status_code == 401
        assert device.post(f"/isapi/events/{device.device_id}", body, kind=kind).status_code == 401
        assert device.post(f"/onvif/events/{device.device_id}/{key}", body, kind=kind).status_code == 401
        assert device.register().status_code == 401  # it is no GA/T 1400 device
        heartbeat = {"eventType": "videoloss", "eventState": "inactive"}
        said = device.post(f"/isapi/events/{device.device_id}/{key}", heartbeat, kind="application/json")
        assert said.status_code == 200
        kept = cameras.spooled()
        assert [(arrival.source, arrival.body, arrival.proven) for arrival in kept] == [("isapi", body, True)] * 2
        assert {arrival.path for arrival in kept} == {"/isapi/events"}


def test_a_spool_that_is_full_asks_to_come_again(sqlite_url: str, tmp_path: Path) -> None:
    def full(arrivals: Sequence[Arrival]) -> None:
        raise Unavailable("spool", retry_after_s=len(arrivals) + 4)

    with cameras_served(sqlite_url, tmp_path, append=full) as cameras:
        device = cameras.device()
        device.register()
        said = device.faces(small())
        assert said.status_code == 503
        assert statuses(said) == [("", "2")]
        assert said.headers["retry-after"] == "5"


def test_those_who_wait_for_the_disk_share_one_write(sqlite_url: str, tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    written: list[int] = []

    def slow(arrivals: Sequence[Arrival]) -> None:
        begun.set()
        assert go_on.wait(WITHIN_S)
        written.append(len(arrivals))

    with cameras_served(sqlite_url, tmp_path, append=slow) as cameras, ThreadPoolExecutor(8) as pool:
        device = cameras.device()
        device.register()
        answers = [pool.submit(device.faces, small()) for _ in range(8)]
        assert begun.wait(WITHIN_S)
        until(lambda: device.keepalive().status_code == 200)  # nobody else waits meanwhile
        go_on.set()
        assert [answer.result().status_code for answer in answers] == [200] * 8
    assert sum(written) == 8
    assert len(written) < 8
