"""A draw from the opening of its window to the offers, on both databases."""

import gzip

from sqlalchemy import update

from flows.drawing import (
    DRAW,
    KEYS,
    enter_now,
    entries,
    entry,
    give,
    look,
    offers,
    said,
    seconds,
    set_release,
    slot,
    take,
    the_draw,
    waiting,
    ways,
)
from hospital import NOW_US, add_department, add_people, add_session, assert_sound, code, rows
from shouhao.booking.draw_keys import DrawKeys, receipt_holds
from shouhao.booking.draw_tables import draw_entries, draw_files
from shouhao.booking.release.draw_file import read, verify
from shouhao.booking.tables import bookings, sessions
from shouhao.flows.draws import make_due, seal_due

OPENS, CLOSES = NOW_US, NOW_US + seconds(120)
AFTER = CLOSES + seconds(1)


def opened(db, *, seats=2, sessions_=("S1",), body=None):
    """A department whose sessions go by draw, with the window open."""
    add_department(db)
    for n, session_id in enumerate(sessions_):
        add_session(
            db, session_id, seats=seats, state="planned", release_at_us=CLOSES, half="pm" if n else "am", doctor_id="D1"
        )
    set_release(db, body or DRAW)
    look(db, OPENS)
    return the_draw(db)


def test_before_its_window_nobody_can_enter_and_a_commitment_is_published_with_it(db):
    add_department(db)
    add_session(db, state="planned", release_at_us=CLOSES)
    set_release(db, DRAW)
    look(db, OPENS - seconds(1))
    assert not rows(db, sessions, draw_id=None)[0]["draw_id"]
    look(db, OPENS)
    draw = the_draw(db)
    assert draw["state"] == "open"
    assert draw["closes_at_us"] == CLOSES
    assert draw["commitment"] == KEYS.commitment(draw["id"])


def test_a_draw_gives_offers_to_the_winners_and_places_to_the_others(db):
    draw = opened(db, seats=2)
    people = add_people(db, 5)
    answers = enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in people), now_us=OPENS + seconds(5))
    assert [code(a) for a in answers] == ["done"] * 5
    assert said(answers[0])["closes_at"] > said(answers[0])["entered_at"]
    look(db, CLOSES - 1)
    assert the_draw(db)["state"] == "open"
    look(db, AFTER)
    assert the_draw(db)["state"] == "made"
    won = offers(db)
    assert len(won) == 2
    assert {b["hold_expires_at_us"] for b in won} == {AFTER + seconds(1800)}
    queue = waiting(db)
    assert [w["state"] for w in queue] == ["waiting"] * 3
    order = {e["id"]: e["place"] for e in entries(db)}
    assert sorted(order.values()) == [1, 2, 3, 4, 5]
    assert [order[w["entry_id"]] for w in queue] == [3, 4, 5]
    (kept,) = rows(db, draw_files, draw_id=draw["id"])
    file = read(gzip.decompress(kept["body_gz"]))
    assert all(check.holds for check in verify(file))
    assert rows(db, sessions, id="S1")[0]["state"] == "released"
    assert_sound(db)


def test_what_a_winner_leaves_goes_to_the_first_who_waits_in_the_same_transaction(db):
    draw = opened(db, seats=1)
    people = {p.patient_id: p for p in add_people(db, 3)}
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in people.values()), now_us=OPENS)
    look(db, AFTER)
    (first,) = offers(db)
    second, third = waiting(db, state="waiting")
    look(db, first["hold_expires_at_us"])
    (offer,) = offers(db)
    assert offer["wait_id"] == second["id"]
    assert rows(db, bookings, id=first["id"])[0]["state"] == "expired"
    give(db, offer["id"], now_us=first["hold_expires_at_us"] + 1, person=people[offer["patient_id"]])
    (last,) = offers(db)
    assert last["wait_id"] == third["id"]
    take(db, people[last["patient_id"]], last["id"], now_us=first["hold_expires_at_us"] + 2)
    assert rows(db, bookings, id=last["id"])[0]["state"] == "held"
    assert [why for _, why in ways(db, "S1-001")] == ["draw_won", "offer_lapsed", "offer_declined"]
    assert_sound(db)


def test_what_nobody_won_is_open_to_everyone(db):
    draw = opened(db, seats=3)
    (person,) = add_people(db, 1)
    enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, AFTER)
    assert [slot(db, f"S1-00{n}")["state"] for n in (1, 2, 3)] == ["taken", "free", "free"]
    assert_sound(db)


def test_a_family_gets_slots_for_all_or_for_none(db):
    from hospital import bind  # noqa: PLC0415

    draw = opened(db, seats=3)
    parent, child, other, *rest = add_people(db, 6)
    bind(db, [(parent.account_id, child.patient_id)], bound_at_us=NOW_US - seconds(10**6))
    enter_now(
        db,
        entry(parent, child, draw_id=draw["id"], wishes=["S1"]),
        *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in (other, *rest)),
        now_us=OPENS,
    )
    look(db, AFTER)
    mine = [b for b in offers(db) if b["patient_id"] in {parent.patient_id, child.patient_id}]
    assert len(mine) in {0, 2}
    assert len({b["party_id"] for b in mine}) <= 1
    if mine:
        take(db, parent, mine[0]["id"], now_us=AFTER)
        assert {b["state"] for b in rows(db, bookings, party_id=mine[0]["party_id"])} == {"held"}
    assert_sound(db)


def test_receipts_are_signed():
    signature = KEYS.sign(b"receipt")
    assert receipt_holds(b"receipt", signature, public_hex=KEYS.public_hex)
    assert not receipt_holds(b"receip7", signature, public_hex=KEYS.public_hex)


def test_a_draw_whose_key_was_changed_stops_and_holds_nobody_else_up(db):
    draw = opened(db, seats=1)
    (person,) = add_people(db, 1)
    enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    look(db, AFTER, keys=DrawKeys(b"x" * 32, b"r" * 32))
    assert the_draw(db)["state"] == "open"  # its commitment is not this key's
    look(db, AFTER)
    assert the_draw(db)["state"] == "made"
    assert_sound(db)


def test_an_entry_that_was_changed_in_the_database_after_the_seal_stops_the_draw(db):
    draw = opened(db, seats=1)
    people = add_people(db, 2)
    enter_now(db, *(entry(p, draw_id=draw["id"], wishes=["S1"]) for p in people), now_us=OPENS)
    seal_due(db, KEYS, now_us=AFTER)
    with db.write() as connection:
        connection.execute(update(draw_entries).where(draw_entries.c.id == entries(db)[0]["id"]).values(wishes="[]"))
    assert make_due(db, KEYS, now_us=AFTER) == 0
    assert the_draw(db)["state"] == "sealed"
    assert offers(db) == []
