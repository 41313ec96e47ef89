"""Importing whole plans, from each way in, on both databases."""

import json
from datetime import datetime

import pytest
from sqlalchemy import select, text

from flows.drawing import join, look, offers
from hospital import add_people, add_person, assert_sound, booked, rows
from racing import meanwhile
from shouhao.booking.store.catalogue import find_sessions, list_departments, list_doctors
from shouhao.booking.store.inventory import INVARIANTS, import_sessions, upsert_doctors
from shouhao.booking.tables import sessions, slots
from shouhao.flows.extra_slot import request_extra_slot
from shouhao.flows.import_schedule import import_plan
from shouhao.kernel.clock import DAY_US, HOSPITAL_ZONE, SECOND_US, to_us
from shouhao.lab.hospital import demonstration_hospital
from shouhao.protocols.schedule_csv import read_schedule_csv
from shouhao.store.event_log import events
from shouhao.store.invariants import check

NOW = to_us(datetime(2026, 11, 22, 9, 0, tzinfo=HOSPITAL_ZONE))
HEADING = "department_id,department,doctor_id,doctor,day,half,kind,start,end,capacity,fee,release_at"
ROWS = (
    "OBS,产科,D1,林华,2026-11-30,am,expert,08:00,12:00,{capacity},100,2026-11-23 07:00",
    "OBS,产科,D1,林华,2026-12-01,am,expert,08:00,12:00,{capacity},100,2026-11-24 07:00",
)


def csv_plan(capacity=8):
    found = read_schedule_csv("\n".join([HEADING, *ROWS]).format(capacity=capacity).encode(), now_us=NOW)
    assert (found.bad, found.stopped) == ((), None)
    return found.plan


def bring(db, plan, *, source="csv", staff_id="st_1", now_us=NOW):
    with db.write() as connection:
        return import_plan(connection, plan, staff_id=staff_id, source=source, now_us=now_us)


def dump(db):
    with db.read() as connection:
        return {
            table: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY id"))]
            for table in ("departments", "doctors", "sessions", "slots")
        }


def test_a_whole_hospital_goes_in_and_a_second_time_changes_nothing(db):
    plan = demonstration_hospital(seed=1, now_us=NOW)
    first = bring(db, plan, source="calendar")
    assert (first.added, first.refused) == (len(plan.sessions), ())
    assert (first.departments_changed, first.doctors_changed) == (8, 60)
    before = dump(db)
    assert len(before["slots"]) == sum(session.capacity for session in plan.sessions)
    second = bring(db, plan, source="calendar")
    assert second.counts() == {
        "departments_changed": 0,
        "doctors_changed": 0,
        "added": 0,
        "updated": 0,
        "unchanged": len(plan.sessions),
        "refused": 0,
    }
    assert dump(db) == before
    with db.read() as connection:
        assert check(connection, INVARIANTS) == []
        assert len(list_departments(connection)) == 8
        assert len(list_doctors(connection)) == 60
        assert len(find_sessions(connection, limit=200).sessions) == 200


def test_each_import_leaves_one_event_with_its_counts(db):
    bring(db, csv_plan())
    bring(db, csv_plan(9), staff_id=None)
    with db.read() as connection:
        told = connection.execute(select(events).order_by(events.c.seq)).all()
    assert [(row.kind, row.staff_id, row.at_us) for row in told] == [
        ("schedule_imported", "st_1", NOW),
        ("schedule_imported", None, NOW),
    ]
    details = [json.loads(row.detail) for row in told]
    assert [(d["source"], d["added"], d["updated"], d["unchanged"]) for d in details] == [
        ("csv", 2, 0, 0),
        ("csv", 0, 2, 0),
    ]


def test_a_refused_row_names_its_line_and_leaves_its_session_as_it_was(db):
    bring(db, csv_plan(8))
    with db.write() as connection:
        connection.execute(text("UPDATE sessions SET state = 'released' WHERE day = '2026-12-01'"))
        connection.execute(
            text(
                "UPDATE slots SET state = 'free' WHERE session_id IN (SELECT id FROM sessions WHERE state = 'released')"
            )
        )
    report = bring(db, csv_plan(7))
    assert (report.updated, report.unchanged, report.added) == (1, 0, 0)
    assert [(row.place.line, row.field) for row in report.refused] == [(3, "capacity")]
    assert report.counts()["refused"] == 1
    with db.read() as connection:
        assert [s.capacity for s in find_sessions(connection).sessions] == [7, 8]


def test_a_plan_whose_day_is_over_when_it_arrives_changes_nothing(db):
    report = bring(db, csv_plan(), now_us=NOW + 30 * DAY_US)
    assert [row.field for row in report.refused] == ["day", "day"]
    assert dump(db)["sessions"] == []


def test_a_unit_of_work_that_breaks_leaves_nothing_behind(db):
    def broken():
        with db.write() as connection:
            import_plan(connection, csv_plan(), staff_id=None, source="csv", now_us=NOW)
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        broken()
    assert all(rows == [] for rows in dump(db).values())


def test_slots_that_a_released_session_gets_more_go_to_those_who_wait_for_it(db):
    bring(db, csv_plan(capacity=1))
    released_us = to_us(datetime(2026, 11, 24, 8, 0, tzinfo=HOSPITAL_ZONE))
    look(db, released_us)
    first, second = sorted(row["id"] for row in rows(db, sessions))
    holder, waits = add_people(db, 2, bound_at_us=NOW - DAY_US)
    booked(db, holder, first, now_us=released_us)
    join(db, waits, session_id=first, now_us=released_us)
    look(db, released_us + 1900 * SECOND_US)
    bring(db, csv_plan(capacity=2), now_us=released_us + 1901 * SECOND_US)
    assert [b["patient_id"] for b in offers(db)] == [waits.patient_id]
    assert [s["state"] for s in rows(db, slots, session_id=second)] == ["free", "free"]
    assert_sound(db)


def test_a_doctor_adds_a_slot_while_a_schedule_is_brought_in(postgresql_db):
    db, plan = postgresql_db, csv_plan()
    bring(db, plan)
    person = add_person(db)

    def add_a_slot():
        how = {"reason": "复诊换药", "staff_id": "st-1", "doctor_id": "D1", "now_us": NOW}
        with db.write() as connection:
            session_id = plan.sessions[0].id
            return request_extra_slot(connection, session_id=session_id, patient_id=person.patient_id, **how)

    added = meanwhile(
        db,
        lambda connection: upsert_doctors(connection, plan.doctors),
        add_a_slot,
        then=lambda connection: import_sessions(connection, plan.sessions, now_us=NOW),
    )
    assert added.state == "granted"
