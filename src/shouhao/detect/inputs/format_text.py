r"""Text formats read by DuckDB: for each variable an expression over the column `line`, as cheap as the format allows.

There are two ways to read a line. The quick one holds for lines whose quotation marks and separators are just those of
the format: then a field is found by counting them, which costs a tenth of a regular expression, and a query pays for no
field that it does not ask for. A line that is not so regular (Apache's `\"`, a separator inside a field, a format
without quotation marks) is read the careful way, with one anchored expression over all of it.

Counting starts from the side on which nothing was sent by a client, so that a user name or a path that imitates the
fields around it shifts none of them.

Where lines are cut at their quotation marks beforehand (cells.py), the quick way looks at each piece alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from shouhao.detect.inputs.apache_format import Variable
from shouhao.detect.inputs.cells import Cut
from shouhao.detect.inputs.log_format import LogFormat, Part
from shouhao.detect.inputs.log_variables import look_of
from shouhao.detect.inputs.sql import literal, pattern

_TIME_LOCAL_CHARACTERS = 26
#: Times that always take as much room.
_WIDTHS = {"time_local": _TIME_LOCAL_CHARACTERS, "time_iso8601": 25, "msec": 14}
_TIME_LOCAL = r"\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}"
_TIME_ISO8601 = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:Z|[+-]\d{2}:\d{2})"
_IN_TOKENS = "._:/+-@=%*~,"
_IN_TIMES = " /:+-"
#: Hold blanks as a rule: blanks do not separate a line that has one outside quotation marks.
_BLANKS_WITHIN = ("http_user_agent", "http_cookie", "http_accept", "request", "upstream_", "ssl_client_", "sent_http_")
_WILD = "%_\\"


@dataclass(frozen=True, slots=True)
class Found:
    """How a variable is read from `line`, and what must hold of the line besides."""

    sql: str
    condition: str | None = None
    piece: int = 0  #: which piece of the line both look at, where it is cut


class QuickText:
    """The quick way of a format."""

    _head = "line"  #: what the first cell is the beginning of

    def __init__(self, log_format: LogFormat) -> None:
        self._parts = log_format.parts
        self._cells = _cells(log_format.parts)

    @property
    def parsed(self) -> str | None:
        """The line cut at all its quotation marks, once for all fields that are asked for."""
        return "string_split(line, '\"')" if len(self._cells) > 1 else None

    def field(self, variable: str) -> Found | None:
        """How a variable is read from `parsed`."""
        return self._found(variable, cut=True)

    def alone(self, variable: str) -> Found | None:
        """How a variable is read from `line` alone; None if the format does not have it."""
        return self._found(variable, cut=False)

    def _found(self, variable: str, *, cut: bool) -> Found | None:
        places = [
            (len(cell) > 1, k, n)
            for k, cell in enumerate(self._cells)
            for n, part in enumerate(cell)
            if isinstance(part, Variable) and part.name == variable
        ]
        for shared, k, place in sorted(places):
            found = self._within(k, place, cut=cut) if shared else Found(self._cell(k, cut=cut))
            if found is not None:
                return Found(found.sql, found.condition, k)
        return self._matched(variable)

    def _matched(self, variable: str) -> Found | None:
        """A variable by an expression over all of the line."""
        parts = self._parts
        if look_of(variable) == "time_local" and (n := _index(parts, variable)) is not None:
            parts = parts[: n + 2]  # nothing else looks like it, so that the expression may stop there
        expression = _capturing_one(parts, variable, ".*?", whole=len(parts) == len(self._parts))
        return None if expression is None else Found(f"regexp_extract(line, {literal(expression)}, 1)")

    @cached_property
    def form(self) -> str:
        """Whether a line has the quotation marks and the literals of the format, in order."""
        conditions = [f"line LIKE {literal(_like(*self._cells))}"]
        marks = len(self._cells) - 1
        if marks:
            one_more = '"'.join(["%"] * (marks + 2))
            conditions.append(f"line NOT LIKE {literal(one_more)}")
        return " AND ".join(conditions)

    def _cell(self, k: int, *, cut: bool) -> str:
        if len(self._cells) == 1:
            return "line"
        return f"parsed[{k + 1}]" if cut else f"split_part(line, '\"', {k + 1})"

    def _within(self, k: int, n: int, *, cut: bool) -> Found | None:
        """A variable that shares its cell with others."""
        cell = self._cells[k]
        before, after = cell[:n], cell[n + 1 :]
        variable = cell[n]
        if isinstance(variable, Variable) and look_of(variable.name) == "time_local":
            return self._time(self._cell(k, cut=cut), before, after)
        for separator in sorted(_separators(before, after), key=len):
            if _may_hold(variable, separator):
                continue
            if not before and k == 0 and after:  # nothing need be cut off first, and nothing behind it be looked at
                ends = f"strpos({self._head}, {literal(separator)})"
                first = f"left({self._head}, {ends} - 1)"
                if after[0] == separator:
                    return Found(first)
                # what syslog and others write before a line would be taken for its beginning
                return Found(first, f"starts_with(substr({self._head}, {ends}), {literal(str(after[0]))})")
            if not any(_may_hold(part, separator) for part in before if isinstance(part, Variable)):
                place = _count(before, separator) + 1
                return Found(f"split_part({self._cell(k, cut=cut)}, {literal(separator)}, {place})")
            if not any(_may_hold(part, separator) for part in after if isinstance(part, Variable)):
                place = -_count(after, separator) - 1
                return Found(f"split_part({self._cell(k, cut=cut)}, {literal(separator)}, {place})")
        return self._counted(k, n, cut=cut)

    def _time(self, whole: str, before: Sequence[Part], after: Sequence[Part]) -> Found | None:
        """Of known length: measured from the side where nothing else varies, else from a mark before it."""
        if not any(isinstance(part, Variable) for part in after):
            back = sum(len(part) for part in after if isinstance(part, str)) + _TIME_LOCAL_CHARACTERS
            return Found(f"substring({whole}, -{back}, {_TIME_LOCAL_CHARACTERS})")
        if not before:
            return Found(f"left({whole}, {_TIME_LOCAL_CHARACTERS})")
        mark = before[-1][-1] if isinstance(before[-1], str) else ""
        if not mark or any(_may_hold(part, mark) for part in before if isinstance(part, Variable)):
            return None
        text = f"split_part({whole}, {literal(mark)}, {_count(before, mark) + 1})"
        return Found(f"left({text}, {_TIME_LOCAL_CHARACTERS})") if not _may_hold(_TIME, mark) else None

    def _counted(self, k: int, n: int, *, cut: bool) -> Found | None:
        """Between fields that might hold the separator: only for lines that have just as many as the format."""
        cell = self._cells[k]
        for separator in _separators(cell[:n], cell[n + 1 :]):
            held = [part for part in cell if isinstance(part, Variable) and _may_hold(part, separator)]
            if any(wild in separator for wild in _WILD) or any(look_of(part.name) != "free" for part in held):
                continue
            if separator.strip() == "" and any(part.name.startswith(_BLANKS_WITHIN) for part in held):
                continue
            count = _count(cell, separator)
            exact = separator.join(["%"] * (count + 1))
            alone = self._cell(k, cut=False)
            condition = f"{alone} LIKE {literal(exact)} AND {alone} NOT LIKE {literal(f'{exact}{separator}%')}"
            at = _count(cell[:n], separator) + 1
            return Found(f"split_part({self._cell(k, cut=cut)}, {literal(separator)}, {at})", condition)
        return None


class CutText(QuickText):
    """The quick way of a format whose lines are cut beforehand: each expression is over one piece of the line."""

    _head = '"piece_0"'

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__(log_format)
        found = [one for k, cell in enumerate(self._cells) for one in _cut(k, cell)]
        self.marks = len(self._cells) - 1
        self.cuts = tuple(cut for cut, _ in found)
        self._cells = [list(parts) for _, parts in found]

    @property
    def parsed(self) -> str | None:
        """Nothing: all is cut already."""
        return None

    @cached_property
    def form(self) -> str:
        """Nothing of the line as a whole; `forms` tells what must hold of each piece."""
        return "true"

    @property
    def forms(self) -> Mapping[int, str]:
        """Whether a piece has the literals of the format, for each that has any beside its variables."""
        likes = {k: _like(cell) for k, cell in enumerate(self._cells) if self.cuts[k].literal is None}
        return {k: f"{self._cell(k, cut=True)} LIKE {literal(like)}" for k, like in likes.items() if like != "%"}

    def _cell(self, k: int, *, cut: bool) -> str:  # noqa: ARG002 - it is
        return f'"piece_{k}"'

    def _matched(self, variable: str) -> Found | None:
        for k, cell in enumerate(self._cells):
            expression = _capturing_one(cell, variable, ".*?")
            if expression is not None:
                return Found(f"regexp_extract({self._cell(k, cut=True)}, {literal(expression)}, 1)", None, k)
        return None


class CarefulText:
    """The careful way of a format: one expression over the whole line."""

    def __init__(self, log_format: LogFormat) -> None:
        self._parts = log_format.parts
        self._free = '[^"]*?' if log_format.escape == "default" and len(_cells(self._parts)) > 1 else ".*?"
        escaped = "replace(replace(line, '\\\\', '\\x5C'), '\\\"', '\\x22')"
        as_nginx = f"(CASE WHEN contains(line, '\\') THEN {escaped} ELSE line END)"
        self._line = "line" if log_format.escape == "none" else as_nginx

    def alone(self, variable: str) -> Found | None:
        """How a variable is read; None if the format does not have it."""
        expression = _capturing_one(self._parts, variable, self._free)
        return None if expression is None else Found(f"regexp_extract({self._line}, {literal(expression)}, 1)")

    @property
    def parsed(self) -> str | None:
        """All variables at once."""
        found = list(_expressions(self._parts, self._free))
        groups = [
            f"({one})" if isinstance(part, Variable) else one for part, one in zip(self._parts, found, strict=True)
        ]
        names = ", ".join(f"'v{n}'" for n, part in enumerate(self._parts) if isinstance(part, Variable))
        return f"regexp_extract({self._line}, {literal('(?s)^' + ''.join(groups) + '$')}, [{names}])"

    def field(self, variable: str) -> Found | None:
        """How a variable is read from `parsed`."""
        n = _index(self._parts, variable)
        return None if n is None else Found(f"parsed.v{n}")

    @property
    def form(self) -> str:
        """Whether all of a line fits."""
        return f"regexp_full_match({self._line}, {literal('(?s)' + ''.join(_expressions(self._parts, self._free)))})"


def capturing(parts: Sequence[Part], variable: str) -> str | None:
    """An anchored expression that captures one variable of a text; None if it is not in it."""
    return _capturing_one(parts, variable, ".*?")


def _capturing_one(parts: Sequence[Part], variable: str, free: str, *, whole: bool = True) -> str | None:
    n = _index(parts, variable)
    if n is None:
        return None
    pieces = list(_expressions(parts, free))
    return f"(?s)^{''.join(pieces[:n])}({pieces[n]}){''.join(pieces[n + 1 :])}{'$' if whole else ''}"


def _index(parts: Sequence[Part], variable: str) -> int | None:
    """Where a variable stands first."""
    return next((n for n, part in enumerate(parts) if isinstance(part, Variable) and part.name == variable), None)


def _expressions(parts: Sequence[Part], free: str) -> Iterator[str]:
    looks = {"time_local": _TIME_LOCAL, "number": r"(?:[0-9.]+|-)?", "token": r'[^\s"]*?', "free": free}
    for part in parts:
        if isinstance(part, str):
            yield pattern(part)
        else:
            yield _TIME_ISO8601 if part.name == "time_iso8601" else looks[look_of(part.name)]


def _cells(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts between quotation marks."""
    cells: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Variable):
            cells[-1].append(part)
            continue
        for n, text in enumerate(part.split('"')):
            if n:
                cells.append([])
            if text:
                cells[-1].append(text)
    return cells


