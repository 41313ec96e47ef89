"""Log variables: how what nginx writes for each looks in a line, and which column each may fill.

Any variable may stand in a format: one that is not listed here, from a header, a module or the site's own `map`, may
hold any text.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

Look = Literal["number", "token", "time_local", "free"]

#: Digits and dots, or nothing.
_NUMBERS = """
    status body_bytes_sent bytes_sent bytes_received request_length request_time connection_requests connection pid
    content_length msec connection_time limit_rate session_time
"""
#: No blank and no quotation mark in it. All else may hold blanks: several upstreams tried, headers, decoded paths.
_TOKENS = """
    remote_addr remote_port realip_remote_addr realip_remote_port proxy_protocol_addr proxy_protocol_port
    proxy_protocol_server_addr proxy_protocol_server_port server_addr server_port server_protocol server_name hostname
    host request_method scheme https http2 http3 pipe protocol request_completion request_id request_port
    is_request_port time_iso8601 nginx_version is_args ssl_protocol ssl_cipher ssl_curve ssl_session_id
    ssl_session_reused ssl_client_serial ssl_client_fingerprint ssl_early_data ssl_alpn_protocol ssl_server_name
    geoip_country_code geoip_country_code3 geoip_region geoip_latitude geoip_longitude geoip_postal_code tcpinfo_rtt
    tcpinfo_rttvar tcpinfo_snd_cwnd tcpinfo_rcv_space gzip_ratio limit_req_status limit_conn_status
    upstream_cache_status remote_logname
"""

NUMBERS, TOKENS = frozenset(_NUMBERS.split()), frozenset(_TOKENS.split())

#: Of each the first that a format has counts.
ADDRESSES = ("remote_addr", "proxy_protocol_addr", "realip_remote_addr")
INSTANTS = ("msec", "time_usec", "time_msec", "time_local", "time_iso8601", "time_w3c", "time_custom", "time_any")
BYTES = ("body_bytes_sent", "bytes_sent")

#: Columns that are found by the name of a cookie, a header or a variable of the site.
_BY_NAME: Mapping[str, tuple[str, ...]] = {
    "device_id": ("device", "deviceid", "did"),
    "session_token": ("session", "sessionid", "sessiontoken", "sid", "jsessionid", "phpsessid"),
    "account_id": ("account", "accountid", "userid", "uid", "openid"),
    "latency_ms": ("latency", "latencyms"),
}
#: What the server itself says comes before what a client sends.
_PREFIXES = ("", "upstream_http_", "sent_http_", "cookie_", "http_")


def look_of(variable: str) -> Look:
    """How its values look in a line."""
    if variable == "time_local":
        return "time_local"
    if variable in NUMBERS:
        return "number"
    return "token" if variable in TOKENS else "free"


def named_for(column: str, variables: Iterable[str]) -> str | None:
    """The variable whose own name says that it fills a column.

    >>> named_for("device_id", ["http_user_agent", "http_x_device_id", "cookie_device"])
    'cookie_device'
    """
    known = tuple(variables)
    for prefix in _PREFIXES:
        for variable in known:
            if variable.startswith(prefix) and _bare(variable.removeprefix(prefix)) in _BY_NAME.get(column, ()):
                return variable
    return None


def _bare(name: str) -> str:
    """A name without what is spelled differently from site to site."""
    return name.lower().removeprefix("x_").removeprefix("x-").replace("_", "").replace("-", "")
