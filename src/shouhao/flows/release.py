"""Release: at its time a planned session opens, under its release policy, once and on record.

Sessions that go by draw are opened by their draw (draws.py): their time is when its window is over.
"""

from sqlalchemy import Connection

from shouhao.booking.release.policy import InForce, in_force
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import release as release_store
from shouhao.booking.store.release import Planned
from shouhao.booking.store.release_policies import policies_in_force
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import Database


def release_due(db: Database, *, now_us: int, limit: int = 200) -> int:
    """Open every session whose time has come; how many. A restart in between neither loses nor repeats one."""
    with db.write() as connection:
        due = release_store.due_sessions(connection, before_us=now_us, limit=limit)
        if not due:
            return 0
        kept = policies_in_force(connection, now_us=now_us)
        without_draw = {session.id for session in due if not ruling(kept, session).policy.draws()}
        locked = desk_store.lock_sessions(connection, without_draw)
        # A plan may have moved a release since it was looked at.
        opening = [s for s in release_store.still_planned(connection, locked) if s.release_at_us <= now_us]
        ruled = {session.id: ruling(kept, session) for session in opening}
        public = release_store.open_sessions(
            connection, {s.id: (s.starts_at_us, ruled[s.id]) for s in opening}, now_us=now_us
        )
        for session in opening:
            record_released(connection, session, ruled[session.id], public=public[session.id], now_us=now_us)
        return len(opening)


def ruling(kept: dict[str, InForce], session: Planned) -> InForce:
    """The policy that rules a planned session."""
    return in_force(kept, department_id=session.department_id, doctor_id=session.doctor_id, kind=session.kind)


def record_released(connection: Connection, session: Planned, by: InForce, *, public: int, now_us: int) -> None:
    """What is recorded of a release."""
    detail = {"policy": by.policy.kind, "scope": by.scope, "version": by.version, "public": public}
    happened = Event(
        at_us=now_us,
        kind="released",
        department_id=session.department_id,
        doctor_id=session.doctor_id,
        session_id=session.id,
        released_at_us=now_us,
        detail=detail,
    )
    event_log.append(connection, [happened])
