"""W3C extended logs, as IIS writes them: fields between single blanks, in the order that `#Fields:` names.

Such a log says its format itself, in lines that begin with `#`. How its lines are read is format_w3c.py's part.
"""

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.unpacking import Text

DIRECTIVE = b"#Fields:"
_LONGEST_BYTES = 1 << 14
_CALLED = {
    "c-ip": "remote_addr",
    "cs-method": "request_method",
    "cs-uri": "request_uri",
    "cs-uri-stem": "uri",
    "cs-uri-query": "args",
    "sc-status": "status",
    "sc-bytes": "body_bytes_sent",
    "cs-username": "remote_user",
    "x-forwarded-for": "http_x_forwarded_for",
}


def directives_of(text: Text) -> list[str]:
    """All different `#Fields:` of a log, in order."""
    found: dict[str, None] = {}
    at = text.find(DIRECTIVE)
    while at >= 0:
        if at == 0 or text[at - 1 : at] == b"\n" or text[:at] == b"\xef\xbb\xbf":
            line = text[at : at + _LONGEST_BYTES].split(b"\n", 1)[0]
            found[line.decode(errors="replace").strip()] = None
        at = text.find(DIRECTIVE, at + 1)
    return list(found)


def parts_of(directive: str) -> tuple[Variable, ...]:
    """The fields of a `#Fields:`, in nginx's words."""
    return tuple(Variable(_variable(field)) for field in directive.removeprefix(DIRECTIVE.decode()).split())


def _variable(field: str) -> str:
    name = field.lower()
    if name in _CALLED:
        return _CALLED[name]
    if name.startswith("cs(") and name.endswith(")"):
        return "http_" + name[3:-1].replace("-", "_")
    return {"date": "w3c_date", "time": "w3c_time"}.get(name, name.replace("-", "_"))
