"""Alarms over HTTP: what waits, what is known of one, each step, its pictures, its trail, and all of it live.

Whoever handles alarms sees numbers, places and earlier outcomes; faces come by links of their own, each look written
down and marked. The guards' part is guards.py, the page that is handed over timeline.py.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from shouhao.flows.alarm_pictures import ANSWERING, Which, picture_of_alarm
from shouhao.flows.respond import actor_of, candidates, step
from shouhao.kernel.errors import NotFound
from shouhao.staff.model import Role, require
from shouhao.staff.store import list_operators
from shouhao.watch.alarm import OPEN, Asked, Outcome, State
from shouhao.watch.alarm import Step as AlarmStep
from shouhao.watch.store.alarms import find_alarm, list_alarms, response_in_force, steps_of
from shouhao.watch.store.cameras import list_cameras
from shouhao.watch.store.escalations import escalations_of
from shouhao.watch.store.sightings import of_alarm
from shouhao.watch.store.watchlist import shown
from shouhao.web.console.alarm_shapes import AlarmShown, SightingShown, alarm_shown, sighting_shown
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, ShortText, Shown, Whole
from shouhao.web.live_alarms import LiveAlarms
from shouhao.wiring.watch import alarm_pictures as pictures_of

routes = APIRouter(prefix="/api/v1/staff", tags=["alarms"])

#: Who handles alarms, and the auditor who reads.
WATCHING: tuple[Role, ...] = ("monitoring", "security", "police_liaison", "auditor")
_JPEG = "image/jpeg"


class AlarmList(Shown):
    """Alarms, the newest first."""

    alarms: list[AlarmShown]
    now: Instant


class StepBody(Body):
    """One step, of the alarm as it was seen."""

    step: AlarmStep
    version: Whole
    reason: LongText = ""
    outcome: Outcome | None = None
    guard_id: Id | None = None


class StepShown(Shown):
    """One row of the history."""

    version: int
    step: str
    state: State
    at: Instant
    heard_at: Instant
    believed: bool
    by: str | None
    by_name: str | None
    reason: str
    outcome: Outcome | None
    guard_id: str | None


class EscalationShown(Shown):
    """A target that was missed."""

    target: str
    due: Instant
    at: Instant


class PastOutcomeShown(Shown):
    """What became of an earlier alarm about the same person."""

    alarm_id: str
    outcome: str
    raised_at: Instant


class EntryShown(Shown):
    """What may be shown of the entry: no name."""

    list_name: str
    ground: str
    expires_at: Instant
    outcomes: list[PastOutcomeShown]


class CameraShown(Shown):
    """A camera on its floor's plan."""

    camera_id: str
    name: str
    place_id: str
    building: str
    floor: str
    x: float
    y: float


class GuardShown(Shown):
    """A guard who could go."""

    guard_id: str
    name: str
    place_id: str
    busy: bool
    walking_s: float | None
    since: Instant


class AlarmDetail(Shown):
    """All that is known of an alarm, without a face."""

    alarm: AlarmShown
    entry: EntryShown | None
    sightings: list[SightingShown]
    history: list[StepShown]
    escalations: list[EscalationShown]
    cameras: list[CameraShown]
    guards: list[GuardShown]
    now: Instant


@routes.get("/alarms", responses=failures(401, 403, 422), summary="报警列表 Alarms")
def alarms(
    operator: OnDuty,
    system: Here,
    open_only: Annotated[bool, Query(alias="open")] = True,
    before: Annotated[Moment | None, Query()] = None,
    most: Annotated[int, Query(ge=1, le=200)] = 100,
) -> AlarmList:
    """未关闭的，或全部。 Those that are not closed, or all."""
    require(operator, *WATCHING)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        policy = response_in_force(connection, now_us=now_us)
        found = list_alarms(connection, open_only=open_only, before_us=before, most=most)
    actor = actor_of(operator)
    return AlarmList(alarms=[alarm_shown(a, policy, actor=actor, now_us=now_us) for a in found], now=now_us)


@routes.get(
    "/alarms/stream",
    response_class=StreamingResponse,
    responses={200: {"description": "server-sent events", "content": {"text/event-stream": {}}}, **failures(401, 403)},
    summary="实时报警 Alarms live",
)
async def stream(request: Request, operator: OnDuty) -> StreamingResponse:
    """先发全部未关闭报警，然后是每次变化；断线后带 Last-Event-ID 重连。 All open alarms first, then each change."""
    require(operator, *WATCHING)
    live: LiveAlarms = request.app.state.live_alarms
    said = request.headers.get("last-event-id", "")
    after_seq = int(said) if said.isascii() and said.isdigit() and len(said) < len(str(2**63)) else None
    return StreamingResponse(
        live.watch(after_seq=after_seq), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
    )


