"""Cameras over HTTP: each route and each role, uploads, files, and what a stranger learns."""

from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from lawful import device
from shouhao.staff.model import ROLES
from web.served import Caller, Hospital, error_of

READERS = {
    "security",
    "monitoring",
    "guard",
    "it",
    "police_liaison",
    "data_protection",
    "auditor",
    "administrator",
}
KEEPERS = {"security", "it"}
CAMERA = {
    "device_id": device(1),
    "name": "大门",
    "place_id": "P1",
    "x": 0.25,
    "y": 0.5,
    "zone": "entrance",
    "source": "gat1400",
    "password": "camera-secret-1",
    "stream": "rtsp://admin:stream-secret@10.1.1.1/1",
}
PLACE = {"building": "门诊楼", "floor": "1F", "name": "大厅"}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 50"><rect width="9" height="9"/></svg>'
FLOOR = "/floor-plan?building=门诊楼&floor=1F"


def picture() -> bytes:
    _, data = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8))
    return bytes(data)


def put(caller: Caller, path: str, **rest: Any) -> httpx.Response:
    return caller.ask("PUT", path, **rest)


def raw(kind: str, content: bytes) -> dict[str, Any]:
    return {"content": content, "headers": {"Content-Type": kind}}


def furnished(hospital: Hospital) -> Caller:
    security = hospital.staff("security")
    for path, body in (("/camera-places/P1", PLACE), ("/cameras/CAM1", CAMERA)):
        said = put(security, path, json=body)
        assert said.status_code == 200, said.text
    return security


ROUTES: list[tuple[str, str, dict[str, Any], set[str]]] = [
    ("GET", "/cameras", {}, READERS),
    ("GET", "/camera-places", {}, READERS),
    ("GET", "/floor-plans", {}, READERS),
    ("GET", FLOOR, {}, READERS),
    ("GET", "/camera-ways", {}, READERS),
    ("GET", "/cameras/csv", {}, READERS),
    ("GET", "/camera-ways/csv", {}, READERS),
    ("GET", "/cameras/CAM1/sign?reason=核对", {}, {"security", "auditor", "data_protection", "police_liaison"}),
    ("PUT", "/camera-places/P1", {"json": PLACE}, KEEPERS),
    ("PUT", "/cameras/CAM1", {"json": CAMERA}, KEEPERS),
    ("PUT", FLOOR, raw("image/svg+xml", SVG), KEEPERS),
    ("PUT", "/camera-ways", {"json": {"ways": []}}, KEEPERS),
    ("POST", "/cameras/csv", raw("text/csv", b""), KEEPERS),
    ("POST", "/camera-ways/csv", raw("text/csv", b""), KEEPERS),
    ("POST", "/cameras/CAM1/declaration", {"json": {"no_forbidden_place_in_view": True}}, {"security"}),
    ("POST", "/cameras/CAM1/state", {"json": {"state": "live"}}, {"security"}),
    ("POST", "/cameras/CAM1/sign", raw("image/jpeg", picture()), {"security", "guard"}),
]


@pytest.mark.parametrize(("method", "path", "sent", "allowed"), ROUTES, ids=[f"{r[0]} {r[1]}" for r in ROUTES])
def test_each_route_and_each_role(
    sqlite_hospital: Hospital, method: str, path: str, sent: dict[str, Any], allowed: set[str]
) -> None:
    furnished(sqlite_hospital)
    nobody = Caller(sqlite_hospital.console, {}).ask(method, path, **sent)
    assert nobody.status_code == 401, nobody.text
    said = {role: sqlite_hospital.staff(role).ask(method, path, **sent).status_code for role in ROLES}
    assert {role for role, status in said.items() if status != 403} == allowed
    assert all(status < 500 for status in said.values())


def test_a_camera_is_registered_declared_and_goes_live(hospital: Hospital) -> None:
    security = furnished(hospital)
    early = security.post("/cameras/CAM1/state", json={"state": "live"})
    assert error_of(early)["code"] == "watch.place_not_declared"
    wrong = security.post("/cameras/CAM1/declaration", json={"no_forbidden_place_in_view": False})
    assert wrong.status_code == 422
    said = security.post("/cameras/CAM1/declaration", json={"no_forbidden_place_in_view": True})
    assert said.status_code == 200, said.text
    assert security.post("/cameras/CAM1/state", json={"state": "live"}).status_code == 200
    assert hospital.staff("guard").post("/cameras/CAM1/sign", **raw("image/jpeg", picture())).status_code == 201
    (found,) = hospital.staff("monitoring").get("/cameras").json()["cameras"]
    assert (found["state"], found["health"], found["has_password"]) == ("live", "never", True)
    assert [warned["code"] for warned in found["warnings"]] == ["never_heard"]
    assert found["sign_photo_id"].startswith("st_")
    hospital.assert_sound()


