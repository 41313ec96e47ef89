"""Wiring of the watch: what receives, pulls, compares, searches and alarms, each part opened by its own process.

Models, pictures and video take libraries that the servers would wait for at each start, so they are imported where
they are needed.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from shouhao.flows.camera_health import cameras_due
from shouhao.flows.face_consents import PatientConsents
from shouhao.flows.law import law_due
from shouhao.flows.respond import escalate_late, forget_alarm_feed, forget_wrong_faces
from shouhao.flows.retention import keep_to_retention
from shouhao.flows.search_due import searches_due
from shouhao.flows.watch_desk import WatchDesk
from shouhao.flows.work import Duty
from shouhao.kernel.clock import Clock
from shouhao.kernel.errors import NotFound, Refused
from shouhao.kernel.randomness import SystemRandomness
from shouhao.settings import Settings
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.store.frequent import live_days
from shouhao.wiring.faces import face_engine, face_engines, gallery_setup, lock_required, watchlist_gallery

if TYPE_CHECKING:
    from shouhao.faces.derivation import Known
    from shouhao.faces.enrolment import GallerySetup
    from shouhao.flows.alarm_pictures import Pictures
    from shouhao.flows.capture import CaptureWorker, OpenedList
    from shouhao.flows.frequent import FrequentParts
    from shouhao.flows.pull import Puller
    from shouhao.flows.search_run import SearchDesk
    from shouhao.watch.cameras import Camera
    from shouhao.watch.model import Reader, Source
    from shouhao.watch.passages import Passage
    from shouhao.watch.spool import Spool
    from shouhao.watch.store.frequent import WindowKeys
    from shouhao.watch.store.stills import StillFolder
    from shouhao.wiring import System

_FREQUENT_WAITING = 500  #: passages that matched nobody, with a picture each, until they are counted
_PULL_PROCESS = (sys.executable, "-m", "shouhao.pull_process")


def watch_desk(settings: Settings, db: Database, vault: Vault, clock: Clock) -> WatchDesk:
    """What work on the watchlist needs; models and galleries are opened when somebody is first looked at."""

    def open_setup() -> "GallerySetup":
        from shouhao.faces.enrolment import GallerySetup  # noqa: PLC0415 - as above
        from shouhao.faces.keys import KeyFolder  # noqa: PLC0415 - as above

        keys = KeyFolder(settings.face_keys_path(), vault, "watchlist")
        return GallerySetup(db=db, keys=keys, engines=face_engines(settings))

    def choose() -> str:
        from shouhao.faces.choose import usable_pack  # noqa: PLC0415 - as above

        return usable_pack(settings.face_pack, models_dir=settings.models_dir).id

    def known_of(pack_id: str) -> "Known | None":
        from shouhao.faces.derivation import known_from_manifest  # noqa: PLC0415 - as above
        from shouhao.faces.packs import load_pack  # noqa: PLC0415 - as above

        name = pack_id.partition("@")[0]
        try:
            pack = load_pack(name, models_dir=settings.models_dir)
        except Refused:
            return None
        return known_from_manifest(pack) if pack.id == pack_id else None

    return WatchDesk(
        db,
        vault,
        clock,
        open_setup=open_setup,
        choose_pack=choose,
        bundles_dir=settings.data_dir / "watch-bundles",
        known_of=known_of,
        settings=settings.watch(),
    )


def camera_readers() -> "Mapping[Source, Reader]":
    """Who reads what came from cameras, by how it came."""
    from shouhao.protocols.gat1400 import read_gat1400  # noqa: PLC0415 - only who works the spool off reads
    from shouhao.protocols.isapi import read_isapi  # noqa: PLC0415 - as above
    from shouhao.protocols.onvif import read_onvif  # noqa: PLC0415 - as above
    from shouhao.watch.shots import read_shots  # noqa: PLC0415 - as above

    return {"gat1400": read_gat1400, "isapi": read_isapi, "onvif": read_onvif, "shots": read_shots}


def open_spool(system: "System", writer: str) -> "Spool":
    """The spool of one writer, such as the receiver; whoever opened it closes it.

    Raises:
        Unavailable: another process writes under this name, or the disk is full.
    """
    from shouhao.watch.spool import Spool, SpoolLimits  # noqa: PLC0415 - only who takes captures in writes one

    sealer = system.vault.sealer("spool")
    limits = SpoolLimits(bytes_max=system.settings.spool_bytes, free_bytes_min=system.settings.spool_free_bytes)
    return Spool(system.settings.spool_dir, writer, sealer=sealer, now_us=system.clock.now_us, limits=limits)


def open_puller(system: "System", spool: "Spool", *, group: str | None = None) -> "Puller":
    """What pulls the streams of cameras into a spool.

    Args:
        group: the cameras of this group alone.
    """
    from shouhao.flows.clips import ClipKeeper  # noqa: PLC0415 - no other process pulls
    from shouhao.flows.pull import Puller, PullSettings  # noqa: PLC0415 - as above

    settings = system.settings
    return Puller(
        db=system.db,
        clock=system.clock,
        vault=system.vault,
        spool=spool,
        clips=ClipKeeper(db=system.db, stills=still_folder(settings, system.vault)),
        command=_PULL_PROCESS,
        only_group=group,
        settings=PullSettings(
            models_dir=str(settings.models_dir.resolve()),
            pack=settings.face_pack,
            folder=str(settings.pull_folder.resolve()),
            frames_a_s=settings.pull_frames_a_s,
            detect_px=settings.pull_detect_px,
            silent_s=settings.pull_silent_s,
            stall_s=settings.pull_stall_s,
            memory_a_camera_bytes=settings.pull_memory_mib << 20,
            log_level=settings.log_level,
            log_format=settings.log_format,
        ),
    )


def capture_worker(
    system: "System", *, unmatched: "Callable[[Camera, Passage], None] | None" = None
) -> "CaptureWorker":
    """What works the spool off; it opens models and list by itself, once the switch is on.

    Args:
        unmatched: told of each passage that matched nobody, when it has closed; without it, what counts who comes too
            often, once that is switched on.
    """
    # Reading pictures takes a library that the servers would wait for at each start.
    from shouhao.flows.capture import CaptureParts, CaptureSettings, CaptureWorker  # noqa: PLC0415
    from shouhao.flows.frequent import FrequentCounter  # noqa: PLC0415 - as above
    from shouhao.watch.passages import PassageRules  # noqa: PLC0415 - as above
    from shouhao.watch.shot_times import TimeRules  # noqa: PLC0415 - as above

    settings = system.settings
    counting = frequent_parts(settings, system.db, system.vault, system.clock)
    parts = CaptureParts(
        db=system.db,
        clock=system.clock,
        spool_folder=settings.spool_dir,
        spool_sealer=system.vault.sealer("spool"),
        readers=camera_readers(),
        stills=still_folder(settings, system.vault),
        open_list=lambda: _opened_list(system),
        unmatched=unmatched or FrequentCounter(counting, waiting_most=_FREQUENT_WAITING).unmatched,
    )
    rules = PassageRules(same_cos=1.0, gap_s=settings.passage_gap_s, closes_after_s=settings.passage_gap_s)
    return CaptureWorker(parts, CaptureSettings(times=TimeRules(late_after_s=settings.capture_late_s), passages=rules))


def _opened_list(system: "System") -> "OpenedList":
    """The watchlist and the models, for one process.

    Raises:
        ModelMissing, ModelRefused: a file of the pack is not there, or not what the pack names.
    """
    import numpy as np  # noqa: PLC0415 - only who looks for faces needs it

    from shouhao.faces.packs import load_pack  # noqa: PLC0415 - as above
    from shouhao.flows.capture import OpenedList  # noqa: PLC0415 - as above

    engines = face_engines(system.settings)
    pack = load_pack(system.settings.face_pack, models_dir=system.settings.models_dir).id
    # Its files are opened now or refused now, and the nets made ready for a size that the first person would wait for.
    engines[pack].faces([np.zeros((250, 250, 3), np.uint8)])
    gallery = watchlist_gallery(system, engines)
    return OpenedList(gallery=gallery, engines=engines, pack=pack, close=gallery.close)


def search_desk(system: "System") -> "SearchDesk":
    """What searches of recordings work with: the models, opened now, and the watchlist's gallery.

    Raises:
        ModelMissing, ModelRefused: a file of the pack is not there, or not what the pack names.
    """
    from shouhao.faces.choose import usable_pack  # noqa: PLC0415 - no other process searches recordings
    from shouhao.faces.frames import open_frame_faces  # noqa: PLC0415 - as above
    from shouhao.flows.search_run import SearchDesk  # noqa: PLC0415 - as above
    from shouhao.protocols.video import StreamSettings  # noqa: PLC0415 - as above
    from shouhao.protocols.video_files import FileSource  # noqa: PLC0415 - as above

    settings = system.settings
    pack = usable_pack(settings.face_pack, models_dir=settings.models_dir)
    engine = face_engine(settings, pack)
    reading = StreamSettings(frames_a_s=settings.search_frames_a_s)
    return SearchDesk(
        db=system.db,
        clock=system.clock,
        stills=still_folder(settings, system.vault),
        gallery=gallery_setup(system, "watchlist", {pack.id: engine}),
        engine=engine,
        frames=open_frame_faces(pack, models_dir=settings.models_dir, longest_px=settings.pull_detect_px),
        open_recording=lambda path, began_us, span: FileSource(path, settings=reading, began_us=began_us, span=span),
    )


def recording_files(given: Path) -> list[Path]:
    """A recording, or those of a folder.

    Raises:
        InvalidInput: it is no plain file or folder.
    """
    from shouhao.protocols.video_files import files_in  # noqa: PLC0415 - as above

    return files_in(given)


def still_folder(settings: Settings, vault: Vault) -> "StillFolder":
    """Where frozen pictures lie, and apart from them their keys."""
    from shouhao.watch.store.stills import StillFolder  # noqa: PLC0415 - only who freezes or looks needs it

    return StillFolder(
        folder=settings.data_dir / "stills", keys_folder=settings.data_dir / "still-keys", sealer=vault.sealer("stills")
    )


def window_keys(settings: Settings, vault: Vault) -> "WindowKeys":
    """The keys of counted visits, one a day; copied by overwriting the last copy, never kept in generations."""
    from shouhao.watch.store.frequent import WindowKeys  # noqa: PLC0415 - only who counts needs it

    return WindowKeys(folder=settings.data_dir / "frequent-keys", sealer=vault.sealer("frequent"))


def frequent_parts(settings: Settings, db: Database, vault: Vault, clock: Clock) -> "FrequentParts":
    """What counting visits without identity works with."""
    # Counting takes the libraries of faces, which the servers would wait for at each start.
    from shouhao.faces.consented_gallery import ConsentedGallery  # noqa: PLC0415
    from shouhao.faces.enrolment import GallerySetup  # noqa: PLC0415 - as above
    from shouhao.faces.keys import KeyFolder  # noqa: PLC0415 - as above
    from shouhao.flows.frequent import FrequentParts  # noqa: PLC0415 - as above
    from shouhao.flows.frequent_excludes import HospitalExcludes  # noqa: PLC0415 - as above
    from shouhao.watch.frequent import FrequentRules  # noqa: PLC0415 - as above

    def gallery() -> ConsentedGallery:
        keys = KeyFolder(settings.face_keys_path(), vault, "consented")
        setup = GallerySetup(db=db, keys=keys, engines={})
        return ConsentedGallery(setup, consents=PatientConsents(db, clock), lock_required=lock_required(settings))

    return FrequentParts(
        db=db,
        clock=clock,
        randomness=SystemRandomness(),
        keys=window_keys(settings, vault),
        rules=FrequentRules(same_cos=settings.frequent_same_cos, days_more_than=settings.frequent_days),
        excludes=HospitalExcludes(
            db,
            vault,
            engines=lambda: face_engines(settings),
            gallery=gallery if settings.frequent_exclude_patients else None,
        ),
    )


def _frequent_duty(settings: Settings, db: Database, vault: Vault, clock: Clock) -> Callable[[int], int]:
    """Forget what left the window and check leads; nothing is loaded while there is nothing to do."""
    duty: list[Callable[[int], int]] = []

    def do(now_us: int) -> int:
        with db.read() as connection:
            nothing = not live_days(connection)
        if nothing and not window_keys(settings, vault).names():
            return 0
        if not duty:
            from shouhao.flows.frequent_duty import FrequentDuty  # noqa: PLC0415 - as above

            duty.append(FrequentDuty(frequent_parts(settings, db, vault, clock)))
        return duty[0](now_us)

    return do


def alarm_pictures(system: "System") -> "Pictures":
    """Where the pictures of an alarm lie: stills, and the list's photographs as the gallery keeps them."""
    from shouhao.faces.enrolment import photo_of  # noqa: PLC0415 - only who looks needs the library of pictures
    from shouhao.faces.store import find_photo  # noqa: PLC0415 - as above
    from shouhao.flows.alarm_pictures import Pictures  # noqa: PLC0415 - as above

    setup = gallery_setup(system, "watchlist", {})

    def listed(connection: Connection, entry_id: str, photo_id: str) -> bytes:
        photo = find_photo(connection, "watchlist", photo_id)
        if photo is None or photo.subject_id != entry_id:
            raise NotFound("photo", "photo_id")
        return photo_of(setup, photo)

    return Pictures(stills=still_folder(system.settings, system.vault), listed=listed)


