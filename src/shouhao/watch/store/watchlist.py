"""The watchlist's SQL: entries, what they rest on, and every step they took. Each change writes its event.

Nothing here opens what is sealed; the key of an entry is its caller's (flows/watchlist.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, delete, func, insert, or_, select, update

from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.store import event_log
from shouhao.store.invariants import Invariant
from shouhao.watch.store.alarm_tables import alarms
from shouhao.watch.store.watchlist_tables import documents, entries, lists, photos, steps
from shouhao.watch.watchlist import Act, Entry, GroundCode, moved

_LIVE = ("proposed", "approved", "suspended")
_OUTCOMES_MOST = 50
_CHAIN_MOST = 10  #: earlier entries about one person whose outcomes are told


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhoto:
    """A photograph of a new entry, looked at and sealed."""

    id: str
    sha256: str
    sealed: bytes
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document that a new entry rests on, sealed."""

    id: str
    sha256: str
    media_type: str
    size_bytes: int
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry with everything that hangs on it; what names the person is sealed."""

    entry: Entry
    sealed_person: bytes
    sealed_ground: bytes
    name_hash: str
    document_hash: str | None
    photos: Sequence[NewPhoto]
    documents: Sequence[NewDocument]
    approval_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPhoto:
    """A photograph as it is kept with its entry."""

    id: str
    entry_id: str
    sha256: str
    report: Mapping[str, Any]
    sealed: bytes | None  #: None: the gallery keeps it
    enrolled_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document as it is kept; what was sealed is gone once the entry has ended."""

    id: str
    entry_id: str
    sha256: str
    media_type: str
    size_bytes: int
    sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOutcome:
    """What became of an earlier alarm about the person."""

    alarm_id: str
    outcome: str  #: of alarm.py, or rejected
    raised_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an alarm's page may show of an entry to whoever handles the alarm: no name, no document."""

    entry_id: str
    list_id: str
    list_name: str
    ground_code: GroundCode
    photo_ids: tuple[str, ...]  #: of the gallery; looked at through the access register alone
    outcomes: tuple[PastOutcome, ...]  #: the newest first, of earlier entries about the person too
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened to an entry."""

    at_us: int
    act: str
    staff_id: str | None
    sealed_reason: bytes | None


def is_live(connection: Connection, entry_id: str, *, now_us: int) -> bool:
    """Whether an alarm may be raised about this entry now: approved, not suspended, term not over.

    Asked before every alarm, so that an appeal or an end counts at once and not when a gallery is next refreshed.
    """
    query = select(entries.c.id).where(
        entries.c.id == entry_id, entries.c.state == "approved", entries.c.expires_at_us > now_us
    )
    return connection.scalar(query) is not None


def find_entry(connection: Connection, entry_id: str, *, lock: bool = False) -> Entry | None:
    """An entry, without what names the person.

    Args:
        lock: nobody else changes it until the unit of work ends.
    """
    query = select(entries).where(entries.c.id == entry_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    return None if row is None else _entry(row)


def entry_of(connection: Connection, entry_id: str, *, lock: bool = False) -> Entry:
    """An entry.

    Args:
        lock: as `find_entry` takes it.
    Raises:
        NotFound: there is none.
    """
    found = find_entry(connection, entry_id, lock=lock)
    if found is None:
        raise NotFound("watch entry", "entry_id")
    return found


def shown(connection: Connection, entry_id: str) -> Shown | None:
    """What an alarm's page may show; None where there is no such entry."""
    row = connection.execute(
        select(entries, lists.c.name.label("list_name"))
        .join(lists, lists.c.id == entries.c.list_id)
        .where(entries.c.id == entry_id)
    ).mappings()
    found = row.one_or_none()
    if found is None:
        return None
    return Shown(
        entry_id=entry_id,
        list_id=found["list_id"],
        list_name=found["list_name"],
        ground_code=found["ground_code"],
        photo_ids=tuple(one.id for one in photos_of(connection, entry_id)),
        outcomes=tuple(outcomes_of(connection, entry_id)),
        expires_at_us=found["expires_at_us"],
    )


def outcomes_of(connection: Connection, entry_id: str) -> list[PastOutcome]:
    """What became of earlier alarms about the person, the newest first."""
    ids: list[str] = []
    one: str | None = entry_id
    while one is not None and one not in ids and len(ids) < _CHAIN_MOST:
        ids.append(one)
        one = connection.scalar(select(entries.c.replaces).where(entries.c.id == one))
    query = select(alarms.c.id, alarms.c.state, alarms.c.outcome, alarms.c.raised_at_us).where(
        alarms.c.entry_id.in_(ids), or_(alarms.c.outcome.is_not(None), alarms.c.state == "rejected")
    )
    rows = connection.execute(query.order_by(alarms.c.raised_at_us.desc()).limit(_OUTCOMES_MOST))
    return [PastOutcome(alarm_id=r.id, outcome=r.outcome or r.state, raised_at_us=r.raised_at_us) for r in rows]


