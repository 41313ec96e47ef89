"""Attack: a scalper returns a slot and snatches it when it opens again. The moment must be nobody's to know.

Ten thousand rests of a slot are lived through, each by looks of a worker as in production. Where the source is the
system's, a bound is so wide that chance alone breaks it less than once in a million runs.
"""

import inspect
import math
import secrets
from collections import Counter
from itertools import pairwise

import pytest

from shouhao.booking.release.policy import ReturnRules
from shouhao.booking.returns import REST_STEP_S, opens_now, rest_step_of, rest_steps
from shouhao.booking.waitlist import at_least
from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.randomness import SeededRandomness, SystemRandomness

RULES = ReturnRules()
STEPS = rest_steps(RULES)
SINCE = 1_800_000_000_000_000
LEAST, MOST = RULES.rest_least_s, RULES.rest_most_s
SAMPLES = 10_000
NEVER = 1e-7  #: how rarely a bound may be broken by chance alone


def rest(randomness, *, since_us=SINCE, looked_step=0, first_look_s=0.0, beat_s=REST_STEP_S):
    """How long one slot rests, in seconds, under a worker that looks at every beat; only what is stored is carried."""
    after_s = first_look_s
    while True:
        step = rest_step_of(since_us=since_us, now_us=since_us + round(after_s * SECOND_US), rules=RULES)
        if opens_now(looked_step=looked_step, step=step, rules=RULES, randomness=randomness):
            return after_s
        looked_step = max(looked_step, step)
        after_s += beat_s


def opening_steps(randomness, *, looked_step=0, samples=SAMPLES):
    """At which step each of many slots opens, if every step is looked at."""
    steps = []
    for _ in range(samples):
        step = looked_step + 1
        while not opens_now(looked_step=step - 1, step=step, rules=RULES, randomness=randomness):
            step += 1
        steps.append(step)
    return steps


@pytest.fixture(scope="module", params=["system", "seeded"])
def rested_s(request):
    """How long ten thousand slots rested; the looks fall anywhere, and begin before the least time is over."""
    source = SystemRandomness() if request.param == "system" else SeededRandomness(20261123)
    return [rest(source, first_look_s=LEAST - 60 + source.below(REST_STEP_S * 1000) / 1000) for _ in range(SAMPLES)]


@pytest.fixture(scope="module")
def moments(rested_s):
    """The same in whole steps."""
    return [math.floor((seconds - LEAST) / REST_STEP_S) for seconds in rested_s]


