"""Bad input through the command: each thing is told by file, line and byte, and the good part is analysed."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from shouhao.detect.report.saying import words

FORMAT = '$remote_addr - - [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" "$http_x_forwarded_for"'
START = datetime(2026, 10, 20, 6, 59, tzinfo=UTC)
LONG_BYTES = 200 << 20
SCRIPT = "192.0.2.66"


@dataclass(frozen=True)
class Ran:
    """What came of one run."""

    status: int
    out: Path
    summary: dict[str, Any]
    most_kb: int  #: of memory

    def problems(self) -> list[tuple[str, str, int | None, int | None]]:
        """Rule, file, line and byte of each."""
        return [(one["rule"], one["file"], one["line"], one["byte"]) for one in self.lines("problems.jsonl")]

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / name).read_bytes().splitlines()]


def run(out: Path, *given: str) -> Ran:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "shouhao.cli.main", "analyze", "--out", str(out), "--json", *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Ran(status=process.returncode, out=out, summary=json.loads(told), most_kb=usage.ru_maxrss)


def line(after_s: float, *, ip: str = SCRIPT, agent: str = "curl/8", forwarded: str = "-") -> bytes:
    at = (START + timedelta(seconds=after_s)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{ip} - - [{at}] "GET /api/slots HTTP/1.1" 200 512 "{agent}" "{forwarded}"'.encode()


def place(lines: Sequence[bytes], n: int) -> tuple[int, int]:
    """Line number and first byte of the line at an index."""
    return n + 1, sum(len(one) + 1 for one in lines[:n])


@dataclass(frozen=True)
class Day:
    """What was given, and what came of it."""

    folder: Path
    lines: list[bytes]
    rows: list[bytes]
    given: list[str]
    ran: Ran


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Day:
    """A script's log with everything in it that goes wrong, a rotated half of it cut off, and an export of bookings."""
    folder = tmp_path_factory.mktemp("bad")
    lines = [line(n * 0.25, forwarded=f"198.51.100.{n % 250}, 127.0.0.1") for n in range(240)]
    lines[10:10] = [
        b"not a line of any log",
        line(2, agent="微信").decode().encode("gb18030"),
        line(-3_600, ip="2001:db8::1"),
        line(10 * 365 * 86_400, ip="2001:db8:0:0::2"),
    ]
    (folder / "access.log").write_bytes(b"\n".join(lines) + b"\n")
    older = gzip.compress(b"\n".join(line(-7_200 + n, ip=f"192.0.2.{n % 200}") for n in range(4_000)) + b"\n")
    (folder / "access.log.1.gz").write_bytes(older[: len(older) // 2])
    rows = [
        b"event_id,at,kind,account_id,device_id",
        b"e1,2026-10-20T15:00:00+08:00,booked,=cmd|' /C calc'!A0,d1",
        b"e2,2026-10-20T15:00:01+08:00,booked",
        b"e1,2026-10-20T15:00:00+08:00,booked,=cmd|' /C calc'!A0,d1",
        b"e1,2026-10-20T15:00:09+08:00,booked,another,d1",
        b"e5,yesterday,booked,@SUM(1),d1",
        b"e6,2026-10-20T15:00:02+08:00,booked,+1-1,-2+3",
    ]
    (folder / "events.csv").write_bytes(b"\r\n".join(rows) + b"\r\n")
    logs = ["--access-log", str(folder / "access.log"), "--access-log", str(folder / "access.log.1.gz")]
    given = [*logs, "--log-format", FORMAT, "--events", str(folder / "events.csv")]
    return Day(folder=folder, lines=lines, rows=rows, given=given, ran=run(folder / "out", *given))


def test_each_thing_is_told_by_file_line_and_byte(day):
    assert day.ran.status == 1
    problems = day.ran.problems()
    for n, rule in ((10, "not_the_form"), (11, "gb18030"), (12, "time_backwards"), (13, "time_ahead")):
        assert (rule, "access.log", *place(day.lines, n)) in problems
    starts = [sum(len(one) + 2 for one in day.rows[:n]) for n in range(len(day.rows))]
    for n, rule in ((2, "too_few_columns"), (3, "event_twice"), (4, "event_differs"), (5, "time_unreadable")):
        assert (rule, "events.csv", n + 1, starts[n]) in problems
    assert [file for rule, file, _, _ in problems if rule in {"stopped", "cut_line"}] == ["access.log.1.gz"] * 2


def test_the_good_part_is_analysed_and_cited_to_the_byte(day):
    assert day.ran.summary["events"] == 2
    assert day.ran.summary["hits"] > 243
    (script,) = [one for one in day.ran.lines("findings.jsonl") if one["subject"] == {"kind": "ip", "id": SCRIPT}]
    assert set(script["input_sha256"]) == {"access.log", "access.log.1.gz", "events.csv"}
    (burst,) = [one for one in script["reasons"] if one["code"] == "bursts.in_a_minute"]
    whole = (day.folder / "access.log").read_bytes()
    cited = [one for at in burst["evidence"] for one in whole[at["byte_start"] : at["byte_end"]].split(b"\n")]
    assert burst["evidence_total"] == len(cited)
    assert all(one.startswith(SCRIPT.encode() + b" - - [") and one.endswith(b'"') for one in cited)


def test_the_report_counts_what_was_lost_and_not_what_was_merely_odd(day):
    page = (day.ran.out / "report.html").read_text()
    assert words("verdict.set_aside", count="5").zh in page  # one line of each log, three of the events
    assert words("verdict.not_whole", count="1").zh in page
    assert "<script" not in page
    ET.parse(day.ran.out / "rings.graphml")  # noqa: S314 - our own


def test_files_in_another_order_give_the_same_bytes(day, tmp_path):
    turned = [*day.given[2:4], *day.given[:2], *day.given[4:]]
    other = run(tmp_path / "other", *turned)
    for name in ("findings.jsonl", "problems.jsonl", "rings.graphml"):
        assert (other.out / name).read_bytes() == (day.ran.out / name).read_bytes()


def test_whom_a_client_claims_to_be_forwarded_for_is_not_believed(tmp_path):
    lines = [line(n * 0.25, forwarded=f"198.51.100.{n % 250}") for n in range(240)]
    (tmp_path / "access.log").write_bytes(b"\n".join(lines))
    ran = run(tmp_path / "out", "--access-log", str(tmp_path / "access.log"), "--log-format", FORMAT)
    assert ran.status == 0
    assert [one["subject"]["id"] for one in ran.lines("findings.jsonl")] == [SCRIPT]


def test_a_line_of_200_mb_is_passed_over_in_bounded_memory(tmp_path):
    lines = [line(n * 0.25) for n in range(240)]
    good = b"\n".join(lines) + b"\n"
    small, large = tmp_path / "small.log", tmp_path / "large.log"
    small.write_bytes(good)
    with large.open("wb") as file:
        file.write(good)
        for _ in range(LONG_BYTES >> 20):
            file.write(b"x" * (1 << 20))
    plain = run(tmp_path / "plain", "--access-log", str(small), "--log-format", FORMAT)
    ran = run(tmp_path / "out", "--access-log", str(large), "--log-format", FORMAT)
    assert (plain.status, ran.status) == (0, 1)
    assert ran.problems() == [("line_too_long", "large.log", 241, len(good))]
    assert ran.summary["hits"] == 240
    assert ran.summary["findings"] == plain.summary["findings"]
    assert ran.most_kb - plain.most_kb < (LONG_BYTES >> 10) // 2
