"""Alarms over HTTP: each route with each role, the case step by step, retries and steps that waited."""

from typing import Any

import httpx
import pytest

from shouhao.kernel.clock import MINUTE_US
from shouhao.kernel.ids import new_id
from shouhao.staff.model import ROLES
from shouhao.watch.store.alarms import steps_of
from web.alarmed import WATCHING, do, furnish, raised, sent
from web.served import Hospital, error_of


@pytest.fixture
def people(hospital: Hospital) -> dict[str, str]:
    return furnish(hospital)


def test_each_role_reaches_its_own_routes_and_no_other(hospital: Hospital, people: dict[str, str]) -> None:
    alarm_id, after = sent(hospital, people)
    dispatch = f"/guard/dispatches/{after['dispatch_id']}"
    routes: tuple[tuple[str, str, Any, set[str]], ...] = (
        ("GET", "/alarms", None, WATCHING),
        ("GET", f"/alarms/{alarm_id}", None, WATCHING),
        ("GET", f"/alarms/{alarm_id}/pictures/crop", None, WATCHING - {"auditor"}),
        ("GET", f"/alarms/{alarm_id}/trail?reason=x", None, WATCHING - {"auditor"}),
        ("GET", f"/alarms/{alarm_id}/timeline?reason=x", None, WATCHING - {"auditor"}),
        ("POST", f"/alarms/{alarm_id}/steps", {"step": "acknowledged", "version": 99}, WATCHING - {"auditor"}),
        ("POST", f"/alarms/{alarm_id}/export-requests", {"reason": "移交"}, {"security", "police_liaison"}),
        ("POST", "/trail-inquiries", {"entry_id": "e", "from_at": "x", "until_at": "y", "reason": ""}, set(ROLES)),
        ("POST", "/trail-inquiries/ap_x/opening", {"reason": "x"}, {"security", "police_liaison"}),
        ("GET", "/guard/post", None, {"guard"}),
        ("PUT", "/guard/post", {"place_id": "lift"}, {"guard"}),
        ("GET", "/guard/dispatches", None, {"guard"}),
        ("GET", f"{dispatch}/pictures/crop", None, {"guard"}),
        ("GET", f"{dispatch}/way", None, {"guard"}),
        ("GET", f"{dispatch}/plan?building=a&floor=b", None, {"guard"}),
        ("POST", f"{dispatch}/steps", {"step": "declined"}, {"guard"}),
    )
    with httpx.Client(timeout=20) as client:

        def ask(role: str | None, method: str, path: str, body: Any) -> httpx.Response:
            key = {} if role is None else {"Authorization": f"Bearer {hospital.operator_keys[role]}"}
            headers = {"Idempotency-Key": new_id("ik"), **key}
            return client.request(method, hospital.console + path, json=body, headers=headers)

        before = hospital.state()
        for method, path, body, allowed in routes:
            assert ask(None, method, path, body).status_code == 401, path
            for role in set(ROLES) - allowed:
                said = ask(role, method, path, body)
                assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), (role, path)
        assert hospital.state() == before
        for method, path, body, allowed in routes:
            for role in allowed:
                said = ask(role, method, path, body)
                assert said.status_code < 500, (role, path, said.text)
                assert "staff.role_missing" not in said.text, (role, path)


def test_the_case_of_the_hospital_over_http(hospital: Hospital, people: dict[str, str]) -> None:
    alarm_id, _ = sent(hospital, people)
    guard = hospital.staff("guard")
    (mine,) = guard.get("/guard/dispatches").json()["dispatches"]
    assert (mine["alarm_id"], mine["state"], mine["live"], mine["place"]["name"]) == (
        alarm_id,
        "sent",
        True,
        "门诊楼入口",
    )
    path = f"/guard/dispatches/{mine['dispatch_id']}/steps"
    for step, more in (("accepted", {}), ("arrived", {}), ("outcome", {"outcome": "removed", "reason": "驱离"})):
        hospital.clock.advance(seconds=60)
        said = guard.post(path, json={"step": step, **more})
        assert said.status_code == 200, said.text
    assert said.json()["live"] is False
    do(hospital.staff("police_liaison"), alarm_id, "handed_to_police", 7)
    do(hospital.staff("security"), alarm_id, "closed", 8)
    detail = hospital.staff("auditor").get(f"/alarms/{alarm_id}").json()
    assert [s["step"] for s in detail["history"]] == [
        "raised",
        "acknowledged",
        "confirmed",
        "dispatched",
        "accepted",
        "arrived",
        "outcome",
        "handed_to_police",
        "closed",
    ]
    assert [s["by_name"] for s in detail["history"]][:2] == [None, "monitoring"]
    assert detail["alarm"]["steps"] == []
    assert [c["late"] for c in detail["alarm"]["clocks"]] == [False] * 7
    assert hospital.staff("monitoring").get("/alarms").json()["alarms"] == []
    assert len(hospital.staff("monitoring").get("/alarms?open=false").json()["alarms"]) == 1
    hospital.assert_sound()


def test_a_step_on_what_is_no_longer_so_is_refused_and_a_retry_is_the_same_step(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    body = {"step": "acknowledged", "version": 1}
    path = f"/alarms/{alarm_id}/steps"
    first = monitoring.post(path, json=body, key="same")
    assert monitoring.post(path, json=body, key="same").json() == first.json()
    second = hospital.staff("security").post(path, json=body)
    assert (second.status_code, error_of(second)["code"]) == (409, "watch.alarm_changed")
    wrong = monitoring.post(path, json={"step": "rejected", "version": 2})
    assert (wrong.status_code, error_of(wrong)["field"]) == (422, "reason")
    nobody = monitoring.post(path, json={"step": "confirmed", "version": 2})
    assert nobody.status_code == 200
    unknown = monitoring.post(path, json={"step": "dispatched", "version": 3, "guard_id": people["auditor"]})
    assert (unknown.status_code, error_of(unknown)["code"]) == (422, "watch.guard_unknown")
    accept = monitoring.post(path, json={"step": "accepted", "version": 3})
    assert (accept.status_code, error_of(accept)["code"]) == (403, "watch.step_not_yours")


def test_steps_that_waited_on_the_phone_keep_their_time_and_a_resent_one_is_one_step(
    hospital: Hospital, people: dict[str, str]
) -> None:
    alarm_id, after = sent(hospital, people)
    hospital.clock.advance(seconds=300)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    phone_ms = 1_000_000_000_000  # a phone whose clock is years behind
    body = {"step": "accepted", "said_at_ms": phone_ms}
    first = guard.post(path, json=body, key="q1", headers={"Shouhao-Sent-At": str(phone_ms + 240_000)})
    again = guard.post(path, json=body, key="q1", headers={"Shouhao-Sent-At": str(phone_ms + 290_000)})
    assert (first.status_code, again.json()) == (200, first.json())
    history = hospital.staff("monitoring").get(f"/alarms/{alarm_id}").json()["history"]
    assert [s["step"] for s in history][-1] == "accepted"
    assert len(history) == 5
    with hospital.system.db.read() as connection:
        accepted = steps_of(connection, alarm_id)[-1]
    assert (accepted.heard_at_us - accepted.at_us, accepted.said_at_us) == (4 * MINUTE_US, phone_ms * 1000)
