"""Access logs: nginx's and Apache's logs become the relation `hits`, one row a line that has the form of the log.

Lines that were cut into pieces are kept in files of their own where there is a folder for them, and the relation is a
view of those; of all others it is a table, made by expressions over whole lines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from shouhao.detect.inputs import accounts
from shouhao.detect.inputs.accounts import KEYS
from shouhao.detect.inputs.cut_reading import CutWay
from shouhao.detect.inputs.files import LINE_LIMIT_BYTES, InputFile, open_files
from shouhao.detect.inputs.format_json import keys_of, with_keys
from shouhao.detect.inputs.hit_files import write_hit_files
from shouhao.detect.inputs.hit_reading import HitReading, Way, either, hit_reading
from shouhao.detect.inputs.lines import Int64s, cut
from shouhao.detect.inputs.log_format import LogFormat, parse_log_format, w3c
from shouhao.detect.inputs.log_hints import hint
from shouhao.detect.inputs.log_times import DatedLines, DatedLog, date_logs
from shouhao.detect.inputs.mapping import Names, names_of
from shouhao.detect.inputs.overlaps import Overlap, find_overlaps
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.sql import as_dictionaries, drop_relation, literal
from shouhao.detect.inputs.w3c_format import directives_of
from shouhao.detect.model import Source
from shouhao.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LINES_FOR_KEYS = 1_000  #: of each JSON log, to see which keys there are
_BYTES_FOR_KEYS = 4 << 20
_LINES_FOR_ZONE = 100
_READ, _FEW = "shouhao_read_whole", "shouhao_few_lines"
_SCHEMA = pa.schema(
    [
        ("line", pa.string_view()),
        ("source", pa.int32()),
        ("byte_start", pa.int64()),
        ("byte_end", pa.int64()),
        ("at_us", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What was read of access logs."""

    line_count: int  #: of all files, those put aside and those in two files included
    hit_count: int  #: rows of `hits`
    counted_once: int  #: lines that stand in two files and are left out of the second
    overlaps: tuple[Overlap, ...]
    accounts_joined: int  #: lines whose account comes from the events
    fills: frozenset[str]  #: columns that the format says anything about
    mapped: frozenset[tuple[str, str]]  #: columns and names of the mapping that the format has a variable for


def read_access_logs(
    connection: "DuckDBPyConnection",
    paths: Sequence[Path],
    log_format: str | Sequence[str] = "combined",
    *,
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    trusted_proxies: Sequence[str] = (),
    cut: bool = True,
    spool: Path | None = None,
    problems: Problems | None = None,
    now_us: int | None = None,
    threads: int = 2,
) -> list[Source]:
    """Make `hits` of access logs alone; `read.read_inputs` reads them together with events.

    Args:
        cut: as `hit_reading.hit_reading` takes it.
        spool: as `load_hits` takes it.
    Raises:
        InvalidInput: a file cannot be read, or the format is none, or no line has it.
    """
    problems = Problems() if problems is None else problems
    files = open_files([(path, "access_log") for path in paths], problems=problems, threads=threads)
    numbered = list(enumerate(files))
    load_hits(
        connection,
        numbered,
        log_format,
        mapping=names_of(mapping),
        trusted_proxies=trusted_proxies,
        cut=cut,
        spool=spool,
        problems=problems,
        now_us=now_us,
        threads=threads,
    )
    return [file.source(number) for number, file in numbered]


