"""A camera, or whoever speaks as one, sends what it likes: the watch goes on, and nothing moves that should not.

Replays, pictures that are bombs, broken base64, clocks that lie, one id for everybody: each must neither stop the
worker, nor hide a listed person, nor raise an alarm twice.
"""

import base64
import io
import json
import zlib
from dataclasses import replace

import pytest
from PIL import Image
from sqlalchemy import select

from faces.enrolling import photo
from flows.capturing import DOOR, LISTED, NOW_US, STRANGER, Watching
from shouhao.kernel.clock import SECOND_US, day_of, from_us
from shouhao.protocols.gat1400 import read_gat1400
from shouhao.watch.model import Arrival
from shouhao.watch.shots import read_shots
from shouhao.watch.store.alarm_tables import alarms, sightings
from shouhao.watch.store.captures import Trouble, list_troubles, traffic_between

TODAY = day_of(NOW_US).isoformat()


@pytest.fixture
def watching(sqlite_db, tmp_path):
    made = Watching(sqlite_db, tmp_path, readers={"gat1400": read_gat1400, "shots": read_shots})
    made.list_person("we_1", LISTED)
    yield made
    made.close()


def posted(*faces):
    body = json.dumps({"FaceListObject": {"FaceObject": list(faces)}}).encode()
    return Arrival(
        source="gat1400",
        device_id=DOOR,
        proven=True,
        path="/VIID/Faces",
        content_type="application/VIID+JSON",
        body=body,
        arrived_at_us=NOW_US,
    )


def face(number, data, *, at_us=NOW_US):
    """A face as a camera posts it; `data` is bytes, or base64 text as it stands."""
    source = f"{DOOR}02{from_us(at_us):%Y%m%d%H%M%S}{number:05d}"
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    picture = {
        "ImageID": source,
        "DeviceID": DOOR,
        "Type": "11",
        "FileFormat": "Jpeg",
        "StoragePath": "",
        "ShotTime": f"{from_us(at_us):%Y%m%d%H%M%S}",
        "Data": text,
    }
    return {
        "FaceID": f"{source}06{number:05d}",
        "InfoKind": 1,
        "SourceID": source,
        "DeviceID": DOOR,
        "ShotTime": f"{from_us(at_us):%Y%m%d%H%M%S}",
        "SubImageList": {"SubImageInfoObject": [picture]},
    }


def raised(watching):
    with watching.db.read() as connection:
        found = connection.execute(select(sightings)).mappings().all()
        assert len(connection.execute(select(alarms)).all()) == min(len(found), 1)
    return found


def told(watching):
    with watching.db.read() as connection:
        return list_troubles(connection, day=TODAY)


def counted(watching):
    with watching.db.read() as connection:
        return traffic_between(connection, from_day=TODAY, to_day=TODAY)["cam-door", TODAY]


def test_a_post_of_a_camera_is_read_and_raises(watching):
    watching.spool.append([posted(face(1, photo(LISTED)))])
    watching.works()
    (seen,) = raised(watching)
    assert seen["entry_id"] == "we_1"


def test_a_picture_of_20_mb_is_named_and_the_other_faces_of_the_post_are_looked_at(watching):
    heavy = photo(LISTED) + b"\0" * 20_000_000
    watching.spool.append([posted(face(1, heavy), face(2, photo(LISTED)))])
    watching.works()
    assert len(raised(watching)) == 1
    assert len(told(watching)) == 1


def test_a_picture_that_claims_more_pixels_than_there_is_memory_is_refused_by_its_header(watching):
    head = b"\x00\x00\x00\x0dIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    bomb = b"\x89PNG\r\n\x1a\n" + head + zlib.crc32(head[4:]).to_bytes(4, "big")
    file = io.BytesIO()
    Image.new("L", (5_000, 5_000)).save(file, "PNG")  # 25 million pixels in 25 kB
    watching.spool.append([posted(face(1, bomb), face(2, file.getvalue()), face(3, photo(LISTED)))])
    watching.works()
    assert len(raised(watching)) == 1
    assert sum(one.times for one in told(watching)) == 2


