"""A trail joins what one person can have walked, says how sure each link is, and what cannot have been."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.model import Sighting
from shouhao.watch.trail import (
    MOST_ODDS,
    Label,
    OddsCurve,
    follow,
    forecast,
    last_seen,
    learned,
    probability,
    time_odds,
)

T0 = 1_700_000_000_000_000
#: door - hall 30 s - lift 60 s - floor4 90 s, all pairs; the annex is joined to nothing.
WALKING = {
    (a, b): (0.6 * s, s)
    for x, y, s in (
        ("door", "hall", 30.0),
        ("hall", "lift", 60.0),
        ("door", "lift", 90.0),
        ("lift", "floor4", 90.0),
        ("hall", "floor4", 150.0),
        ("door", "floor4", 180.0),
    )
    for a, b in ((x, y), (y, x))
}


def seen(camera_id: str, at_s: float, similarity_cos: float = 0.6) -> Sighting:
    at_us = T0 + round(at_s * SECOND_US)
    return Sighting(
        passage_id=f"{camera_id}@{at_s:g}",
        camera_id=camera_id,
        place_id=camera_id,
        entry_id="we_1",
        list_id="own",
        photo_id="ph_1",
        seen_at_us=at_us,
        arrived_at_us=at_us,
        similarity_cos=similarity_cos,
        threshold_cos=0.45,
        quality=0.8,
        frames=3,
        pack="sface",
        crop_id=None,
        scene_id=None,
    )


def test_a_walk_through_the_house_is_joined_in_its_order_whatever_order_it_came_in() -> None:
    trail = follow([seen("floor4", 185), seen("door", 0), seen("lift", 95), seen("hall", 32)], WALKING)
    assert [p.sighting.camera_id for p in trail.points] == ["door", "hall", "lift", "floor4"]
    assert trail.apart == ()
    assert [round(link.took_s) for link in trail.links] == [32, 63, 90]
    assert all(link.probability > 0.9 for link in trail.links)
    assert trail.links[0].usual_s == 30.0


def test_nobody_is_at_two_ends_of_the_house_at_once() -> None:
    trail = follow([seen("door", 0), seen("floor4", 20, 0.47), seen("hall", 35)], WALKING)
    assert [p.sighting.camera_id for p in trail.points] == ["door", "hall"]
    (cut,) = trail.apart
    assert (cut.why, cut.point.sighting.camera_id, cut.from_passage) == ("too_fast", "floor4", "door@0")
    assert cut.took_s == 20
    assert cut.shortest_s is not None
    assert cut.shortest_s > 100


def test_of_two_that_contradict_each_other_the_less_alike_is_set_apart() -> None:
    weak_first = follow([seen("door", 0, 0.46), seen("floor4", 10, 0.7)], WALKING)
    assert [p.sighting.camera_id for p in weak_first.points] == ["floor4"]
    weak_last = follow([seen("door", 0, 0.7), seen("floor4", 10, 0.46)], WALKING)
    assert [p.sighting.camera_id for p in weak_last.points] == ["door"]


def test_where_nobody_knows_a_way_nothing_is_joined_and_it_is_said() -> None:
    trail = follow([seen("door", 0), seen("annex", 600, 0.5), seen("hall", 640)], WALKING)
    assert [p.sighting.camera_id for p in trail.points] == ["door", "hall"]
    assert [cut.why for cut in trail.apart] == ["no_way_known"]


def test_somebody_who_sits_down_for_an_hour_is_still_one_person() -> None:
    trail = follow([seen("door", 0), seen("hall", 3600), seen("lift", 3665)], WALKING)
    assert len(trail.points) == 3
    assert trail.links[0].time_odds < trail.links[1].time_odds


def test_a_link_is_less_sure_than_either_of_its_ends() -> None:
    (link,) = follow([seen("door", 0, 0.5), seen("door", 400, 0.5)], WALKING).links
    assert (link.shortest_s, link.time_odds) == (None, 0.0)
    assert link.odds < OddsCurve().odds(seen("door", 0, 0.5))


def test_a_match_at_the_threshold_is_an_even_bet_and_none_is_certain() -> None:
    assert probability(OddsCurve().odds(seen("door", 0, 0.45))) == pytest.approx(0.5)
    assert OddsCurve().odds(seen("door", 0, 0.99)) == MOST_ODDS


def test_what_people_find_out_moves_the_odds_and_few_labels_move_them_little() -> None:
    assert learned([]) == OddsCurve()
    one = learned([Label(above_cos=0.1, same_person=False)])
    assert -1 < one.at_threshold < 0
    twins = [Label(above_cos=0.05 + n / 1000, same_person=n % 3 == 0) for n in range(300)]
    often_wrong = learned(twins)
    assert often_wrong.labels == 300
    shown = [probability(often_wrong.at_threshold + often_wrong.per_cos * x) for x in (0.1, 0.2, 0.3)]
    assert all(0.2 < p < 0.5 for p in shown), "a third were right, at any distance"


def test_labels_that_contradict_the_measure_never_turn_it_round() -> None:
    upside_down = [Label(above_cos=n / 100, same_person=n < 10) for n in range(40)] * 20
    assert learned(upside_down).per_cos == 0.0


def test_a_time_that_nobody_walks_is_impossible_and_the_usual_one_speaks_for_the_link() -> None:
    assert time_odds(10, shortest_s=60, usual_s=90) == -math.inf
    assert time_odds(58, shortest_s=60, usual_s=90) > -math.inf, "clocks and shortest times are only so good"
    assert time_odds(90, shortest_s=60, usual_s=90) > time_odds(300, shortest_s=60, usual_s=90)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["door", "hall", "lift", "floor4", "annex"]),
            st.integers(0, 4000),
            st.floats(0.45, 1.0),
        ),
        max_size=25,
        unique_by=lambda one: (one[0], one[1]),
    )
)
def test_no_link_of_any_trail_is_faster_than_a_person_and_no_capture_disappears(
    given_: list[tuple[str, int, float]],
) -> None:
    sightings = [seen(*one) for one in given_]
    trail = follow(sightings, WALKING)
    shown = [p.sighting.passage_id for p in (*trail.points, *(cut.point for cut in trail.apart))]
    assert sorted(shown) == sorted(s.passage_id for s in sightings)
    assert len(trail.links) == max(0, len(trail.points) - 1)
    for link in trail.links:
        assert 0 < link.probability < 1
        if link.shortest_s is not None:
            assert link.took_s >= 0.85 * link.shortest_s - 2.0


def test_last_seen_says_how_long_ago() -> None:
    last = last_seen(follow([seen("door", 0), seen("hall", 30)], WALKING), now_us=T0 + 44 * SECOND_US)
    assert last is not None
    assert (last.camera_id, last.ago_s) == ("hall", 14.0)
    assert last_seen(follow([], WALKING), now_us=T0) is None


def test_the_forecast_names_near_cameras_first_and_adds_up_to_one() -> None:
    last = last_seen(follow([seen("hall", 0)], WALKING), now_us=T0 + 5 * SECOND_US)
    assert last is not None
    coming = forecast(last, WALKING, live=["door", "lift", "floor4"])
    assert [one.camera_id for one in coming] == ["door", "lift", "floor4", None]
    assert sum(one.probability for one in coming) == pytest.approx(1.0)
    assert coming[0].usual_s == 25.0


def test_the_longer_nobody_comes_the_more_likely_somebody_stays_or_has_gone() -> None:
    def stays(ago_s: float) -> float:
        last = last_seen(follow([seen("hall", 0)], WALKING), now_us=T0 + round(ago_s * SECOND_US))
        assert last is not None
        return forecast(last, WALKING, live=["door", "lift", "floor4"])[-1].probability

    assert stays(5) < stays(120) < stays(1200) < stays(7200)


def test_a_camera_that_does_not_work_is_forecast_by_nobody() -> None:
    last = last_seen(follow([seen("hall", 0)], WALKING), now_us=T0)
    assert last is not None
    assert {one.camera_id for one in forecast(last, WALKING, live=["lift"])} == {"lift", None}
    (nowhere,) = forecast(last, {}, live=["lift"])
    assert (nowhere.camera_id, nowhere.probability) == (None, 1.0)
