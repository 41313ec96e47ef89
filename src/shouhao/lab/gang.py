"""Gang: scalpers on a virtual day. Their identities are real and verified; what they have more of is script.

One identity takes one slot, though the limits would let it take several. The script answers in milliseconds. What it
holds it pays for and sells: it finds somebody who went away empty-handed, returns the slot and asks for it at once in
the buyer's name. It stands on every waitlist and in every draw with all its people.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

from shouhao.flows.desk import Said
from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.honest import Patient, booking_of, entry, give_back, granted, wait, wish
from shouhao.lab.regimes import Regime
from shouhao.lab.stage import RELEASE_US, Actor
from shouhao.lab.virtual_day import Day
from shouhao.store.answers import Answer

ENDS_US = RELEASE_US + 6 * HOUR_US  #: of the virtual day
PRICE_YUAN = 500  #: what a buyer pays the scalper, beside the fee; an assumption, as reported in the press

_LAST_SALE_US = ENDS_US - 20 * MINUTE_US
_REACTS_S = (0.005, 0.060)
_JOINS_S = 60.0  # when all is sold out; within one batch nobody gains by being earlier
_REBOOKS_S = 0.010  # from hearing that the slot is returned to asking for it in the buyer's name
_POLLS_S = 0.5  # how often the script looks whether something is open
_FINDS_BUYER_S = (600.0, 3600.0)
_LOOKS_ON_S = 900.0


class Sales:
    """What became of what was sold."""

    def __init__(self) -> None:
        self.tried = 0
        self.at_once = 0  #: the slot went from the seller to the buyer
        self.by_polling = 0  #: the buyer got a slot of the session later, because the script kept looking
        self.by_luck = 0  #: the buyer happened to be the next on the waitlist
        self.strangers_chance = 0.0  #: summed: of anybody who wants such a slot, each time one was returned

    @property
    def reached(self) -> int:
        """Buyers who got what they paid for."""
        return self.at_once + self.by_polling + self.by_luck


class Member:
    """One identity of the gang."""

    def __init__(self, gang: "Gang", actor: Actor, wishes: tuple[str, ...]) -> None:
        self.gang = gang
        self.actor = actor
        self.wishes = wishes
        self.held: set[str] = set()  #: bookings
        self._joined = False

    def come(self, opens_us: int, draw_id: str | None) -> None:
        """Its script acts some milliseconds after that moment."""
        at_us = opens_us + self.gang.soon_us()
        if draw_id is None:
            self._ask(at_us, 0)
        else:
            self.gang.day.ask(at_us, entry(self.actor, self.wishes, draw_id), _nothing)

    def lost_the_draw(self) -> None:
        """It stands on the waitlists by that, or watches."""
        self._joined = True

    def offered(self, booking_id: str) -> None:
        """Accept whatever is offered, at once."""
        self.gang.day.at(self.gang.day.now_us + self.gang.soon_us(), lambda: self._accept(booking_id))

    def lost(self, booking_id: str) -> None:
        """It is sold, or gone."""
        self.held.discard(booking_id)

    def snatch(self, session_id: str) -> None:
        """Something is open: ask for it."""
        self._send(self.gang.day.now_us + self.gang.at_next_poll_us(), session_id, self.wishes)

    def _ask(self, at_us: int, choice: int) -> None:
        self._send(at_us, self.wishes[choice], self.wishes[choice + 1 :])

    def _send(self, at_us: int, session_id: str, others: Sequence[str]) -> None:
        def heard(said: Said) -> None:
            if isinstance(said, Answer) and granted(said):
                self._got(booking_of(said), session_id)
                return
            open_now = [s for s in others if self.gang.day.free[s] > 0]
            if open_now:
                self._send(self.gang.day.now_us + self.gang.soon_us(), open_now[0], open_now[1:])
            else:
                self._join(self.wishes)

        self.gang.day.ask(at_us, wish(self.actor, session_id), heard)

    def _accept(self, booking_id: str) -> None:
        if self.gang.day.accept(self.actor, booking_id):
            self._got(booking_id, self.gang.session_of[booking_id])

    def _got(self, booking_id: str, session_id: str) -> None:
        self.held.add(booking_id)
        self.gang.day.pay(self.actor, booking_id)
        self.gang.put_up(self, booking_id, session_id)
        self._join([wanted for wanted in self.wishes if wanted != session_id])

    def _join(self, wishes: Sequence[str]) -> None:
        """Wait for whatever else it wished for, whether it holds something or not: more to sell."""
        if not self.gang.regime.waits or self._joined:
            return
        self._joined = True
        at_us = self.gang.day.now_us + round(_JOINS_S * SECOND_US) + self.gang.soon_us()
        for session_id in wishes:
            self.gang.day.ask(at_us, wait(self.actor, session_id), _nothing)


class Gang:
    """All of them, and the one who finds the buyers."""

    def __init__(
        self,
        day: Day,
        regime: Regime,
        actors: Sequence[Actor],
        wishes: Sequence[tuple[str, ...]],
        patients: Sequence[Patient],
        *,
        seed: int,
    ) -> None:
        self.day = day
        self.regime = regime
        self.members = [Member(self, actor, wanted) for actor, wanted in zip(actors, wishes, strict=True)]
        self.sales = Sales()
        self.session_of: dict[str, str] = {}  #: of each booking, from what the house says of it
        self.slot_of: dict[str, str] = {}
        self._chance = random.Random(f"sales {seed}")  # noqa: S311 - repeatable on purpose
        self._patients = patients
        self._customers: set[str] = set()
        self._waited_for: dict[str, list[Patient]] = defaultdict(list)  # buyers whose slot has not come yet
        self._buyer_of: dict[str, str] = {}  # by the slot that was returned for them
        self._selling: set[str] = set()  # sessions in which a sale is under way: its own people keep off

    def soon_us(self) -> int:
        """How long the script takes."""
        return round(self._chance.uniform(*_REACTS_S) * SECOND_US)

    def at_next_poll_us(self) -> int:
        """How long until it looks again."""
        return round(self._chance.uniform(0, _POLLS_S) * SECOND_US)

    def opened(self, session_id: str) -> None:
        """A slot of this session is open to everyone: take it, for a buyer first."""
        if session_id in self._selling:
            return
        waiting = [b for b in self._waited_for[session_id] if b.booking_id is None]
        if waiting:
            buyer = waiting[0]
            self._book_for(buyer, session_id, self.day.now_us + self.at_next_poll_us(), late=True)
            return
        idle = [m for m in self.members if not m.held]
        if idle:
            self._chance.choice(idle).snatch(session_id)

    def handed_on(self, slot_id: str, patient_id: str) -> None:
        """The house offered a slot to somebody; it may be one that was sold."""
        if self._buyer_of.pop(slot_id, None) == patient_id:
            self.sales.by_luck += 1

    def put_up(self, seller: Member, booking_id: str, session_id: str) -> None:
        """Sell this slot some time later."""
        self.day.after(self._chance.uniform(*_FINDS_BUYER_S), lambda: self._sell(seller, booking_id, session_id))

    def _sell(self, seller: Member, booking_id: str, session_id: str) -> None:
        if booking_id not in seller.held or self.day.now_us > _LAST_SALE_US:
            return
        wanting = [p for p in self._patients if p.empty_handed and session_id in p.traits.wishes]
        buyers = [p for p in wanting if p.traits.would_buy and p.actor.patient_id not in self._customers]
        if not buyers:
            self.day.after(_LOOKS_ON_S, lambda: self._sell(seller, booking_id, session_id))
            return
        buyer = self._chance.choice(buyers)
        self._customers.add(buyer.actor.patient_id)
        self._buyer_of[self.slot_of[booking_id]] = buyer.actor.patient_id
        self.sales.tried += 1
        rivals = sum(session_id in member.wishes for member in self.members)
        self.sales.strangers_chance += 1 / (len(wanting) + rivals)
        self._selling.add(session_id)

        def heard(_said: Said) -> None:
            self._book_for(buyer, session_id, self.day.now_us + round(_REBOOKS_S * SECOND_US), late=False)

        self.day.ask(self.day.now_us, give_back(seller.actor, booking_id), heard)

    def _book_for(self, buyer: Patient, session_id: str, at_us: int, *, late: bool) -> None:
        def heard(said: Said) -> None:
            self._selling.discard(session_id)
            if isinstance(said, Answer) and granted(said):
                self._deliver(buyer, booking_of(said), late=late)
            elif not late:
                self._waited_for[session_id].append(buyer)

        self.day.ask(at_us, wish(buyer.actor, session_id), heard)

    def _deliver(self, buyer: Patient, booking_id: str, *, late: bool) -> None:
        if late:
            self.sales.by_polling += 1
        else:
            self.sales.at_once += 1
        self.day.pay(buyer.actor, booking_id)
        buyer.got(booking_id, bought=True)


def _nothing(_said: Said) -> None:
    """What follows from it is heard of."""
