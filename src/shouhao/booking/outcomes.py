"""Outcomes: what became of an entry, in words for whoever entered, and what a draw cannot show yet. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shouhao.booking.waitlist import Words
from shouhao.kernel.clock import from_us
from shouhao.kernel.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that the words about an entry depend on."""

    kind: str  #: of the draw: release, waitlist
    draw_state: str  #: open, sealed, made
    closes_at_us: int
    state: str  #: of the entry
    left_out: str | None = None  #: code of the refusal
    place: int | None = None
    entries: int = 0  #: how many stand in the draw
    booking_states: frozenset[str] = frozenset()  #: of what was won
    confirm_by_us: int | None = None  #: until when what was won is to be accepted
    waits: int = 0  #: waitlists on which it stands now


class DrawNotMade(Refused):
    """There is no file of a draw before it is made."""

    code = "booking.draw_not_made"
    zh = "抽签尚未进行，还没有公开文件"
    en = "The draw is not made yet, so there is no file of it"


class DrawNotSealed(Refused):
    """While entries are taken there is no list in which one could stand."""

    code = "booking.draw_not_sealed"
    zh = "报名尚未截止，名单还没有封存"
    en = "Entries are still taken; the list is not sealed yet"


#: Why an entry may not take part, or a winner not take a slot, by the code of the rule.
_WHY_NOT: Final[Mapping[str, Words]] = {
    "patients.not_bound": Words(
        zh="就诊人已不在报名账号名下", en="a person was no longer bound to the account that entered"
    ),
    "patients.not_verified": Words(zh="就诊人未通过实名核验", en="a person's identity was not verified"),
    "patients.account_closed": Words(zh="报名账号已停用", en="the account that entered was switched off"),
    "booking.same_person_entered": Words(
        zh="同一人以另一证件也报了名", en="the same person had also entered with another document"
    ),
    "booking.already_booked": Words(zh="已有本排班的号", en="a slot of this session was held already"),
    "booking.limit_reached": Words(zh="已达到预约上限", en="the booking limit was reached"),
    "booking.restricted": Words(zh="处于限制预约期", en="booking was restricted for a while"),
    "booking.sold_out": Words(zh="号源在抽签前已减少", en="slots were taken out before the draw was made"),
}
_NOT_ENTITLED: Final = Words(zh="不符合预约条件", en="the conditions for booking were not met")


def why_not(code: str) -> Words:
    """A refusal's code in words.

    >>> why_not("booking.limit_reached").en
    'the booking limit was reached'
    """
    return _WHY_NOT.get(code, _NOT_ENTITLED)


def outcome_words(it: Outcome) -> Words:
    """What became of an entry."""
    if it.state == "withdrawn":
        return Words(zh="已撤回", en="Withdrawn")
    if it.state == "left_out":
        because = why_not(it.left_out or "")
        return Words(zh=f"未能参加抽签：{because.zh}", en=f"It did not take part: {because.en}")
    if it.state == "entered":
        return _not_drawn(it)
    if it.state == "won":
        return _won(it)
    return _lost(it)


def _not_drawn(it: Outcome) -> Words:
    if it.draw_state != "open":
        return Words(
            zh="报名已截止，名单已封存，等待抽签", en="Entries are closed and the list is sealed; the draw follows"
        )
    at = _moment(it.closes_at_us)
    if it.kind == "waitlist":
        return Words(
            zh=f"已加入候补；本批顺序将于 {at} 抽出，先加入与后加入机会相同",
            en=f"Joined; the order of this batch is drawn at {at}, and when you joined carries no weight",
        )
    return Words(
        zh=f"已报名；{at} 截止后抽签，先报名与后报名机会相同",
        en=f"Entered; the draw follows at {at}, and when you entered carries no weight",
    )


def _won(it: Outcome) -> Words:
    if it.left_out is not None:
        because = why_not(it.left_out)
        return Words(
            zh=f"中签，但当时{because.zh}，号源已转给下一位",
            en=f"It won, but {because.en}, and the slot went to the next in line",
        )
    if "offered" in it.booking_states and it.confirm_by_us is not None:
        at = _moment(it.confirm_by_us)
        return Words(zh=f"中签，请在 {at} 前确认", en=f"It won: accept by {at}")
    if "held" in it.booking_states:
        return Words(zh="中签并已确认，待支付", en="It won and was accepted; the fee is to be paid")
    if it.booking_states & {"booked", "checked_in", "no_show"}:
        return Words(zh="中签并已约好", en="It won and is booked")
    if "expired" in it.booking_states:
        return Words(zh="中签，但未在时限内确认或支付", en="It won, but was not accepted or paid for in time")
    return Words(zh="中签，号已退回", en="It won, and the slot was given back")


def _lost(it: Outcome) -> Words:
    stands = Words(
        zh=f"抽签顺序为第 {it.place} 位，共 {it.entries} 份报名",
        en=f"It came {it.place} in the drawn order of {it.entries}",
    )
    if it.waits:
        there = "1 waitlist" if it.waits == 1 else f"{it.waits} waitlists"
        return Words(
            zh=f"{stands.zh}；正按此顺序在 {it.waits} 个排班候补",
            en=f"{stands.en}, and waits in this order on {there}",
        )
    return Words(zh=f"{stands.zh}；已不在候补中", en=f"{stands.en}; it no longer waits")


def _moment(at_us: int) -> str:
    return from_us(at_us).strftime("%Y-%m-%d %H:%M")
