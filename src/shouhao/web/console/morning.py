"""The morning for the outpatient office: today's releases as they go."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from shouhao.flows.morning import MorningBoard, SessionMorning
from shouhao.staff.model import Role, require
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Instant, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["morning"])

READERS: tuple[Role, ...] = ("outpatient_office", "it", "approver", "auditor")


class PointShown(Shown):
    """How many slots were taken so long after the release."""

    after_s: float
    taken: int


class SessionMorningShown(Shown):
    """One session: what it released, what is left, how fast it went, and who was refused why."""

    session_id: str
    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str
    kind: str
    hot: bool
    state: str
    draw_id: str | None
    release_at: Instant
    released_at: Instant | None
    capacity: int
    free: int
    waiting: int
    entries: int
    events: dict[str, int]
    refused: dict[str, int]
    curve: list[PointShown]
    gone_after_s: float | None


class MorningShown(Shown):
    """The day so far. `events` and `refused` count everything of the day, also what concerns no session of it."""

    day: str
    now: Instant
    sessions: list[SessionMorningShown]
    events: dict[str, int]
    refused: dict[str, int]


async def _board(request: Request) -> MorningBoard:
    board: MorningBoard = request.app.state.morning
    return board


Board = Annotated[MorningBoard, Depends(_board)]


@routes.get("/morning", responses=failures(401, 403), summary="今日放号 Today's releases as they go")
def morning(operator: OnDuty, system: Here, board: Board) -> MorningShown:
    """售出曲线、报名、拒绝原因、候补与热门，最多滞后一秒。 Curves, entries and refusals; a second old at most."""
    require(operator, *READERS)
    seen = board.look(now_us=system.clock.now_us())
    return MorningShown(
        day=seen.day.isoformat(),
        now=seen.at_us,
        sessions=[_shown(one) for one in seen.sessions],
        events=dict(seen.kinds),
        refused=dict(seen.refused),
    )


def _shown(one: SessionMorning) -> SessionMorningShown:
    listing = one.listing
    return SessionMorningShown(
        session_id=listing.id,
        department_zh=listing.department_zh,
        department_en=listing.department_en,
        doctor_zh=listing.doctor_zh,
        doctor_en=listing.doctor_en,
        day=listing.day,
        half=listing.half,
        kind=listing.kind,
        hot=listing.hot,
        state=listing.state,
        draw_id=listing.draw_id,
        release_at=listing.release_at_us,
        released_at=listing.released_at_us,
        capacity=listing.capacity,
        free=listing.free,
        waiting=listing.waiting,
        entries=one.entries,
        events=dict(one.kinds),
        refused=dict(one.refused),
        curve=[PointShown(after_s=after_s, taken=taken) for after_s, taken in one.curve],
        gone_after_s=one.gone_after_s,
    )
