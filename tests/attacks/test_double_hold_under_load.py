"""Attack: many requests for one slot in the same moment, so that two of them win.

Hundreds of people, and one person hundreds of times, name the same slot through several desks with connections of
their own. One gets it; for the others nothing but their refusal is written.
"""

import threading
from concurrent.futures import Future

import pytest

from hospital import (
    HOLD,
    NOW_US,
    add_department,
    add_people,
    add_session,
    ask,
    assert_sound,
    booking_of,
    code,
    dump,
    rows,
)
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.tables import bookings, slots
from shouhao.flows.desk import BookingDesk
from shouhao.kernel.clock import ManualClock
from shouhao.store.engine import open_database

CROWD, THREADS = 240, 12


@pytest.fixture
def databases(db_url):
    opened = [open_database(db_url) for _ in range(1 if db_url.startswith("sqlite") else 3)]
    add_department(opened[0])
    add_session(opened[0], "S1", seats=1)
    add_session(opened[0], "S2", seats=30, half="pm")
    yield opened
    for db in opened:
        db.close()


def rush(databases, requests):
    """All requests through all desks at once; the answers in no order."""
    clock = ManualClock(NOW_US)
    desks = [Desk(BookingDesk(db, clock, HOLD).decide, DeskSettings(batch_max=8, gather_ms=0.0)) for db in databases]
    for desk in desks:
        desk.start()
    futures = [Future() for _ in requests]
    started = threading.Barrier(THREADS)

    def client(part):
        started.wait()
        for n in range(part, len(requests), THREADS):
            desks[n % len(desks)].submit(requests[n], futures[n], lane_key=f"{n}")

    clients = [threading.Thread(target=client, args=(part,)) for part in range(THREADS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    for desk in desks:
        desk.stop()
    return [future.result(0) for future in futures]


def test_one_slot_goes_to_one_of_hundreds(databases):
    db = databases[0]
    people = add_people(db, CROWD)
    kept = {"events", "answers", "slots", "bookings"}
    before = dump(db, without=kept)
    said = rush(databases, [ask(p, "S1", slot_id="S1-001", key=p.patient_id) for p in people])
    won = [booking_of(answer) for answer in said if code(answer) == "done"]
    assert len(won) == 1
    assert {code(answer) for answer in said} == {"done", "booking.slot_taken"}
    assert dump(db, without=kept) == before
    assert [row["id"] for row in rows(db, bookings)] == won
    assert [(row["state"], row["booking_id"]) for row in rows(db, slots, session_id="S1")] == [("taken", won[0])]
    assert_sound(db)


def test_one_person_hundreds_of_times_gets_one_slot(databases):
    db = databases[0]
    (person,) = add_people(db, 1)
    said = rush(databases, [ask(person, "S2", key=str(n)) for n in range(CROWD)])
    assert sum(code(answer) == "done" for answer in said) == 1
    assert {code(answer) for answer in said} == {"done", "booking.already_booked"}
    assert sum(row["state"] == "taken" for row in rows(db, slots)) == len(rows(db, bookings)) == 1
    assert_sound(db)
