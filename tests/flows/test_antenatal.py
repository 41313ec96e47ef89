"""Antenatal applications: drawn, given in turn, moved between tiers and months, and always on record."""

from collections import Counter
from datetime import date, timedelta

import pytest
from sqlalchemy import update

from flows.registering import (
    DUE,
    OPENS_US,
    STAFF,
    act,
    corrected,
    drawn,
    entered,
    in_state,
    in_turn,
    month_row,
    moved,
    of,
    places,
    start,
    states,
    tick,
)
from hospital import add_people, add_person, assert_sound, dump, events, rows
from shouhao.booking.antenatal import (
    AlreadyRegistered,
    AntenatalNotOpen,
    ApplicationUnknown,
    ConfirmTooLate,
    WrongApplicationState,
)
from shouhao.booking.antenatal_tables import (
    antenatal_applications,
    antenatal_changes,
    antenatal_months,
)
from shouhao.booking.entering import SamePersonEntered
from shouhao.booking.release.draw_file import read, verify
from shouhao.booking.store import antenatal as store
from shouhao.flows.antenatal import confirm_papers, withdraw
from shouhao.flows.antenatal_months import antenatal_due
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.kernel.errors import Unavailable
from shouhao.patients.standing import PatientNotVerified, PatientUnknown
from shouhao.patients.tables import patients
from shouhao.store.vault import Vault

# The window and the draw


def test_a_month_opens_once_at_its_time_with_all_its_places(db):
    start(db, places=10, tiers={"green": 70, "red": 30}, now_us=OPENS_US - 1)
    assert rows(db, antenatal_months, month="2027-06") == []
    tick(db, OPENS_US)
    month = month_row(db)
    assert (month["state"], month["policy_version"], month["opens_at_us"]) == ("open", 1, OPENS_US)
    assert {tier: one.own for tier, one in places(db).items()} == {"green": 7, "red": 3}
    published = [e["detail"] for e in events(db, "antenatal_month") if '"month":"2027-06"' in e["detail"]]
    assert len(published) == 1
    assert month["commitment"] in published[0]


def test_all_who_enter_within_the_window_are_drawn_and_the_file_verifies(db):
    people = add_people(db, 9)
    start(db, places=4)
    now_us = drawn(db, people)
    assert states(db) == {"granted": 4, "waiting": 5}
    with db.read() as connection:
        file = read(store.find_draw(connection, "2027-06"))
    assert all(check.holds for check in verify(file)), [c for c in verify(file) if not c.holds]
    month = month_row(db)
    assert (file["draw"]["commitment"], month["state"]) == (month["commitment"], "drawn")
    order = {entry: place for place, entry in enumerate(file["order"])}
    assert [order[of(db, p).entry] for p in in_turn(db, people)] == [4, 5, 6, 7, 8]
    assert {of(db, p).entry for p in in_state(db, people, "granted")} == {win["id"] for win in file["wins"]}
    said = str(file)
    assert not [p for p in people if p.patient_id in said or p.account_id in said]
    assert of(db, people[0]).entered_at_us < now_us


def test_nobody_is_given_a_place_before_the_window_closes(db):
    people = add_people(db, 2)
    start(db, places=5)
    for person in people:
        assert entered(db, person).state == "entered"
    tick(db, OPENS_US + 3 * DAY_US - 1)
    assert states(db) == {"entered": 2}
    tick(db, OPENS_US + 3 * DAY_US)
    assert states(db) == {"granted": 2}


def test_arriving_first_gains_nothing(sqlite_db):
    db = sqlite_db
    people = add_people(db, 30)
    start(db, places=30)
    entries = [entered(db, person, now_us=OPENS_US + n).entry for n, person in enumerate(people)]
    tick(db, OPENS_US + 3 * DAY_US)
    with db.read() as connection:
        order = read(store.find_draw(connection, "2027-06"))["order"]
    assert sorted(order) == sorted(entries)
    assert order != entries


def test_entering_again_gives_no_second_chance(db):
    person = add_person(db)
    start(db)
    first = entered(db, person)
    with pytest.raises(AlreadyRegistered):
        entered(db, person)
    act(db, withdraw, application_id=first.id, caller=Caller(channel="app", account_id=person.account_id), now_us=1)
    assert entered(db, person).entry == first.entry
    drawn(db, [])
    assert states(db) == {"withdrawn": 1, "granted": 1}


