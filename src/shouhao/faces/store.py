"""The faces room's SQL. Every function names a purpose, and the purpose alone picks the tables."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from shouhao.faces.model import Purpose
from shouhao.faces.tables import TABLES, GalleryTables
from shouhao.kernel.errors import Unavailable
from shouhao.store.held import hold
from shouhao.store.invariants import Invariant

PackState = Literal["live", "building", "retired"]

_PAGE = 1_000  #: templates read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PackUse:
    """One pack that a gallery has templates of."""

    pack: str
    state: PackState
    dims: int
    since_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTemplate:
    """One template as it is kept."""

    photo_id: str
    subject_id: str
    list_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPhoto:
    """One photograph as it is kept."""

    id: str
    subject_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SetThreshold:
    """One version of a list's threshold."""

    list_id: str
    pack: str
    version: int
    similarity_cos: float
    derived_from: Mapping[str, Any]
    set_at_us: int


def packs_in_use(
    connection: Connection, purpose: Purpose, *, held: Literal["shared", "alone"] | None = None
) -> dict[str, PackUse]:
    """The packs of this gallery, those that were left behind included, by id.

    Args:
        held: until the unit of work ends nobody changes them; shared among those who write templates, alone by who
            changes them and deletes templates.
    """
    packs = TABLES[purpose].packs
    query = select(packs).order_by(packs.c.since_us)
    rows = connection.execute(query if held is None else query.with_for_update(read=held == "shared"))
    return {
        row.pack: PackUse(pack=row.pack, state=row.state, dims=row.dims, since_us=row.since_us) for row in rows.all()
    }


def put_pack(connection: Connection, purpose: Purpose, *, pack: str, state: PackState, dims: int, now_us: int) -> None:
    """Write down what a pack is to this gallery from now on."""
    packs = TABLES[purpose].packs
    told = {"state": state, "dims": dims, "since_us": now_us}
    if not connection.execute(update(packs).where(packs.c.pack == pack).values(told)).rowcount:
        connection.execute(insert(packs).values(pack=pack, **told))


def subject_for_update(connection: Connection, purpose: Purpose, subject_id: str) -> RowMapping | None:
    """The subject's row, locked until the unit of work ends."""
    subjects = TABLES[purpose].subjects
    query = select(subjects).where(subjects.c.id == subject_id).with_for_update()
    return connection.execute(query).mappings().one_or_none()


def add_subject(
    connection: Connection, purpose: Purpose, *, subject_id: str, list_id: str, ground_id: str, now_us: int
) -> None:
    """A new subject.

    Raises:
        Unavailable: another unit of work adds the same subject at this moment.
    """
    try:
        connection.execute(
            insert(TABLES[purpose].subjects).values(
                id=subject_id, list_id=list_id, ground_id=ground_id, created_at_us=now_us
            )
        )
    except IntegrityError as error:
        raise Unavailable("subject is being added") from error


def add_photo(connection: Connection, purpose: Purpose, photo: StoredPhoto, *, quality: float, now_us: int) -> None:
    """A sealed photograph of a subject."""
    connection.execute(
        insert(TABLES[purpose].photos).values(
            id=photo.id, subject_id=photo.subject_id, sealed=photo.sealed, quality=quality, added_at_us=now_us
        )
    )


def add_templates(
    connection: Connection, purpose: Purpose, *, pack: str, sealed_by_photo: Mapping[str, bytes | None]
) -> None:
    """Templates of one pack; None where the pack finds no face in the photograph."""
    if sealed_by_photo:
        rows = [{"photo_id": photo_id, "pack": pack, "sealed": sealed} for photo_id, sealed in sealed_by_photo.items()]
        connection.execute(insert(TABLES[purpose].templates), rows)


def counts(connection: Connection, purpose: Purpose) -> tuple[int, int]:
    """People and photographs."""
    tables = TABLES[purpose]
    people = connection.scalar(select(func.count()).select_from(tables.subjects))
    photographs = connection.scalar(select(func.count()).select_from(tables.photos))
    return people or 0, photographs or 0


