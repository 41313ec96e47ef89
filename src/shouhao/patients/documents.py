"""Documents: which papers name a person, the rule each number keeps, and what a number says by itself.

A resident ID number (GB 11643) holds an area, a birth day, a sex and a check digit; each is checked and the birth day
and sex are taken from it, never from the form. A foreigner's permanent residence card of the 2023 form holds a birth
day and a check digit, that of the 2017 form neither. Other kinds say nothing of a birth day, so it must be given.
Numbers are brought to one form, so that one paper is one person however it is typed: the last two digits of a ten-digit
travel permit count reissues, and only the first eight stay for life.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from stdnum import numdb
from stdnum.cn import ric

from shouhao.kernel.clock import years_between
from shouhao.kernel.errors import InvalidInput
from shouhao.patients.texts import clean_text

DocumentKind = Literal[
    "resident_id", "passport", "hk_macau_permit", "taiwan_permit", "household_register", "permanent_residence_card"
]
DOCUMENT_KINDS: tuple[str, ...] = get_args(DocumentKind)
Sex = Literal["male", "female"]
SEXES: tuple[str, ...] = get_args(Sex)

KIND, NUMBER, BIRTH_DAY, SEX = "document.kind", "document.number", "birth_day", "sex"
OLDEST_YEARS = 130  #: nobody on record has lived longer

_RESIDENT_LENGTH = 18
_OLD_RESIDENT_LENGTH = 15
#: Residence permits of Hong Kong, Macau and Taiwan residents (港澳台居民居住证, State Council 2018) share the shape.
_PERMIT_AREAS = {"810000", "820000", "830000"}
#: Areas founded after the library's list was made.
_NEWER_AREAS = {"330113", "330114"}
_FOREIGNER = "9"  #: how the number of a permanent residence card begins; areas begin with 1 to 8
_LONGEST_INPUT = 40
_MASK_LONG = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A number that keeps every rule of its kind, in its one form, and the person's days as far as known."""

    kind: DocumentKind
    number: str
    birth_day: date
    sex: Sex | None

    @property
    def identity(self) -> str:
        """What makes two documents the same one; hashed, it finds the patient."""
        return f"{self.kind}:{self.number}"

    @property
    def masked(self) -> str:
        """What may be shown of the number."""
        return mask_number(self.number)


def read_document(
    kind: str,
    number: str,
    *,
    birth_day: date | None,
    sex: str | None,
    today: date,
    newborn_under_years: int,
) -> Document:
    """Check a document in full and bring it to its one form.

    Args:
        kind: one of `DOCUMENT_KINDS`.
        birth_day: needed unless the number says it; given as well, it must agree.
        newborn_under_years: a household register page names only a child younger than that.
    Raises:
        InvalidInput: the field and the rule it breaks.
        Source: GB 11643-1999; ISO 7064 MOD 11-2; National Immigration Administration, 新版外国人永久居留身份证机读信息
            规则 (2023), for the permanent residence card.
    """
    rule = _rule(kind)
    if sex is not None and sex not in SEXES:
        raise InvalidInput(SEX, zh="性别应为 male 或 female", en="must be male or female")
    compact = _compact(number)
    said = rule(compact, today)
    if birth_day is not None and said.birth_day is not None and said.birth_day != birth_day:
        raise InvalidInput(BIRTH_DAY, zh="与证件号码中的出生日期不一致", en="differs from the birth day in the number")
    if sex is not None and said.sex is not None and said.sex != sex:
        raise InvalidInput(SEX, zh="与证件号码中的性别不一致", en="differs from the sex in the number")
    born = said.birth_day or birth_day
    if born is None:
        raise InvalidInput(BIRTH_DAY, zh="此类证件须填写出生日期", en="this kind of document needs a birth day")
    check_birth_day(BIRTH_DAY if said.birth_day is None else NUMBER, born, today=today)
    if kind == "household_register" and years_between(born, today) >= newborn_under_years:
        raise InvalidInput(
            KIND,
            zh=f"户口簿只用于未满 {newborn_under_years} 周岁且尚无身份证的婴儿",
            en=f"a household register page is for a child under {newborn_under_years} without an ID card",
        )
    return Document(kind=said.kind, number=said.number, birth_day=born, sex=said.sex or _sex(sex))


