"""Contribute: what second parties and a public beacon give to the seed of a draw, and going on without it.

A witness commits while entries are taken and reveals once they are sealed; a beacon's round is published after that.
Until all that the policy promised is there, nobody draws (draws.py). When something never comes, a person lets the draw
go on without it, openly: the file then says what it lacks, and after that nothing more is taken, so that nobody chooses
between two seeds whose outcomes they know.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

import structlog
from sqlalchemy import Connection

from shouhao.booking.beacon import RandomnessBeacon, published_at_us
from shouhao.booking.entering import DrawUnknown
from shouhao.booking.extra import SecondPersonNeeded
from shouhao.booking.release.seal import commitment as commitment_of
from shouhao.booking.store import draws as store
from shouhao.booking.store.draws import Draw, Given
from shouhao.flows.draws import missing
from shouhao.kernel.clock import SECOND_US, from_us
from shouhao.kernel.errors import InvalidInput, NotFound, Refused, Tampered
from shouhao.kernel.events import Event
from shouhao.patients.texts import written_reason
from shouhao.store import event_log
from shouhao.store.engine import Database

FALL_BACK_AFTER_S: Final = 600  #: an honest witness reveals within seconds; sooner would be a choice of outcomes
_WITNESS_BYTES = range(32, 33)
_BEACON_BYTES = range(32, 65)
_HEX = re.compile(r"(?:[0-9a-f]{2})+")

BeaconSaid = Literal["waiting", "counts", "differs"]

_log = structlog.get_logger()


class ContributionNotWanted(Refused):
    """The draw's policy promises no such contribution, or none beyond those it has."""

    code = "booking.contribution_not_wanted"
    zh = "本次抽签不需要这项参与，或已足够"
    en = "This draw takes no such contribution, or no further one"


class ContributionNotNow(Refused):
    """Commitments are taken while entries are; values once the entries are sealed and until the draw is made."""

    code = "booking.contribution_not_now"
    zh = "承诺须在报名截止前提交，数值须在名单封存后、抽签完成前提交"
    en = "A commitment is taken before the close, a value between the seal and the draw"


class ContributionKnown(Refused):
    """It was given already, and is given once."""

    code = "booking.contribution_known"
    zh = "已经提交过，不能再次提交"
    en = "This was given already, and is given once"


class CommitmentMismatch(Refused):
    """The value is not the one that was committed to."""

    code = "booking.commitment_mismatch"
    zh = "该数值与事先提交的承诺不符"
    en = "This is not the value that was committed to"


class BeaconRoundNotPublished(Refused):
    """The round that counts has not been published yet."""

    code = "booking.beacon_round_not_published"
    zh = "信标第 {round} 轮于 {at} 发布，现在还没有"
    en = "Round {round} of the beacon is published at {at}, not before"


class NothingMissing(Refused):
    """The draw has all that its policy promised, or goes on without already."""

    code = "booking.nothing_missing"
    zh = "本次抽签不缺任何参与方，无需降级"
    en = "The draw lacks nothing, so there is nothing to go on without"


class FallBackTooSoon(Refused):
    """What is missing may still come."""

    code = "booking.fall_back_too_soon"
    zh = "请等到 {at}：在此之前，见证方或信标仍可能给出数值"
    en = "Wait until {at}: before that the witness or the beacon may still give its value"


def commit_witness(connection: Connection, *, draw_id: str, staff_id: str, commitment: str, now_us: int) -> None:
    """A second party fixes a value that nobody knows, while entries are taken.

    Args:
        staff_id: the witness; the commitment is bound to this id.
        commitment: hex, as `seal.commitment` makes it.
    Raises:
        DrawUnknown: no such draw.
        ContributionNotWanted: the policy has no place for another witness.
        ContributionNotNow: the window is over.
        ContributionKnown: this witness committed already.
    """
    _hex("commitment", commitment, _WITNESS_BYTES)
    draw, given = _locked(connection, draw_id)
    if not draw.ruled_by.policy.draw.witnesses:
        raise ContributionNotWanted("draw_id")
    if _find(given, "witness", staff_id) is not None:
        raise ContributionKnown("commitment")
    if draw.state != "open" or now_us >= draw.closes_at_us:
        raise ContributionNotNow("commitment")
    if sum(g.kind == "witness" for g in given) >= draw.ruled_by.policy.draw.witnesses:
        raise ContributionNotWanted("draw_id")
    store.commit_witness(connection, draw_id, who=staff_id, commitment=commitment, now_us=now_us)
    _record(connection, draw, "witness", staff_id, "committed", staff_id=staff_id, now_us=now_us)