def _like(*cells: Sequence[Part]) -> str:
    """A pattern of the quotation marks and literals of some cells, in order."""
    cut = [["%" if isinstance(part, Variable) else part for part in cell] for cell in cells]
    like = '"'.join("".join("%" if c in _WILD else c for part in cell for c in part) for cell in cut)
    while "%%" in like:
        like = like.replace("%%", "%")
    return like


def _cut(k: int, cell: Sequence[Part]) -> Iterator[tuple[Cut, Sequence[Part]]]:
    """The pieces of a cell: a time, which is hardly ever the same as elsewhere, apart from what stands beside it."""
    for n, part in enumerate(cell):
        width = _WIDTHS.get(part.name) if isinstance(part, Variable) else None
        before, after = cell[:n], cell[n + 1 :]
        if width is None:
            continue
        if not any(isinstance(one, Variable) for one in after):
            end = -_bytes(after)
            edges = [0, end - width, end or None, None]
        elif not any(isinstance(one, Variable) for one in before):
            edges = [0, _bytes(before), _bytes(before) + width, None]
        else:
            continue
        for parts, first, last in zip((before, [part], after), edges[:-1], edges[1:], strict=True):
            if parts:
                yield Cut(k, slice(first, last), _known(parts)), parts
        return
    yield Cut(k, slice(0, None), _known(cell)), cell


