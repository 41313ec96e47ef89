"""Hand-over: what looks like it and is not, and what hides and is."""

from dataclasses import replace

import pytest

from detect.bookings import all_of, event, handed_over, slot_of
from detect.detector_checks import suspicions, told
from detect.examples.hand_over import SOLD_US, agreed, gone_round, newcomers, passed_on, prepared, sales
from detect.people import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Rows, honest_week
from detect.tables import rows_of, tables
from shouhao.detect.counted.retakes import Retake, StrangerPolicy, judged, snatchers
from shouhao.detect.counted.returned_slots import retakes
from shouhao.detect.model import Subject
from shouhao.detect.rules.hand_over import HandOver


def account(name):
    return Subject(kind="account", id=name)


def said_of(rows):
    """Codes by account, with ordinary people around."""
    over = tables(events=honest_week().plus(rows).events)
    found = {}
    for one in suspicions(told(HandOver(), over)):
        found.setdefault(one.subject.id, set()).add(one.code)
    return found


def retakes_in(rows):
    return [(row["seller_account"], row["taker_account"]) for row in rows_of(retakes(tables(events=rows.events)))]


def waitlisted(count, *, gap_us=200_000, offered=True):
    """Slots that a waitlist hands on in the same second."""
    rows = Rows()
    for n in range(count):
        slot, at_us = slot_of("dr20", 0, 40 + n), SOLD_US + n * 20 * MINUTE_US
        buyer = (f"waiter{n}", f"waiter-p{n}")
        rows = rows.plus(handed_over(slot, ("giver", f"giver-p{n}"), buyer, at_us=at_us, gap_us=gap_us))
        if offered:
            rows.events.append(event("offered", at_us + 1_000, slot, *buyer))
    return rows


def test_a_waitlist_that_hands_on_in_the_same_second_is_no_hand_over():
    assert "giver" in said_of(waitlisted(5, offered=False))
    assert not said_of(waitlisted(5))
    assert not retakes_in(waitlisted(5))


def test_an_offer_that_names_the_session_alone_explains_as_well():
    rows = waitlisted(4, offered=False)
    for n in range(4):
        offer = event("offered", SOLD_US + n * 20 * MINUTE_US, slot_of("dr20", 0, 0), f"waiter{n}", f"waiter-p{n}")
        rows.events.append({**offer, "slot_id": None})
    assert not retakes_in(rows)


def test_an_offer_to_somebody_else_explains_nothing():
    rows = waitlisted(4, offered=False)
    offer = event("offered", SOLD_US, slot_of("dr20", 0, 0), "stranger", "stranger-p")
    rows.events.append({**offer, "slot_id": None})
    assert len(retakes_in(rows)) == 4


@pytest.mark.parametrize("channel", ["window", "phone", "kiosk"])
def test_what_a_person_books_at_the_house_is_no_hand_over(channel):
    rows = sales(5)
    for row in rows.events:
        if row["kind"] == "booked" and row["account_id"] != "seller":
            row["channel"] = channel
    assert not retakes_in(rows)


def test_a_slot_from_a_kept_pool_is_no_hand_over():
    rows = sales(3)
    for row in rows.events:
        if row["kind"] == "booked" and row["account_id"] != "seller":
            row["detail"] = '{"pool":"care"}'
    assert not retakes_in(rows)


def test_whoever_takes_the_own_slot_back_has_changed_their_mind():
    rows = all_of(
        handed_over(slot_of("dr20", 0, 40 + n), ("a", "p"), ("a", "p"), at_us=SOLD_US + n * HOUR_US, gap_us=900_000)
        for n in range(5)
    )
    assert not retakes_in(rows)


def test_two_parents_who_pass_one_childs_slot_between_their_accounts_are_no_hand_over():
    rows = all_of(
        handed_over(slot_of("dr20", 0, 40 + n), ("ma", "kid"), ("pa", "kid"), at_us=SOLD_US + n * HOUR_US, gap_us=9_000)
        for n in range(5)
    )
    assert not retakes_in(rows)


def test_a_couple_that_swaps_twice_is_not_accused():
    rows = all_of(
        handed_over(
            slot_of("dr20", 0, 40 + n),
            ("wife", "wife-p"),
            ("husband", "husband-p"),
            at_us=SOLD_US + n * DAY_US,
            gap_us=20 * MINUTE_US,
        )
        for n in range(2)
    )
    for row in rows.events:
        row["device_id"] = "their-phone"
    assert not said_of(rows)


def test_the_gap_is_counted_from_the_moment_a_resting_slot_opens_to_all():
    rows = handed_over(slot_of("dr20", 0, 40), ("a", "p"), ("b", "q"), at_us=SOLD_US, gap_us=HOUR_US)
    opened = event("slot_moved", SOLD_US + HOUR_US - SECOND_US, slot_of("dr20", 0, 40), "", "")
    rows.events.append({**opened, "account_id": None, "detail": '{"way":"public","why":"rested"}'})
    (row,) = rows_of(retakes(tables(events=rows.events)))
    assert row["gap_us"] == SECOND_US


