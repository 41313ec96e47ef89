"""Exports of systems that are not ours: what they say is read, and what they do not say is not made up."""

import re
from pathlib import Path

import pytest

from detect.inputs.made_up_lines import at
from shouhao.detect.inputs.event_csv import read_csv
from shouhao.detect.inputs.events import read_events
from shouhao.detect.inputs.files import open_files
from shouhao.detect.inputs.mapping import names_of
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput

LONG_BYTES = 256 << 20
HEADINGS = "操作时间,操作类型,用户编号"
ROW = "2026-11-25 08:00:00,挂号,0012"


@pytest.fixture
def read(connection, rows):
    """Read files; rows in the order of time."""

    def _read(*paths, **kwargs):
        _read.problems = Problems()
        read_events(connection, paths, problems=_read.problems, **kwargs)
        return rows("SELECT * FROM events ORDER BY at_us, source, byte_start, event_id")

    return _read


def mapped_kb():
    """How much of mapped files the process holds in memory."""
    return int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def told(read):
    return [(p.rule, p.line) for p in read.problems]


@pytest.mark.parametrize("none", ["NULL", r"\N", "-", "(null)", "None", "#N/A", "无", "nan"])
def test_what_stands_for_nothing_is_no_id_that_all_would_share(read, write, none):
    columns = "event_id,at,kind,account_id,device_id,ip,face_hash,latency_ms,released_at"
    lines = [f"{n},1795564800,booked,a{n},{none},{none},{none},{none},{none}" for n in range(3)]
    got = read(write("e.csv", [columns, *lines]))
    shared = ("device_id", "ip", "face_hash", "latency_ms", "released_at_us")
    assert [row["account_id"] for row in got] == ["a0", "a1", "a2"]
    assert {row[column] for row in got for column in shared} == {None}
    assert {(p.rule, p.line) for p in read.problems} == {("says_none", 2)}
    assert len(list(read.problems)) == len(shared)
    assert all("3 行" in p.zh for p in read.problems)
    assert not read.problems.loses


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20261125080005", 5),
        ("20261125080005250", 5.25),
        ("20261125 08:00:05", 5),
        ("2026.11.25 8:00:05", 5),
        ("2026/11/25 上午 8:00:05", 5),
        ("2026/11/25 下午12:00", 4 * 3600),
        ("2026年11月25日 8时00分05秒", 5),
        ("2026年11月25日08时00分", 0),
        ("2026-11-25 08:00:05 AM", 5),
        ("25-Nov-26 8:00", 0),
        ("Wed Nov 25 08:00:05 CST 2026", 5),
    ],
)
def test_times_of_hospital_systems_and_spreadsheets_are_read(read, write, text, seconds):
    (row,) = read(write("e.csv", ["at,kind", f"{text},booked"]))
    assert row["at_us"] == at(seconds)
    assert told(read) == [("zone_assumed", 2)]


@pytest.mark.parametrize("text", ["03/05/2026 7:00", "20260230070000", "2026-11-25 13:00:05 PM", "25-Nov"])
def test_a_time_that_may_mean_another_is_not_guessed(read, write, text):
    assert not read(write("e.csv", ["at,kind", f"{text},booked"]))
    assert told(read) == [("time_unreadable", 2)]


def test_days_without_a_time_of_day_are_told(read, write):
    got = read(write("e.csv", ["at,kind,account_id", "2026/11/25,booked,a", "2026-11-26,booked,b"]))
    assert [row["at_us"] for row in got] == [at(-8 * 3600), at(16 * 3600)]
    assert told(read) == [("date_alone", 2), ("zone_assumed", 2)]


def test_a_title_above_the_headings_is_passed_over_and_told(read, write):
    path = write("e.csv", f"某院预约明细,,\n导出：某人,,\n{HEADINGS}\n{ROW}\n合计,1,\n".encode("gb18030"))
    (row,) = read(path)
    assert (row["account_id"], row["kind"], row["at_us"]) == ("0012", "booked", at())
    assert path.read_bytes()[row["byte_start"] : row["byte_end"]].decode("gb18030") == ROW
    assert ("title_above", 3) in told(read)
    assert ("time_unreadable", 5) in told(read)
    assert ("gb18030_file", 1) in told(read)  # and of no line besides
    assert "gb18030" not in read.problems.counts


@pytest.mark.parametrize("content", [["a1,2026-11-25 08:00:00,张三"], ["INSERT INTO t VALUES (1,'2026-11-25');"]])
def test_data_without_headings_are_refused_and_not_printed(read, write, content):
    with pytest.raises(InvalidInput) as refused:
        read(write("e.csv", content))
    assert "headings" in refused.value.says("en")
    assert "张三" not in refused.value.says("zh")


def test_headings_alone_are_told(read, write):
    assert not read(write("e.csv", [HEADINGS]))
    assert told(read) == [("no_rows", None)]


def test_kinds_are_mapped_by_what_the_export_calls_them(read, write):
    path = write("e.csv", ["at,kind", *(f"{1795564800 + n},{kind}" for n, kind in enumerate(("1", "TH", "9", "BOOK")))])
    mapping = {"booked": "1", "cancelled": ["TH"]}
    assert [row["kind"] for row in read(path, mapping=mapping)] == ["booked", "cancelled", "9", "booked"]
    (problem,) = read.problems
    assert "--map booked=9" in problem.zh
    with pytest.raises(InvalidInput):
        names_of({"bookd": "1"})


def test_a_state_is_not_taken_for_what_happened_at_the_time_of_the_row(read, write):
    (row,) = read(write("e.csv", ["下单时间,状态,时间", "x,已取消,2026-11-25 08:00:00"]), mapping={"kind": "状态"})
    assert row["kind"] == "已取消"
    assert ("unknown_kind", 2) in told(read)


def test_a_row_twice_of_what_is_done_once_counts_once_and_of_looks_is_told(read, write):
    once, looked = "2026-11-25T08:00:00+08:00,booked,a,s1", "2026-11-25T08:00:01+08:00,viewed,a,s1"
    got = read(write("e.csv", ["at,kind,account_id,slot_id", once, looked, once, looked]))
    assert [row["kind"] for row in got] == ["booked", "viewed", "viewed"]
    assert told(read) == [("event_twice", 4), ("rows_alike", 5)]
    assert not read.problems.loses


def test_data_written_as_keys_are_refused(read, write):
    lines = [f'{{"at":{1795564800 + n},"kind":"booked","k{n}":1}}' for n in range(1_001)]
    with pytest.raises(InvalidInput) as refused:
        read(write("e.jsonl", lines))
    assert "keys" in refused.value.says("en")


def test_a_line_without_end_takes_no_memory(read, tmp_path):
    path = tmp_path / "e.csv"
    with path.open("wb") as file:
        file.write(b'at,kind\n1795564800,booked\n1,"')
        file.seek(LONG_BYTES, 1)
        file.write(b"x\n1795564801,booked\n")
    (file,) = open_files([(path, "events")], problems=Problems())
    before_kb = mapped_kb()
    records = read_csv(file, Problems())
    assert mapped_kb() - before_kb < LONG_BYTES >> 12  # a quarter of it
    assert sum(len(piece) for piece in records.lines) == 2
    assert [row["at_us"] for row in read(path)] == [at(), at(1)]
    assert told(read) == [("line_too_long", 3)]
