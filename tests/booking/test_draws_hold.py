"""Invariants 3 and 4 as properties: where returned slots go, and that arriving first gains nothing.

A random week is played on each database: draws, families, waitlists, returns, offers, a worker that looks when it
looks. After each step every invariant of the house is checked, and where slots went is held against a count of its
own, apart from the code that decides it.
"""

import shutil
from collections import Counter, defaultdict
from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select, update

from flows.drawing import KEYS, enter_now, entries, entry, file_of_draw, look, released, seconds, set_release, the_draw
from hospital import (
    DAY,
    HOLD,
    NOW_US,
    Person,
    add_department,
    add_people,
    add_session,
    ask,
    assert_sound,
    bind,
    book_now,
    booked,
    booking_of,
    code,
    deliver,
    minutes,
    notice_for,
    rows,
    set_limits,
)
from shouhao.booking.draw_tables import (
    draw_entries,
    draw_files,
    draw_targets,
    draws,
    slot_moves,
    slot_rests,
    wait_members,
    waits,
)
from shouhao.booking.model import ReturnRequest
from shouhao.booking.release.draw import Entry, allocate, rank
from shouhao.booking.tables import bookings, restrictions, sessions, slots
from shouhao.flows.attend import close_ended_sessions
from shouhao.flows.enter import withdraw
from shouhao.flows.give_back import Caller, expire_holds, return_slots
from shouhao.flows.offers import accept
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.kernel.errors import Refused
from shouhao.kernel.randomness import SeededRandomness
from shouhao.patients.consents_tables import consent_acts
from shouhao.patients.tables import patients
from shouhao.staff.tables import access_register
from shouhao.store.engine import Database, open_database
from shouhao.store.schema import metadata

LIMITS = {"live_per_person": 3, "live_per_day": 2, "live_per_week": 3, "cooling_after_return_s": 60}
WAITLIST = {"batch_s": 300, "people_max": 2, "waits_max": 3}
POLICIES = {
    "OBS": {"kind": "draw", "draw": {"confirm_s": 600}, "waitlist": WAITLIST},
    "EYE": {
        "kind": "mixed",
        "mixed": {"parts": {"draw": 1, "phone": 1}, "merge_before_s": {"phone": 86_400}},
        "waitlist": WAITLIST,
    },
    "GEN": {"kind": "first_come", "waitlist": WAITLIST},
}
SEATS = {"OBS": 1, "EYE": 3, "GEN": 1}
IDLE = {"rest", "care", "window", "public", "merged"}  #: ways on which a slot is offered to nobody
PLAY = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
nth = st.integers(0, 99)
channels = st.sampled_from(("app", "app", "web", "window", "kiosk", "phone"))