def test_a_month_that_nobody_entered_is_drawn_too(db):
    start(db)
    drawn(db, [])
    assert month_row(db)["state"] == "drawn"
    assert entered(db, add_person(db), now_us=OPENS_US + 3 * DAY_US).state == "granted"


def test_who_is_no_longer_verified_when_it_is_drawn_is_left_out_by_name_of_the_rule(db):
    people = add_people(db, 3)
    start(db, places=2)
    entries = [entered(db, person).entry for person in people]
    with db.write() as connection:
        connection.execute(
            update(patients)
            .where(patients.c.id == people[0].patient_id)
            .values(verification="rejected", verified_by=None, verified_at_us=None)
        )
    tick(db, OPENS_US + 3 * DAY_US)
    assert states(db) == {"left_out": 1, "granted": 2}
    with db.read() as connection:
        file = read(store.find_draw(connection, "2027-06"))
    assert file["draw"]["left_out"] == [{"id": entries[0], "reason": "patients.not_verified"}]


def test_a_draw_under_another_key_than_was_committed_to_is_not_made(sqlite_db):
    db = sqlite_db
    people = add_people(db, 2)
    start(db)
    for person in people:
        entered(db, person)
    before = dump(db)
    assert antenatal_due(db, Vault(b"x" * 32), now_us=OPENS_US + 3 * DAY_US) == 0
    assert dump(db) == before
    with pytest.raises(Unavailable):
        entered(db, add_person(db), now_us=OPENS_US + 3 * DAY_US)


# After the window


def test_after_the_window_free_places_go_to_who_comes_and_then_there_is_a_turn(db):
    people = add_people(db, 5)
    start(db, places=3)
    now_us = drawn(db, people[:2])
    assert entered(db, people[2], now_us=now_us).state == "granted"
    assert entered(db, people[3], now_us=now_us).state == "waiting"
    assert entered(db, people[4], now_us=now_us).state == "waiting"
    assert {of(db, p).patient_id for p in in_turn(db, people)} == {p.patient_id for p in people[3:]}


def test_who_applies_later_waits_behind_the_drawn_and_in_no_order_of_arrival(sqlite_db):
    db = sqlite_db
    first, later, next_day = (add_people(db, n) for n in (6, 25, 3))
    start(db, places=2)
    now_us = drawn(db, first)
    for person in later:
        entered(db, person, now_us=now_us)
    for person in next_day:
        entered(db, person, now_us=now_us + DAY_US)
    order = in_turn(db, [*first, *later, *next_day])
    assert {p.patient_id for p in order[:4]} < {p.patient_id for p in first}
    assert {p.patient_id for p in order[-3:]} == {p.patient_id for p in next_day}
    assert order[4:-3] != later


def test_what_is_freed_goes_to_the_next_in_the_same_unit_of_work(db):
    people = add_people(db, 4)
    start(db, places=1)
    now_us = drawn(db, people)
    for _ in range(3):
        (holder,) = in_state(db, people, "granted")
        following = in_turn(db, people)[0]
        mine = Caller(channel="app", account_id=holder.account_id)
        act(db, withdraw, application_id=of(db, holder).id, caller=mine, now_us=now_us)
        assert of(db, following).state == "granted"
        assert_sound(db)


def test_who_does_not_come_in_time_loses_the_place_to_the_next(db):
    people = add_people(db, 2)
    start(db, places=1, confirm_days=10)
    now_us = drawn(db, people)
    (holder,), (following,) = in_state(db, people, "granted"), in_state(db, people, "waiting")
    tick(db, now_us + 10 * DAY_US - 1)
    assert of(db, holder).state == "granted"
    late = now_us + 10 * DAY_US
    with pytest.raises(ConfirmTooLate):
        act(db, confirm_papers, application_id=of(db, holder).id, reason="材料齐全", caller=STAFF, now_us=late)
    assert tick(db, late) == 1
    assert (of(db, holder).state, of(db, following).state) == ("lapsed", "granted")
    assert of(db, following).confirm_by_us == late + 10 * DAY_US
    assert len(events(db, "antenatal_lapsed")) == 1


