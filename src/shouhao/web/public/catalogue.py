"""The offer: departments, doctors, sessions with their free slots and how they are released.

Who holds a slot is shown to nobody here, nor that one rests: a resting slot is shown as taken until chance opens it.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.release.policy import InForce, in_force
from shouhao.booking.releases_seen import public_state, release_seen, waitlist_open
from shouhao.booking.schedule import Kind
from shouhao.booking.store import catalogue
from shouhao.booking.store.catalogue import MAX_PAGE, SessionListing, SlotListing
from shouhao.booking.store.release_policies import policies_in_force, policy_of_text
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


class ReleaseShown(Shown):
    """How its slots reach patients: draw, first_come or mixed, under which policy.

    Of a session that goes by draw, when entries are taken, and `draw_id` from then on. Of one that is not released,
    what would rule it now.
    """

    kind: str
    opens_at: Instant | None
    closes_at: Instant | None
    draw_id: str | None
    policy_scope: str
    policy_version: int


class SessionShown(Shown):
    """A session as pages show it. `waiting` counts people; `waitlist_open` says whether one may join now."""

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
    care_free: int
    window_free: int
    waiting: int
    waitlist_open: bool
    release: ReleaseShown


class SessionPageShown(Shown):
    """Some sessions; `cursor` asks for those that follow."""

    sessions: list[SessionShown]
    cursor: str | None


class SlotShown(Shown):
    """A slot: planned, free, taken, reserved or withdrawn; of a reserved one, for whom."""

    id: str
    number: int
    starts_at: Instant
    ends_at: Instant
    state: str
    reserved_for: str | None
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
        shown = sessions_shown(connection, page.sessions, now_us=now_us)
    asked = {"first_day": first_day, "last_day": last_day}
    detail = {name: day.isoformat() for name, day in asked.items() if day is not None}
    looks.note(visit.event("searched", now_us=now_us, department_id=department_id, doctor_id=doctor_id, detail=detail))
    return SessionPageShown(sessions=shown, cursor=None if page.after is None else _cursor(page.after))


@routes.get(
    "/sessions/{session_id}",
    responses=failures(401, 403, 404, 422),
    openapi_extra=MAYBE_SIGNED_IN,
    summary="排班与号源 One session with its slots",
)
def session(session_id: Id, visit: MaybeSignedIn, system: Here, looks: NotedIn) -> SessionWithSlots:
    """一个排班及其全部号。 One session and its slots."""
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        listing, slots = catalogue.get_session(connection, session_id)
        kept = _policies(connection, [listing], now_us=now_us)
    looks.note(
        visit.event(
            "viewed",
            now_us=now_us,
            department_id=listing.department_id,
            doctor_id=listing.doctor_id,
            session_id=listing.id,
            released_at_us=listing.released_at_us,
        )
    )
    return SessionWithSlots(**_columns(listing, kept, now_us), slots=[_slot(slot) for slot in slots])


def sessions_shown(connection: Connection, found: Sequence[SessionListing], *, now_us: int) -> list[SessionShown]:
    """Sessions as they are shown in every channel."""
    kept = _policies(connection, found, now_us=now_us)
    return [SessionShown(**_columns(listing, kept, now_us)) for listing in found]


def _policies(connection: Connection, found: Sequence[SessionListing], *, now_us: int) -> dict[str, InForce]:
    """What is in force, where a session is not released yet and no draw has fixed its policy."""
    if all(s.state != "planned" or s.draw_policy is not None for s in found):
        return {}
    return policies_in_force(connection, now_us=now_us)


def _columns(listing: SessionListing, kept: dict[str, InForce], now_us: int) -> dict[str, Any]:
    """The listing by the names of `SessionShown`, which says instants without their unit."""
    named = {name: getattr(listing, name, None) for name in SessionShown.model_fields}
    by = _ruled_by(listing, kept)
    seen = release_seen(
        by,
        release_at_us=listing.release_at_us,
        draw_opens_at_us=listing.draw_opens_at_us,
        draw_closes_at_us=listing.draw_closes_at_us,
    )
    return {
        **named,
        "starts_at": listing.starts_at_us,
        "ends_at": listing.ends_at_us,
        "release_at": listing.release_at_us,
        "released_at": listing.released_at_us,
        "waitlist_open": waitlist_open(
            by,
            state=listing.state,
            starts_at_us=listing.starts_at_us,
            ends_at_us=listing.ends_at_us,
            free=listing.free + listing.draw_kept,
            now_us=now_us,
        ),
        "release": ReleaseShown(
            kind=seen.kind,
            opens_at=seen.opens_at_us,
            closes_at=seen.closes_at_us,
            draw_id=listing.draw_id,
            policy_scope=seen.scope,
            policy_version=seen.version,
        ),
    }


def _ruled_by(listing: SessionListing, kept: dict[str, InForce]) -> InForce:
    if listing.state == "planned" and listing.draw_policy is None:
        return in_force(kept, department_id=listing.department_id, doctor_id=listing.doctor_id, kind=listing.kind)
    return policy_of_text(listing.release_policy or listing.draw_policy)


def _slot(slot: SlotListing) -> SlotShown:
    state, reserved_for = public_state(slot.state, slot.reserved_for)
    return SlotShown(
        id=slot.id,
        number=slot.number,
        starts_at=slot.starts_at_us,
        ends_at=slot.ends_at_us,
        state=state,
        reserved_for=reserved_for,
        extra=slot.extra,
    )


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
