"""Attack: fill waitlists with names: one person everywhere, many under one account, people who could never come.

Each person counts by themselves, on a few waitlists only, and whoever may not be given a slot is passed over.
"""

import pytest
from sqlalchemy import update

from flows.drawing import (
    AFTER,
    DRAW,
    OPENS,
    enter_now,
    entry,
    field_of,
    give,
    join,
    look,
    nothing_moves,
    offers,
    open_draw,
    ranked,
    released,
    seconds,
    set_release,
    slot,
    sold_out,
    the_draw,
    waiting,
)
from hospital import (
    NOW_US,
    add_department,
    add_people,
    add_person,
    add_session,
    assert_sound,
    bind,
    booked,
    code,
    rows,
)
from shouhao.booking.draw_tables import draw_entries, draws
from shouhao.booking.model import ReturnRequest
from shouhao.flows.give_back import return_slots
from shouhao.kernel.clock import DAY_US
from shouhao.patients.tables import patients

MOST = 5  #: `waitlist.waits_max` by default
LONG_AGO = NOW_US - 30 * DAY_US


def sold_out_sessions(db, count):
    """Sessions of different departments, each with one slot that is taken."""
    made = []
    for n in range(count):
        made.append(f"S{n}")
        sold_out(db, f"S{n}", department_id=f"DEP{n}", doctor_id=f"D{n}", half="pm" if n % 2 else "am")
    return made


def unverify(db, *people):
    with db.write() as connection:
        connection.execute(
            update(patients)
            .where(patients.c.id.in_([p.patient_id for p in people]))
            .values(verification="pending", verified_by=None, verified_at_us=None)
        )


def test_one_person_stands_on_no_more_waitlists_than_the_policy_says(db):
    sessions = sold_out_sessions(db, MOST + 1)
    person = add_person(db)
    for session_id in sessions[:MOST]:
        ranked(db, person, session_id=session_id, now_us=NOW_US)
    (no,) = enter_now(db, entry(person, session_id=sessions[MOST]), now_us=NOW_US + seconds(1801))
    assert code(no) == "booking.too_many_waits"
    assert field_of(no) == "session_id"
    assert len(waiting(db, state="waiting")) == MOST


def test_joining_before_any_order_is_drawn_gets_nobody_on_more(db):
    sessions = sold_out_sessions(db, MOST + 1)
    person = add_person(db)
    answers = [enter_now(db, entry(person, session_id=s), now_us=NOW_US)[0] for s in sessions]
    assert [code(a) for a in answers] == ["done"] * MOST + ["booking.too_many_waits"]


def test_joining_all_in_one_batch_gets_nobody_on_more(db):
    sessions = sold_out_sessions(db, MOST + 1)
    person = add_person(db)
    answers = enter_now(db, *(entry(person, session_id=s) for s in sessions), now_us=NOW_US)
    assert [code(a) for a in answers] == ["done"] * MOST + ["booking.too_many_waits"]


def test_losing_a_draw_with_many_wishes_gets_nobody_on_more_waitlists(db):
    """Those who lost a draw wait for each wish; that counts when they join more."""
    draw = open_draw(db, seats=1, session_ids=("S1", "S2", "S3"), body={**DRAW, "waitlist": {"waits_max": 3}})
    people = add_people(db, 6)
    asked = [entry(p, draw_id=draw["id"], wishes=["S1", "S2", "S3"]) for p in people]
    enter_now(db, *asked, now_us=OPENS)
    look(db, AFTER)
    losers = {w["account_id"] for w in waiting(db, session_id="S1")}
    assert len(waiting(db)) == 9
    add_department(db, "EYE", doctor_ids=["D9"])
    set_release(db, {"waitlist": {"waits_max": 3}}, "department:EYE")
    sold_out(db, "S9", now_us=AFTER, department_id="EYE", doctor_id="D9")
    (loser, *_) = [p for p in people if p.account_id in losers]
    (no,) = enter_now(db, entry(loser, session_id="S9"), now_us=AFTER)
    assert code(no) == "booking.too_many_waits"


def test_an_account_enters_nobody_it_is_not_bound_to(db):
    sold_out(db)
    caller = add_person(db)
    strangers = add_people(db, 5)
    asked = [entry(p, session_id="S1", account_id=caller.account_id) for p in strangers]
    answers = enter_now(db, *asked, entry(caller, session_id="S1"), now_us=NOW_US)
    assert [code(a) for a in answers] == ["patients.not_bound"] * 5 + ["done"]
    assert len(rows(db, draw_entries)) == 1


def test_a_made_up_family_is_as_large_as_the_policy_allows(db):
    sold_out(db)
    parent, *others = add_people(db, 6)
    bind(db, [(parent.account_id, p.patient_id) for p in others], bound_at_us=LONG_AGO)
    join(db, add_person(db), now_us=NOW_US)
    everybody = entry(parent, *others, session_id="S1")
    (no,) = nothing_moves(db, lambda: enter_now(db, everybody, now_us=NOW_US), "invalid")
    assert field_of(no) == "patient_ids"


