"""The watchlist with real models and photographs: who is listed is found by another photograph, and nobody else is."""

import pytest

from flows.exchanging import Exchanging
from flows.listing import nobody
from shouhao.faces.derivation import known_from_manifest
from shouhao.faces.engines import Engines
from shouhao.faces.images import read_picture
from shouhao.faces.model import Probe, Refused
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.faces.store import newest_threshold
from shouhao.faces.watchlist_gallery import WatchlistGallery
from shouhao.flows.watch_closeness import hold_against_due
from shouhao.flows.watch_desk import WatchSettings
from shouhao.flows.watch_thresholds import derive_due
from shouhao.flows.watchlist import enrol_due
from shouhao.watch.store.close_pairs import open_pairs
from watch.made_bundle import bundle, given, sha256

PEOPLE = 12
STRANGERS = 60


@pytest.fixture(scope="module")
def pack(models_dir):
    return load_pack("arcface-onnx", models_dir=models_dir)


@pytest.fixture(scope="module")
def engine(models_dir, pack):
    return open_engine(pack, models_dir=models_dir, threads=1)


@pytest.fixture(scope="module")
def people(faces_dir, engine):
    """(name, two photographs) of people of whom both show one fit face, and strangers' faces."""
    pairs, strangers = [], []
    for folder in sorted((faces_dir / "lfw-dev").iterdir()):
        files = sorted(folder.iterdir())
        try:
            if len(files) >= 2 and len(pairs) < PEOPLE:
                photos = [one.read_bytes() for one in files[:2]]
                fit = [engine.enrolment_face(read_picture(one)).quality.problems for one in photos]
                if not any(fit):
                    pairs.append(photos)
            elif len(strangers) < STRANGERS:
                strangers.append(engine.enrolment_face(read_picture(files[0].read_bytes())))
        except Refused:
            continue
        if len(pairs) == PEOPLE and len(strangers) == STRANGERS:
            break
    return pairs, strangers


@pytest.fixture
def keeping(sqlite_db, tmp_path, models_dir, engine, pack):
    kept = Exchanging(
        sqlite_db,
        tmp_path,
        engine=engine,
        known=known_from_manifest(pack),
        settings=WatchSettings(passages_a_day=20_000),
    )
    # What a running system has: engines by pack, looked up in the models folder.
    engines = Engines(models_dir, lambda _: engine)
    assert engines[pack.id] is engine
    return kept


def probe(face):
    return Probe(purpose="watchlist", embedding=face.embedding, pack=face.pack, quality=face.quality.score)


def test_listed_people_are_found_by_another_photograph_and_strangers_by_none(keeping, people, engine, pack):
    pairs, strangers = people
    ids = [keeping.listed(pair[0], person=nobody(n)) for n, pair in enumerate(pairs)]
    with keeping.db.read() as connection:
        threshold = newest_threshold(connection, "watchlist", list_id="own", pack=pack.id)
    assert threshold.derived_from["basis"] == "manifest"
    assert PEOPLE / 1.2 <= threshold.derived_from["list_size"] <= PEOPLE  # derived anew at each fifth more
    with WatchlistGallery(keeping.desk.setup, lock_required=False, now_us=keeping.now_us) as gallery:
        found = [
            [hit.subject_id for hit in gallery.search(probe(engine.enrolment_face(read_picture(pair[1]))))]
            for pair in pairs
        ]
        raised = [face for face in strangers if gallery.search(probe(face))]
    right = sum(hits == [entry_id] for hits, entry_id in zip(found, ids, strict=True))
    wrong = [hits for hits, entry_id in zip(found, ids, strict=True) if hits and hits != [entry_id]]
    assert (wrong, raised) == ([], [])
    assert right >= PEOPLE * 2 // 3  # one photograph against one, at ten false alarms a day


def test_one_person_under_two_names_is_marked_for_a_person(keeping, people):
    pairs, _ = people
    first = keeping.listed(pairs[0][0], person=nobody(1))
    keeping.listed(pairs[1][0], person=nobody(2))
    second = keeping.listed(pairs[0][1], person=nobody(3))
    hold_against_due(keeping.desk, now_us=keeping.now_us)
    with keeping.db.read() as connection:
        marked = open_pairs(connection)
    assert [{pair.entry_id, pair.other_entry_id} for pair in marked] == [{first, second}]


def test_a_list_of_real_photographs_comes_and_one_already_here_is_told(keeping, people):
    pairs, _ = people
    here = keeping.listed(pairs[0][0], person=nobody(1))
    photos = [pairs[0][1], *(pair[0] for pair in pairs[1:])]
    data = bundle([given(f"E{n}", one) for n, one in enumerate(photos)], *photos)
    _, difference = keeping.accept(data)
    assert [(one.id, one.entry_id, one.how) for one in difference.already] == [("E0", here, "face")]
    assert difference.alike == ()
    assert set(difference.photo_reports) == {sha256(one) for one in photos}
    derive_due(keeping.desk, now_us=keeping.now_us)
    assert enrol_due(keeping.desk, now_us=keeping.now_us) == PEOPLE