def add_entry(connection: Connection, new: NewEntry, *, staff_id: str | None, sealed_reason: bytes | None) -> None:
    """Write an entry down as it is proposed."""
    one = new.entry
    connection.execute(
        insert(entries).values(
            **{name: getattr(one, name) for name in Entry.__dataclass_fields__ if name != "approvers"},
            approvers=",".join(one.approvers) or None,
            sealed_person=new.sealed_person,
            sealed_ground=new.sealed_ground,
            name_hash=new.name_hash,
            document_hash=new.document_hash,
            approval_id=new.approval_id,
        )
    )
    for number, photo in enumerate(new.photos):
        report = msgspec.json.encode(dict(photo.report)).decode()
        row = {"id": photo.id, "entry_id": one.id, "number": number, "sha256": photo.sha256}
        connection.execute(insert(photos).values(**row, sealed=photo.sealed, report=report))
    for number, paper in enumerate(new.documents):
        row = {"id": paper.id, "entry_id": one.id, "number": number, "sha256": paper.sha256}
        kept = {"media_type": paper.media_type, "size_bytes": paper.size_bytes, "sealed": paper.sealed}
        connection.execute(insert(documents).values(**row, **kept))
    note_step(connection, one, "proposed", now_us=one.proposed_at_us, staff_id=staff_id, sealed_reason=sealed_reason)


def move(
    connection: Connection,
    entry_id: str,
    act: Act,
    *,
    now_us: int,
    staff_id: str | None,
    sealed_reason: bytes | None = None,
    **values: object,
) -> Entry:
    """Bring an entry from its state to the next, with its row locked.

    Args:
        values: further columns that change with it.
    Raises:
        NotFound: there is none.
        WrongState: its state does not suffer this act.
    """
    before = entry_of(connection, entry_id, lock=True)
    state = moved(before.state, act)
    if act in {"expire", "withdraw", "erase"} and not before.over:
        values = {"ended_at_us": now_us, "ended_why": act, **values}
    connection.execute(update(entries).where(entries.c.id == entry_id).values(state=state, **values))
    after = entry_of(connection, entry_id)
    note_step(connection, after, act, now_us=now_us, staff_id=staff_id, sealed_reason=sealed_reason)
    return after


def change(
    connection: Connection,
    entry_id: str,
    what: str,
    *,
    now_us: int,
    staff_id: str | None,
    sealed_reason: bytes | None = None,
    **values: object,
) -> Entry:
    """Change columns of an entry that stays in its state, and write down what that was.

    Raises:
        NotFound: there is none.
    """
    entry_of(connection, entry_id, lock=True)
    connection.execute(update(entries).where(entries.c.id == entry_id).values(**values))
    after = entry_of(connection, entry_id)
    note_step(connection, after, what, now_us=now_us, staff_id=staff_id, sealed_reason=sealed_reason)
    return after


def note_step(
    connection: Connection,
    entry: Entry,
    act: str,
    *,
    now_us: int,
    staff_id: str | None,
    sealed_reason: bytes | None = None,
) -> None:
    """A step in the entry's history, and its event."""
    row = {"entry_id": entry.id, "at_us": now_us, "act": act, "staff_id": staff_id, "sealed_reason": sealed_reason}
    connection.execute(insert(steps).values(row))
    told = {"entry_id": entry.id, "list_id": entry.list_id, "act": act, "state": entry.state}
    if entry.bundle_id is not None:
        told["bundle_id"] = entry.bundle_id
    happened = Event(at_us=now_us, kind="watch_entry_changed", staff_id=staff_id, detail=told)
    event_log.append(connection, [happened])


def steps_of(connection: Connection, entry_id: str) -> list[Step]:
    """An entry's history, oldest first."""
    rows = connection.execute(select(steps).where(steps.c.entry_id == entry_id).order_by(steps.c.seq))
    return [Step(at_us=r.at_us, act=r.act, staff_id=r.staff_id, sealed_reason=r.sealed_reason) for r in rows]


def list_entries(
    connection: Connection,
    *,
    list_id: str | None = None,
    state: str | None = None,
    after: str = "",
    limit: int = 100,
) -> list[Entry]:
    """Entries in the order in which they were made."""
    query = select(entries).where(entries.c.id > after).order_by(entries.c.id).limit(limit)
    if list_id is not None:
        query = query.where(entries.c.list_id == list_id)
    if state is not None:
        query = query.where(entries.c.state == state)
    return [_entry(row) for row in connection.execute(query).mappings()]


