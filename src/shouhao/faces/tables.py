"""Tables of the two galleries: the same shape twice, so that no row, key or query of one reaches the other.

Nothing here names a person: subjects are ids of the rooms that own them, photographs and templates are sealed.
"""

from dataclasses import dataclass

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from shouhao.faces.model import Purpose
from shouhao.store.schema import identifier, instant, metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryTables:
    """The tables of one purpose."""

    subjects: Table
    photos: Table
    templates: Table
    packs: Table
    thresholds: Table


def _gallery(prefix: str) -> GalleryTables:
    subjects = Table(
        f"{prefix}_subjects",
        metadata,
        identifier("id", primary_key=True),  # of a watch entry, or of a patient
        identifier("list_id"),
        identifier("ground_id"),  # by what right: the decision to list somebody, or a patient's consent
        instant("created_at_us"),
        instant("erasing_at_us", nullable=True),  # erasure has begun; nothing of it is read any more
        instant("restricted_at_us", nullable=True),  # kept and compared with nobody, such as during an appeal (PIPL 47)
    )
    photos = Table(
        f"{prefix}_photos",
        metadata,
        identifier("id", primary_key=True),
        Column("subject_id", ForeignKey(subjects.c.id), nullable=False),
        Column("sealed", LargeBinary, nullable=False),  # the bytes as they were enrolled
        Column("quality", Float, nullable=False),  # 0 to 1
        instant("added_at_us"),
    )
    Index(f"ix_{prefix}_photos_subject_id", photos.c.subject_id)
    templates = Table(
        f"{prefix}_templates",
        metadata,
        Column("photo_id", ForeignKey(photos.c.id), nullable=False),
        identifier("pack"),
        Column("sealed", LargeBinary, nullable=True),  # float32, little-endian; empty: this pack finds no face there
        PrimaryKeyConstraint("photo_id", "pack"),
    )
    packs = Table(
        f"{prefix}_packs",
        metadata,
        identifier("pack", primary_key=True),
        identifier("state"),  # live, building, retired
        Column("dims", Integer, nullable=False),
        instant("since_us"),
    )
    thresholds = Table(
        f"{prefix}_thresholds",
        metadata,
        identifier("list_id"),
        identifier("pack"),
        Column("version", Integer, nullable=False),
        Column("similarity_cos", Float, nullable=False),
        Column("derived_from", Text, nullable=False),  # JSON: the budget and the data it was derived from
        instant("set_at_us"),
        PrimaryKeyConstraint("list_id", "pack", "version"),
    )
    return GalleryTables(subjects=subjects, photos=photos, templates=templates, packs=packs, thresholds=thresholds)


TABLES: dict[Purpose, GalleryTables] = {
    "watchlist": _gallery("watch_faces"),
    "consented": _gallery("consented_faces"),
}
