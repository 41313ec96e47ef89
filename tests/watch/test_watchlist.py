"""What may become of an entry: states, terms, and people in the one form in which they are found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import InvalidInput
from shouhao.watch.watchlist import (
    TERM_DAYS,
    TERM_DAYS_MOST,
    WrongState,
    checked_person,
    masked,
    moved,
    name_key,
    packed,
    term_us,
    unpacked,
)

NOW_US = 1_800_000_000_000_000
STATES = ("proposed", "approved", "suspended", "expired", "withdrawn", "erased")


def test_only_what_was_proposed_is_listed_and_only_what_is_suspended_resumes():
    assert moved("proposed", "list") == "approved"
    assert moved("suspended", "resume") == "approved"
    for state in set(STATES) - {"proposed"}:
        with pytest.raises(WrongState):
            moved(state, "list")
    for state in set(STATES) - {"suspended"}:
        with pytest.raises(WrongState):
            moved(state, "resume")


def test_nothing_leads_back_from_an_end():
    for state in ("expired", "withdrawn"):
        for act in ("list", "suspend", "resume", "expire", "withdraw"):
            with pytest.raises(WrongState):
                moved(state, act)
        assert moved(state, "erase") == "erased"
    with pytest.raises(WrongState):
        moved("erased", "erase")


@given(st.integers(1, TERM_DAYS_MOST), st.integers(1, 400))
def test_a_review_never_comes_after_the_end(days, review_days):
    review_at_us, expires_at_us = term_us(now_us=NOW_US, days=days, review_days=review_days)
    assert NOW_US < review_at_us <= expires_at_us == NOW_US + days * DAY_US


def test_nobody_is_listed_for_ever():
    assert TERM_DAYS == 180
    for days in (0, -1, TERM_DAYS_MOST + 1):
        with pytest.raises(InvalidInput):
            term_us(now_us=NOW_US, days=days)


def test_a_person_survives_being_kept():
    person = checked_person(
        name=" 雷\u3000某 ", aliases=["老雷"], document_kind="resident_id", document_number="11010519491231002x"
    )
    assert person.name == "雷 某"
    assert person.document_number == "11010519491231002X"
    assert unpacked(packed(person)) == person


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 65}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"aliases": ["x"] * 6}, "aliases"),
        ({"aliases": ["\0"]}, "aliases"),
        ({"document_kind": "passport"}, "document_number"),
        ({"document_kind": "resident_id", "document_number": "110105194912310021"}, "document_number"),
        ({"document_kind": "passport", "document_number": "../../x"}, "document_number"),
        ({"document_kind": "library_card", "document_number": "1234"}, "document_kind"),
    ],
)
def test_what_names_nobody_is_refused_with_its_field(changed, field):
    with pytest.raises(InvalidInput) as refused:
        checked_person(**{"name": "雷某", **changed})
    assert refused.value.field == field


def test_equal_names_are_equal_however_they_were_typed():
    assert name_key("ＬＥＩ  Mou") == name_key("lei mou ")
    assert name_key("雷某") != name_key("雷某某")


def test_a_masked_name_tells_the_first_character_alone():
    assert [masked(name) for name in ("雷", "雷某", "雷某某", "欧阳某某")] == ["雷", "雷＊", "雷＊＊", "欧＊＊"]
