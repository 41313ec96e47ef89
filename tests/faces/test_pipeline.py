"""The engine on real photographs: it finds, tells apart, refuses, and gives the same on another runtime."""

import cv2
import numpy as np
import pytest

from shouhao.faces.align import Levels, aligned, similarity
from shouhao.faces.images import read_picture
from shouhao.faces.model import ModelRefused, NoFace, PoorFace, SeveralFaces
from shouhao.faces.packs import load_pack
from shouhao.faces.passages import fuse, probe_of
from shouhao.faces.pipeline import open_engine
from shouhao.faces.runtime import OnnxRuntimeNet, Takes, open_net

PACK = "arcface-onnx"


@pytest.fixture(scope="module")
def engine(models_dir):
    return open_engine(load_pack(PACK, models_dir=models_dir), models_dir=models_dir)


@pytest.fixture(scope="module")
def people(faces_dir):
    """Three photographs each of eight people."""
    several = [one for one in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(one.iterdir())) > 2]
    return [[read_picture(file.read_bytes()) for file in sorted(one.iterdir())[:3]] for one in several[:8]]


def middle(faces, picture):
    height, width = picture.shape[:2]
    return min(faces, key=lambda face: np.hypot(*(face.box_xyxy_px.reshape(2, 2).mean(0) - (width / 2, height / 2))))


def test_photographs_of_one_person_are_more_alike_than_those_of_two(engine, people):
    pictures = [picture for theirs in people for picture in theirs]
    vectors = np.stack([middle(f, p).embedding for f, p in zip(engine.faces(pictures), pictures, strict=True)])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alike, same = vectors @ vectors.T, np.repeat(np.arange(len(people)), 3)
    one = alike[(same[:, None] == same) & ~np.eye(len(same), dtype=bool)]
    assert np.median(one) > 0.5 > np.median(alike[same[:, None] != same]) + 0.3


def test_several_pictures_at_once_give_what_each_gives_alone(engine, people):
    pictures = [theirs[0] for theirs in people[:4]]
    together = engine.faces(pictures)
    for picture, found in zip(pictures, together, strict=True):
        (alone,) = engine.faces([picture])
        assert len(found) == len(alone)
        for one, other in zip(found, alone, strict=True):
            assert float(one.embedding @ other.embedding) > 0.9999


def test_three_frames_ask_with_one_voice(engine, people):
    faces = [middle(found, people[0][0]) for found in engine.faces(people[0])]
    probe = probe_of(faces, "watchlist")
    assert (probe.purpose, probe.pack, probe.frames) == ("watchlist", engine.pack_id, 3)
    assert np.array_equal(probe.embedding, probe_of(faces[::-1], "watchlist").embedding)
    mean = np.mean([float(a.embedding @ b.embedding) for a in faces for b in faces if a is not b])
    assert float(np.mean([fuse(faces) @ one.embedding for one in faces])) > mean


def test_frames_in_turns_ask_nearly_as_frames_in_both_views(engine, people):
    for frames in people:
        both, turns = (
            fuse([middle(f, p) for f, p in zip(engine.faces(frames, in_turns=turns), frames, strict=True)])
            for turns in (False, True)
        )
        assert float(both @ turns) > 0.98
    frames = people[1]
    asked, turned_round = (engine.probe(some, "watchlist").embedding for some in (frames, frames[::-1]))
    assert float(asked @ turned_round) > 0.999999
    one, other = (middle(engine.faces([people[0][0]], in_turns=True)[0], people[0][0]) for _ in range(2))
    assert np.array_equal(one.embedding, other.embedding)


@pytest.mark.parametrize(("degrees", "alike_at_least"), [(15, 0.95), (-15, 0.95), (30, 0.93), (-30, 0.93)])
def test_a_head_on_a_shoulder_is_the_same_face(engine, people, degrees, alike_at_least):
    upright = [theirs[0] for theirs in people]
    tilted = [turned(picture, degrees) for picture in upright]
    alike = [
        float(middle(one, up).embedding @ middle(other, down).embedding)
        for one, other, up, down in zip(engine.faces(upright), engine.faces(tilted), upright, tilted, strict=True)
    ]
    assert np.mean(alike) > alike_at_least


