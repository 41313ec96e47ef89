"""Bursts: any stretch of time counts, and whoever shares an address is not held for it."""

import pytest

from detect.detector_checks import rows_behind, suspicions, told
from detect.examples.bursts import FROM_US, operations
from detect.people import HOSPITAL_WIFI, HOUR_US, MINUTE_US, SECOND_US, Rows, honest_week
from detect.tables import tables
from shouhao.detect.counted.windows import Window
from shouhao.detect.rules.bursts import Bursts, Policy

MINUTE_START_US = FROM_US // MINUTE_US * MINUTE_US


def found(rows: Rows, policy: Policy | None = None):
    over = tables(hits=rows.hits, events=rows.events)
    return {(one.subject.kind, one.subject.id): one for one in suspicions(told(Bursts(policy), over))}


@pytest.mark.parametrize(("count", "named"), [(99, False), (100, True)])
def test_the_limit_is_reached_and_not_exceeded(count, named):
    rows = operations(count, every_us=500_000, session_token="s")
    assert bool(found(rows)) is named


@pytest.mark.parametrize(("last_us", "named"), [(MINUTE_US - 1, True), (MINUTE_US, False)])
def test_a_minute_ends_just_before_it_is_a_minute_long(last_us, named):
    rows = operations(99, every_us=1_000, session_token="s")
    rows.hits.append({"at_us": FROM_US + last_us, "path": "/a", "session_token": "s"})
    assert bool(found(rows)) is named


def test_a_minute_may_begin_in_the_middle_of_one():
    rows = operations(120, every_us=400_000, from_us=MINUTE_START_US + 36 * SECOND_US, session_token="s")
    one = found(rows)["session", "s"]
    assert (one.measured, one.threshold) == (120.0, 100.0)


def test_staying_below_the_first_limit_is_found_by_the_second():
    rows = operations(700, every_us=800_000, session_token="s")
    one = found(rows)["session", "s"]
    assert (one.code, one.threshold) == ("bursts.in_ten_minutes", 500.0)


def test_pictures_and_styles_are_no_operations():
    rows = operations(300, every_us=100_000, session_token="s")
    for n, hit in enumerate(rows.hits):
        hit["path"] = ("/static/a.css?v=1", "/logo.PNG", "/app.9f2c.js")[n % 3]
    assert not found(rows)


def test_a_family_of_five_on_one_address_is_not_held_for_what_all_do():
    members = (operations(60, every_us=900_000, account_id=f"m{n}", ip="192.0.2.8") for n in range(5))
    rows = Rows()
    for member in members:
        rows = rows.plus(member)
    assert not found(rows)


def test_guests_of_one_network_without_a_session_count_by_their_browsers():
    rows = Rows()
    for n in range(10):
        rows = rows.plus(operations(30, every_us=2_000_000, ip=HOSPITAL_WIFI, user_agent=f"Phone/{n}"))
    assert not found(rows)
    assert ("ip", HOSPITAL_WIFI) in found(operations(300, every_us=200_000, ip=HOSPITAL_WIFI, user_agent="curl/8"))


def test_a_new_session_with_every_request_does_not_hide_the_address():
    rows = operations(200, every_us=250_000, ip="192.0.2.7", user_agent="curl/8")
    for n, hit in enumerate(rows.hits):
        hit["session_token"] = f"made-up-{n}"
    assert ("ip", "192.0.2.7") in found(rows)


def test_where_busy_pages_make_everybody_exceed_the_limit_nobody_is_named():
    rows = Rows()
    for n in range(80):
        rows = rows.plus(operations(105 + n % 40, every_us=300_000, session_token=f"s{n:02}"))
    assert not found(rows)


def test_what_staff_do_in_the_house_is_no_burst():
    events = [
        {"kind": "booked", "at_us": FROM_US + n * 100_000, "account_id": "window", "channel": "window"}
        for n in range(300)
    ]
    assert not found(Rows(events=events))


def test_evidence_is_the_fullest_minute_and_nothing_else():
    rows = honest_week(people=300).plus(operations(50, every_us=10 * SECOND_US, session_token="s", ip="192.0.2.1"))
    rows = rows.plus(operations(240, every_us=200_000, from_us=FROM_US + HOUR_US, session_token="s", ip="192.0.2.1"))
    over = tables(hits=rows.hits, events=rows.events)
    one = next(one for one in suspicions(told(Bursts(), over)) if one.subject.id == "s")
    assert rows_behind(over, one.wanted[0]) == one.measured == 240
    assert one.wanted[0].from_us > FROM_US + HOUR_US - MINUTE_US


def test_a_policy_may_set_other_limits():
    strict = Policy(windows=(Window(operations=20, minutes=1),))
    assert found(operations(20, every_us=SECOND_US, session_token="s"), strict)
    with pytest.raises(ValueError, match="whole number"):
        Window(operations=20, minutes=7)
