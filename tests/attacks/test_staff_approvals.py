"""Attack: getting round the second pair of eyes: deciding for oneself, using it twice, changing what it was about."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from shouhao.kernel.errors import Tampered
from shouhao.staff.approvals import ApprovalEnded, NotApproved, ask, use
from shouhao.staff.model import Operator
from shouhao.staff.tables import approvals
from web.browser import signed_in
from web.served import Hospital, error_of, served


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


def asked_by(hospital: Hospital, role: str, payload: dict[str, object]) -> tuple[str, str]:
    me = hospital.staff(role).get("/me").json()
    operator = Operator(id=me["operator_id"], name=me["name"], roles=frozenset(me["roles"]))
    with hospital.system.db.write() as connection:
        made = ask(
            connection,
            kind="watch_entry",
            subject="we_1",
            payload=payload,
            reason="三次倒号",
            operator=operator,
            now_us=hospital.clock.now_us(),
        )
    return made.id, made.payload_sha256


def test_whoever_asked_does_not_decide_with_any_role_key_or_session(hospital: Hospital) -> None:
    approval_id, checksum = asked_by(hospital, "all", {"days": 180})  # has every role that decides
    body = {"approve": True, "reason": "同意", "payload_sha256": checksum}
    said = hospital.staff("all").post(f"/approvals/{approval_id}/decision", json=body)
    assert error_of(said)["code"] == "staff.second_person_needed"
    assert hospital.staff("all").get(f"/approvals/{approval_id}").json()["may_decide"] is False
    admin = hospital.staff("administrator")
    mine = hospital.staff("all").get("/me").json()["operator_id"]
    rotated = admin.post(f"/operators/{mine}/key").json()["key"]  # another key is the same person
    hospital.operator_keys["again"] = rotated
    said = hospital.staff("again").post(f"/approvals/{approval_id}/decision", json=body)
    assert error_of(said)["code"] == "staff.second_person_needed"
    with pytest.raises(NotApproved), hospital.system.db.write() as connection:
        use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=hospital.clock.now_us())


def test_an_approval_is_used_once_and_for_what_was_approved(hospital: Hospital) -> None:
    approval_id, checksum = asked_by(hospital, "security", {"days": 180})
    approver, _ = signed_in(hospital, "fang", "approver")
    body = {"approve": True, "reason": "同意", "payload_sha256": checksum}
    assert approver.post(f"/approvals/{approval_id}/decision", json=body).json()["state"] == "approved"
    now_us = hospital.clock.now_us()
    with hospital.system.db.write() as connection:
        swapped = update(approvals).where(approvals.c.id == approval_id).values(payload='{"days":36500}')
        connection.execute(swapped)
    with pytest.raises(Tampered), hospital.system.db.write() as connection:
        use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=now_us)
    with hospital.system.db.write() as connection:
        back = update(approvals).where(approvals.c.id == approval_id).values(payload='{"days":180}')
        connection.execute(back)
        taken = use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=now_us)
    assert taken.payload == {"days": 180}
    with pytest.raises(ApprovalEnded), hospital.system.db.write() as connection:
        use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=now_us)


def test_a_use_that_is_undone_leaves_the_approval_as_it_was(hospital: Hospital) -> None:
    approval_id, checksum = asked_by(hospital, "security", {"days": 180})
    body = {"approve": True, "reason": "同意", "payload_sha256": checksum}
    hospital.staff("approver").post(f"/approvals/{approval_id}/decision", json=body)
    now_us = hospital.clock.now_us()
    with contextlib.suppress(RuntimeError), hospital.system.db.write() as connection:
        use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=now_us)
        raise RuntimeError
    with hospital.system.db.write() as connection:
        assert use(connection, approval_id, kind="watch_entry", subject="we_1", now_us=now_us).state == "used"


def test_what_the_deciding_person_saw_is_what_they_decide(hospital: Hospital) -> None:
    approval_id, _ = asked_by(hospital, "security", {"days": 180})
    _, other_checksum = asked_by(hospital, "security", {"days": 36500})
    body = {"approve": True, "reason": "同意", "payload_sha256": other_checksum}
    said = hospital.staff("approver").post(f"/approvals/{approval_id}/decision", json=body)
    assert (said.status_code, error_of(said)["field"]) == (422, "payload_sha256")
