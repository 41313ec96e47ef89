"""Store: the SQL of accounts, patients, bindings and guardians, and what must hold of them.

Names, numbers and phones go in sealed and are found by keyed hash. Locks are taken in one order everywhere: the
account, then patients by id. What was looked at and decided about a patient is in records.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, text, update
from sqlalchemy.engine import CursorResult

from shouhao.kernel.clock import SECOND_US, day_of
from shouhao.kernel.ids import new_id
from shouhao.patients.documents import Document
from shouhao.patients.model import Account, Binding, Guardianship, Patient, PatientView
from shouhao.patients.phones import mask_phone
from shouhao.patients.policy import KIND, MOST_GUARDIANS, BindingPolicy, binding_from
from shouhao.patients.tables import accounts, bindings, guardianships, patients
from shouhao.patients.texts import mask_name, name_key
from shouhao.store import policies
from shouhao.store.invariants import Invariant
from shouhao.store.policies import PolicyVersion
from shouhao.store.vault import Vault

NAME, DOCUMENT, PHONE = "name", "document", "phone"  #: what the vault seals each text for
PERSON = "person"  #: what it hashes a name with a birth day for


def binding_policy(connection: Connection, *, now_us: int) -> BindingPolicy:
    """The binding policy in force, or the defaults when the hospital has set none."""
    return binding_of(policies.effective(connection, KIND, now_us=now_us))


def binding_of(kept: PolicyVersion | None) -> BindingPolicy:
    """The binding policy that a kept version says, or the defaults."""
    return BindingPolicy() if kept is None else binding_from(kept.body)


# Accounts


def find_or_create_account(connection: Connection, *, vault: Vault, phone: str, now_us: int) -> tuple[Account, bool]:
    """The account of a phone, and whether it is new. Two at once get the same one.

    Args:
        phone: in canonical form.
    """
    phone_hash = vault.hash(phone, purpose=PHONE)
    created = _insert_unless_known(
        connection,
        "accounts",
        "phone_hash",
        {
            "id": new_id("ac"),
            "phone_hash": phone_hash,
            "phone_sealed": vault.seal(phone, purpose=PHONE),
            "phone_masked": mask_phone(phone),
            "active": True,
            "created_at_us": now_us,
        },
    )
    row = connection.execute(select(accounts).where(accounts.c.phone_hash == phone_hash)).one()
    return _account(row), created


def find_account(connection: Connection, account_id: str) -> Account | None:
    """An account by its id."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).one_or_none()
    return None if row is None else _account(row)


def lock_account(connection: Connection, account_id: str) -> Account | None:
    """An account that nobody else binds to until the unit of work ends."""
    found = select(accounts).where(accounts.c.id == account_id).with_for_update(key_share=True)
    row = connection.execute(found).one_or_none()
    return None if row is None else _account(row)


# Patients


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPatient:
    """A person as they were given, checked and in normal form."""

    document: Document
    name: str
    phone: str


def insert_patient(connection: Connection, new: NewPatient, *, vault: Vault, now_us: int) -> str | None:
    """The new patient's id, or None when the document is known. Waits for another who registers it right now."""
    patient_id = new_id("pt")
    document = new.document
    inserted = _insert_unless_known(
        connection,
        "patients",
        "document_hash",
        {
            "id": patient_id,
            "document_kind": document.kind,
            "document_hash": document_hash(vault, document),
            "document_sealed": vault.seal(document.number, purpose=DOCUMENT),
            "document_masked": document.masked,
            "name_sealed": vault.seal(new.name, purpose=NAME),
            "name_masked": mask_name(new.name),
            "phone_hash": vault.hash(new.phone, purpose=PHONE),
            "phone_sealed": vault.seal(new.phone, purpose=PHONE),
            "phone_masked": mask_phone(new.phone),
            "birth_day": document.birth_day.isoformat(),
            "sex": document.sex,
            "person_hash": person_hash(vault, new.name, document.birth_day),
            "verification": "pending",
            "created_at_us": now_us,
            "version": 1,
        },
    )
    return patient_id if inserted else None