class RandomWeek(RuleBasedStateMachine):
    """One week after another; a subclass names the database."""

    db: Database

    @initialize(comers=st.lists(st.tuples(nth, nth, st.integers(1, 2), nth), min_size=6, max_size=12), begun=nth)
    def open_house(self, comers, begun):
        with self.db.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table not in (access_register, consent_acts):  # nothing books there, and they only ever grow
                    connection.execute(delete(table))
        self.now_us = NOW_US
        self.sessions = []
        for department_id, body in POLICIES.items():
            add_department(self.db, department_id, doctor_ids=[f"D-{department_id}"])
            set_release(self.db, body, f"department:{department_id}")
            for offset, half in ((0, "am"), (1, "pm")):
                self.sessions.append(self._planned(department_id, offset, half))
        self.people = add_people(self.db, 8)
        parent, *others = self.people
        bind(self.db, [(parent.account_id, p.patient_id) for p in others[:2]], bound_at_us=NOW_US - 30 * DAY_US)
        with self.db.write() as connection:
            old = patients.c.id == self.people[-1].patient_id
            connection.execute(update(patients).where(old).values(birth_day="1940-01-01"))
        set_limits(self.db, **LIMITS)
        self.given_up_here = set()  #: slots that somebody returned in the house
        self.repeated = set()  #: files of draws, as they were kept
        self.chance = SeededRandomness(7)
        look(self.db, self.now_us)
        if begun % 4:  # most weeks begin once the draws are made and everything is gone
            self.people_enter(comers)
            self.now_us += minutes(2)
            self.the_worker_looks()
            for session_n in range(len(self.sessions)):
                self.a_session_is_sold_out(session_n)
            self.people_join([(n, m, size, False) for n, m, size, _ in comers])

    def _planned(self, department_id, offset, half):
        return add_session(
            self.db,
            f"{department_id}-{offset}-{half}",
            seats=SEATS[department_id],
            department_id=department_id,
            doctor_id=f"D-{department_id}",
            day=DAY + timedelta(days=offset),
            half=half,
            state="planned",
            release_at_us=NOW_US + minutes(2),
        )

    def person(self, n):
        return self.people[n % len(self.people)]

    def company(self, n, size):
        """Some people whom one account is bound to: the first's family, or anybody alone."""
        return self.people[:size] if size > 1 else [self.person(n)]

    def some(self, table, n, **which):
        found = rows(self.db, table, **which)
        return found[n % len(found)] if found else None

    def tick(self):
        """Each step has a moment of its own, so that what it moved is known by it."""
        self.now_us += 1
        return self.now_us

    def caller(self, row):
        if row["account_id"] is None:
            return Caller(channel="window", staff_id="st")
        return Caller(channel="app", account_id=row["account_id"])

    def attempt(self, act):
        """Act in a unit of work of its own; a correct "no" moves nothing."""
        try:
            with self.db.write() as connection:
                return act(connection)
        except Refused:
            return None

    @rule(batch=st.lists(st.tuples(nth, nth, st.integers(1, 2), nth), min_size=1, max_size=6))
    def people_enter(self, batch):
        asked = []
        for n, draw_n, size, wish_n in batch:
            draw = self.some(draws, draw_n, kind="release")
            if draw is not None:
                wishes = [t["session_id"] for t in rows(self.db, draw_targets, draw_id=draw["id"])]
                first = wish_n % len(wishes)
                asked.append(entry(*self.company(n, size), draw_id=draw["id"], wishes=wishes[first:]))
        if asked:
            enter_now(self.db, *asked, now_us=self.tick())

    @rule(n=nth)
    def somebody_leaves(self, n):
        row = self.some(draw_entries, n, state="entered")
        if row is not None:
            self.tick()
            self.attempt(lambda c: withdraw(c, entry_id=row["id"], caller=self.caller(row), now_us=self.now_us))

    @rule(batch=st.lists(st.tuples(nth, nth, st.integers(1, 2), st.booleans()), min_size=2, max_size=8))
    def people_join(self, batch):
        asked = []
        for n, session_n, size, at_window in batch:
            assisted = {"account_id": None, "channel": "window", "staff_id": "st"} if at_window else {}
            session_id = self.sessions[session_n % len(self.sessions)]
            asked.append(entry(*self.company(n, size), session_id=session_id, **assisted))
        if any(draw["closes_at_us"] <= self.now_us for draw in rows(self.db, draws, state="open")):
            self.the_worker_looks()  # joining between two looks is test_entering_twice.py's subject
        enter_now(self.db, *asked, now_us=self.tick())

    @rule(batch=st.lists(st.tuples(nth, nth, channels, st.sampled_from((None, None, "care"))), min_size=1, max_size=6))
    def people_book(self, batch):
        asked = [
            ask(self.person(n), self.sessions[m % len(self.sessions)], channel=channel, pool=pool)
            for n, m, channel, pool in batch
        ]
        book_now(self.db, *asked, now_us=self.tick())

    @rule(session_n=nth)
    def a_session_is_sold_out(self, session_n):
        session_id = self.sessions[session_n % len(self.sessions)]
        for person in self.people:
            for answer in book_now(self.db, ask(person, session_id), now_us=self.tick()):
                if code(answer) == "done":
                    deliver(self.db, notice_for(self.db, booking_of(answer), now_us=self.now_us), now_us=self.now_us)

    @rule(n=nth)
    def somebody_pays(self, n):
        row = self.some(bookings, n, state="held")
        if row is None:
            return
        self.tick()
        try:
            notice = notice_for(self.db, row["id"], now_us=self.now_us)
        except Refused:
            return
        deliver(self.db, notice, now_us=self.now_us)

    @rule(numbers=st.lists(nth, min_size=1, max_size=3), channel=st.sampled_from(("app", "app", "window", "kiosk")))
    def people_return(self, numbers, channel):
        asked = {}
        for n in numbers:
            row = self.some(bookings, n, live=True)
            if row is not None:
                mine = row["account_id"] if channel == "app" else None
                staff = None if mine else "st"
                asked[row["id"]] = ReturnRequest(booking_id=row["id"], channel=channel, account_id=mine, staff_id=staff)
        self.tick()
        had = {row["id"]: row for row in rows(self.db, bookings, live=True)}
        with self.db.write() as connection:
            said = return_slots(connection, list(asked.values()), now_us=self.now_us)
        if channel != "app":
            done = [r.booking_id for r, answer in zip(asked.values(), said, strict=True) if code(answer) == "done"]
            self.given_up_here |= {had[i]["slot_id"] for i in done if had[i]["state"] != "offered"}
        self._what_moved_just_now_had_no_taker()

    @rule(n=nth)
    def somebody_accepts(self, n):
        row = self.some(bookings, n, state="offered")
        if row is not None:
            self.tick()
            self.attempt(
                lambda c: accept(c, booking_id=row["id"], caller=self.caller(row), hold=HOLD, now_us=self.now_us)
            )

    @rule(n=nth, sure=st.booleans())
    def somebody_is_doubted_or_confirmed(self, n, sure):
        how = {"verification": "verified" if sure else "pending", "verified_by": "window" if sure else None}
        with self.db.write() as connection:
            mine = patients.c.id == self.person(n).patient_id
            connection.execute(update(patients).where(mine).values(**how, verified_at_us=NOW_US if sure else None))

    @rule()
    def time_to_pay_or_accept_is_over(self):
        self.tick()
        if expire_holds(self.db, now_us=self.now_us):
            self._what_moved_just_now_had_no_taker()

    @rule()
    def a_batch_is_drawn(self):
        self.now_us += minutes(5)
        self.the_worker_looks()

    @rule()
    def the_worker_looks(self):
        look(self.db, self.tick(), randomness=self.chance)
        close_ended_sessions(self.db, now_us=self.now_us)

    @rule(passed=st.integers(1, 40))
    def minutes_pass(self, passed):
        self.now_us += minutes(passed)

    @rule(offset=st.integers(0, 1), hour=st.integers(5, 13), really=nth)
    def it_is_the_day(self, offset, hour, really):
        if really % 3 == 0:  # or every week would be over at once
            self.now_us = max(self.now_us, start_of_day_us(DAY + timedelta(days=offset)) + hour * HOUR_US)

    def _what_moved_just_now_had_no_taker(self):
        """A slot that went to nobody in this very transaction had nobody entitled whose order was drawn."""
        went = defaultdict(int)
        for move in rows(self.db, slot_moves, at_us=self.now_us):
            if move["way"] in IDLE:
                went[move["session_id"]] += 1
        for session_id, count in went.items():
            (session,) = rows(self.db, sessions, id=session_id)
            if self.now_us >= session["starts_at_us"] - minutes(30):
                continue
            for wait in rows(self.db, waits, session_id=session_id, state="waiting"):
                assert wait["size"] > count or not self.entitled(wait, session), (session_id, wait["people"])

    def entitled(self, wait, session):
        return all(self._may_book(person, session) for person in msgspec.json.decode(wait["people"]))

    def _may_book(self, patient_id, session):
        if rows(self.db, patients, id=patient_id)[0]["verification"] != "verified":
            return False
        for kept in rows(self.db, restrictions, patient_id=patient_id):
            if kept["ends_at_us"] > self.now_us and kept["department_id"] in {None, session["department_id"]}:
                return False
        live = rows(self.db, bookings, patient_id=patient_id, live=True)
        same_day = [b for b in live if b["day"] == session["day"]]
        week = date.fromisoformat(session["day"]).isocalendar()[:2]
        return (
            len(live) < LIMITS["live_per_person"]
            and len(same_day) < LIMITS["live_per_day"]
            and not any(b["department_id"] == session["department_id"] for b in same_day)
            and sum(date.fromisoformat(b["day"]).isocalendar()[:2] == week for b in live) < LIMITS["live_per_week"]
        )

    @invariant()
    def nothing_is_broken(self):
        assert_sound(self.db)

    @invariant()
    def every_slot_is_somewhere(self):
        stored = rows(self.db, slots)
        assert Counter(row["session_id"] for row in stored) == {s: SEATS[s[:3]] for s in self.sessions}
        assert {row["state"] for row in stored} <= {"planned", "free", "taken", "reserved", "withdrawn"}
        resting = {row["id"] for row in stored if row["reserved_for"] == "rest"}
        assert resting == {row["slot_id"] for row in rows(self.db, slot_rests)}
        planned = {row["id"] for row in rows(self.db, sessions, state="planned")}
        assert {row["session_id"] for row in stored if row["state"] == "planned"} <= planned
        assert all(row["session_id"] not in planned for row in stored if row["state"] != "planned")
        not_drawn = {
            target["session_id"]
            for draw in rows(self.db, draws, kind="waitlist")
            if draw["state"] != "made"
            for target in rows(self.db, draw_targets, draw_id=draw["id"])
        }
        assert {row["session_id"] for row in stored if row["reserved_for"] == "waitlist"} <= not_drawn

    @invariant()
    def what_was_given_up_here_never_goes_online(self):
        for slot_id in self.given_up_here:
            (row,) = rows(self.db, slots, id=slot_id)
            assert row["state"] != "free"
            assert row["reserved_for"] not in {"rest", "care"}

    @invariant()
    def what_came_back_is_not_free_while_somebody_waits(self):
        waited_for = {row["session_id"] for row in rows(self.db, waits, state="waiting")}
        came_back = {row["slot_id"] for row in rows(self.db, slot_moves)}
        for row in rows(self.db, slots, state="free"):
            assert row["id"] not in came_back or row["session_id"] not in waited_for

    @invariant()
    def nobody_has_more_than_the_limits_allow(self):
        live = rows(self.db, bookings, live=True)
        assert max(Counter((b["patient_id"], b["department_id"], b["day"]) for b in live).values(), default=0) <= 1
        assert max(Counter((b["patient_id"], b["day"]) for b in live).values(), default=0) <= LIMITS["live_per_day"]
        assert max(Counter(b["patient_id"] for b in live).values(), default=0) <= LIMITS["live_per_person"]

    @invariant()
    def nobody_waits_twice_for_one_session(self):
        live = Counter((row["patient_id"], row["session_id"]) for row in rows(self.db, wait_members, ended_at_us=0))
        assert max(live.values(), default=0) <= 1

    @invariant()
    def people_who_came_together_are_together(self):
        states = defaultdict(set)
        for row in rows(self.db, bookings):
            if row["party_id"] is not None and row["live"] and row["state"] in {"offered", "held"}:
                states[row["party_id"]].add(row["state"])
        assert all(len(of) == 1 for of in states.values())

    @invariant()
    def every_made_draw_is_repeated_from_its_file(self):
        for made in rows(self.db, draw_files):
            if made["body_gz"] not in self.repeated:  # the same bytes are repeated once
                assert_repeated(file_of_draw(self.db, made["draw_id"]))
                self.repeated.add(made["body_gz"])

    def teardown(self):
        """Once everything is over nothing is kept for anybody, and nobody waits."""
        for hours in (24 * 4, 24 * 5, 24 * 6):
            look(self.db, NOW_US + hours * HOUR_US, randomness=self.chance)
        assert [row["id"] for row in rows(self.db, slots) if row["reserved_for"] in {"waitlist", "draw"}] == []
        assert rows(self.db, waits, state="waiting") == []
        assert rows(self.db, bookings, state="offered") == []
        assert_sound(self.db)


