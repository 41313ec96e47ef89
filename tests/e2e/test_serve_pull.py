"""`shouhao serve pull` beside `shouhao lab streams`, as a hospital starts them: from the law's switch to the spool."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.pulled import CLOCK, Spooled, add_camera, wait_until
from lawful import make_lawful
from shouhao.compliance.store import turn_off
from shouhao.settings import Settings
from shouhao.store.engine import open_database
from shouhao.store.migrate import upgrade
from shouhao.store.vault import Vault
from shouhao.watch.store.cameras import add_sign

SHOUHAO = [sys.executable, "-m", "shouhao.cli.main"]


@contextmanager
def running(arguments, environment, *, until=None):
    """The command, until the block ends; then it is asked to end, and must."""
    process = subprocess.Popen(
        [*SHOUHAO, *arguments], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture
def hospital(tmp_path, models_dir):
    """Its settings as environment, its database and its vault."""
    environment = {
        "SHOUHAO_DATA_DIR": str(tmp_path),
        "SHOUHAO_MODELS": str(models_dir),
        "SHOUHAO_FACE_PACK": "arcface-onnx",
        "SHOUHAO_PULL_DETECT_PX": "640",
    }
    settings = Settings(data_dir=tmp_path)
    upgrade(settings.open_url())
    db = open_database(settings.open_url())
    yield environment, db, Vault(settings.master_key())
    db.close()


def test_streams_are_pulled_while_the_law_allows_it_and_end_with_the_command(hospital, faces_dir, tmp_path):
    environment, db, vault = hospital
    lab = ["lab", "streams", "--faces", str(faces_dir / "lfw-dev"), "--cameras", "1", "--people", "2", "--port", "0"]
    with running(lab, environment) as streams:
        address = wait_until(lambda: re.match(r"rtsp://\S+", streams.stdout.readline()), what="an address")[0]
        add_camera(db, vault, "east", address, group="hall")
        add_camera(db, vault, "far", "rtsp://127.0.0.1:1/none", group="elsewhere")
        now_us = CLOCK.now_us()
        with db.write() as connection:
            for camera_id in ("east", "far"):
                add_sign(connection, camera_id, still_id="st_1", taken_at_us=now_us, staff_id=None, now_us=now_us)
        make_lawful(db, "watchlist", now_us=now_us)
        with running(["serve", "pull", "hall"], environment) as pull:
            spooled = Spooled(tmp_path / "spool", vault)
            shots = wait_until(spooled.more, what="a shot", within_s=90)
            assert {shot.ref.split("-")[0] for shot in shots} == {"east"}
            spooled.close()
            with db.write() as connection:
                turn_off(connection, "watchlist", staff_id=None, why="检修", now_us=CLOCK.now_us())
            children = Path(f"/proc/{pull.pid}/task/{pull.pid}/children")
            wait_until(lambda: not children.read_text().strip(), what="no process that pulls")
            pull.send_signal(signal.SIGTERM)
            assert pull.wait(30) == 0
    assert (tmp_path / "spool" / "pull-hall").is_dir()


def test_two_processes_do_not_pull_one_group(hospital, tmp_path):
    environment, _, _ = hospital
    with running(["serve", "pull", "hall"], environment):
        lock = wait_until(
            lambda: environment["SHOUHAO_DATA_DIR"] + "/spool/pull-hall/writer.lock", what="the writer's lock"
        )
        wait_until(lambda: os.path.exists(lock), what="the lock")  # noqa: PTH110 - polled
        other = subprocess.run(
            [*SHOUHAO, "serve", "pull", "hall"],
            env={**os.environ, **environment},
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert other.returncode == 3


@pytest.mark.parametrize("group", ["../x", "", "a b", "x" * 41])
def test_a_group_is_a_name_and_no_path(hospital, group):
    environment, _, _ = hospital
    said = subprocess.run(
        [*SHOUHAO, "serve", "pull", group],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 1
