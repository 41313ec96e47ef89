"""Care: staff record the paper that lets a disabled or pregnant person take a kept place, and revoke it with a reason.

What it proves and which kind of paper it was are kept; the number on it only sealed, and never in an event.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from shouhao.flows.verify import locked_patient
from shouhao.kernel.clock import day_of
from shouhao.kernel.events import Event, EventKind
from shouhao.kernel.ids import new_id
from shouhao.patients import care_store
from shouhao.patients.care import (
    CareProof,
    CareProofExists,
    CareProofUnknown,
    check_person,
    check_valid_until,
    known_kind,
    paper_number,
)
from shouhao.patients.model import WINDOW
from shouhao.patients.texts import written_reason
from shouhao.store import event_log
from shouhao.store.vault import Vault

_RAN_OUT = "已过期 ran out"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSeen:
    """A paper as staff typed it, nothing checked yet."""

    kind: str
    proof: str
    reference: str | None = None  #: the number on it
    valid_until: date | None = None

    def __repr__(self) -> str:
        """Nothing of the person: this may end in a traceback."""
        return f"PaperSeen(kind={self.kind!r}, proof={self.proof!r})"


def record_care_proof(
    connection: Connection, *, vault: Vault, staff_id: str, patient_id: str, paper: PaperSeen, now_us: int
) -> str:
    """Record a paper that staff saw; the proof's id. One that has run out makes room for it.

    Raises:
        InvalidInput: a field breaks its rule, or the kind does not fit the patient.
        NotFound: there is no such patient.
        CareProofExists: a proof of this kind counts already.
    """
    today = day_of(now_us)
    kind = known_kind(paper.kind, paper.proof)
    check_valid_until(kind, paper.valid_until, today=today)
    number = None if paper.reference is None else paper_number("reference", paper.reference)
    patient = locked_patient(connection, patient_id)
    check_person(kind, patient, today=today)
    before = care_store.live_proof(connection, patient_id, kind)
    if before is not None:
        if not before.has_run_out(today):
            raise CareProofExists("kind")
        _revoke(connection, before, staff_id=staff_id, reason=_RAN_OUT, now_us=now_us)
    proof = CareProof(
        id=new_id("cp"),
        patient_id=patient_id,
        kind=kind,
        proof=paper.proof,
        reference_sealed=None if number is None else vault.seal(number, purpose=care_store.REFERENCE),
        valid_until=paper.valid_until,
        staff_id=staff_id,
        recorded_at_us=now_us,
    )
    care_store.insert_proof(connection, proof)
    _record(connection, "care_proof_recorded", proof, staff_id=staff_id, now_us=now_us)
    return proof.id


def revoke_care_proof(connection: Connection, *, staff_id: str, proof_id: str, reason: str, now_us: int) -> None:
    """The proof counts no more; who said so and why is kept. Bookings that were made with it stay.

    Raises:
        InvalidInput: no reason was written.
        CareProofUnknown: there is no such proof, or it was revoked.
    """
    said = written_reason("reason", reason)
    found = care_store.find_proof(connection, proof_id)
    if found is None:
        raise CareProofUnknown("proof_id")
    locked_patient(connection, found.patient_id)
    proof = care_store.find_proof(connection, proof_id)  # again: somebody may have been first
    if proof is None or proof.revoked_at_us is not None:
        raise CareProofUnknown("proof_id")
    _revoke(connection, proof, staff_id=staff_id, reason=said, now_us=now_us)


def _revoke(connection: Connection, proof: CareProof, *, staff_id: str, reason: str, now_us: int) -> None:
    care_store.revoke_proof(connection, proof.id, staff_id=staff_id, reason=reason, now_us=now_us)
    _record(connection, "care_proof_revoked", proof, staff_id=staff_id, now_us=now_us)


def _record(connection: Connection, kind: EventKind, proof: CareProof, *, staff_id: str, now_us: int) -> None:
    happened = Event(
        at_us=now_us,
        kind=kind,
        channel=WINDOW,
        patient_id=proof.patient_id,
        staff_id=staff_id,
        detail={"kind": proof.kind, "proof": proof.proof, "proof_id": proof.id},
    )
    event_log.append(connection, [happened])
