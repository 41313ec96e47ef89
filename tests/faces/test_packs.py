"""Model packs: what a manifest may say, which files belong to it, and that no other file is ever opened in its name."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest

from shouhao.faces import packs
from shouhao.faces.manifest import PACK_NAME
from shouhao.faces.model import ModelMissing, ModelRefused, PackUnknown
from shouhao.faces.packs import (
    ModelFile,
    Pack,
    PackagedFile,
    PackageMissing,
    check_files,
    known_packs,
    load_pack,
    model_path,
    packaged_path,
)
from shouhao.kernel.errors import InvalidInput

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "arcface-onnx.toml"
CONTENT = b"not a model, but its hash is known\n"
FILE = ModelFile(
    name="own.onnx",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
    url=None,
    licence="ours",
    pack="own",
)
MANIFEST = f"""
name = "own"
zh = "自有"
en = "our own"
source = "here"
licence = "ours"
for_trying_out = false
mirror = "https://mirror.invalid/models"

[detector]
kind = "yunet"
score_at_least = 0.6
[detector.file]
name = "detector.onnx"
sha256 = "{"0" * 64}"
size_bytes = 10
url = "some/detector.onnx"
licence = "ours"

[embedder]
kind = "onnx"
dims = 4
chip_px = 112
template_px = [[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]]
channels = "rgb"
mean = 127.5
scale = 128
mirrored_too = true
[embedder.file]
name = "own.onnx"
sha256 = "{FILE.sha256}"
licence = "ours"

[[liveness]]
crop_scale = 2.7
[liveness.file]
name = "live.onnx"
sha256 = "{"1" * 64}"
licence = "ours"

[[threshold]]
fmr = 1e-6
similarity_cos = 0.42
tmr = 0.97
measured_on = "people of ours"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.toml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def written(folder: Path, manifest: str, name: str = "own") -> Pack:
    (folder / f"{name}.toml").write_text(manifest, encoding="utf-8")
    return load_pack(name, models_dir=folder)


def test_the_packs_built_in_are_whole(tmp_path: Path) -> None:
    assert known_packs(tmp_path / "nowhere") == ("arcface-onnx", "dlib", "opencv-zoo")
    for name in known_packs(tmp_path):
        pack = load_pack(name, models_dir=tmp_path)
        assert re.fullmatch(rf"{name}@[0-9a-f]{{12}}", pack.id)
        assert pack.embedder.template_px.shape == (5, 2)
        assert pack.embedder.template_px.dtype == np.float32
        assert all(check.file.pack == name for check in check_files(pack, tmp_path, hashed=False))


