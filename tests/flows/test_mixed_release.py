"""Parts of one session that go different ways, and policies by doctor, department and kind, as the worker has it."""

from collections import Counter
from datetime import timedelta

import pytest

from flows.drawing import (
    AFTER,
    CLOSES,
    DRAW,
    OPENS,
    enter_now,
    entries,
    entry,
    file_of_draw,
    give,
    look,
    offers,
    open_draw,
    ranked,
    released,
    set_release,
    slot,
    the_draw,
    waiting,
    ways,
)
from hospital import (
    DAY,
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
    events,
    minutes,
    paid,
    rows,
)
from shouhao.booking.draw_tables import draw_targets, draws
from shouhao.booking.store import draws as draw_store
from shouhao.booking.store.waits import SlotState, set_slots
from shouhao.booking.tables import sessions, slots
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.store import policies

STARTS = start_of_day_us(DAY) + 8 * HOUR_US  #: of S1
MIXED = {"kind": "mixed", "mixed": {"parts": {"draw": "50%", "window": 1, "phone": 1}}}


def reserved(db, session_id="S1"):
    """How many slots of a session stand for whom."""
    return Counter(row["reserved_for"] or row["state"] for row in rows(db, slots, session_id=session_id))


def test_each_part_goes_its_own_way(db):
    draw = open_draw(db, seats=8, body=MIXED)
    assert [t["seats"] for t in rows(db, draw_targets, draw_id=draw["id"])] == [4]
    assert reserved(db) == {"planned": 8}
    people = add_people(db, 6)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in people), now_us=OPENS)
    (early,) = book_now(db, ask(add_person(db), "S1"), now_us=CLOSES - 1)
    assert code(early) == "booking.session_not_released"
    look(db, CLOSES)
    assert reserved(db) == {"taken": 4, "window": 1, "phone": 1, "free": 2}
    assert len(offers(db)) == 4
    assert [w["state"] for w in waiting(db)] == ["waiting"] * 2
    (released_,) = events(db, "released")
    assert '"public":2' in released_["detail"].replace(" ", "")
    assert_sound(db)


def test_no_part_has_only_the_early_or_only_the_late_numbers(db):
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"window": 3, "referral": 3}}})
    released(db, seats=9)
    numbers = {of: [r["number"] for r in rows(db, slots, reserved_for=of)] for of in ("window", "referral")}
    for mine in numbers.values():
        assert [sum(first < n <= first + 3 for n in mine) for first in (0, 3, 6)] == [1, 1, 1]


def test_what_the_draw_part_left_over_is_open_to_everyone(db):
    draw = open_draw(db, seats=8, body=MIXED)
    enter_now(db, entry(add_person(db), draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, CLOSES)
    assert reserved(db) == {"taken": 1, "window": 1, "phone": 1, "free": 5}
    assert_sound(db)


def test_the_public_part_is_sold_while_the_draw_still_waits_for_a_witness(db):
    draw = open_draw(db, seats=4, body={**MIXED, "draw": {"witnesses": 1}})
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in add_people(db, 3)), now_us=OPENS)
    look(db, AFTER)
    assert the_draw(db)["state"] == "sealed"
    assert reserved(db) == {"draw": 2, "window": 1, "phone": 1}
    (answer,) = book_now(db, ask(add_person(db), "S1", slot_id=kept_for(db, "draw")), now_us=AFTER)
    assert code(answer) == "booking.slot_taken"
    (no,) = enter_now(db, entry(add_person(db), session_id="S1"), now_us=AFTER)
    assert code(no) == "booking.waitlist_not_open"  # what the draw leaves over may yet be free
    assert_sound(db)


def test_what_comes_back_before_the_draw_is_made_is_not_opened_past_those_who_entered(db):
    """They lose the draw hours later, for a witness was late, and wait: the slot that came back meanwhile is theirs."""
    draw = open_draw(db, seats=2, body={"kind": "mixed", "mixed": {"parts": {"draw": 1}}, "draw": {"witnesses": 1}})
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in add_people(db, 3)), now_us=OPENS)
    look(db, AFTER)
    person = add_person(db)
    give(db, booked(db, person, "S1", now_us=AFTER), now_us=AFTER + 1, person=person)
    look(db, AFTER + 3 * HOUR_US)
    with db.write() as connection:
        draw_store.fall_back(connection, draw["id"], "\u89c1\u8bc1\u65b9\u672a\u5230")
    look(db, AFTER + 3 * HOUR_US + 1)
    assert the_draw(db)["state"] == "made"
    assert_sound(db)
    assert len(offers(db)) == 2


