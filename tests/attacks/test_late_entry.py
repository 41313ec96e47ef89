"""Attack: an entry after the close, by games with a clock: the client's, the server's, or a race with the seal.

Only the hospital's clock counts, and once the list is sealed not even that one does.
"""

import threading
from collections import Counter
from concurrent.futures import Future

import msgspec
import pytest

from flows.drawing import (
    AFTER,
    CLOSES,
    KEYS,
    OPENS,
    enter_now,
    entries,
    entry,
    field_of,
    file_of_draw,
    join,
    look,
    nothing_moves,
    open_draw,
    said,
    seconds,
    sold_out,
    the_draw,
    waiting,
)
from hospital import HOLD, NOW_US, add_people, add_person, assert_sound, code
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.model import EntryRequest
from shouhao.flows.desk import BookingDesk
from shouhao.flows.draws import make_due, seal_due
from shouhao.flows.enter import withdraw
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import ManualClock, iso
from shouhao.store.engine import open_database

CROWD, THREADS, DESKS = 120, 8, 3


def test_a_request_has_no_place_for_a_time():
    named = set(EntryRequest.__struct_fields__)
    assert not {name for name in named if "time" in name or name.endswith(("_at", "_us", "_s"))}
    sent = b'{"type":"enter","patient_ids":["p"],"channel":"app","draw_id":"d","entered_at_us":1,"now_us":1}'
    assert msgspec.json.decode(sent, type=EntryRequest) == EntryRequest(patient_ids=("p",), channel="app", draw_id="d")


def test_the_receipt_names_the_hospitals_time(db):
    draw = open_draw(db)
    (answer,) = enter_now(db, entry(add_person(db), draw_id=draw["id"], wishes=["S1"]), now_us=OPENS + 7)
    assert said(answer)["entered_at"] == iso(OPENS + 7)


@pytest.mark.parametrize("at_us", [OPENS - 1, CLOSES, CLOSES + 1, AFTER])
def test_a_microsecond_outside_the_window_is_outside(db, at_us):
    draw = open_draw(db)  # nobody has sealed it: the worker may be late
    person = add_person(db)
    asked = entry(person, draw_id=draw["id"], wishes=["S1"])
    (no,) = nothing_moves(db, lambda: enter_now(db, asked, now_us=at_us), "booking.draw_not_open")
    assert field_of(no) == "draw_id"


def test_the_last_microsecond_of_the_window_is_as_good_as_the_first(db):
    draw = open_draw(db, seats=2)
    first, last = add_people(db, 2)
    for person, at_us in ((first, OPENS), (last, CLOSES - 1)):
        enter_now(db, entry(person, draw_id=draw["id"], wishes=["S1"]), now_us=at_us)
    look(db, AFTER)
    assert {e["state"] for e in entries(db)} == {"won"}


@pytest.mark.parametrize("back_s", [1.5, 60, 121, 10**6])
def test_a_server_clock_that_steps_back_reopens_no_sealed_draw(db, back_s):
    draw = open_draw(db)
    inside, outside = add_people(db, 2)
    (answer,) = enter_now(db, entry(inside, draw_id=draw["id"], wishes=["S1"]), now_us=OPENS)
    seal_due(db, KEYS, now_us=AFTER)
    then_us = AFTER - seconds(back_s)
    late = entry(outside, draw_id=draw["id"], wishes=["S1"])
    nothing_moves(db, lambda: enter_now(db, late, now_us=then_us), "booking.draw_not_open")
    changed = entry(inside, draw_id=draw["id"], wishes=["S1"])
    nothing_moves(db, lambda: enter_now(db, changed, now_us=then_us), "booking.draw_not_open")

    def leave():
        with db.write() as connection:
            me = Caller(channel="app", account_id=inside.account_id)
            withdraw(connection, entry_id=said(answer)["entry_id"], caller=me, now_us=then_us)

    nothing_moves(db, leave, "booking.draw_not_open")
    look(db, AFTER)
    assert [one["id"] for one in file_of_draw(db, draw["id"])["entries"]] == [said(answer)["entry_id"]]
    assert_sound(db)


def test_a_server_clock_that_steps_back_lets_nobody_into_a_drawn_batch(db):
    sold_out(db)
    early, late = add_people(db, 2)
    join(db, early, now_us=NOW_US)
    batch = the_draw(db, "waitlist")
    look(db, batch["closes_at_us"])
    (place,) = waiting(db)
    join(db, late, now_us=NOW_US + 1)
    assert the_draw(db, "waitlist")["id"] != batch["id"]
    look(db, the_draw(db, "waitlist")["closes_at_us"])
    assert [w["draw_id"] for w in waiting(db)] == [batch["id"], the_draw(db, "waitlist")["id"]]
    assert waiting(db)[0] == place
    assert_sound(db)


def test_a_receipt_shown_again_after_the_close_is_the_old_one_and_no_entry(db):
    draw = open_draw(db)
    asked = entry(add_person(db), draw_id=draw["id"], wishes=["S1"], key="k")
    (first,) = enter_now(db, asked, now_us=CLOSES - 1)
    look(db, AFTER)
    (again,) = nothing_moves(db, lambda: enter_now(db, asked, now_us=AFTER), "done")
    assert again == first
    other = entry(add_person(db), draw_id=draw["id"], wishes=["S1"], key="k")
    nothing_moves(db, lambda: enter_now(db, other, now_us=AFTER), "idempotency_key_reused")


class Rush:
    """Clients at desks whose clocks have stopped within the window, so that the seal alone keeps late entries out."""

    def __init__(self, databases, requests):
        self.desks = [
            Desk(BookingDesk(db, ManualClock(CLOSES - 1), HOLD).decide, DeskSettings(batch_max=4, gather_ms=0.0))
            for db in databases
        ]
        self.requests = requests
        self.answers = []
        self.trouble = []
        self.enough = threading.Event()

    def run(self, worker):
        clients = [threading.Thread(target=self._client, args=(part,)) for part in range(THREADS)]
        sealing = threading.Thread(target=lambda: self.enough.wait(60) and worker())
        for one in self.desks:
            one.start()
        for one in (*clients, sealing):
            one.start()
        for one in (*clients, sealing):
            one.join()
        for one in self.desks:
            one.stop()

    def _client(self, part):
        try:
            for n in range(part, len(self.requests), THREADS):
                future = Future()
                self.desks[n % DESKS].submit(self.requests[n], future, lane_key=f"{n}")
                self.answers.append(future.result(60))
                if len(self.answers) >= len(self.requests) // 3:
                    self.enough.set()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported by the test
            self.trouble.append(error)
            self.enough.set()


def test_everybody_with_a_receipt_is_sealed_and_nobody_else(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(DESKS + 1)]
    db = databases[-1]
    draw = open_draw(db, seats=5)
    rush = Rush(databases[:DESKS], [entry(p, draw_id=draw["id"], wishes=["S1"]) for p in add_people(db, CROWD)])
    rush.run(lambda: seal_due(db, KEYS, now_us=CLOSES))
    assert rush.trouble == []
    assert Counter(map(code, rush.answers)).keys() <= {"done", "booking.draw_not_open"}
    assert len(rush.answers) == CROWD
    make_due(db, KEYS, now_us=AFTER)
    given = sorted(said(answer)["entry_id"] for answer in rush.answers if code(answer) == "done")
    assert given == sorted(one["id"] for one in file_of_draw(db, draw["id"])["entries"])
    assert given == sorted(e["id"] for e in entries(db))
    assert_sound(db)
    for each in databases:
        each.close()
