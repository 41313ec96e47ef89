"""Guards over HTTP: where I am posted, my tasks, their pictures, the way there, and my steps, also those that waited.

A guard sees his own tasks and nothing else; faces only while a task is under way. A step may have waited on the phone:
the body says when it happened, the header when it was sent, both by the phone's clock, and an idempotency key makes a
resent one the same step.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Response
from pydantic import Field, StrictInt
from sqlalchemy import Connection

from shouhao.flows.alarm_pictures import Which, picture_of_dispatch
from shouhao.flows.respond import check_in, dispatch_of, guard_step
from shouhao.kernel.clock import HOUR_US
from shouhao.kernel.errors import NotFound
from shouhao.staff.model import Operator, require
from shouhao.watch.alarm import UNDER_WAY, Alarm, Asked, Outcome, State
from shouhao.watch.cameras import Camera
from shouhao.watch.dispatch import Dispatch, DispatchState, route
from shouhao.watch.store import dispatches as store
from shouhao.watch.store.alarms import find_alarms, response_in_force
from shouhao.watch.store.cameras import list_cameras, list_places
from shouhao.watch.store.plans import find_plan
from shouhao.watch.store.ways import list_ways
from shouhao.web.console.alarm_shapes import ClockShown, clocks_shown
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown
from shouhao.wiring.watch import alarm_pictures as pictures_of

routes = APIRouter(prefix="/api/v1/staff/guard", tags=["guards"])

_JPEG = "image/jpeg"
_SHOWN_US = 12 * HOUR_US  #: how far back a guard's list goes
_MS_US = 1000

#: Milliseconds since 1970 by a phone, which may be wrong by years and is never beyond the year 2248.
PhoneTime = Annotated[StrictInt, Field(ge=0, le=2**43)]

GuardStep = Literal["accepted", "declined", "arrived", "outcome"]


class PlaceShown(Shown):
    """A place where a guard can be posted."""

    place_id: str
    building: str
    floor: str
    name: str


class PostShown(Shown):
    """Who I am and where I am posted."""

    operator_id: str
    name: str
    place_id: str | None
    since: Instant | None
    places: list[PlaceShown]


class PostBody(Body):
    """Where I am from now on; null: off duty."""

    place_id: Id | None


class DispatchShown(Shown):
    """One task."""

    dispatch_id: str
    alarm_id: str
    state: DispatchState
    live: bool
    alarm_state: State
    late: bool
    place: PlaceShown | None
    camera: str | None
    sent_at: Instant
    last_seen_at: Instant
    last_place: PlaceShown | None
    outcome: Outcome | None
    pictures: list[Which]
    clocks: list[ClockShown]


class DispatchList(Shown):
    """My tasks, the newest first."""

    dispatches: list[DispatchShown]
    now: Instant


class StepBody(Body):
    """One step of mine, and when it was taken by my phone's clock."""

    step: GuardStep
    reason: LongText = ""
    outcome: Outcome | None = None
    said_at_ms: PhoneTime | None = None


class PointShown(Shown):
    """A camera on the floor, as a point of the plan."""

    name: str
    x: float
    y: float
    here: bool
    target: bool


class FloorShown(Shown):
    """One floor of the way."""

    building: str
    floor: str
    has_plan: bool
    width: int
    height: int
    cameras: list[PointShown]
    way: list[tuple[float, float]]


class WayShown(Shown):
    """The way from my post to where the person was last seen, floor by floor."""

    floors: list[FloorShown]
    walking_s: float | None


@routes.get("/post", responses=failures(401, 403), summary="本人岗位 My post")
def post(operator: OnDuty, system: Here) -> PostShown:
    """签到位置与可选位置。 Where I am posted, and where one can be."""
    require(operator, "guard")
    with system.db.read() as connection:
        return _post(connection, operator)


