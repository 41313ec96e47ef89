"""Offers: a person, or people together, accept what they were offered. Declining is a return (give_back.py).

An offer is a live booking of its own person in the state `offered`. Nothing in it can be passed on: only the account
that it was made to, or staff with the person before them, can accept, and the slot is that person's or nobody's.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from shouhao.booking.decide import HoldTimes
from shouhao.booking.model import BookingUnknown, OfferExpired, WrongState
from shouhao.booking.store import lifecycle
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.lifecycle import Placed
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.patients.standing import PatientUnknown, standings
from shouhao.store import event_log


def accept(connection: Connection, *, booking_id: str, caller: Caller, hold: HoldTimes, now_us: int) -> list[Placed]:
    """Accept an offer, for everybody it was made to together; what they hold now.

    A slot that costs something is held until it is paid, as after booking; one that is free of charge is booked.

    Raises:
        BookingUnknown: no such booking of this caller.
        OfferExpired: the time to accept is over.
        WrongState: it is no offer, or was accepted before.
    """
    found = lifecycle.find_bookings(connection, [booking_id]).get(booking_id)
    if found is None or not caller.may_touch(found.booking):
        raise BookingUnknown("booking_id")
    party = found.booking.party_id
    ids = lifecycle.unsettled_of_parties(connection, [party]) if party is not None else [booking_id]
    everyone = lifecycle.find_bookings(connection, {booking_id, *ids})
    _lock_people(connection, everyone.values(), caller)
    offered = lifecycle.lock_bookings(connection, sorted(everyone), states=("offered",))
    if booking_id not in {p.booking.id for p in offered}:
        # Whoever lost the race between accepting and the expiry hears which of the two it was.
        state = lifecycle.find_bookings(connection, [booking_id])[booking_id].booking.state
        raise OfferExpired("booking_id") if state == "expired" else WrongState("booking_id", state=state)
    if any((p.booking.hold_expires_at_us or 0) <= now_us for p in offered):
        raise OfferExpired("booking_id")
    _take(connection, offered, hold=hold, now_us=now_us)
    event_log.append(connection, [_accepted(p, caller, now_us) for p in offered])
    after = lifecycle.find_bookings(connection, [p.booking.id for p in offered])
    return [after[p.booking.id] for p in offered]


def _lock_people(connection: Connection, placed: Iterable[Placed], caller: Caller) -> None:
    """Lock everybody the offer is for; whoever accepts for them must still act for them.

    Raises:
        BookingUnknown: the account is no longer bound to one of them.
        Refused: what keeps this person from booking at all.
    """
    people = [p.booking.patient_id for p in placed]
    known = standings(connection, {(person, caller.account_id) for person in people})
    for person in people:
        standing = known.get((person, caller.account_id))
        refusal = PatientUnknown() if standing is None else standing.refusal(assisted=caller.staff_id is not None)
        if isinstance(refusal, PatientUnknown):
            raise BookingUnknown("booking_id")
        if refusal is not None:
            raise refusal


def _take(connection: Connection, offered: Sequence[Placed], *, hold: HoldTimes, now_us: int) -> None:
    free = [p.booking.id for p in offered if p.booking.fee_cents == 0]
    held = [p.booking.id for p in offered if p.booking.fee_cents > 0]
    if free:
        lifecycle.set_state(connection, free, "booked")
    if held:
        lifecycle.set_state(connection, held, "held")
        lifecycle.hold_until(connection, held, created_at_us=now_us, until_us=now_us + hold.hold_s * SECOND_US)
    waits = wait_store.find_waits(connection, sorted({p.booking.wait_id for p in offered if p.booking.wait_id}))
    for wait in waits.values():
        wait_store.end_waits(connection, [wait.id], "served", now_us=now_us)
        # One entry had several wishes: with one of them accepted, the others are wished no more.
        others = [w.id for w in wait_store.live_waits_of_entry(connection, wait.entry_id) if w.state == "waiting"]
        wait_store.end_waits(connection, others, "ended", now_us=now_us)


def _accepted(placed: Placed, caller: Caller, now_us: int) -> Event:
    booking = placed.booking
    return Event(
        at_us=now_us,
        kind="accepted",
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
        detail={"booking_id": booking.id, "wait_id": booking.wait_id},
    )
