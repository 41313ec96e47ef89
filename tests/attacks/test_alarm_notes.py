"""Stored XSS: a note, a place or a hospital's name that is markup stays text, on every page that shows it."""

from pathlib import Path

import pytest

from shouhao.staff.store import authenticate
from shouhao.watch.cameras import Place
from shouhao.watch.store.alarms import find_alarm
from shouhao.watch.store.cameras import put_place
from shouhao.web.console.timeline import page_of
from web.alarmed import do, furnish, jpeg, raised, sent
from web.served import Hospital, error_of, served

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


@pytest.fixture
def hospital(sqlite_url: str, tmp_path: Path):
    with served(sqlite_url, tmp_path) as running:
        yield running


def test_what_people_write_is_text_on_the_timeline_that_leaves_the_house(hospital: Hospital) -> None:
    furnish(hospital)
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        put_place(
            connection, Place(id="door", building=EVIL, floor="1F", name="门口" + EVIL), staff_id=None, now_us=now_us
        )
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    do(monitoring, alarm_id, "acknowledged", 1, reason=EVIL)
    do(monitoring, alarm_id, "rejected", 2, reason=EVIL)
    said = monitoring.get(f"/alarms/{alarm_id}/timeline", params={"reason": EVIL})
    assert said.status_code == 200
    assert "<script" not in said.text
    assert "<img" not in said.text
    assert "&lt;script&gt;alert(1)" in said.text
    policy = said.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert said.headers["content-disposition"].startswith("attachment")
    with system.db.read() as connection:
        alarm = find_alarm(connection, alarm_id)
        operator = authenticate(connection, hospital.operator_keys["monitoring"])
        assert alarm is not None
        page = page_of(
            connection, alarm, hospital=(EVIL, EVIL), operator=operator, pictures=[(EVIL, jpeg())], now_us=now_us
        )
    assert "<script" not in page
    assert page.count("<img") == 1, "the picture, and no other"


def test_a_note_that_cannot_be_seen_is_refused(hospital: Hospital) -> None:
    furnish(hospital)
    alarm_id, monitoring = raised(hospital), hospital.staff("monitoring")
    for hidden in ("看\u202e错了", "x\x1b[2J", "a\u200b"):
        said = monitoring.post(
            f"/alarms/{alarm_id}/steps", json={"step": "acknowledged", "version": 1, "reason": hidden}
        )
        assert (said.status_code, error_of(said)["field"]) == (422, "reason"), hidden
    with hospital.system.db.read() as connection:
        alarm = find_alarm(connection, alarm_id)
    assert alarm is not None
    assert alarm.version == 1


def test_a_guards_note_reaches_the_centre_as_json_and_nothing_else(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    for step in ("accepted", "arrived"):
        assert guard.post(path, json={"step": step}).status_code == 200
    assert guard.post(path, json={"step": "outcome", "outcome": "warned", "reason": EVIL}).status_code == 200
    said = hospital.staff("monitoring").get(f"/alarms/{alarm_id}")
    assert said.headers["content-type"].startswith("application/json")
    assert said.headers["x-content-type-options"] == "nosniff"
    assert said.json()["history"][-1]["reason"] == EVIL
