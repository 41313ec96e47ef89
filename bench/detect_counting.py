"""Counting: what bursts and hammering cost on millions of hits that are already in a table.

A made-up day: visits of a few minutes, half of the requests for files that come along with a page, a Wi-Fi shared by
many, and some scripts. Once as a combined log tells it, with addresses alone, and once with session, device and account
on every line. Reading the log is measured elsewhere.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis

from bench.harness import Figure
from shouhao.detect.counting import per_minute
from shouhao.detect.model import HIT_COLUMNS, Tables
from shouhao.detect.rules.bursts import Bursts
from shouhao.detect.rules.hammering import Hammering

THREADS = 2
FLOOR_IS = "DuckDB: count by address and minute"

_DAY_US = 1_792_339_200_000_000
_MADE = """
CREATE TABLE {name} AS SELECT
  0::INTEGER AS source, n * 100 AS byte_start, n * 100 + 99 AS byte_end, at_us,
  CASE WHEN script THEN '198.51.100.' || who % 50
       WHEN who % 10 = 0 THEN '203.0.113.9'
       ELSE '10.' || who % 50 || '.' || who % 211 || '.' || who % 230 END AS ip,
  'GET' AS method,
  CASE WHEN NOT script AND n % 2 = 0 THEN '/static/app.' || n % 40 || '.js?v=3'
       ELSE '/api/doctors/' || n % 300 || '/slots?_=' || n END AS path,
  200::INTEGER AS status, 900::BIGINT AS bytes,
  'Mozilla/5.0 (Linux; Android 13; M' || who % 3000 || ') MicroMessenger/8.0' AS user_agent,
  CASE WHEN {named} THEN 'd' || who END AS device_id,
  CASE WHEN {named} THEN 's' || who || '-' || visit END AS session_token,
  CASE WHEN {named} THEN 'a' || who END AS account_id,
  NULL::DOUBLE AS latency_ms
FROM (
  SELECT n, script, visit, who,
    {day} + CASE WHEN script THEN hash(n) % 86400000000
                 ELSE hash(who * 7 + visit) % 86000000000 + hash(n) % 240000000 END::BIGINT AS at_us
  FROM (
    SELECT n, hash(n * 3) % 20 = 0 AS script, hash(n * 5) % 3 AS visit,
      CASE WHEN hash(n * 3) % 20 = 0 THEN hash(n * 11) % 200 ELSE 1000 + hash(n * 13) % ({rows} // 35) END AS who
    FROM range({rows}) AS made(n)
  )
)
"""


def counting_figures(rows: int) -> Sequence[Figure]:
    """Rows a second of both detectors together, without and with identities on the lines."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET threads = {THREADS}")
    return [_figure(connection, f"counting_{name}", name == "named", rows) for name in ("combined", "named")]


def _figure(connection: Any, name: str, named: bool, rows: int) -> Figure:
    connection.raw_sql(_MADE.format(name=name, named=named, rows=rows, day=_DAY_US))
    connection.raw_sql(f"CREATE TABLE {name}_events AS SELECT NULL::VARCHAR AS event_id LIMIT 0")
    hits = connection.table(name)
    has = frozenset(f"hits.{c}" for c in HIT_COLUMNS if named or c not in {"device_id", "session_token", "account_id"})
    tables = Tables(hits=hits, events=connection.table(f"{name}_events"), has=has)
    notes: dict[str, list[float]] = {"per_minute_s": [], "bursts_s": [], "hammering_s": [], "suspicions": []}

    def measure() -> float:
        started = time.perf_counter()
        connection.raw_sql("DROP TABLE IF EXISTS per_minute")
        ready = replace(tables, per_minute=connection.create_table("per_minute", per_minute(tables, "hits")))
        notes["per_minute_s"].append(time.perf_counter() - started)
        told = 0
        for note, detector in (("bursts_s", Bursts()), ("hammering_s", Hammering())):
            before = time.perf_counter()
            counted = {key: one.to_pyarrow() for key, one in detector.count(ready).items()}
            told += len(list(detector.judge(counted)))
            notes[note].append(time.perf_counter() - before)
        notes["suspicions"].append(told)
        return rows / (time.perf_counter() - started)

    def floor() -> float:
        started = time.perf_counter()
        connection.raw_sql(
            f"SELECT count(*) FROM (SELECT ip, at_us // 60000000 AS m, count(*) FROM {name} GROUP BY 1, 2)"
        ).fetchall()
        return rows / (time.perf_counter() - started)

    return Figure(name=name, unit="rows/s", measure=measure, floor=floor, floor_is=FLOOR_IS, reach=0.2, notes=notes)
