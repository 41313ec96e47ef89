"""What is shown of an alarm: no name, faces on record and marked, the way on the plan, the page that is handed over."""

import io

import pytest
from PIL import Image

from shouhao.staff import approvals, register
from shouhao.staff.store import authenticate
from web.alarmed import do, furnish, raised, sent
from web.served import Hospital, error_of


@pytest.fixture
def hospital(sqlite_hospital: Hospital) -> Hospital:
    """The kind of database does not matter here."""
    return sqlite_hospital


@pytest.fixture
def people(hospital: Hospital) -> dict[str, str]:
    return furnish(hospital)


def test_a_detail_names_nobody_and_offers_the_nearest_guard(hospital: Hospital, people: dict[str, str]) -> None:
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    do(monitoring, alarm_id, "acknowledged", 1)
    do(monitoring, alarm_id, "confirmed", 2)
    detail = monitoring.get(f"/alarms/{alarm_id}").json()
    assert [(g["guard_id"], g["walking_s"]) for g in detail["guards"]] == [(people["guard"], 75.0)]
    assert {c["floor"] for c in detail["cameras"]} == {"1F", "4F"}
    assert detail["alarm"]["steps"] == ["rejected", "dispatched", "outcome"]
    assert monitoring.get("/alarms/al_x").status_code == 404


def test_a_face_is_shown_after_its_look_is_on_record_and_with_the_lookers_mark(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id = raised(hospital)
    said = hospital.staff("monitoring").get(f"/alarms/{alarm_id}/pictures/crop", params={"reason": "核对"})
    assert (said.status_code, said.headers["content-type"]) == (200, "image/jpeg")
    assert said.headers["cache-control"] == "no-store"
    shown = Image.open(io.BytesIO(said.content)).convert("L")
    assert len(set(shown.tobytes())) > 10, "a mark lies over the even grey"
    with hospital.system.db.read() as connection:
        (look,) = register.search(connection, data_class="face")
    assert (look.operator_id, look.reason, look.authority) == (people["monitoring"], "核对", f"alarm:{alarm_id}")
    assert look.what.startswith(f"alarm:{alarm_id} crop:st_")
    listed = hospital.staff("monitoring").get(f"/alarms/{alarm_id}/pictures/listed")
    assert listed.status_code == 404, "there is no such photograph in the gallery"
    assert hospital.staff("monitoring").get(f"/alarms/{alarm_id}/pictures/other").status_code == 422


def test_without_training_no_face_is_shown(hospital: Hospital, people: dict[str, str]) -> None:
    alarm_id = raised(hospital)
    hospital.clock.advance(seconds=31 * 86_400)
    said = hospital.staff("monitoring").get(f"/alarms/{alarm_id}/pictures/crop")
    assert (said.status_code, error_of(said)["code"]) == (403, "staff.not_trained")


def test_a_guard_sees_the_face_while_the_task_is_his(hospital: Hospital, people: dict[str, str]) -> None:
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}"
    assert guard.get(f"{path}/pictures/crop").status_code == 200
    do(hospital.staff("monitoring"), alarm_id, "rejected", 4, reason="另一个人")
    assert guard.get(f"{path}/pictures/crop").status_code == 404
    (mine,) = guard.get("/guard/dispatches").json()["dispatches"]
    assert (mine["state"], mine["live"], mine["pictures"]) == ("recalled", False, [])
    late = guard.post(f"{path}/steps", json={"step": "accepted"})
    assert (late.status_code, error_of(late)["code"]) == (409, "watch.task_ended")


def test_the_way_is_drawn_from_the_post_over_the_floors(hospital: Hospital, people: dict[str, str]) -> None:
    _, after = sent(hospital, people)
    guard = hospital.staff("guard")
    assert guard.ask("PUT", "/guard/post", json={"place_id": "rest4"}).json()["place_id"] == "rest4"
    way = guard.get(f"/guard/dispatches/{after['dispatch_id']}/way").json()
    assert [f["floor"] for f in way["floors"]] == ["4F", "1F"]
    assert way["walking_s"] == 165.0
    assert way["floors"][1]["way"] == [[0.8, 0.3], [0.45, 0.5], [0.1, 0.8]]
    assert [c["name"] for c in way["floors"][1]["cameras"] if c["target"]] == ["门诊楼入口"]
    wrong = guard.ask("PUT", "/guard/post", json={"place_id": "nowhere"})
    assert (wrong.status_code, error_of(wrong)["field"]) == (422, "place_id")


