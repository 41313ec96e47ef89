"""What is on trial accuses nobody: it says what it would have done, and what that would have cost the honest."""

import math

import pytest

from detect.examples.bursts import EXAMPLE as BURSTS
from detect.tables import tables
from shouhao.detect.model import Source
from shouhao.detect.run import analyze
from shouhao.detect.shadow import Trial, parse_trial, try_out
from shouhao.kernel.errors import InvalidInput

SOURCES = (Source(number=0, name="access.log", sha256="00", size_bytes=1, kind="access_log"),)


@pytest.fixture(scope="module")
def over():
    return tables(hits=BURSTS.guilty.hits, events=BURSTS.guilty.events)


def reasons(analysis):
    return {reason["code"] for finding in analysis.findings for reason in finding["reasons"]}


def subjects(analysis):
    return {(one["subject"]["kind"], one["subject"]["id"]) for one in analysis.findings}


def test_a_rule_on_trial_accuses_nobody_and_says_whom_it_would_have(over):
    stands, changes = try_out(over, SOURCES, [Trial(code="bursts")])
    with_it = analyze(over, SOURCES)
    assert not any(code.startswith("bursts.") for code in reasons(stands))
    assert any(code.startswith("bursts.") for code in reasons(with_it))
    lead = changes[0]
    assert (lead.before, lead.after) == (len(subjects(stands)), len(subjects(with_it)))
    assert {(one["kind"], one["id"]) for one in lead.new} == subjects(with_it) - subjects(stands) != set()
    chances = [1 / (1 + math.exp(one["score"])) for one in with_it.findings]
    assert lead.expected_false_after == pytest.approx(sum(chances), abs=1e-3)


def test_another_weight_is_tried_beside_the_rule_as_it_stands(over):
    stands, changes = try_out(over, SOURCES, [parse_trial("bursts.most=0.5"), parse_trial("bursts.alone=0.5")])
    assert stands.findings == analyze(over, SOURCES).findings
    lead = changes[0]
    assert lead.after < lead.before
    assert lead.gone
    assert not lead.new


def test_nothing_that_differs_changes_nothing(over):
    _, changes = try_out(over, SOURCES, [parse_trial("bursts.most=5")])
    assert all(one.before == one.after and not one.new and not one.gone for one in changes)


@pytest.mark.parametrize(
    "written", ["", "nobody", "bursts.most", "bursts.most=", "bursts.most=nan", "bursts.windows=1", "a b"]
)
def test_what_is_no_rule_and_no_number_of_one_is_refused(written):
    with pytest.raises(InvalidInput) as refused:
        parse_trial(written)
    assert refused.value.field == "shadow"
