"""Answering: every alarm of the demo, taken to its end over the console's API by the people whose part it is.

The machine takes no step. Each step is sent with the version that the person saw, under a key of its own. An alarm is
answered as it comes, up to the guard's arrival; what came of it is written down once everybody has walked past.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from shouhao.kernel.clock import to_us
from shouhao.kernel.errors import Unavailable
from shouhao.kernel.ids import new_id
from shouhao.lab.cameras.run import Outcome
from shouhao.lab.cast import Cast

_WAIT_S = 40.0  #: for the last alarm after the last push; models open in the first seconds
_LOOKS_EVERY_S = 0.3
_PATIENCE_S = 60.0  #: for one answer, on a machine that is busy otherwise
_STEP_TAKES_S = 0.4  #: people take a moment for each step, so that the wall can be followed
_OUTCOMES = ("removed", "genuine_visit")  #: of the first alarm and of the next
_REASON = "演示 demo"


def answered(base: str, cast: Cast, out: Path, *, walked: Future[Outcome]) -> list[dict[str, Any]]:
    """Every alarm, answered to its end, the earliest first.

    Args:
        base: address of the staff API.
        walked: who walked past, once everybody has.
    Raises:
        Unavailable: the console does not answer, or refuses a step.
    """
    try:
        return _answered(base, cast, out, walked)
    except httpx.HTTPError as error:
        raise Unavailable(f"console: {type(error).__name__}") from error


def moment_us(written: str) -> int:
    """A moment of the API in microseconds."""
    return to_us(datetime.fromisoformat(written))


def _answered(base: str, cast: Cast, out: Path, walked: Future[Outcome]) -> list[dict[str, Any]]:
    with _lines(base, cast) as (lines, guards):
        centre = _Centre(lines, guards)
        begun: list[_Answer] = []
        ends: float | None = None
        while True:
            free = len(guards) - len(begun)
            begun += [centre.begin(alarm, len(begun) + n) for n, alarm in enumerate(centre.fresh(begun)[:free])]
            if walked.done():
                wanted = len({one.device_id for one in walked.result().sent if one.listed})
                ends = ends or time.monotonic() + _WAIT_S
                if len(begun) >= wanted or time.monotonic() > ends:
                    break
            time.sleep(_LOOKS_EVERY_S)
        ended = [centre.finish(one, number, out) for number, one in enumerate(begun)]
        for alarm in centre.fresh(begun):  # more than there are guards, as where strangers are taken for the listed
            begun.append(centre.begin(alarm, len(begun) % len(guards)))
            ended.append(centre.finish(begun[-1], len(ended), out))
        return ended


@dataclass(slots=True)
class _Answer:
    """An alarm that is being answered."""

    id: str
    raised_us: int
    guard: httpx.Client
    guard_id: str
    steps: list[tuple[str, int]] = field(default_factory=list)

    def took(self, name: str) -> None:
        self.steps.append((name, time.time_ns() // 1000))


class _Centre:
    """The monitoring centre and the guards, each acting by their own key."""

    def __init__(self, lines: Mapping[str, httpx.Client], guards: Sequence[tuple[str, httpx.Client]]) -> None:
        self._lines = lines
        self._guards = guards

    def fresh(self, begun: Sequence[_Answer]) -> list[dict[str, Any]]:
        """Open alarms that nobody has taken yet, the earliest first."""
        known = {one.id for one in begun}
        found = [one for one in self._open() if one["alarm_id"] not in known]
        return sorted(found, key=lambda one: str(one["raised_at"]))

    def begin(self, alarm: Mapping[str, Any], guard_number: int) -> _Answer:
        """Acknowledge, confirm, send a guard, who accepts and arrives."""
        guard_id, guard = self._guards[guard_number]
        answer = _Answer(alarm["alarm_id"], moment_us(alarm["raised_at"]), guard, guard_id)
        answer.steps.append(("raised", answer.raised_us))
        self._step("monitoring", answer, "acknowledged")
        self._step("monitoring", answer, "confirmed")
        self._step("monitoring", answer, "dispatched", guard_id=guard_id)
        for name in ("accepted", "arrived"):
            self._guard_step(answer, name)
        return answer

    def finish(self, answer: _Answer, number: int, out: Path) -> dict[str, Any]:
        """Write down what came of it, hand over where there is something to hand over, close, and keep the timeline."""
        outcome = _OUTCOMES[min(number, len(_OUTCOMES) - 1)]
        seen = self._now(answer.id)
        self._guard_step(answer, "outcome", outcome=outcome, reason=_REASON)
        if outcome == "removed":
            self._step("police_liaison", answer, "handed_to_police")
        self._step("security", answer, "closed")
        page = self._lines["monitoring"].get(f"/alarms/{answer.id}/timeline", params={"reason": _REASON})
        timeline = f"alarm-{number + 1}.html"
        (out / timeline).write_bytes(page.content)
        return {**seen, "outcome": outcome, "timeline": timeline, "taken": answer.steps}

    def _step(self, role: str, answer: _Answer, name: str, **more: str) -> None:
        time.sleep(_STEP_TAKES_S)
        asked = {"step": name, "version": self._now(answer.id)["version"], **more}
        _told(self._lines[role].post(f"/alarms/{answer.id}/steps", json=asked, headers=_once()))
        answer.took(name)

    def _guard_step(self, answer: _Answer, name: str, **more: str) -> None:
        time.sleep(_STEP_TAKES_S)
        dispatches = _told(answer.guard.get("/guard/dispatches"))["dispatches"]
        mine = next(one["dispatch_id"] for one in dispatches if one["live"])
        asked = {"step": name, **more}
        _told(answer.guard.post(f"/guard/dispatches/{mine}/steps", json=asked, headers=_once()))
        answer.took(name)

    def _open(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _told(self._lines["monitoring"].get("/alarms"))["alarms"]
        return found

    def _now(self, alarm_id: str) -> dict[str, Any]:
        return next(one for one in self._open() if one["alarm_id"] == alarm_id)


@contextmanager
def _lines(base: str, cast: Cast) -> Iterator[tuple[Mapping[str, httpx.Client], Sequence[tuple[str, httpx.Client]]]]:
    with ExitStack() as given_back:

        def line(key: str) -> httpx.Client:
            headers = {"Authorization": f"Bearer {key}"}
            return given_back.enter_context(
                httpx.Client(base_url=base, headers=headers, timeout=_PATIENCE_S, trust_env=False)
            )

        guards = [(guard.id, line(key)) for guard, key in cast.guards]
        yield {role: line(key) for role, key in cast.keys.items()}, guards


def _once() -> dict[str, str]:
    return {"Idempotency-Key": new_id("dm")}


def _told(said: httpx.Response) -> Any:
    if said.is_error:
        raise Unavailable(f"{said.request.method} {said.request.url.path}: {said.status_code} {said.text[:200]}")
    return said.json()
