"""State reading: files are told from what is known of them by their content, and only what is new is read.

Names prove nothing: tonight's `access.log.1` is last night's `access.log`, a day older and longer. A file that begins
with all the bytes of a known one is that file, grown; it goes on from there, under its new name. A file whose rows all
stand at the same places of a known one is a part of it and adds nothing. Each file is taken in one transaction.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from shouhao.detect.inputs.access_logs import load_hits
from shouhao.detect.inputs.events import load_events
from shouhao.detect.inputs.files import InputFile, forget
from shouhao.detect.inputs.lines import cut, ranges
from shouhao.detect.inputs.mapping import Names
from shouhao.detect.inputs.problems import Problems
from shouhao.detect.inputs.unpacking import Text
from shouhao.detect.state.kept import EVENTS, HITS, KeptFile, kept_files, put_file
from shouhao.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PIECE_BYTES = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read; the same for all of one run."""

    log_format: str | Sequence[str]
    mapping: Names
    trusted_proxies: Sequence[str]
    now_us: int | None
    line_limit: int
    threads: int


@dataclass(slots=True, kw_only=True)
class Added:
    """What a run added to the state."""

    opened: dict[int, InputFile] = field(default_factory=dict)  #: the files of this run, by their number in the state
    lines: int = 0
    duplicates: int = 0  #: events that stood twice in one file
    mapped: set[tuple[str, str]] = field(default_factory=set)
    read: int = 0  #: files of which anything was new


def add_files(
    connection: "DuckDBPyConnection", files: Iterable[InputFile], reading: Reading, problems: Problems
) -> Added:
    """Take what is new of some files into the state that is attached.

    Raises:
        InvalidInput: an event file is none, or of the logs not one has a single line of the format.
    """
    added = Added()
    refused: list[InvalidInput] = []
    logs = 0
    for file in files:
        logs += file.kind == "access_log"
        try:
            _add_file(connection, file, reading, problems, added)
        except InvalidInput as error:
            if file.kind == "events":
                raise
            refused.append(error)
    if refused and len(refused) == logs:
        raise refused[0]
    return added


def _add_file(
    connection: "DuckDBPyConnection", file: InputFile, reading: Reading, problems: Problems, added: Added
) -> None:
    kept = kept_files(connection)
    alike = [one for one in kept if one.kind == file.kind]
    ends = _line_end(file)
    hashes = _hashes_up_to(file.text, {one.known_bytes for one in alike if one.known_bytes <= len(file.text)} | {ends})
    known = _known_as(file, alike, hashes)
    number = known.file if known else 1 + max((one.file for one in kept), default=-1)
    now = KeptFile(
        file=number,
        path=file.path.absolute(),
        kind=file.kind,
        sha256=file.source(0).sha256,
        size_bytes=file.size_bytes,
        packed=file.packed,
        known_bytes=ends,
        known_lines=hashes[ends].lines,
        known_sha256=hashes[ends].sha256,
        row_count=known.row_count if known else 0,
        fills=known.fills if known else (),
    )
    if known and known.known_bytes == len(file.text):  # not a byte is new
        connection.execute("BEGIN")
        put_file(connection, now)
        connection.execute("COMMIT")
        added.opened[number] = file
        return
    take = _take_log if file.kind == "access_log" else _take_events
    within = take(connection, file, known, now, reading, problems, added)
    added.opened[number if within is None else within] = file


def _line_end(file: InputFile) -> int:
    """Up to where lines are whole: what follows may still be written to. Of events and Parquet it is all."""
    if file.kind == "events":
        return len(file.text)
    return file.text.rfind(b"\n") + 1


@dataclass(frozen=True, slots=True)
class _Prefix:
    sha256: str
    lines: int


def _hashes_up_to(text: Text, sizes: Iterable[int]) -> Mapping[int, _Prefix]:
    """The hashes of several beginnings of a text, in one pass."""
    digest, lines, at = hashlib.sha256(), 0, 0
    found = {}
    for size in sorted(sizes):
        while at < size:
            piece = text[at : min(at + _PIECE_BYTES, size)]
            digest.update(piece)
            lines += piece.count(b"\n")
            forget(text, at, at + len(piece))
            at += len(piece)
        found[size] = _Prefix(digest.hexdigest(), lines)
    return found


def _known_as(file: InputFile, kept: Sequence[KeptFile], hashes: Mapping[int, _Prefix]) -> KeptFile | None:
    """The longest known file that this one begins with. An empty one says nothing, unless it lay at the same place."""
    path = file.path.absolute()
    begun = [
        one
        for one in kept
        if one.known_bytes in hashes
        and hashes[one.known_bytes].sha256 == one.known_sha256
        and (one.known_bytes or one.path == path)
    ]
    return max(begun, key=lambda one: (one.known_bytes, -one.file), default=None)


