"""Antenatal registration: the dates a woman states, the states of her application, and what is said when it cannot be.

Dates are declared by whoever applies, so they are held against each other and against the calendar before a place
depends on them; the papers are seen when she comes. Pure.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, get_args

from shouhao.booking.release.antenatal import MonthRules, Tier
from shouhao.kernel.clock import day_of, start_of_day_us, years_between
from shouhao.kernel.errors import InvalidInput, Refused

DueSource = Literal["lmp", "ultrasound"]
DUE_SOURCES: tuple[DueSource, ...] = get_args(DueSource)

#: entered: in a draw that is not made; referred: she agreed to be asked for elsewhere; transferred: a partner took her.
ApplicationState = Literal[
    "entered",
    "waiting",
    "granted",
    "confirmed",
    "referred",
    "lapsed",
    "withdrawn",
    "transferred",
    "left_out",
    "ended",
]
APPLICATION_STATES: tuple[ApplicationState, ...] = get_args(ApplicationState)
LIVE: Final = frozenset({"entered", "waiting", "granted", "confirmed", "referred"})
HOLDING: Final = frozenset({"granted", "confirmed"})  #: a place

_PREGNANCY_DAYS = 280  #: from the last menstrual period to the due day (Naegele's rule)
_LONGEST_DAYS = 294  #: no due day lies further ahead: two weeks beyond a whole pregnancy
_APART_DAYS: Mapping[str, int] = {"lmp": 7, "ultrasound": 14}  #: how far a due day may lie from its LMP's
_AGES = (14, 60)
_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Pregnancy:
    """What is stated about a pregnancy, nothing checked yet."""

    source: str  #: lmp: reckoned from the last menstrual period; ultrasound: measured
    lmp_day: date | None = None
    due_day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """One woman's application to one due month."""

    id: str
    patient_id: str
    account_id: str | None
    channel: str
    month: str
    lmp_day: str | None
    due_day: str
    due_source: str
    tier: Tier
    state: ApplicationState
    place_tier: Tier | None  #: of the place she holds; another tier may have lent it
    entry: str  #: her entry in what is published; says nothing of who she is
    ahead: bool  #: she held a place and lost it when staff moved her
    batch_at_us: int  #: end of the batch with which she was put in order: the window's, or her day's
    turn: str  #: within the batch; empty before the draw
    entered_at_us: int
    granted_at_us: int | None
    confirm_by_us: int | None
    confirmed_at_us: int | None
    ended_at_us: int  #: 0 while live


class AntenatalNotOpen(Refused):
    """Applications for the due month are not taken yet."""

    code = "booking.antenatal_not_open"
    zh = "预产期 {month} 的建档申请尚未开放"
    en = "Applications for the due month {month} are not taken yet"


class AntenatalClosed(Refused):
    """Registration of the due month is over."""

    code = "booking.antenatal_closed"
    zh = "预产期 {month} 的建档登记已截止"
    en = "Registration for the due month {month} is closed"


class AlreadyRegistered(Refused):
    """The woman has a live application, in this month or another one."""

    code = "booking.antenatal_already_registered"
    zh = "该就诊人已有建档申请（预产期 {month}）"
    en = "This patient already has an antenatal registration (due month {month})"


class ApplicationUnknown(Refused):
    """No such application, or not the caller's."""

    code = "booking.antenatal_unknown"
    zh = "没有这个建档申请"
    en = "There is no such antenatal application"


class WrongApplicationState(Refused):
    """The application is not in a state in which this can be done."""

    code = "booking.antenatal_wrong_state"
    zh = "建档申请当前状态（{state}）不能进行此操作"
    en = "This cannot be done in the application's present state ({state})"


class ConfirmTooLate(Refused):
    """The time to come with the papers is over."""

    code = "booking.antenatal_confirm_too_late"
    zh = "确认时限已过，名额已顺延给下一位"
    en = "The time to confirm is over and the place goes to the next"


