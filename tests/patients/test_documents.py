"""Document numbers: what a real one is, and that a wrong one says which rule it breaks."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from shouhao.kernel.errors import InvalidInput
from shouhao.patients.documents import (
    Document,
    mask_number,
    number_alone,
    read_document,
    says_birth_day,
    says_sex,
)

TODAY = date(2026, 3, 2)
AREAS = ("110105", "310115", "440305", "510104", "659012", "330113", "810000", "820000", "830000")


def read(kind: str, number: str, *, birth_day: date | None = None, sex: str | None = None) -> Document:
    return read_document(kind, number, birth_day=birth_day, sex=sex, today=TODAY, newborn_under_years=1)


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    born = draw(st.dates(min_value=TODAY - timedelta(days=365 * 130), max_value=TODAY))
    body = f"{draw(st.sampled_from(AREAS))}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return body + ric.calc_check_digit(body + "0")


def refusal(kind: str, number: str, **options: object) -> tuple[str | None, str]:
    with pytest.raises(InvalidInput) as caught:
        read(kind, number, **options)
    assert not number or number not in caught.value.says("zh") + caught.value.says("en")
    return caught.value.field, caught.value.says("en")


@given(resident_ids())
def test_every_valid_resident_id_is_taken_and_says_birth_day_and_sex(number: str) -> None:
    document = read("resident_id", number)
    assert document.number == number
    assert document.birth_day.strftime("%Y%m%d") == number[6:14]
    assert document.sex == ("male" if int(number[16]) % 2 else "female")


@given(resident_ids(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_any_single_changed_digit_is_caught(number: str, place: int, other: str) -> None:
    if number[place] == other:
        return
    with pytest.raises(InvalidInput):
        read("resident_id", number[:place] + other + number[place + 1 :])


@given(resident_ids(), st.integers(0, 16))
def test_two_swapped_neighbours_are_caught(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped == number:
        return
    with pytest.raises(InvalidInput):
        read("resident_id", swapped)


@given(st.text(max_size=60), st.sampled_from(["resident_id", "passport", "taiwan_permit", "household_register", "x"]))
def test_anything_typed_is_a_document_or_a_clear_refusal(text: str, kind: str) -> None:
    try:
        read(kind, text, birth_day=date(2025, 12, 1))
    except InvalidInput as refused:
        assert refused.field in {"document.kind", "document.number", "birth_day"}  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    "typed",
    [
        "11010519491231002x",
        " 110105 19491231 002X ",
        "１１０１０５１９４９１２３１００２Ｘ",
        "110105\u300019491231\u3000002X",
    ],
)
def test_the_same_number_typed_otherwise_is_the_same_number(typed: str) -> None:
    assert read("resident_id", typed).number == "11010519491231002X"


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("110105491231002", "15-digit numbers ended in 2013"),
        ("1101051949123100", "18 characters"),
        ("1101051949123100211", "18 characters"),
        ("110105194912310021", "check digit"),
        ("000000194912310028", "no known area"),
        ("110199194912310025", "no known area"),
        ("110105194913310023", "no real date"),
        ("110105190002290025", "no real date"),
        ("110105189001010020", "130 years"),
        ("110105202603030028", "future"),
        ("1101051949123100\x002X", "control"),
        ("11010519491231\u200b002X", "control"),
        ("11010519491231O02X", "17 digits"),
        ("X10105194912310021", "17 digits"),
        ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "digits and letters"),
        ("", "missing"),
        ("1" * 5000, "too long"),
    ],
)
def test_each_broken_rule_of_a_resident_id_is_named(number: str, rule: str) -> None:
    field, says = refusal("resident_id", number)
    assert field == "document.number"
    assert rule in says


def test_a_number_given_later_than_birth_in_a_newer_area_is_real() -> None:
    body = "65901219900101001"  # 白杨市 exists since 2022
    assert read("resident_id", body + ric.calc_check_digit(body + "0")).birth_day == date(1990, 1, 1)


def test_a_birth_day_that_contradicts_the_number_is_refused() -> None:
    assert refusal("resident_id", "11010519491231002X", birth_day=date(1950, 1, 1))[0] == "birth_day"
    assert refusal("resident_id", "11010519491231002X", sex="male")[0] == "sex"


@pytest.mark.parametrize(
    ("kind", "typed", "number"),
    [
        ("passport", "e12345678", "E12345678"),
        ("passport", "EA1234567", "EA1234567"),
        ("hk_macau_permit", "h12345678", "H12345678"),
        ("hk_macau_permit", "M1234567802", "M12345678"),
        ("taiwan_permit", "12345678", "12345678"),
        ("taiwan_permit", "1234567803", "12345678"),
    ],
)
def test_other_kinds_are_taken_in_one_form(kind: str, typed: str, number: str) -> None:
    document = read(kind, typed, birth_day=date(1990, 1, 1))
    assert (document.number, document.sex) == (number, None)
    assert refusal(kind, typed)[0] == "birth_day"


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("passport", "ABCDEF"),
        ("passport", "E1234567890"),
        ("passport", "E1234-678"),
        ("hk_macau_permit", "A12345678"),
        ("hk_macau_permit", "H123456789"),
        ("taiwan_permit", "123456789"),
        ("household_register", "12"),
        ("household_register", "11010519491231002X"),
    ],
)
def test_a_number_of_another_shape_is_refused(kind: str, number: str) -> None:
    assert refusal(kind, number, birth_day=date(2025, 12, 1))[0] == "document.number"


def test_a_household_register_page_is_for_a_newborn_only() -> None:
    newborn = read("household_register", "330106123-04", birth_day=date(2025, 3, 3), sex="female")
    assert (newborn.number, newborn.sex) == ("330106123-04", "female")
    assert refusal("household_register", "330106123-04", birth_day=date(2025, 3, 2))[0] == "document.kind"
    assert refusal("household_register", "330106123-04", birth_day=date(2026, 3, 3))[0] == "birth_day"


def test_an_unknown_kind_is_named() -> None:
    assert refusal("driving_licence", "1")[0] == "document.kind"


@given(resident_ids())
def test_a_masked_number_keeps_the_birth_day_to_itself(number: str) -> None:
    masked = mask_number(number)
    assert len(masked) == len(number)
    assert masked[3:14] == "*" * 11


# A man and a woman: the samples of the National Immigration Administration, table 1 of 新版外国人永久居留身份证
# 适配性改造要点 (2023).
PERMANENT_RESIDENCE = ("932682198501010017", "911124198108030024")


@pytest.mark.parametrize(("number", "sex"), list(zip(PERMANENT_RESIDENCE, ("male", "female"), strict=True)))
def test_a_permanent_residence_card_says_its_birth_day_and_not_its_sex(number: str, sex: str) -> None:
    assert read("permanent_residence_card", number).sex is None
    document = read("permanent_residence_card", number, sex=sex)
    assert (document.number, document.sex) == (number, sex)
    assert f"{document.birth_day:%Y%m%d}" == number[6:14]
    assert refusal("permanent_residence_card", number, birth_day=date(1999, 1, 1))[0] == "birth_day"
    assert says_birth_day("permanent_residence_card", mask_number(number))
    assert not says_sex("permanent_residence_card")


@pytest.mark.parametrize("number", PERMANENT_RESIDENCE)
def test_any_changed_digit_of_a_permanent_residence_card_is_caught(number: str) -> None:
    for place in range(len(number)):
        for other in "0123456789X":
            if number[place] != other:
                with pytest.raises(InvalidInput):
                    read("permanent_residence_card", number[:place] + other + number[place + 1 :])


def test_a_permanent_residence_card_of_the_older_form_needs_a_birth_day() -> None:
    assert refusal("permanent_residence_card", "CAN310081080355")[0] == "birth_day"
    document = read("permanent_residence_card", "can 310081080355", birth_day=date(1981, 8, 3))
    assert (document.number, document.birth_day, document.sex) == ("CAN310081080355", date(1981, 8, 3), None)
    assert not says_birth_day("permanent_residence_card", document.masked)


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        ("932682198501010018", "check digit"),
        ("932682198513010017", "no real date"),
        ("932682208501010017", "future"),
        ("93268219850101001", "begin with 9"),
        ("11010519491231002X", "begin with 9"),
        ("CA3100810803557", "begin with 9"),
        ("CANX10081080355", "begin with 9"),
    ],
)
def test_each_broken_rule_of_a_permanent_residence_card_is_named(number: str, rule: str) -> None:
    field, says = refusal("permanent_residence_card", number, birth_day=date(1985, 1, 1))
    assert (field, rule in says) == ("document.number", True), says


def test_a_permanent_residence_card_is_not_a_second_resident_id() -> None:
    assert "choose permanent_residence_card" in refusal("resident_id", PERMANENT_RESIDENCE[0])[1]


@given(resident_ids())
def test_a_number_alone_finds_what_was_registered_with_it(number: str) -> None:
    assert number_alone("resident_id", number.lower(), today=TODAY).identity == read("resident_id", number).identity


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("passport", "E1234567"),
        ("permanent_residence_card", "CAN310081080355"),
        ("permanent_residence_card", "911124198108030024"),
        ("hk_macau_permit", "H1234567801"),
        ("household_register", "123456-2"),
    ],
)
def test_a_number_that_says_no_birth_day_is_found_without_one(kind: str, number: str) -> None:
    born = date(1981, 8, 3) if kind != "household_register" else date(2025, 8, 3)
    assert number_alone(kind, number, today=TODAY).identity == read(kind, number, birth_day=born).identity
    with pytest.raises(InvalidInput):
        number_alone(kind, "?", today=TODAY)
