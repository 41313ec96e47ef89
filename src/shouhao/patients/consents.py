"""Consents: what somebody agreed to, who may agree for whom, and whether a consent stands now. Pure.

Giving and withdrawing are acts, each with a turn, and no act is ever changed: the latest of a person and kind says how
things stand. The words stand in consent_texts.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final, Literal

from shouhao.kernel.clock import day_of, years_between
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.consent_texts import KINDS, SCOPES, Kind, text_in_force
from shouhao.patients.policy import ADULT_YEARS

CHILD_YEARS = 14  #: PIPL art. 31; measures on face recognition art. 7

#: What ends with what: a face is checked only with the guardian's consent, and the other use of it only with the check.
RESTS_ON: Final[Mapping[Kind, tuple[Kind, ...]]] = {
    "face_check": ("child_data",),
    "face_leave_out": ("face_check", "child_data"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAct:
    """Somebody gave or withdrew one consent."""

    id: str
    subject_id: str  #: the account's id, or the patient's
    kind: Kind
    turn: int  #: counts the acts of this subject and kind, from 1
    act: Literal["given", "withdrawn"]
    text_version: str
    text_sha256: str
    language: str  #: in which the words were shown
    account_id: str | None  #: None where staff did it for the person before them
    staff_id: str | None
    channel: str
    note: str | None  #: what staff wrote, or with which other consent it ended
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A patient, as far as consents ask."""

    birth_day: date
    own: bool  #: the account's own person
    guarded: bool  #: a child of whom the account's own person is a guardian


class ConsentNotYours(Refused):
    """Nobody agrees for another adult, and for a child only its guardian."""

    code: ClassVar[str] = "patients.consent_not_yours"
    zh: ClassVar[str] = "这一项只能由本人同意；未成年人由监护人（本账号的本人）同意。也可由本人到窗口办理"
    en: ClassVar[str] = (
        "Only the person agrees to this; for a minor the guardian who is this account's own person. "
        "The person can also do it at the window"
    )


class ConsentNotAsked(Refused):
    """This is not asked of this person."""

    code: ClassVar[str] = "patients.consent_not_asked"
    zh: ClassVar[str] = "已满 {under_years} 周岁，不需要这一项同意"
    en: ClassVar[str] = "This is asked for children under {under_years} only"


class ConsentFirst(Refused):
    """It rests on another consent, which does not stand."""

    code: ClassVar[str] = "patients.consent_first"
    zh: ClassVar[str] = "请先决定是否同意“{title_zh}”，再决定这一项"
    en: ClassVar[str] = 'Decide on "{title_en}" first, and on this afterwards'


def known_kind(kind: str) -> Kind:
    """A kind by its word.

    Raises:
        InvalidInput: there is no such kind.
    """
    for known in KINDS:
        if known == kind:
            return known
    raise InvalidInput("kind", zh=f"应为 {'、'.join(KINDS)} 之一", en=f"must be one of {', '.join(KINDS)}")


def check_subject(kind: Kind, patient_id: str | None) -> None:
    """Whether a patient is named where one is asked for, and only there.

    Raises:
        InvalidInput: one is missing, or too many.
    """
    if (SCOPES[kind] == "patient") != (patient_id is not None):
        raise InvalidInput(
            "patient_id",
            zh="这一项须写明就诊人" if patient_id is None else "这一项不针对某位就诊人",
            en="this is asked for one patient" if patient_id is None else "this is not about one patient",
        )


def check_withdrawable(kind: Kind) -> None:
    """Whether there is anything to withdraw: having read is no agreement.

    Raises:
        InvalidInput: there is not.
    """
    if kind == "notice":
        raise InvalidInput("kind", zh="已阅读不是同意，无需撤回", en="having read it agrees to nothing")


def check_text(kind: Kind, version: str) -> None:
    """Whether the words that were shown are those in force.

    Raises:
        InvalidInput: they are not; they have to be read again.
    """
    if version != text_in_force(kind).version:
        raise InvalidInput("text_version", zh="文字已更新，请重新阅读", en="is not the text in force; read it again")


def check_age(kind: Kind, birth_day: date, *, today: date) -> None:
    """Whether this is asked of somebody of this age.

    Raises:
        ConsentNotAsked: a guardian's consent of who is old enough.
    """
    if kind == "child_data" and years_between(birth_day, today) >= CHILD_YEARS:
        raise ConsentNotAsked("patient_id", under_years=CHILD_YEARS)


def check_giver(kind: Kind, person: Person, *, today: date) -> None:
    """Whether this account may agree to this for this person.

    Raises:
        ConsentNotAsked: a guardian's consent of who is old enough.
        ConsentNotYours: it is another adult's to give, or another guardian's.
    """
    check_age(kind, person.birth_day, today=today)
    minor = years_between(person.birth_day, today) < ADULT_YEARS
    if not (person.guarded if minor else person.own):
        raise ConsentNotYours("patient_id")


def check_rests(kind: Kind, latest: Mapping[Kind, ConsentAct], *, birth_day: date, today: date) -> None:
    """Whether what this consent rests on stands.

    Args:
        latest: the patient's latest acts.
    Raises:
        ConsentFirst: it does not.
    """
    for other in rests_on(kind, birth_day=birth_day, today=today):
        if not stands(latest.get(other), birth_day=birth_day, today=today):
            text = text_in_force(other)
            raise ConsentFirst("kind", title_zh=text.zh.title, title_en=text.en.title)


def stands(latest: ConsentAct | None, *, birth_day: date | None = None, today: date) -> bool:
    """Whether a consent counts now: given, to the words in force, and by whom it is today to decide.

    Args:
        latest: the latest act of its subject and kind.
        birth_day: of the patient; None for what an account agrees to. Who has come of age since decides anew.
    """
    if latest is None or latest.act != "given" or latest.text_version != text_in_force(latest.kind).version:
        return False
    if birth_day is None:
        return True
    minor_then = years_between(birth_day, day_of(latest.at_us)) < ADULT_YEARS
    return not (minor_then and years_between(birth_day, today) >= ADULT_YEARS)


def all_stand(latest: Mapping[Kind, ConsentAct], kind: Kind, *, birth_day: date, today: date) -> bool:
    """Whether a patient's consent counts now, together with those it rests on."""
    needed = (*rests_on(kind, birth_day=birth_day, today=today), kind)
    return all(stands(latest.get(one), birth_day=birth_day, today=today) for one in needed)


def rests_on(kind: Kind, *, birth_day: date, today: date) -> tuple[Kind, ...]:
    """What this rests on for somebody of this age: a guardian's consent is asked for children alone."""
    child = years_between(birth_day, today) < CHILD_YEARS
    return tuple(one for one in RESTS_ON.get(kind, ()) if child or one != "child_data")


def ends_with(kind: Kind) -> tuple[Kind, ...]:
    """What a withdrawal of this takes along."""
    return tuple(other for other, needed in RESTS_ON.items() if kind in needed)