class OfferGone(Refused):
    """The partner's offer is not, or no longer, one for this woman."""

    code = "booking.antenatal_offer_gone"
    zh = "该合作医院的名额已满、已过期，或与您的预产期、风险等级不符"
    en = "This partner's places are taken, out of date, or for another due month or tier"


class ReferralSent(Refused):
    """What she agreed to share has been sent."""

    code = "booking.antenatal_referral_sent"
    zh = "转介资料已发送给合作医院，请等待答复"
    en = "The referral was sent to the partner hospital; please wait for the answer"


class WindowOpen(Refused):
    """A policy would change a month while women apply to it."""

    code = "booking.antenatal_window_open"
    zh = "预产期 {month} 的申请窗口正在进行，其规则不能更改"
    en = "The entry window of the due month {month} is open; its rules cannot change"


def expected_due_day(stated: Pregnancy, *, today: date) -> date:
    """The due day that the statement gives, when it can be true.

    Raises:
        InvalidInput: a day is missing, lies where none can lie, or the two contradict each other.
    """
    if stated.source not in DUE_SOURCES:
        listed = ", ".join(DUE_SOURCES)
        raise InvalidInput("source", zh=f"应为 {listed} 之一", en=f"must be one of {listed}")
    lmp, due = stated.lmp_day, stated.due_day
    if lmp is not None and lmp > today:
        raise InvalidInput("lmp_day", zh="末次月经不能在今天之后", en="the last menstrual period cannot lie ahead")
    if due is None:
        if stated.source == "ultrasound" or lmp is None:
            raise InvalidInput("due_day", zh="须填写预产期或末次月经", en="the due day or the period must be given")
        due = lmp + timedelta(days=_PREGNANCY_DAYS)
        if due < today:
            raise InvalidInput("lmp_day", zh="推算的预产期已过", en="the due day reckoned from it is over")
        return due
    if due < today:
        raise InvalidInput("due_day", zh="预产期不能在过去", en="must not lie in the past")
    if (due - today).days > _LONGEST_DAYS:
        raise InvalidInput(
            "due_day", zh=f"不能在 {_LONGEST_DAYS} 天之后", en=f"must not lie more than {_LONGEST_DAYS} days ahead"
        )
    apart = _APART_DAYS[stated.source]
    if lmp is not None and abs((due - lmp).days - _PREGNANCY_DAYS) > apart:
        raise InvalidInput(
            "due_day",
            zh=f"与末次月经推算的预产期相差超过 {apart} 天",
            en=f"lies more than {apart} days from what the last menstrual period gives",
        )
    return due


def check_gestation(stated: Pregnancy, due: date, *, rules: MonthRules, today: date) -> None:
    """Whether it is time to apply, in completed weeks.

    Raises:
        InvalidInput: it is too early or too late.
    """
    weeks = (_PREGNANCY_DAYS - (due - today).days) // _WEEK_DAYS
    first, last = rules.gestation_weeks_from, rules.gestation_weeks_to
    if not first <= weeks <= last:
        raise InvalidInput(
            "lmp_day" if stated.due_day is None else "due_day",
            zh=f"孕周 {weeks}，建档须在孕 {first} 至 {last} 周",
            en=f"means week {weeks}; applications are taken in weeks {first} to {last}",
        )


def check_woman(*, sex: str | None, birth_day: date, today: date) -> None:
    """Whether the person on record can be pregnant, as far as the record tells.

    Raises:
        InvalidInput: recorded as male, or of an age at which nobody is.
    """
    if sex == "male":
        raise InvalidInput("patient_id", zh="就诊人登记性别为男", en="is recorded as male")
    youngest, oldest = _AGES
    if not youngest <= years_between(birth_day, today) <= oldest:
        raise InvalidInput(
            "patient_id",
            zh=f"就诊人年龄须在 {youngest} 至 {oldest} 周岁之间",
            en=f"must be between {youngest} and {oldest} years old",
        )


