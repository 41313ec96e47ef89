"""Access logs: what nginx wrote becomes rows of `hits`, each at its bytes, the same cut into pieces and read whole."""

import gzip
import json
from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detect.inputs.made_up_lines import at, combined, escaped, time_local
from shouhao.detect.inputs.access_logs import read_access_logs
from shouhao.detect.inputs.problems import RULES, Problems
from shouhao.detect.inputs.read import read_inputs
from shouhao.detect.model import HIT_COLUMNS, OPERATION
from shouhao.kernel.errors import InvalidInput

MAIN = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$http_x_forwarded_for" $request_time "$cookie_device" "$http_x_account_id"'
)


@pytest.fixture
def read(connection, rows, tmp_path_factory):
    """Read logs cut and whole, into tables and files, see that all rows are the same, and give them in order."""

    def _read(*paths, log_format="combined", **kwargs):
        read_access_logs(connection, paths, log_format, cut=False, **kwargs, problems=Problems())
        whole = rows("SELECT * FROM hits ORDER BY source, byte_start")
        spool = tmp_path_factory.mktemp("spool")
        read_access_logs(connection, paths, log_format, spool=spool, **kwargs, problems=Problems())
        seen = rows("SELECT * FROM hits ORDER BY source, byte_start")
        assert whole == seen
        _read.problems = Problems()
        _read.sources = read_access_logs(connection, paths, log_format, **kwargs, problems=_read.problems)
        got = rows("SELECT * FROM hits ORDER BY source, byte_start")
        assert got == seen
        types = rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'hits'")
        wanted = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE", "bool": "BOOLEAN"}
        assert [(one["column_name"], one["data_type"]) for one in types] == [
            (column, wanted[kind]) for column, kind in (*HIT_COLUMNS.items(), (OPERATION, "bool"))
        ]
        return got

    return _read


def only(rows, *columns):
    return [tuple(row[column] for column in columns) for row in rows]


def test_a_line_of_the_combined_format_is_a_row(read, write):
    line = combined(1.0, ip="2001:db8::1", request="POST /book?slot=3 HTTP/1.1", status=201, size=17, ua="Mozilla/5.0")
    path = write("access.log", [combined(), line])
    row = read(path)[1]
    assert row == {
        "source": 0,
        "byte_start": len(combined()) + 1,
        "byte_end": len(combined()) + 1 + len(line),
        "at_us": at(1),
        "ip": "2001:db8::1",
        "method": "POST",
        "path": "/book?slot=3",
        "status": 201,
        "bytes": 17,
        "user_agent": "Mozilla/5.0",
        "device_id": None,
        "session_token": None,
        "account_id": None,
        "latency_ms": None,
        "operation": True,
    }
    assert path.read_bytes()[row["byte_start"] : row["byte_end"]].decode() == line


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, st.integers(0, 10**6)), min_size=1, max_size=6))
def test_whatever_a_client_sends_its_fields_come_back(read, write, sent):
    """User names, paths, referers and user agents of any text, as nginx escapes them."""
    lines = [
        combined(second, user=user, request=f"GET /{path.replace(' ', '')} HTTP/1.1", referer=referer, ua=ua)
        for user, path, referer, ua, second in sent
    ]
    rows = read(write("access.log", lines))
    assert not read.problems.counts.get("not_the_form")
    wanted = [
        (at(second), "1.2.3.4", "GET", f"/{path.replace(' ', '')}", None if ua in ("", "-") else ua)
        for _, path, _, ua, second in sent
    ]
    assert only(rows, "at_us", "ip", "method", "path", "user_agent") == wanted


def test_a_user_name_cannot_pass_for_the_time(read, write):
    forged = "x [01/Jan/2027:00:00:00 +0800] "
    (row,) = read(write("access.log", [combined(user=forged)]))
    assert row["at_us"] == at()


