"""Enrolment: who stands in a gallery, with which sealed photographs, and how all of it is erased.

The same steps for both purposes, each on its own tables and keys. What is held in memory for searching, and what is
compared with one person alone, stands in watchlist_gallery.py and consented_gallery.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from shouhao.faces import store
from shouhao.faces.images import read_picture
from shouhao.faces.keys import KeyFolder
from shouhao.faces.model import QUALITY_WORDS, Embedding, Face, NoFace, Pixels, PoorFace, Purpose, SeveralFaces
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Tampered, Unavailable
from shouhao.kernel.events import Event, EventKind
from shouhao.kernel.ids import new_id
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Sealer, opened_size


class Enroller(Protocol):
    """An engine, as far as enrolment needs it."""

    pack_id: str
    dims: int

    def enrolment_face(self, picture: Pixels) -> Face:
        """The one face of a picture.

        Raises:
            NoFace: there is none.
            SeveralFaces: there is more than one.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GallerySetup:
    """What a gallery works with. The purpose is that of its keys."""

    db: Database
    keys: KeyFolder
    engines: Mapping[str, Enroller]  #: by pack id; each pack that is live or being built has one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Enrolled:
    """A photograph that was taken in."""

    photo_id: str
    face: Face  #: as the live pack sees it
    embeddings: Mapping[str, Embedding]  #: by pack; a pack that finds no face there has none


class BeingErased(Refused):
    """The person is being erased, so nothing is added."""

    code = "faces.being_erased"
    zh = "该人员的人脸资料正在删除，不能再添加"
    en = "This person's faces are being erased; nothing can be added"


class OnAnotherList(Refused):
    """The person stands on another list of the same gallery."""

    code = "faces.on_another_list"
    zh = "该人员已在另一名单中"
    en = "This person stands on another list"


class NoThreshold(Refused):
    """The list has no threshold for this pack, so nobody on it could ever be found."""

    code = "faces.no_threshold"
    zh = "名单 {list_id} 尚未设定模型 {pack} 的阈值：先运行 shouhao faces calibrate 并设定"
    en = "List {list_id} has no threshold for {pack}: run shouhao faces calibrate and set one first"


class PackNotLive(Refused):
    """The gallery does not work with this pack."""

    code = "faces.pack_not_live"
    zh = "底库当前不使用模型 {pack}"
    en = "The gallery does not work with {pack}"


def begin(setup: GallerySetup, *, pack: str, now_us: int) -> None:
    """Make a pack the live one of a gallery that has none yet; a second time does nothing.

    Raises:
        PackNotLive: the gallery works with another pack; changeover.py leads from one to the next.
    """
    purpose = setup.keys.purpose
    with setup.db.write() as connection:
        packs = store.packs_in_use(connection, purpose)
        if any(use.state == "live" and use.pack != pack for use in packs.values()):
            raise PackNotLive(pack=pack)
        if pack not in packs:
            dims = setup.engines[pack].dims
            store.put_pack(connection, purpose, pack=pack, state="live", dims=dims, now_us=now_us)
            tell(connection, "face_pack_changed", purpose, now_us=now_us, pack=pack, state="live")


def set_threshold(
    setup: GallerySetup,
    *,
    list_id: str,
    pack: str,
    similarity_cos: float,
    derived_from: Mapping[str, object],
    now_us: int,
    staff_id: str | None = None,
) -> int:
    """Set from which similarity on a face on this list is reported; the version's number.

    Args:
        derived_from: the budget and the measurement behind it, kept with it as JSON.
    Raises:
        InvalidInput: not a cosine above 0, which would report everybody.
    """
    if not 0 < similarity_cos <= 1:
        raise InvalidInput("similarity_cos", zh="应大于 0、不超过 1", en="must be above 0 and at most 1")
    with setup.db.write() as connection:
        purpose = setup.keys.purpose
        version = store.add_threshold(
            connection,
            purpose,
            list_id=list_id,
            pack=pack,
            similarity_cos=similarity_cos,
            derived_from=derived_from,
            now_us=now_us,
        )
        tell(
            connection,
            "face_threshold_set",
            purpose,
            now_us=now_us,
            staff_id=staff_id,
            list_id=list_id,
            pack=pack,
            version=version,
            similarity_cos=similarity_cos,
        )
        return version