def test_no_answer_and_no_event_holds_a_password_or_a_stream_address(sqlite_hospital: Hospital) -> None:
    furnished(sqlite_hospital)
    auditor = sqlite_hospital.staff("auditor")
    said = auditor.get("/cameras").text + auditor.get("/cameras/csv").text + str(sqlite_hospital.state())
    said += str(sqlite_hospital.events("camera_changed"))
    assert "camera-secret" not in said
    assert "stream-secret" not in said


def test_a_look_at_a_sign_is_registered_before_the_picture_is_shown(sqlite_hospital: Hospital) -> None:
    security = furnished(sqlite_hospital)
    assert security.get("/cameras/CAM1/sign?reason=月检").status_code == 404
    assert security.post("/cameras/CAM1/sign", **raw("image/jpeg", picture())).status_code == 201
    assert security.get("/cameras/CAM1/sign").status_code == 422
    assert sqlite_hospital.events("record_looked_at") == []
    seen = security.get("/cameras/CAM1/sign?reason=月检")
    assert (seen.status_code, seen.headers["content-type"], seen.headers["cache-control"]) == (
        200,
        "image/jpeg",
        "no-store",
    )
    assert seen.content != picture()
    assert len(sqlite_hospital.events("record_looked_at")) == 1


def test_a_plan_is_shown_so_that_it_can_do_nothing(sqlite_hospital: Hospital) -> None:
    security = furnished(sqlite_hospital)
    assert put(security, FLOOR, **raw("image/svg+xml", SVG)).status_code == 200
    bad = put(security, FLOOR, **raw("image/svg+xml", SVG.replace(b"<rect", b"<rect onclick='x'")))
    assert (bad.status_code, error_of(bad)["code"]) == (422, "watch.plan_refused")
    unknown = put(security, "/floor-plan?building=门诊楼&floor=9F", **raw("image/svg+xml", SVG))
    assert unknown.status_code == 404
    seen = sqlite_hospital.staff("guard").get(FLOOR)
    assert seen.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in seen.headers["content-security-policy"]
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert [plan["floor"] for plan in security.get("/floor-plans").json()["plans"]] == ["1F"]


def test_a_file_goes_out_and_in_and_one_mistake_stops_it(sqlite_hospital: Hospital) -> None:
    security = furnished(sqlite_hospital)
    text = security.get("/cameras/csv").text
    again = security.post("/cameras/csv", **raw("text/csv", text.encode("gb18030", "ignore")))
    assert again.json() == {"places": 1, "cameras": 1, "ways": 0}
    before = sqlite_hospital.state()
    bad = security.post("/cameras/csv", **raw("text/csv", text.replace("大门", "卫生间").encode()))
    assert (bad.status_code, error_of(bad)["code"]) == (422, "watch.file_refused")
    assert "第 2 行" in error_of(bad)["message"]
    assert sqlite_hospital.state() == before
    kind = security.post("/cameras/csv", **raw("application/zip", b"x"))
    assert kind.status_code == 415


def test_walking_times_are_replaced_as_a_whole(sqlite_hospital: Hospital) -> None:
    security = furnished(sqlite_hospital)
    for number in (2, 3):
        more = {**CAMERA, "device_id": device(number)}
        assert put(security, f"/cameras/CAM{number}", json=more).status_code == 200
    ways = [
        {"from_id": "CAM1", "to_id": "CAM2", "shortest_s": 10, "usual_s": 12},
        {"from_id": "CAM2", "to_id": "CAM3", "shortest_s": 10, "usual_s": 12},
    ]
    assert put(security, "/camera-ways", json={"ways": ways}).json()["ways"] == 2
    long_way = {"from_id": "CAM1", "to_id": "CAM3", "shortest_s": 90, "usual_s": 99}
    refused = put(security, "/camera-ways", json={"ways": [*ways, long_way]})
    assert (refused.status_code, error_of(refused)["code"]) == (422, "watch.shorter_way_round")
    text = security.get("/camera-ways/csv").text
    said = security.post("/camera-ways/csv?symmetric=true", **raw("text/csv", text.encode()))
    assert said.json()["ways"] == 4
    assert len(security.get("/camera-ways").json()["ways"]) == 4
