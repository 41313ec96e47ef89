"""The offer: departments, doctors, sessions with their free slots. Who holds a slot is shown to nobody here."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from shouhao.booking.schedule import Kind
from shouhao.booking.store import catalogue
from shouhao.booking.store.catalogue import MAX_PAGE, SessionListing
from shouhao.kernel.errors import InvalidInput
from shouhao.web.depends import Here, MaybeSignedIn, Visiting
from shouhao.web.description import MAYBE_SIGNED_IN, failures
from shouhao.web.fields import Day, Id, Instant, Shown
from shouhao.web.looks import Looks

routes = APIRouter(prefix="/api/v1", tags=["catalogue"])


class DepartmentShown(Shown):
    """A department."""

    id: str
    name_zh: str
    name_en: str


class DepartmentList(Shown):
    """All departments."""

    departments: list[DepartmentShown]


class DoctorShown(Shown):
    """A doctor."""

    id: str
    department_id: str
    name_zh: str
    name_en: str
    title_zh: str


class DoctorList(Shown):
    """Doctors."""

    doctors: list[DoctorShown]


class SessionShown(Shown):
    """A session as pages show it."""

    id: str
    department_id: str
    department_zh: str
    department_en: str
    doctor_id: str | None
    doctor_zh: str | None
    doctor_en: str | None
    title_zh: str | None
    day: str
    half: str
    kind: str
    starts_at: Instant
    ends_at: Instant
    fee_cents: int
    state: str
    release_at: Instant
    released_at: Instant | None
    hot: bool
    capacity: int
    free: int


class SessionPageShown(Shown):
    """Some sessions; `cursor` asks for those that follow."""

    sessions: list[SessionShown]
    cursor: str | None


class SlotShown(Shown):
    """A slot."""

    id: str
    number: int
    starts_at: Instant
    ends_at: Instant
    state: str
    extra: bool


class SessionWithSlots(SessionShown):
    """A session and its slots, by number."""

    slots: list[SlotShown]


async def _looks(request: Request) -> Looks:
    looks: Looks = request.app.state.looks
    return looks


NotedIn = Annotated[Looks, Depends(_looks)]


@routes.get("/departments", responses=failures(401), summary="科室 Departments")
def departments(_visit: Visiting, system: Here) -> DepartmentList:
    """全部科室。 All departments."""
    with system.db.read() as connection:
        found = catalogue.list_departments(connection)
    return DepartmentList(departments=[DepartmentShown(id=d.id, name_zh=d.name_zh, name_en=d.name_en) for d in found])


@routes.get("/doctors", responses=failures(401, 422), summary="医生 Doctors")
def doctors(_visit: Visiting, system: Here, department_id: Id | None = None) -> DoctorList:
    """某科室或全部医生。 The doctors of a department, or all."""
    with system.db.read() as connection:
        found = catalogue.list_doctors(connection, department_id)
    return DoctorList(
        doctors=[
            DoctorShown(
                id=d.id, department_id=d.department_id, name_zh=d.name_zh, name_en=d.name_en, title_zh=d.title_zh
            )
            for d in found
        ]
    )


@routes.get(
    "/sessions",
    responses=failures(401, 403, 422),
    openapi_extra=MAYBE_SIGNED_IN,
    summary="排班与余号 Sessions and how many slots are free",
)
def sessions(
    visit: MaybeSignedIn,
    system: Here,
    looks: NotedIn,
    *,
    department_id: Id | None = None,
    doctor_id: Id | None = None,
    first_day: Day | None = None,
    last_day: Day | None = None,
    kind: Kind | None = None,
    cursor: Annotated[str | None, Field(max_length=200)] = None,
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50,
) -> SessionPageShown:
    """符合条件的排班，按日期排列。 Sessions that match, by day."""
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        page = catalogue.find_sessions(
            connection,
            department_id=department_id,
            doctor_id=doctor_id,
            first_day=first_day,
            last_day=last_day,
            kind=kind,
            after=None if cursor is None else _read_cursor(cursor),
            limit=limit,
        )
    asked = {"first_day": first_day, "last_day": last_day}
    detail = {name: day.isoformat() for name, day in asked.items() if day is not None}
    looks.note(visit.event("searched", now_us=now_us, department_id=department_id, doctor_id=doctor_id, detail=detail))
    return SessionPageShown(
        sessions=[SessionShown(**_columns(listing)) for listing in page.sessions],
        cursor=None if page.after is None else _cursor(page.after),
    )


@routes.get(
    "/sessions/{session_id}",
    responses=failures(401, 403, 404, 422),
    openapi_extra=MAYBE_SIGNED_IN,
    summary="排班与号源 One session with its slots",
)
def session(session_id: Id, visit: MaybeSignedIn, system: Here, looks: NotedIn) -> SessionWithSlots:
    """一个排班及其全部号。 One session and its slots."""
    with system.db.read() as connection:
        listing, slots = catalogue.get_session(connection, session_id)
    looks.note(
        visit.event(
            "viewed",
            now_us=system.clock.now_us(),
            department_id=listing.department_id,
            doctor_id=listing.doctor_id,
            session_id=listing.id,
            released_at_us=listing.released_at_us,
        )
    )
    shown = [
        SlotShown(
            id=slot.id,
            number=slot.number,
            starts_at=slot.starts_at_us,
            ends_at=slot.ends_at_us,
            state=slot.state,
            extra=slot.extra,
        )
        for slot in slots
    ]
    return SessionWithSlots(**_columns(listing), slots=shown)


def _columns(listing: SessionListing) -> dict[str, Any]:
    """The listing by the names of `SessionShown`, which says instants without their unit."""
    named = {name: getattr(listing, name, None) for name in SessionShown.model_fields}
    return {
        **named,
        "starts_at": listing.starts_at_us,
        "ends_at": listing.ends_at_us,
        "release_at": listing.release_at_us,
        "released_at": listing.released_at_us,
    }


def _cursor(after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode("|".join(after).encode()).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        day, mark, last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
    except (binascii.Error, ValueError):
        mark = ""
    if not mark or "\0" in day + last_id:
        raise InvalidInput("cursor", zh="不是上一页给出的值", en="is not what the page before gave")
    return day, last_id
