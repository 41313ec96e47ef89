"""Attack: somebody inside sells extra slots: beyond the cap, approved alone, for nobody, in another's clinic."""

import threading

import pytest
from sqlalchemy import update

from hospital import (
    NOW_US,
    add_department,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    book_now,
    booked,
    code,
    dump,
    events,
    rows,
)
from shouhao.booking.extra import NotThisDoctor, RequestDecided, SecondPersonNeeded
from shouhao.booking.model import AlreadyBooked, SessionClosed, SessionUnknown
from shouhao.booking.tables import bookings, doctors, extra_slot_requests, sessions, slots
from shouhao.flows.extra_slot import decide_extra_slot, request_extra_slot
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients.standing import PatientNotVerified
from shouhao.patients.tables import patients
from shouhao.store.engine import open_database


@pytest.fixture
def house(db):
    add_department(db, doctor_ids=["D1", "D2"])
    add_session(db, "S1", seats=1)
    add_session(db, "S2", seats=1, half="pm")
    yield db
    assert_sound(db)


def wish(db, patient_id, session_id="S1", *, reason="复诊换药", staff_id="st-1", doctor_id="D1", now_us=NOW_US):
    with db.write() as connection:
        return request_extra_slot(
            connection,
            session_id=session_id,
            patient_id=patient_id,
            reason=reason,
            staff_id=staff_id,
            doctor_id=doctor_id,
            now_us=now_us,
        )


def settle(db, request_id, *, staff_id="st-2", approve=True):
    with db.write() as connection:
        return decide_extra_slot(connection, request_id=request_id, approve=approve, staff_id=staff_id, now_us=NOW_US)


def refused(db, error, act):
    before = dump(db)
    with pytest.raises(error):
        act()
    assert dump(db) == before


def beyond_the_cap(db):
    """A request that waits for a second person."""
    for person in add_people(db, 2):
        wish(db, person.patient_id)
    waiting = wish(db, add_person(db).patient_id)
    assert waiting.state == "waiting"
    return waiting.request_id


def test_beyond_the_daily_cap_a_second_person_decides_whatever_the_session(house):
    states = [wish(house, p.patient_id, s).state for p, s in zip(add_people(house, 4), ("S1", "S2") * 2, strict=True)]
    assert states == ["granted", "granted", "waiting", "waiting"]
    assert len(rows(house, bookings)) == sum(slot["extra"] for slot in rows(house, slots)) == 2
    assert len(events(house, "extra_slot_requested")) == 4
    assert len(events(house, "extra_slot_added")) == 2


def test_a_cap_of_nought_leaves_nothing_to_one_person_alone(house):
    with house.write() as connection:
        connection.execute(update(doctors).values(extra_daily_cap=0))
    assert wish(house, add_person(house).patient_id).state == "waiting"
    assert rows(house, bookings) == []


def test_nobody_approves_their_own_request(house):
    request_id = beyond_the_cap(house)
    for approve in (True, False):
        refused(
            house,
            SecondPersonNeeded,
            lambda approve=approve: settle(house, request_id, staff_id="st-1", approve=approve),
        )
    assert settle(house, request_id).state == "granted"


def test_a_decided_request_is_not_decided_again(house):
    request_id = beyond_the_cap(house)
    assert settle(house, request_id, approve=False).state == "refused"
    for approve in (True, False):
        refused(house, RequestDecided, lambda approve=approve: settle(house, request_id, approve=approve))
    refused(house, NotFound, lambda: settle(house, "xr_none"))
    assert len(rows(house, extra_slot_requests, state="refused")) == 1


def test_a_doctor_adds_to_no_other_doctors_session(house):
    add_session(house, "NOBODY", doctor_id=None, half="evening")
    person = add_person(house)
    refused(house, NotThisDoctor, lambda: wish(house, person.patient_id, doctor_id="D2"))
    refused(house, NotThisDoctor, lambda: wish(house, person.patient_id, "NOBODY"))
    refused(house, SessionUnknown, lambda: wish(house, person.patient_id, "S9"))


