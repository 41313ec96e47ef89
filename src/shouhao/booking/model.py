"""Bookings: what is asked, what is known, what is answered. Values only; rules stand in limits.py and decide.py."""

from typing import ClassVar, Literal

import msgspec

from shouhao.kernel.clock import iso
from shouhao.kernel.errors import Refused, Unavailable
from shouhao.store.answers import Once

BookingState = Literal["offered", "held", "booked", "checked_in", "returned", "expired", "no_show"]

#: Channels whose staff see the patient or hear them, so that they may book without the patient's own account.
ASSISTED_CHANNELS = frozenset({"window", "phone", "kiosk"})
#: Channels that stand in the house, so that whoever uses them is there.
ON_SITE_CHANNELS = frozenset({"window", "kiosk"})


class BookRequest(msgspec.Struct, frozen=True, kw_only=True, tag="book"):
    """One request for one slot. A msgspec struct: thousands are made a second."""

    patient_id: str
    session_id: str
    channel: str
    slot_id: str | None = None  #: None: the first free number
    account_id: str | None = None  #: None: at an assisted channel
    sign_in_id: str | None = None
    staff_id: str | None = None
    device_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    pool: str | None = None  #: care or referral: a slot that is kept for such people
    note: str | None = None  #: what staff saw, such as the number of a referral
    once: Once | None = None


class ReturnRequest(msgspec.Struct, frozen=True, kw_only=True, tag="return"):
    """One request to return a slot, or to decline an offer."""

    booking_id: str
    channel: str
    account_id: str | None = None  #: None: staff do it
    staff_id: str | None = None
    sign_in_id: str | None = None
    device_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    once: Once | None = None


class EntryRequest(msgspec.Struct, frozen=True, kw_only=True, tag="enter"):
    """One request to stand in a draw, or to join the waitlist of a session."""

    patient_ids: tuple[str, ...]
    draw_id: str | None = None  #: one of these two
    session_id: str | None = None
    wishes: tuple[str, ...] = ()  #: session ids, best first; none: the one session it is about
    channel: str
    account_id: str | None = None  #: None: at an assisted channel
    sign_in_id: str | None = None
    staff_id: str | None = None
    device_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    once: Once | None = None


DeskRequest = BookRequest | EntryRequest | ReturnRequest  #: what is asked of the desk


class Applicant(msgspec.Struct, frozen=True, kw_only=True):
    """What another room says of the person who asks."""

    refusal: Refused | None = None  #: why this person, or this account for this person, may not book at all
    hot_from_us: int = 0  #: from when on this binding may book hot sessions
    care_ground: str | None = None  #: why this person may use the care pool: aged, disabled, pregnant


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as the desk sees it."""

    id: str
    department_id: str
    doctor_id: str | None
    day: str
    state: str
    fee_cents: int
    ends_at_us: int
    released_at_us: int | None
    hot: bool


class FreeSlot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot that nobody holds."""

    id: str
    session_id: str
    number: int
    starts_at_us: int
    ends_at_us: int
    reserved_for: str | None = None  #: window, phone, referral, care; None: anyone


class LiveBooking(msgspec.Struct, frozen=True):
    """What a person already holds."""

    session_id: str
    department_id: str
    day: str
    attended: bool = False  #: checked in: it counts for its day and week, and is no longer open


class Restriction(msgspec.Struct, frozen=True):
    """A time in which a person may not book."""

    reason: str  #: no_show, late_return, cooling
    department_id: str | None  #: None: in every department
    ends_at_us: int


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """One person's claim on one slot, live or past; its fields are the columns of its row."""

    id: str
    slot_id: str
    session_id: str
    department_id: str
    day: str
    patient_id: str
    account_id: str | None
    channel: str
    state: BookingState
    fee_cents: int
    starts_at_us: int
    created_at_us: int
    hold_expires_at_us: int | None
    ended_at_us: int = 0  #: 0 while live
    live: bool = True  #: offered, held, booked or checked in
    party_id: str | None = None  #: bookings that were made together, all or nothing
    wait_id: str | None = None  #: the place on a waitlist that it was offered to


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking as its owner sees it, in every channel."""

    id: str
    state: BookingState
    patient_id: str
    department_id: str
    session_id: str
    slot_id: str
    number: int
    day: str
    starts_at: str
    ends_at: str
    fee_cents: int
    hold_expires_at: str | None  #: until when an offer is to be accepted, or a held slot to be paid
    created_at: str
    party_id: str | None


def view(booking: Booking, *, number: int, ends_at_us: int) -> BookingView:
    """What the owner sees; instants as ISO 8601 in the hospital's zone."""
    held = booking.state in {"offered", "held"} and booking.hold_expires_at_us is not None
    return BookingView(
        id=booking.id,
        state=booking.state,
        patient_id=booking.patient_id,
        department_id=booking.department_id,
        session_id=booking.session_id,
        slot_id=booking.slot_id,
        number=number,
        day=booking.day,
        starts_at=iso(booking.starts_at_us),
        ends_at=iso(ends_at_us),
        fee_cents=booking.fee_cents,
        hold_expires_at=iso(booking.hold_expires_at_us or 0) if held else None,
        created_at=iso(booking.created_at_us),
        party_id=booking.party_id,
    )


