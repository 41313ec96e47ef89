"""Care proofs from the counter to the desk: recorded, looked up for a batch, run out, revoked."""

from datetime import date, timedelta

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from flows.people import NOW_US, VAULT
from hospital import add_people, add_person, dump, events, rows
from shouhao.flows.care import PaperSeen, record_care_proof, revoke_care_proof
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients.care import CareProofExists, CareProofUnknown
from shouhao.patients.care_store import care_grounds, live_proof, proofs_of
from shouhao.patients.tables import care_proofs, patients
from shouhao.store import batch

TODAY = day_of(NOW_US)
DISABLED = PaperSeen(kind="disabled", proof="disability_certificate", reference="11010519850601001x43")
PREGNANT = PaperSeen(kind="pregnant", proof="maternity_record", valid_until=TODAY + timedelta(days=200))


def record(db, patient_id, paper, *, now_us=NOW_US, staff_id="st-1"):
    with db.write() as connection:
        return record_care_proof(
            connection, vault=VAULT, staff_id=staff_id, patient_id=patient_id, paper=paper, now_us=now_us
        )


def revoke(db, proof_id, *, reason="证件被注销", staff_id="st-2"):
    with db.write() as connection:
        revoke_care_proof(connection, staff_id=staff_id, proof_id=proof_id, reason=reason, now_us=NOW_US)


def grounds(db, *people, today=TODAY):
    with db.read() as connection:
        return care_grounds(connection, [p.patient_id for p in people], today=today)


def change(db, who, **values):
    with db.write() as connection:
        connection.execute(update(patients).where(patients.c.id == who.patient_id).values(**values))


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error) as caught:
        act()
    assert dump(db) == before
    return caught.value


def test_the_desk_learns_the_ground_of_each_of_a_batch(db):
    young, old, disabled, pregnant = add_people(db, 4)
    change(db, old, birth_day="1950-01-01")
    record(db, disabled.patient_id, DISABLED)
    record(db, pregnant.patient_id, PREGNANT)
    asked = [young, old, disabled, pregnant, pregnant]
    assert grounds(db, *asked) == {
        old.patient_id: "aged",
        disabled.patient_id: "disabled",
        pregnant.patient_id: "pregnant",
    }
    assert grounds(db) == {}
    with db.read() as connection:
        assert care_grounds(connection, ["pt_nobody"], today=TODAY) == {}


def test_who_has_several_grounds_is_told_one(db):
    who = add_person(db)
    record(db, who.patient_id, PREGNANT)
    record(db, who.patient_id, DISABLED)
    assert grounds(db, who) == {who.patient_id: "disabled"}
    change(db, who, birth_day="1950-01-01")
    assert grounds(db, who) == {who.patient_id: "aged"}


def test_a_batch_of_any_size_is_one_statement(db, monkeypatch):
    people = add_people(db, 50)
    for who in people[:10]:
        record(db, who.patient_id, DISABLED)
    ran = []
    rows_of = batch.rows
    monkeypatch.setattr(batch, "rows", lambda *given: ran.append(given) or rows_of(*given))
    assert len(grounds(db, *people)) == 10
    assert len(ran) == 1


def test_what_was_seen_by_whom_is_kept_and_the_number_only_sealed(db):
    who = add_person(db)
    proof_id = record(db, who.patient_id, DISABLED)
    (row,) = rows(db, care_proofs)
    assert (row["id"], row["kind"], row["proof"], row["staff_id"], row["recorded_at_us"]) == (
        proof_id,
        "disabled",
        "disability_certificate",
        "st-1",
        NOW_US,
    )
    assert VAULT.open(row["reference_sealed"], purpose="care_reference") == "11010519850601001X43"
    (said,) = events(db, "care_proof_recorded")
    assert (said["patient_id"], said["staff_id"], said["channel"]) == (who.patient_id, "st-1", "window")
    assert said["detail"] == f'{{"kind":"disabled","proof":"disability_certificate","proof_id":"{proof_id}"}}'
    assert "11010519850601001" not in repr(dump(db))
    assert "11010519850601001" not in repr(DISABLED)


