"""Importing: a schedule file in, what became of each of its rows out."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import typer

from shouhao.booking.schedule import BadRow, SchedulePlan, Source, Stopped
from shouhao.flows.import_schedule import ImportReport, import_plan
from shouhao.protocols.fhir import read_fhir_schedule
from shouhao.protocols.schedule_csv import read_schedule_csv
from shouhao.protocols.weekly_json import plan_weekly, read_weekly
from shouhao.wiring import System

_SHOWN = 50


def import_file(system: System, file: Path, *, as_json: bool) -> int:
    """Import a file; how many rows of it were not taken."""
    now_us = system.clock.now_us()
    plan, bad, stopped, source = _read(file, file.read_bytes(), now_us)
    return _import(system, plan, bad, stopped, source=source, as_json=as_json)


def generate(system: System, file: Path, first_day: date, last_day: date, *, as_json: bool) -> int:
    """Generate sessions from weekly templates; how many were not taken."""
    plan = plan_weekly(read_weekly(file.read_bytes()), first_day, last_day)
    return _import(system, plan, [], None, source="calendar", as_json=as_json)


def _import(
    system: System, plan: SchedulePlan, bad: list[BadRow], stopped: Stopped | None, *, source: Source, as_json: bool
) -> int:
    with system.db.write() as connection:
        report = import_plan(connection, plan, staff_id=None, source=source, now_us=system.clock.now_us())
    if as_json:
        typer.echo(msgspec.json.encode(_as_json(report, bad, stopped)).decode())
    else:
        _tell(report, bad, stopped)
    return len(bad) + len(report.refused) + (stopped is not None)


def _read(file: Path, data: bytes, now_us: int) -> tuple[SchedulePlan, list[BadRow], Stopped | None, Source]:
    if file.suffix.lower() in {".json", ".ndjson", ".jsonl"}:
        fhir = read_fhir_schedule(data, now_us=now_us)
        return fhir.plan, list(fhir.bad), fhir.stopped, "fhir"
    table = read_schedule_csv(data, now_us=now_us)
    return table.plan, list(table.bad), table.stopped, "csv"


def _as_json(report: ImportReport, bad: list[BadRow], stopped: Stopped | None) -> dict[str, Any]:
    return {"counts": report.counts(), "refused": report.refused, "bad_rows": bad, "stopped": stopped}


def _tell(report: ImportReport, bad: list[BadRow], stopped: Stopped | None) -> None:
    typer.echo("  ".join(f"{name} {count}" for name, count in report.counts().items()))
    for row in [*bad, *report.refused][:_SHOWN]:
        typer.echo(f"  {msgspec.json.encode(row).decode()}", err=True)
    if stopped is not None:
        typer.echo(f"  {msgspec.json.encode(stopped).decode()}", err=True)
