"""Catalogue: what pages read of the inventory: departments, doctors, sessions with their free slots.

A look at the public offer, never at who holds what; each function is one query.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, Subquery, func, select, tuple_

from shouhao.booking.draw_tables import draw_members, draw_targets, draws, waits
from shouhao.booking.schedule import Department, Doctor, Kind
from shouhao.booking.tables import departments, doctors, sessions, slots
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound

MAX_PAGE = 200
_RELEASED_LATE_US = 7 * DAY_US  #: how long after its moment a release may come, where nobody worked


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionListing:
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
    starts_at_us: int
    ends_at_us: int
    fee_cents: int
    state: str
    release_at_us: int
    released_at_us: int | None
    hot: bool
    capacity: int  #: regular slots that are not withdrawn
    free: int
    care_free: int  #: kept for people of 65 and older, disabled or pregnant
    window_free: int  #: to be had at the window
    draw_kept: int  #: that a draw allots and has not yet
    waiting: int  #: people who wait, whether their order is drawn or not
    release_policy: str | None  #: JSON: what it was released under
    draw_id: str | None
    draw_policy: str | None  #: JSON: what its draw was opened with
    draw_opens_at_us: int | None
    draw_closes_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotListing:
    """A slot as pages show it; who holds it is not theirs to see."""

    id: str
    number: int
    starts_at_us: int
    ends_at_us: int
    state: str
    extra: bool
    reserved_for: str | None  #: not everybody's to know: a resting slot opens when nobody expects it


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """Some sessions, ordered by day and id; `after` asks for those that follow."""

    sessions: tuple[SessionListing, ...]
    after: tuple[str, str] | None  #: day and id of the last one, or None when there are no more


def list_departments(connection: Connection) -> list[Department]:
    """All departments, by id."""
    rows = connection.execute(select(departments).order_by(departments.c.id))
    return [Department(id=row.id, name_zh=row.name_zh, name_en=row.name_en) for row in rows]


def list_doctors(connection: Connection, department_id: str | None = None) -> list[Doctor]:
    """The doctors of a department, or of all, by id."""
    query = select(doctors).order_by(doctors.c.id)
    if department_id is not None:
        query = query.where(doctors.c.department_id == department_id)
    return [
        Doctor(
            id=row.id,
            department_id=row.department_id,
            name_zh=row.name_zh,
            name_en=row.name_en,
            title_zh=row.title_zh,
        )
        for row in connection.execute(query)
    ]


def find_sessions(
    connection: Connection,
    *,
    department_id: str | None = None,
    doctor_id: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
    kind: Kind | None = None,
    states: tuple[str, ...] = ("planned", "released"),
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> SessionPage:
    """Sessions that match everything given, ordered by day and id.

    Args:
        after: `SessionPage.after` of the page before.
        limit: 1..200.
    Raises:
        InvalidInput: the limit is outside its range.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("limit", zh=f"须为 1 到 {MAX_PAGE}", en=f"from 1 to {MAX_PAGE}")
    page = select(sessions).where(sessions.c.state.in_(states))
    if department_id is not None:
        page = page.where(sessions.c.department_id == department_id)
    if doctor_id is not None:
        page = page.where(sessions.c.doctor_id == doctor_id)
    if first_day is not None:
        page = page.where(sessions.c.day >= first_day.isoformat())
    if last_day is not None:
        page = page.where(sessions.c.day <= last_day.isoformat())
    if kind is not None:
        page = page.where(sessions.c.kind == kind)
    if after is not None:
        page = page.where(tuple_(sessions.c.day, sessions.c.id) > tuple_(*after))
    page = page.order_by(sessions.c.day, sessions.c.id).limit(limit + 1)
    found = [_listing(row) for row in connection.execute(_listed(page))]
    more = len(found) > limit
    shown = tuple(found[:limit])
    return SessionPage(sessions=shown, after=(shown[-1].day, shown[-1].id) if more else None)