def turned(picture, degrees):
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)


def test_a_hundred_faces_are_found_in_one_picture(engine, people):
    tile = cv2.resize(people[0][0][60:190, 60:190], (128, 128))
    mosaic = np.tile(tile, (10, 10, 1))
    (found,) = engine.faces([mosaic])
    assert len(found) == 100
    with pytest.raises(SeveralFaces):
        engine.enrolment_face(mosaic)


def test_where_there_is_no_face_none_is_made_up(engine):
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    grey, dot = np.full((64, 64, 3), 128, np.uint8), np.zeros((300, 300, 3), np.uint8)
    dot[150, 150] = (120, 140, 200)
    assert engine.faces([noise, grey, dot]) == [[], [], []]
    with pytest.raises(NoFace):
        engine.enrolment_face(grey)
    with pytest.raises(NoFace):
        engine.probe(dot, "watchlist")


def test_a_face_that_is_too_small_is_not_fit(engine, people):
    small = cv2.resize(people[0][0], (40, 40), interpolation=cv2.INTER_AREA)
    canvas = np.full((200, 200, 3), 90, np.uint8)
    canvas[80:120, 80:120] = small
    (found,) = engine.faces([canvas])
    assert all("small" in face.quality.problems for face in found)
    with pytest.raises((NoFace, PoorFace)):
        engine.probe(canvas, "watchlist")


def test_a_grey_picture_is_a_picture(engine, faces_dir):
    shown = read_picture((faces_dir / "spoof" / "image_T1.jpg").read_bytes())
    grey = cv2.cvtColor(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert not np.array_equal(grey, shown)
    colour = middle(engine.faces([shown])[0], shown)
    assert float(middle(engine.faces([grey])[0], grey).embedding @ colour.embedding) > 0.7


def test_the_two_runtimes_agree(models_dir):
    path = models_dir / "mobilefacenet.onnx"
    chips = np.random.default_rng(2).integers(0, 256, (4, 112, 112, 3), np.uint8)
    takes = Takes(channels="rgb")
    (openvino,) = next(open_net(path, takes).run([chips]))
    (onnxruntime,) = next(OnnxRuntimeNet(path, takes, threads=1).run([chips]))
    scale = np.abs(onnxruntime).max()
    assert np.abs(openvino - onnxruntime).max() < 1e-3 * scale


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07\x12\x00" * 100])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelRefused):
        next(open_net(path, Takes()).run([np.zeros((1, 112, 112, 3), np.uint8)]))


def test_passive_liveness_is_right_on_the_three_known_photographs(engine, faces_dir):
    scores = {}
    for name in ("image_T1", "image_F1", "image_F2"):
        picture = read_picture((faces_dir / "spoof" / f"{name}.jpg").read_bytes())
        scores[name] = engine.live_score(picture, engine.faces([picture])[0][0])
    assert scores["image_T1"] > 0.9
    assert scores["image_F1"] < 0.5
    assert scores["image_F2"] < 0.1


def test_alignment_brings_landmarks_to_the_template_and_mirrors_nothing():
    chance = np.random.default_rng(3)
    template = chance.uniform(0, 112, (5, 2))
    for _ in range(50):
        angle, size, shift = chance.uniform(-3, 3), chance.uniform(0.2, 5), chance.uniform(-200, 200, 2)
        turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        found = similarity(template @ turn.T + shift, template)
        assert np.allclose(found[:, :2] @ turn, np.eye(2), atol=1e-9)
        assert np.linalg.det(found[:, :2]) > 0
    chip = aligned(Levels(np.full((300, 300, 3), 200, np.uint8)), template[None] + 100, template, 112)
    assert chip.shape == (1, 112, 112, 3)
    assert (chip == 200).all()
