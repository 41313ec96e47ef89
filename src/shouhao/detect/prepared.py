"""Prepared counting: the same expressions looked up again and again are built and compiled once.

Building what a detector counts takes longer than counting it in a quiet minute. What comes out is what the expressions
themselves would give.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from ibis.backends.duckdb.converter import DuckDBPyArrowData

from shouhao.detect.model import Detector, Tables

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Prepared:
    """Counts for the detectors of one connection, whose `hits` and `events` keep their columns and change their rows.

    Only for detectors that are the same whenever they are made.
    """

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self._connection = connection
        self._known: dict[tuple[type[Detector], frozenset[str]], Mapping[str, tuple[Any, str]]] = {}

    def __call__(self, detector: Detector, tables: Tables) -> dict[str, pa.Table]:
        """What a detector counts in some tables, by name."""
        key = type(detector), tables.has
        if key not in self._known:
            counted = detector.count(tables)
            self._known[key] = {name: (expression, expression.compile()) for name, expression in counted.items()}
        return {
            name: expression.__pyarrow_result__(
                self._connection.execute(sql).to_arrow_table(), data_mapper=DuckDBPyArrowData
            )
            for name, (expression, sql) in self._known[key].items()
        }
