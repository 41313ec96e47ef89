"""Search of face vectors: exact answers of the index against NumPy's full float32 scan, a few queries of each in turn.

The threads of NumPy's BLAS keep a processor busy for a while after each product, so each turn begins with a pause. Each
measurement runs in a process of its own, so that its memory goes back. Vectors are random (nobody resembles
anybody) and clustered (groups whose members have similarities of 0.3 to 0.7, as look-alikes of one age and origin do):
what is hard for a bound is rows that are nearly as alike as the answer.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.harness import Figure
from shouhao.faces.search import ExactIndex

ROOT = Path(__file__).resolve().parent.parent
DIMS = 512
GROUPS = 200
PROBES = 16
SLICE = 25_000
PAUSE_S = 0.15

Floats = NDArray[np.float32]


def search_figures() -> list[Figure]:
    """A hundred thousand and a million rows of 512 dimensions, and a hundred thousand of 128."""
    return [
        _searched("search_100k", 100_000, DIMS, rounds=10),
        _searched("search_1m", 1_000_000, DIMS, rounds=2),
        _searched("search_128d", 100_000, 128, rounds=10),
    ]


def _searched(name: str, rows: int, dims: int, *, rounds: int) -> Figure:
    """The nearest row among clustered ones; the floor is the same queries in the same process."""
    seen: dict[str, float] = {}
    notes: dict[str, list[float]] = {}

    def floor() -> float:
        seen.update(_apart(rows, dims, rounds))
        for note, value in seen.items():
            notes.setdefault(note, []).append(value)
        return 1000 / seen["ms_numpy_clustered"]

    return Figure(
        name=name,
        unit="queries/s",
        measure=lambda: 1000 / seen["ms_nearest_clustered"],
        floor=floor,
        floor_is="float32 matrix times vector, argmax",
        reach=2.0,
        notes=notes,
    )


def _apart(rows: int, dims: int, rounds: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.faces_search", str(rows), str(dims), str(rounds)],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _compare(rows: int, dims: int, rounds: int) -> dict[str, float]:
    chance = np.random.default_rng(rows)
    vectors = np.empty((rows, dims), np.float32)
    for start in range(0, rows, SLICE):
        vectors[start : start + SLICE] = _unit(chance.standard_normal((min(SLICE, rows - start), dims), np.float32))
    seen = _measured("random", vectors, _unit(chance.standard_normal((PROBES, dims), np.float32)), rounds)
    groups = _unit(chance.standard_normal((GROUPS, dims), np.float32))
    for start in range(0, rows, SLICE):
        _cluster(vectors[start : start + SLICE], groups, chance)
    probes = _unit(chance.standard_normal((PROBES, dims), np.float32))
    _cluster(probes, groups, chance)
    return seen | _measured("clustered", vectors, probes, rounds)


def _unit(vectors: Floats) -> Floats:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _cluster(vectors: Floats, groups: Floats, chance: np.random.Generator) -> None:
    """Draw each vector towards one of the groups, in place."""
    share = chance.uniform(0.55, 0.85, (len(vectors), 1)).astype(np.float32)
    vectors *= np.sqrt(1 - share**2)
    vectors += share * groups[chance.integers(0, len(groups), len(vectors))]
    _unit(vectors)


def _measured(kind: str, vectors: Floats, probes: Floats, rounds: int) -> dict[str, float]:
    """Medians in milliseconds, every way in turn; half of the probes resemble somebody in the index."""
    index = ExactIndex(vectors.shape[1])
    for start in range(0, len(vectors), SLICE):
        index.add(vectors[start : start + SLICE])
    known = vectors[:: len(vectors) // PROBES][: PROBES // 2]
    probes[: PROBES // 2] = _unit(
        known + 0.9 * _unit(np.random.default_rng(1).standard_normal(known.shape, np.float32))
    )
    threshold = float(np.partition(vectors[:SLICE] @ probes[-1], -3)[-3])  # so that a few in ten thousand reach it
    rescored: list[int] = []

    def by_index(search: Callable[[Floats], Any]) -> Callable[[Floats], None]:
        def searched(probe: Floats) -> None:
            rescored.append(search(probe[np.newaxis])[0].rescored)

        return searched

    ways: dict[str, Callable[[Floats], Any]] = {
        "numpy": lambda probe: (vectors @ probe).argmax(),
        "nearest": by_index(lambda probe: index.nearest(probe, 1)),
        "ten": by_index(lambda probe: index.nearest(probe, 10)),
        "threshold": by_index(lambda probe: index.at_least(probe, threshold)),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for way, search in [*ways.items()] * rounds:
        time.sleep(PAUSE_S)
        for probe in probes:
            started = time.perf_counter()
            search(probe)
            took[way].append((time.perf_counter() - started) * 1000)
    seen = {f"ms_{way}_{kind}": statistics.median(values) for way, values in took.items()}
    seen[f"rescored_per_100k_{kind}"] = sum(rescored) / len(rescored) / len(vectors) * 100_000
    seen["memory_percent"] = index.memory_bytes / vectors.nbytes * 100
    index.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(_compare(*(int(value) for value in sys.argv[1:4]))))
