"""Verify: ask somebody who knows, outside any transaction, and record what they said.

An authority that is away leaves the patient pending and the worker asks again. "Mismatch" rejects, "unknown" leaves it
to a person with a photo. An answer that fails its seal raises `Tampered` and decides nothing.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.kernel.errors import NotFound, Tampered, Unavailable
from shouhao.kernel.events import Event
from shouhao.kernel.randomness import SystemRandomness
from shouhao.patients import records, store
from shouhao.patients.authority import IdentityAuthority, IdentityQuestion, Verdict, verified_by
from shouhao.patients.model import WINDOW, Patient, Verification
from shouhao.patients.records import IdentityCheck
from shouhao.patients.texts import written_reason
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question about a patient as they stood when it was asked."""

    patient_id: str
    version: int
    question: IdentityQuestion


def verify_patient(db: Database, *, vault: Vault, authority: IdentityAuthority, patient_id: str, now_us: int) -> str:
    """Ask the authority about a pending patient; returns the patient's verification afterwards.

    Raises:
        NotFound: there is no such patient.
        Unavailable: the database does not answer. An authority that is away is not raised: the patient stays pending.
        Tampered: the answer is not the authority's answer to this question; the patient stays pending.
    """
    with db.read() as connection:
        asked, verification = start_verification(connection, vault=vault, patient_id=patient_id)
    if asked is None:
        return verification
    try:
        verdict = authority.verify(asked.question)
    except (Unavailable, Tampered) as error:
        with db.write() as connection:
            records.note_unavailable(connection, patient_id=patient_id, authority=verified_by(authority), now_us=now_us)
        if isinstance(error, Tampered):
            raise
        return verification
    with db.write() as connection:
        return record_verdict(connection, asked=asked, by=verified_by(authority), verdict=verdict, now_us=now_us)


def start_verification(connection: Connection, *, vault: Vault, patient_id: str) -> tuple[Asked | None, str]:
    """The question to ask, or None when there is nothing to ask, and how the patient stands.

    Raises:
        NotFound: there is no such patient.
    """
    patient = store.find_patient(connection, patient_id)
    if patient is None:
        raise NotFound("patient", "patient_id")
    if patient.verification != "pending":
        return None, patient.verification
    question = IdentityQuestion(
        name=store.open_name(patient, vault),
        document_kind=patient.document_kind,
        document_number=vault.open(patient.document_sealed, purpose=store.DOCUMENT),
        # Never from a seed, in a rehearsal either: whoever foresees it can prepare an answer.
        nonce=SystemRandomness().token(_NONCE_BYTES).hex(),
    )
    return Asked(patient_id=patient_id, version=patient.version, question=question), patient.verification


def record_verdict(connection: Connection, *, asked: Asked, by: str, verdict: Verdict, now_us: int) -> str:
    """Keep what was said and apply it, unless the patient changed while the authority was thinking.

    Args:
        by: how a confirmation is recorded, from `patients.authority.verified_by`.
    Raises:
        NotFound: there is no such patient.
    """
    patient = locked_patient(connection, asked.patient_id)
    check = IdentityCheck(
        patient_id=patient.id,
        authority=by,
        verdict=verdict.outcome,
        nonce=asked.question.nonce,
        signed_verdict=verdict.signed_text,
    )
    records.insert_check(connection, check, now_us=now_us)
    if patient.verification != "pending" or patient.version != asked.version:
        return patient.verification
    if verdict.outcome == "match":
        confirm(connection, patient, by=by, now_us=now_us)
        return "verified"
    verification: Verification = "rejected" if verdict.outcome == "mismatch" else "in_review"
    doubt(connection, patient, verification=verification, by=by, now_us=now_us)
    return verification


def verify_at_window(connection: Connection, *, staff_id: str, patient_id: str, reason: str, now_us: int) -> None:
    """Staff saw the person and the paper; the reason is kept with it. A photo that still waited is dropped.

    Raises:
        NotFound: there is no such patient.
        InvalidInput: no reason was written.
    """
    said = written_reason("reason", reason)
    patient = locked_patient(connection, patient_id)
    waiting = records.find_waiting_review(connection, patient_id)
    if waiting is not None:
        records.close_review(connection, waiting.id, state="approved", staff_id=staff_id, reason=said, now_us=now_us)
    check = IdentityCheck(patient_id=patient_id, authority=WINDOW, verdict="match", staff_id=staff_id, reason=said)
    records.insert_check(connection, check, now_us=now_us)
    confirm(connection, patient, by=WINDOW, now_us=now_us, staff_id=staff_id)


def locked_patient(connection: Connection, patient_id: str) -> Patient:
    """A patient that nobody else changes until the unit of work ends.

    Raises:
        NotFound: there is no such patient.
    """
    patient = store.lock_patients(connection, [patient_id]).get(patient_id)
    if patient is None:
        raise NotFound("patient", "patient_id")
    return patient


def confirm(connection: Connection, patient: Patient, *, by: str, now_us: int, staff_id: str | None = None) -> None:
    """The patient is real, and it is known who said so."""
    store.change_patient(
        connection, patient.id, {"verification": "verified", "verified_by": by, "verified_at_us": now_us}
    )
    event = Event(at_us=now_us, kind="patient_verified", patient_id=patient.id, staff_id=staff_id, detail={"by": by})
    event_log.append(connection, [event])


def doubt(
    connection: Connection,
    patient: Patient,
    *,
    verification: Verification,
    by: str,
    now_us: int,
    staff_id: str | None = None,
) -> None:
    """The patient is not confirmed: rejected, in review, or to be asked about again."""
    store.change_patient(
        connection, patient.id, {"verification": verification, "verified_by": None, "verified_at_us": None}
    )
    event = Event(
        at_us=now_us,
        kind="patient_edited",
        patient_id=patient.id,
        staff_id=staff_id,
        detail={"field": "verification", "from": patient.verification, "to": verification, "by": by},
    )
    event_log.append(connection, [event])
