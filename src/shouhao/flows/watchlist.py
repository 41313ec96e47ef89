"""Watchlist: from a proposal to a listed face. Joins faces, watch, staff and compliance.

One person proposes with a ground, two others approve, then the faces are enrolled; nothing is listed while the law's
switch is off. Appeals and ends stand in watchlist_ends.py.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from shouhao.compliance.store import require_on
from shouhao.faces import store as faces
from shouhao.flows.watch_desk import LookedAt, WatchDesk, checked_document, context
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Unavailable
from shouhao.kernel.ids import new_id
from shouhao.staff import approvals
from shouhao.staff.model import Operator
from shouhao.store.held import hold
from shouhao.store.vault import Sealer
from shouhao.watch.store import asks
from shouhao.watch.store import lists as list_store
from shouhao.watch.store import watchlist as store
from shouhao.watch.watchlist import (
    DOCUMENTS_MOST,
    AlreadyListed,
    Entry,
    EntrySource,
    GroundCode,
    Person,
    packed,
    term_us,
)

APPROVERS = 2  #: besides whoever proposes
REASON_MOST = 2000
_GROUND_MOST = 2000
_AT_ONCE = 50

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Somebody whom a person wants listed, and by what right."""

    list_id: str
    person: Person
    ground_code: GroundCode
    ground: str  #: in words
    source: EntrySource = "own"
    documents: Sequence[bytes] = ()
    days: int | None = None  #: None: as the hospital's settings say
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """An entry that waits for two people."""

    entry_id: str
    approval_id: str
    same_name: tuple[str, ...]  #: entries under way with this name: a person looks whether it is the same person


def propose(
    desk: WatchDesk,
    connection: Connection,
    proposal: Proposal,
    photos: Sequence[LookedAt],
    *,
    operator: Operator,
    now_us: int,
) -> Proposed:
    """Write a proposal down and ask two others. Nobody is searched for by it.

    Args:
        photos: looked at by `WatchDesk.look_at`, outside the unit of work: it takes time.
    Raises:
        SwitchOff: the law's switch is off.
        NotFound, ListClosed: there is no such list, or nobody is added to it.
        AlreadyListed: this document has an entry under way.
        InvalidInput: a ground, a term or a document breaks its rule.
    """
    require_on(connection, "watchlist", now_us=now_us)
    list_store.open_list(connection, proposal.list_id)
    checked_text(proposal.ground, "ground", _GROUND_MOST)
    reason = checked_text(proposal.reason, "reason", REASON_MOST)
    days = desk.settings.term_days if proposal.days is None else proposal.days
    _, expires_at_us = term_us(now_us=now_us, days=days)
    document_hash, name_hash = desk.document_hash(proposal.person), desk.name_hash(proposal.person.name)
    if document_hash is not None:
        hold(connection, f"watch.document:{document_hash}")
        for listed in store.entries_like(connection, document_hash=document_hash):
            raise AlreadyListed("document_number", entry_id=listed.id)
    same_name = tuple(one.id for one in store.entries_like(connection, name_hash=name_hash))
    entry_id = new_id("we")
    sealer = desk.setup.keys.make(entry_id)
    papers = sealed_documents(sealer, proposal.documents)
    payload = {
        "act": "list",
        "entry_id": entry_id,
        "list_id": proposal.list_id,
        "ground_code": proposal.ground_code,
        "source": proposal.source,
        "days": days,
        "photos_sha256": [one.sha256 for one in photos],
        "documents_sha256": [one.sha256 for one in papers],
        "same_name": list(same_name),
    }
    approval = approvals.ask(
        connection,
        kind="watch_entry",
        subject=entry_id,
        payload=payload,
        reason=proposal.reason,
        operator=operator,
        now_us=now_us,
        needed=APPROVERS,
    )
    entry = new_entry(
        entry_id,
        list_id=proposal.list_id,
        source=proposal.source,
        ground_code=proposal.ground_code,
        proposed_by=operator.id,
        now_us=now_us,
        expires_at_us=expires_at_us,
    )
    new = store.NewEntry(
        entry=entry,
        sealed_person=sealer.seal(packed(proposal.person), context=context("person", entry_id)),
        sealed_ground=sealer.seal(proposal.ground.encode(), context=context("ground", entry_id)),
        name_hash=name_hash,
        document_hash=document_hash,
        photos=sealed_photos(sealer, photos),
        documents=papers,
        approval_id=approval.id,
    )
    store.add_entry(
        connection,
        new,
        staff_id=operator.id,
        sealed_reason=sealer.seal(reason.encode(), context=context("step", entry_id)),
    )
    asks.add_ask(connection, approval.id, act="list", kind="watch_entry", subject=entry_id, now_us=now_us)
    return Proposed(entry_id=entry_id, approval_id=approval.id, same_name=same_name)


