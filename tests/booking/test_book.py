"""Booking a batch on both databases: each refusal, retries, and what is written with the answer."""

import threading

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.exc import DataError

from hospital import (
    DAY,
    HOLD,
    NOW_US,
    add_department,
    add_people,
    add_person,
    add_session,
    ask,
    assert_sound,
    bind,
    book_now,
    booked,
    booking_of,
    code,
    dump,
    events,
    put,
    rows,
    set_limits,
)
from shouhao.booking.tables import bookings, restrictions, sessions, slots
from shouhao.flows.desk import BookingDesk
from shouhao.gate.store import insert_ended_sign_in
from shouhao.kernel.clock import DAY_US, HOUR_US, ManualClock, iso
from shouhao.patients.tables import accounts
from shouhao.store import policies
from shouhao.store.answers import Answer, answers
from shouhao.store.engine import open_database


@pytest.fixture
def house(db):
    add_department(db)
    add_department(db, "PED", doctor_ids=["D2"])
    add_session(db, "S1", seats=3)
    yield db
    assert_sound(db)


def codes(db, *requests, **how):
    return [code(answer) for answer in book_now(db, *requests, **how)]


def test_a_granted_request_is_held_and_says_where_and_until_when(house):
    person = add_person(house)
    (answer,) = book_now(house, ask(person, "S1", device_id="dv", ip="10.0.0.1", user_agent="UA"))
    said = msgspec.json.decode(answer.body)
    assert (said["state"], said["number"], said["day"], said["fee_cents"]) == ("held", 1, DAY.isoformat(), 5000)
    assert said["hold_expires_at"] == iso(NOW_US + HOLD.hold_s * 1_000_000)
    (booking,) = rows(house, bookings)
    assert (booking["id"], booking["slot_id"], booking["live"]) == (said["id"], "S1-001", True)
    assert rows(house, slots, id="S1-001")[0]["booking_id"] == said["id"]
    (event,) = events(house, "booked")
    assert (event["patient_id"], event["account_id"], event["slot_id"]) == (*_ids(person), "S1-001")
    assert (event["device_id"], event["ip"], event["user_agent"]) == ("dv", "10.0.0.1", "UA")
    assert msgspec.json.decode(event["detail"]) == {"booking_id": said["id"]}


def _ids(person):
    return person.patient_id, person.account_id


def test_a_session_without_a_fee_is_booked_at_once(house):
    add_session(house, "F", fee_cents=0)
    (answer,) = book_now(house, ask(add_person(house), "F"))
    said = msgspec.json.decode(answer.body)
    assert (said["state"], said["hold_expires_at"]) == ("booked", None)


def test_each_refusal_has_its_code_and_event_and_moves_nothing(house):
    person, stranger, unverified = add_person(house), add_person(house), add_person(house, verification="pending")
    closed = add_person(house)
    with house.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == closed.account_id).values(active=False))
        insert_ended_sign_in(connection, "si_gone", expires_at_us=NOW_US + DAY_US, reason="logout")
    add_session(house, "PLAN", state="planned", half="pm")
    add_session(house, "SHUT", state="closed", half="pm")
    add_session(house, "NONE", seats=0, half="pm")
    requests = {
        "booking.session_unknown": ask(person, "S9"),
        "booking.session_not_released": ask(person, "PLAN"),
        "booking.session_closed": ask(person, "SHUT"),
        "booking.sold_out": ask(person, "NONE"),
        "booking.slot_taken": ask(person, "S1", slot_id="S1-099"),
        "patients.not_bound": msgspec.structs.replace(ask(person, "S1"), account_id=stranger.account_id),
        "patients.not_verified": ask(unverified, "S1"),
        "patients.account_closed": ask(closed, "S1"),
        "gate.signed_out": ask(person, "S1", sign_in_id="si_gone"),
    }
    kept = {"events", "answers"}
    before = dump(house, without=kept)
    assert codes(house, *requests.values()) == list(requests)
    assert dump(house, without=kept) == before
    assert [msgspec.json.decode(e["detail"])["code"] for e in events(house, "refused")] == list(requests)


@pytest.mark.parametrize("patient_id", ["pt_nobody", "", "' OR 1=1 --", "病人", "a" * 5000])
def test_a_patient_that_does_not_exist_is_not_told_from_one_of_another(house, patient_id):
    person = add_person(house)
    assert codes(house, msgspec.structs.replace(ask(person, "S1"), patient_id=patient_id)) == ["patients.not_bound"]


def test_a_web_channel_without_an_account_books_for_nobody(house):
    person = add_person(house)
    bare = [
        msgspec.structs.replace(ask(person, "S1", channel=c), account_id=None) for c in ("web", "app", "platform:x")
    ]
    assert set(codes(house, *bare)) == {"patients.not_bound"}


