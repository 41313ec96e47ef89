"""What must hold of the galleries is checked on the data itself, and each check finds what breaks it."""

import pytest

from faces.enrolling import NOW_US, photo, setup_for
from shouhao.faces.store import INVARIANTS
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.store.invariants import check

TABLE = TABLES["watchlist"]


@pytest.fixture
def gallery(db, tmp_path):
    with WatchlistGallery(setup_for(db, tmp_path / "keys"), lock_required=False, now_us=NOW_US) as opened:
        opened.enrol(subject_id="we_1", list_id="own", ground_id="gr_1", photo=photo((10, 1, 1)), now_us=NOW_US)
        yield opened


def broken(db):
    with db.read() as connection:
        return {(violation.code, violation.examples) for violation in check(connection, INVARIANTS)}


def write(db, statement):
    with db.write() as connection:
        connection.execute(statement)


def test_a_gallery_in_order_breaks_none(gallery, db):
    assert broken(db) == set()


def test_two_live_packs_are_found(gallery, db):
    write(db, TABLE.packs.insert().values(pack="other@1", state="live", dims=64, since_us=NOW_US))
    assert ("faces.watchlist.several_live_packs", ("other@1",)) in broken(db)


def test_a_template_of_a_pack_that_was_left_is_found(gallery, db):
    write(db, TABLE.packs.update().values(state="retired"))
    ((code, _),) = broken(db)
    assert code == "faces.watchlist.template_left_behind"


def test_a_list_that_can_find_nobody_is_found(gallery, db):
    write(db, TABLE.thresholds.delete().where(TABLE.thresholds.c.list_id == "own"))
    assert broken(db) == {("faces.watchlist.list_without_threshold", ("own",))}


def test_a_person_without_a_photograph_is_found(gallery, db):
    write(db, TABLE.templates.delete())
    write(db, TABLE.photos.delete())
    assert broken(db) == {("faces.watchlist.person_without_photograph", ("we_1",))}
