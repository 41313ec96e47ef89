"""Decide: what a batch is given, as properties of the pure function."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.decide import BatchView, Granted, HoldTimes, decide
from shouhao.booking.limits import LimitsPolicy, over_limit
from shouhao.booking.model import Applicant, BookRequest, FreeSlot, LiveBooking, OpenSession, Restriction, SoldOut
from shouhao.kernel.clock import SECOND_US

NOW = 1_800_000_000_000_000
DAYS = {
    "S0": ("OBS", "2026-03-09"),
    "S1": ("OBS", "2026-03-09"),
    "S2": ("PED", "2026-03-09"),
    "S3": ("PED", "2026-03-10"),
}
POLICY = LimitsPolicy(live_per_person=3, live_per_day=2)
FINE = Applicant()


def session(session_id="S0", **changes):
    department_id, day = DAYS[session_id]
    known = {
        "id": session_id,
        "department_id": department_id,
        "doctor_id": None,
        "day": day,
        "state": "released",
        "fee_cents": 100,
        "ends_at_us": NOW + 1,
        "released_at_us": NOW - 1,
        "hot": False,
    }
    return OpenSession(**(known | changes))


def slot(session_id, number):
    return FreeSlot(id=f"{session_id}-{number}", session_id=session_id, number=number, starts_at_us=NOW, ends_at_us=NOW)


def view(*sessions, seats=2, held=(), restrictions=None):
    stock = {s.id: [slot(s.id, n) for n in range(1, seats + 1)] for s in sessions}
    known = defaultdict(list)
    for patient_id, booking in held:
        known[patient_id].append(booking)
    return BatchView(
        sessions={s.id: s for s in sessions},
        free=stock,
        named={one.id: one for free in stock.values() for one in free},
        held=dict(known),
        restrictions=restrictions or {},
    )


def request(patient_id="p", session_id="S0", slot_id=None, channel="app"):
    return BookRequest(patient_id=patient_id, session_id=session_id, slot_id=slot_id, channel=channel)


def run(requests, seen, *, applicant=FINE, policy=POLICY):
    asked = [r if isinstance(r, tuple) else (r, applicant) for r in requests]
    ids = [f"b{n}" for n in range(len(asked))]
    return decide(asked, seen, ids=ids, policy=policy, hold=HoldTimes(hold_s=60), now_us=NOW)


def codes(outcomes):
    return ["done" if isinstance(o, Granted) else o.code for o in outcomes]


def test_slots_go_by_number_to_who_asked_first():
    outcomes = run([request(p) for p in "abc"], view(session()))
    assert [o.slot.number for o in outcomes[:2]] == [1, 2]
    assert isinstance(outcomes[2], SoldOut)


def test_a_slot_that_costs_waits_for_money_and_a_free_one_does_not():
    costs, free = (run([request()], view(session(fee_cents=fee)))[0].booking for fee in (100, 0))
    assert (costs.state, costs.hold_expires_at_us) == ("held", NOW + 60 * SECOND_US)
    assert (free.state, free.hold_expires_at_us) == ("booked", None)


def test_who_asks_twice_in_one_batch_gets_one():
    assert codes(run([request(), request()], view(session()))) == ["done", "booking.already_booked"]


def test_a_limit_counts_within_the_batch():
    seen = view(session("S0"), session("S1"))
    assert codes(run([request(session_id="S0"), request(session_id="S1")], seen)) == ["done", "booking.limit_reached"]


def test_a_named_slot_goes_once_and_is_not_given_again_without_a_name():
    asked = [request("a", slot_id="S0-1"), request("b", slot_id="S0-1"), request("c"), request("d")]
    outcomes = run(asked, view(session()))
    assert codes(outcomes) == ["done", "booking.slot_taken", "done", "booking.sold_out"]
    assert outcomes[2].slot.number == 2


def test_a_slot_of_another_session_cannot_be_named():
    assert codes(run([request(slot_id="S2-1")], view(session(), session("S2")))) == ["booking.slot_taken"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "planned"}, "booking.session_not_released"),
        ({"state": "closed"}, "booking.session_closed"),
        ({"ends_at_us": NOW}, "booking.session_closed"),
    ],
)
def test_a_session_that_is_not_open_gives_nothing(changes, code):
    assert codes(run([request()], view(session(**changes)))) == [code]


def test_an_unknown_session_is_said_to_be_unknown():
    assert codes(run([request(session_id="S3")], view(session()))) == ["booking.session_unknown"]


def test_what_another_room_says_of_the_person_comes_before_the_state_of_the_session():
    no = Applicant(refusal=SoldOut())
    assert codes(run([request()], view(session(state="planned")), applicant=no)) == [SoldOut.code]


def test_a_new_binding_waits_for_hot_sessions_only():
    young = Applicant(hot_from_us=NOW + 1)
    assert codes(run([request()], view(session(hot=True)), applicant=young)) == ["booking.binding_too_new"]
    assert codes(run([request()], view(session(hot=False)), applicant=young)) == ["done"]
    assert codes(run([request()], view(session(hot=True)), applicant=Applicant(hot_from_us=NOW))) == ["done"]


def test_a_restriction_is_told_before_the_stock():
    block = {"p": [Restriction("no_show", None, NOW + 1)]}
    assert codes(run([request()], view(session(), seats=0, restrictions=block))) == ["booking.restricted"]


def test_a_refused_request_uses_nothing_up():
    block = {"a": [Restriction("no_show", None, NOW + 1)]}
    asked = [request("a", slot_id="S0-1"), request("b", slot_id="S0-1")]
    assert codes(run(asked, view(session(), seats=1, restrictions=block))) == ["booking.restricted", "done"]


requests = st.builds(
    request,
    patient_id=st.sampled_from("abcd"),
    session_id=st.sampled_from(sorted(DAYS)),
    slot_id=st.none() | st.builds("{}-{}".format, st.sampled_from(sorted(DAYS)), st.integers(1, 3)),
    channel=st.sampled_from(["app", "web", "window", "platform:x"]),
)
held_before = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from(sorted(DAYS)).map(lambda s: LiveBooking(s, *DAYS[s])),
    ),
    max_size=3,
    unique_by=lambda pair: (pair[0], pair[1].session_id),
)


@given(st.lists(requests, max_size=25), st.integers(0, 3), held_before)
def test_no_batch_breaks_an_invariant(asked, seats, held):
    sessions = [session(s) for s in sorted(DAYS)]
    outcomes = run(asked, view(*sessions, seats=seats, held=held))
    assert len(outcomes) == len(asked)
    granted = [o for o in outcomes if isinstance(o, Granted)]
    assert all(count == 1 for count in Counter(o.slot.id for o in granted).values())
    assert all(count <= seats for count in Counter(o.booking.session_id for o in granted).values())
    live = defaultdict(list)
    for patient_id, booking in held:
        live[patient_id].append(booking)
    for grant in granted:  # in order: each was within the limits when it was given
        booking = grant.booking
        mine = live[booking.patient_id]
        assert booking.session_id not in {b.session_id for b in mine}
        assert over_limit(mine, department_id=booking.department_id, day=booking.day, policy=POLICY) is None
        mine.append(LiveBooking(booking.session_id, booking.department_id, booking.day))


@given(st.lists(requests, min_size=1, max_size=12), st.integers(0, 3), st.sampled_from(["app", "web", "platform:x"]))
def test_the_channel_changes_no_outcome(asked, seats, channel):
    sessions = [session(s) for s in sorted(DAYS)]
    moved = [request(r.patient_id, r.session_id, r.slot_id, channel) for r in asked]
    one, other = run(asked, view(*sessions, seats=seats)), run(moved, view(*sessions, seats=seats))
    assert codes(one) == codes(other)
    assert [o.slot for o in one if isinstance(o, Granted)] == [o.slot for o in other if isinstance(o, Granted)]


@given(st.lists(requests, max_size=20), st.integers(0, 3))
def test_a_batch_decides_as_its_requests_one_by_one(asked, seats):
    sessions = [session(s) for s in sorted(DAYS)]
    seen = view(*sessions, seats=seats)
    one_by_one = [run([r], seen)[0] for r in asked]
    assert codes(run(asked, view(*sessions, seats=seats))) == codes(one_by_one)


@given(st.integers(1, 30), st.integers(0, 30))
def test_every_seat_is_sold_while_somebody_wants_it(people, seats):
    outcomes = run([request(f"p{n}") for n in range(people)], view(session(), seats=seats))
    assert sum(isinstance(o, Granted) for o in outcomes) == min(people, seats)
