"""Access register: who looked at what; for those who watch, whose own looks stand in it too.

Every search, count and export asks for a reason, and is written down before its answer is read.
"""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import NotFound
from shouhao.staff.model import Operator, require
from shouhao.staff.register import (
    COUNTED_AS,
    WARN_AT,
    DataClass,
    Look,
    canary_ids,
    counts,
    look,
    mark_canary,
    search,
    unmark_canary,
    warnings,
)
from shouhao.staff.register_csv import register_csv
from shouhao.staff.store import names_of
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, ShortText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["access register"])

_READ = failures(400, 401, 403, 415, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_EXPORT_MOST = 50_000
_WARNED_FOR_US = 90 * DAY_US
_CSV = "text/csv"


class ReasonBody(Body):
    """Why one looks, and on whose authority."""

    reason: LongText
    authority: ShortText


class SearchBody(ReasonBody):
    """Which rows; without a condition the newest."""

    operator_id: Id | None = None
    data_class: DataClass | None = None
    what: ShortText | None = None
    from_at: Moment | None = None
    until_at: Moment | None = None
    before_id: Id | None = None
    limit: Annotated[int, Field(ge=1, le=500, strict=True)] = 200


class ExportBody(ReasonBody):
    """Which rows; 50,000 at most."""

    operator_id: Id | None = None
    data_class: DataClass | None = None
    what: ShortText | None = None
    from_at: Moment | None = None
    until_at: Moment | None = None


class CanaryBody(Body):
    """The id of a made-up record that nobody has reason to open."""

    record_id: Id


class LookShown(Shown):
    """One row."""

    look_id: str
    at: Instant
    operator_id: str
    operator_name: str | None
    unit: str | None
    data_class: str
    what: str
    reason: str
    authority: str
    records: int
    canary: bool


class LookList(Shown):
    """Rows, newest first; go on with the last id as `before_id`."""

    looks: list[LookShown]


class CountShown(Shown):
    """What one person looked at in the last 24 hours and 30 days."""

    operator_id: str
    operator_name: str | None
    counter: str
    day: int
    month: int
    warn_day: int
    warn_month: int
    law: int
    warned: bool


class WarningShown(Shown):
    """A mark that was passed."""

    at: Instant
    operator_id: str
    operator_name: str | None
    counter: str
    span: str
    records: int
    warn_at: int


class CountList(Shown):
    """Those nearest to their mark first, and the warnings of the last 90 days."""

    counted_as: dict[str, str]
    counts: list[CountShown]
    warnings: list[WarningShown]


class CanaryShown(Shown):
    """A canary."""

    record_id: str
    marked_by: str
    marked_at: Instant


class CanaryList(Shown):
    """Every canary."""

    canaries: list[CanaryShown]


@routes.post("/access-register/search", responses=_READ, summary="查询留痕 Search the register")
def find(body: SearchBody, operator: OnDuty, system: Here) -> LookList:
    """查询本身也留痕。 The search itself is written down first."""
    _look(system, operator, body, "access_register")
    with system.db.read() as connection:
        found = search(
            connection,
            operator_id=body.operator_id,
            data_class=body.data_class,
            what=body.what,
            from_us=body.from_at,
            until_us=body.until_at,
            before_id=body.before_id,
            limit=body.limit,
        )
        names = names_of(connection)
    return LookList(looks=[_shown(one, names) for one in found])


@routes.post("/access-register/counters", responses=_READ, summary="查看计数与预警 Counters and warnings")
def counters(body: ReasonBody, operator: OnDuty, system: Here) -> CountList:
    """每人近 24 小时与 30 日的查看数，远低于法定标准即预警。 Warned of far below what the law calls serious."""
    _look(system, operator, body, "access_register.counters")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        counted = counts(connection, now_us=now_us)
        warned = warnings(connection, since_us=now_us - _WARNED_FOR_US)
        names = names_of(connection)
    return CountList(
        counted_as=dict(COUNTED_AS),
        counts=[
            CountShown(
                operator_id=one.operator_id,
                operator_name=names.get(one.operator_id),
                counter=one.counter,
                day=one.day,
                month=one.month,
                warn_day=WARN_AT[one.counter].day,
                warn_month=WARN_AT[one.counter].month,
                law=WARN_AT[one.counter].law,
                warned=one.day >= WARN_AT[one.counter].day or one.month >= WARN_AT[one.counter].month,
            )
            for one in counted
        ],
        warnings=[
            WarningShown(
                at=one.at_us,
                operator_id=one.operator_id,
                operator_name=names.get(one.operator_id),
                counter=one.counter,
                span=one.span,
                records=one.records,
                warn_at=one.warn_at,
            )
            for one in warned
        ],
    )


@routes.post(
    "/access-register/export",
    responses={200: {"content": {_CSV: {"schema": {"type": "string"}}}, "description": "CSV"}, **_READ},
    response_class=Response,
    summary="导出留痕 Export the register",
)
def export(body: ExportBody, operator: OnDuty, system: Here) -> Response:
    """CSV，最多 50,000 行；导出本身也留痕。 CSV, 50,000 rows at most; the export itself is written down first."""
    _look(system, operator, body, "access_register.export")
    with system.db.read() as connection:
        found = search(
            connection,
            operator_id=body.operator_id,
            data_class=body.data_class,
            what=body.what,
            from_us=body.from_at,
            until_us=body.until_at,
            limit=_EXPORT_MOST,
        )
        names = names_of(connection)
    headers = {"content-disposition": 'attachment; filename="access-register.csv"'}
    return Response(register_csv(found, names), media_type=_CSV, headers=headers)


@routes.get("/access-register/canaries", responses=failures(401, 403), summary="诱饵记录 Canaries")
def canaries(operator: OnDuty, system: Here) -> CanaryList:
    """无人有理由查看的记录；一经查看即报警。 Records that nobody has reason to open; a look at one is an alarm."""
    require(operator, "auditor", "data_protection")
    with system.db.read() as connection:
        found = canary_ids(connection)
    return CanaryList(
        canaries=[CanaryShown(record_id=record, marked_by=by, marked_at=at_us) for record, by, at_us in found]
    )


@routes.post(
    "/access-register/canaries",
    status_code=201,
    responses=_WRITE,
    response_model=CanaryBody,
    summary="设为诱饵 Mark a canary",
)
def mark(body: CanaryBody, operator: OnDuty, write: StaffWrite) -> Response:
    """数据保护负责人设置。 By the data-protection officer."""
    require(operator, "data_protection")

    def act(connection: Connection) -> dict[str, str]:
        mark_canary(connection, body.record_id, operator=operator, now_us=write.now_us)
        return {"record_id": body.record_id}

    return write.answer(act, status=201)


@routes.delete(
    "/access-register/canaries/{record_id}", status_code=204, responses=_WRITE, summary="取消诱饵 Unmark a canary"
)
def unmark(record_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """此后为普通记录。 From then on an ordinary record."""
    require(operator, "data_protection")

    def act(connection: Connection) -> None:
        if not unmark_canary(connection, record_id, operator=operator, now_us=write.now_us):
            raise NotFound("canary")

    return write.answer(act, status=204)


def _look(system: Here, operator: Operator, body: ReasonBody, what: str) -> None:
    """Only those who watch, and never unseen."""
    require(operator, "auditor", "data_protection")
    look(
        system.db,
        operator,
        data_class="other",
        what=what,
        reason=body.reason,
        authority=body.authority,
        now_us=system.clock.now_us(),
    )


def _shown(one: Look, names: dict[str, str]) -> LookShown:
    return LookShown(
        look_id=one.id,
        at=one.at_us,
        operator_id=one.operator_id,
        operator_name=names.get(one.operator_id),
        unit=one.unit,
        data_class=one.data_class,
        what=one.what,
        reason=one.reason,
        authority=one.authority,
        records=one.records,
        canary=one.canary,
    )
