"""Cut reading: the columns of lines that are cut into pieces, by expressions over the distinct texts of each piece.

What several pieces say together (an address from one header or another) is looked at line by line, and so are pieces
that are hardly ever the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shouhao.detect.inputs.cells import Cut, cut_cells
from shouhao.detect.inputs.lines import Bools, Int64s, Lines
from shouhao.detect.inputs.sql import EARLIEST_US, LATEST_US, literal, name
from shouhao.detect.model import HIT_COLUMNS, OPERATION, STATIC_PATH

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLACED = ("source", "byte_start", "byte_end", "at_us")  #: columns of `hits` that do not stand in the line as such
_TYPES = {"string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE"}
#: Columns of which the line does not say anything.
NONE = {column: f"CAST(NULL AS {_TYPES[kind]})" for column, kind in HIT_COLUMNS.items()}
_TEXTS = "shouhao_texts"


def operation(path: str) -> str:
    """Whether a request for a path is one that somebody meant, as `counting.is_operation` has it."""
    return f"NOT coalesce(contains({path}, '.') AND regexp_matches({path}, {literal(STATIC_PATH)}), false)"


def projected(relation: str, kept: str, *steps: Mapping[str, str]) -> str:
    """A query in steps, each a projection over the one before, that hands on some columns as they are."""
    query = relation
    for step in steps:
        made = "".join(f", {sql} AS {name(column)}" for column, sql in step.items())
        query = f"SELECT {kept}{made} FROM {relation}"
        relation = f"({query})"
    return query


def hits_query(made: Mapping[str, str], relation: str, *, joined: bool) -> str:
    """A query for the columns of `hits`.

    Args:
        joined: the relation has a column `joined` too, the account of lines that name none.
    """
    account = {"account_id": f"coalesce({made['account_id']}, CAST(joined AS VARCHAR))"} if joined else {}
    columns = ", ".join(f"{sql} AS {name(column)}" for column, sql in {**made, **account}.items())
    return f"SELECT {columns} FROM {relation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Columns as SQL over pieces of lines, each step a projection over the one before, as in `hit_reading.Way`."""

    pieces: tuple[int, ...]  #: those that it looks at
    form: str  #: over pieces: whether they can be read so
    fields: Mapping[str, str]  #: over pieces: variables as they stand in the line
    values: Mapping[str, str]  #: over fields: columns, still in the server's escapes
    columns: Mapping[str, str]  #: over values: columns, `at_us` among them

    def select(self, relation: str) -> str:
        """A query for the columns over a relation with pieces and `number`."""
        fits = {"fits": "fits"}
        return projected(
            relation, "number", {"fits": self.form, **self.fields}, {**fits, **self.values}, {**fits, **self.columns}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CutWay:
    """One way to read a line that has so many quotation marks."""

    marks: int
    cuts: tuple[Cut, ...]  #: the pieces, by number
    steps: tuple[Steps, ...]

    def select(self, relation: str, *, joined: bool = False) -> str:
        """A query for all columns of `hits` over a relation of lines that were read so, as `hit_reading.Way` has it."""
        filled = {column for step in self.steps for column in step.columns}
        made = {
            column: name(column) if column in filled or column in PLACED else NONE[column] for column in HIT_COLUMNS
        }
        made[OPERATION] = OPERATION if OPERATION in filled else "true"
        return hits_query(made, relation, joined=joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutLines:
    """What was read of some lines."""

    fits: Bools  #: which of the lines could be read so
    at_us: Int64s  #: of those that could
    columns: pa.RecordBatch  #: likewise; texts as dictionaries


def read_cut(cursor: "DuckDBPyConnection", lines: Lines, way: CutWay) -> CutLines | None:
    """Read lines in this way; None if not one of them can be."""
    chosen, pieces = cut_cells(lines, way.marks, way.cuts, asked={n for steps in way.steps for n in steps.pieces})
    if not chosen.any():
        return None
    fits: Any = np.ones(np.count_nonzero(chosen), np.bool_)
    found: dict[str, pa.Array] = {}
    for steps in way.steps:
        ok, columns = _read(cursor, [pieces[n] for n in steps.pieces], steps)
        fits = fits & ok
        found |= columns
    at_us = found.pop("at_us")
    dated = pc.fill_null(at_us, 0).to_numpy()
    fits = fits & (dated >= EARLIEST_US) & (dated <= LATEST_US)
    batch = pa.record_batch(found) if found else pa.RecordBatch.from_pylist([{}] * len(fits))
    if not fits.all():
        chosen[np.flatnonzero(chosen)[~fits]] = False
        dated, batch = dated[fits], batch.filter(pa.array(fits))
    return CutLines(fits=chosen, at_us=dated, columns=batch)


def _read(
    cursor: "DuckDBPyConnection", pieces: Sequence[pa.Array], steps: Steps
) -> tuple[Bools, Mapping[str, pa.Array]]:
    """Which lines fit, and the columns of all of them."""
    if len(pieces) > 1:
        answer = _ask(cursor, pieces, steps)
        return answer["fits"].to_numpy(zero_copy_only=False), {
            column: _as_dictionary(answer[column]) for column in steps.columns
        }
    said = pieces[0].dictionary_encode()
    answer = _ask(cursor, [said.dictionary], steps)
    fits = answer["fits"].to_numpy(zero_copy_only=False)
    taken = {column: _as_dictionary(answer[column]).take(said.indices) for column in steps.columns}
    return np.ones(len(said), np.bool_) if fits.all() else fits[said.indices.to_numpy()], taken


def _as_dictionary(column: pa.Array) -> pa.Array:
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _ask(cursor: "DuckDBPyConnection", pieces: Sequence[pa.Array], steps: Steps) -> pa.RecordBatch:
    """The columns for texts of one piece or several, in order."""
    texts = {f"piece_{n}": piece for n, piece in zip(steps.pieces, pieces, strict=True)}
    count = len(pieces[0])
    cursor.register(_TEXTS, pa.table(texts | {"number": np.arange(count, dtype=np.int32)}))
    answer = cursor.sql(steps.select(_TEXTS)).to_arrow_table().combine_chunks()
    cursor.unregister(_TEXTS)
    numbers = answer["number"].to_numpy()
    if not (numbers[1:] > numbers[:-1]).all():
        answer = answer.take(pa.array(np.argsort(numbers)))
    return answer.to_batches()[0]
