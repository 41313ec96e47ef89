"""State inputs: a nightly run's way in, with the same result as one run over all files of all nights.

New files are taken into the state, what is too old is forgotten, and `hits` and `events` are made of what is kept.
Sources are named and numbered over all files of the state, so that neither the night nor the order in which they came
changes anything.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shouhao.detect.inputs.access_logs import Hits
from shouhao.detect.inputs.events import Events
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files, short_names
from shouhao.detect.inputs.log_times import AHEAD_US
from shouhao.detect.inputs.mapping import check_used, names_of
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.read import Inputs
from shouhao.detect.inputs.skew import estimate_skews
from shouhao.detect.model import Source
from shouhao.detect.state.kept import KeptFile, attached, forget, kept_files, rows_left
from shouhao.detect.state.reading import Added, Reading, add_files
from shouhao.detect.state.tables import make_events, make_hits
from shouhao.kernel.clock import DAY_US

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEEP_DAYS = 30


def read_into_state(
    connection: "DuckDBPyConnection",
    folder: Path,
    *,
    access_logs: Sequence[Path] = (),
    log_format: str | Sequence[str] = "combined",
    events: Sequence[Path] = (),
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    trusted_proxies: Sequence[str] = (),
    keep_days: int = KEEP_DAYS,
    now_us: int | None = None,
    spool: Path | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
    threads: int = 2,
) -> Inputs:
    """As `inputs.read.read_inputs`, over the files that are given and those of earlier runs.

    `problems`, the number of lines read and the open files are this run's; all else is of everything that is kept.
    Without any file it is a run over what is kept.

    Args:
        folder: of the state; made when it is not there.
        keep_days: rows that are older, before the newest row, are forgotten.
        now_us: rows that are dated more than five minutes after it are told and left aside until their time has come.
    Raises:
        InvalidInput: as there, or the state is none.
        Unavailable: as there, or another run holds the state.
    """
    names, problems = names_of(mapping), Problems()
    until_us = None if now_us is None else now_us + AHEAD_US
    with attached(connection, folder):
        files = open_files(
            [*((path, "access_log") for path in access_logs), *((path, "events") for path in events)],
            problems=problems,
            spool=spool,
            line_limit=line_limit,
            threads=threads,
        )
        reading = Reading(
            log_format=log_format,
            mapping=names,
            trusted_proxies=trusted_proxies,
            now_us=now_us,
            line_limit=line_limit,
            threads=threads,
        )
        added = add_files(connection, files, reading, problems)
        if added.read:
            check_used(names, added.mapped)
        forget(connection, keep_us=keep_days * DAY_US, until_us=(1 << 62) if until_us is None else until_us)
        return _inputs(connection, added, problems, until_us)


def _inputs(connection: "DuckDBPyConnection", added: Added, problems: Problems, until_us: int | None) -> Inputs:
    kept = kept_files(connection)
    left = rows_left(connection, kept)
    kept = [one for one in kept if left[one.file] or not one.row_count]  # else all of it is forgotten
    names = _names(kept)
    ordered = sorted(kept, key=lambda one: (names[one.file], one.file))
    numbers = {one.file: number for number, one in enumerate(ordered)}
    duplicates = make_events(connection, numbers, until_us=until_us)
    overlaps, counted_once = make_hits(connection, kept, numbers, until_us=until_us)
    hit_count, event_count = (connection.table(name).shape[0] for name in ("main.hits", "main.events"))
    fills = frozenset(column for one in kept for column in one.fills)
    logs = [numbers[one.file] for one in kept if one.kind == "access_log"]
    return Inputs(
        sources=tuple(
            Source(
                number=numbers[one.file],
                name=names[one.file],
                sha256=one.sha256,
                size_bytes=one.size_bytes,
                kind=one.kind,
            )
            for one in ordered
        ),
        problems=problems,
        hits=Hits(
            line_count=added.lines,
            hit_count=hit_count,
            counted_once=counted_once,
            overlaps=tuple(overlaps),
            accounts_joined=0,
            fills=fills,
            mapped=frozenset(added.mapped),
        ),
        events=Events(
            row_count=event_count,
            event_count=event_count,
            duplicates=duplicates + added.duplicates,
            mapped=frozenset(added.mapped),
        ),
        skews=estimate_skews(connection, logs=logs, columns=fills) if hit_count and event_count else (),
        files=tuple(_file(one, names[one.file], added.opened.get(one.file)) for one in ordered),
    )


def _names(kept: Sequence[KeptFile]) -> dict[int, str]:
    """The name of each file; of several that lay at one place, the one that came last has it alone."""
    last = {one.path: one.file for one in kept}
    plain = dict(zip(last, short_names(list(last)), strict=True))
    return {
        one.file: plain[one.path] if last[one.path] == one.file else f"{plain[one.path]}@{one.sha256[:8]}"
        for one in kept
    }


def _file(kept: KeptFile, name: str, opened: InputFile | None) -> InputFile:
    """The open file; one of an earlier night has no text, so that nothing is shown that was not read in this run."""
    if opened is not None:
        return replace(opened, name=name)
    hashing: Future[str] = Future()
    hashing.set_result(kept.sha256)
    return InputFile(
        name=name,
        path=kept.path,
        kind=kept.kind,
        size_bytes=kept.size_bytes,
        packed=kept.packed,
        text=b"",
        stopped=None,
        hashing=hashing,
    )
