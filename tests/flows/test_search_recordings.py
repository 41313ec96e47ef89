"""Searches of recordings, with real models, real photographs and a recording that the lab made of them."""

import hashlib
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import select

from flows.searching import (
    BEGAN_US,
    LIKE,
    NOW_US,
    OTHERS,
    SPAN,
    WANTED,
    Bench,
    agreed,
    lawful_hospital,
    photograph,
    record,
    walkers,
)
from hospital import events
from lawful import operator
from shouhao.compliance.model import SwitchOff
from shouhao.compliance.store import turn_off
from shouhao.faces.model import NoFace
from shouhao.flows.search_recordings import EntryNotLive, NoSearchThreshold, NotAsApproved, ask_for_search, search
from shouhao.flows.search_run import TooManyHits, Wanted
from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.staff import register
from shouhao.staff.approvals import ApprovalEnded, NotApproved
from shouhao.staff.model import RoleMissing
from shouhao.staff.training import NotTrained
from shouhao.store.schema import metadata
from shouhao.watch.store import recordings as store
from shouhao.watch.store.stills import find_still, open_still
from shouhao.watch.video import Span

REASON = "核对案件线索"


@pytest.fixture(scope="module")
def bench(models_dir):
    return Bench(models_dir)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, faces_dir):
    """One recording with the wanted person third of four, and one without."""
    folder = tmp_path_factory.mktemp("recordings")
    first, second = folder / "20260302083000.mp4", folder / "20260302084000.mkv"
    record(first, walkers(faces_dir, OTHERS[0], OTHERS[1], WANTED, OTHERS[2]), seconds=10)
    record(second, walkers(faces_dir, *OTHERS), seconds=8, kind="matroska")
    return first, second


@pytest.fixture
def desk(sqlite_db, bench, tmp_path):
    return bench.desk(sqlite_db, tmp_path)


@pytest.fixture
def people(desk):
    return lawful_hospital(desk.db)


@pytest.fixture
def wanted(recordings, faces_dir):
    """A photograph of the person that is not the one in the recording."""
    return Wanted(photo=photograph(faces_dir, WANTED, 3), recordings=recordings, camera_id="CAM1", span=SPAN)


def rows(db, name):
    with db.read() as connection:
        return connection.execute(select(metadata.tables[name])).mappings().all()


def files_below(folder):
    return [file for file in folder.rglob("*") if file.is_file() and "sqlite" not in file.name]


def test_one_face_is_found_when_and_where_it_was(desk, people, wanted, tmp_path):
    searcher, second = people
    found = search(desk, wanted, agreed(desk, wanted, *people), reason=REASON, operator=searcher)
    assert found.state == "done"
    assert found.whole
    (hit,) = found.hits
    assert hit.file_number == 1
    assert hit.seen_at_us == pytest.approx(BEGAN_US + 6 * SECOND_US, abs=2.5 * SECOND_US)  # walks from 4 s to 8 s
    assert (hit.camera_id, hit.place_id) == ("CAM1", "P1")
    assert hit.similarity_cos >= hit.threshold_cos == LIKE
    assert found.faces > 7  # everybody's passage was compared
    with desk.db.read() as connection:
        crop = open_still(connection, desk.stills, hit.crop_id)
        assert find_still(connection, hit.crop_id).sha256 == hashlib.sha256(crop).hexdigest()
        assert store.hits_of(connection, found.search_id) == [hit]
        searched = store.files_of(connection, found.search_id)
        (look,) = register.search(connection, data_class="face")
    assert [one.sha256 for one in searched] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in wanted.recordings
    ]
    assert [one.began_known_from for one in searched] == ["name", "name"]
    assert (look.operator_id, look.reason) == (searcher.id, REASON)
    assert [msgspec.json.decode(event["detail"])["act"] for event in events(desk.db, "recording_searched")] == [
        "begun",
        "done",
    ]
    assert second.id not in str(rows(desk.db, "recording_searches"))


def test_nothing_is_kept_but_the_hits(desk, people, wanted, tmp_path):
    """Two stills of the hit with their keys; no template, no photograph, nobody else."""
    search(desk, wanted, agreed(desk, wanted, *people), reason=REASON, operator=people[0])
    assert len(rows(desk.db, "watch_stills")) == 2
    kept = [file for file in files_below(tmp_path) if "face-keys" not in file.parts]
    assert len(kept) == 4
    assert not any(b"\xff\xd8\xff" in file.read_bytes() for file in kept)
    assert rows(desk.db, "watch_faces_templates") == []
    assert rows(desk.db, "watch_faces_subjects") == []


def test_the_face_that_was_searched_for_is_gone_at_the_end(desk, people, wanted, monkeypatch):
    made = []

    class Engine:
        """The real one, with what it made in sight."""

        pack_id = desk.engine.pack_id

        def faces(self, pictures):
            return desk.engine.faces(pictures)

        def probe(self, picture, purpose):
            made.append((picture, desk.engine.probe(picture, purpose)))
            return made[-1][1]

    watched = replace(desk, engine=Engine())
    search(watched, wanted, agreed(watched, wanted, *people), reason=REASON, operator=people[0])
    assert made
    assert not any(picture.any() for picture, _ in made)
    assert not any(probe.embedding.any() for _, probe in made)


