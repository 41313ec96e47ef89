"""Release policies in the database: the versions in force, and what each session was released under."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from shouhao.booking.release.policy import (
    DEFAULT,
    PREFIX,
    InForce,
    in_force,
    release_body,
    release_from,
)
from shouhao.booking.tables import sessions
from shouhao.store import policies
from shouhao.store.policies import PolicyVersion


def policies_in_force(connection: Connection, *, now_us: int) -> dict[str, InForce]:
    """The version in force of every scope that has one."""
    kept = policies.all_effective(connection, now_us=now_us, prefix=PREFIX)
    return {scope: policy_of(version) for scope, version in kept.items()}


def policy_of(version: PolicyVersion) -> InForce:
    """A kept version as the policy it says."""
    return InForce(policy=release_from(version.body), scope=version.kind, version=version.version)


def policy_text(ruled_by: InForce) -> str:
    """A policy with its scope and version, as a draw and a released session keep it."""
    body = {"scope": ruled_by.scope, "version": ruled_by.version, "policy": release_body(ruled_by.policy)}
    return msgspec.json.encode(body).decode()


def policy_of_text(kept: str | None) -> InForce:
    """What `policy_text` wrote; the default for what was released before there were policies."""
    if kept is None:
        return DEFAULT
    body = msgspec.json.decode(kept)
    return InForce(policy=release_from(body["policy"]), scope=body["scope"], version=body["version"])


def policies_of_sessions(connection: Connection, ids: Iterable[str]) -> dict[str, InForce]:
    """What each of these sessions was released under."""
    rows = connection.execute(select(sessions.c.id, sessions.c.release_policy).where(sessions.c.id.in_(list(ids))))
    read: dict[str | None, InForce] = {}
    found = {}
    for row in rows:
        if row.release_policy not in read:
            read[row.release_policy] = policy_of_text(row.release_policy)
        found[row.id] = read[row.release_policy]
    return found


def rules_of(kept: dict[str, InForce], rows: Sequence[Any]) -> dict[str, InForce]:
    """The policy that rules each session of these rows (id, department_id, doctor_id, kind)."""
    return {
        row.id: in_force(kept, department_id=row.department_id, doctor_id=row.doctor_id, kind=row.kind) for row in rows
    }
