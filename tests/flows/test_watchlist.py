"""An entry's story: proposed by one, approved by two others, enrolled, suspended by an appeal, and ended for good."""

import pytest
from sqlalchemy import update

from faces.enrolling import BLACK, GREY, WHITE, ColourEngine, photo
from flows.listing import NOW_US, PDF, Keeping, nobody, told
from hospital import rows
from lawful import operator
from shouhao.compliance.model import SwitchOff
from shouhao.compliance.store import turn_off
from shouhao.faces.enrolment import begin
from shouhao.faces.model import NoFace, PoorFace, SeveralFaces
from shouhao.faces.store import newest_threshold, thresholds_for
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.flows.watch_approved import apply_approved
from shouhao.flows.watch_closeness import give_staff_photo, hold_against_due
from shouhao.flows.watch_thresholds import derive_due
from shouhao.flows.watchlist import enrol_due, enrol_entry
from shouhao.flows.watchlist_ends import (
    AppealOpen,
    AskedBefore,
    NoAppeal,
    appeal,
    ask_erasure,
    ask_renewal,
    ask_resumption,
    expire_due,
    remind_of_reviews,
    review,
    uphold_appeal,
    wipe_due,
    withdraw,
)
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff.approvals import ApprovalEnded, NotApproved, SecondPersonNeeded
from shouhao.store.invariants import check
from shouhao.watch.store import watchlist_tables as tables
from shouhao.watch.store.close_pairs import PairDecided, decide_pair, open_pairs, withdraw_staff_photos
from shouhao.watch.store.lists import ListClosed, ListTerms, change_list
from shouhao.watch.store.watchlist import is_live, photos_of, shown, steps_of
from shouhao.watch.watchlist import AlreadyListed, WrongState
from shouhao.wiring import INVARIANTS

ENGINE = ColourEngine()


@pytest.fixture
def keeping(db, tmp_path):
    return Keeping(db, tmp_path)


def found(keeping, colour):
    with WatchlistGallery(keeping.desk.setup, lock_required=False, now_us=keeping.now_us) as gallery:
        return [hit.subject_id for hit in gallery.search(ENGINE.probe(colour))]


def live(keeping, entry_id):
    with keeping.db.read() as connection:
        return is_live(connection, entry_id, now_us=keeping.now_us)


def sound(keeping):
    with keeping.db.read() as connection:
        assert check(connection, INVARIANTS) == []


def test_one_proposes_two_others_approve_and_then_the_face_is_found(keeping):
    made = keeping.proposed(photo((10, 1, 1)), photo((10, 2, 2)))
    assert keeping.entry(made.entry_id).state == "proposed"
    assert not live(keeping, made.entry_id)
    with pytest.raises(SecondPersonNeeded):
        keeping.agree(made.approval_id, keeping.asker)
    keeping.agree(made.approval_id, keeping.approvers[0])
    with pytest.raises(NotApproved):
        apply_approved(keeping.desk, made.approval_id, now_us=keeping.now_us)
    assert keeping.due() == 0
    assert rows(keeping.db, TABLES["watchlist"].subjects) == []
    keeping.agree(made.approval_id, keeping.approvers[1])
    assert keeping.due() == 1
    entry = keeping.entry(made.entry_id)
    assert (entry.state, set(entry.approvers)) == ("approved", {one.id for one in keeping.approvers})
    assert entry.expires_at_us == NOW_US + 180 * DAY_US
    assert entry.review_at_us == NOW_US + 90 * DAY_US
    assert live(keeping, made.entry_id)
    assert found(keeping, (10, 3, 3)) == [made.entry_id]
    with keeping.db.read() as connection:
        photos = photos_of(connection, made.entry_id)
        seen = shown(connection, made.entry_id)
        assert keeping.desk.photo_of(connection, made.entry_id, photos[1].id) == photo((10, 2, 2))
    assert [one.sealed for one in photos] == [None, None]  # the gallery keeps the only copy
    assert seen.photo_ids == tuple(one.id for one in photos)
    assert (seen.list_name, seen.ground_code, seen.outcomes) == ("本院号贩子", "resale", ())
    acts = [e["detail"]["act"] for e in told(keeping.db, "watch_entry_changed")]
    assert acts == ["proposed", "list"]
    sound(keeping)


def test_an_approval_is_used_once(keeping):
    made = keeping.proposed()
    keeping.approved(made.approval_id)
    before = {table: rows(keeping.db, table) for table in (tables.entries, tables.steps, TABLES["watchlist"].photos)}
    assert apply_approved(keeping.desk, made.approval_id, now_us=keeping.now_us).became == "done"
    assert keeping.due() == 0
    assert {table: rows(keeping.db, table) for table in before} == before


