"""Hot slots: how soon sessions were gone, and what to expect of the next ones."""

import pytest

from detect.detector_checks import told
from detect.people import DAY_US, SECOND_US, Rows, honest_week, release_us
from detect.tables import tables
from shouhao.detect.rules.hot_slots import HotSlots, forecast, weekday_of

WEEK_US = 7 * DAY_US


def releases(doctor: str, sold_s: list[float], *, slots: int = 10, every_us: int = WEEK_US) -> Rows:
    """One release a week, all slots of which are gone after so many seconds."""
    rows = Rows()
    for week, after_s in enumerate(sold_s):
        released_us = release_us(0) + week * every_us
        for n in range(slots):
            rows.events.append(
                {
                    "kind": "booked",
                    "at_us": released_us + round(after_s * SECOND_US * (n + 1) / slots),
                    "released_at_us": released_us,
                    "doctor_id": doctor,
                    "session_id": f"{doctor}-{week}",
                    "slot_id": f"{doctor}-{week}-{n}",
                    "account_id": f"{doctor}-{week}-{n}",
                }
            )
    return rows


def counted(rows: Rows):
    return {name: one.to_pyarrow() for name, one in HotSlots().count(tables(events=rows.events)).items()}


def expected(rows: Rows):
    return {(one.doctor_id, one.weekday): one for one in forecast(counted(rows))}


def test_a_session_is_sold_out_with_its_last_slot():
    (row,) = counted(releases("dr", [2.5]))["sessions"].to_pylist()
    assert (row["slots"], row["after_us"], row["refused"]) == (10, 2_500_000, 0)


def test_a_slot_given_back_and_taken_again_does_not_make_a_session_slow():
    rows = releases("dr", [2.5])
    last = rows.events[-1]
    rows.events.append({**last, "kind": "cancelled", "at_us": last["at_us"] + 3_600 * SECOND_US})
    rows.events.append({**last, "at_us": last["at_us"] + 7_200 * SECOND_US, "account_id": "later"})
    (row,) = counted(rows)["sessions"].to_pylist()
    assert (row["slots"], row["after_us"]) == (10, 2_500_000)


def test_refusals_after_the_last_slot_tell_how_many_came_for_nothing():
    rows = releases("dr", [2.5])
    for n, after_us in enumerate((1_000_000, 2_500_000, 9_000_000)):
        refused = {**rows.events[0], "kind": "refused", "slot_id": None, "account_id": f"r{n}"}
        rows.events.append({**refused, "at_us": release_us(0) + after_us})
    (row,) = counted(rows)["sessions"].to_pylist()
    assert row["refused"] == 2


def test_what_was_booked_before_its_release_is_no_release():
    rows = releases("dr", [2.5])
    for event in rows.events:
        event["at_us"] -= 3_600 * SECOND_US
    assert not counted(rows)["sessions"].to_pylist()


def test_the_forecast_keeps_doctors_apart_and_holds_what_comes_next():
    sold = [2.0, 2.6, 1.8, 2.2, 2.4, 1.9, 2.1, 2.3]
    of = expected(releases("hot", sold).plus(releases("slow", [300 * one for one in sold])))
    day = weekday_of(release_us(0))
    hot, slow = of["hot", day], of["slow", day]
    assert hot.releases == 8
    assert hot.least_s < hot.expected_s < hot.most_s
    assert hot.expected_s == pytest.approx(2.2, rel=0.2)
    assert hot.hot > 0.9
    assert slow.hot < 0.1
    assert sum(hot.least_s <= one <= hot.most_s for one in sold) >= 6


def test_one_release_says_little_and_leans_on_the_doctors_other_days():
    regular = releases("dr", [2.0, 2.4, 1.9, 2.2, 2.1, 2.3, 2.0, 2.2, 2.1, 1.9])
    once = releases("dr", [40.0])
    for event in once.events:
        event |= {"at_us": event["at_us"] + DAY_US, "released_at_us": event["released_at_us"] + DAY_US}
        event |= {"session_id": "dr-once", "slot_id": f"once-{event['slot_id']}"}
    one = expected(regular.plus(once))["dr", weekday_of(release_us(0) + DAY_US)]
    assert one.releases == 1
    assert 2.2 < one.expected_s < 40


def test_nobody_is_accused_of_wanting_a_good_doctor():
    assert not told(HotSlots(), tables(events=honest_week(people=600).events))


def test_no_releases_no_forecast():
    assert forecast({}) == ()
    assert HotSlots().count(tables(hits=[{"at_us": 1, "ip": "192.0.2.1"}])) == {}
