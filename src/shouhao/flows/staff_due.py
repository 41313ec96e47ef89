"""Staff due: what time does to staff's affairs: requests that nobody decided end, old sessions and counters go."""

from shouhao.staff.approvals import expire_due
from shouhao.staff.sessions import forget_sessions
from shouhao.staff.throttle import forget_throttles
from shouhao.store.engine import Database


def staff_due(db: Database, *, now_us: int) -> int:
    """Do what is due; how many rows that changed."""
    with db.write() as connection:
        expired = expire_due(connection, now_us=now_us)
    with db.write() as connection:
        return expired + forget_sessions(connection, now_us=now_us) + forget_throttles(connection, now_us=now_us)