def test_nobody_is_proposed_listed_or_renewed_while_the_law_s_switch_is_off(db, tmp_path):
    keeping = Keeping(db, tmp_path, lawful=False)
    with pytest.raises(SwitchOff):
        keeping.proposed()
    assert rows(db, tables.entries) == []


def test_what_was_approved_waits_for_the_switch(keeping):
    made = keeping.proposed()
    keeping.agree(made.approval_id)
    with keeping.db.write() as connection:
        turn_off(connection, "watchlist", staff_id=None, why="暂停", now_us=keeping.now_us)
    assert keeping.due() == 0
    assert keeping.entry(made.entry_id).state == "proposed"
    with pytest.raises(SwitchOff):
        apply_approved(keeping.desk, made.approval_id, now_us=keeping.now_us)
    assert found_nobody(keeping)


def found_nobody(keeping):
    return rows(keeping.db, TABLES["watchlist"].templates) == []


def test_what_is_kept_of_a_person_is_sealed_and_opens_with_their_own_key(keeping, db_url):
    entry_id = keeping.listed()
    kept = repr([rows(keeping.db, table) for table in (tables.entries, tables.photos, tables.documents, tables.steps)])
    for secret in ("雷某", "老雷", "E1234567", "倒卖号源，当场查获", "the decision", "多次查获"):
        assert secret not in kept
    with keeping.db.read() as connection:
        person, ground = keeping.desk.person_of(connection, entry_id)
        (paper,) = rows(keeping.db, tables.documents)
        assert keeping.desk.document_of(connection, entry_id, paper["id"]) == (PDF, "application/pdf")
    assert (person.name, person.aliases, person.document_number) == ("雷某", ("老雷",), "E1234567")
    assert ground.startswith("2026年3月1日")


def test_no_event_and_no_approval_names_the_person(keeping):
    keeping.listed()
    logged = repr([told(keeping.db, kind) for kind in ("watch_entry_changed", "approval_changed", "face_enrolled")])
    assert "雷" not in logged
    assert "E1234567" not in logged


def test_a_term_that_is_over_ends_at_once_and_leaves_nothing_of_the_person(keeping, tmp_path):
    entry_id = keeping.listed(days=30)
    keeping.clock.advance(seconds=30 * 86_400)
    assert not live(keeping, entry_id)  # before any duty came round
    assert expire_due(keeping.desk, now_us=keeping.now_us) == 1
    entry = keeping.entry(entry_id)
    assert (entry.state, entry.ended_why) == ("expired", "expire")
    assert found(keeping, (10, 1, 1)) == []
    assert list((tmp_path / "face-keys").rglob("*.key")) == []
    (row,) = rows(keeping.db, tables.entries)
    assert [row[name] for name in ("sealed_person", "sealed_ground", "name_hash", "document_hash")] == [None] * 4
    assert rows(keeping.db, tables.photos) == []
    (paper,) = rows(keeping.db, tables.documents)
    assert paper["sealed"] is None
    assert len(paper["sha256"]) == 64
    for read in (keeping.desk.person_of, lambda c, e: keeping.desk.photo_of(c, e, "fp_1")):
        with keeping.db.read() as connection, pytest.raises(NotFound):
            read(connection, entry_id)
    assert expire_due(keeping.desk, now_us=keeping.now_us) == 0
    sound(keeping)


def test_a_backup_from_before_the_end_opens_nothing(keeping):
    entry_id = keeping.listed()
    backup = {table: rows(keeping.db, table) for table in (tables.entries, tables.photos, tables.documents)}
    with keeping.db.write() as connection:
        withdraw(keeping.desk, connection, entry_id, reason="查无实据", operator=keeping.asker, now_us=keeping.now_us)
    wipe_due(keeping.desk, now_us=keeping.now_us)
    with keeping.db.write() as connection:
        connection.execute(tables.documents.delete())
        connection.execute(tables.steps.delete())
        connection.execute(tables.entries.delete())
        for table, kept in backup.items():
            connection.execute(table.insert(), kept)
    with keeping.db.read() as connection, pytest.raises(NotFound):
        keeping.desk.person_of(connection, entry_id)


