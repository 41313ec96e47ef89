"""The law's needs, one by one: tests are named after the articles that they hold."""

from dataclasses import replace
from datetime import date

import msgspec
import pytest

from lawful import body_of
from shouhao.compliance.facts import FACES_FILED_AT, Facts, Gathered, LiveCamera, facts_after, filing_change
from shouhao.compliance.filing import filing_form, form_text
from shouhao.compliance.model import SWITCHES
from shouhao.compliance.records import OF_A_SWITCH, RECORD_KINDS, Record, check_kind, read_body
from shouhao.compliance.switches import NEEDS, changed_share, face_filing_deadline, size_class, standing_of
from shouhao.compliance.working_days import working_days_after
from shouhao.kernel.clock import DAY_US, start_of_day_us
from shouhao.kernel.errors import InvalidInput

NOW_US = start_of_day_us(date(2026, 3, 2)) + 9 * 3_600_000_000


def live(number=1, *, since_us=NOW_US - DAY_US, sign_us=NOW_US - DAY_US, kind=""):
    return LiveCamera(
        id=f"CAM{number}", place=f"门诊楼 {number}", kind=kind, live_since_us=since_us, sign_taken_at_us=sign_us
    )


def facts(**more):
    given = {
        "at_us": NOW_US,
        "cameras": (live(),),
        "list_size": 200,
        "stored_faces": 200,
        "trained": 1,
        "looking": 1,
        "retention_ran_at_us": NOW_US,
        "unfiled_since_us": None,
        "faces_over_since_us": None,
    }
    return Facts(**(given | more))


def record(kind, *, at_us=NOW_US - DAY_US, **more):
    body = body_of(kind, now_us=at_us, camera_ids=["CAM1"], list_size=200) | more
    return Record(
        id="law_1", kind=kind, switch=None, body=read_body(kind, body, now_us=NOW_US), staff_id=None, at_us=at_us
    )


def records(*left_out, **instead):
    kinds = ("necessity_memo", "impact_assessment", "retention", "equal_way")
    filed = [{"id": "CAM1", "place": "门诊楼 1", "kind": ""}]
    found = {kind: record(kind) for kind in kinds} | {"police_filing": record("police_filing", cameras=filed)}
    return {kind: one for kind, one in (found | instead).items() if kind not in left_out}


def missing(switch="watchlist", given=None, seen=None, now_us=NOW_US):
    standing = standing_of(
        switch, records() if given is None else given, seen or facts(), turned_on=True, now_us=now_us
    )
    assert standing.on == (not standing.missing)
    return {one.need for one in standing.missing}


def due(given=None, seen=None):
    standing = standing_of(
        "watchlist", records() if given is None else given, seen or facts(), turned_on=True, now_us=NOW_US
    )
    return {one.need: one for one in standing.due}


def test_with_everything_in_place_each_switch_may_be_on():
    assert {switch: missing(switch) for switch in SWITCHES} == {switch: set() for switch in SWITCHES}
    assert due() == {}


def test_a_switch_that_nobody_turned_on_is_off_however_complete_it_is():
    assert not standing_of("watchlist", records(), facts(), turned_on=False, now_us=NOW_US).on


def test_every_need_names_an_article_a_holder_and_what_to_hand_in():
    for needs in NEEDS.values():
        for need in needs:
            assert need.articles
            assert need.holder in {"security", "data_protection", "administrator", "outpatient_office", "it"}
            assert need.record is None or need.record in RECORD_KINDS


@pytest.mark.parametrize("kind", ["necessity_memo", "impact_assessment", "retention", "equal_way"])
def test_without_a_record_its_need_is_missing(kind):
    assert missing(given=records(kind)) == {kind}


def test_face_measures_9_the_assessment_is_made_anew_when_the_purpose_changes():
    other = records(necessity_memo=record("necessity_memo", purpose="寻找走失儿童"))
    assert missing(given=other) == {"impact_assessment"}
    same = records(necessity_memo=record("necessity_memo", method="出入口人脸抓拍与经批准的名单比对 "))
    assert missing(given=same) == set()


