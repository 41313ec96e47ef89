"""Release policies as staff set them: added as versions, tried on past demand, compared, rolled back, retired.

Who may let a change happen is decided in policy_approvals.py; a hospital that is set up is furnished with these.
Nothing is ever changed: going back adds the old words as the next version, and retiring a scope adds a version that
leaves it to the wider one. Whoever announced a window keeps it: no version begins within one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection

from shouhao.booking.demand import Demand
from shouhao.booking.dry_run import DryRun, simulate
from shouhao.booking.release.mixed import fits
from shouhao.booking.release.policy import (
    INHERIT,
    PREFIX,
    InForce,
    check_number,
    check_scope,
    in_force,
    inherits,
    release_from,
)
from shouhao.booking.release.policy_changes import (
    FieldChange,
    ReleaseWindowOpen,
    Ruled,
    begins_in_a_window,
    field_changes,
    whole_body,
)
from shouhao.booking.store import release_policies as store
from shouhao.booking.store.demand import demand
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.kernel.events import Event
from shouhao.patients.texts import written_reason
from shouhao.store import event_log, policies
from shouhao.store.policies import PolicyVersion

DRY_RUN_DAYS = 30
_MOST_DAYS = 366
_FOR_EVER_US = 2**62
_SEED = b"shouhao dry run"  #: the same for all, so that two people who try the same policy see the same figures

VersionState = Literal["in_force", "planned", "over", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStands:
    """One scope that has, or had, a policy of its own."""

    scope: str
    now: PolicyVersion | None  #: the version in force; it may say that the scope inherits
    next: PolicyVersion | None  #: the newest, when it has not begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A policy on the demand of a past time."""

    demand: Demand
    outcome: DryRun


def add_release_policy(
    connection: Connection,
    *,
    scope: str,
    body: Mapping[str, Any],
    effective_at_us: int,
    staff_id: str,
    reason: str,
    now_us: int,
    approval_id: str | None = None,
) -> int:
    """Add a version for a scope and return its number.

    Args:
        scope: as `check_scope` has it.
        body: as `release_from` reads it, or `INHERIT` to leave the scope to the wider ones.
        approval_id: who agreed; None where a hospital is being set up.
    Raises:
        InvalidInput, NotFound, ReleaseWindowOpen: as `check_release_policy`, and for a reason that says nothing.
    """
    said = written_reason("reason", reason)
    whole = check_release_policy(connection, scope=scope, body=body, effective_at_us=effective_at_us, now_us=now_us)
    kind = PREFIX + scope
    version = policies.add(
        connection, kind, whole, effective_at_us=effective_at_us, staff_id=staff_id, reason=said, now_us=now_us
    )
    detail = {"kind": kind, "version": version, "effective_at_us": effective_at_us, "body": whole}
    if approval_id is not None:
        detail["approval_id"] = approval_id
    changed = Event(at_us=now_us, kind="policy_changed", staff_id=staff_id, detail=detail)
    event_log.append(connection, [changed])
    return version


def check_release_policy(
    connection: Connection, *, scope: str, body: Mapping[str, Any], effective_at_us: int, now_us: int
) -> dict[str, Any]:
    """The whole body of a version that may be added for this scope, as things are now.

    Raises:
        InvalidInput: the scope, a rule or the moment cannot be; `mixed.parts` when a planned session that this policy
            would rule is too small for its parts.
        NotFound: there is no such doctor or department.
        ReleaseWindowOpen: it would begin while a session of the scope takes entries, or is not drawn yet.
    """
    _known_scope(connection, scope)
    if effective_at_us < now_us:
        raise InvalidInput("effective_at", zh="不能早于现在", en="must not be in the past")
    whole = whole_body(body)
    _check_sessions(connection, PREFIX + scope, whole, effective_at_us=effective_at_us)
    return whole


def retire_release_policy(
    connection: Connection, *, scope: str, effective_at_us: int, staff_id: str, reason: str, now_us: int
) -> int:
    """Leave a scope to the wider ones; the number of the version that says so.

    Raises:
        NotFound: the scope has no policy of its own.
        Refused: as `add_release_policy`.
    """
    check_retirable(connection, scope)
    return add_release_policy(
        connection,
        scope=scope,
        body=INHERIT,
        effective_at_us=effective_at_us,
        staff_id=staff_id,
        reason=reason,
        now_us=now_us,
    )


def check_retirable(connection: Connection, scope: str) -> None:
    """Whether a scope has a policy of its own that can end.

    Raises:
        NotFound: it has none.
    """
    check_scope(scope)
    kept = policies.history(connection, PREFIX + scope)
    if not kept or inherits(kept[-1].body):
        raise NotFound("release policy", "scope")


