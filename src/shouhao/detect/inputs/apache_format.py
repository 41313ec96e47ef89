"""Apache's LogFormat, said in nginx's variables: `%h %l %u %t "%r" %>s %b`.

Time as `%{...}t` is understood for seconds and their fractions since 1970 and for strftime patterns; what has no
counterpart keeps a name of its own and can be mapped.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """Something that differs from line to line."""

    name: str
    pattern: str | None = None  #: of a time, as strftime writes it


NICKNAMES = {
    "vhost_combined": r"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"",
}
_PLAIN = {
    "h": "remote_addr",
    "a": "remote_addr",
    "A": "server_addr",
    "l": "remote_logname",
    "u": "remote_user",
    "r": "request",
    "s": "status",
    "b": "body_bytes_sent",
    "B": "body_bytes_sent",
    "O": "bytes_sent",
    "I": "request_length",
    "S": "bytes_total",
    "D": "request_time_us",
    "T": "request_time",
    "m": "request_method",
    "U": "uri",
    "q": "query_with_mark",
    "H": "server_protocol",
    "v": "server_name",
    "V": "server_name",
    "p": "server_port",
    "P": "pid",
    "X": "connection_status",
    "k": "keepalive_requests",
    "f": "request_filename",
    "R": "handler",
    "L": "log_id",
}
_FAMILIES = {"i": "http_", "o": "sent_http_", "C": "cookie_", "e": "env_", "n": "note_"}
_DIRECTIVE = re.compile(r"%(?:%|[!\d,]*[<>]?(?:\{(?P<argument>[^}]*)\})?(?P<letter>\^t[io]|[A-Za-z]))")
_SINCE_1970 = {"sec": "msec", "msec": "time_msec", "usec": "time_usec"}


def looks_like(text: str) -> bool:
    """Whether a text is Apache's rather than nginx's."""
    return text in NICKNAMES or text.startswith("LogFormat ") or ("$" not in text and "%" in text)


def parts_of(text: str) -> tuple[str | Variable, ...]:
    """Literals and variables of a LogFormat, the directive or its text."""
    body = _body(NICKNAMES.get(text, text))
    parts: list[str | Variable] = []
    at = 0
    for match in _DIRECTIVE.finditer(body):
        _add(parts, body[at : match.start()])
        at = match.end()
        if match[0] == "%%":
            _add(parts, "%")
            continue
        for part in _meant(match["letter"], match["argument"]):
            _add(parts, part)
    _add(parts, body[at:])
    return tuple(parts)


def _add(parts: list[str | Variable], part: str | Variable) -> None:
    """Append; literals that follow each other become one."""
    if isinstance(part, str) and parts and isinstance(parts[-1], str):
        parts[-1] += part
    elif part:
        parts.append(part)


def _body(text: str) -> str:
    directive = re.fullmatch(r'LogFormat\s+"((?:[^"\\]|\\.)*)"(?:\s+\S+)?\s*', text, re.DOTALL)
    quoted = directive or re.fullmatch(r'"((?:[^"\\]|\\.)*)"', text, re.DOTALL)
    return re.sub(
        r"\\(.)",
        lambda m: {"t": "\t", "n": "\n"}.get(m[1], m[1]),
        (text if quoted is None else quoted[1]).replace("&quot;", '"'),  # as in Tomcat's server.xml
        flags=re.DOTALL,
    )


def _meant(letter: str, argument: str | None) -> tuple[str | Variable, ...]:
    if letter == "t":
        return _time(argument)
    if letter in _FAMILIES and argument:
        return (Variable(_FAMILIES[letter] + argument.lower().replace("-", "_")),)
    if letter.startswith("^t") and argument:
        return (Variable(f"trailer_{argument.lower().replace('-', '_')}"),)
    if letter == "a" and argument == "c":
        return (Variable("realip_remote_addr"),)
    if letter == "T" and argument in ("ms", "us"):
        return (Variable(f"request_time_{argument}"),)
    return (Variable(_PLAIN.get(letter, f"apache_{letter}")),)


def _time(pattern: str | None) -> tuple[str | Variable, ...]:
    if not pattern:
        return ("[", Variable("time_local"), "]")
    pattern = pattern.removeprefix("begin:").removeprefix("end:")
    if pattern in _SINCE_1970:
        return (Variable(_SINCE_1970[pattern]),)
    if pattern in ("msec_frac", "usec_frac"):
        return (Variable(f"time_{pattern}"),)
    pattern = pattern.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d")
    readable = re.fullmatch(r"(?:[^%]|%[aAbBdHIjmMpSfyYzs%])*", pattern) is not None
    return (Variable("time_custom", pattern if readable else None),)
