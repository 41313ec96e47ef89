"""Nightly runs with a state find what one run over all the files finds, to the byte, whatever came when and however."""

import csv
import gzip
import io
import os
import random
import signal
import subprocess
import sys
import time

import duckdb
import msgspec
import pytest

from detect.inputs.made_up_lines import START_US, at, time_local
from shouhao.detect.inputs.read import read_inputs
from shouhao.detect.run import analyze, tables_of
from shouhao.detect.state.inputs import read_into_state
from shouhao.detect.state.kept import FILE_NAME, attached, kept_files
from shouhao.kernel.clock import DAY_US, iso
from shouhao.kernel.errors import InvalidInput, Unavailable

FORMAT = '$remote_addr [$time_local] "$request" $status "$cookie_session" "$cookie_account" "$http_user_agent"'
NOW_US = START_US + 10 * DAY_US
DAY_S = 86_400
HONEST, SCRIPTS = 70, 3


def line(seconds, ip, session, account="-"):
    return f'{ip} [{time_local(at(seconds))}] "GET /api/slots HTTP/1.1" 200 "{session}" "{account}" "UA {ip}"'


def day_of_lines(day):
    """Honest people who look a few times, and scripts that ask three times a second for two minutes and more."""
    chance = random.Random(day)  # noqa: S311 - the same day each time
    told = []
    for n in range(HONEST):
        start = chance.random() * 40_000
        told += [(start + k * chance.uniform(5, 60), f"10.0.{day}.{n}", f"s{day}-{n}") for k in range(12)]
    for n in range(SCRIPTS):
        start = 1_000 * n
        told += [(start + k / 3, f"10.9.9.{n}", f"x{day}-{n}") for k in range(500 + 100 * day)]
    return [line(day * DAY_S + s, ip, session) for s, ip, session in sorted(told)]


def day_of_events(day, *, more=()):
    columns = ["event_id", "at", "kind", "account_id", "session_token", "ip"]
    rows = [
        {
            "event_id": f"e{day}-{n}",
            "at": iso(at(day * DAY_S + 100 * n)),
            "kind": "booked",
            "account_id": f"a{n}",
            "session_token": f"s{day}-{n}",
            "ip": f"10.0.{day}.{n}",
        }
        for n in range(HONEST)
    ]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows([*rows, *more])
    return out.getvalue().encode()


def scripts_named_later(day, of):
    """Events of a day that say whose the sessions of an earlier day's scripts were."""
    return [
        {
            "event_id": f"late{day}-{n}",
            "at": iso(at(day * DAY_S + n)),
            "kind": "logged_in",
            "account_id": f"scalper{n}",
            "session_token": f"x{of}-{n}",
            "ip": f"10.9.9.{n}",
        }
        for n in range(SCRIPTS)
    ]


@pytest.fixture
def write(tmp_path):
    def _write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else "".join(f"{one}\n" for one in content).encode())
        return path

    return _write


@pytest.fixture
def days(write):
    """Three nights of files; each log begins with the last hour of the one before, as careless rotation leaves it."""
    lines = [day_of_lines(n) for n in range(3)]
    logs = [write(f"day{n}/access.log", (lines[n - 1][-300:] if n else []) + lines[n]) for n in range(3)]
    more = [(), scripts_named_later(1, 0), scripts_named_later(2, 1)]
    events = [write(f"day{n}/events.csv", day_of_events(n, more=more[n])) for n in range(3)]
    return logs, events


def findings_of(connection, inputs):
    analysis = analyze(tables_of(connection), inputs.sources)
    return msgspec.json.Encoder().encode_lines(analysis.findings)


def rows_of(connection, inputs):
    """All that findings are made of: each row, with the name of its file, and the files themselves."""
    names = {source.number: source.name for source in inputs.sources}
    rows = [
        sorted(((names.get(row["source"]), row["byte_start"], repr({**row, "source": 0})) for row in table), key=repr)
        for name in ("hits", "events")
        for table in (connection.sql(f"SELECT * FROM main.{name}").to_arrow_table().to_pylist(),)
    ]
    return rows, [(source.number, source.name, source.sha256) for source in inputs.sources], inputs.skews


def at_once(logs, events, *, what=rows_of):
    with duckdb.connect() as connection:
        inputs = read_inputs(connection, access_logs=logs, events=events, log_format=FORMAT, now_us=NOW_US)
        return what(connection, inputs)


def night(folder, logs=(), events=(), *, what=rows_of, **options):
    """One run of one night: what it has to find something in, and what it read."""
    options = {"log_format": FORMAT, "now_us": NOW_US, **options}
    with duckdb.connect() as connection:
        inputs = read_into_state(connection, folder, access_logs=logs, events=events, **options)
        return what(connection, inputs), inputs


def test_nights_one_after_the_other_find_what_one_run_over_all_finds(days, tmp_path):
    logs, events = days
    whole = at_once(logs, events, what=findings_of)
    assert b"scalper0" in whole  # whose the lines of the first night were is only told on the second
    for n in range(2):
        night(tmp_path / "state", [logs[n]], [events[n]])
    found, inputs = night(tmp_path / "state", [logs[2]], [events[2]], what=findings_of)
    assert found == whole
    assert inputs.hits.counted_once == 600


def test_nights_one_after_the_other_have_the_rows_of_one_run_over_all(days, tmp_path):
    logs, events = days
    whole = at_once(logs, events)
    for n in range(3):
        found, inputs = night(tmp_path / "state", [logs[n]], [events[n]])
    assert found == whole
    assert inputs.hits.counted_once == 600
    assert night(tmp_path / "together", logs, events)[0] == whole


