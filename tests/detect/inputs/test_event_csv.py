"""Event CSV: the cells that `csv` reads, each record at its bytes, whatever made the file."""

import csv
import io
from concurrent.futures import Future

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.detect.inputs import event_csv
from shouhao.detect.inputs.event_csv import read_csv
from shouhao.detect.inputs.files import InputFile
from shouhao.detect.inputs.problems import Problems
from shouhao.kernel.errors import InvalidInput


def read(raw, *, stretch=1 << 20):
    """Headings, records as (cells, line, first byte, bytes), and problems as (rule, line, byte)."""
    file = InputFile(
        name="x.csv",
        path=None,
        kind="events",
        size_bytes=len(raw),
        packed=False,
        text=raw,
        stopped=None,
        hashing=Future(),
    )
    problems = Problems()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_csv, "_STRETCH_BYTES", stretch)
        patch.setattr(event_csv, "_PIECE_ROWS", 3)
        found = read_csv(file, problems)
    columns = [[cell or "" for cell in pa.chunked_array(pieces, pa.string()).to_pylist()] for pieces in found.columns]
    lines, starts, ends = (
        [n for piece in pieces for n in piece.tolist()] for pieces in (found.lines, found.starts, found.ends)
    )
    records = [
        (list(cells), line, start, raw[start:end])
        for *cells, line, start, end in zip(*columns, lines, starts, ends, strict=True)
    ]
    return found.headings, records, [(p.rule, p.line, p.byte) for p in problems]


CELLS = st.text(st.sampled_from('ab,;"\n\t挂= '), max_size=6)


@settings(deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3).filter(any), max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([17, 64, 1 << 20]),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_cells_are_those_that_were_written(rows, delimiter, end, ended, stretch, encoding):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerows([["h1", "h2", "h3"], *rows])
    text = out.getvalue() if ended else out.getvalue().removesuffix(end)
    raw = text.encode(encoding)
    headings, records, problems = read(raw, stretch=stretch)
    assert headings == ("h1", "h2", "h3")
    bare = [[event_csv._bare(cell) for cell in row] for row in rows]  # ="0012" is 0012
    assert [cells for cells, *_ in records] == [row for row in bare if any(row)]
    for cells, line, start, cut in records:
        (again,) = csv.reader(io.StringIO(cut.decode(encoding.removesuffix("-sig")), newline=""), delimiter=delimiter)
        assert [event_csv._bare(cell) for cell in again] == cells
        assert line == raw[:start].count(b"\n") + 1
    assert {rule for rule, _, _ in problems} <= {"gb18030"}


def test_a_record_over_several_lines_is_one_with_its_first_line():
    raw = b'a,b\n1,"two\nlines"\n3,4\n'
    _, records, problems = read(raw)
    assert records == [(["1", "two\nlines"], 2, 4, b'1,"two\nlines"'), (["3", "4"], 4, 18, b"3,4")]
    assert not problems


@pytest.mark.parametrize("stretch", [8, 1 << 20])
def test_a_broken_record_is_put_aside_alone(stretch):
    raw = b'a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11,12\n13,14,15,,\n"16,17,18\n19,20,21\n'
    _, records, problems = read(raw, stretch=stretch)
    assert [cells for cells, *_ in records] == [
        ["1", "2", "3"],
        ["6", "7", "8"],
        ["13", "14", "15"],
        ["19", "20", "21"],
    ]
    assert sorted(problems, key=lambda p: p[1]) == [
        ("too_few_columns", 3, 12),
        ("too_many_columns", 5, 22),
        ("unclosed_quote", 7, raw.index(b'"16')),
    ]


def test_what_a_spreadsheet_makes_is_read():
    raw = 'sep=;\r\n编号;金额;备注\r\n="0012";"1,234";a\r\n;;\r\n"=""0013""";=cmd|\' /C calc\'!A0;\r\n'.encode(
        "gb18030"
    )
    headings, records, problems = read(raw)
    assert headings == ("编号", "金额", "备注")
    assert [(cells, line) for cells, line, *_ in records] == [
        (["0012", "1,234", "a"], 3),
        (["0013", "=cmd|' /C calc'!A0", ""], 5),
    ]
    assert problems == [("gb18030_file", 2, 7)]


@pytest.mark.parametrize("headings", ["a,b\n", "a|b\n"])
def test_lines_of_two_encodings_are_read_each_in_its_own(headings):
    first, over = f"{headings}挂号,1\n".encode(), '"退\n号",2\n'.encode("gb18030")
    raw = first + over + "放号,3\n".encode() + "亅,4\n".encode("gb18030")  # whose second byte is a bar
    raw = raw.replace(b",", headings[1].encode())
    _, records, problems = read(raw)
    assert [cells for cells, *_ in records] == [["挂号", "1"], ["退\n号", "2"], ["放号", "3"], ["亅", "4"]]
    assert problems == [("gb18030", 3, len(first)), ("gb18030", 6, raw.rindex(b"\n", 0, -1) + 1)]


def test_headings_that_are_not_utf_8_tell_of_the_whole_file():
    raw = "编号,备注\n1,挂号\n2,退号\n".encode("gb18030")
    _, records, problems = read(raw)
    assert [cells for cells, *_ in records] == [["1", "挂号"], ["2", "退号"]]
    assert problems == [("gb18030_file", 1, 0)]


def test_a_quotation_mark_inside_a_cell_is_text():
    raw = b'a,b\n5" screen,x\n6" screen,y\n'
    _, records, _ = read(raw)
    assert [cells for cells, *_ in records] == [['5" screen', "x"], ['6" screen', "y"]]


def test_a_mark_that_is_never_closed_swallows_nothing():
    rows = b"".join(b"%d,x\n" % n for n in range(1000))
    raw = b'a,b\n"open,x\n' + rows
    _, records, problems = read(raw)
    assert len(records) == 1000
    assert problems == [("unclosed_quote", 2, 4)]


def test_a_line_over_the_limit_is_put_aside():
    raw = b"a,b\n1," + b"x" * (1 << 21) + b"\n2,y\n"
    _, records, problems = read(raw)
    assert [cells for cells, *_ in records] == [["2", "y"]]
    assert problems == [("line_too_long", 2, 4)]


@pytest.mark.parametrize("raw", [b"\n\n", b"a,b\r1,2\r3,4"])
def test_a_file_without_lines_of_its_own_is_refused(raw):
    with pytest.raises(InvalidInput):
        read(raw)
