"""Other servers' logs: what they write is read as it is meant, and what is not read says so and what to do."""

import json

import pytest

from detect.inputs.made_up_lines import at, combined
from shouhao.detect.inputs.access_logs import read_access_logs
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput

FILLED = "ip, method, path, status, bytes, user_agent"
RESULT = ("10.1.1.1", "GET", "/api?x=1", 200, 54, "Mozilla/5.0")
CADDY = {
    "ts": at() / 1e6,
    "request": {
        "remote_ip": "10.1.1.1",
        "method": "GET",
        "host": "h",
        "uri": "/api?x=1",
        "headers": {"User-Agent": ["Mozilla/5.0"]},
    },
    "size": 54,
    "status": 200,
    "resp_headers": {"Status": ["204"]},
}
TRAEFIK = {
    "ClientHost": "10.1.1.1",
    "RequestMethod": "GET",
    "RequestPath": "/api?x=1",
    "DownstreamStatus": 200,
    "DownstreamContentSize": 54,
    "time": "2026-11-25T08:00:00+08:00",
    "request_User-Agent": "Mozilla/5.0",
}
FILEBEAT = {
    "@timestamp": "2026-11-25T00:00:00.000Z",
    "host": {"ip": ["10.9.9.9"], "name": "web1"},
    "log": {"file": {"path": "/var/log/nginx/access.log"}},
    "agent": {"type": "filebeat"},
    "source": {"ip": "10.1.1.1"},
    "http": {"request": {"method": "GET"}, "response": {"status_code": 200, "body": {"bytes": 54}}},
    "url": {"original": "/api?x=1", "path": "/api"},
    "user_agent": {"original": "Mozilla/5.0", "name": "Chrome"},
}
W3C = (
    "#Software: Microsoft Internet Information Services 10.0",
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip cs(User-Agent) sc-status sc-bytes",
    "2026-11-25 00:00:00 10.0.0.1 GET /api x=1 443 10.1.1.1 Mozilla/5.0 200 54",
)


@pytest.fixture
def read(connection):
    """Read a log; time and columns of its rows."""

    def _read(path, log_format, columns=FILLED, **kwargs):
        _read.problems = Problems()
        read_access_logs(connection, [path], log_format, problems=_read.problems, **kwargs)
        return connection.sql(f"SELECT at_us, {columns} FROM hits ORDER BY byte_start").fetchall()

    return _read


@pytest.mark.parametrize("line", [CADDY, TRAEFIK, FILEBEAT], ids=["caddy", "traefik", "filebeat"])
def test_json_of_other_servers_names_the_client_and_not_the_server(read, write, line):
    assert read(write("a.json", [json.dumps(line)]), "json") == [(at(), *RESULT)]


def test_a_w3c_log_says_its_format_itself_and_is_in_utc(read, write):
    again = "#Fields: date time c-ip cs-method cs-uri-stem X-Forwarded-For"
    path = write("u_ex.log", [*W3C, again, "2026-11-25 00:00:01 10.0.0.9 GET /b 1.2.3.4:443", "not a line"])
    rows = read(path, "w3c", mapping={"ip": "http_x_forwarded_for"})
    assert rows == [(at(), *RESULT), (at(1), "1.2.3.4", "GET", "/b", None, None, None)]
    assert [(p.rule, p.line) for p in read.problems] == [("not_the_form", 6)]


def test_w3c_logs_whose_fields_only_change_places_are_not_guessed(read, write):
    other = "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query s-port s-ip cs(User-Agent) sc-status sc-bytes"
    with pytest.raises(InvalidInput, match="invalid") as refused:
        read(write("u_ex.log", [*W3C, other]), "w3c")
    assert "apart" in refused.value.says("en")


@pytest.mark.parametrize("head", ["Nov 25 08:00:00 web1 nginx: ", "2026-11-25T00:00:00.123Z stdout F "])
def test_what_stands_before_a_line_is_never_taken_for_an_address(read, write, head):
    good = combined(1)
    path = write("a.log", [head + combined(), good])
    assert read(path, "combined", "ip") == [(at(1), "1.2.3.4")]
    assert [(p.rule, p.line) for p in read.problems] == [("not_the_form", 1)]
    with pytest.raises(InvalidInput) as refused:
        read(write("b.log", [head + combined()]), "combined")
    assert "$head" in refused.value.says("zh")


def test_a_number_for_each_upstream_does_not_cost_the_line(read, write):
    text = """log_format j escape=json '{"at":"$time_iso8601","ip":"$remote_addr","took":$upstream_response_time}';"""
    line = '{"at":"2026-11-25T08:00:00+08:00","ip":"1.2.3.4","took":'
    lines = [f"{line}{took}}}" for took in ("0.1, 0.2", "0.1 : -", "")]
    assert read(write("a.json", lines), text, "ip") == [(at(), "1.2.3.4")] * 3
    assert not read.problems.counts


