"""Patients of an account: register, look, correct, guardians, photo, unbind. Everything shown is masked."""

from datetime import date
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.edit import OWNER_FIELDS, correct_by_owner
from shouhao.flows.guardians import add_guardian
from shouhao.flows.register import PersonGiven, register_patient, unbind_patient
from shouhao.flows.review import submit_photo
from shouhao.flows.verify import verify_patient
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import Tampered
from shouhao.patients.care_store import care_grounds, live_proof
from shouhao.patients.documents import DOCUMENT_KINDS, SEXES
from shouhao.patients.model import RELATIONS, PatientView
from shouhao.patients.standing import PatientUnknown
from shouhao.patients.store import binding_policy, find_live_binding, patients_of
from shouhao.web.depends import Here, MemberWrite, RawBody, SignedIn
from shouhao.web.description import failures, raw_body
from shouhao.web.errors import UnsupportedMediaType
from shouhao.web.fields import Body, Day, Id, Instant, ShortText, Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1", tags=["patients"])

_PHOTO_TYPES = ("image/jpeg", "image/png")
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_log = structlog.get_logger()


def _one_of(*known: str) -> Any:
    """Described as a choice; the room says in both languages what may stand there."""
    return Field(json_schema_extra={"enum": list(known)})


class DocumentBody(Body):
    """A paper that names a person."""

    kind: Annotated[ShortText, _one_of(*DOCUMENT_KINDS)]
    number: ShortText


class PatientBody(Body):
    """A person as their account names them."""

    name: ShortText
    document: DocumentBody
    phone: ShortText
    birth_day: Day | None = None
    sex: Annotated[ShortText, _one_of(*SEXES)] | None = None
    relation: Annotated[ShortText, _one_of(*RELATIONS)]
    guardian_patient_id: Id | None = None


class CorrectionBody(Body):
    """One field and what it should say."""

    field: Annotated[ShortText, _one_of(*OWNER_FIELDS)]
    value: ShortText


class GuardianBody(Body):
    """Who else answers for the child."""

    guardian_patient_id: Id


class PatientShown(Shown):
    """A patient as the account sees them: masked."""

    patient_id: str
    name: str
    document_kind: str
    document_number: str
    phone: str
    birth_day: date
    sex: str | None
    relation: str
    verification: str
    verified_by: str | None
    bound_at: Instant
    hot_from: Instant
    needs_guardian: bool
    guardian_ids: list[str]


class PatientList(Shown):
    """The patients of an account."""

    patients: list[PatientShown]


class CareShown(Shown):
    """Why a patient may use a kept place, and the proof that this rests on; all null where they may not."""

    ground: str | None
    kind: str | None
    valid_until: date | None


class PhotoTaken(Shown):
    """A person will look at the photo."""

    review_id: str
    state: str


