"""Attack: a kept place for somebody it is not kept for: a typed age, another's paper, an old one, a friend inside."""

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from flows.people import NOW_US, POLICY, VAULT, new_account, person, register, verified
from hospital import dump, rows
from shouhao.flows.care import PaperSeen, record_care_proof, revoke_care_proof
from shouhao.flows.edit import OnlyAtWindow, correct_by_owner, edit_by_staff
from shouhao.flows.review import decide_review, submit_photo
from shouhao.flows.verify import verify_at_window
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.kernel.errors import InvalidInput
from shouhao.patients.care import CareProofExists
from shouhao.patients.care_store import care_grounds
from shouhao.patients.tables import care_proofs, patients
from shouhao.store.engine import open_database

TODAY = day_of(NOW_US)
OLD = date(1950, 1, 1)
PAPER = PaperSeen(kind="disabled", proof="disability_certificate")
PREGNANT = PaperSeen(kind="pregnant", proof="maternity_record", valid_until=TODAY + timedelta(days=280))


def ground(db, patient_id, *, now_us=NOW_US):
    with db.read() as connection:
        return care_grounds(connection, [patient_id], today=day_of(now_us)).get(patient_id)


def record(db, patient_id, paper=PAPER, *, staff_id="st-1", now_us=NOW_US):
    with db.write() as connection:
        return record_care_proof(
            connection, vault=VAULT, staff_id=staff_id, patient_id=patient_id, paper=paper, now_us=now_us
        )


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error):
        act()
    assert dump(db) == before


def traveller(born=OLD):
    return replace(person("John Smith"), document_kind="passport", document_number="E1234567", birth_day=born)


def test_an_age_that_was_typed_beside_a_passport_opens_nothing(db):
    account_id = new_account(db)
    patient_id = verified(db, account_id, traveller())  # an authority is asked about name and number only
    assert ground(db, patient_id) is None
    with db.write() as connection:
        unsure = {"verification": "pending", "verified_by": None, "verified_at_us": None}
        connection.execute(update(patients).values(**unsure))
    with db.write() as connection:
        review = submit_photo(
            connection,
            vault=VAULT,
            account_id=account_id,
            channel="web",
            patient_id=patient_id,
            photo=b"\xff\xd8\xff" + bytes(100),
            now_us=NOW_US,
        )
    with db.write() as connection:
        decide_review(connection, staff_id="st-1", review_id=review.id, approve=True, reason="清晰", now_us=NOW_US)
    assert ground(db, patient_id) is None  # the reviewer is not shown the birth day either
    with db.write() as connection:
        verify_at_window(connection, staff_id="st-1", patient_id=patient_id, reason="已见护照", now_us=NOW_US)
    assert ground(db, patient_id) == "aged"


def test_an_old_mans_number_opens_nothing_before_anybody_confirmed_him(db):
    patient_id = register(db, new_account(db), person(born=OLD)).patient_id
    assert ground(db, patient_id) is None
    assert ground(db, verified(db, new_account(db, 2), person("李四", born=OLD, order=3))) == "aged"


@pytest.mark.parametrize("field", ["birth_day", "sex"])
def test_an_account_does_not_make_its_patient_older_or_a_woman(db, field):
    account_id = new_account(db)
    patient_id = register(db, account_id, traveller(date(1990, 1, 1))).patient_id

    def correct():
        with db.write() as connection:
            correct_by_owner(
                connection,
                vault=VAULT,
                account_id=account_id,
                patient_id=patient_id,
                field=field,
                value={"birth_day": OLD.isoformat(), "sex": "female"}[field],
                policy=POLICY,
                now_us=NOW_US,
            )

    refused(db, (InvalidInput, OnlyAtWindow), correct)


def test_a_paper_helps_nobody_but_the_person_it_was_recorded_for(db):
    account_id = new_account(db)
    mother = verified(db, account_id, person("王芳", order=2))
    other = verified(db, account_id, person(order=4))
    record(db, mother, PREGNANT)
    assert (ground(db, mother), ground(db, other)) == ("pregnant", None)


def test_a_pregnancy_is_not_kept_alive_by_a_day_too_far_away(db):
    mother = verified(db, new_account(db), person("王芳", order=2))
    endless = replace(PREGNANT, valid_until=TODAY + timedelta(days=301))
    refused(db, InvalidInput, lambda: record(db, mother, endless))
    refused(db, InvalidInput, lambda: record(db, mother, replace(PREGNANT, valid_until=None)))
    record(db, mother, PREGNANT)
    assert ground(db, mother, now_us=NOW_US + 280 * DAY_US) == "pregnant"
    assert ground(db, mother, now_us=NOW_US + 281 * DAY_US) is None


def test_a_friend_at_the_window_records_no_pregnancy_of_a_man_or_a_grandmother(db):
    account_id = new_account(db)
    man = verified(db, account_id, person(order=1))
    grandmother = verified(db, account_id, person("李梅", born=date(1960, 1, 1), order=2))
    for patient_id in (man, grandmother):
        refused(db, InvalidInput, lambda patient_id=patient_id: record(db, patient_id, PREGNANT))


def test_whoever_records_and_revokes_leaves_a_name_a_reason_and_an_event(db):
    patient_id = verified(db, new_account(db), person())
    proof_id = record(db, patient_id, staff_id="st-friend")
    with db.write() as connection:
        revoke_care_proof(connection, staff_id="st-other", proof_id=proof_id, reason="证件系伪造", now_us=NOW_US)
    (row,) = rows(db, care_proofs)
    assert (row["staff_id"], row["revoked_by"], row["revoke_reason"]) == ("st-friend", "st-other", "证件系伪造")
    assert ground(db, patient_id) is None


def test_staff_who_make_somebody_older_are_named_for_it(db):
    patient_id = verified(db, new_account(db), traveller(date(1990, 1, 1)))
    with db.write() as connection:
        edit_by_staff(
            connection,
            vault=VAULT,
            staff_id="st-friend",
            patient_id=patient_id,
            field="birth_day",
            value=OLD.isoformat(),
            reason="护照为证",
            policy=POLICY,
            now_us=NOW_US,
        )
    assert ground(db, patient_id) == "aged"
    assert rows(db, patients)[0]["verified_by"] == "window"
    resident = verified(db, new_account(db, 2), person())
    with pytest.raises(InvalidInput), db.write() as connection:
        edit_by_staff(
            connection,
            vault=VAULT,
            staff_id="st-friend",
            patient_id=resident,
            field="birth_day",
            value=OLD.isoformat(),
            reason="口述",
            policy=POLICY,
            now_us=NOW_US,
        )


def test_two_windows_at_once_record_one_proof(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(3)]
    db = databases[0]
    patient_id = verified(db, new_account(db), person())
    said, started = [], threading.Barrier(6)

    def window(n):
        started.wait()
        try:
            record(databases[n % 3], patient_id, staff_id=f"st-{n}")
        except CareProofExists:
            said.append("exists")
        else:
            said.append("recorded")

    threads = [threading.Thread(target=window, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["exists"] * 5 + ["recorded"]
    assert len(rows(db, care_proofs)) == 1
    for each in databases:
        each.close()
