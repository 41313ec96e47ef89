"""Short ways to register for antenatal care in tests: a month that opens, women who enter, staff who act."""

from collections import Counter
from datetime import date

from sqlalchemy import update

from hospital import add_people, assert_sound, dump, rows
from shouhao.booking.antenatal import (
    CONSENT_VERSION,
    Pregnancy,
)
from shouhao.booking.antenatal_tables import (
    antenatal_applications,
    antenatal_months,
    antenatal_places,
)
from shouhao.booking.store import antenatal as store
from shouhao.flows.antenatal import add_policy, apply, assess, correct_due_day
from shouhao.flows.antenatal_months import antenatal_due
from shouhao.flows.antenatal_referral import (
    consent,
    offer_places,
)
from shouhao.flows.give_back import Caller
from shouhao.kernel.clock import DAY_US, HOUR_US, start_of_day_us
from shouhao.patients.tables import patients
from shouhao.store.vault import Vault

VAULT = Vault(b"k" * 32)
STAFF = Caller(channel="window", staff_id="st")
OPENS_US = start_of_day_us(date(2026, 11, 1)) + 8 * HOUR_US  #: of the due month 2027-06
DUE = date(2027, 6, 15)
ALL_GREEN = {"green": 100}


def start(db, *, places=2, tiers=None, now_us=OPENS_US, **body):
    """Put a policy in force and open what is due."""
    months = {"2027-06": places} if isinstance(places, int) else places
    body = {"places": {"months": months, "yearly": 10_000}, "tiers": tiers or ALL_GREEN, **body}
    with db.write() as connection:
        add_policy(connection, body, effective_at_us=0, reason="测试策略", staff_id="st", now_us=now_us)
    antenatal_due(db, VAULT, now_us=now_us)


def due(day=DUE):
    return Pregnancy(source="ultrasound", due_day=day)


def entered(db, person, *, now_us=OPENS_US, day=DUE, caller=None):
    who = caller or Caller(channel="app", account_id=person.account_id)
    with db.write() as connection:
        return apply(connection, vault=VAULT, patient_id=person.patient_id, stated=due(day), caller=who, now_us=now_us)


def tick(db, now_us):
    """Let the worker look until nothing is due; how much there was."""
    done = 0
    while did := antenatal_due(db, VAULT, now_us=now_us):
        done += did
    before = dump(db)
    assert antenatal_due(db, VAULT, now_us=now_us) == 0
    assert dump(db) == before, "doing it twice changes nothing"
    assert_sound(db)
    return done


def month_row(db, month="2027-06"):
    (row,) = rows(db, antenatal_months, month=month)
    return row


def drawn(db, people, *, days=3):
    """Everybody enters, the window closes, the draw is made; applications by patient and the moment."""
    for person in people:
        entered(db, person)
    now_us = OPENS_US + days * DAY_US
    tick(db, now_us)
    return now_us


def of(db, person):
    """The newest application of a person."""
    with db.read() as connection:
        return store.applications_of(connection, [person.patient_id], limit=1)[0]


def states(db, month="2027-06"):
    return Counter(row["state"] for row in rows(db, antenatal_applications, month=month))


def places(db, month="2027-06"):
    with db.read() as connection:
        return {one.tier: one for one in store.places_of(connection, month)}


def act(db, flow, **given):
    with db.write() as connection:
        return flow(connection, **given)


def moved(db, person, tier, now_us):
    return act(db, assess, application_id=of(db, person).id, tier=tier, reason="高危评估", caller=STAFF, now_us=now_us)


def in_state(db, people, state):
    return [person for person in people if of(db, person).state == state]


def in_turn(db, people):
    """Those who wait, in their order."""
    with db.read() as connection:
        waiting = [of(db, person) for person in people]
        at = {one.patient_id: store.position_of(connection, one) for one in waiting if one.state == "waiting"}
    return sorted((p for p in people if p.patient_id in at), key=lambda p: at[p.patient_id])


def corrected(db, person, day, now_us):
    return act(
        db,
        correct_due_day,
        vault=VAULT,
        application_id=of(db, person).id,
        stated=due(day),
        reason="超声核对",
        caller=STAFF,
        now_us=now_us,
    )


def offered(db, *, now_us, places=1, tier="green", month="2027-06", partner_id="P1"):
    return act(
        db,
        offer_places,
        partner_id=partner_id,
        name_zh="合作医院",
        name_en="Partner",
        month=month,
        tier=tier,
        places=places,
        valid_until_us=now_us + 30 * DAY_US,
        staff_id="st",
        now_us=now_us,
    )


def agreed(db, person, offer, now_us, version=CONSENT_VERSION):
    return act(
        db,
        consent,
        application_id=of(db, person).id,
        offer_id=offer.id,
        text_version=version,
        caller=Caller(channel="app", account_id=person.account_id),
        now_us=now_us,
    )


def full_month(db, waiting=2):
    """A month with one place; who waits, in turn, and the moment."""
    people = add_people(db, waiting + 1)
    with db.write() as connection:
        sealed = {
            "name_sealed": VAULT.seal("张三", purpose="name"),
            "phone_sealed": VAULT.seal("+8613900139000", purpose="phone"),
        }
        connection.execute(update(patients).values(**sealed))
    start(db, places=1)
    now_us = drawn(db, people)
    return in_turn(db, people), now_us


def conserved(db):
    """Own places of all months are held, free, or given up; carrying moves them and loses none."""
    with db.read() as connection:
        months = [m.month for m in store.published_months(connection, states=("open", "drawn", "closed"))]
        counted = {month: store.places_of(connection, month) for month in months}
    stored = rows(db, antenatal_places)
    own = sum(row["own"] for row in stored)
    waiting_to_be_published = sum(row["carried_in"] for row in stored if row["month"] not in months)
    there = sum(one.held + one.free + one.dropped for of_month in counted.values() for one in of_month)
    assert all(one.free >= 0 for of_month in counted.values() for one in of_month)
    assert own == there + waiting_to_be_published
