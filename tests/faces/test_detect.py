"""Detection against OpenCV's own YuNet on the same file, and the second look against landmarks that are known."""

import cv2
import numpy as np
import pytest

from shouhao.faces.align import Levels, cut, moved
from shouhao.faces.detect import YuNetDetector
from shouhao.faces.images import read_picture
from shouhao.faces.model import ModelRefused
from shouhao.faces.runtime import Takes, open_net

YUNET = "face_detection_yunet_2023mar.onnx"
SCORE_AT_LEAST, OVERLAP_AT_MOST = 0.6, 0.3
SIDE_PX = 320  # a size that both detectors take as it is, so that they compute the same
#: Float32 sums in another order, on numbers of some hundreds of pixels.
SAME_PX, SAME_SCORE = 0.01, 1e-4


@pytest.fixture(scope="module")
def net(models_dir):
    return open_net(models_dir / YUNET, Takes())


@pytest.fixture(scope="module")
def first_look(net):
    return YuNetDetector(net, score_at_least=SCORE_AT_LEAST, second_look=False)


@pytest.fixture(scope="module")
def both_looks(net):
    return YuNetDetector(net, score_at_least=SCORE_AT_LEAST)


@pytest.fixture(scope="module")
def portraits(faces_dir):
    """One photograph each of two dozen people, 250 x 250."""
    files = sorted((faces_dir / "lfw-dev").glob("*/*_0001.jpg"))[:24]
    return [read_picture(file.read_bytes()) for file in files]


@pytest.fixture(scope="module")
def opencv(models_dir):
    def detect(picture):
        height, width = picture.shape[:2]
        found = cv2.FaceDetectorYN.create(
            str(models_dir / YUNET), "", (width, height), SCORE_AT_LEAST, OVERLAP_AT_MOST, 5000
        )
        _, rows = found.detect(picture)
        rows = np.zeros((0, 15), np.float32) if rows is None else rows
        return rows[np.argsort(-rows[:, 14], kind="stable")]

    return detect


def shown(picture, width, height, *, left=0, top=0):
    """A picture on grey of another size."""
    canvas = np.full((height, width, 3), 96, np.uint8)
    part = picture[: height - top, : width - left]
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas


def coloured(picture):
    """The photographs of people that lie here are grey, which hides the order of colours."""
    return (picture * np.array([0.5, 0.7, 1.0], np.float32)).astype(np.uint8)


def agree(found, rows):
    """Boxes, landmarks and scores, face by face."""
    assert len(found) == len(rows)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], 1)
    assert np.abs(found.boxes_xyxy_px - boxes).max(initial=0) < SAME_PX
    assert np.abs(found.landmarks_px.reshape(-1, 10) - rows[:, 4:14]).max(initial=0) < SAME_PX
    assert np.abs(found.scores - rows[:, 14]).max(initial=0) < SAME_SCORE


def test_the_first_look_is_opencvs_on_photographs_of_several_sizes(first_look, opencv, portraits):
    canvases = [shown(one, SIDE_PX, SIDE_PX, left=n % 70, top=n % 50) for n, one in enumerate(portraits)]
    canvases += [cv2.resize(one, size) for one, size in zip(portraits, ((160, 160), (480, 320), (640, 640)) * 2)]  # noqa: B905
    canvases += [coloured(one) for one in canvases[::2]]
    faces = 0
    for canvas, found in zip(canvases, first_look.detect(canvases), strict=True):
        agree(found, opencv(canvas))
        faces += len(found)
    assert faces >= len(canvases)


def test_the_first_look_is_opencvs_on_many_faces_the_surest_first(first_look, opencv, portraits):
    crowd = np.vstack([np.hstack([cv2.resize(one, (160, 160)) for one in portraits[n : n + 4]]) for n in (0, 4, 8, 12)])
    (found,) = first_look.detect([crowd])
    assert len(found) >= 16
    assert (np.diff(found.scores) <= 0).all()
    agree(found, opencv(crowd))


def test_the_order_of_colours_is_opencvs(first_look, opencv, faces_dir):
    for name in ("image_T1", "image_F1", "image_F2"):
        picture = read_picture((faces_dir / "spoof" / f"{name}.jpg").read_bytes())
        right, exchanged = first_look.detect([picture, picture[:, :, ::-1]])
        agree(right, opencv(picture))
        assert abs(float(right.scores[0] - exchanged.scores[0])) > 10 * SAME_SCORE


def test_where_opencv_finds_nobody_neither_does_the_first_look(first_look, opencv):
    noise = np.random.default_rng(4).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    for empty in (noise, np.zeros_like(noise), np.full_like(noise, 255)):
        # Without a face the picture is searched a second time at half the size, where OpenCV would find none either.
        half = cv2.resize(empty, (160, 160), interpolation=cv2.INTER_AREA)
        assert len(opencv(empty)) == len(opencv(half)) == 0
        (found,) = first_look.detect([empty])
        assert (len(found), found.boxes_xyxy_px.shape, found.landmarks_px.shape) == (0, (0, 4), (0, 5, 2))


