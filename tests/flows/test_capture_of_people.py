"""The capture worker with real models and photographs: a listed person is found, a stranger leaves no trace."""

import base64
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import inspect, select, text

from flows.capturing import DOOR, HALL, Watching
from shouhao.faces.images import read_picture
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.watch.store.alarm_tables import alarms, sightings
from shouhao.watch.store.stills import open_still

LISTED = "Winona_Ryder"
STRANGERS = ("Vicente_Fox", "Norah_Jones", "Aaron_Eckhart")


@pytest.fixture(scope="module")
def engine(models_dir):
    return open_engine(load_pack("arcface-onnx", models_dir=models_dir), models_dir=models_dir, threads=1)


@pytest.fixture
def watching(db, tmp_path, engine):
    made = Watching(db, tmp_path, engine=engine, threshold=0.4)
    yield made
    made.close()


@pytest.fixture
def photos(faces_dir):
    def of(person):
        return [path.read_bytes() for path in sorted((faces_dir / "lfw-dev" / person).iterdir())]

    return of


def rows(db, table):
    with db.read() as connection:
        return connection.execute(select(table)).mappings().all()


def test_a_listed_person_is_known_again_on_later_photographs_and_strangers_are_not(watching, db, photos):
    enrolled, *later = photos(LISTED)
    watching.list_person("we_1", enrolled)
    for stranger in STRANGERS:
        watching.pushes(*photos(stranger), device=HALL)
    watching.pushes(*later[:3])
    watching.works()
    (seen,) = rows(db, sightings)
    assert (seen["entry_id"], seen["camera_id"]) == ("we_1", "cam-door")
    assert len(rows(db, alarms)) == 1
    assert seen["frames"] >= 2
    with db.read() as connection:
        assert open_still(connection, watching.stills, seen["crop_id"]) in later


def traces_of(picture: bytes, template: np.ndarray) -> list[bytes]:
    """Pieces by which a picture or a template would be known, as bytes and as texts."""
    pieces = [picture[at : at + 24] for at in range(200, len(picture) - 24, max(1, len(picture) // 40))]
    texts = [base64.b64encode(piece)[2:30] for piece in pieces]
    numbers = [template[at : at + 6].tobytes() for at in range(0, len(template) - 6, 16)]
    doubles = [template[at : at + 3].astype(np.float64).tobytes() for at in range(0, len(template) - 3, 16)]
    written = [repr(float(template[at])).encode() for at in range(0, len(template), 64)]
    return [*pieces, *texts, *numbers, *doubles, *written]


def everything_written(db, folder: Path) -> bytes:
    """The bytes of every file of the installation, and every value of every table."""
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    with db.read() as connection:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                written += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(written)


def test_a_face_that_matched_nobody_leaves_no_trace_on_disk_in_the_database_or_in_the_logs(
    watching, db, photos, engine, capfd
):
    canary = photos("Aaron_Eckhart")[0]
    pixels = read_picture(canary)
    template = engine.faces([pixels])[0][0].embedding
    traces = traces_of(canary, template)
    watching.list_person("we_1", photos(LISTED)[0])
    assert not any(trace in everything_written(db, watching.folder) for trace in traces)

    watching.spool.append([watching.arrival(watching.shot(canary, scene=canary))])
    assert not any(trace in everything_written(db, watching.folder) for trace in traces)  # sealed in the spool
    watching.works()
    watching.waits()
    watching.waits()

    written = everything_written(db, watching.folder)
    out, err = capfd.readouterr()
    for trace in traces:
        assert trace not in written
        assert trace not in (out + err).encode()
    assert [path.name for path in (watching.folder / "spool" / "receiver").iterdir()] == ["writer.lock"]
    assert not (watching.folder / "stills").exists()


def test_the_search_for_traces_finds_a_face_that_was_kept(watching, db, photos, engine):
    """The test above could not fail if its search were blind."""
    picture = photos(LISTED)[1]
    template = engine.faces([read_picture(picture)])[0][0].embedding
    (watching.folder / "left-behind.bin").write_bytes(b"x" + picture + template.tobytes())
    written = everything_written(db, watching.folder)
    found = [trace in written for trace in traces_of(picture, template)]
    assert sum(found) > 20


def test_a_crop_that_is_cut_too_tightly_is_found_in_its_scene(watching, db, photos, engine):
    import cv2  # noqa: PLC0415 - for this test alone

    enrolled, other, *_ = photos(LISTED)
    watching.list_person("we_1", enrolled)
    pixels = read_picture(other)
    left, top, right, bottom = (int(v) for v in engine.faces([pixels])[0][0].box_xyxy_px)
    scene = np.full((1080, 1920, 3), 90, np.uint8)
    scene[300 : 300 + pixels.shape[0], 700 : 700 + pixels.shape[1]] = pixels
    middle = pixels[top + 30 : bottom - 40, left + 15 : right - 15]
    shot = watching.shot(
        cv2.imencode(".jpg", middle)[1].tobytes(),
        scene=cv2.imencode(".jpg", scene)[1].tobytes(),
        box=(700.0 + left, 300.0 + top, 700.0 + right, 300.0 + bottom),
    )
    watching.spool.append([watching.arrival(shot, device=DOOR)])
    watching.works()
    assert len(rows(db, sightings)) == 1
