"""Extra slots (加号): a doctor asks for a real patient; beyond the daily cap an approver decides."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from pydantic import StrictBool
from sqlalchemy import Connection

from shouhao.booking.store import extra as extra_store
from shouhao.booking.store.standings_of_waits import sessions_waited_for
from shouhao.flows.extra_slot import ExtraOutcome, decide_extra_slot, request_extra_slot
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.patients.store import find_patients
from shouhao.staff.model import Operator, RoleMissing, require
from shouhao.staff.store import names_of
from shouhao.web.console.patient_shapes import PersonMasked, Where, person_masked, where_of
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown
from shouhao.web.handlers import JSON
from shouhao.web.public.bookings import BOOKING_REF

routes = APIRouter(prefix="/api/v1/staff", tags=["extra slots"])

_SHOWN_FOR_US = 30 * DAY_US


class ExtraBody(Body):
    """For whom, where, and why."""

    session_id: Id
    patient_id: Id
    reason: LongText


class ApprovalBody(Body):
    """Whether a second person agrees."""

    approve: StrictBool


class ExtraShown(Where):
    """A request, with whom it is for, masked; `granted` counts the doctor's extra slots of the day, of `daily_cap`."""

    request_id: str
    state: str
    doctor_id: str
    starts_at: Instant
    patient: PersonMasked
    reason: str
    requested_by: str
    requested_by_name: str
    decided_by_name: str | None
    created_at: Instant
    decided_at: Instant | None
    granted: int
    daily_cap: int
    mine: bool


class ExtraQueue(Shown):
    """Requests that wait for a second person, oldest first; or one's own, newest first."""

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
        return _outcome(outcome)

    return write.answer(act, status=201)


@routes.get("/extra-slots", responses=failures(401, 403), summary="待审批的加号 Extra slots that wait")
def queue(operator: OnDuty, system: Here) -> ExtraQueue:
    """超出医生当日上限的申请。 Requests beyond the doctor's daily cap."""
    require(operator, "approver")
    with system.db.read() as connection:
        waiting = extra_store.waiting_requests(connection)
        return ExtraQueue(requests=_requests(connection, waiting, operator, now_us=system.clock.now_us()))


@routes.get("/extra-slots/mine", responses=failures(401, 403), summary="我申请的加号 What I asked for")
def mine(operator: OnDuty, system: Here) -> ExtraQueue:
    """近 30 天本人提出的申请。 What the operator asked for in the last 30 days."""
    if operator.doctor_id is None:
        raise RoleMissing(role="doctor")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        asked = extra_store.requests_by(connection, operator.id, since_us=now_us - _SHOWN_FOR_US)
        return ExtraQueue(requests=_requests(connection, asked, operator, now_us=now_us))


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
        return _outcome(outcome)

    return write.answer(act)


def _outcome(outcome: ExtraOutcome) -> dict[str, Any]:
    return {"request_id": outcome.request_id, "state": outcome.state, "booking": outcome.booking}


def _requests(
    connection: Connection, found: Sequence[extra_store.ExtraRequest], operator: Operator, *, now_us: int
) -> list[ExtraShown]:
    people = find_patients(connection, (r.patient_id for r in found))
    sessions = sessions_waited_for(connection, sorted({r.session_id for r in found}))
    days = {(r.doctor_id, r.day) for r in found}
    granted = {(doctor, day): extra_store.granted_on(connection, doctor, day) for doctor, day in days}
    caps, names = extra_store.caps_of(connection, (r.doctor_id for r in found)), names_of(connection)
    today = day_of(now_us)
    return [
        ExtraShown(
            **where_of(sessions[r.session_id]),
            request_id=r.id,
            state=r.state,
            doctor_id=r.doctor_id,
            starts_at=sessions[r.session_id].starts_at_us,
            patient=person_masked(people[r.patient_id], today=today),
            reason=r.reason,
            requested_by=r.requested_by,
            requested_by_name=names.get(r.requested_by, r.requested_by),
            decided_by_name=None if r.decided_by is None else names.get(r.decided_by, r.decided_by),
            created_at=r.created_at_us,
            decided_at=r.decided_at_us,
            granted=granted[r.doctor_id, r.day],
            daily_cap=caps[r.doctor_id],
            mine=r.requested_by == operator.id,
        )
        for r in found
    ]
