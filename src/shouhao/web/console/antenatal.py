"""Antenatal registration for staff: the policy, applications (masked), assessments, papers, and corrections.

Partners and referrals are in `antenatal_referrals.py`. A list of women is a look, and is recorded.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.booking.antenatal import APPLICATION_STATES, Application
from shouhao.booking.release.antenatal import KIND, TIERS, AntenatalPolicy, antenatal_from
from shouhao.booking.store import antenatal as store
from shouhao.flows.antenatal import apply, assess, confirm_papers, correct_due_day, withdraw
from shouhao.flows.antenatal_months import PlannedMonth, planned_months
from shouhao.flows.give_back import Caller
from shouhao.flows.policy_approvals import ask_other, pending, ruling, stopped_lately
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.patients.model import WINDOW
from shouhao.patients.store import find_patient
from shouhao.staff.model import Operator, require
from shouhao.store import event_log, policies
from shouhao.web.console.duty_look import look_on_duty
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
from shouhao.web.fields import Body, Id, Instant, LongText, Moment, ShortText, Shown
from shouhao.web.idempotent import Act
from shouhao.web.public.antenatal import (
    ApplicationShown,
    ApplyBody,
    DatesBody,
    MonthName,
    MonthsShown,
    application_shown,
    months_shown,
)

routes = APIRouter(prefix="/api/v1/staff/antenatal", tags=["antenatal"])

_MOST = 500
_LOOK = failures(401, 403, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class PolicyBody(Body):
    """A version of the policy, or one to try: what it leaves out keeps its default."""

    body: dict[str, Any]


class AddBody(PolicyBody):
    """A new version."""

    effective_at: Moment | None = None
    reason: LongText


class VersionShown(Shown):
    """One version, and who asked for it and agreed."""

    version: int
    effective_at: Instant
    body: dict[str, Any]
    staff_id: str | None
    reason: str
    created_at: Instant
    made_by: MadeBy


class History(Shown):
    """All versions, oldest first; a published month keeps the one it was published with.

    Before the first has begun nothing is in force, and no month is published.
    """

    in_force: dict[str, Any] | None
    in_force_version: int
    versions: list[VersionShown]
    pending: list[AskShown]
    came_to_nothing: list[AskShown]


class PlannedShown(Shown):
    """A due month as the policy would have it: its own places by tier, what is carried, and what it can give."""

    month: str
    state: str
    opens_at: Instant
    window_closes_at: Instant
    closes_at: Instant
    own: dict[str, int]
    carried_in: dict[str, int]
    carried_out: dict[str, int]
    places: int


class PlanShown(Shown):
    """The coming due months."""

    months: list[PlannedShown]


class StaffApplyBody(ApplyBody):
    """For a woman who stands at the counter."""


class ReasonBody(Body):
    """Why, in the operator's own words."""

    reason: LongText


class AssessBody(ReasonBody):
    """The risk tier."""

    tier: Annotated[ShortText, Field(json_schema_extra={"enum": list(TIERS)})]


class CorrectBody(DatesBody):
    """The dates as they should be, and why."""

    reason: LongText


class MaskedApplication(Shown):
    """An application with its woman, masked."""

    application: ApplicationShown
    name: str
    phone: str


class MaskedApplications(Shown):
    """Applications in the order of waiting."""

    applications: list[MaskedApplication]