@routes.put(
    "/post",
    response_model=PostShown,
    responses=failures(400, 401, 403, 409, 415, 422),
    summary="签到、换岗或下岗 Check in, move or go off duty",
)
def put_post(body: PostBody, operator: OnDuty, write: StaffWrite) -> Response:
    """派警按此计算步行时间。 Walking times are counted from here."""
    require(operator, "guard")

    def act(connection: Connection) -> dict[str, Any]:
        check_in(connection, place_id=body.place_id, operator=operator, now_us=write.now_us)
        return _post(connection, operator).model_dump(mode="json")

    return write.answer(act)


@routes.get("/dispatches", responses=failures(401, 403), summary="本人任务 My tasks")
def dispatches(operator: OnDuty, system: Here) -> DispatchList:
    """近 12 小时。 Of the last 12 hours."""
    require(operator, "guard")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        mine = store.of_guard(connection, operator.id, since_us=now_us - _SHOWN_US)
        alarms = find_alarms(connection, {one.alarm_id for one in mine})
        shown = [_dispatch(connection, one, alarms[one.alarm_id], now_us=now_us) for one in mine]
    return DispatchList(dispatches=shown, now=now_us)


@routes.post(
    "/dispatches/{dispatch_id}/steps",
    response_model=DispatchShown,
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="接警、到场、结果、无法前往 Accept, arrived, outcome, decline",
)
def take_step(
    dispatch_id: Id,
    body: StepBody,
    operator: OnDuty,
    write: StaffWrite,
    sent_at_ms: Annotated[int | None, Header(alias="Shouhao-Sent-At", ge=0, le=2**43)] = None,
) -> Response:
    """离线时排队的步骤带 said_at_ms 与 Shouhao-Sent-At。 A step that waited says when it was taken and when sent."""
    require(operator, "guard")
    asked = Asked(
        step=body.step,
        reason=body.reason,
        outcome=body.outcome,
        said_at_us=_instant(body.said_at_ms),
        sent_at_us=_instant(sent_at_ms),
    )

    def act(connection: Connection) -> dict[str, Any]:
        after = guard_step(connection, dispatch_id=dispatch_id, asked=asked, operator=operator, now_us=write.now_us)
        mine = store.find_dispatch(connection, dispatch_id)
        if mine is None:
            raise NotFound("dispatch", "dispatch_id")
        return _dispatch(connection, mine, after, now_us=write.now_us).model_dump(mode="json")

    return write.answer(act)


@routes.get(
    "/dispatches/{dispatch_id}/pictures/{which}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **failures(401, 403, 404, 422)},
    summary="任务照片（留痕、水印） A picture of my task, looked at on record",
)
def picture(dispatch_id: Id, which: Which, operator: OnDuty, system: Here) -> Response:
    """任务进行中才能查看。 Only while the task is under way."""
    marked = picture_of_dispatch(
        system.db,
        pictures_of(system),
        operator,
        dispatch_id=dispatch_id,
        which=which,
        now_us=system.clock.now_us(),
    )
    return Response(marked, media_type=_JPEG)


@routes.get("/dispatches/{dispatch_id}/way", responses=failures(401, 403, 404), summary="平面图上的路线 The way there")
def way(dispatch_id: Id, operator: OnDuty, system: Here) -> WayShown:
    """从岗位到最后目击处。 From my post to where the person was last seen."""
    require(operator, "guard")
    with system.db.read() as connection:
        alarm = dispatch_of(connection, dispatch_id, operator)
        posted = store.post_of(connection, operator.id)
        return _way(connection, alarm, None if posted is None else posted[0])


@routes.get(
    "/dispatches/{dispatch_id}/plan",
    response_class=Response,
    responses={
        200: {"description": "plan", "content": {"image/svg+xml": {}, "image/png": {}}},
        **failures(401, 403, 404, 422),
    },
    summary="平面图 A floor's plan",
)
def plan(dispatch_id: Id, operator: OnDuty, system: Here, building: ShortText, floor: ShortText) -> Response:
    """任务所经楼层。 Of a floor of the way."""
    require(operator, "guard")
    with system.db.read() as connection:
        dispatch_of(connection, dispatch_id, operator)
        found = find_plan(connection, building, floor)
    if found is None:
        raise NotFound("floor plan", "floor")
    headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
    return Response(found.content, media_type=found.media_type, headers=headers)


