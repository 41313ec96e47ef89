"""What staff do for people before them: register without an account, verify by seeing, take a guardian's part away."""

import threading
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import update

from flows.people import (
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
from hospital import dump, events, rows
from shouhao.flows.at_window import register_at_window, remove_guardian
from shouhao.flows.guardians import add_guardian
from shouhao.flows.register import unbind_patient
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.patients.model import DocumentKnown, GuardianNotAble, GuardianStillNeeded, TooManyGuardians
from shouhao.patients.tables import bindings, guardianships, identity_checks, patient_edits, patients
from shouhao.store.engine import open_database

CHILD = person("张小宝", born=CHILD_BORN)


def at_window(db, given, *, guardian_id=None, reason="已见本人与证件"):
    with db.write() as connection:
        return register_at_window(
            connection,
            vault=VAULT,
            staff_id="st-1",
            person=given,
            guardian_patient_id=guardian_id,
            reason=reason,
            policy=POLICY,
            now_us=NOW_US,
        )


def remove(db, child_id, guardian_id, *, reason="法院判决书", now_us=NOW_US):
    with db.write() as connection:
        remove_guardian(
            connection,
            vault=VAULT,
            staff_id="st-1",
            child_id=child_id,
            guardian_id=guardian_id,
            reason=reason,
            policy=POLICY,
            now_us=now_us,
        )


def unbind(db, account_id, patient_id):
    with db.write() as connection:
        unbind_patient(
            connection, account_id=account_id, patient_id=patient_id, channel="app", policy=POLICY, now_us=NOW_US
        )


def refused(db, error: type[Refused], act):
    before = dump(db)
    with pytest.raises(error) as caught:
        act()
    assert dump(db) == before
    return caught.value


@pytest.fixture
def house(db):
    yield db
    assert_sound(db)


def test_who_is_seen_with_the_paper_is_a_verified_patient_of_no_account(house):
    patient_id = at_window(house, person())
    (patient,) = rows(house, patients)
    assert (patient["id"], patient["verification"], patient["verified_by"]) == (patient_id, "verified", "window")
    assert rows(house, bindings) == []
    (check,) = rows(house, identity_checks)
    assert (check["staff_id"], check["reason"]) == ("st-1", "已见本人与证件")
    for kind in ("patient_registered", "patient_verified"):
        assert [(e["patient_id"], e["staff_id"], e["account_id"]) for e in events(house, kind)] == [
            (patient_id, "st-1", None)
        ]


def test_a_known_document_with_the_same_name_is_the_same_patient(house):
    patient_id = register(house, new_account(house), person()).patient_id
    again = replace(person(), phone="13700137000")
    assert at_window(house, again) == at_window(house, person()) == patient_id
    (patient,) = rows(house, patients)
    assert patient["verified_by"] == "window"
    assert VAULT.open(patient["phone_sealed"], purpose="phone") == "+8613900139000"
    assert len(events(house, "patient_registered")) == 1


def test_a_rejected_patient_who_comes_with_the_paper_is_real_after_all(house):
    register(house, new_account(house), person())
    with house.write() as connection:
        connection.execute(update(patients).values(verification="rejected"))
    at_window(house, person())
    assert rows(house, patients)[0]["verification"] == "verified"


def test_a_known_document_with_another_name_or_birth_day_changes_nothing(house):
    at_window(house, person())
    refused(house, DocumentKnown, lambda: at_window(house, person("李四")))
    foreign = replace(person(), document_kind="passport", document_number="E1234567", birth_day=date(1990, 1, 1))
    at_window(house, foreign)
    refused(house, DocumentKnown, lambda: at_window(house, replace(foreign, birth_day=date(1990, 1, 2))))


@pytest.mark.parametrize(
    ("given", "reason", "field"),
    [
        (replace(person(), name=""), "已见本人", "name"),
        (replace(person(), phone="1"), "已见本人", "phone"),
        (replace(person(), document_number="1"), "已见本人", "document.number"),
        (person(), " ", "reason"),
    ],
)
def test_the_window_keeps_every_rule_of_the_form(house, given, reason, field):
    assert refused(house, InvalidInput, lambda: at_window(house, given, reason=reason)).field == field


def test_a_child_needs_no_guardian_there_and_one_who_is_named_is_recorded(house):
    alone = at_window(house, person("王小明", born=CHILD_BORN, order=9))
    assert rows(house, guardianships) == []
    mother = at_window(house, person())
    child = at_window(house, CHILD, guardian_id=mother)
    assert at_window(house, CHILD, guardian_id=mother) == child
    (bond,) = rows(house, guardianships)
    assert (bond["child_id"], bond["guardian_id"]) == (child, mother)
    (event,) = events(house, "guardian_bound")
    assert (event["patient_id"], event["staff_id"], event["account_id"]) == (child, "st-1", None)
    refused(house, GuardianNotAble, lambda: at_window(house, CHILD, guardian_id=alone))
    refused(house, NotFound, lambda: at_window(house, CHILD, guardian_id="pt_nobody"))
    refused(house, InvalidInput, lambda: at_window(house, person(order=3), guardian_id=mother))


def test_the_cap_on_guardians_holds_at_the_window_too(house):
    for order in range(POLICY.max_guardians_per_child):
        at_window(house, CHILD, guardian_id=at_window(house, person(order=order + 1)))
    third = at_window(house, person(order=8))
    refused(house, TooManyGuardians, lambda: at_window(house, CHILD, guardian_id=third))


def family(db, *, guardians=1, n=0):
    """An account with adults who answer for a child."""
    account_id = new_account(db, n)
    ids = [verified(db, account_id, person(order=10 * n + order)) for order in range(guardians)]
    child_id = register(db, account_id, person("张小宝", born=CHILD_BORN, order=1 + n), guardian_id=ids[0]).patient_id
    for guardian_id in ids[1:]:
        with db.write() as connection:
            add_guardian(
                connection,
                account_id=account_id,
                channel="app",
                child_id=child_id,
                guardian_id=guardian_id,
                policy=POLICY,
                now_us=NOW_US,
            )
    return account_id, child_id, ids


def test_a_guardian_is_removed_with_a_reason_that_is_kept(house):
    _, child_id, (first, second) = family(house, guardians=2)
    remove(house, child_id, first)
    assert [bond["guardian_id"] for bond in rows(house, guardianships)] == [second]
    (edit,) = rows(house, patient_edits)
    assert (edit["patient_id"], edit["field"], edit["staff_id"]) == (child_id, "guardian", "st-1")
    assert (edit["reason"], VAULT.open(edit["old_sealed"], purpose="guardian")) == ("法院判决书", first)
    (event,) = events(house, "guardian_removed")
    assert (event["patient_id"], event["staff_id"], event["detail"]) == (
        child_id,
        "st-1",
        f'{{"guardian_id":"{first}"}}',
    )
    refused(house, NotFound, lambda: remove(house, child_id, first))
    refused(house, InvalidInput, lambda: remove(house, child_id, second, reason=""))


def test_a_bound_child_is_not_left_alone(house):
    account_id, child_id, (guardian_id,) = family(house)
    refused(house, GuardianStillNeeded, lambda: remove(house, child_id, guardian_id))
    elsewhere = at_window(house, person(order=5))  # a guardian who is not on the child's account does not count
    at_window(house, CHILD, guardian_id=elsewhere)
    refused(house, GuardianStillNeeded, lambda: remove(house, child_id, guardian_id))
    unbind(house, account_id, child_id)
    remove(house, child_id, guardian_id)
    assert [bond["guardian_id"] for bond in rows(house, guardianships)] == [elsewhere]


def test_who_has_come_of_age_needs_the_guardian_no_more(house):
    _, child_id, (guardian_id,) = family(house)
    remove(house, child_id, guardian_id, now_us=NOW_US + 12 * 366 * DAY_US)
    assert rows(house, guardianships) == []
    assert not any(binding["guarded"] for binding in rows(house, bindings))


def test_nobody_is_removed_who_is_no_guardian(house):
    _, child_id, (guardian_id,) = family(house)
    for one, other in ((guardian_id, child_id), (child_id, "pt_nobody"), ("pt_nobody", guardian_id)):
        refused(house, NotFound, lambda one=one, other=other: remove(house, one, other))


def test_two_guardians_who_leave_at_once_do_not_leave_the_child_alone(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(2)]
    db = databases[0]
    for n in range(6):
        account_id, child_id, (first, second) = family(db, guardians=2, n=n)
        started, said = threading.Barrier(2), []

        def leave(db, act, started=started, said=said):
            started.wait()
            try:
                act(db)
            except GuardianStillNeeded:
                said.append("stays")
            else:
                said.append("left")

        acts = (
            lambda db, ids=(child_id, first): remove(db, *ids),
            lambda db, ids=(account_id, second): unbind(db, *ids),
        )
        threads = [threading.Thread(target=leave, args=pair) for pair in zip(databases, acts, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(said) == ["left", "stays"]
        assert_sound(db)
    for each in databases:
        each.close()