def test_what_does_not_have_the_form_is_told_with_line_and_byte(read, write):
    good = combined()
    bad = ["garbage", f"{good}{good}", good.replace("Nov", "Now"), good[:-20], "\x16\x03\x01"]
    path = write("access.log", [good, *bad, good])
    assert len(read(path)) == 2
    problems = [(p.line, p.byte) for p in read.problems if p.rule == "not_the_form"]
    assert problems == [(n + 2, len(good) + 1 + sum(len(one) + 1 for one in bad[:n])) for n in range(5)]
    assert read.problems.counts == {"not_the_form": 5}
    assert read.problems.loses


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"\0", b'"', b"x" * 200, "挂".encode("gb18030"), combined().encode(), combined(9).encode() + b"\n"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=20).map(b"".join), st.booleans(), st.integers(1, 40))
def test_every_line_is_a_row_or_told_with_its_byte(connection, rows, write, text, cut_off, cut_bytes):
    """Whatever stands in a file, packed and cut off or not: no line is lost in silence."""
    packed = gzip.compress(combined().encode() + b"\n" + text)
    path = write("a.gz", packed[:-cut_bytes] if cut_off else packed)
    inputs = read_inputs(connection, access_logs=[path], line_limit=300)
    told = {p.byte for p in inputs.problems if RULES[p.rule].loses or p.rule == "nul_bytes"}
    found = {row["byte_start"] for row in rows("SELECT byte_start FROM hits")}
    start = 0
    for line in bytes(inputs.files[0].text[:]).split(b"\n"):
        behind_nuls = start + len(line) - len(line.lstrip(b"\0"))
        assert {start, behind_nuls} & (found | told) or not line.rstrip(b"\r")
        start += len(line) + 1
    assert cut_off == ("stopped" in inputs.problems.counts)


@pytest.mark.parametrize("request_line", ["", "\x16\x03\x01", "GET", "-"])
def test_a_request_that_is_none_is_a_hit_all_the_same(read, write, request_line):
    (row,) = read(write("access.log", [combined(request=request_line, status=400)]))
    assert (row["status"], row["method"], row["path"]) == (400, None, None)


def test_a_path_with_blanks_is_whole(read, write):
    (row,) = read(write("access.log", [combined(request="GET /a b  c HTTP/1.1")]))
    assert (row["method"], row["path"]) == ("GET", "/a b  c")


def test_escapes_that_are_no_utf8_stay_as_they_stand(read, write):
    line = combined(ua="x").replace('"x"', r'"\xD5\xC5 x"')
    (row,) = read(write("access.log", [line]))
    assert row["user_agent"] == r"\xD5\xC5 x"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_and_a_last_line_without_one(read, write, end):
    path = write("access.log", end.join([combined().encode(), combined(1).encode()]))
    rows = read(path)
    assert only(rows, "user_agent", "at_us") == [("x", at(0)), ("x", at(1))]
    assert path.read_bytes()[rows[0]["byte_start"] : rows[0]["byte_end"]].decode() == combined()


def test_columns_come_from_variables_of_their_name(read, write):
    line = f'{combined()} "9.9.9.9" 0.250 "dev-1" "acc-1"'
    (row,) = read(write("access.log", [line]), log_format=MAIN)
    assert (row["device_id"], row["account_id"], row["ip"]) == ("dev-1", "acc-1", "1.2.3.4")
    assert row["latency_ms"] is None  # the server's time for a request is not the patient's before it


def test_forwarded_for_is_believed_only_when_asked_and_from_the_right(read, write):
    line = f'{combined(ip="10.0.0.1")} "6.6.6.6, 9.9.9.9, 10.0.0.2" 0.250 "-" "-"'
    path = write("access.log", [line, f'{combined(ip="10.0.0.1")} "-" 0.1 "-" "-"'])
    assert only(read(path, log_format=MAIN), "ip") == [("10.0.0.1",), ("10.0.0.1",)]
    mapping = {"ip": "http_x_forwarded_for"}
    assert only(read(path, log_format=MAIN, mapping=mapping), "ip") == [("10.0.0.2",), ("10.0.0.1",)]
    trusting = read(path, log_format=MAIN, mapping=mapping, trusted_proxies=["10."])
    assert only(trusting, "ip") == [("9.9.9.9",), ("10.0.0.1",)]  # never 6.6.6.6, which the client may have written
    with pytest.raises(InvalidInput):
        read(path, log_format=MAIN, mapping=mapping, trusted_proxies=["10.0.0"])


def test_a_mapping_fills_other_columns(read, write):
    line = f'{combined()} "9.9.9.9" 0.250 "dev-1" "acc-1"'
    (row,) = read(
        write("access.log", [line]),
        log_format=MAIN,
        mapping={"session_token": "$cookie_device", "latency_ms": "request_time"},
    )
    assert (row["session_token"], row["latency_ms"]) == ("dev-1", 250.0)


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        ("$msec $remote_addr", "1795564801.250 1.2.3.4"),
        ("$time_local|$msec|$remote_addr", f"{time_local(at(7))}|1795564801.250|1.2.3.4"),
        ("$remote_addr|$time_iso8601", "1.2.3.4|2026-11-25T00:00:01+00:00"),
        ("[$time_local] $remote_addr", f"[{time_local(at(1), UTC)}] 1.2.3.4"),
        ("$remote_addr [$time_local]", f"1.2.3.4 [{time_local(at(1))}]"),
        ("$remote_addr $remote_user [$time_local] $status", f"1.2.3.4 a [b] c [{time_local(at(1))}] 200"),
        ("%a %{sec}t", "1.2.3.4 1795564801"),
        ("%a %{usec}t", "1.2.3.4 1795564801250000"),
        ("%a [%{%F %T}t]", "1.2.3.4 [2026-11-25 08:00:01]"),
        ("%h %t", f"1.2.3.4 [{time_local(at(1))}]"),
    ],
)
def test_time_is_read_from_whatever_says_it_best(read, write, log_format, line):
    (row,) = read(write("access.log", [line]), log_format=log_format)
    assert row["ip"] == "1.2.3.4"
    assert row["at_us"] == at(1.25 if "msec" in log_format or "usec" in log_format else 1)


