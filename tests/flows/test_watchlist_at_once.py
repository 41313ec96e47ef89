"""Two people, or a person and a worker, at one entry, list or bundle at the same moment, on PostgreSQL."""

import pytest
from sqlalchemy import update

from faces.enrolling import photo
from flows.exchanging import Exchanging
from flows.listing import NOW_US, Keeping, nobody
from hospital import rows
from racing import before_its_end, meanwhile
from shouhao.flows.watch_closeness import hold_against_due
from shouhao.flows.watch_thresholds import ask_list_change, list_change_approved
from shouhao.flows.watchlist import propose
from shouhao.flows.watchlist_ends import (
    AskedBefore,
    NoAppeal,
    appeal,
    ask_renewal,
    ask_resumption,
    expire_due,
    remind_of_reviews,
    renew_approved,
    resume_approved,
    review,
    uphold_appeal,
    withdraw,
)
from shouhao.flows.watchlist_exchange import ask_import, ask_issuer, import_approved, issuer_approved
from shouhao.flows.watchlist_listing import list_due
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.approvals import find
from shouhao.watch.store import watchlist_tables as tables
from shouhao.watch.store.lists import ListTerms, find_list
from shouhao.watch.store.watchlist import steps_of
from shouhao.watch.watchlist import AlreadyListed, WrongState
from watch.made_bundle import bundle, given

A, B = photo((10, 1, 1)), photo((20, 1, 1))


@pytest.fixture
def keeping(postgresql_db, tmp_path):
    return Keeping(postgresql_db, tmp_path)


@pytest.fixture
def exchanging(postgresql_db, tmp_path):
    return Exchanging(postgresql_db, tmp_path)


def writing(keeping, act):
    """Something that is done in a unit of work of its own."""

    def done():
        with keeping.db.write() as connection:
            return act(connection)

    return done


def approval(keeping, approval_id):
    with keeping.db.read() as connection:
        return find(connection, approval_id)


def about(keeping, act, entry_id, words="text", **more):
    """What a member of staff does with an entry."""
    how = {words: "复核", "operator": keeping.asker, "now_us": keeping.now_us, **more}
    first = () if act in {ask_renewal, ask_resumption} else (keeping.desk,)
    return lambda connection: act(*first, connection, entry_id, **how)


def test_an_entry_that_is_renewed_in_the_last_moment_does_not_end(keeping):
    entry_id = keeping.listed()
    renewal = writing(keeping, about(keeping, ask_renewal, entry_id, "reason", days=180))()
    asked = approval(keeping, renewal)
    keeping.clock.advance(seconds=3600)
    meanwhile(
        keeping.db,
        lambda connection: renew_approved(keeping.desk, connection, entry_id, asked, now_us=keeping.now_us),
        lambda: expire_due(keeping.desk, now_us=NOW_US + 180 * DAY_US),
    )
    assert (keeping.entry(entry_id).state, keeping.entry(entry_id).ended_at_us) == ("approved", None)


def test_who_has_just_reviewed_an_entry_is_not_reminded_of_it(keeping):
    entry_id = keeping.listed()
    keeping.clock.advance(seconds=90 * 86_400)
    meanwhile(
        keeping.db,
        about(keeping, review, entry_id, "reason"),
        lambda: remind_of_reviews(keeping.desk, now_us=keeping.now_us),
    )
    with keeping.db.read() as connection:
        assert [step.act for step in steps_of(connection, entry_id)] == ["proposed", "list", "reviewed"]


def test_one_document_is_not_proposed_by_two_at_once(keeping):
    looked, how = keeping.desk.look_at([A]), {"operator": keeping.asker, "now_us": keeping.now_us}
    with pytest.raises(AlreadyListed):
        meanwhile(
            keeping.db,
            lambda connection: propose(keeping.desk, connection, keeping.proposal(), looked, **how),
            lambda: keeping.proposed(B),
        )
    assert len(rows(keeping.db, tables.entries)) == 1