def test_a_made_up_family_gets_nothing_out_of_a_single_slot(db):
    ((seller, booking_id),) = sold_out(db)
    parent, child, stranger = add_people(db, 3)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    (a,) = enter_now(db, entry(parent, child, session_id="S1"), now_us=NOW_US)
    assert code(a) == "done"
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    drawn_us = ranked(db, stranger, now_us=NOW_US + seconds(1800))
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    assert offer["patient_id"] == stranger.patient_id  # they stand behind, and one slot is enough for them
    assert [w["state"] for w in waiting(db)] == ["waiting", "offered"]
    assert_sound(db)


def test_one_of_a_family_who_may_not_come_keeps_all_of_it_from_a_slot(db):
    holders = sold_out(db, seats=2)
    parent, child = add_people(db, 2)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    enter_now(db, entry(parent, child, session_id="S1"), now_us=NOW_US)
    drawn_us = the_draw(db, "waitlist")["closes_at_us"]
    look(db, drawn_us)
    unverify(db, child)
    for seller, booking_id in holders:
        give(db, booking_id, now_us=drawn_us, person=seller)
    assert offers(db) == []


@pytest.mark.parametrize("kind", ["draw", "waitlist"])
def test_nobody_unverified_gets_in(db, kind):
    if kind == "draw":
        draw_id, session_id = open_draw(db)["id"], None
    else:
        sold_out(db)
        join(db, add_person(db), now_us=NOW_US)
        draw_id, session_id = None, "S1"
    somebody = add_person(db, verification="pending")
    asked = entry(somebody, draw_id=draw_id, session_id=session_id, wishes=["S1"])
    (no,) = nothing_moves(db, lambda: enter_now(db, asked, now_us=OPENS + 1), "patients.not_verified")
    assert field_of(no) == "patient_ids.0"


def test_who_turns_out_to_be_nobody_is_left_out_of_the_draw_and_listed(db):
    draw = open_draw(db, seats=1)
    fake, real = add_people(db, 2)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in (fake, real)), now_us=OPENS)
    unverify(db, fake)
    look(db, AFTER)
    (offer,) = offers(db)
    assert offer["patient_id"] == real.patient_id
    (out,) = rows(db, draw_entries, state="left_out")
    assert out["left_out"] == "patients.not_verified"


def test_who_could_not_book_is_passed_over_and_keeps_the_place(db):
    (seller, booking_id), (other_seller, other_id) = sold_out(db, seats=2)
    over, unverified, entitled = add_people(db, 3)
    for n, person in enumerate((over, unverified, entitled)):
        drawn_us = ranked(db, person, now_us=NOW_US + n * seconds(1800))
    add_session(db, "S2", half="pm", seats=1)
    held = booked(db, over, "S2", now_us=drawn_us)  # the same department and day: they are at their limit
    unverify(db, unverified)
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    assert offer["patient_id"] == entitled.patient_id
    assert [w["state"] for w in waiting(db)] == ["waiting", "waiting", "offered"]
    give(db, held, now_us=drawn_us, person=over)
    after_cooling_us = drawn_us + seconds(601)
    give(db, other_id, now_us=after_cooling_us, person=other_seller)
    assert over.patient_id in {o["patient_id"] for o in offers(db)}
    assert_sound(db)


def test_dozens_who_could_not_book_do_not_hide_the_one_who_could(db):
    ((seller, booking_id),) = sold_out(db)
    stuffing = add_people(db, 80)
    drawn_us = ranked(db, *stuffing, now_us=NOW_US)
    entitled = add_person(db)
    drawn_us = ranked(db, entitled, now_us=drawn_us)
    unverify(db, *stuffing)
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    assert offer["patient_id"] == entitled.patient_id


def test_who_is_first_on_two_waitlists_is_offered_no_more_than_the_limits_allow(db):
    """Two slots of one department and day come back together; behind the first stand many who may take neither."""
    sold = [*sold_out(db, "S1"), *sold_out(db, "S2", half="pm")]
    first, *stuffing = add_people(db, 13)
    for session_id in ("S1", "S2"):
        join(db, first, session_id=session_id, now_us=NOW_US)
    look(db, NOW_US + seconds(1800))
    drawn_us = ranked(db, *stuffing, session_id="S2", now_us=NOW_US + seconds(1800))
    unverify(db, *stuffing)
    asked = [ReturnRequest(booking_id=i, channel="app", account_id=seller.account_id) for seller, i in sold]
    with db.write() as connection:
        assert [code(a) for a in return_slots(connection, asked, now_us=drawn_us)] == ["done", "done"]
    assert [o["session_id"] for o in offers(db)] == ["S1"]


def test_a_refused_name_opens_no_batch(db):
    released(db, seats=1)
    caller, stranger = add_people(db, 2)
    free = entry(caller, session_id="S1")
    nothing_moves(db, lambda: enter_now(db, free, now_us=NOW_US), "booking.waitlist_not_open")
    booked(db, stranger, "S1")
    not_mine = entry(stranger, session_id="S1", account_id=caller.account_id)
    nothing_moves(db, lambda: enter_now(db, not_mine, now_us=NOW_US), "patients.not_bound")
    assert rows(db, draws) == []
    assert slot(db, "S1-001")["state"] == "taken"
