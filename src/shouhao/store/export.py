"""Export: the event log as CSV, JSON Lines or Parquet, in the columns that `analyze` reads.

Rows stream through in chunks, so the size of the log does not matter; the file appears under its name only when it
is whole.
"""

import csv
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from shouhao.kernel.events import EXPORT_COLUMNS

Format = Literal["csv", "jsonl", "parquet"]
Rows = Iterable[list[dict[str, Any]]]

_INSTANTS = {"at", "released_at"}


def export(rows: Rows, path: Path, form: Format) -> int:
    """Write chunks of exported events to a file; how many rows.

    Args:
        rows: as `event_log.read` gives them.
    """
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        count = _WRITERS[form](rows, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _csv(rows: Rows, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, EXPORT_COLUMNS)
        writer.writeheader()
        for chunk in rows:
            writer.writerows({**row, "detail": _detail(row)} for row in chunk)
            count += len(chunk)
    return count


def _jsonl(rows: Rows, path: Path) -> int:
    encoder = msgspec.json.Encoder()
    count = 0
    with path.open("wb") as file:
        for chunk in rows:
            file.write(encoder.encode_lines(chunk))
            count += len(chunk)
    return count


def _parquet(rows: Rows, path: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415 - heavy, and wanted here alone
    from pyarrow import parquet  # noqa: PLC0415

    moment = pa.timestamp("us", tz="Asia/Shanghai")
    schema = pa.schema(
        [(n, moment if n in _INSTANTS else pa.float64() if n == "latency_ms" else pa.string()) for n in EXPORT_COLUMNS]
    )
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for chunk in rows:
            typed = [{**row, "detail": _detail(row), **{n: _moment(row[n]) for n in _INSTANTS}} for row in chunk]
            writer.write_table(pa.Table.from_pylist(typed, schema=schema))
            count += len(chunk)
    return count


def _detail(row: dict[str, Any]) -> str | None:
    return None if row["detail"] is None else msgspec.json.encode(row["detail"]).decode()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_WRITERS: dict[Format, Callable[[Rows, Path], int]] = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