def count_by_state(connection: Connection, list_id: str) -> dict[str, int]:
    """How many entries of a list are in each state."""
    query = select(entries.c.state, func.count().label("n")).where(entries.c.list_id == list_id)
    return {row.state: row.n for row in connection.execute(query.group_by(entries.c.state))}


def people_listed(connection: Connection) -> int:
    """People of whom faces are kept for the watchlist, over all lists: what the filing duty counts."""
    query = select(func.count()).select_from(entries).where(entries.c.state.in_(("approved", "suspended")))
    return connection.scalar(query) or 0


def photos_on(connection: Connection, list_id: str) -> int:
    """Photographs that are searched for a list, or will be in a moment: what its threshold depends on."""
    query = (
        select(func.count())
        .select_from(photos.join(entries, entries.c.id == photos.c.entry_id))
        .where(entries.c.list_id == list_id, entries.c.state == "approved")
    )
    return connection.scalar(query) or 0


def entries_like(
    connection: Connection, *, name_hash: str | None = None, document_hash: str | None = None
) -> list[Entry]:
    """Entries under way with this name or this document."""
    query = select(entries).where(entries.c.state.in_(_LIVE)).order_by(entries.c.id)
    if document_hash is not None:
        query = query.where(entries.c.document_hash == document_hash)
    else:
        query = query.where(entries.c.name_hash == name_hash)
    return [_entry(row) for row in connection.execute(query).mappings()]


def entries_from(connection: Connection, issuer_id: str, *, list_id: str | None = None) -> list[Entry]:
    """Entries under way that came with bundles of an issuer."""
    query = select(entries).where(entries.c.issuer_id == issuer_id, entries.c.state.in_(_LIVE)).order_by(entries.c.id)
    if list_id is not None:
        query = query.where(entries.c.list_id == list_id)
    return [_entry(row) for row in connection.execute(query).mappings()]


def came_with(connection: Connection, bundle_id: str) -> set[str]:
    """What the issuer calls the entries of a bundle that were listed before, whatever became of them since."""
    found = connection.scalars(select(entries.c.foreign_id).where(entries.c.bundle_id == bundle_id))
    return {one for one in found if one is not None}


def ended_by_people(connection: Connection, issuer_id: str) -> set[str]:
    """What an issuer calls the entries that people here ended: an appeal that was right, a withdrawal, an erasure."""
    by_people = ("appeal_upheld", "withdraw", "erase")
    query = select(entries.c.foreign_id).where(entries.c.issuer_id == issuer_id, entries.c.ended_why.in_(by_people))
    return {one for one in connection.scalars(query) if one is not None}


def photos_of(connection: Connection, entry_id: str) -> list[StoredPhoto]:
    """An entry's photographs, in their order."""
    rows = connection.execute(select(photos).where(photos.c.entry_id == entry_id).order_by(photos.c.number))
    return [
        StoredPhoto(
            id=r.id,
            entry_id=r.entry_id,
            sha256=r.sha256,
            report=msgspec.json.decode(r.report),
            sealed=r.sealed,
            enrolled_at_us=r.enrolled_at_us,
        )
        for r in rows
    ]


def photo_enrolled(connection: Connection, photo_id: str, *, now_us: int) -> None:
    """The gallery keeps it from now on, so the copy with the entry goes."""
    connection.execute(update(photos).where(photos.c.id == photo_id).values(enrolled_at_us=now_us, sealed=None))


def documents_of(connection: Connection, entry_id: str) -> list[StoredDocument]:
    """What an entry rests on, in its order."""
    rows = connection.execute(select(documents).where(documents.c.entry_id == entry_id).order_by(documents.c.number))
    return [
        StoredDocument(
            id=r.id,
            entry_id=r.entry_id,
            sha256=r.sha256,
            media_type=r.media_type,
            size_bytes=r.size_bytes,
            sealed=r.sealed,
        )
        for r in rows
    ]


def sealed_person(connection: Connection, entry_id: str) -> tuple[bytes | None, bytes | None]:
    """Person and ground as they are kept; None once the entry has ended."""
    query = select(entries.c.sealed_person, entries.c.sealed_ground).where(entries.c.id == entry_id)
    row = connection.execute(query).one_or_none()
    return (None, None) if row is None else (row.sealed_person, row.sealed_ground)


def approval_of(connection: Connection, entry_id: str) -> str | None:
    """The approval that an entry waits for, or rests on."""
    return connection.scalar(select(entries.c.approval_id).where(entries.c.id == entry_id))


def to_expire(connection: Connection, *, now_us: int, limit: int) -> Sequence[str]:
    """Entries whose term is over."""
    query = select(entries.c.id).where(entries.c.state.in_(_LIVE), entries.c.expires_at_us <= now_us)
    return connection.scalars(query.order_by(entries.c.expires_at_us).limit(limit)).all()


