"""Cameras' store: the register, what was heard of each, and the walking times between them.

A camera that is hung or turned elsewhere looks at something else: its declaration and its sign end, and it is planned
again. Passwords come here sealed. Plans are in plans.py, the writing of ways in ways.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import median
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.kernel.events import Event, EventKind
from shouhao.store import event_log
from shouhao.store.invariants import Invariant
from shouhao.watch.cameras import (
    OFFSETS_KEPT,
    Camera,
    CameraOff,
    CameraState,
    DeviceTaken,
    Health,
    HeardKind,
    Hours,
    NotDeclared,
    Place,
    check_camera,
    check_place,
    clock_offset_us,
    health_state,
)
from shouhao.watch.store.camera_tables import cameras, health, hours, places, ways
from shouhao.watch.ways import Way
from shouhao.watch.ways import walking_s as shortest_ways

_HEARD: Mapping[HeardKind, str] = {
    "register": "registered_at_us",
    "keepalive": "kept_alive_at_us",
    "capture": "captured_at_us",
    "stream": "streamed_at_us",
}
_DAYS_COMPARED = 7
_HOURS_KEPT_US = 15 * DAY_US
_VIEW = ("place_id", "angle_deg", "zone")  #: another of these, and the camera looks at something else
_LARGEST_OFFSET_US = 366 * DAY_US  #: a clock further off says nothing
INVARIANTS = (
    Invariant(
        code="watch.live_camera_undeclared",
        zh="启用的摄像机都有人声明过画面内没有禁止处所",
        en="of every live camera somebody declared that it sees no forbidden place",
        sql="SELECT id FROM watch_cameras WHERE state = 'live' AND (declared_by IS NULL OR declared_at_us IS NULL)",
    ),
)
_FOUND = (
    select(cameras, places.c.building, places.c.floor, places.c.name.label("place_name"), health.c.clock_offsets_us)
    .join_from(cameras, places, places.c.id == cameras.c.place_id)
    .join(health, health.c.camera_id == cameras.c.id)
)


def find_camera_by_device(connection: Connection, device_id: str) -> Camera | None:
    """The camera that names itself so; None for a stranger."""
    row = connection.execute(_FOUND.where(cameras.c.device_id == device_id)).mappings().one_or_none()
    return None if row is None else _camera(row)


def find_camera(connection: Connection, camera_id: str) -> Camera | None:
    """One camera, in whatever state."""
    row = connection.execute(_FOUND.where(cameras.c.id == camera_id)).mappings().one_or_none()
    return None if row is None else _camera(row)


def list_cameras(connection: Connection) -> list[Camera]:
    """All cameras, planned, live and off, by id."""
    return [_camera(row) for row in connection.execute(_FOUND.order_by(cameras.c.id)).mappings()]


def walking_s(connection: Connection) -> Mapping[tuple[str, str], tuple[float, float]]:
    """For each two cameras that some way joins: the shortest and the usual seconds from the first to the second."""
    rows = connection.execute(select(ways).order_by(ways.c.from_id, ways.c.to_id)).mappings()
    return _walking(tuple(Way(**row) for row in rows))


def note_heard(
    connection: Connection,
    camera_id: str,
    *,
    at_us: int,
    what: HeardKind,
    clock_offset_us: int | None = None,
    count: int = 1,
) -> None:
    """Keep that something was heard of a camera; who hears much gathers for a second and tells it at once.

    Args:
        at_us: when it arrived, by our clock.
        clock_offset_us: the device's clock less ours, where what was heard tells it.
        count: how many captures.
    """
    mine = select(health).where(health.c.camera_id == camera_id).with_for_update(key_share=True)
    row = connection.execute(mine).one_or_none()
    if row is None:
        return  # it was never registered here; whoever heard it has said so already
    column = _HEARD[what]
    values: dict[str, Any] = {column: max(at_us, getattr(row, column) or 0), "offline": False}
    if clock_offset_us is not None and abs(clock_offset_us) <= _LARGEST_OFFSET_US:
        kept = [*msgspec.json.decode(row.clock_offsets_us, type=list[int]), clock_offset_us]
        values["clock_offsets_us"] = msgspec.json.encode(kept[-OFFSETS_KEPT:]).decode()
    connection.execute(update(health).where(health.c.camera_id == camera_id).values(**values))
    if what == "capture":
        _count(connection, camera_id, at_us, count)
    if row.offline:
        _tell(connection, "camera_health", camera_id, "online", now_us=at_us)


def note_offline(connection: Connection, *, now_us: int) -> list[str]:
    """Tell of each live camera that went silent, once; their ids. Hours that nothing is compared with are forgotten."""
    silent = _silent(list_health(connection), now_us=now_us)
    live = connection.scalars(select(cameras.c.id).where(cameras.c.id.in_(silent), cameras.c.state == "live")).all()
    lost = _silent(_held_health(connection, live), now_us=now_us)  # something may have been heard since
    for camera_id in lost:
        connection.execute(update(health).where(health.c.camera_id == camera_id).values(offline=True))
        _tell(connection, "camera_health", camera_id, "offline", now_us=now_us)
    connection.execute(delete(hours).where(hours.c.hour_us < now_us - _HOURS_KEPT_US))
    return lost


def list_health(connection: Connection) -> list[Health]:
    """What was heard of every camera, by id."""
    return [_health(row) for row in connection.execute(select(health).order_by(health.c.camera_id)).mappings()]


def hours_of(connection: Connection, *, now_us: int) -> dict[str, Hours]:
    """Captures of every camera in the last whole hour, and what is usual at that hour."""
    last = now_us // HOUR_US * HOUR_US - HOUR_US
    before = [last - day * DAY_US for day in range(1, _DAYS_COMPARED + 1)]
    counted: dict[str, dict[int, int]] = {}
    query = select(hours).where(hours.c.hour_us.in_([last, *before]))
    for row in connection.execute(query):
        counted.setdefault(row.camera_id, {})[row.hour_us] = row.captures
    firsts = select(hours.c.camera_id, func.min(hours.c.hour_us).label("first_us")).group_by(hours.c.camera_id)
    first = {row.camera_id: int(row.first_us) for row in connection.execute(firsts)}
    # A day on which the camera counted anything before that hour was one on which it could have counted.
    return {
        camera_id: Hours(
            last=counted.get(camera_id, {}).get(last, 0),
            usual=median(days)
            if (days := [counted.get(camera_id, {}).get(at, 0) for at in before if at >= first[camera_id]])
            else None,
        )
        for camera_id in first
    }


def put_place(connection: Connection, place: Place, *, staff_id: str | None, now_us: int) -> None:
    """Add a place, or change what it is called.

    Raises:
        ForbiddenPlace, InvalidInput: as `check_place`.
    """
    place = check_place(place)
    values = {"building": place.building, "floor": place.floor, "name": place.name, "changed_at_us": now_us}
    if connection.execute(update(places).where(places.c.id == place.id).values(**values)).rowcount == 0:
        connection.execute(insert(places).values(id=place.id, **values))
    detail = {"place_id": place.id, "change": "place"}
    event_log.append(connection, [Event(at_us=now_us, kind="camera_changed", staff_id=staff_id, detail=detail)])


def list_places(connection: Connection) -> list[Place]:
    """All places, by id."""
    query = select(places.c.id, places.c.building, places.c.floor, places.c.name).order_by(places.c.id)
    return [Place(**row) for row in connection.execute(query).mappings()]


def put_camera(connection: Connection, camera: Camera, *, staff_id: str | None, now_us: int) -> Camera:
    """Register a camera, or change one; as it stands then.

    What is told by others stays as it is: declaration, sign, state, clock. A camera that was turned or hung elsewhere
    loses them. A sealed password or stream address that is not given stays too.

    Raises:
        ForbiddenPlace, InvalidInput: as `check_camera`; there is no such place.
        DeviceTaken: another camera has its device id.
    """
    camera = check_camera(camera)
    if connection.scalar(select(places.c.id).where(places.c.id == camera.place_id)) is None:
        raise InvalidInput("place_id", zh="没有这个位置", en="there is no such place")
    known = _held(connection, camera.id)
    taken = find_camera_by_device(connection, camera.device_id)
    if taken is not None and taken.id != camera.id:
        raise DeviceTaken("device_id")
    if known is None:
        values = _given(camera) | {"state": "planned", "changed_at_us": now_us}
        connection.execute(insert(cameras).values(id=camera.id, **values))
        connection.execute(insert(health).values(camera_id=camera.id, clock_offsets_us="[]", offline=False))
        changed = ["added"]
    else:
        values = {name: value for name, value in _given(camera).items() if getattr(known, name) != value}
        for name in ("sealed_password", "sealed_stream"):
            if values.get(name, "") is None:
                del values[name]
        changed = sorted(values)
        if not changed:
            return known
        if any(name in values for name in _VIEW):
            values |= _UNDECLARED
        connection.execute(update(cameras).where(cameras.c.id == camera.id).values(**values, changed_at_us=now_us))
    _tell(connection, "camera_changed", camera.id, "put", now_us=now_us, staff_id=staff_id, fields=changed)
    return _there(connection, camera.id)


def declare_view(connection: Connection, camera_id: str, *, staff_id: str, now_us: int) -> None:
    """Keep that somebody looked at a camera's picture and found no forbidden place in it.

    Raises:
        NotFound: there is no such camera.
    """
    _change(connection, camera_id, {"declared_by": staff_id, "declared_at_us": now_us}, now_us=now_us)
    _tell(connection, "camera_changed", camera_id, "declared", now_us=now_us, staff_id=staff_id)


def add_sign(
    connection: Connection, camera_id: str, *, still_id: str, taken_at_us: int, staff_id: str | None, now_us: int
) -> None:
    """Keep the newest photograph of a camera's sign.

    Raises:
        NotFound: there is no such camera.
        InvalidInput: it would be from the future, or older than the one that is kept.
    """
    known = _held_there(connection, camera_id)
    if not (known.sign_taken_at_us or 0) <= taken_at_us <= now_us:
        zh, en = "不能晚于现在，也不能早于现有照片", "not in the future, and not before the photograph that is kept"
        raise InvalidInput("taken_at", zh=zh, en=en)
    _change(connection, camera_id, {"sign_photo_id": still_id, "sign_taken_at_us": taken_at_us}, now_us=now_us)
    told = {"still_id": still_id, "taken_at_us": taken_at_us}
    _tell(connection, "camera_changed", camera_id, "sign", now_us=now_us, staff_id=staff_id, **told)


def set_state(connection: Connection, camera_id: str, state: CameraState, *, staff_id: str | None, now_us: int) -> None:
    """Take a camera into service, or out of it.

    Raises:
        NotFound: there is no such camera.
        NotDeclared: it would go live, and nobody has declared what its picture holds.
        CameraOff: it was taken out of service before; it is registered anew, as `planned`.
    """
    known = _held_there(connection, camera_id)
    if known.state == state:
        return
    values: dict[str, Any] = {"state": state}
    if state == "live":
        if known.state == "off":
            raise CameraOff
        if known.declared_at_us is None:
            raise NotDeclared
        values["live_since_us"] = now_us
    else:
        values = {**_UNDECLARED, "state": state}
    _change(connection, camera_id, values, now_us=now_us)
    _tell(connection, "camera_changed", camera_id, state, now_us=now_us, staff_id=staff_id)


_UNDECLARED: Mapping[str, Any] = {
    "declared_by": None,
    "declared_at_us": None,
    "sign_photo_id": None,
    "sign_taken_at_us": None,
    "live_since_us": None,
    "state": "planned",
}
_GIVEN = (
    "device_id",
    "name",
    "place_id",
    "x",
    "y",
    "zone",
    "angle_deg",
    "source",
    "group_id",
    "kind",
    "digest_required",
    "sealed_password",
    "sealed_stream",
)


def _given(camera: Camera) -> dict[str, Any]:
    return {name: getattr(camera, name) for name in _GIVEN}


def _there(connection: Connection, camera_id: str) -> Camera:
    return _known(find_camera(connection, camera_id))


def _held_there(connection: Connection, camera_id: str) -> Camera:
    return _known(_held(connection, camera_id))


def _known(camera: Camera | None) -> Camera:
    if camera is None:
        raise NotFound("camera", "camera_id")
    return camera


def _held(connection: Connection, camera_id: str) -> Camera | None:
    """A camera that nobody else changes until the unit of work ends: turned while it goes live, it would not."""
    connection.execute(select(cameras.c.id).where(cameras.c.id == camera_id).with_for_update(key_share=True)).all()
    return find_camera(connection, camera_id)


def _silent(heard: Sequence[Health], *, now_us: int) -> list[str]:
    return [one.camera_id for one in heard if not one.offline and health_state(one, now_us=now_us) == "offline"]


def _held_health(connection: Connection, camera_ids: Sequence[str]) -> list[Health]:
    query = select(health).where(health.c.camera_id.in_(camera_ids)).order_by(health.c.camera_id)
    return [_health(row) for row in connection.execute(query.with_for_update(key_share=True)).mappings()]


def _health(row: RowMapping) -> Health:
    return Health(**{**row, "clock_offsets_us": tuple(msgspec.json.decode(row["clock_offsets_us"]))})


def _change(connection: Connection, camera_id: str, values: Mapping[str, Any], *, now_us: int) -> None:
    query = update(cameras).where(cameras.c.id == camera_id).values(**values, changed_at_us=now_us)
    if connection.execute(query).rowcount != 1:
        raise NotFound("camera", "camera_id")


def _count(connection: Connection, camera_id: str, at_us: int, count: int) -> None:
    """The camera's row of health is held by this transaction, so two of them cannot insert one hour."""
    hour_us = at_us // HOUR_US * HOUR_US
    counted = (
        update(hours)
        .where(hours.c.camera_id == camera_id, hours.c.hour_us == hour_us)
        .values(captures=hours.c.captures + count)
    )
    if connection.execute(counted).rowcount == 0:
        connection.execute(insert(hours).values(camera_id=camera_id, hour_us=hour_us, captures=count))


def _tell(
    connection: Connection,
    kind: EventKind,
    camera_id: str,
    change: str,
    *,
    now_us: int,
    staff_id: str | None = None,
    **more: Any,
) -> None:
    detail = {"camera_id": camera_id, "change": change, **more}
    event_log.append(connection, [Event(at_us=now_us, kind=kind, staff_id=staff_id, detail=detail)])


def _camera(row: Mapping[Any, Any]) -> Camera:
    values = dict(row)
    offsets = msgspec.json.decode(values.pop("clock_offsets_us"), type=list[int])
    del values["changed_at_us"]
    return replace(Camera(**values), clock_offset_us=clock_offset_us(offsets))


@lru_cache(maxsize=2)
def _walking(given: Sequence[Way]) -> Mapping[tuple[str, str], tuple[float, float]]:
    return shortest_ways(given)
