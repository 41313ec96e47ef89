"""From an arrival to a sighting: who is listed raises one alarm, who is not leaves nothing but a number."""

import pytest
from sqlalchemy import select

from faces.enrolling import BLACK
from flows.capturing import (
    DOOR,
    HALL,
    LISTED,
    NOW_US,
    OTHER_LISTED,
    SECOND_STRANGER,
    STRANGER,
    Watching,
    scene,
)
from shouhao.kernel.clock import SECOND_US, day_of
from shouhao.kernel.errors import Unavailable
from shouhao.store.event_log import events
from shouhao.watch.model import Arrival
from shouhao.watch.shots import read_shots
from shouhao.watch.store.alarm_tables import alarms, sightings
from shouhao.watch.store.capture_tables import stills as stills_table
from shouhao.watch.store.captures import list_troubles, shadow_between, traffic_between
from shouhao.watch.store.stills import open_still

TODAY = day_of(NOW_US).isoformat()


@pytest.fixture
def watching(db, tmp_path):
    made = Watching(db, tmp_path)
    yield made
    made.close()


def rows(db, table):
    with db.read() as connection:
        return connection.execute(select(table)).mappings().all()


def kinds(db):
    return [row["kind"] for row in rows(db, events)]


def counts(db, camera="cam-door"):
    with db.read() as connection:
        return traffic_between(connection, from_day=TODAY, to_day=TODAY).get((camera, TODAY))


def troubles(db):
    with db.read() as connection:
        return {(one.trouble.device_id, one.trouble.place, one.times) for one in list_troubles(connection, day=TODAY)}


def test_a_listed_person_raises_one_alarm_with_frozen_pictures_at_once(watching, db):
    watching.list_person("we_1", LISTED)
    picture, box = scene(LISTED)
    watching.spool.append([watching.arrival(watching.shot(LISTED, scene=picture, box=box, quality=0.9))])
    assert watching.worker.look() == 1  # no waiting for the end of the passage
    (seen,) = rows(db, sightings)
    (alarm,) = rows(db, alarms)
    assert (seen["entry_id"], seen["list_id"], seen["camera_id"], seen["place_id"]) == (
        "we_1",
        "own",
        "cam-door",
        "door",
    )
    assert alarm["passage_id"] == seen["passage_id"]
    assert seen["similarity_cos"] >= seen["threshold_cos"] == pytest.approx(0.7)
    assert (seen["frames"], seen["pack"], seen["late"]) == (1, "colour@1", False)
    with db.read() as connection:
        assert open_still(connection, watching.stills, seen["scene_id"]) == picture
        assert open_still(connection, watching.stills, seen["crop_id"]).startswith(b"\x89PNG")
    assert kinds(db).count("still_frozen") == 2
    assert kinds(db).count("sighted") == kinds(db).count("alarm_raised") == 1


def test_more_shots_of_the_passage_better_the_same_sighting(watching, db):
    watching.list_person("we_1", LISTED)
    for shade in (1, 2, 3):
        watching.pushes((LISTED[0], shade, 0))
        watching.works()
    (seen,) = rows(db, sightings)
    assert seen["frames"] == 3
    assert len(rows(db, alarms)) == 1
    assert counts(db).passages == 1
    assert counts(db).shots == 3


def test_strangers_are_counted_and_nothing_else(watching, db):
    watching.list_person("we_1", LISTED)
    before = kinds(db)
    watching.pushes(STRANGER, SECOND_STRANGER)
    watching.works()
    watching.waits()
    assert rows(db, sightings) == rows(db, alarms) == rows(db, stills_table) == []
    assert kinds(db) == before
    assert (counts(db).passages, counts(db).shots) == (2, 2)
    assert not list(watching.folder.glob("stills/**/*.sealed"))


def test_two_listed_people_before_one_camera_are_two_alarms(watching, db):
    watching.list_person("we_1", LISTED)
    watching.list_person("we_2", OTHER_LISTED, list_id="police")
    watching.pushes(LISTED, OTHER_LISTED)
    watching.works()
    assert {row["entry_id"] for row in rows(db, sightings)} == {"we_1", "we_2"}
    assert len(rows(db, alarms)) == 2


def test_one_face_that_is_like_two_entries_names_both(watching, db):
    watching.list_person("we_1", LISTED)
    watching.list_person("we_2", LISTED, list_id="police")
    watching.pushes(LISTED)
    watching.works()
    found = rows(db, sightings)
    assert {row["entry_id"] for row in found} == {"we_1", "we_2"}
    assert len({row["passage_id"] for row in found}) == 2


