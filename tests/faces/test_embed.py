"""Embedding on the real net: what goes in as the manifest says, vectors of length 1 out, whatever else is embedded."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from shouhao.faces.align import ARCFACE_TEMPLATE_PX, Levels, aligned, moved
from shouhao.faces.embed import OnnxEmbedder, units
from shouhao.faces.images import read_picture
from shouhao.faces.model import ModelRefused
from shouhao.faces.packs import load_pack, model_path
from shouhao.faces.runtime import OnnxRuntimeNet, Takes, open_net

#: A net is compiled once for four chips and once for one, which add float32 numbers up in another order.
SAME = 1e-5
#: Another runtime computes convolutions another way; its authors promise no more than this on numbers of this size.
SAME_ACROSS_RUNTIMES = 1e-3
SKIN = np.array([0.55, 0.7, 0.95], np.float32)  # blue, green, red


@pytest.fixture(scope="module")
def spec(models_dir):
    return load_pack("arcface-onnx", models_dir=models_dir).embedder


@pytest.fixture(scope="module")
def file(spec, models_dir):
    return model_path(spec.file, models_dir)


@pytest.fixture(scope="module")
def embedder(spec, file):
    return OnnxEmbedder(open_net(file, takes(spec)), spec)


@pytest.fixture(scope="module")
def chips(faces_dir):
    """Ten faces cut out where faces of LFW stand, (10, 112, 112, 3).

    The photographs that lie here are grey, which hides the order of colours; so they are given the colour of skin.
    """
    files = sorted((faces_dir / "lfw-dev").glob("*/*_0001.jpg"))[:10]
    there = moved(ARCFACE_TEMPLATE_PX, np.array([[1.2, 0, 58], [0, 1.2, 48]]))[None]
    pictures = [Levels(read_picture(file.read_bytes())) for file in files]
    grey = np.concatenate([aligned(one, there, ARCFACE_TEMPLATE_PX, 112) for one in pictures])
    return (grey * SKIN).astype(np.uint8)


def takes(spec, **changed):
    return replace(Takes(channels=spec.channels, mean=spec.mean, scale=spec.scale), **changed)


@pytest.fixture(scope="module")
def by_hand(file):
    """The net in ONNX Runtime on numbers that were made here, as vectors of length 1."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def vectors(levels):
        numbers = np.ascontiguousarray(levels.transpose(0, 3, 1, 2), np.float32)
        found = np.concatenate([session.run(None, {"data": one[None]})[0] for one in numbers])
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    return vectors


def test_vectors_have_length_one_and_as_many_numbers_as_the_manifest_says(embedder, spec, chips):
    vectors = embedder.embed(chips)
    assert (vectors.shape, vectors.dtype) == ((len(chips), spec.dims), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_faces_of_different_people_have_different_vectors(embedder, chips):
    vectors = embedder.embed(chips)
    assert (vectors @ vectors.T - np.eye(len(chips))).max() < 0.7


def test_how_many_are_embedded_at_once_changes_no_vector(embedder, chips):
    together = embedder.embed(chips)
    for count in (1, 2, 3, 4, 5, 7, 9):
        assert np.abs(embedder.embed(chips[:count]) - together[:count]).max() < SAME
    assert embedder.embed(chips[:0]).shape == (0, embedder.dims)


def test_the_order_of_faces_is_the_order_of_vectors(embedder, chips):
    together = embedder.embed(chips)
    for order in (np.arange(len(chips))[::-1], np.random.default_rng(2).permutation(len(chips))):
        assert np.abs(embedder.embed(chips[order]) - together[order]).max() < SAME


def test_the_same_face_has_the_same_vector_bit_for_bit_when_asked_again(embedder, chips):
    assert np.array_equal(embedder.embed(chips), embedder.embed(chips))


def test_the_net_sees_red_first_and_levels_as_they_are(embedder, spec, chips, by_hand):
    assert (spec.channels, spec.mean, spec.scale) == ("rgb", 0, 1)
    assert np.abs(embedder.embed(chips) - by_hand(chips[..., ::-1])).max() < SAME_ACROSS_RUNTIMES


def test_exchanging_red_and_blue_is_another_vector(spec, file, embedder, chips, by_hand):
    exchanged = OnnxEmbedder(open_net(file, takes(spec, channels="bgr")), spec).embed(chips)
    assert np.abs(exchanged - by_hand(chips)).max() < SAME_ACROSS_RUNTIMES
    alike = (exchanged * embedder.embed(chips)).sum(1)
    assert alike.max() < 0.999
    assert np.median(alike) < 0.98


def test_mean_and_scale_of_a_manifest_reach_the_net(spec, file, embedder, chips, by_hand):
    levelled = OnnxEmbedder(open_net(file, takes(spec, mean=127.5, scale=2.0)), spec).embed(chips)
    expected = by_hand((chips[..., ::-1].astype(np.float32) - 127.5) / 2)
    assert np.abs(levelled - expected).max() < SAME_ACROSS_RUNTIMES
    assert np.abs(levelled - embedder.embed(chips)).max() > 0.01


@pytest.mark.parametrize("changed", [{}, {"channels": "bgr"}, {"mean": 127.5, "scale": 128.0}])
def test_both_runtimes_give_one_vector(spec, file, chips, changed):
    pytest.importorskip("onnxruntime")
    asked = takes(spec, **changed)
    openvino = OnnxEmbedder(open_net(file, asked), spec).embed(chips)
    onnxruntime = OnnxEmbedder(OnnxRuntimeNet(file, asked, threads=1), spec).embed(chips)
    assert np.abs(openvino - onnxruntime).max() < SAME_ACROSS_RUNTIMES
    assert (openvino * onnxruntime).sum(1).min() > 0.99999


def test_a_brighter_or_softer_picture_of_a_face_stays_the_face(embedder, chips):
    vectors = embedder.embed(chips)
    brighter = np.clip(chips.astype(np.float32) * 1.15 + 8, 0, 255).astype(np.uint8)
    softer = np.stack([cv2.GaussianBlur(chip, (0, 0), 0.7) for chip in chips])
    for changed in (brighter, softer):
        assert np.median((embedder.embed(changed) * vectors).sum(1)) > 0.9


@pytest.mark.parametrize("dims", [64, 127, 129, 512])
def test_a_net_of_other_dims_than_the_manifest_says_is_refused(spec, file, dims):
    net = open_net(file, takes(spec))
    with pytest.raises(ModelRefused) as refused:
        OnnxEmbedder(net, replace(spec, dims=dims))
    assert str(dims) in refused.value.says("zh")
    assert str(dims) in refused.value.says("en")


def test_a_net_for_other_chips_than_the_manifest_says_is_refused(spec, file):
    with pytest.raises(ModelRefused):
        OnnxEmbedder(open_net(file, takes(spec)), replace(spec, chip_px=96))


def test_a_net_that_answers_with_more_than_one_thing_is_refused(spec, models_dir):
    yunet = open_net(models_dir / "face_detection_yunet_2023mar.onnx", Takes())
    with pytest.raises(ModelRefused):
        OnnxEmbedder(yunet, replace(spec, chip_px=128))


def test_a_vector_without_length_stays_and_is_like_nothing():
    vectors = np.array([[3, 4], [0, 0], [1e-12, 0]], np.float32)
    found = units(vectors)
    assert np.isfinite(found).all()
    assert np.allclose(found[0], [0.6, 0.8])
    assert np.abs(found[1:] @ found[0]).max() < 1e-5
