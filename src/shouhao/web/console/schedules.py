"""Schedule import: a CSV file or a FHIR message as the body; good rows are kept, each bad one is reported."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.schedule import BadRow, Kind, ReleaseRule, SchedulePlan, Source, Stopped
from shouhao.flows.import_schedule import import_plan
from shouhao.protocols.schedule_csv import read_schedule_csv
from shouhao.staff.model import Operator, require
from shouhao.web.depends import OnDuty, RawBody, StaffWrite
from shouhao.web.description import failures, raw_body
from shouhao.web.errors import UnsupportedMediaType
from shouhao.web.fields import Shown
from shouhao.web.idempotent import Write

routes = APIRouter(prefix="/api/v1/staff", tags=["schedules"])

_CSV = ("text/csv", "text/plain", "application/octet-stream")
_FHIR = ("application/fhir+json", "application/json", "application/fhir+ndjson", "application/x-ndjson")
_LISTED = 1000  #: rows of a report that are listed; the counts are of all
_WRITE = failures(400, 401, 403, 409, 415, 422)


class PlaceShown(Shown):
    """Where in the file."""

    line: int | None
    byte: int | None
    element: str | None


class RowShown(Shown):
    """A row that was left out."""

    place: PlaceShown
    field: str
    zh: str
    en: str
    session_id: str | None = None


class StoppedShown(Shown):
    """Why and where reading ended early."""

    place: PlaceShown
    zh: str
    en: str


class ImportShown(Shown):
    """What an import did; the lists hold at most 1000 rows."""

    departments_changed: int
    doctors_changed: int
    added: int
    updated: int
    unchanged: int
    refused: int
    bad: int
    stopped: StoppedShown | None
    refused_rows: list[RowShown]
    bad_rows: list[RowShown]


async def _default_release(
    release_days_before: Annotated[int | None, Field(ge=0, le=365)] = None,
    release_time: Annotated[str | None, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = None,
) -> ReleaseRule | None:
    if release_days_before is None:
        return None
    return ReleaseRule(days_before=release_days_before, at=time.fromisoformat(release_time or "07:00"))


DefaultRelease = Annotated[ReleaseRule | None, Depends(_default_release)]


@routes.post(
    "/schedules/csv",
    responses=_WRITE,
    response_model=ImportShown,
    openapi_extra=raw_body("text/csv"),
    summary="导入排班 CSV Import a schedule as CSV",
)
def import_csv(
    request: Request, data: RawBody, operator: OnDuty, write: StaffWrite, release: DefaultRelease
) -> Response:
    """同一文件再次导入不会改变任何内容。 The same file again changes nothing."""
    _check(request, operator, _CSV)
    file = read_schedule_csv(data, now_us=write.now_us, default_release=release)
    return _import(write, operator, file.plan, "csv", bad=file.bad, bad_count=file.bad_row_count, stopped=file.stopped)


@routes.post(
    "/schedules/fhir",
    responses=_WRITE,
    response_model=ImportShown,
    openapi_extra=raw_body("application/fhir+json"),
    summary="导入排班 FHIR Import a schedule as FHIR R4",
)
def import_fhir(
    request: Request,
    data: RawBody,
    operator: OnDuty,
    write: StaffWrite,
    release: DefaultRelease,
    *,
    kind: Kind = "general",
    fee_cents: Annotated[int | None, Field(ge=0, le=10_000_000)] = None,
) -> Response:
    """Schedule 与 Slot 资源。 Schedule and Slot resources."""
    _check(request, operator, _FHIR)
    from shouhao.protocols.fhir import Defaults, read_fhir_schedule  # noqa: PLC0415 - costs a second to import

    defaults = Defaults(kind=kind, fee_cents=fee_cents, release=release)
    message = read_fhir_schedule(data, now_us=write.now_us, defaults=defaults)
    return _import(
        write, operator, message.plan, "fhir", bad=message.bad, bad_count=len(message.bad), stopped=message.stopped
    )


def _check(request: Request, operator: Operator, media_types: Sequence[str]) -> None:
    require(operator, "outpatient_office")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in media_types:
        raise UnsupportedMediaType("Content-Type", expected=", ".join(media_types))


def _import(
    write: Write,
    operator: Operator,
    plan: SchedulePlan,
    source: Source,
    *,
    bad: Sequence[BadRow],
    bad_count: int,
    stopped: Stopped | None,
) -> Response:
    def act(connection: Connection) -> dict[str, Any]:
        report = import_plan(connection, plan, staff_id=operator.id, source=source, now_us=write.now_us)
        return {
            **report.counts(),
            "bad": bad_count,
            "stopped": None if stopped is None else asdict(stopped),
            "refused_rows": [asdict(row) for row in report.refused[:_LISTED]],
            "bad_rows": [asdict(row) for row in bad[:_LISTED]],
        }

    return write.answer(act)