def document_hash(vault: Vault, document: Document) -> str:
    """The keyed hash by which a document is found."""
    return vault.hash(document.identity, purpose=DOCUMENT)


def person_hash(vault: Vault, name: str, birth_day: date) -> str:
    """The keyed hash by which one person with two documents is found.

    Args:
        name: in normal form.
    """
    return vault.hash(f"{name_key(name)}:{birth_day.isoformat()}", purpose=PERSON)


def find_patient(connection: Connection, patient_id: str) -> Patient | None:
    """A patient by id."""
    row = connection.execute(select(patients).where(patients.c.id == patient_id)).one_or_none()
    return None if row is None else _patient(row)


def find_patient_by_document(connection: Connection, *, vault: Vault, document: Document) -> Patient | None:
    """The one patient of a document."""
    found = select(patients).where(patients.c.document_hash == document_hash(vault, document))
    row = connection.execute(found).one_or_none()
    return None if row is None else _patient(row)


def find_patients(connection: Connection, patient_ids: Iterable[str]) -> dict[str, Patient]:
    """Patients by their ids, those that exist."""
    rows = connection.execute(select(patients).where(patients.c.id.in_(sorted(set(patient_ids)))))
    return {row.id: _patient(row) for row in rows}


def find_patients_by_phone(connection: Connection, *, vault: Vault, phone: str, limit: int) -> list[Patient]:
    """The patients who left this phone, by id.

    Args:
        phone: in canonical form.
    """
    found = select(patients).where(patients.c.phone_hash == vault.hash(phone, purpose=PHONE))
    return [_patient(row) for row in connection.execute(found.order_by(patients.c.id).limit(limit))]


def lock_patients(connection: Connection, patient_ids: Iterable[str]) -> dict[str, Patient]:
    """Patients that nobody else changes until the unit of work ends, locked in the order of their ids."""
    wanted = select(patients).where(patients.c.id.in_(sorted(set(patient_ids)))).order_by(patients.c.id)
    return {row.id: _patient(row) for row in connection.execute(wanted.with_for_update(key_share=True))}


def change_patient(connection: Connection, patient_id: str, values: Mapping[str, Any]) -> None:
    """Write columns of a patient and count the change."""
    connection.execute(
        update(patients).where(patients.c.id == patient_id).values(**values, version=patients.c.version + 1)
    )


def open_name(patient: Patient, vault: Vault) -> str:
    """The name in the clear."""
    return vault.open(patient.name_sealed, purpose=NAME)


# Bindings


def bindings_of_account(connection: Connection, account_id: str) -> list[Binding]:
    """All bindings an account ever made, oldest first."""
    found = select(bindings).where(bindings.c.account_id == account_id)
    return _bindings(connection, found.order_by(bindings.c.bound_at_us, bindings.c.id))


def live_bindings_of_patient(connection: Connection, patient_id: str) -> list[Binding]:
    """Which accounts act for a patient now."""
    return _bindings(connection, _LIVE.where(bindings.c.patient_id == patient_id))


def find_live_binding(connection: Connection, account_id: str, patient_id: str) -> Binding | None:
    """The binding through which an account acts for a patient, if it does."""
    found = _bindings(connection, _LIVE.where(bindings.c.account_id == account_id, bindings.c.patient_id == patient_id))
    return found[0] if found else None


def insert_binding(
    connection: Connection, *, account_id: str, patient_id: str, relation: str, guarded: bool, now_us: int
) -> Binding:
    """Bind a patient to an account; a second live one collides on the unique index."""
    binding = Binding(
        id=new_id("bd"),
        account_id=account_id,
        patient_id=patient_id,
        relation=relation,
        guarded=guarded,
        bound_at_us=now_us,
        unbound_at_us=None,
    )
    connection.execute(
        insert(bindings).values(
            id=binding.id,
            account_id=account_id,
            patient_id=patient_id,
            relation=relation,
            guarded=guarded,
            bound_at_us=now_us,
        )
    )
    return binding


def end_binding(connection: Connection, binding_id: str, *, now_us: int) -> None:
    """The account no longer acts for the patient."""
    connection.execute(update(bindings).where(bindings.c.id == binding_id).values(unbound_at_us=now_us))


