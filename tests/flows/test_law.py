"""The law as it stands: off by default, on by two people, off by itself, and the article that says why."""

import msgspec
import pytest
from sqlalchemy import update

from hospital import events
from lawful import body_of, camera, go_live, hand_in_all, make_lawful, operator
from racing import meanwhile
from shouhao.compliance.model import SWITCHES, SwitchNotReady, SwitchOff
from shouhao.compliance.store import all_records, find_facts, require_on, retention_days, standing
from shouhao.flows.law import (
    ask_to_turn_on,
    hand_in,
    law_due,
    law_now,
    note_retention,
    police_form,
    record_template,
    turn_off,
    turn_on,
)
from shouhao.flows.retention import keep_to_retention
from shouhao.kernel.clock import DAY_US, HOUR_US
from shouhao.kernel.errors import InvalidInput
from shouhao.staff.approvals import ApprovalEnded, NotApproved, SecondPersonNeeded, decide
from shouhao.staff.model import Operator, RoleMissing
from shouhao.store.vault import Vault
from shouhao.watch.model import Sighting
from shouhao.watch.store.alarm_tables import alarms
from shouhao.watch.store.alarms import raise_or_extend
from shouhao.watch.store.cameras import add_sign, list_cameras, put_camera, set_state
from shouhao.watch.store.clips import add_clip
from shouhao.watch.store.stills import StillFolder, find_still, freeze, open_still

NOW_US = 1_772_413_200_000_000  # 2026-03-02 09:00 at the hospital
KEPT = 365 * DAY_US


def stands(db, switch="watchlist", *, now_us=NOW_US):
    with db.read() as connection:
        return standing(connection, switch, now_us=now_us)


def lacks(db, switch="watchlist", *, now_us=NOW_US):
    return {one.need for one in stands(db, switch, now_us=now_us).missing}


def changes(db):
    return [msgspec.json.decode(event["detail"]) for event in events(db, "switch_changed")]


def tick(db, now_us):
    """What the worker does, with the retention that it also keeps."""
    with db.write() as connection:
        note_retention(connection, now_us=now_us)
    return law_due(db, now_us=now_us)


def signs(db, now_us):
    with db.write() as connection:
        for one in list_cameras(connection):
            add_sign(connection, one.id, still_id="st_2", taken_at_us=now_us, staff_id=None, now_us=now_us)


def test_every_switch_is_off_in_a_new_hospital_and_says_what_is_missing(db):
    assert all(not stands(db, switch).on for switch in SWITCHES)
    law_due(db, now_us=NOW_US)
    assert lacks(db) == {"necessity_memo", "impact_assessment", "retention", "training", "equal_way"}
    assert "equal_way" not in lacks(db, "recordings_search")
    with db.read() as connection, pytest.raises(SwitchOff) as off:
        require_on(connection, "watchlist", now_us=NOW_US)
    assert "个人信息保护法第26条" in off.value.says("zh")
    assert "Face Measures 9" in off.value.says("en")


def test_each_missing_thing_names_its_article_and_who_holds_it(db):
    law_due(db, now_us=NOW_US)
    with db.read() as connection:
        needs = {one.need.code: one for one in law_now(connection, now_us=NOW_US)[0].needs}
    assert needs["impact_assessment"].missing.holder == "data_protection"
    assert needs["equal_way"].missing.holder == "outpatient_office"
    assert [article.en for article in needs["police_filing"].need.articles] == ["Video Regulation 14"]
    assert needs["signs"].missing is None


def test_two_people_turn_a_switch_on_and_one_turns_it_off(db):
    go_live(db, "CAM1", now_us=NOW_US)
    hand_in_all(db, "watchlist", now_us=NOW_US)
    asker, second = operator(db, "security", now_us=NOW_US), operator(db, "data_protection", now_us=NOW_US)
    with db.write() as connection:
        asked = ask_to_turn_on(connection, "watchlist", operator=asker, reason="条件齐备", now_us=NOW_US)
    with db.write() as connection, pytest.raises(NotApproved):
        turn_on(connection, "watchlist", asked.id, operator=asker, now_us=NOW_US)
    with db.write() as connection, pytest.raises((SecondPersonNeeded, RoleMissing)):
        decide(connection, asked.id, operator=asker, approve=True, reason="同意", now_us=NOW_US)
    assert not stands(db).on
    with db.write() as connection:
        decide(connection, asked.id, operator=second, approve=True, reason="已核对", now_us=NOW_US)
        turn_on(connection, "watchlist", asked.id, operator=asker, now_us=NOW_US)
    assert stands(db).on
    assert not stands(db, "recordings_search").on
    with db.write() as connection:
        turn_off(connection, "watchlist", operator=second, reason="检修", now_us=NOW_US + 1)
    assert not stands(db).on
    with db.write() as connection, pytest.raises((ApprovalEnded, NotApproved)):  # it was used up
        turn_on(connection, "watchlist", asked.id, operator=asker, now_us=NOW_US + 2)
    assert [change["on"] for change in changes(db)] == [True, False]


