"""Events: rows of text become the table `events`, typed, each event once, in the order of time.

What cannot be told is not guessed: a row without a readable time is put aside, an id whose digits a spreadsheet has
destroyed is emptied (many patients would share it), a time without a zone is taken for Asia/Shanghai and said so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shouhao.detect.inputs.event_rows import ROWS, load_rows
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files
from shouhao.detect.inputs.log_times import AHEAD_US
from shouhao.detect.inputs.mapping import Names, names_of
from shouhao.detect.inputs.problems import KEPT, Problems
from shouhao.detect.inputs.sql import (
    EARLIEST_US,
    EXCEL_SERIAL,
    LATEST_US,
    as_dictionaries,
    drop_relation,
    has_zone,
    instant_us,
    literal,
    name,
)
from shouhao.detect.model import Source
from shouhao.kernel.events import EVENT_KINDS, Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_IDS = (
    *("account_id", "patient_id", "payer_id", "device_id", "session_token", "department_id", "doctor_id"),
    *("session_id", "slot_id", "staff_id", "event_id"),
)
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
    mapped = load_rows(connection, numbered, mapping=mapping or {}, problems=problems, line_limit=line_limit)
    names = {number: file.name for number, file in numbered}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE shouhao_events_typed AS {_typed()}")
    _tell(connection, problems, names, now_us)
    _name_the_nameless(connection)
    duplicates = _tell_duplicates(connection, problems, names)
    drop_relation(connection, "events")
    columns = ", ".join(("event_id", *Event._fields))
    again = "ANTI JOIN shouhao_events_again USING (source, row_number)" if duplicates else ""
    with as_dictionaries(connection):
        connection.execute(
            f"""CREATE TABLE events AS
            SELECT {columns}, CASE WHEN byte_start IS NULL THEN NULL ELSE source END AS source, byte_start, byte_end
            FROM shouhao_events_typed {again} WHERE at_us IS NOT NULL AND kind IS NOT NULL
            ORDER BY at_us, shouhao_events_typed.source, row_number"""
        )
    rows, events = _number(connection, ROWS), _number(connection, "events")
    for table in (ROWS, "shouhao_events_typed", "shouhao_events_again"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    return Events(row_count=rows, event_count=events, duplicates=duplicates, mapped=mapped)


def _number(connection: "DuckDBPyConnection", table: str) -> int:
    row: Any = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0])


def _typed() -> str:
    """All columns with their types; null where a value cannot be read."""
    kinds = {called: kind for kind, words in _KINDS.items() for called in words.split()}
    called = ", ".join(f"{literal(word)}: {literal(kind)}" for word, kind in kinds.items())
    made = {
        "at_us": _instant("at"),
        "released_at_us": _instant("released_at"),
        "kind": f"coalesce(MAP {{{called}}}[kind], lower(kind))",
        "latency_ms": "try_cast(replace(latency_ms, ',', '') AS DOUBLE)",
    }
    made |= {  # nearly no id holds a plus, and to ask for one costs far less than the expression
        column: f"CASE WHEN contains({column}, '+') AND regexp_full_match({column}, {literal(_DIGITS_LOST)}) "
        f"THEN NULL ELSE {column} END"
        for column in _IDS
    }
    columns = ", ".join(f"{made.get(column, name(column))} AS {column}" for column in ("event_id", *Event._fields))
    return f"SELECT source, row_number, byte_start, byte_end, {columns} FROM {ROWS}"


def _instant(column: str) -> str:
    text = name(column)
    return f"""CASE WHEN NOT regexp_full_match({text}, {literal(EXCEL_SERIAL)}) AND
        ({instant_us(text)}) BETWEEN {EARLIEST_US} AND {LATEST_US} THEN {instant_us(text)} END"""


def _tell(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], now_us: int | None) -> None:
    """Report what is wrong in single rows."""
    serial = f'regexp_full_match(r."at", {literal(EXCEL_SERIAL)})'
    known = ", ".join(literal(kind) for kind in EVENT_KINDS)
    tests: list[tuple[str, str, str, str]] = [
        ("no_time", "at", 'r."at" IS NULL', "at"),
        ("excel_serial_date", "at", serial, "at"),
        ("time_unreadable", "at", f'r."at" IS NOT NULL AND t.at_us IS NULL AND NOT {serial}', "at"),
        ("no_kind", "kind", "r.kind IS NULL", "kind"),
        ("unknown_kind", "kind", f"t.kind NOT IN ({known})", "kind"),
        ("value_unreadable", "released_at", "r.released_at IS NOT NULL AND t.released_at_us IS NULL", "released_at"),
        ("value_unreadable", "latency_ms", "r.latency_ms IS NOT NULL AND t.latency_ms IS NULL", "latency_ms"),
    ]
    if now_us is not None:
        tests.append(("time_ahead", "at", f"t.at_us > {now_us + AHEAD_US}", "at"))
    tests += [("digits_lost", c, f"r.{c} IS NOT NULL AND t.{c} IS NULL", c) for c in _IDS]
    for rule, column, test, value in tests:
        _tell_where(connection, problems, names, rule, test, value=f"r.{name(value)}", column=column)
    at = 'r."at"'
    zoneless = f"t.at_us IS NOT NULL AND NOT {has_zone(at)} AND NOT regexp_full_match({at}, '[0-9.]+')"
    for source, line, byte in connection.execute(
        f"""SELECT source, arg_min(row_number, row_number), arg_min(byte_start, row_number)
        FROM (SELECT r.* FROM {_JOINED} WHERE {zoneless}) GROUP BY source ORDER BY source"""
    ).fetchall():
        problems.add("zone_assumed", names[source], line=line, byte=byte)


_JOINED = f"{ROWS} r JOIN shouhao_events_typed t ON t.source = r.source AND t.row_number = r.row_number"


def _tell_where(
    connection: "DuckDBPyConnection",
    problems: Problems,
    names: Mapping[int, str],
    rule: str,
    test: str,
    *,
    value: str,
    column: str,
) -> None:
    found = connection.execute(
        f"""SELECT r.source, r.row_number, r.byte_start, {value}, count(*) OVER () FROM {_JOINED} WHERE {test}
        ORDER BY r.source, r.row_number LIMIT {KEPT}"""
    ).fetchall()
    for n, (source, line, byte, seen, total) in enumerate(found):
        over = total - KEPT + 1 if n == KEPT - 1 else 1
        problems.add(rule, names[source], line=line, byte=byte, count=over, column=column, value=seen, at=seen)


def _name_the_nameless(connection: "DuckDBPyConnection") -> None:
    """An event without an id gets one made of what it says, so that the same row of two exports is one event."""
    text = ", ".join(f"coalesce(CAST({column} AS VARCHAR), chr(1))" for column in Event._fields)
    connection.execute(
        f"""UPDATE shouhao_events_typed SET event_id = named.event_id FROM (
            SELECT source, row_number,
                'row-' || said || '-' || row_number() OVER (PARTITION BY source, said ORDER BY row_number) AS event_id
            FROM (SELECT *, md5(concat_ws(chr(31), {text})) AS said FROM shouhao_events_typed WHERE event_id IS NULL)
        ) named
        WHERE named.source = shouhao_events_typed.source AND named.row_number = shouhao_events_typed.row_number"""
    )


def _tell_duplicates(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str]) -> int:
    """Report events that stand there again; how many."""
    text = ", ".join(f"coalesce(CAST({column} AS VARCHAR), chr(1))" for column in Event._fields)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE shouhao_events_again AS
        SELECT source, row_number, byte_start, event_id, said IS DISTINCT FROM first_said AS differs FROM (
            SELECT *, concat_ws(chr(31), {text}) AS said, first_value(said) OVER ids AS first_said,
                row_number() OVER ids AS nth
            FROM shouhao_events_typed WHERE event_id IN (
                SELECT event_id FROM shouhao_events_typed WHERE at_us IS NOT NULL AND kind IS NOT NULL
                GROUP BY event_id HAVING count(*) > 1
            ) AND at_us IS NOT NULL AND kind IS NOT NULL
            WINDOW ids AS (PARTITION BY event_id ORDER BY at_us, source, row_number)
        ) WHERE nth > 1"""
    )
    for rule, test in (("event_twice", "NOT differs"), ("event_differs", "differs")):
        found = connection.execute(
            f"""SELECT source, row_number, byte_start, event_id, count(*) OVER () FROM shouhao_events_again
            WHERE {test} ORDER BY source, row_number LIMIT {KEPT}"""
        ).fetchall()
        for n, (source, line, byte, event_id, total) in enumerate(found):
            over = total - KEPT + 1 if n == KEPT - 1 else 1
            problems.add(rule, names[source], line=line, byte=byte, count=over, event_id=event_id)
    return _number(connection, "shouhao_events_again")