def test_the_order_of_files_and_nights_changes_nothing(days, tmp_path):
    logs, events = days
    whole = at_once(logs, events)
    for order in ((2, 0, 1), (1, 2, 0)):
        for n in order:
            found, _ = night(tmp_path / f"state{order}", [logs[n]], [events[n]])
        assert found == whole
    night(tmp_path / "parted", [], [events[2], events[0]])
    night(tmp_path / "parted", logs[::-1], [])
    assert night(tmp_path / "parted", [], [events[1]])[0] == whole


def test_a_night_without_new_files_reads_nothing_and_finds_the_same(days, tmp_path):
    logs, events = days
    before, _ = night(tmp_path / "state", logs, events)
    again, inputs = night(tmp_path / "state", logs, events)
    nothing, _ = night(tmp_path / "state")
    assert again == nothing == before
    assert inputs.hits.line_count == 0


def test_a_log_that_grew_and_was_rotated_and_packed_goes_on_where_it_was_left(days, tmp_path, write):
    logs, events = days
    text = logs[1].read_bytes()
    cut = text.index(b"\n", 60_000) - 40  # within a line, as a log that is being written to ends
    log = write("www/access.log", text[:cut])
    state = tmp_path / "state"
    _, first = night(state, [log], events)
    log.unlink()
    packed = write("www/access.log.1.gz", gzip.compress(text))
    fresh = write("www/access.log", logs[2].read_bytes())
    found, second = night(state, [packed, fresh], events)
    assert found == at_once([packed, fresh], events)
    read_before = text[:cut].count(b"\n")
    assert second.hits.line_count == text.count(b"\n") - read_before + fresh.read_bytes().count(b"\n")
    assert first.hits.line_count == read_before + 1


def test_a_part_of_a_known_log_adds_nothing(days, tmp_path, write):
    logs, events = days
    part = write("part.log", b"".join(logs[0].read_bytes().splitlines(keepends=True)[:500]))
    whole, _ = night(tmp_path / "state", [logs[0]], events)
    found, inputs = night(tmp_path / "state", [part], [])
    assert found == whole
    assert [source.name for source in inputs.sources if source.kind == "access_log"] == ["access.log"]


def test_an_export_that_grew_takes_the_place_of_the_shorter_one(tmp_path, days, write):
    logs, _ = days
    told = write("events.csv", day_of_events(0))
    night(tmp_path / "state", [logs[0]], [told])
    told.write_bytes(told.read_bytes() + b"".join(day_of_events(1).splitlines(keepends=True)[1:]))
    found, inputs = night(tmp_path / "state", [], [told])
    assert found == at_once([logs[0]], [told])
    assert inputs.events.event_count == 2 * HONEST


def test_what_is_too_old_is_forgotten_and_one_wrong_clock_empties_nothing(days, tmp_path, write):
    logs, events = days
    wrong = write("wrong.log", [line(4_000 * DAY_S, "1.2.3.4", "s")])
    for n in range(3):
        found, inputs = night(tmp_path / "state", [logs[n], wrong], [events[n]], keep_days=2)
    first = min(int(row[0]) for row in _rows(tmp_path / "state", "SELECT min(at_us) FROM kept.read_hits"))
    assert first >= max(row[0] for row in _rows(tmp_path / "state", "SELECT newest_us FROM kept.about")) - 2 * DAY_US
    assert "1.2.3.4" not in repr(found)
    assert inputs.hits.hit_count > 1_000
    known = len(inputs.sources)
    _, inputs = night(tmp_path / "state", [logs[0]], [events[0]], keep_days=2)
    assert (inputs.hits.line_count, len(inputs.sources)) == (0, known)


def _rows(folder, query):
    with duckdb.connect() as connection, attached(connection, folder):
        return connection.execute(query).fetchall()


def test_a_state_that_is_none_or_in_use_is_refused(tmp_path, days):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / FILE_NAME).write_bytes(b"not a database" * 1_000)
    with pytest.raises(InvalidInput):
        night(tmp_path / "bad", days[0])
    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(tmp_path / "busy")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Unavailable):
            night(tmp_path / "busy", days[0])
    finally:
        holder.kill()
        holder.communicate()


_HOLD = """
import sys, duckdb
from pathlib import Path
from shouhao.detect.state.kept import attached
with duckdb.connect() as connection, attached(connection, Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    import time
    time.sleep(60)
"""


def test_a_run_that_is_killed_leaves_a_state_that_the_next_run_completes(days, tmp_path):
    logs, events = days
    whole = at_once(logs, events)
    files_seen = set()
    for n, wait_s in enumerate((0.0, 0.05, 0.15, 0.3)):
        folder = tmp_path / f"state{n}"
        command = [sys.executable, "-m", "shouhao.cli.main", "analyze", "--state", str(folder), "--out", str(folder)]
        command += [arg for log in logs for arg in ("--access-log", str(log))]
        command += [arg for one in events for arg in ("--events", str(one))]
        run = subprocess.Popen([*command, "--log-format", FORMAT], stdout=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (folder / FILE_NAME).exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(wait_s)  # the moment of the kill is what is varied here
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        with duckdb.connect() as connection, attached(connection, folder):
            files_seen.add(len(kept_files(connection)))
        assert night(folder, logs, events)[0] == whole
    assert min(files_seen) < 6, "no run was killed before it had taken all files"
