"""Gang: what all scalpers have in common, whatever their tools: accounts, customers, and slots that must change hands.

A slot is worth something only in a customer's name. It comes there in one of three ways: it was booked in it (the
order came first), it is returned and taken again by somebody else (`hand_over`), or the patient behind it is edited
(`rewrite`). Whatever a gang hides, one of the three is in the events.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shouhao.kernel.clock import HOUR_US, MINUTE_US, SECOND_US
from shouhao.lab.scalping.accounts import Account
from shouhao.lab.scalping.afterwards import attend
from shouhao.lab.scalping.at_release import SHOWS_FACE
from shouhao.lab.scalping.chance import around, soon
from shouhao.lab.scalping.desk import Booking
from shouhao.lab.scalping.faces import show_face
from shouhao.lab.scalping.hospital import Session
from shouhao.lab.scalping.options import GangKind
from shouhao.lab.scalping.phones import Phone
from shouhao.lab.scalping.visits import arrive, bind, latency
from shouhao.lab.scalping.wants import complain, look_around, some_time, want_any
from shouhao.lab.scalping.world import World

Won = Callable[[Account, Booking, int], None]

_LEAST = 5
_BEFORE_US = 3 * HOUR_US
_CUSTOMER_COMES = 0.95
_COMPLAINS = 0.03
_NIGHT = (0.5, 5.5)


@dataclass(slots=True, eq=False, kw_only=True)
class Gang:
    """One gang. Its id stands in the labels alone."""

    id: str
    kind: GangKind
    world: World
    rng: random.Random
    growth: float
    accounts: list[Account] = field(default_factory=list)
    customers: int = 0

    def size(self, base: int) -> int:
        """How many, in this size of day and at this strength."""
        return max(_LEAST, round(base * self.growth))

    def recruit(self, role: str, *, traces: Sequence[str], phone: Phone | None = None, channel: str = "") -> Account:
        """An account of theirs: made like anybody's, known as theirs in the labels alone."""
        account = self.world.new_account(self.kind, phone=phone, channel=channel)
        account.side, account.gang, account.role = "gang", self.id, role
        account.traces |= set(traces)
        self.world.patient_notes[account.patients[0]] = (self.id, "identity")
        self.accounts.append(account)
        return account

    def customer(self) -> int:
        """Somebody who pays for a slot."""
        self.customers += 1
        patient = self.world.new_patient()
        self.world.patient_notes[patient] = (self.id, "customer")
        return patient

    def targets(self, day: int) -> list[Session]:
        """The sessions worth having that open on a day, in an order of the gang's own."""
        known = list(self.world.hospital.hot_by_day.get(day, []))
        self.rng.shuffle(known)
        return known


def days_of_work(gang: Gang, part: float) -> list[int]:
    """Some of the days; the last one always."""
    last = gang.world.options.days - 1
    return [day for day in gang.world.days if day == last or gang.rng.random() < part]


def cover(gang: Gang, account: Account, *, looks: int, wants: int = 0) -> None:
    """Live like anybody: look around now and then, see a doctor of one's own."""
    world = gang.world

    def looks_around(now: int) -> None:
        if now > (account.new_at_us or 0) + HOUR_US:  # by then it is known when the account is opened
            look_around(world, account, now)

    for _ in range(looks):
        at_us = some_time(world, account, gang.rng.randrange(world.days.start, world.options.days))
        world.at(at_us, looks_around)
    for _ in range(wants):
        at_us = some_time(world, account, gang.rng.randrange(world.days.start, world.options.days))
        world.at(at_us, lambda now: want_any(world, account, account.patients[0], now))


def seize(
    gang: Gang,
    account: Account,
    patient: int,
    wishes: Sequence[Session],
    *,
    client: int,
    at_us: int,
    step_s: float,
    waited: int,
    won: Won,
) -> None:
    """Ask for the first session at that moment, for the next one a step later."""
    world = gang.world

    def act(now: int) -> None:
        booking = world.desk.book(now, client, patient, wishes[0], latency=waited, pick=gang.rng.random())
        if booking is not None:
            won(account, booking, now)
        elif len(wishes) > 1:
            seize(
                gang,
                account,
                patient,
                wishes[1:],
                client=client,
                at_us=now + round(around(gang.rng, step_s, 0.3) * SECOND_US),
                step_s=step_s,
                waited=waited,
                won=won,
            )

    if wishes:
        world.at(at_us, act)


def show_face_perhaps(gang: Gang, client: int, patient: int, release_us: int, now_us: int) -> None:
    """As often as anybody: the house asks some for a face and not others."""
    if gang.rng.random() < SHOWS_FACE:
        at_us = max(now_us + soon(gang.rng, 10), release_us - round(around(gang.rng, 70, 0.6) * SECOND_US))
        show_face(gang.world, gang.rng, client, at_us, patient)