def enrol(
    setup: GallerySetup,
    *,
    subject_id: str,
    list_id: str,
    ground_id: str,
    photo: bytes,
    now_us: int,
    accepted: frozenset[str] = frozenset(),
    staff_id: str | None = None,
    photo_id: str | None = None,
) -> Enrolled:
    """Take in one photograph of one person, for every pack the gallery works with.

    Args:
        photo_id: under which id, for who has named it already; a second time collides with the first.
        ground_id: the decision to list somebody, or the patient's consent.
        photo: the bytes as they came; they are kept sealed, so that another pack can look at them later.
        accepted: codes of quality problems that a person has looked at and lets pass.
    Raises:
        PictureRefused, NoFace, SeveralFaces: nothing to enrol in these bytes.
        PoorFace: the face is not fit, beyond what was accepted.
        BeingErased, OnAnotherList, NoThreshold: it may not be added there.
    """
    if not ground_id:
        raise InvalidInput("ground_id", zh="须写明依据", en="must name the ground")
    picture = read_picture(photo)
    with setup.db.read() as connection:
        live, building = _at_work(connection, setup)
    face = setup.engines[live].enrolment_face(picture)
    problems = [code for code in face.quality.problems if code not in accepted]
    if problems:
        raise poor_face(problems)
    found = {pack: embedding_of(setup.engines[pack], picture) for pack in building}
    embeddings = {live: face.embedding} | {pack: one for pack, one in found.items() if one is not None}
    purpose, photo_id = setup.keys.purpose, photo_id or new_id("fp")
    with setup.db.write() as connection:
        if _at_work(connection, setup, held="shared") != (live, building):
            raise Unavailable("the gallery is changing its pack")
        if list_id not in store.thresholds_for(connection, purpose, live):
            raise NoThreshold("list_id", list_id=list_id, pack=live)
        _stand_on(connection, purpose, subject_id=subject_id, list_id=list_id, ground_id=ground_id, now_us=now_us)
        # Sealed while the subject's row is locked: an erasure begins before this or finds all of it.
        sealer = setup.keys.make(subject_id)
        sealed = sealer.seal(photo, context=_photo_context(photo_id))
        store.add_photo(
            connection,
            purpose,
            store.StoredPhoto(id=photo_id, subject_id=subject_id, sealed=sealed),
            quality=face.quality.score,
            now_us=now_us,
        )
        for pack in (live, *building):
            template = seal_template(sealer, embeddings.get(pack), photo_id=photo_id, pack=pack)
            store.add_templates(connection, purpose, pack=pack, sealed_by_photo={photo_id: template})
        tell(
            connection,
            "face_enrolled",
            purpose,
            now_us=now_us,
            staff_id=staff_id,
            subject_id=subject_id,
            list_id=list_id,
            ground_id=ground_id,
            photo_id=photo_id,
        )
    return Enrolled(photo_id=photo_id, face=face, embeddings=embeddings)


def erase(setup: GallerySetup, subject_id: str, *, now_us: int, staff_id: str | None = None) -> None:
    """Erase a person from database, keys and so from every backup; repeating it finishes what was cut short.

    Raises:
        NotFound: nobody of this id is enrolled.
    """
    purpose = setup.keys.purpose
    with setup.db.write() as connection:
        if not store.begin_erasing(connection, purpose, subject_id, now_us=now_us):
            raise NotFound("subject", "subject_id")
    setup.keys.erase(subject_id)
    with setup.db.write() as connection:
        if store.delete_subject(connection, purpose, subject_id):
            tell(connection, "face_erased", purpose, now_us=now_us, staff_id=staff_id, subject_id=subject_id)


def finish_erasures(setup: GallerySetup, *, now_us: int) -> int:
    """Finish erasures that a crash cut short; how many."""
    with setup.db.read() as connection:
        begun = store.erasing(connection, setup.keys.purpose)
    for subject_id in begun:
        erase(setup, subject_id, now_us=now_us)
    return len(begun)


