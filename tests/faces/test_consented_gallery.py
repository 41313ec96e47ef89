"""A patient who consented is compared with their own photographs and nobody else's; nothing searches this gallery."""

import pytest
from sqlalchemy import update

from faces.enrolling import NOW_US, Agreed, ColourEngine, photo, setup_for
from hospital import rows
from shouhao.faces.consented_gallery import LIST_ID, ConsentedGallery, FaceConsentNeeded
from shouhao.faces.model import PackMixed, PurposeMixed
from shouhao.faces.tables import TABLES
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.kernel.errors import NotFound, Tampered

TABLE, OTHER = TABLES["consented"], TABLES["watchlist"]
ENGINE = ColourEngine()


@pytest.fixture
def setup(db, tmp_path):
    return setup_for(db, tmp_path / "keys", purpose="consented", lists=(LIST_ID,))


@pytest.fixture
def agreed():
    return Agreed()


@pytest.fixture
def gallery(setup, agreed):
    return ConsentedGallery(setup, consents=agreed, lock_required=False)


def enrol(gallery, patient_id="pt_1", colour=(10, 1, 1)):
    return gallery.enrol(patient_id=patient_id, photo=photo(colour), now_us=NOW_US)


def probe(colour, purpose="consented"):
    return ENGINE.probe(colour, purpose=purpose)


def test_a_patient_is_who_they_say_or_not(gallery):
    enrol(gallery)
    enrol(gallery, colour=(10, 5, 5))
    same = gallery.compare("pt_1", probe((10, 5, 5)))
    assert same.same
    assert same.similarity_cos == pytest.approx(1)
    other = gallery.compare("pt_1", probe((20, 5, 5)))
    assert not other.same
    assert other.threshold_cos == 0.7


def test_another_patient_s_photograph_is_never_looked_at(gallery):
    enrol(gallery, "pt_1", (10, 1, 1))
    enrol(gallery, "pt_2", (20, 1, 1))
    assert not gallery.compare("pt_1", probe((20, 1, 1))).same


def test_who_has_no_photograph_is_told_so(gallery):
    with pytest.raises(NotFound):
        gallery.compare("pt_1", probe((10, 1, 1)))


def test_consent_withdrawn_is_everything_erased(gallery, setup, db, tmp_path):
    enrol(gallery)
    kept = rows(db, TABLE.subjects), rows(db, TABLE.photos), rows(db, TABLE.templates)
    gallery.erase("pt_1", now_us=NOW_US)
    assert [rows(db, table) for table in (TABLE.subjects, TABLE.photos, TABLE.templates)] == [[], [], []]
    assert list(tmp_path.rglob("*.key")) == []
    with db.write() as connection:  # a backup is put back
        for table, stored in zip((TABLE.subjects, TABLE.photos, TABLE.templates), kept, strict=True):
            connection.execute(table.insert(), stored)
    with pytest.raises(NotFound):
        gallery.compare("pt_1", probe((10, 1, 1)))


def test_a_face_from_a_camera_cannot_be_asked_about_here(gallery):
    enrol(gallery)
    with pytest.raises(PurposeMixed):
        gallery.compare("pt_1", probe((10, 1, 1), purpose="watchlist"))


def test_a_probe_of_another_pack_is_refused(gallery):
    enrol(gallery)
    with pytest.raises(PackMixed):
        gallery.compare("pt_1", ColourEngine(pack_id="other@1").probe((10, 1, 1), purpose="consented"))


def test_the_two_galleries_share_no_table_and_no_key(gallery, db, tmp_path):
    enrol(gallery, "same id")
    watch = setup_for(db, tmp_path / "keys")
    with WatchlistGallery(watch, lock_required=False, now_us=NOW_US) as watchlist:
        assert watchlist.search(probe((10, 1, 1), purpose="watchlist")) == []
        watchlist.enrol(subject_id="same id", list_id="own", ground_id="gr_1", photo=photo((20, 1, 1)), now_us=NOW_US)
        watchlist.erase("same id", now_us=NOW_US)
    assert gallery.compare("same id", probe((10, 1, 1))).same
    names = {name for tables in (TABLE, OTHER) for name in vars_of(tables)}
    assert len(names) == 10


def vars_of(tables):
    return [getattr(tables, name).name for name in ("subjects", "photos", "templates", "packs", "thresholds")]


def test_a_row_moved_from_one_gallery_to_the_other_does_not_open(gallery, setup, db, tmp_path):
    watch = setup_for(db, tmp_path / "keys")
    with WatchlistGallery(watch, lock_required=False, now_us=NOW_US) as watchlist:
        watchlist.enrol(subject_id="pt_1", list_id="own", ground_id="gr_1", photo=photo((10, 1, 1)), now_us=NOW_US)
    enrol(gallery, "pt_1", (20, 1, 1))
    (stolen,) = rows(db, OTHER.templates)
    with db.write() as connection:
        connection.execute(update(TABLE.templates).values(sealed=stolen["sealed"]))
    with pytest.raises(Tampered):
        gallery.compare("pt_1", probe((10, 1, 1)))


def test_nobody_is_enrolled_or_compared_without_consent(gallery, agreed, db):
    agreed.uses = set()
    with pytest.raises(FaceConsentNeeded):
        enrol(gallery)
    assert rows(db, TABLE.subjects) == []
    agreed.uses = {"face_check"}
    enrol(gallery)
    assert gallery.compare("pt_1", probe((10, 1, 1))).same
    with pytest.raises(FaceConsentNeeded):  # agreed to one use, asked for another
        gallery.compare("pt_1", probe((10, 1, 1)), use="face_leave_out")
    agreed.uses = set()
    with pytest.raises(FaceConsentNeeded):
        gallery.compare("pt_1", probe((10, 1, 1)))


def test_a_consent_withdrawn_while_the_face_was_looked_for_leaves_nothing(gallery, agreed, db, tmp_path):
    agreed.lasts = 1
    with pytest.raises(FaceConsentNeeded):
        enrol(gallery)
    assert rows(db, TABLE.subjects) == rows(db, TABLE.templates) == []
    assert list(tmp_path.rglob("*.key")) == []


def test_an_erasure_that_was_cut_short_is_finished(gallery, db):
    enrol(gallery)
    with db.write() as connection:
        connection.execute(update(TABLE.subjects).values(erasing_at_us=NOW_US))
    with pytest.raises(NotFound):
        gallery.compare("pt_1", probe((10, 1, 1)))
    assert gallery.finish_erasures(now_us=NOW_US) == 1
    assert rows(db, TABLE.subjects) == []
