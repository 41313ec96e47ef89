"""Detector checks: what every detector must pass, whatever it looks for.

A detector brings one `Example` in tests/detect/examples/, in a module named as its own: rows with its pattern among
ordinary people, the same pattern too small to speak of, and whom it must name. The checks take it from there.
"""

import importlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import ibis
import pyarrow as pa
from ibis.backends.duckdb import Backend as DuckDB
from ibis.expr.operations import DatabaseTable

from detect.people import Rows, honest_week
from detect.tables import EVENT_COLUMNS, tables, tables_of, typed, without
from shouhao.detect.model import HIT_COLUMNS, Detector, Speaks, Subject, Suspicion, Tables, Wanted
from shouhao.detect.rules import DETECTORS

_MANY, _FEW = 2_400, 300  # people; the few where the figures do not matter
#: Of no database: what is counted in these becomes the same SQL for each that has them.
_HITS, _EVENTS = ibis.table(HIT_COLUMNS, name="hits"), ibis.table(EVENT_COLUMNS, name="events")
_COUNTS: dict[Any, dict[str, tuple[str, pa.Schema]]] = {}
_CODE = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: No log says these of nothing: without an instant a row is not read at all, and places are what the reader adds.
_NEVER_MISSING = {
    *(f"{table}.{column}" for table in ("hits", "events") for column in ("at_us", "source", "byte_start", "byte_end")),
    "events.event_id",
    "events.kind",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One detector's pattern, seeded."""

    guilty: Rows  #: the pattern
    too_little: Rows  #: the same, of which nothing can be said yet
    finds: frozenset[Subject]  #: who must be named, as subject or as member
    codes: frozenset[str]  #: reasons that must be given, each at least once
    among_honest: bool = True  #: whether the honest week surrounds the pattern
    accuses: bool = True  #: False for a detector that only describes; it must then say nothing at all
    spared: frozenset[Subject] = field(default_factory=frozenset)  #: in the example, and not to be named

    def rows(self, *, people: int = _MANY) -> Rows:
        """The pattern among so many people."""
        return honest_week(people=people).plus(self.guilty) if self.among_honest else self.guilty


def example_of(kind: type[Detector]) -> Example:
    """The example of a detector.

    Raises:
        AssertionError: it has none.
    """
    name = kind.__module__.rpartition(".")[2]
    try:
        module = importlib.import_module(f"detect.examples.{name}")
    except ModuleNotFoundError as error:
        raise AssertionError(f"{name} has no example in tests/detect/examples/") from error
    example: Example = module.EXAMPLE
    return example


@lru_cache(maxsize=4)
def _typed_rows(example: Example, people: int) -> dict[str, pa.Table]:
    if not example.among_honest:
        return typed(example.guilty.hits, example.guilty.events)
    honest = _typed_week(people)
    after = {name: len(table) for name, table in honest.items()}
    guilty = typed(example.guilty.hits, example.guilty.events, after=after)
    return {name: pa.concat_tables([table, guilty[name]]).combine_chunks() for name, table in honest.items()}


@lru_cache(maxsize=2)
def _typed_week(people: int) -> dict[str, pa.Table]:
    week = honest_week(people=people)
    return typed(week.hits, week.events)


@lru_cache(maxsize=1)
def _honest() -> Tables:
    return tables_of(_typed_week(_MANY))


@lru_cache(maxsize=1)  # the checks of one detector come one after the other
def _whole(detector: Detector, example: Example) -> tuple[Tables, list[Suspicion | Speaks]]:
    """Its example, and what it says of it."""
    over = over_example(example)
    return over, told(detector, over)


def over_example(example: Example, *, people: int = _MANY, **how: Any) -> Tables:
    """Tables over an example's rows, in a database of their own."""
    return tables_of(_typed_rows(example, people), **how)


def told(detector: Detector, over: Tables) -> list[Suspicion | Speaks]:
    """All that a detector says."""
    return list(detector.judge(_counted(detector, over)))


def _counted(detector: Detector, over: Tables) -> dict[str, pa.Table]:
    """What it counts. Over the tables of tests a rule becomes SQL once: that takes longer than running it does."""
    if type(detector) not in DETECTORS or not _is_bare(over):
        return {name: expression.to_pyarrow() for name, expression in detector.count(over).items()}
    connection = over.hits.get_backend().con
    counts = _counts(detector, over).items()
    return {name: connection.sql(sql).to_arrow_table().cast(schema) for name, (sql, schema) in counts}


def _counts(detector: Detector, over: Tables) -> dict[str, tuple[str, pa.Schema]]:
    key = (type(detector), repr(detector.policy), over.has)
    if key not in _COUNTS:
        _COUNTS[key] = {n: (_sql(e.op()), e.schema().to_pyarrow()) for n, e in _asked(detector, over).items()}
    return _COUNTS[key]


def _is_bare(over: Tables) -> bool:
    """Whether these are the two tables of DuckDB alone, of which `has` says everything."""
    more = (over.per_minute, over.events_per_minute, over.networks)
    if any(one is not None for one in more) or not isinstance(over.hits.get_backend(), DuckDB):
        return False
    return all(isinstance(one.op(), DatabaseTable) for one in (over.hits, over.events))


def _asked(detector: Detector, over: Tables) -> Mapping[str, Any]:
    """What it counts in tables that have these columns, whichever they are."""
    return detector.count(replace(over, hits=_HITS, events=_EVENTS))


@lru_cache(maxsize=32)  # columns are emptied one after the other, and many an expression stays as it was
def _sql(expression: Any) -> str:
    return _compiled(expression.to_expr())


def _compiled(expression: Any) -> str:
    return str(ibis.duckdb.compile(expression))


def suspicions(said: Iterable[Suspicion | Speaks]) -> list[Suspicion]:
    """What accuses."""
    return [one for one in said if isinstance(one, Suspicion)]


def finds_its_pattern(detector: Detector, example: Example) -> None:
    """Names everybody it must, with the reasons it must give, and nobody who is spared."""
    said = suspicions(_whole(detector, example)[1])
    named = {subject for one in said for subject in (one.subject, *one.members)}
    assert example.finds <= named, f"not named: {sorted(map(str, example.finds - named))}"
    assert example.codes <= {one.code for one in said}
    assert not example.spared & named
    if not example.accuses:
        assert not said


def abstains(detector: Detector, example: Example) -> None:
    """Says nothing of an empty table and nothing of a pattern that is too small."""
    assert not told(detector, tables())
    little = example.too_little
    assert little.hits or little.events
    assert not suspicions(told(detector, tables(hits=little.hits, events=little.events)))


def explains_itself(detector: Detector, example: Example) -> None:
    """Each reason can be read in both languages, has its figures, and leads to rows that are there."""
    over, said = _whole(detector, example)
    for one in said:
        assert _CODE.fullmatch(one.code), one.code
        assert one.code.startswith(f"{detector.code}."), one.code
        assert _CHINESE.search(one.says.zh), one.says.zh
        assert one.says.en
        assert not _CHINESE.search(one.says.en), one.says.en
        assert math.isfinite(one.weight)
        assert one.subject.id
    for one in suspicions(said):
        assert one.weight > 0
        assert all(map(math.isfinite, (one.measured, one.expected, one.threshold)))
        assert one.first_at_us <= one.last_at_us
        assert one.wanted, f"{one.code} rests on no rows"
        for wanted in one.wanted:
            assert rows_behind(over, wanted), f"{one.code}: no rows for {wanted}"


def survives_missing_columns(detector: Detector, example: Example) -> None:
    """Any one column may be empty; without one that it needs it says nothing.

    Only the columns that its expressions name are tried: what is not asked for cannot be missed.
    """
    whole = over_example(example, people=_FEW)
    asked = "\n".join(_sql(expression.op()) for expression in _asked(detector, whole).values())
    named = {column for column in whole.has if f'"{column.partition(".")[2]}"' in asked}
    for column in sorted((named | detector.needs) - _NEVER_MISSING):
        with without(whole, column) as less:
            said = told(detector, less)
        if column in detector.needs:
            assert not said, f"it spoke without {column}"
        explained = [one.code for one in said]
        assert all(_CODE.fullmatch(code) for code in explained)


def says_the_same(detector: Detector, example: Example) -> None:
    """Whatever the order of rows and the number of threads."""
    whole, said = _whole(detector, example)
    first = as_text(said)
    for shuffled, threads in ((1, 2), (2, 1), (3, 2)):
        over = over_example(example, shuffled=shuffled, threads=threads)
        assert as_text(told(detector, over)) == first
    first_asked = {name: sql for name, (sql, _) in _counts(detector, whole).items()}
    asked = {name: _compiled(one) for name, one in _asked(detector, over).items()}
    assert asked == first_asked, "it counts the same each time"


def spares_honest_people(detector: Detector) -> None:
    """An honest week gives no suspicion."""
    said = suspicions(told(detector, _honest()))
    assert not said, f"{len(said)} accused, first: {said[0]}"


def rows_behind(over: Tables, wanted: Wanted) -> int:
    """How many rows a request selects, asked for in the plainest way."""
    table = over.hits if wanted.table == "hits" else over.events
    rows = table.filter(True)  # noqa: FBT003 - Ibis
    for column, value in wanted.where.items():
        rows = rows.filter(rows[column].isin(value if isinstance(value, tuple) else (value,)))
    if wanted.from_us is not None:
        rows = rows.filter(rows.at_us >= wanted.from_us)
    if wanted.until_us is not None:
        rows = rows.filter(rows.at_us <= wanted.until_us)
    if wanted.event_ids:
        rows = rows.filter(rows.event_id.isin(wanted.event_ids))
    return int(rows.count().to_pyarrow().as_py())


def as_text(said: Sequence[Suspicion | Speaks]) -> str:
    """Every bit of what was said, in the order it was said."""
    return "\n".join(json.dumps(_plain(one), ensure_ascii=False) for one in said)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value


CHECKS = (
    finds_its_pattern,
    abstains,
    explains_itself,
    survives_missing_columns,
    says_the_same,
)
