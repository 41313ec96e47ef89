"""A list from outside is one difference, accepted by two others or not at all, and ends when it is recalled."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from faces.enrolling import BLACK, ColourEngine, photo
from flows.exchanging import Exchanging
from flows.listing import PDF, nobody, told
from hospital import rows
from lawful import operator
from shouhao.compliance.store import turn_off
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.flows.watch_approved import apply_due
from shouhao.flows.watch_closeness import give_staff_photo
from shouhao.flows.watch_thresholds import derive_due
from shouhao.flows.watchlist import enrol_due
from shouhao.flows.watchlist_ends import AskedBefore, appeal, expire_due, uphold_appeal, wipe_due, withdraw
from shouhao.flows.watchlist_exchange import NotChecked, ask_import
from shouhao.flows.watchlist_export import ask_export, export_bundle, own_keys, own_public_keys
from shouhao.flows.watchlist_listing import end_due, list_due
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.approvals import ApprovalEnded, NotApproved
from shouhao.store.invariants import check
from shouhao.watch.bundle import issuer_id_of, read_bundle
from shouhao.watch.bundle_seal import unseal
from shouhao.watch.store import watchlist_tables as tables
from shouhao.wiring import INVARIANTS
from watch.made_bundle import KEY, bundle, decoded, given, sha256

A, B, C = photo((10, 1, 1)), photo((20, 1, 1)), photo((30, 1, 1))
ENGINE = ColourEngine()


@pytest.fixture
def exchanging(db, tmp_path):
    return Exchanging(db, tmp_path)


def found(exchanging, colour):
    with WatchlistGallery(exchanging.desk.setup, lock_required=False, now_us=exchanging.now_us) as gallery:
        return [hit.subject_id for hit in gallery.search(ENGINE.probe(colour))]


def derived(exchanging):
    derive_due(exchanging.desk, now_us=exchanging.now_us)
    return enrol_due(exchanging.desk, now_us=exchanging.now_us)


def test_an_accepted_list_is_found_and_says_where_it_came_from(exchanging):
    bundle_id, difference = exchanging.accept(bundle([given("E1", A), given("E2", B)], A, B))
    assert difference.new == ("E1", "E2")
    assert derived(exchanging) == 2
    entry = exchanging.entries()["E1"]
    assert found(exchanging, (10, 2, 2)) == [entry.id]
    assert (entry.state, entry.source, entry.bundle_id) == ("approved", "police", bundle_id)
    assert set(entry.approvers) == {one.id for one in exchanging.approvers}
    assert exchanging.bundle(bundle_id).state == "listed"
    assert exchanging.files() == []  # nothing of it is kept twice
    acts = [e["detail"]["act"] for e in told(exchanging.db, "watch_bundle_changed")]
    assert acts == ["issuer_registered", "received", "checked", "accepted", "listed"]
    with exchanging.db.read() as connection:
        assert check(connection, INVARIANTS) == []


def test_nobody_is_listed_by_what_only_came_or_was_only_looked_at(exchanging):
    received = exchanging.receive(bundle([given("E1", A)], A))
    with exchanging.db.write() as connection, pytest.raises(NotChecked):
        ask_import(connection, received.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us)
    exchanging.check(received.bundle_id)
    with exchanging.db.write() as connection:
        asked = ask_import(
            connection, received.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us
        )
    with exchanging.db.write() as connection, pytest.raises(AskedBefore):
        ask_import(connection, received.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us)
    exchanging.agree(asked, exchanging.approvers[0])
    apply_due(exchanging.desk, now_us=exchanging.now_us)
    list_due(exchanging.desk, now_us=exchanging.now_us)
    assert rows(exchanging.db, tables.entries) == []
    exchanging.agree(asked, exchanging.approvers[1], approve=False)
    apply_due(exchanging.desk, now_us=exchanging.now_us)
    assert exchanging.bundle(received.bundle_id).state == "refused"
    assert (rows(exchanging.db, tables.entries), exchanging.files()) == ([], [])


def test_pictures_that_are_none_are_listed_with_their_place_and_the_rest_is_offered(exchanging):
    broken, dark = b"\xff\xd8\xff not a picture", photo(BLACK)
    data = bundle(
        [given("E1", A), given("E2", broken), given("E3", dark, B), given("E4", C, documents=[sha256(b"MZ")])],
        A,
        B,
        C,
        broken,
        dark,
        documents=[b"MZ"],
    )
    _, difference = exchanging.accept(data)
    assert difference.new == ("E1", "E3", "E4")
    assert [(one.place, one.code) for one in difference.refused] == [
        ("entries[1].photos", "no_usable_photo"),
        ("entries[1].photos[0]", "faces.picture_refused"),
        ("entries[2].photos[0]", "faces.no_face"),
        ("entries[3].documents[0]", "invalid"),
    ]
    assert set(exchanging.entries()) == {"E1", "E3", "E4"}
    assert len(rows(exchanging.db, tables.photos)) == 3


def test_a_later_list_changes_ends_and_adds(exchanging):
    exchanging.accept(bundle([given("E1", A), given("E2", B)], A, B, number=1))
    derived(exchanging)
    before = exchanging.entries()
    _, difference = exchanging.accept(bundle([given("E1", A), given("E3", C)], A, C, number=2))
    assert (difference.same, difference.new, difference.gone) == (("E1",), ("E3",), (before["E2"].id,))
    wipe_due(exchanging.desk, now_us=exchanging.now_us)
    after = exchanging.entries()
    assert after["E1"].id == before["E1"].id
    assert (after["E2"].state, after["E2"].ended_why) == ("withdrawn", "gone_from_list")
    assert found(exchanging, (20, 1, 1)) == []
    _, difference = exchanging.accept(bundle([given("E1", B, name="改名"), given("E3", C)], B, C, number=3))
    assert (difference.changed, difference.same) == (("E1",), ("E3",))
    newest = exchanging.entries()["E1"]
    assert newest.replaces == before["E1"].id
    assert exchanging.entry(before["E1"].id).ended_why == "replaced"


def test_what_an_issuer_takes_back_ends_at_once_whatever_people_decide(exchanging):
    exchanging.accept(bundle([given("E1", A), given("E2", B)], A, B, number=1))
    derived(exchanging)
    received = exchanging.receive(bundle([given("E2", B)], B, number=2, revoked=[{"id": "E1", "reason": "撤案"}]))
    assert received.recalled == 1
    assert (exchanging.entries()["E1"].state, exchanging.entries()["E1"].ended_why) == ("withdrawn", "recalled")
    assert found(exchanging, (10, 1, 1)) == []
    assert found(exchanging, (20, 1, 1)) != []
    received = exchanging.receive(bundle([], number=3, revokes_all=True))
    assert received.recalled == 1
    assert rows(exchanging.db, TABLES["watchlist"].templates) == []


def test_a_newer_list_takes_the_place_of_an_older_one_that_was_not_listed_yet(exchanging):
    first = exchanging.receive(bundle([given("E1", A), given("E2", B)], A, B, number=1))
    exchanging.check(first.bundle_id)
    with exchanging.db.write() as connection:
        asked = ask_import(connection, first.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us)
    exchanging.agree(asked)
    apply_due(exchanging.desk, now_us=exchanging.now_us)
    assert list_due(exchanging.desk, now_us=exchanging.now_us, limit=1) == 1
    exchanging.receive(bundle([given("E3", C)], C, number=2, revoked=[{"id": "E2"}]))
    assert exchanging.bundle(first.bundle_id).state == "over"
    assert list_due(exchanging.desk, now_us=exchanging.now_us) == 0
    assert set(exchanging.entries()) == {"E1"}  # E2 was taken back before it was listed, and never is


def test_two_workers_at_once_list_everybody_once(exchanging):
    first = exchanging.receive(bundle([given(f"E{n}", photo((n, 1, 1))) for n in range(1, 7)], *many(1, 7)))
    exchanging.check(first.bundle_id)
    with exchanging.db.write() as connection:
        asked = ask_import(connection, first.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us)
    exchanging.agree(asked)
    apply_due(exchanging.desk, now_us=exchanging.now_us)
    with ThreadPoolExecutor(2) as both:
        looks = [both.submit(list_due, exchanging.new_desk(), now_us=exchanging.now_us) for _ in range(2)]
        for one in looks:
            one.result()
    assert len(rows(exchanging.db, tables.entries)) == 6
    derive_due(exchanging.desk, now_us=exchanging.now_us)
    with ThreadPoolExecutor(2) as both:
        looks = [both.submit(enrol_due, exchanging.new_desk(), now_us=exchanging.now_us) for _ in range(2)]
        for one in looks:
            one.result()
    enrol_due(exchanging.desk, now_us=exchanging.now_us)  # what was postponed
    assert len(rows(exchanging.db, TABLES["watchlist"].photos)) == 6
    assert [row["sealed"] for row in rows(exchanging.db, tables.photos)] == [None] * 6
    assert len(list(exchanging.folder.joinpath("face-keys").rglob("*.key"))) == 6
    with exchanging.db.read() as connection:
        assert check(connection, INVARIANTS) == []


def test_a_recall_works_while_the_switch_is_off(exchanging):
    exchanging.accept(bundle([given("E1", A)], A, number=1))
    with exchanging.db.write() as connection:
        turn_off(connection, "watchlist", staff_id=None, why="暂停", now_us=exchanging.now_us)
    assert exchanging.receive(bundle([], number=2, revokes_all=True)).recalled == 1


def test_a_list_neither_gets_around_an_appeal_nor_brings_back_whom_people_let_go(exchanging):
    exchanging.accept(bundle([given("E1", A), given("E2", B)], A, B, number=1))
    entries, desk, who = exchanging.entries(), exchanging.desk, exchanging.protector
    with exchanging.db.write() as connection:
        for one in ("E1", "E2"):
            appeal(desk, connection, entries[one].id, text="不是我", operator=who, now_us=exchanging.now_us)
        uphold_appeal(desk, connection, entries["E2"].id, reason="确非本人", operator=who, now_us=exchanging.now_us)
    wipe_due(desk, now_us=exchanging.now_us)
    data = bundle([given("E1", C, name="改"), given("E2", C)], C, number=2)
    _, difference = exchanging.accept(data)
    assert difference.taken == frozenset()
    assert exchanging.entries()["E1"].state == "suspended"
    assert exchanging.entries()["E2"].state == "withdrawn"


def test_who_is_here_already_and_who_is_too_alike_is_told_before_anybody_accepts(exchanging):
    here = exchanging.listed(photo((10, 1, 1)))
    insider = operator(exchanging.db, "window", now_us=exchanging.now_us)
    (looked,) = exchanging.desk.look_at([photo((30, 7, 7))])
    give_staff_photo(exchanging.desk, looked, operator=insider, now_us=exchanging.now_us)
    same_face, twin = photo((10, 9, 9)), photo((20, 8, 8))
    document = {"kind": "passport", "number": "E1234567"}
    entries = [given("E1", same_face), given("E2", B), given("E3", twin), given("E4", C, document=document)]
    received = exchanging.receive(bundle(entries, same_face, B, twin, C))
    difference = exchanging.check(received.bundle_id)
    assert {(one.id, one.entry_id, one.how) for one in difference.already} == {
        ("E1", here, "face"),
        ("E4", here, "document"),
    }
    assert {(one.id, one.other_id, one.operator_id) for one in difference.alike} == {
        ("E2", "E3", None),
        ("E4", None, insider.id),
    }


def test_listing_goes_on_where_a_crash_cut_it_short(exchanging):
    received = exchanging.receive(bundle([given(f"E{n}", photo((n, 1, 1))) for n in range(1, 6)], *many(1, 6)))
    exchanging.check(received.bundle_id)
    with exchanging.db.write() as connection:
        asked = ask_import(
            connection, received.bundle_id, reason="x", operator=exchanging.asker, now_us=exchanging.now_us
        )
    exchanging.agree(asked)
    apply_due(exchanging.desk, now_us=exchanging.now_us)
    assert list_due(exchanging.desk, now_us=exchanging.now_us, limit=2) == 2
    assert exchanging.bundle(received.bundle_id).state == "accepted"
    assert list_due(exchanging.desk, now_us=exchanging.now_us) == 3
    assert list_due(exchanging.desk, now_us=exchanging.now_us) == 0
    assert sorted(exchanging.entries()) == [f"E{n}" for n in range(1, 6)]
    assert len(rows(exchanging.db, tables.entries)) == 5


def many(first, last):
    return [photo((n, 1, 1)) for n in range(first, last)]


def test_an_entry_never_outlives_its_bundle(exchanging):
    exchanging.accept(bundle([given("E1", A)], A, expires_at="2026-04-01T00:00:00+08:00"))
    exchanging.clock.advance(seconds=31 * 86_400)
    assert expire_due(exchanging.desk, now_us=exchanging.now_us) == 1
    assert end_due(exchanging.desk, now_us=exchanging.now_us) == 1
    assert exchanging.entries()["E1"].state == "expired"


def test_our_own_cases_are_exported_once_approved_and_read_by_another_hospital(exchanging):
    entry_id = exchanging.listed(photo((10, 1, 1)))
    exchanging.accept(bundle([given("E1", B)], B))
    derived(exchanging)
    desk, who = exchanging.desk, exchanging.asker
    with exchanging.db.write() as connection:
        asked = ask_export(
            connection, "own", recipient="邻院保卫处", reason="区域联防", operator=who, now_us=desk.clock.now_us()
        )
    given_out = {"issuer_name": "本院", "now_us": exchanging.now_us, "passphrase": "correct horse battery"}
    with pytest.raises(NotApproved):
        export_bundle(desk, asked, operator=who, **given_out)
    exchanging.agree(asked, exchanging.protector)
    with pytest.raises(NotApproved):
        export_bundle(desk, asked, operator=exchanging.protector, **given_out)
    with pytest.raises(InvalidInput):
        export_bundle(desk, asked, operator=who, **{**given_out, "passphrase": None})
    sealed = export_bundle(desk, asked, operator=who, **given_out)
    with pytest.raises(ApprovalEnded):
        export_bundle(desk, asked, operator=who, **given_out)
    assert b"PK" not in sealed[:40]
    plain = unseal(sealed, passphrase="correct horse battery")
    signing, _ = own_public_keys(desk)
    read = read_bundle(plain, key_of=lambda one: signing if one == issuer_id_of(signing) else None)
    assert [one.id for one in read.entries] == [entry_id]  # the police's entries are theirs to hand on
    assert read.photo(read.entries[0].photos[0]) == photo((10, 1, 1))
    assert read.document(read.entries[0].documents[0]) == PDF
    assert (decoded(plain)["number"], decoded(plain)["entries"][0]["name"]) == (1, "雷某")
    (look,) = told(exchanging.db, "record_looked_at")
    assert (look["staff_id"], look["detail"]["data_class"]) == (who.id, "face")
    assert own_keys(desk)[0].private_bytes_raw() != KEY.private_bytes_raw()


def exported(exchanging, **more):
    desk, who = exchanging.desk, exchanging.asker
    with exchanging.db.write() as connection:
        asked = ask_export(connection, "own", recipient="邻院", reason="联防", operator=who, now_us=exchanging.now_us)
    exchanging.agree(asked, exchanging.protector)
    given_out = {"issuer_name": "本院", "now_us": exchanging.now_us, "passphrase": "correct horse battery"}
    sealed = export_bundle(desk, asked, operator=who, **{**given_out, **more})
    return decoded(unseal(sealed, passphrase="correct horse battery"))


def test_what_ended_here_is_taken_back_by_the_next_export(exchanging):
    ended = exchanging.listed(photo((10, 1, 1)))
    stays = exchanging.listed(photo((50, 1, 1)), person=nobody(5))
    never = exchanging.proposed(photo((60, 1, 1)), person=nobody(6))
    assert {one["id"] for one in exported(exchanging)["entries"]} == {ended, stays}
    with exchanging.db.write() as connection:
        for one in (ended, never.entry_id):
            withdraw(
                exchanging.desk, connection, one, reason="弄错了", operator=exchanging.asker, now_us=exchanging.now_us
            )
    second = exported(exchanging)
    assert (second["number"], [one["id"] for one in second["entries"]]) == (2, [stays])
    assert [one["id"] for one in second["revoked"]] == [ended]  # who was never listed was never handed over
    last = exported(exchanging, revoke_all=True)
    assert (last["number"], last["entries"], last["revokes_all"]) == (3, [], True)


def test_a_passphrase_that_is_guessed_too_soon_uses_up_no_approval(exchanging):
    exchanging.listed(photo((10, 1, 1)))
    with pytest.raises(InvalidInput):
        exported(exchanging, passphrase="short")
    assert [e["detail"]["change"] for e in told(exchanging.db, "approval_changed")][-1] == "agreed"


def test_nobody_of_a_list_is_told_by_its_report_or_its_events(exchanging):
    document = {"kind": "passport", "number": "E7654321"}
    exchanging.accept(bundle([given("E1", A, name="张大嘴", document=document)], A))
    kept = repr(rows(exchanging.db, tables.bundles)) + repr(told(exchanging.db, "watch_bundle_changed"))
    for secret in ("张大嘴", "E7654321"):
        assert secret not in kept
