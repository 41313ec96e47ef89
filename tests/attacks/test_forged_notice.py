"""Attack: a payment notice that the gateway never sent, or changed on its way."""

import base64

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hospital import (
    GATEWAY,
    NOW_US,
    add_department,
    add_person,
    add_session,
    booked,
    booking_state,
    deliver,
    dump,
    notice_for,
)
from shouhao.booking.payment import NoticeRefused
from shouhao.protocols.reference_payment import OrderRefused, ReferenceGateway

STRANGER = ReferenceGateway(b"s" * 32, pay_page="http://127.0.0.1/pay")
PROPERTY = settings(
    max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def house(db):
    add_department(db)
    add_session(db)
    return db


@pytest.fixture
def unpaid(house):
    """A held booking, its genuine notice, and a check that the notice has not been acted on."""
    booking_id = booked(house, add_person(house), "S1")
    notice = notice_for(house, booking_id)
    before = dump(house)
    yield notice
    assert booking_state(house, booking_id) == "held"
    assert dump(house) == before


def refused(house, body, signature):
    with pytest.raises(NoticeRefused):
        deliver(house, (body, signature))


@pytest.mark.parametrize("signature", ["", "AAAA", "=", "\u0131", base64.b64encode(b"\0" * 64).decode(), "é" * 88])
def test_a_notice_without_the_gateways_signature_is_refused(house, unpaid, signature):
    refused(house, unpaid[0], signature)


def test_a_notice_signed_by_somebody_else_is_refused(house, unpaid):
    order = msgspec.json.decode(unpaid[0])
    mac = STRANGER._order_mac(order["payment_id"], 5000, NOW_US + 1)
    body, signature = STRANGER.pay(
        payment_id=order["payment_id"],
        amount_cents=5000,
        expires_at_us=NOW_US + 1,
        mac=mac,
        payer_id=None,
        now_us=NOW_US,
    )
    refused(house, body, signature)
    refused(house, unpaid[0], signature)


@PROPERTY
@given(at=st.integers(0, 10_000), change=st.integers(1, 255))
def test_no_byte_of_a_notice_can_be_changed(house, unpaid, at, change):
    body = bytearray(unpaid[0])
    body[at % len(body)] ^= change
    refused(house, bytes(body), unpaid[1])


@PROPERTY
@given(at=st.integers(0, 63), change=st.integers(1, 255))
def test_no_byte_of_a_signature_can_be_changed(house, unpaid, at, change):
    raw = bytearray(base64.b64decode(unpaid[1]))
    raw[at] ^= change
    refused(house, unpaid[0], base64.b64encode(bytes(raw)).decode())


def test_a_signed_body_that_is_no_notice_is_refused(house, unpaid):
    order = msgspec.json.decode(unpaid[0])
    for body in (
        b"",
        b"[]",
        b"{}",
        msgspec.json.encode(order | {"more": 1}),
        msgspec.json.encode(order | {"amount_cents": "x"}),
    ):
        refused(house, body, base64.b64encode(GATEWAY._signing.sign(body)).decode())


def test_the_price_in_the_pay_address_cannot_be_changed(house, unpaid):
    payment_id = msgspec.json.decode(unpaid[0])["payment_id"]
    right = {"payment_id": payment_id, "amount_cents": 5000, "expires_at_us": NOW_US + 1}
    mac = GATEWAY._order_mac(**right)
    for changed in ({"amount_cents": 1}, {"expires_at_us": NOW_US + 2}, {"payment_id": "pm_x"}, {"mac": "0" * 64}):
        with pytest.raises(OrderRefused):
            GATEWAY.pay(**({**right, "mac": mac} | changed), payer_id=None, now_us=NOW_US)
    with pytest.raises(OrderRefused):
        GATEWAY.pay(**right, mac=mac, payer_id=None, now_us=NOW_US + 1)
