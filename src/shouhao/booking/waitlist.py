"""Waitlist: the order in which returned slots are handed on, and what a person who waits is told about it.

Those who join within one batch are put in order together, by draw, so joining first gains nothing; a batch drawn
earlier stands before one drawn later. Who may join is decided in entering.py, where a slot goes when nobody waits in
returns.py, and who holds an offer is stored in store/.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Final, Literal

from shouhao.booking.release.policy import WaitlistRules
from shouhao.kernel.clock import DAY_US, MINUTE_US, SECOND_US, day_of, start_of_day_us
from shouhao.kernel.errors import Refused

MoveWay = Literal["offered", "kept", "care", "window", "rest", "public", "withdrawn", "merged"]
MoveWhy = Literal[
    "returned",
    "returned_on_site",
    "offer_lapsed",
    "offer_declined",
    "hold_expired",
    "batch_drawn",
    "draw_left_over",
    "rest_over",
    "care_over",
    "part_unused",
    "nobody_waits",
    "session_near",
    "added",
    "draw_won",
    "extra",
]

_OFFER_LEAST_US: Final = 60 * SECOND_US
_BOOKED_LEAST = 30  #: fewer past bookings than this say nothing about how many are returned
_RARE, _SURE = 0.01, 0.99  #: beyond these a chance is not given a number, lest it read as never or as certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """People who wait together, and whether they could take a slot each now."""

    wait_id: str
    people: tuple[str, ...]  #: patient ids
    entitled: bool
    why_not: str | None = None  #: code of the refusal that keeps them from it


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Slots for one place on the waitlist, one a person."""

    wait_id: str
    slots: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The same sentence in both languages."""

    zh: str
    en: str

    def says(self, language: str) -> str:
        """The sentence in `zh` or `en`."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What one who waits may expect: an estimate from the past, and how it was made."""

    ahead: int  #: people who stand before them
    needed: int  #: slots that must come back until all of them are served
    chance: float | None  #: None: too little is known
    rate: float | None  #: share of past bookings that was returned
    based_on: int  #: past bookings counted
    words: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMove:
    """One move of a slot, as one who waits sees it."""

    way: MoveWay
    why: MoveWhy
    to: Literal["you", "before", "behind"] | None = None  #: of an offer: to whom, seen from who asks


class WaitlistNotOpen(Refused):
    """There is nothing to wait for, or no waitlist; `why` says which."""

    code = "booking.waitlist_not_open"
    zh = "现在不能加入候补"
    en = "The waitlist cannot be joined now"

    def says(self, language: str) -> str:
        """The reason in `zh` or `en`."""
        because = _NOT_OPEN.get(self.data.get("why", ""))
        if because is None:
            return super().says(language)
        colon = ": " if language == "en" else "："
        return f"{super().says(language)}{colon}{because.says(language)}"


class WaitlistClosed(Refused):
    """The session is too near for anybody to be waited for."""

    code = "booking.waitlist_closed"
    zh = "就诊时间临近，候补已截止"
    en = "The session is near and its waitlist is closed"


class AlreadyWaiting(Refused):
    """One of these people waits for this session already."""

    code = "booking.already_waiting"
    zh = "该就诊人已在本排班候补中"
    en = "This patient already waits for this session"


class TooManyWaits(Refused):
    """The person stands on as many waitlists as the policy allows."""

    code = "booking.too_many_waits"
    zh = "每人同时最多候补 {limit} 个排班"
    en = "One person may wait for at most {limit} sessions at once"


class NotWaiting(Refused):
    """There is no such place on a waitlist, or it is over, or not the caller's."""

    code = "booking.not_waiting"
    zh = "没有这个候补，或候补已结束"
    en = "There is no such place on a waitlist, or it is over"


_NOT_OPEN: Mapping[str, Words] = {
    "slots_are_free": Words(zh="还有余号，可直接预约", en="slots are still free and can be booked"),
    "no_waitlist": Words(zh="该排班不设候补", en="this session has none"),
}

#: What became of the slot.
MOVES: Mapping[MoveWay, Words] = {
    "offered": Words(zh="该号已发给候补顺序中的下一位", en="it was offered to the next in the waiting order"),
    "kept": Words(
        zh="该号先为已加入候补、顺序尚未抽出的人保留",
        en="it is kept for those who joined and whose order is not drawn yet",
    ),
    "care": Words(
        zh="该号留给 65 岁及以上、残疾或孕期的就诊人",
        en="it is for patients of 65 and older, with a disability or pregnant",
    ),
    "window": Words(zh="该号转到医院窗口", en="it went to the window at the hospital"),
    "rest": Words(
        zh="该号将在无法预知的时刻重新向所有人开放", en="it will open to everyone again at an unpredictable moment"
    ),
    "public": Words(zh="该号已重新向所有人开放", en="it opened to everyone again"),
    "withdrawn": Words(zh="该号已收回", en="it was withdrawn"),
    "merged": Words(zh="该号已并入其余号源", en="it joined the other slots of the session"),
}

