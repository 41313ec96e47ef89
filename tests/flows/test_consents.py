"""Consents: given to words by whom they are to give, withdrawn at once with all that rests on them, never rewritten."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DatabaseError

from faces.enrolling import ColourEngine, photo, setup_for
from flows.people import CHILD_BORN, NOW_US, new_account, person, register, verified
from hospital import rows
from racing import meanwhile
from shouhao.faces.consented_gallery import LIST_ID, ConsentedGallery, FaceConsentNeeded
from shouhao.faces.enrolment import enrol as enrol_at_once
from shouhao.faces.tables import TABLES
from shouhao.flows.consents import Asked, give, may_be_told, standing_consent, withdraw
from shouhao.flows.face_consents import PatientConsents, erase_withdrawn, mark_groundless
from shouhao.flows.give_back import Caller
from shouhao.flows.register import unbind_patient
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import InvalidInput
from shouhao.patients import consent_texts
from shouhao.patients.consent_texts import KINDS, TEXTS, text_in_force
from shouhao.patients.consents import ConsentFirst, ConsentNotAsked, ConsentNotYours
from shouhao.patients.consents_store import counts_by_text, history_of
from shouhao.patients.consents_tables import consent_acts
from shouhao.patients.policy import BindingPolicy
from shouhao.patients.standing import PatientUnknown
from shouhao.store import event_log
from shouhao.store.invariants import check
from shouhao.wiring import INVARIANTS

FACES = TABLES["consented"]
ENGINE = ColourEngine()
TEEN_BORN = date(2011, 6, 1)  #: 14 at NOW
DAY_US = 86_400_000_000
STAFF = Caller(channel="window", staff_id="st_1")


def by(account_id):
    return Caller(channel="web", account_id=account_id)


def gives(db, account_id, kind, patient_id=None, *, now_us=NOW_US, caller=None, version=None, note=""):
    asked = Asked(kind=kind, patient_id=patient_id, text_version=version or text_in_force(kind).version, note=note)
    with db.write() as connection:
        return give(connection, asked, caller=caller or by(account_id), now_us=now_us)


def withdraws(db, account_id, kind, patient_id=None, *, now_us=NOW_US + 1, caller=None, note=""):
    with db.write() as connection:
        asked = Asked(kind=kind, patient_id=patient_id, note=note)
        return withdraw(connection, asked, caller=caller or by(account_id), now_us=now_us)


def standing(db, kind, patient_id, *, now_us=NOW_US):
    with db.read() as connection:
        return standing_consent(connection, kind, patient_id, now_us=now_us)


def sound(db):
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []


def events_of(db, *kinds):
    with db.read() as connection:
        return [row for batch in event_log.read(connection) for row in batch if row["kind"] in kinds]


@pytest.fixture
def account(db):
    return new_account(db)


@pytest.fixture
def me(db, account):
    return verified(db, account, person(), relation="self")


@pytest.fixture
def child(db, account, me):
    given = person("张小", born=CHILD_BORN, order=3)
    return register(db, account, given, relation="child", guardian_id=me).patient_id


@pytest.fixture
def gallery(db, tmp_path):
    setup = setup_for(db, tmp_path / "keys", purpose="consented", lists=(LIST_ID,))
    return ConsentedGallery(setup, consents=PatientConsents(db, ManualClock(NOW_US)), lock_required=False), setup


def test_the_words_of_every_version_that_was_ever_in_force_stay_as_they_are():
    """A change here is a new version at the end of `TEXTS`, and every earlier one stays."""
    assert {(text.kind, text.version): text.sha256[:16] for text in TEXTS} == {
        ("notice", "2026-1"): "b354958c806012cd",
        ("messages", "2026-1"): "e49fc36c4ed67b58",
        ("child_data", "2026-1"): "b756762d689a52e3",
        ("face_check", "2026-1"): "1270241992fd6ede",
        ("face_leave_out", "2026-1"): "230bad644a3fb4da",
    }
    assert {text_in_force(kind).kind for kind in KINDS} == set(KINDS)


def test_a_consent_keeps_who_gave_it_when_where_and_to_which_words(db, account, me):
    act = gives(db, account, "face_check", me)
    (row,) = rows(db, consent_acts)
    assert (row["subject_id"], row["kind"], row["act"], row["turn"]) == (me, "face_check", "given", 1)
    assert (row["account_id"], row["channel"], row["at_us"]) == (account, "web", NOW_US)
    assert row["text_sha256"] == text_in_force("face_check").sha256
    (event,) = events_of(db, "consent_given")
    assert (event["account_id"], event["patient_id"], event["detail"]["consent_id"]) == (account, me, act.id)
    assert standing(db, "face_check", me) == act
    sound(db)


def test_giving_twice_is_one_consent_and_withdrawing_twice_one_withdrawal(db, account, me):
    first = gives(db, account, "face_check", me)
    assert gives(db, account, "face_check", me) == first
    assert [act.kind for act in withdraws(db, account, "face_check", me)] == ["face_check"]
    assert withdraws(db, account, "face_check", me) == []
    assert standing(db, "face_check", me) is None
    again = gives(db, account, "face_check", me, now_us=NOW_US + 2)
    assert again.turn == 3
    with db.read() as connection:
        assert [act.act for act in history_of(connection, [me], limit=9)] == ["given", "withdrawn", "given"]
    sound(db)


def test_what_was_agreed_to_is_never_rewritten_or_removed(db, account, me):
    gives(db, account, "face_check", me)
    kept = rows(db, consent_acts)
    for change in (update(consent_acts).values(act="withdrawn"), delete(consent_acts)):
        with pytest.raises(DatabaseError), db.write() as connection:
            connection.execute(change)
    assert rows(db, consent_acts) == kept


def test_other_words_than_those_in_force_are_not_agreed_to(db, account, me):
    for version in ("2025-9", "2026-1'", "x"):
        with pytest.raises(InvalidInput) as refused:
            gives(db, account, "face_check", me, version=version)
        assert refused.value.field == "text_version"
    assert rows(db, consent_acts) == []


def test_a_new_version_of_the_words_is_asked_anew(db, account, me, monkeypatch):
    gives(db, account, "face_check", me)
    newer = replace(text_in_force("face_check"), version="2027-1")
    monkeypatch.setattr(consent_texts, "TEXTS", (*TEXTS, newer))
    assert standing(db, "face_check", me) is None
    after = gives(db, account, "face_check", me, version="2027-1")
    assert (after.turn, standing(db, "face_check", me)) == (2, after)
    assert withdraws(db, account, "face_check", me)[0].text_version == "2027-1"
    with db.read() as connection:
        counted = [(one.text_version, one.given, one.standing, one.withdrawn) for one in counts_by_text(connection)]
    assert counted == [("2026-1", 1, 0, 0), ("2027-1", 1, 0, 1)]


def test_an_old_version_can_be_withdrawn(db, account, me, monkeypatch):
    gives(db, account, "face_check", me)
    monkeypatch.setattr(consent_texts, "TEXTS", (*TEXTS, replace(text_in_force("face_check"), version="2027-1")))
    assert withdraws(db, account, "face_check", me)[0].text_version == "2026-1"


def test_nobody_agrees_for_another_adult(db, account, me):
    parent = verified(db, account, person("张大", born=date(1955, 6, 1), order=5), relation="parent")
    with pytest.raises(ConsentNotYours):
        gives(db, account, "face_check", parent)
    assert gives(db, None, "face_check", parent, caller=STAFF, note="同意书 2026-17，本人签字").staff_id == "st_1"
    assert withdraws(db, account, "face_check", parent), "who acts for somebody may withdraw for them"
    sound(db)


def test_a_childs_face_needs_the_guardians_consent_first_and_ends_with_it(db, account, me, child, gallery):
    with pytest.raises(ConsentFirst):
        gives(db, account, "face_check", child)
    gives(db, account, "child_data", child)
    gives(db, account, "face_check", child)
    gives(db, account, "face_leave_out", child)
    faces, _ = gallery
    faces.enrol(patient_id=child, photo=photo((10, 1, 1)), now_us=NOW_US)
    ended = withdraws(db, account, "child_data", child)
    assert [act.kind for act in ended] == ["child_data", "face_check", "face_leave_out"]
    assert [act.note for act in ended] == [None, "with child_data", "with child_data"]
    with pytest.raises(FaceConsentNeeded):
        faces.compare(child, ENGINE.probe((10, 1, 1), purpose="consented"))
    sound(db)


def test_a_guardians_consent_is_asked_for_children_under_14_and_by_nobody_else_than_the_guardian(
    db, account, me, child
):
    teen = register(db, account, person("张中", born=TEEN_BORN, order=7), relation="child", guardian_id=me).patient_id
    with pytest.raises(ConsentNotAsked):
        gives(db, account, "child_data", teen)
    with pytest.raises(ConsentNotAsked):
        gives(db, None, "child_data", teen, caller=STAFF, note="本人在场")
    assert gives(db, account, "face_check", teen).kind == "face_check"
    other = new_account(db, 2)
    stranger = verified(db, other, person("李四", order=9), relation="other")
    with db.write() as connection:  # a carer, bound to the child and no guardian
        connection.exec_driver_sql(
            "INSERT INTO bindings (id, account_id, patient_id, relation, guarded, bound_at_us)"
            f" VALUES ('bd_x', '{other}', '{child}', 'other', false, 1)"
        )
    with pytest.raises(ConsentNotYours):
        gives(db, other, "child_data", child)
    with pytest.raises(ConsentNotYours):
        gives(db, other, "face_check", stranger)


def test_who_came_of_age_decides_anew(db, account, me):
    teen = register(db, account, person("张中", born=TEEN_BORN, order=7), relation="child", guardian_id=me).patient_id
    gives(db, account, "face_check", teen)
    assert standing(db, "face_check", teen) is not None
    assert standing(db, "face_check", teen, now_us=NOW_US + 5 * 366 * DAY_US) is None


def test_a_patient_of_another_account_is_unknown_and_one_that_was_unbound_too(db, account, me):
    other = new_account(db, 1)
    for act in (gives, withdraws):
        with pytest.raises(PatientUnknown):
            act(db, other, "face_check", me)
    with db.write() as connection:
        unbind_patient(
            connection, account_id=account, patient_id=me, channel="web", policy=BindingPolicy(), now_us=NOW_US
        )
    with pytest.raises(PatientUnknown):
        gives(db, account, "face_check", me)
    assert rows(db, consent_acts) == []


@pytest.mark.parametrize(
    ("kind", "named", "field"),
    [("messages", True, "patient_id"), ("face_check", False, "patient_id"), ("everything", False, "kind")],
)
def test_a_consent_is_about_whom_it_is_asked_of(db, account, me, kind, named, field):
    with pytest.raises(InvalidInput) as refused:
        gives(db, account, kind, me if named else None, version="2026-1")
    assert refused.value.field == field


def test_having_read_the_notice_is_kept_and_is_nothing_to_withdraw(db, account):
    assert gives(db, account, "notice").subject_id == account
    with pytest.raises(InvalidInput):
        withdraws(db, account, "notice")


def test_only_who_agreed_is_told_by_message_and_not_after_withdrawing(db, account):
    other = new_account(db, 1)
    gives(db, account, "messages")

    def told():
        with db.read() as connection:
            return may_be_told(connection, [account, other])

    assert told() == {account}
    withdraws(db, account, "messages")
    assert told() == set()


def test_withdrawing_erases_the_photograph_and_its_key_and_no_comparison_is_made_from_that_moment(
    db, account, me, gallery, tmp_path
):
    faces, setup = gallery
    with pytest.raises(FaceConsentNeeded):
        faces.enrol(patient_id=me, photo=photo((10, 1, 1)), now_us=NOW_US)
    act = gives(db, account, "face_check", me)
    faces.enrol(patient_id=me, photo=photo((10, 1, 1)), now_us=NOW_US)
    assert rows(db, FACES.subjects)[0]["ground_id"] == act.id
    assert faces.compare(me, ENGINE.probe((10, 1, 1), purpose="consented")).same
    withdraws(db, account, "face_check", me)
    with pytest.raises(FaceConsentNeeded):
        faces.compare(me, ENGINE.probe((10, 1, 1), purpose="consented"))
    assert erase_withdrawn(db, lambda: setup, now_us=NOW_US) == 1
    assert erase_withdrawn(db, lambda: setup, now_us=NOW_US) == 0
    assert [rows(db, table) for table in (FACES.subjects, FACES.photos, FACES.templates)] == [[], [], []]
    assert list((tmp_path / "keys").rglob("*.key")) == []
    assert len(events_of(db, "face_erased")) == 1
    sound(db)


def test_a_photograph_that_no_consent_stands_behind_is_found_and_erased(db, me, gallery):
    _, setup = gallery
    enrol_at_once(setup, subject_id=me, list_id=LIST_ID, ground_id="co_gone", photo=photo((10, 1, 1)), now_us=NOW_US)
    with db.read() as connection:
        assert [one.code for one in check(connection, INVARIANTS)] == ["face_kept_by_consent"]
    assert mark_groundless(db, now_us=NOW_US) == 1
    assert erase_withdrawn(db, lambda: setup, now_us=NOW_US) == 1
    assert rows(db, FACES.subjects) == []
    sound(db)


def test_a_photograph_is_not_erased_of_whoever_agrees_at_that_moment(postgresql_db, tmp_path):
    db, setup = postgresql_db, setup_for(postgresql_db, tmp_path / "keys", purpose="consented", lists=(LIST_ID,))
    account = new_account(db)
    me = verified(db, account, person(), relation="self")
    enrol_at_once(setup, subject_id=me, list_id=LIST_ID, ground_id="co_gone", photo=photo((10, 1, 1)), now_us=NOW_US)
    asked = Asked(kind="face_check", patient_id=me, text_version=text_in_force("face_check").version, note="")
    marked = meanwhile(
        db,
        lambda connection: give(connection, asked, caller=by(account), now_us=NOW_US),
        lambda: mark_groundless(db, now_us=NOW_US),
    )
    assert (marked, [row["erasing_at_us"] for row in rows(db, FACES.subjects)]) == (0, [None])


def test_staff_write_which_paper_was_signed(db, account, me):
    with pytest.raises(InvalidInput) as refused:
        gives(db, None, "face_check", me, caller=STAFF)
    assert refused.value.field == "note"
