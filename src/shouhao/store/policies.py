"""Policies: rules that a hospital sets, kept as versioned data with the day they begin.

A version is never changed; a new one is added, with who and why. A room turns the body into its own typed policy.
Versions of one kind are added one after the other: whoever adds, or looks first at what is newest, holds the kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Integer, Table, Text, UniqueConstraint, func, insert, select, text

from shouhao.store import batch, held
from shouhao.store.schema import identifier, instant, metadata

policies = Table(
    "policies",
    metadata,
    identifier("kind"),  # booking_limits, binding
    Column("version", Integer, nullable=False),
    instant("effective_at_us"),
    Column("body", Text, nullable=False),  # JSON
    identifier("staff_id", nullable=True),
    Column("reason", Text, nullable=False),
    instant("created_at_us"),
    UniqueConstraint("kind", "version"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One version of one kind of policy."""

    kind: str
    version: int
    effective_at_us: int
    body: Mapping[str, Any]
    staff_id: str | None
    reason: str
    created_at_us: int


def effective(connection: Connection, kind: str, *, now_us: int) -> PolicyVersion | None:
    """The version in force: the newest of those that have begun."""
    row = connection.execute(
        select(policies)
        .where(policies.c.kind == kind, policies.c.effective_at_us <= now_us)
        .order_by(policies.c.version.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _version(row)


def all_effective(connection: Connection, *, now_us: int, prefix: str = "") -> dict[str, PolicyVersion]:
    """The version in force of every kind that has one, in one look.

    Args:
        prefix: only kinds that begin so; without it, only kinds that have no scope behind a colon.
    """
    which = {"now_us": now_us, "least": prefix, "most": prefix + "\x7f"} if prefix else {"now_us": now_us}
    return {
        kind: PolicyVersion(
            kind=kind,
            version=version,
            effective_at_us=effective_at_us,
            body=msgspec.json.decode(body),
            staff_id=staff_id,
            reason=reason,
            created_at_us=created_at_us,
        )
        for kind, version, effective_at_us, body, staff_id, reason, created_at_us in batch.rows(
            connection, _SCOPED if prefix else _PLAIN, which
        )
    }


_ALL_EFFECTIVE = """
    SELECT p.kind, p.version, p.effective_at_us, p.body, p.staff_id, p.reason, p.created_at_us FROM policies p
    WHERE p.version = (SELECT max(q.version) FROM policies q WHERE q.kind = p.kind AND q.effective_at_us <= :now_us)
    """
_PLAIN = text(_ALL_EFFECTIVE + "AND p.kind NOT LIKE '%:%'")
_SCOPED = text(_ALL_EFFECTIVE + "AND p.kind >= :least AND p.kind < :most")


def hold(connection: Connection, kind: str) -> None:
    """Keep others from adding versions of this kind until the unit of work ends."""
    held.hold(connection, f"policies:{kind}")


def newest(connection: Connection, kind: str) -> int:
    """The number of the newest version, begun or not; 0: there is none."""
    return connection.execute(select(func.max(policies.c.version)).where(policies.c.kind == kind)).scalar() or 0


def history(connection: Connection, kind: str) -> list[PolicyVersion]:
    """All versions, oldest first."""
    rows = connection.execute(select(policies).where(policies.c.kind == kind).order_by(policies.c.version))
    return [_version(row) for row in rows]


def add(
    connection: Connection,
    kind: str,
    body: Mapping[str, Any],
    *,
    effective_at_us: int,
    staff_id: str | None,
    reason: str,
    now_us: int,
) -> int:
    """Add the next version and return its number; two at once are one after the other."""
    hold(connection, kind)
    version = newest(connection, kind) + 1
    connection.execute(
        insert(policies).values(
            kind=kind,
            version=version,
            effective_at_us=effective_at_us,
            body=msgspec.json.encode(dict(body)).decode(),
            staff_id=staff_id,
            reason=reason,
            created_at_us=now_us,
        )
    )
    return version


def _version(row: Any) -> PolicyVersion:
    return PolicyVersion(
        kind=row.kind,
        version=row.version,
        effective_at_us=row.effective_at_us,
        body=msgspec.json.decode(row.body),
        staff_id=row.staff_id,
        reason=row.reason,
        created_at_us=row.created_at_us,
    )
