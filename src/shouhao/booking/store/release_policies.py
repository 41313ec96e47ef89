"""Release policies in the database: the versions in force, and what each session was released under."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from shouhao.booking.draw_tables import draw_targets, draws
from shouhao.booking.release.policy import (
    DEFAULT,
    PREFIX,
    InForce,
    in_force,
    inherits,
    release_body,
    release_from,
)
from shouhao.booking.release.policy_changes import Ruled
from shouhao.booking.tables import departments, doctors, sessions, slots
from shouhao.store import policies
from shouhao.store.policies import PolicyVersion


def policies_in_force(connection: Connection, *, now_us: int) -> dict[str, InForce]:
    """The version in force of every scope that has a policy of its own."""
    kept = policies.all_effective(connection, now_us=now_us, prefix=PREFIX)
    return {scope: policy_of(version) for scope, version in kept.items() if not inherits(version.body)}


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


def scope_exists(connection: Connection, scope: str) -> bool:
    """Whether the doctor or department of a scope is known; kinds and everywhere always are."""
    what, _, which = scope.partition(":")
    table = {"department": departments, "doctor": doctors}.get(what)
    return table is None or connection.execute(select(table.c.id).where(table.c.id == which)).scalar() is not None


def planned_in(connection: Connection, scope: str, *, from_us: int) -> list[Ruled]:
    """Sessions of a scope that are released from that moment on and no draw's yet, the next to be released first."""
    query = _ruled_sessions().where(
        _of_scope(scope),
        sessions.c.state == "planned",
        sessions.c.draw_id.is_(None),
        sessions.c.release_at_us >= from_us,
    )
    rows = connection.execute(query.order_by(sessions.c.release_at_us, sessions.c.id))
    return [_ruled(row) for row in rows]


def in_open_draws(connection: Connection, scope: str) -> list[tuple[Ruled, str]]:
    """Sessions of a scope whose draw takes entries or is not made yet, each with the scope it is drawn under."""
    query = (
        _ruled_sessions()
        .add_columns(draws.c.scope)
        .join(draw_targets, draw_targets.c.session_id == sessions.c.id)
        .join(draws, draws.c.id == draw_targets.c.draw_id)
        .where(_of_scope(scope), draws.c.kind == "release", draws.c.state.in_(["open", "sealed"]))
    )
    return [(_ruled(row), row.scope) for row in connection.execute(query.order_by(sessions.c.id))]


def _ruled_sessions() -> Any:
    counted = (
        select(func.count())
        .select_from(slots)
        .where(and_(slots.c.session_id == sessions.c.id, slots.c.state == "planned", ~slots.c.extra))
        .scalar_subquery()
    )
    return select(sessions, counted.label("capacity")).select_from(sessions)


def _ruled(row: Any) -> Ruled:
    return Ruled(
        id=row.id,
        department_id=row.department_id,
        doctor_id=row.doctor_id,
        kind=row.kind,
        release_at_us=row.release_at_us,
        capacity=row.capacity,
    )


def _of_scope(scope: str) -> ColumnElement[bool]:
    what, _, which = scope.partition(":")
    columns = {"doctor": sessions.c.doctor_id, "department": sessions.c.department_id, "kind": sessions.c.kind}
    column = columns.get(what)
    return true() if column is None else column == which


def rules_of(kept: dict[str, InForce], rows: Sequence[Any]) -> dict[str, InForce]:
    """The policy that rules each session of these rows (id, department_id, doctor_id, kind)."""
    return {
        row.id: in_force(kept, department_id=row.department_id, doctor_id=row.doctor_id, kind=row.kind) for row in rows
    }


def department_of(connection: Connection, doctor_id: str) -> str | None:
    """The department of a doctor, or None when there is no such doctor."""
    found: str | None = connection.scalar(select(doctors.c.department_id).where(doctors.c.id == doctor_id))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionName:
    """What people call a session."""

    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str
    kind: str


def names_of_sessions(connection: Connection, ids: Iterable[str]) -> dict[str, SessionName]:
    """The names of these sessions."""
    query = (
        select(
            sessions.c.id,
            sessions.c.day,
            sessions.c.half,
            sessions.c.kind,
            departments.c.name_zh.label("department_zh"),
            departments.c.name_en.label("department_en"),
            doctors.c.name_zh.label("doctor_zh"),
            doctors.c.name_en.label("doctor_en"),
        )
        .join(departments, departments.c.id == sessions.c.department_id)
        .outerjoin(doctors, doctors.c.id == sessions.c.doctor_id)
        .where(sessions.c.id.in_(list(ids)))
    )
    return {
        row.id: SessionName(
            department_zh=row.department_zh,
            department_en=row.department_en,
            doctor_zh=row.doctor_zh,
            doctor_en=row.doctor_en,
            day=row.day,
            half=row.half,
            kind=row.kind,
        )
        for row in connection.execute(query)
    }
