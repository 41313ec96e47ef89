"""The law's switches over HTTP: each route and each role, and two people who turn one on."""

from typing import Any

import pytest

from lawful import body_of, hand_in_all, make_lawful
from shouhao.compliance.store import require_on
from shouhao.staff.model import ROLES
from web.served import NOW_US, Caller, Hospital, error_of

READERS = {
    "security",
    "monitoring",
    "police_liaison",
    "data_protection",
    "administrator",
    "auditor",
    "approver",
    "it",
    "outpatient_office",
}
HANDS_IN = {
    "necessity_memo": {"security"},
    "impact_assessment": {"data_protection"},
    "police_filing": {"security", "police_liaison"},
    "face_filing": {"data_protection"},
    "retention": {"security"},
    "equal_way": {"outpatient_office"},
    "incident": {"data_protection", "security", "it"},
}
TURNS = {"security", "data_protection"}


def may(hospital: Hospital, ask: Any, allowed: set[str]) -> None:
    """Exactly these roles are not told that it is not theirs."""
    nobody = ask(Caller(hospital.console, {}))
    assert nobody.status_code == 401, nobody.text
    let = {role for role in ROLES if ask(hospital.staff(role)).status_code != 403}
    assert let == allowed


@pytest.mark.parametrize("path", ["/law", "/law/records", "/law/filing", "/law/records/retention/template"])
def test_who_reads(sqlite_hospital: Hospital, path: str) -> None:
    may(sqlite_hospital, lambda caller: caller.get(path), READERS)


@pytest.mark.parametrize("kind", list(HANDS_IN))
def test_who_hands_in_a_record(sqlite_hospital: Hospital, kind: str) -> None:
    switch = "watchlist" if kind in {"necessity_memo", "impact_assessment", "equal_way"} else None
    sent = {"switch": switch, "body": body_of(kind, now_us=NOW_US)}
    before = len(sqlite_hospital.events("switch_record_added"))
    may(sqlite_hospital, lambda caller: caller.post(f"/law/records/{kind}", json=sent), HANDS_IN[kind])
    assert len(sqlite_hospital.events("switch_record_added")) - before == len(HANDS_IN[kind])


@pytest.mark.parametrize("act", ["request", "on", "off"])
def test_who_turns_a_switch(sqlite_hospital: Hospital, act: str) -> None:
    sent = {"approval_id": "ap_1"} if act == "on" else {"reason": "检修"}
    may(sqlite_hospital, lambda caller: caller.post(f"/law/switches/watchlist/{act}", json=sent), TURNS)


def test_a_switch_says_what_it_lacks_and_two_people_turn_it_on(hospital: Hospital) -> None:
    db = hospital.system.db
    security = hospital.staff("security")
    (watchlist, *_others) = security.get("/law").json()["switches"]
    assert (watchlist["switch"], watchlist["on"]) == ("watchlist", False)
    assert {need["code"] for need in watchlist["needs"]} >= {"signs", "police_filing", "face_filing"}
    refused = security.post("/law/switches/watchlist/request", json={"reason": "想启用"})
    assert (refused.status_code, error_of(refused)["code"]) == (409, "law.switch_not_ready")
    hand_in_all(db, "watchlist", now_us=NOW_US)
    asked = security.post("/law/switches/watchlist/request", json={"reason": "条件齐备"})
    assert asked.status_code == 201, asked.text
    body = {"approval_id": asked.json()["approval_id"]}
    early = security.post("/law/switches/watchlist/on", json=body)
    assert early.status_code == 409, early.text
    make_lawful(db, "recordings_search", now_us=NOW_US)  # another switch is another decision
    assert not security.get("/law").json()["switches"][0]["on"]
    make_lawful(db, "watchlist", now_us=NOW_US)
    found = hospital.staff("auditor").get("/law").json()
    assert found["switches"][0]["on"]
    assert all(need["met"] for need in found["switches"][0]["needs"])
    assert found["counted"]["trained"] >= 1
    off = hospital.staff("data_protection").post("/law/switches/watchlist/off", json={"reason": "检修"})
    assert off.json() == {"switch": "watchlist", "on": False}
    with db.read() as connection, pytest.raises(Exception, match="switch_off"):
        require_on(connection, "watchlist", now_us=NOW_US)
    records = security.get("/law/records").json()["records"]
    assert records[0]["kept_until_at_least"] > records[0]["at"]
    hospital.assert_sound()


def test_bad_records_and_switches_are_named(sqlite_hospital: Hospital) -> None:
    security = sqlite_hospital.staff("security")
    before = sqlite_hospital.state()
    for path, sent, status in (
        ("/law/records/memo", {"body": {}}, 422),
        ("/law/records/retention", {"body": {"days": 31, "key_target": False, "why": "短"}}, 422),
        ("/law/records/retention", {"body": {}, "switch": "watchlist"}, 422),
        ("/law/records/necessity_memo", {"body": {}, "switch": "all"}, 422),
        ("/law/records/RETENTION", {"body": {}}, 422),
        ("/law/switches/everything/request", {"reason": "想"}, 422),
        ("/law/switches/watchlist/off", {"reason": ""}, 422),
    ):
        said = security.post(path, json=sent)
        assert said.status_code == status, said.text
        error_of(said)
    assert sqlite_hospital.state() == before
