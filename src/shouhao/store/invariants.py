"""Invariants: what must hold of the data at any time, as queries that return what breaks it.

Rooms list theirs in their `store.py`; `shouhao db check` and the worker run them all.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One sentence about the data, and the query that finds what contradicts it."""

    code: str
    zh: str
    en: str
    sql: str  #: returns one row for each contradiction; its first column names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An invariant that does not hold, with some of what breaks it."""

    code: str
    zh: str
    en: str
    count: int
    examples: tuple[str, ...]


def check(connection: Connection, invariants: Iterable[Invariant]) -> list[Violation]:
    """Run every query on one snapshot; an empty list means that all hold."""
    violations = []
    for invariant in invariants:
        broken = [str(row[0]) for row in connection.execute(text(invariant.sql))]
        if broken:
            violations.append(
                Violation(
                    code=invariant.code,
                    zh=invariant.zh,
                    en=invariant.en,
                    count=len(broken),
                    examples=tuple(broken[:_SHOWN]),
                )
            )
    return violations
