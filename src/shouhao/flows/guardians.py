"""Guardians: adults who are known to be real answer for children, each pair once, few on either side."""

from datetime import date

from sqlalchemy import Connection

from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.patients import store
from shouhao.patients.model import Patient, TooManyChildren, TooManyGuardians, check_guardian, is_child
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.standing import PatientUnknown
from shouhao.store import event_log


def add_guardian(
    connection: Connection,
    *,
    account_id: str,
    channel: str,
    child_id: str,
    guardian_id: str,
    policy: BindingPolicy,
    now_us: int,
) -> None:
    """Give a child one more guardian; both are bound to this account. Doing it again changes nothing.

    Raises:
        PatientUnknown: one of them is not bound to this account.
        InvalidInput: the child is not a child.
        GuardianNotAble: the guardian is a minor or not verified.
        TooManyGuardians: the child has enough.
        TooManyChildren: the guardian has enough.
    """
    if store.lock_account(connection, account_id) is None:
        raise PatientUnknown("child_id")
    if store.find_live_binding(connection, account_id, child_id) is None:
        raise PatientUnknown("child_id")
    today = day_of(now_us)
    guardian_of_account(connection, account_id, guardian_id, today=today)
    people = store.lock_patients(connection, [child_id, guardian_id])
    check_is_child("child_id", people[child_id], today=today, policy=policy)
    answer_for(
        connection,
        child_id=child_id,
        guardian_id=guardian_id,
        account_id=account_id,
        channel=channel,
        policy=policy,
        now_us=now_us,
    )


def check_is_child(field: str, patient: Patient, *, today: date, policy: BindingPolicy) -> None:
    """Whether somebody can have a guardian.

    Raises:
        InvalidInput: they are old enough to need none.
    """
    if not is_child(patient.birth_day, today=today, policy=policy):
        raise InvalidInput(
            field,
            zh=f"已满 {policy.guardian_required_under_years} 周岁，不需要监护人",
            en=f"is {policy.guardian_required_under_years} or older and needs no guardian",
        )


def guardian_of_account(connection: Connection, account_id: str, guardian_id: str, *, today: date) -> None:
    """Whether a person on this account may answer for a child.

    Raises:
        PatientUnknown: nobody such is bound to this account.
        GuardianNotAble: a minor, or not verified.
    """
    guardian = store.find_patient(connection, guardian_id)
    if guardian is None or store.find_live_binding(connection, account_id, guardian_id) is None:
        raise PatientUnknown("guardian_patient_id")
    check_guardian(guardian, today=today)


def answer_for(
    connection: Connection,
    *,
    child_id: str,
    guardian_id: str,
    account_id: str | None,
    channel: str,
    staff_id: str | None = None,
    policy: BindingPolicy,
    now_us: int,
) -> None:
    """Record the pair once, within both caps. Both patients are locked by the caller, so the caps hold.

    Args:
        account_id: None where staff do it at a window.
    Raises:
        TooManyGuardians: the child has enough.
        TooManyChildren: the guardian has enough.
    """
    guardians = store.guardianships_of(connection, [child_id])
    if any(bond.guardian_id == guardian_id for bond in guardians):
        return
    if len(guardians) >= policy.max_guardians_per_child:
        raise TooManyGuardians(limit=policy.max_guardians_per_child)
    if len(store.children_of(connection, guardian_id)) >= policy.max_children_per_guardian:
        raise TooManyChildren("guardian_patient_id", limit=policy.max_children_per_guardian)
    store.insert_guardianship(connection, child_id=child_id, guardian_id=guardian_id, now_us=now_us)
    event = Event(
        at_us=now_us,
        kind="guardian_bound",
        channel=channel,
        account_id=account_id,
        patient_id=child_id,
        staff_id=staff_id,
        detail={"guardian_id": guardian_id},
    )
    event_log.append(connection, [event])
