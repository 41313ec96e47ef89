"""`shouhao staff` and what `shouhao up` says on its first run: logins that are shown once, and no default password."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from shouhao.settings import PREFIX
from warm_command import run_command

ONE_TIME = r"[A-Z2-7]{4}(-[A-Z2-7]{4}){5}"


@pytest.fixture
def shouhao(tmp_path: Path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment = {**kept, f"{PREFIX}DATA_DIR": str(tmp_path / "data"), "COLUMNS": "200"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = run_command(words, cwd=tmp_path, env=environment, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def test_a_person_gets_a_login_a_training_and_a_new_login(shouhao):
    made = shouhao("staff", "create", "李强", "--role", "monitoring", "--login", "liqiang", "--unit", "监控中心")
    operator_id, login, one_time, _ = made.stdout.splitlines()
    assert login == "登录名 login liqiang"
    assert re.fullmatch(f"一次性口令 one-time {ONE_TIME}", one_time)
    told = ("--by", "保卫处", "--document", "培训-07", "--until", "2099-06-30")
    assert shouhao("staff", "train", "liqiang", *told).stdout.startswith(f"{operator_id}\t2099-07-01T00:00:00")
    assert shouhao("staff", "train", operator_id, *told).returncode == 0
    again = shouhao("staff", "reset", "LiQiang")
    assert re.search(ONE_TIME, again.stdout)
    assert one_time.split()[-1] not in again.stdout
    (listed,) = json.loads(shouhao("staff", "list", "--json").stdout)
    assert (listed["operator_id"], listed["login"], listed["unit"]) == (operator_id, "liqiang", "监控中心")
    assert listed["trained_until"].startswith("2099-07-01")


def test_what_cannot_be_is_a_no_or_wrong_usage(shouhao):
    assert shouhao("staff", "create", "x", "--role", "administrator", "--role", "auditor").returncode == 1
    assert shouhao("staff", "create", "x", "--role", "guard", "--login", "a b").returncode == 1
    assert shouhao("staff", "reset", "nobody").returncode == 1
    assert shouhao("staff", "train", "nobody", "--by", "x", "--document", "y", "--until", "2099-01-01").returncode == 1
    assert shouhao("staff", "train", "nobody", "--by", "x", "--document", "y", "--until", "soon").returncode == 2
    assert shouhao("staff", "list").stdout == ""
