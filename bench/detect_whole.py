"""Whole runs: from the files of made-up days to findings, with detectors 1 and 2 alone and with all of them.

The days are those of `shouhao lab scalping`, with every kind of scalper about; their logs are laid into one file. The
floor does no more than take the same lines apart with the whole combined expression and count once. Each measurement
runs in a process of its own.
"""

import gzip
import importlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from bench.detect_inputs import apart, peak_mb, regex_and_count
from bench.harness import Figure
from shouhao.lab.scalping.options import Options, Size

_HEAVY = ("duckdb", "ibis", "pyarrow.dataset", "scipy.stats", "shouhao.cli.main", "shouhao.detect.live.follow")
FLOOR_IS = "DuckDB, the combined expression and one count over the same log"


@contextmanager
def whole_figures(size: Size) -> Iterator[Sequence[Figure]]:
    """The figures over days of a size that the generator knows."""
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as name:
        folder = Path(name)
        lines, events = _make_days(folder, size)
        print(f"made-up days: {lines:,} log lines, {events:,} events")
        yield [
            _figure("lines", "lines/s from the file on, detectors 1 and 2", folder, lines, lines, 3.06),
            _figure(
                "all", "rows/s (lines and events), all detectors and the report", folder, lines + events, lines, 0.56
            ),
        ]


def _make_days(folder: Path, size: Size) -> tuple[int, int]:
    """Write access.log and events.csv; how many lines and events."""
    from shouhao.lab.scalping.generate import generate  # noqa: PLC0415 - heavy, and wanted here alone

    generate(Options(size=size, forms=("csv",), logs="combined"), folder)
    inputs = folder / "inputs"
    with (folder / "access.log").open("wb") as whole:
        for rotated in ("nginx.access.log.2.gz", "nginx.access.log.1", "nginx.access.log"):
            opening = gzip.open if rotated.endswith(".gz") else open
            with opening(inputs / rotated, "rb") as part:
                shutil.copyfileobj(part, whole)
    return _line_count(folder / "access.log"), _line_count(inputs / "events.csv") - 1


def _line_count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def _figure(what: str, unit: str, folder: Path, rows: int, lines: int, reach: float) -> Figure:
    notes: dict[str, list[float]] = {"seconds": [], "peak_mb": [], "findings": []}

    def measure() -> float:
        seen = apart(what, folder, module="bench.detect_whole")
        for note, values in notes.items():
            values.append(seen[note])
        return rows / float(seen["seconds"])

    return Figure(
        name=f"whole_{what}",
        unit=unit,
        measure=measure,
        floor=lambda: lines / float(apart("floor", folder, module="bench.detect_whole")["seconds"]),
        floor_is=FLOOR_IS,
        reach=reach,
        notes=notes,
    )


def _floor(folder: Path) -> int:
    return regex_and_count(folder / "access.log", fields="combined")


def _lines(folder: Path) -> int:
    """Read the log and run detectors 1 and 2."""
    import duckdb  # noqa: PLC0415 - heavy, and the caller's process does not need it

    from shouhao.detect.inputs.read import read_inputs  # noqa: PLC0415
    from shouhao.detect.live.follow import FAST  # noqa: PLC0415
    from shouhao.detect.run import analyze, tables_of  # noqa: PLC0415

    with duckdb.connect() as connection, tempfile.TemporaryDirectory(dir=folder) as spool:
        connection.execute("SET threads = 2")
        inputs = read_inputs(connection, access_logs=[folder / "access.log"], spool=Path(spool))
        return len(analyze(tables_of(connection), inputs.sources, detectors=FAST, relations=False).findings)


def _all(folder: Path) -> int:
    """The command itself, files, page and all."""
    from shouhao.cli.main import app  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir=folder) as out, redirect_stdout(StringIO()):
        logs = ["--access-log", str(folder / "access.log"), "--events", str(folder / "inputs" / "events.csv")]
        app(["analyze", *logs, "--out", out], standalone_mode=False)
        return (Path(out) / "findings.jsonl").read_bytes().count(b"\n")


if __name__ == "__main__":
    runs: Mapping[str, Callable[[Path], int]] = {"floor": _floor, "lines": _lines, "all": _all}
    run = runs[sys.argv[1]]
    for module in _HEAVY:  # ours and the floor's: not measured
        importlib.import_module(module)
    started = time.perf_counter()
    found = run(Path(sys.argv[2]))
    took = time.perf_counter() - started
    print(json.dumps({"seconds": took, "peak_mb": peak_mb(), "findings": found}))
