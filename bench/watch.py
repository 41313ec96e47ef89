"""The watch: from a camera's post to an alarm, with 60 simulated GA/T 1400 cameras at 40 captures a second.

A real receiver, a real spool, a real worker, PostgreSQL, and the simulator share this machine. A capture is one post of
a face with its scene; an alarm counts as there when another connection sees its sighting. `SHOUHAO_BENCH_SECONDS` says
how long each run takes: 60 unless it is set, 1800 for what is asked about memory and loss.

Models and photographs are those of SHOUHAO_MODELS and of `shared/` beside the checkout.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from bench.harness import Figure
from bench.watch_hospital import Hospital, Running, hospital
from shouhao.lab.cameras.run import Outcome, Plan, Sent, simulate
from shouhao.watch.store.alarm_tables import sightings
from shouhao.watch.store.capture_tables import traffic

ROOT = Path(__file__).resolve().parent.parent
RATE = 40.0
ASKED_S = {2_100: 1.0, 100_000: 1.5}
LISTED_SHARE = 0.05
_POLL_S = 0.01
_WARM_S = 3.0
_DRAINS_S = 60.0  #: without any progress


@dataclass(slots=True)
class _Alarms:
    """When each sighting was first seen by another connection."""

    hospital: Hospital
    began_us: int = field(default_factory=lambda: time.time_ns() // 1000)
    seen_at_us: dict[str, tuple[int, int, str, str]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until stopped."""
        while not self._stop.wait(_POLL_S):
            self.look()

    def look(self) -> None:
        """Look once."""
        query = select(
            sightings.c.passage_id, sightings.c.arrived_at_us, sightings.c.camera_id, sightings.c.entry_id
        ).where(sightings.c.arrived_at_us > self._since_us())
        with self.hospital.system.db.read() as connection:
            found = connection.execute(query).all()
        now_us = time.time_ns() // 1000
        for passage_id, arrived_at_us, camera_id, entry_id in found:
            self.seen_at_us.setdefault(passage_id, (arrived_at_us, now_us, camera_id, entry_id))

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()

    def _since_us(self) -> int:
        return max(self.began_us, time.time_ns() // 1000 - 60_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run saw."""

    latencies_s: list[float]  #: of sightings: from the last needed shot leaving its camera to being seen
    from_arrival_s: list[float]  #: the same from its arrival
    sent: int  #: shots that the receiver took
    worked_off: int
    listed_passages: int
    found: int  #: of them
    false: int  #: sightings of others
    answer_ms: float  #: the receiver's 99th percentile
    worker_cpu: float  #: share of one core
    receiver_cpu: float
    memory_begin_mib: float
    memory_end_mib: float


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures, where models and photographs are here."""
    models = (ROOT / os.environ.get("SHOUHAO_MODELS", "../shared/models")).resolve()
    photographs = ROOT / "../shared/faces/lfw-dev"
    if not (models / "mobilefacenet.onnx").is_file() or not photographs.is_dir():
        print("no models or photographs here: the watch is not measured")
        yield []
        return
    with hospital(models, photographs.resolve()) as made:
        made.start("internal")
        bench = _Bench(made, float(os.environ.get("SHOUHAO_BENCH_SECONDS", "60")))
        yield [bench.alarms(2_100), bench.full_spool(), bench.alarms(100_000)]


class _Bench:
    def __init__(self, made: Hospital, seconds: float) -> None:
        self.made, self.seconds = made, seconds
        self.seed = 0

    def alarms(self, entries: int) -> Figure:
        """From capture to alarm with a list of this size."""
        notes: dict[str, list[float]] = {}

        def measure() -> float:
            self.made.list_up_to(entries)
            worker = self.made.start("watch")
            try:
                # After one that was killed, a worker looks at open passages again first; that is no alarm's delay.
                self.drain(self.counted() + _taken(self.simulate(_WARM_S)), worker)
                run = self.run(worker)
            finally:
                worker.kill()
            _note(notes, run)
            return float(np.percentile(run.latencies_s, 99)) if run.latencies_s else float("inf")

        return Figure(
            name=f"p99_{entries}",
            unit=f"s from the last needed capture to the alarm, 99th percentile, {entries:,} photographs on the list",
            measure=measure,
            floor=lambda: ASKED_S[entries],
            floor_is="what is asked",
            reach=1.0,
            notes=notes,
            decimals=3,
        )

    def full_spool(self) -> Figure:
        """How fast a worker that was away works off what waited."""
        notes: dict[str, list[float]] = {"waited": [], "lost_or_doubled": []}

        def measure() -> float:
            before = self.counted()
            outcome = self.simulate(min(self.seconds, 30.0))
            taken = _taken(outcome)
            self.made.start("watch").kill()  # once more, in the middle of it
            worker = self.made.start("watch")
            try:
                began, at_first = time.monotonic(), self.counted() - before
                self.drain(before + taken, worker)
                took_s = time.monotonic() - began
            finally:
                worker.kill()
            notes["waited"].append(taken)
            notes["lost_or_doubled"].append(abs(self.counted() - before - taken))
            return (taken - at_first) / took_s

        return Figure(
            name="full_spool",
            unit="captures/s, worked off by a worker that was killed over a full spool",
            measure=measure,
            floor=lambda: RATE,
            floor_is="the rate at which they come",
            reach=1.0,
            notes=notes,
            decimals=1,
        )

    def run(self, worker: Running) -> Run:
        """One run with everything going on."""
        alarms, before = _Alarms(self.made), self.counted()
        receiver = self.made.running[0]
        watching = threading.Thread(target=alarms.watch)
        watching.start()
        cpu, began = (worker.cpu_s(), receiver.cpu_s()), time.monotonic()
        memory: list[float] = []
        sampling = threading.Event()
        sampler = threading.Thread(target=_sample, args=(worker, memory, sampling))
        sampler.start()
        try:
            outcome = self.simulate(self.seconds)
            took_s = time.monotonic() - began
            used = (worker.cpu_s() - cpu[0], receiver.cpu_s() - cpu[1])
            self.drain(before + _taken(outcome), worker)
            alarms.look()
        finally:
            sampling.set()
            alarms.stop()
            watching.join()
            sampler.join()
        return _judged(
            outcome, alarms, self.counted() - before, used=(used[0] / took_s, used[1] / took_s), memory=memory
        )

    def simulate(self, seconds: float) -> Outcome:
        """Let people walk past the cameras."""
        self.seed += 1
        plan = Plan(
            base=self.made.base,
            device_ids=self.made.devices,
            password=self.made.password,
            people=self.made.people,
            rate=RATE,
            seconds=seconds,
            listed_share=LISTED_SHARE,
            seed=self.seed,
        )
        return simulate(plan)

    def counted(self) -> int:
        """Shots that were worked off so far."""
        columns = (traffic.c.shots, traffic.c.faceless, traffic.c.repeated)
        with self.made.system.db.read() as connection:
            found = connection.execute(select(*(func.coalesce(func.sum(one), 0) for one in columns))).one()
        return int(sum(found))

    def drain(self, count: int, worker: Running) -> None:
        """Wait until so many were worked off, or no more are; what the worker says of it is shown."""
        last, at = self.counted(), time.monotonic()
        while last < count:
            time.sleep(0.05)
            now = self.counted()
            if now != last:
                last, at = now, time.monotonic()
            elif time.monotonic() - at > _DRAINS_S:
                print("the worker stopped:", *[line for line in worker.said if "alarm_raised" not in line][-10:])
                return


def _judged(
    outcome: Outcome, alarms: _Alarms, worked_off: int, *, used: tuple[float, float], memory: list[float]
) -> Run:
    """Hold what was seen against what the simulator knows."""
    by_device: dict[str, list[Sent]] = {}
    for sent in outcome.sent:
        by_device.setdefault(f"sim-{int(sent.device_id[-7:]):03d}", []).append(sent)
    latencies, from_arrival, found, false = [], [], set(), 0
    for arrived_at_us, seen_at_us, camera_id, entry_id in alarms.seen_at_us.values():
        shots = [one for one in by_device.get(camera_id, ()) if one.shot_at_us <= arrived_at_us <= one.answered_at_us]
        mine = [one for one in shots if one.person == entry_id]
        if not mine:
            false += bool(by_device)
            continue
        found.add(mine[0].passage)
        latencies.append((seen_at_us - mine[0].shot_at_us) / 1e6)
        from_arrival.append((seen_at_us - arrived_at_us) / 1e6)
    third = max(1, len(memory) // 3)
    answered = [one.answer.took_s for one in outcome.sent]
    return Run(
        latencies_s=latencies,
        from_arrival_s=from_arrival,
        sent=_taken(outcome),
        worked_off=worked_off,
        listed_passages=len({one.passage for one in outcome.sent if one.listed}),
        found=len(found),
        false=false,
        answer_ms=float(np.percentile(answered, 99)) * 1000,
        worker_cpu=used[0],
        receiver_cpu=used[1],
        memory_begin_mib=max(memory[:third]),
        memory_end_mib=max(memory[-third:]),
    )


def _note(notes: dict[str, list[float]], run: Run) -> None:
    told = {
        "p50_s": float(np.percentile(run.latencies_s, 50)) if run.latencies_s else float("inf"),
        "worst_s": max(run.latencies_s, default=float("inf")),
        "p99_from_arrival_s": float(np.percentile(run.from_arrival_s, 99)) if run.from_arrival_s else float("inf"),
        "alarms": len(run.latencies_s),
        "captures": run.sent,
        "lost_or_doubled": abs(run.sent - run.worked_off),
        "listed_passages": run.listed_passages,
        "found": run.found,
        "false": run.false,
        "answered_p99_ms": run.answer_ms,
        "worker_cores": run.worker_cpu,
        "receiver_cores": run.receiver_cpu,
        "memory_first_third_mib": run.memory_begin_mib,
        "memory_last_third_mib": run.memory_end_mib,
    }
    for name, value in told.items():
        notes.setdefault(name, []).append(value)


def _taken(outcome: Outcome) -> int:
    """Faces that the receiver said it has."""
    return sum(len(one.face_ids) for one in outcome.sent if one.answer.good)


def _sample(worker: Running, memory: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.5):
        memory.append(worker.memory_mib())
