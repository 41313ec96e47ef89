"""Staff's own routes: each against each role, and what a person does with them on a good day."""

from typing import Any

import httpx
import pytest

from shouhao.kernel.clock import DAY_US, iso
from shouhao.staff.approvals import DECIDERS, ApprovalKind, ask, use
from shouhao.staff.model import ROLES, Operator
from web.browser import PASSWORD, Browser, person, set_up, signed_in
from web.served import NOW_US, Hospital, error_of

REASON = {"reason": "例行检查", "authority": "审计计划 2026-3"}
SUM = "0" * 64
ALL = frozenset(ROLES)
WATCH = frozenset({"auditor", "data_protection"})
ADMIN = frozenset({"administrator"})
#: Every route of these parts: who hears something else than "not your role".
TABLE: dict[tuple[str, str], tuple[dict[str, Any] | None, frozenset[str]]] = {
    ("GET", "/me"): (None, ALL),
    ("GET", "/operators"): (None, ADMIN | WATCH),
    ("POST", "/operators"): ({"name": "x", "roles": ["king"]}, ADMIN),
    ("POST", "/operators/{operator_id}/key"): ({}, ADMIN),
    ("POST", "/operators/{operator_id}/login"): ({}, ADMIN),
    ("PUT", "/operators/{operator_id}/roles"): ({"roles": ["guard"]}, ADMIN),
    ("DELETE", "/operators/{operator_id}"): (None, ADMIN),
    ("GET", "/operators/{operator_id}/trainings"): (None, ADMIN | WATCH),
    ("POST", "/operators/{operator_id}/trainings"): (
        {"trained_by": "x", "document": "y", "until": "2027-01-01T00:00:00+08:00"},
        ADMIN | {"data_protection"},
    ),
    ("GET", "/invariants"): (None, frozenset({"it", "auditor"})),
    ("GET", "/approvals"): (None, ALL),
    ("GET", "/approvals/{approval_id}"): (None, ALL),
    ("POST", "/approvals/{approval_id}/decision"): (
        {"approve": True, "reason": "x", "payload_sha256": SUM},
        ALL,
    ),
    ("POST", "/approvals/{approval_id}/withdrawal"): ({"reason": "x"}, ALL),
    ("POST", "/access-register/search"): (REASON, WATCH),
    ("POST", "/access-register/counters"): (REASON, WATCH),
    ("POST", "/access-register/export"): (REASON, WATCH),
    ("GET", "/access-register/canaries"): (None, WATCH),
    ("POST", "/access-register/canaries"): ({"record_id": "none"}, frozenset({"data_protection"})),
    ("DELETE", "/access-register/canaries/{record_id}"): (None, frozenset({"data_protection"})),
}
#: By cookie alone: a key opens none of them, whatever its roles.
COOKIE_ONLY = {
    ("GET", "/session"): None,
    ("DELETE", "/session"): None,
    ("POST", "/session/password"): {"new_password": "x" * 20},
    ("POST", "/session/second-factor"): {},
    ("POST", "/session/second-factor/confirmation"): {"code": "000000"},
}
OPEN = {("POST", "/sign-in")}
TAGS = {"operators", "sessions", "approvals", "access register"}


