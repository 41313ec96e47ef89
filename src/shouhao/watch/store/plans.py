"""Plans' store: the picture of each floor. Nothing in it is secret, so it is not sealed."""

from sqlalchemy import Connection, insert, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.watch.plan import Plan
from shouhao.watch.store.camera_tables import places, plans


def put_plan(connection: Connection, plan: Plan, *, staff_id: str | None, now_us: int) -> None:
    """Keep a floor's plan in place of the one before.

    Raises:
        NotFound: no place is on that floor; places come first, so that a mistyped floor is told.
    """
    on = (places.c.building == plan.building, places.c.floor == plan.floor)
    if connection.scalar(select(places.c.id).where(*on).limit(1)) is None:
        raise NotFound("floor", "floor")
    values = {
        "media_type": plan.media_type,
        "content": plan.content,
        "sha256": plan.sha256,
        "width": plan.width,
        "height": plan.height,
        "changed_at_us": now_us,
    }
    this = (plans.c.building == plan.building, plans.c.floor == plan.floor)
    if connection.execute(update(plans).where(*this).values(**values)).rowcount == 0:
        connection.execute(insert(plans).values(building=plan.building, floor=plan.floor, **values))
    detail = {"change": "plan", "building": plan.building, "floor": plan.floor, "sha256": plan.sha256}
    event_log.append(connection, [Event(at_us=now_us, kind="camera_changed", staff_id=staff_id, detail=detail)])


def find_plan(connection: Connection, building: str, floor: str) -> Plan | None:
    """One floor's plan."""
    wanted = (plans.c.building, plans.c.floor, plans.c.media_type, plans.c.content, plans.c.sha256)
    query = select(*wanted, plans.c.width, plans.c.height)
    row = connection.execute(query.where(plans.c.building == building, plans.c.floor == floor)).mappings()
    found = row.one_or_none()
    return None if found is None else Plan(**found)


def list_plans(connection: Connection) -> list[tuple[str, str, str]]:
    """Building, floor and digest of each plan."""
    query = select(plans.c.building, plans.c.floor, plans.c.sha256).order_by(plans.c.building, plans.c.floor)
    return [(row.building, row.floor, row.sha256) for row in connection.execute(query)]
