"""A restricted person is kept and compared with nobody: out of memory at a refresh, back when it is lifted."""

import pytest

from faces.enrolling import NOW_US, ColourEngine, photo, setup_for
from shouhao.faces import store
from shouhao.faces.watchlist_gallery import WatchlistGallery

ENGINE = ColourEngine()


@pytest.fixture
def gallery(db, tmp_path):
    with WatchlistGallery(setup_for(db, tmp_path / "keys"), lock_required=False, now_us=NOW_US) as opened:
        for n, subject_id in ((10, "we_1"), (20, "we_2")):
            opened.enrol(subject_id=subject_id, list_id="own", ground_id="g", photo=photo((n, 1, 1)), now_us=NOW_US)
        yield opened


def restrict(db, *, restricted):
    with db.write() as connection:
        return store.restrict(connection, "watchlist", "we_1", now_us=NOW_US, restricted=restricted)


def found(gallery, colour):
    return [hit.subject_id for hit in gallery.search(ENGINE.probe(colour))]


def test_who_is_restricted_is_found_by_nobody_until_it_is_lifted(gallery, db):
    assert restrict(db, restricted=True)
    gallery.refresh()
    assert (found(gallery, (10, 2, 2)), found(gallery, (20, 2, 2))) == ([], ["we_2"])
    with db.read() as connection:
        assert store.counts(connection, "watchlist") == (2, 2)  # nothing was deleted
        (kept,) = store.photo_ids_with(connection, "watchlist", "colour@1")
        assert [one.photo_id for one in store.templates_of(connection, "watchlist", "colour@1")] == [kept]
    restrict(db, restricted=False)
    gallery.refresh()
    assert found(gallery, (10, 2, 2)) == ["we_1"]


def test_restricting_twice_keeps_the_first_time_and_nobody_is_nobody(gallery, db):
    assert restrict(db, restricted=True)
    assert restrict(db, restricted=True)
    with db.write() as connection:
        assert not store.restrict(connection, "watchlist", "we_9", now_us=NOW_US, restricted=True)


def test_a_restricted_person_is_erased_like_any_other(gallery, db):
    restrict(db, restricted=True)
    gallery.erase("we_1", now_us=NOW_US)
    with db.read() as connection:
        assert store.counts(connection, "watchlist") == (1, 1)


def test_a_photograph_is_named_by_whoever_brings_it(gallery, db):
    gallery._setup.keys.make("we_3")
    with db.read() as connection:
        assert store.find_photo(connection, "watchlist", "fp_none") is None
        (first, _) = sorted(store.photo_ids_with(connection, "watchlist", "colour@1"))
        assert store.find_photo(connection, "watchlist", first).subject_id == "we_1"
