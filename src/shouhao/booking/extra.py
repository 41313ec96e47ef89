"""Extra slots (加号): when a doctor's word is enough and when a second person must agree. Pure.

Extra slots are how insiders sell places, so each names a doctor, a reason and a real patient, and beyond the
doctor's daily cap somebody else has to agree.
"""

from typing import ClassVar

from shouhao.kernel.errors import InvalidInput, Refused

_REASON_SHORTEST, _REASON_LONGEST = 4, 500


class NotThisDoctor(Refused):
    """The session is another doctor's, or nobody's."""

    code: ClassVar[str] = "booking.not_this_doctor"
    zh: ClassVar[str] = "只有出诊医生本人可以申请加号"
    en: ClassVar[str] = "Only the doctor of the session can ask for an extra slot"


class SecondPersonNeeded(Refused):
    """Whoever asked cannot also agree."""

    code: ClassVar[str] = "booking.second_person_needed"
    zh: ClassVar[str] = "须由申请人以外的第二人审批"
    en: ClassVar[str] = "Somebody other than who asked has to decide"


class RequestDecided(Refused):
    """The request was decided before."""

    code: ClassVar[str] = "booking.extra_request_decided"
    zh: ClassVar[str] = "该加号申请已处理"
    en: ClassVar[str] = "This request was already decided"


def checked_reason(reason: str) -> str:
    """The reason, if it can be one.

    Raises:
        InvalidInput: too short to say anything, too long to read, or not text.
    """
    said = reason.strip()
    if not _REASON_SHORTEST <= len(said) <= _REASON_LONGEST or "\0" in said:
        raise InvalidInput("reason", zh="须填写 4 至 500 字的理由", en="needs a reason of 4 to 500 characters")
    return said


def needs_second_person(*, granted_today: int, daily_cap: int) -> bool:
    """Whether this one goes beyond what the doctor may add alone that day."""
    return granted_today >= daily_cap
