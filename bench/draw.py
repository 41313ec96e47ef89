"""Draws: ids ranked against the plain way, and a whole window closed, from entries to published bytes.

Each measurement runs in a process of its own, so that its peak memory is its own.
"""

import hmac
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.harness import Figure
from shouhao.booking.release.draw import Entry, PackedIds, rank_ids
from shouhao.booking.release.draw_file import canonical, draw_file
from shouhao.booking.release.policy import ReleasePolicy, release_body
from shouhao.booking.release.seal import commitment
from shouhao.kernel.clock import iso
from shouhao.kernel.ids import new_ids

ROOT = Path(__file__).resolve().parent.parent
SEED = bytes(range(32))
CLOSED = 100_000
CLOSED_AT_US = 1_800_000_000_000_000
FLOOR_IS = "hmac.digest each, sorted()"


@contextmanager
def figures() -> Iterator[Sequence[Figure]]:
    """The figures; the floor of ten million is the rate of one million, which flatters it."""
    from bench.entries import entries_figure  # noqa: PLC0415 - the measuring processes do not need a server
    from bench.servers import postgresql  # noqa: PLC0415

    with postgresql() as server:
        yield [
            _ranked("rank_1m", 1_000_000),
            _ranked("rank_10m", 10_000_000),
            _closed(),
            entries_figure(server),
        ]


def _ranked(name: str, count: int) -> Figure:
    notes: dict[str, list[float]] = {"seconds": [], "peak_mb": []}

    def measure() -> float:
        seen = _apart("rank", count)
        notes["seconds"].append(seen["seconds"])
        notes["peak_mb"].append(seen["peak_mb"])
        return count / float(seen["seconds"])

    return Figure(
        name=name,
        unit="entries/s",
        measure=measure,
        floor=lambda: 1_000_000 / float(_apart("plain", 1_000_000)["seconds"]),
        floor_is=FLOOR_IS,
        reach=2.0,
        notes=notes,
    )


def _closed() -> Figure:
    """Sealing, ranking, giving out and writing the file; the floor is the plain ranking of as many entries, alone."""
    notes: dict[str, list[float]] = {"seconds": [], "peak_mb": [], "file_mb": []}

    def measure() -> float:
        seen = _apart("close", CLOSED)
        for note, values in notes.items():
            values.append(seen[note])
        return CLOSED / float(seen["seconds"])

    return Figure(
        name="close_100k",
        unit="entries/s",
        measure=measure,
        floor=lambda: CLOSED / float(_apart("plain", CLOSED)["seconds"]),
        floor_is=FLOOR_IS,
        reach=0.15,
        notes=notes,
    )


def _apart(what: str, count: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.draw", what, str(count)], capture_output=True, check=True, cwd=ROOT
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _rank(count: int) -> dict[str, float]:
    parts = [new_ids("de", min(100_000, count - start)) for start in range(0, count, 100_000)]
    width = len(parts[0][0])
    data = bytearray()
    while parts:
        data += "".join(parts.pop()).encode()
    packed = PackedIds(data=bytes(data), width=width)
    del data
    started = time.perf_counter()
    order = rank_ids(packed, seed=SEED)
    took = time.perf_counter() - started
    if len(order) != count:
        raise RuntimeError("not every entry was ranked")
    return {"seconds": took}


def _plain(count: int) -> dict[str, float]:
    ids = [one.encode() for one in new_ids("de", count)]
    started = time.perf_counter()
    hashes = [(hmac.digest(SEED, one, "sha256"), one) for one in ids]
    hashes.sort()
    return {"seconds": time.perf_counter() - started}


def _close(count: int) -> dict[str, float]:
    people = new_ids("t", count)
    entries = [
        Entry(id=one, people=(ticket,), wishes=("S1", "S2")[: 1 + n % 2])
        for n, (one, ticket) in enumerate(zip(new_ids("de", count), people, strict=True))
    ]
    moment = iso(CLOSED_AT_US)
    started = time.perf_counter()
    file = draw_file(
        draw_id="dr_bench",
        kind="release",
        title="bench",
        policy=release_body(ReleasePolicy(kind="draw")),
        policy_scope="release:everywhere",
        policy_version=1,
        opened_at=moment,
        closed_at=moment,
        sealed_at=moment,
        targets=[{"id": one, "seats": 60, "label": one} for one in ("S1", "S2")],
        left_out=[],
        entries=entries,
        commitment=commitment("dr_bench", SEED),
        receipt_key=None,
        secret=SEED,
    )
    size = len(canonical(file))
    return {"seconds": time.perf_counter() - started, "file_mb": size / 1e6}


if __name__ == "__main__":
    seen = {"rank": _rank, "plain": _plain, "close": _close}[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps({**seen, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