# The order of waiting: who was moved by staff and lost a place, then the draw of the window, then day after day, and
# within each by keyed hash. Arriving early within a window or a day gains nothing; neither does applying again, since
# a woman's entry in one draw is always the same.


def entry_of(key: bytes, *, draw_id: str, patient_id: str) -> str:
    """A woman's entry in one month: the same however often she applies, another in the next, and nobody's name."""
    return "ae_" + hmac.digest(key, f"antenatal entry\0{draw_id}\0{patient_id}".encode(), hashlib.sha256).hex()[:32]


def draw_secret(key: bytes, draw_id: str) -> bytes:
    """The hospital's part of a draw's seed; made again from its key when it is needed, and stored nowhere before."""
    return hmac.digest(key, f"antenatal draw\0{draw_id}".encode(), hashlib.sha256)


def turn_within_day(key: bytes, *, draw_id: str, day_end_us: int, entry: str) -> str:
    """Her turn among those who apply on one day after the draw."""
    seed = hmac.digest(key, f"antenatal day\0{draw_id}\0{day_end_us}".encode(), hashlib.sha256)
    return hmac.digest(seed, entry.encode(), hashlib.sha256).hex()


def day_end_us(now_us: int) -> int:
    """The end of the day, which names its batch; later than any window that closed before now."""
    return start_of_day_us(day_of(now_us) + timedelta(days=1))


def turn_of_place(place: int) -> str:
    """A place in the drawn order as text that sorts like it.

    >>> turn_of_place(12) < turn_of_place(101)
    True
    """
    return f"{place:08d}"


def turn_of(application: Application) -> tuple[int, int, str]:
    """What the waiting are sorted by."""
    return (0 if application.ahead else 1, application.batch_at_us, application.turn)


#: What a woman agrees to before anything of hers goes to a partner. A change of the words is a new version.
CONSENT_VERSION: Final = "2026-1"
CONSENT_DATA: Final = ("name", "phone", "due_day", "tier")
CONSENT_TEXT: Final = {
    "zh": "我同意将我的姓名、电话、预产期和妊娠风险等级提供给所选合作医院，仅用于联系我建档。发送之前可以撤回。",
    "en": (
        "I agree that my name, phone, due day and risk tier are given to the partner hospital I chose, only so that it "
        "can offer me a registration. I can withdraw until it is sent."
    ),
}


_WHY: Mapping[str, tuple[str, str]] = {
    "entered": ("申请窗口内所有申请机会均等，窗口结束后抽签", "all applications of the window are equal; it is drawn"),
    "granted": ("已有名额，请在时限内携带材料确认", "there is a place; come with the papers in time"),
    "confirmed": ("已建档", "registered"),
    "referred": ("已同意转介，等待合作医院答复", "agreed to be referred; the partner hospital will answer"),
    "lapsed": ("未在时限内确认，名额已顺延", "not confirmed in time; the place went to the next"),
    "withdrawn": ("已撤回", "withdrawn"),
    "transferred": ("合作医院已接收", "a partner hospital has taken over"),
    "left_out": ("抽签时不符合条件", "not entitled when the draw was made"),
    "ended": ("该月登记已结束", "the month is over"),
}
_WHY_WAITING: Mapping[str, tuple[str, str]] = {
    "moved": ("风险等级调整后该级暂无名额，优先候补", "moved to a tier without a place; first in its order"),
    "draw": ("抽签未中，按抽签次序候补", "not drawn for a place; waits in the drawn order"),
    "day": ("窗口后申请，当日申请者之间按抽签次序", "applied after the window; the order within a day is drawn"),
}


def why(application: Application, *, window_closes_at_us: int) -> tuple[str, str]:
    """Why the application stands as it does, in Chinese and English."""
    if application.state != "waiting":
        return _WHY[application.state]
    if application.ahead:
        return _WHY_WAITING["moved"]
    return _WHY_WAITING["draw" if application.batch_at_us == window_closes_at_us else "day"]
