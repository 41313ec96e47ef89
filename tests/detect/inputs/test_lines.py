"""Lines: the same from any ranges, each at its bytes; what cannot be one is told and held nowhere."""

from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.detect.inputs.files import InputFile, open_files
from shouhao.detect.inputs.lines import cut, ranges
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.unpacking import Stopped


def of(text, *, stopped=False):
    stop = Stopped(at=len(text), zh="", en="") if stopped else None
    return InputFile(
        name="x",
        path=None,
        kind="access_log",
        size_bytes=len(text),
        packed=False,
        text=text,
        stopped=stop,
        hashing=Future(),
    )


def read(file, *, limit=1 << 20, size=1 << 24):
    """Texts with their places, and what was wrong as (rule, line, byte)."""
    texts, wrong, first = [], [], 1
    for begin, end in ranges(file, size):
        lines = cut(file, begin, end, limit=limit)
        assert len(lines.texts()) == len(lines)
        lines.texts().validate(full=True)
        texts += zip(lines.texts().to_pylist(), lines.starts.tolist(), lines.ends.tolist(), strict=True)
        wrong += [(one.rule, first + one.index, one.byte) for one in lines.wrong]
        first += lines.count
    return texts, wrong


PIECES = st.sampled_from(
    [b"\n", b"\r\n", b"a", b"a line of more than twelve", "挂号".encode(), "挂".encode("gb18030"), b"\0"]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map(b"".join), st.integers(1, 50))
def test_ranges_change_nothing(text, size):
    assert read(of(text), size=size) == read(of(text))


@settings(deadline=None)
@given(st.lists(st.text("ab ,\"'挂号€", max_size=30), max_size=30), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_are_those_of_the_text(lines, end, ended):
    text = end.join(lines) + (end if ended else "")
    raw = text.encode()
    got, wrong = read(of(raw))
    assert [one for one, _, _ in got] == [line for line in lines if line]
    assert all(raw[start:stop].decode() == one for one, start, stop in got)
    assert not wrong


def test_a_mark_at_the_beginning_is_no_part_of_the_first_line():
    assert read(of(b"\xef\xbb\xbfone\ntwo"))[0] == [("one", 3, 6), ("two", 7, 10)]


def test_a_line_in_gb18030_is_decoded_and_told():
    raw = "挂号 one\n".encode() + "退号 a line that is not short\n".encode("gb18030") + b"three\n"
    got, wrong = read(of(raw))
    assert [one for one, _, _ in got] == ["挂号 one", "退号 a line that is not short", "three"]
    assert wrong == [("gb18030", 2, 11)]
    start, end = got[1][1:]
    assert raw[start:end].decode("gb18030") == "退号 a line that is not short"


def test_bytes_of_no_encoding_are_replaced_and_told():
    got, wrong = read(of(b"good\nbad \xff\xff here\n"))
    assert got[1][0] == "bad \ufffd\ufffd here"
    assert wrong == [("not_text", 2, 5)]


@pytest.mark.parametrize("limit", [50, 1 << 20])
def test_a_log_emptied_in_use_begins_with_a_hole(limit):
    """What logrotate's copytruncate leaves: NUL bytes as many as the file had, then the next line."""
    raw = b"before\n" + bytes(1000) + b"the line behind the hole\nand\0one within\n" + bytes(30)
    got, wrong = read(of(raw), limit=limit)
    assert got == [
        ("before", 0, 6),
        ("the line behind the hole", 1007, 1031),
        ("and\ufffdone within", 1032, 1046),
    ]
    assert raw[1007:1031] == b"the line behind the hole"
    assert [(rule, line) for rule, line, _ in wrong] == [("nul_bytes", 2), ("nul_bytes", 3), ("nul_bytes", 4)]


@pytest.mark.parametrize("size", [7, 64, 1 << 24])
def test_a_line_over_the_limit_is_put_aside_with_its_place(size):
    raw = b"one\n" + b"x" * 300 + b"\nthree\n" + b"y" * 200
    got, wrong = read(of(raw), limit=100, size=size)
    assert got == [("one", 0, 3), ("three", 305, 310)]
    assert wrong == [("line_too_long", 2, 4), ("line_too_long", 4, 311)]


def test_the_last_line_of_a_file_that_broke_off_is_put_aside():
    raw = b"one\ntwo is cut o"
    assert read(of(raw)) == ([("one", 0, 3), ("two is cut o", 4, 16)], [])
    assert read(of(raw, stopped=True)) == ([("one", 0, 3)], [("cut_line", 2, 4)])
    assert read(of(b"one\n", stopped=True)) == ([("one", 0, 3)], [])


def test_a_very_long_line_is_passed_over(tmp_path):
    """A sparse file: a quarter of a gigabyte in one line, of which nothing is held."""
    path = tmp_path / "huge.log"
    with path.open("wb") as out:
        out.write(b"first\nx")
        out.seek(256 << 20)
        out.write(b"y\nlast\n")
    (file,) = open_files([(path, "access_log")], problems=Problems())
    got, wrong = read(file, size=1 << 26)
    assert got == [("first", 0, 5), ("last", (256 << 20) + 2, (256 << 20) + 6)]
    assert wrong == [("line_too_long", 2, 6)]
    file.hashing.result()
