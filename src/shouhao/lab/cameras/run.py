"""Run: many cameras in one process, people walking past, and a report of what was sent, answered, and how fast."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import quantiles
from typing import Any

import httpx

from shouhao.kernel.clock import SECOND_US
from shouhao.lab.cameras.device import Answer, Device, NotRegistered
from shouhao.lab.cameras.faults import chosen
from shouhao.lab.cameras.messages import faces_message
from shouhao.lab.cameras.people import Person
from shouhao.lab.cameras.traffic import SHOTS, Passage, Shown, passages

_KEEPALIVE_S = 30.0
_AT_ONCE = 512
_PERCENT = 100
_LATEST_S = 30.0  #: a post that waits for a stalled line is given so long after the end

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to simulate."""

    base: str  #: http://HOST:PORT of the platform
    device_ids: Sequence[str]
    password: str
    people: Sequence[Person]
    rate: float  #: posts a second, of all cameras together
    seconds: float
    listed_share: float = 0.1
    faults: Mapping[str, float] = field(default_factory=dict)
    late_s: float = 60.0
    skew_s: float = 90.0
    stall_s: float = 20.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One post, and what came of it: the truth that detections are held against."""

    passage: int
    device_id: str
    person: str
    listed: bool
    face_ids: tuple[str, ...]
    shot_at_us: int  #: by the simulator's clock
    answered_at_us: int
    faults: tuple[str, ...]
    answer: Answer


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What happened."""

    sent: list[Sent] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    refused_registers: list[str] = field(default_factory=list)
    replays: Counter[str] = field(default_factory=Counter)
    register_s: list[float] = field(default_factory=list)
    registrations: int = 0
    behind_s: float = 0.0  #: how far the simulator itself fell behind
    took_s: float = 0.0

    def report(self, plan: Plan) -> dict[str, Any]:
        """What is told of it; numbers alone."""
        answers = [one.answer for one in self.sent]
        return {
            "cameras": len(plan.device_ids),
            "seconds": round(self.took_s, 2),
            "passages": len({one.passage for one in self.sent}),
            "passages_of_listed": len({one.passage for one in self.sent if one.listed}),
            "posts": len(self.sent),
            "posts_a_second": round(len(self.sent) / self.took_s, 2) if self.took_s else None,
            "faces": sum(len(one.face_ids) for one in self.sent),
            "answered": dict(sorted(Counter(str(answer.status) for answer in answers).items())),
            "status_codes": dict(sorted(Counter(code for answer in answers for code in answer.codes).items())),
            "not_taken": sum(not answer.good for answer in answers),
            "posts_sent_again": sum(answer.tries - 1 for answer in answers),
            "answer_ms": _spread([one.answer.took_s for one in self.sent if "stall" not in one.faults]),
            "registrations": self.registrations,
            "register_ms": _spread(self.register_s),
            "not_registered": self.refused_registers,
            "faults": dict(sorted(self.faults.items())),
            "replays_answered": dict(self.replays),
            "simulator_behind_s": round(self.behind_s, 3),
        }


def simulate(plan: Plan, *, progress: Progress | None = None) -> Outcome:
    """Run the plan in an event loop of its own.

    Raises:
        NotRegistered: not one device was let in.
    """
    return asyncio.run(run_cameras(plan, progress=progress))


async def run_cameras(plan: Plan, *, progress: Progress | None = None) -> Outcome:
    """Run the plan.

    Raises:
        NotRegistered: not one device was let in.
    """
    outcome = Outcome()
    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
    timeout = httpx.Timeout(120.0, connect=10.0, pool=120.0)
    async with httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False, verify=False) as client:  # noqa: S501 - the device network is plain HTTP
        devices = _devices(plan, client)
        await _register(devices, outcome)
        alive = [asyncio.create_task(_keep_alive(device, number)) for number, device in enumerate(devices)]
        try:
            await _walk(plan, devices, outcome, progress)
        finally:
            for task in alive:
                task.cancel()
            await asyncio.gather(*alive, return_exceptions=True)
        await asyncio.gather(*(device.unregister() for device in devices), return_exceptions=True)
    for device in devices:
        outcome.register_s += device.register_s
        outcome.registrations += device.registrations
    return outcome


def _devices(plan: Plan, client: httpx.AsyncClient) -> list[Device]:
    rng = Random(plan.seed)  # noqa: S311 - a simulation is repeated by its seed
    share = plan.faults.get("skew", 0.0)
    return [
        Device(
            client=client,
            base=plan.base.rstrip("/"),
            device_id=device_id,
            password=plan.password,
            skew_us=round(rng.uniform(-plan.skew_s, plan.skew_s) * SECOND_US) if rng.random() < share else 0,
            stall_s=plan.stall_s,
        )
        for device_id in plan.device_ids
    ]


