"""Wiring: the one place that knows every part and puts them together, from settings.

Nothing happens at import; `assemble` opens the database and reads the keys, and whoever assembled closes. Here is what
every process has; engines and galleries of faces are in faces.py, what only processes of the watch open in watch.py.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from shouhao.booking.beacon import RandomnessBeacon
from shouhao.booking.desk import Desk
from shouhao.booking.desk_apart import DeskApart, Order
from shouhao.booking.draw_keys import DrawKeys
from shouhao.booking.model import DeskRequest
from shouhao.booking.payment import PaymentGateway
from shouhao.booking.store.antenatal import INVARIANTS as ANTENATAL_INVARIANTS
from shouhao.booking.store.invariants import INVARIANTS as BOOKING_INVARIANTS
from shouhao.booking.store.inventory import INVARIANTS as INVENTORY_INVARIANTS
from shouhao.cases.tips_store import INVARIANTS as TIP_INVARIANTS
from shouhao.compliance.store import INVARIANTS as LAW_INVARIANTS
from shouhao.detect.store.findings import INVARIANTS as FINDING_INVARIANTS
from shouhao.faces.store import INVARIANTS as FACE_INVARIANTS
from shouhao.flows.antenatal_months import antenatal_due
from shouhao.flows.contribute import fetch_beacons
from shouhao.flows.desk import BookingDesk
from shouhao.flows.face_consents import INVARIANTS as FACE_CONSENT_INVARIANTS
from shouhao.flows.forget import forget_gate
from shouhao.flows.same_person import hash_known_people
from shouhao.flows.staff_due import staff_due
from shouhao.flows.tips import tips_due
from shouhao.flows.verify import verify_patient
from shouhao.flows.watch_desk import WatchDesk
from shouhao.flows.watchlist_due import watchlist_duties
from shouhao.flows.work import Duty, Worker, duties, release_duties
from shouhao.gate.channels import ChannelKeys
from shouhao.gate.phone_codes import CodeSender, ConsoleCodeSender, PhoneCodes
from shouhao.gate.sign_ins import SignInKey
from shouhao.kernel.clock import DAY_US, Clock, SystemClock
from shouhao.kernel.errors import Refused, Tampered
from shouhao.kernel.randomness import Randomness, SystemRandomness
from shouhao.patients.authority import FormatOnlyAuthority, IdentityAuthority
from shouhao.patients.consents_store import INVARIANTS as CONSENT_INVARIANTS
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
from shouhao.watch.store.watchlist import INVARIANTS as WATCHLIST_INVARIANTS
from shouhao.wiring.faces import consent_duties
from shouhao.wiring.findings import finding_duties
from shouhao.wiring.watch import alarm_duties, watch_desk, watch_duties

INVARIANTS: tuple[Invariant, ...] = (
    *BOOKING_INVARIANTS,
    *INVENTORY_INVARIANTS,
    *PATIENT_INVARIANTS,
    *CONSENT_INVARIANTS,
    *FACE_CONSENT_INVARIANTS,
    *ANTENATAL_INVARIANTS,
    *FACE_INVARIANTS,
    *STAFF_INVARIANTS,
    *LAW_INVARIANTS,
    *CAMERA_INVARIANTS,
    *FREQUENT_INVARIANTS,
    *ALARM_INVARIANTS,
    *WATCHLIST_INVARIANTS,
    *TIP_INVARIANTS,
    *FINDING_INVARIANTS,
)

_VERIFY_AT_ONCE = 20

_log = structlog.get_logger()

BookDesk = Desk[DeskRequest, Answer | Refused] | DeskApart

_DESK_PROCESS = (sys.executable, "-m", "shouhao.desk_process")


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
    list_worker: Worker  #: works on the watchlist and on findings, which take their time: no release waits for it

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
    watching = [*alarm_duties(settings, db, vault), *watch_duties(settings, db, vault, clock)]
    keep_us = settings.tip_keep_days * DAY_US
    tips = Duty(name="tips", do=lambda now_us: tips_due(db, keep_us=keep_us, now_us=now_us), every_s=600.0)
    more = [verify, antenatal, forget, known, staff, tips, *consent_duties(settings, db, vault), *watching]
    watchlist = watch_desk(settings, db, vault, clock)
    slow = [*watchlist_duties(watchlist), *finding_duties(settings, db, vault)]
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
        list_worker=Worker(db, clock, settings.work(), slow),
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


def staff_sign_ins(
    settings: Settings, db: Database, vault: Vault, *, passwords: Passwords | None = None
) -> StaffSignIns:
    """What staff sign in with.

    Args:
        passwords: how passwords are hashed; None as the hospital runs.
    """
    return StaffSignIns(
        db,
        vault,
        randomness=SystemRandomness(),
        settings=settings.staff_sessions(),
        passwords=passwords or Passwords(),
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