def test_the_default_pack_may_be_shipped_and_the_others_say_what_they_are_for(tmp_path: Path) -> None:
    told = {name: load_pack(name, models_dir=tmp_path) for name in known_packs(tmp_path)}
    assert {name for name, pack in told.items() if pack.for_trying_out} == {"dlib", "arcface-onnx"}
    zoo = told["opencv-zoo"]
    assert zoo.mirror == "https://media.githubusercontent.com/media/opencv/opencv_zoo/main"
    assert zoo.published_threshold is not None
    assert (zoo.published_threshold.similarity_cos, zoo.thresholds) == (0.363, ())
    urls = [file.url for file in (zoo.detector.file, zoo.embedder.file) if file is not None]
    assert urls == [
        "models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    ]
    assert [one.file.url for one in zoo.liveness] == [None, None]


def test_the_models_of_development_are_the_ones_named(models_dir: Path) -> None:
    pack = load_pack("arcface-onnx", models_dir=models_dir)
    assert {check.state for check in check_files(pack, models_dir)} == {"ok"}
    zoo = check_files(load_pack("opencv-zoo", models_dir=models_dir), models_dir)
    assert [check.file.name for check in zoo if check.stops and check.state != "missing"] == []


def test_opencv_gives_its_recogniser_red_first_so_the_default_pack_does(models_dir: Path, tmp_path: Path) -> None:
    """FaceRecognizerSF runs any net of this shape: what it feeds shows in what comes out."""
    net = str(models_dir / "mobilefacenet.onnx")
    chip = np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8)
    session = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])

    def run(channels: np.ndarray) -> np.ndarray:
        return session.run(None, {"data": channels.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]

    seen = cv2.FaceRecognizerSF.create(net, "").feature(chip)[0]
    red_first, blue_first = (np.abs(seen - run(one)).max() for one in (chip[:, :, ::-1], chip))
    assert red_first < 1e-3 < blue_first
    assert load_pack("opencv-zoo", models_dir=tmp_path).embedder.channels == "rgb"


def test_a_manifest_in_the_models_folder_wins(folder: Path) -> None:
    assert "own" in known_packs(folder)
    own = MANIFEST.replace('name = "own"', 'name = "dlib"', 1)
    assert written(folder, own, "dlib").en == "our own"


def test_the_example_for_hospitals_is_a_manifest(tmp_path: Path) -> None:
    pack = written(tmp_path, EXAMPLE.read_text(encoding="utf-8"), "arcface-onnx")
    assert (pack.embedder.dims, pack.embedder.mean, pack.for_trying_out) == (512, 127.5, False)
    whole = re.sub(r"(?m)^# (?=\[|[a-z0-9_]+ +=)", "", EXAMPLE.read_text(encoding="utf-8"))
    optional = written(tmp_path, whole, "arcface-onnx")
    assert (len(optional.liveness), [one.similarity_cos for one in optional.thresholds]) == (1, [0.42])


@pytest.mark.parametrize("name", ["nothing", "", "../own", "own.toml", "/etc/passwd", "OWN", "a" * 41, "own\n", "\0"])
def test_an_unknown_pack_is_told_with_those_that_are_known(folder: Path, name: str) -> None:
    with pytest.raises(PackUnknown) as refused:
        load_pack(name, models_dir=folder)
    assert "arcface-onnx, dlib, opencv-zoo, own" in refused.value.says("en")


def test_other_toml_files_in_the_folder_are_no_packs(folder: Path) -> None:
    (folder / "Notes of ours.toml").write_text("x = 1")
    (folder / "dir.toml").mkdir()
    assert all(PACK_NAME.fullmatch(name) for name in known_packs(folder))
    assert "dir" not in known_packs(folder)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('zh = "自有"', "", "zh"),
        ('zh = "自有"', "zh = 3", "zh"),
        ("dims = 4", "dims = 4\nkind_of = 1", "kind_of"),
        ("dims = 4", "dims = 1.5", "embedder.dims"),
        ("dims = 4", "dims = 0", "embedder.dims"),
        ("scale = 128", "scale = 0", "embedder.scale"),
        ("scale = 128", "scale = nan", "embedder.scale"),
        ("mean = 127.5", "mean = inf", "embedder.mean"),
        ("[38, 52]", "[nan, 52]", "embedder.template_px.0.0"),
        ("[38, 52]", "[38, 52, 1]", "embedder.template_px[0]"),
        ("[38, 52]", "[138, 52]", "embedder.template_px"),
        ("[[38, 52], [74, 52],", "[[74, 52], [38, 52],", "embedder.template_px"),
        ("[42, 92], [71, 92]]", "[42, 92]]", "embedder.template_px"),
        ('channels = "rgb"', 'channels = "rbg"', "embedder.channels"),
        ('kind = "onnx"', 'kind = "pickle"', "embedder.kind"),
        ('kind = "onnx"', 'kind = "dlib"', "embedder.packaged"),
        ("score_at_least = 0.6", "score_at_least = 2", "detector.score_at_least"),
        ('name = "own"', 'name = "other"', "name"),
        ('name = "own.onnx"', 'name = "../own.onnx"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "/etc/passwd"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "a/own.onnx"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "a\\\\own.onnx"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = ".."', "embedder.file.name"),
        ('name = "own.onnx"', 'name = ".hidden"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "own.onnx\\n"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "dlib.toml"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "own.onnx.part"', "embedder.file.name"),
        ('name = "own.onnx"', 'name = "detector.onnx"', "file.name"),
        ('url = "some/detector.onnx"', 'url = "../detector.onnx"', "detector.file.url"),
        ('url = "some/detector.onnx"', 'url = "https://elsewhere.invalid/x"', "detector.file.url"),
        ('url = "some/detector.onnx"', 'url = "/detector.onnx"', "detector.file.url"),
        ("size_bytes = 10\n", "", "detector.onnx size_bytes"),
        ("size_bytes = 10\n", "size_bytes = -1\n", "detector.file.size_bytes"),
        ('mirror = "https://mirror.invalid/models"', "", "mirror"),
        ('mirror = "https:', 'mirror = "http:', "mirror"),
        (f'sha256 = "{"1" * 64}"', f'sha256 = "{"1" * 63}"', "liveness[0].file.sha256"),
        ("crop_scale = 2.7", "crop_scale = 0.1", "liveness[0].crop_scale"),
        ("tmr = 0.97", "tmr = 97", "threshold[0].tmr"),
        ("tmr = 0.97", "tmr = nan", "threshold[0].tmr"),
        ("[detector]", "[detector", ""),
        ("[embedder.file]", "[embedder.elsewhere]", "elsewhere"),
    ],
)
def test_a_malformed_manifest_is_refused_by_field_and_rule(folder: Path, old: str, new: str, field: str) -> None:
    assert old in MANIFEST
    with pytest.raises(InvalidInput) as refused:
        written(folder, MANIFEST.replace(old, new, 1))
    told = refused.value
    assert told.field is not None
    assert told.field.startswith(f"own.toml {field}".rstrip()) or field in told.says("en")
    assert told.data["rule_zh"]
    assert told.data["rule_en"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"\0" * 100, b"[" * 50_000, b"x = 1" + b"#" * 200_000, b"a = " + b"9" * 5000]
)
def test_what_is_no_manifest_at_all_is_refused(folder: Path, content: bytes) -> None:
    (folder / "own.toml").write_bytes(content)
    with pytest.raises(InvalidInput, match="invalid"):
        load_pack("own", models_dir=folder)


