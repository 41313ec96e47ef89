"""Policies: the limits and the binding rules, as versions that are added and never changed."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import StrictInt
from sqlalchemy import Connection

from shouhao.booking.limits import limits_from
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.patients.policy import binding_from
from shouhao.patients.texts import written_reason
from shouhao.staff.model import require
from shouhao.store import event_log, policies
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Instant, LongText, Moment, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["policies"])

PolicyKind = Literal["booking_limits", "binding"]
_READERS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "booking_limits": limits_from,
    "binding": binding_from,
}
_MOST_RULES = 100


class PolicyBody(Body):
    """A new version: what it says leaves out keeps its default."""

    body: dict[str, StrictInt]
    effective_at: Moment | None = None
    reason: LongText


class VersionShown(Shown):
    """One version."""

    version: int
    effective_at: Instant
    body: dict[str, int]
    staff_id: str | None
    reason: str
    created_at: Instant


class History(Shown):
    """All versions, oldest first; the newest that has begun is in force."""

    kind: str
    versions: list[VersionShown]


class VersionAdded(Shown):
    """The version's number."""

    kind: str
    version: int
    effective_at: Instant


@routes.get("/policies/{kind}", responses=failures(401, 403, 422), summary="策略版本 Versions of a policy")
def history(kind: PolicyKind, operator: OnDuty, system: Here) -> History:
    """全部版本。 All versions."""
    require(operator, "outpatient_office", "approver", "auditor")
    with system.db.read() as connection:
        found = policies.history(connection, kind)
    return History(
        kind=kind,
        versions=[
            VersionShown(
                version=v.version,
                effective_at=v.effective_at_us,
                body=dict(v.body),
                staff_id=v.staff_id,
                reason=v.reason,
                created_at=v.created_at_us,
            )
            for v in found
        ],
    )


@routes.post(
    "/policies/{kind}",
    status_code=201,
    responses=failures(400, 401, 403, 409, 415, 422),
    response_model=VersionAdded,
    summary="新增策略版本 Add a version",
)
def add(kind: PolicyKind, body: PolicyBody, operator: OnDuty, write: StaffWrite) -> Response:
    """立即或自某时起生效。 In force at once, or from a moment on."""
    require(operator, "outpatient_office")
    effective_at_us = write.now_us if body.effective_at is None else body.effective_at

    def act(connection: Connection) -> dict[str, Any]:
        if effective_at_us < write.now_us:
            raise InvalidInput("effective_at", zh="不能早于现在", en="must not be in the past")
        _check(kind, body.body)
        version = policies.add(
            connection,
            kind,
            body.body,
            effective_at_us=effective_at_us,
            staff_id=operator.id,
            reason=written_reason("reason", body.reason),
            now_us=write.now_us,
        )
        detail = {"kind": kind, "version": version, "body": body.body}
        changed = Event(at_us=write.now_us, kind="policy_changed", staff_id=operator.id, detail=detail)
        event_log.append(connection, [changed])
        return VersionAdded(kind=kind, version=version, effective_at=effective_at_us).model_dump(mode="json")

    return write.answer(act, status=201)


def _check(kind: str, rules: Mapping[str, int]) -> None:
    if len(rules) > _MOST_RULES:
        raise InvalidInput("body", zh="策略项过多", en="has too many rules")
    try:
        _READERS[kind](rules)
    except InvalidInput as rule:
        raise InvalidInput(f"body.{rule.field}", zh=rule.data["rule_zh"], en=rule.data["rule_en"]) from None
