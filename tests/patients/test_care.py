"""Who may use a kept place, which paper proves it, and when it proves nothing: pure rules."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.errors import InvalidInput
from shouhao.patients.care import (
    CARE_KINDS,
    GROUNDS,
    PROOFS,
    CareProof,
    birth_day_is_sure,
    check_person,
    check_valid_until,
    ground,
    known_kind,
    paper_number,
)
from shouhao.patients.model import Patient

TODAY = date(2026, 3, 2)
PROOF = CareProof(
    id="cp_1",
    patient_id="pt_1",
    kind="disabled",
    proof="disability_certificate",
    reference_sealed=None,
    valid_until=None,
    staff_id="st_1",
    recorded_at_us=0,
)
PATIENT = Patient(
    id="pt_1",
    document_kind="passport",
    document_sealed="-",
    document_masked="E******78",
    name_sealed="-",
    name_masked="张*",
    phone_sealed="-",
    phone_masked="138****8000",
    birth_day=date(1995, 5, 5),
    sex="female",
    verification="verified",
    verified_by="window",
    version=1,
)


def broken(act):
    with pytest.raises(InvalidInput) as caught:
        act()
    return caught.value.field


@pytest.mark.parametrize(
    ("born", "expected"),
    [(date(1961, 3, 2), "aged"), (date(1961, 3, 3), None), (date(1930, 1, 1), "aged"), (None, None)],
)
def test_sixty_five_completed_years_are_a_ground(born, expected):
    assert ground(born=born, proven=[], today=TODAY) == expected


@given(st.sets(st.sampled_from(CARE_KINDS)), st.booleans())
def test_what_is_proven_is_a_ground_and_nothing_else_is(proven, aged):
    said = ground(born=date(1950, 1, 1) if aged else date(2000, 1, 1), proven=proven, today=TODAY)
    holding = {*proven, *(["aged"] if aged else [])}
    assert said == next((one for one in GROUNDS if one in holding), None)


def test_no_proof_at_all_is_no_ground():
    assert ground(born=date(2000, 1, 1), proven=[None, "aged?"], today=TODAY) is None


@pytest.mark.parametrize(
    ("verification", "verified_by", "kind", "masked", "sure"),
    [
        ("verified", "authority:x", "resident_id", "110***********002X", True),
        ("verified", "authority:x", "permanent_residence_card", "911***********0023", True),
        ("verified", "authority:x", "permanent_residence_card", "C************23", False),
        ("verified", "authority:x", "passport", "E******78", False),
        ("verified", "photo_review", "passport", "E******78", False),
        ("verified", "window", "passport", "E******78", True),
        ("pending", None, "resident_id", "110***********002X", False),
        ("rejected", None, "passport", "E******78", False),
    ],
)
def test_a_birth_day_is_sure_where_the_number_or_the_window_says_it(verification, verified_by, kind, masked, sure):
    said = birth_day_is_sure(
        verification=verification, verified_by=verified_by, document_kind=kind, document_masked=masked
    )
    assert said is sure


def test_each_kind_has_papers_of_its_own():
    assert set(PROOFS) == set(CARE_KINDS)
    for kind, proofs in PROOFS.items():
        for proof in proofs:
            assert known_kind(kind, proof) == kind
            for other in set(CARE_KINDS) - {kind}:
                assert broken(lambda other=other, proof=proof: known_kind(other, proof)) == "proof"
    assert broken(lambda: known_kind("tired", "disability_certificate")) == "kind"
    assert broken(lambda: known_kind("aged", "disability_certificate")) == "kind"


@pytest.mark.parametrize("sex", ["female", None])
@pytest.mark.parametrize(("years", "fits"), [(11, False), (12, True), (30, True), (60, True), (61, False)])
def test_a_pregnancy_is_of_an_age_that_can_be(sex, years, fits):
    patient = replace(PATIENT, sex=sex, birth_day=date(TODAY.year - years, 1, 1))
    if fits:
        check_person("pregnant", patient, today=TODAY)
    else:
        assert broken(lambda: check_person("pregnant", patient, today=TODAY)) == "kind"
    check_person("disabled", patient, today=TODAY)


def test_a_man_is_not_pregnant_and_may_be_disabled():
    man = replace(PATIENT, sex="male")
    assert broken(lambda: check_person("pregnant", man, today=TODAY)) == "kind"
    check_person("disabled", man, today=TODAY)


@pytest.mark.parametrize(
    ("kind", "days", "fits"),
    [
        ("pregnant", None, False),
        ("pregnant", -1, False),
        ("pregnant", 0, True),
        ("pregnant", 300, True),
        ("pregnant", 301, False),
        ("disabled", None, True),
        ("disabled", -1, False),
        ("disabled", 0, True),
        ("disabled", 3650, True),
    ],
)
def test_a_proof_ends_on_a_day_that_can_be(kind, days, fits):
    until = None if days is None else TODAY + timedelta(days=days)
    if fits:
        check_valid_until(kind, until, today=TODAY)
    else:
        assert broken(lambda: check_valid_until(kind, until, today=TODAY)) == "valid_until"


def test_a_proof_counts_on_its_last_day_and_not_when_revoked():
    ending = replace(PROOF, valid_until=TODAY)
    assert ending.counts(TODAY)
    assert not ending.counts(TODAY + timedelta(days=1))
    assert PROOF.counts(date.max)
    assert not replace(PROOF, revoked_at_us=1).counts(TODAY)


def test_the_number_on_a_paper_has_one_form():
    assert paper_number("reference", " １１０１０５19850601000x43 ") == "11010519850601000X43"
    for wrong in ("", "123", "1" * 41, "12\u200b345"):
        assert broken(lambda wrong=wrong: paper_number("reference", wrong)) == "reference"
