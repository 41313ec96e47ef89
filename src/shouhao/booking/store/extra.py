"""Extra slots: requests, counts and the slot row that is added."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, func, insert, select, update

from shouhao.booking.model import Booking, FreeSlot, OpenSession
from shouhao.booking.tables import bookings, doctors, extra_slot_requests, sessions, slots
from shouhao.kernel.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraRequest:
    """A doctor's wish to see one more patient."""

    id: str
    session_id: str
    doctor_id: str
    day: str
    patient_id: str
    reason: str
    state: str  #: waiting, granted, refused
    requested_by: str
    decided_by: str | None
    booking_id: str | None
    created_at_us: int
    decided_at_us: int | None


_FIELDS = tuple(ExtraRequest.__dataclass_fields__)


def add_request(connection: Connection, request: ExtraRequest) -> None:
    """Write a request down."""
    connection.execute(insert(extra_slot_requests).values(**{name: getattr(request, name) for name in _FIELDS}))


def find_request(connection: Connection, request_id: str) -> ExtraRequest:
    """A request as it stands.

    Raises:
        NotFound: there is none with this id.
    """
    return _one(connection, select(extra_slot_requests).where(extra_slot_requests.c.id == request_id))


def lock_request(connection: Connection, request_id: str) -> ExtraRequest:
    """A request as it stands now and until the unit of work ends; as `find_request`."""
    return _one(connection, select(extra_slot_requests).where(extra_slot_requests.c.id == request_id).with_for_update())


def _one(connection: Connection, query: Select[Any]) -> ExtraRequest:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("extra slot request", "request_id")
    return ExtraRequest(**{name: getattr(row, name) for name in _FIELDS})


def waiting_requests(connection: Connection, *, limit: int = 200) -> list[ExtraRequest]:
    """Requests that wait for a second person, oldest first."""
    rows = connection.execute(
        select(extra_slot_requests)
        .where(extra_slot_requests.c.state == "waiting")
        .order_by(extra_slot_requests.c.id)
        .limit(limit)
    )
    return [ExtraRequest(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]


def requests_by(connection: Connection, staff_id: str, *, since_us: int, limit: int = 200) -> list[ExtraRequest]:
    """What somebody asked for, newest first."""
    rows = connection.execute(
        select(extra_slot_requests)
        .where(extra_slot_requests.c.requested_by == staff_id, extra_slot_requests.c.created_at_us >= since_us)
        .order_by(extra_slot_requests.c.created_at_us.desc(), extra_slot_requests.c.id)
        .limit(limit)
    )
    return [ExtraRequest(**{name: getattr(row, name) for name in _FIELDS}) for row in rows]


def caps_of(connection: Connection, doctor_ids: Iterable[str]) -> dict[str, int]:
    """How many extra slots a day each of these doctors may add alone."""
    query = select(doctors.c.id, doctors.c.extra_daily_cap).where(doctors.c.id.in_(sorted(set(doctor_ids))))
    return {row.id: int(row.extra_daily_cap) for row in connection.execute(query)}


def decide_request(
    connection: Connection, request_id: str, *, state: str, decided_by: str | None, booking_id: str | None, now_us: int
) -> None:
    """Record what became of a locked request."""
    connection.execute(
        update(extra_slot_requests)
        .where(extra_slot_requests.c.id == request_id)
        .values(state=state, decided_by=decided_by, booking_id=booking_id, decided_at_us=now_us)
    )


def lock_doctor_cap(connection: Connection, doctor_id: str) -> int:
    """How many extra slots a day this doctor may add alone; the row is kept still while they are counted."""
    query = select(doctors.c.extra_daily_cap).where(doctors.c.id == doctor_id).with_for_update(key_share=True)
    return int(connection.execute(query).scalar() or 0)


def granted_on(connection: Connection, doctor_id: str, day: str) -> int:
    """How many extra slots this doctor has on a day."""
    return int(
        connection.execute(
            select(func.count())
            .select_from(extra_slot_requests)
            .where(
                extra_slot_requests.c.doctor_id == doctor_id,
                extra_slot_requests.c.day == day,
                extra_slot_requests.c.state == "granted",
            )
        ).scalar_one()
    )


def add_taken_slot(connection: Connection, session: OpenSession, booking: Booking) -> FreeSlot:
    """One more slot at the end of a locked session, taken by this booking from the start."""
    last = connection.execute(select(func.max(slots.c.number)).where(slots.c.session_id == session.id)).scalar() or 0
    slot = FreeSlot(
        id=booking.slot_id,
        session_id=session.id,
        number=last + 1,
        starts_at_us=booking.starts_at_us,
        ends_at_us=session.ends_at_us,
    )
    connection.execute(
        insert(slots).values(
            id=slot.id,
            session_id=slot.session_id,
            number=slot.number,
            starts_at_us=slot.starts_at_us,
            ends_at_us=slot.ends_at_us,
            state="taken",
            booking_id=booking.id,
            extra=True,
        )
    )
    connection.execute(insert(bookings).values(**msgspec.structs.asdict(booking)))
    return slot


def session_start_us(connection: Connection, session_id: str) -> int:
    """When a session begins."""
    return int(connection.execute(select(sessions.c.starts_at_us).where(sessions.c.id == session_id)).scalar_one())
