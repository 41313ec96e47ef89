"""Handovers over HTTP: how the wall stands now, handing it over, taking it over, and what was handed over lately."""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from shouhao.flows.handover import AT_THE_WALL, hand_over, handovers_shown, standing_now, take_over
from shouhao.staff.model import require
from shouhao.staff.store import list_operators
from shouhao.watch.alarm import State
from shouhao.watch.cameras import HealthState
from shouhao.watch.handover import Handover, Standing
from shouhao.watch.response import Target
from shouhao.web.console.alarms import WATCHING
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown

routes = APIRouter(prefix="/api/v1/staff/shift-handovers", tags=["handovers"])


class HandBody(Body):
    """What the next shift should know."""

    note: LongText


class TakeBody(Body):
    """What is not as it was told; empty: it is."""

    remark: LongText = ""


class ClockThenShown(Shown):
    """A target that is running, or was."""

    target: Target
    due: Instant


class AlarmThenShown(Shown):
    """An alarm that is not closed, or was not."""

    alarm_id: str
    place_id: str
    state: State
    late: bool
    raised_at: Instant
    guard_name: str | None
    clocks: list[ClockThenShown]


class CameraOutShown(Shown):
    """A camera in service that is not heard of."""

    camera_id: str
    name: str
    place_id: str
    state: HealthState
    heard_at: Instant | None


class GuardThenShown(Shown):
    """A guard on duty."""

    guard_id: str
    name: str
    place_id: str
    busy: bool


class StandingShown(Shown):
    """How everything stands, or stood."""

    alarms: list[AlarmThenShown]
    cameras_out: list[CameraOutShown]
    guards: list[GuardThenShown]


class StandingNow(StandingShown):
    """The same, of this moment."""

    now: Instant


class HandoverShown(Shown):
    """One handing over."""

    handover_id: str
    turn: int
    handed_by: str
    handed_by_name: str
    handed_at: Instant
    note: str
    standing: StandingShown
    taken_by_name: str | None
    taken_at: Instant | None
    remark: str


class HandoverList(Shown):
    """The one that waits, and those of the last 14 days, the newest first."""

    waiting: HandoverShown | None
    handovers: list[HandoverShown]
    now: Instant


@routes.get("", responses=failures(401, 403), summary="交接班 Handovers")
def handovers(operator: OnDuty, system: Here) -> HandoverList:
    """等待接班的一次，与近 14 天。 The one that waits, and the last 14 days."""
    require(operator, *WATCHING)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        waiting, lately = handovers_shown(connection, now_us=now_us)
        names = _names(connection)
    return HandoverList(
        waiting=None if waiting is None else _shown(waiting, names),
        handovers=[_shown(one, names) for one in lately],
        now=now_us,
    )


@routes.get("/standing", responses=failures(401, 403), summary="现状 How the wall stands")
def standing(operator: OnDuty, system: Here) -> StandingNow:
    """未关闭的报警、失联的摄像机、在岗保安：交班时固定的就是这些。 What a handover would fix at this moment."""
    require(operator, *WATCHING)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = _standing(standing_now(connection, now_us=now_us), _names(connection))
    return StandingNow(**dict(found), now=now_us)


@routes.post(
    "",
    status_code=201,
    response_model=HandoverShown,
    responses=failures(400, 401, 403, 409, 415, 422),
    summary="交班 Hand over",
)
def hand(body: HandBody, operator: OnDuty, write: StaffWrite) -> Response:
    """现状由服务器当场固定；同时只能有一次等待接班。 How it stands is fixed by the server; one waits at most."""
    require(operator, *AT_THE_WALL)

    def act(connection: Connection) -> dict[str, Any]:
        made = hand_over(connection, note=body.note, operator=operator, now_us=write.now_us)
        return _shown(made, _names(connection)).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/{handover_id}/taking",
    response_model=HandoverShown,
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="接班 Take over",
)
def take(handover_id: Id, body: TakeBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须由另一人接班；备注为空即“与交班所述一致”。 By another person; no remark: it is as it was told."""
    require(operator, *AT_THE_WALL)

    def act(connection: Connection) -> dict[str, Any]:
        taken = take_over(connection, handover_id, remark=body.remark, operator=operator, now_us=write.now_us)
        return _shown(taken, _names(connection)).model_dump(mode="json")

    return write.answer(act)


def _names(connection: Connection) -> dict[str, str]:
    return {one.id: one.name for one in list_operators(connection)}


def _shown(one: Handover, names: dict[str, str]) -> HandoverShown:
    return HandoverShown(
        handover_id=one.id,
        turn=one.turn,
        handed_by=one.handed_by,
        handed_by_name=names.get(one.handed_by, one.handed_by),
        handed_at=one.handed_at_us,
        note=one.note,
        standing=_standing(one.standing, names),
        taken_by_name=None if one.taken_by is None else names.get(one.taken_by, one.taken_by),
        taken_at=one.taken_at_us,
        remark=one.remark,
    )


def _standing(found: Standing, names: dict[str, str]) -> StandingShown:
    return StandingShown(
        alarms=[
            AlarmThenShown(
                alarm_id=alarm.alarm_id,
                place_id=alarm.place_id,
                state=alarm.state,
                late=alarm.late,
                raised_at=alarm.raised_at_us,
                guard_name=None if alarm.guard_id is None else names.get(alarm.guard_id, alarm.guard_id),
                clocks=[ClockThenShown(target=clock.target, due=clock.due_at_us) for clock in alarm.clocks],
            )
            for alarm in found.alarms
        ],
        cameras_out=[
            CameraOutShown(
                camera_id=camera.camera_id,
                name=camera.name,
                place_id=camera.place_id,
                state=camera.state,
                heard_at=camera.heard_at_us,
            )
            for camera in found.cameras_out
        ],
        guards=[
            GuardThenShown(
                guard_id=guard.guard_id,
                name=names.get(guard.guard_id, guard.guard_id),
                place_id=guard.place_id,
                busy=guard.busy,
            )
            for guard in found.guards
        ],
    )