@routes.post(
    "/patients", status_code=201, responses=_WRITE, response_model=PatientShown, summary="登记就诊人 Register a patient"
)
def register(body: PatientBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """登记并绑定就诊人，随后核验身份。 Register and bind a patient; who they are is then confirmed."""
    person = PersonGiven(
        name=body.name,
        document_kind=body.document.kind,
        document_number=body.document.number,
        phone=body.phone,
        birth_day=body.birth_day,
        sex=body.sex,
    )

    def act(connection: Connection) -> str:
        return register_patient(
            connection,
            vault=system.vault,
            account_id=member.account_id,
            channel=member.channel,
            person=person,
            relation=body.relation,
            guardian_patient_id=body.guardian_patient_id,
            policy=binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        ).patient_id

    def show(patient_id: str) -> dict[str, Any]:
        _verify(system, patient_id, write.now_us)
        return _shown(_find(system, member.account_id, patient_id))

    return write.answer(act, status=201, show=show)


@routes.get("/patients", responses=failures(401, 403), summary="本账号的就诊人 The account's patients")
def list_patients(member: SignedIn, system: Here) -> PatientList:
    """本账号绑定的就诊人，信息脱敏。 The patients bound to this account, masked."""
    return PatientList(patients=[_model(view) for view in _all(system, member.account_id)])


@routes.get("/patients/{patient_id}", responses=failures(401, 403, 404, 422), summary="查看就诊人 One patient")
def show_patient(patient_id: Id, member: SignedIn, system: Here) -> PatientShown:
    """一位就诊人，信息脱敏。 One patient, masked."""
    return _model(_find(system, member.account_id, patient_id))


@routes.get(
    "/patients/{patient_id}/care", responses=failures(401, 403, 404, 422), summary="优先资格 May use kept places"
)
def show_care(patient_id: Id, member: SignedIn, system: Here) -> CareShown:
    """凭年龄则无证明；证明在窗口登记。 By age there is no proof; proofs are recorded at the window."""
    today = day_of(system.clock.now_us())
    with system.db.read() as connection:
        if find_live_binding(connection, member.account_id, patient_id) is None:
            raise PatientUnknown("patient_id")
        ground = care_grounds(connection, [patient_id], today=today).get(patient_id)
        proof = None if ground is None else live_proof(connection, patient_id, ground)
    if proof is None:
        return CareShown(ground=ground, kind=None, valid_until=None)
    return CareShown(ground=ground, kind=proof.kind, valid_until=proof.valid_until)


@routes.patch(
    "/patients/{patient_id}", responses=_WRITE, response_model=PatientShown, summary="更正就诊人 Correct a patient"
)
def correct(patient_id: Id, body: CorrectionBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """核验前更正姓名或手机号。 Correct the name or the phone before anybody has confirmed the patient."""

    def act(connection: Connection) -> str:
        correct_by_owner(
            connection,
            vault=system.vault,
            account_id=member.account_id,
            patient_id=patient_id,
            field=body.field,
            value=body.value,
            policy=binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )
        return patient_id

    def show(_: str) -> dict[str, Any]:
        _verify(system, patient_id, write.now_us)
        return _shown(_find(system, member.account_id, patient_id))

    return write.answer(act, show=show)


@routes.post(
    "/patients/{patient_id}/guardians",
    responses=_WRITE,
    response_model=PatientShown,
    summary="添加监护人 Add a guardian",
)
def add_one_guardian(
    patient_id: Id, body: GuardianBody, member: SignedIn, write: MemberWrite, system: Here
) -> Response:
    """为儿童添加监护人。 Give a child one more guardian; both are bound to this account."""

    def act(connection: Connection) -> str:
        add_guardian(
            connection,
            account_id=member.account_id,
            channel=member.channel,
            child_id=patient_id,
            guardian_id=body.guardian_patient_id,
            policy=binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )
        return patient_id

    return write.answer(act, show=lambda _: _shown(_find(system, member.account_id, patient_id)))


@routes.delete("/patients/{patient_id}", status_code=204, responses=_WRITE, summary="解绑就诊人 Unbind a patient")
def unbind(patient_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """本账号不再代表该就诊人。 The account no longer acts for the patient."""

    def act(connection: Connection) -> None:
        unbind_patient(
            connection,
            account_id=member.account_id,
            patient_id=patient_id,
            channel=member.channel,
            policy=binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )

    return write.answer(act, status=204)


@routes.post(
    "/patients/{patient_id}/photo",
    status_code=202,
    responses=_WRITE,
    response_model=PhotoTaken,
    openapi_extra=raw_body(*_PHOTO_TYPES),
    summary="提交证件照片 Submit a photo of the document",
)
def take_photo(
    patient_id: Id, request: Request, photo: RawBody, member: SignedIn, write: MemberWrite, system: Here
) -> Response:
    """由工作人员人工核验。 A person will look at it, where nobody else can tell."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _PHOTO_TYPES:
        raise UnsupportedMediaType("Content-Type", expected=", ".join(_PHOTO_TYPES))

    def act(connection: Connection) -> dict[str, str]:
        review = submit_photo(
            connection,
            vault=system.vault,
            account_id=member.account_id,
            channel=member.channel,
            patient_id=patient_id,
            photo=photo,
            now_us=write.now_us,
        )
        return {"review_id": review.id, "state": review.state}

    return write.answer(act, status=202)


def _verify(system: System, patient_id: str, now_us: int) -> None:
    """Ask who knows; an answer that was tampered with is an alarm, and the patient stays pending."""
    try:
        verify_patient(system.db, vault=system.vault, authority=system.authority, patient_id=patient_id, now_us=now_us)
    except Tampered:
        _log.error("tampered", what="identity_answer", patient_id=patient_id)


def _all(system: System, account_id: str) -> list[PatientView]:
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        policy = binding_policy(connection, now_us=now_us)
        return patients_of(connection, account_id, policy=policy, now_us=now_us)


def _find(system: System, account_id: str, patient_id: str) -> PatientView:
    for view in _all(system, account_id):
        if view.patient_id == patient_id:
            return view
    raise PatientUnknown("patient_id")


def _model(view: PatientView) -> PatientShown:
    return PatientShown(
        patient_id=view.patient_id,
        name=view.name_masked,
        document_kind=view.document_kind,
        document_number=view.document_masked,
        phone=view.phone_masked,
        birth_day=view.birth_day,
        sex=view.sex,
        relation=view.relation,
        verification=view.verification,
        verified_by=view.verified_by,
        bound_at=view.bound_at_us,
        hot_from=view.hot_from_us,
        needs_guardian=view.needs_guardian,
        guardian_ids=list(view.guardian_ids),
    )


def _shown(view: PatientView) -> dict[str, Any]:
    return _model(view).model_dump(mode="json")
