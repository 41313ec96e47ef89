"""Model: patients, the accounts that act for them, and the rules that tie one to the other. Pure.

Nothing here holds a name or a number in the clear: those stay sealed, and only what is masked is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Literal, get_args

from shouhao.kernel.clock import SECOND_US, iso, years_between
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.policy import ADULT_YEARS, BindingPolicy

Relation = Literal["self", "child", "parent", "spouse", "other"]
RELATIONS: tuple[str, ...] = get_args(Relation)
Verification = Literal["pending", "in_review", "verified", "rejected"]
VERIFICATIONS: tuple[str, ...] = get_args(Verification)
PHOTO_REVIEW, WINDOW = "photo_review", "window"  #: `verified_by` where a person looked


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who signs in: a phone that received a code."""

    id: str
    phone_masked: str
    active: bool
    created_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """One person with one document; sealed fields open only with the vault."""

    id: str
    document_kind: str
    document_sealed: str
    document_masked: str
    name_sealed: str
    name_masked: str
    phone_sealed: str
    phone_masked: str
    birth_day: date
    sex: str | None
    verification: str
    verified_by: str | None
    version: int  #: counts changes, so that a verdict on an older state is not applied

    def age(self, today: date) -> int:
        """Completed years."""
        return years_between(self.birth_day, today)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An account acts for a patient until it is unbound."""

    id: str
    account_id: str
    patient_id: str
    relation: str
    guarded: bool  #: a guardian must be bound to the same account as long as this lives
    bound_at_us: int
    unbound_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardianship:
    """An adult answers for a child."""

    id: str
    child_id: str
    guardian_id: str
    bound_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientView:
    """What an account sees of a patient that it is bound to: masked."""

    patient_id: str
    name_masked: str
    document_kind: str
    document_masked: str
    phone_masked: str
    birth_day: date
    sex: str | None
    relation: str
    verification: str
    verified_by: str | None
    bound_at_us: int
    hot_from_us: int  #: from when on hot sessions may be booked this way
    needs_guardian: bool
    guardian_ids: tuple[str, ...]  #: those bound to the same account


class CannotRegister(Refused):
    """The same answer whatever it is that does not fit, so that nothing is learned about the stored person."""

    code: ClassVar[str] = "patients.cannot_register"
    zh: ClassVar[str] = "姓名与证件无法登记，请核对后重试，或携带证件到窗口办理"
    en: ClassVar[str] = "This name and document cannot be registered; check them, or bring the document to the window"


class DocumentKnown(Refused):
    """At a window: the document is a patient's, whose name or birth day is another one."""

    code: ClassVar[str] = "patients.document_known"
    zh: ClassVar[str] = "该证件已登记，但姓名或出生日期不同；请按证件查找后更正"
    en: ClassVar[str] = "This document is known with another name or birth day; look it up and correct it"


class AlreadyBound(Refused):
    """This account is bound to this patient already."""

    code: ClassVar[str] = "patients.already_bound"
    zh: ClassVar[str] = "该就诊人已绑定在本账号"
    en: ClassVar[str] = "This patient is already bound to this account"


class TooManyPatients(Refused):
    """The account is bound to as many patients as it may."""

    code: ClassVar[str] = "patients.too_many_patients"
    zh: ClassVar[str] = "每个账号最多绑定 {limit} 位就诊人"
    en: ClassVar[str] = "An account may be bound to at most {limit} patients"


class BindingTooSoon(Refused):
    """The account has made many bindings and must wait."""

    code: ClassVar[str] = "patients.binding_too_soon"
    zh: ClassVar[str] = "绑定过于频繁，请在 {from_at} 之后再试"
    en: ClassVar[str] = "Too many bindings in a short time; try again after {from_at}"


class RelationNotPossible(Refused):
    """The relation contradicts what is known of the two people."""

    code: ClassVar[str] = "patients.relation_not_possible"
    zh: ClassVar[str] = "关系不成立：{why_zh}"
    en: ClassVar[str] = "This relation is not possible: {why_en}"


class GuardianNeeded(Refused):
    """A child cannot be bound without a guardian."""

    code: ClassVar[str] = "patients.guardian_needed"
    zh: ClassVar[str] = "未满 {under_years} 周岁须由本账号已绑定的监护人办理"
    en: ClassVar[str] = "Under {under_years}, a guardian who is bound to this account is needed"