@pytest.mark.parametrize("step", ["moved", "erased"])
def test_an_end_that_was_cut_short_is_finished_by_the_next_look(keeping, monkeypatch, step):
    entry_id = keeping.listed()
    with keeping.db.write() as connection:
        withdraw(keeping.desk, connection, entry_id, reason="结案", operator=keeping.asker, now_us=keeping.now_us)
    assert not live(keeping, entry_id)
    if step == "erased":

        def crash(*_, **__):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("shouhao.watch.store.watchlist.wipe", crash)
            with pytest.raises(KeyboardInterrupt):
                wipe_due(keeping.desk, now_us=keeping.now_us)
    assert wipe_due(keeping.desk, now_us=keeping.now_us) == 1
    assert wipe_due(keeping.desk, now_us=keeping.now_us) == 0
    assert found_nobody(keeping)
    sound(keeping)


def test_an_appeal_suspends_at_once_and_two_people_let_it_count_again(keeping):
    entry_id = keeping.listed()
    with keeping.db.write() as connection:
        entry = appeal(
            keeping.desk, connection, entry_id, text="不是我", operator=keeping.protector, now_us=keeping.now_us
        )
    assert (entry.state, entry.appeal) == ("suspended", "open")
    assert not live(keeping, entry_id)
    assert found(keeping, (10, 1, 1)) == []  # kept, and compared with nobody
    assert len(rows(keeping.db, TABLES["watchlist"].templates)) == 1
    with keeping.db.write() as connection, pytest.raises(AppealOpen):
        appeal(keeping.desk, connection, entry_id, text="再次", operator=keeping.protector, now_us=keeping.now_us)
    with keeping.db.write() as connection:
        asked = ask_resumption(connection, entry_id, reason="证据确凿", operator=keeping.asker, now_us=keeping.now_us)
    with keeping.db.write() as connection, pytest.raises(AskedBefore):
        ask_resumption(connection, entry_id, reason="证据确凿", operator=keeping.asker, now_us=keeping.now_us)
    keeping.approved(asked)
    assert (keeping.entry(entry_id).state, keeping.entry(entry_id).appeal) == ("approved", "rejected")
    assert found(keeping, (10, 1, 1)) == [entry_id]
    with keeping.db.write() as connection, pytest.raises(NoAppeal):
        ask_resumption(connection, entry_id, reason="证据确凿", operator=keeping.asker, now_us=keeping.now_us)


def test_an_appeal_that_was_right_ends_the_entry(keeping):
    entry_id = keeping.listed()
    with keeping.db.write() as connection, pytest.raises(NoAppeal):
        uphold_appeal(keeping.desk, connection, entry_id, reason="确非本人", operator=keeping.protector, now_us=NOW_US)
    with keeping.db.write() as connection:
        appeal(keeping.desk, connection, entry_id, text="不是我", operator=keeping.protector, now_us=keeping.now_us)
        uphold_appeal(keeping.desk, connection, entry_id, reason="确非本人", operator=keeping.protector, now_us=NOW_US)
    wipe_due(keeping.desk, now_us=keeping.now_us)
    entry = keeping.entry(entry_id)
    assert (entry.state, entry.appeal, entry.ended_why) == ("withdrawn", "upheld", "appeal_upheld")
    assert found_nobody(keeping)


def test_an_appeal_while_faces_are_being_enrolled_leaves_nobody_to_find(keeping):
    made = keeping.proposed()
    keeping.agree(made.approval_id)
    with keeping.db.write() as connection:
        connection.execute(update(tables.entries).values(state="suspended", appeal="open"))
    assert enrol_entry(keeping.desk, made.entry_id, now_us=keeping.now_us) == 0
    assert found_nobody(keeping)


def test_an_entry_that_ends_while_it_is_enrolled_is_erased_again(keeping, monkeypatch):
    made = keeping.proposed()
    keeping.agree(made.approval_id)
    embed = ENGINE.enrolment_face

    def ends_meanwhile(_engine, picture):
        with keeping.db.write() as connection:
            withdraw(
                keeping.desk, connection, made.entry_id, reason="撤", operator=keeping.asker, now_us=keeping.now_us
            )
        monkeypatch.undo()
        return embed(picture)

    begin(keeping.desk.setup, pack="colour@1", now_us=keeping.now_us)
    monkeypatch.setattr(ColourEngine, "enrolment_face", ends_meanwhile)
    keeping.due()
    wipe_due(keeping.desk, now_us=keeping.now_us)
    assert keeping.entry(made.entry_id).state == "withdrawn"
    assert found_nobody(keeping)
    assert rows(keeping.db, TABLES["watchlist"].subjects) == []
    sound(keeping)


