"""Events: exports of any make become `events`, typed, each once; what cannot be told is told so and not guessed."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from pyarrow import parquet

from detect.inputs.made_up_lines import at
from detect.tables import EVENT_COLUMNS
from shouhao.detect.inputs.events import read_events
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import EXPORT_COLUMNS, Event
from shouhao.store.export import export


@pytest.fixture
def read(connection, rows):
    """Read files; rows in the order of time."""

    def _read(*paths, **kwargs):
        _read.problems = Problems()
        _read.sources = read_events(connection, paths, problems=_read.problems, **kwargs)
        return rows("SELECT * FROM events ORDER BY at_us, source, byte_start, event_id")

    return _read


def told(read):
    return [(p.rule, p.file, p.line) for p in read.problems]


EXPORTED = [
    {
        **dict.fromkeys(EXPORT_COLUMNS),
        "event_id": f"ev_{n:03}",
        "at": iso(at(n)),
        "kind": "booked",
        "account_id": "0012",
        "released_at": iso(at(-5)),
        "latency_ms": 12.5,
        "detail": {"a": [1, "挂,号\n"]} if n % 2 else None,
    }
    for n in range(5)
]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_what_the_platform_exports_comes_back(read, rows, tmp_path, form):
    path = tmp_path / f"events.{form}"
    export([EXPORTED], path, form)
    got = read(path)
    types = rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'events'")
    wanted = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE"}
    assert {one["column_name"]: one["data_type"] for one in types} == {c: wanted[k] for c, k in EVENT_COLUMNS.items()}
    assert list(got[0]) == list(EVENT_COLUMNS)
    for n, row in enumerate(got):
        assert (row["event_id"], row["at_us"], row["kind"]) == (f"ev_{n:03}", at(n), "booked")
        assert (row["account_id"], row["released_at_us"], row["latency_ms"]) == ("0012", at(-5), 12.5)
        assert row["patient_id"] is None
        assert json.loads(row["detail"] or "null") == EXPORTED[n]["detail"]
        if form == "parquet":
            assert (row["source"], row["byte_start"], row["byte_end"]) == (None, None, None)
        else:
            assert row["source"] == 0
            assert f"ev_{n:03}" in path.read_bytes()[row["byte_start"] : row["byte_end"]].decode()
    assert not read.problems.counts


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-25T08:00:00.000001+08:00", at() + 1),
        ("2026-11-25 00:00:00Z", at()),
        ("2026-11-25T00:00:00 +0000", at()),
        ("1795564800", at()),
        ("1795564800.25", at(0.25)),
        ("1795564800250", at(0.25)),
        ("1795564800250001", at(0.25) + 1),
        ("25/Nov/2026:08:00:00 +0800", at()),
        ("2026-11-25 08:00:00", at()),
        ("2026-11-25T08:00:00.5", at(0.5)),
        ("2026/11/25 8:00", at()),
        ("2026年11月25日 08:00:00", at()),
    ],
)
def test_times_are_read_as_they_are_written(read, write, text, wanted):
    (row,) = read(write("e.csv", ["at,kind", f"{text},booked"]))
    assert row["at_us"] == wanted


def test_a_time_without_a_zone_is_assumed_and_told_once_a_file(read, write):
    read(
        write("e.csv", ["at,kind", "2026-11-25 08:00:00,booked", "2026-11-25 08:00:01,booked", f"{iso(at(2))},booked"])
    )
    assert told(read) == [("zone_assumed", "e.csv", 2)]
    assert not read.problems.loses


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ("46351.3333,booked", "excel_serial_date"),
        ("46351,booked", "excel_serial_date"),
        ("11/25/2026 8:00,booked", "time_unreadable"),
        ("1825-11-25T08:00:00Z,booked", "time_unreadable"),
        (",booked", "no_time"),
        ("1795564800,", "no_kind"),
    ],
)
def test_a_row_that_cannot_be_placed_is_put_aside_with_its_place(read, write, cells, rule):
    path = write("e.csv", ["at,kind,account_id", f"1795564800,booked,a{'':9}", f"{cells},b"])
    assert [row["account_id"] for row in read(path)] == ["a"]
    (problem,) = read.problems
    assert (problem.rule, problem.line) == (rule, 3)
    assert path.read_bytes()[problem.byte :].decode() == f"{cells},b\n"
    assert read.problems.loses


def test_headings_in_chinese_and_by_mapping(read, write):
    path = write(
        "e.csv",
        [
            "事件编号,操作时间,操作类型,用户ID,就诊人编号,设备号,IP地址,排班编号,号源编号,操作员工号,我们的付款,备注二",
            "1,2026-11-25 08:00:00,预约成功,u1,p1,d1,1.2.3.4,s1,n1,007,pay1,随便",
        ],
    )
    (row,) = read(path, mapping={"payer_id": "我们的付款"})
    assert (row["event_id"], row["kind"], row["account_id"], row["patient_id"]) == ("1", "booked", "u1", "p1")
    assert (row["device_id"], row["ip"], row["session_id"], row["slot_id"]) == ("d1", "1.2.3.4", "s1", "n1")
    assert (row["staff_id"], row["payer_id"]) == ("007", "pay1")
    assert json.loads(row["detail"]) == {"备注二": "随便"}


def test_unknown_columns_are_kept_beside_the_detail_there_is(read, write):
    lines = [
        "at,kind,detail,weather,mood",
        '1795564800,booked,"{""a"": 1}",rain,',
        "1795564801,booked,not json,,",
        "1795564802,booked,,,",
    ]
    details = [row["detail"] and json.loads(row["detail"]) for row in read(write("e.csv", lines))]
    assert details == [{"a": 1, "weather": "rain"}, {"detail": "not json"}, None]


def test_a_file_without_a_time_or_with_one_heading_twice_is_refused(read, write):
    for lines, what in (
        (["kind,when it was", "booked,1"], "no column at"),
        (["at,kind,x,x", "1,booked,,"], "two columns"),
    ):
        with pytest.raises(InvalidInput) as refused:
            read(write("e.csv", lines))
        assert what in refused.value.says("en")
        assert "e.csv" in refused.value.says("zh")


def test_ids_stay_as_they_are_written_and_lost_digits_are_not_an_id(read, write):
    lines = ["at,kind,account_id,patient_id,latency_ms", '1795564800,booked,"1,234",6.21E+17,"1,234.5"']
    (row,) = read(write("e.csv", lines))
    assert (row["account_id"], row["patient_id"], row["latency_ms"]) == ("1,234", None, 1234.5)
    assert told(read) == [("digits_lost", "e.csv", 2)]


def test_kinds_that_nobody_knows_are_kept_and_told(read, write):
    rows = read(write("e.csv", ["at,kind", "1795564800,Booked", "1795564801,teleported"]))
    assert [row["kind"] for row in rows] == ["booked", "teleported"]
    assert told(read) == [("unknown_kind", "e.csv", 3)]


def test_an_event_counts_once_and_the_earliest_of_it(read, write):
    first = write("a.csv", ["event_id,at,kind,account_id", "1,1795564801,booked,x", "2,1795564800,booked,y"])
    second = write("b.csv", ["event_id,at,kind,account_id", "1,1795564801,booked,x", "2,1795564799,booked,y"])
    for order in ((first, second), (second, first)):
        rows = read(*order)
        assert [(row["event_id"], row["at_us"], row["source"]) for row in rows] == [("2", at(-1), 1), ("1", at(1), 0)]
        assert told(read) == [("event_differs", "a.csv", 3), ("event_twice", "b.csv", 2)]


@pytest.mark.parametrize(
    ("cell", "account"),
    [
        ("\t0012", "0012"),
        ("0012 ", "0012"),
        ('" 0012"', "0012"),
        ("\u3000甲 1", "甲 1"),
        ("甲 1\xa0", "甲 1"),
        (" ", None),
    ],
)
@pytest.mark.parametrize("around", ["booked,x", "booked,"])
def test_blanks_around_a_cell_are_no_part_of_it(read, write, cell, account, around):
    lines = [f"1795564800,{around}", f"1795564801,booked,{cell}", f"1795564802,{around}"]
    rows = read(write("e.csv", ["at,kind,account_id", *lines]))
    assert rows[1]["account_id"] == account


def test_rows_keep_the_order_of_their_files_and_places(read, write, rows):
    first = write("a.csv", ["event_id,at,kind", "1,1795564803,booked", "2,,booked", "3,1795564801,booked"])
    second = write("b.csv", ["event_id,at,kind", "4,1795564802,booked", "1,1795564803,booked", "5,1795564800,booked"])
    for order in ((first, second), (second, first)):
        read(*order)
        assert [row["event_id"] for row in rows("SELECT * FROM events")] == ["1", "3", "4", "5"]


def test_rows_without_ids_that_stand_in_two_exports_count_once(read, write):
    first = write("a.csv", ["at,kind,account_id", "1795564800,booked,x", "1795564800,booked,x", "1795564801,booked,y"])
    second = write("b.csv", ["at,kind,account_id", "1795564801,booked,y", "1795564802,booked,z"])
    rows = read(first, second)
    assert [row["account_id"] for row in rows] == ["x", "x", "y", "z"]
    assert len({row["event_id"] for row in rows}) == 4
    assert read.problems.counts == {"event_twice": 1, "rows_alike": 1}


def test_json_lines_with_keys_of_their_own(read, write):
    lines = [
        '{"时间": 1795564800.5, "操作": "挂号", "user": {"id": 12345678901234567890}, "n": 1, "more": [{"b": "挂"}]}',
        '["not", "an object"]',
        '{"时间": "1795564801", "操作": "退号", "detail": {"why": "x"}, "frame": true}',
        "{broken",
    ]
    path = write("e.jsonl", lines)
    rows = read(path, mapping={"account_id": "user.id"})
    assert [(row["at_us"], row["kind"], row["account_id"]) for row in rows] == [
        (at(0.5), "booked", "12345678901234567890"),
        (at(1), "cancelled", None),
    ]
    assert json.loads(rows[0]["detail"])["more"] == [{"b": "挂"}]
    assert json.loads(rows[1]["detail"]) == {"why": "x", "frame": True}
    assert path.read_bytes()[rows[1]["byte_start"] : rows[1]["byte_end"]].decode() == lines[2]
    assert told(read) == [("not_json", "e.jsonl", 2), ("not_json", "e.jsonl", 4)]


def test_parquet_with_types_of_its_own(read, tmp_path):
    path = tmp_path / "e.parquet"
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    table = pa.table(
        {
            "时间": pa.array([moment, None], pa.timestamp("ns", tz="UTC")),
            "类型": pa.array(["booked", "booked"]).dictionary_encode(),
            "account_id": pa.array([12, 13]),
            "released_at": pa.array([datetime(2026, 11, 25, 7, 0)] * 2, pa.timestamp("ms")),  # noqa: DTZ001
            "more": pa.array([{"a": 1}, None]),
        }
    )
    parquet.write_table(table, path)
    (row,) = read(path)
    assert (row["at_us"], row["kind"], row["account_id"], row["released_at_us"]) == (at(), "booked", "12", at(-3600))
    assert json.loads(row["detail"]) == {"more": {"a": 1}}
    assert told(read) == [("no_time", "e.parquet", 2)]


@pytest.mark.parametrize(("name", "content"), [("e.parquet", b"PAR1 and no more"), ("e.json", b'[{"at": 1}]')])
def test_a_broken_file_is_refused_by_name(read, write, name, content):
    with pytest.raises(InvalidInput) as refused:
        read(write(name, content))
    assert name in refused.value.says("en")


def test_formulas_are_text(read, write):
    (row,) = read(write("e.csv", ["at,kind,account_id", '1795564800,booked,=HYPERLINK(""x"")']))
    assert row["account_id"] == '=HYPERLINK(""x"")'


def test_no_events_are_an_empty_table(read, rows):
    assert read() == []
    assert len(rows("DESCRIBE events")) == len(Event._fields) + 4
