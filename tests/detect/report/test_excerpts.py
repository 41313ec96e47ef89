"""Excerpts: what the page quotes lies in the file, and the command that it gives cuts out the same bytes."""

import gzip
import subprocess

import pytest
import zstandard

from shouhao.detect.report import shell
from shouhao.detect.report.excerpts import Unpacked, compression_of, read_excerpts
from shouhao.detect.report.visible import visible

LINES = [f"203.0.113.{n % 250} - line {n} 儿科".encode() for n in range(4_000)]
CONTENT = b"\n".join(LINES) + b"\n"


def place(n: int, *, until: int | None = None) -> dict[str, int]:
    start = sum(len(line) + 1 for line in LINES[:n])
    last = n if until is None else until
    return {"byte_start": start, "byte_end": start + sum(len(line) + 1 for line in LINES[n : last + 1]) - 1}


def packed(content: bytes, form: str) -> bytes:
    half = len(content) // 2  # rotated logs are often several members one after the other
    if form == "gzip":
        return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)
    if form == "zstd":
        return zstandard.compress(content[:half]) + zstandard.compress(content[half:])
    return content


def findings(file: str, *places: dict[str, int]) -> list[dict]:
    evidence = [{"file": file, **one} for one in places]
    return [{"finding_id": "f1", "reasons": [{"evidence": evidence}], "speaks_for": []}]


@pytest.fixture(params=["none", "gzip", "zstd"])
def log(request, tmp_path):
    path = tmp_path / "access log.1"
    path.write_bytes(packed(CONTENT, request.param))
    assert compression_of(path) == request.param
    return path


def test_the_lines_are_those_of_the_file_however_it_is_packed(log):
    told = read_excerpts(findings(log.name, place(3_500), place(7)), {log.name: log})["f1"].reasons[0]
    assert [one.lines for one in told] == [(LINES[3_500].decode(),), (LINES[7].decode(),)]
    assert not any(one.cut_short or one.trouble for one in told)


def test_the_command_cuts_out_the_same_bytes(log):
    wanted = place(3_500, until=3_520)
    (told,) = read_excerpts(findings(log.name, wanted), {log.name: log})["f1"].reasons[0]
    command = shell.cut(told.file, byte_start=told.byte_start, byte_end=told.byte_end, compression=told.compression)
    cut = subprocess.run(["bash", "-c", command], cwd=log.parent, capture_output=True, check=True)
    assert cut.stdout == CONTENT[wanted["byte_start"] : wanted["byte_end"]]
    assert cut.stdout.decode().startswith("\n".join(told.lines))
    assert told.cut_short


def test_an_open_file_is_quoted_alike(log):
    asked = findings(log.name, place(20), place(21, until=30))
    opened = Unpacked(text=CONTENT, compression=compression_of(log))
    assert read_excerpts(asked, {log.name: opened}) == read_excerpts(asked, {log.name: log})


def test_stretches_that_overlap_are_all_read(log):
    long, within = place(10, until=900), place(12)
    told = read_excerpts(findings(log.name, within, long), {log.name: log})["f1"].reasons[0]
    assert told[0].lines == (LINES[12].decode(),)
    assert told[1].lines[0] == LINES[10].decode()


def test_a_reason_has_three_lines_at_most(log):
    told = read_excerpts(findings(log.name, *(place(10 * n, until=10 * n + 1) for n in range(9))), {log.name: log})
    shown = [len(one.lines) for one in told["f1"].reasons[0]]
    assert shown == [2, 1]


def test_what_cannot_be_read_again_is_said_and_not_hidden(tmp_path):
    whole = gzip.compress(CONTENT, mtime=0)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "short").write_bytes(b"only this\n")
    files = {name: tmp_path / name for name in ("cut.gz", "short", "gone")}
    said = [
        read_excerpts(findings(name, place(3_990)), files)["f1"].reasons[0][0].trouble.en
        for name in ("cut.gz", "short", "gone")
    ]
    assert said == [
        "the compressed file is broken at or before this place",
        "the file is shorter now and ends before this place",
        "the file is not there any more",
    ]
    (first,) = read_excerpts(findings("cut.gz", place(0)), files)["f1"].reasons[0]
    assert first.lines == (LINES[0].decode(),)


def test_chinese_of_an_older_export_is_read_and_stray_bytes_stay_what_they_are(tmp_path):
    gbk, stray = "儿科,已取消\r\n".encode("gbk"), b"ok \xff\xfe\xfd end"
    (tmp_path / "a.csv").write_bytes(gbk + stray)
    places = ({"byte_start": 0, "byte_end": len(gbk) - 2}, {"byte_start": len(gbk), "byte_end": len(gbk + stray)})
    told = read_excerpts(findings("a.csv", *places), {"a.csv": tmp_path / "a.csv"})["f1"].reasons[0]
    assert (told[0].encoding, told[0].lines) == ("gb18030", ("儿科,已取消",))
    assert visible(told[1].lines[0]) == "ok ‹\\xFF›‹\\xFE›‹\\xFD› end"


def test_a_line_of_gigabytes_is_not_read_whole(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    asked = findings("a", {"byte_start": 0, "byte_end": 3_000_000})
    (told,) = read_excerpts(asked, {"a": tmp_path / "a"})["f1"].reasons[0]
    assert len(told.lines[0]) < 5_000
    assert told.cut_short


@pytest.mark.parametrize("name", ["a.log", "my log's", "e\x1b[31m\u202e", "two\nlines", "-x", "b\\n", "$(id)", "儿科"])
def test_no_file_name_can_do_anything_in_a_terminal(name, tmp_path):
    (tmp_path / name).write_bytes(b"0123456789")
    commands = [
        shell.cut(name, byte_start=2, byte_end=5, compression="none"),
        shell.hashes([(name, "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882")]),
    ]
    ran = [subprocess.run(["bash", "-c", one], cwd=tmp_path, capture_output=True, check=True) for one in commands]
    assert ran[0].stdout == b"234"
    assert ran[1].stdout.endswith(b": OK\n")
    assert all(one == visible(one.replace("\n", "")) for one in (commands[0],))
