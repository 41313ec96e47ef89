"""Best shots: the first good one at once, better ones after, few in all, and never more than one held."""

from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import SECOND_US
from shouhao.watch.best_shots import BestShots, Candidate, ShotRules

STEP_US = SECOND_US // 5


def play(qualities, *, rules=None, track=1):
    """(when, quality) of each shot that is sent; the last ones at the end of the track."""
    best, sent = BestShots("c-r", rules), []
    for n, quality in enumerate(qualities):
        gone = best.take(track, Candidate(picture=n, quality=quality, at_us=n * STEP_US))
        sent += [(n, one.shot.quality, one.track, one.number) for one in gone]
    sent += [(len(qualities), one.shot.quality, one.track, one.number) for one in best.end(track)]
    assert len(best) == 0
    return sent


def test_the_first_good_shot_goes_at_once():
    assert play([0.5, 0.9, 0.9])[0] == (1, 0.9, "c-r-1", 1)


def test_a_clearly_better_shot_follows_and_not_before_a_second():
    sent = play([0.82, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95])
    assert [(n, quality) for n, quality, _, _ in sent][:2] == [(0, 0.82), (5, 0.95)]


def test_the_end_of_a_track_adds_another_view_that_is_about_as_good():
    assert [quality for _, quality, _, _ in play([0.9, 0.88])] == [0.9, 0.88]
    assert [quality for _, quality, _, _ in play([0.9, 0.6])] == [0.9]


def test_a_face_that_never_gets_good_goes_after_a_while():
    sent = play([0.5, 0.6, 0.55] + [0.5] * 10)
    assert sent[0][:2] == (10, 0.6)


def test_a_short_passage_ends_with_its_best():
    assert [quality for _, quality, _, _ in play([0.4, 0.6, 0.5])] == [0.6]


def test_a_face_of_no_use_is_never_sent():
    assert play([0.1, 0.2, 0.3]) == []


def test_a_passage_has_few_shots_and_a_long_stay_is_several_passages():
    rules = ShotRules(shots_at_most=3, passage_us=10 * SECOND_US)
    sent = play([0.8 + 0.001 * n for n in range(150)], rules=rules)  # thirty seconds, ever better
    tracks = [track for _, _, track, _ in sent]
    assert set(tracks) == {"c-r-1", "c-r-1.1", "c-r-1.2"}
    assert all(tracks.count(track) <= 3 for track in tracks)


def test_one_shot_a_passage_can_be_asked_for():
    assert len(play([0.8, 0.85, 0.9, 0.95, 1.0, 1.0, 1.0], rules=ShotRules(shots_at_most=1))) == 1


def test_what_cannot_be_bettered_is_not_looked_at_again():
    best = BestShots("c")
    assert not best.settled(1, 0)
    best.take(1, Candidate(picture=0, quality=0.97, at_us=0))
    assert not best.settled(1, STEP_US)  # nothing is held for the end yet
    best.take(1, Candidate(picture=1, quality=0.97, at_us=STEP_US))
    assert best.settled(1, 2 * STEP_US)
    assert not best.settled(1, 61 * SECOND_US)  # a new passage


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_no_shot_is_sent_twice_and_the_best_is_among_them(qualities):
    sent = play(qualities)
    numbers = [number for _, _, _, number in sent]
    assert numbers == list(range(1, len(sent) + 1))
    assert len(sent) <= ShotRules().shots_at_most
    usable = [quality for quality in qualities if quality >= ShotRules().least]
    assert bool(sent) == bool(usable)
    if usable:
        best_sent = max(quality for _, quality, _, _ in sent)
        # What is not sent is better by so little, or came so late in a passage, that the next would have had its place.
        assert best_sent * ShotRules().better_by >= max(usable) or len(sent) == ShotRules().shots_at_most
