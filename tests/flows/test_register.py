"""Registering: one document, one patient, for ever; accounts within their caps; nothing learned by guessing."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import func, select

from flows.people import (
    ADULT_BORN,
    CHILD_BORN,
    NOW_US,
    POLICY,
    VAULT,
    assert_sound,
    new_account,
    person,
    register,
    verified,
)
from shouhao.flows.guardians import add_guardian
from shouhao.flows.register import account_of_phone, unbind_patient
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients import store
from shouhao.patients.model import (
    AlreadyBound,
    BindingTooSoon,
    CannotRegister,
    GuardianNeeded,
    GuardianNotAble,
    GuardianStillNeeded,
    PatientView,
    TooManyGuardians,
    TooManyPatients,
)
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.standing import AccountClosed, PatientUnknown
from shouhao.patients.tables import accounts, bindings, patients
from shouhao.store import event_log, policies
from shouhao.store.engine import Database


def views(db: Database, account_id: str) -> list[PatientView]:
    with db.read() as connection:
        return store.patients_of(connection, account_id, policy=POLICY, now_us=NOW_US)


def unbind(db: Database, account_id: str, patient_id: str, *, now_us: int = NOW_US) -> None:
    with db.write() as connection:
        unbind_patient(
            connection, account_id=account_id, patient_id=patient_id, channel="app", policy=POLICY, now_us=now_us
        )


def kinds(db: Database) -> Counter[str]:
    with db.read() as connection:
        return Counter(row["kind"] for rows in event_log.read(connection) for row in rows)


def count(db: Database, table) -> int:
    with db.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_phone_has_one_account_however_it_is_typed(db: Database) -> None:
    first = new_account(db, 13800)
    with db.write() as connection:
        again = account_of_phone(connection, vault=VAULT, phone="+86 138 0001 3800", channel="web", now_us=NOW_US)
    assert again.id == first
    assert kinds(db) == {"account_registered": 1}


def test_a_registered_patient_is_shown_masked_and_stored_sealed(db: Database) -> None:
    account = new_account(db)
    registration = register(db, account, person("张三丰"), relation="self")
    (view,) = views(db, account)
    assert (view.name_masked, view.phone_masked, view.verification) == ("张**", "139****9000", "pending")
    assert view.document_masked.startswith("110***********")
    assert view.hot_from_us == registration.hot_from_us == NOW_US + 72 * 3600 * 1_000_000
    with db.read() as connection:
        row = connection.execute(select(patients)).one()
        stored = " ".join(str(value) for value in row)
        exported = str(list(event_log.read(connection)))
    for secret in ("张三丰", person().document_number, "13900139000"):
        assert secret not in stored + exported
    assert kinds(db) == {"account_registered": 1, "patient_registered": 1, "patient_bound": 1}


def test_a_known_document_with_the_right_name_is_bound_and_nothing_of_it_changes(db: Database) -> None:
    first = register(db, new_account(db, 1), person())
    with db.read() as connection:
        before = connection.execute(select(patients)).one()
    second = register(db, new_account(db, 2), replace(person(), phone="13700137000"))
    assert (second.patient_id, second.created) == (first.patient_id, False)
    with db.read() as connection:
        assert connection.execute(select(patients)).one() == before


def test_a_wrong_name_for_a_known_document_learns_nothing_and_leaves_nothing(db: Database) -> None:
    register(db, new_account(db, 1), person("张三"))
    other = new_account(db, 2)
    with pytest.raises(CannotRegister) as caught:
        register(db, other, person("李四"))
    assert (caught.value.field, dict(caught.value.data)) == (None, {})
    assert (count(db, patients), count(db, bindings)) == (1, 1)


def test_a_passport_with_another_birth_day_is_refused_in_the_same_words(db: Database) -> None:
    given = replace(
        person(), document_kind="passport", document_number="E12345678", birth_day=date(1980, 1, 1), sex="male"
    )
    register(db, new_account(db, 1), given)
    with pytest.raises(CannotRegister):
        register(db, new_account(db, 2), replace(given, birth_day=date(1981, 1, 1)))


def test_a_permit_and_its_reissue_are_one_person(db: Database) -> None:
    given = replace(person(), document_kind="hk_macau_permit", document_number="H1234567801", birth_day=ADULT_BORN)
    first = register(db, new_account(db, 1), given)
    assert register(db, new_account(db, 2), replace(given, document_number="H12345678")).patient_id == first.patient_id


def test_binding_twice_is_refused_and_after_unbinding_the_hot_age_starts_again(db: Database) -> None:
    account = new_account(db)
    patient_id = register(db, account, person()).patient_id
    with pytest.raises(AlreadyBound):
        register(db, account, person())
    unbind(db, account, patient_id)
    assert views(db, account) == []
    with pytest.raises(PatientUnknown):
        unbind(db, account, patient_id)
    register(db, account, person(), now_us=NOW_US + DAY_US)
    assert views(db, account)[0].bound_at_us == NOW_US + DAY_US
    assert kinds(db)["patient_unbound"] == 1


def test_an_account_has_a_cap_and_a_cooling_time(db: Database) -> None:
    account = new_account(db)
    for order in range(3):
        register(db, account, person(order=order))
    with pytest.raises(BindingTooSoon):
        register(db, account, person(order=3), now_us=NOW_US + DAY_US - 1)
    register(db, account, person(order=3), now_us=NOW_US + DAY_US)
    register(db, account, person(order=4), now_us=NOW_US + 2 * DAY_US)
    with pytest.raises(TooManyPatients) as caught:
        register(db, account, person(order=5), now_us=NOW_US + 9 * DAY_US)
    assert "5" in caught.value.says("zh")


def test_no_account_and_a_closed_account_bind_nobody(db: Database) -> None:
    with pytest.raises(NotFound):
        register(db, "ac_nobody", person())
    account = new_account(db)
    with db.write() as connection:
        connection.execute(accounts.update().values(active=False))
    with pytest.raises(AccountClosed):
        register(db, account, person())
    assert count(db, patients) == 0


def test_the_hospital_sets_the_policy_as_data(db: Database) -> None:
    with db.write() as connection:
        policies.add(
            connection,
            "binding",
            {"max_patients_per_account": 1},
            effective_at_us=NOW_US,
            staff_id=None,
            reason="x",
            now_us=0,
        )
    with db.read() as connection:
        assert store.binding_policy(connection, now_us=NOW_US - 1) == BindingPolicy()
        assert store.binding_policy(connection, now_us=NOW_US).max_patients_per_account == 1


def test_a_child_needs_a_guardian_who_is_adult_verified_and_here(db: Database) -> None:
    account, other = new_account(db, 1), new_account(db, 2)
    child = person("张小", born=CHILD_BORN)
    with pytest.raises(GuardianNeeded):
        register(db, account, child, relation="child")
    unconfirmed = register(db, account, person("李四", order=2)).patient_id
    with pytest.raises(GuardianNotAble):
        register(db, account, child, relation="child", guardian_id=unconfirmed)
    elsewhere = verified(db, other, person("王五", order=3))
    with pytest.raises(PatientUnknown):
        register(db, account, child, relation="child", guardian_id=elsewhere)
    guardian = verified(db, account, person("张三", order=4), relation="self")
    child_id = register(db, account, child, relation="child", guardian_id=guardian).patient_id
    (shown,) = [view for view in views(db, account) if view.patient_id == child_id]
    assert (shown.needs_guardian, shown.guardian_ids) == (True, (guardian,))
    with pytest.raises(GuardianStillNeeded):
        unbind(db, account, guardian)
    assert_sound(db)
    unbind(db, account, child_id)
    unbind(db, account, guardian)
    assert_sound(db)


def test_a_child_who_came_of_age_no_longer_holds_the_guardian(db: Database) -> None:
    account = new_account(db)
    guardian = verified(db, account, person(), relation="self")
    child = register(
        db, account, person("张小", born=date(2008, 3, 3)), relation="child", guardian_id=guardian
    ).patient_id
    with pytest.raises(GuardianStillNeeded):
        unbind(db, account, guardian)
    unbind(db, account, guardian, now_us=NOW_US + DAY_US)
    assert [view.patient_id for view in views(db, account)] == [child]
    assert_sound(db)


def test_a_child_has_two_guardians_and_no_third(db: Database) -> None:
    account = new_account(db)
    father, mother, uncle = (
        verified(db, account, person(name, order=n)) for n, name in enumerate(("甲乙", "丙丁", "戊己"))
    )
    child = register(
        db, account, person("张小", born=CHILD_BORN), relation="child", guardian_id=father, now_us=NOW_US + DAY_US
    ).patient_id

    def add(guardian: str) -> None:
        with db.write() as connection:
            add_guardian(
                connection,
                account_id=account,
                channel="app",
                child_id=child,
                guardian_id=guardian,
                policy=POLICY,
                now_us=NOW_US + DAY_US,
            )

    add(mother)
    add(mother)
    with pytest.raises(TooManyGuardians):
        add(uncle)
    with pytest.raises(InvalidInput):
        _grown_child(db, account, father, mother)
    unbind(db, account, father)
    with pytest.raises(GuardianStillNeeded):
        unbind(db, account, mother)
    assert kinds(db)["guardian_bound"] == 2
    assert_sound(db)


def _grown_child(db: Database, account: str, child: str, guardian: str) -> None:
    with db.write() as connection:
        add_guardian(
            connection,
            account_id=account,
            channel="app",
            child_id=child,
            guardian_id=guardian,
            policy=POLICY,
            now_us=NOW_US,
        )


def test_eight_who_register_one_document_at_once_make_one_patient(db: Database) -> None:
    ids = [new_account(db, n) for n in range(8)]
    start = threading.Barrier(8)
    made: list[tuple[str, bool]] = []
    failed: list[Exception] = []

    def go(account: str) -> None:
        try:
            start.wait()
            registration = register(db, account, person())
            made.append((registration.patient_id, registration.created))
        except Exception as error:  # noqa: BLE001 - whatever it was, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=go, args=(account,)) for account in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len({patient_id for patient_id, _ in made}) == 1
    assert sum(created for _, created in made) == 1
    assert (count(db, patients), count(db, bindings)) == (1, 8)


def test_one_account_from_eight_threads_keeps_its_cap(db: Database) -> None:
    account = new_account(db)
    policy = BindingPolicy(max_patients_per_account=3, bindings_without_cooling=100)
    start = threading.Barrier(8)
    refused: list[Exception] = []

    def go(order: int) -> None:
        start.wait()
        try:
            register(db, account, person(order=order), policy=policy)
        except TooManyPatients as error:
            refused.append(error)

    threads = [threading.Thread(target=go, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), count(db, bindings)) == (5, 3)
