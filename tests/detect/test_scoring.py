"""Scoring: every term is there, one cause is a lead, and what speaks for somebody takes off what it explains."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouhao.detect.families import EXPLAINS, explains, family_of
from shouhao.detect.model import LEVELS, Says, Speaks, Subject, Suspicion, Wanted
from shouhao.detect.rules import DETECTORS
from shouhao.detect.scoring import ScoringPolicy, findings

POLICY = ScoringPolicy()
SOMEBODY = Subject(kind="account", id="somebody")
SAYS = Says(zh="说明", en="says")
CODES = ("hand_over.gaps", "hand_over.pair", "farms.shared_device", "bursts.in_a_minute", "attendance.no_shows")
SPEAKING = ("speaks_for.family", "speaks_for.auto_refresh", "speaks_for.kiosk", "speaks_for.unheard_of")


def reason(code, weight, *, subject=SOMEBODY, members=(), at_us=1_000):
    return Suspicion(
        subject=subject,
        code=code,
        says=SAYS,
        measured=2.0,
        expected=1.0,
        threshold=1.5,
        weight=weight,
        first_at_us=at_us,
        last_at_us=at_us + 5,
        wanted=(Wanted(table="events", where={"account_id": subject.id}),),
        members=members,
        owasp="OAT-005 Scalping" if code.startswith("hand_over") else None,
    )


def speaks(code, weight, *, subject=SOMEBODY):
    return Speaks(subject=subject, code=code, says=SAYS, weight=weight)


def scored(said, **policy):
    return findings(
        said,
        detector_versions={"hand_over": 1, "farms": 2},
        input_sha256={"b.csv": "bb", "a.log": "aa"},
        policy=replace(POLICY, **policy),
    )


def one_of(said, **policy):
    (found,) = scored(said, lead_from=-100.0, **policy)
    return found


def told(found):
    return found.as_dict([[{"event_id": f"e{n}"}] for n in range(len(found.wanted()))])


all_said = st.lists(
    st.one_of(
        st.builds(reason, st.sampled_from(CODES), st.floats(0.1, 12.0), at_us=st.integers(0, 9)),
        st.builds(speaks, st.sampled_from(SPEAKING), st.floats(-8.0, 0.0)),
    ),
    min_size=1,
    max_size=12,
).filter(lambda said: any(isinstance(one, Suspicion) for one in said))


@given(all_said)
def test_the_terms_add_up_to_the_score_to_the_last_thousandth(said):
    found = told(one_of(said))
    terms = [one["weight"] for part in ("reasons", "speaks_for") for one in found[part]]
    assert round(math.fsum(terms), 6) == found["score"]
    assert len(found["reasons"]) == sum(isinstance(one, Suspicion) for one in said)


@given(all_said, st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_said_does_not_matter(said, chance):
    shuffled = list(said)
    chance.shuffle(shuffled)
    assert json.dumps(told(one_of(shuffled))) == json.dumps(told(one_of(said)))


@given(all_said)
def test_nothing_that_speaks_for_somebody_makes_them_guiltier_or_better_than_the_base_rate(said):
    found = one_of(said)
    assert all(one.weight <= 0 for one in found.speaks_for)
    assert found.score >= POLICY.base["account"] - 1e-9
    assert found.score <= one_of([one for one in said if isinstance(one, Suspicion)]).score


@given(st.lists(st.floats(0.1, 50.0), min_size=1, max_size=8))
def test_one_cause_alone_is_a_lead_however_much_it_weighs(weights):
    found = one_of([reason("bursts.in_a_minute", weight) for weight in weights], strong_from=-50.0, certain_from=-40.0)
    assert found.level == "lead"
    assert found.score <= round(POLICY.base["account"] + POLICY.cap, 6)


def test_a_burst_and_a_second_burst_do_not_count_twice():
    both = one_of([reason("bursts.in_a_minute", 5.0), reason("hand_over.snatches", 4.0)])
    assert both.score == pytest.approx(-6.9 + 6.0)
    overlap = next(one for one in both.speaks_for if one.code == "scoring.overlap_machine")
    assert overlap.weight == pytest.approx(-3.0)


def test_two_independent_causes_are_strong_and_three_are_certain():
    two = [reason("hand_over.gaps", 6.0), reason("farms.shared_device", 5.0)]
    assert one_of(two).level == "strong"
    assert one_of([*two, reason("attendance.somebody_else", 5.0)]).level == "certain-pattern"


def test_a_cause_of_which_little_is_left_is_none():
    said = [reason("hand_over.gaps", 6.0), reason("farms.shared_device", 5.0), speaks("speaks_for.family", -4.0)]
    found = one_of(said, strong_from=-50.0)
    assert found.level == "lead"
    assert found.score == pytest.approx(-6.9 + 6.0 + 1.0)


def test_a_family_does_not_explain_a_script_and_a_kiosk_explains_everything():
    script = [reason("bursts.in_a_minute", 5.0)]
    assert one_of([*script, speaks("speaks_for.family", -3.0)]).score == one_of(script).score
    assert one_of([*script, speaks("speaks_for.kiosk", -6.0)]).score == pytest.approx(-6.9)


def test_a_window_explains_what_is_done_there_and_not_the_favour():
    assert not explains("speaks_for.staff_window", "favours")
    assert explains("speaks_for.staff_window", "machine")
    assert explains("speaks_for.kiosk", "favours")


def test_being_a_family_twice_is_being_one():
    said = [reason("farms.shared_device", 5.0), *[speaks("speaks_for.family", -3.0)] * 2]
    assert one_of(said).score == pytest.approx(-6.9 + 2.0)


def test_the_same_frame_to_the_bit_needs_no_second_cause():
    found = one_of([reason("face_batches.same_frame", 10.0)])
    assert (found.level, found.score) == ("strong", pytest.approx(3.1))
    assert one_of([reason("face_batches.one_frame", 10.0)]).level == "lead"


@pytest.mark.parametrize("kind", ["ip", "prefix"])
def test_an_address_convicts_nobody_behind_it(kind):
    address = Subject(kind=kind, id="192.0.2.1")
    behind = (SOMEBODY, Subject(kind="device", id="phone"))
    said = [
        reason("hammering.address", 9.0, subject=address, members=behind),
        reason("fleets.one_purchase", 5.0, subject=address),
    ]
    (found,) = scored(said)
    assert found.subject == address
    assert SOMEBODY not in found.members
    assert not [one for one in scored(said) if one.subject.kind == "account"]


def test_only_a_ring_accuses_its_members():
    buyer = Subject(kind="account", id="buyer")
    (seller,) = scored([reason("hand_over.pair", 5.0, members=(buyer,))])
    (ring,) = scored([reason("rings.acts_trade", 5.0, subject=Subject(kind="ring", id="r"), members=(buyer,))])
    assert buyer not in seller.members
    assert ring.members == (buyer,)


def test_findings_come_by_score_and_then_by_subject():
    people = [Subject(kind="account", id=name) for name in "cab"]
    said = [reason("hand_over.gaps", 5.0, subject=one) for one in people]
    said += [reason("farms.shared_device", 5.0, subject=people[0])]
    assert [found.subject.id for found in scored(said)] == ["c", "a", "b"]


def test_what_is_hardly_worth_a_look_is_no_finding():
    assert not scored([reason("hand_over.gaps", 2.0)])
    assert scored([reason("hand_over.gaps", 3.0)])


def test_what_speaks_for_somebody_whom_nothing_accuses_is_no_finding():
    assert not scored([speaks("speaks_for.family", -3.0)], lead_from=-100.0)


def test_an_id_is_of_the_subject_the_detectors_and_the_bytes_and_of_nothing_else():
    said = [reason("hand_over.gaps", 4.0)]
    (first,) = scored(said)
    (other_weight,) = scored([reason("hand_over.gaps", 5.0)])
    renamed = findings(
        said, detector_versions={"farms": 2, "hand_over": 1}, input_sha256={"x": "bb", "y": "aa"}, policy=POLICY
    )
    newer = findings(said, detector_versions={"farms": 2, "hand_over": 2}, input_sha256={"x": "bb"}, policy=POLICY)
    assert first.id == other_weight.id == renamed[0].id
    assert newer[0].id != first.id


def test_a_finding_has_the_shape_that_scripts_rely_on():
    patient = Subject(kind="patient", id="other")
    said = [reason("hand_over.gaps", 5.0, members=(patient,)), speaks("speaks_for.kiosk", -1.0)]
    found = told(one_of(said))
    assert list(found) == [
        "finding_id",
        "subject",
        "members",
        "score",
        "level",
        "first_at",
        "last_at",
        "reasons",
        "speaks_for",
        "detector_versions",
        "input_sha256",
    ]
    assert found["subject"] == {"kind": "account", "id": "somebody"}
    assert found["members"] == [{"kind": "patient", "id": "other"}]
    assert found["level"] in LEVELS
    (only,) = found["reasons"]
    assert {"code", "says", "measured", "expected", "threshold", "weight", "evidence"} <= set(only)
    assert only["evidence"] == [{"event_id": "e0"}]
    assert [one["code"] for one in found["speaks_for"]] == ["scoring.base_rate", "speaks_for.kiosk"]
    assert found["input_sha256"] == {"a.log": "aa", "b.csv": "bb"}
    json.dumps(found)


def test_every_detector_points_to_a_known_cause():
    assert all(family_of(f"{kind.code}.pattern") != "" for kind in DETECTORS)
    listed = {family_of(f"{kind.code}.pattern") for kind in DETECTORS}
    assert {"identity", "trade", "faces", "visits"} <= listed


def test_whatever_speaks_for_somebody_explains_something():
    assert all(
        any(explains(code, family_of(reason_code)) for reason_code in (*CODES, "rotation.x")) for code in EXPLAINS
    )
