"""Attack: leave and enter again, change the wishes or the company, until the place suits.

The id of an entry follows from the draw and its first person, and the order from ids and a seed that nobody has yet:
there is nothing to throw again. Nobody leaves for another, either.
"""

import hashlib
import threading

import pytest

from flows.drawing import (
    AFTER,
    OPENS,
    enter_now,
    entries,
    entry,
    file_of_draw,
    look,
    nothing_moves,
    open_draw,
    said,
    seconds,
    wait_for_a_lock,
)
from hospital import NOW_US, add_people, add_person, assert_sound, bind, code, rows
from shouhao.booking.draw_tables import draw_members
from shouhao.booking.entering import entry_id, ticket
from shouhao.booking.release.draw import Entry, allocate, rank
from shouhao.booking.waitlist import at_least
from shouhao.flows.enter import enter, withdraw
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import DAY_US
from shouhao.store.engine import open_database

SALT = "0f" * 16
SEEDS = [hashlib.sha256(f"seed {n}".encode()).digest() for n in range(3000)]
STRANGERS = [f"pt_stranger{n}" for n in range(9)]
SEATS = {"S1": 2, "S2": 2}
RARELY = 1e-7


def made(*people, wishes=("S1",)):
    return Entry(id=entry_id(SALT, people), people=tuple(ticket(SALT, p) for p in people), wishes=wishes)


def wins(mine, *, others=STRANGERS):
    """In how many draws the entry gets what it wants, against people who each want the first session."""
    against = [made(p) for p in others]
    return sum(
        any(win.entry_id == mine.id for win in allocate(rank([mine, *against], seed=seed), SEATS).wins)
        for seed in SEEDS
    )


def is_no_more_than(count, share):
    """Whether chance alone gives so many, or more, at least now and then."""
    return at_least(count, n=len(SEEDS), p=share) > RARELY


def leave(db, entry_id_, person, *, now_us, staff_id=None):
    with db.write() as connection:
        me = Caller(channel="app", account_id=None if staff_id else person.account_id, staff_id=staff_id)
        withdraw(connection, entry_id=entry_id_, caller=me, now_us=now_us)


def test_leaving_and_entering_again_gives_the_same_entry_however_often(db):
    draw = open_draw(db)
    person, *others = add_people(db, 5)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in others), now_us=OPENS)
    ids = set()
    for n in range(12):
        (answer,) = enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS + seconds(n))
        ids.add(said(answer)["entry_id"])
        if n < 11:
            leave(db, said(answer)["entry_id"], person, now_us=OPENS + seconds(n) + 1)
            assert len(rows(db, draw_members)) == 4
    assert len(ids) == 1
    look(db, AFTER)
    listed = [one["id"] for one in file_of_draw(db, draw["id"])["entries"]]
    assert sorted(listed) == sorted(e["id"] for e in entries(db))
    assert len(listed) == 5
    assert_sound(db)


def test_who_left_is_not_in_the_draw(db):
    draw = open_draw(db)
    person, other = add_people(db, 2)
    answers = enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in (person, other)), now_us=OPENS)
    leave(db, said(answers[0])["entry_id"], person, now_us=OPENS + 1)
    look(db, AFTER)
    assert [one["id"] for one in file_of_draw(db, draw["id"])["entries"]] == [said(answers[1])["entry_id"]]
    nothing_moves(db, lambda: leave(db, said(answers[1])["entry_id"], other, now_us=AFTER), "booking.draw_not_open")


def test_nobody_leaves_for_another(db):
    draw = open_draw(db)
    person, other = add_people(db, 2)
    (answer,) = enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    mine = said(answer)["entry_id"]
    nothing_moves(db, lambda: leave(db, mine, other, now_us=OPENS + 1), "not_found")
    nothing_moves(db, lambda: leave(db, "en_nothing", person, now_us=OPENS + 1), "not_found")
    leave(db, mine, person, now_us=OPENS + 2, staff_id="st")
    nothing_moves(db, lambda: leave(db, mine, person, now_us=OPENS + 3), "not_found")


