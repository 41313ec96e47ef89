"""What became of an entry is said in both languages, whatever became of it."""

from itertools import product

import pytest

from hospital import NOW_US
from shouhao.booking.outcomes import Outcome, outcome_words, why_not


def outcome(state: str, **more):
    given = {"kind": "release", "draw_state": "made", "closes_at_us": NOW_US, "place": 4, "entries": 9, **more}
    return outcome_words(Outcome(state=state, **given))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"state": "entered", "draw_state": "open"}, "the draw follows at"),
        ({"state": "entered", "draw_state": "open", "kind": "waitlist"}, "the order of this batch is drawn at"),
        ({"state": "entered", "draw_state": "sealed"}, "the list is sealed"),
        ({"state": "left_out", "left_out": "booking.same_person_entered"}, "another document"),
        ({"state": "won", "booking_states": frozenset({"offered"}), "confirm_by_us": NOW_US}, "accept by 2026-"),
        ({"state": "won", "booking_states": frozenset({"held"})}, "the fee is to be paid"),
        ({"state": "won", "booking_states": frozenset({"booked"})}, "is booked"),
        ({"state": "won", "booking_states": frozenset({"expired"})}, "not accepted or paid"),
        ({"state": "won", "booking_states": frozenset({"returned"})}, "given back"),
        ({"state": "won", "left_out": "booking.limit_reached"}, "the booking limit was reached"),
        ({"state": "lost", "waits": 1}, "It came 4 in the drawn order of 9, and waits in this order on 1 waitlist"),
        ({"state": "lost", "waits": 2}, "2 waitlists"),
        ({"state": "lost"}, "no longer waits"),
        ({"state": "withdrawn"}, "Withdrawn"),
    ],
)
def test_each_outcome_is_told_as_it_is(how, words):
    assert words in outcome(**how).en


def test_every_outcome_has_words_in_both_languages():
    states = ("entered", "withdrawn", "left_out", "won", "lost")
    said = {}
    for state, draw_state, kind in product(states, ("open", "sealed", "made"), ("release", "waitlist")):
        words = outcome(state, draw_state=draw_state, kind=kind)
        assert any("\u4e00" <= character <= "\u9fff" for character in words.zh)
        said[words.en] = words.zh
    assert len(set(said.values())) == len(said)


def test_a_code_without_words_of_its_own_is_said_in_general():
    assert why_not("booking.something_new").en == "the conditions for booking were not met"
