"""SQL: texts and instants as DuckDB reads them, written once for logs and events."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EARLIEST_US, LATEST_US = 946_684_800_000_000, 4_102_444_800_000_000  #: 2000 and 2100: no record lies outside
EIGHT_HOURS_US = 8 * 3600 * 1_000_000  #: Asia/Shanghai has had no other offset since 1991

_ZONE = r"\d:\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
_DIGITS = r"\d{9,19}(?:\.\d+)?"
AS_EXPORTED = "____-__-__T__:__:%+__:__"  #: what most exports write, told without an expression
EXCEL_SERIAL = r"\d{5}(?:\.\d+)?"
COMPACT = r"20\d{12}(?:\.?\d{3})?"  #: YYYYMMDDHHMMSS, as HL7 and many hospital systems write it
DATE_ALONE = r"\d{4}\D\d{1,2}\D\d{1,2}\D?"
#: Times without a zone that a cast does not know; none in which day and month may be mistaken for each other.
_PATTERNS = (
    *("%Y-%m-%d %p %I:%M:%S", "%Y-%m-%d %p %I:%M", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p"),
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"),
    *("%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y%m%d %H:%M:%S", "%d-%b-%y %H:%M:%S", "%d-%b-%y %H:%M"),
    *("%d-%b-%Y %H:%M:%S", "%d-%b-%Y %H:%M", "%b %d, %Y %I:%M:%S %p", "%a %b %d %H:%M:%S CST %Y"),
)
#: What exports and clients write in place of nothing; as an id it would be shared by all who have none.
_MISSING = ("null", "(null)", "<null>", "none", "nil", "nan", "n/a", "#n/a", "\\n", "-", "--", "undefined", "无", "空")


def literal(text: str) -> str:
    """A text in SQL.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def json_pointer(path: Iterable[str]) -> str:
    """Where a value stands in a JSON object, in SQL; whatever its keys are.

    >>> json_pointer(("request", "a/b"))
    "'/request/a~1b'"
    """
    return literal("".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path))


def name(text: str) -> str:
    """The name of a column or a table in SQL."""
    return '"' + text.replace('"', '""') + '"'


def pattern(text: str) -> str:
    """A regular expression that matches a text and nothing else."""
    return re.sub(r"([^\w\s])", r"\\\1", text).replace("\0", r"\x00")


def time_local_us(text: str) -> str:
    """Microseconds of `25/Nov/2026:08:00:00 +0800`, or null."""
    return f"epoch_us(try_strptime({text}, '%d/%b/%Y:%H:%M:%S %z'))"


def utc_us(text: str) -> str:
    """Microseconds of `2026-11-25 00:00:00`, which is UTC, or null."""
    return f"epoch_us(try_strptime({text}, '%Y-%m-%d %H:%M:%S'))"


def seconds_us(text: str) -> str:
    """Microseconds of seconds with a fraction, exactly, or null."""
    return f"CAST(CAST(try_cast({text} AS DECIMAL(16, 6)) AS DECIMAL(38, 6)) * 1000000 AS BIGINT)"


def zoned_us(text: str) -> str:
    """Microseconds of ISO 8601 with a zone, or null."""
    return f"epoch_us(try_cast({text} AS TIMESTAMPTZ))"


def finite(text: str) -> str:
    """A number, or null; `nan` and `inf`, which a cast would take, are none."""
    number = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def is_missing(text: str) -> str:
    """Whether a text says that there is none; hardly any id is so short, which is soon seen."""
    longest = max(len(word.encode()) for word in _MISSING)
    return f"strlen({text}) <= {longest} AND lower({text}) IN ({', '.join(literal(word) for word in _MISSING)})"


def has_zone(text: str) -> str:
    """Whether a time says its zone."""
    return f"regexp_matches({text}, {literal(_ZONE)})"


def lacks_zone(text: str) -> str:
    """Whether a time that `instant_us` reads says neither its zone nor how long after 1970 it is."""
    since_1970 = f"regexp_full_match({text}, '[0-9.]+') AND NOT regexp_full_match({text}, {literal(COMPACT)})"
    return f"NOT {has_zone(text)} AND NOT ({since_1970})"


