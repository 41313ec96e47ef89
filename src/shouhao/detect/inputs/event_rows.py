"""Event rows: files of events, whatever their format, become rows of text in our columns.

Each reader says where a column stands by an expression; what no column takes is gathered in `detail`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs.event_columns import Headings, has_required, recognise
from shouhao.detect.inputs.event_csv import CsvRecords, read_csv
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile
from shouhao.detect.inputs.lines import cut, ranges
from shouhao.detect.inputs.mapping import Names
from shouhao.detect.inputs.problems import KEPT, Problems, stands_for
from shouhao.detect.inputs.sql import json_pointer, literal, name
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import EXPORT_COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PARQUET = b"PAR1"
_MOST_KEYS = 1_000  #: of JSON Lines; each costs an expression
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """One file before DuckDB: a relation with `line`, `byte_start`, `byte_end` and what the expressions need."""

    relation: Any
    headings: Headings
    texts: Mapping[str, str]  #: heading to an expression of text
    values: Mapping[str, str]  #: of the headings that go to `detail`: an expression of any type
    query: str = "shouhao_file"  #: what the expressions are over
    bare: frozenset[str] = frozenset()  #: headings whose texts have no blanks around them, and are null where empty


def rows_of_each(
    connection: "DuckDBPyConnection",
    numbered: Sequence[tuple[int, InputFile]],
    *,
    mapping: Names,
    problems: Problems,
    line_limit: int = LINE_LIMIT_BYTES,
) -> Iterator[tuple[int, str, frozenset[tuple[str, str]]]]:
    """Of each file that is not empty its number, a query and the columns of the mapping that it has the heading for.

    The query gives row_number, byte_start, byte_end and our columns of text, until the next file is asked for.

    Raises:
        InvalidInput: a file is of no known format, or lacks a column without which it says nothing.
    """
    for number, file in numbered:
        if not len(file.text):
            continue
        rows = _read(connection, file, mapping, problems, line_limit)
        if not len(rows.relation):
            problems.add("no_rows", file.name)
        connection.register("shouhao_file", rows.relation)
        yield number, _query(rows), rows.headings.mapped
        connection.unregister("shouhao_file")


def _read(
    connection: "DuckDBPyConnection", file: InputFile, mapping: Names, problems: Problems, line_limit: int
) -> _Rows:
    if file.text[:4] == _PARQUET:
        return _parquet(file, mapping, problems)
    start = file.text[:1024].removeprefix(_BOM).lstrip()[:1]
    if start == b"[":
        raise InvalidInput(
            "events",
            zh=f"{file.name} 是 JSON 数组，请改为每行一个对象（JSON Lines）",
            en=f"{file.name} is a JSON array; give one object a line (JSON Lines)",
        )
    if start == b"{":
        return _json_lines(connection, file, mapping, problems, line_limit)
    records = read_csv(file, problems, is_heading=lambda cells: has_required(cells, mapping))
    return _csv(records, file, mapping, problems)


def _query(rows: _Rows) -> str:
    """All of a file's rows in our columns, empty ones left out."""
    columns = rows.headings.columns
    texts = {
        column: text if heading in rows.bare else f"nullif({_trimmed(text)}, '')"
        for column, heading in columns.items()
        if (text := rows.texts[heading])
    }
    detail = texts.get("detail")
    if detail is not None:
        detail = (
            f"CASE WHEN json_valid({detail}) AND json_type({detail}) = 'OBJECT' THEN {detail} "
            f"WHEN {detail} IS NOT NULL THEN CAST(json_object('detail', {detail}) AS VARCHAR) END"
        )
    if rows.headings.others:
        others = ", ".join(f"{literal(heading)}, {rows.values[heading]}" for heading in rows.headings.others)
        merged = f"json_merge_patch(coalesce({detail or 'NULL'}, '{{}}'), json_object({others}))"
        detail = f"nullif(CAST({merged} AS VARCHAR), '{{}}')"
    if detail is not None:
        texts["detail"] = detail
    made = [f"{texts.get(column, 'CAST(NULL AS VARCHAR)')} AS {name(column)}" for column in EXPORT_COLUMNS]
    any_text = " OR ".join(f"nullif({rows.texts[heading]}, '') IS NOT NULL" for heading in columns.values())
    return f"SELECT row_number, byte_start, byte_end, {', '.join(made)} FROM {rows.query} WHERE {any_text}"


def _trimmed(text: str) -> str:
    """Without blanks around it, and the tabs that keep a spreadsheet from taking an id for a number.

    Most cells are plain ids, which is soon seen: blanks beyond ASCII take more than a byte.
    """
    plain = f"strlen({text}) = length({text}) AND NOT contains({text}, ' ') AND NOT contains({text}, chr(9))"
    return (
        f"CASE WHEN {plain} THEN {text} "
        f"WHEN contains({text}, chr(9)) THEN trim({text}, ' ' || chr(9)) ELSE trim({text}) END"
    )


