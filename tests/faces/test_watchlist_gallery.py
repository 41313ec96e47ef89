"""The watchlist's gallery finds everybody on it, forgets whom it must, and answers no other purpose."""

import threading

import numpy as np
import pytest
from sqlalchemy import select, update

from faces.enrolling import BLACK, GREY, NOW_US, VAULT, WHITE, Agreed, ColourEngine, photo, setup_for
from hospital import events, rows
from shouhao.faces import enrolment
from shouhao.faces.consented_gallery import ConsentedGallery
from shouhao.faces.enrolment import BeingErased, NoThreshold, OnAnotherList, PackNotLive, set_threshold
from shouhao.faces.keys import KeyFolder
from shouhao.faces.model import NoFace, PackMixed, PictureRefused, PoorFace, PurposeMixed, SeveralFaces
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.kernel.errors import InvalidInput, NotFound, Tampered

TABLE = TABLES["watchlist"]
ENGINE = ColourEngine()


@pytest.fixture
def setup(db, tmp_path):
    return setup_for(db, tmp_path / "keys")


@pytest.fixture
def gallery(setup):
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as opened:
        yield opened


def enrol(gallery, subject_id="we_1", colour=(10, 1, 1), *, list_id="own", **more):
    return gallery.enrol(
        subject_id=subject_id, list_id=list_id, ground_id="gr_1", photo=photo(colour), now_us=NOW_US, **more
    )


def found(gallery, colour, **more):
    return [hit.subject_id for hit in gallery.search(ENGINE.probe(colour), **more)]


def counts(db):
    return [len(rows(db, table)) for table in (TABLE.subjects, TABLE.photos, TABLE.templates)]


def test_a_person_is_found_by_another_photograph(gallery):
    enrolled = enrol(gallery)
    enrol(gallery, "we_2", (20, 1, 1))
    (hit,) = gallery.search(ENGINE.probe((10, 2, 2)))
    assert (hit.subject_id, hit.list_id, hit.photo_id) == ("we_1", "own", enrolled.photo_id)
    assert hit.threshold_cos == 0.7 <= hit.similarity_cos <= 1
    assert found(gallery, (30, 1, 1)) == []


def test_of_several_photographs_the_most_alike_speaks(gallery):
    photos = [enrol(gallery, colour=(10, n, n)).photo_id for n in range(1, 5)]
    (hit,) = gallery.search(ENGINE.probe((10, 3, 3)))
    assert hit.photo_id == photos[2]
    assert hit.similarity_cos == pytest.approx(1)


def test_each_list_has_its_own_threshold(gallery, setup):
    enrol(gallery, "we_1", (10, 1, 1), list_id="own")
    enrol(gallery, "we_2", (10, 2, 2), list_id="police")
    assert set(found(gallery, (10, 3, 3))) == {"we_1", "we_2"}
    set_threshold(
        setup, list_id="police", pack="colour@1", similarity_cos=0.999, derived_from={"why": "stricter"}, now_us=NOW_US
    )
    gallery.refresh()
    assert found(gallery, (10, 3, 3)) == ["we_1"]
    assert [hit.subject_id for hit in gallery.nearest(ENGINE.probe((10, 3, 3)), most=5)] != ["we_1"]


def test_the_nearest_are_people_and_not_photographs(gallery):
    for n in range(6):
        enrol(gallery, "we_1", (10, n, n))
    enrol(gallery, "we_2", (20, 1, 1))
    near = gallery.nearest(ENGINE.probe((10, 3, 3)), most=2)
    assert [hit.subject_id for hit in near] == ["we_1", "we_2"]
    assert len(gallery.nearest(ENGINE.probe((10, 3, 3)), most=9)) == 2


def test_what_is_kept_names_no_face_in_clear(gallery, db, db_url):
    colour = (10, 1, 1)
    enrol(gallery, colour=colour)
    stored = b"".join(bytes(row["sealed"]) for table in (TABLE.photos, TABLE.templates) for row in rows(db, table))
    assert photo(colour)[:64] not in stored
    assert ENGINE.embedding(colour).tobytes()[:16] not in stored


def test_a_gallery_is_the_same_after_it_was_opened_again(gallery, setup):
    for n in range(20):
        enrol(gallery, f"we_{n}", (10 * n, 1, 1))
    before = gallery.search(ENGINE.probe((50, 2, 2)))
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as again:
        assert again.search(ENGINE.probe((50, 2, 2))) == before
        assert len(again) == 20


