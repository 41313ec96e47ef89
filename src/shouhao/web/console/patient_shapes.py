"""Patient shapes: a patient as staff see them at a counter, and those around them with name and number masked."""

from datetime import date
from typing import Any

from sqlalchemy import Connection

from shouhao.booking.store.standings_of_waits import WaitSession
from shouhao.kernel.clock import day_of
from shouhao.patients import records, store
from shouhao.patients.documents import says_birth_day, says_sex
from shouhao.patients.model import Patient, is_child
from shouhao.web.fields import Shown
from shouhao.wiring import System


class PersonMasked(Shown):
    """Enough of a person to tell them from the next one in a list."""

    patient_id: str
    name: str
    document_kind: str
    document_number: str
    phone: str
    age_years: int
    verification: str


class PatientAtWindow(Shown):
    """A patient as staff see them: the name to compare with the paper, the rest masked.

    `name_masked` when nobody has shown the paper yet. `editable` is what may be corrected besides name and phone.
    """

    patient_id: str
    name: str
    name_masked: bool
    document_kind: str
    document_number: str
    phone: str
    birth_day: date
    sex: str | None
    verification: str
    verified_by: str | None
    editable: list[str]
    needs_guardian: bool
    guardians: list[PersonMasked]
    accounts: int
    photo_waiting: bool


class Where(Shown):
    """A session, as people name it."""

    session_id: str
    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str


def where_of(session: WaitSession) -> dict[str, Any]:
    """The fields of `Where`."""
    return {
        "session_id": session.id,
        "department_zh": session.department_zh,
        "department_en": session.department_en,
        "doctor_zh": session.doctor_zh,
        "doctor_en": session.doctor_en,
        "day": session.day,
        "half": session.half,
    }


def person_masked(patient: Patient, *, today: date) -> PersonMasked:
    """A person with nothing in the clear."""
    return PersonMasked(
        patient_id=patient.id,
        name=patient.name_masked,
        document_kind=patient.document_kind,
        document_number=patient.document_masked,
        phone=patient.phone_masked,
        age_years=patient.age(today),
        verification=patient.verification,
    )


def patient_at_window(
    system: System, connection: Connection, patient: Patient, *, masked: bool = False
) -> PatientAtWindow:
    """A patient with who answers for them.

    Args:
        masked: the name too, where no paper was shown.
    """
    now_us = system.clock.now_us()
    today = day_of(now_us)
    guardians = store.find_patients(
        connection, (bond.guardian_id for bond in store.guardianships_of(connection, [patient.id]))
    )
    says = {
        "birth_day": says_birth_day(patient.document_kind, patient.document_masked),
        "sex": says_sex(patient.document_kind),
    }
    return PatientAtWindow(
        patient_id=patient.id,
        name=patient.name_masked if masked else store.open_name(patient, system.vault),
        name_masked=masked,
        document_kind=patient.document_kind,
        document_number=patient.document_masked,
        phone=patient.phone_masked,
        birth_day=patient.birth_day,
        sex=patient.sex,
        verification=patient.verification,
        verified_by=patient.verified_by,
        editable=[field for field, said in says.items() if not said],
        needs_guardian=is_child(patient.birth_day, today=today, policy=store.binding_policy(connection, now_us=now_us)),
        guardians=[person_masked(one, today=today) for one in guardians.values()],
        accounts=len(store.live_bindings_of_patient(connection, patient.id)),
        photo_waiting=records.find_waiting_review(connection, patient.id) is not None,
    )