def load_hits(
    connection: "DuckDBPyConnection",
    numbered: Sequence[tuple[int, InputFile]],
    log_format: str | Sequence[str],
    *,
    mapping: Names | None = None,
    trusted_proxies: Sequence[str] = (),
    cut: bool = True,
    spool: Path | None = None,
    join_accounts: bool = False,
    problems: Problems,
    now_us: int | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
    threads: int = 2,
) -> Hits:
    """Make `hits` of files that are open, over any `hits` that is there.

    Args:
        log_format: of the lines, or several formats of which each line has one, the likeliest first.
        cut: as `hit_reading.hit_reading` takes it.
        spool: a folder that lasts as long as `hits` is asked; None to take everything into a table.
        join_accounts: a relation `events` is there, and names accounts.
    """
    files = [file for _, file in numbered]
    formats = [seen for one in _several(log_format) for seen in _seen(parse_log_format(one), files)]
    reading = either([hit_reading(one, mapping=mapping, trusted_proxies=trusted_proxies, cut=cut) for one in formats])
    _check_says_anything(reading, formats)
    logs = date_logs(
        connection, numbered, reading, problems=problems, now_us=now_us, line_limit=line_limit, threads=threads
    )
    line_count = sum(log.line_count for log in logs)
    hit_count = sum(log.hit_count() for log in logs)
    if not hit_count and problems.counts.get("not_the_form"):
        zh, en = hint(files)
        raise InvalidInput("log_format", zh=f"没有一行符合这个格式；{zh}", en=f"is not the form of a single line; {en}")
    for log in logs:
        _tell_zone(connection, problems, log, reading.ways)
    overlaps, left_out = find_overlaps(connection, logs)
    _tell(problems, overlaps, {number: file.name for number, file in numbered})
    drop_relation(connection, "hits")
    tables = _tables(reading, logs, left_out)
    ways = {_relation(n): way for n, way in enumerate(reading.ways)}
    _register(connection, tables)
    joined = 0
    if join_accounts and set(KEYS) & reading.fills:
        tables, joined = accounts.join_accounts(connection, tables, ways)
        _register(connection, tables)
    _make_hits(connection, tables, ways, spool=spool, threads=threads)
    counted_once = sum(len(places) for places in left_out.values())
    return Hits(
        line_count=line_count,
        hit_count=hit_count - counted_once,
        counted_once=counted_once,
        overlaps=tuple(overlaps),
        accounts_joined=joined,
        fills=reading.fills,
        mapped=reading.used,
    )


def _several(log_format: str | Sequence[str]) -> Sequence[str]:
    return (log_format,) if isinstance(log_format, str) else log_format


def _relation(way: int) -> str:
    """The lines that are read in one way, as DuckDB knows them."""
    return f"shouhao_lines_{way}"


def _seen(log_format: LogFormat, files: Sequence[InputFile]) -> list[LogFormat]:
    """The format; where it is for the files to say what is in them, as they say."""
    if log_format.keys or log_format.parts:
        return [log_format]
    if not any(len(file.text) for file in files):
        return [parse_log_format("combined")]  # nothing will be read with it
    return _w3c_seen(files) if log_format.w3c else [_json_seen(log_format, files)]


def _w3c_seen(files: Sequence[InputFile]) -> list[LogFormat]:
    seen = [w3c(one) for one in dict.fromkeys(one for file in files for one in directives_of(file.text))]
    if not seen:
        zh, en = hint(files)
        raise InvalidInput("log_format", zh=f"文件中没有 #Fields: 行；{zh}", en=f"no file has a line #Fields:; {en}")
    if len({len(one.parts) for one in seen}) < len(seen):
        raise InvalidInput(
            "log_format",
            zh="各文件的 #Fields: 次序不同而列数相同，无法分辨，请分开分析",
            en="there are several #Fields: of as many fields in other orders; analyse these files apart",
        )
    return seen


def _json_seen(log_format: LogFormat, files: Sequence[InputFile]) -> LogFormat:
    keys: set[tuple[str, ...]] = set()
    for file in files:
        lines = cut(file, 0, min(len(file.text), _BYTES_FOR_KEYS))
        for start, end in islice(zip(lines.starts.tolist(), lines.ends.tolist(), strict=True), _LINES_FOR_KEYS):
            keys.update(keys_of(file.text[start:end]))
    if not keys:
        zh, en = hint(files)
        raise InvalidInput("log_format", zh=f"没有一行是 JSON 对象；{zh}", en=f"no line is a JSON object; {en}")
    return with_keys(log_format, keys)


def _check_says_anything(reading: HitReading, formats: Sequence[LogFormat]) -> None:
    """A log of which only the time is understood is not what was meant."""
    if reading.fills == {"at_us"} and all(one.json for one in formats):
        has = "、".join(list(dict.fromkeys(".".join(path) for one in formats for path in one.keys))[:30])
        raise InvalidInput(
            "log_format",
            zh=f"除时间外没有认出任何键，可用 --map 列=键 指明，如 --map ip=键；若原日志行在某个键里（如 message），"
            f"请先取出：jq -r .message 文件；它有：{has}",
            en=f"has no key that is understood but the time; name them with --map COLUMN=KEY, as --map ip=KEY; where a"
            f" key holds lines of another log (message, log), take them out first: jq -r .message FILE; it has: {has}",
        )


