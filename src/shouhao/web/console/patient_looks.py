"""Looks at a patient beyond the paper on the counter: by phone, by id, at the numbers in full, at what was corrected.

What comes by phone or id is masked, the name too: whoever holds no paper proves nothing. Numbers in the clear need a
reason in words, and the row of the access register stands before they are opened.
"""

from fastapi import APIRouter
from sqlalchemy import Connection

from shouhao.flows.at_window import GUARDIAN
from shouhao.flows.edit import NAME, PHONE
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound
from shouhao.patients import records, store
from shouhao.patients.model import Patient
from shouhao.patients.phones import canonical_phone, mask_phone
from shouhao.patients.records import PatientEdit
from shouhao.patients.texts import mask_name
from shouhao.staff.model import require
from shouhao.staff.register import look
from shouhao.staff.store import names_of
from shouhao.web.console.duty_look import AUTHORITY, look_on_duty, record_look
from shouhao.web.console.patient_shapes import PatientAtWindow, PersonMasked, patient_at_window, person_masked
from shouhao.web.console.patients import ReasonBody
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, ShortText, Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/staff", tags=["patients"])

_MOST_OF_ONE_PHONE = 20
_LOOK = failures(401, 403, 404, 422)
_ASK = failures(400, 401, 403, 404, 415, 422)


class PhoneBody(Body):
    """A phone that the patient says."""

    phone: ShortText


class PeopleFound(Shown):
    """Who left this phone, masked; `cut` when there are more."""

    people: list[PersonMasked]
    cut: bool


class NumbersShown(Shown):
    """The patient in the clear."""

    patient_id: str
    name: str
    document_number: str
    phone: str


class EditShown(Shown):
    """One correction, masked: what it was, what it became, by whom and why; `staff` null when the account did it."""

    at: Instant
    field: str
    before: str
    after: str
    reason: str
    staff: str | None


class EditList(Shown):
    """Corrections of a patient, oldest first."""

    edits: list[EditShown]


@routes.post("/patients/look-up-by-phone", responses=_ASK, summary="按手机号查找就诊人 Find by phone")
def look_up_by_phone(body: PhoneBody, operator: OnDuty, system: Here) -> PeopleFound:
    """全部遮盖；查看即留痕。 All masked; the look is recorded."""
    require(operator, "window")
    now_us = system.clock.now_us()
    phone = canonical_phone("phone", body.phone)
    with system.db.write() as connection:
        found = store.find_patients_by_phone(connection, vault=system.vault, phone=phone, limit=_MOST_OF_ONE_PHONE + 1)
        shown = found[:_MOST_OF_ONE_PHONE]
        for patient in shown:
            record_look(connection, patient.id, staff_id=operator.id, what="patient_by_phone", now_us=now_us)
    if shown:
        what = f"patients of the phone of {shown[0].id}"
        look_on_duty(system, operator, "window", data_class="identity", what=what, records=len(shown))
    return PeopleFound(
        people=[person_masked(patient, today=day_of(now_us)) for patient in shown], cut=len(found) > len(shown)
    )


@routes.get("/patients/{patient_id}", responses=_LOOK, summary="就诊人 One patient, masked")
def show(patient_id: Id, operator: OnDuty, system: Here) -> PatientAtWindow:
    """姓名与号码均遮盖；查看即留痕。 Name and numbers masked; the look is recorded."""
    require(operator, "window")
    with system.db.write() as connection:
        patient = _known(connection, patient_id)
        now_us = system.clock.now_us()
        record_look(connection, patient_id, staff_id=operator.id, what="patient", now_us=now_us)
    look_on_duty(system, operator, "window", data_class="identity", what=f"patient {patient_id}")
    with system.db.read() as connection:
        return patient_at_window(system, connection, patient, masked=True)


@routes.post("/patients/{patient_id}/numbers", responses=_ASK, summary="查看完整号码 The numbers in full")
def numbers(patient_id: Id, body: ReasonBody, operator: OnDuty, system: Here) -> NumbersShown:
    """须写明理由；先留痕，后显示。 With a reason, which is on record before anything is opened."""
    require(operator, "window")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        patient = _known(connection, patient_id)
    look(
        system.db,
        operator,
        data_class="identity",
        what=f"numbers of patient {patient_id}",
        reason=body.reason,
        authority=AUTHORITY,
        now_us=now_us,
    )
    with system.db.write() as connection:
        record_look(connection, patient_id, staff_id=operator.id, what="numbers", now_us=now_us)
    return NumbersShown(
        patient_id=patient_id,
        name=store.open_name(patient, system.vault),
        document_number=system.vault.open(patient.document_sealed, purpose=store.DOCUMENT),
        phone=system.vault.open(patient.phone_sealed, purpose=store.PHONE),
    )


@routes.get("/patients/{patient_id}/edits", responses=_LOOK, summary="更正记录 Corrections of a patient")
def edits(patient_id: Id, operator: OnDuty, system: Here) -> EditList:
    """更正前后（遮盖）、理由与经办人；查看即留痕。 Before and after, masked, why and by whom; the look is recorded."""
    require(operator, "window", "auditor")
    with system.db.write() as connection:
        _known(connection, patient_id)
        now_us = system.clock.now_us()
        record_look(connection, patient_id, staff_id=operator.id, what="edits", now_us=now_us)
    look_on_duty(system, operator, "window", data_class="identity", what=f"edits of patient {patient_id}")
    with system.db.read() as connection:
        found, names = records.edits_of(connection, patient_id), names_of(connection)
    return EditList(
        edits=[
            EditShown(
                at=edit.at_us,
                field=edit.field,
                before=_masked(system, edit, edit.old_sealed),
                after=_masked(system, edit, edit.new_sealed),
                reason=edit.reason,
                staff=None if edit.staff_id is None else names.get(edit.staff_id, edit.staff_id),
            )
            for edit in found
        ]
    )


def _known(connection: Connection, patient_id: str) -> Patient:
    patient = store.find_patient(connection, patient_id)
    if patient is None:
        raise NotFound("patient", "patient_id")
    return patient


def _masked(system: System, edit: PatientEdit, sealed: str) -> str:
    purpose = {NAME: store.NAME, PHONE: store.PHONE, GUARDIAN: GUARDIAN}.get(edit.field, edit.field)
    opened = system.vault.open(sealed, purpose=purpose)
    if edit.field == NAME:
        return mask_name(opened)
    return mask_phone(opened) if edit.field == PHONE else opened