def list_approved(
    desk: WatchDesk, connection: Connection, entry_id: str, approval: approvals.Approval, *, now_us: int
) -> Entry:
    """Two people agreed: from now on the entry counts; its faces are enrolled next (`enrol_due`).

    Raises:
        SwitchOff: the law's switch is off.
        WrongState: it was withdrawn meanwhile.
        InvalidInput: what was approved is not what stands there.
    """
    require_on(connection, "watchlist", now_us=now_us)
    payload = approval.payload
    photos = [one.sha256 for one in store.photos_of(connection, entry_id)]
    papers = [one.sha256 for one in store.documents_of(connection, entry_id)]
    entry = store.entry_of(connection, entry_id)
    said = (entry.list_id, photos, papers)
    if said != (payload["list_id"], payload["photos_sha256"], payload["documents_sha256"]):
        raise InvalidInput("approval_id", zh="与获批内容不一致", en="is not what was approved")
    days = int(payload["days"])
    review_at_us, expires_at_us = term_us(now_us=now_us, days=days, review_days=desk.settings.review_days)
    return store.move(
        connection,
        entry_id,
        "list",
        now_us=now_us,
        staff_id=approval.asked_by,
        approvers=",".join(agreed(approval)),
        listed_at_us=now_us,
        review_at_us=review_at_us,
        expires_at_us=expires_at_us,
    )


def enrol_due(desk: WatchDesk, *, now_us: int, limit: int = _AT_ONCE) -> int:
    """Enrol what two people have approved; how many photographs. Repeating it finishes what a crash cut short."""
    with desk.db.read() as connection:
        entry_ids = store.to_enrol(connection, limit=limit)
    done = 0
    for entry_id in entry_ids:
        try:
            desk.begin_gallery()
            done += enrol_entry(desk, entry_id, now_us=now_us)
        except Refused as refusal:  # no threshold or no model yet, or no face for this pack: others go on
            _log.warning("watch_entry_not_enrolled", entry_id=entry_id, code=refusal.code)
        except Unavailable:  # another worker enrols this person at this moment
            _log.info("watch_entry_postponed", entry_id=entry_id)
    return done


