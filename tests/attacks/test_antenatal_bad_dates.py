"""Attack: a due date or a person that cannot be, stated to get into a month that has places. Nothing may move."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from flows.registering import DUE, OPENS_US, STAFF, VAULT, act, drawn, entered, of, start
from hospital import add_people, add_person, assert_sound, dump
from shouhao.booking.antenatal import Pregnancy
from shouhao.flows.antenatal import apply, correct_due_day
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import day_of
from shouhao.kernel.errors import InvalidInput, Refused
from shouhao.patients.tables import patients

TODAY = day_of(OPENS_US)
LMP = DUE - timedelta(days=280)
GOOD = Pregnancy(source="ultrasound", lmp_day=LMP, due_day=DUE)
BAD = [
    (replace(GOOD, source="guess"), "source"),
    (replace(GOOD, source=""), "source"),
    (replace(GOOD, due_day=None), "due_day"),
    (Pregnancy(source="lmp"), "due_day"),
    (replace(GOOD, due_day=TODAY - timedelta(days=1)), "due_day"),
    (replace(GOOD, due_day=TODAY + timedelta(days=295)), "due_day"),
    (replace(GOOD, due_day=DUE + timedelta(days=15)), "due_day"),
    (replace(GOOD, due_day=DUE - timedelta(days=15)), "due_day"),
    (replace(GOOD, source="lmp", due_day=DUE + timedelta(days=8)), "due_day"),
    (replace(GOOD, lmp_day=TODAY + timedelta(days=1)), "lmp_day"),
    (Pregnancy(source="lmp", lmp_day=TODAY - timedelta(days=281)), "lmp_day"),
    (Pregnancy(source="lmp", lmp_day=date.min), "lmp_day"),
    (Pregnancy(source="lmp", lmp_day=date.max), "lmp_day"),
    (Pregnancy(source="lmp", due_day=date.max), "due_day"),
    (Pregnancy(source="lmp", due_day=date.min), "due_day"),
]


@pytest.mark.parametrize(("stated", "field"), BAD)
def test_dates_that_cannot_be_move_nothing(db, stated, field):
    person, holder = add_people(db, 2)
    start(db)
    now_us = drawn(db, [holder])
    before = dump(db)
    mine = Caller(channel="app", account_id=person.account_id)
    for caller in (mine, STAFF):
        with pytest.raises(InvalidInput) as refused:
            act(db, apply, vault=VAULT, patient_id=person.patient_id, stated=stated, caller=caller, now_us=OPENS_US)
        assert refused.value.field == field
    with pytest.raises(InvalidInput):
        act(
            db,
            correct_due_day,
            vault=VAULT,
            application_id=of(db, holder).id,
            stated=stated,
            reason="测试更正",
            caller=STAFF,
            now_us=now_us - 3 * 86_400_000_000,
        )
    assert dump(db) == before
    assert_sound(db)


@pytest.mark.parametrize(
    "record",
    [{"sex": "male"}, {"birth_day": "2013-01-01"}, {"birth_day": "1960-01-01"}, {"verification": "pending"}],
)
def test_a_person_who_cannot_register_takes_no_place(db, record):
    person = add_person(db)
    start(db)
    with db.write() as connection:
        connection.execute(update(patients).values(**record))
    before = dump(db)
    for caller in (None, STAFF):
        with pytest.raises(Refused):
            entered(db, person, caller=caller)
    assert dump(db) == before


@pytest.mark.parametrize("weeks", [4, 21])
def test_a_month_outside_the_weeks_of_applying_is_no_way_in(db, weeks):
    person = add_person(db)
    day = TODAY + timedelta(days=280 - 7 * weeks)
    start(db, places={f"{day:%Y-%m}": 5}, publish={"months_before": 9})
    before = dump(db)
    with pytest.raises(Refused):
        entered(db, person, day=day)
    assert dump(db) == before


def test_a_date_just_over_the_month_gives_no_second_entry(db):
    person = add_person(db)
    start(db, places={"2027-05": 1, "2027-06": 1})
    entered(db, person, day=date(2027, 6, 1))
    before = dump(db)
    with pytest.raises(Refused):
        entered(db, person, day=date(2027, 5, 31))
    assert dump(db) == before
