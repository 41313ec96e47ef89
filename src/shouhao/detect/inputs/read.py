"""Read: the one way in. Files go in, the relations `hits` and `events` and what was wrong come out.

Sources are numbered by name, so that the order on the command line changes nothing. Nothing is dropped in silence: a
file that cannot be read at all refuses the run, a line that cannot be read is counted and told with its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shouhao.detect.inputs.access_logs import Hits, load_hits
from shouhao.detect.inputs.events import Events, load_events
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files
from shouhao.detect.inputs.mapping import check_used, names_of
from shouhao.detect.inputs.overlaps import Overlap
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.skew import Skew, estimate_skews
from shouhao.detect.model import Source
from shouhao.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What was read. The files stay open as long as this is kept."""

    sources: tuple[Source, ...]  #: each at its own number
    problems: Problems
    hits: Hits
    events: Events
    skews: tuple[Skew, ...]  #: of the logs' clocks against that of the events; stated, not applied
    files: tuple[InputFile, ...]  #: in the order of `sources`

    @property
    def overlaps(self) -> tuple[Overlap, ...]:
        """Files that have lines in common."""
        return self.hits.overlaps

    def bytes_of(self, source: int, byte_start: int, byte_end: int) -> bytes:
        """The bytes that a row stands in, as `dd` would cut them out of the unpacked file."""
        return bytes(self.files[source].text[byte_start:byte_end])


def read_inputs(
    connection: "DuckDBPyConnection",
    *,
    access_logs: Sequence[Path] = (),
    log_format: str | Sequence[str] = "combined",
    events: Sequence[Path] = (),
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    trusted_proxies: Sequence[str] = (),
    now_us: int | None = None,
    spool: Path | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
    threads: int = 2,
) -> Inputs:
    """Make `hits` and `events` in a DuckDB connection, over any that are there.

    Args:
        log_format: as `log_format.parse_log_format` takes it; or several, of which each line has one.
        mapping: column to the variable of the log or the heading of the event files that fills it; several names of
            one column are tried in turn.
        trusted_proxies: as `hit_reading.hit_reading` takes them.
        now_us: what is dated after it lies in the future; None to leave that out.
        spool: folder for what is unpacked and what is read, for as long as the relations are asked; without one all is
            taken into tables.
    Raises:
        InvalidInput: nothing is given, a file cannot be read, the format is none or fits no line, or a name of the
            mapping is found nowhere.
        Unavailable: there is no room to unpack.
    """
    if not access_logs and not events:
        raise InvalidInput("access_log", zh="没有给出任何文件", en="no file is given")
    names = names_of(mapping)
    problems = Problems()
    opened = open_files(
        [*((path, "access_log") for path in access_logs), *((path, "events") for path in events)],
        problems=problems,
        spool=spool,
        line_limit=line_limit,
        threads=threads,
    )
    numbered = list(enumerate(opened))
    event_files = [(number, file) for number, file in numbered if file.kind == "events"]
    log_files = [(number, file) for number, file in numbered if file.kind == "access_log"]
    told = load_events(connection, event_files, mapping=names, problems=problems, now_us=now_us, line_limit=line_limit)
    hits = load_hits(
        connection,
        log_files,
        log_format,
        mapping=names,
        trusted_proxies=trusted_proxies,
        spool=spool,
        join_accounts=bool(told.event_count),
        problems=problems,
        now_us=now_us,
        line_limit=line_limit,
        threads=threads,
    )
    check_used(names, hits.mapped | told.mapped)
    both = hits.hit_count and told.event_count
    return Inputs(
        sources=tuple(file.source(number) for number, file in numbered),
        problems=problems,
        hits=hits,
        events=told,
        skews=estimate_skews(connection, logs=[n for n, _ in log_files], columns=hits.fills) if both else (),
        files=tuple(opened),
    )
