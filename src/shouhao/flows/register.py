"""Register: a person becomes a patient once, for ever, and accounts come and go that act for them.

Whoever names a known document with the right name is bound to the same patient; nothing of the stored person is
changed, and a wrong name learns nothing. Locks: the account, then the patients by id.
"""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from shouhao.flows.guardians import answer_for, guardian_of_account
from shouhao.kernel.clock import SECOND_US, day_of
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.patients import store
from shouhao.patients.documents import read_document
from shouhao.patients.model import (
    Account,
    AlreadyBound,
    Binding,
    CannotRegister,
    GuardianNeeded,
    GuardianStillNeeded,
    Patient,
    check_caps,
    check_relation,
    is_child,
    known_relation,
)
from shouhao.patients.phones import canonical_phone
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.standing import AccountClosed, PatientUnknown
from shouhao.patients.store import NewPatient
from shouhao.patients.texts import person_name, same_name
from shouhao.store import event_log
from shouhao.store.vault import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonGiven:
    """A person as somebody typed them, nothing checked yet."""

    name: str
    document_kind: str
    document_number: str
    phone: str
    birth_day: date | None = None  #: needed where the number does not say it
    sex: str | None = None

    def __repr__(self) -> str:
        """Nothing of the person: this may end in a traceback."""
        return f"PersonGiven(document_kind={self.document_kind!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What came of registering."""

    patient_id: str
    binding_id: str
    created: bool  #: the document was not known before
    verification: str
    hot_from_us: int  #: from when on hot sessions may be booked this way


def account_of_phone(connection: Connection, *, vault: Vault, phone: str, channel: str, now_us: int) -> Account:
    """The account of a phone that just proved itself; made on its first time.

    Raises:
        InvalidInput: not a mobile number.
        AccountClosed: it was switched off.
    """
    canonical = canonical_phone("phone", phone)
    account, created = store.find_or_create_account(connection, vault=vault, phone=canonical, now_us=now_us)
    if not account.active:
        raise AccountClosed
    if created:
        event = Event(at_us=now_us, kind="account_registered", channel=channel, account_id=account.id)
        event_log.append(connection, [event])
    return account


def check_person(given: PersonGiven, *, policy: BindingPolicy, now_us: int) -> NewPatient:
    """Check everything that can be checked without the database.

    Raises:
        InvalidInput: the field and the rule it breaks.
    """
    name = person_name("name", given.name)
    document = read_document(
        given.document_kind,
        given.document_number,
        birth_day=given.birth_day,
        sex=given.sex,
        today=day_of(now_us),
        newborn_under_years=policy.newborn_under_years,
    )
    return NewPatient(document=document, name=name, phone=canonical_phone("phone", given.phone))


def register_patient(
    connection: Connection,
    *,
    vault: Vault,
    account_id: str,
    channel: str,
    person: PersonGiven,
    relation: str,
    guardian_patient_id: str | None = None,
    policy: BindingPolicy,
    now_us: int,
) -> Registration:
    """Register a person, or find them, and bind them to an account.

    Args:
        guardian_patient_id: who answers for a child: bound to the same account, adult, verified.
    Raises:
        InvalidInput: a field breaks its rule.
        CannotRegister: the document is known, and something given does not fit it.
        Refused: a cap, the relation or the guardian; each has its own class in `patients.model`.
    """
    known = known_relation(relation)
    new = check_person(person, policy=policy, now_us=now_us)
    today = day_of(now_us)
    _lock_open_account(connection, account_id)
    mine = store.bindings_of_account(connection, account_id)
    check_caps(mine, policy=policy, now_us=now_us)
    child = is_child(new.document.birth_day, today=today, policy=policy)
    own = _own_birth_day(connection, mine)
    check_relation(known, new.document.birth_day, own_birth_day=own, child=child, today=today)
    if child and guardian_patient_id is None:
        raise GuardianNeeded("guardian_patient_id", under_years=policy.guardian_required_under_years)
    guardian_id = guardian_patient_id if child else None
    if guardian_id is not None:
        guardian_of_account(connection, account_id, guardian_id, today=today)
    created_id = store.insert_patient(connection, new, vault=vault, now_us=now_us)
    patient = _locked_patient(connection, new, vault=vault, with_id=guardian_id)
    if any(binding.patient_id == patient.id and binding.unbound_at_us is None for binding in mine):
        raise AlreadyBound
    if guardian_id is not None:
        answer_for(
            connection,
            child_id=patient.id,
            guardian_id=guardian_id,
            account_id=account_id,
            channel=channel,
            policy=policy,
            now_us=now_us,
        )
    binding = store.insert_binding(
        connection, account_id=account_id, patient_id=patient.id, relation=known, guarded=child, now_us=now_us
    )
    _append_events(connection, binding, channel=channel, created=created_id is not None)
    return Registration(
        patient_id=patient.id,
        binding_id=binding.id,
        created=created_id is not None,
        verification=patient.verification,
        hot_from_us=now_us + policy.hot_binding_age_s * SECOND_US,
    )


