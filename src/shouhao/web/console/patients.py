"""Patients at the window: found by their document, corrected and confirmed with the paper in hand.

Each look leaves a row in the access register, and a `viewed` event with the operator's id in the transaction that
reads. The document travels in the body: addresses end in logs.
"""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.store import lifecycle
from shouhao.flows.at_window import register_at_window, remove_guardian
from shouhao.flows.edit import STAFF_FIELDS, edit_by_staff
from shouhao.flows.register import PersonGiven
from shouhao.flows.verify import verify_at_window
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.patients import store
from shouhao.patients.documents import DOCUMENT_KINDS, SEXES, number_alone
from shouhao.staff.model import require
from shouhao.web.console.duty_look import Duty, look_on_duty, record_look
from shouhao.web.console.patient_shapes import PatientAtWindow, patient_at_window
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Day, Id, LongText, ShortText
from shouhao.web.public.bookings import bookings_answer, gives_bookings
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/staff", tags=["patients"])

_MOST = 200
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class LookUpBody(Body):
    """The paper that lies on the counter."""

    document_kind: Annotated[ShortText, Field(json_schema_extra={"enum": list(DOCUMENT_KINDS)})]
    document_number: ShortText


class RegisterBody(LookUpBody):
    """The person who stands at the counter, and why they are registered there."""

    name: ShortText
    phone: ShortText
    birth_day: Day | None = None
    sex: Annotated[ShortText, Field(json_schema_extra={"enum": list(SEXES)})] | None = None
    guardian_patient_id: Id | None = None
    reason: LongText


class EditBody(Body):
    """One field, what it should say, and why."""

    field: Annotated[ShortText, Field(json_schema_extra={"enum": list(STAFF_FIELDS)})]
    value: ShortText
    reason: LongText


class ReasonBody(Body):
    """Why, in the operator's own words."""

    reason: LongText


@routes.post(
    "/patients/look-up", responses=failures(400, 401, 403, 404, 415, 422), summary="按证件查找就诊人 Find by document"
)
def look_up(body: LookUpBody, operator: OnDuty, system: Here) -> PatientAtWindow:
    """查看即留痕；医生可查自己面前的就诊人。 The look is recorded; doctors find whom they see, for an extra slot."""
    if operator.doctor_id is None:
        require(operator, "window")
    now_us = system.clock.now_us()
    document = number_alone(body.document_kind, body.document_number, today=day_of(now_us))
    with system.db.write() as connection:
        patient = store.find_patient_by_document(connection, vault=system.vault, document=document)
        if patient is None:
            raise NotFound("patient", "document_number")
        record_look(connection, patient.id, staff_id=operator.id, what="patient", now_us=now_us)
    duty: Duty = "window" if "window" in operator.roles else "extra_slot"
    look_on_duty(system, operator, duty, data_class="identity", what=f"patient {patient.id}")
    with system.db.read() as connection:
        return patient_at_window(system, connection, patient)


@routes.post(
    "/patients",
    status_code=201,
    responses=_WRITE,
    response_model=PatientAtWindow,
    summary="窗口建档 Register at the window",
)
def register(body: RegisterBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """已核对本人与证件；已登记的证件得到原就诊人。 The person and the paper were seen; a known one is found again."""
    require(operator, "window")
    person = PersonGiven(
        name=body.name,
        document_kind=body.document_kind,
        document_number=body.document_number,
        phone=body.phone,
        birth_day=body.birth_day,
        sex=body.sex,
    )

    def act(connection: Connection) -> str:
        return register_at_window(
            connection,
            vault=system.vault,
            staff_id=operator.id,
            person=person,
            guardian_patient_id=body.guardian_patient_id,
            reason=body.reason,
            policy=store.binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )

    return write.answer(act, status=201, show=lambda patient_id: _find(system, patient_id))


@routes.get(
    "/patients/{patient_id}/bookings",
    responses={**gives_bookings(), **failures(401, 403, 404, 422)},
    summary="就诊人的预约 A patient's bookings",
)
def list_bookings(patient_id: Id, operator: OnDuty, system: Here) -> Response:
    """查看即留痕。 The look is recorded."""
    require(operator, "window")
    with system.db.write() as connection:
        if store.find_patient(connection, patient_id) is None:
            raise NotFound("patient", "patient_id")
        record_look(connection, patient_id, staff_id=operator.id, what="bookings", now_us=system.clock.now_us())
        found = lifecycle.bookings_of(connection, [patient_id], account_id=None, limit=_MOST)
    look_on_duty(system, operator, "window", data_class="health", what=f"bookings of patient {patient_id}")
    return bookings_answer(found)


@routes.patch(
    "/patients/{patient_id}", responses=_WRITE, response_model=PatientAtWindow, summary="更正就诊人 Correct a patient"
)
def edit(patient_id: Id, body: EditBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """新旧内容与理由一并保存。 Old, new and the reason are kept."""
    require(operator, "window")

    def act(connection: Connection) -> None:
        edit_by_staff(
            connection,
            vault=system.vault,
            staff_id=operator.id,
            patient_id=patient_id,
            field=body.field,
            value=body.value,
            reason=body.reason,
            policy=store.binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )

    return write.answer(act, show=lambda _: _find(system, patient_id))


@routes.post(
    "/patients/{patient_id}/verification",
    responses=_WRITE,
    response_model=PatientAtWindow,
    summary="窗口核验 Confirm at the window",
)
def verify(patient_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """已核对本人与证件。 The person and the paper were seen."""
    require(operator, "window")

    def act(connection: Connection) -> None:
        verify_at_window(
            connection, staff_id=operator.id, patient_id=patient_id, reason=body.reason, now_us=write.now_us
        )

    return write.answer(act, show=lambda _: _find(system, patient_id))


@routes.post(
    "/patients/{patient_id}/guardians/{guardian_id}/removal",
    responses=_WRITE,
    response_model=PatientAtWindow,
    summary="解除监护人 Remove a guardian",
)
def remove_one_guardian(
    patient_id: Id, guardian_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite, system: Here
) -> Response:
    """不再是该儿童的监护人；理由留存。 Somebody no longer answers for the child; the reason is kept."""
    require(operator, "window")

    def act(connection: Connection) -> None:
        remove_guardian(
            connection,
            vault=system.vault,
            staff_id=operator.id,
            child_id=patient_id,
            guardian_id=guardian_id,
            reason=body.reason,
            policy=store.binding_policy(connection, now_us=write.now_us),
            now_us=write.now_us,
        )

    return write.answer(act, show=lambda _: _find(system, patient_id))


def _find(system: System, patient_id: str) -> dict[str, object]:
    with system.db.read() as connection:
        patient = store.find_patient(connection, patient_id)
        if patient is None:
            raise NotFound("patient", "patient_id")
        return patient_at_window(system, connection, patient).model_dump(mode="json")
