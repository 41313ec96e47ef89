"""The demonstration hospital: repeatable, plausible, importable."""

from datetime import date, datetime

import phonenumbers
from stdnum.cn import ric

from shouhao.booking.schedule import broken_rules
from shouhao.kernel.clock import HOSPITAL_ZONE, day_of, to_us
from shouhao.lab.hospital import demonstration_hospital, people

NOW = to_us(datetime(2026, 11, 22, 9, 0, tzinfo=HOSPITAL_ZONE))


def test_the_same_seed_gives_the_same_hospital_and_another_seed_another():
    assert demonstration_hospital(seed=1, now_us=NOW) == demonstration_hospital(seed=1, now_us=NOW)
    assert demonstration_hospital(seed=1, now_us=NOW) != demonstration_hospital(seed=2, now_us=NOW)


def test_the_hospital_has_departments_doctors_and_two_weeks_from_tomorrow():
    plan = demonstration_hospital(seed=1, now_us=NOW)
    assert (len(plan.departments), len(plan.doctors)) == (8, 60)
    days = {session.day for session in plan.sessions}
    assert min(days) >= date(2026, 11, 23)
    assert max(days) <= date(2026, 12, 6)
    assert {session.kind for session in plan.sessions} == {"general", "expert", "antenatal"}
    assert any(session.hot and session.kind == "expert" for session in plan.sessions)
    assert [rule for session in plan.sessions for rule in broken_rules(session, now_us=NOW)] == []


def test_it_opens_on_a_day_whose_next_year_has_no_calendar_yet():
    eve = to_us(datetime(2039, 12, 28, 9, 0, tzinfo=HOSPITAL_ZONE))
    days = {session.day for session in demonstration_hospital(seed=1, now_us=eve).sessions}
    assert date(2040, 1, 1) not in days
    assert min(days) > day_of(eve)
    assert max(days) >= date(2040, 1, 2)


def test_every_person_passes_the_checks_of_a_registration():
    for person in people(3000, seed=5):
        assert ric.is_valid(person.id_number), person
        assert ric.get_birth_date(person.id_number) == person.birth_day
        assert (int(person.id_number[16]) % 2 == 1) == (person.sex == "male")
        assert phonenumbers.is_valid_number(phonenumbers.parse(f"+86{person.mobile}"))
        assert 2 <= len(person.name) <= 3


def test_fifty_thousand_people_are_all_different():
    found = people(50_000, seed=7)
    assert len({person.id_number for person in found}) == 50_000
    assert len({person.mobile for person in found}) == 50_000
