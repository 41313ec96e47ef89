"""Attack: a scalper returns a slot at the moment that suits a customer who waits among strangers.

Whenever the seller returns and the buyer joins, the buyer's chance is a stranger's, and at no moment in between could
anybody have booked the slot. Each way is played in many sessions at once; the bounds are so wide that chance alone
breaks them less than once in a million runs.
"""

import shutil
from dataclasses import dataclass

import pytest

from flows.drawing import enter_now, entry, give, join, look, offers, ranked, seconds, take
from hospital import (
    DAY,
    NOW_US,
    add_department,
    add_people,
    add_session,
    ask,
    assert_sound,
    book_now,
    booked,
    code,
    rows,
)
from shouhao.booking.draw_tables import draws, slot_moves
from shouhao.booking.tables import slots
from shouhao.booking.waitlist import at_least
from shouhao.kernel.clock import HOUR_US, start_of_day_us
from shouhao.store.engine import open_database

RUNS, STRANGERS = 60, 4
SHARE = 1 / (STRANGERS + 1)
RARELY = 1e-7
BATCH_S = 1800
DAYS_BEFORE, NEAR = NOW_US, start_of_day_us(DAY) + 10 * HOUR_US  #: the sessions are at one o'clock that day


@dataclass(frozen=True)
class Way:
    """When the buyer joins and when the seller returns, in seconds after the batch opened."""

    buyer_s: float
    return_s: float
    opens_us: int = DAYS_BEFORE


WAYS = {
    "joins first, returned once all are drawn": Way(0, 2 * BATCH_S),
    "joins last, returned once all are drawn": Way(BATCH_S - 1, 2 * BATCH_S),
    "joins first, returned right after the batch opened": Way(0, 1),
    "joins last, returned right after the batch opened": Way(BATCH_S - 1, 1),
    "joins first, returned right before the batch closes": Way(0, BATCH_S - 0.5),
    "joins last, returned right before the batch closes": Way(BATCH_S - 1, BATCH_S - 0.5),
    "returned before anybody waits, joins first": Way(0, -60),
    "returned before anybody waits, joins last": Way(BATCH_S - 1, -60),
    "near the session, returned right after the batch opened": Way(0, 1, NEAR),
    "near the session, returned once all are drawn": Way(BATCH_S - 1, BATCH_S + 60, NEAR),
}


