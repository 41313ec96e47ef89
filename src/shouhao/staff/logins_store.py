"""Logins store: what a person signs in with: a password's hash, a second factor, a one-time login that waits."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shouhao.staff.tables import logins, operators


def find(connection: Connection, login: str, *, lock: bool = False) -> Any:
    """The row of an active operator's login, with the operator's own columns, or None."""
    query = (
        select(logins, operators.c.name, operators.c.roles, operators.c.doctor_id, operators.c.unit)
        .join(operators, operators.c.id == logins.c.operator_id)
        .where(logins.c.login == login, operators.c.active)
    )
    return connection.execute(query.with_for_update(of=logins) if lock else query).one_or_none()


def of_operator(connection: Connection, operator_id: str, *, lock: bool = False) -> Any:
    """The row of an operator, or None."""
    query = select(logins).where(logins.c.operator_id == operator_id)
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def is_taken(connection: Connection, login: str) -> bool:
    """Whether anybody has or had this login; it is never given to another person."""
    return connection.execute(select(logins.c.login).where(logins.c.login == login)).first() is not None


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write a new login."""
    connection.execute(insert(logins).values(**row))


def change(connection: Connection, operator_id: str, values: Mapping[str, Any]) -> None:
    """Change a login."""
    connection.execute(update(logins).where(logins.c.operator_id == operator_id).values(**values))


def all_logins(connection: Connection) -> dict[str, Any]:
    """By operator: the login, whether it is set up, whether a one-time login waits."""
    query = select(
        logins.c.operator_id, logins.c.login, logins.c.password_hash, logins.c.factor_sealed, logins.c.one_time_until_us
    )
    return {row.operator_id: row for row in connection.execute(query)}