def number_alone(kind: str, number: str, *, today: date) -> Document:
    """A document by its kind and number, for finding who has it: a birth day that it does not say is set to today.

    Raises:
        InvalidInput: the field and the rule it breaks.
    """
    said = _rule(kind)(_compact(number), today)
    return Document(kind=said.kind, number=said.number, birth_day=said.birth_day or today, sex=said.sex)


def check_birth_day(field: str, born: date, *, today: date) -> None:
    """Refuse a birth day that no living person has.

    Raises:
        InvalidInput: in the future, or longer ago than anybody has lived.
    """
    if born > today:
        raise InvalidInput(field, zh="出生日期不能晚于今天", en="the birth day lies in the future")
    if years_between(born, today) > OLDEST_YEARS:
        raise InvalidInput(
            field, zh=f"出生日期距今超过 {OLDEST_YEARS} 年", en=f"the birth day is more than {OLDEST_YEARS} years ago"
        )


def mask_number(number: str) -> str:
    """Enough for its owner to tell two documents apart.

    >>> mask_number("11010519491231002X"), mask_number("E12345678")
    ('110***********002X', 'E******78')
    """
    head, tail = (3, 4) if len(number) >= _MASK_LONG else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def says_birth_day(kind: str, number: str) -> bool:
    """Whether a number holds the birth day, so that nobody can edit it apart from it.

    Args:
        number: masked or not: the first character tells the forms of one kind apart.
    """
    return kind == "resident_id" or (kind == "permanent_residence_card" and number[:1].isdigit())


def says_sex(kind: str) -> bool:
    """Whether a number of this kind holds the sex; as `says_birth_day`."""
    return kind == "resident_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What a number says by itself."""

    kind: DocumentKind
    number: str
    birth_day: date | None = None
    sex: Sex | None = None


def _rule(kind: str) -> Callable[[str, date], _Said]:
    rule = _RULES.get(kind)
    if rule is None:
        raise InvalidInput(
            KIND, zh=f"证件类型应为 {'、'.join(DOCUMENT_KINDS)} 之一", en=f"must be one of {', '.join(DOCUMENT_KINDS)}"
        )
    return rule


def _compact(number: str) -> str:
    if len(number) > _LONGEST_INPUT:
        raise InvalidInput(NUMBER, zh="证件号码过长", en="the number is too long")
    compact = clean_text(NUMBER, number).replace(" ", "").upper()
    if not compact:
        raise InvalidInput(NUMBER, zh="请填写证件号码", en="the number is missing")
    if not compact.isascii():
        raise InvalidInput(NUMBER, zh="证件号码只能包含数字和字母", en="a number has digits and letters only")
    return compact


def _resident_id(number: str, today: date) -> _Said:
    if len(number) == _OLD_RESIDENT_LENGTH and number.isdigit():
        raise InvalidInput(
            NUMBER,
            zh="15 位身份证号已于 2013 年停用，请填写 18 位号码",
            en="15-digit numbers ended in 2013; give the 18-digit number",
        )
    if len(number) != _RESIDENT_LENGTH:
        raise InvalidInput(NUMBER, zh="身份证号应为 18 位", en="a resident ID number has 18 characters")
    if not number[:-1].isdigit() or not (number[-1].isdigit() or number[-1] == "X"):
        raise InvalidInput(NUMBER, zh="身份证号前 17 位应为数字，末位为数字或 X", en="17 digits, then a digit or X")
    if number[0] == _FOREIGNER:
        raise InvalidInput(
            NUMBER,
            zh="这是外国人永久居留身份证号，请选择证件类型 permanent_residence_card",
            en="this is a permanent residence card's number; choose permanent_residence_card",
        )
    if number[:6] not in _PERMIT_AREAS | _NEWER_AREAS and not _is_area(number[:6]):
        raise InvalidInput(NUMBER, zh="前 6 位不是已有的行政区划代码", en="the first 6 digits are no known area")
    born = _checked_birth_day(number, today)
    return _Said(kind="resident_id", number=number, birth_day=born, sex="male" if int(number[16]) % 2 else "female")