@routes.get("/policies", responses=_LOOK, summary="建档策略版本 Versions of the antenatal policy")
def history(operator: OnDuty, system: Here) -> History:
    """全部版本，及待批准的更改。 All versions, and changes that wait to be agreed to."""
    require(operator, *READERS)
    now_us = system.clock.now_us()
    with system.db.read() as connection:
        found = policies.history(connection, KIND)
        made = made_by(connection, KIND, found)
        now = ruling(connection, KIND, now_us=now_us)
        waiting = asks_shown(connection, pending(connection, now_us=now_us, kinds=(KIND,)), operator, now_us=now_us)
        nothing = asks_shown(connection, stopped_lately(connection, KIND), operator, now_us=now_us)
    return History(
        in_force=None if now is None else now["body"],
        in_force_version=0 if now is None else now["version"],
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
    "/policies",
    status_code=202,
    responses=_WRITE,
    response_model=Asked,
    summary="申请新增建档策略版本 Ask for a version of the antenatal policy",
)
def add(body: AddBody, operator: OnDuty, write: StaffWrite) -> Response:
    """另一人批准后生效；窗口正在进行的月份不能更改。 When another agrees; a month with an open window keeps its own."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        read_policy(body.body)
        approval = ask_other(
            connection,
            kind=KIND,
            body=body.body,
            terms=terms_of(body.effective_at, body.reason, operator),
            now_us=write.now_us,
        )
        return asked(approval)

    return write.answer(act, status=202)


@routes.post("/policies/preview", responses=failures(400, 401, 403, 415, 422), summary="试算建档名额 Try a policy")
def preview(body: PolicyBody, operator: OnDuty, system: Here) -> PlanShown:
    """各月名额（含已结转），不保存。 Places of each month with what is carried; nothing is kept."""
    require(operator, *READERS)
    policy = read_policy(body.body)
    with system.db.read() as connection:
        found = planned_months(connection, policy, now_us=system.clock.now_us())
    return PlanShown(months=[_planned(one) for one in found])


@routes.get("/months", responses=_LOOK, summary="建档月份 Due months")
def list_months(operator: OnDuty, system: Here) -> MonthsShown:
    """与患者所见相同。 What patients see."""
    require(operator, "window", "outpatient_office", "approver", "auditor")
    with system.db.read() as connection:
        return months_shown(connection, now_us=system.clock.now_us())


@routes.get("/applications", responses=_LOOK, summary="建档申请 Applications to a month")
def list_applications(
    month: Annotated[MonthName, Query()],
    operator: OnDuty,
    system: Here,
    state: Annotated[str | None, Query(json_schema_extra={"enum": [*APPLICATION_STATES, None]})] = None,
) -> MaskedApplications:
    """姓名与电话已遮盖；查看即留痕。 Masked; the look is recorded."""
    require(operator, "window", "outpatient_office")
    if state is not None and state not in APPLICATION_STATES:
        listed = ", ".join(APPLICATION_STATES)
        raise InvalidInput("state", zh=f"应为 {listed} 之一", en=f"must be one of {listed}")
    with system.db.write() as connection:
        detail = {"what": "antenatal_applications", "month": month}
        look = Event(at_us=system.clock.now_us(), kind="viewed", channel=WINDOW, staff_id=operator.id, detail=detail)
        event_log.append(connection, [look])
        found = store.applications_in(connection, month, state=state, limit=_MOST)
    what = f"antenatal_applications {month}"
    look_on_duty(system, operator, "antenatal", data_class="health", what=what, records=len(found))
    with system.db.read() as connection:
        return MaskedApplications(applications=[_masked(connection, one) for one in found])


@routes.post(
    "/applications",
    status_code=201,
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="窗口申请建档 Apply at the window",
)
def apply_at_window(body: StaffApplyBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """与线上同一规则。 By the same rules as everywhere."""
    require(operator, "window")
    caller = at_window(operator)

    def act(connection: Connection) -> dict[str, Any]:
        application = apply(
            connection,
            vault=system.vault,
            patient_id=body.patient_id,
            stated=body.stated(),
            caller=caller,
            now_us=write.now_us,
        )
        return application_shown(connection, application).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/applications/{application_id}/tier",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="评定风险等级 Assess the risk tier",
)
def assess_tier(application_id: Id, body: AssessBody, operator: OnDuty, write: StaffWrite) -> Response:
    """改级后占用该级名额，无名额则优先候补。 Takes a place of that tier, or waits first in its order."""
    require(operator, "window", "outpatient_office")
    return write.answer(
        _acting(
            lambda c: assess(
                c,
                application_id=application_id,
                tier=body.tier,
                reason=body.reason,
                caller=at_window(operator),
                now_us=write.now_us,
            )
        )
    )


@routes.post(
    "/applications/{application_id}/confirmation",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="核对材料并建档 Confirm with the papers",
)
def confirm(application_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """已见本人与材料。 The woman and her papers were seen."""
    require(operator, "window")
    return write.answer(
        _acting(
            lambda c: confirm_papers(
                c,
                application_id=application_id,
                reason=body.reason,
                caller=at_window(operator),
                now_us=write.now_us,
            )
        )
    )


@routes.post(
    "/applications/{application_id}/due-date",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="更正预产期 Correct the due date",
)
def correct(application_id: Id, body: CorrectBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """新月份有名额即得，否则在该月候补。 In another month: a free place, or a turn there."""
    require(operator, "window", "outpatient_office")
    return write.answer(
        _acting(
            lambda c: correct_due_day(
                c,
                vault=system.vault,
                application_id=application_id,
                stated=body.stated(),
                reason=body.reason,
                caller=at_window(operator),
                now_us=write.now_us,
            )
        )
    )


@routes.post(
    "/applications/{application_id}/withdrawal",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="代为撤回 Withdraw for the woman",
)
def withdraw_for(application_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """写明理由，名额立即给下一位。 With a reason; the place goes to the next at once."""
    require(operator, "window")
    return write.answer(
        _acting(
            lambda c: withdraw(
                c,
                application_id=application_id,
                caller=at_window(operator),
                reason=body.reason,
                now_us=write.now_us,
            )
        )
    )


def at_window(operator: Operator) -> Caller:
    """Staff who act for a woman, as flows want to know them."""
    return Caller(channel=WINDOW, staff_id=operator.id)


def read_policy(body: dict[str, Any]) -> AntenatalPolicy:
    """The policy of a request's body.

    Raises:
        InvalidInput: names the rule within the body.
    """
    try:
        return antenatal_from(body)
    except InvalidInput as rule:
        raise of_body(rule) from None


def _acting(act: Act) -> Act:
    """Do something to an application and show it."""
    return lambda connection: application_shown(connection, act(connection)).model_dump(mode="json")


def _masked(connection: Connection, application: Application) -> MaskedApplication:
    patient = find_patient(connection, application.patient_id)
    return MaskedApplication(
        application=application_shown(connection, application),
        name="" if patient is None else patient.name_masked,
        phone="" if patient is None else patient.phone_masked,
    )


def _planned(month: PlannedMonth) -> PlannedShown:
    return PlannedShown(
        month=month.month,
        state=month.state,
        opens_at=month.opens_at_us,
        window_closes_at=month.window_closes_at_us,
        closes_at=month.closes_at_us,
        own=dict(month.own),
        carried_in=dict(month.carried_in),
        carried_out=dict(month.carried_out),
        places=month.places,
    )