async def _register(devices: list[Device], outcome: Outcome) -> None:
    found = await asyncio.gather(*(device.ensure_registered() for device in devices), return_exceptions=True)
    for device, error in zip(devices, found, strict=True):
        if isinstance(error, NotRegistered | httpx.HTTPError):
            outcome.refused_registers.append(device.device_id)
        elif error is not None:
            raise error
    if all(error is not None for error in found):
        raise NotRegistered(str(found[0]) or type(found[0]).__name__)


async def _keep_alive(device: Device, number: int) -> None:
    rng = Random(number)  # noqa: S311 - only keeps them apart
    while True:
        await asyncio.sleep(_KEEPALIVE_S * rng.uniform(0.8, 1.2))
        try:
            await device.keepalive()
        except (httpx.HTTPError, NotRegistered):
            continue  # the next one, or the next post, tries again


async def _walk(plan: Plan, devices: list[Device], outcome: Outcome, progress: Progress | None) -> None:
    started = time.perf_counter()
    under_way: set[asyncio.Task[None]] = set()
    rng = Random(plan.seed + 1)  # noqa: S311 - a simulation is repeated by its seed
    walking = passages(
        plan.people,
        cameras=len(devices),
        rate=plan.rate,
        seconds=plan.seconds,
        listed_share=plan.listed_share,
        seed=plan.seed,
    )
    for passage in walking:
        wait_s = passage.begins_s - (time.perf_counter() - started)
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        outcome.behind_s = max(outcome.behind_s, -wait_s)
        faults = [chosen(plan.faults, rng) for _ in passage.shots]
        task = asyncio.create_task(_pass(plan, devices[passage.camera], passage, faults, outcome))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        if progress is not None:
            progress(len(outcome.sent), time.perf_counter() - started)
    rest_s = plan.seconds - (time.perf_counter() - started)
    await asyncio.sleep(max(0.0, rest_s))
    outcome.took_s = time.perf_counter() - started
    if under_way:
        await asyncio.wait(under_way, timeout=_LATEST_S + plan.stall_s + plan.late_s)


async def _pass(plan: Plan, device: Device, passage: Passage, faults: list[frozenset[str]], outcome: Outcome) -> None:
    """One person before one camera."""
    gone_s = 0.0
    posts: list[asyncio.Task[None]] = []
    for number, (shown, befalls) in enumerate(zip(passage.shots, faults, strict=True)):
        await asyncio.sleep(shown.after_s - gone_s)
        gone_s = shown.after_s
        posts.append(asyncio.create_task(_shoot(plan, device, passage, shown, number, befalls, outcome)))
    await asyncio.gather(*posts)


async def _shoot(
    plan: Plan,
    device: Device,
    passage: Passage,
    shown: Shown,
    number: int,
    faults: frozenset[str],
    outcome: Outcome,
) -> None:
    """One shot: made now, sent now or later, once or twice, or never."""
    outcome.faults.update(faults)
    shot_at_us, device_at_us = time.time_ns() // 1000, device.now_us()
    serial = passage.number * len(SHOTS) + number
    body, kind, face_ids = faces_message(
        device.device_id, shown.look, shot_at_us=device_at_us, number=serial, faults=faults
    )
    if "drop" in faults:
        return
    if "late" in faults:
        await asyncio.sleep(plan.late_s)
    if "replay" in faults:
        outcome.replays[str(await device.replay_register())] += 1
    for _ in range(2 if "duplicate" in faults else 1):
        answer = await _posted(device, body, kind, stalls="stall" in faults)
        outcome.sent.append(
            Sent(
                passage=passage.number,
                device_id=device.device_id,
                person=passage.person.name,
                listed=passage.person.listed,
                face_ids=tuple(face_ids),
                shot_at_us=shot_at_us,
                answered_at_us=time.time_ns() // 1000,
                faults=tuple(sorted(faults)),
                answer=answer,
            )
        )


async def _posted(device: Device, body: bytes, kind: str, *, stalls: bool) -> Answer:
    try:
        return await device.post(body, kind, stalls=stalls)
    except (NotRegistered, httpx.HTTPError):
        return Answer(status=0)


def _spread(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    cuts = quantiles(seconds, n=_PERCENT, method="inclusive") if len(seconds) > 1 else [seconds[0]] * (_PERCENT - 1)
    told = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(value * 1000, 1) for name, value in told.items()}
