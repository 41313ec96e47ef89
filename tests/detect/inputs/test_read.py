"""Read: logs and events together, in any order, with clocks compared and lines joined to accounts."""

import csv
import io
import random

import ibis
import pytest

from detect.inputs.made_up_lines import at, combined, time_local
from shouhao.detect.inputs.mapping import parse_mapping
from shouhao.detect.inputs.problems import write_problems
from shouhao.detect.inputs.read import read_inputs
from shouhao.detect.model import HIT_COLUMNS, OPERATION
from shouhao.kernel.clock import SECOND_US, iso
from shouhao.kernel.errors import InvalidInput

FORMAT = '$remote_addr [$time_local] "$request" $status "$cookie_session" "$cookie_device" $cookie_account'


def line(seconds, *, session="-", device="-", account="-", request="POST /book HTTP/1.1", ip="1.2.3.4"):
    return f'{ip} [{time_local(at(seconds))}] "{request}" 200 "{session}" "{device}" {account}'


def events(*rows):
    out = io.StringIO()
    columns = ["event_id", "at", "kind", "account_id", "session_token", "device_id", "ip"]
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows({"event_id": n, "kind": "booked", **row} for n, row in enumerate(rows))
    return out.getvalue().encode()


@pytest.fixture
def day(write):
    """A morning: two hundred clients who poll, and book once; the log's clock is 42 s ahead."""

    def _day(*, ahead_s=42.0):
        chance = random.Random(1)  # noqa: S311 - a test wants the same day each time
        lines, booked = [], []
        for n in range(200):
            start = chance.random() * 3600
            ip = f"10.0.{n // 100}.{n % 100}"
            key = {"session_token": f"s{n}", "device_id": f"d{n}", "account_id": f"a{n}", "ip": ip}
            others = [chance.uniform(-300, 300) for _ in range(chance.randrange(1, 12))]  # POSTs before and after
            lines += [(start + s + ahead_s, f"s{n}", f"d{n}", ip) for s in (*others, chance.gauss(0, 0.05))]
            booked.append({"at": iso(at(start)), **key})
        texts = [line(s, session=session, device=device, ip=ip) for s, session, device, ip in sorted(lines)]
        return write("access.log", texts), write("events.csv", events(*booked))

    return _day


@pytest.mark.parametrize("spooled", [True, False])
def test_a_line_gets_the_account_that_events_name_for_its_session_or_device(connection, rows, write, tmp_path, spooled):
    log = write(
        "access.log",
        [
            line(0, session="s1"),
            line(1, device="d1"),
            line(2, session="s2", device="d1"),
            line(3, session="shared"),
            line(4, session="s1", account="own"),
            line(5),
        ],
    )
    told = write(
        "events.csv",
        events(
            {"at": iso(at()), "account_id": "a1", "session_token": "s1"},
            {"at": iso(at()), "account_id": "a2", "device_id": "d1", "session_token": "s2"},
            {"at": iso(at()), "account_id": "a1", "session_token": "shared"},
            {"at": iso(at()), "account_id": "a2", "session_token": "shared"},
        ),
    )
    spool = tmp_path if spooled else None
    inputs = read_inputs(connection, access_logs=[log], events=[told], log_format=FORMAT, spool=spool)
    got = [row["account_id"] for row in rows("SELECT account_id FROM hits ORDER BY at_us")]
    assert got == ["a1", "a2", "a2", None, "own", None]
    assert inputs.hits.accounts_joined == 3


def test_a_count_without_accounts_pays_for_no_join(connection, day, tmp_path):
    log, told = day()
    read_inputs(connection, access_logs=[log], events=[told], log_format=FORMAT, spool=tmp_path)
    plan = connection.execute("EXPLAIN SELECT ip, at_us // 60000000, count(*) FROM hits GROUP BY ALL").fetchall()[0][1]
    assert "JOIN" not in plan.upper()
    assert "cookie" not in plan


@pytest.mark.parametrize("ahead_s", [0.0, 42.0, -3.0, 480.0])
def test_the_skew_of_a_log_is_told_and_not_applied(connection, rows, day, ahead_s):
    log, told = day(ahead_s=ahead_s)
    inputs = read_inputs(connection, access_logs=[log], events=[told], log_format=FORMAT)
    (skew,) = inputs.skews
    assert inputs.sources[skew.source].name == "access.log"
    assert abs(skew.offset_us - ahead_s * SECOND_US) < SECOND_US  # the log tells whole seconds
    assert skew.spread_us < SECOND_US
    assert skew.matched > 150
    assert skew.by == "session_token"
    assert rows("SELECT min(at_us) AS first FROM events")[0]["first"] >= at()


def test_a_log_of_addresses_alone_tells_its_skew_too(connection, day, write):
    log, told = day()
    plain = [one.rsplit(" ", 3)[0] for one in log.read_text().splitlines()]
    inputs = read_inputs(
        connection,
        access_logs=[write("plain.log", plain)],
        events=[told],
        log_format='$remote_addr [$time_local] "$request" $status',
    )
    (skew,) = inputs.skews
    assert skew.by == "ip"
    assert abs(skew.offset_us - 42 * SECOND_US) < SECOND_US


def test_bookings_that_have_nothing_to_do_with_a_log_tell_no_skew(connection, write):
    chance = random.Random(2)  # noqa: S311 - a test wants the same day each time
    lines = sorted((chance.random() * 3600, n) for n in range(400))
    log = write("access.log", [line(s, session=f"s{n % 40}") for s, n in lines])
    told = events(*({"at": iso(at(chance.random() * 3600)), "session_token": f"s{n % 40}"} for n in range(200)))
    inputs = read_inputs(connection, access_logs=[log], events=[write("e.csv", told)], log_format=FORMAT)
    assert inputs.skews == ()