def test_staff_book_without_an_account_for_who_is_verified(house):
    assert codes(house, ask(add_person(house), "S1", channel="window")) == ["done"]
    unverified = add_person(house, verification="in_review")
    assert codes(house, ask(unverified, "S1", channel="window")) == ["patients.not_verified"]
    assert events(house, "booked")[0]["staff_id"] == "st"


def test_a_session_that_is_over_takes_nobody_though_nobody_closed_it(house):
    person = add_person(house)
    ends_at_us = rows(house, sessions, id="S1")[0]["ends_at_us"]
    assert codes(house, ask(person, "S1"), now_us=ends_at_us) == ["booking.session_closed"]
    assert codes(house, ask(person, "S1"), now_us=ends_at_us - 1) == ["done"]


def test_limits_are_the_ones_in_force(house):
    add_session(house, "S2", half="pm")
    person = add_person(house)
    booked(house, person, "S1")
    assert codes(house, ask(person, "S1"), ask(person, "S2")) == ["booking.already_booked", "booking.limit_reached"]
    set_limits(house, live_per_department_day=2)
    assert codes(house, ask(person, "S2")) == ["done"]


def test_attended_visits_do_not_use_a_person_up(house):
    set_limits(house, live_per_person=1)
    person = add_person(house)
    booking_id = booked(house, person, "S1")
    add_session(house, "T", department_id="PED", doctor_id="D2")
    assert codes(house, ask(person, "T")) == ["booking.limit_reached"]
    with house.write() as connection:
        connection.execute(update(bookings).where(bookings.c.id == booking_id).values(state="checked_in"))
    assert codes(house, ask(person, "T")) == ["done"]


def test_restrictions_hold_until_they_lapse(house):
    person = add_person(house)
    until_us = NOW_US + HOUR_US
    put(
        house,
        restrictions,
        {
            "id": "rs",
            "patient_id": person.patient_id,
            "reason": "cooling",
            "department_id": "OBS",
            "booking_id": "bk",
            "starts_at_us": NOW_US,
            "ends_at_us": until_us,
        },
    )
    add_session(house, "T", department_id="PED", doctor_id="D2", half="pm")
    assert codes(house, ask(person, "S1"), ask(person, "T")) == ["booking.restricted", "done"]
    assert codes(house, ask(person, "S1"), now_us=until_us - 1) == ["booking.restricted"]
    assert codes(house, ask(person, "S1"), now_us=until_us) == ["done"]


def test_a_binding_must_have_some_age_for_a_hot_session(house):
    add_session(house, "HOT", hot=True, half="pm")
    young = add_person(house, bound_at_us=NOW_US - DAY_US)
    assert codes(house, ask(young, "HOT"), ask(young, "S1")) == ["booking.binding_too_new", "done"]
    other = add_person(house, bound_at_us=NOW_US - DAY_US)
    old_enough_us = NOW_US + 2 * DAY_US  # 72 hours after it was bound
    assert codes(house, ask(other, "HOT"), now_us=old_enough_us - 1) == ["booking.binding_too_new"]
    assert codes(house, ask(other, "HOT"), now_us=old_enough_us) == ["done"]


def test_a_second_account_is_as_young_as_its_own_binding(house):
    add_session(house, "HOT", hot=True, half="pm")
    person, other = add_person(house), add_person(house)
    bind(house, [(other.account_id, person.patient_id)], bound_at_us=NOW_US - 1)
    through_other = msgspec.structs.replace(ask(person, "HOT"), account_id=other.account_id)
    assert codes(house, through_other, ask(person, "HOT")) == ["booking.binding_too_new", "done"]


def test_the_age_a_binding_needs_is_policy(house):
    add_session(house, "HOT", hot=True, half="pm")
    young = add_person(house, bound_at_us=NOW_US - 2)
    with house.write() as connection:
        policies.add(
            connection,
            "binding",
            {"hot_binding_age_s": 0},
            effective_at_us=NOW_US - 1,
            staff_id="st",
            reason="test",
            now_us=NOW_US,
        )
    assert codes(house, ask(young, "HOT")) == ["done"]


def test_a_retry_hears_the_first_answer_though_the_world_moved_on(house):
    person = add_person(house)
    request = ask(person, "S1", key="k1")
    (first,) = book_now(house, request)
    with house.write() as connection:
        connection.execute(update(sessions).values(state="closed"))
    before = dump(house)
    assert book_now(house, request, now_us=NOW_US + DAY_US) == [first]
    assert dump(house) == before