def _instant(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms * _MS_US


def _post(connection: Connection, operator: Operator) -> PostShown:
    posted = store.post_of(connection, operator.id)
    return PostShown(
        operator_id=operator.id,
        name=operator.name,
        place_id=None if posted is None else posted[0],
        since=None if posted is None else posted[1],
        places=list(_places(connection).values()),
    )


def _places(connection: Connection) -> dict[str, PlaceShown]:
    return {
        p.id: PlaceShown(place_id=p.id, building=p.building, floor=p.floor, name=p.name)
        for p in list_places(connection)
    }


def _dispatch(connection: Connection, one: Dispatch, alarm: Alarm, *, now_us: int) -> DispatchShown:
    places, cameras = _places(connection), {c.id: c for c in list_cameras(connection)}
    camera, last = cameras.get(alarm.best.camera_id), cameras.get(alarm.last_camera_id)
    live = one.ended_at_us is None and alarm.dispatch_id == one.id and alarm.state in UNDER_WAY
    given: tuple[tuple[Which, str | None], ...] = (
        ("crop", alarm.best.crop_id),
        ("listed", alarm.best.photo_id),
        ("scene", alarm.best.scene_id),
    )
    policy = response_in_force(connection, now_us=now_us)
    return DispatchShown(
        dispatch_id=one.id,
        alarm_id=alarm.id,
        state=one.state,
        live=live,
        alarm_state=alarm.state,
        late=alarm.late,
        place=places.get(alarm.best.place_id),
        camera=None if camera is None else camera.name,
        sent_at=one.sent_at_us,
        last_seen_at=alarm.last_seen_at_us,
        last_place=None if last is None else places.get(last.place_id),
        outcome=alarm.outcome,
        pictures=[which for which, picture_id in given if picture_id is not None] if live else [],
        clocks=clocks_shown(alarm, policy, now_us=now_us) if live else [],
    )


def _way(connection: Connection, alarm: Alarm, post_id: str | None) -> WayShown:
    cameras = {c.id: c for c in list_cameras(connection) if c.state != "off"}
    ends = [alarm.last_camera_id] if alarm.last_camera_id in cameras else []
    starts = [c.id for c in cameras.values() if c.place_id == post_id]
    ways = list_ways(connection)
    passed = route(ways, starts=starts, ends=ends) or ends
    usual = {(w.from_id, w.to_id): w.usual_s for w in ways}
    walked = [usual[a, b] for a, b in pairwise(passed)]
    floors: dict[tuple[str, str], list[str]] = defaultdict(list)
    for camera_id in passed:
        floors[cameras[camera_id].building, cameras[camera_id].floor].append(camera_id)
    return WayShown(
        floors=[_floor(connection, cameras, on, steps, starts, ends) for on, steps in floors.items()],
        walking_s=sum(walked) if starts and ends and passed[0] in starts else None,
    )


def _floor(
    connection: Connection,
    cameras: dict[str, Camera],
    on: tuple[str, str],
    steps: list[str],
    starts: list[str],
    ends: list[str],
) -> FloorShown:
    found = find_plan(connection, *on)
    return FloorShown(
        building=on[0],
        floor=on[1],
        has_plan=found is not None,
        width=1000 if found is None else found.width,
        height=600 if found is None else found.height,
        cameras=[
            PointShown(name=c.name, x=c.x, y=c.y, here=c.id in starts, target=c.id in ends)
            for c in cameras.values()
            if (c.building, c.floor) == on
        ],
        way=[(cameras[step].x, cameras[step].y) for step in steps],
    )
