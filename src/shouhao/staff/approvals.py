"""Approvals: four eyes. One person asks with a reason, another approves, and only then it happens, once.

What is approved is fixed when it is asked: its SHA-256 stands in the row, in each decision and in each event, and
whoever acts is handed the approved payload back, never one of their own. The row is locked while it changes, so two
decisions or two uses at once are one after the other. What is done with an approval is the caller's story; where it
turns out that it cannot be done any more, the request ends as refused and says why.
Source: OWASP ASVS 5.0, 2.3.5 (high-value acts need more than one person).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import Connection

from shouhao.kernel.clock import SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Tampered
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals_store as store
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.texts import checked_reason
from shouhao.store import event_log

ApprovalKind = Literal[
    "watch_entry",
    "watch_import",
    "face_search",
    "trail",
    "export",
    "erase",
    "policy",
    "extra_slots",
    "frequent_lead",
    "law_switch",
]
APPROVAL_KINDS: tuple[ApprovalKind, ...] = get_args(ApprovalKind)
ApprovalState = Literal["asked", "approved", "refused", "used", "expired", "withdrawn"]
APPROVAL_STATES: tuple[ApprovalState, ...] = get_args(ApprovalState)
OPEN: frozenset[ApprovalState] = frozenset({"asked", "approved"})  #: what time or its asker can still end

#: Who may decide each kind; the asker never does, whatever their roles.
DECIDERS: Mapping[ApprovalKind, tuple[Role, ...]] = {
    "watch_entry": ("approver", "security"),
    "watch_import": ("approver", "security"),
    "face_search": ("approver", "data_protection"),
    "trail": ("approver", "security"),
    "export": ("approver", "data_protection"),
    "erase": ("approver", "data_protection"),
    "policy": ("approver",),
    "extra_slots": ("approver",),
    "frequent_lead": ("approver", "security"),
    "law_switch": ("approver", "data_protection"),
}

SYSTEM = "system"  #: stands where a person's id does, beside why something could not be done any more
_SUBJECT_MAX = 200
_PAYLOAD_MAX_BYTES = 256 * 1024
_NEEDED_MAX = 5
_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one other person said."""

    operator_id: str
    approve: bool
    reason: str
    at_us: int
    payload_sha256: str  #: what this person decided about


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why what others had agreed to was not done: the refusal that it met, in both languages."""

    code: str
    zh: str
    en: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Something that one person wants and others agree to, or not."""

    id: str
    kind: ApprovalKind
    subject: str  #: what it is about, as the asking room names it: an entry, a list, a patient
    payload: Mapping[str, Any]  #: what exactly would happen; ids and numbers, never a name or a picture
    payload_sha256: str
    reason: str
    asked_by: str
    needed: int  #: how many others have to agree
    state: ApprovalState
    asked_at_us: int
    ends_at_us: int
    changed_at_us: int
    decisions: tuple[Decision, ...] = ()
    stopped: Stopped | None = None

    def state_at(self, now_us: int) -> ApprovalState:
        """The state, where time may have ended it and nobody has written that down yet."""
        return "expired" if self.state in OPEN and self.ends_at_us <= now_us else self.state


class SecondPersonNeeded(Refused):
    """Whoever asked does not decide."""

    code = "staff.second_person_needed"
    zh = "不能审批自己提出的申请"
    en = "Whoever asked cannot decide"


class DecidedBefore(Refused):
    """One person has one voice."""

    code = "staff.decided_before"
    zh = "您已对此申请作出决定"
    en = "You have decided on this before"


class NotApproved(Refused):
    """There is no approval for this: none, of another kind, about something else, or not given."""

    code = "staff.not_approved"
    zh = "此操作尚未获得批准"
    en = "This has not been approved"


class ApprovalEnded(Refused):
    """It was refused, used, withdrawn, or too old."""

    code = "staff.approval_ended"
    zh = "该申请已结束：{state}"
    en = "This request has ended: {state}"


def ask(
    connection: Connection,
    *,
    kind: ApprovalKind,
    subject: str,
    payload: Mapping[str, object],
    reason: str,
    operator: Operator,
    now_us: int,
    needed: int = 1,
    lives_s: int = 7 * 86_400,
) -> Approval:
    """Ask that others agree; who may ask is for the caller to check.

    Args:
        subject: an id, at most 200 characters.
        payload: what exactly would happen, as JSON can hold it; fixed from now on.
        needed: how many others have to agree, 1 to 5.
        lives_s: how long the request, and the approval, is good for.
    Raises:
        InvalidInput: no reason, or a payload that is too large or no JSON.
    """
    if not subject or len(subject) > _SUBJECT_MAX or not subject.isprintable():
        raise InvalidInput("subject", zh=f"须为 1 到 {_SUBJECT_MAX} 个字符", en=f"1 to {_SUBJECT_MAX} characters")
    if not 1 <= needed <= _NEEDED_MAX or lives_s <= 0:
        raise ValueError("an approval needs one to five people and some time")
    written = _written(payload)
    approval = Approval(
        id=new_id("ap"),
        kind=kind,
        subject=subject,
        payload=msgspec.json.decode(written),
        payload_sha256=hashlib.sha256(written).hexdigest(),
        reason=checked_reason(reason),
        asked_by=operator.id,
        needed=needed,
        state="asked",
        asked_at_us=now_us,
        ends_at_us=now_us + lives_s * SECOND_US,
        changed_at_us=now_us,
    )
    store.add(connection, _row(approval, written.decode()))
    _append(connection, approval, "asked", staff_id=operator.id, now_us=now_us)
    return approval


