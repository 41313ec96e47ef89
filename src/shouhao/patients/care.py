"""Care: who may take a place that is kept for people of 65 and older, disabled or pregnant. Pure.

Age is taken from the birth day and needs no paper, as long as somebody other than the person says the birth day. The
rest needs a paper that staff saw; which kind of paper it was is kept, its number only sealed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal, get_args

from shouhao.kernel.clock import years_between
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.documents import says_birth_day
from shouhao.patients.model import WINDOW, Patient
from shouhao.patients.texts import clean_text

Ground = Literal["aged", "disabled", "pregnant"]
GROUNDS: tuple[Ground, ...] = get_args(Ground)  #: where several hold, the first is told
CareKind = Literal["disabled", "pregnant"]
CARE_KINDS: tuple[CareKind, ...] = get_args(CareKind)
CARE_AGE_YEARS = 65
PREGNANCY_MOST_DAYS = 300  #: no pregnancy lasts longer, so no proof of one does
PREGNANT_YEARS = (12, 60)
REFERENCE_LENGTH = (4, 40)

#: The papers that prove each kind.
PROOFS: Mapping[CareKind, tuple[str, ...]] = {
    "disabled": (
        "disability_certificate",  # 残疾人证
        "veterans_disability_certificate",  # 残疾军人证
        "duty_disability_certificate",  # 伤残人民警察证、伤残公务员证、因战因公伤残人员证
    ),
    "pregnant": (
        "maternity_record",  # 孕产妇保健手册、母子健康手册
        "pregnancy_diagnosis",  # 诊断证明
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CareProof:
    """A paper that staff saw. It counts until it is revoked or runs out."""

    id: str
    patient_id: str
    kind: str
    proof: str
    reference_sealed: str | None
    valid_until: date | None  #: the last day on which it counts
    staff_id: str
    recorded_at_us: int
    revoked_at_us: int | None = None
    revoked_by: str | None = None
    revoke_reason: str | None = None

    def has_run_out(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.valid_until is not None and self.valid_until < today

    def counts(self, today: date) -> bool:
        """Whether it proves anything now."""
        return self.revoked_at_us is None and not self.has_run_out(today)


class CareProofNeeded(Refused):
    """The place is kept for people to whom this patient does not belong, as far as is known."""

    code: ClassVar[str] = "patients.care_proof_needed"
    zh: ClassVar[str] = "该号源留给 65 周岁及以上、残疾或怀孕的就诊人，请到窗口出示证明"
    en: ClassVar[str] = (
        "This place is kept for people of 65 and older, disabled or pregnant; show the proof at the window"
    )


class CareProofExists(Refused):
    """A proof of this kind counts already."""

    code: ClassVar[str] = "patients.care_proof_exists"
    zh: ClassVar[str] = "该就诊人已有同类有效证明，请先撤销"
    en: ClassVar[str] = "This patient has a proof of this kind already; revoke it first"


class CareProofUnknown(Refused):
    """There is no such proof, or it was revoked."""

    code: ClassVar[str] = "patients.care_proof_unknown"
    zh: ClassVar[str] = "没有这条证明，或已撤销"
    en: ClassVar[str] = "There is no such proof, or it was revoked"


def birth_day_is_sure(*, verification: str, verified_by: str | None, document_kind: str, document_masked: str) -> bool:
    """Whether somebody other than the person says the birth day.

    Neither an authority nor a photo review is asked about the birth day that was typed beside a passport. Only a
    number that holds it, or staff with the paper before them, say it: else anybody with a passport could be 65.
    """
    return verification == "verified" and (says_birth_day(document_kind, document_masked) or verified_by == WINDOW)


def ground(*, born: date | None, proven: Iterable[str], today: date) -> Ground | None:
    """Why somebody may take a place that is kept, or None.

    Args:
        born: the birth day, where it is sure.
        proven: kinds of the proofs that count today.
    """
    if born is not None and years_between(born, today) >= CARE_AGE_YEARS:
        return "aged"
    known = set(proven)
    return next((one for one in GROUNDS if one in known), None)


def known_kind(kind: str, proof: str) -> CareKind:
    """A kind by its word, if the paper is one that proves it.

    Raises:
        InvalidInput: there is no such kind, or this paper does not prove it.
    """
    for known in CARE_KINDS:
        if known == kind:
            if proof not in PROOFS[known]:
                raise InvalidInput(
                    "proof", zh=f"应为 {'、'.join(PROOFS[known])} 之一", en=f"must be one of {', '.join(PROOFS[known])}"
                )
            return known
    raise InvalidInput("kind", zh=f"应为 {'、'.join(CARE_KINDS)} 之一", en=f"must be one of {', '.join(CARE_KINDS)}")


def check_person(kind: CareKind, patient: Patient, *, today: date) -> None:
    """Whether what is recorded of the patient allows this kind.

    Raises:
        InvalidInput: a pregnancy of a man, or at an age at which nobody is pregnant.
    """
    if kind != "pregnant":
        return
    if patient.sex == "male":
        raise InvalidInput("kind", zh="与登记的性别不符", en="does not fit the recorded sex")
    youngest, oldest = PREGNANT_YEARS
    if not youngest <= patient.age(today) <= oldest:
        raise InvalidInput(
            "kind", zh=f"只用于 {youngest} 至 {oldest} 周岁", en=f"is for people of {youngest} to {oldest} years"
        )


def check_valid_until(kind: CareKind, valid_until: date | None, *, today: date) -> None:
    """Whether the last day of a proof can be.

    Raises:
        InvalidInput: it is over, or a pregnancy has none or one that is too far away.
    """
    if valid_until is not None and valid_until < today:
        raise InvalidInput("valid_until", zh="证明已过期", en="the proof has run out")
    if kind != "pregnant":
        return
    if valid_until is None:
        raise InvalidInput("valid_until", zh="怀孕证明须填写截止日期", en="a proof of pregnancy needs its last day")
    if valid_until > today + timedelta(days=PREGNANCY_MOST_DAYS):
        raise InvalidInput(
            "valid_until",
            zh=f"不能超过今天起 {PREGNANCY_MOST_DAYS} 天",
            en=f"must be at most {PREGNANCY_MOST_DAYS} days from today",
        )


def paper_number(field: str, text: str) -> str:
    """The number on a paper in one form.

    Raises:
        InvalidInput: too short, too long, or with characters that cannot be seen.
    """
    number = clean_text(field, text).upper()
    shortest, longest = REFERENCE_LENGTH
    if not shortest <= len(number) <= longest:
        raise InvalidInput(
            field, zh=f"应为 {shortest} 至 {longest} 个字符", en=f"has {shortest} to {longest} characters"
        )
    return number