def test_the_id_changes_with_all_that_shapes_an_embedding_and_with_nothing_else(folder: Path) -> None:
    first = load_pack("own", models_dir=folder).id
    shaping = [
        (FILE.sha256, "2" * 64),
        ("0" * 64, "2" * 64),
        ("dims = 4", "dims = 5"),
        ("chip_px = 112", "chip_px = 113"),
        ("[56, 72]", "[56, 72.01]"),
        ('"rgb"', '"bgr"'),
        ("127.5", "127.6"),
        ("scale = 128", "scale = 127.5"),
        ("mirrored_too = true", "mirrored_too = false"),
    ]
    ids = [written(folder, MANIFEST.replace(*change, 1)).id for change in shaping]
    assert len({first, *ids}) == 1 + len(shaping)
    other = [
        ('zh = "自有"', 'zh = "别的"'),
        ('licence = "ours"', 'licence = "theirs"'),
        ("score_at_least = 0.6", "score_at_least = 0.5"),
        ("similarity_cos = 0.42", "similarity_cos = 0.5"),
        ("1" * 64, "2" * 64),
        ("scale = 128", "scale = 128.0"),
        ("some/detector.onnx", "another/detector.onnx"),
    ]
    assert {written(folder, MANIFEST.replace(*change, 1)).id for change in other} == {first}


def test_files_are_told_as_they_lie(folder: Path) -> None:
    pack = load_pack("own", models_dir=folder)

    def states(**how: bool) -> list[str]:
        return [check.state for check in check_files(pack, folder, **how)]

    assert states() == ["missing", "missing", "missing"]
    (folder / "detector.onnx").write_bytes(b"short")
    (folder / "own.onnx").write_bytes(CONTENT)
    assert states() == ["wrong_size", "ok", "missing"]
    (folder / "own.onnx").write_bytes(CONTENT.swapcase())
    (folder / "live.onnx").write_bytes(b"another")
    assert states() == ["wrong_size", "wrong_hash", "wrong_hash"]
    assert states(hashed=False) == ["wrong_size", "ok", "ok"]


