"""Antenatal referral: when a month is full, a woman who waits may be taken by a partner hospital.

Nothing of hers leaves the house before she has agreed to exactly what does; agreeing takes one of the partner's open
places in the same unit of work. Locks: the patient, the months, then the offer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from shouhao.booking.antenatal import (
    CONSENT_DATA,
    CONSENT_VERSION,
    Application,
    OfferGone,
    WrongApplicationState,
)
from shouhao.booking.release.antenatal import check_month, check_tier
from shouhao.booking.schedule import check_id
from shouhao.booking.store import antenatal as store
from shouhao.booking.store import antenatal_referrals as referrals
from shouhao.booking.store.antenatal_referrals import Offer, Referral
from shouhao.flows.antenatal import end_consent, locked
from shouhao.flows.antenatal_places import record, settle
from shouhao.flows.give_back import Caller
from shouhao.kernel.errors import InvalidInput
from shouhao.kernel.events import Event
from shouhao.kernel.ids import new_id
from shouhao.patients.store import PHONE, find_patient, lock_patients, open_name
from shouhao.patients.texts import clean_text, written_reason
from shouhao.store import event_log
from shouhao.store.vault import Vault

_NAME_LONGEST = 100
_MOST_PLACES = 10_000
_SENT_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """What a partner is given about one woman: what she agreed to, in the clear."""

    referral_id: str
    name: str
    phone: str
    due_day: str
    tier: str

    def __repr__(self) -> str:
        """Nothing of the person: this may end in a traceback."""
        return f"Disclosed(referral_id={self.referral_id!r})"


def offer_places(
    connection: Connection,
    *,
    partner_id: str,
    name_zh: str,
    name_en: str,
    month: str,
    tier: str,
    places: int,
    valid_until_us: int,
    staff_id: str,
    now_us: int,
) -> Offer:
    """Staff write down what a partner hospital offers.

    Raises:
        InvalidInput: names the field.
    """
    check_id("partner_id", partner_id)
    if not 1 <= places <= _MOST_PLACES:
        raise InvalidInput("places", zh=f"应为 1 至 {_MOST_PLACES}", en=f"must be from 1 to {_MOST_PLACES}")
    if valid_until_us <= now_us:
        raise InvalidInput("valid_until", zh="须晚于现在", en="must lie ahead")
    offer = Offer(
        id=new_id("ao"),
        partner_id=partner_id,
        name_zh=_hospital("name_zh", name_zh),
        name_en=_hospital("name_en", name_en),
        month=check_month("month", month),
        tier=check_tier("tier", tier),
        places=places,
        taken=0,
        valid_until_us=valid_until_us,
        staff_id=staff_id,
        created_at_us=now_us,
    )
    referrals.add_offer(connection, offer)
    _record_offer(connection, offer, staff_id=staff_id, now_us=now_us)
    return offer


def close_offer(connection: Connection, *, offer_id: str, staff_id: str, now_us: int) -> Offer:
    """Staff end an offer; who agreed before stays referred.

    Raises:
        NotFound: there is none.
    """
    offer = referrals.lock_offer(connection, offer_id)
    closed = replace(offer, valid_until_us=min(offer.valid_until_us, now_us))
    referrals.change_offer(connection, offer_id, valid_until_us=closed.valid_until_us)
    _record_offer(connection, closed, staff_id=staff_id, now_us=now_us)
    return closed


def offers_for(connection: Connection, application: Application, *, now_us: int) -> list[Offer]:
    """Partners' places that a woman who waits could be referred to."""
    if application.state != "waiting":
        return []
    found = referrals.offers(connection, month=application.month, tier=application.tier)
    return [offer for offer in found if offer.open_at(now_us)]


def consent(
    connection: Connection, *, application_id: str, offer_id: str, text_version: str, caller: Caller, now_us: int
) -> Referral:
    """A woman agrees to be referred, which takes one of the partner's places.

    Raises:
        InvalidInput: she was shown another text than the one in force.
        ApplicationUnknown: none of this caller's.
        WrongApplicationState: she does not wait.
        OfferGone: its places are taken, it is out of date, or for others.
    """
    if text_version != CONSENT_VERSION:
        raise InvalidInput("text_version", zh="同意书已更新，请重新阅读", en="is not the text in force; read it again")
    application, _ = locked(connection, application_id, caller)
    if application.state != "waiting":
        raise WrongApplicationState("application_id", state=application.state)
    offer = referrals.lock_offer(connection, offer_id)
    if (offer.month, offer.tier) != (application.month, application.tier) or not offer.open_at(now_us):
        raise OfferGone("offer_id")
    referral = Referral(
        id=new_id("ar"),
        application_id=application_id,
        patient_id=application.patient_id,
        offer_id=offer_id,
        partner_id=offer.partner_id,
        state="consented",
        text_version=text_version,
        data=CONSENT_DATA,
        channel=caller.channel,
        account_id=caller.account_id,
        consented_at_us=now_us,
        sent_at_us=None,
        ended_at_us=0,
    )
    referrals.add_referral(connection, referral)
    referrals.change_offer(connection, offer_id, taken=offer.taken + 1)
    store.change_application(connection, application_id, state="referred")
    _record(connection, application, referral, caller, now_us=now_us)
    return referral


