"""Wiring: the one place that knows every part and puts them together, from settings.

Nothing happens at import; `assemble` opens the database and reads the keys, and whoever assembled closes.
"""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection

from shouhao.booking.beacon import RandomnessBeacon
from shouhao.booking.desk import Desk
from shouhao.booking.desk_apart import DeskApart, Order
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import DeskRequest
from shouhao.booking.payment import PaymentGateway
from shouhao.booking.store.antenatal import INVARIANTS as ANTENATAL_INVARIANTS
from shouhao.booking.store.invariants import INVARIANTS as BOOKING_INVARIANTS
from shouhao.booking.store.inventory import INVARIANTS as INVENTORY_INVARIANTS
from shouhao.compliance.store import INVARIANTS as LAW_INVARIANTS
from shouhao.faces.model import Purpose
from shouhao.faces.store import INVARIANTS as FACE_INVARIANTS
from shouhao.flows.antenatal_months import antenatal_due
from shouhao.flows.camera_health import cameras_due
from shouhao.flows.contribute import fetch_beacons
from shouhao.flows.desk import BookingDesk
from shouhao.flows.forget import forget_gate
from shouhao.flows.law import law_due
from shouhao.flows.respond import escalate_late, forget_alarm_feed, forget_wrong_faces
from shouhao.flows.retention import keep_to_retention
from shouhao.flows.same_person import hash_known_people
from shouhao.flows.search_due import searches_due
from shouhao.flows.staff_due import staff_due
from shouhao.flows.verify import verify_patient
from shouhao.flows.watch_desk import WatchDesk
from shouhao.flows.watchlist_due import watchlist_duties
from shouhao.flows.work import Duty, Worker, duties, release_duties
from shouhao.gate.channels import ChannelKeys
from shouhao.gate.phone_codes import CodeSender, ConsoleCodeSender, PhoneCodes
from shouhao.gate.sign_ins import SignInKey
from shouhao.kernel.clock import Clock, SystemClock
from shouhao.kernel.errors import NotFound, Refused, Tampered
from shouhao.kernel.randomness import Randomness, SystemRandomness
from shouhao.patients.authority import FormatOnlyAuthority, IdentityAuthority
from shouhao.patients.records import pending_verifications
from shouhao.patients.store import INVARIANTS as PATIENT_INVARIANTS
from shouhao.protocols.reference_payment import ReferenceGateway
from shouhao.settings import Settings
from shouhao.staff.invariants import INVARIANTS as STAFF_INVARIANTS
from shouhao.staff.passwords import Passwords
from shouhao.staff.sign_in import StaffSignIns
from shouhao.store.answers import Answer
from shouhao.store.engine import Database, open_database
from shouhao.store.invariants import Invariant
from shouhao.store.vault import Vault
from shouhao.watch.store.alarm_feed import INVARIANTS as ALARM_INVARIANTS
from shouhao.watch.store.cameras import INVARIANTS as CAMERA_INVARIANTS
from shouhao.watch.store.frequent import INVARIANTS as FREQUENT_INVARIANTS
from shouhao.watch.store.frequent import live_days
from shouhao.watch.store.watchlist import INVARIANTS as WATCHLIST_INVARIANTS

if TYPE_CHECKING:
    from shouhao.faces.consented_gallery import ConsentedGallery
    from shouhao.faces.derivation import Known
    from shouhao.faces.engines import Engines
    from shouhao.faces.enrolment import Enroller, GallerySetup
    from shouhao.faces.packs import Pack
    from shouhao.faces.pipeline import FaceEngine
    from shouhao.faces.watchlist_gallery import WatchlistGallery
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

INVARIANTS: tuple[Invariant, ...] = (
    *BOOKING_INVARIANTS,
    *INVENTORY_INVARIANTS,
    *PATIENT_INVARIANTS,
    *ANTENATAL_INVARIANTS,
    *FACE_INVARIANTS,
    *STAFF_INVARIANTS,
    *LAW_INVARIANTS,
    *CAMERA_INVARIANTS,
    *FREQUENT_INVARIANTS,
    *ALARM_INVARIANTS,
    *WATCHLIST_INVARIANTS,
)

_VERIFY_AT_ONCE = 20
_FREQUENT_WAITING = 500  #: passages that matched nobody, with a picture each, until they are counted

_log = structlog.get_logger()

