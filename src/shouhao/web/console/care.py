"""Care at the window: papers that let somebody take a kept place, and two people who are taken for one.

Each look leaves a `viewed` event with the operator's id, in the transaction that reads.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.care import PaperSeen, record_care_proof, revoke_care_proof
from shouhao.flows.same_person import declare_apart
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.patients.care import CARE_KINDS, PROOFS, CareProof, CareProofUnknown, birth_day_is_sure
from shouhao.patients.care_store import REFERENCE, care_grounds, find_proof, proofs_of
from shouhao.patients.documents import mask_number
from shouhao.patients.store import find_patient
from shouhao.staff.model import require
from shouhao.web.console.duty_look import look_on_duty, record_look
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Day, Id, Instant, LongText, ShortText, Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/staff", tags=["care"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_PAPERS = [proof for proofs in PROOFS.values() for proof in proofs]


class ProofBody(Body):
    """The paper that lies on the counter."""

    kind: Annotated[ShortText, Field(json_schema_extra={"enum": list(CARE_KINDS)})]
    proof: Annotated[ShortText, Field(json_schema_extra={"enum": _PAPERS})]
    reference: ShortText | None = None
    valid_until: Day | None = None


class RevokeBody(Body):
    """Why it counts no more."""

    reason: LongText


class ApartBody(Body):
    """Who the other one is, and how that is known."""

    other_patient_id: Id
    reason: LongText


class ProofShown(Shown):
    """A proof as staff see it; of the number on the paper as much as tells two papers apart."""

    proof_id: str
    patient_id: str
    kind: str
    proof: str
    reference: str | None
    valid_until: date | None
    counts: bool
    staff_id: str
    recorded_at: Instant
    revoked_at: Instant | None
    revoked_by: str | None
    revoke_reason: str | None


class ProofList(Shown):
    """A patient's proofs, revoked ones too, oldest first; and on what ground a kept place is theirs today, if on any.

    Age counts only where somebody other than the patient says the birth day (`birth_day_sure`).
    """

    proofs: list[ProofShown]
    ground: str | None
    age_years: int
    birth_day_sure: bool


class ApartShown(Shown):
    """Two people."""

    patient_id: str
    other_patient_id: str


@routes.post(
    "/patients/{patient_id}/care-proofs",
    status_code=201,
    responses=_WRITE,
    response_model=ProofShown,
    summary="登记优先证明 Record a care proof",
)
def record(patient_id: Id, body: ProofBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """已见证明原件；编号加密保存。 The paper was seen; its number is sealed."""
    require(operator, "window")
    paper = PaperSeen(kind=body.kind, proof=body.proof, reference=body.reference, valid_until=body.valid_until)

    def act(connection: Connection) -> str:
        return record_care_proof(
            connection,
            vault=system.vault,
            staff_id=operator.id,
            patient_id=patient_id,
            paper=paper,
            now_us=write.now_us,
        )

    return write.answer(act, status=201, show=lambda proof_id: _find(system, proof_id))


@routes.get(
    "/patients/{patient_id}/care-proofs",
    responses=failures(401, 403, 404, 422),
    summary="就诊人的优先证明 A patient's care proofs",
)
def list_proofs(patient_id: Id, operator: OnDuty, system: Here) -> ProofList:
    """查看即留痕。 The look is recorded."""
    require(operator, "window", "auditor")
    now_us = system.clock.now_us()
    with system.db.write() as connection:
        patient = find_patient(connection, patient_id)
        if patient is None:
            raise NotFound("patient", "patient_id")
        record_look(connection, patient_id, staff_id=operator.id, what="care_proofs", now_us=now_us)
        found = proofs_of(connection, patient_id)
        grounds = care_grounds(connection, [patient_id], today=day_of(now_us))
    look_on_duty(system, operator, "care", data_class="health", what=f"care_proofs of patient {patient_id}")
    return ProofList(
        proofs=[_shown(system, proof) for proof in found],
        ground=grounds.get(patient_id),
        age_years=patient.age(day_of(now_us)),
        birth_day_sure=birth_day_is_sure(
            verification=patient.verification,
            verified_by=patient.verified_by,
            document_kind=patient.document_kind,
            document_masked=patient.document_masked,
        ),
    )


@routes.post(
    "/care-proofs/{proof_id}/revoke", responses=_WRITE, response_model=ProofShown, summary="撤销优先证明 Revoke a proof"
)
def revoke(proof_id: Id, body: RevokeBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """理由留存；已有预约不变。 The reason is kept; bookings that were made stay."""
    require(operator, "window")

    def act(connection: Connection) -> None:
        revoke_care_proof(connection, staff_id=operator.id, proof_id=proof_id, reason=body.reason, now_us=write.now_us)

    return write.answer(act, show=lambda _: _find(system, proof_id))


@routes.post(
    "/patients/{patient_id}/apart",
    responses=_WRITE,
    response_model=ApartShown,
    summary="声明为两个人 Declare two people",
)
def apart(patient_id: Id, body: ApartBody, operator: OnDuty, write: StaffWrite) -> Response:
    """同名同日出生的两位就诊人，已核对并非同一人。 One name and birth day, and yet two people, as was seen."""
    require(operator, "window")

    def act(connection: Connection) -> dict[str, str]:
        declare_apart(
            connection,
            staff_id=operator.id,
            patient_id=patient_id,
            other_id=body.other_patient_id,
            reason=body.reason,
            now_us=write.now_us,
        )
        return {"patient_id": patient_id, "other_patient_id": body.other_patient_id}

    return write.answer(act)


def _find(system: System, proof_id: str) -> dict[str, object]:
    with system.db.read() as connection:
        proof = find_proof(connection, proof_id)
    if proof is None:
        raise CareProofUnknown("proof_id")
    return _shown(system, proof).model_dump(mode="json")


def _shown(system: System, proof: CareProof) -> ProofShown:
    sealed = proof.reference_sealed
    return ProofShown(
        proof_id=proof.id,
        patient_id=proof.patient_id,
        kind=proof.kind,
        proof=proof.proof,
        reference=None if sealed is None else mask_number(system.vault.open(sealed, purpose=REFERENCE)),
        valid_until=proof.valid_until,
        counts=proof.counts(day_of(system.clock.now_us())),
        staff_id=proof.staff_id,
        recorded_at=proof.recorded_at_us,
        revoked_at=proof.revoked_at_us,
        revoked_by=proof.revoked_by,
        revoke_reason=proof.revoke_reason,
    )
