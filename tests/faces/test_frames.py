"""Frames: what the cheap look at a whole picture finds, and what the close look adds, on real photographs."""

import numpy as np
import pytest

from shouhao.faces.align import Levels
from shouhao.faces.frames import FrameFaces, open_frame_faces
from shouhao.faces.images import read_picture
from shouhao.faces.model import Detection, ModelRefused
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine
from shouhao.faces.quality import assess


@pytest.fixture(scope="module")
def pack(models_dir):
    return load_pack("arcface-onnx", models_dir=models_dir)


@pytest.fixture(scope="module")
def frames(pack, models_dir):
    return open_frame_faces(pack, models_dir=models_dir, longest_px=640)


@pytest.fixture(scope="module")
def scene(faces_dir):
    """A camera's picture, 1080p, with six people side by side; where their photographs stand."""
    picture, places = np.full((1080, 1920, 3), 120, np.uint8), []
    for n, file in enumerate(sorted(faces_dir.glob("lfw-dev/*/*_0001.jpg"))[:6]):
        left, top = 30 + n * 310, 200 + (n % 2) * 400
        picture[top : top + 250, left : left + 250] = read_picture(file.read_bytes())
        places.append((left, top))
    return picture, places


def test_everybody_in_a_large_picture_is_found_where_they_are(frames, scene):
    picture, places = scene
    found = frames.find(picture)
    sure = found.boxes_xyxy_px[found.scores > 0.75]
    assert len(sure) == 6
    for left, top in places:
        inside = (sure[:, 0] > left) & (sure[:, 2] < left + 250) & (sure[:, 1] > top) & (sure[:, 3] < top + 250)
        assert inside.sum() == 1


def test_a_close_look_sees_what_the_engine_sees(frames, scene, pack, models_dir):
    """Landmarks and qualities as the engine has them of the same picture at the same size, within its own trembling."""
    picture, _ = scene
    found = frames.find(picture)
    sure = np.flatnonzero(found.scores > 0.75)
    qualities = frames.look(picture, found, sure.tolist())
    engine = open_engine(pack, models_dir=models_dir, threads=1)
    theirs = sorted(engine.faces([picture])[0], key=lambda face: float(face.box_xyxy_px[0]))
    mine = sorted(zip(sure, qualities, strict=True), key=lambda one: float(found.boxes_xyxy_px[one[0], 0]))
    assert len(theirs) == len(mine)
    for face, (n, quality) in zip(theirs, mine, strict=True):
        away_px = np.abs(face.landmarks_px - found.landmarks_px[n]).max()
        assert away_px < 0.08 * face.quality.eye_distance_px
        assert quality.score == pytest.approx(face.quality.score, abs=0.1)


def test_only_those_asked_for_are_looked_at(frames, scene):
    picture, _ = scene
    found, before = frames.find(picture), frames.find(picture)
    frames.look(picture, found, [1])
    changed = [not np.array_equal(found.landmarks_px[n], before.landmarks_px[n]) for n in range(len(found))]
    assert changed == [n == 1 for n in range(len(found))]
    assert frames.look(picture, found, []) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 3000), (3000, 2), (37, 53), (2160, 3840)])
def test_a_picture_of_any_size_is_taken(frames, size):
    found = frames.find(np.zeros((*size, 3), np.uint8))
    assert len(found) == 0


def test_an_empty_picture_has_no_qualities(frames):
    nobody = Detection(
        boxes_xyxy_px=np.empty((0, 4), np.float32),
        landmarks_px=np.empty((0, 5, 2), np.float32),
        scores=np.empty(0, np.float32),
    )
    picture = np.zeros((64, 64, 3), np.uint8)
    assert frames.look(picture, nobody, []) == assess(Levels(picture), nobody)


def test_another_net_is_refused(frames):
    class Other:
        device = "cpu"

        def run(self, batches):
            for _ in batches:
                yield [np.zeros(10, np.float32)] * 12

    with pytest.raises(ModelRefused):
        FrameFaces(Other(), score_at_least=0.4, longest_px=640)
    with pytest.raises(ValueError, match="multiple"):
        FrameFaces(Other(), score_at_least=0.4, longest_px=650)


def test_a_pack_that_finds_faces_otherwise_is_refused(models_dir):
    dlib = load_pack("dlib", models_dir=models_dir)
    with pytest.raises(ModelRefused):
        open_frame_faces(dlib, models_dir=models_dir, longest_px=640)
