"""Evidence: where the rows lie that a reason rests on, so that anybody can cut them out of the files and read them.

All reasons that ask for the same columns are answered by one join, whatever their number. What leaves here depends on
the rows alone. A reason that rests on very many rows cites the earliest of them, and says how many there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from shouhao.detect.model import Source, Tables, Wanted

MOST_ROWS = 1_000  #: cited for one reason
_LEAST_US, _MOST_US = -(1 << 62), 1 << 62
_INSTANT = pa.int64()
_LINE_END_BYTES = 2  # at most: \r\n


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One row: bytes of a file, or the id of an event that came without a file."""

    source: int | None
    byte_start: int
    byte_end: int
    event_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The rows that one reason rests on."""

    rows: tuple[Place, ...]  #: at most `MOST_ROWS` of them, by file and byte
    total: int


def find(tables: Tables, reasons: Sequence[Sequence[Wanted]], *, most: int = MOST_ROWS) -> list[Places]:
    """The rows of each reason, given the requests that it makes, in the order of the reasons.

    A row that several requests of a reason select is cited and counted once; only where there are more than `most`, and
    the requests ask for different columns, it may be counted for each.
    """
    found: list[set[Place]] = [set() for _ in reasons]
    totals = [0] * len(reasons)
    for (name, columns), numbered in sorted(_alike(reasons).items()):
        table = tables.hits if name == "hits" else tables.events
        of_reason: dict[int, int] = {}
        for number, place, total in _joined(table, name, columns, numbered, most):
            found[number].add(place)
            of_reason[number] = total
        for number, total in of_reason.items():
            totals[number] += total
    return [
        Places(
            rows=tuple(sorted(rows, key=_by_place)[:most]),
            total=total if total > most else len(rows),
        )
        for rows, total in zip(found, totals, strict=True)
    ]


def cite(places: Iterable[Place], sources: Mapping[int, Source]) -> list[dict[str, Any]]:
    """Places as a finding tells them; lines that follow each other without a gap are one stretch of bytes."""
    told: list[dict[str, Any]] = []
    for place in places:
        if place.source is None:
            told.append({"event_id": place.event_id})
            continue
        name = sources[place.source].name
        last = told[-1] if told else {}
        if last.get("file") == name and 0 < place.byte_start - last["byte_end"] <= _LINE_END_BYTES:
            last["byte_end"] = place.byte_end
        else:
            told.append({"file": name, "byte_start": place.byte_start, "byte_end": place.byte_end})
    return told


def _by_place(place: Place) -> tuple[int, int, int, str]:
    source = -1 if place.source is None else place.source
    return source, place.byte_start, place.byte_end, place.event_id or ""


def _alike(reasons: Sequence[Sequence[Wanted]]) -> dict[tuple[str, tuple[str, ...]], list[tuple[int, Wanted]]]:
    """The requests with the numbers of their reasons, by their table and columns."""
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[int, Wanted]]] = defaultdict(list)
    for number, requests in enumerate(reasons):
        for one in requests:
            columns = (*sorted(one.where), *(("event_id",) if one.event_ids else ()))
            alike[(one.table, columns)].append((number, one))
    return alike


def _joined(
    table: Table, name: str, columns: tuple[str, ...], numbered: list[tuple[int, Wanted]], most: int
) -> Iterable[tuple[int, Place, int]]:
    asked = ibis.memtable(_asked(table, columns, numbered))
    event_id = table.event_id if name == "events" else ibis.null("string")
    rows = table.select(
        *(table[column] for column in columns if column != "event_id"),
        at_us=table.at_us,
        source=table.source,
        byte_start=table.byte_start,
        byte_end=table.byte_end,
        event_id=event_id,
    )
    within = [rows.at_us >= asked.wanted_from_us, rows.at_us <= asked.wanted_until_us]
    met = rows.join(asked, [*(rows[column] == asked[f"wanted_{column}"] for column in columns), *within])
    joined = met.select(
        number=asked.wanted_number,
        at_us=rows.at_us,
        source=rows.source,
        byte_start=rows.byte_start,
        byte_end=rows.byte_end,
        event_id=rows.event_id,
    ).distinct()
    order = [joined.at_us, joined.source, joined.byte_start, joined.event_id]
    counted = joined.mutate(
        place=ibis.row_number().over(ibis.window(group_by=joined.number, order_by=order)),
        total=joined.count().over(ibis.window(group_by=joined.number)),
    )
    cited = counted.filter(counted.place < most).order_by("number", "place")
    for row in cited.to_pyarrow().to_pylist():
        place = Place(
            source=row["source"],
            byte_start=row["byte_start"] or 0,
            byte_end=row["byte_end"] or 0,
            event_id=row["event_id"],
        )
        yield row["number"], place, row["total"]


def _asked(table: Table, columns: tuple[str, ...], numbered: list[tuple[int, Wanted]]) -> pa.Table:
    """The requests as rows to join with: one for each combination of the values they name, none named twice."""
    numbers, first, last, values = [], [], [], defaultdict(list)
    for number, one in numbered:
        choices = [_choices(one, column) for column in columns]
        for combination in sorted(set(product(*choices)), key=repr):
            numbers.append(number)
            first.append(_LEAST_US if one.from_us is None else one.from_us)
            last.append(_MOST_US if one.until_us is None else one.until_us)
            for column, value in zip(columns, combination, strict=True):
                values[column].append(value)
    schema = table.schema()
    return pa.table(
        {
            "wanted_number": pa.array(numbers, pa.int64()),
            "wanted_from_us": pa.array(first, _INSTANT),
            "wanted_until_us": pa.array(last, _INSTANT),
            **{f"wanted_{name}": pa.array(values[name], schema[name].to_pyarrow()) for name in columns},
        }
    )


def _choices(wanted: Wanted, column: str) -> tuple[Any, ...]:
    if column == "event_id" and wanted.event_ids:
        return wanted.event_ids
    value = wanted.where[column]
    return value if isinstance(value, tuple) else (value,)
