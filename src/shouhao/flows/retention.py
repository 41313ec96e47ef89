"""Retention: pictures that have served their time are erased, each day's as its time is over (Video Regulation 17)."""

from shouhao.compliance.store import retention_days
from shouhao.flows.law import note_retention
from shouhao.kernel.clock import DAY_US
from shouhao.store.engine import Database
from shouhao.watch.store.retention import served_stills
from shouhao.watch.store.stills import StillFolder, erase_still


def keep_to_retention(db: Database, stills: StillFolder, *, now_us: int) -> int:
    """Erase some of what has served its time; how many. Nothing while nobody has said how long pictures are kept."""
    with db.read() as connection:
        days = retention_days(connection)
        due = [] if days is None else list(served_stills(connection, before_us=now_us - days * DAY_US))
    if days is None:
        return 0
    for still_id in due:  # a unit of work each: erasing a file is not undone when a later one fails
        with db.write() as connection:
            erase_still(connection, stills, still_id, now_us=now_us)
    with db.write() as connection:
        note_retention(connection, now_us=now_us)
    return len(due)
