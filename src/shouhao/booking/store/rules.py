"""The limits in force, read from the versioned policies."""

from sqlalchemy import Connection

from shouhao.booking.limits import KIND, LimitsPolicy, limits_from
from shouhao.store import policies


def limits_in_force(connection: Connection, *, now_us: int) -> LimitsPolicy:
    """The newest version that has begun, or the defaults when the hospital has set none."""
    kept = policies.effective(connection, KIND, now_us=now_us)
    return LimitsPolicy() if kept is None else limits_from(kept.body)
