"""Overlaps: what two files of one log have in common is counted once, and nothing else is."""

import gzip
import random
from collections import Counter
from itertools import permutations

import pytest

from detect.inputs.made_up_lines import combined
from shouhao.detect.inputs.read import read_inputs
from shouhao.kernel.errors import InvalidInput


@pytest.fixture
def counted(connection, rows, write):
    """How often each line is counted when files of some lines are read, in any order of the files."""

    def _counted(**files):
        paths = [write(f"{name}.log", content) for name, content in files.items()]
        seen = []
        for order in list(permutations(paths))[:6]:
            inputs = read_inputs(connection, access_logs=order)
            hits = rows("SELECT source, byte_start, byte_end FROM hits ORDER BY source, byte_start")
            lines = Counter(inputs.bytes_of(h["source"], h["byte_start"], h["byte_end"]).decode() for h in hits)
            assert inputs.hits.hit_count == len(hits)
            seen.append((lines, hits, list(inputs.problems), inputs.overlaps, inputs.sources))
        assert all(one == seen[0] for one in seen)
        _counted.problems = seen[0][2]
        _counted.overlaps = seen[0][3]
        return seen[0][0]

    return _counted


def many(count, *, seed=0, step_s=0.4, start_s=0):
    """Lines of different clients, some alike, in the order of time."""
    chance = random.Random(seed)  # noqa: S311 - a test wants the same lines each time
    return [
        combined(
            start_s + n * step_s, ip=f"10.0.{chance.randrange(20)}.{chance.randrange(20)}", size=chance.randrange(9)
        )
        for n in range(count)
    ]


def test_a_copy_is_counted_once(counted):
    lines = [*many(1) * 3, *many(300)]
    assert counted(a=lines, b=lines) == Counter(lines)
    assert [(one.lines, one.one_log) for one in counted.overlaps] == [(303, True)]
    (problem,) = counted.problems
    assert (problem.rule, problem.file) == ("overlap", "b.log")
    assert "303 lines are those of a.log" in problem.en


def test_a_rotated_log_and_its_compressed_copy_are_one(connection, write):
    lines = many(300)
    text = "".join(f"{line}\n" for line in lines).encode()
    paths = [write("zzz.log", text), write("access.log.1.gz", gzip.compress(text))]
    inputs = read_inputs(connection, access_logs=paths)
    assert (inputs.hits.line_count, inputs.hits.hit_count, inputs.hits.counted_once) == (600, 300, 300)
    (source,) = connection.execute("SELECT DISTINCT source FROM hits").fetchone()
    assert inputs.sources[source].name == "zzz.log"  # cited is what `dd` cuts from, whatever its name


def test_ends_that_overlap_are_counted_once(counted):
    lines = many(400)
    assert counted(a=lines[:250], b=lines[180:]) == Counter(lines)
    assert counted(a=lines[:6], b=lines[3:9]) == Counter(lines[:9])
    assert counted(a=lines[:200], b=lines[150:300], c=lines[250:]) == Counter(lines)


def test_a_merged_log_holds_both_it_is_made_of(counted):
    one, two = many(300, seed=1), many(300, seed=2)
    merged = [line for pair in zip(one, two, strict=True) for line in pair]
    assert counted(a=one, b=two, c=merged) == Counter(merged)
    assert counted(a=merged, b=one, c=two) == Counter(merged)


def test_two_equal_lines_in_one_file_are_two_requests(counted):
    lines = [line for line in many(100) for _ in range(2)]
    assert counted(a=lines) == Counter(lines)
    assert counted(a=lines, b=lines[50:]) == Counter(lines)


def test_equal_lines_of_two_servers_are_two_requests(counted):
    """A script that is spread over two servers leaves the same line on both in the same second."""
    script = [combined(n, ip="6.6.6.6") for n in range(0, 100, 4)]
    one, two = (sorted([*many(300, seed=n), *script], key=lambda line: line.split("[")[1]) for n in (1, 2))
    assert counted(a=one, b=two) == Counter(one) + Counter(two)
    assert [(one.lines, one.one_log) for one in counted.overlaps] == [(25, False)]
    assert [p.rule for p in counted.problems] == ["equal_lines"]


def test_a_burst_that_rotation_cut_keeps_all_its_requests(counted):
    """Rotated in the middle of a second full of equal requests: the files meet, and do not overlap."""
    burst = [combined(100, ip="6.6.6.6")] * 50
    before, after = many(100), many(100, start_s=100.5)
    files = {"a": [*before, *burst[:30]], "b": [*burst[30:], *after]}
    assert counted(**files) == Counter([*before, *burst, *after])


def test_rotation_within_a_second_takes_nothing_away(counted):
    lines = many(400, step_s=0.05)
    for cut in (7, 100, 399):
        assert counted(a=lines[:cut], b=lines[cut:]) == Counter(lines)


def test_what_stands_between_the_lines_does_not_matter(counted):
    """Other line ends, and lines without the form, in one of the copies."""
    lines = many(100)
    broken = "\r\n".join(["garbage", *lines[:50], "more garbage", *lines[50:]]).encode()
    assert counted(a=lines, b=broken) == Counter(lines)


def test_lines_that_merely_hash_alike_are_kept(counted, monkeypatch):
    monkeypatch.setattr(
        "shouhao.detect.inputs.overlaps._hashes",
        lambda _, texts: __import__("numpy").array([len(text) for text in texts.to_pylist()], "uint64"),
    )
    one = [combined(n, ip="1.2.3.4", ua="x" * n) for n in range(50)]
    two = [combined(n, ip="4.3.2.1", ua="x" * n) for n in range(50)]
    assert counted(a=one, b=two) == Counter(one) + Counter(two)


def test_nothing_given_is_refused(connection):
    with pytest.raises(InvalidInput):
        read_inputs(connection)
