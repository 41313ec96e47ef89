"""Event problems: what is wrong in rows that were read, told by file, line and byte; and which events stand twice."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shouhao.detect.inputs.log_times import AHEAD_US
from shouhao.detect.inputs.problems import KEPT, Problems, stands_for
from shouhao.detect.inputs.sql import DATE_ALONE, EXCEL_SERIAL, is_missing, lacks_zone, literal
from shouhao.kernel.events import Event

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

IDS = (
    *("account_id", "patient_id", "payer_id", "device_id", "session_token", "department_id", "doctor_id"),
    *("session_id", "slot_id", "staff_id", "event_id"),
)
SHARED = (*IDS, "ip", "user_agent", "face_hash", "frame_hash")  #: texts by which rows are held to be of one hand
READ, AGAIN = "shouhao_events_read", "shouhao_events_again"
NUMBERED = ("released_at", "latency_ms")  #: texts of which numbers are made; without one a row is read all the same
_ONCE = ("booked", "cancelled", "paid", "refunded", "expired", "accepted", "checked_in", "no_show")  #: of one slot
#: All that a row says, as one text.
_SAID = f"concat_ws(chr(31), {', '.join(f'coalesce(CAST({column} AS VARCHAR), chr(1))' for column in Event._fields)})"


def number_of(connection: "DuckDBPyConnection", table: str) -> int:
    """How many rows a table has."""
    row: Any = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0])


def tell(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], now_us: int | None) -> None:
    """Report what is wrong, in single rows and in all of a file."""
    counted = ", ".join(f"count({column}_said)" for column in SHARED)
    many = connection.execute(f"SELECT {counted} FROM {READ}").fetchall()[0]
    said = [column for column, total in zip(SHARED, many, strict=True) if total]  # of most columns there is nothing
    _tell_rows(connection, problems, names, now_us, said)
    tests = [
        ("zone_assumed", "at", f"at_us IS NOT NULL AND {lacks_zone('at_said')}"),
        ("date_alone", "at", f"NOT contains(at_said, ':') AND regexp_full_match(at_said, {literal(DATE_ALONE)})"),
        *(("says_none", column, is_missing(f"{column}_said")) for column in (*NUMBERED, *said)),
    ]
    for rule, column, test in tests:
        _tell_once(connection, problems, names, rule, test, column=column)


def _tell_rows(
    connection: "DuckDBPyConnection",
    problems: Problems,
    names: Mapping[int, str],
    now_us: int | None,
    said: Sequence[str],
) -> None:
    serial = f"regexp_full_match(at_said, {literal(EXCEL_SERIAL)})"
    tests: list[tuple[str, str, str]] = [
        ("no_time", "at", "at_said IS NULL AND at_us IS NULL"),
        ("excel_serial_date", "at", serial),
        ("time_unreadable", "at", f"at_said IS NOT NULL AND at_us IS NULL AND NOT {serial}"),
        ("no_kind", "kind", "kind IS NULL"),
        ("unknown_kind", "kind", "kind_said IS NOT NULL"),
        *(
            ("value_unreadable", column, f"{column}_said IS NOT NULL AND NOT ({is_missing(f'{column}_said')})")
            for column in NUMBERED
        ),
    ]
    if now_us is not None:
        tests.append(("time_ahead", "at", f"at_us > {now_us + AHEAD_US}"))
    tests += [("digits_lost", column, f"contains({column}_said, '+')") for column in said]
    counted = ", ".join(f"count(*) FILTER (WHERE {test})" for _, _, test in tests)
    counts = connection.execute(f"SELECT {counted} FROM {READ}").fetchall()[0]
    for (rule, column, test), total in zip(tests, counts, strict=True):
        if total:
            _tell_where(connection, problems, names, rule, test, column=column)


def _tell_once(
    connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], rule: str, test: str, *, column: str
) -> None:
    """What is the same in many rows of a file, by the first of them."""
    for number, line, byte, seen, total in connection.execute(
        f"""SELECT number, min(row_number), arg_min(byte_start, row_number), arg_min({column}_said, row_number),
            count(*)
        FROM {READ} WHERE {column}_said IS NOT NULL AND {test} GROUP BY number ORDER BY number"""
    ).fetchall():
        problems.add(rule, names[number], line=line, byte=byte, column=column, value=seen, rows=total)


def _tell_where(
    connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str], rule: str, test: str, *, column: str
) -> None:
    found = connection.execute(
        f"""SELECT number, row_number, byte_start, {column}_said, count(*) OVER () FROM {READ} WHERE {test}
        ORDER BY number, row_number LIMIT {KEPT}"""
    ).fetchall()
    for n, (number, line, byte, seen, total) in enumerate(found):
        count = stands_for(n, total)
        problems.add(rule, names[number], line=line, byte=byte, count=count, column=column, value=seen, at=seen)


def name_the_nameless(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str]) -> None:
    """An event without an id gets one made of what it says, so that the same row of two exports is one event.

    Two rows of one file that say the same are two events, unless nobody could do twice at once what they tell.
    """
    once = f"slot_id IS NOT NULL AND kind IN ({', '.join(literal(kind) for kind in _ONCE)})"
    named = connection.execute(
        f"""UPDATE {READ} SET event_id = named.event_id FROM (
            SELECT number, row_number, 'row-' || said || '-' || CASE WHEN {once} THEN 1
                ELSE row_number() OVER (PARTITION BY number, said ORDER BY row_number) END AS event_id
            FROM (SELECT *, md5({_SAID}) AS said FROM {READ} WHERE event_id IS NULL)
        ) named
        WHERE named.number = {READ}.number AND named.row_number = {READ}.row_number"""
    ).fetchone()
    if named is None or not named[0]:
        return
    for number, line, byte, total in connection.execute(
        f"""SELECT number, min(row_number), arg_min(byte_start, row_number), count(*) FROM {READ}
        WHERE starts_with(event_id, 'row-') AND NOT ends_with(event_id, '-1') AND at_us IS NOT NULL AND kind IS NOT NULL
        GROUP BY number ORDER BY number"""
    ).fetchall():
        problems.add("rows_alike", names[number], line=line, byte=byte, rows=total)


def tell_duplicates(connection: "DuckDBPyConnection", problems: Problems, names: Mapping[int, str]) -> int:
    """Report events that stand there again; how many."""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE {AGAIN} AS
        SELECT number, row_number, byte_start, event_id, said IS DISTINCT FROM first_said AS differs FROM (
            SELECT *, {_SAID} AS said, first_value(said) OVER ids AS first_said,
                row_number() OVER ids AS nth
            FROM {READ} WHERE event_id IN (
                SELECT event_id FROM {READ} WHERE at_us IS NOT NULL AND kind IS NOT NULL
                GROUP BY event_id HAVING count(*) > 1
            ) AND at_us IS NOT NULL AND kind IS NOT NULL
            WINDOW ids AS (PARTITION BY event_id ORDER BY at_us, number, row_number)
        ) WHERE nth > 1"""
    )
    for rule, test in (("event_twice", "NOT differs"), ("event_differs", "differs")):
        found = connection.execute(
            f"""SELECT number, row_number, byte_start, event_id, count(*) OVER () FROM {AGAIN}
            WHERE {test} ORDER BY number, row_number LIMIT {KEPT}"""
        ).fetchall()
        for n, (number, line, byte, event_id, total) in enumerate(found):
            count = stands_for(n, total)
            problems.add(rule, names[number], line=line, byte=byte, count=count, event_id=event_id)
    return number_of(connection, AGAIN)
