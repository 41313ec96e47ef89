"""A gallery changes its pack while it goes on answering, finishes after any crash, and loses nobody on the way."""

import pytest

from faces.enrolling import NOW_US, ColourEngine, photo, setup_for
from hospital import events, rows
from racing import before_its_end
from shouhao.faces import changeover
from shouhao.faces.changeover import NotAllSeen, abandon, advance, start, switch
from shouhao.faces.enrolment import GallerySetup, NoThreshold, PackNotLive, set_threshold
from shouhao.faces.enrolment import enrol as enrol_at_once
from shouhao.faces.model import PackMixed
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery

TABLE = TABLES["watchlist"]
OLD, NEW = ColourEngine(pack_id="old@1"), ColourEngine(pack_id="new@2")


@pytest.fixture
def setup(db, tmp_path):
    return setup_for(db, tmp_path / "keys", OLD, NEW)


@pytest.fixture
def gallery(setup):
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as opened:
        yield opened


def enrol(gallery, n):
    gallery.enrol(subject_id=f"we_{n}", list_id="own", ground_id="gr_1", photo=photo((10 * n, 1, 1)), now_us=NOW_US)


def found(gallery, engine, n):
    return [hit.subject_id for hit in gallery.search(engine.probe((10 * n, 2, 2)))]


def build(setup, pack="new@2"):
    while advance(setup, pack=pack, most=3).left:
        pass


def packs_of_templates(db):
    return sorted({row["pack"] for row in rows(db, TABLE.templates)})


def test_both_packs_answer_until_the_switch_and_then_the_new_one(gallery, setup, db):
    for n in range(8):
        enrol(gallery, n)
    start(setup, pack="new@2", now_us=NOW_US)
    build(setup)
    gallery.refresh()
    assert found(gallery, OLD, 5) == found(gallery, NEW, 5) == ["we_5"]
    switch(setup, pack="new@2", now_us=NOW_US)
    gallery.refresh()
    assert found(gallery, NEW, 5) == ["we_5"]
    with pytest.raises(PackMixed):
        found(gallery, OLD, 5)
    assert packs_of_templates(db) == ["new@2"]
    assert len(events(db, "face_pack_changed")) == 4


def test_who_cannot_build_the_new_pack_goes_on_searching_and_enrols_nobody(gallery, setup, db):
    enrol(gallery, 1)
    start(setup, pack="new@2", now_us=NOW_US)
    build(setup)
    old_alone = type(setup)(db=db, keys=setup.keys, engines={"old@1": OLD})
    with WatchlistGallery(old_alone, lock_required=False, now_us=NOW_US) as elsewhere:
        elsewhere.refresh()
        assert found(elsewhere, OLD, 1) == ["we_1"]
        with pytest.raises(PackNotLive):
            enrol(elsewhere, 2)


def test_who_is_enrolled_or_erased_meanwhile_is_so_in_both(gallery, setup):
    for n in range(4):
        enrol(gallery, n)
    start(setup, pack="new@2", now_us=NOW_US)
    advance(setup, pack="new@2", most=2)
    gallery.refresh()
    enrol(gallery, 7)
    gallery.erase("we_0", now_us=NOW_US)
    gallery.erase("we_3", now_us=NOW_US)
    assert found(gallery, OLD, 7) == found(gallery, NEW, 7) == ["we_7"]
    build(setup)
    switch(setup, pack="new@2", now_us=NOW_US)
    gallery.refresh()
    assert [found(gallery, NEW, n) for n in (0, 1, 2, 3, 7)] == [[], ["we_1"], ["we_2"], [], ["we_7"]]


def test_a_step_that_crashed_is_gone_on_from(gallery, setup, monkeypatch):
    for n in range(6):
        enrol(gallery, n)
    start(setup, pack="new@2", now_us=NOW_US)
    before, put = NEW.looked, changeover._put

    def crash_at_third(*given, seen=[]):  # noqa: B006 - counts over calls
        seen.append(given)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return put(*given)

    monkeypatch.setattr(changeover, "_put", crash_at_third)
    with pytest.raises(KeyboardInterrupt):
        advance(setup, pack="new@2", most=6)
    monkeypatch.setattr(changeover, "_put", put)
    step = advance(setup, pack="new@2", most=6)
    assert (step.done, step.left) == (4, False)
    assert NEW.looked - before == 6 + 4
    switch(setup, pack="new@2", now_us=NOW_US)


def test_two_workers_at_once_write_each_template_once(gallery, setup, db, monkeypatch):
    for n in range(3):
        enrol(gallery, n)
    start(setup, pack="new@2", now_us=NOW_US)
    real = changeover.embedding_of

    def another_was_faster(engine, picture):
        monkeypatch.setattr(changeover, "embedding_of", real)
        advance(setup, pack="new@2")
        return real(engine, picture)

    monkeypatch.setattr(changeover, "embedding_of", another_was_faster)
    assert advance(setup, pack="new@2").done == 0
    assert len([row for row in rows(db, TABLE.templates) if row["pack"] == "new@2"]) == 3


def test_the_switch_waits_until_every_photograph_was_looked_at(gallery, setup):
    for n in range(4):
        enrol(gallery, n)
    with pytest.raises(PackNotLive):
        switch(setup, pack="new@2", now_us=NOW_US)
    start(setup, pack="new@2", now_us=NOW_US)
    advance(setup, pack="new@2", most=3)
    with pytest.raises(NotAllSeen):
        switch(setup, pack="new@2", now_us=NOW_US)