def released_between(connection: Connection, *, from_us: int, to_us: int, limit: int) -> list[SessionListing]:
    """Sessions whose slots were opened, or are to be, in a time; the earliest first."""
    opened = func.coalesce(sessions.c.released_at_us, sessions.c.release_at_us)
    page = select(sessions).where(
        sessions.c.release_at_us >= from_us - _RELEASED_LATE_US, sessions.c.release_at_us < to_us, opened >= from_us
    )
    page = page.order_by(sessions.c.release_at_us, sessions.c.id).limit(limit)
    found = [_listing(row) for row in connection.execute(_listed(page))]
    return sorted(found, key=lambda one: (one.released_at_us or one.release_at_us, one.id))


def listings_of(connection: Connection, session_ids: Iterable[str]) -> list[SessionListing]:
    """These sessions, by day and id."""
    page = select(sessions).where(sessions.c.id.in_(sorted(set(session_ids))))
    return [_listing(row) for row in connection.execute(_listed(page))]


def get_session(connection: Connection, session_id: str) -> tuple[SessionListing, tuple[SlotListing, ...]]:
    """One session and its slots by number.

    Raises:
        NotFound: there is no such session.
    """
    row = connection.execute(_listed(select(sessions).where(sessions.c.id == session_id))).one_or_none()
    if row is None:
        raise NotFound("session", "session_id")
    held = connection.execute(select(slots).where(slots.c.session_id == session_id).order_by(slots.c.number))
    return _listing(row), tuple(
        SlotListing(
            id=slot.id,
            number=slot.number,
            starts_at_us=slot.starts_at_us,
            ends_at_us=slot.ends_at_us,
            state=slot.state,
            extra=slot.extra,
            reserved_for=slot.reserved_for,
        )
        for slot in held
    )


def _listed(page: Select[Any]) -> Select[Any]:
    """The sessions of `page` with names and counts; slots are counted for the rows of the page only."""
    p = page.subquery("p")
    of_session = slots.c.session_id == p.c.id

    def count(*conditions: Any) -> ScalarSelect[int]:
        return select(func.count()).select_from(slots).where(of_session, *conditions).scalar_subquery()

    return (
        select(
            p,
            departments.c.name_zh.label("department_zh"),
            departments.c.name_en.label("department_en"),
            doctors.c.name_zh.label("doctor_zh"),
            doctors.c.name_en.label("doctor_en"),
            doctors.c.title_zh,
            count(slots.c.state != "withdrawn", ~slots.c.extra).label("capacity"),
            count(slots.c.state == "free").label("free"),
            count(slots.c.reserved_for == "care").label("care_free"),
            count(slots.c.reserved_for == "window").label("window_free"),
            count(slots.c.reserved_for == "draw").label("draw_kept"),
            (_ranked(p) + _unranked(p)).label("waiting"),
            draws.c.policy.label("draw_policy"),
            draws.c.opens_at_us.label("draw_opens_at_us"),
            draws.c.closes_at_us.label("draw_closes_at_us"),
        )
        .select_from(p)
        .join(departments, departments.c.id == p.c.department_id)
        .outerjoin(doctors, doctors.c.id == p.c.doctor_id)
        .outerjoin(draws, draws.c.id == p.c.draw_id)
        .order_by(p.c.day, p.c.id)
    )


def _ranked(p: Subquery) -> ScalarSelect[int]:
    """How many people have a place in a drawn order."""
    people = select(func.coalesce(func.sum(waits.c.size), 0))
    return people.where(waits.c.session_id == p.c.id, waits.c.state == "waiting").scalar_subquery()


def _unranked(p: Subquery) -> ScalarSelect[int]:
    """How many people have joined a batch whose order is not drawn."""
    batch = draws.alias("batch")
    return (
        select(func.count())
        .select_from(draw_targets)
        .join(batch, batch.c.id == draw_targets.c.draw_id)
        .join(draw_members, draw_members.c.draw_id == batch.c.id)
        .where(draw_targets.c.session_id == p.c.id, batch.c.kind == "waitlist", batch.c.state.in_(["open", "sealed"]))
        .scalar_subquery()
    )


def _listing(row: Any) -> SessionListing:
    return SessionListing(**{name: getattr(row, name) for name in _LISTED})


_LISTED = tuple(field.name for field in fields(SessionListing))