def unevenness(moments, *, first, last, bins=20):
    """Pearson's chi-square of the moments over equal bins of the steps from first to last."""
    count = last - first + 1
    bin_of = [(step - first) * bins // count for step in range(first, last + 1)]
    expected = {n: len(moments) * size / count for n, size in Counter(bin_of).items()}
    seen = Counter(bin_of[step - first] for step in moments)
    return sum((seen[n] - expected[n]) ** 2 / expected[n] for n in expected)


def rarely_beyond(freedom):
    """A bound that chi-square passes more rarely than NEVER: d + 2 sqrt(d x) + 2 x is passed with exp(-x) at most.

    Source: Laurent and Massart 2000, Lemma 1.
    """
    x = -math.log(NEVER)
    return freedom + 2 * math.sqrt(freedom * x) + 2 * x


def correlation(values, lag):
    mean = sum(values) / len(values)
    around = [value - mean for value in values]
    together = sum(a * b for a, b in zip(around, around[lag:], strict=False))
    return together / sum(a * a for a in around)


def test_a_slot_opens_within_the_bounds_and_nowhere_else(rested_s):
    assert LEAST <= min(rested_s) <= max(rested_s) <= MOST


def test_a_slot_may_open_at_every_step_up_to_the_last(moments):
    assert set(moments) == set(range(1, STEPS + 1))


def test_every_part_of_the_time_is_as_likely_as_every_other(moments):
    assert unevenness(moments, first=1, last=STEPS) < rarely_beyond(19)


def test_the_measure_would_notice_a_slot_that_opens_with_the_same_chance_at_each_look():
    source = SeededRandomness(7)
    geometric = [min(STEPS, next(n for n in range(1, 10_000) if source.below(STEPS) == 0)) for _ in range(SAMPLES)]
    assert unevenness(geometric, first=1, last=STEPS) > 10 * rarely_beyond(19)


def test_the_best_guess_hits_no_more_often_than_its_share(moments):
    within = 30 // REST_STEP_S
    seen = Counter(moments)
    hits = max(sum(seen[step + d] for d in range(-within, within + 1)) for step in range(1, STEPS + 1))
    share = (2 * within + 1) / STEPS
    # More hits than these have a chance below NEVER for any of the guesses, even if the best is chosen afterwards.
    most = next(k for k in range(SAMPLES) if at_least(k, n=SAMPLES, p=share) < NEVER / STEPS)
    assert hits < most < 1.5 * share * SAMPLES


@pytest.mark.parametrize("lag", [1, 2, 7])
def test_one_return_says_nothing_about_the_next(moments, lag):
    assert abs(correlation(moments, lag)) < 5.5 / math.sqrt(SAMPLES)


def test_the_measure_would_notice_moments_that_follow_each_other():
    drawn = opening_steps(SeededRandomness(11), samples=2000)
    assert correlation([a + b for a, b in pairwise(drawn)], 1) > 5.5 / math.sqrt(2000)


def test_what_the_database_says_does_not_say_when():
    moments = {rest(SystemRandomness(), looked_step=100, first_look_s=LEAST + 101 * REST_STEP_S) for _ in range(40)}
    assert len(moments) > 5


def test_who_reads_the_database_half_way_is_left_with_every_later_step():
    moments = opening_steps(SystemRandomness(), looked_step=STEPS // 2, samples=4000)
    assert min(moments) > STEPS // 2
    assert unevenness(moments, first=STEPS // 2 + 1, last=STEPS) < rarely_beyond(19)


def test_neither_slot_nor_session_nor_the_moment_of_return_has_a_say():
    assert set(inspect.signature(opens_now).parameters) == {"looked_step", "step", "rules", "randomness"}
    assert set(inspect.signature(rest_step_of).parameters) == {"since_us", "now_us", "rules"}
    later = [SINCE, SINCE + 1, SINCE + 7 * SECOND_US, SINCE + 86_399 * SECOND_US + 123_456]
    for seed in range(50):
        assert len({rest(SeededRandomness(seed), since_us=since_us) for since_us in later}) == 1


def test_a_worker_that_looks_each_step_is_in_time_whenever_it_started():
    for _ in range(300):
        first_look_s = secrets.randbelow(REST_STEP_S * 1000) / 1000
        assert LEAST <= rest(SystemRandomness(), first_look_s=first_look_s) <= MOST


@pytest.mark.parametrize("beat_s", [40, 333, 1800])
def test_a_worker_that_looks_rarely_opens_no_slot_early_and_loses_none(beat_s):
    for first_look_s in range(0, beat_s, max(1, beat_s // 20)):
        rested_s = rest(SystemRandomness(), first_look_s=float(first_look_s), beat_s=beat_s)
        assert LEAST <= rested_s < MOST + beat_s


def test_a_worker_that_was_away_opens_the_slot_at_its_first_look():
    assert rest(SystemRandomness(), looked_step=12, first_look_s=3.0 * MOST) == 3.0 * MOST


def test_a_worker_that_was_away_makes_no_part_of_the_time_likelier():
    away_until = 60  # the first sixty steps go by unseen
    source = SystemRandomness()
    at_once = sum(opens_now(looked_step=0, step=away_until, rules=RULES, randomness=source) for _ in range(SAMPLES))
    share = away_until / STEPS
    assert at_least(at_once, n=SAMPLES, p=share) > NEVER
    assert at_least(SAMPLES - at_once, n=SAMPLES, p=1 - share) > NEVER
