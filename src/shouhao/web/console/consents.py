"""Consents for staff: how many agreed to which words, one patient's history with a reason, and acts at a window.

Whoever has no phone agrees and withdraws at the window as easily: the person stands there, and staff write which paper
was signed. Nothing that staff do for somebody rests on a consent.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field
from sqlalchemy import Connection

from shouhao.flows.consents import Asked, give, withdraw
from shouhao.flows.give_back import Caller
from shouhao.kernel.errors import NotFound
from shouhao.patients.consent_texts import KINDS
from shouhao.patients.consents import ConsentAct
from shouhao.patients.consents_store import counts_by_text, history_of
from shouhao.patients.model import WINDOW
from shouhao.patients.store import find_patient, live_bindings_of_patient
from shouhao.staff.model import Operator, require
from shouhao.staff.register import look
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown
from shouhao.web.public.consents import ConsentTextsShown, texts_shown

routes = APIRouter(prefix="/api/v1/staff", tags=["consents"])

_MOST = 500
_LOOK = failures(400, 401, 403, 404, 415, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)


class TextCountShown(Shown):
    """One version of one text: how often it was agreed to and withdrawn, and how many stand by it now."""

    kind: str
    text_version: str
    text_sha256: str
    in_force: bool
    given: int
    standing: int
    withdrawn: int


class CountsShown(Shown):
    """All texts that anybody ever agreed to."""

    counts: list[TextCountShown]


class ActShown(Shown):
    """Something that was given or withdrawn, by whom, where, in which words."""

    consent_id: str
    kind: str
    patient_id: str | None
    account_id: str | None
    staff_id: str | None
    act: str
    text_version: str
    text_sha256: str
    language: str
    channel: str
    note: str | None
    at: Instant


class ActsShown(Shown):
    """Newest first."""

    acts: list[ActShown]


class HistoryBody(Body):
    """Whose, why, and on whose authority."""

    patient_id: Id
    reason: LongText
    authority: ShortText


class WithdrawBody(Body):
    """Which consent the person before the window takes back, and what they said or signed."""

    kind: Annotated[ShortText, Field(json_schema_extra={"enum": list(KINDS)})]
    note: LongText


class GiveBody(WithdrawBody):
    """Which consent the person gives, to which words, and which paper was signed."""

    text_version: ShortText


@routes.get("/consents/texts", responses=failures(401, 403), summary="同意书与告知文本 The words in force")
def texts(operator: OnDuty, system: Here) -> ConsentTextsShown:
    """供窗口出示或打印。 For the window, to be shown or printed."""
    require(operator, "window", "data_protection", "auditor")
    return ConsentTextsShown(texts=texts_shown(system))


@routes.get("/consents/counts", responses=failures(401, 403), summary="各版本同意人数 Consents by version of the text")
def counts(operator: OnDuty, system: Here) -> CountsShown:
    """只有人数，没有任何人的信息。 Numbers alone, and nothing of anybody."""
    require(operator, "data_protection", "auditor")
    in_force = {text.text_sha256 for text in texts_shown(system)}
    with system.db.read() as connection:
        found = counts_by_text(connection)
    return CountsShown(
        counts=[
            TextCountShown(
                kind=one.kind,
                text_version=one.text_version,
                text_sha256=one.text_sha256,
                in_force=one.text_sha256 in in_force,
                given=one.given,
                standing=one.standing,
                withdrawn=one.withdrawn,
            )
            for one in found
        ]
    )


@routes.post("/consents/history", responses=_LOOK, summary="某位就诊人的同意历史 One patient's consents")
def history(body: HistoryBody, operator: OnDuty, system: Here) -> ActsShown:
    """先留痕后显示；含绑定该就诊人的账号的各项。 The look is on record first; bound accounts are in it."""
    require(operator, "data_protection")
    with system.db.read() as connection:
        if find_patient(connection, body.patient_id) is None:
            raise NotFound("patient", "patient_id")
    look(
        system.db,
        operator,
        data_class="identity",
        what=f"consents of patient {body.patient_id}",
        reason=body.reason,
        authority=body.authority,
        now_us=system.clock.now_us(),
    )
    with system.db.read() as connection:
        accounts = [binding.account_id for binding in live_bindings_of_patient(connection, body.patient_id)]
        found = history_of(connection, [body.patient_id, *accounts], limit=_MOST)
    return ActsShown(acts=[_shown(act, patient_id=body.patient_id) for act in found])


@routes.post(
    "/patients/{patient_id}/consents",
    status_code=201,
    responses=_WRITE,
    response_model=ActsShown,
    summary="窗口登记同意 Record a consent at the window",
)
def agree(patient_id: Id, body: GiveBody, operator: OnDuty, write: StaffWrite) -> Response:
    """本人（或监护人）在场，已读并签字。 The person, or the guardian, is there, has read it and signed."""
    require(operator, "window")

    def act(connection: Connection) -> dict[str, Any]:
        asked = Asked(
            kind=body.kind,
            patient_id=patient_id,
            text_version=body.text_version,
            language=write.heard.language,
            note=body.note,
        )
        given = give(connection, asked, caller=_caller(operator), now_us=write.now_us)
        return ActsShown(acts=[_shown(given, patient_id=patient_id)]).model_dump(mode="json")

    return write.answer(act, status=201)


@routes.post(
    "/patients/{patient_id}/consents/withdrawal",
    responses=_WRITE,
    response_model=ActsShown,
    summary="窗口撤回同意 Withdraw a consent at the window",
)
def take_back(patient_id: Id, body: WithdrawBody, operator: OnDuty, write: StaffWrite) -> Response:
    """立即生效。 At once; what was withdrawn, with all that rests on it."""
    require(operator, "window")

    def act(connection: Connection) -> dict[str, Any]:
        asked = Asked(kind=body.kind, patient_id=patient_id, language=write.heard.language, note=body.note)
        ended = withdraw(connection, asked, caller=_caller(operator), now_us=write.now_us)
        return ActsShown(acts=[_shown(one, patient_id=patient_id) for one in ended]).model_dump(mode="json")

    return write.answer(act)


def _caller(operator: Operator) -> Caller:
    return Caller(channel=WINDOW, staff_id=operator.id)


def _shown(act: ConsentAct, *, patient_id: str) -> ActShown:
    return ActShown(
        consent_id=act.id,
        kind=act.kind,
        patient_id=patient_id if act.subject_id == patient_id else None,
        account_id=act.account_id,
        staff_id=act.staff_id,
        act=act.act,
        text_version=act.text_version,
        text_sha256=act.text_sha256,
        language=act.language,
        channel=act.channel,
        note=act.note,
        at=act.at_us,
    )
