"""Serial: what accounts made in series have in common, and the companies that sign their people up."""

import pytest

from detect.bookings import all_of, event, slot_of
from detect.detector_checks import suspicions, told
from detect.examples.fleets import created
from detect.people import DAY_US, HOUR_US, MINUTE_US, MONDAY_US, SECOND_US, Rows, honest_week, release_us
from detect.tables import tables
from shouhao.detect.model import Subject
from shouhao.detect.rules.fleets import Fleets
from shouhao.detect.serial import ODD_HOURS, QUICK_TOGETHER

SERIES = "fleets.created_in_series"


def said(rows):
    return suspicions(told(Fleets(), tables(events=rows.events)))


def accused(rows, code):
    return {one.subject.id for one in said(rows) if one.code == code and one.subject.kind == "account"}


def by_day(count, *, first_hour=8, hours=12):
    """Accounts that people make for themselves, each at home, at any time of the day within those hours."""
    rows = Rows()
    for n in range(count):
        at_us = MONDAY_US + n % 9 * DAY_US + first_hour * HOUR_US + n * 37 * MINUTE_US % (hours * HOUR_US)
        rows.events.append({**event("account_registered", at_us, {}, f"own{n}", ""), "ip": f"192.0.{n}.7"})
    return rows


def at_hour(rows, hour):
    return Rows(events=[{**row, "at_us": row["at_us"] + DAY_US + hour * HOUR_US} for row in rows.events])


def test_a_series_made_when_nobody_else_signs_up_is_out_of_hours_and_a_company_by_day_is_not():
    night, day = at_hour(created(9), 1), at_hour(created(9), 11)
    assert accused(by_day(150).plus(night), SERIES) == accused(by_day(150).plus(day), SERIES) != set()
    assert accused(by_day(150).plus(night), ODD_HOURS) == {f"serial{n}" for n in range(9)}
    assert not accused(by_day(150).plus(day), ODD_HOURS)


def test_where_people_sign_up_at_night_as_well_the_hour_says_nothing():
    everywhen = by_day(150, first_hour=0, hours=24)
    assert not accused(everywhen.plus(at_hour(created(9), 1)), ODD_HOURS)


def at_release(count, after_us, *, name="serial"):
    """The accounts of a series at one release, each for another slot."""
    return all_of(
        Rows(
            events=[
                event("booked", release_us(2) + after_us(n), slot_of("dr05", 2, 300 + n), f"{name}{n}", f"{name}-p{n}")
            ]
        )
        for n in range(count)
    )


@pytest.mark.parametrize(
    ("after_us", "named"),
    [
        (lambda n: 700_000 + n * 20_000, 9),
        (lambda n: 3 * SECOND_US + n * 20_000, 0),  # as slow as anybody
        (lambda n: 700_000 if n < 3 else 3 * SECOND_US + n * 20_000, 0),  # three quick hands among nine colleagues
    ],
)
def test_a_series_is_quick_where_nearly_all_of_it_is(after_us, named):
    rows = honest_week().plus(created(9)).plus(at_release(9, after_us))
    assert len(accused(rows, QUICK_TOGETHER)) == named


def test_only_those_that_were_quick_themselves_are_told():
    rows = honest_week().plus(created(12)).plus(at_release(10, lambda n: 700_000 if n < 9 else 4 * SECOND_US))
    assert accused(rows, QUICK_TOGETHER) == {f"serial{n}" for n in range(9)}


def spread(count, *, agent):
    """One build of one app that goes out by a new address of another network each time."""
    rows = Rows()
    for n in range(count):
        who = {"ip": f"198.{n + 18}.9.1", "device_id": f"new{n}", "user_agent": agent}
        rows.events.append({**event("account_registered", MONDAY_US + n * MINUTE_US, {}, f"spread{n}", ""), **who})
    return rows


def test_a_series_that_goes_out_by_ever_other_networks_is_known_by_its_app_unless_many_use_it():
    agent = "HospitalApp/5.1.2 (Android 9; EMU)"
    rows = honest_week().plus(spread(12, agent=agent))
    assert accused(rows, SERIES) == {f"spread{n}" for n in range(12)}
    others = Rows(
        events=[event("viewed", MONDAY_US + n * 20 * SECOND_US, {}, f"o{n}", "p", user_agent=agent) for n in range(40)]
    )
    assert not accused(rows.plus(others), SERIES)


def test_an_app_is_nobody_and_stands_in_no_finding():
    told_of = said(honest_week().plus(spread(12, agent="HospitalApp/5.1.2 (Android 9; EMU)")))
    assert {one.subject.kind for one in told_of} == {"account"}
    assert not {member for one in told_of for member in one.members}


def test_a_ring_has_once_what_most_of_its_accounts_have_together():
    rows = honest_week().plus(created(9)).plus(at_release(9, lambda n: 700_000 + n))
    detector = Fleets()
    counted = {name: table.to_pyarrow() for name, table in detector.count(tables(events=rows.events)).items()}
    series = {Subject(kind="account", id=f"serial{n}"): "ring-1" for n in range(9)}
    (one,) = detector.judge_rings(counted, series)
    assert (one.subject, one.code) == (Subject(kind="ring", id="ring-1"), QUICK_TOGETHER)
    assert set(one.members) == set(series)
    strangers = {Subject(kind="account", id=f"a{n:05}"): "ring-1" for n in range(12)}
    assert not list(detector.judge_rings(counted, series | strangers))