@pytest.mark.parametrize("verification", ["pending", "in_review", "rejected"])
def test_an_extra_slot_is_for_a_verified_patient(house, verification):
    person = add_person(house, verification=verification)
    refused(house, PatientNotVerified, lambda: wish(house, person.patient_id))
    refused(house, NotFound, lambda: wish(house, "pt_nobody"))


def test_a_patient_who_lost_verification_meanwhile_is_not_approved(house):
    request_id = beyond_the_cap(house)
    (waiting,) = rows(house, extra_slot_requests, state="waiting")
    with house.write() as connection:
        nobody = {"verification": "rejected", "verified_by": None, "verified_at_us": None}
        connection.execute(update(patients).where(patients.c.id == waiting["patient_id"]).values(**nobody))
    refused(house, PatientNotVerified, lambda: settle(house, request_id))


@pytest.mark.parametrize("reason", ["", "急", "   急   ", "x" * 501, "abcd\0efg"])
def test_a_reason_must_say_something(house, reason):
    person = add_person(house)
    refused(house, InvalidInput, lambda: wish(house, person.patient_id, reason=reason))


def test_one_patient_cannot_be_used_twice(house):
    person = add_person(house)
    wish(house, person.patient_id)
    refused(house, AlreadyBooked, lambda: wish(house, person.patient_id))


def test_a_session_that_is_over_grows_no_more(house):
    person = add_person(house)
    ends_at_us = rows(house, sessions, id="S1")[0]["ends_at_us"]
    refused(house, SessionClosed, lambda: wish(house, person.patient_id, now_us=ends_at_us))
    with house.write() as connection:
        connection.execute(update(sessions).values(state="closed"))
    refused(house, SessionClosed, lambda: wish(house, person.patient_id))


def test_asking_many_times_at_once_does_not_pass_the_cap(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(3)]
    db = databases[0]
    add_department(db)
    for n, half in enumerate(("am", "pm", "evening")):
        add_session(db, f"S{n}", half=half)
    people = add_people(db, 12)
    said, started = [], threading.Barrier(12)

    def insider(n):
        started.wait()
        said.append(wish(databases[n % 3], people[n].patient_id, f"S{n % 3}", staff_id=f"st-{n}").state)

    threads = [threading.Thread(target=insider, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["granted"] * 2 + ["waiting"] * 10
    assert_sound(db)
    request_id = rows(db, extra_slot_requests, state="waiting")[0]["id"]
    deciding, outcomes = threading.Barrier(6), []

    def decider(n):
        deciding.wait()
        try:
            outcomes.append(settle(databases[n % 3], request_id, staff_id="st-office").state)
        except (RequestDecided, AlreadyBooked):
            outcomes.append("no")

    threads = [threading.Thread(target=decider, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["granted"] + ["no"] * 5
    assert_sound(db)
    for each in databases:
        each.close()


@pytest.mark.parametrize("named", [True, False])
def test_an_extra_slot_that_a_friend_returns_is_not_there_for_a_buyer(house, named):
    friend, filler, buyer = add_people(house, 3)
    booked(house, filler, "S1")  # the one public slot
    extra = wish(house, friend.patient_id).booking
    with house.write() as connection:
        caller = Caller(channel="window", staff_id="st-1")
        give_back(connection, booking_id=extra.id, caller=caller, now_us=NOW_US)
    (answer,) = book_now(house, ask(buyer, "S1", slot_id=extra.slot_id if named else None))
    assert code(answer) == ("booking.slot_taken" if named else "booking.sold_out")
    assert [slot["state"] for slot in rows(house, slots, extra=True)] == ["withdrawn"]


def test_an_extra_slot_whose_hold_runs_out_is_not_there_for_a_buyer(house):
    friend, buyer = add_people(house, 2)
    booked(house, buyer, "S1")
    wish(house, friend.patient_id)
    with house.write() as connection:
        connection.execute(update(bookings).values(state="held", hold_expires_at_us=NOW_US))
    assert expire_holds(house, now_us=NOW_US) == 2
    left = {slot["extra"]: slot["state"] for slot in rows(house, slots, session_id="S1")}
    assert left == {False: "reserved", True: "withdrawn"}
