"""Schema: one `MetaData` on which each room hangs its tables (`<room>/tables.py`).

Instants are `BigInteger` microseconds and named `*_us`; days are ISO text; money is whole cents; ids are text.
These read the same in SQLite and PostgreSQL, so there is one SQL for both.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Identifiers compare byte by byte on PostgreSQL too: faster than a locale's order, and the same everywhere.
Identifier = Text().with_variant(Text(collation="C"), "postgresql")
#: A growing number; SQLite needs INTEGER for its row id.
Serial = BigInteger().with_variant(Integer, "sqlite")


def identifier(name: str, *args: Any, nullable: bool = False, **options: Any) -> Column[str]:
    """A column that holds an id or another short code."""
    return Column(name, Identifier, *args, nullable=nullable, **options)


def instant(name: str, *, nullable: bool = False) -> Column[int]:
    """A column that holds microseconds since 1970-01-01 UTC; its name ends in `_us`."""
    return Column(name, BigInteger, nullable=nullable)