def _csv(records: CsvRecords, file: InputFile, mapping: Names, problems: Problems) -> _Rows:
    headings = recognise(records.headings, file=file.name, mapping=mapping, problems=problems)
    places = {
        "row_number": pa.chunked_array([pa.array(piece) for piece in records.lines], pa.int64()),
        "byte_start": pa.chunked_array([pa.array(piece) for piece in records.starts], pa.int64()),
        "byte_end": pa.chunked_array([pa.array(piece) for piece in records.ends], pa.int64()),
    }
    cells = {f"c{n}": pa.chunked_array(pieces, pa.string()) for n, pieces in enumerate(records.columns)}
    texts = {heading: f"c{n}" for n, heading in enumerate(records.headings)}
    bare = frozenset(heading for n, heading in enumerate(records.headings) if n not in records.blank_at_edge)
    return _Rows(relation=pa.table({**places, **cells}), headings=headings, texts=texts, values=texts, bare=bare)


def _json_lines(
    connection: "DuckDBPyConnection", file: InputFile, mapping: Names, problems: Problems, line_limit: int
) -> _Rows:
    batches, first = [], 1
    for begin, end in ranges(file):
        lines = cut(file, begin, end, limit=line_limit)
        for wrong in lines.wrong:
            problems.add(wrong.rule, file.name, line=first + wrong.index, byte=wrong.byte, **wrong.data)
        numbers = lines.indexes.astype(np.int64) + first
        batches.append(
            pa.record_batch(
                [lines.texts(), numbers, lines.starts, lines.ends],
                names=["line", "row_number", "byte_start", "byte_end"],
            )
        )
        first += lines.count
    relation = pa.Table.from_batches(batches)
    is_object = "CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' ELSE false END"
    connection.register("shouhao_file", relation)
    broken = connection.execute(
        f"SELECT row_number, byte_start FROM shouhao_file WHERE NOT ({is_object}) ORDER BY row_number"
    ).fetchall()
    tell_all(problems, "not_json", file.name, broken)
    keys = connection.execute(
        f"SELECT DISTINCT unnest(CASE WHEN {is_object} THEN json_keys(line) END) AS key FROM shouhao_file ORDER BY key"
    ).fetchall()
    connection.unregister("shouhao_file")
    paths = {key: (key,) for (key,) in keys} | {
        heading: tuple(heading.split("."))
        for names in mapping.values()
        for heading in names
        if "." in heading and (heading.split(".")[0],) in keys
    }
    if len(paths) > _MOST_KEYS:
        raise InvalidInput(
            "events",
            zh=f"{file.name} 有 {len(paths)} 个不同的键，像是把数据写成了键；请改为固定的键",
            en=f"{file.name} has {len(paths)} different keys, as if data were written as keys; give the same ones",
        )
    if not paths:
        raise InvalidInput("events", zh=f"{file.name} 没有一行是 JSON 对象", en=f"{file.name} has no JSON object")
    headings = recognise(list(paths), file=file.name, mapping=mapping, problems=problems)
    places = [json_pointer(path) for path in paths.values()]
    taken = ", ".join(
        f"{function}(object, [{', '.join(places)}]) AS {made}"  # each line is parsed once for all its texts
        for function, made in (("json_extract_string", "texts"), ("json_extract", "cells"))
    )
    return _Rows(
        relation=relation,
        headings=headings,
        texts={heading: f"texts[{n}]" for n, heading in enumerate(paths, 1)},
        values={heading: f"cells[{n}]" for n, heading in enumerate(paths, 1)},
        query=f"""(SELECT row_number, byte_start, byte_end, {taken} FROM
            (SELECT *, CASE WHEN {is_object} THEN line END AS object FROM shouhao_file))""",
    )


def _parquet(file: InputFile, mapping: Names, problems: Problems) -> _Rows:
    """Rows of a Parquet file: no bytes of its own belong to one of them, so they have no place."""
    from pyarrow import parquet  # noqa: PLC0415 - wanted for such files alone

    try:
        table = parquet.read_table(pa.BufferReader(pa.py_buffer(file.text)))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(
            "events", zh=f"{file.name} 不是完整的 Parquet 文件", en=f"{file.name} is no whole Parquet file: {error}"
        ) from None
    headings = recognise(table.column_names, file=file.name, mapping=mapping, problems=problems)
    texts, values = dict[str, str](), dict[str, str]()
    columns: dict[str, Any] = {}
    for n, heading in enumerate(table.column_names):
        cell, kind = f"c{n}", table.schema.field(n).type
        columns[cell] = table.column(n)
        texts[heading], values[heading] = _text_of(cell, kind), cell
    nowhere = pa.nulls(len(table), pa.int64())
    places = {"row_number": np.arange(1, len(table) + 1), "byte_start": nowhere, "byte_end": nowhere}
    return _Rows(relation=pa.table({**places, **columns}), headings=headings, texts=texts, values=values)


def _text_of(cell: str, kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        zoned = f"CAST(epoch_us(CAST({cell} AS TIMESTAMPTZ)) AS VARCHAR)"
        return zoned if kind.tz else f"strftime(CAST({cell} AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%f')"
    if pa.types.is_nested(kind):
        return f"CAST(to_json({cell}) AS VARCHAR)"
    return f"CAST({cell} AS VARCHAR)"


def tell_all(problems: Problems, rule: str, file: str, places: Sequence[tuple[Any, ...]], **data: str) -> None:
    """Many rows with one rule, each with line and byte first; beyond the first thousand they are counted alone."""
    for n, (line, byte, *_) in enumerate(places[:KEPT]):
        problems.add(rule, file, line=line, byte=byte, count=stands_for(n, len(places)), **data)