def keep(gang: Gang, booking: Booking, now_us: int, *, payer: int, client: int | None = None, comes: bool) -> None:
    """Pay within minutes, as anybody does; the customer comes, or nobody does."""
    world = gang.world
    by = booking.client if client is None else client

    def pays(now: int) -> None:
        if not world.desk.pay(now, booking, by, payer):
            return
        attend(world, booking, comes=comes)
        if comes and gang.rng.random() < _COMPLAINS:  # dear, and the seller is not to be found
            at_us = booking.session.end_us + round(around(gang.rng, 3, 0.7) * HOUR_US)
            complain(world, world.record.counter("phone"), at_us, booking.patient, booking.session, "scalping")

    world.at(now_us + round(min(840.0, 6 + around(gang.rng, 35, 0.8)) * SECOND_US), pays)


def sold_before(gang: Gang, account: Account, booking: Booking, now_us: int, *, payer: int | None = None) -> None:
    """The order came first and the slot is in the customer's name already."""
    comes = gang.rng.random() < _CUSTOMER_COMES
    keep(gang, booking, now_us, payer=account.payer if payer is None else payer, comes=comes)


def hand_over(
    gang: Gang,
    account: Account,
    booking: Booking,
    now_us: int,
    *,
    receiver: Account,
    gap_s: tuple[float, float],
    finds_h: float = 3.0,
    at_night: bool = False,
) -> None:
    """A customer is found later: one account returns the slot, another takes the same one for the customer.

    Args:
        gap_s: median and spread of the time between the two.
        finds_h: median hours until a customer is found.
        at_night: wait for an hour in which nobody looks.
    """
    world, rng = gang.world, gang.rng
    found_us = now_us + 20 * MINUTE_US + round(around(rng, finds_h, 0.7) * HOUR_US)
    if at_night:
        found_us = world.moment(world.day_of(found_us) + 1, rng.uniform(*_NIGHT))
    if found_us > booking.session.start_us - _BEFORE_US:
        found_us = now_us + round(rng.uniform(20, 60) * MINUTE_US)
    customer = gang.customer()

    def pays(now: int) -> None:
        world.desk.pay(now, booking, booking.client, account.payer)

    def prepares(now: int) -> None:
        bind(world, arrive(world, rng, receiver, now, pages=3), now + soon(rng, 15), customer)

    def returns(now: int) -> None:
        if not world.desk.cancel(now, booking, arrive(world, rng, account, now - soon(rng, 4), pages=3)):
            return
        waits_s = around(rng, *gap_s)
        client = arrive(world, rng, receiver, now + round(min(waits_s * 0.5, waits_s - 0.2) * SECOND_US), pages=3)
        world.at(now + round(waits_s * SECOND_US), lambda then: takes(then, client))

    def takes(now: int, client: int) -> None:
        taken = world.desk.book(
            now, client, customer, booking.session, slot=booking.slot, latency=latency(rng, min(3.0, gap_s[0] / 4))
        )
        if taken is not None:
            keep(gang, taken, now, payer=receiver.payer, comes=rng.random() < _CUSTOMER_COMES)

    world.at(now_us + soon(rng, 40), pays)
    world.at(found_us - round(rng.uniform(3, 15) * MINUTE_US), prepares)
    world.at(found_us, returns)


def rewrite(gang: Gang, account: Account, booking: Booking, now_us: int) -> None:
    """A customer is found later, and the patient behind the slot becomes them: the name first, then the number."""
    world, rng = gang.world, gang.rng
    keep(gang, booking, now_us, payer=account.payer, comes=rng.random() < _CUSTOMER_COMES)
    at_us = now_us + 20 * MINUTE_US + round(around(rng, 4, 0.7) * HOUR_US)
    if at_us > booking.session.start_us - HOUR_US:
        at_us = now_us + round(rng.uniform(18, 50) * MINUTE_US)

    def edits(now: int) -> None:
        client = arrive(world, rng, account, now, pages=3)
        for n, what in enumerate(("name", "id_number")):
            world.record.event(
                now + (25 + 40 * n) * SECOND_US + rng.randrange(SECOND_US * 9),
                "patient_edited",
                client,
                patient=booking.patient,
                detail=world.record.said({"field": what}),
            )

    world.at(at_us, edits)


def let_lie(gang: Gang, account: Account, booking: Booking, now_us: int) -> None:
    """Nobody bought it: it is paid for and nobody comes."""
    keep(gang, booking, now_us, payer=account.payer, comes=False)