def test_a_search_that_is_broken_off_leaves_nothing(desk, people, wanted, tmp_path):
    asked, pictures = agreed(desk, wanted, *people), []
    found = search(
        desk,
        wanted,
        asked,
        reason=REASON,
        operator=people[0],
        on_progress=pictures.append,
        stopped=lambda: len(pictures) >= 39,  # the person has passed by
    )
    assert (found.state, found.hits, found.files) == ("aborted", (), ())
    for table in ("recording_hits", "recording_files", "watch_stills"):
        assert rows(desk.db, table) == []
    assert [file for file in files_below(tmp_path) if "face-keys" not in file.parts] == []
    (row,) = rows(desk.db, "recording_searches")
    assert row["state"] == "aborted"
    with pytest.raises(ApprovalEnded):
        search(desk, wanted, asked, reason=REASON, operator=people[0])


def test_a_span_is_kept_to(desk, people, wanted):
    early = replace(wanted, span=Span(from_us=SPAN.from_us, until_us=BEGAN_US + 3 * SECOND_US))
    found = search(desk, early, agreed(desk, early, *people), reason=REASON, operator=people[0])
    assert found.hits == ()
    assert [one.stopped for one in found.files] == ["ended", "outside"]
    late = replace(wanted, span=Span(from_us=BEGAN_US + 5 * SECOND_US, until_us=NOW_US))
    found = search(desk, late, agreed(desk, late, *people), reason=REASON, operator=people[0])
    assert len(found.hits) == 1
    assert found.pictures < 60


def test_a_recording_that_is_cut_off_says_where_and_its_good_part_is_searched(desk, people, wanted, tmp_path):
    first, second = wanted.recordings
    cut = tmp_path / first.name
    whole = first.read_bytes()
    cut.write_bytes(whole[: len(whole) * 9 // 10])
    nonsense = tmp_path / "broken.mp4"
    nonsense.write_bytes(b"\0\0\0\x20ftypisom" + b"nothing at all" * 100)
    asked = replace(wanted, recordings=(cut, nonsense, second))
    found = search(desk, asked, agreed(desk, asked, *people), reason=REASON, operator=people[0])
    assert len(found.hits) == 1
    assert not found.whole
    assert [one.stopped for one in found.files] == ["truncated", "corrupt", "ended"]
    assert 6 < found.files[0].position_s < 9.5
    assert found.files[0].byte == cut.stat().st_size
    assert found.files[0].duration_s == pytest.approx(10.0)


def test_nobody_searches_while_the_switch_is_off(desk, people, wanted):
    asked = agreed(desk, wanted, *people)
    with desk.db.write() as connection:
        turn_off(connection, "recordings_search", staff_id=None, why="评估到期", now_us=NOW_US)
    with pytest.raises(SwitchOff):
        ask_for_search(desk, wanted, reason=REASON, operator=people[0])
    with pytest.raises(SwitchOff):
        search(desk, wanted, asked, reason=REASON, operator=people[0])
    assert rows(desk.db, "recording_searches") == []


def test_nobody_searches_without_another_person(desk, people, wanted):
    asked = ask_for_search(desk, wanted, reason=REASON, operator=people[0])
    with pytest.raises(NotApproved):
        search(desk, wanted, asked.id, reason=REASON, operator=people[0])
    with pytest.raises(NotFound):
        search(desk, wanted, "ap_none", reason=REASON, operator=people[0])
    assert rows(desk.db, "recording_searches") == []


def test_what_was_agreed_to_cannot_be_exchanged(desk, people, wanted, faces_dir, tmp_path):
    asked = agreed(desk, wanted, *people)
    longer = tmp_path / wanted.recordings[0].name
    longer.write_bytes(wanted.recordings[0].read_bytes() + b"\0")
    for other in (
        replace(wanted, photo=photograph(faces_dir, OTHERS[0], 1)),
        replace(wanted, recordings=wanted.recordings[:1]),
        replace(wanted, recordings=(longer, wanted.recordings[1])),
        replace(wanted, camera_id=None),
        replace(wanted, span=Span(from_us=SPAN.from_us - MINUTE_US, until_us=SPAN.until_us)),
        replace(wanted, threshold_cos=0.1),
    ):
        with pytest.raises(NotAsApproved):
            search(desk, other, asked, reason=REASON, operator=people[0])
    assert rows(desk.db, "recording_searches") == []
    assert search(desk, wanted, asked, reason=REASON, operator=people[0]).state == "done"


def test_only_who_asked_searches_and_only_with_a_training(desk, people, wanted):
    asked = agreed(desk, wanted, *people)
    other = operator(desk.db, "police_liaison", now_us=NOW_US, trained=True)
    with pytest.raises(NotFound):
        search(desk, wanted, asked, reason=REASON, operator=other)
    with pytest.raises(RoleMissing):
        ask_for_search(desk, wanted, reason=REASON, operator=operator(desk.db, "monitoring", now_us=NOW_US))
    untrained = operator(desk.db, "security", now_us=NOW_US)
    asked = agreed(desk, wanted, untrained, people[1])
    with pytest.raises(NotTrained):
        search(desk, wanted, asked, reason=REASON, operator=untrained)
    with pytest.raises(InvalidInput):
        search(desk, wanted, agreed(desk, wanted, *people), reason="", operator=people[0])


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"photo": None}, InvalidInput),
        ({"entry_id": "we_1"}, InvalidInput),
        ({"photo": None, "entry_id": "we_1"}, EntryNotLive),
        ({"recordings": ()}, InvalidInput),
        ({"camera_id": "CAM9"}, InvalidInput),
        ({"span": Span(from_us=NOW_US, until_us=NOW_US + 1)}, InvalidInput),
        ({"span": Span(from_us=NOW_US - 8 * 86_400 * SECOND_US, until_us=NOW_US)}, InvalidInput),
        ({"threshold_cos": 2.0}, InvalidInput),
    ],
)
def test_what_cannot_be_searched_for_is_refused_when_it_is_asked(desk, people, wanted, change, refusal):
    with pytest.raises(refusal):
        ask_for_search(desk, replace(wanted, **change), reason=REASON, operator=people[0])