def to_enrol(connection: Connection, *, limit: int) -> Sequence[str]:
    """Approved entries with a photograph that the gallery does not have yet."""
    query = (
        select(entries.c.id)
        .join(photos, photos.c.entry_id == entries.c.id)
        .where(entries.c.state == "approved", photos.c.enrolled_at_us.is_(None))
    )
    return connection.scalars(query.distinct().order_by(entries.c.id).limit(limit)).all()


def to_wipe(connection: Connection, *, limit: int) -> Sequence[str]:
    """Entries that have ended and whose key is not yet known to be erased."""
    query = select(entries.c.id).where(entries.c.ended_at_us.is_not(None), entries.c.wiped_at_us.is_(None))
    return connection.scalars(query.order_by(entries.c.ended_at_us).limit(limit)).all()


def to_review(
    connection: Connection, *, now_us: int, limit: int, reminded: bool = False, lock: bool = False
) -> list[Entry]:
    """Entries whose review is due.

    Args:
        reminded: those that somebody was reminded of too.
        lock: hold them until the unit of work ends, and leave out what another holds.
    """
    query = select(entries).where(entries.c.state.in_(("approved", "suspended")), entries.c.review_at_us <= now_us)
    if not reminded:
        query = query.where(entries.c.reminded_at_us.is_(None))
    query = query.order_by(entries.c.review_at_us).limit(limit)
    found = connection.execute(query.with_for_update(skip_locked=True) if lock else query)
    return [_entry(row) for row in found.mappings()]


def to_hold_against(connection: Connection, *, limit: int) -> Sequence[str]:
    """Enrolled entries that were not yet held against the rest of the list and against staff."""
    query = select(entries.c.id).where(entries.c.state == "approved", entries.c.held_against_at_us.is_(None))
    waiting = select(photos.c.entry_id).where(photos.c.enrolled_at_us.is_(None))
    return connection.scalars(query.where(entries.c.id.not_in(waiting)).order_by(entries.c.id).limit(limit)).all()


def held_against(connection: Connection, entry_ids: Sequence[str], *, now_us: int) -> None:
    """These entries were held against the rest of the list."""
    connection.execute(update(entries).where(entries.c.id.in_(entry_ids)).values(held_against_at_us=now_us))


def wipe(connection: Connection, entry_id: str, *, now_us: int) -> None:
    """Leave the row without person data, after its key is gone: hashes, sealed texts, photographs, documents."""
    empty = {"sealed_person": None, "sealed_ground": None, "name_hash": None, "document_hash": None}
    connection.execute(update(entries).where(entries.c.id == entry_id).values(**empty, wiped_at_us=now_us))
    connection.execute(delete(photos).where(photos.c.entry_id == entry_id))
    connection.execute(update(documents).where(documents.c.entry_id == entry_id).values(sealed=None))
    connection.execute(update(steps).where(steps.c.entry_id == entry_id).values(sealed_reason=None))
    note_step(connection, entry_of(connection, entry_id), "wiped", now_us=now_us, staff_id=None)


def _entry(row: RowMapping) -> Entry:
    given = {name: row[name] for name in Entry.__dataclass_fields__ if name != "approvers"}
    return Entry(**given, approvers=tuple((row["approvers"] or "").split(",")) if row["approvers"] else ())


INVARIANTS = (
    Invariant(
        code="watch.listed_without_approvers",
        zh="每个在用布控条目都有提出者之外的两名批准人",
        en="everybody listed was approved by two people besides the one who asked",
        sql="""
            SELECT id FROM watch_entries
            WHERE state IN ('approved', 'suspended')
              AND (approvers IS NULL OR approvers NOT LIKE '%,%' OR approval_id IS NULL
                   OR ',' || approvers || ',' LIKE '%,' || proposed_by || ',%')
            """,
    ),
    Invariant(
        code="watch.enrolled_without_entry",
        zh="布控底库中的每个人都有在用条目",
        en="everybody in the gallery of the watchlist has an entry that is under way",
        sql="""
            SELECT s.id FROM watch_faces_subjects s
            JOIN watch_entries e ON e.id = s.id
            WHERE e.state = 'proposed' OR (e.wiped_at_us IS NOT NULL)
            """,
    ),
    Invariant(
        code="watch.person_data_after_the_end",
        zh="已结束并清除的条目不再含有个人资料",
        en="an entry that was wiped holds nothing that names a person",
        sql="""
            SELECT id FROM watch_entries
            WHERE wiped_at_us IS NOT NULL
              AND (sealed_person IS NOT NULL OR name_hash IS NOT NULL OR document_hash IS NOT NULL)
            """,
    ),
)
