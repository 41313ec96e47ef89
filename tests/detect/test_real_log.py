"""A log that nginx 1.22 wrote for real clients, its addresses alone moved into the ranges kept for documentation.

Ninety people with session cookies and one script that asked four times a second, under a format of the site's own.
"""

import gzip
import json
import subprocess
from pathlib import Path

import pytest

from detect.test_bad_input import run

LOGS = Path(__file__).parent / "logs"
FORMAT = f"{LOGS / 'nginx.conf'}:desk"
SCRIPT = "198.51.100.66"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole log, analysed."""
    out = tmp_path_factory.mktemp("real")
    return run(out / "out", "--access-log", str(LOGS / "nginx-desk.log"), "--log-format", FORMAT)


def test_every_line_is_read_whatever_clients_sent(whole):
    assert whole.status == 0
    assert whole.problems() == []
    assert whole.summary["hits"] == len((LOGS / "nginx-desk.log").read_bytes().splitlines())


def test_the_script_is_found_and_nobody_else(whole):
    (found,) = whole.lines("findings.jsonl")
    assert found["subject"] == {"kind": "ip", "id": SCRIPT}
    assert found["level"] == "lead"  # an address alone convicts nobody


def test_what_dd_cuts_out_is_what_the_finding_says(whole):
    (found,) = whole.lines("findings.jsonl")
    for reason in found["reasons"]:
        lines = []
        for place in reason["evidence"]:
            start, count = place["byte_start"], place["byte_end"] - place["byte_start"]
            cut = ["dd", f"if={LOGS / place['file']}", "bs=1", f"skip={start}", f"count={count}", "status=none"]
            lines += subprocess.run(cut, capture_output=True, check=True).stdout.splitlines()
        assert len(lines) == reason["evidence_total"]
        assert all(line.startswith(f"{SCRIPT} ".encode()) and line.endswith(b'"') for line in lines)
    burst = next(one for one in found["reasons"] if one["code"] == "bursts.in_a_minute")
    assert burst["measured"] == burst["evidence_total"]


def test_rotated_in_two_and_given_in_either_order_it_says_the_same(whole, tmp_path):
    lines = (LOGS / "nginx-desk.log").read_bytes().splitlines(keepends=True)
    older, newer = tmp_path / "desk.log.1.gz", tmp_path / "desk.log"
    older.write_bytes(gzip.compress(b"".join(lines[:400]), mtime=0))
    newer.write_bytes(b"".join(lines[400:]))
    told = []
    for n, order in enumerate(((older, newer), (newer, older))):
        logs = [part for path in order for part in ("--access-log", str(path))]
        told.append((run(tmp_path / str(n), *logs, "--log-format", FORMAT).out / "findings.jsonl").read_bytes())
    assert told[0] == told[1]
    (one,), (other,) = whole.lines("findings.jsonl"), map(json.loads, told[0].splitlines())
    assert [(r["code"], r["measured"], r["weight"]) for r in other["reasons"]] == [
        (r["code"], r["measured"], r["weight"]) for r in one["reasons"]
    ]