class DeskFull(Unavailable):
    """More requests wait than can be decided in good time."""

    code: ClassVar[str] = "booking.busy"


class SessionUnknown(Refused):
    """No such session."""

    code = "booking.session_unknown"
    zh = "没有这个排班"
    en = "There is no such session"


class SessionNotReleased(Refused):
    """Its release time has not come."""

    code = "booking.session_not_released"
    zh = "该排班尚未放号"
    en = "The slots of this session are not released yet"


class SessionClosed(Refused):
    """It is closed, or over."""

    code = "booking.session_closed"
    zh = "该排班已停止预约"
    en = "This session no longer takes bookings"


class SoldOut(Refused):
    """Every slot of the session is taken."""

    code = "booking.sold_out"
    zh = "号源已约满"
    en = "All slots of this session are taken"


class SlotTaken(Refused):
    """The slot asked for is not free."""

    code = "booking.slot_taken"
    zh = "该号已被预约"
    en = "This slot is taken"


class CareProofNeeded(Refused):
    """The slots that are left are kept for people of 65 and older, disabled or pregnant."""

    code = "booking.care_proof_needed"
    zh = "该号仅限 65 岁及以上、残疾或怀孕的就诊人；残疾或怀孕请先到窗口登记证明"
    en = "This slot is kept for people of 65 and older, disabled or pregnant; show a proof at the window first"


class OnlyWithReferral(Refused):
    """The slots that are left are kept for referrals, which staff enter."""

    code = "booking.only_with_referral"
    zh = "转诊号源由窗口凭转诊单办理"
    en = "Slots for referrals are given at the window, against the referral"


class OfferExpired(Refused):
    """The time to accept is over."""

    code = "booking.offer_expired"
    zh = "确认时限已过，号源已转给下一位"
    en = "The time to accept is over and the slot went to the next in line"


class AlreadyBooked(Refused):
    """The person already holds a slot of this session."""

    code = "booking.already_booked"
    zh = "该就诊人在本排班已有预约"
    en = "This patient already holds a slot of this session"


class LimitReached(Refused):
    """The person holds as many bookings as the policy allows."""

    code = "booking.limit_reached"
    zh = "已达到预约上限：{scope_zh}最多 {limit} 个"
    en = "Booking limit reached: at most {limit} {scope_en}"


class Restricted(Refused):
    """The person may not book for a while."""

    code = "booking.restricted"
    zh = "因{reason_zh},{until} 前暂不能预约"
    en = "No booking until {until} because of {reason_en}"


class BindingTooNew(Refused):
    """A new binding may not book a hot session yet."""

    code = "booking.binding_too_new"
    zh = "该就诊人绑定时间过短，{until} 后方可预约热门号源"
    en = "This patient was bound too recently; hot sessions can be booked after {until}"


class BookingUnknown(Refused):
    """No such booking, or not the caller's."""

    code = "booking.unknown"
    zh = "没有这个预约"
    en = "There is no such booking"


class WrongState(Refused):
    """The booking is not in a state in which this can be done."""

    code = "booking.wrong_state"
    zh = "当前状态不能进行此操作"
    en = "This cannot be done in the booking's present state"


class HoldExpired(Refused):
    """The time to pay is over."""

    code = "booking.hold_expired"
    zh = "支付时限已过，号源已释放"
    en = "The time to pay is over and the slot was let go"


class TooLateToReturn(Refused):
    """The session has begun."""

    code = "booking.too_late_to_return"
    zh = "就诊时段已开始，不能退号"
    en = "The time segment has begun; the slot can no longer be returned"
