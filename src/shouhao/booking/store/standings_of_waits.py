"""Where people stand on waitlists, as they are told it: a handful of queries however many places they have.

Of other people only numbers are read, never who they are.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, and_, case, func, literal, or_, select

from shouhao.booking.draw_tables import draw_entries, draw_members, draws, slot_moves, waits
from shouhao.booking.store.draws import count_entries
from shouhao.booking.store.waits import Wait, waits_of
from shouhao.booking.tables import bookings, departments, doctors, sessions, slots
from shouhao.booking.waitlist import MoveWay, MoveWhy, SeenMove

_TOLD_MOST = 20  #: moves told of one session
#: Ways that nobody is told of: of a resting slot, for whoever knew when it began to rest would know when to lie in
#: wait; of winners of a draw, whose number the draw itself says.
_UNTOLD_WAY, _UNTOLD_WHY = "rest", "draw_won"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSession:
    """The session that somebody waits for."""

    id: str
    department_id: str
    department_zh: str
    department_en: str
    doctor_zh: str | None
    doctor_en: str | None
    day: str
    half: str
    starts_at_us: int
    released_at_us: int | None
    release_policy: str | None
    live_bookings: int  #: that could still be returned


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSeen:
    """A slot that is offered to one of the people."""

    booking_id: str
    patient_id: str
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceSeen:
    """A place in a drawn order."""

    wait: Wait
    ahead: int  #: people before it who wait
    offers: tuple[OfferSeen, ...]
    moves: tuple[tuple[int, SeenMove], ...]  #: when, and what, since they joined; oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSeen:
    """A place in a batch whose order is not drawn yet."""

    entry_id: str
    draw_id: str
    session_id: str
    account_id: str | None
    people: tuple[str, ...]
    since_us: int
    drawn_at_us: int  #: when the order is drawn
    joined: int  #: entries in the batch


def places_of(connection: Connection, patient_ids: Sequence[str], *, limit: int) -> list[PlaceSeen]:
    """The places of these people, live ones first, then the latest."""
    found = waits_of(connection, patient_ids, limit=limit)
    live = [w for w in found if w.ended_at_us == 0]
    ahead = _ahead(connection, live)
    offers = _offers(connection, [w.id for w in live if w.state == "offered"], patient_ids)
    moves = _moves(connection, live)
    return [
        PlaceSeen(
            wait=w, ahead=ahead.get(w.id, 0), offers=tuple(offers.get(w.id, ())), moves=tuple(moves.get(w.id, ()))
        )
        for w in found
    ]


def batches_of(connection: Connection, patient_ids: Sequence[str]) -> list[BatchSeen]:
    """The batches in which these people stand, whose order is not drawn yet."""
    mine = select(draw_members.c.entry_id).where(draw_members.c.patient_id.in_(patient_ids))
    rows = connection.execute(
        select(draw_entries, draws.c.closes_at_us)
        .join(draws, draws.c.id == draw_entries.c.draw_id)
        .where(
            draw_entries.c.id.in_(mine),
            draw_entries.c.state == "entered",
            draws.c.kind == "waitlist",
            draws.c.state.in_(["open", "sealed"]),
        )
        .order_by(draws.c.closes_at_us, draw_entries.c.id)
    ).all()
    joined = count_entries(connection, {row.draw_id for row in rows})
    return [
        BatchSeen(
            entry_id=row.id,
            draw_id=row.draw_id,
            session_id=msgspec.json.decode(row.wishes)[0],
            account_id=row.account_id,
            people=tuple(msgspec.json.decode(row.people)),
            since_us=row.entered_at_us,
            drawn_at_us=row.closes_at_us,
            joined=joined.get(row.draw_id, 0),
        )
        for row in rows
    ]


def sessions_waited_for(connection: Connection, ids: Sequence[str]) -> dict[str, WaitSession]:
    """These sessions, with how many of their slots somebody holds."""
    taken = select(func.count()).where(slots.c.session_id == sessions.c.id, slots.c.state == "taken").scalar_subquery()
    rows = connection.execute(
        select(
            sessions.c.id,
            sessions.c.department_id,
            departments.c.name_zh.label("department_zh"),
            departments.c.name_en.label("department_en"),
            doctors.c.name_zh.label("doctor_zh"),
            doctors.c.name_en.label("doctor_en"),
            sessions.c.day,
            sessions.c.half,
            sessions.c.starts_at_us,
            sessions.c.released_at_us,
            sessions.c.release_policy,
            taken.label("live_bookings"),
        )
        .join(departments, departments.c.id == sessions.c.department_id)
        .outerjoin(doctors, doctors.c.id == sessions.c.doctor_id)
        .where(sessions.c.id.in_(ids))
    )
    return {row["id"]: WaitSession(**row) for row in rows.mappings()}


def returned_shares(connection: Connection, *, first_day: str, last_day: str) -> dict[str, tuple[int, int]]:
    """How many bookings of each department were for these days, and how many of them came back.

    Offers that nobody took are not among them. It reads all bookings of the days: keep what it says for a while.
    """
    came_back = case((bookings.c.state.in_(["returned", "expired"]), 1), else_=0)
    rows = connection.execute(
        select(bookings.c.department_id, func.sum(came_back), func.count())
        .where(bookings.c.day >= first_day, bookings.c.day <= last_day, bookings.c.state != "offered")
        .group_by(bookings.c.department_id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def _ahead(connection: Connection, live: Sequence[Wait]) -> dict[str, int]:
    """How many people wait before each of these places."""
    if not live:
        return {}
    mine, others = waits.alias("mine"), waits.alias("others")
    before = or_(
        others.c.drawn_at_us < mine.c.drawn_at_us,
        and_(others.c.drawn_at_us == mine.c.drawn_at_us, others.c.place < mine.c.place),
    )
    people = (
        select(func.coalesce(func.sum(others.c.size), 0))
        .where(others.c.session_id == mine.c.session_id, others.c.state == "waiting", before)
        .scalar_subquery()
    )
    rows = connection.execute(select(mine.c.id, people).where(mine.c.id.in_([w.id for w in live])))
    return {row[0]: int(row[1]) for row in rows}


def _offers(connection: Connection, wait_ids: Sequence[str], patient_ids: Sequence[str]) -> dict[str, list[OfferSeen]]:
    found: dict[str, list[OfferSeen]] = defaultdict(list)
    if wait_ids:
        rows = connection.execute(
            select(bookings.c.id, bookings.c.patient_id, bookings.c.wait_id, bookings.c.hold_expires_at_us)
            .where(
                bookings.c.patient_id.in_(patient_ids),
                bookings.c.state == "offered",
                bookings.c.wait_id.in_(wait_ids),
            )
            .order_by(bookings.c.id)
        )
        for row in rows:
            offer = OfferSeen(booking_id=row.id, patient_id=row.patient_id, until_us=row.hold_expires_at_us or 0)
            found[row.wait_id].append(offer)
    return found


def _moves(connection: Connection, live: Sequence[Wait]) -> dict[str, list[tuple[int, SeenMove]]]:
    """What happened to slots of their sessions since each of them joined, the latest few, seen from each."""
    if not live:
        return {}
    latest = func.row_number().over(
        partition_by=slot_moves.c.session_id, order_by=(slot_moves.c.at_us.desc(), slot_moves.c.id.desc())
    )
    told = (
        select(slot_moves, latest.label("n"))
        .where(
            slot_moves.c.session_id.in_({w.session_id for w in live}),
            slot_moves.c.at_us >= min(w.since_us for w in live),
            slot_moves.c.way != _UNTOLD_WAY,
            slot_moves.c.why != _UNTOLD_WHY,
        )
        .subquery()
    )
    theirs = waits.alias("theirs")
    rows = connection.execute(
        select(told, theirs.c.drawn_at_us, theirs.c.place)
        .outerjoin(theirs, theirs.c.id == told.c.wait_id)
        .where(told.c.n <= literal(_TOLD_MOST))
        .order_by(told.c.at_us, told.c.id)
    ).all()
    return {
        w.id: [(row.at_us, _seen(row, w)) for row in rows if row.session_id == w.session_id and row.at_us >= w.since_us]
        for w in live
    }


def _seen(row: Any, mine: Wait) -> SeenMove:
    way, why = cast("MoveWay", row.way), cast("MoveWhy", row.why)
    if row.wait_id is None or row.place is None:
        return SeenMove(way=way, why=why)
    if row.wait_id == mine.id:
        return SeenMove(way=way, why=why, to="you")
    before = (row.drawn_at_us, row.place) < (mine.drawn_at_us, mine.place)
    return SeenMove(way=way, why=why, to="before" if before else "behind")
