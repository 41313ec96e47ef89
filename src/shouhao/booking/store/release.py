"""Release: sessions whose time has come, and the opening of their slots, each part its own way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from shouhao.booking.release.mixed import merges_at_us, parts_that_fit, split
from shouhao.booking.release.policy import InForce, Part
from shouhao.booking.store.release_policies import policy_text
from shouhao.booking.store.waits import SlotState, set_slots
from shouhao.booking.tables import sessions, slots
from shouhao.booking.waitlist import waitlist_closes_at_us
from shouhao.kernel.clock import SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A session that is not released yet."""

    id: str
    department_id: str
    doctor_id: str | None
    kind: str
    starts_at_us: int
    release_at_us: int
    hot: bool


def due_sessions(connection: Connection, *, before_us: int, limit: int) -> list[Planned]:
    """Planned sessions that no draw allots, with a release time up to then, earliest first."""
    rows = connection.execute(
        select(sessions)
        .where(sessions.c.state == "planned", sessions.c.draw_id.is_(None), sessions.c.release_at_us <= before_us)
        .order_by(sessions.c.release_at_us, sessions.c.id)
        .limit(limit)
    )
    return [_planned(row) for row in rows]


def of_draw(connection: Connection, draw_id: str) -> list[Planned]:
    """The sessions of a draw that are not released yet."""
    query = select(sessions).where(sessions.c.draw_id == draw_id, sessions.c.state == "planned")
    return [_planned(row) for row in connection.execute(query.order_by(sessions.c.id))]


def still_planned(connection: Connection, ids: Iterable[str]) -> list[Planned]:
    """Those of these locked sessions that are planned and no draw's, as they are now."""
    query = select(sessions).where(
        sessions.c.id.in_(list(ids)), sessions.c.state == "planned", sessions.c.draw_id.is_(None)
    )
    return [_planned(row) for row in connection.execute(query.order_by(sessions.c.id))]


def next_release_us(connection: Connection) -> int | None:
    """When the next planned session opens that is not opened by its draw."""
    own = (sessions.c.state == "planned") & sessions.c.draw_id.is_(None)
    return connection.execute(select(func.min(sessions.c.release_at_us)).where(own)).scalar()


def name_draw(connection: Connection, session_ids: Sequence[str], draw_id: str) -> None:
    """These sessions are allotted by this draw."""
    connection.execute(update(sessions).where(sessions.c.id.in_(session_ids)).values(draw_id=draw_id))


def planned_slots(connection: Connection, session_ids: Iterable[str]) -> dict[str, list[str]]:
    """Ids of the planned slots of these sessions, in the order of their numbers."""
    rows = connection.execute(
        select(slots.c.session_id, slots.c.id)
        .where(slots.c.session_id.in_(list(session_ids)), slots.c.state == "planned", ~slots.c.extra)
        .order_by(slots.c.session_id, slots.c.number)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.session_id, []).append(row.id)
    return found


def open_sessions(connection: Connection, ruled: Mapping[str, tuple[int, InForce]], *, now_us: int) -> dict[str, int]:
    """Open locked, planned sessions and their slots, each part its own way; how many slots each public part has.

    Args:
        ruled: the start of each session and the policy that rules it.
    """
    public: dict[str, int] = {}
    become: list[SlotState] = []
    planned = planned_slots(connection, ruled)
    for session_id, (starts_at_us, ruled_by) in ruled.items():
        ids = planned.get(session_id, [])
        parts = split(ids, parts_that_fit(ruled_by.policy, len(ids))) if ids else {}
        states = [_opened(slot, part, starts_at_us, ruled_by, now_us) for slot, part in parts.items()]
        public[session_id] = sum(state.state == "free" for state in states)
        become += states
        mark_released(connection, session_id, starts_at_us=starts_at_us, ruled_by=ruled_by, now_us=now_us)
    set_slots(connection, become)
    return public


def mark_released(
    connection: Connection, session_id: str, *, starts_at_us: int, ruled_by: InForce, now_us: int
) -> None:
    """The session is released, and keeps what it was released under."""
    connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.state == "planned")
        .values(
            state="released",
            released_at_us=now_us,
            release_policy=policy_text(ruled_by),
            revisit_at_us=next_revisit_us(starts_at_us=starts_at_us, ruled_by=ruled_by, now_us=now_us),
        )
    )


def next_revisit_us(*, starts_at_us: int, ruled_by: InForce, now_us: int) -> int | None:
    """When something of a released session is over next: a part's own time, the waitlist's, the care pool's."""
    policy = ruled_by.policy
    moments = [
        waitlist_closes_at_us(session_starts_at_us=starts_at_us, rules=policy.waitlist),
        starts_at_us - policy.returns.care_until_s * SECOND_US,
        *(merges_at_us(part, session_starts_at_us=starts_at_us, policy=policy) for part in policy.mixed.parts),
    ]
    return min((at for at in moments if at is not None and at > now_us), default=None)


def close_session(connection: Connection, session_id: str) -> None:
    """A session that is over takes no more bookings."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(state="closed", revisit_at_us=None))


def _planned(row: Any) -> Planned:
    return Planned(
        id=row.id,
        department_id=row.department_id,
        doctor_id=row.doctor_id,
        kind=row.kind,
        starts_at_us=row.starts_at_us,
        release_at_us=row.release_at_us,
        hot=row.hot,
    )


def _opened(slot_id: str, part: Part, starts_at_us: int, ruled_by: InForce, now_us: int) -> SlotState:
    merges = merges_at_us(part, session_starts_at_us=starts_at_us, policy=ruled_by.policy)
    if part == "public" or (merges is not None and merges <= now_us):
        return SlotState(id=slot_id, state="free")
    return SlotState(id=slot_id, state="reserved", reserved_for=part)