def decide(
    connection: Connection,
    approval_id: str,
    *,
    operator: Operator,
    approve: bool,
    reason: str,
    now_us: int,
    payload_sha256: str | None = None,
) -> Approval:
    """Agree or refuse; one refusal ends it, `needed` agreements approve it.

    Args:
        payload_sha256: of what the deciding person was shown; another one than was asked is refused.
    Raises:
        NotFound: there is no such request.
        RoleMissing: this operator decides nothing of this kind.
        SecondPersonNeeded: it is who asked.
        DecidedBefore: this person has decided already.
        ApprovalEnded: it is approved, refused, used, withdrawn or too old.
        InvalidInput: no reason, or what was shown is not what was asked.
    """
    said = checked_reason(reason)
    approval = _locked(connection, approval_id)
    require(operator, *DECIDERS[approval.kind])
    if operator.id == approval.asked_by:
        raise SecondPersonNeeded
    if any(decision.operator_id == operator.id for decision in approval.decisions):
        raise DecidedBefore
    state = approval.state_at(now_us)
    if state != "asked":
        raise ApprovalEnded(state=state)
    if payload_sha256 is not None and payload_sha256 != approval.payload_sha256:
        raise InvalidInput("payload_sha256", zh="与申请内容不符", en="is not that of what was asked")
    decision = Decision(
        operator_id=operator.id, approve=approve, reason=said, at_us=now_us, payload_sha256=approval.payload_sha256
    )
    store.add_decision(
        connection,
        {
            "approval_id": approval_id,
            "operator_id": operator.id,
            "approve": approve,
            "reason": said,
            "payload_sha256": decision.payload_sha256,
            "at_us": now_us,
        },
    )
    decisions = (*approval.decisions, decision)
    now = _state_after(decisions, needed=approval.needed)
    if now != "asked":
        store.change(connection, approval_id, state=now, now_us=now_us)
    change = "agreed" if approve else "refused"
    _append(connection, approval, change, staff_id=operator.id, now_us=now_us, more={"state": now})
    return _found(connection, approval_id)


def use(connection: Connection, approval_id: str, *, kind: ApprovalKind, subject: str, now_us: int) -> Approval:
    """Take the approval, once, in the unit of work of what it allows; act on the payload that comes back.

    Raises:
        NotApproved: there is none of this kind about this subject, or it is not given yet.
        ApprovalEnded: it was used before, refused, withdrawn, or is too old.
        Tampered: what was approved is not what stands there now.
    """
    row = store.find(connection, approval_id, lock=True)
    if row is None or row.kind != kind or row.subject != subject:
        raise NotApproved
    approval = _approval(connection, row)
    state = approval.state_at(now_us)
    if state == "asked":
        raise NotApproved
    if state != "approved":
        raise ApprovalEnded(state=state)
    _check_untouched(approval, row.payload)
    store.change(connection, approval_id, state="used", now_us=now_us)
    _append(connection, approval, "used", staff_id=approval.asked_by, now_us=now_us)
    return _found(connection, approval_id)


def stop(connection: Connection, approval_id: str, refusal: Refused, *, now_us: int) -> Approval:
    """What was approved cannot be done any more: it ends as refused, with the refusal that it met.

    Raises:
        NotFound: there is no such request.
        ApprovalEnded: it has ended already.
        NotApproved: it is not approved yet.
    """
    approval = _locked(connection, approval_id)
    state = approval.state_at(now_us)
    if state == "asked":
        raise NotApproved
    if state != "approved":
        raise ApprovalEnded(state=state)
    why = {"code": refusal.code, "zh": refusal.says("zh"), "en": refusal.says("en")}
    store.add_decision(
        connection,
        {
            "approval_id": approval_id,
            "operator_id": SYSTEM,
            "approve": False,
            "reason": _encoder.encode(why).decode(),
            "payload_sha256": approval.payload_sha256,
            "at_us": now_us,
        },
    )
    store.change(connection, approval_id, state="refused", now_us=now_us)
    _append(connection, approval, "stopped", staff_id=None, now_us=now_us, more={"code": refusal.code})
    return _found(connection, approval_id)


def withdraw(connection: Connection, approval_id: str, *, operator: Operator, reason: str, now_us: int) -> Approval:
    """Take back what one asked for, as long as it was not used.

    Raises:
        NotFound: there is no such request of this person.
        ApprovalEnded: it has ended already.
        InvalidInput: no reason.
    """
    checked_reason(reason)
    approval = _locked(connection, approval_id)
    if approval.asked_by != operator.id:
        raise NotFound("approval")
    state = approval.state_at(now_us)
    if state not in OPEN:
        raise ApprovalEnded(state=state)
    store.change(connection, approval_id, state="withdrawn", now_us=now_us)
    _append(connection, approval, "withdrawn", staff_id=operator.id, now_us=now_us)
    return _found(connection, approval_id)


