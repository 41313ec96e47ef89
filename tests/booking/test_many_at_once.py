"""Sixteen threads over several desks, returns, payments and expiries at the same moment, on few slots.

Each desk has its own connections, as processes would. Nothing may be given twice, lost, or die in an embrace.
"""

import random
import threading
from collections import Counter, defaultdict
from concurrent.futures import Future

import msgspec
from sqlalchemy import text

from hospital import (
    GATEWAY,
    HOLD,
    NOW_US,
    add_department,
    add_people,
    add_session,
    ask,
    assert_sound,
    booking_of,
    code,
    deliver,
    events,
    minutes,
    notice_for,
    rows,
)
from shouhao.booking.desk import Desk, DeskSettings
from shouhao.booking.tables import bookings, payments, slots
from shouhao.flows.attend import close_ended_sessions
from shouhao.flows.desk import BookingDesk
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import refund_due
from shouhao.kernel.clock import ManualClock
from shouhao.kernel.errors import Refused
from shouhao.store.engine import open_database

THREADS, DESKS, ASKED = 16, 3, 40
CHANNELS = ("app", "web", "wechat", "window", "platform:x")


class Rush:
    """People who book, pay and return for as long as they have something to do."""

    def __init__(self, databases, people, sessions):
        self.databases = databases
        self.people = people
        self.sessions = sessions
        self.clock = ManualClock(NOW_US)
        self.desks = [
            Desk(BookingDesk(db, self.clock, HOLD).decide, DeskSettings(batch_max=32, gather_ms=0.5, lanes=2))
            for db in databases
        ]
        self.granted = []
        self.trouble = []
        self.over = threading.Event()

    def run(self):
        for desk in self.desks:
            desk.start()
        background = [threading.Thread(target=self._work, args=(db,)) for db in self.databases[:2]]
        crowd = [threading.Thread(target=self._person, args=(n,)) for n in range(THREADS)]
        for thread in background + crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        self.over.set()
        for thread in background:
            thread.join()
        for desk in self.desks:
            desk.stop()

    def _person(self, number):
        chance = random.Random(number)  # noqa: S311 - repeatable on purpose
        db = self.databases[number % DESKS]
        for turn in range(ASKED):
            try:
                request = ask(
                    chance.choice(self.people),
                    chance.choice(self.sessions),
                    channel=chance.choice(CHANNELS),
                    key=f"{number}-{turn}",
                )
                future = Future()
                self.desks[chance.randrange(DESKS)].submit(request, future, lane_key=request.session_id)
                answer = future.result(60)
                if code(answer) == "done":
                    self.granted.append(booking_of(answer))
                if self.granted:
                    self._act(db, chance, chance.choice(self.granted))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
                self.trouble.append(error)

    def _act(self, db, chance, booking_id):
        now_us = self.clock.now_us()
        try:
            if chance.random() < 0.5:
                deliver(db, notice_for(db, booking_id, now_us=now_us), now_us=now_us)
            else:
                with db.write() as connection:
                    staff = Caller(channel="window", staff_id="st")
                    give_back(connection, booking_id=booking_id, caller=staff, now_us=now_us)
        except Refused:
            pass

    def _work(self, db):
        while not self.over.is_set():
            try:
                self.clock.advance(seconds=15)
                now_us = self.clock.now_us()
                expire_holds(db, now_us=now_us)
                refund_due(db, GATEWAY, now_us=now_us)
                close_ended_sessions(db, now_us=now_us)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported below
                self.trouble.append(error)


def test_nothing_is_given_twice_or_lost_when_many_act_at_once(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(DESKS)]
    db = databases[0]
    add_department(db)
    sessions = [add_session(db, f"S{n}", seats=3, half="am" if n % 2 else "pm") for n in range(6)]
    rush = Rush(databases, add_people(db, 40), sessions)
    rush.run()

    assert rush.trouble == []
    stored = rows(db, bookings)
    assert sorted(row["id"] for row in stored) == sorted(rush.granted)
    assert len(set(rush.granted)) == len(rush.granted) > 18
    recorded = Counter(msgspec.json.decode(e["detail"])["booking_id"] for e in events(db, "booked"))
    assert recorded == Counter(rush.granted)
    ended = {"expired": "expired", "cancelled": "returned"}
    for kind, state in ended.items():
        named = Counter(msgspec.json.decode(e["detail"])["booking_id"] for e in events(db, kind))
        assert named == Counter(row["id"] for row in stored if row["state"] == state)
    nobody_held_a_slot_that_another_held(stored)
    money_is_where_it_belongs(db)
    assert len(rows(db, slots)) == 18
    with db.read() as connection:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert connection.execute(text(deadlocks)).scalar_one() == 0
    assert_sound(db)
    for each in databases:
        each.close()


def nobody_held_a_slot_that_another_held(stored):
    by_slot = defaultdict(list)
    for row in stored:
        by_slot[row["slot_id"]].append(row)
    for mine in by_slot.values():
        mine.sort(key=lambda row: row["id"])  # in the order they were made
        for earlier in mine[:-1]:
            assert not earlier["live"]
        assert sum(row["live"] for row in mine) <= 1


def money_is_where_it_belongs(db):
    states = {row["id"]: row["state"] for row in rows(db, bookings)}
    for payment in rows(db, payments):
        booking = states[payment["booking_id"]]
        expected = {"open", "refund_due", "refunded"} if booking in {"returned", "expired"} else {"open", "paid"}
        assert payment["state"] in expected
        assert (booking == "booked") == (payment["state"] == "paid")


def test_one_person_asking_everywhere_at_once_gets_what_the_limits_allow(postgresql_url):
    databases = [open_database(postgresql_url) for _ in range(4)]
    db = databases[0]
    add_department(db)
    sessions = [add_session(db, f"S{n}", seats=9, half="am" if n % 2 else "pm") for n in range(8)]
    (person,) = add_people(db, 1)
    desks = [BookingDesk(each, ManualClock(NOW_US + minutes(n)), HOLD) for n, each in enumerate(databases)]
    said, started = [], threading.Barrier(THREADS)

    def everywhere(number):
        started.wait()
        request = ask(person, sessions[number % 8], channel=CHANNELS[number % 5])
        said.extend(desks[number % 4].decide([request]))

    threads = [threading.Thread(target=everywhere, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(code(answer) == "done" for answer in said) == {True: 1, False: 15}
    assert sum(row["live"] for row in rows(db, bookings)) == 1  # one a department and day
    assert_sound(db)
    for each in databases:
        each.close()