def kept_for(db, of):
    return rows(db, slots, reserved_for=of)[0]["id"]


def test_parts_that_were_not_used_join_the_others_each_at_its_time(db):
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"window": 1, "phone": 1, "referral": 1}}})
    released(db, seats=4)
    for at_us, left in (
        (STARTS - 2 * DAY_US - 1, {"window": 1, "phone": 1, "referral": 1, "free": 1}),
        (STARTS - 2 * DAY_US, {"window": 1, "phone": 1, "free": 2}),
        (STARTS - DAY_US - 1, {"window": 1, "phone": 1, "free": 2}),
        (STARTS - DAY_US, {"window": 1, "free": 3}),
        (STARTS - HOUR_US - 1, {"window": 1, "free": 3}),
        (STARTS - HOUR_US, {"free": 4}),
    ):
        look(db, at_us)
        assert reserved(db) == left
    assert Counter(way for n in range(1, 5) for way, _ in ways(db, f"S1-00{n}")) == {"merged": 3}
    assert_sound(db)


def test_an_unused_part_goes_to_those_who_wait_before_everyone(db):
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"phone": 1}}})
    released(db, seats=2)
    paid(db, add_person(db), "S1")
    ranked(db, add_person(db), now_us=NOW_US)
    first = waiting(db)[0]
    look(db, STARTS - DAY_US)
    (offer,) = offers(db)
    assert offer["wait_id"] == first["id"]
    assert ("offered", "part_unused") in ways(db, offer["slot_id"])
    assert_sound(db)


def test_a_part_whose_time_is_over_at_the_release_is_open_at_once(db):
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"phone": 1, "referral": 1}}})
    released(db, seats=3, now_us=STARTS - DAY_US)
    assert reserved(db) == {"free": 3}
    assert_sound(db)


@pytest.mark.parametrize("merge_before_s", [3600, 1800])
def test_what_was_returned_in_the_house_does_not_go_online_with_the_windows_own_part(db, merge_before_s):
    parts = {"parts": {"window": 1}, "merge_before_s": {"window": merge_before_s}}
    set_release(db, {"kind": "mixed", "mixed": parts})
    released(db, seats=2)
    booking_id = booked(db, add_person(db), "S1", channel="app")
    given_up = rows(db, slots, booking_id=booking_id)[0]["id"]
    give(db, booking_id, now_us=NOW_US + 1, channel="window")
    assert reserved(db) == {"window": 2}
    look(db, STARTS - merge_before_s * 1_000_000)
    assert slot(db, given_up)["state"] != "free"
    assert_sound(db)


def test_what_came_back_on_its_day_is_not_public_at_a_moment_that_can_be_waited_for(db):
    """It went to people in need and then to the window: the window's own part joins the others without it."""
    parts = {"parts": {"window": 1}, "merge_before_s": {"window": 1800}}
    set_release(db, {"kind": "mixed", "mixed": parts})
    released(db, seats=2, half="pm")
    person, starts_us = add_person(db), STARTS + 5 * HOUR_US
    booking_id = booked(db, person, "S1")
    given_up = rows(db, slots, booking_id=booking_id)[0]["id"]
    give(db, booking_id, now_us=starts_us - 4 * HOUR_US, person=person)
    look(db, starts_us - HOUR_US)
    assert slot(db, given_up)["reserved_for"] == "window"
    look(db, starts_us - minutes(30))
    assert slot(db, given_up)["state"] != "free"
    assert_sound(db)


