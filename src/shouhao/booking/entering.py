"""Entering: who may stand in a draw or join a waitlist. Pure; the same door for both, for a waitlist's batch is a draw.

An entry names its people and ranked wishes. When it came is written down and carries no weight. Its id follows from
the draw and the first of its people, so leaving and entering again gives the same id and nothing to try anew.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from shouhao.booking.limits import LimitsPolicy, over_limit, restricted
from shouhao.booking.model import (
    AlreadyBooked,
    Applicant,
    BindingTooNew,
    EntryRequest,
    LiveBooking,
    OpenSession,
    Restriction,
    SessionClosed,
    SessionNotReleased,
    SessionUnknown,
)
from shouhao.booking.release.draw import DuplicateEntry
from shouhao.booking.release.policy import DrawRules, InForce, WaitlistRules
from shouhao.booking.waitlist import (
    AlreadyWaiting,
    TooManyWaits,
    WaitlistClosed,
    WaitlistNotOpen,
    joins_until_us,
)
from shouhao.kernel.clock import from_us, iso
from shouhao.kernel.errors import InvalidInput, Refused


class OpenDraw(msgspec.Struct, frozen=True, kw_only=True):
    """A draw as the door sees it."""

    id: str
    kind: str  #: release, waitlist
    state: str
    opens_at_us: int
    closes_at_us: int
    salt: str
    rules: DrawRules
    targets: Mapping[str, OpenSession]
    department_id: str
    hot: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that already names some person."""

    id: str
    people: tuple[str, ...]
    account_id: str | None


RECEIPT_POLICY = "arrival_carries_no_weight"  #: what every receipt says


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What an entrant is given at once."""

    entry_id: str
    draw_id: str
    kind: str
    patient_ids: tuple[str, ...]
    tickets: tuple[str, ...]  #: under which its people stand in the published file
    wishes: tuple[str, ...]
    entered_at: str
    closes_at: str  #: when the order is drawn
    policy: str  #: said in every receipt: when it came carries no weight


@dataclass(slots=True, kw_only=True)
class EntryView:
    """What is known, under locks, when a batch of entries is decided; used up by deciding."""

    draws: dict[str, OpenDraw]  #: by id; of a waitlist: the open batch
    batch_of: Mapping[str, str] = field(default_factory=dict)  #: session id -> id of its open batch
    sessions: Mapping[str, OpenSession] = field(default_factory=dict)  #: of waitlist requests
    starts_at_us: Mapping[str, int] = field(default_factory=dict)  #: of those sessions
    waitlists: Mapping[str, WaitlistRules] = field(default_factory=dict)  #: by session
    free: Mapping[str, int] = field(default_factory=dict)  #: slots anyone may still book, by session
    standing: dict[tuple[str, str], Standing] = field(default_factory=dict)  #: by (draw id, patient id)
    twins: Mapping[str, set[str]] = field(default_factory=dict)  #: other records that are the same person
    fresh: Mapping[str, InForce] = field(
        default_factory=dict
    )  #: batches that no entry has opened yet, with their policy
    waiting: Mapping[str, set[str]] = field(default_factory=dict)  #: patient id -> sessions waited for
    joined: dict[str, set[str]] = field(default_factory=dict)  #: patient id -> sessions whose open batch was joined
    held: Mapping[str, Sequence[LiveBooking]] = field(default_factory=dict)
    restrictions: Mapping[str, Sequence[Restriction]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """An entry to write down."""

    id: str
    draw: OpenDraw
    people: tuple[str, ...]
    wishes: tuple[str, ...]
    replaces: bool  #: the same people entered before; their wishes are changed


Door = Entered | Refused


class DrawUnknown(Refused):
    """No such draw."""

    code = "booking.draw_unknown"
    zh = "没有这个抽签"
    en = "There is no such draw"


class DrawNotOpen(Refused):
    """It does not take entries now."""

    code = "booking.draw_not_open"
    zh = "该抽签的报名时间为 {opens_at} 至 {closes_at}，现在不能报名"
    en = "Entries are taken from {opens_at} to {closes_at}, not now"


class WishNotInDraw(Refused):
    """A wish is for a session that this draw does not allot."""

    code = "booking.wish_not_in_draw"
    zh = "所选排班不在本次抽签之内"
    en = "This session is not part of the draw"


class SamePersonEntered(Refused):
    """Somebody with the same name and birth day is in the draw under another document."""

    code = "booking.same_person_entered"
    zh = "同名同生日的就诊人已用另一证件报名；如确为两人，请携带两份证件到窗口办理"
    en = "Somebody of this name and birth day entered with another document; if they are two, show both at the window"


def entry_id(salt: str, people: Sequence[str]) -> str:
    """The id of an entry: the same however often its first person leaves and enters again."""
    return "en_" + _digest(salt, "entry", min(people))


def ticket(salt: str, patient_id: str) -> str:
    """Under what name a person stands in one draw: another one in each draw, and nobody's outside the hospital."""
    return "tk_" + _digest(salt, "person", patient_id)


