"""Attack: many acceptances of one offer at once, or one at the very moment it ends: each has exactly one outcome."""

import threading
from collections import Counter

import pytest

from flows.drawing import AFTER, OPENS, enter_now, entry, give, look, offers, open_draw, slot, take, wait_for_a_lock
from hospital import HOLD, NOW_US, add_people, assert_sound, bind, booking_state, code, events, rows
from shouhao.booking.store import lifecycle
from shouhao.booking.tables import bookings
from shouhao.flows.give_back import Caller, expire_holds, let_go
from shouhao.flows.hand_on import Freed, hand_slots_on
from shouhao.flows.offers import accept
from shouhao.kernel.clock import DAY_US
from shouhao.kernel.errors import Refused
from shouhao.patients.store import lock_patients
from shouhao.store.engine import open_database

PROCESSES, OFFERS = 4, 12


@pytest.fixture
def databases(postgresql_url):
    opened = [open_database(postgresql_url) for _ in range(PROCESSES)]
    yield opened
    for db in opened:
        db.close()


def won(db, *, seats=OFFERS, families=False):
    """Offers of a draw that as many people entered as there are seats: (person, offer)."""
    draw = open_draw(db, seats=seats)
    people = add_people(db, seats)
    entered = [(p,) for p in people]
    if families:
        entered = list(zip(people[::2], people[1::2], strict=True))
        bind(db, [(a.account_id, b.patient_id) for a, b in entered], bound_at_us=NOW_US - DAY_US)
    enter_now(db, *(entry(*group, draw_id=draw["id"], wishes=["S1"]) for group in entered), now_us=OPENS)
    look(db, AFTER)
    by_account = {p.account_id: p for p in people}
    return [(by_account[o["account_id"]], o) for o in offers(db)]


def at_once(*acts):
    """Everything at the same moment, each on a thread of its own; what was heard, in no order."""
    started, heard = threading.Barrier(len(acts)), []

    def go(act):
        started.wait()
        try:
            act()
            heard.append("done")
        except Refused as refusal:
            heard.append(refusal.code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test sees it
            heard.append(repr(error))

    threads = [threading.Thread(target=go, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


def test_one_offer_accepted_everywhere_at_once_is_accepted_once(databases):
    for n, (person, offer) in enumerate(won(databases[0])):
        acts = [lambda db=db, p=person, o=offer: take(db, p, o["id"], now_us=AFTER + 1) for db in databases]
        heard = at_once(*acts)
        assert Counter(heard) == {"done": 1, "booking.wrong_state": PROCESSES - 1}, n
    assert len(events(databases[0], "accepted")) == OFFERS
    assert_sound(databases[0])


def test_a_party_accepted_by_each_of_its_offers_at_once_is_accepted_once(databases):
    made = won(databases[0], families=True)
    parties = {}
    for person, offer in made:
        parties.setdefault(offer["party_id"], []).append((person, offer))
    for of in parties.values():
        acts = [
            lambda db=databases[n], p=person, o=offer: take(db, p, o["id"], now_us=AFTER + 1)
            for n, (person, offer) in enumerate(of * 2)
        ]
        assert Counter(at_once(*acts)) == {"done": 1, "booking.wrong_state": 3}
    assert {row["state"] for row in rows(databases[0], bookings)} == {"held"}
    assert len(events(databases[0], "accepted")) == OFFERS
    assert_sound(databases[0])


def test_accepted_and_declined_at_once_is_returned_either_way(databases):
    """A return that comes after the acceptance gives the held slot back; never is it both, or neither."""
    for person, offer in won(databases[0]):

        def decline(p=person, o=offer):
            assert code(give(databases[1], o["id"], now_us=AFTER + 1, person=p)) == "done"

        heard = at_once(lambda p=person, o=offer: take(databases[0], p, o["id"], now_us=AFTER + 1), decline)
        assert sorted(heard) in (["done", "done"], ["booking.wrong_state", "done"])
        assert booking_state(databases[0], offer["id"]) == "returned"
        assert slot(databases[0], offer["slot_id"])["booking_id"] is None
    assert len(events(databases[0], "cancelled")) == OFFERS
    assert_sound(databases[0])


def test_accepted_in_the_moment_it_ends_is_accepted_or_ended(databases):
    """One process's clock is a microsecond before the end, the worker's is at it."""
    made = won(databases[0])
    ends_us = made[0][1]["hold_expires_at_us"]
    accepting = [
        lambda p=p, o=o, n=n: take(databases[n % 3], p, o["id"], now_us=ends_us - 1) for n, (p, o) in enumerate(made)
    ]
    heard = at_once(*accepting, lambda: expire_holds(databases[3], now_us=ends_us))
    states = Counter(booking_state(databases[0], o["id"]) for _, o in made)
    assert set(states) <= {"held", "expired"}
    assert (
        Counter(heard) == Counter({"done": states["held"] + 1, "booking.offer_expired": states["expired"]}) - Counter()
    )
    for _, offer in made:
        held = booking_state(databases[0], offer["id"]) == "held"
        assert (slot(databases[0], offer["slot_id"])["booking_id"] == offer["id"]) == held
    assert len(events(databases[0], "accepted")) == states["held"]
    assert len(events(databases[0], "expired")) == states["expired"]
    assert_sound(databases[0])


def test_the_end_waits_for_an_acceptance_that_is_under_way(databases):
    """Not left to luck: the worker comes while the acceptance holds the person, and finds that it is no offer now."""
    (person, offer), (_, other) = won(databases[0], seats=2)
    ends_us = offer["hold_expires_at_us"]
    worker = threading.Thread(target=lambda: expire_holds(databases[1], now_us=ends_us))
    with databases[0].write() as connection:
        me = Caller(channel="app", account_id=person.account_id)
        accept(connection, booking_id=offer["id"], caller=me, hold=HOLD, now_us=ends_us - 1)
        worker.start()
        wait_for_a_lock(databases[2])
    worker.join()
    assert booking_state(databases[0], offer["id"]) == "held"
    assert booking_state(databases[0], other["id"]) == "expired"
    assert_sound(databases[0])


def test_an_acceptance_waits_for_the_end_that_is_under_way(databases):
    ((person, offer),) = won(databases[0], seats=1)
    ends_us, heard = offer["hold_expires_at_us"], []
    with databases[0].write() as connection:
        lock_patients(connection, [person.patient_id])
        late = threading.Thread(
            target=lambda: heard.extend(at_once(lambda: take(databases[1], person, offer["id"], now_us=ends_us - 1)))
        )
        late.start()
        wait_for_a_lock(databases[2])
        (placed,) = lifecycle.lock_bookings(connection, [offer["id"]], states=("offered",))
        let_go(connection, [placed], now_us=ends_us)
        hand_slots_on(
            connection,
            [Freed(slot_id=placed.booking.slot_id, session_id="S1", why="offer_lapsed")],
            now_us=ends_us,
        )
    late.join()
    assert heard == ["booking.offer_expired"]
    assert booking_state(databases[0], offer["id"]) == "expired"
    assert_sound(databases[0])
