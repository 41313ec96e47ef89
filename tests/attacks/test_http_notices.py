"""Attack: make a held slot paid without paying, by forged, changed or replayed gateway notices."""

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shouhao.protocols.reference_payment import ReferenceGateway
from web.served import FEE_CENTS, Hospital, error_of, served


@pytest.fixture
def hospital(db_url: str, tmp_path: Path) -> Iterator[Hospital]:
    with served(db_url, tmp_path) as running:
        yield running


@pytest.fixture
def order(hospital: Hospital) -> dict[str, str]:
    """What the pay address of a held booking carries."""
    member = hospital.member()
    booking = hospital.booking_of(member, hospital.patient_of(member))
    due = member.post(f"/bookings/{booking['id']}/payment").json()
    return {**dict(parse_qsl(urlsplit(due["pay_url"]).query)), "page": due["pay_url"].partition("?")[0]}


def signed(hospital: Hospital, payment_id: str, amount_cents: int) -> tuple[bytes, str]:
    """What the gateway would say of an order, whether we made it or not."""
    gateway = hospital.system.gateway
    assert isinstance(gateway, ReferenceGateway)
    expires_at_us = hospital.clock.now_us() + 1_000_000
    url = gateway.pay_url(payment_id=payment_id, amount_cents=amount_cents, expires_at_us=expires_at_us)
    return gateway.pay(
        payment_id=payment_id,
        amount_cents=amount_cents,
        expires_at_us=expires_at_us,
        mac=dict(parse_qsl(urlsplit(url).query))["mac"],
        payer_id=None,
        now_us=hospital.clock.now_us(),
    )


def notify(hospital: Hospital, body: bytes, signature: str | bytes | None) -> httpx.Response:
    headers = {} if signature is None else {"X-Gateway-Signature": signature}
    return httpx.post(f"{hospital.public}/payments/notices", content=body, headers=headers)


def test_a_notice_that_the_gateway_did_not_sign_moves_nothing(hospital: Hospital, order: dict[str, str]) -> None:
    body, signature = signed(hospital, order["payment_id"], FEE_CENTS)
    mine = Ed25519PrivateKey.generate()
    changed = msgspec.json.encode({**msgspec.json.decode(body), "payer_id": "me"})
    before = hospital.state()
    for forged, seal in (
        (body, None),
        (body, ""),
        (body, "nonsense"),
        (body, "ÿ".encode("latin-1")),
        (body, base64.b64encode(mine.sign(body)).decode()),
        (changed, signature),
        (body + b" ", signature),
        (b"", signature),
    ):
        said = notify(hospital, forged, seal)
        assert (said.status_code, error_of(said)["code"]) == (400, "payment.notice_refused")
    assert hospital.state() == before


def test_a_signed_notice_about_another_amount_or_payment_moves_nothing(
    hospital: Hospital, order: dict[str, str]
) -> None:
    before = hospital.state()
    for payment_id, amount in ((order["payment_id"], FEE_CENTS - 1), (order["payment_id"], 0), ("pm_none", FEE_CENTS)):
        said = notify(hospital, *signed(hospital, payment_id, amount))
        assert (said.status_code, error_of(said)["code"]) == (400, "payment.notice_refused")
    assert hospital.state() == before


def test_a_notice_that_comes_twice_pays_once(hospital: Hospital, order: dict[str, str]) -> None:
    notice = signed(hospital, order["payment_id"], FEE_CENTS)
    answers = [notify(hospital, *notice).json() for _ in range(3)]
    assert answers == [{"state": "paid"}] * 3
    assert len(hospital.events("paid")) == 1
    hospital.assert_sound()


def test_a_changed_pay_address_is_refused_and_moves_nothing(hospital: Hospital, order: dict[str, str]) -> None:
    page = order.pop("page")
    before = hospital.state()
    for change in (
        {"amount_cents": "1"},
        {"payment_id": "pm_other"},
        {"expires_at_us": str(int(order["expires_at_us"]) + 1)},
        {"mac": "0" * 64},
        {"mac": "ÿ"},
    ):
        url = f"{page}?{urlencode({**order, **change})}"
        for said in (httpx.get(url), httpx.post(url)):
            assert (said.status_code, error_of(said)["code"]) == (400, "payment.order_refused"), said.text
    for bad in ({"amount_cents": "-1"}, {"expires_at_us": str(10**30)}):
        said = httpx.get(f"{page}?{urlencode({**order, **bad})}")
        assert (said.status_code, error_of(said)["field"]) == (422, next(iter(bad)))
    hospital.clock.advance(seconds=3600)
    assert httpx.post(f"{page}?{urlencode(order)}").status_code == 400
    assert hospital.state() == before
