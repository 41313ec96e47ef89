"""Watch desk: what work on the watchlist needs: database, each entry's own key, the gallery and its engine.

The engine takes seconds to open and libraries that the servers would wait for, so nothing is opened before somebody is
looked at. One key an entry seals its name, its documents and its photographs, before it is listed and after.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from shouhao.faces import store as faces
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.kernel.ids import new_id
from shouhao.store.engine import Database
from shouhao.store.vault import Sealer, Vault
from shouhao.watch.store import watchlist as store
from shouhao.watch.watchlist import PHOTOS_MOST, Person, name_key, unpacked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shouhao.faces.derivation import Known
    from shouhao.faces.enrolment import Enroller, GallerySetup

PHOTO_MOST_BYTES = 5 * 1024 * 1024
DOCUMENT_MOST_BYTES = 10 * 1024 * 1024

#: What a document may be, and how it begins.
MEDIA: Mapping[str, bytes] = {"application/pdf": b"%PDF-", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What a hospital chooses about its watchlist."""

    term_days: int = 180
    review_days: int = 90
    drift_share: float = 0.2  #: a change of list size or traffic from which on thresholds are derived anew
    passages_a_day: int = 20_000  #: assumed until the capture worker has counted
    lock_required: bool = False  #: templates are only opened in memory that is never written to disk


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAt:
    """A photograph with one fit face."""

    id: str
    photo: bytes
    sha256: str
    report: Mapping[str, Any]
    embedding: "NDArray[np.float32]" = field(repr=False)  #: for holding people against each other; never kept


