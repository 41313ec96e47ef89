"""The offer as those who serve patients see it: departments, sessions with what is left, and the care pool.

What is shown is what patients are shown; that a slot rests until chance opens it is told to nobody here either.
"""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from shouhao.booking.store import catalogue, kept
from shouhao.kernel.clock import day_of
from shouhao.staff.model import Operator, require
from shouhao.web.depends import Here, OnDuty
from shouhao.web.description import failures
from shouhao.web.fields import Day, Id, Instant, Shown
from shouhao.web.public.catalogue import DepartmentList, DepartmentShown, SessionShown, sessions_shown

routes = APIRouter(prefix="/api/v1/staff", tags=["offer"])

_LOOK = failures(401, 403, 422)


class OfferedSessions(Shown):
    """Sessions by day, as they stand at `now`; `cut` when there are more."""

    now: Instant
    sessions: list[SessionShown]
    cut: bool


class CareSession(Shown):
    """A session of which places were kept for people of 65 and older, disabled or pregnant.

    `came`: places that went into the pool. `left`: of these, to be had now. `given`: taken from it. `moved_on`: nobody
    took them in time, and they went to the window. The pool ends at `ends_at`.
    """

    session: SessionShown
    came: int
    left: int
    given: int
    moved_on: int
    ends_at: Instant


class CarePool(Shown):
    """Sessions with a care pool from today on, by day."""

    sessions: list[CareSession]


@routes.get("/departments", responses=_LOOK, summary="科室 Departments")
def departments(operator: OnDuty, system: Here) -> DepartmentList:
    """全部科室。 All departments."""
    _may_see(operator)
    with system.db.read() as connection:
        found = catalogue.list_departments(connection)
    return DepartmentList(departments=[DepartmentShown(id=d.id, name_zh=d.name_zh, name_en=d.name_en) for d in found])


@routes.get("/sessions", responses=_LOOK, summary="排班与余号 Sessions and how many slots are free")
def sessions(
    operator: OnDuty,
    system: Here,
    *,
    department_id: Id | None = None,
    doctor_id: Id | None = None,
    first_day: Day | None = None,
    last_day: Day | None = None,
    limit: Annotated[int, Field(ge=1, le=catalogue.MAX_PAGE)] = 100,
) -> OfferedSessions:
    """按日期排列；未给日期则自今天起。 Sessions that match, by day; from today on unless a day is given."""
    _may_see(operator)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        page = catalogue.find_sessions(
            connection,
            department_id=department_id,
            doctor_id=doctor_id,
            first_day=first_day or day_of(now_us),
            last_day=last_day,
            limit=limit,
        )
        shown = sessions_shown(connection, page.sessions, now_us=now_us)
    return OfferedSessions(now=now_us, sessions=shown, cut=page.after is not None)


@routes.get("/care-pool", responses=_LOOK, summary="照护号源 The care pool")
def care_pool(operator: OnDuty, system: Here) -> CarePool:
    """为 65 岁及以上、残疾或怀孕的就诊人保留的号。 Places kept for people of 65 and older, disabled or pregnant."""
    require(operator, "window", "outpatient_office", "auditor")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        pools = {pool.session_id: pool for pool in kept.care_pools(connection, now_us=now_us)}
        listings = catalogue.listings_of(connection, pools)
        shown = sessions_shown(connection, listings, now_us=now_us)
    return CarePool(
        sessions=[
            CareSession(
                session=one,
                came=pools[one.id].came,
                left=one.care_free,
                given=pools[one.id].came - pools[one.id].moved_on - one.care_free,
                moved_on=pools[one.id].moved_on,
                ends_at=pools[one.id].ends_at_us,
            )
            for one in shown
        ]
    )


def _may_see(operator: Operator) -> None:
    """Whoever serves or plans, and a doctor, who may add to their own sessions."""
    if operator.doctor_id is None:
        require(operator, "window", "outpatient_office", "approver", "auditor")
