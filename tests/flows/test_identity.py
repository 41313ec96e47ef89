"""From pending to verified: the authority, the photo, the window, and what may still be edited on the way."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select

from flows.people import CHILD_BORN, NOW_US, POLICY, VAULT, assert_sound, new_account, person, register, verified
from shouhao.flows.edit import DocumentNeverEdited, OnlyAtWindow, correct_by_owner, edit_by_staff
from shouhao.flows.review import (
    NothingToReview,
    OpenedReview,
    ReviewAlreadyDecided,
    ReviewWaiting,
    decide_review,
    open_review,
    submit_photo,
)
from shouhao.flows.verify import record_verdict, start_verification, verify_at_window, verify_patient
from shouhao.kernel.errors import InvalidInput, NotFound, Tampered, Unavailable
from shouhao.patients import records, store
from shouhao.patients.authority import FormatOnlyAuthority, IdentityQuestion, Outcome, Verdict
from shouhao.patients.model import GuardianNeeded
from shouhao.patients.standing import PatientUnknown
from shouhao.patients.tables import photo_reviews
from shouhao.store import event_log
from shouhao.store.engine import Database

PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 4


class FakeAuthority:
    """Answers what it was told to, and remembers what it was asked."""

    name = "fake"
    kind = "authority"

    def __init__(self, says: Outcome | Exception) -> None:
        self.says = says
        self.asked: list[IdentityQuestion] = []

    def verify(self, question: IdentityQuestion) -> Verdict:
        self.asked.append(question)
        if isinstance(self.says, Exception):
            raise self.says
        return Verdict(outcome=self.says, signed_text=f"signed {question.nonce}")


@pytest.fixture
def account(db: Database) -> str:
    return new_account(db)


@pytest.fixture
def patient(db: Database, account: str) -> str:
    return register(db, account, person()).patient_id


def standing(db: Database, patient_id: str) -> tuple[str, str | None]:
    with db.read() as connection:
        found = store.find_patient(connection, patient_id)
    assert found is not None
    return found.verification, found.verified_by


def ask(db: Database, patient_id: str, authority: FakeAuthority | FormatOnlyAuthority, now_us: int = NOW_US) -> str:
    return verify_patient(db, vault=VAULT, authority=authority, patient_id=patient_id, now_us=now_us)


def submit(db: Database, account: str, patient: str, photo: bytes = PHOTO) -> str:
    with db.write() as connection:
        return submit_photo(
            connection,
            vault=VAULT,
            account_id=account,
            channel="web",
            patient_id=patient,
            photo=photo,
            now_us=NOW_US,
        ).id


def look(db: Database, review_id: str) -> OpenedReview:
    with db.write() as connection:
        return open_review(connection, vault=VAULT, staff_id="st_1", review_id=review_id, now_us=NOW_US)


def decide(db: Database, review_id: str, *, approve: bool) -> None:
    with db.write() as connection:
        decide_review(
            connection, staff_id="st_1", review_id=review_id, approve=approve, reason="照片清晰", now_us=NOW_US
        )


def edit(db: Database, patient: str, field: str, value: str, reason: str = "户口本更名") -> None:
    with db.write() as connection:
        edit_by_staff(
            connection,
            vault=VAULT,
            staff_id="st_1",
            patient_id=patient,
            field=field,
            value=value,
            reason=reason,
            policy=POLICY,
            now_us=NOW_US,
        )


def correct(db: Database, account: str, patient: str, field: str, value: str) -> None:
    with db.write() as connection:
        correct_by_owner(
            connection,
            vault=VAULT,
            account_id=account,
            patient_id=patient,
            field=field,
            value=value,
            policy=POLICY,
            now_us=NOW_US,
        )


def kinds(db: Database) -> list[str]:
    with db.read() as connection:
        return [row["kind"] for rows in event_log.read(connection) for row in rows]


def test_format_only_says_so(db: Database, patient: str) -> None:
    assert ask(db, patient, FormatOnlyAuthority()) == "verified"
    assert standing(db, patient) == ("verified", "format_only")
    assert_sound(db)


@pytest.mark.parametrize(
    ("says", "then"),
    [
        ("match", ("verified", "authority:fake")),
        ("mismatch", ("rejected", None)),
        ("unknown", ("in_review", None)),
    ],
)
def test_what_the_authority_says_is_applied_and_kept(
    db: Database, patient: str, says: Outcome, then: tuple[str, str | None]
) -> None:
    authority = FakeAuthority(says)
    assert ask(db, patient, authority) == then[0]
    assert standing(db, patient) == then
    (question,) = authority.asked
    assert (question.name, question.document_number) == ("张三", person().document_number)
    assert "张三" not in repr(question)
    with db.read() as connection:
        (kept,) = records.checks_of(connection, patient)
    assert (kept.verdict, kept.nonce, kept.signed_verdict) == (says, question.nonce, f"signed {question.nonce}")
    assert ask(db, patient, authority) == then[0]
    assert len(authority.asked) == 1
    assert_sound(db)


def test_an_authority_that_is_away_leaves_the_patient_pending_and_last_in_the_queue(
    db: Database, account: str, patient: str
) -> None:
    other = register(db, account, person(order=2), now_us=NOW_US + 1).patient_id
    away = FakeAuthority(Unavailable("fake"))
    assert ask(db, patient, away, NOW_US + 5) == "pending"
    assert ask(db, patient, away, NOW_US + 6) == "pending"
    with db.read() as connection:
        assert records.pending_verifications(connection, limit=10) == [other, patient]
        assert records.pending_verifications(connection, limit=1) == [other]
        assert len(records.checks_of(connection, patient)) == 1
    away.says = "match"
    assert ask(db, patient, away) == "verified"
    assert len({question.nonce for question in away.asked}) == 3


def test_a_forged_answer_is_raised_and_decides_nothing(db: Database, patient: str) -> None:
    with pytest.raises(Tampered):
        ask(db, patient, FakeAuthority(Tampered("forged")))
    assert standing(db, patient) == ("pending", None)
    with db.read() as connection:
        assert [check.verdict for check in records.checks_of(connection, patient)] == ["unavailable"]


def test_a_verdict_on_the_old_name_is_not_applied_to_the_new_one(db: Database, account: str, patient: str) -> None:
    with db.read() as connection:
        asked, _ = start_verification(connection, vault=VAULT, patient_id=patient)
    assert asked is not None
    correct(db, account, patient, "name", "李四")
    with db.write() as connection:
        said = Verdict(outcome="match")
        state = record_verdict(connection, asked=asked, by="authority:fake", verdict=said, now_us=NOW_US)
    assert state == "pending"
    assert standing(db, patient) == ("pending", None)


def test_nobody_is_verified_who_does_not_exist(db: Database) -> None:
    with pytest.raises(NotFound):
        ask(db, "pt_nobody", FormatOnlyAuthority())


def test_a_photo_is_sealed_looked_at_decided_once_and_dropped(db: Database, account: str, patient: str) -> None:
    ask(db, patient, FakeAuthority("unknown"))
    review_id = submit(db, account, patient)
    with pytest.raises(ReviewWaiting):
        submit(db, account, patient)
    with db.read() as connection:
        sealed = connection.execute(select(photo_reviews.c.photo_sealed)).scalar_one()
        assert [review.id for review in records.waiting_reviews(connection, limit=5)] == [review_id]
    assert PHOTO.hex() not in sealed
    opened = look(db, review_id)
    assert (opened.photo, opened.name, opened.birth_day.year) == (PHOTO, "张三", 1985)
    assert "张三" not in repr(opened)
    decide(db, review_id, approve=True)
    assert standing(db, patient) == ("verified", "photo_review")
    for again in (True, False):
        with pytest.raises(ReviewAlreadyDecided):
            decide(db, review_id, approve=again)
    with pytest.raises(ReviewAlreadyDecided):
        look(db, review_id)
    with db.read() as connection:
        assert connection.execute(select(photo_reviews.c.photo_sealed)).scalar_one() is None
    assert kinds(db)[-4:] == ["photo_submitted", "viewed", "photo_decided", "patient_verified"]
    with pytest.raises(NothingToReview):
        submit(db, account, patient)
    assert_sound(db)


def test_a_refused_photo_rejects_and_another_may_be_sent(db: Database, account: str, patient: str) -> None:
    decide(db, submit(db, account, patient), approve=False)
    assert standing(db, patient) == ("rejected", None)
    decide(db, submit(db, account, patient), approve=True)
    assert standing(db, patient) == ("verified", "photo_review")
    assert_sound(db)


def test_a_photo_of_somebody_elses_patient_is_refused(db: Database, patient: str) -> None:
    with pytest.raises(PatientUnknown):
        submit(db, new_account(db, 9), patient)
    with pytest.raises(InvalidInput):
        submit(db, new_account(db, 9), patient, b"GIF89a" + b"\0" * 100)
    with pytest.raises(NotFound):
        decide(db, "pr_nothing", approve=True)


def test_the_window_confirms_a_rejected_patient_and_drops_a_waiting_photo(
    db: Database, account: str, patient: str
) -> None:
    ask(db, patient, FakeAuthority("mismatch"))
    submit(db, account, patient)
    with db.write() as connection:
        verify_at_window(connection, staff_id="st_1", patient_id=patient, reason="本人到场", now_us=NOW_US)
    assert standing(db, patient) == ("verified", "window")
    with db.read() as connection:
        assert records.waiting_reviews(connection, limit=5) == []
    assert_sound(db)


def test_after_verification_only_staff_edit_and_the_window_answers_for_it(
    db: Database, account: str, patient: str
) -> None:
    ask(db, patient, FakeAuthority("match"))
    with pytest.raises(OnlyAtWindow):
        correct(db, account, patient, "name", "李四")
    with pytest.raises(InvalidInput):
        edit(db, patient, "name", "李四", reason=" ")
    edit(db, patient, "phone", "13700137000")
    assert standing(db, patient) == ("verified", "authority:fake")
    edit(db, patient, "name", "李四")
    assert standing(db, patient) == ("verified", "window")
    with db.read() as connection:
        phone, name = sorted(records.edits_of(connection, patient), key=lambda made: made.field == "name")
        found = store.find_patient(connection, patient)
    assert found is not None
    assert (VAULT.open(name.old_sealed, purpose="name"), VAULT.open(name.new_sealed, purpose="name")) == (
        "张三",
        "李四",
    )
    assert (phone.field, name.reason, name.staff_id) == ("phone", "户口本更名", "st_1")
    assert (found.name_masked, found.phone_masked) == ("李*", "137****7000")
    assert kinds(db).count("patient_edited") == 2
    assert_sound(db)


@pytest.mark.parametrize("field", ["document", "document.number", "document_kind"])
def test_the_document_is_edited_by_nobody(db: Database, account: str, patient: str, field: str) -> None:
    with pytest.raises(DocumentNeverEdited):
        edit(db, patient, field, "E12345678")
    with pytest.raises(DocumentNeverEdited):
        correct(db, account, patient, field, "E12345678")


def test_what_the_number_says_is_not_edited_apart_from_it(db: Database, patient: str) -> None:
    for field, value in (("birth_day", "1990-01-01"), ("sex", "female"), ("verification", "verified")):
        with pytest.raises(InvalidInput):
            edit(db, patient, field, value)


def test_an_edited_birth_day_cannot_leave_a_child_without_a_guardian(db: Database, account: str) -> None:
    given = replace(person(), document_kind="passport", document_number="E12345678", birth_day=date(1990, 1, 1))
    patient = register(db, account, given).patient_id
    edit(db, patient, "sex", "female")
    edit(db, patient, "birth_day", "1991-01-01")
    with pytest.raises(GuardianNeeded):
        edit(db, patient, "birth_day", CHILD_BORN.isoformat())
    for wrong in ("2030-01-01", "yesterday", "1850-01-01"):
        with pytest.raises(InvalidInput):
            edit(db, patient, "birth_day", wrong)


def test_an_owner_corrects_a_slip_a_few_times_and_the_new_name_is_asked_about(
    db: Database, account: str, patient: str
) -> None:
    ask(db, patient, FakeAuthority("mismatch"))
    correct(db, account, patient, "name", "张珊")
    authority = FakeAuthority("mismatch")
    assert ask(db, patient, authority) == "rejected"
    assert authority.asked[0].name == "张珊"
    correct(db, account, patient, "name", "章三")
    correct(db, account, patient, "phone", "13700137000")
    with pytest.raises(OnlyAtWindow):
        correct(db, account, patient, "name", "章珊")


def test_an_owner_corrects_nothing_that_others_see_or_that_waits_for_a_look(
    db: Database, account: str, patient: str
) -> None:
    other = new_account(db, 5)
    with pytest.raises(PatientUnknown):
        correct(db, other, patient, "name", "李四")
    submit(db, account, patient)
    with pytest.raises(ReviewWaiting):
        correct(db, account, patient, "name", "李四")
    register(db, other, person())
    with pytest.raises(OnlyAtWindow):
        correct(db, account, patient, "phone", "13700137000")


def test_staff_mend_a_rejected_name_and_it_is_asked_about_again(db: Database, account: str, patient: str) -> None:
    ask(db, patient, FakeAuthority("mismatch"))
    edit(db, patient, "name", "张珊")
    assert standing(db, patient) == ("pending", None)
    assert verified(db, new_account(db, 7), person("张珊")) == patient
    assert_sound(db)
