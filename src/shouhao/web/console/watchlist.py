"""The watchlist for staff: propose, look, appeal, review, renew, end. Nobody is listed by one person.

Names are masked and faces closed until somebody gives a reason, which stands in the access register before anything is
shown; pictures carry a mark of who looks. Lists and thresholds are watch_lists.py, bundles watch_bundles.py.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StrictInt
from sqlalchemy import Connection

from shouhao.flows.once import DONE
from shouhao.flows.watch_approved import apply_approved
from shouhao.flows.watch_desk import WatchDesk
from shouhao.flows.watchlist import Proposal, propose
from shouhao.flows.watchlist_ends import (
    appeal,
    ask_erasure,
    ask_renewal,
    ask_resumption,
    review,
    uphold_appeal,
    wipe_due,
    withdraw,
)
from shouhao.kernel.clock import iso
from shouhao.kernel.errors import NotFound
from shouhao.staff.model import Operator, Role, require
from shouhao.staff.register import DataClass, look
from shouhao.staff.watermark import watermarked
from shouhao.watch.store.watchlist import (
    StoredPhoto,
    approval_of,
    documents_of,
    entry_of,
    list_entries,
    outcomes_of,
    photos_of,
    steps_of,
    to_review,
)
from shouhao.watch.watchlist import Entry, EntrySource, GroundCode, State, checked_person, masked
from shouhao.web.console.watch_bytes import Encoded, decoded, private
from shouhao.web.depends import Here, OnDuty, StaffWrite
from shouhao.web.description import failures
from shouhao.web.fields import Body, Id, Instant, LongText, ShortText, Shown
from shouhao.web.idempotent import Write

routes = APIRouter(prefix="/api/v1/staff", tags=["watchlist"])

KEEPERS: tuple[Role, ...] = ("security", "police_liaison")
READERS: tuple[Role, ...] = ("security", "police_liaison", "approver", "data_protection", "auditor")
_PROTECTORS: tuple[Role, ...] = ("security", "data_protection")
PROPOSAL_MAX_BYTES = 48 * 1024 * 1024

_LOOK = failures(401, 403, 404, 409, 422)
_WRITE = failures(400, 401, 403, 404, 409, 415, 422)
_JPEG = "image/jpeg"
Reason = Annotated[str, Query(min_length=1, max_length=1000, pattern=r"^[^\u0000]*$")]
Days = Annotated[StrictInt, Field(ge=1, le=366)]


class PersonBody(Body):
    """Who it is about, as far as that is known."""

    name: ShortText
    aliases: Annotated[tuple[ShortText, ...], Field(max_length=5)] = ()
    document_kind: ShortText | None = None
    document_number: ShortText | None = None


class ProposalBody(Body):
    """Somebody to be listed, by what right, with photographs and documents in base64."""

    list_id: Id
    person: PersonBody
    ground_code: GroundCode
    ground: LongText
    source: EntrySource = "own"
    photos: Annotated[list[Encoded], Field(min_length=1, max_length=10)]
    documents: Annotated[tuple[Encoded, ...], Field(max_length=10)] = ()
    accepted_problems: Annotated[tuple[ShortText, ...], Field(max_length=10)] = ()
    days: Days | None = None
    reason: LongText


class ReasonBody(Body):
    """Why."""

    reason: LongText


class AppealBody(Body):
    """What the person, or somebody for them, says."""

    text: LongText


class RenewalBody(ReasonBody):
    """For how long from the day of the approval, and why."""

    days: Days


class ProposedShown(Shown):
    """An entry that waits for two others."""

    entry_id: str
    approval_id: str
    same_name: list[str]


class AskedShown(Shown):
    """Others decide under this number."""

    approval_id: str


class EntryShown(Shown):
    """An entry, without what names the person."""

    entry_id: str
    list_id: str
    state: State
    source: str
    ground_code: str
    proposed_by: str | None
    proposed_at: Instant
    approvers: list[str]
    listed_at: Instant | None
    review_at: Instant | None
    expires_at: Instant
    ended_at: Instant | None
    ended_why: str | None
    appeal: str
    issuer_id: str | None
    bundle_id: str | None
    replaces: str | None


class EntryList(Shown):
    """Entries in the order in which they were made; `next` goes on from there."""

    entries: list[EntryShown]
    next: str | None


class PhotoShown(Shown):
    """A photograph: how fit it is, not what it shows."""

    photo_id: str
    sha256: str
    enrolled: bool
    report: dict[str, Any]


class DocumentShown(Shown):
    """A document: that it is there, not what it says."""

    document_id: str
    sha256: str
    media_type: str
    size_bytes: int
    kept: bool


class StepShown(Shown):
    """One step of the history."""

    at: Instant
    act: str
    staff_id: str | None


class OutcomeShown(Shown):
    """What became of an earlier alarm."""

    alarm_id: str
    outcome: str
    raised_at: Instant


class EntryDetail(Shown):
    """All of an entry that names nobody."""

    entry: EntryShown
    name_masked: str | None
    approval_id: str | None
    photos: list[PhotoShown]
    documents: list[DocumentShown]
    history: list[StepShown]
    outcomes: list[OutcomeShown]


class PersonShown(Shown):
    """Who an entry is about."""

    name: str
    aliases: list[str]
    document_kind: str | None
    document_number: str | None
    ground: str


class Applied(Shown):
    """What became of a request."""

    approval_id: str
    act: str
    became: str | None


@routes.get("/watchlist/entries", responses=failures(401, 403, 422), summary="布控条目 Watch entries")
def entries(
    operator: OnDuty,
    system: Here,
    list_id: Annotated[Id | None, Query()] = None,
    state: Annotated[State | None, Query()] = None,
    after: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9_]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    *,
    review_due: bool = False,
) -> EntryList:
    """不含姓名。 Without names."""
    require(operator, *READERS)
    with system.db.read() as connection:
        if review_due:
            found = to_review(connection, now_us=system.clock.now_us(), limit=limit, reminded=True)
        else:
            found = list_entries(connection, list_id=list_id, state=state, after=after, limit=limit)
    more = not review_due and len(found) == limit
    return EntryList(entries=[entry_shown(one) for one in found], next=found[-1].id if more else None)


@routes.post(
    "/watchlist/entries",
    status_code=201,
    responses=_WRITE,
    response_model=ProposedShown,
    summary="提出布控 Propose an entry",
)
def add(body: ProposalBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """须另两人批准后才生效。 It counts once two others have agreed."""
    require(operator, *KEEPERS)
    photos = [decoded(one, f"photos[{n}]") for n, one in enumerate(body.photos)]
    papers = [decoded(one, f"documents[{n}]") for n, one in enumerate(body.documents)]
    person = checked_person(
        name=body.person.name,
        aliases=body.person.aliases,
        document_kind=body.person.document_kind,
        document_number=body.person.document_number,
    )
    looked = system.watchlist.look_at(photos, accepted=frozenset(body.accepted_problems))
    proposal = Proposal(
        list_id=body.list_id,
        person=person,
        ground_code=body.ground_code,
        ground=body.ground,
        source=body.source,
        documents=papers,
        days=body.days,
        reason=body.reason,
    )

    def act(connection: Connection) -> dict[str, Any]:
        made = propose(system.watchlist, connection, proposal, looked, operator=operator, now_us=write.now_us)
        return {"entry_id": made.entry_id, "approval_id": made.approval_id, "same_name": list(made.same_name)}

    return write.answer(act, status=201)


@routes.get("/watchlist/entries/{entry_id}", responses=_LOOK, summary="条目详情 One entry")
def entry(entry_id: Id, operator: OnDuty, system: Here) -> EntryDetail:
    """姓名仅显示首字。 The name is masked."""
    require(operator, *READERS)
    with system.db.read() as connection:
        one = entry_of(connection, entry_id)
        return EntryDetail(
            entry=entry_shown(one),
            name_masked=_masked_name(system.watchlist, connection, entry_id),
            approval_id=approval_of(connection, entry_id),
            photos=[_photo_shown(photo) for photo in photos_of(connection, entry_id)],
            documents=[
                DocumentShown(
                    document_id=paper.id,
                    sha256=paper.sha256,
                    media_type=paper.media_type,
                    size_bytes=paper.size_bytes,
                    kept=paper.sealed is not None,
                )
                for paper in documents_of(connection, entry_id)
            ],
            history=[StepShown(at=s.at_us, act=s.act, staff_id=s.staff_id) for s in steps_of(connection, entry_id)],
            outcomes=[
                OutcomeShown(alarm_id=o.alarm_id, outcome=o.outcome, raised_at=o.raised_at_us)
                for o in outcomes_of(connection, entry_id)
            ],
        )


@routes.get(
    "/watchlist/entries/{entry_id}/person", responses=_LOOK, summary="查看姓名与依据（留痕） Who it is, on record"
)
def person(entry_id: Id, operator: OnDuty, system: Here, reason: Reason) -> PersonShown:
    """须写明理由，先留痕后显示。 With a reason, which is on record first."""
    require(operator, *READERS)
    _on_record(system, operator, entry_id, "identity", f"watch entry {entry_id}", reason)
    with system.db.read() as connection:
        found, ground = system.watchlist.person_of(connection, entry_id)
    return PersonShown(
        name=found.name,
        aliases=list(found.aliases),
        document_kind=found.document_kind,
        document_number=found.document_number,
        ground=ground,
    )


@routes.get(
    "/watchlist/entries/{entry_id}/photos/{photo_id}",
    response_class=Response,
    responses={200: {"description": "JPEG", "content": {_JPEG: {}}}, **_LOOK},
    summary="查看照片（留痕、水印） A photograph, looked at on record",
)
def photo(entry_id: Id, photo_id: Id, operator: OnDuty, system: Here, reason: Reason) -> Response:
    """须写明理由并有有效培训。 With a reason, and by people who are trained."""
    require(operator, *READERS)
    seen = _on_record(system, operator, entry_id, "face", f"watch entry {entry_id} photo {photo_id}", reason)
    with system.db.read() as connection:
        opened = system.watchlist.photo_of(connection, entry_id, photo_id)
    return private(watermarked(opened, text=_mark(operator, seen, system.clock.now_us())), _JPEG)


@routes.get(
    "/watchlist/entries/{entry_id}/documents/{document_id}",
    response_class=Response,
    responses={200: {"description": "document", "content": {"application/octet-stream": {}}}, **_LOOK},
    summary="查看依据材料（留痕） A document, looked at on record",
)
def document(entry_id: Id, document_id: Id, operator: OnDuty, system: Here, reason: Reason) -> Response:
    """图片带水印，PDF 以附件下载。 A picture is marked, a PDF is downloaded."""
    require(operator, *READERS)
    seen = _on_record(system, operator, entry_id, "case", f"watch entry {entry_id} document {document_id}", reason)
    with system.db.read() as connection:
        opened, media_type = system.watchlist.document_of(connection, entry_id, document_id)
    if media_type.startswith("image/"):
        return private(watermarked(opened, text=_mark(operator, seen, system.clock.now_us())), _JPEG)
    return private(opened, media_type, download=f"{document_id}.pdf")


@routes.post(
    "/watchlist/entries/{entry_id}/appeal", responses=_WRITE, response_model=EntryShown, summary="登记申诉 An appeal"
)
def appealed(entry_id: Id, body: AppealBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """立即停止比对，直到有结论。 Nobody looks for the person until it is decided."""
    require(operator, *_PROTECTORS)

    def act(connection: Connection) -> dict[str, Any]:
        after = appeal(system.watchlist, connection, entry_id, text=body.text, operator=operator, now_us=write.now_us)
        return entry_shown(after).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/watchlist/entries/{entry_id}/appeal/{ruling}",
    responses=_WRITE,
    summary="申诉结论 Rule on an appeal",
)
def rule(
    entry_id: Id,
    ruling: Literal["uphold", "reject"],
    body: ReasonBody,
    operator: OnDuty,
    system: Here,
    write: StaffWrite,
) -> Response:
    """成立则一人即可终止；不成立须另两人批准后恢复。 If it was right the entry ends; if not, two others must agree."""
    require(operator, *_PROTECTORS)

    def act(connection: Connection) -> dict[str, Any]:
        given: dict[str, Any] = {"reason": body.reason, "operator": operator, "now_us": write.now_us}
        if ruling == "uphold":
            return entry_shown(uphold_appeal(system.watchlist, connection, entry_id, **given)).model_dump(mode="json")
        return {"approval_id": ask_resumption(connection, entry_id, **given)}

    return _then_wipe(system.watchlist, write, act)


@routes.post(
    "/watchlist/entries/{entry_id}/withdraw", responses=_WRITE, response_model=EntryShown, summary="撤销布控 Take off"
)
def withdrawn(entry_id: Id, body: ReasonBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """立即终止并清除。 It ends at once, and what was kept of the person is erased."""
    require(operator, *_PROTECTORS, "police_liaison")

    def act(connection: Connection) -> dict[str, Any]:
        after = withdraw(
            system.watchlist, connection, entry_id, reason=body.reason, operator=operator, now_us=write.now_us
        )
        return entry_shown(after).model_dump(mode="json")

    return _then_wipe(system.watchlist, write, act)


@routes.post(
    "/watchlist/entries/{entry_id}/review", responses=_WRITE, response_model=EntryShown, summary="复核 Looked at again"
)
def reviewed(entry_id: Id, body: ReasonBody, operator: OnDuty, system: Here, write: StaffWrite) -> Response:
    """仍属实；期限不变。 It is still right; its term stays."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        after = review(
            system.watchlist, connection, entry_id, reason=body.reason, operator=operator, now_us=write.now_us
        )
        return entry_shown(after).model_dump(mode="json")

    return write.answer(act)


