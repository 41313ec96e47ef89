"""What is taken in was written by a machine that strangers' requests were fed to; nothing of it is believed.

Each attack leaves the database as it was: a folder is taken in whole, or not at all.
"""

import json
import os
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from flows import made_findings as made
from flows.test_findings import NOW_US, VAULT, listed, look, shown, taken
from lawful import operator
from shouhao.detect import found_lines
from shouhao.detect.found_lines import MOST_LINE_BYTES
from shouhao.detect.store.tables import finding_runs, findings
from shouhao.flows.finding_duty import FindingFolders
from shouhao.kernel.errors import InvalidInput
from shouhao.store import event_log
from shouhao.store.engine import Database

HOSTILE = '</script><img src=x onerror=alert(1)>\u202e\x00\x1b[31m账号{field}"'


def nothing_came(db: Database) -> None:
    with db.read() as connection:
        assert connection.execute(select(finding_runs)).all() == connection.execute(select(findings)).all() == []
        assert [row for rows in event_log.read(connection) for row in rows if row["kind"] == "findings_taken"] == []


def refused(db: Database, folder: Path) -> str:
    with pytest.raises(InvalidInput) as said:
        taken(db, folder)
    nothing_came(db)
    return str(said.value.field)


def lines_of(folder: Path) -> list[bytes]:
    return (folder / "findings.jsonl").read_bytes().splitlines(keepends=True)


def with_lines(folder: Path, lines: list[bytes]) -> Path:
    (folder / "findings.jsonl").write_bytes(b"".join(lines))
    return folder


def test_a_folder_that_is_half_written(db, tmp_path):
    folder = made.night(tmp_path / "a")
    (folder / "report.json").rename(folder / "report.json.part")
    assert refused(db, folder) == "report.json"
    (folder / "report.json.part").rename(folder / "report.json")
    (folder / "findings.jsonl").unlink()
    assert refused(db, folder) == "findings.jsonl"
    assert refused(db, tmp_path / "nowhere") == "report.json"


def test_a_report_that_is_cut_off_or_of_another_version(db, tmp_path):
    folder = made.night(tmp_path / "a")
    raw = (folder / "report.json").read_bytes()
    (folder / "report.json").write_bytes(raw[:-9])
    assert refused(db, folder) == "report.json"
    (folder / "report.json").write_bytes(raw.replace(b'"version":1', b'"version":2'))
    assert refused(db, folder) == "report.json:version"


@pytest.mark.parametrize(
    ("what", "field"),
    [
        (b'{"finding_id":"f-1"\n', "findings.jsonl:5"),
        (b"\n", "findings.jsonl:5"),
        (b"[1]\n", "findings.jsonl:5"),
        (b'{"finding_id":"f-9"}\n', "findings.jsonl:5"),
        (b"\xff\xfe\n", "findings.jsonl:5"),
        (b"\x00\n", "findings.jsonl:5"),
        (b"[" * 60_000 + b"\n", "findings.jsonl:5"),
    ],
)
def test_a_line_that_is_broken_names_itself(db, tmp_path, what, field):
    folder = made.night(tmp_path / "a")
    assert refused(db, with_lines(folder, [*lines_of(folder), what])).startswith(field)


@pytest.mark.parametrize(
    "more",
    [
        {"finding_id": "../../etc/passwd"},
        {"finding_id": "f" * 65},
        {"score": 1e300},
        {"score": "high"},
        {"level": "guilty"},
        {"first_at": "2026-03-02T08:00:00"},
        {"first_at": "9999-12-31T23:59:59+08:00"},
        {"subject": {"kind": "person", "id": "x"}},
        {"subject": {"kind": "account", "id": "x" * 5_000}},
        {"subject": {"kind": "account"}},
        {"members": "all"},
        {"reasons": [{**made.reason("snipers.reaction"), "code": "drop table"}]},
        {"reasons": [{**made.reason("snipers.reaction"), "weight": 1e9}]},
        {"detector_versions": {"snipers": "3"}},
        {"version": 1 << 40},
    ],
    ids=repr,
)
def test_a_line_that_breaks_a_rule_is_refused(db, tmp_path, more):
    folder = made.night(tmp_path / "a")
    line = msgspec.json.encode({**made.line("f-9"), **more}) + b"\n"
    assert refused(db, with_lines(folder, [*lines_of(folder), line])).startswith("findings.jsonl:5")


def test_numbers_that_json_does_not_have(db, tmp_path):
    folder = made.night(tmp_path / "a")
    line = json.dumps({**made.line("f-9"), "score": float("nan")}).encode() + b"\n"
    assert refused(db, with_lines(folder, [*lines_of(folder), line])).startswith("findings.jsonl:5")


def test_a_finding_told_twice(db, tmp_path):
    folder = made.night(tmp_path / "a")
    assert refused(db, with_lines(folder, [*lines_of(folder), lines_of(folder)[1]])) == "findings.jsonl:5:finding_id"


