"""Shots of our own streams: what is written is read back, and whatever else stands there is named, never raised."""

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shouhao.watch.shots import PICTURE_BYTES_MAX, SHOTS_MAX, WrittenShot, arrival_of, read_shots

ARRIVAL = arrival_of([], device_id="31010600001320000001", arrived_at_us=1)


def shot(n=0, **changed):
    given = {"ref": f"c-r-{n}", "at_us": 5, "crop": b"crop", "scene": b"scene", "track": "c-r-1", "quality": 0.9}
    return WrittenShot(**{**given, **changed})


def test_what_is_written_is_read_back():
    arrival = arrival_of(
        [shot(0, box_xyxy_px=(1.0, 2.0, 3.0, 4.0)), shot(1, scene=None)], device_id="d", arrived_at_us=7
    )
    assert (arrival.source, arrival.proven, arrival.device_id, arrival.arrived_at_us) == ("shots", True, "d", 7)
    reading = read_shots(arrival)
    assert [one.ref for one in reading.shots] == ["c-r-0", "c-r-1"]
    assert reading.shots[0].box_xyxy_px == (1.0, 2.0, 3.0, 4.0)
    assert reading.shots[1].scene is None
    assert reading.not_understood == []


def test_what_cannot_be_used_is_named_and_the_rest_is_kept():
    arrival = arrival_of(
        [
            shot(0),
            shot(1, crop=b""),
            shot(2, crop=b"x" * (PICTURE_BYTES_MAX + 1)),
            shot(3, quality=2.0),
            shot(4, ref=""),
            shot(5),
        ],
        device_id="d",
        arrived_at_us=7,
    )
    reading = read_shots(arrival)
    assert [one.ref for one in reading.shots] == ["c-r-0", "c-r-5"]
    assert [one.where for one in reading.not_understood] == ["shots[1]", "shots[2]", "shots[3]", "shots[4]"]


def test_more_shots_than_anybody_sends_are_left_out():
    reading = read_shots(arrival_of([shot(n) for n in range(SHOTS_MAX + 3)], device_id="d", arrived_at_us=7))
    assert len(reading.shots) == SHOTS_MAX
    assert len(reading.not_understood) == 3


@given(st.binary(max_size=300))
def test_nothing_that_lies_in_the_spool_raises(body):
    reading = read_shots(replace(ARRIVAL, body=body))
    assert reading.shots or reading.not_understood or body == msgspec.msgpack.encode([])
