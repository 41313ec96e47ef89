"""Approvals store: requests and the decisions about them, locked while they change."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from shouhao.staff.tables import approval_decisions, approvals


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write a new request."""
    connection.execute(insert(approvals).values(**row))


def add_decision(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write one person's decision; a second one of the same person collides on the key."""
    connection.execute(insert(approval_decisions).values(**row))


def change(connection: Connection, approval_id: str, *, state: str, now_us: int) -> None:
    """Change the state of a row that is locked."""
    changed = update(approvals).where(approvals.c.id == approval_id).values(state=state, changed_at_us=now_us)
    connection.execute(changed)


def find(connection: Connection, approval_id: str, *, lock: bool = False) -> Any:
    """The row, or None; locked until the unit of work ends, where that is asked. SQLite has one writer anyway."""
    query = select(approvals).where(approvals.c.id == approval_id)
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def decisions(connection: Connection, approval_id: str) -> Sequence[Any]:
    """Decisions about a request, in their order."""
    query = select(approval_decisions).where(approval_decisions.c.approval_id == approval_id)
    return connection.execute(query.order_by(approval_decisions.c.at_us, approval_decisions.c.operator_id)).all()


def search(
    connection: Connection,
    *,
    kinds: Collection[str] | None,
    states: Collection[str] | None,
    subject: str | None,
    asked_by: str | None,
    limit: int,
) -> Sequence[Any]:
    """Rows, newest first."""
    query = select(approvals).order_by(approvals.c.id.desc()).limit(limit)
    if kinds is not None:
        query = query.where(approvals.c.kind.in_(sorted(kinds)))
    if states is not None:
        query = query.where(approvals.c.state.in_(sorted(states)))
    if subject is not None:
        query = query.where(approvals.c.subject == subject)
    if asked_by is not None:
        query = query.where(approvals.c.asked_by == asked_by)
    return connection.execute(query).all()


def due(connection: Connection, *, now_us: int, limit: int) -> Sequence[Any]:
    """Rows that time has ended and that are still open, locked; those that another worker holds are left to it."""
    query = (
        select(approvals)
        .where(approvals.c.state.in_(("asked", "approved")), approvals.c.ends_at_us <= now_us)
        .order_by(approvals.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(query).all()