def test_an_expired_hold_is_given_back_by_whoever_held_it():
    rows = handed_over(slot_of("dr20", 0, 40), ("a", "p"), ("b", "q"), at_us=SOLD_US, gap_us=SECOND_US)
    rows.events[1] |= {"kind": "expired", "account_id": None, "patient_id": None, "device_id": None}
    assert retakes_in(rows) == [("a", "b")]


def test_return_and_booking_in_the_same_microsecond_are_still_in_order():
    rows = handed_over(slot_of("dr20", 0, 40), ("a", "p"), ("b", "q"), at_us=SOLD_US, gap_us=0)
    rows.events.reverse()
    assert retakes_in(rows) == [("a", "b")]


def test_a_delay_does_not_hide_that_all_takers_share_the_sellers_phone():
    rows = all_of(
        handed_over(
            slot_of("dr20", 0, 40 + n),
            ("slow", f"slow-p{n}"),
            (f"slow-buyer{n}", f"slow-q{n}"),
            at_us=SOLD_US + 7 * MINUTE_US + n * 3 * HOUR_US,
            gap_us=30 * MINUTE_US + n * 11 * MINUTE_US,
        )
        for n in range(5)
    )
    for row in rows.events:
        row["device_id"] = "one-phone"
    assert said_of(rows).get("slow") == {"hand_over.related"}


def test_a_buyer_is_not_the_seller():
    found = said_of(sales(5).plus(passed_on(5)))
    assert set(found) == {"seller", "left", "right"}


def test_strangers_who_are_all_fast_accuse_nobody():
    """Where everybody polls, a second is nothing."""
    rows = all_of(
        handed_over(
            slot_of(f"dr{n % 24:02}", n % 5, 100 + n),
            (f"giver{n}", f"giver-p{n}"),
            (f"fast{n}", f"fast-p{n}"),
            at_us=SOLD_US + n * MINUTE_US,
            gap_us=300_000 + n * 7_000,
        )
        for n in range(200)
    )
    busy = all_of(
        handed_over(
            slot_of("dr23", 4, 400 + n),
            ("often", f"often-p{n}"),
            (f"x{n}", f"xp{n}"),
            at_us=SOLD_US + n,
            gap_us=900_000,
        )
        for n in range(4)
    )
    assert "often" not in said_of(rows.plus(busy))


def test_a_ring_is_judged_as_a_whole():
    """Three members who gave back two slots each, to the others: nothing to say of one, much of all."""
    rows = Rows()
    for n in range(6):
        giver, taker = f"ring{n % 3}", f"ring{(n + 1) % 3}"
        slot, at_us = slot_of("dr20", 0, 40 + n), SOLD_US + n * HOUR_US
        gap_us = 5 * MINUTE_US
        rows = rows.plus(handed_over(slot, (giver, f"p{n}"), (taker, f"q{n}"), at_us=at_us, gap_us=gap_us))
    detector, over = HandOver(), tables(events=honest_week().plus(rows).events)
    counted = {name: table.to_pyarrow() for name, table in detector.count(over).items()}
    assert not suspicions(detector.judge(counted))
    ring_of = {account(f"ring{n}"): "the-ring" for n in range(3)}
    codes = {one.code for one in detector.judge_rings(counted, ring_of)}
    assert "hand_over.inside" in codes


def retake(n, *, gap_us, seller=None, taker=None, tries=0):
    return Retake(
        slot_id=f"s{n}",
        session_id="s",
        seller=account(seller or f"seller{n}"),
        taker=account(taker or f"taker{n}"),
        seller_patient=None,
        taker_patient=None,
        returned_at_us=0,
        taken_at_us=n,
        gap_us=gap_us,
        released_at_us=None,
        event_ids=(f"r{n}", f"t{n}"),
        tries_half_hour=tries,
    )


def test_a_pair_is_left_out_of_the_strangers_it_is_held_against():
    policy = StrangerPolicy()
    others = [retake(n, gap_us=60 * SECOND_US) for n in range(40)]
    (own, *_) = judged([retake(99, gap_us=SECOND_US), *others], looks_per_booking=0, policy=policy)
    assert own.p == pytest.approx(1 / 41)


def test_too_few_strangers_say_nothing():
    few = [retake(n, gap_us=SECOND_US) for n in range(20)]
    assert not judged(few, looks_per_booking=0, policy=StrangerPolicy())