class Ring:
    """The same deal in many sessions: a seller, a buyer, and strangers."""

    def __init__(self, db):
        self.db = db
        add_department(db)
        self.sessions = [add_session(db, f"S{n}", seats=1, half="pm", fee_cents=0) for n in range(RUNS)]
        self.sellers = add_people(db, RUNS)
        self.sold = [booked(db, p, s) for p, s in zip(self.sellers, self.sessions, strict=True)]
        self.buyers = add_people(db, RUNS)
        self.strangers = add_people(db, RUNS * STRANGERS)
        self.passers_by = add_people(db, RUNS)

    def play(self, way: Way) -> int:
        """How many buyers were offered what their seller returned."""
        steps = [
            (way.buyer_s, self._buyers_join),
            (0.0 if way.buyer_s else 1.0, self._strangers_join),
            (way.return_s, self._sellers_return),
            (float(BATCH_S), self._worker_looks),
            (way.return_s + 2, self._worker_looks),
        ]
        for after_s, step in sorted(steps, key=lambda one: one[0]):
            now_us = way.opens_us + seconds(after_s)
            step(now_us)
            self._nothing_is_public(now_us)
        mine = {b.patient_id for b in self.buyers}
        made = offers(self.db)
        assert len(made) == RUNS
        assert {o["session_id"] for o in made} == set(self.sessions)
        assert_sound(self.db)
        return sum(o["patient_id"] in mine for o in made)

    def _buyers_join(self, now_us):
        for person, session_id in zip(self.buyers, self.sessions, strict=True):
            join(self.db, person, session_id=session_id, now_us=now_us)

    def _strangers_join(self, now_us):
        asked = [entry(p, session_id=self.sessions[n % RUNS]) for n, p in enumerate(self.strangers)]
        assert {code(a) for a in enter_now(self.db, *asked, now_us=now_us)} == {"done"}

    def _sellers_return(self, now_us):
        for person, booking_id in zip(self.sellers, self.sold, strict=True):
            assert code(give(self.db, booking_id, now_us=now_us, person=person)) == "done"

    def _worker_looks(self, now_us):
        for _ in range(1 + len(rows(self.db, draws, state="open")) // 50):
            look(self.db, now_us)

    def _nothing_is_public(self, now_us):
        assert {row["state"] for row in rows(self.db, slots)} <= {"taken", "reserved"}
        asked = [ask(p, s) for p, s in zip(self.passers_by, self.sessions, strict=True)]
        asked += [ask(p, s, slot_id=f"{s}-001") for p, s in zip(self.passers_by, self.sessions, strict=True)]
        assert {code(a) for a in book_now(self.db, *asked, now_us=now_us)} == {
            "booking.sold_out",
            "booking.slot_taken",
        }


def is_no_more_than(count, *, runs, share=SHARE):
    return at_least(count, n=runs, p=share) > RARELY


@pytest.fixture(scope="module")
def won(sqlite_template, tmp_path_factory):
    """How many buyers got their slot, by the way it was tried."""
    counts = {}
    for name, way in WAYS.items():
        path = tmp_path_factory.mktemp("ring") / "ring.sqlite3"
        shutil.copy(sqlite_template, path)
        db = open_database(f"sqlite:///{path}")
        counts[name] = Ring(db).play(way)
        db.close()
    return counts


@pytest.mark.parametrize("name", WAYS)
def test_no_moment_gives_the_buyer_more_than_a_strangers_chance(won, name):
    assert is_no_more_than(won[name], runs=RUNS)


def test_all_moments_together_give_no_more_either(won):
    assert is_no_more_than(sum(won.values()), runs=RUNS * len(WAYS))


def test_the_measure_would_notice_a_buyer_who_is_favoured():
    assert not is_no_more_than(int(RUNS * 0.7), runs=RUNS)
    assert not is_no_more_than(int(RUNS * len(WAYS) * 0.32), runs=RUNS * len(WAYS))


def test_the_same_holds_where_people_are_locked_one_by_one(postgresql_url):
    db = open_database(postgresql_url)
    count = Ring(db).play(WAYS["joins first, returned right after the batch opened"])
    db.close()
    assert is_no_more_than(count, runs=RUNS)


def test_a_buyer_who_comes_later_never_passes_those_who_were_drawn(db):
    add_department(db)
    add_session(db, seats=1, fee_cents=0)
    seller, buyer, *others = add_people(db, 5)
    booking_id = booked(db, seller, "S1")
    drawn_us = ranked(db, *others, now_us=NOW_US)
    drawn_us = ranked(db, buyer, now_us=drawn_us)
    give(db, booking_id, now_us=drawn_us, person=seller)
    for _ in others:
        (offer,) = offers(db)
        (person,) = [p for p in others if p.patient_id == offer["patient_id"]]
        give(db, offer["id"], now_us=drawn_us + 1, person=person)
    (offer,) = offers(db)
    assert offer["patient_id"] == buyer.patient_id


def test_who_returned_and_joins_again_stands_behind_and_not_in_front(db):
    add_department(db)
    add_session(db, seats=1, fee_cents=0)
    seller, stranger = add_people(db, 2)
    booking_id = booked(db, seller, "S1")
    drawn_us = ranked(db, stranger, now_us=NOW_US)
    give(db, booking_id, now_us=drawn_us, person=seller)
    (offer,) = offers(db)
    assert offer["patient_id"] == stranger.patient_id
    (cooling,) = enter_now(db, entry(seller, session_id="S1"), now_us=drawn_us + 1)
    assert code(cooling) == "booking.restricted"
    join(db, seller, now_us=drawn_us + seconds(601))
    take(db, stranger, offer["id"], now_us=drawn_us + seconds(601))
    assert offers(db) == []


def test_no_slot_of_a_deal_was_ever_public(sqlite_db):
    ring = Ring(sqlite_db)
    ring.play(WAYS["returned before anybody waits, joins first"])
    assert {row["way"] for row in rows(sqlite_db, slot_moves)} == {"rest", "offered"}
