"""Attack: take a slot that is kept for people in need, at the window, by phone or for a referral, without being one.

Every door is tried: the app, a window, a kiosk, the phone line, the number of the slot itself.
"""

from dataclasses import replace
from datetime import date, timedelta

import msgspec
import pytest
from sqlalchemy import update

from flows.drawing import field_of, give, look, nothing_moves, released, set_release, slot, sold_out, ways
from flows.people import VAULT
from hospital import DAY, NOW_US, add_people, add_person, ask, assert_sound, book_now, booking_of, code, rows
from racing import meanwhile
from shouhao.booking.tables import bookings, slots
from shouhao.flows.care import PaperSeen, record_care_proof, revoke_care_proof
from shouhao.kernel.clock import HOUR_US, start_of_day_us
from shouhao.patients.tables import patients

TODAY_US = start_of_day_us(DAY) + 8 * HOUR_US  #: eight in the morning of the day of the sessions, which begin at one
DISABLED = PaperSeen(kind="disabled", proof="disability_certificate")
PREGNANT = PaperSeen(kind="pregnant", proof="maternity_record", valid_until=DAY)
ACCOUNT_CHANNELS = ("app", "web", "wechat", "platform:x")
PARTS = {
    "kind": "mixed",
    "mixed": {"parts": {"phone": 1, "referral": 1, "window": 1}, "merge_before_s": {"phone": 0, "referral": 0}},
}


def record(db, person, paper, *, now_us=NOW_US):
    with db.write() as connection:
        return record_care_proof(
            connection, vault=VAULT, staff_id="st", patient_id=person.patient_id, paper=paper, now_us=now_us
        )


def born(db, person, day: date):
    with db.write() as connection:
        connection.execute(update(patients).where(patients.c.id == person.patient_id).values(birth_day=day.isoformat()))
    return person


def years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years)


@pytest.fixture
def in_care(db):
    """A slot that came back on its own day and waits for people in need: S1-001."""
    ((seller, booking_id),) = sold_out(db, half="pm")
    give(db, booking_id, now_us=TODAY_US, person=seller)
    assert slot(db, "S1-001")["reserved_for"] == "care"
    return db


@pytest.fixture
def parts(db):
    """A released session of three slots: one by phone, one for a referral, one at the window."""
    set_release(db, PARTS)
    released(db, seats=3, half="pm")
    assert sorted(row["reserved_for"] for row in rows(db, slots)) == ["phone", "referral", "window"]
    return db


def refused(db, *requests, codes, now_us=TODAY_US):
    return nothing_moves(db, lambda: book_now(db, *requests, now_us=now_us), *codes)


def at_every_door(person):
    """The same claim through every channel, with and without the number of the slot."""
    channels = (*ACCOUNT_CHANNELS, "window", "kiosk", "phone")
    return [
        ask(person, "S1", channel=channel, pool="care", slot_id=slot_id)
        for channel in channels
        for slot_id in (None, "S1-001")
    ]


def test_without_a_ground_no_door_opens(in_care):
    claims = at_every_door(add_person(in_care))
    said = refused(in_care, *claims, codes=["booking.care_proof_needed"] * len(claims))
    assert {field_of(no) for no in said} == {"patient_id"}
    assert_sound(in_care)


def test_a_proof_that_was_revoked_or_ran_out_opens_nothing(in_care):
    revoked, ran_out = add_people(in_care, 2)
    proof_id = record(in_care, revoked, DISABLED)
    with in_care.write() as connection:
        revoke_care_proof(connection, staff_id="st-2", proof_id=proof_id, reason="已注销", now_us=NOW_US)
    record(in_care, ran_out, replace(PREGNANT, valid_until=DAY - timedelta(days=1)))
    for person in (revoked, ran_out):
        claims = at_every_door(person)
        refused(in_care, *claims, codes=["booking.care_proof_needed"] * len(claims))


def test_a_proof_that_is_revoked_as_it_is_used_opens_nothing(postgresql_db):
    db = postgresql_db
    ((seller, booking_id),) = sold_out(db, half="pm")
    give(db, booking_id, now_us=TODAY_US, person=seller)
    person = add_person(db)
    proof_id = record(db, person, DISABLED)
    (answer,) = meanwhile(
        db,
        lambda c: revoke_care_proof(c, staff_id="st-2", proof_id=proof_id, reason="已注销", now_us=TODAY_US),
        lambda: book_now(db, ask(person, "S1", pool="care"), now_us=TODAY_US),
    )
    assert code(answer) == "booking.care_proof_needed"


def test_a_day_before_65_is_not_65(in_care):
    tomorrow = DAY + timedelta(days=1)
    young, old = add_people(in_care, 2)
    claims = at_every_door(born(in_care, young, years_before(tomorrow, 65)))
    refused(in_care, *claims, codes=["booking.care_proof_needed"] * len(claims))
    born(in_care, old, years_before(DAY, 65))
    (answer,) = book_now(in_care, ask(old, "S1", pool="care"), now_us=TODAY_US)
    assert code(answer) == "done"
    assert_sound(in_care)


