"""What is asked wrongly of draws and waitlists: the field and the rule are named, and nothing moves."""

import msgspec
import pytest
from sqlalchemy import update

from flows.drawing import (
    CLOSES,
    OPENS,
    enter_now,
    entry,
    field_of,
    join,
    look,
    nothing_moves,
    open_draw,
    released,
    set_release,
    sold_out,
    the_draw,
)
from hospital import (
    DAY,
    NOW_US,
    Person,
    add_department,
    add_people,
    add_person,
    add_session,
    bind,
    booked,
    code,
    rows,
    set_limits,
)
from shouhao.booking.draw_tables import draw_entries, draws
from shouhao.booking.tables import sessions
from shouhao.flows.attend import close_ended_sessions
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.patients.tables import accounts

LONG_AGO = NOW_US - 30 * DAY_US
NOBODY = Person(patient_id="pt_nobody", account_id="ac_nobody")


@pytest.fixture
def draw(db):
    return open_draw(db, session_ids=("S1", "S2", "S3"))


def refused(db, asked, refusal_code, field, *, now_us=OPENS + 1):
    (no,) = nothing_moves(db, lambda: enter_now(db, asked, now_us=now_us), refusal_code)
    assert field_of(no) == field


@pytest.mark.parametrize(
    ("wishes", "refusal_code", "field"),
    [
        ((), "invalid", "wishes"),
        (("S1", "S2", "S3", "S1", "S2", "S3", "S1", "S2", "S3", "S1"), "invalid", "wishes"),
        (("S1", "S1"), "invalid", "wishes"),
        (("S1", "S9"), "booking.wish_not_in_draw", "wishes.1"),
        (("", "S1"), "booking.wish_not_in_draw", "wishes.0"),
    ],
)
def test_wishes(db, draw, wishes, refusal_code, field):
    refused(db, entry(add_person(db), draw_id=draw["id"], wishes=wishes), refusal_code, field)


def test_a_wish_for_a_session_that_another_draw_or_nobody_allots(db, draw):
    add_session(db, "PUBLIC", day=DAY, half="evening", doctor_id="D1")
    refused(
        db,
        entry(add_person(db), draw_id=draw["id"], wishes=["S1", "PUBLIC"]),
        "booking.wish_not_in_draw",
        "wishes.1",
    )


@pytest.mark.parametrize("draw_id", ["dw_nothing", "", "S1"])
def test_a_draw_that_is_none(db, draw, draw_id):
    refused(db, entry(add_person(db), draw_id=draw_id, wishes=["S1"]), "booking.draw_unknown", "draw_id")


def test_a_waitlists_batch_is_no_draw_to_enter(db):
    sold_out(db)
    join(db, add_person(db), now_us=NOW_US)
    (batch,) = rows(db, draws)
    refused(db, entry(add_person(db), draw_id=batch["id"], wishes=["S1"]), "booking.draw_unknown", "draw_id")


def test_neither_draw_nor_session(db, draw):
    refused(db, entry(add_person(db)), "booking.session_unknown", "session_id")
    refused(db, entry(add_person(db), session_id="S9"), "booking.session_unknown", "session_id")


def test_no_people_too_many_and_the_same_twice(db, draw):
    parent, *others = add_people(db, 5)
    bind(db, [(parent.account_id, p.patient_id) for p in others], bound_at_us=LONG_AGO)
    more = {"draw_id": draw["id"], "wishes": ["S1"]}
    refused(db, entry(parent, *others, **more), "invalid", "patient_ids")
    refused(db, entry(parent, parent, **more), "invalid", "patient_ids")
    nobody = msgspec.structs.replace(entry(parent, **more), patient_ids=())
    refused(db, nobody, "invalid", "patient_ids")


def test_the_one_of_several_who_may_not_is_named(db, draw):
    parent, child, stranger = sorted(add_people(db, 3), key=lambda p: p.patient_id)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    more = {"draw_id": draw["id"], "wishes": ["S1"], "account_id": parent.account_id}
    refused(db, entry(parent, child, stranger, **more), "patients.not_bound", "patient_ids.2")
    refused(db, entry(NOBODY, **more), "patients.not_bound", "patient_ids.0")
    at_window = {**more, "account_id": None, "channel": "window", "staff_id": "st"}
    refused(db, entry(NOBODY, **at_window), "patients.not_bound", "patient_ids.0")


def test_an_account_that_is_switched_off(db, draw):
    person = add_person(db)
    with db.write() as connection:
        connection.execute(update(accounts).where(accounts.c.id == person.account_id).values(active=False))
    refused(db, entry(person, draw_id=draw["id"], wishes=["S1"]), "patients.account_closed", "patient_ids.0")


def test_a_wish_that_could_not_be_taken_today(db, draw):
    person = add_person(db)
    add_session(db, "HELD", half="evening", doctor_id="D1")
    booked(db, person, "HELD")
    refused(db, entry(person, draw_id=draw["id"], wishes=["S1"]), "booking.limit_reached", "patient_ids.0")


def test_a_binding_that_is_too_new_for_a_hot_session(db):
    add_department(db)
    add_session(db, state="planned", release_at_us=CLOSES, hot=True)
    set_release(db, {"kind": "draw"})
    look(db, OPENS)
    new, old = add_person(db, bound_at_us=NOW_US - HOUR_US), add_person(db)
    draw_id = the_draw(db)["id"]
    refused(db, entry(new, draw_id=draw_id, wishes=["S1"]), "booking.binding_too_new", "patient_ids.0")
    assert [code(a) for a in enter_now(db, entry(old, draw_id=draw_id, wishes=["S1"]), now_us=OPENS)] == ["done"]


def test_a_waitlist_for_what_is_planned_over_closed_or_without_one(db):
    set_limits(db)
    released(db, "FREE", seats=1)
    set_release(db, {"waitlist": {"open": False}}, "doctor:D2")
    add_department(db, "EYE", doctor_ids=["D2"])
    sold_out(db, "NONE", department_id="EYE", doctor_id="D2")
    add_session(db, "PLANNED", state="planned", release_at_us=CLOSES, half="pm")
    before = len(rows(db, draws))
    person = add_person(db)
    for session_id, refusal_code in (
        ("NONE", "booking.waitlist_not_open"),
        ("PLANNED", "booking.session_not_released"),
    ):
        refused(db, entry(person, session_id=session_id), refusal_code, "session_id")
    over_us = start_of_day_us(DAY) + 12 * HOUR_US
    refused(db, entry(person, session_id="FREE"), "booking.session_closed", "session_id", now_us=over_us)
    close_ended_sessions(db, now_us=over_us)
    assert rows(db, sessions, id="FREE")[0]["state"] == "closed"
    refused(db, entry(person, session_id="FREE"), "booking.session_closed", "session_id", now_us=over_us)
    assert len(rows(db, draws)) == before


def test_what_one_asks_wrongly_costs_nobody_else_their_entry(db, draw):
    good, bad = add_people(db, 2)
    asked = [
        entry(bad, draw_id=draw["id"], wishes=["S9"]),
        entry(good, draw_id=draw["id"], wishes=["S1"]),
        entry(bad, draw_id="dw_nothing", wishes=["S1"]),
        entry(NOBODY, draw_id=draw["id"], wishes=["S1"]),
    ]
    answers = enter_now(db, *asked, now_us=OPENS + 1)
    assert [code(a) for a in answers] == [
        "booking.wish_not_in_draw",
        "done",
        "booking.draw_unknown",
        "patients.not_bound",
    ]
    assert len(rows(db, draw_entries)) == 1
