"""The command as hospitals' scripts use it: what it prints, and with which status it ends."""

import csv
import json
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from pyarrow import parquet

from shouhao.kernel.events import EXPORT_COLUMNS
from shouhao.settings import PREFIX
from shouhao.store import event_log
from shouhao.store.engine import open_database
from shouhao.wiring import INVARIANTS
from warm_command import run_command

SCHEDULE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "schedule.csv"
SOON_S = 60
DONE, NO, USAGE, AWAY = 0, 1, 2, 3
NOBODY = "postgresql+psycopg://shouhao:secret-word@127.0.0.1:1/shouhao"


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """A terminal in which nobody has set anything but where the data lies."""

    folder: Path

    @property
    def data(self):
        return self.folder / "data"

    @property
    def database(self):
        return self.data / "shouhao.sqlite3"

    def __call__(self, *words, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = {
            PREFIX + name.upper(): str(value)
            for name, value in {"data_dir": self.data, **settings}.items()
            if value is not None
        }
        done = run_command(words, cwd=self.folder, env={**kept, **given, "COLUMNS": "200"}, timeout=SOON_S)
        assert "Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shouhao(tmp_path):
    return Shell(tmp_path)


def test_a_database_is_upgraded_as_often_as_one_likes_and_checked(shouhao):
    assert [shouhao("db", "upgrade").status for _ in range(2)] == [DONE, DONE]
    checked = shouhao("db", "check")
    assert (checked.status, checked.out.count("通过 ok")) == (DONE, len(INVARIANTS))
    told = json.loads(shouhao("db", "check", "--json").out)
    assert ([one["code"] for one in told["checked"]], told["violations"]) == ([i.code for i in INVARIANTS], [])


def test_a_broken_invariant_is_a_no_that_names_what_breaks_it(shouhao):
    assert shouhao("import", SCHEDULE).status == DONE
    with sqlite3.connect(shouhao.database) as hand:
        ((slot,),) = hand.execute("UPDATE slots SET state = 'free' WHERE number = 1 RETURNING id").fetchall()[:1]
    hand.close()
    found = shouhao("db", "check")
    assert found.status == NO
    assert "违反" in found.out
    told = shouhao("db", "check", "--json")
    assert told.status == NO
    (violation,) = json.loads(told.out)["violations"]
    assert (violation["count"], slot in violation["examples"]) == (3, True)


def test_what_is_made_in_the_data_folder_is_for_its_owner_alone(shouhao):
    assert shouhao("db", "check").status == DONE
    made = [shouhao.data, *shouhao.data.iterdir()]
    assert {path.name for path in made} >= {"data", "master.key", "shouhao.sqlite3"}
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_importing_twice_changes_nothing(shouhao):
    first, second = (json.loads(shouhao("import", SCHEDULE, "--json").out)["counts"] for _ in range(2))
    assert (first["added"], first["unchanged"]) == (3, 0)
    assert (second["added"], second["updated"], second["unchanged"], second["refused"]) == (0, 0, 3, 0)


def test_a_bad_row_is_a_no_and_the_good_ones_are_in(shouhao):
    rows = SCHEDULE.read_text(encoding="utf-8").splitlines()
    file = shouhao.folder / "some.csv"
    file.write_text("\n".join([*rows[:2], rows[2].replace(",40,", ",-4,")]) + "\n", encoding="utf-8")
    told = shouhao("import", file, "--json")
    assert told.status == NO
    report = json.loads(told.out)
    assert report["counts"]["added"] == 1
    (bad,) = report["bad_rows"]
    assert (bad["field"], bad["place"]["line"]) == ("capacity", 3)
    spoken = shouhao("import", file)
    assert spoken.status == NO
    assert '"capacity"' in spoken.err


def test_a_file_that_is_no_schedule_is_a_no(shouhao):
    file = shouhao.folder / "sheet.csv"
    file.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    told = shouhao("import", file, "--json")
    assert (told.status, json.loads(told.out)["stopped"]["place"]["line"]) == (NO, 1)


def test_events_are_exported_in_three_forms_that_say_the_same(shouhao):
    shouhao("import", SCHEDULE)
    shouhao("channels", "create", "kiosk")
    shouhao("staff", "create", "王芳", "--role", "window")
    database = open_database(f"sqlite:///{shouhao.database}")
    with database.read() as connection:
        stored = [row for rows in event_log.read(connection) for row in rows]
    database.close()
    assert {row["kind"] for row in stored} == {"schedule_imported", "channel_changed", "staff_changed"}
    for name in ("out.csv", "out.jsonl", "out.parquet"):
        said = shouhao("events", "export", shouhao.folder / name)
        assert (said.status, said.out.split()[0]) == (DONE, str(len(stored)))
    assert _csv(shouhao.folder / "out.csv") == stored
    assert [json.loads(line) for line in (shouhao.folder / "out.jsonl").read_text("utf-8").splitlines()] == stored
    assert _parquet(shouhao.folder / "out.parquet") == stored


def test_an_export_goes_on_where_the_last_one_ended_and_takes_its_form_from_the_name_or_the_option(shouhao):
    shouhao("channels", "create", "kiosk")
    shouhao("channels", "create", "web")
    out = shouhao.folder / "rest"
    said = shouhao("events", "export", out, "--format", "jsonl", "--after", 1)
    assert said.status == DONE
    assert [json.loads(line)["event_id"] for line in out.read_text("utf-8").splitlines()] == ["ev_000000000002"]
    assert shouhao("events", "export", shouhao.folder / "rest.txt").status == USAGE
    assert not (shouhao.folder / "rest.txt").exists()


def _csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == EXPORT_COLUMNS
    texts = [{name: value or None for name, value in row.items()} for row in rows]
    return [{**row, "detail": json.loads(row["detail"])} for row in texts]


def _parquet(path):
    rows = parquet.read_table(path).to_pylist()
    assert tuple(rows[0]) == EXPORT_COLUMNS
    return [
        {**row, "at": row["at"].isoformat(timespec="microseconds"), "detail": json.loads(row["detail"])} for row in rows
    ]


def test_a_channel_is_made_once_listed_and_closed_for_good(shouhao):
    made = shouhao("channels", "create", "platform:city")
    assert made.status == DONE
    assert re.fullmatch(r"X-Channel-Key: platform:city\.[\w-]{43}\n", made.out)
    again = shouhao("channels", "create", "platform:city")
    assert (again.status, again.out) == (NO, "")
    assert "已存在" in again.err
    assert "already" in again.err
    assert shouhao("channels", "create", "Platform City").status == NO
    assert shouhao("channels", "close", "platform:city").status == DONE
    assert shouhao("channels", "list").out == "platform:city\t停用 off\n"
    assert shouhao("channels", "close", "platform:city").status == NO


def test_an_operator_gets_a_key_and_the_roles_that_were_named(shouhao):
    made = shouhao("staff", "create", "王芳", "--role", "window", "--role", "reviewer", "--doctor", "D001")
    operator, key = made.out.splitlines()
    assert made.status == DONE
    assert re.fullmatch(r"Authorization: Bearer [\w-]{43}", key)
    assert shouhao("staff", "list").out == f"{operator}\treviewer,window\t-\t-\n"
    assert shouhao("staff", "create", "王芳", "--role", "director").status == NO
    assert shouhao("staff", "create", "王芳").status == USAGE


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("db", "nonsense"),
        ("db", "check", "--nonsense"),
        ("serve", "kitchen"),
        ("serve",),
        ("up", "--port", "0"),
        ("import", "no-such-file.csv"),
        ("bench", "nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_usage_has_its_own_status(shouhao, words):
    assert shouhao(*words).status == USAGE


@pytest.mark.parametrize(
    ("settings", "blamed"),
    [
        ({"hold_s": "soon"}, ["SHOUHAO_HOLD_S"]),
        ({"hold_s": 900, "hold_cap_s": 60}, ["SHOUHAO_HOLD_CAP_S"]),
        ({"database_url": "mysql://shouhao:secret-word@db/x"}, ["SHOUHAO_DATABASE_URL"]),
        (
            {"mode": "production", "database_url": NOBODY},
            ["SHOUHAO_MASTER_KEY_FILE", "SHOUHAO_PAYMENT_GATEWAY", "SHOUHAO_PHONE_CODE_SENDER"],
        ),
    ],
    ids=["no number", "contradiction", "another database", "unfit for production"],
)
def test_bad_settings_are_named_in_both_languages_and_nothing_begins(shouhao, settings, blamed):
    said = shouhao("db", "upgrade", **settings)
    assert (said.status, said.out) == (NO, "")
    assert "系统不启动" in said.err
    assert "does not start" in said.err
    assert [name for name in blamed if said.err.count(f"- {name}:") < 2] == []
    assert "secret-word" not in said.err
    assert not shouhao.data.exists()


def test_a_settings_file_is_read_and_a_missing_one_is_told(shouhao):
    file = shouhao.folder / "some.toml"
    file.write_text('data_dir = "elsewhere"\n', encoding="utf-8")
    assert shouhao("--settings", file, "db", "upgrade", data_dir=None).status == DONE
    assert (shouhao.folder / "elsewhere" / "shouhao.sqlite3").exists()
    file.write_text("hold_s = 60\nhold_cap_s = 30\n", encoding="utf-8")
    assert "SHOUHAO_HOLD_CAP_S" in shouhao("--settings", file, "db", "check").err
    assert shouhao("--settings", shouhao.folder / "none.toml", "db", "check").status == NO


@pytest.mark.parametrize("words", [("db", "upgrade"), ("db", "check"), ("channels", "list")], ids=" ".join)
def test_a_database_that_is_away_is_a_dependency_that_is_missing(shouhao, words):
    said = shouhao(*words, database_url=NOBODY)
    assert (said.status, said.out) == (AWAY, "")
    assert "依赖不可用" in said.err
    assert "secret-word" not in said.err


@pytest.fixture
def production(shouhao):
    """Settings with which production starts, on a SQLite file that nobody has made yet."""
    folder = shouhao.folder
    authority = trustme.CA()
    client = authority.issue_cert("shouhao.example")
    files = {
        "master_key_file": b"k" * 32,
        "payment_key_file": b"p" * 32,
        "identity_client_key_file": client.private_key_pem.bytes(),
        "identity_client_cert_file": client.cert_chain_pems[0].bytes(),
        "identity_ca_file": authority.cert_pem.bytes(),
        "identity_public_key_file": b"v" * 32,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (folder / "adapters.py").write_text(
        "class Sender:\n    pass\n\n\nclass Gateway:\n    def __init__(self, key):\n        self.name = 'bank'\n"
    )
    shouhao.data.mkdir()
    return {
        "mode": "production",
        "database_url": f"sqlite:///{shouhao.database}",
        "identity_authority": "http",
        "identity_url": "https://127.0.0.1:1/verify",
        "phone_code_sender": "adapters:Sender",
        "payment_gateway": "adapters:Gateway",
        "console_zones": "10.20.0.0/16",
        **{name: folder / name for name in files},
    }


def test_production_never_changes_the_schema_by_itself(shouhao, production):
    for words in (("db", "check"), ("channels", "create", "web"), ("serve", "worker")):
        said = shouhao(*words, **production)
        assert (said.status, said.out) == (NO, ""), words
        assert "shouhao db upgrade" in said.err
    assert shouhao("db", "upgrade", **production).status == DONE
    checked = shouhao("db", "check", **production)
    assert (checked.status, checked.out.count("通过 ok")) == (DONE, len(INVARIANTS))
    assert shouhao("channels", "create", "web", **production).status == DONE
