"""A floor with cameras, ways and people at work, for tests of alarms: nothing in it is a real face."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from shouhao.flows.respond import check_in, step
from shouhao.kernel.clock import DAY_US, SECOND_US, to_us
from shouhao.kernel.randomness import Randomness, SystemRandomness
from shouhao.staff.model import Operator
from shouhao.staff.store import create_operator
from shouhao.staff.training import record_training
from shouhao.store.engine import Database
from shouhao.watch.alarm import Alarm, Asked
from shouhao.watch.cameras import Camera, Place
from shouhao.watch.model import Sighting
from shouhao.watch.store.alarms import find_alarm, raise_or_extend
from shouhao.watch.store.cameras import declare_view, put_camera, put_place, set_state
from shouhao.watch.store.ways import put_ways
from shouhao.watch.ways import Way, both_ways

NOW_US = to_us(datetime(2026, 3, 2, 1, 50, tzinfo=UTC))  # 09:50 at the hospital
ROLES = ("monitoring", "security", "guard", "police_liaison", "auditor")

#: id, floor, name, x, y: the way of the case, from the door over the escalator to a rest area on the fourth floor.
PLACES = (
    ("door", "1F", "门诊楼入口", 0.1, 0.8),
    ("hall", "1F", "挂号大厅", 0.45, 0.5),
    ("lift", "1F", "自动扶梯口", 0.8, 0.3),
    ("rest4", "4F", "四楼休息区", 0.7, 0.6),
)
WAYS = (("door", "hall", 15.0, 30.0), ("hall", "lift", 20.0, 45.0), ("lift", "rest4", 50.0, 90.0))


def sighting(number: int = 1, *, at_us: int = NOW_US, place: str = "door", **changed: Any) -> Sighting:
    seen = Sighting(
        passage_id=f"ps_{number}",
        camera_id=f"cam-{place}",
        place_id=place,
        entry_id="we_1",
        list_id="own",
        photo_id="ph_1",
        seen_at_us=at_us,
        arrived_at_us=at_us + SECOND_US,
        similarity_cos=0.62,
        threshold_cos=0.45,
        quality=0.8,
        frames=3,
        pack="sface",
        crop_id=None,
        scene_id=None,
    )
    return replace(seen, **changed)


def furnish_floor(connection: Connection, *, now_us: int = NOW_US) -> None:
    """Places, live cameras and the ways between them."""
    for number, (name, floor, zh, x, y) in enumerate(PLACES):
        put_place(connection, Place(id=name, building="门诊楼", floor=floor, name=zh), staff_id=None, now_us=now_us)
        camera = Camera(
            id=f"cam-{name}",
            device_id=f"3101010000119{number:07d}",
            name=zh,
            place_id=name,
            building="门诊楼",
            floor=floor,
            place_name=zh,
            x=x,
            y=y,
            zone="entrance" if name == "door" else "other",
            angle_deg=0.0,
            source="gat1400",
        )
        put_camera(connection, camera, staff_id=None, now_us=now_us)
        declare_view(connection, camera.id, staff_id="op_s", now_us=now_us)
        set_state(connection, camera.id, "live", staff_id="op_s", now_us=now_us)
    ways = [Way(from_id=f"cam-{a}", to_id=f"cam-{b}", shortest_s=s, usual_s=u) for a, b, s, u in WAYS]
    put_ways(connection, both_ways(ways), staff_id=None, now_us=now_us)


def operator(
    connection: Connection,
    name: str,
    *roles: str,
    trained: bool = True,
    randomness: Randomness | None = None,
    now_us: int = NOW_US,
) -> tuple[Operator, str]:
    """Somebody at work, trained unless said otherwise, and the key."""
    made, key = create_operator(
        connection, name, roles=frozenset(roles), now_us=now_us, randomness=randomness or SystemRandomness()
    )
    if trained:
        record_training(
            connection, made.id, trained_by="x", document="T-1", until_us=now_us + 30 * DAY_US, now_us=now_us
        )
    return made, key


def furnish(db: Database) -> dict[str, Operator]:
    """The floor, and one operator a role, with a second guard."""
    with db.write() as connection:
        furnish_floor(connection)
        people = {role: operator(connection, role, role)[0] for role in ROLES}
        people["guard2"], _ = operator(connection, "guard2", "guard")
    with db.write() as connection:
        check_in(connection, place_id="lift", operator=people["guard"], now_us=NOW_US)
        check_in(connection, place_id="rest4", operator=people["guard2"], now_us=NOW_US)
    return people


def raised(db: Database, seen: Sighting | None = None, *, now_us: int = NOW_US) -> Alarm:
    with db.write() as connection:
        alarm_id = raise_or_extend(connection, seen or sighting(), now_us=now_us).alarm_id
        found = find_alarm(connection, alarm_id)
    assert found is not None
    return found


def stepped(db: Database, alarm: Alarm, asked: Asked, who: Operator, *, now_us: int = NOW_US) -> Alarm:
    """One step by somebody who sees the alarm as it is."""
    with db.write() as connection:
        now = find_alarm(connection, alarm.id)
        assert now is not None
        seen = replace(asked, expected_version=now.version, dispatch_id=asked.dispatch_id or now.dispatch_id)
        return step(connection, alarm_id=alarm.id, asked=seen, operator=who, now_us=now_us)


def sent(db: Database, people: Mapping[str, Operator], alarm: Alarm | None = None, *, guard: str = "guard") -> Alarm:
    """An alarm that a person confirmed, with a guard on the way."""
    alarm = alarm or raised(db)
    stepped(db, alarm, Asked(step="acknowledged"), people["monitoring"])
    stepped(db, alarm, Asked(step="confirmed"), people["monitoring"])
    return stepped(db, alarm, Asked(step="dispatched", guard_id=people[guard].id), people["monitoring"])
