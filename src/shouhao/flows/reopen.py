"""Reopen: what was kept for somebody goes on when its time is over, so that no slot dies unused.

A resting slot opens at a moment that chance decides at each look; a slot that was kept because a person was busy is
offered again in the right order of locks; parts that nobody used, the care pool and the waitlist end at their times.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from shouhao.booking.release.mixed import merges_at_us
from shouhao.booking.release.policy import Part, ReturnRules
from shouhao.booking.returns import REST_STEP_S, next_look_us, opens_now, rest_step_of
from shouhao.booking.store import desk as desk_store
from shouhao.booking.store import release as release_store
from shouhao.booking.store import waits as wait_store
from shouhao.booking.store.waits import Move, Place, Rest, SlotState
from shouhao.booking.waitlist import MoveWay, MoveWhy, waitlist_closes_at_us
from shouhao.flows.hand_on import Freed, hand_slots_on
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.events import Event
from shouhao.kernel.randomness import Randomness
from shouhao.patients.store import lock_patients
from shouhao.store import event_log
from shouhao.store.engine import Database

_PEOPLE_AHEAD = 16  #: of a waitlist, who are locked before its session to hand kept slots on


def open_rested(db: Database, randomness: Randomness, *, now_us: int, limit: int = 500) -> int:
    """Ask chance for each resting slot whose time for it has come; how many opened."""
    with db.read() as connection:
        due = wait_store.due_rests(connection, now_us=now_us, limit=limit)
    if not due:
        return 0
    with db.write() as connection:
        desk_store.lock_sessions(connection, {r.session_id for r in due})
        opening: dict[str, list[str]] = defaultdict(list)
        resting: list[Rest] = []
        for rest in wait_store.lock_rests(connection, [r.slot_id for r in due]):  # one may have gone to who waits
            rules = ReturnRules(**msgspec.json.decode(rest.policy))
            step = max(rest.looked_step, rest_step_of(since_us=rest.since_us, now_us=now_us, rules=rules))
            if opens_now(looked_step=rest.looked_step, step=step, rules=rules, randomness=randomness):
                opening[rest.session_id].append(rest.slot_id)
            else:
                # Off the grid of steps: whoever returned the slot knows the grid, and would ask just then.
                again_us = next_look_us(since_us=rest.since_us, looked_step=step, rules=rules) + randomness.below(
                    REST_STEP_S * SECOND_US
                )
                resting.append(msgspec.structs.replace(rest, looked_step=step, next_look_us=again_us))
        wait_store.look_again(connection, resting)
        for session_id, slot_ids in sorted(opening.items()):
            wait_store.end_rests(connection, slot_ids)
            _open_or_hand_on(connection, session_id, slot_ids, way="public", why="rest_over", now_us=now_us)
        return sum(len(slot_ids) for slot_ids in opening.values())


def hand_kept_on(db: Database, *, now_us: int, limit: int = 50) -> int:
    """Offer slots that are kept for a waitlist whose order is drawn; how many offers.

    Here the people are locked first, as everywhere, so whoever was busy when the slot came back is waited for.
    """
    with db.read() as connection:
        due = wait_store.sessions_with_kept(connection, limit=limit)
        queues = wait_store.next_waits(connection, dict.fromkeys(due, _PEOPLE_AHEAD)) if due else {}
    offers = 0
    for session_id in due:
        with db.write() as connection:
            lock_patients(connection, {p for w in queues.get(session_id, ()) for p in w.names()})
            desk_store.lock_sessions(connection, [session_id])
            kept = wait_store.reserved_in(connection, session_id, "waitlist")
            freed = [Freed(slot_id=s, session_id=session_id, why="returned") for s in kept]
            offers += len(hand_slots_on(connection, freed, now_us=now_us))
    return offers


def revisit_due(db: Database, *, now_us: int, limit: int = 100) -> int:
    """End what is over in released sessions: unused parts, the care pool, the waitlist; how many sessions."""
    with db.read() as connection:
        due = wait_store.due_revisits(connection, now_us=now_us, limit=limit)
    for session_id in due:
        with db.write() as connection:
            desk_store.lock_sessions(connection, [session_id])
            place = wait_store.places(connection, [session_id])[session_id]
            if place.revisit_at_us is not None and place.revisit_at_us <= now_us:
                _revisit(connection, place, now_us=now_us)
    return len(due)


def _open_or_hand_on(
    connection: Connection, session_id: str, slot_ids: Sequence[str], *, way: MoveWay, why: MoveWhy, now_us: int
) -> None:
    """To whoever waits; if nobody does, to everyone."""
    if not slot_ids:
        return
    ranked, unranked = wait_store.anyone_waits(connection, [session_id])
    if ranked or unranked:
        freed = [Freed(slot_id=s, session_id=session_id, why=why) for s in slot_ids]
        hand_slots_on(connection, freed, now_us=now_us)
    else:
        _move(connection, session_id, slot_ids, reserved_for=None, way=way, why=why, now_us=now_us)


def _revisit(connection: Connection, place: Place, *, now_us: int) -> None:
    policy, starts_at_us = place.ruled_by.policy, place.starts_at_us
    parts: tuple[Part, ...] = ("window", "phone", "referral")
    for part in parts:
        if part not in policy.mixed.parts:
            continue
        merges = merges_at_us(part, session_starts_at_us=starts_at_us, policy=policy)
        if merges is not None and merges <= now_us:
            kept = wait_store.reserved_in(connection, place.id, part)
            # What came back and went to the window is not the window's own part, and is never for everyone.
            came_back = wait_store.moved_in(connection, place.id)
            unused = [slot for slot in kept if slot not in came_back]
            _open_or_hand_on(connection, place.id, unused, way="merged", why="part_unused", now_us=now_us)
    if now_us >= starts_at_us - policy.returns.care_until_s * SECOND_US:
        left = wait_store.reserved_in(connection, place.id, "care")
        _move(connection, place.id, left, reserved_for="window", way="window", why="care_over", now_us=now_us)
    if now_us >= waitlist_closes_at_us(session_starts_at_us=starts_at_us, rules=policy.waitlist):
        waiting = [w.id for w in wait_store.live_in_session(connection, place.id) if w.state == "waiting"]
        wait_store.end_waits(connection, waiting, "ended", now_us=now_us)
        kept = wait_store.reserved_in(connection, place.id, "waitlist")
        _move(connection, place.id, kept, reserved_for="window", way="window", why="session_near", now_us=now_us)
    again = release_store.next_revisit_us(starts_at_us=starts_at_us, ruled_by=place.ruled_by, now_us=now_us)
    wait_store.revisit(connection, place.id, at_us=again)


def _move(
    connection: Connection,
    session_id: str,
    slot_ids: Sequence[str],
    *,
    reserved_for: str | None,
    way: MoveWay,
    why: MoveWhy,
    now_us: int,
) -> None:
    """Slots go a way on which nobody is offered them, on record."""
    state = "free" if reserved_for is None else "reserved"
    wait_store.set_slots(connection, [SlotState(id=s, state=state, reserved_for=reserved_for) for s in slot_ids])
    moves = [Move(slot_id=s, session_id=session_id, at_us=now_us, way=way, why=why) for s in slot_ids]
    wait_store.add_moves(connection, moves)
    happened = [
        Event(at_us=now_us, kind="slot_moved", session_id=session_id, slot_id=s, detail={"way": way, "why": why})
        for s in slot_ids
    ]
    event_log.append(connection, happened)