def withdraw_consent(connection: Connection, *, application_id: str, caller: Caller, now_us: int) -> Application:
    """She takes it back before anything was sent, and stands where she stood in the waiting order.

    Raises:
        ApplicationUnknown: none of this caller's.
        WrongApplicationState: there is no consent.
        ReferralSent: it was sent already.
    """
    application, months = locked(connection, application_id, caller)
    end_consent(connection, application, caller, now_us=now_us)
    store.change_application(connection, application_id, state="waiting")
    settle(connection, months, [application.month], now_us=now_us)
    return store.find_application(connection, application_id)


def send_referrals(connection: Connection, *, partner_id: str, caller: Caller, now_us: int) -> list[str]:
    """Staff hand a partner what its women agreed to; ids of the referrals. What they hold is opened by `disclosed`."""
    waiting = referrals.referrals_to(connection, partner_id=partner_id, state="consented", limit=_SENT_AT_ONCE)
    if not waiting:
        return []
    applications = {one.id: store.find_application(connection, one.application_id) for one in waiting}
    lock_patients(connection, [one.patient_id for one in waiting])
    store.lock_months(connection, min(application.month for application in applications.values()))
    sent = []
    for seen in waiting:
        referral = referrals.find_referral(connection, seen.id)
        if referral.state != "consented":
            continue  # withdrawn meanwhile
        referrals.change_referral(connection, referral.id, state="sent", sent_at_us=now_us)
        _record(connection, applications[referral.id], replace(referral, state="sent"), caller, now_us=now_us)
        sent.append(referral.id)
    return sent


def disclosed(connection: Connection, vault: Vault, referral_ids: Sequence[str]) -> list[Disclosed]:
    """What was agreed to, opened; of referrals that were sent and of no others.

    Raises:
        Tampered: a sealed field does not open.
    """
    shown = []
    for referral_id in referral_ids:
        referral = referrals.find_referral(connection, referral_id)
        patient = find_patient(connection, referral.patient_id)
        if referral.sent_at_us is None or patient is None:
            continue
        application = store.find_application(connection, referral.application_id)
        shown.append(
            Disclosed(
                referral_id=referral_id,
                name=open_name(patient, vault),
                phone=vault.open(patient.phone_sealed, purpose=PHONE),
                due_day=application.due_day,
                tier=application.tier,
            )
        )
    return shown


def answer_referral(
    connection: Connection, *, referral_id: str, accepted: bool, reason: str, caller: Caller, now_us: int
) -> Application:
    """Staff record what the partner said. Declined, she stands where she stood in the waiting order.

    Raises:
        InvalidInput: no reason was written.
        NotFound: there is none.
        WrongApplicationState: it was not sent, or is answered.
    """
    said = written_reason("reason", reason)
    found = referrals.find_referral(connection, referral_id)
    application, months = locked(connection, found.application_id, caller)
    referral = referrals.find_referral(connection, referral_id)
    if referral.state != "sent":
        raise WrongApplicationState("referral_id", state=referral.state)
    answered = replace(referral, state="accepted" if accepted else "declined")
    referrals.change_referral(connection, referral_id, state=answered.state, ended_at_us=now_us)
    if accepted:
        store.change_application(connection, application.id, state="transferred", ended_at_us=now_us)
    else:
        store.change_application(connection, application.id, state="waiting")
    store.add_change(
        connection,
        application.id,
        what="referral",
        old="sent",
        new=answered.state,
        reason=said,
        staff_id=caller.staff_id or "",
        now_us=now_us,
    )
    _record(connection, application, answered, caller, now_us=now_us)
    settle(connection, months, [application.month], now_us=now_us)
    return store.find_application(connection, application.id)


def _record(
    connection: Connection, application: Application, referral: Referral, caller: Caller, *, now_us: int
) -> None:
    record(
        connection,
        "antenatal_referred",
        application,
        now_us=now_us,
        caller=caller,
        referral_id=referral.id,
        partner_id=referral.partner_id,
        state=referral.state,
        text_version=referral.text_version,
        data=list(referral.data),
    )


def _record_offer(connection: Connection, offer: Offer, *, staff_id: str, now_us: int) -> None:
    detail = {
        "offer_id": offer.id,
        "partner_id": offer.partner_id,
        "month": offer.month,
        "tier": offer.tier,
        "places": offer.places,
        "open": offer.open_at(now_us),
    }
    happened = Event(at_us=now_us, kind="antenatal_offer_changed", staff_id=staff_id, detail=detail)
    event_log.append(connection, [happened])


def _hospital(field: str, name: str) -> str:
    name = clean_text(field, name)
    if not 1 <= len(name) <= _NAME_LONGEST:
        raise InvalidInput(
            field, zh=f"应为 1 至 {_NAME_LONGEST} 个字符", en=f"must have 1 to {_NAME_LONGEST} characters"
        )
    return name
