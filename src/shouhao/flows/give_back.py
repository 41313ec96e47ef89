"""Give back: a slot that is returned or declined, or whose payment or acceptance never came, is handed on at once.

Where it goes is decided in the same transaction (`hand_on.py`): to the next who waits, or a way on which nobody can
lie in wait for it. What a return costs its person, a cooling time and a mark when it is late, is written with it.
People who got their slots together and have not paid give all of them back together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from shouhao.booking import limits
from shouhao.booking.limits import LimitsPolicy, Penalty
from shouhao.booking.model import (
    ON_SITE_CHANNELS,
    Booking,
    BookingUnknown,
    ReturnRequest,
    TooLateToReturn,
    WrongState,
    view,
)
from shouhao.booking.store import lifecycle, payments
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.lifecycle import Placed
from shouhao.booking.store.rules import limits_in_force
from shouhao.booking.waitlist import MoveWhy
from shouhao.flows.hand_on import Freed, hand_slots_on
from shouhao.flows.once import Keep, done, each_once, no
from shouhao.kernel.errors import Refused
from shouhao.kernel.events import Event
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.answers import Answer
from shouhao.store.engine import Database

_UNSETTLED: Final = frozenset({"offered", "held"})


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


@dataclass(frozen=True, slots=True)
class _Return:
    """One return that may be done: what it is about, and everything that goes with it."""

    caller: Caller
    asked: Placed
    together: tuple[Placed, ...]


def return_slots(connection: Connection, requests: Sequence[ReturnRequest], *, now_us: int) -> list[Answer | Refused]:
    """Return a batch of slots within a unit of work. A request with a key is answered with what is kept under it."""

    def fresh(asked: Sequence[ReturnRequest], keep: Keep) -> list[Answer]:
        pairs = [(r.booking_id, _caller(r)) for r in asked]
        outcomes = _give_back(connection, pairs, now_us=now_us)
        after = lifecycle.find_bookings(connection, [o.booking.id for o in outcomes if isinstance(o, Placed)])
        made = [no(o) if isinstance(o, Refused) else done(_view(after[o.booking.id])) for o in outcomes]
        keep(made)
        return made

    return each_once(connection, requests, fresh, now_us=now_us)


def give_back(connection: Connection, *, booking_id: str, caller: Caller, now_us: int) -> Placed:
    """Return a held or booked slot, or decline an offer. What was paid is owed back.

    Raises:
        BookingUnknown: no such booking of this caller.
        WrongState: it is over already, or the patient has checked in.
        TooLateToReturn: its time segment has begun.
    """
    (outcome,) = _give_back(connection, [(booking_id, caller)], now_us=now_us)
    if isinstance(outcome, Refused):
        raise outcome
    return lifecycle.find_booking(connection, booking_id)


def expire_holds(db: Database, *, now_us: int, limit: int = 500) -> int:
    """Let go of slots whose time to accept or to pay is over; how many. Doing it twice changes nothing."""
    with db.write() as connection:
        due = lifecycle.due_holds(connection, now_us=now_us, limit=limit)
        if not due:
            return 0
        lock_patients(connection, [p.booking.patient_id for p in lifecycle.find_bookings(connection, due).values()])
        locked = lifecycle.lock_bookings(connection, due, states=("held", "offered"))
        expired = _whole_parties(locked, lambda b: (b.hold_expires_at_us or 0) <= now_us)
        let_go(connection, expired, now_us=now_us)
        hand_slots_on(
            connection,
            [_freed(p, "offer_lapsed" if p.booking.state == "offered" else "hold_expired") for p in expired],
            now_us=now_us,
        )
        _mark_unpaid(connection, [p.booking for p in expired], now_us=now_us)
        return len(expired)


def let_go(connection: Connection, unpaid: Sequence[Placed], *, now_us: int) -> None:
    """End locked offers and holds that came to nothing. Their slots are the caller's to give a way."""
    lifecycle.set_state(connection, [placed.booking.id for placed in unpaid], "expired", ended_at_us=now_us)
    lapsed = {p.booking.wait_id for p in unpaid if p.booking.state == "offered"}
    wait_store.end_waits(connection, [w for w in lapsed if w is not None], "lapsed", now_us=now_us)
    event_log.append(connection, _expired(unpaid, now_us))


def _give_back(connection: Connection, asked: Sequence[tuple[str, Caller]], *, now_us: int) -> list[Placed | Refused]:
    """One outcome for each, in the same order; the first of two that ask for the same is done."""
    said: list[Placed | Refused] = []
    may: list[tuple[Placed, Caller]] = []
    found = lifecycle.find_bookings(connection, [booking_id for booking_id, _ in asked])
    for booking_id, caller in asked:
        placed = found.get(booking_id)
        if placed is None or not caller.may_touch(placed.booking):
            said.append(BookingUnknown("booking_id"))
        else:
            said.append(placed)
            may.append((placed, caller))
    if not may:
        return said
    locked = _lock(connection, [placed for placed, _ in may])
    done_with: set[str] = set()
    returns: dict[int, _Return] = {}
    for n, (booking_id, caller) in enumerate(asked):
        if isinstance(said[n], Refused):
            continue
        outcome = _check(booking_id, caller, locked, done_with, now_us)
        if isinstance(outcome, Refused):
            said[n] = outcome
        else:
            returns[n], said[n] = outcome, outcome.asked
            done_with.update(p.booking.id for p in outcome.together)
    _end(connection, list(returns.values()), now_us=now_us)
    return said