def test_an_erased_person_is_in_no_place_any_more(gallery, setup, db, tmp_path):
    enrol(gallery, "we_1", (10, 1, 1))
    enrol(gallery, "we_2", (20, 1, 1))
    gallery.erase("we_1", now_us=NOW_US)
    assert found(gallery, (10, 1, 1)) == []
    assert found(gallery, (20, 1, 1)) == ["we_2"]
    assert counts(db) == [1, 1, 1]
    assert len(list(tmp_path.rglob("*.key"))) == 1
    with pytest.raises(NotFound):
        gallery.erase("we_1", now_us=NOW_US)


def test_a_backup_from_before_the_erasure_brings_nobody_back(gallery, setup, db):
    enrol(gallery)
    backup = {table: rows(db, table) for table in (TABLE.subjects, TABLE.photos, TABLE.templates)}
    gallery.erase("we_1", now_us=NOW_US)
    with db.write() as connection:
        for table, kept in backup.items():
            connection.execute(table.insert(), kept)
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as restored:
        assert found(restored, (10, 1, 1)) == []
    with db.read() as connection:
        (stored,) = connection.execute(select(TABLE.photos)).all()
    with pytest.raises(NotFound):
        enrolment.photo_of(setup, enrolment.store.StoredPhoto(id=stored.id, subject_id="we_1", sealed=stored.sealed))


@pytest.mark.parametrize("step", ["key", "rows"])
def test_an_erasure_that_was_cut_short_is_finished_at_the_next_opening(gallery, setup, db, monkeypatch, step):
    enrol(gallery)

    def crash(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "key":
            patch.setattr(KeyFolder, "erase", crash)
        else:
            patch.setattr(enrolment.store, "delete_subject", crash)
        with pytest.raises(KeyboardInterrupt):
            gallery.erase("we_1", now_us=NOW_US)
    assert found(gallery, (10, 1, 1)) == []
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as again:
        assert found(again, (10, 1, 1)) == []
    assert counts(db) == [0, 0, 0]
    assert setup.keys.find("we_1") is None


def test_nothing_is_added_to_a_person_who_is_being_erased(gallery, db):
    enrol(gallery)
    with db.write() as connection:
        connection.execute(update(TABLE.subjects).values(erasing_at_us=NOW_US))
    with pytest.raises(BeingErased):
        enrol(gallery, colour=(10, 2, 2))
    assert counts(db) == [1, 1, 1]


def test_what_other_processes_changed_comes_with_a_refresh(gallery, setup):
    with WatchlistGallery(setup, lock_required=False, now_us=NOW_US) as other:
        enrol(other, "we_1", (10, 1, 1))
        enrol(other, "we_2", (20, 1, 1))
        assert found(gallery, (10, 1, 1)) == []
        gallery.refresh()
        assert found(gallery, (10, 1, 1)) == ["we_1"]
        other.erase("we_1", now_us=NOW_US)
        gallery.refresh()
        assert found(gallery, (10, 1, 1)) == []
        assert found(gallery, (20, 1, 1)) == ["we_2"]


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (photo(BLACK), NoFace),
        (photo(WHITE), SeveralFaces),
        (photo(GREY), PoorFace),
        (b"not a picture", PictureRefused),
    ],
)
def test_a_photograph_that_is_not_fit_changes_nothing(gallery, db, tmp_path, given, refusal):
    with pytest.raises(refusal):
        gallery.enrol(subject_id="we_1", list_id="own", ground_id="gr_1", photo=given, now_us=NOW_US)
    assert counts(db) == [0, 0, 0]
    assert len(gallery) == 0
    assert list(tmp_path.rglob("*.key")) == []


def test_a_person_may_let_a_named_problem_pass(gallery):
    with pytest.raises(PoorFace) as refusal:
        enrol(gallery, colour=GREY)
    assert refusal.value.data["problems"] == ["blurred"]
    assert "模糊" in refusal.value.says("zh")
    enrol(gallery, colour=GREY, accepted=frozenset({"blurred"}))
    assert found(gallery, GREY) == ["we_1"]


def test_nobody_is_listed_without_ground_list_or_threshold(gallery, db):
    with pytest.raises(InvalidInput):
        gallery.enrol(subject_id="we_1", list_id="own", ground_id="", photo=photo((10, 1, 1)), now_us=NOW_US)
    with pytest.raises(NoThreshold):
        enrol(gallery, list_id="unheard of")
    enrol(gallery, list_id="own")
    with pytest.raises(OnAnotherList):
        enrol(gallery, colour=(10, 2, 2), list_id="police")
    assert counts(db) == [1, 1, 1]