def test_a_large_picture_is_shrunk_and_told_in_its_own_pixels(first_look, portraits):
    for one in portraits[:4]:
        small = shown(one, 640, 480, left=150, top=100)
        large = cv2.resize(small, (1920, 1440), interpolation=cv2.INTER_CUBIC)
        few, many = first_look.detect([small, large])
        assert len(few) == len(many) >= 1
        assert np.abs(many.landmarks_px[0] / 3 - few.landmarks_px[0]).max() < 1


def test_a_face_that_fills_the_picture_is_found_at_half_the_size(first_look, opencv, portraits):
    found = 0
    for one in portraits[:8]:
        close = cv2.resize(one[70:185, 70:180], (1280, 1280), interpolation=cv2.INTER_CUBIC)
        (ours,) = first_look.detect([close])
        found += len(ours) == 1
    assert found >= 6


@pytest.fixture(scope="module")
def enlarged(portraits):
    """Photographs twice as large, so that what is made of them loses nothing."""
    return [cv2.resize(one, (500, 500), interpolation=cv2.INTER_CUBIC) for one in portraits]


def brought(picture, *, turn_deg, scale, shift_px):
    """The picture turned about its middle, scaled and shifted, on 640 x 640, and the transform."""
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    there = cv2.getRotationMatrix2D(middle, turn_deg, scale)
    there[:, 2] += np.array([320, 320]) - middle + shift_px
    return cut(Levels(picture), there[None], 640)[0], there


def errors(detector, pictures, **how):
    """How far landmarks are from where they are known to be, in eye distances; nan: not found.

    They are known from the photograph as it came, as this detector itself saw them there: neither look is held against
    what the other one takes for a corner of the mouth.
    """
    off = []
    for picture, upright in zip(pictures, detector.detect(pictures), strict=True):
        canvas, there = brought(picture, **how)
        (found,) = detector.detect([canvas])
        if len(upright) != 1 or not len(found):
            off.append(np.nan)
            continue
        known = moved(upright.landmarks_px[0].astype(np.float64), there)
        away = np.linalg.norm(found.landmarks_px - known, axis=-1).mean(-1)
        off.append(away.min() / np.linalg.norm(known[1] - known[0]))
    return np.array(off)


@pytest.mark.parametrize(
    ("turn_deg", "scale", "shift_px"),
    [(0, 0.3, (7.3, -4.6)), (0, 0.9, (31.7, 18.2)), (12, 0.5, (-20.4, 11.9)), (-20, 0.35, (60.5, -33.1))],
)
def test_the_second_look_errs_less_than_the_first(first_look, both_looks, enlarged, turn_deg, scale, shift_px):
    how = {"turn_deg": turn_deg, "scale": scale, "shift_px": shift_px}
    first, second = errors(first_look, enlarged, **how), errors(both_looks, enlarged, **how)
    seen = np.isfinite(first) & np.isfinite(second)
    assert seen.mean() > 0.6
    assert np.median(second[seen]) < 0.75 * np.median(first[seen])
    assert (second[seen] < first[seen]).mean() > 0.7


def test_a_second_look_keeps_boxes_and_scores(first_look, both_looks, portraits):
    for one, other in zip(first_look.detect(portraits), both_looks.detect(portraits), strict=True):
        assert np.array_equal(one.boxes_xyxy_px, other.boxes_xyxy_px)
        assert np.array_equal(one.scores, other.scores)


def test_pictures_of_odd_sizes_are_searched(both_looks, portraits):
    for width, height in ((251, 249), (333, 127), (97, 640), (1, 700), (700, 1), (1, 1), (2, 3)):
        (found,) = both_looks.detect([shown(portraits[0], width, height)])
        assert np.isfinite(found.landmarks_px).all()
    for width, height in ((251, 249), (261, 303), (641, 643)):
        (found,) = both_looks.detect([shown(portraits[0], width, height)])
        assert len(found) == 1


def test_no_pictures_give_no_answers(both_looks):
    assert both_looks.detect([]) == []


@pytest.mark.parametrize("file", ["mobilefacenet.onnx", "minifasnet_v2.onnx"])
def test_a_net_that_is_not_yunet_is_refused(models_dir, file):
    other = open_net(models_dir / file, Takes())
    with pytest.raises(ModelRefused):
        YuNetDetector(other, score_at_least=SCORE_AT_LEAST, file=file)


@pytest.mark.parametrize("longest_px", [0, -128, 100, 641])
def test_a_side_that_yunets_grids_do_not_divide_is_a_mistake(net, longest_px):
    with pytest.raises(ValueError, match="128"):
        YuNetDetector(net, score_at_least=SCORE_AT_LEAST, longest_px=longest_px)
