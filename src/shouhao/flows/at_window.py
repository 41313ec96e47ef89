"""At the window: what staff do for people who stand before them, with their papers and without an account.

Who is seen with the paper is verified by it at once. Each act keeps its reason and who wrote it.
"""

from sqlalchemy import Connection

from shouhao.flows.guardians import answer_for, check_is_child
from shouhao.flows.register import PersonGiven, check_person
from shouhao.flows.verify import verify_at_window
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import NotFound, Unavailable
from shouhao.kernel.events import Event
from shouhao.patients import records, store
from shouhao.patients.model import WINDOW, Binding, DocumentKnown, GuardianStillNeeded, check_guardian, is_child
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.records import PatientEdit
from shouhao.patients.texts import same_name, written_reason
from shouhao.store import event_log
from shouhao.store.vault import Vault

GUARDIAN = "guardian"  #: what an edit names that removed one


def register_at_window(
    connection: Connection,
    *,
    vault: Vault,
    staff_id: str,
    person: PersonGiven,
    guardian_patient_id: str | None = None,
    reason: str,
    policy: BindingPolicy,
    now_us: int,
) -> str:
    """Register a person whom staff see with their paper, or find them; the patient's id. Bound to no account.

    A child needs no guardian here, for whoever brings it stands there too; one who is named is recorded.

    Raises:
        InvalidInput: a field breaks its rule, or a guardian is named for somebody who needs none.
        DocumentKnown: the document is known with another name or birth day.
        NotFound: there is no such guardian.
        GuardianNotAble: the guardian is a minor or not verified.
        TooManyGuardians: the child has enough.
        TooManyChildren: the guardian has enough.
    """
    new = check_person(person, policy=policy, now_us=now_us)
    today = day_of(now_us)
    created_id = store.insert_patient(connection, new, vault=vault, now_us=now_us)
    found = store.find_patient_by_document(connection, vault=vault, document=new.document)
    if found is None:
        raise NotFound("patient", "document_number")
    people = store.lock_patients(connection, {found.id, guardian_patient_id or found.id})
    patient = people[found.id]
    if not same_name(store.open_name(patient, vault), new.name) or patient.birth_day != new.document.birth_day:
        raise DocumentKnown("document_number")
    if created_id is not None:
        event = Event(at_us=now_us, kind="patient_registered", channel=WINDOW, patient_id=created_id, staff_id=staff_id)
        event_log.append(connection, [event])
    verify_at_window(connection, staff_id=staff_id, patient_id=patient.id, reason=reason, now_us=now_us)
    if guardian_patient_id is not None:
        if guardian_patient_id not in people:
            raise NotFound("patient", "guardian_patient_id")
        check_is_child("guardian_patient_id", patient, today=today, policy=policy)
        check_guardian(people[guardian_patient_id], today=today)
        answer_for(
            connection,
            child_id=patient.id,
            guardian_id=guardian_patient_id,
            account_id=None,
            channel=WINDOW,
            staff_id=staff_id,
            policy=policy,
            now_us=now_us,
        )
    return patient.id


def remove_guardian(
    connection: Connection,
    *,
    vault: Vault,
    staff_id: str,
    child_id: str,
    guardian_id: str,
    reason: str,
    policy: BindingPolicy,
    now_us: int,
) -> None:
    """Somebody no longer answers for a child; who it was and why is kept like any edit of the child.

    Raises:
        InvalidInput: no reason was written.
        NotFound: that person is no guardian of this child.
        GuardianStillNeeded: the child would be alone on an account.
        Unavailable: the child was just bound to another account; try again.
    """
    said = written_reason("reason", reason)
    # Accounts before patients, as everywhere: whoever unbinds another guardian meanwhile waits, or is waited for.
    accounts = {binding.account_id for binding in store.live_bindings_of_patient(connection, child_id)}
    for account_id in sorted(accounts):
        store.lock_account(connection, account_id)
    people = store.lock_patients(connection, [child_id, guardian_id])
    if not store.delete_guardianship(connection, child_id=child_id, guardian_id=guardian_id):
        raise NotFound("guardian", "guardian_id")
    bindings = store.live_bindings_of_patient(connection, child_id)
    if not accounts.issuperset(binding.account_id for binding in bindings):
        raise Unavailable("patients")
    alone = _alone(connection, child_id, bindings)
    if alone and is_child(people[child_id].birth_day, today=day_of(now_us), policy=policy):
        raise GuardianStillNeeded("guardian_id")
    store.drop_guard(connection, [binding.id for binding in alone])
    edit = PatientEdit(
        patient_id=child_id,
        field=GUARDIAN,
        old_sealed=vault.seal(guardian_id, purpose=GUARDIAN),
        new_sealed=vault.seal("", purpose=GUARDIAN),
        reason=said,
        staff_id=staff_id,
        account_id=None,
        at_us=now_us,
    )
    records.insert_edit(connection, edit)
    event = Event(
        at_us=now_us,
        kind="guardian_removed",
        channel=WINDOW,
        patient_id=child_id,
        staff_id=staff_id,
        detail={"guardian_id": guardian_id},
    )
    event_log.append(connection, [event])


def _alone(connection: Connection, child_id: str, bindings: list[Binding]) -> list[Binding]:
    """The child's bindings that need a guardian on their account and have none."""
    guardians = {bond.guardian_id for bond in store.guardianships_of(connection, [child_id])}
    alone = []
    for binding in bindings:
        mine = store.bindings_of_account(connection, binding.account_id)
        here = {b.patient_id for b in mine if b.unbound_at_us is None}
        if binding.guarded and guardians.isdisjoint(here):
            alone.append(binding)
    return alone
