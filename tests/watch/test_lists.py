"""A list's threshold follows its budget, its size and the traffic; each derivation is a version with what went in."""

import json

import pytest

from faces.enrolling import photo
from faces.made_calibration import a_report
from flows.listing import NOW_US, Keeping, nobody, told
from shouhao.faces.enrolment import set_threshold
from shouhao.faces.store import newest_threshold, threshold_versions
from shouhao.flows.watch_thresholds import (
    add_calibration,
    ask_list_change,
    derive_due,
    derive_for,
    measured_traffic,
    standing_of,
)
from shouhao.kernel.clock import DAY_US, day_of
from shouhao.kernel.errors import InvalidInput, NotFound
from shouhao.watch.store.captures import Counts, count_traffic
from shouhao.watch.store.lists import ListExists, ListTerms, add_list, all_lists, find_list, shadow_band

PACK = "colour@1"


@pytest.fixture
def keeping(db, tmp_path):
    kept = Keeping(db, tmp_path)
    kept.listed(photo((10, 1, 1)))
    return kept


def threshold(keeping, list_id="own"):
    with keeping.db.read() as connection:
        return newest_threshold(connection, "watchlist", list_id=list_id, pack=PACK)


def counted(keeping, *passages, camera="CAM1"):
    """Traffic of the last complete days, yesterday last."""
    with keeping.db.write() as connection:
        for n, one in enumerate(reversed(passages), 1):
            day = day_of(keeping.now_us - n * DAY_US).isoformat()
            count_traffic(connection, {(camera, day): Counts(passages=one)})


def test_what_a_threshold_was_derived_from_is_kept_with_it(keeping):
    kept = threshold(keeping)
    rested_on = kept.derived_from
    assert (rested_on["false_alarms_a_day"], rested_on["list_size"], rested_on["passages_a_day"]) == (10.0, 1, 1000)
    assert (rested_on["passages_are"], rested_on["basis"], rested_on["source"]) == ("assumed", "manifest", "colours")
    assert rested_on["derived"]["fmr_needed"] == pytest.approx(10 / 1000)
    assert kept.similarity_cos == rested_on["derived"]["threshold_cos"] == 0.4


def test_nothing_is_derived_anew_while_nothing_changes(keeping):
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 0
    assert threshold(keeping).version == 1


def test_a_growing_list_gets_a_stricter_threshold(keeping):
    for n in range(2, 6):
        keeping.listed(photo((n * 10, 1, 1)), person=nobody(n))
    kept = threshold(keeping)
    assert kept.version == 5  # each entry was more than a fifth of what was there
    assert kept.derived_from["list_size"] == 5
    assert kept.similarity_cos > 0.4
    with keeping.db.read() as connection:
        cosines = [one.similarity_cos for one in threshold_versions(connection, "watchlist", "own")]
    assert cosines == sorted(cosines, reverse=True)


def test_measured_traffic_takes_the_place_of_what_was_assumed_after_three_days(keeping):
    counted(keeping, 4000, 5000)
    with keeping.db.read() as connection:
        assert measured_traffic(connection, assumed=1000, now_us=keeping.now_us).basis == "assumed"
    counted(keeping, 3000, 0, 0)
    counted(keeping, 0, 0, 1000, camera="CAM2")
    with keeping.db.read() as connection:
        found = measured_traffic(connection, assumed=1000, now_us=keeping.now_us)
    assert (found.basis, found.passages_a_day, found.days) == ("counted", 6000, 3)  # the busiest day, all cameras
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 1
    rested_on = threshold(keeping).derived_from
    assert (rested_on["passages_a_day"], rested_on["passages_are"], rested_on["passages_days"]) == (6000, "counted", 3)


def test_today_is_not_over_and_does_not_count(keeping):
    with keeping.db.write() as connection:
        for n in range(3):
            day = day_of(keeping.now_us + n * DAY_US).isoformat()
            count_traffic(connection, {("CAM1", day): Counts(passages=9000)})
    with keeping.db.read() as connection:
        assert measured_traffic(connection, assumed=1000, now_us=keeping.now_us).days == 0


def test_a_small_change_of_traffic_changes_nothing(keeping):
    counted(keeping, 1100, 1150, 1199)
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 0
    counted(keeping, 1300, 0, 0)
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 1