def reveal_witness(connection: Connection, *, draw_id: str, staff_id: str, value: str, now_us: int) -> None:
    """The second party says which value it was, once the entries are sealed.

    Args:
        value: 32 bytes as hex.
    Raises:
        DrawUnknown: no such draw.
        NotFound: this witness committed to nothing.
        ContributionKnown: it was revealed already.
        ContributionNotNow: the entries are not sealed, the draw is made, or goes on without.
        CommitmentMismatch: it is another value.
    """
    secret = _hex("value", value, _WITNESS_BYTES)
    draw, given = _locked(connection, draw_id)
    mine = _find(given, "witness", staff_id)
    if mine is None:
        raise NotFound("commitment", "draw_id")
    if mine.given:
        raise ContributionKnown("value")
    _check_sealed(draw, "value")
    if commitment_of(draw_id, secret, who=staff_id) != mine.commitment:
        raise CommitmentMismatch("value")
    store.reveal_witness(connection, draw_id, who=staff_id, value=value, now_us=now_us)
    _record(connection, draw, "witness", staff_id, "revealed", staff_id=staff_id, now_us=now_us)


def enter_beacon(
    connection: Connection, *, draw_id: str, staff_id: str, number: int, value: str, now_us: int
) -> BeaconSaid:
    """A person writes down what the beacon published; it counts once a second one has written the same.

    Args:
        number: of the round that they read, so that the value of another one is noticed.
        value: 32 to 64 bytes as hex.
    Returns:
        `waiting` for a second person, `counts`, or `differs`: two people read two values, and both look again.
    Raises:
        DrawUnknown: no such draw.
        ContributionNotWanted: its policy names no beacon.
        ContributionNotNow: the entries are not sealed, the draw is made, or goes on without.
        ContributionKnown: a value counts already.
        InvalidInput: it is another round than the rule names, or no hex.
        BeaconRoundNotPublished: nobody can have read it.
        SecondPersonNeeded: the same person cannot confirm it.
    """
    _hex("value", value, _BEACON_BYTES)
    draw, given = _locked(connection, draw_id)
    who = _beacon_of(draw)
    _check_sealed(draw, "value")
    before = _find(given, "beacon", who)
    if before is not None and before.given:
        raise ContributionKnown("value")
    if number != draw.beacon_round:
        raise InvalidInput(
            "round", zh=f"规则所定为第 {draw.beacon_round} 轮", en=f"the rule names round {draw.beacon_round}"
        )
    _check_published(draw, number, now_us)
    said: BeaconSaid = "waiting"
    if before is None:
        store.enter_beacon(connection, draw_id, who=who, value=value, staff_id=staff_id, given_at_us=None)
    elif before.value == value:
        if before.staff_id == staff_id:
            raise SecondPersonNeeded("value")
        store.confirm_beacon(connection, draw_id, who=who, now_us=now_us)
        said = "counts"
    else:
        store.drop_beacon(connection, draw_id, who=who)
        if before.staff_id == staff_id:  # who mistyped writes it anew
            store.enter_beacon(connection, draw_id, who=who, value=value, staff_id=staff_id, given_at_us=None)
        else:
            said = "differs"
    what = {"waiting": "entered", "counts": "confirmed", "differs": "dropped"}[said]
    _record(connection, draw, "beacon", who, what, staff_id=staff_id, now_us=now_us)
    return said


def accept_fetched_beacon(connection: Connection, *, draw_id: str, value: bytes, now_us: int) -> bool:
    """Take what the worker fetched from the beacon itself; whether it was still wanted.

    What one person wrote down and nobody confirmed gives way to it.
    """
    draw = store.lock_draw(connection, draw_id)
    if draw is None or draw.state != "sealed" or draw.fallen_back is not None:
        return False
    who = _beacon_of(draw)
    before = _find(store.contributions_of(connection, draw_id), "beacon", who)
    if before is not None and before.given:
        return False
    store.drop_beacon(connection, draw_id, who=who)
    store.enter_beacon(connection, draw_id, who=who, value=value.hex(), staff_id=None, given_at_us=now_us)
    _record(connection, draw, "beacon", who, "fetched", staff_id=None, now_us=now_us)
    return True


def fetch_beacons(db: Database, beacon: RandomnessBeacon, *, now_us: int, limit: int = 50) -> int:
    """Ask the beacon for the round of every sealed draw that waits for it; how many draws got theirs.

    The beacon is asked outside any unit of work, once a round.

    Raises:
        Unavailable: it does not answer; what was fetched until then is kept.
    """
    with db.read() as connection:
        sealed = store.find_draws(connection, store.to_make(connection, limit=limit))
        waiting = [
            draw
            for draw in sealed.values()
            if draw.beacon_round is not None
            and draw.ruled_by.policy.draw.beacon == beacon.name
            and published_at_us(draw.beacon_round, draw.ruled_by.policy.draw) <= now_us
            and f"beacon:{beacon.name}" in missing(draw, store.contributions_of(connection, draw.id))
        ]
    values: dict[int, bytes | None] = {}
    taken = 0
    for draw in sorted(waiting, key=lambda draw: (draw.closes_at_us, draw.id)):
        number = draw.beacon_round or 0
        if number not in values:
            values[number] = _fetched(beacon, number)
        value = values[number]
        if value is not None:
            with db.write() as connection:
                taken += accept_fetched_beacon(connection, draw_id=draw.id, value=value, now_us=now_us)
    return taken