@routes.post(
    "/watchlist/entries/{entry_id}/renewal",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请续期 Ask for a longer term",
)
def renewal(entry_id: Id, body: RenewalBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须另两人批准。 Two others must agree."""
    require(operator, *KEEPERS)

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_renewal(
            connection, entry_id, days=body.days, reason=body.reason, operator=operator, now_us=write.now_us
        )
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.post(
    "/watchlist/entries/{entry_id}/erasure",
    status_code=202,
    responses=_WRITE,
    response_model=AskedShown,
    summary="申请删除 Ask for erasure",
)
def erasure(entry_id: Id, body: ReasonBody, operator: OnDuty, write: StaffWrite) -> Response:
    """须另一人批准。 Another must agree."""
    require(operator, *_PROTECTORS)

    def act(connection: Connection) -> dict[str, Any]:
        asked = ask_erasure(connection, entry_id, reason=body.reason, operator=operator, now_us=write.now_us)
        return {"approval_id": asked}

    return write.answer(act, status=202)


@routes.post(
    "/watchlist/requests/{approval_id}/apply",
    responses=failures(400, 401, 403, 404, 409, 422),
    summary="执行已获批的申请 Do what was approved",
)
def apply(approval_id: Id, operator: OnDuty, system: Here) -> Applied:
    """系统也会自动执行；重复执行无影响。 It happens by itself too; a second time does nothing."""
    require(operator, *KEEPERS, "data_protection", "approver")
    done = apply_approved(system.watchlist, approval_id, now_us=system.clock.now_us())
    return Applied(approval_id=done.approval_id, act=done.act, became=done.became)


def entry_shown(one: Entry) -> EntryShown:
    """An entry as everybody who may know of it sees it."""
    return EntryShown(
        entry_id=one.id,
        list_id=one.list_id,
        state=one.state,
        source=one.source,
        ground_code=one.ground_code,
        proposed_by=one.proposed_by,
        proposed_at=one.proposed_at_us,
        approvers=list(one.approvers),
        listed_at=one.listed_at_us,
        review_at=one.review_at_us,
        expires_at=one.expires_at_us,
        ended_at=one.ended_at_us,
        ended_why=one.ended_why,
        appeal=one.appeal,
        issuer_id=one.issuer_id,
        bundle_id=one.bundle_id,
        replaces=one.replaces,
    )


def _photo_shown(photo: StoredPhoto) -> PhotoShown:
    return PhotoShown(
        photo_id=photo.id, sha256=photo.sha256, enrolled=photo.enrolled_at_us is not None, report=dict(photo.report)
    )


def _masked_name(desk: WatchDesk, connection: Connection, entry_id: str) -> str | None:
    try:
        return masked(desk.person_of(connection, entry_id)[0].name)
    except NotFound:
        return None


def _on_record(system: Here, operator: Operator, entry_id: str, data_class: DataClass, what: str, reason: str) -> str:
    """The row of the access register, after it is certain that there is such an entry."""
    with system.db.read() as connection:
        entry_of(connection, entry_id)
    return look(
        system.db,
        operator,
        data_class=data_class,
        what=what,
        reason=reason,
        authority="duty: watchlist",
        now_us=system.clock.now_us(),
    )


def _mark(operator: Operator, seen: str, now_us: int) -> str:
    return f"{operator.id} {iso(now_us)[:16]} {seen}"


def _then_wipe(desk: WatchDesk, write: Write, act: Any) -> Response:
    """Answer, with what has ended erased before anybody hears that it has."""
    said = write.act(act)
    if said.status == DONE:
        wipe_due(desk, now_us=write.now_us)
    return write.told(said)
