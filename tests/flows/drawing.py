"""Short ways to draw and to wait in tests: policies, entries, the worker's looks, who was offered what."""

import gzip
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import text, update

from hospital import (
    HOLD,
    NOW_US,
    Person,
    add_department,
    add_people,
    add_session,
    booked,
    code,
    dump,
    pay,
    rows,
)
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.draw_tables import draw_entries, draw_files, draws, slot_moves, waits
from shouhao.booking.model import EntryRequest, ReturnRequest
from shouhao.booking.release.draw_file import read, verify
from shouhao.booking.tables import bookings, departments, slots
from shouhao.flows.draws import make_due, open_windows, publish_commitments, seal_due
from shouhao.flows.enter import enter
from shouhao.flows.give_back import Caller, expire_holds, return_slots
from shouhao.flows.offers import accept
from shouhao.flows.release import release_due
from shouhao.flows.reopen import hand_kept_on, open_rested, revisit_due
from shouhao.kernel.clock import DAY_US, SECOND_US
from shouhao.kernel.errors import Refused
from shouhao.kernel.randomness import SystemRandomness
from shouhao.patients.tables import patients
from shouhao.store import answers, policies
from shouhao.store.answers import Answer

KEYS = DrawKeys(b"s" * 32, b"r" * 32)
DRAW = {"kind": "draw"}
OPENS, CLOSES = NOW_US, NOW_US + 120 * SECOND_US  #: of the draw that `open_draw` opens
AFTER = CLOSES + SECOND_US
TRACES = ("events", "answers")  #: what a refused request leaves behind, and nothing else
NEVER = 1e-9  #: how rarely a bound may be broken by chance alone


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


def open_draw(
    db, *, seats: int = 2, session_ids: Sequence[str] = ("S1",), body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A department whose sessions, one a half-day, go by one draw, with the window open; the draw."""
    add_department(db)
    for n, session_id in enumerate(session_ids):
        half = ("am", "pm", "evening")[n % 3]
        add_session(db, session_id, seats=seats, state="planned", release_at_us=CLOSES, half=half)
    set_release(db, body or DRAW)
    look(db, OPENS)
    return the_draw(db)


def released(db, session_id: str = "S1", *, now_us: int = NOW_US, **how: Any) -> str:
    """A session that the worker has just released under the policy in force; its department is made if it is new."""
    if not rows(db, departments, id=how.get("department_id", "OBS")):
        add_department(db, how.get("department_id", "OBS"), doctor_ids=[how.get("doctor_id", "D1")])
    add_session(db, session_id, state="planned", release_at_us=now_us, **how)
    release_due(db, now_us=now_us)
    return session_id


def sold_out(
    db, session_id: str = "S1", *, seats: int = 1, now_us: int = NOW_US, **how: Any
) -> list[tuple[Person, str]]:
    """A released session in which each slot is booked and paid: by whom, and the booking."""
    released(db, session_id, seats=seats, now_us=now_us, **how)
    holders = add_people(db, seats)
    made = [booked(db, person, session_id, now_us=now_us) for person in holders]
    for booking_id in made:
        pay(db, booking_id, now_us=now_us)
    return list(zip(holders, made, strict=True))


def ranked(db, *people: Person, session_id: str = "S1", now_us: int) -> int:
    """They join the waitlist and their batch is drawn; when that was."""
    join(db, *people, session_id=session_id, now_us=now_us)
    drawn_us = now_us + seconds(1800)
    look(db, drawn_us)
    return drawn_us


def file_of_draw(db, draw_id: str) -> dict[str, Any]:
    """The published file, which holds."""
    (kept,) = rows(db, draw_files, draw_id=draw_id)
    file = read(gzip.decompress(kept["body_gz"]))
    assert all(check.holds for check in verify(file))
    return file


def same_person_twice(db, **how: Any) -> tuple[Person, Person]:
    """One person with two records: an ID card and a passport with the same name and birth day."""
    card, passport = add_people(db, 2, **how)
    name_one_person(db, card, passport)
    return card, passport


def name_one_person(db, card: Person, passport: Person) -> None:
    """Two records turn out to have one name and birth day, the second by a passport."""
    with db.write() as connection:
        for person, kind in ((card, "resident_id"), (passport, "passport")):
            connection.execute(
                update(patients)
                .where(patients.c.id == person.patient_id)
                .values(person_hash=f"same {card.patient_id}", document_kind=kind)
            )


def nothing_moves(db, act: Callable[[], Any], *refusal_codes: str) -> list[Any]:
    """Act, hear these refusals, and find everything as it was but for the traces of asking; what was said.

    A refusal is raised, or answered.
    """
    before = dump(db, without=TRACES)
    try:
        heard = act()
    except Refused as refusal:
        heard = refusal
    said_ = heard if isinstance(heard, list) else [heard]
    codes = [code(one) for one in said_]
    assert codes == list(refusal_codes), codes
    assert dump(db, without=TRACES) == before
    return said_


def field_of(answer: Any) -> str | None:
    """The field that a refusal names."""
    return answer.field if isinstance(answer, Refused) else msgspec.json.decode(answer.body)["field"]


def wait_for_a_lock(db) -> None:
    """Until somebody in this PostgreSQL database waits for a lock."""
    waiting_ = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(5000):
        with db.read() as connection:
            if connection.execute(waiting_).scalar_one():
                return
    raise AssertionError("nobody waits")