def test_the_timeline_is_one_page_that_says_what_was_done_and_names_nobody_listed(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    for step, more in (("accepted", {}), ("arrived", {}), ("outcome", {"outcome": "removed", "reason": "驱离"})):
        hospital.clock.advance(seconds=240)
        assert guard.post(path, json={"step": step, **more}).status_code == 200
    police = hospital.staff("police_liaison")
    assert error_of(police.get(f"/alarms/{alarm_id}/timeline?reason="))["field"] == "reason"
    said = police.get(f"/alarms/{alarm_id}/timeline", params={"reason": "移交派出所"})
    assert (said.status_code, said.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for words in ("报警处置时间线", "人工确认", "处置结果：劝离", "12′00″", "按时 in time", "SHA-256"):
        assert words in said.text, words
    assert "src=" not in said.text.replace('src="data:', "")
    assert "data:image" not in said.text, "no face without an approval"
    with hospital.system.db.read() as connection:
        (look,) = register.search(connection, data_class="case")
    assert (look.operator_id, look.reason) == (people["police_liaison"], "移交派出所")


def test_faces_leave_the_house_with_a_second_persons_consent_and_once(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, security = raised(hospital), hospital.staff("security")
    asked = security.post(f"/alarms/{alarm_id}/export-requests", json={"reason": "移交派出所"})
    assert asked.status_code == 201, asked.text
    approval = asked.json()["approval_id"]
    wanted = {"reason": "移交派出所", "approval": approval}
    early = security.get(f"/alarms/{alarm_id}/timeline", params=wanted)
    assert (early.status_code, error_of(early)["code"]) == (409, "staff.not_approved")
    with hospital.system.db.write() as connection:
        approver = authenticate(connection, hospital.operator_keys["approver"])
        now_us = hospital.clock.now_us()
        approvals.decide(connection, approval, operator=approver, approve=True, reason="同意", now_us=now_us)
    assert hospital.staff("police_liaison").get(f"/alarms/{alarm_id}/timeline", params=wanted).status_code == 404
    page = security.get(f"/alarms/{alarm_id}/timeline", params=wanted)
    assert (page.status_code, page.text.count("data:image/jpeg;base64,")) == (200, 2)
    again = security.get(f"/alarms/{alarm_id}/timeline", params=wanted)
    assert (again.status_code, error_of(again)["code"]) == (409, "staff.approval_ended")
    other = security.get(f"/alarms/{raised(hospital, 2, entry_id='we_2')}/timeline", params=wanted)
    assert other.status_code == 409


def test_targets_change_with_a_second_persons_consent_and_stay_as_versions(
    hospital: Hospital, people: dict[str, str]
) -> None:
    security = hospital.staff("security")
    assert security.get("/alarm-policy").json()["body"]["outcome_s"] == 1200
    wrong = security.post("/alarm-policy/requests", json={"body": {"outcome_s": -1}, "reason": "x"})
    assert wrong.status_code == 422
    asked = security.post("/alarm-policy/requests", json={"body": {"outcome_s": 900}, "reason": "试行"})
    approval = {"approval_id": asked.json()["approval_id"]}
    assert error_of(security.post("/alarm-policy", json=approval))["code"] == "staff.not_approved"
    with hospital.system.db.write() as connection:
        approver = authenticate(connection, hospital.operator_keys["approver"])
        now_us = hospital.clock.now_us()
        approvals.decide(
            connection, approval["approval_id"], operator=approver, approve=True, reason="同意", now_us=now_us
        )
    begun = security.post("/alarm-policy", json=approval)
    assert (begun.status_code, begun.json()["version"], begun.json()["body"]["outcome_s"]) == (201, 1, 900)
    alarm_id = raised(hospital)
    clocks = security.get(f"/alarms/{alarm_id}").json()["alarm"]["clocks"]
    (outcome,) = [c for c in clocks if c["target"] == "outcome"]
    assert outcome["due"][14:19] == "15:00"
