"""`shouhao findings`: what a script takes in and lists."""

import json

import pytest
from typer.testing import CliRunner

from flows import made_findings as made
from shouhao.cli.main import app
from shouhao.kernel.errors import InvalidInput


@pytest.fixture
def shouhao(tmp_path, monkeypatch, sqlite_url):
    monkeypatch.setenv("SHOUHAO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SHOUHAO_DATABASE_URL", sqlite_url)

    def run(*words):
        said = CliRunner().invoke(app, [str(word) for word in words])
        if said.exception is not None and not isinstance(said.exception, SystemExit):
            raise said.exception
        return said

    return run


def test_folders_are_taken_in_once_and_listed(shouhao, tmp_path):
    one, other = made.night(tmp_path / "周一"), made.write(tmp_path / "周二", [made.line("f-9")])
    said = shouhao("findings", "take", one, other)
    assert (said.exit_code, said.stdout.count("已收入 taken in")) == (0, 2)
    (again,) = json.loads(shouhao("findings", "take", one, "--name", "又一次", "--json").stdout)
    assert (again["again"], again["new"], again["findings"], again["rings"]) == (True, 0, 4, 1)
    runs = json.loads(shouhao("findings", "list", "--json").stdout)
    assert {(run["name"], run["findings"]["strong"], run["agree"]) for run in runs} == {
        ("周一", 1, True),
        ("周二", 1, True),
    }
    listed = shouhao("findings", "list").stdout
    assert all(run["run_id"] in listed for run in runs)
    for secret in (made.ACCOUNT, made.RAW):
        assert secret not in listed + said.stdout


def test_a_folder_that_is_not_whole_is_refused_and_says_so(shouhao, tmp_path):
    folder = made.night(tmp_path / "a")
    (folder / "report.json").unlink()
    with pytest.raises(InvalidInput) as refusal:
        shouhao("findings", "take", folder)
    assert refusal.value.field == "report.json"
    with pytest.raises(InvalidInput) as named:
        shouhao("findings", "take", made.night(tmp_path / "b"), made.night(tmp_path / "c"), "--name", "x")
    assert named.value.field == "name"
    assert json.loads(shouhao("findings", "list", "--json").stdout) == []


def test_files_that_disagree_are_taken_in_with_a_note(shouhao, tmp_path):
    folder = made.night(tmp_path / "a")
    with (folder / "findings.jsonl").open("rb+") as file:
        raw = file.read().replace(b'"score":9.25', b'"score":2.25')
        file.seek(0)
        file.write(raw)
    assert "两个文件不一致" in shouhao("findings", "take", folder).stdout
    assert "两个文件不一致" in shouhao("findings", "list").stdout