def test_where_looks_are_recorded_the_chance_is_that_of_somebody_passing_by():
    """One look a minute: somebody comes within a second once in sixty times, at the rate that is known."""
    crowd = [retake(n, gap_us=(n + 1) * 2 * SECOND_US, tries=29) for n in range(60)]
    (fast, *_) = judged([retake(99, gap_us=SECOND_US, tries=29), *crowd], looks_per_booking=5, policy=StrangerPolicy())
    assert fast.p == pytest.approx(1 / 60, rel=0.05)


def test_that_nobody_looked_means_few_and_not_that_nothing_is_known():
    crowd = [retake(n, gap_us=(n + 1) * 2 * SECOND_US, tries=29) for n in range(60)]
    (fast, *_) = judged([retake(99, gap_us=2 * SECOND_US), *crowd], looks_per_booking=5, policy=StrangerPolicy())
    assert fast.p == pytest.approx(2 / (30 * 60), rel=0.05)


def test_where_many_come_in_one_minute_a_short_gap_is_nothing():
    """The hospital has told everybody who waits; in the half hour around there were no others."""
    crowd = [retake(n, gap_us=(n + 1) * 2 * SECOND_US, tries=29) for n in range(60)]
    told_all = replace(retake(99, gap_us=2 * SECOND_US, tries=40), tries_minute=40)
    (fast, *_) = judged([told_all, *crowd], looks_per_booking=5, policy=StrangerPolicy())
    assert fast.p > 0.5


def test_where_slots_rest_before_they_are_shown_looks_say_nothing():
    """Strangers are held against each other then: an hour or more, whoever looks meanwhile, but for one."""
    crowd = [retake(n, gap_us=(60 + n) * MINUTE_US, tries=29) for n in range(60)]
    (fast, *_) = judged([retake(99, gap_us=MINUTE_US, tries=29), *crowd], looks_per_booking=5, policy=StrangerPolicy())
    assert fast.p == pytest.approx(1 / 61)


def test_looks_that_explain_nobody_are_not_believed():
    """Strangers who are all faster than the recorded looks allow: then looks go unrecorded."""
    crowd = [retake(n, gap_us=1_000 + n, tries=5) for n in range(60)]
    (fast, *_) = judged([retake(99, gap_us=1_030, tries=5), *crowd], looks_per_booking=5, policy=StrangerPolicy())
    assert fast.p > 0.4


def test_few_comparable_ones_say_how_many_are_short_and_all_how_short():
    """Of forty here nine are short and none as short as this; of all hundred and forty eighteen are short."""
    here = [replace(retake(n, gap_us=(n + 1) * MINUTE_US), hot_bucket=2) for n in range(40)]
    elsewhere = [retake(100 + n, gap_us=(n + 1) * MINUTE_US) for n in range(100)]
    one = replace(retake(999, gap_us=SECOND_US), hot_bucket=2)
    (own, *_) = judged([one, *here, *elsewhere], looks_per_booking=0, policy=StrangerPolicy())
    assert own.p == pytest.approx(10 / 41 / 19)


def test_who_hands_over_does_not_set_the_measure_for_strangers():
    others = [retake(n, gap_us=(n + 1) * MINUTE_US) for n in range(120)]
    gang = [retake(500 + n, gap_us=SECOND_US, seller=f"gang{n // 2}") for n in range(8)]
    by_clock = [replace(retake(600 + n, gap_us=SECOND_US), on_time=True) for n in range(8)]
    found = judged([*gang, *by_clock, *others], looks_per_booking=0, policy=StrangerPolicy())
    assert max(one.p for one in found[:16]) == pytest.approx(1 / 121)


def test_the_takers_own_looks_are_no_demand():
    slot = slot_of("dr20", 0, 40)
    rows = handed_over(slot, ("a", "p"), ("b", "q"), at_us=SOLD_US, gap_us=SECOND_US)
    rows.events += [event("viewed", SOLD_US - n * SECOND_US, slot, "b", "q") for n in range(20)]
    rows.events += [event("viewed", SOLD_US - n * SECOND_US, slot, "c", "r") for n in range(3)]
    rows.events.append(event("viewed", SOLD_US, {**slot, "account_id": None}, "", ""))
    (row,) = rows_of(retakes(tables(events=rows.events)))
    assert (row["tries_half_hour"], row["tries_minute"]) == (2, 2)


@pytest.mark.parametrize(
    ("at_us", "kind", "on_time"),
    [
        (SOLD_US + 5 * SECOND_US, "cancelled", True),
        (SOLD_US + 30 * MINUTE_US, "cancelled", True),
        (SOLD_US + 7 * MINUTE_US, "cancelled", False),
        (SOLD_US - SECOND_US, "cancelled", False),
        (SOLD_US, "expired", None),
        (SOLD_US - 3 * HOUR_US + 5 * SECOND_US, "cancelled", None),  # a release, when everybody is about
    ],
)
def test_a_slot_is_given_back_by_the_clock_at_a_full_or_half_hour(at_us, kind, on_time):
    rows = handed_over(slot_of("dr20", 0, 40), ("a", "p"), ("b", "q"), at_us=at_us, gap_us=SECOND_US)
    rows.events[1]["kind"] = kind
    (row,) = rows_of(retakes(tables(events=rows.events)))
    assert row["on_time"] is on_time


