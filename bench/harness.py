"""Harness: runs each figure and its floor in turn, at least three times, and reports medians and their ratio.

Figures of different machines cannot be compared; the ratio of a figure to a floor of the same minute can.
"""

import importlib
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shouhao.log import configure_log

BENCHES = {
    "alarms": "bench.alarms",
    "booking": "bench.booking",
    "detect": "bench.detect",
    "draw": "bench.draw",
    "faces": "bench.faces",
    "faces_accuracy": "bench.faces_accuracy",
    "streams": "bench.streams",
    "waitlist": "bench.waitlist",
    "watch": "bench.watch",
}  # name on the command line, module here
SIZED = frozenset({"detect"})  #: benches that have a full size as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One thing that is measured, and what it is held against."""

    name: str
    unit: str
    measure: Callable[[], float]
    floor: Callable[[], float]
    floor_is: str
    reach: float  #: the ratio that is aimed at
    notes: dict[str, list[float]]  #: what else each run saw, by name
    decimals: int = 0  #: that are printed; notes have one more, and so has the file


def run(names: list[str], json_file: Path | None, runs: int, *, full: bool = False) -> int:
    """Measure, those that have a full size in it where that is asked for; 0, or 2 when there is no such bench."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    configure_log(level="WARNING", form="json")
    result: dict[str, object] = {"machine": machine()}
    for name in names or BENCHES:
        module = importlib.import_module(BENCHES[name])
        with module.figures(full=True) if full and name in SIZED else module.figures() as figures:
            for figure in figures:
                result[f"{name}.{figure.name}"] = _measure(figure, runs)
    if json_file is not None:
        json_file.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(figure: Figure, runs: int) -> dict[str, object]:
    floors, values = [], []
    for _ in range(runs):
        floors.append(figure.floor())
        values.append(figure.measure())
    value, floor = statistics.median(values), statistics.median(floors)
    ratio, places = value / floor, figure.decimals
    print(
        f"{figure.name:<12} {value:>10,.{places}f} {figure.unit}   floor {floor:>10,.{places}f} ({figure.floor_is})   "
        f"ratio {ratio:.2f}, reach {figure.reach:.2f}",
        flush=True,
    )
    for note, seen in figure.notes.items():
        print(f"{'':<12}   {note}: {statistics.median(seen):,.{places + 1}f}", flush=True)
    return {
        "value": round(value, places + 1),
        "unit": figure.unit,
        "floor": round(floor, places + 1),
        "floor_is": figure.floor_is,
        "ratio": round(ratio, 3),
        "reach": figure.reach,
        "runs": [
            {"value": round(v, places + 1), "floor": round(f, places + 1)} for v, f in zip(values, floors, strict=True)
        ],
        **{note: round(statistics.median(seen), places + 2) for note, seen in figure.notes.items()},
    }


def machine() -> dict[str, object]:
    """What this was measured on."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
