"""`shouhao analyze` over files: they are read, judged, and what came out is written into one folder."""

import dataclasses
import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from shouhao.cli.analyze_pages import begin, command, write_pages
from shouhao.kernel.clock import SystemClock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from shouhao.detect.model import Tables

#: Makes tables to count in, of rows in DuckDB and a folder to work in.
Counting = Callable[["DuckDBPyConnection", Path], "Tables"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What is read, and how."""

    out: Path
    access_logs: Sequence[Path]
    log_formats: Sequence[str]  #: each line has one of them
    events: Sequence[Path]
    mapping: Mapping[str, Sequence[str]]
    trusted_proxies: Sequence[str]
    networks: Path | None  #: a table of who runs which network
    state: Path | None  #: a folder that keeps what earlier runs read
    keep_days: int
    shadow: Sequence[str]  #: rules and thresholds on trial, as `shadow.parse_trial` takes them


def analyze_files(options: BatchOptions, counting: Counting) -> tuple[dict[str, Any], bool]:
    """Read, judge and write; a summary, and whether lines were lost.

    Raises:
        InvalidInput: nothing can be read, or an option is wrong.
    """
    # Imported here: they take a second, and every other command would wait for it.
    import duckdb  # noqa: PLC0415

    from shouhao.detect.inputs.given import given_files  # noqa: PLC0415
    from shouhao.detect.inputs.networks import networks_of, read_networks  # noqa: PLC0415
    from shouhao.detect.inputs.problems import write_problems  # noqa: PLC0415
    from shouhao.detect.inputs.read import read_inputs  # noqa: PLC0415
    from shouhao.detect.model import LEVELS  # noqa: PLC0415
    from shouhao.detect.rules.hot_slots import foretold  # noqa: PLC0415
    from shouhao.detect.run import analyze  # noqa: PLC0415
    from shouhao.detect.shadow import parse_trial, try_out  # noqa: PLC0415
    from shouhao.detect.state.inputs import read_into_state  # noqa: PLC0415

    out, state = options.out, options.state
    trials = [parse_trial(one) for one in options.shadow]
    known = read_networks(options.networks) if options.networks is not None else None
    begin(out)
    with tempfile.TemporaryDirectory(dir=out) as spool, duckdb.connect(str(Path(spool, "rows.duckdb"))) as connection:
        read = read_inputs if state is None else partial(read_into_state, folder=state, keep_days=options.keep_days)
        inputs = read(
            connection,
            access_logs=given_files(options.access_logs, "access_log"),
            log_format=options.log_formats,
            events=given_files(options.events, "events"),
            mapping=options.mapping,
            trusted_proxies=options.trusted_proxies,
            now_us=SystemClock().now_us(),
            spool=Path(spool),
        )
        tables = counting(connection, Path(spool))
        if known is not None:
            tables = dataclasses.replace(tables, networks=networks_of(tables, known))
        if trials:
            analysis, changes = try_out(tables, inputs.sources, trials)
            _write_lines(changes, out / "shadow.jsonl")
        else:
            analysis, changes = analyze(tables, inputs.sources), ()
        _write_lines(analysis.findings, out / "findings.jsonl")
        _write_lines(foretold(tables), out / "forecasts.jsonl")
        write_problems(inputs.problems, out / "problems.jsonl")
        page = write_pages(inputs, tables, analysis, out)
    summary = {
        "hits": inputs.hits.hit_count,
        "events": inputs.events.event_count,
        "findings": {level: sum(one["level"] == level for one in analysis.findings) for level in reversed(LEVELS)},
        "rings": len(analysis.rings),
        "problems": dict(inputs.problems.counts),
        "abstained": {code: list(missing) for code, missing in analysis.abstained.items()},
        "shadow": [dataclasses.asdict(one) for one in changes],
        "report": str(page),
        "command": shlex.join(command()),
    }
    return summary, inputs.problems.loses


def _write_lines(rows: Iterable[object], path: Path) -> None:
    path.write_bytes(msgspec.json.Encoder().encode_lines(rows))
