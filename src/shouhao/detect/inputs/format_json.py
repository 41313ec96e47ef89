r"""JSON logs read by DuckDB: one object a line, whose keys the format names or the log itself shows.

A line that is not JSON only because of how nginx filled the format in (a bare `-` for a number that is missing, two
numbers for two upstreams, `\xHH` of the default escaping) is mended and read the careful way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.format_text import Found, capturing
from shouhao.detect.inputs.log_format import LogFormat
from shouhao.detect.inputs.sql import json_pointer, literal

Path = tuple[str, ...]

_KEY = r'([^\\]":\s*)'
_SEVERAL = r"([0-9.-]+(?:(?:,| :) [0-9.-]+)+)"
_MENDED = (
    rf"regexp_replace(regexp_replace(regexp_replace(line, '{_KEY}-?(\s*[,}}])', '\1null\2', 'g'),"
    rf""" '{_KEY}{_SEVERAL}(\s*[,}}])', '\1"\2"\3', 'g'), '\\x([0-9A-Fa-f]{{2}})', '\\\\x\1', 'g')"""
)
_DEEPEST = 4
#: What others call nginx's variables; with a dot, by the whole path.
_CALLED: Mapping[str, tuple[str, ...]] = {
    "remote_addr": (
        *("client_ip", "clientip", "ip", "remote_ip", "client", "client_addr", "remote_address", "src_ip"),
        *("clienthost", "source.ip", "client.ip", "source.address", "client.address"),
    ),
    "time_any": (
        *("@timestamp", "timestamp", "time", "ts", "datetime", "date", "at", "time_iso8601", "time_local", "msec"),
        *("start_time", "starttime"),
    ),
    "request_method": ("method", "verb", "http_method", "requestmethod"),
    "request_uri": ("path", "url", "request_path", "requestpath", "url.original"),
    "status": ("status_code", "code", "response", "response_code", "downstreamstatus"),
    "body_bytes_sent": ("bytes", "size", "bytes_out", "response_size", "downstreamcontentsize"),
    "http_user_agent": (
        *("user_agent", "useragent", "user-agent", "agent", "ua", "request_user-agent", "user_agent.original"),
    ),
    "http_x_forwarded_for": ("x_forwarded_for", "xff", "x-forwarded-for"),
}
_VARIABLE = {called: variable for variable, names in _CALLED.items() for called in names}
#: What stands under these is said of a machine or of the log, whatever it is called: `host.ip` is no client.
_OF_OTHERS = frozenset(
    {
        *("host", "agent", "log", "event", "ecs", "server", "destination", "observer", "container", "cloud"),
        *("orchestrator", "kubernetes", "input", "fields", "process", "docker", "beat", "prospector", "@metadata"),
        *("resp_headers", "response_headers", "upstream", "tls"),
    }
)


class JsonLine:
    """One way of a JSON format."""

    def __init__(self, log_format: LogFormat, *, mended: bool) -> None:
        self._keys = log_format.keys
        self._line = _MENDED if mended else "line"

        self._asked: list[Path] = []

    def alone(self, variable: str) -> Found | None:
        """How a variable is read; None if the format does not have it."""
        path = self._where(variable)
        return (
            None
            if path is None
            else self._within(f"json_extract_string({self._line}, {json_pointer(path)})", path, variable)
        )

    def field(self, variable: str) -> Found | None:
        """How a variable is read from `parsed`."""
        path = self._where(variable)
        if path is None:
            return None
        if path not in self._asked:
            self._asked.append(path)
        return self._within(_only(f"parsed[{self._asked.index(path) + 1}]"), path, variable)

    @property
    def parsed(self) -> str | None:
        """All that was asked for, in one go."""
        paths = ", ".join(json_pointer(path) for path in self._asked)
        return f"json_extract_string({self._line}, [{paths}])" if paths else None

    def _where(self, variable: str) -> Path | None:
        for path, parts in sorted(self._keys.items(), key=lambda item: len(item[1])):
            if Variable(variable) in parts:
                return path
        dotted = tuple(variable.split("."))  # as `--map` may say it
        return dotted if dotted in self._keys else None

    def _within(self, sql: str, path: Path, variable: str) -> Found:
        parts = self._keys[path]
        expression = capturing(parts, variable) if len(parts) > 1 else None
        return Found(sql if expression is None else f"regexp_extract({sql}, {literal(expression)}, 1)")

    @property
    def form(self) -> str:
        """Whether a line is JSON."""
        return f"json_valid({self._line})"


def with_keys(log_format: LogFormat, keys: Iterable[Path]) -> LogFormat:
    """The format of a log whose keys were seen; each key is the variable it is called like, or one of its own name."""
    known: dict[Path, tuple[Variable, ...]] = {}
    for path in sorted(set(keys), key=lambda path: (len(path), path)):
        own, whole = path[-1], ".".join(path)
        if path[0].lower() in _OF_OTHERS and len(path) > 1:
            known[path] = (Variable(whole),)
        else:
            known[path] = (Variable(_VARIABLE.get(whole.lower()) or _VARIABLE.get(own.lower(), own)),)
    return replace(log_format, keys=known, parts=tuple(part for parts in known.values() for part in parts))


def _only(sql: str) -> str:
    """A text, or the text in a list of one, as which some servers write headers."""
    listed = f"starts_with({sql}, '[\"') AND json_valid({sql}) AND json_array_length({sql}) = 1"
    return f"CASE WHEN {listed} THEN json_extract_string({sql}, '$[0]') ELSE {sql} END"


def keys_of(line: bytes) -> Iterator[Path]:
    """The paths of all values in one line; none if it is not a JSON object."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last: nested without end
        return
    if isinstance(value, dict):
        yield from _keys(value, ())


def _keys(value: Mapping[str, Any], at: Path) -> Iterator[Path]:
    for key, inner in value.items():
        path = (*at, key)
        if isinstance(inner, dict) and len(path) < _DEEPEST:
            yield from _keys(inner, path)
        elif key:
            yield path