def test_sources_are_numbered_alike_in_any_order_and_each_row_is_at_its_bytes(connection, rows, write):
    logs = [write(f"{name}/access.log", [combined(n, ip=f"10.0.0.{n}")]) for n, name in enumerate("ba")]
    told = write("events.csv", events({"at": iso(at()), "account_id": "a"}))
    seen = []
    for order in (logs, logs[::-1]):
        inputs = read_inputs(connection, access_logs=order, events=[told])
        assert [source.name for source in inputs.sources] == ["a/access.log", "b/access.log", "events.csv"]
        assert [source.kind for source in inputs.sources] == ["access_log", "access_log", "events"]
        found = rows("SELECT source, byte_start, byte_end, ip FROM hits ORDER BY source")
        assert all(
            row["ip"] in inputs.bytes_of(row["source"], row["byte_start"], row["byte_end"]).decode() for row in found
        )
        (event,) = rows("SELECT source, byte_start, byte_end FROM events")
        assert inputs.bytes_of(**event).startswith(b"0,2026-11-25")
        seen.append((inputs.sources, found))
    assert seen[0] == seen[1]


def test_a_name_that_is_found_nowhere_is_refused(connection, write):
    log, told = write("a.log", [combined()]), write("e.csv", ["at,kind,谁", "1795564800,booked,x"])
    ok = parse_mapping(["account_id=谁", "device_id=http_referer"])
    read_inputs(connection, access_logs=[log], events=[told], mapping=ok)
    for wrong in ("account_id=谁谁", "device_id=http_refere", "nothing=谁", "account_id"):
        with pytest.raises(InvalidInput) as refused:
            read_inputs(connection, access_logs=[log], events=[told], mapping=parse_mapping([wrong]))
        assert refused.value.field == "map"


def test_what_was_there_before_is_replaced(connection, rows, write, tmp_path):
    first, second = write("a.log", [combined(ip="1.1.1.1")]), write("b.log", [combined(ip="2.2.2.2")])
    for spool in (None, tmp_path, tmp_path, None, None):
        for path, ip in ((first, "1.1.1.1"), (second, "2.2.2.2")):
            read_inputs(connection, access_logs=[path], spool=spool)
            assert rows("SELECT ip FROM hits") == [{"ip": ip}]
            assert rows("SELECT * FROM events") == []


def test_problems_are_written_one_a_line(connection, write, tmp_path):
    inputs = read_inputs(connection, access_logs=[write("a.log", ["<b>bad</b>", combined()])])
    write_problems(inputs.problems, tmp_path / "problems.jsonl")
    assert (tmp_path / "problems.jsonl").read_text(encoding="utf-8") == (
        '{"file":"a.log","line":1,"byte":0,"rule":"not_the_form","zh":"不符合日志格式，未分析",'
        '"en":"Does not have the form of the log; put aside"}\n'
    )


def test_of_each_rule_a_thousand_are_kept_and_all_are_counted(connection, write):
    lines = [*(["bad"] * 2500), combined()]
    problems = read_inputs(connection, access_logs=[write("a.log", lines)]).problems
    assert problems.counts == {"not_the_form": 2500}
    assert [p.line for p in problems] == list(range(1, 1001))


def test_an_event_in_the_future_is_told_and_kept(connection, rows, write):
    told = write("e.csv", ["at,kind", f"{iso(at())},booked", f"{iso(at(5000))},booked"])
    inputs = read_inputs(connection, events=[told], now_us=at(1000))
    assert [(p.rule, p.line) for p in inputs.problems] == [("time_ahead", 3)]
    assert len(rows("SELECT * FROM events")) == 2


@pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")  # Ibis asks DuckDB in a way it gave up
@pytest.mark.parametrize("spooled", [True, False])
def test_ibis_sees_the_relations(connection, write, tmp_path, spooled):
    spool = tmp_path if spooled else None
    read_inputs(connection, access_logs=[write("a.log", [combined(), combined(61)])], spool=spool)
    database = ibis.duckdb.from_connection(connection)
    hits = database.table("hits")
    assert {name: str(kind) for name, kind in hits.schema().items()} == {**HIT_COLUMNS, OPERATION: "boolean"}
    counted = hits.group_by("ip", minute=hits.at_us // 60_000_000).agg(lines=hits.count()).to_pyarrow()
    assert counted["lines"].to_pylist() == [1, 1]
    assert database.table("events").count().to_pyarrow().as_py() == 0


PLAIN = '$remote_addr [$time_local] "$request" $status'


@pytest.mark.parametrize("formats", [(FORMAT, PLAIN), (PLAIN, FORMAT)])
def test_logs_of_two_formats_are_read_in_one_run(connection, rows, write, formats):
    full = [line(n, session=f"s{n}", account=f"a{n}") for n in range(3)]
    plain = [line(n).rsplit(" ", 3)[0] for n in range(3, 5)]
    logs = [write("desk.log", full), write("portal.log", [*plain, "what is this"])]
    inputs = read_inputs(connection, access_logs=logs, log_format=formats)
    got = rows("SELECT ip, session_token, account_id, at_us FROM hits ORDER BY at_us")
    assert [row["account_id"] for row in got] == ["a0", "a1", "a2", None, None]
    assert [row["session_token"] for row in got] == ["s0", "s1", "s2", None, None]
    assert [row["at_us"] for row in got] == [at(n) for n in range(5)]
    assert dict(inputs.problems.counts) == {"not_the_form": 1}
