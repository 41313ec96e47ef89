"""Invariants 1, 2 and 5 as properties: whatever people and staff do, through whichever channel, they hold.

A random day is played on each database; after each step every invariant of the house is checked, and each person's
live bookings are held against the limits by a count of their own, apart from the code that enforces them.
"""

from collections import Counter
from contextlib import suppress
from datetime import date, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete

from hospital import (
    DAY,
    GATEWAY,
    HOLD,
    NOW_US,
    add_people,
    add_session,
    add_week,
    ask,
    assert_sound,
    booking_of,
    code,
    deliver,
    minutes,
    notice_for,
    rows,
    set_limits,
)
from shouhao.booking.tables import bookings, extra_slot_requests, slots
from shouhao.flows.attend import check_in, close_ended_sessions
from shouhao.flows.book import book
from shouhao.flows.extra_slot import decide_extra_slot, request_extra_slot
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.flows.pay import refund_due
from shouhao.flows.release import release_due
from shouhao.kernel.clock import start_of_day_us
from shouhao.kernel.errors import Refused
from shouhao.patients.consents_tables import consent_acts
from shouhao.staff.tables import access_register
from shouhao.store.engine import Database
from shouhao.store.schema import metadata

ACCOUNT_CHANNELS = ("app", "wechat", "web", "platform:x")
HOUSE_CHANNELS = ("window", "kiosk")
CHANNELS = (*ACCOUNT_CHANNELS, *HOUSE_CHANNELS)
LIMITS = {"live_per_person": 4, "live_per_day": 2, "live_per_week": 3, "cooling_after_return_s": 60}
PLAY = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
nth = st.integers(0, 99)
one_request = st.tuples(
    nth, nth, st.sampled_from(CHANNELS), st.none() | st.integers(1, 3), st.none() | st.integers(0, 9)
)


class Undone(Exception):  # noqa: N818 - nothing went wrong: the unit of work was only a question
    pass