def test_papers_that_were_seen_make_the_place_hers(db):
    person = add_person(db)
    start(db)
    now_us = drawn(db, [person])
    application_id = of(db, person).id
    after = act(db, confirm_papers, application_id=application_id, reason="材料齐全", caller=STAFF, now_us=now_us)
    assert (after.state, after.confirm_by_us) == ("confirmed", None)
    tick(db, now_us + 60 * DAY_US)
    assert of(db, person).state == "confirmed"
    (change,) = rows(db, antenatal_changes)
    assert (change["what"], change["staff_id"], change["reason"]) == ("papers", "st", "材料齐全")
    with pytest.raises(WrongApplicationState):
        act(db, confirm_papers, application_id=application_id, reason="再来一次", caller=STAFF, now_us=now_us)


# Tiers


def test_who_is_moved_to_a_tier_takes_a_place_of_it_and_leaves_hers_to_the_next(db):
    people = add_people(db, 3)
    start(db, places=4, tiers={"green": 50, "red": 50})
    now_us = drawn(db, people)
    holder, following = in_state(db, people, "granted")[0], in_state(db, people, "waiting")[0]
    after = moved(db, holder, "red", now_us)
    assert (after.state, after.tier, after.place_tier) == ("granted", "red", "red")
    assert of(db, following).place_tier == "green"
    assert_sound(db)


def test_who_loses_a_place_to_an_assessment_waits_first_in_the_new_tier(db):
    people = add_people(db, 5)
    start(db, places=4, tiers={"green": 75, "red": 25})
    now_us = drawn(db, people)
    assert states(db) == {"granted": 3, "waiting": 2}
    one, two, three = in_state(db, people, "granted")
    assert moved(db, one, "red", now_us).state == "granted"
    waiting = moved(db, in_turn(db, people)[0], "red", now_us)
    assert waiting.state == "waiting"
    after = moved(db, two, "red", now_us)
    assert (after.state, after.ahead) == ("waiting", True)
    with db.read() as connection:
        assert store.position_of(connection, after) == 1
    act(db, withdraw, application_id=of(db, one).id, caller=STAFF, reason="不再需要", now_us=now_us)
    assert (of(db, two).state, of(db, three).state) == ("granted", "granted")
    assert of(db, two).ahead is False
    assert_sound(db)


def test_who_was_confirmed_and_moved_need_not_come_again(db):
    one, two = add_people(db, 2)
    start(db, places=2, tiers={"green": 50, "red": 50})
    now_us = drawn(db, [one])
    confirmed = act(db, confirm_papers, application_id=of(db, one).id, reason="材料齐全", caller=STAFF, now_us=now_us)
    assert confirmed.state == "confirmed"
    assert moved(db, one, "red", now_us).state == "confirmed"
    assert entered(db, two, now_us=now_us).state == "granted"


def test_unused_places_are_lent_by_the_rule_from_its_day_on_and_never_the_other_way(db):
    people = add_people(db, 4)
    lending = [{"from": "red", "to": ["green"], "days_before_close": 14}]
    start(db, places=4, tiers={"green": 50, "red": 50}, lending=lending)
    now_us = drawn(db, people)
    for person in in_state(db, people, "granted"):
        act(db, confirm_papers, application_id=of(db, person).id, reason="材料齐全", caller=STAFF, now_us=now_us)
    assert states(db) == {"confirmed": 2, "waiting": 2}
    lends_us = start_of_day_us(date(2027, 3, 1)) - 14 * DAY_US
    tick(db, lends_us - 1)
    assert states(db)["waiting"] == 2
    assert tick(db, lends_us) == 1
    assert Counter(of(db, p).place_tier for p in people) == {"green": 2, "red": 2}


def test_green_places_are_not_lent_to_red_without_a_rule(db):
    one, two = add_people(db, 2)
    start(db, places=3, tiers={"green": 100}, lending=[{"from": "red", "to": ["green"], "days_before_close": 366}])
    now_us = drawn(db, [one, two])
    assert moved(db, one, "red", now_us).state == "waiting"
    assert places(db)["green"].free == 2
    assert moved(db, one, "green", now_us).state == "granted"
    assert_sound(db)


# Who may apply