def drop_guard(connection: Connection, binding_ids: Iterable[str]) -> None:
    """These have come of age: their bindings no longer need a guardian."""
    connection.execute(update(bindings).where(bindings.c.id.in_(list(binding_ids))).values(guarded=False))


# Guardians


def guardianships_of(connection: Connection, child_ids: Iterable[str]) -> list[Guardianship]:
    """Who answers for these children."""
    return _guardianships(connection, guardianships.c.child_id.in_(list(child_ids)))


def children_of(connection: Connection, guardian_id: str) -> list[Guardianship]:
    """For whom somebody answers."""
    return _guardianships(connection, guardianships.c.guardian_id == guardian_id)


def insert_guardianship(connection: Connection, *, child_id: str, guardian_id: str, now_us: int) -> Guardianship:
    """Record that an adult answers for a child."""
    bond = Guardianship(id=new_id("gs"), child_id=child_id, guardian_id=guardian_id, bound_at_us=now_us)
    connection.execute(
        insert(guardianships).values(id=bond.id, child_id=child_id, guardian_id=guardian_id, bound_at_us=now_us)
    )
    return bond


def delete_guardianship(connection: Connection, *, child_id: str, guardian_id: str) -> bool:
    """Somebody no longer answers for a child; False when they did not."""
    gone = delete(guardianships).where(guardianships.c.child_id == child_id, guardianships.c.guardian_id == guardian_id)
    return connection.execute(gone).rowcount == 1


# What is shown


def patients_of(connection: Connection, account_id: str, *, policy: BindingPolicy, now_us: int) -> list[PatientView]:
    """The patients an account acts for, masked, in the order they were bound."""
    live = [binding for binding in bindings_of_account(connection, account_id) if binding.unbound_at_us is None]
    if not live:
        return []
    ids = [binding.patient_id for binding in live]
    found = connection.execute(select(patients).where(patients.c.id.in_(ids)))
    people = {row.id: _patient(row) for row in found}
    guardians: dict[str, list[str]] = {}
    for bond in guardianships_of(connection, ids):
        if bond.guardian_id in people:
            guardians.setdefault(bond.child_id, []).append(bond.guardian_id)
    today = day_of(now_us)
    return [
        _view(binding, people[binding.patient_id], guardians.get(binding.patient_id, ()), policy, today)
        for binding in live
    ]


def _view(
    binding: Binding, patient: Patient, guardian_ids: Iterable[str], policy: BindingPolicy, today: date
) -> PatientView:
    return PatientView(
        patient_id=patient.id,
        name_masked=patient.name_masked,
        document_kind=patient.document_kind,
        document_masked=patient.document_masked,
        phone_masked=patient.phone_masked,
        birth_day=patient.birth_day,
        sex=patient.sex,
        relation=binding.relation,
        verification=patient.verification,
        verified_by=patient.verified_by,
        bound_at_us=binding.bound_at_us,
        hot_from_us=binding.bound_at_us + policy.hot_binding_age_s * SECOND_US,
        needs_guardian=patient.age(today) < policy.guardian_required_under_years,
        guardian_ids=tuple(sorted(guardian_ids)),
    )


# Rows

_LIVE = select(bindings).where(bindings.c.unbound_at_us.is_(None)).order_by(bindings.c.id)


def _insert_unless_known(connection: Connection, table: str, unique: str, values: Mapping[str, Any]) -> bool:
    names, binds = ", ".join(values), ", ".join(f":{name}" for name in values)
    result: CursorResult[Any] = connection.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({binds}) ON CONFLICT ({unique}) DO NOTHING"), dict(values)
    )
    return result.rowcount == 1


def _account(row: Row[Any]) -> Account:
    return Account(id=row.id, phone_masked=row.phone_masked, active=bool(row.active), created_at_us=row.created_at_us)