class WatchDesk:
    """The parts, the heavy ones opened when they are first needed. Safe to share between threads."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        clock: Clock,
        *,
        open_setup: "Callable[[], GallerySetup]",
        choose_pack: Callable[[], str],
        bundles_dir: Path,
        known_of: "Callable[[str], Known | None]",
        settings: WatchSettings,
    ) -> None:
        """Open nothing yet.

        Args:
            open_setup: the watchlist's gallery; needs no model, so that ending an entry never waits for one.
            choose_pack: id of the pack that a gallery begins with.
            bundles_dir: where bundles lie, sealed, until they are decided.
            known_of: what a pack's own manifest says of thresholds, by pack id.
        """
        self.db = db
        self.vault = vault
        self.clock = clock
        self.settings = settings
        self.bundles_dir = bundles_dir
        self._choose_pack = choose_pack
        self.known_of = known_of
        self._open_setup = open_setup
        self._setup: GallerySetup | None = None
        self._opening = threading.Lock()

    @property
    def setup(self) -> "GallerySetup":
        """The gallery's parts."""
        with self._opening:
            if self._setup is None:
                self._setup = self._open_setup()
            return self._setup

    def live_engine(self) -> "Enroller":
        """The engine of the live pack, or of the one that a gallery without any would begin with.

        Raises:
            ModelMissing, PackageMissing: the pack's files are not on this machine.
            PackNotLive: the live pack is not known here.
        """
        from shouhao.faces.enrolment import PackNotLive  # noqa: PLC0415 - only where somebody is looked at

        pack = self.live_pack() or self._choose_pack()
        try:
            return self.setup.engines[pack]
        except KeyError:
            raise PackNotLive(pack=pack) from None

    def begin_gallery(self) -> None:
        """Let a gallery that nobody stands in yet begin with the chosen pack; otherwise do nothing.

        Raises:
            ModelMissing, PackageMissing: the pack's files are not on this machine.
        """
        from shouhao.faces.enrolment import begin  # noqa: PLC0415 - as above

        if self.live_pack() is None:
            with suppress(IntegrityError):  # another worker was first
                begin(self.setup, pack=self._choose_pack(), now_us=self.clock.now_us())

    def live_pack(self) -> str | None:
        """The id of the pack that the gallery works with."""
        with self.db.read() as connection:
            packs = faces.packs_in_use(connection, "watchlist")
        return next((use.pack for use in packs.values() if use.state == "live"), None)

    def sealer(self, entry_id: str) -> Sealer:
        """What seals and opens an entry's data.

        Raises:
            NotFound: the entry has ended and its key is gone.
        """
        found = self.setup.keys.find(entry_id)
        if found is None:
            raise NotFound("watch entry", "entry_id")
        return found

    def name_hash(self, name: str) -> str:
        """By what an equal name is found again."""
        return self.vault.hash(name_key(name), purpose="watch.name")

    def document_hash(self, person: Person) -> str | None:
        """By what an equal document is found again."""
        if person.document_number is None:
            return None
        return self.vault.hash(f"{person.document_kind}:{person.document_number}", purpose="watch.document")

    def person_of(self, connection: Connection, entry_id: str) -> tuple[Person, str]:
        """Who an entry is about, and its ground in words. Who may look is decided before, and written down.

        Raises:
            NotFound: there is no such entry, or it has ended.
        """
        person, ground = store.sealed_person(connection, entry_id)
        if person is None or ground is None:
            raise NotFound("watch entry", "entry_id")
        sealer = self.sealer(entry_id)
        opened = unpacked(sealer.open(person, context=context("person", entry_id)))
        return opened, sealer.open(ground, context=context("ground", entry_id)).decode()

    def photo_of(self, connection: Connection, entry_id: str, photo_id: str) -> bytes:
        """A photograph as it came. Who may look is decided before, and written down.

        Raises:
            NotFound: there is no such photograph of this entry, or it has ended.
        """
        from shouhao.faces.enrolment import photo_of  # noqa: PLC0415 - as above

        for one in store.photos_of(connection, entry_id):
            if one.id != photo_id:
                continue
            if one.sealed is not None:
                return self.sealer(entry_id).open(one.sealed, context=context("photo", photo_id))
            enrolled = faces.find_photo(connection, "watchlist", photo_id)
            if enrolled is not None:
                return photo_of(self.setup, enrolled)
        raise NotFound("photo", "photo_id")

    def document_of(self, connection: Connection, entry_id: str, document_id: str) -> tuple[bytes, str]:
        """A document as it came, and its media type. Who may look is decided before, and written down.

        Raises:
            NotFound: there is no such document of this entry, or it has ended.
        """
        for one in store.documents_of(connection, entry_id):
            if one.id == document_id and one.sealed is not None:
                return self.sealer(entry_id).open(one.sealed, context=context("document", one.id)), one.media_type
        raise NotFound("document", "document_id")

    def look_at(self, photos: Sequence[bytes], *, accepted: frozenset[str] = frozenset()) -> list[LookedAt]:
        """See that each photograph shows one fit face, and report how fit. Takes some 20 ms each.

        Args:
            accepted: codes of quality problems that a person lets pass; it stands in the report.
        Raises:
            InvalidInput: none, too many, or one that is too large or there twice.
            PictureRefused, NoFace, SeveralFaces, PoorFace: with the place of the photograph as the field.
        """
        if not 1 <= len(photos) <= PHOTOS_MOST:
            raise InvalidInput("photos", zh=f"须有 1 至 {PHOTOS_MOST} 张照片", en=f"1 to {PHOTOS_MOST} photographs")
        looked = [self.look_at_one(photo, field=f"photos[{n}]", accepted=accepted) for n, photo in enumerate(photos)]
        if len({one.sha256 for one in looked}) < len(looked):
            raise InvalidInput("photos", zh="有重复的照片", en="holds a photograph twice")
        return looked

    def look_at_one(self, photo: bytes, *, field: str, accepted: frozenset[str] = frozenset()) -> LookedAt:
        """See that a photograph shows one fit face.

        Raises:
            InvalidInput, PictureRefused, NoFace, SeveralFaces, PoorFace: as `look_at`.
        """
        from shouhao.faces.enrolment import poor_face  # noqa: PLC0415 - as above
        from shouhao.faces.images import read_picture  # noqa: PLC0415 - as above

        if len(photo) > PHOTO_MOST_BYTES:
            most = PHOTO_MOST_BYTES // 1024 // 1024
            raise InvalidInput(field, zh=f"照片不得超过 {most} MB", en=f"a photograph has {most} MB at most")
        try:
            engine = self.live_engine()
            face = engine.enrolment_face(read_picture(photo))
            quality = face.quality
            problems = [code for code in quality.problems if code not in accepted]
            if problems:
                raise poor_face(problems)
        except Refused as refusal:
            refusal.field = field
            raise
        return LookedAt(
            id=new_id("fp"),
            photo=photo,
            sha256=hashlib.sha256(photo).hexdigest(),
            report={
                "pack": engine.pack_id,
                "quality": round(quality.score, 4),
                "eye_distance_px": round(quality.eye_distance_px, 1),
                "sharpness": round(quality.sharpness, 1),
                "yaw_deg": round(quality.yaw_deg, 1),
                "pitch_deg": round(quality.pitch_deg, 1),
                "roll_deg": round(quality.roll_deg, 1),
                "problems_accepted": sorted(set(quality.problems) & accepted),
            },
            embedding=face.embedding,
        )


def checked_document(data: bytes, *, field: str) -> str:
    """The media type of a document, by how it begins.

    Raises:
        InvalidInput: too large, or no kind of document that is taken.
    """
    if len(data) > DOCUMENT_MOST_BYTES:
        most = DOCUMENT_MOST_BYTES // 1024 // 1024
        raise InvalidInput(field, zh=f"文件不得超过 {most} MB", en=f"a document has {most} MB at most")
    for media_type, beginning in MEDIA.items():
        if data.startswith(beginning):
            return media_type
    raise InvalidInput(field, zh="只能是 PDF、JPEG 或 PNG 文件", en="must be a PDF, JPEG or PNG file")


def context(what: str, of: str) -> bytes:
    """What sealed bytes of an entry are bound to."""
    return f"watch.{what}\0{of}".encode()
