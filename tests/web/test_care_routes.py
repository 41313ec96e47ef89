"""Care proofs and people declared apart over HTTP: each with the role, each look and change in somebody's name."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from shouhao.store import answers
from web.served import TODAY, Hospital, error_of, person, resident_id

DISABLED = {"kind": "disabled", "proof": "disability_certificate", "reference": "11010519850601001X43"}
NONE = {"ground": None, "kind": None, "valid_until": None}


def mother(hospital: Hospital, member: Any) -> str:
    return hospital.patient_of(member, 2, "王芳")  # an even number is a woman's


def test_the_window_records_the_patient_sees_and_the_window_revokes(hospital: Hospital) -> None:
    member, window = hospital.member(), hospital.staff("window")
    patient_id = mother(hospital, member)
    mine, theirs = f"/patients/{patient_id}/care", f"/patients/{patient_id}/care-proofs"
    assert member.get(mine).json() == NONE
    until = (TODAY + timedelta(days=200)).isoformat()
    body = {"kind": "pregnant", "proof": "maternity_record", "valid_until": until}
    made = window.post(theirs, json=body, key="c1")
    assert (made.status_code, made.json()["counts"], made.json()["reference"]) == (201, True, None), made.text
    assert window.post(theirs, json=body, key="c1").json() == made.json()
    exists = window.post(theirs, json=body)
    assert (exists.status_code, error_of(exists)["code"]) == (409, "patients.care_proof_exists")
    assert member.get(mine).json() == {"ground": "pregnant", "kind": "pregnant", "valid_until": until}
    path = f"/care-proofs/{made.json()['proof_id']}/revoke"
    gone = window.post(path, json={"reason": "孕妇已分娩"}, key="r1")
    assert (gone.status_code, gone.json()["counts"], gone.json()["revoke_reason"]) == (200, False, "孕妇已分娩")
    assert window.post(path, json={"reason": "孕妇已分娩"}, key="r1").json() == gone.json()
    unknown = window.post(path, json={"reason": "孕妇已分娩"})
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "patients.care_proof_unknown")
    assert member.get(mine).json() == NONE
    assert len(hospital.events("care_proof_recorded")) == len(hospital.events("care_proof_revoked")) == 1
    hospital.assert_sound()


def test_a_number_on_a_paper_is_shown_masked_and_kept_nowhere_else(hospital: Hospital) -> None:
    member = hospital.member()
    patient_id = hospital.patient_of(member)
    window = hospital.staff("window")
    made = window.post(f"/patients/{patient_id}/care-proofs", json=DISABLED)
    assert made.json()["reference"] == "110" + "*" * 13 + "1X43"
    seen = member.get(f"/patients/{patient_id}/care").json()
    assert seen == {"ground": "disabled", "kind": "disabled", "valid_until": None}
    with hospital.system.db.read() as connection:
        kept = " ".join(connection.execute(select(answers.answers.c.body)).scalars())
    assert DISABLED["reference"] not in kept + repr(hospital.state()) + repr(hospital.events("care_proof_recorded"))


def test_each_look_at_the_proofs_is_recorded(hospital: Hospital) -> None:
    patient_id = hospital.patient_of(hospital.member())
    path = f"/patients/{patient_id}/care-proofs"
    made = hospital.staff("window").post(path, json=DISABLED).json()
    for role in ("window", "auditor"):
        seen = hospital.staff(role).get(path).json()
        assert (seen["proofs"], seen["ground"], seen["birth_day_sure"]) == ([made], "disabled", True)
    looks = hospital.events("viewed")
    assert [(e["patient_id"], e["detail"]["what"]) for e in looks] == [(patient_id, "care_proofs")] * 2
    assert len({e["staff_id"] for e in looks}) == 2
    assert error_of(hospital.staff("window").get("/patients/pt_nobody/care-proofs"))["code"] == "not_found"
    assert len(hospital.events("viewed")) == 2


def test_nobody_touches_proofs_without_the_role(hospital: Hospital) -> None:
    patient_id = hospital.patient_of(hospital.member())
    path = f"/patients/{patient_id}/care-proofs"
    before = hospital.state()
    reason = {"reason": "测试"}
    for role in ("auditor", "reviewer", "outpatient_office", "approver", "it"):
        caller = hospital.staff(role)
        tried = [
            caller.post(path, json=DISABLED),
            caller.post("/care-proofs/cp_x/revoke", json=reason),
            caller.post(f"/patients/{patient_id}/apart", json={"other_patient_id": "pt_x", **reason}),
        ]
        if role != "auditor":
            tried.append(caller.get(path))
        assert {(said.status_code, error_of(said)["code"]) for said in tried} == {(403, "staff.role_missing")}
    assert hospital.state() == before


def test_a_patient_sees_their_own_ground_and_nobody_elses(hospital: Hospital) -> None:
    patient_id = hospital.patient_of(hospital.member())
    stranger = hospital.member("13900139001")
    said = stranger.get(f"/patients/{patient_id}/care")
    assert (said.status_code, error_of(said)["code"]) == (404, "patients.not_bound")
    assert hospital.channel().get(f"/patients/{patient_id}/care").status_code == 401


def test_who_is_65_needs_no_paper(hospital: Hospital) -> None:
    member = hospital.member()
    document = {"kind": "resident_id", "number": resident_id(1, date(1950, 1, 1))}
    made = member.post("/patients", json={**person(), "document": document}).json()
    assert member.get(f"/patients/{made['patient_id']}/care").json() == {**NONE, "ground": "aged"}


def test_a_paper_that_breaks_a_rule_names_its_field(hospital: Hospital) -> None:
    patient_id = hospital.patient_of(hospital.member())  # a man
    window = hospital.staff("window")
    before = hospital.state()
    pregnant = {"kind": "pregnant", "proof": "maternity_record"}
    for body, field in (
        ({**DISABLED, "kind": "tired"}, "kind"),
        ({**DISABLED, "proof": "maternity_record"}, "proof"),
        ({**DISABLED, "reference": "1"}, "reference"),
        ({**DISABLED, "valid_until": "2026-02-30"}, "valid_until"),
        (pregnant, "valid_until"),
        ({**pregnant, "valid_until": "2026-05-01"}, "kind"),
    ):
        said = window.post(f"/patients/{patient_id}/care-proofs", json=body)
        assert (said.status_code, error_of(said)["field"]) == (422, field), said.text
    assert error_of(window.post("/patients/pt_nobody/care-proofs", json=DISABLED))["code"] == "not_found"
    assert hospital.state() == before


def test_the_window_declares_two_people_apart(hospital: Hospital) -> None:
    member, window = hospital.member(), hospital.staff("window")
    card = hospital.patient_of(member)
    document = {"kind": "passport", "number": "E1234567"}
    made = member.post("/patients", json={**person(), "document": document, "birth_day": "1985-06-01"})
    book = made.json()["patient_id"]
    body = {"other_patient_id": book, "reason": "已见两人"}
    said = window.post(f"/patients/{card}/apart", json=body, key="a1")
    assert (said.status_code, said.json()) == (200, {"patient_id": card, "other_patient_id": book}), said.text
    assert window.post(f"/patients/{card}/apart", json=body, key="a1").json() == said.json()
    again = window.post(f"/patients/{card}/apart", json=body)
    assert (again.status_code, error_of(again)["field"]) == (422, "other_patient_id")
    (event,) = hospital.events("people_declared_apart")
    assert (event["patient_id"], event["detail"]) == (card, {"other_patient_id": book})
    hospital.assert_sound()
