"""Texts people type: one normal form, before any rule looks at them, and what may be shown of them.

Phones and keyboards send full-width digits, odd spaces and several middle dots; these are mended. Control characters
are never typed by a person and are refused.
"""

import unicodedata

from shouhao.kernel.errors import InvalidInput

NAME_LENGTH = (2, 50)
REASON_LENGTH = (2, 500)

_MIDDLE_DOTS = str.maketrans(dict.fromkeys("•‧・∙⋅.・", "·"))  # GB/T 16836 writes names of many peoples with ·
_LATIN_MARKS = " '-.,"


def clean_text(field: str, text: str) -> str:
    """NFKC (full-width becomes half-width), ends stripped, runs of spaces made one.

    Raises:
        InvalidInput: it holds a control or another invisible character.
    """
    normal = " ".join(unicodedata.normalize("NFKC", text).split(" ")).strip()
    for character in normal:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            raise InvalidInput(field, zh="含有不可见的控制字符", en="it holds an invisible control character")
    return " ".join(normal.split())


def person_name(field: str, text: str) -> str:
    """A person's name in its normal form: Han with ·, or letters of another script with spaces and marks.

    >>> person_name("name", " 阿依古丽•买买提 ")
    '阿依古丽·买买提'

    Raises:
        InvalidInput: too short, too long, or characters that no document prints in a name.
    """
    name = clean_text(field, text)
    if any(_is_han(character) for character in name):
        name = name.replace(" ", "").translate(_MIDDLE_DOTS)
    shortest, longest = NAME_LENGTH
    if not shortest <= len(name) <= longest:
        raise InvalidInput(
            field, zh=f"姓名应为 {shortest} 至 {longest} 个字符", en=f"a name has {shortest} to {longest} characters"
        )
    for character in name:
        if character != "·" and character not in _LATIN_MARKS and unicodedata.category(character)[0] not in "LM":
            raise InvalidInput(
                field, zh="姓名只能包含文字、间隔号·、空格和连字符", en="a name has letters, spaces and marks only"
            )
    if not name[0].isalpha() or not any(character.isalpha() for character in name[1:]):
        raise InvalidInput(
            field, zh="姓名应以文字开头且至少两个字", en="a name starts with a letter and has at least two"
        )
    return name


def same_name(one: str, other: str) -> bool:
    """Whether two names in normal form are one name; case, spaces and marks of Latin names do not tell people apart."""
    return name_key(one) == name_key(other)


def name_key(name: str) -> str:
    """What is left of a name in normal form when case, spaces and marks are taken away.

    >>> name_key("Anne-Marie O'Neil") == name_key("ANNE MARIE ONEIL")
    True
    """
    return "".join(character for character in name.casefold() if character not in _LATIN_MARKS and character != "·")


def mask_name(name: str) -> str:
    """The first character and stars; the length is told only up to three.

    >>> mask_name("张三"), mask_name("欧阳小明"), mask_name("Smith")
    ('张*', '欧**', 'S**')
    """
    return name[0] + "*" * min(len(name) - 1, 2)


def written_reason(field: str, text: str) -> str:
    """Why a person decided so, in their own words, as it is kept.

    Raises:
        InvalidInput: nothing was written, too much, or control characters.
    """
    reason = clean_text(field, text)
    shortest, longest = REASON_LENGTH
    if not shortest <= len(reason) <= longest:
        raise InvalidInput(
            field, zh=f"理由应为 {shortest} 至 {longest} 个字符", en=f"a reason has {shortest} to {longest} characters"
        )
    return reason


def _is_han(character: str) -> bool:
    return "CJK UNIFIED IDEOGRAPH" in unicodedata.name(character, "") or character == "〇"
