"""Patients at the window: found by their document, corrected and confirmed with the paper in hand.

Each look leaves a `viewed` event with the operator's id, in the transaction that reads. The document travels in the
body: addresses end in logs.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.store import lifecycle
from shouhao.flows.edit import STAFF_FIELDS, edit_by_staff
from shouhao.flows.verify import verify_at_window
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.patients import store
from shouhao.patients.documents import DOCUMENT_KINDS, Document, read_document, says_birth_day_and_sex
from shouhao.patients.model import Patient
from shouhao.staff.model import require
from shouhao.store import event_log
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, LongText, ShortText, Shown
from shouhao.web.public.bookings import bookings_answer, gives_bookings
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/staff", tags=["patients"])

_MOST = 200
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class LookUpBody(Body):
    """The paper that lies on the counter."""

    document_kind: Annotated[ShortText, Field(json_schema_extra={"enum": list(DOCUMENT_KINDS)})]
    document_number: ShortText


class EditBody(Body):
    """One field, what it should say, and why."""

    field: Annotated[ShortText, Field(json_schema_extra={"enum": list(STAFF_FIELDS)})]
    value: ShortText
    reason: LongText


class ReasonBody(Body):
    """Why, in the operator's own words."""

    reason: LongText


class PatientAtWindow(Shown):
    """A patient as staff see them: the name to compare with the paper, the rest masked."""

    patient_id: str
    name: str
    document_kind: str
    document_number: str
    phone: str
    birth_day: date
    sex: str | None
    verification: str
    verified_by: str | None


@routes.post(
    "/patients/look-up", responses=failures(400, 401, 403, 404, 415, 422), summary="按证件查找就诊人 Find by document"
)
def look_up(body: LookUpBody, operator: OnDuty, system: Here) -> PatientAtWindow:
    """查看即留痕。 The look is recorded."""
    require(operator, "window")
    now_us = system.clock.now_us()
    document = _document(body, today=day_of(now_us))
    with system.db.write() as connection:
        patient = store.find_patient_by_document(connection, vault=system.vault, document=document)
        if patient is None:
            raise NotFound("patient", "document_number")
        _record_look(connection, patient.id, staff_id=operator.id, what="patient", now_us=now_us)
    return _shown(system, patient)


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
        _record_look(connection, patient_id, staff_id=operator.id, what="bookings", now_us=system.clock.now_us())
        found = lifecycle.bookings_of(connection, [patient_id], account_id=None, limit=_MOST)
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


def _document(body: LookUpBody, *, today: date) -> Document:
    # A document is found by its kind and number alone. Where the number says no birth day the reader wants one given;
    # today's keeps every rule and is not looked for.
    known = says_birth_day_and_sex(body.document_kind)
    return read_document(
        body.document_kind,
        body.document_number,
        birth_day=None if known else today,
        sex=None,
        today=today,
        newborn_under_years=1,
    )


def _record_look(connection: Connection, patient_id: str, *, staff_id: str, what: str, now_us: int) -> None:
    look = Event(
        at_us=now_us,
        kind="viewed",
        channel="window",
        patient_id=patient_id,
        staff_id=staff_id,
        detail={"what": what},
    )
    event_log.append(connection, [look])


def _find(system: System, patient_id: str) -> dict[str, object]:
    with system.db.read() as connection:
        patient = store.find_patient(connection, patient_id)
    if patient is None:
        raise NotFound("patient", "patient_id")
    return _shown(system, patient).model_dump(mode="json")


def _shown(system: System, patient: Patient) -> PatientAtWindow:
    return PatientAtWindow(
        patient_id=patient.id,
        name=store.open_name(patient, system.vault),
        document_kind=patient.document_kind,
        document_number=patient.document_masked,
        phone=patient.phone_masked,
        birth_day=patient.birth_day,
        sex=patient.sex,
        verification=patient.verification,
        verified_by=patient.verified_by,
    )
