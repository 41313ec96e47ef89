"""Tracks: one person is one track, whatever is missed in between, and never two people one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.tracks import Tracker, TrackRules

RATE = 5


def walk(from_xy, speed_px_s, *, size=80.0, seconds=4.0, begins_s=0.0):
    """Boxes of one face by picture number."""
    first = round(begins_s * RATE)
    return {
        n: np.array(
            [
                from_xy[0] + speed_px_s[0] * (n - first) / RATE,
                from_xy[1] + speed_px_s[1] * (n - first) / RATE,
                from_xy[0] + speed_px_s[0] * (n - first) / RATE + size,
                from_xy[1] + speed_px_s[1] * (n - first) / RATE + size * 1.25,
            ]
        )
        for n in range(first, first + round(seconds * RATE))
    }


def follow(people, *, missed=(), doubtful=(), rules=None):
    """The track numbers that each person had, in order, and the tracks that ended."""
    tracker, had, ended = Tracker(rules), [[] for _ in people], []
    for n in range(max(max(person) for person in people) + 20):
        seen = [k for k, person in enumerate(people) if n in person and (k, n) not in missed]
        boxes = np.array([people[k][n] for k in seen]).reshape(-1, 4)
        scores = [0.5 if (k, n) in doubtful else 0.9 for k in seen]
        tracked = tracker.update(boxes, scores, at_us=n * SECOND_US // RATE)
        ended += tracked.ended
        for k, number in zip(seen, tracked.numbers, strict=True):
            had[k].append(number)
    assert len(tracker) == 0
    return had, ended


def test_somebody_who_walks_two_faces_a_picture_is_one_track():
    had, ended = follow([walk((0, 400), (800, 0))])  # 160 px between pictures, 80 px wide
    assert set(had[0]) == {1}
    assert ended == [1]


def test_people_who_cross_keep_their_tracks():
    had, _ = follow([walk((0, 400), (350, 0)), walk((1400, 430), (-350, 0))])
    assert [len(set(numbers)) for numbers in had] == [1, 1]
    assert set(had[0]) != set(had[1])


def test_people_who_walk_side_by_side_keep_their_tracks():
    had, _ = follow([walk((0, 400), (400, 0)), walk((0, 520), (400, 0))])
    assert [len(set(numbers)) for numbers in had] == [1, 1]


def test_a_doubtful_face_prolongs_a_track_and_begins_none():
    person = walk((0, 400), (200, 0))
    doubtful = {(0, n) for n in person if n % 2}
    had, _ = follow([person], doubtful=doubtful)
    assert set(had[0]) == {1}
    had, ended = follow([person], doubtful={(0, n) for n in person})
    assert set(had[0]) == {-1}
    assert ended == []


def test_somebody_who_was_away_for_long_is_a_new_track():
    person = walk((300, 300), (0, 0), seconds=6)
    missed = {(0, n) for n in range(10, 20)}
    had, ended = follow([person], missed=missed)
    assert had[0] == [1] * 10 + [2] * 10
    assert ended == [1, 2]


def test_a_face_far_away_is_nobody_who_was_near():
    tracker = Tracker()
    tracker.update(np.array([[100, 100, 180, 200]]), [0.9], at_us=0)
    there = tracker.update(np.array([[1500, 100, 1580, 200]]), [0.9], at_us=SECOND_US // RATE)
    assert there.numbers == (2,)


def test_a_large_face_is_not_the_small_one_behind_it():
    tracker = Tracker()
    tracker.update(np.array([[100, 100, 140, 150]]), [0.9], at_us=0)
    there = tracker.update(np.array([[80, 80, 280, 330]]), [0.9], at_us=SECOND_US // RATE)
    assert there.numbers == (2,)


def test_a_wall_of_faces_fills_no_memory():
    tracker = Tracker(TrackRules(tracks_at_most=10))
    boxes = np.array([[n * 50, 0, n * 50 + 30, 40] for n in range(300)], float)
    tracked = tracker.update(boxes, [0.9] * 300, at_us=0)
    assert len(tracker) == 10
    assert sum(number > 0 for number in tracked.numbers) == 10


def test_pictures_out_of_time_break_nothing():
    tracker = Tracker()
    for at_us in (5 * SECOND_US, 5 * SECOND_US, 4 * SECOND_US, 5 * SECOND_US + 1):
        tracked = tracker.update(np.array([[100, 100, 180, 200]]), [0.9], at_us=at_us)
        assert tracked.numbers == (1,)


@settings(max_examples=60, deadline=None)
@given(
    speed=st.tuples(st.floats(-500, 500), st.floats(-150, 150)),
    size=st.floats(40, 200),
    missed=st.sets(st.integers(2, 18), max_size=5),
)
def test_missed_pictures_do_not_split_a_walk(speed, size, missed):
    """Up to three pictures in a row may be missed; more in a row is a face that was away."""
    longest = max((run for run in runs(sorted(missed))), default=0)
    had, _ = follow([walk((900, 500), speed, size=size)], missed={(0, n) for n in missed})
    if longest <= 3:
        assert len(set(had[0])) == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_two_faces_of_a_picture_have_one_track(data):
    """Whatever a detector says: each track at most once a picture, each number once in its life, and all end."""
    tracker, alive, dead = Tracker(), set(), set()
    at_us = 0
    for _ in range(data.draw(st.integers(1, 12))):
        at_us += data.draw(st.integers(0, 3 * SECOND_US))
        count = data.draw(st.integers(0, 6))
        corners = st.lists(st.floats(-500, 3000), min_size=4, max_size=4)
        boxes = np.array([sorted_box(data.draw(corners)) for _ in range(count)]).reshape(-1, 4)
        scores = [data.draw(st.floats(0, 1)) for _ in range(count)]
        tracked = tracker.update(boxes, scores, at_us=at_us)
        numbers = [number for number in tracked.numbers if number != -1]
        assert len(set(numbers)) == len(numbers)
        assert not dead & set(numbers)
        dead |= set(tracked.ended)
        alive |= set(numbers)
    assert set(tracker.end()) == alive - dead


def runs(numbers):
    """Lengths of runs of neighbouring numbers."""
    length, last = 0, None
    for number in numbers:
        length = length + 1 if last is not None and number == last + 1 else 1
        last = number
        yield length


def sorted_box(corners):
    left, top, right, bottom = corners
    return [min(left, right), min(top, bottom), max(left, right), max(top, bottom)]


def test_an_empty_picture_is_no_trouble():
    tracked = Tracker().update(np.empty((0, 4)), [], at_us=0)
    assert tracked.numbers == ()


@pytest.mark.parametrize("size", [0.0, 1e-6])
def test_a_box_without_a_size_is_no_trouble(size):
    tracker = Tracker()
    for n in range(3):
        tracker.update(np.array([[10, 10, 10 + size, 10 + size]]), [0.9], at_us=n * SECOND_US // RATE)
    assert len(tracker) == 1
