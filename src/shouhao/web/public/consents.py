"""Consents: what is asked in which words, how each stands, giving and withdrawing. Booking depends on none of it."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, StrictBool
from sqlalchemy import Connection

from shouhao.booking.antenatal import CONSENT_TEXT
from shouhao.booking.store.antenatal import applications_of
from shouhao.booking.store.antenatal_referrals import Referral, find_offer, referrals_of
from shouhao.flows.consents import Asked, give, people_of, withdraw
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.consent_texts import KINDS, SCOPES, ConsentText, Kind, text_in_force
from shouhao.patients.consent_texts import Words as TextWords
from shouhao.patients.consents import (
    ConsentAct,
    ConsentNotAsked,
    Person,
    check_giver,
    check_rests,
    stands,
)
from shouhao.patients.consents_store import history_of, latest_acts
from shouhao.web.depends import Here, MemberWrite, SignedIn, Visiting
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, ShortText, Shown
from shouhao.wiring import System

routes = APIRouter(prefix="/api/v1/consents", tags=["consents"])

_MOST = 200
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class TextShown(Shown):
    """The words in one language."""

    title: str
    what: str
    why: str
    kept: str
    without: str


class ConsentTextShown(Shown):
    """The words in force of one kind, and the hash that a consent keeps."""

    kind: str
    scope: str
    text_version: str
    text_sha256: str
    zh: TextShown
    en: TextShown


class ConsentTextsShown(Shown):
    """Everything that can be asked."""

    texts: list[ConsentTextShown]


class Words(Shown):
    """The same in both languages."""

    zh: str
    en: str


class ConsentShown(Shown):
    """How one consent stands. `again`: given to words that are no longer in force; `why_not`: who may give it."""

    kind: str
    patient_id: str | None
    standing: bool
    again: bool
    text_version: str | None
    at: Instant | None
    may_give: bool
    why_not: Words | None


class ReferralConsentShown(Shown):
    """What a woman agreed to share with a partner hospital; withdrawn at her application until it is sent."""

    application_id: str
    patient_id: str
    partner: Words
    text: Words
    text_version: str
    state: str
    at: Instant
    may_withdraw: bool


class ConsentActShown(Shown):
    """Something that was given or withdrawn."""

    kind: str
    patient_id: str | None
    act: str
    text_version: str
    channel: str
    by_staff: bool
    at: Instant


class ConsentsShown(ConsentTextsShown):
    """All that concerns this account: the words, how each stands, and everything that happened, newest first."""

    consents: list[ConsentShown]
    referrals: list[ReferralConsentShown]
    history: list[ConsentActShown]


class WithdrawBody(Body):
    """Which consent; a patient where it is one patient's."""

    kind: Annotated[ShortText, Field(json_schema_extra={"enum": list(KINDS)})]
    patient_id: Id | None = None


class GiveBody(WithdrawBody):
    """Which consent, and the words that were shown."""

    text_version: ShortText
    agree: StrictBool


@routes.get("/texts", responses=failures(401), summary="同意书与告知文本 The words that are asked with")
def list_texts(_visit: Visiting, system: Here) -> ConsentTextsShown:
    """无需登录。 Nobody need sign in to read them."""
    return ConsentTextsShown(texts=texts_shown(system))


@routes.get("", responses=failures(401, 403), summary="我的各项同意 My consents")
def list_consents(member: SignedIn, system: Here) -> ConsentsShown:
    """每一项是否同意、何时、哪一版，以及全部历史。 How each stands, since when, in which words, and its history."""
    return _all(system, member.account_id)