def _lock(connection: Connection, placed: Sequence[Placed]) -> dict[str, Placed]:
    parties = {p.booking.party_id for p in placed if p.booking.party_id is not None}
    ids = {p.booking.id for p in placed} | set(lifecycle.unsettled_of_parties(connection, parties))
    everyone = lifecycle.find_bookings(connection, ids)
    lock_patients(connection, [p.booking.patient_id for p in everyone.values()])
    locked = lifecycle.lock_bookings(connection, sorted(ids), states=("offered", "held", "booked"))
    return {p.booking.id: p for p in locked}


def _check(
    booking_id: str, caller: Caller, locked: dict[str, Placed], done_with: set[str], now_us: int
) -> _Return | Refused:
    placed = locked.get(booking_id)
    if placed is None or booking_id in done_with:
        return WrongState("booking_id", state="ended")
    booking = placed.booking
    if now_us >= booking.starts_at_us:
        return TooLateToReturn("booking_id")
    together = [placed]
    if booking.party_id is not None and booking.state in _UNSETTLED:
        together = [
            p for p in locked.values() if p.booking.party_id == booking.party_id and p.booking.state in _UNSETTLED
        ]
    return _Return(caller, placed, tuple(together))


def _end(connection: Connection, returns: Sequence[_Return], *, now_us: int) -> None:
    if not returns:
        return
    every = [(p, r.caller) for r in returns for p in r.together]
    ids = [p.booking.id for p, _ in every]
    lifecycle.set_state(connection, ids, "returned", ended_at_us=now_us)
    refunds = payments.owe_refunds(connection, ids, now_us=now_us)
    left = {p.booking.wait_id for p, _ in every if p.booking.state == "offered"}
    wait_store.end_waits(connection, [w for w in left if w is not None], "left", now_us=now_us)
    _penalise(connection, [p.booking for p, _ in every if p.booking.state != "offered"], now_us=now_us)
    event_log.append(connection, [_cancelled(p, caller, p.booking.id in refunds, now_us) for p, caller in every])
    freed = [_freed(p, _why(p.booking, caller), on_site=caller.channel in ON_SITE_CHANNELS) for p, caller in every]
    hand_slots_on(connection, freed, now_us=now_us)


def _why(booking: Booking, caller: Caller) -> MoveWhy:
    if caller.channel in ON_SITE_CHANNELS:
        return "returned_on_site"  # an offer that is declined in the house stays there as well
    return "offer_declined" if booking.state == "offered" else "returned"


def _freed(placed: Placed, why: MoveWhy, *, on_site: bool = False) -> Freed:
    return Freed(
        slot_id=placed.booking.slot_id,
        session_id=placed.booking.session_id,
        why=why,
        on_site=on_site,
        extra=placed.extra,
    )


def _whole_parties(locked: Sequence[Placed], over: Callable[[Booking], bool]) -> list[Placed]:
    """Those whose time is over; of people who are together, all or none: begun payments were given longer."""
    not_yet = {p.booking.party_id for p in locked if not over(p.booking)}
    return [p for p in locked if over(p.booking) and (p.booking.party_id is None or p.booking.party_id not in not_yet)]


def _mark_unpaid(connection: Connection, expired: Iterable[Booking], *, now_us: int) -> None:
    """Holding and letting go again and again keeps slots from others, so it is counted.

    So is winning a draw and not taking it. Staff's holds are not, and an offer of the waitlist is nobody's fault: it
    may come at any hour.
    """
    counted = [b for b in expired if b.account_id is not None and (b.state == "held" or b.wait_id is None)]
    _count(
        connection,
        counted,
        "unpaid_hold",
        lambda _, marks, policy: [limits.after_unpaid_hold(marks=marks, policy=policy, now_us=now_us)],
        now_us=now_us,
    )


def _penalise(connection: Connection, returned: Sequence[Booking], *, now_us: int) -> None:
    def after(booking: Booking, marks: int, policy: LimitsPolicy) -> list[Penalty]:
        return limits.after_return(
            starts_at_us=booking.starts_at_us,
            department_id=booking.department_id,
            marks=marks,
            policy=policy,
            now_us=now_us,
        )

    _count(connection, returned, "late_return", after, now_us=now_us)


def _count(
    connection: Connection,
    ended: Sequence[Booking],
    reason: str,
    after: Callable[[Booking, int, LimitsPolicy], list[Penalty]],
    *,
    now_us: int,
) -> None:
    """Write what each of these brings its person, with what they already have on the record."""
    if not ended:
        return
    policy = limits_in_force(connection, now_us=now_us)
    since_us = limits.marks_since_us(reason, policy=policy, now_us=now_us)
    marks: Counter[str] = lifecycle.count_marks(connection, {b.patient_id for b in ended}, reason, since_us=since_us)
    given: list[tuple[Booking, Penalty]] = []
    for booking in ended:
        penalties = after(booking, marks[booking.patient_id], policy)
        marks[booking.patient_id] += sum(p.reason == reason for p in penalties)
        given += [(booking, penalty) for penalty in penalties]
    lifecycle.restrict(connection, given, now_us=now_us)


def _caller(request: ReturnRequest) -> Caller:
    return Caller(
        channel=request.channel,
        account_id=request.account_id,
        staff_id=request.staff_id,
        device_id=request.device_id,
        sign_in_id=request.sign_in_id,
        ip=request.ip,
        user_agent=request.user_agent,
    )


def _view(placed: Placed) -> object:
    return view(placed.booking, number=placed.number, ends_at_us=placed.ends_at_us)


def _cancelled(placed: Placed, caller: Caller, refund: bool, now_us: int) -> Event:
    booking = placed.booking
    return Event(
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
        detail={"booking_id": booking.id, "was": booking.state, "refund": refund},
    )


def _expired(expired: Sequence[Placed], now_us: int) -> list[Event]:
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
            detail={"booking_id": placed.booking.id, "was": placed.booking.state},
        )
        for placed in expired
    ]