def alarm_duties(settings: Settings, db: Database, vault: Vault) -> list[Duty]:
    """All that the machine does about alarms by itself: tell who is late, and forget."""
    stills = still_folder(settings, vault)
    return [
        Duty(name="escalate_alarms", do=lambda now_us: escalate_late(db, now_us=now_us), every_s=1.0),
        Duty(name="wrong_faces", do=lambda now_us: forget_wrong_faces(db, stills, now_us=now_us), every_s=60.0),
        Duty(name="forget_alarm_feed", do=lambda now_us: forget_alarm_feed(db, now_us=now_us), every_s=3600.0),
    ]


def watch_duties(settings: Settings, db: Database, vault: Vault, clock: Clock) -> list[Duty]:
    """What keeps cameras, the law's switches, the time of retention and the window of visits true."""
    stills = still_folder(settings, vault)
    return [
        Duty(name="law", do=lambda now_us: law_due(db, now_us=now_us), every_s=60.0),
        Duty(name="cameras", do=lambda now_us: cameras_due(db, now_us=now_us), every_s=15.0),
        Duty(name="retention", do=lambda now_us: keep_to_retention(db, stills, now_us=now_us), every_s=600.0),
        Duty(name="searches", do=lambda now_us: searches_due(db, now_us=now_us), every_s=600.0),
        Duty(name="frequent", do=_frequent_duty(settings, db, vault, clock), every_s=2.0),
    ]