@routes.post("", status_code=201, responses=_WRITE, response_model=ConsentsShown, summary="同意一项 Agree to one")
def agree(body: GiveBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """须是现行文本；重复同意不产生新记录。 To the words in force; agreeing twice is one consent."""

    def act(connection: Connection) -> dict[str, Any]:
        if not body.agree:
            raise InvalidInput("agree", zh="须明确同意", en="must be true")
        asked = Asked(
            kind=body.kind,
            patient_id=body.patient_id,
            text_version=body.text_version,
            language=write.heard.language,
        )
        give(connection, asked, caller=member.caller(), now_us=write.now_us)
        return {}

    return write.answer(act, status=201, show=lambda _: _all(system, member.account_id).model_dump(mode="json"))


@routes.post("/withdrawal", responses=_WRITE, response_model=ConsentsShown, summary="撤回一项 Withdraw one")
def take_back(body: WithdrawBody, member: SignedIn, write: MemberWrite, system: Here) -> Response:
    """立即生效；以它为前提的各项一并撤回。 At once, with all that rests on it; nothing else depends on it."""

    def act(connection: Connection) -> dict[str, Any]:
        asked = Asked(kind=body.kind, patient_id=body.patient_id, language=write.heard.language)
        withdraw(connection, asked, caller=member.caller(), now_us=write.now_us)
        return {}

    return write.answer(act, show=lambda _: _all(system, member.account_id).model_dump(mode="json"))


def texts_shown(system: System) -> list[ConsentTextShown]:
    """The words in force, with the hospital's name and where it can be asked."""
    return [_text(system, text_in_force(kind)) for kind in _asked_here(system)]


def _asked_here(system: System) -> list[Kind]:
    """What this hospital asks: a use that it does not make is not asked for."""
    return [kind for kind in KINDS if kind != "face_leave_out" or system.settings.frequent_exclude_patients]


def _text(system: System, text: ConsentText) -> ConsentTextShown:
    settings = system.settings
    return ConsentTextShown(
        kind=text.kind,
        scope=SCOPES[text.kind],
        text_version=text.version,
        text_sha256=text.sha256,
        zh=_words(text.zh, settings.hospital_name_zh, settings.privacy_contact_zh),
        en=_words(text.en, settings.hospital_name_en, settings.privacy_contact_en),
    )


def _words(words: TextWords, hospital: str, contact: str) -> TextShown:
    def filled(said: str) -> str:
        return said.replace("{hospital}", hospital).replace("{contact}", contact)

    return TextShown(
        title=words.title,
        what=filled(words.what),
        why=filled(words.why),
        kept=filled(words.kept),
        without=filled(words.without),
    )


def _all(system: System, account_id: str) -> ConsentsShown:
    today = day_of(system.clock.now_us())
    with system.db.read() as connection:
        people = people_of(connection, account_id)
        latest = latest_acts(connection, [account_id, *people])
        shown = []
        for kind in _asked_here(system):
            subjects = [account_id] if SCOPES[kind] == "account" else list(people)
            for subject in subjects:
                one = _consent(kind, subject, people.get(subject), latest.get(subject, {}), today=today)
                if one is not None:
                    shown.append(one)
        history = [
            ConsentActShown(
                kind=act.kind,
                patient_id=None if act.subject_id == account_id else act.subject_id,
                act=act.act,
                text_version=act.text_version,
                channel=act.channel,
                by_staff=act.staff_id is not None,
                at=act.at_us,
            )
            for act in history_of(connection, [account_id, *people], limit=_MOST)
        ]
        return ConsentsShown(
            texts=texts_shown(system), consents=shown, referrals=_referrals(connection, list(people)), history=history
        )


def _consent(
    kind: Kind, subject: str, person: Person | None, latest: dict[Kind, ConsentAct], *, today: date
) -> ConsentShown | None:
    """How one stands; None where it is not asked of this person and was never given."""
    act, born = latest.get(kind), None if person is None else person.birth_day
    given = act is not None and act.act == "given"
    standing = stands(act, birth_day=born, today=today)
    why: Refused | None = None
    if person is not None:
        try:
            check_giver(kind, person, today=today)
            check_rests(kind, latest, birth_day=person.birth_day, today=today)
        except ConsentNotAsked:
            if not given:
                return None
            why = ConsentNotAsked("patient_id", under_years=14)
        except Refused as refusal:
            why = refusal
    return ConsentShown(
        kind=kind,
        patient_id=None if person is None else subject,
        standing=standing,
        again=given and not standing,
        text_version=act.text_version if act is not None and given else None,
        at=None if act is None else act.at_us,
        may_give=why is None and not standing,
        why_not=None if why is None else Words(zh=why.says("zh"), en=why.says("en")),
    )


def _referrals(connection: Connection, patient_ids: list[str]) -> list[ReferralConsentShown]:
    applications = applications_of(connection, patient_ids, limit=_MOST)
    found = referrals_of(connection, [one.id for one in applications])
    return [_referral(connection, one) for one in reversed(found)]


def _referral(connection: Connection, referral: Referral) -> ReferralConsentShown:
    offer = find_offer(connection, referral.offer_id)
    return ReferralConsentShown(
        application_id=referral.application_id,
        patient_id=referral.patient_id,
        partner=Words(zh=offer.name_zh, en=offer.name_en),
        text=Words(**CONSENT_TEXT),
        text_version=referral.text_version,
        state=referral.state,
        at=referral.consented_at_us,
        may_withdraw=referral.state == "consented",
    )
