"""Heard: what clients of the demo ask and what they hear, as plain values that figures and checks are made of."""

from dataclasses import dataclass
from typing import Literal

Group = Literal["patient", "gang"]
Deed = Literal["book", "again", "repeat", "begin_payment", "pay", "return", "join", "accept", "decline", "enter"]

BOOKS: frozenset[Deed] = frozenset({"book", "again", "repeat"})
CREATED, BUSY = 201, 503
NOT_RELEASED, SOLD_OUT = "booking.session_not_released", "booking.sold_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that was sent, and what came back."""

    who: str  #: patient id
    account: str
    group: Group
    deed: Deed
    session_id: str
    key: str  #: idempotency key
    sent_us: int
    took_us: int
    status: int  #: 0: no answer came
    code: str = ""  #: of the refusal
    booking_id: str = ""
    slot_id: str = ""

    @property
    def is_definite(self) -> bool:
        """Whether this is an answer; "busy" is not, it asks to come again."""
        return self.status not in {0, BUSY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """How one patient's morning went, as they felt it."""

    group: Group
    arrived_us: int
    answered_us: int  #: when it was known whether there is a slot
    got: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where to knock."""

    host: str
    port: int
    channel_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A slot that was offered to somebody who waited."""

    booking_id: str
    patient_id: str
    session_id: str
    slot_id: str
    account_id: str
    drawn: bool  #: won in a draw, and not handed on to somebody who waited


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """An entry in a draw, as its receipt says."""

    who: str  #: patient id
    group: Group
    draw_id: str
    entry_id: str
    wishes: tuple[str, ...]
    at_us: int  #: when its receipt came
