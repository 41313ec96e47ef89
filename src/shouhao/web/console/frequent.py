"""Who comes too often, for the security office: leads without a name, which two people open."""

import base64
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection

from shouhao.flows.frequent_leads import OPENERS, ask_to_open, dismiss_lead, leads_waiting, open_lead
from shouhao.staff.model import require
from shouhao.watch.store.frequent import LeadState
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, Shown
from shouhao.wiring.watch import window_keys

routes = APIRouter(prefix="/api/v1/staff", tags=["frequent visitors"])

_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
LeadId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]


class ReasonBody(Body):
    """Why."""

    reason: LongText


class OpenBody(ReasonBody):
    """Why, and the second person's approval."""

    approval_id: Id


class LeadShown(Shown):
    """A lead: on how many days somebody was there, and nothing of whom."""

    id: str
    state: LeadState
    days: int
    raised_at: Instant


class LeadList(Shown):
    """Leads that wait or are open."""

    leads: list[LeadShown]


class VisitShown(Shown):
    """One visit of an opened lead."""

    day: date
    at: Instant
    camera_id: str


class PictureShown(Shown):
    """One picture of a day, marked with who looks."""

    day: date
    jpeg_base64: str


class OpenedShown(Shown):
    """What two people may see."""

    lead: LeadShown
    visits: list[VisitShown]
    pictures: list[PictureShown]


class Asked(Shown):
    """The approval that now waits for a second person."""

    approval_id: str


@routes.get("/frequent-leads", responses=failures(401, 403), summary="高频来访线索 Leads")
def leads(operator: OnDuty, system: Here) -> LeadList:
    """只有天数；画面须两人打开。 A number of days; two people open the rest."""
    require(operator, *OPENERS, "data_protection", "approver", "auditor")
    with system.db.read() as connection:
        found = leads_waiting(connection)
    return LeadList(
        leads=[LeadShown(id=one.id, state=one.state, days=one.days, raised_at=one.raised_at_us) for one in found]
    )


@routes.post(
    "/frequent-leads/{lead_id}/request",
    status_code=201,
    responses=_WRITE,
    response_model=Asked,
    summary="申请打开线索 Ask to open a lead",
)
def request(lead_id: LeadId, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """另一人批准后才能打开。 Somebody else approves first."""

    def act(connection: Connection) -> dict[str, Any]:
        approval = ask_to_open(connection, lead_id, operator=operator, reason=body.reason, now_us=write.now_us)
        return {"approval_id": approval.id}

    return write.answer(act, status=201)


@routes.post("/frequent-leads/{lead_id}/open", responses=_WRITE, summary="打开线索 Open a lead")
def opened(lead_id: LeadId, body: OpenBody, operator: OnDuty, system: Here) -> OpenedShown:
    """先留痕，批准一次有效；因此没有幂等键。 Registered first; the approval is used up, so there is no key."""
    found = open_lead(
        system.db,
        window_keys(system.settings, system.vault),
        lead_id,
        body.approval_id,
        operator=operator,
        reason=body.reason,
        now_us=system.clock.now_us(),
    )
    lead = found.lead
    return OpenedShown(
        lead=LeadShown(id=lead.id, state=lead.state, days=lead.days, raised_at=lead.raised_at_us),
        visits=[
            VisitShown(day=date.fromordinal(one.day), at=one.at_us, camera_id=one.camera_id) for one in found.visits
        ],
        pictures=[
            PictureShown(day=date.fromordinal(day), jpeg_base64=base64.b64encode(picture).decode())
            for day, picture in found.pictures.items()
        ],
    )


@routes.post(
    "/frequent-leads/{lead_id}/dismissal", status_code=204, responses=_WRITE, summary="排除线索 Dismiss a lead"
)
def dismiss(lead_id: LeadId, operator: OnDuty, write: StaffWrite) -> Response:
    """照片立即删除。 Its pictures go at once."""

    def act(connection: Connection) -> dict[str, Any]:
        dismiss_lead(connection, lead_id, operator=operator, now_us=write.now_us)
        return {}

    return write.answer(act, status=204)
