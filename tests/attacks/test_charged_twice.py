"""Attack, or a slip of the gateway: one payment is really charged twice; the second charge must not stay with us."""

import msgspec
import pytest

from hospital import (
    GATEWAY,
    NOW_US,
    add_department,
    add_person,
    add_session,
    assert_sound,
    booked,
    booking_state,
    deliver,
    dump,
    events,
    notice_for,
    payment_state,
    rows,
)
from shouhao.booking.payment import NoticeRefused, PaymentNotice
from shouhao.booking.tables import payments
from shouhao.flows.give_back import Caller, give_back
from shouhao.flows.pay import refund_due, take_notice


class Watched:
    """The gateway, and what it was asked to give back."""

    name = GATEWAY.name

    def __init__(self):
        self.refunded, self._known = [], set()

    def refund(self, *, payment_id, gateway_ref, amount_cents, refund_id):
        assert refund_id not in self._known
        self._known.add(refund_id)
        self.refunded.append((payment_id, gateway_ref, amount_cents))


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db)
    yield db
    assert_sound(db)


def charged_again(db, notice, ref="second", **changed):
    """The same order, charged under another reference; signed, as far as the flow can tell."""
    said = msgspec.json.decode(notice[0]) | {"gateway_ref": ref, "payer_id": "py-2"} | changed
    with db.write() as connection:
        return take_notice(connection, PaymentNotice(**said), now_us=NOW_US)


def extra_charges(db):
    return [row for row in rows(db, payments) if row["extra_of"] is not None]


def test_a_second_charge_is_owed_back_and_given_back_once(house):
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    deliver(house, notice)
    assert charged_again(house, notice) == "paid"
    before = dump(house)
    for again in (lambda: charged_again(house, notice), lambda: deliver(house, notice)):
        assert again() == "paid"
    assert dump(house) == before
    (extra,) = extra_charges(house)
    assert (extra["state"], extra["payer_id"], extra["amount_cents"]) == ("refund_due", "py-2", 5000)
    assert [e["payer_id"] for e in events(house, "paid")] == ["py-1", "py-2"]
    assert_sound(house)
    gateway = Watched()
    assert [refund_due(house, gateway, now_us=NOW_US) for _ in range(2)] == [1, 0]
    assert gateway.refunded == [(extra["extra_of"], "second", 5000)]
    assert (booking_state(house, booking_id), payment_state(house, booking_id)) == ("booked", "paid")
    before = dump(house)
    assert charged_again(house, notice) == "paid"
    assert dump(house) == before


@pytest.mark.parametrize("refunds", [0, 1])
def test_a_second_charge_of_a_returned_slot_is_owed_back_beside_the_first(house, refunds):
    person = add_person(house)
    booking_id = booked(house, person, "S1")
    notice = notice_for(house, booking_id)
    deliver(house, notice)
    with house.write() as connection:
        caller = Caller(channel="app", account_id=person.account_id)
        give_back(connection, booking_id=booking_id, caller=caller, now_us=NOW_US)
    gateway = Watched()
    for _ in range(refunds):
        refund_due(house, gateway, now_us=NOW_US)
    for ref in ("second", "third", "second"):
        charged_again(house, notice, ref)
    assert [extra["gateway_ref"] for extra in extra_charges(house)] == ["second", "third"]
    refund_due(house, gateway, now_us=NOW_US)
    first = GATEWAY.read_notice(*notice)
    assert gateway.refunded == [(first.payment_id, ref, 5000) for ref in (first.gateway_ref, "second", "third")]
    assert {row["state"] for row in rows(house, payments)} == {"refunded"}
    assert booking_state(house, booking_id) == "returned"


def test_a_second_charge_neither_changes_the_amount_nor_names_another_charge(house):
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    deliver(house, notice)
    charged_again(house, notice)
    before = dump(house)
    for changed in ({"amount_cents": 1}, {"payment_id": extra_charges(house)[0]["id"]}):
        with pytest.raises(NoticeRefused):
            charged_again(house, notice, "another", **changed)
    assert dump(house) == before