def described(hospital: Hospital) -> dict[tuple[str, str], dict[str, Any]]:
    document = httpx.get(hospital.console.removesuffix("/staff") + "/openapi.json", timeout=60).json()
    return {
        (method.upper(), path.removeprefix("/api/v1/staff")): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def test_no_route_of_these_parts_is_without_a_row(sqlite_hospital: Hospital) -> None:
    mine = {route for route, told in described(sqlite_hospital).items() if TAGS & set(told.get("tags", ()))}
    assert mine == set(TABLE) | set(COOKIE_ONLY) | OPEN


def try_route(caller: Any, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
    filled = path.format(operator_id="op_none", approval_id="ap_none", record_id="none")
    said: httpx.Response = caller.ask(method, filled) if body is None else caller.ask(method, filled, json=body)
    return said


def test_each_route_opens_to_its_roles_and_to_no_other(hospital: Hospital) -> None:
    before = hospital.state()
    for (method, path), (body, may) in TABLE.items():
        for role in ALL - may:
            said = try_route(hospital.staff(role), method, path, body)
            assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing"), (path, role)
    nobody = Browser(hospital)
    for (method, path), body in {**{route: row[0] for route, row in TABLE.items()}, **COOKIE_ONLY}.items():
        said = try_route(nobody, method, path, body)
        assert (said.status_code, error_of(said)["code"]) == (401, "staff.refused"), path
    assert hospital.state() == before
    for (method, path), (body, may) in TABLE.items():
        for role in may:
            said = try_route(hospital.staff(role), method, path, body)
            assert said.status_code != 403, (method, path, role, said.text)
            assert said.status_code < 500, said.text


def test_a_key_opens_no_session(sqlite_hospital: Hospital) -> None:
    for (method, path), body in COOKIE_ONLY.items():
        said = sqlite_hospital.staff("all").ask(method, path, json=body or {})
        assert (said.status_code, error_of(said)["code"]) == (401, "staff.refused"), path


def test_the_first_sign_in_sets_a_password_and_a_factor_and_nothing_else(hospital: Hospital) -> None:
    one_time = person(hospital, "chen", "administrator")
    browser = Browser(hospital)
    assert browser.sign_in("chen", one_time).json()["stage"] == "setup"
    for path in ("/me", "/operators", "/approvals"):
        said = browser.get(path)
        assert (said.status_code, error_of(said)["code"]) == (403, "staff.setup_needed"), path
    assert error_of(browser.post("/session/password", json={"new_password": "short"}))["field"] == "new_password"
    again = Browser(hospital)
    assert error_of(again.sign_in("chen", one_time))["code"] == "staff.sign_in_refused"
    reset = hospital.staff("administrator").post(f"/operators/{operator_id(hospital, 'chen')}/login", json={})
    assert browser.get("/session").status_code == 401
    secret = set_up(browser, "chen", reset.json()["key"])
    assert browser.get("/operators").status_code == 200
    assert browser.delete("/session").status_code == 204
    assert browser.cookie is None
    assert browser.get("/session").status_code == 401
    hospital.clock.advance(seconds=60)
    assert browser.sign_in("chen", PASSWORD, browser.code(secret)).json()["stage"] == "full"
    told = browser.get("/session").json()
    assert (told["login"], told["operator"]["roles"], told["idle_s"]) == ("chen", ["administrator"], 900)
    with hospital.system.db.read() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM staff_logins").all())
    assert PASSWORD not in stored
    assert secret not in stored


def operator_id(hospital: Hospital, login: str) -> str:
    listed = hospital.staff("administrator").get("/operators").json()["operators"]
    return str(next(one["operator_id"] for one in listed if one["login"] == login))


def test_a_person_is_added_with_a_login_and_a_machine_with_a_key(hospital: Hospital) -> None:
    admin = hospital.staff("administrator")
    body = {"name": "赵六", "roles": ["guard"], "unit": "保卫处", "login": "ZhaoLiu"}
    made = admin.post("/operators", json=body, key="k1")
    assert (made.status_code, made.json()["login"], made.json()["unit"]) == (201, "zhaoliu", "保卫处"), made.text
    assert admin.post("/operators", json=body, key="k1").json() == made.json()
    assert error_of(admin.post("/operators", json=body))["code"] == "staff.login_taken"
    set_up(Browser(hospital), "zhaoliu", made.json()["key"])
    listed = {one["login"]: one for one in admin.get("/operators").json()["operators"]}
    assert (listed["zhaoliu"]["set_up"], listed["zhaoliu"]["trained_until"]) == (True, None)
    machine = admin.post("/operators", json={"name": "HIS", "roles": ["window"]}).json()
    assert machine["login"] is None
    hospital.operator_keys["his"] = machine["key"]
    assert hospital.staff("his").get("/me").json()["name"] == "HIS"
    hospital.operator_keys["zhao"] = made.json()["key"]
    assert hospital.staff("zhao").get("/me").status_code == 401


def test_nobody_is_given_administration_and_audit_together(hospital: Hospital) -> None:
    admin = hospital.staff("administrator")
    both = {"roles": ["administrator", "auditor"]}
    said = admin.post("/operators", json={"name": "x", **both})
    assert (said.status_code, error_of(said)["field"]) == (422, "roles")
    made = admin.post("/operators", json={"name": "x", "roles": ["auditor"]}).json()
    changed = admin.ask("PUT", f"/operators/{made['operator_id']}/roles", json=both)
    assert (changed.status_code, error_of(changed)["field"]) == (422, "roles")
    moved = admin.ask("PUT", f"/operators/{made['operator_id']}/roles", json={"roles": ["guard"], "unit": "保卫处"})
    assert (moved.status_code, moved.json()["roles"], moved.json()["unit"]) == (200, ["guard"], "保卫处")
    told = [e["detail"] for e in hospital.events("staff_changed") if e["detail"]["change"] == "roles_changed"]
    assert [(one["before"], one["roles"]) for one in told] == [(["auditor"], ["guard"])]


def test_the_last_administrator_stays(hospital: Hospital) -> None:
    admin = hospital.staff("administrator")
    mine = admin.get("/me").json()["operator_id"]
    others = [
        one["operator_id"]
        for one in admin.get("/operators").json()["operators"]
        if "administrator" in one["roles"] and one["operator_id"] != mine
    ]
    for other in others:
        assert admin.delete(f"/operators/{other}").status_code == 204
    assert error_of(admin.delete(f"/operators/{mine}"))["code"] == "staff.last_administrator"
    said = admin.ask("PUT", f"/operators/{mine}/roles", json={"roles": ["it"]})
    assert error_of(said)["code"] == "staff.last_administrator"
    assert admin.get("/me").json()["roles"] == ["administrator"]


def test_training_is_written_down_by_another(hospital: Hospital) -> None:
    admin = hospital.staff("administrator")
    guard = hospital.staff("guard").get("/me").json()["operator_id"]
    body = {"trained_by": "信息科 李", "document": "培训-07", "until": iso(NOW_US + DAY_US)}
    assert admin.post(f"/operators/{guard}/trainings", json=body).status_code == 201
    past = admin.post(f"/operators/{guard}/trainings", json={**body, "until": iso(NOW_US - 1)})
    assert error_of(past)["field"] == "until"
    mine = admin.get("/me").json()["operator_id"]
    own = admin.post(f"/operators/{mine}/trainings", json=body)
    assert error_of(own)["code"] == "staff.trains_themselves"
    seen = hospital.staff("guard").get(f"/operators/{guard}/trainings").json()["trainings"]
    assert [one["document"] for one in seen] == ["培训-07"]
    assert hospital.staff("guard").get(f"/operators/{mine}/trainings").status_code == 403


def asked(hospital: Hospital, kind: ApprovalKind = "export", who: str = "security") -> Any:
    system = hospital.system
    me = hospital.staff(who).get("/me").json()
    operator = Operator(id=me["operator_id"], name=me["name"], roles=frozenset(me["roles"]))
    with system.db.write() as connection:
        return ask(
            connection,
            kind=kind,
            subject="cs_1",
            payload={"case": "cs_1"},
            reason="移送",
            operator=operator,
            now_us=hospital.clock.now_us(),
        )


def test_a_request_is_seen_and_decided_by_those_whom_it_concerns(hospital: Hospital) -> None:
    wanted = asked(hospital)
    path = f"/approvals/{wanted.id}"
    for role in ROLES:
        sees = role in {*DECIDERS["export"], "auditor", "data_protection", "security"}
        assert hospital.staff(role).get(path).status_code == (200 if sees else 404), role
        listed = [one["approval_id"] for one in hospital.staff(role).get("/approvals").json()["approvals"]]
        assert listed == ([wanted.id] if sees else []), role
    approver = hospital.staff("approver")
    shown = approver.get(path).json()
    assert (shown["asked_by_name"], shown["may_decide"], shown["payload"]) == ("security", True, {"case": "cs_1"})
    wrong = approver.post(f"{path}/decision", json={"approve": True, "reason": "同意", "payload_sha256": "1" * 64})
    assert error_of(wrong)["field"] == "payload_sha256"
    body = {"approve": True, "reason": "同意", "payload_sha256": shown["payload_sha256"]}
    guard = hospital.staff("guard").post(f"{path}/decision", json=body)
    assert guard.status_code == 404
    watcher = hospital.staff("auditor").post(f"{path}/decision", json=body)
    assert error_of(watcher)["code"] == "staff.role_missing"
    said = approver.post(f"{path}/decision", json=body, key="d1")
    assert (said.status_code, said.json()["state"], said.json()["may_decide"]) == (200, "approved", False), said.text
    assert approver.post(f"{path}/decision", json=body, key="d1").json() == said.json()
    assert error_of(approver.post(f"{path}/decision", json=body))["code"] == "staff.decided_before"
    assert [a["approval_id"] for a in approver.get("/approvals?state=approved&kind=export").json()["approvals"]] == [
        wanted.id
    ]
    assert approver.get("/approvals?state=asked").json()["approvals"] == []
    assert hospital.staff("security").post(f"{path}/withdrawal", json={"reason": "误"}).json()["state"] == "withdrawn"
    hospital.assert_sound()


def test_time_ends_a_request_on_the_page_and_in_the_table(hospital: Hospital) -> None:
    wanted = asked(hospital)
    hospital.clock.advance(seconds=8 * 86_400)
    approver = hospital.staff("approver")
    assert approver.get(f"/approvals/{wanted.id}").json()["state"] == "expired"
    assert [a["approval_id"] for a in approver.get("/approvals?state=expired").json()["approvals"]] == [wanted.id]
    body = {"approve": True, "reason": "同意", "payload_sha256": wanted.payload_sha256}
    said = approver.post(f"/approvals/{wanted.id}/decision", json=body)
    assert error_of(said)["code"] == "staff.approval_ended"
    assert hospital.system.worker.look()["staff"] >= 1
    assert [e["detail"]["change"] for e in hospital.events("approval_changed")] == ["asked", "expired"]


def test_whoever_watches_is_watched(hospital: Hospital) -> None:
    auditor, officer = hospital.staff("auditor"), hospital.staff("data_protection")
    blank = auditor.post("/access-register/search", json={**REASON, "reason": " "})
    assert (blank.status_code, error_of(blank)["field"]) == (422, "reason")
    first = auditor.post("/access-register/search", json=REASON).json()["looks"]
    assert [(one["what"], one["operator_name"], one["authority"]) for one in first] == [
        ("access_register", "auditor", REASON["authority"])
    ]
    told = officer.post("/access-register/counters", json=REASON).json()
    assert {(one["operator_name"], one["counter"], one["day"]) for one in told["counts"]} == {
        ("auditor", "other", 1),
        ("data_protection", "other", 1),
    }
    exported = auditor.post("/access-register/export", json={**REASON, "reason": "=cmd|' /C calc'!A0"})
    assert exported.headers["content-type"].startswith("text/csv")
    assert exported.headers["content-disposition"].startswith("attachment")
    assert "\"'=cmd" in exported.text
    assert len(exported.text.splitlines()) == 4
    found = auditor.post("/access-register/search", json={**REASON, "what": "counters", "limit": 1}).json()["looks"]
    assert [one["what"] for one in found] == ["access_register.counters"]
    assert len(hospital.events("record_looked_at")) == 4


def test_a_canary_is_marked_by_the_officer_alone(hospital: Hospital) -> None:
    officer = hospital.staff("data_protection")
    assert officer.post("/access-register/canaries", json={"record_id": "pt_canary"}).status_code == 201
    listed = hospital.staff("auditor").get("/access-register/canaries").json()["canaries"]
    assert [one["record_id"] for one in listed] == ["pt_canary"]
    assert officer.delete("/access-register/canaries/pt_canary").status_code == 204
    assert officer.delete("/access-register/canaries/pt_canary").status_code == 404


@pytest.mark.parametrize(
    "path", ["/api/v1/staff/me", "/api/v1/staff/session", "/healthz", "/none", "/api/v1/openapi.json"]
)
def test_no_answer_of_the_console_may_be_framed(sqlite_hospital: Hospital, path: str) -> None:
    said = httpx.get(sqlite_hospital.console.removesuffix("/api/v1/staff") + path, timeout=60)
    assert "frame-ancestors 'none'" in said.headers["content-security-policy"]
    assert said.headers["x-frame-options"] == "DENY"


def test_a_browser_does_what_a_key_does(hospital: Hospital) -> None:
    browser, _ = signed_in(hospital, "fang", "approver", "outpatient_office")
    wanted = asked(hospital)
    body = {"approve": True, "reason": "同意", "payload_sha256": wanted.payload_sha256}
    assert browser.post(f"/approvals/{wanted.id}/decision", json=body).json()["state"] == "approved"
    policy = {"body": {"live_per_day": 2}, "reason": "试行"}
    assert browser.post("/policies/booking_limits", json=policy).status_code == 202
    with hospital.system.db.write() as connection:
        used = use(connection, wanted.id, kind="export", subject="cs_1", now_us=hospital.clock.now_us())
    assert used.payload == {"case": "cs_1"}
