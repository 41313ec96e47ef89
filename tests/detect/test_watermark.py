"""The watermark depends on the events and their order alone; late ones are told apart, impossible ones put aside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.detect.live.watermark import NEVER_US, EventTime, ahead_of, first_crossing, mark

ALLOWED = EventTime(lateness_us=100, ahead_us=50, keep_us=10_000)


def marked(times, *, newest_us=NEVER_US, arrived_us=None):
    at_us = np.array(times, np.int64)
    ahead = np.zeros(len(times), np.bool_) if arrived_us is None else ahead_of(at_us, arrived_us, ALLOWED)
    return mark(at_us, ahead=ahead, newest_us=newest_us, allowed=ALLOWED)


def test_an_event_is_late_once_a_later_one_has_carried_the_watermark_past_it():
    marks = marked([1_000, 900, 899, 1_050, 949, 950])
    assert marks.watermark_us.tolist() == [900, 900, 900, 950, 950, 950]
    assert marks.late.tolist() == [False, False, True, False, True, False]
    assert not marks.aside.any()


def test_an_event_from_the_future_is_put_aside_and_does_not_move_the_watermark():
    marks = marked([1_000, 5_000, 1_010], arrived_us=1_020)
    assert marks.aside.tolist() == [False, True, False]
    assert marks.reason(1) == "time_ahead"
    assert marks.watermark_us.tolist() == [900, 900, 910]
    assert not marks.late.any()


def test_a_clock_that_is_a_little_ahead_is_believed():
    assert not marked([1_050], arrived_us=1_000).aside.any()
    assert marked([1_051], arrived_us=1_000).aside.all()


def test_what_is_older_than_all_that_is_kept_is_put_aside():
    marks = marked([50_000, 39_900, 39_899])
    assert marks.aside.tolist() == [False, False, True]
    assert marks.reason(2) == "too_old"
    assert marks.late.tolist() == [False, True, False]


def test_there_is_no_watermark_before_the_first_event_that_counts():
    marks = marked([9_999, 1_000], arrived_us=1_000)
    assert marks.watermark_us.tolist() == [NEVER_US, 900]


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=60), st.integers(0, 60), st.integers(10_000, 90_000))
def test_pieces_of_any_size_give_the_same_marks(times, cut, arrived_us):
    whole = marked(times, arrived_us=arrived_us)
    first = marked(times[:cut], arrived_us=arrived_us)
    seen = [t for t, ahead in zip(times[:cut], first.ahead.tolist(), strict=True) if not ahead]
    rest = marked(times[cut:], newest_us=max(seen, default=NEVER_US), arrived_us=arrived_us)
    for name in ("watermark_us", "late", "ahead", "too_old"):
        assert np.concatenate([getattr(first, name), getattr(rest, name)]).tolist() == getattr(whole, name).tolist()


@pytest.mark.parametrize(("watermarks", "crossed"), [([119, 120, 300], 1), ([10, 60], None), ([500], 0), ([], None)])
def test_a_moment_passes_after_one_certain_event(watermarks, crossed):
    assert first_crossing(np.array(watermarks, np.int64), 60, 60) == crossed