def _patient(row: Row[Any]) -> Patient:
    return Patient(
        id=row.id,
        document_kind=row.document_kind,
        document_sealed=row.document_sealed,
        document_masked=row.document_masked,
        name_sealed=row.name_sealed,
        name_masked=row.name_masked,
        phone_sealed=row.phone_sealed,
        phone_masked=row.phone_masked,
        birth_day=date.fromisoformat(row.birth_day),
        sex=row.sex,
        verification=row.verification,
        verified_by=row.verified_by,
        version=row.version,
    )


def _bindings(connection: Connection, found: Select[Any]) -> list[Binding]:
    return [
        Binding(
            id=row.id,
            account_id=row.account_id,
            patient_id=row.patient_id,
            relation=row.relation,
            guarded=bool(row.guarded),
            bound_at_us=row.bound_at_us,
            unbound_at_us=row.unbound_at_us,
        )
        for row in connection.execute(found)
    ]


def _guardianships(connection: Connection, condition: Any) -> list[Guardianship]:
    found = select(guardianships).where(condition).order_by(guardianships.c.id)
    return [
        Guardianship(id=row.id, child_id=row.child_id, guardian_id=row.guardian_id, bound_at_us=row.bound_at_us)
        for row in connection.execute(found)
    ]


INVARIANTS = (
    Invariant(
        code="patients.child_without_guardian",
        zh="绑定在账号上的儿童，其监护人必须绑定在同一账号",
        en="a child bound to an account has a guardian bound to the same account",
        sql="""
            SELECT b.id FROM bindings b
            WHERE b.guarded AND b.unbound_at_us IS NULL AND NOT EXISTS (
              SELECT 1 FROM guardianships g
              JOIN bindings a ON a.patient_id = g.guardian_id AND a.unbound_at_us IS NULL
              WHERE g.child_id = b.patient_id AND a.account_id = b.account_id)
            """,
    ),
    Invariant(
        code="patients.guardian_is_a_child",
        zh="监护人本身不能是需要监护的儿童",
        en="a guardian does not need a guardian",
        sql="""
            SELECT g.id FROM guardianships g
            JOIN bindings b ON b.patient_id = g.guardian_id AND b.guarded AND b.unbound_at_us IS NULL
            """,
    ),
    Invariant(
        code="patients.too_many_guardians",
        zh=f"任何人的监护人不超过 {MOST_GUARDIANS} 位",
        en=f"nobody has more than {MOST_GUARDIANS} guardians",
        sql=f"SELECT child_id FROM guardianships GROUP BY child_id HAVING COUNT(*) > {MOST_GUARDIANS}",
    ),
    Invariant(
        code="patients.verified_by_nobody",
        zh="已核验的就诊人必须记录由谁、何时核验，未核验的没有",
        en="a verified patient says by whom and when; nobody else does",
        sql="""
            SELECT id FROM patients
            WHERE (verification = 'verified') <> (verified_by IS NOT NULL AND verified_at_us IS NOT NULL)
            """,
    ),
    Invariant(
        code="patients.verified_without_a_check",
        zh="已核验的就诊人必须有一条相符的核验记录",
        en="a verified patient has a check that matched",
        sql="""
            SELECT p.id FROM patients p
            WHERE p.verification = 'verified' AND NOT EXISTS (
              SELECT 1 FROM identity_checks c
              WHERE c.patient_id = p.id AND c.verdict = 'match' AND c.authority = p.verified_by)
            """,
    ),
    Invariant(
        code="patients.two_selves",
        zh="一个账号最多绑定一位本人",
        en="an account has at most one person of its own",
        sql="""
            SELECT account_id FROM bindings WHERE relation = 'self' AND unbound_at_us IS NULL
            GROUP BY account_id HAVING COUNT(*) > 1
            """,
    ),
    Invariant(
        code="patients.photo_kept",
        zh="人工审核的照片只在等待期间保存",
        en="a photo is kept while its review waits, and no longer",
        sql="""
            SELECT id FROM photo_reviews
            WHERE (state = 'waiting') <> (photo_sealed IS NOT NULL)
               OR (state = 'waiting') <> (decided_at_us IS NULL)
               OR (state <> 'waiting' AND (staff_id IS NULL OR reason IS NULL))
            """,
    ),
)