def _checked_birth_day(number: str, today: date) -> date:
    """The birth day in a number of 18 characters, whose check digit fits."""
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise InvalidInput(NUMBER, zh="第 7 至 14 位不是真实日期", en="digits 7 to 14 are no real date") from None
    check_birth_day(NUMBER, born, today=today)
    if ric.calc_check_digit(number) != number[-1]:
        raise InvalidInput(
            NUMBER, zh="校验位不符，请检查号码是否有误", en="the check digit does not fit; a digit is wrong"
        )
    return born


def _is_area(code: str) -> bool:
    # The library's own validate() also compares the years of an area with the birth year. A number is given at the
    # first registration, not at birth, so that would refuse real people of newer districts; here an area counts ever.
    parts = numdb.get("cn/loc").info(code)
    return len(parts) > 1 and bool(parts[-1][1])


def _passport(number: str, _today: date) -> _Said:
    if not re.fullmatch(r"(?=.*\d)[A-Z0-9]{5,9}", number):
        raise InvalidInput(
            NUMBER, zh="护照号应为 5 至 9 位字母和数字", en="a passport number has 5 to 9 letters and digits"
        )
    return _Said(kind="passport", number=number)


def _hk_macau_permit(number: str, _today: date) -> _Said:
    if not re.fullmatch(r"[HM]\d{8}(\d{2})?", number):
        raise InvalidInput(NUMBER, zh="应为 H 或 M 加 8 位或 10 位数字", en="must be H or M and 8 or 10 digits")
    return _Said(kind="hk_macau_permit", number=number[:9])


def _taiwan_permit(number: str, _today: date) -> _Said:
    if not re.fullmatch(r"\d{8}(\d{2})?", number):
        raise InvalidInput(NUMBER, zh="应为 8 位或 10 位数字", en="must be 8 or 10 digits")
    return _Said(kind="taiwan_permit", number=number[:8])


def _permanent_residence_card(number: str, today: date) -> _Said:
    # The two forms are not each other's spelling: the older one counts its years with two digits and its place and
    # sequence otherwise. As with a new passport, the window ties a new card to its patient.
    if re.fullmatch(r"[A-Z]{3}\d{12}", number):
        return _Said(kind="permanent_residence_card", number=number)
    if not re.fullmatch(_FOREIGNER + r"\d{16}[\dX]", number):
        raise InvalidInput(
            NUMBER,
            zh="应为 9 开头的 18 位号码，或旧版的 3 个字母加 12 位数字",
            en="must be 18 characters that begin with 9, or 3 letters and 12 digits on an older card",
        )
    return _Said(kind="permanent_residence_card", number=number, birth_day=_checked_birth_day(number, today))


def _household_register(number: str, _today: date) -> _Said:
    if re.fullmatch(r"\d{17}[\dX]", number):
        # The page prints the child's resident ID number too; taken as another kind it would make a second patient.
        raise InvalidInput(
            NUMBER, zh="这是身份证号，请选择证件类型 resident_id", en="this is a resident ID number; choose resident_id"
        )
    if not re.fullmatch(r"(?=.*\d)[A-Z0-9]{6,16}(-\d{1,2})?", number):
        raise InvalidInput(
            NUMBER,
            zh="户口簿页号应为 6 至 16 位字母和数字，可加 - 和页码",
            en="6 to 16 letters and digits, then - and the page number if there is one",
        )
    return _Said(kind="household_register", number=number)


def _sex(text: str | None) -> Sex | None:
    return "male" if text == "male" else "female" if text == "female" else None


_RULES: Mapping[str, Callable[[str, date], _Said]] = {
    "resident_id": _resident_id,
    "passport": _passport,
    "hk_macau_permit": _hk_macau_permit,
    "taiwan_permit": _taiwan_permit,
    "household_register": _household_register,
    "permanent_residence_card": _permanent_residence_card,
}
