"""Antenatal registration (建档): its own entrance, with places by due month, applications, and referral when full."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.booking.antenatal import (
    CONSENT_DATA,
    CONSENT_TEXT,
    CONSENT_VERSION,
    DUE_SOURCES,
    Application,
    ApplicationUnknown,
    Pregnancy,
    why,
)
from shouhao.booking.store import antenatal as store
from shouhao.booking.store.antenatal import Month
from shouhao.booking.store.antenatal_referrals import Offer, Referral, referrals_of
from shouhao.flows.antenatal import apply, withdraw
from shouhao.flows.antenatal_months import planned_months
from shouhao.flows.antenatal_own import correct_own_dates
from shouhao.flows.antenatal_referral import consent, offers_for, withdraw_consent
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.patients.store import bindings_of_account
from shouhao.web.depends import Here, MemberWrite, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Day, Id, Instant, ShortText, Shown
from shouhao.web.handlers import JSON

routes = APIRouter(prefix="/api/v1/antenatal", tags=["antenatal"])

_MOST = 200
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)

MonthName = Annotated[str, Field(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]


class DatesBody(Body):
    """What is stated about the pregnancy: the last menstrual period, the due day, or both, and where it comes from."""

    source: Annotated[ShortText, Field(json_schema_extra={"enum": list(DUE_SOURCES)})]
    lmp_day: Day | None = None
    due_day: Day | None = None

    def stated(self) -> Pregnancy:
        """As flows want to know it."""
        return Pregnancy(source=self.source, lmp_day=self.lmp_day, due_day=self.due_day)


class ApplyBody(DatesBody):
    """Who applies, with her dates."""

    patient_id: Id


class ConsentBody(Body):
    """What she agrees to, and the text that she was shown."""

    offer_id: Id
    text_version: ShortText
    agree: StrictBool


class TierShown(Shown):
    """Places of one risk tier."""

    tier: str
    places: int
    free: int


class MonthShown(Shown):
    """A due month. `release` says how places go now: planned, draw, arrival, waiting or closed.

    Applications are taken in completed weeks `weeks_from` to `weeks_to`; who gets a place comes within `confirm_days`.
    """

    month: str
    release: str
    opens_at: Instant
    window_closes_at: Instant
    closes_at: Instant
    weeks_from: int
    weeks_to: int
    confirm_days: int
    tiers: list[TierShown]
    commitment: str | None
    drawn: bool
    draw_sha256: str | None


class MonthsShown(Shown):
    """The due months that are published or will be, earliest first."""

    months: list[MonthShown]


class Words(Shown):
    """The same in both languages."""

    zh: str
    en: str


class ReferralShown(Shown):
    """A referral and how far it is."""

    referral_id: str
    partner_id: str
    state: str
    text_version: str
    data: list[str]
    consented_at: Instant


class ApplicationShown(Shown):
    """One application. `entry` is what stands for her in the published draw; `position` counts within her tier."""

    application_id: str
    patient_id: str
    month: str
    due_day: date
    due_source: str
    tier: str
    state: str
    why: Words
    position: int | None
    place_tier: str | None
    confirm_by: Instant | None
    entry: str
    entered_at: Instant
    referrals: list[ReferralShown]


class ApplicationsShown(Shown):
    """Applications, newest first."""

    applications: list[ApplicationShown]


class OfferShown(Shown):
    """A partner hospital's open places."""

    offer_id: str
    partner_id: str
    name: Words
    month: str
    tier: str
    open_places: int
    valid_until: Instant


class OffersShown(Shown):
    """What is offered, with the words to agree to and exactly what would be shared."""

    offers: list[OfferShown]
    text_version: str
    text: Words
    data: list[str]


def application_shown(connection: Connection, application: Application) -> ApplicationShown:
    """An application as its account and staff see it."""
    month = store.find_month(connection, application.month)
    zh, en = why(application, window_closes_at_us=0 if month is None else month.window_closes_at_us)
    waits = application.state == "waiting"
    return ApplicationShown(
        application_id=application.id,
        patient_id=application.patient_id,
        month=application.month,
        due_day=date.fromisoformat(application.due_day),
        due_source=application.due_source,
        tier=application.tier,
        state=application.state,
        why=Words(zh=zh, en=en),
        position=store.position_of(connection, application) if waits else None,
        place_tier=application.place_tier,
        confirm_by=application.confirm_by_us if application.state == "granted" else None,
        entry=application.entry,
        entered_at=application.entered_at_us,
        referrals=[referral_shown(one) for one in referrals_of(connection, [application.id])],
    )


