"""Changeover: a gallery moves from one pack to another without a moment in which it finds nobody.

The new pack looks at every stored photograph, a few at a time, while the old one keeps answering; enrolments and
erasures meanwhile reach both. Where it stopped is what is missing in the database, so it goes on after any crash. The
switch is one transaction, and only then are the old templates deleted.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from shouhao.faces import store
from shouhao.faces.enrolment import (
    GallerySetup,
    NoThreshold,
    PackNotLive,
    embedding_of,
    photo_of,
    seal_template,
    tell,
)
from shouhao.faces.images import read_picture
from shouhao.faces.model import Embedding, Purpose
from shouhao.kernel.errors import NotFound, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a new pack has come."""

    left: bool  #: there are photographs that it has not looked at
    done: int  #: in this step
    unseen: tuple[str, ...]  #: photographs in which it finds no face: their people would be lost without another photo


class NotAllSeen(Refused):
    """The new pack has not looked at every photograph, or sees no face in some."""

    code = "faces.not_all_seen"
    zh = "新模型尚未处理完全部照片，或有 {unseen} 张照片未检出人脸"
    en = "The new pack has not seen every photograph, or finds no face in {unseen} of them"


def start(setup: GallerySetup, *, pack: str, now_us: int) -> None:
    """Begin to build templates of another pack; a second time does nothing.

    Raises:
        PackNotLive: the gallery has no live pack to move from, or the pack is already the live one.
    """
    purpose = setup.keys.purpose
    with setup.db.write() as connection:
        packs = store.packs_in_use(connection, purpose)
        if not any(use.state == "live" for use in packs.values()) or _state(packs, pack) == "live":
            raise PackNotLive(pack=pack)
        if _state(packs, pack) != "building":
            dims = setup.engines[pack].dims
            store.put_pack(connection, purpose, pack=pack, state="building", dims=dims, now_us=now_us)
            tell(connection, "face_pack_changed", purpose, now_us=now_us, pack=pack, state="building")


def advance(setup: GallerySetup, *, pack: str, most: int = 64) -> Progress:
    """Look at the next photographs with the new pack; call again until nothing is left.

    Raises:
        PackNotLive: it is not being built.
    """
    purpose, engine = setup.keys.purpose, setup.engines[pack]
    with setup.db.read() as connection:
        _must_be_building(connection, purpose, pack)
        photos = store.photos_without(connection, purpose, pack, limit=most)
    made = []
    for photo in photos:
        with suppress(NotFound):  # its person is being erased
            made.append((photo, embedding_of(engine, read_picture(photo_of(setup, photo)))))
    done = 0
    for photo, embedding in made:
        with setup.db.write() as connection:
            done += _put(connection, setup, photo, embedding, pack)
    with setup.db.read() as connection:
        left = bool(store.photos_without(connection, purpose, pack, limit=1))
        return Progress(left=left, done=done, unseen=tuple(store.unseen_photos(connection, purpose, pack)))


def switch(
    setup: GallerySetup, *, pack: str, now_us: int, without_unseen: bool = False, staff_id: str | None = None
) -> None:
    """Make the new pack the live one and delete the old one's templates, in one transaction.

    Args:
        without_unseen: a person has accepted that photographs in which the new pack finds no face go unsearched.
    Raises:
        NotAllSeen: photographs are left, or unseen and that was not accepted.
        NoThreshold: a list that somebody stands on has no threshold for the new pack.
    """
    purpose = setup.keys.purpose
    with setup.db.write() as connection:
        _must_be_building(connection, purpose, pack, held="alone")
        unseen = store.unseen_photos(connection, purpose, pack)
        if store.photos_without(connection, purpose, pack, limit=1) or (unseen and not without_unseen):
            raise NotAllSeen(unseen=len(unseen))
        thresholds = store.thresholds_for(connection, purpose, pack)
        for list_id in sorted(store.lists_in_use(connection, purpose)):
            if list_id not in thresholds:
                raise NoThreshold("list_id", list_id=list_id, pack=pack)
        for use in store.packs_in_use(connection, purpose).values():
            if use.pack != pack and use.state != "retired":
                store.put_pack(connection, purpose, pack=use.pack, state="retired", dims=use.dims, now_us=now_us)
                store.delete_templates(connection, purpose, use.pack)
                tell(connection, "face_pack_changed", purpose, now_us=now_us, pack=use.pack, state="retired")
        dims = setup.engines[pack].dims
        store.put_pack(connection, purpose, pack=pack, state="live", dims=dims, now_us=now_us)
        tell(connection, "face_pack_changed", purpose, now_us=now_us, staff_id=staff_id, pack=pack, state="live")


def abandon(setup: GallerySetup, *, pack: str, now_us: int) -> None:
    """Stop building and delete what was built; the live pack never noticed."""
    purpose = setup.keys.purpose
    with setup.db.write() as connection:
        use = _must_be_building(connection, purpose, pack, held="alone")
        store.delete_templates(connection, purpose, pack)
        store.put_pack(connection, purpose, pack=pack, state="retired", dims=use.dims, now_us=now_us)
        tell(connection, "face_pack_changed", purpose, now_us=now_us, pack=pack, state="retired")


def _put(
    connection: Connection, setup: GallerySetup, photo: store.StoredPhoto, embedding: Embedding | None, pack: str
) -> int:
    """Write one template, unless its person is being erased, another worker was faster, or the pack was given up."""
    purpose = setup.keys.purpose
    if _state(store.packs_in_use(connection, purpose, held="shared"), pack) != "building":
        return 0
    row = store.subject_for_update(connection, purpose, photo.subject_id)
    sealer = setup.keys.find(photo.subject_id)
    if row is None or row["erasing_at_us"] is not None or sealer is None:
        return 0
    if store.has_template(connection, purpose, pack=pack, photo_id=photo.id):
        return 0
    sealed = seal_template(sealer, embedding, photo_id=photo.id, pack=pack)
    store.add_templates(connection, purpose, pack=pack, sealed_by_photo={photo.id: sealed})
    return 1


def _must_be_building(
    connection: Connection, purpose: Purpose, pack: str, *, held: Literal["alone"] | None = None
) -> store.PackUse:
    use = store.packs_in_use(connection, purpose, held=held).get(pack)
    if use is None or use.state != "building":
        raise PackNotLive(pack=pack)
    return use


def _state(packs: Mapping[str, store.PackUse], pack: str) -> str | None:
    use = packs.get(pack)
    return None if use is None else use.state