#: What set the slot moving, or decided its way.
WHYS: Mapping[MoveWhy, Words] = {
    "returned": Words(zh="有人退号", en="A slot was returned"),
    "returned_on_site": Words(zh="有人在院内退号", en="A slot was returned at the hospital"),
    "offer_lapsed": Words(zh="发出的候补号超时未确认", en="An offered slot was not accepted in time"),
    "offer_declined": Words(zh="发出的候补号被放弃", en="An offered slot was declined"),
    "hold_expired": Words(zh="占号后超时未支付", en="A held slot was not paid for in time"),
    "batch_drawn": Words(zh="本批候补的顺序已抽出", en="The order of a waiting batch was drawn"),
    "draw_left_over": Words(zh="抽签后有余号", en="A draw left a slot over"),
    "rest_over": Words(zh="退回号的间隔时间已过", en="The resting time of a returned slot is over"),
    "care_over": Words(zh="优先人群的时段已过", en="The time of the care pool is over"),
    "part_unused": Words(zh="预留部分未用完", en="A part set aside was not used up"),
    "nobody_waits": Words(zh="没有人候补", en="Nobody waits for the slot"),
    "session_near": Words(zh="就诊时间临近", en="The session is near"),
    "added": Words(zh="医院增加了号源", en="The hospital added slots"),
    "draw_won": Words(zh="抽签中签", en="It was won in the draw"),
    "extra": Words(zh="加号只为一位患者而加", en="The slot was extra, for one patient alone"),
}

_OFFERED_TO: Mapping[str, Words] = {
    "you": Words(zh="该号已发给您", en="it was offered to you"),
    "before": Words(zh="该号已发给排在您前面的人", en="it was offered to somebody before you"),
    "behind": Words(
        zh="该号已发给排在您后面的人：当时的号不够您一起候补的人数，或您当时不符合预约条件",
        en="it was offered to somebody behind you: there were too few slots for all who wait with you, "
        "or you could not have booked at that moment",
    ),
}


def waitlist_closes_at_us(*, session_starts_at_us: int, rules: WaitlistRules) -> int:
    """From when on nobody is waited for."""
    return session_starts_at_us - rules.closes_before_s * SECOND_US


def batch_closes_at_us(*, opened_at_us: int, session_starts_at_us: int, rules: WaitlistRules) -> int:
    """When the order of those who joined is drawn; early enough for an offer to stand before the waitlist closes."""
    joins_until = joins_until_us(session_starts_at_us=session_starts_at_us, rules=rules)
    return min(opened_at_us + rules.batch_s * SECOND_US, joins_until)


def joins_until_us(*, session_starts_at_us: int, rules: WaitlistRules) -> int:
    """From when on nobody joins: whoever came later could be offered nothing in time."""
    closes_at_us = waitlist_closes_at_us(session_starts_at_us=session_starts_at_us, rules=rules)
    return closes_at_us - rules.offer_near_s * SECOND_US


def is_near(*, now_us: int, session_starts_at_us: int, rules: WaitlistRules) -> bool:
    """Whether the session is so near that an offer stands for a shorter time."""
    return session_starts_at_us - now_us <= rules.near_before_s * SECOND_US


def offer_expires_at_us(*, now_us: int, session_starts_at_us: int, rules: WaitlistRules) -> int:
    """Until when an offer made now is to be accepted.

    Its time stands still in the quiet hours, so nobody loses a slot asleep; but it never outlasts the waitlist. It is
    60 seconds at least, or what is left until the waitlist closes, and never before now.
    """
    near = is_near(now_us=now_us, session_starts_at_us=session_starts_at_us, rules=rules)
    stands_us = max((rules.offer_near_s if near else rules.offer_s) * SECOND_US, _OFFER_LEAST_US)
    closes_at_us = waitlist_closes_at_us(session_starts_at_us=session_starts_at_us, rules=rules)
    return max(now_us, _awake_until_us(now_us, stands_us, rules=rules, latest_us=closes_at_us))


def hand_on(slots: Sequence[str], candidates: Sequence[Candidate]) -> tuple[list[Given], list[str]]:
    """Give slots to those who wait, in their order; those who wait together get one each or none.

    Who is not entitled, or needs more slots than are left, is passed over and keeps the place, so that no slot lies
    idle while somebody entitled could take it.

    Args:
        candidates: in the waiting order.
    Returns:
        What each is given, and the slots that nobody could take.
    """
    given: list[Given] = []
    used = 0
    for candidate in candidates:
        size = len(candidate.people)
        if candidate.entitled and 0 < size <= len(slots) - used:
            given.append(Given(wait_id=candidate.wait_id, slots=tuple(slots[used : used + size])))
            used += size
    return given, list(slots[used:])


