"""Approvals: what waits for a second pair of eyes; who asked may withdraw, another decides, and time ends the rest.

Whoever asks does so on the page of the thing itself; here everybody sees what they asked and what they may decide. A
change of a policy is done as soon as it is agreed to; of other things whoever asked makes use.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.flows.policy_approvals import carry_out
from shouhao.kernel.errors import NotFound
from shouhao.staff.approvals import DECIDERS, Approval, ApprovalKind, ApprovalState, decide, find, search, withdraw
from shouhao.staff.model import Operator, Role
from shouhao.staff.store import names_of
from shouhao.web.console.policy_asks import StoppedShown, stopped_shown
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown

routes = APIRouter(prefix="/api/v1/staff", tags=["approvals"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_WATCHERS: frozenset[Role] = frozenset({"auditor", "data_protection"})  #: see all, whoever asked
_MOST = 500
_Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DecisionBody(Body):
    """Whether this person agrees, why, and to what exactly: the SHA-256 of the payload that they were shown."""

    approve: StrictBool
    reason: LongText
    payload_sha256: _Sum


class WithdrawalBody(Body):
    """Why it is taken back."""

    reason: LongText


class DecisionShown(Shown):
    """What one other person said."""

    operator_id: str
    operator_name: str | None
    approve: bool
    reason: str
    at: Instant


class ApprovalShown(Shown):
    """A request, with what exactly would happen."""

    approval_id: str
    kind: str
    subject: str
    payload: dict[str, Any]
    payload_sha256: str
    reason: str
    asked_by: str
    asked_by_name: str | None
    needed: int
    state: str
    asked_at: Instant
    ends_at: Instant
    decisions: list[DecisionShown]
    stopped: StoppedShown | None
    may_decide: bool


class ApprovalList(Shown):
    """Requests, newest first."""

    approvals: list[ApprovalShown]


@routes.get("/approvals", responses=failures(401, 403, 422), summary="待审批与已审批 Approvals")
def approvals(
    operator: OnDuty,
    system: Here,
    state: Annotated[ApprovalState | None, Query()] = None,
    kind: Annotated[ApprovalKind | None, Query()] = None,
) -> ApprovalList:
    """本人提出的、可由本人审批的；审计与数据保护可见全部。 One's own, and those one may decide; auditors see all."""
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        kinds = None if kind is None else {kind}
        # What time has ended may still be written as open.
        states = None if state is None else {state, *(("asked", "approved") if state == "expired" else ())}
        found = search(connection, kinds=kinds, states=states, limit=_MOST)
        names = names_of(connection)
    seen = [one for one in found if _sees(operator, one) and state in {None, one.state_at(now_us)}]
    return ApprovalList(approvals=[_shown(one, operator, names, now_us) for one in seen])


@routes.get("/approvals/{approval_id}", responses=failures(401, 403, 404, 422), summary="查看申请 One request")
def approval(approval_id: Id, operator: OnDuty, system: Here) -> ApprovalShown:
    """申请内容及其 SHA-256。 What exactly is asked, and its SHA-256."""
    with system.db.read() as connection:
        found = find(connection, approval_id)
        names = names_of(connection)
    if not _sees(operator, found):
        raise NotFound("approval")
    return _shown(found, operator, names, system.clock.now_us())


@routes.post("/approvals/{approval_id}/decision", responses=_WRITE, response_model=ApprovalShown, summary="审批 Decide")
def decision(approval_id: Id, body: DecisionBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """须由申请人以外的人，且只能一次。 By somebody other than who asked, and once each."""

    def act(connection: Connection) -> dict[str, Any]:
        if not _sees(operator, find(connection, approval_id)):
            raise NotFound("approval")
        decided = decide(
            connection,
            approval_id,
            operator=operator,
            approve=body.approve,
            reason=body.reason,
            now_us=write.now_us,
            payload_sha256=body.payload_sha256,
        )
        carry_out(connection, decided, now_us=write.now_us)
        return {"approval_id": decided.id}

    return write.answer(act, show=lambda kept: _again(system, operator, kept["approval_id"], write.now_us))


@routes.post(
    "/approvals/{approval_id}/withdrawal", responses=_WRITE, response_model=ApprovalShown, summary="撤回申请 Withdraw"
)
def withdrawal(approval_id: Id, body: WithdrawalBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """仅限申请人，且尚未使用。 By who asked, as long as it was not used."""

    def act(connection: Connection) -> dict[str, Any]:
        ended = withdraw(connection, approval_id, operator=operator, reason=body.reason, now_us=write.now_us)
        return {"approval_id": ended.id}

    return write.answer(act, show=lambda kept: _again(system, operator, kept["approval_id"], write.now_us))


def _again(system: Here, operator: Operator, approval_id: str, now_us: int) -> dict[str, Any]:
    """The request as it is now; the names of people are not kept with the answer."""
    with system.db.read() as connection:
        shown = _shown(find(connection, approval_id), operator, names_of(connection), now_us)
    return shown.model_dump(mode="json")


def _sees(operator: Operator, approval: Approval) -> bool:
    deciding = not operator.roles.isdisjoint(DECIDERS[approval.kind])
    return deciding or approval.asked_by == operator.id or not operator.roles.isdisjoint(_WATCHERS)


def _shown(approval: Approval, operator: Operator, names: dict[str, str], now_us: int) -> ApprovalShown:
    state = approval.state_at(now_us)
    said = {decision.operator_id for decision in approval.decisions}
    may_decide = (
        state == "asked"
        and approval.asked_by != operator.id
        and operator.id not in said
        and not operator.roles.isdisjoint(DECIDERS[approval.kind])
    )
    return ApprovalShown(
        approval_id=approval.id,
        kind=approval.kind,
        subject=approval.subject,
        payload=dict(approval.payload),
        payload_sha256=approval.payload_sha256,
        reason=approval.reason,
        asked_by=approval.asked_by,
        asked_by_name=names.get(approval.asked_by),
        needed=approval.needed,
        state=state,
        asked_at=approval.asked_at_us,
        ends_at=approval.ends_at_us,
        decisions=[
            DecisionShown(
                operator_id=d.operator_id,
                operator_name=names.get(d.operator_id),
                approve=d.approve,
                reason=d.reason,
                at=d.at_us,
            )
            for d in approval.decisions
        ],
        stopped=stopped_shown(approval),
        may_decide=may_decide,
    )