@pytest.mark.parametrize(
    ("log_format", "line", "told"),
    [
        ("json", '{"time":"2026-11-25 08:00:00","ip":"1.2.3.4"}', True),
        ("json", '{"time":"2026-11-25T08:00:00+08:00","ip":"1.2.3.4"}', False),
        ("json", '{"time":1795564800,"ip":"1.2.3.4"}', False),
        ('%h "%{%Y-%m-%d %T}t"', '1.2.3.4 "2026-11-25 08:00:00"', True),
        ('%h "%{%Y-%m-%d %T %z}t"', '1.2.3.4 "2026-11-25 08:00:00 +0800"', False),
    ],
)
def test_a_log_that_says_no_zone_is_told_by_its_first_line(read, write, log_format, line, told):
    assert read(write("a.log", ["", line, line]), log_format, "ip") == [(at(), "1.2.3.4")] * 2
    assert [(p.rule, p.line, p.byte) for p in read.problems] == ([("zone_assumed", 2, 1)] if told else [])


def test_a_separator_in_a_path_does_not_hide_the_line(read, write):
    path = write("a.log", ["/a|b|GET|2026-11-25T08:00:00+08:00|1.2.3.4|x|y"])
    assert read(path, "$request_uri|$request_method|$time_iso8601|$remote_addr|$http_user_agent", "ip") == [
        (at(), "1.2.3.4")
    ]


def test_what_scripts_send_for_no_name_is_no_name(read, write):
    path = write("a.log", [f'{combined()} "{device}"' for device in ("undefined", "null", "d1")])
    format_ = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    rows = read(path, f'{format_}"$http_user_agent" "$cookie_device"', "device_id")
    assert [device for _, device in rows] == [None, None, "d1"]


def test_the_port_behind_a_forwarded_address_is_not_part_of_it(read, write):
    sent = ("1.2.3.4:5678", "[2001:db8::1]:443", "2001:db8::1", "9.9.9.9, 1.2.3.4", "unknown", "9.9.9.9, who")
    path = write("a.log", [f"127.0.0.1 2026-11-25T08:00:00+08:00 {one}" for one in sent])
    format_ = "$remote_addr $time_iso8601 $http_x_forwarded_for"
    rows = read(path, format_, "ip", mapping={"ip": "http_x_forwarded_for"})
    assert [ip for _, ip in rows] == ["1.2.3.4", "2001:db8::1", "2001:db8::1", "1.2.3.4", "127.0.0.1", "127.0.0.1"]


def test_a_list_of_addresses_is_one_whatever_its_key_is_called(read, write):
    line = {"time": "2026-11-25T08:00:00+08:00", "remote_addr": "127.0.0.1", "came": ["9.9.9.9, 1.2.3.4"]}
    assert read(write("a.json", [json.dumps(line)]), "json", "ip", mapping={"ip": "came"}) == [(at(), "1.2.3.4")]


def test_formats_in_included_files_are_found_and_missing_files_named(read, write):
    write("conf.d/log.conf", ["log_format mine '$remote_addr [$time_local]';"])
    conf = write("nginx.conf", ["http { include mime.types; include conf.d/*.conf; include /nowhere/x.conf; }"])
    path = write("a.log", ["1.2.3.4 [25/Nov/2026:08:00:00 +0800]"])
    assert read(path, f"{conf}:mine", "ip") == [(at(), "1.2.3.4")]
    with pytest.raises(InvalidInput) as refused:
        read(path, f"{conf}:other", "ip")
    assert "mine、include /nowhere/x.conf" in refused.value.says("en")
    assert "mime" not in refused.value.says("en")


@pytest.mark.parametrize(
    ("log_format", "content", "says"),
    [
        ("combined", [json.dumps(CADDY)], "--log-format json"),
        ("combined", W3C, "--log-format w3c"),
        ("w3c", [combined()], "--log-format combined"),
        ("json", [combined()], "--log-format combined"),
        ("combined", [combined().rsplit(' "', 2)[0]], "--log-format common"),
        ("common", [f'{combined()} "more"'], "with more behind it"),
        ("combined", ['x lb haproxy[1]: 1.2.3.4:5 [25/Nov/2026:08:00:00.655] a b/c 0/0 "GET / HTTP/1.1"'], "HAProxy"),
        ("combined", combined().encode("utf-16-le"), "UTF-16"),
        ("combined", f"{combined()}\r{combined()}\r".encode(), "CR alone"),
        ("combined", ["张三,13800138000"], "log_format of the server's configuration"),
        ("json", [json.dumps({"@timestamp": "2026-11-25T00:00:00Z", "message": combined()})], "jq -r .message"),
        ("json", ['{"x":1}'], "--map at=NAME"),
        ("main", [combined()], "PATH:NAME"),
    ],
)
def test_a_wrong_format_says_what_the_log_looks_like_and_nothing_of_what_is_in_it(
    read, write, log_format, content, says
):
    with pytest.raises(InvalidInput) as refused:
        read(write("a.log", content), log_format)
    assert says in refused.value.says("en")
    assert not {"张三", "13800138000", "1.2.3.4", "10.1.1.1"} & set(refused.value.says("zh").replace("，", " ").split())


def test_json_nested_without_end_is_no_crash(read, write):
    deep = '{"time":"2026-11-25T08:00:00+08:00","remote_addr":"1.2.3.4","x":' + '{"a":' * 3000 + "1" + "}" * 3001
    good = '{"time":"2026-11-25T08:00:01+08:00","remote_addr":"1.2.3.4"}'
    assert read(write("a.json", [deep, good]), "json", "ip")[-1] == (at(1), "1.2.3.4")