def test_the_hospital_s_own_calibration_wins_over_the_manifest(keeping):
    report, _ = a_report(400)
    report["pack"]["id"] = PACK
    with keeping.db.write() as connection:
        kept = add_calibration(connection, json.dumps(report).encode(), operator=keeping.asker, now_us=keeping.now_us)
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 1
    after = threshold(keeping)
    assert (after.derived_from["basis"], after.derived_from["calibration_id"]) == ("calibration", kept.id)
    assert after.derived_from["source"] == report["data"]["files_sha256"]
    assert [e["detail"]["act"] for e in told(keeping.db, "watch_list_changed")] == ["added", "calibrated"]


@pytest.mark.parametrize(
    "written", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b"0" * (16 * 1024 * 1024 + 1)]
)
def test_what_is_no_calibration_is_not_kept(keeping, written):
    with keeping.db.write() as connection, pytest.raises(InvalidInput):
        add_calibration(connection, written, operator=None, now_us=keeping.now_us)


def test_a_threshold_that_a_person_set_stands_until_a_newer_calibration_comes(keeping):
    set_threshold(
        keeping.desk.setup, list_id="own", pack=PACK, similarity_cos=0.9, derived_from={"budget": {}}, now_us=NOW_US
    )
    counted(keeping, 9000, 9000, 9000)
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 0
    (standing,) = standing_of(keeping.desk, "own", now_us=keeping.now_us)
    assert (standing.by_hand, standing.set.similarity_cos) == (True, 0.9)
    assert standing.now.threshold_cos != 0.9  # what would follow is shown beside it
    report, _ = a_report(400)
    report["pack"]["id"] = PACK
    keeping.clock.advance(seconds=1)
    with keeping.db.write() as connection:
        add_calibration(connection, json.dumps(report).encode(), operator=None, now_us=keeping.now_us)
    assert derive_due(keeping.desk, now_us=keeping.now_us) == 1


def test_a_budget_that_nothing_can_keep_is_said_and_the_strictest_known_is_set(keeping):
    with keeping.db.write() as connection:
        strict = ListTerms(name="严", ground="x", false_alarms_a_day=1e-9)
        add_list(connection, "strict", strict, now_us=NOW_US, staff_id=None)
    derive_for(keeping.desk, "strict", now_us=keeping.now_us)
    derived = threshold(keeping, "strict").derived_from["derived"]
    assert (derived["reached"], derived["why_not"]) == (False, "too_far_beyond")
    assert derived["false_alarms_a_day"] > 1e-9
    assert threshold(keeping, "strict").similarity_cos >= threshold(keeping).similarity_cos


def test_other_terms_take_a_second_person_and_are_derived_at_once(keeping):
    laxer = ListTerms(name="本院号贩子", ground="维护诊疗秩序", false_alarms_a_day=1.0, shadow_band_cos=0.1)
    with keeping.db.write() as connection:
        asked = ask_list_change(
            connection, "own", laxer, reason="误报太多", operator=keeping.asker, now_us=keeping.now_us
        )
        again = ask_list_change(
            connection, "own", laxer, reason="误报太多", operator=keeping.asker, now_us=keeping.now_us
        )
        assert find_list(connection, "own").version == 1
    keeping.approved(asked, keeping.approvers[0])
    with keeping.db.read() as connection:
        assert (find_list(connection, "own").terms, shadow_band(connection, "own")) == (laxer, 0.1)
    assert threshold(keeping).derived_from["false_alarms_a_day"] == 1.0
    with pytest.raises(InvalidInput):  # it was asked about terms that no longer are
        keeping.approved(again, keeping.approvers[0])


def test_lists_are_refused_what_nobody_could_mean(keeping):
    for changed, field in (
        ({"name": " "}, "name"),
        ({"ground": ""}, "ground"),
        ({"false_alarms_a_day": 0}, "false_alarms_a_day"),
        ({"false_alarms_a_day": float("nan")}, "false_alarms_a_day"),
        ({"shadow_band_cos": -0.1}, "shadow_band_cos"),
        ({"shadow_band_cos": float("nan")}, "shadow_band_cos"),
    ):
        with pytest.raises(InvalidInput) as refused:
            ListTerms(**{"name": "x", "ground": "x", "false_alarms_a_day": 1.0, **changed})
        assert refused.value.field == field
    with keeping.db.write() as connection:
        with pytest.raises(ListExists):
            add_list(connection, "own", ListTerms(name="x", ground="x", false_alarms_a_day=1), now_us=1, staff_id=None)
        with pytest.raises(NotFound):
            shadow_band(connection, "none")
        assert [one.id for one in all_lists(connection)] == ["own"]