def enrol_entry(desk: WatchDesk, entry_id: str, *, now_us: int) -> int:
    """Put an approved entry's photographs into the gallery; how many that were.

    The entry may end while this goes on; then what was just enrolled is erased again.
    """
    from shouhao.faces import enrolment  # noqa: PLC0415 - reading pictures takes libraries that servers need not wait for

    with desk.db.read() as connection:
        entry = store.find_entry(connection, entry_id)
        todo = [one for one in store.photos_of(connection, entry_id) if one.enrolled_at_us is None]
        approval_id = store.approval_of(connection, entry_id) or ""
        done = {one.id for one in todo if faces.find_photo(connection, "watchlist", one.id) is not None}
    if entry is None or entry.state != "approved":
        return 0
    for photo in todo:
        if photo.sealed is not None and photo.id not in done:
            with suppress(IntegrityError):  # another worker was first; the photograph is there
                enrolment.enrol(
                    desk.setup,
                    subject_id=entry_id,
                    list_id=entry.list_id,
                    ground_id=approval_id,
                    photo=desk.sealer(entry_id).open(photo.sealed, context=context("photo", photo.id)),
                    now_us=now_us,
                    accepted=frozenset(photo.report.get("problems_accepted", ())),
                    photo_id=photo.id,
                )
        with desk.db.write() as connection:
            if faces.find_photo(connection, "watchlist", photo.id) is not None:  # before the only other copy goes
                store.photo_enrolled(connection, photo.id, now_us=now_us)
    with desk.db.write() as connection:
        after = store.entry_of(connection, entry_id, lock=True)
        if after.state == "suspended":
            faces.restrict(connection, "watchlist", entry_id, now_us=now_us, restricted=True)
    if after.over:
        erase_faces(desk, entry_id, now_us=now_us)
    return len(todo)


def new_entry(
    entry_id: str,
    *,
    list_id: str,
    source: EntrySource,
    ground_code: GroundCode,
    proposed_by: str,
    now_us: int,
    expires_at_us: int,
) -> Entry:
    """An entry as it begins."""
    return Entry(
        id=entry_id,
        list_id=list_id,
        state="proposed",
        source=source,
        ground_code=ground_code,
        proposed_by=proposed_by,
        proposed_at_us=now_us,
        approvers=(),
        listed_at_us=None,
        review_at_us=None,
        expires_at_us=expires_at_us,
        ended_at_us=None,
        ended_why=None,
        appeal="none",
        issuer_id=None,
        foreign_id=None,
        foreign_digest=None,
        bundle_id=None,
        replaces=None,
    )


def sealed_photos(sealer: Sealer, photos: Sequence[LookedAt]) -> list[store.NewPhoto]:
    """Photographs as they are kept until they are enrolled."""
    return [
        store.NewPhoto(
            id=one.id,
            sha256=one.sha256,
            sealed=sealer.seal(one.photo, context=context("photo", one.id)),
            report=one.report,
        )
        for one in photos
    ]


def sealed_documents(sealer: Sealer, documents: Sequence[bytes]) -> list[store.NewDocument]:
    """Documents as they are kept.

    Raises:
        InvalidInput: too many, too large, or of a kind that is not taken.
    """
    if len(documents) > DOCUMENTS_MOST:
        raise InvalidInput("documents", zh=f"最多 {DOCUMENTS_MOST} 份", en=f"{DOCUMENTS_MOST} at most")
    kept = []
    for n, data in enumerate(documents):
        paper_id, media_type = new_id("wd"), checked_document(data, field=f"documents[{n}]")
        kept.append(
            store.NewDocument(
                id=paper_id,
                sha256=hashlib.sha256(data).hexdigest(),
                media_type=media_type,
                size_bytes=len(data),
                sealed=sealer.seal(data, context=context("document", paper_id)),
            )
        )
    return kept


def agreed(approval: approvals.Approval) -> list[str]:
    """The operators who agreed."""
    return [one.operator_id for one in approval.decisions if one.approve]


def erase_faces(desk: WatchDesk, entry_id: str, *, now_us: int) -> None:
    """Erase templates, photographs and the key of an entry, wherever they have come to."""
    from shouhao.faces import enrolment  # noqa: PLC0415 - as above

    try:
        enrolment.erase(desk.setup, entry_id, now_us=now_us)
    except NotFound:  # never enrolled, or erased before
        desk.setup.keys.erase(entry_id)


def checked_text(text: str, field: str, most: int) -> str:
    """What a person wrote, without space around it.

    Raises:
        InvalidInput: nothing, or too much.
    """
    said = text.strip()
    if not said or len(said) > most or "\0" in said:
        raise InvalidInput(field, zh=f"须填写，最多 {most} 字", en=f"is needed, {most} characters at most")
    return said