@routes.get("/alarms/{alarm_id}", responses=failures(401, 403, 404), summary="报警详情 One alarm")
def alarm(alarm_id: Id, operator: OnDuty, system: Here) -> AlarmDetail:
    """历史、时限、既往结果、保安员；不含人脸与姓名。 History, clocks, earlier outcomes, guards; no face."""
    require(operator, *WATCHING)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = find_alarm(connection, alarm_id)
        if found is None:
            raise NotFound("alarm", "alarm_id")
        policy = response_in_force(connection, now_us=now_us)
        names = {one.id: one.name for one in list_operators(connection)}
        one = alarm_shown(found, policy, actor=actor_of(operator), now_us=now_us)
        return AlarmDetail(
            alarm=one,
            entry=_entry(connection, found.best.entry_id, but=alarm_id),
            sightings=[sighting_shown(seen) for seen in of_alarm(connection, alarm_id)],
            history=_history(connection, alarm_id, names),
            escalations=[
                EscalationShown(target=e.target, due=e.due_at_us, at=e.at_us)
                for e in escalations_of(connection, alarm_id)
            ],
            cameras=cameras_shown(connection),
            guards=[
                GuardShown(
                    guard_id=c.guard_id,
                    name=names.get(c.guard_id, c.guard_id),
                    place_id=c.place_id,
                    busy=c.busy,
                    walking_s=c.walking_s,
                    since=c.since_us,
                )
                for c in candidates(connection, found, now_us=now_us)
            ]
            if found.state in OPEN
            else [],
            now=now_us,
        )


@routes.post(
    "/alarms/{alarm_id}/steps",
    response_model=AlarmShown,
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="处置一步 Take a step",
)
def take_step(alarm_id: Id, body: StepBody, operator: OnDuty, write: StaffWrite) -> Response:
    """确认、驳回、派警、移交、关闭等；须带所见版本。 Each step, with the version that was seen."""
    require(operator, "monitoring", "security", "police_liaison")
    asked = Asked(
        step=body.step,
        expected_version=body.version,
        reason=body.reason,
        outcome=body.outcome,
        guard_id=body.guard_id,
    )

    def act(connection: Connection) -> dict[str, Any]:
        after = step(connection, alarm_id=alarm_id, asked=asked, operator=operator, now_us=write.now_us)
        policy = response_in_force(connection, now_us=write.now_us)
        made = alarm_shown(after, policy, actor=actor_of(operator), now_us=write.now_us)
        return made.model_dump(mode="json")

    return write.answer(act)


@routes.get(
    "/alarms/{alarm_id}/pictures/{which}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **failures(401, 403, 404, 422)},
    summary="报警图片（留痕、水印） A picture of an alarm, looked at on record",
)
def picture(
    alarm_id: Id, which: Which, operator: OnDuty, system: Here, reason: Annotated[ShortText, Query()] = ANSWERING
) -> Response:
    """抓拍、现场或底库照片。 The captured face, the scene, or the list's photograph."""
    marked = picture_of_alarm(
        system.db,
        pictures_of(system),
        operator,
        alarm_id=alarm_id,
        which=which,
        reason=reason,
        now_us=system.clock.now_us(),
    )
    return Response(marked, media_type=_JPEG)


def cameras_shown(connection: Connection) -> list[CameraShown]:
    """Every camera that is in service, on its floor's plan."""
    return [
        CameraShown(
            camera_id=c.id,
            name=c.name,
            place_id=c.place_id,
            building=c.building,
            floor=c.floor,
            x=c.x,
            y=c.y,
        )
        for c in list_cameras(connection)
        if c.state != "off"
    ]


def _entry(connection: Connection, entry_id: str, *, but: str) -> EntryShown | None:
    found = shown(connection, entry_id)
    if found is None:
        return None
    return EntryShown(
        list_name=found.list_name,
        ground=found.ground_code,
        expires_at=found.expires_at_us,
        outcomes=[
            PastOutcomeShown(alarm_id=o.alarm_id, outcome=o.outcome, raised_at=o.raised_at_us)
            for o in found.outcomes
            if o.alarm_id != but
        ],
    )


def _history(connection: Connection, alarm_id: str, names: dict[str, str]) -> list[StepShown]:
    return [
        StepShown(
            version=s.version,
            step=s.step,
            state=s.state,
            at=s.at_us,
            heard_at=s.heard_at_us,
            believed=s.believed,
            by=s.actor_id,
            by_name=None if s.actor_id is None else names.get(s.actor_id),
            reason=s.reason,
            outcome=s.outcome,
            guard_id=s.guard_id,
        )
        for s in steps_of(connection, alarm_id)
    ]
