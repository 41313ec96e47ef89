"""Policy asks: what all policies share: who may read, what is answered to an ask, who made which version."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from shouhao.flows.policy_approvals import Terms, approvals_of
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.approvals import Approval
from shouhao.staff.model import Operator, Role
from shouhao.staff.store import names_of
from shouhao.store.policies import PolicyVersion
from shouhao.web.fields import Instant, Shown

READERS: tuple[Role, ...] = ("outpatient_office", "approver", "it", "auditor")
_LONGEST_FIELD = 120


class Asked(Shown):
    """A change that waits until another agrees; nothing has changed yet."""

    approval_id: str
    state: str


class StoppedShown(Shown):
    """Why what others had agreed to was not done."""

    code: str
    zh: str
    en: str
    at: Instant


class AskShown(Shown):
    """A change that was asked for: what exactly, by whom, why; and why it was not done, where it could not be."""

    approval_id: str
    kind: str
    state: str
    payload: dict[str, Any]
    reason: str
    asked_by_name: str | None
    mine: bool
    asked_at: Instant
    ends_at: Instant
    refused_by_name: str | None
    refused_because: str | None
    stopped: StoppedShown | None


class MadeBy(Shown):
    """Who asked for a version and who agreed; nobody did where it was set up."""

    staff_name: str | None
    approval_id: str | None
    approved_by_name: str | None


def asked(approval: Approval) -> dict[str, Any]:
    """The answer to an ask."""
    return Asked(approval_id=approval.id, state=approval.state).model_dump(mode="json")


def terms_of(effective_at_us: int | None, reason: str, operator: Operator) -> Terms:
    """Who asks, why and from when on."""
    return Terms(operator=operator, reason=reason, effective_at_us=effective_at_us)


def asks_shown(connection: Connection, asks: Iterable[Approval], operator: Operator, *, now_us: int) -> list[AskShown]:
    """Requests as the pages of policies list them."""
    names = names_of(connection)
    return [_ask(one, operator, names, now_us) for one in asks]


def made_by(connection: Connection, kind: str, versions: Iterable[PolicyVersion]) -> dict[int, MadeBy]:
    """Who made each of these versions of a policy."""
    names, came_by = names_of(connection), approvals_of(connection, kind)
    return {one.version: _made_by(one, came_by.get(one.version), names) for one in versions}


def stopped_shown(approval: Approval) -> StoppedShown | None:
    """Why it was not done, where it could not be."""
    why = approval.stopped
    return None if why is None else StoppedShown(code=why.code, zh=why.zh, en=why.en, at=why.at_us)


def of_body(rule: InvalidInput, *, besides: Iterable[str] = ()) -> InvalidInput:
    """A broken rule of a policy, named within the request's body; the caller may have made the name up.

    Args:
        besides: more fields that stand beside the body.
    """
    if rule.field in {"scope", "effective_at", "reason", "body", *besides}:
        return rule
    named = (rule.field or "").encode("utf-8", "replace").decode().replace("\0", "?")[:_LONGEST_FIELD]
    return InvalidInput(f"body.{named}", zh=rule.data["rule_zh"], en=rule.data["rule_en"])


def _ask(one: Approval, operator: Operator, names: Mapping[str, str], now_us: int) -> AskShown:
    no = next((decision for decision in one.decisions if not decision.approve), None)
    return AskShown(
        approval_id=one.id,
        kind=one.subject,
        state=one.state_at(now_us),
        payload=dict(one.payload),
        reason=one.reason,
        asked_by_name=names.get(one.asked_by),
        mine=one.asked_by == operator.id,
        asked_at=one.asked_at_us,
        ends_at=one.ends_at_us,
        refused_by_name=None if no is None else names.get(no.operator_id),
        refused_because=None if no is None else no.reason,
        stopped=stopped_shown(one),
    )


def _made_by(version: PolicyVersion, approval: Approval | None, names: Mapping[str, str]) -> MadeBy:
    agreed = None if approval is None else next((d.operator_id for d in approval.decisions if d.approve), None)
    return MadeBy(
        staff_name=None if version.staff_id is None else names.get(version.staff_id),
        approval_id=None if approval is None else approval.id,
        approved_by_name=None if agreed is None else names.get(agreed),
    )