def test_a_missing_optional_file_stops_nothing_and_a_wrong_one_does(folder: Path) -> None:
    pack = load_pack("own", models_dir=folder)
    assert [check.stops for check in check_files(pack, folder)] == [True, True, False]
    (folder / "live.onnx").write_bytes(b"another")
    assert check_files(pack, folder)[2].stops


def test_a_file_that_is_the_one_named_is_given(folder: Path) -> None:
    (folder / "own.onnx").write_bytes(CONTENT)
    assert model_path(FILE, folder) == folder / "own.onnx"


def test_a_missing_file_says_what_to_do(folder: Path) -> None:
    with pytest.raises(ModelMissing) as refused:
        model_path(FILE, folder)
    assert "shouhao models pull own" in refused.value.says("en")


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\0", CONTENT.upper()])
def test_a_file_with_other_content_is_never_given(folder: Path, content: bytes) -> None:
    (folder / "own.onnx").write_bytes(content)
    with pytest.raises(ModelRefused) as refused:
        model_path(FILE, folder)
    assert "own.onnx" in refused.value.says("zh")


@pytest.mark.parametrize("name", ["../own.onnx", "a/../own.onnx", "/etc/hostname", "..", ""])
def test_a_name_that_leaves_the_folder_is_refused_even_when_made_in_code(folder: Path, name: str) -> None:
    file = ModelFile(name=name, sha256=FILE.sha256, size_bytes=None, url=None, licence="ours")
    with pytest.raises(ModelRefused):
        model_path(file, folder)


def test_a_folder_in_place_of_a_file_is_missing(folder: Path) -> None:
    (folder / "own.onnx").mkdir()
    with pytest.raises(ModelMissing):
        model_path(FILE, folder)


def test_a_file_is_hashed_once_and_again_whenever_it_was_touched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    true_hash = packs._hash_of

    def counting(path: Path) -> str:
        hashed.append(path)
        return true_hash(path)

    monkeypatch.setattr(packs, "_hash_of", counting)
    path = folder / "own.onnx"
    path.write_bytes(CONTENT)
    for _ in range(3):
        model_path(FILE, folder)
    assert len(hashed) == 1
    old = path.stat()
    path.write_bytes(CONTENT.upper())  # same size, and its times put back as they were
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    with pytest.raises(ModelRefused):
        model_path(FILE, folder)
    path.write_bytes(CONTENT)
    assert model_path(FILE, folder) == path
    assert len(hashed) == 3


def test_a_package_that_is_not_installed_is_told_by_name() -> None:
    file = PackagedFile(
        package="no_such_package_here", name="x.dat", sha256="0" * 64, size_bytes=1, licence="?", pack="dlib"
    )
    with pytest.raises(PackageMissing) as refused:
        packaged_path(file)
    assert "no_such_package_here" in refused.value.says("zh")
    assert isinstance(refused.value, ModelMissing)


def test_a_package_with_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brings_models").mkdir()
    (tmp_path / "brings_models" / "__init__.py").write_text("raise RuntimeError('this is never imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    made: dict[str, Any] = {"package": "brings_models", "size_bytes": len(CONTENT), "licence": "?", "pack": "dlib"}
    file = PackagedFile(name="x.dat", sha256=FILE.sha256, **made)
    with pytest.raises(ModelMissing):
        packaged_path(file)
    (tmp_path / "brings_models" / "x.dat").write_bytes(CONTENT)
    assert packaged_path(file).name == "x.dat"
    with pytest.raises(ModelRefused):
        packaged_path(PackagedFile(name="x.dat", sha256="0" * 64, **made))
