"""Decide: who of a batch gets which slot. Pure: the batch's view of the data in, one outcome a request out.

Requests are taken in the order they arrived at the desk. What an earlier request of the batch was given counts
for a later one, so a person who asks twice in the same millisecond is treated as one who asks twice in an hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shouhao.booking.limits import LimitsPolicy, over_limit, restricted
from shouhao.booking.model import (
    ON_SITE_CHANNELS,
    AlreadyBooked,
    Applicant,
    BindingTooNew,
    Booking,
    BookRequest,
    CareProofNeeded,
    FreeSlot,
    LiveBooking,
    OnlyWithReferral,
    OpenSession,
    Restriction,
    SessionClosed,
    SessionNotReleased,
    SessionUnknown,
    SlotTaken,
    SoldOut,
)
from shouhao.kernel.clock import SECOND_US, from_us
from shouhao.kernel.errors import InvalidInput, Refused

WINDOW, PHONE, CARE, REFERRAL = "window", "phone", "care", "referral"  #: `FreeSlot.reserved_for`


@dataclass(slots=True, kw_only=True)
class BatchView:
    """What is known, under locks, when a batch is decided. `free` and `held` are used up by deciding."""

    sessions: Mapping[str, OpenSession]
    free: dict[str, list[FreeSlot]]  #: by session, in the order of their numbers
    named: dict[str, FreeSlot] = field(default_factory=dict)  #: free slots that were asked for by id
    reserved: dict[tuple[str, str], list[FreeSlot]] = field(default_factory=dict)  #: by session and whom they are for
    held: dict[str, list[LiveBooking]] = field(default_factory=dict)  #: by patient
    restrictions: Mapping[str, Sequence[Restriction]] = field(default_factory=dict)  #: by patient
    taken: set[str] = field(default_factory=set)  #: slots given out by this batch


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTimes:
    """How long a slot waits for its payment."""

    hold_s: int = 900
    cap_s: int = 1800  #: no extension goes past this


@dataclass(frozen=True, slots=True)
class Granted:
    """The slot is this person's."""

    booking: Booking
    slot: FreeSlot


Outcome = Granted | Refused


def decide(
    requests: Sequence[tuple[BookRequest, Applicant]],
    view: BatchView,
    *,
    ids: Sequence[str],
    policy: LimitsPolicy,
    hold: HoldTimes,
    now_us: int,
) -> list[Outcome]:
    """One outcome for each request, in the same order.

    Args:
        ids: an id for each request, used when it is granted.
    """
    return [
        _decide_one(request, applicant, view, booking_id=ids[n], policy=policy, hold=hold, now_us=now_us)
        for n, (request, applicant) in enumerate(requests)
    ]


def _decide_one(
    request: BookRequest,
    applicant: Applicant,
    view: BatchView,
    *,
    booking_id: str,
    policy: LimitsPolicy,
    hold: HoldTimes,
    now_us: int,
) -> Outcome:
    session = view.sessions.get(request.session_id)
    if session is None:
        return SessionUnknown("session_id")
    held = view.held.get(request.patient_id)
    refusal = (
        applicant.refusal
        or _not_open(session, now_us)
        or _not_entitled(request, applicant, session, held or (), view, policy, now_us)
    )
    if refusal is not None:
        return refusal
    slot = _take(request, applicant, session, view)
    if isinstance(slot, Refused):
        return slot
    mine = LiveBooking(session.id, session.department_id, session.day)
    if held is None:
        view.held[request.patient_id] = [mine]
    else:
        held.append(mine)
    free_of_charge = session.fee_cents == 0
    return Granted(
        Booking(
            id=booking_id,
            slot_id=slot.id,
            session_id=session.id,
            department_id=session.department_id,
            day=session.day,
            patient_id=request.patient_id,
            account_id=request.account_id,
            channel=request.channel,
            state="booked" if free_of_charge else "held",
            fee_cents=session.fee_cents,
            starts_at_us=slot.starts_at_us,
            created_at_us=now_us,
            hold_expires_at_us=None if free_of_charge else now_us + hold.hold_s * SECOND_US,
        ),
        slot,
    )


def _not_open(session: OpenSession, now_us: int) -> Refused | None:
    if session.state == "planned":
        return SessionNotReleased("session_id")
    if session.state != "released" or now_us >= session.ends_at_us:
        return SessionClosed("session_id")
    return None


def _not_entitled(
    request: BookRequest,
    applicant: Applicant,
    session: OpenSession,
    held: Sequence[LiveBooking],
    view: BatchView,
    policy: LimitsPolicy,
    now_us: int,
) -> Refused | None:
    if session.hot and now_us < applicant.hot_from_us:
        until = from_us(applicant.hot_from_us).strftime("%Y-%m-%d %H:%M")
        return BindingTooNew("patient_id", until=until)
    restrictions = view.restrictions.get(request.patient_id)
    if restrictions:
        refusal = restricted(restrictions, department_id=session.department_id, now_us=now_us)
        if refusal is not None:
            return refusal
    if not held:
        return None
    if any(b.session_id == session.id for b in held):
        return AlreadyBooked("patient_id")
    return over_limit(held, department_id=session.department_id, day=session.day, policy=policy)


def _take(request: BookRequest, applicant: Applicant, session: OpenSession, view: BatchView) -> FreeSlot | Refused:
    if request.pool is not None:
        return _take_kept(request, applicant, session, view)
    if request.slot_id is not None:
        slot = view.named.get(request.slot_id)
        if slot is None or slot.session_id != session.id or slot.id in view.taken:
            return SlotTaken("slot_id")
        view.taken.add(slot.id)
        return slot
    for pool in _own_pools(request, applicant):
        slot = _first(view.reserved.get((session.id, pool)), view)
        if slot is not None:
            return slot
    return _first(view.free.get(session.id), view) or SoldOut("session_id")


def _own_pools(request: BookRequest, applicant: Applicant) -> tuple[str, ...]:
    """What is kept for this way in, used up before what is everybody's: it would otherwise lie idle."""
    if request.channel in ON_SITE_CHANNELS:
        return (WINDOW,)
    if request.channel == PHONE and applicant.care_ground is not None:
        return (PHONE,)
    return ()


def _take_kept(request: BookRequest, applicant: Applicant, session: OpenSession, view: BatchView) -> FreeSlot | Refused:
    """A slot that is kept for people in need, or for referrals."""
    if request.pool == CARE:
        if applicant.care_ground is None:
            return CareProofNeeded("patient_id")
    elif request.pool == REFERRAL:
        if request.staff_id is None or request.note is None:
            return OnlyWithReferral("pool")
    else:
        return InvalidInput("pool", zh="应为 care 或 referral", en="must be care or referral")
    return _first(view.reserved.get((session.id, request.pool)), view) or SoldOut("session_id")


def _first(free: list[FreeSlot] | None, view: BatchView) -> FreeSlot | None:
    while free:
        slot = free.pop(0)
        if slot.id not in view.taken:
            view.taken.add(slot.id)
            return slot
    return None