def find_photo(connection: Connection, purpose: Purpose, photo_id: str) -> StoredPhoto | None:
    """A photograph of somebody who is not being erased."""
    tables = TABLES[purpose]
    query = (
        select(tables.photos.c.id, tables.photos.c.subject_id, tables.photos.c.sealed)
        .join(tables.subjects, tables.subjects.c.id == tables.photos.c.subject_id)
        .where(tables.photos.c.id == photo_id, tables.subjects.c.erasing_at_us.is_(None))
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else StoredPhoto(id=row.id, subject_id=row.subject_id, sealed=row.sealed)


def photo_stands(connection: Connection, purpose: Purpose, photo_id: str) -> bool:
    """Whether a photograph is there and its person is neither being erased nor restricted."""
    tables = TABLES[purpose]
    query = (
        select(tables.photos.c.id)
        .join(tables.subjects, tables.subjects.c.id == tables.photos.c.subject_id)
        .where(tables.photos.c.id == photo_id, *_compared(tables))
    )
    return connection.scalar(query) is not None


def has_template(connection: Connection, purpose: Purpose, *, pack: str, photo_id: str) -> bool:
    """Whether this pack has looked at a photograph."""
    templates = TABLES[purpose].templates
    query = select(templates.c.photo_id).where(templates.c.pack == pack, templates.c.photo_id == photo_id)
    return connection.scalar(query) is not None


def templates_of(
    connection: Connection, purpose: Purpose, pack: str, *, subject_id: str | None = None
) -> Iterator[StoredTemplate]:
    """Every template of a pack whose subject is neither being erased nor restricted, page by page by photograph.

    Args:
        subject_id: of this subject alone.
    """
    after = ""
    while True:
        rows = connection.execute(_templates_query(purpose, pack, subject_id, after)).all()
        for row in rows:
            yield StoredTemplate(
                photo_id=row.photo_id, subject_id=row.subject_id, list_id=row.list_id, sealed=row.sealed
            )
        if len(rows) < _PAGE:
            return
        after = rows[-1].photo_id


def _templates_query(purpose: Purpose, pack: str, subject_id: str | None, after: str) -> Any:
    tables = TABLES[purpose]
    query = (
        select(
            tables.templates.c.photo_id,
            tables.photos.c.subject_id,
            tables.subjects.c.list_id,
            tables.templates.c.sealed,
        )
        .join_from(tables.templates, tables.photos, tables.photos.c.id == tables.templates.c.photo_id)
        .join(tables.subjects, tables.subjects.c.id == tables.photos.c.subject_id)
        .where(
            tables.templates.c.pack == pack,
            tables.templates.c.photo_id > after,
            tables.templates.c.sealed.is_not(None),
            *_compared(tables),
        )
        .order_by(tables.templates.c.photo_id)
        .limit(_PAGE)
    )
    return query if subject_id is None else query.where(tables.photos.c.subject_id == subject_id)


def photo_ids_with(connection: Connection, purpose: Purpose, pack: str) -> set[str]:
    """Photographs that have a template of this pack and whose subject is neither being erased nor restricted."""
    tables = TABLES[purpose]
    query = (
        select(tables.templates.c.photo_id)
        .join_from(tables.templates, tables.photos, tables.photos.c.id == tables.templates.c.photo_id)
        .join(tables.subjects, tables.subjects.c.id == tables.photos.c.subject_id)
        .where(
            tables.templates.c.pack == pack,
            tables.templates.c.sealed.is_not(None),
            *_compared(tables),
        )
    )
    return set(connection.scalars(query))


def photos_without(connection: Connection, purpose: Purpose, pack: str, *, limit: int) -> list[StoredPhoto]:
    """Photographs that this pack has not looked at yet, oldest first."""
    tables = TABLES[purpose]
    seen = select(tables.templates.c.photo_id).where(tables.templates.c.pack == pack)
    query = (
        select(tables.photos.c.id, tables.photos.c.subject_id, tables.photos.c.sealed)
        .join(tables.subjects, tables.subjects.c.id == tables.photos.c.subject_id)
        .where(tables.photos.c.id.not_in(seen), tables.subjects.c.erasing_at_us.is_(None))
        .order_by(tables.photos.c.id)
        .limit(limit)
    )
    return [StoredPhoto(id=row.id, subject_id=row.subject_id, sealed=row.sealed) for row in connection.execute(query)]


def unseen_photos(connection: Connection, purpose: Purpose, pack: str) -> Sequence[str]:
    """Photographs in which this pack found no face, with templates of other packs or without."""
    templates = TABLES[purpose].templates
    query = select(templates.c.photo_id).where(templates.c.pack == pack, templates.c.sealed.is_(None))
    return connection.scalars(query.order_by(templates.c.photo_id)).all()


def lists_in_use(connection: Connection, purpose: Purpose) -> set[str]:
    """The lists that somebody stands on."""
    subjects = TABLES[purpose].subjects
    return set(connection.scalars(select(subjects.c.list_id).where(subjects.c.erasing_at_us.is_(None)).distinct()))


def thresholds_for(connection: Connection, purpose: Purpose, pack: str) -> dict[str, float]:
    """The newest threshold of each list for this pack."""
    table = TABLES[purpose].thresholds
    rows = connection.execute(
        select(table.c.list_id, table.c.similarity_cos).where(table.c.pack == pack).order_by(table.c.version)
    )
    return {row.list_id: row.similarity_cos for row in rows.all()}


def newest_threshold(connection: Connection, purpose: Purpose, *, list_id: str, pack: str) -> SetThreshold | None:
    """A list's threshold for a pack with what it was derived from; None where there is none."""
    table = TABLES[purpose].thresholds
    query = select(table).where(table.c.list_id == list_id, table.c.pack == pack).order_by(table.c.version.desc())
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _set_threshold(row)


def threshold_versions(connection: Connection, purpose: Purpose, list_id: str) -> list[SetThreshold]:
    """Every threshold that a list ever had, the newest first."""
    table = TABLES[purpose].thresholds
    query = select(table).where(table.c.list_id == list_id)
    query = query.order_by(table.c.set_at_us.desc(), table.c.version.desc(), table.c.pack)
    return [_set_threshold(row) for row in connection.execute(query)]


def _set_threshold(row: Any) -> SetThreshold:
    return SetThreshold(
        list_id=row.list_id,
        pack=row.pack,
        version=row.version,
        similarity_cos=row.similarity_cos,
        derived_from=msgspec.json.decode(row.derived_from),
        set_at_us=row.set_at_us,
    )


def add_threshold(
    connection: Connection,
    purpose: Purpose,
    *,
    list_id: str,
    pack: str,
    similarity_cos: float,
    derived_from: Mapping[str, Any],
    now_us: int,
) -> int:
    """A new version of a list's threshold; earlier ones stay readable. Its number."""
    table = TABLES[purpose].thresholds
    hold(connection, f"faces.threshold:{purpose}:{list_id}:{pack}")
    last = connection.scalar(select(func.max(table.c.version)).where(table.c.list_id == list_id, table.c.pack == pack))
    version = (last or 0) + 1
    connection.execute(
        insert(table).values(
            list_id=list_id,
            pack=pack,
            version=version,
            similarity_cos=similarity_cos,
            derived_from=msgspec.json.encode(derived_from).decode(),
            set_at_us=now_us,
        )
    )
    return version


def begin_erasing(connection: Connection, purpose: Purpose, subject_id: str, *, now_us: int) -> bool:
    """Mark a subject, after which nothing of it is read; whether there was one."""
    subjects = TABLES[purpose].subjects
    marked = connection.execute(
        update(subjects)
        .where(subjects.c.id == subject_id)
        .values(erasing_at_us=func.coalesce(subjects.c.erasing_at_us, now_us))
    )
    return bool(marked.rowcount)


def restrict(connection: Connection, purpose: Purpose, subject_id: str, *, now_us: int, restricted: bool) -> bool:
    """Keep a subject without comparing it with anybody, or compare it again; whether there was one.

    Galleries in memory follow at their next refresh; whoever acts on a hit asks its room whether it still stands.
    """
    subjects = TABLES[purpose].subjects
    at_us = func.coalesce(subjects.c.restricted_at_us, now_us) if restricted else None
    changed = update(subjects).where(subjects.c.id == subject_id).values(restricted_at_us=at_us)
    return bool(connection.execute(changed).rowcount)


def erasing(connection: Connection, purpose: Purpose) -> Sequence[str]:
    """Subjects whose erasure has begun and not ended."""
    subjects = TABLES[purpose].subjects
    return connection.scalars(select(subjects.c.id).where(subjects.c.erasing_at_us.is_not(None))).all()


def delete_subject(connection: Connection, purpose: Purpose, subject_id: str) -> bool:
    """Delete all rows of a subject; whether there was one."""
    tables = TABLES[purpose]
    mine = select(tables.photos.c.id).where(tables.photos.c.subject_id == subject_id)
    connection.execute(delete(tables.templates).where(tables.templates.c.photo_id.in_(mine)))
    connection.execute(delete(tables.photos).where(tables.photos.c.subject_id == subject_id))
    return bool(connection.execute(delete(tables.subjects).where(tables.subjects.c.id == subject_id)).rowcount)


def delete_templates(connection: Connection, purpose: Purpose, pack: str) -> int:
    """Delete every template of a pack that was left behind; how many."""
    templates = TABLES[purpose].templates
    return connection.execute(delete(templates).where(templates.c.pack == pack)).rowcount


def _compared(tables: GalleryTables) -> tuple[ColumnElement[bool], ...]:
    """Which subjects may be compared with anybody."""
    return tables.subjects.c.erasing_at_us.is_(None), tables.subjects.c.restricted_at_us.is_(None)


def _invariants(purpose: Purpose, *, zh: str, en: str) -> tuple[Invariant, ...]:
    tables = TABLES[purpose]
    subjects, templates, packs = tables.subjects.name, tables.templates.name, tables.packs.name
    return (
        Invariant(
            code=f"faces.{purpose}.several_live_packs",
            zh=f"{zh}底库最多只有一个启用的模型",
            en=f"the gallery {en} has at most one live pack",
            sql=f"SELECT MAX(pack) FROM {packs} WHERE state = 'live' HAVING COUNT(*) > 1",
        ),
        Invariant(
            code=f"faces.{purpose}.template_left_behind",
            zh=f"{zh}底库中没有已停用模型的特征",
            en=f"the gallery {en} keeps no template of a pack that it left",
            sql=f"""
                SELECT t.photo_id FROM {templates} t
                WHERE NOT EXISTS (SELECT 1 FROM {packs} p WHERE p.pack = t.pack AND p.state <> 'retired')
                """,
        ),
        Invariant(
            code=f"faces.{purpose}.list_without_threshold",
            zh=f"{zh}底库中有人的名单都为启用的模型设定了阈值",
            en=f"each list of the gallery {en} that somebody stands on has a threshold for the live pack",
            sql=f"""
                SELECT DISTINCT s.list_id FROM {subjects} s
                JOIN {packs} p ON p.state = 'live'
                WHERE NOT EXISTS (
                  SELECT 1 FROM {tables.thresholds.name} t WHERE t.list_id = s.list_id AND t.pack = p.pack)
                """,
        ),
        Invariant(
            code=f"faces.{purpose}.person_without_photograph",
            zh=f"{zh}底库中每个人至少有一张照片",
            en=f"everybody in the gallery {en} has a photograph",
            sql=f"""
                SELECT s.id FROM {subjects} s
                WHERE NOT EXISTS (SELECT 1 FROM {tables.photos.name} f WHERE f.subject_id = s.id)
                """,
        ),
    )


INVARIANTS = (
    *_invariants("watchlist", zh="布控", en="of the watchlist"),
    *_invariants("consented", zh="同意比对者", en="of consenting patients"),
)