def referral_shown(referral: Referral) -> ReferralShown:
    """A referral as it is shown to the woman and to staff."""
    return ReferralShown(
        referral_id=referral.id,
        partner_id=referral.partner_id,
        state=referral.state,
        text_version=referral.text_version,
        data=list(referral.data),
        consented_at=referral.consented_at_us,
    )


def offer_shown(offer: Offer) -> OfferShown:
    """An offer as it is shown."""
    return OfferShown(
        offer_id=offer.id,
        partner_id=offer.partner_id,
        name=Words(zh=offer.name_zh, en=offer.name_en),
        month=offer.month,
        tier=offer.tier,
        open_places=offer.places - offer.taken,
        valid_until=offer.valid_until_us,
    )


def months_shown(connection: Connection, *, now_us: int) -> MonthsShown:
    """Published months, and those that the policy will publish."""
    published = store.published_months(connection)
    shown = [_published(connection, month, now_us=now_us) for month in published]
    kept = store.policy_in_force(connection, now_us=now_us)
    known = {month.month for month in published}
    for plan in [] if kept is None else planned_months(connection, kept[0], now_us=now_us):
        if kept is not None and plan.month not in known and plan.opens_at_us > now_us:
            rules = kept[0].for_month(plan.month)
            tiers = [
                TierShown(tier=tier, places=own + plan.carried_in.get(tier, 0), free=own + plan.carried_in.get(tier, 0))
                for tier, own in plan.own.items()
            ]
            shown.append(
                MonthShown(
                    month=plan.month,
                    release="planned",
                    opens_at=plan.opens_at_us,
                    window_closes_at=plan.window_closes_at_us,
                    closes_at=plan.closes_at_us,
                    weeks_from=rules.gestation_weeks_from,
                    weeks_to=rules.gestation_weeks_to,
                    confirm_days=rules.confirm_days,
                    tiers=tiers,
                    commitment=None,
                    drawn=False,
                    draw_sha256=None,
                )
            )
    return MonthsShown(months=sorted(shown, key=lambda month: month.month))


@routes.get("/months", responses=failures(401), summary="建档月份与名额 Due months and their places")
def list_months(_visit: Visiting, system: Here) -> MonthsShown:
    """各预产期月份按风险等级的名额与申请时间。 Places by risk tier, and when to apply."""
    with system.db.read() as connection:
        return months_shown(connection, now_us=system.clock.now_us())


@routes.get(
    "/months/{month}/draw",
    responses={
        200: {"description": "抽签文件 The draw file", "content": {JSON: {"schema": {"type": "object"}}}},
        **failures(401, 404, 422),
    },
    response_class=Response,
    summary="建档抽签文件 The published draw of a month",
)
def show_draw(month: MonthName, _visit: Visiting, system: Here) -> Response:
    """任何人都可据此重算；只有不透明的编号。 Anyone can repeat it from this file; it holds opaque entries only."""
    with system.db.read() as connection:
        body = store.find_draw(connection, month)
    if body is None:
        raise NotFound("draw", "month")
    return Response(body, media_type=JSON)


