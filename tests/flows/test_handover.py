"""Handing the wall over, on both databases: what is fixed, by whom it is taken, and that each act is one."""

import threading
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from shouhao.flows.handover import SHOWN_US, hand_over, handovers_shown, standing_now, take_over
from shouhao.kernel.clock import MINUTE_US, SECOND_US
from shouhao.kernel.errors import InvalidInput, NotFound, Refused
from shouhao.staff.model import Operator, RoleMissing
from shouhao.store import event_log
from shouhao.store.engine import Database
from shouhao.watch.alarm import Asked
from shouhao.watch.handover import NOTE_MAX, Handover, HandoverTaken, HandoverWaits, OwnHandover
from shouhao.watch.store.handover_tables import shift_handovers
from watch.watched import NOW_US, furnish, operator, raised, sent, sighting, stepped

NOTE = "门口那位穿灰衣的男子刚离开，留意侧门。"


@pytest.fixture
def people(db: Database) -> dict[str, Operator]:
    return furnish(db)


def handed(db: Database, who: Operator, note: str = NOTE, *, now_us: int = NOW_US) -> Handover:
    with db.write() as connection:
        return hand_over(connection, note=note, operator=who, now_us=now_us)


def taken(db: Database, one: Handover, who: Operator, remark: str = "", *, now_us: int = NOW_US) -> Handover:
    with db.write() as connection:
        return take_over(connection, one.id, remark=remark, operator=who, now_us=now_us)


def shown(db: Database, *, now_us: int = NOW_US) -> tuple[Handover | None, list[Handover]]:
    with db.read() as connection:
        return handovers_shown(connection, now_us=now_us)


def events(db: Database, kind: str) -> list[dict[str, Any]]:
    with db.read() as connection:
        return [row for rows in event_log.read(connection) for row in rows if row["kind"] == kind]


def test_alarms_clocks_cameras_and_guards_stay_as_they_stood_when_it_was_handed_over(
    db: Database, people: dict[str, Operator]
) -> None:
    under_way = sent(db, people)
    fresh = raised(db, sighting(2, place="hall", entry_id="we_2"), now_us=NOW_US + SECOND_US)
    one = handed(db, people["monitoring"], now_us=NOW_US + 5 * SECOND_US)
    by_id = {alarm.alarm_id: alarm for alarm in one.standing.alarms}
    assert (by_id[under_way.id].state, by_id[under_way.id].guard_id) == ("dispatched", people["guard"].id)
    assert [clock.target for clock in by_id[under_way.id].clocks] == ["accept", "outcome", "police"]
    assert by_id[under_way.id].clocks[0].due_at_us == NOW_US + 90 * SECOND_US
    assert (by_id[fresh.id].state, by_id[fresh.id].place_id) == ("raised", "hall")
    assert {(camera.camera_id, camera.state) for camera in one.standing.cameras_out} == {
        (f"cam-{place}", "never") for place in ("door", "hall", "lift", "rest4")
    }
    assert {(guard.place_id, guard.busy) for guard in one.standing.guards} == {("lift", True), ("rest4", False)}

    stepped(db, fresh, Asked(step="acknowledged"), people["security"], now_us=NOW_US + MINUTE_US)
    waiting, _ = shown(db, now_us=NOW_US + MINUTE_US)
    assert waiting == one, "what happened since does not alter what was handed over"
    with db.read() as connection:
        now = standing_now(connection, now_us=NOW_US + MINUTE_US)
    assert next(alarm.state for alarm in now.alarms if alarm.alarm_id == fresh.id) == "acknowledged"


def test_another_person_takes_over_and_nobody_from_themselves(db: Database, people: dict[str, Operator]) -> None:
    one = handed(db, people["monitoring"])
    with pytest.raises(OwnHandover):
        taken(db, one, people["monitoring"])
    assert shown(db)[0] == one
    after = taken(db, one, people["security"], " 侧门已锁 ", now_us=NOW_US + MINUTE_US)
    assert (after.taken_by, after.taken_at_us, after.remark) == (
        people["security"].id,
        NOW_US + MINUTE_US,
        "侧门已锁",
    )
    assert shown(db) == (None, [after])
    with pytest.raises(IntegrityError), db.write() as connection:
        connection.execute(update(shift_handovers).values(taken_by=people["monitoring"].id))


def test_pressing_twice_acts_once_and_is_told_once(db: Database, people: dict[str, Operator]) -> None:
    one = handed(db, people["monitoring"])
    assert handed(db, people["monitoring"], now_us=NOW_US + SECOND_US) == one
    first = taken(db, one, people["security"], now_us=NOW_US + MINUTE_US)
    assert taken(db, one, people["security"], "又按了一次", now_us=NOW_US + 2 * MINUTE_US) == first
    (told,) = events(db, "shift_handed_over")
    assert told["staff_id"] == people["monitoring"].id
    assert told["detail"] == {"handover_id": one.id, "turn": 1, "alarms": 0, "cameras_out": 4, "guards": 2}
    (told,) = events(db, "shift_taken_over")
    assert (told["staff_id"], told["detail"]) == (
        people["security"].id,
        {"handover_id": one.id, "remarked": False},
    )


def test_one_waits_at_most_and_the_next_has_the_next_turn(db: Database, people: dict[str, Operator]) -> None:
    one = handed(db, people["monitoring"])
    for who, note in ((people["security"], NOTE), (people["monitoring"], "另一句")):
        with pytest.raises(HandoverWaits):
            handed(db, who, note)
    taken(db, one, people["security"])
    assert handed(db, people["security"], "早班").turn == 2


def test_of_two_who_take_over_at_once_one_does(db: Database, people: dict[str, Operator]) -> None:
    with db.write() as connection:
        third, _ = operator(connection, "third", "monitoring")
    one = handed(db, people["monitoring"])
    gate, said = threading.Barrier(2), []

    def run(who: Operator) -> None:
        gate.wait()
        try:
            said.append(taken(db, one, who).taken_by)
        except Refused as refused:
            said.append(refused.code)

    threads = [threading.Thread(target=run, args=(who,)) for who in (people["security"], third)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert HandoverTaken.code in said
    assert len(set(said) & {people["security"].id, third.id}) == 1
    assert len(events(db, "shift_taken_over")) == 1


def test_only_who_handles_alarms_hands_over_and_with_words(db: Database, people: dict[str, Operator]) -> None:
    for role in ("guard", "police_liaison", "auditor"):
        with pytest.raises(RoleMissing):
            handed(db, people[role])
    for note in ("", " \n ", "长" * (NOTE_MAX + 1)):
        with pytest.raises(InvalidInput):
            handed(db, people["monitoring"], note)
    one = handed(db, people["monitoring"])
    with pytest.raises(RoleMissing):
        taken(db, one, people["police_liaison"])
    with pytest.raises(InvalidInput):
        taken(db, one, people["security"], "长" * (NOTE_MAX + 1))
    with pytest.raises(NotFound), db.write() as connection:
        take_over(connection, "ho_none", remark="", operator=people["security"], now_us=NOW_US)
    assert shown(db) == (one, [one])


def test_two_weeks_are_shown_and_what_waits_is_shown_however_old(db: Database, people: dict[str, Operator]) -> None:
    old = taken(db, handed(db, people["monitoring"]), people["security"])
    later_us = NOW_US + SHOWN_US
    assert shown(db, now_us=later_us) == (None, [old])
    assert shown(db, now_us=later_us + 1) == (None, [])
    waits = handed(db, people["security"], now_us=NOW_US + 1)
    assert shown(db, now_us=NOW_US + 2 * SHOWN_US) == (waits, [])