def _digest(salt: str, what: str, patient_id: str) -> str:
    return hashlib.sha256(f"shouhao.{what}\0{salt}\0{patient_id}".encode()).hexdigest()[:26]


def receipt(entered: Entered, *, now_us: int) -> Receipt:
    """What the entrant is given."""
    draw = entered.draw
    return Receipt(
        entry_id=entered.id,
        draw_id=draw.id,
        kind=draw.kind,
        patient_ids=entered.people,
        tickets=tuple(ticket(draw.salt, person) for person in entered.people),
        wishes=entered.wishes,
        entered_at=iso(now_us),
        closes_at=iso(draw.closes_at_us),
        policy=RECEIPT_POLICY,
    )


def decide_entries(
    requests: Sequence[tuple[EntryRequest, Mapping[str, Applicant]]],
    view: EntryView,
    *,
    policy: LimitsPolicy,
    now_us: int,
) -> list[Door]:
    """One outcome for each request, in the same order; what one entered counts for those behind it.

    Args:
        requests: each with what is known of its people.
    """
    said: list[Door] = []
    for request, applicants in requests:
        outcome = _decide_one(request, applicants, view, policy=policy, now_us=now_us)
        if isinstance(outcome, Entered):
            mine = Standing(id=outcome.id, people=outcome.people, account_id=request.account_id)
            view.standing.update({(outcome.draw.id, person): mine for person in outcome.people})
            if request.draw_id is None:
                for person in outcome.people:
                    view.joined.setdefault(person, set()).update(outcome.draw.targets)
        said.append(outcome)
    return said


def _decide_one(
    request: EntryRequest,
    applicants: Mapping[str, Applicant],
    view: EntryView,
    *,
    policy: LimitsPolicy,
    now_us: int,
) -> Door:
    try:
        draw, most_people = _where(request, view, now_us)
        people = _people(request.patient_ids, most_people)
        wishes = _wishes(request, draw)
        sessions = [draw.targets[wish] for wish in wishes]
        for n, person in enumerate(people):
            _check_person(f"patient_ids.{n}", applicants[person], sessions, now_us)
        before = _stands_already(request, draw, people, view)
        for n, person in enumerate(people):
            _check_held(f"patient_ids.{n}", person, sessions, view, policy, now_us)
    except Refused as refusal:
        return refusal
    return Entered(
        id=before.id if before else entry_id(draw.salt, people),
        draw=draw,
        people=people,
        wishes=wishes,
        replaces=before is not None,
    )


def _where(request: EntryRequest, view: EntryView, now_us: int) -> tuple[OpenDraw, int]:
    """The draw that this request is about, and how many people an entry of it may have."""
    if request.draw_id is not None:
        draw = view.draws.get(request.draw_id)
        if draw is None or draw.kind != "release":
            raise DrawUnknown("draw_id")
        # Only the hospital's clock counts, read while the draw is locked: what is late is late whatever it claims.
        if draw.state != "open" or not draw.opens_at_us <= now_us < draw.closes_at_us:
            raise DrawNotOpen("draw_id", opens_at=_said(draw.opens_at_us), closes_at=_said(draw.closes_at_us))
        return draw, draw.rules.people_max
    session = view.sessions.get(request.session_id or "")
    if session is None:
        raise SessionUnknown("session_id")
    rules = view.waitlists[session.id]
    _check_waitlist(session, rules, view, now_us)
    for n, person in enumerate(request.patient_ids):
        waiting = view.waiting.get(person, set())
        if session.id in waiting:
            raise AlreadyWaiting("session_id")
        if any(session.id in view.waiting.get(twin, ()) for twin in view.twins.get(person, ())):
            raise SamePersonEntered(f"patient_ids.{n}")
        if len((waiting | view.joined.get(person, set())) - {session.id}) >= rules.waits_max:
            raise TooManyWaits("session_id", limit=rules.waits_max)
    return view.draws[view.batch_of[session.id]], rules.people_max