def test_a_revoked_proof_counts_no_more_and_makes_room(db):
    who = add_person(db)
    proof_id = record(db, who.patient_id, DISABLED)
    assert refused(db, CareProofExists, lambda: record(db, who.patient_id, DISABLED)).field == "kind"
    revoke(db, proof_id)
    assert grounds(db, who) == {}
    (row,) = rows(db, care_proofs)
    assert (row["revoked_by"], row["revoke_reason"], row["revoked_at_us"]) == ("st-2", "证件被注销", NOW_US)
    (said,) = events(db, "care_proof_revoked")
    assert (said["patient_id"], said["staff_id"]) == (who.patient_id, "st-2")
    record(db, who.patient_id, DISABLED)
    assert grounds(db, who) == {who.patient_id: "disabled"}
    refused(db, CareProofUnknown, lambda: revoke(db, proof_id))


def test_a_proof_that_ran_out_makes_room_by_itself(db):
    who = add_person(db)
    first = record(db, who.patient_id, PREGNANT)
    late_us = NOW_US + 201 * DAY_US
    assert grounds(db, who, today=day_of(late_us) - timedelta(days=1)) == {who.patient_id: "pregnant"}
    assert grounds(db, who, today=day_of(late_us)) == {}
    again = PaperSeen(kind="pregnant", proof="pregnancy_diagnosis", valid_until=day_of(late_us) + timedelta(days=9))
    second = record(db, who.patient_id, again, now_us=late_us, staff_id="st-3")
    with db.read() as connection:
        assert [(p.id, p.revoked_by) for p in proofs_of(connection, who.patient_id)] == [
            (first, "st-3"),
            (second, None),
        ]
        assert live_proof(connection, who.patient_id, "pregnant").id == second
    assert len(events(db, "care_proof_revoked")) == 1


@pytest.mark.parametrize(
    ("paper", "field"),
    [
        (PaperSeen(kind="tired", proof="disability_certificate"), "kind"),
        (PaperSeen(kind="disabled", proof="maternity_record"), "proof"),
        (PaperSeen(kind="disabled", proof="disability_certificate", reference="1"), "reference"),
        (PaperSeen(kind="disabled", proof="disability_certificate", valid_until=date(2020, 1, 1)), "valid_until"),
        (PaperSeen(kind="pregnant", proof="maternity_record"), "valid_until"),
    ],
)
def test_a_paper_that_breaks_a_rule_changes_nothing(db, paper, field):
    who = add_person(db)
    assert refused(db, InvalidInput, lambda: record(db, who.patient_id, paper)).field == field


def test_nothing_is_recorded_for_nobody_or_revoked_without_a_reason(db):
    refused(db, NotFound, lambda: record(db, "pt_nobody", DISABLED))
    proof_id = record(db, add_person(db).patient_id, DISABLED)
    assert refused(db, InvalidInput, lambda: revoke(db, proof_id, reason=" ")).field == "reason"
    assert refused(db, CareProofUnknown, lambda: revoke(db, "cp_nothing")).field == "proof_id"


def test_the_database_itself_keeps_one_live_proof_and_an_end_to_each_pregnancy(db):
    who = add_person(db)
    record(db, who.patient_id, DISABLED)
    row = {"patient_id": who.patient_id, "proof": "x", "staff_id": "st", "recorded_at_us": 1}
    for wrong in (
        {"id": "cp_2", "kind": "disabled"},
        {"id": "cp_3", "kind": "pregnant"},
        {"id": "cp_4", "kind": "pregnant", "valid_until": "2026-03-02", "revoked_at_us": 1},
    ):
        with pytest.raises(IntegrityError), db.write() as connection:
            connection.execute(insert(care_proofs).values(**row, **wrong))
