"""Words: how days, times, money and the states of things are written on pages, in both languages. Pure."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

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
TIPS: Final[dict[str, Pair]] = {
    "new": ("已收到，等待查看", "Received, waits to be read"),
    "looked_at": ("已查看，正在核对", "Read, being looked into"),
    "passed_on": ("已转交警务联络", "Passed on to the police liaison"),
    "linked": ("已与其他线索一并核查", "Looked into together with other leads"),
    "no_use": ("这次没有用上", "Could not be used this time"),
}
#: What the state of a tip means for whoever told it.
TIP_MEANS: Final[dict[str, Pair]] = {
    "new": (
        "还没有人看过。通常在一个工作日内查看。",
        "Nobody has read it yet; as a rule somebody does within a working day.",
    ),
    "looked_at": (
        "工作人员已看过，正在与预约记录和院内情况核对。",
        "It was read, and is held against bookings and what happens in the hospital.",
    ),
    "passed_on": (
        "已转交警务联络，由公安机关判断和处理。",
        "It was passed on to the police liaison; the police judge and act.",
    ),
    "linked": (
        "与我们掌握的其他情况对得上，正在一并核查。",
        "It fits other things that we know, and is looked into with them.",
    ),
    "no_use": (
        "目前无法据此核查，不代表您说得不对。有新的情况请补充。",
        "It could not be followed up, which does not say that you were wrong. Please add what you learn.",
    ),
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
CONSENT_KINDS: Final[dict[str, Pair]] = {
    "notice": ("怎样使用信息", "Use of information"),
    "messages": ("结果发到手机", "Messages"),
    "child_data": ("监护人同意", "Guardian’s consent"),
    "face_check": ("刷脸核对", "Check of the face"),
    "face_leave_out": ("避免误认", "Not mistaken"),
}
CONSENT_ACTS: Final[dict[str, Pair]] = {"given": ("同意", "agreed"), "withdrawn": ("撤回", "withdrawn")}
REFERRALS: Final[dict[str, Pair]] = {
    "consented": ("已同意，未发送", "Agreed, not sent yet"),
    "sent": ("已发送，等待答复", "Sent, to be answered"),
    "accepted": ("对方已接收", "Taken over"),
    "declined": ("对方未接收", "Declined"),
    "withdrawn": ("已撤回", "Withdrawn"),
    "ended": ("已结束", "Over"),
}
#: The states of an antenatal application.
APPLICATIONS: Final[dict[str, Pair]] = {
    "entered": ("已申请，等待抽签", "Applied, to be drawn"),
    "waiting": ("候补中", "Waiting"),
    "granted": ("有名额，请来确认", "A place is yours: come"),
    "confirmed": ("已建档", "Registered"),
    "referred": ("已同意转介", "Referral agreed"),
    "lapsed": ("未按时确认", "Not confirmed in time"),
    "withdrawn": ("已撤回", "Withdrawn"),
    "transferred": ("合作医院已接收", "Taken over by a partner"),
    "left_out": ("未能参加抽签", "Left out of the draw"),
    "ended": ("已结束", "Over"),
}
#: The five colours of the national grading of risk in pregnancy.
TIERS: Final[dict[str, Pair]] = {
    "green": ("绿色（低风险，或尚未评估）", "Green (low, or not assessed)"),
    "yellow": ("黄色（一般风险）", "Yellow (some risk)"),
    "orange": ("橙色（较高风险）", "Orange (higher risk)"),
    "red": ("红色（高风险）", "Red (high risk)"),
    "purple": ("紫色（传染病）", "Purple (infectious disease)"),
}
DUE_SOURCES: Final[dict[str, Pair]] = {
    "ultrasound": ("超声测得", "measured by ultrasound"),
    "lmp": ("按末次月经推算", "reckoned from the last period"),
}
#: How places of a due month go now, in a word, and what that means for whoever applies.
MONTHS: Final[dict[str, Pair]] = {
    "planned": ("未开放", "Not open yet"),
    "draw": ("正在申请", "Taking applications"),
    "arrival": ("还有名额", "Places are left"),
    "waiting": ("已满，可候补", "Full, one may wait"),
    "closed": ("已截止", "Closed"),
}
MONTHS_MEAN: Final[dict[str, Pair]] = {
    "planned": (
        "开放后有一段申请时间，其间何时申请机会都一样。",
        "It then takes applications for a while; when you apply carries no weight.",
    ),
    "draw": (
        "截止前何时申请机会都一样，截止后抽签。",
        "Until it closes, when you apply carries no weight; then it is drawn.",
    ),
    "arrival": ("现在申请，当场就有名额。", "Who applies now has a place at once."),
    "waiting": (
        "候补按抽签排定的次序；同一天申请的，先后也由抽签定。",
        "Those who wait have a drawn order, and so have those of one day.",
    ),
    "closed": ("这个月份不再接受申请。", "This month takes no more applications."),
}
#: What forms call the fields that a refusal names.
FIELDS: Final[dict[str, Pair]] = {
    "name": ("姓名", "Name"),
    "number": ("证件号码", "Number"),
    "phone": ("手机号", "Phone"),
    "birth_day": ("出生日期", "Day of birth"),
    "sex": ("性别", "Sex"),
    "relation": ("与我的关系", "Relation"),
    "patient_id": ("就诊人", "Person"),
    "guardian_patient_id": ("监护人", "Guardian"),
    "due_day": ("预产期", "Due day"),
    "lmp_day": ("末次月经", "Last period"),
    "source": ("预产期从哪里来", "Where the due day comes from"),
    "offer_id": ("合作医院", "Partner hospital"),
    "agree": ("是否同意", "Consent"),
    "text_version": ("同意的文字", "Words of the consent"),
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
    "booking.antenatal_not_open": (
        "建档页面写明了各预产期月份何时开放。",
        "The page of registrations says when each due month opens.",
    ),
    "booking.antenatal_closed": (
        "可到窗口或拨打电话询问其他医院的名额。",
        "Ask the window or the phone line about places at other hospitals.",
    ),
    "booking.antenatal_already_registered": (
        "一人一份申请；在建档页面可以查看、更正或撤回。",
        "One application a woman; see, correct or withdraw it on the page of registrations.",
    ),
    "booking.antenatal_": (
        "在建档页面查看申请现在的状态。",
        "See how the application stands on the page of registrations.",
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


def month_words(month: str, language: str) -> str:
    """A due month.

    >>> month_words("2027-06", "zh"), month_words("2027-06", "en")
    ('2027年6月', 'June 2027')
    """
    it = date.fromisoformat(f"{month}-01")
    return f"{it:%B} {it.year}" if language == "en" else f"{it.year}年{it.month}月"


def full_day_words(day: str, language: str) -> str:
    """A day with its year, for what lies many months ahead.

    >>> full_day_words("2027-06-15", "zh"), full_day_words("2027-06-15", "en")
    ('2027年6月15日', '15 June 2027')
    """
    it = date.fromisoformat(day)
    return f"{it.day} {it:%B} {it.year}" if language == "en" else f"{it.year}年{it.month}月{it.day}日"


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


def refusal_words(error: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A refusal that names a field, with the word that the form has for it.

    >>> refusal_words({"field": "due_day", "message": "due_day：预产期不能在过去"}, "zh")["message"]
    '预产期：预产期不能在过去'
    """
    field, message = error["field"] or "", str(error["message"])
    known = FIELDS.get(field.rpartition(".")[2])
    if known is not None and message.startswith(field):
        message = known[language == "en"] + message.removeprefix(field)
    return {**error, "message": message}


def remedy(code: str) -> Pair | None:
    """What one can do about a refusal, where there is something to be said."""
    return next((words for start, words in REMEDIES.items() if code.startswith(start)), None)


def _here(moment: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(HOSPITAL_ZONE)