@routes.post(
    "/applications",
    status_code=201,
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="申请建档 Apply for antenatal registration",
)
def apply_for(body: ApplyBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """窗口期内机会均等，之后有余额即得，否则候补。 Equal within the window; afterwards a free place, or a turn."""

    def act(connection: Connection) -> dict[str, Any]:
        application = apply(
            connection,
            vault=system.vault,
            patient_id=body.patient_id,
            stated=body.stated(),
            caller=member.caller(),
            now_us=write.now_us,
        )
        return application_shown(connection, application).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.get("/applications", responses=failures(401, 403), summary="我的建档申请 My applications")
def list_applications(member: SignedIn, system: Here) -> ApplicationsShown:
    """本账号就诊人的建档申请。 Of the account's patients, newest first."""
    with system.db.read() as connection:
        found = store.applications_of(connection, _patients(connection, member.account_id), limit=_MOST)
        return ApplicationsShown(applications=[application_shown(connection, one) for one in found])


@routes.get(
    "/applications/{application_id}", responses=failures(401, 403, 404, 422), summary="查看建档申请 One application"
)
def show_application(application_id: Id, member: SignedIn, system: Here) -> ApplicationShown:
    """状态、名额或候补位次及原因。 Its state, its place or its turn, and why."""
    with system.db.read() as connection:
        return application_shown(connection, _mine(connection, application_id, member.account_id))


@routes.post(
    "/applications/{application_id}/dates",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="更正预产期 Correct the dates",
)
def correct(application_id: Id, body: DatesBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """抽签前可自行更正，机会不变；得到的是新的申请编号。 Before the draw, at the same chance; it has a new id then."""

    def act(connection: Connection) -> dict[str, Any]:
        after = correct_own_dates(
            connection,
            vault=system.vault,
            application_id=application_id,
            stated=body.stated(),
            caller=member.caller(),
            now_us=write.now_us,
        )
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/applications/{application_id}/withdrawal",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="撤回建档申请 Withdraw an application",
)
def withdraw_application(application_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """名额立即给下一位。 The place goes to the next at once."""

    def act(connection: Connection) -> dict[str, Any]:
        after = withdraw(connection, application_id=application_id, caller=member.caller(), now_us=write.now_us)
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act)


@routes.get(
    "/applications/{application_id}/offers",
    responses=failures(401, 403, 404, 422),
    summary="合作医院名额 Partner hospitals with open places",
)
def list_offers(application_id: Id, member: SignedIn, system: Here) -> OffersShown:
    """候补时可见；未经同意不共享任何信息。 For those who wait; nothing is shared without consent."""
    with system.db.read() as connection:
        application = _mine(connection, application_id, member.account_id)
        return offers_shown(offers_for(connection, application, now_us=system.clock.now_us()))


@routes.post(
    "/applications/{application_id}/referral",
    status_code=201,
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="同意转介 Agree to be referred",
)
def agree(application_id: Id, body: ConsentBody, member: SignedIn, write: MemberWrite) -> Response:
    """占用合作医院一个名额。 Takes one of the partner's places."""

    def act(connection: Connection) -> dict[str, Any]:
        check_agreed(agree=body.agree)
        referral = consent(
            connection,
            application_id=application_id,
            offer_id=body.offer_id,
            text_version=body.text_version,
            caller=member.caller(),
            now_us=write.now_us,
        )
        after = store.find_application(connection, referral.application_id)
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/applications/{application_id}/referral/withdrawal",
    responses=_WRITE,
    response_model=ApplicationShown,
    summary="撤回转介同意 Withdraw the consent",
)
def take_back(application_id: Id, member: SignedIn, write: MemberWrite) -> Response:
    """发送之前可以撤回，回到原候补位次。 Before it is sent; she stands where she stood."""

    def act(connection: Connection) -> dict[str, Any]:
        after = withdraw_consent(connection, application_id=application_id, caller=member.caller(), now_us=write.now_us)
        return application_shown(connection, after).model_dump(mode="json")

    return write.answer(act)


def check_agreed(*, agree: bool) -> None:
    """Whether consent was given at all.

    Raises:
        InvalidInput: it was not.
    """
    if not agree:
        raise InvalidInput("agree", zh="须明确同意", en="must be true: without consent nothing is shared")


def offers_shown(offers: Sequence[Offer]) -> OffersShown:
    """Offers with the words of the consent."""
    return OffersShown(
        offers=[offer_shown(offer) for offer in offers],
        text_version=CONSENT_VERSION,
        text=Words(**CONSENT_TEXT),
        data=list(CONSENT_DATA),
    )


def _published(connection: Connection, month: Month, *, now_us: int) -> MonthShown:
    places = store.places_of(connection, month.month)
    tiers = [
        TierShown(tier=one.tier, places=one.own + one.carried_in - one.carried_out - one.dropped, free=one.free)
        for one in places
    ]
    return MonthShown(
        month=month.month,
        release=_release(month, any(one.free > 0 for one in places), now_us=now_us),
        opens_at=month.opens_at_us,
        window_closes_at=month.window_closes_at_us,
        closes_at=month.closes_at_us,
        weeks_from=month.rules().gestation_weeks_from,
        weeks_to=month.rules().gestation_weeks_to,
        confirm_days=month.rules().confirm_days,
        tiers=tiers,
        commitment=month.commitment,
        drawn=month.drawn_at_us is not None,
        draw_sha256=store.draw_sha256(connection, month.month),
    )


def _release(month: Month, free: bool, *, now_us: int) -> str:
    if month.state == "open":
        return "draw"
    if month.state != "drawn" or now_us >= month.closes_at_us:
        return "closed"
    return "arrival" if free else "waiting"


def _mine(connection: Connection, application_id: str, account_id: str) -> Application:
    application = store.find_application(connection, application_id)
    if application.patient_id not in _patients(connection, account_id):
        raise ApplicationUnknown("application_id")
    return application


def _patients(connection: Connection, account_id: str) -> list[str]:
    return [b.patient_id for b in bindings_of_account(connection, account_id) if b.unbound_at_us is None]
