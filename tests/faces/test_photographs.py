"""Photographs: in the order they were named, the face each is about, and a reason for every file that gave none."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from shouhao.faces.model import Face, Quality
from shouhao.faces.photographs import look_at, main_face, people_in


def a_face(*box):
    quality = Quality(
        score=0.9, eye_distance_px=40, sharpness=100, yaw_deg=0, pitch_deg=0, roll_deg=0, inside=1, detector_score=0.9
    )
    return Face(
        box_xyxy_px=np.array(box, dtype=np.float32),
        landmarks_px=np.zeros((5, 2), dtype=np.float32),
        quality=quality,
        embedding=np.ones(4, dtype=np.float32) / 2,
        pack="made-up@000000000000",
    )


class Counting:
    """Finds as many faces in a picture as its upper left corner is bright, side by side."""

    def __init__(self):
        self.batches = []

    def faces(self, pictures):
        self.batches.append(len(pictures))
        return [
            [a_face(n * 10, 0, n * 10 + 10, 10) for n in range(round(int(picture[0, 0, 0]) / 10))]
            for picture in pictures
        ]


def png(faces, width=60):
    written = io.BytesIO()
    Image.new("RGB", (width, 40), (faces * 10,) * 3).save(written, "PNG")
    return written.getvalue()


def test_files_come_back_in_order_and_bad_ones_say_why(tmp_path):
    for name, content in {
        "a.png": png(1),
        "b.png": b"no picture",
        "c.png": png(0),
        "d.png": png(2),
        "e.png": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    names = ["d.png", "b.png", "absent.png", "a.png", "folder", "c.png", "pipe", "e.png"]
    engine = Counting()
    looked = list(look_at([tmp_path / name for name in names], engine, at_once=3))
    assert [one.path.name for one in looked] == names
    assert [one.faces for one in looked] == [2, 0, 0, 1, 0, 0, 0, 0]
    codes = [one.refusal and (one.refusal.code, one.refusal.data.get("reason")) for one in looked]
    unreadable = ("faces.picture_refused", "unreadable")
    assert codes == [
        None,
        ("faces.picture_refused", "kind"),
        unreadable,
        None,
        unreadable,
        ("faces.no_face", None),
        unreadable,
        ("faces.picture_refused", "empty"),
    ]
    assert [one.sha256 is None for one in looked] == [False, False, True, False, True, False, True, False]
    assert engine.batches == [1, 2]


def test_no_bytes_of_a_bad_file_are_kept(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (one,) = look_at([tmp_path / "bad.png"], Counting())
    assert one.refusal.__traceback__ is None
    assert one.refusal.__context__ is None


@pytest.mark.parametrize(
    ("boxes", "chosen"),
    [
        ([(0, 0, 20, 20), (40, 40, 60, 60)], 1),
        ([(45, 45, 55, 55), (20, 10, 90, 90)], 1),
        ([(30, 30, 70, 70), (0, 0, 44, 44)], 0),
        ([], None),
    ],
    ids=["nearer the middle", "larger behind a shoulder", "the middle one of two alike", "nobody"],
)
def test_the_face_a_photograph_is_about_is_large_and_near_the_middle(boxes, chosen):
    faces = [a_face(*box) for box in boxes]
    found = main_face(faces, width=100, height=100)
    assert found is (None if chosen is None else faces[chosen])


def test_a_person_is_a_folder_and_hidden_ones_are_left_out(tmp_path):
    for path in (
        "王芳/2.jpg",
        "王芳/1.jpg",
        "李雷/a.png",
        "王芳/.DS_Store",
        ".trash/x.jpg",
        "loose.jpg",
        "王芳/more/3.jpg",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "empty").mkdir()
    found = [(name, [file.name for file in files]) for name, files in people_in(tmp_path)]
    assert found == [("empty", []), ("李雷", ["a.png"]), ("王芳", ["1.jpg", "2.jpg"])]
