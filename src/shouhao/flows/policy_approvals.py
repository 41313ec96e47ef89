"""Policy approvals: one person asks for a change of a policy, another agrees, and in that moment it holds.

What would change is fixed when it is asked: whose rules, their whole text, the moment, what held then, and the newest
version that it was written against. Agreeing and adding the version are one unit of work, so nothing waits to be used
and nothing happens twice. Where the policy has got another version meanwhile, or its moment is past or falls into an
entry window, nothing happens and the request says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection

from shouhao.booking.release import antenatal as antenatal_policy
from shouhao.booking.release.antenatal import antenatal_body, antenatal_from
from shouhao.booking.release.policy import DEFAULT, EVERYWHERE, INHERIT, PREFIX, inherits, release_body
from shouhao.booking.release.policy_changes import whole_body
from shouhao.booking.store.release_policies import department_of
from shouhao.flows.antenatal import add_policy, check_policy
from shouhao.flows.release_policies import add_release_policy, check_release_policy, check_retirable, find_version
from shouhao.flows.rule_policies import RULE_KINDS, add_rules, whole_rules
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.texts import written_reason
from shouhao.staff import approvals
from shouhao.staff.approvals import Approval, ApprovalState
from shouhao.staff.model import Operator
from shouhao.store import policies

ACT: Final = "policy_change"  #: `act` of the payload; approvals of kind `policy` about other things have another
ANTENATAL: Final = antenatal_policy.KIND
_MOST = 1000

What = Literal["add", "roll_back", "retire"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who asks, why, and from when on it is to hold."""

    operator: Operator
    reason: str
    effective_at_us: int | None  #: None: the moment another agrees


class PolicyMoved(Refused):
    """Somebody else's version came between asking and agreeing."""

    code = "policy.changed_meanwhile"
    zh = "提出申请后已有新版本（第 {version} 版），请对照现行内容重新申请"
    en = "Version {version} was added after this was asked; look at what holds now and ask again"


class MomentPassed(Refused):
    """Nobody agreed before the moment from which it was to hold."""

    code = "policy.moment_passed"
    zh = "批准时已过申请的生效时间，请换一个时间重新申请"
    en = "The moment from which it was to hold had passed when it was agreed to; ask again with another"


def ask_release(connection: Connection, *, scope: str, body: Mapping[str, Any], terms: Terms, now_us: int) -> Approval:
    """Ask for a version of a scope's release policy.

    Raises:
        Refused: as `check_release_policy`: it could not be added now.
    """
    return _ask(connection, PREFIX + scope, body, "add", terms=terms, now_us=now_us)


def ask_roll_back(connection: Connection, *, scope: str, version: int, terms: Terms, now_us: int) -> Approval:
    """Ask that an earlier version's words hold again.

    Raises:
        NotFound: there is no such version.
        Refused: as `ask_release`.
    """
    body = find_version(connection, scope, version, field="version").body
    return _ask(connection, PREFIX + scope, body, "roll_back", of_version=version, terms=terms, now_us=now_us)


def ask_retire(connection: Connection, *, scope: str, terms: Terms, now_us: int) -> Approval:
    """Ask that a scope follows the wider ones again.

    Raises:
        NotFound: the scope has no policy of its own.
        Refused: as `ask_release`.
    """
    check_retirable(connection, scope)
    return _ask(connection, PREFIX + scope, INHERIT, "retire", terms=terms, now_us=now_us)


def ask_other(connection: Connection, *, kind: str, body: Mapping[str, Any], terms: Terms, now_us: int) -> Approval:
    """Ask for a version of the antenatal policy, or of one of `RULE_KINDS`.

    Raises:
        InvalidInput: names the rule, the moment or the reason that cannot be.
        WindowOpen: it would say something else about a due month whose entry window is open.
    """
    return _ask(connection, kind, body, "add", terms=terms, now_us=now_us)


def carry_out(connection: Connection, approval: Approval, *, now_us: int) -> Approval:
    """Do what others have just agreed to, or end it with why not; every other approval is left as it is.

    Raises:
        Tampered: what stands there is not what was agreed to.
    """
    if approval.kind != "policy" or approval.payload.get("act") != ACT or approval.state != "approved":
        return approval
    try:
        with connection.begin_nested():
            _apply(connection, approval, now_us=now_us)
    except Refused as refusal:
        return approvals.stop(connection, approval.id, refusal, now_us=now_us)
    return approvals.find(connection, approval.id)


def pending(connection: Connection, *, now_us: int, kinds: Sequence[str] | None = None) -> list[Approval]:
    """Changes that wait for somebody, the oldest first.

    Args:
        kinds: of policies; None: all release policies.
    """
    waiting = approvals.pending(connection, now_us=now_us, kinds={"policy"})
    return [
        one
        for one in waiting
        if one.payload.get("act") == ACT and (one.subject.startswith(PREFIX) if kinds is None else one.subject in kinds)
    ]


def stopped_lately(connection: Connection, kind: str, *, limit: int = 5) -> list[Approval]:
    """The newest changes of a policy that others refused, or that could not be done any more."""
    states: set[ApprovalState] = {"refused"}
    found = approvals.search(connection, kinds={"policy"}, states=states, subject=kind, limit=limit)
    return [one for one in found if one.payload.get("act") == ACT]


def approvals_of(connection: Connection, kind: str) -> dict[int, Approval]:
    """Which approval each version of a policy came by; one that was added at the setup came by none."""
    used = approvals.search(connection, kinds={"policy"}, states={"used"}, subject=kind, limit=_MOST)
    return {one.payload["base_version"] + 1: one for one in used if one.payload.get("act") == ACT}


