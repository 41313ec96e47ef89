"""Edit: what may change about a patient, by whom, and with which trace. The document never changes.

Before anybody has confirmed the patient, the one account that acts for them may correct the name and the phone, a few
times. Afterwards only staff at a window, with the paper before them and a reason; from then on it is the window that
answers for a verified patient, and the record says so.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import Connection

from shouhao.flows.review import ReviewWaiting
from shouhao.flows.verify import confirm, doubt, locked_patient
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.kernel.events import Event
from shouhao.patients import records, store
from shouhao.patients.documents import BIRTH_DAY, SEX, SEXES, check_birth_day, says_birth_day, says_sex
from shouhao.patients.model import WINDOW, GuardianNeeded, Patient, is_child
from shouhao.patients.phones import canonical_phone, mask_phone
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.records import IdentityCheck, PatientEdit
from shouhao.patients.standing import PatientUnknown
from shouhao.patients.texts import mask_name, person_name, written_reason
from shouhao.store import event_log
from shouhao.store.vault import Vault

NAME, PHONE = "name", "phone"
STAFF_FIELDS = (NAME, PHONE, SEX, BIRTH_DAY)
OWNER_FIELDS = (NAME, PHONE)


class DocumentNeverEdited(Refused):
    """A document stands for one person for ever."""

    code: ClassVar[str] = "patients.document_never_edited"
    zh: ClassVar[str] = "证件类型和号码不能修改"
    en: ClassVar[str] = "The kind and number of a document can never be changed"


class OnlyAtWindow(Refused):
    """The account may not change this; staff may."""

    code: ClassVar[str] = "patients.only_at_window"
    zh: ClassVar[str] = "该信息只能携带证件到窗口修改"
    en: ClassVar[str] = "This can only be changed at the window, with the document"


def edit_by_staff(
    connection: Connection,
    *,
    vault: Vault,
    staff_id: str,
    patient_id: str,
    field: str,
    value: str,
    reason: str,
    policy: BindingPolicy,
    now_us: int,
) -> None:
    """Change one field at a window; old and new are kept, sealed, with the reason.

    Args:
        field: name, phone, sex or birth_day; the last two only where the document's number does not say them.
        value: as typed; a day as ISO text.
    Raises:
        NotFound: there is no such patient.
        DocumentNeverEdited: the field is the document.
        InvalidInput: another field, or a value that breaks its rule.
        GuardianNeeded: with that birth day the patient would be a child without a guardian.
    """
    said = written_reason("reason", reason)
    _check_field(field, STAFF_FIELDS)
    patient = locked_patient(connection, patient_id)
    columns, edit = _change(patient, field, value, vault=vault, now_us=now_us)
    if field == BIRTH_DAY:
        _check_still_guarded(connection, patient, date.fromisoformat(columns[BIRTH_DAY]), policy, now_us)
    _write(connection, patient, columns, {**edit, "reason": said, "staff_id": staff_id}, now_us=now_us)
    if field == PHONE:
        return
    if patient.verification == "verified":
        check = IdentityCheck(patient_id=patient_id, authority=WINDOW, verdict="match", staff_id=staff_id)
        records.insert_check(connection, check, now_us=now_us)
        confirm(connection, patient, by=WINDOW, now_us=now_us, staff_id=staff_id)
    elif patient.verification == "rejected":
        doubt(connection, patient, verification="pending", by=WINDOW, now_us=now_us, staff_id=staff_id)


def correct_by_owner(
    connection: Connection,
    *,
    vault: Vault,
    account_id: str,
    patient_id: str,
    field: str,
    value: str,
    policy: BindingPolicy,
    now_us: int,
) -> None:
    """Correct a slip before anybody has confirmed the patient; a corrected name is asked about again.

    Raises:
        PatientUnknown: the patient is not bound to this account.
        DocumentNeverEdited: the field is the document.
        OnlyAtWindow: verified already, bound to another account too, or corrected too often.
        ReviewWaiting: a person is about to look at the photo for the old name.
        InvalidInput: another field, or a value that breaks its rule.
    """
    _check_field(field, OWNER_FIELDS)
    if store.find_live_binding(connection, account_id, patient_id) is None:
        raise PatientUnknown("patient_id")
    patient = locked_patient(connection, patient_id)
    others = [b for b in store.live_bindings_of_patient(connection, patient_id) if b.account_id != account_id]
    made = [edit for edit in records.edits_of(connection, patient_id) if edit.account_id is not None]
    if patient.verification == "verified" or others or len(made) >= policy.max_owner_corrections:
        raise OnlyAtWindow(field)
    if field == NAME and records.find_waiting_review(connection, patient_id) is not None:
        raise ReviewWaiting(field)
    columns, edit = _change(patient, field, value, vault=vault, now_us=now_us)
    said = "更正 correction"
    _write(connection, patient, columns, {**edit, "reason": said, "account_id": account_id}, now_us=now_us)
    if field == NAME and patient.verification != "pending":
        doubt(connection, patient, verification="pending", by="owner", now_us=now_us)


def _check_field(field: str, allowed: tuple[str, ...]) -> None:
    if field.startswith("document"):
        raise DocumentNeverEdited(field)
    if field not in allowed:
        raise InvalidInput("field", zh=f"只能修改 {'、'.join(allowed)}", en=f"only {', '.join(allowed)} may be changed")


def _change(
    patient: Patient, field: str, value: str, *, vault: Vault, now_us: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """The columns to write, and old and new as the record keeps them."""
    if field == NAME:
        name = person_name(field, value)
        sealed = vault.seal(name, purpose=store.NAME)
        hashed = store.person_hash(vault, name, patient.birth_day)
        columns = {"name_sealed": sealed, "name_masked": mask_name(name), "person_hash": hashed}
        return columns, {"field": field, "old_sealed": patient.name_sealed, "new_sealed": sealed}
    if field == PHONE:
        phone = canonical_phone(field, value)
        sealed = vault.seal(phone, purpose=store.PHONE)
        columns = {
            "phone_sealed": sealed,
            "phone_hash": vault.hash(phone, purpose=store.PHONE),
            "phone_masked": mask_phone(phone),
        }
        return columns, {"field": field, "old_sealed": patient.phone_sealed, "new_sealed": sealed}
    kind = patient.document_kind
    if says_sex(kind) if field == SEX else says_birth_day(kind, patient.document_masked):
        raise InvalidInput(field, zh="由证件号码决定，不能修改", en="is said by the document's number")
    old = patient.birth_day.isoformat() if field == BIRTH_DAY else patient.sex or ""
    new = _birth_day(value, now_us) if field == BIRTH_DAY else _sex(value)
    columns = {field: new}
    if field == BIRTH_DAY:
        columns["person_hash"] = store.person_hash(vault, store.open_name(patient, vault), date.fromisoformat(new))
    return columns, {
        "field": field,
        "old_sealed": vault.seal(old, purpose=field),
        "new_sealed": vault.seal(new, purpose=field),
    }


def _birth_day(value: str, now_us: int) -> str:
    try:
        born = date.fromisoformat(value)
    except ValueError:
        raise InvalidInput(BIRTH_DAY, zh="应为 YYYY-MM-DD", en="must be YYYY-MM-DD") from None
    check_birth_day(BIRTH_DAY, born, today=day_of(now_us))
    return born.isoformat()


def _sex(value: str) -> str:
    if value not in SEXES:
        raise InvalidInput(SEX, zh="应为 male 或 female", en="must be male or female")
    return value


def _check_still_guarded(
    connection: Connection, patient: Patient, born: date, policy: BindingPolicy, now_us: int
) -> None:
    live = store.live_bindings_of_patient(connection, patient.id)
    if is_child(born, today=day_of(now_us), policy=policy) and not all(binding.guarded for binding in live):
        raise GuardianNeeded(BIRTH_DAY, under_years=policy.guardian_required_under_years)


def _write(
    connection: Connection, patient: Patient, columns: Mapping[str, Any], edit: Mapping[str, str], *, now_us: int
) -> None:
    store.change_patient(connection, patient.id, columns)
    records.insert_edit(
        connection,
        PatientEdit(
            patient_id=patient.id,
            field=edit["field"],
            old_sealed=edit["old_sealed"],
            new_sealed=edit["new_sealed"],
            reason=edit["reason"],
            staff_id=edit.get("staff_id"),
            account_id=edit.get("account_id"),
            at_us=now_us,
        ),
    )
    event = Event(
        at_us=now_us,
        kind="patient_edited",
        patient_id=patient.id,
        staff_id=edit.get("staff_id"),
        account_id=edit.get("account_id"),
        detail={"field": edit["field"]},
    )
    event_log.append(connection, [event])