@pytest.mark.parametrize("similarity", [0, -0.1, 1.1, float("nan")])
def test_a_threshold_that_everybody_reaches_is_refused(setup, similarity):
    with pytest.raises(InvalidInput):
        set_threshold(setup, list_id="own", pack="colour@1", similarity_cos=similarity, derived_from={}, now_us=NOW_US)


def test_a_changed_template_is_an_alarm_and_not_a_miss(gallery, setup, db):
    enrol(gallery)
    enrol(gallery, "we_2", (20, 1, 1))
    (first, second) = rows(db, TABLE.templates)
    with db.write() as connection:  # one person's template in the place of another's
        connection.execute(
            update(TABLE.templates)
            .where(TABLE.templates.c.photo_id == first["photo_id"])
            .values(sealed=second["sealed"])
        )
    with pytest.raises(Tampered):
        WatchlistGallery(setup, lock_required=False, now_us=NOW_US)


def test_a_probe_of_another_pack_is_refused(gallery):
    enrol(gallery)
    with pytest.raises(PackMixed):
        gallery.search(ColourEngine(pack_id="other@1").probe((10, 1, 1)))


def test_a_probe_for_the_other_purpose_is_refused_and_so_are_its_keys(gallery, setup, db, tmp_path):
    enrol(gallery)
    probe = ENGINE.probe((10, 1, 1), purpose="consented")
    for ask in (gallery.search, gallery.nearest):
        with pytest.raises(PurposeMixed):
            ask(probe)
    with pytest.raises(PurposeMixed):
        ConsentedGallery(setup, consents=Agreed(), lock_required=False)
    other = setup_for(db, tmp_path / "keys", purpose="consented", lists=("patients",))
    with pytest.raises(PurposeMixed):
        WatchlistGallery(other, lock_required=False, now_us=NOW_US)


def test_a_gallery_without_a_live_pack_or_an_engine_for_it_is_refused(gallery, setup, db, tmp_path):
    enrol(gallery)
    keys = KeyFolder(tmp_path / "keys", VAULT, "watchlist")
    unfit = enrolment.GallerySetup(db=db, keys=keys, engines={"other@1": ColourEngine(pack_id="other@1")})
    with pytest.raises(PackNotLive):
        WatchlistGallery(unfit, lock_required=False, now_us=NOW_US)
    with pytest.raises(PackNotLive):
        enrolment.begin(unfit, pack="other@1", now_us=NOW_US)


def test_searching_while_people_come_and_go_never_breaks(gallery):
    stays = ENGINE.probe((10, 1, 1))
    enrol(gallery, "stays", (10, 1, 1))
    seen, stop = [], threading.Event()

    def search():
        while not stop.is_set():
            seen.append([hit.subject_id for hit in gallery.search(stays)])

    thread = threading.Thread(target=search)
    thread.start()
    for n in range(2, 12):
        enrol(gallery, f"we_{n}", (10 * n, 1, 1))
        gallery.erase(f"we_{n}", now_us=NOW_US)
    stop.set()
    thread.join()
    assert seen
    assert all(one == ["stays"] for one in seen)


def test_the_vectors_of_a_list_can_be_held_against_each_other(gallery):
    enrol(gallery, "we_1", (10, 1, 1))
    enrol(gallery, "we_2", (20, 1, 1))
    with gallery.vectors("colour@1") as (vectors, subjects, photos):
        assert sorted(subjects) == ["we_1", "we_2"]
        assert len(photos) == 2
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
        held = vectors
    assert not held.any()


def test_erasing_leaves_no_vector_in_memory_that_can_be_asked_for(gallery):
    enrol(gallery)
    gallery.erase("we_1", now_us=NOW_US)
    assert gallery.nearest(ENGINE.probe((10, 1, 1))) == []


def test_every_change_is_an_event(gallery, db):
    enrol(gallery, staff_id="st_1")
    gallery.erase("we_1", now_us=NOW_US, staff_id="st_2")
    (enrolled,), (erased,) = events(db, "face_enrolled"), events(db, "face_erased")
    assert (enrolled["staff_id"], erased["staff_id"]) == ("st_1", "st_2")
    assert '"purpose":"watchlist"' in enrolled["detail"]
    assert len(events(db, "face_threshold_set")) == 2
