"""Honest: what a patient does on a virtual day who wants one slot, and what happens to them."""

from collections.abc import Callable

import msgspec

from shouhao.booking.model import BookRequest, EntryRequest, ReturnRequest
from shouhao.flows.desk import Said
from shouhao.flows.once import DONE
from shouhao.kernel.clock import SECOND_US
from shouhao.lab.regimes import Regime
from shouhao.lab.stage import Actor
from shouhao.lab.virtual_day import CHANNEL, Day
from shouhao.lab.virtual_people import Traits
from shouhao.store.answers import Answer

_JOINS_AFTER_S = 20.0  # to read that there is a waitlist, and to join it


def granted(said: Said) -> bool:
    """Whether what was asked was given."""
    return isinstance(said, Answer) and said.status == DONE


def wish(actor: Actor, session_id: str) -> BookRequest:
    """A request for any slot of a session."""
    return BookRequest(patient_id=actor.patient_id, session_id=session_id, channel=CHANNEL, account_id=actor.account_id)


def entry(actor: Actor, wishes: tuple[str, ...], draw_id: str) -> EntryRequest:
    """A request to stand in a draw."""
    return EntryRequest(
        patient_ids=(actor.patient_id,),
        draw_id=draw_id,
        wishes=wishes,
        channel=CHANNEL,
        account_id=actor.account_id,
    )


def wait(actor: Actor, session_id: str) -> EntryRequest:
    """A request to join a waitlist."""
    return EntryRequest(
        patient_ids=(actor.patient_id,), session_id=session_id, channel=CHANNEL, account_id=actor.account_id
    )


def give_back(actor: Actor, booking_id: str) -> ReturnRequest:
    """A request to return a slot."""
    return ReturnRequest(booking_id=booking_id, channel=CHANNEL, account_id=actor.account_id)


class Patient:
    """One of them."""

    def __init__(self, day: Day, regime: Regime, actor: Actor, traits: Traits) -> None:
        self._day = day
        self._regime = regime
        self.actor = actor
        self.traits = traits
        self.booking_id: str | None = None  #: what they hold
        self.empty_handed = False  #: wanted a slot, and went away with nothing
        self.bought = False  #: what they hold came from a scalper
        self._chance_s = traits.reaction_s % 1  # spreads their looks

    def come(self, opens_us: int, draw_id: str | None) -> None:
        """They act as soon as they can after that moment."""
        at_us = opens_us + round(self.traits.reaction_s * SECOND_US)
        if draw_id is None:
            self._ask(at_us, 0)
        else:
            self._day.ask(at_us, entry(self.actor, self.traits.wishes, draw_id), _nothing)

    def lost_the_draw(self) -> None:
        """They hear that they won nothing; the waitlist, if there is one, has them already."""
        self.empty_handed = True
        if not self._regime.waits:
            self._look_again()

    def offered(self, booking_id: str) -> None:
        """A slot is theirs if they accept in time."""
        if self.traits.accepts_after_s is not None:
            self._day.after(self.traits.accepts_after_s, lambda: self._accept(booking_id))

    def got(self, booking_id: str, *, bought: bool = False) -> None:
        """They hold a slot."""
        self.booking_id, self.empty_handed, self.bought = booking_id, False, bought
        if not bought and self.traits.pays_after_s is None:
            return  # and the time to pay runs out
        if not bought and self.traits.pays_after_s is not None:
            self._day.after(self.traits.pays_after_s, lambda: self._still(booking_id, self._pay))
        if self.traits.returns_after_s is not None:
            self._day.after(self.traits.returns_after_s, lambda: self._still(booking_id, self._give_back))

    def lost(self, booking_id: str) -> None:
        """It ran out, or was returned."""
        if self.booking_id == booking_id:
            self.booking_id = None

    def _ask(self, at_us: int, choice: int) -> None:
        def heard(said: Said) -> None:
            if isinstance(said, Answer) and granted(said):
                self.got(booking_of(said))
            else:
                self._next(choice + 1)

        self._day.ask(at_us, wish(self.actor, self.traits.wishes[choice]), heard)

    def _next(self, choice: int) -> None:
        """The next of their wishes that the page shows as open."""
        for n in range(choice, len(self.traits.wishes)):
            if self._day.free[self.traits.wishes[n]] > 0:
                self._ask(self._day.now_us + round(self.traits.step_s * SECOND_US), n)
                return
        self.empty_handed = True
        if self._regime.waits:
            self._day.after(_JOINS_AFTER_S + self.traits.reaction_s, self._join)
        else:
            self._look_again()

    def _join(self) -> None:
        for session_id in self.traits.wishes:
            self._day.ask(self._day.now_us, wait(self.actor, session_id), _nothing)

    def _look_again(self) -> None:
        every_s = self.traits.looks_every_s
        if every_s is not None:
            self._day.after(every_s * (0.5 + self._chance_s), self._look)

    def _look(self) -> None:
        """See whether the page shows something, and press if it does."""
        if self.booking_id is not None:
            return
        free = next((s for s in self.traits.wishes if self._day.free[s] > 0), None)
        if free is None:
            self._look_again()
            return

        def heard(said: Said) -> None:
            if isinstance(said, Answer) and granted(said):
                self.got(booking_of(said))
            else:
                self._look_again()

        self._day.ask(self._day.now_us + round(self.traits.step_s * SECOND_US), wish(self.actor, free), heard)

    def _accept(self, booking_id: str) -> None:
        if self._day.accept(self.actor, booking_id):
            self.got(booking_id)

    def _still(self, booking_id: str, act: Callable[[str], None]) -> None:
        if self.booking_id == booking_id:
            act(booking_id)

    def _pay(self, booking_id: str) -> None:
        self._day.pay(self.actor, booking_id)

    def _give_back(self, booking_id: str) -> None:
        self._day.ask(self._day.now_us, give_back(self.actor, booking_id), _nothing)


def booking_of(said: Answer) -> str:
    """The booking that a granted answer tells of."""
    return str(msgspec.json.decode(said.body)["id"])


def _nothing(_said: Said) -> None:
    """Whatever was said, the person hears of what follows from it."""
