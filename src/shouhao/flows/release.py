"""Release: at its time a planned session opens, under its release policy, once and on record."""

from shouhao.booking.release.first_come import to_open
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import release as release_store
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.engine import Database


def release_due(db: Database, *, now_us: int, limit: int = 200) -> int:
    """Open every session whose time has come; how many. A restart in between neither loses nor repeats one."""
    with db.write() as connection:
        due = release_store.due_sessions(connection, now_us=now_us, limit=limit)
        if not due:
            return 0
        locked = desk_store.lock_sessions(connection, due)
        opening = to_open(list(locked.values()))
        release_store.open_sessions(connection, opening, now_us=now_us)
        event_log.append(
            connection,
            [
                Event(
                    at_us=now_us,
                    kind="released",
                    department_id=locked[session_id].department_id,
                    doctor_id=locked[session_id].doctor_id,
                    session_id=session_id,
                    released_at_us=now_us,
                    detail={"policy": "first_come"},
                )
                for session_id in opening
            ],
        )
        return len(opening)
