"""Phones: mobile numbers that can receive a code, in one form (E.164), and what may be shown of them."""

import re
import unicodedata

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from shouhao.kernel.errors import InvalidInput

#: Where numbers may be from: the mainland, Hong Kong, Macau, Taiwan.
_COUNTRY_CODES = {86, 852, 853, 886}
_TYPED = re.compile(r"[+0-9 ()\-]{5,24}")


def canonical_phone(field: str, text: str) -> str:
    """The number as E.164; without a country code it is one of the mainland.

    >>> canonical_phone("phone", "138 0013 8000")
    '+8613800138000'

    Raises:
        InvalidInput: not a mobile number of the mainland, Hong Kong, Macau or Taiwan.
    """
    normal = unicodedata.normalize("NFKC", text).strip().replace("‐", "-").replace("–", "-")
    # Checked first: the library reads letters as keypad digits.
    if not _TYPED.fullmatch(normal):
        raise InvalidInput(
            field, zh="手机号只能包含数字和 + - 空格", en="a phone number has digits, + - and spaces only"
        )
    try:
        number = phonenumbers.parse(normal, "CN")
    except NumberParseException:
        raise InvalidInput(field, zh="不是有效的手机号", en="not a valid mobile number") from None
    if number.country_code not in _COUNTRY_CODES:
        raise InvalidInput(
            field, zh="只支持内地、香港、澳门和台湾的手机号", en="only mobiles of +86, +852, +853 and +886 are served"
        )
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) != PhoneNumberType.MOBILE:
        raise InvalidInput(field, zh="不是有效的手机号", en="not a valid mobile number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def mask_phone(canonical: str) -> str:
    """Enough for its owner to know it.

    >>> mask_phone("+8613800138000"), mask_phone("+85261234567")
    ('138****8000', '+852****4567')
    """
    head = canonical[3:6] if canonical.startswith("+86") and len(canonical) == len("+8613800138000") else canonical[:4]
    return f"{head}****{canonical[-4:]}"
