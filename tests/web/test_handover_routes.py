"""Handovers over HTTP: each route and each role, retries, two at once, and that words stay out of the event log."""

import threading
from typing import Any

import httpx
import pytest

from shouhao.staff.model import ROLES
from web.alarmed import WATCHING, furnish, raised
from web.served import Caller, Hospital, error_of

WRITERS = {"monitoring", "security"}
PATH = "/shift-handovers"
NOTE = {"note": "三号机位反光；<img src=x onerror=alert(1)>"}


def test_each_route_and_each_role(hospital: Hospital) -> None:
    furnish(hospital)
    routes: tuple[tuple[str, str, dict[str, Any], set[str]], ...] = (
        ("GET", PATH, {}, WATCHING),
        ("GET", f"{PATH}/standing", {}, WATCHING),
        ("POST", PATH, {"json": {"note": " "}}, WRITERS),
        ("POST", f"{PATH}/ho_none/taking", {"json": {}}, WRITERS),
    )
    before = hospital.state()
    for method, path, sent, allowed in routes:
        assert Caller(hospital.console, {}).ask(method, path, **sent).status_code == 401, path
        said = {role: hospital.staff(role).ask(method, path, **sent) for role in ROLES}
        assert {role for role, one in said.items() if one.status_code != 403} == allowed, path
        assert {one.status_code for role, one in said.items() if role in allowed} <= {200, 404, 422}
        for role in set(ROLES) - allowed:
            assert error_of(said[role])["code"] == "staff.role_missing"
    assert hospital.state() == before


def test_a_shift_is_handed_over_and_taken_by_another(hospital: Hospital) -> None:
    furnish(hospital)
    alarm_id, monitoring, security = raised(hospital), hospital.staff("monitoring"), hospital.staff("security")
    now = security.get(f"{PATH}/standing").json()
    assert ([a["alarm_id"] for a in now["alarms"]], [g["name"] for g in now["guards"]]) == ([alarm_id], ["guard"])
    assert hospital.staff("auditor").get(PATH).json()["waiting"] is None
    first = monitoring.post(PATH, json=NOTE, key="one")
    assert first.status_code == 201, first.text
    one = first.json()
    assert monitoring.post(PATH, json=NOTE, key="one").json() == one, "a retry hears the same"
    assert (one["note"], one["handed_by_name"], one["taken_by_name"]) == (NOTE["note"], "monitoring", None)
    assert one["standing"] == {name: now[name] for name in ("alarms", "cameras_out", "guards")}
    for role in WATCHING:
        assert hospital.staff(role).get(PATH).json()["waiting"] == one
    taking = f"{PATH}/{one['handover_id']}/taking"
    own = monitoring.post(taking, json={})
    assert (own.status_code, error_of(own)["code"]) == (409, "watch.own_handover")
    second = security.post(PATH, json={"note": "我也交班"})
    assert (second.status_code, error_of(second)["code"]) == (409, "watch.handover_waits")
    hospital.clock.advance(seconds=60)
    after = security.post(taking, json={"remark": "已逐件看过"}).json()
    assert (after["taken_by_name"], after["remark"]) == ("security", "已逐件看过")
    assert security.post(taking, json={}).json() == after
    late = hospital.staff("all").post(taking, json={})
    assert (late.status_code, error_of(late)["code"]) == (409, "watch.handover_taken")
    found = hospital.staff("police_liaison").get(PATH).json()
    assert (found["waiting"], found["handovers"]) == (None, [after])
    told = hospital.events("shift_handed_over") + hospital.events("shift_taken_over")
    assert len(told) == 2
    assert "反光" not in repr(told)
    assert "已逐件看过" not in repr(told)


@pytest.mark.parametrize("bad", [{}, {"note": 7}, {"note": "a\0b"}, {"note": "长" * 2001}, {"note": "x", "by": "op"}])
def test_what_is_no_note_is_refused(sqlite_hospital: Hospital, bad: dict[str, Any]) -> None:
    said = sqlite_hospital.staff("monitoring").post(PATH, json=bad)
    assert said.status_code in {400, 422}, said.text
    assert sqlite_hospital.events("shift_handed_over") == []


def test_of_two_who_hand_over_at_once_one_does(hospital: Hospital) -> None:
    gate, said = threading.Barrier(2), []

    def run(role: str) -> None:
        gate.wait()
        answer: httpx.Response = hospital.staff(role).post(PATH, json={"note": role})
        said.append(answer.status_code)

    threads = [threading.Thread(target=run, args=(role,)) for role in WRITERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(said) == [201, 409]
    assert len(hospital.events("shift_handed_over")) == 1
