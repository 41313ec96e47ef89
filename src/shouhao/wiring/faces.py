"""Wiring of faces: engines and galleries, opened by the processes that look at faces and by no others."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shouhao.faces.model import Purpose
from shouhao.flows.face_consents import PatientConsents, erase_withdrawn, mark_groundless
from shouhao.flows.work import Duty
from shouhao.settings import Settings
from shouhao.store.engine import Database
from shouhao.store.vault import Vault

if TYPE_CHECKING:
    from shouhao.faces.consented_gallery import ConsentedGallery
    from shouhao.faces.engines import Engines
    from shouhao.faces.enrolment import Enroller, GallerySetup
    from shouhao.faces.packs import Pack
    from shouhao.faces.pipeline import FaceEngine
    from shouhao.faces.watchlist_gallery import WatchlistGallery
    from shouhao.wiring import System


def face_engine(settings: Settings, pack: "Pack") -> "FaceEngine":
    """The engine of a pack.

    Raises:
        ModelMissing, ModelRefused: one of its files is not there, or not what the pack names.
    """
    from shouhao.faces.pipeline import open_engine  # noqa: PLC0415 - the runtimes take a second to import

    return open_engine(pack, models_dir=settings.models_dir, device=settings.face_device, threads=settings.face_threads)


def face_engines(settings: Settings) -> "Engines":
    """The engines of all packs on this machine, each opened when a gallery first works with it."""
    from shouhao.faces.engines import Engines  # noqa: PLC0415 - as above

    return Engines(settings.models_dir, lambda pack: face_engine(settings, pack))


def gallery_setup(system: "System", purpose: Purpose, engines: Mapping[str, "Enroller"]) -> "GallerySetup":
    """What a gallery works with.

    Args:
        engines: by pack id, for a process that goes on running those of `face_engines`; reading needs none.
    """
    # Reading pictures takes a library that the servers and the desk would wait for at each start.
    from shouhao.faces.enrolment import GallerySetup  # noqa: PLC0415
    from shouhao.faces.keys import KeyFolder  # noqa: PLC0415

    keys = KeyFolder(system.settings.face_keys_path(), system.vault, purpose)
    return GallerySetup(db=system.db, keys=keys, engines=engines)


def watchlist_gallery(system: "System", engines: Mapping[str, "Enroller"]) -> "WatchlistGallery":
    """Everybody on the watchlist, opened into memory as the settings ask; whoever opened it closes it."""
    from shouhao.faces.watchlist_gallery import WatchlistGallery  # noqa: PLC0415 - no other process searches faces

    return WatchlistGallery(
        gallery_setup(system, "watchlist", engines),
        lock_required=lock_required(system.settings),
        now_us=system.clock.now_us(),
    )


def consented_gallery(system: "System", engines: Mapping[str, "Enroller"]) -> "ConsentedGallery":
    """The gallery of consenting patients."""
    from shouhao.faces.consented_gallery import ConsentedGallery  # noqa: PLC0415 - as above

    return ConsentedGallery(
        gallery_setup(system, "consented", engines),
        consents=PatientConsents(system.db, system.clock),
        lock_required=lock_required(system.settings),
    )


def consent_duties(settings: Settings, db: Database, vault: Vault) -> list[Duty]:
    """What the worker does so that no face outlives its consent."""

    def setup() -> "GallerySetup":
        from shouhao.faces.enrolment import GallerySetup  # noqa: PLC0415 - as above
        from shouhao.faces.keys import KeyFolder  # noqa: PLC0415 - as above

        return GallerySetup(db=db, keys=KeyFolder(settings.face_keys_path(), vault, "consented"), engines={})

    return [
        Duty(name="face_consents", do=lambda now_us: erase_withdrawn(db, setup, now_us=now_us), every_s=2.0),
        Duty(name="face_grounds", do=lambda now_us: mark_groundless(db, now_us=now_us), every_s=300.0),
    ]


def lock_required(settings: Settings) -> bool:
    """Whether templates may only be opened in memory that is never written to disk."""
    return settings.face_memory_lock == "required"