class GuardianNotAble(Refused):
    """The person named cannot be a guardian."""

    code: ClassVar[str] = "patients.guardian_not_able"
    zh: ClassVar[str] = "监护人须年满 18 周岁并已通过实名核验"
    en: ClassVar[str] = "A guardian must be 18 or older and verified"


class TooManyGuardians(Refused):
    """The child has as many guardians as it may."""

    code: ClassVar[str] = "patients.too_many_guardians"
    zh: ClassVar[str] = "每位儿童最多 {limit} 位监护人，如需变更请到窗口办理"
    en: ClassVar[str] = "A child may have at most {limit} guardians; changes are made at the window"


class TooManyChildren(Refused):
    """The guardian answers for as many children as one may."""

    code: ClassVar[str] = "patients.too_many_children"
    zh: ClassVar[str] = "每位监护人最多监护 {limit} 位儿童"
    en: ClassVar[str] = "A guardian may answer for at most {limit} children"


class GuardianStillNeeded(Refused):
    """Unbinding this person would leave a child without a guardian."""

    code: ClassVar[str] = "patients.guardian_still_needed"
    zh: ClassVar[str] = "该就诊人是同一账号下儿童的唯一监护人，请先解绑儿童"
    en: ClassVar[str] = "This patient is the only guardian of a child on the same account; unbind the child first"


def is_child(patient_birth_day: date, *, today: date, policy: BindingPolicy) -> bool:
    """Whether a guardian is needed."""
    return years_between(patient_birth_day, today) < policy.guardian_required_under_years


def known_relation(text: str) -> Relation:
    """A relation by its word.

    Raises:
        InvalidInput: there is no such relation.
    """
    for relation in get_args(Relation):
        if relation == text:
            return relation  # type: ignore[no-any-return]
    raise InvalidInput(
        "relation", zh=f"关系应为 {'、'.join(RELATIONS)} 之一", en=f"must be one of {', '.join(RELATIONS)}"
    )


def check_caps(bindings: Sequence[Binding], *, policy: BindingPolicy, now_us: int) -> None:
    """Whether an account may make one more binding now.

    Args:
        bindings: all that the account ever made, unbound ones too: rebinding in turns is what resellers do.
    Raises:
        TooManyPatients: it holds as many as it may.
        BindingTooSoon: it made several and the latest is too young.
    """
    if sum(binding.unbound_at_us is None for binding in bindings) >= policy.max_patients_per_account:
        raise TooManyPatients(limit=policy.max_patients_per_account)
    if len(bindings) >= policy.bindings_without_cooling:
        from_us = max(binding.bound_at_us for binding in bindings) + policy.binding_cooling_s * SECOND_US
        if now_us < from_us:
            raise BindingTooSoon(from_at=iso(from_us), retry_after_s=-(-(from_us - now_us) // SECOND_US))


def check_relation(
    relation: Relation, birth_day: date, *, own_birth_day: date | None, child: bool, today: date
) -> None:
    """Whether a relation can be, as far as ages and the account's own person tell.

    Args:
        own_birth_day: of the person bound as `self`, where there is one.
        child: the patient needs a guardian.
    Raises:
        RelationNotPossible: it cannot.
    """
    if relation == "self" and own_birth_day is not None:
        raise RelationNotPossible(
            "relation", why_zh="本账号已绑定本人", why_en="this account has its own person already"
        )
    if child and relation not in {"child", "other"}:
        raise RelationNotPossible(
            "relation",
            why_zh="须由监护人办理的儿童只能是子女或其他",
            why_en="one who needs a guardian is child or other",
        )
    if relation in {"parent", "spouse"} and years_between(birth_day, today) < ADULT_YEARS:
        raise RelationNotPossible("relation", why_zh="父母、配偶须成年", why_en="a parent or spouse is an adult")
    if own_birth_day is None:
        return
    if relation == "child" and birth_day <= own_birth_day:
        raise RelationNotPossible("relation", why_zh="子女不能比本人年长", why_en="a child is younger than oneself")
    if relation == "parent" and birth_day >= own_birth_day:
        raise RelationNotPossible("relation", why_zh="父母不能比本人年轻", why_en="a parent is older than oneself")


def check_guardian(guardian: Patient, *, today: date) -> None:
    """Whether a person may answer for a child.

    Raises:
        GuardianNotAble: a minor, or nobody has confirmed who they are.
    """
    if guardian.age(today) < ADULT_YEARS or guardian.verification != "verified":
        raise GuardianNotAble("guardian_patient_id")
