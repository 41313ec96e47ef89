"""Attack: one person twice in one draw, or on one waitlist: by two guardians, two documents, two processes."""

import threading
from collections import Counter

import pytest

from flows.drawing import (
    AFTER,
    CLOSES,
    OPENS,
    enter_now,
    entries,
    entry,
    field_of,
    file_of_draw,
    join,
    look,
    name_one_person,
    nothing_moves,
    offers,
    open_draw,
    ranked,
    said,
    same_person_twice,
    seconds,
    sold_out,
    the_draw,
    waiting,
)
from hospital import HOLD, NOW_US, add_people, add_person, assert_sound, bind, code, rows
from shouhao.booking.draw_tables import draw_members
from shouhao.flows.desk import BookingDesk
from shouhao.kernel.clock import DAY_US, ManualClock
from shouhao.store.engine import open_database

LONG_AGO = NOW_US - 30 * DAY_US


@pytest.fixture
def draw(db):
    return open_draw(db, seats=2)


def asks(draw, *people, **more):
    return entry(*people, draw_id=draw["id"], wishes=["S1"], **more)


def family(db, size=2):
    """A parent whose account is bound to everybody, and the others; the last one's account is bound to nobody else."""
    parent, *others = add_people(db, size)
    bind(db, [(parent.account_id, p.patient_id) for p in others], bound_at_us=LONG_AGO)
    return parent, *others