def test_two_who_ask_the_same_about_an_entry_ask_once(keeping):
    asking = about(keeping, ask_renewal, keeping.listed(), "reason", days=90)
    with pytest.raises(AskedBefore):
        meanwhile(keeping.db, asking, writing(keeping, asking))


def test_an_appeal_that_two_people_turned_down_is_not_upheld_in_the_same_moment(keeping):
    entry_id = keeping.listed()
    writing(keeping, about(keeping, appeal, entry_id))()
    asked = approval(keeping, writing(keeping, about(keeping, ask_resumption, entry_id, "reason"))())
    with pytest.raises(NoAppeal):
        meanwhile(
            keeping.db,
            lambda connection: resume_approved(connection, entry_id, asked, now_us=keeping.now_us),
            writing(keeping, about(keeping, uphold_appeal, entry_id, "reason")),
        )
    assert (keeping.entry(entry_id).state, keeping.entry(entry_id).appeal) == ("approved", "rejected")


@pytest.mark.parametrize("act", ["review", "renew"])
def test_what_has_just_ended_is_neither_reviewed_nor_given_a_longer_term(keeping, act):
    entry_id = keeping.listed()
    acts = {"review": about(keeping, review, entry_id, "reason")}
    if act == "renew":
        asked = approval(keeping, writing(keeping, about(keeping, ask_renewal, entry_id, "reason", days=90))())
        acts["renew"] = lambda c: renew_approved(keeping.desk, c, entry_id, asked, now_us=keeping.now_us)
    with pytest.raises(WrongState):
        meanwhile(keeping.db, about(keeping, withdraw, entry_id, "reason"), writing(keeping, acts[act]))
    assert keeping.entry(entry_id).state == "withdrawn"


def test_two_changes_of_a_list_that_were_asked_of_the_same_terms_are_not_both_made(keeping):
    laxer, stricter = (ListTerms(name="名单", ground="维护诊疗秩序", false_alarms_a_day=n) for n in (20.0, 5.0))
    how = {"reason": "调整", "operator": keeping.asker, "now_us": keeping.now_us}
    one, other = (
        approval(keeping, writing(keeping, lambda c, terms=terms: ask_list_change(c, "own", terms, **how))())
        for terms in (laxer, stricter)
    )
    with pytest.raises(InvalidInput):
        meanwhile(
            keeping.db,
            lambda connection: list_change_approved(connection, "own", one, now_us=keeping.now_us),
            writing(keeping, lambda c: list_change_approved(c, "own", other, now_us=keeping.now_us)),
        )
    with keeping.db.read() as connection:
        assert (find_list(connection, "own").terms, find_list(connection, "own").version) == (laxer, 2)


def test_two_workers_mark_a_pair_that_is_too_close_once(keeping):
    keeping.listed(A)
    keeping.listed(photo((10, 2, 2)), person=nobody(1))
    before_its_end(
        keeping.db,
        lambda db: _mark_all(keeping, db),
        lambda: hold_against_due(keeping.desk, now_us=keeping.now_us),
    )
    assert len(rows(keeping.db, tables.close_pairs)) == 1


def _mark_all(keeping, db):
    desk = keeping.new_desk()
    desk.db = db
    hold_against_due(desk, now_us=keeping.now_us)


def imported(exchanging, bundle_id):
    """Somebody asks, and what they ask."""
    how = {"reason": "核对无误", "operator": exchanging.asker, "now_us": exchanging.now_us}
    return approval(exchanging, writing(exchanging, lambda c: ask_import(c, bundle_id, **how))())


def test_an_import_is_asked_once_by_two_at_once(exchanging):
    bundle_id = exchanging.receive(bundle([given("E1", A)], A)).bundle_id
    exchanging.check(bundle_id)
    how = {"reason": "核对无误", "operator": exchanging.asker, "now_us": exchanging.now_us}
    with pytest.raises(AskedBefore):
        meanwhile(
            exchanging.db,
            lambda connection: ask_import(connection, bundle_id, **how),
            writing(exchanging, lambda c: ask_import(c, bundle_id, **how)),
        )