def test_a_longer_term_takes_two_people_again(keeping):
    entry_id = keeping.listed(days=30)
    keeping.clock.advance(seconds=20 * 86_400)
    with keeping.db.write() as connection:
        asked = ask_renewal(
            connection, entry_id, days=180, reason="仍在作案", operator=keeping.asker, now_us=keeping.now_us
        )
    with pytest.raises(SwitchOff):  # nobody has counted the hospital's facts for twenty days
        keeping.approved(asked)
    assert keeping.entry(entry_id).expires_at_us == NOW_US + 30 * DAY_US


def test_a_renewal_moves_the_end_and_names_who_agreed(keeping):
    entry_id = keeping.listed(days=30)
    keeping.clock.advance(seconds=3600)
    with keeping.db.write() as connection:
        asked = ask_renewal(
            connection, entry_id, days=90, reason="仍在作案", operator=keeping.asker, now_us=keeping.now_us
        )
    keeping.approved(asked)
    assert keeping.entry(entry_id).expires_at_us == keeping.now_us + 90 * DAY_US
    sound(keeping)


def test_an_erasure_on_request_takes_a_second_person(keeping):
    entry_id = keeping.listed()
    with keeping.db.write() as connection:
        asked = ask_erasure(connection, entry_id, reason="本人请求", operator=keeping.asker, now_us=keeping.now_us)
    assert live(keeping, entry_id)
    keeping.approved(asked, keeping.protector)
    assert keeping.entry(entry_id).state == "erased"
    assert found_nobody(keeping)
    with keeping.db.write() as connection, pytest.raises(WrongState):
        ask_erasure(connection, entry_id, reason="本人请求", operator=keeping.asker, now_us=keeping.now_us)


def test_a_proposal_that_one_person_refuses_is_forgotten(keeping):
    made = keeping.proposed()
    keeping.agree(made.approval_id, keeping.approvers[0], approve=False)
    assert keeping.due() == 1
    entry = keeping.entry(made.entry_id)
    assert (entry.state, entry.ended_why) == ("withdrawn", "not_approved")
    (row,) = rows(keeping.db, tables.entries)
    assert row["sealed_person"] is None
    with pytest.raises(ApprovalEnded):
        keeping.agree(made.approval_id, keeping.approvers[1])


def test_a_proposal_that_nobody_decides_ends_with_its_request(keeping):
    made = keeping.proposed()
    keeping.clock.advance(seconds=8 * 86_400)
    assert keeping.due() == 1
    assert keeping.entry(made.entry_id).state == "withdrawn"


def test_what_was_withdrawn_before_it_was_approved_is_not_listed(keeping):
    made = keeping.proposed()
    with keeping.db.write() as connection:
        withdraw(
            keeping.desk, connection, made.entry_id, reason="弄错了", operator=keeping.asker, now_us=keeping.now_us
        )
    keeping.agree(made.approval_id)
    assert keeping.due() == 1
    assert keeping.entry(made.entry_id).state == "withdrawn"
    assert found_nobody(keeping)


def test_a_document_is_listed_once_and_an_equal_name_is_shown_to_a_person(keeping):
    entry_id = keeping.listed()
    with pytest.raises(AlreadyListed) as refused:
        keeping.proposed(photo((20, 1, 1)))
    assert refused.value.data["entry_id"] == entry_id
    person = nobody(1)
    same = keeping.proposed(photo((20, 1, 1)), person=type(person)(name="雷某"))
    assert same.same_name == (entry_id,)


@pytest.mark.parametrize(
    ("given", "refusal", "field"),
    [
        ([], InvalidInput, "photos"),
        ([photo((10, 1, 1))] * 2, InvalidInput, "photos"),
        ([photo((10, n, 1)) for n in range(11)], InvalidInput, "photos"),
        ([photo((10, 1, 1)), photo(BLACK)], NoFace, "photos[1]"),
        ([photo(WHITE)], SeveralFaces, "photos[0]"),
        ([photo(GREY)], PoorFace, "photos[0]"),
        ([b"\0" * (5 * 1024 * 1024 + 1)], InvalidInput, "photos[0]"),
    ],
)
def test_a_photograph_that_shows_no_fit_face_is_refused_with_its_place(keeping, given, refusal, field):
    with pytest.raises(refusal) as refused:
        keeping.desk.look_at(given)
    assert refused.value.field == field


def test_a_quality_problem_that_a_person_lets_pass_stands_in_the_report(keeping):
    (looked,) = keeping.desk.look_at([photo(GREY)], accepted=frozenset({"blurred"}))
    assert looked.report["problems_accepted"] == ["blurred"]


