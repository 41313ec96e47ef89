"""The nearest free guard comes first, and the way there is known where people wrote it down."""

from shouhao.watch.dispatch import Post, nearest, route
from shouhao.watch.ways import Way

CAMERAS = {"door": ["c1"], "hall": ["c2", "c3"], "floor4": ["c4"], "annex": ["c9"]}
WALKING = {("c1", "c2"): (20.0, 30.0), ("c1", "c3"): (30.0, 40.0), ("c4", "c2"): (100.0, 150.0)}


def post(guard_id: str, place_id: str, *, busy: bool = False) -> Post:
    return Post(guard_id=guard_id, place_id=place_id, since_us=0, busy=busy)


def test_free_guards_come_before_busy_ones_and_near_before_far_and_known_before_unknown() -> None:
    posts = [
        post("annex", "annex"),
        post("far", "floor4"),
        post("near", "door"),
        post("here", "hall", busy=True),
    ]
    found = nearest(posts, to_place="hall", cameras_at=CAMERAS, walking=WALKING)
    assert [(c.guard_id, c.walking_s) for c in found] == [
        ("near", 30.0),
        ("far", 150.0),
        ("annex", None),
        ("here", 0.0),
    ]


def way(a: str, b: str, usual_s: float) -> Way:
    return Way(from_id=a, to_id=b, shortest_s=usual_s / 2, usual_s=usual_s)


def test_the_route_is_the_quickest_over_the_ways_that_are_known() -> None:
    ways = [way("a", "b", 10), way("b", "d", 10), way("a", "c", 5), way("c", "d", 30), way("z", "a", 1)]
    assert route(ways, starts=["a"], ends=["d"]) == ["a", "b", "d"]
    assert route(ways, starts=["a", "c"], ends=["c"]) == ["c"]
    assert route(ways, starts=["d"], ends=["a"]) == []
