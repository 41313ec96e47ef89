"""Names, phones, policies and relations: pure rules about what people type."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.errors import InvalidInput
from shouhao.patients.model import (
    Binding,
    BindingTooSoon,
    RelationNotPossible,
    TooManyPatients,
    check_caps,
    check_relation,
)
from shouhao.patients.phones import canonical_phone, mask_phone
from shouhao.patients.photos import PHOTO_MAX_BYTES, media_type
from shouhao.patients.policy import BindingPolicy, binding_from
from shouhao.patients.texts import person_name, same_name

HOUR_US = 3_600_000_000
TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("typed", "canonical", "masked"),
    [
        ("13800138000", "+8613800138000", "138****8000"),
        ("+86 138-0013-8000", "+8613800138000", "138****8000"),
        ("１３８００１３８０００", "+8613800138000", "138****8000"),
        ("0086 13800138000", "+8613800138000", "138****8000"),
        ("+852 6123 4567", "+85261234567", "+852****4567"),
        ("+853 6612 3456", "+85366123456", "+853****3456"),
        ("+886 912 345 678", "+886912345678", "+886****5678"),
    ],
)
def test_a_mobile_has_one_form_however_it_is_typed(typed: str, canonical: str, masked: str) -> None:
    assert canonical_phone("phone", typed) == canonical
    assert mask_phone(canonical) == masked


@pytest.mark.parametrize(
    "typed",
    ["", "12345678901", "010-62345678", "+1 650 253 0000", "1380013800", "138FLOWERS0", "13800138000\x00", "1" * 500],
)
def test_what_is_no_mobile_is_refused_by_its_field(typed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        canonical_phone("phone", typed)
    assert caught.value.field == "phone"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (" 张　三 ", "张三"),
        ("阿卜杜勒・买买提", "阿卜杜勒·买买提"),
        ("Ｊｏｈｎ  Smith", "John Smith"),
        ("Anne-Marie O'Neil", "Anne-Marie O'Neil"),
        ("𠮷田", "𠮷田"),
    ],
)
def test_a_name_has_one_form(typed: str, name: str) -> None:
    assert person_name("name", typed) == name


@pytest.mark.parametrize("typed", ["", "张", "张\x00三", "张\u202e三", "<b>张三", "张3三", "··", "王" * 51, "张三;--"])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        person_name("name", typed)
    assert caught.value.field == "name"


def test_case_and_marks_do_not_make_another_name() -> None:
    assert same_name("ZHANG, SAN", "Zhang San")
    assert not same_name("张三", "张山")


@given(st.text(max_size=80))
def test_a_name_in_normal_form_stays_as_it_is(text: str) -> None:
    try:
        name = person_name("name", text)
    except InvalidInput:
        return
    assert person_name("name", name) == name


@pytest.mark.parametrize(
    "body",
    [
        {"max_patients": 3},
        {"max_patients_per_account": -1},
        {"max_patients_per_account": 0},
        {"binding_cooling_s": 1.5},
        {"binding_cooling_s": True},
        {"binding_cooling_s": "60"},
        {"hot_binding_age_s": None},
        {"guardian_required_under_years": 19},
        {"max_guardians_per_child": 11},
    ],
)
def test_a_policy_that_breaks_a_rule_is_refused_by_its_name(body: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        binding_from(body)
    assert caught.value.field == next(iter(body))


def test_what_a_policy_leaves_out_keeps_its_default() -> None:
    assert binding_from({}) == BindingPolicy()
    assert binding_from({"max_patients_per_account": 2}).max_patients_per_account == 2


def _bound(at_us: int, unbound_at_us: int | None = None) -> Binding:
    return Binding(
        id="bd",
        account_id="ac",
        patient_id="pt",
        relation="other",
        guarded=False,
        bound_at_us=at_us,
        unbound_at_us=unbound_at_us,
    )


def test_unbound_ones_free_a_place_but_not_the_wait() -> None:
    policy = BindingPolicy(max_patients_per_account=3, bindings_without_cooling=3, binding_cooling_s=3600)
    check_caps([_bound(1), _bound(2)], policy=policy, now_us=3)
    with pytest.raises(TooManyPatients):
        check_caps([_bound(1), _bound(2), _bound(3)], policy=policy, now_us=30 * HOUR_US)
    churned = [_bound(1, 2), _bound(2, 3), _bound(3, 4)]
    with pytest.raises(BindingTooSoon) as caught:
        check_caps(churned, policy=policy, now_us=HOUR_US)
    assert caught.value.data["retry_after_s"] == 1
    check_caps(churned, policy=policy, now_us=HOUR_US + 3)


@pytest.mark.parametrize(
    ("relation", "born", "own", "child"),
    [
        ("self", date(1980, 1, 1), date(1980, 1, 1), False),
        ("self", date(2015, 1, 1), None, True),
        ("parent", date(2015, 1, 1), None, False),
        ("child", date(1960, 1, 1), date(1980, 1, 1), False),
        ("parent", date(1990, 1, 1), date(1980, 1, 1), False),
        ("spouse", date(2010, 1, 1), date(1980, 1, 1), False),
    ],
)
def test_a_relation_that_ages_contradict_is_refused(relation: str, born: date, own: date | None, child: bool) -> None:
    with pytest.raises(RelationNotPossible):
        check_relation(relation, born, own_birth_day=own, child=child, today=TODAY)  # type: ignore[arg-type]


def test_a_photo_is_known_by_its_bytes_and_not_by_its_name() -> None:
    assert media_type("photo", b"\xff\xd8\xff" + b"\0" * 100) == "image/jpeg"
    assert media_type("photo", b"\x89PNG\r\n\x1a\n" + b"\0" * 100) == "image/png"
    for bad in (b"", b"\xff\xd8\xff", b"GIF89a" + b"\0" * 100, b"\xff\xd8\xff" + b"\0" * PHOTO_MAX_BYTES):
        with pytest.raises(InvalidInput):
            media_type("photo", bad)
