"""Allot: what a draw came to becomes offers for the winners and places on the waitlist for everybody else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from shouhao.booking.model import Booking
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store import release as release_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.draws import Draw, Result
from shouhao.booking.store.entries import Known
from shouhao.booking.store.waits import Move, Place, SlotState, Wait
from shouhao.booking.waitlist import waitlist_closes_at_us
from shouhao.flows.entitled import look_at_people
from shouhao.flows.hand_on import Freed, hand_slots_on, offer_of, offered_event
from shouhao.flows.release import record_released
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.ids import new_id, new_ids
from shouhao.store import event_log


class AlreadyMade(Exception):  # noqa: N818 - not an error: another worker was faster, and this unit of work is undone
    """The draw was made meanwhile."""


def allot_slots(
    connection: Connection,
    draw_id: str,
    order: Sequence[str],
    wins: Mapping[str, str],
    entries: Mapping[str, Known],
    *,
    now_us: int,
) -> list[Booking]:
    """Offer the winners their slots, put the others on the waitlists of their wishes; the offers that were made.

    The draw says who wins; whether they may still take it is asked again now, as on every way in. What a winner may not
    take is handed on like any slot that comes back.

    Raises:
        AlreadyMade: nothing may be committed.
    """
    winners = [entries[i] for i in order if i in wins]
    pairs = {(p, e.account_id) for e in winners for p in e.people}
    people = look_at_people(connection, pairs, lock="wait", now_us=now_us)
    targets = [t.session_id for t in draw_store.targets_of(connection, [draw_id])[draw_id]]
    desk_store.lock_sessions(connection, targets)
    draw = draw_store.lock_draw(connection, draw_id)
    if draw is None or draw.state != "sealed":
        raise AlreadyMade
    _release(connection, draw, now_us=now_us)
    places = wait_store.places(connection, targets)
    slots = draw_store.draw_slots(connection, targets)
    by_id = wait_store.slots_by_id(connection, {s for of in slots.values() for s in of})
    expires_at_us = now_us + draw.ruled_by.policy.draw.confirm_s * SECOND_US
    offers: list[Booking] = []
    results: list[Result] = []
    for n, entry_id in enumerate(order, start=1):
        entry, session_id = entries[entry_id], wins.get(entry_id)
        if session_id is None:
            results.append(Result(id=entry_id, state="lost", place=n))
            continue
        place, free = places[session_id], slots.get(session_id, [])
        why = people.why_not(entry.people, account_id=entry.account_id, channel=entry.channel, place=place)
        if why is None and len(free) < len(entry.people):
            why = "booking.sold_out"  # slots were withdrawn since the window opened
        results.append(Result(id=entry_id, state="won", place=n, session_id=session_id, left_out=why))
        if why is not None:
            continue
        party_id = new_id("py") if len(entry.people) > 1 else None
        for person in entry.people:
            offers.append(
                offer_of(
                    place,
                    by_id[free.pop(0)],
                    person,
                    account_id=entry.account_id,
                    channel=entry.channel,
                    party_id=party_id,
                    expires_at_us=min(expires_at_us, place.starts_at_us),
                    wait_id=None,
                    now_us=now_us,
                )
            )
            people.hold(person, place)
    desk_store.insert_bookings(connection, offers)
    desk_store.take_kept(connection, offers)
    draw_store.set_results(connection, results)
    lost = [entries[r.id] for r in results if r.state == "lost"]
    _wait(connection, draw, lost, {r.id: r.place or 0 for r in results}, places, now_us=now_us)
    event_log.append(
        connection, [offered_event(o, places[o.session_id], now_us=now_us, why="draw_won") for o in offers]
    )
    wait_store.add_moves(connection, [_move(o, now_us) for o in offers])
    draw_store.mark_made(connection, draw_id, now_us=now_us)
    _leave_over(connection, slots, now_us=now_us)
    _hand_kept_on(connection, targets, now_us=now_us)
    return offers


def _hand_kept_on(connection: Connection, session_ids: Sequence[str], *, now_us: int) -> None:
    """What came back of a mixed session before its draw was made was kept for those who would lose it."""
    kept = [(slot, s) for s in session_ids for slot in wait_store.reserved_in(connection, s, "waitlist")]
    freed = [Freed(slot_id=slot, session_id=s, why="batch_drawn") for slot, s in kept]
    hand_slots_on(connection, freed, now_us=now_us)


def order_waitlist(
    connection: Connection, draw_id: str, order: Sequence[str], entries: Mapping[str, Known], *, now_us: int
) -> list[Booking]:
    """Those who joined in one batch get their places, and what was kept for them is offered; the offers.

    Raises:
        AlreadyMade: nothing may be committed.
    """
    (target,) = draw_store.targets_of(connection, [draw_id])[draw_id]
    desk_store.lock_sessions(connection, [target.session_id])
    draw = draw_store.lock_draw(connection, draw_id)
    if draw is None or draw.state != "sealed":
        raise AlreadyMade
    place_of = {entry_id: n for n, entry_id in enumerate(order, start=1)}
    draw_store.set_results(connection, [Result(id=i, state="lost", place=n) for i, n in place_of.items()])
    places = wait_store.places(connection, [target.session_id])
    _wait(connection, draw, [entries[i] for i in order], place_of, places, now_us=now_us)
    # Before anything is handed on, this batch is not open any more: nobody is kept a slot for it.
    draw_store.mark_made(connection, draw_id, now_us=now_us)
    kept = wait_store.reserved_in(connection, target.session_id, "waitlist")
    rested = wait_store.resting_in(connection, target.session_id) if order else []
    wait_store.end_rests(connection, rested)
    freed = [Freed(slot_id=s, session_id=target.session_id, why="batch_drawn") for s in (*kept, *rested)]
    return hand_slots_on(connection, freed, now_us=now_us)


def _release(connection: Connection, draw: Draw, *, now_us: int) -> None:
    """What goes by draw alone is released with it; a mixed session was released when the entries were sealed."""
    for session in release_store.of_draw(connection, draw.id):
        release_store.mark_released(
            connection, session.id, starts_at_us=session.starts_at_us, ruled_by=draw.ruled_by, now_us=now_us
        )
        record_released(connection, session, draw.ruled_by, public=0, now_us=now_us)


def _wait(
    connection: Connection,
    draw: Draw,
    waiting: Sequence[Known],
    place_of: Mapping[str, int],
    places: Mapping[str, Place],
    *,
    now_us: int,
) -> None:
    """Give each of them a place on the waitlist of each of their wishes."""
    rules = draw.ruled_by.policy.waitlist
    rows: list[Wait] = []
    taken = wait_store.live_members(connection, {p for e in waiting for p in e.people})
    ids = iter(new_ids("wt", sum(len(e.wishes) for e in waiting)))
    for entry in waiting:
        for session_id in entry.wishes:
            closes_at_us = waitlist_closes_at_us(session_starts_at_us=places[session_id].starts_at_us, rules=rules)
            if not rules.open or any((p, session_id) in taken for p in entry.people):
                continue
            over = now_us >= closes_at_us
            rows.append(
                Wait(
                    id=next(ids),
                    session_id=session_id,
                    draw_id=draw.id,
                    entry_id=entry.id,
                    account_id=entry.account_id,
                    channel=entry.channel,
                    people=msgspec.json.encode(entry.people).decode(),
                    size=len(entry.people),
                    drawn_at_us=draw.closes_at_us,
                    place=place_of[entry.id],
                    state="ended" if over else "waiting",
                    since_us=entry.entered_at_us,
                    ended_at_us=now_us if over else 0,
                )
            )
    wait_store.insert_waits(connection, rows)


def _leave_over(connection: Connection, slots: Mapping[str, Sequence[str]], *, now_us: int) -> None:
    """What nobody won: to those who wait for that session, otherwise open to everyone at once: nobody wanted it."""
    left = {session_id: list(of) for session_id, of in slots.items() if of}
    if not left:
        return
    ranked, _ = wait_store.anyone_waits(connection, left)
    free = {s: of for s, of in left.items() if s not in ranked}
    wait_store.set_slots(connection, [SlotState(id=slot, state="free") for of in free.values() for slot in of])
    moves: dict[str, list[Move]] = defaultdict(list)
    for session_id, of in free.items():
        moves[session_id] = [
            Move(slot_id=s, session_id=session_id, at_us=now_us, way="public", why="draw_left_over") for s in of
        ]
    wait_store.add_moves(connection, [m for of in moves.values() for m in of])
    freed = [
        Freed(slot_id=s, session_id=session_id, why="draw_left_over") for session_id in ranked for s in left[session_id]
    ]
    hand_slots_on(connection, freed, now_us=now_us)


def _move(offer: Booking, now_us: int) -> Move:
    return Move(
        slot_id=offer.slot_id,
        session_id=offer.session_id,
        at_us=now_us,
        way="offered",
        why="draw_won",
        booking_id=offer.id,
    )
