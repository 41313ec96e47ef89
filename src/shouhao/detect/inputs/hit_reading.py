"""Hit reading: which expression fills which column of `hits`, for each way in which a format can be read."""

import ipaddress
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.cut_reading import NONE, PLACED, CutWay, Steps, hits_query, operation, projected
from shouhao.detect.inputs.format_json import JsonLine
from shouhao.detect.inputs.format_text import CarefulText, CutText, Found, QuickText
from shouhao.detect.inputs.format_w3c import W3cLine
from shouhao.detect.inputs.log_format import LogFormat
from shouhao.detect.inputs.log_variables import ADDRESSES, BYTES, INSTANTS, named_for
from shouhao.detect.inputs.sql import (
    EIGHT_HOURS_US,
    finite,
    instant_us,
    is_missing,
    lacks_zone,
    literal,
    name,
    seconds_us,
    time_local_us,
    utc_us,
    zoned_us,
)
from shouhao.detect.model import HIT_COLUMNS, OPERATION
from shouhao.kernel.errors import InvalidInput

MAPPABLE = (
    *("at", "ip", "method", "path", "status", "bytes", "user_agent", "device_id", "session_token", "account_id"),
    "latency_ms",
)
_TEXTS = ("path", "user_agent", "device_id", "session_token", "account_id")
_METHOD = "^[A-Z][A-Z_-]{0,30} "
_USUAL_METHODS = ("GET", "POST")  #: told without an expression
_PATH_WITH_BLANKS = r"^\S+ (.*?)(?: HTTP/[0-9.]+)?$"
_MILLISECONDS = {"request_time": 1000.0, "request_time_us": 0.001, "session_time": 1000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to read a line, as SQL.

    Columns are made in steps, each a projection over the one before, so that a text that several columns need is cut
    out once, and one that nobody asks for not at all.
    """

    form: str  #: over `line`: whether it can be read so
    at_us: str  #: over `line`; null if it has no time after all
    parsed: str | None  #: over `line`: what fields are taken from
    fields: Mapping[str, str]  #: over `line` and `parsed`: variables as they stand in the line
    values: Mapping[str, str]  #: over fields: columns, still in the server's escapes
    columns: Mapping[str, str]  #: over values: columns of `hits`, without places and `at_us`
    zone_assumed: str = "false"  #: over `line`: whether its time says no zone

    def select(self, relation: str, *, joined: bool = False) -> str:
        """A query for all columns of `hits` over a relation with `line`, places and `at_us`.

        Args:
            joined: the relation has a column `joined` too, the account of lines that name none.
        """
        kept = "source, byte_start, byte_end, at_us" + (", joined" if joined else "")
        parsed = [{"line": "line", "parsed": self.parsed}] if self.parsed else []
        steps = projected(relation, kept, *parsed, self.fields, self.values)
        made = {column: self.columns.get(column, name(column)) for column in HIT_COLUMNS}
        made[OPERATION] = operation(made["path"])
        return hits_query(made, f"({steps})", joined=joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class HitReading:
    """How lines of a format are read."""

    ways: tuple[Way | CutWay, ...]  #: a line is read by the first that fits
    fills: frozenset[str]  #: columns that the format says anything about
    used: frozenset[tuple[str, str]]  #: columns and names of the mapping that the format has a variable for
    comments: bool = False  #: lines that begin with `#` tell of the log and are no requests


def either(readings: Sequence[HitReading]) -> HitReading:
    """Lines of any of several formats: each is read by the first that fits."""
    return HitReading(
        ways=tuple(way for one in readings for way in one.ways),
        fills=frozenset[str]().union(*(one.fills for one in readings)),
        used=frozenset[tuple[str, str]]().union(*(one.used for one in readings)),
        comments=any(one.comments for one in readings),
    )


class _Finds(Protocol):
    """One of the ways of format_text.py and format_json.py."""

    @property
    def form(self) -> str: ...

    @property
    def parsed(self) -> str | None: ...

    def alone(self, variable: str) -> Found | None: ...

    def field(self, variable: str) -> Found | None: ...


def hit_reading(
    log_format: LogFormat,
    *,
    mapping: Mapping[str, Sequence[str]] | None = None,
    trusted_proxies: Sequence[str] = (),
    cut: bool = True,
) -> HitReading:
    """How lines of a format are read.

    Args:
        mapping: column to variables, the first that the format has before what is found by name. `X-Forwarded-For` is
            believed only when it is mapped to `ip`: then the address is the last entry that is not a trusted proxy, for
            a client can write what it likes before that one.
        trusted_proxies: addresses, or beginnings of addresses that end in a dot or a colon.
        cut: whether lines may be cut at their quotation marks first; what is read is the same.
    Raises:
        InvalidInput: the format has no time, or a proxy is no address.
    """
    _check_proxies(trusted_proxies)
    finders: tuple[_Finds, ...]
    if log_format.json:
        finders = (JsonLine(log_format, mended=False), JsonLine(log_format, mended=True))
    elif log_format.w3c:
        finders = (W3cLine(log_format.parts),)
    else:
        finders = (QuickText(log_format), CarefulText(log_format))
    used: dict[str, str] = {}
    for column, names in (mapping or {}).items():
        found = [one for one in names if finders[-1].alone(one.lstrip("$")) is not None]
        if found and column in MAPPABLE:
            used[column] = found[0]
    variables = {column: one.lstrip("$") for column, one in used.items()}
    ways = [_Columns(finder, log_format, variables, trusted_proxies).way() for finder in finders]
    fills = frozenset(ways[-1].values) | {"at_us"}
    text = CutText(log_format) if cut and not (log_format.json or log_format.w3c) else None
    first = [_cut_way(text, log_format, variables, trusted_proxies)] if text is not None and text.marks else []
    return HitReading(ways=(*first, *ways), fills=fills, used=frozenset(used.items()), comments=log_format.w3c)


def _cut_way(
    text: CutText, log_format: LogFormat, mapping: Mapping[str, str], trusted_proxies: Sequence[str]
) -> CutWay:
    """The way of a format whose lines are cut; each column is made of the pieces that its fields stand in."""
    writer = _Columns(text, log_format, mapping, trusted_proxies)
    way = writer.way()
    made: dict[tuple[int, ...], list[str]] = {(piece,): [] for piece in text.forms}
    for column, stands_in in writer.pieces.items():
        if column in way.values or column == "at_us":
            made.setdefault(tuple(sorted(stands_in)), []).append(column)
    steps = []
    for pieces, columns in sorted(made.items()):
        forms = [*(text.forms.get(n, "true") for n in pieces), *(writer.conditions(pieces) if columns else ())]
        values = {column: way.values[column] for column in columns if column in way.values}
        steps.append(
            Steps(
                pieces=pieces,
                form=" AND ".join(forms),
                fields={variable: way.fields[variable] for variable in writer.fields(columns)}
                | ({"at_us": way.at_us} if "at_us" in columns else {}),
                values=values | ({"at_us": "at_us"} if "at_us" in columns else {}),
                columns={column: way.columns.get(column, name(column)) for column in columns}
                | ({OPERATION: operation(way.columns.get("path", name("path")))} if "path" in columns else {}),
            )
        )
    return CutWay(marks=text.marks, cuts=text.cuts, steps=tuple(steps))


def _check_proxies(proxies: Iterable[str]) -> None:
    for proxy in proxies:
        if proxy.endswith((".", ":")):
            continue
        try:
            ipaddress.ip_address(proxy)
        except ValueError:
            raise InvalidInput(
                "trusted_proxies",
                zh=f"{proxy} 不是地址，也不是以 . 或 : 结尾的地址前缀",
                en=f"{proxy} is neither an address nor the beginning of one, ending in . or :",
            ) from None


class _Columns:
    """Writes the expressions of one way."""

    def __init__(
        self, finder: _Finds, log_format: LogFormat, mapping: Mapping[str, str], trusted_proxies: Sequence[str]
    ) -> None:
        self._finder = finder
        self._format = log_format
        self._mapping = mapping
        self._trusted = trusted_proxies
        self._zone_assumed = "false"
        self._known = {*log_format.variables, *(("time_w3c",) if log_format.w3c else ())}
        self._conditions: dict[str, int] = {}  #: each with the piece that it looks at
        self._fields: dict[str, str] = {}
        self._asked: dict[str, int] = {}  #: the fields of the column at hand, each with its piece
        self._of: dict[str, dict[str, int]] = {}  #: the same for each column

    @property
    def pieces(self) -> Mapping[str, frozenset[int]]:
        """For each column, the pieces that its fields stand in."""
        return {column: frozenset(asked.values()) for column, asked in self._of.items()}

    def fields(self, columns: Iterable[str]) -> list[str]:
        """The fields that some columns are made of."""
        return list(dict.fromkeys(one for column in columns for one in self._of[column] if one in self._fields))

    def conditions(self, pieces: Collection[int]) -> list[str]:
        """What must hold of some pieces."""
        return [condition for condition, piece in self._conditions.items() if piece in pieces]

    def way(self) -> Way:
        at_us = self._at_us()
        self._of["at_us"], self._asked = self._asked, {}
        made: dict[str, Callable[[], str | None]] = {
            "ip": self._ip,
            "method": self._method,
            "path": self._path,
            "status": lambda: self._number("status", ("status",), "INTEGER"),
            "bytes": lambda: self._number("bytes", BYTES, "BIGINT"),
            "user_agent": lambda: self._value(self._mapping.get("user_agent", "http_user_agent")),
            "latency_ms": self._latency,
        }
        values, columns = dict[str, str](), dict[str, str]()
        for column in HIT_COLUMNS:
            if column in PLACED:
                continue
            value = made[column]() if column in made else self._id(self._named(column))
            self._of[column], self._asked = self._asked, {}
            if value is None:
                columns[column] = NONE[column]
                continue
            values[column] = value
            if self._format.escape == "default" and column in _TEXTS:
                columns[column] = _unescaped(name(column))
        return Way(
            form=" AND ".join([self._finder.form, *self._conditions]),
            at_us=at_us,
            parsed=self._finder.parsed,
            fields=self._fields,
            values=values,
            columns=columns,
            zone_assumed=self._zone_assumed,
        )

    def _raw(self, variable: str | None) -> str | None:
        """A variable as it stands in the line."""
        found = None if variable is None else self._finder.field(variable)
        if found is None or variable is None:
            return None
        self._require(variable, found)
        self._fields[f"${variable}"] = found.sql
        return name(f"${variable}")

    def _require(self, variable: str, found: Found) -> None:
        """Lines that a field cannot be read from do not have the form."""
        self._asked[f"${variable}"] = found.piece
        if found.condition is not None:
            self._conditions[found.condition] = found.piece

    def _value(self, variable: str | None) -> str | None:
        raw = self._raw(variable)
        return None if raw is None else f"nullif(nullif({raw}, '-'), '')"

    def _id(self, variable: str | None) -> str | None:
        """What a client calls itself; scripts send `undefined` where they have no name."""
        value = self._value(variable)
        return None if value is None else f"CASE WHEN {is_missing(value)} THEN NULL ELSE {value} END"

    def _named(self, column: str) -> str | None:
        return self._mapping.get(column) or named_for(column, self._format.variables)

    def _first(self, variables: Iterable[str]) -> str | None:
        return next((variable for variable in variables if variable in self._format.variables), None)

    def _at_us(self) -> str:
        mapped = self._mapping.get("at")
        times = [mapped] if mapped else [variable for variable in INSTANTS if variable in self._known]
        found = [sql for variable in times if (sql := self._instant(variable)) is not None]
        if not found:
            has = "、".join(self._format.variables[:30])
            raise InvalidInput(
                "log_format",
                zh=f"格式中没有时间（$time_local、$time_iso8601 或 $msec），可用 --map at=名称 指明；它有：{has}",
                en=f"has no time in it; name it with --map at=NAME; it has: {has}",
            )
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _instant(self, variable: str) -> str | None:
        found = self._finder.alone(variable)
        if found is None:
            return None
        self._require(variable, found)
        raw = found.sql
        exact = {
            "msec": seconds_us,
            "time_usec": lambda text: f"try_cast({text} AS BIGINT)",
            "time_msec": lambda text: f"try(try_cast({text} AS BIGINT) * 1000)",
            "time_local": time_local_us,
            "time_iso8601": zoned_us,
            "time_w3c": utc_us,
        }
        if variable == "time_custom":
            return self._custom_time(raw)
        if variable not in exact:
            self._zone_assumed = lacks_zone(raw)
        return exact.get(variable, instant_us)(raw)

    def _custom_time(self, raw: str) -> str | None:
        pattern = next(
            part.pattern for part in self._format.parts if isinstance(part, Variable) and part.name == "time_custom"
        )
        if pattern is None:
            return None
        back = 0 if "%z" in pattern or pattern == "%s" else EIGHT_HOURS_US
        self._zone_assumed = "true" if back else "false"
        if pattern == "%s":
            return seconds_us(raw)
        return f"epoch_us(try_strptime({raw}, {literal(pattern)})) - {back}"

    def _ip(self) -> str | None:
        mapped = self._mapping.get("ip")
        direct = self._value(self._first(ADDRESSES))
        if mapped is None:
            return direct
        value = self._value(mapped)
        if mapped not in ADDRESSES and value is not None:  # whatever it is called, a client may begin the list
            value = self._last_untrusted(value)
        return f"coalesce({value}, {direct})" if value and direct and mapped not in ADDRESSES else value

    def _last_untrusted(self, value: str) -> str:
        entries = f"list_transform(string_split({value}, ','), lambda entry: trim(entry))"
        tests = [
            f"starts_with(entry, {literal(proxy)})" if proxy.endswith((".", ":")) else f"entry = {literal(proxy)}"
            for proxy in self._trusted
        ]
        if tests:
            entries = f"list_filter({entries}, lambda entry: NOT ({' OR '.join(tests)}))"
        return _address(f"list_last({entries})")

    def _method(self) -> str | None:
        own = self._value(self._mapping.get("method") or self._first(("request_method",)))
        if own is not None:
            return own
        request = self._raw(self._first(("request",)))
        if request is None:
            return None
        usual = " ".join(f"WHEN starts_with({request}, '{one} ') THEN '{one}'" for one in _USUAL_METHODS)
        rest = f"WHEN regexp_matches({request}, {literal(_METHOD)}) THEN split_part({request}, ' ', 1)"
        return f"CASE {usual} {rest} END"

    def _path(self) -> str | None:
        mapped = self._mapping.get("path")
        if mapped:
            return self._value(mapped)
        request = self._raw(self._first(("request",)))
        if request is not None:
            blanks = f"regexp_extract({request}, {literal(_PATH_WITH_BLANKS)}, 1)"
            two = f"split_part({request}, ' ', 2)"
            return f"nullif(CASE WHEN {request} LIKE '% % % %' THEN {blanks} ELSE {two} END, '')"
        whole = self._first(("request_uri",))
        if whole is not None:
            return self._value(whole)
        path, query = (
            self._value(self._first(("uri", "document_uri"))),
            self._value(self._first(("args", "query_string"))),
        )
        marked = self._value(self._first(("query_with_mark",)))
        if path is None:
            return None
        rest = f"'?' || {query}" if query else marked
        return f"{path} || coalesce({rest}, '')" if rest else path

    def _number(self, column: str, variables: Iterable[str], kind: str) -> str | None:
        raw = self._raw(self._mapping.get(column) or self._first(variables))
        return None if raw is None else f"try_cast({raw} AS {kind})"

    def _latency(self) -> str | None:
        """From page shown to request: no variable of the server says that, `$request_time` neither."""
        variable = self._named("latency_ms")
        raw = self._raw(variable)
        if raw is None or variable is None:
            return None
        return f"{finite(raw)} * {_MILLISECONDS.get(variable, 1.0)}"


def _address(entry: str) -> str:
    """An address without the port that some load balancers write behind it; null for what is none, as `unknown`."""
    ported = literal(r"^(?:([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?)$")
    bare = f"concat(regexp_extract({entry}, {ported}, 1), regexp_extract({entry}, {ported}, 2))"
    plain = f"regexp_full_match({entry}, '[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f.:]*')"
    return f"CASE WHEN {plain} THEN {entry} ELSE nullif({bare}, '') END"


def _unescaped(value: str) -> str:
    """A text without the server's escapes; as it stands where they are not those of clean UTF-8."""
    return (
        f"CASE WHEN contains({value}, '\\x') THEN coalesce(try(decode(try_cast({value} AS BLOB))), {value}) "
        f"ELSE {value} END"
    )