def roll_back_release_policy(
    connection: Connection,
    *,
    scope: str,
    version: int,
    effective_at_us: int,
    staff_id: str,
    reason: str,
    now_us: int,
) -> int:
    """Add what an earlier version said as the next one; its number.

    Raises:
        NotFound: there is no such version.
        Refused: as `add_release_policy`: sessions may have changed since.
    """
    return add_release_policy(
        connection,
        scope=scope,
        body=find_version(connection, scope, version, field="version").body,
        effective_at_us=effective_at_us,
        staff_id=staff_id,
        reason=reason,
        now_us=now_us,
    )


def scopes_that_stand(connection: Connection, *, now_us: int) -> list[ScopeStands]:
    """Every scope for which a version was ever added, by name."""
    ever = policies.all_effective(connection, now_us=_FOR_EVER_US, prefix=PREFIX)
    now = policies.all_effective(connection, now_us=now_us, prefix=PREFIX)
    return [
        ScopeStands(
            scope=kind.removeprefix(PREFIX),
            now=now.get(kind),
            next=newest if newest.effective_at_us > now_us else None,
        )
        for kind, newest in sorted(ever.items())
    ]


def history_of(connection: Connection, scope: str, *, now_us: int) -> list[tuple[PolicyVersion, VersionState]]:
    """All versions of a scope, oldest first, with how each stands.

    Raises:
        InvalidInput: it is no scope.
    """
    check_scope(scope)
    kept = policies.history(connection, PREFIX + scope)
    begun = [v.version for v in kept if v.effective_at_us <= now_us]
    found = []
    for n, one in enumerate(kept):
        state: VersionState = "over"
        if any(later.effective_at_us <= one.effective_at_us for later in kept[n + 1 :]):
            state = "never"  # a newer one was there when it began
        elif one.effective_at_us > now_us:
            state = "planned"
        elif one.version == max(begun):
            state = "in_force"
        found.append((one, state))
    return found


def difference(connection: Connection, scope: str, before: int, after: int) -> list[FieldChange]:
    """What one version changed against another, field by field.

    Raises:
        NotFound: there is no such version.
    """
    one = find_version(connection, scope, before, field="from_version")
    other = find_version(connection, scope, after, field="to_version")
    return field_changes(one.body, other.body)


def find_version(connection: Connection, scope: str, version: int, *, field: str) -> PolicyVersion:
    """One version of a scope.

    Raises:
        NotFound: there is none.
    """
    check_scope(scope)
    for one in policies.history(connection, PREFIX + scope):
        if one.version == version:
            return one
    raise NotFound("version", field)


def try_release_policy(
    connection: Connection, *, scope: str, body: Mapping[str, Any], days: int, runs: int, now_us: int
) -> Tried:
    """Give the last days' sessions of a scope out again under a policy; nothing is written.

    Raises:
        InvalidInput: the scope, a rule, the days or the runs cannot be.
        NotFound: there is no such doctor or department.
    """
    _known_scope(connection, scope)
    policy = release_from(body)
    check_number("days", days, 1, _MOST_DAYS)
    asked = demand(connection, scope=scope, from_us=now_us - days * DAY_US, to_us=now_us)
    return Tried(demand=asked, outcome=simulate(asked.sessions, policy, seed=_SEED, runs=runs))


def _known_scope(connection: Connection, scope: str) -> None:
    check_scope(scope)
    if not store.scope_exists(connection, scope):
        raise NotFound(scope.partition(":")[0], "scope")


def _check_sessions(connection: Connection, kind: str, whole: Mapping[str, Any], *, effective_at_us: int) -> None:
    """Look at every session that the version would rule."""
    scope = kind.removeprefix(PREFIX)
    for session, drawn_under in store.in_open_draws(connection, scope):
        if _as_narrow(kind, drawn_under, session):
            raise ReleaseWindowOpen("effective_at", session_id=session.id)
    before = store.policies_in_force(connection, now_us=effective_at_us)
    after = {scope_: by for scope_, by in before.items() if scope_ != kind}
    if not inherits(whole):
        after[kind] = InForce(policy=release_from(whole), scope=kind, version=0)
    capacities = []
    for session in store.planned_in(connection, scope, from_us=effective_at_us):
        was, becomes = _ruling(before, session), _ruling(after, session)
        if not {was.scope, becomes.scope} & {kind}:
            continue  # a narrower policy rules it
        if begins_in_a_window(effective_at_us, release_at_us=session.release_at_us, policies=(was, becomes)):
            raise ReleaseWindowOpen("effective_at", session_id=session.id)
        if becomes.scope == kind:
            capacities.append(session.capacity)
    if not inherits(whole):
        fits(after[kind].policy, capacities)


def _as_narrow(kind: str, drawn_under: str, session: Ruled) -> bool:
    """Whether a version of `kind` would have ruled this session, which is drawn under another scope or the same."""
    scopes = session.scopes()
    return drawn_under not in scopes or scopes.index(kind) <= scopes.index(drawn_under)


def _ruling(kept: Mapping[str, InForce], session: Ruled) -> InForce:
    return in_force(kept, department_id=session.department_id, doctor_id=session.doctor_id, kind=session.kind)
