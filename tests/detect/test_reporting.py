"""Reporting: what was lost is counted by file, and a doctor's next release is foretold."""

import duckdb
import pytest

from detect.people import DAY_US, SECOND_US, release_us
from shouhao.detect.inputs.problems import KEPT, Problems
from shouhao.detect.inputs.read import read_inputs
from shouhao.detect.reporting import report_of
from shouhao.detect.run import analyze, tables_of
from shouhao.kernel.clock import iso

HEADING = "event_id,at,kind,doctor_id,session_id,slot_id,released_at,account_id"


def test_problems_are_grouped_by_file_and_rule_and_the_first_in_the_file_is_told():
    problems = Problems()
    for n in range(KEPT + 50, 0, -1):
        problems.add("not_the_form", "b.log", line=n, byte=n * 100)
    problems.add("gb18030", "a.log", line=3, byte=70, count=9)
    problems.add("stopped", "b.log", byte=9_999_999, at=9_999_999, why_zh="", why_en="")
    told = [(one.first.file, one.first.rule, one.first.line, one.count) for one in problems.groups]
    assert told == [
        ("a.log", "gb18030", 3, 9),
        ("b.log", "not_the_form", 1, KEPT + 50),
        ("b.log", "stopped", None, 1),
    ]
    assert problems.lines_lost("b.log") == KEPT + 50
    assert problems.lines_lost("a.log") == 0


@pytest.fixture
def report(tmp_path):
    """Six weeks of one doctor whose slots are gone in two seconds, and one line that is too short."""
    rows = [HEADING, "short,row"]
    for week in range(6):
        released = release_us(0) + week * 7 * DAY_US
        for n in range(10):
            at, by = iso(released + (n + 1) * SECOND_US // 5), iso(released)
            rows.append(f"e{week}-{n},{at},booked,dr1,s{week},s{week}-{n},{by},a{week}-{n}")
    path = tmp_path / "events.csv"
    path.write_text("\n".join(rows) + "\n")
    with duckdb.connect() as connection:
        inputs = read_inputs(connection, events=[path])
        tables = tables_of(connection)
        return report_of(inputs, tables, analyze(tables, inputs.sources), command=(), made_at="")


def test_a_session_that_went_at_once_says_what_to_expect_of_the_next(report):
    forecast = report.hot_sessions[0].forecast
    assert forecast is not None
    assert forecast.releases == 6
    assert forecast.low_s < forecast.middle_s < forecast.high_s
    assert forecast.middle_s == pytest.approx(2.0, rel=0.1)


def test_only_what_was_lost_is_set_aside(report):
    assert [(one.rows, one.set_aside) for one in report.sources] == [(60, 1)]