@pytest.mark.parametrize("broken", ["!!!! no base64 !!!!", "QUJD" * 5 + "=A", "data:image/jpeg;base64,", "5" * 401])
def test_broken_base64_is_named_and_the_other_faces_of_the_post_are_looked_at(watching, broken):
    watching.spool.append([posted(face(1, broken), face(2, photo(LISTED)))])
    watching.works()
    assert len(raised(watching)) == 1
    assert told(watching)


def test_a_replay_of_a_whole_post_raises_nothing_new_and_costs_no_look(watching):
    post = posted(face(1, photo(LISTED)))
    watching.spool.append([post])
    watching.works()
    looked = watching.engine.looked
    watching.spool.append([post] * 50)
    watching.works()
    (seen,) = raised(watching)
    assert (seen["frames"], watching.engine.looked, counted(watching).repeated) == (1, looked, 50)


def test_a_replay_hours_later_makes_no_second_alarm_that_calls_for_a_guard(watching):
    watching.spool.append([posted(face(1, photo(LISTED)))])
    watching.works()
    watching.clock.advance(seconds=4 * 3600)
    watching.pushes(STRANGER)
    watching.works()  # the first post is forgotten by now
    watching.spool.append([replace(posted(face(1, photo(LISTED))), arrived_at_us=NOW_US + 14_400 * SECOND_US)])
    watching.works()
    with watching.db.read() as connection:
        found = connection.execute(select(sightings).order_by(sightings.c.arrived_at_us)).mappings().all()
    assert [row["late"] for row in found] == [False, True]


def test_one_id_for_all_shots_hides_nobody(watching):
    first = face(1, photo(STRANGER))
    second = face(1, photo(LISTED))
    watching.spool.append([posted(first), posted(second)])
    watching.works()
    assert len(raised(watching)) == 1


def test_a_track_that_never_changes_does_not_mix_a_listed_person_with_those_before_and_behind(watching):
    for number in range(6):
        watching.pushes((100 + 20 * number, 0, 0), track="1")
    watching.pushes(LISTED, track="1")
    watching.pushes(STRANGER, track="1")
    watching.works()
    (seen,) = raised(watching)
    assert seen["frames"] == 1
    assert seen["similarity_cos"] > 0.95


@pytest.mark.parametrize("lies_s", [3_600, 10 * 365 * 86_400, -3 * 86_400])
def test_a_camera_that_lies_about_time_raises_by_the_time_of_arrival_and_is_named(watching, lies_s):
    watching.spool.append([posted(face(1, photo(LISTED), at_us=NOW_US + lies_s * SECOND_US))])
    watching.works()
    (seen,) = raised(watching)
    assert (seen["seen_at_us"], seen["late"]) == (NOW_US, False)
    assert "ShotTime" in {one.trouble.place for one in told(watching)}


def test_a_flood_of_made_up_devices_fills_no_table(watching):
    for n in range(2_600):
        stranger = Arrival(
            source="gat1400", device_id=f"rogue {n} \ud800\0", proven=False, body=b"{", arrived_at_us=NOW_US + n
        )
        watching.worker._gathered.troubles.append(_trouble_of(stranger))
    watching.works()
    with watching.db.read() as connection:
        found = list_troubles(connection, day=TODAY, most=10_000)
    assert len(found) == 2_001
    assert sum(one.times for one in found) == 2_600
    assert all(one.trouble.device_id.isprintable() for one in found)


def _trouble_of(arrival):
    return Trouble(device_id=arrival.device_id, source="gat1400", place="device", why_zh="没有登记", why_en="unknown")


def test_a_crop_of_one_person_with_the_scene_of_another_is_shown_as_it_came(watching):
    """The scene is what the device sent beside the face: nothing is claimed of it but its hash."""
    watching.spool.append([watching.arrival(watching.shot(LISTED, scene=photo(STRANGER)))])
    watching.works()
    (seen,) = raised(watching)
    assert seen["crop_id"] != seen["scene_id"]