def test_the_last_line_of_a_batch_that_was_cut_off(db, tmp_path):
    folder = made.night(tmp_path / "a")
    assert refused(db, with_lines(folder, [*lines_of(folder)[:-1], lines_of(folder)[-1][:-1]])) == "findings.jsonl:4"


def test_a_line_of_100_mb(sqlite_db, tmp_path):
    folder = made.night(tmp_path / "a")
    with (folder / "findings.jsonl").open("ab") as file:
        file.write(b'{"finding_id":"' + b"x" * (100 << 20) + b'"}\n')
    assert refused(sqlite_db, folder) == "findings.jsonl:5"
    with (folder / "findings.jsonl").open("wb") as file:
        file.truncate(MOST_LINE_BYTES + 1)  # of nothing but null bytes
    assert refused(sqlite_db, folder).startswith("findings.jsonl:1")


def test_more_findings_than_anybody_could_judge(sqlite_db, tmp_path, monkeypatch):
    monkeypatch.setattr(found_lines, "MOST_FINDINGS", 3)
    assert refused(sqlite_db, made.night(tmp_path / "a")) == "findings.jsonl:4"


def test_pipes_and_links_in_the_place_of_files(sqlite_db, tmp_path):
    folder = made.night(tmp_path / "nights" / "a")
    secret = tmp_path / "master.key"
    (folder / "findings.jsonl").rename(secret)
    (folder / "findings.jsonl").symlink_to(secret)
    assert refused(sqlite_db, folder) == "findings.jsonl"
    (folder / "findings.jsonl").unlink()
    os.mkfifo(folder / "findings.jsonl")
    assert refused(sqlite_db, folder) == "findings.jsonl"
    made.night(tmp_path / "elsewhere")
    (tmp_path / "nights" / "linked").symlink_to(tmp_path / "elsewhere")
    assert FindingFolders(sqlite_db, VAULT, tmp_path / "nights", keep_days=1)(NOW_US) == 0
    nothing_came(sqlite_db)


def test_text_from_outside_stays_text(db, tmp_path):
    who = operator(db, "security", now_us=NOW_US)
    says = {"zh": f"查看 {HOSTILE}", "en": f"saw {HOSTILE}"}
    members = [{"kind": "device", "id": HOSTILE}, {"kind": "patient", "id": "' OR 1=1 --"}]
    line = made.line("f-1", of=HOSTILE, members=members, reasons=[made.reason("snipers.reaction", says=says)])
    taken(db, made.write(tmp_path / "a", [line]))
    masked, found = shown(db, who, "f-1"), listed(db, who)
    for told in (repr(masked), repr(found)):
        assert HOSTILE not in told
        assert "onerror" not in told
    assert [one.id for one in masked.members] == ['</…"›'[:2] + "…" + '}"', "' …--"]
    assert "\x00" not in masked.headline.zh + masked.reasons[0].says.zh
    whole = look(db, VAULT, who, "f-1", reason="核对", now_us=NOW_US)
    assert (whole.subject.id, whole.members[0].id) == (HOSTILE, HOSTILE)


def test_a_sentence_that_names_somebody_is_masked_too(db, tmp_path):
    who = operator(db, "auditor", now_us=NOW_US)
    says = {"zh": f"账号 {made.ACCOUNT} 与 {made.OTHER} 共用", "en": f"{made.ACCOUNT} shares"}
    taken(db, made.write(tmp_path / "a", [made.ring_line(reasons=[made.reason("rings.shared", says=says)])]))
    ring = shown(db, who, "f-ring")
    assert ring.headline.zh == ring.reasons[0].says.zh == "账号 ac…12 与 ac…aa 共用"
    assert listed(db, who).findings[0].headline.en == "ac…12 shares"


def test_a_report_that_tells_other_findings_than_the_lines(db, tmp_path):
    who = operator(db, "security", now_us=NOW_US)
    folder = made.night(tmp_path / "a")
    lines = lines_of(folder)
    with_lines(folder, [lines[0].replace(b'"certain-pattern"', b'"lead"'), *lines[1:]])
    came = taken(db, folder)
    assert came.agree is False
    (run,) = listed(db, who).runs
    assert run.agree is False
    with db.read() as connection:
        (event,) = [row for rows in event_log.read(connection) for row in rows if row["kind"] == "findings_taken"]
    detail = event["detail"]
    assert (detail["agree"], len(detail["findings_sha256"]), len(detail["report_sha256"])) == (False, 64, 64)


@pytest.mark.parametrize("name", ["", " ", "a\x00b", "a\u202eb", "n" * 101, "two\nlines"])
def test_a_name_that_hides_something(db, tmp_path, name):
    with pytest.raises(InvalidInput) as said:
        taken(db, made.night(tmp_path / "a"), name=name)
    assert said.value.field == "name"
    nothing_came(db)
