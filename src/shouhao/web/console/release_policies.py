"""Release policies for staff: what rules where, every version and who made it, a dry run, and what is asked for.

Nothing changes here: whoever wants another rule asks, and another person decides (approvals.py).
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictInt
from sqlalchemy import Connection

from shouhao.booking.dry_run import MOST_RUNS
from shouhao.booking.dry_run_words import LIMITS
from shouhao.booking.release.policy import INHERIT, PREFIX, inherits
from shouhao.booking.release.policy_changes import whole_body
from shouhao.booking.store.catalogue import list_departments, list_doctors
from shouhao.booking.store.release_policies import SessionName, names_of_sessions
from shouhao.flows.policy_approvals import (
    ask_release,
    ask_retire,
    ask_roll_back,
    pending,
    ruling,
    stopped_lately,
)
from shouhao.flows.release_policies import (
    DRY_RUN_DAYS,
    Tried,
    VersionState,
    difference,
    history_of,
    scopes_that_stand,
    try_release_policy,
)
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.model import require
from shouhao.store.policies import PolicyVersion
from shouhao.web.console.policy_asks import (
    READERS,
    Asked,
    MadeBy,
    asked,
    asks_shown,
    made_by,
    of_body,
    terms_of,
)
from shouhao.web.console.release_policy_shapes import (
    ContestedShown,
    DepartmentNamed,
    Difference,
    DoctorNamed,
    DryRunShown,
    FieldShown,
    FigureShown,
    PartShown,
    ReleaseVersion,
    Ruling,
    ScopeHistory,
    ScopeList,
    ScopeShown,
    WordsShown,
)
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, LongText, Moment

routes = APIRouter(prefix="/api/v1/staff", tags=["release policies"])

_LOOK = failures(401, 403, 404, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
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


@routes.get("/release-policies", responses=failures(401, 403), summary="放号策略 Release policies")
def scopes(operator: OnDuty, system: Here) -> ScopeList:
    """由窄到宽为医生、科室、类别、全院，窄者优先。 Doctor, department, kind, everywhere: the narrowest wins."""
    require(operator, *READERS)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = scopes_that_stand(connection, now_us=now_us)
        waiting = asks_shown(connection, pending(connection, now_us=now_us), operator, now_us=now_us)
        departments, doctors = list_departments(connection), list_doctors(connection)
    return ScopeList(
        scopes=[
            ScopeShown(
                scope=one.scope,
                inherits=one.now is None or inherits(one.now.body),
                version=None if one.now is None else one.now.version,
                effective_at=None if one.now is None else one.now.effective_at_us,
                body=dict(INHERIT) if one.now is None else whole_body(one.now.body),
                next_version=None if one.next is None else one.next.version,
                next_effective_at=None if one.next is None else one.next.effective_at_us,
            )
            for one in found
        ],
        default=whole_body({}),
        departments=[DepartmentNamed(department_id=d.id, zh=d.name_zh, en=d.name_en) for d in departments],
        doctors=[
            DoctorNamed(doctor_id=d.id, department_id=d.department_id, zh=d.name_zh, en=d.name_en, title_zh=d.title_zh)
            for d in doctors
        ],
        pending=waiting,
    )


@routes.get("/release-policies/{scope}", responses=_LOOK, summary="放号策略版本 Versions of a release policy")
def history(scope: Scope, operator: OnDuty, system: Here) -> ScopeHistory:
    """现行内容与全部版本，最早的在前。 What rules now, and all versions, oldest first."""
    require(operator, *READERS)
    now_us, kind = system.clock.now_us(), PREFIX + scope
    with system.db.read() as connection:
        found = history_of(connection, scope, now_us=now_us)
        made = made_by(connection, kind, [one for one, _ in found])
        now, without = (ruling(connection, kind, now_us=now_us, own=own) or {} for own in (True, False))
        waiting = asks_shown(connection, pending(connection, now_us=now_us, kinds=(kind,)), operator, now_us=now_us)
        nothing = asks_shown(connection, stopped_lately(connection, kind), operator, now_us=now_us)
    return ScopeHistory(
        scope=scope,
        rules=Ruling(**now),
        rules_without=Ruling(**without),
        versions=[_version(one, state, made[one.version]) for one, state in found],
        pending=waiting,
        came_to_nothing=nothing,
    )


@routes.get("/release-policies/{scope}/diff", responses=_LOOK, summary="比较两个版本 Compare two versions")
def diff(
    scope: Scope,
    operator: OnDuty,
    system: Here,
    from_version: Annotated[int, Query(ge=1, le=2**31 - 1)],
    to_version: Annotated[int, Query(ge=1, le=2**31 - 1)],
) -> Difference:
    """逐项列出不同之处。 Field by field."""
    require(operator, *READERS)
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
    status_code=202,
    responses=_WRITE,
    response_model=Asked,
    summary="申请新增放号策略版本 Ask for a version of a release policy",
)
def add(scope: Scope, body: ReleaseBody, operator: OnDuty, write: StaffWrite) -> Response:
    """另一人批准时或自某时起生效，不得落在任何报名期内。 When another agrees or from then on, in no entry window."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        try:
            approval = ask_release(
                connection,
                scope=scope,
                body=body.body,
                terms=terms_of(body.effective_at, body.reason, operator),
                now_us=write.now_us,
            )
        except InvalidInput as rule:
            raise of_body(rule) from None
        return asked(approval)

    return write.answer(act, status=202)