def test_face_measures_9_the_assessment_is_made_anew_after_an_incident():
    before, after = (record("incident", at_us=NOW_US - days * DAY_US) for days in (2, 0))
    assert missing(given=records(incident=before)) == set()
    assert missing(given=records(incident=after)) == {"impact_assessment"}


def test_face_measures_9_the_assessment_is_made_anew_when_the_list_grows_into_another_class():
    assert missing(seen=facts(list_size=300)) == set()
    assert missing(seen=facts(list_size=301)) == {"impact_assessment"}
    assert missing("frequent_visitors", seen=facts(list_size=301)) == set()
    assert [size_class(n) for n in (0, 300, 301, 3000, 100_000, 100_001)] == [0, 0, 1, 1, 3, 4]


def test_an_assessment_that_allows_no_days_lets_nobody_be_counted():
    none = records(impact_assessment=record("impact_assessment", window_days=0))
    assert missing("frequent_visitors", given=none) == {"impact_assessment"}
    assert missing("watchlist", given=none) == set()


def test_the_share_of_changed_cameras_is_of_those_that_were_assessed():
    assert changed_share(frozenset("abcdefghij"), frozenset("abcdefghi")) == pytest.approx(0.1)
    assert changed_share(frozenset("ab"), frozenset("cd")) == 2
    assert (changed_share(frozenset(), frozenset("a")), changed_share(frozenset(), frozenset())) == (1, 0)


def test_face_measures_13_a_sign_is_seen_once_a_month_and_within_a_day_of_going_live():
    for sign_us, since_us, lacks in (
        (NOW_US - 31 * DAY_US, NOW_US - 99 * DAY_US, set()),
        (NOW_US - 31 * DAY_US - 1, NOW_US - 99 * DAY_US, {"signs"}),
        (None, NOW_US - DAY_US, set()),
        (None, NOW_US - DAY_US - 1, {"signs"}),
    ):
        assert missing(seen=facts(cameras=(live(sign_us=sign_us, since_us=since_us),))) == lacks
    assert due(seen=facts(cameras=(live(sign_us=NOW_US - 25 * DAY_US),)))["signs"].at_us == NOW_US + 6 * DAY_US


def test_video_regulation_14_cameras_are_filed_within_thirty_days_and_so_is_each_change():
    unfiled = records("police_filing")
    for days, lacks in ((0, set()), (30, set()), (31, {"police_filing"})):
        assert missing(given=unfiled, seen=facts(unfiled_since_us=NOW_US - days * DAY_US)) == lacks, days
    assert due(given=unfiled, seen=facts(unfiled_since_us=NOW_US))["police_filing"].at_us is not None
    moved = msgspec.structs.replace(live(), place="住院楼")
    assert missing(seen=facts(cameras=(moved,), unfiled_since_us=NOW_US - 40 * DAY_US)) == {"police_filing"}


def test_the_thirty_days_run_from_when_a_camera_went_live_and_end_with_the_filing():
    def gathered(at_us, *cameras):
        return Gathered(
            at_us=at_us,
            cameras=cameras,
            list_size=0,
            stored_faces=0,
            trained=0,
            looking=0,
            retention_ran_at_us=None,
        )

    first = facts_after(None, gathered(NOW_US, live(since_us=NOW_US - 5)), None)
    assert first.unfiled_since_us == NOW_US - 5
    second = facts_after(first, gathered(NOW_US + 1, live(since_us=NOW_US - 5), live(2, since_us=NOW_US)), None)
    assert second.unfiled_since_us == NOW_US - 5
    filing = records()["police_filing"].body
    assert facts_after(second, gathered(NOW_US + 2, live()), filing).unfiled_since_us is None
    assert facts_after(None, gathered(NOW_US + 3), filing).unfiled_since_us == NOW_US + 3  # one went