def test_a_proposal_needs_a_ground_a_reason_a_list_and_papers_that_are_papers(keeping):
    for changed, field in (
        ({"ground": " "}, "ground"),
        ({"reason": ""}, "reason"),
        ({"days": 367}, "days"),
        ({"documents": (b"MZ program",)}, "documents[0]"),
        ({"documents": (PDF,) * 11}, "documents"),
    ):
        with pytest.raises(InvalidInput) as refused:
            keeping.proposed(**changed)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        keeping.proposed(list_id="none")
    with keeping.db.write() as connection:
        closed = ListTerms(name="x", ground="x", false_alarms_a_day=1, open=False)
        change_list(connection, "own", closed, now_us=NOW_US, staff_id=None)
    with pytest.raises(ListClosed):
        keeping.proposed()
    assert rows(keeping.db, tables.entries) == []


def test_reviews_are_reminded_of_once_and_put_off_by_whoever_looked(keeping):
    entry_id = keeping.listed()
    assert remind_of_reviews(keeping.desk, now_us=keeping.now_us) == 0
    keeping.clock.advance(seconds=90 * 86_400)
    assert remind_of_reviews(keeping.desk, now_us=keeping.now_us) == 1
    assert remind_of_reviews(keeping.desk, now_us=keeping.now_us) == 0
    with keeping.db.write() as connection:
        entry = review(
            keeping.desk, connection, entry_id, reason="仍属实", operator=keeping.asker, now_us=keeping.now_us
        )
    assert entry.review_at_us == entry.expires_at_us == NOW_US + 180 * DAY_US
    with keeping.db.read() as connection:
        assert [step.act for step in steps_of(connection, entry_id)] == ["proposed", "list", "review_due", "reviewed"]


def test_an_approved_entry_without_a_threshold_waits_until_one_can_be_derived(keeping):
    keeping.known = None
    entry_id = keeping.listed()
    assert keeping.entry(entry_id).state == "approved"
    assert found_nobody(keeping)
    keeping.known = Keeping.__dataclass_fields__["known"].default
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 1
    assert enrol_due(keeping.desk, now_us=keeping.now_us) == 1
    assert found(keeping, (10, 1, 1)) == [entry_id]
    with keeping.db.read() as connection:
        assert thresholds_for(connection, "watchlist", "colour@1").keys() == {"own"}
        assert newest_threshold(connection, "watchlist", list_id="own", pack="colour@1").version == 1


def test_people_too_alike_and_staff_who_look_listed_are_marked_for_a_person(keeping):
    first = keeping.listed(photo((10, 1, 1)))
    twin = keeping.listed(photo((10, 2, 2)), person=nobody(1))
    keeping.listed(photo((90, 1, 1)), person=nobody(2))
    assert hold_against_due(keeping.desk, now_us=keeping.now_us) == 3
    assert hold_against_due(keeping.desk, now_us=keeping.now_us) == 0
    with keeping.db.read() as connection:
        (pair,) = open_pairs(connection)
    assert {pair.entry_id, pair.other_entry_id} == {first, twin}
    insider = operator(keeping.db, "window", now_us=NOW_US)
    (looked,) = keeping.desk.look_at([photo((90, 5, 5))])
    give_staff_photo(keeping.desk, looked, operator=insider, now_us=keeping.now_us)
    with keeping.db.read() as connection:
        hits = [one for one in open_pairs(connection) if one.operator_id]
    assert [one.operator_id for one in hits] == [insider.id]
    with keeping.db.write() as connection:
        assert withdraw_staff_photos(connection, insider.id, now_us=keeping.now_us) == 1
        assert len(open_pairs(connection)) == 2  # taking the photograph back hides nobody from a person's look
        decide_pair(connection, pair.id, "different_people", staff_id=keeping.asker.id, now_us=keeping.now_us)
        with pytest.raises(PairDecided):
            decide_pair(connection, pair.id, "same_person", staff_id=keeping.asker.id, now_us=keeping.now_us)


def test_a_listed_member_of_staff_is_found_whoever_came_first(keeping):
    insider = operator(keeping.db, "window", now_us=NOW_US)
    (looked,) = keeping.desk.look_at([photo((10, 5, 5))])
    give_staff_photo(keeping.desk, looked, operator=insider, now_us=keeping.now_us)
    entry_id = keeping.listed(photo((10, 1, 1)))
    hold_against_due(keeping.desk, now_us=keeping.now_us)
    with keeping.db.read() as connection:
        (pair,) = open_pairs(connection)
    assert (pair.entry_id, pair.operator_id) == (entry_id, insider.id)
    assert b"".join(bytes(row["sealed"]) for row in rows(keeping.db, tables.staff_photos)).find(b"PNG") == -1
