"""Sessions store: one row a session, by the hash of its cookie."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from shouhao.staff.model import Operator, check_roles
from shouhao.staff.tables import logins, operators, sessions

if TYPE_CHECKING:
    from shouhao.staff.sessions import Session


def add(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write a new session."""
    connection.execute(insert(sessions).values(**row))


def find(connection: Connection, id_hash: str) -> "Session | None":
    """An open session of an active operator, with the roles that they have now."""
    from shouhao.staff.sessions import Session  # noqa: PLC0415 - it uses this store

    query = (
        select(
            sessions.c.public_id,
            sessions.c.stage,
            sessions.c.zone,
            sessions.c.began_at_us,
            sessions.c.seen_at_us,
            sessions.c.ends_at_us,
            operators.c.id,
            operators.c.name,
            operators.c.roles,
            operators.c.doctor_id,
            operators.c.unit,
            logins.c.login,
        )
        .join(operators, operators.c.id == sessions.c.operator_id)
        .join(logins, logins.c.operator_id == operators.c.id)
        .where(sessions.c.id_hash == id_hash, sessions.c.ended_at_us.is_(None), operators.c.active)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    operator = Operator(
        id=row.id, name=row.name, roles=check_roles(row.roles.split(",")), doctor_id=row.doctor_id, unit=row.unit
    )
    return Session(
        id=row.public_id,
        operator=operator,
        login=row.login,
        stage=row.stage,
        zone=row.zone,
        began_at_us=row.began_at_us,
        seen_at_us=row.seen_at_us,
        ends_at_us=row.ends_at_us,
    )


def is_open(connection: Connection, public_id: str) -> bool:
    """Whether nobody has ended this session."""
    query = select(sessions.c.public_id).where(sessions.c.public_id == public_id, sessions.c.ended_at_us.is_(None))
    return connection.execute(query).first() is not None


def see(connection: Connection, id_hash: str, *, now_us: int) -> None:
    """Note that a request came."""
    changed = update(sessions).where(sessions.c.id_hash == id_hash, sessions.c.seen_at_us < now_us)
    connection.execute(changed.values(seen_at_us=now_us))


def end(
    connection: Connection,
    *,
    now_us: int,
    id_hash: str | None = None,
    operator_id: str | None = None,
    but: str | None = None,
) -> list[tuple[str, str]]:
    """End open sessions, of one cookie or one operator; id and operator of each."""
    changed = update(sessions).where(sessions.c.ended_at_us.is_(None)).values(ended_at_us=now_us)
    if id_hash is not None:
        changed = changed.where(sessions.c.id_hash == id_hash)
    else:
        changed = changed.where(sessions.c.operator_id == operator_id)
    if but is not None:
        changed = changed.where(sessions.c.id_hash != but)
    rows = connection.execute(changed.returning(sessions.c.public_id, sessions.c.operator_id))
    return [(row.public_id, row.operator_id) for row in rows]


def forget(connection: Connection, *, before_us: int) -> int:
    """Drop sessions that were over before then; how many went."""
    return connection.execute(delete(sessions).where(sessions.c.ends_at_us < before_us)).rowcount