def test_an_approval_for_one_switch_turns_on_no_other(db):
    for switch in ("watchlist", "recordings_search"):
        hand_in_all(db, switch, now_us=NOW_US)
    asker, second = operator(db, "security", now_us=NOW_US), operator(db, "data_protection", now_us=NOW_US)
    with db.write() as connection:
        asked = ask_to_turn_on(connection, "watchlist", operator=asker, reason="条件齐备", now_us=NOW_US)
        decide(connection, asked.id, operator=second, approve=True, reason="已核对", now_us=NOW_US)
    with db.write() as connection, pytest.raises(NotApproved):
        turn_on(connection, "recordings_search", asked.id, operator=asker, now_us=NOW_US)
    assert not stands(db, "recordings_search").on


def test_nobody_is_asked_to_agree_while_something_is_missing(db):
    asker = operator(db, "security", now_us=NOW_US)
    with db.write() as connection, pytest.raises(SwitchNotReady):
        ask_to_turn_on(connection, "watchlist", operator=asker, reason="想用", now_us=NOW_US)
    with db.write() as connection, pytest.raises(RoleMissing):
        ask_to_turn_on(connection, "watchlist", operator=operator_of(db, "monitoring"), reason="想用", now_us=NOW_US)


def operator_of(db, role):
    return Operator(id="op_x", name="某", roles=frozenset({role}))


def test_what_was_missing_only_at_the_end_stops_the_turning_on(db):
    hand_in_all(db, "watchlist", now_us=NOW_US)
    asker, second = operator(db, "security", now_us=NOW_US), operator(db, "data_protection", now_us=NOW_US)
    with db.write() as connection:
        asked = ask_to_turn_on(connection, "watchlist", operator=asker, reason="条件齐备", now_us=NOW_US)
        decide(connection, asked.id, operator=second, approve=True, reason="已核对", now_us=NOW_US)
        hand_in(
            connection, "incident", body_of("incident", now_us=NOW_US), switch=None, operator=None, now_us=NOW_US + 1
        )
    with db.write() as connection, pytest.raises(SwitchNotReady):
        turn_on(connection, "watchlist", asked.id, operator=asker, now_us=NOW_US + 2)
    assert not stands(db, now_us=NOW_US + 2).on


def test_a_sign_that_was_not_seen_for_a_month_turns_the_switch_off_with_its_article(db):
    go_live(db, "CAM1", now_us=NOW_US)
    make_lawful(db, "watchlist", now_us=NOW_US)
    with db.write() as connection:
        filed = [{"id": c.id, "place": c.place, "kind": c.kind} for c in find_facts(connection).cameras]
        body = body_of("police_filing", now_us=NOW_US) | {"cameras": filed}
        hand_in(connection, "police_filing", body, switch=None, operator=None, now_us=NOW_US)
    later = NOW_US + 26 * DAY_US
    tick(db, later)
    assert stands(db, now_us=later).on
    assert [due.need for due in stands(db, now_us=later).due] == ["signs"]
    late = NOW_US + 31 * DAY_US + HOUR_US
    assert not stands(db, now_us=late).on  # at once, before any duty
    assert tick(db, late) == 1
    (changed,) = [change for change in changes(db) if not change["on"]]
    assert changed["lapsed"] == ["signs"]
    assert "第13条" in changed["why"]
    assert events(db, "switch_changed")[-1]["staff_id"] is None
    signs(db, late)
    assert tick(db, late + 1) == 0
    assert not stands(db, now_us=late + 1).on  # it is not turned on by itself
    assert not stands(db, now_us=late + 1).missing


def test_cameras_that_nobody_filed_within_thirty_days_turn_it_off(db):
    go_live(db, "CAM1", now_us=NOW_US)
    make_lawful(db, "watchlist", now_us=NOW_US)
    (due,) = stands(db).due
    assert (due.need, due.at_us) == ("police_filing", NOW_US - 9 * HOUR_US + 31 * DAY_US)
    for day in (10, 20, 30):
        at = NOW_US + day * DAY_US
        signs(db, at)
        tick(db, at)
        assert stands(db, now_us=at).on, day
    at = NOW_US + 31 * DAY_US
    tick(db, at)
    assert lacks(db, now_us=at) == {"police_filing"}