def photo_of(setup: GallerySetup, photo: store.StoredPhoto) -> bytes:
    """The bytes of an enrolled photograph, as they came. Who may look is decided before, and written down.

    Raises:
        NotFound: its person's key was erased.
        Tampered: it was changed in the database.
    """
    sealer = setup.keys.find(photo.subject_id)
    if sealer is None:
        raise NotFound("photo", "photo_id")
    return sealer.open(photo.sealed, context=_photo_context(photo.id))


def embedding_of(engine: Enroller, picture: Pixels) -> Embedding | None:
    """What a pack makes of a photograph that another pack took in; None: it finds no single face there."""
    try:
        return engine.enrolment_face(picture).embedding
    except (NoFace, SeveralFaces):
        return None


def poor_face(problems: Sequence[str]) -> PoorFace:
    """The refusal that names what is wrong with a face."""
    words = [QUALITY_WORDS[code] for code in problems]
    return PoorFace(
        "photo",
        problems=list(problems),
        problems_zh="；".join(zh for zh, _ in words),
        problems_en="; ".join(en for _, en in words),
    )


def seal_template(sealer: Sealer, embedding: Embedding | None, *, photo_id: str, pack: str) -> bytes | None:
    """A template as it is kept; None where there is none."""
    if embedding is None:
        return None
    return sealer.seal(embedding.astype("<f4").tobytes(), context=_template_context(photo_id, pack))


def open_template(sealer: Sealer, template: store.StoredTemplate, row: NDArray[np.float32], *, pack: str) -> None:
    """Open a template into a row of the caller's memory, so that no copy is left elsewhere.

    Raises:
        Tampered: it was changed, or belongs to another photograph, person or pack.
    """
    if opened_size(template.sealed) != row.nbytes:
        raise Tampered("a template has another size than its pack's")
    sealer.open_into(template.sealed, row.data.cast("B"), context=_template_context(template.photo_id, pack))


def tell(
    connection: Connection,
    kind: EventKind,
    purpose: Purpose,
    *,
    now_us: int,
    staff_id: str | None = None,
    **detail: object,
) -> None:
    """Write down what happened to a gallery, in the unit of work in which it does."""
    event = Event(at_us=now_us, kind=kind, staff_id=staff_id, detail={"purpose": purpose, **detail})
    event_log.append(connection, [event])


def _photo_context(photo_id: str) -> bytes:
    """What a sealed photograph is bound to."""
    return f"photo\0{photo_id}".encode()


def _template_context(photo_id: str, pack: str) -> bytes:
    """What a sealed template is bound to."""
    return f"template\0{photo_id}\0{pack}".encode()


def _at_work(
    connection: Connection, setup: GallerySetup, *, held: Literal["shared"] | None = None
) -> tuple[str, tuple[str, ...]]:
    """The live pack and those that are being built.

    Raises:
        PackNotLive: none is live, or one of them has no engine here.
    """
    packs = store.packs_in_use(connection, setup.keys.purpose, held=held)
    live = [pack for pack, use in packs.items() if use.state == "live"]
    building = tuple(sorted(pack for pack, use in packs.items() if use.state == "building"))
    if not live:
        raise PackNotLive(pack=", ".join(sorted(setup.engines)))
    for pack in (*live, *building):
        if pack not in setup.engines:
            raise PackNotLive(pack=pack)
    return live[0], building


def _stand_on(
    connection: Connection, purpose: Purpose, *, subject_id: str, list_id: str, ground_id: str, now_us: int
) -> None:
    """Put a person on a list, or see that they stand there, with their row locked."""
    row = store.subject_for_update(connection, purpose, subject_id)
    if row is None:
        store.add_subject(
            connection, purpose, subject_id=subject_id, list_id=list_id, ground_id=ground_id, now_us=now_us
        )
    elif row["erasing_at_us"] is not None:
        raise BeingErased("subject_id")
    elif row["list_id"] != list_id:
        raise OnAnotherList("list_id")
