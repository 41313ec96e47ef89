"""Circuit breaker: after several failures in a row a dependency is left alone for a while, then tried by one call.

The rules are pure functions over a frozen state; `CircuitBreaker` only holds the state for several threads.
"""

import threading
from dataclasses import dataclass, replace

from shouhao.kernel.clock import SECOND_US, Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When to stop asking and when to try again."""

    failures: int = 5  #: in a row, before the breaker opens
    open_s: float = 30.0  #: how long nobody asks; also how long a probe may take before another is let through

    def __post_init__(self) -> None:
        if self.failures < 1 or self.open_s <= 0:
            raise ValueError("a breaker needs at least one failure and a positive time")


@dataclass(frozen=True, slots=True)
class Closed:
    """Calls pass; so many have failed in a row."""

    failures: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """No call passes before then."""

    until_us: int


@dataclass(frozen=True, slots=True)
class HalfOpen:
    """One probe is under way and nobody else passes; a probe that is lost counts as failed after then."""

    until_us: int


State = Closed | Open | HalfOpen


def ask(state: State, *, settings: BreakerSettings, now_us: int) -> tuple[State, bool]:
    """The next state, and whether this call may pass."""
    if isinstance(state, Closed):
        return state, True
    if now_us < state.until_us:
        return state, False
    return HalfOpen(now_us + _open_us(settings)), True


def after_success(state: State) -> State:
    """A call succeeded; one that set out before the breaker opened does not close it, only the probe does."""
    return state if isinstance(state, Open) else Closed()


def after_failure(state: State, *, settings: BreakerSettings, now_us: int) -> State:
    """A call failed; a late one does not make an open breaker wait longer."""
    if isinstance(state, Open):
        return state
    if isinstance(state, Closed) and state.failures + 1 < settings.failures:
        return replace(state, failures=state.failures + 1)
    return Open(now_us + _open_us(settings))


def wait_s(state: State, *, now_us: int) -> float:
    """How long until a call may pass."""
    return 0.0 if isinstance(state, Closed) else max(0.0, (state.until_us - now_us) / SECOND_US)


class CircuitBreaker:
    """One breaker shared by threads."""

    def __init__(self, settings: BreakerSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State = Closed()

    @property
    def state(self) -> State:
        """How it stands now."""
        return self._state

    def may_call(self) -> bool:
        """Whether a call may pass; who is told yes must tell how it went."""
        with self._lock:
            self._state, passes = ask(self._state, settings=self._settings, now_us=self._clock.now_us())
            return passes

    def succeeded(self) -> None:
        """The call was answered."""
        with self._lock:
            self._state = after_success(self._state)

    def failed(self) -> None:
        """The call was not answered."""
        with self._lock:
            self._state = after_failure(self._state, settings=self._settings, now_us=self._clock.now_us())

    def wait_s(self) -> float:
        """How long until a call may pass."""
        return wait_s(self._state, now_us=self._clock.now_us())


def _open_us(settings: BreakerSettings) -> int:
    return round(settings.open_s * SECOND_US)