def test_an_entry_that_has_ended_raises_and_freezes_nothing(watching, db):
    watching.list_person("we_1", LISTED, expires_at_us=NOW_US + SECOND_US)
    watching.clock.advance(seconds=2)
    watching.pushes(LISTED)
    watching.works()
    assert rows(db, sightings) == rows(db, alarms) == rows(db, stills_table) == []
    assert not list(watching.folder.glob("stills/**/*.sealed"))


def test_nothing_is_compared_while_the_switch_is_off_and_arrivals_are_dropped_unread(watching, db):
    watching.list_person("we_1", LISTED)
    watching.switch.on = False
    watching.pushes(LISTED, STRANGER)
    assert watching.works() == 2
    assert watching.engine.looked == 1  # at the photograph that was enrolled
    assert rows(db, sightings) == []
    assert counts(db) is None
    watching.switch.on = True
    watching.clock.advance(seconds=5)
    watching.works()
    assert rows(db, sightings) == []  # what came while it was off is gone
    watching.pushes(LISTED)
    watching.works()
    assert len(rows(db, sightings)) == 1


def test_a_switch_that_is_turned_off_forgets_the_passages_that_are_open(watching, db):
    watching.list_person("we_1", LISTED)
    watching.pushes(STRANGER)
    watching.works()
    assert len(watching.worker._matcher.passages) == 1
    watching.switch.on = False
    watching.clock.advance(seconds=5)
    watching.works()
    assert len(watching.worker._matcher.passages) == 0


def test_a_crop_without_a_face_is_looked_up_in_the_scene(watching, db):
    watching.list_person("we_1", LISTED)
    picture, box = scene(LISTED)
    tight = watching.shot(BLACK, scene=picture, box=(box[0] + 60, box[1] + 60, box[2] - 60, box[3] - 60))
    watching.spool.append([watching.arrival(tight)])
    watching.works()
    assert len(rows(db, sightings)) == 1
    assert counts(db).shots == 1


def test_a_shot_without_any_face_is_counted(watching, db):
    watching.pushes(BLACK)
    watching.works()
    assert (counts(db).faceless, counts(db).passages) == (1, 0)


def test_the_same_shot_again_changes_nothing(watching, db):
    watching.list_person("we_1", LISTED)
    again = watching.arrival(watching.shot(LISTED, ref="same"))
    for _ in range(3):
        watching.spool.append([again])
        watching.works()
    (seen,) = rows(db, sightings)
    assert seen["frames"] == 1
    assert counts(db).repeated == 2
    assert len(rows(db, stills_table)) == 1


def test_a_capture_that_waited_in_its_camera_raises_a_late_alarm(watching, db):
    watching.list_person("we_1", LISTED)
    watching.pushes(LISTED, at_us=NOW_US - 3_600 * SECOND_US)
    watching.works()
    (seen,) = rows(db, sightings)
    assert seen["late"]
    assert seen["seen_at_us"] == NOW_US - 3_600 * SECOND_US
    assert counts(db).late == 1


def test_an_unknown_device_is_listed_and_never_compared(watching, db):
    watching.list_person("we_1", LISTED)
    watching.pushes(LISTED, LISTED, device="99999999999999999999")
    watching.works()
    assert rows(db, sightings) == []
    assert troubles(db) == {("99999999999999999999", "device", 2)}
    assert kinds(db).count("capture_not_understood") == 1


def test_a_near_miss_is_counted_for_its_list_and_day_and_tells_nothing_else(db, tmp_path):
    watching = Watching(db, tmp_path, threshold=0.97)
    watching.list_person("we_1", LISTED)
    watching.pushes((LISTED[0], 77, 0))  # the same person, less alike than this list asks for
    watching.works()
    watching.waits()
    assert rows(db, sightings) == rows(db, stills_table) == []
    with db.read() as connection:
        assert shadow_between(connection, from_day=TODAY, to_day=TODAY) == {("own", "cam-door", TODAY): 1}
    watching.close()


def test_whoever_counts_without_identity_is_told_of_unmatched_passages_alone(db, tmp_path):
    told = []
    watching = Watching(
        db, tmp_path, unmatched=lambda camera, passage: told.append((camera.id, len(passage.shots), passage.matched))
    )
    watching.list_person("we_1", LISTED)
    watching.pushes(STRANGER, STRANGER, LISTED)
    watching.pushes(SECOND_STRANGER, device=HALL)
    watching.works()
    assert told == []  # they may still be alike to somebody
    watching.waits()
    assert sorted(told) == [("cam-door", 2, {}), ("cam-hall", 1, {})]
    watching.close()


def test_faces_are_overwritten_when_their_passage_closes(watching):
    watching.pushes(STRANGER)
    watching.works()
    (passage,) = watching.worker._matcher.passages
    vector, seen = passage.best.vector, passage.best.what
    assert vector.any()
    assert seen.crop is not None
    watching.waits()
    assert not vector.any()
    assert seen.crop is None