def test_a_couple_that_agrees_on_a_time_is_not_accused_of_it():
    rows = agreed(3)
    for row in rows.events:
        if row["account_id"] != "punctual":
            row["account_id"] = "other-half"
    assert "hand_over.by_the_clock" not in said_of(rows).get("punctual", set())


def test_where_the_hospital_gives_back_by_its_clock_nobody_is_accused_of_it():
    ways = [
        handed_over(
            slot_of(f"dr{n % 24:02}", n % 5, 100 + n),
            (f"batch{n // 2}", f"batch-p{n}"),
            (f"later{n}", f"later-p{n}"),
            at_us=SOLD_US + n % 9 * HOUR_US,
            gap_us=HOUR_US + n * MINUTE_US,
        )
        for n in range(400)
    ]
    assert "hand_over.by_the_clock" in said_of(agreed(3))["punctual"]
    assert "hand_over.by_the_clock" not in said_of(agreed(3).plus(all_of(ways))).get("punctual", set())


def test_friends_who_take_for_their_own_close_no_circle():
    assert "hand_over.circle" in said_of(gone_round(18))["round-gives0"]
    said = said_of(gone_round(18, who="friends", patients=2))
    assert not any("hand_over.circle" in codes for codes in said.values())


def test_a_hub_to_whom_many_give_once_closes_no_circle():
    rows = gone_round(18)
    for n, row in enumerate(rows.events):
        if "gives" in str(row["account_id"]):
            row["account_id"] = row["patient_id"] = f"once{n // 4}"
    assert not any("hand_over.circle" in codes for codes in said_of(rows).values())


def test_who_helps_two_relatives_to_returned_slots_is_not_accused():
    helper = [
        handed_over(
            slot_of("dr20", 0, 40 + n),
            (f"g{n}", f"g{n}"),
            ("helper", f"parent{n}"),
            at_us=SOLD_US + n * HOUR_US,
            gap_us=20 * MINUTE_US,
        )
        for n in range(2)
    ]
    rows = all_of(helper)
    for n in range(2):
        at_us = SOLD_US + n * HOUR_US + 18 * MINUTE_US
        rows.events.append(event("patient_bound", at_us, {}, "helper", f"parent{n}"))
    assert "helper" not in said_of(rows)


def test_who_is_fast_with_everybodys_slots_explains_the_gap():
    watcher = [retake(n, gap_us=SECOND_US, taker="watcher") for n in range(3)]
    assert snatchers(watcher, StrangerPolicy()) == {account("watcher")}
    knows_them = [replace(one, related=("device",)) for one in watcher]
    assert not snatchers(knows_them, StrangerPolicy())


def test_who_was_ready_for_one_slot_is_a_lead_and_no_more_for_the_buyer_may_be_told_to():
    rows = prepared(6)
    for row in rows.events:
        name = str(row["account_id"])
        if name.startswith("ready"):  # each takes for one buyer alone
            row["account_id"] = f"{name}-{row['patient_id']}"
    over = tables(events=honest_week().plus(rows).plus(newcomers(3)).events)
    said = [one for one in suspicions(told(HandOver(), over)) if one.code == "hand_over.prepared"]
    once = {one.subject.id: one.weight for one in said if one.subject.id.startswith("ready")}
    assert len(once) == 6
    assert max(once.values()) <= 3
    assert max(one.weight for one in said if one.subject.id.startswith("holder")) > 3
    assert not any(one.subject.id.startswith("newcomer") for one in said)


def twice_each(count):
    """So many give back on two days, to somebody else each time, who comes a third of a minute later."""
    return all_of(
        handed_over(
            slot_of(f"dr{8 + n:02}", day, 40 + day),
            (f"twice{n}", f"twice-p{n}"),
            (f"took{n}-{day}", f"took-p{n}-{day}"),
            at_us=SOLD_US + day * DAY_US + n * HOUR_US + 7 * MINUTE_US,
            gap_us=20 * SECOND_US,
        )
        for n in range(count)
        for day in range(2)
    )


def test_who_gave_back_twice_is_a_lead_where_many_did_and_nothing_where_it_is_one():
    assert not said_of(twice_each(1))
    over = tables(events=honest_week().plus(twice_each(6)).events)
    said = [one for one in suspicions(told(HandOver(), over)) if one.code == "hand_over.gaps"]
    assert len({one.subject.id for one in said}) >= 4
    assert {one.weight for one in said} == {HandOver().policy.named}
