"""Attend: the patient checks in, or is found not to have come once the session is over."""

from sqlalchemy import Connection

from shouhao.booking import limits
from shouhao.booking.model import ON_SITE_CHANNELS, SessionClosed, WrongState
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import lifecycle
from shouhao.booking.store import release as release_store
from shouhao.booking.store.rules import limits_in_force
from shouhao.flows.give_back import Caller, let_go
from shouhao.kernel.clock import SECOND_US, day_of
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event, EventKind
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.engine import Database


class CheckInElsewhere(Refused):
    """Check-in needs the patient in the house: at a kiosk or a window."""

    code = "booking.check_in_on_site"
    zh = "请到医院自助机或窗口取号"
    en = "Please check in at a kiosk or a window in the hospital"


class NotToday(Refused):
    """The booking is for another day."""

    code = "booking.not_today"
    zh = "只能在就诊当天取号"
    en = "Check-in is possible on the day of the session only"


def check_in(connection: Connection, *, booking_id: str, caller: Caller, now_us: int) -> lifecycle.Placed:
    """The patient is here. Doing it twice is no error: a kiosk may ask again.

    Raises:
        CheckInElsewhere: the caller is not at a kiosk or a window.
        BookingUnknown: no such booking.
        NotToday: it is for another day.
        WrongState: it is not booked; a held one is to be paid first.
        SessionClosed: the session is over.
    """
    if caller.channel not in ON_SITE_CHANNELS:
        raise CheckInElsewhere
    found = lifecycle.find_booking(connection, booking_id).booking
    lock_patients(connection, [found.patient_id])
    placed = lifecycle.lock_booking(connection, booking_id)
    booking = placed.booking
    if booking.state == "checked_in":
        return placed
    if booking.state != "booked":
        raise WrongState("booking_id", state=booking.state)
    if booking.day != day_of(now_us).isoformat():
        raise NotToday("booking_id")
    if now_us >= placed.session_ends_at_us:
        raise SessionClosed("booking_id")
    lifecycle.set_state(connection, [booking_id], "checked_in")
    event_log.append(connection, [_event("checked_in", placed, now_us, caller)])
    return lifecycle.find_booking(connection, booking_id)


def close_ended_sessions(db: Database, *, now_us: int, limit: int = 50) -> int:
    """Close sessions that are over and record who did not come; how many people. Doing it twice changes nothing."""
    with db.read() as connection:
        policy = limits_in_force(connection, now_us=now_us)
        before_us = now_us - policy.no_show_grace_s * SECOND_US
        ended = lifecycle.ended_sessions(connection, ended_before_us=before_us, limit=limit)
    missed = 0
    for session_id in ended:
        with db.write() as connection:
            missed += _close(connection, session_id, policy=policy, now_us=now_us)
    return missed


def _close(connection: Connection, session_id: str, *, policy: limits.LimitsPolicy, now_us: int) -> int:
    waiting = lifecycle.unattended_in(connection, session_id)
    lock_patients(connection, [patient_id for _, patient_id in waiting])
    session = desk_store.lock_sessions(connection, [session_id]).get(session_id)
    if session is None or session.state != "released":
        return 0  # another worker closed it
    if lifecycle.unattended_in(connection, session_id) != waiting:
        return 0  # somebody came, or a last booking was made, while we waited for the locks: the next look sees it
    # Money that comes after the session is over buys nothing, so a hold ends with it and the money is owed back.
    unpaid = lifecycle.lock_bookings(connection, [b for b, _ in waiting], states=("offered", "held"))
    let_go(connection, unpaid, now_us=now_us)
    absent = lifecycle.lock_bookings(connection, [b for b, _ in waiting], states=("booked",))
    ids = [placed.booking.id for placed in absent]
    lifecycle.withdraw_slots(connection, [*ids, *(placed.booking.id for placed in unpaid)])
    lifecycle.set_state(connection, ids, "no_show", ended_at_us=now_us)
    since_us = limits.marks_since_us("no_show", policy=policy, now_us=now_us)
    missed = [placed.booking for placed in absent]
    marks = lifecycle.count_marks(connection, {b.patient_id for b in missed}, "no_show", since_us=since_us)
    given = [(b, limits.after_no_show(marks=marks[b.patient_id], policy=policy, now_us=now_us)) for b in missed]
    lifecycle.restrict(connection, given, now_us=now_us)
    event_log.append(connection, [_event("no_show", placed, now_us, None) for placed in absent])
    release_store.close_session(connection, session_id)
    return len(absent)


def _event(kind: EventKind, placed: lifecycle.Placed, now_us: int, caller: Caller | None) -> Event:
    booking = placed.booking
    return Event(
        at_us=now_us,
        kind=kind,
        channel=booking.channel if caller is None else caller.channel,
        account_id=booking.account_id,
        patient_id=booking.patient_id,
        department_id=booking.department_id,
        doctor_id=placed.doctor_id,
        session_id=booking.session_id,
        slot_id=booking.slot_id,
        staff_id=None if caller is None else caller.staff_id,
        detail={"booking_id": booking.id},
    )