def _tell(problems: Problems, overlaps: Sequence[Overlap], names: Mapping[int, str]) -> None:
    for one in overlaps:
        rule = "overlap" if one.one_log else "equal_lines"
        problems.add(rule, names[one.second], lines=one.lines, other=names[one.first])


def _tell_zone(
    connection: "DuckDBPyConnection", problems: Problems, log: DatedLog, ways: Sequence[Way | CutWay]
) -> None:
    """Whether the first lines of a log say their zone; as they do, so do all."""
    before = log.file.lines_before
    for part in log.ranges:
        if not len(part.lines):
            before += part.lines.count
            continue
        few = part.lines.only(np.arange(min(len(part.lines), _LINES_FOR_ZONE)))
        way = next(one for one in ways[int(part.way[0]) :] if isinstance(one, Way))  # the cut one comes before
        connection.register(_FEW, pa.table({"line": few.texts(), "number": few.indexes, "byte": few.starts}))
        query = f"SELECT number, byte FROM {_FEW} WHERE {way.zone_assumed} ORDER BY number LIMIT 1"
        for number, byte in connection.execute(query).fetchall():
            problems.add("zone_assumed", log.file.name, line=before + number + 1, byte=byte)
        connection.unregister(_FEW)
        return


def _tables(reading: HitReading, logs: Sequence[DatedLog], left_out: Mapping[int, Int64s]) -> Mapping[str, pa.Table]:
    """The lines as DuckDB sees them, one relation for each way in use; in the order of source and byte."""
    batches: list[list[pa.RecordBatch]] = [[] for _ in reading.ways]
    for log in logs:
        count = 0
        for part in log.ranges:
            places = left_out.get(log.number, np.empty(0, np.int64))
            first, last = np.searchsorted(places, (count, count + len(part.lines)))
            keep = np.ones(len(part.lines), np.bool_)
            keep[places[first:last] - count] = False
            count += len(part.lines)
            for way, into in enumerate(batches):
                chosen = keep & (part.way == way)
                if chosen.any():
                    into.append(_batch(log.number, way, part if chosen.all() else part.only(chosen)))
    last = len(batches) - 1
    return {
        _relation(n): pa.Table.from_batches(made, None if made else _SCHEMA)
        for n, made in enumerate(batches)
        if made or (n == last and not any(batches))
    }


def _register(connection: "DuckDBPyConnection", tables: Mapping[str, pa.Table]) -> None:
    for relation, table in tables.items():
        connection.register(relation, table)


def _batch(number: int, way: int, part: DatedLines) -> pa.RecordBatch:
    lines = part.lines
    placed = {
        "source": pa.array(np.full(len(lines), number, np.int32)),
        "byte_start": pa.array(lines.starts),
        "byte_end": pa.array(lines.ends),
        "at_us": pa.array(part.at_us),
    }
    if way not in part.columns:
        return pa.record_batch({"line": lines.texts()} | placed, schema=_SCHEMA)
    made = part.columns[way]
    return pa.record_batch(placed | dict(zip(made.schema.names, made.columns, strict=True)))


def _make_hits(
    connection: "DuckDBPyConnection",
    tables: Mapping[str, pa.Table],
    ways: Mapping[str, Way | CutWay],
    *,
    spool: Path | None,
    threads: int,
) -> None:
    cut = {relation: table for relation, table in tables.items() if isinstance(ways[relation], CutWay)}
    written = write_hit_files(cut, spool, threads=threads) if spool is not None else {}
    selects = [
        ways[relation].select(relation, joined="joined" in table.column_names)
        for relation, table in tables.items()
        if relation not in written
    ]
    if selects:
        drop_relation(connection, _READ)
        with as_dictionaries(connection):
            connection.execute(f"CREATE TABLE {_READ if written else 'hits'} AS {' UNION ALL '.join(selects)}")
    if written:
        views = [
            ways[relation].select(f"read_parquet([{', '.join(literal(str(path)) for path in paths)}])")
            for relation, paths in written.items()
        ]
        views += [f"SELECT * FROM {_READ}"] if selects else []
        connection.execute(f"CREATE TEMP VIEW hits AS {' UNION ALL '.join(views)}")
    for relation in tables:
        connection.unregister(relation)