def find(connection: Connection, approval_id: str) -> Approval:
    """One request with its decisions.

    Raises:
        NotFound: there is none.
    """
    return _found(connection, approval_id)


def pending(
    connection: Connection,
    *,
    now_us: int,
    kinds: Collection[ApprovalKind] | None = None,
    subject: str | None = None,
) -> list[Approval]:
    """Requests that wait for somebody, oldest first."""
    waiting = search(connection, kinds=kinds, states={"asked"}, subject=subject, limit=1000)
    return sorted((a for a in waiting if a.ends_at_us > now_us), key=lambda a: a.id)


def search(
    connection: Connection,
    *,
    kinds: Collection[ApprovalKind] | None = None,
    states: Collection[ApprovalState] | None = None,
    subject: str | None = None,
    asked_by: str | None = None,
    limit: int = 200,
) -> list[Approval]:
    """Requests of any state, newest first."""
    rows = store.search(connection, kinds=kinds, states=states, subject=subject, asked_by=asked_by, limit=limit)
    return [_approval(connection, row) for row in rows]


def expire_due(connection: Connection, *, now_us: int, limit: int = 200) -> int:
    """Write down that time has ended what nobody decided or used; how many that were."""
    rows = store.due(connection, now_us=now_us, limit=limit)
    for row in rows:
        store.change(connection, row.id, state="expired", now_us=now_us)
        _append(connection, _approval(connection, row), "expired", staff_id=None, now_us=now_us)
    return len(rows)


def _written(payload: Mapping[str, object]) -> bytes:
    try:
        written = _encoder.encode(dict(payload))
    except (TypeError, msgspec.MsgspecError) as error:
        raise InvalidInput("payload", zh="无法写成 JSON", en="cannot be written as JSON") from error
    if len(written) > _PAYLOAD_MAX_BYTES:
        limit = _PAYLOAD_MAX_BYTES
        raise InvalidInput("payload", zh=f"最多 {limit} 字节", en=f"at most {limit} bytes")
    return written


def _state_after(decisions: Sequence[Decision], *, needed: int) -> ApprovalState:
    if not all(decision.approve for decision in decisions):
        return "refused"
    return "approved" if len(decisions) >= needed else "asked"


def _check_untouched(approval: Approval, written: str) -> None:
    """Somebody who can write to the table must not have an approval of one thing used for another."""
    sums = {decision.payload_sha256 for decision in approval.decisions} | {approval.payload_sha256}
    agreed = sum(decision.approve for decision in approval.decisions)
    if sums != {hashlib.sha256(written.encode()).hexdigest()} or agreed < approval.needed:
        raise Tampered(f"approval {approval.id} is not what was approved")


def _locked(connection: Connection, approval_id: str) -> Approval:
    row = store.find(connection, approval_id, lock=True)
    if row is None:
        raise NotFound("approval")
    return _approval(connection, row)


def _found(connection: Connection, approval_id: str) -> Approval:
    row = store.find(connection, approval_id)
    if row is None:
        raise NotFound("approval")
    return _approval(connection, row)


def _approval(connection: Connection, row: Any) -> Approval:
    given = store.decisions(connection, row.id)
    return Approval(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        payload=msgspec.json.decode(row.payload),
        payload_sha256=row.payload_sha256,
        reason=row.reason,
        asked_by=row.asked_by,
        needed=row.needed,
        state=row.state,
        asked_at_us=row.asked_at_us,
        ends_at_us=row.ends_at_us,
        changed_at_us=row.changed_at_us,
        decisions=tuple(
            Decision(
                operator_id=d.operator_id,
                approve=d.approve,
                reason=d.reason,
                at_us=d.at_us,
                payload_sha256=d.payload_sha256,
            )
            for d in given
            if d.operator_id != SYSTEM
        ),
        stopped=next(
            (Stopped(**msgspec.json.decode(d.reason), at_us=d.at_us) for d in given if d.operator_id == SYSTEM), None
        ),
    )


def _row(approval: Approval, written: str) -> dict[str, Any]:
    return {
        "id": approval.id,
        "kind": approval.kind,
        "subject": approval.subject,
        "payload": written,
        "payload_sha256": approval.payload_sha256,
        "reason": approval.reason,
        "asked_by": approval.asked_by,
        "needed": approval.needed,
        "state": approval.state,
        "asked_at_us": approval.asked_at_us,
        "ends_at_us": approval.ends_at_us,
        "changed_at_us": approval.changed_at_us,
    }


def _append(
    connection: Connection,
    approval: Approval,
    change: str,
    *,
    staff_id: str | None,
    now_us: int,
    more: Mapping[str, Any] | None = None,
) -> None:
    told = {
        "approval_id": approval.id,
        "change": change,
        "kind": approval.kind,
        "subject": approval.subject,
        "payload_sha256": approval.payload_sha256,
        **(more or {}),
    }
    event_log.append(connection, [Event(at_us=now_us, kind="approval_changed", staff_id=staff_id, detail=told)])