def _take_log(
    connection: "DuckDBPyConnection",
    file: InputFile,
    known: KeptFile | None,
    now: KeptFile,
    reading: Reading,
    problems: Problems,
    added: Added,
) -> int | None:
    """Read the lines that are new; the number of the file that has them all, where there is one."""
    rest = replace(file, read_from=known.known_bytes, lines_before=known.known_lines) if known else file
    hits = load_hits(
        connection,
        [(now.file, rest)],
        reading.log_format,
        mapping=reading.mapping,
        trusted_proxies=reading.trusted_proxies,
        problems=problems,
        now_us=reading.now_us,
        line_limit=reading.line_limit,
        threads=reading.threads,
    )
    added.mapped |= hits.mapped
    columns = ", ".join(HITS)

    def insert() -> None:
        connection.execute(f"INSERT INTO kept.read_hits SELECT source, {columns} FROM hits")
        for begin, end in ranges(rest):
            _insert_digests(connection, rest, begin, end, now.file, reading.line_limit)

    fills = tuple(sorted({*now.fills, *hits.fills}))
    return _insert(
        connection,
        replace(now, row_count=now.row_count + hits.hit_count, fills=fills),
        insert,
        added,
        lines=hits.line_count,
        key="digest",
        whole=known is None,
        from_byte=rest.read_from,
    )


def _insert_digests(
    connection: "DuckDBPyConnection", file: InputFile, begin: int, end: int, number: int, line_limit: int
) -> None:
    """Keep what tells lines from each other, so that logs can be compared on later nights without their bytes."""
    lines = cut(file, begin, end, limit=line_limit)
    connection.register("shouhao_digests", pa.table({"line": lines.texts(), "byte_start": lines.starts}))
    digests = connection.execute("SELECT byte_start, unhex(md5(line)) AS digest FROM shouhao_digests").to_arrow_table()
    connection.register("shouhao_digests", digests)  # joined as plain columns: views of text cannot be filtered
    connection.execute(
        f"""INSERT INTO kept.read_lines SELECT {number}, d.byte_start, h.at_us, d.digest
        FROM hits h JOIN shouhao_digests d ON d.byte_start = h.byte_start"""
    )
    connection.unregister("shouhao_digests")


def _take_events(
    connection: "DuckDBPyConnection",
    file: InputFile,
    known: KeptFile | None,
    now: KeptFile,
    reading: Reading,
    problems: Problems,
    added: Added,
) -> int | None:
    """Read a whole file of events: they are few beside log lines, and a heading may stand at the beginning alone."""
    told = load_events(
        connection,
        [(now.file, file)],
        mapping=reading.mapping,
        problems=problems,
        now_us=reading.now_us,
        line_limit=reading.line_limit,
    )
    added.mapped |= told.mapped
    added.duplicates += told.duplicates
    columns = ", ".join(EVENTS)

    def insert() -> None:
        connection.execute(f"INSERT INTO kept.read_events SELECT {now.file}, {columns} FROM events")

    return _insert(
        connection,
        replace(now, row_count=told.event_count),
        insert,
        added,
        lines=0,
        key="event_id",
        whole=known is None,
        from_byte=0,
    )


def _insert(
    connection: "DuckDBPyConnection",
    now: KeptFile,
    insert: Callable[[], None],
    added: Added,
    *,
    lines: int,
    key: str,
    whole: bool,
    from_byte: int,
) -> int | None:
    """Take one file's rows, all of them or none; the number of the file that has them already, where there is one.

    Args:
        key: the column that tells rows at one place from each other.
        whole: nothing of it was known.
        from_byte: rows from here on are read anew; the last line may have been half written then.
    """
    connection.execute("BEGIN")
    try:
        for table in ("hits", "lines") if now.kind == "access_log" else ("events",):
            connection.execute(
                f"DELETE FROM kept.read_{table} WHERE file = {now.file} AND coalesce(byte_start, 0) >= {from_byte}"
            )
        insert()
        within = _part_of(connection, now, key) if whole else None
        if within is None:
            put_file(connection, now)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT" if within is None else "ROLLBACK")
    if within is None:
        added.lines += lines
        added.read += 1
    return within


def _part_of(connection: "DuckDBPyConnection", now: KeptFile, key: str) -> int | None:
    """A file that is longer and has all rows of this one at the same places."""
    table = "lines" if now.kind == "access_log" else "events"
    if not now.row_count:
        return None
    found = connection.execute(
        f"""SELECT other.file, count(*) FROM kept.read_{table} own JOIN kept.read_{table} other
        ON other.file <> own.file AND other.byte_start = own.byte_start AND other.{key} = own.{key}
        JOIN kept.files f ON f.file = other.file
        WHERE own.file = {now.file} AND f.known_bytes >= {now.known_bytes}
        GROUP BY other.file HAVING count(*) = (SELECT count(*) FROM kept.read_{table} WHERE file = {now.file})
        ORDER BY other.file LIMIT 1"""
    ).fetchall()
    return None if not found else int(found[0][0])
