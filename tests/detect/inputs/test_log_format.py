"""Log formats: taken as they stand in the server's configuration, or refused with the reason."""

import pytest

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.log_format import COMBINED, parse_log_format
from shouhao.detect.inputs.log_variables import named_for
from shouhao.kernel.errors import InvalidInput

CONF = r"""
# log_format commented '$remote_user';
http {
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '   # who and when
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent"';
    log_format slots escape=json '{"at":"$time_iso8601","ip":"$remote_addr","n":$request_length,'
                                 '"req":"$request_method $request_uri"}';
    server { location ~ "^/a{2}" { access_log /var/log/a.log main; } }
}
"""


def test_the_directive_is_the_format_it_spells_out():
    made = parse_log_format(
        "log_format main '$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent '\n"
        '  \'"$http_referer" "$http_user_agent"\';'
    )
    assert made.parts == parse_log_format("combined").parts == parse_log_format(COMBINED).parts


def test_text_alone_and_strings_in_a_row_are_formats():
    assert parse_log_format("$remote_addr|$msec").parts == (Variable("remote_addr"), "|", Variable("msec"))
    assert parse_log_format("'$remote_addr' '|$msec'").parts == (Variable("remote_addr"), "|", Variable("msec"))
    assert parse_log_format("${remote_addr}x$msec").parts == (Variable("remote_addr"), "x", Variable("msec"))


def test_a_format_is_found_in_nginx_conf_by_its_name(tmp_path):
    conf = tmp_path / "nginx.conf"
    conf.write_text(CONF, encoding="utf-8")
    assert parse_log_format(f"{conf}:main").parts == parse_log_format("combined").parts
    slots = parse_log_format(f"{conf}:slots")
    assert slots.json
    assert slots.keys[("at",)] == (Variable("time_iso8601"),)
    assert slots.keys[("n",)] == (Variable("request_length"),)
    assert slots.keys[("req",)] == (Variable("request_method"), " ", Variable("request_uri"))
    with pytest.raises(InvalidInput, match=r"log_format|invalid") as refused:
        parse_log_format(str(conf))
    assert "main、slots" in refused.value.says("en")
    with pytest.raises(InvalidInput) as refused:
        parse_log_format(f"{conf}:other")
    assert "other" in refused.value.says("zh")


def test_the_only_format_of_a_file_needs_no_name(tmp_path):
    conf = tmp_path / "log.conf"
    conf.write_text("log_format one '$msec $remote_addr';", encoding="utf-8")
    assert parse_log_format(str(conf)).variables == ("msec", "remote_addr")


def test_apache_says_the_same_as_nginx():
    apache = parse_log_format(r'LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"" combined')
    assert apache.variables == (
        *("remote_addr", "remote_logname", "remote_user", "time_local", "request", "status", "body_bytes_sent"),
        *("http_referer", "http_user_agent"),
    )
    assert parse_log_format("%a %{usec}t %{device}C %{X-Account-Id}i %D").variables == (
        *("remote_addr", "time_usec", "cookie_device", "http_x_account_id", "request_time_us"),
    )
    assert parse_log_format("%a [%{%F %T %z}t] 100%%").parts == (
        *(Variable("remote_addr"), " [", Variable("time_custom", "%Y-%m-%d %H:%M:%S %z"), "] 100%"),
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("no variable at all", "is not a format"),
        ("$remote_addr$msec", "nothing stands between"),
        ("log_format x escape=yaml '$msec';", "escape=yaml"),
        ("log_format 'unfinished", "not closed"),
        ("/no/such/nginx.conf:main", "is not a format"),
    ],
)
def test_what_is_no_format_is_refused_with_the_reason(given, why):
    with pytest.raises(InvalidInput) as refused:
        parse_log_format(given)
    assert why in refused.value.says("en")
    assert refused.value.field == "log_format"


@pytest.mark.parametrize(
    ("variable", "column"),
    [
        ("cookie_device", "device_id"),
        ("http_x_device_id", "device_id"),
        ("cookie_JSESSIONID", "session_token"),
        ("upstream_http_x_session_token", "session_token"),
        ("http_x_account", "account_id"),
        ("account_id", "account_id"),
        ("http_user_agent", None),
        ("http_x_forwarded_for", None),
        ("request_id", None),
    ],
)
def test_columns_are_found_by_the_name_of_a_variable(variable, column):
    found = {c for c in ("device_id", "session_token", "account_id", "latency_ms") if named_for(c, [variable])}
    assert found == ({column} if column else set())


def test_what_the_server_says_comes_before_what_a_client_sends():
    assert named_for("account_id", ["http_x_account", "cookie_account", "upstream_http_x_account"]) == (
        "upstream_http_x_account"
    )
