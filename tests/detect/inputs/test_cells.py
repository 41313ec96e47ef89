"""Cells: what numpy cuts out of a range of a file is what cutting each line by hand gives."""

from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.detect.inputs.cells import Cut, cut_cells
from shouhao.detect.inputs.files import InputFile
from shouhao.detect.inputs.lines import cut
from shouhao.detect.inputs.problems import Problems

CUTS = (
    Cut(0, slice(0, -4)),
    Cut(0, slice(-4, -2)),
    Cut(0, slice(-2, None), b"] "),
    Cut(1, slice(0, None)),
    Cut(2, slice(0, None)),
)
PIECES = st.sampled_from(
    [b'"', b"] ", b" ", b"abc", b"0123456789abcdef", b"\n", b"\r\n", "挂号".encode(), b"\xff", b"\0", b"x" * 40]
)
GOOD = b'1.2.3.4 - [26] "GET /" 200\n'


def file_of(text):
    hashing = Future()
    hashing.set_result("")
    return InputFile(
        name="a", path="a", kind="access_log", size_bytes=len(text), packed=False, text=text, stopped=None,
        hashing=hashing,
    )  # fmt: skip


def by_hand(text, lines):
    """Of each line that may be cut, its number and its pieces."""
    for n, (start, end) in enumerate(zip(lines.starts.tolist(), lines.ends.tolist(), strict=True)):
        line = text[start:end]
        clean = lines.texts()[n].as_py().encode() == line
        cells = line.split(b'"')
        if not clean or len(line) <= 12 or len(cells) != 3 or len(cells[0]) < 4 or not cells[0].endswith(b"] "):
            continue
        yield n, [cells[0][:-4], cells[0][-4:-2], b"] ", cells[1], cells[2]]


@given(
    st.lists(st.one_of(PIECES, st.just(GOOD)), min_size=1, max_size=40).map(b"".join),
    st.sets(st.integers(0, 4), min_size=1),
)
def test_pieces_are_those_of_each_line(text, asked):
    lines = cut(file_of(text), 0, len(text))
    chosen, pieces = cut_cells(lines, 2, CUTS, asked=asked)
    expected = dict(by_hand(text, lines))
    assert [n for n, one in enumerate(chosen.tolist()) if one] == list(expected)
    for n in asked:
        assert [one.as_py().encode() for one in pieces[n]] == [one[n] for one in expected.values()]
        pieces[n].validate(full=True)


@pytest.mark.parametrize("tail", range(1, 20))
def test_the_last_bytes_of_a_file_are_read_without_what_follows(tail):
    text = GOOD * 3 + b'1.2.3.4 - [26] "GET /"' + b"7" * tail
    _, pieces = cut_cells(cut(file_of(text), 0, len(text)), 2, CUTS, asked={4})
    assert pieces[4].to_pylist() == [" 200"] * 3 + ["7" * tail]


def test_problems_of_lines_that_are_cut_are_told_as_of_others(tmp_path):
    import duckdb  # noqa: PLC0415 - heavy, and the others do without it

    from shouhao.detect.inputs.access_logs import read_access_logs  # noqa: PLC0415

    path = tmp_path / "access.log"
    path.write_bytes(b'1.2.3.4 - - [25/Nov/2026:08:00:00 +0800] "GET / HTTP/1.1" 200 5 "-" "x"\nbad\n' * 2)
    told = []
    for whole in (False, True):
        problems = Problems()
        with duckdb.connect() as connection:
            read_access_logs(connection, [path], cut=not whole, problems=problems)
        told.append([(one.rule, one.line, one.byte) for one in problems])
    assert told == [[("not_the_form", 2, 72), ("not_the_form", 4, 148)]] * 2
