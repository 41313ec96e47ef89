"""Payment: the port to whoever takes the money. Adapters stand in `protocols/`.

The gateway is asked outside any transaction. What it says comes back as a signed notice, which may come twice,
late or never; the booking's state decides what a notice still does.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Protocol

from shouhao.kernel.errors import InvalidInput, Refused

WINDOW = "window"  #: the gateway of money that staff take and give back by hand
_RECEIPT = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotice:
    """What a gateway says, once its signature has been checked."""

    payment_id: str  #: the order as it was asked for: one payment, or those of a party together
    gateway_ref: str
    amount_cents: int
    paid_at_us: int
    payer_id: str | None  #: the gateway's pseudonym for who paid


class NoticeRefused(Refused):
    """A notice that is not signed by the gateway, or not about one of our payments as it was asked for."""

    code: ClassVar[str] = "payment.notice_refused"
    zh: ClassVar[str] = "支付通知无效"
    en: ClassVar[str] = "The payment notice is not valid"


class NothingToRefund(Refused):
    """No money that was taken at the window waits to be given back."""

    code: ClassVar[str] = "payment.nothing_to_refund"
    zh: ClassVar[str] = "该预约没有须在窗口退还的费用"
    en: ClassVar[str] = "No fee of this booking waits to be given back at the window"


def window_ref(*, staff_id: str, receipt: str | None) -> str:
    """How money taken by hand is found again: by its receipt, or by who took it.

    >>> window_ref(staff_id="op_1", receipt=None), window_ref(staff_id="op_1", receipt="A-1024")
    ('window:op_1', 'window:A-1024')

    Raises:
        InvalidInput: the receipt's number cannot be one.
    """
    if receipt is not None and not _RECEIPT.fullmatch(receipt):
        raise InvalidInput("receipt", zh="收据号应为 1 至 64 位字母、数字或 _.:-", en="1 to 64 letters, digits or _.:-")
    return f"{WINDOW}:{receipt or staff_id}"


class PaymentGateway(Protocol):
    """Takes and gives back money."""

    name: str

    def pay_url(self, *, payment_id: str, amount_cents: int, expires_at_us: int) -> str:
        """Where the patient pays.

        Args:
            payment_id: what is to be paid in one step; it comes back in the notice.
            amount_cents: all of it.
            expires_at_us: until when the slots are held.
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

    def refund(self, *, payment_id: str, gateway_ref: str, amount_cents: int, refund_id: str) -> None:
        """Give back a charge or a part of it; asking twice for one `refund_id` gives it back once.

        One charge may pay for several people, and each part goes back by itself. An order may have been charged twice,
        each charge with a reference of its own, and then the second goes back whole.

        Args:
            payment_id: the order that was charged, as `pay_url` asked for it.
            gateway_ref: the charge.
            amount_cents: how much of it goes back.
            refund_id: names this refund.
        Raises:
            Unavailable: the gateway does not answer; ask again later.
        """
        ...
