"""`shouhao lab scalping`: prints what it wrote, and says what it cannot make."""

import json

import typer
from typer.testing import CliRunner

from shouhao.cli.lab_scalping import scalping
from shouhao.kernel.errors import InvalidInput

app = typer.Typer()
app.command()(scalping)


def test_it_tells_what_it_wrote(tmp_path):
    arguments = ["--out", str(tmp_path), "--seed", "5", "--scenario", "plain_day", "--events", "jsonl", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["gang_accounts"] == 0
    assert facts["honest_accounts"] > 1000
    names = {one["path"].rsplit("/", 1)[1]: one for one in facts["files"]}
    assert names["events.jsonl"]["rows"] == len((tmp_path / "inputs" / "events.jsonl").read_text().splitlines())
    assert all((tmp_path / "inputs" / name).stat().st_size == one["bytes"] for name, one in names.items())
    assert "log_format" in (tmp_path / "inputs" / "nginx.conf").read_text()


def test_an_unknown_kind_is_refused(tmp_path):
    done = CliRunner().invoke(app, ["--out", str(tmp_path), "--kind", "nobody"])
    assert isinstance(done.exception, InvalidInput)
    assert list(tmp_path.iterdir()) == []
