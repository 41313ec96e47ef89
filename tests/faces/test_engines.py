"""Engines of packs, as a process meets them that runs while packs come and go."""

from importlib.resources import files

import pytest

from shouhao.faces.engines import Engines
from shouhao.faces.model import ModelMissing
from shouhao.faces.packs import load_pack
from shouhao.faces.pipeline import open_engine


@pytest.fixture
def folder(models_dir, tmp_path):
    for name in ("face_detection_yunet_2023mar.onnx", "mobilefacenet.onnx"):
        (tmp_path / name).symlink_to(models_dir / name)
    return tmp_path


@pytest.fixture
def engines(folder):
    return Engines(folder, lambda pack: open_engine(pack, models_dir=folder))


def own_manifest(folder, name):
    """A pack of the hospital's own: the built-in one, seen in one view."""
    written = files("shouhao.faces").joinpath("manifests/arcface-onnx.toml").read_text(encoding="utf-8")
    own = written.replace('name = "arcface-onnx"', f'name = "{name}"').replace(
        "mirrored_too = true", "mirrored_too = false"
    )
    assert own != written
    (folder / f"{name}.toml").write_text(own, encoding="utf-8")


def test_an_engine_is_opened_when_asked_for_and_once(engines, folder):
    pack = load_pack("arcface-onnx", models_dir=folder)
    assert pack.id in engines
    assert engines[pack.id] is engines[pack.id]
    assert engines[pack.id].pack_id == pack.id
    assert "nobody@1" not in engines


def test_a_pack_that_came_later_is_found_without_a_restart(engines, folder):
    before = set(engines)
    own_manifest(folder, "hospital-own")
    (new,) = set(engines) - before
    assert engines[new].pack.name == "hospital-own"


def test_a_manifest_that_breaks_a_rule_hides_no_other(engines, folder):
    (folder / "broken.toml").write_text("name = 3", encoding="utf-8")
    assert load_pack("arcface-onnx", models_dir=folder).id in engines


def test_a_pack_without_its_files_says_which_is_missing(engines, folder):
    pack = load_pack("arcface-onnx", models_dir=folder)
    (folder / "mobilefacenet.onnx").unlink()
    with pytest.raises(ModelMissing):
        engines[pack.id]
