"""Work: what has to happen at its time, driven from the database alone.

Each duty reads what is due, does it in units of work that change nothing when repeated, and remembers nothing in
memory. A worker can die at any point; another one, or two at once, finish what is due and do nothing twice.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.payment import PaymentGateway
from shouhao.booking.store.draws import next_close_us
from shouhao.booking.store.release import next_release_us
from shouhao.flows.attend import close_ended_sessions
from shouhao.flows.draws import make_due, open_windows, publish_commitments, seal_due
from shouhao.flows.give_back import expire_holds
from shouhao.flows.pay import refund_due
from shouhao.flows.release import release_due
from shouhao.flows.reopen import hand_kept_on, open_rested, revisit_due
from shouhao.kernel.clock import HOUR_US, SECOND_US, Clock
from shouhao.kernel.errors import Unavailable
from shouhao.kernel.randomness import Randomness
from shouhao.store import answers
from shouhao.store.engine import Database
from shouhao.store.invariants import Invariant, Violation, check

_log = structlog.get_logger()
_ROUNDS = 100  #: how often one duty may go on before the others have their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """How often the worker looks."""

    tick_s: float = 1.0  #: longest pause between two looks; a release is not waited for, it is woken up to
    invariants_every_s: float = 300.0
    answers_kept_h: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One kind of work: does some of what is due now and says how much that was."""

    name: str
    do: Callable[[int], int]
    every_s: float = 0.0  #: pause between two turns; nought: each look


def duties(
    db: Database,
    *,
    gateway: PaymentGateway,
    invariants: Sequence[Invariant],
    settings: WorkSettings,
    more: Sequence[Duty] = (),
) -> list[Duty]:
    """Everything the worker does, the most urgent first.

    Args:
        more: duties of other rooms' stories.
    """
    return [
        Duty(name="expire", do=lambda now_us: expire_holds(db, now_us=now_us)),
        Duty(name="refund", do=lambda now_us: refund_due(db, gateway, now_us=now_us)),
        Duty(name="close_sessions", do=lambda now_us: _close(db, now_us), every_s=5.0),
        *more,
        Duty(name="forget_answers", do=lambda now_us: _forget(db, settings, now_us), every_s=600.0),
        Duty(name="invariants", do=lambda _: _check(db, invariants), every_s=settings.invariants_every_s),
    ]


def release_duties(db: Database, keys: DrawKeys, randomness: Randomness) -> list[Duty]:
    """What opens, draws and hands on, before everything else: thousands wait for it to the second."""
    return [
        Duty(name="open_windows", do=lambda now_us: open_windows(db, keys, now_us=now_us)),
        Duty(name="release", do=lambda now_us: release_due(db, now_us=now_us)),
        Duty(name="seal", do=lambda now_us: seal_due(db, keys, now_us=now_us)),
        Duty(name="make_draws", do=lambda now_us: make_due(db, keys, now_us=now_us)),
        Duty(name="hand_kept_on", do=lambda now_us: hand_kept_on(db, now_us=now_us), every_s=0.5),
        Duty(name="commitments", do=lambda _: publish_commitments(db, keys), every_s=1.0),
        Duty(name="revisit", do=lambda now_us: revisit_due(db, now_us=now_us), every_s=5.0),
        Duty(name="open_rested", do=lambda now_us: open_rested(db, randomness, now_us=now_us), every_s=5.0),
    ]


class Worker:
    """Does its duties until it is told to stop."""

    def __init__(self, db: Database, clock: Clock, settings: WorkSettings, todo: Sequence[Duty]) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._todo = todo
        self._next_us = {duty.name: 0 for duty in todo}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Work on a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="worker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the unit of work under way and stop."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def run(self) -> None:
        """Work until stopped."""
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self._pause_s())

    def look(self) -> dict[str, int]:
        """Do everything that is due now; how much of each."""
        done: dict[str, int] = {}
        for duty in self._todo:
            now_us = self._clock.now_us()
            if now_us < self._next_us[duty.name]:
                continue
            self._next_us[duty.name] = now_us + round(duty.every_s * SECOND_US)
            try:
                done[duty.name] = self._work_off(duty)
            except Unavailable as error:
                _log.warning("duty_postponed", duty=duty.name, what=error.what)
            except Exception:  # noqa: BLE001 - one duty's bug must not keep the others from being done
                _log.exception("duty_failed", duty=duty.name)
        return done

    def _work_off(self, duty: Duty) -> int:
        total = 0
        for _ in range(_ROUNDS):
            did = duty.do(self._clock.now_us())
            total += did
            if did == 0 or duty.every_s or self._stopping.is_set():
                break
        if total:
            _log.info("duty_done", duty=duty.name, count=total)
        return total

    def _pause_s(self) -> float:
        try:
            with self._db.read() as connection:
                soon = [at for at in (next_release_us(connection), next_close_us(connection)) if at is not None]
        except Unavailable:
            return self._settings.tick_s
        if not soon:
            return self._settings.tick_s
        until_s = (min(soon) - self._clock.now_us()) / SECOND_US
        return min(self._settings.tick_s, max(until_s, 0.001))


def broken(connection: Connection, invariants: Sequence[Invariant]) -> list[Violation]:
    """What does not hold, each logged as an alarm."""
    violations = check(connection, invariants)
    for violation in violations:
        _log.error("invariant_broken", invariant=violation.code, count=violation.count, examples=violation.examples)
    return violations


def _close(db: Database, now_us: int) -> int:
    return close_ended_sessions(db, now_us=now_us)


def _forget(db: Database, settings: WorkSettings, now_us: int) -> int:
    with db.write() as connection:
        return answers.forget(connection, before_us=now_us - settings.answers_kept_h * HOUR_US)


def _check(db: Database, invariants: Sequence[Invariant]) -> int:
    with db.read() as connection:
        return len(broken(connection, invariants))
