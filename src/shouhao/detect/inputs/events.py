"""Events: rows of text become the table `events`, typed, each event once, in the order in which they stand.

What cannot be told is not guessed: a row without a readable time is put aside, an id whose digits a spreadsheet has
destroyed is emptied (many patients would share it), a time without a zone is taken for Asia/Shanghai and said so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shouhao.detect.inputs.event_rows import rows_of_each
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files
from shouhao.detect.inputs.log_times import AHEAD_US
from shouhao.detect.inputs.mapping import Names, names_of
from shouhao.detect.inputs.problems import KEPT, Problems
from shouhao.detect.inputs.sql import (
    AS_EXPORTED,
    EARLIEST_US,
    EXCEL_SERIAL,
    LATEST_US,
    drop_relation,
    has_zone,
    instant_us,
    literal,
    name,
    uncompressed,
)
from shouhao.detect.model import Source
from shouhao.kernel.events import EVENT_KINDS, Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_IDS = (
    *("account_id", "patient_id", "payer_id", "device_id", "session_token", "department_id", "doctor_id"),
    *("session_id", "slot_id", "staff_id", "event_id"),
)
_INSTANTS = ("_at", "_released_at")
_DIGITS_LOST = r"\d(?:\.\d+)?[eE]\+\d+"  #: what a spreadsheet makes of a long number
#: What exports in Chinese call our kinds.
_KINDS: Mapping[str, str] = {
    "account_registered": "注册 账号注册 用户注册",
    "patient_bound": "绑定 绑卡 绑定就诊人 绑定患者 添加就诊人",
    "patient_unbound": "解绑 解绑就诊人 解绑患者 删除就诊人",
    "logged_in": "登录 登陆 用户登录",
    "logged_out": "退出 登出",
    "viewed": "浏览 查看 查看号源",
    "searched": "搜索 查询 查询号源",
    "booked": "预约 挂号 预约成功 挂号成功 预约挂号",
    "refused": "拒绝 预约失败 挂号失败",
    "cancelled": "取消 退号 取消预约 取消挂号 退约",
    "paid": "支付 缴费 付款 支付成功",
    "refunded": "退费 退款",
    "expired": "过期 超时 超时未支付",
    "waitlisted": "候补 加入候补",
    "checked_in": "取号 签到 报到 就诊",
    "no_show": "爽约 未就诊",
    "extra_slot_added": "加号",
    "face_checked": "人脸核验 人脸识别 刷脸",
    "draw_entered": "抽签登记 参加抽签",
    "complained": "投诉",
    "released": "放号",
}


_READ, _AGAIN = "shouhao_events_read", "shouhao_events_again"
_NUMBERS = {"at_us": "BIGINT", "released_at_us": "BIGINT", "latency_ms": "DOUBLE"}
#: The columns of `events` and their types,
_KEPT = {column: _NUMBERS.get(column, "VARCHAR") for column in ("event_id", *Event._fields)} | {
    "source": "INTEGER",
    "byte_start": "BIGINT",
    "byte_end": "BIGINT",
}
#: and what is known of a row until then: its file and line, and what it says where that could not be read.
_BESIDE = {"number": "INTEGER", "row_number": "BIGINT"} | {
    f"{column}_said": "VARCHAR" for column in ("at", "kind", "released_at", "latency_ms", *_IDS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """What was read of events."""

    row_count: int  #: rows that could be taken apart
    event_count: int  #: rows of `events`
    duplicates: int
    mapped: frozenset[tuple[str, str]]  #: columns and headings of the mapping that a file has


def read_events(
    connection: "DuckDBPyConnection",
    paths: Sequence[Path],
    *,
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    problems: Problems | None = None,
) -> list[Source]:
    """Make `events` of files alone; `read.read_inputs` reads them together with access logs.

    Raises:
        InvalidInput: a file cannot be read.
    """
    problems = Problems() if problems is None else problems
    files = open_files([(path, "events") for path in paths], problems=problems)
    numbered = list(enumerate(files))
    load_events(connection, numbered, mapping=names_of(mapping), problems=problems)
    return [file.source(number) for number, file in numbered]


def load_events(
    connection: "DuckDBPyConnection",
    numbered: Sequence[tuple[int, InputFile]],
    *,
    mapping: Names | None = None,
    problems: Problems,
    now_us: int | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
) -> Events:
    """Make `events` of files that are open, over any `events` that is there.

    Args:
        now_us: an event that is dated more than five minutes after it lies in the future; None to leave that out.
    """
    names = {number: file.name for number, file in numbered}
    kinds = ", ".join(f"{column} {kind}" for column, kind in (_KEPT | _BESIDE).items())
    connection.execute(f"CREATE OR REPLACE TABLE {_READ} ({kinds})")
    mapped: set[tuple[str, str]] = set()
    with uncompressed(connection):
        files = rows_of_each(connection, numbered, mapping=mapping or {}, problems=problems, line_limit=line_limit)
        for number, rows, known in files:
            connection.execute(f"INSERT INTO {_READ} {_typed(number, rows, now_us)}")
            mapped |= known
        _tell(connection, problems, names, now_us)
        _name_the_nameless(connection)
        duplicates = _tell_duplicates(connection, problems, names)
        read = _number(connection, _READ)
        _keep(connection)
    connection.execute(f"DROP TABLE {_AGAIN}")
    return Events(
        row_count=read, event_count=_number(connection, "events"), duplicates=duplicates, mapped=frozenset(mapped)
    )


def _keep(connection: "DuckDBPyConnection") -> None:
    """Leave of what was read the columns of `events`, and the rows that can be told, each event once."""
    connection.execute(f"DELETE FROM {_READ} WHERE at_us IS NULL OR kind IS NULL")
    connection.execute(
        f"DELETE FROM {_READ} r USING {_AGAIN} a WHERE a.number = r.number AND a.row_number = r.row_number"
    )
    for column in _BESIDE:
        connection.execute(f"ALTER TABLE {_READ} DROP COLUMN {column}")
    drop_relation(connection, "events")
    connection.execute(f"ALTER TABLE {_READ} RENAME TO events")


def _number(connection: "DuckDBPyConnection", table: str) -> int:
    row: Any = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0])


def _typed(number: int, rows: str, now_us: int | None) -> str:
    """All columns with their types, null where a value cannot be read; and what was said there."""
    kinds = {called: kind for kind, words in _KINDS.items() for called in words.split()}
    called = ", ".join(f"{literal(word)}: {literal(kind)}" for word, kind in kinds.items())
    known = ", ".join(literal(kind) for kind in EVENT_KINDS)
    latest_us = LATEST_US if now_us is None else min(LATEST_US, now_us + AHEAD_US)
    at_us, released_at_us = (f"CASE WHEN {c} BETWEEN {EARLIEST_US} AND {LATEST_US} THEN {c} END" for c in _INSTANTS)
    latency_ms = "try_cast(replace(latency_ms, ',', '') AS DOUBLE)"
    made = {
        "number": str(number),
        "at_us": at_us,
        "at_said": f"""CASE WHEN "at" LIKE '{AS_EXPORTED}' AND _at BETWEEN {EARLIEST_US} AND {latest_us}
            THEN NULL ELSE "at" END""",
        "released_at_us": released_at_us,
        "released_at_said": f"CASE WHEN {released_at_us} IS NULL THEN released_at END",
        "kind": "_kind",
        "kind_said": f"CASE WHEN _kind IN ({known}) THEN NULL ELSE kind END",
        "latency_ms": latency_ms,
        "latency_ms_said": f"CASE WHEN {latency_ms} IS NULL THEN latency_ms END",
        "source": f"CASE WHEN byte_start IS NOT NULL THEN {number} END",
    }
    for column in _IDS:  # nearly no id holds a plus, and to ask for one costs far less than the expression
        lost = f"contains({column}, '+') AND regexp_full_match({column}, {literal(_DIGITS_LOST)})"
        made[column] = f"CASE WHEN {lost} THEN NULL ELSE {column} END"
        made[f"{column}_said"] = f"CASE WHEN {lost} THEN {column} END"
    columns = ", ".join(f"{made.get(column, column)} AS {column}" for column in _KEPT | _BESIDE)
    return f"""SELECT {columns} FROM (
        SELECT *, {_instant("at")} AS _at, {_instant("released_at")} AS _released_at,
            coalesce(MAP {{{called}}}[kind], lower(kind)) AS _kind
        FROM ({rows}))"""


def _instant(column: str) -> str:
    """A number that a spreadsheet made of a date is none; where there is a colon, it made none."""
    text = name(column)
    plain = f"contains({text}, ':') OR NOT regexp_full_match({text}, {literal(EXCEL_SERIAL)})"
    return f"CASE WHEN {plain} THEN {instant_us(text)} END"


def _tell(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], now_us: int | None) -> None:
    """Report what is wrong in single rows."""
    serial = f"regexp_full_match(at_said, {literal(EXCEL_SERIAL)})"
    tests: list[tuple[str, str, str]] = [
        ("no_time", "at", "at_said IS NULL AND at_us IS NULL"),
        ("excel_serial_date", "at", serial),
        ("time_unreadable", "at", f"at_said IS NOT NULL AND at_us IS NULL AND NOT {serial}"),
        ("no_kind", "kind", "kind IS NULL"),
        ("unknown_kind", "kind", "kind_said IS NOT NULL"),
        *(("value_unreadable", column, f"{column}_said IS NOT NULL") for column in ("released_at", "latency_ms")),
    ]
    if now_us is not None:
        tests.append(("time_ahead", "at", f"at_us > {now_us + AHEAD_US}"))
    tests += [("digits_lost", column, f"{column}_said IS NOT NULL") for column in _IDS]
    counted = ", ".join(f"count(*) FILTER (WHERE {test})" for _, _, test in tests)
    counts = connection.execute(f"SELECT {counted} FROM {_READ}").fetchall()[0]
    for (rule, column, test), total in zip(tests, counts, strict=True):
        if total:
            _tell_where(connection, problems, names, rule, test, column=column)
    zoneless = f"at_us IS NOT NULL AND NOT {has_zone('at_said')} AND NOT regexp_full_match(at_said, '[0-9.]+')"
    for number, line, byte in connection.execute(
        f"""SELECT number, arg_min(row_number, row_number), arg_min(byte_start, row_number)
        FROM {_READ} WHERE at_said IS NOT NULL AND {zoneless} GROUP BY number ORDER BY number"""
    ).fetchall():
        problems.add("zone_assumed", names[number], line=line, byte=byte)


def _tell_where(
    connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], rule: str, test: str, *, column: str
) -> None:
    found = connection.execute(
        f"""SELECT number, row_number, byte_start, {column}_said, count(*) OVER () FROM {_READ} WHERE {test}
        ORDER BY number, row_number LIMIT {KEPT}"""
    ).fetchall()
    for n, (number, line, byte, seen, total) in enumerate(found):
        over = total - KEPT + 1 if n == KEPT - 1 else 1
        problems.add(rule, names[number], line=line, byte=byte, count=over, column=column, value=seen, at=seen)


def _name_the_nameless(connection: "DuckDBPyConnection") -> None:
    """An event without an id gets one made of what it says, so that the same row of two exports is one event."""
    text = ", ".join(f"coalesce(CAST({column} AS VARCHAR), chr(1))" for column in Event._fields)
    connection.execute(
        f"""UPDATE {_READ} SET event_id = named.event_id FROM (
            SELECT number, row_number,
                'row-' || said || '-' || row_number() OVER (PARTITION BY number, said ORDER BY row_number) AS event_id
            FROM (SELECT *, md5(concat_ws(chr(31), {text})) AS said FROM {_READ} WHERE event_id IS NULL)
        ) named
        WHERE named.number = {_READ}.number AND named.row_number = {_READ}.row_number"""
    )


def _tell_duplicates(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str]) -> int:
    """Report events that stand there again; how many."""
    text = ", ".join(f"coalesce(CAST({column} AS VARCHAR), chr(1))" for column in Event._fields)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_AGAIN} AS
        SELECT number, row_number, byte_start, event_id, said IS DISTINCT FROM first_said AS differs FROM (
            SELECT *, concat_ws(chr(31), {text}) AS said, first_value(said) OVER ids AS first_said,
                row_number() OVER ids AS nth
            FROM {_READ} WHERE event_id IN (
                SELECT event_id FROM {_READ} WHERE at_us IS NOT NULL AND kind IS NOT NULL
                GROUP BY event_id HAVING count(*) > 1
            ) AND at_us IS NOT NULL AND kind IS NOT NULL
            WINDOW ids AS (PARTITION BY event_id ORDER BY at_us, number, row_number)
        ) WHERE nth > 1"""
    )
    for rule, test in (("event_twice", "NOT differs"), ("event_differs", "differs")):
        found = connection.execute(
            f"""SELECT number, row_number, byte_start, event_id, count(*) OVER () FROM {_AGAIN}
            WHERE {test} ORDER BY number, row_number LIMIT {KEPT}"""
        ).fetchall()
        for n, (number, line, byte, event_id, total) in enumerate(found):
            over = total - KEPT + 1 if n == KEPT - 1 else 1
            problems.add(rule, names[number], line=line, byte=byte, count=over, event_id=event_id)
    return _number(connection, _AGAIN)
