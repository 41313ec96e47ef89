"""Release policies for staff: what rules where, every version and what it changed, a dry run before it begins."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictInt
from sqlalchemy import Connection

from shouhao.booking.dry_run import MOST_RUNS
from shouhao.booking.dry_run_words import LIMITS
from shouhao.booking.release.policy import INHERIT, inherits
from shouhao.flows.release_policies import (
    DRY_RUN_DAYS,
    Tried,
    VersionState,
    add_release_policy,
    difference,
    history_of,
    retire_release_policy,
    roll_back_release_policy,
    scopes_that_stand,
    try_release_policy,
)
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import Role, require
from shouhao.store.policies import PolicyVersion
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Instant, LongText, Moment, Shown
from shouhao.web.idempotent import Write

routes = APIRouter(prefix="/api/v1/staff", tags=["release policies"])

_READERS: tuple[Role, ...] = ("outpatient_office", "approver", "auditor")
_LOOK = failures(401, 403, 404, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_LONGEST_FIELD = 120
_SHARE_DIGITS = 4  #: of a share or a mean; more would say more than a dry run knows

Scope = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]
Version = Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]


class BeginBody(Body):
    """From when on, and why."""

    effective_at: Moment | None = None
    reason: LongText


class ReleaseBody(BeginBody):
    """A new version: what it says leaves out keeps its default; `{"kind": "inherit"}` leaves it to the wider scope."""

    body: dict[str, Any]


class RollBackBody(BeginBody):
    """Which version's words are to hold again."""

    version: Version


class DryRunBody(Body):
    """A policy to try, on the demand of how many days, over how many draws."""

    body: dict[str, Any]
    days: Annotated[StrictInt, Field(ge=1, le=366)] = DRY_RUN_DAYS
    runs: Annotated[StrictInt, Field(ge=1, le=MOST_RUNS)] = 20


class ReleaseVersion(Shown):
    """One version, whole; `state` is in_force, planned, over or never (a newer one was there when it began)."""

    version: int
    state: VersionState
    effective_at: Instant
    body: dict[str, Any]
    staff_id: str | None
    reason: str
    created_at: Instant


class ScopeHistory(Shown):
    """All versions of a scope, oldest first."""

    scope: str
    versions: list[ReleaseVersion]


class ScopeShown(Shown):
    """What rules a scope now, and the newest version when it has not begun."""

    scope: str
    inherits: bool
    version: int | None
    effective_at: Instant | None
    body: dict[str, Any]
    next_version: int | None
    next_effective_at: Instant | None


class ScopeList(Shown):
    """Scopes that have, or had, a policy of their own; all others follow the wider one."""

    scopes: list[ScopeShown]


class VersionBegins(Shown):
    """The number of the version that was added."""

    scope: str
    version: int
    effective_at: Instant


class FieldShown(Shown):
    """One rule that differs."""

    field: str
    before: bool | int | str | None
    after: bool | int | str | None


class Difference(Shown):
    """What one version changed against another."""

    scope: str
    from_version: int
    to_version: int
    changes: list[FieldShown]


class FigureShown(Shown):
    """One figure, as it was and as it would have been."""

    code: str
    unit: str
    as_it_was: float | None
    under_policy: float | None
    zh: str
    en: str


class PartShown(Shown):
    """Slots set apart for one part, and for how many of them somebody asked that way."""

    part: str
    seats: int
    asked_for: int


class ContestedShown(Shown):
    """A session for which more people asked than it had slots."""

    session_id: str
    seats: int
    asked: int
    got: int
    chance: float


class WordsShown(Shown):
    """The same sentence in both languages."""

    zh: str
    en: str


class DryRunShown(Shown):
    """What the policy would have done, and what that does not tell."""

    scope: str
    from_at: Instant
    to_at: Instant
    kind: str
    runs: int
    sessions: int
    ruled: int
    cut: bool
    figures: list[FigureShown]
    parts: list[PartShown]
    contested: list[ContestedShown]
    limits: list[WordsShown]


@routes.get("/release-policies", responses=failures(401, 403), summary="放号策略 Release policies")
def scopes(operator: OnDuty, system: Here) -> ScopeList:
    """由窄到宽为医生、科室、类别、全院，窄者优先。 Doctor, department, kind, everywhere: the narrowest wins."""
    require(operator, *_READERS)
    with system.db.read() as connection:
        found = scopes_that_stand(connection, now_us=system.clock.now_us())
    return ScopeList(
        scopes=[
            ScopeShown(
                scope=one.scope,
                inherits=one.now is None or inherits(one.now.body),
                version=None if one.now is None else one.now.version,
                effective_at=None if one.now is None else one.now.effective_at_us,
                body=dict(INHERIT if one.now is None else one.now.body),
                next_version=None if one.next is None else one.next.version,
                next_effective_at=None if one.next is None else one.next.effective_at_us,
            )
            for one in found
        ]
    )


@routes.get("/release-policies/{scope}", responses=_LOOK, summary="放号策略版本 Versions of a release policy")
def history(scope: Scope, operator: OnDuty, system: Here) -> ScopeHistory:
    """全部版本，最早的在前。 All versions, oldest first."""
    require(operator, *_READERS)
    with system.db.read() as connection:
        found = history_of(connection, scope, now_us=system.clock.now_us())
    return ScopeHistory(scope=scope, versions=[_version(one, state) for one, state in found])


