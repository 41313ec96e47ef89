"""A guard, or somebody with a guard's key, acts where it is not theirs, or lies about the time. State does not move."""

from pathlib import Path
from typing import Any

import pytest

from shouhao.flows.respond import check_in
from shouhao.kernel.clock import SECOND_US
from shouhao.staff import register
from shouhao.staff.store import authenticate, create_operator
from shouhao.watch.store.alarms import steps_of
from web.alarmed import furnish, sent
from web.served import Caller, Hospital, error_of, served


@pytest.fixture
def hospital(sqlite_url: str, tmp_path: Path):
    with served(sqlite_url, tmp_path) as running:
        yield running


def second_guard(hospital: Hospital) -> Caller:
    system, now_us = hospital.system, hospital.clock.now_us()
    with system.db.write() as connection:
        _, key = create_operator(
            connection, "guard2", roles=frozenset({"guard"}), now_us=now_us, randomness=system.randomness
        )
        check_in(connection, place_id="door", operator=authenticate(connection, key), now_us=now_us)
    return Caller(hospital.console, {"Authorization": f"Bearer {key}"})


def history(hospital: Hospital, alarm_id: str) -> list[Any]:
    with hospital.system.db.read() as connection:
        return steps_of(connection, alarm_id)


def test_another_guards_dispatch_cannot_be_seen_or_moved(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    other, path = second_guard(hospital), f"/guard/dispatches/{after['dispatch_id']}"
    before = hospital.state()
    for said in (
        other.post(f"{path}/steps", json={"step": "accepted"}),
        other.post(f"{path}/steps", json={"step": "declined", "reason": "x"}),
        other.post(f"{path}/steps", json={"step": "outcome", "outcome": "lost"}),
        other.get(f"{path}/pictures/crop"),
        other.get(f"{path}/way"),
        other.get(f"{path}/plan", params={"building": "门诊楼", "floor": "1F"}),
    ):
        assert (said.status_code, error_of(said)["code"]) == (404, "not_found"), said.request.url
    assert other.get("/guard/dispatches").json()["dispatches"] == []
    assert hospital.state() == before
    assert len(history(hospital, alarm_id)) == 4
    with hospital.system.db.read() as connection:
        assert register.search(connection, data_class="face") == [], "nothing was looked at"


def test_a_guard_takes_no_step_of_the_centre_and_skips_none_of_his_own(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    before = hospital.state()
    for step in ("arrived", "outcome"):
        said = guard.post(path, json={"step": step, "outcome": "removed"})
        assert (said.status_code, error_of(said)["code"]) == (409, "watch.step_refused"), step
    for step in ("confirmed", "rejected", "dispatched", "handed_to_police", "closed"):
        assert guard.post(path, json={"step": step, "reason": "x"}).status_code == 422
        said = guard.post(f"/alarms/{alarm_id}/steps", json={"step": step, "version": 4, "reason": "x"})
        assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing")
    assert hospital.state() == before


def test_forged_times_cannot_make_a_guard_quicker_than_he_was(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    hospital.clock.advance(seconds=1500)
    now_us = hospital.clock.now_us()
    now_ms = now_us // 1000
    forged = (
        ("accepted", now_ms - 3_600_000, now_ms),  # before he was sent
        ("arrived", now_ms - 1_400_000, now_ms + 10_000_000),  # waited longer than there was time
        ("outcome", now_ms + 5_000_000, now_ms),  # after it was sent
    )
    for step, said_at_ms, sent_at_ms in forged:
        body = {"step": step, "said_at_ms": said_at_ms, "outcome": "removed" if step == "outcome" else None}
        said = guard.post(path, json=body, headers={"Shouhao-Sent-At": str(sent_at_ms)})
        assert said.status_code == 200, said.text
    for one in history(hospital, alarm_id)[-3:]:
        assert (one.at_us, one.believed) == (now_us, False)
        assert one.said_at_us is not None, "what the phone said is kept"
    alarm = hospital.staff("monitoring").get(f"/alarms/{alarm_id}").json()["alarm"]
    (outcome,) = [clock for clock in alarm["clocks"] if clock["target"] == "outcome"]
    assert outcome["late"], "25 minutes are not 20"


def test_a_time_that_is_no_number_or_no_time_is_refused_or_not_believed(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    guard, path = hospital.staff("guard"), f"/guard/dispatches/{after['dispatch_id']}/steps"
    for wrong in ("x", "-1", "1e400", str(2**70), "NaN"):
        said = guard.post(path, json={"step": "accepted", "said_at_ms": 1}, headers={"Shouhao-Sent-At": wrong})
        assert said.status_code == 422, wrong
    for wrong in (-1, 1.5, "1", 2**62, 2**70):
        assert guard.post(path, json={"step": "accepted", "said_at_ms": wrong}).status_code == 422, wrong
    huge = guard.post(path, json={"step": "accepted", "said_at_ms": 0}, headers={"Shouhao-Sent-At": str(2**43)})
    assert huge.status_code == 200, huge.text
    last = history(hospital, alarm_id)[-1]
    assert (last.step, last.believed) == ("accepted", False)
    assert last.at_us <= hospital.clock.now_us() + SECOND_US


def test_a_guard_who_was_dismissed_is_not_sent_and_sees_nothing(hospital: Hospital) -> None:
    people = furnish(hospital)
    alarm_id, after = sent(hospital, people)
    assert hospital.staff("administrator").delete(f"/operators/{people['guard']}").status_code in {200, 204}
    said = hospital.staff("guard").get(f"/guard/dispatches/{after['dispatch_id']}/pictures/crop")
    assert said.status_code == 401
    monitoring = hospital.staff("monitoring")
    again = {"step": "dispatched", "version": 4, "guard_id": people["guard"], "reason": "再派"}
    said = monitoring.post(f"/alarms/{alarm_id}/steps", json=again)
    assert (said.status_code, error_of(said)["code"]) == (422, "watch.guard_unknown")
