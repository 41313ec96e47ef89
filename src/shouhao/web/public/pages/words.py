"""Words: how days, times, money and the states of things are written on pages, in both languages. Pure."""

import re
from datetime import date, datetime
from typing import Final

from shouhao.kernel.clock import HOSPITAL_ZONE

Pair = tuple[str, str]  #: Chinese, English

HALVES: Final[dict[str, Pair]] = {
    "am": ("上午", "morning"),
    "pm": ("下午", "afternoon"),
    "evening": ("晚间", "evening"),
}
KINDS: Final[dict[str, Pair]] = {
    "general": ("普通门诊", "General clinic"),
    "expert": ("专家门诊", "Expert clinic"),
    "special": ("特需门诊", "Special clinic"),
    "antenatal": ("建档", "Antenatal registration"),
}
RELEASES: Final[dict[str, Pair]] = {
    "draw": ("抽签放号", "By draw"),
    "first_come": ("先约先得", "First come"),
    "mixed": ("抽签与先约各半", "Draw and first come"),
}
#: What a kind of release means for whoever reads it.
RELEASE_MEANS: Final[dict[str, Pair]] = {
    "draw": (
        "在报名时间内任何时候报名，机会都一样；截止后抽签，人人可以核对。",
        "Enter at any time in the window: the chance is the same. The draw comes after, and anyone can check it.",
    ),
    "first_come": ("有号即可预约。", "Book while there are slots."),
    "mixed": (
        "一部分抽签，一部分先约先得；没抽中仍可预约余号或候补。",
        "Part goes by draw, part to who comes first; without luck one may still book or wait.",
    ),
}
BOOKINGS: Final[dict[str, Pair]] = {
    "offered": ("请确认", "Please accept"),
    "held": ("待支付", "To be paid"),
    "booked": ("已预约", "Booked"),
    "checked_in": ("已取号", "Checked in"),
    "returned": ("已退号", "Returned"),
    "expired": ("超时未付，已释放", "Not paid in time"),
    "no_show": ("爽约", "Not attended"),
}
#: What every receipt says, by its code.
RECEIPTS: Final[dict[str, Pair]] = {
    "arrival_carries_no_weight": (
        "何时报名不影响机会，不必守着页面。",
        "When it came carries no weight: no need to watch the page.",
    )
}
DRAWS: Final[dict[str, Pair]] = {
    "open": ("正在报名", "Taking entries"),
    "sealed": ("已截止，等待抽签", "Closed, to be drawn"),
    "made": ("已抽签", "Drawn"),
}
RELATIONS: Final[dict[str, Pair]] = {
    "self": ("本人", "Myself"),
    "child": ("子女", "Child"),
    "parent": ("父母", "Parent"),
    "spouse": ("配偶", "Spouse"),
    "other": ("其他", "Other"),
}
VERIFICATIONS: Final[dict[str, Pair]] = {
    "pending": ("正在核验身份", "Identity being confirmed"),
    "in_review": ("等待人工核验", "A person is looking at it"),
    "verified": ("身份已核验", "Identity confirmed"),
    "rejected": ("核验未通过", "Identity not confirmed"),
}
DOCUMENTS: Final[dict[str, Pair]] = {
    "resident_id": ("居民身份证", "Resident ID card"),
    "household_register": ("户口簿（儿童）", "Household register (child)"),
    "passport": ("护照", "Passport"),
    "hk_macau_permit": ("港澳居民来往内地通行证", "Hong Kong and Macau travel permit"),
    "taiwan_permit": ("台湾居民来往大陆通行证", "Taiwan travel permit"),
    "permanent_residence_card": ("外国人永久居留身份证", "Permanent residence card"),
}
#: What one can do about a refusal, by its code or the beginning of it.
REMEDIES: Final[dict[str, Pair]] = {
    "booking.sold_out": (
        "可以加入候补：有人退号时，按抽签排定的顺序发给候补的人，不会回到公共号池。",
        "You can join the waitlist: returned slots go to those who wait, in a drawn order, never back to the public.",
    ),
    "booking.limit_reached": (
        "退掉不需要的预约后再约；也可以换一天。",
        "Return what you do not need, or take another day.",
    ),
    "booking.already_booked": ("您已有这个排班的号，在“我的”中可以看到。", "You already hold a slot here; see “Mine”."),
    "booking.restricted": (
        "限制到期后即可预约；有特殊原因请到门诊办公室说明。",
        "You can book when the time is over; for special reasons ask the outpatient office.",
    ),
    "booking.binding_too_new": (
        "热门号源要求就诊人绑定满一段时间，以防倒号；其他号源现在就可预约。",
        "Slots in great demand ask that a patient be bound for a while; others can be booked now.",
    ),
    "booking.slot_taken": ("请另选一个时间。", "Please take another time."),
    "booking.hold_expired": ("保留时间已过，请重新预约或候补。", "The time is over; book again or wait."),
    "booking.offer_expired": ("确认时限已过，号已发给下一位。", "The time is over; the slot went to the next person."),
    "booking.too_late_to_return": (
        "请联系门诊办公室，避免记为爽约。",
        "Ask the outpatient office, so that it is no no-show.",
    ),
    "booking.draw_not_open": ("报名时间见抽签页面。", "The page of the draw says when entries are taken."),
    "booking.duplicate_entry": (
        "一人一签；在“我的”中可以更改或撤回报名。",
        "One entry a person; see “Mine” to change it.",
    ),
    "patients.not_verified": (
        "请在“就诊人”中提交证件照片，或带证件到窗口核验。",
        "Submit a photo of the document under “People”, or bring it to the window.",
    ),
    "patients.guardian": ("请先为儿童绑定监护人。", "Bind a guardian for the child first."),
    "gate.phone_code_refused": ("请核对验证码，或重新获取。", "Look at the code again, or ask for a new one."),
    "gate.": (
        "请稍候再试，或拨打预约电话、到窗口办理，机会相同。",
        "Try again shortly, or use the phone line or window.",
    ),
}
OTHER_WAYS: Final[Pair] = (
    "也可以拨打预约电话或到窗口办理，规则相同。请告诉工作人员下面的编号。",
    "The phone line and the window follow the same rules. Tell the staff the number below.",
)

