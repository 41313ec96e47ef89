"""Watch bundle rows: each person whom accepting a bundle would list, change or let go, beside what stands here now.

Names and grounds are in them; whoever shows them masks them or has written the look down first. Once a bundle is
decided its file is gone, and a row says only whom it meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection

from shouhao.flows.watch_bundle_files import opened
from shouhao.flows.watch_desk import WatchDesk
from shouhao.kernel.errors import NotFound
from shouhao.watch import bundle_diff
from shouhao.watch.bundle import GivenEntry, Problem
from shouhao.watch.store import bundles as store
from shouhao.watch.store import watchlist as entry_store
from shouhao.watch.watchlist import Entry, Person, term_us

Kind = Literal["new", "changed", "same", "gone", "already", "alike", "refused"]
Part = Literal["name", "aliases", "document", "ground_code", "ground", "photos", "documents", "expires_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is said of a person, by the bundle or by the entry that stands here."""

    person: Person
    ground_code: str
    ground: str
    photos: tuple[str, ...]  #: SHA-256
    documents: tuple[str, ...]  #: likewise
    expires_at_us: int  #: as it would end here, or does


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a bundle's difference."""

    kind: Kind
    id: str | None  #: as the issuer calls the entry; None for `gone`
    entry_id: str | None  #: ours: the one it replaces, that is gone, or that is here already
    given: Side | None  #: as the bundle says; None where it does not, or its file is gone
    here: Side | None  #: as it stands here; None where it does not, or was erased
    fit: Mapping[str, float] = field(default_factory=dict)  #: SHA-256 of the bundle's fit photographs, their quality
    changed: tuple[Part, ...] = ()
    already: bundle_diff.AlreadyHere | None = None
    alike: bundle_diff.Alike | None = None
    problem: Problem | None = None


def bundle_rows(
    desk: WatchDesk, bundle_id: str, kind: Kind, *, now_us: int, after: int = 0, limit: int = 100
) -> tuple[list[Row], int]:
    """Some of a bundle's rows of one kind, and how many there are.

    Raises:
        NotFound: there is no such bundle, or its faces were not looked at yet.
    """
    with desk.db.read() as connection:
        stored = store.find_bundle(connection, bundle_id)
    if stored.report is None:
        raise NotFound("bundle", "bundle_id")
    difference = bundle_diff.unpacked(stored.report)
    found: Sequence[object] = getattr(difference, kind)
    given = _given(desk, bundle_id)
    with desk.db.read() as connection:
        under_way = entry_store.entries_from(connection, stored.issuer_id, list_id=stored.list_id)
        known = {one.foreign_id: one for one in under_way}
        rows = [
            _row(desk, connection, kind, one, difference, given, known, now_us) for one in found[after : after + limit]
        ]
    return rows, len(found)


def bundle_photo(desk: WatchDesk, bundle_id: str, sha256: str) -> bytes:
    """A photograph of a bundle in which one fit face was found. Who may look is decided before, and written down.

    Raises:
        NotFound: there is no such photograph, or the bundle was decided and its file is gone.
    """
    stored, bundle = opened(desk, bundle_id)
    fit = () if stored.report is None else bundle_diff.unpacked(stored.report).photo_reports
    if sha256 not in fit:
        raise NotFound("photo", "sha256")
    return bundle.photo(sha256)


def _given(desk: WatchDesk, bundle_id: str) -> dict[str, GivenEntry]:
    try:
        _, bundle = opened(desk, bundle_id)
    except NotFound:  # decided: its file was deleted
        return {}
    return {one.id: one for one in bundle.entries}


def _row(
    desk: WatchDesk,
    connection: Connection,
    kind: Kind,
    found: object,
    difference: bundle_diff.Difference,
    given: dict[str, GivenEntry],
    known: dict[str | None, Entry],
    now_us: int,
) -> Row:
    if kind == "gone":
        entry = entry_store.find_entry(connection, str(found))
        return Row(kind=kind, id=None, entry_id=str(found), given=None, here=_here(desk, connection, entry))
    already = found if isinstance(found, bundle_diff.AlreadyHere) else None
    alike = found if isinstance(found, bundle_diff.Alike) else None
    problem = found if isinstance(found, Problem) else None
    one = already or alike
    foreign_id = one.id if one else problem.entry_id if problem else str(found)
    entry = entry_store.find_entry(connection, already.entry_id) if already else known.get(foreign_id)
    theirs = _theirs(desk, given.get(foreign_id), now_us)
    ours = _here(desk, connection, entry)
    reports = difference.photo_reports
    return Row(
        kind=kind,
        id=foreign_id,
        entry_id=None if entry is None else entry.id,
        given=theirs,
        here=ours,
        fit={sha: float(reports[sha]["quality"]) for sha in (theirs.photos if theirs else ()) if sha in reports},
        changed=_changed(ours, theirs) if kind == "changed" and ours and theirs else (),
        already=already,
        alike=alike,
        problem=problem,
    )


def _theirs(desk: WatchDesk, given: GivenEntry | None, now_us: int) -> Side | None:
    if given is None:
        return None
    _, ours_us = term_us(now_us=now_us, days=desk.settings.term_days, review_days=desk.settings.review_days)
    return Side(
        person=given.person,
        ground_code=given.ground_code,
        ground=given.ground,
        photos=given.photos,
        documents=given.documents,
        expires_at_us=min(ours_us, given.expires_at_us),
    )


def _here(desk: WatchDesk, connection: Connection, entry: Entry | None) -> Side | None:
    if entry is None:
        return None
    try:
        person, ground = desk.person_of(connection, entry.id)
    except NotFound:  # it has ended
        return None
    return Side(
        person=person,
        ground_code=entry.ground_code,
        ground=ground,
        photos=tuple(one.sha256 for one in entry_store.photos_of(connection, entry.id)),
        documents=tuple(one.sha256 for one in entry_store.documents_of(connection, entry.id)),
        expires_at_us=entry.expires_at_us,
    )


def _changed(before: Side, after: Side) -> tuple[Part, ...]:
    """What acceptance would change of an entry. Photographs and documents are compared by what they are."""
    differs: dict[Part, bool] = {
        "name": before.person.name != after.person.name,
        "aliases": before.person.aliases != after.person.aliases,
        "document": _document(before.person) != _document(after.person),
        "ground_code": before.ground_code != after.ground_code,
        "ground": before.ground != after.ground,
        "photos": set(before.photos) != set(after.photos),
        "documents": set(before.documents) != set(after.documents),
        "expires_at": before.expires_at_us != after.expires_at_us,
    }
    return tuple(name for name, is_other in differs.items() if is_other)


def _document(person: Person) -> tuple[str | None, str | None]:
    return person.document_kind, person.document_number