def test_people_whom_the_new_pack_does_not_see_are_named_and_given_up_by_a_person_alone(db, tmp_path):
    blind = ColourEngine(pack_id="new@2", blind_to=(20, 1, 1))
    setup = setup_for(db, tmp_path / "keys", OLD, blind)
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as gallery:
        for n in (1, 2, 3):
            enrol(gallery, n)
        start(setup, pack="new@2", now_us=NOW_US)
        step = advance(setup, pack="new@2")
        assert len(step.unseen) == 1
        with pytest.raises(NotAllSeen) as refusal:
            switch(setup, pack="new@2", now_us=NOW_US)
        assert refusal.value.data == {"unseen": 1}
        switch(setup, pack="new@2", now_us=NOW_US, without_unseen=True)
        gallery.refresh()
        assert [found(gallery, blind, n) for n in (1, 2, 3)] == [["we_1"], [], ["we_3"]]


def test_a_list_without_a_threshold_for_the_new_pack_stops_the_switch(db, tmp_path):
    third = ColourEngine(pack_id="third@3")
    setup = setup_for(db, tmp_path / "keys", OLD)
    setup = type(setup)(db=db, keys=setup.keys, engines={"old@1": OLD, "third@3": third})
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as gallery:
        enrol(gallery, 1)
        start(setup, pack="third@3", now_us=NOW_US)
        build(setup, "third@3")
        with pytest.raises(NoThreshold):
            switch(setup, pack="third@3", now_us=NOW_US)
        set_threshold(
            setup, list_id="own", pack="third@3", similarity_cos=0.7, derived_from={"why": "new"}, now_us=NOW_US
        )
        switch(setup, pack="third@3", now_us=NOW_US)
        gallery.refresh()
        assert found(gallery, third, 1) == ["we_1"]


def test_what_was_begun_can_be_given_up_without_a_trace(gallery, setup, db):
    enrol(gallery, 1)
    start(setup, pack="new@2", now_us=NOW_US)
    build(setup)
    abandon(setup, pack="new@2", now_us=NOW_US)
    gallery.refresh()
    assert found(gallery, OLD, 1) == ["we_1"]
    assert packs_of_templates(db) == ["old@1"]
    with pytest.raises(PackNotLive):
        advance(setup, pack="new@2")
    start(setup, pack="new@2", now_us=NOW_US)
    build(setup)
    switch(setup, pack="new@2", now_us=NOW_US)


def on(setup, db):
    """The same gallery over another's connections."""
    return GallerySetup(db=db, keys=setup.keys, engines=setup.engines)


def test_who_is_enrolled_as_the_pack_is_switched_leaves_no_template_of_the_old_one(postgresql_db, tmp_path):
    db, setup = postgresql_db, setup_for(postgresql_db, tmp_path / "keys", OLD, NEW)
    start(setup, pack="new@2", now_us=NOW_US)
    given = {"list_id": "own", "ground_id": "gr_1", "photo": photo((10, 1, 1)), "now_us": NOW_US}
    before_its_end(
        db,
        lambda held: enrol_at_once(on(setup, held), subject_id="we_1", **given),
        lambda: switch(setup, pack="new@2", now_us=NOW_US),
    )
    assert packs_of_templates(db) == ["new@2"]


def test_a_pack_that_is_given_up_as_it_is_built_leaves_no_template(postgresql_db, tmp_path):
    db, setup = postgresql_db, setup_for(postgresql_db, tmp_path / "keys", OLD, NEW)
    given = {"list_id": "own", "ground_id": "gr_1", "photo": photo((10, 1, 1)), "now_us": NOW_US}
    enrol_at_once(setup, subject_id="we_1", **given)
    start(setup, pack="new@2", now_us=NOW_US)
    before_its_end(
        db,
        lambda held: advance(on(setup, held), pack="new@2"),
        lambda: abandon(setup, pack="new@2", now_us=NOW_US),
    )
    assert packs_of_templates(db) == ["old@1"]


def test_two_who_set_a_threshold_at_once_set_one_after_the_other(postgresql_db, tmp_path):
    setup = setup_for(postgresql_db, tmp_path / "keys", OLD)

    def put(of):
        told = {"list_id": "own", "pack": "old@1", "similarity_cos": 0.6, "derived_from": {}, "now_us": NOW_US}
        return set_threshold(of, **told)

    assert before_its_end(postgresql_db, lambda held: put(on(setup, held)), lambda: put(setup)) == 3


def test_the_live_pack_is_no_pack_to_change_to(setup):
    with pytest.raises(PackNotLive):
        start(setup, pack="old@1", now_us=NOW_US)


def test_a_photograph_without_a_face_for_the_new_pack_is_not_asked_again(db, tmp_path):
    blind = ColourEngine(pack_id="new@2", blind_to=(20, 1, 1))
    setup = setup_for(db, tmp_path / "keys", OLD, blind)
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as gallery:
        enrol(gallery, 2)
        start(setup, pack="new@2", now_us=NOW_US)
        assert not advance(setup, pack="new@2").left
        looked = blind.looked
        advance(setup, pack="new@2")
        assert blind.looked == looked
