"""`shouhao analyze --live` beside the platform: it follows, stops when told to, goes on, and can be done again."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from detect.test_live import FINDINGS, at, morning, viewed, write
from shouhao.store.engine import open_database
from shouhao.store.migrate import upgrade


@pytest.fixture
def platform(tmp_path):
    """A platform's data folder, its database, and the environment of its commands."""
    folder = tmp_path / "data"
    environment = {**os.environ, "SHOUHAO_DATA_DIR": str(folder), "SHOUHAO_MODE": "embedded"}
    folder.mkdir()
    url = f"sqlite:///{folder / 'shouhao.sqlite3'}"
    upgrade(url)
    db = open_database(url)
    yield db, environment
    db.close()


def command(*arguments):
    return [sys.executable, "-m", "shouhao.cli.main", "analyze", *arguments]


@contextmanager
def following(out, environment):
    """A live run; afterwards, what it said when it was told to stop."""
    run = subprocess.Popen(command("--live", "--out", str(out)), env=environment, stdout=subprocess.PIPE)
    told = {}
    try:
        yield told
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 0
        told |= json.loads(said)
    finally:
        run.kill()
        run.communicate()


def wait_for(text, path):
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if path.exists() and text in path.read_text(encoding="utf-8"):
            return
        time.sleep(0.1)
    pytest.fail(f"{text} was not said")


def test_a_live_run_says_stops_goes_on_and_is_done_again_to_the_byte(platform, tmp_path):
    db, environment = platform
    out, again = tmp_path / "live", tmp_path / "again"
    write(db, morning(until=20))
    with following(out, environment) as first:
        wait_for('"script"', out / FINDINGS)
    write(db, [viewed(at(20) + n * 1_000_000 // 3, "second-script") for n in range(600)])
    with following(out, environment) as second:
        wait_for('"second-script"', out / FINDINGS)
    assert second["events"] > first["events"]
    replay = ["--replay", str(out), "--out", str(again)]
    subprocess.run(command(*replay), env=environment, check=True, stdout=subprocess.PIPE, timeout=300)
    said = (out / FINDINGS).read_bytes()
    assert said
    assert (again / FINDINGS).read_bytes() == said
