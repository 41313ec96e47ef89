"""The how-to on face models: its commands run as they are written, on a few people, and its arithmetic is right."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shouhao.faces.budget import Budget
from shouhao.faces.calibrate import PEOPLE_LEAST, WITH_TWO_LEAST
from shouhao.settings import PREFIX

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "choose-and-calibrate-a-model.md").read_text(encoding="utf-8")
SOON_S = 240


def walk(part):
    (block,) = re.findall(rf"^<!-- walk: {part} -->\n```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return block


@pytest.fixture
def checkout(tmp_path, faces_dir, models_dir):
    """A folder that was set up, with a dozen people in it and the models elsewhere."""
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    several = [one for one in sorted((faces_dir / "lfw-dev").iterdir()) if len(list(one.iterdir())) > 1]
    for one in several[:12]:
        shutil.copytree(one, tmp_path / "people" / one.name)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return tmp_path, {**kept, f"{PREFIX}MODELS": str(models_dir)}


@pytest.mark.skipif(
    os.environ.get("SHOUHAO_TEST_REQUIRE") != "all" and not shutil.which("bash"), reason="the page is written for bash"
)
def test_the_commands_run_as_they_are_written(checkout):
    folder, environment = checkout
    done = subprocess.run(
        ["bash", "-c", "set -eu\n" + walk("calibrate") + walk("embed")],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=SOON_S,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "calibration" / "calibration.json").read_text("utf-8"))
    assert report["measured"]["people"] == 12
    assert (folder / "calibration" / "calibration.html").stat().st_size > 10_000
    told = json.loads(done.stdout.splitlines()[-1])
    with np.load(folder / "photographs.npz") as arrays:
        assert len(arrays["path"]) == told["files"] == report["measured"]["photographs"]
        assert str(arrays["pack"]) == report["pack"]["id"]


def test_the_arithmetic_of_the_page_is_that_of_the_system():
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.e-]+) \| ([\d.e-]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for alarms, passages, size, fpir, fmr in rows:
        given = [int(number.replace(",", "")) for number in (alarms, passages, size)]
        budget = Budget(false_alarms_a_day=given[0], passages_a_day=given[1], list_size=given[2])
        assert budget.fpir == pytest.approx(float(fpir), rel=0.02)
        assert budget.fmr == pytest.approx(float(fmr), rel=0.03)
    needed = Budget(false_alarms_a_day=1, passages_a_day=20_000, list_size=2_100).photographs_needed
    assert f"{needed:,} photographs" in PAGE


def test_the_page_says_how_many_people_it_takes():
    assert f"It takes {PEOPLE_LEAST} people, {WITH_TWO_LEAST} of\nthem with two" in PAGE