def instant_us(text: str) -> str:
    """Microseconds of a time as exports write it, or null.

    That is ISO 8601 with a zone; seconds, or milli-, micro- or nanoseconds since 1970, told apart by their size;
    nginx's `$time_local`; or a time without a zone, which is taken to be of Asia/Shanghai.
    """
    plain = f"regexp_replace(replace(replace(replace({text}, '/', '-'), '年', '-'), '月', '-'), '日\\s*', ' ')"
    patterns = f"[{', '.join(literal(one) for one in _PATTERNS)}]"
    zoned = f"regexp_replace(replace({text}, '/', '-'), '\\s+([+-]\\d{{2}}:?\\d{{2}})$', '\\1')"
    return f"""coalesce(CASE WHEN {text} LIKE '{AS_EXPORTED}' THEN {zoned_us(text)} END, CASE
        WHEN regexp_full_match({text}, {literal(_DIGITS)}) THEN {_since_1970_us(text)}
        WHEN regexp_matches({text}, '^\\d+/[A-Z][a-z]{{2}}/\\d{{4}}:') THEN {time_local_us(text)}
        WHEN {has_zone(text)} THEN {zoned_us(zoned)}
        ELSE coalesce(
            epoch_us(try_cast(trim({plain}) AS TIMESTAMP)), epoch_us(try_strptime({_in_english(plain)}, {patterns}))
        ) - {EIGHT_HOURS_US} END)"""


def _in_english(text: str) -> str:
    """A time of day as `7:00 AM` for one that says so in Chinese."""
    hours = f"replace(replace(regexp_replace({text}, '秒\\s*$', ''), '时', ':'), '分', ':')"
    halves = f"replace(replace(rtrim({hours}, ':'), '上午', ' AM '), '下午', ' PM ')"
    return f"trim(regexp_replace({halves}, '\\s+', ' ', 'g'))"


def _since_1970_us(text: str) -> str:
    whole = f"try_cast(split_part({text}, '.', 1) AS BIGINT)"
    size = f"strlen(split_part({text}, '.', 1))"
    return f"""CASE WHEN {size} <= 10 THEN {seconds_us(text)}
        WHEN {size} <= 13 THEN CAST(try_cast({text} AS DECIMAL(38, 6)) * 1000 AS BIGINT)
        WHEN {size} IN (14, 17) THEN
            epoch_us(try_strptime(replace({text}, '.', ''), ['%Y%m%d%H%M%S', '%Y%m%d%H%M%S%g'])) - {EIGHT_HOURS_US}
        WHEN {size} <= 16 THEN {whole} ELSE {whole} // 1000 END"""


@contextmanager
def uncompressed(connection: "DuckDBPyConnection") -> Iterator[None]:
    """Let tables that are made meanwhile keep their columns as they are.

    Where few values come again, as in events, which are mostly ids, each look at a dictionary takes it apart, which
    takes longer than reading what is four times as large.
    """
    with _packing(connection, "uncompressed"):
        yield


@contextmanager
def as_dictionaries(connection: "DuckDBPyConnection") -> Iterator[None]:
    """Let tables that are made meanwhile keep their texts as dictionaries.

    Left to itself DuckDB tries each way of packing a text on each stretch of rows, which takes longer than all the rest
    of making a table. Logs repeat themselves, so it would choose dictionaries anyway; where nothing repeats, the file
    is twice as large and no slower.
    """
    with _packing(connection, "dictionary"):
        yield


@contextmanager
def _packing(connection: "DuckDBPyConnection", how: str) -> Iterator[None]:
    connection.execute(f"SET force_compression = {literal(how)}")
    try:
        yield
    finally:
        connection.execute("RESET force_compression")


def drop_relation(connection: "DuckDBPyConnection", relation: str) -> None:
    """Drop a table or a view of this name, if there is one."""
    for kind in ("view", "table"):
        found = connection.execute(
            f"SELECT database_name, schema_name FROM duckdb_{kind}s() WHERE {kind}_name = ?", [relation]
        ).fetchall()
        for database, schema in found:
            connection.execute(f'DROP {kind} "{database}"."{schema}"."{relation}"')