def _known(parts: Sequence[Part]) -> bytes | None:
    """The text of parts that do not vary."""
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts).encode() if len(texts) == len(parts) else None


def _bytes(parts: Sequence[Part]) -> int:
    return sum(len(part.encode()) for part in parts if isinstance(part, str))


def _separators(before: Sequence[Part], after: Sequence[Part]) -> Iterator[str]:
    """What may separate a variable from its neighbours: the same text on both sides, or one character of it."""
    left = before[-1] if before else None
    right = after[0] if after else None
    if not isinstance(left, str | None) or not isinstance(right, str | None):
        return
    if left is None or right is None or left == right:
        yield left or right or ""
    if left and (right is None or right.startswith(left[-1])):
        yield left[-1]
    if right and (left is None or left.endswith(right[0])):
        yield right[0]


def _count(parts: Sequence[Part], separator: str) -> int:
    return sum(part.count(separator) for part in parts if isinstance(part, str))


_TIME = Variable("time_local")


def _may_hold(part: Part, text: str) -> bool:
    """Whether a variable's value may hold a text."""
    look = look_of(part.name) if isinstance(part, Variable) else "free"
    if look == "free":
        return True
    allowed = {"number": ".-", "time_local": _IN_TIMES, "token": _IN_TOKENS}[look]
    return all(c.isalnum() or c in allowed for c in text)