def _check_waitlist(session: OpenSession, rules: WaitlistRules, view: EntryView, now_us: int) -> None:
    if session.state == "planned":
        raise SessionNotReleased("session_id")
    starts_at_us = view.starts_at_us[session.id]
    if session.state != "released" or now_us >= session.ends_at_us:
        raise SessionClosed("session_id")
    if not rules.open:
        raise WaitlistNotOpen("session_id", why="no_waitlist")
    if now_us >= joins_until_us(session_starts_at_us=starts_at_us, rules=rules):
        raise WaitlistClosed("session_id")
    if view.free.get(session.id, 0):
        raise WaitlistNotOpen("session_id", why="slots_are_free")


def _people(given: Sequence[str], most: int) -> tuple[str, ...]:
    if not 1 <= len(given) <= most:
        raise InvalidInput("patient_ids", zh=f"应为 1 至 {most} 人", en=f"must name 1 to {most} people")
    if len(set(given)) != len(given):
        raise InvalidInput("patient_ids", zh="同一人不能重复", en="must name each person once")
    return tuple(sorted(given))


def _wishes(request: EntryRequest, draw: OpenDraw) -> tuple[str, ...]:
    if request.draw_id is None:
        return tuple(draw.targets)
    most = draw.rules.wishes_max
    if not 1 <= len(request.wishes) <= most:
        raise InvalidInput("wishes", zh=f"应为 1 至 {most} 个志愿", en=f"must be 1 to {most} wishes")
    for n, wish in enumerate(request.wishes):
        if wish not in draw.targets:
            raise WishNotInDraw(f"wishes.{n}")
    if len(set(request.wishes)) != len(request.wishes):
        raise InvalidInput("wishes", zh="志愿不能重复", en="must name each session once")
    return request.wishes


def _check_person(field_name: str, applicant: Applicant, sessions: Sequence[OpenSession], now_us: int) -> None:
    if applicant.refusal is not None:
        raise type(applicant.refusal)(field_name, **applicant.refusal.data)
    if now_us < applicant.hot_from_us and any(session.hot for session in sessions):
        raise BindingTooNew(field_name, until=from_us(applicant.hot_from_us).strftime("%Y-%m-%d %H:%M"))


def _stands_already(request: EntryRequest, draw: OpenDraw, people: Sequence[str], view: EntryView) -> Standing | None:
    """The entry of the same people from the same account, whose wishes this replaces.

    Raises:
        DuplicateEntry: one of them stands in another entry of this draw.
        SamePersonEntered: one of them does under another document.
    """
    for n, person in enumerate(people):
        for twin in view.twins.get(person, ()):
            if (draw.id, twin) in view.standing or twin in people:
                raise SamePersonEntered(f"patient_ids.{n}")
    found = {entry.id: entry for p in people if (entry := view.standing.get((draw.id, p))) is not None}
    if not found:
        return None
    before = next(iter(found.values()))
    if len(found) > 1 or before.people != tuple(people) or before.account_id != request.account_id:
        raise DuplicateEntry("patient_ids")
    return before


def _check_held(
    field_name: str,
    person: str,
    sessions: Sequence[OpenSession],
    view: EntryView,
    policy: LimitsPolicy,
    now_us: int,
) -> None:
    """What this person holds, or is kept from: each wish must be one they could take today."""
    held = view.held.get(person, ())
    for session in sessions:
        limits = restricted(view.restrictions.get(person, ()), department_id=session.department_id, now_us=now_us)
        if limits is None and any(b.session_id == session.id for b in held):
            raise AlreadyBooked(field_name)
        limits = limits or over_limit(held, department_id=session.department_id, day=session.day, policy=policy)
        if limits is not None:
            raise type(limits)(field_name, **limits.data)


def _said(at_us: int) -> str:
    return from_us(at_us).strftime("%Y-%m-%d %H:%M:%S")