def assert_repeated(file):
    """The order and the winners follow from the entries, whatever order those are read in."""
    listed = [Entry(id=e["id"], people=tuple(e["people"]), wishes=tuple(e["wishes"])) for e in file["entries"]]
    seats = {target["id"]: target["seats"] for target in file["draw"]["targets"]}
    for given_in in (listed, listed[::-1], sorted(listed, key=lambda one: one.people)):
        ranked = rank(given_in, seed=bytes.fromhex(file["seed"]))
        assert [one.id for one in ranked] == file["order"]
        wins = [{"id": win.entry_id, "target": win.target} for win in allocate(ranked, seats).wins]
        assert wins == file["wins"]


def test_no_week_breaks_an_invariant(db):
    run_state_machine_as_test(type("RandomWeekOnOneDatabase", (RandomWeek,), {"db": db}), settings=PLAY)


CROWD = 6


class Window:
    """A draw that takes entries, or a batch that somebody has opened, to be played again and again from this moment."""

    def __init__(self, path, kind):
        self.path = path
        db = open_database(f"sqlite:///{path}")
        add_department(db)
        if kind == "release":
            set_release(db, {"kind": "draw"})
            for n, half in enumerate(("am", "pm")):
                add_session(db, f"S{n + 1}", seats=1, half=half, state="planned", release_at_us=NOW_US + seconds(1800))
            set_release(db, {"kind": "draw", "draw": {"entry_window_s": 1800}}, "department:OBS")
            look(db, NOW_US)
        else:
            released(db, seats=1, fee_cents=0)
            seller, first = add_people(db, 2)
            booked(db, seller, "S1")
            enter_now(db, entry(first, session_id="S1"), now_us=NOW_US)
        self.draw = the_draw(db, kind)
        self.people = add_people(db, CROWD)
        bind(
            db,
            [(self.people[0].account_id, self.people[1].patient_id)],
            bound_at_us=NOW_US - 30 * DAY_US,
        )
        db.close()

    def asked(self, n, wishes):
        """What each of them asks, whenever they come; the first comes with company."""
        company: list[Person] = self.people[:2] if n == 0 else [self.people[n]]
        if self.draw["kind"] == "release":
            return entry(*company, draw_id=self.draw["id"], wishes=wishes)
        return entry(*company, session_id="S1")

    def play(self, arrivals, folder):
        """Let them arrive like this, each again and again; the published file."""
        path = folder / "again.sqlite3"
        for file in folder.iterdir():
            file.unlink()
        shutil.copy(self.path, path)
        db = open_database(f"sqlite:///{path}")
        for n, at_s, leaves in arrivals:
            (answer,) = enter_now(db, self.asked(n, ["S1", "S2"][n % 2 :]), now_us=NOW_US + seconds(at_s))
            assert code(answer) == "done"
            if leaves:
                (row,) = [e for e in entries(db) if self.people[n].patient_id in e["people"]]
                with db.write() as connection:
                    me = Caller(channel="app", account_id=self.people[n].account_id)
                    withdraw(connection, entry_id=row["id"], caller=me, now_us=NOW_US + seconds(at_s) + 1)
                enter_now(db, self.asked(n, ["S1", "S2"][n % 2 :]), now_us=NOW_US + seconds(at_s) + 2)
        look(db, self.draw["closes_at_us"], keys=KEYS)
        with db.read() as connection:
            (packed,) = connection.execute(
                select(draw_files.c.body_gz).where(draw_files.c.draw_id == self.draw["id"])
            ).scalars()
        places = {e["id"]: (e["place"], e["session_id"]) for e in entries(db, draw_id=self.draw["id"])}
        db.close()
        return bytes(packed), places


@pytest.fixture(scope="module", params=["release", "waitlist"])
def window(request, sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("window") / "window.sqlite3"
    shutil.copy(sqlite_template, path)
    return Window(path, request.param)


comers = [0, *range(2, CROWD)]  #: the second of the people comes with the first


@settings(max_examples=15, deadline=None, database=None)
@given(
    order=st.permutations(comers),
    moments=st.lists(st.integers(1, 1790), min_size=len(comers), max_size=len(comers)),
    leaving=st.lists(st.booleans(), min_size=len(comers), max_size=len(comers)),
)
def test_arriving_first_gains_nothing_not_a_byte_of_the_file_differs(window, tmp_path_factory, order, moments, leaving):
    folder = tmp_path_factory.mktemp("played")
    one_way = window.play([(n, 1, False) for n in comers], folder)
    another = window.play(list(zip(order, sorted(moments), leaving, strict=True)), folder)
    assert one_way == another
