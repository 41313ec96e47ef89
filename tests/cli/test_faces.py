"""`shouhao faces`: what its scripts rely on. It works on a dozen people of LFW, which are never in the repository."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from shouhao.settings import PREFIX
from warm_command import run_command

SOON_S = 240
DONE, NO, USAGE = 0, 1, 2
PACK = "arcface-onnx"


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """A terminal in a folder of its own, where the models lie somewhere else."""

    folder: Path
    models: Path

    def __call__(self, *words):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        surroundings = {**kept, f"{PREFIX}MODELS": str(self.models), "COLUMNS": "200"}
        done = run_command(["faces", *words], cwd=self.folder, env=surroundings, timeout=SOON_S)
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def people(faces_dir, tmp_path_factory):
    """A dozen people with two photographs or more, one of them twice under another name, and two bad files."""
    folder = tmp_path_factory.mktemp("lfw") / "people"
    several = [one for one in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(one.iterdir())) > 1]
    for one in several[:12]:
        shutil.copytree(one, folder / one.name)
    shutil.copytree(several[3], folder / "Somebody_Else")
    (folder / several[0].name / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / several[1].name / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


@pytest.fixture
def shell(tmp_path, models_dir):
    return Shell(tmp_path, models_dir)


@pytest.fixture(scope="module")
def calibrated(people, models_dir, tmp_path_factory):
    """What one run over the dozen said, and where it wrote."""
    shell = Shell(tmp_path_factory.mktemp("run"), models_dir)
    said = shell("calibrate", people, "--pack", PACK, "--out", "found", "--json")
    return said, shell.folder / "found", people


def test_calibrating_a_dozen_people_says_what_it_found_and_where(calibrated):
    said, out, people = calibrated
    assert said.status == DONE, said.err
    told = json.loads(said.out)
    assert (told["people"], told["unusable"], told["threshold_cos"]) == (13, 2, None)
    assert told["why_not"] == "too_few_photographs"
    assert told["photographs"] == sum(1 for one in people.rglob("*.jpg")) - 1
    assert {path.name for path in out.iterdir()} == {"calibration.json", "calibration.html"}


def test_the_result_is_strict_json_with_all_that_it_takes_to_repeat_it(calibrated):
    report = json.loads((calibrated[1] / "calibration.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert report["pack"]["id"].startswith(f"{PACK}@")
    assert report["pack"]["for_trying_out"] is True
    assert re.fullmatch("[0-9a-f]{64}", report["data"]["files_sha256"])
    assert report["data"]["files_read"] == report["measured"]["photographs"] + 2
    assert report["measured"]["budget"] == {"false_alarms_a_day": 1.0, "passages_a_day": 20_000, "list_size": 2_100}
    assert report["measured"]["genuine_pairs"] > 12


def test_bad_pictures_are_listed_and_not_fatal(calibrated):
    report = json.loads((calibrated[1] / "calibration.json").read_text("utf-8"))
    assert [Path(one["file"]).name for one in report["unusable"]] == ["broken.jpg", "notes.txt"]
    assert {one["code"] for one in report["unusable"]} == {"faces.picture_refused"}


def test_somebody_who_is_there_under_two_names_is_named(calibrated):
    report = json.loads((calibrated[1] / "calibration.json").read_text("utf-8"))
    first = report["measured"]["too_close"][0]
    assert "Somebody_Else" in (first["first"], first["second"])
    assert first["similarity_cos"] > 0.99


def test_the_page_fetches_nothing_and_warns_of_a_pack_for_trying_out(calibrated):
    page = (calibrated[1] / "calibration.html").read_text("utf-8")
    bare = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", page)
    assert not re.search(r"https?:|<script|<img|<link|@import", bare)
    assert "仅供试用" in page


def test_a_pipe_hears_no_progress_and_both_languages(calibrated):
    assert "━" not in calibrated[0].err
    assert "仅供试用" in calibrated[0].err
    assert "trying out only" in calibrated[0].err


def test_without_names_nobody_is_named(shell, people):
    said = shell("calibrate", people, "--pack", PACK, "--out", "found", "--without-names", "--seed", "7")
    assert said.status == DONE
    for path in (shell.folder / "found").iterdir():
        written = path.read_text("utf-8")
        assert not [one.name for one in people.iterdir() if one.name in written]


def test_too_few_people_are_a_no_before_any_model_is_loaded(shell, people):
    few = shell.folder / "few"
    for one in sorted(people.iterdir())[:3]:
        shutil.copytree(one, few / one.name)
    said = shell("calibrate", few, "--pack", PACK, "--out", "found")
    assert said.status == NO
    assert "至少需要 10 人" in said.err
    assert "it takes 10 people" in said.err
    assert not (shell.folder / "found").exists()


def test_a_pack_that_is_named_and_not_there_is_refused(shell, people):
    empty = Shell(shell.folder, shell.folder / "no-models")
    for words in (
        ("calibrate", people, "--out", "found"),
        ("embed", "--list", _list(shell, ["a.jpg"]), "--out", "o.npz"),
    ):
        said = empty(*words, "--pack", "opencv-zoo")
        assert (said.status, said.out) == (NO, "")
        assert "shouhao models pull opencv-zoo" in said.err
    assert sorted(path.name for path in shell.folder.iterdir()) == ["list.txt"]


def test_without_a_name_the_next_usable_pack_is_taken_and_said(shell, people):
    photo = next(people.rglob("*_0001.jpg"))
    without = shell.folder / "models"
    without.mkdir()
    for file in ("face_detection_yunet_2023mar.onnx", "mobilefacenet.onnx"):
        (without / file).symlink_to(shell.models / file)
    said = Shell(shell.folder, without)("embed", "--list", _list(shell, [photo]), "--out", "o.npz", "--json")
    assert said.status == DONE
    assert json.loads(said.out)["pack"].startswith(f"{PACK}@")
    assert f"改用 {PACK}" in said.err
    assert f"{PACK} is used" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate", "."),
        ("calibrate", "absent", "--out", "found"),
        ("calibrate", ".", "--out", "found", "--false-alarms-a-day", "0"),
        ("calibrate", ".", "--out", "found", "--list-size", "0"),
        ("embed", "--list", "absent.txt", "--out", "o.npz"),
        ("embed", "--out", "o.npz"),
    ],
    ids=" ".join,
)
def test_wrong_usage_has_its_own_status(shell, words):
    assert shell(*words).status == USAGE


def _list(shell, lines):
    file = shell.folder / "list.txt"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def test_embedding_a_list_keeps_its_order_and_its_contract(shell, people):
    photos = sorted(people.rglob("*_000[12].jpg"))[:5]
    (shell.folder / "here.jpg").write_bytes(photos[0].read_bytes())
    (shell.folder / "坏.jpg").write_bytes(b"no picture")
    lines = ["here.jpg", *photos[1:], "absent.jpg", "坏.jpg"]
    said = shell("embed", "--list", _list(shell, lines), "--out", "out.npz", "--pack", PACK, "--json")
    assert said.status == NO  # one file does not exist
    told = json.loads(said.out)
    assert (told["files"], told["found"], told["missing"]) == (7, 5, ["absent.jpg"])
    assert "absent.jpg: " in said.err
    assert "坏.jpg: " in said.err
    with np.load(shell.folder / "out.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"path", "found", "box_xyxy_px", "quality", "embedding", "pack"}
        assert arrays["path"].tolist() == [str(line) for line in lines]
        assert arrays["found"].tolist() == [True] * 5 + [False] * 2
        assert (arrays["box_xyxy_px"].shape, arrays["box_xyxy_px"].dtype) == ((7, 4), np.float32)
        assert (arrays["embedding"].shape, arrays["embedding"].dtype) == ((7, 128), np.float32)
        assert (arrays["quality"].shape, arrays["quality"].dtype) == ((7,), np.float32)
        assert np.linalg.norm(arrays["embedding"], axis=1) == pytest.approx([1] * 5 + [0] * 2, abs=1e-5)
        assert not arrays["box_xyxy_px"][5:].any()
        assert arrays["pack"].shape == ()
        assert str(arrays["pack"]) == told["pack"]


def test_a_path_means_this_folder_first_and_then_that_of_the_list(shell, people):
    one, other = sorted(people.rglob("*_0001.jpg"))[:2]
    lists = shell.folder / "lists"
    lists.mkdir()
    (lists / "list.txt").write_text("﻿a.jpg\r\nb.jpg\r\n\r\n", encoding="utf-8")
    (shell.folder / "a.jpg").write_bytes(one.read_bytes())
    (lists / "a.jpg").write_bytes(b"no picture")
    (lists / "b.jpg").write_bytes(other.read_bytes())
    said = shell("embed", "--list", lists / "list.txt", "--out", "out.npz", "--pack", PACK)
    assert said.status == DONE, said.err
    with np.load(shell.folder / "out.npz") as arrays:
        assert arrays["path"].tolist() == ["a.jpg", "b.jpg"]
        assert arrays["found"].all()


def test_the_same_photograph_is_embedded_alike_wherever_it_stands(shell, people):
    photo = next(people.rglob("*_0001.jpg"))
    others = sorted(people.rglob("*_000[12].jpg"))[:4]
    for name, lines in (("first", [photo, *others]), ("last", [*others, photo])):
        assert shell("embed", "--list", _list(shell, lines), "--out", f"{name}.npz", "--pack", PACK).status == DONE
    first, last = (np.load(shell.folder / f"{name}.npz")["embedding"] for name in ("first", "last"))
    assert first[0] == pytest.approx(last[-1], abs=1e-4)


def test_an_empty_list_gives_empty_arrays(shell):
    said = shell("embed", "--list", _list(shell, []), "--out", "out.npz", "--pack", PACK)
    assert said.status == DONE
    with np.load(shell.folder / "out.npz") as arrays:
        assert arrays["embedding"].shape == (0, 128)
        assert arrays["path"].shape == (0,)
