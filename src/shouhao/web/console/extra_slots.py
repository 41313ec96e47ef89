"""Extra slots (加号): a doctor asks for a real patient; beyond the daily cap an approver decides."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import StrictBool
from sqlalchemy import Connection

from shouhao.booking.store.extra import waiting_requests
from shouhao.flows.extra_slot import ExtraOutcome, decide_extra_slot, request_extra_slot
from shouhao.staff.model import RoleMissing, require
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown
from shouhao.web.handlers import JSON
from shouhao.web.public.bookings import BOOKING_REF

routes = APIRouter(prefix="/api/v1/staff", tags=["extra slots"])


class ExtraBody(Body):
    """For whom, where, and why."""

    session_id: Id
    patient_id: Id
    reason: LongText


class ApprovalBody(Body):
    """Whether a second person agrees."""

    approve: StrictBool


class ExtraShown(Shown):
    """A request that waits."""

    request_id: str
    session_id: str
    doctor_id: str
    day: str
    patient_id: str
    reason: str
    requested_by: str
    created_at: Instant


class ExtraQueue(Shown):
    """Requests that wait for a second person, oldest first."""

    requests: list[ExtraShown]


def _gives(status: int) -> dict[int | str, dict[str, Any]]:
    schema = {
        "type": "object",
        "properties": {
            "request_id": {"type": "string"},
            "state": {"type": "string", "enum": ["granted", "waiting", "refused"]},
            "booking": {"anyOf": [BOOKING_REF, {"type": "null"}]},
        },
        "required": ["request_id", "state", "booking"],
    }
    return {status: {"description": "结果 What came of it", "content": {JSON: {"schema": schema}}}}


@routes.post(
    "/extra-slots",
    status_code=201,
    responses={**_gives(201), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="申请加号 Ask for an extra slot",
)
def ask(body: ExtraBody, operator: OnDuty, write: StaffWrite) -> Response:
    """仅限出诊医生本人。 Only the doctor of the session."""
    doctor_id = operator.doctor_id
    if doctor_id is None:
        raise RoleMissing(role="doctor")

    def act(connection: Connection) -> dict[str, Any]:
        outcome = request_extra_slot(
            connection,
            session_id=body.session_id,
            patient_id=body.patient_id,
            reason=body.reason,
            staff_id=operator.id,
            doctor_id=doctor_id,
            now_us=write.now_us,
        )
        return _shown(outcome)

    return write.answer(act, status=201)


@routes.get("/extra-slots", responses=failures(401, 403), summary="待审批的加号 Extra slots that wait")
def queue(operator: OnDuty, system: Here) -> ExtraQueue:
    """超出医生当日上限的申请。 Requests beyond the doctor's daily cap."""
    require(operator, "approver")
    with system.db.read() as connection:
        waiting = waiting_requests(connection)
    return ExtraQueue(
        requests=[
            ExtraShown(
                request_id=r.id,
                session_id=r.session_id,
                doctor_id=r.doctor_id,
                day=r.day,
                patient_id=r.patient_id,
                reason=r.reason,
                requested_by=r.requested_by,
                created_at=r.created_at_us,
            )
            for r in waiting
        ]
    )


@routes.post(
    "/extra-slots/{request_id}/decision",
    responses={**_gives(200), **failures(400, 401, 403, 404, 409, 415, 422)},
    summary="审批加号 Decide an extra slot",
)
def decide(request_id: Id, body: ApprovalBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须由申请人以外的人审批。 By somebody other than who asked."""
    require(operator, "approver")

    def act(connection: Connection) -> dict[str, Any]:
        outcome = decide_extra_slot(
            connection, request_id=request_id, approve=body.approve, staff_id=operator.id, now_us=write.now_us
        )
        return _shown(outcome)

    return write.answer(act)


def _shown(outcome: ExtraOutcome) -> dict[str, Any]:
    return {"request_id": outcome.request_id, "state": outcome.state, "booking": outcome.booking}