@pytest.mark.parametrize(
    ("log_format", "good", "bad"),
    [
        ("$msec $remote_addr", "1795564800.000 x", "99999999999999999999999999 x"),
        ("$msec $remote_addr", "1795564800.000 x", "0.000 x"),
        ("%{msec}t %a", "1795564800000 x", "9223372036854775807 x"),
        ("%{usec}t %a", "1795564800000000 x", "9223372036854775807 x"),
        ("$time_iso8601 $remote_addr", "2026-11-25T08:00:00+08:00 x", "9999-12-31T23:59:59+00:00 x"),
    ],
)
def test_a_time_that_cannot_be_is_no_time(read, write, log_format, good, bad):
    rows = read(write("access.log", [good, bad]), log_format=log_format, now_us=at(1))
    assert only(rows, "at_us", "ip") == [(at(), "x")]
    assert [(p.rule, p.line) for p in read.problems] == [("not_the_form", 2)]


def test_a_format_without_time_is_refused(read, write):
    with pytest.raises(InvalidInput) as refused:
        read(write("access.log", [combined()]), log_format='$remote_addr "$request"')
    assert "time" in refused.value.says("en")


def test_fields_set_apart_by_bars_may_hold_bars(read, write):
    log_format = "$remote_addr|$time_local|$request|$status|$http_user_agent|$cookie_device|$request_time"
    lines = [
        f"1.2.3.4|{time_local(at())}|GET /a HTTP/1.1|200|ua|d1|0.001",
        f"1.2.3.4|{time_local(at())}|GET /a|b HTTP/1.1|200|u|a|d1|0.001",
    ]
    rows = read(write("access.log", lines), log_format=log_format)
    assert only(rows, "ip", "at_us", "path", "status") == [("1.2.3.4", at(), "/a", 200), ("1.2.3.4", at(), "/a|b", 200)]
    assert rows[0]["device_id"] == "d1"


def test_fields_set_apart_by_blanks_alone(read, write):
    log_format = "$remote_addr [$time_local] $request $status $upstream_response_time $request_time"
    lines = [
        f"1.2.3.4 [{time_local(at())}] GET /a HTTP/1.1 200 0.001, 0.002 0.004",
        f"1.2.3.4 [{time_local(at())}] GET /a b HTTP/1.1 404 - 0.004",
    ]
    rows = read(write("access.log", lines), log_format=log_format)
    assert only(rows, "method", "path", "status") == [("GET", "/a", 200), ("GET", "/a b", 404)]


def test_apache_escapes_quotation_marks_its_own_way(read, write):
    log_format = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D"
    start = f"1.2.3.4 - - [{time_local(at())}]"
    lines = [
        rf'{start} "GET /a HTTP/1.1" 200 - "-" "plain" 99',
        rf'{start} "GET /a?q=\"b\" HTTP/1.1" 200 12 "-" "say \"hello\" \\" 99',
        rf'{start} "GET /a HTTP/1.1" 200 12 "-" "\xe6\x8c\x82" 99',
    ]
    rows = read(write("access.log", lines), log_format=log_format)
    assert only(rows, "path", "bytes", "user_agent") == [
        ("/a", None, "plain"),
        ('/a?q="b"', 12, 'say "hello" \\'),
        ("/a", 12, "挂"),
    ]


def test_without_escaping_a_quotation_mark_in_a_field_hides_nobody(read, write):
    log_format = 'log_format x escape=none \'$remote_addr [$time_local] "$request" $status "$http_user_agent"\';'
    line = f'1.2.3.4 [{time_local(at())}] "GET / HTTP/1.1" 200 "evil" agent"'
    (row,) = read(write("access.log", [line]), log_format=log_format)
    assert (row["ip"], row["at_us"], row["status"], row["user_agent"]) == ("1.2.3.4", at(), 200, 'evil" agent')