def test_the_assessment_is_stale_when_the_cameras_are_others(db):
    ids = [f"CAM{n}" for n in range(10)]
    go_live(db, *ids, now_us=NOW_US)
    make_lawful(db, "watchlist", now_us=NOW_US)
    with db.write() as connection:
        set_state(connection, "CAM0", "off", staff_id=None, now_us=NOW_US + 1)
    tick(db, NOW_US + 2)
    assert stands(db, now_us=NOW_US + 2).on  # one in ten
    go_live(db, "CAM77", now_us=NOW_US + 3)
    assert not stands(db, now_us=NOW_US + 3).on
    assert lacks(db, now_us=NOW_US + 3) == {"impact_assessment"}
    tick(db, NOW_US + 4)
    with db.write() as connection:
        live = [c.id for c in list_cameras(connection) if c.state == "live"]
        body = body_of("impact_assessment", now_us=NOW_US, camera_ids=live)
        hand_in(connection, "impact_assessment", body, switch="watchlist", operator=None, now_us=NOW_US + 5)
    assert not stands(db, now_us=NOW_US + 5).missing


def test_a_camera_that_is_turned_elsewhere_is_planned_again(db):
    go_live(db, "CAM1", now_us=NOW_US)
    with db.write() as connection:
        moved = put_camera(connection, camera("CAM1", angle_deg=180.0), staff_id=None, now_us=NOW_US + 1)
    assert (moved.state, moved.declared_by, moved.sign_photo_id, moved.live_since_us) == ("planned", None, None, None)


def test_facts_that_are_a_day_old_hold_nothing(db):
    make_lawful(db, "watchlist", now_us=NOW_US)
    assert stands(db, now_us=NOW_US + 23 * HOUR_US).on
    assert lacks(db, now_us=NOW_US + 25 * HOUR_US) == {"counted"}


def test_that_pictures_were_erased_is_not_forgotten_by_who_counts_at_that_moment(postgresql_db):
    db = postgresql_db
    law_due(db, now_us=NOW_US)
    meanwhile(
        db,
        lambda connection: note_retention(connection, now_us=NOW_US + 1),
        lambda: law_due(db, now_us=NOW_US + 2),
    )
    with db.read() as connection:
        assert find_facts(connection).retention_ran_at_us == NOW_US + 1


def test_without_trained_people_it_is_off(db):
    make_lawful(db, "watchlist", now_us=NOW_US)
    after = NOW_US + KEPT + DAY_US
    tick(db, after)
    assert lacks(db, now_us=after) == {"training"}


def test_only_those_who_hold_a_record_hand_it_in(db):
    with db.write() as connection, pytest.raises(RoleMissing):
        hand_in(
            connection,
            "impact_assessment",
            body_of("impact_assessment", now_us=NOW_US),
            switch="watchlist",
            operator=operator_of(db, "security"),
            now_us=NOW_US,
        )
    for kind, switch, field in (
        ("memo", None, "kind"),
        ("necessity_memo", None, "switch"),
        ("retention", "watchlist", "switch"),
        ("necessity_memo", "all", "switch"),
    ):
        with db.write() as connection, pytest.raises(InvalidInput) as refused:
            hand_in(connection, kind, {}, switch=switch, operator=None, now_us=NOW_US)
        assert refused.value.field == field
    with db.read() as connection:
        assert all_records(connection) == []


def test_the_form_for_the_police_says_what_changed(db):
    go_live(db, "CAM1", "CAM2", now_us=NOW_US)
    with db.write() as connection:
        filed = [{"id": c.id, "place": c.place, "kind": c.kind} for c in find_facts(connection).cameras]
        body = body_of("police_filing", now_us=NOW_US) | {"cameras": filed}
        hand_in(connection, "police_filing", body, switch=None, operator=None, now_us=NOW_US)
        assert not police_form(connection, unit="某医院", now_us=NOW_US).change.any
    go_live(db, "CAM3", now_us=NOW_US + 1)
    with db.write() as connection:
        set_state(connection, "CAM2", "off", staff_id=None, now_us=NOW_US + 2)
        change = police_form(connection, unit="某医院", now_us=NOW_US + 2).change
    assert [c.id for c in change.added] == ["CAM3"]
    assert [c.id for c in change.removed] == ["CAM2"]


