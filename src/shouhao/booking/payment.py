"""Payment: the port to whoever takes the money. Adapters stand in `protocols/`.

The gateway is asked outside any transaction. What it says comes back as a signed notice, which may come twice,
late or never; the booking's state decides what a notice still does.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from shouhao.kernel.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotice:
    """What a gateway says, once its signature has been checked."""

    payment_id: str
    gateway_ref: str
    amount_cents: int
    paid_at_us: int
    payer_id: str | None  #: the gateway's pseudonym for who paid


class NoticeRefused(Refused):
    """A notice that is not signed by the gateway, or not about one of our payments as it was asked for."""

    code: ClassVar[str] = "payment.notice_refused"
    zh: ClassVar[str] = "支付通知无效"
    en: ClassVar[str] = "The payment notice is not valid"


class PaymentGateway(Protocol):
    """Takes and gives back money."""

    name: str

    def pay_url(self, *, payment_id: str, amount_cents: int, expires_at_us: int) -> str:
        """Where the patient pays.

        Raises:
            Unavailable: the gateway does not answer.
        """
        ...

    def read_notice(self, body: bytes, signature: str) -> PaymentNotice:
        """Check a notice's signature and read it.

        Raises:
            NoticeRefused: it is not from the gateway.
        """
        ...

    def refund(self, *, payment_id: str, gateway_ref: str, amount_cents: int) -> None:
        """Give the money back; asking twice for one payment gives it back once.

        Raises:
            Unavailable: the gateway does not answer; ask again later.
        """
        ...
