"""Antenatal months: published, closed and over; what stays unfilled moves on, and nothing is given twice or lost."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial

import pytest
from sqlalchemy import text

from flows.registering import (
    ALL_GREEN,
    OPENS_US,
    STAFF,
    VAULT,
    act,
    conserved,
    drawn,
    due,
    entered,
    in_state,
    moved,
    of,
    offered,
    places,
    start,
    states,
    tick,
)
from hospital import add_people, add_person, assert_sound, dump, rows
from shouhao.booking.antenatal import (
    CONSENT_VERSION,
    AlreadyRegistered,
    AntenatalClosed,
    WindowOpen,
)
from shouhao.booking.antenatal_tables import (
    antenatal_applications,
    antenatal_months,
    antenatal_offers,
)
from shouhao.booking.release.antenatal import TIERS
from shouhao.booking.store import antenatal as store
from shouhao.booking.store.antenatal import INVARIANTS
from shouhao.flows.antenatal import add_policy, apply, assess, confirm_papers, correct_due_day, withdraw
from shouhao.flows.antenatal_months import antenatal_due, planned_months
from shouhao.flows.antenatal_referral import (
    consent,
)
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.store import event_log
from shouhao.store.invariants import check

# Months that close


def test_what_stays_unfilled_at_the_close_is_carried_to_the_next_month_in_its_tier(db):
    people = add_people(db, 4)
    start(db, places={"2027-06": 4, "2027-07": 2}, tiers={"green": 50, "red": 50})
    drawn(db, people[:1])
    later = start_of_day_us(date(2026, 12, 1)) + 8 * HOUR_US
    tick(db, later)
    for person in people[1:]:
        entered(db, person, now_us=later, day=date(2027, 7, 20))
    tick(db, later + 3 * DAY_US)
    assert states(db, "2027-07") == {"granted": 1, "waiting": 2}
    closes_us = start_of_day_us(date(2027, 3, 1))
    tick(db, closes_us)
    june, july = places(db, "2027-06"), places(db, "2027-07")
    assert {tier: one.carried_out for tier, one in june.items()} == {"green": 2, "red": 2}
    assert {tier: one.carried_in for tier, one in july.items()} == {"green": 2, "red": 2}
    assert "waiting" not in states(db, "2027-07")


def test_a_place_that_falls_free_after_the_close_serves_its_month_first_and_is_carried_on_then(db):
    people = add_people(db, 2)
    start(db, places={"2027-06": 1})
    now_us = drawn(db, people)
    (holder,) = in_state(db, people, "granted")
    act(db, confirm_papers, application_id=of(db, holder).id, reason="材料齐全", caller=STAFF, now_us=now_us)
    closed_us = start_of_day_us(date(2027, 3, 1))
    tick(db, closed_us)
    (following,) = in_state(db, people, "waiting")
    act(db, withdraw, application_id=of(db, holder).id, caller=STAFF, reason="不再需要", now_us=closed_us)
    assert of(db, following).state == "granted"
    act(db, withdraw, application_id=of(db, following).id, caller=STAFF, reason="不再需要", now_us=closed_us)
    assert places(db, "2027-06")["green"].carried_out == 1
    assert places(db, "2027-07")["green"].carried_in == 1
    with pytest.raises(AntenatalClosed):
        entered(db, add_person(db), now_us=closed_us, day=date(2027, 6, 30))
    assert_sound(db)


def test_a_new_year_takes_over_no_more_than_its_capacity_leaves(db):
    tiers = {"green": 100}
    body = {"months": {"2027-12": 5, "2028-01": 3}, "yearly": 5}
    opens = start_of_day_us(date(2027, 5, 1)) + 8 * HOUR_US
    with db.write() as connection:
        add_policy(
            connection,
            {"places": body, "tiers": tiers},
            effective_at_us=0,
            reason="测试策略",
            staff_id="st",
            now_us=opens,
        )
    for at in (opens, opens + 3 * DAY_US, start_of_day_us(date(2027, 9, 1))):
        tick(db, at)
    december = places(db, "2027-12")["green"]
    assert (december.carried_out, december.dropped) == (2, 3)
    assert places(db, "2028-01")["green"].carried_in == 2


def test_when_the_births_are_over_nobody_waits_and_a_woman_may_register_again(db):
    people = add_people(db, 3)
    start(db, places=1)
    now_us = drawn(db, people)
    for person in in_state(db, people, "granted"):
        act(db, confirm_papers, application_id=of(db, person).id, reason="材料齐全", caller=STAFF, now_us=now_us)
    tick(db, start_of_day_us(date(2027, 8, 12)) - 1)
    tick(db, start_of_day_us(date(2027, 8, 12)))
    assert states(db) == {"ended": 3}
    assert {row["ended_at_us"] > 0 for row in rows(db, antenatal_applications)} == {True}
    with db.read() as connection:
        assert [store.live_application(connection, person.patient_id) for person in people] == [None] * 3


def test_the_dry_run_shows_what_each_month_can_give_after_carrying(db):
    start(db, places={"2027-06": 4, "2027-07": 2})
    drawn(db, [])
    tick(db, start_of_day_us(date(2027, 3, 1)))
    with db.read() as connection:
        policy, _ = store.policy_in_force(connection, now_us=OPENS_US)
        shown = {m.month: m for m in planned_months(connection, policy, now_us=start_of_day_us(date(2027, 3, 1)))}
    assert (shown["2027-06"].state, shown["2027-06"].places) == ("closed", 0)
    assert (shown["2027-07"].own, shown["2027-07"].places) == ({"green": 2}, 6)


# The policy


def test_a_policy_cannot_change_a_month_while_its_window_is_open(db):
    start(db, places=4)
    before = dump(db)
    body = {"places": {"months": {"2027-06": 9}, "yearly": 99}, "tiers": ALL_GREEN}
    with pytest.raises(WindowOpen), db.write() as connection:
        add_policy(connection, body, effective_at_us=0, reason="改名额", staff_id="st", now_us=OPENS_US)
    assert dump(db) == before
    other = {"places": {"months": {"2027-06": 4, "2027-07": 9}, "yearly": 99}, "tiers": ALL_GREEN}
    with db.write() as connection:
        assert add_policy(connection, other, effective_at_us=0, reason="下月", staff_id="st", now_us=OPENS_US) == 2


def test_a_published_month_keeps_the_policy_it_was_published_with(db):
    start(db, places=4)
    now_us = drawn(db, [])
    with db.write() as connection:
        add_policy(
            connection,
            {"places": {"default": 1, "yearly": 12}, "confirm_days": 1},
            effective_at_us=0,
            reason="新策略",
            staff_id="st",
            now_us=now_us,
        )
    after = entered(db, add_person(db), now_us=now_us)
    assert after.confirm_by_us == now_us + 14 * DAY_US
    assert places(db)["green"].own == 4


# Whatever happens


@pytest.mark.parametrize("seed", range(4))
def test_no_year_gives_a_place_twice_or_loses_one(db, seed):
    chance = random.Random(seed)  # noqa: S311 - a play, not a secret
    people = add_people(db, 30)
    shares = {"green": 50, "yellow": 20, "orange": 10, "red": 10, "purple": 10}
    lending = [
        {"from": "red", "to": ["orange", "yellow"], "days_before_close": 14},
        {"from": "yellow", "to": ["green"], "days_before_close": 30},
    ]
    start(
        db,
        places={"2027-05": 3, "2027-06": 5, "2027-07": 3},
        tiers=shares,
        lending=lending,
        now_us=OPENS_US,
    )
    now_us = OPENS_US

    def step():
        person = chance.choice(people)
        days = chance.choice(["2027-05-20", "2027-06-10", "2027-07-01"])
        stated = due(date.fromisoformat(days))
        live = [row["id"] for row in rows(db, antenatal_applications) if not row["ended_at_us"]]
        which = chance.choice(live) if live else ""
        reason = {"reason": "随机一步", "caller": STAFF, "now_us": now_us}
        kind = chance.choice(["apply"] * 5 + ["tier"] * 2 + ["papers", "papers", "leave", "due", "offer", "agree"])
        if kind == "apply":
            act(db, apply, vault=VAULT, patient_id=person.patient_id, stated=stated, caller=STAFF, now_us=now_us)
        elif kind == "tier":
            act(db, assess, application_id=which, tier=chance.choice(TIERS), **reason)
        elif kind == "papers":
            act(db, confirm_papers, application_id=which, **reason)
        elif kind == "leave":
            act(db, withdraw, application_id=which, **reason)
        elif kind == "due":
            act(db, correct_due_day, vault=VAULT, application_id=which, stated=stated, **reason)
        elif kind == "offer":
            offered(db, now_us=now_us, tier=chance.choice(TIERS), month=days[:7])
        else:
            offer = chance.choice(rows(db, antenatal_offers) or [{"id": "none"}])
            act(
                db,
                consent,
                application_id=which,
                offer_id=offer["id"],
                text_version=CONSENT_VERSION,
                caller=STAFF,
                now_us=now_us,
            )

    for _ in range(80):
        with suppress(Refused, Unavailable):
            step()
        if chance.random() < 0.2:
            now_us += round(chance.choice([0.2, 1, 5, 20]) * DAY_US)
            antenatal_due(db, VAULT, now_us=now_us)
        assert_sound(db)
        conserved(db)
    happened = Counter(row["kind"] for row in rows(db, event_log.events))
    assert min(happened[f"antenatal_{kind}"] for kind in ("granted", "assessed", "withdrawn", "corrected")) > 0
    tick(db, start_of_day_us(date(2027, 12, 1)))
    assert not {"entered", "waiting", "granted"} & set(states(db))


def test_a_tampered_draw_does_not_keep_other_months_from_moving(sqlite_db):
    db = sqlite_db
    start(db, places={"2027-05": 1, "2027-06": 1})
    with db.write() as connection:
        store.change_month(connection, "2027-05", commitment="00" * 32)
    antenatal_due(db, VAULT, now_us=OPENS_US + 3 * DAY_US)
    assert {row["month"]: row["state"] for row in rows(db, antenatal_months) if row["month"] >= "2027-05"} == {
        "2027-05": "open",
        "2027-06": "drawn",
    }


def at_once(acts):
    """Run all at the same moment, each on a thread of its own; what each gave or raised."""
    barrier = threading.Barrier(len(acts))

    def run(one):
        barrier.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        running = [pool.submit(run, one) for one in acts]
        return [one.exception() or one.result() for one in running]


def test_two_workers_and_people_at_the_same_moment_give_no_place_twice(db):
    people = add_people(db, 14)
    start(db, places={"2027-06": 4, "2027-07": 2})
    for person in people[:8]:
        entered(db, person)
    now_us = OPENS_US + 3 * DAY_US
    tried = at_once([partial(antenatal_due, db, VAULT, now_us=now_us)] * 3)
    assert all(isinstance(one, int) for one in tried), tried
    assert sum(tried) == len(rows(db, antenatal_months))
    holders = in_state(db, people[:8], "granted")
    said = at_once(
        [
            *(partial(entered, db, person, now_us=now_us) for person in people[8:]),
            *(
                partial(act, db, withdraw, application_id=of(db, p).id, caller=STAFF, reason="不再需要", now_us=now_us)
                for p in holders[:2]
            ),
            *(partial(moved, db, p, "red", now_us) for p in holders[2:]),
        ]
    )
    assert [one for one in said if isinstance(one, Exception)] == []
    assert states(db) == {"granted": 4, "waiting": 8, "withdrawn": 2}
    assert_sound(db)


def test_a_woman_who_applies_twice_at_once_is_registered_once(db):
    person = add_people(db, 1)[0]
    start(db, places={"2027-05": 1, "2027-06": 1})
    said = at_once([partial(entered, db, person, day=date(2027, month, 20)) for month in (5, 6, 5, 6)])
    assert sum(isinstance(one, AlreadyRegistered) for one in said) == 3
    assert len(rows(db, antenatal_applications)) == 1


BROKEN = {
    "antenatal_places_hold": "UPDATE antenatal_places SET own = 0 WHERE month = '2027-06'",
    "antenatal_no_place_stays_empty": "UPDATE antenatal_places SET own = own + 1 WHERE month = '2027-06'",
    "antenatal_carried_is_conserved": "UPDATE antenatal_places SET carried_in = carried_in + 1 WHERE month = '2027-05'",
    "antenatal_one_live_registration": "UPDATE antenatal_applications SET patient_id = 'one'",
    "antenatal_was_recorded": "DELETE FROM events WHERE kind = 'antenatal_applied'",
    "antenatal_offer_counts_its_referrals": "UPDATE antenatal_offers SET taken = 1",
    "antenatal_referral_and_application_agree": "UPDATE antenatal_applications SET state = 'referred'"
    " WHERE state = 'waiting'",
}


@pytest.mark.parametrize("code", BROKEN)
def test_what_breaks_an_invariant_is_found(db, code):
    start(db, places={"2027-05": 1, "2027-06": 1})
    offered(db, now_us=drawn(db, add_people(db, 2)))
    assert_sound(db)
    with db.write() as connection:
        connection.execute(text("DROP INDEX uq_antenatal_applications_live"))  # the database itself forbids that one
        connection.execute(text(BROKEN[code]))
    with db.read() as connection:
        assert code in {violation.code for violation in check(connection, INVARIANTS)}


def test_every_invariant_of_this_part_can_break():
    assert {invariant.code for invariant in INVARIANTS} == set(BROKEN)