BookDesk = Desk[DeskRequest, Answer | Refused] | DeskApart

_DESK_PROCESS = (sys.executable, "-m", "shouhao.desk_process")
_PULL_PROCESS = (sys.executable, "-m", "shouhao.pull_process")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Every part, ready to be used."""

    settings: Settings
    db: Database
    clock: Clock
    randomness: Randomness
    vault: Vault
    sign_in_key: SignInKey
    staff: StaffSignIns
    channel_keys: ChannelKeys
    draw_keys: DrawKeys
    phone_codes: PhoneCodes
    authority: IdentityAuthority
    gateway: PaymentGateway
    watchlist: WatchDesk
    desk: BookDesk
    worker: Worker
    list_worker: Worker  #: works on the watchlist, which takes its time, and never keeps a release waiting

    def close(self) -> None:
        """Give everything back."""
        self.db.close()


def assemble(settings: Settings, *, clock: Clock | None = None) -> System:
    """Put the parts together.

    Raises:
        Unavailable: the database does not answer.
        FileNotFoundError: a key is missing in production.
    """
    clock = clock or SystemClock()
    db = open_database(settings.open_url())
    vault = Vault(settings.master_key(), settings.crypto_profile)
    gateway = payment_gateway(settings, vault)
    authority = identity_authority(settings, clock)
    verify = Duty(name="verify", do=lambda now_us: _verify(db, vault, authority, now_us), every_s=10.0)
    forget = Duty(name="forget_gate", do=lambda now_us: forget_gate(db, now_us=now_us), every_s=600.0)
    antenatal = Duty(name="antenatal", do=lambda now_us: antenatal_due(db, vault, now_us=now_us), every_s=1.0)
    known = Duty(name="same_person", do=lambda _: hash_known_people(db, vault=vault), every_s=60.0)
    staff = Duty(name="staff", do=lambda now_us: staff_due(db, now_us=now_us), every_s=60.0)
    watching = [*_alarm_duties(settings, db, vault), *_watch_duties(settings, db, vault, clock)]
    more = [verify, antenatal, forget, known, staff, *watching]
    watchlist = watch_desk(settings, db, vault, clock)
    keys = DrawKeys(vault.derive("draw-seeds", 32), vault.derive("draw-receipts", 32))
    todo = [
        *release_duties(db, keys, SystemRandomness()),
        *_beacon_duties(db, randomness_beacon(settings, clock)),
        *duties(db, gateway=gateway, invariants=INVARIANTS, settings=settings.work(), more=more),
    ]
    return System(
        settings=settings,
        db=db,
        clock=clock,
        randomness=SystemRandomness(),
        vault=vault,
        sign_in_key=SignInKey(vault.derive("sign-in", 32)),
        staff=staff_sign_ins(settings, db, vault),
        channel_keys=ChannelKeys(db, clock),
        draw_keys=keys,
        phone_codes=PhoneCodes(
            db, vault, code_sender(settings), settings=settings.phone_codes(), randomness=SystemRandomness()
        ),
        authority=authority,
        gateway=gateway,
        watchlist=watchlist,
        desk=book_desk(settings, db, clock),
        worker=Worker(db, clock, settings.work(), todo),
        list_worker=Worker(db, clock, settings.work(), watchlist_duties(watchlist)),
    )


def book_desk(settings: Settings, db: Database, clock: Clock) -> BookDesk:
    """The desk: in a process of its own where the settings say so, otherwise on threads of this one.

    Another process lives by the machine's clock; one that is moved by hand cannot be shared with it.
    """
    if not settings.desk_is_apart() or not isinstance(clock, SystemClock):
        return Desk(BookingDesk(db, clock, settings.holds()).decide, settings.desk())
    order = Order(
        database_url=settings.open_url(),
        hold_s=settings.hold_s,
        hold_cap_s=settings.hold_cap_s,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )
    return DeskApart(_DESK_PROCESS, order, settings.desk())


def staff_sign_ins(settings: Settings, db: Database, vault: Vault) -> StaffSignIns:
    """What staff sign in with."""
    return StaffSignIns(
        db,
        vault,
        randomness=SystemRandomness(),
        settings=settings.staff_sessions(),
        passwords=Passwords(),
        hospital=settings.hospital_name_en,
    )


def payment_gateway(settings: Settings, vault: Vault) -> PaymentGateway:
    """The gateway that the settings name; a hospital's own is made with its key file's bytes."""
    if settings.payment_gateway == "reference":
        page = f"http://{settings.public_host}:{settings.public_port}/reference-gateway/pay"
        return ReferenceGateway(vault.derive("reference-payment", 32), pay_page=page)
    key = settings.payment_key_file.read_bytes() if settings.payment_key_file is not None else b""
    made: PaymentGateway = _named(settings.payment_gateway)(key)
    return made


def identity_authority(settings: Settings, clock: Clock) -> IdentityAuthority:
    """Who confirms that people are real.

    Raises:
        SettingsRefused: the files of an authority's line are missing or not what they should be.
    """
    if settings.identity_authority == "format_only":
        return FormatOnlyAuthority()
    # Costs a second to import, and most installations for trying out never ask.
    from shouhao.protocols.circuit_breaker import BreakerSettings  # noqa: PLC0415
    from shouhao.protocols.identity_authority import (  # noqa: PLC0415
        HTTPIdentityAuthority,
        HTTPIdentityAuthoritySettings,
        read_verdict_key,
    )

    line = settings.identity_line()
    return HTTPIdentityAuthority(
        HTTPIdentityAuthoritySettings(
            name=settings.identity_name,
            url=line.url,
            ca_file=line.ca_file,
            client_cert_file=line.client_cert_file,
            client_key_file=line.client_key_file,
            verdict_key=read_verdict_key(line.public_key_file),
            read_timeout_s=settings.identity_timeout_s,
            attempt_timeout_s=settings.identity_timeout_s,
            attempts=settings.identity_retries + 1,
            breaker=BreakerSettings(
                failures=settings.identity_breaker_failures, open_s=settings.identity_breaker_open_s
            ),
        ),
        clock=clock,
        randomness=SystemRandomness(),
    )


def randomness_beacon(settings: Settings, clock: Clock) -> RandomnessBeacon | None:
    """The public beacon that the worker asks, if it may ask any.

    Raises:
        OSError: the file of its certificate authority cannot be read.
    """
    if settings.beacon_url is None:
        return None
    from shouhao.protocols.beacon import DrandBeacon, DrandBeaconSettings  # noqa: PLC0415 - as above

    return DrandBeacon(
        DrandBeaconSettings(
            name=settings.beacon_name,
            url=settings.beacon_url,
            ca_file=settings.beacon_ca_file,
            timeout_s=settings.beacon_timeout_s,
        ),
        clock=clock,
    )


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


def gallery_setup(system: System, purpose: Purpose, engines: Mapping[str, "Enroller"]) -> "GallerySetup":
    """What a gallery works with.

    Args:
        engines: by pack id, for a process that goes on running those of `face_engines`; reading needs none.
    """
    # Reading pictures takes a library that the servers and the desk would wait for at each start.
    from shouhao.faces.enrolment import GallerySetup  # noqa: PLC0415
    from shouhao.faces.keys import KeyFolder  # noqa: PLC0415

    keys = KeyFolder(system.settings.face_keys_path(), system.vault, purpose)
    return GallerySetup(db=system.db, keys=keys, engines=engines)


def watchlist_gallery(system: System, engines: Mapping[str, "Enroller"]) -> "WatchlistGallery":
    """Everybody on the watchlist, opened into memory as the settings ask; whoever opened it closes it."""
    from shouhao.faces.watchlist_gallery import WatchlistGallery  # noqa: PLC0415 - no other process searches faces

    return WatchlistGallery(
        gallery_setup(system, "watchlist", engines),
        lock_required=_lock_required(system.settings),
        now_us=system.clock.now_us(),
    )


def consented_gallery(system: System, engines: Mapping[str, "Enroller"]) -> "ConsentedGallery":
    """The gallery of consenting patients."""
    from shouhao.faces.consented_gallery import ConsentedGallery  # noqa: PLC0415 - as above

    return ConsentedGallery(gallery_setup(system, "consented", engines), lock_required=_lock_required(system.settings))


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


def open_spool(system: System, writer: str) -> "Spool":
    """The spool of one writer, such as the receiver; whoever opened it closes it.

    Raises:
        Unavailable: another process writes under this name, or the disk is full.
    """
    from shouhao.watch.spool import Spool, SpoolLimits  # noqa: PLC0415 - only who takes captures in writes one

    sealer = system.vault.sealer("spool")
    limits = SpoolLimits(bytes_max=system.settings.spool_bytes, free_bytes_min=system.settings.spool_free_bytes)
    return Spool(system.settings.spool_dir, writer, sealer=sealer, now_us=system.clock.now_us, limits=limits)


def open_puller(system: System, spool: "Spool", *, group: str | None = None) -> "Puller":
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


def capture_worker(system: System, *, unmatched: "Callable[[Camera, Passage], None] | None" = None) -> "CaptureWorker":
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


def _opened_list(system: System) -> "OpenedList":
    """The watchlist and the models, for one process.

    Raises:
        ModelMissing, ModelRefused: a file of the pack is not there, or not what the pack names.
    """
    import numpy as np  # noqa: PLC0415 - as above

    from shouhao.faces.packs import load_pack  # noqa: PLC0415 - as above
    from shouhao.flows.capture import OpenedList  # noqa: PLC0415 - as above

    engines = face_engines(system.settings)
    pack = load_pack(system.settings.face_pack, models_dir=system.settings.models_dir).id
    # Its files are opened now or refused now, and the nets made ready for a size that the first person would wait for.
    engines[pack].faces([np.zeros((250, 250, 3), np.uint8)])
    gallery = watchlist_gallery(system, engines)
    return OpenedList(gallery=gallery, engines=engines, pack=pack, close=gallery.close)


def search_desk(system: System) -> "SearchDesk":
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
        return ConsentedGallery(GallerySetup(db=db, keys=keys, engines={}), lock_required=_lock_required(settings))

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


def _lock_required(settings: Settings) -> bool:
    return settings.face_memory_lock == "required"


def code_sender(settings: Settings) -> CodeSender:
    """Who carries codes to phones."""
    if settings.phone_code_sender == "console":
        return ConsoleCodeSender(sys.stdout)
    made: CodeSender = _named(settings.phone_code_sender)()
    return made


def _named(spec: str) -> Any:
    module, _, name = spec.partition(":")
    return getattr(importlib.import_module(module), name)


def _beacon_duties(db: Database, beacon: RandomnessBeacon | None) -> list[Duty]:
    if beacon is None:
        return []
    return [Duty(name="beacon", do=lambda now_us: fetch_beacons(db, beacon, now_us=now_us), every_s=1.0)]


def alarm_pictures(system: System) -> "Pictures":
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


def _alarm_duties(settings: Settings, db: Database, vault: Vault) -> list[Duty]:
    """All that the machine does about alarms by itself: tell who is late, and forget."""
    stills = still_folder(settings, vault)
    return [
        Duty(name="escalate_alarms", do=lambda now_us: escalate_late(db, now_us=now_us), every_s=1.0),
        Duty(name="wrong_faces", do=lambda now_us: forget_wrong_faces(db, stills, now_us=now_us), every_s=60.0),
        Duty(name="forget_alarm_feed", do=lambda now_us: forget_alarm_feed(db, now_us=now_us), every_s=3600.0),
    ]


def _watch_duties(settings: Settings, db: Database, vault: Vault, clock: Clock) -> list[Duty]:
    """What keeps cameras, the law's switches, the time of retention and the window of visits true."""
    stills = still_folder(settings, vault)
    return [
        Duty(name="law", do=lambda now_us: law_due(db, now_us=now_us), every_s=60.0),
        Duty(name="cameras", do=lambda now_us: cameras_due(db, now_us=now_us), every_s=15.0),
        Duty(name="retention", do=lambda now_us: keep_to_retention(db, stills, now_us=now_us), every_s=600.0),
        Duty(name="searches", do=lambda now_us: searches_due(db, now_us=now_us), every_s=600.0),
        Duty(name="frequent", do=_frequent_duty(settings, db, vault, clock), every_s=2.0),
    ]


def _verify(db: Database, vault: Vault, authority: IdentityAuthority, now_us: int) -> int:
    """Ask again about people whom nobody has confirmed yet; how many that settled."""
    with db.read() as connection:
        pending: Sequence[str] = pending_verifications(connection, limit=_VERIFY_AT_ONCE)
    settled = 0
    for patient_id in pending:
        try:
            after = verify_patient(db, vault=vault, authority=authority, patient_id=patient_id, now_us=now_us)
        except Tampered:
            _log.error("identity_answer_tampered", patient_id=patient_id)
            continue
        settled += after != "pending"
    return settled
