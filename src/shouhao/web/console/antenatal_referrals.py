"""Partner hospitals: their open places, and what women agreed to share with them.

What is shared is opened after the unit of work that marks it as sent, and never kept in an answer.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.booking.release.antenatal import TIERS
from shouhao.booking.store import antenatal as store
from shouhao.booking.store.antenatal_referrals import offers, referrals_to
from shouhao.flows.antenatal_referral import (
    answer_referral,
    close_offer,
    consent,
    disclosed,
    offer_places,
    offers_for,
    send_referrals,
    withdraw_consent,
)
from shouhao.staff.model import require
from shouhao.web.console.antenatal import at_window
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import MAX_INT, Body, Id, LongText, Moment, ShortText, Shown, Whole
from shouhao.web.public.antenatal import (
    ApplicationShown,
    ConsentBody,
    MonthName,
    OfferShown,
    OffersShown,
    ReferralShown,
    application_shown,
    check_agreed,
    offer_shown,
    offers_shown,
    referral_shown,
)

routes = APIRouter(prefix="/api/v1/staff/antenatal", tags=["antenatal"])

_MOST = 500
_LOOK = failures(401, 403, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class OfferBody(Body):
    """What a partner hospital offers."""

    partner_id: Id
    name_zh: ShortText
    name_en: ShortText
    month: MonthName
    tier: Annotated[ShortText, Field(json_schema_extra={"enum": list(TIERS)})]
    places: Annotated[Whole, Field(ge=1, le=MAX_INT)]
    valid_until: Moment


class ExportBody(Body):
    """To whom."""

    partner_id: Id


class AnswerBody(Body):
    """What the partner said."""

    accepted: StrictBool
    reason: LongText


class OfferList(Shown):
    """All offers, oldest first."""

    offers: list[OfferShown]


class ReferralList(Shown):
    """Referrals, oldest first."""

    referrals: list[ReferralShown]


class DisclosedShown(Shown):
    """What one woman agreed to share, in the clear."""

    referral_id: str
    name: str
    phone: str
    due_day: str
    tier: str


class ExportShown(Shown):
    """What goes to the partner now."""

    referrals: list[DisclosedShown]


@routes.get("/offers", responses=_LOOK, summary="合作医院名额 Partners' offers")
def list_offers(operator: OnDuty, system: Here) -> OfferList:
    """全部登记。 All that were written down."""
    require(operator, "window", "outpatient_office", "auditor")
    with system.db.read() as connection:
        return OfferList(offers=[offer_shown(one) for one in offers(connection)])


@routes.post(
    "/offers",
    status_code=201,
    responses=_WRITE,
    response_model=OfferShown,
    summary="登记合作医院名额 Write down an offer",
)
def add_offer(body: OfferBody, operator: OnDuty, write: StaffWrite) -> Response:
    """名额、等级与有效期。 Places, tier, and until when."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        offer = offer_places(
            connection,
            partner_id=body.partner_id,
            name_zh=body.name_zh,
            name_en=body.name_en,
            month=body.month,
            tier=body.tier,
            places=body.places,
            valid_until_us=body.valid_until,
            staff_id=operator.id,
            now_us=write.now_us,
        )
        return offer_shown(offer).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/offers/{offer_id}/closing", responses=_WRITE, response_model=OfferShown, summary="结束合作医院名额 End an offer"
)
def end_offer(offer_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """已同意者不受影响。 Who agreed before stays referred."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        offer = close_offer(connection, offer_id=offer_id, staff_id=operator.id, now_us=write.now_us)
        return offer_shown(offer).model_dump(mode="json")

    return write.answer(act)


@routes.get(
    "/applications/{application_id}/offers",
    responses=failures(401, 403, 404, 422),
    summary="某申请可选的合作医院 Offers for one application",
)
def list_offers_for(application_id: Id, operator: OnDuty, system: Here) -> OffersShown:
    """供窗口出示同意书。 For the window, with the text to be shown."""
    require(operator, "window")
    with system.db.read() as connection:
        application = store.find_application(connection, application_id)
        return offers_shown(offers_for(connection, application, now_us=system.clock.now_us()))


@routes.post(
    "/applications/{application_id}/referral",
    status_code=201,
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="窗口记录转介同意 Record a consent at the window",
)
def agree(application_id: Id, body: ConsentBody, operator: OnDuty, write: StaffWrite) -> Response:
    """本人在窗口阅读并同意。 The woman read it and agreed at the window."""
    require(operator, "window")

    def act(connection: Connection) -> dict[str, Any]:
        check_agreed(agree=body.agree)
        consent(
            connection,
            application_id=application_id,
            offer_id=body.offer_id,
            text_version=body.text_version,
            caller=at_window(operator),
            now_us=write.now_us,
        )
        after = store.find_application(connection, application_id)
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/applications/{application_id}/referral/withdrawal",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="窗口撤回转介同意 Withdraw a consent at the window",
)
def take_back(application_id: Id, operator: OnDuty, write: StaffWrite) -> Response:
    """发送之前可以撤回。 Before it is sent."""
    require(operator, "window")

    def act(connection: Connection) -> dict[str, Any]:
        after = withdraw_consent(
            connection, application_id=application_id, caller=at_window(operator), now_us=write.now_us
        )
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act)


@routes.get("/referrals", responses=_LOOK, summary="转介 Referrals")
def list_referrals(operator: OnDuty, system: Here, partner_id: Annotated[Id | None, Query()] = None) -> ReferralList:
    """只有编号与进展。 Ids and how far they are, nothing of the women."""
    require(operator, "outpatient_office", "auditor")
    with system.db.read() as connection:
        found = referrals_to(connection, partner_id=partner_id, limit=_MOST)
    return ReferralList(referrals=[referral_shown(one) for one in found])


@routes.post(
    "/referrals/export",
    responses=_WRITE,
    response_model=ExportShown,
    summary="导出已同意的转介 Export what was agreed to",
)
def export(body: ExportBody, operator: OnDuty, write: StaffWrite, system: Here) -> Response:
    """仅限已同意的内容，导出即视为已发送并留痕。 What was agreed to and nothing else; it counts as sent."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        sent = send_referrals(connection, partner_id=body.partner_id, caller=at_window(operator), now_us=write.now_us)
        return {"referral_ids": sent}

    def show(kept: dict[str, Any]) -> dict[str, Any]:
        with system.db.read() as connection:
            opened = disclosed(connection, system.vault, kept["referral_ids"])
        return {"referrals": [asdict(one) for one in opened]}

    return write.answer(act, show=show)


@routes.post(
    "/referrals/{referral_id}/answer",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="记录合作医院答复 Record the partner's answer",
)
def answer(referral_id: Id, body: AnswerBody, operator: OnDuty, write: StaffWrite) -> Response:
    """被婉拒者回到原候补位次。 Declined, she stands where she stood."""
    require(operator, "outpatient_office")

    def act(connection: Connection) -> dict[str, Any]:
        after = answer_referral(
            connection,
            referral_id=referral_id,
            accepted=body.accepted,
            reason=body.reason,
            caller=at_window(operator),
            now_us=write.now_us,
        )
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act)