def test_a_difference_that_changes_as_it_is_accepted_is_not_accepted(exchanging):
    bundle_id = exchanging.receive(bundle([given("E1", A)], A)).bundle_id
    exchanging.check(bundle_id)
    asked = imported(exchanging, bundle_id)
    looked_at_again = update(tables.bundles).values(report="{}", report_sha256="0" * 64)
    with pytest.raises(InvalidInput):
        meanwhile(
            exchanging.db,
            lambda connection: connection.execute(looked_at_again),
            writing(exchanging, lambda c: import_approved(c, bundle_id, asked, now_us=exchanging.now_us)),
        )
    assert exchanging.bundle(bundle_id).state == "checked"


def test_an_accepted_list_is_taken_though_somebody_gone_from_it_was_just_let_go(exchanging):
    exchanging.accept(bundle([given("E1", A), given("E2", B)], A, B, number=1))
    gone = exchanging.entries()["E2"].id
    bundle_id = exchanging.receive(bundle([given("E1", A)], A, number=2)).bundle_id
    assert exchanging.check(bundle_id).gone == (gone,)
    asked = imported(exchanging, bundle_id)
    meanwhile(
        exchanging.db,
        about(exchanging, withdraw, gone, "reason"),
        writing(exchanging, lambda c: import_approved(c, bundle_id, asked, now_us=exchanging.now_us)),
    )
    assert exchanging.bundle(bundle_id).state == "accepted"
    assert exchanging.entries()["E2"].ended_why == "withdraw"


def test_two_who_were_asked_to_read_one_issuer_s_lists_read_them(exchanging):
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    how = {"reason": "电话核对指纹", "operator": exchanging.asker, "now_us": exchanging.now_us}
    given = {"name": "某医院", "source": "hospital", "public_key": key, **how}
    one, other = (approval(exchanging, writing(exchanging, lambda c: ask_issuer(c, **given))()) for _ in range(2))
    meanwhile(
        exchanging.db,
        lambda connection: issuer_approved(connection, one, now_us=exchanging.now_us),
        writing(exchanging, lambda c: issuer_approved(c, other, now_us=exchanging.now_us)),
    )
    assert [row["name"] for row in rows(exchanging.db, tables.issuers)] == ["某市公安局", "某医院"]


def test_who_appeals_as_a_newer_list_comes_in_is_not_listed_anew(exchanging):
    exchanging.accept(bundle([given("E1", A)], A, number=1))
    before = exchanging.entries()["E1"].id
    bundle_id = exchanging.receive(bundle([given("E1", B)], B, number=2)).bundle_id
    assert exchanging.check(bundle_id).changed == ("E1",)
    asked = imported(exchanging, bundle_id)
    exchanging.agree(asked.id)
    exchanging.due()
    meanwhile(
        exchanging.db,
        about(exchanging, appeal, before),
        lambda: list_due(exchanging.desk, now_us=exchanging.now_us),
    )
    assert (exchanging.entries()["E1"].id, exchanging.entry(before).state) == (before, "suspended")


def test_who_is_being_listed_as_the_list_is_taken_back_does_not_stay(exchanging):
    bundle_id = exchanging.receive(bundle([given("E1", A)], A, number=1)).bundle_id
    exchanging.check(bundle_id)
    asked = imported(exchanging, bundle_id)
    exchanging.agree(asked.id)
    exchanging.due()
    exchanging.desk.begin_gallery()

    def list_it(db):
        desk = exchanging.new_desk()
        desk.db = db
        list_due(desk, now_us=exchanging.now_us)

    before_its_end(exchanging.db, list_it, lambda: exchanging.receive(bundle([], number=2, revokes_all=True)))
    assert exchanging.entries()["E1"].ended_why == "recalled"


def test_an_issuer_takes_back_a_list_of_which_somebody_was_just_let_go(exchanging):
    exchanging.accept(bundle([given("E1", A)], A, number=1))
    entry_id = exchanging.entries()["E1"].id
    taken_back = bundle([], number=2, revokes_all=True)
    meanwhile(exchanging.db, about(exchanging, withdraw, entry_id, "reason"), lambda: exchanging.receive(taken_back))
    assert exchanging.entries()["E1"].state == "withdrawn"
