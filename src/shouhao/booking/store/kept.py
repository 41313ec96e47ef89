"""Places kept apart: the care pools of sessions from today on, and what went into and out of each."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, or_, select

from shouhao.booking.draw_tables import slot_moves
from shouhao.booking.store.release_policies import policy_of_text
from shouhao.booking.tables import sessions
from shouhao.kernel.clock import SECOND_US, day_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePoolOf:
    """What became of a session's places for people of 65 and older, disabled or pregnant."""

    session_id: str
    came: int  #: how often a place went into the pool
    moved_on: int  #: how often one left it because its time was over
    ends_at_us: int


def care_pools(connection: Connection, *, now_us: int) -> list[CarePoolOf]:
    """The sessions from today on of which a place ever went into the care pool."""
    into = slot_moves.c.way == "care"
    over = and_(slot_moves.c.way == "window", slot_moves.c.why == "care_over")
    rows = connection.execute(
        select(
            sessions.c.id,
            sessions.c.starts_at_us,
            sessions.c.release_policy,
            func.sum(case((into, 1), else_=0)).label("came"),
            func.sum(case((over, 1), else_=0)).label("moved_on"),
        )
        .join(slot_moves, slot_moves.c.session_id == sessions.c.id)
        .where(sessions.c.day >= day_of(now_us).isoformat(), or_(into, over))
        .group_by(sessions.c.id, sessions.c.starts_at_us, sessions.c.release_policy)
        .order_by(sessions.c.starts_at_us, sessions.c.id)
    )
    return [
        CarePoolOf(
            session_id=row.id,
            came=int(row.came),
            moved_on=int(row.moved_on),
            ends_at_us=row.starts_at_us - policy_of_text(row.release_policy).policy.returns.care_until_s * SECOND_US,
        )
        for row in rows
    ]
