"""Extra slot (加号): a doctor asks for one real patient; beyond the daily cap a second person decides.

The same rules about the person hold as at the desk: an extra slot is no way round a limit.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.booking import extra
from shouhao.booking.limits import over_limit, restricted
from shouhao.booking.model import (
    AlreadyBooked,
    Booking,
    BookingView,
    LiveBooking,
    OpenSession,
    SessionClosed,
    SessionUnknown,
    view,
)
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import extra as extra_store
from shouhao.booking.store.rules import limits_in_force
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event, EventKind
from shouhao.kernel.ids import new_id
from shouhao.patients.standing import standings
from shouhao.store import event_log


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraOutcome:
    """Granted at once, or waiting for a second person."""

    request_id: str
    state: str  #: granted, waiting, refused
    booking: BookingView | None


def request_extra_slot(
    connection: Connection, *, session_id: str, patient_id: str, reason: str, staff_id: str, doctor_id: str, now_us: int
) -> ExtraOutcome:
    """A doctor asks for one more slot.

    Args:
        doctor_id: the doctor that this member of staff is.
    Raises:
        InvalidInput: the reason says nothing.
        Refused: the session is not this doctor's or over; the patient is not verified or at a limit.
    """
    said = extra.checked_reason(reason)
    cap = extra_store.lock_doctor_cap(connection, doctor_id)  # before sessions, as whoever imports a schedule
    session = _session_for(connection, session_id, patient_id, now_us=now_us)
    if session.doctor_id != doctor_id:
        raise extra.NotThisDoctor("session_id")
    request = extra_store.ExtraRequest(
        id=new_id("xr"),
        session_id=session_id,
        doctor_id=doctor_id,
        day=session.day,
        patient_id=patient_id,
        reason=said,
        state="waiting",
        requested_by=staff_id,
        decided_by=None,
        booking_id=None,
        created_at_us=now_us,
        decided_at_us=None,
    )
    extra_store.add_request(connection, request)
    _record(connection, "extra_slot_requested", request, session, staff_id, now_us)
    granted = extra_store.granted_on(connection, doctor_id, session.day)
    if extra.needs_second_person(granted_today=granted, daily_cap=cap):
        return ExtraOutcome(request_id=request.id, state="waiting", booking=None)
    return _grant(connection, request, session, staff_id=staff_id, decided_by=None, now_us=now_us)


def decide_extra_slot(
    connection: Connection, *, request_id: str, approve: bool, staff_id: str, now_us: int
) -> ExtraOutcome:
    """A second person agrees or refuses.

    Raises:
        NotFound: no such request.
        SecondPersonNeeded: it is the same person who asked.
        RequestDecided: it was decided before.
        Refused: the patient or session no longer allows it.
    """
    request = extra_store.find_request(connection, request_id)
    if staff_id == request.requested_by:
        raise extra.SecondPersonNeeded
    if request.state != "waiting":
        raise extra.RequestDecided("request_id")
    session = None
    if approve:
        session = _session_for(connection, request.session_id, request.patient_id, now_us=now_us)
    if extra_store.lock_request(connection, request_id).state != "waiting":
        raise extra.RequestDecided("request_id")
    if session is not None:
        return _grant(connection, request, session, staff_id=staff_id, decided_by=staff_id, now_us=now_us)
    extra_store.decide_request(
        connection, request_id, state="refused", decided_by=staff_id, booking_id=None, now_us=now_us
    )
    _record(connection, "extra_slot_refused", request, None, staff_id, now_us)
    return ExtraOutcome(request_id=request_id, state="refused", booking=None)


def _session_for(connection: Connection, session_id: str, patient_id: str, *, now_us: int) -> OpenSession:
    """The session, locked after its patient, if this person may have a slot of it."""
    standing = standings(connection, [(patient_id, None)]).get((patient_id, None))
    if standing is None:
        raise NotFound("patient", "patient_id")
    refusal = standing.refusal(assisted=True)
    if refusal is not None:
        raise refusal
    session = desk_store.lock_sessions(connection, [session_id]).get(session_id)
    if session is None:
        raise SessionUnknown("session_id")
    if session.state == "closed" or now_us >= session.ends_at_us:
        raise SessionClosed("session_id")
    held: list[LiveBooking] = desk_store.held_by(connection, patient_id)
    if any(b.session_id == session_id for b in held):
        raise AlreadyBooked("patient_id")
    policy = limits_in_force(connection, now_us=now_us)
    limits = restricted(
        desk_store.restrictions_of(connection, patient_id, now_us=now_us),
        department_id=session.department_id,
        now_us=now_us,
    ) or over_limit(held, department_id=session.department_id, day=session.day, policy=policy)
    if limits is not None:
        raise limits
    return session


def _grant(
    connection: Connection,
    request: extra_store.ExtraRequest,
    session: OpenSession,
    *,
    staff_id: str,
    decided_by: str | None,
    now_us: int,
) -> ExtraOutcome:
    booking = Booking(
        id=new_id("bk"),
        slot_id=new_id("sl"),
        session_id=session.id,
        department_id=session.department_id,
        day=session.day,
        patient_id=request.patient_id,
        account_id=None,
        channel="window",
        # The patient is in the house: the fee is taken at the window, no hold runs out meanwhile.
        state="booked",
        fee_cents=session.fee_cents,
        starts_at_us=max(now_us, extra_store.session_start_us(connection, session.id)),
        created_at_us=now_us,
        hold_expires_at_us=None,
    )
    slot = extra_store.add_taken_slot(connection, session, booking)
    extra_store.decide_request(
        connection, request.id, state="granted", decided_by=decided_by, booking_id=booking.id, now_us=now_us
    )
    _record(connection, "extra_slot_added", request, session, staff_id, now_us, slot_id=slot.id)
    made = view(booking, number=slot.number, ends_at_us=slot.ends_at_us)
    return ExtraOutcome(request_id=request.id, state="granted", booking=made)


def _record(
    connection: Connection,
    kind: EventKind,
    request: extra_store.ExtraRequest,
    session: OpenSession | None,
    staff_id: str,
    now_us: int,
    slot_id: str | None = None,
) -> None:
    happened = Event(
        at_us=now_us,
        kind=kind,
        channel="window",
        patient_id=request.patient_id,
        department_id=None if session is None else session.department_id,
        doctor_id=request.doctor_id,
        session_id=request.session_id,
        slot_id=slot_id,
        staff_id=staff_id,
        detail={"request_id": request.id, "requested_by": request.requested_by},
    )
    event_log.append(connection, [happened])
