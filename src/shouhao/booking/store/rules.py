"""The limits in force, read from the versioned policies."""

from sqlalchemy import Connection

from shouhao.booking.limits import KIND, LimitsPolicy, limits_from
from shouhao.store import policies
from shouhao.store.policies import PolicyVersion


def limits_in_force(connection: Connection, *, now_us: int) -> LimitsPolicy:
    """The newest version that has begun, or the defaults when the hospital has set none."""
    return limits_of(policies.effective(connection, KIND, now_us=now_us))


def limits_of(kept: PolicyVersion | None) -> LimitsPolicy:
    """The limits that a kept version says, or the defaults."""
    return LimitsPolicy() if kept is None else limits_from(kept.body)
