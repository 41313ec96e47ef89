"""A threshold follows from budget and knowledge: counted, extrapolated and marked, or not reached and said to be so."""

import json
import math
from pathlib import Path

import pytest

from faces.made_calibration import a_report
from shouhao.faces.budget import Budget
from shouhao.faces.derivation import (
    Known,
    KnownPoint,
    derive,
    known_from_calibration,
    known_from_manifest,
    packed,
    unpacked,
)
from shouhao.faces.packs import MeasuredThreshold, load_pack
from shouhao.kernel.errors import InvalidInput


def budget(alarms, passages=20_000, size=2_100):
    return Budget(false_alarms_a_day=alarms, passages_a_day=passages, list_size=size)


def stated(*points):
    known = tuple(KnownPoint(threshold_cos=cos, fmr=fmr, tmr=tmr) for cos, fmr, tmr in points)
    return Known(pack="p@1", basis="manifest", source="x", points=known, smallest_fmr=known[-1].fmr)


POINTS = stated((0.3229, 1e-3, 0.991), (0.3976, 1e-4, 0.972), (0.4598, 1e-5, 0.939))


@pytest.fixture(scope="module")
def report():
    made, _ = a_report(400)
    return json.loads(json.dumps(made))


def test_between_two_stated_points_the_line_is_straight_in_the_logarithm():
    fmr = math.sqrt(1e-3 * 1e-4)
    found = derive(POINTS, budget(fmr * 1000 * 10, passages=1000, size=10))
    assert found.threshold_cos == pytest.approx((0.3229 + 0.3976) / 2, abs=2e-4)
    assert (found.reached, found.extrapolated, found.why_not) == (True, False, None)


def test_a_laxer_budget_than_any_point_is_answered_with_the_laxest_point():
    found = derive(POINTS, budget(1000, passages=1000, size=1))
    assert (found.threshold_cos, found.fmr, found.reached, found.extrapolated) == (0.3229, 1e-3, True, False)
    assert found.false_alarms_a_day <= 1000


def test_beyond_the_last_point_the_steepest_step_is_taken_and_marked():
    found = derive(POINTS, budget(1))  # 2.4e-8, 2.6 decades beyond
    decades = math.log10(1e-5 / budget(1).fmr)
    assert found.threshold_cos >= 0.4598 + decades * (0.3976 - 0.3229) - 1e-9
    assert (found.reached, found.extrapolated, found.tmr) == (True, True, None)


def test_a_hundred_thousand_entries_reach_no_budget_of_one_alarm_and_it_is_said():
    found = derive(POINTS, budget(1, size=100_000))
    assert (found.reached, found.why_not, found.extrapolated) == (False, "too_far_beyond", True)
    assert found.false_alarms_a_day == pytest.approx(20)  # a thousandth of what was counted: 1e-8 x 2e9 comparisons
    assert found.threshold_cos == derive(POINTS, budget(20, size=100_000)).threshold_cos  # the strictest that is known


def test_one_point_allows_no_line():
    found = derive(stated((0.46, 1e-5, 0.9)), budget(1))
    assert (found.threshold_cos, found.reached, found.why_not, found.extrapolated) == (0.46, False, "no_curve", False)


def test_a_stricter_budget_never_gives_a_laxer_threshold(report):
    for known in (POINTS, known_from_calibration(report)):
        alarms = [10.0**n for n in range(3, -8, -1)]
        cosines = [derive(known, budget(one)).threshold_cos for one in alarms]
        assert cosines == sorted(cosines)


def test_a_calibration_counts_as_far_as_it_goes_and_extrapolates_where_its_tail_held(report):
    known = known_from_calibration(report)
    counted = derive(known, Budget(false_alarms_a_day=1, passages_a_day=10, list_size=100))  # 1e-3
    assert (counted.extrapolated, counted.reached) == (False, True)
    assert counted.fmr <= 1e-3
    assert counted.tmr is not None
    chosen = report["measured"]["decision"]["chosen"]
    asked = Budget(**report["measured"]["budget"])
    again = derive(known, asked)
    assert again.threshold_cos == pytest.approx(chosen["threshold_cos"], abs=2e-3)
    assert again.extrapolated == chosen["extrapolated"]


def test_a_tail_that_did_not_hold_is_not_used(report):
    broken = json.loads(json.dumps(report))
    for level in broken["measured"]["decision"]["held_out"]:
        level["holds"] = False
    known = known_from_calibration(broken)
    found = derive(known, budget(1e-3))
    assert (found.reached, found.why_not, found.extrapolated) == (False, "fit_failed", False)
    assert found.fmr >= known.smallest_fmr


def test_what_is_kept_gives_the_same_threshold(report):
    known = known_from_calibration(report)
    assert unpacked(json.loads(json.dumps(packed(known)))) == known


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.pop("measured"),
        lambda r: r.update(format="shouhao.calibration/9"),
        lambda r: r["measured"]["curve"].update(fmr=[]),
        lambda r: r["measured"]["curve"]["fmr"].reverse(),
        lambda r: r["measured"]["curve"]["threshold_cos"].__setitem__(0, 7.0),
        lambda r: r["measured"].update(impostor_pairs=0),
        lambda r: r["measured"]["decision"].update(tail={"start_cos": 0.5}),
        lambda r: r["data"].update(files_sha256="../x"),
    ],
)
def test_what_is_no_calibration_is_refused(report, change):
    broken = json.loads(json.dumps(report))
    change(broken)
    with pytest.raises(InvalidInput) as refused:
        known_from_calibration(broken)
    assert refused.value.field == "calibration"


def test_a_manifest_says_only_what_was_measured(tmp_path):
    assert known_from_manifest(load_pack("opencv-zoo", models_dir=tmp_path)) is None
    known = known_from_manifest(load_pack("arcface-onnx", models_dir=tmp_path))
    assert [point.fmr for point in known.points] == [1e-3, 1e-4, 1e-5]


def test_points_of_a_manifest_that_contradict_each_other_are_left_out(tmp_path):
    pack = load_pack("arcface-onnx", models_dir=tmp_path)
    odd = MeasuredThreshold(fmr=1e-2, similarity_cos=0.42, tmr=0.9, measured_on="x")
    known = known_from_manifest(
        type(pack)(**{name: getattr(pack, name) for name in pack.__slots__} | {"thresholds": (*pack.thresholds, odd)})
    )
    assert 0.42 not in [point.threshold_cos for point in known.points]


def test_the_table_that_hospitals_read_is_what_the_derivation_gives(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/keep-the-watchlist.md").read_text(encoding="utf-8")
    known = known_from_manifest(load_pack("arcface-onnx", models_dir=tmp_path))
    told = [[cell.strip() for cell in line.strip("| ").split("|")] for line in page.splitlines() if " | 0." in line]
    assert len(told) == 6
    for size, asked, threshold, expected, words in told:
        found = derive(known, budget(float(asked), size=int(size.replace(",", ""))))
        assert f"{found.threshold_cos:.3f}" == threshold
        assert f"{found.false_alarms_a_day:.0f}" == expected
        assert ("达不到" in words) == (not found.reached)
        assert ("外推" in words) == (found.reached and found.extrapolated)
