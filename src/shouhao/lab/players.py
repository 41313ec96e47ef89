"""Players: mornings are played in processes of their own, one a core.

A rehearsal switches where ids come from (rehearsal.py), and that must never happen in a process beside real patients. A
player is told the stage in one line, then a regime and a seed in each line, and answers each with a line.
"""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from shouhao.kernel.errors import Unavailable
from shouhao.lab.play import Outcome, play
from shouhao.lab.regimes import REGIMES
from shouhao.lab.stage import Stage
from shouhao.log import configure_log
from shouhao.settings import PREFIX

Job = tuple[str, int]  #: name of a regime, seed

_END_S = 10.0


def play_all(stage: Stage, jobs: Sequence[Job], *, processes: int | None = None) -> Iterator[Outcome]:
    """Play these mornings, in whatever order they are done.

    Args:
        processes: how many at once; by default one a core. Nought: in this process, for tests.
    Raises:
        Unavailable: a player ended before it had answered.
    """
    if processes == 0:
        yield from (play(stage, REGIMES[name], seed=seed) for name, seed in jobs)
        return
    todo: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
    count = min(processes or os.cpu_count() or 1, len(jobs))
    for job in jobs:
        todo.put(job)
    for _ in range(count):
        todo.put(None)
    threads = [threading.Thread(target=_keep_playing, args=(stage, todo, done), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            outcome = done.get()
            if outcome is None:
                raise Unavailable("lab")
            yield outcome
    finally:
        while not todo.empty():  # whoever stops listening wants no more of them
            todo.get()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


def _keep_playing(
    stage: Stage, todo: "queue.SimpleQueue[Job | None]", done: "queue.SimpleQueue[Outcome | None]"
) -> None:
    """One player's side in this process: hand it one morning after another."""
    try:
        with _player(stage) as (ask, hear):
            while (job := todo.get()) is not None:
                ask(job)
                done.put(hear())
    except (OSError, msgspec.DecodeError):
        done.put(None)


@contextmanager
def _player(stage: Stage) -> Iterator[tuple[Callable[[object], None], Callable[[], Outcome]]]:
    """A player, as what asks it and what hears its answer."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    process = subprocess.Popen(
        [sys.executable, "-m", "shouhao.lab.players"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=kept,
        start_new_session=True,  # Ctrl-C reaches this process, which then ends that one
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("no pipes")
    to, back = process.stdin, process.stdout

    def ask(said: object) -> None:
        to.write(msgspec.json.encode(said) + b"\n")
        to.flush()

    try:
        ask(stage)
        yield ask, lambda: msgspec.json.decode(back.readline(), type=Outcome)
    finally:
        to.close()
        back.close()
        try:
            process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> None:
    """A player's own side: plays what it is told until nothing more comes."""
    configure_log(level="WARNING")
    lines = iter(sys.stdin.buffer.readline, b"")
    stage = msgspec.json.decode(next(lines), type=Stage)
    for line in lines:
        name, seed = msgspec.json.decode(line, type=Job)
        sys.stdout.buffer.write(msgspec.json.encode(play(stage, REGIMES[name], seed=seed)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
