"""The policy of alarms: targets and cool-down. One person asks for new numbers, another approves, then they begin."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import StrictInt
from sqlalchemy import Connection

from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.staff import approvals
from shouhao.staff.model import require
from shouhao.store import event_log, policies
from shouhao.watch.response import KIND, response_from
from shouhao.watch.store.alarms import response_in_force
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, LongText, Shown

routes = APIRouter(prefix="/api/v1/staff/alarm-policy", tags=["alarms"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_MOST_RULES = 50


class PolicyBody(Body):
    """New numbers; what is left out has its default."""

    body: dict[str, StrictInt]
    reason: LongText


class PolicyAsked(Shown):
    """A request that waits for a second person."""

    approval_id: str
    state: str


class UseBody(Body):
    """Which approved request begins now."""

    approval_id: Id


class PolicyShown(Shown):
    """The numbers in force, in seconds."""

    version: int | None
    body: dict[str, int]


@routes.get("", responses=failures(401, 403), summary="报警时限 Targets of alarms")
def policy(operator: OnDuty, system: Here) -> PolicyShown:
    """现行数值。 The numbers in force."""
    require(operator, "monitoring", "security", "police_liaison", "approver", "auditor")
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        kept = policies.effective(connection, KIND, now_us=now_us)
        now = response_in_force(connection, now_us=now_us)
    numbers = {name: int(getattr(now, name)) for name in type(now).__slots__}
    return PolicyShown(version=None if kept is None else kept.version, body=numbers)


@routes.post(
    "/requests", status_code=201, response_model=PolicyAsked, responses=_WRITE, summary="申请修改 Ask for a change"
)
def ask(body: PolicyBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须经另一人批准。 A second person decides."""
    require(operator, "security")

    def act(connection: Connection) -> dict[str, Any]:
        if len(body.body) > _MOST_RULES:
            raise InvalidInput("body", zh="策略项过多", en="has too many rules")
        response_from(body.body)
        asked = approvals.ask(
            connection,
            kind="policy",
            subject=KIND,
            payload=body.body,
            reason=body.reason,
            operator=operator,
            now_us=write.now_us,
        )
        return PolicyAsked(approval_id=asked.id, state=asked.state).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post("", status_code=201, response_model=PolicyShown, responses=_WRITE, summary="启用 Begin")
def begin(body: UseBody, operator: OnDuty, write: StaffWrite) -> Response:
    """所批准的数值自此生效。 What was approved is in force from now on."""
    require(operator, "security")

    def act(connection: Connection) -> dict[str, Any]:
        approved = approvals.use(connection, body.approval_id, kind="policy", subject=KIND, now_us=write.now_us)
        version = policies.add(
            connection,
            KIND,
            approved.payload,
            effective_at_us=write.now_us,
            staff_id=operator.id,
            reason=approved.reason,
            now_us=write.now_us,
        )
        detail = {"kind": KIND, "version": version, "body": dict(approved.payload), "approval_id": approved.id}
        event_log.append(
            connection, [Event(at_us=write.now_us, kind="policy_changed", staff_id=operator.id, detail=detail)]
        )
        now = response_in_force(connection, now_us=write.now_us)
        numbers = {name: int(getattr(now, name)) for name in type(now).__slots__}
        return PolicyShown(version=version, body=numbers).model_dump(mode="json")

    return write.answer(act, status=201)
