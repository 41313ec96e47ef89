"""The accuracy bench on a handful of people: both pipelines are measured and told with intervals."""

import hashlib
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from shouhao.faces.packs import load_pack
from shouhao.faces.photographs import look_at, people_in
from shouhao.faces.pipeline import open_engine


@pytest.fixture(scope="module")
def bench():
    """The bench, as `shouhao bench` finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        yield importlib.import_module("bench.faces_accuracy")


@pytest.fixture(scope="module")
def few(faces_dir):
    """Two dozen people with three photographs or more, at most four of each."""
    several = [(name, files[:4]) for name, files in people_in(faces_dir / "lfw-dev") if len(files) > 2]
    return several[:24]


def test_a_handful_of_people_is_measured_by_both_pipelines(bench, few, models_dir, capsys):
    harness = importlib.import_module("bench.harness")
    told = {one.name: harness._measure(one, 1) for one in bench.figures_of(few, models_dir, packs=("arcface-onnx",))}
    assert len(told) == 10
    for name, one in told.items():
        assert one["ours_low"] <= one["value"] <= one["ours_high"], name
        assert one["plain_low"] <= one["floor"] <= one["plain_high"], name
        assert one["value"] > 0.8, name
    assert told["tmr_at_1e-3_all"]["people"] == len(few)
    assert 0 < told["tmr_at_1e-3_held_out"]["people"] < len(few)
    assert told["tmr_at_1e-3_all"]["value"] >= told["tmr_at_1e-5_all"]["value"]
    assert told["found_with_1_all"]["list"] == len(few) // 2
    assert json.loads(json.dumps(told)) == told
    assert "reach 1.00" in capsys.readouterr().out


def test_a_photograph_counts_as_the_engine_sees_it(bench, few, models_dir):
    engine = open_engine(load_pack("arcface-onnx", models_dir=models_dir), models_dir=models_dir)
    seen = bench.seen_by_all(few[:2], models_dir, packs=("arcface-onnx",))["ours"]
    files = [file for _, theirs in few[:2] for file in theirs]
    for one, face in zip(look_at(files, engine), seen.faces, strict=True):
        assert float(one.face.embedding @ face.embedding) > 0.99999


def test_who_is_kept_apart_is_known_from_the_name_alone(bench):
    names = [f"Person_{n}" for n in range(400)]
    apart = [name for name in names if bench.kept_apart(name)]
    assert apart == [name for name in names if int(hashlib.sha256(name.encode()).hexdigest()[:2], 16) & 1]
    assert 150 < len(apart) < 250


def test_a_pipeline_that_sees_nobody_finds_nobody(bench):
    listed = importlib.import_module("bench.faces_listed")
    subjects = np.repeat(np.arange(20), 4)
    nothing = np.eye(8, dtype=np.float32)[0]
    blind = listed.Seen(
        faces=[None] * 80, views=[(None,)] * 80, dims=8, fuse=bench.plain_mean, enrol=lambda _: [nothing]
    )
    found = listed.search_lists(blind, subjects, list_size=5, enrolled=1, draws=3)
    assert (found.list_size, found.all.fnir.rate, found.all.fpir.rate, found.strangers) == (5, 1, 0, 0)
