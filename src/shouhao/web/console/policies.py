"""Policies: the limits and the binding rules, as versions that one asks for, another agrees to, and none changes."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import StrictInt
from sqlalchemy import Connection

from shouhao.flows.policy_approvals import ask_other, pending, ruling, stopped_lately
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import require
from shouhao.store import policies
from shouhao.web.console.policy_asks import (
    READERS,
    Asked,
    AskShown,
    MadeBy,
    asked,
    asks_shown,
    made_by,
    of_body,
    terms_of,
)
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Instant, LongText, Moment, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["policies"])

PolicyKind = Literal["booking_limits", "binding"]


class PolicyBody(Body):
    """A new version: what it says leaves out keeps its default."""

    body: dict[str, StrictInt]
    effective_at: Moment | None = None
    reason: LongText


class VersionShown(Shown):
    """One version, and who asked for it and agreed."""

    version: int
    effective_at: Instant
    body: dict[str, int]
    staff_id: str | None
    reason: str
    created_at: Instant
    made_by: MadeBy


class History(Shown):
    """All versions, oldest first; the newest that has begun is in force, and before any the defaults are."""

    kind: str
    in_force: dict[str, int]
    in_force_version: int
    versions: list[VersionShown]
    pending: list[AskShown]
    came_to_nothing: list[AskShown]


@routes.get("/policies/{kind}", responses=failures(401, 403, 422), summary="策略版本 Versions of a policy")
def history(kind: PolicyKind, operator: OnDuty, system: Here) -> History:
    """全部版本，及待批准的更改。 All versions, and changes that wait to be agreed to."""
    require(operator, *READERS)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = policies.history(connection, kind)
        made = made_by(connection, kind, found)
        now = ruling(connection, kind, now_us=now_us) or {}
        waiting = asks_shown(connection, pending(connection, now_us=now_us, kinds=(kind,)), operator, now_us=now_us)
        nothing = asks_shown(connection, stopped_lately(connection, kind), operator, now_us=now_us)
    return History(
        kind=kind,
        in_force=now["body"],
        in_force_version=now["version"],
        versions=[
            VersionShown(
                version=v.version,
                effective_at=v.effective_at_us,
                body=dict(v.body),
                staff_id=v.staff_id,
                reason=v.reason,
                created_at=v.created_at_us,
                made_by=made[v.version],
            )
            for v in found
        ],
        pending=waiting,
        came_to_nothing=nothing,
    )


@routes.post(
    "/policies/{kind}",
    status_code=202,
    responses=failures(400, 401, 403, 409, 415, 422),
    response_model=Asked,
    summary="申请新增策略版本 Ask for a version",
)
def add(kind: PolicyKind, body: PolicyBody, operator: OnDuty, write: StaffWrite) -> Response:
    """另一人批准时生效，或自某时起。 In force when another agrees, or from a moment on."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        try:
            approval = ask_other(
                connection,
                kind=kind,
                body=body.body,
                terms=terms_of(body.effective_at, body.reason, operator),
                now_us=write.now_us,
            )
        except InvalidInput as rule:
            raise of_body(rule) from None
        return asked(approval)

    return write.answer(act, status=202)
