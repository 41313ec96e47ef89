"""Ways' store: the walking times that the hospital gave, as a whole that was checked as a whole."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.held import hold
from shouhao.watch.store.camera_tables import cameras, ways
from shouhao.watch.ways import Way, check_ways


def list_ways(connection: Connection) -> list[Way]:
    """The direct ways, as they were given."""
    rows = connection.execute(select(ways).order_by(ways.c.from_id, ways.c.to_id)).mappings()
    return [Way(**row) for row in rows]


def put_ways(connection: Connection, given: Sequence[Way], *, staff_id: str | None, now_us: int) -> None:
    """Replace all ways by these.

    Raises:
        InvalidInput: a way breaks a rule, stands twice, or names a camera that nobody registered.
        ShorterWayRound: a direct way is longer than a way round.
    """
    check_ways(given)
    hold(connection, "watch.ways")  # two who replace them at once would each leave the other's
    known = set(connection.scalars(select(cameras.c.id)))
    seen = set()
    for way in given:
        for field, camera_id in (("from", way.from_id), ("to", way.to_id)):
            if camera_id not in known:
                raise InvalidInput(field, zh="没有这台摄像机", en="there is no such camera")
        if (way.from_id, way.to_id) in seen:
            raise InvalidInput("to", zh="同一方向重复", en="the same way stands twice")
        seen.add((way.from_id, way.to_id))
    connection.execute(delete(ways))
    if given:
        rows = [
            {"from_id": w.from_id, "to_id": w.to_id, "shortest_s": w.shortest_s, "usual_s": w.usual_s} for w in given
        ]
        connection.execute(insert(ways), rows)
    detail = {"change": "ways", "count": len(given)}
    event_log.append(connection, [Event(at_us=now_us, kind="camera_changed", staff_id=staff_id, detail=detail)])