def test_who_is_not_bound_not_verified_or_not_there_is_refused(db):
    person, stranger = add_people(db, 2)
    unconfirmed = add_person(db, verification="pending")
    start(db)
    before = dump(db)
    with pytest.raises(PatientUnknown):
        entered(db, person, caller=Caller(channel="app", account_id=stranger.account_id))
    with pytest.raises(PatientNotVerified):
        entered(db, unconfirmed)
    with pytest.raises(AntenatalNotOpen):
        entered(db, person, day=DUE + timedelta(days=31))
    assert dump(db) == before
    assert entered(db, person, caller=STAFF).account_id is None


def test_another_account_sees_and_moves_nothing(db):
    person, stranger = add_people(db, 2)
    start(db)
    application_id = entered(db, person).id
    other = Caller(channel="app", account_id=stranger.account_id)
    with pytest.raises(ApplicationUnknown):
        act(db, withdraw, application_id=application_id, caller=other, now_us=OPENS_US)
    assert of(db, person).state == "entered"


def test_one_live_registration_a_woman_in_whichever_month(db):
    person = add_person(db)
    start(db, places={"2027-05": 2, "2027-06": 2})
    entered(db, person, day=date(2027, 5, 31))
    with pytest.raises(AlreadyRegistered) as refused:
        entered(db, person)
    assert refused.value.data["month"] == "2027-05"
    assert len(rows(db, antenatal_applications)) == 1


def as_one_person(db, people):
    """These have one name and birth day, under documents that do not tell them apart."""
    with db.write() as connection:
        connection.execute(
            update(patients)
            .where(patients.c.id.in_([person.patient_id for person in people]))
            .values(person_hash="same", document_kind="passport")
        )


def test_a_second_document_is_no_second_registration(db):
    people = add_people(db, 2)
    as_one_person(db, people)
    start(db)
    entered(db, people[0])
    before = dump(db)
    with pytest.raises(SamePersonEntered):
        entered(db, people[1])
    assert dump(db) == before


def test_of_two_entries_that_turn_out_to_be_one_woman_one_is_drawn(db):
    people = add_people(db, 3)
    start(db, places=3)
    for person in people:
        entered(db, person)
    as_one_person(db, people[:2])
    tick(db, OPENS_US + 3 * DAY_US)
    assert states(db) == {"left_out": 1, "granted": 2}
    assert of(db, people[2]).state == "granted"


# Corrections


def test_a_corrected_date_moves_the_month_only_with_a_place_there(db):
    people = add_people(db, 4)
    start(db, places={"2027-05": 1, "2027-06": 2})
    for person in people[:2]:
        entered(db, person)
    entered(db, people[2])
    now_us = OPENS_US + 3 * DAY_US
    tick(db, now_us)
    mover, second = in_state(db, people[:3], "granted")
    (following,) = in_state(db, people[:3], "waiting")
    after = corrected(db, mover, date(2027, 5, 31), now_us)
    assert (after.month, after.state, after.place_tier) == ("2027-05", "granted", "green")
    assert of(db, following).state == "granted"
    assert corrected(db, second, date(2027, 5, 30), now_us).state == "waiting"
    assert len(rows(db, antenatal_changes, what="due_day")) == 2
    assert places(db)["green"].free == 1
    with pytest.raises(AlreadyRegistered):
        entered(db, second, now_us=now_us)
    assert_sound(db)


def test_a_correction_within_the_month_changes_nothing_else(db):
    person = add_person(db)
    start(db)
    now_us = drawn(db, [person])
    before = of(db, person)
    after = corrected(db, person, DUE + timedelta(days=3), now_us)
    assert (after.state, after.place_tier, after.turn) == (before.state, before.place_tier, before.turn)
    assert after.due_day == "2027-06-18"


def test_a_correction_into_an_open_window_enters_its_draw(db):
    person = add_person(db)
    start(db, places={"2027-06": 1, "2027-07": 1}, confirm_days=60)
    drawn(db, [person])
    later = start_of_day_us(date(2026, 12, 1)) + 8 * HOUR_US
    tick(db, later)
    after = corrected(db, person, date(2027, 7, 4), later)
    assert (after.month, after.state, after.turn) == ("2027-07", "entered", "")
    tick(db, later + 3 * DAY_US)
    assert of(db, person).state == "granted"


def test_a_correction_to_a_month_that_is_not_published_is_refused(db):
    person = add_person(db)
    start(db)
    now_us = drawn(db, [person])
    before = dump(db)
    with pytest.raises(AntenatalNotOpen):
        corrected(db, person, date(2027, 8, 1), now_us)
    assert dump(db) == before
