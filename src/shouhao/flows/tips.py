"""Tell (举报): somebody tells of a scalper without saying who they are, looks later what came of it, and adds to it.

Of whoever tells nothing is kept with the tip: no account, no address, no browser. What holds floods back are counters
under keyed hashes that forget within the hour and name no tip. Asking whether tips are taken at all comes first and
writes nothing, so that ten thousand refused ones leave nothing behind.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from shouhao.booking.store.catalogue import get_session, list_doctors
from shouhao.cases import tips_store as store
from shouhao.cases.tips import (
    About,
    Tip,
    TipCodeTries,
    TipLimits,
    TipPicturesFull,
    TipsFull,
    TipState,
    TipStep,
    TipsTooOften,
    TipUnknown,
    Told,
    TooManyAdditions,
    TooManyTipPictures,
    canonical,
    new_code,
    new_reference,
    read_words,
)
from shouhao.kernel.clock import HOUR_US, SECOND_US
from shouhao.kernel.errors import NotFound
from shouhao.kernel.events import Event
from shouhao.kernel.randomness import Randomness
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.held import hold
from shouhao.store.vault import Vault

_SPAN_US = HOUR_US
_ERASED_AT_ONCE = 200
_FULL_AGAIN_S = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where something comes from; counted under a keyed hash and kept nowhere."""

    address: str | None = None
    browser: str | None = None  #: a random number that a browser keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What whoever tells is given, once."""

    tip_id: str
    reference: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What whoever told may see of their tip: where it stands and what was said to them, not what they wrote."""

    reference: str
    state: TipState
    told_at_us: int
    changed_at_us: int
    notes: Sequence[TipStep]
    additions: int
    pictures: int


def check_taken(connection: Connection, vault: Vault, *, origin: Origin, limits: TipLimits, now_us: int) -> None:
    """Let whoever wants to tell go on when a tip would be taken now; nothing is written.

    Raises:
        TipsTooOften: this address or this browser told enough within the hour.
        TipsFull: the house did, or more wait than anybody can read.
    """
    for key, most, everybody in _watched(vault, origin, limits):
        found = store.counter(connection, key, now_us=now_us)
        if found is not None and found.counted >= most:
            _refuse(found, everybody=everybody, limits=limits, now_us=now_us)
    if store.waiting(connection, most=limits.waiting_most) >= limits.waiting_most:
        raise TipsFull(wait_s=_FULL_AGAIN_S, call=limits.call)


def tell(
    connection: Connection,
    vault: Vault,
    told: Told,
    *,
    about: About,
    channel: str,
    origin: Origin,
    limits: TipLimits,
    randomness: Randomness,
    now_us: int,
) -> Given:
    """Keep a tip, with an event that names nobody.

    Raises:
        TipsTooOften, TipsFull: as `check_taken`.
        NotFound: there is no such session or doctor.
    """
    check_taken(connection, vault, origin=origin, limits=limits, now_us=now_us)
    for key, most, everybody in _watched(vault, origin, limits):
        counted = store.count_up(connection, key, now_us=now_us, span_us=_SPAN_US)
        if counted.counted > most:  # others were at the same point at the same moment
            _refuse(counted, everybody=everybody, limits=limits, now_us=now_us)
    known = _about(connection, about)
    reference, code = new_reference(randomness), new_code(randomness)
    tip = store.add(connection, vault, reference=reference, code=code, told=told, about=known, now_us=now_us)
    happened = Event(
        at_us=now_us,
        kind="tip_told",
        channel=channel,
        department_id=known.department_id,
        doctor_id=known.doctor_id,
        session_id=known.session_id,
        detail={"tip_id": tip.id},
    )
    event_log.append(connection, [happened])
    return Given(tip_id=tip.id, reference=reference, code=code)


def known_tip(
    db: Database, vault: Vault, *, reference: str, code: str, origin: Origin, limits: TipLimits, now_us: int
) -> Tip:
    """The tip of somebody who has its number and its code. A try is counted before it is looked at.

    Raises:
        TipCodeTries: too many tries from this address within the hour.
        TipUnknown: the number or the code is wrong, or the tip is past its time.
    """
    key = _key(vault, "tries", _network(origin.address))
    with db.write() as connection:
        tries = store.count_up(connection, key, now_us=now_us, span_us=_SPAN_US)
        if tries.counted > limits.tries_address_hour:
            raise TipCodeTries(wait_s=_wait_s(tries.ends_at_us, now_us))
    with db.read() as connection:
        tip = store.find_by_code(connection, vault, reference=canonical(reference), code=canonical(code))
    if tip is None:
        raise TipUnknown("code")
    with db.write() as connection:
        store.count_back(connection, key)
    return tip


def follow(db: Database, vault: Vault, tip: Tip) -> Followed:
    """What whoever told may see."""
    with db.read() as connection:
        notes = store.steps_of(connection, vault, tip.id, "note")
        additions = store.steps_of(connection, None, tip.id, "added")
        held = store.picture_ids(connection, [tip.id]).get(tip.id, [])
    return Followed(
        reference=tip.reference,
        state=tip.state,
        told_at_us=tip.told_at_us,
        changed_at_us=tip.changed_at_us,
        notes=notes,
        additions=len(additions),
        pictures=len(held),
    )


def add_words(connection: Connection, vault: Vault, tip_id: str, words: str, *, limits: TipLimits, now_us: int) -> Tip:
    """Add to a tip.

    Raises:
        InvalidInput: nothing was written, or too much.
        TooManyAdditions: it was added to often enough.
    """
    said = read_words(words, name="words")
    tip = store.get(connection, tip_id, lock=True)
    if len(store.steps_of(connection, None, tip_id, "added")) >= limits.additions_a_tip:
        raise TooManyAdditions(most=limits.additions_a_tip)
    after = store.add_step(
        connection, vault, tip, "added", state=tip.state, now_us=now_us, unread=tip.unread + 1, words=said
    )
    tell_of_step(connection, after, "added", now_us=now_us)
    return after


def count_picture(db: Database, vault: Vault, *, origin: Origin, limits: TipLimits, now_us: int) -> None:
    """Count a picture before anything of it is read; reading one costs far more than sending it.

    Raises:
        TipsTooOften: this address sent enough of them within the hour.
    """
    key = _key(vault, "pictures", _network(origin.address))
    with db.write() as connection:
        counted = store.count_up(connection, key, now_us=now_us, span_us=_SPAN_US)
        if counted.counted > limits.pictures_address_hour:
            _refuse(counted, everybody=False, limits=limits, now_us=now_us)


def add_picture(
    connection: Connection, vault: Vault, tip_id: str, picture: bytes, *, limits: TipLimits, now_us: int
) -> str:
    """Keep a picture of a tip, sealed; returns its id.

    Args:
        picture: as it was written anew (flows/tip_pictures.py).
    Raises:
        TooManyTipPictures: the tip has as many as it may.
        TipPicturesFull: all tips together have.
    """
    tip = store.get(connection, tip_id, lock=True)
    if len(store.picture_ids(connection, [tip_id]).get(tip_id, [])) >= limits.pictures_a_tip:
        raise TooManyTipPictures(most=limits.pictures_a_tip)
    hold(connection, "tips.pictures")  # all of them together have one measure
    if store.picture_bytes(connection) + len(picture) > limits.picture_bytes_most:
        raise TipPicturesFull
    return store.add_picture(connection, vault, tip.id, picture, now_us=now_us)


def tell_of_step(connection: Connection, tip: Tip, act: str, *, now_us: int, staff_id: str | None = None) -> None:
    """Write the event of a step; no word of the tip stands in it."""
    detail = {"tip_id": tip.id, "act": act, "state": tip.state}
    if tip.link_id is not None:
        detail |= {"link_kind": str(tip.link_kind), "link_id": tip.link_id}
    event_log.append(connection, [Event(at_us=now_us, kind="tip_changed", staff_id=staff_id, detail=detail)])


def tips_due(db: Database, *, keep_us: int, now_us: int) -> int:
    """Erase some tips whose time is over, and counters with them; how many tips."""
    with db.write() as connection:
        store.forget_counters(connection, now_us=now_us)
        erased = store.erase_told_before(connection, now_us - keep_us, most=_ERASED_AT_ONCE)
        if erased:
            event_log.append(connection, [Event(at_us=now_us, kind="tips_erased", detail={"tips": erased})])
    return erased


def _watched(vault: Vault, origin: Origin, limits: TipLimits) -> list[tuple[str, int, bool]]:
    """Counters of one tip: key, how many an hour, whether everybody shares it; that one last, against deadlock."""
    watched = [(_key(vault, "address", _network(origin.address)), limits.an_address_hour, False)]
    if origin.browser is not None:
        watched.insert(0, (_key(vault, "browser", origin.browser), limits.a_browser_hour, False))
    return [*watched, (_key(vault, "house", ""), limits.an_hour, True)]


def _refuse(found: store.Counter, *, everybody: bool, limits: TipLimits, now_us: int) -> None:
    wait_s = _wait_s(found.ends_at_us, now_us)
    if everybody:
        raise TipsFull(wait_s=wait_s, call=limits.call)
    raise TipsTooOften(wait_s=wait_s, call=limits.call)


def _wait_s(ends_at_us: int, now_us: int) -> int:
    return max(1, -(-(ends_at_us - now_us) // SECOND_US))


def _about(connection: Connection, about: About) -> About:
    """Doctor and department of what was named, as the hospital knows them."""
    if about.session_id is not None:
        session, _ = get_session(connection, about.session_id)
        return About(department_id=session.department_id, doctor_id=session.doctor_id, session_id=session.id)
    if about.doctor_id is None:
        return About()
    doctor = next((one for one in list_doctors(connection) if one.id == about.doctor_id), None)
    if doctor is None:
        raise NotFound("doctor", "doctor_id")
    return About(department_id=doctor.department_id, doctor_id=doctor.id)


def _key(vault: Vault, kind: str, what: str) -> str:
    return vault.hash(f"{kind}\0{what}", purpose="tip.counter")


def _network(address: str | None) -> str:
    """What counts as one address: of IPv6 the /64, which one household has to itself.

    >>> _network("2001:db8:1:2:3::4"), _network("192.0.2.7"), _network(None)
    ('2001:db8:1:2::/64', '192.0.2.7', '')
    """
    try:
        known = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
