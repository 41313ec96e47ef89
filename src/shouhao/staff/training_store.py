"""Training store: records of training, which are only added."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from shouhao.staff.tables import operators, trainings


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write a record."""
    connection.execute(insert(trainings).values(**row))


def is_active(connection: Connection, operator_id: str) -> bool:
    """Whether there is an active operator of this id."""
    query = select(operators.c.id).where(operators.c.id == operator_id, operators.c.active)
    return connection.execute(query).first() is not None


def newest_first(connection: Connection, operator_id: str) -> Sequence[Any]:
    """Records of one operator."""
    query = select(trainings).where(trainings.c.operator_id == operator_id).order_by(trainings.c.id.desc())
    return connection.execute(query).all()


def newest_ends(connection: Connection) -> dict[str, int]:
    """Until when the newest record of each operator is good."""
    query = select(trainings.c.operator_id, trainings.c.until_us).order_by(trainings.c.id)
    return {row.operator_id: row.until_us for row in connection.execute(query)}
