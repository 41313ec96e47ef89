"""One person, two documents: found by name and birth day, unless both are resident IDs or staff said they are two."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from flows.people import ADULT_BORN, NOW_US, POLICY, VAULT, new_account, person, register, verified
from hospital import add_people, dump, events, rows
from shouhao.flows.at_window import register_at_window
from shouhao.flows.edit import correct_by_owner, edit_by_staff
from shouhao.flows.same_person import declare_apart, hash_known_people
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients.same_person import same_person
from shouhao.patients.store import person_hash
from shouhao.patients.tables import patients, people_apart
from shouhao.settings import Settings
from shouhao.store.vault import Vault
from shouhao.wiring import assemble


def passport(name="张三", number="E1234567", *, born=ADULT_BORN):
    return replace(person(name), document_kind="passport", document_number=number, birth_day=born)


def arrive(db, given):
    with db.write() as connection:
        return register_at_window(
            connection, vault=VAULT, staff_id="st-1", person=given, reason="已见本人", policy=POLICY, now_us=NOW_US
        )


def same(db, *patient_ids):
    with db.read() as connection:
        return same_person(connection, patient_ids)


def apart(db, one, other, *, reason="已见两人"):
    with db.write() as connection:
        declare_apart(connection, staff_id="st-9", patient_id=one, other_id=other, reason=reason, now_us=NOW_US)


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error) as caught:
        act()
    assert dump(db) == before
    return caught.value


def test_an_id_card_and_a_passport_of_one_name_and_birth_day_are_one_person(db):
    card, book = arrive(db, person()), arrive(db, passport())
    stranger = arrive(db, person("李四", order=2))
    assert same(db, card, stranger) == {card: {book}}
    assert same(db, book) == {book: {card}}
    assert same(db, card, book) == {card: {book}, book: {card}}
    assert same(db) == same(db, "pt_nobody") == {}


def test_whom_an_account_registers_is_found_as_well(db):
    account_id = new_account(db)
    card = register(db, account_id, person()).patient_id
    book = register(db, account_id, passport()).patient_id
    assert same(db, card) == {card: {book}}


def test_two_id_cards_are_two_people_however_equal_the_rest(db):
    first, second = arrive(db, person(order=1)), arrive(db, person(order=3))
    assert same(db, first, second) == {}
    book = arrive(db, passport())
    assert same(db, first, book) == {first: {book}, book: {first, second}}


def test_two_documents_of_which_none_is_an_id_card_are_one_person(db):
    old, new = arrive(db, passport("John Smith", "E1234567")), arrive(db, passport("JOHN-SMITH", "E7654321"))
    permit = replace(person("John Smith"), document_kind="taiwan_permit", document_number="12345678")
    card = arrive(db, replace(permit, birth_day=ADULT_BORN))
    assert same(db, old) == {old: {new, card}}


def test_another_birth_day_or_name_is_another_person(db):
    card = arrive(db, person())
    arrive(db, passport(born=date(1985, 6, 2)))
    arrive(db, passport("张山", "E7654321"))
    arrive(db, passport("Zhang San", "E1111111"))  # not found to be the same: a limit that is written down
    assert same(db, card) == {}


def test_an_edit_at_the_window_finds_and_loses_the_other(db):
    card, book = arrive(db, person()), arrive(db, passport("张山", born=date(1985, 6, 2)))

    def edit(field, value):
        with db.write() as connection:
            edit_by_staff(
                connection,
                vault=VAULT,
                staff_id="st-1",
                patient_id=book,
                field=field,
                value=value,
                reason="护照为证",
                policy=POLICY,
                now_us=NOW_US,
            )

    edit("name", "张三")
    assert same(db, card) == {}
    edit("birth_day", "1985-06-01")
    assert same(db, card) == {card: {book}}
    edit("phone", "13700137000")
    edit("sex", "male")
    assert same(db, card) == {card: {book}}
    edit("name", "张山")
    assert same(db, card) == {}


def test_a_correction_by_the_account_does_not_hide_the_other(db):
    account_id = new_account(db)
    card = verified(db, account_id, person())
    book = register(db, account_id, passport("张山")).patient_id
    with db.write() as connection:
        correct_by_owner(
            connection,
            vault=VAULT,
            account_id=account_id,
            patient_id=book,
            field="name",
            value="张三",
            policy=POLICY,
            now_us=NOW_US,
        )
    assert same(db, book) == {book: {card}}


@pytest.mark.parametrize("turned", [False, True])
def test_two_whom_staff_saw_are_two(db, turned):
    card, book, third = arrive(db, person()), arrive(db, passport()), arrive(db, passport(number="E7654321"))
    apart(db, *((book, card) if turned else (card, book)))
    assert same(db, card, book) == {card: {third}, book: {third}}
    (row,) = rows(db, people_apart)
    assert (row["patient_a"], row["patient_b"]) == tuple(sorted([card, book]))
    assert (row["staff_id"], row["reason"], row["at_us"]) == ("st-9", "已见两人", NOW_US)
    (said,) = events(db, "people_declared_apart")
    one, other = (book, card) if turned else (card, book)
    assert (said["patient_id"], said["staff_id"], said["detail"]) == (one, "st-9", f'{{"other_patient_id":"{other}"}}')


def test_only_two_who_are_taken_for_one_are_declared_apart(db):
    card, book, stranger = arrive(db, person()), arrive(db, passport()), arrive(db, person("李四", order=2))
    assert refused(db, InvalidInput, lambda: apart(db, card, book, reason=" ")).field == "reason"
    for other in (stranger, card):
        assert refused(db, InvalidInput, lambda other=other: apart(db, card, other)).field == "other_patient_id"
    assert refused(db, NotFound, lambda: apart(db, card, "pt_nobody")).field == "other_patient_id"
    assert refused(db, NotFound, lambda: apart(db, "pt_nobody", card)).field == "patient_id"
    apart(db, card, book)
    refused(db, InvalidInput, lambda: apart(db, book, card))


def test_the_database_itself_keeps_a_pair_once(db):
    one, other = sorted(p.patient_id for p in add_people(db, 2))
    row = {"staff_id": "st", "reason": "已见", "at_us": 1}
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(insert(people_apart).values(patient_a=other, patient_b=one, **row))
    with db.write() as connection:
        connection.execute(insert(people_apart).values(patient_a=one, patient_b=other, **row))
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(insert(people_apart).values(patient_a=one, patient_b=other, **row))


def test_patients_of_an_older_version_are_found_once_they_are_hashed(db):
    card, book = arrive(db, person()), arrive(db, passport())
    arrive(db, person("李四", order=2))
    before = {row["id"]: row["person_hash"] for row in rows(db, patients)}
    with db.write() as connection:
        connection.execute(update(patients).values(person_hash=None))
    assert same(db, card, book) == {}
    assert [hash_known_people(db, vault=VAULT, limit=2) for _ in range(3)] == [2, 1, 0]
    assert {row["id"]: row["person_hash"] for row in rows(db, patients)} == before
    assert same(db, card) == {card: {book}}


def test_the_worker_hashes_patients_of_an_older_version(db, db_url, tmp_path):
    card, book = arrive(db, person()), arrive(db, passport())
    with db.write() as connection:
        connection.execute(update(patients).values(person_hash=None))
    key = tmp_path / "master.key"
    key.write_bytes(b"v" * 32)  # VAULT is over this key
    key.chmod(0o600)
    system = assemble(Settings(database_url=db_url, data_dir=tmp_path), clock=ManualClock(NOW_US))
    assert system.worker.look()["same_person"] == 2
    system.close()
    assert same(db, card) == {card: {book}}


def test_people_whose_hash_is_not_known_are_not_one(db):
    first, second = add_people(db, 2)
    with db.write() as connection:
        connection.execute(update(patients).values(document_kind="passport"))
    assert same(db, first.patient_id, second.patient_id) == {}


@given(st.sampled_from(["John Smith", "Anne-Marie O'Neil", "阿依古丽·买买提"]), st.sampled_from(" -.·"))
def test_marks_and_case_do_not_tell_names_apart(name, mark):
    typed = name.upper().replace(" ", mark).replace("·", mark)
    assert person_hash(VAULT, typed, ADULT_BORN) == person_hash(VAULT, name, ADULT_BORN)
    assert person_hash(VAULT, name + "n", ADULT_BORN) != person_hash(VAULT, name, ADULT_BORN)
    assert person_hash(Vault(b"w" * 32), name, ADULT_BORN) != person_hash(VAULT, name, ADULT_BORN)
