"""Attack: changing the rules alone: agreeing with oneself, using a yes twice or for something else, racing, waiting."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from shouhao.kernel.clock import iso
from shouhao.staff.tables import approvals
from shouhao.store.policies import policies
from web.policed import ask, changed, decide
from web.served import NOW_US, Hospital, error_of, served

PATH = "/release-policies/department:CARD"
DRAW = {"body": {"kind": "draw"}, "reason": "试行抽签"}
SECOND_US = 1_000_000


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


@pytest.fixture
def sqlite_hospital(sqlite_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(sqlite_url, tmp_path) as running:
        yield running


def versions(hospital: Hospital) -> list[tuple[str, int]]:
    with hospital.system.db.read() as connection:
        rows = connection.execute(select(policies.c.kind, policies.c.version).order_by(policies.c.version))
        return [(row.kind, row.version) for row in rows]


def test_whoever_asked_does_not_agree_whatever_their_roles(hospital: Hospital) -> None:
    approval_id = ask(hospital, PATH, DRAW, by="all")  # has every role, the approver's too
    said = decide(hospital.staff("all"), approval_id)
    assert (said.status_code, error_of(said)["code"]) == (409, "staff.second_person_needed")
    for role in ("outpatient_office", "it", "security", "data_protection", "administrator", "window"):
        said = decide(hospital.staff(role), approval_id)
        assert said.status_code in {403, 404}, role
    said = decide(hospital.staff("auditor"), approval_id)
    assert (said.status_code, error_of(said)["code"]) == (403, "staff.role_missing")
    assert versions(hospital) == []
    assert hospital.staff("all").get(f"/approvals/{approval_id}").json()["state"] == "asked"


def test_a_yes_is_good_once_and_never_for_a_policy_that_moved(hospital: Hospital) -> None:
    old = ask(hospital, PATH, DRAW)
    changed(hospital, PATH, {"body": {"kind": "first_come"}, "reason": "先到先得"})
    approver = hospital.staff("approver")
    said = decide(approver, old).json()
    assert (said["state"], said["stopped"]["code"]) == ("refused", "policy.changed_meanwhile")
    again = decide(hospital.staff("doctor"), old)  # another approver tries the same once more
    assert error_of(again)["code"] == "staff.approval_ended"
    used = ask(hospital, PATH, DRAW)
    assert decide(approver, used).json()["state"] == "used"
    assert error_of(decide(hospital.staff("doctor"), used))["code"] == "staff.approval_ended"
    withdrawn = hospital.staff("outpatient_office").post(f"/approvals/{used}/withdrawal", json={"reason": "收回"})
    assert error_of(withdrawn)["code"] == "staff.approval_ended"
    assert versions(hospital) == [("release:department:CARD", 1), ("release:department:CARD", 2)]
    hospital.assert_sound()


def test_a_payload_that_was_swapped_behind_the_approvers_back_is_not_carried_out(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    approval_id = ask(hospital, PATH, DRAW)
    approver = hospital.staff("approver")
    shown = approver.get(f"/approvals/{approval_id}").json()
    with hospital.system.db.write() as connection:
        row = connection.execute(select(approvals).where(approvals.c.id == approval_id)).one()
        swapped = row.payload.replace('"wishes_max":3', '"wishes_max":1')
        assert swapped != row.payload
        connection.execute(update(approvals).where(approvals.c.id == approval_id).values(payload=swapped))
    body = {"approve": True, "reason": "同意", "payload_sha256": shown["payload_sha256"]}
    said = approver.post(f"/approvals/{approval_id}/decision", json=body)
    assert said.status_code == 500
    assert versions(hospital) == []
    assert approver.get(f"/approvals/{approval_id}").json()["state"] == "asked"


def test_two_who_agree_at_once_make_one_version(hospital: Hospital) -> None:
    one, other = ask(hospital, PATH, DRAW), ask(hospital, PATH, {**DRAW, "body": {"kind": "first_come"}})
    said: dict[str, list[httpx.Response]] = {one: [], other: []}
    ready = threading.Barrier(4)

    def go(role: str, approval_id: str) -> None:
        ready.wait()
        said[approval_id].append(decide(hospital.staff(role), approval_id))

    threads = [threading.Thread(target=go, args=(role, id_)) for role in ("approver", "doctor") for id_ in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answers in said.values():
        assert sorted(answer.status_code for answer in answers) == [200, 409], "of each request one decision counts"
    states = {id_: hospital.staff("auditor").get(f"/approvals/{id_}").json() for id_ in said}
    assert sorted(shown["state"] for shown in states.values()) == ["refused", "used"]
    (stopped,) = [shown["stopped"]["code"] for shown in states.values() if shown["stopped"]]
    assert stopped == "policy.changed_meanwhile"
    assert versions(hospital) == [("release:department:CARD", 1)]


def test_a_moment_that_is_let_pass_is_not_made_up_for(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    at = iso(NOW_US + 60 * SECOND_US)
    approval_id = ask(hospital, PATH, {**DRAW, "effective_at": at})
    hospital.clock.advance(seconds=61)
    said = decide(hospital.staff("approver"), approval_id).json()
    assert (said["state"], said["stopped"]["code"]) == ("refused", "policy.moment_passed")
    assert versions(hospital) == []


def test_a_retry_of_a_decision_hears_the_same_and_acts_once(sqlite_hospital: Hospital) -> None:
    hospital = sqlite_hospital
    approval_id = ask(hospital, PATH, DRAW)
    approver = hospital.staff("approver")
    sum_ = approver.get(f"/approvals/{approval_id}").json()["payload_sha256"]
    body = {"approve": True, "reason": "同意", "payload_sha256": sum_}
    answers = [approver.post(f"/approvals/{approval_id}/decision", json=body, key="d1") for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["used", "used"]
    assert versions(hospital) == [("release:department:CARD", 1)]