def fall_back(connection: Connection, *, draw_id: str, staff_id: str, reason: str, now_us: int) -> list[str]:
    """Let a sealed draw go on without what is missing; what that is. The published file shows the lower trust level.

    Raises:
        DrawUnknown: no such draw.
        InvalidInput: no reason was written.
        ContributionNotNow: the entries are not sealed, or the draw is made.
        NothingMissing: it lacks nothing, or this was decided before.
        FallBackTooSoon: what is missing may still come.
    """
    said = written_reason("reason", reason)
    draw, given = _locked(connection, draw_id)
    if draw.state != "sealed":
        raise ContributionNotNow("draw_id")
    lacks = missing(draw, given)
    if not lacks:
        raise NothingMissing("draw_id")
    from_us_ = fall_back_from_us(draw, lacks)
    if now_us < from_us_:
        raise FallBackTooSoon("draw_id", at=_said(from_us_))
    store.fall_back(connection, draw_id, said)
    for one in lacks:
        kind, _, who = one.partition(":")
        _record(connection, draw, kind, who or None, "fallen_back", staff_id=staff_id, now_us=now_us)
    return lacks


def fall_back_from_us(draw: Draw, lacks: list[str]) -> int:
    """From when on a sealed draw may go on without what it lacks: at once when nothing of that can come any more."""
    sealed_at_us = draw.sealed_at_us or 0
    waits_from_us = [sealed_at_us] if any(one.startswith("witness:") for one in lacks) else []
    if draw.beacon_round is not None and any(one.startswith("beacon:") for one in lacks):
        waits_from_us.append(published_at_us(draw.beacon_round, draw.ruled_by.policy.draw))
    return max(waits_from_us) + FALL_BACK_AFTER_S * SECOND_US if waits_from_us else sealed_at_us


def _locked(connection: Connection, draw_id: str) -> tuple[Draw, list[Given]]:
    draw = store.lock_draw(connection, draw_id)
    if draw is None:
        raise DrawUnknown("draw_id")
    if draw.kind != "release":
        raise ContributionNotWanted("draw_id")
    return draw, store.contributions_of(connection, draw_id)


def _find(given: list[Given], kind: str, who: str) -> Given | None:
    return next((g for g in given if g.kind == kind and g.who == who), None)


def _beacon_of(draw: Draw) -> str:
    who = draw.ruled_by.policy.draw.beacon
    if not who:
        raise ContributionNotWanted("draw_id")
    return who


def _check_sealed(draw: Draw, field_name: str) -> None:
    if draw.state != "sealed" or draw.fallen_back is not None:
        raise ContributionNotNow(field_name)


def _check_published(draw: Draw, number: int, now_us: int) -> None:
    at_us = published_at_us(number, draw.ruled_by.policy.draw)
    if now_us < at_us:
        raise BeaconRoundNotPublished("round", round=number, at=_said(at_us))


def _fetched(beacon: RandomnessBeacon, number: int) -> bytes | None:
    try:
        return beacon.value(number)
    except Tampered as error:  # an alarm; two people can still write the value down
        _log.error("beacon_answer_tampered", beacon=beacon.name, round=number, what=str(error))
        return None


def _hex(field_name: str, given: str, sizes: range) -> bytes:
    if not _HEX.fullmatch(given) or len(given) // 2 not in sizes:
        least, most = sizes[0] * 2, sizes[-1] * 2
        many = str(least) if least == most else f"{least} 至 {most}"
        en = str(least) if least == most else f"{least} to {most}"
        raise InvalidInput(field_name, zh=f"应为 {many} 位小写十六进制", en=f"must be {en} lower-case hex digits")
    return bytes.fromhex(given)


def _said(at_us: int) -> str:
    return from_us(at_us).strftime("%Y-%m-%d %H:%M:%S")


def _record(
    connection: Connection, draw: Draw, kind: str, who: str | None, what: str, *, staff_id: str | None, now_us: int
) -> None:
    detail: Mapping[str, str | None] = {"draw_id": draw.id, "kind": kind, "who": who, "what": what}
    happened = Event(
        at_us=now_us, kind="draw_contribution", department_id=draw.department_id, staff_id=staff_id, detail=detail
    )
    event_log.append(connection, [happened])