@routes.get("/release-policies/{scope}/diff", responses=_LOOK, summary="比较两个版本 Compare two versions")
def diff(
    scope: Scope,
    operator: OnDuty,
    system: Here,
    from_version: Annotated[int, Query(ge=1, le=2**31 - 1)],
    to_version: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> Difference:
    """逐项列出不同之处。 Field by field."""
    require(operator, *_READERS)
    with system.db.read() as connection:
        found = difference(connection, scope, from_version, to_version)
    return Difference(
        scope=scope,
        from_version=from_version,
        to_version=to_version,
        changes=[FieldShown(field=c.field, before=c.before, after=c.after) for c in found],
    )


@routes.post(
    "/release-policies/{scope}",
    status_code=201,
    responses=_WRITE,
    response_model=VersionBegins,
    summary="新增放号策略版本 Add a version of a release policy",
)
def add(scope: Scope, body: ReleaseBody, operator: OnDuty, write: StaffWrite) -> Response:
    """立即或自某时起生效，但不得落在任何报名期内。 At once or from a moment on, but within no entry window."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        begins_us = _begins_us(body, write)
        try:
            version = add_release_policy(
                connection,
                scope=scope,
                body=body.body,
                effective_at_us=begins_us,
                staff_id=operator.id,
                reason=body.reason,
                now_us=write.now_us,
            )
        except InvalidInput as rule:
            raise _of_body(rule) from None
        return VersionBegins(scope=scope, version=version, effective_at=begins_us).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/release-policies/{scope}/roll-back",
    status_code=201,
    responses=_WRITE,
    response_model=VersionBegins,
    summary="恢复旧版本 Roll back to a version",
)
def roll_back(scope: Scope, body: RollBackBody, operator: OnDuty, write: StaffWrite) -> Response:
    """旧内容成为新版本，历史不变。 The old words become the next version; nothing is changed."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        begins_us = _begins_us(body, write)
        version = roll_back_release_policy(
            connection,
            scope=scope,
            version=body.version,
            effective_at_us=begins_us,
            staff_id=operator.id,
            reason=body.reason,
            now_us=write.now_us,
        )
        return VersionBegins(scope=scope, version=version, effective_at=begins_us).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/release-policies/{scope}/retire",
    status_code=201,
    responses=_WRITE,
    response_model=VersionBegins,
    summary="停用该范围的放号策略 Retire a scope's policy",
)
def retire(scope: Scope, body: BeginBody, operator: OnDuty, write: StaffWrite) -> Response:
    """此后按更宽的范围执行。 From then on the wider scope rules."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        begins_us = _begins_us(body, write)
        version = retire_release_policy(
            connection,
            scope=scope,
            effective_at_us=begins_us,
            staff_id=operator.id,
            reason=body.reason,
            now_us=write.now_us,
        )
        return VersionBegins(scope=scope, version=version, effective_at=begins_us).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/release-policies/{scope}/dry-run",
    responses=failures(400, 401, 403, 404, 415, 422),
    summary="试算放号策略 Try a release policy on past demand",
)
def dry_run(scope: Scope, body: DryRunBody, operator: OnDuty, system: Here) -> DryRunShown:
    """用近期的需求重新放一遍号，不保存任何内容。 Past demand, given out again; nothing is written."""
    require(operator, *_READERS)
    with system.db.read() as connection:
        try:
            tried = try_release_policy(
                connection,
                scope=scope,
                body=body.body,
                days=body.days,
                runs=body.runs,
                now_us=system.clock.now_us(),
            )
        except InvalidInput as rule:
            raise _of_body(rule) from None
    return _dry_run_shown(tried)


def _begins_us(body: BeginBody, write: Write) -> int:
    return write.now_us if body.effective_at is None else body.effective_at


def _of_body(rule: InvalidInput) -> InvalidInput:
    """A broken rule of the policy, named within the request's body; the caller may have made the name up."""
    if rule.field in {"scope", "effective_at", "reason", "days", "runs"}:
        return rule
    named = (rule.field or "").encode("utf-8", "replace").decode().replace("\0", "?")[:_LONGEST_FIELD]
    return InvalidInput(f"body.{named}", zh=rule.data["rule_zh"], en=rule.data["rule_en"])


def _version(one: PolicyVersion, state: VersionState) -> ReleaseVersion:
    return ReleaseVersion(
        version=one.version,
        state=state,
        effective_at=one.effective_at_us,
        body=dict(one.body),
        staff_id=one.staff_id,
        reason=one.reason,
        created_at=one.created_at_us,
    )


def _dry_run_shown(tried: Tried) -> DryRunShown:
    demand, outcome = tried.demand, tried.outcome
    return DryRunShown(
        scope=demand.scope,
        from_at=demand.from_us,
        to_at=demand.to_us,
        kind=outcome.kind,
        runs=outcome.runs,
        sessions=len(demand.sessions),
        ruled=demand.ruled,
        cut=demand.cut,
        figures=[
            FigureShown(
                code=f.code,
                unit=f.unit,
                as_it_was=_rounded(f.as_it_was),
                under_policy=_rounded(f.under_policy),
                zh=f.zh,
                en=f.en,
            )
            for f in outcome.figures
        ],
        parts=[PartShown(part=p.part, seats=p.seats, asked_for=p.asked_for) for p in outcome.parts],
        contested=[
            ContestedShown(
                session_id=c.session_id, seats=c.seats, asked=c.asked, got=c.got, chance=round(c.chance, _SHARE_DIGITS)
            )
            for c in outcome.contested
        ],
        limits=[WordsShown(zh=zh, en=en) for zh, en in LIMITS],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _SHARE_DIGITS)
