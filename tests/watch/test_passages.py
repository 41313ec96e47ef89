"""The same shots make the same passages, in whatever order and however often they come."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.passages import PassageRules, Passages, PassageShot, key_of
from shouhao.watch.shot_times import TimeRules, shot_time

RULES = PassageRules(same_cos=0.5)
START_US = 1_800_000_000_000_000
DIMS = 8


def vector(person, turn=0.0):
    """A face of a person: people are at right angles, shots of one lie a turn (radians) apart."""
    made = np.zeros(DIMS, np.float32)
    made[person] = math.cos(turn)
    made[DIMS - 1] = math.sin(turn)
    return made


def shot(n, *, person=0, at_s=0.0, turn=0.0, track=None, quality=0.5, arrived_s=None, late=False):
    arrived_s = at_s if arrived_s is None else arrived_s
    return PassageShot(
        key=key_of(f"shot {n}", b"picture"),
        track=track,
        at_us=START_US + round(at_s * SECOND_US),
        arrived_at_us=START_US + round(arrived_s * SECOND_US),
        vector=vector(person, turn),
        quality=quality,
        late=late,
    )


def keys(passages):
    return {frozenset(one.key for one in passage.shots) for passage in passages}


def put(shots, *, rules=RULES, camera="c1"):
    passages = Passages(rules)
    for one in shots:
        if not passages.is_known(camera, one.key):
            passages.know(camera, one.key, now_us=one.arrived_at_us)
            passages.add(camera, one)
    return passages


shots = st.builds(
    shot,
    st.integers(0, 30),
    person=st.integers(0, 2),
    at_s=st.floats(0, 60).map(lambda s: round(s, 3)),
    turn=st.sampled_from([0.0, 0.4, 0.9]),
    track=st.sampled_from([None, None, "t1", "t2"]),
    quality=st.sampled_from([0.2, 0.5, 0.9]),
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_order_and_any_repetition_gives_the_same_passages(data):
    some = data.draw(st.lists(shots, max_size=12, unique_by=lambda one: one.key))
    again = data.draw(st.lists(st.sampled_from(some), max_size=6)) if some else []
    other_order = data.draw(st.permutations([*some, *again]))
    one, other = put(some), put(other_order)
    assert keys(one) == keys(other)
    assert sorted(len(passage.shots) for passage in one) == sorted(len(passage.shots) for passage in other)
    for passage in one:
        same = next(p for p in other if p.best.key in {s.key for s in passage.shots})
        assert [s.key for s in same.shots] == [s.key for s in passage.shots]
        assert (same.late, same.last_seen_us) == (passage.late, passage.last_seen_us)


def test_shots_that_are_alike_and_close_in_time_are_one_passage():
    passages = put([shot(1), shot(2, at_s=3, turn=0.4), shot(3, at_s=9)])
    assert len(passages) == 1


def test_two_people_at_once_are_two_passages():
    assert len(put([shot(1, person=0), shot(2, person=1), shot(3, person=0, at_s=1)])) == 2


def test_one_person_on_two_cameras_is_two_passages():
    passages = Passages(RULES)
    passages.add("c1", shot(1))
    passages.add("c2", shot(2))
    assert len(passages) == 2


def test_a_person_who_comes_back_later_is_another_passage():
    assert len(put([shot(1), shot(2, at_s=30)])) == 2


def test_a_shot_between_two_joins_them():
    passages = Passages(RULES)
    first, other = shot(1, at_s=0), shot(2, at_s=16)
    passages.add("c1", first)
    passages.add("c1", other)
    assert len(passages) == 2
    added = passages.add("c1", shot(3, at_s=8))
    assert len(passages) == 1
    assert [one.best.key for one in added.joined] == [other.key]
    assert {one.key for one in added.passage.shots} >= {first.key, other.key}


def test_a_devices_track_joins_what_likeness_alone_would_not():
    turned = 1.15  # cosine 0.41
    assert len(put([shot(1), shot(2, at_s=1, turn=turned)])) == 2
    assert len(put([shot(1, track="7"), shot(2, at_s=1, turn=turned, track="7")])) == 1


def test_a_device_that_gives_everybody_one_track_does_not_make_them_one_person():
    assert len(put([shot(1, person=0, track="1"), shot(2, person=1, track="1")])) == 2


def test_a_device_that_gives_all_shots_one_id_loses_nobody():
    assert key_of("11111", b"one face") != key_of("11111", b"another")
    assert key_of("11111", b"one face") == key_of("11111", b"one face")
    assert key_of("1", b"1x") != key_of("11", b"x")


def test_a_passage_closes_when_nothing_more_arrives_and_not_before():
    passages = put([shot(1), shot(2, at_s=5)])
    assert passages.close(now_us=START_US + 14 * SECOND_US) == []
    (closed,) = passages.close(now_us=START_US + 15 * SECOND_US)
    assert len(closed.shots) == 2
    assert len(passages) == 0


def test_somebody_who_stands_before_the_camera_is_closed_in_the_end():
    passages = put([shot(n, at_s=n * 5) for n in range(6)])
    assert len(passages) == 1
    assert len(passages.close(now_us=START_US + 30 * SECOND_US)) == 1


def test_memory_is_bounded_whatever_comes():
    rules = PassageRules(same_cos=0.5, open_most=5, shots_most=4, seen_most=10)
    passages = Passages(rules)
    for n in range(50):
        one = shot(n, at_s=n / 100, person=0, quality=n / 50)
        passages.know("c1", one.key, now_us=one.arrived_at_us)
        passages.add("c1", one)
        passages.add(f"other {n}", shot(1000 + n, at_s=n / 100))
        passages.close(now_us=one.arrived_at_us)
    assert len(passages) == 5
    assert passages.is_known("c1", shot(49).key)
    assert not passages.is_known("c1", shot(30).key)
    assert all(len(passage.shots) <= 4 for passage in passages)


def test_the_best_shots_are_kept_and_stand_first():
    passages = put([shot(n, quality=n / 10) for n in range(9)], rules=PassageRules(same_cos=0.5, shots_most=3))
    (passage,) = passages
    assert [one.quality for one in passage.shots] == [0.8, 0.7, 0.6]


def test_the_id_of_a_passage_follows_from_its_first_shot():
    (one,), (other,) = put([shot(1), shot(2, at_s=1)]), put([shot(1), shot(3, at_s=2)])
    assert one.id == other.id
    (third,) = put([shot(3)])
    assert third.id != one.id


def test_a_passage_is_late_only_when_all_of_it_is():
    (passage,) = put([shot(1, late=True), shot(2, at_s=1)])
    assert not passage.late
    (passage,) = put([shot(1, late=True), shot(2, at_s=1, late=True)])
    assert passage.late


@pytest.mark.parametrize(
    ("said_s", "offset_s", "at_s", "late", "believed"),
    [
        (None, 0, 0, False, True),  # it did not say
        (-2, 0, -2, False, True),
        (3, 0, 0, False, True),  # a little ahead
        (3600, 0, 0, False, False),  # it lies
        (3600, 3601, -1, False, True),  # its clock is known to be wrong
        (-3600, 0, -3600, True, True),  # kept through an outage
        (-3600, -3599, -1, False, True),
        (-90_000, 0, 0, False, False),
    ],
)
def test_a_devices_time_is_corrected_bounded_and_otherwise_not_believed(said_s, offset_s, at_s, late, believed):
    said = None if said_s is None else START_US + said_s * SECOND_US
    found = shot_time(said, arrived_at_us=START_US, clock_offset_us=offset_s * SECOND_US, rules=TimeRules())
    assert (found.at_us, found.late, found.believed) == (START_US + at_s * SECOND_US, late, believed)
