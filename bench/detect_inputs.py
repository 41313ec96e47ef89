"""Inputs of `analyze`: an access log counted by address and minute, and made into the table of all columns.

Two floors: DuckDB taking each line apart with the whole combined expression and counting once; and DuckDB cutting out
no more than address and minute. Ours includes what they leave out: finding line ends and places, hashing the file,
seeing that each line has its form, and telling what was wrong. Each measurement runs in a process of its own.
"""

import importlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bench.harness import Figure
from shouhao.kernel.clock import HOSPITAL_ZONE

ROOT = Path(__file__).resolve().parent.parent
A_MINUTE_US = 60_000_000
_START = datetime(2026, 11, 25, 7, 0, tzinfo=HOSPITAL_ZONE)
_COUNT = "SELECT count(*), max(lines) FROM (SELECT ip, minute, count(*) AS lines FROM ({}) GROUP BY ALL)"
_COMBINED = r'^(\S+) \S+ (.*?) \[([^\]]+)\] "([^"]*)" (\d+) (\d+) "([^"]*)" "([^"]*)"'
_FIELDS = "['ip', 'user', 'at', 'request', 'status', 'bytes', 'referer', 'agent']"
_FLOORS = {
    "combined": f"SELECT f.ip AS ip, left(f.at, 17) AS minute FROM "
    f"(SELECT regexp_extract(line, '{_COMBINED}', {_FIELDS}) AS f FROM {{}})",
    "two_fields": "SELECT split_part(line, ' ', 1) AS ip, left(split_part(line, '[', 2), 17) AS minute FROM {}",
}


@contextmanager
def inputs_figures(lines: int) -> Iterator[Sequence[Figure]]:
    """The figures of reading, over one log of so many lines."""
    with tempfile.TemporaryDirectory(prefix="shouhao-bench-") as folder:
        log = Path(folder) / "access.log"
        write_log(log, lines)
        yield [
            _figure(
                "count_all", "count", log, lines, "combined", "DuckDB, the combined expression and one count", 3.06
            ),
            _figure(
                "count_two", "count", log, lines, "two_fields", "DuckDB, address and minute alone, and one count", 0.22
            ),
            _figure("table", "table", log, lines, "combined", "DuckDB, the combined expression and one count", 1.0),
        ]


def write_log(path: Path, lines: int) -> None:
    """A log of the combined format: twenty thousand addresses, a few user agents, half an hour a million lines."""
    chance = random.Random(1)  # noqa: S311 - the same log each time
    addresses = [f"10.{n % 200}.{n // 200}.{chance.randrange(256)}" for n in range(20_000)]
    agents = [
        f"Mozilla/5.0 (Linux; Android 13; M{n}) AppleWebKit/537.36 MicroMessenger/8.0.{n % 50}" for n in range(300)
    ]
    paths = [f"/api/v1/sessions/se_{n}/slots" for n in range(1000)]
    with path.open("w", encoding="ascii") as out:
        for second in range(lines // 500):
            at = (_START + timedelta(seconds=second)).strftime("%d/%b/%Y:%H:%M:%S %z")
            out.writelines(
                f'{chance.choice(addresses)} - - [{at}] "GET {chance.choice(paths)} HTTP/1.1" 200 '
                f'{chance.randrange(5000)} "https://h.example/" "{chance.choice(agents)}"\n'
                for _ in range(500)
            )


def _figure(name: str, what: str, log: Path, lines: int, floor: str, floor_is: str, reach: float) -> Figure:
    notes: dict[str, list[float]] = {"seconds": [], "peak_mb": []}

    def measure() -> float:
        seen = apart(what, log)
        for note, values in notes.items():
            values.append(seen[note])
        return lines / float(seen["seconds"])

    return Figure(
        name=f"inputs_{name}",
        unit="lines/s",
        measure=measure,
        floor=lambda: lines / float(apart(floor, log)["seconds"]),
        floor_is=floor_is,
        reach=reach,
        notes=notes,
    )


def apart(what: str, log: Path, *, module: str = "bench.detect_inputs") -> dict[str, Any]:
    """What a measurement saw that ran in a process of its own: seconds, peak_mb and more."""
    done = subprocess.run([sys.executable, "-m", module, what, str(log)], capture_output=True, check=True, cwd=ROOT)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def peak_mb() -> float:
    """The most memory that this process has held, the mapped log included; what its parent held left out."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _ours(log: Path, *, spooled: bool) -> int:
    import duckdb  # noqa: PLC0415 - heavy, and the caller's process does not need it

    from shouhao.detect.inputs.read import read_inputs  # noqa: PLC0415

    with duckdb.connect() as connection, tempfile.TemporaryDirectory(dir=log.parent) as folder:
        connection.execute("SET threads = 2")
        read_inputs(connection, access_logs=[log], spool=Path(folder) if spooled else None)
        by = f"SELECT ip, at_us // {A_MINUTE_US} AS minute FROM hits"
        return _lines(connection.execute(_COUNT.format(by)).fetchall())


def regex_and_count(log: Path, *, fields: str) -> int:
    """DuckDB taking lines apart and counting once; how many lines that were."""
    import duckdb  # noqa: PLC0415

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        line = (
            f"read_csv('{log}', columns = {{'line': 'VARCHAR'}}, delim = chr(1), quote = '', escape = '', "
            "header = false, max_line_size = 10000000)"
        )
        return _lines(connection.execute(_COUNT.format(_FLOORS[fields].format(line))).fetchall())


def _lines(rows: list[tuple[int, int]]) -> int:
    return rows[0][0]


if __name__ == "__main__":
    for module in ("duckdb", "pyarrow.dataset", "shouhao.detect.inputs.read"):  # ours and the floors': not measured
        importlib.import_module(module)
    run = {
        "count": partial(_ours, spooled=True),
        "table": partial(_ours, spooled=False),
        **{fields: partial(regex_and_count, fields=fields) for fields in _FLOORS},
    }[sys.argv[1]]
    started = time.perf_counter()
    groups = run(Path(sys.argv[2]))
    took = time.perf_counter() - started
    print(json.dumps({"seconds": took, "peak_mb": peak_mb(), "groups": groups}))
