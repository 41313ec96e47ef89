"""Searches of recordings over HTTP: each route by each role, names that are no paths, and one whole story."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.searching import OTHERS, WANTED, photograph, recorded
from lawful import go_live, make_lawful
from shouhao.kernel.clock import DAY_US
from shouhao.staff.model import ROLES
from shouhao.staff.store import authenticate
from shouhao.staff.training import record_training
from web.served import NOW_US, Caller, Hospital, error_of, served

READ = {"security", "police_liaison", "approver", "data_protection", "auditor"}
SEARCH = {"security", "police_liaison"}
SPAN = {"from_at": "2026-03-02T08:00:00+08:00", "until_at": "2026-03-02T08:59:00+08:00"}
WHY = "核对案件线索"


def body(**changed: Any) -> dict[str, Any]:
    return {"photo": "AAAA", "recordings": ["a.mp4"], "reason": WHY, "threshold_cos": 0.42, **SPAN, **changed}


ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "/recording-searches", None, READ),
    ("GET", "/recording-searches/rs_0", None, READ),
    ("POST", "/recording-searches/requests", body(), SEARCH),
    ("POST", "/recording-searches", body(approval_id="ap_0"), SEARCH),
    ("POST", "/recording-searches/rs_0/stop", None, SEARCH | {"data_protection"}),
    ("GET", "/recording-searches/rs_0/hits/rh_0/crop?reason=x", None, SEARCH),
]


@pytest.mark.parametrize(("method", "path", "sent", "allowed"), ROUTES, ids=[f"{m} {p}" for m, p, _, _ in ROUTES])
def test_who_may(sqlite_hospital: Hospital, method: str, path: str, sent: Any, allowed: set[str]) -> None:
    def ask(caller: Caller) -> int:
        return caller.ask(method, path, **({} if sent is None else {"json": sent})).status_code

    assert ask(Caller(sqlite_hospital.console, {})) == 401
    assert {role for role in ROLES if ask(sqlite_hospital.staff(role)) != 403} == allowed


@pytest.fixture
def searching(
    sqlite_url: str, tmp_path: Path, models_dir: Path, faces_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hospital]:
    """A lawful hospital with real models and one recording."""
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    monkeypatch.setenv("SHOUHAO_FACE_PACK", "arcface-onnx")
    monkeypatch.setenv("SHOUHAO_FACE_THREADS", "1")
    monkeypatch.setenv("SHOUHAO_PULL_DETECT_PX", "640")
    folder = tmp_path / "handed-in"
    folder.mkdir()
    monkeypatch.setenv("SHOUHAO_RECORDINGS_DIR", str(folder))
    (folder / "20260302083000.mp4").write_bytes(recorded(faces_dir, OTHERS[0], WANTED))
    (folder / "link.mp4").symlink_to(tmp_path)
    with served(sqlite_url, tmp_path) as hospital:
        db = hospital.system.db
        go_live(db, "CAM1", now_us=NOW_US)
        make_lawful(db, "watchlist", "recordings_search", now_us=NOW_US)
        with db.write() as connection:
            who = authenticate(connection, hospital.operator_keys["security"])
            until_us = NOW_US + DAY_US
            record_training(connection, who.id, trained_by="x", document="T", until_us=until_us, now_us=NOW_US)
        yield hospital


def wanted(faces_dir: Path, **changed: Any) -> dict[str, Any]:
    photo = base64.b64encode(photograph(faces_dir, WANTED, 3)).decode()
    return body(photo=photo, recordings=["20260302083000.mp4"], camera_id="CAM1", **changed)


def test_a_search_from_the_asking_to_the_look_at_its_hit(searching: Hospital, faces_dir: Path) -> None:
    security, second = searching.staff("security"), searching.staff("data_protection")
    assert security.get("/recording-searches").json()["recordings"] == ["20260302083000.mp4"]
    asked = security.post("/recording-searches/requests", json=wanted(faces_dir))
    assert asked.status_code == 201, asked.text
    approval_id = asked.json()["approval_id"]
    early = security.post("/recording-searches", json=wanted(faces_dir, approval_id=approval_id))
    assert (early.status_code, error_of(early)["code"]) == (409, "staff.not_approved")
    shown = second.get(f"/approvals/{approval_id}").json()
    decision = {"approve": True, "reason": "已核对", "payload_sha256": shown["payload_sha256"]}
    said = second.post(f"/approvals/{approval_id}/decision", json=decision)
    assert said.status_code in {200, 201}, said.text
    begun = security.post("/recording-searches", json=wanted(faces_dir, approval_id=approval_id))
    assert begun.status_code == 202, begun.text
    path = f"/recording-searches/{begun.json()['search_id']}"
    until_s = time.monotonic() + 60
    while (found := security.get(path).json())["search"]["state"] == "running" and time.monotonic() < until_s:
        time.sleep(0.1)
    assert found["search"]["state"] == "done"
    assert found["progress"] is None
    assert [one["stopped"] for one in found["files"]] == ["ended"]
    (hit,) = found["hits"]
    assert hit["similarity_cos"] >= 0.42
    looked = security.get(f"{path}/hits/{hit['hit_id']}/crop", params={"reason": WHY})
    assert looked.headers["content-type"] == "image/jpeg"
    assert looked.content.startswith(b"\xff\xd8\xff")
    assert security.get(f"{path}/hits/{hit['hit_id']}/crop").status_code == 422
    whats = [event["detail"]["what"] for event in searching.events("record_looked_at")]
    assert len(whats) == 2
    assert whats[0].startswith("recordings:photo:")
    assert whats[1].startswith("still:")
    again = security.post("/recording-searches", json=wanted(faces_dir, approval_id=approval_id))
    assert (again.status_code, error_of(again)["code"]) == (409, "staff.approval_ended")


def test_a_recording_is_a_name_and_no_path(searching: Hospital, faces_dir: Path) -> None:
    security = searching.staff("security")
    for name in ("../shouhao.sqlite3", "/etc/passwd", "a\\b", "", "x" * 300):
        refused = security.post("/recording-searches/requests", json=wanted(faces_dir) | {"recordings": [name]})
        assert refused.status_code == 422, name
    for name in ("link.mp4", "..", ".hidden", "none.mp4"):
        refused = security.post("/recording-searches/requests", json=wanted(faces_dir) | {"recordings": [name]})
        assert (refused.status_code, error_of(refused)["code"]) == (404, "not_found"), name


def test_what_cannot_be_searched_for_says_so(searching: Hospital, faces_dir: Path) -> None:
    security = searching.staff("security")
    for changed, status, code in (
        ({"photo": "not base64!"}, 422, "invalid"),
        ({"photo": "AAAA"}, 422, "faces.picture_refused"),
        ({"photo": None}, 422, "invalid"),
        ({"camera_id": "CAM9"}, 422, "invalid"),
        ({"threshold_cos": None}, 409, "watch.search_without_threshold"),
        ({"from_at": "2026-03-02T09:00:00+08:00"}, 422, "invalid"),
    ):
        refused = security.post("/recording-searches/requests", json={**wanted(faces_dir), **changed})
        assert (refused.status_code, error_of(refused)["code"]) == (status, code), changed
