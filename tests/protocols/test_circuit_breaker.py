"""The breaker's rules, at a clock that moves when told to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import ManualClock
from shouhao.protocols.circuit_breaker import (
    BreakerSettings,
    CircuitBreaker,
    Closed,
    HalfOpen,
    Open,
    after_failure,
    after_success,
    ask,
)

SETTINGS = BreakerSettings(failures=3, open_s=10)


def test_failures_in_a_row_open_it_and_a_success_between_starts_the_count_again() -> None:
    breaker = CircuitBreaker(SETTINGS, ManualClock(0))
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
        assert breaker.may_call()
    breaker.failed()
    assert not breaker.may_call()
    assert breaker.wait_s() == 10


def test_one_probe_passes_and_its_success_closes_it() -> None:
    clock = ManualClock(0)
    breaker = CircuitBreaker(SETTINGS, clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(seconds=9.9)
    assert not breaker.may_call()
    clock.advance(seconds=0.1)
    assert [breaker.may_call() for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.state == Closed(0)


def test_a_failed_probe_opens_it_for_the_whole_time_again() -> None:
    clock = ManualClock(0)
    breaker = CircuitBreaker(SETTINGS, clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(seconds=10)
    assert breaker.may_call()
    breaker.failed()
    assert breaker.state == Open(20_000_000)
    assert not breaker.may_call()


def test_a_probe_that_is_lost_does_not_shut_everybody_out_for_ever() -> None:
    clock = ManualClock(0)
    breaker = CircuitBreaker(SETTINGS, clock)
    for _ in range(3):
        breaker.failed()
    clock.advance(seconds=10)
    assert breaker.may_call()
    clock.advance(seconds=10)
    assert breaker.may_call()


def test_late_answers_do_not_move_an_open_breaker() -> None:
    opened = Open(10)
    assert after_success(opened) == opened
    assert after_failure(opened, settings=SETTINGS, now_us=5) == opened


@given(st.lists(st.sampled_from(["ask", "good", "bad", "wait"]), max_size=60))
def test_it_never_lets_two_probes_through_within_one_wait(steps: list[str]) -> None:
    state: Closed | Open | HalfOpen = Closed()
    now_us, last_probe_us = 0, -10_000_000
    for step in steps:
        if step == "wait":
            now_us += 4_000_000
        elif step == "ask":
            before = state
            state, passes = ask(state, settings=SETTINGS, now_us=now_us)
            if passes and not isinstance(before, Closed):
                assert now_us - last_probe_us >= 10_000_000
                last_probe_us = now_us
        elif step == "good":
            state = after_success(state)
            if isinstance(state, Closed):
                last_probe_us = -10_000_000
        else:
            state = after_failure(state, settings=SETTINGS, now_us=now_us)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one failure"):
        BreakerSettings(failures=0)