def test_the_spool_is_empty_once_the_passages_are_over(watching):
    watching.pushes(STRANGER, SECOND_STRANGER)
    watching.works()
    watching.waits()
    watching.waits()
    assert [path.name for path in (watching.folder / "spool" / "receiver").iterdir()] == ["writer.lock"]


def test_a_passage_that_was_open_at_a_crash_is_fused_with_what_comes_after(watching, db):
    watching.list_person("we_1", LISTED)
    watching.pushes((LISTED[0], 1, 0), (LISTED[0], 2, 0))
    watching.works()
    before = counts(db).shots, counts(db).passages, len(rows(db, stills_table)), len(kinds(db))
    watching.worker._reader.close()  # killed: nothing more is written, memory is gone
    watching.worker = watching.new_worker()
    watching.works()
    assert (counts(db).shots, counts(db).passages, len(rows(db, stills_table)), len(kinds(db))) == before
    watching.pushes((LISTED[0], 3, 0))
    watching.works()
    (seen,) = rows(db, sightings)
    assert seen["frames"] == 3
    assert (counts(db).shots, counts(db).passages) == (3, 1)
    watching.waits()
    assert len(rows(db, alarms)) == 1


def test_a_crash_before_anything_was_written_loses_nothing_and_counts_once(watching, db, monkeypatch):
    watching.list_person("we_1", LISTED)
    watching.pushes(STRANGER, LISTED, SECOND_STRANGER)
    monkeypatch.setattr("shouhao.flows.capture.keep", _fails)
    with pytest.raises(Unavailable):
        watching.worker.look()
    monkeypatch.undo()
    watching.worker._reader.close()
    watching.worker = watching.new_worker()
    watching.works()
    assert len(rows(db, sightings)) == 1
    assert (counts(db).shots, counts(db).passages) == (3, 3)


def test_a_database_that_is_away_for_a_while_loses_nothing(watching, db, monkeypatch):
    watching.list_person("we_1", LISTED)
    watching.pushes(LISTED, STRANGER)
    monkeypatch.setattr("shouhao.flows.capture.keep", _fails)
    for _ in range(3):
        with pytest.raises(Unavailable):
            watching.worker.look()
    monkeypatch.undo()
    watching.works()
    assert len(rows(db, sightings)) == 1
    assert (counts(db).shots, counts(db).passages) == (2, 2)


def _fails(*_, **__):
    raise Unavailable("database")


def test_an_engine_that_is_broken_leaves_the_arrivals_in_the_spool(watching, db):
    watching.list_person("we_1", LISTED)
    watching.pushes(LISTED)
    watching.engine.broken = True
    with pytest.raises(Unavailable, match="face engine"):
        watching.worker.look()
    watching.engine.broken = False
    watching.works()
    assert len(rows(db, sightings)) == 1


def test_an_arrival_that_breaks_a_reader_is_named_and_the_next_ones_are_looked_at(db, tmp_path):
    def reads(arrival):
        if arrival.body == b"poison":
            raise ZeroDivisionError
        return read_shots(arrival)

    watching = Watching(db, tmp_path, readers={"shots": reads})
    watching.list_person("we_1", LISTED)
    poison = Arrival(source="shots", device_id=DOOR, proven=True, body=b"poison", arrived_at_us=NOW_US)
    watching.spool.append([poison])
    watching.pushes(LISTED)
    watching.works()
    assert len(rows(db, sightings)) == 1
    assert troubles(db) == {(DOOR, "body", 1)}
    watching.close()


def test_arrivals_of_two_writers_are_both_worked_off(watching, db):
    watching.list_person("we_1", LISTED)
    with watching.opened_spool("pull-1") as other:
        watching.pushes(LISTED)
        watching.pushes(LISTED, device=HALL, spool=other)
        watching.works()
    assert {row["camera_id"] for row in rows(db, sightings)} == {"cam-door", "cam-hall"}


def test_a_list_that_was_changed_meanwhile_is_seen_within_seconds(watching, db):
    watching.pushes(LISTED)
    watching.works()
    watching.waits()
    watching.list_person("we_1", LISTED)
    watching.clock.advance(seconds=5)
    watching.pushes((LISTED[0], 9, 0))
    watching.works()
    assert len(rows(db, sightings)) == 1


def test_a_second_worker_waits_until_the_first_has_gone(watching):
    watching.works()
    other = watching.new_worker()
    with pytest.raises(Unavailable, match="reader"):
        other.look()
    watching.worker.close()
    other.look()
    other.close()