def test_json_as_the_format_names_its_keys(read, write):
    log_format = (
        'log_format j escape=json \'{"t":"$msec","ip":"$remote_addr","r":"$request","u":$upstream_status,'
        '"x":{"ua":"$http_user_agent"},"d":"$cookie_device_id"}\';'
    )
    lines = [
        r'{"t":"1795564800.000","ip":"1.2.3.4","r":"GET /a?q=\"b\" HTTP/1.1","u":200,"x":{"ua":"挂 \u6302"},"d":"d1"}',
        '{"t":"1795564801.500","ip":"1.2.3.4","r":"GET / HTTP/1.1","u":-,"x":{"ua":""},"d":""}',
        '{"t":"1795564801.500","ip":"1.2.3.4","r":"GET / HT',
    ]
    rows = read(write("access.log", lines), log_format=log_format)
    assert only(rows, "at_us", "path", "user_agent", "device_id") == [
        (at(), '/a?q="b"', "挂 挂", "d1"),
        (at(1.5), "/", None, None),
    ]
    assert [(p.rule, p.line) for p in read.problems] == [("not_the_form", 3)]


def test_json_with_the_default_escaping_is_mended(read, write):
    log_format = 'log_format j \'{"t":"$time_iso8601","ip":"$remote_addr","ua":"$http_user_agent"}\';'
    line = '{"t":"2026-11-25T08:00:00+08:00","ip":"1.2.3.4","ua":"' + escaped('say "挂"') + '"}'
    (row,) = read(write("access.log", [line]), log_format=log_format)
    assert (row["at_us"], row["user_agent"]) == (at(), 'say "挂"')


def test_json_without_a_format_shows_its_own_keys(read, write):
    caddy = {
        "ts": 1795564800.25,
        "request": {"remote_ip": "1.2.3.4", "method": "GET", "uri": "/a", "headers": {"User-Agent": ["ua"]}},
        "status": 200,
        "size": 9,
        "user": {"id": "acc-1"},
    }
    path = write("access.log", [json.dumps(caddy)])
    (row,) = read(path, log_format="json", mapping={"account_id": "user.id"})
    assert (row["at_us"], row["ip"], row["method"], row["path"]) == (at(0.25), "1.2.3.4", "GET", "/a")
    assert (row["status"], row["bytes"], row["account_id"]) == (200, 9, "acc-1")


def test_times_that_go_back_or_lie_ahead_are_told_and_kept(read, write):
    path = write("access.log", [combined(s) for s in (0, 100, 97, 60, 61, 5000)])
    assert len(read(path, now_us=at(1000))) == 6
    told = [(p.rule, p.line) for p in read.problems]
    assert told == [("time_ahead", 6), ("time_backwards", 4)]  # three seconds are a server's buffer
    assert not read.problems.loses


def test_a_file_that_no_line_of_fits_is_refused(read, write):
    with pytest.raises(InvalidInput) as refused:
        read(write("access.log", ["a,b,c", "1,2,3"]))
    assert refused.value.field == "log_format"


def test_no_log_at_all_is_no_row(read, write):
    assert read() == []
    assert read(write("access.log", b"")) == []
    assert read(write("access.log", b""), log_format="json") == []


def test_many_ranges_and_threads_give_the_rows_of_one(connection, rows, write, monkeypatch):
    lines = [combined(n, ip=f"10.0.0.{n % 7}") if n % 50 else "bad" for n in range(2000)]
    path = write("access.log", lines)
    got = []
    for size, threads in ((1 << 24, 1), (1 << 10, 4)):
        monkeypatch.setattr(
            "shouhao.detect.inputs.log_times.ranges",
            lambda file, size=size: [(n, min(n + size, len(file.text))) for n in range(0, len(file.text), size)],
        )
        problems = Problems()
        read_access_logs(connection, [path], threads=threads, problems=problems)
        got.append((rows("SELECT * FROM hits ORDER BY byte_start"), list(problems)))
    assert got[0] == got[1]
    assert len(got[0][0]) == 1960


def test_a_query_for_few_columns_asks_for_nothing_else(connection, write, tmp_path):
    """The plan of a count by address and minute reads no user agent and no path, and knows how many rows there are."""
    read_access_logs(connection, [write("access.log", [combined()] * 70)], spool=tmp_path)
    plan = connection.execute("EXPLAIN SELECT ip, at_us // 60000000, count(*) FROM hits GROUP BY ALL").fetchall()[0][1]
    assert "READ_PARQUET" in plan
    assert "~70 rows" in plan
    assert "user_agent" not in plan
    assert "path" not in plan
    assert "byte_start" not in plan
