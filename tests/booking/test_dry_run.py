"""Dry run: past demand given out again; and that the demand read from a database is what was asked."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hospital import (
    NOW_US,
    add_department,
    add_people,
    add_session,
    ask,
    book_now,
    booked,
    code,
    minutes,
    put,
    set_limits,
)
from shouhao.booking import dry_run
from shouhao.booking.demand import Asker, SessionDemand
from shouhao.booking.draw_tables import draw_entries, draw_members, draw_targets, draws
from shouhao.booking.dry_run import CONTESTED_SHOWN, simulate
from shouhao.booking.dry_run_words import CONTESTED, FIGURES, LIMITS, PART_USE
from shouhao.booking.release.policy import ReleasePolicy, release_from
from shouhao.booking.store.demand import demand
from shouhao.flows.give_back import Caller, expire_holds, give_back
from shouhao.kernel.clock import DAY_US, HOUR_US, SECOND_US
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.store import event_log, policies

RELEASED = NOW_US
STARTS = NOW_US + 3 * DAY_US
SEED = b"seed"
FIRST_COME = release_from({"waitlist": {"open": False}})
DRAW = release_from({"kind": "draw", "waitlist": {"open": False}})


def someone(n, *, after_s=None, got=False, account=None, channel="app", returned=None, wish=0):
    """A person who asked; without a moment they entered a draw."""
    return Asker(
        patient_id=f"P{n:04d}",
        account_id=account or f"A{n:04d}",
        channel=channel,
        asked_after_us=None if after_s is None else round(after_s * SECOND_US),
        wish=wish,
        got=got,
        returned_at_us=returned,
    )


def session(askers, *, seats, session_id="S1", department_id="OBS", released_at_us=RELEASED):
    return SessionDemand(
        session_id=session_id,
        department_id=department_id,
        released_at_us=released_at_us,
        starts_at_us=STARTS,
        capacity=seats,
        askers=tuple(askers),
    )


def rush(people, *, seats, first=0, **how):
    """As many people, a tenth of a second apart; the first of them got the seats."""
    return session([someone(n + first, after_s=n / 10, got=n < seats) for n in range(people)], seats=seats, **how)


def under(sessions, policy, *, runs=20):
    """The figures under a policy, by code."""
    return {f.code: f.under_policy for f in simulate(sessions, policy, seed=SEED, runs=runs).figures}


def was(sessions):
    """The figures as it was, by code."""
    return {f.code: f.as_it_was for f in simulate(sessions, FIRST_COME, seed=SEED, runs=1).figures}


def test_under_first_come_the_same_people_get_the_same_slots():
    found = [rush(40, seats=10), rush(5, seats=8, first=100, session_id="S2")]
    before, after = was(found), under(found, FIRST_COME)
    assert (before["served"], after["served"], after["again"], after["neither"]) == (15, 15, 15, 30)
    assert before["first_second"] == after["first_second"] == 1.0


def test_requests_of_one_moment_are_taken_in_the_order_in_which_the_desk_took_them():
    found = [session([someone(n, after_s=0, got=n >= 7) for n in range(10)], seats=3)]
    assert under(found, FIRST_COME)["again"] == 3


def test_in_a_draw_the_fast_get_their_share_and_no_more():
    found = [rush(100, seats=10, session_id=f"S{n}", first=1000 * n, department_id=f"D{n}") for n in range(20)]
    before, after = was(found), under(found, DRAW, runs=50)
    assert before["first_second"] == 1.0
    assert after["first_second"] == pytest.approx(0.11, abs=0.02)  # 11 of 100 asked within the second
    assert [before["chance"], after["chance"]] == pytest.approx([0.1, 0.1])
    assert after["served"] == 200
    assert after["again"] == pytest.approx(20, abs=4)
    assert after["neither"] == 2000 - 200 - 200 + after["again"]
    assert (before["drawn"], after["drawn"]) == (0, 20)


def test_where_everybody_gets_one_nothing_changes():
    found = [rush(8, seats=10)]
    for policy in (FIRST_COME, DRAW, ReleasePolicy(kind="draw")):
        after = under(found, policy)
        assert (after["served"], after["again"], after["neither"], after["contested"]) == (8, 8, 0, 0)
        assert after["chance"] is None


def test_a_person_has_one_place_in_a_draw_and_the_best_that_is_left():
    alone = [someone(1, after_s=0, got=True)]
    both = [session(alone, seats=1, session_id="S1"), session(alone, seats=1, session_id="S2")]
    assert under(both, FIRST_COME)["served"] == 1
    assert was(both)["crowd"] == 0
    three = [someone(n, after_s=n) for n in range(3)]
    first, second = (session(three, seats=s, session_id=i) for s, i in ((1, "S1"), (2, "S2")))
    assert under([first, second], DRAW)["served"] == 3


def test_a_wish_beyond_those_that_a_draw_takes_is_no_wish():
    policy = release_from({"kind": "draw", "draw": {"wishes_max": 1}, "waitlist": {"open": False}})
    three = [someone(n, after_s=n) for n in range(3)]
    sessions = [session(three, seats=1, session_id="S1"), session(three, seats=2, session_id="S2")]
    # One wins S1 and nobody wished S2; its slots are then anybody's who has none.
    assert under(sessions, policy)["served"] == 3


def test_sessions_released_at_other_moments_are_drawn_apart():
    three = [someone(n, after_s=n) for n in range(3)]
    later = session(three, seats=3, session_id="S2", released_at_us=RELEASED + 1)
    result = simulate([session(three, seats=3), later], DRAW, seed=SEED)
    assert result.figure("served").under_policy == 3
    assert result.figure("first_second").under_policy == pytest.approx(2 / 3)


def test_accounts_that_ask_for_three_people_are_counted_apart():
    crowd = [someone(n, after_s=0, got=True, account="A-crowd") for n in range(3)]
    pair = [someone(n, after_s=1, got=n < 12, account="A-pair") for n in (10, 11)]
    windows = [someone(n, after_s=2, channel="window") for n in range(20, 45)]
    windows = [Asker(patient_id=w.patient_id, account_id=None, channel="window", asked_after_us=2) for w in windows]
    found = [session([*crowd, *pair, *windows], seats=5)]
    assert was(found)["crowd"] == 3
    assert under(found, DRAW, runs=200)["crowd"] == pytest.approx(3 * 5 / 30, abs=0.2)


def test_an_account_that_asks_for_three_people_in_three_sessions_is_such_an_account():
    found = [
        session([someone(n, after_s=0, got=True, account="A-crowd")], seats=1, session_id=f"S{n}") for n in range(3)
    ]
    assert was(found)["crowd"] == 3


def test_what_comes_back_goes_down_the_waitlist():
    gone = [someone(n, after_s=0, got=True, returned=STARTS - DAY_US) for n in range(4)]
    found = [session([*gone, *(someone(n, after_s=5) for n in range(10, 13))], seats=4)]
    with_waitlist = simulate(found, ReleasePolicy(), seed=SEED)
    assert with_waitlist.figure("returned").as_it_was == 4
    assert with_waitlist.figure("handed_on").under_policy == 3  # nobody waits for the fourth
    assert with_waitlist.figure("served").under_policy == 7
    without = under(found, FIRST_COME)
    assert (without["handed_on"], without["served"]) == (0, 7)


def test_what_comes_back_after_the_waitlist_closed_is_handed_to_nobody():
    gone = [someone(n, after_s=0, got=True, returned=STARTS - 1800 * SECOND_US) for n in range(4)]
    found = [session([*gone, someone(10, after_s=5)], seats=4)]
    assert under(found, ReleasePolicy())["handed_on"] == 0


def test_the_waitlist_is_in_drawn_order_and_not_in_order_of_asking():
    gone = [someone(0, after_s=0, got=True, returned=STARTS - DAY_US)]
    waiting = [someone(n, after_s=n, got=n == 1) for n in range(1, 11)]  # the fastest of them got it as it was
    found = [session([*gone, *waiting], seats=1)]
    assert under(found, FIRST_COME)["again"] == 2
    assert under(found, ReleasePolicy(), runs=200)["again"] == pytest.approx(1.1, abs=0.1)


def mixed(**parts):
    return release_from({"kind": "mixed", "mixed": {"parts": parts}, "waitlist": {"open": False}})


def test_a_part_serves_those_who_come_its_way():
    online = [someone(n, after_s=n / 100, got=n < 6) for n in range(20)]
    desk = [someone(n, after_s=600 + n, channel="window" if n % 2 else "kiosk") for n in range(30, 34)]
    call = [someone(40, after_s=900, channel="phone")]
    result = simulate([session([*online, *desk, *call], seats=6)], mixed(window=2, phone=2, referral=1), seed=SEED)
    assert [(use.part, use.seats, use.asked_for) for use in result.parts] == [
        ("public", 1, 1),
        ("window", 2, 2),
        ("phone", 2, 1),
        ("referral", 1, 0),
    ]
    # Two at the window, one by phone, and the three fastest take the public part with what was left over.
    assert result.figure("again").under_policy == 3
    assert result.figure("served").under_policy == 6
    assert result.figure("first_second").under_policy == pytest.approx(0.5)


def test_what_the_draw_leaves_over_is_everybodys():
    found = [rush(4, seats=10)]
    after = under(found, mixed(draw="80%", window="20%"))
    assert (after["served"], after["drawn"]) == (4, 1)


def test_half_by_draw_halves_what_speed_gains():
    found = [rush(1000, seats=10, session_id=f"S{n}", first=1000 * n, department_id=f"D{n}") for n in range(5)]
    assert under(found, mixed(draw="50%"))["first_second"] == pytest.approx(0.5, abs=0.03)


def test_sessions_too_small_for_their_parts_are_named_and_given_out_all_the_same():
    found = [rush(9, seats=3), rush(9, seats=30, first=100, session_id="S2")]
    after = under(found, mixed(draw=8, window=4))
    assert (after["too_small"], after["served"]) == (1, 12)


def test_a_session_that_was_drawn_has_no_first():
    askers = [someone(n, got=n < 5) for n in range(50)]
    found = [session(askers, seats=5)]
    before, after = was(found), under(found, FIRST_COME, runs=200)
    assert (before["drawn"], after["drawn"], before["first_second"]) == (1, 0, 0)
    assert after["again"] == pytest.approx(0.5, abs=0.2)  # not the five who won: nobody knows who would be first


def test_the_tightest_sessions_are_shown_first():
    found = [rush(10 + n, seats=5, session_id=f"S{n:03d}", first=100 * n) for n in range(CONTESTED_SHOWN + 5)]
    shown = simulate(found, DRAW, seed=SEED, runs=2).contested
    assert len(shown) == CONTESTED_SHOWN
    assert [one.session_id for one in shown[:2]] == ["S054", "S053"]
    assert (shown[0].seats, shown[0].asked, shown[0].got) == (5, 64, 5)
    assert shown[0].chance == pytest.approx(5 / 64)


def test_a_session_without_slots_and_a_time_without_sessions_have_figures_too():
    none = simulate([], DRAW, seed=SEED)
    assert (none.figure("sessions").as_it_was, none.figure("served").under_policy) == (0, 0)
    assert none.figure("first_second").under_policy is None
    closed = simulate([rush(3, seats=0)], mixed(draw=2), seed=SEED)
    assert (closed.figure("served").under_policy, closed.contested[0].chance) == (0, 0)


@pytest.mark.parametrize("runs", [0, 201, -1])
def test_the_runs_have_their_range(runs):
    with pytest.raises(InvalidInput) as caught:
        simulate([], DRAW, seed=SEED, runs=runs)
    assert caught.value.field == "runs"


def test_a_large_demand_is_given_out_fewer_times(monkeypatch):
    found = [rush(30, seats=5)]
    assert simulate(found, DRAW, seed=SEED, runs=20).runs == 20
    monkeypatch.setattr(dry_run, "MOST_REQUESTS", 30 * 7)
    assert simulate(found, DRAW, seed=SEED, runs=20).runs == 7
    assert simulate(found, DRAW, seed=SEED, runs=2).runs == 2
    monkeypatch.setattr(dry_run, "MOST_REQUESTS", 1)
    assert simulate(found, DRAW, seed=SEED, runs=20).runs == 3
    assert simulate(found, FIRST_COME, seed=SEED, runs=20).runs == 1


def test_every_figure_says_what_it_is_in_both_languages():
    figures = simulate([rush(3, seats=1)], DRAW, seed=SEED, runs=1).figures
    assert [f.code for f in figures] == list(FIGURES)
    for zh, en in [*((f.zh, f.en) for f in figures), *LIMITS, PART_USE, CONTESTED]:
        assert zh.endswith("\u3002")
        assert not set(zh) & set(",;:()")
        assert en.endswith(".")
        assert en.isascii()


POLICIES = st.sampled_from(
    [
        ReleasePolicy(),
        FIRST_COME,
        DRAW,
        ReleasePolicy(kind="draw"),
        mixed(draw="40%", window=1, phone="10%"),
        mixed(window=2, referral=1),
    ]
)


@st.composite
def demands(draw):
    """Some sessions of some departments, and who asked for them; more may have got one than there are slots."""
    made = []
    for n in range(draw(st.integers(1, 4))):
        who = draw(st.lists(st.integers(0, 15), unique=True, max_size=12))
        seats = draw(st.integers(0, 6))
        askers = []
        for place, person in enumerate(who):
            after_s = draw(st.none() | st.integers(0, 20))
            returned = draw(st.booleans()) and place < seats
            account = f"A{person // 3}"
            channel = draw(st.sampled_from(["app", "window", "phone", "platform:114"]))
            askers.append(
                someone(
                    person,
                    after_s=after_s,
                    got=place < seats,
                    account=account,
                    channel=channel,
                    returned=STARTS - DAY_US if returned else None,
                )
            )
        made.append(session(askers, seats=seats, session_id=f"S{n}", department_id=draw(st.sampled_from(["A", "B"]))))
    return made


@settings(max_examples=150)
@given(demands(), POLICIES, st.randoms(use_true_random=False))
def test_the_answer_does_not_hang_on_the_order_of_what_is_given(found, policy, rng):
    turned = [
        session(
            rng.sample(s.askers, len(s.askers)),
            seats=s.capacity,
            session_id=s.session_id,
            department_id=s.department_id,
        )
        for s in rng.sample(found, len(found))
    ]
    one, other = (simulate(d, policy, seed=SEED, runs=2) for d in (found, turned))
    assert one == other


@settings(max_examples=150)
@given(demands(), POLICIES)
def test_figures_add_up(found, policy):
    result = simulate(found, policy, seed=SEED, runs=3)
    figures = {f.code: f for f in result.figures}
    asked = figures["asked"].under_policy
    served, was_served = figures["served"].under_policy, figures["served"].as_it_was
    again, neither = figures["again"].under_policy, figures["neither"].under_policy
    assert served <= asked
    assert again <= min(served, was_served)
    assert neither == pytest.approx(asked - served - was_served + again)
    came_back = sum(a.returned_at_us is not None for s in found for a in s.askers)
    assert served <= figures["seats"].under_policy + came_back
    assert figures["handed_on"].under_policy <= came_back
    assert sum(use.seats for use in result.parts) == figures["seats"].under_policy
    for use in result.parts:
        assert 0 <= use.asked_for <= use.seats
    for one in result.contested:
        back = sum(a.returned_at_us is not None for s in found if s.session_id == one.session_id for a in s.askers)
        assert 0 <= one.chance * one.asked <= one.seats + back + 1e-9


# What is read from a database.


def released(db, session_id="S1", *, seats=2, **how):
    return add_session(db, session_id, seats=seats, release_at_us=RELEASED, **how)


def read(db, *, scope="everywhere", from_us=RELEASED - DAY_US, to_us=RELEASED + DAY_US, **how):
    with db.read() as connection:
        return demand(connection, scope=scope, from_us=from_us, to_us=to_us, **how)


def askers(found, session_id="S1"):
    (one,) = [s for s in found.sessions if s.session_id == session_id]
    return {a.patient_id: a for a in one.askers}


def test_whoever_booked_or_found_it_sold_out_asked(db):
    add_department(db)
    released(db)
    people = add_people(db, 4)
    for n, person in enumerate(people):
        book_now(db, ask(person, "S1"), now_us=RELEASED + n * SECOND_US)
        book_now(db, ask(person, "S1"), now_us=RELEASED + HOUR_US)
    found = read(db)
    (one,) = found.sessions
    assert (one.capacity, one.department_id, one.released_at_us) == (2, "OBS", RELEASED)
    assert (found.ruled, found.cut) == (1, False)
    assert askers(found) == {
        p.patient_id: Asker(
            patient_id=p.patient_id,
            account_id=p.account_id,
            channel="app",
            asked_after_us=n * SECOND_US,
            got=n < 2,
        )
        for n, p in enumerate(people)
    }


def test_who_is_refused_for_a_limit_or_too_early_did_not_ask(db):
    add_department(db)
    released(db, seats=1)
    released(db, "S2", half="pm")
    set_limits(db, live_per_department_day=1)
    early, first, limited = add_people(db, 3)
    with db.write() as connection:
        refused = Event(
            at_us=RELEASED - 1, kind="refused", channel="app", patient_id=early.patient_id, session_id="S1",
            detail={"code": "booking.sold_out"},
        )  # fmt: skip
        event_log.append(connection, [refused])
    assert code(*book_now(db, ask(first, "S1"))) == "done"
    assert code(*book_now(db, ask(first, "S2"))) == "booking.limit_reached"
    assert code(*book_now(db, ask(limited, "S2"))) == "done"
    found = read(db)
    assert set(askers(found)) == {first.patient_id}
    assert set(askers(found, "S2")) == {limited.patient_id}


def test_what_came_back_is_known_by_its_moment(db):
    add_department(db)
    released(db, seats=3)
    returned, unpaid, kept = add_people(db, 3)
    ids = [booked(db, person, "S1", now_us=RELEASED) for person in (returned, unpaid)]
    with db.write() as connection:
        caller = Caller(channel="app", account_id=returned.account_id)
        give_back(connection, booking_id=ids[0], caller=caller, now_us=RELEASED + minutes(5))
    assert expire_holds(db, now_us=RELEASED + minutes(20)) == 1
    booked(db, kept, "S1", now_us=RELEASED + minutes(30))
    found = askers(read(db))
    ends = {person: found[person.patient_id].returned_at_us for person in (returned, unpaid, kept)}
    assert ends == {returned: RELEASED + minutes(5), unpaid: RELEASED + minutes(20), kept: None}
    assert all(asker.got for asker in found.values())


def test_the_first_request_counts_with_its_account_and_channel(db):
    add_department(db)
    released(db)
    holder, other = add_people(db, 2)
    booked(db, holder, "S1", slot_id="S1-001", now_us=RELEASED)
    (answer,) = book_now(db, ask(other, "S1", slot_id="S1-001", channel="phone"), now_us=RELEASED + 5)
    assert code(answer) == "booking.slot_taken"
    booked(db, other, "S1", now_us=RELEASED + HOUR_US)
    found = askers(read(db))[other.patient_id]
    assert (found.channel, found.account_id, found.asked_after_us, found.got) == ("phone", None, 5, True)


def test_whoever_joined_the_waitlist_asked(db):
    add_department(db)
    released(db)
    (person,) = add_people(db, 1)
    joined = Event(
        at_us=RELEASED + 7, kind="waitlisted", channel="app", account_id=person.account_id,
        patient_id=person.patient_id, session_id="S1",
    )  # fmt: skip
    with db.write() as connection:
        event_log.append(connection, [joined])
    found = askers(read(db))[person.patient_id]
    assert (found.asked_after_us, found.got) == (7, False)


def test_an_offer_counts_when_it_is_taken(db):
    add_department(db)
    released(db, seats=3)
    offered, lapsed, accepted = add_people(db, 3)
    ids = {
        person: booked(db, person, "S1", now_us=RELEASED + n) for n, person in enumerate((offered, lapsed, accepted))
    }
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE bookings SET wait_id = 'w'")
        connection.exec_driver_sql(f"UPDATE bookings SET state = 'offered' WHERE id = '{ids[offered]}'")
        connection.exec_driver_sql("UPDATE slots SET state = 'free', booking_id = NULL WHERE number = 2")
        connection.exec_driver_sql(
            f"UPDATE bookings SET state = 'expired', live = false, ended_at_us = {RELEASED} WHERE id = '{ids[lapsed]}'"
        )
    found = askers(read(db))
    assert [found[p.patient_id].got for p in (offered, lapsed, accepted)] == [False, False, True]
    assert {a.returned_at_us for a in found.values()} == {None}


def enter(db, draw_id, entries, *, kind="release"):
    """A draw with entries: (id, people, wishes, state)."""
    seats = sorted({wish for _, _, wishes, _ in entries for wish in wishes})
    put(
        db,
        draws,
        {
            "id": draw_id, "kind": kind, "department_id": "OBS", "scope": "release:everywhere", "policy_version": 1,
            "policy": "{}", "state": "made", "opens_at_us": RELEASED - 120, "closes_at_us": RELEASED, "salt": "00",
            "hot": False,
        },
    )  # fmt: skip
    put(db, draw_targets, *({"draw_id": draw_id, "session_id": session_id, "seats": 1} for session_id in seats))
    quoted = lambda names: "[" + ",".join(f'"{name}"' for name in names) + "]"  # noqa: E731 - as JSON
    put(
        db,
        draw_entries,
        *(
            {
                "id": entry_id, "draw_id": draw_id, "account_id": f"A-{entry_id}", "channel": "wechat",
                "people": quoted(people), "wishes": quoted(wishes), "state": state, "entered_at_us": RELEASED - 60,
            }
            for entry_id, people, wishes, state in entries
        ),
    )  # fmt: skip
    members = [(entry_id, person) for entry_id, people, _, _ in entries for person in people]
    put(db, draw_members, *({"draw_id": draw_id, "patient_id": p, "entry_id": e} for e, p in members))


def test_whoever_stood_in_the_draw_asked_and_no_moment_counts(db):
    add_department(db)
    released(db, "S_1")
    released(db, "Sx1", half="pm")
    (late,) = add_people(db, 1)
    book_now(db, ask(late, "S_1"), now_us=RELEASED + HOUR_US)
    entries = [
        ("e1", ["P1", "P2"], ["Sx1", "S_1"], "won"),
        ("e2", ["P3"], ["Sx1"], "lost"),
        ("e3", ["P4"], ["S_1"], "withdrawn"),
        ("e4", [late.patient_id], ["S_1"], "lost"),
    ]
    enter(db, "dw1", entries)
    enter(db, "dw2", [("e9", ["P9"], ["S_1"], "lost")], kind="waitlist")
    first, second = askers(read(db), "S_1"), askers(read(db), "Sx1")
    assert {p: (a.asked_after_us, a.wish, a.got) for p, a in first.items()} == {
        "P1": (None, 1, False),
        "P2": (None, 1, False),
        late.patient_id: (None, 0, True),
    }
    assert {p: (a.wish, a.account_id, a.channel) for p, a in second.items()} == {
        "P1": (0, "A-e1", "wechat"),
        "P2": (0, "A-e1", "wechat"),
        "P3": (0, "A-e2", "wechat"),
    }


def test_an_extra_slot_is_no_demand_and_a_missed_one_no_loss(db):
    add_department(db)
    released(db, seats=3)
    absent, extra = add_people(db, 2)
    booked(db, absent, "S1", now_us=RELEASED)
    booked(db, extra, "S1", now_us=RELEASED)
    with db.write() as connection:
        connection.exec_driver_sql("UPDATE bookings SET state = 'no_show', live = false, ended_at_us = 5")
        connection.exec_driver_sql("UPDATE slots SET state = 'withdrawn', booking_id = NULL WHERE state = 'taken'")
        connection.exec_driver_sql("UPDATE slots SET extra = true WHERE number = 2")
        connection.exec_driver_sql("UPDATE slots SET state = 'withdrawn' WHERE number = 3")
    found = read(db)
    assert found.sessions[0].capacity == 1  # one was missed, one is extra, one was never given out here
    assert set(askers(found)) == {absent.patient_id}


def a_hospital(db):
    """Two departments, two doctors in the first; one session each, and one without a doctor."""
    add_department(db, "OBS", doctor_ids=["D1", "D2"])
    add_department(db, "PED", doctor_ids=["D3"])
    for n, (department_id, doctor_id) in enumerate([("OBS", "D1"), ("OBS", "D2"), ("PED", "D3"), ("OBS", None)]):
        released(db, f"S{n + 1}", department_id=department_id, doctor_id=doctor_id)


def ids_of(found):
    return [s.session_id for s in found.sessions]


def test_a_scope_has_the_sessions_that_it_names(db):
    a_hospital(db)
    assert ids_of(read(db)) == ["S1", "S2", "S3", "S4"]
    assert ids_of(read(db, scope="kind:expert")) == ["S1", "S2", "S3", "S4"]
    assert ids_of(read(db, scope="kind:general")) == []
    assert ids_of(read(db, scope="department:OBS")) == ["S1", "S2", "S4"]
    assert ids_of(read(db, scope="doctor:D2")) == ["S2"]


def test_what_a_narrower_policy_rules_is_left_out(db):
    a_hospital(db)
    with db.write() as connection:
        for kind in ("release:doctor:D1", "release:department:PED"):
            policies.add(connection, kind, {}, effective_at_us=RELEASED, staff_id="st", reason="test", now_us=RELEASED)
    assert ids_of(read(db)) == ["S2", "S4"]
    assert ids_of(read(db, scope="kind:expert")) == ["S2", "S4"]
    assert ids_of(read(db, scope="department:OBS")) == ["S2", "S4"]
    assert ids_of(read(db, scope="department:PED")) == ["S3"]
    assert ids_of(read(db, scope="doctor:D1")) == ["S1"]


def test_a_time_has_its_first_moment_and_not_its_last(db):
    add_department(db)
    for n in range(3):
        add_session(db, f"S{n}", release_at_us=RELEASED + n)
    add_session(db, "S9", release_at_us=RELEASED + 1, state="planned")
    assert ids_of(read(db, from_us=RELEASED, to_us=RELEASED + 2)) == ["S0", "S1"]


def test_too_many_sessions_are_cut_and_said_to_be(db):
    add_department(db)
    for n in range(4):
        add_session(db, f"S{n}", release_at_us=RELEASED + n)
    found = read(db, limit=3)
    assert (ids_of(found), found.ruled, found.cut) == (["S1", "S2", "S3"], 4, True)


def test_too_many_requests_cut_whole_sessions_and_are_said_to(db):
    add_department(db)
    for n in range(3):
        released(db, f"S{n}", seats=4)
    for person, session_id in itertools.product(add_people(db, 4), ("S0", "S1", "S2")):
        booked(db, person, session_id)
        set_limits(db, live_per_department_day=9, live_per_day=9, live_per_week=9)
    found = read(db, most=9)
    assert (ids_of(found), found.cut) == (["S0", "S1"], True)
    assert all(len(s.askers) == 4 for s in found.sessions)
    assert read(db, most=12).cut is False
    assert ids_of(read(db, most=3)) == []


@pytest.mark.parametrize(
    ("how", "field"), [({"scope": "session:S1"}, "scope"), ({"limit": 0}, "limit"), ({"limit": 2001}, "limit")]
)
def test_a_scope_and_a_limit_are_checked(sqlite_db, how, field):
    with pytest.raises(InvalidInput) as caught:
        read(sqlite_db, **how)
    assert caught.value.field == field


def test_a_rush_that_was_read_gives_the_same_rush_again(db):
    add_department(db)
    released(db, seats=3)
    for n, person in enumerate(add_people(db, 9)):
        book_now(db, ask(person, "S1"), now_us=RELEASED + n * SECOND_US // 2)
    result = simulate(read(db).sessions, FIRST_COME, seed=SEED)
    assert result.figure("again").under_policy == 3
    assert result.figure("first_second").as_it_was == result.figure("first_second").under_policy == 1.0
    drawn = simulate(read(db).sessions, DRAW, seed=SEED, runs=200)
    assert drawn.figure("chance").under_policy == pytest.approx(1 / 3)
    assert drawn.figure("first_second").under_policy == pytest.approx(1 / 3, abs=0.1)
