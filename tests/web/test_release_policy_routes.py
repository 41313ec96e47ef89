"""Release policies over HTTP: who may set them, what they say of a broken rule, and what a dry run leaves behind."""

import json
from typing import Any

from shouhao.kernel.clock import DAY_US, iso
from web.policed import ask, changed, decide
from web.served import NOW_US, Hospital, error_of

DRAW: dict[str, Any] = {"body": {"kind": "draw"}, "reason": "试行抽签"}


def test_a_policy_is_asked_for_agreed_to_compared_rolled_back_and_retired(hospital: Hospital) -> None:
    office, auditor = hospital.staff("outpatient_office"), hospital.staff("auditor")
    path = "/release-policies/department:CARD"
    made = office.post(path, json=DRAW, key="p1")
    assert (made.status_code, made.json()["state"]) == (202, "asked"), made.text
    assert office.post(path, json=DRAW, key="p1").json() == made.json()
    listed = auditor.get("/release-policies").json()
    assert (listed["scopes"], [one["approval_id"] for one in listed["pending"]]) == ([], [made.json()["approval_id"]])
    assert decide(hospital.staff("approver"), made.json()["approval_id"]).json()["state"] == "used"
    mixed = {"kind": "mixed", "mixed": {"parts": {"draw": "50%"}}}
    later = iso(NOW_US + DAY_US)
    changed(hospital, path, {**DRAW, "body": mixed, "effective_at": later})
    (scope,) = auditor.get("/release-policies").json()["scopes"]
    assert (scope["scope"], scope["version"], scope["body"]["kind"]) == ("department:CARD", 1, "draw")
    assert (scope["next_version"], scope["next_effective_at"], scope["inherits"]) == (2, later, False)
    versions = auditor.get(path).json()["versions"]
    assert [(v["version"], v["state"], v["reason"]) for v in versions] == [
        (1, "in_force", "试行抽签"),
        (2, "planned", "试行抽签"),
    ]
    assert [(v["made_by"]["staff_name"], v["made_by"]["approved_by_name"]) for v in versions] == [
        ("outpatient_office", "approver")
    ] * 2
    changes = auditor.get(f"{path}/diff?from_version=1&to_version=2").json()["changes"]
    assert changes == [
        {"field": "kind", "before": "draw", "after": "mixed"},
        {"field": "mixed.parts.draw", "before": None, "after": "50%"},
    ]
    changed(hospital, f"{path}/roll-back", {"version": 1, "reason": "恢复"})
    changed(hospital, f"{path}/retire", {"reason": "停用"})
    (scope,) = auditor.get("/release-policies").json()["scopes"]
    assert (scope["inherits"], scope["body"]) == (True, {"kind": "inherit"})
    history = auditor.get(path).json()
    assert (history["rules"]["kind"], history["rules"]["version"]) == ("release:everywhere", 0)
    assert error_of(office.post(f"{path}/retire", json={"reason": "停用"}))["code"] == "not_found"
    assert [e["detail"]["version"] for e in hospital.events("policy_changed")] == [1, 2, 3, 4]
    hospital.assert_sound()


def test_who_asked_may_withdraw_and_nothing_happened(hospital: Hospital) -> None:
    before = hospital.state()["policies"]
    approval_id = ask(hospital, "/release-policies/everywhere", DRAW)
    said = hospital.staff("outpatient_office").post(f"/approvals/{approval_id}/withdrawal", json={"reason": "写错了"})
    assert said.json()["state"] == "withdrawn"
    assert error_of(decide(hospital.staff("approver"), approval_id))["code"] == "staff.approval_ended"
    assert hospital.staff("it").get("/release-policies").json()["pending"] == []
    assert hospital.state()["policies"] == before


def test_a_broken_rule_is_named_within_the_body(hospital: Hospital) -> None:
    office = hospital.staff("outpatient_office")
    before = hospital.state()
    for scope, body, status, field in (
        ("everywhere", {"kind": "auction"}, 422, "body.kind"),
        ("everywhere", {"draw": {"entry_window_s": 1}}, 422, "body.draw.entry_window_s"),
        ("everywhere", {"draw": {"\ud800": 1}}, 422, "body.draw.?"),
        ("everywhere", {"draw": {"x\0": 1}}, 422, "body.draw.x?"),
        ("everywhere", {"y" * 5000: 1}, 422, "body." + "y" * 120),
        ("nowhere", {"kind": "draw"}, 422, "scope"),
        ("department:NONE", {"kind": "draw"}, 404, "scope"),
    ):
        for more in ("", "/dry-run"):
            sent = {"body": body} if more else {"body": body, "reason": "试行"}
            json_text = {"content": json.dumps(sent).encode(), "headers": {"Content-Type": "application/json"}}
            said = office.post(f"/release-policies/{scope}{more}", **json_text)
            assert (said.status_code, error_of(said)["field"]) == (status, field), said.text
    past = office.post("/release-policies/everywhere", json={**DRAW, "effective_at": iso(NOW_US - 1)})
    assert error_of(past)["field"] == "effective_at"
    assert error_of(office.post("/release-policies/everywhere", json={**DRAW, "reason": ""}))["field"] == "reason"
    gone = office.get("/release-policies/everywhere/diff?from_version=1&to_version=2")
    assert (gone.status_code, error_of(gone)["field"]) == (404, "from_version")
    assert hospital.state() == before, "not even an approval"


def test_a_dry_run_says_what_would_have_been_and_writes_nothing(hospital: Hospital) -> None:
    member = hospital.member()
    for order, name in ((1, "张一"), (2, "张二")):
        hospital.booking_of(member, hospital.patient_of(member, order, name))
    hospital.clock.advance(seconds=60)
    before, events = hospital.state(), len(hospital.events("policy_changed"))
    for role in ("outpatient_office", "approver", "it", "auditor"):
        sent = {"body": {"kind": "draw"}, "days": 7, "runs": 3}
        said = hospital.staff(role).post("/release-policies/everywhere/dry-run", json=sent, key=None)
        assert said.status_code == 200, said.text
        shown = said.json()
        figures = {f["code"]: f for f in shown["figures"]}
        assert (shown["kind"], shown["sessions"], figures["asked"]["as_it_was"]) == ("draw", 2, 2)
        assert shown["limits"]
    assert (hospital.state(), len(hospital.events("policy_changed"))) == (before, events)


def test_only_the_outpatient_office_changes_and_only_staff_who_may_read(hospital: Hospital) -> None:
    before = hospital.state()
    path = "/release-policies/everywhere"
    for role in ("window", "reviewer", "approver", "it", "auditor", "witness"):
        caller = hospital.staff(role)
        tried = [
            caller.post(path, json=DRAW),
            caller.post(f"{path}/roll-back", json={"version": 1, "reason": "恢复"}),
            caller.post(f"{path}/retire", json={"reason": "停用"}),
        ]
        if role not in {"approver", "it", "auditor"}:
            tried += [
                caller.get("/release-policies"),
                caller.get(path),
                caller.get(f"{path}/diff?from_version=1&to_version=1"),
                caller.post(f"{path}/dry-run", json={"body": {}}),
            ]
        assert {(said.status_code, error_of(said)["code"]) for said in tried} == {(403, "staff.role_missing")}, role
    assert hospital.state() == before
