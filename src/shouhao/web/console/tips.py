"""Tips: what people told of scalpers: an inbox that shows nothing of it, each opened for a reason and on record.

What was told is opened, never listed; a picture bears the mark of who looks. The auditor sees the inbox and opens
nothing, the police liaison sees what was passed on.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from shouhao.booking.store.catalogue import list_doctors
from shouhao.cases import tips_store as store
from shouhao.cases.tips import NEXT, TIP_STATES, LinkKind, Tip, TipState, TipStep, canonical, in_groups
from shouhao.flows.tip_desk import (
    KEEPERS,
    OpenedTip,
    move_tip,
    note_to_teller,
    open_tip,
    picture_of_tip,
    seen_tip,
    states_for,
)
from shouhao.kernel.clock import day_of
from shouhao.staff.model import Operator, require
from shouhao.staff.store import list_operators
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Day, Id, Instant, LongText, Moment, ShortText, Shown, Whole

routes = APIRouter(prefix="/api/v1/staff", tags=["tips"])

_JPEG = "image/jpeg"
_WEEKS = 26
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class TipShown(Shown):
    """A tip, closed: which fields hold something, and not what."""

    tip_id: str
    reference: str
    state: TipState
    version: int
    unread: int
    department_id: str | None
    doctor_id: str | None
    doctor_zh: str | None
    doctor_en: str | None
    session_id: str | None
    link_kind: LinkKind | None
    link_id: str | None
    filled: list[str]
    pictures: int
    told_at: Instant
    changed_at: Instant
    next: list[TipState]


class TipList(Shown):
    """Tips, the newest first; `more` says whether older ones are left."""

    tips: list[TipShown]
    more: bool


class TipStepShown(Shown):
    """One line of the history; the words are there once the tip is opened."""

    version: int
    act: str
    state: TipState
    at: Instant
    by: str | None
    by_name: str | None
    link_kind: LinkKind | None
    link_id: str | None
    words: str


class TipDetail(Shown):
    """One tip, closed, with its history."""

    tip: TipShown
    history: list[TipStepShown]


class ToldShown(Shown):
    """What was told, as it was written."""

    what: str
    where: str
    when: str
    about: str
    offered: str
    price: str
    wechat: str
    phone: str
    platform: str
    link: str
    teller: str


class TipOpened(TipDetail):
    """One tip, opened."""

    told: ToldShown
    picture_ids: list[str]


class WeekShown(Shown):
    """One week, from its Monday."""

    monday: date
    tips: int


class DoctorCount(Shown):
    """How many tips name a doctor; no id: none that is known."""

    doctor_id: str | None
    name_zh: str | None
    name_en: str | None
    tips: int


class TipCounts(Shown):
    """How many tips stand where, by week and by whom they are about; by week and doctor without what was of no use."""

    states: dict[TipState, int]
    weeks: list[WeekShown]
    doctors: list[DoctorCount]


class LookBody(Body):
    """Why the tip is opened."""

    reason: LongText


class MoveBody(Body):
    """What becomes of the tip, as it was seen."""

    state: TipState
    version: Whole
    reason: LongText
    link_kind: LinkKind | None = None
    link_id: Id | None = None


class NoteBody(Body):
    """Words that whoever told it reads."""

    words: LongText


@routes.get("/tips", responses=failures(401, 403, 422), summary="举报列表 Tips")
def tips(  # noqa: PLR0917 - one parameter for each filter
    operator: OnDuty,
    system: Here,
    state: Annotated[TipState | None, Query()] = None,
    doctor_id: Annotated[Id | None, Query()] = None,
    week: Annotated[Day | None, Query()] = None,
    reference: Annotated[ShortText | None, Query()] = None,
    before: Annotated[Moment | None, Query()] = None,
    before_id: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TipList:
    """不含举报内容。 Nothing of what was told."""
    mine = states_for(operator)
    asked = (state,) if state is not None else mine
    states = asked if mine is None or asked is None else tuple(one for one in asked if one in mine)
    with system.db.read() as connection:
        found = store.list_tips(
            connection,
            states=states,
            doctor_id=doctor_id,
            week=None if week is None else week.toordinal() - week.weekday(),
            reference=canonical(reference) if reference else None,
            before=None if before is None else (before, before_id or ""),
            limit=limit + 1,
        )
        shown = _all_shown(connection, found[:limit], operator)
    return TipList(tips=shown, more=len(found) > limit)


@routes.get("/tips/counts", responses=failures(401, 403), summary="举报统计 Tips counted")
def counts(operator: OnDuty, system: Here) -> TipCounts:
    """按状态、按周、按医生。 By state, by week, by doctor."""
    require(operator, *KEEPERS, "auditor")
    today = day_of(system.clock.now_us())
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=_WEEKS - 1)
    with system.db.read() as connection:
        states = store.by_state(connection)
        rows = store.by_week_and_doctor(connection, since_week=first.toordinal())
        doctors = {one.id: one for one in list_doctors(connection)}
    by_week: dict[int, int] = {}
    by_doctor: dict[str | None, int] = {}
    for row in rows:
        by_week[row.week] = by_week.get(row.week, 0) + row.tips
        by_doctor[row.doctor_id] = by_doctor.get(row.doctor_id, 0) + row.tips
    weeks = [first + timedelta(weeks=n) for n in range(_WEEKS)]
    ordered = sorted(by_doctor.items(), key=lambda one: (one[0] is None, -one[1], one[0] or ""))
    return TipCounts(
        states={state: states.get(state, 0) for state in TIP_STATES},
        weeks=[WeekShown(monday=day, tips=by_week.get(day.toordinal(), 0)) for day in weeks],
        doctors=[
            DoctorCount(
                doctor_id=doctor_id,
                name_zh=doctors[doctor_id].name_zh if doctor_id in doctors else None,
                name_en=doctors[doctor_id].name_en if doctor_id in doctors else None,
                tips=many,
            )
            for doctor_id, many in ordered
        ],
    )


@routes.get("/tips/{tip_id}", responses=failures(401, 403, 404, 422), summary="举报（未打开） One tip, closed")
def tip(tip_id: Id, operator: OnDuty, system: Here) -> TipDetail:
    """状态与经过，不含文字。 Where it stands and how it came there, without a word of it."""
    with system.db.read() as connection:
        found = seen_tip(connection, tip_id, operator)
        return TipDetail(
            tip=_all_shown(connection, [found], operator)[0],
            history=_history(connection, store.steps_of(connection, None, tip_id)),
        )


@routes.post("/tips/{tip_id}/looks", responses=_WRITE, summary="打开举报（留痕） Open a tip, on record")
def look(tip_id: Id, body: LookBody, operator: OnDuty, system: Here) -> TipOpened:
    """先写明事由，再显示内容。 The reason is written down, then it is shown."""
    opened = open_tip(
        system.db, system.vault, operator, tip_id=tip_id, reason=body.reason, now_us=system.clock.now_us()
    )
    with system.db.read() as connection:
        return _opened(connection, opened, operator)


@routes.get(
    "/tips/{tip_id}/pictures/{picture_id}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **failures(401, 403, 404, 422)},
    summary="举报图片（留痕、水印） A picture of a tip, looked at on record",
)
def picture(
    tip_id: Id, picture_id: Id, operator: OnDuty, system: Here, reason: Annotated[ShortText, Query()]
) -> Response:
    """带查看人水印。 With the mark of who looks."""
    marked = picture_of_tip(
        system.db,
        system.vault,
        operator,
        tip_id=tip_id,
        picture_id=picture_id,
        reason=reason,
        now_us=system.clock.now_us(),
    )
    return Response(marked, media_type=_JPEG)


@routes.post("/tips/{tip_id}/steps", response_model=TipShown, responses=_WRITE, summary="处理举报 Move a tip")
def move(tip_id: Id, body: MoveBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """转警务联络、关联检测发现或报警、未采用。 Pass it on, link it, lay it aside; with the version that was seen."""
    link = None if body.link_kind is None or body.link_id is None else (body.link_kind, body.link_id)

    def act(connection: Connection) -> dict[str, Any]:
        after = move_tip(
            connection,
            system.vault,
            operator,
            tip_id=tip_id,
            state=body.state,
            version=body.version,
            reason=body.reason,
            link=link,
            now_us=write.now_us,
        )
        return _all_shown(connection, [after], operator)[0].model_dump(mode="json")

    return write.answer(act)


@routes.post("/tips/{tip_id}/notes", response_model=TipShown, responses=_WRITE, summary="回复举报人 Tell the teller")
def note(tip_id: Id, body: NoteBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """举报人凭查询码可见。 Whoever told it reads this with their code."""

    def act(connection: Connection) -> dict[str, Any]:
        after = note_to_teller(connection, system.vault, operator, tip_id=tip_id, words=body.words, now_us=write.now_us)
        return _all_shown(connection, [after], operator)[0].model_dump(mode="json")

    return write.answer(act)


def _opened(connection: Connection, opened: OpenedTip, operator: Operator) -> TipOpened:
    told = opened.told
    return TipOpened(
        tip=_all_shown(connection, [opened.tip], operator)[0],
        history=_history(connection, opened.steps),
        told=ToldShown(**{name: getattr(told, name) for name in ToldShown.model_fields}),
        picture_ids=list(opened.picture_ids),
    )


def _history(connection: Connection, steps: Sequence[TipStep]) -> list[TipStepShown]:
    names = {one.id: one.name for one in list_operators(connection)}
    return [
        TipStepShown(
            version=step.version,
            act=step.act,
            state=step.state,
            at=step.at_us,
            by=step.staff_id,
            by_name=None if step.staff_id is None else names.get(step.staff_id),
            link_kind=step.link_kind,
            link_id=step.link_id,
            words=step.words,
        )
        for step in steps
    ]


def _all_shown(connection: Connection, found: list[Tip], operator: Operator) -> list[TipShown]:
    doctors = {one.id: one for one in list_doctors(connection)}
    pictures = store.picture_ids(connection, [one.id for one in found])
    moves = not operator.roles.isdisjoint(KEEPERS)
    return [
        TipShown(
            tip_id=one.id,
            reference=in_groups(one.reference),
            state=one.state,
            version=one.version,
            unread=one.unread,
            department_id=one.about.department_id,
            doctor_id=one.about.doctor_id,
            doctor_zh=doctors[one.about.doctor_id].name_zh if one.about.doctor_id in doctors else None,
            doctor_en=doctors[one.about.doctor_id].name_en if one.about.doctor_id in doctors else None,
            session_id=one.about.session_id,
            link_kind=one.link_kind,
            link_id=one.link_id,
            filled=list(one.filled),
            pictures=len(pictures.get(one.id, [])),
            told_at=one.told_at_us,
            changed_at=one.changed_at_us,
            next=list(NEXT[one.state]) if moves else [],
        )
        for one in found
    ]
