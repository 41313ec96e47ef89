"""Release: sessions whose time has come, and the opening of their slots."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from shouhao.booking.tables import sessions, slots


def due_sessions(connection: Connection, *, now_us: int, limit: int) -> list[str]:
    """Ids of planned sessions whose release time has come, earliest first."""
    rows = connection.execute(
        select(sessions.c.id)
        .where(sessions.c.state == "planned", sessions.c.release_at_us <= now_us)
        .order_by(sessions.c.release_at_us, sessions.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


def next_release_us(connection: Connection) -> int | None:
    """When the next planned session opens."""
    return connection.execute(select(func.min(sessions.c.release_at_us)).where(sessions.c.state == "planned")).scalar()


def open_sessions(connection: Connection, ids: Sequence[str], *, now_us: int) -> int:
    """Open locked sessions and their planned slots; how many slots that were."""
    connection.execute(
        update(sessions)
        .where(sessions.c.id.in_(ids), sessions.c.state == "planned")
        .values(state="released", released_at_us=now_us)
    )
    opened = connection.execute(
        update(slots).where(slots.c.session_id.in_(ids), slots.c.state == "planned").values(state="free")
    )
    return opened.rowcount


def close_session(connection: Connection, session_id: str) -> None:
    """A session that is over takes no more bookings."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(state="closed"))