def unbind_patient(
    connection: Connection, *, account_id: str, patient_id: str, channel: str, policy: BindingPolicy, now_us: int
) -> None:
    """The account no longer acts for the patient; the patient stays.

    Raises:
        PatientUnknown: it is not bound to this account.
        GuardianStillNeeded: a child on this account would be without a guardian.
    """
    if store.lock_account(connection, account_id) is None:
        raise PatientUnknown("patient_id")
    live = [b for b in store.bindings_of_account(connection, account_id) if b.unbound_at_us is None]
    leaving = next((b for b in live if b.patient_id == patient_id), None)
    if leaving is None:
        raise PatientUnknown("patient_id")
    _check_children_stay_guarded(connection, [b for b in live if b is not leaving], today=day_of(now_us), policy=policy)
    store.end_binding(connection, leaving.id, now_us=now_us)
    event = Event(at_us=now_us, kind="patient_unbound", channel=channel, account_id=account_id, patient_id=patient_id)
    event_log.append(connection, [event])


def _lock_open_account(connection: Connection, account_id: str) -> None:
    account = store.lock_account(connection, account_id)
    if account is None:
        raise NotFound("account", "account_id")
    if not account.active:
        raise AccountClosed


def _own_birth_day(connection: Connection, mine: list[Binding]) -> date | None:
    own = next((b.patient_id for b in mine if b.relation == "self" and b.unbound_at_us is None), None)
    person = None if own is None else store.find_patient(connection, own)
    return None if person is None else person.birth_day


def _locked_patient(connection: Connection, new: NewPatient, *, vault: Vault, with_id: str | None) -> Patient:
    """The one patient of the document, locked together with the guardian, if it is the person who was given."""
    found = store.find_patient_by_document(connection, vault=vault, document=new.document)
    if found is None:
        raise CannotRegister
    wanted = [found.id] if with_id is None else [found.id, with_id]
    patient = store.lock_patients(connection, wanted)[found.id]
    same = same_name(store.open_name(patient, vault), new.name) and patient.birth_day == new.document.birth_day
    if not same or patient.verification == "rejected":
        raise CannotRegister
    return patient


def _check_children_stay_guarded(
    connection: Connection, staying: list[Binding], *, today: date, policy: BindingPolicy
) -> None:
    guarded = {b.patient_id: b for b in staying if b.guarded}
    if not guarded:
        return
    here = {b.patient_id for b in staying}
    kept = {bond.child_id for bond in store.guardianships_of(connection, guarded) if bond.guardian_id in here}
    alone = guarded.keys() - kept
    people = store.lock_patients(connection, alone)
    if any(is_child(person.birth_day, today=today, policy=policy) for person in people.values()):
        raise GuardianStillNeeded("patient_id")
    store.drop_guard(connection, [guarded[patient_id].id for patient_id in alone])


def _append_events(connection: Connection, binding: Binding, *, channel: str, created: bool) -> None:
    events = [
        Event(
            at_us=binding.bound_at_us,
            kind="patient_bound",
            channel=channel,
            account_id=binding.account_id,
            patient_id=binding.patient_id,
            detail={"relation": binding.relation, "guarded": binding.guarded},
        )
    ]
    if created:
        events.insert(
            0,
            Event(
                at_us=binding.bound_at_us,
                kind="patient_registered",
                channel=channel,
                account_id=binding.account_id,
                patient_id=binding.patient_id,
            ),
        )
    event_log.append(connection, events)
