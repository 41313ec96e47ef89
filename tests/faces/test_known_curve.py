"""A plotted curve claims no more than a threshold may rest on, and counts alarms as budgets do."""

import json
from itertools import pairwise

import pytest

from faces.made_calibration import a_report
from shouhao.faces.budget import Budget
from shouhao.faces.derivation import Known, KnownPoint, derive, known_from_calibration
from shouhao.faces.known_curve import POINTS_MOST, known_curve
from shouhao.faces.tail import FURTHEST

BUDGET = Budget(false_alarms_a_day=1, passages_a_day=20_000, list_size=2_100)


def stated(*points):
    known = tuple(KnownPoint(threshold_cos=cos, fmr=fmr, tmr=tmr) for cos, fmr, tmr in points)
    return Known(pack="p@1", basis="manifest", source="x", points=known, smallest_fmr=known[-1].fmr)


@pytest.fixture(scope="module")
def calibrated():
    report, _ = a_report(400)
    return known_from_calibration(json.loads(json.dumps(report)))


def test_the_curve_only_falls_and_marks_exactly_what_was_not_counted(calibrated):
    curve = known_curve(calibrated, BUDGET)
    assert 2 < len(curve) <= POINTS_MOST + 31
    for before, after in pairwise(curve):
        assert before.threshold_cos < after.threshold_cos
        assert before.fmr >= after.fmr
    assert {one.extrapolated for one in curve} == {False, True}
    assert all(one.extrapolated is (one.fmr < calibrated.smallest_fmr) for one in curve)
    assert min(one.fmr for one in curve) >= calibrated.smallest_fmr / FURTHEST / 2


def test_alarms_on_the_curve_are_those_of_the_budget(calibrated):
    for one in known_curve(calibrated, BUDGET):
        assert one.false_alarms_a_day == BUDGET.false_alarms(one.fmr)


def test_beyond_what_was_counted_stand_only_thresholds_that_would_be_set(calibrated):
    for one in known_curve(calibrated, BUDGET):
        if one.extrapolated:
            found = derive(calibrated, Budget(false_alarms_a_day=one.fmr, passages_a_day=1, list_size=1))
            assert found.threshold_cos == pytest.approx(one.threshold_cos, abs=2e-3)


def test_a_tail_that_did_not_hold_is_not_drawn(calibrated):
    known = Known(**{**{n: getattr(calibrated, n) for n in Known.__dataclass_fields__}, "tail_holds": False})
    assert not any(one.extrapolated for one in known_curve(known, BUDGET))


def test_one_stated_point_is_one_point():
    (only,) = known_curve(stated((0.46, 1e-5, 0.9)), BUDGET)
    assert (only.threshold_cos, only.extrapolated) == (0.46, False)
    assert only.fnmr == pytest.approx(0.1)
