"""Handovers' store: each has the next turn and one at most waits. Who takes over holds the row, so one person does."""

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.handover import Handover, Standing
from shouhao.watch.store.handover_tables import shift_handovers as table


def newest_handover(connection: Connection) -> Handover | None:
    """The last one, waiting or taken over; None before the first."""
    row = connection.execute(select(table).order_by(table.c.turn.desc()).limit(1)).one_or_none()
    return None if row is None else _handover(row)


def add_handover(connection: Connection, handover: Handover) -> None:
    """Keep one that waits, and tell of it; the note stays out of the event."""
    connection.execute(
        insert(table).values(
            id=handover.id,
            turn=handover.turn,
            handed_by=handover.handed_by,
            handed_at_us=handover.handed_at_us,
            note=handover.note,
            standing=msgspec.json.encode(handover.standing).decode(),
            remark="",
        )
    )
    standing = handover.standing
    detail = {
        "handover_id": handover.id,
        "turn": handover.turn,
        "alarms": len(standing.alarms),
        "cameras_out": len(standing.cameras_out),
        "guards": len(standing.guards),
    }
    told = Event(at_us=handover.handed_at_us, kind="shift_handed_over", staff_id=handover.handed_by, detail=detail)
    event_log.append(connection, [told])


def lock_handover(connection: Connection, handover_id: str) -> Handover:
    """One of them, held until the unit of work ends.

    Raises:
        NotFound: there is none of this id.
    """
    row = connection.execute(select(table).where(table.c.id == handover_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("handover", "handover_id")
    return _handover(row)


def set_taken(connection: Connection, handover_id: str, *, taken_by: str, remark: str, now_us: int) -> None:
    """It is taken over, by this person; told without the remark."""
    values = {"taken_by": taken_by, "taken_at_us": now_us, "remark": remark}
    connection.execute(update(table).where(table.c.id == handover_id, table.c.taken_by.is_(None)).values(**values))
    detail = {"handover_id": handover_id, "remarked": bool(remark)}
    event_log.append(connection, [Event(at_us=now_us, kind="shift_taken_over", staff_id=taken_by, detail=detail)])


def list_handovers(connection: Connection, *, since_us: int, most: int) -> list[Handover]:
    """Those handed over since then, the newest first."""
    found = select(table).where(table.c.handed_at_us >= since_us).order_by(table.c.turn.desc()).limit(most)
    return [_handover(row) for row in connection.execute(found)]


def _handover(row: Any) -> Handover:
    return Handover(
        id=row.id,
        turn=row.turn,
        handed_by=row.handed_by,
        handed_at_us=row.handed_at_us,
        note=row.note,
        standing=msgspec.json.decode(row.standing, type=Standing),
        taken_by=row.taken_by,
        taken_at_us=row.taken_at_us,
        remark=row.remark,
    )
