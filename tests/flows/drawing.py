"""Short ways to draw and to wait in tests: policies, entries, the worker's looks, who was offered what."""

from typing import Any

import msgspec

from hospital import HOLD, NOW_US, Person, code, rows
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.draw_tables import draw_entries, draws, slot_moves, waits
from shouhao.booking.model import EntryRequest, ReturnRequest
from shouhao.booking.tables import bookings, slots
from shouhao.flows.draws import make_due, open_windows, publish_commitments, seal_due
from shouhao.flows.enter import enter
from shouhao.flows.give_back import Caller, expire_holds, return_slots
from shouhao.flows.offers import accept
from shouhao.flows.release import release_due
from shouhao.flows.reopen import hand_kept_on, open_rested, revisit_due
from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.randomness import SystemRandomness
from shouhao.store import answers, policies
from shouhao.store.answers import Answer

KEYS = DrawKeys(b"s" * 32, b"r" * 32)
DRAW = {"kind": "draw"}


def set_release(db, body: dict[str, Any], scope: str = "everywhere", *, now_us: int = NOW_US - DAY_US) -> None:
    """Put a release policy in force."""
    with db.write() as connection:
        policies.add(
            connection, f"release:{scope}", body, effective_at_us=now_us, staff_id="st", reason="test", now_us=now_us
        )


def look(db, now_us: int, *, keys: DrawKeys = KEYS, randomness: Any = None) -> None:
    """Everything that the worker does for releases, once."""
    open_windows(db, keys, now_us=now_us)
    release_due(db, now_us=now_us)
    seal_due(db, keys, now_us=now_us)
    make_due(db, keys, now_us=now_us)
    hand_kept_on(db, now_us=now_us)
    publish_commitments(db, keys)
    revisit_due(db, now_us=now_us)
    open_rested(db, randomness or SystemRandomness(), now_us=now_us)
    expire_holds(db, now_us=now_us)


def the_draw(db, kind: str = "release") -> dict[str, Any]:
    """The latest draw of that kind."""
    return max(rows(db, draws, kind=kind), key=lambda row: row["closes_at_us"])


def entry(*people: Person, draw_id: str | None = None, session_id: str | None = None, wishes=(), **more: Any):
    """A request to enter, from the account of the first person unless another is given."""
    key = more.pop("key", None)
    asked = {"account_id": people[0].account_id, "channel": "app", **more}
    once = None
    if key is not None:
        once = answers.once(
            caller="c", route="enter", key=key, body=repr((people, draw_id, session_id, wishes)).encode()
        )
    return EntryRequest(
        patient_ids=tuple(p.patient_id for p in people),
        draw_id=draw_id,
        session_id=session_id,
        wishes=tuple(wishes),
        once=once,
        **asked,
    )


def enter_now(db, *requests: EntryRequest, now_us: int) -> list[Any]:
    """Decide entries in one unit of work."""
    with db.write() as connection:
        return enter(connection, requests, now_us=now_us)


def said(answer: Any) -> dict[str, Any]:
    """What an answer tells."""
    assert isinstance(answer, Answer)
    return dict(msgspec.json.decode(answer.body))


def join(db, *people: Person, session_id: str = "S1", now_us: int) -> None:
    """Each of them joins the waitlist, alone."""
    for answer in enter_now(db, *(entry(p, session_id=session_id) for p in people), now_us=now_us):
        assert code(answer) == "done", answer


def give(db, booking_id: str, *, now_us: int, channel: str = "app", person: Person | None = None) -> Any:
    """Return a slot through the desk; by staff when no person is given."""
    asked = ReturnRequest(
        booking_id=booking_id,
        channel=channel,
        account_id=None if person is None else person.account_id,
        staff_id="st" if person is None else None,
    )
    with db.write() as connection:
        (answer,) = return_slots(connection, [asked], now_us=now_us)
    return answer


def take(db, person: Person, booking_id: str, *, now_us: int) -> list[Any]:
    """Accept an offer."""
    with db.write() as connection:
        caller = Caller(channel="app", account_id=person.account_id)
        return accept(connection, booking_id=booking_id, caller=caller, hold=HOLD, now_us=now_us)


def offers(db, **which: Any) -> list[dict[str, Any]]:
    """Offers that stand."""
    return rows(db, bookings, state="offered", **which)


def slot(db, slot_id: str) -> dict[str, Any]:
    """A slot."""
    (found,) = rows(db, slots, id=slot_id)
    return found


def ways(db, slot_id: str) -> list[tuple[str, str]]:
    """Where a slot went, and why."""
    found = sorted(rows(db, slot_moves, slot_id=slot_id), key=lambda row: (row["at_us"], row["id"]))
    return [(row["way"], row["why"]) for row in found]


def waiting(db, **which: Any) -> list[dict[str, Any]]:
    """Places on waitlists, in their order."""
    return sorted(rows(db, waits, **which), key=lambda row: (row["drawn_at_us"], row["place"]))


def entries(db, **which: Any) -> list[dict[str, Any]]:
    """Entries."""
    return rows(db, draw_entries, **which)


def seconds(n: float) -> int:
    """In microseconds."""
    return round(n * SECOND_US)
