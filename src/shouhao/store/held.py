"""Held names: what has no row to lock is held by a name until the unit of work ends; others wait for it.

For looking before adding: whether somebody is on a list already, how much there is of something altogether.
"""

from sqlalchemy import Connection, text

from shouhao.store.engine import dialect_of

_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def hold(connection: Connection, name: str) -> None:
    """Wait until nobody else holds this name, and hold it. SQLite has one writer anyway.

    Args:
        name: with the room's own before it, such as `tips.pictures`.
    """
    if dialect_of(connection) == "postgresql":
        connection.execute(_HOLD, {"name": name})
