"""Reference payment gateway: what a gateway's adapter has to do, whole, for trying out and for tests.

It keeps no books: the pay address carries what is to be paid under a MAC, and the notice that follows is signed
with Ed25519 over its bytes. A production adapter differs in what it calls, not in what it promises.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shouhao.booking.payment import NoticeRefused, PaymentNotice
from shouhao.kernel.errors import Refused

_KEY_BYTES = 32


class OrderRefused(Refused):
    """The pay address was changed, or its time is over."""

    code = "payment.order_refused"
    zh = "支付链接无效或已过期"
    en = "The payment link is not valid or has expired"


class _Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payment_id: str
    gateway_ref: str
    amount_cents: int
    paid_at_us: int
    payer_id: str | None = None


class ReferenceGateway:
    """The hospital's side (`PaymentGateway`) and the gateway's own side in one, sharing a key."""

    name = "reference"

    def __init__(self, key: bytes, *, pay_page: str) -> None:
        """Set up both sides.

        Args:
            key: 32 bytes that nobody else knows.
            pay_page: address of the page on which a patient pays.
        """
        if len(key) != _KEY_BYTES:
            raise ValueError(f"the gateway's key has {len(key)} bytes, not {_KEY_BYTES}")
        self._signing = Ed25519PrivateKey.from_private_bytes(key)
        self._verifying = self._signing.public_key()
        self._mac_key = hashlib.sha256(b"shouhao.reference-payment.order" + key).digest()
        self._pay_page = pay_page

    def pay_url(self, *, payment_id: str, amount_cents: int, expires_at_us: int) -> str:
        """Where the patient pays; nothing in it can be changed."""
        mac = self._order_mac(payment_id, amount_cents, expires_at_us)
        order = {"payment_id": payment_id, "amount_cents": amount_cents, "expires_at_us": expires_at_us, "mac": mac}
        return f"{self._pay_page}?{urlencode(order)}"

    def pay(
        self, *, payment_id: str, amount_cents: int, expires_at_us: int, mac: str, payer_id: str | None, now_us: int
    ) -> tuple[bytes, str]:
        """The gateway's side: the patient pays; the notice and its signature come back.

        Paying twice for one order gives the same reference, so the money moves once.

        Raises:
            OrderRefused: the order was changed, or its time is over.
        """
        right = self._order_mac(payment_id, amount_cents, expires_at_us)
        if not hmac.compare_digest(right.encode(), mac.encode()) or now_us >= expires_at_us:
            raise OrderRefused
        notice = _Notice(
            payment_id=payment_id,
            gateway_ref="rg_" + hashlib.sha256(payment_id.encode()).hexdigest()[:24],
            amount_cents=amount_cents,
            paid_at_us=now_us,
            payer_id=payer_id,
        )
        body = msgspec.json.encode(notice)
        return body, base64.b64encode(self._signing.sign(body)).decode()

    def read_notice(self, body: bytes, signature: str) -> PaymentNotice:
        """Check a notice's signature, then read it; as `PaymentGateway.read_notice`."""
        try:
            self._verifying.verify(base64.b64decode(signature, validate=True), body)
            said = msgspec.json.decode(body, type=_Notice)
        except (InvalidSignature, ValueError) as error:
            raise NoticeRefused("signature") from error
        return PaymentNotice(
            payment_id=said.payment_id,
            gateway_ref=said.gateway_ref,
            amount_cents=said.amount_cents,
            paid_at_us=said.paid_at_us,
            payer_id=said.payer_id,
        )

    def refund(self, *, payment_id: str, gateway_ref: str, amount_cents: int, refund_id: str) -> None:
        """Nothing moved, so nothing moves back."""

    def _order_mac(self, payment_id: str, amount_cents: int, expires_at_us: int) -> str:
        order = f"{payment_id}\0{amount_cents}\0{expires_at_us}".encode()
        return hmac.digest(self._mac_key, order, "sha256").hex()