def ruling(connection: Connection, kind: str, *, now_us: int, own: bool = True) -> dict[str, Any] | None:
    """What rules where this policy applies: kind, version and whole body; None: nothing, as before a first version.

    Where a scope has none of its own, sessions may follow the policy of their kind; `also` names those that there are.

    Args:
        own: False: as if the scope had no policy of its own.
    """
    if not kind.startswith(PREFIX):
        return _plain_ruling(connection, kind, now_us=now_us)
    kept = policies.all_effective(connection, now_us=now_us, prefix=PREFIX)
    standing = {name: version for name, version in kept.items() if not inherits(version.body)}
    for name in _scopes(connection, kind, own=own):
        if name in standing:
            found = {"kind": name, "version": standing[name].version, "body": whole_body(standing[name].body)}
            break
    else:
        found = {"kind": EVERYWHERE, "version": 0, "body": release_body(DEFAULT.policy)}
    crossed = found["kind"] == EVERYWHERE and kind.startswith((f"{PREFIX}department:", f"{PREFIX}doctor:"))
    found["also"] = [name for name in sorted(standing) if crossed and name.startswith(f"{PREFIX}kind:")]
    return found


def _ask(
    connection: Connection,
    kind: str,
    body: Mapping[str, Any],
    what: What,
    *,
    terms: Terms,
    now_us: int,
    of_version: int | None = None,
) -> Approval:
    begins_us = now_us if terms.effective_at_us is None else terms.effective_at_us
    whole = _checked(connection, kind, body, effective_at_us=begins_us, now_us=now_us)
    before = ruling(connection, kind, now_us=now_us)
    follows = ruling(connection, kind, now_us=now_us, own=False) if inherits(whole) else None
    after = whole if follows is None else follows["body"]
    return approvals.ask(
        connection,
        kind="policy",
        subject=kind,
        payload={
            "act": ACT,
            "what": what,
            "kind": kind,
            "body": whole,
            "of_version": of_version,
            "effective_at_us": terms.effective_at_us,
            "base_version": policies.newest(connection, kind),
            "before": before,
            "follows": follows,
            "changes": _changes({} if before is None else before["body"], after),
        },
        reason=written_reason("reason", terms.reason),
        operator=terms.operator,
        now_us=now_us,
    )


def _checked(
    connection: Connection, kind: str, body: Mapping[str, Any], *, effective_at_us: int, now_us: int
) -> dict[str, Any]:
    """The whole text of a version that could be added now."""
    if kind.startswith(PREFIX):
        scope = kind.removeprefix(PREFIX)
        return check_release_policy(connection, scope=scope, body=body, effective_at_us=effective_at_us, now_us=now_us)
    if effective_at_us < now_us:
        raise InvalidInput("effective_at", zh="不能早于现在", en="must not be in the past")
    if kind == ANTENATAL:
        return antenatal_body(check_policy(connection, body))
    return dict(whole_rules(kind, body))


def _apply(connection: Connection, approval: Approval, *, now_us: int) -> None:
    used = approvals.use(connection, approval.id, kind="policy", subject=approval.subject, now_us=now_us)
    kind, payload = used.subject, used.payload
    policies.hold(connection, kind)  # no version of another's comes between looking and adding
    newest = policies.newest(connection, kind)
    if newest != payload["base_version"]:
        raise PolicyMoved(version=newest)
    begins_us = now_us if payload["effective_at_us"] is None else payload["effective_at_us"]
    if begins_us < now_us:
        raise MomentPassed
    how: dict[str, Any] = {
        "effective_at_us": begins_us,
        "staff_id": used.asked_by,
        "reason": used.reason,
        "now_us": now_us,
        "approval_id": used.id,
    }
    if kind.startswith(PREFIX):
        add_release_policy(connection, scope=kind.removeprefix(PREFIX), body=payload["body"], **how)
    elif kind == ANTENATAL:
        add_policy(connection, payload["body"], **how)
    else:
        add_rules(connection, kind, payload["body"], **how)


def _scopes(connection: Connection, kind: str, *, own: bool) -> list[str]:
    """The policies that could rule a scope as a whole, the narrowest first; a kind cuts across the departments."""
    what, _, which = kind.removeprefix(PREFIX).partition(":")
    wider = [EVERYWHERE]
    if what == "doctor":
        department_id = department_of(connection, which)
        wider = [] if department_id is None else [f"{PREFIX}department:{department_id}"]
        wider.append(EVERYWHERE)
    return [kind, *wider] if own else [name for name in wider if name != kind]


def _plain_ruling(connection: Connection, kind: str, *, now_us: int) -> dict[str, Any] | None:
    kept = policies.effective(connection, kind, now_us=now_us)
    if kind in RULE_KINDS:
        body: dict[str, Any] = dict(whole_rules(kind, {} if kept is None else kept.body))
    elif kept is None:
        return None  # no due month is published before there is a policy
    else:
        body = antenatal_body(antenatal_from(kept.body))
    return {"kind": kind, "version": 0 if kept is None else kept.version, "body": body, "also": []}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What differs, rule by rule, by name."""
    was, becomes = dict(_rules(before)), dict(_rules(after))
    return [
        {"field": name, "before": was.get(name), "after": becomes.get(name)}
        for name in sorted(was.keys() | becomes.keys())
        if was.get(name) != becomes.get(name)
    ]


def _rules(body: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in body.items():
        if isinstance(value, Mapping):
            yield from _rules(value, f"{within}{name}.")
        else:
            yield f"{within}{name}", value
