"""What may be planned, and how slots are spread over segments."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.booking.schedule import (
    Place,
    PlannedSession,
    bad_rows,
    broken_rules,
    check_id,
    check_name,
    cut_segments,
    half_of,
    session_id_of,
)
from shouhao.kernel.clock import DAY_US, HOSPITAL_ZONE, HOUR_US, MINUTE_US, start_of_day_us, to_us
from shouhao.kernel.errors import InvalidInput

DAY = date(2026, 11, 23)
MIDNIGHT = start_of_day_us(DAY)
NOW = MIDNIGHT - DAY_US


def _session(**changes):
    session = PlannedSession(
        id=session_id_of("OBS", "D1", day=DAY, half="am", kind="expert"),
        department_id="OBS",
        doctor_id="D1",
        day=DAY,
        half="am",
        kind="expert",
        starts_at_us=MIDNIGHT + 8 * HOUR_US,
        ends_at_us=MIDNIGHT + 12 * HOUR_US,
        fee_cents=5000,
        capacity=20,
        release_at_us=MIDNIGHT - 7 * DAY_US,
        source="csv",
    )
    session = replace(session, **changes)
    if "slots" in changes or not 1 <= session.capacity <= 2000 or session.starts_at_us >= session.ends_at_us:
        return session
    return replace(session, slots=cut_segments(session, 30))


def _fields(session, now_us=NOW):
    return [rule.field for rule in broken_rules(session, now_us=now_us)]


def test_a_good_session_breaks_no_rule():
    assert _fields(_session()) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": 2001}, "capacity"),
        ({"fee_cents": -1}, "fee"),
        ({"fee_cents": 10_000_001}, "fee"),
        ({"ends_at_us": MIDNIGHT + 8 * HOUR_US}, "end"),
        ({"starts_at_us": MIDNIGHT + 4 * HOUR_US}, "start"),
        ({"ends_at_us": MIDNIGHT + 14 * HOUR_US}, "end"),
        ({"half": "evening"}, "start"),
        ({"release_at_us": MIDNIGHT + 8 * HOUR_US}, "release_at"),
        ({"slots": ()}, "slots"),
    ],
)
def test_each_broken_rule_names_its_field(changes, field):
    broken = broken_rules(_session(**changes), now_us=NOW)
    assert field in [rule.field for rule in broken]
    assert all(rule.says("zh") and rule.says("en") for rule in broken)


def test_the_limits_themselves_are_allowed():
    assert _fields(_session(capacity=2000)) == []
    assert _fields(_session(fee_cents=10_000_000)) == []
    assert _fields(_session(fee_cents=0)) == []
    assert _fields(_session(release_at_us=MIDNIGHT + 8 * HOUR_US - 1)) == []


def test_today_may_be_planned_and_yesterday_may_not():
    assert _fields(_session(), now_us=MIDNIGHT + 23 * HOUR_US) == []
    assert _fields(_session(), now_us=MIDNIGHT + DAY_US) == ["day"]
    assert _fields(_session(), now_us=None) == []


def test_slots_out_of_order_or_outside_the_session_are_refused():
    session = _session()
    first, second, *rest = session.slots
    swapped = (replace(second, number=1), replace(first, number=2, starts_at_us=first.starts_at_us - 1), *rest)
    assert _fields(replace(session, slots=swapped)) == ["slots"]
    late = (*session.slots[:-1], replace(session.slots[-1], ends_at_us=session.ends_at_us + 1))
    assert _fields(replace(session, slots=late)) == ["slots"]
    assert _fields(replace(session, slots=tuple(replace(slot, number=1) for slot in session.slots))) == ["slots"]


def test_a_morning_of_half_hours_gives_each_segment_its_share():
    slots = cut_segments(_session(capacity=16), 30)
    starts = [(slot.starts_at_us - MIDNIGHT) // MINUTE_US for slot in slots]
    assert starts == [480, 480, 510, 510, 540, 540, 570, 570, 600, 600, 630, 630, 660, 660, 690, 690]


def test_without_segments_everyone_may_come_in_the_whole_session():
    session = _session(capacity=3)
    assert {(s.starts_at_us, s.ends_at_us) for s in cut_segments(session, None)} == {
        (session.starts_at_us, session.ends_at_us)
    }


@pytest.mark.parametrize("minutes", [0, 4, 241, -30])
def test_a_segment_of_a_strange_length_is_refused(minutes):
    with pytest.raises(InvalidInput) as caught:
        cut_segments(_session(), minutes)
    assert caught.value.field == "segment_minutes"


@given(capacity=st.integers(1, 2000), minutes=st.none() | st.integers(5, 240), length=st.integers(1, 510))
def test_segments_keep_the_order_and_the_session_for_any_numbers(capacity, minutes, length):
    starts = MIDNIGHT + 5 * HOUR_US
    session = _session(slots=(), capacity=capacity, starts_at_us=starts, ends_at_us=starts + length * MINUTE_US)
    session = replace(session, slots=cut_segments(session, minutes))
    assert _fields(session) == []
    shares = {}
    for slot in session.slots:
        shares[slot.starts_at_us] = shares.get(slot.starts_at_us, 0) + 1
    assert max(shares.values()) - min(shares.values()) <= 1


def test_the_same_session_has_the_same_id_and_any_difference_another():
    base = {"day": DAY, "half": "am", "kind": "expert"}
    ids = {
        session_id_of("OBS", "D1", **base),
        session_id_of("OBS", "D1", **base),
        session_id_of("OBS", None, **base),
        session_id_of("OBSD1", None, **base),
        session_id_of("OBS", "D1", **base | {"half": "pm"}),
        session_id_of("OBS", "D1", **base | {"kind": "general"}),
        session_id_of("OBS", "D1", **base | {"day": date(2026, 11, 24)}),
    }
    assert len(ids) == 6


@pytest.mark.parametrize("value", ["", " A", "A B", "科室", "-A", "A" * 65, "A\n"])
def test_an_id_that_could_be_misread_is_refused(value):
    with pytest.raises(InvalidInput):
        check_id("department_id", value)


@pytest.mark.parametrize("value", ["", "a" * 81, "王\n五", "a\u202eb", "\u200b"])
def test_a_name_with_what_nobody_sees_is_refused(value):
    with pytest.raises(InvalidInput):
        check_name("doctor", value)


def test_the_half_follows_the_clock_of_the_hospital():
    def at(hour, minute=0):
        return half_of(to_us(datetime(2026, 11, 23, hour, minute, tzinfo=HOSPITAL_ZONE)))

    assert [at(8), at(11, 59), at(12), at(16, 59), at(17), at(20)] == ["am", "am", "pm", "pm", "evening", "evening"]


def test_a_report_repeats_the_rule_and_the_place():
    place = Place(line=3, byte=120)
    (row,) = bad_rows([InvalidInput("fee", zh="须为元", en="yuan")], place)
    assert (row.place, row.field, row.zh, row.en) == (place, "fee", "须为元", "yuan")