@routes.post(
    "/release-policies/{scope}/roll-back",
    status_code=202,
    responses=_WRITE,
    response_model=Asked,
    summary="申请恢复旧版本 Ask to roll back to a version",
)
def roll_back(scope: Scope, body: RollBackBody, operator: OnDuty, write: StaffWrite) -> Response:
    """批准后旧内容成为新版本，历史不变。 When another agrees the old words become the next version."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        approval = ask_roll_back(
            connection,
            scope=scope,
            version=body.version,
            terms=terms_of(body.effective_at, body.reason, operator),
            now_us=write.now_us,
        )
        return asked(approval)

    return write.answer(act, status=202)


@routes.post(
    "/release-policies/{scope}/retire",
    status_code=202,
    responses=_WRITE,
    response_model=Asked,
    summary="申请停用该范围的放号策略 Ask to retire a scope's policy",
)
def retire(scope: Scope, body: BeginBody, operator: OnDuty, write: StaffWrite) -> Response:
    """批准后按更宽的范围执行。 When another agrees the wider scope rules."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        approval = ask_retire(
            connection,
            scope=scope,
            terms=terms_of(body.effective_at, body.reason, operator),
            now_us=write.now_us,
        )
        return asked(approval)

    return write.answer(act, status=202)


@routes.post(
    "/release-policies/{scope}/dry-run",
    responses=failures(400, 401, 403, 404, 415, 422),
    summary="试算放号策略 Try a release policy on past demand",
)
def dry_run(scope: Scope, body: DryRunBody, operator: OnDuty, system: Here) -> DryRunShown:
    """用近期的需求重新放一遍号，不保存任何内容。 Past demand, given out again; nothing is written."""
    require(operator, *READERS)
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
            raise of_body(rule, besides=("days", "runs")) from None
        names = names_of_sessions(connection, [one.session_id for one in tried.outcome.contested])
    return _dry_run_shown(tried, names)


def _version(one: PolicyVersion, state: VersionState, made: MadeBy) -> ReleaseVersion:
    return ReleaseVersion(
        version=one.version,
        state=state,
        effective_at=one.effective_at_us,
        body=whole_body(one.body),
        staff_id=one.staff_id,
        reason=one.reason,
        created_at=one.created_at_us,
        made_by=made,
    )


def _dry_run_shown(tried: Tried, names: Mapping[str, SessionName]) -> DryRunShown:
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
                session_id=c.session_id,
                seats=c.seats,
                asked=c.asked,
                got=c.got,
                chance=round(c.chance, _SHARE_DIGITS),
                **asdict(names[c.session_id]),
            )
            for c in outcome.contested
        ],
        limits=[WordsShown(zh=zh, en=en) for zh, en in LIMITS],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _SHARE_DIGITS)
