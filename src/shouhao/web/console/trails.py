"""Trails over HTTP: of an alarm that is being answered, or of an inquiry that a second person approved."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from shouhao.flows.trail import TrailShown, ask_for_trail, trail_of_alarm, trail_of_inquiry
from shouhao.watch.trail import Apart, Link, Next, Point, WhyApart
from shouhao.web.console.alarm_shapes import SightingShown, sighting_shown
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["trails"])


class InquiryBody(Body):
    """Whom to follow, through which time, and why."""

    entry_id: Id
    from_at: Moment
    until_at: Moment
    reason: LongText


class InquiryShown(Shown):
    """An inquiry that waits for a second person."""

    approval_id: str
    state: str


class OpeningBody(Body):
    """Why it is opened now."""

    reason: LongText


class PointShown(Shown):
    """A capture that matched, and how likely it is the listed person at all."""

    sighting: SightingShown
    match_odds: float
    probability: float


class LinkShown(Shown):
    """Inferred: that one person walked from one capture to the next."""

    from_passage: str
    to_passage: str
    took_s: float
    shortest_s: float | None
    usual_s: float | None
    time_odds: float
    odds: float
    probability: float


class ApartShown(Shown):
    """A capture that does not fit, and why."""

    point: PointShown
    why: WhyApart
    from_passage: str | None
    to_passage: str | None
    took_s: float | None
    shortest_s: float | None


class LastShown(Shown):
    """Where the person was seen last."""

    camera_id: str
    place_id: str
    seen_at: Instant
    ago_s: float


class NextShown(Shown):
    """Where the person may come up next; without a camera: stays, or has gone."""

    camera_id: str | None
    probability: float
    from_s: float | None
    usual_s: float | None


class TrailAnswer(Shown):
    """A trail. Every link is an inference from captures that matched; between them nothing is known.

    `labels`: how many alarms that people confirmed or rejected the odds stand on; with few they are a rule of thumb.
    """

    inference: bool = True
    entry_id: str
    from_at: Instant
    until_at: Instant
    look_id: str
    labels: int
    points: list[PointShown]
    links: list[LinkShown]
    apart: list[ApartShown]
    last: LastShown | None
    next: list[NextShown]


@routes.get(
    "/alarms/{alarm_id}/trail", responses=failures(401, 403, 404, 409, 422), summary="报警轨迹 Trail of an alarm"
)
def of_alarm(
    alarm_id: Id,
    operator: OnDuty,
    system: Here,
    reason: Annotated[ShortText, Query()] = "",
    look: Annotated[Id | None, Query()] = None,
) -> TrailAnswer:
    """先留痕后显示；半小时内续看带 look。 On record before it is shown; `look` goes on under the same row."""
    now_us = system.clock.now_us()
    found = trail_of_alarm(system.db, operator, alarm_id, reason=reason, look_id=look, now_us=now_us)
    return _shown(found)


@routes.post(
    "/trail-inquiries",
    status_code=201,
    response_model=InquiryShown,
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="申请查看轨迹 Ask for a trail",
)
def ask(body: InquiryBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须经另一人批准。 A second person decides."""

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_for_trail(
            connection,
            entry_id=body.entry_id,
            from_us=body.from_at,
            until_us=body.until_at,
            reason=body.reason,
            operator=operator,
            now_us=write.now_us,
        )
        return InquiryShown(approval_id=asked.id, state=asked.state).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/trail-inquiries/{approval_id}/opening",
    responses=failures(400, 401, 403, 404, 409, 415, 422),
    summary="打开已批准的轨迹 Open an approved trail",
)
def of_inquiry(approval_id: Id, body: OpeningBody, operator: OnDuty, system: Here) -> TrailAnswer:
    """只能由申请人打开一次；半小时内重试得到同一结果。 By who asked, once; a retry sees it again."""
    now_us = system.clock.now_us()
    return _shown(trail_of_inquiry(system.db, operator, approval_id, reason=body.reason, now_us=now_us))


def _shown(found: TrailShown) -> TrailAnswer:
    trail = found.trail
    return TrailAnswer(
        entry_id=found.entry_id,
        from_at=found.from_us,
        until_at=found.until_us,
        look_id=found.look_id,
        labels=found.curve.labels,
        points=[_point(p) for p in trail.points],
        links=[_link(one) for one in trail.links],
        apart=[_apart(one) for one in trail.apart],
        last=None
        if found.last is None
        else LastShown(
            camera_id=found.last.camera_id,
            place_id=found.last.place_id,
            seen_at=found.last.seen_at_us,
            ago_s=round(found.last.ago_s, 1),
        ),
        next=[_next(one) for one in found.next],
    )


def _point(point: Point) -> PointShown:
    return PointShown(
        sighting=sighting_shown(point.sighting),
        match_odds=round(point.match_odds, 2),
        probability=round(point.probability, 3),
    )


def _link(link: Link) -> LinkShown:
    return LinkShown(
        from_passage=link.from_passage,
        to_passage=link.to_passage,
        took_s=round(link.took_s, 1),
        shortest_s=link.shortest_s,
        usual_s=link.usual_s,
        time_odds=round(link.time_odds, 2),
        odds=round(link.odds, 2),
        probability=round(link.probability, 3),
    )


def _apart(one: Apart) -> ApartShown:
    return ApartShown(
        point=_point(one.point),
        why=one.why,
        from_passage=one.from_passage,
        to_passage=one.to_passage,
        took_s=None if one.took_s is None else round(one.took_s, 1),
        shortest_s=one.shortest_s,
    )


def _next(one: Next) -> NextShown:
    return NextShown(
        camera_id=one.camera_id,
        probability=round(one.probability, 3),
        from_s=None if one.from_s is None else round(one.from_s),
        usual_s=None if one.usual_s is None else round(one.usual_s),
    )
