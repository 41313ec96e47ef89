"""Pictures made to crash, to fill memory or to take for ever: thousands of them, against the one door they come in by.

The corpus is read in a process of its own (broken_pictures.py), so that its memory is measured and its death is seen.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).with_name("broken_pictures.py")
COUNT, SEED = 2_000, 20_261
SOON_S = 30
#: Pictures of the corpus have at most 4 megapixels; reading one takes 18 bytes a pixel at the worst.
GROWN_MIB = 80


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-W", "error", str(CORPUS), str(COUNT), str(SEED)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SOON_S)
    assert done.returncode == 0, f"the process died: {done.returncode} {done.stderr[-2000:]}"
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_broken_picture_is_a_picture_or_is_refused(found: dict[str, Any]) -> None:
    became = found["became"]
    assert sum(became.values()) == COUNT
    assert {what.split()[0] for what in became} == {"picture", "refused"}, became


def test_the_corpus_reaches_every_reason_to_refuse_but_the_plain_ones(found: dict[str, Any]) -> None:
    """Or it would prove little: broken pictures that all fail at their first byte."""
    became = found["became"]
    assert {"refused damaged", "refused large", "refused small", "refused kind", "refused costly"} <= became.keys()
    assert became["picture"] > COUNT // 10
    assert became["refused damaged"] > COUNT // 4


def test_memory_stays_within_what_the_limits_promise(found: dict[str, Any]) -> None:
    assert found["grown_mib"] < GROWN_MIB


def test_a_decompression_bomb_is_refused_before_any_memory_is_asked_for(found: dict[str, Any]) -> None:
    assert set(found["bombs"].values()) == {"refused large"}
    assert len(found["bombs"]) == 9
    assert found["bombs_asked_mib"] < 8