_DAY: Final = re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b")
_HALF: Final = re.compile(r"\b(am|pm|evening)\b")
_WEEKDAYS: Final = ("一", "二", "三", "四", "五", "六", "日")


def day_words(day: str, language: str) -> str:
    """A day, with its weekday.

    >>> day_words("2026-03-09", "zh"), day_words("2026-03-09", "en")
    ('3月9日 周一', 'Mon 9 Mar')
    """
    it = date.fromisoformat(day)
    return f"{it:%a} {it.day} {it:%b}" if language == "en" else f"{it.month}月{it.day}日 周{_WEEKDAYS[it.weekday()]}"


def label_words(label: str, language: str) -> str:
    """The label of a session, which the published file holds for machines, as a reader wants it.

    >>> label_words("心内科 李医生 2026-03-03 pm", "zh")
    '心内科 李医生 3月3日 周二 下午'
    """
    said = _DAY.sub(lambda found: day_words(found[0], language), label)
    return _HALF.sub(lambda found: HALVES[found[0]][language == "en"], said)


def time_words(moment: str) -> str:
    """The hour and minute at the hospital.

    >>> time_words("2026-03-09T00:30:00+00:00")
    '08:30'
    """
    return f"{_here(moment):%H:%M}"


def moment_words(moment: str, language: str) -> str:
    """A day and a time.

    >>> moment_words("2026-03-09T08:30:00+08:00", "zh")
    '3月9日 周一 08:30'
    """
    return f"{day_words(_here(moment).date().isoformat(), language)} {time_words(moment)}"


def yuan(cents: int) -> str:
    """An amount of money.

    >>> yuan(5000), yuan(1250)
    ('¥50', '¥12.50')
    """
    return f"¥{cents // 100}" if cents % 100 == 0 else f"¥{cents // 100}.{cents % 100:02d}"


def remedy(code: str) -> Pair | None:
    """What one can do about a refusal, where there is something to be said."""
    return next((words for start, words in REMEDIES.items() if code.startswith(start)), None)


def _here(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(HOSPITAL_ZONE)