def test_a_template_knows_the_cameras_and_the_memo_and_leaves_to_people_what_only_they_can_say(db):
    go_live(db, "CAM1", "CAM2", now_us=NOW_US)
    with db.write() as connection:
        memo = body_of("necessity_memo", now_us=NOW_US)
        hand_in(connection, "necessity_memo", memo, switch="watchlist", operator=None, now_us=NOW_US)
        body = record_template(connection, "impact_assessment", switch="watchlist", now_us=NOW_US)
        assert (body["camera_ids"], body["purpose"], body["risks"]) == (["CAM1", "CAM2"], memo["purpose"], "")
        with pytest.raises(InvalidInput):
            hand_in(connection, "impact_assessment", body, switch="watchlist", operator=None, now_us=NOW_US)
        whole = {name: value or "写明" for name, value in body.items()} | {"document_sha256": "ab" * 32, "list_size": 0}
        hand_in(connection, "impact_assessment", whole, switch="watchlist", operator=None, now_us=NOW_US)
        filing = record_template(connection, "police_filing", switch=None, now_us=NOW_US)
        filed = filing | {"office": "某县公安局", "reference": "1", "document_sha256": "ab" * 32}
        hand_in(connection, "police_filing", filed, switch=None, operator=None, now_us=NOW_US)
    assert not lacks(db) & {"necessity_memo", "impact_assessment"}
    assert find_unfiled(db) is None


def find_unfiled(db):
    with db.read() as connection:
        return find_facts(connection).unfiled_since_us


def test_pictures_are_erased_when_their_time_is_over_and_signs_that_count_are_kept(db, tmp_path):
    stills = StillFolder(
        folder=tmp_path / "stills", keys_folder=tmp_path / "keys", sealer=Vault(b"v" * 32).sealer("stills")
    )
    go_live(db, "CAM1", now_us=NOW_US)
    with db.write() as connection:
        old, sign = (
            freeze(connection, stills, b"a picture", kind=kind, camera_id="CAM1", taken_at_us=NOW_US, now_us=NOW_US)
            for kind in ("scene", "sign")
        )
        add_sign(connection, "CAM1", still_id=sign, taken_at_us=NOW_US, staff_id=None, now_us=NOW_US)
    later = NOW_US + 30 * DAY_US + 1
    assert keep_to_retention(db, stills, now_us=later) == 0  # nobody has said how long
    with db.write() as connection:
        assert find_facts(connection).retention_ran_at_us is None
        hand_in(connection, "retention", body_of("retention", now_us=NOW_US), switch=None, operator=None, now_us=NOW_US)
        assert retention_days(connection) == 30
    assert keep_to_retention(db, stills, now_us=NOW_US + 30 * DAY_US) == 0
    assert keep_to_retention(db, stills, now_us=later) == 1
    with db.read() as connection:
        assert find_still(connection, old).erased_at_us == later
        assert open_still(connection, stills, sign) == b"a picture"
        assert find_facts(connection).retention_ran_at_us == later


def test_pictures_of_an_alarm_that_is_open_or_went_to_the_police_are_kept(db, tmp_path):
    stills = StillFolder(
        folder=tmp_path / "stills", keys_folder=tmp_path / "keys", sealer=Vault(b"v" * 32).sealer("stills")
    )
    with db.write() as connection:
        body = body_of("retention", now_us=NOW_US)
        hand_in(connection, "retention", body, switch=None, operator=None, now_us=NOW_US)
        kept = {
            name: freeze(connection, stills, b"x", kind="crop", camera_id="CAM1", taken_at_us=NOW_US, now_us=NOW_US)
            for name in ("open", "closed", "police", "clip_open", "clip_closed", "nobody's")
        }
        for name, ends in (("open", {}), ("closed", {"closed_at_us": 1}), ("police", POLICE)):
            alarm = raise_or_extend(connection, sighting(name, kept[name]), now_us=NOW_US).alarm_id
            connection.execute(update(alarms).where(alarms.c.id == alarm).values(**ends or {"late": False}))
            if f"clip_{name}" in kept:
                add_clip(
                    connection, kept[f"clip_{name}"], alarm_id=alarm, camera_id="CAM1", from_us=NOW_US, to_us=NOW_US
                )
    assert keep_to_retention(db, stills, now_us=NOW_US + 31 * DAY_US) == 3
    with db.read() as connection:
        gone = {name for name, still in kept.items() if find_still(connection, still).erased_at_us is not None}
    assert gone == {"closed", "clip_closed", "nobody's"}


POLICE = {"closed_at_us": 1, "handed_to_police_at_us": 1}


def sighting(name, crop_id):
    return Sighting(
        passage_id=f"ps_{name}",
        camera_id="CAM1",
        place_id="P1",
        entry_id=f"we_{name}",
        list_id="own",
        photo_id="ph_1",
        seen_at_us=NOW_US,
        arrived_at_us=NOW_US,
        similarity_cos=0.8,
        threshold_cos=0.5,
        quality=0.9,
        frames=1,
        pack="p@1",
        crop_id=crop_id,
        scene_id=None,
    )