def test_a_child_is_entered_by_one_of_its_guardians(db, draw):
    mother, child = family(db)
    father = add_person(db)
    bind(db, [(father.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    enter_now(db, asks(draw, child, account_id=mother.account_id), now_us=OPENS)
    by_father = asks(draw, child, account_id=father.account_id)
    (no,) = nothing_moves(db, lambda: enter_now(db, by_father, now_us=OPENS + 1), "booking.duplicate_entry")
    assert field_of(no) == "patient_ids"
    at_window = asks(draw, child, account_id=None, channel="window", staff_id="st")
    nothing_moves(db, lambda: enter_now(db, at_window, now_us=OPENS + 1), "booking.duplicate_entry")


@pytest.mark.parametrize("alone_first", [True, False])
def test_nobody_stands_alone_and_in_a_family(db, draw, alone_first):
    parent, child = family(db)
    both, alone = asks(draw, parent, child), asks(draw, child, account_id=parent.account_id)
    first, second = (alone, both) if alone_first else (both, alone)
    enter_now(db, first, now_us=OPENS)
    nothing_moves(db, lambda: enter_now(db, second, now_us=OPENS + 1), "booking.duplicate_entry")


def test_nobody_stands_in_two_families(db, draw):
    mother, child, sibling = family(db, 3)
    enter_now(db, asks(draw, child, mother, account_id=mother.account_id), now_us=OPENS)
    other = asks(draw, child, sibling, account_id=mother.account_id)
    nothing_moves(db, lambda: enter_now(db, other, now_us=OPENS + 1), "booking.duplicate_entry")


def test_the_second_of_one_batch_is_the_second(db, draw):
    mother, child = family(db)
    father = add_person(db)
    bind(db, [(father.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    asked = [
        asks(draw, child, account_id=mother.account_id),
        asks(draw, child, account_id=father.account_id),
        asks(draw, child, mother, account_id=mother.account_id),
        asks(draw, child, account_id=mother.account_id),  # the same again: it stands once
    ]
    answers = enter_now(db, *asked, now_us=OPENS)
    assert [code(a) for a in answers] == ["done", "booking.duplicate_entry", "booking.duplicate_entry", "done"]
    assert said(answers[0])["entry_id"] == said(answers[3])["entry_id"]
    assert len(entries(db)) == len(rows(db, draw_members)) == 1


def test_a_second_document_is_no_second_entry(db, draw):
    card, passport = same_person_twice(db)
    enter_now(db, asks(draw, card), now_us=OPENS)
    (no,) = nothing_moves(
        db, lambda: enter_now(db, asks(draw, passport), now_us=OPENS + 1), "booking.same_person_entered"
    )
    assert field_of(no) == "patient_ids.0"


def test_two_documents_of_one_batch_are_one_entry(db, draw):
    card, passport = same_person_twice(db)
    answers = enter_now(db, asks(draw, passport), asks(draw, card), now_us=OPENS)
    assert [code(a) for a in answers] == ["done", "booking.same_person_entered"]
    assert len(entries(db)) == 1


def test_two_documents_are_no_family(db, draw):
    card, passport = same_person_twice(db)
    bind(db, [(card.account_id, passport.patient_id)], bound_at_us=LONG_AGO)
    nothing_moves(db, lambda: enter_now(db, asks(draw, card, passport), now_us=OPENS), "booking.same_person_entered")


def test_documents_found_to_be_one_persons_before_the_seal_leave_one_entry(db, draw):
    card, passport, *others = add_people(db, 5)
    enter_now(db, *(asks(draw, p) for p in (card, passport, *others)), now_us=OPENS)
    name_one_person(db, card, passport)
    look(db, AFTER)
    (out,) = entries(db, state="left_out")
    assert out["left_out"] == "booking.same_person_entered"
    file = file_of_draw(db, draw["id"])
    assert file["draw"]["left_out"] == [{"id": out["id"], "reason": "booking.same_person_entered"}]
    assert len(file["entries"]) == 4
    assert out["id"] not in {w["entry_id"] for w in waiting(db)}
    assert_sound(db)


def test_nobody_waits_twice_for_one_session(db):
    sold_out(db)
    mother, child = family(db)
    father = add_person(db)
    bind(db, [(father.account_id, child.patient_id)], bound_at_us=LONG_AGO)
    join(db, child, now_us=NOW_US)
    by_father = entry(child, session_id="S1", account_id=father.account_id)
    nothing_moves(db, lambda: enter_now(db, by_father, now_us=NOW_US + 1), "booking.duplicate_entry")
    closes_us = the_draw(db, "waitlist")["closes_at_us"]
    look(db, closes_us)
    (no,) = enter_now(db, by_father, now_us=closes_us + 1)
    assert code(no) == "booking.already_waiting"
    (no,) = enter_now(db, entry(child, mother, session_id="S1", account_id=mother.account_id), now_us=closes_us + 1)
    assert code(no) == "booking.already_waiting"
    assert len(waiting(db)) == 1


def test_nobody_waits_twice_by_joining_between_two_looks_of_the_worker(db):
    sold_out(db)
    person, stranger = add_people(db, 2)
    join(db, person, now_us=NOW_US)
    late_us = the_draw(db, "waitlist")["closes_at_us"] + seconds(5)  # over, and not drawn yet
    (again,) = enter_now(db, entry(person, session_id="S1"), now_us=late_us)
    assert code(again) == "booking.already_waiting"
    join(db, stranger, now_us=late_us)
    for _ in range(2):
        look(db, the_draw(db, "waitlist")["closes_at_us"])
    assert Counter(w["people"] for w in waiting(db)).most_common(1)[0][1] == 1
    assert len(waiting(db)) == 2


def test_a_second_document_is_no_second_place_on_a_waitlist(db):
    sold_out(db)
    card, passport = same_person_twice(db)
    drawn_us = ranked(db, card, now_us=NOW_US)
    (no,) = enter_now(db, entry(passport, session_id="S1"), now_us=drawn_us + 1)
    assert code(no) == "booking.same_person_entered"
    look(db, drawn_us + seconds(1801))
    assert len(waiting(db)) == 1


def test_two_processes_at_the_same_moment_enter_nobody_twice(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(3)]
    db = databases[0]
    draw = open_draw(db, seats=3)
    asked = []
    for _ in range(8):
        mother, father, child = add_people(db, 3)
        pairs = [(a.account_id, child.patient_id) for a in (mother, father)]
        bind(db, [*pairs, (mother.account_id, father.patient_id)], bound_at_us=LONG_AGO)
        card, passport = same_person_twice(db)
        asked.append(asks(draw, child, account_id=mother.account_id))
        asked.append(asks(draw, child, account_id=father.account_id))
        asked.append(asks(draw, father, child, account_id=mother.account_id))
        asked += [asks(draw, card), asks(draw, passport)]
    desks = [BookingDesk(each, ManualClock(OPENS), HOLD) for each in databases]
    heard, started = [], threading.Barrier(len(databases))

    def process(n):
        started.wait()
        for at in range(len(asked)):
            heard.extend(desks[n].decide([asked[(at + n) % len(asked)]]))

    threads = [threading.Thread(target=process, args=(n,)) for n in range(len(desks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {code(a) for a in heard} == {"done", "booking.duplicate_entry", "booking.same_person_entered"}
    assert len(entries(db)) == 16  # one for each child or its family, one for each with two documents
    assert len({said(a)["entry_id"] for a in heard if code(a) == "done"}) == 16
    look(db, AFTER)
    assert entries(db, state="left_out") == []
    people = [ticket for one in file_of_draw(db, draw["id"])["entries"] for ticket in one["people"]]
    assert len(people) == len(set(people))
    assert len(offers(db)) <= 3
    assert_sound(db)
    for each in databases:
        each.close()


def test_a_name_on_a_second_entry_found_after_the_close_wins_one_slot_only(db, draw):
    card, passport = add_people(db, 2)
    enter_now(db, asks(draw, card), asks(draw, passport), now_us=CLOSES - 1)
    name_one_person(db, card, passport)
    look(db, AFTER)
    assert len(offers(db)) == 1