def test_the_narrowest_policy_rules_a_session(db):
    add_department(db, "OBS", doctor_ids=["D1", "D2"])
    add_department(db, "EYE", doctor_ids=["D3"])
    planned = {"state": "planned", "release_at_us": CLOSES, "seats": 2}
    add_session(db, "OF-D1", doctor_id="D1", **planned)
    add_session(db, "OF-D2", doctor_id="D2", **planned)
    add_session(db, "OF-D3", department_id="EYE", doctor_id="D3", **planned)
    set_release(db, {"kind": "mixed", "mixed": {"parts": {"window": 1}}}, "kind:expert")
    set_release(db, {"kind": "first_come"}, "department:OBS")
    set_release(db, DRAW, "doctor:D1")
    look(db, OPENS)
    assert [row["id"] for row in rows(db, sessions) if row["draw_id"]] == ["OF-D1"]
    look(db, CLOSES)
    assert reserved(db, "OF-D1") == {"free": 2}  # nobody entered
    assert reserved(db, "OF-D2") == {"free": 2}
    assert reserved(db, "OF-D3") == {"window": 1, "free": 1}
    kept = {row["id"]: row["release_policy"] for row in rows(db, sessions)}
    assert "release:doctor:D1" in kept["OF-D1"]
    assert "release:department:OBS" in kept["OF-D2"]
    assert "release:kind:expert" in kept["OF-D3"]
    assert_sound(db)


def test_sessions_of_one_department_time_and_policy_are_one_draw_and_others_are_not(db):
    add_department(db, "OBS", doctor_ids=["D1", "D2", "D3"])
    add_department(db, "EYE", doctor_ids=["D4"])
    planned = {"state": "planned", "seats": 2}
    add_session(db, "A", doctor_id="D1", release_at_us=CLOSES, **planned)
    add_session(db, "B", doctor_id="D2", release_at_us=CLOSES, **planned)
    add_session(db, "LATER", doctor_id="D2", release_at_us=CLOSES + minutes(1), half="pm", **planned)
    add_session(db, "OWN", doctor_id="D3", release_at_us=CLOSES, **planned)
    add_session(db, "OTHER", department_id="EYE", doctor_id="D4", release_at_us=CLOSES, **planned)
    set_release(db, DRAW)
    set_release(db, DRAW, "doctor:D3")
    look(db, CLOSES)
    assert len(rows(db, draws)) == 4
    groups = Counter(row["draw_id"] for row in rows(db, sessions))
    assert sorted(groups.values()) == [1, 1, 1, 2]
    by_id = {row["id"]: row["draw_id"] for row in rows(db, sessions)}
    assert by_id["A"] == by_id["B"]


def test_a_window_keeps_the_policy_it_was_opened_with(db):
    draw = open_draw(db, seats=1, body={**DRAW, "draw": {"confirm_s": 600, "wishes_max": 2}})
    set_release(db, {"kind": "first_come"}, now_us=OPENS + 1)
    look(db, OPENS + 2)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in add_people(db, 2)), now_us=OPENS + 3)
    look(db, AFTER)
    (offer,) = offers(db)
    assert offer["hold_expires_at_us"] == AFTER + minutes(10)
    file = file_of_draw(db, draw["id"])
    assert file["draw"]["policy"]["rules"]["draw"]["wishes_max"] == 2
    assert {e["state"] for e in entries(db)} == {"won", "lost"}


def test_a_policy_from_tomorrow_rules_what_is_released_from_tomorrow(db):
    add_department(db)
    add_session(db, "TODAY", state="planned", release_at_us=CLOSES, seats=1)
    add_session(
        db,
        "TOMORROW",
        state="planned",
        release_at_us=CLOSES + DAY_US,
        seats=1,
        day=DAY + timedelta(days=1),
    )
    with db.write() as connection:
        policies.add(
            connection,
            "release:everywhere",
            DRAW,
            effective_at_us=NOW_US + HOUR_US,
            staff_id="st",
            reason="test",
            now_us=NOW_US - DAY_US,
        )
    look(db, CLOSES)
    assert reserved(db, "TODAY") == {"free": 1}
    look(db, CLOSES + DAY_US - minutes(1))
    assert the_draw(db)["state"] == "open"
    assert rows(db, sessions, id="TOMORROW")[0]["draw_id"] == the_draw(db)["id"]


def test_slots_that_were_withdrawn_while_the_window_was_open_are_won_by_nobody(db):
    draw = open_draw(db, seats=3)
    people = add_people(db, 3)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in people), now_us=OPENS)
    with db.write() as connection:
        set_slots(connection, [SlotState(id="S1-002", state="withdrawn")])
    look(db, AFTER)
    assert sorted(o["slot_id"] for o in offers(db)) == ["S1-001", "S1-003"]
    (out,) = [e for e in entries(db) if e["left_out"]]
    assert (out["state"], out["left_out"], out["place"]) == ("won", "booking.sold_out", 3)
    assert_sound(db)
