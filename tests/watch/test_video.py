"""Video: when pictures were taken, which are looked at, and what is skipped when there is not time for all."""

from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.video import Pace, PresentationClock

NOON_US = 1_790_000_000 * SECOND_US
FRAME_US = 40_000


def test_a_burst_after_a_pause_keeps_the_times_of_its_pictures():
    clock = PresentationClock()
    at = [clock.at_us(n * FRAME_US, arrived_at_us=NOON_US + n * FRAME_US) for n in range(25)]
    assert at == [NOON_US + n * FRAME_US for n in range(25)]
    late_us = NOON_US + 3 * SECOND_US  # two seconds of pictures come at once
    assert [clock.at_us(n * FRAME_US, arrived_at_us=late_us) for n in range(25, 75)] == [
        NOON_US + n * FRAME_US for n in range(25, 75)
    ]
    assert clock.lag_us == late_us - (NOON_US + 74 * FRAME_US)


def test_a_camera_whose_time_begins_anew_is_followed():
    clock = PresentationClock()
    clock.at_us(500 * SECOND_US, arrived_at_us=NOON_US)
    assert clock.at_us(0, arrived_at_us=NOON_US + SECOND_US) == NOON_US + SECOND_US
    assert clock.lag_us == 0


def test_a_stream_without_times_takes_those_of_arrival():
    assert PresentationClock().at_us(None, arrived_at_us=NOON_US) == NOON_US


def test_a_clock_that_runs_slow_does_not_look_like_a_stream_that_falls_behind():
    clock = PresentationClock()
    for n in range(25 * 600):
        clock.at_us(round(n * FRAME_US * 0.999), arrived_at_us=NOON_US + n * FRAME_US)
    assert clock.lag_us < 0.1 * SECOND_US


@given(st.lists(st.integers(0, 2 * SECOND_US), min_size=1, max_size=60))
def test_no_picture_is_from_the_future(delays_us):
    clock = PresentationClock()
    arrived_us = NOON_US
    for n, delay_us in enumerate(delays_us):
        arrived_us = max(arrived_us, NOON_US + n * FRAME_US + delay_us)
        assert clock.at_us(n * FRAME_US, arrived_at_us=arrived_us) <= arrived_us


def looked_at(pace, *, seconds, key_every_s, lag_us=0, frames_a_s=25):
    decoded, looked = 0, 0
    for n in range(seconds * frames_a_s):
        at_us = NOON_US + n * SECOND_US // frames_a_s
        if pace.takes(key=n % round(key_every_s * frames_a_s) == 0, at_us=at_us, lag_us=lag_us):
            decoded += 1
            looked += pace.wants(at_us)
    return decoded, looked


def test_five_pictures_a_second_are_looked_at_and_all_are_decoded():
    assert looked_at(Pace(frames_a_s=5), seconds=10, key_every_s=2) == (250, 50)


def test_where_key_frames_are_enough_nothing_else_is_decoded():
    decoded, looked = looked_at(Pace(frames_a_s=1), seconds=20, key_every_s=1)
    assert looked == 20
    assert decoded <= 20 + 25  # it takes one group to know


def test_a_reader_that_falls_behind_keeps_to_key_frames_and_comes_back_at_one():
    pace = Pace(frames_a_s=5)
    looked_at(pace, seconds=6, key_every_s=2)
    assert not pace.keys_only
    decoded, _ = looked_at(pace, seconds=6, key_every_s=2, lag_us=3 * SECOND_US)
    assert decoded == 3
    assert pace.skipped == 147
    assert not pace.takes(key=False, at_us=NOON_US, lag_us=0)  # what follows rests on pictures that were skipped
    assert pace.takes(key=True, at_us=NOON_US, lag_us=0)
    assert pace.takes(key=False, at_us=NOON_US, lag_us=0)


def test_where_key_frames_are_rare_all_is_decoded_however_late():
    pace = Pace(frames_a_s=5)
    decoded, _ = looked_at(pace, seconds=30, key_every_s=10, lag_us=5 * SECOND_US)
    assert decoded == 750


def test_time_that_jumps_back_does_not_stop_looking():
    pace = Pace(frames_a_s=5)
    assert pace.wants(NOON_US)
    assert pace.wants(NOON_US - 3600 * SECOND_US)
    assert not pace.wants(NOON_US - 3600 * SECOND_US + 1)