def test_a_refusal_is_repeated_too_though_it_could_be_granted_now(house):
    person = add_person(house)
    add_session(house, "PLAN", state="planned", half="pm")
    request = ask(person, "PLAN", key="k1")
    (first,) = book_now(house, request)
    assert code(first) == "booking.session_not_released"
    with house.write() as connection:
        connection.execute(update(sessions).where(sessions.c.id == "PLAN").values(state="released"))
        connection.execute(update(slots).where(slots.c.session_id == "PLAN").values(state="free"))
    assert book_now(house, request) == [first]
    assert codes(house, ask(person, "PLAN", key="k2")) == ["done"]


def test_the_same_key_twice_in_one_batch_acts_once(house):
    person = add_person(house)
    request = ask(person, "S1", key="k")
    first, second = book_now(house, request, request)
    assert first == second
    assert code(first) == "done"
    assert (len(rows(house, bookings)), len(rows(house, answers)), len(events(house, "booked"))) == (1, 1, 1)


def test_the_same_key_with_another_body_is_refused_and_the_first_answer_stands(house):
    person, other = add_people(house, 2)
    said = codes(house, ask(person, "S1", key="k"), ask(other, "S1", key="k"))
    assert said == ["done", "idempotency_key_reused"]
    assert codes(house, ask(other, "S1", key="k")) == ["idempotency_key_reused"]
    assert codes(house, ask(person, "S1", key="k")) == ["done"]
    assert len(rows(house, bookings)) == 1


def test_a_request_without_a_key_is_a_new_request_each_time(house):
    person = add_person(house)
    assert codes(house, ask(person, "S1"), ask(person, "S1")) == ["done", "booking.already_booked"]
    assert rows(house, answers) == []


def test_named_slots_and_any_slot_share_one_stock(house):
    people = add_people(house, 4)
    asked = [ask(people[0], "S1", slot_id="S1-002"), *(ask(p, "S1") for p in people[1:])]
    said = book_now(house, *asked)
    assert [code(answer) for answer in said] == ["done", "done", "done", "booking.sold_out"]
    numbers = [msgspec.json.decode(a.body)["number"] for a in said[:3]]
    assert numbers == [2, 1, 3]


def test_a_slot_of_another_session_cannot_be_taken_by_naming_it(house):
    add_session(house, "T", department_id="PED", doctor_id="D2")
    assert codes(house, ask(add_person(house), "S1", slot_id="T-001")) == ["booking.slot_taken"]


def test_a_large_batch_over_many_sessions_is_answered_in_order(house):
    for n in range(10):
        add_session(house, f"B{n}", seats=7)
    people = add_people(house, 100)
    said = book_now(house, *(ask(p, f"B{n % 10}", key=f"k{n}") for n, p in enumerate(people)))
    for n, (person, answer) in enumerate(zip(people, said, strict=True)):
        if code(answer) == "done":
            body = msgspec.json.decode(answer.body)
            assert (body["patient_id"], body["session_id"]) == (person.patient_id, f"B{n % 10}")
    assert [code(answer) for answer in said] == ["done"] * 70 + ["booking.sold_out"] * 30


def desk_on(db):
    return BookingDesk(db, ManualClock(NOW_US), HOLD)


def test_a_request_that_cannot_be_written_does_not_cost_the_others_their_answers(house):
    people = add_people(house, 4)
    poison = ask(people[3], "S1", key="k", user_agent="a\0b")  # PostgreSQL has no such text
    good = [ask(p, "S1", key=f"k{n}") for n, p in enumerate(people[:3])]
    said = desk_on(house).decide([good[0], poison, *good[1:]])
    assert [code(said[n]) for n in (0, 2)] == ["done"] * 2
    if house.dialect == "postgresql":
        assert isinstance(said[1], DataError)
        assert code(said[3]) == "done"
        assert len(rows(house, bookings)) == 3


def test_two_processes_that_take_the_same_key_at_once_act_once(postgresql_url):
    first, second = (open_database(postgresql_url) for _ in range(2))
    add_department(first)
    add_session(first, "S1", seats=40)
    people = add_people(first, 12)
    requests = [ask(p, "S1", key=f"k{n}") for n, p in enumerate(people)]
    said, started = {}, threading.Barrier(4)

    def run(name, db, mine):
        started.wait()
        said[name] = [answer for request in mine for answer in desk_on(db).decide([request])]

    threads = [
        threading.Thread(target=run, args=(name, db, requests))
        for name, db in (("a", first), ("b", second), ("c", first), ("d", second))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said["a"] == said["b"] == said["c"] == said["d"]
    assert all(isinstance(answer, Answer) and code(answer) == "done" for answer in said["a"])
    assert len({booking_of(answer) for answer in said["a"]}) == len(rows(first, bookings)) == 12
    assert_sound(first)
    for db in (first, second):
        db.close()
