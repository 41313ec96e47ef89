"""Throttle store: counters of failures, and from where people have signed in; all of it by keyed hash."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, literal, select, text, update

from shouhao.staff.tables import known_addresses, throttles

#: One statement: between making a row and locking it, another's success could drop it. Writing what stands there locks.
_LOCKED = text(
    "INSERT INTO staff_throttles (key, failures, failed_at_us, until_us) VALUES (:key, 0, 0, 0)"
    " ON CONFLICT (key) DO UPDATE SET failures = staff_throttles.failures"
    " RETURNING failures, failed_at_us, until_us"
)
_KNOW = text(
    "INSERT INTO staff_known_addresses (key, signed_in_at_us) VALUES (:key, :now_us)"
    " ON CONFLICT (key) DO UPDATE SET signed_in_at_us = excluded.signed_in_at_us"
)


def locked(connection: Connection, keys: Sequence[str]) -> dict[str, Any]:
    """The counters, made where they were not, locked in one order until the unit of work ends."""
    return {key: connection.execute(_LOCKED, {"key": key}).one() for key in sorted(keys)}


def put(connection: Connection, key: str, *, failures: int, failed_at_us: int, until_us: int) -> None:
    """Write a counter that is locked."""
    changed = update(throttles).where(throttles.c.key == key)
    connection.execute(changed.values(failures=failures, failed_at_us=failed_at_us, until_us=until_us))


def drop(connection: Connection, keys: Sequence[str]) -> None:
    """Start these counters anew."""
    connection.execute(delete(throttles).where(throttles.c.key.in_(sorted(keys))))


def take_back(connection: Connection, key: str, *, now_us: int) -> None:
    """One try was none: the counter loses it, and nobody waits because of it."""
    changed = update(throttles).where(throttles.c.key == key, throttles.c.failures > 0)
    connection.execute(changed.values(failures=throttles.c.failures - 1, until_us=now_us))


def is_known(connection: Connection, key: str, *, since_us: int) -> bool:
    """Whether this login has signed in from this address since then."""
    query = select(literal(1)).where(known_addresses.c.key == key, known_addresses.c.signed_in_at_us > since_us)
    return connection.execute(query).first() is not None


def know(connection: Connection, key: str, *, now_us: int) -> None:
    """Remember that this login has signed in from this address."""
    connection.execute(_KNOW, {"key": key, "now_us": now_us})


def forget(connection: Connection, *, failed_before_us: int, known_before_us: int) -> int:
    """Drop what no longer counts, except what somebody counts just now; how many rows went."""
    long_ago = select(throttles.c.key).where(throttles.c.failed_at_us < failed_before_us)
    old = delete(throttles).where(throttles.c.key.in_(long_ago.with_for_update(skip_locked=True)))
    strange = delete(known_addresses).where(known_addresses.c.signed_in_at_us < known_before_us)
    return connection.execute(old).rowcount + connection.execute(strange).rowcount
