"""Hand on: a slot that somebody let go reaches the next who is entitled, in the transaction that let it go.

The caller holds the sessions. Whoever is offered a slot has to be locked too, and locks of people come before locks of
sessions; so people are taken here only when nobody else holds them. Otherwise the slot is kept for the waitlist, which
nobody else can take from, and the worker hands it on in the right order of locks a moment later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec
from sqlalchemy import Connection

from shouhao.booking.model import AlreadyBooked, Booking, FreeSlot
from shouhao.booking.release.policy import release_body
from shouhao.booking.returns import Way, next_look_us, way_of
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.waits import Move, Place, Rest, SlotState, Wait
from shouhao.booking.waitlist import Candidate, Given, MoveWhy, hand_on, offer_expires_at_us
from shouhao.flows.entitled import Known, look_at_people
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.store import event_log

_SPARE = 8  #: how many more than there are slots are looked at first
_MOST_LOOKED_AT = 512  #: of one waitlist in one unit of work

#: Whom a slot is reserved for, by the way it goes.
_RESERVED_FOR: Mapping[Way, str] = {"kept": "waitlist", "care": "care", "window": "window", "rest": "rest"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """A slot that somebody let go."""

    slot_id: str
    session_id: str
    why: MoveWhy
    on_site: bool = False
    extra: bool = False


@dataclass(slots=True, kw_only=True)
class _Round:
    """What one unit of work hands on."""

    now_us: int
    places: Mapping[str, Place]
    slots: Mapping[str, FreeSlot]
    become: list[SlotState] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    offers: list[Booking] = field(default_factory=list)
    offered: list[Wait] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def hand_slots_on(connection: Connection, freed: Sequence[Freed], *, now_us: int) -> list[Booking]:
    """Give each slot its way; the offers that were made.

    The sessions are locked by the caller, and the slots are nobody's any more.
    """
    if not freed:
        return []
    session_ids = {f.session_id for f in freed}
    this = _Round(
        now_us=now_us,
        places=wait_store.places(connection, session_ids),
        slots=wait_store.slots_by_id(connection, {f.slot_id for f in freed}),
    )
    ranked, unranked = wait_store.anyone_waits(connection, session_ids)
    # What was once given up in the house stays in the house, whoever was offered it meanwhile.
    in_house = wait_store.returned_on_site(connection, this.slots)
    freed = [replace(f, on_site=f.on_site or f.slot_id in in_house) for f in freed]
    to_waitlist: dict[str, list[Freed]] = defaultdict(list)
    for f in freed:
        way, why = _way(f, this, anyone_ranked=f.session_id in ranked, anyone_unranked=f.session_id in unranked)
        if way == "waitlist":
            to_waitlist[f.session_id].append(f)
        else:
            _go(this, f, way, why)
    if to_waitlist:
        for f, busy in _offer(connection, to_waitlist, this):
            # Nobody on the list may take it now. It goes on as if nobody's order were drawn.
            way, why = (
                ("kept", f.why)
                if busy
                else _way(f, this, anyone_ranked=False, anyone_unranked=f.session_id in unranked)
            )
            _go(this, f, way, why)
    _write(connection, this)
    return this.offers


def _way(f: Freed, this: _Round, *, anyone_ranked: bool, anyone_unranked: bool) -> tuple[Way, MoveWhy]:
    place = this.places[f.session_id]
    if place.state == "closed" or this.now_us >= place.ends_at_us:
        return "withdrawn", "session_near"
    way, why = way_of(
        on_site=f.on_site,
        extra=f.extra,
        anyone_ranked=anyone_ranked,
        anyone_unranked=anyone_unranked,
        now_us=this.now_us,
        session_starts_at_us=place.starts_at_us,
        session_day=place.day,
        rules=place.ruled_by.policy.returns,
        waitlist_rules=place.ruled_by.policy.waitlist,
    )
    return way, f.why if why in {"returned", "returned_on_site"} else why


def _go(this: _Round, f: Freed, way: Way, why: MoveWhy) -> None:
    """A slot goes a way on which nobody is offered it."""
    place = this.places[f.session_id]
    reserved_for = _RESERVED_FOR.get(way)
    state = "reserved" if reserved_for else "withdrawn" if way == "withdrawn" else "free"
    this.become.append(SlotState(id=f.slot_id, state=state, reserved_for=reserved_for))
    this.moves.append(Move(slot_id=f.slot_id, session_id=f.session_id, at_us=this.now_us, way=way, why=why))
    if way == "rest":
        rules = place.ruled_by.policy.returns
        this.rests.append(
            Rest(
                slot_id=f.slot_id,
                session_id=f.session_id,
                since_us=this.now_us,
                looked_step=0,
                next_look_us=next_look_us(since_us=this.now_us, looked_step=0, rules=rules),
                policy=msgspec.json.encode(release_body(place.ruled_by.policy)["returns"]).decode(),
            )
        )
    this.events.append(
        Event(
            at_us=this.now_us,
            kind="slot_moved",
            department_id=place.department_id,
            doctor_id=place.doctor_id,
            session_id=f.session_id,
            slot_id=f.slot_id,
            detail={"way": way, "why": why},
        )
    )


def _offer(connection: Connection, to_waitlist: Mapping[str, list[Freed]], this: _Round) -> list[tuple[Freed, bool]]:
    """Offer slots to whoever is next; the ones nobody could take, each with whether somebody else held a person."""
    wanted = {session_id: len(of) + _SPARE for session_id, of in to_waitlist.items()}
    left: list[tuple[Freed, bool]] = []
    while wanted:
        queues = wait_store.next_waits(connection, wanted)
        pairs = {(person, w.account_id) for queue in queues.values() for w in queue for person in w.names()}
        people = look_at_people(connection, pairs, lock="skip", now_us=this.now_us)
        for offer in this.offers:  # made in an earlier round, and not written yet
            people.hold(offer.patient_id, this.places[offer.session_id])
        # Whoever has just accepted another wish of theirs waits no more; nobody who is locked does so from here on.
        waiting = wait_store.still_waiting(connection, [w.id for queue in queues.values() for w in queue])
        again: dict[str, int] = {}
        for session_id, count in sorted(wanted.items()):
            queue, slots = queues.get(session_id, []), to_waitlist[session_id]
            candidates, busy = _candidates([w for w in queue if w.id in waiting], people, this, session_id)
            given, rest = hand_on([f.slot_id for f in slots], candidates)
            if rest and not busy and len(queue) == count < _MOST_LOOKED_AT:
                again[session_id] = min(count * 8, _MOST_LOOKED_AT)  # nobody among the first may: look further
                continue
            by_slot = {f.slot_id: f for f in slots}
            for one in given:
                _make_offer(this, one, {w.id: w for w in queue}, by_slot, people)
            left += [(by_slot[slot_id], busy) for slot_id in rest]
        wanted = again
    return left


def _candidates(queue: Sequence[Wait], people: Known, this: _Round, session_id: str) -> tuple[list[Candidate], bool]:
    """Those of the queue up to the first whom somebody else holds, and whether there is such a one."""
    found: list[Candidate] = []
    for wait in queue:
        names = wait.names()
        if not people.ours(names, wait.account_id):
            return found, True
        why_not = people.why_not(names, account_id=wait.account_id, channel=wait.channel, place=this.places[session_id])
        found.append(Candidate(wait_id=wait.id, people=names, entitled=why_not is None, why_not=why_not))
        if why_not == AlreadyBooked.code:
            this.ended.append(wait.id)  # they have a slot of this session by another way: they wait no more
    return found, False


def _make_offer(
    this: _Round, given: Given, queue: Mapping[str, Wait], freed: Mapping[str, Freed], people: Known
) -> None:
    wait = queue[given.wait_id]
    place = this.places[wait.session_id]
    expires_at_us = offer_expires_at_us(
        now_us=this.now_us, session_starts_at_us=place.starts_at_us, rules=place.ruled_by.policy.waitlist
    )
    party_id = new_id("py") if wait.size > 1 else None
    for person, slot_id in zip(wait.names(), given.slots, strict=True):
        offer = offer_of(
            place,
            this.slots[slot_id],
            person,
            account_id=wait.account_id,
            channel=wait.channel,
            party_id=party_id,
            expires_at_us=expires_at_us,
            wait_id=wait.id,
            now_us=this.now_us,
        )
        this.offers.append(offer)
        this.become.append(SlotState(id=slot_id, state="taken", booking_id=offer.id))
        this.moves.append(
            Move(
                slot_id=slot_id,
                session_id=place.id,
                at_us=this.now_us,
                way="offered",
                why=freed[slot_id].why,
                wait_id=wait.id,
                booking_id=offer.id,
            )
        )
        this.events.append(offered_event(offer, place, now_us=this.now_us, why=freed[slot_id].why))
        people.hold(person, place)
    this.offered.append(wait)


def offer_of(
    place: Place,
    slot: FreeSlot,
    patient_id: str,
    *,
    account_id: str | None,
    channel: str,
    party_id: str | None,
    expires_at_us: int,
    wait_id: str | None,
    now_us: int,
) -> Booking:
    """An offer: a live booking that its own person has to accept. There is no code and no link that could be sold."""
    return Booking(
        id=new_id("bk"),
        slot_id=slot.id,
        session_id=place.id,
        department_id=place.department_id,
        day=place.day,
        patient_id=patient_id,
        account_id=account_id,
        channel=channel,
        state="offered",
        fee_cents=place.fee_cents,
        starts_at_us=slot.starts_at_us,
        created_at_us=now_us,
        hold_expires_at_us=expires_at_us,
        party_id=party_id,
        wait_id=wait_id,
    )


def offered_event(offer: Booking, place: Place, *, now_us: int, why: str) -> Event:
    """What is recorded of an offer."""
    return Event(
        at_us=now_us,
        kind="offered",
        channel=offer.channel,
        account_id=offer.account_id,
        patient_id=offer.patient_id,
        department_id=offer.department_id,
        doctor_id=place.doctor_id,
        session_id=offer.session_id,
        slot_id=offer.slot_id,
        detail={
            "booking_id": offer.id,
            "why": why,
            "wait_id": offer.wait_id,
            "expires_in_s": ((offer.hold_expires_at_us or now_us) - now_us) // SECOND_US,
        },
    )


def _write(connection: Connection, this: _Round) -> None:
    desk_store.insert_bookings(connection, this.offers)
    wait_store.set_slots(connection, this.become)
    wait_store.mark_offered(connection, [w.id for w in this.offered])
    wait_store.end_waits(connection, this.ended, "ended", now_us=this.now_us)
    wait_store.rest(connection, this.rests)
    wait_store.add_moves(connection, this.moves)
    event_log.append(connection, this.events)