def odds(
    *, people_ahead: int, people: int, live_bookings: int, returned: int, booked: int, remaining_share: float
) -> Odds:
    """How likely enough slots still come back for those ahead and for these people.

    Each live booking is taken to be returned, independently, with the department's past rate scaled by the time still
    to come. That leaves out that those ahead may give up (it is better than said) and that families return together (it
    is less even than said); nothing is said from fewer than 30 past bookings.

    Args:
        live_bookings: bookings of the session that could still be returned.
        returned: of `booked`, how many were returned, in a past window of the department.
        remaining_share: what part of the time in which returns happen is still to come, from 0 to 1.
    """
    needed = people_ahead + people
    if booked < _BOOKED_LEAST:
        words = _unknown(people_ahead, booked)
        return Odds(ahead=people_ahead, needed=needed, chance=None, rate=None, based_on=booked, words=words)
    rate = min(1.0, returned / booked)
    chance = at_least(needed, n=live_bookings, p=rate * min(1.0, max(0.0, remaining_share)))
    words = _estimate(people_ahead, needed, chance, rate, booked)
    return Odds(ahead=people_ahead, needed=needed, chance=chance, rate=rate, based_on=booked, words=words)


def at_least(k: int, *, n: int, p: float) -> float:
    """The chance of k or more successes in n independent trials: the exact binomial tail.

    The smaller side is summed, so that a rare chance keeps its digits. O(n) time.

    >>> round(at_least(2, n=3, p=0.5), 9), round(at_least(1, n=10, p=0.1), 9)
    (0.5, 0.65132156)
    """
    if k <= 0 or (p >= 1 and k <= n):
        return 1.0
    if k > n or p <= 0:
        return 0.0
    ratio = p / (1 - p)
    if k > n * p:
        terms = [_exactly(k, n, p)]
        for i in range(k, n):
            terms.append(terms[-1] * (n - i) / (i + 1) * ratio)
        return min(1.0, math.fsum(terms))
    terms = [_exactly(k - 1, n, p)]
    for i in range(k - 1, 0, -1):
        terms.append(terms[-1] * i / (n - i + 1) / ratio)
    return max(0.0, 1.0 - math.fsum(terms))


def explain(moves: Sequence[SeenMove]) -> list[Words]:
    """What happened to each slot and why, in words for one who waits.

    >>> explain([SeenMove(way="offered", why="returned", to="before")])[0].en
    'A slot was returned; it was offered to somebody before you'
    """
    return [_sentence(WHYS[move.why], _way(move)) for move in moves]


def _way(move: SeenMove) -> Words:
    return _OFFERED_TO[move.to] if move.way == "offered" and move.to is not None else MOVES[move.way]


def _sentence(why: Words, way: Words) -> Words:
    return Words(zh=f"{why.zh}，{way.zh}", en=f"{why.en}; {way.en}")


def _awake_until_us(now_us: int, stands_us: int, *, rules: WaitlistRules, latest_us: int) -> int:
    """When that much time outside the quiet hours has passed, or the latest moment if that comes first."""
    ends_us = now_us + stands_us
    if rules.quiet_from_min == rules.quiet_to_min:
        return min(ends_us, latest_us)
    over_midnight_us = DAY_US if rules.quiet_to_min < rules.quiet_from_min else 0
    for days in count(-1):  # from yesterday: its night may still last
        midnight_us = start_of_day_us(day_of(now_us) + timedelta(days=days))
        quiet_from_us = midnight_us + rules.quiet_from_min * MINUTE_US
        quiet_to_us = midnight_us + rules.quiet_to_min * MINUTE_US + over_midnight_us
        if quiet_from_us >= min(ends_us, latest_us):
            break
        ends_us += max(0, quiet_to_us - max(quiet_from_us, now_us))
    return min(ends_us, latest_us)


def _exactly(k: int, n: int, p: float) -> float:
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def _unknown(ahead: int, booked: int) -> Words:
    return Words(
        zh=f"您前面有 {ahead} 人。该科室可供参考的过往预约只有 {booked} 个，少于 {_BOOKED_LEAST} 个，不作估计",
        en=f"{_people_before(ahead)} Only {booked} past bookings of the department are known, fewer than "
        f"{_BOOKED_LEAST}, so no chance is estimated",
    )


def _estimate(ahead: int, needed: int, chance: float, rate: float, booked: int) -> Words:
    share, likely = _percent(rate), _percent(chance)
    return Words(
        zh=f"您前面有 {ahead} 人，还需退回 {needed} 个号才轮到您。该科室过往 {booked} 个预约中{share.zh} 被退回，"
        f"据此估计轮到您的可能性{likely.zh}；这是估计，不是承诺",
        en=f"{_people_before(ahead)} It takes {needed} returned {'slot' if needed == 1 else 'slots'} to serve you. "
        f"Of {booked} past bookings of the department {share.en} came back, so your chance is {likely.en}; "
        "this is an estimate, not a promise",
    )


def _people_before(ahead: int) -> str:
    if ahead == 0:
        return "Nobody is before you."
    return "1 person is before you." if ahead == 1 else f"{ahead} people are before you."


def _percent(share: float) -> Words:
    """A share in words that never claim never, or certain.

    >>> _percent(0.0).en, _percent(0.374).en, _percent(0.9999).en
    ('less than 1%', 'about 37%', 'more than 99%')
    """
    if share < _RARE:
        return Words(zh="不到 1%", en="less than 1%")
    if share > _SURE:
        return Words(zh="超过 99%", en="more than 99%")
    return Words(zh=f"约 {share:.0%}", en=f"about {share:.0%}")
