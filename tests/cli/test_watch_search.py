"""`shouhao watch search`: asked for by one, agreed to by another, found with real models; a cut file says where."""

import json
import re
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from flows.searching import OTHERS, WANTED, photograph, recorded
from lawful import go_live, make_lawful, operator
from shouhao.cli.main import app
from shouhao.kernel.clock import DAY_US, from_us
from shouhao.settings import Settings
from shouhao.staff.approvals import decide
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.wiring import assemble

RUN = CliRunner()


@pytest.fixture
def system(tmp_path, models_dir, monkeypatch):
    monkeypatch.setenv("SHOUHAO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SHOUHAO_MODELS", str(models_dir))
    monkeypatch.setenv("SHOUHAO_FACE_PACK", "arcface-onnx")
    monkeypatch.setenv("SHOUHAO_FACE_THREADS", "1")
    monkeypatch.setenv("SHOUHAO_PULL_DETECT_PX", "640")
    monkeypatch.setenv("SHOUHAO_LOG_LEVEL", "ERROR")
    assert RUN.invoke(app, ["db", "upgrade"]).exit_code == 0
    opened = assemble(Settings())
    now_us = opened.clock.now_us()
    go_live(opened.db, "CAM1", now_us=now_us)
    make_lawful(opened.db, "watchlist", "recordings_search", now_us=now_us)
    yield opened
    opened.close()


@pytest.fixture
def arguments(system, tmp_path, faces_dir):
    """A search of one folder of recordings, by somebody who may."""
    now_us = system.clock.now_us()
    began = from_us(now_us).replace(tzinfo=None, microsecond=0) - timedelta(minutes=30)
    folder = tmp_path / "handed in"
    folder.mkdir()
    (folder / f"ch1_{began:%Y%m%d%H%M%S}.mp4").write_bytes(recorded(faces_dir, OTHERS[0], WANTED))
    photo, key_file = tmp_path / "suspect.jpg", tmp_path / "key"
    photo.write_bytes(photograph(faces_dir, WANTED, 3))
    with system.db.write() as connection:
        made, key = create_operator(
            connection, "王五", roles=frozenset({"police_liaison"}), now_us=now_us, randomness=system.randomness
        )
        until_us = now_us + DAY_US
        record_training(connection, made.id, trained_by="x", document="T", until_us=until_us, now_us=now_us)
    key_file.touch(mode=0o600)
    key_file.write_text(key)
    span = ["--from", (began - timedelta(minutes=5)).isoformat(), "--until", (began + timedelta(minutes=5)).isoformat()]
    more = ["--photo", str(photo), "--camera", "CAM1", "--threshold", "0.42", "--reason", "协查"]
    return ["watch", "search", str(folder), *span, *more, "--key-file", str(key_file)]


def agreed(system, arguments):
    asked = RUN.invoke(app, arguments)
    assert asked.exit_code == 1, asked.output
    approval_id = re.search(r"ap_[0-9a-f]{26}", asked.output)[0]
    now_us = system.clock.now_us()
    second = operator(system.db, "approver", now_us=now_us)
    with system.db.write() as connection:
        decide(connection, approval_id, operator=second, approve=True, reason="已核对", now_us=now_us)
    return [*arguments, "--approval", approval_id]


def test_one_asks_another_agrees_and_the_hit_is_told(system, arguments):
    said = RUN.invoke(app, [*agreed(system, arguments), "--json"])
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout)
    assert told["state"] == "done"
    assert [one["stopped"] for one in told["files"]] == ["ended"]
    (hit,) = told["hits"]
    assert hit["camera_id"] == "CAM1"
    assert 2 <= hit["position_s"] <= 6


def test_a_recording_that_is_cut_off_says_where_and_ends_with_one(system, arguments, tmp_path):
    (file,) = (tmp_path / "handed in").iterdir()
    file.write_bytes(file.read_bytes()[:-60_000])
    said = RUN.invoke(app, agreed(system, arguments))
    assert said.exit_code == 1
    assert file.name in said.output
    assert re.search(r"truncated · \d\.\d s，字节 byte \d+", said.output)


def test_a_key_that_others_can_read_is_not_taken(system, arguments, tmp_path):
    (tmp_path / "key").chmod(0o644)
    said = RUN.invoke(app, arguments)
    assert said.exit_code == 1
    assert said.exception.code == "invalid"


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", ""])
def test_a_moment_is_written_as_iso_8601(system, arguments, moment):
    said = RUN.invoke(app, [*arguments, "--from", moment])
    assert said.exit_code == 1
    assert said.exception.code == "invalid"
