"""Give back: a slot that is returned, or whose payment never came, can be taken by somebody else.

Today it opens to everyone in the same transaction, unless it is an extra slot: that was its patient's alone and is
withdrawn. What a return costs its person, a cooling time and a mark when
it is late, is policy and is written with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.booking import limits
from shouhao.booking.model import Booking, BookingUnknown, TooLateToReturn, WrongState
from shouhao.booking.store import lifecycle, payments
from shouhao.booking.store.rules import limits_in_force
from shouhao.kernel.events import Event
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who acts on a booking: its account, or staff at a window."""

    channel: str
    account_id: str | None = None
    staff_id: str | None = None
    device_id: str | None = None
    sign_in_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None

    def may_touch(self, booking: Booking) -> bool:
        """The account that booked it, or a member of staff."""
        return self.staff_id is not None or (self.account_id is not None and booking.account_id == self.account_id)


def give_back(connection: Connection, *, booking_id: str, caller: Caller, now_us: int) -> lifecycle.Placed:
    """Return a held or booked slot. What was paid is owed back.

    Raises:
        BookingUnknown: no such booking of this caller.
        WrongState: it is over already, or the patient has checked in.
        TooLateToReturn: its time segment has begun.
    """
    found = lifecycle.find_booking(connection, booking_id).booking
    if not caller.may_touch(found):
        raise BookingUnknown("booking_id")
    lock_patients(connection, [found.patient_id])
    placed = lifecycle.lock_booking(connection, booking_id)
    booking = placed.booking
    if booking.state not in {"held", "booked"}:
        raise WrongState("booking_id", state=booking.state)
    if now_us >= booking.starts_at_us:
        raise TooLateToReturn("booking_id")
    lifecycle.free_slots(connection, [booking_id])
    lifecycle.set_state(connection, [booking_id], "returned", ended_at_us=now_us)
    refund = payments.owe_refund(connection, booking_id, now_us=now_us)
    _penalise(connection, booking, now_us=now_us)
    event_log.append(
        connection,
        [
            Event(
                at_us=now_us,
                kind="cancelled",
                channel=caller.channel,
                account_id=caller.account_id,
                patient_id=booking.patient_id,
                device_id=caller.device_id,
                session_token=caller.sign_in_id,
                ip=caller.ip,
                user_agent=caller.user_agent,
                department_id=booking.department_id,
                doctor_id=placed.doctor_id,
                session_id=booking.session_id,
                slot_id=booking.slot_id,
                staff_id=caller.staff_id,
                detail={"booking_id": booking_id, "was": booking.state, "refund": refund},
            )
        ],
    )
    return lifecycle.find_booking(connection, booking_id)


def expire_holds(db: Database, *, now_us: int, limit: int = 500) -> int:
    """Let go of held slots whose time to pay is over; how many. Doing it twice changes nothing."""
    with db.write() as connection:
        due = lifecycle.due_holds(connection, now_us=now_us, limit=limit)
        if not due:
            return 0
        lock_patients(connection, [patient_id for _, patient_id in due])
        expired = [
            placed
            for placed in lifecycle.lock_bookings(connection, [booking_id for booking_id, _ in due], state="held")
            if (placed.booking.hold_expires_at_us or 0) <= now_us  # begun payments were given longer meanwhile
        ]
        let_go(connection, expired, to_state="free", now_us=now_us)
        _mark_unpaid(connection, [placed.booking for placed in expired], now_us=now_us)
        return len(expired)


def let_go(connection: Connection, unpaid: Sequence[lifecycle.Placed], *, to_state: str, now_us: int) -> None:
    """End locked holds whose money did not come.

    Args:
        to_state: what becomes of their slots, `free` or `withdrawn`.
    """
    ids = [placed.booking.id for placed in unpaid]
    lifecycle.free_slots(connection, ids, to_state=to_state)
    lifecycle.set_state(connection, ids, "expired", ended_at_us=now_us)
    event_log.append(connection, _expired(unpaid, now_us))


def _mark_unpaid(connection: Connection, expired: Sequence[Booking], *, now_us: int) -> None:
    """Holding and letting go again and again keeps slots from others, so it is counted; staff's holds are not."""
    policy = limits_in_force(connection, now_us=now_us)
    since_us = limits.marks_since_us("unpaid_hold", policy=policy, now_us=now_us)
    for booking in expired:
        if booking.account_id is not None:
            marks = lifecycle.count_marks(connection, booking.patient_id, "unpaid_hold", since_us=since_us)
            penalty = limits.after_unpaid_hold(marks=marks, policy=policy, now_us=now_us)
            lifecycle.restrict(connection, booking.patient_id, [penalty], booking_id=booking.id, now_us=now_us)


def _penalise(connection: Connection, booking: Booking, *, now_us: int) -> None:
    policy = limits_in_force(connection, now_us=now_us)
    since_us = limits.marks_since_us("late_return", policy=policy, now_us=now_us)
    penalties = limits.after_return(
        starts_at_us=booking.starts_at_us,
        department_id=booking.department_id,
        marks=lifecycle.count_marks(connection, booking.patient_id, "late_return", since_us=since_us),
        policy=policy,
        now_us=now_us,
    )
    lifecycle.restrict(connection, booking.patient_id, penalties, booking_id=booking.id, now_us=now_us)


def _expired(expired: Sequence[lifecycle.Placed], now_us: int) -> list[Event]:
    return [
        Event(
            at_us=now_us,
            kind="expired",
            channel=placed.booking.channel,
            account_id=placed.booking.account_id,
            patient_id=placed.booking.patient_id,
            department_id=placed.booking.department_id,
            doctor_id=placed.doctor_id,
            session_id=placed.booking.session_id,
            slot_id=placed.booking.slot_id,
            detail={"booking_id": placed.booking.id},
        )
        for placed in expired
    ]