def test_face_measures_15_from_a_hundred_thousand_faces_on_thirty_working_days_run():
    since = start_of_day_us(date(2025, 9, 1))
    last = face_filing_deadline(since)
    assert last == date(2025, 10, 17)  # over the National Day, with its make-up days
    over = facts(stored_faces=FACES_FILED_AT, faces_over_since_us=since, at_us=start_of_day_us(last))
    may = standing_of("watchlist", records(), over, turned_on=True, now_us=start_of_day_us(last) + 1)
    assert "face_filing" not in {one.need for one in may.missing}
    late = start_of_day_us(last) + DAY_US
    lacks = standing_of("watchlist", records(), over, turned_on=True, now_us=late)
    assert "face_filing" in {one.need for one in lacks.missing}
    filed = records(face_filing=record("face_filing"))
    assert "face_filing" not in {
        one.need for one in standing_of("watchlist", filed, over, turned_on=True, now_us=late).missing
    }


def test_stored_faces_are_told_at_eighty_and_at_ninety_five_thousand():
    assert "face_filing" not in due(seen=facts(stored_faces=79_999))
    assert "80,000" in due(seen=facts(stored_faces=80_000))["face_filing"].en
    assert "95,000" in due(seen=facts(stored_faces=99_999))["face_filing"].en


def test_working_days_know_holidays_and_a_year_that_nobody_knows_is_counted_short():
    assert working_days_after(date(2026, 2, 13), 1) == date(2026, 2, 14)  # a Saturday that is worked
    assert working_days_after(date(2090, 1, 1), 30) == date(2090, 1, 31)


def test_video_regulation_17_what_is_due_is_deleted_or_the_switch_is_off():
    assert missing(seen=facts(retention_ran_at_us=None)) == {"retention"}
    assert missing(seen=facts(retention_ran_at_us=NOW_US - 2 * DAY_US - 1)) == {"retention"}


def test_counter_terrorism_law_32_a_key_target_keeps_ninety_days():
    with pytest.raises(InvalidInput) as refused:
        read_body("retention", body_of("retention", now_us=NOW_US) | {"key_target": True}, now_us=NOW_US)
    assert refused.value.field == "days"
    assert read_body("retention", {"days": 90, "key_target": True, "why": "重点目标"}, now_us=NOW_US).days == 90


def test_pipl_51_somebody_trained_may_look_and_the_untrained_are_told():
    assert missing(seen=facts(trained=0)) == {"training"}
    assert "training" in due(seen=facts(looking=3))


def test_a_body_says_all_its_kind_asks_for_and_nothing_else():
    whole = body_of("necessity_memo", now_us=NOW_US)
    for broken in (
        {name: value for name, value in whole.items() if name != "rejected"},
        whole | {"rejected": []},
        whole | {"more": 1},
        whole | {"purpose": ""},
        whole | {"document_sha256": "AB" * 32},
        whole | {"signed_on": "2026-03-03"},
        whole | {"purpose": "\ud800"},
        whole | {"purpose": "x" * 300_000},
        {},
    ):
        with pytest.raises(InvalidInput):
            read_body("necessity_memo", broken, now_us=NOW_US)


def test_a_record_is_told_for_one_switch_or_for_the_hospital():
    for kind in RECORD_KINDS:
        switch = "watchlist" if kind in OF_A_SWITCH else None
        assert check_kind(kind, switch) == kind
        with pytest.raises(InvalidInput):
            check_kind(kind, None if switch else "watchlist")


def test_the_printed_form_lists_devices_places_and_changes():
    filing = records()["police_filing"].body
    form = filing_form([live(2, kind="DS-1"), live(3)], filing, unit="某医院", retention_days=30, now_us=NOW_US)
    text = form_text(form)
    for part in ("某医院", "设备数量：2", "DS-1：1 台", "型号未登记：1 台", "30 日", "新增 CAM2", "拆除或停用 CAM1"):
        assert part in text, part
    assert filing_change((live(),), filing).any is False


def test_old_facts_hold_nothing():
    old = replace_at(facts(), NOW_US - DAY_US - 1)
    standing = standing_of("watchlist", records(), old, turned_on=True, now_us=NOW_US)
    assert [one.need for one in standing.missing] == ["counted"]
    assert not replace(standing).on


def replace_at(found, at_us):
    return msgspec.structs.replace(found, at_us=at_us)