def test_a_ground_is_no_name(in_care):
    """Somebody old who is not verified, or not bound to the account, opens nothing either."""
    old = born(in_care, add_person(in_care, verification="pending"), date(1940, 1, 1))
    refused(in_care, ask(old, "S1", pool="care"), codes=["patients.not_verified"])
    other, caller = add_people(in_care, 2)
    record(in_care, other, DISABLED)
    theirs = replace_account(ask(other, "S1", pool="care"), caller.account_id)
    refused(in_care, theirs, codes=["patients.not_bound"])


def replace_account(request, account_id):
    return msgspec.structs.replace(request, account_id=account_id)


def test_the_number_of_a_kept_slot_opens_nothing(in_care):
    person = add_person(in_care)
    channels = (*ACCOUNT_CHANNELS, "window", "kiosk", "phone")
    claims = [ask(person, "S1", channel=channel, slot_id="S1-001") for channel in channels]
    refused(in_care, *claims, codes=["booking.slot_taken"] * len(claims))


def test_without_the_word_nobody_stumbles_into_the_pool(in_care):
    old, plain = add_people(in_care, 2)
    record(in_care, old, DISABLED)
    claims = [ask(p, "S1", channel=c) for p in (old, plain) for c in ("app", "window", "kiosk", "phone")]
    refused(in_care, *claims, codes=["booking.sold_out"] * len(claims))


@pytest.mark.parametrize("pool", ["window", "phone", "waitlist", "rest", "draw", "public", "", "CARE"])
def test_no_other_pool_can_be_asked_for(in_care, pool):
    person = add_person(in_care)
    record(in_care, person, DISABLED)
    claims = [ask(person, "S1", channel=channel, pool=pool) for channel in ("app", "window")]
    (no, _) = refused(in_care, *claims, codes=["invalid", "invalid"])
    assert field_of(no) == "pool"


def test_one_ground_takes_one_slot(in_care):
    person = add_person(in_care)
    record(in_care, person, DISABLED)
    first, second = book_now(
        in_care, ask(person, "S1", pool="care"), ask(person, "S1", channel="window", pool="care"), now_us=TODAY_US
    )
    assert (code(first), code(second)) == ("done", "booking.already_booked")
    (row,) = rows(in_care, bookings, id=booking_of(first))
    assert row["slot_id"] == "S1-001"


def test_what_the_care_pool_gave_and_got_back_stays_off_line(in_care):
    person = add_person(in_care)
    record(in_care, person, DISABLED)
    (answer,) = book_now(in_care, ask(person, "S1", pool="care"), now_us=TODAY_US)
    give(in_care, booking_of(answer), now_us=TODAY_US + 1, person=person)
    assert slot(in_care, "S1-001")["reserved_for"] == "care"
    look(in_care, TODAY_US + 4 * HOUR_US)  # an hour before the session
    assert slot(in_care, "S1-001")["reserved_for"] == "window"
    assert [way for way, _ in ways(in_care, "S1-001")] == ["care", "care", "window"]


def test_the_part_by_phone_is_for_those_with_a_ground(parts):
    plain, old = add_people(parts, 2)
    record(parts, old, DISABLED)
    refused(parts, ask(plain, "S1", channel="phone"), codes=["booking.sold_out"], now_us=NOW_US)
    refused(parts, ask(old, "S1"), ask(old, "S1", pool="care"), codes=["booking.sold_out"] * 2, now_us=NOW_US)
    (answer,) = book_now(parts, ask(old, "S1", channel="phone"), now_us=NOW_US)
    (row,) = rows(parts, bookings, id=booking_of(answer))
    assert slot(parts, row["slot_id"])["reserved_for"] is None
    assert sorted(r["reserved_for"] for r in rows(parts, slots) if r["reserved_for"]) == ["referral", "window"]
    assert_sound(parts)


def test_the_part_at_the_window_is_not_for_an_app(parts):
    person = add_person(parts)
    claims = [ask(person, "S1", channel=channel) for channel in ACCOUNT_CHANNELS]
    refused(parts, *claims, codes=["booking.sold_out"] * len(claims), now_us=NOW_US)
    (answer,) = book_now(parts, ask(person, "S1", channel="window"), now_us=NOW_US)
    assert code(answer) == "done"


@pytest.mark.parametrize(
    "claim",
    [
        {"channel": "app", "note": "R-1"},
        {"channel": "web", "note": "R-1"},
        {"channel": "window"},  # staff who saw no referral
        {"channel": "kiosk", "note": "R-1", "nobody": True},
    ],
)
def test_a_referral_is_what_staff_saw(parts, claim):
    person = add_person(parts)
    more = {name: value for name, value in claim.items() if name in {"channel", "note"}}
    request = ask(person, "S1", pool="referral", **more)
    if claim.get("nobody"):  # a kiosk has no staff
        request = msgspec.structs.replace(request, staff_id=None)
    (no,) = refused(parts, request, codes=["booking.only_with_referral"], now_us=NOW_US)
    assert field_of(no) == "pool"


def test_a_referral_is_used_once_and_leaves_the_window_part_alone(parts):
    first, second = add_people(parts, 2)
    asked = [ask(p, "S1", channel="window", pool="referral", note="R-7") for p in (first, second)]
    assert [code(a) for a in book_now(parts, *asked, now_us=NOW_US)] == ["done", "booking.sold_out"]
    assert sorted(r["reserved_for"] for r in rows(parts, slots) if r["reserved_for"]) == ["phone", "window"]