class RandomDay(RuleBasedStateMachine):
    """One day after another; a subclass names the database."""

    db: Database

    @initialize()
    def open_house(self):
        with self.db.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table not in (access_register, consent_acts):  # nothing books there, and they only ever grow
                    connection.execute(delete(table))
        self.now_us = NOW_US
        self.sessions = add_week(self.db, seats=2)
        self.sessions.append(
            add_session(
                self.db,
                "LATER",
                seats=2,
                state="planned",
                doctor_id="D-OBS",
                release_at_us=NOW_US + minutes(60),
                half="evening",
            )
        )
        self.people = add_people(self.db, 5)
        set_limits(self.db, **LIMITS)
        self.made = []

    def person(self, n):
        return self.people[n % len(self.people)]

    def request(self, drawn):
        person_n, session_n, channel, slot_n, key_n = drawn
        session_id = self.sessions[session_n % len(self.sessions)]
        slot_id = None if slot_n is None else f"{session_id}-{slot_n:03d}"
        key = None if key_n is None else str(key_n)
        return ask(self.person(person_n), session_id, channel=channel, slot_id=slot_id, key=key)

    def some_booking(self, n):
        return self.made[n % len(self.made)] if self.made else None

    def attempt(self, act):
        """Act in a unit of work of its own; a correct "no" moves nothing."""
        try:
            with self.db.write() as connection:
                return act(connection)
        except Refused:
            return None

    @rule(batch=st.lists(one_request, min_size=1, max_size=8))
    def people_book(self, batch):
        requests = [self.request(drawn) for drawn in batch]
        with self.db.write() as connection:
            said = book(connection, requests, hold=HOLD, now_us=self.now_us)
        assert len(said) == len(requests)
        for answer in said:
            if code(answer) == "done" and booking_of(answer) not in self.made:
                self.made.append(booking_of(answer))

    @rule(drawn=one_request)
    def each_channel_gives_the_same_answer(self, drawn):
        """The rules are one; only what came back and is kept for people in the house is theirs alone (invariant 3)."""
        heard = {}
        for channel in CHANNELS:
            request = self.request((drawn[0], drawn[1], channel, drawn[3], None))
            with suppress(Undone), self.db.write() as connection:
                (answer,) = book(connection, [request], hold=HOLD, now_us=self.now_us)
                heard[channel] = code(answer)
                raise Undone
        (online,) = {heard[channel] for channel in ACCOUNT_CHANNELS}
        (in_the_house,) = {heard[channel] for channel in HOUSE_CHANNELS}
        kept = rows(self.db, slots, session_id=request.session_id, reserved_for="window", state="reserved")
        assert in_the_house == ("done" if kept and request.slot_id is None and online == "booking.sold_out" else online)

    @rule(n=nth)
    def somebody_pays(self, n):
        booking_id = self.some_booking(n)
        if booking_id is None:
            return
        try:
            notice = notice_for(self.db, booking_id, now_us=self.now_us)
        except Refused:
            return
        deliver(self.db, notice, now_us=self.now_us)

    @rule(n=nth, m=nth)
    def somebody_pays_in_the_last_moment(self, n, m):
        booking_id = self.some_booking(n)
        if booking_id is None:
            return
        try:
            notice = notice_for(self.db, booking_id, now_us=self.now_us)
        except Refused:
            return
        self.now_us += minutes(m)
        expire_holds(self.db, now_us=self.now_us)
        deliver(self.db, notice, now_us=self.now_us)

    @rule(n=nth, staff=st.booleans())
    def somebody_returns(self, n, staff):
        booking_id = self.some_booking(n)
        if booking_id is None:
            return
        (row,) = rows(self.db, bookings, id=booking_id)
        caller = Caller(channel="app", account_id=row["account_id"])
        if staff or row["account_id"] is None:
            caller = Caller(channel="window", staff_id="st")
        self.now_us += 1  # somebody takes a moment to do so
        self.attempt(lambda c: give_back(c, booking_id=booking_id, caller=caller, now_us=self.now_us))

    @rule(n=nth)
    def somebody_comes(self, n):
        booking_id = self.some_booking(n)
        if booking_id is not None:
            kiosk = Caller(channel="kiosk")
            self.attempt(lambda c: check_in(c, booking_id=booking_id, caller=kiosk, now_us=self.now_us))

    @rule(n=nth, m=nth)
    def a_doctor_asks_for_an_extra_slot(self, n, m):
        session_id = self.sessions[m % len(self.sessions)]
        doctor_id = "D-PED" if session_id.startswith("PED") else "D-OBS"
        outcome = self.attempt(
            lambda c: request_extra_slot(
                c,
                session_id=session_id,
                patient_id=self.person(n).patient_id,
                reason="复诊换药",
                staff_id="st-doctor",
                doctor_id=doctor_id,
                now_us=self.now_us,
            )
        )
        if outcome is not None and outcome.booking is not None:
            self.made.append(outcome.booking.id)

    @rule(approve=st.booleans())
    def a_second_person_decides(self, approve):
        for waiting in rows(self.db, extra_slot_requests, state="waiting"):
            outcome = self.attempt(
                lambda c, request_id=waiting["id"]: decide_extra_slot(
                    c, request_id=request_id, approve=approve, staff_id="st-office", now_us=self.now_us
                )
            )
            if outcome is not None and outcome.booking is not None:
                self.made.append(outcome.booking.id)

    @rule()
    def the_worker_looks(self):
        release_due(self.db, now_us=self.now_us)
        expire_holds(self.db, now_us=self.now_us)
        refund_due(self.db, GATEWAY, now_us=self.now_us)
        close_ended_sessions(self.db, now_us=self.now_us)

    @rule(passed=st.integers(1, 40))
    def minutes_pass(self, passed):
        self.now_us += minutes(passed)

    @rule(offset=st.integers(0, 4), hour=st.integers(7, 21))
    def it_is_the_day(self, offset, hour):
        self.now_us = max(self.now_us, start_of_day_us(DAY + timedelta(days=offset)) + minutes(60 * hour))

    @invariant()
    def nothing_is_broken(self):
        assert_sound(self.db)

    @invariant()
    def nobody_has_more_than_the_limits_allow(self):
        live = [row for row in rows(self.db, bookings) if row["live"]]
        assert set(Counter((b["patient_id"], b["session_id"]) for b in live).values()) <= {1}
        assert set(Counter((b["patient_id"], b["department_id"], b["day"]) for b in live).values()) <= {1}
        a_day = Counter((b["patient_id"], b["day"]) for b in live)
        a_week = Counter((b["patient_id"], date.fromisoformat(b["day"]).isocalendar()[:2]) for b in live)
        open_ones = Counter(b["patient_id"] for b in live if b["state"] != "checked_in")
        for counts, limit in (
            (a_day, LIMITS["live_per_day"]),
            (a_week, LIMITS["live_per_week"]),
            (open_ones, LIMITS["live_per_person"]),
        ):
            assert max(counts.values(), default=0) <= limit


def test_no_day_breaks_an_invariant(db):
    run_state_machine_as_test(type("RandomDayOnOneDatabase", (RandomDay,), {"db": db}), settings=PLAY)