def test_a_picture_without_a_face_is_refused_when_it_is_asked(desk, people, wanted):
    import cv2  # noqa: PLC0415 - this test's alone
    import numpy as np  # noqa: PLC0415 - as above

    grey = cv2.imencode(".png", np.full((200, 200, 3), 120, np.uint8))[1].tobytes()
    with pytest.raises(NoFace):
        ask_for_search(desk, replace(wanted, photo=grey), reason=REASON, operator=people[0])


def test_a_threshold_that_everybody_reaches_keeps_nothing(desk, people, wanted, monkeypatch, tmp_path):
    monkeypatch.setattr("shouhao.flows.search_run.HITS_AT_MOST", 2)
    low = replace(wanted, threshold_cos=-1.0)
    with pytest.raises(TooManyHits):
        search(desk, low, agreed(desk, low, *people), reason=REASON, operator=people[0])
    assert rows(desk.db, "recording_hits") == rows(desk.db, "watch_stills") == []
    assert rows(desk.db, "recording_searches")[0]["state"] == "failed"


def test_an_entry_of_the_list_is_searched_for_by_its_photographs(desk, people, wanted, faces_dir):
    from flows.capturing import TERMS, list_entry  # noqa: PLC0415 - this test's alone
    from flows.capturing import entry as made_entry  # noqa: PLC0415 - as above
    from shouhao.faces.enrolment import enrol  # noqa: PLC0415 - as above
    from shouhao.watch.store.lists import add_list  # noqa: PLC0415 - as above

    with desk.db.write() as connection:
        add_list(connection, "own", TERMS, now_us=NOW_US, staff_id=None)
        list_entry(connection, made_entry("we_1"))
    for number in (2, 3):
        enrol(
            desk.gallery,
            subject_id="we_1",
            list_id="own",
            ground_id="g",
            photo=photograph(faces_dir, WANTED, number),
            now_us=NOW_US,
            accepted=frozenset({"blurred", "small", "turned", "uncertain"}),
        )
    by_entry = replace(wanted, photo=None, entry_id="we_1")
    found = search(desk, by_entry, agreed(desk, by_entry, *people), reason=REASON, operator=people[0])
    assert len(found.hits) == 1
    assert rows(desk.db, "recording_searches")[0]["entry_id"] == "we_1"


def test_without_any_list_a_threshold_has_to_be_given(desk, people, wanted, bench):
    other = replace(desk, engine=_Renamed(bench.engine))
    with pytest.raises(NoSearchThreshold):
        ask_for_search(other, wanted, reason=REASON, operator=people[0])


class _Renamed:
    """An engine of a pack that no list has a threshold for."""

    pack_id = "another@0123456789ab"

    def __init__(self, engine):
        self.faces, self.probe = engine.faces, engine.probe


def test_searches_are_on_record_on_both_databases(db):
    begun = store.Search(
        id="rs_1",
        approval_id="ap_1",
        operator_id="op_1",
        look_id="lk_1",
        probe_sha256="00",
        entry_id=None,
        camera_id=None,
        pack="x",
        threshold_cos=0.5,
        from_us=1,
        until_us=2,
        started_at_us=3,
    )
    with db.write() as connection:
        store.add_search(connection, begun)
    with db.write() as connection:
        assert store.give_up_running(connection, before_us=3, now_us=4) == 0
        assert store.give_up_running(connection, before_us=4, now_us=5) == 1
        with pytest.raises(NotFound):
            store.end_search(connection, "rs_1", state="done", now_us=6, searched_s=0, pictures=0, faces=0)
        assert store.list_searches(connection) == [replace(begun, state="failed", ended_at_us=5)]
        assert store.find_search(connection, "rs_2") is None
