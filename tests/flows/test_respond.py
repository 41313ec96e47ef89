"""From an alarm to its outcome on both databases: who, when, once; two at once; and what the machine does by itself."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from shouhao.flows.respond import (
    candidates,
    check_in,
    escalate_late,
    forget_alarm_feed,
    forget_wrong_faces,
    guard_step,
    step,
)
from shouhao.flows.trail import ask_for_trail, trail_of_alarm, trail_of_inquiry
from shouhao.kernel.clock import DAY_US, MINUTE_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.staff import approvals, register
from shouhao.staff.approvals import ApprovalEnded, NotApproved
from shouhao.staff.model import Operator, RoleMissing
from shouhao.staff.training import NotTrained
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.store.vault import Vault
from shouhao.watch.alarm import AlarmChanged, Asked, TaskEnded
from shouhao.watch.dispatch import GuardBusy, GuardOffDuty
from shouhao.watch.store import dispatches
from shouhao.watch.store.alarm_tables import alarm_feed, alarm_labels, alarms, sightings
from shouhao.watch.store.alarms import Raised, find_alarm, raise_or_extend, steps_of
from shouhao.watch.store.escalations import escalations_of
from shouhao.watch.store.stills import StillFolder, freeze, open_still
from watch.watched import NOW_US, furnish, operator, raised, sent, sighting, stepped


@pytest.fixture
def people(db: Database) -> dict[str, Operator]:
    return furnish(db)


def events(db: Database, kind: str) -> list[dict[str, Any]]:
    with db.read() as connection:
        return [row for rows in event_log.read(connection) for row in rows if row["kind"] == kind]


def rows(db: Database, table: Any) -> list[Any]:
    with db.read() as connection:
        return list(connection.execute(select(table)))


def at_once(*acts: Any) -> list[Any]:
    """Each act on a thread of its own, all let go together; what each returned or raised."""
    gate, said = threading.Barrier(len(acts)), [None] * len(acts)

    def run(n: int) -> None:
        gate.wait()
        try:
            said[n] = acts[n]()
        except Refused as refused:
            said[n] = refused  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return said


def test_the_case_of_the_hospital_is_one_timed_record(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    minute = {"raised": 0, "acknowledged": 1, "confirmed": 2, "dispatched": 10, "accepted": 11, "arrived": 14}
    monitoring, guard, police = people["monitoring"], people["guard2"], people["police_liaison"]
    told = (
        (Asked(step="acknowledged"), monitoring, 1),
        (Asked(step="confirmed"), monitoring, 2),
        (Asked(step="dispatched", guard_id=guard.id), monitoring, 10),
        (Asked(step="accepted"), guard, 11),
        (Asked(step="arrived"), guard, 14),
        (Asked(step="outcome", outcome="removed", reason="驱离至门诊区域外"), guard, 16),
        (Asked(step="handed_to_police"), police, 50),
        (Asked(step="closed"), people["security"], 55),
    )
    for asked, who, at_min in told:
        alarm = stepped(db, alarm, asked, who, now_us=NOW_US + at_min * MINUTE_US)
    with db.read() as connection:
        history = steps_of(connection, alarm.id)
        assert find_alarm(connection, alarm.id) == alarm
        assert escalations_of(connection, alarm.id) == []
    assert [(s.step, s.actor_id) for s in history] == [("raised", None), *((a.step, w.id) for a, w, _ in told)]
    assert [(s.at_us - NOW_US) // MINUTE_US for s in history] == [0, 1, 2, 10, 11, 14, 16, 50, 55]
    assert {name: (at - NOW_US) // MINUTE_US for name, at in alarm.reached.items() if name in minute} == {
        name: at for name, at in minute.items() if name != "raised"
    }
    assert (alarm.state, alarm.outcome, alarm.dispatch_id) == ("closed", "removed", None)
    assert [e["detail"]["step"] for e in events(db, "alarm_step")] == [a.step for a, _, _ in told]
    (label,) = rows(db, alarm_labels)
    assert (label.same_person, label.similarity_cos) == (True, 0.62)
    with db.read() as connection:
        (done,) = dispatches.of_guard(connection, guard.id, since_us=0)
    assert done.state == "done"


def test_a_sighting_raises_once_and_more_frames_of_it_better_the_alarm(db: Database) -> None:
    with db.write() as connection:
        first = raise_or_extend(connection, sighting(similarity_cos=0.5, frames=1), now_us=NOW_US)
    for better in (sighting(similarity_cos=0.7), sighting(similarity_cos=0.7), sighting(similarity_cos=0.46)):
        with db.write() as connection:
            again = raise_or_extend(connection, better, now_us=NOW_US + SECOND_US)
        assert again == Raised(alarm_id=first.alarm_id, new=False)
    (row,) = rows(db, sightings)
    assert (row.similarity_cos, row.frames) == (0.7, 3)
    (alarm,) = rows(db, alarms)
    assert (alarm.version, alarm.sightings) == (1, 1)
    assert len(events(db, "alarm_raised")) == len(events(db, "sighted")) == 1


def test_one_alarm_a_person_and_place_within_the_cool_down(db: Database) -> None:
    first = raised(db)
    again = raised(db, sighting(2, at_us=NOW_US + 5 * MINUTE_US))
    elsewhere = raised(db, sighting(3, place="hall"))
    other = raised(db, sighting(4, entry_id="we_2"))
    later = raised(db, sighting(5, at_us=NOW_US + 16 * MINUTE_US))
    assert again.id == first.id
    assert (again.sightings, again.last_seen_at_us) == (2, NOW_US + 5 * MINUTE_US)
    assert len({first.id, elsewhere.id, other.id, later.id}) == 4


def test_a_passage_that_is_like_two_listed_people_alarms_for_both(db: Database) -> None:
    twins = [raised(db, sighting(entry_id=entry)) for entry in ("we_1", "we_2")]
    assert [alarm.best.entry_id for alarm in twins] == ["we_1", "we_2"]
    assert len(rows(db, sightings)) == 2


def test_two_cameras_of_one_place_at_once_raise_one_alarm(db: Database) -> None:
    def see(number: int) -> Raised:
        with db.write() as connection:
            return raise_or_extend(connection, sighting(number), now_us=NOW_US)

    said = at_once(*(lambda n=n: see(n) for n in range(6)))
    assert len({one.alarm_id for one in said}) == 1
    assert sum(one.new for one in said) == 1
    (alarm,) = rows(db, alarms)
    assert alarm.sightings == 6


def test_two_operators_at_once_cannot_both_acknowledge(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)

    def acknowledge(who: Operator) -> Any:
        with db.write() as connection:
            asked = Asked(step="acknowledged", expected_version=1)
            return step(connection, alarm_id=alarm.id, asked=asked, operator=who, now_us=NOW_US)

    said = at_once(lambda: acknowledge(people["monitoring"]), lambda: acknowledge(people["security"]))
    assert sorted(type(one).__name__ for one in said) == ["Alarm", "AlarmChanged"]
    with db.read() as connection:
        assert [s.step for s in steps_of(connection, alarm.id)] == ["raised", "acknowledged"]


def test_a_better_sighting_in_between_refuses_nobodys_step(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    raised(db, sighting(similarity_cos=0.9))
    with db.write() as connection:
        asked = Asked(step="acknowledged", expected_version=alarm.version)
        step(connection, alarm_id=alarm.id, asked=asked, operator=people["monitoring"], now_us=NOW_US)


def test_the_nearest_free_guard_is_named_and_a_person_sends_him(db: Database, people: dict[str, Operator]) -> None:
    alarm = sent(db, people)
    with db.read() as connection:
        found = candidates(connection, alarm, now_us=NOW_US)
    assert [(c.guard_id, c.busy, c.walking_s) for c in found] == [
        (people["guard2"].id, False, 165.0),
        (people["guard"].id, True, 75.0),
    ]
    assert alarm.guard_id == people["guard"].id
    assert [e["detail"]["what"] for e in events(db, "dispatched")] == ["post", "post", "sent"]


def test_one_guard_has_one_dispatch_at_a_time(db: Database, people: dict[str, Operator]) -> None:
    sent(db, people)
    other = raised(db, sighting(2, place="hall"))
    with pytest.raises(GuardBusy):
        sent(db, people, other)
    with db.read() as connection:
        still = find_alarm(connection, other.id)
    assert still is not None
    assert (still.state, still.guard_id) == ("confirmed", None)


def test_two_alarms_at_once_cannot_both_send_one_guard(db: Database, people: dict[str, Operator]) -> None:
    both = [raised(db), raised(db, sighting(2, place="hall"))]
    for alarm in both:
        for name in ("acknowledged", "confirmed"):
            stepped(db, alarm, Asked(step=name), people["monitoring"])  # type: ignore[arg-type]

    def send(alarm_id: str) -> Any:
        with db.write() as connection:
            asked = Asked(step="dispatched", guard_id=people["guard"].id, expected_version=3)
            return step(connection, alarm_id=alarm_id, asked=asked, operator=people["security"], now_us=NOW_US)

    said = at_once(*(lambda a=alarm.id: send(a) for alarm in both))
    assert sorted(type(one).__name__ for one in said) == ["Alarm", "GuardBusy"]


def test_only_a_guard_on_duty_is_sent(db: Database, people: dict[str, Operator]) -> None:
    with db.write() as connection:
        check_in(connection, place_id=None, operator=people["guard"], now_us=NOW_US)
    with pytest.raises(GuardOffDuty):
        sent(db, people)
    for nobody in ("op_x", people["auditor"].id):
        alarm = raised(db)
        with pytest.raises(InvalidInput):
            stepped(db, alarm, Asked(step="dispatched", guard_id=nobody), people["monitoring"])
    with db.write() as connection, pytest.raises(InvalidInput):
        check_in(connection, place_id="nowhere", operator=people["guard"], now_us=NOW_US)
    with db.write() as connection, pytest.raises(RoleMissing):
        check_in(connection, place_id="door", operator=people["monitoring"], now_us=NOW_US)


def test_who_declines_is_free_and_the_next_one_goes(db: Database, people: dict[str, Operator]) -> None:
    alarm = sent(db, people)
    with db.write() as connection:
        asked = Asked(step="declined", reason="正在处理急救")
        guard_step(connection, dispatch_id=str(alarm.dispatch_id), asked=asked, operator=people["guard"], now_us=NOW_US)
    again = stepped(db, alarm, Asked(step="dispatched", guard_id=people["guard2"].id), people["monitoring"])
    assert again.guard_id == people["guard2"].id
    asked = Asked(step="accepted")
    with db.write() as connection, pytest.raises(TaskEnded):
        guard_step(connection, dispatch_id=str(alarm.dispatch_id), asked=asked, operator=people["guard"], now_us=NOW_US)


def test_sending_another_guard_calls_the_first_one_back(db: Database, people: dict[str, Operator]) -> None:
    alarm = sent(db, people)
    asked = Asked(step="dispatched", guard_id=people["guard2"].id, reason="无应答")
    stepped(db, alarm, asked, people["monitoring"])
    with db.read() as connection:
        (first,) = dispatches.of_guard(connection, people["guard"].id, since_us=0)
        assert (first.state, dispatches.live_of_guard(connection, people["guard"].id)) == ("recalled", None)


def test_a_guard_cannot_reach_another_guards_dispatch(db: Database, people: dict[str, Operator]) -> None:
    alarm = sent(db, people)
    asked = Asked(step="accepted")
    for who in (people["guard2"], people["monitoring"]):
        with db.write() as connection, pytest.raises(NotFound):
            guard_step(connection, dispatch_id=str(alarm.dispatch_id), asked=asked, operator=who, now_us=NOW_US)
    with db.read() as connection:
        assert find_alarm(connection, alarm.id) == alarm


def test_a_step_that_waited_on_a_phone_keeps_its_time_and_both_are_kept(
    db: Database, people: dict[str, Operator]
) -> None:
    alarm = sent(db, people)
    now_us = NOW_US + 6 * MINUTE_US
    asked = Asked(step="accepted", said_at_us=NOW_US + MINUTE_US, sent_at_us=now_us)
    stepped(db, alarm, asked, people["guard"], now_us=now_us)
    forged = Asked(step="arrived", said_at_us=NOW_US - 20 * MINUTE_US, sent_at_us=now_us)
    stepped(db, alarm, forged, people["guard"], now_us=now_us)
    with db.read() as connection:
        accepted, arrived = steps_of(connection, alarm.id)[-2:]
    assert (accepted.at_us, accepted.heard_at_us, accepted.believed) == (NOW_US + MINUTE_US, now_us, True)
    assert (arrived.at_us, arrived.said_at_us, arrived.believed) == (now_us, NOW_US - 20 * MINUTE_US, False)


def test_a_late_step_is_told_once_by_however_many_workers(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    assert escalate_late(db, now_us=NOW_US + 30 * SECOND_US) == 0
    late_us = NOW_US + 61 * SECOND_US
    said = at_once(*(lambda: escalate_late(db, now_us=late_us) for _ in range(3)))
    assert sum(said) == 1
    assert escalate_late(db, now_us=late_us + SECOND_US) == 0
    assert [e["detail"]["target"] for e in events(db, "alarm_escalated")] == ["acknowledge"]
    stepped(db, alarm, Asked(step="acknowledged"), people["monitoring"], now_us=late_us)
    assert escalate_late(db, now_us=NOW_US + 21 * MINUTE_US) == 2
    with db.read() as connection:
        told = escalations_of(connection, alarm.id)
    assert [one.target for one in told] == ["acknowledge", "decide", "outcome"]


def test_the_next_guard_has_clocks_of_his_own(db: Database, people: dict[str, Operator]) -> None:
    alarm = sent(db, people)
    assert escalate_late(db, now_us=NOW_US + 2 * MINUTE_US) == 1, "he did not accept"
    again = Asked(step="dispatched", guard_id=people["guard2"].id, reason="无应答")
    stepped(db, alarm, again, people["monitoring"], now_us=NOW_US + 2 * MINUTE_US)
    assert escalate_late(db, now_us=NOW_US + 3 * MINUTE_US) == 0
    assert escalate_late(db, now_us=NOW_US + 4 * MINUTE_US) == 1, "nor did she"


def test_late_and_rejected_alarms_escalate_no_more(db: Database, people: dict[str, Operator]) -> None:
    raised(db, sighting(9, late=True, at_us=NOW_US - DAY_US))
    alarm = raised(db)
    stepped(db, alarm, Asked(step="acknowledged"), people["monitoring"])
    stepped(db, alarm, Asked(step="rejected", reason="另一个人"), people["monitoring"])
    assert escalate_late(db, now_us=NOW_US + DAY_US) == 0
    (label,) = rows(db, alarm_labels)
    assert (label.same_person, label.threshold_cos) == (False, 0.45)


def test_the_pictures_of_somebody_else_are_erased_and_the_numbers_stay(
    db: Database, people: dict[str, Operator], tmp_path: Path
) -> None:
    stills = StillFolder(
        folder=tmp_path / "stills", keys_folder=tmp_path / "keys", sealer=Vault(b"v" * 32).sealer("stills")
    )

    def frozen() -> str:
        with db.write() as connection:
            return freeze(
                connection, stills, b"grey", kind="crop", camera_id="cam-door", taken_at_us=NOW_US, now_us=NOW_US
            )

    first, better, shared, scene = frozen(), frozen(), frozen(), frozen()
    wrong = raised(db, sighting(1, similarity_cos=0.5, crop_id=first, scene_id=scene))
    raised(db, sighting(1, similarity_cos=0.6, crop_id=better, scene_id=shared))
    stands = raised(db, sighting(1, entry_id="we_2", crop_id=shared))
    for alarm in (wrong, stands):
        stepped(db, alarm, Asked(step="acknowledged"), people["monitoring"])
    stepped(db, wrong, Asked(step="rejected", reason="另一个人"), people["monitoring"])
    assert forget_wrong_faces(db, stills, now_us=NOW_US + DAY_US - SECOND_US) == 0
    assert forget_wrong_faces(db, stills, now_us=NOW_US + DAY_US) == 3
    assert forget_wrong_faces(db, stills, now_us=NOW_US + DAY_US) == 0
    with db.read() as connection:
        assert open_still(connection, stills, shared) == b"grey", "the other alarm stands"
        for gone in (first, better, scene):
            with pytest.raises(NotFound):
                open_still(connection, stills, gone)
    assert len(list((tmp_path / "stills").rglob("*.sealed"))) == 1
    assert len(list((tmp_path / "keys").rglob("*.key"))) == 1
    assert len(rows(db, alarm_labels)) == 1


def test_what_watchers_read_is_forgotten_after_a_day_and_the_alarms_stay(db: Database) -> None:
    raised(db)
    assert forget_alarm_feed(db, now_us=NOW_US + 2 * DAY_US) == 1
    assert (rows(db, alarm_feed), len(rows(db, alarms))) == ([], 1)


def test_a_trail_is_opened_after_the_register_has_its_row(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    raised(db, sighting(2, place="hall", at_us=NOW_US + 30 * SECOND_US))
    now_us = NOW_US + 44 * SECOND_US
    shown = trail_of_alarm(db, people["monitoring"], alarm.id, reason="跟踪报警", look_id=None, now_us=now_us)
    assert [p.sighting.place_id for p in shown.trail.points] == ["door", "hall"]
    assert shown.last is not None
    assert shown.last.ago_s == 14.0
    assert shown.next[0].camera_id in {"cam-door", "cam-lift"}
    with db.read() as connection:
        (look,) = register.search(connection, data_class="trail")
    assert (look.id, look.operator_id, look.what) == (shown.look_id, people["monitoring"].id, f"alarm:{alarm.id}")
    again = trail_of_alarm(
        db, people["monitoring"], alarm.id, reason="", look_id=shown.look_id, now_us=now_us + 5 * SECOND_US
    )
    assert again.look_id == shown.look_id, "following live is one look"
    with pytest.raises(InvalidInput):
        trail_of_alarm(db, people["security"], alarm.id, reason="", look_id=shown.look_id, now_us=now_us)
    assert len(events(db, "trail_opened")) == 1


def test_no_trail_without_role_training_or_a_living_alarm(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    with db.write() as connection:
        untrained, _ = operator(connection, "new", "monitoring", trained=False)
    for who, error in ((people["guard"], RoleMissing), (people["auditor"], RoleMissing), (untrained, NotTrained)):
        with pytest.raises(error):
            trail_of_alarm(db, who, alarm.id, reason="看看", look_id=None, now_us=NOW_US)
    with pytest.raises(NotFound):
        trail_of_alarm(db, people["monitoring"], "al_x", reason="看看", look_id=None, now_us=NOW_US)
    stepped(db, alarm, Asked(step="acknowledged"), people["monitoring"])
    stepped(db, alarm, Asked(step="rejected", reason="另一个人"), people["monitoring"])
    with pytest.raises(Refused, match="no_trail"):
        trail_of_alarm(db, people["monitoring"], alarm.id, reason="看看", look_id=None, now_us=NOW_US)
    gone = raised(db, sighting(7, entry_id="we_7"))
    for name in ("acknowledged", "confirmed"):
        stepped(db, gone, Asked(step=name), people["monitoring"])  # type: ignore[arg-type]
    stepped(db, gone, Asked(step="outcome", outcome="lost", reason="已离院"), people["monitoring"])
    with pytest.raises(Refused, match="trail_closed"):
        trail_of_alarm(db, people["monitoring"], gone.id, reason="看看", look_id=None, now_us=NOW_US + 2 * DAY_US)


def test_an_inquiry_needs_somebody_elses_consent_and_opens_once(db: Database, people: dict[str, Operator]) -> None:
    raised(db)
    asked_us = NOW_US + DAY_US
    with db.write() as connection, pytest.raises(NotFound):
        ask_for_trail(
            connection,
            entry_id="we_1",
            from_us=NOW_US - MINUTE_US,
            until_us=NOW_US + MINUTE_US,
            reason="配合派出所调查",
            operator=people["security"],
            now_us=asked_us,
        )
    with db.write() as connection:
        asked = approvals.ask(
            connection,
            kind="trail",
            subject="entry:we_1",
            payload={"entry_id": "we_1", "from_us": NOW_US - MINUTE_US, "until_us": NOW_US + MINUTE_US},
            reason="配合派出所调查",
            operator=people["security"],
            now_us=asked_us,
        )
        approver, _ = operator(connection, "approver", "approver")
    with pytest.raises(NotApproved):
        trail_of_inquiry(db, people["security"], asked.id, reason="调查", now_us=asked_us)
    with db.write() as connection:
        approvals.decide(connection, asked.id, operator=approver, approve=True, reason="同意", now_us=asked_us)
    with pytest.raises(InvalidInput):
        trail_of_inquiry(db, people["security"], asked.id, reason="", now_us=asked_us)
    with pytest.raises(NotFound):
        trail_of_inquiry(db, people["police_liaison"], asked.id, reason="调查", now_us=asked_us)
    shown = trail_of_inquiry(db, people["security"], asked.id, reason="调查", now_us=asked_us)
    assert [p.sighting.passage_id for p in shown.trail.points] == ["ps_1"]
    assert shown.next == ()
    again = trail_of_inquiry(db, people["security"], asked.id, reason="", now_us=asked_us + MINUTE_US)
    assert again == shown, "the answer was lost on the way"
    with pytest.raises(ApprovalEnded):
        trail_of_inquiry(db, people["security"], asked.id, reason="调查", now_us=asked_us + 31 * MINUTE_US)


def test_the_version_is_asked_even_where_the_step_would_be_right(db: Database, people: dict[str, Operator]) -> None:
    alarm = raised(db)
    asked = Asked(step="acknowledged", expected_version=7)
    with db.write() as connection, pytest.raises(AlarmChanged):
        step(connection, alarm_id=alarm.id, asked=asked, operator=people["monitoring"], now_us=NOW_US)
    with db.read() as connection:
        assert find_alarm(connection, alarm.id) == alarm