@pytest.fixture
def postgresql_db(postgresql_url):
    db = open_database(postgresql_url)
    yield db
    db.close()


def test_a_guardian_who_left_cannot_take_another_guardians_entry_out(postgresql_db):
    db = postgresql_db
    draw = open_draw(db)
    mother, father, child = add_people(db, 3)
    bind(db, [(p.account_id, child.patient_id) for p in (mother, father)], bound_at_us=NOW_US - DAY_US)
    by = [entry(child, draw_id=draw["id"], wishes=["S1"], account_id=p.account_id) for p in (mother, father)]
    (answer,) = enter_now(db, by[0], now_us=OPENS)
    mine = said(answer)["entry_id"]
    heard = []

    def leave_twice():
        try:
            leave(db, mine, mother, now_us=OPENS + 3)
        except Exception as error:  # noqa: BLE001 - looked at below
            heard.append(code(error))

    second = threading.Thread(target=leave_twice)
    with db.write() as connection:
        me = Caller(channel="app", account_id=mother.account_id)
        withdraw(connection, entry_id=mine, caller=me, now_us=OPENS + 1)
        second.start()  # it has read the entry as the mother's before this is committed
        wait_for_a_lock(db)
        assert [code(a) for a in enter(connection, [by[1]], now_us=OPENS + 2)] == ["done"]
    second.join()
    assert heard == ["not_found"]
    (row,) = entries(db)
    assert (row["state"], row["account_id"]) == ("entered", father.account_id)


def test_other_wishes_leave_the_place():
    against = [made(p) for p in STRANGERS]
    for seed in SEEDS[:200]:
        places = {
            wishes: [one.id for one in rank([made("pt_me", wishes=wishes), *against], seed=seed)]
            for wishes in (("S1",), ("S2",), ("S1", "S2"), ("S2", "S1"))
        }
        assert len({tuple(order) for order in places.values()}) == 1


def test_the_wishes_that_count_are_the_last_ones(db):
    draw = open_draw(db, seats=1, session_ids=("S1", "S2"))
    person = add_person(db)
    ids = set()
    for wishes in (["S1"], ["S2", "S1"], ["S2"]):
        (answer,) = enter_now(db, entry(person, draw_id=draw["id"], wishes=wishes), now_us=OPENS)
        ids.add(said(answer)["entry_id"])
    assert len(ids) == 1
    look(db, AFTER)
    (one,) = entries(db)
    assert (one["state"], one["session_id"]) == ("won", "S2")


@pytest.mark.parametrize("companion", ["pt_aaa", "pt_zzz"])
def test_company_gives_nobody_a_better_chance(companion):
    """With the companion's id or one's own in front: two seats in ten entries are a fifth alone, less together."""
    alone, together = wins(made("pt_me")), wins(made("pt_me", companion))
    assert is_no_more_than(alone, 2 / 10)
    assert is_no_more_than(together, 1 / 10)
    assert together < alone


def test_no_choice_of_company_is_better_than_another():
    """A straw person may be chosen for the entry's id; before the seed is known all of them are worth the same."""
    for n in range(6):
        straw = f"pt_{n}"
        assert entry_id(SALT, ("pt_me", straw)) == entry_id(SALT, (straw,))
        assert is_no_more_than(wins(made("pt_me", straw)), 1 / 10)


def test_the_measure_would_notice_a_better_chance():
    assert not is_no_more_than(wins(made("pt_me"), others=STRANGERS[:4]), 2 / 10)


def test_leaving_for_other_company_keeps_the_first_persons_entry(db):
    draw = open_draw(db)
    first, second, third = sorted(add_people(db, 3), key=lambda p: p.patient_id)
    bind(db, [(first.account_id, p.patient_id) for p in (second, third)], bound_at_us=NOW_US - DAY_US)
    ids = set()
    for company in ((first,), (first, second), (first, third), (first, second, third)):
        (answer,) = enter_now(db, entry(*company, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
        ids.add(said(answer)["entry_id"])
        leave(db, said(answer)["entry_id"], first, now_us=OPENS + 1)
    assert len(ids) == 1
